//! The memory bar: models by size, what else is in use, what is free.
//!
//! Sizes are what servers tell or what is measured of their processes, the larger of the two, else what the fleet file
//! plans; the words say which.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::memory::MemoryPlan;
use crate::domain::protocol::Pressure;
use crate::domain::text::width::width;
use crate::interface::tui::model::fleet::questions;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::figure::gigabytes;
use crate::interface::tui::widget::pen::{Pen, cut};

const SERIES: [Slot; 5] = [Slot::Series1, Slot::Series2, Slot::Series3, Slot::Series4, Slot::Series5];

/// The words on the border, left and right.
pub(super) fn titles(scene: &Scene<'_>) -> (String, String) {
    let m = &scene.state.machine;
    if scene.state.config.fleet.is_simulated() {
        // Nothing of it is loaded here, so it is not held against this machine's memory.
        let (parts, _) = parts(scene);
        let models: u64 = parts.iter().map(|p| p.bytes).sum();
        return (format!("Memory {} GB", gigabytes(models)), "simulated".to_owned());
    }
    if m.total == 0 {
        return ("Memory".to_owned(), String::new());
    }
    let pressure = match m.pressure {
        Some(Pressure::Normal) => "ok",
        Some(pressure) => pressure.word(),
        None => "–",
    };
    (format!("Memory {}/{} GB", gigabytes(m.used), gigabytes(m.total)), format!("pressure {pressure}"))
}

/// Whole gigabytes, or that nobody told; swap that is any is not said to be none.
fn told(bytes: Option<u64>) -> String {
    match bytes {
        None => "–".to_owned(),
        Some(bytes) if bytes >= 50_000_000 => gigabytes(bytes).max(1).to_string(),
        Some(_) => "0".to_owned(),
    }
}

/// What the machine uses besides models.
const OTHER: &str = "other";
/// Names are cut until there is room for this many blocks.
const BLOCKS: usize = 6;

struct Part {
    name: String,
    bytes: u64,
    slot: Slot,
}

fn parts(scene: &Scene<'_>) -> (Vec<Part>, bool) {
    let (mut planned, plan) = (false, MemoryPlan::of(scene.state));
    let mut seen = Vec::new();
    let mut parts: Vec<Part> = Vec::new();
    for e in scene.state.endpoints().iter().filter(|e| e.is_usable()) {
        if seen.contains(&e.pool) {
            continue;
        }
        seen.push(e.pool);
        let memory = questions::memory(&plan, e);
        let Some(bytes) = memory.best() else { continue };
        planned |= memory.claimed.or(memory.measured).is_none();
        parts.push(Part { name: super::words::brief(e).to_owned(), bytes, slot: Slot::SeriesOther });
    }
    parts.sort_by_key(|p| std::cmp::Reverse(p.bytes));
    for (part, slot) in parts.iter_mut().zip(SERIES) {
        part.slot = slot;
    }
    (parts, planned)
}

fn label(part: &Part) -> String {
    format!("{} {}", part.name, gigabytes(part.bytes))
}

/// Cuts names until blocks fit beside them; the smallest models go into `other` when nothing else helps. Returns how
/// many blocks there is room for.
fn shorten(parts: &mut Vec<Part>, cells: usize) -> usize {
    let labels = |parts: &[Part]| parts.iter().map(|p| width(&label(p)) + 1).sum::<usize>();
    for letters in [8, 5, 4, 3] {
        for part in parts.iter_mut().filter(|p| p.name != OTHER) {
            part.name = part.name.chars().take(letters).collect::<String>().trim_end_matches('-').to_owned();
        }
        if labels(parts) + BLOCKS <= cells {
            return cells - labels(parts);
        }
    }
    while labels(parts) > cells && parts.len() > 1 {
        let Some(last) = parts.len().checked_sub(2) else { break };
        let gone = parts.remove(last);
        if let Some(other) = parts.last_mut() {
            other.bytes += gone.bytes;
            "+".clone_into(&mut other.name);
        }
    }
    cells.saturating_sub(labels(parts))
}

pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let m = &scene.state.machine;
    let (x, right) = (area.x + 1, area.right().saturating_sub(1));
    let cells = usize::from(right.saturating_sub(x));
    let simulated = scene.state.config.fleet.is_simulated();
    if cells == 0 || (m.total == 0 && !simulated) {
        Pen::new(buf, x, area.y, right).put("not sampled yet", theme.style(Slot::Dim));
        return;
    }
    let (mut parts, planned) = parts(scene);
    let models: u64 = parts.iter().map(|p| p.bytes).sum();
    let other = if simulated { 0 } else { m.used.saturating_sub(models) };
    if other > 0 {
        parts.push(Part { name: OTHER.to_owned(), bytes: other, slot: Slot::SeriesOther });
    }
    let blocks = shorten(&mut parts, cells);
    let models: u64 = parts.iter().map(|p| p.bytes).sum();
    let mut pen = Pen::new(buf, x, area.y, right);
    for part in &parts {
        let style = theme.style(part.slot);
        pen.put(&label(part), style);
        let n = (part.bytes as u128 * blocks as u128 / u128::from(models.max(1))) as usize;
        pen.repeat(theme.glyph(Glyph::Block), n, style).gap(1);
    }
    if area.height > 1 {
        let free = m.total.saturating_sub(m.used);
        let plan = MemoryPlan::of(scene.state);
        let here = format!("this machine: {} of {} GB used", gigabytes(m.used), gigabytes(m.total));
        let mut words = match (simulated, m.total) {
            (true, 0) => Vec::new(),
            (true, _) => vec![here],
            (false, _) => vec![
                format!("free {}", gigabytes(free)),
                format!("KV can grow {}", told(plan.headroom())),
                format!("swap {}", told(m.swap_used())),
                format!("GPU limit {}", told(m.gpu_limit().map(|l| l.bytes))),
            ],
        };
        if simulated {
            words.insert(0, "as if loaded".to_owned());
        } else if planned {
            words.push("planned sizes".to_owned());
        }
        // What there is no room for is left out whole: the last says least.
        while words.len() > 1 && width(&words.join(" · ")) > cells {
            words.pop();
        }
        Pen::new(buf, x, area.y + 1, right).put(&cut(&words.join(" · "), cells, theme), theme.style(Slot::Dim));
    }
}
