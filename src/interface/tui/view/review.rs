//! The plan review: what would run, where, for how long, and whether it fits.
//!
//! Tasks stand by the step they can start in. Not here: what the keys do (`model/review`), the figures themselves
//! (`view/forecast`).

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::forecast::{Forecast, short_place};
use super::page::{self, Focus, cell, cell_right, duration, facts, frame, padded, paint, plural, sign, word};
use crate::domain::memory::Fit;
use crate::domain::protocol::{GoalId, Work};
use crate::domain::state::{Goal, GoalPhase, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::model::Screen;
use crate::interface::tui::model::review::ReviewUi;
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot};

/// From here on the totals stand beside the list.
const BESIDE: u16 = 108;

/// Draws the review of a goal's plan.
pub fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if let Screen::Review(goal) = scene.ui.screen {
        draw(scene, goal, &scene.ui.review, area, buf);
        page::twins(scene.theme, area, buf);
    }
}

fn draw(scene: &Scene<'_>, goal: GoalId, review: &ReviewUi, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let theme = scene.theme;
    let Some(goal) = scene.state.goal(goal) else {
        let says = "There is no such goal. esc goes back, ctrl-n asks for a new one.";
        paint(padded(area), &page::wrapped(theme, Slot::Dim, says, area.width, 0), buf);
        return;
    };
    let forecast = Forecast::of(scene.state, goal.id, scene.now);
    if forecast.steps.is_empty() {
        empty(scene, goal, area, buf);
        return;
    }
    let selected = review.selected(goal.id, scene.state);
    if area.width >= BESIDE && area.height >= 12 {
        let side = (area.width * 3 / 10).clamp(36, 62);
        let left = Rect { width: area.width - side, ..area };
        let right = Rect { x: left.right(), width: side, ..area };
        list(scene, goal, review, &forecast, Vec::new(), left, buf);
        let inside = padded(frame(theme, right, "This plan", "", Focus::Away, buf));
        let mut lines = totals(scene, goal, &forecast, inside.width);
        lines.extend(repairs(scene, goal, inside.width));
        lines.push(Line::default());
        lines.extend(detail(scene, &forecast, selected, inside.width));
        paint(inside, &lines, buf);
        return;
    }
    let wide = padded(area).width;
    let mut head = totals(scene, goal, &forecast, wide);
    head.truncate(usize::from(area.height / 3));
    let used = paint(padded(area), &head, buf);
    let rest = page::below(area, used);
    let before = repairs(scene, goal, wide.saturating_sub(2));
    let wanted = before.len() + forecast.steps.len() + forecast.tasks + 2;
    // What the list leaves goes to the selected task: its prompt is what is reviewed.
    let spare = rest.height.saturating_sub(u16::try_from(wanted).unwrap_or(u16::MAX));
    let detail_rows = if rest.height >= 15 { spare.clamp(5, rest.height / 2) } else { 0 };
    list(scene, goal, review, &forecast, before, page::upper(rest, rest.height - detail_rows), buf);
    if detail_rows > 0 {
        let at = page::below(rest, rest.height - detail_rows);
        let inside = padded(frame(theme, at, "Selected", "", Focus::Away, buf));
        paint(inside, &detail(scene, &forecast, selected, inside.width), buf);
    }
}

/// A goal without a plan: it is still being made, or it was given up.
fn empty(scene: &Scene<'_>, goal: &Goal, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let inside = padded(frame(theme, area, "Plan", "", Focus::Here, buf));
    let says = match goal.phase {
        GoalPhase::Planning => {
            "A model is making the plan for this goal. It is shown here as soon as it is there; 1 shows it being written."
        }
        _ => "This plan has no tasks. e writes some in your editor, ctrl-n asks for a new goal.",
    };
    let mut lines = page::wrapped(theme, Slot::Strong, &goal.text, inside.width, 0);
    lines.push(Line::default());
    lines.extend(page::wrapped(theme, Slot::Waiting, says, inside.width, 0));
    paint(inside, &lines, buf);
}

fn totals(scene: &Scene<'_>, goal: &Goal, forecast: &Forecast, cells: u16) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let state_word = match goal.phase {
        GoalPhase::Draft => {
            vec![sign(theme, Slot::Held, Glyph::Held), word(theme, Slot::Held, " draft, nothing runs yet")]
        }
        GoalPhase::Planning => {
            vec![sign(theme, Slot::Waiting, Glyph::Waiting), word(theme, Slot::Waiting, " being planned")]
        }
        _ => vec![sign(theme, Slot::Running, Glyph::Running), word(theme, Slot::Running, " approved")],
    };
    let mut lines = page::wrapped(theme, Slot::Strong, &goal.text, cells, 0);
    lines.truncate(3);
    let about = theme.glyph(Glyph::About);
    let mut figures = vec![
        state_word,
        vec![word(theme, Slot::Text, plural(forecast.tasks, "task"))],
        vec![word(theme, Slot::Text, format!("up to {} at once", forecast.widest))],
        vec![word(theme, Slot::Strong, format!("{about}{}", duration(forecast.wall)))],
        vec![word(theme, Slot::Dim, format!("one at a time {about}{}", duration(forecast.serial)))],
    ];
    if forecast.wall > 0.0 && forecast.serial / forecast.wall >= 1.05 {
        let times = format!("{}{:.1} faster", theme.glyph(Glyph::Times), forecast.serial / forecast.wall);
        figures.push(vec![word(theme, Slot::Notice, times)]);
    }
    lines.extend(facts(theme, figures, cells));
    let slot = match forecast.memory.as_ref().map(|m| m.fit) {
        Some(Fit::Fits) => Slot::Done,
        Some(Fit::Tight) => Slot::Warning,
        Some(Fit::No) => Slot::Error,
        Some(Fit::Unknown) | None => Slot::Dim,
    };
    lines.extend(page::wrapped(theme, slot, &forecast.memory_words(), cells, 0));
    for says in mismatches(scene, goal) {
        lines.extend(page::wrapped(theme, Slot::Warning, &says, cells, 0));
    }
    if forecast.stuck > 0 {
        let says = format!("{} can't start on this fleet as it is; the rows say why.", plural(forecast.stuck, "task"));
        lines.extend(page::wrapped(theme, Slot::Warning, &says, cells, 0));
    }
    lines
}

/// What is wrong with the endpoints that the goal would use: another model answers, or another protocol.
fn mismatches(scene: &Scene<'_>, goal: &Goal) -> Vec<String> {
    let all = scene.state.endpoints();
    if all.iter().all(|e| e.mismatch.is_none()) {
        return Vec::new();
    }
    let used = scene.state.endpoints_of(goal.id);
    let told = all.iter().filter(|e| used.contains(&e.config.name)).filter_map(|e| Some((e, e.mismatch.as_ref()?)));
    told.map(|(e, mismatch)| format!("{}: {mismatch}", e.config.name)).collect()
}

fn repairs(scene: &Scene<'_>, goal: &Goal, cells: u16) -> Vec<Line<'static>> {
    let theme = scene.theme;
    if goal.repairs.is_empty() {
        return Vec::new();
    }
    let title = format!("Mended in the model's plan ({}):", goal.repairs.len());
    let mut lines = page::wrapped(theme, Slot::Warning, &title, cells, 0);
    for repair in &goal.repairs {
        for (i, mut line) in page::wrapped(theme, Slot::Text, repair, cells, 2).into_iter().enumerate() {
            if i == 0
                && let Some(first) = line.spans.first_mut()
            {
                *first = word(theme, Slot::Marker, "- ");
            }
            lines.push(line);
        }
    }
    lines
}

/// The list of tasks by step, after what stands before it.
fn list(
    scene: &Scene<'_>,
    goal: &Goal,
    review: &ReviewUi,
    forecast: &Forecast,
    before: Vec<Line<'static>>,
    area: Rect,
    buf: &mut Buffer,
) {
    let theme = scene.theme;
    let selected = review.selected(goal.id, scene.state);
    let title = format!("Plan {} {} {}", goal.id, theme.glyph(Glyph::Dot), plural(forecast.tasks, "task"));
    let legend = format!("{} critical path {}{}", RAIL, theme.glyph(Glyph::About), duration(forecast.critical_seconds));
    let inside = frame(theme, area, &title, &legend, Focus::Here, buf);
    // Set in by one cell, as the rows are.
    let before = before.into_iter().map(|l| Line::from([vec![Span::raw(" ")], l.spans].concat()));
    let (mut rows, mut chosen): (Vec<Line<'static>>, usize) = (before.collect(), 0);
    let most = usize::from(inside.height / 2);
    if rows.len() > most {
        let left_out = rows.len() - most.saturating_sub(1);
        rows.truncate(most.saturating_sub(1));
        let says = format!("  and {} more; all of it stands in the plan (e)", plural(left_out, "line"));
        rows.push(Line::from(word(theme, Slot::Dim, says)));
    }
    let first = rows.len();
    let mut places = Vec::new();
    for (n, step) in forecast.steps.iter().enumerate() {
        let together = if step.len() > 1 { format!(", {} side by side", step.len()) } else { String::new() };
        let when = if n == 0 { "starts at once".to_owned() } else { format!("step {}", n + 1) };
        rows.push(Line::from(word(theme, Slot::Dim, format!(" {when}{together}"))));
        for ix in step {
            if Some(*ix) == selected {
                chosen = rows.len();
            }
            places.push(rows.len());
            rows.push(row(scene, forecast, *ix, Some(*ix) == selected, inside.width));
        }
    }
    review.scroll.measured(rows.len(), usize::from(inside.height));
    // What stands before the first task stays in sight with it.
    review.scroll.reveal(if chosen == first + 1 { 0 } else { chosen });
    review.scroll.reveal(chosen);
    page::paint_scrolled(theme, inside, &rows, &review.scroll, buf);
    for (i, at) in places.into_iter().enumerate() {
        if let Some(y) = at.checked_sub(review.scroll.top()).filter(|y| *y < usize::from(inside.height)) {
            scene.ui.spots.add(Rect { y: inside.y + y as u16, height: 1, ..inside }, Spot::Row(i));
        }
    }
    if let Some(y) = chosen.checked_sub(review.scroll.top()).filter(|y| *y < usize::from(inside.height)) {
        buf.set_style(Rect { y: inside.y + y as u16, height: 1, ..inside }, theme.style(Slot::Selected));
    }
}

/// The mark of the critical path.
const RAIL: &str = "*";

fn row(scene: &Scene<'_>, forecast: &Forecast, ix: TaskIx, selected: bool, cells: u16) -> Line<'static> {
    let (theme, state) = (scene.theme, scene.state);
    let task = state.task(ix);
    let cells = usize::from(cells);
    let critical = forecast.is_critical(ix);
    let place = forecast.place(ix);
    let placed = place.is_some_and(Result::is_ok);
    let figure = format!("{}{}", theme.glyph(Glyph::About), duration(f64::from(forecast.own(ix))));
    let (number, level, figure_cells) = (4, 2, 7);
    let after_cells = match cells {
        100.. => 16,
        70.. => 11,
        _ => 0,
    };
    let place_cells = match cells {
        100.. => 32,
        54.. => 22,
        40.. => 12,
        _ => 0,
    };
    let fixed = 2 + number + level + figure_cells + after_cells + place_cells + 3;
    let title_cells = cells.saturating_sub(fixed).max(1);
    let after = match forecast.after(state, ix).as_slice() {
        [] => String::new(),
        numbers => format!("after {}", numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",")),
    };
    let mark = if selected { theme.glyph(Glyph::Cursor) } else { " " };
    let text = if selected {
        Slot::Selected
    } else if critical {
        Slot::Critical
    } else {
        Slot::Text
    };
    let mut spans = vec![
        word(theme, Slot::Strong, mark),
        word(theme, Slot::Critical, if critical { RAIL } else { " " }),
        word(theme, Slot::Dim, cell_right(&forecast.number(ix).to_string(), number - 1)),
        Span::raw(" "),
        word(theme, text, cell(&task.title, title_cells)),
        Span::raw(" "),
    ];
    if after_cells > 0 {
        spans.push(word(theme, Slot::Dim, cell(&after, after_cells - 1)));
        spans.push(Span::raw(" "));
    }
    if place_cells > 0 {
        let at = place.map(|p| short_place(state, p)).unwrap_or_default();
        let agent = task.spec.agent.as_str();
        let arrow = theme.glyph(Glyph::Arrow);
        let text = if place_cells >= 20 { format!("{agent} {arrow} {at}") } else { at };
        spans.push(word(theme, if placed { Slot::Text } else { Slot::Warning }, cell(&text, place_cells)));
        spans.push(Span::raw(" "));
    }
    spans.push(word(theme, Slot::Dim, cell(&state.level_of(task).letter().to_string(), level)));
    spans.push(word(theme, Slot::Text, cell_right(&figure, figure_cells)));
    Line::from(spans)
}

/// The selected task in full.
fn detail(scene: &Scene<'_>, forecast: &Forecast, selected: Option<TaskIx>, cells: u16) -> Vec<Line<'static>> {
    let (theme, state) = (scene.theme, scene.state);
    let Some(ix) = selected else { return Vec::new() };
    let task = state.task(ix);
    let mut lines = page::wrapped(theme, Slot::Heading, &format!("{} {}", forecast.number(ix), task.title), cells, 0);
    let mut says = vec![vec![word(theme, Slot::Strong, task.spec.agent.as_str())]];
    if let Some(place) = forecast.place(ix) {
        says.push(match place {
            Ok(e) => vec![word(theme, Slot::Text, format!("on {}", CleanText::new(state.endpoint(*e).config.title())))],
            Err(why) => vec![word(theme, Slot::Warning, why.clone())],
        });
    }
    says.push(vec![word(theme, Slot::Text, format!("level {}", state.level_of(task).word()))]);
    if forecast.is_critical(ix) {
        says.push(vec![word(theme, Slot::Critical, "on the critical path")]);
    }
    if task.work == Work::Synthesis {
        says.push(vec![word(theme, Slot::Notice, "its result is the answer")]);
    }
    let waits = state.impact(ix) as usize;
    if waits > 0 {
        says.push(vec![word(
            theme,
            Slot::Dim,
            format!("{} for it", if waits == 1 { "1 waits".into() } else { format!("{waits} wait") }),
        )]);
    }
    lines.extend(facts(theme, says, cells));
    for need in &task.needs {
        let text = format!("after {} {}", forecast.number(*need), state.task(*need).title);
        lines.extend(page::wrapped(theme, Slot::Dim, &text, cells, 0));
    }
    let prompt = CleanText::new(&task.spec.prompt);
    lines.extend(page::wrapped(theme, Slot::Text, &prompt, cells, 0));
    lines
}
