//! What figures were over the last minutes, for the small pictures on the screen.
//!
//! Not here: how they are drawn. Invariants: a track has one value a beat of session time and no more than
//! [`Track::LENGTH`] of them; a beat in which nothing was told has what was told before, and before the first there is
//! nothing, which is not 0; what is kept follows from the records alone.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::domain::protocol::{MachineSampled, Micros, Pressure, TurnEnd, Usage};

/// A figure over the last minutes: one value a beat, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// The beat of the newest value.
    beat: u64,
    values: VecDeque<Option<f32>>,
}

impl Track {
    /// The length of a beat.
    pub const BEAT: Micros = Micros::from_secs(5);
    /// How many beats are kept: ten minutes.
    pub const LENGTH: usize = 120;

    /// Takes a value in; the last one of a beat stands for it. The beats since the one before have what that had.
    pub(super) fn set(&mut self, at: Micros, value: Option<f32>) {
        let beat = at.0 / Self::BEAT.0;
        let held = self.values.back().copied().flatten();
        self.roll(beat, held);
        if let Some(last) = self.values.back_mut() {
            *last = value;
        }
    }

    /// Adds to the value of a beat; beats without anything added have 0 once there was a first.
    pub(super) fn add(&mut self, at: Micros, value: f32) {
        self.roll(at.0 / Self::BEAT.0, Some(0.0));
        if let Some(last) = self.values.back_mut() {
            *last = Some(last.unwrap_or(0.0) + value);
        }
    }

    fn roll(&mut self, beat: u64, between: Option<f32>) {
        if self.values.is_empty() {
            self.values.push_back(None);
            self.beat = beat;
        }
        let ahead = beat.saturating_sub(self.beat).min(Self::LENGTH as u64);
        for _ in 0..ahead {
            self.values.push_back(between);
        }
        while self.values.len() > Self::LENGTH {
            self.values.pop_front();
        }
        self.beat = self.beat.max(beat);
    }

    /// The last `n` beats up to that of `now`, oldest first; the newest value stands until now.
    pub fn held(&self, now: Micros, n: usize) -> Vec<Option<f32>> {
        self.last(now, n, self.values.back().copied().flatten())
    }

    /// The same where a beat without a value is 0 once there was a first.
    pub fn summed(&self, now: Micros, n: usize) -> Vec<Option<f32>> {
        self.last(now, n, Some(0.0).filter(|_| !self.values.is_empty()))
    }

    fn last(&self, now: Micros, n: usize, after: Option<f32>) -> Vec<Option<f32>> {
        let now = now.0 / Self::BEAT.0;
        let value = |back: u64| -> Option<f32> {
            let beat = now.checked_sub(back)?;
            if beat > self.beat {
                return after;
            }
            let from_end = usize::try_from(self.beat - beat).ok()?;
            let at = self.values.len().checked_sub(from_end + 1)?;
            self.values.get(at).copied().flatten()
        };
        (0..n as u64).rev().map(value).collect()
    }
}

/// The machine over the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineHistory {
    /// Memory in use, as a share of all.
    pub used: Track,
    /// Compressed memory, as a share of all.
    pub compressed: Track,
    /// Swap in use, in bytes.
    pub swap: Track,
    /// How hard the kernel finds it to give memory: 0, 1, 2.
    pub pressure: Track,
    /// How busy the processors are, as a share.
    pub cpu: Track,
    /// How busy the first graphics processor is, as a share.
    pub gpu: Track,
    /// What the first graphics processor works with, in bytes.
    pub gpu_active: Track,
    /// What the whole machine draws, in watts; its processors and graphics together where that is not told.
    pub watts: Track,
}

impl MachineHistory {
    pub(super) fn add(&mut self, at: Micros, m: &MachineSampled) {
        let share = |bytes: u64| (m.total > 0).then(|| bytes as f32 / m.total as f32);
        self.used.set(at, share(m.used));
        self.compressed.set(at, m.compressed.and_then(share));
        self.swap.set(at, m.swap_used().map(|bytes| bytes as f32));
        self.pressure.set(
            at,
            m.pressure.map(|p| match p {
                Pressure::Normal => 0.0,
                Pressure::Warning => 1.0,
                Pressure::Critical => 2.0,
            }),
        );
        let percent = |p: Option<u8>| p.map(|p| f32::from(p) / 100.0);
        self.cpu.set(at, percent(m.cpu_percent));
        let gpu = m.gpus.first();
        self.gpu.set(at, percent(gpu.and_then(|g| g.percent)));
        self.gpu_active.set(at, gpu.and_then(|g| g.active).map(|bytes| bytes as f32));
        let parts = [m.power.cpu, m.power.gpu, m.power.ane];
        let sum = parts.iter().any(Option::is_some).then(|| parts.iter().flatten().sum::<u32>());
        self.watts.set(at, m.power.system.or(sum).map(|mw| mw as f32 / 1_000.0));
    }
}

/// An endpoint over the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EndpointHistory {
    /// Tokens generated.
    pub tokens: Track,
    /// Seconds to the first token of the last turn that ended.
    pub first_token: Track,
    /// The share of prompt tokens that came from the server's cache, of the last turn that ended.
    pub cached: Track,
    /// Turns that failed.
    pub errors: Track,
}

impl EndpointHistory {
    /// Tokens came.
    pub(super) fn generated(&mut self, at: Micros, tokens: u32) {
        self.tokens.add(at, tokens as f32);
    }

    /// A turn ended, and had `untold` more tokens than were counted as they came.
    pub(super) fn ended(&mut self, at: Micros, untold: u32, usage: &Usage, end: &TurnEnd) {
        if untold > 0 {
            self.generated(at, untold);
        }
        if usage.first_token_us > 0 {
            self.first_token.set(at, Some(usage.first_token_us as f32 / 1e6));
        }
        if usage.prompt_tokens > 0 {
            self.cached.set(at, Some(usage.cached_tokens as f32 / usage.prompt_tokens as f32));
        }
        if matches!(end, TurnEnd::Failed(_)) {
            self.errors.add(at, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_stands_until_something_else_is_told() {
        let mut track = Track::default();
        assert_eq!(track.held(Micros::from_secs(100), 3), [None, None, None]);
        track.set(Micros::from_secs(11), Some(1.0));
        track.set(Micros::from_secs(14), Some(2.0));
        track.set(Micros::from_secs(31), Some(3.0));
        assert_eq!(
            track.held(Micros::from_secs(42), 8),
            [None, Some(2.0), Some(2.0), Some(2.0), Some(2.0), Some(3.0), Some(3.0), Some(3.0)]
        );
        // Of a moment before the newest only what was told by then.
        assert_eq!(track.held(Micros::from_secs(20), 2), [Some(2.0), Some(2.0)]);
        track.set(Micros::from_secs(100_000), None);
        assert_eq!(track.held(Micros::from_secs(100_000), 2), [Some(3.0), None]);
        assert_eq!(track.values.len(), Track::LENGTH);
    }

    #[test]
    fn what_is_counted_is_nothing_in_a_beat_without_it() {
        let mut track = Track::default();
        assert_eq!(track.summed(Micros::from_secs(20), 2), [None, None]);
        track.add(Micros::from_secs(11), 4.0);
        track.add(Micros::from_secs(13), 1.0);
        track.add(Micros::from_secs(25), 2.0);
        assert_eq!(
            track.summed(Micros::from_secs(33), 6),
            [None, Some(5.0), Some(0.0), Some(0.0), Some(2.0), Some(0.0)]
        );
    }
}
