//! `baton` in a terminal starts the console as a child and waits for it, so that `detach` gives the shell back while
//! the child works on.
//!
//! The child is in the same process group: the terminal's own signals reach both, suspension stops both. Signals sent
//! to the parent alone are handed on. A pipe tells the parent that the child parted from the terminal.

use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsRawFd;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process};

use super::signal::{Signalled, Signals};
use super::terminal::restore_for_another;

/// Marks the child: `PARENT:FD`, where FD is the pipe on which it says that it detached.
const MARK: &str = "BATON_LAUNCHED_BY";

/// How this process goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launch {
    /// It is the one that works.
    Here,
    /// The child worked; end with this exit code.
    Over(u8),
}

/// Starts the real process as a child and waits for it. Call it before any thread or runtime is started.
///
/// Works in this process where there is no terminal to give back, in the child itself, and where no child can be
/// started.
pub fn launch() -> Launch {
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !on_terminal || mark().is_some() {
        return Launch::Here;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.ok().and_then(|runtime| runtime.block_on(lead())).map_or(Launch::Here, Launch::Over)
}

/// Tells the parent, if there is one, that this process parted from the terminal. The parent ends at once.
pub(crate) fn tell_detached() {
    if let Some(fd) = mark() {
        // Opened anew by its path: adopting a number as a descriptor would not be safe Rust.
        if let Ok(mut pipe) = std::fs::OpenOptions::new().write(true).open(format!("/dev/fd/{fd}")) {
            // A parent that is gone needs no telling.
            let _ = pipe.write_all(b"d");
        }
    }
}

/// The pipe of this process's parent, when the parent is a launcher.
fn mark() -> Option<u32> {
    let text = std::env::var(MARK).ok()?;
    let (parent, fd) = text.split_once(':')?;
    // Inherited by what the child starts in turn, where the parent is another.
    let mine = rustix::process::getppid().map(Pid::as_raw_nonzero)?.get();
    (parent.parse() == Ok(mine)).then(|| fd.parse().ok())?
}

/// The parent: none when no child could be started.
async fn lead() -> Option<u8> {
    let (mut reader, writer) = rustix::pipe::pipe().ok().map(|(r, w)| (std::fs::File::from(r), w))?;
    rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::CLOEXEC).ok()?;
    let mut signals = Signals::listen().ok()?;
    let before = rustix::termios::tcgetattr(std::io::stdin()).ok();
    let mut child = tokio::process::Command::new(std::env::current_exe().ok()?)
        .args(std::env::args_os().skip(1))
        .env(MARK, format!("{}:{}", std::process::id(), writer.as_raw_fd()))
        .spawn()
        .ok()?;
    drop(writer);
    // One word: the child says at most one thing.
    let (said, mut detached) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        if matches!(reader.read(&mut byte), Ok(1)) {
            let _ = said.send(());
        }
    });
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut listening = true;
    loop {
        tokio::select! {
            status = child.wait() => {
                if let Some(signal) = status.as_ref().ok().and_then(killed_by) {
                    // A terminal that takes nothing is beyond help.
                    if let Some(before) = &before {
                        let _ = restore_for_another(before, &mut std::io::stdout());
                    }
                    let _ = std::io::stderr().write_all(last_words(signal).as_bytes());
                }
                return Some(status.map_or(1, code));
            }
            word = &mut detached, if listening => match word {
                Ok(()) => return Some(0),
                Err(_) => listening = false,
            },
            signal = signals.next() => {
                let signal = match signal {
                    Signalled::HangUp => Signal::HUP,
                    Signalled::Terminate => Signal::TERM,
                    Signalled::Interrupt => Signal::INT,
                    Signalled::Continue => Signal::CONT,
                    // Not listened to: it stops this process.
                    Signalled::Stop => continue,
                };
                // A child that is gone is met by the wait above.
                let _ = pid.map(|pid| kill_process(pid, signal));
            }
        }
    }
}

/// The signal that ended a child: it had no chance to give its terminal back, or to say anything.
fn killed_by(status: &ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status.signal()
}

/// What is said in its place.
fn last_words(signal: i32) -> String {
    let name = match signal {
        6 => " (it broke off by itself, as for want of memory)",
        9 => " (killed, by the system where memory was short)",
        _ => "",
    };
    format!(
        "baton: the console was ended by signal {signal}{name}; what was done is in its journal: `baton resume` takes the \
         session up again, `baton sessions` lists all\n"
    )
}

/// The exit code of a child: its own, or 128 and the signal's number.
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|s| 128 + s));
    code.and_then(|c| u8::try_from(c).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn the_child_s_end_is_passed_on() {
        assert_eq!(code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(code(ExitStatus::from_raw(15)), 143);
        assert_eq!(code(ExitStatus::from_raw(0)), 0);
    }

    #[test]
    fn without_a_terminal_the_process_works_itself() {
        assert_eq!(mark(), None);
    }
}
