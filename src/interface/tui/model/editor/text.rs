//! A text being edited: its lines, a cursor between graphemes, and steps that can be undone.
//!
//! A step costs what it changes, not what the text holds. Not here: what a key does ([`super::keys`]), rows on the screen
//! ([`super::rows`]). Invariants: there is at least one line; no line holds a newline; the cursor stands on a character's
//! boundary; undoing all steps gives the text back to the byte.

use std::collections::VecDeque;

use unicode_segmentation::UnicodeSegmentation;

/// The most steps kept: more than anybody goes back.
const STEPS: usize = 20_000;
/// The most bytes that steps keep: a few whole plans of the greatest size.
const BYTES: usize = 32 * 1024 * 1024;
/// How far `tab` indents.
const INDENT: usize = 2;

/// A place in a text: a line from 0 and a byte in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The byte of the line.
    pub byte: usize,
}

/// What a step was, so that letters typed in a row are undone together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Typed,
    Erased,
    Whole,
}

/// One change: at a place something went and something came.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    at: At,
    gone: String,
    came: String,
    before: At,
    kind: Kind,
}

/// Whether the next letter may join the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    Open,
    Closed,
}

/// How a new line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indent {
    /// At the left.
    None,
    /// Under the line before, and inside an item of a list.
    Yaml,
}

/// A text being edited.
#[derive(Clone, Debug, PartialEq)]
pub struct EditText {
    lines: Vec<String>,
    cursor: At,
    /// The column that going up and down keeps to.
    pub(super) column: Option<usize>,
    done: VecDeque<Step>,
    undone: Vec<Step>,
    joint: Joint,
    kept: usize,
    version: u64,
}

impl Default for EditText {
    fn default() -> Self {
        Self::new("")
    }
}

impl EditText {
    /// A text with the cursor at its start.
    pub fn new(text: &str) -> Self {
        Self {
            lines: text.split('\n').map(str::to_owned).collect(),
            cursor: At::default(),
            column: None,
            done: VecDeque::new(),
            undone: Vec::new(),
            joint: Joint::Closed,
            kept: 0,
            version: 0,
        }
    }

    /// The lines; at least one.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// One line; empty where there is none.
    pub fn line(&self, line: usize) -> &str {
        self.lines.get(line).map_or("", String::as_str)
    }

    /// The whole text.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Whether it is `other`, without a copy of it.
    pub fn is(&self, other: &str) -> bool {
        self.lines.iter().map(String::as_str).eq(other.split('\n'))
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(String::is_empty)
    }

    /// Where the cursor stands.
    pub fn cursor(&self) -> At {
        self.cursor
    }

    /// Grows with every change, undone ones too.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Puts the cursor at a place, or the nearest there is.
    pub fn go(&mut self, at: At) {
        let line = at.line.min(self.lines.len() - 1);
        let text = self.line(line);
        let byte = text.floor_char_boundary(at.byte.min(text.len()));
        self.cursor = At { line, byte };
        self.column = None;
        self.joint = Joint::Closed;
    }

    fn end(&self) -> At {
        let line = self.lines.len() - 1;
        At { line, byte: self.line(line).len() }
    }

    /// Puts `text` in the place of what stands between two places; says what went and where what came ends.
    fn swap(&mut self, from: At, to: At, text: &str) -> (String, At) {
        let head = self.line(from.line).get(..from.byte).unwrap_or_default().to_owned();
        let tail = self.line(to.line).get(to.byte..).unwrap_or_default().to_owned();
        let gone = if from.line == to.line {
            self.line(from.line).get(from.byte..to.byte).unwrap_or_default().to_owned()
        } else {
            let mut gone = self.line(from.line).get(from.byte..).unwrap_or_default().to_owned();
            for line in from.line + 1..to.line {
                gone.push('\n');
                gone.push_str(self.line(line));
            }
            gone.push('\n');
            gone.push_str(self.line(to.line).get(..to.byte).unwrap_or_default());
            gone
        };
        let mut came: Vec<String> = text.split('\n').map(str::to_owned).collect();
        if let Some(first) = came.first_mut() {
            first.insert_str(0, &head);
        }
        let line = from.line + came.len() - 1;
        let byte = came.last().map_or(0, String::len);
        if let Some(last) = came.last_mut() {
            last.push_str(&tail);
        }
        self.lines.splice(from.line..=to.line, came);
        (gone, At { line, byte })
    }

    /// Makes a change as a step that can be undone; the cursor goes to its end.
    fn change(&mut self, from: At, to: At, text: &str, kind: Kind) {
        if from == to && text.is_empty() {
            return;
        }
        let before = self.cursor;
        let (gone, end) = self.swap(from, to, text);
        self.cursor = end;
        self.column = None;
        self.version += 1;
        self.undone.clear();
        self.kept += gone.len() + text.len();
        let joins = self.joint == Joint::Open && kind != Kind::Whole;
        match self.done.back_mut().filter(|last| joins && last.kind == kind) {
            Some(last) if kind == Kind::Typed && ends_at(last) == from && !new_word(&last.came, text) => {
                last.came.push_str(text);
            }
            Some(last) if kind == Kind::Erased && to == last.at => {
                last.at = from;
                last.gone.insert_str(0, &gone);
            }
            _ => self.done.push_back(Step { at: from, gone, came: text.to_owned(), before, kind }),
        }
        self.joint = Joint::Open;
        while self.done.len() > STEPS || (self.kept > BYTES && self.done.len() > 1) {
            let Some(old) = self.done.pop_front() else { break };
            self.kept = self.kept.saturating_sub(old.gone.len() + old.came.len());
        }
    }

    /// Types a letter.
    pub fn type_in(&mut self, c: char) {
        let mut buffer = [0; 4];
        self.change(self.cursor, self.cursor, c.encode_utf8(&mut buffer), Kind::Typed);
    }

    /// Puts a whole text in, as one step.
    pub fn paste(&mut self, text: &str) {
        self.change(self.cursor, self.cursor, text, Kind::Whole);
        self.joint = Joint::Closed;
    }

    /// Puts another text in the place of all of it, as one step; the cursor stays about where it was.
    pub fn set(&mut self, text: &str) {
        if self.is(text) {
            return;
        }
        let cursor = self.cursor;
        self.change(At::default(), self.end(), text, Kind::Whole);
        self.go(cursor);
    }

    /// Puts `text` in the place of what stands between two bytes of the cursor's line.
    pub fn replace(&mut self, from: usize, to: usize, text: &str) {
        let line = self.cursor.line;
        self.change(At { line, byte: from }, At { line, byte: to }, text, Kind::Whole);
        self.joint = Joint::Closed;
    }

    /// Begins a new line.
    pub fn newline(&mut self, indent: Indent) {
        let mut text = String::from("\n");
        if indent == Indent::Yaml {
            let before = self.line(self.cursor.line).get(..self.cursor.byte).unwrap_or_default();
            let inner = before.trim_start_matches(' ');
            let item = if inner.starts_with("- ") { INDENT } else { 0 };
            text.push_str(&" ".repeat(before.len() - inner.len() + item));
        }
        self.change(self.cursor, self.cursor, &text, Kind::Typed);
    }

    /// Indents to the next stop.
    pub fn indent(&mut self) {
        let column = self.line(self.cursor.line).get(..self.cursor.byte).unwrap_or_default().chars().count();
        let spaces = " ".repeat(INDENT - column % INDENT);
        self.change(self.cursor, self.cursor, &spaces, Kind::Typed);
    }

    /// Takes an indentation off the line.
    pub fn outdent(&mut self) {
        let At { line, byte } = self.cursor;
        let spaces = self.line(line).bytes().take(INDENT).take_while(|b| *b == b' ').count();
        self.change(At { line, byte: 0 }, At { line, byte: spaces }, "", Kind::Whole);
        self.cursor = At { line, byte: byte.saturating_sub(spaces) };
    }

    /// Takes out what stands between the cursor and a place.
    fn erase_to(&mut self, place: At) {
        let (from, to) = if place < self.cursor { (place, self.cursor) } else { (self.cursor, place) };
        self.change(from, to, "", Kind::Erased);
    }

    /// Takes out the grapheme before the cursor; at a line's start, the line's end before it.
    pub fn backspace(&mut self) {
        self.erase_to(self.before(self.cursor));
    }

    /// Takes out the grapheme after the cursor.
    pub fn delete(&mut self) {
        self.erase_to(self.after(self.cursor));
        self.joint = Joint::Closed;
    }

    /// Takes out the word before the cursor.
    pub fn erase_word(&mut self) {
        self.erase_to(self.word_before());
    }

    /// Takes out what stands before the cursor in its line.
    pub fn erase_to_start(&mut self) {
        self.erase_to(At { byte: 0, ..self.cursor });
    }

    /// Takes out the rest of the line; at its end, the line's end.
    pub fn erase_to_end(&mut self) {
        let end = At { byte: self.line(self.cursor.line).len(), ..self.cursor };
        self.erase_to(if end == self.cursor { self.after(end) } else { end });
        self.joint = Joint::Closed;
    }

    /// Undoes the last step. False: there is none.
    pub fn undo(&mut self) -> bool {
        let Some(step) = self.done.pop_back() else { return false };
        self.swap(step.at, ends_at(&step), &step.gone);
        self.kept = self.kept.saturating_sub(step.gone.len() + step.came.len());
        self.cursor = step.before;
        self.settle();
        self.undone.push(step);
        true
    }

    /// Makes the last undone step again. False: there is none.
    pub fn redo(&mut self) -> bool {
        let Some(step) = self.undone.pop() else { return false };
        let (_, end) = self.swap(step.at, end_of(step.at, &step.gone), &step.came);
        self.kept += step.gone.len() + step.came.len();
        self.cursor = end;
        self.settle();
        self.done.push_back(step);
        true
    }

    fn settle(&mut self) {
        self.version += 1;
        let cursor = self.cursor;
        self.go(cursor);
    }

    /// One grapheme to the left.
    pub fn left(&mut self) {
        self.go(self.before(self.cursor));
    }

    /// One grapheme to the right.
    pub fn right(&mut self) {
        self.go(self.after(self.cursor));
    }

    /// To the start of the word before.
    pub fn word_left(&mut self) {
        self.go(self.word_before());
    }

    /// To the start of the next word.
    pub fn word_right(&mut self) {
        self.go(self.word_after());
    }

    /// To the first letter of the line; there already: to its start.
    pub fn home(&mut self) {
        let text = self.line(self.cursor.line);
        let first = text.len() - text.trim_start().len();
        let byte = if self.cursor.byte == first { 0 } else { first };
        self.go(At { byte, ..self.cursor });
    }

    /// To the end of the line.
    pub fn line_end(&mut self) {
        self.go(At { byte: usize::MAX, ..self.cursor });
    }

    /// To the start of the text.
    pub fn top(&mut self) {
        self.go(At::default());
    }

    /// To the end of the text.
    pub fn bottom(&mut self) {
        self.go(self.end());
    }

    fn before(&self, at: At) -> At {
        let text = self.line(at.line).get(..at.byte).unwrap_or_default();
        match text.grapheme_indices(true).next_back() {
            Some((byte, _)) => At { byte, ..at },
            None if at.line > 0 => At { line: at.line - 1, byte: self.line(at.line - 1).len() },
            None => at,
        }
    }

    fn after(&self, at: At) -> At {
        let text = self.line(at.line).get(at.byte..).unwrap_or_default();
        match text.graphemes(true).next() {
            Some(grapheme) => At { byte: at.byte + grapheme.len(), ..at },
            None if at.line + 1 < self.lines.len() => At { line: at.line + 1, byte: 0 },
            None => at,
        }
    }

    fn word_before(&self) -> At {
        let at = self.cursor;
        let text = self.line(at.line).get(..at.byte).unwrap_or_default();
        if text.is_empty() {
            return self.before(at);
        }
        let mut words = text.split_word_bound_indices().filter(|(_, w)| !w.trim().is_empty());
        At { byte: words.next_back().map_or(0, |(byte, _)| byte), ..at }
    }

    fn word_after(&self) -> At {
        let at = self.cursor;
        let text = self.line(at.line).get(at.byte..).unwrap_or_default();
        if text.is_empty() {
            return self.after(at);
        }
        let next = text.split_word_bound_indices().skip(1).find(|(_, w)| !w.trim().is_empty());
        At { byte: at.byte + next.map_or(text.len(), |(byte, _)| byte), ..at }
    }
}

/// Where what came with a step ends.
fn ends_at(step: &Step) -> At {
    end_of(step.at, &step.came)
}

fn end_of(at: At, text: &str) -> At {
    match text.rsplit_once('\n') {
        Some((before, last)) => At { line: at.line + 1 + before.matches('\n').count(), byte: last.len() },
        None => At { byte: at.byte + text.len(), ..at },
    }
}

/// Whether `text` begins a word after `before`: there an undo stops.
fn new_word(before: &str, text: &str) -> bool {
    let space = |c: Option<char>| c.is_some_and(char::is_whitespace);
    text.contains('\n') || (space(before.chars().next_back()) && !space(text.chars().next()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(text: &mut EditText, words: &str) {
        words.chars().for_each(|c| text.type_in(c));
    }

    #[test]
    fn letters_are_undone_by_the_word_and_a_paste_whole() {
        let mut text = EditText::new("goal: ");
        text.line_end();
        typed(&mut text, "find it");
        text.paste("\none\ntwo");
        assert_eq!(text.lines(), ["goal: find it", "one", "two"]);
        text.undo();
        assert_eq!(text.text(), "goal: find it");
        text.undo();
        assert_eq!(text.text(), "goal: find ");
        text.undo();
        assert_eq!(text.text(), "goal: ");
        assert!(!text.undo());
        while text.redo() {}
        assert_eq!((text.text().as_str(), text.cursor()), ("goal: find it\none\ntwo", At { line: 2, byte: 3 }));
    }

    #[test]
    fn graphemes_are_taken_whole() {
        let mut text = EditText::new("a👩‍👧e\u{301}解");
        text.line_end();
        for left in ["a👩‍👧e\u{301}", "a👩‍👧", "a", "", ""] {
            text.backspace();
            assert_eq!(text.text(), left);
        }
    }

    #[test]
    fn words_and_line_ends() {
        let mut text = EditText::new("  needs: [a, bb]\nend");
        text.home();
        assert_eq!(text.cursor().byte, 2);
        text.home();
        text.word_right();
        text.word_right();
        assert_eq!(text.cursor().byte, 7);
        text.line_end();
        text.word_left();
        text.word_left();
        assert_eq!(text.cursor().byte, 13);
        text.erase_to_end();
        assert_eq!(text.line(0), "  needs: [a, ");
        text.erase_to_end();
        assert_eq!(text.text(), "  needs: [a, end");
        text.erase_to_start();
        assert_eq!(text.text(), "end");
    }

    #[test]
    fn a_new_line_stands_under_the_one_before() {
        let mut text = EditText::new("  - id: a");
        text.line_end();
        text.newline(Indent::Yaml);
        typed(&mut text, "agent: x");
        text.newline(Indent::Yaml);
        assert_eq!(text.lines(), ["  - id: a", "    agent: x", "    "]);
        text.outdent();
        assert_eq!((text.line(2), text.cursor().byte), ("  ", 2));
        text.indent();
        assert_eq!(text.line(2), "    ");
    }

    #[test]
    fn ten_thousand_lines_are_one_step() {
        let many = "a line of a prompt\n".repeat(10_000);
        let mut text = EditText::new("x");
        text.paste(&many);
        assert_eq!((text.lines().len(), text.cursor()), (10_001, At { line: 10_000, byte: 0 }));
        text.undo();
        assert_eq!(text.text(), "x");
        text.redo();
        assert!(text.is(&format!("{many}x")));
    }

    proptest! {
        #[test]
        fn undo_gives_the_text_back_to_the_byte(start in "[a-z解é \n]{0,40}", steps in proptest::collection::vec((0u8..12, "[a-z👩‍👧\n ]{0,6}"), 0..60)) {
            let mut text = EditText::new(&start);
            for (what, words) in &steps {
                match what {
                    0..=2 => typed(&mut text, words.replace('\n', "").as_str()),
                    3 => text.paste(words),
                    4 => text.backspace(),
                    5 => text.delete(),
                    6 => text.newline(Indent::Yaml),
                    7 => text.word_left(),
                    8 => text.erase_word(),
                    9 => { text.outdent(); text.indent(); }
                    10 => text.set(words),
                    _ => text.right(),
                }
                prop_assert!(text.line(text.cursor().line).is_char_boundary(text.cursor().byte));
            }
            let end = text.text();
            while text.undo() {}
            prop_assert_eq!(text.text(), start);
            while text.redo() {}
            prop_assert_eq!(text.text(), end);
        }
    }
}
