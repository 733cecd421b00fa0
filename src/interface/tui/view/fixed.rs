//! The fixed line above the key line: what is typed for a filter or a search, the filter that is set, the notice.
//!
//! Not here: who says what. Invariant: a filter that is set is always named here, so that no row is missed without a
//! word.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use super::time::Beside;
use crate::domain::text::CleanText;
use crate::domain::text::width::width;
use crate::interface::tui::model::run::Focus;
use crate::interface::tui::model::{Layer, Screen, Tone};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};

/// Draws the line.
pub(super) fn render(scene: &Scene<'_>, row: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let run = &scene.ui.run;
    let here = scene.ui.screen == Screen::Run && scene.ui.layers.is_empty();
    let mut left = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    if here && let Some((label, text)) = run.field() {
        let after = match run.found() {
            Some(found) if run.focus == Focus::Pane => format!("  {}", super::run::found_words(found)),
            _ if run.focus == Focus::Pane => String::new(),
            _ => said(scene),
        };
        left = put(buf, left, &format!("{label}: "), theme.style(Slot::Dim));
        // The end of what is typed stays in sight.
        let room = usize::from(left.width).saturating_sub(width(&after).min(usize::from(left.width) / 2) + 1);
        left = put(buf, left, &cut_start(text, room), theme.style(Slot::Input));
        left = put(buf, left, theme.glyph(Glyph::Caret), theme.style(Slot::Input));
        put(buf, left, &theme.cut(&after, usize::from(left.width)), theme.style(Slot::Dim));
        return;
    }
    if let Some(Layer::Inspector(inspector)) = scene.ui.layers.last()
        && let Some(text) = inspector.field()
    {
        left = put(buf, left, "search: ", theme.style(Slot::Dim));
        left = put(buf, left, &cut_start(text, usize::from(left.width).saturating_sub(12)), theme.style(Slot::Input));
        left = put(buf, left, theme.glyph(Glyph::Caret), theme.style(Slot::Input));
        if let Some((at, of)) = inspector.find_place() {
            put(buf, left, &format!("  {at}/{of}"), theme.style(Slot::Dim));
        }
        return;
    }
    if let Some(moment) = &scene.ui.time.moment {
        let filters = here && !run.filter.is_empty();
        let other = scene.ui.layers.is_empty() && has_other_field(scene);
        let beside = if scene.ui.notice.is_some() || filters || other { Beside::Words } else { Beside::Nothing };
        left = super::time::strip(scene, moment, beside, left, buf);
    }
    if scene.ui.layers.is_empty() && other_field(scene, left, buf) {
        return;
    }
    if here && !run.filter.is_empty() {
        let most = if scene.ui.notice.is_some() { usize::from(left.width) / 2 } else { usize::from(left.width) };
        let after = said(scene);
        let text = format!("filter: {}", CleanText::one_line(run.filter.text.trim()));
        let text = theme.cut(&text, most.saturating_sub(width(&after)).max(most / 2));
        left = put(buf, left, &text, theme.style(Slot::Notice));
        left = put(buf, left, &theme.cut(&after, most.saturating_sub(width(&text))), theme.style(Slot::Dim));
        left = put(buf, left, "   ", theme.style(Slot::Dim));
        let back = "esc clears it";
        if scene.ui.notice.is_none() && usize::from(left.width) >= back.len() {
            put(buf, left, back, theme.style(Slot::Dim));
        }
    }
    let Some(notice) = &scene.ui.notice else {
        if let Some(words) = scene.ui.barred(scene.state).filter(|_| scene.ui.time.moment.is_none()) {
            put(buf, left, &theme.cut(&words, usize::from(left.width)), theme.style(Slot::Notice));
        }
        return;
    };
    let slot = match notice.tone {
        Tone::Plain => Slot::Notice,
        Tone::Warning => Slot::Warning,
    };
    let text = CleanText::one_line(&notice.text);
    put(buf, left, &theme.cut(&text, usize::from(left.width)), theme.style(slot));
}

/// Whether another screen has something to say here.
fn has_other_field(scene: &Scene<'_>) -> bool {
    match scene.ui.screen {
        Screen::Graph => scene.ui.graph.field().is_some(),
        Screen::Events => super::events::field(&scene.ui.events).is_some(),
        Screen::Fleet => super::fleet::field(scene).is_some(),
        _ => false,
    }
}

/// What is typed on the other screens, and the filter that is set on the journal. False: nothing was drawn.
fn other_field(scene: &Scene<'_>, row: Rect, buf: &mut Buffer) -> bool {
    let (theme, ui) = (scene.theme, scene.ui);
    let typed = match ui.screen {
        Screen::Graph => ui.graph.field().map(|(label, text)| (label, text.to_owned(), String::new(), Slot::Dim)),
        Screen::Events if ui.notice.is_none() || ui.events.is_typing() => {
            let slot = if ui.events.filter().1.is_some() { Slot::Warning } else { Slot::Dim };
            super::events::field(&ui.events).map(|(text, says)| ("filter", text, says, slot))
        }
        Screen::Fleet if ui.notice.is_none() || is_searching(scene) => {
            super::fleet::field(scene).map(|(text, says)| ("search", text, says, Slot::Dim))
        }
        Screen::Sessions if ui.notice.is_none() || ui.sessions.is_typing() => {
            ui.sessions.field().map(|(label, text, says)| (label, text, says, Slot::Dim))
        }
        _ => None,
    };
    let Some((label, text, says, slot)) = typed else { return false };
    let mut left = put(buf, row, &format!("{label}: "), theme.style(Slot::Dim));
    // What is typed keeps at least half of the line.
    let beside = width(&says).min(usize::from(left.width / 2)) + 4;
    let room = usize::from(left.width).saturating_sub(beside);
    left = put(buf, left, &cut_start(&text, room), theme.style(Slot::Input));
    let typing = match ui.screen {
        Screen::Sessions => ui.sessions.is_typing(),
        Screen::Events => ui.events.is_typing(),
        Screen::Fleet => is_searching(scene),
        _ => true,
    };
    if typing {
        left = put(buf, left, theme.glyph(Glyph::Caret), theme.style(Slot::Input));
    }
    let says = theme.cut(&format!("  {}", CleanText::one_line(&says)), usize::from(left.width));
    put(buf, left, &says, theme.style(slot));
    true
}

/// Whether words to be looked for in a log are being typed.
fn is_searching(scene: &Scene<'_>) -> bool {
    scene.ui.fleet.page.as_ref().is_some_and(|page| page.log.is_typing())
}

/// How many the filter finds, or what of it can't be understood.
fn said(scene: &Scene<'_>) -> String {
    let run = &scene.ui.run;
    match &run.filter.trouble {
        Some(trouble) => format!("  {}", CleanText::one_line(trouble)),
        None if run.filter.is_empty() => "  words, or status: agent: phase: level: endpoint:".to_owned(),
        None => {
            let (found, all) = run.filtered();
            format!("  {found} of {all}")
        }
    }
}

/// The end of `text` that fits.
fn cut_start(text: &str, cells: usize) -> String {
    let mut from = text;
    while width(from) > cells {
        let mut chars = from.chars();
        chars.next();
        from = chars.as_str();
    }
    from.to_owned()
}
