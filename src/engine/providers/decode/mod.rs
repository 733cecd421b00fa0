//! Bytes of an answer to [`Chunk`]s, one dialect per server form. Pure: no I/O, no clock.
//!
//! Not here: connections and time limits (`client`), what errors mean (`fault`), how long an answer may be (the host).
//! Invariants: the chunks do not depend on where the network cut the bytes; nothing follows [`Chunk::End`]; an answer
//! without a good end is a fault, never a short answer; what is no event of the dialect is passed over and loses nothing
//! that was understood; whatever is held is bounded.

mod calls;
mod chat;
mod completion;
mod end;
mod lenient;
mod lines;
mod ollama;
mod split;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use calls::Calls;
use end::Ending;
use lenient::Mended;
pub(super) use lenient::tidied;
use lines::{LONGEST, Lines};
use serde::de::IgnoredAny;
use split::{Piece, Splitter};

use super::chunk::Chunk;
use super::fault::{Fault, Unsaid};
use super::request::AnswerFormat;
use crate::domain::fleet::{Api, Protocol};
use crate::domain::protocol::{TurnEnd, Usage};

/// The most bytes of a page that are looked at for its words: its head has them.
const PAGE: usize = 4 * 1024;

/// The most bytes in which JSON is looked for that came in the wrong place; plans have a tenth of it.
const JSON: usize = 256 * 1024;

/// How many beginnings of JSON are tried in it.
const TRIES: usize = 16;

/// The keys under which the dialects have their text.
const TEXT_KEYS: [&str; 5] = ["\"choices\"", "\"delta\"", "\"content\"", "\"message\"", "\"response\""];

/// Keys with which their events begin, before the text.
const FIRST_KEYS: [&str; 4] = ["\"model\"", "\"object\"", "\"created", "\"index\""];

/// Decodes one answer: feed it the body as it comes, then [`Decoder::finish`] it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoder {
    lines: Lines,
    form: Form,
    /// An event that is not whole yet.
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
    /// A page for people: its beginning. Nothing in it is looked at.
    Page(String),
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
    /// The data of an event that is called an error, whatever it holds.
    Error,
}

/// What an event said beyond its text.
enum Said {
    /// Nothing: the answer goes on.
    More,
    /// That the answer has ended.
    End,
    /// That it has failed.
    Error,
    /// The same, said in a part of it: the value of that `error`.
    ErrorWithin(String),
}

/// What has been understood of the answer so far.
#[derive(Clone, Debug, Default, PartialEq)]
struct Turn {
    split: Splitter,
    calls: Calls,
    /// The end as the server named it; the terminator comes after it.
    end: Option<Ending>,
    usage: Usage,
    /// Whether [`Chunk::End`] is out.
    over: bool,
    /// The number of the choice that is the answer.
    choice: Option<u32>,
    written: Written,
    text: Text,
    /// All text so far, where JSON is wanted.
    json: Option<String>,
    odd: Odd,
}

/// How far the text has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Text {
    #[default]
    None,
    Thinking,
    /// More than white space of the answer.
    Answer,
}

/// How the text is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Written {
    #[default]
    Pieces,
    /// As one message: it was not streamed.
    Whole,
}

/// What was passed over.
#[derive(Clone, Debug, Default, PartialEq)]
struct Odd {
    count: u32,
    /// The beginning of the first.
    first: String,
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

    /// The same, knowing the form that was asked for: where that is JSON and the answer stays empty, JSON in the thinking
    /// is the answer. Servers that hold a model to a schema while it thinks put it there.
    pub fn for_format(mut self, format: &AnswerFormat) -> Self {
        self.turn.json = matches!(format, AnswerFormat::Json(_)).then(String::new);
        self
    }

    /// Takes bytes in and appends what they say to `out`. Bytes after the end are ignored.
    ///
    /// # Errors
    /// An error in the stream, a reason that is no good end, or more than any answer has. The decoder is done then.
    pub fn feed(&mut self, bytes: &[u8], out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        let mut lines = std::mem::take(&mut self.lines);
        let fed = lines.feed(bytes, |line| self.line(line, out));
        self.lines = lines;
        fed
    }

    /// The body has ended.
    ///
    /// # Errors
    /// The answer has no good end: the connection was cut; or nothing of the protocol came at all.
    pub fn finish(&mut self, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.finish(|line| self.line(line, out))?;
        let held = std::mem::take(&mut self.held);
        match self.held_kind {
            Held::Error if !self.is_over() => return Err(Fault::of_stream(self.protocol, &held)),
            // What is not whole was cut with the connection.
            Held::Data | Held::Plain if !held.is_empty() => self.event(&held, out)?,
            _ => {}
        }
        if self.is_over() {
            return Ok(());
        }
        if self.turn.end.is_some() {
            return self.end(out);
        }
        // What was said stays said.
        self.turn.flush(out);
        Err(match &self.seen {
            Seen::Page(page) => Fault::of_page(page),
            Seen::Stray(line) => Fault::garbage(format!("the answer is no stream but “{line}”")),
            Seen::Nothing if self.turn.odd.count > 0 => self.turn.odd.fault(),
            _ => Fault::cut("the stream stopped before the answer's end"),
        })
    }

    /// Whether [`Chunk::End`] is out.
    pub fn is_over(&self) -> bool {
        self.turn.over
    }

    /// Whether the server has said why the answer ended, so that only figures and the terminator are still to come.
    pub(super) fn is_told(&self) -> bool {
        self.turn.end.as_ref().is_some_and(|end| *end > Ending::Unnamed)
    }

    /// What has not been said yet, for the words about a silence.
    pub(super) fn unsaid(&self) -> Unsaid {
        if self.turn.text == Text::None { Unsaid::Answer } else { Unsaid::Rest }
    }

    fn line(&mut self, line: &str, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        if self.is_over() {
            return Ok(());
        }
        match &mut self.seen {
            Seen::Page(page) if page.len() >= PAGE => return Ok(()),
            Seen::Page(page) => {
                page.push('\n');
                page.push_str(&line[..line.floor_char_boundary(PAGE)]);
                return Ok(());
            }
            // The first bytes of gzip: 1f, and 8b, which is no UTF-8.
            Seen::Nothing if line.starts_with("\u{1f}\u{fffd}") => return Err(Fault::compressed("gzip")),
            Seen::Nothing if line.trim_start().starts_with('<') => {
                self.seen = Seen::Page(line[..line.floor_char_boundary(PAGE)].to_owned());
                return Ok(());
            }
            _ => {}
        }
        if self.form == Form::Ollama {
            let line = line.trim();
            // For lines of JSON there is no next line that an event could go on in.
            let held = std::mem::take(&mut self.held);
            if !held.is_empty() {
                self.passed_over(&held)?;
            }
            return if line.is_empty() { Ok(()) } else { self.event(line, out) };
        }
        if let Some(comment) = line.strip_prefix(':') {
            out.push_back(comment_chunk(comment));
            return Ok(());
        }
        if line.is_empty() {
            return self.dispatch(out);
        }
        if let Some(data) = line.strip_prefix("data:") {
            if self.held_kind == Held::Plain {
                self.dispatch_plain(out)?;
            }
            return self.data(data.strip_prefix(' ').unwrap_or(data), out);
        }
        if let Some(name) = line.strip_prefix("event:") {
            if name.trim().eq_ignore_ascii_case("error") {
                self.dispatch_plain(out)?;
                self.held_kind = Held::Error;
            }
            return Ok(());
        }
        // llama.cpp's builds of 2025 have the failure in a field of this name, under HTTP 200.
        if let Some(error) = line.strip_prefix("error:") {
            return Err(Fault::of_stream(self.protocol, error));
        }
        if ["id:", "retry:"].iter().any(|field| line.starts_with(field)) {
            return Ok(());
        }
        if self.held_kind == Held::Plain && !self.held.is_empty() {
            return self.hold(line);
        }
        if line.starts_with('{') || self.seen == Seen::Nothing && line.starts_with(['[', '"']) {
            self.dispatch(out)?;
            self.held_kind = Held::Plain;
            return self.event(line, out);
        }
        if self.seen == Seen::Nothing {
            self.seen = Seen::Stray(line.chars().take(200).collect());
        }
        Ok(())
    }

    /// A line of data. One that is whole needs no blank line after it; a second one goes on with the first.
    fn data(&mut self, data: &str, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        if self.held_kind == Held::Error || !self.held.is_empty() {
            return self.hold(data);
        }
        self.event(data, out)
    }

    fn hold(&mut self, line: &str) -> Result<(), Fault> {
        if self.held.len() + line.len() > LONGEST {
            return Err(Fault::garbage("an event longer than 4 MiB"));
        }
        if !self.held.is_empty() {
            self.held.push('\n');
        }
        self.held.push_str(line);
        Ok(())
    }

    /// A blank line ends an event; one whose JSON is not whole by then never will be. It says nothing to a body over
    /// several lines.
    fn dispatch(&mut self, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        match self.held_kind {
            Held::Error => Err(Fault::of_stream(self.protocol, &self.held)),
            Held::Data if !self.held.is_empty() => self.again(out),
            Held::Data | Held::Plain => Ok(()),
        }
    }

    /// What comes now is no part of a body over several lines any more.
    fn dispatch_plain(&mut self, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        if !self.held.is_empty() {
            self.again(out)?;
        }
        self.held_kind = Held::Data;
        Ok(())
    }

    /// Reads what is held, once: to try it with each line would take time that grows by the square.
    fn again(&mut self, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.held);
        self.event(&held, out)?;
        let held = std::mem::take(&mut self.held);
        if held.is_empty() { Ok(()) } else { self.passed_over(&held) }
    }

    fn event(&mut self, text: &str, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        if self.form != Form::Ollama && text == "[DONE]" {
            return self.end(out);
        }
        let said = match self.read(text, out) {
            Ok(said) => said,
            // The rest of it may come on the next line.
            Err(error) if error.is_eof() && text.starts_with(['{', '[', '"']) => {
                text.clone_into(&mut self.held);
                return Ok(());
            }
            Err(_) => match lenient::mend(self.form, text) {
                Mended::Error => Said::Error,
                Mended::Odd => return self.passed_over(text),
                Mended::Event(event) => match self.read(&event, out) {
                    Ok(said) => said,
                    Err(_) => return self.passed_over(text),
                },
            },
        };
        self.seen = Seen::Events;
        if self.turn.calls.are_too_many() {
            return Err(Fault::garbage("more tool calls than any answer has (128, or 1 MiB of text)"));
        }
        match said {
            // A message that was not streamed is whole by its JSON, with a reason or without.
            Said::More if self.held_kind == Held::Plain && self.turn.written == Written::Whole => {
                self.turn.end.get_or_insert(Ending::Stop);
                Ok(())
            }
            Said::More => Ok(()),
            Said::End => self.end(out),
            Said::Error => Err(Fault::of_stream(self.protocol, text)),
            Said::ErrorWithin(error) => Err(Fault::of_stream(self.protocol, &error)),
        }
    }

    fn read(&mut self, text: &str, out: &mut VecDeque<Chunk>) -> Result<Said, serde_json::Error> {
        match self.form {
            Form::Chat => chat::read(text, &mut self.turn, out),
            Form::Completion => completion::read(text, &mut self.turn, out),
            Form::Ollama => ollama::read(text, &mut self.turn, out),
        }
    }

    /// Passes over what is no event. One that was begun as an event of the dialect and is damaged may have had text in it:
    /// without that the answer is not whole.
    fn passed_over(&mut self, text: &str) -> Result<(), Fault> {
        let has = |keys: &[&str]| keys.iter().any(|key| text.contains(key));
        // One that is cut before its text had it behind the cut.
        let is_cut = || serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|error| error.is_eof());
        if text.starts_with('{') && (has(&TEXT_KEYS) || (has(&FIRST_KEYS) && is_cut())) {
            return Err(Fault::garbage(format!("a damaged event: “{}”", beginning(text))));
        }
        if self.turn.odd.count == 0 {
            self.turn.odd.first = beginning(text);
        }
        self.turn.odd.count += 1;
        Ok(())
    }

    /// The server says that this is all.
    fn end(&mut self, out: &mut VecDeque<Chunk>) -> Result<(), Fault> {
        let turn = &mut self.turn;
        turn.flush(out);
        let called = !turn.calls.is_empty();
        out.extend(turn.calls.take().map(Chunk::ToolCall));
        let end = match turn.end.take() {
            Some(Ending::Bad(reason)) => {
                return Err(Fault::aborted(format!("the server ended the answer with the reason “{reason}”")));
            }
            Some(Ending::Unnamed) => return Err(Fault::aborted("the server ended the answer with an empty reason")),
            Some(Ending::Length) => TurnEnd::Length,
            Some(Ending::ToolCalls) => TurnEnd::ToolCalls,
            // Nothing that was said could be read.
            None if self.seen != Seen::Events && turn.odd.count > 0 => return Err(turn.odd.fault()),
            // What could not be read may have been the reason.
            None if turn.odd.count > 0 => {
                let count = turn.odd.count;
                let what = if count == 1 {
                    "an event that can't be read".to_owned()
                } else {
                    format!("{count} events that can't be read")
                };
                return Err(Fault::aborted(format!(
                    "the server ended the answer without a reason, after {what} (“{}”)",
                    turn.odd.first
                )));
            }
            // Ollama and some others say "stop" for an answer that asks for tools.
            Some(Ending::Stop) | None if called => TurnEnd::ToolCalls,
            // A [DONE] without a reason is an end too: there are servers that never name one.
            Some(Ending::Stop) | None => TurnEnd::Stop,
        };
        if let Some(json) = turn.json_elsewhere() {
            out.push_back(Chunk::Answer(json));
        }
        out.push_back(Chunk::End { end, usage: turn.usage });
        turn.over = true;
        Ok(())
    }
}

impl Odd {
    fn fault(&self) -> Fault {
        Fault::garbage(format!("nothing that came can be read, as “{}”", self.first))
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(120).collect()
}

/// mlx tells how far the prompt is read: `: keepalive 2048/5009`. Every other comment only shows life.
fn comment_chunk(comment: &str) -> Chunk {
    let progress = comment.trim().strip_prefix("keepalive ").and_then(|figures| {
        let (done, total) = figures.split_once('/')?;
        Some(PromptProgress { processed: done.trim().parse().ok()?, total: total.trim().parse().ok()? })
    });
    progress.map_or(Chunk::Alive, Chunk::from)
}

impl Turn {
    fn thinking(&mut self, text: String, out: &mut VecDeque<Chunk>) {
        if !text.is_empty() {
            self.split.saw_thinking();
            self.place(Piece::Thinking(text), out);
        }
    }

    fn content(&mut self, text: String, out: &mut VecDeque<Chunk>) {
        let mut split = std::mem::take(&mut self.split);
        split.push(text, &mut |piece| self.place(piece, out));
        self.split = split;
    }

    /// The server named a reason.
    fn named(&mut self, ending: Ending) {
        if self.end.as_ref().is_none_or(|known| *known < ending) {
            self.end = Some(ending);
        }
    }

    /// Emits what is still held of the text.
    fn flush(&mut self, out: &mut VecDeque<Chunk>) {
        let mut split = std::mem::take(&mut self.split);
        split.finish(&mut |piece| self.place(piece, out));
        self.split = split;
    }

    fn place(&mut self, piece: Piece, out: &mut VecDeque<Chunk>) {
        let (text, chunk): (_, fn(String) -> Chunk) = match piece {
            Piece::Thinking(text) => {
                if self.text == Text::None {
                    self.text = Text::Thinking;
                }
                (text, Chunk::Thinking)
            }
            Piece::Answer(text) => {
                if self.text != Text::Answer {
                    self.text = if text.trim().is_empty() { self.text } else { Text::Answer };
                }
                (text, Chunk::Answer)
            }
            Piece::Rethought => {
                self.text = Text::Thinking;
                return out.push_back(Chunk::Rethought);
            }
            Piece::Call(name) => return self.calls.begin(name),
            Piece::Arguments(text) => return self.calls.go_on(&text),
        };
        if let Some(all) = &mut self.json {
            if all.len() + text.len() > JSON {
                self.json = None;
            } else {
                all.push_str(&text);
            }
        }
        out.push_back(chunk(text));
    }

    /// The JSON that was asked for, where no answer came and the thinking ends in it.
    fn json_elsewhere(&mut self) -> Option<String> {
        let all = self.json.take().filter(|_| self.text == Text::Thinking)?;
        let begins = all.match_indices('{').take(TRIES).map(|(at, _)| at);
        begins
            .filter(|at| serde_json::from_str::<IgnoredAny>(&all[*at..]).is_ok())
            .map(|at| all[at..].to_owned())
            .next()
    }
}

/// More tokens than any context has, and more µs than any request takes (11 days): a figure above makes no sense.
const MOST_TOKENS: u64 = 1_000_000_000;
const MOST_TIME: u64 = 1_000_000_000_000;

/// Replaces what was known only by something that is known better.
fn take_tokens(to: &mut u64, known: Option<u64>) {
    *to = known.filter(|tokens| (1..MOST_TOKENS).contains(tokens)).unwrap_or(*to);
}

/// The same for µs.
fn take_time(to: &mut u64, known: Option<u64>) {
    *to = known.filter(|us| (1..MOST_TIME).contains(us)).unwrap_or(*to);
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
        take_tokens(&mut usage.cached_tokens, self.cache_n);
        take_tokens(&mut usage.prompt_tokens, self.prompt_n.map(|n| n.saturating_add(self.cache_n.unwrap_or(0))));
        take_tokens(&mut usage.output_tokens, self.predicted_n);
        // It counts the steps after the first token; for a single token it is a placeholder.
        if self.predicted_n.is_some_and(|n| n > 1) {
            take_time(&mut usage.generation_us, self.predicted_ms.map(|ms| (ms * 1000.0).round() as u64));
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
    fn from(PromptProgress { processed, total }: PromptProgress) -> Self {
        if processed <= total && total < MOST_TOKENS { Self::Progress { processed, total } } else { Self::Alive }
    }
}
