//! What a turn is asked: the pieces of its prompt and the words between them.
//!
//! Not here: how much of them goes in (`fitting`).

use super::Orchestrator;
use super::goals::ended_word;
use crate::domain::plan::planning_prompt;
use crate::domain::protocol::{AttemptEnd, AttemptId, Cut, FailureKind, Message, Part, Recipe, Speaker, TurnId, Work};
use crate::domain::state::{EndpointIx, Said, Step, Task, TaskIx};
use crate::domain::text::CleanText;

/// The least context in which an agent is told how it may ask the operator, in tokens.
const LEAST_TO_ASK: u32 = 1024;

/// What is said to a model that called tools, which nobody has.
const NO_TOOLS: &str = "\n\nYou have no tools in this task. Answer in words, with what you know.";

/// What the synthesis is asked.
pub(super) const SYNTHESIS_PROMPT: &str = "Write the answer to the goal from the results above. Say the conclusion \
    first, in one or two sentences. Then give what supports it, ordered by what matters to the reader, not by task. Use \
    headings where they help, a table where things are compared, code where code was asked for. Where results \
    contradict each other, say so and say which you follow and why. Where a task failed or a result was cut, say what \
    is therefore unknown. Add nothing that is neither in the results nor common knowledge. Don't speak of tasks, agents \
    or this process.";

/// What the voice summary is asked.
pub(super) const VOICE_PROMPT: &str = "Say the answer above in two or three spoken sentences: plain words, no lists, no \
    markdown, no abbreviations that are hard to speak. The first sentence is the conclusion.";

/// An answer that a conversation carries.
#[derive(Clone, Copy)]
struct Spoken {
    /// The turn that asked for it.
    asked: TurnId,
    /// The turn whose text it is.
    answer: TurnId,
}

impl Orchestrator {
    /// The recipe of a task's next turn on an endpoint, and the most tokens it may answer.
    pub(super) fn recipe(&self, ix: TaskIx, endpoint: EndpointIx) -> (Recipe, u32) {
        let task = self.state.task(ix);
        if let Some((recipe, limit)) = self.continuation(ix, endpoint, self.wanted(task)) {
            return (recipe, u32::try_from(limit).unwrap_or(u32::MAX));
        }
        let mut messages = self.messages(task, endpoint);
        let share = self.fit_into(&mut messages, task, endpoint);
        (messages.into(), u32::try_from(share.answer).unwrap_or(u32::MAX))
    }

    /// The most tokens that are wanted for the answer of a task's next turn.
    pub(super) fn wanted(&self, task: &Task) -> u64 {
        u64::from(task.limit.unwrap_or_else(|| self.state.wanted_tokens(&task.spec)))
    }

    /// What a task's next turn is asked, nothing cut.
    pub(super) fn messages(&self, task: &Task, endpoint: EndpointIx) -> Vec<Message> {
        match task.work {
            Work::Planning => self.planning_messages(task),
            _ => self.task_messages(task, endpoint),
        }
    }

    fn planning_messages(&self, task: &Task) -> Vec<Message> {
        let goal = self.state.goal(task.id.goal).map(|g| g.text.to_string()).unwrap_or_default();
        let agents = &self.state.config.fleet.agents;
        let (system, user) = planning_prompt(&goal, agents, self.max_tasks(task.id.goal));
        let message = |role, text: String| Message { role, parts: vec![Part::Literal(CleanText::new(&text))] };
        vec![message(Speaker::System, system), message(Speaker::User, user)]
    }

    fn task_messages(&self, task: &Task, endpoint: EndpointIx) -> Vec<Message> {
        let literal = Part::literal;
        let mut parts = vec![literal(Part::BEFORE_GOAL), Part::Goal(task.id.goal), literal(Part::BETWEEN)];
        for need in self.state.told_of(task).into_iter().map(|n| self.state.task(n)) {
            match need.result.filter(|_| need.has_result()) {
                Some(attempt) => {
                    parts.push(literal(&format!("## Result of “{}”\n\n", need.title)));
                    parts.push(Part::ResultOf { attempt, cut: Cut::Whole });
                    parts.extend(self.state.cut_of(need).map(|cut| literal(&super::cut::mark(cut))));
                    parts.extend(self.unread(attempt).map(|words| literal(&words)));
                    parts.push(literal(Part::BETWEEN));
                }
                None => {
                    let why = if need.reason.is_empty() { String::new() } else { format!(": {}", need.reason) };
                    parts.push(literal(&format!(
                        "## No result of “{}”\n\nIt {}{why}. Work without it and say what is missing because of it.\n\n",
                        need.title,
                        ended_word(need)
                    )));
                }
            }
        }
        parts.push(literal(Part::BEFORE_TASK));
        parts.push(Part::TaskPrompt(task.id.clone()));
        let mut system = vec![Part::AgentPrompt(task.spec.agent.clone())];
        // In a very small context the words for it would take a third of all there is.
        if self.may_ask(task) && self.state.endpoint(endpoint).context() >= LEAST_TO_ASK {
            system.push(Part::MayAsk);
        }
        if self.called_tools(task) {
            system.push(literal(NO_TOOLS));
        }
        let mut messages =
            vec![Message { role: Speaker::System, parts: system }, Message { role: Speaker::User, parts }];
        for spoken in self.thread(task) {
            say(&mut messages, task.messages.iter().filter(|m| m.turn == Some(spoken.asked)));
            let answer = Part::AnswerOf { turn: spoken.answer, cut: Cut::Whole };
            messages.push(Message { role: Speaker::Assistant, parts: vec![answer] });
        }
        say(&mut messages, task.unsent());
        messages
    }

    /// Says of a round's answer that not all it stands for was read for it.
    fn unread(&self, round: AttemptId) -> Option<String> {
        let (there, read) = self.state.attempt(round).and_then(|a| self.state.read_by_round(a))?;
        let percent = (u128::from(read) * 100).checked_div(u128::from(there)).filter(|_| read < there)?;
        Some(format!("\n\n[This was made of {percent} % of what it condenses; the rest was read by nobody.]"))
    }

    /// Whether the task's last failure was an answer of nothing but calls of tools.
    fn called_tools(&self, task: &Task) -> bool {
        let ends = task.attempts.iter().rev().filter_map(|id| self.state.attempt(*id)?.ended.as_ref());
        let last = ends.into_iter().find_map(|(_, end)| match end {
            AttemptEnd::Failed(failure) => Some(failure.kind),
            _ => None,
        });
        task.failures > 0 && last == Some(FailureKind::ToolsOnly)
    }

    /// What a task's conversation carries. What was put in by hand stands for the answer
    /// before it, and what was said for that answer stays.
    fn thread(&self, task: &Task) -> Vec<Spoken> {
        let mut thread: Vec<Spoken> = Vec::with_capacity(task.thread.len());
        for id in &task.thread {
            let Some(step) = self.state.step(*id) else { continue };
            let by_hand = matches!(step, Step::Text(_));
            match thread.last_mut() {
                Some(before) if by_hand => before.answer = *id,
                _ => thread.push(Spoken { asked: *id, answer: *id }),
            }
        }
        thread
    }
}

/// Adds what was said: to the question it goes along with, or as the reply to an answer. An answer is never followed by
/// another one: chat templates want question and answer in turn.
fn say<'a>(messages: &mut Vec<Message>, said: impl Iterator<Item = &'a Said>) {
    let words = said.map(|m| m.text.as_str()).collect::<Vec<_>>().join("\n\n");
    let literal = |text: &str| vec![Part::Literal(CleanText::new(text))];
    match messages.last_mut() {
        Some(last) if last.role == Speaker::User => {
            if !words.is_empty() {
                last.parts.extend(literal(&format!("\n\n## From the operator\n\n{words}")));
            }
        }
        _ if words.is_empty() => messages.push(Message { role: Speaker::User, parts: literal(Part::GO_ON) }),
        _ => messages.push(Message { role: Speaker::User, parts: literal(&words) }),
    }
}
