//! The signals the console heeds. A stop from outside is among them only for the process that holds the terminal, which
//! leaves it first; its launcher stops at once, as any program does.

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
    /// The process is to stop.
    Stop,
}

/// Waits for signals; dropping it does not bring their default actions back.
pub(crate) struct Signals {
    streams: Option<[(Signalled, Signal); 4]>,
    stop: Option<Signal>,
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
            stop: None,
        })
    }

    /// The same, and a stop is heard too instead of stopping the process.
    pub(crate) fn listen_to_stops() -> io::Result<Self> {
        let stop = SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw());
        Ok(Self { stop: Some(signal(stop)?), ..Self::listen()? })
    }

    /// Hears nothing: where there is no terminal.
    pub(crate) fn none() -> Self {
        Self { streams: None, stop: None }
    }

    /// The next signal. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Signalled {
        let stop = &mut self.stop;
        let Some([(a, sa), (b, sb), (c, sc), (d, sd)]) = &mut self.streams else {
            return std::future::pending().await;
        };
        tokio::select! {
            biased;
            Some(()) = sa.recv() => *a,
            Some(()) = sb.recv() => *b,
            Some(()) = sc.recv() => *c,
            Some(()) = sd.recv() => *d,
            Some(()) = async { stop.as_mut()?.recv().await } => Signalled::Stop,
            else => std::future::pending().await,
        }
    }
}
