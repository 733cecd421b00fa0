//! What the built binary says and does where servers are not what its fleet file says: down, loading, of another protocol,
//! without the model, simulated. Scripted servers on loopback; each test has a home of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const BATON: &str = env!("CARGO_BIN_EXE_baton");

const PLAN: &str = "version: 1\ngoal: g\nsynthesis: false\ntasks:\n  - {id: a, agent: worker, prompt: Say yes.}\n";

const AGENT: &str = "[[agent]]\nname = \"worker\"\ndescription = \"w\"\ntier = \"t\"\nprompt = \"You work.\"\n";

struct Home(tempfile::TempDir);

struct Told {
    code: Option<i32>,
    out: String,
    err: String,
    took: Duration,
}

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.file("plan.yaml", PLAN);
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The operator's own fleet file, of these endpoints.
    fn fleet(&self, endpoints: &[String]) {
        self.file("config/baton/fleet.toml", &format!("replace = true\n{}{AGENT}", endpoints.concat()));
    }

    /// Where servers are looked for that no endpoint names.
    fn looks_at(&self, ports: &[u16]) {
        self.file("config/baton/baton.toml", &format!("[discovery]\nports = {ports:?}\n"));
    }

    fn baton(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BATON);
        command.args(args).current_dir(self.path()).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        for (name, folder) in
            [("HOME", ""), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")]
        {
            command.env(name, self.path().join(folder));
        }
        command
    }

    fn run(&self, args: &[&str]) -> Told {
        let began = Instant::now();
        let output = self.baton(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Told { code: output.status.code(), out: text(output.stdout), err: text(output.stderr), took: began.elapsed() }
    }
}

fn endpoint(name: &str, port: u16, protocol: &str, model: &str) -> String {
    format!(
        "[[endpoint]]\nname = \"{name}\"\ntiers = [\"t\"]\nprotocol = \"{protocol}\"\nurl = \"http://127.0.0.1:{port}\"\n\
         model = \"{model}\"\nslots = 1\ncontext = 4096\n"
    )
}

/// A port where nobody listens.
fn dead_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A server that answers by `script`: from method and path to status, headers and body.
struct Scripted {
    port: u16,
    chats: Arc<AtomicUsize>,
}

type Reply = (u16, &'static str, String);

impl Scripted {
    fn start(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (chats, script) = (Arc::new(AtomicUsize::new(0)), Arc::new(script));
        let counted = Arc::clone(&chats);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (counted, script) = (Arc::clone(&counted), Arc::clone(&script));
                std::thread::spawn(move || serve(stream, &counted, &*script));
            }
        });
        Self { port, chats }
    }

    fn chats(&self) -> usize {
        self.chats.load(Ordering::Relaxed)
    }
}

fn serve(mut stream: TcpStream, chats: &AtomicUsize, script: &dyn Fn(&str) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first).unwrap_or(0) == 0 {
        return;
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let path = first.split(' ').take(2).collect::<Vec<_>>().join(" ");
    if path.starts_with("POST") && path.contains("chat") {
        chats.fetch_add(1, Ordering::Relaxed);
    }
    let (status, headers, body) = script(&path);
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

const JSON: &str = "Content-Type: application/json\r\n";

fn answer() -> Reply {
    let chunk = |delta: &str, finish: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
    };
    let body = format!("{}{}data: [DONE]\n\n", chunk("{\"content\":\"Yes.\"}", "null"), chunk("{}", "\"stop\""));
    (200, "Content-Type: text/event-stream\r\n", body)
}

/// A server of OpenAI's kind that lists these models.
fn openai(models: &'static [&'static str], headers: &'static str) -> Scripted {
    Scripted::start(move |path| match path {
        "GET /v1/models" => {
            let entries: Vec<String> = models
                .iter()
                .map(|id| format!("{{\"id\":\"{id}\",\"object\":\"model\",\"owned_by\":\"me\"}}"))
                .collect();
            (200, headers, format!("{{\"object\":\"list\",\"data\":[{}]}}", entries.join(",")))
        }
        "POST /v1/chat/completions" => answer(),
        _ => (404, headers, "Not Found".to_owned()),
    })
}

/// A llama-server with one model, which loads until `ready`.
fn llama(model: &'static str, ready: Instant) -> Scripted {
    Scripted::start(move |path| {
        if Instant::now() < ready {
            let body = r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#;
            return (503, JSON, body.to_owned());
        }
        match path.split('?').next().unwrap() {
            "GET /health" => (200, JSON, r#"{"status":"ok"}"#.to_owned()),
            "GET /props" => (
                200,
                JSON,
                format!(
                    r#"{{"total_slots":1,"model_alias":"{model}","default_generation_settings":{{"n_ctx":4096}},"build_info":"b1-x"}}"#
                ),
            ),
            "GET /v1/models" => {
                (200, JSON, format!(r#"{{"object":"list","data":[{{"id":"{model}","owned_by":"llamacpp"}}]}}"#))
            }
            "GET /slots" => (200, JSON, "[]".to_owned()),
            "POST /v1/chat/completions" => answer(),
            _ => {
                (404, JSON, r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#.to_owned())
            }
        }
    })
}

/// Python's web server.
fn web() -> Scripted {
    Scripted::start(|path| {
        let headers = "Server: SimpleHTTP/0.6 Python/3.12\r\nContent-Type: text/html\r\n";
        let status = if path.starts_with("POST") { 501 } else { 404 };
        let page = format!(
            "<!DOCTYPE HTML>\n<html>\n<head>\n<title>Error</title>\n</head>\n<body>\n<h1>Error</h1>\n<p>Error code: {status}</p>\n</body>\n</html>\n"
        );
        (status, headers, page)
    })
}

/// The lines on stderr that begin so.
fn lines<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.trim_start().starts_with(begin)).collect()
}

#[test]
fn a_run_whose_servers_are_down_invents_nothing_and_says_what_each_needs() {
    let home = Home::new();
    let launch = "[endpoint.launch]\ncommand = \"/bin/true\"\n";
    let (one, two) = (dead_port(), dead_port());
    let mine = [endpoint("slow", one, "llama.cpp", "m") + launch, endpoint("other", two, "openai", "m")];
    // In the user's folder, in the project's, and named: each is the operator's own.
    for place in ["config/baton/fleet.toml", ".baton/fleet.toml", "named.toml"] {
        let home = Home::new();
        // A project's fleet file starts nothing.
        let mine = if place.starts_with(".baton") { mine.concat().replace(launch, "") } else { mine.concat() };
        home.file(place, &format!("replace = true\n{mine}{AGENT}"));
        if place.starts_with(".baton") {
            // What a project names is used once it was approved.
            let left_out = home.run(&["fleet", "status"]);
            assert!(left_out.err.contains("left out of") && left_out.err.contains("baton trust"), "{}", left_out.err);
            assert_eq!(home.run(&["trust"]).code, Some(3), "nobody is there to say yes");
            assert_eq!(home.run(&["trust", "--yes"]).code, Some(0));
        }
        let named: &[&str] = if place == "named.toml" { &["--fleet", "named.toml"] } else { &[] };
        for args in [&["run", "plan.yaml", "--headless"][..], &["run", "plan.yaml", "--json"], &["plan", "a goal"]] {
            let told = home.run(&[args, named].concat());
            assert_eq!((told.code, told.out.as_str()), (Some(4), ""), "{place} {args:?}: {}", told.err);
            assert!(told.took < Duration::from_secs(5), "{:?}", told.took);
            assert!(!told.err.contains("SIMULATED"), "{}", told.err);
            let (slow, other) = (lines(&told.err, "slow: "), lines(&told.err, "other: "));
            assert_eq!((slow.len(), other.len()), (1, 1), "{}", told.err);
            assert!(slow[0].contains(&format!("http://127.0.0.1:{one}")) && slow[0].contains("refused"), "{}", slow[0]);
            assert!(slow[0].contains("`baton fleet up slow` starts it") || place.starts_with(".baton"), "{}", slow[0]);
            assert!(!other[0].contains("fleet up"), "{}", other[0]);
        }
    }
    // Without a fleet file nothing stands in either; how to come to one is said.
    home.looks_at(&[one]);
    let told = home.run(&["run", "a goal", "--headless"]);
    assert_eq!((told.code, told.out.as_str()), (Some(4), ""), "{}", told.err);
    assert!(told.err.contains("baton fleet init") && told.err.contains("--fleet sim"), "{}", told.err);
    let told = home.run(&["run", "Compare two parsers [sim ms=5]", "--headless", "--fleet", "sim"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.contains("SIMULATED"), "{}", told.out);
}

#[test]
fn what_is_resumed_waits_for_its_servers_no_more_than_what_is_run() {
    let home = Home::new();
    let port = dead_port();
    home.fleet(&[endpoint("slow", port, "openai", "m")]);
    let told = home.run(&["run", "plan.yaml", "--headless", "--patience", "1"]);
    assert_eq!((told.code, told.out.as_str()), (Some(3), ""), "{}", told.err);
    assert!(told.err.contains("waiting up to 1 s for a server to answer"), "{}", told.err);
    let told = home.run(&["resume", "--headless"]);
    assert_eq!((told.code, told.out.as_str()), (Some(4), ""), "{}", told.err);
    assert_eq!(lines(&told.err, "slow: ").len(), 1, "{}", told.err);
    // Patience waits for one that comes.
    let mut child = home
        .baton(&["resume", "--headless", "--patience", "60"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting up to 60 s") {
        line.clear();
        assert!(err.read_line(&mut line).unwrap() > 0, "it ended by itself");
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        let script = |path: &str| match path {
            "GET /v1/models" => (200, JSON, r#"{"data":[{"id":"m"}]}"#.to_owned()),
            _ => answer(),
        };
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || serve(stream, &AtomicUsize::new(0), &script));
        }
    });
    let output = child.wait_with_output().unwrap();
    let mut rest = String::new();
    err.read_to_string(&mut rest).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"Yes.\n"[..]), "{rest}");
}

#[test]
fn loading_is_no_silence() {
    let home = Home::new();
    let server = llama("m", Instant::now() + Duration::from_secs(4));
    home.fleet(&[endpoint("athene", server.port, "llama.cpp", "m")]);
    let told = home.run(&["run", "plan.yaml", "--headless", "--patience", "1"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "Yes.\n"), "{}", told.err);
    assert!(told.err.contains("athene is loading (for "), "{}", told.err);
    assert!(!told.err.contains("for a server to answer"), "{}", told.err);
}

#[test]
fn a_model_that_the_server_does_not_list_is_said_before_it_is_asked() {
    let home = Home::new();
    let (lists, one) = (openai(&["team-model", "slow-model"], JSON), llama("kitty", Instant::now()));
    home.fleet(&[endpoint("front", lists.port, "openai", "nope"), endpoint("single", one.port, "llama.cpp", "other")]);
    let status = home.run(&["fleet", "status"]);
    assert_eq!(status.code, Some(1), "{}", status.out);
    let says = [
        "the server has no model nope; it has team-model, slow-model",
        "the server has no model other; it answers with kitty",
    ];
    for (name, words) in [("front", says[0]), ("single", says[1])] {
        let rows = lines(&status.out, name);
        assert!(rows.len() == 1 && rows[0].contains(" up ") && rows[0].contains(words), "{}", status.out);
    }
    let status = home.run(&["fleet", "status", "--json"]);
    assert_eq!(status.code, Some(1));
    assert!(status.out.contains(says[0]), "{}", status.out);
    let doctor = home.run(&["doctor"]);
    assert!(doctor.code == Some(1) && says.iter().all(|words| doctor.out.contains(words)), "{}", doctor.out);
    // It is no reason to refuse work.
    let told = home.run(&["run", "plan.yaml", "--headless"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "Yes.\n"), "{}", told.err);
    let (said, started) = (told.err.find(says[0]), told.err.find("started "));
    assert!(said.is_some() && said < started, "{}", told.err);
    // With a model that it lists all is well.
    home.fleet(&[
        endpoint("front", lists.port, "openai", "slow-model"),
        endpoint("single", one.port, "llama.cpp", "Kitty.gguf"),
    ]);
    let status = home.run(&["fleet", "status"]);
    assert_eq!(status.code, Some(0), "{}", status.out);
    let doctor = home.run(&["doctor"]);
    assert_eq!(doctor.code, Some(0), "{}", doctor.out);
}

#[test]
fn scripts_are_told_by_the_exit_code_what_is_wrong_with_the_fleet() {
    let home = Home::new();
    let (up, down) = (openai(&["m"], JSON), dead_port());
    let key = "key = { env = \"NOT_SET_ANYWHERE\" }\n";
    for (mine, code) in [
        (vec![endpoint("a", up.port, "openai", "m")], 0),
        (vec![endpoint("a", up.port, "openai", "m"), endpoint("b", down, "openai", "m")], 1),
        (vec![endpoint("b", down, "openai", "m")], 1),
        (vec![endpoint("a", up.port, "openai", "m") + key], 1),
    ] {
        home.fleet(&mine);
        for args in [&["fleet", "status"][..], &["fleet", "status", "--json"], &["doctor"], &["doctor", "--json"]] {
            let told = home.run(args);
            assert_eq!(told.code, Some(code), "{args:?} {mine:?}: {}", told.out);
        }
    }
}

#[test]
fn a_stranger_is_named_in_one_line() {
    let home = Home::new();
    let (page, mlx) = (web(), openai(&["m"], "Server: BaseHTTP/0.6 Python/3.12\r\nContent-Type: application/json\r\n"));
    for protocol in ["llama.cpp", "openai", "ollama"] {
        home.fleet(&[endpoint("page", page.port, protocol, "m")]);
        let status = home.run(&["fleet", "status"]);
        let rows = status.out.lines().count();
        assert!(rows == 2 && status.code == Some(1), "{protocol}: {}", status.out);
        assert!(status.out.contains("this is no model server (it says SimpleHTTP/0.6"), "{protocol}: {}", status.out);
        let told = home.run(&["run", "plan.yaml", "--headless"]);
        assert_eq!((told.code, lines(&told.err, "page: ").len()), (Some(4), 1), "{protocol}: {}", told.err);
        assert!(told.err.lines().count() < 4 && !told.err.contains('<'), "{protocol}: {}", told.err);
    }
    assert_eq!(page.chats(), 0);
    // One that understands the requests of another protocol is used, and what is wrong is said with its mend.
    home.fleet(&[endpoint("odd", mlx.port, "llama.cpp", "m")]);
    let status = home.run(&["fleet", "status"]);
    assert!(status.code == Some(1) && status.out.lines().count() == 2, "{}", status.out);
    for words in [" up ", "this is no llama.cpp server (it looks like mlx_lm.server)", "`protocol = \"openai\"`"] {
        assert!(status.out.contains(words), "{words}: {}", status.out);
    }
    let told = home.run(&["run", "plan.yaml", "--headless"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "Yes.\n"), "{}", told.err);
    // One that does not is down, and nothing is sent to it.
    let before = mlx.chats();
    home.fleet(&[endpoint("odd", mlx.port, "ollama", "m")]);
    let told = home.run(&["run", "plan.yaml", "--headless"]);
    assert_eq!((told.code, mlx.chats()), (Some(4), before), "{}", told.err);
    assert!(told.err.contains("this is no Ollama (it looks like mlx_lm.server)"), "{}", told.err);
}

#[test]
fn a_task_without_a_title_is_not_called_by_all_of_its_prompt() {
    let home = Home::new();
    let page = Scripted::start(|path| match path {
        "GET /v1/models" => (200, JSON, r#"{"data":[{"id":"m"}]}"#.to_owned()),
        _ => (400, JSON, r#"{"error":{"message":"no","type":"invalid_request_error"}}"#.to_owned()),
    });
    home.fleet(&[endpoint("a", page.port, "openai", "m")]);
    let prompt = "word ".repeat(1_400);
    home.file("plan.yaml", &PLAN.replace("Say yes.", &format!("\"{prompt}\"")));
    let told = home.run(&["run", "plan.yaml", "--headless"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(told.err.lines().all(|line| line.len() < 600), "{}", told.err);
    assert!(told.err.contains("word…"), "{}", told.err);
}

#[test]
fn a_simulated_server_on_a_known_port_is_marked() {
    let home = Home::new();
    let mut sim = home.baton(&["sim", "--speed", "50"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut ports = Vec::new();
    for line in BufReader::new(sim.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let port: Option<u16> =
            line.strip_prefix("url = \"http://127.0.0.1:").map(|rest| rest.trim_end_matches('"').parse().unwrap());
        ports.extend(port);
        if ports.len() == 5 {
            break;
        }
    }
    home.looks_at(&ports);
    home.file(
        "plan.yaml",
        &PLAN.replace("agent: worker", "agent: researcher").replace("Say yes.", "\"Say yes. [sim ms=5]\""),
    );
    let found = home.run(&["run", "plan.yaml", "--headless", "--json"]);
    // And where a fleet file takes it for a real one.
    home.fleet(&[endpoint("mine", ports[0], "llama.cpp", "kitty-q4")]);
    home.file("plan.yaml", &PLAN.replace("Say yes.", "\"Say yes. [sim ms=5]\""));
    let named = home.run(&["run", "plan.yaml", "--headless", "--json"]);
    let _ = sim.kill();
    let _ = sim.wait();
    for told in [found, named] {
        assert_eq!(told.code, Some(0), "{}", told.err);
        let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(json["simulated"], true, "{}", told.err);
        assert!(told.err.contains("SIMULATED: the answers of this fleet are made up"), "{}", told.err);
    }
}
