//! A key that a server shows again, wherever in its answers it can be shown: it is nowhere in what Baton keeps or tells.
//!
//! The places are not listed by hand: every text in recorded answers is replaced by the key, one at a time for what a
//! probe makes of it, all at once for what the built binary keeps and prints.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: what goes wrong fails it")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use baton::domain::fleet::{Endpoint, SecretRef};
use baton::engine::providers::{Address, Client, Depth, Traffic, discover, load, probe, ready, unload};
use futures_util::StreamExt;
use serde_json::Value;

const KEY: &str = "sk-planted/123456&7";

/// What to look for: parts of the key that no other text has, so that no way of writing it slips through.
const PARTS: [&str; 2] = ["sk-planted", "123456&7"];

fn shows(text: &str) -> bool {
    PARTS.iter().any(|part| text.contains(part))
}

#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What a server answers, by path.
type Answers = BTreeMap<String, Answer>;

/// A recording of `tests/wire`.
fn recorded(name: &str) -> Answer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(format!("{name}.txt"));
    let text = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
    let at = text.find("HTTP/1.").unwrap();
    let (head, body) = text[at..].split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let framing = ["content-length", "transfer-encoding", "connection", "keep-alive"];
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| !framing.contains(&name.to_ascii_lowercase().as_str()));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = body.split("\n# curl:").next().unwrap().trim_end().as_bytes().to_vec();
    Answer { status, headers, body }
}

fn made(body: &str) -> Answer {
    Answer { status: 200, headers: vec![("Content-Type".into(), "application/json".into())], body: body.into() }
}

/// The kinds of servers, with the protocol that speaks to each.
fn kinds() -> Vec<(&'static str, &'static str, Answers)> {
    let table = |entries: &[(&str, Answer)]| {
        entries.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone())).collect()
    };
    let instances = r#"{"models":[{"type":"llm","publisher":"p","key":"m","display_name":"M","architecture":"llama","quantization":{"name":"Q4","bits_per_weight":4},"size_bytes":1,"params_string":"1B","loaded_instances":[{"id":"m","config":{"context_length":8192}}],"max_context_length":8192,"format":"gguf","capabilities":{"vision":false}}]}"#;
    let states = r#"{"data":[{"id":"m","object":"model","type":"llm","publisher":"p","arch":"llama","compatibility_type":"gguf","quantization":"Q4","state":"loaded","max_context_length":8192,"loaded_context_length":8192}],"object":"list"}"#;
    let plain =
        r#"{"object":"list","data":[{"id":"m","object":"model","owned_by":"vllm","root":"m","max_model_len":8192}]}"#;
    vec![
        (
            "llama.cpp",
            "llama.cpp",
            table(&[
                ("/health", recorded("llama-server/health")),
                ("/props", recorded("llama-server/props")),
                ("/slots", recorded("llama-server/slots_idle")),
                ("/metrics", recorded("llama-server/metrics_idle")),
                ("/v1/models", recorded("llama-server/v1_models")),
                (
                    "/models",
                    made(r#"{"data":[{"id":"m","path":"/m.gguf","status":{"value":"loaded","args":["-c","8192"]}}]}"#),
                ),
            ]),
        ),
        (
            "ollama",
            "ollama",
            table(&[
                ("/", recorded("ollama/root")),
                ("/api/version", recorded("ollama/version")),
                ("/api/tags", recorded("ollama/tags")),
                ("/api/ps", recorded("ollama/ps_loaded")),
                ("/api/show", recorded("ollama/show")),
                ("/v1/models", recorded("ollama/v1_models")),
            ]),
        ),
        ("mlx", "openai", table(&[("/v1/models", recorded("mlx/v1_models")), ("/health", recorded("mlx/health"))])),
        (
            "lm studio and llama-swap",
            "openai",
            table(&[
                ("/v1/models", made(plain)),
                ("/api/v0/models", made(states)),
                ("/api/v1/models", made(instances)),
                ("/running", made(r#"{"running":[{"model":"m","state":"ready","cmd":"x","proxy":"y"}]}"#)),
                ("/metrics", recorded("llama-server/metrics_idle")),
                ("/version", made(r#"{"version":"0.9"}"#)),
            ]),
        ),
    ]
}

/// The ways in which a key stands in place of a text.
const WAYS: [fn(&str) -> String; 2] = [|_| KEY.to_owned(), |text| format!("{text} Bearer {KEY}")];

/// Every text in a value, counted in order; the one of that number, or all, as `way` has it.
fn replace(value: &mut Value, only: Option<usize>, seen: &mut usize, way: fn(&str) -> String) {
    match value {
        Value::String(text) => {
            if only.is_none_or(|only| only == *seen) {
                *text = way(text);
            }
            *seen += 1;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, only, seen, way)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, only, seen, way)),
        _ => {}
    }
}

/// As JSON, the key also written with letters as numbers, as some servers do.
fn json(value: &Value, escaped: bool) -> Vec<u8> {
    let text = value.to_string();
    if escaped { text.replace('&', "\\u0026").replace("sk-", "\\u0073k-").replace('/', "\\/") } else { text }
        .into_bytes()
}

/// One answer with the key planted in each of its places, one after the other.
fn planted(answer: &Answer) -> Vec<Answer> {
    let mut all = Vec::new();
    for way in WAYS {
        for i in 0..answer.headers.len() {
            let mut with = answer.clone();
            with.headers[i].1 = way(&with.headers[i].1);
            all.push(with);
        }
        for name in ["Server", "Location", "WWW-Authenticate", "Retry-After", "Content-Type"] {
            for status in [200, 302, 307, 401] {
                let mut with = Answer { status, ..answer.clone() };
                with.headers.retain(|(other, _)| other != name);
                with.headers.push((name.to_owned(), way("x")));
                all.push(with);
            }
        }
        if let Ok(value) = serde_json::from_slice::<Value>(&answer.body) {
            let mut texts = 0;
            replace(&mut value.clone(), Some(usize::MAX), &mut texts, way);
            for i in 0..texts {
                let mut value = value.clone();
                replace(&mut value, Some(i), &mut 0, way);
                all.extend([false, true].map(|escaped| Answer { body: json(&value, escaped), ..answer.clone() }));
            }
        } else {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            for i in 0..text.lines().count().min(6) {
                let line = |(n, line): (usize, &str)| if n == i { way(line) } else { line.to_owned() };
                let body: Vec<String> = text.lines().enumerate().map(line).collect();
                all.push(Answer { body: body.join("\n").into_bytes(), ..answer.clone() });
            }
        }
    }
    for status in [400, 401, 404, 500, 503] {
        for body in [
            format!(r#"{{"error":{{"message":"bad {KEY}","type":"{KEY}","code":"{KEY}"}}}}"#),
            format!(r#"{{"error":"bad {KEY}"}}"#),
            r#"{"detail":"\u0073k-planted\/123456\u00267"}"#.to_owned(),
            format!("<html>{KEY}</html>"),
            KEY.to_owned(),
        ] {
            all.push(Answer { status, body: body.into_bytes(), ..answer.clone() });
        }
    }
    all
}

/// A server whose answers can be changed.
struct Server {
    address: SocketAddr,
    answers: Arc<RwLock<Answers>>,
}

impl Server {
    fn new(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let this = Self { address: listener.local_addr().unwrap(), answers: Arc::new(RwLock::new(answers)) };
        let answers = Arc::clone(&this.answers);
        std::thread::spawn(move || {
            for io in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                std::thread::spawn(move || serve(io, &answers));
            }
        });
        this
    }

    fn endpoint(&self, protocol: &str, key: &str) -> String {
        format!(
            "name = \"box\"\ntiers = [\"q4_tools\", \"gptoss_reason\", \"t\"]\nprotocol = \"{protocol}\"\nurl = \"http://{}\"\n\
             model = \"m\"\nslots = 2\ncontext = 4096\nkey = {key}\n",
            self.address
        )
    }
}

fn serve(mut io: TcpStream, answers: &RwLock<Answers>) -> Option<()> {
    io.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let (mut got, mut piece) = (Vec::new(), [0; 16 * 1024]);
    while !got.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = io.read(&mut piece).ok().filter(|n| *n > 0)?;
        got.extend_from_slice(&piece[..n]);
    }
    let head = String::from_utf8_lossy(&got).into_owned();
    let path = head.split(' ').nth(1)?.split('?').next()?.to_owned();
    let mut answer = answers.read().ok()?.get(&path).cloned();
    if answer.is_none() && head.starts_with("POST ") {
        answer = answers.read().ok()?.get("POST").cloned();
    }
    let answer = answer.unwrap_or(Answer { status: 404, headers: Vec::new(), body: b"{}".to_vec() });
    let mut text = format!("HTTP/1.1 {} X\r\n", answer.status);
    for (name, value) in &answer.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("Content-Length: {}\r\nConnection: close\r\n\r\n", answer.body.len());
    io.write_all(text.as_bytes()).ok()?;
    io.write_all(&answer.body).ok()
}

#[test]
fn a_key_in_any_place_of_any_answer_of_a_probe_is_in_nothing_that_comes_of_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut tried = 0;
    for (kind, protocol, answers) in kinds() {
        let server = Server::new(answers.clone());
        let mut endpoint: Endpoint = toml::from_str(&server.endpoint(protocol, "{ env = \"X\" }")).unwrap();
        endpoint.key = Some(SecretRef::Command(format!("printf '%s' '{KEY}'")));
        for (path, answer) in &answers {
            for planted in planted(answer) {
                tried += 1;
                *server.answers.write().unwrap() = answers.clone();
                server.answers.write().unwrap().insert(path.clone(), planted.clone());
                let told = runtime.block_on(async {
                    let client = Client::new().unwrap();
                    let report = probe(&client, &endpoint, Depth::Slots, Traffic::Quiet).await;
                    let again = ready(&client, &endpoint).await;
                    let address =
                        |endpoint| Address { url: endpoint_url(&server), limit: Duration::from_millis(500), endpoint };
                    let asked = vec![address(Some(Box::new(endpoint.clone()))), address(None)];
                    let found: Vec<_> = discover(&client, asked).collect().await;
                    format!("{report:?}\n{again:?}\n{found:?}")
                });
                let place = || {
                    format!(
                        "{kind} {path} {} {:?} {}",
                        planted.status,
                        planted.headers,
                        String::from_utf8_lossy(&planted.body)
                    )
                };
                assert!(!shows(&told), "{}\n\n{told}", place());
            }
        }
        // What loads and unloads says what came as well.
        for planted in planted(&made(r#"{"error":{"message":"x","type":"y"}}"#)) {
            *server.answers.write().unwrap() = answers.clone();
            server.answers.write().unwrap().insert("POST".to_owned(), Answer { status: 500, ..planted.clone() });
            let told = runtime.block_on(async {
                let client = Client::new().unwrap();
                format!(
                    "{:?}\n{:?}",
                    unload(&client, &endpoint).await,
                    tokio::time::timeout(Duration::from_millis(300), load(&client, &endpoint)).await
                )
            });
            assert!(!shows(&told), "{kind} {planted:?}\n\n{told}");
        }
    }
    assert!(tried > 500, "{tried}");
}

fn endpoint_url(server: &Server) -> String {
    format!("http://{}", server.address)
}

/// Everything that is kept in a folder, with the path of each file.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => all.extend(files(&path)),
            kind if kind.is_file() => {
                let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                all.push((path, text));
            }
            _ => {}
        }
    }
    all
}

#[test]
fn a_key_that_a_server_shows_is_in_nothing_that_the_program_keeps_or_prints() {
    for (kind, protocol, answers) in kinds() {
        for way in WAYS {
            let everywhere = |answer: &Answer| {
                let mut answer = answer.clone();
                answer
                    .headers
                    .iter_mut()
                    .filter(|(name, _)| name != "Content-Type")
                    .for_each(|(_, value)| *value = way(value));
                if let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) {
                    replace(&mut value, None, &mut 0, way);
                    answer.body = json(&value, false);
                }
                answer
            };
            let mut shown: Answers = answers.iter().map(|(path, answer)| (path.clone(), everywhere(answer))).collect();
            let refused = Answer { status: 400, ..made(&format!(r#"{{"error":{{"message":"bad {KEY}"}}}}"#)) };
            shown.insert("POST".to_owned(), refused);
            let server = Server::new(shown);
            let home = tempfile::tempdir().unwrap();
            let file = |name: &str, text: &str| {
                let path = home.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            };
            let agent = "[[agent]]\nname = \"worker\"\ndescription = \"w\"\ntier = \"t\"\nprompt = \"You work.\"\n";
            let endpoint = server.endpoint(protocol, "{ env = \"MYKEY\" }");
            file("config/baton/fleet.toml", &format!("replace = true\n[[endpoint]]\n{endpoint}{agent}"));
            file("config/baton/baton.toml", &format!("[discovery]\nports = [{}]\n", server.address.port()));
            file(
                "plan.yaml",
                "version: 1\ngoal: g\nsynthesis: false\ntasks:\n  - {id: a, agent: worker, prompt: Say it., retry: {max: 0}}\n",
            );
            file(
                "shots.baton",
                "size 120x40\ngo end\nkeys 1\nsnapshot run.txt\nkeys 3\nsnapshot fleet.txt\nkeys 5\nsnapshot events.txt\n",
            );
            let run = |args: &[&str]| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
                command
                    .args(args)
                    .current_dir(home.path())
                    .env_clear()
                    .env("PATH", "/usr/bin:/bin")
                    .stdin(Stdio::null());
                command.env("HOME", home.path()).env("MYKEY", KEY).env("BATON_LOG", "trace");
                for (name, folder) in
                    [("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")]
                {
                    command.env(name, home.path().join(folder));
                }
                let told = command.output().unwrap();
                let words = String::from_utf8_lossy(&[told.stdout, told.stderr].concat()).into_owned();
                assert!(!shows(&words), "{kind}: {args:?}: {words}");
                (told.status.code(), words)
            };
            run(&["fleet", "status"]);
            run(&["fleet", "status", "--json"]);
            run(&["doctor"]);
            run(&["fleet", "init", "--print"]);
            run(&["fleet", "init", "--output", "made.toml"]);
            run(&["fleet", "canary"]);
            run(&["run", "plan.yaml", "--headless", "--patience", "1", "--jsonl"]);
            let sessions = home.path().join("state/baton/sessions");
            assert!(sessions.is_dir(), "{kind}: nothing was kept");
            for args in [
                &["export", "--json"][..],
                &["export", "--jsonl"],
                &["export", "--markdown"],
                &["report"],
                &["report", "--json"],
                &["sessions"],
                &["resume", "--headless"],
            ] {
                run(args);
            }
            let (code, words) = run(&["replay", "--script", "shots.baton", "--snapshots", "shots", "--update"]);
            assert_eq!(code, Some(0), "{words}");
            let shot = std::fs::read_to_string(home.path().join("shots/fleet.txt")).unwrap();
            assert!(shot.contains("box"), "{kind}: {shot}");
            assert!(files(home.path()).iter().any(|(path, text)| path.ends_with("baton.log") && !text.is_empty()));
            for (path, text) in files(home.path()) {
                assert!(!shows(&text), "{kind}: {}: {text}", path.display());
            }
        }
    }
}
