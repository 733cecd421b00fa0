//! `baton check`: plan files looked over without running them.

use std::path::PathBuf;

use serde::Serialize;

use super::args::{Form, Global};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::run::read_plan;
use super::session::configuration;
use crate::domain::plan::Plan;
use crate::domain::source::SourceError;

/// What is found in a file.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    ok: bool,
    #[serde(flatten)]
    shape: Option<Shape>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<SourceError>,
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
    let mut exit = Exit::Done;
    let mut all = Vec::new();
    for path in plans {
        let file = path.display().to_string();
        let checked = match read_plan(path, &config) {
            Ok(plan) => Checked { file, ok: true, shape: Some(Shape::of(&plan)), errors: Vec::new() },
            Err(CliError::Source(errors)) => Checked { file, ok: false, shape: None, errors },
            Err(other) => {
                printer.words(&other.to_string());
                Checked { file, ok: false, shape: None, errors: Vec::new() }
            }
        };
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
    if let Some(Shape { tasks, layers, widest }) = checked.shape {
        let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let (tasks, layers) = (plural(tasks, "task"), plural(layers, "layer"));
        printer.data_line(&format!("{}: ok: {tasks} in {layers}, {widest} wide", checked.file));
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
}
