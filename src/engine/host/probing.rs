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
//! - only what two looks in a row found is told, the smaller figure of both. What is less than before is told at once.
//!
//! Invariant: at most one probe of an endpoint is under way.

use std::collections::BTreeMap;

use tokio::task::{AbortHandle, JoinSet};

use crate::domain::fleet::Endpoint;
use crate::domain::orchestrator::{Input, Look, ProbeReport};
use crate::domain::protocol::EndpointName;
use crate::engine::providers::{Client, Depth, Report, Traffic, probe};

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

/// A probe that came back.
#[derive(Debug)]
pub(super) struct Looked {
    endpoint: Endpoint,
    before: Ours,
    found: Report,
}

impl Looked {
    /// Whose probe it is.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// The probes.
#[derive(Debug, Default)]
pub(super) struct Probing {
    tasks: JoinSet<Looked>,
    under_way: BTreeMap<EndpointName, AbortHandle>,
    /// What the last look at its slots found beyond ours.
    beyond: BTreeMap<EndpointName, u32>,
}

impl Probing {
    /// Begins a probe, unless one of this endpoint is under way.
    pub(super) fn begin(&mut self, client: &Client, endpoint: &Endpoint, look: Look, before: Ours) {
        // One that broke off is finished too.
        if self.under_way.get(&endpoint.name).is_some_and(|task| !task.is_finished()) {
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
            Looked { endpoint, before, found }
        });
        self.under_way.insert(name, task);
    }

    /// The next probe that came back; never comes while none is under way. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Looked {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(looked)) => return looked,
                Some(Err(error)) => tracing::error!(%error, "a probe broke off"),
                None => std::future::pending().await,
            }
        }
    }

    /// What a probe found, for the orchestrator; `after` is what is ours now.
    pub(super) fn told(&mut self, looked: Looked, after: Ours) -> Input {
        let Looked { endpoint, before, found } = looked;
        let beyond = found.busy.map(|busy| before.larger(after).beyond(busy, found.slots));
        let others = beyond.map(|now| now.min(self.beyond.insert(endpoint.name.clone(), now).unwrap_or(0)));
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
        };
        Input::Probed { endpoint: endpoint.name, report }
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
        };
        Looked { endpoint, before, found }
    }

    fn others(input: Input) -> Option<u32> {
        match input {
            Input::Probed { report, .. } => report.others,
            other => panic!("{other:?}"),
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

    #[test]
    fn others_are_told_by_two_looks_in_a_row_and_gone_by_one() {
        let mut probing = Probing::default();
        let mut told = |busy, before, after| others(probing.told(look(busy, 4, before), after));
        let quiet = ours(0, 0, 0);
        assert_eq!(told(Some(2), quiet, quiet), Some(0), "one look may be a moment between two");
        assert_eq!(told(Some(3), quiet, quiet), Some(2));
        assert_eq!(told(None, quiet, quiet), None, "a light probe says nothing of it");
        assert_eq!(told(Some(3), quiet, quiet), Some(3));
        // A request that began, or ended, while the server was asked.
        assert_eq!(told(Some(4), quiet, ours(1, 1, 0)), Some(3));
        assert_eq!(told(Some(4), ours(4, 4, 0), quiet), Some(0));
        assert_eq!(told(Some(1), quiet, quiet), Some(0));
        assert_eq!(told(Some(1), quiet, quiet), Some(1));
    }
}
