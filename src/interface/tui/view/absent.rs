//! What happened while nobody was at this console, over the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::choices::ChoiceRows;
use super::page;
use super::sheet::sheet;
use crate::interface::tui::model::absent::AbsentUi;
use crate::interface::tui::scene::Scene;

/// Cells inside.
const WIDE: u16 = 84;

/// Draws it over `area`.
pub(super) fn render(scene: &Scene<'_>, absent: &AbsentUi, area: Rect, buf: &mut Buffer) {
    let cells = WIDE.min(area.width.saturating_sub(6));
    let lines: Vec<_> = absent.lines.iter().map(|(words, _)| (String::new(), words.clone())).collect();
    let rows = ChoiceRows::of(&lines, cells);
    let inner = sheet(scene.theme, "While nobody was here", (WIDE, rows.count()), area, buf);
    let from = rows.around(absent.focused, inner.height);
    rows.paint(scene, absent.focused, from, inner, buf);
    let left = usize::from(rows.count()).saturating_sub(from + usize::from(inner.height));
    page::hidden(scene.theme, inner, from, left, buf);
}
