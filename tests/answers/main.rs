//! What servers really send, played byte by byte to the built binary: an answer is whole or it is not done, what says
//! something of the server costs a task no try, odd events cost no good answer, and nothing is without a limit.
//!
//! A table: one row is one server and one plan, run headless in a home of its own. All rows run side by side, most of their
//! time waiting. `BATON_ANSWERS=word` runs those whose names have the word in them. The rows stand in `cases`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: what goes wrong fails it")]
#![allow(clippy::print_stderr, reason = "the table is the result")]

mod cases;
mod kept;
mod served;
#[path = "../support/mod.rs"]
mod support;

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use served::{Asked, Play, Served};
use support::{Home, Ran};

/// Rows at once: they wait more than they work.
const AT_ONCE: usize = 8;

/// One server, one plan, and what is right.
pub(crate) struct Case {
    name: &'static str,
    protocol: &'static str,
    slots: u32,
    plan: &'static str,
    path: &'static str,
    settings: String,
    limit: Duration,
    play: Play,
    right: Vec<Check>,
}

type Check = Box<dyn Fn(&Seen) -> Result<(), String> + Send + Sync>;

/// What came of it.
pub(crate) struct Seen {
    ran: Ran,
    json: Value,
    asked: Vec<Arc<Asked>>,
}

const ONE: &str =
    "version: 1\ngoal: Say hello\nsynthesis: false\ntasks:\n  - {id: hello, agent: researcher, prompt: Say hello.}\n";
const TWO: &str = "version: 1\ngoal: Say hello\nsynthesis: false\ntasks:
  - {id: facts, agent: researcher, prompt: List ten points.}
  - {id: sum, agent: researcher, needs: [facts], prompt: Summarise them.}\n";
const SIX: &str = "version: 1\ngoal: Say six\nsynthesis: false\ntasks:
  - {id: t0, agent: researcher, prompt: Say 0.}\n  - {id: t1, agent: researcher, prompt: Say 1.}
  - {id: t2, agent: researcher, prompt: Say 2.}\n  - {id: t3, agent: researcher, prompt: Say 3.}
  - {id: t4, agent: researcher, prompt: Say 4.}\n  - {id: t5, agent: researcher, prompt: Say 5.}\n";

/// A row: a server that speaks plain OpenAI with one slot, asked by a plan of one task.
pub(crate) fn case(
    name: &'static str,
    play: impl Fn(&Asked, &mut std::net::TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> Case {
    Case {
        name,
        protocol: "openai",
        slots: 1,
        plan: ONE,
        path: "",
        settings: "backoff_ms = 20\noutage_seconds = 3\n".to_owned(),
        limit: Duration::from_secs(40),
        play: Box::new(play),
        right: Vec::new(),
    }
}

impl Case {
    fn protocol(mut self, protocol: &'static str) -> Self {
        self.protocol = protocol;
        self
    }

    fn plan(mut self, plan: &'static str, slots: u32) -> Self {
        (self.plan, self.slots) = (plan, slots);
        self
    }

    fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// Lines of the section `session`, in place of the short limits.
    fn set(mut self, settings: &str) -> Self {
        self.settings = settings.to_owned();
        self
    }

    fn right(mut self, check: impl Fn(&Seen) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.right.push(Box::new(check));
        self
    }

    /// It is done with this answer after so many requests.
    fn done(self, answer: &'static str, requests: RangeInclusive<usize>) -> Self {
        self.exits(0).asked(requests).right(move |seen| {
            let said = seen.json["answer"].as_str().unwrap_or("").trim().to_owned();
            expect(said == answer, || format!("the answer is {said:?}"))
        })
    }

    /// Its task has failed, with all these words told, after so many requests.
    fn fails(self, words: &'static [&'static str], requests: RangeInclusive<usize>) -> Self {
        self.exits(1).asked(requests).says(words).right(|seen| {
            let done = seen.ran.tasks("completed") + seen.ran.tasks("done");
            expect(done == 0, || format!("{done} tasks are done"))
        })
    }

    fn exits(self, code: i32) -> Self {
        self.right(move |seen| expect(seen.ran.code == Some(code), || "the exit code".to_owned()))
    }

    fn asked(self, requests: RangeInclusive<usize>) -> Self {
        self.right(move |seen| expect(requests.contains(&seen.asked.len()), || format!("not {requests:?} requests")))
    }

    /// All these words are told, in whatever case.
    fn says(self, words: &'static [&'static str]) -> Self {
        self.right(move |seen| {
            let all = (seen.ran.err.clone() + &seen.ran.out).to_lowercase();
            let missing: Vec<&&str> = words.iter().filter(|word| !all.contains(&word.to_lowercase())).collect();
            expect(missing.is_empty(), || format!("not told: {missing:?}"))
        })
    }

    /// The journal has this text.
    fn keeps(self, text: &'static str) -> Self {
        self.right(move |seen| expect(seen.ran.journal.contains(text), || format!("{text:?} is not in the journal")))
    }

    fn run(self) -> (Seen, Vec<String>) {
        let served = Served::start(self.play);
        let home = Home::new();
        home.file("plan.yaml", self.plan);
        home.file(
            "config/baton/baton.toml",
            &format!("[session]\n{}[machine]\nthrottle_cpu_percent = 0\n", self.settings),
        );
        let (protocol, slots, url) =
            (self.protocol, self.slots, format!("http://127.0.0.1:{}{}", served.port, self.path));
        let fleet = format!(
            "replace = true\n[[endpoint]]\nname = \"box\"\ntiers = [\"q4_tools\", \"gptoss_reason\", \"coder\", \"vision\", \"summary\"]\n\
             protocol = \"{protocol}\"\nurl = \"{url}\"\nmodel = \"m\"\nslots = {slots}\ncontext = 16384\n"
        );
        home.file("fleet.toml", &fleet);
        let ran =
            home.start(&["run", "plan.yaml", "--headless", "--json", "--fleet", "fleet.toml"], &[]).finish(self.limit);
        let seen = Seen { json: ran.json(), ran, asked: served.asked() };
        let mut wrong: Vec<String> = self.right.iter().filter_map(|check| check(&seen).err()).collect();
        // Whatever was served: every line of the journal can be read, and it has an end.
        let (lines, records) =
            (seen.ran.journal.lines().filter(|line| line.contains("\"seq\":")).count(), seen.ran.records().len());
        if lines > records || (seen.ran.code.is_some() && seen.ran.count("session.ended") != 1) {
            wrong.push(format!("the journal: {lines} lines, {records} records"));
        }
        (seen, wrong)
    }
}

/// A check with a word on what is wrong.
pub(crate) fn expect(holds: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(wrong()) }
}

fn row(name: &str, seen: &Seen, wrong: &[String]) -> String {
    let code = seen.ran.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    let answer: String = seen.json["answer"].as_str().unwrap_or("–").chars().take(60).collect();
    let verdict = if wrong.is_empty() { "right".to_owned() } else { format!("WRONG: {}", wrong.join("; ")) };
    let (asked, seconds) = (seen.asked.len(), seen.ran.seconds);
    format!("{name:<31} exit {code:<4} {asked:>2} requests {seconds:>5.1} s  {answer:?}  {verdict}")
}

#[test]
fn odd_servers_are_answered_right() {
    let word = std::env::var("BATON_ANSWERS").unwrap_or_default();
    let mut cases = cases::all();
    cases.retain(|case| case.name.contains(&word));
    // Those that wait longest first, so that none of them is left alone at the end.
    cases.sort_by_key(|case| std::cmp::Reverse(case.limit));
    let cases: Vec<Mutex<Option<Case>>> = cases.into_iter().map(|case| Mutex::new(Some(case))).collect();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let case = case.lock().unwrap().take().unwrap();
                    let name = case.name;
                    let (seen, wrong) = case.run();
                    rows.lock().unwrap().push((name, row(name, &seen, &wrong), wrong.is_empty(), seen.ran.err));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort();
    let table: Vec<&str> = rows.iter().map(|(_, row, ..)| row.as_str()).collect();
    eprintln!("{}", table.join("\n"));
    let wrong: Vec<String> = rows
        .iter()
        .filter(|(.., right, _)| !right)
        .map(|(_, row, _, err)| format!("{row}\n{}", err.chars().take(1_500).collect::<String>()))
        .collect();
    assert!(wrong.is_empty(), "{} of {} rows are wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
