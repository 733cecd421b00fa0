//! What the user does: focus, selection, scroll, cards. [`Ui::update`] is pure; it returns effects.
//!
//! Each screen's part of it stands in a file of its own with an `update` of the same form. Invariant: nothing here is
//! true of the session, and losing it loses no work.

use super::action::Action;
use crate::domain::protocol::{Command, GoalId};
use crate::domain::text::CleanText;

/// What the user does.
#[derive(Clone, Debug, Default)]
pub struct Ui {
    /// What is shown.
    pub screen: Screen,
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
    /// Copy to the clipboard.
    Copy(String),
    /// Save text to a file of that name in the working folder (never over an existing one), and say where.
    Save {
        /// The file's name.
        name: String,
        /// Its text.
        text: String,
    },
    /// Open the plan of a goal in `$EDITOR`; the result comes back as an edit.
    EditPlan(GoalId),
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
