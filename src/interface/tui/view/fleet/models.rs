//! What the models take: planned, told by their servers, measured of their processes, and what their caches may take.
//!
//! Not here: the sums themselves (`model/fleet/questions`).

use ratatui::text::{Line, Span};

use super::words::gb;
use crate::domain::fleet::local_port;
use crate::domain::memory::MemoryPlan;
use crate::domain::text::CleanText;
use crate::interface::tui::model::fleet::questions::{self, ModelMemory};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::view::page::{cell, cell_right, facts, word};
use crate::interface::tui::widget::history::shares;

/// Cells of a figure.
const FIGURE: usize = 9;
/// Cells of a name.
const NAME: usize = 16;

/// A line for each model, and their sum.
pub(super) fn lines(scene: &Scene<'_>, cells: usize) -> Vec<Line<'static>> {
    let (theme, state) = (scene.theme, scene.state);
    let (mut seen, plan) = (Vec::new(), MemoryPlan::of(state));
    let mut rows: Vec<(String, ModelMemory)> = Vec::new();
    for e in state.endpoints() {
        let m = questions::memory(&plan, e);
        let here = local_port(&e.config.url).is_some();
        if m == ModelMemory::default() || !here || seen.contains(&e.pool) {
            continue;
        }
        seen.push(e.pool);
        rows.push((e.config.title().to_owned(), m));
    }
    if rows.is_empty() {
        return vec![Line::from(word(theme, Slot::Dim, "Nobody tells what the models take."))];
    }
    rows.sort_by_key(|(_, m)| std::cmp::Reverse(m.best()));
    let columns = ["planned", "told", "measured", "KV full"];
    let figures = columns.len().min(cells.saturating_sub(NAME) / (FIGURE + 1));
    let room = cells.saturating_sub(NAME + figures * (FIGURE + 1) + 1);
    let head = columns.iter().take(figures).map(|c| format!(" {}", cell_right(c, FIGURE))).collect::<String>();
    let mut out = vec![Line::from(word(theme, Slot::Dim, format!("{}{head}", cell("model GB", NAME))))];
    let most = rows.iter().filter_map(|(_, m)| m.best()).max().unwrap_or(1);
    for (name, m) in &rows {
        let mut spans = vec![word(theme, Slot::Text, cell(&CleanText::one_line(name), NAME))];
        for figure in [m.planned, m.claimed, m.measured, m.kv].into_iter().take(figures) {
            let slot = if figure.is_some() { Slot::Text } else { Slot::Dim };
            spans.push(word(theme, slot, format!(" {}", cell_right(&gb(figure), FIGURE))));
        }
        if room >= 8 {
            let best = m.best().unwrap_or(0);
            let full = shares(&[best, most - best.min(most)], room).first().copied().unwrap_or(0);
            spans.push(Span::raw(" "));
            spans.push(word(theme, Slot::Series2, theme.glyph(Glyph::Block).repeat(full)));
        }
        out.push(Line::from(spans));
    }
    let sum = |of: fn(&ModelMemory) -> Option<u64>| {
        let told = rows.iter().filter_map(|(_, m)| of(m));
        told.fold(None, |sum: Option<u64>, bytes| Some(sum.unwrap_or(0).saturating_add(bytes)))
    };
    let mut spans = vec![word(theme, Slot::Strong, cell("all", NAME))];
    let sums = [sum(|m| m.planned), sum(|m| m.claimed), sum(|m| m.measured), sum(|m| m.kv)];
    for figure in sums.into_iter().take(figures) {
        spans.push(word(theme, Slot::Strong, format!(" {}", cell_right(&gb(figure), FIGURE))));
    }
    out.push(Line::from(spans));
    // Simulated models take nothing of it.
    if !state.config.fleet.is_simulated() {
        out.extend(limits(scene, &plan, cells));
    }
    out
}

/// What is held of what may be taken, and what is left for caches.
fn limits(scene: &Scene<'_>, plan: &MemoryPlan, cells: usize) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let fact =
        |name: &str, value: String| vec![word(theme, Slot::Dim, format!("{name} ")), word(theme, Slot::Text, value)];
    let limit = plan.limit.map_or_else(|| "–".to_owned(), |limit| limit.to_string());
    let held = plan.held();
    let over = plan.limit.is_some_and(|limit| held > limit.bytes);
    let mut all = vec![
        vec![
            word(theme, Slot::Dim, "held "),
            word(theme, if over { Slot::Error } else { Slot::Strong }, gb(Some(held))),
            word(theme, Slot::Dim, format!(" of {limit}")),
        ],
        fact("KV can grow", gb(questions::headroom(plan))),
    ];
    if plan.others > 0 {
        all.push(fact("other programs", gb(Some(plan.others))));
    }
    if plan.reserve > 0 {
        all.push(fact("kept free", gb(Some(plan.reserve))));
    }
    facts(theme, all, cells as u16)
}
