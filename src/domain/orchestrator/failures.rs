//! What becomes of failures: whose they are, what is tried next, and when it is over.

use super::{Effect, Look, Orchestrator};
use crate::domain::plan::Backoff;
use crate::domain::protocol::{
    AttemptId, Event, Failure, FailureCount, FailureKind, Health, Micros, Remedy, Route, Subject, TaskRetried, Work,
};
use crate::domain::state::{TaskIx, Trust};
use crate::domain::text::CleanText;

impl Orchestrator {
    /// A failed task is tried again on its tier, then on the fallback tier, then it has failed.
    pub(super) fn after_failure(&mut self, ix: TaskIx, failure: &Failure) {
        let task = self.state.task(ix);
        let settings = &self.state.config.settings;
        let retry = task.spec.retry;
        let max = retry.map_or(settings.retries, |r| r.max);
        let failures = task.failures + 1;
        let agent = self.state.config.fleet.agent(&task.spec.agent);
        let fallback = agent.and_then(|a| a.fallback.as_ref().filter(|f| **f != a.tier)).cloned();
        let (id, route) = (task.id.clone(), task.route);
        let last_tried = self.state.last_attempt(task).map(|a| (a.endpoint, a.route));
        let others = last_tried.is_some_and(|(endpoint, _)| {
            self.state.tier_of(task).is_some_and(|tier| {
                self.state
                    .endpoints()
                    .iter()
                    .enumerate()
                    .any(|(i, e)| i != endpoint.0 as usize && e.is_usable() && e.serves(tier))
            })
        });
        let hopeless_here = matches!(
            failure.kind,
            FailureKind::Unauthorized
                | FailureKind::NoModel
                | FailureKind::Refused
                | FailureKind::Secret
                | FailureKind::Context
        );
        let to_fallback = |why: &str| (Route::Fallback, Micros(0), format!("{}; {why}", failure.message));
        let next = if hopeless_here && !others {
            match (&fallback, route) {
                (Some(f), Route::Primary) => Some(to_fallback(&format!("goes to the fallback tier {f}"))),
                _ => None,
            }
        } else if failures <= max || (route == Route::Fallback && failures <= max.saturating_mul(2) + 1) {
            let down = fallback.as_ref().is_some_and(|f| {
                agent.is_some_and(|a| self.state.tier_is_down(&a.tier)) && !self.state.tier_is_down(f)
            });
            let wait = if retry.is_some_and(|r| r.backoff == Backoff::None)
                || (failure.remedy == Remedy::Elsewhere && (others || down))
            {
                Micros(0)
            } else {
                self.backoff(failures, failure.kind)
            };
            let route = if down { Route::Fallback } else { route };
            Some((route, wait, failure.message.to_string()))
        } else {
            match (&fallback, route) {
                (Some(f), Route::Primary) => Some(to_fallback(&format!("goes to the fallback tier {f}"))),
                _ => None,
            }
        };
        match next {
            Some((route, wait, reason)) => self.emit(Event::TaskRetried(TaskRetried {
                task: id,
                not_before: self.now.plus(wait),
                reason: CleanText::one_line(&reason),
                count: FailureCount::Counted,
                route,
            })),
            None => self.fail(ix, failure.message.clone()),
        }
    }

    /// A task has failed for good.
    pub(super) fn fail(&mut self, ix: TaskIx, reason: CleanText) {
        if self.keep_cut(ix) {
            return;
        }
        let task = self.state.task(ix);
        let (id, work) = (task.id.clone(), task.work);
        self.emit(Event::TaskFailed { task: id.clone(), reason: reason.clone() });
        if work == Work::Planning {
            self.plan_built_in(&id, &reason);
            return;
        }
        self.tell_failure(ix);
    }

    /// Tells the operator that a task has failed.
    pub(super) fn tell_failure(&mut self, ix: TaskIx) {
        let task = self.state.task(ix);
        let text = CleanText::one_line(&format!("“{}” failed: {}; r tries it again", task.title, task.reason));
        self.emit_attention(Subject::Task(task.id.clone()), text);
    }

    /// A server that can't be reached is down at once; one that cut a stream is looked at at once.
    pub(super) fn blame_endpoint(&mut self, attempt: AttemptId, failure: &Failure) {
        let Some(endpoint) = self.state.attempt(attempt).map(|a| a.endpoint) else { return };
        let e = self.state.endpoint(endpoint);
        let name = e.config.name.clone();
        match failure.kind {
            FailureKind::Unreachable if e.answers() && e.trust == Trust::Whole => {
                self.endpoint_is(endpoint, Health::Down { reason: failure.message.clone() });
            }
            FailureKind::Cut | FailureKind::Silent | FailureKind::Loading | FailureKind::Server => {
                self.effect(Effect::Probe(name, Look::Light));
            }
            FailureKind::Unauthorized | FailureKind::NoModel | FailureKind::Secret => {
                self.emit_attention(Subject::Endpoint(name), failure.message.clone());
            }
            _ => {}
        }
        self.rest_if_failing(endpoint, failure);
    }
}
