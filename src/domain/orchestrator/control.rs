//! Who watches and who has control: at most one viewer, which the others ask.
//!
//! Not here: who is at the other end of a connection (the host says so). Invariants: a viewer that only looks never
//! changes anything; control is held by a viewer that watches, or by nobody.

use super::commands::Refusal;
use super::{Effect, Orchestrator};
use crate::domain::protocol::{Command, CommandEnvelope, Event, Role, Viewer, ViewerId};
use crate::domain::text::CleanText;

impl Orchestrator {
    /// A console begins to watch; one that may act has control at once while nobody else has.
    pub(super) fn viewer_joined(&mut self, viewer: Viewer) {
        let (id, role) = (viewer.viewer, viewer.role);
        if self.state.viewers.contains_key(&id) {
            return;
        }
        self.emit(Event::ViewerJoined(viewer));
        if role == Role::Control && self.state.control.is_none() {
            self.emit(Event::ViewerGivenControl { viewer: Some(id) });
        }
    }

    /// It watches no more; what it controlled goes to the one that asks for it, or to nobody.
    pub(super) fn viewer_left(&mut self, viewer: ViewerId) {
        if !self.state.viewers.contains_key(&viewer) {
            return;
        }
        self.emit(Event::ViewerLeft { viewer });
        if self.state.control == Some(viewer) {
            let next = self.state.asking_control;
            self.emit(Event::ViewerGivenControl { viewer: next });
        }
    }

    /// Whether who gives a command may act at all.
    pub(super) fn may_act(&self, envelope: &CommandEnvelope) -> Result<(), Refusal> {
        let talks_of_control =
            matches!(envelope.command, Command::TakeControl | Command::AskControl | Command::GiveControl(_));
        match (envelope.viewer, self.state.control) {
            (Some(viewer), Some(holder)) if viewer != holder && !talks_of_control => {
                Err(format!("{} has control; C asks for it", self.viewer_name(holder)))
            }
            (Some(viewer), _) if !self.state.viewers.contains_key(&viewer) => {
                Err("this console is not known to the session any more; attach again".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether control may pass so.
    pub(super) fn check_control(&self, viewer: Option<ViewerId>, command: &Command) -> Result<(), Refusal> {
        let Some(viewer) = viewer else { return Err("only a console can have control; attach one".to_owned()) };
        match (command, self.state.control) {
            (Command::TakeControl | Command::AskControl, Some(holder)) if holder == viewer => {
                Err("you have control".to_owned())
            }
            (Command::TakeControl, Some(holder)) => {
                Err(format!("{} has control; C asks for it", self.viewer_name(holder)))
            }
            (Command::AskControl, Some(_)) if self.state.asking_control == Some(viewer) => {
                Err("you have asked already".to_owned())
            }
            (Command::GiveControl(_), holder) if holder != Some(viewer) => {
                Err("you have no control to give".to_owned())
            }
            (Command::GiveControl(Some(to)), _) => match self.state.viewers.get(to) {
                None => Err(format!("{to} does not watch any more")),
                Some(v) if v.role == Role::Viewer => Err(format!("{} only looks", v.name)),
                Some(_) if *to == viewer => Err("you have control".to_owned()),
                Some(_) => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Passes control as was checked.
    pub(super) fn pass_control(&mut self, viewer: Option<ViewerId>, command: &Command) {
        let Some(viewer) = viewer else { return };
        match command {
            Command::AskControl if self.state.control.is_some() => self.emit(Event::ViewerAsked { viewer }),
            Command::TakeControl | Command::AskControl => {
                self.emit(Event::ViewerGivenControl { viewer: Some(viewer) });
            }
            Command::GiveControl(to) => self.emit(Event::ViewerGivenControl { viewer: *to }),
            _ => {}
        }
    }

    /// Answers somebody who may only look: counted, not recorded, so that nobody fills the journal with refusals.
    pub(super) fn turn_away(&mut self, envelope: &CommandEnvelope, reason: &str) {
        self.turned_away += 1;
        self.effect(Effect::TurnAway { id: envelope.id.clone(), reason: CleanText::one_line(reason) });
    }

    fn viewer_name(&self, viewer: ViewerId) -> String {
        self.state.viewers.get(&viewer).map_or_else(|| viewer.to_string(), |v| format!("{} ({viewer})", v.name))
    }
}
