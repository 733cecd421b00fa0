//! The answer card: the question whole, its choices, and room for words of one's own.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::field;
use super::page::{self, below, paint, upper, wrapped};
use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::text::CleanText;
use crate::interface::tui::model::AnswerUi;
use crate::interface::tui::model::answer::Hand;
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};

/// Cells inside.
const WIDE: u16 = 76;

/// Draws the card over `area`.
pub(super) fn render(scene: &Scene<'_>, card: &AnswerUi, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let Some(task) = scene.state.task_by_id(&card.task) else { return };
    let title = format!("{} asks", task.title);
    let Some(question) = card.question(scene.state) else {
        let inner = sheet(theme, &title, (WIDE, 1), area, buf);
        if let Some(line) = row(inner, 0) {
            put(buf, line, "This question is answered. esc goes back.", theme.style(Slot::Dim));
        }
        return;
    };
    let cells = WIDE.min(area.width.saturating_sub(6));
    let text = wrapped(theme, Slot::Text, &question.text, cells, 0);
    let foot = match card.hand {
        Hand::Choosing => question.choices.len() as u16 + 2,
        Hand::Writing => field::rows(&card.field, cells).clamp(3, 8),
    };
    let wanted = u16::try_from(text.len()).unwrap_or(u16::MAX).saturating_add(foot + 1);
    let inner = sheet(theme, &title, (WIDE, wanted), area, buf);
    // What can be answered always stands; the question scrolls above it.
    let foot = foot.min(inner.height.saturating_sub(1));
    let gap = u16::from(inner.height > foot + 2);
    let asked = upper(inner, inner.height.saturating_sub(foot + gap));
    let from = card.scroll.min(text.len().saturating_sub(usize::from(asked.height)));
    paint(asked, text.get(from..).unwrap_or_default(), buf);
    let hidden = text.len().saturating_sub(from + usize::from(asked.height));
    page::hidden(theme, asked, from, hidden, buf);
    let place = below(inner, asked.height + gap);
    match card.hand {
        Hand::Writing => field::field(theme, &card.field, "Your answer. enter sends it.", place, buf),
        Hand::Choosing => {
            let own = [("w".to_owned(), CleanText::from_static("write an answer")), ("esc".to_owned(), "later".into())];
            let offered = question
                .choices
                .iter()
                .enumerate()
                .map(|(i, c)| (if i < 9 { (i + 1).to_string() } else { String::new() }, CleanText::one_line(c)));
            let rows: Vec<(String, CleanText)> = offered.chain(own).collect();
            let from = card.focused.saturating_sub(usize::from(place.height).saturating_sub(1));
            for (i, (at, (key, words))) in (0..).zip(rows.iter().enumerate().skip(from)) {
                let Some(line) = row(place, i) else { break };
                scene.ui.spots.add(line, Spot::Row(at));
                let focused = at == card.focused;
                if focused {
                    buf.set_style(line, theme.style(Slot::Selected));
                }
                let mark = if focused { theme.glyph(Glyph::Cursor) } else { " " };
                let sign = if focused { ink(theme) } else { theme.style(Slot::Key) };
                let left = put(buf, line, &format!("{mark} {key:<4}"), sign);
                put(buf, left, &theme.cut(words, usize::from(left.width)), ink(theme));
            }
        }
    }
}
