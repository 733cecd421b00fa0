//! Tests over real sockets: shapes against the recordings' key sets, slots, queues, failures, death and return.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::domain::fleet::Protocol;
use crate::domain::protocol::Name;

pub(super) fn client() -> reqwest::Client {
    // The first one in a process chooses the TLS implementation; a second choice is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("client")
}

pub(super) async fn one(protocol: Protocol, change: impl FnOnce(&mut SimEndpoint)) -> (Simulator, String) {
    let mut endpoint = SimEndpoint::new("x", protocol, "kitty", 2, 4_096);
    endpoint.tokens_per_second = 20_000.0;
    endpoint.prompt_tokens_per_second = 1e6;
    change(&mut endpoint);
    let config = SimulatorConfig { seed: 7, speed: 1.0, endpoints: vec![endpoint] };
    let simulator = Simulator::start(config).await.expect("starts");
    let url = simulator.url(&Name::slug("x")).expect("known");
    (simulator, url)
}

pub(super) async fn post(url: &str, body: &Value) -> reqwest::Response {
    client().post(url).body(body.to_string()).send().await.expect("answers")
}

pub(super) async fn get(url: &str) -> Value {
    let text = client().get(url).send().await.expect("answers").text().await.expect("text");
    serde_json::from_str(&text).expect("JSON")
}

pub(super) fn chat(text: &str) -> Value {
    json!({"messages":[{"role":"user","content":text}],"stream":true,"model":"kitty"})
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

pub(super) fn events(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    lines.map(|data| serde_json::from_str(data).expect(data)).collect()
}

const CHUNK: [&str; 6] = ["choices", "created", "id", "model", "object", "system_fingerprint"];
const TIMINGS: [&str; 9] = [
    "cache_n",
    "predicted_ms",
    "predicted_n",
    "predicted_per_second",
    "predicted_per_token_ms",
    "prompt_ms",
    "prompt_n",
    "prompt_per_second",
    "prompt_per_token_ms",
];

#[tokio::test]
async fn llama_chat_stream_has_the_recorded_shape() {
    let (_simulator, url) = one(Protocol::LlamaCpp, |e| e.thinking = 0.3).await;
    let url = format!("{url}/v1/chat/completions");
    let response = post(&url, &chat("Hi [sim tokens=5 thinking=3]")).await;
    assert_eq!(response.headers()["server"], "llama.cpp");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let text = response.text().await.expect("text");
    assert!(text.ends_with("data: [DONE]\n\n"));
    let events = events(&text);
    assert_eq!(events.len(), 1 + 3 + 5 + 1);
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role":"assistant","content":null}));
    assert_eq!(keys(&events[1]["choices"][0]["delta"]), ["reasoning_content"]);
    assert_eq!(keys(&events[4]["choices"][0]["delta"]), ["content"]);
    assert_eq!(keys(&events[4]), CHUNK);
    let last = events.last().expect("last");
    assert_eq!((&last["choices"][0]["finish_reason"], &last["choices"][0]["delta"]), (&json!("stop"), &json!({})));
    assert_eq!(keys(&last["timings"]), TIMINGS);
    assert_eq!(last["timings"]["predicted_n"], 8);

    let mut body = chat("Hi [sim tokens=5]");
    body["stream_options"] = json!({"include_usage":true});
    body["return_progress"] = json!(true);
    let text = post(&url, &body).await.text().await.expect("text");
    let events = self::events(&text);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(keys(&events[0]["prompt_progress"]), ["cache", "processed", "time_ms", "total"]);
    let (finish, usage) = (&events[events.len() - 2], &events[events.len() - 1]);
    assert!(finish["timings"].is_null());
    assert_eq!(usage["choices"], json!([]));
    let figures = &usage["usage"];
    assert_eq!(figures["completion_tokens"], 5);
    let sum = figures["prompt_tokens"].as_u64().zip(figures["completion_tokens"].as_u64()).map(|(a, b)| a + b);
    assert_eq!(figures["total_tokens"].as_u64(), sum);
    assert_eq!(figures["prompt_tokens"], usage["timings"]["prompt_n"]);

    body["stream"] = json!(false);
    let whole: Value = serde_json::from_str(&post(&url, &body).await.text().await.expect("text")).expect("JSON");
    assert_eq!(keys(&whole), ["choices", "created", "id", "model", "object", "system_fingerprint", "timings", "usage"]);
    assert_eq!(whole["object"], "chat.completion");
}

#[tokio::test]
async fn llama_native_and_errors_have_the_recorded_shape() {
    let (_simulator, url) = one(Protocol::LlamaCpp, |_| {}).await;
    let body = json!({"prompt":"Hello [sim tokens=3]","n_predict":12,"stream":true});
    let text = post(&format!("{url}/completion"), &body).await.text().await.expect("text");
    assert!(!text.contains("[DONE]"));
    let events = events(&text);
    let partial = ["content", "id_slot", "index", "stop", "tokens", "tokens_evaluated", "tokens_predicted"];
    assert_eq!(keys(&events[0]), partial);
    assert_eq!(events[0]["id_slot"], -1);
    let last = events.last().expect("last");
    assert_eq!(
        (&last["stop"], &last["stop_type"], &last["tokens_predicted"]),
        (&json!(true), &json!("eos"), &json!(3))
    );
    assert_eq!(last["generation_settings"]["n_predict"], 12);
    assert_eq!(keys(&last["timings"]), TIMINGS);

    let error = async |path: &str, body: &str| {
        let response = client().post(format!("{url}{path}")).body(body.to_owned()).send().await.expect("answers");
        let status = response.status().as_u16();
        let value: Value = serde_json::from_str(&response.text().await.expect("text")).expect("JSON");
        (status, value["error"].clone())
    };
    let (status, e) = error("/v1/chat/completions", "{\"messages\": [").await;
    assert_eq!((status, &e["type"]), (500, &json!("server_error")));
    assert_eq!(error("/v1/chat/completions", "{}").await.1["message"], "'messages' is required");
    assert_eq!(error("/completion", "{}").await.0, 400);
    assert_eq!(
        error("/nope", "{}").await,
        (404, json!({"message":"File Not Found","type":"not_found_error","code":404}))
    );
    let long = json!({"messages":[{"role":"user","content":"word ".repeat(5_000)}],"stream":true}).to_string();
    let (status, e) = error("/v1/chat/completions", &long).await;
    assert_eq!((status, &e["type"], &e["n_ctx"]), (400, &json!("exceed_context_size_error"), &json!(4_096)));
    assert!(e["n_prompt_tokens"].as_u64().is_some_and(|n| n > 5_000));
}

#[tokio::test]
async fn llama_monitors_have_the_recorded_shape() {
    let (_simulator, url) = one(Protocol::LlamaCpp, |_| {}).await;
    assert_eq!(get(&format!("{url}/health")).await, json!({"status":"ok"}));
    let slots = get(&format!("{url}/slots")).await;
    assert_eq!(keys(&slots[1]), ["id", "is_processing", "n_ctx", "speculative"]);
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(post(&format!("{url}/v1/chat/completions"), &chat("Stay [sim tokens=9 fail=stall]")).await);
    }
    let slots = get(&format!("{url}/slots")).await;
    assert_eq!(slots[1]["is_processing"], true);
    assert_eq!(keys(&slots[0]["next_token"][0]), ["has_new_line", "has_next_token", "n_decoded", "n_remain"]);
    let full = client().get(format!("{url}/slots?fail_on_no_slot=1")).send().await.expect("answers");
    assert_eq!(full.status(), 503);
    let metrics = client().get(format!("{url}/metrics")).send().await.expect("answers").text().await.expect("text");
    assert!(metrics.contains("\nllamacpp:requests_processing 2\n"), "{metrics}");
    assert!(metrics.contains("# TYPE llamacpp:tokens_predicted_total counter\nllamacpp:tokens_predicted_total 0\n"));
    let props = get(&format!("{url}/props")).await;
    assert_eq!((&props["total_slots"], &props["default_generation_settings"]["n_ctx"]), (&json!(2), &json!(4_096)));
    assert_eq!(get(&format!("{url}/v1/models")).await["data"][0]["meta"]["n_ctx"], 4_096);
}

#[tokio::test]
async fn ollama_has_the_recorded_shape() {
    let (_simulator, url) = one(Protocol::Ollama, |e| e.thinking = 0.3).await;
    assert_eq!(client().get(&url).send().await.expect("answers").text().await.expect("text"), "Ollama is running");
    let ps = get(&format!("{url}/api/ps")).await;
    assert_eq!(
        keys(&ps["models"][0]),
        ["context_length", "details", "digest", "expires_at", "model", "name", "size", "size_vram"]
    );
    let show = post(&format!("{url}/api/show"), &json!({"model":"kitty"})).await.text().await.expect("text");
    assert!(show.contains("\"thinking\"") && show.contains("context_length"));
    let mut body = chat("Hi <there> [sim thinking=2 text=a<b]");
    body.as_object_mut().expect("object").remove("stream");
    let response = post(&format!("{url}/api/chat"), &body).await;
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.expect("text");
    assert!(text.contains("\\u003c") && !text.contains('<'));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(keys(&lines[0]["message"]), ["content", "role", "thinking"]);
    assert_eq!(keys(&lines[2]["message"]), ["content", "role"]);
    let last = lines.last().expect("last");
    assert_eq!((&last["done"], &last["done_reason"], &last["eval_count"]), (&json!(true), &json!("stop"), &json!(5)));
    let ns = |name: &str| last[name].as_u64().unwrap_or(0);
    assert!(ns("total_duration") >= ns("prompt_eval_duration") + ns("eval_duration"));

    let status = async |path: &str, body: Value| {
        let response = post(&format!("{url}{path}"), &body).await;
        (response.status().as_u16(), response.text().await.expect("text"))
    };
    let mut unknown = chat("Hi");
    unknown["model"] = json!("nope");
    assert_eq!(status("/api/chat", unknown.clone()).await, (404, "{\"error\":\"model 'nope' not found\"}".into()));
    assert!(status("/v1/chat/completions", unknown).await.1.contains("not_found_error"));
    let (code, text) = status("/api/chat", chat(&"word ".repeat(5_000))).await;
    let outer: Value = serde_json::from_str(&text).expect("JSON");
    let inner: Value = serde_json::from_str(outer["error"].as_str().expect("text")).expect("JSON in a text");
    assert_eq!((code, &inner["error"]["n_ctx"]), (400, &json!(4_096)));
    assert_eq!(client().get(format!("{url}/api/chat")).send().await.expect("answers").status(), 405);
    let (_, late) = status("/api/chat", chat("x [sim tokens=9 fail=error-late]")).await;
    assert!(late.ends_with("{\"error\":\"an error was encountered while running the model: unexpected EOF\"}\n"));
    let (_, load) = status("/api/generate", json!({"model":"kitty","keep_alive":0})).await;
    assert!(load.contains("\"done_reason\":\"unload\""));
    assert_eq!(get(&format!("{url}/api/ps")).await, json!({"models":[]}));
}

#[tokio::test]
async fn plain_openai_streams_reasoning_and_usage() {
    let (_simulator, url) = one(Protocol::OpenAi, |e| e.thinking = 0.3).await;
    let mut body = chat("Hi [sim tokens=2 thinking=1]");
    body["stream_options"] = json!({"include_usage":true});
    let text = post(&format!("{url}/v1/chat/completions"), &body).await.text().await.expect("text");
    assert!(text.starts_with(": keepalive ") && text.ends_with("data: [DONE]\n\n"), "{text}");
    let events = events(&text);
    assert_eq!(keys(&events[0]["choices"][0]["delta"]), ["reasoning", "role"]);
    assert_eq!(events.last().expect("last")["usage"]["completion_tokens"], 3);
    let lost = client().get(format!("{url}/props")).send().await.expect("answers");
    assert_eq!((lost.status().as_u16(), lost.text().await.expect("text").as_str()), (404, "Not Found"));
}

#[tokio::test]
async fn a_request_that_waits_gets_no_byte_and_a_client_that_leaves_frees_its_slot() {
    let (simulator, url) = one(Protocol::LlamaCpp, |e| e.slots = 1).await;
    let holder = post(&format!("{url}/v1/chat/completions"), &chat("Hold [sim tokens=9 fail=stall]")).await;
    let body = chat("Wait [sim tokens=2]").to_string();
    let address = url.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).await.expect("connects");
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.expect("writes");
    let mut buffer = vec![0; 64];
    let early = tokio::time::timeout(Duration::from_millis(150), socket.read(&mut buffer)).await;
    assert!(early.is_err(), "bytes came before the slot");
    assert_eq!((simulator.stats()[0].busy, simulator.stats()[0].queued), (1, 1));
    drop(holder);
    let mut rest = String::new();
    socket.read_to_string(&mut rest).await.expect("reads");
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.contains("[DONE]"), "{rest}");
    let stats = simulator.stats();
    assert_eq!((stats[0].busy, stats[0].completed, stats[0].failed + stats[0].cancelled), (0, 1, 1));
}

#[tokio::test]
async fn requests_of_given_time_take_that_time_and_never_pass_the_slots() {
    let (simulator, url) = one(Protocol::Ollama, |e| e.slots = 3).await;
    let client = client();
    let tasks = (0..30).map(|n| {
        let (client, url) = (client.clone(), format!("{url}/api/chat"));
        tokio::spawn(async move {
            let body = chat(&format!("Task {n} [sim ms=5 tokens=4]")).to_string();
            client.post(url).body(body).send().await.expect("answers").text().await.expect("text")
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert!(task.await.expect("runs").contains("\"done\":true"));
    }
    let stats = get(&format!("{url}/sim/stats")).await;
    assert_eq!((&stats["max_busy"], &stats["completed"], &stats["busy"]), (&json!(3), &json!(30), &json!(0)));
    assert!(stats["max_in_flight"].as_u64().is_some_and(|n| n > 3));
    // 30 times 5 ms of slot time, less only by the lead of the alarm; more only by waking late.
    assert!(simulator.stats()[0].busy_seconds >= 0.140, "{stats}");
    assert!(simulator.stats()[0].busy_seconds < 1.0, "{stats}");
    post(&format!("{url}/sim/reset"), &json!({})).await;
    assert_eq!(simulator.stats()[0].requests, 0);
}

#[tokio::test]
async fn every_failure_looks_as_it_should() {
    let (_simulator, url) = one(Protocol::LlamaCpp, |_| {}).await;
    let url = format!("{url}/v1/chat/completions");
    let failing = async |word: &str| post(&url, &chat(&format!("Go [sim tokens=20 fail={word}]"))).await;
    assert_eq!(failing("error").await.status(), 500);
    let late = failing("error-late").await.text().await.expect("text");
    assert!(late.ends_with("\"type\":\"server_error\"}}\n\n") && late.contains("\"content\""), "{late}");
    // On a busy machine the connection may be gone before the head of the answer was sent.
    let cut = client().post(&url).body(chat("Go [sim tokens=20 fail=cut]").to_string()).send().await;
    assert!(match cut {
        Ok(head) => head.text().await.is_err(),
        Err(_) => true,
    });
    let garbage = failing("garbage").await.bytes().await.expect("bytes");
    assert!(std::str::from_utf8(&garbage).is_err());
    let empty = failing("empty").await.text().await.expect("text");
    assert!(
        empty.contains("\"stop\"") && empty.ends_with("[DONE]\n\n") && !empty.contains("\"content\":\""),
        "{empty}"
    );
    let first = chat("Again [sim tokens=2 fail-first=1]");
    assert_eq!(post(&url, &first).await.status(), 500);
    assert_eq!(post(&url, &first).await.status(), 200);
}

#[tokio::test]
async fn overload_refuses_and_slow_waits() {
    let (_simulator, url) = one(Protocol::Ollama, |e| {
        e.slots = 1;
        e.faults = "overload=0".parse().expect("faults");
    })
    .await;
    let url = format!("{url}/api/chat");
    let holder = post(&url, &chat("Hold [sim tokens=9 fail=stall]")).await;
    let refused = post(&url, &chat("More")).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.text().await.expect("text").contains("please try again.  maximum pending"));
    drop(holder);
}

#[tokio::test]
async fn an_endpoint_dies_in_a_stream_and_returns_on_its_port() {
    let (simulator, url) = one(Protocol::LlamaCpp, |e| e.tokens_per_second = 50.0).await;
    let name = Name::slug("x");
    let mut stream = post(&format!("{url}/v1/chat/completions"), &chat("Long [sim tokens=900]")).await.bytes_stream();
    assert!(stream.next().await.expect("a first chunk").is_ok());
    simulator.kill(&name).await.expect("kills");
    let mut broke = false;
    while let Some(chunk) = stream.next().await {
        broke |= chunk.is_err();
    }
    assert!(broke, "the stream ended as if nothing had happened");
    assert!(client().get(format!("{url}/health")).send().await.is_err());
    assert_eq!(simulator.stats()[0].busy, 0);
    simulator.revive(&name).await.expect("revives");
    assert_eq!(get(&format!("{url}/health")).await, json!({"status":"ok"}));
    assert_eq!(simulator.stats()[0].cancelled, 1);
    let error = simulator.kill(&Name::slug("y")).await.expect_err("unknown");
    assert_eq!(error.to_string(), "the simulated fleet has no endpoint y; it has x");
}

#[tokio::test]
async fn death_and_return_by_time() {
    let (_simulator, url) = one(Protocol::LlamaCpp, |e| e.faults = "die=50ms,back=50ms".parse().expect("faults")).await;
    let up = async || client().get(format!("{url}/health")).send().await.is_ok();
    while up().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while !up().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_taken_port_is_named_and_a_dropped_simulator_frees_its_ports() {
    let (simulator, url) = one(Protocol::LlamaCpp, |_| {}).await;
    let port: u16 = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("port");
    let mut config = SimulatorConfig::default_fleet(1);
    config.endpoints[1].port = port;
    let error = Simulator::start(config.clone()).await.expect_err("taken").to_string();
    assert!(error.starts_with(&format!("can't simulate gpt-oss on 127.0.0.1:{port}: ")), "{error}");
    drop(simulator);
    let simulator = Simulator::start(config).await.expect("free again");
    assert_eq!(simulator.endpoints().iter().map(|e| e.slots).sum::<u32>(), 20);
    let fleet = Fleet { endpoints: simulator.endpoints(), ..Fleet::default() };
    assert!(simulator.fleet(&fleet).is_simulated());
    let twin = SimulatorConfig::for_fleet(&fleet, 1);
    assert_eq!(twin.endpoints[1].thinking, 0.35);
}

#[tokio::test]
async fn a_liar_claims_its_slots_wherever_it_is_asked_and_serves_what_it_has() {
    let (simulator, url) = one(Protocol::LlamaCpp, |e| {
        e.slots = 1;
        e.faults = "claims=3".parse().expect("faults");
    })
    .await;
    assert_eq!(get(&format!("{url}/props")).await["total_slots"], 3);
    let held = post(&format!("{url}/v1/chat/completions"), &chat("Stay [sim tokens=9 fail=stall]")).await;
    let waits = tokio::spawn({
        let url = url.clone();
        async move { post(&format!("{url}/v1/chat/completions"), &chat("Wait [sim tokens=2]")).await.text().await }
    });
    while simulator.stats()[0].queued == 0 {
        tokio::task::yield_now().await;
    }
    let slots = get(&format!("{url}/slots")).await;
    let busy: Vec<bool> = slots.as_array().expect("slots").iter().map(|s| s["is_processing"] == true).collect();
    assert_eq!(busy, [true, false, false], "one waits though two look free");
    assert_eq!(client().get(format!("{url}/slots?fail_on_no_slot=1")).send().await.expect("answers").status(), 200);
    drop(held);
    assert!(waits.await.expect("runs").expect("text").contains("[DONE]"));
    assert_eq!((simulator.stats()[0].slots, simulator.stats()[0].max_busy), (1, 1));
    // Its fleets repeat the claim.
    let fleet = Fleet { endpoints: simulator.endpoints(), ..Fleet::default() };
    assert_eq!((fleet.endpoints[0].slots, simulator.fleet(&fleet).endpoints[0].slots), (3, 3));
    let truth = Endpoint { slots: 1, ..fleet.endpoints[0].clone() };
    assert_eq!(simulator.fleet(&Fleet { endpoints: vec![truth], ..fleet }).endpoints[0].slots, 3);
}

#[tokio::test]
async fn a_slow_endpoint_takes_longer_and_its_figures_say_so() {
    // From the first moment on, and for longer than the test.
    let (_simulator, url) = one(Protocol::LlamaCpp, |e| e.faults = "slowdown=0s:8:1m".parse().expect("faults")).await;
    let text = post(&format!("{url}/v1/chat/completions"), &chat("Go [sim ms=10 tokens=20]")).await.text().await;
    let events = events(&text.expect("text"));
    let ms = events.last().and_then(|last| last["timings"]["predicted_ms"].as_f64()).expect("timings");
    assert!(ms >= 79.0, "{ms} ms for 20 tokens: 8 times 10 ms, less the lead of the alarm");
}

#[tokio::test]
async fn another_client_takes_slots_waits_in_the_queue_and_leaves() {
    let (simulator, url) = one(Protocol::LlamaCpp, |e| e.faults = "others=1@0s-1s".parse().expect("faults")).await;
    while simulator.stats()[0].others == 0 {
        tokio::task::yield_now().await;
    }
    let slots = get(&format!("{url}/slots")).await;
    let busy = |slots: &Value| slots.as_array().expect("slots").iter().filter(|s| s["is_processing"] == true).count();
    assert_eq!(busy(&slots), 1);
    let held = post(&format!("{url}/v1/chat/completions"), &chat("Stay [sim tokens=9 fail=stall]")).await;
    // With one slot for the other client and one held, the next request waits until the other client is gone.
    let text = post(&format!("{url}/v1/chat/completions"), &chat("Go [sim tokens=2]")).await.text().await;
    assert!(text.expect("text").contains("[DONE]"));
    assert_eq!(busy(&get(&format!("{url}/slots")).await), 1, "the held one");
    let stats = simulator.stats();
    assert_eq!((stats[0].others, stats[0].busy, stats[0].queued, stats[0].max_queued), (0, 1, 0, 1));
    assert_eq!((stats[0].requests, stats[0].completed), (2, 1), "only ours are counted");
    drop(held);
}

#[tokio::test]
async fn another_client_ends_with_the_endpoint_and_comes_back_with_it() {
    let (simulator, _url) = one(Protocol::Ollama, |e| e.faults = "others=5@0s-60m".parse().expect("faults")).await;
    let settled = async |others: u32, queued: u32| {
        while (simulator.stats()[0].others, simulator.stats()[0].queued) != (others, queued) {
            tokio::task::yield_now().await;
        }
    };
    settled(2, 3).await;
    simulator.kill(&Name::slug("x")).await.expect("kills");
    settled(0, 0).await;
    simulator.revive(&Name::slug("x")).await.expect("revives");
    settled(2, 3).await;
    assert_eq!((simulator.stats()[0].requests, simulator.stats()[0].cancelled), (0, 0));
}

#[tokio::test]
async fn prompts_are_read_in_turn_where_an_endpoint_reads_one_at_once() {
    for protocol in [Protocol::LlamaCpp, Protocol::Ollama] {
        let (simulator, url) = one(protocol, |e| {
            e.faults = "reads=1".parse().expect("faults");
            e.prompt_tokens_per_second = 100.0;
            e.tokens_per_second = 10.0;
        })
        .await;
        let path = if protocol == Protocol::Ollama { "api/chat" } else { "v1/chat/completions" };
        let begun = std::time::Instant::now();
        // Each prompt takes more than 0.1 s to read; the answers, of 1 s, are made side by side.
        let tasks = [0, 1].map(|n| {
            let (url, words) = (format!("{url}/{path}"), "word ".repeat(10));
            tokio::spawn(async move {
                let mut stream = post(&url, &chat(&format!("{n} {words} [sim tokens=10]"))).await.bytes_stream();
                stream.next().await.expect("a first piece").expect("whole");
                let first = std::time::Instant::now();
                while stream.next().await.is_some() {}
                first
            })
        });
        let mut firsts = Vec::new();
        for task in tasks {
            firsts.push(task.await.expect("runs"));
        }
        firsts.sort();
        assert!(firsts[1] - firsts[0] >= Duration::from_millis(90), "{protocol:?}");
        assert!(begun.elapsed() >= Duration::from_millis(1_100));
        assert_eq!((simulator.stats()[0].max_busy, simulator.stats()[0].max_queued), (2, 0));
    }
}
