//! How fast an endpoint usually generates, and whether it is slower now.
//!
//! Not here: the speed that routing and estimates go by ([`super::EndpointState::speed`]). A server shares its speed among
//! the requests it works at, so what is usual is kept for each number at work; where a number is new, the least that sharing
//! alone leaves is taken. Invariant: while an endpoint is slow, what is usual stays as it was.

use serde::{Deserialize, Serialize};

use crate::domain::protocol::{Finding, Micros};

/// The speeds of an endpoint's finished turns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Tokens a second of one slot with 1, 2, … at work; 0 where unmeasured.
    usual: Vec<f32>,
    /// Turns in a row that say it is otherwise than it is taken to be.
    odd: u32,
    /// What the last turn had, and what would have been usual for it.
    last: (f32, f32),
    /// The usual speed, while it is slower.
    slow: Option<f32>,
    /// How often it was said to be slow, less what calm took off: it takes the more to be said again.
    #[serde(default)]
    wavering: u32,
    /// Turns in a row that were as it is taken to be.
    #[serde(default)]
    calm: u32,
}

impl Pace {
    /// An answer shorter than this tells nothing of speed.
    pub(super) const TOKENS: u64 = 8;
    /// Nor does one that took less than this: on a fast model chance makes half of its time.
    pub(super) const SPAN: Micros = Micros::from_millis(250);
    /// Turns in a row as they are taken to be that let one more wavering be forgotten.
    const CALM: u32 = 32;
    /// The most times that the number of turns before it is said is doubled.
    const WAVERS: u32 = 4;
    /// Numbers at work beyond this count as this.
    const MOST: usize = 32;
    /// Turns in a row before it is said.
    const ENOUGH: u32 = 2;
    /// Below this share of the usual speed it is slow…
    const SLOW: f32 = 0.5;
    /// …and above this one it no longer is.
    const QUICK: f32 = 0.8;

    /// Takes in a turn's tokens a second with so many at work.
    pub(super) fn learn(&mut self, speed: f32, beside: f32) {
        let n = (beside.round().max(1.0) as usize).min(Self::MOST);
        let usual = self.usual_for(n);
        self.last = (speed, usual.unwrap_or(speed));
        let share = usual.map_or(1.0, |u| speed / u);
        let odd = match self.slow {
            None => share < Self::SLOW,
            Some(_) => share > Self::QUICK,
        };
        self.odd = if odd { self.odd + 1 } else { 0 };
        self.calm = if odd { 0 } else { self.calm + 1 };
        if self.calm >= Self::CALM {
            (self.calm, self.wavering) = (0, self.wavering.saturating_sub(1));
        }
        if self.slow.is_some() || odd {
            return;
        }
        if self.usual.len() < n {
            self.usual.resize(n, 0.0);
        }
        let kept = &mut self.usual[n - 1];
        *kept = if *kept == 0.0 { speed } else { *kept * 0.9 + speed * 0.1 };
    }

    /// The usual speed with `n` at work: measured, else the least that it can be by what was measured with others.
    fn usual_for(&self, n: usize) -> Option<f32> {
        let known = |i: &usize| self.usual.get(*i).copied().filter(|s| *s > 0.0);
        let more = (n - 1..self.usual.len()).find_map(|i| known(&i));
        // With fewer at work each was at least so fast; so many more share it.
        let fewer = || (0..n.min(self.usual.len())).rev().find_map(|i| Some(known(&i)? * (i + 1) as f32 / n as f32));
        more.or_else(fewer)
    }

    /// What is to be said of it, if anything.
    pub(crate) fn news(&self) -> Option<Finding> {
        let (now, usual) = self.last;
        (self.odd >= Self::ENOUGH << self.wavering.saturating_sub(1).min(Self::WAVERS)).then_some(match self.slow {
            None => Finding::Slowed { usual, now },
            Some(_) => Finding::Quickened { now },
        })
    }

    /// It was said.
    pub(super) fn told(&mut self, slow: Option<f32>) {
        self.wavering = (self.wavering + u32::from(slow.is_some())).min(Self::WAVERS + 1);
        (self.slow, self.odd, self.calm) = (slow, 0, 0);
    }

    /// The usual speed, if it is slower now.
    pub fn slowed_from(&self) -> Option<f32> {
        self.slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of these speeds, one turn after another.
    fn said(speeds: impl IntoIterator<Item = f32>) -> Vec<Finding> {
        let mut pace = Pace::default();
        let mut said = Vec::new();
        for speed in speeds {
            pace.learn(speed, 1.0);
            if let Some(news) = pace.news() {
                pace.told(match news {
                    Finding::Slowed { usual, .. } => Some(usual),
                    _ => None,
                });
                said.push(news);
            }
        }
        said
    }

    #[test]
    fn a_speed_that_goes_to_and_fro_is_said_ever_less_and_a_lasting_change_at_once() {
        let wavers = (0..400).map(|i| if i < 10 || i % 6 < 3 { 300.0 } else { 120.0 });
        assert!(said(wavers).len() <= 4);
        let slows = (0..60).map(|i| if (10..=40).contains(&i) { 60.0 } else { 300.0 });
        assert!(matches!(said(slows)[..], [Finding::Slowed { .. }, Finding::Quickened { .. }]));
    }
}
