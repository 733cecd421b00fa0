//! Every kind by its answers, recorded or written after its source; how many questions it takes; what is hostile.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::judge::{MODELS, MOST, Question, Told, Verdict, judge, parameters, shown};
use super::{AT_ONCE, Address, FoundModel, Loaded, Purpose, Readiness, ServerKind, Stranger, Whom, discover, identify};
use crate::domain::protocol::LevelSupport;
use crate::engine::providers::Client;
use crate::engine::providers::client::State;

/// A server as its answers by path; what is not there is 404.
#[derive(Default)]
struct Server {
    name: Option<&'static str>,
    answers: BTreeMap<String, (u16, Vec<u8>)>,
}

impl Server {
    fn named(name: &'static str) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    fn says(mut self, path: &str, value: &Value) -> Self {
        self.answers.insert(path.to_owned(), (200, value.to_string().into_bytes()));
        self
    }

    fn raw(mut self, path: &str, status: u16, body: &str) -> Self {
        self.answers.insert(path.to_owned(), (status, body.as_bytes().to_vec()));
        self
    }

    /// What a real server sent, from the recordings.
    fn recorded(self, path: &str, file: &str) -> Self {
        let file = format!("{}/tests/wire/{file}.txt", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(file).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let body = body.split("\n# curl:").next().unwrap();
        self.raw(path, 200, body)
    }

    /// Judges it; what it is, and what it was asked.
    fn judged(&self) -> (Option<Told>, Vec<String>) {
        let mut answers = Vec::new();
        loop {
            let asked = |answers: &[(Question, Option<State>)]| answers.iter().map(|(q, _)| q.path()).collect();
            match judge(&answers) {
                Verdict::Is(told) => return (Some(told), asked(&answers)),
                Verdict::Nothing => return (None, asked(&answers)),
                Verdict::Ask(question) => {
                    assert!(answers.len() < MOST, "{:?}", asked(&answers));
                    let path = question.path();
                    assert!(!answers.iter().any(|(known, _)| *known == question), "{path} is asked twice");
                    let (status, body) = self.answers.get(&path).cloned().unwrap_or((404, b"Not Found".to_vec()));
                    answers.push((question, Some(State { status, server: self.name.map(str::to_owned), body })));
                }
            }
        }
    }
}

fn list(entries: &Value) -> Value {
    json!({"object": "list", "data": entries})
}

#[track_caller]
fn told(server: &Server, kind: ServerKind, questions: usize) -> Told {
    let (told, asked) = server.judged();
    let told = told.unwrap_or_else(|| panic!("nothing after {asked:?}"));
    assert_eq!((told.kind, asked.len()), (kind, questions), "{asked:?}");
    told
}

fn names(told: &Told) -> Vec<&str> {
    told.models.iter().map(|model| model.name.as_str()).collect()
}

#[test]
fn llama_cpp_tells_slots_context_and_abilities_in_two_answers() {
    let server = Server::named("llama.cpp")
        .recorded("/v1/models", "llama-server/v1_models")
        .recorded("/props", "llama-server/props");
    let told = told(&server, ServerKind::LlamaCpp, 2);
    let model = &told.models[0];
    assert_eq!((model.name.as_str(), model.slots, model.context), ("kitty-q4", Some(6), Some(4096)));
    assert_eq!((model.vision, model.most_context), (Some(false), Some(8192)));
    assert!(model.tools.is_some() && model.level.is_some() && told.version.is_some());
    // Behind a proxy that names itself.
    let proxied = Server { name: Some("nginx/1.27"), ..server };
    assert_eq!(proxied.judged().0.unwrap().kind, ServerKind::LlamaCpp);
}

#[test]
fn llama_cpp_that_loads_or_wants_a_key_is_known_by_one_answer() {
    let loading = Server::default().recorded("/v1/models", "llama-server/loading_503_health");
    let body = loading.answers["/v1/models"].1.clone();
    let loading = Server::default().raw("/v1/models", 503, std::str::from_utf8(&body).unwrap());
    assert_eq!(told(&loading, ServerKind::LlamaCpp, 1).readiness, Readiness::Loading);
    let locked = Server::named("llama.cpp").raw("/v1/models", 401, r#"{"error":{"message":"Invalid API Key"}}"#);
    assert_eq!(told(&locked, ServerKind::LlamaCpp, 1).readiness, Readiness::WantsKey);
}

#[test]
fn a_router_is_asked_about_loaded_models_only_and_loads_none() {
    let entry = |id: &str, state: &str| json!({"id": id, "owned_by": "llamacpp", "status": {"value": state}});
    let server = Server::named("llama.cpp")
        .says(
            "/v1/models",
            &list(&json!([entry("alpha", "unloaded"), entry("be ta", "loaded"), entry("c", "loading")])),
        )
        .says("/props", &json!({"role": "router", "build_info": "b9"}))
        .says(
            "/props?autoload=0&model=be%20ta",
            &json!({"total_slots": 4, "default_generation_settings": {"n_ctx": 2048}}),
        );
    let told = told(&server, ServerKind::LlamaCppRouter, 3);
    let loaded: Vec<Loaded> = told.models.iter().map(|model| model.loaded).collect();
    assert_eq!(loaded, [Loaded::No, Loaded::Yes, Loaded::No]);
    assert_eq!((told.models[1].slots, told.models[1].context), (Some(4), Some(2048)));
    assert!(server.judged().1.iter().skip(2).all(|path| path.contains("autoload=0")));
}

#[test]
fn what_a_router_will_start_a_model_with_is_known_before_it_is_loaded() {
    let entry = |id: &str, args: &[&str]| json!({"id": id, "owned_by": "llamacpp", "status": {"value": "unloaded", "args": args}});
    let server = Server::named("llama.cpp")
        .says(
            "/v1/models",
            &list(&json!([
                entry("shared", &["llama-server", "--ctx-size", "8192", "--parallel", "2"]),
                entry("unified", &["-c", "4096", "-np", "8", "-np", "4", "--kv-unified"]),
                entry("untold", &["--ctx-size", "0", "--parallel", "-1"]),
                entry("sees", &["--ctx-size", "16384", "--mmproj", "/m/p.gguf", "--parallel"]),
                {"id": "odd", "owned_by": "llamacpp", "status": {"value": "unloaded", "args": "--parallel 2"}},
            ])),
        )
        .says("/props", &json!({"role": "router"}));
    let told = told(&server, ServerKind::LlamaCppRouter, 2);
    let figures: Vec<(Option<u32>, Option<u32>, Option<bool>)> =
        told.models.iter().map(|m| (m.slots, m.context, m.vision)).collect();
    assert_eq!(
        figures,
        [
            (Some(2), Some(4096), None),
            (Some(4), Some(4096), None),
            (None, None, None),
            (None, Some(16384), Some(true)),
            (None, None, None),
        ]
    );
}

#[test]
fn a_llama_server_with_a_key_lists_its_model_and_says_no_more() {
    let server = Server::named("llama.cpp").recorded("/v1/models", "llama-server/v1_models").raw(
        "/props",
        401,
        r#"{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}"#,
    );
    let told = told(&server, ServerKind::LlamaCpp, 2);
    assert_eq!((told.readiness, names(&told), told.models[0].slots), (Readiness::WantsKey, vec!["kitty-q4"], None));
}

#[test]
fn ollama_tells_what_it_has_and_what_is_in_memory() {
    let server = Server::default()
        .recorded("/v1/models", "ollama/v1_models")
        .recorded("/api/tags", "ollama/tags")
        .recorded("/api/ps", "ollama/ps_loaded");
    let found = told(&server, ServerKind::Ollama, 3);
    assert_eq!(names(&found), ["kitty-slow:latest", "gpt-oss:120b", "kitty-plain:latest"]);
    let gpt = &found.models[1];
    assert_eq!((gpt.loaded, gpt.context, gpt.tools), (Loaded::Yes, Some(4096), Some(true)));
    assert_eq!((found.models[0].loaded, found.models[0].most_context), (Loaded::No, Some(8192)));
    assert_eq!(found.models[0].parameters, Some(205_550_000));
    // One without a model.
    let empty = Server::default()
        .says("/v1/models", &json!({"object": "list", "data": null}))
        .says("/api/tags", &json!({"models": []}));
    assert!(told(&empty, ServerKind::Ollama, 2).models.is_empty());
}

#[test]
fn ollama_s_own_words_on_a_model_are_trusted() {
    let mut model = FoundModel::named("gpt-oss:120b");
    shown(
        &json!({"capabilities": ["completion", "tools", "thinking"], "model_info":
            {"general.architecture": "gptoss", "gptoss.context_length": 131_072, "general.parameter_count": 116_829_156_672_u64}}),
        &mut model,
    );
    assert_eq!((model.tools, model.vision, model.level), (Some(true), Some(false), Some(LevelSupport::Graded)));
    assert_eq!((model.most_context, model.parameters), (Some(131_072), Some(116_829_156_672)));
    let mut embeds = FoundModel::named("minilm");
    shown(&json!({"capabilities": ["embedding"]}), &mut embeds);
    assert_eq!(embeds.purpose, Purpose::Other);
    let before = FoundModel::named("m");
    let mut after = before.clone();
    shown(&json!({"capabilities": "tools", "model_info": 7}), &mut after);
    assert_eq!(before, after);
}

#[test]
fn lm_studio_tells_parallel_and_context_of_each_loaded_instance() {
    let config = |context: u32, parallel: u32| json!({"context_length": context, "parallel": parallel});
    let server = Server::default()
        .says("/v1/models", &list(&json!([{"id": "openai/gpt-oss-20b", "owned_by": "organization_owner"}])))
        .says(
            "/api/v1/models",
            &json!({"models": [
                {"type": "llm", "key": "openai/gpt-oss-20b", "params_string": "20B", "max_context_length": 131_072,
                 "loaded_instances": [{"id": "openai/gpt-oss-20b", "config": config(8192, 4)},
                                      {"id": "openai/gpt-oss-20b:2", "config": config(4096, 2)}],
                 "capabilities": {"vision": false, "trained_for_tool_use": true,
                                  "reasoning": {"allowed_options": ["low", "medium", "high"]}}},
                {"type": "llm", "key": "qwen3-8b", "loaded_instances": []},
                {"type": "embedding", "key": "text-x", "loaded_instances": []}]}),
        );
    let told = told(&server, ServerKind::LmStudio, 2);
    assert_eq!(names(&told), ["openai/gpt-oss-20b", "openai/gpt-oss-20b:2", "qwen3-8b", "text-x"]);
    let first = &told.models[0];
    assert_eq!((first.slots, first.context, first.loaded), (Some(4), Some(8192), Loaded::Yes));
    assert_eq!(
        (first.level, first.tools, first.parameters),
        (Some(LevelSupport::Graded), Some(true), Some(20_000_000_000))
    );
    assert_eq!((told.models[1].slots, told.models[2].loaded), (Some(2), Loaded::No));
    assert_eq!(told.models[3].purpose, Purpose::Other);
}

#[test]
fn lm_studio_s_older_list_tells_the_loaded_context() {
    let listed = list(
        &json!([{"id": "qwen2-vl-7b", "owned_by": "organization_owner"}, {"id": "nomic", "owned_by": "organization_owner"}]),
    );
    let states = list(&json!([
        {"id": "qwen2-vl-7b", "type": "vlm", "state": "loaded", "max_context_length": 131_072, "loaded_context_length": 32_768,
         "capabilities": ["tool_use"]},
        {"id": "nomic", "type": "embeddings", "state": "not-loaded", "max_context_length": 2048}]));
    let old = Server::default().says("/v1/models", &listed).says("/api/v0/models", &states);
    let found = told(&old, ServerKind::LmStudio, 3);
    let model = &found.models[0];
    assert_eq!((model.loaded, model.context, model.most_context), (Loaded::Yes, Some(32_768), Some(131_072)));
    assert_eq!((model.vision, model.tools, found.models[1].purpose), (Some(true), Some(true), Purpose::Other));
    // The newer list without it.
    let new = old.says(
        "/api/v1/models",
        &json!({"models": [{"type": "llm", "key": "qwen2-vl-7b", "loaded_instances": [{"id": "qwen2-vl-7b", "config": {"parallel": 4}}]}]}),
    );
    let found = told(&new, ServerKind::LmStudio, 3);
    assert_eq!((found.models[0].slots, found.models[0].context), (Some(4), Some(32_768)));
}

#[test]
fn servers_for_apple_silicon_are_told_apart() {
    // locals 0.2.1: Python's plain HTTP server as mlx_lm is; one model under four names.
    let entry = |id: &str, by: &str| json!({"id": id, "object": "model", "owned_by": by, "context_length": 32_768, "max_model_len": 32_768});
    let locals = Server::named("BaseHTTP/0.6 Python/3.12.1").says(
        "/v1/models",
        &list(&json!([
            entry("locals/qwen3-8b", "locals"),
            entry("locals/qwen3-8b-thinking", "locals"),
            entry("mlx/qwen3-8b", "mlx"),
            entry("mlx/qwen3-8b-thinking", "mlx")
        ])),
    );
    let found = told(&locals, ServerKind::Locals, 1);
    assert_eq!((names(&found), found.models[0].context), (vec!["locals/qwen3-8b"], Some(32_768)));
    assert_eq!(found.models[0].level, Some(LevelSupport::Switch));
    // vllm-mlx 0.6.0.
    let mlx = Server::named("uvicorn").says(
        "/v1/models",
        &list(&json!([{"id": "mlx-community/Qwen3-8B-4bit", "owned_by": "vllm-mlx"},
                      {"id": "mlx-community/e5", "owned_by": "vllm-mlx-embedding"}])),
    );
    let found = told(&mlx, ServerKind::VllmMlx, 1);
    assert_eq!((found.models[0].purpose, found.models[1].purpose), (Purpose::Chat, Purpose::Other));
}

#[test]
fn mlx_vllm_and_gpustack_are_known_by_one_answer() {
    let mlx = Server::named("BaseHTTP/0.6 Python/3.11.7").recorded("/v1/models", "mlx/v1_models");
    assert_eq!(told(&mlx, ServerKind::Mlx, 1).models.len(), 1);
    // Without a cache folder it sends an empty body.
    let bare = Server::named("BaseHTTP/0.6 Python/3.11.7").raw("/v1/models", 200, "");
    assert!(told(&bare, ServerKind::Mlx, 1).models.is_empty());
    let vllm = Server::named("uvicorn").says(
        "/v1/models",
        &list(&json!([{"id": "m", "owned_by": "vllm", "max_model_len": 8192, "parent": null},
                      {"id": "m-adapter", "owned_by": "vllm", "max_model_len": 8192, "parent": "m"}])),
    );
    let vllm = told(&vllm, ServerKind::Vllm, 1);
    assert_eq!((names(&vllm), vllm.models[0].context), (vec!["m"], Some(8192)));
    assert_eq!(vllm.models[0].adapters, ["m-adapter"]);
    let stack = Server::default().says(
        "/v1/models",
        &list(&json!([{"id": "qwen3", "owned_by": "gpustack", "meta": {"n_ctx": 16384}}, {"id": "bge-m3", "owned_by": "gpustack"}])),
    );
    let stack = told(&stack, ServerKind::GpuStack, 1);
    assert_eq!((stack.models[0].context, stack.models[1].purpose), (Some(16384), Purpose::Other));
}

#[test]
fn llama_swap_and_litellm_take_two() {
    let swap = Server::default()
        .says("/v1/models", &list(&json!([{"id": "qwen", "owned_by": "llama-swap", "context_length": 32768}, {"id": "gemma", "owned_by": "llama-swap"}])))
        .says("/running", &json!({"running": [{"model": "gemma", "state": "ready"}, {"model": "qwen", "state": "starting"}]}));
    let swap = told(&swap, ServerKind::LlamaSwap, 2);
    assert_eq!((swap.models[0].loaded, swap.models[1].loaded), (Loaded::No, Loaded::Yes));
    assert_eq!(swap.models[0].context, Some(32768));
    let lite = Server::named("uvicorn")
        .says(
            "/v1/models",
            &list(&json!([{"id": "gpt-4o", "owned_by": "openai"}, {"id": "local", "owned_by": "openai"}])),
        )
        .raw("/health/liveliness", 200, "\"I'm alive!\"");
    assert_eq!(names(&told(&lite, ServerKind::LiteLlm, 2)), ["gpt-4o", "local"]);
    let locked = Server::named("uvicorn")
        .raw(
            "/v1/models",
            401,
            r#"{"error":{"message":"Authentication Error, No api key passed in.","type":"auth_error"}}"#,
        )
        .raw("/health/liveliness", 200, "\"I'm alive!\"");
    assert_eq!(told(&locked, ServerKind::LiteLlm, 2).readiness, Readiness::WantsKey);
    // With a master key and no database: without a key, and with a wrong one.
    let unkeyed = Server::default().raw("/v1/models", 500, "Internal Server Error");
    let wrong = Server::default().raw(
        "/v1/models",
        400,
        r#"{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}"#,
    );
    for server in [unkeyed, wrong] {
        assert_eq!(server.judged().0, None, "anybody's");
        let lite = server.raw("/health/liveliness", 200, "\"I'm alive!\"");
        assert_eq!(told(&lite, ServerKind::LiteLlm, 2).readiness, Readiness::WantsKey);
    }
    for server in [&lite, &locked] {
        assert!(!server.judged().1.contains(&"/health".to_owned()), "its /health asks every model");
    }
}

#[test]
fn what_lists_models_otherwise_is_openai_compatible() {
    let server = Server::default().says("/v1/models", &list(&json!([{"id": "m", "owned_by": "sglang"}])));
    told(&server, ServerKind::OpenAi, 1);
    let server = Server::default().says("/v1/models", &list(&json!([{"id": "m", "owned_by": "openai"}])));
    told(&server, ServerKind::OpenAi, 2);
    // Names with a tag and no Ollama behind them.
    let server = Server::default().says("/v1/models", &list(&json!([{"id": "a:b"}])));
    told(&server, ServerKind::OpenAi, 2);
    let locked = Server::default().raw("/v1/models", 401, r#"{"error":"Unauthorized"}"#);
    assert_eq!(told(&locked, ServerKind::OpenAi, 1).readiness, Readiness::WantsKey);
}

#[test]
fn a_stranger_is_asked_once() {
    let deep = "[".repeat(100_000);
    for (status, body) in [
        (404, "<html>"),
        (200, "<html>a page</html>"),
        (200, ""),
        (200, "{\"data\":"),
        (200, "[]"),
        (200, "null"),
        (200, "{\"data\":{\"id\":\"m\"}}"),
        (200, deep.as_str()),
        (301, ""),
        (401, "<html>log in</html>"),
        (403, ""),
        (500, "{\"error\":\"oops\"}"),
        (503, "busy"),
    ] {
        let (told, asked) = Server::named("nginx").raw("/v1/models", status, body).judged();
        assert_eq!((told, asked.len()), (None, 1), "{status} {body:.40}");
    }
    // Python's own file server, which is on 8000 everywhere.
    let files = Server::named("SimpleHTTP/0.6 Python/3.12.1").raw("/v1/models", 404, "<!DOCTYPE HTML>");
    assert_eq!(files.judged().0, None);
    // An empty list may be LM Studio's: one question more.
    assert_eq!(Server::default().says("/v1/models", &list(&json!([]))).judged().1.len(), 2);
}

#[test]
fn a_stranger_is_told_of_in_one_line() {
    let says = |status: u16, body: &str| {
        let server = Some("SimpleHTTP/0.6 Python/3.11.7".to_owned());
        let words = Stranger::of(&State { status, server, body: body.as_bytes().to_vec() }).words().to_string();
        assert!(!words.contains('\n') && !words.contains('<') && words.chars().count() < 250, "{words}");
        words
    };
    assert_eq!(
        says(404, "<!DOCTYPE HTML><title>Error response</title>"),
        "answers 404 to /v1/models (it says SimpleHTTP/0.6 Python/3.11.7): it is no model server"
    );
    for (status, body, words) in [
        (200, "[{\"id\":\"m\"}]", "answers a bare array to /v1/models"),
        (200, "<html><head><title>\n Admin \u{1b}[31mpage</title>", "answers a page named \"Admin page\""),
        (200, "<html>", "answers /v1/models with what is no JSON"),
        (200, "{\"data\":7}", "answers JSON to /v1/models that is no list of models"),
        (500, "out of order\nand more", "answers 500 to /v1/models (\"out of order and more\")"),
        (502, "<html>", "answers 502 to /v1/models"),
        (403, "no", "answers 403 to /v1/models"),
        (200, &"x".repeat(9000), "answers /v1/models with what is no JSON"),
    ] {
        let said = says(status, body);
        assert!(said.starts_with(words), "{said}");
    }
}

#[tokio::test]
async fn nobody_and_what_is_no_web_server_are_told_apart() {
    let client = Client::new().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    let nobody = identify(&client, Whom::Address(&closed), LIMIT).await.unwrap_err();
    assert_eq!(nobody, Stranger::Silent("nothing is there: the connection is refused".into()));
    let ssh = serving(b"SSH-2.0-OpenSSH_9.6\r\n");
    let ssh = identify(&client, Whom::Address(&ssh), LIMIT).await.unwrap_err();
    assert!(ssh.words().contains("not as a web server does") || ssh.words().contains("can't be reached"), "{ssh:?}");
}

#[test]
fn hostile_lists_are_cut_and_wrong_types_are_nothing() {
    let many: Vec<Value> = (0..10_000).map(|n| json!({"id": format!("m{n}"), "owned_by": "vllm"})).collect();
    assert_eq!(
        told(&Server::default().says("/v1/models", &list(&json!(many))), ServerKind::Vllm, 1).models.len(),
        MODELS
    );
    let entries = json!([
        {"id": 7, "owned_by": "vllm"}, {"id": "x".repeat(100_000)}, {"id": "  "}, 3, null,
        {"id": "fine", "max_model_len": -1}, {"id": "big", "max_model_len": 1e300}, {"id": "zero", "max_model_len": 0}]);
    let found = told(&Server::default().says("/v1/models", &list(&entries)), ServerKind::Vllm, 1);
    assert_eq!(names(&found), ["fine", "big", "zero"]);
    assert!(found.models.iter().all(|model| model.context.is_none()));
    // Properties of wrong types leave llama.cpp what it is.
    let server = Server::named("llama.cpp")
        .says("/v1/models", &list(&json!([{"id": "m", "owned_by": "llamacpp", "meta": "none"}])))
        .says("/props", &json!({"total_slots": "six", "modalities": []}));
    assert_eq!(told(&server, ServerKind::LlamaCpp, 2).models[0].slots, None);
    for (words, number) in [
        ("20B", Some(20_000_000_000)),
        ("7.6B", Some(7_600_000_000)),
        ("781K", Some(781_000)),
        ("8x7B", Some(56_000_000_000)),
        ("", None),
        ("B", None),
        ("-3B", None),
        ("infB", None),
        ("1é", None),
    ] {
        assert_eq!(parameters(words), number, "{words}");
    }
}

#[test]
fn every_cut_of_a_real_answer_is_survived() {
    for file in ["llama-server/v1_models", "ollama/v1_models", "mlx/v1_models"] {
        let whole = Server::default().recorded("/v1/models", file).answers["/v1/models"].1.clone();
        for cut in 0..whole.len() {
            let body = String::from_utf8_lossy(&whole[..cut]).into_owned();
            let _ = Server::default().raw("/v1/models", 200, &body).judged();
        }
    }
}

/// A listener that answers every connection with these bytes, on a thread of its own.
fn serving(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let mut request = [0u8; 2048];
            if socket.read(&mut request).is_ok() {
                let _ = socket.write_all(answer);
            }
        }
    });
    url
}

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let there = serving(
        b"HTTP/1.1 200 OK\r\nContent-Length: 47\r\n\r\n{\"data\":[{\"id\":\"m\",\"owned_by\":\"vllm\"}],\"x\":123}",
    );
    let client = Client::new().unwrap();
    assert_eq!(identify(&client, Whom::Address(&there), LIMIT).await.unwrap().kind, ServerKind::Vllm);
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {there}/v1/models\r\nContent-Length: 0\r\n\r\n");
    let away = serving(Box::leak(answer.into_boxed_str()).as_bytes());
    let stranger = identify(&client, Whom::Address(&away), LIMIT).await.unwrap_err();
    assert_eq!(stranger.words().as_str(), "answers 302 and leads elsewhere: it is no model server");
}

#[tokio::test]
async fn what_is_no_http_and_what_never_ends_is_nothing() {
    let client = Client::new().unwrap();
    for answer in
        [b"SSH-2.0-OpenSSH_9.6\r\n".as_slice(), b"", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"data\":["]
    {
        assert!(identify(&client, Whom::Address(&serving(answer)), LIMIT).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_accepts_and_says_nothing_is_given_up_in_time() {
    let silent: Vec<TcpListener> = (0..AT_ONCE * 2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let client = Client::new().unwrap();
    let limit = Duration::from_millis(300);
    let address = |socket: &TcpListener| Address {
        url: format!("http://{}", socket.local_addr().unwrap()),
        limit,
        endpoint: None,
    };
    let began = tokio::time::Instant::now();
    let answers: Vec<_> = discover(&client, silent.iter().map(address).collect()).collect().await;
    assert!(answers.len() == silent.len() && answers.iter().all(|asked| asked.found.is_err()));
    // Twice as many as are asked at once: two rounds, each of one limit.
    assert_eq!(began.elapsed().as_millis() / 100, 6);
}
