//! A task's form: a field a row, the prompt in several, mistakes under their fields.
//!
//! Not here: what keys do (`model/form`).

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::editor::paint;
use super::page::{self, Focus, frame, padded};
use super::put;
use crate::domain::state::State;
use crate::domain::text::wrap::wrap;
use crate::interface::tui::model::FormUi;
use crate::interface::tui::model::editor::keys::Room;
use crate::interface::tui::model::editor::rows::{place, rows};
use crate::interface::tui::model::editor::text::EditText;
use crate::interface::tui::model::form::fields::Field;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot, Theme};

/// The cells of the words before the fields.
const LABEL: u16 = 10;

/// A row of the form.
enum Part {
    /// A row of a field that is typed; for the prompt, which of its rows.
    Typed(Field, usize),
    /// A field that is chosen or pressed.
    Chosen(Field),
    /// What is wrong with the field above.
    Wrong(String),
    /// What is offered for the field above.
    Offer(String),
}

/// Draws a form over `area`.
pub(super) fn render(scene: &Scene<'_>, form: &FormUi, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let remark = if form.is_changed() { "changed" } else { "" };
    let inside = padded(frame(theme, area, &form.title(), remark, Focus::Here, buf));
    if inside.is_empty() {
        return;
    }
    let field = Rect { x: inside.x + LABEL.min(inside.width), width: inside.width.saturating_sub(LABEL), ..inside };
    let cells = usize::from(field.width.saturating_sub(1)).max(1);
    let others: usize = form.fields().iter().filter(|f| **f != Field::Prompt).count();
    let spare = usize::from(inside.height).saturating_sub(others + 3);
    let high = prompt_rows(form, cells).clamp(2, spare.max(2));
    form.measured(Room { cells, rows: high });
    let parts = parts(theme, form, scene.state, cells, high);
    // The focused field is always among the rows shown, with what is said of it.
    let owner = |part: &Part| match part {
        Part::Typed(f, _) | Part::Chosen(f) => Some(*f),
        Part::Wrong(_) | Part::Offer(_) => None,
    };
    let first = parts.iter().position(|p| owner(p) == Some(form.focus())).unwrap_or(0);
    let behind = parts.iter().skip(first).take_while(|p| owner(p).is_none_or(|f| f == form.focus())).count();
    let height = usize::from(inside.height);
    let top = (first + behind).saturating_sub(height).min(first);
    for (part, y) in parts.iter().skip(top).zip(inside.top()..inside.bottom()) {
        let label = Rect { y, height: 1, width: LABEL.min(inside.width), ..inside };
        let row = Rect { y, height: 1, ..field };
        match part {
            Part::Typed(field, n) => {
                if *n == 0 {
                    name(theme, form, *field, label, buf);
                }
                typed(theme, form, *field, (*n, high, cells), row, buf);
            }
            Part::Chosen(field) => {
                name(theme, form, *field, label, buf);
                chosen(theme, form, *field, row, buf);
            }
            Part::Wrong(words) => {
                put(buf, row, words, theme.style(Slot::Error));
            }
            Part::Offer(words) => {
                put(buf, row, &theme.cut(words, usize::from(row.width)), theme.style(Slot::Dim));
            }
        }
    }
    page::hidden(theme, inside, top, parts.len().saturating_sub(top + height), buf);
    page::twins(theme, area, buf);
}

fn parts(theme: &Theme, form: &FormUi, state: &State, cells: usize, high: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    for field in form.fields().iter().copied() {
        match field {
            Field::Prompt => parts.extend((0..high).map(|n| Part::Typed(field, n))),
            Field::Level | Field::Priority | Field::Result => parts.push(Part::Chosen(field)),
            _ => parts.push(Part::Typed(field, 0)),
        }
        if let Some(words) = form.problem(field) {
            let text = format!("{} {words}", theme.glyph(Glyph::Failed));
            let all = wrap(&text, cells).map(|r| Part::Wrong(text.get(r).unwrap_or_default().to_owned()));
            parts.extend(all.take(3));
        }
        if field == form.focus() && matches!(field, Field::Needs | Field::Agent) {
            let offers: Vec<String> =
                form.candidates(state).iter().map(|(id, title)| offer(id.as_str(), title)).collect();
            if !offers.is_empty() {
                parts.push(Part::Offer(format!("tab: {}", offers.join(", "))));
            }
        }
    }
    parts
}

fn offer(id: &str, title: &str) -> String {
    if title.is_empty() || title == id { id.to_owned() } else { format!("{id} ({title})") }
}

fn prompt_rows(form: &FormUi, cells: usize) -> usize {
    form.text(Field::Prompt).map_or(1, |t| t.lines().iter().map(|l| rows(l, cells).len()).sum())
}

fn name(theme: &Theme, form: &FormUi, field: Field, label: Rect, buf: &mut Buffer) {
    let focused = form.focus() == field;
    let mark = if focused { theme.glyph(Glyph::Cursor) } else { " " };
    let slot = if focused { Slot::Title } else { Slot::Dim };
    put(buf, label, &format!("{mark}{}", field.word()), theme.style(slot));
}

fn typed(
    theme: &Theme,
    form: &FormUi,
    field: Field,
    (n, high, cells): (usize, usize, usize),
    row: Rect,
    buf: &mut Buffer,
) {
    let Some(text) = form.text(field) else { return };
    let focused = form.focus() == field;
    let ink = theme.style(Slot::Input);
    if text.is_empty() && n == 0 {
        let (style, words) = (theme.style(Slot::Placeholder), field.placeholder());
        let cursor = focused.then_some(0);
        paint::row(words, 0..words.len(), |_| style, cursor, row, buf);
        return;
    }
    let at = text.cursor();
    let (line, range) = if field == Field::Prompt {
        let Some(found) = prompt_row(text, n, high, cells) else { return };
        found
    } else {
        // The end of a long line that is typed stays in sight.
        let all = rows(text.line(0), cells);
        let row = if focused { place(text.line(0), at.byte, cells).0 } else { 0 };
        (0, all.get(row).cloned().unwrap_or(0..0))
    };
    let whole = text.line(line);
    let here =
        focused && at.line == line && (range.contains(&at.byte) || (at.byte == range.end && range.end == whole.len()));
    paint::row(whole, range, |_| ink, here.then_some(at.byte), row, buf);
}

/// The `n`-th row of the prompt that is shown: the cursor's is among the `high` shown.
fn prompt_row(text: &EditText, n: usize, high: usize, cells: usize) -> Option<(usize, std::ops::Range<usize>)> {
    let at = text.cursor();
    let before: usize = text.lines().iter().take(at.line).map(|l| rows(l, cells).len()).sum();
    let cursor = before + place(text.line(at.line), at.byte, cells).0;
    let top = (cursor + 1).saturating_sub(high);
    let mut all = text.lines().iter().enumerate().flat_map(|(i, l)| rows(l, cells).into_iter().map(move |r| (i, r)));
    all.nth(top + n)
}

fn chosen(theme: &Theme, form: &FormUi, field: Field, row: Rect, buf: &mut Buffer) {
    let focused = form.focus() == field;
    let style = theme.style(if focused { Slot::Selected } else { Slot::Text });
    match field {
        Field::Result => {
            let left = put(buf, row, " edit the result by hand ", style);
            if focused {
                put(buf, left, "  enter opens it", theme.style(Slot::Dim));
            }
        }
        _ => {
            let words = form.choice(field);
            let text = if focused { format!("< {words} >") } else { words.to_string() };
            put(buf, row, &theme.cut(&text, usize::from(row.width)), style);
        }
    }
}
