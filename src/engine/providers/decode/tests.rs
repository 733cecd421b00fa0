//! What is an answer and what is none: ends, errors, odd events, thinking, bounds.

use std::collections::VecDeque;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Decoder, Fault};
use crate::domain::fleet::{Api, Protocol};
use crate::domain::protocol::{FailureKind as K, TurnEnd, Usage};
use crate::engine::providers::{AnswerFormat, Chunk};

type Form = (Protocol, Api);
const CHAT: Form = (Protocol::OpenAi, Api::Chat);
const NATIVE: Form = (Protocol::LlamaCpp, Api::Native);
const OLLAMA: Form = (Protocol::Ollama, Api::Chat);

/// An answer, put together.
#[derive(Debug, Default, PartialEq)]
struct Read {
    thinking: String,
    answer: String,
    calls: Vec<String>,
    end: Option<(TurnEnd, Usage)>,
    fault: Option<Fault>,
}

impl Read {
    fn kind(&self) -> Option<K> {
        self.fault.as_ref().map(|fault| fault.kind)
    }

    fn is_good(&self, answer: &str) -> bool {
        self.fault.is_none() && self.answer == answer && self.end.is_some()
    }
}

fn fed<'a>(mut decoder: Decoder, pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let (mut out, mut read) = (VecDeque::new(), Read::default());
    let fed = pieces.into_iter().try_for_each(|piece| decoder.feed(piece, &mut out));
    read.fault = fed.and_then(|()| decoder.finish(&mut out)).err();
    for chunk in out {
        assert_eq!(read.end, None, "nothing follows the end");
        match chunk {
            Chunk::Thinking(text) => read.thinking += &text,
            Chunk::Answer(text) => read.answer += &text,
            Chunk::Rethought => read.thinking += &std::mem::take(&mut read.answer),
            Chunk::ToolCall(call) => read.calls.push(call),
            Chunk::End { end, usage } => read.end = Some((end, usage)),
            Chunk::Progress { .. } | Chunk::Alive | Chunk::Accepted => {}
        }
    }
    assert_ne!(read.end.is_some(), read.fault.is_some(), "an end or a fault: {read:?}");
    read
}

/// Whole, byte by byte, and cut in two at every place: always the same.
fn read((protocol, api): Form, body: impl AsRef<[u8]>) -> Read {
    let body = body.as_ref();
    let whole = fed(Decoder::new(protocol, api), [body]);
    assert_eq!(fed(Decoder::new(protocol, api), body.chunks(1)), whole, "{}", String::from_utf8_lossy(body));
    if body.len() < 1_000 {
        for cut in 0..body.len() {
            assert_eq!(fed(Decoder::new(protocol, api), [&body[..cut], &body[cut..]]), whole, "cut at {cut}");
        }
    }
    whole
}

fn event(delta: Value, reason: Value) -> String {
    format!("data: {}\n\n", json!({"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}))
}

fn text(text: &str) -> String {
    event(json!({ "content": text }), Value::Null)
}

fn stop() -> String {
    event(json!({}), json!("stop")) + DONE
}

const DONE: &str = "data: [DONE]\n\n";

#[test]
fn only_reasons_known_as_good_ends_are_ends() {
    for (reason, end) in [
        ("stop", TurnEnd::Stop),
        ("STOP", TurnEnd::Stop),
        ("eos", TurnEnd::Stop),
        ("eos_token", TurnEnd::Stop),
        ("end_turn", TurnEnd::Stop),
        ("stop_sequence", TurnEnd::Stop),
        ("complete", TurnEnd::Stop),
        ("completed", TurnEnd::Stop),
        ("length", TurnEnd::Length),
        ("max_tokens", TurnEnd::Length),
        ("limit", TurnEnd::Length),
        ("tool_calls", TurnEnd::ToolCalls),
        ("function_call", TurnEnd::ToolCalls),
    ] {
        for done in [DONE, ""] {
            let whole = read(CHAT, text("Hello.") + &event(json!({}), json!(reason)) + done);
            assert_eq!(
                (whole.answer.as_str(), whole.end.map(|(end, _)| end)),
                ("Hello.", Some(end.clone())),
                "{reason}"
            );
        }
    }
    for reason in
        ["abort", "error", "content_filter", "cancelled", "load", "unload", "timeout", "repetition", "", "unknown"]
    {
        for done in [DONE, ""] {
            let half = read(CHAT, text("Half an ans") + &event(json!({}), json!(reason)) + done);
            assert_eq!((half.answer.as_str(), half.kind()), ("Half an ans", Some(K::Aborted)), "{reason}");
            assert!(half.fault.unwrap().came.contains(if reason.is_empty() { "empty" } else { reason }));
        }
    }
    // A bad one after a good one, and the other way round.
    for (first, second) in [("stop", "abort"), ("abort", "stop"), ("length", "error")] {
        let body = text("x") + &event(json!({}), json!(first)) + &event(json!({}), json!(second)) + DONE;
        assert_eq!(read(CHAT, body).kind(), Some(K::Aborted), "{first} {second}");
    }
    for (first, second, end) in
        [("", "stop", TurnEnd::Stop), ("stop", "", TurnEnd::Stop), ("length", "stop", TurnEnd::Length)]
    {
        let body = event(json!({"content": "x"}), json!(first)) + &event(json!({}), json!(second)) + DONE;
        assert_eq!(read(CHAT, body).end.map(|(end, _)| end), Some(end), "{first} {second}");
    }
    for reason in [json!(true), json!(3), json!({"type": "stop"})] {
        assert_eq!(read(CHAT, text("x") + &event(json!({}), reason) + DONE).kind(), Some(K::Aborted));
    }
}

#[test]
fn the_other_forms_have_their_own_ends() {
    for (stop, good) in [
        (json!({"stop": true, "stop_type": "eos"}), Some(TurnEnd::Stop)),
        (json!({"stop": true, "stop_type": "word"}), Some(TurnEnd::Stop)),
        (json!({"stop": true, "stop_type": "limit"}), Some(TurnEnd::Length)),
        (json!({"stop": true, "stop_type": "none"}), Some(TurnEnd::Stop)),
        (json!({"stop": true}), Some(TurnEnd::Stop)),
        (json!({"stop": true, "stopped_limit": true}), Some(TurnEnd::Length)),
        (json!({"stop": "true", "stop_type": "eos"}), Some(TurnEnd::Stop)),
        (json!({"stop": true, "stop_type": "abort"}), None),
        (json!({"stop": true, "stop_type": ""}), None),
    ] {
        let body = format!("data: {{\"content\":\"Hi\",\"stop\":false}}\n\ndata: {stop}\n\n");
        let read = read(NATIVE, body);
        assert_eq!((read.answer.as_str(), read.end.as_ref().map(|(end, _)| end)), ("Hi", good.as_ref()), "{stop}");
        assert_eq!(read.kind(), good.is_none().then_some(K::Aborted));
    }
    for (done, good) in [
        (json!({"done": true, "done_reason": "stop"}), Some(TurnEnd::Stop)),
        (json!({"done": true, "done_reason": "length"}), Some(TurnEnd::Length)),
        (json!({"done": true, "done_reason": "null"}), Some(TurnEnd::Stop)),
        (json!({"done": true}), Some(TurnEnd::Stop)),
        (json!({"done": true, "done_reason": null, "eval_count": -3, "total_duration": 1.5}), Some(TurnEnd::Stop)),
        (json!({"done": true, "done_reason": "load"}), None),
        (json!({"done": true, "done_reason": "unload"}), None),
        (json!({"done": true, "done_reason": "abort"}), None),
    ] {
        let read = read(OLLAMA, format!("{{\"message\":{{\"content\":\"Hi\"}},\"done\":false}}\n{done}\n"));
        assert_eq!((read.answer.as_str(), read.end.as_ref().map(|(end, _)| end)), ("Hi", good.as_ref()), "{done}");
        assert_eq!(read.kind(), good.is_none().then_some(K::Aborted));
    }
}

#[test]
fn an_end_without_a_reason_is_one_where_all_was_understood() {
    assert!(read(CHAT, text("Hello.") + DONE).is_good("Hello."));
    assert!(read(CHAT, DONE).is_good(""), "it is the host's to call it empty");
    assert!(read(CHAT, "{\"choices\":[{\"message\":{\"content\":\"Hello.\"}}]}").is_good("Hello."));
    let odd = read(CHAT, text("Half") + "data: what is this\n\n" + DONE);
    assert_eq!((odd.answer.as_str(), odd.kind()), ("Half", Some(K::Aborted)));
    assert_eq!(read(CHAT, text("Half")).kind(), Some(K::Cut));
    // As the simulator has it: of another dialect, and cut.
    let torn = b"{\"message\":{\"content\":\"Half\"}}\n{\"choices\":[{\"delta\":{\"conte\xff\xfe\x1b]0;x\x07nt\": }}\x00\x80\n\n";
    assert_eq!(read(OLLAMA, torn).kind(), Some(K::Garbage));
    assert_eq!(read(CHAT, String::from("data: ping\n\n") + DONE).kind(), Some(K::Garbage));
    assert_eq!(read(CHAT, "data: ping\n\n").kind(), Some(K::Garbage));
}

#[test]
fn an_error_of_any_shape_is_a_failure_in_the_servers_words() {
    let shapes = [
        "error: {\"code\":500,\"message\":\"out of memory\",\"type\":\"server_error\"}\n\n",
        "error: out of memory\n\n",
        "event: error\ndata: {\"message\":\"out of memory\"}\n\n",
        "event: error\ndata: out of memory\n\n",
        "event:error\ndata: {\"message\":\ndata: \"out of memory\"}\n\n",
        "data: {\"error\":{\"message\":\"out of memory\"}}\n\n",
        "data: {\"error\":\"out of memory\"}\n\n",
        "data: {\"error\":true,\"message\":\"out of memory\"}\n\n",
        "data: {\"error\":500,\"message\":\"out of memory\"}\n\n",
        "data: {\"error\":[\"out of memory\"]}\n\n",
        "data: {\"object\":\"error\",\"message\":\"out of memory\",\"code\":50000}\n\n",
        "data: {\"type\":\"error\",\"error\":{\"message\":\"out of memory\"}}\n\n",
        "data: {\"type\":\"error\",\"message\":\"out of memory\"}\n\n",
        "data: {\"detail\":\"out of memory\"}\n\n",
        "data: {\"message\":\"out of memory\",\"code\":500}\n\n",
        "data: {\"message\":\"out of memory\",\"status\":\"500\"}\n\n",
        "data: {\"message\":\"out of memory\",\"type\":\"RuntimeError\"}\n\n",
        "data: {\"message\":\"out of memory\",\"status\":\"failed\"}\n\n",
        "data: \"{\\\"error\\\":\\\"out of memory\\\"}\"\n\n",
        "data: [{\"error\":{\"message\":\"out of memory\"}}]\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"error\":{\"message\":\"out of memory\"}}\n\n",
        "{\"error\":{\"message\":\"out of memory\"}}\n",
        "{\n  \"error\": {\n    \"message\": \"out of memory\"\n  }\n}\n",
    ];
    for shape in shapes {
        for before in [String::new(), text("Half")] {
            let read = read(CHAT, before.clone() + shape + &stop());
            assert_eq!(read.kind(), Some(K::Server), "{shape}");
            assert!(read.fault.unwrap().came.contains("out of memory"), "{shape}");
            assert_eq!(read.answer, if before.is_empty() { "" } else { "Half" });
        }
    }
    for shape in [
        "{\"error\":\"out of memory\"}\n",
        "{\"message\":\"out of memory\",\"code\":500}\n",
        "\"{\\\"error\\\":\\\"out of memory\\\"}\"\n",
    ] {
        let read = read(OLLAMA, format!("{{\"message\":{{\"content\":\"Half\"}},\"done\":false}}\n{shape}"));
        assert_eq!((read.kind(), read.answer.as_str()), (Some(K::Server), "Half"), "{shape}");
    }
    assert_eq!(read(CHAT, "event: error\n\n").kind(), Some(K::Server));
    assert_eq!(read(CHAT, "event: error").kind(), Some(K::Server));
    for none in ["null", "false", "\"\"", "{}", "[]", "0"] {
        let body = text("Hel")
            + &format!("data: {{\"error\":{none},\"choices\":[{{\"delta\":{{\"content\":\"lo.\"}}}}]}}\n\n")
            + &stop();
        assert!(read(CHAT, body).is_good("Hello."), "{none}");
    }
}

#[test]
fn a_good_answer_is_not_lost_to_an_odd_event() {
    let odd = [
        "data: : PROCESSING\n\n",
        "event: ping\ndata: ping\n\n",
        "data: keepalive\n\n",
        "data: {nonsense}\n\n",
        "data: {\"half\n\n",
        "data: \"half\n\n",
        "data: null\n\n",
        "data: 17\n\n",
        "data: []\n\n",
        "data: \"a word\"\n\n",
        "data: {}\n\n",
        "data:\n\n",
        "data\n\n",
        "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        "id: 7\nretry: 3000\n\n",
        ": comment\n\n",
        "what: is this\n\n",
        "data: {\"choices\":null}\n\n",
        "data: {\"choices\":[]}\n\n",
        "data: {\"choices\":[null]}\n\n",
        "data: {\"choices\":{}}\n\n",
        "data: {\"choices\":\"none\"}\n\n",
        "data: {\"choices\":[{\"delta\":null}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":null}}]}\n\n",
        "data: {\"choices\":[{\"delta\":[]}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":null}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"},\"finish_reason\":\"\"}]}\n\n",
        "data: {\"usage\":\"none\"}\n\n",
        "data: {\"type\":\"status\",\"message\":\"model is warm\"}\n\n",
        "data: {\"status\":\"processing\",\"message\":\"queued\"}\n\n",
        "data: {\"status\":\"processing\",\"detail\":\"queued\"}\n\n",
        "data: {\"code\":200,\"message\":\"ok\"}\n\n",
        "data: {\"choices\":[{\"delta\":{\"function_call\":{\"name\":\"\",\"arguments\":\"\"}}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\"}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"null\"}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"None\"}]}\n\n",
        "data: {\"prompt_progress\":{\"total\":-1}}\n\n",
    ];
    for odd in odd {
        for body in [odd.to_owned() + &text("Hel") + &text("lo.") + &stop(), text("Hel") + odd + &text("lo.") + &stop()]
        {
            let read = read(CHAT, &body);
            assert!(read.is_good("Hello.") && read.calls.is_empty(), "{body}: {read:?}");
            assert_eq!(read.end.map(|(end, _)| end), Some(TurnEnd::Stop), "{body}");
        }
    }
    for odd in [
        "{\"status\":\"processing\",\"message\":\"queued\"}\n",
        "{\"message\":{\"tool_calls\":[{}]},\"done\":false}\n",
        "{\"message\":{},\"done\":false,\"done_reason\":\"none\"}\n",
        "ping\n",
        ": comment\n",
        "{}\n",
        "null\n",
        "{\"status\":\"loading\"}\n",
        "{half\n",
        "\n",
    ] {
        let body = format!("{odd}{{\"message\":{{\"content\":\"Hello.\"}},\"done\":false}}\n{odd}{{\"done\":true}}\n");
        assert!(read(OLLAMA, &body).is_good("Hello."), "{body}");
    }
    // What may have had text in it was no odd event.
    for damaged in
        ["data: {\"choices\":[{\"delta\":{\"con\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]\n\n"]
    {
        assert_eq!(read(CHAT, text("Hel") + damaged + &stop()).kind(), Some(K::Garbage), "{damaged}");
    }
    // Nor was one that is cut before it.
    let line = "{\"model\":\"m\",\"message\":{\"content\":\"Hel\"},\"done\":false}\n";
    for cut in [
        "{\"model\":\"m\",\"mess\n",
        "{\"model\":\"m\
",
    ] {
        let body = format!("{line}{cut}{{\"done\":true}}\n");
        assert!(matches!(read(OLLAMA, &body).kind(), Some(K::Garbage | K::Cut)), "{cut}");
    }
}

#[test]
fn fields_of_another_type_are_read_or_not_told() {
    let hello = [
        json!({"choices": [{"index": -1, "delta": {"content": "Hello."}}]}),
        json!({"choices": [{"index": "0", "delta": {"content": "Hello."}}]}),
        json!({"choices": [{"index": 7, "delta": {"content": "Hello."}}]}),
        json!({"choices": [{"index": 0.5, "delta": {"content": "Hello."}}]}),
        json!({"choices": {"index": 0, "delta": {"content": "Hello."}}}),
        json!({"choices": {"0": {"delta": {"content": "Hello."}}}}),
        json!({"choices": [{"delta": {"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}]}}]}),
        json!({"choices": [{"delta": {"content": {"type": "text", "text": "Hello."}}}]}),
        json!({"choices": [{"delta": {"content": "Hello.", "tool_calls": "none", "reasoning": 3.5}}]}),
        json!({"choices": [{"delta": {"content": "Hello."}, "finish_reason": false}]}),
        json!({"choices": [{"delta": {"content": "Hello."}}], "usage": {"prompt_tokens": 1151, "completion_tokens": -35}}),
        json!({"choices": [{"delta": {"content": "Hello."}}], "usage": {"prompt_tokens": 12.5, "completion_tokens": "3"}}),
        json!({"choices": [{"delta": {"content": "Hello."}}], "usage": [1, 2]}),
        json!({"choices": [{"delta": {"content": "Hello."}}], "usage": {"prompt_tokens": {"n": 1}}}),
        json!({"choices": [{"delta": {"content": "Hello."}}], "timings": {"prompt_n": -1, "predicted_n": 3, "predicted_ms": null}}),
        json!({"choices": [{"delta": {"content": "Hello."}}], "prompt_progress": {"total": 1.5, "processed": 1}}),
    ];
    for hello in hello {
        let read = read(CHAT, format!("data: {hello}\n\n") + &stop());
        let thinking = hello.to_string().contains("3.5");
        assert!(
            read.is_good("Hello.") && read.calls.is_empty() && read.thinking.is_empty() != thinking,
            "{hello}: {read:?}"
        );
    }
    for raw in [
        r#"{"choices":[{"delta":{"content":"x","content":"Hello."}}]}"#,
        r#"{"choices":[{"delta":{"content":"Hello."}}],"usage":{"prompt_tokens":1e999,"completion_tokens":NaN}}"#,
        r#"{"choices":[{"delta":{"content":"Hello."},"logprobs":{"content":[{"logprob":-Infinity}]}}]}"#,
        r#"{"choices":[{"delta":{"content":"Hello."}}],"usage":{"prompt_tokens":99999999999999999999999}}"#,
        r#"{"choices":[{"delta":{"content":"Hello."}}],"usage":null,"usage":{"prompt_tokens":5}}"#,
    ] {
        assert!(read(CHAT, format!("data: {raw}\n\n") + &stop()).is_good("Hello."), "{raw}");
    }
    // A character cut in two between its halves.
    let halves = text("a") + "data: {\"choices\":[{\"delta\":{\"content\":\"\\ud83d\"}}]}\n\n" + &text("b") + &stop();
    assert!(read(CHAT, halves).is_good("a\u{fffd}b"));
    // Parts of a message that are thinking.
    let parts = json!({"choices": [{"delta": {"content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Hello."}]}}]});
    let read_parts = read(CHAT, format!("data: {parts}\n\n") + &stop());
    assert!(read_parts.is_good("Hello.") && read_parts.thinking == "Hm.", "{read_parts:?}");
    // The good figures beside a bad one are taken.
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 1151, "completion_tokens": -35}});
    let usage = read(CHAT, text("Hello.") + &format!("data: {usage}\n\n") + &stop()).end.unwrap().1;
    assert_eq!((usage.prompt_tokens, usage.output_tokens), (1151, 0));
    let huge = json!({"choices": [], "usage": {"prompt_tokens": u64::MAX}, "timings": {"prompt_n": u64::MAX, "cache_n": 9, "predicted_n": 5, "predicted_ms": 1e300}});
    let usage = read(CHAT, text("Hello.") + &format!("data: {huge}\n\n") + &stop()).end.unwrap().1;
    assert_eq!(usage, Usage { cached_tokens: 9, output_tokens: 5, ..Usage::default() });
    let ollama = json!({"done": true, "total_duration": u64::MAX, "load_duration": u64::MAX, "eval_duration": u64::MAX, "eval_count": -3});
    assert!(read(OLLAMA, format!("{{\"message\":{{\"content\":\"Hello.\"}}}}\n{ollama}\n")).is_good("Hello."));
}

#[test]
fn marks_line_ends_and_what_is_no_answer() {
    let good = text("Hel") + &text("lo.") + &stop();
    for body in [
        format!("\u{feff}{good}"),
        good.replace('\n', "\r\n"),
        good.replace('\n', "\r"),
        good.replace("data: ", "data:"),
    ] {
        assert!(read(CHAT, &body).is_good("Hello."), "{body:?}");
    }
    let lines = "{\"message\":{\"content\":\"Hel\"}}\n{\"message\":{\"content\":\"lo.\"}}\n{\"done\":true}\n";
    for body in [format!("\u{feff}{lines}"), lines.replace('\n', "\r"), lines.replace('\n', "\r\n")] {
        assert!(read(OLLAMA, &body).is_good("Hello."), "{body:?}");
    }
    let page = "<!DOCTYPE html>\n<html><head><title>Sign in</title>\n<script>\n{\n  go();\n}\ndata: x\n</script>\n</head>\n<body>Welcome</body></html>\n";
    for form in [CHAT, NATIVE, OLLAMA] {
        let fault = read(form, page).fault.unwrap().by_server(Some("SimpleHTTP/0.6"));
        assert_eq!(fault.kind, K::Garbage);
        assert_eq!(
            fault.came,
            "this is no model server (it says SimpleHTTP/0.6): it answered with the page “Sign in Welcome”"
        );
        let packed = read(form, b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x0a\x00".as_slice());
        assert!(packed.fault.unwrap().came.contains("compressed (gzip)"));
    }
}

#[test]
fn thinking_is_told_apart_as_servers_send_it() {
    let said = |pieces: &[&str]| read(CHAT, pieces.iter().map(|piece| text(piece)).collect::<String>() + &stop());
    let lone = said(&["Okay, the user wants a greeting. ", "I should be brief.", "\n</think>\n\n", "Hello."]);
    assert!(lone.is_good("Hello.") && lone.thinking.starts_with("Okay, the user"), "{lone:?}");
    for (open, close) in [
        ("<thought>", "</thought>"),
        ("<thinking>", "</thinking>"),
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
    ] {
        let read = said(&[&format!("{open}\nThe user wants "), &format!("a greeting.\n{close}\n"), "Hello."]);
        assert!(read.is_good("Hello.") && read.thinking == "\nThe user wants a greeting.\n", "{read:?}");
    }
    let harmony = said(&["analysis", "The user wants a greeting. ", "assistantfinal", "Hello."]);
    assert!(harmony.is_good("Hello."), "{harmony:?}");
    // llama-swap's own words come as thinking before that of the model.
    let swap = event(json!({"reasoning_content": "llama-swap loading model: x"}), Value::Null)
        + &text("<think>a</think>Hello.")
        + &stop();
    assert!(read(CHAT, swap).is_good("Hello."));
}

#[test]
fn tool_calls_and_events_are_bounded() {
    let call = |arguments: &str, index: usize| {
        event(json!({"tool_calls": [{"index": index, "function": {"name": "f", "arguments": arguments}}]}), Value::Null)
    };
    let bounded = |form: Form, event: &dyn Fn(usize) -> String| {
        let mut decoder = Decoder::new(form.0, form.1);
        (0..200_000).find_map(|at| {
            let fed = decoder.feed(event(at).as_bytes(), &mut VecDeque::new());
            Some((at, fed.err()?.kind))
        })
    };
    let long = "a".repeat(100_000);
    assert_eq!(bounded(CHAT, &|_| call(&long, 0)), Some((10, K::Garbage)));
    assert_eq!(bounded(CHAT, &|at| call("{}", at)), Some((128, K::Garbage)));
    let harmony = |at| text(if at == 0 { "<|channel|>commentary to=functions.f<|message|>" } else { &long });
    assert_eq!(bounded(CHAT, &harmony), Some((11, K::Garbage)));
    assert_eq!(bounded(CHAT, &|_| format!("data: {{\"{long}\n")).map(|(_, kind)| kind), Some(K::Garbage));
    assert_eq!(bounded(CHAT, &|_| long.clone()).map(|(_, kind)| kind), Some(K::Garbage));
    // 7.5 MB of 0xff in a line.
    let mut ff = b"data: {\"choices\":[{\"delta\":{\"content\":\"".to_vec();
    ff.extend(std::iter::repeat_n(0xff, 7_500_000));
    let mut decoder = Decoder::new(CHAT.0, CHAT.1);
    assert_eq!(
        ff.chunks(65_536).find_map(|piece| decoder.feed(piece, &mut VecDeque::new()).err()).unwrap().kind,
        K::Garbage
    );
}

#[test]
fn json_in_the_thinking_is_the_answer_where_json_was_asked_for() {
    let decoder = || Decoder::new(CHAT.0, CHAT.1).for_format(&AnswerFormat::Json(json!({"type": "object"})));
    let thought = |text: &str| event(json!({ "reasoning_content": text }), Value::Null);
    for (body, answer) in [
        (thought("{\"a\":") + &thought("{\"b\":1}}"), "{\"a\":{\"b\":1}}"),
        (thought("I write {it}. {\"a\":1}\n"), "{\"a\":1}\n"),
        (text("<think>{\"a\":1}"), "{\"a\":1}"),
        (text("{\"a\":1}</think>"), "{\"a\":1}"),
        (thought("no JSON {") + &text(" \n"), ""),
        (thought("{\"a\":1}") + &text("{\"b\":2}"), "{\"b\":2}"),
    ] {
        assert!(fed(decoder(), [(body.clone() + &stop()).as_bytes()]).is_good(answer), "{body}");
    }
    assert!(read(CHAT, thought("{\"a\":1}") + &stop()).is_good(""));
}

/// One step of a made-up stream.
#[derive(Clone, Debug)]
enum Step {
    Text(String),
    Odd(String),
}

fn step() -> impl Strategy<Value = Step> {
    let odd = prop_oneof![
        Just(": alive\n\n".to_owned()),
        Just("event: ping\ndata: ping\n\n".to_owned()),
        Just("data: {}\n\n".to_owned()),
        Just("data: {\"choices\":null,\"error\":null}\n\n".to_owned()),
        "[a-z 0-9:{}\\[\\]\",]{0,12}".prop_map(|noise| format!("data: {noise}\n\n")),
        any::<i64>().prop_map(|n| format!(
            "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{n},\"completion_tokens\":{n}.5}}}}\n\n"
        )),
    ];
    let plain = "[A-Za-zäß🚀 .,]{1,9}";
    prop_oneof![
        2 => plain.prop_map(Step::Text),
        1 => odd.prop_map(Step::Odd),
    ]
}

/// A text as an event, written in one of many ways.
fn written(text: &str, way: u8) -> String {
    let whole = json!(text);
    let body = match way % 8 {
        0 => format!("{{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{whole}}},\"finish_reason\":null}}]}}"),
        1 => format!("{{\"choices\":[{{\"index\":-1,\"delta\":{{\"content\":{whole},\"tool_calls\":null}}}}]}}"),
        2 => format!("{{\"choices\":[{{\"delta\":{{\"content\":[{{\"type\":\"text\",\"text\":{whole}}}]}}}}]}}"),
        3 => format!(
            "{{\"choices\":[{{\"delta\":{{\"content\":null,\"content\":{whole}}}}}],\"usage\":{{\"prompt_tokens\":-4}}}}"
        ),
        4 => format!("{{\"choices\":{{\"delta\":{{\"content\":{whole}}}}},\"timings\":[]}}"),
        5 => format!("{{\"choices\":[{{\"index\":\"0\",\"delta\":{{\"content\":{whole}}},\"logprobs\":NaN}}]}}"),
        6 => format!("{{\"choices\":[{{\"delta\":{{\"content\":{whole}}},\"finish_reason\":\"\"}}],\"error\":{{}}}}"),
        _ => format!("{{\"choices\":[{{\"index\":0,\ndata: \"delta\":{{\"content\":{whole}}}}}]}}"),
    };
    format!("data: {body}\n\n")
}

proptest! {
    #[test]
    fn an_answer_is_whole_where_a_good_end_was_told_and_never_else(
        steps in prop::collection::vec((step(), any::<u8>()), 0..12),
        reason in prop::option::of(prop::sample::select(vec!["stop", "length", "eos", "abort", "content_filter", "x"])),
        done in any::<bool>(),
        cut in prop::option::of(0.0..1.0_f64),
        size in 1_usize..50,
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let (mut body, mut said) = (String::new(), String::new());
        for (step, way) in &steps {
            match step {
                Step::Text(text) => {
                    said.push_str(text);
                    body.push_str(&written(text, *way));
                }
                Step::Odd(odd) => body.push_str(odd),
            }
        }
        let before_end = body.len();
        if let Some(reason) = reason {
            body.push_str(&event(json!({}), json!(reason)));
        }
        let reason_out = body.len().saturating_sub(2); // with its line end; the blank line after it may be missing
        if done {
            body.push_str(DONE);
        }
        let kept = cut.map_or(body.len(), |part| body.floor_char_boundary((body.len() as f64 * part) as usize));
        body.truncate(kept);
        let body = body.replace('\n', line_end);
        let whole = fed(Decoder::new(CHAT.0, CHAT.1), [body.as_bytes()]);
        prop_assert_eq!(&fed(Decoder::new(CHAT.0, CHAT.1), body.as_bytes().chunks(size)), &whole);
        let good = matches!(reason, Some("stop" | "length" | "eos")) && kept >= reason_out;
        if good {
            // White space at the beginning, and nothing else, is the splitter's.
            prop_assert!(whole.fault.is_none(), "{body:?}: {whole:?}");
            prop_assert_eq!(&whole.answer, &said);
        }
        if whole.end.is_some() && !said.is_empty() {
            prop_assert!(reason.is_none_or(|reason| matches!(reason, "stop" | "length" | "eos")) || kept < before_end + 2, "{body:?}");
            prop_assert_eq!(&whole.answer, &said, "{:?}", body);
        }
    }
}

#[test]
fn an_error_inside_a_choice_is_the_servers_too() {
    let words = json!({"message": "upstream died", "code": 502});
    let told = |choice: Value| format!("{}data: {}\n\ndata: [DONE]\n\n", text("Hal"), json!({"choices": [choice]}));
    for body in [
        told(json!({"index": 0, "delta": {}, "error": words, "finish_reason": null})),
        told(json!({"index": 0, "delta": {}, "error": words, "finish_reason": "stop"})),
        told(json!({"index": 0, "delta": {"error": "upstream died"}})),
        told(json!({"index": 0, "delta": {}, "error": words, "finish_reason": "error"})),
    ] {
        let read = read(CHAT, &body);
        let said = read.fault.as_ref().is_some_and(|fault| fault.came.contains("upstream died"));
        assert!(said && read.answer == "Hal", "{body}: {read:?}");
    }
    let body = told(json!({"index": 0, "delta": {"content": "f."}, "error": null, "finish_reason": "stop"}));
    assert!(read(CHAT, &body).is_good("Half."));
    let body =
        format!("data: {}\n\n{}", json!({"choices": [{"delta": {"content": null, "refusal": "I can't."}}]}), stop());
    assert!(read(CHAT, &body).is_good("I can't."), "a refusal is what the model says");
}
