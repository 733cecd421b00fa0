//! The answer card: the question whole, its choices, and room for words of one's own.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::choices::ChoiceRows;
use super::field;
use super::page::{self, below, paint, upper, wrapped};
use super::put;
use super::sheet::{row, sheet};
use crate::domain::text::CleanText;
use crate::interface::tui::model::AnswerUi;
use crate::interface::tui::model::answer::Hand;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Slot;

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
    let own = [("w".to_owned(), CleanText::from_static("write an answer")), ("esc".to_owned(), "later".into())];
    let key = |i: usize| if i < 9 { (i + 1).to_string() } else { String::new() };
    let offered = question.choices.iter().enumerate().map(|(i, c)| (key(i), CleanText::one_line(c)));
    let choices = ChoiceRows::of(&offered.chain(own).collect::<Vec<_>>(), cells);
    let foot = match card.hand {
        Hand::Choosing => choices.count(),
        Hand::Writing => field::rows(&card.field, cells).clamp(3, 8),
    };
    let rows = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let inner = sheet(theme, &title, (WIDE, rows.saturating_add(foot + 1)), area, buf);
    // What can be answered stands; the question scrolls above it, and keeps a third where the answers are long.
    let least = rows.min(inner.height / 3);
    let foot = foot.min(inner.height.saturating_sub(least + 1).max(1));
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
            let span = choices.span(card.focused);
            let from = card.into.shown(span.len(), place.height) + choices.around(card.focused, place.height);
            choices.paint(scene, card.focused, from, place, buf);
            let left = usize::from(choices.count()).saturating_sub(from + usize::from(place.height));
            if from + left > 0 {
                page::hidden(theme, upper(below(inner, asked.height), gap), from, left, buf);
            }
        }
    }
}
