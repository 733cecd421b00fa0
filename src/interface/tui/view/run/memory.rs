//! The memory bar: models to scale, what else is in use, what is free.
//!
//! Sizes are what servers report as resident, else what the fleet file plans; the words say which.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::text::width::width;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::figure::gigabytes;
use crate::interface::tui::widget::pen::{Pen, cut};

const SERIES: [Slot; 5] = [Slot::Series1, Slot::Series2, Slot::Series3, Slot::Series4, Slot::Series5];

/// The words on the border, left and right.
pub(super) fn titles(scene: &Scene<'_>) -> (String, String) {
    let m = scene.state.machine;
    if m.total == 0 {
        return ("Memory".to_owned(), String::new());
    }
    let swap = if m.swap >= 50_000_000 { format!("swap {} GB", gigabytes(m.swap).max(1)) } else { "no swap".to_owned() };
    (format!("Memory {}/{} GB", gigabytes(m.used), gigabytes(m.total)), swap)
}

struct Part {
    name: String,
    bytes: u64,
    slot: Slot,
}

fn parts(scene: &Scene<'_>) -> (Vec<Part>, bool) {
    let mut planned = false;
    let mut seen = Vec::new();
    let mut parts: Vec<Part> = Vec::new();
    for e in scene.state.endpoints().iter().filter(|e| e.is_usable()) {
        if seen.contains(&e.pool) {
            continue;
        }
        seen.push(e.pool);
        let bytes = match (e.resident, e.config.memory_gb) {
            (Some(bytes), _) => bytes,
            (None, Some(gb)) if gb > 0.0 => {
                planned = true;
                (f64::from(gb) * 1e9) as u64
            }
            _ => continue,
        };
        parts.push(Part { name: e.config.short().to_owned(), bytes, slot: Slot::SeriesOther });
    }
    parts.sort_by(|a, b| b.bytes.cmp(&a.bytes));
    for (part, slot) in parts.iter_mut().zip(SERIES) {
        part.slot = slot;
    }
    (parts, planned)
}

pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let m = scene.state.machine;
    let (x, right) = (area.x + 1, area.right().saturating_sub(1));
    let cells = usize::from(right.saturating_sub(x));
    if m.total == 0 || cells == 0 {
        Pen::new(buf, x, area.y, right).put("not sampled yet", theme.style(Slot::Dim));
        return;
    }
    let (mut parts, planned) = parts(scene);
    let models: u64 = parts.iter().map(|p| p.bytes).sum();
    let other = m.used.saturating_sub(models);
    if other > 0 {
        parts.push(Part { name: "other".to_owned(), bytes: other, slot: Slot::SeriesOther });
    }
    let whole = m.total.max(parts.iter().map(|p| p.bytes).sum());
    let mut unsaid = Vec::new();
    let mut pen = Pen::new(buf, x, area.y, right);
    let (mut sum, mut at) = (0u64, 0usize);
    for part in &parts {
        sum += part.bytes;
        let end = (sum as u128 * cells as u128 / u128::from(whole.max(1))) as usize;
        let wide = end.saturating_sub(at);
        at = end;
        let label = format!("{} {}", part.name, gigabytes(part.bytes));
        let style = theme.style(part.slot);
        if width(&label) < wide {
            pen.put(&label, style);
            pen.repeat(theme.glyph(Glyph::Block), wide - width(&label), style);
        } else {
            pen.repeat(theme.glyph(Glyph::Block), wide, style);
            unsaid.push(label);
        }
    }
    pen.repeat(theme.glyph(Glyph::BarEmpty), cells.saturating_sub(at), theme.style(Slot::BarEmpty));
    if area.height > 1 {
        let free = m.total.saturating_sub(m.used);
        let mut words = vec![format!("free {}", gigabytes(free))];
        if !unsaid.is_empty() {
            words.push(unsaid.join(" "));
        }
        if planned {
            words.push("planned sizes".to_owned());
        }
        Pen::new(buf, x, area.y + 1, right).put(&cut(&words.join(" · "), cells, theme), theme.style(Slot::Dim));
    }
}
