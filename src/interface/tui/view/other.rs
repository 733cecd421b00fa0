//! The screens that are still to come, until they are built: what each will show, and which key leads back.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use super::sheet::row;
use crate::interface::tui::theme::{Slot, Theme};

/// Draws the words for screen `n`.
pub(super) fn render(theme: &Theme, n: u8, area: Rect, buf: &mut Buffer) {
    let (title, shows) = match n {
        3 => ("Fleet", "every endpoint and slot, its speed, queue and memory"),
        _ => ("Time", "who worked when, and the whole console at any instant of the past"),
    };
    let lines = [
        (Slot::Heading, format!("{title} comes with a later version; 1 goes back.")),
        (Slot::Dim, format!("It will show {shows}.")),
        (Slot::Dim, "The journal records it already.".to_owned()),
    ];
    let top = area.height.saturating_sub(3) / 3;
    for (i, (slot, text)) in (top..).zip(lines) {
        let Some(line) = row(area, i) else { break };
        let line = Rect { x: line.x + 3, width: line.width.saturating_sub(4), ..line };
        put(buf, line, &theme.cut(&text, usize::from(line.width)), theme.style(slot));
    }
}
