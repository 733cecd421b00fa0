//! Prompts made to fit: results and conversation are cut to their share, what does not fit is told to the model and to the
//! operator, and a prompt that was refused as too long is cut by what its server told.
//!
//! Not here: the arithmetic (`share`), what the pieces are (`prompts`). Invariants: what was sent is not cut anew in a
//! conversation but once; a prompt that was refused is cut and sent again once, at no cost to the task.

use super::Orchestrator;
use super::share::{Load, Share, cut_to};
use crate::domain::protocol::{
    AttemptEnd, AttemptId, Cut, Event, Failure, FailureCount, FailureKind, Message, Part, Remedy, Speaker, Subject,
    TaskRetried, TurnEnd,
};
use crate::domain::state::{Attempt, Density, EndpointIx, Fit, Task, TaskIx};
use crate::domain::text::CleanText;

/// Where the word on results that did not fit stands in the message: after the goal, before the first result.
const AFTER_GOAL: usize = 3;
/// Bytes of the words between the pieces of a prompt, headings of results aside.
const FRAME: usize = 128;

/// What a server that refused a prompt as too long leaves for the next one.
struct Overflow {
    /// How dense the prompt was, where it told.
    density: Option<Density>,
    /// The most bytes of results and conversation that it is sent now.
    most: u64,
}

/// Whether a prompt was refused as longer than the context. Requests that share one context fill it together; that says
/// nothing of any one of them.
fn is_too_long(failure: &Failure) -> bool {
    failure.kind == FailureKind::Context && failure.remedy != Remedy::RetryHere
}

impl Orchestrator {
    /// Cuts results and conversation to their share of an endpoint's context, and says in the prompt what did not fit.
    pub(super) fn fit_into(&self, messages: &mut [Message], task: &Task, endpoint: EndpointIx) -> Share {
        let bytes = |part: &Part| self.state.part_bytes(part, &task.spec);
        let (mut fixed, mut results, mut spoken) = (0, Vec::new(), Vec::new());
        for part in messages.iter().flat_map(|m| &m.parts) {
            match part {
                Part::ResultOf { .. } => results.push(bytes(part)),
                Part::AnswerOf { .. } => spoken.push(bytes(part)),
                _ => fixed += bytes(part),
            }
        }
        let e = self.state.endpoint(endpoint);
        let overflow = self.overflow(task, endpoint);
        let seen = overflow.as_ref().and_then(|o| o.density);
        let held = self.held(messages, task, endpoint).filter(|_| overflow.is_none());
        let held_bytes = held.as_ref().map(|cuts| {
            let cut = |(cut, whole): (&Cut, &u64)| match cut {
                Cut::Whole => *whole,
                Cut::Middle { head, tail } => head + tail,
            };
            cuts.iter().zip(&results).map(cut).sum::<u64>()
        });
        let there: u64 = results.iter().sum();
        let share = Load {
            context: u64::from(e.context()),
            density: seen.map_or(e.density(), |seen| seen.min(e.density())),
            percent: self.state.config.settings.context_percent,
            fixed,
            results: there,
            held: held_bytes,
            spoken: spoken.iter().sum(),
            most: overflow.map_or(u64::MAX, |o| o.most),
            wanted: self.wanted(task),
        }
        .share();
        let cuts = match held.filter(|_| held_bytes == Some(share.results)) {
            Some(cuts) => cuts,
            None => cut_to(share.results, &results),
        };
        let (mut results, mut spoken) = (cuts.into_iter(), cut_to(share.spoken, &spoken).into_iter());
        let mut given = 0;
        for part in messages.iter_mut().flat_map(|m| &mut m.parts) {
            match part {
                Part::ResultOf { cut, .. } => {
                    *cut = results.next().unwrap_or(Cut::Whole);
                    given += bytes(part);
                }
                Part::AnswerOf { cut, .. } => *cut = spoken.next().unwrap_or(Cut::Whole),
                _ => {}
            }
        }
        if given < there
            && let Some(asked) = messages.iter_mut().find(|m| m.role == Speaker::User)
        {
            let percent = Fit { there, given, wanted: 0, limit: 0, own_limit: false }.percent();
            let words =
                format!("Only {percent} % of the results below fit here; say what is missing because of it.\n\n");
            asked.parts.insert(AFTER_GOAL.min(asked.parts.len()), Part::literal(&words));
        }
        share
    }

    /// The bytes of results, headings included, that fit whole into a request of a task's agent beside `words` bytes of a
    /// prompt.
    pub(super) fn room_for_results(&self, task: &Task, words: usize, endpoint: EndpointIx) -> u64 {
        let e = self.state.endpoint(endpoint);
        let overflow = self.overflow(task, endpoint);
        let seen = overflow.as_ref().and_then(|o| o.density);
        let own = [Part::AgentPrompt(task.spec.agent.clone()), Part::Goal(task.id.goal)];
        let load = Load {
            context: u64::from(e.context()),
            density: seen.map_or(e.density(), |seen| seen.min(e.density())),
            percent: self.state.config.settings.context_percent,
            fixed: own.iter().map(|p| self.state.part_bytes(p, &task.spec)).sum::<u64>() + (words + FRAME) as u64,
            results: u64::from(u32::MAX),
            held: None,
            spoken: 0,
            most: overflow.map_or(u64::MAX, |o| o.most),
            wanted: self.wanted(task),
        };
        load.share().results
    }

    /// How the results stand in a conversation as it was sent to an endpoint before; none where they are others now, or
    /// it was not sent there.
    fn held(&self, messages: &[Message], task: &Task, endpoint: EndpointIx) -> Option<Vec<Cut>> {
        let before = task.thread.last()?.attempt;
        let before = self.state.attempt(before).filter(|a| a.endpoint() == Some(endpoint))?;
        let sent = before.turns().last()?;
        let results = |messages: &[Message]| -> Vec<(AttemptId, Cut)> {
            let of = |part: &Part| match part {
                Part::ResultOf { attempt, cut } => Some((*attempt, *cut)),
                _ => None,
            };
            messages.iter().flat_map(|m| &m.parts).filter_map(of).collect()
        };
        let (sent, now) = (results(&sent.recipe.messages), results(messages));
        let same = sent.len() == now.len() && sent.iter().zip(&now).all(|(a, b)| a.0 == b.0);
        same.then(|| sent.into_iter().map(|(_, cut)| cut).collect())
    }

    /// The tries of a task in its form of now at an endpoint that were refused there as too long, the newest first.
    fn refused(&self, task: &Task, endpoint: EndpointIx) -> impl Iterator<Item = (&Attempt, &Failure)> {
        let version = task.version;
        let tries = task.attempts.iter().rev().filter_map(|id| self.state.attempt(*id));
        let here = tries.filter(move |a| a.endpoint() == Some(endpoint) && a.version == version);
        // One that was answered was sent whole. What was interrupted, or broke otherwise, says nothing.
        let answered = |a: &Attempt| {
            let end = a.turn().and_then(|t| t.ended.as_ref());
            matches!(end, Some((_, TurnEnd::Stop | TurnEnd::Length | TurnEnd::ToolCalls)))
        };
        here.take_while(move |a| !answered(a)).filter_map(|a| match &a.ended {
            Some((_, AttemptEnd::Failed(failure))) if is_too_long(failure) => Some((a, failure)),
            _ => None,
        })
    }

    /// What the last try of a task at an endpoint leaves for the next, if it was refused as too long.
    fn overflow(&self, task: &Task, endpoint: EndpointIx) -> Option<Overflow> {
        let (attempt, failure) = self.refused(task, endpoint).next()?;
        let recipe = &attempt.turn()?.recipe;
        let sent = self.state.recipe_bytes(recipe, &attempt.spec);
        let parts = recipe.messages.iter().flat_map(|m| &m.parts);
        let could_be_cut = parts.filter(|p| matches!(p, Part::ResultOf { .. } | Part::AnswerOf { .. }));
        let inserted: u64 = could_be_cut.map(|p| self.state.part_bytes(p, &attempt.spec)).sum();
        let told = &failure.told;
        Some(Overflow {
            density: told.prompt_tokens.and_then(|tokens| Density::of(sent, tokens)).map(Density::careful),
            // With both figures the share follows from them; else it is cut to half.
            most: match (told.prompt_tokens, told.context) {
                (Some(_), Some(_)) => inserted - inserted / 10,
                _ => inserted / 2,
            },
        })
    }

    /// Whether a prompt that was refused as too long is worth sending once more, shorter. Once for each endpoint.
    pub(super) fn fits_if_cut(&self, ix: TaskIx, failure: &Failure) -> bool {
        let task = self.state.task(ix);
        let Some(attempt) = self.state.last_attempt(task).filter(|_| is_too_long(failure)) else {
            return false;
        };
        let Some(endpoint) = attempt.endpoint() else { return false };
        let Some(sent) = attempt.turn().filter(|_| self.refused(task, endpoint).count() == 1) else {
            return false;
        };
        let mut messages = self.messages(task, endpoint);
        let share = self.fit_into(&mut messages, task, endpoint);
        let bytes = |messages: &[Message]| -> u64 {
            messages.iter().flat_map(|m| &m.parts).map(|p| self.state.part_bytes(p, &task.spec)).sum()
        };
        let shorter = bytes(&messages) < bytes(&sent.recipe.messages) || share.answer < u64::from(sent.max_tokens);
        share.holds && shorter
    }

    /// Sends a prompt once more, shorter.
    pub(super) fn cut_and_retry(&mut self, ix: TaskIx, failure: &Failure) {
        let task = self.state.task(ix);
        let (id, route) = (task.id.clone(), task.route);
        self.emit(Event::TaskRetried(TaskRetried {
            task: id,
            not_before: self.now,
            reason: CleanText::one_line(&format!("{}; it is cut to fit and sent once more", failure.message)),
            count: FailureCount::Unchanged,
            route,
        }));
    }

    /// Tells the operator of a task whose turn has much less of the results, or room for its answer, than it was to have;
    /// and that no more is to be told of it.
    pub(super) fn tell_fit(&mut self, ix: TaskIx) {
        let task = self.state.task(ix);
        let subject = Subject::Fit(task.id.clone());
        let Some(attempt) = self.state.last_attempt(task) else { return };
        let Some(fit) = self.state.fit_of(attempt) else { return };
        let Some(e) = self.state.place_of(attempt) else { return };
        let (context, name) = (e.context(), &e.config.name);
        let mut says = Vec::new();
        if fit.is_short() {
            says.push(format!("sees {}: that is what fits into {context} tokens of {name}", fit.words()));
        }
        if fit.is_much_limited() {
            let Fit { wanted, limit, .. } = fit;
            says.push(format!(
                "may answer with {limit} of the {wanted} tokens of its budget: {name} has {context} in all"
            ));
        }
        if says.is_empty() {
            return self.emit_cleared(subject);
        }
        let mend = "give it an agent with a larger context, or less to read";
        let text = format!("“{}” {}; {mend}", task.title, says.join(" and "));
        self.emit_attention(subject, CleanText::one_line(&text));
    }
}
