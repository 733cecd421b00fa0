//! Whether a model says the same over and over: a text whose end is one piece, many times.
//!
//! Not here: what is made of it (the orchestrator tells the operator). Invariants: memory and work for a byte are
//! bounded whatever comes; it is told once. Only exact repetition of words counts, so that tables, code and numbered
//! lists, which repeat their form, do not.

use crate::domain::protocol::Channel;
use crate::domain::text::CleanText;

/// How much of the text's end is looked at.
const WINDOW: usize = 8 * 1024;
/// New bytes between two looks: eight steps a byte.
const STEP: usize = 1024;
/// A piece of a line said this often is a loop…
const TIMES: usize = 6;
/// …short lines are, when they come this often.
const LINES: usize = 12;
/// Shorter pieces count as if they were this long.
const LEAST: usize = 20;
/// Lines this long are no chance repetition: they count as pieces of a line do.
const LONG: usize = 120;
/// The most of the piece that is shown.
const SHOWN: usize = 60;

/// The end of a turn's text.
#[derive(Debug, Default)]
pub(super) struct Repeat {
    text: Vec<u8>,
    channel: Option<Channel>,
    unseen: usize,
    told: bool,
}

impl Repeat {
    /// Takes a piece in. What is repeated, and how often, the first time that something is.
    pub(super) fn push(&mut self, channel: Channel, piece: &str) -> Option<CleanText> {
        if self.told || channel == Channel::ToolCall {
            return None;
        }
        if self.channel != Some(channel) {
            self.channel = Some(channel);
            self.text.clear();
        }
        self.text.extend_from_slice(piece.as_bytes());
        if self.text.len() > 2 * WINDOW {
            self.text.drain(..self.text.len() - WINDOW);
        }
        self.unseen += piece.len();
        if self.unseen < STEP {
            return None;
        }
        self.unseen = 0;
        let tail = &self.text[self.text.len().saturating_sub(WINDOW)..];
        let (period, times) = period(tail)?;
        let evidence = evidence(&tail[tail.len() - period..], times)?;
        self.told = true;
        self.text = Vec::new();
        Some(evidence)
    }
}

/// The piece that a text ends with often enough, as its length, and how often.
fn period(text: &[u8]) -> Option<(usize, usize)> {
    let n = text.len();
    // From the end backwards; `border[i]`: how much of the first i + 1 bytes so read is both their start and their end.
    let at = |i: usize| text[n - 1 - i];
    let last_line = (0..n).find(|i| at(*i) == b'\n').unwrap_or(n);
    let mut border = vec![0usize; n];
    let mut k = 0;
    let mut found = None;
    for i in 1..n {
        while k > 0 && at(i) != at(k) {
            k = border[k - 1];
        }
        if at(i) == at(k) {
            k += 1;
        }
        border[i] = k;
        let (length, period) = (i + 1, i + 1 - k);
        let times = if last_line < period && period < LONG { LINES } else { TIMES };
        let unit = period * LEAST.div_ceil(period);
        if length >= times * unit {
            found = Some((period, length / period));
        }
    }
    found
}

/// The piece in words; none when it has none: rules and numbers repeat in any table.
fn evidence(piece: &[u8], times: usize) -> Option<CleanText> {
    // From the start of a line, a sentence or a word.
    let line = piece.iter().position(|b| *b == b'\n').map(|i| i + 1);
    let sentence = || piece.windows(2).position(|w| matches!(w, b". " | b"! " | b"? ")).map(|i| i + 2);
    let word = || piece.iter().position(|b| *b == b' ').map(|i| i + 1);
    let start = line.or_else(sentence).or_else(word).unwrap_or(0);
    let whole = [&piece[start..], &piece[..start]].concat();
    let text = String::from_utf8_lossy(&whole);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == char::REPLACEMENT_CHARACTER);
    if text.chars().filter(|c| c.is_alphabetic()).count() < 3 {
        return None;
    }
    let line = CleanText::one_line(text);
    let short: String = line.chars().take(SHOWN).collect();
    let more = if line.chars().count() > SHOWN { "…" } else { "" };
    Some(CleanText::one_line(&format!("“{}{more}” {times} times", short.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a text that comes in pieces of `size` bytes or a little more.
    fn told(text: &str, size: usize) -> Option<String> {
        let mut repeat = Repeat::default();
        let mut found = None;
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.ceil_char_boundary(size.min(rest.len())));
            let now = repeat.push(Channel::Answer, piece);
            assert!(found.is_none() || now.is_none(), "told twice");
            found = found.or(now);
            assert!(repeat.text.len() <= 2 * WINDOW + size + 4, "bounded");
            rest = more;
        }
        found.map(|f| f.to_string())
    }

    #[test]
    fn a_sentence_a_line_and_a_paragraph_over_and_over_are_told() {
        for size in [1, 7, 300] {
            let sentence = told(&format!("It begins well. {}", "I will now look at the file again. ".repeat(80)), size);
            assert!(sentence.is_some_and(|s| s.contains("look at the file again")), "{size}");
            let line = told(&format!("One.\nTwo.\n{}", "Let me think.\n".repeat(200)), size);
            assert!(line.is_some_and(|l| l.starts_with("“Let me think.” ")), "{size}");
            let paragraph = format!("The parser reads a token and then decides. {}\n\n", "x y z ".repeat(30));
            assert!(told(&paragraph.repeat(20), size).is_some(), "{size}");
            assert!(told(&"繰り返しの文です。".repeat(200), size).is_some(), "{size}");
            assert!(told(&"the ".repeat(900), size).is_some(), "{size}");
        }
    }

    #[test]
    fn tables_code_and_lists_are_not() {
        let table: String = (0..200).map(|i| format!("| row {i} | yes | yes | no |\n|---|---|---|---|\n")).collect();
        let rule = format!("{}\n{}\n", "-".repeat(3_000), "| --- | --- |\n".repeat(300));
        let list: String = (1..300).map(|i| format!("{i}. Check the input and go on.\n")).collect();
        let code: String =
            (0..150).map(|i| format!("    if x == {i} {{\n        return Err(Error::Bad);\n    }}\n")).collect();
        let numbers = "0, 0, 0, 0, 0, 0, 0, 0,\n".repeat(400);
        let braces = "        }\n".repeat(200) + &"}\n\n".repeat(900);
        let refrain: String =
            (0..60).map(|i| format!("Verse {i} is new.\n{}", "And this is the refrain.\n".repeat(3))).collect();
        let prose: String =
            (0..400).map(|i| format!("Sentence {} differs from {}. ", i * 7919 % 1000, i * 31 % 77)).collect();
        for text in [table, rule, list, code, numbers, braces, refrain, prose] {
            for size in [3, 500] {
                assert_eq!(told(&text, size), None, "{}", &text[..text.floor_char_boundary(60)]);
            }
        }
    }

    #[test]
    fn thinking_and_answer_are_looked_at_apart() {
        let mut repeat = Repeat::default();
        for i in 0..400 {
            let channel = if i % 2 == 0 { Channel::Thinking } else { Channel::Answer };
            assert_eq!(repeat.push(channel, "I will look at it again. "), None);
        }
        assert_eq!(repeat.push(Channel::ToolCall, &"{\"name\":\"read\"}".repeat(500)), None);
    }
}
