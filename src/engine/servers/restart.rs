//! When a server that ended by itself is started again: exponential backoff, bounded, forgotten after a healthy time.

use std::time::Duration;

/// The wait before the first restart.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// One that was ready this long was healthy: what came before no longer counts.
const HEALTHY: Duration = Duration::from_secs(60);

/// What follows an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is started again after this time.
    Again(Duration),
    /// It never worked: what is wrong does not heal by itself.
    NeverWorked,
    /// It was started again too often.
    Enough,
}

/// The ends so far.
#[derive(Debug)]
pub(super) struct Restarts {
    most: u32,
    in_a_row: u32,
    worked: bool,
}

impl Restarts {
    /// At most `most` restarts in a row.
    pub(super) fn new(most: u32) -> Self {
        Self { most, in_a_row: 0, worked: false }
    }

    /// What follows the end of a run that was ready for this long; none: it never was.
    pub(super) fn after(&mut self, ready_for: Option<Duration>) -> Next {
        self.worked |= ready_for.is_some();
        if ready_for.is_some_and(|time| time >= HEALTHY) {
            self.in_a_row = 0;
        }
        if !self.worked {
            return Next::NeverWorked;
        }
        if self.in_a_row >= self.most {
            return Next::Enough;
        }
        let wait = FIRST.saturating_mul(1 << self.in_a_row.min(16)).min(LONGEST);
        self.in_a_row += 1;
        Next::Again(wait)
    }

    /// Restarts in a row so far.
    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Option<Duration> = Some(Duration::from_secs(1));

    fn waits(restarts: &mut Restarts, ends: usize) -> Vec<Next> {
        (0..ends).map(|_| restarts.after(SOON)).collect()
    }

    #[test]
    fn waits_double_up_to_a_minute_and_end() {
        let mut restarts = Restarts::new(9);
        let millis = [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000];
        let mut expected: Vec<Next> = millis.map(|ms| Next::Again(Duration::from_millis(ms))).into();
        expected.push(Next::Enough);
        assert_eq!(waits(&mut restarts, 10), expected);
    }

    #[test]
    fn a_healthy_time_is_a_new_beginning() {
        let mut restarts = Restarts::new(2);
        assert_eq!(waits(&mut restarts, 3).last(), Some(&Next::Enough));
        assert_eq!(restarts.after(Some(HEALTHY)), Next::Again(FIRST));
        assert_eq!(restarts.in_a_row(), 1);
    }

    #[test]
    fn one_that_never_worked_is_not_tried_again() {
        assert_eq!(Restarts::new(5).after(None), Next::NeverWorked);
        let mut restarts = Restarts::new(5);
        restarts.after(SOON);
        assert_eq!(restarts.after(None), Next::Again(FIRST * 2), "it did work once");
        assert_eq!(Restarts::new(0).after(SOON), Next::Enough);
    }
}
