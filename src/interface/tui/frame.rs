//! When the next frame is due. Pure: it is given the time and asked for a deadline.
//!
//! Keys are drawn at once, streamed changes at a rate, nothing when nothing changed. Invariant: without a wish there is
//! no deadline, so an idle console has no timer and writes nothing.

use std::time::Duration;

/// Keys are drawn no closer together than this.
const KEY_GAP: Duration = Duration::from_millis(8);
/// Streamed changes are drawn no closer together than this: 30 frames a second.
const CHANGE_GAP: Duration = Duration::from_millis(33);
/// The same while nobody looks.
const AWAY_GAP: Duration = Duration::from_millis(250);
/// A frame that took longer makes the next one wait twice as long as it took.
const DEAR: Duration = Duration::from_millis(8);

/// What a frame is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// Something changed by itself.
    Change,
    /// The user did something.
    Key,
}

/// Whether the terminal window has the focus, as far as it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Gaze {
    /// Somebody may look.
    #[default]
    Here,
    /// The window is not in front.
    Away,
}

/// When to draw. All times are since the loop began.
#[derive(Clone, Debug, Default)]
pub(crate) struct FramePolicy {
    wish: Option<Wish>,
    drawn: Option<Duration>,
    cost: Duration,
    gaze: Gaze,
}

impl FramePolicy {
    /// A frame is wanted.
    pub(crate) fn want(&mut self, wish: Wish) {
        self.wish = self.wish.max(Some(wish));
    }

    /// The window came to the front or left it.
    pub(crate) fn gaze(&mut self, gaze: Gaze) {
        self.gaze = gaze;
    }

    /// Whether the window is in front, as far as it says.
    pub(crate) fn gazes(&self) -> Gaze {
        self.gaze
    }

    /// When the next frame is due; none when none is wanted.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let gap = match (self.wish?, self.gaze) {
            (Wish::Key, _) => KEY_GAP,
            (Wish::Change, Gaze::Here) => CHANGE_GAP,
            (Wish::Change, Gaze::Away) => AWAY_GAP,
        };
        let gap = if self.cost > DEAR { gap.max(self.cost * 2) } else { gap };
        Some(self.drawn.map_or(Duration::ZERO, |at| at + gap))
    }

    /// Whether a frame is due.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    /// A frame was drawn, from `began` to `ended`.
    pub(crate) fn drew(&mut self, began: Duration, ended: Duration) {
        self.wish = None;
        self.drawn = Some(ended);
        self.cost = ended.saturating_sub(began);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_first_frame_is_due_at_once_and_then_none_is() {
        let mut policy = FramePolicy::default();
        assert_eq!(policy.deadline(), None);
        policy.want(Wish::Change);
        assert!(policy.is_due(ms(0)));
        policy.drew(ms(0), ms(1));
        assert_eq!(policy.deadline(), None);
        assert!(!policy.is_due(ms(1_000_000)));
    }

    #[test]
    fn keys_come_sooner_than_changes_and_a_key_hastens_a_change() {
        let mut policy = FramePolicy::default();
        policy.drew(ms(99), ms(100));
        policy.want(Wish::Change);
        assert_eq!(policy.deadline(), Some(ms(133)));
        policy.want(Wish::Key);
        assert_eq!(policy.deadline(), Some(ms(108)));
        policy.want(Wish::Change);
        assert_eq!(policy.deadline(), Some(ms(108)));
    }

    #[test]
    fn away_from_the_window_changes_wait_and_keys_do_not() {
        let mut policy = FramePolicy::default();
        policy.gaze(Gaze::Away);
        policy.drew(ms(0), ms(0));
        policy.want(Wish::Change);
        assert_eq!(policy.deadline(), Some(ms(250)));
        policy.want(Wish::Key);
        assert_eq!(policy.deadline(), Some(ms(8)));
    }

    #[test]
    fn a_dear_frame_makes_room_for_input() {
        let mut policy = FramePolicy::default();
        policy.drew(ms(0), ms(40));
        policy.want(Wish::Key);
        assert_eq!(policy.deadline(), Some(ms(120)));
    }

    #[test]
    fn a_thousand_changes_a_second_make_at_most_thirty_frames() {
        let mut policy = FramePolicy::default();
        let mut frames = 0;
        for now in 0..1_000 {
            policy.want(Wish::Change);
            if policy.is_due(ms(now)) {
                policy.drew(ms(now), ms(now));
                frames += 1;
            }
        }
        assert!((29..=31).contains(&frames), "{frames}");
    }
}
