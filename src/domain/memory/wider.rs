//! How a server that answers one at a time can be made to answer more, and what that takes.
//!
//! Not here: who does it (the operator). Invariant: what is said of memory is what the model's own shape comes to; where that
//! is not known nothing is said of it.

use super::amount;
use crate::domain::fleet::{Endpoint, Nature, Protocol};
use crate::domain::protocol::ModelShape;
use crate::domain::text::CleanText;

/// So many at once are worth the trouble, and fit beside most models: each takes a cache of its own.
const WIDER: u32 = 4;

/// The system of the machine that a server runs on, as far as it decides how it is told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Its services are started by launchd.
    Mac,
    /// Its services are started by systemd, mostly.
    Other,
}

impl System {
    /// The one this program was built for.
    pub const fn this() -> Self {
        if cfg!(target_os = "macos") { Self::Mac } else { Self::Other }
    }
}

/// What would have `endpoint` answer more than one at a time, where it answers one (`serves`) and can be told: one sentence.
/// `context` is that of one request in tokens.
pub fn wider(
    endpoint: &Endpoint,
    serves: u32,
    context: u32,
    shape: Option<ModelShape>,
    system: System,
) -> Option<CleanText> {
    if endpoint.nature != Nature::Real || serves != 1 {
        return None;
    }
    let how = match (endpoint.protocol, &endpoint.launch) {
        (Protocol::Ollama, Some(_)) => {
            format!("write OLLAMA_NUM_PARALLEL = \"{WIDER}\" into `env` of its [endpoint.launch]")
        }
        (Protocol::Ollama, None) if endpoint.is_here() && system == System::Mac => {
            format!("`launchctl setenv OLLAMA_NUM_PARALLEL {WIDER}`")
        }
        (Protocol::Ollama, None) => format!(
            "`sudo systemctl edit ollama` and write `[Service]` and `Environment=OLLAMA_NUM_PARALLEL={WIDER}`, or set that \
             variable where it is started"
        ),
        (Protocol::LlamaCpp, _) => {
            format!("start it with `-np {WIDER} -c {}`", u64::from(context) * u64::from(WIDER))
        }
        (Protocol::OpenAi | Protocol::Command, _) => return None,
    };
    let who = if endpoint.protocol == Protocol::Ollama { "Ollama" } else { "its llama-server" };
    let one = shape.and_then(|shape| {
        let cache = shape.kv_token?.saturating_mul(u64::from(context));
        Some(cache.saturating_add(shape.kv_slot))
    });
    let takes = one.map(|one| format!("; {} GB more", amount(one.saturating_mul(u64::from(WIDER - 1)))));
    Some(CleanText::one_line(&format!(
        "{}: {who} answers one at a time: {how}, then restart it, with `slots = {WIDER}` in its endpoint{}",
        endpoint.short(),
        takes.unwrap_or_default()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fleet::{Fleet, Launch};

    fn endpoint(protocol: &str, url: &str) -> Endpoint {
        let text = format!(
            r#"{{"endpoint": [{{"name": "e", "title": "Qwen3 8B", "tiers": ["t"], "protocol": "{protocol}", "url": "{url}",
                "model": "m", "slots": 1, "context": 8192}}]}}"#
        );
        let mut fleet: Fleet = serde_json::from_str(&text).unwrap();
        fleet.endpoints.remove(0)
    }

    #[test]
    fn one_slot_is_said_with_what_more_take_and_how() {
        let shape = ModelShape { kv_token: Some(131_072), ..ModelShape::default() };
        let ollama = endpoint("ollama", "http://127.0.0.1:11434");
        let said =
            |e: &Endpoint, serves, shape, system| wider(e, serves, 8192, shape, system).map(|words| words.to_string());
        assert_eq!(
            said(&ollama, 1, Some(shape), System::Mac).unwrap(),
            "Qwen3: Ollama answers one at a time: `launchctl setenv OLLAMA_NUM_PARALLEL 4`, then restart it, with `slots = 4` in \
             its endpoint; 3.2 GB more"
        );
        let linux = said(&ollama, 1, None, System::Other).unwrap();
        assert!(linux.contains("systemctl edit ollama") && !linux.contains("GB"), "{linux}");
        // Another machine's is not told by this one's launchd.
        let away = said(&endpoint("ollama", "http://mac.local:11434"), 1, None, System::Mac).unwrap();
        assert!(!away.contains("launchctl"), "{away}");
        let launch: Launch = serde_json::from_str(r#"{"command": "ollama"}"#).unwrap();
        let started = Endpoint { launch: Some(launch), ..ollama.clone() };
        assert!(said(&started, 1, None, System::Mac).unwrap().contains("[endpoint.launch]"));
        let llama = endpoint("llama.cpp", "http://127.0.0.1:8080");
        assert!(said(&llama, 1, None, System::Mac).unwrap().contains("`-np 4 -c 32768`"));
        assert_eq!(said(&ollama, 2, None, System::Mac), None);
        assert_eq!(said(&endpoint("openai", "http://127.0.0.1:1"), 1, None, System::Mac), None);
        assert_eq!(said(&Endpoint { nature: Nature::Simulated, ..ollama }, 1, None, System::Mac), None);
    }
}
