//! Whether the terminal draws ambiguous signs one cell wide: one is written and the cursor read back.
//!
//! Not here: which glyphs are drawn ([`super::theme`]). Invariant: it never waits longer than [`PATIENCE`], and what was
//! typed meanwhile is handed back as keys.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use rustix::termios::{OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

use super::theme::GlyphSet;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(150);

/// Which glyphs the operator wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GlyphChoice {
    /// As the terminal shows them.
    #[default]
    Auto,
    /// The real ones.
    Unicode,
    /// Their twins.
    Ascii,
}

/// What the environment's locale lets expect. Unset says nothing: then the real ones.
pub(crate) fn by_locale(variable: impl Fn(&str) -> Option<String>) -> GlyphSet {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| variable(n).filter(|v| !v.is_empty()));
    match locale.map(|l| l.to_ascii_lowercase()) {
        Some(l) if l.contains("utf-8") || l.contains("utf8") => GlyphSet::Unicode,
        Some(_) => GlyphSet::Ascii,
        None if variable("TERM").is_some_and(|t| t == "linux") => GlyphSet::Ascii,
        None => GlyphSet::Unicode,
    }
}

/// Writes the sign at the top left, asks where the cursor is, and takes the sign away: a frame drawn later leaves blanks.
pub(crate) fn ask(out: &mut impl Write) -> io::Result<()> {
    out.write_all("\x1b[1;1H●\x1b[6n\x1b[1;1H\x1b[K".as_bytes())?;
    out.flush()
}

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// The glyphs that fit; none when no answer came.
    pub(crate) glyphs: Option<GlyphSet>,
    /// What was typed meanwhile.
    pub(crate) typed: Vec<Event>,
}

/// Reads the answer from the terminal on stdin, which must be in raw mode and read by nobody else.
pub(crate) fn answer() -> io::Result<Answer> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut waiting = before.clone();
    // A read ends after a tenth of a second without a byte.
    waiting.special_codes[SpecialCodeIndex::VMIN] = 0;
    waiting.special_codes[SpecialCodeIndex::VTIME] = 1;
    tcsetattr(&stdin, OptionalActions::Now, &waiting)?;
    let (begun, mut bytes, mut piece) = (Instant::now(), Vec::new(), [0_u8; 64]);
    let read = loop {
        // Not through `Stdin`, whose buffer would keep what it read ahead.
        match rustix::io::read(&stdin, &mut piece) {
            Ok(0) => break Ok(()),
            Ok(n) => bytes.extend(piece.iter().take(n)),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => break Err(error),
        }
        if find(&bytes).is_some() || begun.elapsed() > PATIENCE {
            break Ok(());
        }
    };
    tcsetattr(&stdin, OptionalActions::Now, &before)?;
    read?;
    Ok(parse(&bytes))
}

/// Where a cursor position stands in what was read: its bytes and its column.
fn find(bytes: &[u8]) -> Option<(std::ops::Range<usize>, u16)> {
    let mut from = 0;
    while let Some(start) = bytes.get(from..)?.windows(2).position(|w| w == b"\x1b[").map(|i| i + from) {
        let body = bytes.get(start + 2..)?;
        let len = body.iter().take_while(|b| b.is_ascii_digit() || **b == b';').count();
        if body.get(len) == Some(&b'R') {
            let text = std::str::from_utf8(body.get(..len)?).ok()?;
            let column = text.split_once(';').and_then(|(_, c)| c.parse().ok())?;
            return Some((start..start + 2 + len + 1, column));
        }
        from = start + 2;
    }
    None
}

fn parse(bytes: &[u8]) -> Answer {
    let (range, glyphs) = match find(bytes) {
        Some((range, 2)) => (range, Some(GlyphSet::Unicode)),
        Some((range, 3)) => (range, Some(GlyphSet::Ascii)),
        // Neither one cell nor two: the terminal answered something else than what it shows.
        Some((range, _)) => (range, None),
        None => (0..0, None),
    };
    let mut rest = bytes.to_vec();
    rest.drain(range);
    Answer { glyphs, typed: typed(&rest) }
}

/// What was typed, as far as it is whole: keys of one character, those that terminals write as a sequence, pastes.
/// Reports of the terminal, of its focus for one, are no keys and are dropped.
fn typed(bytes: &[u8]) -> Vec<Event> {
    let (mut events, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        if let Some(pasted) = rest.strip_prefix(PASTE_BEGINS) {
            let end = pasted.windows(PASTE_ENDS.len()).position(|w| w == PASTE_ENDS);
            let text = pasted.get(..end.unwrap_or(pasted.len())).unwrap_or_default();
            events.push(Event::Paste(String::from_utf8_lossy(text).into_owned()));
            rest = end.and_then(|end| pasted.get(end + PASTE_ENDS.len()..)).unwrap_or_default();
            continue;
        }
        let (event, length) = match rest {
            [0x1b, b'[', tail @ ..] => {
                let body = tail.iter().take_while(|b| !(0x40..=0x7e).contains(*b)).count();
                let parameters = std::str::from_utf8(tail.get(..body).unwrap_or_default()).unwrap_or_default();
                (tail.get(body).and_then(|end| sequence(parameters, *end)), body + 3)
            }
            [0x1b, b'O', end, ..] => (sequence("", *end), 3),
            [0x1b, c, ..] if (b' '..=b'~').contains(c) => (press(KeyCode::Char(char::from(*c)), KeyModifiers::ALT), 2),
            [byte, ..] if byte.is_ascii() => (key(*byte), 1),
            _ => {
                let whole = rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
                let code = whole.map(KeyCode::Char);
                (code.and_then(|code| press(code, KeyModifiers::NONE)), whole.map_or(1, char::len_utf8))
            }
        };
        events.extend(event);
        rest = rest.get(length..).unwrap_or_default();
    }
    events
}

/// Where a paste begins and ends.
const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// A key that is written as a sequence: what stands between its introducer and its last byte, and that.
fn sequence(parameters: &str, end: u8) -> Option<Event> {
    let (number, modifier) = parameters.split_once(';').unwrap_or((parameters, "1"));
    // One more than the bits of shift, alt and ctrl.
    let bits = modifier.parse::<u8>().ok()?.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    for (bit, held) in [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)] {
        if bits & bit != 0 {
            modifiers |= held;
        }
    }
    let code = match (end, number) {
        (b'A', _) => KeyCode::Up,
        (b'B', _) => KeyCode::Down,
        (b'C', _) => KeyCode::Right,
        (b'D', _) => KeyCode::Left,
        (b'H', _) | (b'~', "1" | "7") => KeyCode::Home,
        (b'F', _) | (b'~', "4" | "8") => KeyCode::End,
        (b'Z', _) => KeyCode::BackTab,
        (b'P', _) | (b'~', "11") => KeyCode::F(1),
        (b'~', "2") => KeyCode::Insert,
        (b'~', "3") => KeyCode::Delete,
        (b'~', "5") => KeyCode::PageUp,
        (b'~', "6") => KeyCode::PageDown,
        (b'~', "21") => KeyCode::F(10),
        _ => return None,
    };
    press(code, modifiers)
}

fn press(code: KeyCode, modifiers: KeyModifiers) -> Option<Event> {
    Some(Event::Key(KeyEvent::new(code, modifiers)))
}

/// A key of one byte.
fn key(byte: u8) -> Option<Event> {
    match byte {
        b'\r' => press(KeyCode::Enter, KeyModifiers::NONE),
        b'\t' => press(KeyCode::Tab, KeyModifiers::NONE),
        0x7f => press(KeyCode::Backspace, KeyModifiers::NONE),
        0x1b => press(KeyCode::Esc, KeyModifiers::NONE),
        1..=26 => press(KeyCode::Char(char::from(byte + b'a' - 1)), KeyModifiers::CONTROL),
        b' '..=b'~' => press(KeyCode::Char(char::from(byte)), KeyModifiers::NONE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_two_is_a_narrow_sign() {
        assert_eq!(parse(b"\x1b[1;2R").glyphs, Some(GlyphSet::Unicode));
        assert_eq!(parse(b"\x1b[1;3R").glyphs, Some(GlyphSet::Ascii));
        assert_eq!(parse(b"\x1b[1;4R").glyphs, None);
        assert_eq!(parse(b"").glyphs, None);
        assert_eq!(parse(b"\x1b[1;R").glyphs, None);
    }

    #[test]
    fn what_was_typed_meanwhile_is_kept() {
        let answer = parse(b"q\x1b[1;2R\r\x03");
        let codes: Vec<KeyCode> = answer.typed.iter().filter_map(|e| e.as_key_event()).map(|k| k.code).collect();
        assert_eq!(codes, [KeyCode::Char('q'), KeyCode::Enter, KeyCode::Char('c')]);
    }

    #[test]
    fn keys_written_as_sequences_are_kept_and_reports_are_no_keys() {
        let keys = |bytes: &[u8]| -> Vec<(KeyCode, KeyModifiers)> {
            parse(bytes).typed.iter().filter_map(|e| e.as_key_event()).map(|k| (k.code, k.modifiers)).collect()
        };
        let none = KeyModifiers::NONE;
        assert_eq!(
            keys("\x1b[A\x1b[I\x1bOB\x1b[1;2Ré\x1b[1;5C\x1b[3~x".as_bytes()),
            [
                (KeyCode::Up, none),
                (KeyCode::Down, none),
                (KeyCode::Char('é'), none),
                (KeyCode::Right, KeyModifiers::CONTROL),
                (KeyCode::Delete, none),
                (KeyCode::Char('x'), none),
            ]
        );
        assert_eq!(keys(b"\x1b"), [(KeyCode::Esc, none)]);
        assert_eq!(keys(b"\x1bx"), [(KeyCode::Char('x'), KeyModifiers::ALT)]);
        assert!(keys(b"\x1b[1;").is_empty() && keys(b"\xc3").is_empty() && keys(b"\x1b[?62c").is_empty());
        let pasted = parse(b"\x1b[200~two\nlines\x1b[201~\r").typed;
        assert_eq!(pasted[0], Event::Paste("two\nlines".into()));
        assert_eq!(pasted.len(), 2);
    }

    #[test]
    fn the_locale_says_what_to_expect() {
        let with = |set: &'static [(&str, &str)]| {
            by_locale(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(with(&[("LANG", "de_DE.UTF-8")]), GlyphSet::Unicode);
        assert_eq!(with(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]), GlyphSet::Ascii);
        assert_eq!(with(&[]), GlyphSet::Unicode);
        assert_eq!(with(&[("TERM", "linux")]), GlyphSet::Ascii);
    }
}
