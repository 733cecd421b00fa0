//! Progress: how much is done, and by phase.

use super::{End, Life, Pool, State, Status, TaskIx};
use crate::domain::plan::OnFailure;
use crate::domain::protocol::{GoalId, Micros, Work};

/// How the tasks of a goal (or of all goals) stand. Removed tasks do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// All tasks.
    pub total: u32,
    /// Ended with a result.
    pub done: u32,
    /// Ended without.
    pub failed: u32,
    /// Cancelled or skipped.
    pub dropped: u32,
    /// Running.
    pub running: u32,
    /// Not started, whatever the reason.
    pub waiting: u32,
}

impl Progress {
    /// Tasks that have ended.
    pub fn ended(&self) -> u32 {
        self.done + self.failed + self.dropped
    }

    /// Counts one task more.
    pub fn count(&mut self, life: Life) {
        self.total += 1;
        match life {
            Life::NotStarted => self.waiting += 1,
            Life::Running => self.running += 1,
            Life::Ended(End::Done) => self.done += 1,
            Life::Ended(End::Failed) => self.failed += 1,
            Life::Ended(End::Cancelled(_) | End::Skipped) => self.dropped += 1,
        }
    }
}

/// A phase of a goal: a label and the tasks under it, in plan order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The goal.
    pub goal: GoalId,
    /// The label; empty for tasks without one.
    pub name: String,
    /// Its tasks.
    pub tasks: Vec<TaskIx>,
    /// How they stand.
    pub progress: Progress,
}

impl State {
    /// How all tasks stand, or those of one goal.
    pub fn progress(&self, goal: Option<GoalId>) -> Progress {
        let mut progress = Progress::default();
        for task in self.tasks.iter().filter(|t| !t.removed && goal.is_none_or(|g| t.id.goal == g)) {
            progress.count(task.life);
        }
        progress
    }

    /// How some tasks stand.
    pub fn progress_of(&self, tasks: &[TaskIx]) -> Progress {
        let mut progress = Progress::default();
        for task in tasks.iter().map(|t| self.task(*t)).filter(|t| !t.removed) {
            progress.count(task.life);
        }
        progress
    }

    /// The phases of a goal in the order they first appear. Planning, synthesis and voice summary have phases of
    /// their own names when the plan gave none.
    pub fn phases(&self, goal: GoalId) -> Vec<Phase> {
        let mut phases: Vec<Phase> = Vec::new();
        let Some(g) = self.goal(goal) else { return phases };
        for ix in &g.tasks {
            let task = self.task(*ix);
            if task.removed {
                continue;
            }
            let name = task.spec.phase.as_deref().unwrap_or(match task.work {
                Work::Ordinary => "",
                Work::Planning => "plan",
                Work::Round | Work::Synthesis | Work::Voice => "answer",
            });
            let phase = match phases.iter().position(|p| p.name == name) {
                Some(i) => &mut phases[i],
                None => {
                    phases.push(Phase {
                        goal,
                        name: name.to_owned(),
                        tasks: Vec::new(),
                        progress: Progress::default(),
                    });
                    let last = phases.len() - 1;
                    &mut phases[last]
                }
            };
            phase.tasks.push(*ix);
            phase.progress.count(task.life);
        }
        phases
    }

    /// How many times faster than one at a time: the time of the work over the time since the first start.
    pub fn speed_up(&self, now: Micros) -> Option<f32> {
        let wall = self.wall(now)?.0;
        (wall > 0).then(|| self.one_at_a_time(now).0 as f32 / wall as f32)
    }

    /// What one at a time would have taken: the sum of attempt times, of each pool no more than the slots that it was seen
    /// to serve can have worked. What is beyond that waited in its server's queue.
    pub fn one_at_a_time(&self, now: Micros) -> Micros {
        let wall = self.wall(now).unwrap_or_default().0;
        let mut worked: Vec<u64> = self.pools.iter().map(|pool| pool.worked_us).collect();
        for (attempt, place) in self.running().filter_map(|a| Some((a, self.place_of(a)?))) {
            worked[place.pool.0 as usize] += attempt.worked(now).0;
        }
        let most = |pool: &Pool| pool.measured.map_or(u64::MAX, |slots| wall.saturating_mul(slots.into()));
        Micros(self.pools.iter().zip(worked).map(|(pool, worked)| worked.min(most(pool))).sum())
    }

    /// From the first start to the last end; to `now` while anything runs.
    fn wall(&self, now: Micros) -> Option<Micros> {
        let first = self.totals.first_start?;
        let end = if self.running.is_empty() {
            self.attempts
                .iter()
                .filter(|a| a.is_model())
                .filter_map(|a| a.ended.as_ref().map(|(at, _)| *at))
                .max()
                .unwrap_or(now)
        } else {
            now
        };
        Some(end.since(first))
    }

    /// How many slots there are and how many the fleet file claims, where those are more.
    pub fn slots_missing(&self) -> Option<(u32, u32)> {
        let (mut serves, mut claims) = (0, 0);
        for (ix, pool) in self.pools.iter().enumerate() {
            let members = || self.endpoints.iter().filter(|e| e.pool.0 as usize == ix);
            let claimed = members().map(|e| e.config.slots).max().unwrap_or(0);
            let told = members().filter_map(|e| e.reported_slots).filter(|n| *n > 0).min();
            serves += claimed.min(told.unwrap_or(u32::MAX)).min(pool.measured.unwrap_or(u32::MAX));
            claims += claimed;
        }
        (serves < claims).then_some((serves, claims))
    }

    /// The share of slot time used since the first start, 0..=1.
    pub fn utilisation(&self, now: Micros) -> Option<f32> {
        let first = self.totals.first_start?;
        let slots: u32 = self.pools.iter().map(|p| p.ceiling).sum();
        let running: u64 = self
            .running()
            .filter_map(|a| a.turn())
            .filter(|t| t.ended.is_none())
            .map(|t| now.since(t.started_at).0)
            .sum();
        let wall = now.since(first).0 * u64::from(slots);
        // A server that was found to have fewer slots than it claims was granted more time than it had.
        (wall > 0).then(|| ((self.totals.slot_us + running) as f32 / wall as f32).min(1.0))
    }

    /// Slots in use and in all, over pools with a usable endpoint.
    pub fn slots(&self) -> (u32, u32) {
        let mut seen = vec![false; self.pools.len()];
        let mut sum = (0, 0);
        for endpoint in self.endpoints.iter().filter(|e| e.is_usable()) {
            let i = endpoint.pool.0 as usize;
            if !std::mem::replace(&mut seen[i], true) {
                sum.0 += self.pools[i].busy();
                sum.1 += self.pools[i].ceiling;
            }
        }
        sum
    }

    /// Tokens a second of all endpoints together.
    pub fn token_rate(&self, now: Micros) -> f32 {
        self.endpoints.iter().map(|e| e.tokens.rate(now)).sum()
    }

    /// How many unfinished tasks need this one, directly or not.
    pub fn impact(&self, ix: TaskIx) -> u32 {
        let mut seen = vec![false; self.tasks.len()];
        let mut stack = vec![ix];
        let mut count = 0;
        while let Some(t) = stack.pop() {
            for f in &self.task(t).feeds {
                if !std::mem::replace(&mut seen[f.0 as usize], true) && !self.task(*f).removed {
                    count += u32::from(!self.task(*f).has_ended());
                    stack.push(*f);
                }
            }
        }
        count
    }

    /// How many tasks can't run, or were skipped, because this one ended without a result: those that need it, directly
    /// or not, and do not go on by being told.
    pub fn blocks(&self, ix: TaskIx) -> u32 {
        let mut seen = vec![false; self.tasks.len()];
        let mut stack = vec![ix];
        let mut count = 0;
        while let Some(t) = stack.pop() {
            for f in &self.task(t).feeds {
                let task = self.task(*f);
                let stopped = matches!(task.life, Life::NotStarted | Life::Ended(End::Skipped));
                if stopped
                    && !task.removed
                    && task.spec.on_dependency_failure == OnFailure::Stop
                    && !std::mem::replace(&mut seen[f.0 as usize], true)
                {
                    count += 1;
                    stack.push(*f);
                }
            }
        }
        count
    }

    /// A task's status in words' sense, at `now`.
    pub fn status(&self, ix: TaskIx, now: Micros) -> Status {
        Status::of(self, ix, now)
    }
}
