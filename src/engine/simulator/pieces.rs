//! Text cut into what stands for tokens: a word with the blank before it, long words in two or more, marks alone.
//!
//! Not a tokenizer of any model; it comes close to their counts for English (about four characters a token).
//! Invariant: the pieces joined are the text; no piece splits a character.

/// A text and where its pieces end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pieces {
    text: String,
    ends: Vec<u32>,
}

/// The longest run of letters in one piece.
const LONGEST: usize = 8;

/// Where the piece that starts at `at` ends.
fn piece_end(bytes: &[u8], at: usize) -> usize {
    let word = |b: u8| b.is_ascii_alphanumeric() || b >= 0x80;
    let mut i = at;
    if bytes.get(i) == Some(&b' ') && bytes.get(i + 1).is_some_and(|b| *b != b' ' && *b != b'\n') {
        i += 1;
    }
    match bytes.get(i) {
        Some(b) if word(*b) => {
            let start = i;
            while bytes.get(i).is_some_and(|b| word(*b)) && i - start < LONGEST {
                i += 1;
            }
            // Not inside a character: its later bytes belong to its first one.
            while bytes.get(i).is_some_and(|b| b & 0xc0 == 0x80) {
                i += 1;
            }
            i
        }
        Some(b) => {
            while bytes.get(i) == Some(b) {
                i += 1;
            }
            i
        }
        None => i,
    }
}

/// How many pieces `text` has.
pub(super) fn count(text: &str) -> u32 {
    let (bytes, mut at, mut n) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        at = piece_end(bytes, at);
        n += 1;
    }
    n
}

impl Pieces {
    /// Cuts a text.
    pub(super) fn new(text: String) -> Self {
        let (bytes, mut at, mut ends) = (text.as_bytes(), 0, Vec::with_capacity(text.len() / 4));
        while at < bytes.len() {
            at = piece_end(bytes, at);
            ends.push(at as u32);
        }
        Self { text, ends }
    }

    /// Exactly `n` pieces of what `more` gives, which is asked until it is enough.
    pub(super) fn exactly(n: u32, mut more: impl FnMut() -> String) -> Self {
        let mut text = more();
        // A source that gives nothing must not hang the server.
        for _ in 0..10_000 {
            if count(&text) >= n {
                break;
            }
            text.push_str("\n\n");
            text.push_str(&more());
        }
        let mut pieces = Self::new(text);
        pieces.truncate(n);
        pieces
    }

    /// How many pieces there are.
    pub(super) fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    /// Keeps the first `n` pieces.
    pub(super) fn truncate(&mut self, n: u32) {
        if n < self.len() {
            self.ends.truncate(n as usize);
            self.text.truncate(self.ends.last().map_or(0, |end| *end as usize));
        }
    }

    /// Piece number `i` from 0; empty past the end.
    pub(super) fn get(&self, i: u32) -> &str {
        let i = i as usize;
        let Some(end) = self.ends.get(i) else { return "" };
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        self.text.get(start as usize..*end as usize).unwrap_or("")
    }

    /// The whole text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text() {
        for text in
            ["", " ", "Hello kitty 🐈 naïve\n\n- a  b\n", "überlängliches Wort: €€€€€€€€€", "| a | b |\n|---|---|\n"]
        {
            let pieces = Pieces::new(text.to_owned());
            let joined: String = (0..pieces.len()).map(|i| pieces.get(i)).collect();
            assert_eq!(joined, text);
            assert_eq!(pieces.len(), count(text));
        }
    }

    #[test]
    fn exactly_is_exact() {
        for n in [0, 1, 7, 200] {
            let pieces = Pieces::exactly(n, || "Four words stand here.".to_owned());
            assert_eq!(pieces.len(), n);
            assert_eq!(count(pieces.text()), n);
        }
    }
}
