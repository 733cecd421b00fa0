//! The palette: what is typed, and the actions that match with their keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use super::sheet::{ink, row, sheet};
use crate::domain::text::width::width;
use crate::interface::tui::action::Keymap;
use crate::interface::tui::model::PaletteUi;
use crate::interface::tui::model::palette::Offer;
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};

/// Draws the palette over `area`.
pub(super) fn render(scene: &Scene<'_>, keymap: &Keymap, palette: &PaletteUi, area: Rect, buf: &mut Buffer) {
    let (theme, state) = (scene.theme, scene.state);
    let found = palette.found(state);
    let inner = sheet(theme, "Commands", (64, 18), area, buf);
    let Some(first) = row(inner, 0) else { return };
    let left = put(buf, first, ": ", theme.style(Slot::Key));
    if palette.query.is_empty() {
        let left = put(buf, left, theme.glyph(Glyph::Caret), theme.style(Slot::Input));
        put(buf, left, " a few letters of what you want", theme.style(Slot::Placeholder));
    } else {
        let left = put(buf, left, &palette.query, theme.style(Slot::Input));
        let left = put(buf, left, theme.glyph(Glyph::Caret), theme.style(Slot::Input));
        if let Some(form) = palette.form() {
            let wants = form.usage().split_once(' ').map_or("", |(_, wants)| wants);
            put(buf, left, &theme.cut(&format!("   {wants}"), usize::from(left.width)), theme.style(Slot::Placeholder));
        }
    }
    let rows = inner.height.saturating_sub(2);
    if found.is_empty() {
        if let Some(line) = row(inner, 2) {
            put(buf, line, "nothing is called so; backspace widens", theme.style(Slot::Dim));
        }
        return;
    }
    let from = palette.selected.saturating_sub(usize::from(rows).saturating_sub(1));
    for (i, (at, offer)) in (2..).zip(found.iter().enumerate().skip(from)) {
        let Some(line) = row(inner, i) else { break };
        scene.ui.spots.add(line, Spot::Row(at));
        let selected = at == palette.selected;
        if selected {
            buf.set_style(line, theme.style(Slot::Selected));
        }
        let left = put(buf, line, if selected { theme.glyph(Glyph::Cursor) } else { " " }, ink(theme));
        let left = put(buf, left, " ", ink(theme));
        let works = !matches!(offer, Offer::Action(entry) if !palette.works(entry));
        let key = match offer {
            _ if !works => "not here".to_owned(),
            Offer::Action(entry) => {
                let key = keymap.key(&palette.contexts, entry.action).or_else(|| keymap.any_key(entry.action));
                key.map_or_else(String::new, |key| key.to_string())
            }
            Offer::Form(form) => form.usage().to_owned(),
            Offer::Level(..) | Offer::Task(..) => String::new(),
        };
        let (words, sign) = if works { (ink(theme), Slot::Key) } else { (theme.style(Slot::Dim), Slot::Dim) };
        let sign = if selected { ink(theme) } else { theme.style(sign) };
        let keys = u16::try_from(width(&key)).unwrap_or(0);
        put(buf, left, &theme.cut(&offer.words(state), usize::from(left.width.saturating_sub(keys + 1))), words);
        let right = Rect { x: line.x + line.width.saturating_sub(keys), width: keys, ..line };
        put(buf, right, &key, sign);
    }
}
