//! A walk through the whole console by key, paste and mouse, as a person makes it: every step is waited for on the
//! screen.
//!
//! Not here: what a screen looks like (the snapshots beside the views), how jobs and signals end (`main`). Invariant:
//! two agents stay at work and one asks until it is answered, so that no step depends on how fast the machine is.

use super::{CommandBuilder, Duration, ESC, Seen, Window};

/// Two tasks that last, two that wait for them, one that asks, one that is done at once.
const PLAN: &str = r#"version: 1
goal: Walk through the console
tasks:
  - {id: short, agent: researcher, level: low, title: Short note, prompt: "Say it. [sim thinking=0 ms=5 text=The short answer.]"}
  - {id: licence, agent: researcher, level: low, title: Choose the licence, prompt: "Choose. [sim ask=Keep the GPL ones?|keep them|drop them]"}
  - {id: grammar, agent: coder, level: medium, title: Derive the grammar, prompt: "Derive. [sim thinking=0 tokens=4000 ms=900000]"}
  - {id: survey, agent: researcher, level: low, title: Survey the parsers, prompt: "Survey. [sim thinking=0 tokens=4000 ms=900000]"}
  - {id: rank, agent: coder, level: medium, title: Rank the ways, needs: [grammar], prompt: "Rank. [sim thinking=0 ms=5]"}
  - {id: draft, agent: researcher, level: low, title: Draft the notes, needs: [rank, survey], prompt: "Draft. [sim thinking=0 ms=5]"}
"#;

/// A card takes no key for its first 300 ms.
const DEAF: Duration = Duration::from_millis(350);

impl Window {
    /// Those keys bring that text, which was not there before.
    fn shows(&self, keys: &str, text: &str) {
        self.look(|seen| assert!(!seen.text().contains(text), "{text} is there before {keys:?}:\n{}", seen.text()));
        self.type_keys(keys);
        self.until(&format!("{text} after {keys:?}"), |seen| seen.text().contains(text));
    }

    /// Those keys take that text away, which was there.
    fn hides(&self, keys: &str, text: &str) {
        self.look(|seen| assert!(seen.text().contains(text), "{text} is not there before {keys:?}:\n{}", seen.text()));
        self.type_keys(keys);
        self.until(&format!("no {text} after {keys:?}"), |seen| !seen.text().contains(text));
    }

    /// The same for a card, which does not listen at once.
    fn answers(&self, keys: &str, text: &str) {
        std::thread::sleep(DEAF);
        self.hides(keys, text);
    }

    /// Waits for a row of the screen with all these words.
    fn until_row(&self, what: &str, words: &[&str]) {
        let has = |row: &str| words.iter().all(|w| row.contains(w));
        self.until(&format!("{words:?} in one row after {what:?}"), |seen| seen.text().lines().any(has));
    }

    /// Those keys move the list's cursor to that task.
    fn selects(&self, keys: &str, title: &str) {
        self.type_keys(keys);
        self.until_row(keys, &["❯", title]);
    }

    /// Where that text stands: column and row, from 1, as the mouse counts.
    fn place(&self, text: &str) -> (usize, usize) {
        self.look(|seen| {
            let (rows, columns) = seen.parser.screen().size();
            let text: Vec<String> = text.chars().map(String::from).collect();
            let cell = |row, column| seen.parser.screen().cell(row, column).map_or("", vt100::Cell::contents);
            let length = u16::try_from(text.len()).unwrap();
            let found = (0..rows).flat_map(|row| (0..columns.saturating_sub(length)).map(move |column| (column, row)));
            let mut at = found.filter(|(column, row)| (0..).zip(&text).all(|(i, sign)| cell(*row, column + i) == sign));
            let (column, row) = at.next().unwrap_or_else(|| panic!("{text:?} is not on\n{}", seen.text()));
            (usize::from(column) + 1, usize::from(row) + 1)
        })
    }

    /// Another size, drawn anew, with that text.
    fn resizes(&self, columns: u16, rows: u16, text: &str) {
        let before = self.look(|seen| seen.raw.len());
        self.resize(columns, rows);
        self.until(&format!("{text} at {columns}×{rows}"), |seen| {
            String::from_utf8_lossy(&seen.raw[before..]).contains("\x1b[2J") && seen.text().contains(text)
        });
        self.until_frame();
    }

    /// Waits for the end of what is being drawn.
    fn until_frame(&self) {
        self.until("a whole frame", |seen| seen.raw.ends_with(b"\x1b[?2026l"));
    }
}

/// What a terminal sends for the mouse: a button or a wheel, there, down or up.
fn mouse(button: u8, (column, row): (usize, usize), end: char) -> String {
    format!("{ESC}[<{button};{column};{row}{end}")
}

fn click(at: (usize, usize)) -> String {
    mouse(0, at, 'M') + &mouse(0, at, 'm')
}

fn paste(text: &str) -> String {
    format!("{ESC}[200~{text}{ESC}[201~")
}

/// Window of the plan, two agents at work and one question open.
fn start() -> Window {
    let window = Window::with_files(&["run", "plan.yaml"], &[("plan.yaml", PLAN)]);
    window.resizes(120, 40, "● running");
    window.until_text("1 needs you");
    window.until_row("the start", &["●", "Derive the grammar", "Qwen"]);
    window.until_row("the start", &["●", "Survey the parsers", "Athene"]);
    window
}

/// Leaves with the card: what runs is stopped.
fn leave(mut window: Window) {
    window.shows("q", "stop all and quit");
    std::thread::sleep(DEAF);
    window.type_keys("x");
    assert_eq!(window.ends(), 0);
    assert_eq!(window.last_record(), "session.ended");
}

#[test]
fn a_walk_over_the_run_screen_and_its_verbs() {
    let window = start();
    window.selects("g", "tasks");
    window.selects("jjj", "Derive the grammar");
    window.selects("j", "Survey the parsers");
    window.selects("k", "Derive the grammar");
    // Marks, a range, the order, a filter.
    window.shows(" ", "1 marked");
    window.hides(ESC, "1 marked");
    window.shows("vj", "2 marked");
    window.hides(ESC, "2 marked");
    window.selects("k", "Derive the grammar");
    window.shows("o", "· by ");
    while window.look(|seen| seen.text().contains("· by ")) {
        let now = window.look(Seen::text).lines().find(|l| l.contains("· by ")).map(str::to_owned).unwrap();
        window.type_keys("o");
        window.until("the next order", |seen| !seen.text().contains(&now[..now.find("─┐").unwrap_or(40)]));
    }
    window.shows("/gram", "1 of 7");
    window.hides(ESC, "1 of 7");
    window.shows(":nothing of the kind", "nothing is called so");
    window.hides(ESC, "nothing is called so");
    // One pane, grids, a pin.
    window.hides("z", "─ Why ─");
    window.shows("z", "─ Why ─");
    window.shows("Z", "grid: ");
    window.shows("w", "pinned: Derive the grammar");
    window.shows("\t", "f follow");
    window.hides("\x1b[Z", "f follow");
    // A message keeps its draft.
    window.shows("i", "To the agent of");
    window.shows("Look at heredocs", "Look at heredocs");
    window.hides(ESC, "To the agent of");
    window.shows("i", "Look at heredocs");
    window.hides("\r", "To the agent of");
    window.until_text("message queued for its next turn");
    // Level, hold and release.
    window.shows("t", "level high from its next request");
    window.shows("T", "level of the session: ");
    window.shows("p", "p release ");
    window.hides("p", "p release ");
    // Cards: what is asked is not done by esc.
    window.shows("r", "Stop it and start over");
    window.answers(ESC, "Stop it and start over");
    window.shows("x", "Stop this task");
    window.answers(ESC, "Stop this task");
    window.until_row("esc", &["❯", "●", "Derive the grammar"]);
    window.shows("u", "there is no edit of yours to undo");
    window.shows("U", "there is nothing undone of yours");
    assert!(!window.journal().contains("attempt.stopped") && !window.journal().contains("task.cancelled"));
    assert!(window.journal().contains("Look at heredocs"), "the message is in the journal");
    leave(window);
}

#[test]
fn a_walk_through_the_editors_of_a_plan() {
    let window = start();
    window.selects("gjjj", "Derive the grammar");
    let edits = window.journal().matches("plan.edited").count();
    window.shows("E", "Plan of g1");
    window.shows("zzz", "this is not YAML");
    window.shows("\x13", "· 3:1 of ");
    window.hides("\x1f\x1f\x1f", "this is not YAML");
    window.shows("# ", "changed");
    window.shows(ESC, "Leave this text");
    window.answers(ESC, "Leave this text");
    window.shows(ESC, "Leave this text");
    window.answers("t", "Leave this text");
    window.until("the editor's end", |seen| !seen.text().contains("Plan of g1"));
    window.shows("e", "Task grammar");
    window.shows(" Then stop.", "changed");
    window.shows("\x13", "What this edit of g1 does");
    window.hides(ESC, "What this edit of g1 does");
    window.shows(ESC, "Leave this text");
    window.answers(ESC, "Leave this text");
    window.shows(ESC, "Leave this text");
    window.answers("t", "Leave this text");
    window.until_text("❯ ● Derive the grammar");
    window.shows("c", "A new task");
    window.shows("Count the rules", "changed");
    window.resizes(60, 20, "A new task");
    window.resizes(80, 24, "Count the rules");
    window.resizes(120, 40, "Count the rules");
    window.shows(ESC, "Leave this text");
    window.answers("t", "Leave this text");
    window.shows("D", "What this edit of g1 does");
    window.hides(ESC, "What this edit of g1 does");
    assert_eq!(window.journal().matches("plan.edited").count(), edits, "nothing was saved");
    leave(window);
}

#[test]
fn a_walk_through_graph_events_attention_and_the_answer() {
    let window = start();
    window.selects("gjjj", "Derive the grammar");
    window.shows("2", "Graph 7 · ");
    window.shows("o", "· rails");
    window.shows("o", "neighbourhood of");
    window.shows("o", "· drawing");
    window.shows("/gram", "filter: gram");
    window.hides(ESC, "filter: gram");
    window.shows("\r", "[output]");
    window.shows("\t", "[thinking]");
    window.hides(ESC, "[thinking]");
    window.shows("d", "no two attempts to compare");
    for (columns, rows) in [(60, 20), (200, 60), (80, 24), (120, 40)] {
        window.resizes(columns, rows, "Graph 7");
    }
    window.shows("5", "─ Events ");
    window.shows("/\u{15}event:task.*", "filter: event:task.*");
    window.type_keys("\r");
    window.until_text("task.asked");
    window.shows("o", "─ Spans ");
    window.hides("o", "─ Spans ");
    for (columns, rows) in [(60, 20), (200, 60), (80, 24), (120, 40)] {
        window.resizes(columns, rows, "Events ");
    }
    window.shows("!", "What needs you");
    window.shows("a", "Choose the licence asks");
    std::thread::sleep(DEAF);
    window.hides("1", "Choose the licence asks");
    window.until_text("Nothing needs you any more");
    window.hides(ESC, "Nothing needs you any more");
    window.shows("1", "─ Why ─");
    window.until("the answered task's end", |seen| seen.text().contains("2/7"));
    assert!(window.journal().contains("keep them"), "the answer is in the journal");
    leave(window);
}

#[test]
fn a_walk_through_palette_help_themes_paste_and_mouse() {
    let window = start();
    window.selects("gjjj", "Derive the grammar");
    window.shows(":level", "level AGENT low|medium|high");
    window.hides(" coder low\r", "╭ Commands");
    window.until_text("coder");
    window.shows("?", "What works here");
    for (columns, rows) in [(60, 20), (200, 60), (80, 24), (120, 40)] {
        window.resizes(columns, rows, "What works here");
    }
    window.hides("?", "What works here");
    let colours = |seen: &Seen| format!("{:?}", seen.parser.screen().cell(1, 1).map(|c| (c.fgcolor(), c.bgcolor())));
    let before = window.look(colours);
    window.shows(":choose a theme", "choose a theme");
    window.shows("\r", "╭ Themes");
    let mut last = before.clone();
    window.type_keys("j");
    window.until("a preview of the theme", |seen| {
        last = colours(seen);
        last != before
    });
    window.hides(ESC, "╭ Themes");
    window.until("the theme as it was", |seen| colours(seen) == before);
    // A paste is for text fields.
    window.shows(&paste("x\nq\n"), "paste");
    window.shows("i", "To the agent of");
    window.shows(&paste("two\nlines"), "lines");
    window.hides(ESC, "To the agent of");
    // The mouse: a row, a screen's name, the wheel, a border.
    let row = window.place("Survey the parsers");
    window.type_keys(&click(row));
    window.until_row("a click", &["❯", "Survey the parsers"]);
    window.type_keys(&mouse(65, row, 'M'));
    window.type_keys(&mouse(64, row, 'M'));
    let (column, row) = window.place("┐┌─");
    let from = (column, row + 8);
    window.type_keys(&(mouse(0, from, 'M') + &mouse(32, (column + 5, from.1), 'M')));
    window.type_keys(&(mouse(32, (column + 9, from.1), 'M') + &mouse(0, (column + 9, from.1), 'm')));
    window.until("a wider list", |seen| {
        let line = seen.text().lines().find(|l| l.contains("─ Tasks")).unwrap_or_default().to_owned();
        line.chars().position(|c| c == '┐').is_some_and(|at| at + 1 >= column + 8)
    });
    window.type_keys(&click(window.place("5 Events")));
    window.until_text("─ Events ");
    window.type_keys(&click(window.place("1 Run")));
    window.until_text("─ Why ─");
    leave(window);
}

/// The texts of some quiet screens, and whether every colour on them passes.
fn quiet_screens(terminal: &[(&str, &str)], fits: impl Fn(vt100::Color) -> bool) -> Vec<String> {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_baton"));
    command.args(["--fleet", "sim"]);
    let mut window = Window::open_in(command, &[], terminal);
    window.until_text("of 5 answer");
    let mut texts = Vec::new();
    let mut take = |window: &Window| {
        window.until_frame();
        texts.push(window.look(|seen| {
            let (rows, columns) = seen.parser.screen().size();
            let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
            for cell in places.filter_map(|(row, column)| seen.parser.screen().cell(row, column)) {
                let colours = [cell.fgcolor(), cell.bgcolor()];
                assert!(colours.into_iter().all(&fits), "{terminal:?}: {colours:?} of {}", cell.contents());
            }
            // The first lines have the time of day and the memory of the machine.
            seen.text().lines().skip(2).map(str::trim_end).collect::<Vec<_>>().join("\n")
        }));
    };
    window.until_text("5 of 5 answer");
    window.until_text("f1 help");
    take(&window);
    window.shows("\x1bOP", "What works here");
    take(&window);
    window.hides("\x1bOP", "What works here");
    window.shows("\x10", "╭ Commands");
    window.shows("theme", ": theme");
    take(&window);
    window.hides(ESC, "╭ Commands");
    window.type_keys("\x03");
    assert_eq!(window.ends(), 0);
    texts
}

#[test]
fn what_is_written_is_the_same_in_every_number_of_colours() {
    use vt100::Color::{Default, Idx};
    let many = quiet_screens(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], |_| true);
    let sixteen = quiet_screens(&[("TERM", "xterm")], |c| matches!(c, Default | Idx(0..16)));
    let none = quiet_screens(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], |c| c == Default);
    assert_eq!(many, sixteen);
    assert_eq!(many, none);
}
