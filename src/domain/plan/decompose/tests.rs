//! Answers as models give them, and the plans they become.

use proptest::prelude::*;

use super::*;
use crate::domain::protocol::Name;

pub(in crate::domain::plan) fn agent(name: &str) -> Agent {
    Agent {
        name: Name::slug(name),
        description: format!("{name} work"),
        tier: Name::slug("t"),
        fallback: None,
        max_tokens: 2048,
        temperature: 0.3,
        level: None,
        tools: Vec::new(),
        prompt: "You work.".into(),
    }
}

fn agents() -> Vec<Agent> {
    ["researcher", "reasoner", "coder", "analyst", "cad_designer", "fabricator", "summarizer"].map(agent).to_vec()
}

/// The plan in short: `id@agent<need+need`, and the repairs.
fn read(answer: &str) -> (String, String) {
    read_most(answer, 6)
}

fn read_most(answer: &str, most: u32) -> (String, String) {
    let made = read_answer(answer, "Compare two parsers", &agents(), most);
    assert_eq!(validate(&made.plan, &agents()), []);
    assert!(made.plan.tasks.len() <= most as usize);
    let tasks: Vec<String> = made
        .plan
        .tasks
        .iter()
        .map(|t| {
            let needs: Vec<&str> = t.needs.iter().map(Name::as_str).collect();
            let arrow = if needs.is_empty() { "" } else { "<" };
            format!("{}@{}{arrow}{}", t.id, t.agent, needs.join("+"))
        })
        .collect();
    let mut repairs = made.repairs.join("\n");
    if made.origin == Origin::BuiltIn {
        repairs.insert_str(0, "BUILT IN: ");
    }
    (tasks.join(" "), repairs)
}

const STRICT: &str = r#"{"tasks": [
  {"id": "a", "title": "A", "prompt": "Find A.", "agent": "researcher", "needs": []},
  {"id": "b", "title": "B", "prompt": "Write B.", "agent": "coder", "needs": ["a"]}
]}"#;

#[test]
fn a_right_answer_is_taken_as_it_is() {
    assert_eq!(read(STRICT), ("a@researcher b@coder<a".into(), String::new()));
}

#[test]
fn words_and_fences_around_it_are_left_out() {
    for answer in [
        format!("Sure! Here is the plan [as asked]:\n\n```json\n{STRICT}\n```\nGood luck!"),
        format!("Here you go: {STRICT}\nThis runs in parallel."),
        format!("<think>Maybe {{\"tasks\": [1]}}?</think>\n\nThe plan:\n{STRICT}"),
    ] {
        let (plan, _) = read(&answer);
        assert_eq!(plan, "a@researcher b@coder<a", "{answer}");
    }
    let (_, repairs) = read(&format!("Here you go: {STRICT}"));
    assert_eq!(repairs, "the answer had other words around the plan; they were left out");
}

#[test]
fn careless_json_and_other_names_are_understood() {
    let (plan, repairs) = read(
        "{steps: [ // the steps\n {'step': 1, 'name': 'Find sources', 'description': 'Find them.', 'role': 'Researcher', 'depends_on': null,},\n \
         {'step': 2, 'name': 'Write code', 'description': 'Write it.', 'assignee': 'codre', 'dependencies': [1]},\n \
         {'step': 3, 'name': 'Judge', 'instructions': 'Judge both.', 'agent': 'reasoner', 'deps': 'step 1, Write code'},\n]}",
    );
    assert_eq!(plan, "find-sources@researcher write-code@coder<find-sources judge@reasoner<find-sources+write-code");
    assert!(repairs.contains("not strict JSON"), "{repairs}");
    assert!(
        repairs.contains("task write-code named the agent “codre”, which does not exist; coder does it"),
        "{repairs}"
    );
}

#[test]
fn half_json_keeps_its_whole_tasks() {
    let half = r#"{"tasks": [{"id": "a", "title": "A", "prompt": "Find A.", "agent": "researcher", "needs": []},
        {"id": "b", "title": "B", "prompt": "Find B.", "agent": "researcher", "needs": ["a"]},
        {"id": "c", "title": "C", "prompt": "Then wri"#;
    let (plan, repairs) = read(half);
    assert_eq!(plan, "a@researcher b@researcher<a");
    assert_eq!(repairs, "the answer stops in the middle; of its plan 2 whole tasks could be kept");
}

#[test]
fn tasks_by_id_and_wrappers_are_found() {
    let (plan, _) = read(
        r#"{"result": {"plan": {"tasks": {"x": {"prompt": "Do x.", "agent": "coder"}, "y": {"prompt": "Do y.", "agent": "analyst", "needs": {"x": true}}}}}}"#,
    );
    assert_eq!(plan, "x@coder y@analyst<x");
    let (plan, _) =
        read(r#"[{"task": "Do x.", "agent": "coder"}, {"task": "Do y.", "agent": "analyst", "after": "task 1"}]"#);
    assert_eq!(plan, "do-x@coder do-y@analyst<do-x");
    let (plan, _) = read(
        r#"{"phases": [{"name": "One", "tasks": [{"id": "a", "prompt": "Do a.", "agent": "coder"}]}, {"name": "Two", "tasks": [{"id": "b", "prompt": "Do b.", "agent": "coder", "needs": ["a"]}]}]}"#,
    );
    assert_eq!(plan, "a@coder b@coder<a");
}

#[test]
fn yaml_is_read() {
    let (plan, repairs) = read(
        "Here:\n```yaml\nversion: 1\ntasks:\n  - id: a\n    agent: coder\n    prompt: Do a.\n  - {id: b, agent: analyst, needs: [a], prompt: Do b.}\n```\n",
    );
    assert_eq!(plan, "a@coder b@analyst<a");
    assert!(repairs.contains("YAML"));
    // Half YAML: the last lines are no YAML.
    let (plan, _) = read("tasks:\n- id: a\n  agent: coder\n  prompt: Do a.\n- id: b\n  agent: coder\n  prompt: \"Do");
    assert!(plan.starts_with("a@coder"), "{plan}");
}

#[test]
fn unknown_agents_ids_and_needs_are_mended_and_said() {
    let (plan, repairs) = read(
        r#"{"tasks": [{"prompt": "Cast it.", "agent": "wizard", "needs": ["nobody"]}, {"id": "a", "prompt": "x y z", "agent": "coder", "needs": ["a"]}, {"id": "a", "prompt": "again", "needs": []}, {"id": "e", "prompt": ""}, {"id": "t", "title": "Only a title", "agent": "coder"}]}"#,
    );
    assert_eq!(plan, "cast-it@researcher a@coder a-2@researcher t@coder");
    for said in [
        "task 1 had no id; it is called cast-it",
        "task cast-it named the agent “wizard”, which does not exist; researcher does it",
        "task cast-it needed “nobody”, which is no task; that need was dropped",
        "task a needed itself; that need was dropped",
        "the id “a” came twice; the second is called a-2",
        "task a-2 named no agent; researcher does it",
        "task 4 said nothing to do; it was left out",
        "task 5 had no prompt; its title was taken",
    ] {
        assert!(repairs.contains(said), "{said}\nnot in\n{repairs}");
    }
}

#[test]
fn a_circle_is_cut_where_it_points_forward() {
    let (plan, repairs) = read(
        r#"{"tasks": [{"id": "a", "prompt": "aaa", "agent": "coder", "needs": ["c"]}, {"id": "b", "prompt": "bbb", "agent": "coder", "needs": ["a"]}, {"id": "c", "prompt": "ccc", "agent": "coder", "needs": ["b"]}]}"#,
    );
    assert_eq!(plan, "a@coder b@coder<a c@coder<b");
    assert_eq!(repairs, "c → b → a → c waited for each other; a no longer needs c");
}

#[test]
fn of_forty_tasks_the_first_in_order_stay() {
    let mut tasks: Vec<String> = (1..=40)
        .map(|i| {
            format!(r#"{{"id": "n{i}", "prompt": "Do part {i}.", "agent": "coder", "needs": ["n{}"]}}"#, i % 40 + 1)
        })
        .collect();
    tasks.push(r#"{"id": "free", "prompt": "Do it alone.", "agent": "coder", "needs": []}"#.into());
    let (plan, repairs) = read(&format!(r#"{{"tasks": [{}]}}"#, tasks.join(",")));
    assert_eq!(plan.split(' ').count(), 6, "{plan}");
    assert!(plan.contains("free@coder"), "{plan}");
    assert!(repairs.contains("the model made 41 tasks, and the limit is 6"), "{repairs}");
}

#[test]
fn a_written_list_becomes_tasks() {
    let (plan, repairs) = read(
        "I would do this:\n\n1. **Find sources** (researcher): search for both.\n   - look at papers\n2. **Write a benchmark**: with the coder agent, after step 1.\n3. Weigh them (agent: reasoner). Depends on 1 and 2.\n\nThat is all.",
    );
    assert_eq!(
        plan,
        "find-sources-researcher@researcher write-a-benchmark@coder<find-sources-researcher weigh-them-agent@reasoner<find-sources-researcher+write-a-benchmark"
    );
    assert!(repairs.contains("written list"), "{repairs}");
    let (plan, repairs) = read("### Step 1: Look at A\nfoo\n### Step 2: Look at B\nbar\n### Step 3: Summarize both\n");
    assert_eq!(plan, "look-at-a@researcher look-at-b@researcher summarize-both@researcher<look-at-a+look-at-b");
    assert!(repairs.contains("the last waits for all others"));
    let (plan, _) = read("- Look at A\n- Look at B\n");
    assert_eq!(plan, "look-at-a@researcher look-at-b@researcher");
}

#[test]
fn an_answer_without_a_plan_gives_the_built_in_one() {
    for answer in ["", "I'm sorry, I can't do that.", "{}", "{\"tasks\": []}", "[1, 2, 3]", "null", "```\n```"] {
        let (plan, repairs) = read(answer);
        assert_eq!(plan, "research@researcher analyse@analyst<research synthesise@reasoner<analyse", "{answer}");
        assert!(repairs.starts_with("BUILT IN: the model's answer"), "{repairs}");
    }
}

#[test]
fn a_plan_within_a_text_is_taken_out() {
    let strict = serde_json::to_string(STRICT).unwrap();
    for answer in [
        strict.clone(),
        format!("```json\n{strict}\n```"),
        format!(r#"{{"plan": {strict}}}"#),
        format!(r#"{{"name": "make_plan", "arguments": {strict}}}"#),
        format!(r#"[{{"role": "assistant", "content": {strict}}}]"#),
    ] {
        let (plan, repairs) = read(&answer);
        assert_eq!(plan, "a@researcher b@coder<a", "{answer}\n{repairs}");
        assert!(repairs.contains("taken out"), "{repairs}");
    }
}

#[test]
fn a_schema_sent_back_is_no_plan() {
    let schema = crate::domain::plan::decomposition_schema(&agents(), 6).to_string();
    let (plan, repairs) = read(&schema);
    assert!(repairs.starts_with("BUILT IN"), "{plan}\n{repairs}");
    // Filled in, it is one.
    for answer in [
        r#"{"type": "object", "properties": {"tasks": [{"id": "a", "prompt": "Do a.", "agent": "coder"}]}, "required": ["tasks"]}"#,
        r#"{"type": "object", "properties": {"tasks": {"type": "object"}}, "tasks": [{"id": "a", "prompt": "Do a.", "agent": "coder"}]}"#,
        r#"{"tasks": {"type": "array", "items": [{"id": "a", "prompt": "Do a.", "agent": "coder"}]}}"#,
    ] {
        assert_eq!(read(answer).0, "a@coder", "{answer}");
    }
}

#[test]
fn what_yaml_takes_out_of_an_answer_is_said() {
    let (plan, repairs) = read(
        "tasks:\n  - id: a\n    agent: coder\n    prompt: Mend issue #42 and add a test\n  - id: b\n    agent: coder\n    prompt: Do b.\n",
    );
    assert_eq!(plan, "a@coder b@coder");
    assert!(repairs.contains("“#42 and add a test” is a comment"), "{repairs}");
}

#[test]
fn one_object_a_line_is_one_plan() {
    let (plan, _) = read(
        "{\"id\": \"a\", \"prompt\": \"Do a.\", \"agent\": \"coder\"}\n{\"id\": \"b\", \"prompt\": \"Do b.\", \"agent\": \"coder\", \"needs\": [\"a\"]}\n",
    );
    assert_eq!(plan, "a@coder b@coder<a");
}

#[test]
fn the_built_in_plans_have_their_shapes() {
    for (goal, ids) in [
        ("Write a parser for TOML", "research implement synthesise"),
        ("Print a bracket for a shelf", "search generate printability"),
        ("Why is the sky blue?", "research analyse synthesise"),
    ] {
        let plan = built_in(goal, &agents());
        assert_eq!(validate(&plan, &agents()), []);
        assert_eq!(plan.tasks.iter().map(|t| t.id.as_str()).collect::<Vec<_>>().join(" "), ids);
        assert!(plan.tasks.iter().all(|t| t.prompt.contains(goal)));
        // Of a fleet with one agent only, that one does it all.
        assert_eq!(validate(&built_in(goal, &[agent("only")]), &[agent("only")]), []);
    }
}

#[test]
fn a_document_s_headings_and_open_items_are_told_as_such() {
    let goal = "# Reader\n\n-----\n\n## What\n\n- [ ] open a file\n- [ ] show it\n- [x] have a name\n";
    let (_, user) = planning_prompt(goal, &agents(), 6);
    assert!(user.contains("\n------\n# Reader") && user.contains("have a name\n------\n"), "{user}");
    for said in ["2 headings", "2 lines that begin with `- [ ]`", "1 lines that begin with `- [x]`"] {
        assert!(user.contains(said), "{user}");
    }
    let (_, user) = planning_prompt("Compare two parsers", &agents(), 6);
    assert!(user.contains("\n-----\nCompare two parsers\n-----\n\nPlan it"), "{user}");
}

#[test]
fn the_prompt_names_agents_limit_and_goal() {
    let (system, user) = planning_prompt("Compare two parsers", &agents(), 6);
    assert!(system.contains("\"needs\"") && system.contains("\"agent\": \"researcher\""));
    assert!(
        user.contains("- coder: coder work\n")
            && user.contains("at most 6 tasks")
            && user.contains("Compare two parsers")
    );
    // The example in the prompt is an answer we take without a repair.
    let example = system.rsplit_once("district heating?\"\n").unwrap().1;
    let made = read_answer(example, "g", &agents(), 6);
    assert_eq!((made.plan.tasks.len(), made.repairs), (4, Vec::new()));
}

/// Pieces a model's answer may be made of, so that chance comes near to plans.
fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        ",",
        ":",
        "\n",
        "```json\n",
        "```",
        "tasks",
        "\"tasks\": [",
        "\"id\": \"a\"",
        "\"id\": 1",
        "\"needs\": [\"a\"]",
        "\"needs\": [1, 0]",
        "\"prompt\": \"Do it.\"",
        "\"agent\": \"wizard\"",
        "- id: a\n",
        "  prompt: x\n",
        "1. Do this\n",
        "2. Do that after step 1\n",
        "\\u12",
        "\\",
        "//",
        "/*",
        "<think>",
        "</think>",
        "&a ",
        "*a",
        "| \n",
        "null",
        "{\"id\": \"a\", \"prompt\": \"Do a.\", \"agent\": \"coder\", \"needs\": [\"b\"]}",
        "{\"id\": \"b\", \"prompt\": \"Do b.\", \"agent\": \"x\", \"needs\": [\"a\", \"b\", 1]}",
    ];
    prop_oneof![8 => proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_gives_a_sound_plan(pieces in proptest::collection::vec(piece(), 0..40), most in 0u32..9) {
        let made = read_answer(&pieces.concat(), "Do something", &agents(), most);
        prop_assert_eq!(validate(&made.plan, &agents()), vec![]);
        prop_assert!(!made.plan.tasks.is_empty() && made.plan.tasks.len() <= most.max(1) as usize);
        prop_assert!(made.repairs.iter().all(|r| r.len() < 4000));
    }

    #[test]
    fn any_prefix_of_an_answer_gives_a_sound_plan(cut in 0usize..260) {
        let mut cut = cut.min(STRICT.len());
        while !STRICT.is_char_boundary(cut) { cut -= 1; }
        let made = read_answer(&STRICT[..cut], "Do something", &agents(), 6);
        prop_assert_eq!(validate(&made.plan, &agents()), vec![]);
    }
}
