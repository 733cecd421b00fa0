//! The strips: a row an endpoint in fixed columns, its slots below it where there is room for all of them, else below
//! the selected one.
//!
//! Invariants: the selected endpoint is in sight; which rows are there follows from the size, the slots and the
//! selection, not from what runs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::slots;
use super::words::{gb, is_down, protocol, standing};
use crate::domain::memory::MemoryPlan;
use crate::domain::state::{EndpointIx, EndpointState, Pool};
use crate::domain::text::CleanText;
use crate::interface::tui::model::fleet::{FleetFocus, questions};
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::widget::bar::{filled, history};
use crate::interface::tui::widget::pen::{Pen, cut};

/// Narrower than this the slots stand in the detail only.
const SLOTS: u16 = 98;
/// Cells of the queue in its three parts.
const WHOLE: usize = 14;
/// Rows of slots below an endpoint that is not selected.
const MOST: usize = 4;

/// A column of a strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Name,
    Cells,
    Busy,
    Rate,
    Minute,
    Slots,
    Queue,
    FirstToken,
    Cache,
    Errors,
    Resident,
    Memory,
    Tier,
    Protocol,
    Model,
    Words,
}

/// The columns that a width has room for, with their cells; the words have the rest.
fn columns(width: u16) -> &'static [(Column, usize)] {
    use Column::{
        Busy, Cache, Cells, Errors, FirstToken, Memory, Minute, Model, Name, Protocol, Queue, Rate, Resident, Slots,
        Tier, Words,
    };
    match width {
        180.. => &[
            (Name, 12),
            (Cells, 8),
            (Busy, 5),
            (Rate, 5),
            (Minute, 12),
            (Slots, 13),
            (Queue, 14),
            (FirstToken, 5),
            (Cache, 5),
            (Errors, 4),
            (Memory, 17),
            (Tier, 10),
            (Protocol, 9),
            (Model, 18),
            (Words, 0),
        ],
        98.. => &[
            (Name, 12),
            (Cells, 8),
            (Busy, 5),
            (Rate, 4),
            (Minute, 10),
            (Queue, 5),
            (FirstToken, 5),
            (Cache, 5),
            (Errors, 3),
            (Resident, 5),
            (Words, 0),
        ],
        70.. => &[(Name, 10), (Cells, 6), (Busy, 5), (Rate, 4), (Minute, 6), (Queue, 4), (Words, 0)],
        _ => &[(Name, 8), (Cells, 6), (Busy, 5), (Rate, 4), (Words, 0)],
    }
}

/// The word above a column.
fn head(column: Column, cells: usize) -> &'static str {
    match column {
        Column::Name => "endpoint",
        Column::Cells => "slots",
        Column::Busy => "busy",
        Column::Rate => "t/s",
        Column::Minute if cells >= 9 => "last 60 s",
        Column::Minute => "60 s",
        Column::Slots => "set/told/seen",
        Column::Queue if cells >= WHOLE => "ready+sent+own",
        Column::Queue => "wait",
        Column::FirstToken => "ttft",
        Column::Cache => "cache",
        Column::Errors => "err",
        Column::Resident => "GB",
        Column::Memory => "plan/told/held GB",
        Column::Tier => "tier",
        Column::Protocol => "protocol",
        Column::Model => "model",
        Column::Words => "",
    }
}

/// Whether a column's text stands at its right end.
const fn is_figure(column: Column) -> bool {
    !matches!(
        column,
        Column::Name | Column::Cells | Column::Minute | Column::Tier | Column::Protocol | Column::Model | Column::Words
    )
}

/// How many rows all strips take with the slots of all.
pub(super) fn wish(scene: &Scene<'_>, width: u16) -> u16 {
    let rows: usize = ixs(scene).map(|ix| 1 + capped(scene, ix, width)).sum();
    u16::try_from(rows + usize::from(has_head(width))).unwrap_or(u16::MAX)
}

/// How many rows they take with the slots of one, whichever that is.
pub(super) fn least(scene: &Scene<'_>, width: u16) -> u16 {
    let most = ixs(scene).map(|ix| capped(scene, ix, width)).max().unwrap_or(0);
    u16::try_from(ixs(scene).count() + most + usize::from(has_head(width))).unwrap_or(u16::MAX)
}

fn ixs(scene: &Scene<'_>) -> impl Iterator<Item = EndpointIx> + use<> {
    (0..scene.state.endpoints().len() as u32).map(EndpointIx)
}

fn capped(scene: &Scene<'_>, ix: EndpointIx, width: u16) -> usize {
    if width < SLOTS { 0 } else { slots::rows(scene, ix, width.saturating_sub(4)).min(MOST) }
}

const fn has_head(width: u16) -> bool {
    width >= 70
}

/// Whether the slots of all endpoints have room.
fn has_room(scene: &Scene<'_>, area: Rect) -> bool {
    wish(scene, area.width) <= area.height
}

/// Whether every slot of the selected endpoint has a cell of its own among the strips.
pub(super) fn has_all_slots(scene: &Scene<'_>, ix: EndpointIx, area: Rect) -> bool {
    let rows = slots::rows(scene, ix, area.width.saturating_sub(4));
    let room = usize::from(area.height.saturating_sub(1)) / 2;
    area.width >= SLOTS && rows <= MOST && (rows <= room || has_room(scene, area))
}

/// Draws the strips; returns what is said at the right of their border.
pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> String {
    let (theme, ui) = (scene.theme, &scene.ui.fleet);
    let area = area.intersection(buf.area);
    let Some(selected) = ui.selected(scene.state) else {
        let words = "No endpoints. The fleet file names them; `baton fleet init` writes one of what answers here.";
        let text = cut(words, usize::from(area.width.saturating_sub(2)), theme);
        Pen::new(buf, area.x + 1, area.y, area.right()).put(&text, theme.style(Slot::Dim));
        return String::new();
    };
    let head = has_head(area.width) && area.height > 3;
    let body = if head { Rect { y: area.y + 1, height: area.height - 1, ..area } } else { area };
    if head {
        draw_head(scene, Rect { height: 1, ..area }, buf);
    }
    let height = usize::from(body.height);
    let all = has_room(scene, area);
    let plan = MemoryPlan::of(scene.state);
    // An endpoint and which of its rows.
    let mut rows: Vec<(EndpointIx, Option<usize>)> = Vec::new();
    let (mut first, mut last) = (0, 0);
    for ix in ixs(scene) {
        let below = match (all, ix == selected) {
            (true, _) => capped(scene, ix, area.width),
            // At least half of what is in sight are endpoints.
            (false, true) => capped(scene, ix, area.width).min(height / 2),
            (false, false) => 0,
        };
        if ix == selected {
            (first, last) = (rows.len(), rows.len() + below);
        }
        rows.push((ix, None));
        rows.extend((0..below).map(|n| (ix, Some(n))));
    }
    let top = (last + 1).saturating_sub(height).min(first);
    let in_sight = rows.iter().skip(top).take(height);
    ui.shown.set(in_sight.clone().filter(|(_, n)| n.is_none()).count());
    for ((ix, n), y) in in_sight.zip(body.top()..body.bottom()) {
        let line = Rect { y, height: 1, ..body };
        scene.ui.spots.add(line, Spot::Row(ix.0 as usize));
        match n {
            None => {
                strip(scene, &plan, *ix, line, buf);
                if *ix == selected {
                    let slot = if ui.focus == FleetFocus::Strips { Slot::Selected } else { Slot::SelectedBlur };
                    buf.set_style(line, theme.style(slot));
                }
            }
            Some(n) => {
                let cells = Rect { x: line.x + 3, width: line.width.saturating_sub(4), ..line };
                let missing = slots::rows(scene, *ix, cells.width).saturating_sub(n + 1);
                let is_last = rows.iter().rfind(|(i, _)| i == ix).is_some_and(|r| *r == (*ix, Some(*n)));
                if is_last && missing > 0 {
                    more(scene, *ix, *n, cells, buf);
                } else {
                    slots::row(scene, *ix, *n, cells, buf);
                }
            }
        }
    }
    let hidden = |range: &[(EndpointIx, Option<usize>)]| range.iter().filter(|(_, n)| n.is_none()).count();
    let above = hidden(rows.get(..top).unwrap_or_default());
    let below = hidden(rows.get((top + height).min(rows.len())..).unwrap_or_default());
    let part = |n: usize, glyph| if n == 0 { String::new() } else { format!("{} {n} ", theme.glyph(glyph)) };
    let more = format!("{}{}", part(above, Glyph::Above), part(below, Glyph::Below));
    if more.is_empty() { String::new() } else { format!("{more}more") }
}

/// The slots that have no row of their own, in words.
fn more(scene: &Scene<'_>, ix: EndpointIx, n: usize, area: Rect, buf: &mut Buffer) {
    let pool = scene.state.pool(scene.state.endpoint(ix).pool);
    let from = n * slots::beside(area.width);
    let rest = pool.permits.get(from..).unwrap_or_default();
    let busy = rest.iter().filter(|p| p.phase.turn().is_some()).count();
    let words = format!("{} more slots: {busy} busy, {} free; the detail has them all", rest.len(), rest.len() - busy);
    let text = cut(&words, usize::from(area.width), scene.theme);
    Pen::new(buf, area.x, area.y, area.right()).put(&text, scene.theme.style(Slot::Dim));
}

fn draw_head(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let style = scene.theme.style(Slot::Dim);
    let mut pen = Pen::new(buf, area.x + 2, area.y, area.right());
    for (column, cells) in columns(area.width) {
        let text = head(*column, *cells);
        if is_figure(*column) {
            pen.right_field(text, *cells, style).gap(1);
        } else {
            pen.field(text, *cells, style, scene.theme).gap(1);
        }
    }
}

fn strip(scene: &Scene<'_>, plan: &MemoryPlan, ix: EndpointIx, row: Rect, buf: &mut Buffer) {
    let (state, theme) = (scene.state, scene.theme);
    let e = state.endpoint(ix);
    let pool = state.pool(e.pool);
    let selected = scene.ui.fleet.selected(state) == Some(ix);
    let text = theme.style(if is_down(e) { Slot::Dim } else { Slot::Text });
    let mut pen = Pen::new(buf, row.x, row.y, row.right());
    pen.put(if selected { theme.glyph(Glyph::Cursor) } else { " " }, theme.style(Slot::Brand)).gap(1);
    for (column, cells) in columns(row.width) {
        match column {
            Column::Name => {
                pen.field(&CleanText::one_line(e.config.title()), *cells, theme.style(Slot::Strong), theme);
            }
            Column::Cells => signs(scene, e, pool, *cells, &mut pen),
            Column::Minute => {
                let slot = if is_down(e) { Slot::Dim } else { Slot::Spark };
                pen.field(&history(&e.tokens.last(scene.now, 60), *cells, theme), *cells, theme.style(slot), theme);
            }
            Column::Words => {
                let queued = questions::ready(&scene.ui.run.figures().queue, state, e);
                let (words, slot) = standing(state, ix, queued, scene.now);
                let room = pen.room().saturating_sub(1);
                pen.put(&cut(&words, room, theme), theme.style(slot));
            }
            column => {
                let (words, style) = figure(scene, plan, ix, (*column, *cells), text);
                if is_figure(*column) {
                    pen.right_field(&words, *cells, style);
                } else {
                    pen.field(&words, *cells, style, theme);
                }
            }
        }
        pen.gap(1);
    }
}

/// A figure of a strip; what nobody told is a dash.
fn figure(
    scene: &Scene<'_>,
    plan: &MemoryPlan,
    ix: EndpointIx,
    (column, cells): (Column, usize),
    text: Style,
) -> (String, Style) {
    let (state, theme) = (scene.state, scene.theme);
    let e = state.endpoint(ix);
    let pool = state.pool(e.pool);
    let dim = theme.style(Slot::Dim);
    let dash = || ("–".to_owned(), dim);
    let told = |n: Option<u32>| n.map_or("–".to_owned(), |n| n.to_string());
    let waiting = || {
        let ready = questions::ready(&scene.ui.run.figures().queue, state, e);
        (ready, state.waiting_unbegun(ix))
    };
    match column {
        Column::Busy => (format!("{}/{}", pool.busy(), if is_down(e) { 0 } else { pool.ceiling }), text),
        Column::Rate => match e.tokens.rate(scene.now) {
            rate if rate > 0.0 => (format!("{rate:.0}"), text),
            _ => dash(),
        },
        Column::Slots => {
            let seen = state.measured(ix);
            let words = format!("{}/{}/{}", e.config.slots, told(e.reported_slots), told(seen));
            (words, if seen.is_some() { theme.style(Slot::Warning) } else { text })
        }
        Column::Queue => {
            let (ready, sent) = waiting();
            // What the server tells of its queue has those of ours in it that it did not begin.
            let waits = ready + sent.max(e.queued.unwrap_or(0));
            let slot = if waits > 0 { Slot::Waiting } else { Slot::Dim };
            let words = if cells >= WHOLE { format!("{ready}+{sent}+{}", told(e.queued)) } else { waits.to_string() };
            (words, theme.style(slot))
        }
        Column::FirstToken if e.first_token > 0.0 => (format!("{:.1}s", e.first_token), text),
        Column::Cache => match state.cache_share(ix) {
            Some(share) => (format!("{:.0}%", share * 100.0), text),
            None => dash(),
        },
        Column::Errors => (e.errors.to_string(), if e.errors > 0 { theme.style(Slot::Warning) } else { dim }),
        Column::Resident => match questions::memory(plan, e).best() {
            Some(bytes) => (gb(Some(bytes)), text),
            None => dash(),
        },
        Column::Memory => {
            let m = questions::memory(plan, e);
            (format!("{}/{}/{}", gb(m.planned), gb(m.claimed), gb(m.measured)), text)
        }
        Column::Tier => (e.config.tiers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), text),
        Column::Protocol => (protocol(e.config.protocol).to_owned(), text),
        Column::Model => (CleanText::one_line(&e.config.model).to_string(), text),
        _ => dash(),
    }
}

/// The slots as signs; more than there is room for become a bar.
fn signs(scene: &Scene<'_>, e: &EndpointState, pool: &Pool, cells: usize, pen: &mut Pen<'_>) {
    let theme = scene.theme;
    let end = pen.x.saturating_add(cells as u16);
    let all = pool.permits.len() + e.others as usize;
    if is_down(e) {
        pen.repeat(theme.glyph(Glyph::SlotDown), all.min(cells), theme.style(Slot::SlotDown));
    } else if all > cells {
        let full = filled(pool.busy() as f32 / all.max(1) as f32, cells);
        pen.repeat(theme.glyph(Glyph::BarFull), full, theme.style(Slot::BarFull));
        pen.repeat(theme.glyph(Glyph::BarEmpty), cells - full, theme.style(Slot::BarEmpty));
    } else {
        for permit in &pool.permits {
            let (glyph, slot) = slots::sign(permit.phase);
            pen.put(theme.glyph(glyph), theme.style(slot));
        }
        pen.repeat(theme.glyph(Glyph::Medium), e.others as usize, theme.style(Slot::Dim));
    }
    pen.x = end.max(pen.x);
}
