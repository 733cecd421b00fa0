//! A card asks before work ends or is released. The harmless choice is focused; a card never opens by itself, and is
//! deaf for its first 300 ms, so that a key meant for the screen below decides nothing.

use super::many::{Fates, listed, span};
use super::reruns::{self, reruns};
use super::{Leave, Next, SessionForm, UiEffect};
use crate::domain::protocol::{Command, Micros, Partial, RetryScope, SessionId, StopScope, TaskId, Work};
use crate::domain::state::{End, Life, State};
use crate::domain::text::CleanText;

/// A question with its answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// What it is about.
    pub kind: CardKind,
    /// The question.
    pub title: CleanText,
    /// What is at stake, a line each.
    pub body: Vec<CleanText>,
    /// The answers, the harmless one among them focused at first.
    pub choices: Vec<Choice>,
    /// The focused answer.
    pub focused: usize,
    /// When it opened.
    pub opened: Micros,
}

/// What a card is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardKind {
    /// Leaving while something runs.
    Leave,
    /// Suspending while something runs.
    Suspend,
    /// Stopping one task.
    Stop,
    /// Anything else that acts on many.
    Confirm,
}

/// One answer of a card.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Its letter; `None` for the one that does nothing, which is esc.
    pub key: Option<char>,
    /// What it does.
    pub words: CleanText,
    /// What comes of it.
    pub effects: Vec<UiEffect>,
}

impl Choice {
    /// An answer that acts.
    pub fn new(key: char, words: impl Into<CleanText>, effects: Vec<UiEffect>) -> Self {
        Self { key: Some(key), words: words.into(), effects }
    }

    /// The answer that does nothing.
    pub fn nothing(words: impl Into<CleanText>) -> Self {
        Self { key: None, words: words.into(), effects: Vec::new() }
    }
}

impl Card {
    /// How long a card is deaf after it opened.
    pub(super) const DEAF: Micros = Micros::from_millis(300);

    /// A card that asks; the first choice is focused.
    pub fn confirm(title: impl Into<CleanText>, body: Vec<CleanText>, choices: Vec<Choice>, now: Micros) -> Self {
        Self { kind: CardKind::Confirm, title: title.into(), body, choices, focused: 0, opened: now }
    }

    /// Leaving while something runs; none when nothing does.
    pub fn leave(state: &State, now: Micros) -> Option<Self> {
        let running = state.running().len();
        if running == 0 {
            return None;
        }
        let open = state.progress(None).waiting;
        let body = vec![CleanText::from(match (running, open) {
            (1, 0) => "1 agent is at work; nothing waits.".to_owned(),
            (n, 0) => format!("{n} agents are at work; nothing waits."),
            (1, 1) => "1 agent is at work; 1 more task waits.".to_owned(),
            (n, 1) => format!("{n} agents are at work; 1 more task waits."),
            (1, w) => format!("1 agent is at work; {w} more tasks wait."),
            (n, w) => format!("{n} agents are at work; {w} more tasks wait."),
        })];
        let choices = vec![
            Choice::new('d', "detach: give the shell back, keep working", vec![UiEffect::Detach]),
            Choice::new(
                'w',
                "finish what runs, start nothing new, then quit",
                vec![UiEffect::Quit(Leave::AfterRunning)],
            ),
            Choice::new('x', "stop all and quit; resume takes it up again", vec![UiEffect::Quit(Leave::CancelAll)]),
            Choice::nothing("stay"),
        ];
        Some(Self { kind: CardKind::Leave, title: "Leave".into(), body, choices, focused: 0, opened: now })
    }

    /// Leaving this session for something else; none when nothing runs that would be ended by it.
    pub(super) fn leave_for(state: &State, next: &Next, now: Micros) -> Option<Self> {
        let agents = match state.running().len() {
            0 => return None,
            1 => "1 agent is at work here.".to_owned(),
            n => format!("{n} agents are at work here."),
        };
        let what = match next {
            Next::Fleet(_) | Next::New => "begin anew",
            Next::Resume(_) => "take the other session up",
            Next::Replay(_) => "look at the other session's past",
            Next::Attach(_) => "go to the other session",
        };
        let body = vec![agents.into(), "To leave this session ends it; r on the list takes it up again.".into()];
        let choices = vec![
            Choice::nothing("stay"),
            Choice::new(
                'x',
                format!("cancel what runs, keeping partial answers, and {what}"),
                vec![UiEffect::Go(next.clone())],
            ),
        ];
        Some(Self::confirm("Leave this session", body, choices, now))
    }

    /// What to save of a session; none when there is neither an answer nor a session.
    pub(super) fn save(answer: Option<UiEffect>, session: Option<&SessionId>, now: Micros) -> Option<Self> {
        let mut choices: Vec<Choice> = answer.map(|a| Choice::new('a', "the answer", vec![a])).into_iter().collect();
        let forms = [
            ('r', "a report: figures, tables, answers, failures, what remains", SessionForm::Report),
            ('t', "the transcript: plans, prompts, all that was answered", SessionForm::Transcript),
            ('j', "every record, a line of JSON each", SessionForm::Records),
        ];
        for (key, words, form) in forms.into_iter().filter(|_| session.is_some()) {
            let save = session.map(|id| UiEffect::SaveSession(id.clone(), form));
            choices.push(Choice::new(key, words, save.into_iter().collect()));
        }
        if choices.is_empty() {
            return None;
        }
        choices.push(Choice::nothing("nothing"));
        let body = vec![CleanText::from_static("It goes to a new file in the folder Baton was started in.")];
        Some(Self::confirm("Save", body, choices, now))
    }

    /// Suspending while something runs; none when nothing does.
    pub fn suspend(state: &State, now: Micros) -> Option<Self> {
        let running = state.running().len();
        let agents = match running {
            0 => return None,
            1 => "1 agent is at work.".to_owned(),
            n => format!("{n} agents are at work."),
        };
        let body = vec![
            agents.into(),
            CleanText::from_static("A suspended Baton reads nothing: servers give up on it, and attempts fail."),
        ];
        let choices = vec![
            Choice::new('d', "detach: give the shell back, keep working", vec![UiEffect::Detach]),
            Choice::new('z', "suspend all the same; ctrl-z again does it too", vec![UiEffect::Suspend]),
            Choice::nothing("stay"),
        ];
        Some(Self { kind: CardKind::Suspend, title: "Suspend".into(), body, choices, focused: 0, opened: now })
    }

    /// Stopping one task; none when it has ended.
    pub fn stop(state: &State, task: &TaskId, now: Micros) -> Option<Self> {
        let t = state.task_by_id(task).filter(|t| !t.has_ended() && !t.removed)?;
        let mut body = vec![t.title.clone()];
        if let Some(attempt) = state.last_attempt(t).filter(|a| a.ended.is_none()) {
            body.push(
                format!("{} tokens in {} s so far", attempt.output_tokens(), attempt.elapsed(now).0 / 1_000_000).into(),
            );
        }
        let fates = state.find(task).map(|ix| Fates::of(state, ix)).unwrap_or_default();
        body.extend(fates.words(state));
        let stop = |partial| vec![UiEffect::Send(Command::Stop { scope: StopScope::Task(task.clone()), partial })];
        let written = state.last_attempt(t).is_some_and(|a| state.answer_bytes(a) > 0);
        let end = fates.end();
        let keep = match (fates.direct.len(), written) {
            (_, false) => format!("cancel; it has written nothing to keep{end}"),
            (0, true) => "cancel, keeping the partial answer".to_owned(),
            (1, true) => "cancel; the one that needs it gets the partial answer".to_owned(),
            (n, true) => format!("cancel; the {n} that need it get the partial answer"),
        };
        let mut choices = vec![
            Choice::nothing("let it go on"),
            Choice::new('k', keep, stop(Partial::Kept)),
            Choice::new('d', format!("cancel and discard what it wrote{end}"), stop(Partial::Discarded)),
        ];
        // A goal needs its plan: that can be stopped, not skipped.
        if t.work != Work::Planning {
            let words = format!("skip it, as if it were not in the plan{end}");
            choices.push(Choice::new('s', words, vec![UiEffect::Send(Command::Skip(task.clone()))]));
        }
        Some(Self { kind: CardKind::Stop, title: "Stop this task".into(), body, choices, focused: 0, opened: now })
    }

    /// Stopping everything; none when nothing is open.
    pub(super) fn stop_all(state: &State, now: Micros) -> Option<Self> {
        let progress = state.progress(None);
        let open = progress.running + progress.waiting;
        if open == 0 {
            return None;
        }
        let stop = |partial| vec![UiEffect::Send(Command::Stop { scope: StopScope::All, partial })];
        let body = vec![format!("{} run, {} wait; the session stays open.", progress.running, progress.waiting).into()];
        let choices = vec![
            Choice::nothing("let them go on"),
            Choice::new('k', "cancel all, keeping partial answers", stop(Partial::Kept)),
            Choice::new('d', "cancel all and discard what they wrote", stop(Partial::Discarded)),
        ];
        Some(Self::confirm("Stop all tasks", body, choices, now))
    }

    /// Retrying everything that failed; none when nothing did.
    pub(super) fn retry_failed(state: &State, now: Micros) -> Option<Self> {
        let again = reruns(state, &RetryScope::Failed);
        let failed = again.iter().filter(|ix| state.task(**ix).life == Life::Ended(End::Failed)).count();
        if failed == 0 {
            return None;
        }
        let seconds = reruns::seconds(state, &again, |ix| state.expected_seconds(state.task(ix)));
        let mut body = vec![CleanText::from(match again.len() - failed {
            0 => format!("{failed} failed; about {} if slots are free.", span(seconds)),
            n => format!("{failed} failed, {n} more start again with them; about {} if slots are free.", span(seconds)),
        })];
        body.extend(listed(state, &again));
        let choices = vec![
            Choice::nothing("leave them"),
            Choice::new('r', "retry them", vec![UiEffect::Send(Command::Retry(RetryScope::Failed))]),
        ];
        Some(Self::confirm("Retry everything that failed", body, choices, now))
    }

    /// From when on it takes keys.
    pub fn listens_at(&self) -> Micros {
        self.opened.plus(Self::DEAF)
    }

    /// Moves the focus, round and round.
    pub(super) fn turn(&mut self, by: isize) {
        let n = self.choices.len().max(1);
        self.focused = self.focused.saturating_add_signed(by.rem_euclid(n as isize)) % n;
    }

    /// The answer of a letter.
    pub(super) fn letter(&self, c: char) -> Option<&Choice> {
        self.choices.iter().find(|choice| choice.key == Some(c))
    }
}
