//! Tests of what real servers were seen to do and no protocol says: connections that close, models that load, servers that
//! end, calls of tools that nobody offered, limits of requests at once.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tests::{chat, client, events, get, one, post};
use super::*;
use crate::domain::fleet::Protocol;
use crate::domain::protocol::Name;

/// Sends a request over a raw connection.
async fn send(socket: &mut TcpStream, body: &Value) {
    let body = body.to_string();
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    socket.write_all((head + &body).as_bytes()).await.expect("writes");
}

/// Reads up to the end of a chunked answer.
async fn answer(socket: &mut TcpStream) -> String {
    let mut all = Vec::new();
    while !all.ends_with(b"\r\n0\r\n\r\n") {
        let n = socket.read_buf(&mut all).await.expect("reads");
        assert!(n > 0, "it closed before the end");
    }
    String::from_utf8(all).expect("text")
}

#[tokio::test]
async fn the_end_of_a_llama_stream_closes_its_connection_without_a_word() {
    let (_simulator, url) = one(Protocol::LlamaCpp, |_| {}).await;
    let mut socket = TcpStream::connect(url.trim_start_matches("http://")).await.expect("connects");
    // What is asked for is kept alive…
    for _ in 0..2 {
        socket.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("writes");
        let mut head = Vec::new();
        while !head.ends_with(b"{\"status\":\"ok\"}") {
            assert!(socket.read_buf(&mut head).await.expect("reads") > 0);
        }
    }
    // …and a stream too, by its head.
    send(&mut socket, &chat("Go [sim tokens=3]")).await;
    let text = answer(&mut socket).await.to_lowercase();
    assert!(text.contains("keep-alive: timeout=5, max=100\r\n"), "{text}");
    assert!(!text.contains("connection: close"), "{text}");
    // What a client sends over it in good faith is read by nobody, and it sees the end.
    send(&mut socket, &chat("Again [sim tokens=3]")).await;
    let mut rest = Vec::new();
    assert_eq!(socket.read_to_end(&mut rest).await.expect("an end, no reset"), 0);
    assert_eq!(_simulator.stats()[0].requests, 1);
}

#[tokio::test]
async fn other_servers_keep_the_connection_of_a_stream() {
    let (simulator, url) = one(Protocol::OpenAi, |_| {}).await;
    let mut socket = TcpStream::connect(url.trim_start_matches("http://")).await.expect("connects");
    for n in 0..2 {
        send(&mut socket, &chat(&format!("{n} [sim tokens=3]"))).await;
        answer(&mut socket).await;
    }
    assert_eq!(simulator.stats()[0].completed, 2);
}

#[tokio::test]
async fn while_a_model_loads_every_path_says_so() {
    let kinds = [
        (Protocol::LlamaCpp, "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}"),
        (Protocol::OpenAi, "Loading model"),
        (Protocol::Ollama, "loading model"),
    ];
    for (protocol, words) in kinds {
        let (simulator, url) = one(protocol, |e| e.faults = "load=60s".parse().expect("faults")).await;
        for path in ["health", "props", "v1/models", "nope"] {
            let response = client().get(format!("{url}/{path}")).send().await.expect("answers");
            assert_eq!(response.status(), 503, "{path}");
            assert!(response.text().await.expect("text").contains(words), "{path}");
        }
        assert_eq!(post(&format!("{url}/v1/chat/completions"), &chat("Go")).await.status(), 503);
        assert_eq!(simulator.stats()[0].requests, 0, "nothing came so far that it would count");
    }
    let (simulator, url) = one(Protocol::LlamaCpp, |e| e.faults = "load=200ms".parse().expect("faults")).await;
    let up = async || client().get(format!("{url}/health")).send().await.is_ok_and(|r| r.status() == 200);
    let begun = Instant::now();
    while !up().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(150));
    let name = Name::slug("x");
    simulator.kill(&name).await.expect("kills");
    simulator.revive(&name).await.expect("revives");
    assert!(!up().await, "it loads again when it is back");
}

#[tokio::test]
async fn one_that_is_asked_to_end_refuses_at_once_and_leaves_its_streams_silent_for_a_while() {
    let mut endpoint = SimEndpoint::new("x", Protocol::LlamaCpp, "kitty", 2, 4_096);
    // At this speed the half minute of silence is half a second.
    endpoint.tokens_per_second = 1.0;
    let config = SimulatorConfig { seed: 7, speed: 60.0, endpoints: vec![endpoint] };
    let simulator = Simulator::start(config).await.expect("starts");
    let name = Name::slug("x");
    let url = simulator.url(&name).expect("known");
    let path = format!("{url}/v1/chat/completions");
    let mut stream = post(&path, &chat("Long [sim tokens=900]")).await.bytes_stream();
    assert!(stream.next().await.expect("a first chunk").is_ok());
    simulator.terminate(&name).await.expect("ends");
    let asked = Instant::now();
    assert!(client().get(format!("{url}/health")).send().await.is_err(), "it refuses");
    while simulator.stats()[0].busy > 0 {
        tokio::task::yield_now().await;
    }
    // Its successor takes the port and the slots while it still holds the stream.
    simulator.revive(&name).await.expect("revives");
    assert!(post(&path, &chat("Go [sim ms=5 tokens=2]")).await.text().await.expect("text").contains("[DONE]"));
    // What was written before it was asked may still arrive.
    let mut broke = false;
    while let Some(chunk) = stream.next().await {
        broke |= chunk.is_err();
    }
    assert!(broke && asked.elapsed() >= Duration::from_millis(450), "{:?}", asked.elapsed());
    let stats = simulator.stats();
    assert_eq!((stats[0].completed, stats[0].cancelled), (1, 1));
}

#[tokio::test]
async fn being_asked_to_end_by_time_or_by_a_request_is_followed_by_its_return() {
    // On a busy machine a test can miss what lasts for a moment, so what is waited for stays.
    let client = client();
    let until = async |url: &str, want: u16| {
        while client.get(format!("{url}/health")).send().await.map_or(0, |r| r.status().as_u16()) != want {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (simulator, url) = one(Protocol::LlamaCpp, |e| e.faults = "term=1ms".parse().expect("faults")).await;
    until(&url, 0).await;
    simulator.revive(&Name::slug("x")).await.expect("revives");
    until(&url, 200).await;
    let (_simulator, url) = one(Protocol::LlamaCpp, |_| {}).await;
    let asked = chat("x [sim term=30ms back=50ms load=60s at=x ms=60000]").to_string();
    let silent = tokio::spawn(client.post(format!("{url}/v1/chat/completions")).body(asked).send());
    until(&url, 503).await;
    silent.abort();
}

#[tokio::test]
async fn a_call_of_a_tool_is_all_there_is_in_every_form() {
    let asked = chat("Find it [sim fail=tools]");
    let words = |text: &str| !text.contains("\"content\":\"\"") && text.contains("\"content\":\"");
    for (protocol, path) in [
        (Protocol::LlamaCpp, "v1/chat/completions"),
        (Protocol::Ollama, "api/chat"),
        (Protocol::OpenAi, "v1/chat/completions"),
    ] {
        let (_simulator, url) = one(protocol, |_| {}).await;
        let text = post(&format!("{url}/{path}"), &asked).await.text().await.expect("text");
        assert!(text.contains("\"tool_calls\":[{") && text.contains("web_search") && !words(&text), "{text}");
        let mut whole = asked.clone();
        whole["stream"] = json!(false);
        let text = post(&format!("{url}/{path}"), &whole).await.text().await.expect("text");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let message = if protocol == Protocol::Ollama { &value["message"] } else { &value["choices"][0]["message"] };
        assert_eq!(message["tool_calls"][0]["function"]["name"], "web_search", "{text}");
    }
    let (_simulator, url) = one(Protocol::LlamaCpp, |_| {}).await;
    let text = post(&format!("{url}/v1/chat/completions"), &asked).await.text().await.expect("text");
    let events = events(&text);
    assert_eq!(events.last().expect("last")["choices"][0]["finish_reason"], "tool_calls");
    let native = json!({"prompt":"Find it [sim fail=tools]","stream":true});
    let text = post(&format!("{url}/completion"), &native).await.text().await.expect("text");
    assert!(text.contains("<tool_call>") && text.contains("\"stop_type\":\"eos\""), "{text}");
}

#[tokio::test]
async fn odd_ends_are_told_as_the_reason() {
    let (_simulator, url) = one(Protocol::LlamaCpp, |_| {}).await;
    for (word, reason) in
        [("abort", "abort"), ("error-end", "error"), ("content-filter", "content_filter"), ("length", "length")]
    {
        let asked = chat(&format!("Go [sim tokens=50 fail={word}]"));
        let text = post(&format!("{url}/v1/chat/completions"), &asked).await.text().await.expect("text");
        assert!(text.contains(&format!("\"finish_reason\":\"{reason}\"")) && text.ends_with("[DONE]\n\n"), "{text}");
    }
    let rates: Faults = "abort=0.3,tools=0.3,think=0.3".parse().expect("faults");
    let (_simulator, url) = one(Protocol::OpenAi, |e| e.faults = rates).await;
    let mut seen = String::new();
    for n in 0..40 {
        let asked = chat(&format!("{n} [sim tokens=20]"));
        seen += &post(&format!("{url}/v1/chat/completions"), &asked).await.text().await.expect("text");
    }
    for what in ["\"abort\"", "\"error\"", "\"tool_calls\"", "\"think\"", "\"stop\""] {
        assert!(seen.contains(what), "{what} in 40 answers");
    }
}

#[tokio::test]
async fn one_that_takes_fewer_refuses_the_next_and_says_when_to_come_back() {
    for (protocol, faults, path, status) in [
        (Protocol::LlamaCpp, "takes=1", "v1/chat/completions", 429),
        (Protocol::OpenAi, "takes=1:503", "v1/chat/completions", 503),
        (Protocol::Ollama, "takes=1:503", "api/chat", 503),
    ] {
        let (simulator, url) = one(protocol, |e| e.faults = faults.parse().expect("faults")).await;
        let url = format!("{url}/{path}");
        let asked = chat("Hold [sim tokens=9 fail=stall]").to_string();
        // Ollama's head comes with its first line, and this one never comes.
        let held = tokio::spawn(client().post(&url).body(asked).send());
        while simulator.stats()[0].busy == 0 {
            tokio::task::yield_now().await;
        }
        let refused = post(&url, &chat("Next [sim tokens=2]")).await;
        assert_eq!(refused.status().as_u16(), status);
        assert_eq!(refused.headers()["retry-after"], "2");
        held.abort();
    }
}

#[tokio::test]
async fn a_router_has_several_models_and_loads_each_when_it_is_asked_for() {
    let (simulator, url) = one(Protocol::LlamaCpp, |e| {
        e.resident_bytes = 1_000_000;
        e.more = vec![SimEndpoint {
            resident_bytes: 1_000_000_000,
            ..SimEndpoint::new("y", Protocol::LlamaCpp, "beta", 3, 2_048)
        }];
    })
    .await;
    let status = async || {
        let list: Value = get(&format!("{url}/v1/models")).await;
        list["data"]
            .as_array()
            .expect("models")
            .iter()
            .map(|m| m["status"]["value"].as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let said = |words: [&str; 2]| words.map(|word| Some(word.to_owned())).to_vec();
    assert_eq!(status().await, said(["unloaded", "unloaded"]));
    let list = get(&format!("{url}/models")).await;
    let args: Vec<&str> =
        list["data"][1]["status"]["args"].as_array().expect("args").iter().filter_map(Value::as_str).collect();
    assert!(args.ends_with(&["--alias", "beta", "--parallel", "3", "--ctx-size", "6144"]), "{args:?}");
    assert_eq!(get(&format!("{url}/props")).await["role"], "router");
    for (path, words) in [
        ("slots", "model name is missing from the request"),
        ("slots?model=nope", "model 'nope' not found"),
        ("slots?model=beta&autoload=0", "model is not loaded"),
    ] {
        let refused = client().get(format!("{url}/{path}")).send().await.expect("answers");
        assert_eq!(refused.status(), 400, "{path}");
        assert!(refused.text().await.expect("text").contains(words), "{path}");
    }
    let mut asked = chat("Go [sim tokens=2]");
    asked["model"] = json!("beta");
    let begun = Instant::now();
    assert!(post(&format!("{url}/v1/chat/completions"), &asked).await.text().await.expect("text").contains("[DONE]"));
    assert!(begun.elapsed() >= Duration::from_millis(90), "a gigabyte takes a tenth of a second");
    assert_eq!(status().await, said(["unloaded", "loaded"]));
    let props = get(&format!("{url}/props?model=beta")).await;
    assert_eq!((&props["total_slots"], &props["default_generation_settings"]["n_ctx"]), (&json!(3), &json!(2_048)));
    let load =
        async |path: &str, model: &str| post(&format!("{url}/models/{path}"), &json!({"model": model})).await.status();
    assert_eq!(
        [load("load", "beta").await, load("unload", "beta").await, load("unload", "beta").await],
        [400, 200, 400]
    );
    assert_eq!([load("load", "kitty").await, load("load", "nope").await], [200, 404]);
    // Its fleet is two endpoints at one address.
    let endpoints = simulator.endpoints();
    assert_eq!(endpoints.iter().map(|e| (e.model.as_str(), e.slots)).collect::<Vec<_>>(), [("kitty", 2), ("beta", 3)]);
    assert_eq!(endpoints[0].url, endpoints[1].url);
    assert_eq!(simulator.stats().iter().map(|s| s.completed).collect::<Vec<_>>(), [0, 1]);
    simulator.kill(&Name::slug("y")).await.expect("kills the server of both");
    assert!(client().get(format!("{url}/health")).send().await.is_err());
}
