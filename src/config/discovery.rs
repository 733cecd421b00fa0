//! Where Baton looks for model servers that no endpoint names: ports of this machine, and other machines by name.
//!
//! Not here: how they are asked (`engine/providers/identify`). Invariants: a project's files name none of it (a cloned
//! folder must not say whom Baton talks to); no address holds a user, a password or a query.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::domain::source::{Node, SourceError, Value};

/// Where Baton looks for model servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoverySettings {
    /// Other machines: a host, a host with a port, or a base URL. A bare host is asked on every one of `ports`.
    pub hosts: Vec<String>,
    /// Ports where model servers usually are, on this machine and on `hosts`.
    pub ports: Vec<u16>,
    /// The time other machines are given to answer, in milliseconds; this one has 300.
    pub remote_ms: u64,
}

impl Default for DiscoverySettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            ports: vec![8080, 8081, 8082, 8083, 8084, 8085, 8086, 9931, 11434, 1234, 8000, 4000, 8321],
            remote_ms: 1_500,
        }
    }
}

/// The most ports and hosts that are asked: more is a scan, and takes minutes.
const MOST: usize = 64;

/// Whether an address is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is: it answers in milliseconds or not at all.
    Here,
    /// It is elsewhere.
    Elsewhere,
}

/// An address to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The machine as it was named; `this machine` for this one.
    pub host: String,
    /// The base URL.
    pub url: String,
    /// Where it is.
    pub place: Place,
}

/// Why an address can't be asked: what is wrong, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {mend}")]
pub struct AddressError {
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: &'static str,
}

/// The name this machine goes by among the hosts that are asked.
pub const THIS_MACHINE: &str = "this machine";

impl DiscoverySettings {
    /// Every address to ask, this machine's first, each once.
    pub fn addresses(&self) -> Vec<Address> {
        let here = self.ports.iter().map(|port| Address {
            host: THIS_MACHINE.to_owned(),
            url: format!("http://127.0.0.1:{port}"),
            place: Place::Here,
        });
        let named = self.hosts.iter().filter_map(|host| addresses_of(host, &self.ports).ok());
        let mut addresses: Vec<Address> = Vec::new();
        for address in here.chain(named.flatten()) {
            if !addresses.iter().any(|known| known.url == address.url) {
                addresses.push(address);
            }
        }
        addresses
    }
}

/// Whether a URL leads to this machine.
pub fn place_of(url: &str) -> Place {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if loopback || host.eq_ignore_ascii_case("localhost") { Place::Here } else { Place::Elsewhere }
}

/// The addresses of a host as it is written: itself, or one for each port.
///
/// # Errors
/// [`AddressError`] where it is none of a host, a host with a port, a base URL.
pub fn addresses_of(written: &str, ports: &[u16]) -> Result<Vec<Address>, AddressError> {
    const FORMS: &str =
        "write a host (mac.local), a host with a port (mac.local:8080), or a base URL (https://host/llama)";
    let wrong = |what: String, mend: &'static str| AddressError { what, mend };
    let text = written.trim().trim_end_matches('/');
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let (authority, path) = {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        rest.find('/').map_or((rest, ""), |at| rest.split_at(at))
    };
    if authority.contains('@') || text.contains(['?', '#']) {
        let what = format!("{} holds more than an address", quoted(authority.rsplit('@').next().unwrap_or_default()));
        return Err(wrong(
            what,
            "take user, password and query out; a key goes into an endpoint as `key = { env = \"NAME\" }`",
        ));
    }
    if !matches!(scheme.as_deref(), None | Some("http" | "https")) {
        let what = format!("{} begins with {}://", quoted(text), scheme.unwrap_or_default());
        return Err(wrong(what, "use http:// or https://"));
    }
    let (host, port) = host_and_port(authority).ok_or_else(|| wrong(format!("{} is no host", quoted(text)), FORMS))?;
    if path.contains(|c: char| c.is_whitespace() || c.is_control()) || (scheme.is_none() && !path.is_empty()) {
        return Err(wrong(format!("{} is no host", quoted(text)), FORMS));
    }
    // Most model servers don't listen on ::1, which `localhost` may mean first.
    let bare = if host.eq_ignore_ascii_case("localhost") { "127.0.0.1".to_owned() } else { host.to_ascii_lowercase() };
    let name = if place_of(&bare) == Place::Here { THIS_MACHINE.to_owned() } else { host };
    let of = |url: String| Address { host: name.clone(), place: place_of(&url), url };
    Ok(match (scheme, port) {
        (Some(scheme), port) => {
            let port = port.map_or_else(String::new, |port| format!(":{port}"));
            let path = path.trim_end_matches('/');
            vec![of(format!("{scheme}://{bare}{port}{}", path.strip_suffix("/v1").unwrap_or(path)))]
        }
        (None, Some(port)) => vec![of(format!("http://{bare}:{port}"))],
        (None, None) => ports.iter().map(|port| of(format!("http://{bare}:{port}"))).collect(),
    })
}

/// `host`, `host:port`, `[::1]:port`, or a bare IPv6 address, which is put into brackets.
fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    if authority.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some((format!("[{authority}]"), None));
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(six) => {
            let (address, rest) = six.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (format!("[{address}]"), rest.is_empty().then_some(None).or_else(|| rest.strip_prefix(':').map(Some))?)
        }
        None => {
            let (host, port) = authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
            if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
                return None;
            }
            (host.to_owned(), port)
        }
    };
    match port {
        Some(port) => Some((host, Some(port.parse::<u16>().ok().filter(|port| *port > 0)?))),
        None => Some((host, None)),
    }
}

fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(80).collect::<String>())
}

/// Takes what a project says of discovery out of its tree, and says so.
pub(super) fn refuse(root: &mut Node, errors: &mut Vec<ConfigError>) {
    let Value::Map(entries) = &mut root.value else { return };
    entries.retain(|entry| {
        if entry.key != "discovery" {
            return true;
        }
        let mend = "move it into the baton.toml of your own config folder (`baton config path`): a folder that was cloned must not say whom Baton talks to";
        let what = "a project's files can't say where model servers are looked for";
        errors.push(SourceError::new(&entry.node.source, entry.place, what, mend));
        false
    });
}

/// Checks what is looked for where.
pub(super) fn check(settings: &DiscoverySettings, root: &Node, errors: &mut Vec<ConfigError>) {
    let node = root.get("discovery").unwrap_or(root);
    let at = |key: &str| node.get(key).unwrap_or(node);
    let mut wrong = |node: &Node, what: String, mend: &str| {
        errors.push(SourceError::new(&node.source, node.place, what, mend));
    };
    let items: Vec<&Node> = at("hosts").items().iter().collect();
    for (i, host) in settings.hosts.iter().enumerate() {
        if let Err(error) = addresses_of(host, &[1]) {
            wrong(items.get(i).copied().unwrap_or(node), error.what, error.mend);
        }
    }
    for (key, count) in [("hosts", settings.hosts.len()), ("ports", settings.ports.len())] {
        if count > MOST {
            let mend = "name those where model servers are; an endpoint in fleet.toml is asked wherever it is";
            wrong(at(key), format!("`{key}` has {count} entries, and {MOST} are the most"), mend);
        }
    }
    if settings.ports.contains(&0) {
        wrong(at("ports"), "0 is no port".to_owned(), "give numbers from 1 to 65535, as in 8080");
    }
    if !(50..=30_000).contains(&settings.remote_ms) {
        let what = format!("`remote_ms` is {}", settings.remote_ms);
        wrong(at("remote_ms"), what, "give 50 to 30000 milliseconds, as in 1500");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(written: &str) -> Result<Vec<String>, String> {
        let found = addresses_of(written, &[8080, 11434]).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|address| address.url).collect())
    }

    #[test]
    fn a_host_is_asked_on_every_port_and_an_address_alone() {
        let both = |host: &str| Ok(vec![format!("http://{host}:8080"), format!("http://{host}:11434")]);
        assert_eq!(urls("Mac-Studio.local"), both("mac-studio.local"));
        assert_eq!(urls(" localhost "), both("127.0.0.1"));
        assert_eq!(urls("fd00::12"), both("[fd00::12]"));
        for (written, url) in [
            ("mac.local:9000", "http://mac.local:9000"),
            ("[fd00::12]:9000", "http://[fd00::12]:9000"),
            ("http://10.0.0.3", "http://10.0.0.3"),
            ("HTTPS://Host.example/llama/v1/", "https://host.example/llama"),
            ("https://host:8443", "https://host:8443"),
        ] {
            assert_eq!(urls(written), Ok(vec![url.to_owned()]), "{written}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_mend_and_without_its_password() {
        for (written, words) in [
            ("", "no host"),
            ("http://", "no host"),
            ("a b", "no host"),
            ("mac.local:port", "no host"),
            ("mac.local:0", "no host"),
            ("mac.local:70000", "no host"),
            ("mac.local/llama", "base URL"),
            ("[::1", "no host"),
            ("ftp://mac.local", "use http:// or https://"),
            ("http://me:secret@mac.local", "take user"),
            ("http://mac.local?key=secret", "take user"),
            ("http://mac.local/\u{1b}[31m", "no host"),
        ] {
            let error = urls(written).unwrap_err();
            assert!(error.contains(words) && !error.contains("me:secret"), "{written}: {error}");
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }

    #[test]
    fn every_address_is_asked_once_and_this_machine_first() {
        let hosts = ["localhost:8080", "mac.local:8080", "http://mac.local:8080/v1"];
        let settings = DiscoverySettings {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            ports: vec![8080, 11434],
            ..DiscoverySettings::default()
        };
        let asked: Vec<(String, String, Place)> =
            settings.addresses().into_iter().map(|a| (a.host, a.url, a.place)).collect();
        let of = |host: &str, url: &str, place| (host.to_owned(), url.to_owned(), place);
        assert_eq!(
            asked,
            [
                of(THIS_MACHINE, "http://127.0.0.1:8080", Place::Here),
                of(THIS_MACHINE, "http://127.0.0.1:11434", Place::Here),
                of("mac.local", "http://mac.local:8080", Place::Elsewhere),
            ]
        );
    }

    #[test]
    fn loopback_is_here_and_all_else_elsewhere() {
        for url in ["http://127.0.0.1:1", "http://127.1.2.3", "http://[::1]:8080/x", "http://LOCALHOST", "localhost:1"]
        {
            assert_eq!(place_of(url), Place::Here, "{url}");
        }
        for url in ["http://10.0.0.1", "http://127.0.0.1.evil.example", "https://[fd00::1]", "http://localhost.example"]
        {
            assert_eq!(place_of(url), Place::Elsewhere, "{url}");
        }
    }
}
