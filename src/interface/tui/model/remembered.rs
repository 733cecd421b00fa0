//! What the console keeps from one start to the next: how it looks, never what it works on.
//!
//! Pure: [`Ui::recall`] takes it in, [`Ui::remember`] gives it out. Not here: the file (`tui/remember`). Invariant: each part
//! stands for itself, so a part that is missing or not understood costs only itself. To keep one more thing: a field
//! here with its line in both functions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::run::areas::Grid;
use super::{Mouse, Ui};
use crate::domain::protocol::{SessionId, TaskId};
use crate::domain::state::State;

/// The sessions whose pins are kept.
const SESSIONS: usize = 20;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// The theme chosen last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
    /// Whether the mouse is Baton's, when it was switched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mouse: Option<bool>,
    /// The grid of outputs, in its word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<String>,
    /// Where borders were dragged to, by name, in thousandths.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub splits: BTreeMap<String, u16>,
    /// The pins of sessions, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pins>,
}

/// The tasks that were pinned in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// The session.
    pub session: SessionId,
    /// Its pinned tasks.
    pub tasks: Vec<TaskId>,
}

impl Remembered {
    /// The pins of a session.
    pub fn pins_of(&self, session: &SessionId) -> &[TaskId] {
        self.pins.iter().find(|p| p.session == *session).map_or(&[], |p| &p.tasks)
    }

    /// Sets the pins of a session, which is the latest from now on; others go after [`SESSIONS`].
    pub fn set_pins(&mut self, session: &SessionId, tasks: Vec<TaskId>) {
        if self.pins_of(session) == tasks {
            return;
        }
        self.pins.retain(|p| p.session != *session);
        if !tasks.is_empty() {
            self.pins.insert(0, Pins { session: session.clone(), tasks });
        }
        self.pins.truncate(SESSIONS);
    }
}

fn grid_of(word: &str) -> Option<Grid> {
    std::iter::successors(Some(Grid::Auto), |g| Some(g.next()).filter(|g| *g != Grid::Auto)).find(|g| g.word() == word)
}

impl Ui {
    /// Takes in what was kept. The theme is the loop's, and pins are taken in when their tasks are there.
    pub fn recall(&mut self, kept: &Remembered) {
        if let Some(grid) = kept.grid.as_deref().and_then(grid_of) {
            self.run.grid = grid;
        }
        self.run.splits.recall(&kept.splits);
    }

    /// Pins those of `waiting` whose tasks are there by now; the others go on waiting.
    pub fn recall_pins(&mut self, waiting: &mut Vec<TaskId>, state: &State) {
        waiting.retain(|id| match state.find(id) {
            Some(task) => {
                self.run.panes.pins.insert(task);
                false
            }
            None => true,
        });
    }

    /// Writes what is to be kept over what was kept before. `waiting` are pins that have no task yet.
    pub fn remember(&self, kept: &mut Remembered, waiting: &[TaskId], state: &State) {
        if self.run.grid != Grid::Auto || kept.grid.is_some() {
            kept.grid = Some(self.run.grid.word().to_owned());
        }
        kept.splits = self.run.splits.shares();
        if kept.mouse.is_some() {
            kept.mouse = Some(self.mouse == Mouse::Baton);
        }
        if let Some(session) = &state.session {
            let pinned = self.run.panes.pins.iter().map(|ix| state.task(*ix).id.clone());
            kept.set_pins(session, pinned.chain(waiting.iter().cloned()).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Name;

    fn task(name: &str) -> TaskId {
        format!("g1/{name}").parse().unwrap()
    }

    #[test]
    fn every_grid_comes_back() {
        let mut grid = Grid::Auto;
        for _ in 0..5 {
            assert_eq!(grid_of(grid.word()), Some(grid));
            grid = grid.next();
        }
        assert_eq!(grid_of("4x4"), None);
    }

    #[test]
    fn what_was_kept_comes_back_and_what_was_never_touched_is_not_kept() {
        let (mut ui, state) = (Ui::default(), State::default());
        let mut kept = Remembered::default();
        ui.remember(&mut kept, &[], &state);
        assert_eq!(kept, Remembered::default());
        ui.run.grid = Grid::Four;
        ui.run.splits.recall(&[("run.left".to_owned(), 450)].into());
        ui.remember(&mut kept, &[], &state);
        let mut again = Ui::default();
        again.recall(&kept);
        assert_eq!((again.run.grid, again.run.splits), (Grid::Four, ui.run.splits));
        again.run.grid = Grid::Auto;
        again.remember(&mut kept, &[], &state);
        assert_eq!(kept.grid.as_deref(), Some("auto"), "taken back is kept too");
    }

    #[test]
    fn pins_are_kept_for_the_last_sessions_only() {
        let mut kept = Remembered::default();
        let session = |i: usize| Name::new(&format!("s{i}")).unwrap();
        for i in 0..30 {
            kept.set_pins(&session(i), vec![task("one")]);
        }
        assert_eq!(kept.pins.len(), SESSIONS);
        assert_eq!(kept.pins_of(&session(29)), [task("one")]);
        assert!(kept.pins_of(&session(0)).is_empty());
        kept.set_pins(&session(15), vec![task("one"), task("two")]);
        assert_eq!(kept.pins[0].session, session(15), "the latest changed is the latest");
        kept.set_pins(&session(15), Vec::new());
        assert_eq!(kept.pins.len(), SESSIONS - 1);
    }

    #[test]
    fn a_pin_waits_for_its_task() {
        let (mut ui, state) = (Ui::default(), State::default());
        let mut waiting = vec![task("one")];
        ui.recall_pins(&mut waiting, &state);
        assert_eq!(waiting, [task("one")]);
        assert!(ui.run.panes.pins.is_empty());
    }
}
