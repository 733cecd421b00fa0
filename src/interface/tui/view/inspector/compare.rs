//! Two attempts word by word: side by side where there is room, else one text with both.
//!
//! What was taken out stands in `[-…-]`, what was put in stands in `{+…+}`, so that it can be told without colour.
//! Stretches that are the same are folded but for the lines around a change.

use std::cell::RefCell;
use std::sync::Arc;

use ratatui::text::{Line, Span};

use crate::domain::protocol::{AttemptId, Channel};
use crate::domain::state::Task;
use crate::domain::text::CleanText;
use crate::domain::text::diff::{self, Block, Kind};
use crate::domain::text::width::width;
use crate::domain::text::wrap::wrap;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{GlyphSet, Slot, Theme};
use crate::interface::tui::view::page::{self, word};
use crate::interface::tui::view::prose::Rows;
use crate::interface::tui::view::run::words::place;

/// From this width on they stand side by side.
const SIDE_BY_SIDE: u16 = 92;
/// Same lines that stay around a change.
const AROUND: usize = 2;

/// What a comparison was made from.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    pair: (AttemptId, AttemptId),
    pieces: (usize, usize),
    cells: u16,
    theme: Theme,
}

/// The comparison made last, and from what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compared {
    kept: RefCell<Option<Box<(Key, Rows)>>>,
}

impl PartialEq for Compared {
    /// What is kept follows from what is shown.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Compared {
    /// The rows of two attempts compared.
    pub(crate) fn rows(&self, scene: &Scene<'_>, task: &Task, pair: (AttemptId, AttemptId), cells: u16) -> Rows {
        let count = |a| scene.transcripts.count(a);
        let pieces = (count(pair.0), count(pair.1));
        let key = Key { pair, pieces, cells, theme: scene.theme.clone() };
        let mut kept = self.kept.borrow_mut();
        if let Some((made_from, rows)) = kept.as_deref()
            && *made_from == key
        {
            return Arc::clone(rows);
        }
        let rows: Rows = compare(scene, task, pair, cells).into();
        *kept = Some(Box::new((key, Arc::clone(&rows))));
        rows
    }
}

fn compare(scene: &Scene<'_>, task: &Task, pair: (AttemptId, AttemptId), cells: u16) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let turns = |a| scene.state.attempt(a).map(|a| scene.state.turns_of(a, Channel::Answer)).unwrap_or_default();
    let text = |a| CleanText::new(&scene.transcripts.text(&turns(a), Channel::Answer));
    let (before, after) = (text(pair.0), text(pair.1));
    let blocks = diff::diff(&before, &after);
    let name = |a: AttemptId| {
        let n = task.attempts.iter().position(|t| *t == a).map_or(0, |i| i + 1);
        match scene.state.attempt(a) {
            Some(of) if !of.is_model() => format!("attempt {n} {}", place(scene.state, of)),
            Some(of) => format!("attempt {n} on {}", place(scene.state, of)),
            None => format!("attempt {n}"),
        }
    };
    let (left, right) = (name(pair.0), name(pair.1));
    let changed = |range: fn(&Block) -> std::ops::Range<usize>, text: &str| -> usize {
        let in_block = |b: &Block| text.get(range(b)).unwrap_or_default().split_whitespace().count();
        blocks.iter().filter(|b| b.kind == Kind::Changed).map(in_block).sum()
    };
    let (out, put) = (changed(|b| b.before.clone(), &before), changed(|b| b.after.clone(), &after));
    let mut lines = Vec::new();
    if before.trim().is_empty() && after.trim().is_empty() {
        lines.extend(page::wrapped(theme, Slot::Dim, "Neither attempt has text to compare.", cells, 0));
        return lines;
    }
    let mut head = vec![format!("{left} against {right}")];
    head.push(if out + put == 0 {
        "the same, word for word".into()
    } else {
        format!("{out} words out, {put} words in")
    });
    let head = head.into_iter().map(|text| vec![word(theme, Slot::Heading, text)]).collect();
    lines.extend(page::facts(theme, head, cells));
    lines.push(Line::default());
    if out + put == 0 {
        return lines;
    }
    let groups = groups(&before, &after, &blocks);
    let folded = folded(&groups);
    for item in folded {
        match item {
            Shown::Same(n) => {
                let text = format!("  {n} lines are the same");
                lines.push(Line::from(word(theme, Slot::Dim, text)));
            }
            Shown::Group(group) if cells >= SIDE_BY_SIDE => lines.extend(beside(theme, group, cells)),
            Shown::Group(group) => lines.extend(in_one(theme, group, cells)),
        }
    }
    lines
}

/// Whether a word is in both, or in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Same,
    Out,
    In,
}

type Marked = Vec<(Mark, String)>;

/// Lines between two line ends that both texts have: what stands beside what.
#[derive(Clone, Debug, Default)]
struct Group {
    left: Vec<Marked>,
    right: Vec<Marked>,
    /// Both in one, in the order of reading.
    both: Vec<Marked>,
}

impl Group {
    fn is_same(&self) -> bool {
        self.both.iter().flatten().all(|(mark, _)| *mark == Mark::Same)
    }
}

fn push(lines: &mut Vec<Marked>, mark: Mark, text: &str) {
    for (i, part) in text.split('\n').enumerate() {
        if i > 0 || lines.is_empty() {
            lines.push(Vec::new());
        }
        if let Some(line) = lines.last_mut().filter(|_| !part.is_empty()) {
            line.push((mark, part.to_owned()));
        }
    }
}

fn groups(before: &str, after: &str, blocks: &[Block]) -> Vec<Group> {
    let mut all = vec![Group::default()];
    for block in blocks {
        let (was, is) = (before.get(block.before.clone()).unwrap_or(""), after.get(block.after.clone()).unwrap_or(""));
        match block.kind {
            Kind::Same => {
                for (i, line) in is.split('\n').enumerate() {
                    if i > 0 {
                        all.push(Group::default());
                    }
                    if let Some(group) = all.last_mut().filter(|_| !line.is_empty()) {
                        push(&mut group.left, Mark::Same, line);
                        push(&mut group.right, Mark::Same, line);
                        push(&mut group.both, Mark::Same, line);
                    }
                }
            }
            Kind::Changed => {
                if let Some(group) = all.last_mut() {
                    push(&mut group.left, Mark::Out, was);
                    push(&mut group.right, Mark::In, is);
                    push(&mut group.both, Mark::Out, was);
                    push(&mut group.both, Mark::In, is);
                }
            }
        }
    }
    all
}

enum Shown<'a> {
    Group(&'a Group),
    Same(usize),
}

/// Long stretches without a change give way to their number.
fn folded(groups: &[Group]) -> Vec<Shown<'_>> {
    let near = |i: usize| {
        let from = i.saturating_sub(AROUND);
        groups.get(from..(i + AROUND + 1).min(groups.len())).unwrap_or_default().iter().any(|g| !g.is_same())
    };
    let mut out = Vec::new();
    let mut hidden: Vec<&Group> = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        if near(i) {
            flush(&mut out, &mut hidden);
            out.push(Shown::Group(group));
        } else {
            hidden.push(group);
        }
    }
    flush(&mut out, &mut hidden);
    out
}

fn flush<'a>(out: &mut Vec<Shown<'a>>, hidden: &mut Vec<&'a Group>) {
    // Two lines are no longer than what would be said of them.
    if hidden.len() > 2 {
        out.push(Shown::Same(hidden.len()));
    } else {
        out.extend(hidden.iter().map(|g| Shown::Group(g)));
    }
    hidden.clear();
}

/// A line with its signs, and what style each part has.
fn signed(line: &Marked) -> Vec<(Mark, String)> {
    line.iter()
        .map(|(mark, text)| match mark {
            Mark::Same => (*mark, text.clone()),
            Mark::Out => (*mark, format!("[-{text}-]")),
            Mark::In => (*mark, format!("{{+{text}+}}")),
        })
        .collect()
}

/// A marked line as rows of so many cells.
fn rows(theme: &Theme, line: &Marked, cells: usize) -> Vec<Vec<Span<'static>>> {
    let parts = signed(line);
    let text: String = parts.iter().map(|(_, t)| t.as_str()).collect();
    wrap(&text, cells.max(1))
        .map(|row| {
            let mut spans = Vec::new();
            let mut at = 0;
            for (mark, part) in &parts {
                let (from, to) = (row.start.max(at), row.end.min(at + part.len()));
                if from < to {
                    let slot = match mark {
                        Mark::Same => Slot::Text,
                        Mark::Out => Slot::Failed,
                        Mark::In => Slot::Done,
                    };
                    spans.push(word(theme, slot, text.get(from..to).unwrap_or_default()));
                }
                at += part.len();
            }
            spans
        })
        .collect()
}

/// Both texts in one, with a sign at the left of each line that differs.
fn in_one(theme: &Theme, group: &Group, cells: u16) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    for line in &group.both {
        let has = |mark| line.iter().any(|(m, _)| *m == mark);
        let (sign, slot) = match (has(Mark::Out), has(Mark::In)) {
            (true, false) => ("- ", Slot::Failed),
            (false, true) => ("+ ", Slot::Done),
            (true, true) => ("~ ", Slot::Notice),
            (false, false) => ("  ", Slot::Dim),
        };
        for (i, spans) in rows(theme, line, usize::from(cells.saturating_sub(2))).into_iter().enumerate() {
            let sign = if i == 0 { sign } else { "  " };
            out.push(Line::from([vec![word(theme, slot, sign)], spans].concat()));
        }
    }
    if group.both.is_empty() {
        out.push(Line::default());
    }
    out
}

/// The first text at the left, the second at the right.
fn beside(theme: &Theme, group: &Group, cells: u16) -> Vec<Line<'static>> {
    let half = usize::from(cells.saturating_sub(3)) / 2;
    let side =
        |lines: &[Marked]| -> Vec<Vec<Span<'static>>> { lines.iter().flat_map(|l| rows(theme, l, half)).collect() };
    let (left, right) = (side(&group.left), side(&group.right));
    let rule = match theme.glyphs {
        GlyphSet::Unicode => " │ ",
        GlyphSet::Ascii => " | ",
    };
    (0..left.len().max(right.len()).max(1))
        .map(|i| {
            let mut spans = left.get(i).cloned().unwrap_or_default();
            let used: usize = spans.iter().map(|s| width(&s.content)).sum();
            spans.push(Span::raw(" ".repeat(half.saturating_sub(used))));
            spans.push(word(theme, Slot::Dim, rule));
            spans.extend(right.get(i).cloned().unwrap_or_default());
            Line::from(spans)
        })
        .collect()
}
