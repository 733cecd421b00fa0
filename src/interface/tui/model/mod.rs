//! What the user does: focus, selection, scroll, cards. [`Ui::update`] is pure; it returns effects.
//!
//! Each screen's part of it stands in a file of its own with an `update` of the same form. Invariant: nothing here is
//! true of the session, and losing it loses no work.

pub mod absent;
pub mod answer;
pub mod attention;
mod card;
mod clicks;
pub mod control;
pub mod discovery;
pub mod done;
mod editing;
pub mod editor;
pub mod events;
pub mod field;
pub mod files;
pub mod fleet;
pub mod form;
pub mod graph;
pub mod inspector;
mod instant;
mod layer;
mod layers;
pub(crate) mod level;
pub mod logs;
pub mod many;
pub mod message;
pub mod notices;
mod observe;
pub mod palette;
pub mod preview;
pub mod remembered;
pub mod reruns;
pub mod retry;
pub mod review;
pub mod run;
pub(crate) mod scroll;
pub mod sessions;
pub mod spots;
mod task_edits;
pub mod task_verbs;
pub mod themes;
pub mod time;
mod update;
pub mod welcome;

use std::collections::{BTreeMap, BTreeSet};

use super::action::{Action, Context};
use crate::domain::protocol::{AttemptId, Channel, Command, EndpointName, GoalId, Micros, SessionId, Subject, TaskId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::engine::client::{Leaving, Standing};

pub use answer::AnswerUi;
pub use attention::AttentionUi;
pub use card::{Card, CardKind, Choice};
pub use done::DoneUi;
pub use editing::Unsaved;
#[cfg(test)]
pub(crate) use editing::desk::Desk;
pub(crate) use editing::mistakes;
pub use editor::EditorUi;
pub use events::EventsUi;
pub use fleet::FleetUi;
pub use form::FormUi;
pub use graph::GraphUi;
pub use inspector::InspectorUi;
pub use layer::{HelpUi, Layer};
pub use message::MessageUi;
pub use notices::{Notice, Notices};
pub use palette::PaletteUi;
pub use preview::PreviewUi;
pub use remembered::Remembered;
pub use retry::RetryUi;
pub use review::ReviewUi;
pub use run::RunUi;
pub use sessions::{SessionForm, SessionsNews, SessionsUi};
pub use themes::ThemesUi;
pub use time::{GoToUi, Moment, TimeUi, Travel};
pub(crate) use update::needs_you;
pub use welcome::WelcomeUi;

/// What the user does: what is shown, where the focus is, what lies on top.
///
/// Each screen's part has the same four: `update(&mut self, Action, &State, Micros) -> Vec<UiEffect>` for what its
/// contexts offer, `input(&mut self, &Msg, &State, Micros) -> Vec<UiEffect>` for keys of a text field, pastes, clicks and
/// the wheel, `contexts(&self, &State) -> Vec<Context>` from the focus outwards (without `Everywhere`), and
/// `observe(&mut self, &State, &Record)` after each record.
#[derive(Clone, Debug, Default)]
pub struct Ui {
    /// What becomes of the session when this console is left.
    pub leaving: Leaving,
    /// The terminal's columns and rows.
    pub size: (u16, u16),
    /// What is shown.
    pub screen: Screen,
    /// Screen 1.
    pub run: RunUi,
    /// Screen 2.
    pub graph: GraphUi,
    /// Screen 3.
    pub fleet: FleetUi,
    /// The first minute.
    pub welcome: WelcomeUi,
    /// What was asked for model servers, and what answers.
    pub discovery: discovery::Discovery,
    /// A drafted plan.
    pub review: ReviewUi,
    /// An answer.
    pub done: DoneUi,
    /// Screen 4, and the moment that is shown.
    pub time: TimeUi,
    /// Screen 5.
    pub events: EventsUi,
    /// Screen 6.
    pub sessions: SessionsUi,
    /// What this console is to the session.
    pub standing: Standing,
    /// What lies on top, the last one uppermost; it has the keys.
    pub layers: Vec<Layer>,
    /// What the notice line says.
    pub notice: Option<Notice>,
    /// What waits for that line, and what was said before.
    pub notices: Notices,
    /// What was typed and not sent, by task: esc keeps it.
    drafts: BTreeMap<(DraftOf, TaskId), String>,
    /// What this console asked to be taken off the list of what needs the operator.
    dismissing: Option<Subject>,
    /// Until when a second ctrl-c means at once.
    pub pending_interrupt: Option<Micros>,
    /// Whether the terminal gives the mouse to Baton.
    pub mouse: Mouse,
    /// Texts left without being sent or thrown away; each opens again where it was opened from.
    kept: Vec<Layer>,
    /// The edit that the session has not answered yet.
    asked: Option<editing::Asked>,
    /// What the last frame showed that can be clicked.
    pub spots: spots::Spots,
    /// Endpoints seen answering: only these can stop answering.
    up: BTreeSet<EndpointName>,
}

/// Who has the mouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mouse {
    /// The terminal: text can be selected as everywhere.
    #[default]
    Terminal,
    /// Baton: clicks and the wheel act.
    Baton,
}

/// How a notice is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Something happened.
    #[default]
    Plain,
    /// Something went wrong, and was or can be mended.
    Warning,
}

impl Ui {
    /// The contexts of the focus, innermost first: for key lookup, hints and help.
    ///
    /// A text field or a card stands alone: plain letters belong to it.
    pub fn contexts(&self, state: &State) -> Vec<Context> {
        if let Some(layer) = self.layers.last() {
            let mut contexts = layer.contexts(state);
            if let Some(at) = contexts.iter().position(|c| *c == Context::Everywhere) {
                contexts.insert(at, Context::Time);
            }
            return contexts;
        }
        let mut contexts = match self.screen {
            Screen::Welcome => self.welcome.contexts(state),
            Screen::Review(_) => self.review.contexts(state),
            Screen::Run => self.run.contexts(state),
            Screen::Graph => self.graph.contexts(state),
            Screen::Done(_) => self.done.contexts(state),
            Screen::Time => self.time.timeline.contexts(),
            Screen::Events => self.events.contexts(state),
            Screen::Sessions => self.sessions.contexts(),
            Screen::Fleet => self.fleet.contexts(state),
        };
        if !matches!(contexts.first(), Some(Context::Text | Context::Card)) {
            if !matches!(self.screen, Screen::Welcome) {
                contexts.push(Context::Session);
            }
            contexts.push(Context::Time);
            contexts.push(Context::Everywhere);
        }
        contexts
    }

    /// When the console itself has something to change: a notice ends, a card starts to listen.
    pub fn deadline(&self, now: Micros) -> Option<Micros> {
        let notice = self.notice.as_ref().map(|n| n.until);
        let card = self.layers.last().and_then(Layer::listens_at).filter(|at| *at > now);
        let layer = self.layers.last().and_then(Layer::deadline);
        // Of the past, nothing changes by itself but what was said.
        if self.time.moment.is_some() {
            return [notice, card, layer].into_iter().flatten().min();
        }
        let events = (self.screen == Screen::Events).then(|| self.events.deadline()).flatten();
        [notice, card, layer, self.run.deadline(), events].into_iter().flatten().min()
    }
}

/// What a draft was to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DraftOf {
    /// A message to an agent.
    Message,
    /// The answer to its question.
    Answer,
    /// Its next prompt.
    Prompt,
}

/// A refusal or a remark, as what an action comes to.
pub(crate) fn notice(text: &str) -> Vec<UiEffect> {
    vec![UiEffect::Notice(text.into())]
}

/// What fills the screen below the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// The first minute: fleet found, goal asked for.
    #[default]
    Welcome,
    /// A drafted plan.
    Review(GoalId),
    /// Screen 1.
    Run,
    /// Screen 2.
    Graph,
    /// A goal's answer.
    Done(GoalId),
    /// Screen 3: endpoints, slots, memory.
    Fleet,
    /// Screen 4: who worked when.
    Time,
    /// Screen 5: the journal.
    Events,
    /// Screen 6: what ran and runs.
    Sessions,
}

/// What the user did, context resolved.
#[derive(Clone, Debug, PartialEq)]
pub enum Msg {
    /// A key or palette entry.
    Action(Action),
    /// A key for the focused text field or card.
    Key(crossterm::event::KeyEvent),
    /// Text pasted into the focused text field.
    Paste(CleanText),
    /// A left click at column, row.
    Click(u16, u16),
    /// The mouse moved to column, row with the left button down.
    Drag(u16, u16),
    /// The left button went up at column, row.
    Release(u16, u16),
    /// The wheel at column, row, by lines; negative is up.
    Wheel(u16, u16, i16),
    /// The terminal has this size.
    Resize(u16, u16),
    /// Something was found out about sessions.
    Sessions(Box<SessionsNews>),
    /// Something came of what the goal box asked of the disk.
    Files(Box<files::FilesNews>),
    /// Something was read of the log that is followed.
    Log(Box<logs::LogNews>),
    /// A deadline of the console's own came (a notice ends, a pane rotates).
    Tick,
}

/// What the loop is to do. Executed in one place.
#[derive(Clone, Debug, PartialEq)]
pub enum UiEffect {
    /// Send a command to the session.
    Send(Command),
    /// Say something on the notice line for a few seconds.
    Notice(CleanText),
    /// Open something on top of the screen. Taken care of by [`Ui::update`]; the loop never sees it.
    Open(Box<Layer>),
    /// Show a screen. Taken care of by [`Ui::update`]; the loop never sees it.
    Show(Screen),
    /// Complete, look at or read files that the goal box names; what comes of it comes back with [`Msg::Files`].
    Files(files::FilesWish),
    /// Copy to the clipboard.
    Copy(String),
    /// Copy an attempt's answer to the clipboard: the loop has the text.
    CopyAnswer(AttemptId),
    /// Copy the record at a place to the clipboard, as JSON.
    CopyRecord(u64),
    /// Copy the text of one channel of an attempt.
    CopyText(AttemptId, Channel),
    /// Copy what is selected in a pane, and end the selection.
    CopySelection,
    /// Save an attempt's answer to a file of that name, as [`UiEffect::Save`] does.
    SaveAnswer {
        /// Whose answer.
        attempt: AttemptId,
        /// The file's name.
        name: String,
    },
    /// Save text to a file of that name in the working folder (never over an existing one), and say where.
    Save {
        /// The file's name.
        name: String,
        /// Its text.
        text: String,
    },
    /// Open a text in `$EDITOR`; it comes back with [`Ui::edited_outside`].
    ExternalEditor {
        /// The name of its file.
        name: String,
        /// The text.
        text: String,
    },
    /// Open the result of a task in the text editor, with [`Ui::edit_result`]: the loop has the text.
    EditResult(TaskId),
    /// Close the editor or form on top. Taken care of by [`Ui::update`]; the loop never sees it.
    CloseEditor(Unsaved),
    /// Suspend the process.
    Suspend,
    /// Leave the terminal and work on.
    Detach,
    /// End: finish what runs first, or now.
    Quit(Leave),
    /// Clear and draw everything.
    Redraw,
    /// Mouse on or off.
    ToggleMouse,
    /// The next theme.
    NextTheme,
    /// Open the theme picker: the loop knows the themes.
    ChooseTheme,
    /// Wear a theme, until another is or this one is kept.
    PreviewTheme(String),
    /// Wear a theme from now on, and at the next start.
    KeepTheme(String),
    /// Keep the fleet that was found as a fleet file.
    KeepFleet,
    /// Look for sessions; what is found comes back with [`Msg::Sessions`].
    ListSessions,
    /// Look for a text in all that was said in these sessions; matches come back with [`Msg::Sessions`].
    SearchSessions {
        /// Which search it is: its matches carry the number.
        number: u64,
        /// The text.
        text: String,
        /// The sessions, in the order they are looked through.
        sessions: Vec<SessionId>,
    },
    /// Stop looking for it.
    StopSearch,
    /// Follow the log of a server, and no other: its last lines, then what it says; they come back with [`Msg::Log`].
    FollowLog(logs::LogSource),
    /// Follow no log any more.
    StopLog,
    /// Delete a session.
    DeleteSession(SessionId),
    /// Make a new session with all of this one's past, held.
    ForkSession(SessionId),
    /// Save a session in a form to a file in the working folder.
    SaveSession(SessionId, SessionForm),
    /// Show another moment, or play.
    Travel(Travel),
    /// Make a new session with the past up to a record.
    Fork(u64),
    /// Leave this session for something else.
    Go(Next),
}

/// How the console is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Nothing runs.
    Idle,
    /// Start nothing new, wait for what runs.
    AfterRunning,
    /// Cancel all, keeping partials.
    CancelAll,
    /// The same, by a second ctrl-c: exit code 130.
    Interrupted,
}

/// What comes after this session in the same terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A new session on a fleet.
    Fleet(FleetChoice),
    /// A new session where this one stood: the welcome.
    New,
    /// A session taken up again.
    Resume(SessionId),
    /// A session's past, to be looked at.
    Replay(SessionId),
    /// A running session of another process.
    Attach(SessionId),
}

/// Which fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetChoice {
    /// The configured endpoints.
    Configured,
    /// Baton's simulated fleet.
    Simulated,
}

#[cfg(test)]
mod keys_tests;
