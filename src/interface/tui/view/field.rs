//! A text field in the theme's styles, with its cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::widgets::Widget;

use crate::domain::text::wrap::row_count;
use crate::interface::tui::model::field::TextField;
use crate::interface::tui::theme::{Slot, Theme};

/// Draws a field; empty, it says what belongs there.
pub(super) fn field(theme: &Theme, field: &TextField, placeholder: &str, area: Rect, buf: &mut Buffer) {
    if area.width == 0 || area.height == 0 {
        return;
    }
    let mut shown = field.area.clone();
    shown.set_style(theme.style(Slot::Input));
    shown.set_cursor_line_style(theme.style(Slot::Input));
    shown.set_placeholder_style(theme.style(Slot::Placeholder));
    shown.set_placeholder_text(placeholder);
    shown.set_cursor_style(theme.style(Slot::Input).add_modifier(Modifier::REVERSED));
    (&shown).render(area, buf);
}

/// The rows its text takes at a width.
pub(super) fn rows(field: &TextField, cells: u16) -> u16 {
    // One cell for the cursor behind the last letter.
    let cells = usize::from(cells.saturating_sub(1).max(1));
    let rows: usize = field.area.lines().iter().map(|l| row_count(l, cells).max(1)).sum();
    u16::try_from(rows.max(1)).unwrap_or(u16::MAX)
}
