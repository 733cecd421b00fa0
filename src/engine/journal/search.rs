//! Search in what was said in a session: outputs of every attempt and channel, goals, titles of tasks.
//!
//! Text arrives in pieces that split words; a match is found all the same, over any number of them. Not here: where
//! sessions are, and in which order they are looked through. Invariants: matches in one text are in order, do not
//! overlap and are each found once, however the text was split; memory is bounded by a few KiB for each text that is
//! open at once.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use super::{Halt, JournalError, Reader};
use crate::domain::plan::PlanEdit;
use crate::domain::protocol::{AttemptId, Channel, Event, GoalId, Micros, Record, Rethought, TaskId, TurnId};
use crate::domain::text::Needle;

/// Text that is collected before it is looked through.
const BLOCK: usize = 4 * 1024;
/// Bytes shown before a match and after it.
const AROUND: usize = 60;
/// Bytes of a line within which its event is named: two numbers of 20 digits stand before it.
const HEAD: usize = 96;
/// Records between two looks at whether to go on.
const STRIDE: u64 = 4_096;

/// Where a match stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "in")]
pub enum Where {
    /// In the words of a goal.
    Goal {
        /// Which.
        goal: GoalId,
    },
    /// In the title of a task.
    Title {
        /// Of which.
        task: TaskId,
    },
    /// In what an attempt said.
    Text {
        /// Of which task.
        task: TaskId,
        /// Which attempt.
        attempt: AttemptId,
        /// In which of its texts.
        channel: Channel,
    },
}

impl Where {
    /// The task, if it is one's.
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::Goal { .. } => None,
            Self::Title { task } | Self::Text { task, .. } => Some(task),
        }
    }

    /// What kind of text, in a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Goal { .. } => "goal",
            Self::Title { .. } => "title",
            Self::Text { channel: Channel::Answer, .. } => "answer",
            Self::Text { channel: Channel::Thinking, .. } => "thinking",
            Self::Text { channel: Channel::ToolCall, .. } => "tool call",
        }
    }
}

/// A match. The texts are raw: they are cleaned where they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Where.
    #[serde(flatten)]
    pub place: Where,
    /// The record it begins in.
    pub seq: u64,
    /// That record's session time.
    pub at: Micros,
    /// What stands before it, on its line or near it.
    pub before: String,
    /// The match as it is written there.
    pub found: String,
    /// What stands after it.
    pub after: String,
}

/// How a search of one session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Searched {
    /// All of it was looked through.
    Whole,
    /// It was told to stop, or whoever wanted the matches had enough.
    Stopped,
}

/// Looks through a journal and gives each match to `each`, which may say that it has enough.
///
/// # Errors
/// As [`Reader::open`] and [`Reader::read`]; what was found before has been given.
pub fn search(
    journal: &Path,
    needle: &str,
    halt: &Halt,
    each: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> Result<Searched, JournalError> {
    let rethought = turnovers(journal, halt)?;
    let mut reader = Reader::open(journal)?;
    let longest = needle.len().max(needle.to_lowercase().len()) * 3;
    let mut texts = Texts { needle: Needle::new(needle), longest, open: HashMap::new(), joined: HashMap::new(), each };
    let mut tasks: HashMap<AttemptId, TaskId> = HashMap::new();
    while let Some((_, record)) = reader.read()? {
        let (seq, at) = (record.seq, record.at);
        let flow = match &record.event {
            Event::GoalAdded(goal) => texts.whole(Where::Goal { goal: goal.goal }, (seq, at), &goal.text),
            Event::PlanEdited(edit) => edit.edits.iter().try_for_each(|step| texts.title(edit.goal, step, (seq, at))),
            Event::AttemptStarted(started) => {
                tasks.insert(started.attempt, started.task.clone());
                ControlFlow::Continue(())
            }
            Event::TurnStarted(started) => {
                texts.continues(started.turn, started.recipe.continues());
                ControlFlow::Continue(())
            }
            Event::ResultEdited(edited) => {
                let place =
                    Where::Text { task: edited.task.clone(), attempt: edited.attempt, channel: Channel::Answer };
                texts.whole(place, (seq, at), &edited.text)
            }
            Event::AttemptOutput(output) => match (tasks.get(&output.turn.attempt), rethought.said(&record)) {
                (Some(task), Some((turn, channel, text))) => texts.piece(task, (turn, channel), (seq, at), text),
                _ => ControlFlow::Continue(()),
            },
            Event::AttemptEnded { attempt, .. } => {
                tasks.remove(attempt);
                texts.ended(*attempt)
            }
            _ => ControlFlow::Continue(()),
        };
        if flow.is_break() || (seq.is_multiple_of(STRIDE) && halt.is_stopped()) {
            return Ok(Searched::Stopped);
        }
    }
    Ok(if texts.all_ended().is_break() { Searched::Stopped } else { Searched::Whole })
}

/// Which answers were thinking: it is told after they were said, while matches are given as they are found. Lines are
/// looked at, not decoded, which takes a small part of the time of the search itself.
fn turnovers(journal: &Path, halt: &Halt) -> Result<Rethought, JournalError> {
    let mut rethought = Rethought::default();
    let mut reader = Reader::open(journal)?;
    let mut lines = 0u64;
    // Damage is told by the search, which comes to it too, after what it found before.
    while let Ok(Some((_, line))) = reader.look() {
        let head = line.get(..line.len().min(HEAD)).unwrap_or_default();
        if memchr::memmem::find(head, b"\"event\":\"turn.rethought\"").is_some()
            && let Some(record) = std::str::from_utf8(line).ok().and_then(|line| Record::from_json(line).ok())
        {
            rethought.take(&record);
        }
        lines += 1;
        if lines.is_multiple_of(STRIDE) && halt.is_stopped() {
            break;
        }
    }
    Ok(rethought)
}

/// The texts that are open, and what is looked for in them.
struct Texts<'a> {
    needle: Needle,
    /// More bytes than a match can have: folding case makes some letters longer.
    longest: usize,
    open: HashMap<(TurnId, Channel), Open>,
    /// Turns that continue what another of their attempt answered: both are one text.
    joined: HashMap<TurnId, TurnId>,
    each: &'a mut dyn FnMut(Found) -> ControlFlow<()>,
}

/// A text as far as it is needed still.
struct Open {
    place: Where,
    text: String,
    /// Up to here it was looked through.
    next: usize,
    /// Where the records' pieces begin, and which they are.
    pieces: VecDeque<(usize, u64, Micros)>,
}

/// Whether more of a text may come.
#[derive(Clone, Copy, PartialEq)]
enum More {
    May,
    Never,
}

impl Texts<'_> {
    fn whole(&mut self, place: Where, (seq, at): (u64, Micros), text: &str) -> ControlFlow<()> {
        let mut open = Open { place, text: text.to_owned(), next: 0, pieces: VecDeque::from([(0, seq, at)]) };
        self.look(&mut open, More::Never)
    }

    fn title(&mut self, goal: GoalId, step: &PlanEdit, at: (u64, Micros)) -> ControlFlow<()> {
        let (PlanEdit::Add(spec) | PlanEdit::Replace(spec)) = step else { return ControlFlow::Continue(()) };
        let task = TaskId { goal, name: spec.id.clone() };
        self.whole(Where::Title { task }, at, &spec.title())
    }

    fn continues(&mut self, turn: TurnId, before: Option<TurnId>) {
        // An attempt's texts are let go of when it ends.
        if let Some(before) = before.filter(|before| before.attempt == turn.attempt) {
            let first = self.joined.get(&before).copied().unwrap_or(before);
            self.joined.insert(turn, first);
        }
    }

    fn piece(
        &mut self,
        task: &TaskId,
        (turn, channel): (TurnId, Channel),
        (seq, at): (u64, Micros),
        text: &str,
    ) -> ControlFlow<()> {
        let turn = match channel {
            Channel::Answer => self.joined.get(&turn).copied().unwrap_or(turn),
            Channel::Thinking | Channel::ToolCall => turn,
        };
        let mut open = self.open.remove(&(turn, channel)).unwrap_or_else(|| Open {
            place: Where::Text { task: task.clone(), attempt: turn.attempt, channel },
            text: String::new(),
            next: 0,
            pieces: VecDeque::new(),
        });
        open.pieces.push_back((open.text.len(), seq, at));
        open.text.push_str(text);
        let flow = if open.text.len() - open.next >= BLOCK {
            self.look(&mut open, More::May)
        } else {
            ControlFlow::Continue(())
        };
        self.open.insert((turn, channel), open);
        flow
    }

    fn ended(&mut self, attempt: AttemptId) -> ControlFlow<()> {
        let mut keys: Vec<_> = self.open.keys().filter(|(turn, _)| turn.attempt == attempt).copied().collect();
        keys.sort();
        self.joined.retain(|turn, _| turn.attempt != attempt);
        keys.into_iter().try_for_each(|key| match self.open.remove(&key) {
            Some(mut open) => self.look(&mut open, More::Never),
            None => ControlFlow::Continue(()),
        })
    }

    fn all_ended(&mut self) -> ControlFlow<()> {
        let mut all: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        all.sort_by_key(|(key, _)| *key);
        all.into_iter().try_for_each(|(_, mut open)| self.look(&mut open, More::Never))
    }

    /// Looks through what came since, and lets go of what is needed no more.
    fn look(&mut self, open: &mut Open, more: More) -> ControlFlow<()> {
        while let Some(range) = self.needle.find(&open.text, open.next) {
            // What comes next is a part of what is shown, so it is waited for.
            if more == More::May && range.end + AROUND > open.text.len() {
                open.next = range.start;
                return open.shorten();
            }
            let (before, after) = around(&open.text, range.start, range.end);
            let (_, seq, at) = open.piece_of(range.start);
            let found = Found {
                place: open.place.clone(),
                seq,
                at,
                before: before.to_owned(),
                found: open.text.get(range.clone()).unwrap_or_default().to_owned(),
                after: after.to_owned(),
            };
            open.next = range.end;
            (self.each)(found)?;
        }
        let tail = open.text.floor_char_boundary(open.text.len().saturating_sub(self.longest));
        open.next = open.next.max(tail);
        open.shorten()
    }
}

impl Open {
    /// The record that a byte came with.
    fn piece_of(&self, byte: usize) -> (usize, u64, Micros) {
        let after = self.pieces.partition_point(|(from, ..)| *from <= byte);
        self.pieces.get(after.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// Lets go of what no match and no line around one needs.
    fn shorten(&mut self) -> ControlFlow<()> {
        let cut = self.text.floor_char_boundary(self.next.saturating_sub(AROUND));
        if cut > 0 {
            let first = self.piece_of(cut);
            self.pieces.retain(|(from, ..)| *from > cut);
            for piece in &mut self.pieces {
                piece.0 -= cut;
            }
            self.pieces.push_front((0, first.1, first.2));
            self.text.drain(..cut);
            self.next -= cut;
        }
        ControlFlow::Continue(())
    }
}

/// What stands around a match, on its line.
fn around(text: &str, start: usize, end: usize) -> (&str, &str) {
    let from = text.ceil_char_boundary(start.saturating_sub(AROUND));
    let to = text.floor_char_boundary((end + AROUND).min(text.len()));
    let before = text.get(from..start).unwrap_or_default();
    let after = text.get(end..to).unwrap_or_default();
    (before.rsplit('\n').next().unwrap_or_default(), after.split('\n').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::protocol::{
        AgentName, AttemptEnd, AttemptOutput, AttemptStarted, Author, Cut, FORMAT, GoalAdded, Header, Level, Message,
        Name, Part, Record, ResultEdited, Route, Speaker, TurnStarted,
    };

    fn journal(events: Vec<Event>) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let header = Header { baton_journal: FORMAT, program: "test".into(), session: "s1".parse().unwrap() };
        let mut text = serde_json::to_string(&header).unwrap() + "\n";
        for (seq, event) in (1..).zip(events) {
            let record = Record { seq, at: Micros(seq), event };
            text.push_str(&(serde_json::to_string(&record).unwrap() + "\n"));
        }
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn started(attempt: u64) -> Event {
        Event::AttemptStarted(AttemptStarted {
            attempt: AttemptId(attempt),
            task: "g1/a".parse().unwrap(),
            version: 1,
            agent: "coder".parse::<AgentName>().unwrap(),
            endpoint: "one".parse::<Name>().unwrap(),
            route: Route::Primary,
        })
    }

    fn said(attempt: u64, channel: Channel, text: &str) -> Event {
        let turn = TurnId { attempt: AttemptId(attempt), turn: 1 };
        Event::AttemptOutput(AttemptOutput { turn, channel, text: text.into(), tokens: 1 })
    }

    #[test]
    fn a_match_over_the_join_of_an_answer_and_its_continuation_is_found() {
        let turn = |turn| TurnId { attempt: AttemptId(1), turn };
        let so_far = Part::AnswerOf { turn: turn(1), cut: Cut::Whole };
        let message = |role, part| Message { role, parts: vec![part] };
        let recipe = vec![message(Speaker::Assistant, so_far), message(Speaker::User, Part::literal(Part::GO_ON))];
        let begun = TurnStarted { turn: turn(2), slot: 0, level: Level::Low, max_tokens: 9, recipe: recipe.into() };
        let rest = AttemptOutput { turn: turn(2), channel: Channel::Answer, text: "tion".into(), tokens: 1 };
        let events = vec![
            started(1),
            said(1, Channel::Answer, "the continua"),
            Event::TurnStarted(begun),
            Event::AttemptOutput(rest),
        ];
        let (_folder, path) = journal(events);
        assert_eq!(all(&path, "continuation").len(), 1);
    }

    fn all(path: &Path, needle: &str) -> Vec<Found> {
        let mut found = Vec::new();
        let ended = search(path, needle, &Halt::default(), &mut |f| {
            found.push(f);
            ControlFlow::Continue(())
        });
        assert_eq!(ended.unwrap(), Searched::Whole);
        found
    }

    #[test]
    fn a_word_that_pieces_split_is_found_with_its_record_and_its_line() {
        let (_folder, path) = journal(vec![
            Event::GoalAdded(GoalAdded {
                goal: GoalId(1),
                text: "Grammar of the parser".into(),
                options: Default::default(),
            }),
            started(1),
            said(1, Channel::Answer, "first line\nthe gram"),
            said(1, Channel::Thinking, "no match here: gram"),
            said(1, Channel::Answer, "mar is sm"),
            said(1, Channel::Answer, "all\nand more"),
            Event::AttemptEnded { attempt: AttemptId(1), end: AttemptEnd::Completed },
            Event::ResultEdited(ResultEdited {
                task: "g1/b".parse().unwrap(),
                attempt: AttemptId(2),
                author: Author::Baton,
                text: "GRAMMAR".into(),
            }),
        ]);
        let found = all(&path, "grammar");
        let places: Vec<_> = found.iter().map(|f| (f.place.word(), f.seq)).collect();
        assert_eq!(places, [("goal", 1), ("answer", 3), ("answer", 8)]);
        let split = &found[1];
        assert_eq!(
            (split.before.as_str(), split.found.as_str(), split.after.as_str()),
            ("the ", "grammar", " is small")
        );
        assert_eq!(all(&path, "Grammar").len(), 1, "a capital letter minds case");
        assert_eq!(all(&path, "").len(), 0);
    }

    #[test]
    fn whoever_has_enough_says_so_and_a_text_without_an_end_is_looked_through() {
        let mut events = vec![started(1)];
        events.extend((0..5_000).map(|_| said(1, Channel::Answer, "word ")));
        let (_folder, path) = journal(events);
        assert_eq!(all(&path, "word word").len(), 2_500);
        let mut seen = 0;
        let ended = search(&path, "word", &Halt::default(), &mut |_| {
            seen += 1;
            if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((ended.unwrap(), seen), (Searched::Stopped, 3));
        let halt = Halt::default();
        halt.stop();
        let ended = search(&path, "nowhere", &halt, &mut |_| ControlFlow::Continue(()));
        assert_eq!(ended.unwrap(), Searched::Stopped);
    }

    proptest! {
        #[test]
        fn however_a_text_is_split_the_same_is_found(
            pieces in prop::collection::vec("[abAB é\n]{0,9}", 1..40),
            repeat in 1usize..400,
            needle in "[abAé]{1,3}",
        ) {
            let whole: String = pieces.iter().map(|p| p.repeat(repeat)).collect();
            let needle_of = Needle::new(&needle);
            let wanted = needle_of.matches(&whole).count();
            let mut count = 0;
            let mut each = |_: Found| { count += 1; ControlFlow::Continue(()) };
            let mut texts = Texts { needle: needle_of, longest: needle.len() * 3, open: HashMap::new(), joined: HashMap::new(), each: &mut each };
            let turn = TurnId { attempt: AttemptId(1), turn: 1 };
            let task: TaskId = "g1/a".parse().unwrap();
            for piece in pieces.iter().flat_map(|p| std::iter::repeat_n(p, repeat)) {
                let _ = texts.piece(&task, (turn, Channel::Answer), (1, Micros(0)), piece);
                let held = texts.open.values().map(|o| o.text.len()).max().unwrap_or(0);
                prop_assert!(held <= BLOCK + 3 * AROUND + 64, "{held}");
            }
            let _ = texts.all_ended();
            prop_assert_eq!(count, wanted);
        }
    }
}
