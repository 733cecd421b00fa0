//! The layered drawing: lines first, then the words of the nodes over them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::node::{Figure, node};
use super::{critical_edges, is_critical};
use crate::domain::graph::{Layout, NodeIx, What};
use crate::interface::tui::model::graph::board::{Board, Look};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::lines::{DOWN, LEFT, Lines, RIGHT, UP, Weight};
use crate::interface::tui::widget::pen::Pen;

pub(super) fn render(scene: &Scene<'_>, buf: &mut Buffer) {
    let ui = &scene.ui.graph;
    let (Some(layout), board) = (ui.drawn_layout(), ui.board()) else { return };
    let area = board.area().intersection(buf.area);
    let mut lines = Lines::new(area, board.scrolled());
    for layer in 0..layout.layers().len() {
        nets(layout, board, layer, &mut lines);
    }
    let drawn = |(u, v): (NodeIx, NodeIx)| Some((ui.drawn_node(u)?, ui.drawn_node(v)?));
    for (u, v) in critical_edges(scene).filter_map(drawn) {
        weigh(layout, board, (u, v), Weight::Critical, &mut lines);
    }
    if let Some(selected) = ui.selected() {
        let before = ui.dag().needs(selected).iter().map(|u| (*u, selected));
        let after = ui.dag().feeds(selected).iter().map(|v| (selected, *v));
        for edge in before.chain(after).filter_map(drawn) {
            weigh(layout, board, edge, Weight::Chosen, &mut lines);
        }
    }
    if board.look() == Look::Box {
        boxes(layout, board, &mut lines);
    }
    lines.paint(buf, scene.theme);
    for (l, items) in layout.layers().iter().enumerate() {
        for item in items {
            if let What::Node(n) = item.what {
                words(scene, (l, item.row), ui.whole(n), buf);
            }
        }
    }
}

/// Where the lines of a layer's items begin and those to the next end.
fn ends(board: &Board, layer: usize) -> (u16, u16) {
    let (x, width) = board.column(layer);
    let (next, _) = board.column(layer + 1);
    match board.look() {
        Look::Row => (x, next + 1),
        Look::Box => (x + width - 1, next),
    }
}

/// The lines between a layer and the next.
fn nets(layout: &Layout, board: &Board, layer: usize, lines: &mut Lines) {
    let all = layout.channel(layer);
    let (from, to) = ends(board, layer);
    let pass = |row: u32| {
        let items = layout.layers().get(layer).map_or(&[][..], Vec::as_slice);
        items.iter().any(|i| i.row == row && i.what == What::Pass)
    };
    for net in all {
        let track = board.track(layer, net.track);
        for row in &net.sources {
            // A line that goes past has no words of its own: it crosses the whole column.
            let start = if pass(*row) { board.column(layer).0 } else { from };
            lines.across(start, if net.is_straight() { to } else { track }, board.line(*row));
        }
        for row in net.targets.iter().filter(|_| !net.is_straight()) {
            lines.across(track + 1, to, board.line(*row));
        }
    }
    for net in all.iter().filter(|n| !n.is_straight()) {
        let track = board.track(layer, net.track);
        let (first, last) = net.span();
        for y in board.line(first) + 1..board.line(last) {
            lines.over(track, y);
        }
    }
    for net in all.iter().filter(|n| !n.is_straight()) {
        let track = board.track(layer, net.track);
        let (first, last) = net.span();
        for row in net.sources.iter().chain(&net.targets) {
            let source = net.sources.contains(row);
            let goes_on = all.iter().any(|n| {
                source && n != net && n.sources.contains(row) && (n.track > net.track || n.is_straight())
            });
            let mut strokes = 0;
            for (there, stroke) in [
                (*row > first, UP),
                (*row < last, DOWN),
                (source, LEFT),
                (goes_on || net.targets.contains(row), RIGHT),
            ] {
                if there {
                    strokes |= stroke;
                }
            }
            lines.joint(track, board.line(*row), strokes);
        }
    }
}

/// Gives weight to the line between two nodes.
fn weigh(layout: &Layout, board: &Board, (u, v): (NodeIx, NodeIx), weight: Weight, lines: &mut Lines) {
    for (layer, a, b) in layout.way(u, v) {
        let (_, to) = ends(board, layer);
        let from = board.column(layer).0;
        let net = layout.channel(layer).iter().find(|n| n.targets.contains(&b));
        let Some(net) = net else { continue };
        let (ya, yb) = (board.line(a), board.line(b));
        if net.is_straight() {
            lines.weigh_across(from, to, ya, weight);
            continue;
        }
        let track = board.track(layer, net.track);
        lines.weigh_across(from, track, ya, weight);
        lines.weigh_across(track + 1, to, yb, weight);
        for y in ya.min(yb)..=ya.max(yb) {
            lines.weigh(track, y, UP | DOWN, weight);
        }
        if a == b {
            lines.weigh(track, ya, LEFT | RIGHT, weight);
        }
    }
}

/// The frames around nodes, joined by the lines that leave and reach them.
fn boxes(layout: &Layout, board: &Board, lines: &mut Lines) {
    for (l, items) in layout.layers().iter().enumerate() {
        let (x, width) = board.column(l);
        let (right, before) = (x + width - 1, l.checked_sub(1));
        for item in items.iter().filter(|i| matches!(i.what, What::Node(_))) {
            let y = board.line(item.row);
            let top = y.saturating_sub(1);
            lines.across(x + 1, right, top);
            lines.across(x + 1, right, y + 1);
            let leaves = layout.channel(l).iter().any(|n| n.sources.contains(&item.row));
            let reached = before.is_some_and(|b| layout.channel(b).iter().any(|n| n.targets.contains(&item.row)));
            lines.joint(x, top, RIGHT | DOWN);
            lines.joint(right, top, LEFT | DOWN);
            lines.joint(x, y + 1, RIGHT | UP);
            lines.joint(right, y + 1, LEFT | UP);
            lines.joint(x, y, UP | DOWN | if reached { LEFT } else { 0 });
            lines.joint(right, y, UP | DOWN | if leaves { RIGHT } else { 0 });
        }
    }
}

/// The words of a node.
fn words(scene: &Scene<'_>, (layer, row): (usize, u32), whole: NodeIx, buf: &mut Buffer) {
    let (ui, theme) = (&scene.ui.graph, scene.theme);
    let board = ui.board();
    let (x, width) = board.column(layer);
    let inset = u16::from(board.look() == Look::Box);
    let (x, width) = (x + inset, width.saturating_sub(2 * inset));
    let area = board.area().intersection(buf.area);
    let (left, _) = board.scrolled();
    let Some((_, y)) = board.cell(left, board.line(row)) else { return };
    // A node that begins left of what is shown is drawn on a strip of its own, and the visible part of it taken over.
    let mut strip = Buffer::empty(Rect::new(0, 0, width, 1));
    strip.set_style(strip.area, theme.style(Slot::Text));
    let selected = ui.selected() == Some(whole);
    let figure = if board.has_figures(layer) { Figure::Shown } else { Figure::Left };
    let mut pen = Pen::new(&mut strip, 1, 0, width);
    node(scene, whole, usize::from(width).saturating_sub(2), figure, &mut pen);
    pen.put(" ", Style::new());
    let end = pen.x.max(1);
    if selected {
        Pen::new(&mut strip, 0, 0, 1).put(theme.glyph(Glyph::Cursor), theme.style(Slot::Strong));
        strip.set_style(Rect::new(0, 0, end, 1), theme.style(Slot::Selected));
    }
    let own = board.look() == Look::Box || selected || reached_by_nothing(ui.drawn_layout(), layer, row);
    let first = if own { 0 } else { 1 };
    let last = if board.look() == Look::Box { width } else { end };
    for i in first..last {
        let Some(at) = (x + i).checked_sub(left).filter(|at| *at < area.width) else { continue };
        if let (Some(to), Some(from)) = (buf.cell_mut((area.x + at, y)), strip.cell((i, 0))) {
            *to = from.clone();
        }
    }
    if selected && board.look() == Look::Box || is_critical(scene, whole) && board.look() == Look::Box {
        emphasise(scene, (x - inset, y, width + 2 * inset, left), selected, buf);
    }
}

fn reached_by_nothing(layout: Option<&Layout>, layer: usize, row: u32) -> bool {
    let before = layer.checked_sub(1).and_then(|l| layout.map(|d| d.channel(l)));
    !before.is_some_and(|nets| nets.iter().any(|n| n.targets.contains(&row)))
}

/// The frame of a node that stands out.
fn emphasise(scene: &Scene<'_>, (x, y, width, left): (u16, u16, u16, u16), selected: bool, buf: &mut Buffer) {
    let area = scene.ui.graph.board().area().intersection(buf.area);
    let style = scene.theme.style(if selected { Slot::BorderFocus } else { Slot::Critical });
    for (i, edge) in (0..width).flat_map(|i| (0..3u16).map(move |r| (i, r))) {
        let side = edge != 1 || i == 0 || i + 1 == width;
        let (Some(at), Some(row)) = ((x + i).checked_sub(left), (y + edge).checked_sub(1)) else { continue };
        if side && at < area.width && row >= area.y && row < area.bottom()
            && let Some(cell) = buf.cell_mut((area.x + at, row))
        {
            cell.set_style(style);
        }
    }
}
