//! Bytes of an answer to [`Chunk`]s, one dialect per server form. Pure: no I/O, no clock.
//!
//! Not here: connections and time limits (`client`), what errors mean (`fault`). Invariants: the chunks do not depend on
//! where the network cut the bytes; nothing follows [`Chunk::End`]; an answer without its terminator is a fault, never
//! a short answer.

mod calls;
mod chat;
mod completion;
mod lines;
mod ollama;
mod split;

use std::collections::VecDeque;

use calls::Calls;
use lines::Lines;
use split::{Piece, Splitter};

use super::chunk::Chunk;
use super::fault::Fault;
use crate::domain::fleet::{Api, Protocol};
use crate::domain::protocol::{TurnEnd, Usage};

/// Decodes one answer: feed it the body as it comes, then [`Decoder::finish`] it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoder {
    lines: Lines,
    form: Form,
    /// An event whose JSON is not whole yet: `data:` lines are joined until it is.
    held: String,
    held_kind: Held,
    turn: Turn,
    protocol: Protocol,
    seen: Seen,
}

/// What the answer has shown so far.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    /// Nothing, or comments.
    Nothing,
    /// A first line that is of no protocol, kept for the words of a fault.
    Stray(String),
    /// At least one event.
    Events,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Chat events of llama.cpp and everything OpenAI-compatible.
    Chat,
    /// llama.cpp's `/completion`.
    Completion,
    /// Ollama's lines of JSON, chat and generate.
    Ollama,
}

/// What kind of lines the held text is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Held {
    Data,
    /// A body that is JSON and no event stream, over several lines.
    Plain,
}

/// What has been understood of the answer so far.
#[derive(Clone, Debug, Default, PartialEq)]
struct Turn {
    split: Splitter,
    calls: Calls,
    /// The end as the server named it; the terminator comes after it.
    end: Option<TurnEnd>,
    usage: Usage,
    /// Whether [`Chunk::End`] is out.
    over: bool,
}

impl Decoder {
    /// A decoder for answers of `protocol` in its `api` form.
    pub fn new(protocol: Protocol, api: Api) -> Self {
        let form = match (protocol, api) {
            (Protocol::Ollama, _) => Form::Ollama,
            (Protocol::LlamaCpp, Api::Native) => Form::Completion,
            _ => Form::Chat,
        };
        Self {
            lines: Lines::default(),
            form,
            held: String::new(),
            held_kind: Held::Data,
            turn: Turn::default(),
            protocol,
            seen: Seen::Nothing,
        }
    }

    /// Takes bytes in and appends what they say to `out`. Bytes after the end are ignored.
    ///
    /// # Errors
    /// An error object in the stream, or text that is no answer of the protocol. The decoder is done then.
    pub fn feed(&mut self, bytes: &[u8], out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        let mut lines = std::mem::take(&mut self.lines);
        let fed = lines.feed(bytes, |line| self.line(line, out));
        self.lines = lines;
        fed
    }

    /// The body has ended.
    ///
    /// # Errors
    /// The answer has no end: the connection was cut; or nothing of the protocol came at all.
    pub fn finish(&mut self, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.finish(|line| self.line(line, out))?;
        if self.is_over() {
            return Ok(());
        }
        if self.turn.end.is_some() {
            self.turn.finish(out);
            return Ok(());
        }
        Err(match &self.seen {
            Seen::Stray(line) => Fault::garbage(format!("the answer is no stream but “{line}”")),
            _ => Fault::cut("the stream stopped before the answer's end"),
        })
    }

    /// Whether [`Chunk::End`] is out.
    pub fn is_over(&self) -> bool {
        self.turn.over
    }

    fn line(&mut self, line: &str, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        if self.is_over() {
            return Ok(());
        }
        if self.form == Form::Ollama {
            let line = line.trim();
            if let Some(held) = Some(std::mem::take(&mut self.held)).filter(|held| !held.is_empty()) {
                return Err(unreadable(&held, "it ends too early"));
            }
            return if line.is_empty() { Ok(()) } else { self.event(line, out) };
        }
        if let Some(comment) = line.strip_prefix(':') {
            out.push_back(comment_chunk(comment));
            return Ok(());
        }
        let (text, kind) = match line.strip_prefix("data:") {
            Some(data) => (data.strip_prefix(' ').unwrap_or(data), Held::Data),
            None if line.is_empty() => return self.dispatch(),
            None if self.held_kind == Held::Plain && !self.held.is_empty() => (line, Held::Plain),
            None if line.starts_with('{') => (line, Held::Plain),
            None if ["event:", "id:", "retry:"].iter().any(|field| line.starts_with(field)) => return Ok(()),
            None => {
                if self.seen == Seen::Nothing {
                    self.seen = Seen::Stray(line.chars().take(200).collect());
                }
                return Ok(());
            }
        };
        self.held_kind = kind;
        if self.held.is_empty() {
            return self.event(text, out);
        }
        if self.held.len() + text.len() > 8 * 1024 * 1024 {
            return Err(Fault::garbage("an event longer than 8 MiB"));
        }
        self.held.push('\n');
        self.held.push_str(text);
        // A body over many lines is tried only where it could be whole, so that it is not read again for each line.
        if kind == Held::Plain && !line.starts_with('}') {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        self.event(&held, out)
    }

    /// A blank line ends an event; one whose JSON is not whole by then never will be.
    fn dispatch(&mut self) -> Result<(), Fault> {
        if self.held.is_empty() || self.held_kind == Held::Plain {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        Err(unreadable(&held, "it ends too early"))
    }

    fn event(&mut self, text: &str, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        let read = match self.form {
            Form::Chat if text.trim() == "[DONE]" => {
                self.turn.finish(out);
                return Ok(());
            }
            Form::Chat => chat::read(text, &mut self.turn, out),
            Form::Completion => completion::read(text, &mut self.turn, out),
            Form::Ollama => ollama::read(text, &mut self.turn, out),
        };
        match read {
            Ok(None) => {
                self.seen = Seen::Events;
                Ok(())
            }
            Ok(Some(error)) => Err(Fault::of_stream(self.protocol, &error)),
            // The rest of it may come on the next line. For lines of JSON there is no next line: only the connection's
            // end leaves one unfinished.
            Err(error) if error.is_eof() => {
                text.clone_into(&mut self.held);
                Ok(())
            }
            Err(error) => Err(unreadable(text, &error.to_string())),
        }
    }
}

fn unreadable(text: &str, why: &str) -> Fault {
    let begin: String = text.chars().take(120).collect();
    Fault::garbage(format!("an event that can't be read ({why}): “{begin}”"))
}

/// mlx tells how far the prompt is read: `: keepalive 2048/5009`. Every other comment only shows life.
fn comment_chunk(comment: &str) -> Chunk {
    let progress = comment.trim().strip_prefix("keepalive ").and_then(|figures| {
        let (done, total) = figures.split_once('/')?;
        Some(Chunk::Progress { processed: done.trim().parse().ok()?, total: total.trim().parse().ok()? })
    });
    progress.unwrap_or(Chunk::Alive)
}

impl Turn {
    fn thinking(&mut self, text: String, out: &mut VecDeque<Chunk>) {
        if !text.is_empty() {
            self.split.saw_thinking();
            out.push_back(Chunk::Thinking(text));
        }
    }

    fn content(&mut self, text: String, out: &mut VecDeque<Chunk>) {
        let Self { split, calls, .. } = self;
        split.push(text, &mut |piece| place(piece, calls, out));
    }

    /// Emits what is still held, the tool calls and the end.
    fn finish(&mut self, out: &mut VecDeque<Chunk>) {
        let Self { split, calls, .. } = self;
        split.finish(&mut |piece| place(piece, calls, out));
        let called = !self.calls.is_empty();
        out.extend(self.calls.take().map(Chunk::ToolCall));
        // Ollama and some others say "stop" for an answer that asks for tools; a [DONE] without a reason is an end too.
        let end = match self.end.take() {
            Some(TurnEnd::Stop) | None if called => TurnEnd::ToolCalls,
            Some(end) => end,
            None => TurnEnd::Stop,
        };
        out.push_back(Chunk::End { end, usage: self.usage });
        self.over = true;
    }
}

fn place(piece: Piece, calls: &mut Calls, out: &mut VecDeque<Chunk>) {
    match piece {
        Piece::Thinking(text) => out.push_back(Chunk::Thinking(text)),
        Piece::Answer(text) => out.push_back(Chunk::Answer(text)),
        Piece::Call(name, arguments) => calls.push_text(&name, arguments),
    }
}

/// Replaces what was known only by something that is known better.
fn take_known(to: &mut u64, known: Option<u64>) {
    if let Some(value) = known
        && value != 0
    {
        *to = value;
    }
}

/// llama.cpp's `timings`: what it worked, in tokens and milliseconds.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
struct Timings {
    cache_n: Option<u64>,
    prompt_n: Option<u64>,
    predicted_n: Option<u64>,
    predicted_ms: Option<f64>,
}

impl Timings {
    fn enter(self, usage: &mut Usage) {
        take_known(&mut usage.cached_tokens, self.cache_n);
        take_known(&mut usage.prompt_tokens, self.prompt_n.map(|n| n + self.cache_n.unwrap_or(0)));
        take_known(&mut usage.output_tokens, self.predicted_n);
        // It counts the steps after the first token; for a single token it is a placeholder.
        if self.predicted_n.is_some_and(|n| n > 1) {
            take_known(&mut usage.generation_us, self.predicted_ms.map(|ms| (ms * 1000.0).round() as u64));
        }
    }
}

/// llama.cpp's `prompt_progress`; `processed` includes what came from the cache.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
struct PromptProgress {
    total: u64,
    processed: u64,
}

impl From<PromptProgress> for Chunk {
    fn from(progress: PromptProgress) -> Self {
        Self::Progress { processed: progress.processed, total: progress.total }
    }
}
