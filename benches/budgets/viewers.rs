//! What it costs a run to be watched: twenty consoles over the socket, one of them stopped, against none.
//!
//! The consoles run in processes of their own, as they do.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use baton::domain::plan::TaskSpec;
use baton::domain::protocol::Name;
use baton::domain::state::State;
use baton::engine::client::Client as _;
use baton::engine::host::Engine;
use baton::interface::remote::{Again, AttachClient, Attachment, Given, Place, Server, ServerOptions};
use rustix::process::{Pid, Signal, kill_process};

use crate::Report;
use crate::fleet::start;
use crate::runs::{run_with, spec};

/// Consoles that watch to the end; one more is stopped.
const WATCHING: usize = 19;

/// What of a state consoles are compared by.
fn digest(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{state:?}").hash(&mut hasher);
    hasher.finish()
}

/// A console's main: says that it watches, and at the end what it saw.
pub(crate) fn watch(run: &str, consoles: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let place = Place::of(&Name::slug("bench"), Path::new(run)).unwrap();
        let mut watching = Vec::new();
        for _ in 0..consoles.parse().unwrap() {
            let console = Attachment::Console("bench".into());
            let (mut client, _) = AttachClient::open(place.clone(), Given::Nothing, console).await.unwrap();
            watching.push(tokio::spawn(async move {
                let (mut state, mut batch, mut told) = (State::default(), Vec::new(), false);
                while client.recv(&mut batch, 4_096).await {
                    batch.drain(..).for_each(|record| state.apply(&record));
                    if !told && client.standing().viewer.is_some() {
                        told = true;
                        println!("watching");
                    }
                }
                println!("{}", digest(&state));
            }));
        }
        for one in watching {
            one.await.unwrap();
        }
    });
}

/// Who watches a run.
struct Watched {
    watching: Child,
    stopped: Child,
    _server: Server,
    _folder: tempfile::TempDir,
}

fn console(run: &Path, consoles: usize) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--watch", run.to_str().unwrap(), &consoles.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut byte = [0];
    let out = child.stdout.as_mut().unwrap();
    for _ in 0..consoles * "watching\n".len() {
        out.read_exact(&mut byte).unwrap();
    }
    child
}

fn begin(engine: &Engine) -> Watched {
    let folder = tempfile::tempdir().unwrap();
    let options =
        ServerOptions { run: folder.path().to_path_buf(), tcp: None, user: "bench".into(), again: Again::Never };
    let server = Server::start(engine.connector().clone(), options).unwrap();
    let stopped = console(folder.path(), 1);
    kill_process(Pid::from_child(&stopped), Signal::STOP).unwrap();
    let watching = console(folder.path(), WATCHING);
    Watched { watching, stopped, _server: server, _folder: folder }
}

/// Twenty agents stream while twenty consoles watch.
pub(crate) fn viewers(report: &mut Report) {
    let title = "viewers: makespan with 20, one of them stopped, ÷ with none";
    if !report.wants(title) {
        return;
    }
    let served = start("a:20");
    let tasks = || -> Vec<TaskSpec> { (0..60).map(|i| spec(&format!("t{i}"), "a", &[], 3_000.0, 300)).collect() };
    let (alone, ()) = run_with(&served.config, tasks(), |_| ());
    let (ran, mut watched) = run_with(&served.config, tasks(), begin);
    let seen: Vec<String> =
        BufReader::new(watched.watching.stdout.take().unwrap()).lines().map(|l| l.unwrap()).collect();
    watched.watching.wait().unwrap();
    watched.stopped.kill().unwrap();
    watched.stopped.wait().unwrap();
    let ours = digest(&ran.state).to_string();
    assert!(seen.len() == WATCHING && seen.iter().all(|s| *s == ours), "they saw something else: {seen:?}, not {ours}");
    report.at_most(title, ran.makespan / alone.makespan, 1.02, "");
    println!("     {:.3} s, alone {:.3} s; {WATCHING} consoles end in the same state", ran.makespan, alone.makespan);
}
