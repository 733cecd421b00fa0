//! The layers in one line, on the border: a sign for each, how it stands, and which of them are to be seen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::domain::state::{Progress, Status};
use crate::domain::text::width::width;
use crate::interface::tui::model::graph::Form;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Slot;
use crate::interface::tui::view::run::words::sign;
use crate::interface::tui::widget::pen::Pen;

/// Draws the line on the border above `area`.
pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let Some(y) = area.y.checked_sub(1) else { return };
    let (ui, theme) = (&scene.ui.graph, scene.theme);
    let layers = ui.standing().layers();
    let end = area.right().saturating_sub(1);
    let at = ui.selected().map_or(0, |n| ui.layer_of(n) as usize);
    let right = match layers.get(at) {
        Some(p) => format!(" layer {} of {}: {}/{} done ", at + 1, layers.len(), p.done, p.total),
        None => String::new(),
    };
    let label = " layers ";
    let room = usize::from(area.width).saturating_sub(3);
    let right_cells = if width(&right) + label.len() + 8 <= room { width(&right) } else { 0 };
    let mut pen = Pen::new(buf, area.x + 1, y, end.saturating_sub(right_cells as u16));
    if room > label.len() + 12 {
        pen.put(label, theme.style(Slot::Title));
    } else {
        pen.put(" ", Style::new());
    }
    // With counts while there is room; where there are more layers than cells, one sign stands for several.
    let count = |p: &Progress| format!(" {}/{}", p.done, p.total);
    let wide: usize = layers.iter().map(|p| width(&count(p)) + 3).sum::<usize>() + 4;
    let counted = wide <= pen.room();
    let cells = pen.room().saturating_sub(4).max(1);
    let each = layers.len().div_ceil(cells).max(1);
    let (first, last) = seen(scene, at);
    for (i, some) in layers.chunks(each).enumerate() {
        let (from, to) = (i * each, i * each + some.len() - 1);
        if (from..=to).contains(&first) {
            pen.put("[", theme.style(Slot::BorderFocus));
        }
        let (glyph, slot) = sign(status(some));
        pen.put(theme.glyph(glyph), theme.style(slot));
        if counted {
            some.iter().for_each(|p| {
                pen.put(&count(p), theme.style(Slot::Text));
            });
        }
        if (from..=to).contains(&last) {
            pen.put("]", theme.style(Slot::BorderFocus));
        }
        if counted && to + 1 < layers.len() {
            pen.put("  ", Style::new());
        }
    }
    pen.put(" ", Style::new());
    if right_cells > 0 {
        Pen::new(buf, end.saturating_sub(right_cells as u16), y, end).put(&right, theme.style(Slot::Dim));
    }
}

/// The first and the last layer that are marked: those to be seen; in the list, that of the selected task.
fn seen(scene: &Scene<'_>, at: usize) -> (usize, usize) {
    let ui = &scene.ui.graph;
    match ui.form() {
        Form::Drawing => ui.board().seen_layers().unwrap_or((at, at)),
        Form::Rails => (at, at),
        Form::Near => {
            let layout = ui.drawn_layout().map_or(&[][..], |l| l.layers());
            let nodes = layout.iter().flatten().filter_map(|i| match i.what {
                crate::domain::graph::What::Node(n) => Some(ui.layer_of(ui.whole(n)) as usize),
                crate::domain::graph::What::Pass => None,
            });
            nodes.fold((at, at), |(a, b), l| (a.min(l), b.max(l)))
        }
    }
}

/// How layers stand, as one status: what failed shows first, then what runs.
fn status(layers: &[Progress]) -> Status {
    let sum = |of: fn(&Progress) -> u32| layers.iter().map(of).sum::<u32>();
    if sum(|p| p.failed) > 0 {
        Status::Failed
    } else if sum(|p| p.running) > 0 {
        Status::Running
    } else if sum(|p| p.waiting) > 0 {
        Status::Ready
    } else if sum(|p| p.done) > 0 {
        Status::Done
    } else {
        Status::Cancelled
    }
}
