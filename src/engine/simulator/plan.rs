//! Answers that are JSON: plans for a goal, and values that fit a schema.
//!
//! Not here: what a plan means. Invariant: unless a fault is asked for, the answer is valid JSON, its ids are unique,
//! its needs name earlier tasks, and its agents are among those the request names.

use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::faults::PlanAnswer;
use super::prose::{self, Kind, Topic, capital};
use super::random::Dice;

/// Whether a request asks for a plan.
pub(super) fn is_wanted(ask: &Ask) -> bool {
    if let Some(schema) = &ask.schema {
        return !schema["properties"]["tasks"].is_null();
    }
    let system = ask.system.to_lowercase();
    let all = if system.is_empty() { ask.conversation.to_lowercase() } else { system };
    all.contains("json")
        && all.contains("tasks")
        && (all.contains("needs") || all.contains("depend") || all.contains("plan"))
}

/// One row of a pattern: id, title, prompt, the agents that fit best first, what it needs.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const RESEARCH: &[&str] = &["researcher", "search", "analyst"];
const ANALYSE: &[&str] = &["analyst", "reasoner", "researcher"];
const CODE: &[&str] = &["coder", "developer", "engineer", "analyst"];
const REASON: &[&str] = &["reasoner", "analyst", "researcher"];
const REVIEW: &[&str] = &["reviewer", "critic", "analyst", "reasoner"];
const WRITE: &[&str] = &["writer", "summarizer", "analyst", "reasoner"];

const COMPARE: &[Row] = &[
    (
        "criteria",
        "Criteria for the choice",
        "Set out the criteria that matter for {s}, with a weight for each.",
        ANALYSE,
        &[],
    ),
    (
        "first-option",
        "Research: {a}",
        "Research {a} with regard to {s}: what it is good at, where it fails.",
        RESEARCH,
        &[],
    ),
    (
        "second-option",
        "Research: {b}",
        "Research {b} with regard to {s}: what it is good at, where it fails.",
        RESEARCH,
        &[],
    ),
    (
        "comparison",
        "Side by side",
        "Compare the findings side by side against the criteria.",
        ANALYSE,
        &["criteria", "first-option", "second-option"],
    ),
    (
        "objections",
        "Objections",
        "Review the research for gaps and name what could overturn it.",
        REVIEW,
        &["first-option", "second-option"],
    ),
    (
        "answer",
        "Which one, and why",
        "Decide on {s} and explain why, with the conditions under which it would change.",
        REASON,
        &["comparison", "objections"],
    ),
];

const BUILD: &[Row] = &[
    ("requirements", "Requirements", "Write down what {s} must do, and what it need not do.", ANALYSE, &[]),
    (
        "prior-work",
        "What exists already",
        "Find what exists already for {s} and what can be learnt from it.",
        RESEARCH,
        &[],
    ),
    ("test-ideas", "Test cases", "Collect test cases for {s}: ordinary ones, limits, and misuse.", CODE, &[]),
    (
        "implementation",
        "Implementation",
        "Implement {s}, with comments that say why.",
        CODE,
        &["requirements", "prior-work"],
    ),
    (
        "review",
        "Review",
        "Review the implementation against the requirements and the test cases.",
        REVIEW,
        &["implementation", "test-ideas"],
    ),
    ("guide", "How to use it", "Explain how to use {s} in a page, with one example.", WRITE, &["implementation"]),
];

const STUDY: &[Row] = &[
    ("background", "Background of {a}", "Research the background of {s}: what is known and how well.", RESEARCH, &[]),
    ("limits", "Limits and needs", "Work out the limits and needs that bear on {s}, above all {b}.", ANALYSE, &[]),
    ("examples", "Examples", "Find three examples that come close to {s} and what they show.", RESEARCH, &[]),
    (
        "analysis",
        "Analysis",
        "Analyse what the background and the limits mean for {s}.",
        ANALYSE,
        &["background", "limits"],
    ),
    (
        "lessons",
        "Lessons from the examples",
        "Draw the lessons from the examples, as far as the limits let them hold.",
        ANALYSE,
        &["examples", "limits"],
    ),
    ("answer", "Answer", "Answer for {s}: what to do, in which order, and why.", REASON, &["analysis", "lessons"]),
];

const DESIGN: &[Row] = &[
    ("users", "Who it is for", "Describe who needs {s} and what they want from it.", ANALYSE, &[]),
    (
        "inspiration",
        "Comparable designs",
        "Search for designs comparable to {s} and what works in them.",
        RESEARCH,
        &[],
    ),
    ("constraints", "Constraints", "List the constraints on {s}: {a}, {b}, cost and upkeep.", ANALYSE, &[]),
    (
        "draft",
        "First draft",
        "Draft {s} for these users from the comparable designs.",
        REASON,
        &["users", "inspiration"],
    ),
    (
        "critique",
        "Critique",
        "Review the draft against the constraints and name what must change.",
        REVIEW,
        &["draft", "constraints"],
    ),
    ("final", "Final design", "Write the final design of {s} with the critique worked in.", REASON, &["critique"]),
];

/// The answer to a request for a plan.
pub(super) fn answer(ask: &Ask, topic: &Topic, how: PlanAnswer, dice: &mut Dice) -> String {
    let mut tasks = tasks(ask, topic, dice);
    match how {
        PlanAnswer::Good | PlanAnswer::HalfJson => {}
        PlanAnswer::Prose => return in_words(topic, &tasks),
        PlanAnswer::UnknownAgent => {
            for (task, agent) in tasks.iter_mut().zip(["wizard", "oracle", "wizard"]) {
                task.agent = agent.to_owned();
            }
        }
        PlanAnswer::Cycle => {
            let last = tasks.last().map(|task| task.id.clone());
            if let (Some(first), Some(last)) = (tasks.first_mut(), last) {
                first.needs.push(last);
            }
        }
        PlanAnswer::FortyTasks => {
            let pattern = tasks.clone();
            tasks = (0..40)
                .filter_map(|i| {
                    let task = pattern.get(i % pattern.len().max(1))?;
                    let needs = if i < 3 { Vec::new() } else { vec![format!("task-{}", i / 3)] };
                    Some(Task { id: format!("task-{}", i + 1), needs, ..task.clone() })
                })
                .collect();
        }
    }
    let fields = &ask.schema.as_ref().map_or(&Value::Null, |schema| &schema["properties"]["tasks"]["items"]);
    let list: Vec<Value> = tasks.iter().map(|task| task.value(&fields["properties"])).collect();
    let mut whole = Map::new();
    // Other fields of the schema come first, so that a reader of half an answer sees them.
    if let Some(Value::Object(properties)) = ask.schema.as_ref().map(|schema| &schema["properties"]) {
        for (name, schema) in properties.iter().filter(|(name, _)| *name != "tasks") {
            let value = if name == "goal" { json!(topic.title()) } else { value_of(schema, topic, dice, 0) };
            whole.insert(name.clone(), value);
        }
    }
    whole.insert("tasks".into(), Value::Array(list));
    let text = serde_json::to_string_pretty(&Value::Object(whole)).unwrap_or_default();
    if how == PlanAnswer::HalfJson {
        let half = text.char_indices().nth(text.chars().count() * 3 / 5).map_or(0, |(at, _)| at);
        return text[..half].to_owned();
    }
    text
}

#[derive(Clone, Debug)]
struct Task {
    id: String,
    title: String,
    prompt: String,
    agent: String,
    needs: Vec<String>,
}

impl Task {
    /// As JSON, with the field names the schema knows when it names any.
    fn value(&self, fields: &Value) -> Value {
        let mut map = Map::new();
        let mut put = |names: &[&str], value: Value| {
            let name =
                if fields.is_object() { names.iter().find(|name| !fields[**name].is_null()) } else { names.first() };
            if let Some(name) = name {
                map.insert((*name).to_owned(), value);
            }
        };
        put(&["id", "name"], json!(self.id));
        put(&["title"], json!(self.title));
        put(&["prompt", "description", "task"], json!(self.prompt));
        put(&["agent", "role"], json!(self.agent));
        put(&["needs", "depends_on", "dependencies", "after"], json!(self.needs));
        if fields.is_object() {
            put(&["priority"], json!("medium"));
            put(&["level"], json!("medium"));
            put(&["phase"], json!(if self.needs.is_empty() { "gather" } else { "conclude" }));
        }
        Value::Object(map)
    }
}

fn tasks(ask: &Ask, topic: &Topic, dice: &mut Dice) -> Vec<Task> {
    let rows = match topic.kind {
        Kind::Compare => COMPARE,
        Kind::Code => BUILD,
        Kind::Design => DESIGN,
        _ => STUDY,
    };
    let agents = agents(ask);
    let known: Vec<&str> = agents.iter().map(String::as_str).collect();
    let most = limit(ask).unwrap_or(6).clamp(1, 6);
    // Five or six where there is room: not every goal is cut alike.
    let n = if most > 5 && topic.kind != Kind::Compare { 5 + dice.below(2) } else { most };
    // A shorter plan keeps its last row, which gives the answer, and so its shape.
    let mut kept: Vec<&Row> = rows.iter().take(n.saturating_sub(1)).collect();
    kept.extend(rows.last());
    let ids: Vec<&str> = kept.iter().map(|row| row.0).collect();
    let (a, b) = match topic.kind {
        Kind::Compare => prose::sides(topic),
        _ => (topic.word(0).to_owned(), topic.word(1).to_owned()),
    };
    let fill = |text: &str| capital(&text.replace("{s}", &topic.subject).replace("{a}", &a).replace("{b}", &b));
    let count = kept.len();
    let mut tasks: Vec<Task> = kept
        .iter()
        .map(|(id, title, prompt, wanted, needs)| Task {
            id: (*id).to_owned(),
            title: fill(title),
            prompt: fill(prompt),
            agent: choose(&known, wanted),
            needs: needs.iter().filter(|need| ids.contains(need)).map(|need| (*need).to_owned()).collect(),
        })
        .collect();
    // Where rows were left out, the last one joins whatever nobody else waits for.
    let waited: Vec<String> = tasks.iter().flat_map(|task| task.needs.clone()).collect();
    let loose: Vec<String> =
        tasks.iter().take(count - 1).map(|task| task.id.clone()).filter(|id| !waited.contains(id)).collect();
    if let Some(last) = tasks.last_mut() {
        last.needs.extend(loose);
    }
    tasks
}

/// The agents a request names: an enum in the schema, else lines `- name: description`, else the usual ones.
fn agents(ask: &Ask) -> Vec<String> {
    if let Some(schema) = &ask.schema {
        let fields = &schema["properties"]["tasks"]["items"]["properties"];
        if let Some(names) = fields["agent"]["enum"].as_array() {
            return names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
    }
    let name = |line: &str| {
        let rest = line.trim().strip_prefix(['-', '*'])?.trim_start();
        let (name, text) = rest.split_once(':')?;
        let name = name.trim_matches(['*', '`', ' ', '"']);
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        (plain && !name.is_empty() && !text.trim().is_empty()).then(|| name.to_owned())
    };
    // Rules are often written as such lines too (`- id: …`); the names of fields are no agents.
    let fields = ["id", "title", "prompt", "agent", "needs", "tasks", "level", "phase", "priority", "goal", "rules"];
    let text = ask.system.lines().chain(ask.conversation.lines());
    let found: Vec<String> = text.filter_map(name).filter(|name| !fields.contains(&name.as_str())).collect();
    if found.is_empty() {
        return ["researcher", "analyst", "coder", "reasoner"].map(str::to_owned).to_vec();
    }
    found
}

fn choose(known: &[&str], wanted: &[&str]) -> String {
    let best = wanted.iter().find(|name| known.contains(*name));
    best.or(known.first()).map_or("researcher", |name| *name).to_owned()
}

/// The most tasks a request allows, when it says so.
fn limit(ask: &Ask) -> Option<usize> {
    if let Some(n) = ask.schema.as_ref().and_then(|schema| schema["properties"]["tasks"]["maxItems"].as_u64()) {
        return usize::try_from(n).ok();
    }
    let text = format!("{} {}", ask.system, ask.conversation).to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let names = |w: &[&str]| {
        matches!(w, ["at" | "the", "most"] | ["up", "to"] | ["no", "more"] | [_, "maximum" | "max_tasks" | "exactly"])
    };
    // The last one that a number of tasks follows: examples come before the order itself.
    let mut found = None;
    for (at, _) in words.windows(2).enumerate().filter(|(_, pair)| names(pair)) {
        let near = &words[(at + 2).min(words.len())..(at + 6).min(words.len())];
        found = near.iter().find_map(|word| word.parse().ok()).or(found);
    }
    found
}

fn in_words(topic: &Topic, tasks: &[Task]) -> String {
    let steps: Vec<String> = tasks.iter().map(|task| format!("First we should see to this: {}", task.prompt)).collect();
    format!("{}\n\nHere is how I would go about {}.\n\n{}", prose::MARK, topic.subject, steps.join("\n\n"))
}

/// A JSON text that fits a schema.
pub(super) fn fitting(schema: &Value, topic: &Topic, dice: &mut Dice) -> String {
    value_of(schema, topic, dice, 0).to_string()
}

/// A JSON object of no given shape.
pub(super) fn any_json(topic: &Topic) -> String {
    json!({"note": "SIMULATED", "subject": topic.subject, "points": topic.words.iter().take(3).collect::<Vec<_>>()})
        .to_string()
}

fn value_of(schema: &Value, topic: &Topic, dice: &mut Dice, depth: u32) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    if !schema["const"].is_null() {
        return schema["const"].clone();
    }
    let kind = schema["type"].as_str().or(schema["type"].as_array().and_then(|kinds| kinds.first()?.as_str()));
    match kind {
        Some("object") if depth < 8 => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            Value::Object(fields.map(|(name, inner)| (name.clone(), value_of(inner, topic, dice, depth + 1))).collect())
        }
        Some("array") if depth < 8 => {
            let n = schema["minItems"].as_u64().unwrap_or(1).clamp(1, 16);
            Value::Array((0..n).map(|_| value_of(&schema["items"], topic, dice, depth + 1)).collect())
        }
        Some("integer") => json!(schema["minimum"].as_i64().unwrap_or(1)),
        Some("number") => json!(schema["minimum"].as_f64().unwrap_or(1.0)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => {
            let most = schema["maxLength"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(200);
            json!(topic.word(dice.below(3)).chars().take(most).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(how: PlanAnswer, system: &str, goal: &str) -> String {
        let ask = Ask::chat(&json!({"messages":[{"role":"system","content":system},{"role":"user","content":goal}]}));
        let ask = ask.expect("reads");
        assert!(is_wanted(&ask));
        answer(&ask, &Topic::read(&ask), how, &mut Dice::new(5))
    }

    const SYSTEM: &str = "Answer with JSON {\"tasks\": […]} where each task has id, prompt, agent, needs.\n\nAgents:\n- scout: finds things\n- reasoner: thinks";

    #[test]
    fn good_plans_are_valid_parallel_and_use_the_agents_named() {
        for goal in ["Compare tea and coffee", "Implement a cache", "Design a shed", "Why is the sky blue?"] {
            for (limit, most) in
                [("", 6), ("\nUse at most 4 tasks.", 4), ("\nUp to 2 tasks", 2), ("\nAt most 1 task", 1)]
            {
                let text = plan(PlanAnswer::Good, &format!("{SYSTEM}{limit}"), goal);
                let value: Value = serde_json::from_str(&text).expect("is JSON");
                let tasks = value["tasks"].as_array().expect("tasks");
                assert!(tasks.len() <= most && (most < 5 || tasks.len() >= 5), "{text}");
                let mut seen: Vec<&str> = Vec::new();
                for task in tasks {
                    assert!(["scout", "reasoner"].contains(&task["agent"].as_str().expect("agent")), "{text}");
                    for need in task["needs"].as_array().expect("needs") {
                        assert!(seen.contains(&need.as_str().expect("id")), "{text}");
                    }
                    seen.push(task["id"].as_str().expect("id"));
                }
                let starts = tasks.iter().filter(|task| task["needs"] == json!([])).count();
                assert!(starts == tasks.len().min(3) || tasks.len() < 4, "{text}");
            }
        }
    }

    #[test]
    fn every_bad_plan_is_bad_in_its_own_way() {
        let parse = |how| serde_json::from_str::<Value>(&plan(how, SYSTEM, "Compare tea and coffee"));
        assert!(parse(PlanAnswer::Prose).is_err());
        assert!(parse(PlanAnswer::HalfJson).is_err());
        assert_eq!(parse(PlanAnswer::UnknownAgent).expect("JSON")["tasks"][0]["agent"], "wizard");
        let cycle = parse(PlanAnswer::Cycle).expect("JSON");
        assert_eq!(cycle["tasks"][0]["needs"], json!(["answer"]));
        assert_eq!(parse(PlanAnswer::FortyTasks).expect("JSON")["tasks"].as_array().map(Vec::len), Some(40));
    }

    #[test]
    fn a_schema_names_the_fields_and_agents() {
        let fields =
            json!({"id":{"type":"string"},"description":{},"agent":{"enum":["solo"]},"depends_on":{"type":"array"}});
        let schema =
            json!({"type":"object","properties":{"tasks":{"type":"array","maxItems":5,"items":{"properties":fields}}}});
        let format = json!({"type":"json_schema","json_schema":{"schema":schema}});
        let body = json!({"messages":[{"role":"user","content":"Explain tides"}],"response_format":format});
        let ask = Ask::chat(&body).expect("reads");
        let value: Value =
            serde_json::from_str(&answer(&ask, &Topic::read(&ask), PlanAnswer::Good, &mut Dice::new(1))).expect("JSON");
        let first = value["tasks"][0].as_object().expect("object");
        assert_eq!(first.keys().collect::<Vec<_>>(), ["agent", "depends_on", "description", "id"]);
        assert_eq!(first["agent"], "solo");
        assert_eq!(value["tasks"].as_array().map(Vec::len), Some(5));
    }

    #[test]
    fn other_schemas_are_fitted() {
        let schema = json!({"type":"object","properties":{"city":{"type":"string","maxLength":3},"ok":{"type":"boolean"},"n":{"type":"integer","minimum":2}}});
        let body = json!({"messages":[{"role":"user","content":"Give json"}],"format":schema});
        let ask = Ask::chat(&body).expect("reads");
        let value: Value =
            serde_json::from_str(&fitting(&schema, &Topic::read(&ask), &mut Dice::new(1))).expect("JSON");
        assert!(value["city"].as_str().is_some_and(|city| city.len() <= 3));
        assert_eq!((&value["ok"], &value["n"]), (&json!(true), &json!(2)));
    }

    #[test]
    fn baton_s_own_planning_prompt_is_understood() {
        let agent = |name: &str| {
            let toml = format!("name = \"{name}\"\ndescription = \"is {name}\"\ntier = \"t\"\nprompt = \"x\"");
            toml::from_str::<crate::domain::fleet::Agent>(&toml).expect("agent")
        };
        let agents = [agent("scout"), agent("reasoner")];
        for most in [1_u32, 3, 6] {
            let (system, user) = crate::domain::plan::planning_prompt("Compare tea and coffee", &agents, most);
            let body = json!({"messages":[{"role":"system","content":system},{"role":"user","content":user}]});
            let ask = Ask::chat(&body).expect("reads");
            assert!(is_wanted(&ask));
            let topic = Topic::read(&ask);
            assert_eq!(topic.subject, "tea and coffee");
            let text = answer(&ask, &topic, PlanAnswer::Good, &mut Dice::new(5));
            let value: Value = serde_json::from_str(&text).expect("JSON");
            let tasks = value["tasks"].as_array().expect("tasks");
            assert_eq!(tasks.len(), most as usize, "{text}");
            assert!(tasks.iter().all(|t| t["agent"] == "scout" || t["agent"] == "reasoner"), "{text}");
        }
    }
}
