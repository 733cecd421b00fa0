//! The fleet pane: a strip per endpoint, what idles in one line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::protocol::Health;
use crate::domain::state::{EndpointIx, EndpointState, PermitPhase, Pool};
use crate::domain::text::width::width;
use crate::interface::tui::model::run::figures::FleetLine;
use crate::interface::tui::model::run::{Drawn, Focus, Hit};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::bar::{filled, history};
use crate::interface::tui::widget::pen::{Pen, cut, put_right};

/// Cells of the slots: more slots than these become a bar.
const CELLS: usize = 6;

/// The words on the border.
pub(super) fn title(scene: &Scene<'_>) -> String {
    let (busy, all) = scene.state.slots();
    let down = scene.ui.run.figures().down_slots;
    if down > 0 { format!("Fleet {busy}/{all} · {down} down") } else { format!("Fleet {busy}/{all}") }
}

pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer, drawn: &mut Drawn) {
    let ui = &scene.ui.run;
    let lines = &ui.figures().fleet;
    let height = usize::from(area.height);
    if lines.is_empty() {
        Pen::new(buf, area.x + 1, area.y, area.right()).put("No endpoints.", scene.theme.style(Slot::Dim));
        return;
    }
    let names = lines
        .iter()
        .filter_map(|l| match l {
            FleetLine::Endpoint { endpoint, .. } => Some(width(scene.state.endpoint(*endpoint).config.short())),
            FleetLine::Idle { .. } => None,
        })
        .max()
        .unwrap_or(7)
        .clamp(7, 12);
    let top = if ui.focus == Focus::Fleet { (ui.fleet_at + 1).saturating_sub(height) } else { 0 };
    let more = lines.len().saturating_sub(height);
    for (i, line) in lines.iter().enumerate().skip(top).take(height) {
        let y = area.y + (i - top) as u16;
        let row = Rect { y, height: 1, ..area };
        drawn.hits.push((row, Hit::Fleet(i)));
        if more > 0 && ui.focus != Focus::Fleet && i + 1 == height {
            let text = format!("{} more", more + 1);
            Pen::new(buf, area.x + 1, y, area.right()).put(&text, scene.theme.style(Slot::Dim));
            continue;
        }
        match line {
            FleetLine::Endpoint { endpoint, queued, rate } => strip(scene, *endpoint, *queued, *rate, names, row, buf),
            FleetLine::Idle { endpoints, why } => {
                let cells = usize::from(area.width).saturating_sub(2);
                let text = idle(scene, endpoints, why.words(), cells);
                Pen::new(buf, area.x + 1, y, area.right())
                    .put(&cut(&text, cells, scene.theme), scene.theme.style(Slot::Dim));
            }
        }
        if ui.focus == Focus::Fleet && i == ui.fleet_at {
            buf.set_style(row.intersection(buf.area), scene.theme.style(Slot::Selected));
        }
    }
}

/// Who idles and why: when not all names fit, the rest is a number, so that the reason is always there.
fn idle(scene: &Scene<'_>, endpoints: &[EndpointIx], why: &str, cells: usize) -> String {
    let names: Vec<&str> = endpoints.iter().map(|e| super::words::brief(scene.state.endpoint(*e))).collect();
    let said = |shown: usize| {
        let mut list = names.get(..shown).unwrap_or_default().join(", ");
        if shown < names.len() {
            let more = names.len() - shown;
            list = if list.is_empty() { more.to_string() } else { format!("{list} and {more} more") };
        }
        format!("idle {list} · why: {why}")
    };
    let shown = (0..=names.len()).rev().find(|n| width(&said(*n)) <= cells).unwrap_or(0);
    said(shown)
}

fn strip(scene: &Scene<'_>, endpoint: EndpointIx, queued: u32, rate: f32, names: usize, row: Rect, buf: &mut Buffer) {
    let (state, theme) = (scene.state, scene.theme);
    let e = state.endpoint(endpoint);
    let pool = state.pool(e.pool);
    let down = is_down(e);
    // The history first: what is before it may be cut, it may not.
    let wide = usize::from(row.width);
    let mut right = row.right().saturating_sub(1);
    if wide >= 46 {
        let cells = if wide >= 56 { 12 } else { 6 };
        let text = history(&e.tokens.last(scene.now, 60), cells, theme);
        right = put_right(buf, row.x, row.y, right, &text, theme.style(if down { Slot::Dim } else { Slot::Spark }))
            .saturating_sub(1);
    }
    let mut pen = Pen::new(buf, row.x + 1, row.y, right);
    pen.field(e.config.short(), names, theme.style(Slot::Text), theme).gap(1);
    cells(scene, e, pool, &mut pen);
    pen.gap(1);
    let share = format!("{}/{}", if down { 0 } else { pool.busy() }, pool.ceiling);
    pen.right_field(&share, 5, theme.style(if down { Slot::Dim } else { Slot::Text })).gap(1);
    if down {
        let again = match e.probe_at {
            Some(at) if at > scene.now => format!("down  retry in {} s", at.since(scene.now).0.div_ceil(1_000_000)),
            _ => "down  ctrl-r probes".to_owned(),
        };
        pen.gap(2).put(&again, theme.style(Slot::Error));
        return;
    }
    if e.health == Health::Loading {
        pen.gap(2).put("loading its model", theme.style(Slot::Warning));
        return;
    }
    let speed = if rate > 0.0 { format!("{rate:.0} t/s") } else { format!("{}    ", theme.glyph(Glyph::Unknown)) };
    pen.right_field(&speed, 7, theme.style(Slot::Text)).gap(1);
    let draining = pool.permits.iter().filter(|p| matches!(p.phase, PermitPhase::Draining(_))).count();
    if queued > 0 {
        pen.put(&format!("{queued} queued"), theme.style(Slot::Waiting));
    } else if draining > 0 {
        pen.put(&format!("{draining} draining"), theme.style(Slot::SlotDraining));
    } else if pool.free() > 0 {
        pen.put(&format!("{} free", pool.free()), theme.style(Slot::Dim));
    } else {
        pen.put("full", theme.style(Slot::Dim));
    }
}

fn is_down(e: &EndpointState) -> bool {
    !e.is_usable() && e.health != Health::Loading
}

fn cells(scene: &Scene<'_>, e: &EndpointState, pool: &Pool, pen: &mut Pen<'_>) {
    let theme = scene.theme;
    let end = pen.x + CELLS as u16;
    let slots = pool.ceiling as usize;
    if is_down(e) {
        pen.repeat(theme.glyph(Glyph::SlotDown), slots.min(CELLS), theme.style(Slot::SlotDown));
    } else if slots > CELLS {
        let full = filled(pool.busy() as f32 / slots as f32, CELLS);
        pen.repeat(theme.glyph(Glyph::BarFull), full, theme.style(Slot::BarFull));
        pen.repeat(theme.glyph(Glyph::BarEmpty), CELLS - full, theme.style(Slot::BarEmpty));
    } else {
        for permit in pool.permits.iter().take(CELLS) {
            let (glyph, slot) = match permit.phase {
                PermitPhase::Free => (Glyph::SlotFree, Slot::SlotFree),
                PermitPhase::Granted(_) => (Glyph::SlotBusy, Slot::SlotPrompt),
                PermitPhase::Generating(_) => (Glyph::SlotBusy, Slot::SlotBusy),
                PermitPhase::Draining(_) => (Glyph::SlotBusy, Slot::SlotDraining),
            };
            pen.put(theme.glyph(glyph), theme.style(slot));
        }
    }
    pen.x = end.max(pen.x);
}

/// The whole fleet on one line: for the stacked form.
pub(super) fn one_line(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (state, theme) = (scene.state, scene.theme);
    let mut pen = Pen::new(buf, area.x + 1, area.y, area.right().saturating_sub(1));
    for line in &scene.ui.run.figures().fleet {
        let (text, slot) = match line {
            FleetLine::Endpoint { endpoint, queued, .. } => {
                let e = state.endpoint(*endpoint);
                let pool = state.pool(e.pool);
                let name = super::words::brief(e);
                match &e.health {
                    Health::Down { .. } => (format!("{name} down"), Slot::Error),
                    Health::Loading => (format!("{name} loading"), Slot::Warning),
                    _ if *queued > 0 => (format!("{name} {}/{} +{queued}q", pool.busy(), pool.ceiling), Slot::Text),
                    _ => (format!("{name} {}/{}", pool.busy(), pool.ceiling), Slot::Text),
                }
            }
            FleetLine::Idle { endpoints, .. } => (format!("idle {}", endpoints.len()), Slot::Dim),
        };
        if width(&text) > pen.room() {
            break;
        }
        pen.put(&text, theme.style(slot)).gap(2);
    }
}
