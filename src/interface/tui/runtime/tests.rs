//! Keys typed at the whole loop.

use crossterm::event::Event;

use super::harness::{Happened, Harness};
use super::*;
use crate::domain::fleet::SessionConfig;
use crate::domain::plan::{PlanEdit, TaskSpec};
use crate::domain::protocol::{
    AttemptId, AttemptStarted, Author, EditKind, Event as Fact, GoalAdded, GoalId, GoalOptions, Name, PlanEdited,
    Route, SessionStarted, TaskId, Work,
};
use crate::interface::tui::model::discovery::{AskedHost, Offer, Search};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(super) fn started() -> Fact {
    let fleet = serde_json::json!({
        "endpoint": [{"name": "athene", "tiers": ["q4"], "protocol": "llama.cpp", "url": "http://127.0.0.1:1",
                      "model": "m", "slots": 2, "context": 4096}],
        "agent": [{"name": "coder", "description": "Writes.", "tier": "q4", "prompt": "You write."}],
    });
    let config = SessionConfig { fleet: serde_json::from_value(fleet).unwrap(), ..SessionConfig::default() };
    Fact::SessionStarted(Box::new(SessionStarted { session: name("s1"), config }))
}

/// A goal with one task.
pub(super) fn goal() -> Vec<Fact> {
    let task = TaskSpec::new(name("one"), name("coder"), "Write it.");
    vec![
        started(),
        Fact::GoalAdded(GoalAdded { goal: GoalId(1), text: "Write it".into(), options: GoalOptions::default() }),
        Fact::PlanEdited(PlanEdited {
            goal: GoalId(1),
            revision: 1,
            author: Author::Baton,
            edits: vec![PlanEdit::Add(Box::new(task))],
            work: Work::Ordinary,
            repairs: Vec::new(),
            kind: EditKind::New,
        }),
    ]
}

/// The same, its task at work.
fn running() -> Vec<Fact> {
    let task = TaskId::new(GoalId(1), name("one"));
    let mut facts = goal();
    facts.push(Fact::TaskStarted { task: task.clone() });
    facts.push(Fact::AttemptStarted(AttemptStarted {
        attempt: AttemptId(1),
        task,
        version: 1,
        agent: name("coder"),
        endpoint: name("athene"),
        route: Route::Primary,
    }));
    facts
}

#[tokio::test(start_paused = true)]
async fn the_first_frame_comes_before_anything_else() {
    let console = Harness::new(80, 24);
    assert_eq!(*console.log.borrow(), [Happened::Entered, Happened::Drawn]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_console_draws_nothing() {
    let mut console = Harness::new(80, 24);
    console.tell([started()]).await;
    console.pass(10_000).await;
    let before = console.frames();
    console.pass(3_600_000).await;
    assert_eq!(console.frames(), before);
}

#[tokio::test(start_paused = true)]
async fn q_leaves_at_once_when_nothing_runs() {
    let mut console = Harness::new(80, 24);
    console.tell(goal()).await.keys("q").await;
    assert_eq!(console.sent(), ["end the session"]);
    assert_eq!(console.ended(), None, "it waits for the journal");
    console.hang_up().await;
    assert_eq!(console.ended(), Some(ConsoleExit::Left(Leave::Idle)));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_end_keeps_nobody() {
    let mut console = Harness::new(80, 24);
    console.tell(goal()).await.keys("q").await.pass(5_001).await;
    assert_eq!(console.ended(), Some(ConsoleExit::Left(Leave::Idle)));
}

#[tokio::test(start_paused = true)]
async fn the_leave_card_is_deaf_at_first_and_offers_the_harmless_choice() {
    let mut console = Harness::new(80, 24);
    console.tell(running()).await.keys("q").await;
    assert!(console.screen().contains("1 agent is at work"), "{}", console.screen());
    console.keys("x<enter>").await;
    assert!(console.sent().is_empty() && console.ui().layers.len() == 1);
    console.pass(301).await.keys("<esc>").await;
    assert!(console.ui().layers.is_empty() && console.ended().is_none());
    console.keys("q").await.pass(301).await.keys("<enter>").await;
    console.hang_up().await;
    assert_eq!(console.ended(), Some(ConsoleExit::Detached));
    let log = console.log.borrow();
    let left = log.iter().position(|h| *h == Happened::Left).unwrap();
    let parted = log.iter().position(|h| *h == Happened::Parted).unwrap();
    assert!(left < parted, "the terminal is given back before it is parted from");
}

#[tokio::test(start_paused = true)]
async fn x_on_the_leave_card_cancels_and_ends() {
    let mut console = Harness::new(80, 24);
    console.tell(running()).await.keys("q").await.pass(301).await.keys("x").await;
    assert_eq!(console.sent(), ["end the session"]);
    console.hang_up().await;
    assert_eq!(console.ended(), Some(ConsoleExit::Left(Leave::CancelAll)));
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_twice_within_two_seconds_interrupts() {
    let mut console = Harness::new(80, 24);
    console.tell(running()).await.keys("<ctrl-c>").await;
    assert!(console.sent().is_empty());
    console.pass(1_500).await.keys("<ctrl-c>").await.hang_up().await;
    let exit = console.ended().unwrap();
    assert_eq!((exit.code(), exit), (130, ConsoleExit::Left(Leave::Interrupted)));

    let mut slow = Harness::new(80, 24);
    slow.tell(running()).await.keys("<ctrl-c>").await.pass(2_500).await.keys("<ctrl-c>").await;
    assert!(slow.sent().is_empty() && slow.ended().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_palette_finds_by_letters_and_does_it() {
    let mut console = Harness::new(80, 24);
    console.tell(goal()).await.keys("<ctrl-p>start noth").await;
    assert!(console.screen().contains("start nothing new, or go on"), "{}", console.screen());
    console.keys("<enter>").await;
    assert_eq!(console.sent(), ["start nothing new"]);
    assert!(console.ui().layers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn help_opens_scrolls_and_closes_one_level_a_press() {
    let mut console = Harness::new(80, 24);
    console.tell(goal()).await.keys("?").await;
    assert!(console.screen().contains("What works here"));
    console.keys("jj<esc>").await;
    assert!(!console.screen().contains("What works here"));
}

#[tokio::test(start_paused = true)]
async fn letters_typed_at_a_screen_end_nothing_and_a_paste_presses_no_key() {
    let mut console = Harness::new(80, 24);
    console.tell(running()).await.event(Event::Paste("qxX\ny".into())).await;
    assert!(console.ui().layers.is_empty() && console.sent().is_empty());
    assert!(console.screen().contains("a paste here would press keys"), "{}", console.screen());
}

#[tokio::test(start_paused = true)]
async fn a_notice_goes_by_itself() {
    let mut console = Harness::new(80, 24);
    console.tell(goal()).await.keys("P").await.keys("!").await;
    assert!(console.screen().contains("nothing needs you"));
    console.pass(6_001).await;
    assert!(!console.screen().contains("nothing needs you"));
}

#[tokio::test(start_paused = true)]
async fn a_key_let_go_says_nothing() {
    use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
    let mut console = Harness::new(80, 24);
    let key = KeyEvent::new_with_kind(KeyCode::Char('?'), KeyModifiers::NONE, KeyEventKind::Release);
    console.tell(goal()).await.event(Event::Key(key)).await;
    assert!(console.ui().layers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn suspension_gives_the_terminal_back_and_takes_it_again() {
    let mut console = Harness::new(80, 24);
    console.tell(goal()).await;
    console.log.borrow_mut().clear();
    console.keys("<ctrl-z>").await;
    let log: Vec<Happened> = console.log.borrow().iter().filter(|h| **h != Happened::Drawn).cloned().collect();
    assert_eq!(log, [Happened::Left, Happened::Suspended, Happened::Entered]);
    assert_eq!(console.log.borrow().last(), Some(&Happened::Drawn));
}

#[tokio::test(start_paused = true)]
async fn suspending_while_agents_run_offers_to_detach_and_a_second_press_means_it() {
    let mut console = Harness::new(80, 24);
    console.tell(running()).await.keys("<ctrl-z>").await;
    assert!(console.screen().contains("detach: give the shell back"), "{}", console.screen());
    assert!(!console.log.borrow().contains(&Happened::Suspended));
    console.keys("<ctrl-z>").await;
    assert!(!console.log.borrow().contains(&Happened::Suspended), "a key held down decides nothing");
    console.pass(301).await.keys("<ctrl-z>").await;
    assert!(console.log.borrow().contains(&Happened::Suspended));
    assert!(console.ui().layers.is_empty());
    console.keys("<ctrl-z>").await.pass(301).await.keys("<enter>").await;
    assert!(console.log.borrow().contains(&Happened::Parted), "the harmless choice is focused");
}

#[tokio::test(start_paused = true)]
async fn while_something_runs_a_frame_a_second_is_drawn() {
    let mut console = Harness::new(80, 24);
    console.tell(running()).await;
    console.pass(10_000).await;
    let before = console.frames();
    for _ in 0..10 {
        console.pass(1_000).await;
    }
    assert!((9..=11).contains(&(console.frames() - before)), "{}", console.frames() - before);
}

#[tokio::test(start_paused = true)]
async fn too_small_a_window_says_so_and_the_session_goes_on() {
    let mut console = Harness::new(24, 6);
    console.tell(running()).await;
    assert!(console.screen().contains("Baton needs 30×8."), "{}", console.screen());
}

#[tokio::test(start_paused = true)]
async fn finishing_what_runs_pauses_and_then_ends() {
    use crate::domain::protocol::AttemptEnd;
    let mut console = Harness::new(80, 24);
    console.tell(running()).await.keys("q").await.pass(301).await.keys("w").await;
    assert_eq!(console.sent(), ["start nothing new"]);
    let task = TaskId::new(GoalId(1), name("one"));
    let ended = Fact::AttemptEnded { attempt: AttemptId(1), end: AttemptEnd::Completed };
    console.tell([ended, Fact::TaskCompleted { task, attempt: AttemptId(1) }]).await;
    assert_eq!(console.sent(), ["start nothing new", "end the session"]);
    console.hang_up().await;
    assert_eq!(console.ended(), Some(ConsoleExit::Left(Leave::AfterRunning)));
}

#[tokio::test(start_paused = true)]
async fn a_terminal_that_is_gone_is_parted_from_and_the_work_goes_on_to_its_end() {
    use crate::domain::protocol::AttemptEnd;
    let mut console = Harness::new(80, 24);
    console.tell(running()).await;
    console.log.borrow_mut().clear();
    let task = TaskId::new(GoalId(1), name("one"));
    console.lose_terminal([
        Fact::AttemptEnded { attempt: AttemptId(1), end: AttemptEnd::Completed },
        Fact::TaskCompleted { task, attempt: AttemptId(1) },
    ]);
    console.hang_up().await;
    assert_eq!(console.ended(), Some(ConsoleExit::Detached));
    assert_eq!(console.sent(), ["end the session"]);
    assert_eq!(console.log.borrow().first(), Some(&Happened::Parted), "nothing is written to a dead terminal first");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_copied_clean() {
    use crate::domain::protocol::{AttemptOutput, Channel, Level, Outcome, Recipe, TurnId, TurnStarted};
    let mut console = Harness::new(80, 24);
    console.tell(running()).await;
    let task = TaskId::new(GoalId(1), name("one"));
    let turn = TurnId { attempt: AttemptId(1), turn: 1 };
    let text = "forty\x1b]0;evil\x07-two".to_owned();
    console
        .tell([
            Fact::TurnStarted(TurnStarted {
                turn,
                slot: 0,
                level: Level::Low,
                max_tokens: 9,
                recipe: Recipe::default(),
            }),
            Fact::AttemptOutput(AttemptOutput { turn, channel: Channel::Answer, text, tokens: 2 }),
            Fact::TaskCompleted { task: task.clone(), attempt: AttemptId(1) },
            Fact::GoalEnded { goal: GoalId(1), outcome: Outcome::Done, answer: Some(task) },
        ])
        .await;
    assert_eq!(console.ui().screen, crate::interface::tui::model::Screen::Done(GoalId(1)));
    console.keys("Y").await;
    let log = console.log.borrow();
    let copied = log.iter().find_map(|h| if let Happened::Clipboard(text) = h { Some(text.clone()) } else { None });
    let copied = copied.unwrap();
    assert!(copied.starts_with("forty") && !copied.contains('\x1b') && !copied.contains('\x07'), "{copied:?}");
}

fn asks(n: u32) -> Fact {
    let subject = crate::domain::protocol::Subject::Question(TaskId::new(GoalId(1), name(&format!("t{n}"))));
    Fact::AttentionRaised { subject, text: "what a \u{1b}]9;model\u{7} wrote".into() }
}

#[tokio::test(start_paused = true)]
async fn what_needs_you_stands_in_the_title_and_calls_only_from_another_window() {
    let mut console = Harness::new(80, 24);
    console.tell(goal()).await.tell([asks(1)]).await;
    let called = |console: &Harness| -> Vec<Happened> {
        console.log.borrow().iter().filter(|h| matches!(h, Happened::Called(..))).cloned().collect()
    };
    assert!(console.log.borrow().contains(&Happened::Title("baton ! 1 · Write it".into())));
    assert_eq!(called(&console), [], "somebody looks");
    console.event(Event::FocusLost).await.tell([asks(2)]).await;
    let words = "baton: an agent asks you something; 2 things need you".to_owned();
    assert_eq!(called(&console), [Happened::Called(super::Bell::Rings, Some(words))]);
    console.event(Event::FocusGained).await.tell([asks(3)]).await;
    assert_eq!(called(&console).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_nobody_has_says_so() {
    let mut console = Harness::new(120, 40);
    console.tell(goal()).await;
    console.keys("1=").await;
    assert!(console.screen().contains("= does nothing here; ? says what works"), "{}", console.screen());
}

#[tokio::test(start_paused = true)]
async fn what_a_search_finds_is_shown_and_kept_once_asked_for() {
    let mut harness = Harness::new(100, 40);
    let asked = Arc::new(std::sync::Mutex::new(0));
    let count = Arc::clone(&asked);
    let keeps: Keeps = Arc::new(move || {
        let mut asked = count.lock().unwrap();
        *asked += 1;
        match *asked {
            1 => Err(CleanText::from_static("/c/fleet.toml is there already")),
            _ => Ok(CleanText::from_static("/c/fleet.toml")),
        }
    });
    let search = harness.searches(keeps);
    let host = |asked, found: &[&str]| AskedHost {
        name: CleanText::from_static("mac.local"),
        asked,
        of: 2,
        found: found.iter().map(|words| CleanText::new(words)).collect(),
    };
    search.send_replace(Discovery { search: Search::Asking, hosts: vec![host(1, &[])], offer: Offer::None });
    harness.pass(20).await;
    assert!(
        harness.screen().contains("1 of 2 addresses") && harness.screen().contains("mac.local"),
        "{}",
        harness.screen()
    );
    let hosts = vec![host(2, &["Ollama qwen3"]), host(2, &[])];
    search.send_replace(Discovery { search: Search::Over, hosts, offer: Offer::Open });
    harness.tell([started()]).await;
    assert!(harness.screen().contains("Ollama qwen3") && harness.screen().contains("keeps it as a fleet file"));
    harness.keys("<tab>w").await;
    assert!(harness.screen().contains("is there already"), "{}", harness.screen());
    harness.keys("w").await;
    assert!(harness.screen().contains("Kept in /c/fleet.toml"), "{}", harness.screen());
    harness.keys("w").await;
    assert_eq!(*asked.lock().unwrap(), 2, "it is kept once");
    // A search that is gone tells nothing more, and nothing spins.
    drop(search);
    harness.keys("<tab>").await;
    assert_eq!(harness.ended(), None);
    assert!(harness.sent().is_empty());
}
