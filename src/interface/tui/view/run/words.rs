//! How a task is said in a row: its sign, where it is or why not, and one figure. Rows, pane titles and the Why box say
//! the same.

use crate::domain::protocol::Micros;
use crate::domain::state::{Attempt, CutAt, CutBy, Doer, EndpointState, State, Status, TaskIx, Turn, Urgency, Why};
use crate::domain::text::CleanText;
use crate::interface::tui::model::run::figures::Figures;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::figure::{rate, seconds_clock, span};

/// What a row says.
pub(in crate::interface::tui::view) struct Words {
    pub(in crate::interface::tui::view) glyph: Glyph,
    pub(in crate::interface::tui::view) slot: Slot,
    pub(in crate::interface::tui::view) place: String,
    pub(in crate::interface::tui::view) figure: String,
}

/// The sign and style of a status.
pub(in crate::interface::tui::view) fn sign(status: Status) -> (Glyph, Slot) {
    match status {
        Status::Pending | Status::Ready | Status::Waiting => (Glyph::Waiting, Slot::Waiting),
        Status::Blocked => (Glyph::Waiting, Slot::Warning),
        Status::Held => (Glyph::Held, Slot::Held),
        Status::Running => (Glyph::Running, Slot::Running),
        Status::Asking => (Glyph::Asking, Slot::Asking),
        Status::Done => (Glyph::Done, Slot::Done),
        Status::Failed => (Glyph::Failed, Slot::Failed),
        Status::Cancelled => (Glyph::Cancelled, Slot::Dropped),
        Status::Skipped => (Glyph::Skipped, Slot::Dropped),
    }
}

/// An endpoint's name where there is little room: `GPT` for `GPT-OSS 120B`.
pub(super) fn brief(e: &EndpointState) -> &str {
    e.config.brief()
}

/// The endpoint's brief name and the slot as people count.
pub(super) fn seat(state: &State, attempt: &Attempt) -> String {
    let name = state.place_of(attempt).map_or("", brief);
    match attempt.turn() {
        Some(turn) => format!("{name} {}", turn.slot + 1),
        None => name.to_owned(),
    }
}

/// Where an attempt was: the endpoint's short name, or who put its text in by hand.
pub(in crate::interface::tui::view) fn place(state: &State, attempt: &Attempt) -> String {
    match &attempt.doer {
        Doer::Person(author) => CleanText::one_line(&format!("by {author}")).to_string(),
        Doer::Model { endpoint, .. } => CleanText::one_line(state.endpoint(*endpoint).config.short()).to_string(),
    }
}

/// What a running attempt is at.
pub(super) fn activity(attempt: &Attempt, rates: Option<f32>, now: Micros) -> String {
    let Some(turn) = attempt.turn().filter(|t| t.ended.is_none()) else { return "starts".to_owned() };
    if turn.first_token_at.is_none() {
        return match turn.prompt {
            Some((done, all)) if all > 0 => format!("prompt {}%", (done * 100 / all).min(100)),
            _ => format!("sent {}", span(now.since(turn.started_at))),
        };
    }
    if is_thinking(turn) {
        return format!("thinks {}", span(now.since(turn.first_token_at.unwrap_or(now))));
    }
    let quiet = now.since(attempt.last_output_at.unwrap_or(now));
    if quiet >= Micros::from_secs(5) {
        return format!("quiet {}", span(quiet));
    }
    rate(rates.unwrap_or(attempt.rate))
}

/// Whether the last text was a thought.
pub(super) fn is_thinking(turn: &Turn) -> bool {
    turn.thinking.last_seq > turn.answer.last_seq
}

/// What is said of a task in its row.
pub(in crate::interface::tui::view) fn words(state: &State, figures: &Figures, ix: TaskIx, now: Micros) -> Words {
    let task = state.task(ix);
    let status = state.status(ix, now);
    let (glyph, slot) = sign(status);
    let last = state.last_attempt(task);
    let tries = task.attempts.len();
    let (mut at, figure) = match status {
        Status::Running => match last {
            Some(a) => (seat(state, a), activity(a, figures.rates.get(&ix).copied(), now)),
            None => (String::new(), "starts".to_owned()),
        },
        Status::Asking => {
            let since = task.asking.as_ref().map_or(now, |q| q.since);
            ("asks you".to_owned(), seconds_clock(now.since(since).0 / 1_000_000))
        }
        Status::Ready => match figures.queue.get(&ix) {
            Some(queued) => {
                let rank = match queued.rank {
                    1 => "next".to_owned(),
                    n if n % 10 == 2 && n % 100 != 12 => format!("{n}nd"),
                    n if n % 10 == 3 && n % 100 != 13 => format!("{n}rd"),
                    n if n % 10 == 1 && n % 100 != 11 => format!("{n}st"),
                    n => format!("{n}th"),
                };
                (
                    format!("{} {rank}", brief(state.endpoint(queued.endpoint))),
                    format!("~{}", seconds_clock(u64::from(queued.seconds))),
                )
            }
            None => (String::new(), "ready".to_owned()),
        },
        Status::Pending => {
            let open = task.needs.iter().filter(|n| !state.satisfies(state.task(**n), task)).count();
            (String::new(), format!("needs {open}"))
        }
        Status::Held => (String::new(), "held".to_owned()),
        Status::Blocked => (String::new(), "blocked".to_owned()),
        Status::Waiting => match state.admit(ix, now) {
            Err(Why::Backoff { seconds, .. }) => (format!("try {}", tries + 1), format!("in {seconds} s")),
            Err(Why::Paused) => (String::new(), "paused".to_owned()),
            Err(Why::Review(_)) => (String::new(), "review".to_owned()),
            Err(Why::Limit { .. }) => (String::new(), "limit".to_owned()),
            Err(Why::Down { endpoint, .. }) => (endpoint.as_str().to_owned(), "down".to_owned()),
            Err(Why::Loading { endpoint, .. }) => (endpoint.as_str().to_owned(), "loading".to_owned()),
            Err(Why::Resting { endpoint, seconds } | Why::Asked { endpoint, seconds, .. }) => {
                (endpoint.as_str().to_owned(), format!("in {seconds} s"))
            }
            Err(Why::NoEndpoint { .. }) => (String::new(), "no tier".to_owned()),
            Err(Why::NoAgent) => (String::new(), "no agent".to_owned()),
            Err(Why::Memory { .. }) => (String::new(), "memory".to_owned()),
            Err(Why::Lock { .. }) => (String::new(), "lock".to_owned()),
            Err(Why::Path { .. }) => (String::new(), "path".to_owned()),
            Err(Why::Reserved { .. }) => (String::new(), "kept".to_owned()),
            Err(Why::Throttled { .. }) => (String::new(), "throttled".to_owned()),
            _ => (String::new(), "waits".to_owned()),
        },
        Status::Done => {
            // Putting a text in takes no time that would say anything.
            let took = |a: &Attempt| if !a.is_model() { "by hand".to_owned() } else { span(a.elapsed(now)) };
            (last.map(|a| place(state, a)).unwrap_or_default(), last.map(took).unwrap_or_default())
        }
        Status::Failed => (String::new(), "failed".to_owned()),
        Status::Cancelled => (String::new(), "cancelled".to_owned()),
        Status::Skipped => (String::new(), "skipped".to_owned()),
    };
    let (slot, figure) = match state.cut_of(task) {
        Some(cut) => (Slot::Warning, cut_words(cut)),
        None => (slot, figure),
    };
    if at.is_empty() && tries > 1 {
        at = format!("attempt {tries}");
    }
    Words { glyph, slot, place: at, figure }
}

/// That a result was cut, in the cells of a row's figure.
fn cut_words(cut: CutAt) -> String {
    match (cut.by, cut.tokens) {
        (CutBy::Limit, n) if n < 10_000 => format!("cut at {n}"),
        (CutBy::Limit, n) => format!("cut at {}k", n / 1000),
        (CutBy::Context, _) => "cut: full".to_owned(),
        (CutBy::Server, n) => format!("cut at {n}"),
        (CutBy::Overrun, _) => "overran".to_owned(),
    }
}

/// The sentence of the Why box: the state's own, and where the task stands in the queue as it is drawn.
pub(in crate::interface::tui::view) fn why(state: &State, figures: &Figures, ix: TaskIx, now: Micros) -> String {
    let urgency = if figures.critical.contains(&ix) { Urgency::Critical } else { Urgency::Usual };
    let words = state.why_words(ix, now, urgency).to_string();
    match figures.queue.get(&ix) {
        Some(queued) => {
            let place = format!("place {} in the queue, ~{}", queued.rank, seconds_clock(u64::from(queued.seconds)));
            format!("{words} · {place}")
        }
        None => words,
    }
}
