//! The console moved to another instant: the state, the texts and the screen of then.
//!
//! What the screen shows is made anew at each instant from what was true then and from what the user chose; so it does
//! not matter how one came there. Not here: reading ([`super::seek`]), when the next record is due ([`super::player`]).
//! Invariant: nothing the user did not do himself outlives a change of the instant.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::seek::{Instant, LOG};
use crate::domain::protocol::{AttemptId, GoalId, Micros, Outcome, Record};
use crate::domain::state::{GoalPhase, State, Step};
use crate::interface::tui::model::run::Drawn;
use crate::interface::tui::model::{Layer, Screen, Ui};
use crate::interface::tui::scene::Transcripts;
use crate::interface::tui::view::Caches;

/// Whether the user did something since his choices were last kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touched {
    No,
    Yes,
}

/// The console at another instant.
pub(crate) struct Moved {
    /// What was true.
    pub(crate) state: State,
    /// What had been said, of what is shown.
    pub(crate) transcripts: Transcripts,
    /// Rendered text.
    pub(crate) caches: Caches,
    /// The screen: made of the choices and the state.
    pub(crate) ui: Ui,
    /// The session time that is shown.
    pub(crate) at: Micros,
    /// Records after the state's, in order, without a gap.
    pub(crate) ahead: VecDeque<Arc<Record>>,
    /// Whether the last of them is the last there is, as far as was read.
    pub(crate) all_ahead: bool,
    /// What the user chose.
    chosen: Ui,
    /// The screen he chose; of the screens that are number 1 in turn, the one that fits the instant is shown.
    screen: Screen,
    touched: Touched,
    /// Attempts whose text was asked for at this instant.
    asked: BTreeSet<AttemptId>,
}

impl Moved {
    /// Moves away from `ui`, as it is now.
    pub(crate) fn new(ui: &Ui, there: Instant) -> Self {
        let mut chosen = ui.clone();
        chosen.leave_now();
        let screen = chosen.screen;
        let mut moved = Self {
            state: State::default(),
            transcripts: Transcripts::default(),
            caches: Caches::default(),
            ui: Ui::default(),
            at: Micros(0),
            ahead: VecDeque::new(),
            all_ahead: false,
            chosen,
            screen,
            touched: Touched::No,
            asked: BTreeSet::new(),
        };
        moved.ui = moved.chosen.clone();
        moved.go(there);
        moved
    }

    /// Goes to another instant.
    pub(crate) fn go(&mut self, there: Instant) {
        self.keep();
        let Instant { state, at, said, log } = there;
        self.transcripts = Transcripts::of_the_past(&log, LOG);
        self.transcripts.read_back(&state, said);
        self.caches = Caches::default();
        (self.state, self.at) = (state, at);
        self.ahead.clear();
        self.all_ahead = false;
        self.renew();
    }

    /// Applies the next record; none: it is not at hand.
    pub(crate) fn step(&mut self) -> Option<Arc<Record>> {
        self.keep();
        let record = self.ahead.pop_front()?;
        self.state.apply(&record);
        self.transcripts.apply(&record);
        self.at = self.at.max(record.at);
        Some(record)
    }

    /// The records after the last one at hand.
    pub(crate) fn extend(&mut self, after: u64, records: Vec<Arc<Record>>) {
        if after == self.ahead.back().map_or(self.state.seq, |r| r.seq) {
            self.all_ahead = records.is_empty();
            self.ahead.extend(records);
        }
    }

    /// The last record at hand.
    pub(crate) fn last_ahead(&self) -> u64 {
        self.ahead.back().map_or(self.state.seq, |r| r.seq)
    }

    /// The user does something now: what comes of it is his choice.
    pub(crate) fn touch(&mut self) {
        self.touched = Touched::Yes;
    }

    /// He did it: a screen he went to is his choice too.
    pub(crate) fn touched_from(&mut self, before: Screen) {
        if self.ui.screen != before {
            self.screen = self.ui.screen;
        }
    }

    /// A frame was drawn: what the user asked for has been done in it.
    pub(crate) fn drawn(&mut self, drawn: Drawn) {
        match self.touched {
            Touched::Yes => self.ui.run.drawn(drawn),
            Touched::No => self.ui.run.seen(drawn),
        }
        self.keep();
    }

    /// Keeps what the user chose, once a frame has shown what it comes to.
    pub(crate) fn keep(&mut self) {
        if self.touched == Touched::Yes {
            self.touched = Touched::No;
            self.chosen.clone_from(&self.ui);
            self.chosen.forget_what_was_seen();
        }
    }

    /// Makes the screen anew: after the instant changed.
    pub(crate) fn renew(&mut self) {
        let (notice, notices) = (self.ui.notice.take(), std::mem::take(&mut self.ui.notices));
        let seen = std::mem::replace(&mut self.ui, self.chosen.clone());
        self.ui.keep_worked_out(seen);
        (self.ui.notice, self.ui.notices) = (notice, notices);
        self.ui.screen = fitting(self.screen, &self.state);
        self.ui.settle_at(&self.state);
        self.asked.clear();
    }

    /// Attempts that are shown, have said something, and whose text was not read yet. They are asked for once.
    pub(crate) fn missing(&mut self) -> Vec<AttemptId> {
        let said = |a: &AttemptId| {
            let steps = self.state.attempt(*a).into_iter().flat_map(|a| &a.steps);
            steps.flat_map(Step::channels).any(|count| count.bytes > 0)
        };
        let missing: Vec<AttemptId> = shown(&self.ui, &self.state)
            .into_iter()
            .filter(|a| said(a) && self.transcripts.count(*a) == self.transcripts.gone(*a) && !self.asked.contains(a))
            .collect();
        self.asked.extend(&missing);
        missing
    }

    /// The text of attempts was read, as of `seq`.
    pub(crate) fn texts(&mut self, seq: u64, said: Vec<Arc<Record>>) {
        // Played on meanwhile, it would lack what came since; it is asked for again.
        if seq == self.state.seq {
            self.transcripts.read_back(&self.state, said);
            self.caches = Caches::default();
        } else {
            self.asked.clear();
        }
    }
}

/// The attempts whose text a screen shows.
pub(crate) fn shown(ui: &Ui, state: &State) -> Vec<AttemptId> {
    let mut all = Vec::new();
    let panes = ui.run.panes.list.iter().flatten().map(|p| p.task);
    let tasks = panes.chain(ui.run.selected()).chain(ui.run.zoom);
    all.extend(tasks.filter_map(|t| state.tasks().get(t.0 as usize)).filter_map(|t| t.attempts.last().copied()));
    for layer in &ui.layers {
        if let Layer::Inspector(inspector) = layer {
            all.extend(state.task_by_id(&inspector.task).map(|t| t.attempts.clone()).unwrap_or_default());
        }
    }
    if let Screen::Done(goal) = ui.screen {
        all.extend(crate::interface::tui::model::done::answer_of(state, goal));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// The screen that is shown at an instant, of the one that was chosen: the plan, the work and the answer take turns.
fn fitting(chosen: Screen, state: &State) -> Screen {
    let turns = matches!(chosen, Screen::Welcome | Screen::Review(_) | Screen::Done(_));
    if !turns {
        return chosen;
    }
    let goals = state.goals();
    let here = |id: GoalId| goals.iter().find(|g| g.id == id);
    let goal = match chosen {
        Screen::Review(id) | Screen::Done(id) => here(id),
        _ => goals.last(),
    };
    match goal.map(|g| (&g.phase, g.id)) {
        Some((GoalPhase::Draft, id)) => Screen::Review(id),
        Some((GoalPhase::Ended(Outcome::Done | Outcome::Failed), id)) => Screen::Done(id),
        _ => Screen::Run,
    }
}
