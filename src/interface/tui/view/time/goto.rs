//! The field that asks where in the session to go.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::interface::tui::model::time::GoToUi;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Slot;
use crate::interface::tui::view::sheet::{row, sheet};
use crate::interface::tui::view::{field, put};

/// Draws the field.
pub(in crate::interface::tui::view) fn render(scene: &Scene<'_>, goto: &GoToUi, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let inner = sheet(theme, "Go to", (60, 3), area, buf);
    if let Some(line) = row(inner, 0) {
        field::field(theme, &goto.field, "50%, 02:10, #4211, or a task", line, buf);
    }
    let (words, slot) = match &goto.trouble {
        Some(trouble) => (trouble.as_str(), Slot::Error),
        None => ("a part, a time, a record, or a task's name", Slot::Dim),
    };
    if let Some(line) = row(inner, inner.height.saturating_sub(1).min(2)).filter(|_| inner.height > 1) {
        put(buf, line, &theme.cut(words, usize::from(line.width)), theme.style(slot));
    }
}
