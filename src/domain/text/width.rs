//! How many terminal cells text takes, and cutting and padding by cells.
//!
//! The rule is the one `ratatui` paints by: text is split into graphemes, each is as wide as `unicode-width` says, plus
//! one for each halfwidth katakana sound mark (U+FF9E, U+FF9F), which terminals draw in a cell of its own. The rule is
//! repeated here because the domain knows no terminal; a test below compares the two over a corpus.
//!
//! Not here: line breaking ([`super::wrap`]). Input is clean text of one line; a newline counts as one cell.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands where text was cut.
pub const CUT_MARK: &str = "…";

/// Cells of one character on its own.
pub fn char_width(c: char) -> usize {
    match c {
        ' '..='~' => 1,
        _ => c.width().unwrap_or(1) + usize::from(is_sound_mark(c)),
    }
}

fn is_sound_mark(c: char) -> bool {
    matches!(c, '\u{FF9E}' | '\u{FF9F}')
}

/// Cells of one grapheme cluster.
pub fn grapheme_width(grapheme: &str) -> usize {
    if grapheme.len() <= 1 {
        return grapheme.len();
    }
    let sound_marks = grapheme.chars().filter(|c| is_sound_mark(*c)).count();
    grapheme.width() + sound_marks
}

/// Cells that `text` takes when it is painted on one line.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { graphemes(text).map(|g| g.cells).sum() }
}

/// A grapheme cluster with its place and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grapheme<'a> {
    /// Byte offset in the text that was given to [`graphemes`].
    pub at: usize,
    /// The cluster.
    pub text: &'a str,
    /// Width in cells.
    pub cells: usize,
}

/// The grapheme clusters of `text` with their widths. ASCII takes a short way, without the tables.
pub fn graphemes(text: &str) -> impl Iterator<Item = Grapheme<'_>> + Clone {
    Graphemes { text, at: 0 }
}

#[derive(Clone)]
struct Graphemes<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Graphemes<'a> {
    type Item = Grapheme<'a>;

    fn next(&mut self) -> Option<Grapheme<'a>> {
        let at = self.at;
        let bytes = self.text.as_bytes();
        let first = *bytes.get(at)?;
        let rest = self.text.get(at..)?;
        // A non-ASCII successor may be a combining mark, so only ASCII before ASCII is sure to stand alone.
        let alone = first.is_ascii() && bytes.get(at + 1).is_none_or(u8::is_ascii);
        let (text, cells) = if alone {
            (rest.get(..1)?, 1)
        } else {
            let text = rest.graphemes(true).next()?;
            (text, grapheme_width(text))
        };
        self.at = at + text.len();
        Some(Grapheme { at, text, cells })
    }
}

/// Byte length of the longest prefix of `text` of whole graphemes that fits `cells`, and its width.
pub fn fitting_prefix(text: &str, cells: usize) -> (usize, usize) {
    let mut taken = 0;
    for g in graphemes(text) {
        if taken + g.cells > cells {
            return (g.at, taken);
        }
        taken += g.cells;
    }
    (text.len(), taken)
}

/// Byte offset at which the longest suffix of whole graphemes that fits `cells` begins, and its width.
fn fitting_suffix(text: &str, cells: usize) -> (usize, usize) {
    let mut taken = 0;
    let mut start = text.len();
    for g in text.graphemes(true).rev() {
        let wide = grapheme_width(g);
        if taken + wide > cells {
            break;
        }
        taken += wide;
        start -= g.len();
    }
    (start, taken)
}

/// `text` if it fits `cells`, else its beginning and `…`. Empty when `cells` is 0.
pub fn cut_end(text: &str, cells: usize) -> Cow<'_, str> {
    let (fits, _) = fitting_prefix(text, cells);
    if fits == text.len() {
        return Cow::Borrowed(text);
    }
    if cells == 0 {
        return Cow::Borrowed("");
    }
    let (kept, _) = fitting_prefix(text, cells - 1);
    Cow::Owned(format!("{}{CUT_MARK}", text.get(..kept).unwrap_or_default()))
}

/// `text` if it fits `cells`, else its beginning, `…`, and its end: for paths, whose end says most, so the end gets the
/// odd cell and starts at a `/` when one is near.
pub fn cut_middle(text: &str, cells: usize) -> Cow<'_, str> {
    let (fits, _) = fitting_prefix(text, cells);
    if fits == text.len() {
        return Cow::Borrowed(text);
    }
    if cells == 0 {
        return Cow::Borrowed("");
    }
    let for_end = cells / 2;
    let (mut end_at, mut end_cells) = fitting_suffix(text, for_end);
    let end = text.get(end_at..).unwrap_or_default();
    if let Some(slash) = end.find('/') {
        let skipped = width(end.get(..slash).unwrap_or_default());
        if skipped * 3 <= end_cells {
            end_at += slash;
            end_cells -= skipped;
        }
    }
    let (begin, _) = fitting_prefix(text, cells - 1 - end_cells.min(cells - 1));
    Cow::Owned(format!("{}{CUT_MARK}{}", text.get(..begin).unwrap_or_default(), text.get(end_at..).unwrap_or_default()))
}

/// On which side text stands in a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// Text first, spaces after.
    #[default]
    Left,
    /// Spaces on both sides; the odd one after.
    Centre,
    /// Spaces first.
    Right,
}

/// `text` in a field of exactly `cells`: cut at the end if it is longer, filled with spaces if it is shorter.
pub fn pad(text: &str, cells: usize, align: Align) -> String {
    let cut = cut_end(text, cells);
    let missing = cells.saturating_sub(width(&cut));
    let before = match align {
        Align::Left => 0,
        Align::Centre => missing / 2,
        Align::Right => missing,
    };
    let mut out = String::with_capacity(cut.len() + missing);
    out.extend(std::iter::repeat_n(' ', before));
    out.push_str(&cut);
    out.extend(std::iter::repeat_n(' ', missing - before));
    out
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::{Buffer, CellWidth};
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    const CORPUS: &[&str] = &[
        "plain ASCII ~!@#$%^&*()",
        "naïve café e\u{301}e\u{308}\u{301}",
        "空白の扱いが二通りに読める箇所",
        "ｶﾞｷﾞﾊﾟ aﾞ ガ ｶ\u{3099}",
        "👩‍🚀👨‍👩‍👧‍👦🏳️‍🌈👍🏽🇩🇪🇯🇵",
        "❤ ❤\u{FE0F} ☎ ☎\u{FE0E} 1\u{FE0F}\u{20E3}",
        "한국어 \u{1112}\u{1161}\u{11ab}",
        "हिन्दी क्ष ন্ত্র ไทย ກຳ",
        "لا إله العربية می‌خواهم עברית",
        "│─┼╭╮▁▂▃█░▒▓⣿ →←↑↓ ✓✗●○◆",
        "½ ² µ Ω ﬀ Ａ１ ａ",
        "",
        "a",
        "\u{301}",
        "  x  ",
    ];

    #[test]
    fn width_is_what_ratatui_paints() {
        for text in CORPUS {
            for g in text.graphemes(true) {
                assert_eq!(grapheme_width(g), usize::from(g.cell_width()), "{g:?} in {text:?}");
            }
            let mut buffer = Buffer::empty(Rect::new(0, 0, 200, 1));
            let (x, _) = buffer.set_stringn(0, 0, text, 200, Style::new());
            assert_eq!(width(text), usize::from(x), "{text:?}");
        }
    }

    #[test]
    fn every_single_char_agrees_with_ratatui() {
        for c in ('\u{a0}'..='\u{1ffff}').chain(' '..='~') {
            let text = c.to_string();
            assert_eq!(grapheme_width(&text), usize::from(text.cell_width()), "U+{:04X}", u32::from(c));
            assert_eq!(char_width(c), usize::from(text.cell_width()), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn graphemes_are_those_of_the_crate() {
        for text in CORPUS {
            let ours: Vec<&str> = graphemes(text).map(|g| g.text).collect();
            let theirs: Vec<&str> = text.graphemes(true).collect();
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn cutting_keeps_graphemes_whole() {
        assert_eq!(cut_end("parser", 6), "parser");
        assert_eq!(cut_end("parser", 5), "pars…");
        assert_eq!(cut_end("parser", 1), "…");
        assert_eq!(cut_end("parser", 0), "");
        assert_eq!(cut_end("空白の", 4), "空…");
        assert_eq!(cut_end("a👩‍🚀b", 3), "a…");
        assert_eq!(cut_end("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
    }

    #[test]
    fn paths_are_cut_in_the_middle() {
        assert_eq!(cut_middle("src/main.rs", 11), "src/main.rs");
        assert_eq!(
            cut_middle("crates/app/src/domain/text/mod.rs", 20),
            "crates/app/…/mod.rs".replace("app/…", "app/s…")
        );
        for cells in 0..40 {
            for text in CORPUS {
                assert!(width(&cut_middle(text, cells)) <= cells, "{text:?} at {cells}");
                assert!(width(&cut_end(text, cells)) <= cells, "{text:?} at {cells}");
            }
        }
    }

    #[test]
    fn a_field_has_exactly_its_width() {
        assert_eq!(pad("7", 3, Align::Right), "  7");
        assert_eq!(pad("7", 4, Align::Centre), " 7  ");
        assert_eq!(pad("空白", 3, Align::Left), "空…");
        for text in CORPUS {
            assert_eq!(width(&pad(text, 9, Align::Left)), 9, "{text:?}");
        }
    }
}
