//! The figures of a session as a whole: time, tokens, width, and how far from the best the time was.
//!
//! Not here: tables by phase, agent or endpoint ([`super::lines`]). Invariant: a session in which nothing ran has
//! figures too, all zero.

use serde::Serialize;

use crate::domain::graph::{Dag, NodeIx};
use crate::domain::protocol::{AttemptEnd, Micros, Work};
use crate::domain::state::{State, dollars};

/// The figures of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// From the first attempt's start to the last one's end.
    pub seconds: f64,
    /// The sum of attempt times: what one at a time would have taken.
    pub sequential_seconds: f64,
    /// How many times faster that was.
    pub speed_up: f64,
    /// The most attempts at once.
    pub widest: u32,
    /// The share of slot time used, 0..=1.
    pub utilisation: f64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// US dollars, where a price is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// How many slots there are and how many were claimed, where those are more.
    #[serde(skip)]
    pub slots: Option<(u32, u32)>,
}

/// How a speed-up is said: its figure, and whether that is faster or slower; none where nothing ran.
pub fn pace_words(times: f64) -> Option<(String, &'static str)> {
    match times {
        times if times <= 0.0 => None,
        // What is printed has one decimal.
        times if times < 0.95 => Some((format!("{:.1}", 1.0 / times), "slower")),
        times => Some((format!("{times:.1}"), "faster")),
    }
}

impl Metrics {
    /// Of the whole session, at its last attempt's end.
    pub fn of(state: &State) -> Self {
        let end = last_end(state);
        let first = state.totals.first_start.unwrap_or(end);
        Self {
            seconds: rounded(end.since(first).secs_f64()),
            sequential_seconds: rounded(state.one_at_a_time(end).secs_f64()),
            speed_up: rounded(f64::from(state.speed_up(end).unwrap_or(0.0))),
            widest: state.totals.widest,
            utilisation: rounded(f64::from(state.utilisation(end).unwrap_or(0.0))),
            output_tokens: state.totals.output_tokens,
            cost_usd: state.cost(None).map(micro_dollars),
            slots: state.slots_missing(),
        }
    }

    /// One line for people.
    pub fn words(&self) -> String {
        // Attempts that brought nothing were no work.
        // One task at a time is no slower for having waited.
        let compared = |(_, how): &(String, &str)| self.output_tokens > 0 && (self.widest > 1 || *how == "faster");
        let pace = pace_words(self.speed_up).filter(compared);
        let pace = pace.map_or_else(String::new, |(times, how)| format!(" · ×{times} {how} than one at a time"));
        let slots = match self.slots {
            Some((serves, claims)) => format!("the {serves} slots that there are ({claims} were claimed)"),
            None => "slots".to_owned(),
        };
        let cost = self.cost_usd.map_or_else(String::new, |usd| format!(" · {}", dollars(usd)));
        format!(
            "{:.1} s{pace} · {} wide · {:.0} % of {slots} used · {} tokens{cost}",
            self.seconds,
            self.widest,
            self.utilisation * 100.0,
            self.output_tokens
        )
    }
}

/// The last attempt's end; while one runs, and when there is none, the last record.
pub(super) fn last_end(state: &State) -> Micros {
    if state.running().len() > 0 {
        return state.at;
    }
    state.attempts().iter().filter_map(|a| a.ended.as_ref().map(|(at, _)| *at)).max().unwrap_or(state.at)
}

/// Milliseconds say enough.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Millionths of a dollar say enough: a token costs about so much.
pub(crate) fn micro_dollars(usd: f64) -> f64 {
    (usd * 1e6).round() / 1e6
}

/// How soon the work could have been over at best, by the times that were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bound {
    /// The longest chain of tasks that need each other.
    pub critical_path_seconds: f64,
    /// The fullest pool's slot time over its slots, by where the attempts ran.
    pub slot_seconds: f64,
    /// The larger of the two: nothing could have been faster.
    pub seconds: f64,
}

impl Bound {
    fn of(state: &State) -> Self {
        let tasks = state.tasks();
        let took = |i: usize| -> u64 {
            let attempts = tasks[i].attempts.iter().filter_map(|id| state.attempt(*id));
            attempts.filter(|a| a.is_model()).map(|a| a.worked(state.at).0).sum()
        };
        // What a model planned could not begin before the plan.
        let plan_of = |goal| tasks.iter().position(|t| t.id.goal == goal && t.work == Work::Planning);
        let needs: Vec<Vec<NodeIx>> = tasks
            .iter()
            .map(|t| {
                let planned = plan_of(t.id.goal).filter(|_| t.work != Work::Planning);
                t.needs.iter().map(|n| NodeIx(n.0)).chain(planned.map(|p| NodeIx(p as u32))).collect()
            })
            .collect();
        let dag = Dag::new(needs);
        let mut until = vec![0_u64; tasks.len()];
        for node in dag.order() {
            let i = node.0 as usize;
            let before = dag.needs(*node).iter().map(|n| until[n.0 as usize]).max().unwrap_or(0);
            until[i] = before + if tasks[i].removed { 0 } else { took(i) };
        }
        let mut busy = vec![0_u64; state.pools().len()];
        for (attempt, endpoint) in state.by_models() {
            let pool = state.endpoint(endpoint).pool;
            busy[pool.0 as usize] += attempt.worked(state.at).0;
        }
        let slots = busy.iter().zip(state.pools()).map(|(us, pool)| us / u64::from(pool.ceiling.max(1)));
        let (path, slots) = (until.into_iter().max().unwrap_or(0), slots.max().unwrap_or(0));
        let seconds = |us: u64| rounded(Micros(us).secs_f64());
        Self { critical_path_seconds: seconds(path), slot_seconds: seconds(slots), seconds: seconds(path.max(slots)) }
    }
}

/// The figures of all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Overall {
    /// Those that a run prints too.
    #[serde(flatten)]
    pub work: Metrics,
    /// From the first record to the last, without the time in which no process had the session.
    pub open_seconds: f64,
    /// Tasks, removed ones aside.
    pub tasks: u32,
    /// Of them done.
    pub done: u32,
    /// Of them failed.
    pub failed: u32,
    /// Of them cancelled or skipped.
    pub dropped: u32,
    /// Attempts of models.
    pub attempts: u32,
    /// Of the attempts that ended well or failed, the share that ended well; none when none has.
    pub success_rate: Option<f64>,
    /// Prompt tokens read, as servers told.
    pub prompt_tokens: u64,
    /// Tokens generated a second, over the time in which anything ran.
    pub tokens_per_second: f64,
    /// Tasks done an hour, over the same time.
    pub tasks_per_hour: f64,
    /// The share of the sequential estimate that was saved, 0..=1.
    pub saved: f64,
    /// The best there could have been.
    pub bound: Bound,
    /// The time over the best there could have been; none when nothing ran.
    pub times_bound: Option<f64>,
}

impl Overall {
    /// Of a session at its last record.
    pub(super) fn of(state: &State) -> Self {
        let work = Metrics::of(state);
        let progress = state.progress(None);
        let attempts = || state.by_models().map(|(attempt, _)| attempt);
        let began = state.lives.first().map_or(Micros(0), |(at, _)| *at);
        let over = |value: f64, by: f64| if by > 0.0 { rounded(value / by) } else { 0.0 };
        let bound = Bound::of(state);
        Self {
            open_seconds: rounded(state.at.since(began).secs_f64()),
            tasks: progress.total,
            done: progress.done,
            failed: progress.failed,
            dropped: progress.dropped,
            attempts: attempts().count() as u32,
            success_rate: success_rate(attempts().filter_map(|a| a.ended.as_ref().map(|(_, end)| end))),
            prompt_tokens: state.totals.prompt_tokens,
            tokens_per_second: over(work.output_tokens as f64, work.seconds),
            tasks_per_hour: over(f64::from(progress.done) * 3600.0, work.seconds),
            saved: if work.sequential_seconds > 0.0 {
                rounded((1.0 - work.seconds / work.sequential_seconds).max(0.0))
            } else {
                0.0
            },
            bound,
            times_bound: (bound.seconds > 0.0).then(|| rounded(work.seconds / bound.seconds)),
            work,
        }
    }
}

/// Of attempts that ended well or failed, the share that ended well: others say nothing of the work.
pub(super) fn success_rate<'a>(ends: impl Iterator<Item = &'a AttemptEnd>) -> Option<f64> {
    let (mut well, mut badly) = (0_u32, 0_u32);
    for end in ends {
        match end {
            AttemptEnd::Completed => well += 1,
            AttemptEnd::Failed(_) => badly += 1,
            AttemptEnd::Cancelled | AttemptEnd::Moved | AttemptEnd::Interrupted => {}
        }
    }
    (well + badly > 0).then(|| rounded(f64::from(well) / f64::from(well + badly)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_faster_or_slower_and_slots_are_those_that_there_are() {
        let told = |times| pace_words(times).map(|(times, how)| format!("{times} {how}"));
        assert_eq!(
            [0.0, 0.8, 1.0, 5.7].map(told),
            [None, Some("1.2 slower".to_owned()), Some("1.0 faster".to_owned()), Some("5.7 faster".to_owned())]
        );
        let slower = Metrics {
            speed_up: 0.5,
            widest: 8,
            utilisation: 1.0,
            output_tokens: 9,
            slots: Some((4, 8)),
            ..Metrics::default()
        };
        let says = "0.0 s · ×2.0 slower than one at a time · 8 wide · 100 % of the 4 slots that there are (8 were claimed) used · 9 tokens";
        assert_eq!(slower.words(), says);
        assert!(!Metrics::default().words().contains('×'));
    }
}
