//! Where Baton looks for model servers that no endpoint names.

use serde::{Deserialize, Serialize};

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
            ports: vec![8080, 8081, 8082, 8083, 8084, 8085, 8086, 11434, 1234, 8000],
            remote_ms: 1_500,
        }
    }
}
