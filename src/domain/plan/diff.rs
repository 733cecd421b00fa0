//! What differs between two forms of a task, in words, and whether that matters to its result.

use super::{OnFailure, TaskSpec};
use crate::domain::fleet::OnCut;
use crate::domain::protocol::Name;

/// Whether a difference changes what a task's result would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A result of the old form is out of date.
    Matters,
    /// How it is shown, ordered or tried again: a result stays good.
    Light,
}

/// One difference between two forms of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormChange {
    /// What differs, in a few words.
    pub words: String,
    /// Whether it matters to the result.
    pub weight: Weight,
}

/// The differences between two forms of a task, in the order of the file; empty when they are the same.
pub fn form_changes(old: &TaskSpec, new: &TaskSpec) -> Vec<FormChange> {
    let mut found = Vec::new();
    let mut add = |weight, words: String| found.push(FormChange { words, weight });
    if old.title != new.title {
        add(Weight::Light, "title".into());
    }
    if old.prompt != new.prompt {
        add(Weight::Matters, "prompt".into());
    }
    if old.agent != new.agent {
        add(Weight::Matters, format!("agent {} → {}", old.agent, new.agent));
    }
    if old.needs != new.needs {
        let words = names("needs", &old.needs, &new.needs);
        let same = same_names(&old.needs, &new.needs);
        add(if same { Weight::Light } else { Weight::Matters }, words);
    }
    if old.phase != new.phase {
        let phase = |p: &Option<String>| p.clone().unwrap_or_else(|| "none".into());
        add(Weight::Light, format!("phase {} → {}", phase(&old.phase), phase(&new.phase)));
    }
    if old.priority != new.priority {
        add(Weight::Light, format!("priority {:?} → {:?}", old.priority, new.priority).to_lowercase());
    }
    if old.level != new.level {
        let level = |l: Option<crate::domain::protocol::Level>| l.map_or("as inherited", |l| l.word());
        add(Weight::Matters, format!("level {} → {}", level(old.level), level(new.level)));
    }
    if old.owns != new.owns {
        add(Weight::Light, "owned paths".into());
    }
    if old.locks != new.locks {
        let locks = |spec: &TaskSpec| spec.locks.iter().map(|l| l.name.clone()).collect::<Vec<_>>();
        add(Weight::Light, names("locks", &locks(old), &locks(new)));
    }
    if old.produces != new.produces {
        add(Weight::Matters, names("produces", &old.produces, &new.produces));
    }
    if old.consumes != new.consumes {
        add(Weight::Matters, names("consumes", &old.consumes, &new.consumes));
    }
    if old.budget != new.budget {
        add(Weight::Light, "budget".into());
    }
    if old.retry != new.retry {
        add(Weight::Light, "retries".into());
    }
    if old.on_dependency_failure != new.on_dependency_failure {
        let words = match new.on_dependency_failure {
            OnFailure::Stop => "stops when a need fails",
            OnFailure::Tell => "is told when a need fails",
        };
        add(Weight::Light, words.into());
    }
    if old.on_cut != new.on_cut {
        let words = new.on_cut.map_or("as the session has it", OnCut::word);
        add(Weight::Light, format!("when its answer is cut: {words}"));
    }
    if old.checks != new.checks {
        add(Weight::Light, "checks".into());
    }
    found
}

/// Whether two forms ask for the same work of the same agent: all that matters to a result but its needs. What it has for
/// itself, its limits and its checks make a finished result no other work.
pub fn same_work(old: &TaskSpec, new: &TaskSpec) -> bool {
    old.prompt == new.prompt
        && old.agent == new.agent
        && old.level == new.level
        && old.produces == new.produces
        && old.consumes == new.consumes
}

fn same_names(old: &[Name], new: &[Name]) -> bool {
    old.len() == new.len() && old.iter().all(|n| new.contains(n))
}

/// `needs +lit −sources`, or that the order changed.
fn names(field: &str, old: &[Name], new: &[Name]) -> String {
    let mut words = field.to_owned();
    for name in new.iter().filter(|n| !old.contains(n)) {
        words.push_str(&format!(" +{name}"));
    }
    for name in old.iter().filter(|n| !new.contains(n)) {
        words.push_str(&format!(" −{name}"));
    }
    if words.len() == field.len() {
        words.push_str(" in another order");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::{Priority, Retry};
    use crate::domain::protocol::{Level, LockUse};

    fn task() -> TaskSpec {
        let mut task = TaskSpec::new(Name::slug("answer"), Name::slug("reasoner"), "Which one?");
        task.needs = vec![Name::slug("sources"), Name::slug("lit")];
        task
    }

    #[test]
    fn differences_are_named_and_weighed() {
        type Change = fn(&mut TaskSpec);
        let table: [(Change, &str, Weight); 13] = [
            (|t| t.on_cut = Some(OnCut::Keep), "when its answer is cut: keep", Weight::Light),
            (|t| t.title = Some("Other".into()), "title", Weight::Light),
            (|t| t.prompt.push('?'), "prompt", Weight::Matters),
            (|t| t.agent = Name::slug("coder"), "agent reasoner → coder", Weight::Matters),
            (|t| t.needs = vec![Name::slug("lit"), Name::slug("web")], "needs +web −sources", Weight::Matters),
            (|t| t.needs.reverse(), "needs in another order", Weight::Light),
            (|t| t.phase = Some("Build".into()), "phase none → Build", Weight::Light),
            (|t| t.priority = Priority::High, "priority medium → high", Weight::Light),
            (|t| t.level = Some(Level::High), "level as inherited → high", Weight::Matters),
            (|t| t.budget.tokens = Some(9), "budget", Weight::Light),
            (|t| t.owns = vec!["src/**".into()], "owned paths", Weight::Light),
            (|t| t.locks = vec![LockUse::exclusive("db".parse().unwrap())], "locks +db", Weight::Light),
            (|t| t.retry = Some(Retry { max: 9, backoff: Default::default() }), "retries", Weight::Light),
        ];
        for (change, words, weight) in table {
            let mut new = task();
            change(&mut new);
            assert_eq!(form_changes(&task(), &new), [FormChange { words: words.into(), weight }]);
            let needs = words.starts_with("needs");
            assert_eq!(same_work(&task(), &new), weight == Weight::Light || needs, "{words}");
        }
        assert!(form_changes(&task(), &task()).is_empty());
    }
}
