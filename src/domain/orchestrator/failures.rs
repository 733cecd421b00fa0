//! What becomes of failures: whose they are, what is tried next, and when it is over.
//!
//! Not here: that a server is found down, and what of its requests is lost with it (`down`).
//!
//! Three kinds of blame, three rules. A server that is not there, loads, has no room or broke costs its tasks a place in
//! line and no try; for that they have `outage_seconds`. A request that was refused is not repeated where nothing has
//! changed. An answer that is no good costs one of the task's tries. Invariants: what is said of a failure promises no try
//! that does not follow; the last words say that it is over; all that is decided here follows from the state, so that it
//! can be decided again when a session is taken up.

use super::{Look, Orchestrator};
use crate::domain::plan::Backoff;
use crate::domain::protocol::{
    AttemptEnd, AttemptId, Blame, Event, Failure, FailureCount, FailureKind, Finding, Health, Micros, Remedy, Route,
    Subject, TaskRetried, TierName, Unmade, Work,
};
use crate::domain::state::{Attempt, EndpointIx, EndpointState, Task, TaskIx};
use crate::domain::text::CleanText;

/// A stream that broke is looked into before anybody is blamed: so long its task waits for what a probe finds. A probe is
/// back within 2 s.
const LOOKED_INTO: Micros = Micros::from_secs(3);
/// The longest wait that one without room asks for, in milliseconds: gateways before servers that take a few at once say 1
/// or 2 s. A limit on how much somebody may ask for in a time names a longer one, and says nothing of slots.
const ROOM_SOON_MS: u64 = 5_000;

impl Orchestrator {
    /// Decides what follows a failed attempt: its task goes on elsewhere, is tried again, or has failed.
    pub(super) fn after_failure(&mut self, ix: TaskIx, failure: &Failure) {
        if self.fits_if_cut(ix, failure) {
            return self.cut_and_retry(ix, failure);
        }
        let endpoint = self.state.last_attempt(self.state.task(ix)).and_then(|a| self.state.place_of(a));
        // One that is given a rest answers; that its streams fall silent is why it is given one.
        let gone = endpoint.is_some_and(|e| !e.answers() && e.rests == 0);
        match failure.kind.blame() {
            // Nothing came since the server has gone; else the limit may have been too short for the prompt.
            Blame::Answer if failure.kind == FailureKind::Silent && gone => self.server_failed(ix, failure),
            // Requests that share one context fill it together; alone the same one may well fit.
            Blame::Request if failure.kind == FailureKind::Context && failure.remedy == Remedy::RetryHere => {
                self.count_failure(ix, failure);
            }
            Blame::Server => self.server_failed(ix, failure),
            Blame::Request => self.request_failed(ix, failure),
            Blame::Answer => self.count_failure(ix, failure),
        }
    }

    /// The fallback tier a task may still be sent to.
    fn fallback_left(&self, task: &Task) -> Option<TierName> {
        let agent = self.state.config.fleet.agent(&task.spec.agent)?;
        agent.fallback.clone().filter(|f| *f != agent.tier && task.route == Route::Primary)
    }

    /// The usable endpoints of a task's tier, but those in `not`.
    fn elsewhere(&self, task: &Task, not: &[EndpointIx]) -> usize {
        let Some(tier) = self.state.tier_of(task) else { return 0 };
        let all = self.state.endpoints().iter().enumerate();
        all.filter(|(i, e)| {
            e.is_usable()
                && e.serves(tier)
                && !not.contains(&EndpointIx(*i as u32))
                && self.state.pool(e.pool).shut(self.now).is_none()
        })
        .count()
    }

    /// Whether a task's own tier is down while its fallback tier answers.
    fn goes_to_fallback_now(&self, task: &Task) -> bool {
        self.state.config.fleet.agent(&task.spec.agent).is_some_and(|agent| {
            let fallback = agent.fallback.as_ref().filter(|f| **f != agent.tier);
            // What failed there is not sent there again at once.
            let on_its_own = self.state.last_attempt(task).is_none_or(|a| a.route() != Some(Route::Fallback));
            let fallback = fallback.filter(|_| on_its_own && task.route == Route::Primary);
            fallback.is_some_and(|f| self.state.tier_is_down(&agent.tier) && !self.state.tier_is_down(f))
        })
    }

    /// A failure that says something of the server and nothing of the task: no try is used, as long as it does not last.
    pub(super) fn server_failed(&mut self, ix: TaskIx, failure: &Failure) {
        let task = self.state.task(ix);
        let Some(endpoint) = self.state.last_attempt(task).and_then(Attempt::endpoint) else { return };
        let e = self.state.endpoint(endpoint);
        let pool = self.state.pool(e.pool);
        let (since, setbacks) = (task.troubled_since, task.setbacks + 1);
        // Its pool served another one well meanwhile: the server is well, so it is this request that breaks it. Not where it
        // says that it takes the same one later.
        let breaks = failure.kind == FailureKind::Server && failure.remedy != Remedy::RetryHere;
        if breaks && since.is_some_and(|s| pool.served_at.is_some_and(|at| at > s)) {
            return self.count_failure(ix, failure);
        }
        let limit = Micros::from_secs(self.state.config.settings.outage_seconds);
        let lasted = since.map_or(Micros(0), |since| self.now.since(since));
        if lasted > limit {
            let fallback = self.fallback_left(task);
            let told = format!(
                "its servers failed it for {}, {setbacks} times in a row; the last one said: {}",
                lasted.words(),
                words_of(failure)
            );
            return match fallback {
                Some(tier) => {
                    let words = format!("{told}; goes to the fallback tier {tier}");
                    self.again_after(ix, FailureCount::Unchanged, Route::Fallback, Micros(0), &words);
                }
                None => {
                    let words = format!("{told}; over after outage_seconds = {}", limit.0 / 1_000_000);
                    self.fail(ix, CleanText::one_line(&words));
                }
            };
        }
        let others = self.elsewhere(task, &[endpoint]);
        let fallback = self.goes_to_fallback_now(task);
        // It waits for the endpoint, not for a time: until that answers, takes requests again, or has a slot free.
        let waits_there = !e.answers() || pool.shut(self.now).is_some() || pool.free_slot().is_none();
        let looks = failure.kind == FailureKind::Cut && e.answers();
        let (wait, words) = if looks {
            (LOOKED_INTO, "its server is looked at first".to_owned())
        } else if setbacks as usize <= others || fallback {
            // It avoids one that said so, and can't go where nobody answers; one that is only full may have room next.
            let elsewhere = failure.is_told() || !e.answers() || pool.shut(self.now).is_some();
            let words = if elsewhere { "goes elsewhere" } else { "goes where there is room" };
            (Micros(0), format!("{words}; no try is used"))
        } else if waits_there && failure.kind != FailureKind::Loading {
            (Micros(0), "waits for its server; no try is used".to_owned())
        } else {
            let wait = self.backoff(setbacks, failure.kind);
            (wait, format!("tried again {}; no try is used", in_seconds(wait)))
        };
        let route = task.route;
        if looks {
            self.index.hush.look_into(endpoint, ix);
        }
        self.again_after(ix, FailureCount::Unchanged, route, wait, &format!("{}; {words}", words_of(failure)));
    }

    /// A request that is refused: it goes where it was not refused yet, and is not repeated where nothing has changed.
    fn request_failed(&mut self, ix: TaskIx, failure: &Failure) {
        let task = self.state.task(ix);
        let before = task.refused_by.iter().filter_map(|name| self.state.find_endpoint(name));
        let refused: Vec<EndpointIx> =
            before.chain(self.state.last_attempt(task).and_then(Attempt::endpoint)).collect();
        let tries = self.tries(task);
        if self.elsewhere(task, &refused) > 0 && task.failures < tries {
            let words = format!("{}; goes to another endpoint", words_of(failure));
            return self.again_after(ix, FailureCount::Counted, task.route, Micros(0), &words);
        }
        let over = "not tried again: the same request would come to the same";
        self.fall_back_or_end(ix, failure, over);
    }

    /// A failure that costs a try: again on its tier, then on the fallback tier, then it has failed.
    pub(super) fn count_failure(&mut self, ix: TaskIx, failure: &Failure) {
        let task = self.state.task(ix);
        let retry = task.spec.retry;
        let failures = task.failures + 1;
        let endpoint = self.state.last_attempt(task).and_then(Attempt::endpoint);
        let max = self.tries(task);
        let most = if task.route == Route::Fallback { max.saturating_mul(2).saturating_add(1) } else { max };
        if failures > most || !self.is_tried_once_more(task, failure) {
            let over = match failures {
                1 => "over after one try".to_owned(),
                n => format!("over after {n} tries"),
            };
            return self.fall_back_or_end(ix, failure, &over);
        }
        let down = self.goes_to_fallback_now(task);
        let elsewhere = down || endpoint.is_some_and(|e| self.elsewhere(task, &[e]) > 0);
        let none =
            retry.is_some_and(|r| r.backoff == Backoff::None) || (failure.remedy == Remedy::Elsewhere && elsewhere);
        let wait = if none { Micros(0) } else { self.backoff(failures, failure.kind) };
        let route = if down { Route::Fallback } else { task.route };
        let when = if wait.0 == 0 { "at once".to_owned() } else { in_seconds(wait) };
        let mut words = format!("{}; tried again {when}, {} of {}", words_of(failure), failures + 1, most + 1);
        if failure.kind == FailureKind::Silent {
            words.push_str(&format!(", with {} s for its silence", self.silence_limit(task)));
        }
        self.again_after(ix, FailureCount::Counted, route, wait, &words);
    }

    /// How often a task may fail before it is sent to the fallback tier, or has failed.
    fn tries(&self, task: &Task) -> u32 {
        task.spec.retry.map_or(self.state.config.settings.retries, |r| r.max)
    }

    /// Whether one more try may help: of some failures the second in a row says that none does.
    fn is_tried_once_more(&self, task: &Task, failure: &Failure) -> bool {
        let stubborn = match failure.kind {
            FailureKind::ToolsOnly => true,
            FailureKind::Aborted => failure.message.contains("content_filter"),
            _ => false,
        };
        let attempts = task.attempts.iter().rev().filter_map(|id| self.state.attempt(*id));
        let same = attempts
            .take((task.failures + 1) as usize)
            .take_while(|a| matches!(&a.ended, Some((_, AttemptEnd::Failed(f))) if f.kind == failure.kind))
            .filter(|a| a.route() == Some(task.route));
        !stubborn || same.count() < 2
    }

    /// On its own tier nothing more is tried.
    fn fall_back_or_end(&mut self, ix: TaskIx, failure: &Failure, over: &str) {
        let task = self.state.task(ix);
        let said = words_of(failure);
        match self.fallback_left(task) {
            Some(tier) => {
                let words = format!("{said}; goes to the fallback tier {tier}");
                self.again_after(ix, FailureCount::Counted, Route::Fallback, Micros(0), &words);
            }
            None => {
                let words = format!("{said}; {over}{}", self.look_at(task, failure));
                self.fail(ix, CleanText::one_line(&words));
            }
        }
    }

    /// What to look at when nothing came of a request and its server does not say why.
    fn look_at(&self, task: &Task, failure: &Failure) -> String {
        let Some(attempt) = self.state.last_attempt(task) else { return String::new() };
        let Some(context) = self.state.place_of(attempt).map(EndpointState::context) else { return String::new() };
        let read = attempt.turn().map_or(0, |t| t.usage.prompt_tokens.max(t.prompt.map_or(0, |(_, total)| total)));
        let prompt = match read {
            0 => format!("its prompt and the context of {context} tokens there"),
            n => format!("its prompt, which took {n} of {context} tokens of context"),
        };
        match failure.kind {
            FailureKind::Empty => format!(". Look at {prompt}"),
            FailureKind::Silent => format!(". If it was still being read, raise silence_seconds; look at {prompt}"),
            _ => String::new(),
        }
    }

    pub(super) fn again_after(&mut self, ix: TaskIx, count: FailureCount, route: Route, wait: Micros, words: &str) {
        let task = self.state.task(ix).id.clone();
        let (not_before, reason) = (self.now.plus(wait), CleanText::one_line(words));
        self.emit(Event::TaskRetried(TaskRetried { task, not_before, reason, count, route }));
    }

    /// The limit for the silence of a task's next try, in seconds: each silent failure in a row doubles it, for the next try
    /// has to read the same prompt from its beginning.
    pub(super) fn silence_limit(&self, task: &Task) -> u64 {
        /// 8 times the setting at most: 40 minutes as it ships.
        const DOUBLINGS: usize = 3;
        let attempts = task.attempts.iter().rev().filter_map(|id| self.state.attempt(*id));
        let ended = attempts.skip_while(|a| a.ended.is_none());
        let silent =
            ended.take_while(|a| matches!(&a.ended, Some((_, AttemptEnd::Failed(f))) if f.kind == FailureKind::Silent));
        let doublings = silent.take(DOUBLINGS).count();
        self.state.config.settings.silence_seconds.max(1).saturating_mul(1 << doublings)
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

    /// A server to which no connection is made is down at once, one that loads is loading, one that has no room has fewer slots; one
    /// that broke is looked at.
    pub(super) fn blame_endpoint(&mut self, attempt: AttemptId, failure: &Failure) {
        let Some(ix) = self.state.attempt(attempt).and_then(Attempt::endpoint) else { return };
        let name = self.state.endpoint(ix).config.name.clone();
        self.rest_if_failing(ix, failure);
        let answers = self.state.endpoint(ix).answers();
        match failure.kind {
            FailureKind::Unreachable => match failure.told.unmade {
                Some(Unmade::Refused) => {
                    // Where nothing listens, no endpoint of that server is there.
                    for of_it in self.of_the_same_server(ix) {
                        self.endpoint_is(of_it, Health::Down { reason: failure.message.clone() });
                    }
                    self.takes_no_connections(ix);
                }
                Some(Unmade::Failed) if answers => {
                    self.endpoint_is(ix, Health::Down { reason: failure.message.clone() });
                }
                Some(Unmade::Failed) => {}
                // A gateway is there, and others behind it may be.
                None => self.probe(name, Look::Light),
            },
            FailureKind::Loading if answers => self.endpoint_is(ix, Health::Loading),
            FailureKind::Busy if failure.told.wait_ms.is_none_or(|ms| ms <= ROOM_SOON_MS) => self.has_no_room(ix),
            FailureKind::Cut | FailureKind::Silent | FailureKind::Server => {
                self.probe(name, Look::Light);
            }
            FailureKind::Unauthorized | FailureKind::NoModel | FailureKind::Secret => {
                self.emit_attention(Subject::Endpoint(name), failure.message.clone());
            }
            _ => {}
        }
    }

    /// The endpoints that answer, as far as is known, at the address of one of them.
    fn of_the_same_server(&self, ix: EndpointIx) -> Vec<EndpointIx> {
        let url = self.state.endpoint(ix).config.pool().url;
        let all = self.state.endpoints().iter().enumerate();
        all.filter(|(_, e)| e.answers() && e.config.pool().url == url).map(|(i, _)| EndpointIx(i as u32)).collect()
    }

    /// A server turned a request away: with others of ours there it takes no more than those at once. Where in the end none
    /// was taken, all were turned away for another reason.
    fn has_no_room(&mut self, ix: EndpointIx) {
        let e = self.state.endpoint(ix);
        let pool = self.state.pool(e.pool);
        let claims = self.state.claims(e.pool);
        // Others are within what a server is said to serve.
        let ours = pool.busy();
        let slots = ours.saturating_add(e.others);
        if ours > 0 && slots < pool.measured.unwrap_or(claims).min(claims) && !pool.watch.has_just_ended(self.now) {
            self.found(ix, Finding::Serves { slots, claims });
        } else if ours == 0 && pool.measured.is_some() && pool.watch.has_served_none() {
            self.found(ix, Finding::ServesAll);
        }
    }
}

/// A failure's own words, ready for more to follow.
fn words_of(failure: &Failure) -> &str {
    failure.message.trim_end_matches(['.', ' '])
}

fn in_seconds(wait: Micros) -> String {
    format!("in {} s", wait.0.div_ceil(1_000_000))
}
