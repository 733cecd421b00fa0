//! What work cost, where its endpoint has a price.
//!
//! Not here: limits on it. Invariant: a figure is there only where a price is; work without one adds nothing and is not
//! passed off as free.

use super::{Attempt, State, Task, Turn};
use crate::domain::fleet::Price;
use crate::domain::protocol::GoalId;

impl Price {
    /// US dollars for so many tokens; `cached` are those of `prompt` that the server had read before.
    pub fn of(&self, prompt: u64, cached: u64, output: u64) -> f64 {
        let cached = cached.min(prompt);
        let read = (prompt - cached) as f64 * self.input + cached as f64 * self.cached.unwrap_or(self.input);
        (read + output as f64 * self.output) / 1e6
    }
}

impl State {
    /// What an attempt has cost so far, in US dollars; none where its endpoint has no price, or a person wrote its text.
    pub fn cost_of(&self, attempt: &Attempt) -> Option<f64> {
        let price = self.place_of(attempt)?.config.price?;
        let turn = |turn: &Turn| price.of(turn.prompt_tokens(), turn.usage.cached_tokens, turn.output_tokens());
        Some(attempt.turns().map(turn).sum())
    }

    /// What the attempts of a task have cost.
    pub fn cost_of_task(&self, task: &Task) -> Option<f64> {
        sum(task.attempts.iter().filter_map(|id| self.attempt(*id)).map(|a| self.cost_of(a)))
    }

    /// What all attempts have cost, or those of one goal.
    pub fn cost(&self, goal: Option<GoalId>) -> Option<f64> {
        if self.endpoints().iter().all(|e| e.config.price.is_none()) {
            return None; // the usual case, without a look at every attempt
        }
        let of_goal = |a: &&Attempt| goal.is_none_or(|goal| self.task(a.task).id.goal == goal);
        sum(self.attempts().iter().filter(of_goal).map(|a| self.cost_of(a)))
    }
}

/// The sum of those that are there; none where none is.
fn sum(costs: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    costs.flatten().fold(None, |sum, cost| Some(sum.unwrap_or(0.0) + cost))
}

/// Money for people: cents from a dollar on, and as many places more as a small sum needs to be seen.
pub fn dollars(usd: f64) -> String {
    match usd {
        usd if usd <= 0.0 => "0 $".to_owned(),
        usd if usd < 0.0001 => "< 0.0001 $".to_owned(),
        usd if usd < 1.0 => format!("{usd:.4} $"),
        usd => format!("{usd:.2} $"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_counts_what_was_read_what_was_kept_and_what_was_said() {
        let price = Price { input: 3.0, output: 15.0, cached: Some(0.3) };
        assert!((price.of(1_000_000, 400_000, 100_000) - (1.8 + 0.12 + 1.5)).abs() < 1e-9);
        let plain = Price { cached: None, ..price };
        assert!((plain.of(1_000_000, 400_000, 0) - 3.0).abs() < 1e-9, "what is kept costs as what is read");
        assert!((price.of(10, 400, 0) - 0.000003).abs() < 1e-12, "a server that tells more kept than read");
    }

    #[test]
    fn small_sums_are_seen() {
        assert_eq!([0.0, 0.00001, 0.0123, 3.1].map(dollars), ["0 $", "< 0.0001 $", "0.0123 $", "3.10 $"]);
    }
}
