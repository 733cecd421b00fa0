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
                Part::AnswerOf { turn, cut } => {
                    let said = texts.cut(*turn, Channel::Answer, *cut)?;
                    // What is to be continued ends where it was cut: a line end or a space there is part of it.
                    text.push_str(if recipe.continues().is_some() { &said } else { said.trim() });
                }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::protocol::{AttemptId, Cut, Event, Message, Micros, Record};
    use crate::domain::text::CleanText;

    #[test]
    fn a_result_of_two_parts_is_joined_before_it_is_cut() {
        let config = serde_json::json!({"fleet": {"name": "f", "endpoint": [
            {"name": "e", "tiers": ["t"], "protocol": "llama.cpp", "url": "http://127.0.0.1:1", "model": "m", "slots": 1,
             "context": 4096}
        ], "agent": [{"name": "w", "description": "d", "tier": "t", "prompt": "p"}]}, "settings": {}, "seed": 1});
        let spec = serde_json::json!({"id": "a", "agent": "w", "prompt": "p"});
        let turn =
            |turn: &str| serde_json::json!({"turn": turn, "slot": 0, "level": "low", "max_tokens": 9, "recipe": []});
        let said =
            |turn: &str, text: &str| serde_json::json!({"turn": turn, "channel": "answer", "text": text, "tokens": 9});
        let ended = |turn: &str, end: &str| serde_json::json!({"turn": turn, "end": end, "slot": "free"});
        let events = [
            ("session.started", serde_json::json!({"session": "s", "config": config})),
            ("goal.added", serde_json::json!({"goal": "g1", "text": "g", "options": {}})),
            (
                "plan.edited",
                serde_json::json!({"goal": "g1", "revision": 1, "author": "baton", "edits": [{"add": spec}]}),
            ),
            ("task.started", serde_json::json!({"task": "g1/a"})),
            (
                "attempt.started",
                serde_json::json!({"attempt": "a1", "task": "g1/a", "version": 1, "agent": "w",
                "endpoint": "e", "route": "primary"}),
            ),
            ("turn.started", turn("a1.1")),
            ("attempt.output", said("a1.1", "0123456 \n")),
            ("turn.ended", ended("a1.1", "length")),
            ("turn.started", turn("a1.2")),
            ("attempt.output", said("a1.2", "789")),
            ("turn.ended", ended("a1.2", "stop")),
        ];
        let (mut state, mut texts) = (State::default(), TextStore::new("nowhere", usize::MAX));
        for (seq, (event, data)) in (1..).zip(events) {
            let event: Event = serde_json::from_value(serde_json::json!({"event": event, "data": data})).unwrap();
            let record = Arc::new(Record { seq, at: Micros(seq), event });
            state.apply(&record);
            texts.feed(&record, seq);
        }
        let expanded = |cut: Cut| {
            let parts = vec![Part::ResultOf { attempt: AttemptId(1), cut }, Part::Literal(CleanText::from("."))];
            let recipe = Recipe::from(vec![Message { role: Speaker::User, parts }]);
            let of = TurnId { attempt: AttemptId(2), turn: 1 };
            expand(of, &recipe, &state, &texts).unwrap().messages[0].1.clone()
        };
        let answer = || Message {
            role: Speaker::Assistant,
            parts: vec![Part::AnswerOf { turn: TurnId { attempt: AttemptId(1), turn: 1 }, cut: Cut::Whole }],
        };
        let word = |words| Message { role: Speaker::User, parts: vec![Part::Literal(CleanText::from(words))] };
        for (words, sent) in [(Part::GO_ON, "0123456 \n"), ("Thanks.", "0123456")] {
            let of = TurnId { attempt: AttemptId(1), turn: 2 };
            let prompt = expand(of, &Recipe::from(vec![answer(), word(words)]), &state, &texts).unwrap();
            assert_eq!(prompt.messages[0].1, sent, "what is continued is sent as it is");
        }
        assert_eq!(expanded(Cut::Whole), "0123456 \n789.");
        assert_eq!(expanded(Cut::Middle { head: 2, tail: 4 }), "01\n[… 6 bytes left out …]\n\n789.");
    }
}
