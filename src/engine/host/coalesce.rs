//! Text is coalesced at its source: 50 ms or 4 KiB, whatever comes first. The first piece of a turn goes sooner, so that
//! the screen shows life; not at once, so that an answer of a few milliseconds is one piece.
//!
//! Invariant: no piece is longer than 4 KiB, whatever a server sends at once, so that no record is.

use crate::domain::protocol::{Channel, Micros};

/// The longest a piece waits.
const LONGEST: Micros = Micros::from_millis(50);
/// The longest the first piece waits: less than a frame of the console at its usual rate.
const FIRST: Micros = Micros::from_millis(20);
/// The most bytes of a piece.
pub(super) const MOST: usize = 4 * 1024;

/// A piece ready to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPiece {
    /// Of which channel it is.
    pub channel: Channel,
    /// At most 4 KiB.
    pub text: String,
    /// As how many tokens it came; 0 where it goes on with one.
    pub tokens: u32,
}

/// Joins pieces of one turn. Order is kept: a piece of another channel lets the one before go first.
#[derive(Debug, Default)]
pub struct Coalescer {
    waiting: Option<TextPiece>,
    deadline: Option<Micros>,
    first_gone: bool,
}

impl Coalescer {
    /// Takes a token's text; returns what is to go now.
    pub fn push(&mut self, now: Micros, channel: Channel, text: &str) -> Vec<TextPiece> {
        let mut gone = Vec::new();
        if self.waiting.as_ref().is_some_and(|piece| piece.channel != channel) {
            gone.extend(self.flush());
        }
        // However long it is, it came as one token.
        let (mut rest, mut tokens) = (text, 1);
        loop {
            let piece = self.waiting.get_or_insert_with(|| TextPiece { channel, text: String::new(), tokens: 0 });
            let (fits, more) = rest.split_at(rest.floor_char_boundary(MOST - piece.text.len()));
            piece.text.push_str(fits);
            piece.tokens += std::mem::take(&mut tokens);
            rest = more;
            if rest.is_empty() && piece.text.len() < MOST {
                break;
            }
            gone.extend(self.flush());
            if rest.is_empty() {
                return gone;
            }
        }
        let longest = if self.first_gone { LONGEST } else { FIRST };
        if now >= *self.deadline.get_or_insert(now.plus(longest)) {
            gone.extend(self.flush());
        }
        gone
    }

    /// When the waiting piece is due.
    pub fn deadline(&self) -> Option<Micros> {
        self.deadline
    }

    /// What waits, to go now.
    pub fn flush(&mut self) -> Option<TextPiece> {
        self.deadline = None;
        let piece = self.waiting.take();
        self.first_gone |= piece.is_some();
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pieces: Vec<TextPiece>) -> Vec<String> {
        pieces.into_iter().map(|p| p.text).collect()
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
        let long = "x".repeat(MOST - 1);
        assert_eq!(texts(c.push(at(3), Channel::Answer, &long)), [format!("a{long}")]);
        assert_eq!(c.flush(), None);
    }

    #[test]
    fn no_piece_is_longer_than_four_kilobytes_and_none_is_lost() {
        for text in ["x".repeat(3 * MOST), "ü🚀日".repeat(5_000), "\u{fffd}".repeat(MOST), "a".repeat(MOST + 1)] {
            for channel in [Channel::Answer, Channel::Thinking, Channel::ToolCall] {
                let mut c = Coalescer::default();
                let mut pieces = c.push(Micros(0), channel, "é");
                pieces.extend(c.push(Micros(1), channel, &text));
                pieces.extend(c.flush());
                assert!(pieces.iter().all(|piece| piece.channel == channel && piece.text.len() <= MOST));
                assert_eq!(pieces.iter().map(|piece| piece.tokens).sum::<u32>(), 2);
                assert_eq!(texts(pieces).concat(), format!("é{text}"));
            }
        }
    }
}
