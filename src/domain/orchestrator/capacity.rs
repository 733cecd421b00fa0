//! What an endpoint really serves, found out by watching it: how many at once, how fast, who else uses it, whether it is
//! to be trusted again.
//!
//! Not here: what probes find (`endpoints`).

use super::Orchestrator;
use super::commands::Refusal;
use crate::domain::protocol::{EndpointEdit, EndpointName, Event, Intake};

impl Orchestrator {
    /// Whether an endpoint may be let run empty, or opened again.
    pub(super) fn check_intake(&self, name: &EndpointName, intake: Intake) -> Result<(), Refusal> {
        let ix = self.state.find_endpoint(name).ok_or_else(|| format!("there is no endpoint {name}"))?;
        match (self.state.endpoint(ix).intake, intake) {
            (Intake::Draining, Intake::Draining) => Err(format!("{name} runs empty already")),
            (Intake::Open, Intake::Open) => Err(format!("{name} takes requests already")),
            _ => Ok(()),
        }
    }

    /// Lets an endpoint run empty, or opens it again.
    pub(super) fn set_intake(&mut self, endpoint: EndpointName, intake: Intake) {
        self.emit(Event::EndpointDrained { endpoint, intake });
    }

    /// Whether an endpoint may be changed so.
    pub(super) fn check_endpoint_edit(&self, name: &EndpointName, edit: &EndpointEdit) -> Result<(), Refusal> {
        if self.state.find_endpoint(name).is_none() {
            return Err(format!("there is no endpoint {name}"));
        }
        if *edit == EndpointEdit::default() {
            return Err("nothing of it is changed".to_owned());
        }
        if edit.slots == Some(0) {
            return Err("an endpoint has at least 1 slot; p lets it run empty".to_owned());
        }
        if edit.context.is_some_and(|c| c < 256) {
            return Err("a context is at least 256 tokens".to_owned());
        }
        if edit.tiers.as_ref().is_some_and(Vec::is_empty) {
            return Err("it would serve no tier; p lets it run empty".to_owned());
        }
        if edit.memory_gb.is_some_and(|gb| !gb.is_finite() || gb < 0.0) {
            return Err("planned memory is 0 or more gigabytes".to_owned());
        }
        Ok(())
    }

    /// Changes an endpoint for this session.
    pub(super) fn edit_endpoint(&mut self, endpoint: EndpointName, edit: EndpointEdit) {
        self.emit(Event::EndpointEdited { endpoint, edit });
    }
}
