//! What must hold of an endpoint's `launch`: where it may stand, what it may hold, and that it fits its endpoint.
//!
//! Invariants: no secret stands in an argument or in a plain environment value; a project's files launch nothing.

use super::ConfigError;
use super::check::error_at;
use super::layer::Layer;
use crate::domain::fleet::{Endpoint, Fleet, Launch, Protocol};
use crate::domain::source::{Entry, Node, Place};

/// Words in a variable's or an argument's name that say its value is secret.
const SECRET: [&str; 4] = ["key", "token", "secret", "password"];

/// Why a file's `launch` can't be taken, where, and how to mend it. What is refused is never shown.
pub(super) fn refused(entry: &Entry, layer: Layer) -> Option<(Place, String, &'static str)> {
    if layer == Layer::Project {
        let mend = "move it into the fleet.toml of your own config folder (`baton config path`): a folder that was cloned must not start programs";
        return Some((entry.place, "a project's files can't launch a server".to_owned(), mend));
    }
    let env = entry.node.get("env").and_then(entries).unwrap_or_default();
    if let Some(found) = env.iter().find(|e| is_secret(&e.key) && e.node.text().is_some()) {
        let mend =
            "write `NAME = { env = \"NAME\" }`, or `{ command = \"…\" }`; if this file was shared, change the secret";
        return Some((found.place, format!("the value of {} must not stand in a file", found.key), mend));
    }
    let args: Vec<&Node> = entry.node.get("args").into_iter().flat_map(Node::items).collect();
    for (at, arg) in args.iter().enumerate() {
        let text = arg.text().unwrap_or_default();
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let next = args.get(at + 1).and_then(|next| next.text()).filter(|next| !next.starts_with('-'));
        if name.starts_with("--") && is_secret(name) && !name.ends_with("-file") && value.or(next).is_some() {
            let mend = "give it in `env` by reference, as in `env = { LLAMA_API_KEY = { env = \"LLAMA_API_KEY\" } }`: every user of the machine can read arguments";
            return Some((arg.place, format!("the value of {name} must not stand in a file"), mend));
        }
    }
    None
}

/// Whether a name says that its value is secret: `HF_TOKEN`, `--api-key`, and not `--top-tokens`.
fn is_secret(name: &str) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| SECRET.iter().any(|s| word.eq_ignore_ascii_case(s)))
}

fn entries(node: &Node) -> Option<&[Entry]> {
    match &node.value {
        crate::domain::source::Value::Map(entries) => Some(entries),
        _ => None,
    }
}

/// Looks at the launch of `endpoint`, whose tree is `node`; `fleet` has the endpoints before it.
pub(super) fn check(
    endpoint: &Endpoint,
    node: &Node,
    fleet: &Fleet,
    errors: &mut Vec<ConfigError>,
    warnings: &mut Vec<ConfigError>,
) {
    let (Some(launch), Some(node)) = (&endpoint.launch, node.get("launch")) else { return };
    let name = &endpoint.name;
    let mut wrong = |key: &str, what: String, mend: &str| errors.push(error_at(node, key, what, mend));
    if launch.command.trim().is_empty() {
        wrong("command", format!("the launch of {name} has no command"), "name a program, as in \"llama-server\"");
    } else if launch.command.contains(char::is_whitespace) && launch.args.is_empty() {
        let what = format!("the command of {name} has spaces in it, and no shell reads it");
        wrong("command", what, "write the program alone, and what follows it into `args`, one each");
    }
    if launch.cwd.as_ref().is_some_and(|cwd| !cwd.starts_with('/') && cwd != "~" && !cwd.starts_with("~/")) {
        let what = format!("the folder of {name} depends on where Baton is started");
        wrong("cwd", what, "write it from the root, or from your home as in ~/models");
    }
    if let Some(bad) = launch.env.keys().find(|key| key.is_empty() || key.contains(['=', '\0'])) {
        wrong("env", format!("{bad:?} is no name of a variable"), "use letters, digits and _, as in OLLAMA_HOST");
    }
    if launch.ready_seconds == 0 {
        let what = format!("{name} must answer within 0 seconds");
        wrong("ready_seconds", what, "give the seconds it takes to read its model, as in 600");
    }
    if launch.stop_seconds > 600 {
        let what = format!("{name} may take {} seconds to end", launch.stop_seconds);
        wrong("stop_seconds", what, "give at most 600");
    }
    let Some((host, port)) = address(&endpoint.url) else {
        let mend = "write it as in http://127.0.0.1:8083";
        return wrong("command", format!("the URL of {name} has no port that its server could be found at"), mend);
    };
    if !is_here(host) {
        let what = format!("{name} is at {host}, and Baton starts servers on this machine only");
        let mend = "use 127.0.0.1 in its `url`, or take `launch` away and start it over there";
        return wrong("command", what, mend);
    }
    let other = fleet.endpoints.iter().find(|other| {
        let there = address(&other.url).filter(|(host, _)| is_here(host));
        other.launch.is_some() && there.is_some_and(|(_, other)| other == port)
    });
    if let Some(other) = other {
        let what = format!("{name} and {} both launch a server at port {port}", other.name);
        wrong("command", what, "keep `launch` at one of them: one server serves both, or give them two ports");
    }
    let mut odd = |what: String, mend: String| warnings.push(error_at(node, "args", what, mend));
    if let Some(told) = launch.argument(&["--port"]).filter(|told| told.parse() != Ok(port)) {
        odd(format!("{name} is started at port {told} and asked at port {port}"), format!("make both {port}"));
    }
    if endpoint.protocol == Protocol::LlamaCpp {
        sizes(endpoint, launch, odd);
    }
}

/// Where llama-server is started with other sizes than its endpoint says.
fn sizes(endpoint: &Endpoint, launch: &Launch, mut odd: impl FnMut(String, String)) {
    let (name, slots) = (&endpoint.name, endpoint.slots);
    let number = |names: &[&str]| launch.argument(names).and_then(|text| text.parse::<u64>().ok());
    if let Some(told) = number(&["-np", "--parallel"]).filter(|told| *told < u64::from(slots)) {
        let what = format!("{name} is started with {told} slots, and `slots` is {slots}");
        odd(what, format!("start it with -np {slots}, or lower `slots`"));
    }
    let needed = u64::from(endpoint.context) * u64::from(slots);
    // 0 is the model's own context.
    if let Some(told) = number(&["-c", "--ctx-size"]).filter(|told| *told > 0 && *told < needed) {
        let what = format!(
            "{name} is started with {told} tokens of context for {slots} slots, and one request is promised {}",
            endpoint.context
        );
        odd(what, format!("start it with -c {needed} (context × slots), or lower `context` or `slots`"));
    }
}

/// Host and port of a URL with a scheme.
fn address(url: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let default = if scheme == "https" { 443 } else { 80 };
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => Some((host, port.parse().ok().filter(|port| *port > 0)?)),
        _ => Some((authority, default)),
    }
}

fn is_here(host: &str) -> bool {
    host == "[::1]" || host.starts_with("127.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        assert_eq!(address("http://127.0.0.1:8083"), Some(("127.0.0.1", 8083)));
        assert_eq!(address("http://[::1]:8083/v1"), Some(("[::1]", 8083)));
        assert_eq!(address("https://studio.local/x"), Some(("studio.local", 443)));
        assert_eq!(address("http://[::1]"), Some(("[::1]", 80)));
        assert_eq!(address("http://127.0.0.1:99999"), None);
        assert!(is_here("127.0.0.1") && is_here("[::1]") && !is_here("10.0.0.2"));
    }

    #[test]
    fn names_tell_what_is_secret() {
        for name in ["HF_TOKEN", "--api-key", "LLAMA_API_KEY", "password"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["--monkey", "OLLAMA_KEEP_ALIVE", "--max-tokens", "--keys"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
