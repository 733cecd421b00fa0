//! `baton check`: plan files looked over without running them, and whether their models fit into this machine's memory.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::args::{FleetWish, Form, Global};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::{caution, configuration};
use crate::config::{Config, Layer};
use crate::domain::fleet::Endpoint;
use crate::domain::memory::{Fit, MemoryPlan};
use crate::domain::plan::{Plan, PlanReading, TaskSpec};
use crate::domain::protocol::{EndpointName, MachineSampled, TierName};
use crate::domain::source::SourceError;
use crate::engine::machine::{local_ports, this_machine};
use crate::interface::given::{GivenError, plan_file};

/// What is found in a file.
#[derive(Debug, Default, Serialize)]
struct Checked {
    file: String,
    ok: bool,
    #[serde(flatten)]
    shape: Option<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<SourceError>,
    /// What can be run and is most likely not what was meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<SourceError>,
}

/// What is taken of the models that a plan would use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Assumes {
    /// That each has to be loaded. A run asks the servers, and may have more room.
    NothingLoaded,
}

/// Whether a plan's models fit into this machine's memory, none of them taken to be loaded but what is measured.
#[derive(Debug, PartialEq, Serialize)]
struct Memory {
    /// Of which models it is so: a check asks no server.
    assumes: Assumes,
    /// Whether it is known that they do not.
    short: bool,
    /// Bytes that they need more than they hold.
    needed: u64,
    /// Bytes that are left.
    room: u64,
    /// The same in words.
    words: String,
}

impl Memory {
    /// Of a sound plan; none where it loads nothing on this machine.
    fn of(plan: &Plan, config: &Config, machine: &MachineSampled) -> Option<Self> {
        let memory = MemoryPlan::of_fleet(&config.fleet, machine, &config.machine);
        let tier = |task: &TaskSpec| config.fleet.agent(&task.agent).map(|agent| &agent.tier);
        let tiers: Vec<&TierName> = plan.tasks.iter().filter_map(tier).collect();
        let serving = config.fleet.endpoints.iter().filter(|e| e.tiers.iter().any(|t| tiers.contains(&t)));
        let wanted: Vec<EndpointName> = serving.map(|e| e.name.clone()).filter(|n| memory.row(n).is_some()).collect();
        if wanted.is_empty() {
            return None;
        }
        let verdict = memory.judge(&wanted, &[]);
        let details = Some(verdict.details()).filter(|d| !d.is_empty()).map(|d| format!("; {d}"));
        Some(Self {
            assumes: Assumes::NothingLoaded,
            short: verdict.fit == Fit::No,
            needed: verdict.needed,
            room: verdict.room,
            words: format!(
                "memory {}{} (as if no model were loaded; `run` asks the servers which are)",
                verdict.headline(),
                details.unwrap_or_default()
            ),
        })
    }
}

/// Looks at this machine, if somebody configured an endpoint on it: of the built-in fleet it is not known whether it is
/// anybody's.
fn look(config: &Config, wish: &FleetWish) -> Option<MachineSampled> {
    let configured = |e: &Endpoint| {
        let origin = config.origin(&format!("endpoint.{}.url", e.name));
        e.is_here() && origin.is_some_and(|o| o.layer != Layer::BuiltIn)
    };
    if *wish == FleetWish::Simulated || !config.fleet.endpoints.iter().any(configured) {
        return None;
    }
    this_machine()?.sample(Duration::ZERO, &local_ports(&config.fleet)).told().cloned()
}

/// How a plan is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Shape {
    tasks: usize,
    /// The longest chain of needs, in tasks.
    layers: usize,
    /// The most tasks on one layer: what can run side by side when all take equally long.
    widest: usize,
}

impl Shape {
    /// Of a sound plan.
    fn of(plan: &Plan) -> Self {
        let mut layer = std::collections::BTreeMap::new();
        // A sound plan has no cycle: each round settles at least one task.
        while layer.len() < plan.tasks.len() {
            let settled = layer.len();
            for task in &plan.tasks {
                let needs: Option<Vec<usize>> = task.needs.iter().map(|need| layer.get(need).copied()).collect();
                if let Some(needs) = needs {
                    layer.insert(&task.id, needs.into_iter().max().map_or(0, |deepest| deepest + 1));
                }
            }
            if layer.len() == settled {
                break;
            }
        }
        let layers = layer.values().max().map_or(0, |deepest| deepest + 1);
        let widest = (0..layers).map(|l| layer.values().filter(|at| **at == l).count()).max().unwrap_or(0);
        Self { tasks: plan.tasks.len(), layers, widest }
    }
}

/// Checks files.
///
/// # Errors
/// The configuration is wrong. What is wrong in a plan is printed, and told by the exit code.
pub(crate) fn check(plans: &[PathBuf], global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    caution(&config, printer);
    let machine = look(&config, &global.fleet);
    let mut exit = Exit::Done;
    let mut all = Vec::new();
    for path in plans {
        let file = path.display().to_string();
        let mut checked = Checked { file, ..Checked::default() };
        match plan_file(path, &config.fleet.agents) {
            Ok(PlanReading { plan: Ok(plan), warnings }) => {
                let memory = machine.as_ref().and_then(|machine| Memory::of(&plan, &config, machine));
                checked = Checked { ok: true, shape: Some(Shape::of(&plan)), memory, warnings, ..checked };
            }
            Ok(PlanReading { plan: Err(errors), warnings }) => checked = Checked { errors, warnings, ..checked },
            Err(GivenError::Source(errors)) => checked.errors = errors,
            Err(other) => printer.words(&other.to_string()),
        }
        if !checked.ok {
            exit = Exit::Usage;
        }
        if global.form() == Form::Words {
            tell(&checked, printer);
        }
        all.push(checked);
    }
    if global.form() != Form::Words {
        printer.json(&all);
    }
    Ok(exit)
}

fn tell(checked: &Checked, printer: &mut Printer) {
    for error in &checked.errors {
        printer.words(&error.to_string());
    }
    for warning in &checked.warnings {
        printer.words(&format!("warning: {warning}"));
    }
    if let Some(Shape { tasks, layers, widest }) = checked.shape {
        let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let (tasks, layers) = (plural(tasks, "task"), plural(layers, "layer"));
        printer.data_line(&format!("{}: ok: {tasks} in {layers}, {widest} wide", checked.file));
    }
    if let Some(memory) = &checked.memory {
        printer.data_line(&format!("{}: {}", checked.file, memory.words));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_follow_the_longest_chain() {
        let text = "version: 1\ngoal: g\ntasks:\n\
            - {id: d, agent: coder, prompt: p, needs: [c, a]}\n\
            - {id: c, agent: coder, prompt: p, needs: [a]}\n\
            - {id: a, agent: coder, prompt: p}\n\
            - {id: b, agent: coder, prompt: p}\n";
        let plan = crate::domain::plan::parse(text, "x.yaml").unwrap();
        assert_eq!(Shape::of(&plan), Shape { tasks: 4, layers: 3, widest: 2 });
    }

    #[test]
    fn a_plan_s_models_are_held_against_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let home = || folder.path().to_owned();
        let surroundings = crate::config::Surroundings { variables: Default::default(), working: home(), home: home() };
        let config = crate::config::load_in(&surroundings, &crate::config::Flags::default()).unwrap();
        let text = "version: 1\ngoal: g\ntasks:\n\
            - {id: a, agent: reasoner, prompt: p}\n\
            - {id: b, agent: coder, prompt: p}\n";
        let plan = crate::domain::plan::parse(text, "x.yaml").unwrap();
        let of = |gb: u64| {
            let machine = MachineSampled { total: gb * 1_000_000_000, used: 1, ..MachineSampled::default() };
            Memory::of(&plan, &config, &machine).unwrap()
        };
        assert_eq!(
            of(256).words,
            "memory fits: 115 of 217.6 GB; 115 of it are still to be loaded (as if no model were loaded; `run` asks the servers which are)"
        );
        let short = of(120);
        assert_eq!((short.short, short.needed, short.room), (true, 115_000_000_000, 102_000_000_000));
        assert!(
            short.words.starts_with("memory does not suffice: lacks 13 GB: needs 115 for GPT 80 + Qwen 35; 102 GB")
        );
        // Nobody configured it: it is not known to be this machine's.
        assert_eq!(look(&config, &FleetWish::Auto), None);
    }
}
