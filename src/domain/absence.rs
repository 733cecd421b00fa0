//! What happened while nobody looked: a session's records from an instant on, folded into a few figures.
//!
//! Pure. Not here: the words (`interface/report/since`), what is true now ([`State`]). Invariants: what is told follows from
//! the records alone; a time in which the machine slept, or no process had the session, is told as that and is no time in
//! which the session stood still.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::protocol::{EndpointName, Event, Health, Micros, Record, Subject, TaskId, Work};
use crate::domain::state::{GoalPhase, State};
use crate::domain::text::CleanText;

/// A shorter time without work is between two tasks, and nobody's business.
const STILL: Micros = Micros::from_secs(60);

/// How a task ended meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// With a result.
    Done,
    /// Without, for this reason.
    Failed(CleanText),
    /// It was passed over, or stopped.
    Dropped,
}

/// A time by the wall clock, in milliseconds since 1970; open when it lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WallSpan {
    /// Its begin.
    pub from_ms: u64,
    /// Its end; none: it lasts.
    pub to_ms: Option<u64>,
}

/// Something that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Since when, by the wall clock.
    pub since_ms: u64,
    /// What is wanted.
    pub text: CleanText,
    /// What it is about, for who can act on it.
    #[serde(skip)]
    pub subject: Subject,
}

/// What happened since an instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Absence {
    /// The instant in session time.
    pub from: Micros,
    /// The same by the wall clock, in milliseconds since 1970.
    pub from_ms: u64,
    /// The end of what is told, by the wall clock.
    pub to_ms: u64,
    /// Ordinary tasks that ended, as they stand now.
    pub ended: BTreeMap<TaskId, Finish>,
    /// Servers that went down.
    pub down: Vec<(EndpointName, WallSpan)>,
    /// When the machine slept.
    pub slept: Vec<WallSpan>,
    /// When no process had the session.
    pub away: Vec<WallSpan>,
    /// When nothing was worked on though there was work.
    pub still: Vec<WallSpan>,
    /// Since when it is paused, if it is.
    pub paused_ms: Option<u64>,
    /// What waits for a person now, the oldest first.
    pub waiting: Vec<Waiting>,
    /// Tokens generated.
    pub tokens: u64,
    /// Slot time used, in microseconds.
    pub slot_us: u64,
    /// What it cost in US dollars, where a price is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// The fold.
#[derive(Clone, Debug)]
pub struct AbsenceFold {
    told: Absence,
    before: (u64, u64),
    cost: Option<f64>,
    up: BTreeMap<EndpointName, Micros>,
    /// Since when nothing is worked on though there is work.
    idle: Option<Micros>,
    last: Micros,
}

/// A session time by the wall clock; the begin of 1970 where no process said when it began.
fn wall(state: &State, at: Micros) -> u64 {
    state.wall_ms(at).unwrap_or_default()
}

/// Whether there is work and nobody does it.
fn is_idle(state: &State) -> bool {
    let open = state.goals().iter().any(|g| !matches!(g.phase, GoalPhase::Ended(_)));
    open && state.ended.is_none() && !state.running().any(|a| state.task(a.task).asking.is_none())
}

impl Absence {
    /// Whether there is anything that somebody who comes back should know.
    pub fn is_worth_telling(&self) -> bool {
        let times = [&self.slept, &self.away, &self.still];
        !self.ended.is_empty()
            || !self.waiting.is_empty()
            || !self.down.is_empty()
            || times.iter().any(|spans| !spans.is_empty())
    }
}

impl AbsenceFold {
    /// When it began, in session time.
    pub fn began(&self) -> Micros {
        self.told.from
    }

    /// When it began, by the wall clock in milliseconds since 1970.
    pub fn began_ms(&self) -> u64 {
        self.told.from_ms
    }

    /// Begins at what is true at the last record.
    pub fn begin(state: &State) -> Self {
        Self::begin_at(state, state.at)
    }

    /// Begins at what is true at an instant, no later than which nothing was recorded.
    pub fn begin_at(state: &State, from: Micros) -> Self {
        let up = |e: &&crate::domain::state::EndpointState| matches!(e.health, Health::Up | Health::Loading);
        Self {
            told: Absence { from, from_ms: wall(state, from), ..Absence::default() },
            before: (state.totals.output_tokens, state.totals.slot_us),
            cost: state.cost(None),
            up: state.endpoints().iter().filter(up).map(|e| (e.config.name.clone(), from)).collect(),
            idle: is_idle(state).then_some(from),
            last: from,
        }
    }

    /// Takes a record that `state` has taken in.
    pub fn take(&mut self, state: &State, record: &Record) {
        let at = record.at;
        match &record.event {
            Event::TaskCompleted { task, .. } => self.ends(state, task, Finish::Done),
            Event::TaskFailed { task, reason } => self.ends(state, task, Finish::Failed(reason.clone())),
            Event::TaskSkipped { task, .. } | Event::TaskCancelled { task, .. } => {
                self.ends(state, task, Finish::Dropped);
            }
            // It runs again.
            Event::TaskRetried(retried) => {
                self.told.ended.remove(&retried.task);
            }
            Event::EndpointChanged(changed) => self.health(state, at, &changed.endpoint, &changed.health),
            Event::SessionPaused {} => self.told.paused_ms = Some(wall(state, at)),
            Event::SessionResumed {} => self.told.paused_ms = None,
            Event::SessionSlept(slept) => self
                .told
                .slept
                .push(WallSpan { from_ms: slept.wall_ms.saturating_sub(slept.slept_ms), to_ms: Some(slept.wall_ms) }),
            // Its first one began the session.
            Event::SessionOpened(opened) if state.lives.len() > 1 => {
                let before = &state.lives[state.lives.len() - 2];
                let left = state.wall_of(before, self.last);
                self.told.away.push(WallSpan { from_ms: left, to_ms: Some(opened.wall_ms) });
                self.stands(state, self.last, Some(left));
            }
            _ => {}
        }
        match (is_idle(state), self.idle) {
            (true, None) => self.idle = Some(at),
            (false, Some(_)) => self.stands(state, at, None),
            _ => {}
        }
        self.last = at;
    }

    fn ends(&mut self, state: &State, task: &TaskId, finish: Finish) {
        if state.task_by_id(task).is_some_and(|t| t.work == Work::Ordinary) {
            self.told.ended.insert(task.clone(), finish);
        }
    }

    fn health(&mut self, state: &State, at: Micros, endpoint: &EndpointName, health: &Health) {
        match health {
            Health::Up | Health::Loading => {
                self.up.insert(endpoint.clone(), at);
                let open = self.told.down.iter_mut().rev().find(|(e, span)| e == endpoint && span.to_ms.is_none());
                if let Some((_, span)) = open {
                    span.to_ms = Some(wall(state, at));
                }
            }
            Health::Down { .. } if self.up.remove(endpoint).is_some() => {
                let span = WallSpan { from_ms: wall(state, at), to_ms: None };
                self.told.down.push((endpoint.clone(), span));
            }
            Health::Down { .. } | Health::Unknown => {}
        }
    }

    /// The time without work is over, at `until` by the wall clock where that is not the session's.
    fn stands(&mut self, state: &State, at: Micros, until: Option<u64>) {
        if let Some(since) = self.idle.take().filter(|since| at.since(*since) >= STILL) {
            let until = until.unwrap_or_else(|| wall(state, at));
            self.told.still.push(WallSpan { from_ms: wall(state, since), to_ms: Some(until) });
        }
    }

    /// What is to be told at `now`.
    pub fn finish(mut self, state: &State, now: Micros) -> Absence {
        if let Some(since) = self.idle.filter(|since| now.since(*since) >= STILL) {
            self.told.still.push(WallSpan { from_ms: wall(state, since), to_ms: None });
        }
        let mut waiting: Vec<Waiting> = state
            .attention
            .iter()
            .filter(|(subject, _)| subject.wants_a_word())
            .map(|(subject, raised)| Waiting {
                since_ms: wall(state, raised.since),
                text: raised.text.clone(),
                subject: subject.clone(),
            })
            .collect();
        waiting.sort_by_key(|w| w.since_ms);
        Absence {
            to_ms: wall(state, now),
            waiting,
            tokens: state.totals.output_tokens.saturating_sub(self.before.0),
            slot_us: state.totals.slot_us.saturating_sub(self.before.1),
            cost_usd: state.cost(None).map(|usd| (usd - self.cost.unwrap_or(0.0)).max(0.0)),
            ..self.told
        }
    }
}
