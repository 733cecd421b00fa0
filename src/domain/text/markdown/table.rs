//! Tables: column widths, and cells wrapped and aligned in them.
//!
//! Not here: what a cell holds. Columns take what they need; when that is too much, the widest give way first. Where
//! that would leave columns of a few letters, each line of cells stands as a list of `head: cell` instead.

use std::ops::Range;

use super::layout::{cut, flow, source_of};
use super::origin::join;
use super::{Span, SpanKind, append, append_from};
use crate::domain::text::width::{Align, width};

const BORDER: &str = " │ ";
/// A column that gave way below this many cells is no column any more.
const LEAST: usize = 6;

/// A row of the screen, and the part of the source it shows.
type Shown = (Vec<Span>, Option<Range<usize>>);

/// The table as rows of at most `cells`. All rows of one line of cells show that whole line.
pub(super) fn table(aligns: &[Align], head: &[Vec<Span>], rows: &[Vec<Vec<Span>>], cells: usize) -> Vec<Shown> {
    let columns = aligns.len().max(head.len());
    let mut widths = vec![1; columns];
    for row in std::iter::once(head).chain(rows.iter().map(Vec::as_slice)) {
        for (wanted, cell) in widths.iter_mut().zip(row) {
            *wanted = natural(cell).max(*wanted);
        }
    }
    let natural = widths.clone();
    shrink(&mut widths, cells.saturating_sub(width(BORDER) * columns.saturating_sub(1)));

    let mut out = Vec::new();
    let head: Vec<Vec<Span>> = head.iter().map(|cell| strong(cell)).collect();
    let narrow = widths.iter().zip(&natural).any(|(got, wanted)| got < wanted && *got < LEAST);
    if narrow && columns > 1 && !rows.is_empty() {
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                out.push((Vec::new(), None));
            }
            record(&head, row, cells, &mut out);
        }
        return out.into_iter().map(|(row, source)| (cut(row, cells), source)).collect();
    }
    lines(aligns, &widths, &head, &mut out);
    let rule: Vec<String> = widths.iter().map(|cells| "─".repeat(*cells)).collect();
    out.push((vec![Span::new(SpanKind::TableBorder, rule.join("─┼─"))], None));
    for row in rows {
        lines(aligns, &widths, row, &mut out);
    }
    out.into_iter().map(|(row, source)| (cut(row, cells), source)).collect()
}

/// A line of cells as a list, each cell behind its head. Cells without text are left out.
fn record(head: &[Vec<Span>], row: &[Vec<Span>], cells: usize, out: &mut Vec<Shown>) {
    let source = row.iter().filter_map(|cell| source_of(cell)).reduce(join);
    for (at, cell) in row.iter().enumerate().filter(|(_, cell)| natural(cell) > 0) {
        let mut spans = Vec::new();
        if let Some(head) = head.get(at).filter(|head| natural(head) > 0) {
            // Where the head stands in the source is not where this line does.
            head.iter().for_each(|span| append(&mut spans, span.kind, &span.text));
            append(&mut spans, SpanKind::Dim, ": ");
        }
        cell.iter().for_each(|span| append_from(&mut spans, span.kind, &span.text, &span.origin));
        out.extend(flow(&spans, cells).into_iter().map(|row| (row, source.clone())));
    }
}

/// The width of a cell that is not wrapped.
fn natural(cell: &[Span]) -> usize {
    let text: String = cell.iter().map(|span| span.text.as_str()).collect();
    text.split('\n').map(width).max().unwrap_or(0)
}

/// Lowers the widest columns to one common width, such that all fit `cells`; none below 1.
fn shrink(widths: &mut [usize], cells: usize) {
    if widths.iter().sum::<usize>() <= cells {
        return;
    }
    // The common width: as large as can be with the narrower columns left as they are.
    let (mut low, mut high) = (1, cells.max(1));
    while low < high {
        let limit = (low + high).div_ceil(2);
        if widths.iter().map(|wanted| (*wanted).min(limit)).sum::<usize>() <= cells {
            low = limit
        } else {
            high = limit - 1
        }
    }
    let mut spare = cells.saturating_sub(widths.iter().map(|wanted| (*wanted).min(low)).sum());
    for wanted in widths {
        if *wanted > low {
            let more = spare.min(1);
            spare -= more;
            *wanted = low + more;
        }
    }
}

fn strong(cell: &[Span]) -> Vec<Span> {
    let kind = |kind| if kind == SpanKind::Text { SpanKind::Strong } else { kind };
    cell.iter().map(|span| Span { kind: kind(span.kind), ..span.clone() }).collect()
}

/// One row of cells, as many rows high as its highest cell.
fn lines(aligns: &[Align], widths: &[usize], row: &[Vec<Span>], out: &mut Vec<Shown>) {
    let source = row.iter().filter_map(|cell| source_of(cell)).reduce(join);
    let cells: Vec<Vec<Vec<Span>>> = widths
        .iter()
        .enumerate()
        .map(|(at, cells)| row.get(at).map_or_else(Vec::new, |cell| flow(cell, *cells)))
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(1).max(1);
    for at in 0..height {
        let mut line = Vec::new();
        for (column, (cell, wanted)) in cells.iter().zip(widths).enumerate() {
            if column > 0 {
                append(&mut line, SpanKind::TableBorder, BORDER);
            }
            let spans = cell.get(at).map_or(&[][..], Vec::as_slice);
            let missing = wanted.saturating_sub(spans.iter().map(|span| width(&span.text)).sum());
            let before = match aligns.get(column).copied().unwrap_or_default() {
                Align::Left => 0,
                Align::Centre => missing / 2,
                Align::Right => missing,
            };
            append(&mut line, SpanKind::Text, &" ".repeat(before));
            for span in spans {
                append_from(&mut line, span.kind, &span.text, &span.origin);
            }
            // Nothing stands right of the last column, so it is not filled.
            if column + 1 < widths.len() {
                append(&mut line, SpanKind::Text, &" ".repeat(missing - before));
            }
        }
        out.push((line, source.clone()));
    }
}
