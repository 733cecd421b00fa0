//! The page of one endpoint: its log as it grows, and all that is known of it; side by side where there is room.
//!
//! Not here: reading the log (`runtime/logs`). Invariant: a log that can't be shown says why and what would show one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::detail;
use crate::domain::text::CleanText;
use crate::interface::tui::model::fleet::log::{Follow, LogUi};
use crate::interface::tui::model::fleet::{Half, Page};
use crate::interface::tui::model::time::Kind;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};
use crate::interface::tui::view::page::{Focus, frame, padded, paint, paint_scrolled, wrapped};
use crate::interface::tui::widget::pen::Pen;

/// From here on both halves are shown.
const BESIDE: u16 = 120;

/// Draws the page.
pub(super) fn render(scene: &Scene<'_>, page: &Page, area: Rect, buf: &mut Buffer) {
    if area.width >= BESIDE {
        let left = area.width * 2 / 5;
        history(scene, page, Rect { width: left, ..area }, buf);
        log(scene, page, Rect { x: area.x + left, width: area.width - left, ..area }, buf);
    } else if page.half == Half::Log {
        log(scene, page, area, buf);
    } else {
        history(scene, page, area, buf);
    }
}

fn history(scene: &Scene<'_>, page: &Page, area: Rect, buf: &mut Buffer) {
    let Some(ix) = scene.state.find_endpoint(&page.endpoint) else { return };
    let title = CleanText::one_line(scene.state.endpoint(ix).config.title());
    let (focus, remark) = match page.half {
        Half::History if area.width < BESIDE => (Focus::Here, "tab log"),
        Half::History => (Focus::Here, ""),
        Half::Log => (Focus::Away, ""),
    };
    let inside = padded(frame(scene.theme, area, &title, remark, focus, buf));
    let lines = detail::lines(scene, ix, detail::Slots::Here, (inside.width, inside.height));
    paint_scrolled(scene.theme, inside, &lines, &page.scroll, buf);
}

/// Why there is no log to show, and what would show one.
fn missing(scene: &Scene<'_>, page: &Page) -> Option<String> {
    let away = scene.ui.time.moment.is_some() || scene.ui.time.kind == Kind::Replay;
    let e = scene.state.endpoint(scene.state.find_endpoint(&page.endpoint)?);
    let log = &page.log;
    if let Some(error) = &log.error {
        return log.lines.is_empty().then(|| error.to_string());
    }
    match scene.state.servers.get(&page.endpoint) {
        Some(server) if server.log.is_some() => {
            if away {
                Some("A log is of now: it is not part of the past. 0 goes back to now.".to_owned())
            } else if !log.heard {
                Some("reading …".to_owned())
            } else if log.lines.is_empty() {
                Some("It has said nothing yet.".to_owned())
            } else {
                None
            }
        }
        _ if e.config.launch.is_some() => {
            Some("Baton has not started this server: s starts it, and what it says stands here.".to_owned())
        }
        _ => Some(
            "Baton did not start this server, so it has no log of it. Give the endpoint a `launch` in the fleet file; \
             then s starts it, and what it says stands here."
                .to_owned(),
        ),
    }
}

fn log(scene: &Scene<'_>, page: &Page, area: Rect, buf: &mut Buffer) {
    let (theme, log) = (scene.theme, &page.log);
    let focus = if page.half == Half::Log { Focus::Here } else { Focus::Away };
    let title = format!("Log of {}", page.endpoint);
    let remark = match (log.follow, log.fresh) {
        _ if log.lines.is_empty() => String::new(),
        (Follow::End, _) => "follows".to_owned(),
        (Follow::Here, 0) => "f follows".to_owned(),
        (Follow::Here, n) => format!("{} {n} new", theme.glyph(Glyph::Below)),
    };
    let inside = padded(frame(theme, area, &title, &remark, focus, buf)).intersection(buf.area);
    if let Some(words) = missing(scene, page) {
        paint(inside, &wrapped(theme, Slot::Dim, &words, inside.width, 0), buf);
        return;
    }
    lines(scene, log, inside, buf);
}

fn lines(scene: &Scene<'_>, log: &LogUi, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let height = usize::from(area.height);
    log.scroll.measured(log.lines.len(), height);
    let top = match log.follow {
        Follow::End => log.lines.len().saturating_sub(height),
        Follow::Here => log.scroll.top(),
    };
    for ((i, line), y) in log.lines.iter().enumerate().skip(top).zip(area.top()..area.bottom()) {
        let mut pen = Pen::new(buf, area.x, y, area.right());
        match log.hit(line) {
            Some(hit) => {
                let slot = if log.found() == Some(i) { Slot::MatchCurrent } else { Slot::Match };
                let part = |range: std::ops::Range<usize>| line.get(range).unwrap_or_default();
                pen.put(part(0..hit.start), theme.style(Slot::Text));
                pen.put(part(hit.clone()), theme.style(slot));
                pen.put(part(hit.end..line.len()), theme.style(Slot::Text));
            }
            None => {
                pen.put(line, theme.style(Slot::Text));
            }
        }
        if crate::domain::text::width::width(line) > usize::from(area.width) {
            crate::interface::tui::widget::pen::put_right(
                buf,
                area.x,
                y,
                area.right(),
                theme.glyph(Glyph::Ellipsis),
                theme.style(Slot::Dim),
            );
        }
    }
}

/// What the fixed line says of the search; none: nothing is looked for.
pub(in crate::interface::tui::view) fn field(scene: &Scene<'_>) -> Option<(String, String)> {
    let log = &scene.ui.fleet.page.as_ref()?.log;
    if log.query().is_empty() && !log.is_typing() {
        return None;
    }
    let says = match log.count() {
        _ if log.query().is_empty() => String::new(),
        0 => "nothing found".to_owned(),
        1 => "1 line".to_owned(),
        n => format!("{n} lines"),
    };
    Some((log.query().to_owned(), says))
}
