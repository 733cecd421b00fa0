//! A session's door under attack: whoever has no key takes neither the owner's places nor their time.
//!
//! What attacks does as another user of the machine can: over loopback, without a key, as fast as it goes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: what goes wrong fails it")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use baton::domain::protocol::Name;
use baton::engine::client::Client;
use baton::interface::remote::{AttachClient, Attachment, Given, Place};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const BATON: &str = env!("CARGO_BIN_EXE_baton");

/// What the owner's acts may take, whoever else is at the door.
const SOON: Duration = Duration::from_secs(1);

/// A session that `baton serve` runs, in a home of its own.
struct Serving {
    home: tempfile::TempDir,
    child: Child,
    told: Value,
}

impl Serving {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let plan = "version: 1\ngoal: Ask\nsynthesis: false\ntasks:\n  - {id: asks, agent: researcher, prompt: '[sim ask=Keep it?|yes|no ms=5]'}\n";
        std::fs::write(home.path().join("plan.yaml"), plan).unwrap();
        let mut child = baton(home.path(), &["serve", "--fleet", "sim", "--tcp", "127.0.0.1:0", "--jsonl"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        let told = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        Self { home, child, told }
    }

    fn tcp(&self) -> SocketAddr {
        self.told["url"].as_str().unwrap().trim_start_matches("http://").parse().unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.told["socket"].as_str().unwrap().into()
    }

    fn key(&self) -> String {
        std::fs::read_to_string(self.told["key_file"].as_str().unwrap()).unwrap().trim().to_owned()
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let told = baton(self.home.path(), args).output().unwrap();
        (told.status.code(), String::from_utf8_lossy(&[told.stdout, told.stderr].concat()).into_owned())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// One request whole, and the status of its answer; 0: it was cut, or none came.
    fn ask_over_tcp(&self) -> u16 {
        let Ok(mut io) = TcpStream::connect(self.tcp()) else { return 0 };
        io.set_read_timeout(Some(2 * SOON)).unwrap();
        let request =
            format!("GET /v1/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n", self.key());
        let _ = io.write_all(request.as_bytes());
        let mut text = String::new();
        let _ = io.read_to_string(&mut text);
        text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    fn post(&self, body: &str) -> (u16, Value) {
        let mut io = UnixStream::connect(self.socket()).unwrap();
        let head = format!("POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n", self.key());
        io.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
        let mut text = String::new();
        io.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = kill_process(self.pid(), Signal::CONT);
        let _ = (self.child.kill(), self.child.wait());
    }
}

fn baton(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(BATON);
    command
        .args(args)
        .current_dir(home)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .stdin(Stdio::null());
    for (name, folder) in [("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")] {
        command.env(name, home.join(folder));
    }
    command
}

/// Attackers at work until this is dropped.
struct Attack {
    over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Attack {
    fn new() -> Self {
        Self { over: Arc::default(), done: Arc::default(), threads: Vec::new() }
    }

    fn with(mut self, mut again: impl FnMut() -> u64 + Send + 'static) -> Self {
        let (over, done) = (Arc::clone(&self.over), Arc::clone(&self.done));
        self.threads.push(std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                done.fetch_add(again(), Ordering::Relaxed);
            }
        }));
        self
    }

    /// `places` connections with half a request each; what is cut comes again at once.
    fn holding(self, address: SocketAddr, places: usize) -> Self {
        let mut held: Vec<TcpStream> = Vec::new();
        self.with(move || {
            held.retain_mut(|io| matches!(io.read(&mut [0; 512]), Err(error) if error.kind() == ErrorKind::WouldBlock));
            let mut renewed = 0;
            while held.len() < places {
                let Ok(mut io) = TcpStream::connect(address) else { break };
                let _ = io.write_all(b"GET / HTTP/1.1\r\nHost: x");
                let _ = io.set_nonblocking(true);
                held.push(io);
                renewed += 1;
            }
            std::thread::sleep(Duration::from_millis(2));
            renewed
        })
    }

    /// Whole requests without a key, as fast as one thread sends them.
    fn flooding(self, address: SocketAddr) -> Self {
        self.with(move || {
            let Ok(mut io) = TcpStream::connect(address) else { return 0 };
            let _ = io.set_read_timeout(Some(SOON));
            let _ = io.write_all(b"GET /v1/state HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let _ = io.read_to_end(&mut Vec::new());
            1
        })
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

/// The best of three: the machine that tests run on does other things as well, and a door that is shut is shut thrice.
fn soon(what: &str, mut act: impl FnMut() -> Result<(), String>) {
    let mut tried = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        let done = act();
        let took = begun.elapsed();
        if done.is_ok() && took <= SOON {
            return;
        }
        tried.push((took, done));
    }
    panic!("{what}: {tried:?}");
}

fn expect(code: Option<i32>, (got, words): (Option<i32>, String)) -> Result<(), String> {
    if got == code { Ok(()) } else { Err(format!("{got:?} {words}")) }
}

/// Everything the owner does at the door.
fn owner_gets_in(serving: &Serving, asked: &str) {
    soon("state", || expect(Some(0), serving.run(&["ctl", "state"])));
    soon("over loopback with the key", || {
        let status = serving.ask_over_tcp();
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    soon("attach", || {
        runtime.block_on(async {
            let session = Name::new(serving.told["session"].as_str().unwrap()).unwrap();
            let place = Place::of(&session, &serving.home.path().join("run/baton")).unwrap();
            let console = Attachment::Console("a test".into());
            let (mut client, _) = AttachClient::open(place, Given::Key, console).await.map_err(|e| e.to_string())?;
            let mut batch = Vec::new();
            if client.recv(&mut batch, 16).await && !batch.is_empty() { Ok(()) } else { Err("no record".to_owned()) }
        })
    });
    soon("answer", || expect(Some(0), serving.run(&["answer"])));
    let (code, words) = serving.run(&["ctl", "goal", "plan.yaml"]);
    assert_eq!(code, Some(0), "{words}");
    let begun = Instant::now();
    while !serving.run(&["answer"]).1.contains(asked) {
        assert!(begun.elapsed() < Duration::from_secs(20), "no question came");
    }
    soon("an answer", || expect(Some(0), serving.run(&["answer", "--text", "1", "--task", asked])));
    // What is paused already is refused, by a session that was reached.
    soon("pause", || match serving.run(&["ctl", "pause"]) {
        (Some(0), _) => Ok(()),
        (_, words) if words.contains("paused already") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(serving.run(&["ctl", "resume"]).0, Some(0));
}

#[test]
fn half_requests_and_a_keyless_flood_over_loopback_keep_nobody_out() {
    let serving = Serving::start();
    let attack = Attack::new().holding(serving.tcp(), 64).flooding(serving.tcp());
    let begun = Instant::now();
    while attack.done() < 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the attack never got going");
        std::thread::sleep(Duration::from_millis(10));
    }
    owner_gets_in(&serving, "g1/asks");
    drop(attack);
    // All at once, and all of them stay.
    let crowd: Vec<_> = (0..500).filter_map(|_| TcpStream::connect(serving.tcp()).ok()).collect();
    assert!(crowd.len() > 400, "{}", crowd.len());
    owner_gets_in(&serving, "g2/asks");
}

#[test]
fn a_session_that_is_there_but_does_not_answer_is_not_no_session() {
    let serving = Serving::start();
    let asks = [&["ctl", "state"][..], &["ctl", "pause"], &["answer"], &["attach", "--jsonl"]];
    // All places of the owner's own door are taken, by programs of theirs that hang.
    let held: Vec<UnixStream> = (0..64).map(|_| UnixStream::connect(serving.socket()).unwrap()).collect();
    let mute = |why: &[&str]| {
        for args in asks {
            let (code, words) = serving.run(args);
            assert_eq!(code, Some(4), "{args:?} {words}");
            assert!(words.contains("is there but does not answer"), "{args:?}: {words}");
            assert!(why.iter().any(|why| words.contains(why)), "{args:?}: {words}");
            assert!(!words.contains("no session is running"), "{words}");
        }
    };
    // It says so and hangs up, which may come before the question is asked.
    mute(&["64 connections are open", "closed the connection"]);
    drop(held);
    kill_process(serving.pid(), Signal::STOP).unwrap();
    mute(&["nothing came in 2 s"]);
    kill_process(serving.pid(), Signal::CONT).unwrap();
    soon("state", || expect(Some(0), serving.run(&["ctl", "state"])));
}

#[test]
fn a_refused_command_that_comes_again_is_refused_again() {
    let serving = Serving::start();
    assert_eq!(serving.post(r#"{"command":"pause","id":"r-0"}"#).0, 200);
    let refused = serving.post(r#"{"command":"pause","id":"r-1"}"#);
    assert_eq!((refused.0, refused.1["answer"].as_str()), (409, Some("refused")));
    assert_eq!(serving.post(r#"{"command":"pause","id":"r-1"}"#), refused);
    // Also when it could be done now: the first answer stands for its id.
    assert_eq!(serving.post(r#"{"command":"resume","id":"r-2"}"#).0, 200);
    assert_eq!(serving.post(r#"{"command":"pause","id":"r-1"}"#), refused);
    let again = serving.post(r#"{"command":"resume","id":"r-2"}"#);
    assert_eq!((again.0, again.1["answer"].as_str()), (200, Some("repeated")));
}
