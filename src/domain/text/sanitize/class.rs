//! What each character is to the sanitiser. Tables of characters only; the rules that use them are in [`super::Sanitizer`].

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// What a character is to the sanitiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Shown as it is.
    Plain,
    /// An emoji skin tone: shown, and belongs to the emoji before it.
    Modifier,
    /// Takes no cell of its own: combining marks, variation selectors.
    Mark,
    /// U+200C, U+200D.
    Joiner,
    /// Hides or reorders text.
    Hidden,
    /// A newline under another name.
    LineEnd,
    /// CR.
    Return,
    /// TAB.
    Tab,
    /// BS.
    Backspace,
    /// ESC.
    Escape,
    /// The one-character form of `ESC [`.
    Csi,
    /// The one-character forms of the sequences with a string body.
    Body,
    /// Another control; the letter of its caret notation.
    Caret(char),
}

impl Class {
    /// Whether a character of this class goes out as itself and takes a cell.
    pub(super) fn is_shown(self) -> bool {
        matches!(self, Class::Plain)
    }
}

/// The class of `c`.
pub(super) fn class(c: char) -> Class {
    match c {
        ' '..='~' | '\n' => Class::Plain,
        '\0'..='\u{9f}' => control(c),
        // The bulk of what people write, without a look at the width tables.
        '\u{a0}'..='\u{2ff}' if c != '\u{ad}' => Class::Plain,
        '\u{400}'..='\u{482}' | '\u{3041}'..='\u{3096}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => {
            Class::Plain
        }
        '\u{2028}' | '\u{2029}' => Class::LineEnd,
        '\u{200c}' | '\u{200d}' => Class::Joiner,
        '\u{1f3fb}'..='\u{1f3ff}' => Class::Modifier,
        '\u{ff9e}' | '\u{ff9f}' => Class::Plain,
        _ if is_hidden(c) => Class::Hidden,
        _ if c.width().unwrap_or(0) == 0 => Class::Mark,
        _ => Class::Plain,
    }
}

fn control(c: char) -> Class {
    match c {
        '\u{8}' => Class::Backspace,
        '\t' => Class::Tab,
        '\r' => Class::Return,
        '\u{1b}' => Class::Escape,
        '\u{85}' => Class::LineEnd,
        '\u{9b}' => Class::Csi,
        '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => Class::Body,
        '\u{7f}' => Class::Caret('?'),
        // C0 as ^@ to ^_; C1 the same way, by its last five bits.
        _ => Class::Caret(char::from(b'@' + (u32::from(c) & 0x1f) as u8)),
    }
}

/// Characters that take no cell or no ink, or move others about, without being part of how any language is written.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fdd0}'..='\u{fdef}' | '\u{fff0}'..='\u{fffb}'
        | '\u{fffe}' | '\u{ffff}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// Whether `joiner` between `before` (the last character that took a cell) and `after` makes one sign of them, or
/// shapes letters of a script that is written with joiners. Between anything else it only hides.
pub(super) fn joins(before: char, joiner: char, after: char) -> bool {
    if is_joining_script(before) && is_joining_script(after) {
        return true;
    }
    if joiner != '\u{200d}' || before.is_ascii() || after.is_ascii() {
        return false;
    }
    let together: String = [before, joiner, after].iter().collect();
    together.graphemes(true).count() == 1
}

/// Scripts in which joiners choose between forms of letters.
fn is_joining_script(c: char) -> bool {
    matches!(c,
        '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{109f}' | '\u{1780}'..='\u{18af}' | '\u{1900}'..='\u{1cff}'
        | '\u{a800}'..='\u{abff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
        | '\u{10a00}'..='\u{11fff}' | '\u{1e900}'..='\u{1e95f}')
}
