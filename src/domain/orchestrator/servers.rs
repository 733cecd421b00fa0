//! Servers and models as the operator wants them: started, stopped, loaded, unloaded; and what becomes of the work there.
//!
//! Not here: how that is done (`engine/servers`, `engine/providers`). Invariants: what runs at a server that is to end is
//! moved, not failed, before its end is asked for; a server that was told to start stands as starting until the engine
//! says otherwise, so that a failure is told from one of days ago; one that is to end takes no request until it has.

use super::commands::Refusal;
use super::{Job, Look, Orchestrator};
use crate::domain::fleet::{Nature, Protocol, local_port};
use crate::domain::protocol::{
    AttemptEnd, Author, EndpointName, Event, FailureCount, Health, MemoryCheck, ModelMoved, ModelVerb, Residence,
    ServerChanged, ServerStanding, ServerVerb, Subject,
};
use crate::domain::state::{EndpointIx, EndpointState, TaskIx};
use crate::domain::text::CleanText;

impl Orchestrator {
    /// Takes in how a server stands; recorded when it is another than before. One that became ready, or ended, is probed;
    /// one that failed while it was wanted needs the operator.
    pub(super) fn server_is(&mut self, server: Box<ServerChanged>) {
        use ServerStanding as S;
        let before = self.state.servers.get(&server.endpoint);
        if before == Some(&*server) {
            return;
        }
        let before = before.map(|b| b.standing);
        let (name, now, words) = (server.endpoint.clone(), server.standing, server.words.clone());
        self.emit(Event::ServerChanged(server));
        match now {
            S::Failed if before.is_some_and(|b| !b.is_over()) => {
                let text = format!("the server of {name} {words}; s on the Fleet screen (3) starts it again");
                self.emit_attention(Subject::Server(name.clone()), CleanText::one_line(&text));
            }
            S::Ready | S::Adopted | S::Stopped => self.emit_cleared(Subject::Server(name.clone())),
            S::Failed | S::Starting | S::Restarting | S::Stopping => {}
        }
        let settled = matches!(now, S::Ready | S::Adopted | S::Stopped | S::Failed);
        if before != Some(now) && settled && self.state.find_endpoint(&name).is_some() {
            self.probe(name, Look::Light);
        }
    }

    /// Takes in what became of an order. How the server stands after one that was given is seen ([`Self::server_is`]); after
    /// one that was not it stands no more as asked for.
    pub(super) fn order_given(&mut self, name: &EndpointName, given: Result<(), CleanText>) {
        use ServerStanding as S;
        let Err(words) = given else { return };
        match self.state.servers.get(name).filter(|s| matches!(s.standing, S::Starting | S::Stopping)).cloned() {
            Some(asked) => {
                self.server_is(Box::new(ServerChanged { standing: S::Failed, words, pid: None, ..asked }));
            }
            None => self.late(),
        }
    }

    /// Takes in that a model was loaded or unloaded, or could not be.
    pub(super) fn model_moved(&mut self, moved: ModelMoved) {
        let name = moved.endpoint.clone();
        if self.state.find_endpoint(&name).is_none() {
            return self.late();
        }
        self.emit(Event::ModelMoved(moved));
        self.probe(name, Look::Light);
    }

    /// Whether something can be done with the server of an endpoint.
    pub(super) fn check_server(
        &self,
        name: &EndpointName,
        verb: ServerVerb,
        memory: MemoryCheck,
    ) -> Result<(), Refusal> {
        use ServerStanding as S;
        let ix = self.endpoint_named(name)?;
        let e = self.state.endpoint(ix);
        if e.config.nature == Nature::Simulated {
            return Err(format!("{name} is simulated: it begins and ends with Baton"));
        }
        if e.config.launch.is_none() && verb != ServerVerb::Stop {
            return Err(format!("the fleet file does not say how {name} is started; give it a `launch`"));
        }
        if local_port(&e.config.url).is_none() {
            return Err(format!("{name} is at {}, and Baton has servers on this machine only", e.config.url));
        }
        let server = self.state.servers.get(name);
        match (verb, server.map(|s| s.standing)) {
            (_, Some(S::Stopping)) => Err("it is ending; wait until it has".to_owned()),
            (ServerVerb::Start, Some(S::Starting | S::Ready | S::Restarting | S::Adopted)) => {
                Err(format!("it runs: {}", server.map(|s| s.words.clone()).unwrap_or_default()))
            }
            (ServerVerb::Stop, None) => {
                Err(format!("Baton did not start the server of {name}; end it where it was started"))
            }
            (ServerVerb::Stop, Some(S::Stopped | S::Failed)) => Err("it does not run".to_owned()),
            // Without a lifetime Baton never started it; with one, it lost its supervisor.
            (ServerVerb::Stop | ServerVerb::Restart, Some(S::Adopted))
                if server.is_some_and(|s| s.lifetime.is_none()) =>
            {
                Err(format!(
                    "Baton did not start the server of {name}, and leaves it alone; end it where it was started"
                ))
            }
            (ServerVerb::Stop | ServerVerb::Restart, Some(S::Starting | S::Ready | S::Restarting | S::Adopted)) => {
                Ok(())
            }
            (ServerVerb::Start | ServerVerb::Restart, None | Some(S::Stopped | S::Failed)) => {
                self.check_room_for(name, memory)
            }
        }
    }

    /// Has something done with the server of an endpoint. What runs there goes on elsewhere, or waits.
    pub(super) fn serve(&mut self, author: &Author, endpoint: EndpointName, verb: ServerVerb) {
        let Some(ix) = self.state.find_endpoint(&endpoint) else { return };
        let runs = self.state.servers.get(&endpoint).is_some_and(|s| !s.standing.is_over());
        let standing = match verb {
            ServerVerb::Stop | ServerVerb::Restart if runs => {
                self.clear_out(ix, author, verb);
                ServerStanding::Stopping
            }
            ServerVerb::Start | ServerVerb::Restart | ServerVerb::Stop => ServerStanding::Starting,
        };
        let told = ordered(self.state.endpoint(ix), self.state.servers.get(&endpoint), standing, verb);
        self.emit(Event::ServerChanged(Box::new(told)));
        self.emit_cleared(Subject::Server(endpoint.clone()));
        self.begin(Job::Server(endpoint, verb));
    }

    /// Ends what runs at the server of an endpoint, whichever of its endpoints it runs at: no failure, it runs again.
    fn clear_out(&mut self, ix: EndpointIx, author: &Author, verb: ServerVerb) {
        let (server, name) = (self.state.endpoint(ix).config.pool().url, self.state.endpoint(ix).config.name.clone());
        let done = match verb {
            ServerVerb::Restart => "restarted",
            ServerVerb::Start | ServerVerb::Stop => "stopped",
        };
        let here: Vec<EndpointIx> = (0..self.state.endpoints().len() as u32)
            .map(EndpointIx)
            .filter(|ix| self.state.endpoint(*ix).config.pool().url == server)
            .collect();
        let reason = CleanText::one_line(&format!("{author} {done} the server of {name}"));
        for ix in &here {
            // First that it takes nothing more, so that what is moved does not come back at once.
            if !matches!(self.state.endpoint(*ix).health, Health::Down { .. }) {
                self.endpoint_is(*ix, Health::Down { reason: reason.clone() });
            }
        }
        for ix in self.at_work(|at| here.contains(&at)) {
            self.move_away(ix, &reason);
        }
    }

    /// The tasks with a turn under way at such endpoints.
    fn at_work(&self, at: impl Fn(EndpointIx) -> bool) -> Vec<TaskIx> {
        let works = self
            .state
            .running()
            .filter(|a| a.endpoint().is_some_and(&at) && a.turn().is_some_and(|t| t.ended.is_none()));
        works.map(|a| a.task).collect()
    }

    /// Ends the attempt of a task as moved; it runs again elsewhere, or here when that can be.
    fn move_away(&mut self, ix: TaskIx, reason: &CleanText) {
        let Some(turn) = self.state.open_attempt(self.state.task(ix)).map(|a| a.turn_id()) else { return };
        self.cut_turn(turn);
        self.emit(Event::AttemptEnded { attempt: turn.attempt, end: AttemptEnd::Moved });
        let task = self.state.task(ix);
        let (id, route) = (task.id.clone(), task.route);
        self.put_back(id, route, FailureCount::Unchanged, &format!("{reason}; it runs again"));
    }

    /// What a probe found of an endpoint whose server is to end: that it still answers says nothing.
    pub(super) fn heed_the_end(&self, name: &EndpointName, health: Health) -> Health {
        let Some(ix) = self.state.find_endpoint(name) else { return health };
        let server = self.state.endpoint(ix).config.pool().url;
        let ends = |e: &EndpointState| {
            let standing = self.state.servers.get(&e.config.name).map(|s| s.standing);
            standing == Some(ServerStanding::Stopping) && e.config.pool().url == server
        };
        match health {
            Health::Up | Health::Loading if self.state.endpoints().iter().any(ends) => {
                Health::Down { reason: CleanText::from_static("its server is ending") }
            }
            health => health,
        }
    }

    /// Whether the model of an endpoint can be loaded or unloaded.
    pub(super) fn check_model(&self, name: &EndpointName, verb: ModelVerb, memory: MemoryCheck) -> Result<(), Refusal> {
        let ix = self.endpoint_named(name)?;
        let e = self.state.endpoint(ix);
        let instead = match verb {
            ModelVerb::Load => "start the server instead",
            ModelVerb::Unload => "stop the server instead",
        };
        match (e.config.protocol, e.residence) {
            (Protocol::Command, _) => return Err("a command-line agent has no model of its own to load".to_owned()),
            // One that has several tells which of them is in memory.
            (Protocol::LlamaCpp, None) => {
                return Err(format!("llama-server loads its one model when it starts; {instead}"));
            }
            (_, Some(Residence::Loaded | Residence::Loading)) if verb == ModelVerb::Load => {
                return Err("it is in memory already".to_owned());
            }
            (_, Some(Residence::Unloaded)) if verb == ModelVerb::Unload => {
                return Err("it is not in memory".to_owned());
            }
            // The others say themselves whether they can.
            (Protocol::LlamaCpp | Protocol::Ollama | Protocol::OpenAi, _) => {}
        }
        match verb {
            ModelVerb::Load => self.check_room_for(name, memory),
            ModelVerb::Unload => match self.at_work(|at| self.state.endpoint(at).pool == e.pool).len() {
                0 => Ok(()),
                1 => Err("1 turn runs there; p lets it run empty first".to_owned()),
                turns => Err(format!("{turns} turns run there; p lets it run empty first")),
            },
        }
    }

    /// Has the model of an endpoint loaded or unloaded.
    pub(super) fn move_model(&mut self, endpoint: EndpointName, verb: ModelVerb) {
        let Some(ix) = self.state.find_endpoint(&endpoint) else { return };
        let pool = self.state.endpoint(ix).config.pool();
        self.begin(Job::Model { endpoint, pool, verb });
    }

    fn endpoint_named(&self, name: &EndpointName) -> Result<EndpointIx, Refusal> {
        self.state.find_endpoint(name).ok_or_else(|| format!("there is no endpoint {name}"))
    }

    /// What was said of servers that needed the operator and is so no more; it may not have been written.
    pub(super) fn calm_servers(&mut self) {
        let well = |s: &&ServerChanged| s.standing != ServerStanding::Failed;
        let names: Vec<EndpointName> = self.state.servers.values().filter(well).map(|s| s.endpoint.clone()).collect();
        for name in names {
            self.emit_cleared(Subject::Server(name));
        }
    }
}

/// How a server stands once something was asked of it, until the engine tells more.
fn ordered(
    e: &EndpointState,
    known: Option<&ServerChanged>,
    standing: ServerStanding,
    verb: ServerVerb,
) -> ServerChanged {
    let words = CleanText::one_line(&format!("{}: asked for", verb.word()));
    let known = known.cloned();
    match (standing, known) {
        (ServerStanding::Stopping, Some(known)) => ServerChanged { standing, words, ..known },
        (_, known) => ServerChanged {
            endpoint: e.config.name.clone(),
            standing,
            words,
            port: local_port(&e.config.url).unwrap_or_default(),
            pid: None,
            lifetime: e.config.launch.as_ref().map(|launch| launch.lifetime),
            restarts: 0,
            last: Vec::new(),
            log: known.and_then(|known| known.log),
        },
    }
}
