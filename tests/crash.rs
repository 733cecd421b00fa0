//! The built program killed at random points of random runs, with faults, and taken up again until it is done.
//!
//! `BATON_CRASHES` says how many kills there are in all (120 when absent), `BATON_CRASH_SEED` where chance begins.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: what goes wrong fails it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use baton::domain::protocol::{AttemptEnd, AttemptId, Event, Outcome, Record, SessionId, TaskId};
use baton::domain::state::{End, GoalPhase, Life, State};
use baton::engine::journal::{Journal, Sessions};

/// Runs at a time: the processes wait most of their lives.
const WORKERS: u64 = 3;
/// The longest a process may take to its end: minutes on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

/// Chance over a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A plan and how each of its tasks is to end, whatever happens to the process.
struct Story {
    plan: String,
    ends: BTreeMap<String, End>,
}

impl Story {
    /// Twelve tasks: some that fail at first, by every fault a server has; some that always fail, and take with them what
    /// needs them.
    fn new(dice: &mut Dice) -> Self {
        let agents = ["researcher", "reasoner", "coder", "vision_analyst"];
        let faults = ["error", "cut", "garbage", "empty", "error-late"];
        let mut plan = String::from("version: 1\ngoal: Survive\nsynthesis: false\ntasks:\n");
        let mut ends: BTreeMap<String, End> = BTreeMap::new();
        for i in 0..12u64 {
            let needs: BTreeSet<u64> = (0..dice.below(3)).filter(|_| i > 0).map(|_| dice.below(i.max(1))).collect();
            let agent = agents[dice.below(4) as usize];
            let ms = 10 + dice.below(120);
            let fault = faults[dice.below(5) as usize];
            let kind = dice.below(10);
            let (extra, retry) = match kind {
                0 => (" fail=garbage".to_owned(), 0),
                // As often as there are lives: the simulator forgets with each what it had failed before.
                1..=3 => (format!(" fail={fault} fail-first=1"), 40),
                _ => (String::new(), 2),
            };
            let name = |n: &u64| format!("t{n}");
            let blocked = needs.iter().any(|n| ends[&name(n)] != End::Done);
            let end = match kind {
                _ if blocked => End::Skipped,
                0 => End::Failed,
                _ => End::Done,
            };
            ends.insert(name(&i), end);
            let needs = needs.iter().map(name).collect::<Vec<_>>().join(", ");
            // A title and an answer of its own: words for the simulator in a prompt would reach it with those of dependants.
            plan.push_str(&format!(
                "  - {{id: t{i}, title: Task {i}, agent: {agent}, needs: [{needs}], retry: {{max: {retry}, backoff: none}}, \
                 prompt: 'Do it [sim ms={ms}{extra} text=What is known of {i} in twelve words or so and then some more.]'}}\n"
            ));
        }
        Self { plan, ends }
    }

    fn outcome(&self) -> Outcome {
        if self.ends.values().any(|e| *e == End::Failed) { Outcome::Failed } else { Outcome::Done }
    }
}

/// A home of its own for each run.
struct Home {
    folder: tempfile::TempDir,
    /// What the last process said.
    told: PathBuf,
    out: PathBuf,
}

/// How a process ended.
enum Ran {
    Killed,
    Ended(Option<i32>),
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (told, out) = (folder.path().join("told"), folder.path().join("out"));
        Self { folder, told, out }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs Baton and kills it after that time, if it is given.
    fn run(&self, args: &[&str], kill_after: Option<Duration>) -> Ran {
        let file = |path: &Path| Stdio::from(std::fs::File::create(path).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.args(args).current_dir(self.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(file(&self.out)).stderr(file(&self.told));
        for (name, folder) in
            [("HOME", "."), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")]
        {
            command.env(name, self.path().join(folder));
        }
        let mut child = command.spawn().unwrap();
        if let Some(after) = kill_after {
            std::thread::sleep(after);
            // One that has ended by itself meanwhile keeps its exit code.
            child.kill().unwrap();
            let status = child.wait().unwrap();
            return match status.code() {
                Some(code) => Ran::Ended(Some(code)),
                None => Ran::Killed,
            };
        }
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return Ran::Ended(status.code());
            }
            if began.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("{args:?} does not end: {}\n{}", self.said(), self.journal_text());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.told).unwrap_or_default()
    }

    fn sessions(&self) -> Sessions {
        Sessions::new(self.path().join("state/baton/sessions"))
    }

    /// The one session, once there is one.
    fn session(&self) -> Option<SessionId> {
        let listed = self.sessions().list().unwrap();
        assert!(listed.len() <= 1, "{listed:?}");
        listed.into_iter().next().map(|l| l.id)
    }

    fn journal_text(&self) -> String {
        let path = self.session().map(|id| self.sessions().journal(&id).unwrap());
        path.and_then(|p| std::fs::read_to_string(p).ok()).unwrap_or_default()
    }

    /// Whether the session has what it was asked to do: before that, there is nothing to take up.
    fn has_goal(&self) -> bool {
        self.journal_text().contains("\"goal.added\"")
    }
}

/// One run, killed a few times and then left to come to its end. Counts the kills.
fn survive(seed: u64, kills: &AtomicU32) {
    let mut dice = Dice(seed);
    let story = Story::new(&mut dice);
    let home = Home::new();
    std::fs::write(home.path().join("plan.yaml"), &story.plan).unwrap();
    let number = seed.to_string();
    let begin = ["run", "plan.yaml", "--headless", "--fleet", "sim", "--seed", number.as_str()];
    let pause = |dice: &mut Dice| Some(Duration::from_millis(5 + dice.below(395)));
    let mut times = 1 + dice.below(6);
    let mut over = match home.run(&begin, pause(&mut dice)) {
        Ran::Killed => {
            kills.fetch_add(1, Ordering::Relaxed);
            false
        }
        Ran::Ended(_) => true,
    };
    if !home.has_goal() {
        // It was killed before it had anything to do, and says so.
        let Ran::Ended(code) = home.run(&["resume", "--headless"], None) else { return };
        assert!(matches!(code, Some(2..=4)), "seed {seed}: {code:?} {}", home.said());
        return;
    }
    let id = home.session().unwrap().to_string();
    while !over && times > 0 {
        times -= 1;
        match home.run(&["resume", &id, "--headless"], pause(&mut dice)) {
            Ran::Killed => drop(kills.fetch_add(1, Ordering::Relaxed)),
            Ran::Ended(code) => {
                assert!(matches!(code, Some(0 | 1)), "seed {seed}: {code:?} {}", home.said());
                over = true;
            }
        }
    }
    let Ran::Ended(code) = home.run(&["resume", &id, "--headless", "--jsonl"], None) else { return };
    let right = if story.outcome() == Outcome::Done { 0 } else { 1 };
    assert_eq!(code, Some(right), "seed {seed}: {}\n{}", home.said(), story.plan);
    check(seed, &story, &home);
}

/// What has to be true of a journal at the end, however often its processes were killed.
fn check(seed: u64, story: &Story, home: &Home) {
    let id = home.session().unwrap();
    let journal = Journal::read_all(&home.sessions().journal(&id).unwrap()).unwrap();
    assert_eq!((journal.torn, journal.unknown), (0, 0), "seed {seed}");
    let mut state = State::default();
    let mut done: BTreeSet<TaskId> = BTreeSet::new();
    // Attempts that were open when a process died, and whether their request was still under way.
    let mut cut: BTreeSet<AttemptId> = BTreeSet::new();
    for (i, record) in journal.records.iter().enumerate() {
        assert_eq!(record.seq, i as u64 + 1, "seed {seed}: no gap");
        assert!(record.at >= state.at, "seed {seed}: time goes on at {record:?}");
        match &record.event {
            Event::TaskCompleted { task, .. } => {
                assert!(done.insert(task.clone()), "seed {seed}: {task} was done twice");
            }
            Event::AttemptStarted(started) => {
                assert!(!done.contains(&started.task), "seed {seed}: {} ran again", started.task);
            }
            Event::SessionOpened(_) => {
                let under_way = state.running().filter(|a| a.turn().is_none_or(|t| t.ended.is_none()));
                cut.extend(under_way.map(|a| a.id));
            }
            _ => {}
        }
        state.apply(record);
        assert_eq!(state.seq, record.seq);
    }
    for attempt in state.attempts() {
        let end = attempt.ended.as_ref().map(|(_, end)| end);
        assert!(end.is_some(), "seed {seed}: {} never ended", attempt.id);
        let interrupted = end == Some(&AttemptEnd::Interrupted);
        assert_eq!(interrupted, cut.contains(&attempt.id), "seed {seed}: {} ended {end:?}", attempt.id);
    }
    let ends: BTreeMap<String, End> = state
        .tasks()
        .iter()
        .map(|t| match t.life {
            Life::Ended(end) => (t.id.name.to_string(), end),
            life => panic!("seed {seed}: {} is {life:?}", t.id),
        })
        .collect();
    assert_eq!(ends, story.ends, "seed {seed}: as it would have been without a crash");
    assert_eq!(state.goals()[0].phase, GoalPhase::Ended(story.outcome()), "seed {seed}");
    // One may drain still: what was heard of its end made no sense, so the server has until the next life.
    for pool in state.pools() {
        assert_eq!(pool.busy(), pool.draining(), "seed {seed}: a slot was lost");
    }
    let failures = state.tasks().iter().filter(|t| t.life == Life::Ended(End::Failed));
    for task in failures {
        assert!(!task.reason.contains("interrupted"), "seed {seed}: {}", task.reason);
    }
    // What the last process told as it happened is what it wrote.
    let told = std::fs::read_to_string(&home.out).unwrap();
    let told: Vec<Record> = told.lines().map(|line| Record::from_json(line).unwrap()).collect();
    let tail = &journal.records[journal.records.len() - told.len()..];
    assert_eq!(tail, told, "seed {seed}");
    // The whole told once more gives the same.
    let mut again = State::default();
    journal.records.iter().for_each(|r| again.apply(&Record::from_json(&serde_json::to_string(r).unwrap()).unwrap()));
    assert_eq!(again, state, "seed {seed}");
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn a_run_that_is_killed_anywhere_is_taken_up_to_the_same_end() {
    let wanted = u32::try_from(number("BATON_CRASHES", 120)).unwrap();
    let base = number("BATON_CRASH_SEED", 1);
    let kills = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let kills = &kills;
            scope.spawn(move || {
                for round in 0.. {
                    if kills.load(Ordering::Relaxed) >= wanted {
                        return;
                    }
                    survive(base.wrapping_mul(1_000_003) + round * WORKERS + worker, kills);
                }
            });
        }
    });
}
