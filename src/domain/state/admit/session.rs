//! What the session says: it is paused, or has ended.

use super::Why;
use crate::domain::protocol::Micros;
use crate::domain::state::{Gear, State, TaskIx};

/// The session starts anything at all.
pub(super) fn is_open(state: &State, _: TaskIx, _: Micros) -> Result<(), Why> {
    match state.gear {
        _ if state.ended.is_some() => Err(Why::Ended),
        Gear::Paused => Err(Why::Paused),
        Gear::Running => Ok(()),
    }
}
