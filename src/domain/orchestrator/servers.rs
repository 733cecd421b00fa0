//! Servers and models as the operator wants them: started, stopped, loaded, unloaded.
//!
//! Not here: how that is done (`engine/servers`, `engine/providers`).

use super::commands::Refusal;
use super::{Effect, Look, Orchestrator};
use crate::domain::protocol::{
    EndpointName, Event, MemoryCheck, ModelMoved, ModelVerb, ServerChanged, ServerStanding, ServerVerb,
};

impl Orchestrator {
    /// Takes in how a server stands; recorded when it is another than before. One that became ready, or ended, is probed.
    pub(super) fn server_is(&mut self, server: Box<ServerChanged>) {
        let before = self.state.servers.get(&server.endpoint);
        if before == Some(&*server) {
            return;
        }
        let moved = before.map(|b| b.standing) != Some(server.standing);
        let probe = moved && !matches!(server.standing, ServerStanding::Starting | ServerStanding::Restarting);
        let name = server.endpoint.clone();
        self.emit(Event::ServerChanged(server));
        if probe && self.state.find_endpoint(&name).is_some() {
            self.effect(Effect::Probe(name, Look::Light));
        }
    }

    /// Takes in that a model was loaded or unloaded, or could not be.
    pub(super) fn model_moved(&mut self, moved: ModelMoved) {
        let name = moved.endpoint.clone();
        self.emit(Event::ModelMoved(moved));
        self.effect(Effect::Probe(name, Look::Light));
    }

    /// Whether something can be done with the server of an endpoint.
    pub(super) fn check_server(
        &self,
        name: &EndpointName,
        verb: ServerVerb,
        memory: MemoryCheck,
    ) -> Result<(), Refusal> {
        let ix = self.state.find_endpoint(name).ok_or_else(|| format!("there is no endpoint {name}"))?;
        let launch = self.state.endpoint(ix).config.launch.is_some();
        match verb {
            ServerVerb::Start | ServerVerb::Restart if !launch => {
                Err(format!("the fleet file does not say how {name} is started; give it a `launch`"))
            }
            ServerVerb::Start | ServerVerb::Restart => self.check_room_for(name, memory),
            ServerVerb::Stop => Ok(()),
        }
    }

    /// Has something done with the server of an endpoint.
    pub(super) fn serve(&mut self, endpoint: EndpointName, verb: ServerVerb) {
        self.effect(Effect::Server(endpoint, verb));
    }

    /// Whether the model of an endpoint can be loaded or unloaded.
    pub(super) fn check_model(&self, name: &EndpointName, verb: ModelVerb, memory: MemoryCheck) -> Result<(), Refusal> {
        self.state.find_endpoint(name).ok_or_else(|| format!("there is no endpoint {name}"))?;
        match verb {
            ModelVerb::Load => self.check_room_for(name, memory),
            ModelVerb::Unload => Ok(()),
        }
    }

    /// Has the model of an endpoint loaded or unloaded.
    pub(super) fn move_model(&mut self, endpoint: EndpointName, verb: ModelVerb) {
        self.effect(Effect::Model(endpoint, verb));
    }
}
