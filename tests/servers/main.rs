//! Servers under control, with real processes: the launched server is Baton's own simulator.
//!
//! Nothing here sleeps for a fixed time: what is waited for is looked at until it is so, with a generous deadline.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod replaced;
mod sessions;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use baton::domain::fleet::{Endpoint, Lifetime};
use baton::engine::servers::{Force, Holder, Identity, Options, Server, ServerState, Servers, Why};
use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};
use serde_json::{Value, json};

const BATON: &str = env!("CARGO_BIN_EXE_baton");

/// Far beyond anything that is waited for, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(20);

#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The words of a shell that stay within a process group: a child beside the server.
const TREE: &str = "sleep 1000 & exec \"$0\" \"$@\"";

/// A home, a free port and one endpoint there.
struct World {
    home: tempfile::TempDir,
    port: u16,
}

impl World {
    fn new() -> Self {
        // Below the ports that systems give to connections, which would take one that is free now.
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let first = u16::try_from(std::process::id() % 600).unwrap() * 16;
        let port = until("a free port", || {
            let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
            TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
        });
        let world = Self { home: tempfile::tempdir().unwrap(), port };
        world.fleet_file("plain.toml", "");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A fleet of one endpoint.
    fn fleet_file(&self, name: &str, launch: &str) -> PathBuf {
        let text = format!(
            "[[endpoint]]\nname = \"one\"\ntiers = [\"t\"]\nprotocol = \"llama.cpp\"\nurl = \"http://127.0.0.1:{}\"\nmodel = \"m\"\nslots = 2\ncontext = 4096\n{launch}",
            self.port
        );
        // Whole at any time: a Baton that was started before may be reading it.
        let fresh = self.path(&format!("{name}.new"));
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, self.path(name)).unwrap();
        self.path(name)
    }

    /// The arguments of `baton sim` for this endpoint.
    fn sim(&self) -> Vec<String> {
        let plain = self.path("plain.toml").display().to_string();
        ["--fleet", &plain, "sim", "--port-base", &self.port.to_string()].map(str::to_owned).into()
    }

    fn surroundings(&self) -> [(&'static str, String); 3] {
        [("HOME", ""), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state")]
            .map(|(name, folder)| (name, self.path(folder).display().to_string()))
    }

    /// The endpoint with a launch that is the simulator in a tree of processes, changed by `over`.
    fn endpoint(&self, over: &Value) -> Endpoint {
        let mut args = vec!["-c".to_owned(), TREE.to_owned(), BATON.to_owned()];
        args.extend(self.sim());
        let env: serde_json::Map<String, Value> =
            self.surroundings().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let mut launch = json!({"command": "sh", "args": args, "env": env, "stop_seconds": 5});
        for (key, value) in over.as_object().unwrap() {
            launch[key] = value.clone();
        }
        serde_json::from_value(json!({
            "name": "one", "tiers": ["t"], "protocol": "llama.cpp", "model": "m", "slots": 2, "context": 4096,
            "url": format!("http://127.0.0.1:{}", self.port), "launch": launch,
        }))
        .unwrap()
    }

    /// Control from within this process.
    fn servers(&self) -> Servers {
        Servers::new(Options::new(&self.path("state/baton"), BATON.into())).unwrap()
    }

    /// `baton` with a fleet file whose endpoint has the launch of [`Self::endpoint`].
    fn baton(&self, lifetime: &str, args: &[&str]) -> Command {
        let list: Vec<String> =
            [TREE.to_owned(), BATON.to_owned()].into_iter().chain(self.sim()).map(|a| format!("{a:?}")).collect();
        let launch = format!(
            "[endpoint.launch]\ncommand = \"sh\"\nargs = [\"-c\", {}]\nlifetime = \"{lifetime}\"\nstop_seconds = 5\n",
            list.join(", ")
        );
        let file = self.fleet_file("fleet.toml", &launch);
        let mut command = Command::new(BATON);
        command.args(args).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).current_dir(self.home.path());
        command.env("BATON_FLEET", file).envs(self.surroundings());
        command
    }

    fn json(&self, lifetime: &str, args: &[&str]) -> (Option<i32>, Value) {
        let output = self.baton(lifetime, args).arg("--json").output().unwrap();
        let value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}{}", text(&output.stdout), text(&output.stderr)));
        (output.status.code(), value)
    }

    fn words(&self, lifetime: &str, args: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.baton(lifetime, args).output().unwrap();
        (status.code(), text(&stdout), text(&stderr))
    }

    fn record(&self) -> PathBuf {
        self.path("state/baton/servers").join(self.port.to_string()).join("server.json")
    }

    fn read_record(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.record()).unwrap()).unwrap()
    }

    fn is_free(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err()
    }
}

impl Drop for World {
    /// A test that failed leaves nothing behind either.
    fn drop(&mut self) {
        if let Ok(bytes) = std::fs::read(self.record())
            && let Ok(record) = serde_json::from_slice::<Value>(&bytes)
        {
            for who in ["supervisor", "server"] {
                if let Ok(identity) = serde_json::from_value::<Identity>(record[who].clone())
                    && identity.lives()
                {
                    let pid = pid(identity.pid);
                    let _ = if who == "server" {
                        rustix::process::kill_process_group(pid, Signal::KILL)
                    } else {
                        kill_process(pid, Signal::KILL)
                    };
                }
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// State's letter, parent and process group of every process, from `/proc`.
fn processes() -> Vec<(char, u32, u32)> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| {
        let line = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut fields = line.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        Some((state, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
    .collect()
}

/// How many of a process group live.
fn members(group: u32) -> usize {
    if cfg!(target_os = "linux") {
        processes().into_iter().filter(|(state, _, of)| *of == group && *state != 'Z').count()
    } else {
        usize::from(test_kill_process_group(pid(group)).is_ok())
    }
}

fn zombies_of(parent: u32) -> usize {
    processes().into_iter().filter(|(state, of, _)| *state == 'Z' && *of == parent).count()
}

fn run<T>(act: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE * 2, act).await.unwrap() })
}

async fn ready(servers: &Servers, endpoint: &Endpoint) -> Server {
    let begun = servers.up(endpoint, None).await.unwrap();
    assert_eq!((begun.holder, begun.lifetime), (Holder::Here, endpoint.launch.as_ref().map(|l| l.lifetime)));
    let server = servers.settled(endpoint, |_| {}).await.unwrap();
    assert_eq!(server.state, ServerState::Ready, "{server}");
    server
}

#[test]
fn a_server_is_started_and_stopped_with_its_whole_tree() {
    let world = World::new();
    run(async {
        let (servers, endpoint) = (world.servers(), world.endpoint(&json!({})));
        assert_eq!(servers.look(&endpoint), None);
        let server = ready(&servers, &endpoint).await;
        let group = server.pid.unwrap();
        until("the server and its sleeping child", || {
            (members(group) >= 2 || cfg!(not(target_os = "linux"))).then_some(())
        });
        let again = servers.up(&endpoint, None).await.unwrap();
        assert_eq!(again.pid, server.pid, "one that runs is not started twice");
        let log = servers.log(&endpoint, Some("simulated")).unwrap().last(10);
        assert!(log.iter().any(|line| line.contains("SIMULATED")), "{log:?}");
        let ended = servers.down(&endpoint, Force::Ours).await.unwrap();
        assert_eq!((ended.state, ended.holder, ended.pid), (ServerState::Stopped, Holder::Nobody, None));
        assert_eq!(members(group), 0, "a process of the tree is left");
        assert_eq!(zombies_of(group), 0);
        assert!(world.is_free());
        let supervisor = u32::try_from(world.read_record()["supervisor"]["pid"].as_u64().unwrap()).unwrap();
        assert_eq!(Identity::of(supervisor), None, "the supervisor is left");
        assert_eq!(processes().iter().filter(|(state, _, of)| *state == 'Z' && *of == supervisor).count(), 0);
        assert_eq!(servers.down(&endpoint, Force::Ours).await.unwrap().state, ServerState::Stopped, "twice is once");
    });
}

#[test]
fn one_that_was_killed_is_started_again_and_ends_with_its_owner() {
    let world = World::new();
    run(async {
        let (servers, endpoint) = (world.servers(), world.endpoint(&json!({})));
        let before = ready(&servers, &endpoint).await;
        kill_process(pid(before.pid.unwrap()), Signal::KILL).unwrap();
        let mut seen = Vec::new();
        let deadline = Instant::now() + DEADLINE;
        let after = loop {
            let server = servers.settled(&endpoint, |s| seen.push(s.state.clone())).await.unwrap();
            if server.restarts == 1 && server.state.is_up() {
                break server;
            }
            assert!(Instant::now() < deadline, "not started again: {seen:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let log = servers.log(&endpoint, Some("starts it again in 0.5 s")).unwrap().last(10);
        assert_eq!(log.len(), 1, "{log:?}");
        assert_ne!(after.pid, before.pid);
        assert_eq!(members(before.pid.unwrap()), 0, "what the killed one left of its group must not stay");
        let log = servers.log(&endpoint, Some("ended by itself: signal 9")).unwrap().last(10);
        assert_eq!(log.len(), 1, "{log:?}");
        drop(servers);
        until("the end of the session's server", || (members(after.pid.unwrap()) == 0).then_some(()));
    });
}

/// What `fleet up` said on stdout once it is ready; the command stays.
fn ready_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

#[test]
fn nothing_of_a_session_is_left_when_its_owner_is_killed() {
    let world = World::new();
    let mut owner =
        world.baton("session", &["fleet", "up"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let line = ready_line(&mut owner);
    assert!(line.starts_with("one: ready at port "), "{line}");
    let record = world.read_record();
    let number = |who: &str| u32::try_from(record[who]["pid"].as_u64().unwrap()).unwrap();
    assert!(members(number("server")) >= 1);
    // By another hand it is seen for what it is.
    let (code, seen) = world.json("session", &["fleet", "up"]);
    assert_eq!((code, &seen[0]["state"], &seen[0]["holder"]), (Some(0), &json!("ready"), &json!("another")), "{seen}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    until("the end of server and supervisor", || {
        (members(number("server")) == 0 && Identity::of(number("supervisor")).is_none()).then_some(())
    });
    assert!(world.is_free());
    let log = world.words("session", &["fleet", "logs", "one", "--grep", "is gone"]).1;
    assert!(log.contains("the Baton that started it is gone"), "{log}");
}

#[test]
fn a_kept_server_lives_on_and_is_adopted() {
    let world = World::new();
    let (code, first) = world.json("kept", &["fleet", "up", "one"]);
    let first = &first[0];
    assert_eq!((code, &first["state"], &first["lifetime"]), (Some(0), &json!("ready"), &json!("kept")), "{first}");
    let group = u32::try_from(first["pid"].as_u64().unwrap()).unwrap();
    assert!(members(group) >= 1, "it ended with its command");
    let (code, out, _) = world.words("kept", &["fleet", "up"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("kept, adopted from an earlier Baton") && out.contains(&group.to_string()), "{out}");
    let (_, status) = world.json("kept", &["fleet", "status"]);
    assert_eq!((&status[0]["health"], &status[0]["control"]["pid"]), (&json!("up"), &first["pid"]), "{status}");
    for (path, mode) in [(world.record(), 0o600), (world.record().parent().unwrap().to_owned(), 0o700)] {
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
    let (_, logs, _) = world.words("kept", &["fleet", "logs", "--grep", "SIMULATED", "-n", "1"]);
    assert_eq!(logs.lines().count(), 1, "{logs}");
    let (code, second) = world.json("kept", &["fleet", "restart"]);
    assert_eq!((code, &second[0]["state"]), (Some(0), &json!("ready")), "{second}");
    assert_ne!(second[0]["pid"], first["pid"]);
    assert_eq!(members(group), 0);
    let (code, ended) = world.json("kept", &["fleet", "down"]);
    assert_eq!((code, &ended[0]["state"]), (Some(0), &json!("stopped")), "{ended}");
    assert_eq!(members(u32::try_from(second[0]["pid"].as_u64().unwrap()).unwrap()), 0);
    assert!(world.is_free());
    assert!(world.words("kept", &["fleet", "down"]).2.contains("no server that Baton started runs"));
}

#[test]
fn one_whose_supervisor_was_killed_is_found_and_nobody_else_is_stopped_for_it() {
    let world = World::new();
    run(async {
        let servers = world.servers();
        let endpoint = world.endpoint(&json!({"lifetime": "kept"}));
        let server = ready(&servers, &endpoint).await;
        let group = server.pid.unwrap();
        let record = world.read_record();
        let supervisor = u32::try_from(record["supervisor"]["pid"].as_u64().unwrap()).unwrap();
        kill_process(pid(supervisor), Signal::KILL).unwrap();
        until("the end of the supervisor", || Identity::of(supervisor).is_none().then_some(()));
        let orphan = servers.look(&endpoint).unwrap();
        assert_eq!((&orphan.state, orphan.holder), (&ServerState::Adopted { by: None }, Holder::Orphan), "{orphan}");
        assert_eq!(servers.up(&endpoint, None).await.unwrap().holder, Holder::Orphan, "it is not started twice");
        // The same number, born at another time: somebody else's process.
        let mut recycled = record.clone();
        recycled["server"]["birth"] = json!("another time");
        std::fs::write(world.record(), recycled.to_string()).unwrap();
        assert_eq!(servers.look(&endpoint).unwrap().state, ServerState::Failed { why: Why::Lost });
        servers.down_at(world.port).await.unwrap();
        assert!(members(group) >= 1, "a process with a recycled number was stopped");
        std::fs::write(world.record(), record.to_string()).unwrap();
        assert_eq!(servers.down(&endpoint, Force::Ours).await.unwrap().state, ServerState::Stopped);
        assert_eq!(members(group), 0);
    });
}

#[test]
fn what_baton_did_not_start_is_used_and_left_alone() {
    let world = World::new();
    let mut foreign = Command::new(BATON)
        .args(world.sim())
        .envs(world.surroundings())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the foreign server", || (!world.is_free()).then_some(()));
    let (code, seen) = world.json("kept", &["fleet", "up"]);
    assert_eq!(
        (code, &seen[0]["state"], &seen[0]["holder"]),
        (Some(0), &json!("adopted"), &json!("foreign")),
        "{seen}"
    );
    if cfg!(target_os = "linux") {
        assert_eq!((&seen[0]["pid"], &seen[0]["by"]["name"]), (&json!(foreign.id()), &json!("baton")), "{seen}");
    }
    let (code, _, err) = world.words("kept", &["fleet", "down", "one"]);
    assert_eq!(code, Some(4));
    assert!(err.contains("which Baton did not start; `--force` stops it"), "{err}");
    assert!(foreign.try_wait().unwrap().is_none(), "it was stopped");
    if cfg!(target_os = "linux") {
        let (code, ..) = world.words("kept", &["fleet", "down", "one", "--force"]);
        assert_eq!(code, Some(0));
    } else {
        foreign.kill().unwrap();
    }
    foreign.wait().unwrap();
    assert!(world.is_free());
}

/// How a launch fails.
async fn failure(world: &World, launch: Value) -> Why {
    let (servers, endpoint) = (world.servers(), world.endpoint(&launch));
    servers.up(&endpoint, None).await.unwrap();
    match servers.settled(&endpoint, |_| {}).await.unwrap().state {
        ServerState::Failed { why } => why,
        other => panic!("{launch}: {other:?}"),
    }
}

#[test]
fn failures_say_what_is_wrong() {
    let world = World::new();
    run(async {
        let why = failure(&world, json!({"command": "no-such-server"})).await;
        assert_eq!(why, Why::NoCommand { command: "no-such-server".into() });
        assert!(why.to_string().contains("install it"), "{why}");
        let why = failure(&world, json!({"cwd": "/no/such/folder"})).await;
        assert_eq!(why, Why::NoFolder { folder: "/no/such/folder".into() });
        let why = failure(&world, json!({"env": {"K": {"env": "BATON_TEST_UNSET"}}})).await;
        assert!(
            matches!(&why, Why::NoSecret { variable, said } if variable == "K" && said.contains("BATON_TEST_UNSET"))
        );
        let script = "echo loading; echo model $K not found >&2; exit 3";
        let secret = json!({"K": {"command": "echo hunter2hunter2"}});
        let why = failure(&world, json!({"args": ["-c", script], "env": secret})).await;
        let Why::EndedAtOnce { status, mut log } = why else { panic!("{why:?}") };
        log.sort();
        assert_eq!((status.as_str(), log), ("exit code 3", vec!["loading".into(), "model «secret» not found".into()]));
        let folder = std::fs::read_to_string(world.record().with_file_name("server.log")).unwrap();
        assert!(
            folder.contains("«secret»")
                && !folder.contains("hunter2")
                && !text(&std::fs::read(world.record()).unwrap()).contains("hunter2")
        );
        // Deaf to the polite signal, with a child: it is made to end.
        let deaf = "trap '' TERM; sleep 1000 & echo $$; while :; do wait; done";
        let why = failure(&world, json!({"args": ["-c", deaf], "ready_seconds": 1, "stop_seconds": 1})).await;
        let Why::NeverReady { seconds: 1, log, .. } = &why else { panic!("{why:?}") };
        assert_eq!(members(log[0].parse().unwrap()), 0, "a deaf process is left");
    });
}

#[test]
fn a_port_that_something_else_has_is_said_with_who_has_it() {
    let world = World::new();
    let socket = TcpListener::bind(("127.0.0.1", world.port)).unwrap();
    std::thread::spawn(move || while socket.accept().is_ok_and(|(stream, _)| stream.set_nodelay(true).is_ok()) {});
    run(async {
        let error =
            world.servers().up(&world.endpoint(&json!({})), Some(Lifetime::Kept)).await.unwrap_err().to_string();
        assert!(error.contains(&format!("port {} is in use by", world.port)), "{error}");
        if cfg!(target_os = "linux") {
            assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
        }
    });
    assert!(!world.record().exists(), "nothing was started");
}

#[test]
fn logs_are_bounded() {
    let world = World::new();
    run(async {
        let options = Options { log_bytes: 2000, ..Options::new(&world.path("state/baton"), BATON.into()) };
        let servers = Servers::new(options).unwrap();
        let script = "i=0; while [ $i -lt 2000 ]; do echo line number $i; i=$((i+1)); done; exec \"$0\" \"$@\"";
        let mut args = vec!["-c".to_owned(), script.to_owned(), BATON.to_owned()];
        args.extend(world.sim());
        let endpoint = world.endpoint(&json!({ "args": args }));
        let mut reader = servers.log(&endpoint, None).unwrap();
        ready(&servers, &endpoint).await;
        let last = reader.last(100_000);
        assert!(last.iter().any(|line| line == "line number 1999") && !last.iter().any(|line| line == "line number 0"));
        servers.down(&endpoint, Force::Ours).await.unwrap();
        let files: Vec<(PathBuf, u64)> = std::fs::read_dir(world.record().parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| is_log(&entry.path()))
            .map(|entry| (entry.path(), entry.metadata().unwrap().len()))
            .collect();
        assert!(files.len() == 4 && files.iter().all(|(_, size)| *size <= 2000), "{files:?}");
    });
}

fn is_log(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with("server.log")
}

#[test]
fn what_does_not_fit_into_memory_is_not_started_unless_it_is_forced() {
    let world = World::new();
    let list: Vec<String> = world.sim().iter().map(|a| format!("{a:?}")).collect();
    let launch = format!("[endpoint.launch]\ncommand = {BATON:?}\nargs = [{}]\nlifetime = \"kept\"\n", list.join(", "));
    let file = world.fleet_file("big.toml", &format!("memory_gb = 9000.0\n{launch}"));
    let baton = |args: &[&str]| {
        let output = world.baton("kept", args).env("BATON_FLEET", &file).output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for command in ["up", "restart"] {
        let (code, out, err) = baton(&["fleet", command]);
        assert_eq!((code, out.as_str()), (Some(4), ""), "{err}");
        assert!(err.contains("nothing is started: memory does not suffice: lacks "), "{err}");
        assert!(err.contains("needs 9000 for one 9000;"), "{err}");
        assert!(err.contains("--force"), "{err}");
    }
    assert!(!world.record().exists(), "it was started");
    let (code, out, err) = baton(&["fleet", "up", "--force"]);
    assert!(code == Some(0) && out.contains("ready at port") && err.contains("started all the same"), "{out}{err}");
    // What runs is adopted, whatever it takes.
    let (code, out, err) = baton(&["fleet", "up"]);
    assert!(code == Some(0) && out.contains("adopted") && !err.contains("memory"), "{out}{err}");
    assert_eq!(baton(&["fleet", "down"]).0, Some(0));
}
