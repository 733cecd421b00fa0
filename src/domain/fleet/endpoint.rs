//! An endpoint: one model on one server, with its slots. Several endpoints may serve a tier.

use serde::{Deserialize, Serialize};

use super::{Agent, Launch};
use crate::domain::protocol::{AgentName, EndpointName, LevelSupport, TierName};

/// How an endpoint is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Protocol {
    /// llama.cpp's `llama-server`.
    #[serde(rename = "llama.cpp")]
    LlamaCpp,
    /// Ollama's own API.
    #[serde(rename = "ollama")]
    Ollama,
    /// Any OpenAI-compatible server: mlx_lm.server, LM Studio, vLLM, llama-swap.
    #[serde(rename = "openai")]
    OpenAi,
    /// A command-line agent. Not yet served; an endpoint with it is shown and never used.
    #[serde(rename = "command")]
    Command,
}

/// Which of a server's two request forms is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// Messages; the server applies the model's chat template.
    #[default]
    Chat,
    /// One prompt: llama.cpp's `/completion`, Ollama's `/api/generate`.
    Native,
}

/// Where a secret is to be had; the secret itself is never kept here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum SecretRef {
    /// The value of an environment variable.
    Env(String),
    /// The first line a shell command prints.
    Command(String),
}

/// Whether an endpoint is a real server or one of Baton's own simulated ones. The two never mix in a fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Nature {
    /// A model server.
    #[default]
    Real,
    /// Baton's simulator; everything it says is marked SIMULATED.
    Simulated,
}

/// What a million tokens of an endpoint cost, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of the prompt.
    #[serde(default)]
    pub input: f64,
    /// Of the answer, with its thinking.
    #[serde(default)]
    pub output: f64,
    /// Of that part of the prompt which the server had kept from before; as `input` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
}

/// One model on one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The name used in files and ids, as in `athene`.
    pub name: EndpointName,
    /// The name on the screen, as in `Athene V2 Agent Q4`; the first word is the short form. Defaults to `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The tiers it serves.
    pub tiers: Vec<TierName>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Its base URL, without a path the protocol adds itself; 127.0.0.1 rather than localhost.
    pub url: String,
    /// The model's name as the server knows it.
    pub model: String,
    /// How many requests it serves at once.
    pub slots: u32,
    /// The context of one request, in tokens.
    pub context: u32,
    /// Chat (the default) or the native completion form.
    #[serde(default)]
    pub api: Api,
    /// The key sent as a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretRef>,
    /// What the model does with a reasoning level, where the probe can't tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LevelSupport>,
    /// Planned resident memory in gigabytes (10⁹ bytes) of the model without KV cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<f32>,
    /// Expected generation speed of one slot in tokens per second, used for estimates until it is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f32>,
    /// What its tokens cost; absent: nothing that Baton counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// The model reads images.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vision: bool,
    /// The model calls tools.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tools: bool,
    /// Real or simulated.
    #[serde(default)]
    pub nature: Nature,
    /// How Baton starts its server (`baton fleet up`); absent: it is started by others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
}

impl Endpoint {
    /// The name for the screen: the title, else the name.
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(self.name.as_str())
    }

    /// The first word of the title: what rows and fleet lines show.
    pub fn short(&self) -> &str {
        self.title().split_whitespace().next().unwrap_or(self.name.as_str())
    }

    /// The name where there is little room: `GPT` for `GPT-OSS 120B`.
    pub fn brief(&self) -> &str {
        let short = self.short();
        short.split('-').next().filter(|s| s.chars().count() >= 2).unwrap_or(short)
    }

    /// Whether a real server on this machine serves it: one whose models take its memory and its processors.
    pub fn is_here(&self) -> bool {
        self.nature == Nature::Real && self.protocol != Protocol::Command && local_port(&self.url).is_some()
    }

    /// Planned bytes of the model without KV cache.
    pub fn planned(&self) -> Option<u64> {
        self.memory_gb.map(bytes)
    }

    /// How its server is started, in words, where Baton can.
    pub fn how_to_start(&self) -> Option<String> {
        self.launch.as_ref().map(|_| format!("`baton fleet up {}` starts it", self.name))
    }

    /// The pool its slots belong to: two endpoints with the same server and model share one.
    pub fn pool(&self) -> PoolKey {
        PoolKey { url: normalise(&self.url, self.protocol), model: self.model.clone() }
    }
}

/// What slots are pooled by: server (normalised URL) and model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PoolKey {
    /// The server's normalised base URL.
    pub url: String,
    /// The model's name.
    pub model: String,
}

/// The paths that people copy behind a server's address, longest first; every request adds its own.
const ENDINGS: [&str; 9] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/models",
    "/chat/completions",
    "/completions",
    "/completion",
    "/api/generate",
    "/api/chat",
    "/v1",
];

/// A server's address as people write it, as the part before every path that is asked there: `http://` where no scheme
/// stands, scheme and host in lower case, no slash doubled or at the end, no query, and none of the paths that requests
/// add. One ending is taken off and no more: `https://host/api/v1` is a server whose paths begin with `/api`. A bare `/api`
/// is Ollama's own path; for another protocol, where it is known, it may be the server's.
pub fn base_url(url: &str, protocol: Option<Protocol>) -> String {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut whole: String = path.split('/').filter(|part| !part.is_empty()).flat_map(|part| ["/", part]).collect();
    let ollama = protocol.is_none_or(|protocol| protocol == Protocol::Ollama);
    let ending = ENDINGS.into_iter().chain(ollama.then_some("/api")).find(|ending| whole.ends_with(ending));
    whole.truncate(whole.len() - ending.unwrap_or_default().len());
    // A name and a password before the host keep their case.
    let (user, host) = host.split_at(host.rfind('@').map_or(0, |at| at + 1));
    format!("{}://{user}{}{whole}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase())
}

/// [`base_url`] with `localhost` and `[::1]` as 127.0.0.1, so that one server has one name.
fn normalise(url: &str, protocol: Protocol) -> String {
    let base = base_url(url, Some(protocol));
    let Some((scheme, rest)) = base.split_once("://") else { return base };
    let here = ["localhost", "[::1]"].into_iter().find_map(|name| rest.strip_prefix(name));
    match here.filter(|tail| tail.is_empty() || tail.starts_with([':', '/'])) {
        Some(tail) => format!("{scheme}://127.0.0.1{tail}"),
        None => base,
    }
}

/// Bytes of a number of gigabytes (10⁹ bytes) as a person writes it: whole megabytes, so that 18.6 is 18,600,000,000.
pub fn bytes(gb: f32) -> u64 {
    (f64::from(gb.max(0.0)) * 1e3).round() as u64 * 1_000_000
}

/// The port of a URL, if it leads to this machine.
pub fn local_port(url: &str) -> Option<u16> {
    let (scheme, rest) = url.split_once("://")?;
    let place = rest.split(['/', '?', '#']).next()?;
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (place, if scheme == "https" { 443 } else { 80 }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let here = host.eq_ignore_ascii_case("localhost")
        || host.parse::<core::net::IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
    here.then_some(port)
}

/// Endpoints and agents: what `fleet.toml` and `agents.toml` say together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// A name for the header, as in `studio`.
    #[serde(default)]
    pub name: String,
    /// The endpoints, in the order of the file.
    #[serde(default, rename = "endpoint")]
    pub endpoints: Vec<Endpoint>,
    /// The agents, in the order of the file.
    #[serde(default, rename = "agent")]
    pub agents: Vec<Agent>,
}

impl Fleet {
    /// The agent of that name.
    pub fn agent(&self, name: &AgentName) -> Option<&Agent> {
        self.agents.iter().find(|a| a.name == *name)
    }

    /// The endpoint of that name.
    pub fn endpoint(&self, name: &EndpointName) -> Option<&Endpoint> {
        self.endpoints.iter().find(|e| e.name == *name)
    }

    /// Whether this is Baton's simulated fleet (they never mix, so one endpoint tells).
    pub fn is_simulated(&self) -> bool {
        self.endpoints.iter().any(|e| e.nature == Nature::Simulated)
    }

    /// The slots of all pools together, a shared pool counted once.
    pub fn slots(&self) -> u32 {
        let mut pools: Vec<(PoolKey, u32)> = Vec::new();
        for e in &self.endpoints {
            let key = e.pool();
            match pools.iter_mut().find(|(k, _)| *k == key) {
                Some((_, slots)) => *slots = (*slots).max(e.slots),
                None => pools.push((key, e.slots)),
            }
        }
        pools.iter().map(|(_, slots)| slots).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Protocol, base_url, local_port, normalise};

    #[test]
    fn urls_of_one_server_are_one_pool() {
        let one = |url| normalise(url, Protocol::OpenAi);
        for url in ["http://127.0.0.1:8083", "http://localhost:8083/", "HTTP://LOCALHOST:8083/v1", "127.0.0.1:8083/v1/"]
        {
            assert_eq!(one(url), "http://127.0.0.1:8083", "{url}");
        }
        assert_eq!(one("https://mbp.local/llama/v1"), "https://mbp.local/llama");
        assert_eq!(one("http://[::1]:1/v1/chat/completions"), "http://127.0.0.1:1");
        assert_eq!(one("http://localhost.example/"), "http://localhost.example");
    }

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for ending in [
            "",
            "/",
            "//",
            "/v1",
            "/v1/",
            "//v1//",
            "/v1/chat/completions",
            "/v1/chat/completions/",
            "/chat/completions",
            "/v1/completions",
            "/v1/models",
            "/completion",
            "/api/chat",
            "/api/generate",
            "/v1?key=x",
            "/v1/#top",
            "/?x=1",
        ] {
            for url in
                [format!("http://Host:1{ending}"), format!("  HTTP://host:1{ending}  "), format!("host:1{ending}")]
            {
                for protocol in [None, Some(Protocol::LlamaCpp), Some(Protocol::Ollama), Some(Protocol::OpenAi)] {
                    assert_eq!(base_url(&url, protocol), "http://host:1", "{url:?} {protocol:?}");
                }
            }
        }
        for (url, protocol, base) in [
            ("https://h/llama/v1", Protocol::LlamaCpp, "https://h/llama"),
            ("https://h//proxy//v1/", Protocol::OpenAi, "https://h/proxy"),
            ("http://h:1/api", Protocol::Ollama, "http://h:1"),
            ("http://h:1/api/", Protocol::Ollama, "http://h:1"),
            ("https://h/api", Protocol::OpenAi, "https://h/api"),
            ("https://h/api/v1", Protocol::OpenAi, "https://h/api"),
            ("http://Me:PassWord@H:1/v1", Protocol::OpenAi, "http://Me:PassWord@h:1"),
        ] {
            assert_eq!(base_url(url, Some(protocol)), base, "{url}");
        }
    }

    #[test]
    fn only_servers_on_this_machine_have_processes_to_look_at() {
        let ports = [
            "http://127.0.0.1:8083",
            "http://localhost:11434/v1",
            "http://[::1]:8080/",
            "https://127.0.0.1",
            "http://0.0.0.0:1",
            "http://user:word@127.0.0.2:9",
        ]
        .map(local_port);
        assert_eq!(ports, [8083, 11434, 8080, 443, 1, 9].map(Some));
        for elsewhere in
            ["http://10.0.0.7:8083", "http://mac.local:1", "", "8083", "http://127.0.0.1:99999", "http://[::1"]
        {
            assert_eq!(local_port(elsewhere).filter(|_| elsewhere != "http://[::1"), None, "{elsewhere}");
        }
    }
}
