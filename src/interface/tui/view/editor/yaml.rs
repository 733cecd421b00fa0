//! Colours for a plan's text: keys, quoted texts, comments. By line, with the open block remembered.
//!
//! Not a parser: a wrong guess costs a colour.

use std::ops::Range;

use crate::interface::tui::theme::Slot;

/// Lines looked back through for the block that the first line shown stands in; longer blocks lose their colour only.
const BACK: usize = 300;

/// The open block of text: lines further in than this belong to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Block(Option<usize>);

impl Block {
    /// The block that is open before a line.
    pub(super) fn before(lines: &[String], line: usize) -> Self {
        let mut block = Self::default();
        for text in lines.get(line.saturating_sub(BACK)..line).unwrap_or_default() {
            spans(text, &mut block);
        }
        block
    }
}

/// The colours of a line; what is between them is plain.
pub(super) fn spans(line: &str, block: &mut Block) -> Vec<(Range<usize>, Slot)> {
    let mut out = Vec::new();
    let inner = line.trim_start_matches(' ');
    let indent = line.len() - inner.len();
    if let Some(within) = block.0 {
        if inner.is_empty() || indent > within {
            return out;
        }
        block.0 = None;
    }
    let mut at = indent;
    while line.get(at..).is_some_and(|rest| rest.starts_with("- ")) {
        out.push((at..at + 1, Slot::Marker));
        at += 2;
    }
    let column = at;
    let rest = line.get(at..).unwrap_or_default();
    if rest.starts_with('#') {
        out.push((at..line.len(), Slot::CodeComment));
        return out;
    }
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if let Some(end) = rest.find(':').filter(|end| *end > 0 && rest.chars().take(*end).all(name)) {
        out.push((at..at + end, Slot::CodeKeyword));
        at += end + 1;
        let value = line.get(at..).unwrap_or_default().trim();
        if matches!(value.trim_end_matches(['-', '+']), "|" | ">") {
            block.0 = Some(column);
        }
    }
    let mut open: Option<(usize, char)> = None;
    let mut before = ' ';
    for (byte, c) in line.get(at..).unwrap_or_default().char_indices().map(|(i, c)| (at + i, c)) {
        match open {
            Some((from, quote)) if c == quote && before != '\\' => {
                out.push((from..byte + 1, Slot::CodeString));
                open = None;
            }
            Some(_) => {}
            None if matches!(c, '"' | '\'') && matches!(before, ' ' | '[' | ',' | '{' | ':') => open = Some((byte, c)),
            None if c == '#' && before == ' ' => {
                out.push((byte..line.len(), Slot::CodeComment));
                break;
            }
            None => {}
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_in_a_block_has_no_keys() {
        let text =
            "tasks:\n  - id: a\n    prompt: |-\n      note: this is prose\n\n      # and this\n    level: high  # soon";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut block = Block::before(&lines, 0);
        let all: Vec<Vec<(&str, Slot)>> =
            lines.iter().map(|l| spans(l, &mut block).into_iter().map(|(r, s)| (&l[r], s)).collect()).collect();
        assert_eq!(all[1], [("-", Slot::Marker), ("id", Slot::CodeKeyword)]);
        assert_eq!(all[2], [("prompt", Slot::CodeKeyword)]);
        assert!(all[3..6].iter().all(Vec::is_empty));
        assert_eq!(all[6], [("level", Slot::CodeKeyword), ("# soon", Slot::CodeComment)]);
        assert!(spans(&lines[3], &mut Block::before(&lines, 3)).is_empty());
        assert_eq!(spans("  title: \"a: b\"", &mut Block::default())[1], (9..15, Slot::CodeString));
    }
}
