//! One model request under way: chunks from the server become inputs for the orchestrator.
//!
//! Dropping the future closes the connection, and that is how a request is cancelled.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::clock::SessionClock;
use super::coalesce::{Coalescer, Piece};
use super::repeat::Repeat;
use crate::domain::orchestrator::{Input, WantAnswer};
use crate::domain::protocol::{Channel, Failure, FailureKind, Micros, Remedy, SlotAfter, TurnEnd, TurnId, Usage};
use crate::domain::text::CleanText;
use crate::engine::providers::{AnswerStream, Chunk, Phase};

/// Prompt progress is told at most this often…
const PROGRESS: Micros = Micros::from_secs(1);
/// …and first after this long: a prompt read faster is not worth a record.
const FIRST_PROGRESS: Micros = Micros::from_millis(200);

/// How far a request has come, readable while it runs: what draining waits for depends on it.
#[derive(Clone, Debug, Default)]
pub(super) struct PhaseCell(Arc<AtomicU8>);

impl PhaseCell {
    fn set(&self, phase: Phase) {
        let code = match phase {
            Phase::Queued => 0,
            Phase::Prompt => 1,
            Phase::Generating => 2,
        };
        self.0.store(code, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Queued,
            1 => Phase::Prompt,
            _ => Phase::Generating,
        }
    }
}

/// A request about to run.
pub(super) struct Turn {
    pub id: TurnId,
    pub stream: AnswerStream,
    pub inputs: mpsc::Sender<Input>,
    pub clock: SessionClock,
    pub phase: PhaseCell,
    pub want_answer: WantAnswer,
    pub prompt_digest: String,
    pub limit: Option<Duration>,
}

impl Turn {
    /// Runs the request to its end and says how that was.
    pub(super) async fn run(mut self) {
        let sent = self.clock.now();
        let deadline = self.limit.map(|l| Instant::now() + l);
        let mut text = Text {
            id: self.id,
            inputs: self.inputs.clone(),
            coalescer: Coalescer::default(),
            answer: (self.want_answer != WantAnswer::No).then(String::new),
            want_answer: self.want_answer,
            repeat: Repeat::default(),
            first: None,
            phase: self.phase.clone(),
        };
        let mut next_progress = sent.plus(FIRST_PROGRESS);
        // One timer for the whole turn, moved when the piece that waits is another.
        let mut flush = pin!(tokio::time::sleep_until(Instant::now()));
        let outcome = loop {
            let due = text.coalescer.deadline().and_then(|at| self.clock.instant(at)).map(Instant::from_std);
            if let Some(due) = due
                && due != flush.deadline()
            {
                flush.as_mut().reset(due);
            }
            let chunk = tokio::select! {
                biased;
                () = at(deadline) => {
                    let seconds = self.limit.unwrap_or_default().as_secs();
                    break Err(timed_out(seconds));
                }
                chunk = self.stream.next() => chunk,
                () = &mut flush, if due.is_some() => {
                    if text.flush().await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            let now = self.clock.now();
            let told = match chunk {
                None => break Err(broken_off()),
                Some(Err(failure)) => break Err(failure),
                Some(Ok(Chunk::End { end, usage })) => break Ok((end, usage)),
                Some(Ok(Chunk::Accepted)) => {
                    self.phase.set(Phase::Prompt);
                    Ok(())
                }
                Some(Ok(Chunk::Alive)) => Ok(()),
                Some(Ok(Chunk::Rethought)) => text.rethought().await,
                Some(Ok(Chunk::Progress { processed, total })) => {
                    self.phase.set(Phase::Prompt);
                    if now >= next_progress {
                        next_progress = now.plus(PROGRESS);
                        self.inputs.send(Input::Progress { turn: self.id, processed, total }).await.map_err(|_| ())
                    } else {
                        Ok(())
                    }
                }
                Some(Ok(Chunk::Thinking(t))) => text.push(now, Channel::Thinking, &t).await,
                Some(Ok(Chunk::Answer(t))) => text.push(now, Channel::Answer, &t).await,
                Some(Ok(Chunk::ToolCall(t))) => text.push(now, Channel::ToolCall, &t).await,
            };
            if told.is_err() {
                return;
            }
        };
        let now = self.clock.now();
        // Closed before the end is told, so that a slot said to be free is.
        drop(self.stream);
        let _ = text.flush().await;
        let (end, mut usage, slot) = match outcome {
            Ok((end, usage)) => (end, usage, SlotAfter::Free),
            Err(failure) => {
                let slot = slot_after(failure.kind);
                (TurnEnd::Failed(failure), Usage::default(), slot)
            }
        };
        if let Some(first) = text.first {
            usage.first_token_us = first.since(sent).0.max(1);
            if usage.generation_us == 0 {
                usage.generation_us = now.since(first).0;
            }
        }
        let ended = Input::TurnEnded {
            turn: self.id,
            end,
            usage,
            slot,
            prompt_digest: self.prompt_digest,
            answer: text.answer,
        };
        // The orchestrator is gone only when the session is over.
        let _ = self.inputs.send(ended).await;
    }
}

/// The text of a turn on its way.
struct Text {
    id: TurnId,
    inputs: mpsc::Sender<Input>,
    coalescer: Coalescer,
    /// What is to come back with the end; none once it is longer than a short one may be.
    answer: Option<String>,
    want_answer: WantAnswer,
    repeat: Repeat,
    first: Option<Micros>,
    phase: PhaseCell,
}

impl Text {
    async fn push(&mut self, now: Micros, channel: Channel, piece: &str) -> Result<(), ()> {
        if self.first.is_none() {
            self.first = Some(now);
            self.phase.set(Phase::Generating);
        }
        if let Some(answer) = &mut self.answer
            && channel == Channel::Answer
        {
            let (long, short) = (answer.len() + piece.len(), self.want_answer == WantAnswer::Short);
            if long <= if short { WantAnswer::SHORT } else { WantAnswer::CAP } {
                answer.push_str(piece);
            } else if short {
                self.answer = None;
            }
        }
        let evidence = self.repeat.push(channel, piece);
        for piece in self.coalescer.push(now, channel, piece).into_iter().flatten() {
            self.send(piece).await?;
        }
        match evidence {
            Some(evidence) => self.inputs.send(Input::Looping { turn: self.id, evidence }).await.map_err(|_| ()),
            None => Ok(()),
        }
    }

    /// What was said so far was thinking: it goes first, so that the turnover follows all that it turns over.
    async fn rethought(&mut self) -> Result<(), ()> {
        self.answer = (self.want_answer != WantAnswer::No).then(String::new);
        self.flush().await?;
        self.inputs.send(Input::Rethought { turn: self.id }).await.map_err(|_| ())
    }

    async fn flush(&mut self) -> Result<(), ()> {
        match self.coalescer.flush() {
            Some(piece) => self.send(piece).await,
            None => Ok(()),
        }
    }

    /// A full queue slows the reading of the server's stream, which is where the pressure belongs.
    async fn send(&self, piece: Piece) -> Result<(), ()> {
        let Piece { channel, text, tokens } = piece;
        self.inputs.send(Input::Output { turn: self.id, channel, text, tokens }).await.map_err(|_| ())
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// A slot is free when the server ended the request, or never had it; it may be busy when Baton hung up.
fn slot_after(kind: FailureKind) -> SlotAfter {
    match kind {
        FailureKind::Silent | FailureKind::Garbage | FailureKind::TimedOut | FailureKind::Empty => SlotAfter::Draining,
        _ => SlotAfter::Free,
    }
}

fn timed_out(seconds: u64) -> Failure {
    let words = format!(
        "the task's time of {seconds} s was over before the answer was; raise budget.seconds or lower the level"
    );
    Failure::new(FailureKind::TimedOut, Remedy::RetryHere, CleanText::one_line(&words))
}

fn broken_off() -> Failure {
    let words = CleanText::from_static("the answer broke off without an end; it is tried again");
    Failure::new(FailureKind::Cut, Remedy::RetryHere, words)
}
