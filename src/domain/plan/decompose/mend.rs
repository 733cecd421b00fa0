//! Drafts into sound tasks: ids, agents, needs, circles and number are put right, and each repair is said.

use std::collections::{BTreeSet, HashMap};

use super::draft::Draft;
use super::extract::count;
use super::{Repairs, quote};
use crate::domain::fleet::Agent;
use crate::domain::plan::TaskSpec;
use crate::domain::plan::validate::back_edges;
use crate::domain::protocol::{AgentName, Name};
use crate::domain::source::nearest;

/// The longest prompt of one task; more is a model that repeats itself.
const MAX_PROMPT: usize = 16 * 1024;

/// At most `max_tasks` sound tasks.
pub(super) fn tasks(drafts: Vec<Draft>, agents: &[Agent], max_tasks: usize, repairs: &mut Repairs) -> Vec<TaskSpec> {
    let drafts = with_prompts(drafts, repairs);
    let ids = ids(&drafts, repairs);
    let mut tasks: Vec<TaskSpec> = Vec::with_capacity(drafts.len());
    for (i, draft) in drafts.iter().enumerate() {
        let agent = agent(draft, &ids[i], agents, repairs);
        let mut task = TaskSpec::new(ids[i].clone(), agent, draft.prompt.clone().unwrap_or_default());
        task.title = draft.title.as_deref().map(one_line).filter(|t| !t.is_empty());
        tasks.push(task);
    }
    let mut needs = resolve(&drafts, &ids, repairs);
    cut_circles(&mut needs, &ids, repairs);
    let kept = first_in_order(&needs, max_tasks);
    if kept.len() < tasks.len() {
        repairs.say(format!(
            "the model made {}, and the limit is {max_tasks}; the first {} in the order of their needs were kept",
            count(tasks.len(), "task"),
            kept.len()
        ));
    }
    for (task, needs) in tasks.iter_mut().zip(&needs) {
        task.needs = needs.iter().map(|&n| ids[n].clone()).collect();
    }
    let mut index = 0;
    tasks.retain(|_| {
        index += 1;
        kept.contains(&(index - 1))
    });
    tasks
}

fn with_prompts(drafts: Vec<Draft>, repairs: &mut Repairs) -> Vec<Draft> {
    let mut kept = Vec::with_capacity(drafts.len());
    for (i, mut draft) in drafts.into_iter().enumerate() {
        let some = |text: &Option<String>| text.as_ref().is_some_and(|t| !t.trim().is_empty());
        if !some(&draft.prompt) {
            if !some(&draft.title) {
                repairs.say(format!("task {} said nothing to do; it was left out", i + 1));
                continue;
            }
            repairs.say(format!("task {} had no prompt; its title was taken", i + 1));
            draft.prompt = draft.title.clone();
        }
        if let Some(prompt) = &mut draft.prompt {
            if prompt.len() > MAX_PROMPT {
                repairs.say(format!("the prompt of task {} was very long; its start was kept", i + 1));
                *prompt = super::head(prompt, MAX_PROMPT).to_owned();
            }
            // NUL and its kin have no place in a request; line breaks and tabs do.
            prompt.retain(|c| !c.is_control() || matches!(c, '\n' | '\t'));
            *prompt = prompt.trim().to_owned();
        }
        if some(&draft.prompt) {
            kept.push(draft);
        }
    }
    kept
}

fn ids(drafts: &[Draft], repairs: &mut Repairs) -> Vec<Name> {
    let mut taken: BTreeSet<Name> = BTreeSet::new();
    let mut ids = Vec::with_capacity(drafts.len());
    for (i, draft) in drafts.iter().enumerate() {
        let written = draft.id.as_deref().map(str::trim).filter(|id| !id.is_empty());
        // A bare number says nothing in a row of the screen; the title does.
        let wanted = match written {
            // An id with a dot first is one of Baton's own, and a plan must not take its place.
            Some(id) if id.starts_with('.') => short_slug(id, i),
            Some(id) if id.parse::<u32>().is_err() => Name::new(id).unwrap_or_else(|_| short_slug(id, i)),
            _ => short_slug(draft.title.as_deref().or(draft.prompt.as_deref()).unwrap_or(""), i),
        };
        let id = free(&wanted, &taken);
        if written.is_none() {
            repairs.say(format!("task {} had no id; it is called {id}", i + 1));
        } else if id != wanted {
            repairs.say(format!("the id {} came twice; the second is called {id}", quote(wanted.as_str())));
        }
        taken.insert(id.clone());
        ids.push(id);
    }
    ids
}

/// At most five words and 40 letters of a text as a name; `task-N` when nothing is left.
fn short_slug(text: &str, index: usize) -> Name {
    let words: Vec<&str> = text.split_whitespace().take(5).collect();
    let mut slug = Name::slug(&words.join(" ")).as_str().to_owned();
    slug.truncate(40); // ASCII by construction
    match slug.trim_matches(['-', '.', '_']) {
        "" | "x" => Name::slug(&format!("task-{}", index + 1)),
        slug => Name::slug(slug),
    }
}

fn free(wanted: &Name, taken: &BTreeSet<Name>) -> Name {
    if !taken.contains(wanted) {
        return wanted.clone();
    }
    // Ends: there are fewer taken names than numbers.
    (2..)
        .map(|n| {
            let base: String = wanted.as_str().chars().take(58).collect();
            Name::slug(&format!("{base}-{n}"))
        })
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| wanted.clone())
}

fn agent(draft: &Draft, task: &Name, agents: &[Agent], repairs: &mut Repairs) -> AgentName {
    let fallback = || {
        let researcher = agents.iter().find(|a| a.name.as_str() == "researcher").or(agents.first());
        researcher.map_or_else(|| Name::slug("researcher"), |a| a.name.clone())
    };
    let Some(written) = draft.agent.as_deref().map(str::trim).filter(|a| !a.is_empty()) else {
        let agent = fallback();
        repairs.say(format!("task {task} named no agent; {agent} does it"));
        return agent;
    };
    if let Some(known) = agents.iter().find(|a| a.name.as_str() == written) {
        return known.name.clone();
    }
    let near = nearest(written, agents.iter().map(|a| a.name.as_str()));
    let agent = near.and_then(|name| Name::new(name).ok()).unwrap_or_else(fallback);
    repairs.say(format!("task {task} named the agent {}, which does not exist; {agent} does it", quote(written)));
    agent
}

/// The needs as indexes: by id, by title, by number of the task as people count.
fn resolve(drafts: &[Draft], ids: &[Name], repairs: &mut Repairs) -> Vec<Vec<usize>> {
    let mut by_name: HashMap<String, usize> = HashMap::new();
    for (i, draft) in drafts.iter().enumerate() {
        let names = [draft.id.as_deref(), Some(ids[i].as_str()), draft.title.as_deref()];
        for name in names.into_iter().flatten() {
            by_name.entry(Name::slug(name).as_str().to_owned()).or_insert(i);
        }
    }
    // Somebody who writes "task 0" counts from 0.
    let numbers = || drafts.iter().flat_map(|d| &d.needs).filter_map(|n| trailing_number(n));
    let base = usize::from(!numbers().any(|n| n == 0));
    let mut all = Vec::with_capacity(drafts.len());
    for (i, draft) in drafts.iter().enumerate() {
        let mut needs: Vec<usize> = Vec::new();
        for need in &draft.needs {
            let found = by_name
                .get(Name::slug(need).as_str())
                .copied()
                .or_else(|| trailing_number(need).and_then(|n| n.checked_sub(base)).filter(|&n| n < drafts.len()));
            match found {
                Some(n) if n == i => repairs.say(format!("task {} needed itself; that need was dropped", ids[i])),
                Some(n) if needs.contains(&n) => {}
                Some(n) => needs.push(n),
                None => repairs.say(format!(
                    "task {} needed {}, which is no task; that need was dropped",
                    ids[i],
                    quote(need)
                )),
            }
        }
        all.push(needs);
    }
    all
}

/// The number in `3`, `#3`, `task 3`, `step_3`, `t3`; none for a name that only happens to end in one.
fn trailing_number(text: &str) -> Option<usize> {
    let text = text.trim();
    let start = text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let word = text[..start].trim_end_matches([' ', '_', '-', '#', '.', ':']).to_ascii_lowercase();
    if !matches!(word.as_str(), "" | "task" | "step" | "t" | "s" | "id" | "subtask") {
        return None;
    }
    text.get(start..)?.parse().ok()
}

fn cut_circles(needs: &mut [Vec<usize>], ids: &[Name], repairs: &mut Repairs) {
    // From the last task back: what a model writes later mostly builds on what stands before, so the edge that
    // closes a circle is then the one that points forward.
    for (circle, (from, to)) in back_edges(needs, (0..needs.len()).rev()) {
        needs[from].retain(|&n| n != to);
        let path: Vec<&str> = circle.iter().take(12).chain(circle.first()).map(|&i| ids[i].as_str()).collect();
        let (from, to) = (&ids[from], &ids[to]);
        repairs.say(format!("{} waited for each other; {from} no longer needs {to}", path.join(" → ")));
    }
}

/// The first `most` tasks such that each comes after its needs. Level by level, so that what can start at once stays
/// before what stands at the end of a long chain; within a level in the order of the list.
fn first_in_order(needs: &[Vec<usize>], most: usize) -> BTreeSet<usize> {
    let mut missing: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (i, needs) in needs.iter().enumerate() {
        needs.iter().for_each(|&n| dependants[n].push(i));
    }
    let mut level: BTreeSet<usize> = (0..needs.len()).filter(|&i| missing[i] == 0).collect();
    let mut kept = BTreeSet::new();
    while !level.is_empty() && kept.len() < most {
        let mut next = BTreeSet::new();
        for &task in &level {
            if kept.len() == most {
                break;
            }
            kept.insert(task);
            for &d in &dependants[task] {
                missing[d] -= 1;
                if missing[d] == 0 {
                    next.insert(d);
                }
            }
        }
        level = next;
    }
    kept
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(80).collect()
}
