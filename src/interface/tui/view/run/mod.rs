//! Screen 1, Run: task tree, Why box, fleet, memory, live outputs, at every width.
//!
//! [`render`] draws a scene into a buffer and tells what it drew, for clicks and scrolling. Not here: header, notice and
//! key line; what the user does ([`crate::interface::tui::model::run`]). Invariants: it panics at no size; it paints
//! visible rows only.

mod cache;
pub(super) mod details;
mod draft;
mod find;
mod fleet;
mod idle;
mod memory;
mod panes;
mod select;
mod strips;
pub(super) mod tree;
pub(super) mod why;
pub(super) mod words;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub use self::cache::RunCaches;
pub(crate) use self::find::words as found_words;
pub(crate) use self::select::selected;
use crate::domain::state::State;
use crate::interface::tui::model::run::areas::Form;
use crate::interface::tui::model::run::order::Order;
use crate::interface::tui::model::run::panes::Pane;
use crate::interface::tui::model::run::{Drawn, Focus, Hit, Shown};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, GlyphSet, Slot};
use crate::interface::tui::widget::frame::{Emphasis, Frame, titles};
use crate::interface::tui::widget::pen::{Pen, cut};

/// Draws the screen into `area`. `RunUi::tick` was called with the same area before; give what comes back to
/// `RunUi::drawn`.
pub fn render(scene: &Scene<'_>, caches: &mut RunCaches, area: Rect, buf: &mut Buffer) -> Drawn {
    let area = area.intersection(buf.area);
    let mut drawn = Drawn::default();
    if area.width < 3 || area.height < 3 {
        return drawn;
    }
    caches.begin();
    // The text's ground under everything, also where nothing is written.
    buf.set_style(area, scene.theme.style(Slot::Text));
    let ui = &scene.ui.run;
    let areas = ui.areas();
    let fits = |r: &Rect| !r.is_empty() && r.intersection(area) == *r;
    let mut frame = Frame::new(area);
    for part in [areas.tree, areas.why, areas.memory, areas.rest, areas.details].iter().filter(|r| fits(r)) {
        frame.around(*part, Emphasis::Plain);
    }
    for part in areas.panes.iter().chain([&areas.fleet]).filter(|r| fits(r)) {
        frame.around(*part, Emphasis::Plain);
    }
    let focused = match ui.focus {
        _ if ui.zoom.is_some() => areas.panes.first().copied(),
        Focus::Tree => Some(areas.tree),
        Focus::Fleet => Some(areas.fleet),
        Focus::Pane => areas.panes.get(ui.panes.focus).or(areas.panes.first()).copied(),
    };
    if let Some(part) = focused.filter(|r| fits(r)) {
        frame.around(part, Emphasis::Focused);
    }
    frame.paint(buf, scene.theme);
    if fits(&areas.tree) {
        tree_titles(scene, areas.tree, areas.form, buf);
        tree::render(scene, areas.tree, buf, &mut drawn);
    }
    if fits(&areas.why) {
        if areas.form != Form::Stacked {
            put_title(scene, areas.why, "Why", "", Focus::Pane, buf);
        }
        why::render(scene, areas.why, buf);
    }
    if fits(&areas.fleet) {
        if areas.fleet.height == 1 && areas.form == Form::Stacked {
            put_title(scene, areas.fleet, &fleet::title(scene), "", Focus::Fleet, buf);
            fleet::one_line(scene, areas.fleet, buf);
        } else {
            put_title(scene, areas.fleet, &fleet::title(scene), "last 60 s", Focus::Fleet, buf);
            fleet::render(scene, areas.fleet, buf, &mut drawn);
        }
    }
    if fits(&areas.memory) {
        let (left, right) = memory::titles(scene);
        put_title(scene, areas.memory, &left, &right, Focus::Pane, buf);
        memory::render(scene, areas.memory, buf);
    }
    outputs(scene, caches, area, buf, &mut drawn);
    if fits(&areas.rest) {
        rest(scene, areas.rest, buf);
    }
    if fits(&areas.details) {
        put_title(scene, areas.details, "Task", "enter opens all", Focus::Pane, buf);
        details::render(scene, scene.ui.run.selected(), areas.details, buf);
    }
    twins(scene, area, buf);
    drawn
}

/// On a terminal of ASCII signs, the signs inside sentences get their twins too.
pub(super) fn twins(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if scene.theme.glyphs == GlyphSet::Unicode {
        return;
    }
    let signs = [("·", Glyph::Dot), ("…", Glyph::Ellipsis), ("–", Glyph::Unknown), ("•", Glyph::Dot)];
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            if let Some(cell) = buf.cell_mut((x, y))
                && let Some((_, glyph)) = signs.iter().find(|(sign, _)| *sign == cell.symbol())
                // A twin of several cells would run into what follows.
                && let Some(first) = scene.theme.glyph(*glyph).get(..1)
            {
                cell.set_symbol(first);
            }
        }
    }
}

/// Draws a whole frame of this screen for measuring: follows the state, draws, hands back.
pub fn frame(
    state: &State,
    transcripts: &crate::interface::tui::scene::Transcripts,
    ui: &mut crate::interface::tui::model::Ui,
    theme: &crate::interface::tui::theme::Theme,
    caches: &mut RunCaches,
    now: crate::domain::protocol::Micros,
    buf: &mut Buffer,
) {
    let area = buf.area;
    let head = crate::interface::tui::view::header::height(area.height);
    let body = Rect { y: area.y + head, height: area.height.saturating_sub(head + 2), ..area };
    ui.run.tick(state, now, body);
    let drawn = {
        let scene = Scene { state, transcripts, ui, theme, now };
        crate::interface::tui::view::header::render(&scene, Rect { height: head, ..area }, buf);
        render(&scene, caches, body, buf)
    };
    ui.run.drawn(drawn);
}

fn put_title(scene: &Scene<'_>, area: Rect, left: &str, right: &str, of: Focus, buf: &mut Buffer) {
    let theme = scene.theme;
    let has_focus = of != Focus::Pane && scene.ui.run.focus == of;
    let slot = if has_focus { Slot::BorderFocus } else { Slot::Title };
    titles(buf, area, (left, theme.style(slot)), (right, theme.style(Slot::Dim)), theme);
}

fn tree_titles(scene: &Scene<'_>, area: Rect, form: Form, buf: &mut Buffer) {
    let (ui, theme) = (&scene.ui.run, scene.theme);
    let rows = ui.rows().len();
    let above = ui.tree_top.min(rows);
    let below = rows.saturating_sub(above + usize::from(area.height));
    let mut hidden = Vec::new();
    if above > 0 {
        hidden.push(format!("{} {above}", theme.glyph(Glyph::Above)));
    }
    if below > 0 {
        hidden.push(format!("{} {below} more", theme.glyph(Glyph::Below)));
    }
    // Where the header has but one line, the goal stands here.
    let goal = crate::interface::tui::view::header::goal(scene);
    let room = usize::from(area.width) / 2;
    let mut left = match form {
        Form::Stacked | Form::Single if !goal.is_empty() => {
            format!("1 Run {} {}", theme.glyph(Glyph::Dot), cut(&goal, room.saturating_sub(8), theme))
        }
        _ => format!("Tasks {}", ui.figures().progress.total),
    };
    if ui.order != Order::Plan {
        left.push_str(&format!(" {} {}", theme.glyph(Glyph::Dot), ui.order.words()));
    }
    if !ui.filter.is_empty() {
        let (found, all) = ui.filtered();
        left.push_str(&format!(" {} {found} of {all}", theme.glyph(Glyph::Dot)));
    }
    put_title(scene, area, &left, &hidden.join("  "), Focus::Tree, buf);
}

fn outputs(scene: &Scene<'_>, caches: &mut RunCaches, area: Rect, buf: &mut Buffer, drawn: &mut Drawn) {
    let (ui, theme) = (&scene.ui.run, scene.theme);
    let areas = ui.areas();
    drawn.panes = vec![Shown::default(); ui.panes.list.len().max(1)];
    let mut one = |at: usize, pane: &Pane, rect: Rect, buf: &mut Buffer| {
        let shown = panes::body(scene, caches, at, pane, rect, buf);
        panes::title(scene, at, pane, rect, &shown, buf);
        let whole = Rect { y: rect.y.saturating_sub(1), height: rect.height + 1, ..rect };
        drawn.hits.push((whole, Hit::Pane(at)));
        if let Some(place) = drawn.panes.get_mut(at) {
            *place = shown;
        }
    };
    if let (Some(task), Some(rect)) = (ui.zoom, areas.panes.first()) {
        let at = ui.panes.of(task).unwrap_or(0);
        if let Some(pane) = ui.panes.get(at).filter(|_| rect.intersection(area) == *rect) {
            one(at, pane, *rect, buf);
        }
        return;
    }
    let single = areas.form == Form::Single;
    for (i, rect) in areas.panes.iter().enumerate().filter(|(_, r)| !r.is_empty() && r.intersection(area) == **r) {
        let at = if single { ui.panes.focus.min(ui.panes.list.len().saturating_sub(1)) } else { i };
        match ui.panes.get(at) {
            Some(pane) => one(at, pane, *rect, buf),
            None if i == 0 => {
                titles(buf, *rect, ("Output", theme.style(Slot::Title)), ("", Style::new()), theme);
                let text = "What agents write appears here.";
                Pen::new(buf, rect.x + 1, rect.y, rect.right())
                    .put(&cut(text, usize::from(rect.width.saturating_sub(2)), theme), theme.style(Slot::Dim));
            }
            None => {}
        }
    }
}

/// What else runs: how many on the border, where on the line.
fn rest(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (state, ui, theme) = (scene.state, &scene.ui.run, scene.theme);
    let hidden = ui.panes.hidden(state);
    let unread = ui.panes.unread.len();
    let mut left =
        if hidden.is_empty() { "all that runs is shown".to_owned() } else { format!("{} more running", hidden.len()) };
    if state.running().len() == 0 {
        left = "nothing runs".to_owned();
    }
    if unread > 0 {
        left.push_str(&format!(" {} {unread} done, unread", theme.glyph(Glyph::Dot)));
    }
    titles(buf, area, (&left, theme.style(Slot::Dim)), ("Z grid", theme.style(Slot::KeyHint)), theme);
    let dot = format!(" {} ", theme.glyph(Glyph::Dot));
    let seats = seats(state, &hidden).join(&dot);
    let cells = usize::from(area.width.saturating_sub(2));
    Pen::new(buf, area.x + 1, area.y, area.right()).put(&cut(&seats, cells, theme), theme.style(Slot::Dim));
}

/// `Athene 1 3`: endpoints with the slots of these tasks.
fn seats(state: &State, tasks: &[crate::domain::state::TaskIx]) -> Vec<String> {
    let mut by: std::collections::BTreeMap<crate::domain::state::EndpointIx, Vec<u16>> =
        std::collections::BTreeMap::new();
    for attempt in tasks.iter().filter_map(|t| state.last_attempt(state.task(*t))) {
        let Some(endpoint) = attempt.endpoint() else { continue };
        let slots = by.entry(endpoint).or_default();
        slots.extend(attempt.turn().map(|t| t.slot + 1));
    }
    by.into_iter()
        .map(|(endpoint, mut slots)| {
            slots.sort_unstable();
            let name = words::brief(state.endpoint(endpoint));
            let list: Vec<String> = slots
                .chunk_by(|a, b| a + 1 == *b)
                .map(|run| match run {
                    [one] => one.to_string(),
                    [a, b] => format!("{a} {b}"),
                    [a, .., b] => format!("{a}-{b}"),
                    [] => String::new(),
                })
                .collect();
            format!("{name} {}", list.join(" "))
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod output_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
