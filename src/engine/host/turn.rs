//! One model request under way: chunks from the server become inputs for the orchestrator.
//!
//! Dropping the future closes the connection, and that is how a request is cancelled. Invariant: an answer that its server
//! does not end is ended here, at twice the tokens that were asked for.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::clock::SessionClock;
use super::coalesce::{Coalescer, TextPiece};
use super::repeat::Repeat;
use crate::domain::orchestrator::{Input, WantAnswer};
use crate::domain::protocol::{Channel, Failure, FailureKind, Micros, Remedy, SlotAfter, TurnEnd, TurnId, Usage};
use crate::domain::text::CleanText;
use crate::engine::providers::{AnswerStream, Chunk, Phase};

/// Prompt progress is told at most this often…
const PROGRESS: Micros = Micros::from_secs(1);
/// …and first after this long: a prompt read faster is not worth a record.
const FIRST_PROGRESS: Micros = Micros::from_millis(200);

/// The most bytes a token is counted with: few have more than 16, and a table's rule or a run of spaces is one.
const TOKEN: usize = 16;
/// An answer is never ended before this many bytes, however few tokens were asked for.
const LEAST_ANSWER: usize = 64 * 1024;

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
    /// The most tokens that were asked for.
    pub max_tokens: u32,
}

impl Turn {
    /// Runs the request to its end and says how that was.
    pub(super) async fn run(mut self) {
        let sent = self.clock.now();
        let mut limit = pin!(at(self.limit.map(|l| Instant::now() + l)));
        let mut text = Text {
            id: self.id,
            inputs: self.inputs.clone(),
            coalescer: Coalescer::default(),
            answer: (self.want_answer != WantAnswer::No).then(String::new),
            want_answer: self.want_answer,
            repeat: Repeat::default(),
            first: None,
            phase: self.phase.clone(),
            left: most_bytes(self.max_tokens),
            words: Words::None,
        };
        let mut called: Option<CleanText> = None;
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
                () = &mut limit => {
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
                Some(Ok(Chunk::End { end, usage })) => {
                    // No tool is ever offered yet, so nothing waits for its result.
                    let end = match &called {
                        Some(name) => TurnEnd::Failed(tools_only(name)),
                        None if text.words == Words::Blank => TurnEnd::Failed(blank()),
                        None => end,
                    };
                    break Ok((end, usage, SlotAfter::Free));
                }
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
                Some(Ok(Chunk::ToolCall(t))) => {
                    called.get_or_insert_with(|| tool_of(&t));
                    text.push(now, Channel::ToolCall, &t).await
                }
            };
            if told.is_err() {
                return;
            }
            if text.left == 0 {
                // Baton hangs up, and the server may go on for a while.
                break Ok((TurnEnd::Length, Usage::default(), SlotAfter::Draining));
            }
        };
        let now = self.clock.now();
        // Closed before the end is told, so that a slot said to be free is.
        drop(self.stream);
        let _ = text.flush().await;
        let (end, mut usage, slot) = outcome.unwrap_or_else(|failure| {
            let slot = slot_after(failure.kind);
            (TurnEnd::Failed(failure), Usage::default(), slot)
        });
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
    /// The bytes of thinking and answer that may still come.
    left: usize,
    /// What of the answer there is.
    words: Words,
}

/// Whether an answer says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    /// Nothing of it has come.
    None,
    /// White space alone has.
    Blank,
    /// A word has.
    Some,
}

impl Text {
    async fn push(&mut self, now: Micros, channel: Channel, piece: &str) -> Result<(), ()> {
        if self.first.is_none() {
            self.first = Some(now);
            self.phase.set(Phase::Generating);
        }
        // The decoder bounds calls.
        let piece = if channel == Channel::ToolCall { piece } else { self.room_for(piece) };
        if channel == Channel::Answer && self.words != Words::Some {
            self.words = if piece.trim().is_empty() { Words::Blank } else { Words::Some };
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
        for piece in self.coalescer.push(now, channel, piece) {
            self.send(piece).await?;
        }
        match evidence {
            Some(evidence) => self.inputs.send(Input::Looping { turn: self.id, evidence }).await.map_err(|_| ()),
            None => Ok(()),
        }
    }

    /// As much of `piece` as may still come.
    fn room_for<'a>(&mut self, piece: &'a str) -> &'a str {
        let room = &piece[..piece.floor_char_boundary(self.left)];
        // A character that does not fit whole ends it too.
        self.left = if room.len() == piece.len() { self.left - room.len() } else { 0 };
        room
    }

    /// What was said so far was thinking: it goes first, so that the turnover follows all that it turns over.
    async fn rethought(&mut self) -> Result<(), ()> {
        self.answer = (self.want_answer != WantAnswer::No).then(String::new);
        self.words = Words::None;
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
    async fn send(&self, piece: TextPiece) -> Result<(), ()> {
        let TextPiece { channel, text, tokens } = piece;
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

/// The most bytes of text a request for `tokens` may bring, thinking included.
fn most_bytes(tokens: u32) -> usize {
    usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(2 * TOKEN).max(LEAST_ANSWER)
}

/// The name of the tool in a call; the call itself where it has none.
fn tool_of(call: &str) -> CleanText {
    #[derive(serde::Deserialize)]
    struct Called {
        name: String,
    }
    let name = serde_json::from_str(call).ok().map(|called: Called| called.name).filter(|name| !name.trim().is_empty());
    // A name has 64 letters at most.
    CleanText::one_line(&name.unwrap_or_else(|| call.to_owned()).chars().take(64).collect::<String>())
}

fn tools_only(tool: &CleanText) -> Failure {
    let words = format!(
        "it asked for the tool {tool}, which it was not given; say in the agent's prompt that there are no tools, \
         or use another model"
    );
    Failure::new(FailureKind::ToolsOnly, Remedy::RetryHere, CleanText::one_line(&words))
}

fn blank() -> Failure {
    let words = "the model answered with white space and no word";
    Failure::new(FailureKind::Empty, Remedy::RetryHere, CleanText::from_static(words))
}

fn timed_out(seconds: u64) -> Failure {
    let words = format!(
        "the task's time of {seconds} s was over before the answer was; raise budget.seconds or lower the level"
    );
    Failure::new(FailureKind::TimedOut, Remedy::RetryHere, CleanText::one_line(&words))
}

fn broken_off() -> Failure {
    let words = CleanText::from_static("the answer broke off without an end");
    Failure::new(FailureKind::Cut, Remedy::RetryHere, words)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::domain::fleet::{Endpoint, Protocol};
    use crate::domain::protocol::{AttemptId, Level, LevelSupport, Speaker};
    use crate::engine::host::coalesce::MOST;
    use crate::engine::providers::{AnswerFormat, Client, Request};

    /// What a turn of `max_tokens` tells of a server that says `body`, and `endless` again and again after it: its text by
    /// channel, and its end. No piece is longer than a piece may be.
    async fn told(body: &'static str, endless: &'static str, max_tokens: u32) -> ([String; 3], TurnEnd, SlotAfter) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            let _ = socket.read(&mut asked).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            while !endless.is_empty() && socket.write_all(endless.as_bytes()).await.is_ok() {}
        });
        let endpoint: Endpoint = toml::from_str(&format!(
            "name = \"t\"\ntiers = []\nprotocol = \"openai\"\nurl = \"{url}\"\nmodel = \"m\"\nslots = 1\ncontext = 4096"
        ))
        .unwrap();
        assert_eq!(endpoint.protocol, Protocol::OpenAi);
        let request = Request {
            endpoint,
            messages: vec![(Speaker::User, "Q".to_owned())],
            max_tokens,
            temperature: 0.0,
            level: Level::Low,
            level_support: LevelSupport::None,
            format: AnswerFormat::Text,
            silence: Duration::from_secs(30),
        };
        let (inputs, mut queue) = mpsc::channel(64);
        let turn = Turn {
            id: TurnId { attempt: AttemptId(1), turn: 1 },
            stream: Client::new().unwrap().stream(request),
            inputs,
            clock: SessionClock::from(Micros(0)),
            phase: PhaseCell::default(),
            want_answer: WantAnswer::No,
            prompt_digest: String::new(),
            limit: None,
            max_tokens,
        };
        let running = tokio::spawn(turn.run());
        let (mut texts, mut ended) = ([String::new(), String::new(), String::new()], None);
        while let Some(input) = queue.recv().await {
            match input {
                Input::Output { channel, text, .. } => {
                    assert!(text.len() <= MOST, "a piece of {} bytes", text.len());
                    texts[channel as usize].push_str(&text);
                }
                Input::TurnEnded { end, slot, .. } => ended = Some((end, slot)),
                _ => {}
            }
        }
        running.await.unwrap();
        server.abort();
        let (end, slot) = ended.unwrap();
        (texts, end, slot)
    }

    const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello.\"}}]}\n\n";

    #[tokio::test]
    async fn an_answer_that_never_ends_is_ended_at_twice_its_tokens() {
        for endless in [HELLO, "data: {\"choices\":[{\"delta\":{\"reasoning\":\"Hüllo.\"}}]}\n\n"] {
            for (max_tokens, bytes) in [(1, 64 * 1024), (4096, 128 * 1024)] {
                let (texts, end, slot) = told(HELLO, endless, max_tokens).await;
                assert_eq!((&end, slot), (&TurnEnd::Length, SlotAfter::Draining));
                let all: usize = texts.iter().map(String::len).sum();
                assert!((bytes - 2..=bytes).contains(&all), "{all} of {bytes}");
            }
        }
    }

    #[tokio::test]
    async fn what_says_nothing_for_ever_is_ended_too() {
        let white = "data: {\"choices\":[{\"delta\":{\"content\":\"\\n\\n\\n\\n\\n\\n\\n\\n\"}}]}\n\n";
        for before in ["", "data: {\"choices\":[{\"delta\":{\"reasoning\":\"Hm.\"}}]}\n\n"] {
            let (texts, ..) = told(before, white, 1).await;
            let all: usize = texts.iter().map(String::len).sum();
            assert!((1024..=64 * 1024).contains(&all), "{all}");
        }
        let comments = Box::leak(format!(": {}\n", "x".repeat(60_000)).into_boxed_str());
        let (_, end, _) = told("", comments, 1).await;
        let TurnEnd::Failed(failure) = end else { panic!("{end:?}") };
        assert_eq!(failure.kind, FailureKind::Garbage);
        assert!(failure.message.contains("without an end"), "{failure:?}");
    }

    #[tokio::test]
    async fn a_tool_call_is_a_failure_that_names_the_tool_and_keeps_the_text() {
        let call = concat!(
            "data: {\"choices\":[{\"delta\":{\"content\":\"Let me look.\",\"tool_calls\":[{\"index\":0,\"id\":\"c1\",",
            "\"type\":\"function\",\"function\":{\"name\":\"web_search\",\"arguments\":\"{}\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
        );
        let (texts, end, slot) = told(call, "", 64).await;
        let TurnEnd::Failed(failure) = end else { panic!("{end:?}") };
        assert_eq!((failure.kind, slot), (FailureKind::ToolsOnly, SlotAfter::Free));
        assert!(failure.message.contains("it asked for the tool web_search, which it was not given"), "{failure:?}");
        assert_eq!(texts[Channel::Answer as usize], "Let me look.");
        assert!(texts[Channel::ToolCall as usize].contains("web_search"));
    }

    #[tokio::test]
    async fn a_reason_that_is_no_good_end_fails_and_keeps_the_text() {
        let aborted = concat!(
            "data: {\"choices\":[{\"delta\":{\"content\":\"Half an ans\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"abort\"}]}\n\ndata: [DONE]\n\n"
        );
        let (texts, end, slot) = told(aborted, "", 64).await;
        let TurnEnd::Failed(failure) = end else { panic!("{end:?}") };
        assert_eq!((failure.kind, slot), (FailureKind::Aborted, SlotAfter::Free));
        assert!(failure.message.contains("abort"), "{failure:?}");
        assert_eq!(texts[Channel::Answer as usize], "Half an ans");
    }
}
