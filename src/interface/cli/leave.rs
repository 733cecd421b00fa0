//! The end of a session whose disk takes nothing: told, and stayed for.
//!
//! Invariant: a session stays only as long as something waits in memory that its disk may yet take, and a signal ends
//! that.

use super::error::CliError;
use super::print::Printer;
use super::session::Ends;
use crate::engine::host::{Ended, Engine, Keeping, Unwritten};

/// The number of the signal that says that the terminal is gone.
const HANG_UP: u8 = 1;

/// Whether a process stays when its terminal goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HangUp {
    /// It ends with it.
    Ends,
    /// It goes on, as the session of a console does.
    Stays,
}

/// Sets a session down and waits until its journal is on disk, or a signal says not to wait.
///
/// # Errors
/// How the engine ended, if not well.
pub(crate) async fn set_down(
    engine: Engine,
    ends: &mut Ends,
    hang_up: HangUp,
    printer: &mut Printer,
) -> Result<Ended, CliError> {
    let mut keeping = engine.keeping();
    let given_up = async {
        tell(&*Keeping::leaves(&mut keeping).await, printer);
        while ends.next().await == HANG_UP && hang_up == HangUp::Stays {}
    };
    tokio::select! {
        () = engine.set_down() => {}
        () = given_up => {}
    }
    Ok(engine.end()?)
}

/// Says what waits, for what, and how that ends.
pub(crate) fn tell(unwritten: &Unwritten, printer: &mut Printer) {
    let what = unwritten.words();
    tracing::warn!(what, why = %unwritten.why, "the session has ended and waits for its disk");
    printer.words(&format!("waiting    {}", unwritten.why));
    printer.words(&format!("           it ends by itself once that is written: {what}; ctrl-c gives it up"));
}
