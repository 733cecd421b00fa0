//! The rows: what each server sends, and what is right.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::served::{Asked, DONE, LINES, STREAM, ends, event, good, hello, http, line, text, with};
use super::{Case, SIX, Seen, TWO, case, expect};

type Sent = std::io::Result<()>;
/// What a server says of its failure.
const WORDS: &str = "failed to decode the batch, out of memory";

/// A server that always sends the same.
fn always(name: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    let bytes = bytes.into();
    case(name, move |_, out| out.write_all(&bytes))
}

/// A server that sends these one after another, and then good answers.
fn first(name: &'static str, bad: Vec<String>) -> Case {
    case(name, move |asked, out| match bad.get(asked.number - 1) {
        Some(bytes) => out.write_all(bytes.as_bytes()),
        None => out.write_all(good().as_bytes()),
    })
}

fn stream(events: &[String]) -> String {
    STREAM.to_owned() + &events.concat()
}

/// What the task that needs a result was told of it.
fn next_prompt(seen: &Seen) -> String {
    seen.asked.iter().rev().find(|asked| asked.body.contains("Summarise")).map_or_else(String::new, |a| a.body.clone())
}

/// All rows.
pub(super) fn all() -> Vec<Case> {
    [unfinished(), tools(), passing(), busy(), odd_events(), thinking(), addresses(), limits()]
        .into_iter()
        .flatten()
        .collect()
}

/// Ends that are not known as good.
fn unfinished() -> Vec<Case> {
    let half = || text("Half an ans");
    let error =
        |value: Value| stream(&[text("The first half of the answer"), format!("data: {value}\n\n"), DONE.to_owned()]);
    let field = |begun: &str| {
        stream(&[begun.to_owned(), format!("error: {}\n\n", json!({"code": 500, "message": WORDS})), DONE.into()])
    };
    let cut = stream(&[text("1. First point. 2. Second poi"), ends("length")]);
    let cut_then_good = move |asked: &Asked, out: &mut TcpStream| -> Sent {
        let summary = asked.body.contains("Summarise them");
        out.write_all(if summary { good() } else { cut.clone() }.as_bytes())
    };
    let marked = |seen: &Seen| {
        let prompt = next_prompt(seen);
        expect(prompt.contains("Second poi") && prompt.contains("limit"), || {
            "the next prompt does not say that it was cut".to_owned()
        })
    };
    let mut rows = vec![
        case("B01 cut at its limit", cut_then_good).plan(TWO, 1).done("Hello.", 2..=3).says(&["cut"]).right(marked),
        case("B01 goes on where it was cut", |asked, out| {
            let rest = stream(&[text("nt."), ends("stop")]);
            let begin = stream(&[text("1. First point. 2. Second poi"), ends("length")]);
            out.write_all(if asked.number == 1 { begin } else { rest }.as_bytes())
        })
        .done("1. First point. 2. Second point.", 2..=2),
        always("B01 cut, kept as it is", stream(&[text("Second poi"), ends("length")]))
            .set("on_cut = \"keep\"\n")
            .done("Second poi", 1..=1)
            .says(&["cut"]),
        first("B02 abort, then good", vec![stream(&[half(), ends("abort")])]).done("Hello.", 2..=2),
        always("B04 error field, begin", field("")).fails(&[WORDS], 2..=40),
        always("B04 error field, middle", field(&text("The first half of the answer")))
            .fails(&[WORDS], 2..=40)
            .keeps("The first half"),
        always("an error object", error(json!({"error": {"message": WORDS, "type": "server_error"}})))
            .fails(&[WORDS], 2..=40),
        always("an error text", error(json!({"error": WORDS}))).fails(&[WORDS], 2..=40),
        always("an object called error", error(json!({"object": "error", "message": WORDS, "code": 50001})))
            .fails(&[WORDS], 2..=40),
        always(
            "an event called error",
            stream(&[half(), format!("event: error\ndata: {}\n\n", json!({"message": WORDS}))]),
        )
        .fails(&[WORDS], 2..=40),
        always("an empty reason", stream(&[half(), ends("")])).fails(&[], 2..=3),
        always("nothing but the end", stream(&[DONE.to_owned()])).fails(&[], 2..=3),
        always("no end at all", stream(&[half()])).fails(&[], 2..=40),
        always(
            "usage and no word",
            stream(&[
                with(json!({}), Some("stop"), &json!({"usage": {"prompt_tokens": 9, "completion_tokens": 0}})),
                DONE.to_owned(),
            ]),
        )
        .fails(&[], 2..=3),
        always("blank words only", stream(&[text(" \n\n"), ends("stop")])).fails(&[], 2..=3),
        always(
            "Ollama: cut off by unloading",
            LINES.to_owned()
                + &line("Half an ans", &json!({}))
                + &line("", &json!({"done": true, "done_reason": "unload"})),
        )
        .protocol("ollama")
        .fails(&[], 2..=40),
        always(
            "Ollama: an error line",
            LINES.to_owned() + &line("Half an ans", &json!({})) + &format!("{}\n", json!({"error": WORDS})),
        )
        .protocol("ollama")
        .fails(&[WORDS], 2..=40),
        always(
            "Ollama: cut at its limit",
            LINES.to_owned()
                + &line("Second poi", &json!({}))
                + &line("", &json!({"done": true, "done_reason": "length"})),
        )
        .protocol("ollama")
        .set("on_cut = \"keep\"\n")
        .done("Second poi", 1..=1)
        .says(&["cut"]),
    ];
    for (name, reason) in [("B02 abort", "abort"), ("B02 error", "error"), ("B02 content_filter", "content_filter")] {
        rows.push(always(name, stream(&[half(), ends(reason)])).exits(1).asked(1..=40).keeps("Half an ans").right(
            move |seen| {
                let told = seen.ran.err.contains(reason) || seen.ran.err.contains(&reason.replace('_', " "));
                expect(told, || format!("{reason} is not told"))
            },
        ));
    }
    rows
}

/// Calls of tools that nobody offered.
fn tools() -> Vec<Case> {
    let call =
        json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "web_search", "arguments": "{}"}});
    let called = stream(&[event(json!({"content": null, "tool_calls": [call]}), None), ends("tool_calls")]);
    let native = json!({"message": {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "web_search", "arguments": {}}}]}});
    let lines = LINES.to_owned() + &line("", &native) + &line("", &json!({"done": true, "done_reason": "stop"}));
    let unasked = |seen: &Seen| expect(next_prompt(seen).is_empty(), || "the next task was asked".to_owned());
    let legacy = json!({"content": null, "function_call": {"name": "web_search", "arguments": "{}"}});
    vec![
        always("B06 a tool call only", called).plan(TWO, 1).fails(&["web_search"], 2..=3).right(unasked),
        always("B06 a tool call only, Ollama", lines)
            .plan(TWO, 1)
            .protocol("ollama")
            .fails(&["web_search"], 2..=3)
            .right(unasked),
        always("a function call only", stream(&[event(legacy, None), ends("function_call")])).fails(&[], 2..=3),
        case("attack toolcall9m", |_, out| {
            out.write_all(STREAM.as_bytes())?;
            for _ in 0..90 {
                out.write_all(piece(0, &"a".repeat(100_000)).as_bytes())?;
            }
            out.write_all(ends("stop").as_bytes())
        })
        .fails(&["tool"], 1..=3),
        case("attack toolmany", |_, out| {
            out.write_all(STREAM.as_bytes())?;
            for n in 0..200_000 {
                out.write_all(piece(n, "{}").as_bytes())?;
            }
            out.write_all(ends("stop").as_bytes())
        })
        .fails(&["tool"], 1..=3),
        case("attack toolendless", |_, out| {
            out.write_all(STREAM.as_bytes())?;
            let endless = piece(0, &"a".repeat(100_000));
            loop {
                out.write_all(endless.as_bytes())?;
            }
        })
        .fails(&["tool"], 1..=3),
    ]
}

fn piece(index: usize, arguments: &str) -> String {
    event(json!({"tool_calls": [{"index": index, "function": {"name": "web_search", "arguments": arguments}}]}), None)
}

/// Faults that pass, and those that do not.
fn passing() -> Vec<Case> {
    let studio = |words: &str| http("400 Bad Request", &json!({ "error": words }).to_string(), &[]);
    let says = |status: &str, words: &str| http(status, &json!({"error": {"message": words}}).to_string(), &[]);
    let loading = says("503 Service Unavailable", "Loading model");
    let many = |bytes: String| vec![bytes; 5];
    vec![
        first("B07 unloaded", vec![studio("Model was unloaded while the request was still in queue..")])
            .done("Hello.", 2..=2),
        first("B07 load cancelled", vec![studio("Failed to load model 'm'. Error: Operation canceled.")])
            .done("Hello.", 2..=2),
        first("B07 crashed", vec![studio("The model has crashed without additional information. (Exit code: null)")])
            .done("Hello.", 2..=2),
        // More of these than a task has tries: they cost it none.
        first("503 loading, five times", many(loading)).set("backoff_ms = 20\n").done("Hello.", 6..=6),
        first("502 by a proxy, five times", many(http("502 Bad Gateway", "<html><h1>Bad gateway</h1></html>", &[])))
            .set("backoff_ms = 20\n")
            .done("Hello.", 6..=6),
        first(
            "408, 409, 423, 425, 500",
            ["408 Request Timeout", "409 Conflict", "423 Locked", "425 Too Early", "500 Internal Server Error"]
                .map(|s| says(s, "busy"))
                .to_vec(),
        )
        .set("backoff_ms = 20\n")
        .done("Hello.", 6..=6),
        // A connection that ends without a byte: its server answers when it is looked at, so it may be the request.
        first("closed without a word, twice", vec![String::new(); 2]).set("backoff_ms = 20\n").done("Hello.", 3..=3),
        first("broken in the middle, twice", vec![stream(&[text("Hel")]); 2])
            .set("backoff_ms = 20\n")
            .done("Hello.", 3..=3),
        always("no answer to be had", http("503 Service Unavailable", "{\"error\":\"out of order\"}", &[]))
            .exits(1)
            .says(&["out of order"])
            .right(|seen| expect(seen.ran.seconds < 20.0, || "outage_seconds is not kept".to_owned())),
        always("401", says("401 Unauthorized", "Invalid API Key")).fails(&["key"], 1..=1),
        always("404 no such model", says("404 Not Found", "model 'm' not found"))
            .fails(&["model 'm' not found"], 1..=2),
        always("400 for good", says("400 Bad Request", "temperature must be below 2"))
            .fails(&["temperature must be below 2"], 1..=1)
            .right(|seen| {
                expect(!seen.ran.err.replace("not tried again", "").contains("tried again"), || {
                    "a retry is promised that does not come".to_owned()
                })
            }),
        always("B29 no models loaded", studio("No models loaded. Please load a model in the developer page"))
            .exits(1)
            .says(&["No models loaded"]),
        always("a web page", http("200 OK", "<!doctype html><html><body><h1>It works</h1></body></html>", &[]))
            .exits(1),
    ]
}

/// Servers that take less than they are sent.
fn busy() -> Vec<Case> {
    let after = |kind: &'static str| {
        let began: Arc<Mutex<Option<Instant>>> = Arc::default();
        move |_: &Asked, out: &mut TcpStream| -> Sent {
            let begin = *began.lock().unwrap().get_or_insert_with(Instant::now);
            // A second is what dates are told in.
            let left = Duration::from_secs(4).saturating_sub(begin.elapsed());
            if left.is_zero() {
                return out.write_all(good().as_bytes());
            }
            let seconds = left.as_secs() + 1;
            let header = match kind {
                "seconds" => vec![format!("Retry-After: {seconds}")],
                "date" => vec![format!("Retry-After: {}", date(seconds))],
                _ => vec![],
            };
            let header: Vec<&str> = header.iter().map(String::as_str).collect();
            let words = format!("No deployments available, try again in {seconds} seconds");
            out.write_all(
                http(
                    "429 Too Many Requests",
                    &json!({"error": {"message": words, "code": "429"}}).to_string(),
                    &header,
                )
                .as_bytes(),
            )
        }
    };
    let one_at_a_time = |status: &'static str| {
        let taken = AtomicBool::new(false);
        move |_: &Asked, out: &mut TcpStream| -> Sent {
            if taken.swap(true, Ordering::SeqCst) {
                let words = json!({"error": {"message": "Too many requests", "type": "rate_limit_error"}});
                return out.write_all(http(status, &words.to_string(), &["Retry-After: 1"]).as_bytes());
            }
            sleep(Duration::from_millis(900));
            let sent = out.write_all(good().as_bytes());
            taken.store(false, Ordering::SeqCst);
            sent
        }
    };
    let six = |row: Case| {
        row.plan(SIX, 4).set("").exits(0).asked(6..=40).right(|seen| {
            let left =
                seen.json["tasks"].as_array().map_or(6, |t| t.iter().filter(|t| t["status"] == "failed").count());
            expect(left == 0 && seen.ran.count("task.completed") == 6, || format!("{left} of six have failed"))
        })
    };
    let kept = |row: Case| row.set("").done("Hello.", 2..=3);
    vec![
        kept(case("B09 429, seconds", after("seconds"))),
        kept(case("B09 429, date", after("date"))),
        kept(case("B09 429, words", after("words"))),
        six(case("B23 one at a time, 429", one_at_a_time("429 Too Many Requests"))),
        six(case("B23 one at a time, 503", one_at_a_time("503 Service Unavailable"))),
        always("429 with a wait of a day", http("429 Too Many Requests", "{}", &["Retry-After: 86400"]))
            .right(|seen| expect(matches!(seen.ran.code, Some(1 | 3)), || "it waits for ever".to_owned())),
    ]
}

/// A time in so many seconds, as HTTP writes it.
fn date(seconds: u64) -> String {
    let then = SystemTime::now() + Duration::from_secs(seconds);
    let then = time::OffsetDateTime::from(then);
    let form = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    then.format(form).unwrap()
}

/// Odd events among good ones.
fn odd_events() -> Vec<Case> {
    let odd = |name, bytes: &str| always(name, STREAM.to_owned() + bytes + &hello()).done("Hello.", 1..=1);
    let told = |name, more: Value| {
        always(name, stream(&[with(json!({"content": "Hello."}), None, &more), ends("stop")])).done("Hello.", 1..=1)
    };
    let final_line = json!({"done": true, "done_reason": "stop", "eval_count": -3, "prompt_eval_count": 2.5, "total_duration": null});
    let mut rows = vec![
        odd("B11 a comment as data", "data: : PROCESSING\n\n"),
        odd("B11 a ping", "event: ping\ndata: ping\n\n"),
        odd("B11 a word", "data: keepalive\n\n"),
        odd("comments", ": one\n\n:\n\n: two\r\n\r\n"),
        odd("empty data", "data:\n\ndata: \n\n"),
        odd("JSON that is no object", "data: 7\n\ndata: [1, 2]\n\ndata: null\n\n"),
        odd("an object of another kind", "data: {\"type\": \"ping\", \"cost\": null}\n\n"),
        odd("ids and retries", "id: 7\nretry: 1000\n\n"),
        // What can't be read of it may be a piece of the answer, so what follows is no whole answer.
        always("half an event of the answer", STREAM.to_owned() + "data: {\"choices\": [\n\n" + &hello())
            .fails(&["a damaged event"], 3..=3),
        told("B12 negative", json!({"usage": {"prompt_tokens": 1151, "completion_tokens": -35, "total_tokens": 1116}})),
        told("B12 fractions", json!({"usage": {"prompt_tokens": 12.0, "completion_tokens": 3.0}})),
        told("B12 timings", json!({"timings": {"prompt_n": -1, "predicted_n": 3, "predicted_ms": null}})),
        told("figures of other types", json!({"usage": {"prompt_tokens": "12", "completion_tokens": {"n": 3}}, "created": "now", "id": 7, "model": null})),
        told("figures beyond all sense", json!({"usage": {"prompt_tokens": 1e300, "completion_tokens": 18_446_744_073_709_551_615_u64}})),
        always("B12 index", stream(&[text("Hello.").replace("\"index\":0", "\"index\":-1"), ends("stop")])).done("Hello.", 1..=1),
        always("index as a word", stream(&[text("Hello.").replace("\"index\":0", "\"index\":\"0\""), ends("stop")])).done("Hello.", 1..=1),
        always("B12 Ollama's last line", LINES.to_owned() + &line("Hello.", &json!({})) + &line("", &final_line))
            .protocol("ollama")
            .done("Hello.", 1..=1),
        always("B14 a byte order mark", STREAM.to_owned() + "\u{feff}" + &text("Hel") + &text("lo.") + &ends("stop")).done("Hello.", 1..=1),
        always("B14 a mark before lines", LINES.to_owned() + "\u{feff}" + &line("Hello.", &json!({})) + &line("", &json!({"done": true, "done_reason": "stop"})))
            .protocol("ollama")
            .done("Hello.", 1..=1),
        always("content in parts", stream(&[event(json!({"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}]}), None), ends("stop")]))
            .done("Hello.", 1..=1),
        always("no space after data", good().replace("data: ", "data:")).done("Hello.", 1..=1),
        always("a whole body, not a stream", http("200 OK", &json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]}).to_string(), &[]))
            .done("Hello.", 1..=1),
        always("null fields", stream(&[event(json!({"role": null, "content": null, "tool_calls": null, "reasoning": null}), None), text("Hello."), "data: {\"choices\": []}\n\n".into(), ends("stop")]))
            .done("Hello.", 1..=1),
    ];
    let split = good();
    rows.push(
        case("a byte at a time", move |_, out| {
            out.set_nodelay(true)?;
            for byte in split.as_bytes() {
                out.write_all(&[*byte])?;
                sleep(Duration::from_micros(200));
            }
            Ok(())
        })
        .done("Hello.", 1..=1),
    );
    rows
}

/// Thinking that lands in answers.
fn thinking() -> Vec<Case> {
    let said = |name, pieces: &[&str]| {
        let events: Vec<String> = pieces.iter().map(|piece| text(piece)).collect();
        always(name, stream(&[events.concat(), ends("stop")])).done("Hello.", 1..=1)
    };
    let mut rows = vec![
        said(
            "B15 a lone closing tag",
            &["Okay, the user wants a greeting. ", "I should be brief.", "\n</think>\n\n", "Hello."],
        ),
        said("B15 a closing tag in pieces", &["Okay, brief.\n<", "/thi", "nk>", "\n\nHel", "lo."]),
        said("B18 harmony without marks", &["analysis", "The user wants a greeting. ", "assistantfinal", "Hello."]),
        said(
            "harmony with its marks",
            &[
                "<|channel|>analysis<|message|>A greeting.<|end|><|start|>assistant",
                "<|channel|>final<|message|>Hello.",
            ],
        ),
        said("thinking in two blocks", &["<think>One.</think>", "<think>Two.</think>", "Hello."]),
    ];
    for (name, begin, end) in [
        ("B17 think", "<think>", "</think>"),
        ("B17 thought", "<thought>", "</thought>"),
        ("B17 thinking", "<thinking>", "</thinking>"),
        ("B17 seed:think", "<seed:think>", "</seed:think>"),
        ("B17 THINK", "[THINK]", "[/THINK]"),
    ] {
        rows.push(said(name, &[&format!("{begin}\nThe user wants "), &format!("a greeting.\n{end}\n"), "Hello."]));
    }
    rows.push(
        always("thinking and no word", stream(&[text("<think>I say nothing.</think>"), ends("stop")]))
            .fails(&[], 2..=3),
    );
    rows
}

/// Addresses as people write them.
fn addresses() -> Vec<Case> {
    let base = |name, path| always(name, good()).at(path).done("Hello.", 1..=1);
    let lines =
        LINES.to_owned() + &line("Hello.", &json!({})) + &line("", &json!({"done": true, "done_reason": "stop"}));
    vec![
        base("base /v1", "/v1"),
        base("base /v1/", "/v1/"),
        base("base with the whole path", "/v1/chat/completions"),
        always("base /api of Ollama", lines.clone()).protocol("ollama").at("/api").done("Hello.", 1..=1),
        always("base /api/chat of Ollama", lines).protocol("ollama").at("/api/chat").done("Hello.", 1..=1),
    ]
}

/// What has no end, and what never begins.
fn limits() -> Vec<Case> {
    vec![
        case("attack ff", |_, out| {
            let mut line = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"".to_vec();
            line.extend(std::iter::repeat_n(0xff, 7_500_000));
            line.extend(b"\"}}]}\n\n");
            out.write_all(STREAM.as_bytes())?;
            out.write_all(&line)?;
            out.write_all(ends("stop").as_bytes())
        })
        .right(|seen| {
            let widest = seen.ran.journal.lines().map(str::len).max().unwrap_or(0);
            expect(matches!(seen.ran.code, Some(0 | 1)) && widest < 2_000_000, || format!("a record of {widest} bytes"))
        }),
        case("attack endless", |_, out| {
            out.write_all(STREAM.as_bytes())?;
            let words = text("word ").repeat(200);
            loop {
                out.write_all(words.as_bytes())?;
            }
        })
        .set("on_cut = \"keep\"\n")
        .exits(0)
        .says(&["cut"]),
        case("endless thinking", |_, out| {
            out.write_all(STREAM.as_bytes())?;
            let words = event(json!({"reasoning_content": "hm "}), None).repeat(200);
            loop {
                out.write_all(words.as_bytes())?;
            }
        })
        .set("on_cut = \"keep\"\n")
        .exits(1),
        case("an endless line", |_, out| {
            out.write_all(STREAM.as_bytes())?;
            out.write_all(b"data: {\"choices\":[{\"delta\":{\"content\":\"")?;
            let words = vec![b'a'; 100_000];
            loop {
                out.write_all(&words)?;
            }
        })
        .exits(1),
        case("an endless head", |_, out| {
            out.write_all(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                out.write_all(b"X-Word: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")?;
            }
        })
        .exits(1),
        case("attack noanswer", |_, out| out.read(&mut [0]).map(drop))
            .set("backoff_ms = 20\noutage_seconds = 3\nsilence_seconds = 2\n")
            .right(|seen| expect(matches!(seen.ran.code, Some(1 | 3)), || "it waits for ever".to_owned())),
        case("B20 a silent prefill", |asked, out| {
            out.write_all(STREAM.as_bytes())?;
            // Once the limit has grown with the tries, it is enough.
            let _ = asked;
            sleep(Duration::from_secs(5));
            out.write_all(hello().as_bytes())
        })
        .set("backoff_ms = 20\nsilence_seconds = 2\n")
        .right(|seen| {
            let named = seen.ran.err.contains("silence_seconds");
            expect(seen.ran.code == Some(0) || named, || "silence_seconds is not named".to_owned())
        }),
        case("no head for a while", |_, out| {
            sleep(Duration::from_secs(2));
            out.write_all(good().as_bytes())
        })
        .done("Hello.", 1..=1),
    ]
}
