//! The selected session in full: its goal whole, how it stands and what can be done with it, its figures, where it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{state_of, summary_of};
use crate::domain::text::CleanText;
use crate::engine::journal::{Glance, SessionSummary, Standing};
use crate::interface::report::{ago, moment};
use crate::interface::tui::model::sessions::{is_here, plural};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Slot;
use crate::interface::tui::view::page::{Focus, bytes, dot, facts, frame, padded, paint, thousands, word, wrapped};

/// Draws it.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (theme, ui) = (scene.theme, &scene.ui.sessions);
    if area.height < 3 {
        return;
    }
    let selected = ui.selected();
    let title = selected.map_or_else(String::new, |g| g.id.to_string());
    let inside = padded(frame(theme, area, &title, "", Focus::Away, buf));
    let Some(glance) = selected else { return };
    let cells = inside.width;
    let mut lines = Vec::new();
    if let Some(hit) = ui.selected_hit() {
        let place = match hit.place.task() {
            Some(task) => format!("{task}, {}, record {}", hit.place.word(), hit.seq),
            None => format!("{}, record {}", hit.place.word(), hit.seq),
        };
        lines.push(Line::from(word(theme, Slot::Dim, place)));
        let text = CleanText::one_line(&format!("{}{}{}", hit.before, hit.found, hit.after));
        lines.extend(wrapped(theme, Slot::Text, &text, cells, 0));
        lines.push(Line::default());
    }
    match summary_of(scene, glance) {
        Some(summary) => lines.extend(told(scene, glance, &summary, (cells, inside.height))),
        None => lines.push(Line::from(word(theme, Slot::Dim, "Its journal is being read."))),
    }
    paint(inside, &lines, buf);
}

fn told(scene: &Scene<'_>, glance: &Glance, s: &SessionSummary, (cells, rows): (u16, u16)) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let mut lines = Vec::new();
    let (glyph, state, slot) = state_of(scene, glance);
    let mut line = vec![word(theme, slot, format!("{} {state}", theme.glyph(glyph)))];
    line.extend([dot(theme), word(theme, Slot::Text, what_now(scene, glance, s))]);
    lines.extend(wrapped_spans(theme, line, cells));
    if s.goal.is_empty() {
        lines.push(Line::from(word(theme, Slot::Dim, "It was never given a goal.")));
    } else {
        // Whole where there is room; a long one leaves some for the rest.
        let most = usize::from(rows / 3).clamp(2, 12);
        let mut goal = wrapped(theme, Slot::Strong, &s.goal, cells, 0);
        if goal.len() > most {
            goal.truncate(most - 1);
            goal.push(Line::from(word(theme, Slot::Dim, "and more of it")));
        }
        lines.extend(goal);
    }
    if s.goals > 1 {
        lines.push(Line::from(word(
            theme,
            Slot::Dim,
            format!("and {}", plural(s.goals as usize - 1, "goal", "goals")),
        )));
    }
    if s.simulated {
        lines.push(Line::from(word(theme, Slot::Warning, "SIMULATED: no real model answered.")));
    }
    if let Some(damage) = &s.damage {
        lines.extend(wrapped(theme, Slot::Error, damage, cells, 0));
    }
    lines.push(Line::default());
    let t = &s.tasks;
    let counts = [
        (t.done, "done", Slot::Done),
        (t.failed, "failed", Slot::Failed),
        (t.dropped, "dropped", Slot::Dropped),
        (t.running, "running", Slot::Running),
        (t.waiting, "waiting", Slot::Waiting),
    ];
    let mut tasks = vec![vec![word(theme, Slot::Text, plural(t.total as usize, "task", "tasks"))]];
    tasks.extend(
        counts.iter().filter(|(n, ..)| *n > 0).map(|(n, w, slot)| vec![word(theme, *slot, format!("{n} {w}"))]),
    );
    lines.extend(facts(theme, tasks, cells));
    let mut worked = vec![format!("worked on for {}", s.time.words())];
    if s.tokens > 0 {
        worked.push(format!("{} tokens", thousands(s.tokens)));
    }
    if s.lives > 1 {
        worked.push(format!("taken up {}", plural(s.lives as usize - 1, "time", "times")));
    }
    lines.extend(facts(theme, worked.into_iter().map(|w| vec![word(theme, Slot::Text, w)]).collect(), cells));
    if let Some(started) = s.started_ms {
        let now = scene.ui.sessions.now_ms;
        let words = format!("began {}, {}", moment(started), ago(now, started));
        lines.extend(wrapped(theme, Slot::Dim, &words, cells, 0));
    }
    if !s.endpoints.is_empty() {
        let names: Vec<&str> = s.endpoints.iter().map(|e| e.as_str()).collect();
        lines.extend(wrapped(theme, Slot::Dim, &format!("on {}", names.join(", ")), cells, 0));
    }
    if let Some(parent) = &s.parent {
        let words = format!("a fork of {} after its record {}", parent.parent, parent.seq);
        lines.extend(wrapped(theme, Slot::Dim, &words, cells, 0));
    }
    let mut size = vec![vec![word(theme, Slot::Dim, format!("{} records", thousands(s.records)))]];
    if s.bytes > 0 {
        size.push(vec![word(theme, Slot::Dim, bytes(s.bytes))]);
    }
    lines.extend(facts(theme, size, cells));
    let path = format!("{}/{}", scene.ui.sessions.root, glance.id);
    lines.extend(wrapped(theme, Slot::Dim, &path, cells, 0));
    lines
}

/// What can be done with it.
fn what_now(scene: &Scene<'_>, glance: &Glance, s: &SessionSummary) -> String {
    if is_here(glance, scene.state) {
        return "1 shows it".to_owned();
    }
    if let Some(runner) = glance.runner {
        let pid = runner.pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
        return format!("in {pid}; enter attaches");
    }
    match (&s.damage, s.standing) {
        (Some(_), _) => "enter replays what can be read".to_owned(),
        (None, Standing::Unfinished) => format!("stopped at {}/{}; r takes it up again", s.tasks.done, s.tasks.total),
        (None, Standing::Empty) => "D deletes it".to_owned(),
        (None, _) => "enter replays it; r takes it up for more".to_owned(),
    }
}

/// A line that may be too long, wrapped; its first span keeps its colour.
fn wrapped_spans(
    theme: &crate::interface::tui::theme::Theme,
    line: Vec<ratatui::text::Span<'static>>,
    cells: u16,
) -> Vec<Line<'static>> {
    let wide: usize = line.iter().map(|s| crate::domain::text::width::width(&s.content)).sum();
    if wide <= usize::from(cells) {
        return vec![Line::from(line)];
    }
    let mut parts = line.into_iter();
    let first = Line::from(parts.next().unwrap_or_default());
    let rest: String = parts.skip(1).map(|s| s.content.into_owned()).collect();
    std::iter::once(first).chain(wrapped(theme, Slot::Text, &rest, cells, 2)).collect()
}
