//! The preview of an edit: changes, finished work that goes out of date, work that runs with the old form, and the cost.
//!
//! Not here: what keys do (`model/preview`).

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::inspector::status_sign;
use super::page::{self, Focus, below, cell, duration, frame, padded, plural, upper, word};
use crate::domain::protocol::{Name, TaskId};
use crate::domain::text::width::width;
use crate::interface::tui::model::PreviewUi;
use crate::interface::tui::model::preview::{Change, Row};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot, Theme};

/// Draws a preview over `area`.
pub(super) fn render(scene: &Scene<'_>, preview: &PreviewUi, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let title = format!("What this edit of {} does", preview.goal);
    let inside = padded(frame(theme, area, &title, "nothing is sent yet", Focus::Here, buf));
    if inside.is_empty() {
        return;
    }
    let foot = foot(theme, preview, inside.width);
    let foot_rows = (foot.len() as u16).min(inside.height / 2).max(1);
    let list = upper(inside, inside.height.saturating_sub(foot_rows + u16::from(inside.height > 8)));
    let lines: Vec<Line<'_>> = preview
        .rows()
        .iter()
        .enumerate()
        .map(|(i, row)| line(scene, preview, row, preview.selected() == Some(i), usize::from(list.width)))
        .collect();
    page::paint_scrolled(theme, list, &lines, &preview.scroll, buf);
    page::paint(below(inside, inside.height - foot_rows), &foot, buf);
    page::twins(theme, area, buf);
}

fn line<'a>(scene: &'a Scene<'_>, preview: &PreviewUi, row: &Row, selected: bool, cells: usize) -> Line<'a> {
    let theme = scene.theme;
    match row {
        Row::Empty => Line::default(),
        Row::Heading(text) => Line::from(word(theme, Slot::Heading, theme.cut(text, cells))),
        Row::Remark(text) => Line::from(word(theme, Slot::Text, theme.cut(text, cells))),
        Row::Change(change, name, words) => {
            let (mark, slot) = match change {
                Change::Added => ("+", Slot::Done),
                Change::Changed => ("~", Slot::Warning),
                Change::Removed => ("-", Slot::Failed),
            };
            // The title gives way first: what changes is what one looks for.
            let title = preview.title(name, scene.state);
            let room = cells.saturating_sub(4);
            let wide = width(words).min(room / 2);
            let title = theme.cut(&title, room.saturating_sub(wide + 2).min(44));
            let rest = room.saturating_sub(width(&title) + 2);
            Line::from(vec![
                word(theme, slot, format!("  {mark} ")),
                word(theme, Slot::Text, title),
                Span::raw("  "),
                word(theme, Slot::Dim, theme.cut(words, rest)),
            ])
        }
        Row::Choice(name) => choice(scene, preview, name, selected, cells),
    }
}

fn choice<'a>(scene: &'a Scene<'_>, preview: &PreviewUi, name: &Name, selected: bool, cells: usize) -> Line<'a> {
    let theme = scene.theme;
    let id = TaskId::new(preview.goal, name.clone());
    let chosen = preview.is_chosen(name);
    let running = preview.preview.running.contains(name);
    let mark = if selected { theme.glyph(Glyph::Cursor) } else { " " };
    let tick = if chosen { "[x]" } else { "[ ]" };
    let says = match (running, chosen) {
        (false, false) => "keeps its result",
        (false, true) => "runs again",
        (true, false) => "goes on as it is",
        (true, true) => "is restarted",
    };
    let status = scene.state.find(&id).map(|ix| scene.state.status(ix, scene.now));
    let (glyph, slot) = status.map_or((Glyph::Unknown, Slot::Dim), status_sign);
    let room = cells.saturating_sub(8 + width(says) + 2);
    let title = cell(&theme.cut(&preview.title(name, scene.state), room), room.min(60));
    let ink = if selected { Slot::Selected } else { Slot::Text };
    Line::from(vec![
        word(theme, ink, format!("{mark} {tick} ")),
        word(theme, if selected { ink } else { slot }, format!("{} ", theme.glyph(glyph))),
        word(theme, ink, title),
        word(theme, ink, "  "),
        word(
            theme,
            if selected {
                ink
            } else if chosen {
                Slot::Strong
            } else {
                Slot::Dim
            },
            says,
        ),
    ])
}

/// What it costs as chosen.
fn foot<'a>(theme: &'a Theme, preview: &PreviewUi, cells: u16) -> Vec<Line<'a>> {
    let (tasks, seconds) = preview.cost();
    let cost = if tasks == 0 {
        vec![word(theme, Slot::Strong, "No model is asked because of it.")]
    } else {
        let about = if seconds >= 1.0 { format!(", about {}", duration(f64::from(seconds))) } else { String::new() };
        vec![word(theme, Slot::Strong, format!("{} to run because of it{about}.", plural(tasks, "task")))]
    };
    let mut facts = vec![cost];
    if preview.has_choices() {
        facts.push(vec![word(theme, Slot::Dim, "space chooses what runs again, a all that is out of date")]);
    }
    page::facts(theme, facts, cells)
}
