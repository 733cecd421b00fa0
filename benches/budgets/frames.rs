//! Frames of the Run screen: how long one takes, and what it costs the line to the terminal.
//!
//! A frame is all that the console does for it: a batch of records applied to the state and the texts, the whole screen
//! drawn, the difference to the last one turned into the bytes that a terminal gets. Nothing is written anywhere. Times
//! are CPU times.

use std::sync::Arc;

use baton::domain::fleet::SessionConfig;
use baton::domain::plan::{PlanEdit, TaskSpec};
use baton::domain::protocol::{
    AttemptId, AttemptOutput, AttemptStarted, Author, Channel, EditKind, EndpointChanged, Event, GoalAdded, GoalId,
    GoalOptions, Health, Level, LevelSupport, MachineSampled, Micros, Name, PlanEdited, Recipe, Record, Route,
    SessionStarted, TaskId, TurnId, TurnStarted, Work,
};
use baton::domain::state::State;
use baton::interface::tui::action::{Action, Keymap};
use baton::interface::tui::model::{Screen, Ui};
use baton::interface::tui::scene::{Scene, Transcripts};
use baton::interface::tui::theme::{Depth, GlyphSet, Theme, Themes};
use baton::interface::tui::view::{self, Caches};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::Report;

const STREAMS: u16 = 20;
/// Thirty frames a second.
const FRAME: Micros = Micros(33_333);
/// Text is gathered this long before it is a record.
const GATHERED: Micros = Micros::from_millis(50);
/// Tokens of one record: 100 a second.
const TOKENS: u32 = 5;
/// Bytes of English a token has.
const BYTES_A_TOKEN: usize = 4;
const FRAMES: usize = 400;
const SIZE: Rect = Rect { x: 0, y: 0, width: 200, height: 60 };

/// What models write: headings, lists, bold words, code.
pub(crate) const TEXT: &str = "## Reading the samples\n\nThe **lexer** reads one token ahead, so `expr` is unambiguous: most \
faults sit on that line, not on either side of it. What follows names them in the order in which they were met, with \
the sample's number.\n\n- **Left recursion** is gone; precedence follows the nesting.\n- `ident` also covers wide \
names, of which 37 samples make use.\n- The heredoc samples still fail, because the lexer gives up early.\n\n```rust\n\
let table: [u16; 256] = widen(&OLD); // was u8\nfor sample in samples {\n    check(sample)?;\n}\n```\n\n1. Measure \
first, then change one thing.\n2. Say what was not looked at.\n\n";

/// A session made of records, drawn as the console draws it.
struct Console {
    state: State,
    transcripts: Transcripts,
    ui: Ui,
    keymap: Keymap,
    theme: Theme,
    caches: Caches,
    last: Buffer,
    out: Vec<u8>,
    seq: u64,
    now: Micros,
    said: Vec<usize>,
    due: Vec<Micros>,
    /// Tokens of one record of a stream.
    tokens: u32,
}

impl Console {
    /// `tasks` tasks of which [`STREAMS`] run.
    fn new(tasks: usize) -> Self {
        let (theme, _) = Themes::default().load("midnight", Depth::True, GlyphSet::Unicode);
        let mut ui = Ui::default();
        ui.screen = Screen::Run;
        let mut console = Self {
            state: State::default(),
            transcripts: Transcripts::default(),
            ui,
            keymap: Keymap::default(),
            theme,
            caches: Caches::default(),
            last: Buffer::empty(SIZE),
            out: Vec::new(),
            seq: 0,
            now: Micros::from_secs(1),
            said: Vec::new(),
            due: Vec::new(),
            tokens: TOKENS,
        };
        let mut config = SessionConfig::default();
        config.fleet.endpoints = vec![
            serde_json::from_value(serde_json::json!({
                "name": "mini", "tiers": ["small"], "protocol": "llama.cpp", "url": "http://mini:1", "model": "m",
                "slots": STREAMS, "context": 16384, "tokens_per_second": 100.0, "memory_gb": 8.0,
            }))
            .unwrap(),
        ];
        config.fleet.agents = vec![
            serde_json::from_value(serde_json::json!({
                "name": "tester", "description": "d", "tier": "small", "prompt": "p",
            }))
            .unwrap(),
        ];
        console.push(Event::SessionStarted(Box::new(SessionStarted { session: Name::slug("bench"), config })));
        console.push(Event::EndpointChanged(Box::new(EndpointChanged {
            level: LevelSupport::Graded,
            ..EndpointChanged::of(Name::slug("mini"), Health::Up)
        })));
        console.push(Event::MachineSampled(Box::new(MachineSampled {
            total: 64_000_000_000,
            used: 12_000_000_000,
            swap: 0,
            ..MachineSampled::default()
        })));
        let goal = GoalId(1);
        let options = GoalOptions::default();
        console.push(Event::GoalAdded(GoalAdded { goal, text: "Read the samples".into(), options }));
        let id = |i: usize| Name::slug(&format!("t{i}"));
        let edits = (0..tasks).map(|i| {
            let mut spec = TaskSpec::new(id(i), Name::slug("tester"), "Read the group and say what is in it.");
            spec.title = Some(format!("Read sample group {}", i + 1));
            spec.phase = Some(format!("phase {}", i / 100 + 1));
            spec.needs = (i >= 100).then(|| id(i - 100)).into_iter().collect();
            PlanEdit::Add(Box::new(spec))
        });
        let edits = edits.collect();
        console.push(Event::PlanEdited(PlanEdited {
            goal,
            revision: 1,
            author: Author::Baton,
            edits,
            work: Work::Ordinary,
            repairs: Vec::new(),
            kind: EditKind::New,
        }));
        console.push(Event::GoalApproved { goal });
        for i in 0..STREAMS {
            let task = TaskId::new(goal, id(usize::from(i)));
            let attempt = AttemptId(u64::from(i) + 1);
            console.push(Event::TaskStarted { task: task.clone() });
            console.push(Event::AttemptStarted(AttemptStarted {
                attempt,
                task,
                version: 1,
                agent: Name::slug("tester"),
                endpoint: Name::slug("mini"),
                route: Route::Primary,
            }));
            let turn = TurnId { attempt, turn: 1 };
            let recipe = Recipe::default();
            let level = Level::Medium;
            console.push(Event::TurnStarted(TurnStarted { turn, slot: i, level, max_tokens: 8192, recipe }));
            // Streams begin at different places and moments.
            console.said.push(usize::from(i) * 97);
            console.due.push(console.now.plus(Micros(u64::from(i) * 2_400)));
        }
        console
    }

    fn push(&mut self, event: Event) {
        self.seq += 1;
        let record = Arc::new(Record { seq: self.seq, at: self.now, event });
        self.take(&record);
    }

    fn take(&mut self, record: &Arc<Record>) {
        self.state.apply(record);
        self.transcripts.apply(record);
        self.ui.observe(&self.state, record);
    }

    /// The records of all streams until now. Made before the frame is timed: the engine makes them.
    fn batch(&mut self) -> Vec<Arc<Record>> {
        let mut records = Vec::new();
        for stream in 0..self.due.len() {
            while self.due[stream] <= self.now {
                self.due[stream] = self.due[stream].plus(GATHERED);
                let text = words(&mut self.said[stream], self.tokens as usize * BYTES_A_TOKEN);
                let turn = TurnId { attempt: AttemptId(stream as u64 + 1), turn: 1 };
                let output = AttemptOutput { turn, channel: Channel::Answer, text, tokens: self.tokens };
                self.seq += 1;
                let event = Event::AttemptOutput(output);
                records.push(Arc::new(Record { seq: self.seq, at: self.now, event }));
            }
        }
        records
    }

    /// One frame with its records; milliseconds of CPU time.
    fn frame(&mut self) -> f64 {
        self.now = self.now.plus(FRAME);
        let records = self.batch();
        let begun = clock();
        for record in &records {
            self.take(record);
        }
        let mut buf = Buffer::empty(SIZE);
        self.ui.run.tick(&self.state, self.now, view::body(SIZE));
        let scene = Scene {
            state: &self.state,
            transcripts: &self.transcripts,
            ui: &self.ui,
            theme: &self.theme,
            now: self.now,
        };
        let drawn = view::render(&scene, &self.keymap, &mut self.caches, SIZE, &mut buf);
        self.ui.run.drawn(drawn);
        self.out.clear();
        let mut backend = CrosstermBackend::new(&mut self.out);
        backend.draw(self.last.diff(&buf).into_iter()).unwrap();
        self.last = buf;
        (clock() - begun) * 1e3
    }

    /// Frames until no pane wants another one by itself; their times.
    fn until_idle(&mut self) -> Vec<f64> {
        let mut times = vec![self.frame()];
        while self.ui.run.deadline().is_some_and(|at| at.since(self.now) < Micros::from_secs(1)) {
            times.push(self.frame());
        }
        times
    }

    fn act(&mut self, action: Action) {
        let _ = self.ui.run.update(action, &self.state, self.now);
    }
}

/// Seconds of CPU time of this thread: what else the machine does is not counted.
pub(crate) fn clock() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// The next words of a stream that has said `said` bytes.
fn words(said: &mut usize, bytes: usize) -> String {
    let from = *said % TEXT.len();
    *said += bytes;
    TEXT.bytes().cycle().skip(from).take(bytes).map(char::from).collect()
}

fn p99(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

pub(crate) fn frames(report: &mut Report) {
    if !report.wants("frame") {
        return;
    }
    let mut console = Console::new(60);
    console.frame();
    let (mut times, mut bytes) = (Vec::new(), 0usize);
    for _ in 0..FRAMES {
        times.push(console.frame());
        bytes += console.out.len();
    }
    let panes = console.ui.run.panes.list.iter().flatten().count();
    assert_eq!(panes, usize::from(STREAMS), "all streams are on the screen");
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    report.at_most("frame at 200×60 with 20 streaming panes, p99", p99(&mut times), 4.0, "ms");
    println!("     mean {mean:.2} ms, worst {:.2} ms", times.last().copied().unwrap_or_default());
    let seconds = FRAMES as f64 * FRAME.0 as f64 / 1e6;
    report.at_most("frame: bytes to the terminal at 20 × 100 tok/s", bytes as f64 / seconds / 1e3, 80.0, "kB/s");

    let mean = times.iter().sum::<f64>() / times.len() as f64;
    let share = mean / (FRAME.0 as f64 / 1e3) * 100.0;
    report.at_most("frame: CPU of the console at 20 × 100 tok/s", share, 15.0, "% core");

    keys(report);
    scrolling(report);
    million(report);
    ten_thousand();
}

/// A key while 20 streams of 200 tokens a second come: what waits is applied, the key is met, the frame drawn.
fn keys(report: &mut Report) {
    let mut console = Console::new(60);
    console.tokens = 2 * TOKENS;
    console.frame();
    let keys = [Action::Down, Action::NextPane, Action::PageUp, Action::Up, Action::Follow, Action::Zoom, Action::Zoom];
    let mut times = Vec::new();
    for key in keys.into_iter().cycle().take(FRAMES) {
        let begun = clock();
        console.act(key);
        let met = (clock() - begun) * 1e3;
        times.push(met + console.frame());
    }
    report.at_most("frame: key to frame at 20 × 200 tok/s, p99", p99(&mut times), 20.0, "ms");
}

/// Lines of the longest answer that is scrolled and searched.
const LINES: usize = 1_000_000;

/// A zoomed pane of a million lines: read, scrolled, made narrower, searched.
fn million(report: &mut Report) {
    let mut console = Console::new(60);
    let turn = TurnId { attempt: AttemptId(1), turn: 1 };
    let mut text = String::new();
    for n in 0..LINES {
        text.push_str(if n % 20 == 0 { "- token here\n" } else { "- line of text\n" });
        if text.len() >= 4096 || n + 1 == LINES {
            let text = std::mem::take(&mut text);
            let output = AttemptOutput { turn, channel: Channel::Answer, text, tokens: 1 };
            console.push(Event::AttemptOutput(output));
        }
    }
    console.frame();
    console.act(Action::NextPane);
    console.act(Action::Zoom);
    let mut times = console.until_idle();
    let (frames, worst) = (times.len(), p99(&mut times));
    println!(
        "     a million lines are read in {frames} frames, median {:.2} ms, worst {worst:.2} ms",
        times[frames / 2]
    );
    let mut times = Vec::new();
    for i in 0..400 {
        let key = match i % 100 {
            0 => Action::First,
            50 => Action::Follow,
            n if n < 50 => Action::PageDown,
            _ => Action::PageUp,
        };
        console.act(key);
        times.push(console.frame());
    }
    report.at_most("frame: scrolling 1,000,000 lines, p99", p99(&mut times), 5.0, "ms");
    console.ui.run.set_find("token");
    let mut times = console.until_idle();
    for i in 0..200 {
        console.act(if i < 100 { Action::PreviousMatch } else { Action::NextMatch });
        times.push(console.frame());
    }
    let count = console.ui.run.found().map_or(0, |found| found.count);
    // What the stream says meanwhile has the word now and then.
    assert!((LINES / 20..LINES / 20 + 500).contains(&count), "each match is counted: {count}");
    report.at_most("frame: searching 1,000,000 lines, p99", p99(&mut times), 5.0, "ms");
}

/// A console that one answer of 10,000,000 tokens has come to, drawn meanwhile as a live one is.
pub(crate) fn endless() -> impl Sized {
    let mut console = Console::new(60);
    console.due.clear();
    let turn = TurnId { attempt: AttemptId(1), turn: 1 };
    // As a fast server's pieces are coalesced.
    let text = "word ".repeat(800);
    for n in 0..12_500 {
        let output = AttemptOutput { turn, channel: Channel::Answer, text: text.clone(), tokens: 800 };
        console.push(Event::AttemptOutput(output));
        if n % 32 == 0 {
            console.frame();
        }
    }
    console
}

/// A zoomed pane of one long answer, scrolled a page a frame while all streams go on.
fn scrolling(report: &mut Report) {
    let mut console = Console::new(60);
    let turn = TurnId { attempt: AttemptId(1), turn: 1 };
    for _ in 0..400 {
        console.push(Event::AttemptOutput(AttemptOutput {
            turn,
            channel: Channel::Answer,
            text: TEXT.into(),
            tokens: 200,
        }));
    }
    console.frame();
    console.act(Action::NextPane);
    console.act(Action::Zoom);
    console.frame();
    let mut times = Vec::new();
    for i in 0..200 {
        console.act(if i % 100 < 50 { Action::PageUp } else { Action::PageDown });
        times.push(console.frame());
    }
    report.at_most("frame: a page scrolled in an answer of 300 kB, p99", p99(&mut times), 4.0, "ms");
}

/// The tree of a great plan; its estimates are worked out once a second, which is the worst frame.
fn ten_thousand() {
    let mut console = Console::new(10_000);
    console.frame();
    let mut times: Vec<f64> = (0..120).map(|_| console.frame()).collect();
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    times.sort_by(f64::total_cmp);
    println!(
        "     frame with 10,000 tasks: mean {mean:.2} ms, middle {:.2} ms, worst {:.2} ms (once a second)",
        times[times.len() / 2],
        times[times.len() - 1]
    );
}
