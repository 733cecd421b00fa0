//! The plans for when no model's answer can be used: three shapes, chosen by the goal's words.

use crate::domain::fleet::Agent;
use crate::domain::plan::{Plan, TaskSpec};
use crate::domain::protocol::{AgentName, Name};

/// What a goal is about, as far as its words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Program text: research and implement side by side, then put together.
    Code,
    /// A thing to be designed or printed: search, then generate, then check that it can be printed.
    Making,
    /// Anything else: research, analyse, synthesise.
    Question,
}

/// Words that leave no doubt, then words that are code, then words that are making unless it is code.
const MAKING: &[&str] = &[
    "cad",
    "3d",
    "print",
    "printed",
    "printing",
    "printable",
    "printer",
    "stl",
    "step-file",
    "bracket",
    "enclosure",
    "filament",
    "slicer",
    "hinge",
    "openscad",
    "extruder",
    "millimetre",
    "millimeter",
    "mm",
];
const CODE: &[&str] = &[
    "code",
    "coding",
    "implement",
    "implementation",
    "program",
    "programming",
    "script",
    "function",
    "bug",
    "refactor",
    "rust",
    "python",
    "javascript",
    "typescript",
    "java",
    "golang",
    "c++",
    "sql",
    "api",
    "compiler",
    "parser",
    "library",
    "unit-test",
    "algorithm",
    "regex",
    "debug",
    "cli",
    "software",
    "app",
    "website",
    "html",
    "css",
    "backend",
    "frontend",
    "endpoint",
];
const DESIGN: &[&str] = &["design", "model", "prototype", "sketch", "part", "mount", "holder", "gear", "case", "stand"];

/// The built-in plan for a goal: code → research + implement → synthesise; design, CAD or print → search → generate →
/// printability; else research → analyse → synthesise. Its agents are those of the fleet, the nearest where one is missing.
pub fn built_in(goal: &str, agents: &[Agent]) -> Plan {
    let about = goal.trim();
    let about = if about.is_empty() { "the goal" } else { about };
    let tasks = match kind(goal) {
        Kind::Code => code(about, agents),
        Kind::Making => making(about, agents),
        Kind::Question => question(about, agents),
    };
    Plan::new(goal.to_owned(), tasks)
}

fn kind(goal: &str) -> Kind {
    let lower = goal.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !(c.is_alphanumeric() || c == '+' || c == '-')).collect();
    let any = |list: &[&str]| words.iter().any(|w| list.contains(w));
    if any(MAKING) {
        Kind::Making
    } else if any(CODE) {
        Kind::Code
    } else if any(DESIGN) {
        Kind::Making
    } else {
        Kind::Question
    }
}

fn code(goal: &str, agents: &[Agent]) -> Vec<TaskSpec> {
    vec![
        task(
            "research",
            "Known ways and pitfalls",
            pick(agents, &["researcher"]),
            format!(
                "This is to be built: {goal}\n\nFind out how it is usually done: existing solutions and libraries, the \
                 approach you would take, edge cases and pitfalls. At most 20 lines, most important first."
            ),
            &[],
        ),
        task(
            "implement",
            "First implementation",
            pick(agents, &["coder", "reasoner"]),
            format!(
                "Write the code for this: {goal}\n\nGive complete, runnable code with the few comments it needs, how to run \
                 it, and tests for the ordinary case and the edge cases. State every assumption you make."
            ),
            &[],
        ),
        task(
            "synthesise",
            "Final version",
            pick(agents, &["reasoner", "coder"]),
            format!(
                "This was to be built: {goal}\n\nYou are given research on it and a first implementation. Correct the \
                 implementation where the research shows a fault or a pitfall it misses, and give the final code in full, \
                 with how to run it and what remains open."
            ),
            &["research", "implement"],
        ),
    ]
}

fn making(goal: &str, agents: &[Agent]) -> Vec<TaskSpec> {
    vec![
        task(
            "search",
            "References and dimensions",
            pick(agents, &["researcher"]),
            format!(
                "This thing is to be designed: {goal}\n\nFind similar designs, the dimensions and standards that matter, \
                 suitable materials and usual faults. Give measures in millimetres. At most 20 lines."
            ),
            &[],
        ),
        task(
            "generate",
            "The model",
            pick(agents, &["cad_designer", "coder"]),
            format!(
                "Design this: {goal}\n\nUse the references and dimensions you are given. Describe the model completely: every \
                 body and feature with its measures in millimetres, tolerances and wall thickness; generate it if you have \
                 a tool for that. Say what you assumed."
            ),
            &["search"],
        ),
        task(
            "printability",
            "Can it be printed?",
            pick(agents, &["fabricator", "reasoner"]),
            format!(
                "This was designed: {goal}\n\nCheck the design you are given for 3D printing: wall thickness, overhangs, \
                 bridges, supports, orientation, tolerances, material and time. Say whether it can be printed as it is, and \
                 list each change it needs with the measure."
            ),
            &["generate"],
        ),
    ]
}

fn question(goal: &str, agents: &[Agent]) -> Vec<TaskSpec> {
    vec![
        task(
            "research",
            "Collect the facts",
            pick(agents, &["researcher"]),
            format!(
                "The question is: {goal}\n\nCollect the facts needed to answer it: what is known, by whom, how sure it is, and \
                 where sources disagree. At most 25 lines, most important first."
            ),
            &[],
        ),
        task(
            "analyse",
            "Weigh them",
            pick(agents, &["analyst", "reasoner"]),
            format!(
                "The question is: {goal}\n\nAnalyse the facts you are given: what follows from them, what speaks against it, \
                 what is missing. Keep apart what is shown and what is likely."
            ),
            &["research"],
        ),
        task(
            "synthesise",
            "Answer",
            pick(agents, &["reasoner", "analyst"]),
            format!(
                "Answer this: {goal}\n\nUse the analysis you are given. Begin with the answer in one or two sentences, then \
                 the reasons, then what is uncertain."
            ),
            &["analyse"],
        ),
    ]
}

fn task(id: &str, title: &str, agent: AgentName, prompt: String, needs: &[&str]) -> TaskSpec {
    let mut task = TaskSpec::new(Name::slug(id), agent, prompt);
    task.title = Some(title.to_owned());
    task.needs = needs.iter().map(|n| Name::slug(n)).collect();
    task
}

/// The first of the wanted agents the fleet has, else researcher, else its first one.
fn pick(agents: &[Agent], wanted: &[&str]) -> AgentName {
    let find = |name: &str| agents.iter().find(|a| a.name.as_str() == name);
    let found = wanted.iter().copied().chain(["researcher"]).find_map(find).or(agents.first());
    found.map_or_else(|| Name::slug(wanted.first().copied().unwrap_or("researcher")), |a| a.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_goal_choose_the_shape() {
        for (goal, expected) in [
            ("Implement a rate limiter in Rust", Kind::Code),
            ("Design an API for bookings", Kind::Code),
            ("Design a wall mount for a router", Kind::Making),
            ("Print me a phone stand", Kind::Making),
            ("Why did Rome fall?", Kind::Question),
            ("", Kind::Question),
        ] {
            assert_eq!(kind(goal), expected, "{goal}");
        }
    }
}
