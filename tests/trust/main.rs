//! Files that somebody else made: a cloned repository and a session's folder that try everything they could. Nothing of it
//! runs, nothing leaves for where they point, and what was left out is said with its mend.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: what goes wrong fails it")]

mod project;
mod session;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const BATON: &str = env!("CARGO_BIN_EXE_baton");

/// What nobody but the operator may see.
const SECRET: &str = "the-operators-own-variable";

/// A model server that counts who comes and keeps what they say.
struct Listener {
    address: SocketAddr,
    came: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listener {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let this = Self { address: listener.local_addr().unwrap(), came: Arc::default(), heard: Arc::default() };
        let (came, heard) = (Arc::clone(&this.came), Arc::clone(&this.heard));
        std::thread::spawn(move || {
            for io in listener.incoming().flatten() {
                came.fetch_add(1, Ordering::Relaxed);
                let heard = Arc::clone(&heard);
                std::thread::spawn(move || serve(io, &heard));
            }
        });
        this
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::Relaxed)
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }
}

/// One request, answered as a server of the OpenAI kind does.
fn serve(mut io: TcpStream, heard: &Mutex<Vec<u8>>) -> Option<()> {
    io.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut got = Vec::new();
    let mut piece = [0; 16 * 1024];
    let head = loop {
        let n = io.read(&mut piece).ok().filter(|n| *n > 0)?;
        heard.lock().unwrap().extend_from_slice(&piece[..n]);
        got.extend_from_slice(&piece[..n]);
        if let Some(at) = got.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let text = String::from_utf8_lossy(&got[..head]).to_ascii_lowercase();
    let length =
        text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok()).unwrap_or(0);
    while got.len() < head + length {
        let n = io.read(&mut piece).ok().filter(|n| *n > 0)?;
        heard.lock().unwrap().extend_from_slice(&piece[..n]);
        got.extend_from_slice(&piece[..n]);
    }
    let (kind, body) = if text.starts_with("get ") && text.contains("/v1/models") {
        ("application/json", r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#.to_owned())
    } else if text.starts_with("post ") {
        let piece = r#"{"choices":[{"index":0,"delta":{"content":"Theirs."},"finish_reason":"stop"}]}"#;
        ("text/event-stream", format!("data: {piece}\n\ndata: [DONE]\n\n"))
    } else {
        ("application/json", "{}".to_owned())
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    io.write_all((head + &body).as_bytes()).ok()
}

/// The operator's home: a fleet of their own that is off, and no search that could find what else runs on this machine.
struct Home(tempfile::TempDir);

const OWN_FLEET: &str = "replace = true\n[[endpoint]]\nname = \"own\"\ntiers = [\"q4_tools\", \"gptoss_reason\", \"summary\", \"coder\", \"vision\"]\n\
    protocol = \"openai\"\nurl = \"http://127.0.0.1:9\"\nmodel = \"m\"\nslots = 2\ncontext = 8192\nkey = { env = \"OWN_KEY\" }\n";

const PLAN: &str =
    "version: 1\ngoal: g\nsynthesis: false\ntasks:\n  - {id: one, agent: researcher, prompt: 'Say it.'}\n";

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.file("config/baton/fleet.toml", OWN_FLEET);
        home.file("config/baton/baton.toml", "[discovery]\nports = [9]\nhosts = []\n");
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs Baton in a folder of it; one that hangs fails the test.
    fn run(&self, folder: &str, args: &[&str]) -> Told {
        let told = |name: &str| std::fs::File::create(self.path().join(name)).unwrap();
        let mut command = Command::new(BATON);
        command.args(args).current_dir(self.path().join(folder)).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", self.path()).env("MYSECRET", SECRET).env("OWN_KEY", "sk-own-key-of-the-operator");
        for (name, folder) in [("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")] {
            command.env(name, self.path().join(folder));
        }
        command.stdin(Stdio::null()).stdout(told("stdout")).stderr(told("stderr"));
        let (mut child, begun) = (command.spawn().unwrap(), Instant::now());
        let code = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            if begun.elapsed() > Duration::from_secs(40) {
                let _ = (child.kill(), child.wait());
                panic!("{args:?} hangs: {}", std::fs::read_to_string(self.path().join("stderr")).unwrap());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let read = |name: &str| String::from_utf8_lossy(&std::fs::read(self.path().join(name)).unwrap()).into_owned();
        Told { code, out: read("stdout"), err: read("stderr") }
    }
}

#[derive(Debug)]
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Told {
    /// Everything that was said, on the way out for people.
    fn words(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Whether this test may give files away; where it may not, what it can't try is said.
fn may_give_away(path: &Path) -> bool {
    let gave = std::os::unix::fs::chown(path, Some(65_534), Some(65_534));
    if gave.is_err() {
        // Captured, and shown where a test fails or all of it is asked for.
        let words = b"left out, as only the superuser may do it: a folder of another user's\n";
        let _ = std::io::stderr().write_all(words);
    }
    gave.is_ok()
}

/// Makes a fifo.
fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}
