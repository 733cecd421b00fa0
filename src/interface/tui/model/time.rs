//! What the user does with time: the moment that is shown, the way to another one, and screen 4, the timeline.
//!
//! Not here: reading the past (the loop does), drawing (`view/time`). Invariant: a moment is shown, or the screen is
//! live; what acts is refused in the past, with what to do instead.

pub mod lanes;
pub mod timeline;

use std::sync::Arc;

use self::timeline::Timeline;
use super::field::TextField;
use super::layer::LayerDoes;
use super::{Card, Choice, Layer, Msg, Ui, UiEffect, notice};
use crate::domain::protocol::{Event, Micros, Record};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;
use crate::interface::tui::time::player::{IdleLimit, Speed};
use crate::interface::tui::widget::figure::clock;

/// A way through time.
#[derive(Clone, Debug, PartialEq)]
pub enum Travel {
    /// Play, or pause.
    Play,
    /// By so many records.
    Records(i64),
    /// By so many seconds.
    Seconds(i64),
    /// By so many percent of the whole.
    Percent(i64),
    /// By so many starts and ends of attempts.
    Markers(i64),
    /// Faster (1) or slower (-1).
    Speed(i8),
    /// The next limit of gaps.
    IdleLimit,
    /// Where the words say.
    To(String),
    /// A session time.
    Time(Micros),
    /// To now; in a replay to its end.
    Now,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A session that goes on.
    #[default]
    Live,
    /// A replay: there is no now.
    Replay,
}

/// The moment that is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// The session time.
    pub at: Micros,
    /// The last record before it.
    pub seq: u64,
    /// The session time of the end, or of now.
    pub end: Micros,
    /// The last record there is.
    pub last: u64,
    /// How fast it is played.
    pub speed: Speed,
    /// How long gaps may be.
    pub idle: IdleLimit,
    /// Whether it is played.
    pub plays: bool,
    /// Whether another moment is being read.
    pub reads: bool,
    /// Starts and ends of attempts up to here, and all.
    pub markers: (usize, usize),
}

impl Moment {
    /// How far, of 1.
    pub fn share(&self) -> f64 {
        if self.end.0 == 0 { 0.0 } else { (self.at.0 as f64 / self.end.0 as f64).min(1.0) }
    }
}

/// What a vertical line on the timeline stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A process took the session up.
    Opened,
    /// Nothing new starts from here on.
    Paused,
    /// Tasks start again.
    Resumed,
}

/// The user's side of time.
#[derive(Clone, Debug, Default)]
pub struct TimeUi {
    /// The moment that is shown; none: it is live.
    pub moment: Option<Moment>,
    /// What is looked at.
    pub kind: Kind,
    /// Screen 4.
    pub timeline: Timeline,
    /// Where vertical lines stand on it, in order.
    pub(crate) marks: Arc<Vec<(Micros, Mark)>>,
}

impl TimeUi {
    /// Follows a record.
    pub(super) fn observe(&mut self, state: &State, record: &Record) {
        let mark = match &record.event {
            // The first one is the beginning.
            Event::SessionOpened(_) if state.lives.len() > 1 => Mark::Opened,
            Event::SessionPaused {} => Mark::Paused,
            Event::SessionResumed {} => Mark::Resumed,
            _ => return,
        };
        Arc::make_mut(&mut self.marks).push((record.at, mark));
    }

    /// Takes over what is the same at every instant.
    pub(super) fn adopt(&mut self, other: Self) {
        (self.moment, self.kind, self.marks) = (other.moment, other.kind, other.marks);
    }
}

/// What the time keys ask for; none: it is no time key.
pub(super) fn travel(action: Action) -> Option<Travel> {
    Some(match action {
        Action::Play => Travel::Play,
        Action::NextRecord => Travel::Records(1),
        Action::PreviousRecord => Travel::Records(-1),
        Action::Forward => Travel::Seconds(5),
        Action::Rewind => Travel::Seconds(-5),
        Action::ForwardTenth => Travel::Percent(10),
        Action::RewindTenth => Travel::Percent(-10),
        Action::NextMarker => Travel::Markers(1),
        Action::PreviousMarker => Travel::Markers(-1),
        Action::Faster => Travel::Speed(1),
        Action::Slower => Travel::Speed(-1),
        Action::IdleLimit => Travel::IdleLimit,
        Action::Now => Travel::Now,
        _ => return None,
    })
}

impl Ui {
    /// Why nothing can be done to the session from here; none: it can.
    pub(crate) fn barred(&self, state: &State) -> Option<CleanText> {
        match (&self.time.moment, self.time.kind) {
            (_, Kind::Replay) => Some("this is a replay; F forks here, r on Sessions resumes".into()),
            (Some(moment), Kind::Live) => {
                Some(format!("you are at {}; 0 returns to now, F forks here", clock(moment.at)).into())
            }
            (None, Kind::Live) => self.not_in_control(state),
        }
    }

    /// Asks before the session is forked at what is shown.
    pub(super) fn fork(&self, state: &State, now: Micros) -> Vec<UiEffect> {
        let (seq, at) = self.time.moment.as_ref().map_or((state.seq, state.at), |m| (m.seq, m.at));
        if seq == 0 {
            return notice("there is nothing before this to fork from; go on first");
        }
        let body = vec![
            CleanText::from(format!("Fork here: record {seq}, {}.", clock(at))),
            CleanText::from_static("A new session begins with this past, held; this one stays as it is."),
        ];
        let choices = vec![
            Choice::nothing("stay here"),
            Choice::new('f', "fork: make the new session", vec![UiEffect::Fork(seq)]),
        ];
        vec![UiEffect::Open(Box::new(Layer::Card(Card::confirm("Fork", body, choices, now))))]
    }
}

/// Where to go, as it is typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoToUi {
    /// What is typed.
    pub(crate) field: TextField,
    /// What was wrong with what was typed before.
    pub trouble: Option<CleanText>,
}

impl GoToUi {
    /// What was typed, and why it leads nowhere.
    pub(crate) fn refused(text: &str, trouble: CleanText) -> Self {
        Self { field: TextField::with_text(text), trouble: Some(trouble) }
    }

    /// Does what an action means here.
    pub(super) fn update(&mut self, action: Action) -> LayerDoes {
        if self.field.act(action) {
            return LayerDoes::Stays(Vec::new());
        }
        match action {
            Action::Enter if self.field.is_empty() => {
                self.trouble = Some("type 50%, 02:10, #4211 or a task".into());
                LayerDoes::Stays(Vec::new())
            }
            Action::Enter => LayerDoes::Closes(vec![UiEffect::Travel(Travel::To(self.field.text()))]),
            _ => LayerDoes::Stays(Vec::new()),
        }
    }

    /// Takes a key or a paste.
    pub(super) fn input(&mut self, msg: &Msg) {
        self.trouble = None;
        match msg {
            Msg::Paste(text) => self.field.input(&Msg::Paste(CleanText::one_line(text))),
            msg => self.field.input(msg),
        }
    }
}
