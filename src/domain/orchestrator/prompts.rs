//! What a turn is asked: the recipe of its prompt, with results of dependencies cut to the context's budget.

use super::Orchestrator;
use super::goals::ended_word;
use crate::domain::plan::planning_prompt;
use crate::domain::protocol::{AttemptEnd, AttemptId, Cut, FailureKind, Message, Part, Recipe, Speaker, TurnId, Work};
use crate::domain::state::{EndpointIx, Said, Task, TaskIx};
use crate::domain::text::CleanText;

/// Bytes of text a token stands for, on the careful side (English is about four, code and other languages less).
const BYTES_PER_TOKEN: u64 = 3;
/// Tokens kept free for the chat template and counting errors.
const MARGIN_TOKENS: u64 = 256;

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
    bytes: u64,
}

impl Orchestrator {
    /// The recipe of a task's first turn on an endpoint, and the most tokens it may answer.
    pub(super) fn recipe(&self, ix: TaskIx, endpoint: EndpointIx) -> (Recipe, u32) {
        let task = self.state.task(ix);
        let context = u64::from(self.state.endpoint(endpoint).context().max(512));
        let agent = self.state.config.fleet.agent(&task.spec.agent);
        let budget = task.limit.or(task.spec.budget.tokens);
        let wanted = budget.unwrap_or_else(|| agent.map_or(2048, |a| a.max_tokens));
        // At most three quarters of the context are for the answer, so that there is room for the question.
        let max_tokens = u64::from(wanted).min(context * 3 / 4).max(1);
        if let Some((recipe, limit)) = self.continuation(ix, endpoint, max_tokens) {
            return (recipe, u32::try_from(limit).unwrap_or(u32::MAX));
        }
        let recipe = match task.work {
            Work::Planning => self.planning_recipe(task),
            _ => self.task_recipe(task, context, max_tokens),
        };
        (recipe, u32::try_from(max_tokens).unwrap_or(u32::MAX))
    }

    fn planning_recipe(&self, task: &Task) -> Recipe {
        let goal = self.state.goal(task.id.goal).map(|g| g.text.to_string()).unwrap_or_default();
        let agents = &self.state.config.fleet.agents;
        let (system, user) = planning_prompt(&goal, agents, self.max_tasks(task.id.goal));
        let message = |role, text: String| Message { role, parts: vec![Part::Literal(CleanText::new(&text))] };
        vec![message(Speaker::System, system), message(Speaker::User, user)].into()
    }

    fn task_recipe(&self, task: &Task, context: u64, max_tokens: u64) -> Recipe {
        let literal = Part::literal;
        let agent = self.state.config.fleet.agent(&task.spec.agent);
        let goal = self.state.goal(task.id.goal);
        let convention = if self.may_ask(task) { super::talk::QUESTIONS } else { "" };
        let said: usize = task.messages.iter().map(|m| m.text.len()).sum();
        let fixed = agent.map_or(0, |a| a.prompt.len()) as u64
            + (convention.len() + task.spec.prompt.len() + said) as u64
            + goal.map_or(0, |g| g.text.len()) as u64;
        let mut parts = vec![literal(Part::BEFORE_GOAL), Part::Goal(task.id.goal), literal(Part::BETWEEN)];

        let share = u64::from(self.state.config.settings.context_percent.min(90));
        let by_share = context * share / 100;
        let by_room = context.saturating_sub(max_tokens + MARGIN_TOKENS + fixed / BYTES_PER_TOKEN);
        let thread = self.thread(task);
        let spoken: u64 = thread.iter().map(|t| t.bytes).sum();
        // As much for results as in the turns before, while the conversation leaves it: a prompt that begins as the one
        // before is read faster.
        let room = by_room * BYTES_PER_TOKEN;
        let budget = (by_share * BYTES_PER_TOKEN).min(room.saturating_sub(spoken).max(room / 2));
        let needs: Vec<&Task> = task.needs.iter().map(|n| self.state.task(*n)).collect();
        let results: Vec<(AttemptId, u64)> = needs
            .iter()
            .filter(|n| n.has_result())
            .filter_map(|n| n.result)
            .map(|a| (a, self.state.attempt(a).map_or(0, |x| self.state.answer_bytes(x))))
            .collect();
        let cuts = cut_to(budget, &results);
        let inserted: u64 = results.iter().map(|(_, bytes)| bytes).sum::<u64>().min(budget);
        for need in needs {
            let result = need.result.filter(|_| need.has_result());
            match result.and_then(|a| cuts.iter().find(|(c, _)| *c == a)) {
                Some((attempt, cut)) => {
                    parts.push(literal(&format!("## Result of “{}”\n\n", need.title)));
                    parts.push(Part::ResultOf { attempt: *attempt, cut: *cut });
                    parts.extend(self.state.cut_of(need).map(|cut| literal(&super::cut::mark(cut))));
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
        if !convention.is_empty() {
            system.push(Part::MayAsk);
        }
        if self.called_tools(task) {
            system.push(literal(NO_TOOLS));
        }
        let mut messages =
            vec![Message { role: Speaker::System, parts: system }, Message { role: Speaker::User, parts }];
        let answers: Vec<(Spoken, u64)> = thread.into_iter().map(|t| (t, t.bytes)).collect();
        for (spoken, cut) in cut_to(room - inserted.min(room), &answers) {
            say(&mut messages, task.messages.iter().filter(|m| m.turn == Some(spoken.asked)));
            let answer = Part::AnswerOf { turn: spoken.answer, cut };
            messages.push(Message { role: Speaker::Assistant, parts: vec![answer] });
        }
        say(&mut messages, task.unsent());
        messages.into()
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

    /// What a task's conversation carries. What was put in by hand (a turn that asked nothing) stands for the answer
    /// before it, and what was said for that answer stays.
    fn thread(&self, task: &Task) -> Vec<Spoken> {
        let mut thread: Vec<Spoken> = Vec::with_capacity(task.thread.len());
        for id in &task.thread {
            let turns = self.state.attempt(id.attempt).map(|a| &a.turns);
            let Some(turn) = turns.and_then(|t| t.get((id.turn as usize).wrapping_sub(1))) else { continue };
            let by_hand = turn.recipe.messages.is_empty();
            match thread.last_mut() {
                Some(before) if by_hand => *before = Spoken { answer: *id, bytes: turn.answer.bytes, ..*before },
                _ => thread.push(Spoken { asked: *id, answer: *id, bytes: turn.answer.bytes }),
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

/// Divides a budget of bytes among results: short ones whole, the rest an equal share each, cut in the middle.
fn cut_to<Id: Copy>(budget: u64, results: &[(Id, u64)]) -> Vec<(Id, Cut)> {
    let mut by_size: Vec<usize> = (0..results.len()).collect();
    by_size.sort_by_key(|i| results[*i].1);
    let mut cuts = vec![Cut::Whole; results.len()];
    let mut left = budget;
    for (done, i) in by_size.iter().enumerate() {
        let share = left / (results.len() - done) as u64;
        let size = results[*i].1;
        if size <= share {
            left -= size;
        } else {
            cuts[*i] = Cut::Middle { head: share * 7 / 10, tail: share - share * 7 / 10 };
            left -= share;
        }
    }
    results.iter().zip(cuts).map(|((a, _), c)| (*a, c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_results_stay_whole_and_long_ones_share_what_is_left() {
        let results = [(AttemptId(1), 100), (AttemptId(2), 10_000), (AttemptId(3), 20_000)];
        let cuts = cut_to(2_100, &results);
        assert_eq!(cuts[0].1, Cut::Whole);
        assert_eq!(cuts[1].1, Cut::Middle { head: 700, tail: 300 });
        assert_eq!(cuts[2].1, Cut::Middle { head: 700, tail: 300 });
        assert!(cut_to(1 << 40, &results).iter().all(|(_, c)| *c == Cut::Whole));
        assert_eq!(cut_to(0, &results)[1].1, Cut::Middle { head: 0, tail: 0 });
    }
}
