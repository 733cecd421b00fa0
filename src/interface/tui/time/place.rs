//! Where in a session to go, as it is typed after `@`: `50%`, `02:10`, `1:02:10`, `130s`, `#4211`, `start`, `end`, a task.
//!
//! Also the markers: the instants at which a task's attempt starts or ends. Not here: going there.

use super::seek::Aim;
use crate::domain::protocol::Micros;
use crate::domain::state::State;
use crate::domain::text::CleanText;

/// Reads a place in the session that `whole` is the end of.
///
/// # Errors
/// What is wrong with it and what can be typed, in words.
pub fn read(text: &str, whole: &State, end: Micros) -> Result<Aim, CleanText> {
    let text = text.trim();
    if text.is_empty() {
        return Err("type 50%, 02:10, #4211, end or a task".into());
    }
    if let Some(part) = text.strip_suffix('%') {
        let part: f64 = part.trim().parse().map_err(|_| format!("{text} is no part; type 50%, from 0% to 100%"))?;
        if !(0.0..=100.0).contains(&part) {
            return Err(format!("{text} is outside of the session; type 0% to 100%").into());
        }
        return Ok(Aim::Time(Micros((end.0 as f64 * part / 100.0).round() as u64)));
    }
    if let Some(seq) = text.strip_prefix('#') {
        let seq: u64 = seq.trim().parse().map_err(|_| format!("{text} is no record; type #1 to #{}", whole.seq))?;
        if seq > whole.seq {
            return Err(format!("there is no record {seq} yet; the last one is #{}", whole.seq).into());
        }
        return Ok(Aim::Record(seq));
    }
    if let Some(at) = time(text) {
        if at > end {
            return Err(format!("{text} is after the end, {}", clock(end)).into());
        }
        return Ok(Aim::Time(at));
    }
    let started = |task: &crate::domain::state::Task| {
        let first = task.attempts.first().and_then(|a| whole.attempt(*a)).map(|a| a.started_at);
        first.or(task.started_at)
    };
    let taken = whole.tasks().iter().any(|t| t.id.name.as_str() == text);
    match text {
        "start" if !taken => return Ok(Aim::Time(Micros(0))),
        "end" if !taken => return Ok(Aim::Time(end)),
        _ => {}
    }
    let low = text.to_lowercase();
    let exact = whole.tasks().iter().find(|t| t.id.to_string() == text || t.id.name.as_str() == text);
    let found = exact.or_else(|| whole.tasks().iter().find(|t| t.title.to_lowercase().contains(&low)));
    match found {
        Some(task) => match started(task) {
            Some(at) => Ok(Aim::Time(at)),
            None => Err(format!("{} has not started yet", task.title).into()),
        },
        None => Err(format!("{text}: no time, record or task of that name").into()),
    }
}

/// `02:10`, `1:02:10`, `130s`, `130.5s`.
fn time(text: &str) -> Option<Micros> {
    if let Some(seconds) = text.strip_suffix('s') {
        let seconds: f64 = seconds.trim().parse().ok().filter(|s| (0.0..=1e9).contains(s))?;
        return Some(Micros((seconds * 1e6).round() as u64));
    }
    let parts: Vec<u64> = text.split(':').map(|p| p.parse().ok().filter(|n| *n < 100_000)).collect::<Option<_>>()?;
    match parts[..] {
        [m, s] if s < 60 => Some(Micros::from_secs(m * 60 + s)),
        [h, m, s] if m < 60 && s < 60 => Some(Micros::from_secs(h * 3600 + m * 60 + s)),
        _ => None,
    }
}

/// `02:10`, or `1:02:10` from an hour on.
fn clock(at: Micros) -> String {
    crate::interface::tui::widget::figure::clock(at)
}

/// The instants at which an attempt starts or ends, in order.
pub fn markers(whole: &State) -> Vec<Micros> {
    let mut all: Vec<Micros> = whole
        .attempts()
        .iter()
        .flat_map(|a| std::iter::once(a.started_at).chain(a.ended.as_ref().map(|(at, _)| *at)))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::view::story;

    #[test]
    fn places_are_read_and_what_is_none_is_said() {
        let story = story::done();
        let (state, end) = (&story.state, story.at);
        let at = |text: &str| read(text, state, end);
        assert_eq!(at("50%"), Ok(Aim::Time(Micros(end.0 / 2))));
        assert_eq!(at("00:31"), Ok(Aim::Time(Micros::from_secs(31))));
        assert_eq!(at("31.5s"), Ok(Aim::Time(Micros::from_millis(31_500))));
        assert_eq!(at(" #12 "), Ok(Aim::Record(12)));
        assert_eq!((at("start"), at("end")), (Ok(Aim::Time(Micros(0))), Ok(Aim::Time(end))));
        let first = state.attempt(crate::domain::protocol::AttemptId(1)).unwrap().started_at;
        for name in ["sources", "g1/sources", "what was WRITTEN"] {
            assert_eq!(at(name), Ok(Aim::Time(first)), "{name}");
        }
        for wrong in ["", "120%", "x%", "#999999", "#x", "9:99:99", "99:00", "nothing like it", "-5s", "1:2:3:4"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn markers_are_where_attempts_start_and_end() {
        let story = story::done();
        let all = markers(&story.state);
        assert!(all.is_sorted() && all.len() >= 6, "{all:?}");
        assert!(story.state.attempts().iter().all(|a| all.contains(&a.started_at)));
    }
}
