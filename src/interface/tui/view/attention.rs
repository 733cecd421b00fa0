//! What needs the operator, oldest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::protocol::Subject;
use crate::domain::text::CleanText;
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::model::{AttentionUi, needs_you};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};

/// Draws the list over `area`.
pub(super) fn render(scene: &Scene<'_>, list: &AttentionUi, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let all = needs_you(scene.state);
    let inner =
        sheet(theme, "What needs you", (72, u16::try_from(all.len().max(1) * 2 + 1).unwrap_or(u16::MAX)), area, buf);
    if all.is_empty() {
        if let Some(line) = row(inner, 0) {
            put(buf, line, "Nothing needs you. Esc goes back.", theme.style(Slot::Dim));
        }
        return;
    }
    let shown = usize::from(inner.height / 2).max(1);
    let from = list.selected.saturating_sub(shown - 1);
    for (i, (at, (subject, attention))) in (0..).step_by(2).zip(all.iter().enumerate().skip(from)) {
        let Some(line) = row(inner, i) else { break };
        scene.ui.spots.add(Rect { height: 2.min(inner.bottom() - line.y), ..line }, Spot::Row(at));
        let selected = at == list.selected;
        if selected {
            buf.set_style(line, theme.style(Slot::Selected));
        }
        let left = put(buf, line, if selected { theme.glyph(Glyph::Cursor) } else { " " }, ink(theme));
        let left = put(buf, left, &format!(" {} ", theme.glyph(Glyph::Asking)), theme.style(Slot::Attention));
        let text = match subject {
            // What enter does there is said below, in the words of this list.
            Subject::Review(goal) => {
                let goal = scene.state.goal(*goal).map_or("", |g| g.text.as_str());
                CleanText::one_line(&format!("a plan waits for your review: {goal}"))
            }
            _ => CleanText::one_line(&attention.text),
        };
        put(buf, left, &theme.cut(&text, usize::from(left.width)), ink(theme));
        let does = match subject {
            Subject::Review(_) => "enter shows the plan",
            Subject::Task(_) | Subject::Question(_) | Subject::Stall(_) | Subject::Loop(_) | Subject::Context(_) => {
                "enter opens the task"
            }
            Subject::Endpoint(_) => "enter asks the endpoint again",
            Subject::Journal | Subject::Other(_) => "",
        };
        let age = scene.now.since(attention.since).0 / 1_000_000;
        if let Some(line) = row(inner, i + 1) {
            let text = format!("    for {:02}:{:02}  {does}", age / 60, age % 60);
            put(buf, line, &theme.cut(&text, usize::from(line.width)), theme.style(Slot::Dim));
        }
    }
}
