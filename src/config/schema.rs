//! JSON Schemas of the files people write, for their editors: what `baton config schema` prints.

use serde_json::{Value, json};

use super::{ConsoleSettings, DiscoverySettings};
use crate::domain::fleet::{Agent, AttentionSettings, Endpoint, MachineSettings, Settings};
use crate::domain::plan::plan_schema;

/// A schema for each kind of file.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Schemas {
    /// `fleet.toml`.
    pub fleet: Value,
    /// `agents.toml`.
    pub agents: Value,
    /// `baton.toml`.
    pub baton: Value,
    /// A plan file.
    pub plan: Value,
}

/// `fleet.toml` as a person may write it.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct FleetFile {
    /// A name for the header.
    #[schemars(default)]
    name: String,
    /// The endpoints of the layers below are not used.
    #[schemars(default)]
    replace: bool,
    /// The endpoints; merged by name with those of the layers below.
    #[schemars(default)]
    endpoint: Vec<Endpoint>,
    /// The agents; merged by name with those of the layers below.
    #[schemars(default)]
    agent: Vec<Agent>,
}

/// `agents.toml` as a person may write it.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct AgentsFile {
    /// The agents; merged by name with those of the layers below.
    #[schemars(default)]
    agent: Vec<Agent>,
}

/// `baton.toml` as a person may write it.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct BatonFile {
    /// What the engine runs under.
    #[schemars(default)]
    session: Settings,
    /// What is brought to the operator's attention.
    #[schemars(default)]
    attention: AttentionSettings,
    /// What this machine may be loaded with.
    #[schemars(default)]
    machine: MachineSettings,
    /// Where Baton looks for model servers.
    #[schemars(default)]
    discovery: DiscoverySettings,
    /// How the console looks and behaves.
    #[schemars(default)]
    console: ConsoleSettings,
}

/// The schemas of all files.
pub fn schemas() -> Schemas {
    Schemas {
        fleet: hosts(partial(schemars::schema_for!(FleetFile).to_value())),
        agents: hosts(partial(schemars::schema_for!(AgentsFile).to_value())),
        baton: hosts(schemars::schema_for!(BatonFile).to_value()),
        plan: plan_schema(),
    }
}

/// What a file may hold, it may hold for a machine as well.
fn hosts(mut schema: Value) -> Value {
    let own = schema["properties"].clone();
    schema["properties"][super::host::HOST] = json!({
        "type": "object",
        "description": "What is laid over the rest of the file on machines of that name, with the domain or without.",
        "additionalProperties": {"type": "object", "properties": own, "additionalProperties": false},
    });
    schema
}

/// A layer may give one field of an endpoint or an agent, so only the name is required in it.
fn partial(mut schema: Value) -> Value {
    for part in ["Endpoint", "Agent"] {
        if let Some(part) = schema.pointer_mut(&format!("/$defs/{part}")) {
            part["required"] = json!(["name"]);
            part["properties"]["remove"] =
                json!({"type": "boolean", "description": "Take it out of the layers below."});
        }
    }
    schema
}
