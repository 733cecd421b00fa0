//! What the user does: focus, selection, scroll, cards. [`Ui::update`] is pure; it returns effects.
//!
//! Each screen's part of it stands in a file of its own with an `update` of the same form. Invariant: nothing here is
//! true of the session, and losing it loses no work.

mod card;
pub mod done;
mod editing;
pub mod editor;
pub mod form;
pub mod inspector;
mod layer;
mod observe;
pub mod palette;
pub mod preview;
pub mod review;
pub mod run;
pub(crate) mod scroll;
mod task_edits;
pub mod task_verbs;
mod update;
pub mod welcome;

use std::collections::BTreeSet;

use super::action::{Action, Context};
use crate::domain::protocol::{AttemptId, Command, EndpointName, GoalId, Micros, TaskId};
use crate::domain::state::State;
use crate::domain::text::CleanText;

pub use card::{Card, CardKind, Choice};
pub use done::DoneUi;
pub use editing::Unsaved;
#[cfg(test)]
pub(crate) use editing::desk::Desk;
pub(crate) use editing::mistakes;
pub use editor::EditorUi;
pub use form::FormUi;
pub use inspector::InspectorUi;
pub use layer::{AttentionUi, HelpUi, Layer};
pub use palette::PaletteUi;
pub use preview::PreviewUi;
pub use review::ReviewUi;
pub use run::RunUi;
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
    /// The terminal's columns and rows.
    pub size: (u16, u16),
    /// What is shown.
    pub screen: Screen,
    /// Screen 1.
    pub run: RunUi,
    /// The first minute.
    pub welcome: WelcomeUi,
    /// A drafted plan.
    pub review: ReviewUi,
    /// An answer.
    pub done: DoneUi,
    /// What lies on top, the last one uppermost; it has the keys.
    pub layers: Vec<Layer>,
    /// What the notice line says.
    pub notice: Option<Notice>,
    /// Until when a second ctrl-c means at once.
    pub pending_interrupt: Option<Micros>,
    /// Whether the terminal gives the mouse to Baton.
    pub mouse: Mouse,
    /// Texts left without being sent or thrown away; each opens again where it was opened from.
    drafts: Vec<Layer>,
    /// The edit that the session has not answered yet.
    asked: Option<editing::Asked>,
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

/// What the notice line says, until it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The words.
    pub text: CleanText,
    /// Session time at which it goes.
    pub until: Micros,
    /// How it is drawn.
    pub tone: Tone,
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

impl Notice {
    /// How long a notice stands.
    const LASTS: Micros = Micros::from_secs(6);

    /// A notice from `now` on.
    pub fn new(text: CleanText, tone: Tone, now: Micros) -> Self {
        Self { text, until: now.plus(Self::LASTS), tone }
    }
}

impl Ui {
    /// The contexts of the focus, innermost first: for key lookup, hints and help.
    ///
    /// A text field or a card stands alone: plain letters belong to it.
    pub fn contexts(&self, state: &State) -> Vec<Context> {
        if let Some(layer) = self.layers.last() {
            return layer.contexts(state);
        }
        let mut contexts = match self.screen {
            Screen::Welcome => self.welcome.contexts(state),
            Screen::Review(_) => self.review.contexts(state),
            Screen::Run => self.run.contexts(state),
            Screen::Done(_) => self.done.contexts(state),
            Screen::Other(_) => Vec::new(),
        };
        if !matches!(contexts.first(), Some(Context::Text | Context::Card)) {
            if !matches!(self.screen, Screen::Welcome) {
                contexts.push(Context::Session);
            }
            contexts.push(Context::Everywhere);
        }
        contexts
    }

    /// When the console itself has something to change: a notice ends, a card starts to listen.
    pub fn deadline(&self, now: Micros) -> Option<Micros> {
        let notice = self.notice.as_ref().map(|n| n.until);
        let card = self.layers.last().and_then(Layer::listens_at).filter(|at| *at > now);
        let layer = self.layers.last().and_then(Layer::deadline);
        [notice, card, layer, self.run.deadline()].into_iter().flatten().min()
    }

    /// Says something on the notice line.
    pub(crate) fn say(&mut self, text: impl Into<CleanText>, tone: Tone, now: Micros) {
        self.notice = Some(Notice::new(text.into(), tone, now));
    }
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
    /// A goal's answer.
    Done(GoalId),
    /// Screens 2 to 6: they say what they will show and which key leads back.
    Other(u8),
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
    /// The wheel at column, row; negative is up.
    Wheel(u16, u16, i16),
    /// The terminal has this size.
    Resize(u16, u16),
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
    /// Copy to the clipboard.
    Copy(String),
    /// Copy an attempt's answer to the clipboard: the loop has the text.
    CopyAnswer(AttemptId),
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
    /// Start over on the simulated fleet, or on the configured one.
    SwitchFleet(FleetChoice),
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

/// Which fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetChoice {
    /// The configured endpoints.
    Configured,
    /// Baton's simulated fleet.
    Simulated,
}
