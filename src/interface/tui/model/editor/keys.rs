//! What a key does to a text: letters, words, lines, pages. The same in the editor and in the fields of a form.
//!
//! Not here: keys of the table of actions (accept, undo, find, fields), which come as actions.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::rows::step;
use super::text::EditText;
use crate::domain::text::CleanText;

/// What a text is shown in: cells a row, rows a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Cells of a row.
    pub cells: usize,
    /// Rows of a page.
    pub rows: usize,
}

/// Whether a letter shows itself: what would hide or reorder others is not typed.
fn is_seen(c: char) -> bool {
    // A joiner is seen by what it joins; a mark by the letter before it.
    c == '\u{200d}' || CleanText::one_line(&format!("e{c}e")).contains(c)
}

/// Does what `key` means; keys that mean nothing here do nothing.
pub fn press(text: &mut EditText, key: KeyEvent, room: Room) {
    let chord = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    let page = isize::try_from(room.rows.saturating_sub(2).max(1)).unwrap_or(1);
    match key.code {
        KeyCode::Char(c) if !chord && is_seen(c) => text.type_in(c),
        KeyCode::Char(_) if !chord => {}
        KeyCode::Char('a') => text.home(),
        KeyCode::Char('e') => text.line_end(),
        KeyCode::Char('b') => text.word_left(),
        KeyCode::Char('k') => text.erase_to_end(),
        KeyCode::Char('u') => text.erase_to_start(),
        KeyCode::Char('w') => text.erase_word(),
        KeyCode::Backspace if chord => text.erase_word(),
        KeyCode::Backspace => text.backspace(),
        KeyCode::Delete => text.delete(),
        KeyCode::Left if chord => text.word_left(),
        KeyCode::Right if chord => text.word_right(),
        KeyCode::Left => text.left(),
        KeyCode::Right => text.right(),
        KeyCode::Home if chord => text.top(),
        KeyCode::End if chord => text.bottom(),
        KeyCode::Home => text.home(),
        KeyCode::End => text.line_end(),
        KeyCode::Up => step(text, -1, room.cells),
        KeyCode::Down => step(text, 1, room.cells),
        KeyCode::PageUp => step(text, -page, room.cells),
        KeyCode::PageDown => step(text, page, room.cells),
        _ => {}
    }
}
