//! Screen 2, Graph: the tasks in layers, or as a list with rails; the layers on the border; why, below.
//!
//! [`render`] draws a scene into a buffer. Not here: where nodes and lines stand (`domain/graph`), what the user does
//! ([`crate::interface::tui::model::graph`]). Invariants: it panics at no size; it paints visible rows only.

mod drawing;
mod layers;
mod node;
mod rails;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::run::{details, twins, why, words};
use crate::domain::graph::{Content, NodeIx};
use crate::domain::state::{End, Life, TaskIx};
use crate::interface::tui::model::graph::{Form, areas::divide};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::frame::{Emphasis, Frame, titles};
use crate::interface::tui::widget::pen::Pen;

/// Draws the screen into `area`. `GraphUi::tick` was called with the same area before.
pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.width < 3 || area.height < 3 {
        return;
    }
    let theme = scene.theme;
    buf.set_style(area, theme.style(Slot::Text));
    let areas = divide(area);
    let mut frame = Frame::new(area);
    for part in [areas.why, areas.details].iter().filter(|r| !r.is_empty()) {
        frame.around(*part, Emphasis::Plain);
    }
    frame.around(areas.graph, Emphasis::Focused);
    frame.paint(buf, theme);
    graph_titles(scene, areas.graph, buf);
    let ui = &scene.ui.graph;
    if ui.plot().is_empty() || ui.row_count() == 0 && ui.form() == Form::Rails {
        empty(scene, areas.graph, buf);
    } else {
        match ui.form() {
            Form::Rails => rails::render(scene, areas.graph, buf),
            Form::Drawing | Form::Near => drawing::render(scene, buf),
        }
    }
    if !areas.why.is_empty() {
        if !ui.plot().is_empty() {
            layers::render(scene, areas.why, buf);
        }
        let (title, reason) = said(scene);
        why::write(theme, &title, &reason, areas.why, buf);
    }
    if !areas.details.is_empty() {
        titles(
            buf,
            areas.details,
            ("Task", theme.style(Slot::Title)),
            ("enter opens all", theme.style(Slot::Dim)),
            theme,
        );
        details::render(scene, ui.selected_task(), areas.details, buf);
    }
    twins(scene, area, buf);
}

fn empty(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let text = if scene.ui.graph.plot().is_empty() {
        "No tasks yet. ctrl-n gives a goal."
    } else {
        "Nothing matches the filter; esc clears it."
    };
    Pen::new(buf, area.x + 1, area.y, area.right()).field(text, 60, scene.theme.style(Slot::Dim), scene.theme);
}

fn graph_titles(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (ui, theme) = (&scene.ui.graph, scene.theme);
    let dot = theme.glyph(Glyph::Dot);
    let mut left = format!("Graph {}", ui.plot().len());
    if !ui.plot().is_empty() {
        left.push_str(&format!(" {dot} {}", ui.form().word()));
    }
    let centre = ui.centre().and_then(|c| ui.node_of(c)).filter(|_| ui.form() == Form::Near);
    if let Some(title) = centre.map(|c| name(scene, c)) {
        left.push_str(&format!(" of {title}"));
    }
    if !ui.filter().is_empty() {
        left.push_str(&format!(" {dot} filter: {}, {} of {}", ui.filter(), ui.found_count(), ui.dag().len()));
    }
    let (up, down) = (theme.glyph(Glyph::Above), theme.glyph(Glyph::Below));
    let mut hidden = Vec::new();
    let mut say = |sign: &str, n: usize, word: &str| {
        if n > 0 {
            hidden.push(format!("{sign} {n}{word}"));
        }
    };
    match ui.form() {
        Form::Rails => {
            let lanes = ui.rails().map_or(0, |r| r.lanes() as usize);
            let below = ui.row_count().saturating_sub(ui.top() + usize::from(area.height));
            say("", lanes.saturating_sub(usize::from(rails::lanes(scene, area))), " lines not drawn");
            say(up, ui.top(), "");
            say(down, below, " more");
        }
        Form::Drawing | Form::Near => {
            let board = ui.board();
            let ((left, top), (_, height)) = (board.scrolled(), board.size());
            let below = usize::from(height).saturating_sub(usize::from(top) + usize::from(area.height));
            let layers = ui.drawn_layout().map_or(0, |l| l.layers().len());
            let (first, last) = board.seen_layers().unwrap_or((0, layers.saturating_sub(1)));
            say(theme.glyph(Glyph::Joins), if left > 0 { first.max(1) } else { 0 }, " left");
            say(theme.glyph(Glyph::Comes), layers.saturating_sub(last + 1), " right");
            say(up, usize::from(top), "");
            say(down, below, " more");
        }
    }
    titles(buf, area, (&left, theme.style(Slot::BorderFocus)), (&hidden.join("  "), theme.style(Slot::Dim)), theme);
}

/// The title of a task, or what those of twins share.
fn name<'a>(scene: &'a Scene<'_>, node: NodeIx) -> &'a str {
    match scene.ui.graph.content(node) {
        Some(Content::Task(ix)) => scene.state.task(ix).title.as_str(),
        Some(Content::Twins(group)) => scene.ui.graph.plot().twins().get(group).map_or("", |t| t.stem.as_str()),
        None => "",
    }
}

/// Title and reason of the selection.
fn said(scene: &Scene<'_>) -> (String, String) {
    let (state, ui) = (scene.state, &scene.ui.graph);
    if ui.plot().is_empty() {
        return (String::new(), String::new());
    }
    let selected = ui.selected().and_then(|n| Some((n, ui.content(n)?)));
    let Some((node, content)) = selected else { return (String::new(), "nothing is selected".to_owned()) };
    match content {
        Content::Task(ix) => {
            let mut reason = words::why(state, scene.ui.run.figures(), ix, scene.now);
            if state.task(ix).life == Life::Ended(End::Failed) {
                reason = match ui.standing().blocks(ix) {
                    0 => format!("{reason} · blocks nothing"),
                    1 => format!("blocks 1 task · {reason}"),
                    n => format!("blocks {n} tasks · {reason}"),
                };
            }
            (name(scene, node).to_owned(), reason)
        }
        Content::Twins(group) => {
            let members = ui.plot().members(group).len();
            let counts = ui.standing().group(group);
            let parts = [
                (counts.done, "done"),
                (counts.running, "running"),
                (counts.waiting, "waiting"),
                (counts.failed, "failed"),
                (counts.dropped, "dropped"),
            ];
            let said: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, w)| format!("{n} {w}")).collect();
            (format!("{}: {members} alike", name(scene, node)), format!("{}; enter opens them", said.join(", ")))
        }
    }
}

/// Whether a node, or one of its twins, is on the critical path.
fn is_critical(scene: &Scene<'_>, node: NodeIx) -> bool {
    let critical = &scene.ui.run.figures().critical;
    match scene.ui.graph.content(node) {
        Some(Content::Task(ix)) => critical.contains(&ix),
        Some(Content::Twins(group)) => scene.ui.graph.plot().members(group).any(|t| critical.contains(&t)),
        None => false,
    }
}

/// The edges of the critical path, as nodes of the whole graph.
fn critical_edges<'a>(scene: &'a Scene<'a>) -> impl Iterator<Item = (NodeIx, NodeIx)> + 'a {
    let ui = &scene.ui.graph;
    let nodes = scene.ui.run.figures().critical.iter().filter_map(|t| ui.node_of(*t));
    nodes.flat_map(move |v| {
        let before = ui.dag().needs(v).iter().copied().filter(|u| is_critical(scene, *u));
        before.map(move |u| (u, v))
    })
}

/// What a task's row says here: a failed one says how many it blocks.
fn words_of(scene: &Scene<'_>, ix: TaskIx) -> words::Words {
    let mut words = words::words(scene.state, scene.ui.run.figures(), ix, scene.now);
    let blocks = scene.ui.graph.standing().blocks(ix);
    if blocks > 0 {
        words.figure = format!("blocks {blocks}");
    }
    words
}

#[cfg(test)]
mod tests;
