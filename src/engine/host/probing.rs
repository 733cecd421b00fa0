//! Probes under way, and which of the busy slots they find are other people's.
//!
//! Not here: when to probe and what follows (`orchestrator`), how a server is asked (`providers/probe`).
//!
//! A server tells how many of its slots work, not for whom. What is not ours is reckoned so that a moment between two
//! clocks never invents others:
//! - of ours, the larger count before and after the look is taken;
//! - a request without a byte waits in the server's queue only while all slots are busy: with a slot seen free, it is in
//!   work too and its first byte on the way;
//! - slots whose turns are over and that drain are ours still;
//! - more than before is told only when a second look, [`AGAIN`] after the first, finds it too: the smaller figure of
//!   both. What is less than before is told at once.
//!
//! Invariant: at most one probe of an endpoint is under way, the wait for its second look included.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use crate::domain::fleet::Endpoint;
use crate::domain::orchestrator::{Input, Look, ProbeReport};
use crate::domain::protocol::EndpointName;
use crate::engine::providers::{Client, Depth, Report, Traffic, probe};

/// The time to a second look: a server that is asked for its slots more often notices closed connections late
/// (`providers/drain`).
const AGAIN: Duration = Duration::from_secs(2);

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

/// What became of a probe.
#[derive(Debug)]
pub(super) enum Step {
    /// It came back.
    Back(Box<Looked>),
    /// Its second look is due.
    Due(Box<Endpoint>),
}

impl Step {
    /// Whose probe it is.
    pub(super) fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Back(looked) => &looked.endpoint,
            Self::Due(endpoint) => endpoint,
        }
    }
}

/// A probe that came back.
#[derive(Debug)]
pub(super) struct Looked {
    endpoint: Endpoint,
    before: Ours,
    found: Report,
}

/// What is known of other people's slots at an endpoint.
#[derive(Clone, Copy, Debug, Default)]
struct Others {
    /// As told last.
    told: u32,
    /// What a first look found, while the second is awaited.
    first: Option<u32>,
}

/// The probes.
#[derive(Debug, Default)]
pub(super) struct Probing {
    tasks: JoinSet<Step>,
    under_way: BTreeMap<EndpointName, AbortHandle>,
    /// Those whose slots are to be looked at when the probe under way is back.
    next: BTreeSet<EndpointName>,
    others: BTreeMap<EndpointName, Others>,
}

impl Probing {
    /// Begins a probe. While one of this endpoint is under way a light one is not needed, and a look at its slots comes
    /// after it.
    pub(super) fn begin(&mut self, client: &Client, endpoint: &Endpoint, look: Look, before: Ours) {
        // One that broke off is finished too.
        if self.under_way.get(&endpoint.name).is_some_and(|task| !task.is_finished()) {
            if look == Look::Slots {
                self.next.insert(endpoint.name.clone());
            }
            return;
        }
        let depth = match look {
            Look::Light => Depth::Light,
            Look::Slots => Depth::Slots,
        };
        let traffic = if before.begun > 0 { Traffic::Flowing } else { Traffic::Quiet };
        let (client, endpoint, name) = (client.clone(), endpoint.clone(), endpoint.name.clone());
        let task = self.tasks.spawn(async move {
            let found = probe(&client, &endpoint, depth, traffic).await;
            Step::Back(Box::new(Looked { endpoint, before, found }))
        });
        self.under_way.insert(name, task);
    }

    /// The next step of any probe; never comes while none is under way. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Step {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(step)) => return step,
                Some(Err(error)) => tracing::error!(%error, "a probe broke off"),
                None => std::future::pending().await,
            }
        }
    }

    /// Takes a step, `ours` being what this session has there now: says what a probe found, or goes on with it.
    pub(super) fn step(&mut self, client: &Client, step: Step, ours: Ours) -> Option<Input> {
        let Looked { endpoint, before, found } = match step {
            Step::Back(looked) => *looked,
            Step::Due(endpoint) => {
                self.begin(client, &endpoint, Look::Slots, ours);
                return None;
            }
        };
        let again = self.next.remove(&endpoint.name);
        let others = self.others.entry(endpoint.name.clone()).or_default();
        let beyond = found.busy.map(|busy| before.larger(ours).beyond(busy, found.slots));
        match (beyond, others.first.take()) {
            (Some(now), None) if now > others.told => {
                others.first = Some(now);
                let name = endpoint.name.clone();
                let task = self.tasks.spawn(async move {
                    tokio::time::sleep(AGAIN).await;
                    Step::Due(Box::new(endpoint))
                });
                self.under_way.insert(name, task);
                return None;
            }
            (Some(now), first) => others.told = first.map_or(now, |first| first.min(now)),
            (None, _) => {}
        }
        let told = others.told;
        if again && beyond.is_none() {
            self.begin(client, &endpoint, Look::Slots, ours);
        }
        let report = ProbeReport {
            health: found.health,
            slots: found.slots,
            context: found.context,
            level: found.level,
            resident: found.resident,
            server: found.server,
            others: beyond.map(|_| told),
            queued: found.queued,
            shape: found.shape,
            residence: found.residence,
            mismatch: found.mismatch,
            fault: found.fault,
        };
        super::debug_log::probed(&endpoint.name, &report);
        Some(Input::Probed { endpoint: endpoint.name, report })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fleet::{Api, Nature, Protocol};
    use crate::domain::protocol::{Health, LevelSupport, Name};

    fn ours(open: u32, begun: u32, draining: u32) -> Ours {
        Ours { open, begun, draining }
    }

    fn look(busy: Option<u32>, slots: u32, before: Ours) -> Looked {
        let endpoint = Endpoint {
            name: Name::slug("a"),
            title: None,
            tiers: Vec::new(),
            protocol: Protocol::LlamaCpp,
            url: "http://127.0.0.1:1".into(),
            model: "m".into(),
            slots,
            context: 4_096,
            api: Api::Chat,
            key: None,
            level: None,
            memory_gb: None,
            tokens_per_second: None,
            vision: false,
            tools: false,
            nature: Nature::Real,
            price: None,
            launch: None,
        };
        let found = Report {
            health: Health::Up,
            slots: Some(slots),
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
        };
        Looked { endpoint, before, found }
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

    #[tokio::test(start_paused = true)]
    async fn more_others_are_told_by_a_second_look_and_fewer_by_the_first() {
        // The first one in a process chooses the TLS implementation; a second choice is refused, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new().unwrap();
        let mut probing = Probing::default();
        let quiet = ours(0, 0, 0);
        let mut told =
            |busy, before, after| match probing.step(&client, Step::Back(Box::new(look(busy, 4, before))), after) {
                Some(Input::Probed { report, .. }) => Some(report.others),
                Some(other) => panic!("{other:?}"),
                None => None,
            };
        assert_eq!(told(Some(0), quiet, quiet), Some(Some(0)));
        assert_eq!(told(Some(3), quiet, quiet), None, "one look may be a moment between two clocks");
        assert_eq!(told(Some(2), quiet, quiet), Some(Some(2)), "the second");
        assert_eq!(told(None, quiet, quiet), Some(None), "a light probe says nothing of it");
        assert_eq!(told(Some(1), quiet, quiet), Some(Some(1)), "fewer need no second look");
        assert_eq!(told(Some(2), quiet, quiet), None);
        assert_eq!(told(Some(0), quiet, quiet), Some(Some(0)), "it was a moment");
        // A request that began, or ended, while the server was asked.
        assert_eq!(told(Some(1), quiet, ours(1, 1, 0)), Some(Some(0)));
        assert_eq!(told(Some(4), ours(4, 4, 0), quiet), Some(Some(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_look_is_due_after_its_time_and_nothing_looks_between() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new().unwrap();
        let mut probing = Probing::default();
        let looked = look(Some(2), 4, Ours::default());
        let endpoint = looked.endpoint.clone();
        assert_eq!(probing.step(&client, Step::Back(Box::new(looked)), Ours::default()), None);
        probing.begin(&client, &endpoint, Look::Light, Ours::default());
        assert_eq!(probing.tasks.len(), 1);
        probing.begin(&client, &endpoint, Look::Slots, Ours::default());
        assert_eq!(probing.tasks.len(), 1);
        let begun = tokio::time::Instant::now();
        let step = probing.next().await;
        assert!(matches!(&step, Step::Due(e) if e.name == endpoint.name));
        assert_eq!(begun.elapsed(), AGAIN);
        assert_eq!(probing.step(&client, step, Ours::default()), None);
        assert_eq!(probing.tasks.len(), 1, "the second look is under way");
    }

    #[tokio::test(start_paused = true)]
    async fn slots_asked_for_during_a_light_probe_are_looked_at_after_it() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new().unwrap();
        let mut probing = Probing::default();
        let looked = look(None, 4, Ours::default());
        let endpoint = looked.endpoint.clone();
        probing.begin(&client, &endpoint, Look::Light, Ours::default());
        probing.begin(&client, &endpoint, Look::Slots, Ours::default());
        probing.tasks.abort_all();
        while probing.tasks.join_next().await.is_some() {}
        assert!(probing.step(&client, Step::Back(Box::new(looked)), Ours::default()).is_some());
        assert_eq!(probing.tasks.len(), 1, "the look at its slots");
    }
}
