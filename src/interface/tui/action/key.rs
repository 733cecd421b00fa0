//! A key as text: `g`, `G`, `ctrl-p`, `shift-tab`, `f1`, `pgdn`. The same spelling in the table, in `keys.toml`, in help and
//! in tests.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key, free of what terminals disagree on: a capital letter is that letter without shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// A text that is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no key; write a letter, or as ctrl-p, shift-tab, enter, esc, up, pgdn, home, space, f1")]
pub struct KeyError(String);

/// The keys with names.
const NAMES: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("space", KeyCode::Char(' ')),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
];

impl Key {
    /// The key of an event of the terminal.
    pub fn of(event: KeyEvent) -> Self {
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let code = match event.code {
            KeyCode::BackTab => {
                modifiers |= KeyModifiers::SHIFT;
                KeyCode::Tab
            }
            KeyCode::Char(c) => {
                let shifted = modifiers.contains(KeyModifiers::SHIFT);
                modifiers -= KeyModifiers::SHIFT;
                match c {
                    // Terminals send the byte 0x1f for ctrl-/, which is told as one of these.
                    '7' | '_' if modifiers == KeyModifiers::CONTROL => KeyCode::Char('/'),
                    _ if modifiers.contains(KeyModifiers::CONTROL) => KeyCode::Char(c.to_ascii_lowercase()),
                    _ if shifted => KeyCode::Char(c.to_ascii_uppercase()),
                    _ => KeyCode::Char(c),
                }
            }
            code => code,
        };
        Self { code, modifiers }
    }

    /// Whether a text field takes it for itself: a letter, or a key that edits.
    pub(super) fn is_text(self) -> bool {
        let chord = self.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        matches!(self.code, KeyCode::Char(_)) && !chord
    }

    /// The event a terminal would send: for tests and scripts.
    pub fn event(self) -> KeyEvent {
        match (self.code, self.modifiers.contains(KeyModifiers::SHIFT)) {
            (KeyCode::Tab, true) => KeyEvent::new(KeyCode::BackTab, self.modifiers),
            (code, _) => KeyEvent::new(code, self.modifiers),
        }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (mut modifiers, mut rest) = (KeyModifiers::NONE, text);
        for (prefix, modifier) in
            [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)]
        {
            if let Some(tail) = rest.strip_prefix(prefix).filter(|t| !t.is_empty()) {
                modifiers |= modifier;
                rest = tail;
            }
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.as_str()) {
            (Some(c), "") if !c.is_control() => KeyCode::Char(c),
            (Some('f'), number) if number.parse::<u8>().is_ok_and(|n| (1..=24).contains(&n)) => {
                KeyCode::F(number.parse().unwrap_or(1))
            }
            _ => NAMES.iter().find(|(n, _)| *n == rest).map(|(_, c)| *c).ok_or_else(|| KeyError(text.to_owned()))?,
        };
        Ok(Self::of(KeyEvent::new(code, modifiers)))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, modifier) in
            [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)]
        {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::F(n) => write!(f, "f{n}"),
            code => match (NAMES.iter().find(|(_, c)| *c == code), code) {
                (Some((name, _)), _) => f.write_str(name),
                (None, KeyCode::Char(c)) => write!(f, "{c}"),
                (None, _) => f.write_str("?"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_as_it_is_read() {
        for text in ["g", "G", "ctrl-p", "shift-tab", "f1", "f10", "esc", "space", "pgdn", "-", "?", "!", "alt-x", ":"]
        {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
        for wrong in ["", "hyper-x", "ctrl-", "f0", "f99", "enterr"] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn terminals_that_tell_shift_and_those_that_do_not_mean_the_same() {
        let tells = KeyEvent::new(KeyCode::Char('g'), KeyModifiers::SHIFT);
        let capital = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        let bare = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::NONE);
        assert_eq!(Key::of(tells), Key::of(bare));
        assert_eq!(Key::of(capital), Key::of(bare));
        for told in ['/', '7', '_'] {
            assert_eq!(Key::of(KeyEvent::new(KeyCode::Char(told), KeyModifiers::CONTROL)).to_string(), "ctrl-/");
        }
        let back = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(Key::of(back).to_string(), "shift-tab");
    }
}
