//! The header: screens and session on the first line, the state on the second; on low terminals the state alone.
//!
//! Not here: notice and key line. The state line gives up, in this order: tok/s, that the machine is kept awake, times faster,
//! memory detail, bar, remaining. Never: state, done/total, slots, what needs the operator, the badges.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::domain::protocol::{Outcome, Pressure, Role, Vigil};
use crate::domain::state::{Gear, GoalPhase, State};
use crate::domain::text::CleanText;
use crate::domain::text::width::width;
use crate::interface::tui::action::Action;
use crate::interface::tui::model::Screen;
use crate::interface::tui::model::control::Control;
use crate::interface::tui::model::run::figures::Figures;
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::model::time::Kind;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, GlyphSet, Slot};
use crate::interface::tui::view::page;
use crate::interface::tui::widget::bar::filled;
use crate::interface::tui::widget::figure::{clock, gigabytes, seconds_clock};
use crate::interface::tui::widget::pen::{Pen, put_right};

/// Screens after the first, whose name is that of what it shows.
const SCREENS: [&str; 5] = ["Graph", "Fleet", "Time", "Events", "Sessions"];

/// The most cells of a project's name: more of it says no more.
const PROJECT_CELLS: usize = 20;

/// Lines the header has on a terminal of `rows` rows.
pub const fn height(rows: u16) -> u16 {
    match rows {
        0..4 => 0,
        4..30 => 1,
        _ => 2,
    }
}

/// Draws the header into `area`, one line or two.
pub fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    buf.set_style(area, scene.theme.style(Slot::Text));
    match area.height {
        0 => {}
        1 => state_line(scene, area, area.y, buf),
        _ => {
            screens(scene, area, buf);
            state_line(scene, area, area.y + 1, buf);
        }
    }
}

/// The name of screen 1 at this moment.
fn first(scene: &Scene<'_>) -> &'static str {
    match scene.ui.screen {
        Screen::Welcome => "Goal",
        Screen::Review(_) => "Plan",
        Screen::Done(_) => "Answer",
        Screen::Run | Screen::Graph | Screen::Time | Screen::Events | Screen::Sessions | Screen::Fleet => "Run",
    }
}

fn screens(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let end = area.right().saturating_sub(1);
    let shown = match scene.ui.screen {
        Screen::Time => 3,
        Screen::Events => 4,
        Screen::Sessions => 5,
        Screen::Graph => 1,
        Screen::Fleet => 2,
        _ => 0,
    };
    let names: Vec<&str> = std::iter::once(first(scene)).chain(SCREENS).collect();
    let cells: usize = names.iter().map(|s| s.len() + 4).sum::<usize>() + 8;
    let right = right(scene, usize::from(area.width).saturating_sub(cells + 6));
    let wide = usize::from(area.width) >= cells + width(&right) + 4;
    let mut pen = Pen::new(buf, area.x + 1, area.y, end);
    pen.put("baton", theme.style(Slot::Brand)).gap(2);
    for (i, name) in (0_u8..).zip(names) {
        let x = pen.x;
        if usize::from(i) == shown {
            pen.put(&format!("[{} {name}]", i + 1), theme.style(Slot::Brand)).gap(1);
        } else if wide || pen.room() > width(&right) + name.len() + 6 {
            pen.put(&(i + 1).to_string(), theme.style(Slot::Key)).gap(1).put(name, theme.style(Slot::KeyHint)).gap(2);
        } else {
            continue;
        }
        let place = Rect { x, y: area.y, width: pen.x.saturating_sub(x + 1), height: 1 };
        scene.ui.spots.add(place, Spot::Press(Action::Screen(i + 1)));
    }
    let left = pen.x;
    put_right(buf, left, area.y, end, &right, theme.style(Slot::Dim));
}

/// The goal, the session's short name, the fleet or the project that brought it, in `cells`: the goal is cut first, then
/// left out.
fn right(scene: &Scene<'_>, cells: usize) -> String {
    let theme = scene.theme;
    let dot = format!(" {} ", theme.glyph(Glyph::Dot));
    let session = scene.state.session.as_ref().map_or("", |s| s.as_str());
    let fleet = scene.state.config.fleet.name.as_str();
    let mut parts = Vec::new();
    if !session.is_empty() {
        parts.push(short(session));
    }
    // Where a project's servers are used, whose they are says more than the fleet's name.
    match &scene.state.config.project {
        Some(project) => parts.push(format!("project {}", theme.cut(project, PROJECT_CELLS))),
        None if fleet.is_empty() => {}
        None => parts.push(format!("fleet {fleet}")),
    }
    match scene.ui.control(scene.state) {
        Control::Alone => {}
        Control::Yours => parts.push("control: you".to_owned()),
        Control::Free => parts.push("control: nobody".to_owned()),
        Control::Of(name) => parts.push(format!("control: {}", theme.cut(&name, 16))),
    }
    // What says least gives way: the screens' names stand before it.
    let wide = |parts: &[String]| width(&parts.join(&dot)) > cells;
    if scene.state.viewers.len() > 1 {
        parts.push(format!("{} watch", scene.state.viewers.len()));
        if wide(&parts) && parts.len() > 3 && scene.state.config.project.is_none() {
            parts.remove(1);
        }
    }
    let tail = parts.join(&dot);
    let goal = goal(scene);
    let room = cells.saturating_sub(width(&tail) + dot.len());
    // A few letters of a goal say nothing.
    if goal.is_empty() || room < 12 {
        return tail;
    }
    [theme.cut(&goal, room.min(60)), tail].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(&dot)
}

/// The goal that the screen is about, on one line; empty while there is none.
pub(super) fn goal(scene: &Scene<'_>) -> CleanText {
    let id = match scene.ui.screen {
        Screen::Review(goal) | Screen::Done(goal) => Some(goal),
        _ => Figures::goal(scene.state),
    };
    let goal = id.and_then(|id| scene.state.goal(id));
    goal.map_or_else(CleanText::default, |g| CleanText::one_line(&g.text))
}

/// A session's name as people say it: of a name that is a time, `20260731-160717`, the time of day.
fn short(session: &str) -> String {
    let digits = |s: &&str| s.bytes().all(|b| b.is_ascii_digit());
    let time = || {
        let (date, time) = session.split_once('-')?;
        let time = time.get(..6).filter(digits).filter(|_| date.len() == 8 && digits(&date))?;
        Some(format!("{}:{}", time.get(..2)?, time.get(2..4)?))
    };
    time().unwrap_or_else(|| session.to_owned())
}

/// What the state line may give up: the least is given up first. Before anything but the rate goes, all fields that
/// have a shorter form take it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Keep {
    Rate,
    Awake,
    Times,
    Memory,
    Bar,
    Remaining,
    Elapsed,
    Always,
}

struct Field {
    text: String,
    style: Style,
    keep: Keep,
    /// Written instead where it is narrow.
    short: Option<String>,
    /// Written instead where nothing else can be given up.
    least: Option<String>,
}

fn state_line(scene: &Scene<'_>, area: Rect, y: u16, buf: &mut Buffer) {
    let theme = scene.theme;
    let needs = scene.state.attention.len();
    let mut right: Vec<(String, Style)> = Vec::new();
    if needs > 0 {
        let verb = if needs == 1 { "needs" } else { "need" };
        right.push((format!("! {needs} {verb} you"), theme.style(Slot::Attention)));
    }
    let mut right_cells: usize = right.iter().map(|(t, _)| width(t) + 1).sum();
    let mut fields = fields(scene, area.height);
    let mut room = usize::from(area.width).saturating_sub(2 + right_cells);
    if cells(&fields) > room {
        fields.retain(|f| f.keep != Keep::Rate);
    }
    if cells(&fields) > room {
        for field in &mut fields {
            if let Some(short) = field.short.take() {
                field.text = short;
            }
        }
    }
    while cells(&fields) > room {
        let least = fields.iter().enumerate().filter(|(_, f)| f.keep != Keep::Always).min_by_key(|(_, f)| f.keep);
        let Some((at, _)) = least else { break };
        fields.remove(at);
    }
    // Very narrow: signs stand for words; a figure stands whole or not at all.
    if cells(&fields) > room {
        for field in &mut fields {
            if let Some(least) = field.least.take() {
                field.text = least;
            }
        }
        for (text, _) in &mut right {
            *text = format!("! {needs}");
        }
        right_cells = right.iter().map(|(t, _)| width(t) + 1).sum();
        room = usize::from(area.width).saturating_sub(2 + right_cells);
        while cells(&fields) > room && fields.pop().is_some() {}
    }
    let gap = if cells(&fields) + fields.len() <= room { 3 } else { 2 };
    let end = area.right();
    let mut pen = Pen::new(buf, area.x + 1, y, end.saturating_sub(right_cells as u16));
    for field in &fields {
        pen.put(&field.text, field.style).gap(gap);
    }
    let mut x = end.saturating_sub(right_cells as u16);
    for (text, style) in right {
        Pen::new(buf, x, y, end).put(&text, style);
        let place = Rect { x, y, width: width(&text) as u16, height: 1 };
        scene.ui.spots.add(place, Spot::Press(Action::Attention));
        x = x.saturating_add(width(&text) as u16 + 1);
    }
}

fn cells(fields: &[Field]) -> usize {
    fields.iter().map(|f| width(&f.text)).sum::<usize>() + fields.len().saturating_sub(1) * 2
}

fn fields(scene: &Scene<'_>, lines: u16) -> Vec<Field> {
    let (state, theme) = (scene.state, scene.theme);
    let figures = scene.ui.run.figures();
    let mut out = Vec::new();
    let field =
        |text: String, slot: Slot, keep: Keep| Field { text, style: theme.style(slot), keep, short: None, least: None };
    let badge = |words: &str| field(format!(" {words} "), Slot::Badge, Keep::Always);
    if scene.ui.time.kind == Kind::Replay {
        out.push(badge("REPLAY"));
    } else if let Some(moment) = &scene.ui.time.moment {
        let back = format!("{} {}", if theme.glyphs == GlyphSet::Unicode { "‹" } else { "<" }, clock(moment.at));
        out.push(badge(&back));
    }
    // Of a past instant the state says who had control then; who was let in only to look is a viewer all the time.
    let at_now = scene.ui.time.moment.is_none() && scene.ui.time.kind == Kind::Live;
    if scene.ui.standing.role == Role::Viewer || at_now && scene.ui.only_looks(state) {
        out.push(badge("VIEWER"));
    }
    if state.config.fleet.is_simulated() {
        let badge = field(" SIMULATED ".to_owned(), Slot::Badge, Keep::Always);
        out.push(Field { least: Some(" SIM ".to_owned()), ..badge });
    }
    let left_out = state.totals.unknown_records;
    if left_out > 0 {
        let long = format!("older than this session: {} left out", page::plural(left_out as usize, "record"));
        let field = field(long, Slot::Warning, Keep::Always);
        let (short, least) = (format!("{left_out} records left out"), format!("{left_out} left out"));
        out.push(Field { short: Some(short), least: Some(least), ..field });
    }
    // On two lines it stands on the first. Like a badge it is never given up: somebody else's file says where prompts go.
    if let Some(project) = state.config.project.as_ref().filter(|_| lines == 1) {
        let named = |cells: usize| format!("project {}", theme.cut(project, cells));
        let long = field(named(PROJECT_CELLS), Slot::Dim, Keep::Always);
        out.push(Field { short: Some(named(10)), least: Some(theme.cut(project, 8).to_string()), ..long });
    }
    let (glyph, word, slot) = session_state(state);
    let said = field(format!("{} {word}", theme.glyph(glyph)), slot, Keep::Always);
    out.push(Field { least: Some(theme.glyph(glyph).to_owned()), ..said });
    let p = figures.progress;
    if p.total > 0 {
        out.push(field(clock(Figures::span(state, scene.now)), Slot::Text, Keep::Elapsed));
    }
    if at_now && state.ended.is_none() && state.machine.vigil == Vigil::Kept {
        out.push(field("awake".to_owned(), Slot::Dim, Keep::Awake));
    }
    if p.total > 0 {
        let digits = p.total.to_string().len();
        out.push(field(format!("{:>digits$}/{}", p.done, p.total), Slot::Strong, Keep::Always));
        let bar = |cells: usize| {
            let full = filled(p.ended() as f32 / p.total as f32, cells);
            theme.glyph(Glyph::BarFull).repeat(full) + &theme.glyph(Glyph::BarEmpty).repeat(cells - full)
        };
        out.push(Field { short: Some(bar(5)), ..field(bar(10), Slot::BarFull, Keep::Bar) });
        if p.ended() < p.total && figures.remaining > 0.0 {
            let left = seconds_clock(figures.remaining.round() as u64);
            let long = field(format!("~{left} left"), Slot::Text, Keep::Remaining);
            out.push(Field { short: Some(format!("~{left}")), ..long });
        }
        if let Some(times) = figures.speed_up {
            out.push(field(format!("{}{times:.1}", theme.glyph(Glyph::Times)), Slot::Text, Keep::Times));
        }
        if figures.token_rate > 0.0 {
            out.push(field(format!("{:>4.0} tok/s", figures.token_rate), Slot::Text, Keep::Rate));
        }
    }
    let (busy, all) = state.slots();
    let digits = all.to_string().len();
    out.push(field(format!("slots {busy:>digits$}/{all}"), Slot::Text, Keep::Always));
    out.push(memory(scene));
    // One that is fuller, or charges, changes nothing.
    if let Some(battery) = state.machine.battery.filter(|b| at_now && b.is_low()) {
        let long = field(format!("battery {}%", battery.percent), Slot::Warning, Keep::Elapsed);
        out.push(Field { short: Some(format!("bat {}%", battery.percent)), ..long });
    }
    out
}

/// Memory in use, and the pressure as the kernel has it: how hard it finds it to give more, which its colour says too.
fn memory(scene: &Scene<'_>) -> Field {
    let (m, theme) = (&scene.state.machine, scene.theme);
    let unknown = theme.glyph(Glyph::Unknown);
    let (word, slot) = match m.pressure {
        Some(Pressure::Normal) => ("ok", Slot::Text),
        Some(Pressure::Warning) => (Pressure::Warning.word(), Slot::Warning),
        Some(Pressure::Critical) => (Pressure::Critical.word(), Slot::Error),
        None => (unknown, Slot::Text),
    };
    let field = |text: String| Field { text, style: theme.style(slot), keep: Keep::Memory, short: None, least: None };
    if m.total == 0 {
        return field(format!("mem {unknown}"));
    }
    let percent = u128::from(m.used) * 100 / u128::from(m.total);
    // What is not as it should be is said where it is narrow too.
    let short = match m.pressure {
        Some(Pressure::Warning | Pressure::Critical) => format!("mem {percent}% {word}"),
        _ => format!("mem {percent}%"),
    };
    Field { short: Some(short), ..field(format!("mem {}/{} {word}", gigabytes(m.used), gigabytes(m.total))) }
}

/// The session's state in a sign and a word.
fn session_state(state: &State) -> (Glyph, &'static str, Slot) {
    if state.gear == Gear::Paused {
        return (Glyph::Held, "paused", Slot::Held);
    }
    let mut goals = state.goals().iter().map(|g| &g.phase).peekable();
    if goals.peek().is_none() {
        return (Glyph::Waiting, "ready", Slot::Waiting);
    }
    let any = |phase: GoalPhase| state.goals().iter().any(|g| g.phase == phase);
    if any(GoalPhase::Running) {
        (Glyph::Running, "running", Slot::Running)
    } else if any(GoalPhase::Planning) {
        (Glyph::Running, "planning", Slot::Running)
    } else if any(GoalPhase::Draft) {
        (Glyph::Waiting, "review", Slot::Waiting)
    } else if any(GoalPhase::Ended(Outcome::Failed)) {
        (Glyph::Failed, "ended", Slot::Failed)
    } else if any(GoalPhase::Ended(Outcome::Cancelled)) {
        (Glyph::Cancelled, "stopped", Slot::Dropped)
    } else {
        (Glyph::Done, "done", Slot::Done)
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    use super::{height, render, short};
    use crate::domain::protocol::Micros;
    use crate::domain::state::State;
    use crate::domain::text::width::width;
    use crate::interface::tui::model::{Screen, Ui};
    use crate::interface::tui::scene::{Scene, Transcripts};
    use crate::interface::tui::theme::Theme;
    use crate::interface::tui::view::story::forty;

    /// The header's lines at that size, of a session with a project's servers.
    fn shown(state: &State, screen: Screen, (columns, rows): (u16, u16)) -> String {
        let (transcripts, theme) = (Transcripts::default(), Theme::plain());
        #[allow(clippy::field_reassign_with_default, reason = "one field is private")]
        let ui = {
            let mut ui = Ui::default();
            ui.screen = screen;
            ui
        };
        let area = Rect::new(0, 0, columns, height(rows));
        let mut buf = Buffer::empty(area);
        let scene = Scene { state, transcripts: &transcripts, ui: &ui, theme: &theme, now: Micros::from_secs(3_000) };
        render(&scene, area, &mut buf);
        // The cell behind a wide letter is a part of it.
        let wide = |x: u16, y| x > 0 && width(buf[(x - 1, y)].symbol()) > 1;
        let row = |y| {
            (0..columns)
                .filter(|x| !wide(*x, y))
                .map(|x| buf[(x, y)].symbol())
                .collect::<String>()
                .trim_end()
                .to_owned()
        };
        (0..area.height).map(row).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_project_whose_servers_are_used_is_named_at_every_size_without_colour() {
        let state = |project: &str| {
            let mut state = forty().state;
            state.config.project = Some(project.into());
            state
        };
        for screen in [Screen::Welcome, Screen::Run, Screen::Fleet] {
            for size in [(60, 20), (80, 24), (120, 40), (200, 60)] {
                let text = shown(&state("weather"), screen, size);
                assert!(text.contains("project weather"), "{size:?}:\n{text}");
                assert!(text.contains("slots") && text.contains("review"), "{size:?}:\n{text}");
                // A long one is cut, and cuts nothing else.
                for long in ["weather-station-for-the-whole-of-northern-europe", "天気予報天気予報天気予報天気予報"]
                {
                    let text = shown(&state(long), screen, size);
                    let start: String = long.chars().take(4).collect();
                    assert!(text.contains(&format!("project {start}")), "{size:?}:\n{text}");
                    assert!(text.contains("slots") && text.contains("review"), "{size:?}:\n{text}");
                    assert!(text.lines().all(|line| width(line) <= usize::from(size.0)), "{text}");
                }
            }
        }
        let mut own = state("weather");
        own.config.project = None;
        assert!(!shown(&own, Screen::Run, (80, 24)).contains("project"));
    }

    #[test]
    fn that_the_machine_is_kept_awake_and_a_low_battery_are_said_where_they_are_told() {
        use crate::domain::protocol::{Battery, Supply, Vigil};
        let mut state = crate::interface::tui::view::story::asking(&["yes"]).state;
        assert!(!shown(&state, Screen::Run, (120, 40)).contains("awake"), "an engine that does not say");
        state.machine.vigil = Vigil::Kept;
        state.machine.battery = Some(Battery { percent: 21, supply: Supply::Battery });
        let text = shown(&state, Screen::Run, (120, 40));
        assert!(text.contains("awake") && !text.contains("battery"), "{text}");
        state.machine.battery = Some(Battery { percent: 19, supply: Supply::Battery });
        for size in [(60, 20), (80, 24), (120, 40)] {
            let text = shown(&state, Screen::Run, size);
            assert!(text.contains("bat") && text.contains("19%"), "{size:?}\n{text}");
        }
        state.machine.battery = Some(Battery { percent: 19, supply: Supply::Mains });
        assert!(!shown(&state, Screen::Run, (120, 40)).contains("19%"));
    }

    #[test]
    fn a_console_older_than_its_session_says_how_much_it_leaves_out() {
        use crate::domain::protocol::{Event, Record};
        let mut state = forty().state;
        assert!(!shown(&state, Screen::Run, (200, 60)).contains("left out"));
        let later = Record { seq: state.seq + 13, at: state.at, event: Event::SessionPaused {} };
        state.apply(&later);
        let text = shown(&state, Screen::Run, (200, 60));
        assert!(text.contains("older than this session: 12 records left out"), "{text}");
        for size in [(60, 20), (80, 24), (120, 40)] {
            let text = shown(&state, Screen::Run, size);
            assert!(text.contains("12") && text.contains("left out"), "{size:?}\n{text}");
        }
    }

    #[test]
    fn a_session_named_by_its_time_is_said_as_the_time() {
        let said = ["20260731-160717", "20260731-160717-4211", "parser-research", "2026-07"].map(short);
        assert_eq!(said, ["16:07", "16:07", "parser-research", "2026-07"]);
    }
}
