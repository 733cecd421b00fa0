//! The demo: a plan that shows everything, run on the simulated fleet when nothing was asked for.

use super::{Plan, parse};

/// The file, as it ships.
const TEXT: &str = include_str!("../../../config/demo.yaml");

/// The demo's plan.
pub fn demo_plan() -> Plan {
    // A test holds that the file is sound; a plan without tasks would be refused in words.
    parse(TEXT, "demo.yaml").unwrap_or_else(|_| Plan::new(String::new(), Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_sound_and_wide() {
        let plan = match parse(TEXT, "demo.yaml") {
            Ok(plan) => plan,
            Err(errors) => panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        };
        assert_eq!(plan, demo_plan());
        assert_eq!(plan.tasks.len(), 27);
        let roots = |agents: &[&str]| {
            plan.tasks.iter().filter(|t| t.needs.is_empty() && agents.contains(&t.agent.as_str())).count()
        };
        // What fills the slots of the built-in fleet from the start: 6, 2, 4, 4, 4.
        let tiers = [
            roots(&["researcher", "analyst", "cad_designer", "fabricator"]),
            roots(&["reasoner"]),
            roots(&["vision_analyst"]),
            roots(&["coder"]),
            roots(&["summarizer"]),
        ];
        assert_eq!(tiers, [6, 2, 4, 4, 4]);
        let phases: std::collections::BTreeSet<_> = plan.tasks.iter().filter_map(|t| t.phase.as_deref()).collect();
        assert_eq!(phases.len(), 4);
    }
}
