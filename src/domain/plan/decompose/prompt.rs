//! What a planning model is asked.

use std::fmt::Write as _;

use crate::domain::fleet::Agent;

const SYSTEM: &str = r#"You are the planner of a team of AI agents that work at the same time. You split one goal into a few tasks and say who does each. You do not do the work.

How your plan is run:
- Each task is given to its agent in a fresh conversation. The agent sees only the goal, its own prompt, and the full results of the tasks listed in "needs". It sees nothing else of the plan.
- A task starts the moment the last task it needs has ended. Tasks that need nothing start at once, all together.
- When all tasks have ended, another agent writes the final answer from all results. Do not add a task only to collect or summarise.

How to plan well:
1. Find the parts of the goal that can be worked on independently, and make each a task. Prefer three tasks side by side to three in a row.
2. Let a task need another only if it cannot be done without that task's result. List direct needs only. Never make a circle.
3. Use as few tasks as the goal deserves. A simple question is one task. Never split one piece of work among several tasks that would repeat each other.
4. Write each prompt so that it can be understood alone: name the subject in full, say what to find out or make, what to leave out, and what form and length the result has. Never write "as above", "the first task" or "see the plan".
5. Choose for each task the agent whose description fits best, by its exact name from the list. Use no other names.
6. Give each task a short id in lower case with hyphens, such as "parser-speed", and a title of two to six words.

Answer with one JSON object and nothing else: no explanation, no code fence, no comments. Its shape:
{"tasks": [{"id": "short-name", "title": "A few words", "prompt": "What the agent is asked, complete in itself", "agent": "name-from-the-list", "needs": ["id-of-another-task"]}]}
"#;

/// The system and the user message that ask a model to decompose `goal` into at most `max_tasks` tasks.
///
/// `(system, user)`; the answer is for [`super::read_answer`], and where the server can constrain output,
/// `decomposition_schema` is its schema. The agents the settings keep for planning may be left out by the caller.
pub fn planning_prompt(goal: &str, agents: &[Agent], max_tasks: u32) -> (String, String) {
    let max_tasks = max_tasks.max(1);
    let mut system = SYSTEM.to_owned();
    // Four tasks in an example would teach a limit of three to be broken.
    if max_tasks >= 4 {
        system.push_str(&example(agents));
    }
    let mut user = String::from("The agents:\n");
    for agent in agents {
        let description = agent.description.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(user, "- {}: {description}", agent.name);
    }
    let most = match max_tasks {
        1 => "exactly 1 task".to_owned(),
        n => format!("at most {n} tasks, fewer if fewer do"),
    };
    // Longer than any line of the goal: a document has such lines of its own.
    let line = |line: &str| if line.trim_end().bytes().all(|b| b == b'-') { line.trim_end().len() + 1 } else { 0 };
    let fence = "-".repeat(goal.lines().map(line).max().unwrap_or(0).max(5));
    let outline = outline(goal);
    let _ = write!(
        user,
        "\nThe goal, between the lines:\n{fence}\n{}\n{fence}\n{outline}\nPlan it with {most}. Write the prompts in the language of the \
         goal. Answer with the JSON object only.",
        goal.trim()
    );
    (system, user)
}

/// What the marks of a document say, for a goal that is one: its headings and its list of things to do.
fn outline(goal: &str) -> String {
    let lines = || goal.lines().map(str::trim_start);
    let heading = |line: &&str| line.starts_with('#') && line.trim_start_matches('#').starts_with(' ');
    let item = |line: &str, marks: [&str; 3]| {
        line.strip_prefix(['-', '*', '+'])
            .is_some_and(|rest| marks.iter().any(|mark| rest.trim_start().starts_with(mark)))
    };
    let headings = lines().filter(heading).count();
    let open = lines().filter(|line| item(line, ["[ ] ", "[ ]\t", "[] "])).count();
    let done = lines().filter(|line| item(line, ["[x] ", "[X] ", "[x]\t"])).count();
    let mut said = String::new();
    if headings > 1 {
        let _ = writeln!(
            said,
            "The goal is a document with {headings} headings (lines that begin with #): they are its parts."
        );
    }
    if open > 0 {
        let _ = writeln!(
            said,
            "Its {open} lines that begin with `- [ ]` are what is still to be done: every one belongs to a task."
        );
    }
    if done > 0 {
        let _ = writeln!(said, "Its {done} lines that begin with `- [x]` are done: plan nothing for them.");
    }
    said
}

/// An example with names the fleet has, so that a small model that copies from it copies nothing unknown.
fn example(agents: &[Agent]) -> String {
    let name = |wanted: &'static str| {
        let found = agents.iter().find(|a| a.name.as_str() == wanted).or(agents.first());
        found.map_or(wanted, |a| a.name.as_str())
    };
    let (searcher, thinker) = (name("researcher"), name("reasoner"));
    format!(
        r#"
Example. Goal: "Should our town of 8,000 build a biomass plant or heat pumps for district heating?"
{{"tasks": [
{{"id": "biomass-facts", "title": "Biomass: cost and supply", "prompt": "Collect facts on biomass plants for district heating of towns of 5,000 to 10,000 people: investment, cost per MWh, fuel supply, emissions. Give numbers with their sources as a list of at most 15 lines.", "agent": "{searcher}", "needs": []}},
{{"id": "heat-pump-facts", "title": "Heat pumps: cost and limits", "prompt": "Collect facts on large heat pumps for district heating of towns of 5,000 to 10,000 people: investment, cost per MWh, heat sources, limits in winter. Give numbers with their sources as a list of at most 15 lines.", "agent": "{searcher}", "needs": []}},
{{"id": "town-cases", "title": "What other towns did", "prompt": "Find three towns of 5,000 to 20,000 people that chose between biomass and large heat pumps for district heating since 2015. For each: what they chose, why, and what came of it, in five sentences.", "agent": "{searcher}", "needs": []}},
{{"id": "choice", "title": "Weigh and choose", "prompt": "Weigh biomass against large heat pumps for district heating in a town of 8,000 people, by cost over 20 years, supply risk and emissions, using the facts and cases you are given. Say which you would build, and what would change your mind.", "agent": "{thinker}", "needs": ["biomass-facts", "heat-pump-facts", "town-cases"]}}
]}}
"#
    )
}
