//! A plan written as a list of steps in prose: numbered lines, "Step 3:" headings, or bullets.

use super::Repairs;
use super::draft::{Draft, MAX_DRAFTS};
use crate::domain::fleet::Agent;

/// What a line starts with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Numbered,
    Bullet,
}

struct Item {
    indent: usize,
    number: Option<usize>,
    text: String,
}

/// The steps of the list, or nothing when there is none with at least two.
pub(super) fn read(text: &str, agents: &[Agent], repairs: &mut Repairs) -> Vec<Draft> {
    let items = [Mark::Numbered, Mark::Bullet].into_iter().map(|mark| items(text, mark)).find(|i| i.len() >= 2);
    let Some(items) = items else { return Vec::new() };
    let mut drafts: Vec<Draft> = items.iter().enumerate().map(|(i, item)| draft(i, item, agents)).collect();
    repairs.say("the answer was a written list, not JSON; its steps became tasks");
    if drafts.iter().all(|d| d.needs.is_empty()) {
        let gathers = items.last().is_some_and(|item| gathers(&item.text));
        if gathers {
            let before: Vec<String> = drafts.iter().rev().skip(1).rev().filter_map(|d| d.id.clone()).collect();
            if let Some(last) = drafts.last_mut() {
                last.needs = before;
            }
            repairs
                .say("the list names no dependencies; its steps run side by side, and the last waits for all others");
        } else {
            repairs.say("the list names no dependencies; its steps run side by side");
        }
    }
    drafts
}

fn items(text: &str, wanted: Mark) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut open = false;
    let mut blank = false;
    for line in text.lines().filter(|l| !l.trim_start().starts_with("```")) {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        if body.is_empty() {
            blank = true;
            continue;
        }
        let nested = items.first().is_some_and(|first| indent > first.indent + 1);
        match mark(body) {
            Some((kind, number, rest)) if kind == wanted && !nested => {
                if items.len() >= MAX_DRAFTS {
                    break;
                }
                items.push(Item { indent, number, text: plain(rest) });
                open = true;
            }
            // What stands under a step belongs to it, until a line of prose at the margin after a gap.
            other if open && (!blank || nested || other.is_some()) => {
                if let Some(item) = items.last_mut() {
                    item.text.push('\n');
                    item.text.push_str(&plain(body));
                }
            }
            _ => open = false,
        }
        blank = false;
    }
    items.retain(|i| i.text.chars().filter(|c| c.is_alphabetic()).count() > 2);
    items
}

/// The mark a line starts with, its number, and the rest.
fn mark(body: &str) -> Option<(Mark, Option<usize>, &str)> {
    let body = body.trim_start_matches(['#', '*', '>', ' ']).trim_start();
    let lower = body.to_ascii_lowercase();
    let worded = ["step ", "task "].iter().find(|w| lower.starts_with(**w)).map_or(0, |w| w.len());
    let rest = &body[worded..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits) {
        let after = &rest[digits..];
        let ends = after.starts_with(['.', ')', ':', '-', '—', '–', '*']) || (worded > 0 && after.is_empty());
        let spaced = worded > 0 || after.chars().nth(1).is_none_or(|c| c.is_whitespace() || c == '*');
        if (ends || (worded > 0 && after.starts_with(' '))) && spaced {
            let text = after.trim_start_matches(|c: char| c.is_whitespace() || ".):-—–*".contains(c));
            return Some((Mark::Numbered, rest[..digits].parse().ok(), text));
        }
    }
    None.or_else(|| {
        let rest = body.strip_prefix(['-', '•', '+', '–']).or_else(|| (body.len() < lower.len()).then_some(body));
        rest.filter(|r| r.starts_with(' ')).map(|r| {
            let r = r.trim_start();
            (Mark::Bullet, None, r.strip_prefix("[ ]").or_else(|| r.strip_prefix("[x]")).unwrap_or(r).trim_start())
        })
    })
}

fn plain(text: &str) -> String {
    text.replace("**", "").replace("__", "").trim().to_owned()
}

fn draft(index: usize, item: &Item, agents: &[Agent]) -> Draft {
    let first = item.text.lines().next().unwrap_or("");
    let title = first.split([':', '—', '.']).next().unwrap_or(first).trim();
    let title: String = title.split_whitespace().take(8).collect::<Vec<_>>().join(" ");
    Draft {
        id: Some(item.number.unwrap_or(index + 1).to_string()),
        title: (!title.is_empty()).then_some(title),
        prompt: Some(item.text.clone()),
        agent: agent(&item.text, agents),
        needs: needs(&item.text),
    }
}

/// The agent a step names: after the word "agent", else any agent's name that stands in it.
fn agent(text: &str, agents: &[Agent]) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let words =
        || lower.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).filter(|w| !w.is_empty());
    let known = words().find(|w| agents.iter().any(|a| a.name.as_str().eq_ignore_ascii_case(w)));
    let named = lower.split_once("agent:").map(|(_, rest)| {
        rest.trim_start_matches([' ', '*', '`']).split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next()
    });
    named.flatten().filter(|w| !w.is_empty()).or(known).map(str::to_owned)
}

/// The steps a step says it follows: numbers after words such as "depends on" or "after step".
fn needs(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for word in [
        "depends on",
        "dependencies:",
        "depends:",
        "needs:",
        "requires:",
        "after step",
        "after task",
        "results of step",
        "output of step",
        "based on step",
        "from step",
        "using step",
        "requires step",
        "needs step",
    ] {
        for (at, _) in lower.match_indices(word) {
            let clause = lower[at + word.len()..].split(['.', ')', '\n', ';']).next().unwrap_or("");
            for number in clause.split(|c: char| !c.is_ascii_digit()).filter(|n| (1..=3).contains(&n.len())) {
                if !found.iter().any(|f| f == number) && found.len() < 64 {
                    found.push(number.to_owned());
                }
            }
        }
    }
    found
}

/// Whether a step puts others together.
fn gathers(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    [
        "synth",
        "summar",
        "combin",
        "compil",
        "conclu",
        "final",
        "report",
        "compare",
        "write up",
        "recommend",
        "review",
        "put together",
    ]
    .iter()
    .any(|w| lower.contains(w))
}
