//! The form of an endpoint, on a sheet.
//!
//! Not here: what keys do (`model/fleet/form`).

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::interface::tui::model::fleet::form::{EndpointForm, Field};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::view::field;
use crate::interface::tui::view::put;
use crate::interface::tui::view::sheet::{row, sheet};

/// Cells of the words before the fields.
const LABEL: u16 = 12;

/// Draws the form over `area`.
pub(in crate::interface::tui::view) fn render(scene: &Scene<'_>, form: &EndpointForm, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let title = format!("{}, for this session", form.title);
    let inner = sheet(theme, &title, (64, 6), area, buf);
    for (i, of) in (0..).zip(Field::ALL) {
        let Some(line) = row(inner, i) else { return };
        let focused = form.focus() == of;
        let mark = if focused { theme.glyph(Glyph::Cursor) } else { " " };
        let slot = if focused { Slot::Title } else { Slot::Dim };
        put(buf, Rect { width: LABEL.min(line.width), ..line }, &format!("{mark} {}", of.word()), theme.style(slot));
        let place = Rect { x: line.x + LABEL.min(line.width), width: line.width.saturating_sub(LABEL), ..line };
        if place.width == 0 {
            continue;
        }
        if focused {
            field::field(theme, form.field(of), "as it is", place, buf);
        } else {
            put(buf, place, &theme.cut(&form.field(of).text(), usize::from(place.width)), theme.style(Slot::Input));
        }
    }
    let Some(line) = row(inner, inner.height.saturating_sub(1)).filter(|_| inner.height > 4) else { return };
    let (words, slot) = match form.wrong() {
        Some((field, words)) => (format!("{}: {words}", field.word()), Slot::Error),
        None => (form.focus().meaning().to_owned(), Slot::Dim),
    };
    put(buf, line, &theme.cut(&words, usize::from(line.width)), theme.style(slot));
}
