//! A session's past as a film: which instants are shown, and when in the film each stands.
//!
//! Not here: drawing ([`super::run::Deck`]) and writing ([`super::cast`]). Invariants: instants come in order; between two
//! frames stands at least a frame's time of the session; a pause longer than the limit stands in the film as the limit.

use std::io::{self, Write};

use super::cast::{Cast, Heading};
use super::run::Deck;
use crate::domain::protocol::{Event, Micros, Record};
use crate::domain::state::State;
use crate::engine::journal::{JournalError, Past};

/// How a film is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Film {
    /// The least session time between two frames.
    pub frame: Micros,
    /// The longest pause.
    pub idle: Micros,
    /// How much faster than the session; above 0.
    pub speed: f64,
}

impl Default for Film {
    /// Ten frames a second, pauses of two seconds, as fast as it was.
    fn default() -> Self {
        Self { frame: Micros::from_millis(100), idle: Micros::from_secs(2), speed: 1.0 }
    }
}

/// Why a film was not made.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The film could not be written.
    #[error("the film could not be written: {0}; check the disk's free space")]
    Write(#[from] io::Error),
}

/// Gathers records into frames as they pass.
#[derive(Clone, Copy, Debug)]
struct Cutter {
    film: Film,
    /// The last record gathered.
    last: Option<(u64, Micros)>,
    /// When the frame that is gathered began.
    began: Micros,
    /// Where in the film it stands.
    place: Micros,
}

impl Cutter {
    fn new(film: Film) -> Self {
        Self { film, last: None, began: Micros(0), place: Micros(0) }
    }

    /// Takes in a record; returns the frame before it, if that is whole: its last record and its place in the film.
    fn take(&mut self, seq: u64, at: Micros) -> Option<(u64, Micros)> {
        let Some((before, _)) = self.last else {
            (self.last, self.began) = (Some((seq, at)), at);
            return None;
        };
        self.last = Some((seq, at));
        let gap = at.since(self.began);
        if gap.0 < self.film.frame.0 {
            return None;
        }
        let whole = (before, self.place);
        let shown = gap.0.min(self.film.idle.0.max(self.film.frame.0));
        self.place = self.place.plus(Micros((shown as f64 / self.film.speed) as u64));
        self.began = at;
        Some(whole)
    }

    /// The last frame.
    fn end(self) -> Option<(u64, Micros)> {
        self.last.map(|(seq, _)| (seq, self.place))
    }
}

/// Films a session from its beginning to its end. Tasks that end are markers.
///
/// # Errors
/// [`FilmError`].
pub async fn shoot<D: Deck, W: Write>(
    deck: &mut D,
    past: &Past,
    film: Film,
    heading: &Heading,
    out: W,
) -> Result<W, FilmError> {
    let mut cast = Cast::begin(out, heading, Micros(0))?;
    let mut cutter = Cutter::new(film);
    // For the titles of markers alone: the deck may be behind.
    let mut state = State::default();
    let mut markers: Vec<String> = Vec::new();
    let mut reader = past.records_from(1)?;
    while let Some((_, record)) = reader.read()? {
        state.apply(&record);
        if let Some((seq, at)) = cutter.take(record.seq, record.at) {
            deck.seek(seq).await;
            cast.frame(deck.frame(), at)?;
            for label in markers.drain(..) {
                cast.marker(&label, at)?;
            }
        }
        markers.extend(marker(&state, &record));
    }
    let mut over = Micros(0);
    if let Some((seq, at)) = cutter.end() {
        deck.seek(seq).await;
        cast.frame(deck.frame(), at)?;
        for label in markers {
            cast.marker(&label, at)?;
        }
        over = at;
    }
    Ok(cast.end(0, over)?)
}

fn marker(state: &State, record: &Record) -> Option<String> {
    let (task, how) = match &record.event {
        Event::TaskCompleted { task, .. } => (task, "done"),
        Event::TaskFailed { task, .. } => (task, "failed"),
        _ => return None,
    };
    Some(format!("{how}: {}", state.task_by_id(task).map_or("", |t| t.title.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(film: Film, times: &[u64]) -> Vec<(u64, u64)> {
        let mut cutter = Cutter::new(film);
        let mut frames: Vec<(u64, Micros)> =
            (1..).zip(times).filter_map(|(seq, ms)| cutter.take(seq, Micros::from_millis(*ms))).collect();
        frames.extend(cutter.end());
        frames.into_iter().map(|(seq, at)| (seq, at.0 / 1000)).collect()
    }

    #[test]
    fn records_within_a_frame_are_one_and_long_pauses_are_cut() {
        let film = Film::default();
        // 1 to 3 within 100 ms; then a pause of a minute, shown as two seconds.
        assert_eq!(cut(film, &[0, 10, 90, 150, 60_150, 60_160]), [(3, 0), (4, 150), (6, 2150)]);
        let fast = Film { speed: 2.0, ..film };
        assert_eq!(cut(fast, &[0, 200, 400]), [(1, 0), (2, 100), (3, 200)]);
        assert_eq!(cut(film, &[]), []);
        assert_eq!(cut(film, &[5]), [(1, 0)]);
    }
}
