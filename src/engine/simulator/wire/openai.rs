//! The OpenAI form as other servers write it: Ollama's `/v1`, and a plain server in mlx_lm.server's manner (the role in
//! every delta, thinking as `reasoning`). Neither tells timings.

use super::{ARGUMENTS, Form, Part, TOOL, Totals, Wire, finish_word, quoted};
use crate::engine::simulator::script::{Finish, Script};

fn head(wire: &Wire, out: &mut Vec<u8>, object: &str, model: &str) {
    let print = if wire.form == Form::OllamaOpenAi { "fp_ollama" } else { "simulated" };
    out.extend(
        format!("{{\"id\":\"{}\",\"object\":\"{object}\",\"created\":{},\"model\":", wire.id, wire.created).bytes(),
    );
    quoted(out, model);
    out.extend(format!(",\"system_fingerprint\":\"{print}\",\"choices\":[").bytes());
}

fn chunk(wire: &Wire, out: &mut Vec<u8>, finish: &str, delta: impl FnOnce(&mut Vec<u8>)) {
    out.extend(b"data: ");
    head(wire, out, "chat.completion.chunk", &wire.model);
    out.extend(b"{\"index\":0,\"delta\":{");
    delta(out);
    out.extend(format!("}},\"finish_reason\":{finish}}}]").bytes());
}

/// One piece.
pub(super) fn piece(wire: &Wire, out: &mut Vec<u8>, part: Part, text: &str) {
    chunk(wire, out, "null", |out| {
        if wire.form == Form::OpenAi || wire.pieces == 0 {
            out.extend(b"\"role\":\"assistant\",");
        }
        match part {
            Part::Thinking => {
                if wire.form == Form::OllamaOpenAi {
                    out.extend(b"\"content\":\"\",");
                }
                out.extend(b"\"reasoning\":");
            }
            Part::Answer => out.extend(b"\"content\":"),
        }
        quoted(out, text);
    });
    out.extend(b"}\n\n");
}

/// An empty chunk without a model.
pub(super) fn blank(wire: &Wire, out: &mut Vec<u8>) {
    out.extend(b"data: ");
    head(wire, out, "chat.completion.chunk", "");
    out.extend(b"{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":null}]}\n\n");
}

fn tool_call(out: &mut Vec<u8>) {
    let call = "\"index\":0,\"id\":\"call_sim\",\"type\":\"function\"";
    out.extend(format!("\"tool_calls\":[{{{call},\"function\":{{\"name\":\"{TOOL}\",\"arguments\":").bytes());
    quoted(out, ARGUMENTS);
    out.extend(b"}}]");
}

fn usage(wire: &Wire, out: &mut Vec<u8>, totals: &Totals) {
    let (prompt, answer) = (totals.prompt_n, totals.predicted_n);
    let all = prompt + answer;
    let details = if wire.form == Form::OpenAi { ",\"prompt_tokens_details\":{\"cached_tokens\":0}" } else { "" };
    out.extend(
        format!(
            ",\"usage\":{{\"prompt_tokens\":{prompt},\"completion_tokens\":{answer},\"total_tokens\":{all}{details}}}"
        )
        .bytes(),
    );
}

/// Finish chunk, usage chunk when wanted, and `[DONE]`.
pub(super) fn end(wire: &Wire, out: &mut Vec<u8>, script: &Script, totals: &Totals) {
    if script.finish == Finish::Tools {
        chunk(wire, out, "null", |out| {
            out.extend(b"\"role\":\"assistant\",\"content\":\"\",");
            tool_call(out);
        });
        out.extend(b"}\n\n");
    }
    chunk(wire, out, &format!("\"{}\"", finish_word(&script.finish)), |out| {
        if wire.form == Form::OpenAi {
            out.extend(b"\"role\":\"assistant\"");
        }
    });
    out.extend(b"}\n\n");
    if wire.ask().usage.is_yes() {
        // mlx_lm.server calls this chunk a whole completion.
        let object = if wire.form == Form::OpenAi { "chat.completion" } else { "chat.completion.chunk" };
        out.extend(b"data: ");
        head(wire, out, object, &wire.model);
        out.push(b']');
        usage(wire, out, totals);
        out.extend(b"}\n\n");
    }
    out.extend(b"data: [DONE]\n\n");
}

/// The body of a request that is not streamed.
pub(super) fn whole(wire: &Wire, script: &Script, totals: &Totals) -> Vec<u8> {
    let mut out = Vec::new();
    head(wire, &mut out, "chat.completion", &wire.model);
    out.extend(b"{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    quoted(&mut out, script.answer.text());
    if script.thinking.len() > 0 {
        out.extend(b",\"reasoning\":");
        quoted(&mut out, script.thinking.text());
    }
    if script.finish == Finish::Tools {
        out.push(b',');
        tool_call(&mut out);
    }
    out.extend(format!("}},\"finish_reason\":\"{}\"}}]", finish_word(&script.finish)).bytes());
    usage(wire, &mut out, totals);
    out.push(b'}');
    out
}
