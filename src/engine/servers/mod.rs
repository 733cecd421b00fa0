//! Model servers under control: started, watched, started again, stopped, and found again by the next Baton.
//!
//! | where | what |
//! | --- | --- |
//! | [`Servers`] | starts, finds and stops servers; dropping it ends those of its session |
//! | [`Room`] | the same for sessions: a thread that does what they ask, and tells them what changes |
//! | [`Server`], [`ServerState`], [`Why`] | how one stands, as data |
//! | [`supervise`] | the small process around each server: logs, restarts, the end of its whole process group |
//! | `seat` | the private folder of a port: record, lock, log |
//! | [`OwnProgram`] | the file this process runs, whatever became of its path: supervisors are started from it |
//! | [`LogReader`] | what a server said, also as it says it |
//!
//! Not here: which servers are wanted (the operator says), whether their models fit into memory, how they are used
//! (`providers`). Invariants: one supervisor a port, by a lock it holds as long as it lives; a signal goes only to a
//! process known by its id *and* its birth; a server of a session has no Baton to outlive; what Baton did not start is
//! not stopped unless it is forced.

mod control;
mod error;
mod log;
mod own;
mod port;
mod process;
mod restart;
mod room;
mod running;
mod seat;
mod state;
mod supervisor;

pub use control::{Force, Options, Servers};
pub use error::ServersError;
pub use log::LogReader;
pub use own::OwnProgram;
pub use port::Listener;
pub use process::Identity;
pub use room::Room;
pub use state::{Holder, Server, ServerState, Why};
pub use supervisor::supervise;
