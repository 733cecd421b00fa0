//! Who listens at a port of this machine.
//!
//! Linux tells in `/proc` (of other users' processes only the port, not who); elsewhere `lsof` is asked where there is one.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::process::Identity;
use crate::domain::fleet::Endpoint;

/// Loopback answers in microseconds; one whose queue is full does not answer, and is in use all the same.
const LIMIT: Duration = Duration::from_millis(500);

/// A process that listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Its name, as the system has it; text from outside.
    pub name: String,
    /// Which one.
    #[serde(flatten)]
    pub identity: Identity,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.identity.pid)
    }
}

/// Host and port of an endpoint on this machine.
pub(super) fn address(endpoint: &Endpoint) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(&endpoint.url).ok()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let ip: std::net::IpAddr = host.parse().ok()?;
    ip.is_loopback().then_some((host, url.port_or_known_default()?))
}

/// Whether anybody listens there.
pub(super) async fn in_use(host: &str, port: u16) -> bool {
    !matches!(timeout(LIMIT, TcpStream::connect((host, port))).await, Ok(Err(_)))
}

/// Who listens at `port`, where the system tells.
#[cfg(target_os = "linux")]
pub(super) async fn listener(port: u16) -> Option<Listener> {
    let sockets: Vec<u64> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .collect();
    let wanted: Vec<String> = sockets.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let holds = |pid: u32| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|fd| std::fs::read_link(fd.path()).ok())
            .any(|to| wanted.iter().any(|w| to.as_os_str() == w.as_str()))
    };
    let all = std::fs::read_dir("/proc").ok()?.flatten();
    let mut pids: Vec<u32> = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // A server's workers share its socket; the one that opened it came first.
    pids.sort_unstable();
    let pid = if wanted.is_empty() { None } else { pids.into_iter().find(|pid| holds(*pid)) }?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Listener { name: name.trim().to_owned(), identity: Identity::of(pid)? })
}

/// The sockets of a table of `/proc/net` that listen at `port`.
#[cfg(any(target_os = "linux", test))]
fn listening(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, at) = fields.get(1)?.rsplit_once(':')?;
        let here = u16::from_str_radix(at, 16).ok()? == port && *fields.get(3)? == LISTEN;
        if here { fields.get(9)?.parse().ok() } else { None }
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// Who listens at `port`, where the system tells.
#[cfg(not(target_os = "linux"))]
pub(super) async fn listener(port: u16) -> Option<Listener> {
    let mut lsof = tokio::process::Command::new("lsof");
    lsof.args(["-nP", "-sTCP:LISTEN", "-Fpc", &format!("-iTCP:{port}")]).stdin(std::process::Stdio::null());
    let told = timeout(Duration::from_secs(3), lsof.kill_on_drop(true).output()).await.ok()?.ok()?;
    let (pid, name) = first(&String::from_utf8_lossy(&told.stdout))?;
    Some(Listener { name, identity: Identity::of(pid)? })
}

/// The first process of an answer of `lsof -Fpc`: `p` and its number, `c` and its name, a line each.
#[cfg(any(not(target_os = "linux"), test))]
fn first(answer: &str) -> Option<(u32, String)> {
    let field = |letter: char| answer.lines().find_map(|line| line.strip_prefix(letter));
    Some((field('p')?.parse().ok()?, field('c').unwrap_or("a program").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_sockets_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F93 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:1F93 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1\n\
            \x20  2: garbage\n\
            \x20  3: 00000000000000000000000000000000:1F94 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4713 1\n";
        assert_eq!(listening(table, 8083), [4711], "only who listens, not who is connected");
        assert_eq!(listening(table, 8084), [4713]);
        assert_eq!(listening("", 8083), [0u64; 0]);
    }

    #[test]
    fn answers_of_lsof_are_read() {
        assert_eq!(first("p4711\ncllama-server\nf5\np4712\ncother\n"), Some((4711, "llama-server".into())));
        assert_eq!(first(""), None);
        assert_eq!(first("pX\ncname\n"), None);
    }

    #[tokio::test]
    async fn a_listener_is_found_and_a_free_port_is_free() {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        assert!(in_use("127.0.0.1", port).await);
        if cfg!(target_os = "linux") {
            assert_eq!(listener(port).await.map(|found| found.identity.pid), Some(std::process::id()));
        }
        drop(socket);
        assert!(!in_use("127.0.0.1", port).await);
    }
}
