//! What a session has done with the servers of its endpoints, through the process's room for servers, and how it hears how
//! they stand.
//!
//! Not here: how a server is started and watched (`engine/servers`); that an order waits for the disk, and those that were
//! decided first are given first (`jobs`). Invariant: the loop waits for neither.

use tokio::sync::mpsc;

use super::jobs::{Say, Unfinished, Worker};
use crate::domain::fleet::Endpoint;
use crate::domain::orchestrator::{JobEnd, News};
use crate::domain::protocol::{ServerChanged, ServerVerb};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::engine::servers::Room;

/// News of servers that the loop has not taken: it takes them as they come, and the room keeps what it can't tell.
const BACKLOG: usize = 16;

/// Hears, from now on, how the servers of the session's endpoints stand: first of those that stand otherwise than the
/// journal says. Without a room nothing is heard.
pub(super) fn watch(room: Option<&Room>, state: &State) -> mpsc::Receiver<ServerChanged> {
    let (tell, told) = mpsc::channel(BACKLOG);
    if let Some(room) = room.cloned() {
        let (endpoints, known) = (state.config.fleet.endpoints.clone(), state.servers.clone());
        tokio::spawn(async move {
            let mut news = room.watch(endpoints, known).await;
            // Not held on to: the room ends with those that give orders.
            drop(room);
            while let Some(changed) = news.recv().await {
                if tell.send(changed).await.is_err() {
                    return;
                }
            }
        });
    }
    told
}

/// An order to the room.
pub(super) struct ServerOrder {
    /// None: this process has none.
    pub(super) room: Option<Room>,
    pub(super) endpoint: Endpoint,
    pub(super) verb: ServerVerb,
}

impl Worker for ServerOrder {
    async fn run(&mut self, _: &Say) -> News {
        let Some(room) = &self.room else {
            return nothing_done("this process starts and stops no servers; `baton fleet` does");
        };
        if room.order(self.endpoint.clone(), self.verb).await {
            JobEnd::Server(Ok(())).into()
        } else {
            nothing_done("what starts and stops servers broke off; the log says where")
        }
    }

    async fn unfinished(&mut self, _: &Say, why: Unfinished) -> News {
        nothing_done(&why.words("giving the order"))
    }
}

fn nothing_done(why: &str) -> News {
    JobEnd::Server(Err(CleanText::one_line(&format!("nothing was done with it: {why}")))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::host::jobs::tests::{Breaks, end_of, endpoint, heard_of};

    #[tokio::test]
    async fn an_order_that_breaks_off_or_finds_no_room_was_not_given() {
        let order = || ServerOrder { room: None, endpoint: endpoint("http://127.0.0.1:1"), verb: ServerVerb::Start };
        let words = [
            (heard_of(None, order(), |_| {}).await, "this process starts and stops no servers"),
            (heard_of(None, Breaks(order()), |_| {}).await, "Baton broke off while giving the order"),
        ];
        for (news, words) in words {
            let JobEnd::Server(Err(why)) = end_of(news) else { panic!("it was given") };
            assert!(why.starts_with("nothing was done with it: ") && why.contains(words), "{why}");
        }
    }
}
