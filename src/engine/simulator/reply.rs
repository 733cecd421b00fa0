//! A granted request under way: waits for what is due, writes it, and frees the slot before the last byte leaves.
//!
//! Invariants: no byte, headers included, before the slot is granted; a client that leaves frees the slot at once,
//! because the slot lives in the body that is dropped; the slot is free before the client can see the end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;

use super::alarm::{self, Alarm};
use super::ask::{Ask, Delivery};
use super::http;
use super::script::{Failure, Script, seconds};
use super::server::{Doom, EndpointState, Life};
use super::slots::{Ending, Meter, Permit, SlotUse, Whose};
use super::wire::{Form, Part, Totals, Wire};

/// The least time between two writes of one stream: at high speeds several tokens share a write.
const GAP: Duration = Duration::from_millis(3);
/// Seconds between llama.cpp's signs of life while it reads a prompt.
const PING_SECONDS: f64 = 30.0;
/// What a server that takes no more asks clients to wait, in seconds at speed 1.
const WAIT_SECONDS: f64 = 2.0;
/// Tokens of a prompt in one step of its progress.
const BATCH: u32 = 512;

struct Reply {
    state: Arc<EndpointState>,
    life: Life,
    alarm: Alarm,
    script: Script,
    wire: Wire,
    permit: Option<Permit>,
    /// The right to read a prompt, until it is read.
    reading: Option<OwnedSemaphorePermit>,
    arrived: Instant,
    start: Instant,
    prompt_end: Instant,
    load: Duration,
    slot: usize,
    sent: u32,
    read: u32,
    last_write: Instant,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Under,
    CutNext,
    Over,
}

enum Next {
    At(Instant),
    Never,
}

/// Answers a request in `form`: queues it, and sends what its script says when it is due.
pub(super) async fn answer(state: &Arc<EndpointState>, ask: Ask, form: Form) -> Response {
    let arrived = Instant::now();
    let endpoint = &state.config;
    let slots = &state.slots;
    if endpoint.faults.overload.is_some_and(|most| slots.queued() >= most && slots.stats().busy >= endpoint.slots) {
        slots.refused();
        return http::overloaded(form);
    }
    if let Some(takes) = endpoint.faults.takes.filter(|takes| slots.stats().busy >= takes.most) {
        slots.refused();
        return http::limited(form, takes, (WAIT_SECONDS / state.speed.max(0.01)).ceil() as u64);
    }
    let key = ask.key();
    let seen = state.seen(key);
    // Written before the slot is granted, so that the writing costs no slot time.
    let script = Script::new(&ask, endpoint, state.seed, state.speed, seen);
    let permit = slots.acquire(Whose::Client).await;
    let script = match script {
        Ok(script) => script,
        Err(too_long) => {
            permit.end(Ending::Failed);
            return http::too_long(form, too_long);
        }
    };
    let number = state.requests.fetch_add(1, Ordering::Relaxed);
    let wire = Wire::new(form, ask, &endpoint.model, number, key ^ state.seed);
    if let Some((after, fate)) = script.doom {
        state.doom.send_replace(Some(Doom { at: permit.granted() + after, fate }));
    }
    let load = state.load();
    let slow = Duration::from_millis(endpoint.faults.slow_first_byte_ms);
    let reading = match &state.reading {
        // It is never closed.
        Some(turns) => Arc::clone(turns).acquire_owned().await.ok(),
        None => None,
    };
    let begun = if reading.is_some() { Instant::now() } else { permit.granted() };
    let start = begun + load + slow;
    if start > begun {
        state.alarm.until(start).await;
    }
    if matches!(script.failure, Some((Failure::Error, _))) {
        permit.end(Ending::Failed);
        return http::failed(form);
    }
    let last = script.failure.map_or(script.tokens(), |(_, at)| at.min(script.tokens()));
    let share = f64::from(last) / f64::from(script.tokens().max(1));
    let prompt_end = state.pace.done(start, seconds(script.prompt_seconds));
    let last_token = state.pace.done(start, seconds(script.prompt_seconds + script.seconds * share));
    slots.describe(
        permit.index,
        SlotUse {
            task: number,
            prompt_tokens: script.prompt_tokens,
            prompt_end,
            generation: last_token.duration_since(prompt_end).as_secs_f64(),
            tokens: last,
            limit: wire.ask().max_tokens,
        },
    );
    let reply = Reply {
        state: Arc::clone(state),
        life: state.life(),
        alarm: state.alarm.clone(),
        slot: permit.index,
        script,
        wire,
        permit: Some(permit),
        reading,
        arrived,
        start,
        prompt_end,
        load,
        sent: 0,
        read: 0,
        last_write: start,
        stage: Stage::Under,
    };
    match reply.wire.ask().delivery {
        Delivery::Stream => reply.stream().await,
        Delivery::Whole => reply.whole().await,
    }
}

fn form_is_ollama(form: Form) -> bool {
    matches!(form, Form::OllamaChat | Form::OllamaGenerate | Form::OllamaOpenAi)
}

impl Reply {
    /// When work of so long is done, counted from the grant.
    fn when(&self, work: Duration) -> Instant {
        self.state.pace.done(self.start, work)
    }

    /// Waits until the prompt is read, where others wait for that.
    async fn read(&mut self) {
        if self.reading.is_some() {
            self.alarm.until(self.prompt_end).await;
            self.reading = None;
        }
    }

    async fn stream(mut self) -> Response {
        let form = self.wire.form();
        if form_is_ollama(form) {
            self.read().await;
            // Ollama's headers come with its first line.
            let at = if self.script.tokens() == 0 { self.script.end() } else { self.script.due(0) };
            self.alarm.until(self.when(at)).await;
        }
        let body = stream::unfold(self, |mut reply| async move {
            let state = Arc::clone(&reply.state);
            let bytes = tokio::select! {
                biased;
                () = state.ended(reply.life) => None,
                bytes = reply.step() => Some(bytes),
            };
            let Some(bytes) = bytes else {
                // Its process is at its end: the slot is nobody's, and the client hears nothing more.
                reply.free(Ending::Cancelled);
                return std::future::pending().await;
            };
            Some((bytes?, reply))
        });
        http::streaming(form, Body::from_stream(body))
    }

    async fn whole(mut self) -> Response {
        let form = self.wire.form();
        self.read().await;
        if let Some((failure, at)) = self.script.failure.filter(|(failure, _)| *failure != Failure::Empty) {
            self.alarm.until(self.when(self.script.due(at))).await;
            if failure == Failure::Stall {
                let never: Infallible = std::future::pending().await;
                match never {}
            }
            self.free(Ending::Failed);
            return match failure {
                Failure::Cut => {
                    let broken = stream::iter([Err::<Bytes, io::Error>(io::ErrorKind::ConnectionReset.into())]);
                    http::streaming(form, Body::from_stream(broken))
                }
                Failure::Garbage => {
                    let mut out = Vec::new();
                    self.wire.garbage(&mut out);
                    http::json(form, out)
                }
                _ => http::failed(form),
            };
        }
        self.alarm.until(self.when(self.script.end())).await;
        self.sent = self.script.tokens();
        let totals = self.totals(Instant::now());
        self.count(&totals);
        self.free(Ending::Complete);
        http::json(form, self.wire.whole(&self.script, &totals))
    }

    /// The next bytes of the stream; none at its end.
    async fn step(&mut self) -> Option<io::Result<Bytes>> {
        let mut out = Vec::new();
        loop {
            match self.stage {
                Stage::Under => {}
                Stage::CutNext => {
                    self.stage = Stage::Over;
                    return Some(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Stage::Over => return None,
            }
            let now = alarm::now();
            let next = self.collect(now, &mut out);
            if !out.is_empty() {
                self.last_write = now;
                return Some(Ok(out.into()));
            }
            if self.stage == Stage::Under {
                match next {
                    Next::At(at) => self.alarm.until(at).await,
                    Next::Never => std::future::pending().await,
                }
            }
        }
    }

    /// Writes what is due and says when there will be more.
    fn collect(&mut self, now: Instant, out: &mut Vec<u8>) -> Next {
        if let Some(at) = self.prompt(now, out) {
            return Next::At(at);
        }
        let tokens = self.script.tokens();
        let failure = self.script.failure.filter(|(failure, _)| *failure != Failure::Empty);
        while self.sent < tokens && self.when(self.script.due(self.sent)) <= now {
            if let Some((failure, at)) = failure
                && self.sent >= at
            {
                return self.fail(failure, out);
            }
            let live = if self.wire.timed().is_yes() { self.totals(now) } else { self.prompt_totals() };
            let thought = self.script.thinking.len();
            let (part, text) = if self.sent < thought {
                (Part::Thinking, self.script.thinking.get(self.sent))
            } else {
                (Part::Answer, self.script.answer.get(self.sent - thought))
            };
            // The native forms of llama.cpp have no place for thinking: only its time passes.
            if part == Part::Answer || self.wire.form() != Form::LlamaNative {
                self.wire.piece(out, part, text, &live);
            }
            self.sent += 1;
        }
        let end = self.when(self.script.end());
        if self.sent >= tokens && now >= end {
            if let Some((failure, _)) = failure {
                return self.fail(failure, out);
            }
            let totals = self.totals(now);
            self.count(&totals);
            self.free(Ending::Complete);
            self.wire.end(out, &self.script, &totals);
            self.stage = Stage::Over;
            return Next::Never;
        }
        let due = if self.sent < tokens { self.when(self.script.due(self.sent)) } else { end };
        Next::At(due.max(now + GAP).min(end).max(due))
    }

    /// The part before the first token: progress and signs of life. None when the prompt is read.
    fn prompt(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Instant> {
        let total = self.script.prompt_tokens;
        let wanted = self.wire.ask().progress.is_yes() || self.wire.form() == Form::OpenAi;
        let mut next = self.prompt_end;
        if wanted && self.read < total {
            let whole = self.script.prompt_seconds;
            while self.read < total {
                let step = (self.read + BATCH).min(total);
                let at = self.when(seconds(whole * f64::from(step) / f64::from(total)));
                if at > now {
                    next = at;
                    break;
                }
                let ms = now.saturating_duration_since(self.start).as_secs_f64() * 1e3;
                self.wire.progress(out, total, step, ms);
                self.read = step;
            }
        }
        if now >= self.prompt_end {
            self.reading = None;
            return None;
        }
        let every = self.wire.ask().ping.unwrap_or(PING_SECONDS);
        if every > 0.0 {
            let ping = self.last_write + seconds(every);
            if ping <= now && out.is_empty() {
                self.wire.ping(out);
            }
            next = next.min(ping.max(now + GAP));
        }
        Some(next)
    }

    fn fail(&mut self, failure: Failure, out: &mut Vec<u8>) -> Next {
        match failure {
            // What was due before goes out first; the break comes with the next step.
            Failure::Cut => self.stage = Stage::CutNext,
            Failure::Stall => return Next::Never,
            Failure::Garbage => {
                self.wire.garbage(out);
                self.stage = Stage::Over;
            }
            Failure::ErrorLate | Failure::Error | Failure::Empty => {
                self.wire.error(out);
                self.stage = Stage::Over;
            }
            // These are answers that end in order; the script has them in its text and its end.
            Failure::Tools | Failure::LoneTag | Failure::Ends(_) => {}
        }
        self.free(Ending::Failed);
        Next::Never
    }

    fn prompt_totals(&self) -> Totals {
        Totals { prompt_n: self.script.prompt_tokens, slot: self.slot, ..Totals::default() }
    }

    fn totals(&self, now: Instant) -> Totals {
        let ms = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1e3;
        Totals {
            prompt_ms: ms(self.start, self.prompt_end),
            predicted_n: self.sent,
            predicted_ms: ms(self.prompt_end, now),
            total_ns: now.saturating_duration_since(self.arrived).as_nanos() as u64,
            // A loaded model still takes a moment to be found.
            load_ns: (self.load + Duration::from_micros(900)).as_nanos() as u64,
            ..self.prompt_totals()
        }
    }

    fn count(&self, totals: &Totals) {
        self.state.slots.count(Meter {
            prompt_tokens: u64::from(totals.prompt_n),
            prompt_seconds: totals.prompt_ms / 1e3,
            predicted: u64::from(totals.predicted_n),
            predicted_seconds: totals.predicted_ms / 1e3,
            longest: 0,
        });
    }

    fn free(&mut self, ending: Ending) {
        if let Some(permit) = self.permit.take() {
            permit.end(ending);
        }
    }
}
