//! A model server whose answers are written byte by byte.
//!
//! It answers what a probe asks as a small server of its kind does, and leaves every request for an answer to the case.
//! Each connection carries one request. Dropping it closes its port; threads that still write end when their client is gone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// The head of a stream of events.
pub(crate) const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
/// The head of a stream of lines.
pub(crate) const LINES: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n";
/// The last event.
pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// A request for an answer.
pub(crate) struct Asked {
    /// Which it is, from 1 on.
    pub(crate) number: usize,
    /// Its body.
    pub(crate) body: String,
}

/// How a case answers a request.
pub(crate) type Play = Box<dyn Fn(&Asked, &mut TcpStream) -> std::io::Result<()> + Send + Sync>;

/// A server at work.
pub(crate) struct Served {
    /// Where.
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Arc<Asked>>>>,
    over: Arc<AtomicBool>,
}

impl Served {
    /// Begins to serve on a free port.
    pub(crate) fn start(play: Play) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = Self { port, asked: Arc::default(), over: Arc::default() };
        let (asked, over, play) = (Arc::clone(&served.asked), Arc::clone(&served.over), Arc::new(play));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (asked, play) = (Arc::clone(&asked), Arc::clone(&play));
                // A client that leaves in the middle is no mistake of the case.
                std::thread::spawn(move || stream.and_then(|stream| answer(stream, &asked, &play)));
            }
        });
        served
    }

    /// The requests for an answer so far.
    pub(crate) fn asked(&self) -> Vec<Arc<Asked>> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn answer(stream: TcpStream, asked: &Mutex<Vec<Arc<Asked>>>, play: &Play) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut stream = stream;
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or("").to_owned());
    let asks = ["chat/completions", "/completions", "/completion", "/api/chat", "/api/generate"];
    if method == "POST" && asks.iter().any(|end| path.ends_with(end)) {
        let body = String::from_utf8_lossy(&body).into_owned();
        let one = {
            let mut all = asked.lock().unwrap();
            let one = Asked { number: all.len() + 1, body };
            all.push(Arc::new(one));
            Arc::clone(&all[all.len() - 1])
        };
        return play(&one, &mut stream);
    }
    stream.write_all(told(&path).as_bytes())
}

/// What a probe is told.
fn told(path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    let value = match path {
        "/health" => json!({"status": "ok"}),
        "/props" => json!({"default_generation_settings": {"n_ctx": 16384}, "total_slots": 4, "model_alias": "m",
            "build_info": "b1", "chat_template": ""}),
        "/slots" => (0..4).map(|id| json!({"id": id, "n_ctx": 16384, "is_processing": false})).collect(),
        "/api/version" => json!({"version": "0.33.0"}),
        "/api/tags" => json!({"models": [{"name": "m", "model": "m", "size": 1_000_000}]}),
        "/api/ps" => json!({"models": []}),
        "/api/show" => json!({"capabilities": ["completion"], "model_info": {"x.context_length": 16384}}),
        path if path.ends_with("/models") => {
            json!({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "x"}]})
        }
        _ => return http("404 Not Found", "{\"error\":{\"message\":\"no such path\",\"code\":404}}", &[]),
    };
    http("200 OK", &value.to_string(), &[])
}

/// A whole answer with a body.
pub(crate) fn http(status: &str, body: &str, headers: &[&str]) -> String {
    let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n{body}"
    )
}

/// One event of a stream: what it adds, and the reason of the end.
pub(crate) fn event(delta: Value, end: Option<&str>) -> String {
    with(delta, end, &json!({}))
}

/// One event with more fields beside its choices.
pub(crate) fn with(delta: Value, end: Option<&str>, more: &Value) -> String {
    let mut body = json!({"id": "x", "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": end}]});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    format!("data: {body}\n\n")
}

/// A piece of text.
pub(crate) fn text(text: &str) -> String {
    event(json!({ "content": text }), None)
}

/// An end in order, for a reason.
pub(crate) fn ends(reason: &str) -> String {
    event(json!({}), Some(reason)) + DONE
}

/// What a good answer has behind its head.
pub(crate) fn hello() -> String {
    text("Hello.") + &ends("stop")
}

/// A good answer.
pub(crate) fn good() -> String {
    STREAM.to_owned() + &hello()
}

/// One line of Ollama's.
pub(crate) fn line(content: &str, more: &Value) -> String {
    let mut body = json!({"model": "m", "created_at": "2026-11-20T11:16:07Z", "message": {"role": "assistant", "content": content}, "done": false});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    format!("{body}\n")
}
