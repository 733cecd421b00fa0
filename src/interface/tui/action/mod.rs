//! Every action of the console: what a key, a click or the palette can mean. [`table`] declares each once with its
//! name, words, contexts and default keys; help, palette and key hints come from it.
//!
//! Not here: what an action does ([`super::model`]). Invariant: in one context a key has one action; where a chain of
//! contexts has two, the innermost wins, and a test lists those that may.

mod key;
mod keymap;
#[cfg(test)]
mod readme;
pub mod table;

pub use key::{Key, KeyError};
pub use keymap::{Hint, KeyWarning, Keymap};

/// One thing the user can do. The meaning depends on nothing else: context was resolved when the key was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Show screen 1 (Run) to 6.
    Screen(u8),
    /// Focus the next pane.
    NextPane,
    /// Focus the pane before.
    PreviousPane,
    /// Open the palette.
    Palette,
    /// Open help for this context.
    Help,
    /// Show what needs the operator.
    Attention,
    /// Ask for a new goal.
    NewGoal,
    /// One level back; never destroys.
    Back,
    /// The leave card (at once when nothing runs).
    Quit,
    /// Suspend the process.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// Probe the endpoints again.
    Refresh,
    /// Mouse on or off.
    Mouse,
    /// Copy the answer.
    CopyAnswer,
    /// Save the answer to a file.
    SaveAnswer,
    /// Next theme.
    NextTheme,
    /// Choose a theme, seeing it meanwhile.
    ChooseTheme,
    /// The session's reasoning level, one further.
    SessionLevel,
    /// Start nothing new, or resume.
    Pause,
    /// Retry everything that failed (asks).
    RetryFailed,
    /// Stop all (asks).
    StopAll,
    /// Down one.
    Down,
    /// Up one.
    Up,
    /// Left, or fold.
    Left,
    /// Right, or unfold.
    Right,
    /// To the first.
    First,
    /// To the last.
    Last,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// Filter the list or search the text.
    Search,
    /// Next match.
    NextMatch,
    /// Match before.
    PreviousMatch,
    /// Open what is selected, or accept.
    Enter,
    /// Copy what is selected.
    Copy,
    /// Retry the selected task (asks when it is many).
    Retry,
    /// The selected task's level, one further.
    Level,
    /// Hold or release the selected task.
    Hold,
    /// Stop the selected task (card).
    Stop,
    /// Pin or unpin its output.
    Pin,
    /// Follow the end of the text.
    Follow,
    /// Zoom the pane, or back.
    Zoom,
    /// Grid 1, 2, 2×2, 3×3.
    Grid,
    /// Edit the whole plan as text.
    EditPlan,
    /// Edit the selected task: its form, its needs, its result.
    EditTask,
    /// A new task that needs the selected one.
    NewTask,
    /// Undo the last edit of the plan.
    Undo,
    /// Make the last undone edit again.
    Redo,
    /// The selected task matters more.
    Raise,
    /// The selected task matters less.
    Lower,
    /// Say something to the selected task's agent.
    Message,
    /// Answer what the selected task's agent asks.
    Answer,
    /// The attempts of the selected task side by side.
    DiffAttempts,
    /// Take something off the list of what needs the operator.
    Dismiss,
    /// Show what was said on the notice line.
    Notices,
    /// Mark what is selected, or take the mark off.
    Mark,
    /// Mark from here to where the cursor goes; in a text, select.
    Range,
    /// The list's next order; the graph's next form.
    Order,
    /// A text field: accept it, of however many lines.
    Accept,
    /// A text field: to the next mistake in it.
    NextProblem,
    /// The list gets wider.
    WiderList,
    /// The list gets narrower.
    NarrowerList,
    /// The list gets taller.
    TallerList,
    /// The list gets lower.
    LowerList,
    /// All parts get back the sizes they have by themselves.
    ResetSizes,
    /// A text field: open its text in `$EDITOR`.
    ExternalEditor,
    /// A text field: undo.
    TextUndo,
    /// A text field: redo.
    TextRedo,
    /// A text field: find in it.
    TextFind,
    /// Welcome: choose the fleet.
    ChooseFleet,
    /// Welcome: keep the fleet that was found as a fleet file.
    KeepFleet,
    /// Take the selected task out of the plan (shows what that does first).
    Remove,
    /// Run the goal again.
    Again,
    /// Take the selected session up again.
    ResumeSession,
    /// Delete the selected session (asks).
    DeleteSession,
    /// Play what was recorded, or pause.
    Play,
    /// To the next record.
    NextRecord,
    /// To the record before.
    PreviousRecord,
    /// Five seconds on.
    Forward,
    /// Five seconds back.
    Rewind,
    /// A tenth of the session on.
    ForwardTenth,
    /// A tenth of the session back.
    RewindTenth,
    /// To the next start or end of a task.
    NextMarker,
    /// To the start or end of a task before.
    PreviousMarker,
    /// Play twice as fast.
    Faster,
    /// Play half as fast.
    Slower,
    /// Cut gaps without records to another length while playing.
    IdleLimit,
    /// Ask where in the session to go.
    GoTo,
    /// Back to now; in a replay to its end.
    Now,
    /// A new session with the past up to here (asks).
    Fork,
    /// Take control of the session, ask for it, or give it (asks).
    Control,
    /// The timeline: show a longer part.
    ZoomOut,
    /// Start the selected endpoint's server, or load its model (asks where memory is short).
    StartServer,
    /// Stop its server, or unload its model (asks).
    StopServer,
    /// Restart its server (asks).
    RestartServer,
    /// Let it run empty, or send requests to it again.
    Drain,
    /// Change its slots, context, tiers, memory.
    EditEndpoint,
}

impl Action {
    /// Whether it changes the session, at once or by what it opens: in the past and without control it is refused.
    pub const fn acts(self) -> bool {
        matches!(
            self,
            Self::NewGoal
                | Self::Refresh
                | Self::SessionLevel
                | Self::Pause
                | Self::RetryFailed
                | Self::StopAll
                | Self::Retry
                | Self::Level
                | Self::Hold
                | Self::Stop
                | Self::EditPlan
                | Self::EditTask
                | Self::NewTask
                | Self::Undo
                | Self::Redo
                | Self::Raise
                | Self::Lower
                | Self::Message
                | Self::Answer
                | Self::Dismiss
                | Self::ChooseFleet
                | Self::Remove
                | Self::Again
        ) || self.is_of_fleet()
    }

    /// Whether it is done to an endpoint.
    pub const fn is_of_fleet(self) -> bool {
        matches!(self, Self::StartServer | Self::StopServer | Self::RestartServer | Self::Drain | Self::EditEndpoint)
    }
}

/// Where a key is looked up. The first context of the focus that has the key wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Everywhere but text fields and cards.
    Everywhere,
    /// The whole session (Run and its like).
    Session,
    /// Lists and trees.
    List,
    /// A task is selected.
    Task,
    /// An output pane.
    Output,
    /// The fleet pane.
    Fleet,
    /// The welcome screen outside the goal box.
    Welcome,
    /// The plan review.
    Review,
    /// The answer.
    Done,
    /// The list of what needs the operator.
    Attention,
    /// The list of sessions.
    Sessions,
    /// The timeline.
    Timeline,
    /// Time, on every screen.
    Time,
    /// A card that asks.
    Card,
    /// A text field.
    Text,
}
