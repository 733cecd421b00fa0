//! Answers as bytes: the six forms an answer takes on the wire.
//!
//! Not here: when the bytes are sent (`reply`). Source of the shapes: recordings of llama-server, Ollama and
//! mlx_lm.server. Invariant: the figures of one answer add up, whichever form shows them.

pub(super) mod llama;
pub(super) mod ollama;
pub(super) mod openai;

use super::ask::{Ask, Wish};
use super::script::{Finish, LENGTH, Script};

/// The tool that a model calls though nobody offered it, and what it says to it.
const TOOL: &str = "web_search";
const ARGUMENTS: &str = "{\"query\":\"SIMULATED\"}";
/// The call as models write it, for forms that know no calls and pass on what was written.
const WRITTEN: &str =
    "<tool_call>\n{\"name\": \"web_search\", \"arguments\": {\"query\": \"SIMULATED\"}}\n</tool_call>";

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// llama.cpp `/v1/chat/completions`.
    LlamaChat,
    /// llama.cpp `/completion`.
    LlamaNative,
    /// Ollama `/api/chat`.
    OllamaChat,
    /// Ollama `/api/generate`.
    OllamaGenerate,
    /// Ollama `/v1/chat/completions`.
    OllamaOpenAi,
    /// A plain OpenAI-compatible server's `/v1/chat/completions`.
    OpenAi,
}

/// Which part of an answer a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Thinking.
    Thinking,
    /// The answer proper.
    Answer,
}

/// The figures of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// Tokens of the prompt.
    pub(super) prompt_n: u32,
    /// Milliseconds to read it.
    pub(super) prompt_ms: f64,
    /// Tokens generated so far.
    pub(super) predicted_n: u32,
    /// Milliseconds to generate them.
    pub(super) predicted_ms: f64,
    /// Nanoseconds since the request came.
    pub(super) total_ns: u64,
    /// Nanoseconds to load the model.
    pub(super) load_ns: u64,
    /// The slot.
    pub(super) slot: usize,
}

/// A writer of one answer.
#[derive(Debug)]
pub(super) struct Wire {
    form: Form,
    ask: Ask,
    model: String,
    id: String,
    created: i64,
    pieces: u32,
}

impl Wire {
    /// A writer for one answer; `number` is the request's number in its server.
    pub(super) fn new(form: Form, ask: Ask, model: &str, number: u64, salt: u64) -> Self {
        let created = time::OffsetDateTime::now_utc().unix_timestamp();
        let id = match form {
            Form::OllamaOpenAi => format!("chatcmpl-{}", salt % 999),
            _ => format!("chatcmpl-{}", letters(salt ^ number)),
        };
        Self { form, ask, model: model.to_owned(), id, created, pieces: 0 }
    }

    /// The form.
    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// The request.
    pub(super) fn ask(&self) -> &Ask {
        &self.ask
    }

    /// How far the prompt is read, where the request wants to know.
    pub(super) fn progress(&mut self, out: &mut Vec<u8>, total: u32, processed: u32, ms: f64) {
        match self.form {
            Form::LlamaChat => llama::chat_progress(self, out, total, processed, ms),
            Form::LlamaNative => llama::native_progress(out, total, processed, ms),
            Form::OpenAi => out.extend(format!(": keepalive {processed}/{total}\n\n").bytes()),
            _ => {}
        }
    }

    /// A sign of life while nothing is to be said.
    pub(super) fn ping(&self, out: &mut Vec<u8>) {
        if matches!(self.form, Form::LlamaChat | Form::LlamaNative) {
            out.extend(b":\n\n");
        }
    }

    /// One piece of text. `live` is what `timings_per_token` shows.
    pub(super) fn piece(&mut self, out: &mut Vec<u8>, part: Part, text: &str, live: &Totals) {
        match self.form {
            Form::LlamaChat => llama::chat_piece(self, out, part, text, live),
            Form::LlamaNative => llama::native_piece(self, out, text, live),
            Form::OllamaChat | Form::OllamaGenerate => ollama::piece(self, out, part, text),
            Form::OllamaOpenAi | Form::OpenAi => openai::piece(self, out, part, text),
        }
        self.pieces += 1;
    }

    /// The end of a good answer.
    pub(super) fn end(&mut self, out: &mut Vec<u8>, script: &Script, totals: &Totals) {
        if script.finish == Finish::Tools && matches!(self.form, Form::LlamaNative | Form::OllamaGenerate) {
            self.piece(out, Part::Answer, WRITTEN, totals);
        }
        match self.form {
            Form::LlamaChat => llama::chat_end(self, out, script, totals),
            Form::LlamaNative => llama::native_end(self, out, script, totals),
            Form::OllamaChat | Form::OllamaGenerate => ollama::end(self, out, script, totals),
            Form::OllamaOpenAi | Form::OpenAi => openai::end(self, out, script, totals),
        }
    }

    /// The server's own error in the middle of a stream.
    pub(super) fn error(&self, out: &mut Vec<u8>) {
        match self.form {
            Form::OllamaChat | Form::OllamaGenerate => out.extend(ollama::BROKEN_LINE),
            // This server loses the text of the error: an empty chunk without a model, then the end.
            Form::OllamaOpenAi => openai::blank(self, out),
            Form::LlamaChat | Form::LlamaNative | Form::OpenAi => {
                out.extend(
                    b"data: {\"error\":{\"code\":500,\"message\":\"Compute error.\",\"type\":\"server_error\"}}\n\n",
                );
            }
        }
    }

    /// Bytes that are neither JSON nor UTF-8.
    pub(super) fn garbage(&self, out: &mut Vec<u8>) {
        if !matches!(self.form, Form::OllamaChat | Form::OllamaGenerate) {
            out.extend(b"data: ");
        }
        out.extend(b"{\"choices\":[{\"delta\":{\"conte\xff\xfe\x1b]0;x\x07nt\": }}\x00\x80\n\n");
    }

    /// The whole answer in one body.
    pub(super) fn whole(&self, script: &Script, totals: &Totals) -> Vec<u8> {
        match self.form {
            Form::LlamaChat => llama::chat_whole(self, script, totals),
            Form::LlamaNative => {
                let mut out = Vec::new();
                llama::native_object(self, &mut out, script, totals, written(script));
                out
            }
            Form::OllamaChat | Form::OllamaGenerate => ollama::whole(self, script, totals),
            Form::OllamaOpenAi | Form::OpenAi => openai::whole(self, script, totals),
        }
    }

    /// Whether timings are wanted on every chunk.
    pub(super) fn timed(&self) -> Wish {
        self.ask.timings
    }
}

/// The answer in a form that knows no calls.
fn written(script: &Script) -> &str {
    if script.finish == Finish::Tools { WRITTEN } else { script.answer.text() }
}

/// The OpenAI word for an ending.
fn finish_word(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Word(_) => "stop",
        Finish::Length => LENGTH,
        Finish::Tools => "tool_calls",
        Finish::Odd(reason) => reason,
    }
}

/// A JSON string. Writing to memory cannot fail.
fn quoted(out: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(&mut *out, text);
}

/// 32 letters and digits, as llama.cpp makes its ids.
fn letters(seed: u64) -> String {
    const SET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut dice = super::random::Dice::new(seed);
    (0..32).map(|_| char::from(SET[dice.below(SET.len())])).collect()
}
