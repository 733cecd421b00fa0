//! The time strip on the fixed line: the moment that is shown, the whole, how it is played, and the way back.
//!
//! Not here: notices, which stand beside it. Invariant: where there is little room the moment itself stays.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::text::width::width;
use crate::interface::tui::model::time::{Kind, Moment};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot, Theme};
use crate::interface::tui::widget::figure::clock;
use crate::interface::tui::widget::pen::Pen;

/// What stands beside the strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::interface::tui::view) enum Beside {
    /// It has the line to itself.
    Nothing,
    /// A notice, a filter, what is typed.
    Words,
}

/// Draws the strip; what comes back is the place for a notice, if one is to stand there.
pub(in crate::interface::tui::view) fn render(
    scene: &Scene<'_>,
    moment: &Moment,
    beside: Beside,
    row: Rect,
    buf: &mut Buffer,
) -> Rect {
    let theme = scene.theme;
    let mut pen = Pen::new(buf, row.x, row.y, row.right());
    let word = match (moment.plays, moment.reads) {
        (true, _) => "playing",
        (false, true) => "reading",
        (false, false) => "paused",
    };
    let end = clock(moment.end);
    pen.put(word, theme.style(Slot::Notice)).gap(1);
    pen.put(&format!("{}/{end}", clock(moment.at)), theme.style(Slot::Strong));
    pen.put(&format!(" {:>3.0}%", moment.share() * 100.0), theme.style(Slot::Text));
    if pen.room() > 40 {
        pen.put(&format!(" {}{}", theme.glyph(Glyph::Times), moment.speed.words()), theme.style(Slot::Text));
    }
    let at = pen.x;
    if beside == Beside::Words {
        let gap = 3.min(row.right().saturating_sub(at));
        return Rect { x: at + gap, width: row.right() - at - gap, ..row };
    }
    let back = back(scene, moment);
    let record = format!("#{} ", moment.seq);
    let markers = format!("{}/{} marks  ", moment.markers.0, moment.markers.1);
    let mut room = pen.room().saturating_sub(2);
    let mut take = |words: &str| {
        let fits = room >= width(words);
        if fits {
            room -= width(words);
        }
        fits
    };
    // What says least goes first.
    let has_back = take(&back);
    let has_bar = take(&" ".repeat(12));
    let (has_record, has_markers) = (take(&record), take(&markers));
    pen.gap(2);
    if has_record {
        pen.put(&record, theme.style(Slot::Dim));
    }
    if has_markers {
        pen.put(&markers, theme.style(Slot::Dim));
    }
    if has_bar {
        let cells = (10 + room).min(40);
        bar(theme, moment, cells, &mut pen);
        pen.gap(2);
    }
    if has_back {
        pen.put(&back, theme.style(Slot::Dim));
    }
    Rect { x: row.right(), width: 0, ..row }
}

/// How far it is, as a bar.
fn bar(theme: &Theme, moment: &Moment, cells: usize, pen: &mut Pen<'_>) {
    let full = ((moment.share() * cells as f64) as usize).min(cells);
    pen.repeat(theme.glyph(Glyph::BarFull), full, theme.style(Slot::BarFull));
    pen.repeat(theme.glyph(Glyph::BarEmpty), cells - full, theme.style(Slot::BarEmpty));
}

fn back(scene: &Scene<'_>, moment: &Moment) -> String {
    match scene.ui.time.kind {
        Kind::Live => "0 returns to now".to_owned(),
        Kind::Replay if moment.seq >= moment.last => "this is the end; q leaves".to_owned(),
        Kind::Replay => "; plays, q leaves".to_owned(),
    }
}
