//! What makes a plan sound, on plans without a place in a file; positions are added by the reader of plan files.
//!
//! Not here: syntax and types (`parse`), mending (`decompose`). Invariant: a plan without a [`Problem`] has at least
//! one task, unique ids, known agents, known needs and no cycle.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};

use super::ownership::{check_claims, check_form};
use super::{PatternError, Plan, PlanEdit, TaskSpec};
use crate::domain::fleet::Agent;
use crate::domain::hash::{IdMap, id_map};
use crate::domain::protocol::{AgentName, LockMode, Name};
use crate::domain::source::nearest;

/// The version of the plan format that this program writes where it is enough.
pub const PLAN_VERSION: u32 = 1;
/// The newest version it reads: with `capacity` and locks in a mode.
pub const NEWEST_PLAN_VERSION: u32 = 2;

/// One thing that keeps a plan from running. `Display` says what is wrong; [`Problem::mend`] what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A version that is not read.
    #[error("this plan has version {0}, and this program reads the versions {PLAN_VERSION} and {NEWEST_PLAN_VERSION}")]
    Version(u32),
    /// Something that version 1 does not have.
    #[error("{0} is of version 2 of the format, and this plan has version 1")]
    NeedsTwo(&'static str),
    /// A lock that nobody may have.
    #[error("the capacity of {0} is 0, so that no task with this lock could start")]
    NoCapacity(Name),
    /// A field that is not acted on yet.
    #[error("the `{field}` of {task} are from a later version of Baton, and this one would not act on them")]
    Later {
        /// The task.
        task: Name,
        /// Its index.
        index: usize,
        /// The field.
        field: &'static str,
    },
    /// An owned path that is none.
    #[error("{error} in the `owns` of {task}")]
    Pattern {
        /// The task.
        task: Name,
        /// Its index.
        index: usize,
        /// What is wrong with it.
        error: PatternError,
    },
    /// The same lock twice.
    #[error("task {task} names the lock {lock} twice")]
    LockTwice {
        /// The task.
        task: Name,
        /// Its index.
        index: usize,
        /// The lock.
        lock: Name,
    },
    /// Two tasks that could run at once own the same path.
    #[error("{first} and {second} could run at once, and both own {path}")]
    Clash {
        /// The one that comes first in the plan.
        first: Name,
        /// The other.
        second: Name,
        /// The index of the other.
        index: usize,
        /// A path that both own.
        path: String,
    },
    /// No task at all.
    #[error("the plan has no tasks")]
    NoTasks,
    /// Two tasks share an id.
    #[error("the id {id} is used twice")]
    DuplicateId {
        /// The id.
        id: Name,
        /// The index of the task that had it first.
        first: usize,
        /// The index of the one that has it again.
        second: usize,
    },
    /// An agent the fleet does not have.
    #[error("task {task} is for the agent {agent}, which does not exist")]
    UnknownAgent {
        /// The task.
        task: Name,
        /// Its index.
        index: usize,
        /// The agent.
        agent: AgentName,
        /// The agent most likely meant.
        nearest: Option<AgentName>,
        /// All agents there are.
        known: Vec<AgentName>,
    },
    /// A dependency on a task that is not in the plan.
    #[error("task {task} needs {need}, which is not in the plan")]
    MissingNeed {
        /// The task.
        task: Name,
        /// Its index.
        index: usize,
        /// The dependency.
        need: Name,
        /// The task most likely meant.
        nearest: Option<Name>,
    },
    /// A task that needs itself.
    #[error("task {task} needs itself")]
    SelfNeed {
        /// The task.
        task: Name,
        /// Its index.
        index: usize,
    },
    /// The same dependency twice.
    #[error("task {task} lists {need} twice in its needs")]
    NeedTwice {
        /// The task.
        task: Name,
        /// Its index.
        index: usize,
        /// The dependency.
        need: Name,
    },
    /// Tasks that wait for each other.
    #[error("these tasks wait for each other in a circle: {}", path(.0))]
    Cycle(
        /// The circle: each needs the next, and the last is the first again.
        Vec<Name>,
    ),
    /// An id of those that Baton gives to its own tasks.
    #[error("the id {task} begins with a dot, and such ids are Baton's own")]
    ReservedId {
        /// The task.
        task: Name,
        /// Its index.
        index: usize,
    },
    /// Nothing is asked.
    #[error("task {task} has an empty prompt")]
    EmptyPrompt {
        /// The task.
        task: Name,
        /// Its index.
        index: usize,
    },
}

/// A circle in words; of a very long one the middle is left out.
fn path(names: &[Name]) -> String {
    let words = |names: &[Name]| names.iter().map(Name::as_str).collect::<Vec<_>>().join(" → ");
    match names.len() {
        0..=16 => words(names),
        many => format!("{} → … {} more … → {}", words(&names[..12]), many - 15, words(&names[many - 3..])),
    }
}

fn list(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

impl Problem {
    /// How to mend it, as an instruction.
    pub fn mend(&self) -> String {
        match self {
            Self::Version(_) => format!("write `version: {NEWEST_PLAN_VERSION}`"),
            Self::NeedsTwo(_) => "write `version: 2`".into(),
            Self::NoCapacity(_) => {
                "give at least 1, or leave it out: a lock that is not named there is one task's".into()
            }
            Self::Later { field, .. } => format!("leave `{field}` out"),
            Self::Pattern { error, .. } => error.mend().into(),
            Self::LockTwice { .. } => "remove one of the two".into(),
            Self::Clash { path, .. } => {
                format!("let one need the other, or write `!{path}` into the `owns` of the wider one")
            }
            Self::NoTasks => "add a task with id, agent and prompt under `tasks:`".into(),
            Self::DuplicateId { id, .. } => format!("give one of them another id, as in {id}-2"),
            Self::UnknownAgent { nearest, known, .. } => {
                let known = list(known);
                match nearest {
                    Some(name) => format!("did you mean {name}? The agents are: {known}"),
                    None if known.is_empty() => "define an agent first: the fleet has none".into(),
                    None => format!("use one of: {known}"),
                }
            }
            Self::MissingNeed { need, nearest, .. } => match nearest {
                Some(name) => format!("did you mean {name}? Otherwise add a task {need} or remove the need"),
                None => format!("add a task with the id {need}, or remove the need"),
            },
            Self::SelfNeed { .. } => "remove its own id from its needs".into(),
            Self::NeedTwice { .. } => "remove one of the two".into(),
            Self::Cycle(names) => match names.as_slice() {
                [first, second, ..] => {
                    format!("remove one of these needs, for example {second} from the needs of {first}")
                }
                _ => "remove one of these needs".into(),
            },
            Self::ReservedId { .. } => "give it an id that begins with a letter or a number".into(),
            Self::EmptyPrompt { .. } => "say in `prompt` what the agent is asked".into(),
        }
    }
}

/// Everything that is wrong with a plan, in the order of its tasks, cycles last; empty when it is sound.
///
/// Costs time linear in tasks and needs.
pub fn validate(plan: &Plan, agents: &[Agent]) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_head(plan, &mut problems);
    check_agents(&plan.tasks, agents, &mut problems);
    check_tasks(&plan.tasks, &mut problems);
    if problems.is_empty() {
        check_claims(&plan.tasks, &mut problems);
    }
    problems
}

/// What is wrong with a plan's version and what it says of all tasks.
pub(crate) fn check_head(plan: &Plan, problems: &mut Vec<Problem>) {
    if !(PLAN_VERSION..=NEWEST_PLAN_VERSION).contains(&plan.version) {
        problems.push(Problem::Version(plan.version));
    }
    if plan.version == PLAN_VERSION {
        let in_a_mode = plan.tasks.iter().flat_map(|t| &t.locks).any(|lock| lock.mode != LockMode::Exclusive);
        let news = [("`capacity`", !plan.capacity.is_empty()), ("a lock in a mode", in_a_mode)];
        problems.extend(news.into_iter().filter(|(_, is)| *is).map(|(what, _)| Problem::NeedsTwo(what)));
    }
    problems.extend(plan.capacity.iter().filter(|(_, n)| **n == 0).map(|(lock, _)| Problem::NoCapacity(lock.clone())));
}

/// The tasks whose agent is not one of `agents`.
pub(crate) fn check_agents(tasks: &[TaskSpec], agents: &[Agent], problems: &mut Vec<Problem>) {
    for (index, task) in tasks.iter().enumerate() {
        if !agents.iter().any(|a| a.name == task.agent) {
            problems.push(Problem::UnknownAgent {
                task: task.id.clone(),
                index,
                agent: task.agent.clone(),
                nearest: nearest(task.agent.as_str(), agents.iter().map(|a| a.name.as_str()))
                    .and_then(|n| Name::new(n).ok()),
                known: agents.iter().map(|a| a.name.clone()).collect(),
            });
        }
    }
}

/// Everything about the tasks that needs no knowledge of the fleet.
pub(crate) fn check_tasks<T: Borrow<TaskSpec>>(tasks: &[T], problems: &mut Vec<Problem>) {
    let specs = || tasks.iter().map(Borrow::borrow).enumerate();
    if tasks.is_empty() {
        problems.push(Problem::NoTasks);
    }
    let mut first_of: IdMap<&Name, usize> = id_map(tasks.len());
    for (index, task) in specs() {
        let first = *first_of.entry(&task.id).or_insert(index);
        if first != index {
            problems.push(Problem::DuplicateId { id: task.id.clone(), first, second: index });
        }
        if task.id.as_str().starts_with('.') {
            problems.push(Problem::ReservedId { task: task.id.clone(), index });
        }
        if task.prompt.trim().is_empty() {
            problems.push(Problem::EmptyPrompt { task: task.id.clone(), index });
        }
    }
    let mut missing = 0;
    for (index, task) in specs() {
        // A set for each task would cost more than all else here; only long lists need one.
        let mut set = (task.needs.len() > FEW_NEEDS).then(HashSet::new);
        for (i, need) in task.needs.iter().enumerate() {
            let twice = set.as_mut().map_or_else(|| task.needs[..i].contains(need), |set| !set.insert(need));
            if twice {
                problems.push(Problem::NeedTwice { task: task.id.clone(), index, need: need.clone() });
            } else if *need == task.id {
                problems.push(Problem::SelfNeed { task: task.id.clone(), index });
            } else if !first_of.contains_key(need) {
                missing += 1;
                let all = specs().take_while(|_| missing <= SUGGESTED).map(|(_, t)| t.id.as_str());
                let nearest = nearest(need.as_str(), all).and_then(|n| Name::new(n).ok());
                problems.push(Problem::MissingNeed { task: task.id.clone(), index, need: need.clone(), nearest });
            }
        }
    }
    problems.extend(cycles(tasks).into_iter().map(|cycle| Problem::Cycle(cycle.path(tasks))));
}

/// For so many unknown needs the task that was meant is looked for among all: more than are ever shown, and each costs a walk
/// through the plan.
const SUGGESTED: usize = 64;

/// Up to this many needs, looking through the ones before is quicker than a set.
const FEW_NEEDS: usize = 16;

/// A circle of needs, as indexes into the tasks: each needs the next, the last needs the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cycle(pub(crate) Vec<usize>);

impl Cycle {
    /// The circle as names, closed: the first comes again at the end.
    pub(crate) fn path<T: Borrow<TaskSpec>>(&self, tasks: &[T]) -> Vec<Name> {
        self.0.iter().chain(self.0.first()).filter_map(|&i| tasks.get(i)).map(|t| t.borrow().id.clone()).collect()
    }
}

/// The circles in the needs, none of which shares a task with another: mend these and look again.
/// Needs that are unknown or a task's own are passed over; of tasks with the same id the first counts.
pub(crate) fn cycles<T: Borrow<TaskSpec>>(tasks: &[T]) -> Vec<Cycle> {
    let specs = || tasks.iter().map(Borrow::borrow).enumerate();
    let mut index_of: IdMap<&Name, usize> = id_map(tasks.len());
    for (i, task) in specs() {
        index_of.entry(&task.id).or_insert(i);
    }
    let needs: Vec<Vec<usize>> = specs()
        .map(|(i, t)| t.needs.iter().filter_map(|n| index_of.get(n).copied()).filter(|&n| n != i).collect())
        .collect();
    let mut reported = vec![false; tasks.len()];
    let mut found = Vec::new();
    for (circle, _) in back_edges(&needs, 0..needs.len()) {
        if !circle.is_empty() && !circle.iter().any(|&n| reported[n]) {
            circle.iter().for_each(|&n| reported[n] = true);
            found.push(Cycle(circle));
        }
    }
    found
}

/// Circles beyond this many are found but not listed: a hostile plan of long circles must not fill the memory.
const MAX_CIRCLES: usize = 64;

/// The needs that close a circle when they are walked from `roots` in order, each with its circle (empty beyond the
/// first [`MAX_CIRCLES`]): without these edges (`from` needs `to`) there is no circle left. Depth first with an explicit stack, so that a chain of 100,000
/// tasks costs no call stack.
pub(crate) fn back_edges(
    needs: &[Vec<usize>],
    roots: impl Iterator<Item = usize>,
) -> Vec<(Vec<usize>, (usize, usize))> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnPath,
        Left,
    }
    let mut marks = vec![Mark::New; needs.len()];
    let mut found = Vec::new();
    for root in roots {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::OnPath;
        let mut stack: Vec<(usize, usize)> = vec![(root, 0)];
        while let Some((node, next)) = stack.last_mut() {
            let node = *node;
            let Some(&need) = needs[node].get(*next) else {
                marks[node] = Mark::Left;
                stack.pop();
                continue;
            };
            *next += 1;
            match marks[need] {
                Mark::New => {
                    marks[need] = Mark::OnPath;
                    stack.push((need, 0));
                }
                Mark::OnPath => {
                    // Only for those that are named: the walk back is as long as the chain.
                    let named = (found.len() < MAX_CIRCLES).then(|| stack.iter().rposition(|(n, _)| *n == need));
                    let start = named.map(Option::unwrap_or_default);
                    let circle =
                        start.map(|start| stack[start..].iter().map(|(n, _)| *n).collect()).unwrap_or_default();
                    found.push((circle, (node, need)));
                }
                Mark::Left => {}
            }
        }
    }
    found
}

/// Why an edit was refused; nothing of it was applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A task to be replaced or removed is not in the plan.
    #[error("there is no task {id} in the plan{}", hint(.nearest.as_ref()))]
    Unknown {
        /// The id.
        id: Name,
        /// The task most likely meant.
        nearest: Option<Name>,
    },
    /// An id that is in use, or was used by a task this edit removes.
    #[error("the id {id} is already used; ids are never reused, so choose another, as in {id}-2")]
    Reused {
        /// The id.
        id: Name,
    },
    /// A removed task is still needed.
    #[error("{id} can't be removed: {} still need{} it; remove that need in the same edit", list(.by), if .by.len() == 1 { "s" } else { "" })]
    StillNeeded {
        /// The removed task.
        id: Name,
        /// Who needs it.
        by: Vec<Name>,
    },
    /// The plan would not be sound.
    #[error("the edit was not applied: {problem}; {}", .problem.mend())]
    Unsound {
        /// The first problem it would have.
        problem: Box<Problem>,
    },
}

fn hint(nearest: Option<&Name>) -> String {
    nearest.map(|n| format!("; did you mean {n}?")).unwrap_or_default()
}

/// The tasks after the edits, where they stand, without a copy of anything; edits are applied whole or not at all.
/// Added tasks stand at the end, in order.
///
/// A plan may lose its last task (the goal is then ended by who asks). Agents are not looked at: [`validate`] does.
/// Ids removed by earlier edits are known to the caller only, who refuses them.
///
/// # Errors
/// [`EditError`] names the first step that can't be done, or what would make the plan unsound.
pub fn apply_edits<'a>(
    tasks: impl Iterator<Item = &'a TaskSpec>,
    edits: &'a [PlanEdit],
) -> Result<Vec<&'a TaskSpec>, EditError> {
    let mut slots: Vec<Option<&TaskSpec>> = tasks.map(Some).collect();
    let mut index_of: IdMap<&Name, usize> = id_map(slots.len() + edits.len());
    index_of.extend(slots.iter().flatten().enumerate().map(|(i, t)| (&t.id, i)));
    let mut removed: Vec<&Name> = Vec::new();
    let replaced = edits.iter().filter(|edit| matches!(edit, PlanEdit::Replace(_)));
    let was: BTreeMap<&Name, &TaskSpec> = replaced
        .filter_map(|edit| slots.get(*index_of.get(edit.name())?).copied().flatten())
        .map(|form| (&form.id, form))
        .collect();
    for edit in edits {
        match edit {
            PlanEdit::Add(task) => {
                if index_of.contains_key(&task.id) {
                    return Err(EditError::Reused { id: task.id.clone() });
                }
                index_of.insert(&task.id, slots.len());
                slots.push(Some(task));
            }
            PlanEdit::Replace(task) => match index_of.get(&task.id).and_then(|&i| slots.get_mut(i)) {
                Some(slot @ Some(_)) => *slot = Some(task),
                _ => return Err(unknown(&task.id, &slots)),
            },
            PlanEdit::Restore(task) => match index_of.get(&task.id).and_then(|&i| slots.get_mut(i)) {
                Some(Some(_)) => return Err(EditError::Reused { id: task.id.clone() }),
                Some(slot) => *slot = Some(task),
                None => {
                    index_of.insert(&task.id, slots.len());
                    slots.push(Some(task));
                }
            },
            // The index keeps the id, so that an `Add` later in the same edit can't take it up again.
            PlanEdit::Remove(id) => match index_of.get(id).and_then(|&i| slots.get_mut(i)) {
                Some(slot @ Some(_)) => {
                    *slot = None;
                    removed.push(id);
                }
                _ => return Err(unknown(id, &slots)),
            },
        }
    }
    let after: Vec<&TaskSpec> = slots.into_iter().flatten().collect();
    for id in removed {
        let by: Vec<Name> = after.iter().filter(|t| t.needs.contains(id)).map(|t| t.id.clone()).collect();
        if !by.is_empty() {
            return Err(EditError::StillNeeded { id: id.clone(), by });
        }
    }
    let mut problems = Vec::new();
    check_tasks(&after, &mut problems);
    // An edit is refused for what it brings in, never for what stood there.
    for edit in edits {
        if let PlanEdit::Add(form) | PlanEdit::Replace(form) = edit {
            check_form(0, form, was.get(&form.id).copied(), &mut problems);
        }
    }
    match problems.into_iter().find(|p| *p != Problem::NoTasks) {
        Some(problem) => Err(EditError::Unsound { problem: Box::new(problem) }),
        None => Ok(after),
    }
}

fn unknown(id: &Name, slots: &[Option<&TaskSpec>]) -> EditError {
    let nearest = nearest(id.as_str(), slots.iter().flatten().map(|t| t.id.as_str())).and_then(|n| Name::new(n).ok());
    EditError::Unknown { id: id.clone(), nearest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, needs: &[&str]) -> TaskSpec {
        let mut task = TaskSpec::new(Name::slug(id), Name::slug("researcher"), "Do it.");
        task.needs = needs.iter().map(|n| Name::slug(n)).collect();
        task
    }

    fn problems(tasks: &[TaskSpec]) -> Vec<String> {
        let mut problems = Vec::new();
        check_tasks(tasks, &mut problems);
        problems.iter().map(|p| format!("{p} | {}", p.mend())).collect()
    }

    #[test]
    fn a_circle_is_named_whole() {
        let tasks = [task("a", &["b"]), task("b", &["c"]), task("c", &["a"]), task("d", &["a"])];
        assert_eq!(
            problems(&tasks),
            [
                "these tasks wait for each other in a circle: a → b → c → a | remove one of these needs, for example b from the needs of a"
            ]
        );
    }

    #[test]
    fn circles_apart_are_both_named() {
        let tasks = [task("a", &["b"]), task("b", &["a"]), task("c", &["d"]), task("d", &["c"])];
        assert_eq!(cycles(&tasks), [Cycle(vec![0, 1]), Cycle(vec![2, 3])]);
    }

    #[test]
    fn a_long_chain_costs_no_call_stack() {
        let tasks: Vec<TaskSpec> = (0..50_000).map(|i| task(&format!("t{i}"), &[&format!("t{}", i + 1)])).collect();
        assert!(cycles(&tasks).is_empty());
    }

    #[test]
    fn every_kind_of_problem_is_found_at_once() {
        let mut blank = task("e", &["e", "a", "a", "sorces"]);
        blank.prompt = " \n".into();
        let found = problems(&[task("sources", &[]), task("a", &[]), task("a", &[]), blank]);
        assert_eq!(found.len(), 5, "{found:#?}");
        assert!(found[0].starts_with("the id a is used twice"));
        assert!(found[1].starts_with("task e has an empty prompt"));
        assert!(found[2].starts_with("task e needs itself"));
        assert!(found[3].starts_with("task e lists a twice"));
        assert!(found[4].contains("needs sorces") && found[4].contains("did you mean sources?"));
    }

    #[test]
    fn an_edit_is_whole_or_not_at_all() {
        let plan = [task("a", &[]), task("b", &["a"])];
        let add = |id: &str, needs: &[&str]| PlanEdit::Add(Box::new(task(id, needs)));
        let replace = |id: &str, needs: &[&str]| PlanEdit::Replace(Box::new(task(id, needs)));
        let remove = |id: &str| PlanEdit::Remove(Name::slug(id));
        let ids = |tasks: Vec<&TaskSpec>| tasks.iter().map(|t| t.id.to_string()).collect::<Vec<_>>().join(" ");

        assert_eq!(ids(apply_edits(plan.iter(), &[add("c", &["b"])]).unwrap()), "a b c");
        assert_eq!(ids(apply_edits(plan.iter(), &[replace("b", &[]), remove("a")]).unwrap()), "b");
        assert_eq!(ids(apply_edits(plan.iter(), &[remove("b"), remove("a")]).unwrap()), "");
        for (edits, reason) in [
            (vec![add("a", &[])], "the id a is already used"),
            (vec![remove("b"), add("b", &[])], "the id b is already used"),
            (vec![remove("x")], "there is no task x"),
            (vec![remove("b"), remove("b")], "there is no task b"),
            (vec![replace("bb", &[])], "there is no task bb in the plan; did you mean b?"),
            (vec![remove("a")], "a can't be removed: b still needs it"),
            (vec![replace("a", &["b"])], "a → b → a"),
            (vec![add("c", &["zz"])], "task c needs zz, which is not in the plan"),
        ] {
            let refused = apply_edits(plan.iter(), &edits).unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
