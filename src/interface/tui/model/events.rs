//! What the user does on the Events screen: the filter, the selected record, which side shows it, how far each is
//! scrolled.
//!
//! [`EventsUi::tick`] follows the log before each frame and looks for what passes the filter, so many records a frame:
//! the newest first, so that the first hits are there at once. Not here: drawing (`view/events`). Invariant: the
//! selection stays with its record whatever is added, until that is no longer kept.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyModifiers};

use super::scroll::Scroll;
use super::task_verbs::{not_here, task_action};
use super::{InspectorUi, Layer, Msg, UiEffect};
use crate::domain::protocol::{FilterError, Micros, RecordFilter, TaskId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::tui::action::{Action, Context};
use crate::interface::tui::log::EventLog;
use crate::interface::tui::view::events::LaidOut;

/// Records looked at for a filter in one frame: about 3 ms.
const SLICE: u64 = 4_000;
/// How soon the next slice follows.
const NEXT_SLICE: Micros = Micros::from_millis(30);

/// Which part has the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventsFocus {
    /// The list.
    #[default]
    List,
    /// What stands beside it.
    Side,
}

/// What stands beside the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// The selected record in full.
    #[default]
    Record,
    /// The spans of its task: attempts, turns, calls.
    Spans,
}

/// The filter at first: what comes many times a second says little and would push the rest out of sight.
const CALM: &str = "-event:attempt.output,turn.progressed";

/// The user's side of the Events screen.
#[derive(Clone, Debug)]
pub struct EventsUi {
    /// Which part has the focus.
    pub focus: EventsFocus,
    /// What stands beside the list.
    pub side: Side,
    /// Where the side stands.
    pub(crate) scroll: Scroll,
    filter: RecordFilter,
    text: String,
    error: Option<FilterError>,
    /// While the filter is typed: what it was before.
    typing: Option<String>,
    /// The selected record; none: the last one, whatever comes.
    cursor: Option<u64>,
    /// The first row shown while the cursor does not follow.
    top: usize,
    /// Places that pass the filter, in order; only while there is one.
    found: VecDeque<u64>,
    /// The places looked at so far: from here up to there.
    looked: (u64, u64),
    /// The places there are.
    range: (u64, u64),
    height: usize,
    /// The task the selected record is about.
    task: Option<TaskId>,
    now: Micros,
    /// The record as it was last laid out.
    pub(crate) laid_out: LaidOut,
}

impl Default for EventsUi {
    fn default() -> Self {
        let mut ui = Self {
            focus: EventsFocus::default(),
            side: Side::default(),
            scroll: Scroll::default(),
            filter: RecordFilter::default(),
            text: String::new(),
            error: None,
            typing: None,
            cursor: None,
            top: 0,
            found: VecDeque::new(),
            looked: (0, 0),
            range: (0, 0),
            height: 0,
            task: None,
            laid_out: Default::default(),
            now: Micros(0),
        };
        ui.set_filter(CALM);
        ui
    }
}

impl EventsUi {
    /// Follows the log: call before each frame that shows the screen, with the rows the list has.
    pub fn tick(&mut self, log: &EventLog, state: &State, now: Micros, height: usize) {
        self.now = now;
        self.range = (log.first(), log.end());
        self.height = height.max(1);
        if !self.filter.is_empty() {
            self.look(log, state);
        }
        if let Some(cursor) = self.cursor {
            let kept = cursor.min(log.end().saturating_sub(1)).max(log.first());
            self.cursor = if self.is_shown(kept) { Some(kept) } else { self.nearest(kept) };
        }
        let (rows, at) = (self.rows(), self.position());
        let last_top = rows.saturating_sub(self.height);
        self.top = match self.cursor {
            None => last_top,
            Some(_) => self.top.min(at).max((at + 1).saturating_sub(self.height)).min(last_top),
        };
        self.task = self.selected().and_then(|seq| log.get(seq)).and_then(|e| e.about(state).task).cloned();
    }

    /// Takes over what another frame looked through with the same filter: a record stays what it is.
    pub(super) fn adopt(&mut self, other: Self) {
        if self.filter == other.filter {
            (self.found, self.looked) = (other.found, other.looked);
        }
    }

    /// Looks at the records that came since, then at a slice of those before.
    fn look(&mut self, log: &EventLog, state: &State) {
        let passes =
            |seq: u64| log.get(seq).is_some_and(|entry| entry.with_facts(state, |facts| self.filter.passes(facts)));
        let (mut from, mut to) = self.looked;
        if from == to || to < log.first() || to > log.end() {
            self.found.clear();
            (from, to) = (log.end(), log.end());
        }
        let mut left = SLICE;
        while to < log.end() && left > 0 {
            if passes(to) {
                self.found.push_back(to);
            }
            to += 1;
            left -= 1;
        }
        while from > log.first() && left > 0 {
            from -= 1;
            if passes(from) {
                self.found.push_front(from);
            }
            left -= 1;
        }
        while self.found.front().is_some_and(|seq| *seq < log.first()) {
            self.found.pop_front();
            self.top = self.top.saturating_sub(1);
        }
        self.looked = (from.max(log.first()), to);
    }

    /// The part of the log that was looked at, in percent; none when all of it was, or there is no filter.
    pub fn looked_percent(&self) -> Option<u64> {
        let all = self.range.1 - self.range.0;
        let done = self.looked.1.min(self.range.1).saturating_sub(self.looked.0.max(self.range.0));
        (!self.filter.is_empty() && done < all).then(|| done * 100 / all.max(1))
    }

    /// When it has something to do by itself: the next slice.
    pub fn deadline(&self) -> Option<Micros> {
        self.looked_percent().map(|_| self.now.plus(NEXT_SLICE))
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        if self.filter.is_empty() { (self.range.1 - self.range.0) as usize } else { self.found.len() }
    }

    /// The place in the session of a row.
    pub fn seq_at(&self, row: usize) -> Option<u64> {
        if self.filter.is_empty() {
            let seq = self.range.0 + row as u64;
            (seq < self.range.1).then_some(seq)
        } else {
            self.found.get(row).copied()
        }
    }

    /// The first row shown.
    pub fn top(&self) -> usize {
        self.top
    }

    /// The selected row.
    pub fn position(&self) -> usize {
        let last = self.rows().saturating_sub(1);
        let Some(cursor) = self.cursor else { return last };
        if self.filter.is_empty() {
            cursor.saturating_sub(self.range.0) as usize
        } else {
            self.found.partition_point(|seq| *seq < cursor).min(last)
        }
    }

    /// The selected record's place.
    pub fn selected(&self) -> Option<u64> {
        self.cursor.or_else(|| self.seq_at(self.rows().checked_sub(1)?))
    }

    /// Whether it goes along with what comes.
    pub fn follows(&self) -> bool {
        self.cursor.is_none()
    }

    /// The filter as it is typed, and why it can't be read.
    pub fn filter(&self) -> (&str, Option<&FilterError>) {
        (&self.text, self.error.as_ref())
    }

    /// Whether the filter is the one it began with.
    pub fn is_calm(&self) -> bool {
        self.text == CALM
    }

    /// Whether the filter is being typed.
    pub fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    fn is_shown(&self, seq: u64) -> bool {
        self.filter.is_empty() || self.found.binary_search(&seq).is_ok()
    }

    /// The row next to a place that is not shown: the one before it, else the first.
    fn nearest(&self, seq: u64) -> Option<u64> {
        let after = self.found.partition_point(|s| *s < seq);
        self.found.get(after.saturating_sub(1)).copied()
    }

    fn set_filter(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        match RecordFilter::parse(text) {
            Ok(filter) => {
                self.error = None;
                if filter != self.filter {
                    self.filter = filter;
                    self.found.clear();
                    self.looked = (0, 0);
                }
            }
            // What could be read before stays, until it can be read again.
            Err(error) => self.error = Some(error),
        }
    }

    fn step(&mut self, by: isize) {
        let last = self.rows().saturating_sub(1);
        let to = self.position().saturating_add_signed(by).min(last);
        self.cursor = if by > 0 && to == last { None } else { self.seq_at(to) };
        self.scroll = Scroll::default();
    }

    /// The contexts of its focus, innermost first.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        match (&self.typing, &self.task) {
            (Some(_), _) => vec![Context::Text],
            (None, Some(_)) => vec![Context::Task, Context::List],
            (None, None) => vec![Context::List],
        }
    }

    /// One level back on this screen; says whether there was one.
    pub fn back(&mut self) -> bool {
        match self.typing.take() {
            Some(before) => self.set_filter(&before),
            None if self.focus == EventsFocus::Side => self.focus = EventsFocus::List,
            // What it began with is no level of its own.
            None if self.text != CALM => self.set_filter(CALM),
            None => return false,
        }
        true
    }

    /// Does what an action means here.
    pub fn update(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.typing.is_some() {
            if action == Action::Enter {
                match &self.error {
                    Some(error) => return notice(&error.to_string()),
                    None => self.typing = None,
                }
            }
            return Vec::new();
        }
        if self.focus == EventsFocus::Side && self.scroll.act(action) {
            return Vec::new();
        }
        let page = self.height.saturating_sub(1).max(1) as isize;
        match action {
            Action::Down => self.step(1),
            Action::Up => self.step(-1),
            Action::PageDown => self.step(page),
            Action::PageUp => self.step(-page),
            Action::First => self.step(isize::MIN / 2),
            Action::Last | Action::Follow => self.step(isize::MAX / 2),
            Action::Right => self.focus = EventsFocus::Side,
            Action::Left => self.focus = EventsFocus::List,
            Action::NextPane | Action::PreviousPane => {
                self.focus = match self.focus {
                    EventsFocus::List => EventsFocus::Side,
                    EventsFocus::Side => EventsFocus::List,
                };
            }
            Action::Order => {
                self.scroll = Scroll::default();
                self.side = match self.side {
                    Side::Record => Side::Spans,
                    Side::Spans => Side::Record,
                };
            }
            Action::Search => {
                self.typing = Some(self.text.clone());
                // What is typed is one more term; ctrl-u begins anew.
                if !self.text.is_empty() && !self.text.ends_with(' ') {
                    self.text.push(' ');
                }
            }
            Action::Copy => return self.selected().map(UiEffect::CopyRecord).into_iter().collect(),
            Action::Enter => return self.open(state),
            Action::NextMatch | Action::PreviousMatch => {
                return notice("the list has only what passes the filter; j and k go through it");
            }
            Action::Back => {}
            action => {
                let task = self.task.as_ref().and_then(|t| state.find(t));
                return task.and_then(|ix| task_action(action, ix, state, now)).unwrap_or_else(|| not_here(action));
            }
        }
        Vec::new()
    }

    /// A click on a row: selects it; the second one opens its task.
    pub(super) fn click(&mut self, row: usize, state: &State) -> Vec<UiEffect> {
        if self.focus == EventsFocus::List && self.position() == row {
            return self.open(state);
        }
        self.focus = EventsFocus::List;
        self.cursor = self.seq_at(row);
        self.scroll = Scroll::default();
        Vec::new()
    }

    /// Opens the task the selected record is about.
    fn open(&self, state: &State) -> Vec<UiEffect> {
        match self.task.as_ref().filter(|t| state.find(t).is_some()) {
            Some(task) => vec![UiEffect::Open(Box::new(Layer::Inspector(InspectorUi::new(task.clone()))))],
            None => notice("this record is about no task; y copies it, tab goes to it in full"),
        }
    }

    /// Takes a key of the filter's field, a paste, or the wheel.
    pub fn input(&mut self, msg: &Msg) -> Vec<UiEffect> {
        match msg {
            Msg::Key(key) if self.typing.is_some() => {
                let mut text = self.text.clone();
                match key.code {
                    KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => text.clear(),
                    KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                        text.push(c);
                    }
                    KeyCode::Backspace => {
                        text.pop();
                    }
                    _ => return Vec::new(),
                }
                self.set_filter(&text);
            }
            Msg::Paste(pasted) if self.typing.is_some() => {
                let text = format!("{}{}", self.text, pasted.replace('\n', " "));
                self.set_filter(&text);
            }
            Msg::Wheel(_, _, by) if self.focus == EventsFocus::Side => self.scroll.wheel(*by),
            Msg::Wheel(_, _, by) => self.step(isize::from(*by)),
            _ => {}
        }
        Vec::new()
    }
}

fn notice(words: &str) -> Vec<UiEffect> {
    vec![UiEffect::Notice(CleanText::one_line(words))]
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;

    use super::*;
    use crate::interface::tui::view::story::{self, Story};

    fn ticked(ui: &mut EventsUi, story: &Story) {
        ui.tick(story.transcripts.log(), &story.state, story.at, 10);
    }

    fn typed(ui: &mut EventsUi, story: &Story, text: &str) {
        ui.update(Action::Search, &story.state, story.at);
        ui.input(&Msg::Key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
        for c in text.chars() {
            ui.input(&Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
    }

    #[test]
    fn it_follows_until_moved_and_then_stays_with_its_record() {
        let mut story = story::failed();
        let mut ui = EventsUi::default();
        ticked(&mut ui, &story);
        let last = story.transcripts.log().end() - 1;
        assert_eq!(ui.selected(), Some(last));
        ui.update(Action::Up, &story.state, story.at);
        ticked(&mut ui, &story);
        assert_eq!((ui.selected(), ui.follows()), (Some(last - 1), false));
        for _ in 0..30 {
            story.tell(crate::domain::protocol::Event::SessionPaused {});
        }
        let top = ui.top();
        ticked(&mut ui, &story);
        assert_eq!((ui.selected(), ui.top()), (Some(last - 1), top), "nothing moves under the eye");
        ui.update(Action::Last, &story.state, story.at);
        ticked(&mut ui, &story);
        assert_eq!((ui.selected(), ui.follows()), (Some(last + 30), true));
    }

    #[test]
    fn a_filter_keeps_what_passes_and_what_comes_later_too() {
        let mut story = story::failed();
        let mut ui = EventsUi::default();
        ticked(&mut ui, &story);
        typed(&mut ui, &story, "event:session.paused,task.failed");
        ticked(&mut ui, &story);
        let before = ui.rows();
        assert!(before >= 1 && before < story.transcripts.log().len());
        assert_eq!(ui.contexts(&story.state), vec![Context::Text]);
        ui.update(Action::Enter, &story.state, story.at);
        story.tell(crate::domain::protocol::Event::SessionPaused {});
        ticked(&mut ui, &story);
        assert_eq!(ui.rows(), before + 1);
        assert_eq!(ui.selected(), Some(story.transcripts.log().end() - 1));
        assert!(ui.back(), "the filter goes first");
        ticked(&mut ui, &story);
        assert_eq!(ui.filter(), (CALM, None));
        assert!(!ui.back(), "then the screen");
    }

    #[test]
    fn a_filter_that_cannot_be_read_says_so_and_keeps_the_last_one() {
        let story = story::failed();
        let mut ui = EventsUi::default();
        typed(&mut ui, &story, "task:");
        ticked(&mut ui, &story);
        assert!(ui.filter().1.is_some() && ui.rows() > 0);
        assert!(
            matches!(&ui.update(Action::Enter, &story.state, story.at)[..], [UiEffect::Notice(t)] if t.contains("task:sources"))
        );
        assert!(ui.is_typing());
        assert!(ui.back());
        assert_eq!(ui.filter(), (CALM, None));
    }

    #[test]
    fn at_first_what_streams_is_left_out_and_an_empty_filter_shows_it() {
        let mut story = story::failed();
        let mut ui = EventsUi::default();
        ticked(&mut ui, &story);
        let calm = ui.rows();
        let outputs = (1..story.transcripts.log().end())
            .filter_map(|seq| story.transcripts.log().get(seq))
            .filter(|e| matches!(e.name(), "attempt.output" | "turn.progressed"))
            .count();
        assert!(outputs > 0);
        assert_eq!(calm + outputs, story.transcripts.log().len());
        story.wait(1);
        typed(&mut ui, &story, "");
        ui.update(Action::Enter, &story.state, story.at);
        ticked(&mut ui, &story);
        assert_eq!((ui.rows(), ui.filter()), (story.transcripts.log().len(), ("", None)));
        assert!(ui.back() && !ui.back());
        assert_eq!(ui.filter(), (CALM, None));
    }

    #[test]
    fn many_records_are_looked_at_in_slices_the_newest_first() {
        let mut story = story::failed();
        for _ in 0..SLICE * 2 {
            story.tell(crate::domain::protocol::Event::SessionPaused {});
        }
        let mut ui = EventsUi::default();
        ticked(&mut ui, &story);
        typed(&mut ui, &story, "event:session.*");
        ticked(&mut ui, &story);
        assert_eq!(ui.rows() as u64, SLICE);
        assert!(ui.looked_percent().is_some_and(|p| p > 10) && ui.deadline().is_some());
        ticked(&mut ui, &story);
        ticked(&mut ui, &story);
        assert!(ui.looked_percent().is_none() && ui.deadline().is_none());
        assert!(ui.rows() as u64 > SLICE * 2);
    }

    #[test]
    fn enter_opens_the_task_of_the_record() {
        let story = story::failed();
        let mut ui = EventsUi::default();
        ticked(&mut ui, &story);
        typed(&mut ui, &story, "event:task.failed");
        ticked(&mut ui, &story);
        ui.update(Action::Enter, &story.state, story.at);
        let opened = ui.update(Action::Enter, &story.state, story.at);
        assert!(matches!(&opened[..], [UiEffect::Open(layer)] if matches!(**layer, Layer::Inspector(_))));
        assert!(matches!(ui.update(Action::Copy, &story.state, story.at)[..], [UiEffect::CopyRecord(_)]));
    }
}
