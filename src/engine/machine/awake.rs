//! Keeping the machine awake while something runs.
//!
//! The system's own command holds it: `caffeinate` on macOS, `systemd-inhibit` elsewhere, each told to end with this
//! process, however that ends. Where there is none, the machine sleeps as it likes. Not here: whether it slept
//! (`host/asleep`). Invariants: nothing is held for work that is over in half a minute, nor while all work waits for a
//! person; what was started is ended.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Work that is shorter is over before any machine sleeps.
const AFTER: Duration = Duration::from_secs(30);

/// Between two requests there are pauses: so long without any, and it is let go.
const LETS_GO: Duration = Duration::from_secs(60);

/// Whether models work now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// They do.
    UnderWay,
    /// Nothing is under way, or all of it waits for a person.
    None,
}

/// What keeps the machine awake, while it is wanted.
#[derive(Debug)]
pub(crate) struct Awake {
    held: Option<Child>,
    /// Since when models work without a longer pause.
    since: Option<Instant>,
    last: Option<Instant>,
    /// The operator does not want it, or there is no command that does it.
    idle: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Stays,
    Holds,
    LetsGo,
}

impl Awake {
    /// Nothing is held yet; ever, where `wanted` is false.
    pub(crate) fn new(wanted: bool) -> Self {
        Self { held: None, since: None, last: None, idle: !wanted }
    }

    /// Takes in how it stands; cheap where nothing is to be done.
    pub(crate) fn see(&mut self, now: Instant, work: Work) {
        if self.idle {
            return;
        }
        match self.step(now, work) {
            Step::Stays => {}
            Step::LetsGo => self.let_go(),
            Step::Holds => match command().spawn() {
                Ok(child) => self.held = Some(child),
                Err(error) => {
                    tracing::info!(%error, "nothing here can keep the machine awake");
                    self.idle = true;
                }
            },
        }
    }

    /// Whether the machine is kept awake now: what was started for it lives.
    pub(crate) fn holds(&mut self) -> bool {
        self.held.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn step(&mut self, now: Instant, work: Work) -> Step {
        let since = |then: Option<Instant>| then.map(|then| now.saturating_duration_since(then));
        if work == Work::UnderWay {
            self.last = Some(now);
            self.since.get_or_insert(now);
            let long = since(self.since).is_some_and(|time| time >= AFTER);
            return if long && self.held.is_none() { Step::Holds } else { Step::Stays };
        }
        if since(self.last).is_none_or(|time| time >= LETS_GO) && self.since.take().is_some() {
            return Step::LetsGo;
        }
        Step::Stays
    }

    fn let_go(&mut self) {
        let Some(mut child) = self.held.take() else { return };
        // Its group: what it waits with goes along.
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::TERM);
        }
        let _ = child.wait();
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn command() -> Command {
    let own = std::process::id();
    let mut command = if cfg!(target_os = "macos") {
        let mut command = Command::new("/usr/bin/caffeinate");
        command.args(["-i", "-w", &own.to_string()]);
        command
    } else {
        let mut command = Command::new("systemd-inhibit");
        command.args(["--what=sleep:idle", "--who=Baton", "--why=models are at work", "--mode=block"]);
        command.args(["tail", &format!("--pid={own}"), "-f", "/dev/null"]);
        command
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_for_longer_work_and_let_go_after_it() {
        let mut awake = Awake::new(true);
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        assert_eq!(awake.step(at(0), Work::None), Step::Stays);
        assert_eq!(awake.step(at(10), Work::UnderWay), Step::Stays);
        assert_eq!(awake.step(at(20), Work::None), Step::Stays, "a pause between two requests");
        assert_eq!(awake.step(at(40), Work::UnderWay), Step::Holds);
        assert_eq!(awake.step(at(70), Work::None), Step::Stays);
        assert_eq!(awake.step(at(100), Work::None), Step::LetsGo);
        assert_eq!(awake.step(at(101), Work::None), Step::Stays);
        assert_eq!(awake.step(at(102), Work::UnderWay), Step::Stays);
    }

    #[test]
    fn where_it_is_not_wanted_nothing_is_started() {
        let mut awake = Awake::new(false);
        awake.see(Instant::now(), Work::UnderWay);
        awake.see(Instant::now() + Duration::from_secs(100), Work::UnderWay);
        assert!(awake.held.is_none() && awake.since.is_none());
    }
}
