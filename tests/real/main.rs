//! The built binary against real llama-servers, which are the test's own: on free ports, with small models.
//!
//! It runs where `BATON_REAL_LLAMA_SERVER` (a llama-server, with its libraries beside it) and `BATON_REAL_MODEL` (a small
//! model, GGUF) are set, and says that it was skipped where they are not. `BATON_REAL_MODEL_SLOW`: a model that takes some
//! milliseconds a token, so that servers can be ended in the middle of an answer. `BATON_REAL_MODEL_THINK`: one whose
//! template opens `<think>` itself. `BATON_REAL_LONG=1`: loading takes 90 s in place of 20.
//!
//! The tests take turns, since they measure times. Invariant: every server ends with its test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: what goes wrong fails it")]
#![allow(clippy::print_stderr, reason = "that it is skipped has to be said")]

mod fleet;
#[allow(dead_code, reason = "only what tells a long text is used here")]
#[path = "../answers/served.rs"]
mod served;
#[path = "../support/mod.rs"]
mod support;

use std::io::Write as _;
use std::time::Duration;

use baton::domain::protocol::{Event, FailureCount, Micros, Record};
use baton::domain::state::State;

use fleet::{Loading, Server, real};
use served::{STREAM, Served};
use support::{Home, Ran};

/// An endpoint of a fleet file, of the tier `t`, which the agent `w` works on.
fn endpoint(name: &str, port: u16, slots: u32, context: u32, more: &str) -> String {
    format!(
        "[[endpoint]]\nname = \"{name}\"\ntiers = [\"t\"]\nprotocol = \"llama.cpp\"\nurl = \"http://127.0.0.1:{port}\"\n\
         model = \"m\"\nslots = {slots}\ncontext = {context}\n{more}\n"
    )
}

/// A home with a fleet of these endpoints, and a plan of these tasks. What else works on the machine throttles nothing.
fn home(endpoints: &[String], tasks: &str, settings: &str) -> Home {
    let home = Home::new();
    // No chance in it: tiny models say now and then what their own server can't read, or end too soon to be measured.
    let agent =
        "[[agent]]\nname = \"w\"\ndescription = \"worker\"\ntier = \"t\"\ntemperature = 0.0\nprompt = \"You work.\"\n";
    home.file("fleet.toml", &format!("replace = true\n{}{agent}", endpoints.concat()));
    home.file("plan.yaml", &format!("version: 1\ngoal: Tell stories\nsynthesis: false\ntasks:\n{tasks}"));
    home.file("config/baton/baton.toml", &format!("[session]\n{settings}\n[machine]\nthrottle_cpu_percent = 0\n"));
    home
}

/// So many tasks without needs.
fn stories(count: usize, tokens: u32) -> String {
    let task = |n| {
        format!(
            "  - {{id: t{n}, agent: w, title: Story {n}, budget: {{tokens: {tokens}}}, prompt: Tell a story number {n}}}\n"
        )
    };
    (0..count).map(task).collect()
}

const RUN: [&str; 6] = ["run", "plan.yaml", "--headless", "--json", "--fleet", "fleet.toml"];
/// Answers end at their limit here; that is what is wanted.
const KEEP: &str = "on_cut = \"keep\"";

fn run(home: &Home, env: &[(&str, &str)], seconds: u64) -> Ran {
    home.start(&RUN, env).finish(Duration::from_secs(seconds))
}

/// What must hold after a run in which nothing is wrong with the tasks: all are done, and none has failed meanwhile.
fn all_done(ran: &Ran, count: usize) {
    let told = || format!("{}\n{}", ran.err, ran.out);
    assert_eq!(ran.code, Some(0), "{}", told());
    assert_eq!((ran.count("task.completed"), ran.count("task.failed")), (count, 0), "{}", told());
}

fn fold(records: &[Record]) -> State {
    let mut state = State::default();
    records.iter().for_each(|record| state.apply(record));
    state
}

#[test]
fn three_hundred_tasks_are_done_without_one_retry_on_slots_that_are_never_idle() {
    let Some(real) = real() else { return };
    let server = real.start(&real.model, 6, 4_096, &[]);
    let home = home(&[endpoint("q4", server.port, 6, 4_096, "")], &stories(300, 40), KEEP);
    let ran = run(&home, &[], 120);
    all_done(&ran, 300);
    assert_eq!(ran.count("task.retried"), 0, "{}", ran.err);
    let used = ran.json()["metrics"]["utilisation"].as_f64().unwrap();
    assert!(used >= 0.9, "{used} of the slots' time was used: {}", ran.json()["metrics"]);
}

#[test]
fn a_keyed_server_a_slow_one_and_one_that_thinks_do_their_tasks() {
    let Some(real) = real() else { return };
    {
        let keyed = real.start(&real.model, 2, 4_096, &["--api-key", "sk-real-7d1f"]);
        let key = "key = { env = \"KEY_OF_IT\" }";
        let home = home(&[endpoint("keyed", keyed.port, 2, 4_096, key)], &stories(12, 60), KEEP);
        let ran = run(&home, &[("KEY_OF_IT", "sk-real-7d1f")], 60);
        all_done(&ran, 12);
        assert_eq!(ran.count("task.retried"), 0, "{}", ran.err);
        assert!(!(ran.journal + &ran.err).contains("sk-real-7d1f"));
    }
    {
        let slow = real.start(&real.slow, 4, 4_096, &[]);
        // Long enough for two looks at the machine, of which the second tells what the server took since.
        let home = home(&[endpoint("slow", slow.port, 4, 4_096, "")], &stories(60, 100), KEEP);
        let ran = run(&home, &[], 90);
        all_done(&ran, 60);
        assert_eq!(ran.count("task.retried"), 0, "{}", ran.err);
        // It works on the processors, and that is told apart from other work.
        let samples = ran.records().into_iter().filter_map(|record| match record.event {
            Event::MachineSampled(sample) => sample.servers_percent,
            _ => None,
        });
        if cfg!(target_os = "linux") {
            let samples: Vec<_> = samples.collect();
            let told = samples.iter().max().is_some_and(|most| *most >= 10);
            assert!(told, "what the server takes is not told: {samples:?}: {}", ran.err);
        }
    }
    let Some(think) = &real.think else { return };
    let server = real.start(think, 2, 4_096, &[]);
    let one = "  - {id: yes, agent: w, prompt: Does the sun rise in the east? Answer with yes or no.}\n";
    let home = home(&[endpoint("think", server.port, 2, 4_096, "")], one, KEEP);
    let ran = run(&home, &[], 60);
    all_done(&ran, 1);
    let answer = ran.json()["answer"].as_str().unwrap().to_owned();
    let whole = thought_and_said(&server);
    let thought = whole.split("</think>").next().unwrap().trim().to_owned();
    assert!(!answer.contains("</think>"), "{answer:?}");
    let first: String = thought.chars().take(20).collect();
    assert!(thought.is_empty() || !answer.contains(&first), "{first:?} was thought, and is in the answer {answer:?}");
}

/// What the server says to the same question itself, thinking and all.
fn thought_and_said(server: &Server) -> String {
    use std::io::Read as _;
    let body = "{\"prompt\":\"<|im_start|>user\\nDoes the sun rise in the east? Answer with yes or no.<|im_end|>\\n<|im_start|>assistant\\n<think>\\n\",\"temperature\":0,\"n_predict\":400}";
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let head =
        format!("POST /completion HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let value: serde_json::Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap_or_default();
    value["content"].as_str().unwrap_or("").to_owned()
}

#[test]
fn a_server_that_is_killed_three_times_costs_no_task() {
    let Some(real) = real() else { return };
    let mut server = real.start(&real.slow, 4, 4_096, &[]);
    let home = home(&[endpoint("slow", server.port, 4, 4_096, "")], &stories(24, 150), KEEP);
    let running = home.start(&RUN, &[]);
    for (killed, back) in [(3, 5), (10, 12), (17, 19)] {
        std::thread::sleep(Duration::from_secs(killed).saturating_sub(running.age()));
        server.kill();
        std::thread::sleep(Duration::from_secs(back).saturating_sub(running.age()));
        server.again();
    }
    let ran = running.finish(Duration::from_secs(120));
    all_done(&ran, 24);
}

#[test]
fn what_a_server_was_at_that_is_asked_to_end_moves_to_an_idle_one_within_five_seconds() {
    let Some(real) = real() else { return };
    let servers = [real.start(&real.slow, 4, 4_096, &[]), real.start(&real.slow, 4, 4_096, &[])];
    let names = ["first", "second"];
    let endpoints = [0, 1].map(|n| endpoint(names[n], servers[n].port, 4, 4_096, ""));
    let home = home(&endpoints, &stories(3, 800), KEEP);
    let running = home.start(&RUN, &[]);
    let at_work = |state: &State| -> Vec<(String, String)> {
        let open = state.attempts().iter().filter(|attempt| attempt.ended.is_none());
        open.map(|a| (state.task(a.task).id.to_string(), state.place_of(a).unwrap().config.name.to_string())).collect()
    };
    let records =
        |journal: &str| -> Vec<Record> { journal.lines().filter_map(|l| Record::from_json(l).ok()).collect() };
    let (mut state, mut last) = (State::default(), Micros(0));
    while running.age() < Duration::from_secs(20) && at_work(&state).len() < 3 {
        std::thread::sleep(Duration::from_millis(100));
        state = fold(&records(&home.journal()));
    }
    // In the middle of their answers.
    std::thread::sleep(Duration::from_secs(1));
    let before = records(&home.journal());
    last = before.last().map_or(last, |record| record.at);
    let working = at_work(&fold(&before));
    let (_, ended) = working.first().expect("something runs").clone();
    servers[usize::from(ended == names[1])].terminate();
    let ran = running.finish(Duration::from_secs(90));
    all_done(&ran, 3);
    let moved: Vec<&String> = working.iter().filter(|(_, on)| *on == ended).map(|(task, _)| task).collect();
    for task in moved {
        let again = ran.records().into_iter().find_map(|record| match &record.event {
            Event::AttemptStarted(a) if record.at > last && a.task.to_string() == *task => Some(record.at),
            _ => None,
        });
        let took = again.map(|at| at.since(last).secs_f64());
        assert!(took.is_some_and(|seconds| seconds <= 5.0), "{task} moved after {took:?} s: {}", ran.err);
    }
    let counted = ran.records().into_iter().filter(
        |record| matches!(&record.event, Event::TaskRetried(retried) if retried.count == FailureCount::Counted),
    );
    assert_eq!(counted.count(), 0, "a move costs no try: {}", ran.err);
}

#[test]
fn a_server_that_loads_its_model_for_long_is_waited_for() {
    let Some(real) = real() else { return };
    let server = real.start(&real.model, 2, 4_096, &[]);
    let time = if std::env::var_os("BATON_REAL_LONG").is_some() { 90 } else { 20 };
    let loading = Loading::start(server.port, Duration::from_secs(time));
    let home = home(&[endpoint("large", loading.port, 2, 4_096, "")], &stories(4, 40), KEEP);
    let ran = run(&home, &[], time + 40);
    all_done(&ran, 4);
    assert!(ran.err.to_lowercase().contains("loading"), "what is waited for is told: {}", ran.err);
}

#[test]
fn a_task_sees_a_share_of_results_that_do_not_fit_or_the_operator_is_told() {
    let Some(real) = real() else { return };
    let server = real.start(&real.model, 4, 4_096, &[]);
    // Results of a length that small models do not write, from a server that says what it is told to.
    let text = "The crossing of the river took the whole day, and nobody had thought of bread. ".repeat(210);
    let long = STREAM.to_owned() + &served::text(&text) + &served::ends("stop");
    let teller = Served::start(Box::new(move |_, out| out.write_all(long.as_bytes())));
    let tells =
        endpoint("teller", teller.port, 2, 16_384, "").replace("[\"t\"]", "[\"tell\"]").replace("llama.cpp", "openai");
    let agent = "[[agent]]\nname = \"v\"\ndescription = \"teller\"\ntier = \"tell\"\ntemperature = 0.0\nprompt = \"You tell.\"\n";
    let tasks = "  - {id: a, agent: v, prompt: Tell all of it.}
  - {id: b, agent: v, prompt: Tell the rest of it.}
  - {id: c, agent: w, needs: [a, b], prompt: Sum it up.}\n";
    let home = home(&[endpoint("small", server.port, 4, 4_096, ""), tells, agent.to_owned()], tasks, KEEP);
    let ran = run(&home, &[], 90);
    all_done(&ran, 3);
    let read = ran.records().into_iter().filter_map(|record| match record.event {
        Event::TurnEnded(ended) => Some(ended.usage.prompt_tokens),
        _ => None,
    });
    let most = read.max().unwrap_or(0);
    assert!(most >= 1_200, "of 9,000 tokens of results the last task read {most}: {}", ran.err);
    assert!(ran.err.contains("fit") || ran.out.contains("fit"), "that not all fits is not told: {}", ran.err);
}

#[test]
fn an_answer_that_its_limit_cut_is_marked() {
    let Some(real) = real() else { return };
    let server = real.start(&real.slow, 2, 4_096, &[]);
    let tasks = stories(1, 60) + "  - {id: next, agent: w, needs: [t0], budget: {tokens: 20}, prompt: Go on.}\n";
    let home = home(&[endpoint("slow", server.port, 2, 4_096, "")], &tasks, KEEP);
    let ran = run(&home, &[], 60);
    all_done(&ran, 2);
    assert!(ran.err.contains("cut"), "{}", ran.err);
    assert!(ran.out.contains("cut"), "{}", ran.out);
}
