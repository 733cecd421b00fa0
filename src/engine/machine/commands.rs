//! Asking the system's own commands: the second source where a call into the system fails.
//!
//! Invariants: a command gets no input, its answer is capped, and it is ended when it takes too long; its errors are told
//! in words.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// More than any of these commands prints (`ioreg` prints 46 kB).
const MOST: u64 = 4 << 20;

/// What a command prints within `limit`.
pub(super) fn printed(program: &str, arguments: &[&str], limit: Duration) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program} could not be started: {error}"))?;
    let Some(pipe) = child.stdout.take() else { return Err(format!("{program} has no output")) };
    // One answer; the thread ends with the pipe, which ends with the process.
    let (done, answer) = mpsc::sync_channel(1);
    let reader = std::thread::Builder::new().name("command output".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.take(MOST).read_to_end(&mut bytes);
        let _ = done.send(read.map(|_| bytes));
    });
    let said = match reader {
        Ok(_) => answer.recv_timeout(limit).map_err(|_| format!("{program} did not answer within {limit:?}")),
        Err(error) => Err(error.to_string()),
    };
    if said.is_err() {
        // It may have ended just now.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| format!("{program}: {error}"))?;
    let bytes = said?.map_err(|error| format!("what {program} prints could not be read: {error}"))?;
    if !status.success() {
        return Err(format!("{program} ended with {status}"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A deadline for a machine that does much else.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_a_command_prints_is_told_and_why_it_does_not() {
        assert_eq!(printed("printf", &["%s", "12"], LONG).as_deref(), Ok("12"));
        assert_eq!(printed("true", &[], LONG).as_deref(), Ok(""), "nothing is printed, and that is told");
        assert!(printed("false", &[], LONG).unwrap_err().contains("ended with"));
        assert!(printed("no-such-command-here", &[], LONG).unwrap_err().contains("could not be started"));
        assert!(printed("tail", &["-f", "/dev/null"], Duration::ZERO).unwrap_err().contains("did not answer"));
    }
}
