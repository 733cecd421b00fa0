//! The Why box: the whole title of what is selected, and why it runs, waits, ended or idles.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::idle::endpoint_why;
use super::words::why;
use crate::domain::state::EndpointIx;
use crate::domain::text::wrap::wrap;
use crate::interface::tui::model::run::figures::FleetLine;
use crate::interface::tui::model::run::rows::Pick;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot, Theme};
use crate::interface::tui::widget::pen::{Pen, cut};

pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (title, reason) = said(scene);
    write(scene.theme, &title, &reason, area, buf);
}

/// Writes a title and a reason; where there is one row, the reason alone.
pub(in crate::interface::tui::view) fn write(theme: &Theme, title: &str, reason: &str, area: Rect, buf: &mut Buffer) {
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let cells = usize::from(inner.width).max(1);
    if inner.height == 1 {
        let text = format!("why: {reason}");
        Pen::new(buf, inner.x, inner.y, inner.right()).put(&cut(&text, cells, theme), theme.style(Slot::Text));
        return;
    }
    let height = usize::from(inner.height);
    let rows: Vec<_> = wrap(reason, cells).collect();
    // The title has a row, and those that the reason leaves.
    let most = height.saturating_sub(rows.len()).max(1);
    let titles: Vec<_> = wrap(title, cells).collect();
    let mut y = inner.y;
    for (i, row) in titles.iter().take(most).enumerate() {
        let last = i + 1 == most && titles.len() > most;
        let text = if last { title.get(row.start..) } else { title.get(row.clone()) }.unwrap_or_default();
        Pen::new(buf, inner.x, y, inner.right()).put(&cut(text, cells, theme), theme.style(Slot::Strong));
        y += 1;
    }
    let left = usize::from(inner.bottom().saturating_sub(y));
    for (i, row) in rows.iter().take(left).enumerate() {
        let last = i + 1 == left && rows.len() > left;
        let text = if last { reason.get(row.start..) } else { reason.get(row.clone()) }.unwrap_or_default();
        Pen::new(buf, inner.x, y, inner.right()).put(&cut(text, cells, theme), theme.style(Slot::Text));
        y += 1;
    }
}

/// Title and reason of the selection.
pub(super) fn said(scene: &Scene<'_>) -> (String, String) {
    let (state, ui) = (scene.state, &scene.ui.run);
    if ui.focus == crate::interface::tui::model::run::Focus::Fleet {
        return match ui.figures().fleet.get(ui.fleet_at) {
            Some(FleetLine::Idle { endpoints, why }) => (
                format!("idle: {}", names(scene, endpoints)),
                match endpoints.first() {
                    Some(first) if endpoints.len() == 1 => endpoint_why(state, ui.figures(), *first, scene.now),
                    _ => why.sentence().to_owned(),
                },
            ),
            Some(FleetLine::Endpoint { endpoint, .. }) => {
                let e = state.endpoint(*endpoint);
                (
                    format!("{} · {}", e.config.title(), e.config.model),
                    endpoint_why(state, ui.figures(), *endpoint, scene.now),
                )
            }
            None => (String::new(), "no endpoints are configured".to_owned()),
        };
    }
    if let Some(ix) = ui.selected() {
        return (state.task(ix).title.to_string(), why(state, ui.figures(), ix, scene.now));
    }
    let Some(row) = ui.rows().get(ui.cursor()) else { return (String::new(), "nothing is selected".to_owned()) };
    let p = row.progress;
    let name = match &row.pick {
        Pick::Goal(id) => state.goal(*id).map_or_else(String::new, |g| g.text.lines().next().unwrap_or("").to_owned()),
        Pick::Phase((_, name)) if name.is_empty() => "tasks".to_owned(),
        Pick::Phase((_, name)) => name.clone(),
        Pick::Finished(_) => return (format!("{} tasks are done", p.done), "enter shows them".to_owned()),
        Pick::Twins(first) => ui
            .groups()
            .named(*first)
            .map_or_else(String::new, |g| format!("{} {}{}", g.stem, scene.theme.glyph(Glyph::Times), g.members.len())),
        Pick::Task(_) => String::new(),
    };
    let mut parts = vec![format!("{} of {} done", p.done, p.total)];
    for (n, word) in [(p.running, "running"), (p.waiting, "waiting"), (p.failed, "failed"), (p.dropped, "dropped")] {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    (name, parts.join(", "))
}

/// Short names, joined.
pub(super) fn names(scene: &Scene<'_>, endpoints: &[EndpointIx]) -> String {
    endpoints.iter().map(|e| scene.state.endpoint(*e).config.short()).collect::<Vec<_>>().join(", ")
}
