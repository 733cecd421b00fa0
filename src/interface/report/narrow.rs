//! A report for a narrow terminal: tables become lists, long lines are wrapped; nothing is cut.
//!
//! Pure. It reads only what [`super::markdown()`] wrote, whose cells have no bare bar in them.

use crate::domain::text::width::width;
use crate::domain::text::wrap::wrap;

/// Folds a report into that many columns.
pub fn fold(markdown: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut head: Option<Vec<String>> = None;
    for line in markdown.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            head = None;
            push(&mut out, line, columns);
            continue;
        };
        let cells = cells(row);
        let Some(head) = &head else {
            head = Some(cells);
            continue;
        };
        if cells.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':'))) {
            continue;
        }
        if let [figure, value] = cells.as_slice() {
            push(&mut out, &format!("- {figure}: {value}"), columns);
            continue;
        }
        for (i, (name, cell)) in head.iter().zip(&cells).enumerate() {
            match i {
                0 => push(&mut out, &format!("- {cell}"), columns),
                _ if cell.is_empty() || cell == "–" => {}
                _ => push(&mut out, &format!("  {name}: {cell}"), columns),
            }
        }
    }
    out
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim_end().trim_end_matches('|');
    row.split(" | ").map(|cell| cell.trim().to_owned()).collect()
}

/// A line in rows; those after the first begin as the line's own mark does.
fn push(out: &mut String, line: &str, columns: usize) {
    let lead = match line.trim_start().chars().next() {
        Some('>') => "> ",
        Some('-') => "  ",
        _ if line.starts_with("  ") => "    ",
        _ => "",
    };
    let (first, text) = match lead {
        "> " => ("> ", line.trim_start().trim_start_matches('>').trim_start()),
        _ => ("", line),
    };
    let room = columns.saturating_sub(width(lead)).max(1);
    if text.is_empty() {
        out.push_str(first.trim_end());
        out.push('\n');
    }
    let mut rest = text;
    let mut before = first;
    // The first row has the mark in it, the others stand behind it.
    let mut cells = columns.saturating_sub(width(first)).max(1);
    while !rest.is_empty() {
        let row = wrap(rest, cells).next().unwrap_or(0..rest.len());
        let end = if row.end == 0 { rest.len() } else { row.end };
        out.push_str(before);
        out.push_str(rest.get(..end).unwrap_or_default().trim_end());
        out.push('\n');
        rest = rest.get(end..).unwrap_or_default().trim_start();
        (before, cells) = (lead, room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_becomes_a_list_and_nothing_is_lost() {
        let page = "# Session s\n\n| Figure | Value |\n| --- | --- |\n| Time from the first attempt's start to the last one's end | 4 min 12 s |\n\n\
                    | Task | Title | Endpoint |\n| --- | --- | ---: |\n| g1/a | Compare two parsers by reading what both say of themselves | – |\n\n\
                    > An answer that is longer than the terminal of a phone is wide, and goes on.\n";
        let folded = fold(page, 46);
        assert!(folded.lines().all(|line| width(line) <= 46), "{folded}");
        assert!(!folded.contains('|') && !folded.contains("---"), "{folded}");
        let words = folded.split_whitespace().collect::<Vec<_>>().join(" ");
        for whole in ["start to the last one's end: 4 min 12 s", "Title: Compare two parsers by reading", "- g1/a"] {
            assert!(words.contains(whole), "{whole} is not in {words}");
        }
        assert!(folded.contains("> An answer") && folded.contains("\n> "), "{folded}");
    }
}
