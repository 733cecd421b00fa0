//! The host's loop.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::asleep::Asleep;
use super::clock::SessionClock;
use super::expand::expand;
use super::keeping::{Keeping, Wish, wished};
use super::models::Moving;
use super::probing::{Ours, Probing};
use super::servers::Serving;
use super::turn::{PhaseCell, Turn};
use super::watch::Watch;
use super::{Answer, Asked, Ended, EngineError};
use crate::domain::fleet::{Endpoint, PoolKey};
use crate::domain::orchestrator::{Decision, Effect, Input, Look, Orchestrator, Reopening, StartTurn};
use crate::domain::protocol::{
    Author, Command, CommandEnvelope, CommandId, EndpointName, Event, Failure, FailureKind, Micros, Name, Record,
    Remedy, Role, SessionOpened, SessionStarted, SlotAfter, Subject, TurnEnd, TurnId, Usage, ViewerId, Vigil,
};
use crate::domain::state::{GoalPhase, Pool, State};
use crate::domain::text::CleanText;
use crate::engine::journal::{JournalError, Keeper, TextStore, Writer};
use crate::engine::machine::awake::{Awake, Work};
use crate::engine::machine::{Pace, local_ports};
use crate::engine::providers::{AnswerFormat, Client, Phase, Request, drained};

/// Inputs on their way from requests. A full queue slows the reading of streams; 1,024 is two seconds of the busiest
/// fleet's pieces.
const INPUT_BACKLOG: usize = 1_024;

/// Inputs handled before their records are written and their effects acted on: small, so that an effect waits for no
/// more than a fraction of a millisecond.
const BATCH: usize = 128;

/// A journal that could not be written is tried again after this.
pub(super) const JOURNAL_RETRY: Duration = Duration::from_secs(1);

/// Longer than any process lives.
const NEVER: Duration = Duration::from_secs(10 * 365 * 86_400);
/// At the session's end: how long answers may take that wait for the disk, which has been written by then.
const FAREWELL: Duration = Duration::from_secs(1);

/// A request under way, until its end was acted on.
struct Live {
    task: AbortHandle,
    phase: PhaseCell,
    endpoint: Endpoint,
    pool: PoolKey,
}

/// Where a session begins in this process.
pub(super) enum Beginning {
    /// It is new.
    New(Box<SessionStarted>),
    /// It was another process's before.
    Again { state: Box<State>, moved: Vec<(EndpointName, String)>, torn: Option<(Name, CleanText)> },
}

pub(super) struct Host {
    /// The host's name, for the record.
    name: CleanText,
    pub(super) writer: Writer,
    client: Client,
    records: broadcast::Sender<Arc<Record>>,
    clock: SessionClock,
    texts: TextStore,
    keeper: Keeper,
    pub(super) serving: Serving,
    live: BTreeMap<TurnId, Live>,
    probing: Probing,
    moving: Moving,
    /// Requests, drains, and models on the move; dropped with the host.
    pub(super) tasks: JoinSet<()>,
    pub(super) inputs: mpsc::Sender<Input>,
    input_queue: mpsc::Receiver<Input>,
    /// When a journal that failed is tried again.
    retry: Option<Instant>,
    wake: Option<Micros>,
    journal_failed: bool,
    /// How what is decided is kept, for who holds the engine.
    pub(super) keeping: watch::Sender<Keeping>,
    /// Requests that wait until the journal is written again; as many as there are slots at most.
    held: Vec<StartTurn>,
    ended: bool,
    /// Answers on their way to who waits for them, once what was decided is on disk.
    answering: JoinSet<()>,
    /// Who waits for the answer to a command; at most as many as commands are on their way.
    answers: BTreeMap<CommandId, oneshot::Sender<Answer>>,
}

impl Host {
    pub(super) fn new(
        name: CleanText,
        writer: Writer,
        texts: TextStore,
        client: Client,
        records: broadcast::Sender<Arc<Record>>,
        (clock, serving): (SessionClock, Serving),
        keeping: watch::Sender<Keeping>,
    ) -> Self {
        let (inputs, input_queue) = mpsc::channel(INPUT_BACKLOG);
        let keeper = Keeper::new(writer.path());
        Self {
            name,
            writer,
            client,
            records,
            clock,
            texts,
            keeper,
            serving,
            live: BTreeMap::new(),
            moving: Moving::default(),
            probing: Probing::default(),
            tasks: JoinSet::new(),
            inputs,
            input_queue,
            retry: None,
            wake: None,
            journal_failed: false,
            keeping,
            held: Vec::new(),
            ended: false,
            answering: JoinSet::new(),
            answers: BTreeMap::new(),
        }
    }

    /// Runs the session until it ends by command, or is told to stop.
    pub(super) async fn run(
        mut self,
        beginning: Beginning,
        mut commands: mpsc::Receiver<Asked>,
        mut left: mpsc::UnboundedReceiver<ViewerId>,
        mut wish: watch::Receiver<Wish>,
    ) -> Result<Ended, EngineError> {
        let opened = self.opened();
        let (mut orchestrator, first) = match beginning {
            Beginning::New(started) => Orchestrator::start(*started, opened),
            Beginning::Again { state, moved, torn } => Orchestrator::resume(*state, Reopening { opened, moved, torn }),
        };
        // A process that ended while its journal failed left the session halted; it is written again now.
        self.journal_failed = orchestrator.state().attention.contains_key(&Subject::Journal);
        let health = self.carry_out(&orchestrator, vec![first]);
        self.tell_health(&mut orchestrator, health);
        self.watch_servers(&orchestrator);
        let mut watch = Watch::new();
        let mut asleep = Asleep::new();
        let mut awake = Awake::new(orchestrator.state().config.machine.keep_awake);
        let mut batch: Vec<Input> = Vec::with_capacity(BATCH);
        let mut asked: Vec<Asked> = Vec::new();
        let mut asked_to_stop = false;
        // One timer for all that has a time, moved only when the earliest does: a new one for each turn of this loop
        // costs a good part of what the loop does.
        let mut alarm = pin!(tokio::time::sleep_until(Instant::now()));
        let never = Instant::now() + NEVER;
        // A record that was refused ends the session then and there: what came after it could not be kept either.
        while !self.ended && self.writer.lost().is_none() {
            let wake = self.wake.and_then(|at| self.clock.instant(at)).map(Instant::from_std);
            let pace = if self.live.is_empty() { Pace::Idle } else { Pace::Working };
            watch.ask(self.clock.now(), pace, || local_ports(&orchestrator.state().config.fleet));
            let sample = watch.due(pace).and_then(|at| self.clock.instant(at)).map(Instant::from_std);
            // With nothing to wait for it is moved far away: one that stays in the past would fire for ever.
            let earliest = [wake, sample, self.retry].into_iter().flatten().min().unwrap_or(never);
            if earliest != alarm.deadline() {
                alarm.as_mut().reset(earliest);
            }
            tokio::select! {
                biased;
                () = wished(&mut wish, Wish::Ends), if !asked_to_stop => {
                    asked_to_stop = true;
                    batch.push(Input::Command(self.end_command()));
                }
                n = commands.recv_many(&mut asked, 64) => {
                    if n == 0 {
                        // Every client and the engine's handle are gone.
                        batch.push(Input::Command(self.end_command()));
                    }
                    batch.extend(asked.drain(..).filter_map(|asked| self.take(orchestrator.state(), asked)));
                }
                Some(viewer) = left.recv() => batch.push(Input::ViewerLeft(viewer)),
                step = self.probing.next() => {
                    let ours = self.ours(orchestrator.state(), &step.endpoint().pool());
                    batch.extend(self.probing.step(&self.client, step, ours));
                }
                _ = self.input_queue.recv_many(&mut batch, BATCH) => {}
                reading = watch.answer() => {
                    let vigil = if awake.holds() { Vigil::Kept } else { Vigil::None };
                    batch.extend(watch.take(self.clock.now(), &reading, vigil, pace).map(Input::Sampled));
                }
                () = &mut alarm => {}
            }
            batch.extend(asleep.look());
            let work = if self.live.is_empty() { Work::None } else { Work::UnderWay };
            awake.see(std::time::Instant::now(), work);
            if wake.is_some_and(|at| at <= Instant::now()) {
                self.wake = None;
                batch.push(Input::Wake);
            }
            // Not waited for: one that broke off is met at the next sample at the latest.
            while let Some(done) = self.tasks.try_join_next() {
                batch.extend(done.err().and_then(|e| self.broke_off(&e)));
            }
            // Commands never wait behind a flood of output.
            while let Ok(asked) = commands.try_recv() {
                batch.extend(self.take(orchestrator.state(), asked));
            }
            while let Ok(viewer) = left.try_recv() {
                batch.push(Input::ViewerLeft(viewer));
            }
            let mut decisions = Vec::with_capacity(batch.len());
            let mut over: Vec<TurnId> = Vec::new();
            for input in batch.drain(..) {
                if let Input::TurnEnded { turn, .. } = &input {
                    over.push(*turn);
                }
                decisions.push(orchestrator.handle(self.clock.now(), input));
            }
            let health = self.carry_out(&orchestrator, decisions);
            // Not before: a turn that drains needs to know where its request was.
            for turn in over {
                self.live.remove(&turn);
            }
            self.tell_health(&mut orchestrator, health);
        }
        self.live.clear();
        self.tasks.abort_all();
        self.keep(&mut commands, &mut wish).await?;
        // Who asked for the end is told of it, too.
        let told = async { while self.answering.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, told).await;
        let open = |g: &&crate::domain::state::Goal| !matches!(g.phase, GoalPhase::Ended(_));
        let goals = orchestrator.state().goals();
        Ok(Ended { unfinished: goals.iter().filter(open).count(), goals: goals.len() })
    }

    fn opened(&self) -> SessionOpened {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        SessionOpened {
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(0),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.name.clone(),
        }
    }

    fn end_command(&self) -> CommandEnvelope {
        CommandEnvelope {
            id: Name::slug(&format!("end-{}", self.clock.now().0)),
            author: Author::Baton,
            role: Role::Control,
            viewer: None,
            command: Command::EndSession,
        }
    }

    /// Tells the orchestrator at once that the journal began to fail, or is written again.
    fn tell_health(&mut self, orchestrator: &mut Orchestrator, health: Option<Input>) {
        let mut next = health;
        // Twice at most: what is said of a failure may be the first that is written again.
        for _ in 0..2 {
            let Some(input) = next.take() else { break };
            let decision = orchestrator.handle(self.clock.now(), input);
            next = self.carry_out(orchestrator, vec![decision]);
        }
        if let Some(input) = next {
            self.say(input);
        }
        self.retry = self.journal_failed.then(|| Instant::now() + JOURNAL_RETRY);
    }

    /// Writes records, hands them to the kernel, shows them to viewers, and only then acts. Returns what is to be said
    /// of the journal, when it begins to fail or is written again.
    fn carry_out(&mut self, orchestrator: &Orchestrator, decisions: Vec<Decision>) -> Option<Input> {
        let mut failure: Option<JournalError> = None;
        let mut offsets = Vec::new();
        for record in decisions.iter().flat_map(|d| &d.records) {
            super::debug_log::decided(record);
            match self.writer.append(record) {
                Ok(offset) => offsets.push(offset),
                Err(error) => {
                    offsets.push(u64::MAX);
                    failure = Some(error);
                }
            }
        }
        if let Err(error) = self.writer.commit() {
            failure = Some(error);
        }
        self.tell_keeping(failure.as_ref());
        for (record, offset) in decisions.iter().flat_map(|d| &d.records).zip(offsets) {
            self.texts.feed(record, offset);
            // Nobody listening is fine: a viewer that comes later reads the journal.
            let _ = self.records.send(Arc::clone(record));
            if !self.answers.is_empty() {
                match &record.event {
                    Event::CommandAccepted { id, .. } => self.answer(id, Answer::Accepted),
                    Event::CommandRefused { id, reason, .. } => self.answer(id, Answer::Refused(reason.clone())),
                    _ => {}
                }
            }
        }
        if failure.is_none() {
            let state = orchestrator.state();
            self.keeper.written(self.writer.committed_bytes(), state.tasks().len() + state.attempts().len());
            for start in std::mem::take(&mut self.held) {
                self.start_turn(orchestrator, start);
            }
        }
        for effect in decisions.into_iter().flat_map(|d| d.effects) {
            match effect {
                // Decided before anybody knew that the journal fails; nothing is begun that is not written.
                Effect::StartTurn(start) if failure.is_some() => self.held.push(*start),
                effect => self.act(orchestrator, effect),
            }
        }
        let before = std::mem::replace(&mut self.journal_failed, failure.is_some());
        match failure {
            Some(error) if !before => {
                let kept = if error.may_pass() {
                    "; what is decided waits in memory, and is written once there is room"
                } else {
                    ""
                };
                Some(Input::JournalFailed { reason: CleanText::one_line(&format!("{error}{kept}")) })
            }
            None if before => Some(Input::JournalMended),
            _ => None,
        }
    }

    /// What a client asks, as an input; who waits for an answer is kept. A command that was given before is answered
    /// here: the orchestrator says nothing about it again.
    fn take(&mut self, state: &State, asked: Asked) -> Option<Input> {
        match asked {
            Asked::Joined(viewer) => Some(Input::ViewerJoined(viewer)),
            Asked::Command(envelope, answer) => {
                if let Some(answer) = answer {
                    if state.saw_command(&envelope.id) || self.answers.contains_key(&envelope.id) {
                        let refused = state.refusal_of(&envelope.id).cloned().map(Answer::Refused);
                        // Whoever asked may be gone.
                        let _ = answer.send(refused.unwrap_or(Answer::Repeated));
                        return None;
                    }
                    self.answers.insert(envelope.id.clone(), answer);
                }
                Some(Input::Command(envelope))
            }
        }
    }

    /// Answers whoever waits: once what was decided is on disk.
    fn answer(&mut self, id: &CommandId, answer: Answer) {
        let Some(waits) = self.answers.remove(id) else { return };
        let durable = self.writer.barrier();
        while self.answering.try_join_next().is_some() {}
        self.answering.spawn(async move {
            let answer = match durable.await {
                Ok(()) => answer,
                Err(error) => Answer::Refused(CleanText::one_line(&error.to_string())),
            };
            // Whoever asked may be gone.
            let _ = waits.send(answer);
        });
    }

    fn act(&mut self, orchestrator: &Orchestrator, effect: Effect) {
        match effect {
            Effect::TurnAway { id, reason } => self.answer(&id, Answer::Refused(reason)),
            Effect::StartTurn(start) => self.start_turn(orchestrator, *start),
            Effect::StopTurn(turn) => self.stop_turn(turn),
            Effect::Probe(endpoint, look) => self.probe(orchestrator, &endpoint, look),
            Effect::Server(endpoint, verb) => self.serve(orchestrator, &endpoint, verb),
            Effect::Model(name, verb) => {
                let endpoint = orchestrator.state().config.fleet.endpoint(&name).cloned();
                if let Some(endpoint) = endpoint {
                    self.moving.begin((&self.client, endpoint), verb, (&mut self.tasks, &self.inputs));
                }
            }
            Effect::WakeAt(at) => self.wake = Some(at),
            Effect::End(_) => self.ended = true,
        }
    }

    fn start_turn(&mut self, orchestrator: &Orchestrator, start: StartTurn) {
        let state = orchestrator.state();
        let Some(endpoint) = state.config.fleet.endpoint(&start.endpoint).cloned() else { return };
        let prompt = match expand(start.turn, &start.recipe, state, &self.texts) {
            Ok(prompt) => prompt,
            Err(error) => return self.refuse_turn(start.turn, &error.to_string()),
        };
        let request = Request {
            endpoint: endpoint.clone(),
            messages: prompt.messages,
            max_tokens: start.max_tokens,
            temperature: start.temperature,
            level: start.level,
            level_support: start.level_support,
            format: start.schema.map_or(AnswerFormat::Text, AnswerFormat::Json),
            silence: Duration::from_secs(start.silence_seconds),
        };
        let phase = PhaseCell::default();
        let turn = Turn {
            id: start.turn,
            stream: self.client.stream(request),
            inputs: self.inputs.clone(),
            clock: self.clock,
            phase: phase.clone(),
            want_answer: start.want_answer,
            prompt_digest: prompt.digest,
            limit: start.seconds.map(|s| Duration::from_secs(s.into())),
            max_tokens: start.max_tokens,
        };
        let pool = endpoint.pool();
        let task = self.tasks.spawn(turn.run());
        self.live.insert(start.turn, Live { task, phase, endpoint, pool });
    }

    /// A request that can't even be made has failed.
    fn refuse_turn(&mut self, turn: TurnId, why: &str) {
        let message = CleanText::one_line(&format!("the prompt could not be put together: {why}"));
        self.say(failed(turn, FailureKind::Refused, Remedy::Operator, message, SlotAfter::Free));
    }

    /// Gives the loop an input of its own, behind those that wait.
    fn say(&mut self, input: Input) {
        let inputs = self.inputs.clone();
        self.tasks.spawn(async move {
            let _ = inputs.send(input).await;
        });
    }

    /// What a request that panicked comes to: without an end its task would run for ever.
    fn broke_off(&self, error: &tokio::task::JoinError) -> Option<Input> {
        if !error.is_panic() {
            return None;
        }
        tracing::error!(%error, "a task of the engine broke off");
        let (turn, _) = self.live.iter().find(|(_, l)| l.task.id() == error.id())?;
        let message = CleanText::from_static("Baton broke off while it read the answer; the log says where");
        Some(failed(*turn, FailureKind::Garbage, Remedy::RetryHere, message, SlotAfter::Draining))
    }

    /// Closes a request's connection and waits, beside everything else, until the server's slot is free.
    fn stop_turn(&mut self, turn: TurnId) {
        self.held.retain(|start| start.turn != turn);
        let Some(live) = self.live.remove(&turn) else {
            // It was never sent: its prompt could not be put together. A slot that nobody frees drains for ever.
            self.say(Input::SlotFreed { turn });
            return;
        };
        let phase = live.phase.get();
        live.task.abort();
        let others = self.live.values().filter(|l| l.pool == live.pool && !l.task.is_finished()).count();
        let (client, inputs) = (self.client.clone(), self.inputs.clone());
        self.tasks.spawn(async move {
            // The connection closes when the runtime drops the aborted task, which is the next thing it does.
            tokio::task::yield_now().await;
            drained(&client, &live.endpoint, phase, u32::try_from(others).unwrap_or(u32::MAX)).await;
            let _ = inputs.send(Input::SlotFreed { turn }).await;
        });
    }

    fn probe(&mut self, orchestrator: &Orchestrator, name: &EndpointName, look: Look) {
        let state = orchestrator.state();
        let Some(endpoint) = state.config.fleet.endpoint(name) else { return };
        self.probing.begin(&self.client, endpoint, look, self.ours(state, &endpoint.pool()));
    }

    /// What this session has at a server and model.
    fn ours(&self, state: &State, pool: &PoolKey) -> Ours {
        let mut ours = Ours::default();
        for live in self.live.values().filter(|l| l.pool == *pool && !l.task.is_finished()) {
            ours.open += 1;
            ours.begun += u32::from(live.phase.get() != Phase::Queued);
        }
        ours.draining = state.pools().iter().filter(|p| p.key == *pool).map(Pool::draining).sum();
        ours
    }
}

/// The end of a turn that failed here, not at the server.
fn failed(turn: TurnId, kind: FailureKind, remedy: Remedy, message: CleanText, slot: SlotAfter) -> Input {
    Input::TurnEnded {
        turn,
        end: TurnEnd::Failed(Failure::new(kind, remedy, message)),
        usage: Usage::default(),
        slot,
        prompt_digest: String::new(),
        answer: None,
    }
}
