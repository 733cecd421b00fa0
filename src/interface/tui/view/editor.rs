//! The text editor: numbered lines, softly wrapped, mistakes under their lines, the find line at the bottom.
//!
//! Not here: what keys do (`model/editor`). Invariant: painting touches visible rows only.

pub(super) mod paint;
mod yaml;

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

use super::page::{self, Focus, below, frame, upper, word};
use super::put;
use crate::domain::text::width::{cut_end, width};
use crate::domain::text::wrap::wrap;
use crate::interface::tui::model::editor::keys::Room;
use crate::interface::tui::model::editor::rows::rows;
use crate::interface::tui::model::editor::text::At;
use crate::interface::tui::model::editor::{EditorUi, Gravity, Problem, Purpose};
use crate::interface::tui::model::mistakes;
use crate::interface::tui::theme::{Glyph, Slot, Theme};

/// The most rows a mistake takes under its line; the bottom line tells it whole.
const UNDER: usize = 2;

/// Draws an editor over `area`.
pub(super) fn render(theme: &Theme, editor: &EditorUi, area: Rect, buf: &mut Buffer) {
    let remark = remark(theme, editor);
    // The title gives way to where the cursor is.
    let room = usize::from(area.width).saturating_sub(width(&remark) + 12).max(12);
    let inside = frame(theme, area, &theme.cut(&editor.title, room), &remark, Focus::Here, buf);
    if inside.is_empty() {
        return;
    }
    let foot = foot(theme, editor, inside.width);
    let low = inside.height < 8;
    let foot_rows = (foot.len() as u16).min(if low { 1 } else { 2 }).min(inside.height.saturating_sub(1));
    let text = upper(inside, inside.height - foot_rows);
    lines(theme, editor, text, buf);
    page::paint(below(inside, text.height), &foot, buf);
    page::twins(theme, area, buf);
}

/// What stands at the right of the frame: whether it was changed, where the cursor is, how many mistakes.
fn remark(theme: &Theme, editor: &EditorUi) -> String {
    let At { line, byte } = editor.text.cursor();
    let column = editor.text.line(line).get(..byte).unwrap_or_default().chars().count() + 1;
    let mut parts = Vec::new();
    if editor.is_changed() {
        parts.push("changed".to_owned());
    }
    let of = |gravity: Gravity| editor.problems().iter().filter(|p| p.gravity == gravity).count();
    let (wrong, doubtful) = (of(Gravity::Mistake), of(Gravity::Warning));
    if wrong > 0 {
        parts.push(mistakes(wrong));
    }
    if doubtful > 0 {
        parts.push(format!("{doubtful} warning{}", if doubtful == 1 { "" } else { "s" }));
    }
    parts.push(format!("{}:{column} of {}", line + 1, editor.text.lines().len()));
    parts.join(&format!(" {} ", theme.glyph(Glyph::Dot)))
}

/// The cells of the line numbers, with the gap after them; none where it is narrow.
fn gutter(editor: &EditorUi, cells: u16) -> u16 {
    let digits = editor.text.lines().len().to_string().len() as u16;
    if cells < 40 { 0 } else { digits + 2 }
}

fn slot_of(problem: &Problem) -> Slot {
    match problem.gravity {
        Gravity::Mistake => Slot::Error,
        Gravity::Warning => Slot::Warning,
    }
}

/// The rows of what is said under a line.
fn under(theme: &Theme, problem: &Problem, cells: usize) -> Vec<String> {
    let glyph = match problem.gravity {
        Gravity::Mistake => Glyph::Failed,
        Gravity::Warning => Glyph::Asking,
    };
    let text = format!("{} {}", theme.glyph(glyph), problem.what);
    let mut all: Vec<String> = wrap(&text, cells).map(|r| text.get(r).unwrap_or_default().to_owned()).collect();
    if all.len() > UNDER {
        all.truncate(UNDER);
        if let Some(last) = all.last_mut() {
            *last = theme.cut(&format!("{last}…………"), cells.min(width(last) + 1));
        }
    }
    all
}

fn lines(theme: &Theme, editor: &EditorUi, area: Rect, buf: &mut Buffer) {
    let gutter = gutter(editor, area.width);
    let text = Rect { x: area.x + gutter, width: area.width - gutter, ..area };
    // A cell is kept for the cursor behind the last letter.
    let cells = usize::from(text.width.saturating_sub(1)).max(1);
    let texts = editor.text.lines();
    let rows_of = |line: usize| {
        let said: usize = editor.problems_in(line).iter().map(|p| under(theme, p, cells).len()).sum();
        rows(editor.text.line(line), cells).len() + said
    };
    let room = Room { cells, rows: usize::from(area.height) };
    let (top, mut skip) = editor.top(room, rows_of);
    let mut block = yaml::Block::before(texts, top);
    let mut y = area.y;
    for (number, line) in texts.iter().enumerate().skip(top) {
        if y >= area.bottom() {
            break;
        }
        let spans = match editor.purpose {
            Purpose::Plan(_) => yaml::spans(line, &mut block),
            Purpose::Result(_) => Vec::new(),
        };
        let ink = Ink { theme, editor, number, spans };
        let at = editor.text.cursor();
        let cursor = (at.line == number).then_some(at.byte);
        let all = rows(line, cells);
        let count = all.len();
        for (i, range) in all.into_iter().enumerate().skip(skip) {
            if y >= area.bottom() {
                break;
            }
            if i == 0 && gutter > 0 {
                let slot = if cursor.is_some() { Slot::Strong } else { Slot::Dim };
                let digits = format!("{:>1$}", number + 1, usize::from(gutter) - 1);
                put(buf, Rect { y, height: 1, width: gutter, ..area }, &digits, theme.style(slot));
            }
            let last = i + 1 == count;
            let here = cursor.filter(|c| range.contains(c) || (last && *c == range.end));
            let place = Rect { y, height: 1, ..text };
            paint::row(line, range, |byte| ink.style(byte), here, place, buf);
            y += 1;
        }
        skip = skip.saturating_sub(count);
        let said = editor
            .problems_in(number)
            .iter()
            .flat_map(|p| under(theme, p, cells).into_iter().map(|row| (slot_of(p), row)));
        for (slot, words) in said.skip(skip) {
            if y >= area.bottom() {
                break;
            }
            put(buf, Rect { y, height: 1, ..text }, &words, theme.style(slot));
            y += 1;
        }
        skip = 0;
    }
}

/// The styles of a line.
struct Ink<'a> {
    theme: &'a Theme,
    editor: &'a EditorUi,
    number: usize,
    spans: Vec<(Range<usize>, Slot)>,
}

impl Ink<'_> {
    fn style(&self, byte: usize) -> Style {
        let found = self.editor.find.as_ref().and_then(|find| {
            let mut here = find.in_line(self.number);
            here.find(|(from, to, _)| (*from..*to).contains(&byte)).map(|(.., current)| current)
        });
        if let Some(current) = found {
            return self.theme.style(if current { Slot::MatchCurrent } else { Slot::Match });
        }
        let slot = self.spans.iter().find(|(range, _)| range.contains(&byte)).map_or(Slot::Text, |(_, slot)| *slot);
        let style = self.theme.style(slot);
        if let Some(problem) = self.editor.problems_in(self.number).iter().find(|p| p.at.byte == byte) {
            return style.patch(self.theme.style(slot_of(problem))).add_modifier(Modifier::UNDERLINED);
        }
        style
    }
}

/// The bottom line: the search, else the mistake with how to mend it, else what the text is.
fn foot<'a>(theme: &'a Theme, editor: &EditorUi, cells: u16) -> Vec<Line<'a>> {
    if let Some(find) = &editor.find {
        let (at, of) = find.count();
        let mut line = vec![word(theme, Slot::Dim, " find: "), word(theme, Slot::Input, find.needle())];
        line.push(word(theme, Slot::Input, theme.glyph(Glyph::Caret)));
        let count = match (find.needle().is_empty(), of) {
            (true, _) => String::new(),
            (false, 0) => "  not there".to_owned(),
            (false, of) => format!("  {at}/{of}"),
        };
        line.push(word(theme, if of == 0 { Slot::Warning } else { Slot::Dim }, count));
        return vec![Line::from(line)];
    }
    match editor.problem_told() {
        Some(problem) => {
            let text = format!("line {}: {}; {}", problem.at.line + 1, problem.what, problem.mend);
            page::wrapped(theme, slot_of(problem), &text, cells.saturating_sub(1), 1)
        }
        None => {
            let words = match &editor.purpose {
                Purpose::Plan(_) => "No mistakes. ctrl-s shows what the changes do before anything is sent.",
                Purpose::Result(_) => "ctrl-s puts this text in the place of the result; what needs it uses it then.",
            };
            let words = cut_end(words, usize::from(cells).saturating_sub(2)).into_owned();
            vec![Line::from(word(theme, Slot::Dim, format!(" {words}")))]
        }
    }
}
