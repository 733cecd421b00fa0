//! A recipe becomes messages: pieces looked up in the state and the text store.

use crate::domain::orchestrator::QUESTIONS;
use crate::domain::protocol::{Channel, Part, Recipe, Speaker, TurnId};
use crate::domain::state::State;
use crate::engine::journal::{Digest, JournalError, TextStore, cut_text};

/// A prompt as it is sent.
pub(super) struct Prompt {
    pub messages: Vec<(Speaker, String)>,
    /// [`Digest`] over speakers and texts, in order.
    pub digest: String,
}

/// Expands the recipe of a turn. The task's own prompt is that of the form its attempt started with, whatever was made of
/// the task since.
///
/// # Errors
/// When an older result can't be read back from the journal.
pub(super) fn expand(turn: TurnId, recipe: &Recipe, state: &State, texts: &TextStore) -> Result<Prompt, JournalError> {
    let mut digest = Digest::default();
    let mut messages: Vec<(Speaker, String)> = Vec::with_capacity(recipe.messages.len());
    for message in recipe.messages.iter() {
        let mut text = String::new();
        for part in &message.parts {
            match part {
                Part::AgentPrompt(agent) => {
                    text.push_str(state.config.fleet.agent(agent).map_or("", |a| a.prompt.as_str()));
                }
                Part::MayAsk => text.push_str(QUESTIONS),
                Part::Literal(words) => text.push_str(words),
                Part::Goal(goal) => text.push_str(state.goal(*goal).map_or("", |g| &g.text)),
                Part::TaskPrompt(task) => {
                    let own = state.attempt(turn.attempt).filter(|a| state.task(a.task).id == *task).map(|a| &a.spec);
                    let form = own.or_else(|| state.task_by_id(task).map(|t| &t.spec));
                    text.push_str(form.map_or("", |form| form.prompt.as_str()));
                }
                Part::ResultOf { attempt, cut } => {
                    // What it asked or said before is no part of its result.
                    let turns = state.attempt(*attempt).map(|a| state.result_turns(a)).unwrap_or_default();
                    let mut whole = String::new();
                    for turn in turns {
                        whole.push_str(&texts.turn_text(turn, Channel::Answer)?);
                    }
                    text.push_str(cut_text(&whole, *cut).trim());
                }
                Part::AnswerOf { turn, cut } => text.push_str(texts.cut(*turn, Channel::Answer, *cut)?.trim()),
            }
        }
        digest.update(speaker(message.role).as_bytes());
        digest.update(text.as_bytes());
        messages.push((message.role, text));
    }
    Ok(Prompt { messages, digest: digest.hex() })
}

fn speaker(role: Speaker) -> &'static str {
    match role {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Tool => "tool",
    }
}
