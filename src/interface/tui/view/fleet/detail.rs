//! All that is known of the selected endpoint: how it stands, why slots idle and what would change that, its slots, its
//! server, what it takes in memory, its history.
//!
//! Invariant: what is said first is what is odd; in a low pane the rest is scrolled to.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::words::{age, gb, is_down, odd, protocol};
use super::{histories, slots};
use crate::domain::fleet::Nature;
use crate::domain::memory::MemoryPlan;
use crate::domain::protocol::{Health, Intake};
use crate::domain::state::EndpointIx;
use crate::domain::text::CleanText;
use crate::interface::tui::model::fleet::questions;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Slot;
use crate::interface::tui::view::page::{self, facts, word, wrapped};
use crate::interface::tui::widget::figure::count;

/// The name of the selected endpoint, for the border.
pub(super) fn title(scene: &Scene<'_>) -> String {
    let Some(ix) = scene.ui.fleet.selected(scene.state) else { return "Endpoint".to_owned() };
    CleanText::one_line(scene.state.endpoint(ix).config.title()).to_string()
}

/// Draws the detail of the selected endpoint.
pub(super) fn render(scene: &Scene<'_>, area: Rect, strips: Rect, buf: &mut Buffer) {
    let Some(ix) = scene.ui.fleet.selected(scene.state) else { return };
    let inside = page::padded(area);
    let told = if super::strips::has_all_slots(scene, ix, strips) { Slots::Elsewhere } else { Slots::Here };
    let lines = lines(scene, ix, told, (inside.width, inside.height));
    page::paint_scrolled(scene.theme, inside, &lines, &scene.ui.fleet.detail, buf);
}

/// Where its slots are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slots {
    /// Among these lines.
    Here,
    /// On the strips.
    Elsewhere,
}

/// Its lines for a place of so many cells and rows.
pub(super) fn lines(scene: &Scene<'_>, ix: EndpointIx, told: Slots, (cells, height): (u16, u16)) -> Vec<Line<'static>> {
    let (state, theme) = (scene.state, scene.theme);
    let e = state.endpoint(ix);
    let pool = state.pool(e.pool);
    let fact = |name: &str, value: String| {
        let slot = if value == "–" { Slot::Dim } else { Slot::Text };
        vec![word(theme, Slot::Dim, format!("{name} ")), word(theme, slot, value)]
    };
    let figure = |n: Option<u32>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
    let mut out = Vec::new();
    for (words, slot) in odd(state, ix, scene.now) {
        out.extend(wrapped(theme, slot, &words, cells, 0));
    }
    if e.intake == Intake::Open
        && !is_down(e)
        && let Some(words) = questions::idle(state, ix, scene.now)
    {
        let free = pool.free();
        let of = if free == 1 { "1 slot is free: " } else { "" };
        let many = if free > 1 { format!("{free} slots are free: ") } else { String::new() };
        out.extend(wrapped(theme, Slot::Text, &format!("{of}{many}{words}"), cells, 0));
    }
    let mut lead = vec![
        fact("configured", e.config.slots.to_string()),
        fact("reported", figure(e.reported_slots)),
        fact("measured", figure(state.measured(ix))),
        fact("used by others", e.others.to_string()),
    ];
    if let Some(first) = lead.first_mut() {
        first.insert(0, word(theme, Slot::Strong, "slots "));
    }
    let ready = questions::ready(&scene.ui.run.figures().queue, state, e);
    let queue = vec![
        vec![
            word(theme, Slot::Strong, "waiting "),
            word(theme, Slot::Dim, "ready tasks "),
            word(theme, Slot::Text, ready.to_string()),
        ],
        fact("sent, not begun", state.waiting_unbegun(ix).to_string()),
        fact("its own queue", figure(e.queued)),
    ];
    if told == Slots::Here {
        out.extend(slot_lines(scene, ix, cells));
    }
    out.extend(facts(theme, lead, cells));
    out.extend(facts(theme, queue, cells));
    let share = state.cache_share(ix).map_or_else(|| "–".to_owned(), |s| format!("{:.0} %", s * 100.0));
    let first = if e.first_token > 0.0 { format!("{:.1} s", e.first_token) } else { "–".to_owned() };
    let speed = if e.slot_speed > 0.0 { format!("{:.0} t/s", e.slot_speed) } else { "–".to_owned() };
    let served = vec![
        vec![
            word(theme, Slot::Strong, "served "),
            word(theme, Slot::Text, e.completed.to_string()),
            word(theme, Slot::Dim, " well"),
        ],
        fact("failed", e.errors.to_string()),
        fact("first token", first),
        fact("a slot", speed),
        fact("prompt from cache", share),
    ];
    out.extend(facts(theme, served, cells));
    let m = questions::memory(&MemoryPlan::of(state), e);
    let shape = e.shape.unwrap_or_default();
    let memory = vec![
        vec![
            word(theme, Slot::Strong, "memory GB "),
            word(theme, Slot::Dim, "planned "),
            word(theme, Slot::Text, gb(m.planned)),
        ],
        fact("told", gb(m.claimed)),
        fact("measured", gb(m.measured)),
        fact("weights", gb(shape.weights)),
        fact("KV at full context", gb(m.kv)),
    ];
    out.extend(facts(theme, memory, cells));
    out.push(Line::from(word(theme, Slot::Heading, histories::title(scene.now))));
    let rows = if height >= 30 { 2 } else { 1 };
    out.extend(histories::of_endpoint(scene, e, usize::from(cells), rows));
    out.extend(about(scene, ix, cells));
    out
}

/// The slots in words, for panes; on the strips they have cells.
fn slot_lines(scene: &Scene<'_>, ix: EndpointIx, cells: u16) -> Vec<Line<'static>> {
    let rows = slots::rows(scene, ix, cells);
    let area = Rect::new(0, 0, cells, rows as u16);
    let mut buf = Buffer::empty(area);
    // Their ground is the screen's.
    buf.set_style(area, scene.theme.style(Slot::Text));
    for n in 0..rows {
        slots::row(scene, ix, n, Rect { y: n as u16, height: 1, ..area }, &mut buf);
    }
    (0..area.height)
        .map(|y| {
            let mut spans: Vec<Span<'static>> = Vec::new();
            let mut x = 0;
            while x < cells {
                let cell = &buf[(x, y)];
                let wide = crate::domain::text::width::width(cell.symbol()).max(1) as u16;
                spans.push(Span::styled(cell.symbol().to_owned(), cell.style()));
                x += wide;
            }
            Line::from(spans)
        })
        .collect()
}

/// Its server and what stays the same.
fn about(scene: &Scene<'_>, ix: EndpointIx, cells: u16) -> Vec<Line<'static>> {
    let (state, theme) = (scene.state, scene.theme);
    let e = state.endpoint(ix);
    let fact =
        |name: &str, value: String| vec![word(theme, Slot::Dim, format!("{name} ")), word(theme, Slot::Text, value)];
    let mut out = vec![Line::from(word(theme, Slot::Heading, "server"))];
    let health = match &e.health {
        Health::Up => "up",
        Health::Down { .. } => "down",
        Health::Loading => "loading",
        Health::Unknown => "not probed",
    };
    let mut all = vec![
        fact(health, format!("for {}", age(e.since, scene.now))),
        fact("speaks", protocol(e.config.protocol).to_owned()),
        fact("at", CleanText::one_line(&e.config.url).to_string()),
        fact("model", CleanText::one_line(&e.config.model).to_string()),
        fact("tiers", e.config.tiers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        fact("context", count(u64::from(e.context()))),
    ];
    if let Some(trained) = e.shape.and_then(|s| s.trained) {
        all.push(fact("trained for", count(u64::from(trained))));
    }
    if let Some(server) = &e.server {
        all.push(fact("says it is", CleanText::one_line(server).to_string()));
    }
    out.extend(facts(theme, all, cells));
    if let Some(mismatch) = &e.mismatch {
        out.extend(page::wrapped(theme, Slot::Warning, mismatch, cells, 0));
    }
    match state.servers.get(&e.config.name) {
        Some(server) => {
            let who = match server.lifetime {
                Some(lifetime) => format!("started by Baton, {}", lifetime.word()),
                None => "not started by Baton".to_owned(),
            };
            let mut all = vec![
                vec![word(theme, Slot::Strong, server.standing.word()), word(theme, Slot::Dim, format!(": {who}"))],
                fact("port", server.port.to_string()),
                fact("process", server.pid.map_or_else(|| "–".to_owned(), |pid| pid.to_string())),
            ];
            if server.restarts > 0 {
                all.push(fact("started again in a row", server.restarts.to_string()));
            }
            out.extend(facts(theme, all, cells));
            out.extend(wrapped(theme, Slot::Text, &CleanText::one_line(&server.words), cells, 0));
            for line in &server.last {
                out.extend(wrapped(theme, Slot::Dim, &CleanText::one_line(line), cells, 2));
            }
        }
        None if e.config.launch.is_some() => {
            out.push(Line::from(word(theme, Slot::Dim, "Baton can start it: s")));
        }
        None if e.config.nature == Nature::Simulated => {
            out.push(Line::from(word(theme, Slot::Dim, "Simulated: it begins and ends with Baton.")));
        }
        None => {
            let words = "Baton did not start it; a `launch` in the fleet file lets it.";
            out.extend(wrapped(theme, Slot::Dim, words, cells, 0));
        }
    }
    out
}
