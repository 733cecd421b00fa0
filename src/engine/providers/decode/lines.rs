//! Bytes to lines, wherever the network cut them.
//!
//! Invariants: a line is decoded whole, so a character split over two reads is never damaged; what is held is bounded; one
//! byte order mark at the beginning is no part of the first line.

use super::super::fault::Fault;

/// The most bytes of a line, and of an event over several. The longest known good one is Ollama's last line of
/// `/api/generate` with the whole context as numbers: 7 bytes for each of half a million tokens.
pub(super) const LONGEST: usize = 4 * 1024 * 1024;

/// Collects bytes and hands out whole lines without their line end (LF, CRLF or CR alone).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lines {
    held: Vec<u8>,
    before: Before,
}

/// What came before the next byte.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Before {
    /// Nothing: a byte order mark may come.
    #[default]
    Nothing,
    /// A carriage return, which ended a line; a line feed after it belongs to it.
    Return,
    /// Anything else.
    Other,
}

impl Lines {
    /// Takes `bytes` in and calls `each` for every line they complete.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&str) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        loop {
            if self.before == Before::Return && !bytes.is_empty() {
                self.before = Before::Other;
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else { return self.hold(bytes) };
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            let last = bytes[end];
            bytes = rest;
            if self.held.is_empty() {
                each(&self.text(line))?;
            } else {
                self.hold(line)?;
                let held = std::mem::take(&mut self.held);
                each(&self.text(&held))?;
            }
            if last == b'\r' {
                self.before = Before::Return;
            }
        }
    }

    /// The end: what is left is a line too.
    pub(super) fn finish(&mut self, each: impl FnOnce(&str) -> Result<(), Fault>) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() { Ok(()) } else { each(&self.text(&held)) }
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.held.len() + bytes.len() > LONGEST {
            self.held = Vec::new();
            return Err(Fault::garbage("a line longer than 4 MiB"));
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// A line as text.
    fn text<'a>(&mut self, line: &'a [u8]) -> std::borrow::Cow<'a, str> {
        let first = std::mem::replace(&mut self.before, Before::Other) == Before::Nothing;
        let line = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| first).unwrap_or(line);
        // Checked word by word; the lossy reading goes byte by byte, and is hardly ever needed.
        std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), std::borrow::Cow::Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut got) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines
                .feed(piece, |line| {
                    got.push(line.to_owned());
                    Ok(())
                })
                .unwrap();
        }
        lines
            .finish(|line| {
                got.push(format!("{line}$"));
                Ok(())
            })
            .unwrap();
        got
    }

    #[test]
    fn characters_and_line_ends_may_be_split_anywhere() {
        let whole = "grün\r\n\r\n日本\n🚀".as_bytes();
        let expected = ["grün", "", "日本", "🚀$"];
        for cut in 0..=whole.len() {
            assert_eq!(lines(&[&whole[..cut], &whole[cut..]]), expected, "cut at {cut}");
        }
        let single: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(lines(&single), expected);
    }

    #[test]
    fn lines_end_in_a_carriage_return_alone_too() {
        let whole = b"a\r\rb\r\nc\n\rd\r";
        let expected = ["a", "", "b", "c", "", "d"];
        for cut in 0..=whole.len() {
            assert_eq!(lines(&[&whole[..cut], &whole[cut..]]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn one_mark_at_the_beginning_is_skipped() {
        let whole = b"\xef\xbb\xbfa\n\xef\xbb\xbfb";
        for cut in 0..=whole.len() {
            assert_eq!(lines(&[&whole[..cut], &whole[cut..]]), ["a", "\u{feff}b$"], "cut at {cut}");
        }
        assert_eq!(lines(&[b"\xef\xbb\xbf\xef\xbb\xbfa"]), ["\u{feff}a$"]);
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 1024 * 1024];
        let refused = (0..5).find_map(|_| lines.feed(&piece, |_| Ok(())).err()).unwrap();
        assert_eq!(refused.kind, crate::domain::protocol::FailureKind::Garbage);
    }
}
