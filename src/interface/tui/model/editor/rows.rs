//! Rows on the screen: a line of a text takes one or more, and the cursor goes up and down by them.
//!
//! Unlike [`wrap`], the rows here leave nothing out: the spaces at a break hang at the end of a row, so that each byte
//! of a line stands in exactly one row.

use std::ops::Range;

use super::text::{At, EditText};
use crate::domain::text::width::{graphemes, width};
use crate::domain::text::wrap::wrap;

/// The rows of a line at `cells` a row, without gaps; at least one.
pub fn rows(line: &str, cells: usize) -> Vec<Range<usize>> {
    let mut rows: Vec<Range<usize>> = wrap(line, cells).collect();
    let starts: Vec<usize> = rows.iter().skip(1).map(|r| r.start).chain([line.len()]).collect();
    for (i, (row, next)) in rows.iter_mut().zip(starts).enumerate() {
        row.end = next;
        if i == 0 {
            row.start = 0;
        }
    }
    rows
}

/// The row that a byte of a line stands in, and its column there in cells.
pub fn place(line: &str, byte: usize, cells: usize) -> (usize, usize) {
    let rows = rows(line, cells);
    let row = rows.iter().rposition(|r| r.start <= byte).unwrap_or(0);
    let start = rows.get(row).map_or(0, |r| r.start);
    (row, width(line.get(start..byte).unwrap_or_default()))
}

/// The byte of a line at a column of one of its rows, or the nearest before.
pub fn byte_at(line: &str, row: usize, column: usize, cells: usize) -> usize {
    let rows = rows(line, cells);
    let last = row + 1 >= rows.len();
    let Some(range) = rows.get(row).cloned() else { return line.len() };
    let text = line.get(range.clone()).unwrap_or_default();
    let mut at = 0;
    for g in graphemes(text) {
        let end = g.at + g.text.len();
        // Past the last grapheme of a row stands the next row.
        if at + g.cells > column || (!last && end >= text.len()) {
            return range.start + g.at;
        }
        at += g.cells;
    }
    range.start + text.len()
}

/// Moves the cursor up or down by rows, keeping to its column.
pub fn step(text: &mut EditText, by: isize, cells: usize) {
    let At { mut line, byte } = text.cursor();
    let (mut row, column) = place(text.line(line), byte, cells);
    let column = text.column.unwrap_or(column);
    for _ in 0..by.unsigned_abs() {
        if by > 0 {
            if row + 1 < rows(text.line(line), cells).len() {
                row += 1;
            } else if line + 1 < text.lines().len() {
                (line, row) = (line + 1, 0);
            } else {
                text.line_end();
                return;
            }
        } else if row > 0 {
            row -= 1;
        } else if line > 0 {
            line -= 1;
            row = rows(text.line(line), cells).len() - 1;
        } else {
            text.go(At::default());
            return;
        }
    }
    let byte = byte_at(text.line(line), row, column, cells);
    text.go(At { line, byte });
    text.column = Some(column);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_stands_in_one_row() {
        for line in [
            "",
            "one two  three four",
            "    indented words of a prompt",
            "解析器の曖昧さをすべて列挙",
            "averylongwordwithoutanyspace",
        ] {
            for cells in 1..20 {
                let rows = rows(line, cells);
                assert_eq!((rows[0].start, rows[rows.len() - 1].end), (0, line.len()));
                assert!(rows.windows(2).all(|w| w[0].end == w[1].start), "{line} {cells}");
                for (byte, _) in line.char_indices() {
                    let (row, column) = place(line, byte, cells);
                    assert_eq!(byte_at(line, row, column, cells), byte, "{line} {cells} {byte}");
                }
            }
        }
    }

    #[test]
    fn up_and_down_keep_the_column_over_short_and_wide_rows() {
        let mut text = EditText::new("0123456789\nab\n解析器の曖昧さ");
        text.go(At { line: 0, byte: 5 });
        step(&mut text, 1, 40);
        assert_eq!(text.cursor(), At { line: 1, byte: 2 });
        step(&mut text, 1, 40);
        assert_eq!(text.cursor(), At { line: 2, byte: 6 });
        step(&mut text, -2, 40);
        assert_eq!(text.cursor(), At { line: 0, byte: 5 });
        text.go(At { line: 0, byte: 5 });
        step(&mut text, 1, 4);
        assert_eq!(text.cursor(), At { line: 0, byte: 9 });
    }
}
