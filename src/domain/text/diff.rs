//! What differs between two texts, word by word.
//!
//! Bounded: where the words are too many, lines are compared; where those are, too, all of it counts as changed. Not
//! here: how it is shown. Invariants: the blocks follow each other without a gap and cover both texts; a block that is
//! the same has the same text on both sides; all ranges lie on character boundaries.

use std::ops::Range;

use super::width::char_width;

/// The most comparisons: a table of so many cells takes a few milliseconds and megabytes, and is given back at once.
const CELLS: usize = 4_000_000;

/// Whether a block is in both texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is.
    Same,
    /// What was there was replaced, taken out (the second is empty) or put in (the first is).
    Changed,
}

/// A stretch of both texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Same or changed.
    pub kind: Kind,
    /// Bytes of the first text.
    pub before: Range<usize>,
    /// Bytes of the second.
    pub after: Range<usize>,
}

/// Compares two texts.
pub fn diff(before: &str, after: &str) -> Vec<Block> {
    let words = compared(before, after, &words(before), &words(after));
    let blocks = words.or_else(|| compared(before, after, &lines(before), &lines(after)));
    let blocks = blocks.unwrap_or_else(|| vec![block(Kind::Changed, 0..before.len(), 0..after.len())]);
    joined(before, blocks)
}

fn block(kind: Kind, before: Range<usize>, after: Range<usize>) -> Block {
    Block { kind, before, after }
}

/// What a character is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Space,
    /// Stands for itself: a line's end, a mark, a sign of a script that writes no spaces.
    Alone,
}

fn class(c: char) -> Class {
    match c {
        '\n' => Class::Alone,
        c if c.is_whitespace() => Class::Space,
        c if (c.is_alphanumeric() || c == '_') && char_width(c) < 2 => Class::Word,
        // Marks that combine belong to what they stand on.
        c if char_width(c) == 0 => Class::Word,
        _ => Class::Alone,
    }
}

fn words(text: &str) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut last = Class::Alone;
    for (at, c) in text.char_indices() {
        let is = class(c);
        let end = at + c.len_utf8();
        match out.last_mut() {
            Some(word) if is == last && is != Class::Alone => word.end = end,
            _ => out.push(at..end),
        }
        last = is;
    }
    out
}

fn lines(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let from = at;
            at += line.len();
            from..at
        })
        .collect()
}

/// The blocks by the longest common sequence of parts; none when there are too many parts.
fn compared(a: &str, b: &str, left: &[Range<usize>], right: &[Range<usize>]) -> Option<Vec<Block>> {
    let of = |text: &str, part: &Range<usize>| text.get(part.clone()).unwrap_or_default().to_owned();
    let same = |i: &Range<usize>, j: &Range<usize>| a.get(i.clone()) == b.get(j.clone());
    let head = left.iter().zip(right).take_while(|(i, j)| same(i, j)).count();
    let (left_rest, right_rest) = (left.get(head..)?, right.get(head..)?);
    let tail = left_rest.iter().rev().zip(right_rest.iter().rev()).take_while(|(i, j)| same(i, j)).count();
    let left_mid = left_rest.get(..left_rest.len() - tail)?;
    let right_mid = right_rest.get(..right_rest.len() - tail)?;
    let (n, m) = (left_mid.len(), right_mid.len());
    if n.saturating_mul(m) > CELLS {
        return None;
    }
    // Numbers in place of words: each comparison is then one of two integers.
    let mut names: std::collections::HashMap<String, u32> = std::collections::HashMap::new();
    let mut number = |text: String| {
        let next = names.len() as u32;
        *names.entry(text).or_insert(next)
    };
    let xs: Vec<u32> = left_mid.iter().map(|p| number(of(a, p))).collect();
    let ys: Vec<u32> = right_mid.iter().map(|p| number(of(b, p))).collect();
    // table[i][j]: the longest common sequence of what follows i and j. At most the square root of CELLS: fits u16.
    let width = m + 1;
    let mut table = vec![0u16; (n + 1) * width];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            table[i * width + j] = if xs[i] == ys[j] {
                table[(i + 1) * width + j + 1] + 1
            } else {
                table[(i + 1) * width + j].max(table[i * width + j + 1])
            };
        }
    }
    let mut blocks = Vec::new();
    let start = |parts: &[Range<usize>], at: usize, text: &str| parts.get(at).map_or(text.len(), |p| p.start);
    let mut push = |kind: Kind, i: Range<usize>, j: Range<usize>| {
        if !i.is_empty() || !j.is_empty() {
            let before = start(left, i.start, a)..start(left, i.end, a);
            blocks.push(block(kind, before, start(right, j.start, b)..start(right, j.end, b)));
        }
    };
    push(Kind::Same, 0..head, 0..head);
    let (mut i, mut j) = (0, 0);
    while i < n || j < m {
        let (from_i, from_j) = (i, j);
        while i < n && j < m && xs[i] == ys[j] {
            (i, j) = (i + 1, j + 1);
        }
        push(Kind::Same, head + from_i..head + i, head + from_j..head + j);
        let (from_i, from_j) = (i, j);
        while i < n && j < m && xs[i] != ys[j] {
            if table[(i + 1) * width + j] >= table[i * width + j + 1] { i += 1 } else { j += 1 }
        }
        if i == n || j == m {
            (i, j) = (n, m);
        }
        push(Kind::Changed, head + from_i..head + i, head + from_j..head + j);
    }
    push(Kind::Same, left.len() - tail..left.len(), right.len() - tail..right.len());
    Some(blocks)
}

/// Joins neighbours of a kind, and changes that only a space parts: one change reads better than five.
fn joined(before: &str, blocks: Vec<Block>) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::new();
    let mut rest = blocks.into_iter().peekable();
    while let Some(next) = rest.next() {
        let text = before.get(next.before.clone()).unwrap_or_default();
        let space = next.kind == Kind::Same && !text.is_empty() && text.chars().all(|c| class(c) == Class::Space);
        let between = space
            && out.last().is_some_and(|b| b.kind == Kind::Changed)
            && rest.peek().is_some_and(|b| b.kind == Kind::Changed);
        let kind = if between { Kind::Changed } else { next.kind };
        match out.last_mut() {
            Some(last) if last.kind == kind => {
                last.before.end = next.before.end;
                last.after.end = next.after.end;
            }
            _ => out.push(Block { kind, ..next }),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As `git diff --word-diff` writes it.
    fn told(before: &str, after: &str) -> String {
        let mut out = String::new();
        for b in diff(before, after) {
            let (was, is) = (&before[b.before.clone()], &after[b.after.clone()]);
            match b.kind {
                Kind::Same => out.push_str(is),
                Kind::Changed => {
                    if !was.is_empty() {
                        out.push_str(&format!("[-{was}-]"));
                    }
                    if !is.is_empty() {
                        out.push_str(&format!("{{+{is}+}}"));
                    }
                }
            }
        }
        out
    }

    #[test]
    fn words_are_told_apart() {
        assert_eq!(told("the quick fox", "the slow fox"), "the [-quick-]{+slow+} fox");
        assert_eq!(told("a b c d", "a x y d"), "a [-b c-]{+x y+} d");
        assert_eq!(told("same", "same"), "same");
        assert_eq!(told("", "new"), "{+new+}");
        assert_eq!(told("old", ""), "[-old-]");
        assert_eq!(told("解析器の曖昧さ", "解析器の厳密さ"), "解析器の[-曖昧-]{+厳密+}さ");
        assert_eq!(told("one\ntwo\n", "one\ntwo\nthree\n"), "one\ntwo\n{+three\n+}");
    }

    #[test]
    fn much_text_is_compared_by_lines_and_too_much_not_at_all() {
        let text = |word: &str| (0..3_000).map(|i| format!("{word} {i} a b c d\n")).collect::<String>();
        let before = text("x");
        let after = format!("{}{}", "y first\n", before.replace("x 1500 a b", "x 1500 changed b"));
        let blocks = diff(&before, &after);
        assert!(blocks.len() <= 5, "{}", blocks.len());
        let (one, other) = (text("x"), text("y"));
        let blocks = diff(&one, &other);
        assert_eq!(blocks, vec![block(Kind::Changed, 0..one.len(), 0..other.len())]);
    }

    proptest! {
        #[test]
        fn the_blocks_are_the_texts(before in "[ab 空é\n.]{0,40}", after in "[ab 空é\n.]{0,40}") {
            let (mut i, mut j) = (0, 0);
            let mut last = None;
            for b in diff(&before, &after) {
                prop_assert_eq!((b.before.start, b.after.start), (i, j));
                prop_assert_ne!(last.replace(b.kind), Some(b.kind));
                let (was, is) = (&before[b.before.clone()], &after[b.after.clone()]);
                prop_assert!(b.kind == Kind::Changed || was == is);
                (i, j) = (b.before.end, b.after.end);
            }
            prop_assert_eq!((i, j), (before.len(), after.len()));
        }
    }
}
