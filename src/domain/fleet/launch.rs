//! How an endpoint's server is started: a command with its arguments, its environment, and how long it lives.
//!
//! Not here: starting it (`engine/servers`), what it is doing now. Invariants: no shell reads any of it; an environment
//! value that is secret stands here as a reference only.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::SecretRef;
use crate::domain::hash::IdHasher;

/// The command that serves an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// The program: a name looked for in PATH, or a path. A leading `~/` is your home folder, here, in `args` and in
    /// `cwd`.
    pub command: String,
    /// Its arguments, one each; no shell reads them.
    #[serde(default)]
    pub args: Vec<String>,
    /// Variables added to its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
    /// The folder it works in; your home folder when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Whether it ends with the Baton that started it or lives on.
    #[serde(default)]
    pub lifetime: Lifetime,
    /// Seconds until it must answer; a big model is read from disk first.
    #[serde(default = "ready_seconds")]
    pub ready_seconds: u32,
    /// How many times in a row it is started again after it ended by itself; 0 is never.
    #[serde(default = "restarts")]
    pub restarts: u32,
    /// Seconds between asking it to end (SIGTERM) and making it (SIGKILL).
    #[serde(default = "stop_seconds")]
    pub stop_seconds: u32,
}

/// How long a started server lives.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Lifetime {
    /// It ends with the Baton that started it, also when that is killed.
    #[default]
    Session,
    /// It lives on until it is stopped; the next Baton finds it.
    Kept,
}

impl Lifetime {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Kept => "kept",
        }
    }
}

/// The value of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "text, { env = \"NAME\" } or { command = \"…\" } is expected")]
pub enum EnvValue {
    /// This text; never a secret.
    Plain(String),
    /// A secret, read when the server is started.
    Secret(SecretRef),
}

fn ready_seconds() -> u32 {
    600
}

fn restarts() -> u32 {
    5
}

fn stop_seconds() -> u32 {
    10
}

impl Launch {
    /// A number for all of it: two launches with the same one start the same server. Not for security.
    pub fn digest(&self) -> u64 {
        let mut hasher = IdHasher::default();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// The value of an argument that has one of these names, as in `-np 4` or `--parallel=4`.
    pub fn argument(&self, names: &[&str]) -> Option<&str> {
        self.args.iter().enumerate().find_map(|(at, arg)| match arg.split_once('=') {
            Some((name, value)) if names.contains(&name) => Some(value),
            _ if names.contains(&arg.as_str()) => self.args.get(at + 1).map(String::as_str),
            _ => None,
        })
    }

    /// The command as a person would read it, arguments that need it in quotes. For reading, not for a shell.
    pub fn line(&self) -> String {
        let mut line = self.command.clone();
        for arg in &self.args {
            let quoted = arg.is_empty() || arg.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'');
            line.push(' ');
            line.push_str(&if quoted { format!("{arg:?}") } else { arg.clone() });
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(args: &[&str]) -> Launch {
        Launch {
            command: "llama-server".into(),
            args: args.iter().map(|&a| a.into()).collect(),
            env: BTreeMap::new(),
            cwd: None,
            lifetime: Lifetime::Session,
            ready_seconds: 600,
            restarts: 5,
            stop_seconds: 10,
        }
    }

    #[test]
    fn what_is_absent_has_a_value() {
        let read: Launch = serde_json::from_str(r#"{"command":"llama-server"}"#).unwrap();
        assert_eq!(read, launch(&[]));
        let env = r#"{"command":"x","env":{"A":"1","B":{"env":"B_KEY"},"C":{"command":"pass show c"}}}"#;
        let read: Launch = serde_json::from_str(env).unwrap();
        let secret = |reference| Some(EnvValue::Secret(reference));
        assert_eq!(read.env.get("A"), Some(&EnvValue::Plain("1".into())));
        assert_eq!(read.env.get("B").cloned(), secret(SecretRef::Env("B_KEY".into())));
        assert_eq!(read.env.get("C").cloned(), secret(SecretRef::Command("pass show c".into())));
    }

    #[test]
    fn arguments_are_found_in_both_forms() {
        let launch = launch(&["-np", "4", "--port=8083", "-c"]);
        assert_eq!(launch.argument(&["-np", "--parallel"]), Some("4"));
        assert_eq!(launch.argument(&["--port"]), Some("8083"));
        assert_eq!(launch.argument(&["-c"]), None, "a name without a value has none");
        assert_eq!(launch.argument(&["4"]), Some("--port=8083"), "only names are looked for");
    }

    #[test]
    fn another_argument_is_another_digest() {
        assert_eq!(launch(&["-np", "4"]).digest(), launch(&["-np", "4"]).digest());
        assert_ne!(launch(&["-np", "4"]).digest(), launch(&["-np4"]).digest());
        assert_eq!(launch(&["-m", "my model.gguf"]).line(), "llama-server -m \"my model.gguf\"");
    }
}
