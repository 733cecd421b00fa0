//! A record in full: its data as it stands in the journal, laid out to be read.

use std::cell::RefCell;
use std::sync::Arc;

use ratatui::text::{Line, Span};

use crate::domain::protocol::Record;
use crate::domain::text::CleanText;
use crate::interface::tui::log::Entry;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Slot, Theme};
use crate::interface::tui::view::page::{self, word};
use crate::interface::tui::view::prose::Rows;

/// A value is shown up to so many bytes: a plan of thousands of tasks would else be laid out for every frame.
const MOST: usize = 64 * 1024;

/// The record laid out last: a long one is not laid out for every frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct LaidOut {
    kept: RefCell<Option<(Key, Rows)>>,
}

/// What it was laid out from. A record never changes.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    seq: u64,
    cells: u16,
    theme: Theme,
}

impl LaidOut {
    /// The rows of a record.
    pub(super) fn rows(&self, scene: &Scene<'_>, seq: u64, entry: &Entry, cells: u16) -> Rows {
        let key = Key { seq, cells, theme: scene.theme.clone() };
        let mut kept = self.kept.borrow_mut();
        if let Some((_, rows)) = kept.as_ref().filter(|(of, _)| *of == key) {
            return Arc::clone(rows);
        }
        let rows: Rows = lines(scene, seq, entry, cells).into();
        *kept = Some((key, Arc::clone(&rows)));
        rows
    }
}

/// The lines of a record.
fn lines(scene: &Scene<'_>, seq: u64, entry: &Entry, cells: u16) -> Vec<Line<'static>> {
    let theme = scene.theme;
    match entry {
        Entry::Whole(record) => whole(theme, record, cells),
        Entry::Output { at, turn, channel, tokens, bytes } => {
            let text = format!(
                "{{\n  \"seq\": {seq},\n  \"at\": {},\n  \"turn\": \"{turn}\",\n  \"channel\": \"{channel:?}\",\n  \
                 \"tokens\": {tokens},\n  \"bytes\": {bytes}\n}}",
                at.0
            );
            let mut lines = json(theme, &text, cells);
            let says = "Its text stands in the task's output: enter opens the task.";
            lines.extend(page::wrapped(theme, Slot::Dim, says, cells, 0));
            lines
        }
    }
}

fn whole(theme: &Theme, record: &Record, cells: u16) -> Vec<Line<'static>> {
    let Ok(mut text) = serde_json::to_string_pretty(record) else { return Vec::new() };
    let all = text.len();
    let mut cut = MOST.min(all);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    text.truncate(cut);
    let mut lines = json(theme, &text, cells);
    if cut < all {
        let says = format!("… {} more; y copies all of it.", page::bytes((all - cut) as u64));
        lines.extend(page::wrapped(theme, Slot::Dim, &says, cells, 0));
    }
    lines
}

/// JSON with its keys told from its values; line breaks in strings are breaks here too.
fn json(theme: &Theme, text: &str, cells: u16) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let body = line.trim_start();
        let (key, value) = match body.split_once("\": ") {
            Some((key, value)) if body.starts_with('"') => (format!("{key}\": "), value),
            _ => (String::new(), body),
        };
        let slot = if value.starts_with('"') {
            Slot::CodeString
        } else if value.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            Slot::CodeNumber
        } else {
            Slot::Text
        };
        for (i, part) in value.replace("\\n", "\n").lines().enumerate() {
            // A string may hold what JSON does not escape: made clean like all text from outside.
            let key = if i == 0 { key.as_str() } else { "" };
            let clean = CleanText::one_line(part);
            let whole = format!("{key}{clean}");
            for (row, mut shown) in page::wrapped(theme, slot, &whole, cells, indent).into_iter().enumerate() {
                if i == 0 && row == 0 && !key.is_empty() {
                    colour_key(theme, &mut shown, key.len());
                }
                out.push(shown);
            }
        }
    }
    out
}

/// Gives the first `bytes` of a row's words the colour of a key.
fn colour_key(theme: &Theme, row: &mut Line<'static>, bytes: usize) {
    let Some(words) = row.spans.pop() else { return };
    match words.content.split_at_checked(bytes) {
        Some((key, rest)) => {
            row.spans.push(word(theme, Slot::Dim, key));
            row.spans.push(Span::styled(rest.to_owned(), words.style));
        }
        None => row.spans.push(words),
    }
}
