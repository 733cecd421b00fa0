//! JSON Schemas: of the plan file, for editors, and of a planning model's answer, for servers that constrain output.

use serde_json::{Value, json};

use super::Plan;
use crate::domain::fleet::Agent;

/// The JSON Schema of a plan file. What begins with `x-` is only there to be referred to, as by `<<: *name`.
pub fn plan_schema() -> Value {
    let mut schema = schemars::schema_for!(Plan);
    schema.insert("patternProperties".to_owned(), json!({"^x-": {}}));
    schema.to_value()
}

/// The schema a planning model's answer is constrained to. Smaller than a plan's: five plain fields, all required,
/// because every choice left open is one a small model gets wrong, and grammars of servers know no defaults.
///
/// No `pattern` and no `minLength`: not every server's grammar converter knows them.
pub fn decomposition_schema(agents: &[Agent], max_tasks: u32) -> Value {
    let names: Vec<&str> = agents.iter().map(|a| a.name.as_str()).collect();
    let agent = if names.is_empty() { json!({"type": "string"}) } else { json!({"type": "string", "enum": names}) };
    json!({
        "type": "object",
        "properties": {
            "tasks": {
                "type": "array",
                "minItems": 1,
                "maxItems": max_tasks.max(1),
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string"},
                        "title": {"type": "string"},
                        "prompt": {"type": "string"},
                        "agent": agent,
                        "needs": {"type": "array", "items": {"type": "string"}}
                    },
                    "required": ["id", "title", "prompt", "agent", "needs"],
                    "additionalProperties": false
                }
            }
        },
        "required": ["tasks"],
        "additionalProperties": false
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Name;

    #[test]
    fn the_plan_schema_takes_plans_and_refuses_others() {
        let schema = jsonschema::validator_for(&plan_schema()).unwrap();
        assert!(schema.is_valid(&json!({"version": 1, "goal": "g", "tasks": [
            {"id": "a", "agent": "coder", "prompt": "p", "needs": ["b"], "level": "high", "priority": "low"}
        ]})));
        assert!(
            !schema
                .is_valid(&json!({"version": 1, "goal": "g", "tasks": [{"id": "a b", "agent": "c", "prompt": "p"}]}))
        );
        assert!(!schema.is_valid(&json!({"version": 1, "goal": "g", "tasks": [], "extra": 1})));
        assert!(schema.is_valid(&json!({"version": 1, "goal": "g", "tasks": [], "x-reading": {"agent": "a"}})));
    }

    #[test]
    fn the_answer_schema_names_the_agents_and_the_most_tasks() {
        let agents =
            [super::super::decompose::tests::agent("coder"), super::super::decompose::tests::agent("researcher")];
        let schema = jsonschema::validator_for(&decomposition_schema(&agents, 2)).unwrap();
        let task = |agent: &str| json!({"id": "a", "title": "t", "prompt": "p", "agent": agent, "needs": []});
        assert!(schema.is_valid(&json!({"tasks": [task("coder"), task("researcher")]})));
        assert!(!schema.is_valid(&json!({"tasks": [task("wizard")]})));
        assert!(!schema.is_valid(&json!({"tasks": [task("coder"), task("coder"), task("coder")]})));
        assert_eq!(Name::slug("coder").as_str(), agents[0].name.as_str());
    }
}
