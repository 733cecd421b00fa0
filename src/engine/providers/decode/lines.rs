//! Bytes to lines, wherever the network cut them.
//!
//! Invariants: a line is decoded whole, so a character split over two reads is never damaged; what is held is bounded.

use super::super::fault::Fault;

/// A line longer than this is no answer: whole plans are a hundredth of it.
const LONGEST: usize = 8 * 1024 * 1024;

/// Collects bytes and hands out whole lines without their line end (LF or CRLF).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lines {
    held: Vec<u8>,
}

impl Lines {
    /// Takes `bytes` in and calls `each` for every line they complete.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&str) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.held.is_empty() {
                each(&text(line))?;
            } else {
                self.hold(line)?;
                let held = std::mem::take(&mut self.held);
                each(&text(&held))?;
            }
        }
        self.hold(bytes)
    }

    /// The end: what is left is a line too.
    pub(super) fn finish(&mut self, each: impl FnOnce(&str) -> Result<(), Fault>) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() { Ok(()) } else { each(&text(&held)) }
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.held.len() + bytes.len() > LONGEST {
            self.held = Vec::new();
            return Err(Fault::garbage("a line longer than 8 MiB"));
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }
}

fn text(line: &[u8]) -> std::borrow::Cow<'_, str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Checked word by word; the lossy reading goes byte by byte, and is hardly ever needed.
    std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), std::borrow::Cow::Borrowed)
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
    fn a_line_without_an_end_is_given_up() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 1024 * 1024];
        let refused = (0..9).find_map(|_| lines.feed(&piece, |_| Ok(())).err()).unwrap();
        assert_eq!(refused.kind, crate::domain::protocol::FailureKind::Garbage);
    }
}
