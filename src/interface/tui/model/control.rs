//! Who may act: what this console is to the session, who has control of it, and what `C` does about that.
//!
//! Not here: deciding (the orchestrator). Invariant: what a console may not do it says before anything is sent.

use super::{Card, Choice, Layer, Tone, Ui, UiEffect, notice};
use crate::domain::protocol::{Command, Event, Micros, Record, Role, ViewerId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::engine::client::Standing;

/// Who has control, seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Nobody else can have it.
    Alone,
    /// This console.
    Yours,
    /// Nobody: whoever may act acts.
    Free,
    /// Somebody else, by name.
    Of(CleanText),
}

impl Ui {
    /// Who has control.
    pub fn control(&self, state: &State) -> Control {
        match (self.standing.viewer, state.control) {
            (None, None) => Control::Alone,
            (Some(me), Some(holder)) if me == holder => Control::Yours,
            (_, None) => Control::Free,
            (_, Some(holder)) => Control::Of(name(state, holder)),
        }
    }

    /// Whether this console only looks, now or always.
    pub fn only_looks(&self, state: &State) -> bool {
        self.standing.role == Role::Viewer
            || self.standing.viewer.is_some() && matches!(self.control(state), Control::Of(_))
    }

    /// Why this console can do nothing to the session; none: it can.
    pub(super) fn not_in_control(&self, state: &State) -> Option<CleanText> {
        if !self.only_looks(state) {
            return None;
        }
        let holder = match self.control(state) {
            Control::Of(name) => format!("{name} has control; "),
            _ => String::new(),
        };
        let ask = match self.standing.role {
            Role::Viewer => "this console was opened to look",
            _ => "C asks for control",
        };
        Some(format!("{holder}you may look, search and copy ({ask})").into())
    }

    /// What `C` does: takes control, asks for it, or gives it.
    pub(super) fn act_on_control(&self, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.standing.role == Role::Viewer {
            return notice("this console was opened to look; attach without --read-only to ask for control");
        }
        let Some(me) = self.standing.viewer else {
            return notice("you are alone with this session: nobody else can have control of it");
        };
        match (self.control(state), state.asking_control) {
            (Control::Yours, Some(asks)) => {
                let who = name(state, asks);
                let from = state.viewers.get(&asks).map_or_else(CleanText::default, |v| v.origin.clone());
                let body = vec![
                    CleanText::from(format!("{who} ({from}) asks for control.")),
                    CleanText::from_static("You go on looking, and C asks for it back."),
                ];
                let give = vec![UiEffect::Send(Command::GiveControl(Some(asks)))];
                let choices = vec![Choice::nothing("keep it"), Choice::new('g', format!("give it to {who}"), give)];
                vec![UiEffect::Open(Box::new(Layer::Card(Card::confirm("Control", body, choices, now))))]
            }
            (Control::Yours, None) if state.viewers.len() > 1 => {
                let body = vec![CleanText::from_static("Nobody asks for control. Whoever takes it first has it then.")];
                let free = vec![UiEffect::Send(Command::GiveControl(None))];
                let choices = vec![Choice::nothing("keep it"), Choice::new('g', "give it up", free)];
                vec![UiEffect::Open(Box::new(Layer::Card(Card::confirm("Control", body, choices, now))))]
            }
            (Control::Yours, None) => notice("you have control, and nobody else watches"),
            (Control::Of(_), Some(asks)) if asks == me => notice("you have asked for control already"),
            (Control::Of(who), _) => {
                let mut effects = notice(&format!("{who} is asked for control"));
                effects.push(UiEffect::Send(Command::AskControl));
                effects
            }
            (Control::Free | Control::Alone, _) => vec![UiEffect::Send(Command::TakeControl)],
        }
    }

    /// Says who comes, goes, asks and has control.
    pub(super) fn observe_control(&mut self, state: &State, record: &Record) {
        let Some(me) = self.standing.viewer else { return };
        let at = record.at;
        match &record.event {
            Event::ViewerJoined(viewer) if viewer.viewer != me => {
                self.say(format!("{} watches ({})", viewer.name, viewer.origin), Tone::Plain, at);
            }
            Event::ViewerAsked { viewer } if *viewer != me && state.control == Some(me) => {
                self.say(format!("{} asks for control; C gives it", name(state, *viewer)), Tone::Warning, at);
            }
            Event::ViewerGivenControl { viewer: Some(viewer) } if *viewer == me && state.viewers.len() > 1 => {
                self.say("you have control", Tone::Plain, at);
            }
            Event::ViewerGivenControl { viewer: Some(viewer) } if *viewer != me => {
                self.say(format!("{} has control", name(state, *viewer)), Tone::Plain, at);
            }
            Event::ViewerGivenControl { viewer: None } => {
                self.say("nobody has control; C takes it", Tone::Plain, at);
            }
            _ => {}
        }
    }

    /// Whether a command may be sent from here though the session can't be acted on: those that concern control.
    pub(crate) fn is_of_control(command: &Command) -> bool {
        matches!(command, Command::TakeControl | Command::AskControl | Command::GiveControl(_))
    }

    /// This console's place in the session, as the client knows it.
    pub(crate) fn stands(&mut self, standing: Standing) {
        self.standing = standing;
    }
}

/// A viewer's name; of one that is gone, its number.
fn name(state: &State, viewer: ViewerId) -> CleanText {
    state.viewers.get(&viewer).map_or_else(|| CleanText::from(viewer.to_string()), |v| v.name.clone())
}
