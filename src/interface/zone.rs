//! The wall clock as the operator reads it: the time of day here, and what a time of day means as an instant.
//!
//! How far this place is from UTC is asked of `date`, which knows the operator's `TZ` and the system's rules; where it does
//! not say, times are UTC. Pure but for [`Zone::here`].

use std::process::{Command, Stdio};

/// A minute in milliseconds.
const MINUTE: u64 = 60_000;
/// A day in milliseconds.
const DAY: u64 = 24 * 60 * MINUTE;

/// How far from UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Zone {
    minutes: i64,
}

impl Zone {
    /// This place's, now.
    pub(crate) fn here() -> Self {
        let told = Command::new("date").arg("+%z").stdin(Stdio::null()).stderr(Stdio::null()).output();
        told.ok().and_then(|told| Self::read(&String::from_utf8_lossy(&told.stdout))).unwrap_or_default()
    }

    /// As `+0530` is written.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let sign = match text.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let digits = text.get(1..5).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
        let (hours, minutes) = (digits.get(..2)?.parse::<i64>().ok()?, digits.get(2..)?.parse::<i64>().ok()?);
        Some(Self { minutes: sign * (hours * 60 + minutes) })
    }

    /// Milliseconds since this place's 1970.
    fn local(self, wall_ms: u64) -> u64 {
        wall_ms.saturating_add_signed(self.minutes * MINUTE as i64)
    }

    /// The time of day, `07:00`.
    pub(crate) fn time(self, wall_ms: u64) -> String {
        let minutes = self.local(wall_ms) / MINUTE;
        format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
    }

    /// The next instant at which it is that time of day, from `now_ms` on.
    ///
    /// # Errors
    /// What is no time of day, in words.
    pub(crate) fn next(self, time: &str, now_ms: u64) -> Result<u64, String> {
        let seconds = seconds_of(time)?;
        let today = self.midnight(now_ms);
        let at = today + seconds * 1_000;
        Ok(if at >= now_ms { at } else { at + DAY })
    }

    /// The last instant at which it was that time of day, before `now_ms`.
    ///
    /// # Errors
    /// What is no time of day, in words.
    pub(crate) fn last(self, time: &str, now_ms: u64) -> Result<u64, String> {
        let seconds = seconds_of(time)?;
        let at = self.midnight(now_ms) + seconds * 1_000;
        Ok(if at <= now_ms { at } else { at.saturating_sub(DAY) })
    }

    /// The begin of the day before.
    pub(crate) fn yesterday(self, now_ms: u64) -> u64 {
        self.midnight(now_ms).saturating_sub(DAY)
    }

    fn midnight(self, now_ms: u64) -> u64 {
        let local = self.local(now_ms);
        (local - local % DAY).saturating_add_signed(-self.minutes * MINUTE as i64)
    }
}

/// The seconds of the day that a text as `07:00` or `07:00:30` names.
pub(crate) fn seconds_of(text: &str) -> Result<u64, String> {
    let read = || {
        let mut parts = text.trim().split(':').map(|part| part.parse::<u64>().ok());
        let (hours, minutes) = (parts.next()??, parts.next()??);
        let seconds = parts.next().unwrap_or(Some(0))?;
        let fits = hours < 24 && minutes < 60 && seconds < 60 && parts.next().is_none();
        fits.then_some((hours * 60 + minutes) * 60 + seconds)
    };
    read().ok_or_else(|| format!("{text:?} is no time of day; write it as 07:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_the_next_or_the_last_here() {
        // 2026-12-01 00:30 UTC.
        let now = 1_796_085_000_000;
        let zone = Zone::read("+0200\n").unwrap();
        assert_eq!(zone.time(now), "02:30");
        assert_eq!(zone.time(zone.next("07:00", now).unwrap()), "07:00");
        assert_eq!(zone.next("07:00", now).unwrap() - now, 270 * MINUTE);
        assert_eq!(zone.next("02:00", now).unwrap() - now, DAY - 30 * MINUTE, "tomorrow");
        assert_eq!(now - zone.last("22:41", now).unwrap(), (3 * 60 + 49) * MINUTE);
        assert_eq!(now - zone.yesterday(now), DAY + 150 * MINUTE);
        assert_eq!(Zone::read("-0330").unwrap().time(now), "21:00");
        for wrong in ["", "7", "24:00", "12:60", "12:00:60", "1:2:3:4", "noon", "-1:00"] {
            assert!(zone.next(wrong, now).is_err(), "{wrong}");
        }
        assert_eq!(Zone::read("UTC"), None);
    }
}
