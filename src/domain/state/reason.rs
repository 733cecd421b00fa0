//! "Why?" in words: one true sentence for every task in every status, and for slots that idle, with what would release
//! them.
//!
//! Not here: whether a task may start, and the words of what keeps it from starting ([`super::admit`], which the
//! orchestrator goes by too). Invariant: nothing is said of a start that `admit` does not say.

use super::{Attempt, End, IdleWhy, Life, State, Task, TaskIx};
use crate::domain::protocol::{AttemptEnd, Micros, Partial};
use crate::domain::text::CleanText;

/// Whether a task is on the critical path; whoever asks has worked that out for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// The goal ends no sooner than the chain that begins with it.
    Critical,
    /// It has time, or nobody looked.
    Usual,
}

impl State {
    /// Why a task runs, waits, asks or ended, and what would release it.
    pub fn why_words(&self, ix: TaskIx, now: Micros, urgency: Urgency) -> CleanText {
        let task = self.task(ix);
        let mut parts = Vec::new();
        if task.removed {
            return CleanText::from_static("taken out of the plan; u puts it back");
        }
        match (task.life, &task.asking) {
            (Life::Running, Some(question)) => {
                let since = now.since(question.since).words();
                parts.push(format!("asks you for {since}: {}", question.text));
                parts.push("a answers; its slot is free meanwhile".to_owned());
                self.consequences(ix, urgency, &mut parts);
            }
            (Life::Running, None) => self.running_words(ix, now, urgency, &mut parts),
            (Life::NotStarted, _) => {
                parts.push(match self.admit(ix, now) {
                    Ok(_) => "starts now".to_owned(),
                    Err(why) => why.to_string(),
                });
                if task.held && !task.thread.is_empty() {
                    parts.push("what it said is kept".to_owned());
                }
                self.consequences(ix, urgency, &mut parts);
            }
            (Life::Ended(end), _) => self.ended_words(task, end, now, &mut parts),
        }
        match task.unsent().count() {
            0 => {}
            1 => parts.push("a message waits for its next turn".to_owned()),
            n => parts.push(format!("{n} messages wait for its next turn")),
        }
        CleanText::one_line(&parts.join(" · "))
    }

    fn running_words(&self, ix: TaskIx, now: Micros, urgency: Urgency, parts: &mut Vec<String>) {
        let task = self.task(ix);
        if self.between_turns(task).is_some() {
            parts.push(match self.admit(ix, now) {
                Ok(_) => "its next turn starts now".to_owned(),
                Err(why) => format!("its next turn waits: {why}"),
            });
        } else if let Some(attempt) = self.last_attempt(task)
            && let Some(e) = self.place_of(attempt)
        {
            // The first try goes without saying; narrow screens have one line for all of this.
            let tries = task.attempts.len();
            let again = if tries > 1 { format!(", try {tries}") } else { String::new() };
            let slot = attempt.turn().map(|t| format!(" {}", t.slot + 1)).unwrap_or_default();
            let mut first = format!("{}{slot}{again}, {}", e.config.brief(), attempt.elapsed(now).words());
            if let Some(share) = attempt.context_share(e.context()) {
                first.push_str(&format!(", context {:.0}%", share * 100.0));
            }
            parts.push(first);
        }
        self.consequences(ix, urgency, parts);
        if task.held {
            parts.push("held when its turn ends; p releases it".to_owned());
        }
        if task.failures + task.setbacks > 0 && !task.reason.is_empty() {
            parts.push(task.reason.to_string());
        }
    }

    fn ended_words(&self, task: &Task, end: End, now: Micros, parts: &mut Vec<String>) {
        let word = match end {
            End::Done => "done",
            End::Failed => "failed",
            End::Cancelled(_) => "cancelled",
            End::Skipped => "skipped",
        };
        let last = self.last_attempt(task);
        let ran = |a: &Attempt| {
            let (place, tries) = (self.place_of(a).map_or("", |e| e.config.short()), task.attempts.len());
            format!("{word} on {place}, try {tries}, {}, {} tokens", a.elapsed(now).words(), a.output_tokens())
        };
        parts.push(if task.edited {
            format!("{word}; its result was put in by hand")
        } else {
            last.filter(|_| end != End::Skipped).map_or_else(|| word.to_owned(), ran)
        });
        let why = match last.and_then(|a| a.ended.as_ref()) {
            _ if end == End::Done => None,
            _ if !task.reason.is_empty() => Some(&task.reason),
            Some((_, AttemptEnd::Failed(failure))) => Some(&failure.message),
            _ => None,
        };
        parts.extend(why.map(ToString::to_string));
        match end {
            End::Done if let Some(cut) = self.cut_of(task) => {
                parts.push(format!("{cut}; r runs it again"));
            }
            End::Done if task.dirty => parts.push("its form or inputs changed since; r runs it again".to_owned()),
            End::Done => {}
            End::Failed => parts.push("r tries again".to_owned()),
            End::Cancelled(Partial::Kept) if task.result.is_some() => {
                parts.push("what it had said is kept; i goes on with it, r starts over".to_owned());
            }
            End::Cancelled(_) | End::Skipped => parts.push("r runs it".to_owned()),
        }
    }

    fn consequences(&self, ix: TaskIx, urgency: Urgency, parts: &mut Vec<String>) {
        match (urgency, self.impact(ix)) {
            (Urgency::Critical, 0) => parts.push("critical".to_owned()),
            (Urgency::Critical, n) => parts.push(format!("critical, {n} wait")),
            (Urgency::Usual, 0) => {}
            (Urgency::Usual, n) => parts.push(format!("{n} wait for it")),
        }
    }
}

impl IdleWhy {
    /// The reason with what would release the slots.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Paused => "paused; P resumes",
            Self::Down => "down; ctrl-r probes it",
            Self::Draining => "it runs empty as you asked; p on it takes tasks again",
            Self::Asked => "its server asked for a wait, or had no room; then it takes tasks again",
            Self::NoTask => "no task of its tiers is ready; the next one that is takes a slot",
            Self::Limit => "the goal's limit is reached; the next task to end frees a place",
            Self::Memory => {
                "a goal's models do not fit into memory; ! says what is short, a there starts it all the same"
            }
            Self::Throttled => "this machine is hard pressed; fewer tasks start here until that is over",
            Self::Nothing => "nothing is left to do; ctrl-n gives a new goal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{AttemptId, AttemptStarted, Event, Record, TaskId};
    use crate::domain::state::Status;

    fn id(text: &str) -> TaskId {
        text.parse().unwrap()
    }

    /// Three tasks in a row on one endpoint of one slot, and `events` after that.
    fn state(events: impl IntoIterator<Item = serde_json::Value>) -> State {
        let spec = |name: &str, needs: &[&str]| serde_json::json!({"id": name, "title": format!("Task {name}"), "agent": "worker", "prompt": "p", "needs": needs});
        let config = serde_json::json!({
            "fleet": {"name": "f", "endpoint": [
                {"name": "athene", "title": "Athene V2", "tiers": ["main"], "protocol": "llama.cpp",
                 "url": "http://127.0.0.1:1", "model": "m", "slots": 1, "context": 1000}
            ], "agent": [{"name": "worker", "description": "d", "tier": "main", "prompt": "p"}]},
            "settings": {}, "seed": 1,
        });
        let base = [
            serde_json::json!({"event": "session.started", "data": {"session": "s", "config": config}}),
            serde_json::json!({"event": "goal.added", "data": {"goal": "g1", "text": "g", "options": {}}}),
            serde_json::json!({"event": "plan.edited", "data": {"goal": "g1", "revision": 1, "author": "baton",
                "edits": [{"add": spec("a", &[])}, {"add": spec("b", &["a"])}, {"add": spec("c", &[])}]}}),
            serde_json::json!({"event": "goal.approved", "data": {"goal": "g1"}}),
        ];
        let mut state = State::default();
        for (i, event) in base.into_iter().chain(events).enumerate() {
            let event: Event = serde_json::from_value(event).unwrap();
            state.apply(&Record { seq: i as u64 + 1, at: Micros::from_secs(i as u64), event });
        }
        state
    }

    fn event(tag: &str, data: serde_json::Value) -> serde_json::Value {
        serde_json::json!({"event": tag, "data": data})
    }

    fn task(tag: &str) -> serde_json::Value {
        event(tag, serde_json::json!({"task": "g1/a"}))
    }

    fn started() -> [serde_json::Value; 3] {
        let attempt = AttemptStarted {
            attempt: AttemptId(1),
            task: id("g1/a"),
            version: 1,
            agent: "worker".parse().unwrap(),
            endpoint: "athene".parse().unwrap(),
            route: crate::domain::protocol::Route::Primary,
        };
        [
            task("task.started"),
            event("attempt.started", serde_json::to_value(attempt).unwrap()),
            event(
                "turn.started",
                serde_json::json!({"turn": "a1.1", "slot": 0, "level": "low", "max_tokens": 9, "recipe": []}),
            ),
        ]
    }

    fn ended(end: &str) -> [serde_json::Value; 2] {
        [
            event("turn.ended", serde_json::json!({"turn": "a1.1", "end": end, "slot": "free"})),
            event("attempt.ended", serde_json::json!({"attempt": "a1", "end": "completed"})),
        ]
    }

    #[test]
    fn every_status_has_a_sentence_that_says_what_admit_says() {
        let begun = || started().to_vec();
        let over = |end: &str, last: serde_json::Value| [started().to_vec(), ended(end).to_vec(), vec![last]].concat();
        let asks = event("task.asked", serde_json::json!({"task": "g1/a", "turn": "a1.1", "question": "Keep them?"}));
        let done = event("task.completed", serde_json::json!({"task": "g1/a", "attempt": "a1"}));
        let with = |reason: &str| serde_json::json!({"task": "g1/a", "reason": reason});
        let held = task("task.held");
        let removed = event(
            "plan.edited",
            serde_json::json!({"goal": "g1", "revision": 2, "author": "baton", "edits": [{"remove": "a"}]}),
        );
        let message = event("message.sent", serde_json::json!({"task": "g1/a", "author": "baton", "text": "hi"}));
        let cases: Vec<(Vec<serde_json::Value>, &str, Status, &[&str])> = vec![
            (vec![], "g1/a", Status::Ready, &["starts now", "1 wait for it"]),
            (vec![], "g1/b", Status::Pending, &["needs “Task a” to end"]),
            (begun(), "g1/a", Status::Running, &["Athene 1", "s"]),
            (begun(), "g1/c", Status::Ready, &["all 1 slots of Athene are busy"]),
            (vec![event("session.paused", serde_json::json!({}))], "g1/a", Status::Waiting, &["paused; P resumes"]),
            (vec![event("goal.drafted", serde_json::json!({"goal": "g1"}))], "g1/a", Status::Waiting, &["review"]),
            (vec![held.clone()], "g1/a", Status::Held, &["held by you; p releases it"]),
            (vec![message.clone()], "g1/a", Status::Ready, &["starts now", "a message waits for its next turn"]),
            ([begun(), vec![held]].concat(), "g1/a", Status::Running, &["Athene 1", "held when its turn ends"]),
            (
                [begun(), vec![asks]].concat(),
                "g1/a",
                Status::Asking,
                &["asks you", "Keep them?", "a answers", "1 wait for it"],
            ),
            (
                [begun(), vec![message], vec![ended("stop")[0].clone()]].concat(),
                "g1/a",
                Status::Running,
                &["its next turn starts now"],
            ),
            (over("stop", done), "g1/a", Status::Done, &["done on Athene, try 1"]),
            (
                over("stop", event("task.failed", with("it broke"))),
                "g1/a",
                Status::Failed,
                &["it broke", "r tries again"],
            ),
            (over("stop", event("task.failed", with("it broke"))), "g1/b", Status::Blocked, &["“Task a” failed"]),
            (
                vec![event("task.skipped", with("skipped by you"))],
                "g1/a",
                Status::Skipped,
                &["skipped by you", "r runs it"],
            ),
            (
                over("cancelled", event("task.cancelled", serde_json::json!({"task": "g1/a", "keep": "kept"}))),
                "g1/a",
                Status::Cancelled,
                &["cancelled on Athene", "r runs it"],
            ),
            (
                vec![event(
                    "task.retried",
                    serde_json::json!({"task": "g1/a", "not_before": 90_000_000, "reason": "it broke",
                        "count": "counted", "route": "primary"}),
                )],
                "g1/a",
                Status::Waiting,
                &["waits 80 s more: it broke"],
            ),
            (vec![removed], "g1/a", Status::Waiting, &["taken out of the plan; u puts it back"]),
        ];
        let now = Micros::from_secs(10);
        for (events, name, status, words) in cases {
            let state = state(events);
            let ix = state.find(&id(name)).unwrap();
            let said = state.why_words(ix, now, Urgency::Usual);
            assert_eq!(state.status(ix, now), status, "{name}: {said}");
            for word in words {
                assert!(said.contains(word), "{name} is {status:?}: {said:?} lacks {word:?}");
            }
            assert!(!said.is_empty() && !said.contains('\n'));
            // What is said of a start is what decides it.
            let task = state.task(ix);
            if task.life == Life::NotStarted && !task.removed {
                match state.admit(ix, now) {
                    Ok(_) => assert!(said.contains("starts now"), "{said}"),
                    Err(why) => assert!(said.contains(&why.to_string()), "{said} lacks {why}"),
                }
            }
        }
    }

    #[test]
    fn the_critical_path_is_named() {
        let state = state([]);
        let ix = state.find(&id("g1/a")).unwrap();
        assert!(state.why_words(ix, Micros(0), Urgency::Critical).ends_with("critical, 1 wait"));
    }
}
