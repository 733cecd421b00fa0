//! Ollama's own two forms: one JSON object a line.

use time::format_description::well_known::Rfc3339;

use super::{ARGUMENTS, Form, Part, TOOL, Totals, Wire, finish_word, written};
use crate::engine::simulator::pieces;
use crate::engine::simulator::script::{Finish, Script};

/// What Ollama writes when the process under it dies in a stream.
pub(super) const BROKEN_LINE: &[u8] =
    b"{\"error\":\"an error was encountered while running the model: unexpected EOF\"}\n";

/// The time now as Ollama writes it, with nanoseconds.
pub(in super::super) fn now() -> String {
    time::OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}

/// A JSON string with `<`, `>` and `&` escaped, as Go writes it.
fn quoted(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    super::quoted(out, text);
    if out[start..].iter().any(|b| matches!(b, b'<' | b'>' | b'&')) {
        let plain = out.split_off(start);
        for byte in plain {
            match byte {
                b'<' => out.extend(b"\\u003c"),
                b'>' => out.extend(b"\\u003e"),
                b'&' => out.extend(b"\\u0026"),
                other => out.push(other),
            }
        }
    }
}

fn head(wire: &Wire, out: &mut Vec<u8>) {
    out.extend(b"{\"model\":");
    quoted(out, &wire.model);
    out.extend(format!(",\"created_at\":\"{}\",", now()).bytes());
}

fn said(wire: &Wire, out: &mut Vec<u8>, thinking: &str, answer: &str, calls: &Finish) {
    match wire.form {
        Form::OllamaGenerate => {
            out.extend(b"\"response\":");
            quoted(out, answer);
            if !thinking.is_empty() {
                out.extend(b",\"thinking\":");
                quoted(out, thinking);
            }
        }
        _ => {
            out.extend(b"\"message\":{\"role\":\"assistant\",\"content\":");
            quoted(out, answer);
            if !thinking.is_empty() {
                out.extend(b",\"thinking\":");
                quoted(out, thinking);
            }
            if *calls == Finish::Tools {
                let call = format!("\"index\":0,\"name\":\"{TOOL}\",\"arguments\":{ARGUMENTS}");
                out.extend(format!(",\"tool_calls\":[{{\"id\":\"call_sim\",\"function\":{{{call}}}}}]").bytes());
            }
            out.push(b'}');
        }
    }
}

/// One piece.
pub(super) fn piece(wire: &Wire, out: &mut Vec<u8>, part: Part, text: &str) {
    head(wire, out);
    match part {
        Part::Thinking => said(wire, out, text, "", &Finish::Stop),
        Part::Answer => said(wire, out, "", text, &Finish::Stop),
    }
    out.extend(b",\"done\":false}\n");
}

/// The figures: nanoseconds, and a figure that is zero is left out.
fn figures(wire: &Wire, out: &mut Vec<u8>, script: &Script, totals: &Totals) {
    // It calls a turn that ends with a call a stop.
    let reason = if script.finish == Finish::Tools { "stop" } else { finish_word(&script.finish) };
    out.extend(format!(",\"done\":true,\"done_reason\":\"{reason}\"").bytes());
    if wire.form == Form::OllamaGenerate {
        let context: Vec<u32> = (0..pieces::count(&wire.ask().last).min(64)).collect();
        out.extend(format!(",\"context\":{context:?}").bytes());
    }
    let ns = |ms: f64| (ms * 1e6) as u64;
    let figures = [
        ("total_duration", totals.total_ns),
        ("load_duration", totals.load_ns),
        ("prompt_eval_count", u64::from(totals.prompt_n)),
        ("prompt_eval_duration", ns(totals.prompt_ms)),
        ("eval_count", u64::from(totals.predicted_n)),
        ("eval_duration", ns(totals.predicted_ms)),
    ];
    for (name, value) in figures.iter().filter(|(_, value)| *value > 0) {
        out.extend(format!(",\"{name}\":{value}").bytes());
    }
    out.push(b'}');
}

/// The last line.
pub(super) fn end(wire: &Wire, out: &mut Vec<u8>, script: &Script, totals: &Totals) {
    head(wire, out);
    said(wire, out, "", "", &script.finish);
    figures(wire, out, script, totals);
    out.push(b'\n');
}

/// The body of a request with `stream:false`.
pub(super) fn whole(wire: &Wire, script: &Script, totals: &Totals) -> Vec<u8> {
    let mut out = Vec::new();
    head(wire, &mut out);
    let answer = if wire.form == Form::OllamaGenerate { written(script) } else { script.answer.text() };
    said(wire, &mut out, script.thinking.text(), answer, &script.finish);
    figures(wire, &mut out, script, totals);
    out
}
