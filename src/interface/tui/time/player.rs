//! The clock of playing: how much session time goes by in how much real time.
//!
//! Pure: it is given the time. Not here: records. Invariants: while it pauses no time goes by; a gap without records is
//! never longer than the idle limit.

use std::time::Duration;

use crate::domain::protocol::Micros;

/// How fast, in quarters of the real speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Speed(u32);

impl Default for Speed {
    fn default() -> Self {
        Self(4)
    }
}

impl Speed {
    /// The slowest: a quarter.
    const LEAST: u32 = 1;
    /// The fastest: 64 times.
    const MOST: u32 = 256;

    /// The nearest speed there is to so many times.
    pub fn times(times: f64) -> Self {
        let quarters = (times * 4.0).round();
        // Below and above, and where it is no number, the ends are taken.
        Self(if quarters >= f64::from(Self::MOST) {
            Self::MOST
        } else if quarters >= 1.0 {
            quarters as u32
        } else {
            Self::LEAST
        })
    }

    /// Twice as fast.
    pub fn faster(self) -> Self {
        Self((self.0 * 2).min(Self::MOST))
    }

    /// Half as fast.
    pub fn slower(self) -> Self {
        Self((self.0 / 2).max(Self::LEAST))
    }

    /// `2`, `0.25`.
    pub fn words(self) -> String {
        match self.0 % 4 {
            0 => (self.0 / 4).to_string(),
            1 => format!("{}.25", self.0 / 4),
            2 => format!("{}.5", self.0 / 4),
            _ => format!("{}.75", self.0 / 4),
        }
    }
}

/// How long a gap without records may be while playing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleLimit(pub Option<Micros>);

impl Default for IdleLimit {
    fn default() -> Self {
        Self(Some(Micros::from_secs(2)))
    }
}

impl IdleLimit {
    /// The next one: 2 s, 5 s, none, half a second.
    pub fn next(self) -> Self {
        Self(match self.0.map(|m| m.0) {
            Some(2_000_000) => Some(Micros::from_secs(5)),
            Some(5_000_000) => None,
            None => Some(Micros::from_millis(500)),
            Some(_) => Some(Micros::from_secs(2)),
        })
    }

    /// In words.
    pub fn words(self) -> String {
        match self.0 {
            None => "gaps take as long as they took".to_owned(),
            Some(limit) => format!("gaps are cut to {} s", limit.0 as f64 / 1e6),
        }
    }

    /// Where a gap begins, as far as it is played.
    fn start(self, at: Micros, next: Micros) -> Micros {
        match self.0 {
            Some(limit) => at.max(Micros(next.0.saturating_sub(limit.0))),
            None => at,
        }
    }
}

/// The clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Player {
    /// How fast.
    pub speed: Speed,
    /// How long gaps may be.
    pub idle: IdleLimit,
    /// When it was asked last, while it plays.
    since: Option<Duration>,
}

/// How far a step of playing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it is now.
    pub at: Micros,
    /// Session time that is left to be played.
    pub left: Micros,
}

impl Player {
    /// Whether it plays.
    pub fn plays(&self) -> bool {
        self.since.is_some()
    }

    /// Begins to play.
    pub fn play(&mut self, wall: Duration) {
        self.since = self.since.or(Some(wall));
    }

    /// Pauses.
    pub fn pause(&mut self) {
        self.since = None;
    }

    /// The session time gained since it was asked last.
    pub fn gained(&mut self, wall: Duration) -> Micros {
        let Some(since) = self.since else { return Micros(0) };
        let gained = wall.saturating_sub(since).as_micros() * u128::from(self.speed.0) / 4;
        self.since = Some(wall.max(since));
        Micros(u64::try_from(gained).unwrap_or(u64::MAX))
    }

    /// Nothing can be played right now: the time until `wall` does not count.
    pub fn skip(&mut self, wall: Duration) {
        self.since = self.since.map(|s| s.max(wall));
    }

    /// From `at` towards the next record, with so much time to spend. It is reached when `at` of what comes back is
    /// `next`.
    pub fn toward(&self, at: Micros, next: Micros, spend: Micros) -> Step {
        let from = self.idle.start(at, next);
        let gap = next.since(from);
        if spend >= gap {
            Step { at: next.max(at), left: spend.since(gap) }
        } else {
            Step { at: from.plus(spend), left: Micros(0) }
        }
    }

    /// How long until the next record is due, or until the shown second changes, whichever is sooner.
    pub fn wait(&self, at: Micros, next: Micros) -> Duration {
        let from = self.idle.start(at, next);
        let second = Micros::from_secs(1).0 - from.0 % 1_000_000;
        let session = next.since(from).0.min(second);
        // Rounded up: a step that comes too early gains nothing.
        Duration::from_micros((session * 4).div_ceil(u64::from(self.speed.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Micros {
        Micros::from_secs(n)
    }

    #[test]
    fn speeds_double_and_stop_at_both_ends() {
        let all = |step: fn(Speed) -> Speed| {
            let speeds = std::iter::successors(Some(Speed::default()), move |s| Some(step(*s)));
            speeds.take(8).map(Speed::words).collect::<Vec<_>>()
        };
        assert_eq!(all(Speed::faster), ["1", "2", "4", "8", "16", "32", "64", "64"]);
        assert_eq!(all(Speed::slower)[..4], ["1", "0.5", "0.25", "0.25"]);
        assert_eq!([f64::NAN, 1e9, 2.5, -3.0].map(|t| Speed::times(t).words()), ["0.25", "64", "2.5", "0.25"]);
    }

    #[test]
    fn time_goes_by_at_the_speed_and_not_while_it_pauses() {
        let mut player = Player { speed: Speed::times(4.0), ..Player::default() };
        assert_eq!(player.gained(Duration::from_secs(5)), Micros(0));
        player.play(Duration::from_secs(5));
        assert_eq!(player.gained(Duration::from_millis(5_500)), secs(2));
        player.skip(Duration::from_secs(7));
        assert_eq!(player.gained(Duration::from_secs(8)), secs(4));
        player.pause();
        assert_eq!(player.gained(Duration::from_secs(80)), Micros(0));
    }

    #[test]
    fn a_gap_is_cut_to_the_limit_and_the_limit_can_change_in_it() {
        let mut player = Player::default();
        let step = player.toward(secs(10), secs(100), secs(1));
        assert_eq!(step, Step { at: secs(99), left: Micros(0) }, "of ninety seconds two are played");
        assert_eq!(player.toward(step.at, secs(100), secs(3)), Step { at: secs(100), left: secs(2) });
        assert_eq!(player.wait(secs(10), secs(100)), Duration::from_secs(1), "the second changes first");
        player.idle = IdleLimit(None);
        assert_eq!(player.toward(secs(10), secs(100), secs(1)).at, secs(11));
        let limits = std::iter::successors(Some(player.idle), |limit| Some(limit.next()));
        let all: Vec<String> = limits.take(4).map(IdleLimit::words).collect();
        assert_eq!(all[0], "gaps take as long as they took");
        assert_eq!(all[1..], ["gaps are cut to 0.5 s", "gaps are cut to 2 s", "gaps are cut to 5 s"]);
    }
}
