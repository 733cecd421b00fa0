//! The host's loop.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::asleep::Asleep;
use super::clock::SessionClock;
use super::jobs::{JobStart, Jobs, JournalHealth, NewsFrom, Stopped, UnderWay};
use super::keeping::{Keeping, Wish, wished};
use super::models::{ModelMove, still_moving};
use super::probing::{Ours, Probing};
use super::servers::{self, ServerOrder};
use super::watch::Watch;
use super::{Answer, Asked, Ended, EngineError};
use crate::domain::orchestrator::{Decision, Effect, Input, Job, JobId, News, Orchestrator, Reopening};
use crate::domain::protocol::{
    Author, Command, CommandEnvelope, CommandId, EndpointName, Event, Micros, Name, Record, Role, SessionOpened,
    SessionStarted, Subject, ViewerId, Vigil,
};
use crate::domain::state::{GoalPhase, State};
use crate::domain::text::CleanText;
use crate::engine::journal::{JournalError, Keeper, TextStore, Writer};
use crate::engine::machine::awake::{Awake, Work};
use crate::engine::machine::{Pace, local_ports};
use crate::engine::providers::Client;
use crate::engine::servers::Room;

/// Inputs handled before their records are written and their effects acted on: small, so that an effect waits for no
/// more than a fraction of a millisecond.
const BATCH: usize = 128;

/// A journal that could not be written is tried again after this.
pub(super) const JOURNAL_RETRY: Duration = Duration::from_secs(1);

/// Longer than any process lives.
const NEVER: Duration = Duration::from_secs(10 * 365 * 86_400);
/// At the session's end: how long answers may take that wait for the disk, which has been written by then.
const FAREWELL: Duration = Duration::from_secs(1);

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
    pub(super) client: Client,
    records: broadcast::Sender<Arc<Record>>,
    pub(super) clock: SessionClock,
    pub(super) texts: TextStore,
    keeper: Keeper,
    /// Where servers are started and stopped; none: they are not.
    room: Option<Room>,
    pub(super) jobs: Jobs,
    probing: Probing,
    /// Inputs of the loop's own, handled at its next turn.
    pub(super) own: Vec<Input>,
    /// When a journal that failed is tried again.
    retry: Option<Instant>,
    wake: Option<Micros>,
    journal: JournalHealth,
    /// How what is decided is kept, for who holds the engine.
    pub(super) keeping: watch::Sender<Keeping>,
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
        (clock, room): (SessionClock, Option<Room>),
        keeping: watch::Sender<Keeping>,
    ) -> Self {
        let keeper = Keeper::new(writer.path());
        Self {
            name,
            writer,
            client,
            records,
            clock,
            texts,
            keeper,
            room,
            jobs: Jobs::default(),
            probing: Probing::default(),
            own: Vec::new(),
            retry: None,
            wake: None,
            journal: JournalHealth::Written,
            keeping,
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
        if orchestrator.state().attention.contains_key(&Subject::Journal) {
            self.journal = JournalHealth::Fails;
        }
        let health = self.carry_out(&orchestrator, vec![first]);
        self.tell_health(&mut orchestrator, health);
        let mut standing = servers::watch(self.room.as_ref(), orchestrator.state());
        let mut watch = Watch::new();
        let mut asleep = Asleep::new();
        let mut awake = Awake::new(orchestrator.state().config.machine.keep_awake);
        let mut batch: Vec<Input> = Vec::with_capacity(BATCH);
        let mut asked: Vec<Asked> = Vec::new();
        let mut heard: Vec<NewsFrom> = Vec::with_capacity(BATCH);
        let mut asked_to_stop = false;
        // One timer for all that has a time, moved only when the earliest does: a new one for each turn of this loop
        // costs a good part of what the loop does.
        let mut alarm = pin!(tokio::time::sleep_until(Instant::now()));
        let never = Instant::now() + NEVER;
        // A record that was refused ends the session then and there: what came after it could not be kept either.
        while !self.ended && self.writer.lost().is_none() {
            let wake = self.wake.and_then(|at| self.clock.instant(at)).map(Instant::from_std);
            let works = self.jobs.works();
            let pace = if works { Pace::Working } else { Pace::Idle };
            watch.ask(self.clock.now(), pace, || local_ports(&orchestrator.state().config.fleet));
            let sample = watch.due(pace).and_then(|at| self.clock.instant(at)).map(Instant::from_std);
            // With nothing to wait for it is moved far away: one that stays in the past would fire for ever.
            let earliest = [wake, sample, self.retry].into_iter().flatten().min().unwrap_or(never);
            if earliest != alarm.deadline() {
                alarm.as_mut().reset(earliest);
            }
            tokio::select! {
                biased;
                () = std::future::ready(()), if !self.own.is_empty() => {}
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
                Some(changed) = standing.recv() => batch.push(Input::ServerIs(Box::new(changed))),
                Some(asks) = self.probing.asks() => {
                    let ours = self.ours(orchestrator.state(), &asks.endpoint);
                    asks.answer(ours);
                }
                kept = self.jobs.next(&mut heard, BATCH) => {
                    if let Some(job) = kept {
                        self.start(&orchestrator, job);
                    }
                }
                reading = watch.answer() => {
                    let vigil = if awake.holds() { Vigil::Kept } else { Vigil::None };
                    batch.extend(watch.take(self.clock.now(), &reading, vigil, pace).map(Input::Sampled));
                }
                () = &mut alarm => {}
            }
            batch.extend(heard.drain(..).filter_map(|heard| self.jobs.hear(heard)));
            batch.append(&mut self.own);
            batch.extend(asleep.look());
            awake.see(std::time::Instant::now(), if works { Work::UnderWay } else { Work::None });
            if wake.is_some_and(|at| at <= Instant::now()) {
                self.wake = None;
                batch.push(Input::Wake);
            }
            // Commands never wait behind a flood of output.
            while let Ok(asked) = commands.try_recv() {
                batch.extend(self.take(orchestrator.state(), asked));
            }
            while let Ok(viewer) = left.try_recv() {
                batch.push(Input::ViewerLeft(viewer));
            }
            let mut decisions = Vec::with_capacity(batch.len());
            for input in batch.drain(..) {
                decisions.push(orchestrator.handle(self.clock.now(), input));
            }
            let health = self.carry_out(&orchestrator, decisions);
            for job in self.jobs.settle() {
                self.begin(&orchestrator, job);
            }
            self.tell_health(&mut orchestrator, health);
        }
        self.jobs.stop_all();
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
        self.own.extend(next);
        self.retry = (self.journal == JournalHealth::Fails).then(|| Instant::now() + JOURNAL_RETRY);
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
        }
        let now = if failure.is_some() { JournalHealth::Fails } else { JournalHealth::Written };
        let before = std::mem::replace(&mut self.journal, now);
        if now == JournalHealth::Written {
            for job in self.jobs.held() {
                self.begin(orchestrator, job);
            }
        }
        for effect in decisions.into_iter().flat_map(|d| d.effects) {
            self.act(orchestrator, effect);
        }
        match failure {
            Some(error) if before == JournalHealth::Written => {
                let kept = if error.may_pass() {
                    "; what is decided waits in memory, and is written once there is room"
                } else {
                    ""
                };
                Some(Input::JournalFailed { reason: CleanText::one_line(&format!("{error}{kept}")) })
            }
            None if before == JournalHealth::Fails => Some(Input::JournalMended),
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
            Effect::Begin(job) => self.begin(orchestrator, job),
            Effect::Stop(id) => self.stop(orchestrator.state(), id),
            Effect::WakeAt(at) => self.wake = Some(at),
            Effect::End(_) => self.ended = true,
        }
    }

    /// Begins a job, now or once what it waits for is so.
    fn begin(&mut self, orchestrator: &Orchestrator, job: Job) {
        match self.jobs.begin(job, self.journal, || Box::pin(self.writer.barrier())) {
            JobStart::Now(job) => self.start(orchestrator, job),
            JobStart::Later => {}
            JobStart::Busy(job) => {
                let endpoint = orchestrator.state().config.fleet.endpoint(job.endpoint());
                if let (Some(endpoint), Job::Model { verb, .. }) = (endpoint, &job) {
                    self.own.push(Input::Job(job.id(), still_moving(endpoint, *verb)));
                }
            }
        }
    }

    /// Sets a worker to a job.
    fn start(&mut self, orchestrator: &Orchestrator, job: Job) {
        let state = orchestrator.state();
        let Some(endpoint) = state.config.fleet.endpoint(job.endpoint()).cloned() else { return };
        let (id, limit) = (job.id(), job.limit().map(|limit| Duration::from_micros(limit.0)));
        match job {
            Job::Turn(start) => self.send(state, endpoint, *start, limit),
            Job::Probe(_, look) => {
                let probe = self.probing.of(&self.client, endpoint, look);
                self.jobs.run(id, UnderWay::Probe(look), limit, probe);
            }
            Job::Server(_, verb) => {
                self.jobs.run(id, UnderWay::Server, limit, ServerOrder { room: self.room.clone(), endpoint, verb });
            }
            Job::Model { verb, .. } => {
                self.jobs.run(id, UnderWay::Model, limit, ModelMove { client: self.client.clone(), endpoint, verb });
            }
        }
    }

    fn stop(&mut self, state: &State, id: JobId) {
        match (self.jobs.stop(&id), id) {
            (Stopped::Sent(sent), JobId::Turn(turn)) => self.drain(state, turn, &sent),
            // It was never sent. A slot that nobody frees drains for ever.
            (Stopped::Nothing, id @ JobId::Turn(_)) => self.own.push(Input::Job(id, News::Freed)),
            _ => {}
        }
    }

    /// What this session has at the server and model of an endpoint.
    fn ours(&self, state: &State, endpoint: &EndpointName) -> Ours {
        let Some(pool) = state.find_endpoint(endpoint).map(|ix| state.endpoint(ix).pool) else {
            return Ours::default();
        };
        let mut ours = Ours::default();
        for sent in self.jobs.sent().filter(|sent| sent.pool == pool) {
            ours.open += 1;
            ours.begun += u32::from(sent.has_begun());
        }
        ours.draining = state.pool(pool).draining();
        ours
    }
}
