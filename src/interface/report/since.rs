//! What happened since an instant, in words: what somebody wants to know who comes back.
//!
//! Not here: the figures ([`crate::domain::absence`]). Invariant: each time is one of the wall clock, so that a sleep of the
//! machine is in it.

use std::path::Path;

use crate::domain::absence::{Absence, AbsenceFold, Finish, WallSpan};
use crate::domain::protocol::{EndpointName, Event, Micros, Subject, TaskId};
use crate::domain::state::{State, dollars};
use crate::engine::journal::{JournalError, Reader};

/// Reasons of failures that are told: the report has all of them.
const MOST_NAMED: usize = 5;

/// Since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinceWhen {
    /// The last moment anybody watched; the begin where nobody ever did.
    LastWatched,
    /// An instant of the wall clock, in milliseconds since 1970.
    Wall(u64),
}

/// Whether a process has the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// One has: what lasts does so until this moment of the wall clock.
    Until(u64),
    /// None has: it stands as its last record says.
    No,
}

/// Reads what happened since.
///
/// # Errors
/// As [`Reader::open`]; what is damaged further on is left out.
pub fn since(journal: &Path, when: SinceWhen, going: Going) -> Result<(State, Absence), JournalError> {
    let mut left = None;
    if when == SinceWhen::LastWatched {
        let (mut reader, mut state) = (Reader::open(journal)?, State::default());
        while let Ok(Some((_, record))) = reader.read() {
            state.apply(&record);
            // The last of them to go; who watches now has seen nothing yet of what was before.
            if matches!(record.event, Event::ViewerLeft { .. }) && state.viewers.is_empty() {
                left = Some(record.seq);
            }
        }
    }
    let (mut reader, mut state) = (Reader::open(journal)?, State::default());
    let mut fold: Option<AbsenceFold> = None;
    while let Ok(Some((_, record))) = reader.read() {
        let begins = match when {
            SinceWhen::LastWatched => left.is_none_or(|seq| record.seq > seq) && !state.lives.is_empty(),
            SinceWhen::Wall(ms) => state.wall_ms(record.at).is_some_and(|at| at >= ms),
        };
        if begins && fold.is_none() {
            fold = Some(AbsenceFold::begin(&state));
        }
        state.apply(&record);
        if let Some(fold) = &mut fold {
            fold.take(&state, &record);
        }
    }
    let last = state.wall_ms(state.at).unwrap_or_default();
    let now = match going {
        Going::Until(ms) => state.at.plus(Micros::from_millis(ms.saturating_sub(last))),
        Going::No => state.at,
    };
    let fold = fold.unwrap_or_else(|| AbsenceFold::begin(&state));
    let told = fold.finish(&state, now);
    Ok((state, told))
}

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinceAbout {
    /// All of it.
    All,
    /// A task that failed.
    Task(TaskId),
    /// Something that waits for a person.
    Waits(Subject),
    /// A server.
    Endpoint(EndpointName),
}

/// The words, a sentence a line; `time` writes an instant of the wall clock as a time of day.
pub fn since_words(state: &State, told: &Absence, time: &dyn Fn(u64) -> String) -> Vec<String> {
    since_lines(state, told, time).into_iter().map(|(words, _)| words).collect()
}

/// The same, each line with what it is about.
pub fn since_lines(state: &State, told: &Absence, time: &dyn Fn(u64) -> String) -> Vec<(String, SinceAbout)> {
    let count = |wanted: fn(&Finish) -> bool| told.ended.values().filter(|f| wanted(f)).count();
    let done = count(|f| *f == Finish::Done);
    let failed = count(|f| matches!(f, Finish::Failed(_)));
    let dropped = count(|f| *f == Finish::Dropped);
    let span = |span: &WallSpan| match span.to_ms {
        Some(to) => format!("{}–{}", time(span.from_ms), time(to)),
        None => format!("since {}", time(span.from_ms)),
    };
    let spans = |spans: &[WallSpan]| spans.iter().map(span).collect::<Vec<_>>().join(", ");
    let mut parts = vec![format!("{done} done")];
    for (n, word) in [(failed, "failed"), (dropped, "skipped or stopped")] {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    if let Some(first) = told.waiting.first() {
        let verb = if told.waiting.len() == 1 { "waits" } else { "wait" };
        parts.push(format!("{} {verb} for you since {}", told.waiting.len(), time(first.since_ms)));
    }
    if !told.still.is_empty() {
        parts.push(format!("stood still {}", spans(&told.still)));
    }
    if !told.slept.is_empty() {
        let ms: u64 = told.slept.iter().map(|s| s.to_ms.unwrap_or(s.from_ms).saturating_sub(s.from_ms)).sum();
        parts.push(format!("the machine slept {} ({})", spans(&told.slept), super::markdown::span(ms as f64 / 1e3)));
    }
    if !told.away.is_empty() {
        parts.push(format!("no process had it {}", spans(&told.away)));
    }
    parts.push(format!("{} tokens", told.tokens));
    parts.push(format!("{:.1} slot hours", told.slot_us as f64 / 3.6e9));
    parts.extend(told.cost_usd.map(dollars));
    let mut lines = vec![(format!("since {}: {}", time(told.from_ms), parts.join(", ")), SinceAbout::All)];
    let title = |id| state.task_by_id(id).map(|t| t.title.to_string()).unwrap_or_default();
    let reasons: Vec<(String, SinceAbout)> = told
        .ended
        .iter()
        .filter_map(|(id, finish)| match finish {
            Finish::Failed(reason) => Some((format!("failed: {}: {reason}", title(id)), SinceAbout::Task(id.clone()))),
            _ => None,
        })
        .collect();
    lines.extend(reasons.iter().take(MOST_NAMED).cloned());
    if reasons.len() > MOST_NAMED {
        lines.push((format!("and {} more that failed", reasons.len() - MOST_NAMED), SinceAbout::All));
    }
    lines.extend(told.waiting.iter().map(|w| {
        let words = format!("waits since {}: {}", time(w.since_ms), w.text.to_one_line());
        (words, SinceAbout::Waits(w.subject.clone()))
    }));
    for (endpoint, down) in &told.down {
        let words = match down.to_ms {
            Some(_) => format!("{endpoint} was down {}", span(down)),
            None => format!("{endpoint} is down {}", span(down)),
        };
        lines.push((words, SinceAbout::Endpoint(endpoint.clone())));
    }
    if let Some(since) = told.paused_ms {
        lines.push((format!("paused since {}: nothing new starts", time(since)), SinceAbout::All));
    }
    lines
}
