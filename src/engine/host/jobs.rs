//! Jobs under way: one table of whatever the engine does that ends, with one begin, one stop, and one rule each for what is
//! begun twice, breaks off, takes too long, is heard too late, or waits for the journal.
//!
//! Not here: what a job does (a worker a file: `turn`, `probing`, `servers`, `models`), how much of the journal it waits for
//! and how long it may take (`Job::durability`, `Job::limit`). Invariants: of one id one worker is under way; whatever was
//! begun and is not stopped says its end once; nothing begins before its records are where its class wants them, in the
//! order of decision where that is the disk, and while the journal fails nothing begins; what is heard of a worker that was
//! stopped goes no further.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::turn::Sent;
use crate::domain::orchestrator::{Durability, Input, Job, JobId, Look, News};
use crate::domain::text::CleanText;
use crate::engine::journal::JournalError;

/// News on their way to the loop. A full queue slows the reading of streams; 1,024 is two seconds of the busiest fleet's
/// pieces.
const NEWS_BACKLOG: usize = 1_024;

/// Resolves when all that was decided before it was made is on disk, or can't be.
pub(super) type Barrier = BoxFuture<'static, Result<(), JournalError>>;

/// Whether what is decided reaches the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JournalHealth {
    /// It is in the kernel's hands.
    Written,
    /// It waits in memory.
    Fails,
}

/// What carries a job out.
pub(super) trait Worker: Send + 'static {
    /// Works to the end and says what that was.
    fn run(&mut self, say: &Say) -> impl Future<Output = News> + Send;

    /// What it comes to where it did not end by itself.
    fn unfinished(&mut self, say: &Say, why: Unfinished) -> impl Future<Output = News> + Send;
}

/// Why a worker did not come to its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// This was its time.
    OutOfTime(Duration),
    /// It panicked.
    BrokeOff,
}

impl Unfinished {
    /// In words, of what was being `done`, as "probing the server".
    pub(super) fn words(self, done: &str) -> CleanText {
        CleanText::one_line(&match self {
            Self::OutOfTime(limit) => format!("Baton gave up {done} after {} s; try it again", limit.as_secs()),
            Self::BrokeOff => format!("Baton broke off while {done}; the log says where"),
        })
    }
}

/// One begin of a job: news are told apart by it, since an id may be begun again.
#[derive(Clone, Debug)]
struct Which {
    id: JobId,
    generation: u64,
}

/// A worker's way to the loop.
#[derive(Clone, Debug)]
pub(super) struct Say {
    of: Which,
    to: mpsc::Sender<NewsFrom>,
}

impl Say {
    /// Says some news; waits while the loop is behind. An error: nobody listens any more, the session is over.
    pub(super) async fn tell(&self, news: News) -> Result<(), ()> {
        self.to.send(NewsFrom { of: self.of.clone(), news }).await.map_err(|_| ())
    }
}

/// News as they come from a worker.
#[derive(Debug)]
pub(super) struct NewsFrom {
    of: Which,
    news: News,
}

/// What is known of a job under way.
#[derive(Debug)]
pub(super) enum UnderWay {
    /// A request.
    Turn(Sent),
    /// A request was closed, and its slot drains.
    Drain,
    /// A probe, and how deep it looks.
    Probe(Look),
    /// An order about a server.
    Server,
    /// A model on its way.
    Model,
}

#[derive(Debug)]
struct Running {
    generation: u64,
    task: AbortHandle,
    what: UnderWay,
    /// What is begun when it is over.
    next: Option<Job>,
}

/// A job that is not begun yet.
struct Waiting {
    job: Job,
    /// None: it waits until the journal is written again.
    durable: Option<Barrier>,
}

/// What becomes of a job that is to begin.
#[derive(Debug)]
pub(super) enum JobStart {
    /// It is to be started.
    Now(Job),
    /// It waits, or what is under way does for it.
    Later,
    /// One of its kind is under way there, and two can't be.
    Busy(Job),
}

/// What a job was at that was stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    /// A request whose connection closes.
    Sent(Sent),
    /// A request that was stopped before: its slot drains still.
    Drains,
    /// Nothing that is to be waited for.
    Nothing,
}

/// The table.
pub(super) struct Jobs {
    running: BTreeMap<JobId, Running>,
    /// As many as there are slots, two for each endpoint's probe, and what a person orders: each id waits once.
    waiting: VecDeque<Waiting>,
    /// Requests whose end is heard and not acted on yet: one whose slot drains needs to know where it was.
    ended: Vec<(JobId, Sent)>,
    /// What follows upon jobs whose end is heard.
    follow: Vec<Job>,
    /// The workers; they end with the table.
    tasks: JoinSet<()>,
    generation: u64,
    to: mpsc::Sender<NewsFrom>,
    queue: mpsc::Receiver<NewsFrom>,
    /// News of workers that were stopped.
    late: u64,
}

impl Default for Jobs {
    fn default() -> Self {
        let (to, queue) = mpsc::channel(NEWS_BACKLOG);
        Self {
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            ended: Vec::new(),
            follow: Vec::new(),
            tasks: JoinSet::new(),
            generation: 0,
            to,
            queue,
            late: 0,
        }
    }
}

impl Jobs {
    /// Takes a job that was decided: whether it starts now. `barrier` is asked where it has to wait for the disk.
    pub(super) fn begin(&mut self, job: Job, journal: JournalHealth, barrier: impl FnOnce() -> Barrier) -> JobStart {
        let id = job.id();
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.job.id() == id) {
            return match again(&job, look_of(&waiting.job)) {
                Again::Covered => JobStart::Later,
                Again::Busy => JobStart::Busy(job),
                Again::After => {
                    let durable = (journal == JournalHealth::Written).then(barrier);
                    *waiting = Waiting { job, durable };
                    JobStart::Later
                }
            };
        }
        if let Some(running) = self.running.get_mut(&id) {
            let look = if let UnderWay::Probe(look) = running.what { Some(look) } else { None };
            return match again(&job, look) {
                Again::Covered => JobStart::Later,
                Again::Busy => JobStart::Busy(job),
                Again::After => {
                    running.next = Some(job);
                    JobStart::Later
                }
            };
        }
        match (journal, job.durability()) {
            (JournalHealth::Written, Durability::Repeat) => JobStart::Now(job),
            (JournalHealth::Written, Durability::Reconcile | Durability::Once) => {
                self.waiting.push_back(Waiting { job, durable: Some(barrier()) });
                JobStart::Later
            }
            (JournalHealth::Fails, _) => {
                self.waiting.push_back(Waiting { job, durable: None });
                JobStart::Later
            }
        }
    }

    /// Takes out what was held while the journal failed, in the order of decision: to be begun now that it is written.
    pub(super) fn held(&mut self) -> Vec<Job> {
        if self.waiting.iter().all(|waiting| waiting.durable.is_some()) {
            return Vec::new();
        }
        let (held, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|w| w.durable.is_none());
        self.waiting = waiting;
        let held: VecDeque<Waiting> = held;
        held.into_iter().map(|waiting| waiting.job).collect()
    }

    /// Sets a worker to a job that starts.
    pub(super) fn run(&mut self, id: JobId, what: UnderWay, limit: Option<Duration>, worker: impl Worker) {
        self.generation += 1;
        let generation = self.generation;
        let say = Say { of: Which { id: id.clone(), generation }, to: self.to.clone() };
        let task = self.tasks.spawn(work(worker, say, limit));
        self.running.insert(id, Running { generation, task, what, next: None });
    }

    /// Ends a job before its own end, and what would follow it.
    pub(super) fn stop(&mut self, id: &JobId) -> Stopped {
        self.waiting.retain(|waiting| waiting.job.id() != *id);
        if let Some(at) = self.ended.iter().position(|(ended, _)| ended == id) {
            return Stopped::Sent(self.ended.swap_remove(at).1);
        }
        let Some(running) = self.running.remove(id) else { return Stopped::Nothing };
        match running.what {
            UnderWay::Drain => {
                self.running.insert(id.clone(), running);
                Stopped::Drains
            }
            UnderWay::Turn(sent) => {
                running.task.abort();
                Stopped::Sent(sent)
            }
            UnderWay::Probe(_) | UnderWay::Server | UnderWay::Model => {
                running.task.abort();
                Stopped::Nothing
            }
        }
    }

    /// Ends all of them.
    pub(super) fn stop_all(&mut self) {
        self.running.clear();
        self.waiting.clear();
        self.tasks.abort_all();
    }

    /// What comes next: news, at most so many, or a job that waited for the disk and is to be started. May be dropped while
    /// it waits.
    pub(super) async fn next(&mut self, heard: &mut Vec<NewsFrom>, most: usize) -> Option<Job> {
        let Self { waiting, queue, .. } = self;
        tokio::select! {
            biased;
            job = durable(waiting) => Some(job),
            _ = queue.recv_many(heard, most) => None,
        }
    }

    /// News, as an input; none where they are late. Where they are the last, the job is over.
    pub(super) fn hear(&mut self, NewsFrom { of: Which { id, generation }, news }: NewsFrom) -> Option<Input> {
        if self.running.get(&id).is_none_or(|running| running.generation != generation) {
            self.late += 1;
            tracing::debug!(?id, late = self.late, "news of a job that was stopped");
            return None;
        }
        if matches!(news, News::Over(_) | News::Freed)
            && let Some(running) = self.running.remove(&id)
        {
            self.follow.extend(running.next);
            if let UnderWay::Turn(sent) = running.what {
                self.ended.push((id.clone(), sent));
            }
        }
        Some(Input::Job(id, news))
    }

    /// What was heard is acted on: what is to be begun now because something else is over.
    pub(super) fn settle(&mut self) -> Vec<Job> {
        self.ended.clear();
        while self.tasks.try_join_next().is_some() {}
        std::mem::take(&mut self.follow)
    }

    /// The requests under way.
    pub(super) fn sent(&self) -> impl Iterator<Item = &Sent> {
        self.running.values().filter_map(|running| match &running.what {
            UnderWay::Turn(sent) if !running.task.is_finished() => Some(sent),
            _ => None,
        })
    }

    /// Whether a request is under way.
    pub(super) fn works(&self) -> bool {
        self.running.values().any(|running| matches!(running.what, UnderWay::Turn(_)))
    }
}

/// What becomes of a job that is begun while one of its id is under way or waits.
enum Again {
    /// That one does for both.
    Covered,
    /// It comes after that one; of several, the last.
    After,
    /// It can't be done.
    Busy,
}

/// The rule for a second begin; `look` is how deep the probe looks that is there, if it is one.
fn again(job: &Job, look: Option<Look>) -> Again {
    match job {
        // No turn has two requests.
        Job::Turn(_) | Job::Probe(_, Look::Light) => Again::Covered,
        Job::Probe(_, Look::Slots) if look == Some(Look::Slots) => Again::Covered,
        Job::Probe(_, Look::Slots) | Job::Server(..) => Again::After,
        Job::Model { .. } => Again::Busy,
    }
}

fn look_of(job: &Job) -> Option<Look> {
    if let Job::Probe(_, look) = job { Some(*look) } else { None }
}

/// The first job whose records are on disk: what was decided first is started first.
async fn durable(waiting: &mut VecDeque<Waiting>) -> Job {
    loop {
        let first = waiting.iter_mut().enumerate().find_map(|(i, w)| w.durable.as_mut().map(|durable| (i, durable)));
        let Some((at, barrier)) = first else { return std::future::pending().await };
        match barrier.await {
            Ok(()) => {
                if let Some(waited) = waiting.remove(at) {
                    return waited.job;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a job waits until the journal is written again");
                if let Some(waited) = waiting.get_mut(at) {
                    waited.durable = None;
                }
            }
        }
    }
}

/// A worker's whole life: whatever becomes of it, its end is told.
async fn work(mut worker: impl Worker, say: Say, limit: Option<Duration>) {
    // What a panic leaves of the worker is only asked for the words of its failure.
    let end = AssertUnwindSafe(in_time(&mut worker, &say, limit)).catch_unwind().await;
    let news = match end {
        Ok(news) => news,
        Err(_) => {
            tracing::error!(id = ?say.of.id, "what carries out a job broke off");
            worker.unfinished(&say, Unfinished::BrokeOff).await
        }
    };
    // What it had open is closed before that is told.
    drop(worker);
    // The loop is gone only when the session is over.
    let _ = say.tell(news).await;
}

async fn in_time(worker: &mut impl Worker, say: &Say, limit: Option<Duration>) -> News {
    let Some(limit) = limit else { return worker.run(say).await };
    match timeout(limit, worker.run(say)).await {
        Ok(news) => news,
        Err(_) => worker.unfinished(say, Unfinished::OutOfTime(limit)).await,
    }
}

#[cfg(test)]
pub(super) mod tests;
