//! The console's own clients against the simulator: what one side writes the other must read.

use std::time::Duration;

use super::*;
use crate::domain::fleet::{Endpoint, Protocol};
use crate::domain::plan::decomposition_schema;
use crate::domain::protocol::{Health, Level, LevelSupport, Speaker};
use crate::engine::providers::{AnswerFormat, Chunk, Client, Depth, Request, Traffic, probe};

async fn fleet() -> (Simulator, Vec<Endpoint>, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = SimulatorConfig::default_fleet(3).with_speed(500.0);
    config.endpoints.push(SimEndpoint::new("plain", Protocol::OpenAi, "m", 2, 8_192));
    let simulator = Simulator::start(config).await.expect("starts");
    let endpoints = simulator.endpoints();
    (simulator, endpoints, Client::new().expect("client"))
}

fn request(endpoint: &Endpoint, text: &str) -> Request {
    Request {
        endpoint: endpoint.clone(),
        messages: vec![(Speaker::System, "Be brief.".into()), (Speaker::User, text.into())],
        max_tokens: 600,
        temperature: 0.3,
        level: Level::Medium,
        level_support: LevelSupport::Unknown,
        format: AnswerFormat::Text,
        silence: Duration::from_secs(30),
    }
}

#[tokio::test]
async fn probes_find_every_endpoint_up_with_its_figures() {
    let (_simulator, endpoints, client) = fleet().await;
    for endpoint in &endpoints {
        let report = probe(&client, endpoint, Depth::Slots, Traffic::Quiet).await;
        assert!(!matches!(report.health, Health::Down { .. }), "{}: {report:?}", endpoint.name);
        if endpoint.protocol == Protocol::LlamaCpp {
            assert_eq!(report.slots, Some(endpoint.slots));
            assert_eq!((report.busy, report.context), (Some(0), Some(endpoint.context)));
        }
        if endpoint.protocol == Protocol::Ollama {
            assert_eq!((report.resident, report.level), (Some(80_000_000_000), LevelSupport::Graded), "{report:?}");
        }
    }
}

#[tokio::test]
async fn answers_arrive_whole_in_every_form() {
    let (_simulator, endpoints, client) = fleet().await;
    for endpoint in &endpoints {
        for api in [Api::Chat, Api::Native] {
            // Plain OpenAI servers are simulated in the chat form only.
            if endpoint.protocol == Protocol::OpenAi && api == Api::Native {
                continue;
            }
            let mut request = request(endpoint, "Compare two parsers [sim tokens=120 thinking=10]");
            request.endpoint.api = api;
            let mut stream = client.stream(request);
            let (mut text, mut thought, mut ended) = (String::new(), String::new(), false);
            while let Some(chunk) = stream.next().await {
                match chunk.expect("a good chunk") {
                    Chunk::Answer(piece) => text.push_str(&piece),
                    Chunk::Thinking(piece) => thought.push_str(&piece),
                    Chunk::End { usage, .. } => {
                        ended = true;
                        assert_eq!(usage.output_tokens, 130, "{} {usage:?}", endpoint.name);
                    }
                    _ => {}
                }
            }
            assert!(ended && text.starts_with(prose::MARK), "{} {api:?}: {text}", endpoint.name);
            assert_eq!(pieces::count(&text), 120);
            let native = api == Api::Native && endpoint.protocol == Protocol::LlamaCpp;
            assert_eq!(thought.is_empty(), native, "{} {api:?}", endpoint.name);
        }
    }
}

#[tokio::test]
async fn a_plan_is_asked_for_and_understood() {
    let (_simulator, endpoints, client) = fleet().await;
    for endpoint in &endpoints {
        let mut request = request(endpoint, "Plan it: compare tea and coffee");
        request.format = AnswerFormat::Json(decomposition_schema(&[], 6));
        request.max_tokens = 2_000;
        let mut stream = client.stream(request);
        let mut text = String::new();
        while let Some(chunk) = stream.next().await {
            if let Chunk::Answer(piece) = chunk.expect("a good chunk") {
                text.push_str(&piece);
            }
        }
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["tasks"].as_array().map(Vec::len), Some(6), "{text}");
    }
}

#[tokio::test]
async fn every_failure_is_an_error_to_the_client() {
    let (_simulator, endpoints, client) = fleet().await;
    for endpoint in &endpoints {
        for word in ["error", "error-late", "cut", "garbage"] {
            let mut stream = client.stream(request(endpoint, &format!("Go [sim tokens=30 fail={word}]")));
            let mut failed = false;
            while let Some(chunk) = stream.next().await {
                failed |= chunk.is_err();
            }
            assert!(failed, "{} took {word} for an answer", endpoint.name);
        }
    }
}
