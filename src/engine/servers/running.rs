//! One run of a server: its process in a group of its own, and what it says going into the log.
//!
//! Invariant: dropping it ends the whole group at once, so that a supervisor that breaks leaves nothing behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::log::{Lines, Log};
use super::process::{Identity, KILLED, end_group, pid_of, signal_group};
use super::state::Why;
use crate::domain::fleet::{EnvValue, Launch};
use crate::engine::providers::{Client, Secret};

/// How long what a server said last is waited for once its group is gone: somebody outside the group may hold its stdout.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Variables with their values; secrets can't be shown.
pub(super) type Environment = BTreeMap<String, Value>;

/// A variable's value.
#[derive(Debug)]
pub(super) enum Value {
    Plain(String),
    Secret(Secret),
}

/// The variables of a launch, secrets resolved; the log's redactor knows them from here on.
pub(super) async fn environment(client: &Client, launch: &Launch) -> Result<Environment, Why> {
    let mut all = Environment::new();
    for (name, value) in &launch.env {
        let value = match value {
            EnvValue::Plain(text) => Value::Plain(text.clone()),
            EnvValue::Secret(reference) => match client.secret(reference).await {
                Ok(secret) => Value::Secret(secret),
                Err(fault) => return Err(Why::NoSecret { variable: name.clone(), said: fault.came }),
            },
        };
        all.insert(name.clone(), value);
    }
    Ok(all)
}

/// A log that both streams of a server write.
pub(super) type SharedLog = Arc<Mutex<Log>>;

/// The log, for one line.
pub(super) fn with<T>(log: &SharedLog, act: impl FnOnce(&mut Log) -> T) -> T {
    act(&mut log.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A server's process and its group.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    group: Pid,
    pub(super) identity: Identity,
    streams: Vec<JoinHandle<()>>,
    ended: bool,
}

impl Running {
    /// Starts it. Must be called within a runtime.
    pub(super) fn start(launch: &Launch, environment: &Environment, log: &SharedLog) -> Result<Self, Why> {
        let home = home();
        let program = expand(&launch.command, &home);
        let folder = launch.cwd.as_ref().map_or_else(|| home.clone(), |cwd| PathBuf::from(expand(cwd, &home)));
        // Else the system would say of the command that it is not there.
        if !folder.is_dir() {
            return Err(Why::NoFolder { folder: folder.display().to_string() });
        }
        let mut command = Command::new(&program);
        command
            .args(launch.args.iter().map(|arg| expand(arg, &home)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for (name, value) in environment {
            match value {
                Value::Plain(text) => command.env(name, text),
                Value::Secret(secret) => command.env(name, secret.expose()),
            };
        }
        with(log, Log::begin);
        let refused = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Why::NoCommand { command: launch.command.clone() },
            _ => Why::Refused { command: launch.command.clone(), said: error.to_string() },
        };
        let mut child = command.spawn().map_err(refused)?;
        let lost = || Why::Refused { command: launch.command.clone(), said: "it has no process id".to_owned() };
        let pid = child.id().ok_or_else(lost)?;
        let group = pid_of(pid).ok_or_else(lost)?;
        // One that ended already is a zombie until it is waited for, which keeps its number; it is met by `wait`.
        let identity = Identity::of(pid).unwrap_or_else(|| Identity { pid, birth: String::new() });
        let mut streams = Vec::with_capacity(2);
        if let Some(out) = child.stdout.take() {
            streams.push(tokio::spawn(copy(out, Arc::clone(log))));
        }
        if let Some(err) = child.stderr.take() {
            streams.push(tokio::spawn(copy(err, Arc::clone(log))));
        }
        Ok(Self { child, group, identity, streams, ended: false })
    }

    /// Waits for the end of the process itself; its group may live on. May be dropped and asked again.
    pub(super) async fn wait(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => words(status),
            Err(error) => format!("it can't be waited for: {error}"),
        }
    }

    /// Ends all of its group that still lives, and reads what it said last.
    pub(super) async fn end(mut self, grace: Duration) {
        // The process must be waited for meanwhile: unwaited it would keep its group in the system's books.
        let (gone, _) = tokio::join!(end_group(self.group, grace), timeout(grace + KILLED, self.child.wait()));
        if !gone {
            tracing::warn!(pid = self.identity.pid, "a process of the server's group does not end");
        }
        self.ended = true;
        for stream in self.streams.drain(..) {
            let abort = stream.abort_handle();
            if timeout(LAST_WORDS, stream).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            signal_group(self.group, Signal::KILL);
        }
    }
}

/// A stream into the log, until its end.
async fn copy(mut stream: impl AsyncRead + Unpin, log: SharedLog) {
    let (mut lines, mut buffer) = (Lines::default(), vec![0; 8 * 1024]);
    while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
        with(&log, |log| lines.feed(&buffer[..bytes], |line| log.line(line)));
    }
    with(&log, |log| lines.rest(|line| log.line(line)));
}

/// A leading `~` is the home folder: no shell reads any of this.
fn expand(text: &str, home: &Path) -> String {
    match text.strip_prefix('~') {
        Some("") => home.display().to_string(),
        Some(rest) if rest.starts_with('/') => format!("{}{rest}", home.display()),
        _ => text.to_owned(),
    }
}

fn home() -> PathBuf {
    std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"))
}

/// How a process ended.
fn words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_is_written_as_people_write_it() {
        let home = Path::new("/h");
        for (text, expected) in
            [("~", "/h"), ("~/models/a.gguf", "/h/models/a.gguf"), ("~other/x", "~other/x"), ("-m~", "-m~"), ("", "")]
        {
            assert_eq!(expand(text, home), expected);
        }
    }
}
