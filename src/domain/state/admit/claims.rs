//! Locks and paths: what a task claims is free, and not kept for one that waited longer.
//!
//! Invariant: all that a task claims is its own from its start to its end, or none of it.

use super::{Why, eligible_but_for_claims};
use crate::domain::protocol::Micros;
use crate::domain::state::claims::{Lack, Lacked};
use crate::domain::state::{Life, State, TaskIx};

/// All that it claims is free.
pub(super) fn are_free(state: &State, ix: TaskIx, _: Micros) -> Result<(), Why> {
    match state.lack_of(ix) {
        Some(Lack { by, since, what, reserved }) => {
            let (task, title) = (state.task(by).id.clone(), state.task(by).title.clone());
            Err(match (what, reserved) {
                (what, true) => Why::Reserved { what: what.to_string(), task, title },
                (Lacked::Lock(lock), false) => Why::Lock { lock, task, title, since },
                (Lacked::Path(path), false) => Why::Path { path, task, title, since },
            })
        }
        None => Ok(()),
    }
}

impl State {
    /// What a task that waits lacks of what it claims; none: all of it is free.
    pub fn lack_of(&self, ix: TaskIx) -> Option<Lack> {
        let form = &self.task(ix).spec;
        self.lacks(ix, &form.locks, &form.owns)
    }

    /// Whether a task could use what is kept for it: nothing but a claim keeps it from starting. Behind one that lacks a slot
    /// as well nothing idles.
    pub(crate) fn can_use(&self, ix: TaskIx) -> bool {
        self.task(ix).life == Life::NotStarted
            && eligible_but_for_claims(self, ix, self.at).is_ok()
            && self.place(ix, self.at).is_ok()
    }
}

impl std::fmt::Display for Lacked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lock(lock) => write!(f, "the lock {lock}"),
            Self::Path(path) => f.write_str(path),
        }
    }
}
