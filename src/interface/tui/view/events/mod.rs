//! Screen 5: the journal, a line a record; beside it the record in full or the spans of its task.
//!
//! Not here: what the keys do (`model/events`) and which records there are ([`crate::interface::tui::log`]).

mod record;
mod spans;

pub(crate) use record::LaidOut;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::page::{self, Focus, frame, paint, plural, thousands};
use crate::domain::protocol::{Bearing, Micros};
use crate::domain::text::CleanText;
use crate::interface::tui::log::Entry;
use crate::interface::tui::model::events::{EventsFocus, EventsUi, Side};
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::pen::Pen;

/// From here on the record stands beside the list, else below it.
const BESIDE: u16 = 100;

/// Where the list and its side stand.
fn split(area: Rect) -> (Rect, Rect) {
    if area.width >= BESIDE {
        let side = (area.width * 2 / 5).min(90);
        let list = Rect { width: area.width - side, ..area };
        (list, Rect { x: list.right(), width: side, ..area })
    } else {
        let below = if area.height >= 14 { area.height * 2 / 5 } else { 0 };
        let list = Rect { height: area.height - below, ..area };
        (list, Rect { y: list.bottom(), height: below, ..area })
    }
}

/// How many records the list shows on a body of this size.
pub(crate) fn height(area: Rect) -> usize {
    usize::from(split(area).0.height.saturating_sub(2))
}

/// Draws the screen.
pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let (list, side) = split(area);
    draw_list(scene, list, buf);
    draw_side(scene, side, buf);
    page::twins(scene.theme, area, buf);
}

fn draw_list(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (theme, ui, log) = (scene.theme, &scene.ui.events, scene.transcripts.log());
    let (text, _) = ui.filter();
    let title = match text {
        "" => format!("Events {}", thousands(log.end().saturating_sub(1))),
        _ => format!("Events {} of {}", thousands(ui.rows() as u64), thousands(log.len() as u64)),
    };
    let remark = match (ui.looked_percent(), log.first()) {
        (Some(percent), _) => format!("looking, {percent} %"),
        (None, first) if first > 1 => format!("{} older in the journal", thousands(first - 1)),
        _ => String::new(),
    };
    let focus = if ui.focus == EventsFocus::List { Focus::Here } else { Focus::Away };
    let inside = frame(theme, area, &title, &remark, focus, buf);
    if ui.rows() == 0 {
        let says = match (log.is_empty(), text) {
            (true, _) => "Nothing has happened yet. Every record of the session will stand here.".to_owned(),
            (false, text) => format!("No record passes the filter {text:?}. / changes it, esc takes it off."),
        };
        paint(page::padded(inside), &page::wrapped(theme, Slot::Dim, &says, inside.width.saturating_sub(2), 0), buf);
        return;
    }
    let digits = log.end().to_string().len();
    for (i, y) in (inside.top()..inside.bottom()).enumerate() {
        let row = ui.top() + i;
        let Some((seq, entry)) = ui.seq_at(row).and_then(|seq| Some((seq, log.get(seq)?))) else { break };
        let line = Rect { y, height: 1, ..inside };
        scene.ui.spots.add(line, Spot::Row(row));
        let here = row == ui.position();
        draw_row(scene, line, (seq, digits), entry, here, buf);
    }
    let shown = usize::from(inside.height);
    let below = ui.rows().saturating_sub(ui.top() + shown);
    page::hidden(theme, inside, ui.top(), below, buf);
}

fn draw_row(scene: &Scene<'_>, line: Rect, (seq, digits): (u64, usize), entry: &Entry, here: bool, buf: &mut Buffer) {
    let (theme, ui) = (scene.theme, &scene.ui.events);
    let mut pen = Pen::new(buf, line.x, line.y, line.right());
    pen.put(if here { theme.glyph(Glyph::Cursor) } else { " " }, theme.style(Slot::Brand)).gap(1);
    pen.right_field(&seq.to_string(), digits, theme.style(Slot::Dim)).gap(1);
    pen.put(&instant(entry.at()), theme.style(Slot::Dim)).gap(1);
    let (glyph, slot) = sign(entry.bearing());
    pen.put(glyph.map_or(" ", |g| theme.glyph(g)), theme.style(slot)).gap(1);
    let wide = line.width >= 60;
    pen.field(entry.name(), if wide { 18 } else { 15 }, theme.style(Slot::Text), theme).gap(1);
    let title = entry.about(scene.state).task.and_then(|t| scene.state.task_by_id(t)).map(|t| t.title.clone());
    let words = CleanText::one_line(&entry.words());
    if let Some(title) = title.filter(|_| entry.name() != "attempt.output" || wide) {
        let room = pen.room();
        let cells = if words.is_empty() { room } else { (room * 2 / 5).max(room.min(12)) };
        pen.field(&title, cells, theme.style(Slot::Strong), theme).gap(1);
    }
    let words = theme.cut(&words, pen.room());
    pen.put(&words, theme.style(if slot == Slot::Dim { Slot::Text } else { slot }));
    if here {
        // Over all of it: words bring the screen's own ground with them.
        let slot = if ui.focus == EventsFocus::List { Slot::Selected } else { Slot::SelectedBlur };
        buf.set_style(line, theme.style(slot));
    }
}

fn draw_side(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (theme, ui) = (scene.theme, &scene.ui.events);
    if area.height < 3 {
        return;
    }
    let selected = ui.selected().and_then(|seq| Some((seq, scene.transcripts.log().get(seq)?)));
    let focus = if ui.focus == EventsFocus::Side { Focus::Here } else { Focus::Away };
    let title = match (ui.side, selected) {
        (_, None) => String::new(),
        (Side::Record, Some((seq, entry))) => format!("#{seq} {}", entry.name()),
        (Side::Spans, Some(_)) => "Spans".to_owned(),
    };
    let remark = match ui.side {
        Side::Record => "o spans",
        Side::Spans => "o record",
    };
    let inside = page::padded(frame(theme, area, &title, remark, focus, buf));
    let Some((seq, entry)) = selected else { return };
    let lines = match ui.side {
        Side::Record => ui.laid_out.rows(scene, seq, entry, inside.width),
        Side::Spans => spans::lines(scene, entry, inside.width).into(),
    };
    page::paint_scrolled(theme, inside, &lines, &ui.scroll, buf);
}

/// A bearing's sign and colour.
fn sign(bearing: Bearing) -> (Option<Glyph>, Slot) {
    match bearing {
        Bearing::Goes => (Some(Glyph::Running), Slot::Running),
        Bearing::Well => (Some(Glyph::Done), Slot::Done),
        Bearing::Badly => (Some(Glyph::Failed), Slot::Failed),
        Bearing::Asks => (Some(Glyph::Asking), Slot::Asking),
        Bearing::Stopped => (Some(Glyph::Cancelled), Slot::Dropped),
        Bearing::Skipped => (Some(Glyph::Skipped), Slot::Dropped),
        Bearing::Held => (Some(Glyph::Held), Slot::Held),
        Bearing::Plain => (None, Slot::Dim),
    }
}

/// `04:11.320`, or `1:04:11.320` from an hour on.
fn instant(at: Micros) -> String {
    format!("{}.{:03}", crate::interface::tui::widget::figure::clock(at), at.0 / 1_000 % 1_000)
}

/// What the fixed line says of the filter; none: nothing is filtered.
pub(super) fn field(ui: &EventsUi) -> Option<(String, String)> {
    let (text, error) = ui.filter();
    if text.is_empty() && !ui.is_typing() {
        return None;
    }
    let says = match error {
        Some(error) => error.to_string(),
        None if ui.is_typing() => plural(ui.rows(), "record"),
        None if ui.is_calm() => format!("{}; / then ctrl-u shows all", plural(ui.rows(), "record")),
        None => format!("{}; esc takes it off", plural(ui.rows(), "record")),
    };
    Some((text.to_owned(), says))
}

#[cfg(test)]
mod tests;
