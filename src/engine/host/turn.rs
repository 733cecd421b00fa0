//! One model request under way: chunks from the server become news of its turn; and the slot of one that was stopped, until
//! it is free.
//!
//! Dropping the worker closes the connection, and that is how a request is cancelled. Invariant: an answer that its server
//! does not end is ended here, at twice the tokens that were asked for.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::clock::SessionClock;
use super::coalesce::{Coalescer, TextPiece};
use super::expand::expand;
use super::jobs::{Say, UnderWay, Unfinished, Worker};
use super::repeat::Repeat;
use super::run::Host;
use crate::domain::fleet::Endpoint;
use crate::domain::orchestrator::{Input, JobEnd, JobId, News, StartTurn, WantAnswer};
use crate::domain::protocol::{
    Channel, EndpointName, Failure, FailureKind, Micros, Remedy, SlotAfter, TurnEnd, TurnId, Usage,
};
use crate::domain::state::{PoolIx, State};
use crate::domain::text::CleanText;
use crate::engine::providers::{AnswerFormat, AnswerStream, Chunk, Client, Phase, Request, drained};

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

/// A request that was sent, as the loop knows it.
#[derive(Debug)]
pub(super) struct Sent {
    phase: PhaseCell,
    endpoint: EndpointName,
    pub(super) pool: PoolIx,
}

impl Sent {
    /// Whether its server has begun: a byte came.
    pub(super) fn has_begun(&self) -> bool {
        self.phase.get() != Phase::Queued
    }
}

impl Host {
    /// Sends a turn's request, which may take so long.
    pub(super) fn send(&mut self, state: &State, endpoint: Endpoint, start: StartTurn, limit: Option<Duration>) {
        let Some(pool) = state.find_endpoint(&endpoint.name).map(|ix| state.endpoint(ix).pool) else { return };
        let prompt = match expand(start.turn, &start.recipe, state, &self.texts) {
            Ok(prompt) => prompt,
            Err(error) => {
                // A request that can't even be made has failed.
                let words = format!("the prompt could not be put together: {error}");
                let failure = Failure::new(FailureKind::Refused, Remedy::Operator, CleanText::one_line(&words));
                let news = failed(failure, SlotAfter::Free);
                return self.own.push(Input::Job(JobId::Turn(start.turn), news));
            }
        };
        let request = Request {
            endpoint,
            messages: prompt.messages,
            max_tokens: start.max_tokens,
            temperature: start.temperature,
            level: start.level,
            level_support: start.level_support,
            format: start.schema.map_or(AnswerFormat::Text, AnswerFormat::Json),
            silence: Duration::from_secs(start.silence_seconds),
        };
        let stream = self.client.stream(request);
        let turn = Turn::new(stream, self.clock, start.want_answer, prompt.digest, start.max_tokens);
        let sent = Sent { phase: turn.phase.clone(), endpoint: start.endpoint, pool };
        self.jobs.run(JobId::Turn(start.turn), UnderWay::Turn(sent), limit, turn);
    }

    /// Closes the connection of a request that was stopped and waits, beside everything else, until its server's slot is
    /// free.
    pub(super) fn drain(&mut self, state: &State, turn: TurnId, sent: &Sent) {
        let Some(endpoint) = state.config.fleet.endpoint(&sent.endpoint).cloned() else { return };
        let others = self.jobs.sent().filter(|other| other.pool == sent.pool).count();
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        let drain = Drain { client: self.client.clone(), phase: sent.phase.get(), endpoint, others };
        self.jobs.run(JobId::Turn(turn), UnderWay::Drain, None, drain);
    }
}

/// A slot that drains.
struct Drain {
    client: Client,
    endpoint: Endpoint,
    /// Where its request was when it was closed.
    phase: Phase,
    /// How many other requests of ours are at its server.
    others: u32,
}

impl Worker for Drain {
    async fn run(&mut self, _: &Say) -> News {
        // The connection closes when the runtime drops the aborted task, which is the next thing it does.
        tokio::task::yield_now().await;
        drained(&self.client, &self.endpoint, self.phase, self.others).await;
        News::Freed
    }

    async fn unfinished(&mut self, _: &Say, _: Unfinished) -> News {
        // Better a request that waits in the server than a slot that is never used.
        News::Freed
    }
}

/// A request under way.
struct Turn {
    /// None once it is closed.
    stream: Option<AnswerStream>,
    clock: SessionClock,
    phase: PhaseCell,
    prompt_digest: String,
    sent: Micros,
    /// The tool that it asked for first.
    called: Option<CleanText>,
    text: Text,
}

/// How a request ended.
type Ended = Result<(TurnEnd, Usage, SlotAfter), Failure>;

impl Turn {
    fn new(
        stream: AnswerStream,
        clock: SessionClock,
        want_answer: WantAnswer,
        prompt_digest: String,
        max_tokens: u32,
    ) -> Self {
        let phase = PhaseCell::default();
        let text = Text {
            coalescer: Coalescer::default(),
            answer: (want_answer != WantAnswer::No).then(String::new),
            want_answer,
            repeat: Repeat::default(),
            first: None,
            phase: phase.clone(),
            left: most_bytes(max_tokens),
            words: Words::None,
        };
        let (stream, sent) = (Some(stream), clock.now());
        Self { stream, clock, phase, prompt_digest, sent, called: None, text }
    }

    /// Reads the answer to its end.
    async fn read(&mut self, say: &Say) -> Ended {
        let Some(stream) = &mut self.stream else { return Err(broken_off()) };
        let text = &mut self.text;
        let mut next_progress = self.sent.plus(FIRST_PROGRESS);
        // One timer for the whole turn, moved when the piece that waits is another.
        let mut flush = pin!(tokio::time::sleep_until(Instant::now()));
        loop {
            let due = text.coalescer.deadline().and_then(|at| self.clock.instant(at)).map(Instant::from_std);
            if let Some(due) = due
                && due != flush.deadline()
            {
                flush.as_mut().reset(due);
            }
            let chunk = tokio::select! {
                biased;
                chunk = stream.next() => chunk,
                () = &mut flush, if due.is_some() => {
                    text.flush(say).await.map_err(|()| broken_off())?;
                    continue;
                }
            };
            let now = self.clock.now();
            let told = match chunk {
                None => return Err(broken_off()),
                Some(Err(failure)) => return Err(failure),
                Some(Ok(Chunk::End { end, usage })) => {
                    // No tool is ever offered yet, so nothing waits for its result.
                    let end = match &self.called {
                        Some(name) => TurnEnd::Failed(tools_only(name)),
                        None if text.words == Words::Blank => TurnEnd::Failed(blank()),
                        None => end,
                    };
                    return Ok((end, usage, SlotAfter::Free));
                }
                Some(Ok(Chunk::Accepted)) => {
                    self.phase.set(Phase::Prompt);
                    Ok(())
                }
                Some(Ok(Chunk::Alive)) => Ok(()),
                Some(Ok(Chunk::Rethought)) => text.rethought(say).await,
                Some(Ok(Chunk::Progress { processed, total })) => {
                    self.phase.set(Phase::Prompt);
                    if now >= next_progress {
                        next_progress = now.plus(PROGRESS);
                        say.tell(News::Progress { processed, total }).await
                    } else {
                        Ok(())
                    }
                }
                Some(Ok(Chunk::Thinking(t))) => text.push(say, now, Channel::Thinking, &t).await,
                Some(Ok(Chunk::Answer(t))) => text.push(say, now, Channel::Answer, &t).await,
                Some(Ok(Chunk::ToolCall(t))) => {
                    self.called.get_or_insert_with(|| tool_of(&t));
                    text.push(say, now, Channel::ToolCall, &t).await
                }
            };
            // Nobody listens: the session is over.
            told.map_err(|()| broken_off())?;
            if text.left == 0 {
                // Baton hangs up, and the server may go on for a while.
                return Ok((TurnEnd::Length, Usage::default(), SlotAfter::Draining));
            }
        }
    }

    /// Closes it: what it came to, with what there is of its text told before.
    async fn close(&mut self, say: &Say, ended: Ended) -> News {
        let now = self.clock.now();
        // Closed before the end is told, so that a slot said to be free is.
        self.stream = None;
        let _ = self.text.flush(say).await;
        let (end, mut usage, slot) = ended.unwrap_or_else(|failure| {
            let slot = slot_after(failure.kind);
            (TurnEnd::Failed(failure), Usage::default(), slot)
        });
        if let Some(first) = self.text.first {
            usage.first_token_us = first.since(self.sent).0.max(1);
            if usage.generation_us == 0 {
                usage.generation_us = now.since(first).0;
            }
        }
        let (prompt_digest, answer) = (std::mem::take(&mut self.prompt_digest), self.text.answer.take());
        JobEnd::Turn { end, usage, slot, prompt_digest, answer }.into()
    }
}

impl Worker for Turn {
    async fn run(&mut self, say: &Say) -> News {
        self.sent = self.clock.now();
        let ended = self.read(say).await;
        self.close(say, ended).await
    }

    async fn unfinished(&mut self, say: &Say, why: Unfinished) -> News {
        match why {
            Unfinished::OutOfTime(limit) => self.close(say, Err(timed_out(limit.as_secs()))).await,
            Unfinished::BrokeOff => {
                let words = why.words("reading the answer");
                failed(Failure::new(FailureKind::Garbage, Remedy::RetryHere, words), SlotAfter::Draining)
            }
        }
    }
}

/// The end of a turn that failed here, not at the server.
fn failed(failure: Failure, slot: SlotAfter) -> News {
    JobEnd::Turn {
        end: TurnEnd::Failed(failure),
        usage: Usage::default(),
        slot,
        prompt_digest: String::new(),
        answer: None,
    }
    .into()
}

/// The text of a turn on its way.
struct Text {
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
    async fn push(&mut self, say: &Say, now: Micros, channel: Channel, piece: &str) -> Result<(), ()> {
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
            send(say, piece).await?;
        }
        match evidence {
            Some(evidence) => say.tell(News::Looping { evidence }).await,
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
    async fn rethought(&mut self, say: &Say) -> Result<(), ()> {
        self.answer = (self.want_answer != WantAnswer::No).then(String::new);
        self.words = Words::None;
        self.flush(say).await?;
        say.tell(News::Rethought).await
    }

    async fn flush(&mut self, say: &Say) -> Result<(), ()> {
        match self.coalescer.flush() {
            Some(piece) => send(say, piece).await,
            None => Ok(()),
        }
    }
}

/// A full queue slows the reading of the server's stream, which is where the pressure belongs.
async fn send(say: &Say, TextPiece { channel, text, tokens }: TextPiece) -> Result<(), ()> {
    say.tell(News::Said { channel, text, tokens }).await
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
    use crate::domain::fleet::Protocol;
    use crate::domain::protocol::{Level, LevelSupport, Speaker};
    use crate::engine::host::coalesce::MOST;
    use crate::engine::host::jobs::tests::{Breaks, client, end_of, endpoint, heard_of};

    fn request(endpoint: Endpoint, max_tokens: u32) -> Request {
        assert_eq!(endpoint.protocol, Protocol::OpenAi);
        Request {
            endpoint,
            messages: vec![(Speaker::User, "Q".to_owned())],
            max_tokens,
            temperature: 0.0,
            level: Level::Low,
            level_support: LevelSupport::None,
            format: AnswerFormat::Text,
            silence: Duration::from_secs(30),
        }
    }

    fn turn(request: Request) -> Turn {
        let (max_tokens, clock) = (request.max_tokens, SessionClock::from(Micros(0)));
        Turn::new(Client::new().unwrap().stream(request), clock, WantAnswer::No, String::new(), max_tokens)
    }

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
        let request = request(endpoint(&url), max_tokens);
        let mut texts = [String::new(), String::new(), String::new()];
        let end = heard_of(None, turn(request), |news| {
            if let News::Said { channel, text, .. } = news {
                assert!(text.len() <= MOST, "a piece of {} bytes", text.len());
                texts[channel as usize].push_str(&text);
            }
        });
        let JobEnd::Turn { end, slot, .. } = end_of(end.await) else { panic!("not a turn's end") };
        server.abort();
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
    async fn a_turn_that_breaks_off_or_runs_out_of_time_ends_as_failed_with_its_slot_draining() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let limit = Duration::from_millis(1);
        let late = heard_of(Some(limit), turn(request(endpoint(&url), 9)), |_| {}).await;
        let broken = heard_of(None, Breaks(turn(request(endpoint(&url), 9))), |_| {}).await;
        for (news, kind, words) in [
            (late, FailureKind::TimedOut, "was over before the answer was"),
            (broken, FailureKind::Garbage, "Baton broke off while reading the answer"),
        ] {
            let JobEnd::Turn { end: TurnEnd::Failed(failure), slot, .. } = end_of(news) else {
                panic!("it did not fail")
            };
            assert_eq!((failure.kind, slot), (kind, SlotAfter::Draining));
            assert!(failure.message.contains(words), "{failure:?}");
        }
        let drain = Drain { client: client(), endpoint: endpoint(&url), phase: Phase::Queued, others: 0 };
        assert_eq!(heard_of(None, Breaks(drain), |_| {}).await, News::Freed);
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
