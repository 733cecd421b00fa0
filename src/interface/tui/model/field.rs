//! A text field of one or several lines: the message, the written answer and the changed prompt are typed into one.
//!
//! Not here: what is done with the text. Invariant: the text area's own shortcuts are off; a paste never accepts.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_textarea::{CursorMove, TextArea, WrapMode};

use super::Msg;
use crate::interface::tui::action::Action;

/// What is typed.
#[derive(Clone, Debug)]
pub struct TextField {
    /// The text area; drawn by the view in the theme's styles.
    pub(crate) area: TextArea<'static>,
}

impl PartialEq for TextField {
    fn eq(&self, other: &Self) -> bool {
        self.area.lines() == other.area.lines()
    }
}

impl Default for TextField {
    fn default() -> Self {
        Self::with_text("")
    }
}

impl TextField {
    /// A field with a text in it, the cursor at its end.
    pub fn with_text(text: &str) -> Self {
        let mut area = TextArea::new(text.lines().map(str::to_owned).collect());
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.move_cursor(CursorMove::Bottom);
        area.move_cursor(CursorMove::End);
        Self { area }
    }

    /// What stands in it.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether it holds nothing but space.
    pub fn is_empty(&self) -> bool {
        self.area.lines().iter().all(|l| l.trim().is_empty())
    }

    /// Takes a key or a paste.
    pub(super) fn input(&mut self, msg: &Msg) {
        match msg {
            Msg::Key(key) if key.kind != KeyEventKind::Release => self.key(*key),
            Msg::Paste(text) => {
                self.area.insert_str(text.as_str());
            }
            _ => {}
        }
    }

    /// Does an action of a text field; false: it is none of its own.
    pub(super) fn act(&mut self, action: Action) -> bool {
        match action {
            Action::TextUndo => {
                self.area.undo();
            }
            Action::TextRedo => {
                self.area.redo();
            }
            _ => return false,
        }
        true
    }

    fn key(&mut self, key: KeyEvent) {
        let area = &mut self.area;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('j') if control => area.insert_newline(),
            KeyCode::Enter => area.insert_newline(),
            KeyCode::Tab | KeyCode::BackTab => {}
            KeyCode::Char('u') if control => {
                area.delete_line_by_head();
            }
            KeyCode::Char('w') if control => {
                area.delete_word();
            }
            KeyCode::Left if control => area.move_cursor(CursorMove::WordBack),
            KeyCode::Right if control => area.move_cursor(CursorMove::WordForward),
            KeyCode::Left => area.move_cursor(CursorMove::Back),
            KeyCode::Right => area.move_cursor(CursorMove::Forward),
            KeyCode::Up => area.move_cursor(CursorMove::Up),
            KeyCode::Down => area.move_cursor(CursorMove::Down),
            KeyCode::Home => area.move_cursor(CursorMove::Head),
            KeyCode::End => area.move_cursor(CursorMove::End),
            _ => {
                area.input_without_shortcuts(key);
            }
        }
    }
}
