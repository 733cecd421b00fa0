//! How long things will take: from budgets, what agents' answers were like, and measured speeds.

use serde::{Deserialize, Serialize};

use super::{EndpointState, Life, State, Task, TaskIx};
use crate::domain::plan::TaskSpec;
use crate::domain::protocol::{AgentName, Micros, Route};

/// How long the answers of an agent were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentHistory {
    /// Answers seen.
    pub answers: u64,
    /// Mean tokens of an answer, thinking included.
    pub tokens: f32,
    /// The mean as of the last doubling of the answers seen: what the order of a queue goes by, so that it holds still.
    #[serde(default)]
    pub settled: f32,
}

impl AgentHistory {
    /// Learns an answer. True: so much is known now that the order of what waits is to be found anew.
    pub(super) fn learn(&mut self, tokens: u64) -> bool {
        self.answers += 1;
        self.tokens += (tokens as f32 - self.tokens) / self.answers as f32;
        let doubled = self.answers.is_power_of_two();
        if doubled {
            self.settled = self.tokens;
        }
        doubled
    }
}

/// Estimates for all tasks at one moment; computed whole, since paths depend on each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimates {
    /// Seconds of the task alone, by task index; 0 for tasks that have ended.
    pub own: Vec<f32>,
    /// Seconds of the longest chain that starts with the task, itself included.
    pub path: Vec<f32>,
}

impl Estimates {
    /// The longest remaining path of all tasks in seconds.
    pub fn longest(&self) -> f32 {
        self.path.iter().copied().fold(0.0, f32::max)
    }
}

impl State {
    /// Tokens a task will generate: its budget, else what its agent's answers were like, else half the agent's limit.
    pub fn expected_tokens(&self, task: &Task) -> f32 {
        self.tokens_of(&task.spec)
    }

    fn tokens_of(&self, form: &TaskSpec) -> f32 {
        self.tokens_by(form, |history| history.tokens)
    }

    fn tokens_by(&self, form: &TaskSpec, mean: impl Fn(&AgentHistory) -> f32) -> f32 {
        if let Some(tokens) = form.budget.tokens {
            return tokens as f32;
        }
        if let Some(history) = self.history.get(&form.agent).filter(|h| h.answers > 0) {
            return mean(history);
        }
        self.config.fleet.agent(&form.agent).map_or(1024.0, |a| a.max_tokens as f32 / 2.0)
    }

    /// Seconds a task of this form will take from its start, whether or not it is in a plan yet.
    pub fn seconds_of(&self, form: &TaskSpec) -> f32 {
        let (speed, first) = self.pace_for(&form.agent, Route::Primary);
        self.tokens_of(form) / speed + first
    }

    /// Seconds a task will take once it starts, on the fastest endpoint it may go to.
    pub fn expected_seconds(&self, task: &Task) -> f32 {
        self.seconds_at(task, self.pace_of(task))
    }

    /// Tokens a second and seconds to the first token on the fastest endpoint a task may go to.
    fn pace_of(&self, task: &Task) -> (f32, f32) {
        match self.placed(task).map(|ix| self.endpoint(ix)) {
            Some(e) => (e.speed(), e.first_token),
            None => self.pace_for(&task.spec.agent, task.route),
        }
    }

    fn pace_for(&self, agent: &AgentName, route: Route) -> (f32, f32) {
        self.best_pace(agent, route, |e| (e.speed(), e.first_token))
    }

    /// The pace of the fastest endpoint that serves an agent on a route.
    fn best_pace(&self, agent: &AgentName, route: Route, pace: impl Fn(&EndpointState) -> (f32, f32)) -> (f32, f32) {
        let tier = self.route_for(agent, route).map(|(tier, _)| tier);
        let best = self
            .endpoints
            .iter()
            .filter(|e| tier.is_some_and(|t| e.serves(t)))
            .map(pace)
            .fold((0.0f32, 0.0f32), |a, b| if b.0 > a.0 { b } else { a });
        if best.0 > 0.0 { best } else { (40.0, 0.0) }
    }

    fn seconds_at(&self, task: &Task, (speed, first): (f32, f32)) -> f32 {
        self.expected_tokens(task) / speed + first
    }

    /// The seconds a task still needs at `now`: what is left of its estimate while it runs, never less than a tenth.
    pub fn remaining_seconds(&self, ix: TaskIx, now: Micros) -> f32 {
        let task = self.task(ix);
        self.remaining_at(task, now, || self.pace_of(task))
    }

    fn remaining_at(&self, task: &Task, now: Micros, pace: impl FnOnce() -> (f32, f32)) -> f32 {
        match task.life {
            Life::Ended(_) => 0.0,
            Life::NotStarted => self.seconds_at(task, pace()),
            Life::Running => {
                let whole = self.seconds_at(task, pace());
                let since = self.last_attempt(task).map_or(0.0, |a| a.elapsed(now).secs_f64() as f32);
                (whole - since).max(whole * 0.1)
            }
        }
    }

    /// Estimates for all tasks.
    pub fn estimates(&self, now: Micros) -> Estimates {
        let n = self.tasks.len();
        let mut out = Estimates { own: vec![0.0; n], path: Vec::new() };
        // Tasks of one agent on one route go at the same pace; there are few agents and many tasks.
        let mut paces: Vec<(&AgentName, Route, (f32, f32))> = Vec::new();
        for i in 0..n {
            let task = &self.tasks[i];
            if !task.removed {
                out.own[i] = self.remaining_at(task, now, || {
                    if task.place.is_some() {
                        return self.pace_of(task);
                    }
                    let known =
                        paces.iter().find(|(agent, route, _)| **agent == task.spec.agent && *route == task.route);
                    known.map(|(_, _, pace)| *pace).unwrap_or_else(|| {
                        let pace = self.pace_of(task);
                        paces.push((&task.spec.agent, task.route, pace));
                        pace
                    })
                });
            }
        }
        out.path = self.chains(&out.own);
        out
    }

    /// The longest remaining path of each task in seconds, as the queue goes by it: by what was known when the answers seen
    /// last doubled. It changes with few records, so that the order of what waits holds still and is the same for all.
    pub fn paths(&self) -> Vec<f32> {
        let mut paces: Vec<(&AgentName, Route, (f32, f32))> = Vec::new();
        let mut own = vec![0.0; self.tasks.len()];
        for (own, task) in own.iter_mut().zip(&self.tasks).filter(|(_, task)| !task.removed && !task.has_ended()) {
            let form = &task.spec;
            let pace = match self.placed(task).map(|ix| self.endpoint(ix)) {
                Some(e) => e.settled_pace(),
                None => {
                    let known = paces.iter().find(|(agent, route, _)| **agent == form.agent && *route == task.route);
                    known.map(|(.., pace)| *pace).unwrap_or_else(|| {
                        let pace = self.best_pace(&form.agent, task.route, EndpointState::settled_pace);
                        paces.push((&form.agent, task.route, pace));
                        pace
                    })
                }
            };
            *own = self.tokens_by(form, |history| history.settled) / pace.0 + pace.1;
        }
        self.chains(&own)
    }

    /// The longest chain that starts with each task, itself included, where each takes as long as `own` says.
    fn chains(&self, own: &[f32]) -> Vec<f32> {
        let mut path = vec![0.0; own.len()];
        let mut open: Vec<u32> = self.tasks.iter().map(|task| task.feeds.len() as u32).collect();
        let ends = (0..own.len() as u32).filter(|i| open[*i as usize] == 0);
        let mut stack: Vec<u32> = ends.collect();
        // From the ends backwards: a task's path is known when those of all it feeds are.
        while let Some(i) = stack.pop() {
            let task = &self.tasks[i as usize];
            let after = task.feeds.iter().map(|f| path[f.0 as usize]).fold(0.0, f32::max);
            path[i as usize] = own[i as usize] + after;
            for need in &task.needs {
                open[need.0 as usize] -= 1;
                if open[need.0 as usize] == 0 {
                    stack.push(need.0);
                }
            }
        }
        path
    }

    /// What endpoints' speeds are now is what the order of the queue goes by until the answers seen double again.
    pub(super) fn settle_pace(&mut self) {
        for e in &mut self.endpoints {
            e.settled = Some((e.speed(), e.first_token));
        }
    }

    /// The critical path: the chain of unfinished tasks with the longest estimate, first to last.
    pub fn critical_path(&self, estimates: &Estimates) -> Vec<TaskIx> {
        let mut path: Vec<TaskIx> = Vec::new();
        let longest = |of: &mut dyn Iterator<Item = TaskIx>| -> Option<TaskIx> {
            of.filter(|t| !self.task(*t).has_ended() && !self.task(*t).removed)
                .max_by(|a, b| estimates.path[a.0 as usize].total_cmp(&estimates.path[b.0 as usize]).then(b.cmp(a)))
        };
        let starts = (0..self.tasks.len() as u32)
            .map(TaskIx)
            .filter(|t| self.task(*t).needs.iter().all(|n| self.task(*n).has_ended()));
        let mut next = longest(&mut starts.into_iter());
        while let Some(ix) = next {
            path.push(ix);
            next = longest(&mut self.task(ix).feeds.iter().copied());
        }
        path
    }

    /// Seconds until everything is done: the longer of the critical path and, for each pool, its work over its slots.
    pub fn expected_remaining(&self, estimates: &Estimates) -> f32 {
        let mut work = vec![0.0f32; self.endpoints.len()];
        for (i, task) in self.tasks.iter().enumerate() {
            if task.has_ended() || task.removed {
                continue;
            }
            let Some(tier) = self.tier_of(task) else { continue };
            let serving: Vec<usize> = (0..self.endpoints.len())
                .filter(|e| self.endpoints[*e].serves(tier) && self.endpoints[*e].is_usable())
                .collect();
            let slots: u32 = serving.iter().map(|e| self.pool(self.endpoints[*e].pool).ceiling).sum();
            for e in serving {
                let share = self.pool(self.endpoints[e].pool).ceiling as f32 / slots.max(1) as f32;
                work[e] += estimates.own[i] * share;
            }
        }
        let spread = work
            .iter()
            .enumerate()
            .map(|(e, w)| w / self.pool(self.endpoints[e].pool).ceiling.max(1) as f32)
            .fold(0.0, f32::max);
        spread.max(estimates.longest())
    }
}
