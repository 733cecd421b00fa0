//! The inspector: everything known of one task, in sections by tab.
//!
//! Not here: what the keys do (`model/inspector`), two attempts side by side (`compare`), what is found (`find`). Lies
//! over Run; it clears what is below it.

mod compare;
mod find;
mod said;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::page::{self, Focus, bytes, dot, duration, facts, frame, padded, paint, plural, sign, thousands, word};
use super::prose::{Prose, Rows};
use super::run::words::place;
use crate::domain::protocol::{AttemptEnd, Channel, Cut, Message, Micros, Part, Route, Speaker};
use crate::domain::state::{Attempt, State, Status, Task, TaskIx, Urgency, dollars};
use crate::domain::text::CleanText;
use crate::interface::tui::model::inspector::{Attempts, InspectorUi, Section};
use crate::interface::tui::model::level;
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, Slot, Theme};

pub(crate) use compare::Compared;
pub(crate) use find::Found;

/// The rows of a section: a model's text is shared with what keeps it, and never copied for a frame.
enum Body {
    Shared(Rows),
    Own(Vec<Line<'static>>),
}

impl Body {
    fn lines(&self) -> &[Line<'static>] {
        match self {
            Self::Shared(rows) => rows,
            Self::Own(lines) => lines,
        }
    }
}

/// The glyph and the style of a status.
pub(crate) fn status_sign(status: Status) -> (Glyph, Slot) {
    match status {
        Status::Running => (Glyph::Running, Slot::Running),
        Status::Asking => (Glyph::Asking, Slot::Asking),
        Status::Pending | Status::Ready | Status::Waiting => (Glyph::Waiting, Slot::Waiting),
        Status::Held => (Glyph::Held, Slot::Held),
        Status::Blocked => (Glyph::Waiting, Slot::Failed),
        Status::Done => (Glyph::Done, Slot::Done),
        Status::Failed => (Glyph::Failed, Slot::Failed),
        Status::Cancelled => (Glyph::Cancelled, Slot::Dropped),
        Status::Skipped => (Glyph::Skipped, Slot::Dropped),
    }
}

/// Draws the inspector over an area.
pub fn render(scene: &Scene<'_>, inspector: &InspectorUi, area: Rect, buf: &mut Buffer) {
    draw(scene, inspector, area, buf);
    page::twins(scene.theme, area, buf);
}

fn draw(scene: &Scene<'_>, inspector: &InspectorUi, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let (theme, state) = (scene.theme, scene.state);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buf[(x, y)].reset();
            buf[(x, y)].set_style(theme.style(Slot::Text));
        }
    }
    let Some(ix) = state.find(&inspector.task) else {
        let inside = padded(frame(theme, area, "Inspector", "esc closes", Focus::Here, buf));
        let says = format!("There is no task {} any more. esc goes back.", inspector.task);
        paint(inside, &page::wrapped(theme, Slot::Dim, &says, inside.width, 0), buf);
        return;
    };
    let task = state.task(ix);
    let inside = padded(frame(theme, area, &task.title, "", Focus::Here, buf));
    let section = inspector.section(state);
    let mut head = heading(scene, ix, task, inside.width);
    head.extend(tabs(theme, section, task, inside.width));
    head.push(Line::default());
    head.truncate(usize::from(inside.height.saturating_sub(2)).max(1));
    let used = paint(inside, &head, buf);
    let body = page::below(inside, used);
    let attempt = inspector.attempt(state).and_then(|a| state.attempt(a));
    let none = || Body::Own(Vec::new());
    let prose = |prose: &Prose, channel| match attempt {
        Some(a) => Body::Shared(prose.rows(theme, (state, scene.transcripts), a.id, channel, body.width)),
        None => none(),
    };
    let mut shown = match section {
        Section::Prompt => Body::Own(prompt(scene, task, attempt, body.width)),
        Section::Needs => Body::Own(needs(scene, ix, task, body.width)),
        Section::Attempts if inspector.attempts() == Attempts::Compared => match inspector.pair(state) {
            Some(pair) => Body::Shared(inspector.compared.rows(scene, task, pair, body.width)),
            None => Body::Own(attempts(scene, task, attempt, body.width)),
        },
        Section::Attempts => Body::Own(attempts(scene, task, attempt, body.width)),
        Section::Output => prose(&inspector.answer, Channel::Answer),
        Section::Thinking => prose(&inspector.thinking, Channel::Thinking),
        Section::Tools => prose(&inspector.tools, Channel::ToolCall),
        Section::Messages => Body::Own(said::lines(scene, task, body.width)),
    };
    if shown.lines().is_empty() {
        let says = match (section, attempt) {
            (Section::Messages, _) => "Nothing was said to it. i says something; it goes with its next turn.",
            (Section::Tools, Some(_)) => "This attempt asked for no tool.",
            (Section::Thinking, Some(_)) => {
                "No thinking came with this attempt: its model does not think aloud, or its level is low."
            }
            (_, Some(a)) if a.ended.is_none() => "Nothing has come yet; it stands here as it arrives.",
            (_, Some(_)) => "This attempt ended without text. The attempts section says why; r tries again.",
            (_, None) => "It has not run yet. tab goes on to “why”, which says what it waits for.",
        };
        shown = Body::Own(page::wrapped(theme, Slot::Dim, says, body.width, 0));
    }
    if let Body::Own(lines) = &shown {
        inspector.shown.replace(find::plain(lines));
    } else if section == Section::Attempts {
        inspector.shown.replace(find::plain(shown.lines()));
    }
    let found = match &shown {
        Body::Shared(rows) => inspector.kept_found.all(inspector.sought(), rows),
        Body::Own(lines) => find::all(inspector.sought(), lines).into(),
    };
    inspector.found(found.iter().map(|m| m.line).collect());
    page::paint_scrolled(theme, body, shown.lines(), inspector.scroll(section), buf);
    find::paint(theme, inspector, &found, shown.lines(), (section, body), buf);
}

fn heading(scene: &Scene<'_>, ix: TaskIx, task: &Task, cells: u16) -> Vec<Line<'static>> {
    let (theme, state) = (scene.theme, scene.state);
    let status = state.status(ix, scene.now);
    let (glyph, slot) = status_sign(status);
    let mut says = vec![
        vec![sign(theme, slot, glyph), word(theme, slot, format!(" {}", status.word()))],
        vec![word(theme, Slot::Strong, task.spec.agent.as_str())],
        vec![word(theme, Slot::Text, format!("level {}", state.level_of(task).word()))],
    ];
    if let Some(cut) = state.cut_of(task) {
        says.insert(1, vec![word(theme, Slot::Warning, cut.to_string())]);
    }
    if cells >= 70 {
        says.push(vec![word(theme, Slot::Dim, task.id.to_string())]);
    }
    if let Some(a) = state.last_attempt(task) {
        let place = if cells >= 90 { endpoint_title(state, a) } else { place(state, a) };
        says.push(vec![word(theme, Slot::Text, place)]);
        if a.is_model() {
            says.push(vec![word(theme, Slot::Text, duration(a.elapsed(scene.now).secs_f64()))]);
        }
    }
    facts(theme, says, cells)
}

/// The endpoint's title, where there is room; of a text put in by hand, whose it is.
fn endpoint_title(state: &State, attempt: &Attempt) -> String {
    match state.place_of(attempt) {
        Some(endpoint) => CleanText::one_line(endpoint.config.title()).to_string(),
        None => place(state, attempt),
    }
}

fn tabs(theme: &Theme, section: Section, task: &Task, cells: u16) -> Vec<Line<'static>> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (i, s) in Section::ALL.into_iter().enumerate() {
        if i > 0 {
            spans.push(Span::raw(if cells < 76 { "" } else { " " }));
        }
        let mut text = s.word().to_owned();
        if s == Section::Attempts && !task.attempts.is_empty() {
            text = format!("{text} {}", task.attempts.len());
        }
        // The brackets tell the chosen one without colour.
        spans.push(match (s == section, cells < 64) {
            (true, _) => word(theme, Slot::Brand, format!("[{text}]")),
            (false, false) => word(theme, Slot::Dim, format!(" {text} ")),
            (false, true) => word(theme, Slot::Dim, format!("{text} ")),
        });
    }
    vec![Line::from(spans)]
}

fn title(theme: &Theme, text: impl Into<String>) -> Line<'static> {
    Line::from(word(theme, Slot::Heading, text))
}

/// The prompt as written, and as it was sent to the attempt shown.
fn prompt(scene: &Scene<'_>, task: &Task, attempt: Option<&Attempt>, cells: u16) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let mut lines = vec![title(theme, format!("As written (version {})", task.version))];
    lines.extend(page::wrapped(theme, Slot::Text, &CleanText::new(&task.spec.prompt), cells, 2));
    lines.push(Line::default());
    let Some((attempt, turn)) = attempt.and_then(|a| Some((a, a.turn()?))) else {
        lines.push(title(theme, "As sent"));
        let says = "Nothing has been sent yet. The results of what it needs are put in when it starts.";
        lines.extend(page::wrapped(theme, Slot::Dim, says, cells, 2));
        return lines;
    };
    let mut head = vec![word(theme, Slot::Heading, format!("As sent, {}", attempt.turn_id()))];
    if !turn.prompt_digest.is_empty() {
        head.extend([dot(theme), word(theme, Slot::Dim, format!("digest {}", CleanText::new(&turn.prompt_digest)))]);
    }
    lines.push(Line::from(head));
    if turn.recipe.messages.is_empty() {
        lines.extend(page::wrapped(theme, Slot::Dim, "The journal keeps no pieces of this prompt.", cells, 2));
    }
    for message in turn.recipe.messages.iter() {
        lines.extend(spoken(scene, task, message, cells));
    }
    lines
}

fn spoken(scene: &Scene<'_>, task: &Task, message: &Message, cells: u16) -> Vec<Line<'static>> {
    let (theme, state) = (scene.theme, scene.state);
    let who = match message.role {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Tool => "tool",
    };
    let mut lines = vec![Line::from(word(theme, Slot::Marker, format!("  {who}")))];
    let note = |text: String| page::wrapped(theme, Slot::Notice, &format!("[{text}]"), cells, 4);
    let plain = |text: &str| page::wrapped(theme, Slot::Text, text, cells, 4);
    for part in &message.parts {
        match part {
            Part::AgentPrompt(agent) => {
                lines.extend(note(format!("the system prompt of {agent}")));
                let text = state.config.fleet.agent(agent).map(|a| CleanText::new(&a.prompt)).unwrap_or_default();
                lines.extend(plain(&text));
            }
            Part::MayAsk => lines.extend(note("how it may ask you".to_owned())),
            Part::Literal(text) => lines.extend(plain(text.trim_matches('\n'))),
            Part::Goal(goal) => {
                lines.extend(note("the goal".to_owned()));
                lines.extend(plain(state.goal(*goal).map_or("", |g| &g.text)));
            }
            Part::TaskPrompt(id) => {
                lines.extend(note(if *id == task.id {
                    "the task's prompt, as above".into()
                } else {
                    format!("the prompt of {id}")
                }));
            }
            Part::ResultOf { attempt, cut } => {
                let of = state.attempt(*attempt);
                let name = of.map_or("a task", |a| &*state.task(a.task).title).to_owned();
                let size = of.map_or(0, |a| state.answer_bytes(a));
                let mark = match cut {
                    Cut::Middle { head, tail } if head + tail < size => {
                        let out = size - head - tail;
                        format!(
                            "cut: first {} and last {}, {} left out of the middle",
                            bytes(*head),
                            bytes(*tail),
                            bytes(out)
                        )
                    }
                    _ => "whole".to_owned(),
                };
                lines.extend(note(format!("the result of “{name}”, {}, {mark}", bytes(size))));
            }
            Part::AnswerOf { turn, .. } => lines.extend(note(format!("what it answered in {turn}"))),
        }
    }
    lines
}

/// Why it stands where it stands, what it needs and what it feeds.
fn needs(scene: &Scene<'_>, ix: TaskIx, task: &Task, cells: u16) -> Vec<Line<'static>> {
    let (theme, state) = (scene.theme, scene.state);
    let status = state.status(ix, scene.now);
    let mut lines = vec![title(theme, format!("Why it is {}", status.word()))];
    let urgency = if scene.ui.run.figures().critical.contains(&ix) { Urgency::Critical } else { Urgency::Usual };
    let why = state.why_words(ix, scene.now, urgency);
    lines.extend(page::wrapped(theme, Slot::Text, &why, cells, 2));
    let level = state.level_of(task);
    if let Some(says) = level::support(task, level, state) {
        let text = format!("Its level is {}; {says}.", level.word());
        lines.extend(page::wrapped(theme, Slot::Dim, &text, cells, 2));
    }
    for (heading, none, list) in
        [("Needs", "Nothing: it can start at once.", &task.needs), ("Feeds", "Nothing waits for it.", &task.feeds)]
    {
        lines.push(Line::default());
        lines.push(title(theme, heading));
        let mut any = false;
        for other in list.iter().filter(|t| !state.task(**t).removed) {
            any = true;
            let (glyph, slot) = status_sign(state.status(*other, scene.now));
            let text = format!("{} · {}", state.task(*other).title, state.status(*other, scene.now).word());
            let mut rows = page::wrapped(theme, Slot::Text, &text, cells, 4);
            if let Some(first) = rows.first_mut().and_then(|l| l.spans.first_mut()) {
                *first = word(theme, slot, format!("  {} ", theme.glyph(glyph)));
            }
            lines.extend(rows);
        }
        if !any {
            lines.extend(page::wrapped(theme, Slot::Dim, none, cells, 2));
        }
    }
    let waits = state.impact(ix) as usize;
    if waits > 0 {
        let text = format!(
            "{} for it, directly or not.",
            if waits == 1 { "1 task waits".into() } else { format!("{waits} tasks wait") }
        );
        lines.extend(page::wrapped(theme, Slot::Dim, &text, cells, 2));
    }
    lines
}

/// Every try, oldest first, with how it ended.
fn attempts(scene: &Scene<'_>, task: &Task, shown: Option<&Attempt>, cells: u16) -> Vec<Line<'static>> {
    let (theme, state) = (scene.theme, scene.state);
    let mut lines = Vec::new();
    for (n, a) in task.attempts.iter().filter_map(|id| state.attempt(*id)).enumerate() {
        let (glyph, slot, says) = match a.ended.as_ref().map(|(_, end)| end) {
            None => (Glyph::Running, Slot::Running, "running"),
            Some(AttemptEnd::Completed) => (Glyph::Done, Slot::Done, "done"),
            Some(AttemptEnd::Failed(_)) => (Glyph::Failed, Slot::Failed, "failed"),
            Some(AttemptEnd::Cancelled) => (Glyph::Cancelled, Slot::Dropped, "cancelled"),
            Some(AttemptEnd::Moved) => (Glyph::Arrow, Slot::Dim, "carried on"),
            Some(AttemptEnd::Interrupted) => (Glyph::Skipped, Slot::Dim, "interrupted"),
        };
        let chosen = shown.is_some_and(|s| s.id == a.id);
        let mark = if chosen { theme.glyph(Glyph::Cursor) } else { " " };
        let route = if a.route() == Some(Route::Fallback) { " (fallback)" } else { "" };
        lines.push(Line::from(vec![
            word(theme, Slot::Strong, format!("{mark} attempt {} ", n + 1)),
            sign(theme, slot, glyph),
            word(theme, slot, format!(" {says}")),
            dot(theme),
            word(theme, Slot::Text, format!("{}{route}", endpoint_title(state, a))),
        ]));
        lines.extend(indented(facts(theme, figures(theme, state, a, scene.now), cells.saturating_sub(4))));
        if let Some((_, AttemptEnd::Failed(failure))) = &a.ended {
            lines.extend(page::wrapped(theme, Slot::Failed, &failure.message, cells, 4));
        }
        if let Some(cut) = state.cut_in(a).filter(|_| a.ended.is_some()) {
            lines.extend(page::wrapped(theme, Slot::Warning, &format!("its answer was {cut}"), cells, 4));
        }
        if let Some(fit) = state.fit_of(a) {
            if fit.percent() < 100 {
                lines.extend(page::wrapped(theme, Slot::Warning, &format!("it sees {}", fit.words()), cells, 4));
            }
            if fit.limit < fit.wanted {
                let slot = if fit.is_limited() { Slot::Warning } else { Slot::Dim };
                let (limit, wanted) = (thousands(fit.limit.into()), thousands(fit.wanted.into()));
                let says =
                    format!("its answer may have {limit} of the {wanted} tokens wanted: the context has no more room");
                lines.extend(page::wrapped(theme, slot, &says, cells, 4));
            }
        }
        lines.push(Line::default());
    }
    if task.attempts.len() > 1 {
        let says = "h l choose the attempt that the other sections show; d compares two word by word";
        lines.extend(page::wrapped(theme, Slot::Dim, says, cells, 0));
    }
    lines
}

fn indented(lines: Vec<Line<'static>>) -> Vec<Line<'static>> {
    lines.into_iter().map(|l| Line::from([vec![Span::raw("    ")], l.spans].concat())).collect()
}

fn figures(theme: &Theme, state: &State, a: &Attempt, now: Micros) -> Vec<Vec<Span<'static>>> {
    let fact = |text: String| vec![word(theme, Slot::Dim, text)];
    if !a.is_model() {
        let at = format!("at {}", duration(a.started_at.secs_f64()));
        return vec![fact(at), fact("put in by hand".to_owned()), fact(bytes(state.answer_bytes(a)))];
    }
    let mut says = vec![fact(format!("from {}", duration(a.started_at.secs_f64())))];
    says.push(fact(format!("took {}", duration(a.elapsed(now).secs_f64()))));
    if let Some(t) = a.turn() {
        says.push(fact(format!("slot {}", t.slot + 1)));
        says.push(fact(format!("level {}", t.level.word())));
        if t.usage.prompt_tokens > 0 {
            says.push(fact(format!("prompt {} tokens", thousands(t.usage.prompt_tokens))));
        }
        if let Some(first) = t.first_token_at {
            says.push(fact(format!("first token after {:.1}s", first.since(t.started_at).secs_f64())));
        }
    }
    says.push(fact(format!("{} tokens", thousands(a.output_tokens()))));
    says.extend(state.cost_of(a).map(|usd| fact(dollars(usd))));
    if a.steps.len() > 1 {
        says.push(fact(plural(a.steps.len(), "turn")));
    }
    says
}
