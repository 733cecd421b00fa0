//! A slot in a cell: its task, its phase, its speed, how full its context is, how old it is.
//!
//! Not here: how many stand beside each other (`strips`). Invariant: a cell paints inside itself, and its figures stand
//! at the same columns whatever they are.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::words::{age, is_down};
use crate::domain::state::{EndpointIx, Permit, PermitPhase};
use crate::domain::text::CleanText;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::figure::rate;
use crate::interface::tui::widget::pen::Pen;

/// The least cells of a slot that say all of it.
pub(super) const CELL: u16 = 52;

/// How many cells an endpoint has: one a permit, one a slot that others use.
pub(super) fn count(scene: &Scene<'_>, ix: EndpointIx) -> usize {
    let e = scene.state.endpoint(ix);
    scene.state.pool(e.pool).permits.len() + e.others as usize
}

/// How many rows they take.
pub(super) fn rows(scene: &Scene<'_>, ix: EndpointIx, width: u16) -> usize {
    count(scene, ix).div_ceil(beside(width))
}

/// How many stand beside each other.
pub(super) fn beside(width: u16) -> usize {
    usize::from(width / CELL).max(1)
}

/// The sign and colour of a slot's phase.
pub(super) fn sign(phase: PermitPhase) -> (Glyph, Slot) {
    match phase {
        PermitPhase::Free => (Glyph::SlotFree, Slot::SlotFree),
        PermitPhase::Granted(_) => (Glyph::SlotBusy, Slot::SlotPrompt),
        PermitPhase::Generating(_) => (Glyph::SlotBusy, Slot::SlotBusy),
        PermitPhase::Draining(_) => (Glyph::SlotBusy, Slot::SlotDraining),
    }
}

/// Draws one row of the slots of an endpoint.
pub(super) fn row(scene: &Scene<'_>, ix: EndpointIx, n: usize, area: Rect, buf: &mut Buffer) {
    let beside = beside(area.width);
    let wide = area.width / beside as u16;
    for i in 0..beside {
        let at = n * beside + i;
        if at >= count(scene, ix) {
            return;
        }
        let cell = Rect { x: area.x + wide * i as u16, width: wide.saturating_sub(2), ..area };
        slot(scene, ix, at, cell, buf);
    }
}

/// Draws one slot.
fn slot(scene: &Scene<'_>, ix: EndpointIx, at: usize, area: Rect, buf: &mut Buffer) {
    let (state, theme) = (scene.state, scene.theme);
    let e = state.endpoint(ix);
    let pool = state.pool(e.pool);
    let mut pen = Pen::new(buf, area.x, area.y, area.right());
    let dim = theme.style(Slot::Dim);
    let number = (at + 1).to_string();
    let Some(permit) = pool.permits.get(at) else {
        pen.put(theme.glyph(Glyph::Medium), dim).right_field(&number, 3, dim).gap(1).put("another client", dim);
        return;
    };
    if is_down(e) && permit.phase == PermitPhase::Free {
        pen.put(theme.glyph(Glyph::SlotDown), theme.style(Slot::SlotDown)).right_field(&number, 3, dim).gap(1);
        pen.put("down", dim);
        return;
    }
    let (glyph, slot) = sign(permit.phase);
    pen.put(theme.glyph(glyph), theme.style(slot)).right_field(&number, 3, dim).gap(1);
    let Some(turn) = permit.phase.turn() else {
        pen.put("free", dim);
        return;
    };
    let attempt = state.attempt(turn.attempt);
    let title = attempt.map(|a| CleanText::one_line(&state.task(a.task).title)).unwrap_or_default();
    let context = attempt.and_then(|a| a.context_share(e.context()));
    let context = context.map_or("–".to_owned(), |share| format!("{:.0}%", (share * 100.0).min(999.0)));
    let (phase, slot) = phase(scene, permit);
    // The figures have their columns, the title what is left.
    let figures = 11 + 1 + 4 + 1 + 6;
    let room = pen.room().saturating_sub(figures + 1);
    if room >= 6 {
        pen.field(&title, room, theme.style(Slot::Text), theme).gap(1);
    }
    pen.right_field(&phase, 11, theme.style(slot)).gap(1);
    pen.right_field(&context, 4, dim).gap(1).right_field(&age(permit.since, scene.now), 6, dim);
}

/// What a slot is at, and its colour.
fn phase(scene: &Scene<'_>, permit: &Permit) -> (String, Slot) {
    let state = scene.state;
    let Some(turn) = permit.phase.turn() else { return ("free".to_owned(), Slot::Dim) };
    let attempt = state.attempt(turn.attempt);
    let asked = state.turn(turn);
    match permit.phase {
        PermitPhase::Draining(_) => ("draining".to_owned(), Slot::SlotDraining),
        PermitPhase::Granted(_) => match asked.and_then(|t| t.prompt) {
            Some((done, all)) if all > 0 => {
                (format!("prompt {}%", (done.saturating_mul(100) / all).min(100)), Slot::SlotPrompt)
            }
            _ => ("waiting".to_owned(), Slot::Waiting),
        },
        PermitPhase::Generating(_) => {
            let rates = &scene.ui.run.figures().rates;
            let speed = attempt.map_or(0.0, |a| rates.get(&a.task).copied().unwrap_or(a.rate));
            if speed > 0.0 { (rate(speed), Slot::Text) } else { ("generating".to_owned(), Slot::Text) }
        }
        PermitPhase::Free => ("free".to_owned(), Slot::Dim),
    }
}
