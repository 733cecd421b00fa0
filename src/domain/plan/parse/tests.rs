//! Broken plans and what is said about them.

use proptest::prelude::*;

use super::super::decompose::tests::agent;
use super::*;

fn agents() -> Vec<Agent> {
    ["researcher", "reasoner", "coder"].map(agent).to_vec()
}

/// `line:column what | mend` for each error.
fn errors(source: &str) -> Vec<String> {
    let errors = parse_for(source, "plan.yaml", &agents()).unwrap_err();
    errors.iter().map(|e| format!("{}:{} {} | {}", e.line, e.column, e.what, e.mend)).collect()
}

const HEAD: &str = "version: 1\ngoal: g\ntasks:\n";

#[test]
fn the_smallest_plan_is_read_as_yaml_and_as_json() {
    let yaml = "version: 1\ngoal: Compare two parsers\ntasks:\n  - {id: sources, agent: researcher, prompt: Find what was written on both.}\n  - {id: answer, agent: reasoner, needs: [sources], level: high, prompt: \"Which one, and why?\"}\n";
    let plan = parse_for(yaml, "p", &agents()).unwrap();
    assert_eq!(plan.tasks[1].needs, [Name::slug("sources")]);
    let json = serde_json::to_string_pretty(&plan).unwrap();
    assert_eq!(parse(&json, "p").unwrap(), plan);
    // Defaults, and numbers where texts are wanted.
    let plan = parse(
        "version: 1\ngoal: 42\ntasks: [{id: 1, agent: a, prompt: 7}, {id: 2, agent: a, prompt: x, needs: [1]}]",
        "p",
    )
    .unwrap();
    assert_eq!((plan.goal.as_str(), plan.tasks[0].prompt.as_str()), ("42", "7"));
}

#[test]
fn a_plan_is_measured_once_its_aliases_are_written_out() {
    let begin = format!("{HEAD}  - {{id: a, agent: coder, prompt: &p {}}}\n", "x ".repeat(100_000));
    let more = |n: usize| (0..n).map(|i| format!("  - {{id: b{i}, agent: coder, prompt: *p}}\n")).collect::<String>();
    assert!(parse_for(&format!("{begin}{}", more(10)), "plan.yaml", &agents()).is_ok());
    let errors = errors(&format!("{begin}{}", more(60)));
    assert!(errors[0].contains("once its aliases are written out") && errors.len() == 1, "{}", &errors[0][..200]);
}

#[test]
fn every_kind_of_broken_plan_is_named_with_place_and_mend() {
    let table: &[(&str, &str, &[&str])] = &[
        ("an empty file", "", &["1:1 the file is empty", "baton plan"]),
        (
            "no task at once",
            "version: 1\ngoal: g\nmax_parallel: 0\ntasks: [{id: a, agent: coder, prompt: x}]",
            &["3:15 `max_parallel` is 0", "at least 1"],
        ),
        (
            "an id of Baton's own",
            "version: 1\ngoal: g\ntasks:\n  - {id: .plan, agent: coder, prompt: x}\n",
            &["4:10 the id .plan begins with a dot", "a letter"],
        ),
        ("no map", "- a\n", &["1:1 a plan is a group of named values, and this is a list"]),
        ("syntax", "version: 1\ngoal: [a\n", &["this is not YAML"]),
        ("a tab", "version: 1\ngoal: g\ntasks:\n\t- id: a\n", &["4:2 this is not YAML", "tab"]),
        (
            "a version of the future",
            "version: 2\ngoal: g\ntasks: [{id: a, agent: coder, prompt: p}]",
            &["1:10 this plan has version 2", "version: 1"],
        ),
        (
            "a version in words",
            "version: one\ngoal: g\ntasks: [{id: a, agent: coder, prompt: p}]",
            &["1:10 `version` is text, and a whole number from 0 is expected"],
        ),
        (
            "no version",
            "goal: g\ntasks: [{id: a, agent: coder, prompt: p}]",
            &["1:1 the plan has no `version`", "add `version: …`"],
        ),
        ("no goal", "version: 1\ntasks: [{id: a, agent: coder, prompt: p}]", &["1:1 the plan has no `goal`"]),
        ("no tasks", "version: 1\ngoal: g\n", &["1:1 the plan has no `tasks`"]),
        ("empty tasks", "version: 1\ngoal: g\ntasks: []\n", &["3:8 the plan has no tasks", "add a task"]),
        (
            "tasks that are text",
            "version: 1\ngoal: g\ntasks: all\n",
            &["3:8 `tasks` is text, and a list of tasks is expected"],
        ),
        (
            "an unknown field of the plan",
            "version: 1\ngoal: g\ntaks: []\n",
            &["3:1 `taks` is no field of the plan", "did you mean `tasks`?"],
        ),
        (
            "an unknown field of a task",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, promt: p}\n",
            &["4:25 `promt` is no field of a task", "did you mean `prompt`?"],
        ),
        (
            "an unknown field deeper",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, budget: {token: 3}}\n",
            &["4:45 `token` is no field of `budget`", "did you mean `tokens`?"],
        ),
        (
            "a missing field",
            "version: 1\ngoal: g\ntasks:\n- id: a\n  prompt: p\n",
            &["4:3 a task has no `agent`", "add `agent: …`"],
        ),
        (
            "a wrong type",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, needs: b}\n",
            &["4:43 `needs` is text, and a list, as in [a, b] is expected"],
        ),
        (
            "a wrong word",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, level: hihg}\n",
            &["4:43 `level` can't be `hihg`", "did you mean high?", "low, medium, high"],
        ),
        ("a key twice", "version: 1\ngoal: g\ngoal: h\n", &["3:1 `goal` is given twice; first on line 2"]),
        (
            "a bad id",
            "version: 1\ngoal: g\ntasks:\n- {id: My task!, agent: coder, prompt: p}\n",
            &["4:8 `id`: the character ' ' at position 3 is not allowed", "as in my-task"],
        ),
        (
            "a duplicate id",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p}\n- {id: a, agent: coder, prompt: p}\n",
            &["5:8 the id a is used twice; first on line 4", "a-2"],
        ),
        (
            "an unknown agent",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: reseacher, prompt: p}\n",
            &["4:18 task a is for the agent reseacher", "did you mean researcher?", "coder"],
        ),
        (
            "a missing need",
            "version: 1\ngoal: g\ntasks:\n- {id: sources, agent: coder, prompt: p}\n- {id: b, agent: coder, prompt: p, needs: [sorces]}\n",
            &["5:44 task b needs sorces, which is not in the plan", "did you mean sources?"],
        ),
        (
            "a task that needs itself",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, needs: [a]}\n",
            &["4:44 task a needs itself"],
        ),
        (
            "a need twice",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p}\n- {id: b, agent: coder, prompt: p, needs: [a, a]}\n",
            &["5:47 task b lists a twice"],
        ),
        (
            "a circle",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, needs: [b]}\n- {id: b, agent: coder, prompt: p, needs: [c]}\n- {id: c, agent: coder, prompt: p, needs: [a]}\n",
            &["4:44 these tasks wait for each other in a circle: a → b → c → a (also line 5, 6)"],
        ),
        (
            "an empty prompt",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: \" \"}\n",
            &["4:33 task a has an empty prompt"],
        ),
        (
            "two documents",
            "version: 1\ngoal: g\ntasks: [{id: a, agent: coder, prompt: p}]\n---\nmore\n",
            &["5:1 a second document starts here"],
        ),
        ("an alias to nothing", "version: 1\ngoal: *x\ntasks: []\n", &["2:7 this is not YAML", "begins with `*`"]),
    ];
    for (case, source, parts) in table {
        let said = errors(source).join("\n");
        for part in *parts {
            assert!(said.contains(part), "{case}: {part:?} not in\n{said}");
        }
    }
}

#[test]
fn all_errors_are_told_at_once_and_none_is_a_consequence() {
    let source = format!(
        "{HEAD}- {{id: a, agent: wizard, promt: p, need: [b], level: 3}}\n- {{id: b!, agent: coder, prompt: p, needs: [a]}}\n- {{id: c, agent: coder, prompt: p, needs: [b!, d]}}\n"
    );
    let said = errors(&source);
    let starts = [
        "4:18 task a is for the agent wizard",
        "4:26 `promt` is no",
        "4:36 `need` is no",
        "4:54 `level`",
        "5:8 `id`: the character '!'",
        "6:44 `needs`: the character '!'",
        "6:48 task c needs d",
    ];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    for (said, start) in said.iter().zip(starts) {
        assert!(said.starts_with(start), "{said}\nnot\n{start}");
    }
}

#[test]
fn an_error_shows_its_line() {
    let error = parse("version: 1\ngoal: g\ntaks: []\n", "plans/a.yaml").unwrap_err().remove(0);
    assert_eq!(
        error.to_string(),
        "plans/a.yaml:3:1: `taks` is no field of the plan\n  3 | taks: []\n    | ^\n  mend: did you mean `tasks`?"
    );
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let error = parse(&"#".repeat(MAX_PLAN_BYTES + 1), "p").unwrap_err().remove(0);
    assert!(error.what.contains("at most"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_plan_or_has_errors_with_places(tail in "[-a-z:{}\\[\\], \n\"'&*|>#!%\t0-9]{0,200}") {
        for source in [format!("{HEAD}{tail}"), tail] {
            if let Err(errors) = parse(&source, "p") {
                prop_assert!(!errors.is_empty());
                prop_assert!(errors.iter().all(|e| e.line > 0 && e.column > 0 && !e.mend.is_empty()));
            }
        }
    }
}
