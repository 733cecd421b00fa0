//! The table's rules, each with a worker that does as it is told; and what the tests of real workers need.

use tokio::sync::oneshot;

use super::*;
use crate::domain::fleet::{Endpoint, PoolKey};
use crate::domain::orchestrator::{JobEnd, ProbeReport, StartTurn, WantAnswer};
use crate::domain::protocol::{
    AttemptId, EndpointName, Health, Level, LevelSupport, ModelVerb, Name, Recipe, ServerVerb, TurnId,
};
use crate::engine::providers::Client;

/// A worker that panics where the one in it would begin.
pub(in crate::engine::host) struct Breaks<W>(pub(in crate::engine::host) W);

impl<W: Worker> Worker for Breaks<W> {
    async fn run(&mut self, _: &Say) -> News {
        panic!("on purpose")
    }

    async fn unfinished(&mut self, say: &Say, why: Unfinished) -> News {
        self.0.unfinished(say, why).await
    }
}

pub(in crate::engine::host) fn client() -> Client {
    // The first one in a process chooses the TLS implementation; a second choice is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new().unwrap()
}

pub(in crate::engine::host) fn endpoint(url: &str) -> Endpoint {
    toml::from_str(&format!(
        "name = \"t\"\ntiers = []\nprotocol = \"openai\"\nurl = \"{url}\"\nmodel = \"m\"\nslots = 1\ncontext = 4096"
    ))
    .unwrap()
}

pub(in crate::engine::host) fn end_of(news: News) -> JobEnd {
    if let News::Over(end) = news { *end } else { panic!("{news:?}") }
}

/// What a worker comes to; what it says before goes to `said`.
pub(in crate::engine::host) async fn heard_of(
    limit: Option<Duration>,
    worker: impl Worker,
    mut said: impl FnMut(News),
) -> News {
    let (mut jobs, mut heard) = (Jobs::default(), Vec::new());
    jobs.run(JobId::Turn(TurnId { attempt: AttemptId(1), turn: 1 }), UnderWay::Drain, limit, worker);
    loop {
        jobs.next(&mut heard, 64).await;
        for heard in heard.drain(..) {
            match jobs.hear(heard) {
                Some(Input::Job(_, news @ (News::Over(_) | News::Freed))) => return news,
                Some(Input::Job(_, news)) => said(news),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn name() -> EndpointName {
    Name::slug("e")
}

fn turn(number: u32) -> Job {
    Job::Turn(Box::new(StartTurn {
        turn: TurnId { attempt: AttemptId(1), turn: number },
        task: "g1/a".parse().unwrap(),
        endpoint: name(),
        recipe: Recipe::default(),
        max_tokens: 1,
        temperature: 0.0,
        level: Level::Low,
        level_support: LevelSupport::None,
        schema: None,
        want_answer: WantAnswer::No,
        seconds: None,
        silence_seconds: 1,
    }))
}

fn probe(look: Look) -> Job {
    Job::Probe(name(), look)
}

fn server(verb: ServerVerb) -> Job {
    Job::Server(name(), verb)
}

fn model(verb: ModelVerb) -> Job {
    let pool = PoolKey { url: "u".into(), model: "m".into() };
    Job::Model { endpoint: name(), pool, verb }
}

/// One of every kind.
fn kinds() -> [Job; 4] {
    [server(ServerVerb::Start), turn(1), probe(Look::Light), model(ModelVerb::Load)]
}

/// Says what it is told to, and works until it is.
struct Fake(oneshot::Receiver<News>);

impl Worker for Fake {
    async fn run(&mut self, say: &Say) -> News {
        let end = (&mut self.0).await.unwrap();
        say.tell(News::Rethought).await.unwrap();
        end
    }

    async fn unfinished(&mut self, _: &Say, _: Unfinished) -> News {
        News::Freed
    }
}

/// What the table knows of a job of this kind under way.
fn what(job: &Job) -> UnderWay {
    match job {
        Job::Turn(_) => UnderWay::Drain,
        Job::Probe(_, look) => UnderWay::Probe(*look),
        Job::Server(..) => UnderWay::Server,
        Job::Model { .. } => UnderWay::Model,
    }
}

fn up() -> News {
    JobEnd::Probe(ProbeReport::of(Health::Up)).into()
}

/// A table, and the disk it waits for.
#[derive(Default)]
struct Rig {
    jobs: Jobs,
    barriers: Vec<oneshot::Sender<Result<(), JournalError>>>,
}

impl Rig {
    fn begin(&mut self, journal: JournalHealth, job: Job) -> JobStart {
        self.jobs.begin(job, journal, || {
            let (kept, waits) = oneshot::channel();
            self.barriers.push(kept);
            Box::pin(async move {
                waits.await.unwrap_or(Err(JournalError::Lost {
                    what: String::new(),
                    why: Box::new(JournalError::Waiting { path: "j".into(), bytes: 1, mend: "" }),
                }))
            })
        })
    }

    /// Begins it where it starts now.
    fn starts(&mut self, journal: JournalHealth, job: Job) -> bool {
        match self.begin(journal, job) {
            JobStart::Now(job) => {
                let _ = self.run(&job);
                true
            }
            JobStart::Later => false,
            JobStart::Busy(job) => panic!("{job:?} is under way"),
        }
    }

    fn run(&mut self, job: &Job) -> oneshot::Sender<News> {
        let (end, ends) = oneshot::channel();
        self.jobs.run(job.id(), what(job), None, Fake(ends));
        end
    }

    /// The job that the disk lets start, if one does at once.
    async fn kept(&mut self) -> Option<Job> {
        let mut heard = Vec::new();
        tokio::time::timeout(Duration::from_millis(1), self.jobs.next(&mut heard, 1)).await.ok().flatten()
    }

    /// All that comes before nothing does.
    async fn hear(&mut self) -> Vec<Input> {
        let (mut heard, mut inputs) = (Vec::new(), Vec::new());
        while tokio::time::timeout(Duration::from_millis(1), self.jobs.next(&mut heard, 64)).await.is_ok() {
            inputs.extend(heard.drain(..).filter_map(|heard| self.jobs.hear(heard)));
        }
        inputs
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_starts_at_once_and_the_rest_once_it_is_on_disk_in_order() {
    let mut rig = Rig::default();
    let started: Vec<bool> = kinds().map(|job| rig.starts(JournalHealth::Written, job)).into();
    assert_eq!(started, [false, true, true, false]);
    assert_eq!(rig.barriers.len(), 2, "asked when they were decided");
    assert_eq!(rig.kept().await, None, "nothing is on disk yet");
    let (first, second) = (rig.barriers.remove(0), rig.barriers.remove(0));
    second.send(Ok(())).unwrap();
    assert_eq!(rig.kept().await, None, "what was decided first is started first");
    first.send(Ok(())).unwrap();
    assert_eq!(rig.kept().await, Some(server(ServerVerb::Start)));
    assert_eq!(rig.kept().await, Some(model(ModelVerb::Load)));
    assert_eq!(rig.kept().await, None);
}

#[tokio::test(start_paused = true)]
async fn while_the_journal_fails_every_kind_is_held_and_all_begin_once_it_is_written() {
    let mut rig = Rig::default();
    for job in kinds() {
        assert!(!rig.starts(JournalHealth::Fails, job.clone()), "{job:?}");
    }
    // Asked again and again meanwhile, nothing piles up; more is asked once.
    for _ in 0..3 {
        assert!(!rig.starts(JournalHealth::Fails, probe(Look::Light)));
        assert!(!rig.starts(JournalHealth::Fails, probe(Look::Slots)));
        assert!(!rig.starts(JournalHealth::Fails, server(ServerVerb::Stop)));
        assert!(matches!(rig.begin(JournalHealth::Fails, model(ModelVerb::Unload)), JobStart::Busy(_)));
    }
    assert_eq!(rig.kept().await, None);
    assert!(rig.barriers.is_empty(), "what is not written can't be waited for");
    let held = rig.jobs.held();
    assert_eq!(held, [server(ServerVerb::Stop), turn(1), probe(Look::Slots), model(ModelVerb::Load)]);
    let started: Vec<bool> = held.into_iter().map(|job| rig.starts(JournalHealth::Written, job)).collect();
    assert_eq!(started, [false, true, true, false]);
    rig.barriers.drain(..).for_each(|kept| kept.send(Ok(())).unwrap());
    assert_eq!(rig.kept().await, Some(server(ServerVerb::Stop)));
    assert_eq!(rig.kept().await, Some(model(ModelVerb::Load)));
    assert_eq!(rig.jobs.held(), []);
}

#[tokio::test(start_paused = true)]
async fn what_waited_for_a_disk_that_failed_is_held_too() {
    let mut rig = Rig::default();
    assert!(!rig.starts(JournalHealth::Written, server(ServerVerb::Start)));
    rig.barriers.clear();
    assert_eq!(rig.kept().await, None);
    assert_eq!(rig.jobs.held(), [server(ServerVerb::Start)]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_takes_out_what_is_held_and_nothing_waits_for_the_journal_to_stop() {
    let mut rig = Rig::default();
    assert!(!rig.starts(JournalHealth::Fails, turn(1)));
    assert!(matches!(rig.jobs.stop(&turn(1).id()), Stopped::Nothing));
    assert_eq!(rig.jobs.held(), []);
    let end = rig.run(&probe(Look::Light));
    assert!(!rig.starts(JournalHealth::Fails, probe(Look::Slots)));
    assert!(matches!(rig.jobs.stop(&probe(Look::Light).id()), Stopped::Nothing));
    tokio::task::yield_now().await;
    assert!(end.is_closed(), "it is ended");
    assert_eq!(rig.hear().await, []);
    assert_eq!(rig.jobs.settle(), [], "and nothing follows it");
}

#[tokio::test(start_paused = true)]
async fn a_second_probe_is_not_needed_and_one_that_asks_for_more_comes_after_the_first() {
    let mut rig = Rig::default();
    let end = rig.run(&probe(Look::Light));
    assert!(!rig.starts(JournalHealth::Written, probe(Look::Light)));
    assert!(!rig.starts(JournalHealth::Written, probe(Look::Slots)));
    assert!(!rig.starts(JournalHealth::Written, probe(Look::Slots)));
    end.send(up()).unwrap();
    assert_eq!(rig.hear().await.last(), Some(&Input::Job(probe(Look::Light).id(), up())));
    assert_eq!(rig.jobs.settle(), [probe(Look::Slots)]);
    let end = rig.run(&probe(Look::Slots));
    assert!(!rig.starts(JournalHealth::Written, probe(Look::Slots)), "covered");
    end.send(up()).unwrap();
    assert_eq!(rig.hear().await.len(), 2);
    assert_eq!(rig.jobs.settle(), []);
    assert!(rig.starts(JournalHealth::Written, probe(Look::Light)), "it is over");
}

#[tokio::test(start_paused = true)]
async fn a_second_order_follows_the_first_and_a_model_moves_one_way_at_a_time() {
    let mut rig = Rig::default();
    let given = rig.run(&server(ServerVerb::Start));
    let loading = rig.run(&model(ModelVerb::Load));
    assert!(!rig.starts(JournalHealth::Written, server(ServerVerb::Restart)));
    assert!(!rig.starts(JournalHealth::Written, server(ServerVerb::Stop)));
    assert!(matches!(rig.begin(JournalHealth::Written, model(ModelVerb::Unload)), JobStart::Busy(_)));
    given.send(JobEnd::Server(Ok(())).into()).unwrap();
    rig.hear().await;
    assert_eq!(rig.jobs.settle(), [server(ServerVerb::Stop)], "the last counts");
    drop(loading);
}

#[tokio::test(start_paused = true)]
async fn news_of_what_was_stopped_or_begun_anew_is_counted_and_goes_no_further() {
    let (mut rig, mut anew) = (Rig::default(), Vec::new());
    for job in kinds() {
        let late = rig.jobs.late;
        let end = rig.run(&job);
        end.send(News::Freed).unwrap();
        // It has said all it has to say before it is stopped.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        rig.jobs.running.remove(&job.id());
        anew.push(rig.run(&job));
        assert_eq!(rig.hear().await, [], "{job:?}");
        assert_eq!(rig.jobs.late - late, 2, "{job:?}");
        assert!(rig.jobs.running.contains_key(&job.id()), "the one begun anew is under way");
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_takes_too_long_is_ended_and_says_so() {
    let mut rig = Rig::default();
    let (end, ends) = oneshot::channel();
    rig.jobs.run(turn(1).id(), UnderWay::Drain, Some(Duration::from_secs(5)), Fake(ends));
    let (mut heard, begun) = (Vec::new(), tokio::time::Instant::now());
    rig.jobs.next(&mut heard, 1).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    let inputs: Vec<Input> = heard.into_iter().filter_map(|heard| rig.jobs.hear(heard)).collect();
    assert_eq!(inputs, [Input::Job(turn(1).id(), News::Freed)]);
    assert!(end.is_closed() || rig.jobs.running.is_empty());
    assert_eq!(
        Unfinished::OutOfTime(Duration::from_secs(5)).words("x").as_str(),
        "Baton gave up x after 5 s; try it again"
    );
}
