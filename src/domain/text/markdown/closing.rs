//! What closes the marks that are still open at the end of a text being written, so that no bare mark flickers up.
//!
//! Not here: cutting, rendering. The text itself is never changed; what is rendered is it without its last few bytes and
//! with a closing mark.

/// How many bytes at the end of `text` are left out, and what is put there, so that it renders as if what is open were
/// closed; none: it renders as it is. With trailing white space left alone.
pub fn closing(text: &str) -> Option<(usize, &'static str)> {
    let end = text.trim_end().len();
    let lines = Lines::of(text);
    let line = text.get(lines.whole..end).unwrap_or_default().trim_start();
    let from = if begins(line) { lines.whole } else { lines.paragraph };
    let bare = !line.is_empty() && line.len() < 3 && line.chars().all(|c| matches!(c, '`' | '*' | '~'));
    match lines.fence {
        Some(mark) if !line.is_empty() && mark.starts_with(line) => Some((line.len(), "")),
        Some(_) => None,
        None if fence_of(line).is_some() => None,
        None if bare => Some((line.len(), "")),
        None => marks(text.get(from..end).unwrap_or_default()),
    }
}

/// What the whole lines of a text leave open.
struct Lines {
    /// Bytes of the whole lines.
    whole: usize,
    /// Where the last paragraph or item of them begins.
    paragraph: usize,
    /// The fence that is open at their end.
    fence: Option<&'static str>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let mut lines = Self { whole: 0, paragraph: 0, fence: None };
        for line in text.split_inclusive('\n').filter(|l| l.ends_with('\n')) {
            let from = lines.whole;
            lines.whole += line.len();
            let first = line.trim_start();
            match (lines.fence, fence_of(first)) {
                (None, Some(mark)) => lines.fence = Some(mark),
                (Some(open), Some(mark)) if open == mark => {
                    lines.fence = None;
                    lines.paragraph = lines.whole;
                }
                (None, None) if first.is_empty() => lines.paragraph = lines.whole,
                (None, None) if begins(first) => lines.paragraph = from,
                _ => {}
            }
        }
        lines
    }
}

/// The mark of a line that opens or closes a block of code.
fn fence_of(line: &str) -> Option<&'static str> {
    ["```", "~~~"].into_iter().find(|mark| line.starts_with(mark))
}

/// Whether a line (without its indentation) begins an item, a heading or the like, and so a paragraph of its own.
fn begins(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < line.len() && rest.starts_with(['.', ')']);
    numbered || line.starts_with(['-', '+', '#', '>', '|']) || line.starts_with("* ")
}

/// What closes the bold words or the code that are open at the end of a paragraph, and how many bytes before are left
/// out for it: an opening mark with nothing behind it is not shown at all.
fn marks(text: &str) -> Option<(usize, &'static str)> {
    let (mut bold, mut code) = (false, false);
    let (mut chars, mut last) = (text.char_indices().peekable(), 0);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if !code => {
                chars.next();
            }
            '`' => {
                code = !code;
                last = at;
            }
            '*' if !code && chars.next_if(|(_, c)| *c == '*').is_some() => {
                bold = !bold;
                last = at;
            }
            _ => {}
        }
    }
    match (code, bold) {
        (true, _) if last + 1 == text.len() => Some((1, "")),
        (true, true) => Some((0, "`**")),
        (true, false) => Some((0, "`")),
        (false, true) if last + 2 == text.len() => Some((2, "")),
        // The first half of its end is there already.
        (false, true) if text.ends_with('*') => Some((0, "*")),
        (false, true) => Some((0, "**")),
        // Half of an opening mark.
        (false, false) if text.ends_with(" *") => Some((1, "")),
        (false, false) => None,
    }
}
