//! The message field at the foot of the screen: what was said before, the words, and when they will be read.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::field;
use super::put;
use super::sheet::{ink, row, rows_inside, sheet_at};
use crate::domain::state::Said;
use crate::domain::text::CleanText;
use crate::interface::tui::model::MessageUi;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot, Theme};

/// Earlier messages shown above the field.
const EARLIER: usize = 3;
/// The most rows of the field.
const FIELD: u16 = 6;

/// Draws the field at the foot of `area`.
pub(super) fn render(scene: &Scene<'_>, message: &MessageUi, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let Some(task) = scene.state.task_by_id(&message.task) else { return };
    let width = area.width.min(110);
    let typed = field::rows(&message.field, width.saturating_sub(6)).clamp(2, FIELD);
    let earlier = task.messages.len().min(EARLIER);
    let wanted = typed + earlier as u16 + 1 + u16::from(earlier > 0) + 4;
    let height = wanted.max(9).min(area.height);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + area.height - height, width, height };
    let inner = sheet_at(theme, &format!("To the agent of {}", task.title), place, buf);
    let room = rows_inside(height);
    // In a low area what was said before gives way first, then the remark.
    let remark = u16::from(room > typed.min(2));
    let earlier = (room.saturating_sub(typed.min(2) + remark + 1) as usize).min(earlier);
    for (y, said) in (0..).zip(task.messages.iter().skip(task.messages.len() - earlier)) {
        if let Some(line) = row(inner, y) {
            told(theme, said, line, buf);
        }
    }
    let gap = u16::from(earlier > 0);
    let above = earlier as u16 + gap;
    let box_area = Rect { y: inner.y + above, height: inner.height.saturating_sub(above + remark), ..inner };
    field::field(theme, &message.field, "What you want to tell it. ctrl-j makes a new line.", box_area, buf);
    if remark > 0
        && let Some(line) = row(inner, inner.height.saturating_sub(1))
    {
        put(buf, line, &theme.cut(MessageUi::when(task), usize::from(line.width)), theme.style(Slot::Dim));
    }
}

/// One earlier message: when, who, what, and whether the agent has read it.
fn told(theme: &Theme, said: &Said, line: Rect, buf: &mut Buffer) {
    let secs = said.at.0 / 1_000_000;
    let left = put(buf, line, &format!("{:02}:{:02} ", secs / 60, secs % 60), theme.style(Slot::Dim));
    let left = put(buf, left, &format!("{}: ", said.author), theme.style(Slot::Marker));
    let state = if said.turn.is_some() { "read" } else { "queued" };
    let state = format!(" {} {state}", theme.glyph(Glyph::Dot));
    let cells = u16::try_from(state.chars().count()).unwrap_or(0);
    let words = Rect { width: left.width.saturating_sub(cells), ..left };
    let after = put(buf, words, &theme.cut(&CleanText::one_line(&said.text), usize::from(words.width)), ink(theme));
    put(buf, Rect { width: cells.min(line.width), ..after }, &state, theme.style(Slot::Dim));
}
