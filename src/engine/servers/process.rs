//! Processes by id and birth, and process groups: who still lives, and how they are told to end.
//!
//! Invariants: a number alone names no process, because the system gives numbers again; one that has ended and waits for
//! its parent (a zombie) does not live.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

/// How often it is looked whether something has ended.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// How long after SIGKILL the system may take. A process in a driver's hands takes longer, and can't be helped.
pub(super) const KILLED: Duration = Duration::from_secs(3);

/// A process that can be told from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its number.
    pub pid: u32,
    /// When it began, in the system's own words.
    pub birth: String,
}

impl Identity {
    /// The process of that number, if there is one that has not ended.
    pub fn of(pid: u32) -> Option<Self> {
        birth(pid).map(|birth| Self { pid, birth })
    }

    /// Whether it has not ended.
    pub fn lives(&self) -> bool {
        birth(self.pid).is_some_and(|birth| birth == self.birth)
    }

    /// Sends it a signal, if it lives.
    pub(super) fn signal(&self, signal: Signal) {
        if self.lives()
            && let Some(pid) = pid_of(self.pid)
        {
            // It ended in this very moment: as well.
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits until it has ended; false when it has not within `limit`.
    pub(super) async fn ended(&self, limit: Duration) -> bool {
        until(limit, || !self.lives()).await
    }
}

/// A number as the system's calls take it.
pub(super) fn pid_of(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Looks until `done`; false when it is not within `limit`.
pub(super) async fn until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK).await;
    }
}

/// Sends a process group a signal; one that is gone needs none.
pub(super) fn signal_group(group: Pid, signal: Signal) {
    let _ = kill_process_group(group, signal);
}

/// Whether anybody of the group lives.
pub(super) fn group_lives(group: Pid) -> bool {
    test_kill_process_group(group).is_ok() && members(group)
}

/// Ends a group: asks, waits for `grace`, makes. True when nobody is left.
pub(super) async fn end_group(group: Pid, grace: Duration) -> bool {
    signal_group(group, Signal::TERM);
    if until(grace, || !group_lives(group)).await {
        return true;
    }
    signal_group(group, Signal::KILL);
    until(KILLED, || !group_lives(group)).await
}

/// Whether a group the system knows has a member that is no zombie.
#[cfg(target_os = "linux")]
fn members(group: Pid) -> bool {
    let wanted = group.as_raw_nonzero().get();
    let Ok(all) = std::fs::read_dir("/proc") else { return true };
    let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(linux::stat).any(|stat| stat.group == wanted && !stat.is_over())
}

/// The kernel answers for zombies with "not permitted", which is an error, so that here everybody lives.
#[cfg(not(target_os = "linux"))]
fn members(_: Pid) -> bool {
    true
}

#[cfg(target_os = "linux")]
fn birth(pid: u32) -> Option<String> {
    let stat = linux::stat(pid).filter(|stat| !stat.is_over())?;
    Some(format!("{}:{}", linux::boot(), stat.start))
}

#[cfg(not(target_os = "linux"))]
fn birth(pid: u32) -> Option<String> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};
    let mut system = System::new().ok()?;
    let pid = Pid::from_u32(pid);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    let process = system.process(pid)?;
    let over = matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
    (!over).then(|| process.start_time().to_string())
}

/// What Linux tells in `/proc`.
#[cfg(target_os = "linux")]
mod linux {
    use std::sync::OnceLock;

    /// Of `/proc/PID/stat`: the state's letter, the process group, the start in clock ticks since boot.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) struct Stat {
        pub(super) state: char,
        pub(super) group: i32,
        pub(super) start: u64,
    }

    impl Stat {
        pub(super) fn is_over(&self) -> bool {
            matches!(self.state, 'Z' | 'X' | 'x')
        }
    }

    pub(super) fn stat(pid: u32) -> Option<Stat> {
        read(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name in brackets may hold anything, brackets and spaces too: what counts stands after the last one.
    pub(super) fn read(line: &str) -> Option<Stat> {
        let mut fields = line.rsplit_once(')')?.1.split_ascii_whitespace();
        Some(Stat {
            state: fields.next()?.chars().next()?,
            group: fields.nth(1)?.parse().ok()?,
            start: fields.nth(16)?.parse().ok()?,
        })
    }

    /// This run of the machine: ticks since boot are only told apart within one.
    pub(super) fn boot() -> &'static str {
        static BOOT: OnceLock<String> = OnceLock::new();
        BOOT.get_or_init(|| {
            let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
            id.trim().to_owned()
        })
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let tail = "S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 200";
        let expected = Some(Stat { state: 'S', group: 42, start: 98_765 });
        for name in ["sh", "a) Z 9 9 (b", "x y z"] {
            assert_eq!(read(&format!("77 ({name}) {tail}")), expected, "{name}");
        }
        assert_eq!(read("77 (sh) S 1"), None);
        assert_eq!(read(""), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_birth_too() {
        let me = Identity::of(std::process::id()).unwrap();
        assert!(me.lives());
        let recycled = Identity { birth: "another time".into(), ..me };
        assert!(!recycled.lives(), "the same number with another birth is another process");
        assert_eq!(Identity::of(u32::MAX), None);
    }

    #[test]
    fn one_that_ended_and_was_not_waited_for_does_not_live() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let identity = Identity::of(child.id());
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while Identity::of(child.id()).is_some() {
            assert!(std::time::Instant::now() < deadline, "a zombie is taken for a living process");
            std::thread::yield_now();
        }
        assert!(identity.is_none_or(|identity| !identity.lives()));
        child.wait().unwrap();
    }
}
