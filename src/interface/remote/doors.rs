//! How many connections are taken, by the door they came through.
//!
//! Not here: what a connection may ask (`guard`). Invariants: what comes over loopback never takes a place of the
//! socket's, which is the owner's; who has shown no key makes room for who comes after.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use tokio::sync::Notify;

use super::guard::Way;
use super::refusal::Refusal;

/// Connections over the socket at once: the consoles a session takes, and some for questions.
const MOST_OVER_SOCKET: usize = 64;

/// The same over loopback, once they have shown the key.
const MOST_WITH_KEY: usize = 48;

/// Over loopback before a key was shown. Half requests take no more than this; the one who comes next takes the place of
/// the one who has been there longest, so a request that is whole at once is answered under any flood.
const MOST_WITHOUT_KEY: usize = 16;

/// The places of a session's doors.
#[derive(Debug, Default)]
pub(super) struct Doors(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    socket: usize,
    with_key: usize,
    /// Oldest first, each with what cuts it.
    without_key: VecDeque<(u64, Arc<Notify>)>,
    next: u64,
}

/// A connection's place; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Taking {
    doors: Arc<Doors>,
    held: Mutex<Held>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Socket,
    WithKey,
    WithoutKey(u64),
}

impl Doors {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection that came, which `cut` ends.
    ///
    /// # Errors
    /// All places of the socket are taken.
    pub(super) fn take(self: &Arc<Self>, way: Way, cut: &Arc<Notify>) -> Result<Taking, Refusal> {
        let mut taken = self.taken();
        let held = match way {
            Way::Socket if taken.socket >= MOST_OVER_SOCKET => return Err(full(MOST_OVER_SOCKET)),
            Way::Socket => {
                taken.socket += 1;
                Held::Socket
            }
            Way::Tcp => {
                if taken.without_key.len() >= MOST_WITHOUT_KEY
                    && let Some((_, oldest)) = taken.without_key.pop_front()
                {
                    oldest.notify_one();
                }
                taken.next += 1;
                let id = taken.next;
                taken.without_key.push_back((id, Arc::clone(cut)));
                Held::WithoutKey(id)
            }
        };
        drop(taken);
        Ok(Taking { doors: Arc::clone(self), held: Mutex::new(held) })
    }
}

impl Taking {
    /// The connection has shown the key: it leaves the places of those who have not.
    ///
    /// # Errors
    /// All places of those with the key are taken.
    pub(super) fn has_key(&self) -> Result<(), Refusal> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held::WithoutKey(id) = *held else { return Ok(()) };
        let mut taken = self.doors.taken();
        if taken.with_key >= MOST_WITH_KEY {
            return Err(full(MOST_WITH_KEY));
        }
        taken.without_key.retain(|(other, _)| *other != id);
        taken.with_key += 1;
        *held = Held::WithKey;
        Ok(())
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let held = *self.held.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self.doors.taken();
        match held {
            Held::Socket => taken.socket -= 1,
            Held::WithKey => taken.with_key -= 1,
            Held::WithoutKey(id) => taken.without_key.retain(|(other, _)| *other != id),
        }
    }
}

fn full(most: usize) -> Refusal {
    let words = format!("{most} connections are open, and no more are taken; close one, or wait");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut() -> Arc<Notify> {
        Arc::default()
    }

    #[tokio::test]
    async fn who_shows_no_key_makes_room_and_never_takes_a_place_of_the_sockets() {
        let doors = Arc::new(Doors::default());
        let first = cut();
        let mut half: Vec<Taking> = vec![doors.take(Way::Tcp, &first).unwrap()];
        half.extend((0..1_000).map(|_| doors.take(Way::Tcp, &cut()).unwrap()));
        first.notified().await;
        assert_eq!(doors.taken().without_key.len(), MOST_WITHOUT_KEY);
        let owners: Vec<Taking> = (0..MOST_OVER_SOCKET).map(|_| doors.take(Way::Socket, &cut()).unwrap()).collect();
        assert!(doors.take(Way::Socket, &cut()).is_err());
        drop(owners);
        drop(half);
        let taken = doors.taken();
        assert_eq!((taken.socket, taken.with_key, taken.without_key.len()), (0, 0, 0));
    }

    #[test]
    fn who_has_shown_the_key_stays_whoever_comes() {
        let doors = Arc::new(Doors::default());
        let owner = cut();
        let taking = doors.take(Way::Tcp, &owner).unwrap();
        taking.has_key().unwrap();
        taking.has_key().unwrap();
        let flood: Vec<Taking> = (0..100).map(|_| doors.take(Way::Tcp, &cut()).unwrap()).collect();
        assert_eq!(doors.taken().with_key, 1);
        let cut_owner = std::pin::pin!(owner.notified());
        assert!(futures_util::FutureExt::now_or_never(cut_owner).is_none());
        drop(flood);
        drop(taking);
        assert_eq!(doors.taken().with_key, 0);
    }
}
