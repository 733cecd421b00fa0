//! The gate between outside text and a terminal: [`Sanitizer`] for streams, [`sanitize`] for whole strings.
//!
//! What goes through: printable characters and newline. Escape sequences go, bodies included; line ends become one
//! newline; tabs become spaces; backspace takes back a character; other controls become caret notation (`^A`); what
//! reorders or hides text (bidi controls, zero-width characters, tags) becomes a visible [`PLACEHOLDER`]; joiners stay
//! where they join; a base carries at most [`MAX_MARKS`] marks.
//!
//! Not here: colours (a sequence that sets one is dropped), secrets, decoding of bytes.
//!
//! Invariants: cleaning clean text changes nothing; a stream may be split between any two characters and the result is
//! the same, as long as the caller keeps the current line in the output it hands in (backspace looks at it).

mod class;

use std::borrow::Cow;

use self::class::{Class, class, joins};
use super::width::char_width;

/// Stands where a character was that would have hidden or reordered text.
pub const PLACEHOLDER: char = '·';
/// Combining marks, variation selectors and other zero-width characters that one base character may carry.
pub const MAX_MARKS: u8 = 8;
/// Characters of an escape sequence after which it is taken for text: an unclosed one must not eat the whole answer.
pub const MAX_ESCAPE: u16 = 4096;
/// A tab goes to the next multiple of this many columns.
const TAB_STOP: usize = 4;

/// Where in an escape sequence the stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In text.
    Ground,
    /// After ESC.
    Escape,
    /// After ESC and intermediates (`ESC ( B`).
    EscapeTail,
    /// In a control sequence (`ESC [`, U+009B).
    Csi,
    /// In a string (OSC, DCS, SOS, PM, APC).
    Body,
    /// In a string, after an ESC that may begin its end.
    BodyEscape,
}

/// Cleans a stream of text, piece by piece. Make one for each stream.
#[derive(Clone, Debug)]
pub struct Sanitizer {
    place: Place,
    /// Characters of the present escape sequence so far.
    eaten: u16,
    /// The last character was a CR: a LF now belongs to it.
    after_cr: bool,
    /// A joiner that waits for the next character to tell whether it joins.
    joiner: Option<char>,
    /// The last character that took a cell, for the joiner rule.
    base: char,
    /// Zero-width characters since `base`.
    marks: u8,
    /// Columns of the current line up to `measured` bytes of the output.
    columns: usize,
    measured: usize,
    /// Bytes of the output that the present push left as they were.
    untouched: usize,
}

impl Default for Sanitizer {
    fn default() -> Self {
        Self {
            place: Place::Ground,
            eaten: 0,
            after_cr: false,
            joiner: None,
            base: '\n',
            marks: 0,
            columns: 0,
            measured: 0,
            untouched: 0,
        }
    }
}

impl Sanitizer {
    /// A sanitiser at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cleans `raw` onto the end of `out`. A backspace may take characters of the last line off `out`, so the caller
    /// either keeps one growing `out` for the stream, or empties it at line ends only.
    pub fn push(&mut self, raw: &str, out: &mut String) {
        self.push_above(raw, out, 0);
    }

    /// As [`Self::push`], but what lies below `floor` (bytes of `out`) is never taken back. Returns how many bytes of
    /// what was in `out` are as they were.
    pub(super) fn push_above(&mut self, raw: &str, out: &mut String, floor: usize) -> usize {
        self.measured = out.len();
        self.untouched = out.len();
        out.reserve(raw.len());
        let mut rest = raw;
        while !rest.is_empty() {
            if self.place == Place::Ground && self.joiner.is_none() {
                let plain = plain_prefix(rest);
                if plain > 0 {
                    let (run, after) = rest.split_at(plain);
                    rest = after;
                    // A CR already gave this line its end.
                    let run = if self.after_cr { run.strip_prefix('\n').unwrap_or(run) } else { run };
                    self.after_cr = false;
                    if let Some(last) = run.chars().next_back() {
                        out.push_str(run);
                        self.base = last;
                        self.marks = 0;
                    }
                    continue;
                }
            }
            let Some(c) = rest.chars().next() else { break };
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            self.one(c, out, floor);
        }
        self.measure(out);
        self.untouched
    }

    /// Ends the stream: an unfinished escape sequence is forgotten, a joiner that joins nothing is shown.
    pub fn finish(&mut self, out: &mut String) {
        if self.joiner.take().is_some() {
            out.push(PLACEHOLDER);
        }
        *self = Self::default();
    }

    fn one(&mut self, c: char, out: &mut String, floor: usize) {
        match self.place {
            Place::Ground => self.text(c, out, floor),
            _ => {
                self.eaten += 1;
                if self.eaten > MAX_ESCAPE {
                    self.place = Place::Ground;
                    self.text(c, out, floor);
                } else {
                    self.escape(c, out, floor);
                }
            }
        }
    }

    fn begin(&mut self, place: Place) {
        self.place = place;
        self.eaten = 0;
    }

    /// One character inside an escape sequence.
    fn escape(&mut self, c: char, out: &mut String, floor: usize) {
        let next = match (self.place, c) {
            // CAN and SUB end anything.
            (_, '\u{18}' | '\u{1a}') => Place::Ground,
            (Place::Body, '\u{7}' | '\u{9c}') => Place::Ground,
            (Place::Body, '\u{1b}') => Place::BodyEscape,
            (Place::Body, _) => Place::Body,
            (Place::BodyEscape, '\\') => Place::Ground,
            // Not its end after all: the terminal would begin a new sequence here.
            (Place::BodyEscape, _) => {
                self.begin(Place::Escape);
                return self.escape(c, out, floor);
            }
            (_, '\u{1b}') => return self.begin(Place::Escape),
            (Place::Escape, '[') => Place::Csi,
            (Place::Escape, ']' | 'P' | 'X' | '^' | '_') => Place::Body,
            (Place::Escape | Place::EscapeTail, ' '..='/') => Place::EscapeTail,
            (Place::Escape | Place::EscapeTail, '0'..='~') => Place::Ground,
            (Place::Csi, ' '..='?') => Place::Csi,
            (Place::Csi, '@'..='~') => Place::Ground,
            // No sequence holds this: it was cut short, and this is text again.
            _ => {
                self.place = Place::Ground;
                return self.text(c, out, floor);
            }
        };
        self.place = next;
    }

    /// One character of text, special or not.
    fn text(&mut self, c: char, out: &mut String, floor: usize) {
        let class = class(c);
        // Escapes show nothing, so a joiner waits across them.
        if !matches!(class, Class::Escape | Class::Csi | Class::Body) {
            if let Some(joiner) = self.joiner.take() {
                if class.is_shown() && joins(self.base, joiner, c) {
                    out.push(joiner);
                } else {
                    self.show(PLACEHOLDER, out);
                }
            }
            if std::mem::take(&mut self.after_cr) && c == '\n' {
                return;
            }
        }
        match class {
            Class::Plain => self.show(c, out),
            Class::Modifier => out.push(c),
            Class::Mark => {
                if self.marks < MAX_MARKS {
                    self.marks += 1;
                    out.push(c);
                }
            }
            Class::Joiner => self.joiner = Some(c),
            Class::Hidden => self.show(PLACEHOLDER, out),
            Class::LineEnd => self.show('\n', out),
            Class::Return => {
                self.show('\n', out);
                self.after_cr = true;
            }
            Class::Tab => {
                self.measure(out);
                for _ in 0..TAB_STOP - self.columns % TAB_STOP {
                    self.show(' ', out);
                }
            }
            Class::Backspace => self.take_back(out, floor),
            Class::Escape => self.begin(Place::Escape),
            Class::Csi => self.begin(Place::Csi),
            Class::Body => self.begin(Place::Body),
            Class::Caret(letter) => {
                self.show('^', out);
                self.show(letter, out);
            }
        }
    }

    fn show(&mut self, c: char, out: &mut String) {
        out.push(c);
        self.base = c;
        self.marks = 0;
    }

    /// Brings `columns` up to the end of `out`.
    fn measure(&mut self, out: &str) {
        let new = out.get(self.measured..).unwrap_or_default();
        let (start, line) = match new.rfind('\n') {
            Some(newline) => (0, new.get(newline + 1..).unwrap_or_default()),
            None => (self.columns, new),
        };
        self.columns = start + if line.is_ascii() { line.len() } else { line.chars().map(char_width).sum() };
        self.measured = out.len();
    }

    /// A backspace: the last character of the line goes, with its marks.
    fn take_back(&mut self, out: &mut String, floor: usize) {
        self.measure(out);
        while out.len() > floor && !out.ends_with('\n') {
            let Some(c) = out.pop() else { break };
            self.columns = self.columns.saturating_sub(char_width(c));
            if !matches!(class(c), Class::Mark | Class::Joiner | Class::Modifier) {
                break;
            }
        }
        // A joiner left at the end would join nothing.
        while out.len() > floor && matches!(out.chars().next_back().map(class), Some(Class::Joiner)) {
            out.pop();
        }
        self.measured = out.len();
        self.untouched = self.untouched.min(out.len());
        self.marks = 0;
        self.base = '\n';
        for c in out.chars().rev() {
            match class(c) {
                Class::Mark => self.marks = self.marks.saturating_add(1),
                Class::Modifier => {}
                _ => {
                    self.base = c;
                    break;
                }
            }
        }
    }
}

/// `raw`, cleaned. Borrowed when it was clean already.
pub fn sanitize(raw: &str) -> Cow<'_, str> {
    let plain = plain_prefix(raw);
    if plain == raw.len() {
        return Cow::Borrowed(raw);
    }
    let (head, tail) = raw.split_at(plain);
    let mut out = String::with_capacity(raw.len());
    out.push_str(head);
    let mut sanitizer = Sanitizer::new();
    sanitizer.measure(&out);
    sanitizer.base = head.chars().next_back().unwrap_or('\n');
    // `push` measures from the end of `out` on, and the head is measured above.
    sanitizer.push(tail, &mut out);
    sanitizer.finish(&mut out);
    Cow::Owned(out)
}

/// Bytes looked at in one step of [`plain_prefix`]; the compiler turns a step into a few vector instructions.
const STEP: usize = 32;

/// Byte length of the longest prefix that is clean whatever stands before or after it.
fn plain_prefix(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        while let Some(step) = bytes.get(at..at + STEP) {
            // No early end inside the step: that is what lets it be vectorised.
            if step.iter().fold(false, |special, byte| special | !is_plain_byte(*byte)) {
                break;
            }
            at += STEP;
        }
        while bytes.get(at).is_some_and(|byte| is_plain_byte(*byte)) {
            at += 1;
        }
        let before = at;
        for c in text.get(at..).unwrap_or_default().chars() {
            if c.is_ascii() || class(c) != Class::Plain {
                break;
            }
            at += c.len_utf8();
        }
        if at == before {
            return at;
        }
    }
}

fn is_plain_byte(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) || byte == b'\n'
}

#[cfg(test)]
mod tests;
