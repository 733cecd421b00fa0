//! Lines for the width there is: on a phone nothing that must be read is cut.
//!
//! Pure. Not here: how wide it is ([`super::print::Printer::columns`]). Invariant: no row is wider than asked for unless
//! a single letter is.

use crate::domain::text::CleanText;
use crate::domain::text::width::width;
use crate::domain::text::wrap::wrap;

/// Narrower than this, a list stands in several lines an entry instead of a table.
pub(crate) const NARROW: usize = 90;

/// How wide what is read on phones is, where nothing says how wide: a phone's terminal has about that.
pub(crate) const PHONE: usize = 46;

/// Text after a lead, wrapped; what follows the first row stands below the text's begin.
pub(crate) fn hang(lead: &str, text: &str, columns: usize) -> Vec<String> {
    let indent = width(lead).min(columns / 2);
    let room = columns.saturating_sub(indent).max(1);
    let mut out = Vec::new();
    for line in text.lines().chain(text.is_empty().then_some("")) {
        // Tabs and controls have no width: what is measured is what is shown.
        let line = CleanText::one_line(line);
        for row in wrap(&line, room) {
            let before = if out.is_empty() { lead.to_owned() } else { " ".repeat(indent) };
            out.push(format!("{before}{}", line.get(row).unwrap_or_default()).trim_end().to_owned());
        }
    }
    out
}

/// The same; how wide may be unknown, and then nothing is wrapped.
pub(crate) fn hang_in(lead: &str, text: &str, columns: Option<usize>) -> Vec<String> {
    hang(lead, text, columns.unwrap_or(usize::MAX / 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_hangs_below_its_begin_and_loses_nothing() {
        let text = "accept it and bump the major version of the published crate";
        let rows = hang("  1  ", text, 24);
        assert_eq!(rows[0], "  1  accept it and bump");
        assert!(rows.iter().all(|row| width(row) <= 24) && rows[1].starts_with("     the"), "{rows:?}");
        let words: Vec<&str> = rows.iter().flat_map(|row| row.split_whitespace()).skip(1).collect();
        assert_eq!(words.join(" "), text);
        assert_eq!(hang("> ", "", 10), [">"]);
        assert_eq!(hang_in("", &"x ".repeat(300), None).len(), 1);
        assert_eq!(hang("a ", "two\nlines", 20), ["a two", "  lines"]);
    }
}
