//! Screen 4, the timeline: a lane for each slot, a bar for each turn of an attempt, a line where the moment is that
//! every screen shows. Beside it the strip that all screens have in the past.
//!
//! Not here: the columns ([`crate::interface::tui::model::time::timeline`]). Invariant: how a bar ended is told by its
//! sign as well as by its colour.

mod goto;
mod strip;
#[cfg(test)]
mod tests;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

pub(super) use self::goto::render as goto;
pub(super) use self::strip::{Beside, render as strip};
use super::page;
use crate::domain::protocol::{AttemptEnd, Micros};
use crate::domain::text::CleanText;
use crate::domain::text::width::width;
use crate::interface::tui::model::time::Mark;
use crate::interface::tui::model::time::lanes::Bar;
use crate::interface::tui::model::time::timeline::{Cell, Row, Sheet, TITLED, divide};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, GlyphSet, Slot, Theme};
use crate::interface::tui::widget::figure::{clock, count, rate, span};
use crate::interface::tui::widget::frame::{Emphasis, Frame, titles};
use crate::interface::tui::widget::pen::{Pen, cut, put_right};

/// Draws the screen. `whole` is the session as far as it is known, whatever moment is shown.
pub(super) fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.width < 20 || area.height < 5 {
        return;
    }
    let (theme, timeline) = (scene.theme, &scene.ui.time.timeline);
    let sheet = &timeline.sheet;
    let areas = divide(area);
    buf.set_style(area, theme.style(Slot::Text));
    let top = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width - 2,
        height: area.height.saturating_sub(areas.why.height + 3),
    };
    let mut frame = Frame::new(area);
    frame.around(areas.why, Emphasis::Plain);
    frame.around(top, Emphasis::Focused);
    frame.paint(buf, theme);
    let dot = format!(" {} ", theme.glyph(Glyph::Dot));
    let left =
        ["Time".to_owned(), page::plural(sheet.counts.0, "lane"), page::plural(sheet.counts.1, "attempt")].join(&dot);
    titles(buf, top, (&left, theme.style(Slot::BorderFocus)), (&hidden(theme, sheet), theme.style(Slot::Dim)), theme);
    if let Some(words) = timeline.empty() {
        let row = Rect { height: 1, ..areas.axis };
        Pen::new(buf, area.x + 2, row.y, area.right() - 1)
            .put(&cut(&words, usize::from(area.width - 4), theme), theme.style(Slot::Dim));
        return;
    }
    axis(theme, sheet, areas.axis, buf);
    for (i, row) in (0_u16..).zip(&sheet.rows) {
        let y = areas.chart.y + i;
        let selected = sheet.selected == Some(usize::from(i));
        name(theme, row, selected, Rect { y, height: 1, ..areas.names }, buf);
        bars(theme, sheet, &row.cells, Rect { y, height: 1, ..areas.chart }, buf);
        if areas.shares.width > 0 {
            let share = format!("{:.0}%", row.used * 100.0);
            put_right(buf, areas.shares.x, y, areas.shares.right(), &share, theme.style(Slot::Dim));
        }
    }
    lines(theme, sheet, areas.chart, buf);
    titles(buf, areas.why, ("Why", theme.style(Slot::Title)), ("", theme.style(Slot::Dim)), theme);
    why(scene, sheet, areas.why, buf);
    super::run::twins(scene, area, buf);
}

/// Lanes out of sight.
fn hidden(theme: &Theme, sheet: &Sheet) -> String {
    let part = |n: usize, glyph| if n == 0 { String::new() } else { format!("{} {n} ", theme.glyph(glyph)) };
    let more = format!("{}{}", part(sheet.hidden.0, Glyph::Above), part(sheet.hidden.1, Glyph::Below));
    let (from, to) = sheet.range;
    format!("{more}{}-{}", clock(from), clock(to))
}

/// Times above the columns, as many as have room.
fn axis(theme: &Theme, sheet: &Sheet, area: Rect, buf: &mut Buffer) {
    let (from, to) = sheet.range;
    let span = to.since(from).0;
    // The shortest step of round figures that leaves room between two times.
    let steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 604_800];
    let fits = |step: &u64| u128::from(*step) * 1_000_000 * u128::from(area.width) / u128::from(span.max(1)) >= 11;
    let step = steps.into_iter().find(fits).unwrap_or(2_592_000) * 1_000_000;
    let mut at = from.0.div_ceil(step) * step;
    while at <= to.0 {
        let x = (u128::from(at - from.0) * u128::from(area.width) / u128::from(span.max(1))) as u16;
        let words = clock(Micros(at));
        if usize::from(x) + width(&words) < usize::from(area.width) {
            Pen::new(buf, area.x + x, area.y, area.right())
                .put(tick(theme), theme.style(Slot::Border))
                .put(&words, theme.style(Slot::Dim));
        }
        at += step;
    }
}

fn tick(theme: &Theme) -> &'static str {
    match theme.glyphs {
        GlyphSet::Unicode => "╷",
        GlyphSet::Ascii => "'",
    }
}

fn name(theme: &Theme, row: &Row, selected: bool, area: Rect, buf: &mut Buffer) {
    let number = if row.lane.of > 1 { format!(" {}", row.lane.slot + 1) } else { String::new() };
    let mut pen = Pen::new(buf, area.x, area.y, area.right());
    let style = if selected { theme.style(Slot::Selected) } else { theme.style(Slot::Text) };
    pen.put(if selected { theme.glyph(Glyph::Cursor) } else { " " }, style);
    let room = pen.room().saturating_sub(width(&number));
    pen.put(&cut(&row.name, room, theme), style).put(&number, style);
}

/// The sign and the colour of a bar.
fn sign(theme: &Theme, bar: Bar) -> (&str, Slot) {
    match bar {
        Bar::Done => (theme.glyph(Glyph::Done), Slot::Done),
        Bar::Moved => (theme.glyph(Glyph::Arrow), Slot::Waiting),
        Bar::Running => (theme.glyph(Glyph::Running), Slot::Running),
        Bar::Cancelled => (theme.glyph(Glyph::Cancelled), Slot::Dropped),
        Bar::Interrupted => (theme.glyph(Glyph::Stop), Slot::Warning),
        Bar::Failed => (theme.glyph(Glyph::Failed), Slot::Failed),
    }
}

/// The bars of a lane: each begins with its sign, then its title while there is room, then a line.
fn bars(theme: &Theme, sheet: &Sheet, cells: &[Option<Cell>], area: Rect, buf: &mut Buffer) {
    let line = match theme.glyphs {
        GlyphSet::Unicode => "━",
        GlyphSet::Ascii => "=",
    };
    let mut at = 0;
    while at < cells.len() {
        let Some(Some(cell)) = cells.get(at) else {
            at += 1;
            continue;
        };
        let same = |c: &&Option<Cell>| c.is_some_and(|c| c.piece == cell.piece);
        let long = cells.get(at..).unwrap_or_default().iter().take_while(same).count().max(1);
        let x = area.x + at as u16;
        let (glyph, slot) = sign(theme, cell.piece.bar);
        let picked = sheet.picked == Some(cell.piece);
        let mut style = theme.style(slot);
        if picked {
            style = style.add_modifier(Modifier::BOLD);
        }
        let mut pen = Pen::new(buf, x, area.y, x + long as u16);
        pen.put(glyph, style);
        if long >= TITLED
            && let Some(title) = sheet.titles.get(&cell.piece.attempt)
        {
            let title = cut(title, long - 2, theme);
            // Underlined like the line goes on under the words: a bar is as long as it looks.
            let words = if picked { theme.style(Slot::Strong) } else { theme.style(Slot::Text) };
            let words = words.add_modifier(Modifier::UNDERLINED);
            let rest = long.saturating_sub(width(&title) + 2);
            pen.put(" ", words).put(&title, words).put(if rest > 0 { " " } else { "" }, words);
        }
        let left = pen.room();
        pen.repeat(line, left, style);
        at += long;
    }
}

/// What is later than the moment shown is dimmed; lines where the session was taken up or paused, and where the moment
/// is.
fn lines(theme: &Theme, sheet: &Sheet, area: Rect, buf: &mut Buffer) {
    let (whole, dashed) = match theme.glyphs {
        GlyphSet::Unicode => ("│", "┆"),
        GlyphSet::Ascii => ("|", ":"),
    };
    let end = area.y + sheet.rows.len() as u16;
    for (column, mark) in &sheet.marks {
        let slot = match mark {
            Mark::Opened => Slot::Warning,
            Mark::Paused | Mark::Resumed => Slot::Held,
        };
        for y in area.y..end {
            let cell = buf.cell_mut((area.x + column, y));
            if let Some(cell) = cell.filter(|c| c.symbol() == " ") {
                cell.set_symbol(dashed).set_style(theme.style(slot));
            }
        }
    }
    let Some(cursor) = sheet.cursor else { return };
    for y in area.y.saturating_sub(1)..end {
        for x in area.x + cursor + 1..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)).filter(|_| y >= area.y) {
                cell.set_style(theme.style(Slot::Dim));
            }
        }
        if let Some(cell) = buf.cell_mut((area.x + cursor, y)) {
            cell.set_symbol(whole).set_style(theme.style(Slot::BorderFocus));
        }
    }
}

/// What is selected, in three lines or one.
fn why(scene: &Scene<'_>, sheet: &Sheet, area: Rect, buf: &mut Buffer) {
    let (theme, state) = (scene.theme, scene.state);
    let dot = format!(" {} ", theme.glyph(Glyph::Dot));
    let cells = usize::from(area.width.saturating_sub(2));
    let mut say = |i: u16, text: &str, slot| {
        if i < area.height {
            Pen::new(buf, area.x + 1, area.y + i, area.right()).put(&cut(text, cells, theme), theme.style(slot));
        }
    };
    let Some(piece) = sheet.picked else {
        say(0, "Nothing has run in this lane up to here.", Slot::Dim);
        return;
    };
    let Some(attempt) = state.attempt(piece.attempt) else { return };
    let task = state.task(attempt.task);
    let (glyph, slot) = sign(theme, Bar::of(attempt, piece.turn));
    let tries = task.attempts.iter().position(|a| *a == attempt.id).map_or(1, |i| i + 1);
    let word = match Bar::of(attempt, piece.turn) {
        Bar::Done => "done",
        Bar::Moved => "went on elsewhere",
        Bar::Running => "runs",
        Bar::Cancelled => "stopped",
        Bar::Interrupted => "Baton ended under it",
        Bar::Failed => "failed",
    };
    let head = format!("{glyph} {}{dot}{word}", task.title);
    let began = attempt.started_at;
    let mut facts = vec![
        format!("{} on {}", attempt.agent, state.place_of(attempt).map_or("", |e| e.config.short())),
        format!("attempt {tries}"),
        format!("{} for {}", clock(began), span(attempt.elapsed(scene.now))),
        format!("{} tokens", count(attempt.output_tokens())),
    ];
    if attempt.steps.len() > 1 {
        facts.push(format!("turn {} of {}", piece.turn + 1, attempt.steps.len()));
    }
    let seconds = attempt.worked(scene.now).secs_f64();
    if seconds > 0.0 && attempt.output_tokens() > 0 {
        facts.push(rate((attempt.output_tokens() as f64 / seconds) as f32));
    }
    let after = match &attempt.ended {
        Some((_, AttemptEnd::Failed(failure))) => CleanText::one_line(&failure.message),
        None => CleanText::from_static("enter opens the task"),
        Some(_) => CleanText::from_static("enter opens the task; [ ] go to starts and ends"),
    };
    if area.height == 1 {
        say(0, &format!("{head}{dot}{}", facts.join(&dot)), slot);
        return;
    }
    say(0, &head, slot);
    say(1, &facts.join(&dot), Slot::Text);
    say(2, &after, if slot == Slot::Failed { Slot::Failed } else { Slot::Dim });
}
