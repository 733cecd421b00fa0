//! The layered drawing: lines first, then the words of the nodes over them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::node::{Figure, in_box, node};
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
    if let Look::Box(inner) = board.look() {
        boxes(layout, board, inner, &mut lines);
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

/// Where the lines of a layer's nodes begin and those to the next end.
fn ends(board: &Board, layer: usize) -> (u16, u16) {
    let (x, width) = board.column(layer);
    let (next, _) = board.column(layer + 1);
    match board.look() {
        Look::Row => (x + 1, next + 1),
        Look::Box(_) => (x + width - 1, next),
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
            let goes_on = all
                .iter()
                .any(|n| source && n != net && n.sources.contains(row) && (n.track > net.track || n.is_straight()));
            let mut strokes = 0;
            for (there, stroke) in
                [(*row > first, UP), (*row < last, DOWN), (source, LEFT), (goes_on || net.targets.contains(row), RIGHT)]
            {
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
    for (leg, (layer, a, b)) in layout.way(u, v).into_iter().enumerate() {
        let (from, to) = ends(board, layer);
        // After the first leg it comes from a pass, whose line crosses the whole column.
        let from = if leg > 0 { board.column(layer).0 } else { from };
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
fn boxes(layout: &Layout, board: &Board, inner: u16, lines: &mut Lines) {
    for (l, items) in layout.layers().iter().enumerate() {
        let (x, width) = board.column(l);
        let (right, before) = (x + width - 1, l.checked_sub(1));
        for item in items.iter().filter(|i| matches!(i.what, What::Node(_))) {
            let y = board.line(item.row);
            let top = y.saturating_sub(1);
            lines.across(x + 1, right, top);
            lines.across(x + 1, right, y + inner);
            let leaves = layout.channel(l).iter().any(|n| n.sources.contains(&item.row));
            let reached = before.is_some_and(|b| layout.channel(b).iter().any(|n| n.targets.contains(&item.row)));
            lines.joint(x, top, RIGHT | DOWN);
            lines.joint(right, top, LEFT | DOWN);
            lines.joint(x, y + inner, RIGHT | UP);
            lines.joint(right, y + inner, LEFT | UP);
            for side in [x, right] {
                (y + 1..y + inner).for_each(|y| lines.joint(side, y, UP | DOWN));
            }
            lines.joint(x, y, UP | DOWN | if reached { LEFT } else { 0 });
            lines.joint(right, y, UP | DOWN | if leaves { RIGHT } else { 0 });
        }
    }
}

/// The words of a node.
fn words(scene: &Scene<'_>, (layer, row): (usize, u32), whole: NodeIx, buf: &mut Buffer) {
    let (ui, theme) = (&scene.ui.graph, scene.theme);
    let board = ui.board();
    let (boxed, height) = match board.look() {
        Look::Row => (false, 1),
        Look::Box(inner) => (true, inner),
    };
    let (x, width) = board.column(layer);
    let (x, width) = if boxed { (x + 1, width.saturating_sub(2)) } else { (x, width) };
    let y = board.line(row);
    // Drawn on a strip of its own, of which what is in sight is taken over.
    let mut strip = Buffer::empty(Rect::new(0, 0, width, height));
    strip.set_style(strip.area, theme.style(Slot::Text));
    let selected = ui.selected() == Some(whole);
    let cells = usize::from(width).saturating_sub(2);
    let end = if boxed {
        in_box(scene, whole, cells, &mut strip);
        width
    } else {
        let figure = if board.has_figures() { Figure::Shown } else { Figure::Left };
        let mut pen = Pen::new(&mut strip, 1, 0, width);
        node(scene, whole, cells, figure, &mut pen);
        pen.put(" ", Style::new());
        pen.x
    };
    if selected {
        Pen::new(&mut strip, 0, 0, 1).put(theme.glyph(Glyph::Cursor), theme.style(Slot::Strong));
        strip.set_style(Rect::new(0, 0, end, height), theme.style(Slot::Selected));
    }
    // The line that comes to a row ends before its sign.
    let open = !boxed && !selected && is_reached(ui.drawn_layout(), layer, row);
    for (i, r) in (u16::from(open)..end).flat_map(|i| (0..height).map(move |r| (i, r))) {
        if let Some(to) = board.cell(x + i, y + r).and_then(|at| buf.cell_mut(at))
            && let Some(from) = strip.cell((i, r))
        {
            *to = from.clone();
        }
    }
    if boxed && (selected || is_critical(scene, whole)) {
        let style = theme.style(if selected { Slot::BorderFocus } else { Slot::Critical });
        for (i, r) in (0..width + 2).flat_map(|i| (0..height + 2).map(move |r| (i, r))) {
            let edge = i == 0 || i == width + 1 || r == 0 || r == height + 1;
            let at = (x - 1).checked_add(i).and_then(|x| board.cell(x, (y + r).checked_sub(1)?));
            if let Some(cell) = at.filter(|_| edge).and_then(|at| buf.cell_mut(at)) {
                cell.set_style(style);
            }
        }
    }
}

/// Whether a line comes to a row of a layer.
fn is_reached(layout: Option<&Layout>, layer: usize, row: u32) -> bool {
    let before = layer.checked_sub(1).and_then(|l| layout.map(|d| d.channel(l)));
    before.is_some_and(|nets| nets.iter().any(|n| n.targets.contains(&row)))
}
