//! The find line of an editor: what is looked for, where it stands, which of them the cursor is at.

use super::text::{At, EditText};
use crate::domain::text::search::Needle;

/// The most places that are found: nobody goes through more.
const MOST: usize = 100_000;

/// A search in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Find {
    needle: String,
    /// Where the cursor stood when it began.
    origin: At,
    found: Vec<(At, usize)>,
    at: Option<usize>,
    version: u64,
}

impl Find {
    /// An empty search from the cursor on.
    pub fn new(text: &EditText) -> Self {
        Self { needle: String::new(), origin: text.cursor(), found: Vec::new(), at: None, version: text.version() }
    }

    /// What is looked for.
    pub fn needle(&self) -> &str {
        &self.needle
    }

    /// The match the cursor is at, from 1, and how many there are.
    pub fn count(&self) -> (usize, usize) {
        (self.at.map_or(0, |i| i + 1), self.found.len())
    }

    /// The matches in a line as bytes, each with whether the cursor is at it.
    pub fn in_line(&self, line: usize) -> impl Iterator<Item = (usize, usize, bool)> + '_ {
        let from = self.found.partition_point(|(at, _)| at.line < line);
        let these = self.found.iter().enumerate().skip(from).take_while(move |(_, (at, _))| at.line == line);
        these.map(|(i, (at, end))| (at.byte, *end, self.at == Some(i)))
    }

    /// Looks for another needle; the cursor goes to the first match from where the search began.
    pub fn set(&mut self, needle: String, text: &mut EditText) {
        self.needle = needle;
        self.look(text);
        self.at = self.nearest(self.origin);
        self.show(text);
    }

    /// To the next match, or the one before, round and round.
    pub fn turn(&mut self, by: isize, text: &mut EditText) {
        if self.version != text.version() {
            self.look(text);
            self.at = self.nearest(text.cursor());
        }
        if let (Some(at), n @ 1..) = (self.at, self.found.len()) {
            let back = by.rem_euclid(isize::try_from(n).unwrap_or(1)).unsigned_abs();
            self.at = Some((at + back) % n);
        }
        self.show(text);
    }

    fn nearest(&self, from: At) -> Option<usize> {
        let i = self.found.partition_point(|(at, _)| *at < from);
        if self.found.is_empty() { None } else { Some(i % self.found.len()) }
    }

    fn look(&mut self, text: &EditText) {
        let needle = Needle::new(&self.needle);
        let lines = text.lines().iter().enumerate();
        let all =
            lines.flat_map(|(line, words)| needle.matches(words).map(move |r| (At { line, byte: r.start }, r.end)));
        self.found = all.take(MOST).collect();
        self.version = text.version();
    }

    fn show(&self, text: &mut EditText) {
        let to = self.at.and_then(|i| self.found.get(i)).map_or(self.origin, |(at, _)| *at);
        text.go(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_counted_and_walked_round() {
        let mut text = EditText::new("a needs b\nneeds: [b]\nnone");
        text.go(At { line: 0, byte: 4 });
        let mut find = Find::new(&text);
        find.set("needs".into(), &mut text);
        assert_eq!((find.count(), text.cursor()), ((2, 2), At { line: 1, byte: 0 }));
        find.turn(1, &mut text);
        assert_eq!((find.count(), text.cursor()), ((1, 2), At { line: 0, byte: 2 }));
        find.turn(-1, &mut text);
        assert_eq!(find.count(), (2, 2));
        assert_eq!(find.in_line(1).collect::<Vec<_>>(), [(0, 5, true)]);
        find.set("nowhere".into(), &mut text);
        assert_eq!((find.count(), text.cursor()), ((0, 0), At { line: 0, byte: 4 }));
    }
}
