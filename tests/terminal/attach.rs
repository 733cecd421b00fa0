//! A session whose console is gone, taken up from another window: the scene of a connection that drops.

use super::*;

/// A plan whose second task asks the operator, after the first has worked a while.
const PLAN: &str = "version: 1\ngoal: Ask me\nsynthesis: false\ntasks:\n  \
    - {id: works, agent: researcher, level: low, prompt: \"Work. [sim thinking=0 tokens=40 ms=3000]\"}\n  \
    - {id: asks, agent: researcher, level: low, needs: [works], prompt: \"Ask. [sim ask=Keep the sources?|keep|drop]\"}\n";

fn told(window: &Window, arguments: &[&str]) -> std::process::Output {
    let home = window.home.path();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_baton"));
    command.args(arguments).current_dir(home).env_clear().env("HOME", home).stdin(std::process::Stdio::null());
    for (name, folder) in [("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")] {
        command.env(name, home.join(folder));
    }
    command.output().unwrap()
}

#[test]
fn a_session_whose_window_was_closed_is_taken_up_from_another_and_works_to_its_end() {
    let mut window = Window::with_files(&["run", "plan.yaml"], &[("plan.yaml", PLAN)]);
    window.until_text("● running");
    eventually("an attempt", || window.journal().contains("attempt.started"));
    let worker = window.worker();
    window.close();
    eventually("the end of the launcher", || window.exit_code().is_some());
    // Nobody watches, so whoever comes next has control.
    eventually("the parting", || window.journal().contains(r#""viewer.left""#));
    eventually("the question", || window.journal().contains(r#""task.asked""#));
    assert!(is_alive(worker), "a task waits for an answer: {}", window.log());
    #[cfg(target_os = "linux")]
    {
        let before = ticks(worker);
        std::thread::sleep(Duration::from_secs(2));
        let used = ticks(worker).saturating_sub(before);
        assert!(used <= 20, "{used} ticks of 200 while it waits: something spins");
    }

    let mut second = window.beside(&["attach"]);
    second.until_text("asks you");
    eventually("control", || window.journal().contains(r#"{"viewer":"v2"}"#));
    // Leaving ends nothing, without a question.
    second.type_keys("q");
    assert_eq!(second.ends(), 0);
    assert!(is_alive(worker) && !window.journal().contains("session.ended"));

    // Over a connection that drops, too.
    let mut third = window.beside(&["attach", "--read-only"]);
    third.until_text("asks you");
    eventually("the third viewer", || window.journal().contains(r#""role":"viewer""#));
    third.close();
    eventually("its end", || third.exit_code().is_some());
    assert!(is_alive(worker));

    let answered = told(&window, &["answer", "--text", "1"]);
    assert!(answered.status.success(), "{}", String::from_utf8_lossy(&answered.stderr));
    eventually("the goal's end", || window.journal().contains("goal.ended"));
    eventually_or("the worker's end", || window.log(), || !is_alive(worker));
    assert!(window.journal().contains(r#""outcome":"done""#));
    assert_eq!(window.last_record(), "session.ended");
    let run = std::fs::read_dir(window.home.path().join("run/baton")).unwrap();
    assert_eq!(run.count(), 0, "the socket and the key are gone");
}
