//! Where in an answer the plan is: the text after the thinking, in a fence or among prose, as JSON, YAML or a list.

use super::draft::{self, Draft};
use super::loose::{self, Ended, Loose};
use super::{Repairs, listing};
use crate::domain::fleet::Agent;
use crate::domain::plan::lost;
use crate::domain::source::{Node, Value, read_yaml};

/// Brackets tried as the start of a plan; prose with more than that before it is no plan.
const MAX_STARTS: usize = 64;
/// Bytes read over all those starts: brackets that never close must not make the work quadratic.
const MAX_WORK: usize = 1024 * 1024;
/// Lines left off the end of half a YAML answer before giving up.
const MAX_CUT_LINES: usize = 24;

/// The drafts found, and in `repairs` what had to be looked past. Empty when there is nothing like a plan.
pub(super) fn drafts(answer: &str, agents: &[Agent], repairs: &mut Repairs) -> Vec<Draft> {
    let text = after_thinking(answer);
    let fenced = fences(text);
    let texts = || fenced.iter().copied().chain([text]);
    let json = texts().map(json_or_inner).find(|found| !found.drafts.is_empty()).unwrap_or_default();
    // Careless JSON may be a piece of YAML: the reading that finds more is right.
    if json.drafts.len() < 2 || json.careless {
        let (yaml, lost) = texts().map(yaml).find(|(found, _)| !found.is_empty()).unwrap_or_default();
        if yaml.len() > json.drafts.len() {
            repairs.say("the answer was YAML, not JSON; it was read all the same");
            lost.into_iter().for_each(|what| repairs.say(what));
            return yaml;
        }
    }
    if !json.drafts.is_empty() {
        if json.surrounded {
            repairs.say("the answer had other words around the plan; they were left out");
        }
        if json.inner {
            repairs.say("the plan stood as a text within the answer; it was taken out");
        }
        if json.cut {
            repairs.cut = true;
            let whole = count(json.drafts.len(), "whole task");
            repairs.say(format!("the answer stops in the middle; of its plan {whole} could be kept"));
        } else if json.careless {
            repairs.say("the answer was not strict JSON; it was read all the same");
        }
        return json.drafts;
    }
    // A fence may hold the list, but prose around it is as good.
    listing::read(text, agents, repairs)
}

/// The text behind the last end of thinking: models without a parser for it on the server leave it in the answer.
fn after_thinking(answer: &str) -> &str {
    ["</think>", "</thinking>", "</reasoning>", "<|message|>"]
        .iter()
        .filter_map(|mark| answer.rfind(mark).map(|i| i + mark.len()))
        .max()
        .and_then(|i| answer.get(i..))
        .filter(|rest| !rest.trim().is_empty())
        .unwrap_or(answer)
}

/// The insides of the ``` fences; the last may lack its end.
fn fences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut open: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            match open.take() {
                Some(start) => found.push(&text[start..at]),
                None => open = Some(at + line.len()),
            }
        }
        at += line.len();
    }
    found.extend(open.and_then(|start| text.get(start..)));
    found.retain(|part| !part.trim().is_empty());
    found.truncate(16);
    found
}

/// A plan found as JSON, and what had to be looked past.
#[derive(Default)]
struct Found {
    drafts: Vec<Draft>,
    careless: bool,
    cut: bool,
    surrounded: bool,
    /// It was a text within the answer.
    inner: bool,
}

/// The plan of a text, or one that stands in it as a text of its own: JSON within JSON, as arguments of a call or as a whole
/// answer in quotes.
fn json_or_inner(text: &str) -> Found {
    let trimmed = text.trim_start();
    let start = text.len() - trimmed.len();
    if trimmed.starts_with('"')
        && let (Some(Loose::Text(inner)), _) = loose::read(text, start)
    {
        let found = json(&inner);
        if !found.drafts.is_empty() {
            return Found { inner: true, ..found };
        }
    }
    let holds = |text: &str| text.trim_start().starts_with(['{', '[']);
    let shell = |drafts: &[Draft]| match drafts {
        [] => true,
        [one] => one.prompt.as_deref().is_some_and(holds),
        _ => false,
    };
    let outer = text.find(['{', '[']).and_then(|at| loose::read(text, at).0);
    if let Some(outer) = outer.filter(|outer| shell(&draft::from_value(outer).0)) {
        let mut inner = Vec::new();
        texts(&outer, &mut inner);
        let best = inner.into_iter().filter(|text| holds(text)).map(json).max_by_key(|found| found.drafts.len());
        if let Some(best) = best.filter(|best| !best.drafts.is_empty()) {
            return Found { inner: true, ..best };
        }
    }
    json(text)
}

/// The texts in a value, as many as are worth a look.
fn texts<'a>(value: &'a Loose, found: &mut Vec<&'a str>) {
    match value {
        Loose::Text(text) if found.len() < MAX_STARTS => found.push(text),
        Loose::List(items) => items.iter().for_each(|item| texts(item, found)),
        Loose::Map { entries, .. } => entries.iter().for_each(|(_, value)| texts(value, found)),
        Loose::Null | Loose::Text(_) => {}
    }
}

/// The best JSON-like plan in a text: the one with the most tasks, the last of equals (drafts come before the answer);
/// or, where there are more of these, the tasks that stand one by one, as in one object a line.
fn json(text: &str) -> Found {
    let mut best = Found::default();
    let mut singles = Found::default();
    let mut at = 0;
    let outside = |s: Option<&str>| s.is_some_and(|s| s.chars().any(char::is_alphanumeric));
    let mut work = 0;
    for _ in 0..MAX_STARTS {
        if work > MAX_WORK {
            break;
        }
        let Some(start) = text.get(at..).and_then(|rest| rest.find(['{', '['])).map(|i| at + i) else { break };
        at = start + 1;
        let (value, reading) = loose::read(text, start);
        work += reading.end.saturating_sub(start);
        let Some(value) = value else { continue };
        let planlike = match &value {
            // Text such as "[see above]" is a list too.
            Loose::List(items) => items.iter().any(|i| matches!(i, Loose::Map { .. })),
            _ => true,
        };
        let (drafts, ended) = draft::from_value(&value);
        if !planlike || drafts.is_empty() {
            continue;
        }
        at = reading.end.max(at);
        let cut = reading.cut || ended == Ended::Cut;
        if drafts.len() == 1 {
            singles.drafts.extend(drafts.iter().cloned());
            singles.careless = true;
            singles.cut |= cut;
        }
        if drafts.len() >= best.drafts.len() {
            let surrounded = outside(text.get(..start)) || outside(text.get(reading.end..));
            best = Found { drafts, careless: reading.careless, cut, surrounded, inner: false };
        }
    }
    if singles.drafts.len() > best.drafts.len() { singles } else { best }
}

/// A plan as YAML, and what of its texts is lost to it: from the first line that can begin one; lines are left off the end
/// while it is no YAML.
fn yaml(text: &str) -> (Vec<Draft>, Vec<String>) {
    let begins = |line: &str| {
        [
            "tasks:",
            "steps:",
            "subtasks:",
            "plan:",
            "version:",
            "goal:",
            "- id:",
            "- title:",
            "- name:",
            "- agent:",
            "- prompt:",
        ]
        .iter()
        .any(|start| line.trim_start().to_ascii_lowercase().starts_with(start))
    };
    let mut at = 0;
    let Some(start) = text.split_inclusive('\n').find_map(|line| {
        let start = at;
        at += line.len();
        begins(line).then_some(start)
    }) else {
        return Default::default();
    };
    let mut part = &text[start..];
    // Each try reads it all: a very long answer gets few.
    let tries = if part.len() > 64 * 1024 { 3 } else { MAX_CUT_LINES };
    for _ in 0..tries {
        if let Ok(read) = read_yaml(part, &"answer".into()) {
            let (drafts, _) = draft::from_value(&from_node(&read.root));
            if !drafts.is_empty() {
                let lost = lost::warnings(&read.root, &read.losses);
                return (drafts, lost.into_iter().map(|loss| format!("line {}: {}", loss.line, loss.what)).collect());
            }
        }
        match part.trim_end().rfind('\n') {
            Some(end) => part = &part[..end],
            None => break,
        }
    }
    Default::default()
}

fn from_node(node: &Node) -> Loose {
    match &node.value {
        Value::Null => Loose::Null,
        Value::Bool(b) => Loose::Text(b.to_string()),
        Value::Integer(n) => Loose::Text(n.to_string()),
        Value::Float(n) => Loose::Text(n.to_string()),
        Value::Text(text) => Loose::Text(text.clone()),
        Value::List(items) => Loose::List(items.iter().map(from_node).collect()),
        Value::Map(entries) => Loose::Map {
            entries: entries.iter().map(|e| (e.key.clone(), from_node(&e.node))).collect(),
            ended: Ended::Whole,
        },
    }
}

pub(super) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
