//! The list with rails beside it: the visible rows only.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::node::group_of;
use super::{critical_edges, words_of};
use crate::domain::graph::{Content, NodeIx, Rails};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::view::run::tree;
use crate::interface::tui::widget::lines::{DOWN, LEFT, Lines, RIGHT, UP, Weight};
use crate::interface::tui::widget::pen::Pen;

/// Lanes that have room beside the list.
pub(super) fn lanes(scene: &Scene<'_>, area: Rect) -> u16 {
    let all = scene.ui.graph.rails().map_or(0, Rails::lanes).min(1000) as u16;
    all.min(area.width / 5).min(24)
}

pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let ui = &scene.ui.graph;
    let top = ui.top();
    let lanes = lanes(scene, area);
    // The cursor, two cells a lane, and one where lines come to the sign.
    let wide = if lanes == 0 { 0 } else { lanes * 2 + 1 };
    let rows = top..ui.row_count().min(top + usize::from(area.height));
    if let Some(rails) = ui.rails().filter(|_| lanes > 0) {
        let place = Rect { x: area.x + 1, width: wide, ..area };
        paint(scene, rails, rows.clone(), lanes, place, buf);
    }
    for (row, y) in rows.zip(area.y..area.bottom()) {
        let Some(node) = ui.row(row) else { break };
        let line = Rect { y, height: 1, ..area };
        one(scene, node, line, wide, buf);
    }
}

fn one(scene: &Scene<'_>, node: NodeIx, line: Rect, wide: u16, buf: &mut Buffer) {
    let (ui, theme) = (&scene.ui.graph, scene.theme);
    let selected = ui.selected() == Some(node);
    Pen::new(buf, line.x, line.y, line.right())
        .put(if selected { theme.glyph(Glyph::Cursor) } else { " " }, theme.style(Slot::Strong));
    let mut pen = Pen::new(buf, line.x + 1 + wide, line.y, line.right());
    match ui.content(node) {
        Some(Content::Task(ix)) => {
            // A member of open twins stands a little in.
            pen.gap(u16::from(ui.is_open_twin(ix)) * 2);
            tree::task(scene, ix, &words_of(scene, ix), &mut pen);
        }
        Some(Content::Twins(group)) => {
            pen.gap(1);
            let cells = pen.room();
            group_of(scene, node, group, cells, &mut pen);
        }
        None => {}
    }
    if selected {
        buf.set_style(line.intersection(buf.area), theme.style(Slot::Selected));
    }
}

/// The rails of some rows.
fn paint(scene: &Scene<'_>, rails: &Rails, rows: std::ops::Range<usize>, lanes: u16, place: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let end = lanes * 2;
    let column = |lane: u32| end.checked_sub(2 * (lane.min(1000) as u16 + 1));
    let lane_of = |net: usize| rails.net(net).and_then(|n| n.lane).and_then(column);
    let mut lines = Lines::new(Rect { height: rows.len().min(usize::from(place.height)) as u16, ..place }, (0, 0));
    let (from, to) = (rows.start, rows.end);
    let line = |row: usize| (row - from) as u16;
    // A line to the list under those that go down beside it, then its own joints.
    for row in rows.clone() {
        let Some(r) = rails.rows().get(row) else { break };
        let linked = r.from.iter().chain(&r.into).filter_map(|n| lane_of(*n));
        if let Some(first) = linked.min() {
            lines.across(first, end + 1, line(row));
        }
    }
    for i in rails.seen(from, to) {
        let (Some(net), Some(x)) = (rails.net(i), lane_of(i)) else { continue };
        for row in (net.first as usize + 1).max(from)..(net.last as usize).min(to) {
            lines.over(x, line(row));
        }
    }
    let mut signs: Vec<(u16, u16, Glyph)> = Vec::new();
    for row in rows.clone() {
        let Some(r) = rails.rows().get(row) else { break };
        let linked = || r.from.iter().chain(&r.into);
        let outermost = linked().filter_map(|n| lane_of(*n)).min();
        for i in linked() {
            let (Some(net), Some(x)) = (rails.net(*i), lane_of(*i)) else { continue };
            let meets = |n: &&usize| lane_of(**n) == Some(x);
            let others = linked().filter(meets).filter_map(|n| rails.net(*n));
            let mut strokes = RIGHT;
            for n in others {
                strokes |=
                    if (n.first as usize) < row { UP } else { 0 } | if (n.last as usize) > row { DOWN } else { 0 };
            }
            if outermost.is_some_and(|o| o < x) {
                strokes |= LEFT;
            }
            lines.joint(x, line(row), strokes);
            if linked().filter(meets).count() > 1 {
                signs.push((x, line(row), Glyph::Stop));
            } else if r.into.contains(i) && (net.first as usize) < row {
                signs.push((x + 1, line(row), Glyph::Joins));
            }
        }
        if r.from.is_some() {
            signs.push((end, line(row), Glyph::Comes));
        } else if linked().any(|n| lane_of(*n).is_none()) {
            signs.push((end, line(row), Glyph::Ellipsis));
        }
    }
    let mut weigh = |u: NodeIx, v: NodeIx, weight: Weight| {
        let (Some(a), Some(b)) = (rails.row_of(u), rails.row_of(v)) else { return };
        let Some(x) = rails.rows().get(b).and_then(|r| r.from).and_then(lane_of) else { return };
        for row in a.max(from)..(b + 1).min(to) {
            lines.weigh(x, line(row), UP | DOWN, weight);
        }
        for row in [a, b].into_iter().filter(|r| (from..to).contains(r)) {
            lines.weigh_across(x, end + 1, line(row), weight);
        }
    };
    for (u, v) in critical_edges(scene) {
        weigh(u, v, Weight::Critical);
    }
    if let Some(selected) = scene.ui.graph.selected() {
        let dag = scene.ui.graph.dag();
        dag.needs(selected).iter().for_each(|u| weigh(*u, selected, Weight::Chosen));
        dag.feeds(selected).iter().for_each(|v| weigh(selected, *v, Weight::Chosen));
    }
    lines.paint(buf, theme);
    for (x, y, glyph) in signs {
        if let Some(cell) = buf.cell_mut((place.x + x, place.y + y)) {
            // The sign has the line's own style.
            let style: Style = cell.style();
            cell.set_symbol(theme.glyph(glyph)).set_style(style);
        }
    }
}
