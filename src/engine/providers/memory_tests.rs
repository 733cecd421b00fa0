//! What servers tell of their models, and models moved in and out: recorded answers and small scripted servers.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::tests::endpoint;
use super::{Client, Depth, Report, Traffic, load, probe, unload};
use crate::domain::fleet::{Endpoint, Launch, Protocol};
use crate::domain::protocol::{FailureKind, Health, ModelShape, Residence};

/// What was asked: method and path, and the body.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// A server that answers by a function of what is asked (`GET /props`), with its name for itself.
struct Script {
    url: String,
    asked: Asked,
}

impl Script {
    async fn new(
        name: &'static str,
        answer: impl Fn(&str, &Value) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, answer) = (Asked::default(), Arc::new(answer));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                tokio::spawn(async move {
                    while let Some((what, body)) = heard(&mut socket).await {
                        log.lock().unwrap().push((what.clone(), body.clone()));
                        let (status, text) = answer(&what, &body).unwrap_or((404, "Not Found".to_owned()));
                        let length = text.len();
                        let head = format!("HTTP/1.1 {status} X\r\nServer: {name}\r\nContent-Length: {length}\r\n\r\n");
                        if socket.write_all((head + &text).as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, asked }
    }

    /// How often this was asked.
    fn count(&self, what: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(asked, _)| asked == what).count()
    }

    /// The body of the last such request.
    fn body(&self, what: &str) -> Value {
        let asked = self.asked.lock().unwrap();
        asked.iter().rfind(|(asked, _)| asked == what).map(|(_, body)| body.clone()).unwrap_or_default()
    }
}

/// A request: method and path, and its body as JSON; none when the client has closed.
async fn heard(socket: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let low = head.to_ascii_lowercase();
            let length = low.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let what = head.lines().next()?.rsplit_once(' ')?.0.to_owned();
                return Some((what, serde_json::from_str(body).unwrap_or_default()));
            }
        }
        if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

fn ok(body: &Value) -> Option<(u16, String)> {
    Some((200, body.to_string()))
}

/// The body of a recording.
fn recorded(file: &str) -> String {
    let lines = file.split_once("\r\n\r\n").unwrap().1;
    lines.lines().take_while(|line| !line.starts_with("# curl:")).collect::<Vec<_>>().join("\n")
}

macro_rules! wire {
    ($name:literal) => {
        recorded(include_str!(concat!("../../../tests/wire/", $name, ".txt")))
    };
}

async fn look(client: &Client, endpoint: &Endpoint, depth: Depth) -> Report {
    probe(client, endpoint, depth, Traffic::Quiet).await
}

fn launch(json: &str) -> Launch {
    serde_json::from_str(json).unwrap()
}

/// A Llama 3 8B's head: magic, version, no tensors, five facts.
fn llama3() -> Vec<u8> {
    let mut bytes = [&b"GGUF"[..], &3u32.to_le_bytes(), &0u64.to_le_bytes(), &5u64.to_le_bytes()].concat();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    text(&mut bytes, "general.architecture");
    bytes.extend(8u32.to_le_bytes());
    text(&mut bytes, "llama");
    let numbers = [("block_count", 32), ("attention.head_count", 32), ("embedding_length", 4096)];
    for (key, n) in numbers.into_iter().chain([("attention.head_count_kv", 8u32)]) {
        text(&mut bytes, &format!("llama.{key}"));
        bytes.extend(4u32.to_le_bytes());
        bytes.extend(n.to_le_bytes());
    }
    bytes
}

#[tokio::test]
async fn a_llama_server_is_asked_for_its_model_once() {
    let loading = Arc::new(Mutex::new(false));
    let state = Arc::clone(&loading);
    let server = Script::new("llama.cpp", move |what, _| match what {
        "GET /health" if *state.lock().unwrap() => Some((503, wire!("llama-server/loading_503_health"))),
        "GET /health" => Some((200, wire!("llama-server/health"))),
        "GET /props" => Some((200, wire!("llama-server/props"))),
        "GET /slots?autoload=0&model=m" => Some((200, wire!("llama-server/slots_idle"))),
        "GET /metrics?autoload=0&model=m" => Some((200, wire!("llama-server/metrics_idle"))),
        "GET /v1/models?autoload=0&model=m" => Some((200, wire!("llama-server/v1_models"))),
        _ => None,
    })
    .await;
    let (client, llama) = (Client::new().unwrap(), endpoint(Protocol::LlamaCpp, &server.url));
    let light = look(&client, &llama, Depth::Light).await;
    let shape = ModelShape { weights: Some(1_563_264), trained: Some(8_192), ..ModelShape::default() };
    assert_eq!((light.shape, light.residence), (Some(shape), Some(Residence::Loaded)), "{light:?}");
    // Its slots and queue are looked at only where that was asked for: it keeps an idle server awake.
    assert_eq!((light.busy, light.queued, server.count("GET /metrics?autoload=0&model=m")), (None, None, 0));
    let deep = look(&client, &llama, Depth::Slots).await;
    assert_eq!((deep.busy, deep.queued, deep.shape), (Some(0), Some(0), Some(shape)));
    assert_eq!(server.count("GET /v1/models?autoload=0&model=m"), 1);
    // A server that starts anew may have another model.
    *loading.lock().unwrap() = true;
    let starting = look(&client, &llama, Depth::Light).await;
    assert_eq!((starting.health, starting.residence), (Health::Loading, Some(Residence::Loading)));
    *loading.lock().unwrap() = false;
    look(&client, &llama, Depth::Light).await;
    assert_eq!(server.count("GET /v1/models?autoload=0&model=m"), 2);
}

#[tokio::test]
async fn a_sleeping_server_is_not_woken_and_holds_nothing() {
    let server = Script::new("llama.cpp", |what, _| match what {
        "GET /health" => ok(&json!({"status": "ok"})),
        "GET /props" => {
            ok(&json!({"total_slots": 2, "is_sleeping": true, "endpoint_slots": true, "endpoint_metrics": true}))
        }
        "GET /v1/models?autoload=0&model=m" => ok(&json!({"data": [{"id": "m", "meta": {"size": 7}}]})),
        _ => None,
    })
    .await;
    let report = look(&Client::new().unwrap(), &endpoint(Protocol::LlamaCpp, &server.url), Depth::Slots).await;
    assert_eq!((report.residence, report.busy, report.queued), (Some(Residence::Unloaded), None, None));
    assert_eq!(report.shape.and_then(|shape| shape.weights), Some(7));
    assert!(
        server.asked.lock().unwrap().iter().all(|(what, _)| !what.contains("/slots") && !what.contains("/metrics"))
    );
}

#[tokio::test]
async fn a_models_file_on_this_machine_tells_of_its_layers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("llama.gguf"), llama3()).unwrap();
    for (path, cwd, known) in [
        (folder.path().join("llama.gguf").display().to_string(), None, true),
        ("llama.gguf".to_owned(), Some(folder.path().display().to_string()), true),
        ("llama.gguf".to_owned(), None, false),
        (folder.path().join("gone.gguf").display().to_string(), None, false),
        (folder.path().display().to_string(), None, false),
    ] {
        let told = path.clone();
        let server = Script::new("llama.cpp", move |what, _| match what {
            "GET /health" => ok(&json!({"status": "ok"})),
            "GET /props" => ok(&json!({"total_slots": 2, "model_path": told})),
            "GET /v1/models?autoload=0&model=m" => ok(&json!({"data": [{"id": "m", "meta": {"size": 7}}]})),
            _ => None,
        })
        .await;
        let (client, mut llama) = (Client::new().unwrap(), endpoint(Protocol::LlamaCpp, &server.url));
        llama.launch = cwd.map(|cwd| Launch { cwd: Some(cwd), ..launch(r#"{"command":"llama-server"}"#) });
        let shape = look(&client, &llama, Depth::Light).await.shape.unwrap();
        assert_eq!((shape.weights, shape.kv_token), (Some(7), known.then_some(131_072)), "{path}");
        // How the cache is kept may change while the model stays.
        llama.launch = Some(Launch {
            cwd: Some(folder.path().display().to_string()),
            ..launch(r#"{"command":"llama-server","args":["-ctk","q8_0","-ctv","q8_0"]}"#)
        });
        let shape = look(&client, &llama, Depth::Light).await.shape.unwrap();
        assert_eq!(shape.kv_token, known.then_some(131_072 * 34 / 64), "{path}");
        assert_eq!(server.count("GET /v1/models?autoload=0&model=m"), 1);
    }
}

#[tokio::test]
async fn ollama_tells_of_layers_and_of_what_is_in_memory() {
    for loaded in [true, false] {
        let server = Script::new("", move |what, _| match what {
            "GET /api/version" => Some((200, wire!("ollama/version"))),
            "POST /api/show" => Some((200, wire!("ollama/show"))),
            "GET /api/ps" if loaded => Some((200, wire!("ollama/ps_loaded"))),
            "GET /api/ps" => Some((200, wire!("ollama/ps_nothing_loaded"))),
            "GET /api/tags" => Some((200, wire!("ollama/tags"))),
            _ => None,
        })
        .await;
        let (client, mut ollama) = (Client::new().unwrap(), endpoint(Protocol::Ollama, &server.url));
        ollama.model = "gpt-oss:120b".to_owned();
        let report = look(&client, &ollama, Depth::Light).await;
        // Three layers of four heads of 24.
        let shape =
            ModelShape { weights: Some(1_642_331), kv_token: Some(3 * 4 * 24 * 4), kv_slot: 0, trained: Some(8_192) };
        assert_eq!(report.shape, Some(shape), "{report:?}");
        let expected = if loaded { (Residence::Loaded, Some(24_935_136)) } else { (Residence::Unloaded, None) };
        assert_eq!((report.residence, report.resident), (Some(expected.0), expected.1));
        ollama.launch = Some(launch(r#"{"command":"ollama","args":["serve"],"env":{"OLLAMA_KV_CACHE_TYPE":"q4_0"}}"#));
        let shape = look(&client, &ollama, Depth::Light).await.shape.unwrap();
        assert_eq!(shape.kv_token, Some(3 * 2 * (4 * 24 * 18 / 32)));
        assert_eq!(server.count("GET /api/tags"), 1);
    }
}

#[tokio::test]
async fn lists_that_ollama_leaves_out_are_read_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let blob = folder.path().join("sha256-1");
    std::fs::write(&blob, llama3()).unwrap();
    for (recipe, known) in [(format!("# FROM x\nFROM {}\nTEMPLATE y", blob.display()), true), (String::new(), false)] {
        let server = Script::new("", move |what, _| match what {
            "GET /api/version" => ok(&json!({"version": "1"})),
            "POST /api/show" => ok(&json!({"modelfile": recipe, "model_info": {
                "general.architecture": "llama", "llama.block_count": 32, "llama.attention.head_count": 32,
                "llama.attention.head_count_kv": null, "llama.embedding_length": 4096,
                "tokenizer.ggml.tokens": null}})),
            "GET /api/ps" | "GET /api/tags" => ok(&json!({"models": []})),
            _ => None,
        })
        .await;
        let report = look(&Client::new().unwrap(), &endpoint(Protocol::Ollama, &server.url), Depth::Light).await;
        assert_eq!(report.shape.and_then(|shape| shape.kv_token), known.then_some(131_072), "{report:?}");
    }
}

/// LM Studio with one model, in memory or not, as its own documentation has it.
fn studio(loaded: bool) -> Value {
    let instance = json!({"id": "openai/gpt-oss-20b", "config": {"context_length": 8192, "eval_batch_size": 512,
        "parallel": 4, "flash_attention": true, "num_experts": 4, "offload_kv_cache_to_gpu": true}});
    let instances = if loaded { vec![instance] } else { Vec::new() };
    json!({"models": [
        {"type": "embedding", "key": "other", "loaded_instances": [], "size_bytes": "much"},
        {"type": "llm", "key": "openai/gpt-oss-20b", "size_bytes": 12_109_566_560_u64, "params_string": "20B",
            "loaded_instances": instances, "max_context_length": 131_072}]})
}

#[tokio::test]
async fn servers_in_openais_words_are_asked_what_their_kind_answers() {
    let listed = |owner: Value| json!({"object": "list", "data": [{"id": "m", "owned_by": owner, "status": "active"}]});
    let client = Client::new().unwrap();

    // vLLM tells of its requests.
    let models = json!({"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 8192}]});
    let server = Script::new("uvicorn", move |what, _| match what {
        "GET /v1/models" => ok(&models),
        "GET /metrics" => Some((
            200,
            "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n\
             vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 5.0\n"
                .to_owned(),
        )),
        _ => None,
    })
    .await;
    let report = look(&client, &endpoint(Protocol::OpenAi, &server.url), Depth::Slots).await;
    assert_eq!((report.busy, report.queued, report.context), (Some(3), Some(5), Some(8192)), "{report:?}");
    assert_eq!((report.residence, report.shape), (Some(Residence::Loaded), None));
    assert_eq!(look(&client, &endpoint(Protocol::OpenAi, &server.url), Depth::Light).await.queued, None);
    assert_eq!((server.count("GET /metrics"), server.count("GET /api/v1/models")), (1, 0));

    // llama-swap tells what it runs.
    for (state, residence) in
        [("ready", Residence::Loaded), ("starting", Residence::Loading), ("stopping", Residence::Unloaded)]
    {
        let models = listed(json!("llama-swap"));
        let server = Script::new("", move |what, _| match what {
            "GET /v1/models" => ok(&models),
            "GET /running" => ok(&json!({"running": [{"model": "m", "state": state}]})),
            _ => None,
        })
        .await;
        let report = look(&client, &endpoint(Protocol::OpenAi, &server.url), Depth::Slots).await;
        assert_eq!((report.health, report.residence), (Health::Up, Some(residence)), "{state}");
        assert_eq!(server.asked.lock().unwrap().len(), 2, "nothing else is asked");
    }

    // LM Studio tells slots, context and size.
    for loaded in [true, false] {
        let models = listed(json!("organization_owner"));
        let server = Script::new("", move |what, _| match what {
            "GET /v1/models" => ok(&models),
            "GET /api/v1/models" => ok(&studio(loaded)),
            _ => None,
        })
        .await;
        let mut studio = endpoint(Protocol::OpenAi, &server.url);
        studio.model = "openai/gpt-oss-20b".to_owned();
        let report = look(&client, &studio, Depth::Light).await;
        let shape = ModelShape { weights: Some(12_109_566_560), trained: Some(131_072), ..ModelShape::default() };
        assert_eq!((report.shape, report.server.unwrap().as_str()), (Some(shape), "LM Studio"));
        let expected = if loaded { (Some(4), Some(8192)) } else { (None, None) };
        assert_eq!((report.slots, report.context), expected);
        let residence = if loaded { Residence::Loaded } else { Residence::Unloaded };
        assert_eq!(report.residence, Some(residence));
    }

    // A front end of many is asked once whether it is LM Studio, and left in peace.
    let models = listed(json!("openai"));
    let server = Script::new("uvicorn", move |what, _| (what == "GET /v1/models").then(|| ok(&models)).flatten()).await;
    for _ in 0..3 {
        let report = look(&client, &endpoint(Protocol::OpenAi, &server.url), Depth::Slots).await;
        assert_eq!((&report.health, report.residence, report.shape), (&Health::Up, None, None), "{report:?}");
    }
    assert_eq!((server.count("GET /api/v1/models"), server.asked.lock().unwrap().len()), (1, 4));

    // mlx tells nothing.
    let server = Script::new("BaseHTTP/0.6 Python/3.12", |what, _| {
        (what == "GET /v1/models").then(|| (200, wire!("mlx/v1_models")))
    })
    .await;
    let report = look(&client, &endpoint(Protocol::OpenAi, &server.url), Depth::Slots).await;
    assert_eq!((report.residence, report.shape, server.asked.lock().unwrap().len()), (None, None, 1));
}

/// A server whose model moves: where it is, and what was asked.
async fn moving(
    answer: impl Fn(&str, &Value, &mut &'static str) -> Option<(u16, String)> + Send + Sync + 'static,
) -> Script {
    let place = Mutex::new("unloaded");
    Script::new("", move |what, body| answer(what, body, &mut place.lock().unwrap())).await
}

#[tokio::test]
async fn ollama_loads_with_the_context_of_requests_and_tells_what_it_held() {
    let server = moving(|what, body, place| match what {
        "POST /api/generate" if body["model"] == "gone" => {
            Some((404, json!({"error": "model 'gone' not found"}).to_string()))
        }
        "POST /api/generate" => {
            *place = if body["keep_alive"] == 0 { "unloaded" } else { "loaded" };
            ok(&json!({"model": "m", "response": "", "done": true, "done_reason": "load"}))
        }
        "GET /api/ps" if *place == "loaded" => ok(&json!({"models": [{"name": "m:latest", "size": 80_000}]})),
        "GET /api/ps" => ok(&json!({"models": []})),
        _ => None,
    })
    .await;
    let (client, mut ollama) = (Client::new().unwrap(), endpoint(Protocol::Ollama, &server.url));
    load(&client, &ollama).await.unwrap();
    let body = server.body("POST /api/generate");
    assert_eq!((&body["keep_alive"], &body["options"]["num_ctx"]), (&json!(-1), &json!(4096)), "{body}");
    assert!(body["prompt"].is_null() && body["stream"] == false, "nothing is generated: {body}");
    assert_eq!(unload(&client, &ollama).await.unwrap(), Some(80_000));
    assert_eq!(server.body("POST /api/generate")["keep_alive"], 0);
    // Not there before: nothing was freed.
    assert_eq!(unload(&client, &ollama).await.unwrap(), None);
    ollama.model = "gone".to_owned();
    let failure = load(&client, &ollama).await.unwrap_err();
    assert!(failure.kind == FailureKind::NoModel && failure.message.contains("ollama pull"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_somebody_holds_is_said_to_stay() {
    let server = moving(|what, _, _| match what {
        "POST /api/generate" => ok(&json!({"done": true, "done_reason": "unload"})),
        "GET /api/ps" => ok(&json!({"models": [{"name": "m", "size": 80_000}]})),
        _ => None,
    })
    .await;
    let failure = unload(&Client::new().unwrap(), &endpoint(Protocol::Ollama, &server.url)).await.unwrap_err();
    assert!(failure.message.contains("another client's request may hold it"), "{failure:?}");
}

/// A router that takes its time: its model is loading when it is asked for the first time.
fn router(what: &str, body: &Value, place: &mut &'static str) -> Option<(u16, String)> {
    let refused = |message: &str| Some((400, json!({"error": {"code": 400, "message": message}}).to_string()));
    match what {
        "GET /health" => ok(&json!({"status": "ok"})),
        "GET /props" => ok(&json!({"role": "router", "build_info": "b1"})),
        "GET /props?autoload=0&model=m" if *place == "loaded" => ok(&json!({"total_slots": 3})),
        "GET /props?autoload=0&model=m" => refused("model is not loaded"),
        "POST /models/load" if body["model"] == "m" && *place == "unloaded" => {
            *place = "loading";
            ok(&json!({"success": true}))
        }
        "POST /models/unload" if body["model"] == "m" && *place != "unloaded" => {
            *place = "unloaded";
            ok(&json!({"success": true}))
        }
        "POST /models/load" | "POST /models/unload" => refused("model is already so"),
        "GET /models" => {
            let mut status = json!({"value": *place});
            let mut model = json!({"id": "org/m:q4", "aliases": ["m"]});
            match *place {
                "loading" => *place = "loaded",
                "loaded" => model["meta"] = json!({"size": 9_000, "n_ctx_train": 4096}),
                "failed" => status = json!({"value": "unloaded", "failed": true, "exit_code": 1}),
                _ => {}
            }
            model["status"] = status;
            ok(&json!({"data": [{"id": "other", "status": {"value": "loaded"}}, model]}))
        }
        _ => None,
    }
}

#[tokio::test]
async fn a_router_loads_and_unloads_by_name() {
    let server = moving(router).await;
    let (client, mut llama) = (Client::new().unwrap(), endpoint(Protocol::LlamaCpp, &server.url));
    let report = look(&client, &llama, Depth::Light).await;
    assert_eq!((&report.health, report.residence), (&Health::Up, Some(Residence::Unloaded)), "{report:?}");
    load(&client, &llama).await.unwrap();
    let report = look(&client, &llama, Depth::Light).await;
    assert_eq!((report.residence, report.slots), (Some(Residence::Loaded), Some(3)), "{report:?}");
    assert_eq!(report.shape.and_then(|shape| shape.weights), Some(9_000));
    // What is there is not loaded again.
    load(&client, &llama).await.unwrap();
    assert_eq!(server.count("POST /models/load"), 1);
    assert_eq!(unload(&client, &llama).await.unwrap(), Some(9_000));
    assert_eq!(unload(&client, &llama).await.unwrap(), None);
    assert_eq!(server.count("POST /models/unload"), 1);
    llama.model = "gone".to_owned();
    let failure = load(&client, &llama).await.unwrap_err();
    assert!(failure.kind == FailureKind::NoModel && failure.message.contains("it has no model gone"), "{failure:?}");
}

#[tokio::test]
async fn a_model_that_does_not_load_is_named_with_its_end() {
    let server = moving(|what, body, place| {
        let answer = router(what, body, place);
        if what == "POST /models/load" {
            *place = "failed";
        }
        answer
    })
    .await;
    let failure = load(&Client::new().unwrap(), &endpoint(Protocol::LlamaCpp, &server.url)).await.unwrap_err();
    assert!(failure.message.contains("ended with code 1 while it loaded"), "{failure:?}");
}

#[tokio::test]
async fn lm_studio_has_one_instance_loaded_and_each_unloaded() {
    let server = moving(|what, _, place| match what {
        "GET /v1/models" => ok(&json!({"data": [{"id": "openai/gpt-oss-20b", "owned_by": "organization_owner"}]})),
        "GET /api/v1/models" => ok(&studio(*place == "loaded")),
        "POST /api/v1/models/load" => {
            *place = "loaded";
            ok(&json!({"type": "llm", "instance_id": "openai/gpt-oss-20b", "status": "loaded"}))
        }
        "POST /api/v1/models/unload" => {
            *place = "unloaded";
            ok(&json!({"instance_id": "openai/gpt-oss-20b"}))
        }
        _ => None,
    })
    .await;
    let (client, mut studio) = (Client::new().unwrap(), endpoint(Protocol::OpenAi, &server.url));
    studio.model = "openai/gpt-oss-20b".to_owned();
    load(&client, &studio).await.unwrap();
    load(&client, &studio).await.unwrap();
    assert_eq!(server.count("POST /api/v1/models/load"), 1);
    let body = server.body("POST /api/v1/models/load");
    assert_eq!(body, json!({"model": "openai/gpt-oss-20b", "context_length": 4096}));
    assert_eq!(unload(&client, &studio).await.unwrap(), Some(12_109_566_560));
    assert_eq!(server.body("POST /api/v1/models/unload"), json!({"instance_id": "openai/gpt-oss-20b"}));
    assert_eq!(unload(&client, &studio).await.unwrap(), None);
}

#[tokio::test]
async fn llama_swap_starts_and_stops_a_models_server() {
    let server = moving(|what, _, place| match what {
        "GET /v1/models" => ok(&json!({"data": [{"id": "org/m", "owned_by": "llama-swap"}]})),
        "GET /running" if *place == "loaded" => ok(&json!({"running": [{"model": "org/m", "state": "ready"}]})),
        "GET /running" => ok(&json!({"running": []})),
        "GET /upstream/org/m/health" => {
            *place = "loaded";
            // An upstream without such a path runs all the same.
            None
        }
        "POST /api/models/unload/org/m" => {
            *place = "unloaded";
            Some((200, "OK".to_owned()))
        }
        _ => None,
    })
    .await;
    let (client, mut swap) = (Client::new().unwrap(), endpoint(Protocol::OpenAi, &server.url));
    swap.model = "org/m".to_owned();
    load(&client, &swap).await.unwrap();
    assert_eq!(look(&client, &swap, Depth::Light).await.residence, Some(Residence::Loaded));
    assert_eq!(unload(&client, &swap).await.unwrap(), None);
    assert_eq!(look(&client, &swap, Depth::Light).await.residence, Some(Residence::Unloaded));
    // One that it can't start: its words, at once.
    swap.model = "gone".to_owned();
    let failure = load(&client, &swap).await.unwrap_err();
    assert!(failure.message.contains("404"), "{failure:?}");
}

#[tokio::test]
async fn a_server_with_one_model_says_what_to_do_instead() {
    let client = Client::new().unwrap();
    let llama =
        Script::new("llama.cpp", |what, _| (what == "GET /props").then(|| ok(&json!({"total_slots": 2}))).flatten())
            .await;
    let vllm = Script::new("", |_, _| ok(&json!({"data": [{"id": "m", "owned_by": "vllm"}]}))).await;
    let mlx = Script::new("BaseHTTP/0.6", |_, _| ok(&json!({"data": []}))).await;
    for (protocol, server) in [(Protocol::LlamaCpp, &llama), (Protocol::OpenAi, &vllm), (Protocol::OpenAi, &mlx)] {
        let endpoint = endpoint(protocol, &server.url);
        let failures = [load(&client, &endpoint).await.unwrap_err(), unload(&client, &endpoint).await.unwrap_err()];
        for failure in failures {
            assert_eq!(failure.kind, FailureKind::Refused);
            assert!(failure.message.contains("start or stop the server itself"), "{failure:?}");
        }
        assert!(server.asked.lock().unwrap().iter().all(|(what, _)| what.starts_with("GET")), "nothing was told to it");
    }
}

#[tokio::test]
async fn a_sleeping_server_can_be_woken() {
    let server = moving(|what, _, place| match what {
        "GET /props" => ok(&json!({"total_slots": 2, "is_sleeping": *place == "unloaded"})),
        "GET /slots?autoload=0&model=m" => {
            *place = "loaded";
            ok(&json!([]))
        }
        _ => None,
    })
    .await;
    let (client, llama) = (Client::new().unwrap(), endpoint(Protocol::LlamaCpp, &server.url));
    assert_eq!(unload(&client, &llama).await.unwrap(), None, "it is out of memory already");
    load(&client, &llama).await.unwrap();
    assert_eq!(server.count("GET /slots?autoload=0&model=m"), 1);
}

#[tokio::test]
async fn lm_studio_s_older_list_tells_the_context_and_an_adapter_has_its_model_s() {
    let owned = json!({"data": [{"id": "m", "owned_by": "organization_owner"}]}).to_string();
    let states = json!({"data": [{"id": "m", "type": "llm", "state": "loaded", "max_context_length": 131_072,
        "loaded_context_length": 32_768}]})
    .to_string();
    let studio = Script::new("", move |what, _| match what {
        "GET /v1/models" => Some((200, owned.clone())),
        "GET /api/v0/models" => Some((200, states.clone())),
        _ => None,
    })
    .await;
    let look = |url: String, model: &'static str| async move {
        let endpoint = Endpoint { model: model.to_owned(), ..endpoint(Protocol::OpenAi, &url) };
        probe(&Client::new().unwrap(), &endpoint, Depth::Light, Traffic::Quiet).await
    };
    let report = look(studio.url.clone(), "m").await;
    assert_eq!((report.context, report.residence), (Some(32_768), Some(Residence::Loaded)));
    assert_eq!(report.server.unwrap().as_str(), "LM Studio");
    let list = json!({"data": [{"id": "base", "owned_by": "vllm", "max_model_len": 8192, "parent": null},
        {"id": "sql", "owned_by": "vllm", "parent": "base"}]})
    .to_string();
    let vllm = Script::new("uvicorn", move |what, _| (what == "GET /v1/models").then(|| (200, list.clone()))).await;
    assert_eq!(look(vllm.url.clone(), "sql").await.context, Some(8192));
}

#[tokio::test]
async fn a_router_tells_what_it_will_start_a_model_with() {
    let listed = json!({"data": [{"id": "alpha", "owned_by": "llamacpp", "status": {"value": "unloaded",
        "args": ["llama-server", "--ctx-size", "8192", "--parallel", "2"]}}]})
    .to_string();
    let router = Script::new("llama.cpp", move |what, _| match what {
        "GET /health" => Some((200, "{}".to_owned())),
        "GET /props" => Some((200, json!({"role": "router"}).to_string())),
        "GET /models" => Some((200, listed.clone())),
        _ => Some((400, json!({"error": {"message": "model is not loaded"}}).to_string())),
    })
    .await;
    let endpoint = Endpoint { model: "alpha".to_owned(), ..endpoint(Protocol::LlamaCpp, &router.url) };
    let report = probe(&Client::new().unwrap(), &endpoint, Depth::Light, Traffic::Quiet).await;
    assert_eq!((report.slots, report.context, report.residence), (Some(2), Some(4096), Some(Residence::Unloaded)));
}
