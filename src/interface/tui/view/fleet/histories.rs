//! Histories with their names and what they are now: ten minutes each, in plain blocks.
//!
//! Not here: how a picture is made ([`crate::interface::tui::widget::history`]).

use ratatui::text::{Line, Span};

use crate::domain::protocol::Micros;
use crate::domain::state::{EndpointState, MachineHistory, Track};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Slot, Theme};
use crate::interface::tui::view::page::{cell, cell_right, word};
use crate::interface::tui::widget::figure::gigabytes_tenths;
use crate::interface::tui::widget::history::{chart, folded, peak, step};

/// Cells of a name.
const NAME: usize = 10;
/// Cells of what it is now.
const NOW: usize = 9;
/// Narrower than this, one stands below the other.
const BESIDE: usize = 76;

/// A history to be drawn.
struct Picture {
    name: &'static str,
    values: Vec<Option<f32>>,
    /// The upper end.
    top: f32,
    now: String,
    /// The colour of a value.
    slot: fn(f32) -> Slot,
}

/// What the last value is, or that nobody told.
fn now_of(values: &[Option<f32>], words: impl Fn(f32) -> String) -> String {
    values.last().copied().flatten().map_or_else(|| "–".to_owned(), words)
}

fn spark(_: f32) -> Slot {
    Slot::Spark
}

fn pressure(value: f32) -> Slot {
    match value as u8 {
        0 => Slot::Done,
        1 => Slot::Warning,
        _ => Slot::Error,
    }
}

/// Something that should not be.
fn bad(value: f32) -> Slot {
    if value > 0.0 { Slot::Warning } else { Slot::Dim }
}

fn percent(name: &'static str, track: &Track, now: Micros) -> Picture {
    let values = track.held(now, Track::LENGTH);
    let now = now_of(&values, |v| format!("{:.0} %", v * 100.0));
    Picture { name, values, top: 1.0, now, slot: spark }
}

/// The machine's.
fn machine(history: &MachineHistory, now: Micros) -> Vec<Picture> {
    let levels = history.pressure.held(now, Track::LENGTH);
    let word = |v: f32| ["normal", "warning", "critical"][(v as usize).min(2)].to_owned();
    let swap = history.swap.held(now, Track::LENGTH);
    let watts = history.watts.held(now, Track::LENGTH);
    // Less than a gigabyte of swap looks like little.
    let (most_swap, most_watts) = (peak(&swap).max(1e9), peak(&watts).max(1.0));
    vec![
        percent("used", &history.used, now),
        Picture {
            name: "pressure",
            now: now_of(&levels, word),
            // The highest level is drawn as high as it goes, none as a line.
            values: levels,
            top: 2.0,
            slot: pressure,
        },
        Picture {
            name: "swap",
            now: now_of(&swap, |v| format!("{} GB", gigabytes_tenths(v as u64))),
            values: swap,
            top: most_swap,
            slot: bad,
        },
        percent("GPU", &history.gpu, now),
        percent("CPU", &history.cpu, now),
        Picture {
            name: "power",
            now: now_of(&watts, |v| format!("{v:.0} W")),
            values: watts,
            top: most_watts,
            slot: spark,
        },
    ]
}

/// An endpoint's.
fn endpoint(e: &EndpointState, now: Micros) -> Vec<Picture> {
    let history = &e.history;
    let seconds = history.first_token.held(now, Track::LENGTH);
    let beat = Track::BEAT.0 as f32 / 1e6;
    let speed: Vec<_> = history.tokens.summed(now, Track::LENGTH).into_iter().map(|v| v.map(|v| v / beat)).collect();
    let errors = history.errors.summed(now, Track::LENGTH);
    // The sum of no numbers is minus nothing.
    let failed = errors.iter().flatten().sum::<f32>().abs();
    let live = e.tokens.rate(now);
    vec![
        Picture {
            name: "ttft",
            now: now_of(&seconds, |v| format!("{v:.1} s")),
            top: peak(&seconds).max(0.1),
            values: seconds,
            slot: spark,
        },
        Picture {
            name: "tok/s",
            now: if live > 0.0 { format!("{live:.0} t/s") } else { "–".to_owned() },
            top: peak(&speed).max(1.0),
            values: speed,
            slot: spark,
        },
        percent("cache", &history.cached, now),
        Picture {
            name: "errors",
            now: if errors.iter().any(Option::is_some) || e.completed > 0 {
                format!("{failed:.0}")
            } else {
                "–".to_owned()
            },
            top: peak(&errors).max(1.0),
            values: errors,
            slot: bad,
        },
    ]
}

/// The machine's histories over so many cells, `rows` high each.
pub(super) fn of_machine(scene: &Scene<'_>, cells: usize, rows: usize) -> Vec<Line<'static>> {
    lines(scene.theme, &machine(&scene.state.machine_history, scene.now), cells, rows)
}

/// An endpoint's histories.
pub(super) fn of_endpoint(scene: &Scene<'_>, e: &EndpointState, cells: usize, rows: usize) -> Vec<Line<'static>> {
    lines(scene.theme, &endpoint(e, scene.now), cells, rows)
}

fn lines(theme: &Theme, pictures: &[Picture], cells: usize, rows: usize) -> Vec<Line<'static>> {
    let beside = if cells >= BESIDE { 2 } else { 1 };
    let each = (cells + 2) / beside - 2;
    let mut out = Vec::new();
    for pair in pictures.chunks(beside) {
        let mut stack: Vec<Vec<Span<'static>>> = vec![Vec::new(); rows];
        for (i, picture) in pair.iter().enumerate() {
            for (line, drawn) in stack.iter_mut().zip(draw(theme, picture, each, rows)) {
                if i > 0 {
                    line.push(Span::raw("  "));
                }
                line.extend(drawn);
            }
        }
        out.extend(stack.into_iter().map(Line::from));
    }
    out
}

fn draw(theme: &Theme, picture: &Picture, cells: usize, rows: usize) -> Vec<Vec<Span<'static>>> {
    let room = cells.saturating_sub(NAME + NOW + 2).min(Track::LENGTH);
    let values = folded(&picture.values, room);
    let signs = chart(&picture.values, room, rows, picture.top, theme);
    let last = rows.saturating_sub(1);
    let blank = " ".repeat(room);
    signs
        .iter()
        .chain(std::iter::repeat_n(&blank, rows.saturating_sub(signs.len())))
        .enumerate()
        .map(|(i, row)| {
            // Name and figure stand on the base line.
            let name = if i == last { picture.name } else { "" };
            let now = if i == last { picture.now.as_str() } else { "" };
            let mut spans = vec![word(theme, Slot::Dim, cell(name, NAME)), Span::raw(" ")];
            if rows == 1 {
                spans.extend(values.iter().map(|v| {
                    let slot = v.map_or(Slot::Dim, picture.slot);
                    word(theme, slot, step(*v, picture.top, theme))
                }));
            } else {
                let coloured = row.chars().zip(&values).map(|(sign, v)| {
                    let slot = v.map_or(Slot::Dim, picture.slot);
                    word(theme, slot, sign.to_string())
                });
                spans.extend(coloured);
            }
            spans.push(Span::raw(" "));
            let slot = match picture.values.last().copied().flatten() {
                Some(_) => Slot::Text,
                None => Slot::Dim,
            };
            spans.push(word(theme, slot, cell_right(now, NOW)));
            spans
        })
        .collect()
}
