//! The signals the console heeds. Suspension is not among them: its key leaves the terminal first, and a stop from
//! outside is met when the process is continued.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What came from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signalled {
    /// End in an orderly way.
    Terminate,
    /// The same, as ctrl-c does.
    Interrupt,
    /// The terminal is gone.
    HangUp,
    /// The process was stopped and goes on.
    Continue,
}

/// Waits for signals; dropping it does not bring their default actions back.
pub(crate) struct Signals {
    streams: Option<[(Signalled, Signal); 4]>,
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn listen() -> io::Result<Self> {
        let on = |kind| signal(kind);
        let continued = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
        Ok(Self {
            streams: Some([
                (Signalled::HangUp, on(SignalKind::hangup())?),
                (Signalled::Terminate, on(SignalKind::terminate())?),
                (Signalled::Interrupt, on(SignalKind::interrupt())?),
                (Signalled::Continue, on(continued)?),
            ]),
        })
    }

    /// Hears nothing: for tests.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { streams: None }
    }

    /// The next signal. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Signalled {
        let Some([(a, sa), (b, sb), (c, sc), (d, sd)]) = &mut self.streams else {
            return std::future::pending().await;
        };
        tokio::select! {
            biased;
            Some(()) = sa.recv() => *a,
            Some(()) = sb.recv() => *b,
            Some(()) = sc.recv() => *c,
            Some(()) = sd.recv() => *d,
            else => std::future::pending().await,
        }
    }
}
