//! A plan as the YAML a person would write: for `baton plan GOAL`, to be edited and run.
//!
//! Invariant: `parse(write(plan)) == plan` for every sound plan.

use std::fmt::Write as _;

use super::{Backoff, OnFailure, Plan, Priority, TaskSpec};
use crate::domain::protocol::{LockMode, LockUse, Name};
use crate::domain::text::CleanText;

/// Texts longer than this stand as a block under their key.
const LINE: usize = 90;

/// The plan as YAML text with a short header; reading it gives the same plan.
pub fn write(plan: &Plan) -> String {
    let mut out = String::from(
        "# A plan for Baton. `baton check FILE` looks it over, `baton run FILE` runs it.\n\
         # Tasks run side by side; one waits only for those in its `needs`.\n",
    );
    let _ = writeln!(out, "version: {}", plan.version);
    text(&mut out, "", "goal", &plan.goal);
    if let Some(most) = plan.max_parallel {
        let _ = writeln!(out, "max_parallel: {most}  # tasks at once");
    }
    if !plan.capacity.is_empty() {
        let capacity: Vec<String> =
            plan.capacity.iter().map(|(lock, n)| format!("{}: {n}", scalar(lock.as_str()))).collect();
        let _ = writeln!(out, "capacity: {{{}}}  # tasks at once with each lock", capacity.join(", "));
    }
    if let Some(synthesis) = plan.synthesis {
        let _ = writeln!(out, "synthesis: {synthesis}");
    }
    out.push_str(if plan.tasks.is_empty() { "tasks: []\n" } else { "tasks:\n" });
    let mut phase: Option<&str> = None;
    for (i, task) in plan.tasks.iter().enumerate() {
        let (first, others) = (i == 0, task.phase.as_deref() != phase);
        if !first || others {
            out.push('\n');
        }
        phase = task.phase.as_deref();
        one(&mut out, task);
    }
    out
}

fn one(out: &mut String, task: &TaskSpec) {
    let pad = "    ";
    let _ = writeln!(out, "  - id: {}", scalar(task.id.as_str()));
    if let Some(title) = &task.title {
        text(out, pad, "title", title);
    }
    let _ = writeln!(out, "{pad}agent: {}", scalar(task.agent.as_str()));
    names(out, "needs", task.needs.iter().map(Name::as_str));
    if let Some(phase) = &task.phase {
        text(out, pad, "phase", phase);
    }
    match task.priority {
        Priority::Low => out.push_str("    priority: low\n"),
        Priority::Medium => {}
        Priority::High => out.push_str("    priority: high\n"),
        Priority::Critical => out.push_str("    priority: critical\n"),
    }
    if let Some(level) = task.level {
        let _ = writeln!(out, "{pad}level: {}", level.word());
    }
    names(out, "owns", task.owns.iter().map(String::as_str));
    list(out, "locks", task.locks.iter().map(lock));
    names(out, "produces", task.produces.iter().map(Name::as_str));
    names(out, "consumes", task.consumes.iter().map(Name::as_str));
    let budget = [("tokens", task.budget.tokens), ("turns", task.budget.turns), ("seconds", task.budget.seconds)];
    let budget: Vec<String> = budget.iter().filter_map(|(k, v)| v.map(|v| format!("{k}: {v}"))).collect();
    if !budget.is_empty() {
        let _ = writeln!(out, "{pad}budget: {{{}}}", budget.join(", "));
    }
    if let Some(retry) = task.retry {
        let backoff = match retry.backoff {
            Backoff::None => ", backoff: none",
            Backoff::Doubling => "",
        };
        let _ = writeln!(out, "{pad}retry: {{max: {}{backoff}}}", retry.max);
    }
    if task.on_dependency_failure == OnFailure::Tell {
        out.push_str("    on_dependency_failure: tell\n");
    }
    if let Some(on_cut) = task.on_cut {
        let _ = writeln!(out, "{pad}on_cut: {}", on_cut.word());
    }
    names(out, "checks", task.checks.iter().map(String::as_str));
    text(out, pad, "prompt", &task.prompt);
}

/// A lock as it is written.
fn lock(lock: &LockUse) -> String {
    let name = scalar(lock.name.as_str());
    match lock.mode {
        LockMode::Exclusive => name,
        LockMode::Shared => format!("{{name: {name}, mode: shared}}"),
    }
}

/// A list on one line, where there is anything in it.
fn names<'a>(out: &mut String, key: &str, values: impl Iterator<Item = &'a str>) {
    list(out, key, values.map(scalar));
}

fn list(out: &mut String, key: &str, values: impl Iterator<Item = String>) {
    let values: Vec<String> = values.collect();
    if !values.is_empty() {
        let _ = writeln!(out, "    {key}: [{}]", values.join(", "));
    }
}

/// `key: text`, or the text as a block under the key where it is long or has lines.
fn text(out: &mut String, pad: &str, key: &str, value: &str) {
    if value.contains('\n') && fits_literal(value) {
        let keep = if value.ends_with('\n') { "" } else { "-" };
        let _ = writeln!(out, "{pad}{key}: |{keep}");
        let body = value.strip_suffix('\n').unwrap_or(value);
        for line in body.split('\n') {
            let _ = writeln!(out, "{}", if line.is_empty() { String::new() } else { format!("{pad}  {line}") });
        }
    } else if value.chars().count() > LINE && fits_folded(value) {
        let _ = writeln!(out, "{pad}{key}: >-");
        let mut line = String::new();
        for word in value.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > LINE {
                let _ = writeln!(out, "{pad}  {line}");
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        let _ = writeln!(out, "{pad}  {line}");
    } else {
        let _ = writeln!(out, "{pad}{key}: {}", scalar(value));
    }
}

fn printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Whether a text shows all it holds. What hides or reorders is written as escapes, so that an editor loses nothing of it.
fn is_seen(value: &str) -> bool {
    value.is_ascii() || CleanText::new(value).as_str() == value
}

/// A literal block keeps a text whose lines have no odd characters and whose first line is not indented or empty,
/// and that does not end in empty lines.
fn fits_literal(value: &str) -> bool {
    value.chars().all(|c| c == '\n' || printable(c))
        && is_seen(value)
        && !value.starts_with([' ', '\n'])
        && !value.ends_with("\n\n")
        && value.lines().all(|l| l.is_empty() || !l.trim().is_empty())
}

/// A folded block keeps a text of words with single spaces.
fn fits_folded(value: &str) -> bool {
    value.chars().all(printable)
        && is_seen(value)
        && !value.contains("  ")
        && value.trim() == value
        && value.contains(' ')
}

/// A text on one line: plain where YAML reads it back as the same text, else in double quotes.
fn scalar(value: &str) -> String {
    let first = value.chars().next();
    let plain = first.is_some_and(|c| c.is_alphabetic())
        && value.trim() == value
        && value.chars().all(|c| printable(c) && !"[]{},#&*!|>'\"%@`".contains(c))
        && !value.contains(": ")
        && !value.ends_with(':')
        && is_seen(value)
        && !matches!(
            value.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "nan" | "inf"
        );
    if plain {
        return value.to_owned();
    }
    let seen = is_seen(value);
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if printable(c) && (c.is_ascii() || seen) => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::fleet::OnCut;
    use crate::domain::plan::{Budget, Retry, built_in, parse};
    use crate::domain::protocol::Level;

    fn names() -> impl Strategy<Value = Vec<Name>> {
        proptest::collection::vec("[A-Za-z0-9._-]{1,6}".prop_map(|n| Name::new(&n).unwrap()), 0..3)
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>().prop_filter("not blank", |s| !s.trim().is_empty()),
            "[ -~\n]{1,300}".prop_filter("not blank", |s| !s.trim().is_empty()),
            "([a-z,.']{1,9} ){10,40}[a-z]",
            proptest::sample::select(vec![
                "true",
                "12",
                "1.5",
                "a: b",
                "- x",
                "a #b",
                "~",
                "no",
                "x:",
                "|",
                "\u{feff}a",
                "a\n\n",
                "a\n\nb\n"
            ])
            .prop_map(str::to_owned),
        ]
    }

    fn paths() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["src/**", "!src/api/**", "docs/", "a b/*.md", "#odd/x", "[ab]/c: d"])
            .prop_map(str::to_owned)
    }

    fn task() -> impl Strategy<Value = TaskSpec> {
        let first = (proptest::option::of(texts()), texts(), names(), proptest::option::of(texts()));
        let second =
            (any::<bool>(), proptest::option::of(0u32..9), any::<bool>(), proptest::collection::vec(paths(), 0..3));
        (first, second).prop_map(|((title, prompt, locks, phase), (a, n, b, owns))| TaskSpec {
            title,
            phase,
            locks: locks
                .into_iter()
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .map(|name| LockUse { name, mode: if a { LockMode::Shared } else { LockMode::Exclusive } })
                .collect(),
            priority: if a { Priority::Critical } else { Priority::Medium },
            level: b.then_some(Level::High),
            budget: Budget { tokens: n, turns: None, seconds: n },
            retry: n.map(|max| Retry { max, backoff: if a { Backoff::None } else { Backoff::Doubling } }),
            on_dependency_failure: if b { OnFailure::Tell } else { OnFailure::Stop },
            on_cut: n.map(|n| if n > 4 { OnCut::RetryLarger } else { OnCut::Ask }),
            owns,
            ..TaskSpec::new(Name::slug("x"), Name::slug("coder"), prompt)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_reads_back(goal in texts(), most in proptest::option::of(1u32..9), mut tasks in proptest::collection::vec(task(), 1..4)) {
            for i in 0..tasks.len() {
                tasks[i].id = Name::slug(&format!("{}{i}", if i == 1 { "" } else { "t" }));
                if i > 0 {
                    tasks[i].needs = vec![tasks[i - 1].id.clone()];
                }
            }
            let capacity = most.map(|n| (Name::slug("gpu"), n)).into_iter().collect();
            let plan = Plan { version: 2, goal, max_parallel: most, capacity, synthesis: most.map(|n| n > 4), tasks };
            let written = write(&plan);
            let read = parse(&written, "p");
            prop_assert_eq!(read.as_ref(), Ok(&plan), "{}", written);
            prop_assert!(crate::domain::plan::read_plan(&written, "p", None).warnings.is_empty(), "{}", written);
            // An editor shows clean text; that is the same plan.
            let clean = CleanText::new(&written);
            prop_assert_eq!(clean.as_str(), written.as_str());
        }
    }

    #[test]
    fn it_looks_as_a_person_would_write_it() {
        let written = write(&built_in("Why is the sky blue?", &[]));
        let expected = [
            "goal: Why is the sky blue?\ntasks:\n  - id: research\n    title: Collect the facts\n    agent: researcher\n    prompt: |-\n      The question is:",
            "\n\n  - id: analyse\n    title: Weigh them\n    agent: analyst\n    needs: [research]\n",
        ];
        for part in expected {
            assert!(written.contains(part), "{part}\nnot in\n{written}");
        }
    }
}
