//! What comes from the terminal, read on a thread of its own.
//!
//! crossterm reads in a loop that a terminal which is gone never lets it out of (0.29: neither an end nor an error ends it).
//! Polled by the console's loop, its stream may read there, and then nobody hears that the terminal hung up. So only
//! this thread polls it; the loop parts, puts an empty pipe in the terminal's place, and the thread sleeps in that.
//!
//! Not here: what a key means. Invariant: the console's thread never reads the terminal while this is there.

use std::io;
use std::pin::Pin;
use std::sync::mpsc as plain;
use std::task::{Context, Poll};
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

/// Events on their way: a wheel turned fast sends some fifty between two frames. A full queue lets the terminal wait.
const WAITING: usize = 64;

/// How long dropping waits for the thread to let go of the terminal, so that an editor has it alone. It takes no
/// millisecond; one that is caught in a terminal that is gone never does.
const LETTING_GO: Duration = Duration::from_millis(100);

/// Keys, mouse, pastes and sizes, as they come. It ends with the terminal, or never.
pub struct Keyboard {
    events: mpsc::Receiver<io::Result<Event>>,
    /// Closed by the thread when it has let go.
    gone: plain::Receiver<()>,
}

impl Keyboard {
    /// Begins to read. A thread that can't be started is a terminal without input.
    pub(super) fn listen() -> Self {
        let (send, events) = mpsc::channel(WAITING);
        let (going, gone) = plain::channel();
        let thread = std::thread::Builder::new().name("keyboard".into()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().build() {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!(%error, "nobody reads the keyboard"),
            };
            runtime.block_on(read(&send));
            drop(going);
        });
        if let Err(error) = thread {
            tracing::error!(%error, "nobody reads the keyboard");
        }
        Self { events, gone }
    }
}

/// Hands events on until nobody takes them.
async fn read(send: &mpsc::Sender<io::Result<Event>>) {
    let mut stream = EventStream::new();
    loop {
        tokio::select! {
            biased;
            () = send.closed() => return,
            event = stream.next() => match event {
                Some(event) => if send.send(event).await.is_err() {
                    return;
                },
                None => return,
            },
        }
    }
}

impl Stream for Keyboard {
    type Item = io::Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_recv(context)
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.events.close();
        // Whatever comes of it: closed is what is waited for, and late is late.
        let _ = self.gone.recv_timeout(LETTING_GO);
    }
}
