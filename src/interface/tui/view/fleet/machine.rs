//! The machine in lines: the bar of its memory and what it is made of, its graphics processors, power, heat.
//!
//! Not here: the models' sizes (`models`), histories. Invariant: the bar's parts are all memory to the byte; only the
//! words are rounded.

use ratatui::text::{Line, Span};

use super::words::gb;
use crate::domain::protocol::{Gpu, MachineSampled, Pressure};
use crate::domain::text::CleanText;
use crate::interface::tui::model::fleet::parts::{Kind, parts};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot, Theme};
use crate::interface::tui::view::page::{bar, facts, word};
use crate::interface::tui::widget::figure::gigabytes_tenths;
use crate::interface::tui::widget::history::shares;

/// The sign and colour of a part: told apart without colour too.
const fn look(kind: Kind) -> (Glyph, Slot) {
    match kind {
        Kind::App => (Glyph::Block, Slot::Series1),
        Kind::Wired => (Glyph::Solid, Slot::Series2),
        Kind::Compressed => (Glyph::Medium, Slot::Series3),
        Kind::Used => (Glyph::Block, Slot::SeriesOther),
        Kind::Cached => (Glyph::Light, Slot::Series4),
        Kind::Free => (Glyph::Dot, Slot::BarEmpty),
    }
}

/// The kernel's word for the pressure and its colour.
pub(super) fn pressure(m: &MachineSampled) -> (&'static str, Slot) {
    match m.pressure {
        Some(Pressure::Normal) => (Pressure::Normal.word(), Slot::Done),
        Some(Pressure::Warning) => (Pressure::Warning.word(), Slot::Warning),
        Some(Pressure::Critical) => (Pressure::Critical.word(), Slot::Error),
        None => ("–", Slot::Dim),
    }
}

/// All memory as one bar.
pub(super) fn memory_bar(theme: &Theme, m: &MachineSampled, cells: usize) -> Line<'static> {
    let parts = parts(m);
    let bytes: Vec<u64> = parts.iter().map(|(_, bytes)| *bytes).collect();
    let spans = parts.iter().zip(shares(&bytes, cells)).map(|((kind, _), n)| {
        let (glyph, slot) = look(*kind);
        word(theme, slot, theme.glyph(glyph).repeat(n))
    });
    Line::from(spans.collect::<Vec<_>>())
}

type Fact = Vec<Span<'static>>;

fn fact(theme: &Theme, name: &str, value: String) -> Fact {
    let slot = if value.trim_start() == "–" { Slot::Dim } else { Slot::Text };
    vec![word(theme, Slot::Dim, format!("{name} ")), word(theme, slot, value)]
}

/// Gigabytes in five cells: what stands behind stays where it is.
fn steady(bytes: Option<u64>) -> String {
    format!("{:>5}", gb(bytes))
}

/// What the bar is made of, each part with its sign.
fn legend(theme: &Theme, m: &MachineSampled) -> Vec<Fact> {
    parts(m)
        .into_iter()
        .map(|(kind, bytes)| {
            let (glyph, slot) = look(kind);
            // The sign of nothing is the dot between two facts.
            let sign = if kind == Kind::Free { String::new() } else { format!("{} ", theme.glyph(glyph)) };
            vec![
                word(theme, slot, sign),
                word(theme, Slot::Dim, format!("{} ", kind.word())),
                word(theme, Slot::Text, steady(Some(bytes))),
            ]
        })
        .collect()
}

/// `used 169.6 = app 61.8 + wired 106.5 + compressed 1.3`, where that is told.
fn sum(theme: &Theme, m: &MachineSampled) -> Option<Line<'static>> {
    let used: Vec<_> = parts(m).into_iter().filter(|(kind, _)| kind.is_used()).collect();
    if used.len() < 2 {
        return None;
    }
    let mut spans = vec![
        word(theme, Slot::Dim, "used "),
        word(theme, Slot::Strong, steady(Some(used.iter().map(|(_, bytes)| bytes).sum()))),
    ];
    for (i, (kind, bytes)) in used.into_iter().enumerate() {
        spans.push(word(theme, Slot::Dim, if i == 0 { " = " } else { " + " }));
        spans.push(word(theme, Slot::Dim, format!("{} ", kind.word())));
        spans.push(word(theme, Slot::Text, steady(Some(bytes))));
    }
    spans.push(word(theme, Slot::Dim, " GB"));
    Some(Line::from(spans))
}

/// Memory in two or three lines: the bar, what it is made of, what may grow.
pub(super) fn brief(scene: &Scene<'_>, grow: Option<u64>, cells: usize) -> Vec<Line<'static>> {
    let (theme, m) = (scene.theme, &scene.state.machine);
    let mut lines = vec![memory_bar(theme, m, cells)];
    let swap = m.swap_used();
    let mut last = vec![
        fact(theme, "KV can grow", steady(grow)),
        fact(theme, "swap", steady(swap)),
        fact(theme, "GPU limit", gb(m.gpu_limit().map(|l| l.bytes))),
    ];
    let mut all = legend(theme, m);
    all.append(&mut last);
    lines.extend(facts(theme, all, cells as u16));
    lines
}

/// Memory in full.
pub(super) fn memory(theme: &Theme, m: &MachineSampled, cells: usize) -> Vec<Line<'static>> {
    let mut lines = vec![memory_bar(theme, m, cells)];
    lines.extend(facts(theme, legend(theme, m), cells as u16));
    lines.extend(sum(theme, m));
    let swap = match (m.swap_used(), m.swap_total) {
        (Some(used), Some(total)) if total > 0 => format!("{} of {}", steady(Some(used)), gigabytes_tenths(total)),
        (used, _) => steady(used),
    };
    let (pressure, tone) = pressure(m);
    let more = vec![
        vec![word(theme, Slot::Dim, "pressure "), word(theme, tone, pressure)],
        fact(theme, "swap", swap),
        fact(theme, "kernel's free", m.free_percent.map_or_else(|| "–".to_owned(), |p| format!("{p:>3} %"))),
    ];
    lines.extend(facts(theme, more, cells as u16));
    lines
}

/// Graphics processors, power, heat, processors.
pub(super) fn rest(theme: &Theme, m: &MachineSampled, cells: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for gpu in &m.gpus {
        lines.extend(card(theme, gpu, cells));
    }
    if m.gpus.is_empty() {
        lines.push(Line::from(fact(theme, "GPU", "–".to_owned())));
    }
    let watts = |mw: Option<u32>| mw.map_or_else(|| "–".to_owned(), |mw| format!("{:>5.1}", f64::from(mw) / 1e3));
    let percent = m.cpu_percent.map_or_else(|| "–".to_owned(), |p| format!("{p:>3} %"));
    let heat = match m.thermal {
        Some(thermal) => {
            let slot = match thermal {
                crate::domain::protocol::Thermal::Nominal => Slot::Text,
                crate::domain::protocol::Thermal::Moderate => Slot::Warning,
                _ => Slot::Error,
            };
            vec![word(theme, Slot::Dim, "heat "), word(theme, slot, thermal.word())]
        }
        None => fact(theme, "heat", "–".to_owned()),
    };
    let p = &m.power;
    let power = [("CPU", p.cpu), ("GPU", p.gpu), ("ANE", p.ane), ("system", p.system)]
        .into_iter()
        .map(|(name, mw)| format!("{name} {}", watts(mw)))
        .collect::<Vec<_>>()
        .join(" ");
    let power = vec![word(theme, Slot::Dim, "power W "), word(theme, Slot::Text, power)];
    lines.extend(facts(theme, vec![fact(theme, "CPU", percent), power, heat], cells as u16));
    lines
}

/// One graphics processor: with memory of its own, that as a bar.
fn card(theme: &Theme, gpu: &Gpu, cells: usize) -> Vec<Line<'static>> {
    let name = CleanText::one_line(&gpu.name);
    let name = if name.is_empty() { "GPU".to_owned() } else { name.to_string() };
    let mut first = vec![word(theme, Slot::Strong, name)];
    if let Some(cores) = gpu.cores {
        first.push(word(theme, Slot::Dim, format!(", {cores} cores")));
    }
    let busy = match gpu.percent {
        Some(percent) => {
            let mut spans = vec![word(theme, Slot::Dim, "busy "), word(theme, Slot::Text, format!("{percent:>3} % "))];
            spans.extend(bar(theme, f32::from(percent) / 100.0, 8));
            spans
        }
        None => fact(theme, "busy", "–".to_owned()),
    };
    let limit = gpu
        .limit
        .map_or_else(|| "–".to_owned(), |limit| format!("{} ({})", gigabytes_tenths(limit.bytes), limit.source.word()));
    let mut all = vec![first, busy];
    if gpu.unified {
        all.push(fact(theme, "active now", steady(gpu.active)));
        all.push(fact(theme, "reserved by all apps", steady(gpu.reserved)));
        all.push(fact(theme, "limit", limit));
    } else {
        let mut own = fact(theme, "own memory", format!("{} of {limit} GB", steady(gpu.active)));
        if let (Some(active), Some(limit)) = (gpu.active, gpu.limit.filter(|l| l.bytes > 0)) {
            own.push(Span::raw(" "));
            own.extend(bar(theme, active as f32 / limit.bytes as f32, 8));
        }
        all.push(own);
        if gpu.reserved.is_some() {
            all.push(fact(theme, "reserved", gb(gpu.reserved)));
        }
    }
    facts(theme, all, cells as u16)
}
