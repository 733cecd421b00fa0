//! Text is coalesced at its source: 50 ms or 4 KiB, whatever comes first. The first piece of a turn goes sooner, so that
//! the screen shows life; not at once, so that an answer of a few milliseconds is one piece.

use crate::domain::protocol::{Channel, Micros};

/// The longest a piece waits.
const LONGEST: Micros = Micros::from_millis(50);
/// The longest the first piece waits: less than a frame of the console at its usual rate.
const FIRST: Micros = Micros::from_millis(20);
/// The most bytes that wait.
const MOST: usize = 4 * 1024;

/// A piece ready to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub channel: Channel,
    pub text: String,
    pub tokens: u32,
}

/// Joins pieces of one turn. Order is kept: a piece of another channel lets the one before go first.
#[derive(Debug, Default)]
pub(super) struct Coalescer {
    waiting: Option<Piece>,
    deadline: Option<Micros>,
    first_gone: bool,
}

impl Coalescer {
    /// Takes a token's text; returns what is to go now.
    pub(super) fn push(&mut self, now: Micros, channel: Channel, text: &str) -> [Option<Piece>; 2] {
        let before = match &self.waiting {
            Some(piece) if piece.channel != channel => self.flush(),
            _ => None,
        };
        let piece = self.waiting.get_or_insert_with(|| Piece { channel, text: String::new(), tokens: 0 });
        piece.text.push_str(text);
        piece.tokens += 1;
        let full = piece.text.len() >= MOST;
        let longest = if self.first_gone { LONGEST } else { FIRST };
        let deadline = *self.deadline.get_or_insert(now.plus(longest));
        let after = if full || now >= deadline { self.flush() } else { None };
        [before, after]
    }

    /// When the waiting piece is due.
    pub(super) fn deadline(&self) -> Option<Micros> {
        self.deadline
    }

    /// What waits, to go now.
    pub(super) fn flush(&mut self) -> Option<Piece> {
        self.deadline = None;
        let piece = self.waiting.take();
        self.first_gone |= piece.is_some();
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pieces: impl IntoIterator<Item = Option<Piece>>) -> Vec<String> {
        pieces.into_iter().flatten().map(|p| p.text).collect()
    }

    #[test]
    fn the_first_piece_waits_twenty_milliseconds_and_later_ones_fifty() {
        let mut c = Coalescer::default();
        let at = Micros::from_millis;
        assert!(texts(c.push(at(0), Channel::Answer, "a")).is_empty());
        assert_eq!(c.deadline(), Some(at(20)));
        assert_eq!(texts(c.push(at(20), Channel::Answer, "b")), ["ab"]);
        assert!(texts(c.push(at(21), Channel::Answer, "c")).is_empty());
        assert!(texts(c.push(at(60), Channel::Answer, "d")).is_empty());
        assert_eq!(c.deadline(), Some(at(71)));
        assert_eq!(texts(c.push(at(71), Channel::Answer, "e")), ["cde"]);
        assert_eq!(c.deadline(), None);
    }

    #[test]
    fn another_channel_and_four_kilobytes_let_text_go() {
        let mut c = Coalescer::default();
        let at = Micros::from_millis;
        c.push(at(0), Channel::Thinking, "t");
        c.push(at(1), Channel::Thinking, "u");
        assert_eq!(texts(c.push(at(2), Channel::Answer, "a")), ["tu"]);
        let long = "x".repeat(MOST);
        assert_eq!(texts(c.push(at(3), Channel::Answer, &long)), [format!("a{long}")]);
        assert_eq!(c.flush(), None);
    }
}
