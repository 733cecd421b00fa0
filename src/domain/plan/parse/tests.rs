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
fn a_plan_in_the_making_is_not_taken_for_another_programs_file() {
    let text = "zzz# A plan\nversion: 1\ngoal: g\ntasks:\n  - id: a\n    agent: researcher\n    prompt: p\n";
    let errors = parse_for(text, "plan.yaml", &agents()).unwrap_err();
    let said = errors.iter().map(ToString::to_string).collect::<String>();
    assert!(said.contains("not YAML"), "{said}");
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
            "version: 3\ngoal: g\ntasks: [{id: a, agent: coder, prompt: p}]",
            &["1:10 this plan has version 3", "version: 2"],
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
            "what a later version does",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, checks: [cargo test]}\n",
            &["4:44 the `checks` of a are from a later version", "leave `checks` out"],
        ),
        (
            "an artifact of a later version",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, produces: [api]}\n",
            &["4:46 the `produces` of a are from a later version", "leave `produces` out"],
        ),
        (
            "prose for a path",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, owns: [Unused files]}\n",
            &["4:42 “Unused files” is no path in the `owns` of a", "`src/api/**`"],
        ),
        (
            "a path of two",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, owns: [src/]}\n- {id: b, agent: coder, prompt: p, owns: [src/x]}\n",
            &["5:42 a and b could run at once, and both own src/x", "let one need the other"],
        ),
        (
            "a lock in a mode",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, locks: [{name: db, mode: shared}]}\n",
            &["1:10 a lock in a mode is of version 2", "version: 2"],
        ),
        (
            "a lock for nobody",
            "version: 2\ngoal: g\ncapacity: {gpu: 0}\ntasks:\n- {id: a, agent: coder, prompt: p}\n",
            &["3:11 the capacity of gpu is 0", "at least 1"],
        ),
        (
            "a missing field",
            "version: 1\ngoal: g\ntasks:\n- id: a\n  prompt: p\n",
            &["4:3 a task has no `agent`", "add `agent: …`"],
        ),
        (
            "a wrong type",
            "version: 1\ngoal: g\ntasks:\n- {id: a, agent: coder, prompt: p, needs: true}\n",
            &["4:43 `needs` is `true`, and a list, as in [a, b] is expected"],
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

/// The needs of each task of a plan with three tasks, the last with these fields.
fn needs(fields: &str) -> Vec<String> {
    let source = format!(
        "{HEAD}- {{id: a, agent: coder, prompt: p}}\n- {{id: b, agent: coder, prompt: p}}\n- {{id: c, agent: coder, prompt: p, {fields}}}\n"
    );
    let plan = parse_for(&source, "p", &agents()).unwrap_or_else(|errors| panic!("{fields}: {errors:?}"));
    plan.tasks[2].needs.iter().map(ToString::to_string).collect()
}

#[test]
fn needs_are_taken_as_people_write_them() {
    for fields in [
        "needs: [a, b]",
        "needs: \"a, b\"",
        "depends_on: [a, b]",
        "dependsOn: [a, b]",
        "dependencies: [a, b]",
        "after: [a, b]",
        "depends_on: {a: {condition: done}, b: {condition: done}}",
        "needs: [{job: a}, {id: b}]",
        "needs: a, depends_on: b",
    ] {
        assert_eq!(needs(fields), ["a", "b"], "{fields}");
    }
    assert_eq!(needs("needs: a"), ["a"]);
    assert_eq!(needs("needs:"), [""; 0]);
    // A word that is no task is told where it stands.
    let said = errors(&format!("{HEAD}- {{id: a, agent: coder, prompt: p, depends_on: zebra}}\n"));
    assert_eq!(
        said,
        ["4:48 task a needs zebra, which is not in the plan | add a task with the id zebra, or remove the need"]
    );
}

#[test]
fn what_is_merged_is_a_part_of_each_task() {
    let source = "version: 1\ngoal: g\nx-reading: &r\n  agent: researcher\n  prompt: Read it.\n  phase: One\ntasks:\n\
        - {<<: *r, id: a}\n- <<: *r\n  id: b\n  phase: Two\n  needs: a\n";
    let plan = parse_for(source, "p", &agents()).unwrap();
    let shown = |i: usize| (plan.tasks[i].prompt.clone(), plan.tasks[i].phase.clone().unwrap_or_default());
    assert_eq!((shown(0), shown(1)), (("Read it.".into(), "One".into()), ("Read it.".into(), "Two".into())));
}

/// `line:column what` for each warning.
fn warnings(source: &str) -> Vec<String> {
    let reading = read_plan(source, "p", Some(&agents()));
    assert!(reading.plan.is_ok(), "{:?}", reading.plan);
    reading.warnings.iter().map(|w| format!("{}:{} {}", w.line, w.column, w.what)).collect()
}

#[test]
fn a_text_that_yaml_cuts_is_a_warning_with_its_place() {
    let said = warnings(
        "version: 1 # of the format\ngoal: Mend #7\ntasks:\n- id: a # the first\n  agent: coder # who\n  title: #8\n  \
         prompt: Mend issue #42 and add a test\n  locks: [db] # all\n- id: b\n  agent: coder\n  needs: [a] # after\n  \
         prompt: !important fix it\n  title: &D is wrong\n  phase: Build #2\n",
    );
    assert_eq!(
        said,
        [
            "2:12 `goal` is read as “Mend”: “#7” is a comment in YAML",
            "6:10 `title` is read as nothing: “#8” is a comment in YAML",
            "7:22 `prompt` is read as “Mend issue”: “#42 and add a test” is a comment in YAML",
            "12:11 `prompt` is read as “fix it”: “!important” is a tag in YAML, and means nothing here",
            "13:10 `title` is read as “is wrong”: “&D” is a name in YAML, and nothing refers to it",
            "14:16 `phase` is read as “Build”: “#2” is a comment in YAML",
        ]
    );
    let fine = "version: 1\ngoal: \"Mend #7\" # so\ntasks:\n# so\n- id: a\n  agent: coder\n  prompt: | # so\n    Mend #42\n  title: C#\n  phase: &p Build\n- {id: b, agent: coder, prompt: 'a #b', phase: *p}\n";
    assert_eq!(warnings(fine), [""; 0]);
    let reading = read_plan("version: 1\ngoal: Mend #7\n", "p", None);
    assert!(reading.plan.is_err() && reading.warnings.len() == 1, "{reading:?}");
}

#[test]
fn thousands_of_mistakes_cost_no_more_than_their_number_and_are_counted() {
    // As many unknown needs in one task; one in each of many tasks; a text cut in each; circles in a chain.
    let many = 5_000;
    let list = (0..many).map(|i| format!("n{i}")).collect::<Vec<_>>().join(", ");
    let each = |fields: fn(usize) -> String| {
        let tasks: String = (0..many).map(|i| format!("- {{id: t{i}, {}}}\n", fields(i))).collect();
        format!("{HEAD}{tasks}")
    };
    let begun = std::time::Instant::now();
    for source in [
        format!("{HEAD}- {{id: a, agent: coder, prompt: p, needs: [{list}]}}\n"),
        each(|i| format!("agent: coder, prompt: p, needs: [missing{i}]")),
        each(|i| format!("agent: wizard{i}, prompt: p")),
        each(|_| "agent: coder, promt: p".to_owned()),
        each(|i| format!("agent: coder, prompt: p, needs: [t{}, t0]", i + 1)),
    ] {
        let errors = parse_for(&source, "p", &agents()).unwrap_err();
        assert!(errors.len() <= 51, "{}", errors.len());
        let last = errors.last().unwrap();
        assert!(errors.len() < 51 || (last.what.starts_with("and ") && last.what.contains(",")), "{last}");
    }
    // A debug build: the quadratic one took minutes.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    let texts: String = (0..many).map(|i| format!("- id: t{i}\n  agent: coder\n  prompt: Mend #{i}\n")).collect();
    let reading = read_plan(&format!("{HEAD}{texts}"), "p", Some(&agents()));
    assert_eq!(reading.warnings.last().unwrap().what, "and 4,950 more");
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
