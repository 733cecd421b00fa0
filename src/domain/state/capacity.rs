//! What endpoints really serve: questions for whoever decides and whoever shows.
//!
//! Not here: how it is seen ([`super::Watch`], [`super::Pace`]).

use super::{EndpointIx, Pinch, Pool, PoolIx, State, Trust};
use crate::domain::protocol::{Finding, Health, Intake, Micros, TurnId};
use crate::domain::text::CleanText;

impl State {
    /// Slots an endpoint is configured with.
    pub fn claimed(&self, ix: EndpointIx) -> u32 {
        self.endpoint(ix).config.slots
    }

    /// Requests its server was seen to serve at once, where that is fewer than configured and reported.
    pub fn measured(&self, ix: EndpointIx) -> Option<u32> {
        let pool = self.endpoint(ix).pool;
        self.pool(pool).measured.filter(|m| *m < self.claims(pool))
    }

    /// Turns that were sent to its server and gave no sign of work yet.
    pub fn waiting_unbegun(&self, ix: EndpointIx) -> u32 {
        self.pool(self.endpoint(ix).pool).watch.waiting()
    }

    /// The share of the prompt tokens that came from the server's cache; none before any was told.
    pub fn cache_share(&self, ix: EndpointIx) -> Option<f32> {
        let e = self.endpoint(ix);
        (e.prompt_tokens > 0).then(|| e.cached_tokens as f32 / e.prompt_tokens as f32)
    }

    /// One true sentence on an endpoint with which something is odd at `now`.
    pub fn standing_words(&self, ix: EndpointIx, now: Micros) -> Option<CleanText> {
        let e = self.endpoint(ix);
        let probed = match e.probe_at {
            Some(at) if at > now => format!("; probed again in {} s", at.since(now).0.div_ceil(1_000_000)),
            _ => String::new(),
        };
        let pool = self.pool(e.pool);
        if let Some(shut) = pool.shut(now).filter(|_| e.is_usable()) {
            let left = shut.until.since(now).0.div_ceil(1_000_000);
            return Some(CleanText::one_line(&match shut.asked_ms {
                Some(ms) => format!("asks for a wait of {} s; {left} s to go", ms.div_ceil(1_000)),
                None => format!("had no room; one request tries it in {left} s"),
            }));
        }
        let words = match &e.health {
            Health::Down { reason } => format!("down: {reason}{probed}"),
            Health::Loading => format!("loads its model{probed}"),
            Health::Up | Health::Unknown if e.intake == Intake::Draining => match self.at_work(ix) {
                0 => "runs empty as you asked; p takes tasks again".to_owned(),
                n => format!("runs empty as you asked, {n} to end; p takes tasks again"),
            },
            Health::Up | Health::Unknown if e.trust == Trust::Trial && pool.refusals > 0 => {
                "had no room; one request tries it".to_owned()
            }
            Health::Up | Health::Unknown if e.trust == Trust::Trial && e.rests > 0 => {
                "its requests failed; one tries it again".to_owned()
            }
            Health::Up | Health::Unknown if e.trust == Trust::Trial => "it was away; one request tries it".to_owned(),
            Health::Up | Health::Unknown => match (self.measured(ix), e.others, e.pace.slowed_from()) {
                (Some(serves), ..) => {
                    let more = if pool.watch.extra() > 0 { "; one more is tried" } else { "" };
                    format!("claims {} slots and serves {serves} at once{more}", self.claims(e.pool))
                }
                (None, 1, _) => "another client uses 1 of its slots".to_owned(),
                (None, n, _) if n > 0 => format!("another client uses {n} of its slots"),
                (None, _, Some(usual)) => {
                    format!("slow: {:.0} tokens a second a slot, usually {usual:.0}", e.speed())
                }
                (None, _, None) => return None,
            },
        };
        Some(CleanText::one_line(&words))
    }

    /// Turns under way on an endpoint.
    fn at_work(&self, ix: EndpointIx) -> usize {
        self.running().filter(|a| a.endpoint() == Some(ix) && a.turn().is_some_and(|t| t.ended.is_none())).count()
    }

    /// As many as the servers of a pool claim: the least of configured and reported.
    pub(crate) fn claims(&self, ix: PoolIx) -> u32 {
        let members = || self.endpoints.iter().filter(|e| e.pool == ix);
        let configured = members().map(|e| e.config.slots).max().unwrap_or(0);
        members().filter_map(|e| e.reported_slots).filter(|n| *n > 0).fold(configured, u32::min)
    }

    /// Whether requests to a pool wait inside its server, as far as can be told: there is evidence that it serves fewer than
    /// are sent, or one waits longer than usual for a sign while others are worked at.
    pub(crate) fn is_stuck(&self, ix: PoolIx, now: Micros) -> bool {
        let watch = &self.pool(ix).watch;
        let late = now.since(watch.patience());
        let waits = || watch.together(now) > 0 && watch.unbegun().any(|(_, since)| since <= late);
        watch.waiting() > 0 && (watch.is_suspect() || waits())
    }

    /// Why the pools of these endpoints have fewer slots than they claim.
    pub(super) fn pinch(&self, full: &[EndpointIx]) -> Pinch {
        let endpoints = || full.iter().map(|ix| self.endpoint(*ix));
        if endpoints().all(|e| e.trust == Trust::Trial) {
            return Pinch::Trial;
        }
        match endpoints().map(|e| e.others).sum() {
            0 => {}
            n => return Pinch::Others(n),
        }
        if full.iter().any(|ix| self.measured(*ix).is_some()) {
            return Pinch::Serves { claims: full.iter().map(|ix| self.claims(self.endpoint(*ix).pool)).sum() };
        }
        Pinch::None
    }

    /// What is to be said of how many the server of an endpoint serves, if it is another number than was believed.
    pub(crate) fn capacity_news(&self, ix: EndpointIx, now: Micros) -> Option<Finding> {
        let e = self.endpoint(ix);
        let Pool { measured, watch, .. } = self.pool(e.pool);
        if measured.is_none() && !watch.is_suspect() {
            return None;
        }
        let claims = self.claims(e.pool);
        if let Some(believed) = *measured {
            let seen = watch.seen(now);
            if believed >= claims || seen >= claims {
                return Some(Finding::ServesAll);
            }
            if seen > believed {
                return Some(Finding::Serves { slots: seen, claims });
            }
        }
        // Others that are known have the rest of its slots.
        let others = self.endpoints.iter().filter(|o| o.pool == e.pool).map(|o| o.others).max().unwrap_or(0);
        let slots = watch.found(now)?.saturating_add(others);
        (slots < claims && measured.is_none_or(|m| slots < m)).then_some(Finding::Serves { slots, claims })
    }

    /// The turns of a pool that give no sign of work, with when they were sent, the newest first.
    pub(crate) fn unbegun(&self, ix: PoolIx) -> Vec<(TurnId, Micros)> {
        self.pool(ix).watch.unbegun().rev().collect()
    }
}
