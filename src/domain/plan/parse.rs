//! Plan files: YAML (JSON accepted) into a sound [`Plan`], or everything that is wrong with it, each with its place.
//!
//! Not here: reading the file from disk. Invariant: a plan that comes out has no `Problem`; errors stand in the order
//! of the file.

use super::meant::settle;
use super::ownership::check_claims;
use super::validate::{check_agents, check_head, check_tasks};
use super::{Plan, Problem, TaskSpec, lost};
use crate::domain::fleet::Agent;
use crate::domain::foreign;
use crate::domain::protocol::{MOST_DECIDED, Name, recorded_bytes};
use crate::domain::source::{Document, Entry, Node, Place, SourceError, SourceName, Value, decode, read_yaml};

/// One error in a plan file.
pub type PlanError = SourceError;

/// A longer file is refused: a plan of 10,000 tasks fits.
pub const MAX_PLAN_BYTES: usize = 4 * 1024 * 1024;

/// So many problems are looked for in the file; what is beyond them is counted. Looking for a place walks through lists, and
/// a file may have a mistake in each of a hundred thousand places.
const MOST_PLACED: usize = 4 * SourceError::MOST_TOLD;

/// A plan file as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanReading {
    /// The plan, or everything found wrong, at least one, in the order of the file.
    pub plan: Result<Plan, Vec<PlanError>>,
    /// What can be run and is most likely not what was meant: texts of which YAML keeps a part only.
    pub warnings: Vec<PlanError>,
}

/// Reads a plan file. Agents are not looked up: [`parse_for`] does that for a fleet.
///
/// `file` is its name in errors.
///
/// # Errors
/// Everything found wrong, at least one, in the order of the file.
pub fn parse(source: &str, file: &str) -> Result<Plan, Vec<PlanError>> {
    read_plan(source, file, None).plan
}

/// Reads a plan file whose tasks must be for one of `agents`.
///
/// # Errors
/// As [`parse`], and for each agent that is not there.
pub fn parse_for(source: &str, file: &str, agents: &[Agent]) -> Result<Plan, Vec<PlanError>> {
    read_plan(source, file, Some(agents)).plan
}

/// Reads a plan file, for one of `agents` where they are given, and tells also what can be run and is suspicious.
pub fn read_plan(source: &str, file: &str, agents: Option<&[Agent]>) -> PlanReading {
    let refused = |errors: Vec<PlanError>| PlanReading { plan: Err(errors), warnings: Vec::new() };
    if source.len() > MAX_PLAN_BYTES {
        let what = format!("the file has {} bytes, and a plan has at most {MAX_PLAN_BYTES}", source.len());
        return refused(vec![SourceError::new(file, Place::START, what, "split the plan in two")]);
    }
    let name: SourceName = file.into();
    let Document { mut root, losses } = match read_yaml(source, &name) {
        Ok(document) => document,
        Err(error) => {
            let wrong = SourceError::new(file, error.place, error.what, error.mend).with_snippet(source);
            return refused(vec![foreign::as_plan(file, source, None).unwrap_or(wrong)]);
        }
    };
    if let Some(other) = foreign::as_plan(file, source, Some(&root)) {
        return refused(vec![other]);
    }
    settle(&mut root);
    let mut reader = Reader { file, errors: Vec::new(), more: 0 };
    let plan = reader.plan(&root, agents);
    let Reader { mut errors, more, .. } = reader;
    errors.sort_by_key(|e| (e.line, e.column));
    errors.dedup();
    if let Some(plan) = plan.as_ref().filter(|_| errors.is_empty()) {
        // A few aliases make much of little.
        let bytes = recorded_bytes(plan);
        if bytes > MOST_DECIDED {
            let what =
                format!("the plan has {bytes} bytes once its aliases are written out, and the most is {MOST_DECIDED}");
            let mend = "use fewer or shorter texts, or split the plan in two";
            errors.push(SourceError::new(file, Place::START, what, mend));
        }
    }
    let told = |errors: Vec<PlanError>, more: usize| -> Vec<PlanError> {
        SourceError::first(errors, more).into_iter().map(|e| e.with_snippet(source)).collect()
    };
    PlanReading {
        warnings: told(lost::warnings(&root, &losses), 0),
        plan: match plan {
            Some(plan) if errors.is_empty() => Ok(plan),
            _ => Err(told(errors, more)),
        },
    }
}

struct Reader<'a> {
    file: &'a str,
    errors: Vec<PlanError>,
    /// Problems beyond those that were looked for in the file.
    more: usize,
}

/// Which fields of a task that could not be read whole stand for themselves, so that nothing is said of the others.
struct Read {
    agent: bool,
    prompt: bool,
}

impl Reader<'_> {
    fn error(&mut self, place: Place, what: impl Into<String>, mend: impl Into<String>) {
        self.errors.push(SourceError::new(self.file, place, what, mend));
    }

    fn plan(&mut self, root: &Node, agents: Option<&[Agent]>) -> Option<Plan> {
        match &root.value {
            Value::Map(_) => {}
            Value::Null => {
                let mend = "write `version: 1`, `goal: …` and `tasks:` with at least one task; `baton plan GOAL` prints a plan to begin with";
                self.error(root.place, "the file is empty", mend);
                return None;
            }
            _ => {
                let mend = "begin with `version: 1`, `goal: …` and `tasks:`";
                self.error(root.place, format!("a plan is a group of named values, and this is {}", root.kind()), mend);
                return None;
            }
        }
        // The head without its tasks, so that each task is read for itself and errors in one hide none in another.
        let without = |entry: &Entry| match entry.key.as_str() {
            "tasks" => {
                Entry { key: entry.key.clone(), place: entry.place, node: entry.node.with(Value::List(Vec::new())) }
            }
            _ => entry.clone(),
        };
        let head = root.with(Value::Map(root.entries().iter().map(without).collect()));
        let plan: Option<Plan> = decode(&head, "the plan").map_err(|e| self.errors.extend(e)).ok();
        if plan.as_ref().is_some_and(|p| p.max_parallel == Some(0)) {
            let place = root.get("max_parallel").map_or(root.place, |n| n.place);
            self.error(place, "`max_parallel` is 0, so that no task could start", "give at least 1, or leave it out");
        }
        let tasks = self.tasks(root, agents);
        let plan = plan.map(|plan| Plan { tasks, ..plan });
        let mut problems = Vec::new();
        plan.iter().for_each(|plan| check_head(plan, &mut problems));
        for problem in problems {
            let key = if matches!(problem, Problem::NoCapacity(_)) { "capacity" } else { "version" };
            let place = root.get(key).map_or(root.place, |n| n.place);
            self.error(place, problem.to_string(), problem.mend());
        }
        plan
    }

    fn tasks(&mut self, root: &Node, agents: Option<&[Agent]>) -> Vec<TaskSpec> {
        let Some(list) = root.get("tasks") else { return Vec::new() };
        if !matches!(list.value, Value::List(_)) {
            let mend = "write each task as `- id: …` with agent and prompt under it";
            let what = match list.value {
                Value::Null => "the plan has no tasks".to_owned(),
                _ => format!("`tasks` is {}, and a list of tasks is expected", list.kind()),
            };
            self.error(list.place, what, mend);
            return Vec::new();
        }
        let (mut tasks, mut reads, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        for (i, node) in list.items().iter().enumerate() {
            let (task, read) = match decode::<TaskSpec>(node, "a task") {
                Ok(task) => (task, Read { agent: true, prompt: true }),
                Err(errors) => {
                    self.errors.extend(errors);
                    skeleton(node, i)
                }
            };
            tasks.push(task);
            reads.push(read);
            nodes.push(node);
        }
        let mut problems = Vec::new();
        check_tasks(&tasks, &mut problems);
        if problems.is_empty() {
            check_claims(&tasks, &mut problems);
        }
        if let Some(agents) = agents {
            check_agents(&tasks, agents, &mut problems);
        }
        self.more += problems.len().saturating_sub(MOST_PLACED);
        for problem in problems.iter().take(MOST_PLACED) {
            self.problem(problem, list, &tasks, &reads, &nodes);
        }
        tasks
    }

    /// A problem with its place in the file.
    fn problem(&mut self, problem: &Problem, list: &Node, tasks: &[TaskSpec], reads: &[Read], nodes: &[&Node]) {
        let field = |index: usize, key: &str| {
            nodes.get(index).map_or(list.place, |node| node.get(key).map_or(node.place, |value| value.place))
        };
        let need = |index: usize, need: &Name, nth: usize| {
            let needs = nodes.get(index).and_then(|node| node.get("needs"));
            let mut found = needs.into_iter().flat_map(Node::items).filter(|n| name_of(n).as_ref() == Some(need));
            found.nth(nth).map_or_else(|| field(index, "needs"), |n| n.place)
        };
        let mut what = problem.to_string();
        let place = match problem {
            Problem::Version(_) | Problem::NeedsTwo(_) | Problem::NoCapacity(_) | Problem::NoTasks => list.place,
            Problem::Later { index, field: key, .. } => field(*index, key),
            Problem::Pattern { index, .. } | Problem::Clash { index, .. } => field(*index, "owns"),
            Problem::LockTwice { index, .. } => field(*index, "locks"),
            Problem::DuplicateId { first, second, .. } => {
                what = format!("{what}; first on line {}", field(*first, "id").line);
                field(*second, "id")
            }
            Problem::ReservedId { index, .. } => field(*index, "id"),
            Problem::UnknownAgent { index, .. } if reads.get(*index).is_none_or(|r| r.agent) => field(*index, "agent"),
            Problem::EmptyPrompt { index, .. } if reads.get(*index).is_none_or(|r| r.prompt) => field(*index, "prompt"),
            Problem::UnknownAgent { .. } | Problem::EmptyPrompt { .. } => return,
            Problem::MissingNeed { index, need: name, .. } => need(*index, name, 0),
            Problem::SelfNeed { index, task } => need(*index, task, 0),
            Problem::NeedTwice { index, need: name, .. } => need(*index, name, 1),
            Problem::Cycle(path) => {
                let index = path.first().and_then(|id| tasks.iter().position(|t| t.id == *id)).unwrap_or(0);
                let lines: Vec<String> = path
                    .iter()
                    .skip(1)
                    .take(path.len().saturating_sub(2).min(11))
                    .filter_map(|id| tasks.iter().position(|t| t.id == *id))
                    .map(|i| field(i, "id").line.to_string())
                    .collect();
                what = format!("{what} (also line {})", lines.join(", "));
                path.get(1).map_or_else(|| field(index, "needs"), |second| need(index, second, 0))
            }
        };
        self.error(place, what, problem.mend());
    }
}

/// What is left of a task that could not be read, so that the tasks that need it are not blamed.
fn skeleton(node: &Node, index: usize) -> (TaskSpec, Read) {
    let id = node.get("id").and_then(name_of).unwrap_or_else(|| Name::slug(&format!("task.{}", index + 1)));
    let agent = node.get("agent").and_then(Node::text).and_then(|a| Name::new(a).ok());
    let prompt = node.get("prompt").and_then(Node::text);
    let read = Read { agent: agent.is_some(), prompt: prompt.is_some() };
    let mut task = TaskSpec::new(id, agent.unwrap_or_else(|| Name::slug("x")), prompt.unwrap_or("x"));
    task.needs = node.get("needs").into_iter().flat_map(Node::items).filter_map(name_of).collect();
    (task, read)
}

/// The name a node holds; a bad one as its slug, so that both of its uses still match.
fn name_of(node: &Node) -> Option<Name> {
    match &node.value {
        Value::Text(text) => Some(Name::new(text).unwrap_or_else(|_| Name::slug(text))),
        Value::Integer(n) => Some(Name::slug(&n.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
