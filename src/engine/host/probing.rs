//! Probes under way, and which of the busy slots they find are other people's.
//!
//! Not here: when to probe and what follows (`orchestrator`), that one probe of an endpoint is under way at a time (`jobs`), how
//! a server is asked (`providers/probe`).
//!
//! A server tells how many of its slots work, not for whom. What is not ours is reckoned so that a moment between two
//! clocks never invents others:
//! - of ours, the larger count before and after the look is taken;
//! - a request without a byte waits in the server's queue only while all slots are busy: with a slot seen free, it is in
//!   work too and its first byte on the way;
//! - slots whose turns are over and that drain are ours still;
//! - more than before is told only when a second look, [`AGAIN`] after the first, finds it too: the smaller figure of
//!   both. What is less than before is told at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::jobs::{Say, Unfinished, Worker};
use crate::domain::fleet::Endpoint;
use crate::domain::orchestrator::{JobEnd, Look, News, ProbeReport};
use crate::domain::protocol::{EndpointName, Health};
use crate::engine::providers::{Client, Depth, Report, Traffic, probe};

/// The time to a second look: a server that is asked for its slots more often notices closed connections late
/// (`providers/drain`).
const AGAIN: Duration = Duration::from_secs(2);

/// Questions of probes on their way to the loop. Each probe has one at a time, and waits.
const ASKS: usize = 16;

/// This session's requests at a server and model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ours {
    /// Those that were sent and are not over.
    pub(super) open: u32,
    /// Of which the server has begun: a byte came.
    pub(super) begun: u32,
    /// Slots that drain after their turn was over.
    pub(super) draining: u32,
}

impl Ours {
    fn larger(self, other: Self) -> Self {
        Self {
            open: self.open.max(other.open),
            begun: self.begun.max(other.begun),
            draining: self.draining.max(other.draining),
        }
    }

    /// Of `busy` slots those that can't be ours; `slots` is how many there are.
    fn beyond(self, busy: u32, slots: Option<u32>) -> u32 {
        let all_taken = slots.is_none_or(|slots| busy >= slots);
        let working = if all_taken { self.begun } else { self.open };
        busy.saturating_sub(working + self.draining)
    }
}

/// Asks the loop for what this session has at the server and model of an endpoint now.
#[derive(Debug)]
pub(super) struct Asks {
    pub(super) endpoint: EndpointName,
    answer: oneshot::Sender<Ours>,
}

impl Asks {
    pub(super) fn answer(self, ours: Ours) {
        // A probe that was stopped asks no more.
        let _ = self.answer.send(ours);
    }
}

/// What probes have in common.
pub(super) struct Probing {
    /// Of each endpoint the slots that are other people's, as told last.
    told: BTreeMap<EndpointName, Arc<AtomicU32>>,
    to: mpsc::Sender<Asks>,
    queue: mpsc::Receiver<Asks>,
}

impl Default for Probing {
    fn default() -> Self {
        let (to, queue) = mpsc::channel(ASKS);
        Self { told: BTreeMap::new(), to, queue }
    }
}

impl Probing {
    /// A probe of an endpoint.
    pub(super) fn of(&mut self, client: &Client, endpoint: Endpoint, look: Look) -> ServerProbe {
        let told = Arc::clone(self.told.entry(endpoint.name.clone()).or_default());
        ServerProbe { client: client.clone(), endpoint, look, told, to: self.to.clone() }
    }

    /// The next that is asked. May be dropped while it waits.
    pub(super) async fn asks(&mut self) -> Option<Asks> {
        self.queue.recv().await
    }
}

/// A probe under way, the wait for its second look included.
pub(super) struct ServerProbe {
    client: Client,
    endpoint: Endpoint,
    look: Look,
    told: Arc<AtomicU32>,
    to: mpsc::Sender<Asks>,
}

impl Worker for ServerProbe {
    async fn run(&mut self, _: &Say) -> News {
        let (client, endpoint, to) = (&self.client, &self.endpoint, &self.to);
        let told = self.told.load(Ordering::Relaxed);
        let find = |depth, traffic| probe(client, endpoint, depth, traffic);
        let (found, others) = sure(self.look, told, || ours(to, &endpoint.name), find).await;
        if let Some(others) = others {
            self.told.store(others, Ordering::Relaxed);
        }
        let report = ProbeReport {
            health: found.health,
            slots: found.slots,
            context: found.context,
            level: found.level,
            resident: found.resident,
            server: found.server,
            others,
            queued: found.queued,
            shape: found.shape,
            residence: found.residence,
            mismatch: found.mismatch,
            fault: found.fault,
        };
        super::debug_log::probed(&endpoint.name, &report);
        JobEnd::Probe(report).into()
    }

    async fn unfinished(&mut self, _: &Say, why: Unfinished) -> News {
        let reason = why.words("probing the server");
        JobEnd::Probe(ProbeReport::of(Health::Down { reason })).into()
    }
}

/// What this session has at a server and model now; nothing once it is over.
async fn ours(to: &mpsc::Sender<Asks>, endpoint: &EndpointName) -> Ours {
    let (answer, told) = oneshot::channel();
    if to.send(Asks { endpoint: endpoint.clone(), answer }).await.is_err() {
        return Ours::default();
    }
    told.await.unwrap_or_default()
}

/// Looks, and a second time where that would tell more other people than were `told` of last. What was found, and how many
/// of the slots are theirs, where the server tells.
async fn sure<O, F>(
    look: Look,
    told: u32,
    ours: impl Fn() -> O,
    find: impl Fn(Depth, Traffic) -> F,
) -> (Report, Option<u32>)
where
    O: Future<Output = Ours>,
    F: Future<Output = Report>,
{
    let mut depth = match look {
        Look::Light => Depth::Light,
        Look::Slots => Depth::Slots,
    };
    let mut first: Option<u32> = None;
    loop {
        let before = ours().await;
        let traffic = if before.begun > 0 { Traffic::Flowing } else { Traffic::Quiet };
        let found = find(depth, traffic).await;
        let Some(busy) = found.busy else { return (found, None) };
        let now = before.larger(ours().await).beyond(busy, found.slots);
        match first {
            None if now > told => {
                (first, depth) = (Some(now), Depth::Slots);
                tokio::time::sleep(AGAIN).await;
            }
            first => return (found, Some(first.map_or(now, |first| first.min(now)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;
    use crate::domain::protocol::LevelSupport;
    use crate::engine::host::jobs::tests::{Breaks, client, end_of, endpoint, heard_of};

    fn ours(open: u32, begun: u32, draining: u32) -> Ours {
        Ours { open, begun, draining }
    }

    fn found(busy: Option<u32>) -> Report {
        Report {
            health: Health::Up,
            slots: Some(4),
            busy,
            context: None,
            level: LevelSupport::Unknown,
            resident: None,
            server: None,
            queued: None,
            shape: None,
            residence: None,
            mismatch: None,
            fault: None,
        }
    }

    #[test]
    fn what_is_busy_and_can_t_be_ours_is_others() {
        let cases = [
            // All slots taken: what has no byte waits in the queue.
            (ours(4, 2, 0), 4, 2),
            (ours(4, 4, 0), 4, 0),
            // One is free: what has no byte is in work.
            (ours(3, 1, 0), 3, 0),
            (ours(1, 1, 0), 3, 2),
            // What drains is ours, and never more than there is.
            (ours(0, 0, 2), 3, 1),
            (ours(6, 6, 1), 4, 0),
            (ours(0, 0, 0), 0, 0),
        ];
        for (ours, busy, beyond) in cases {
            assert_eq!(ours.beyond(busy, Some(4)), beyond, "{ours:?}, {busy} busy");
        }
        assert_eq!(ours(2, 1, 0).beyond(3, None), 2, "without a count none is known to be free");
    }

    /// What is told of others by looks that find so many busy, `told` of them being known, with what is ours before and
    /// after each; and how deep each look was.
    async fn others(told: u32, looks: &[(Option<u32>, Ours, Ours)]) -> (Option<u32>, Vec<Depth>) {
        let around: RefCell<VecDeque<Ours>> = RefCell::new(looks.iter().flat_map(|look| [look.1, look.2]).collect());
        let busy: RefCell<VecDeque<Option<u32>>> = RefCell::new(looks.iter().map(|look| look.0).collect());
        let depths: RefCell<Vec<Depth>> = RefCell::default();
        let find = |depth, _| {
            depths.borrow_mut().push(depth);
            std::future::ready(found(busy.borrow_mut().pop_front().unwrap()))
        };
        let now = || std::future::ready(around.borrow_mut().pop_front().unwrap());
        let (_, others) = sure(Look::Slots, told, now, find).await;
        assert!(busy.borrow().is_empty(), "it looked less often");
        (others, depths.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn more_others_are_told_by_a_second_look_and_fewer_by_the_first() {
        let quiet = ours(0, 0, 0);
        let look = |busy| (busy, quiet, quiet);
        let begun = tokio::time::Instant::now();
        assert_eq!(others(0, &[look(Some(0))]).await.0, Some(0));
        assert_eq!(others(1, &[look(None)]).await.0, None, "nothing is said of it");
        assert_eq!(others(2, &[look(Some(1))]).await.0, Some(1), "fewer need no second look");
        // A request that began, or ended, while the server was asked.
        assert_eq!(others(0, &[(Some(1), quiet, ours(1, 1, 0))]).await.0, Some(0));
        assert_eq!(others(0, &[(Some(4), ours(4, 4, 0), quiet)]).await.0, Some(0));
        assert!(begun.elapsed().is_zero(), "no second look");
        // One look may be a moment between two clocks.
        assert_eq!(others(0, &[look(Some(3)), look(Some(2))]).await, (Some(2), vec![Depth::Slots; 2]));
        assert_eq!(begun.elapsed(), AGAIN);
        assert_eq!(others(1, &[look(Some(2)), look(Some(0))]).await.0, Some(0), "it was a moment");
        assert_eq!(others(1, &[look(Some(2)), look(None)]).await.0, None, "the second tells nothing");
    }

    #[tokio::test]
    async fn a_probe_that_breaks_off_finds_its_server_down() {
        let probe = Probing::default().of(&client(), endpoint("http://127.0.0.1:1"), Look::Light);
        let news = heard_of(None, Breaks(probe), |_| {}).await;
        let JobEnd::Probe(report) = end_of(news) else { panic!("not a probe's end") };
        let Health::Down { reason } = report.health else { panic!("{report:?}") };
        assert!(reason.contains("Baton broke off while probing the server"), "{reason}");
    }
}
