//! The first minute: the name, the goal box, and what answers on this machine.
//!
//! Drawn at once, while endpoints are still probed. Not here: what the keys do (`model/welcome`).

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::page::{self, Focus, cell, cell_right, dot, facts, frame, padded, paint, word};
use crate::domain::fleet::Protocol;
use crate::domain::memory::{System, wider};
use crate::domain::protocol::{AgentName, Health, TierName};
use crate::domain::state::{Density, EndpointState, State};
use crate::domain::text::CleanText;
use crate::domain::text::width::width;
use crate::interface::tui::model::discovery::{Discovery, Offer, Search};
use crate::interface::tui::model::files::FileSeen;
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::model::welcome::{EXAMPLES, WelcomeFocus, WelcomeUi};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{Glyph, GlyphSet, Slot, Theme};

/// Wider than this the page is set in the middle: lines stay readable.
const WIDEST: u16 = 128;

/// Draws the welcome screen.
pub fn render(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    draw(scene, &scene.ui.welcome, area, buf);
    page::twins(scene.theme, area, buf);
}

fn draw(scene: &Scene<'_>, welcome: &WelcomeUi, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let page = middle(area);
    let roomy = page.height >= 34 && page.width >= 76;
    let mut used = wordmark(scene, page, roomy, buf);
    used += u16::from(page.height >= 18);
    let rest = page::below(page, used);
    let fleet_rows = (scene.state.endpoints().len()
        + told(scene.theme, &scene.ui.discovery, welcome.focus(), page.width).len()) as u16;
    let wanted = fleet_rows + 7;
    let box_rows = if roomy {
        7
    } else if rest.height >= (wanted + 4).min(18) {
        5
    } else {
        4
    };
    let used = goal_box(scene, welcome, page::upper(rest, box_rows), buf);
    scene.ui.spots.add(page::upper(rest, used), Spot::Goal);
    let rest = page::below(rest, used);
    let used = files(scene, welcome, page::upper(rest, rest.height.saturating_sub(3)), buf);
    let rest = page::below(rest, used);
    let used = left_off(scene, welcome, rest, buf);
    let rest = page::below(rest, used);
    let left = rest.height.saturating_sub(wanted);
    let is_free = !welcome.files.any() && welcome.files.names.0.is_empty();
    let example_rows = if is_free && (rest.height >= 14 || left >= 4) { 4 } else { 0 };
    let used = examples(scene, welcome, page::upper(rest, example_rows), buf);
    let rest = page::below(rest, used + u16::from(rest.height >= wanted + used));
    fleet(scene, welcome, rest, buf);
}

fn middle(area: Rect) -> Rect {
    let wide = area.width.min(WIDEST);
    let high = if area.height > 44 { 44 } else { area.height };
    let down = (area.height - high) / 3;
    Rect { x: area.x + (area.width - wide) / 2, y: area.y + down, width: wide, height: high }
}

/// The name; returns the rows used.
fn wordmark(scene: &Scene<'_>, area: Rect, roomy: bool, buf: &mut Buffer) -> u16 {
    let theme = scene.theme;
    let says = if area.width >= 70 {
        "One goal, many models, side by side on your machine."
    } else {
        "One goal, many models, side by side."
    };
    let unicode = theme.glyphs == GlyphSet::Unicode;
    if roomy && unicode {
        let letter = |row: &'static str| Line::from(vec![Span::raw(" "), word(theme, Slot::Brand, row)]);
        let mut last = vec![Span::raw(" "), word(theme, Slot::Border, "━".repeat(19)), word(theme, Slot::Brand, "●")];
        last.extend([Span::raw("  "), word(theme, Slot::Dim, says)]);
        let lines = [
            Line::default(),
            letter("█▀▄ ▄▀▄ ▀█▀ ▄▀▄ █▄ █"),
            letter("█▀▄ █▀█  █  █ █ █ ▀█"),
            letter("▀▀  ▀ ▀  ▀   ▀  ▀  ▀"),
            Line::from(last),
        ];
        return paint(area, &lines, buf);
    }
    let (stick, end) = if unicode { ("━━━━", "●") } else { ("----", "o") };
    let mut line = vec![
        Span::raw(" "),
        word(theme, Slot::Brand, "baton"),
        Span::raw(" "),
        word(theme, Slot::Border, stick),
        word(theme, Slot::Brand, end),
        Span::raw("  "),
    ];
    line.push(word(theme, Slot::Dim, says));
    paint(area, &[Line::from(line)], buf)
}

/// The goal box; returns the rows used.
fn goal_box(scene: &Scene<'_>, welcome: &WelcomeUi, area: Rect, buf: &mut Buffer) -> u16 {
    let theme = scene.theme;
    let focused = welcome.focus() == WelcomeFocus::Goal;
    let title = if scene.state.goals().is_empty() { "What is your goal?" } else { "What is the next goal?" };
    let focus = if focused { Focus::Here } else { Focus::Away };
    let inside = frame(theme, area, title, "", focus, buf);
    let hint_row = inside.height >= 3;
    let text = padded(page::upper(inside, inside.height - u16::from(hint_row)));
    let mut field = welcome.area.clone();
    field.set_style(theme.style(Slot::Input));
    field.set_cursor_line_style(theme.style(Slot::Input));
    field.set_placeholder_style(theme.style(Slot::Placeholder));
    field.set_placeholder_text("What you want to know or have made, in your own words.");
    let cursor = if focused {
        theme.style(Slot::Input).add_modifier(ratatui::style::Modifier::REVERSED)
    } else {
        theme.style(Slot::Input)
    };
    field.set_cursor_style(cursor);
    if text.width > 0 && text.height > 0 {
        (&field).render(text, buf);
    }
    if hint_row {
        let key = |key: &str, says: &'static str| {
            vec![word(theme, Slot::Key, key), word(theme, Slot::KeyHint, format!(" {says}"))]
        };
        let hints = match (focused, welcome.is_empty()) {
            (false, _) => vec![key("tab", "back to the goal")],
            (true, true) => {
                let example = key(theme.glyph(Glyph::Below), "writes an example");
                vec![key("enter", "runs a demo"), example, key("@", "names a file")]
            }
            (true, false) if welcome.typed_path().is_some() => {
                vec![key("tab", "completes the path"), key("enter", "makes a plan"), key("ctrl-j", "new line")]
            }
            (true, false) => vec![key("enter", "makes a plan, to review before it runs"), key("ctrl-j", "new line")],
        };
        let lines = facts(theme, hints, text.width);
        paint(page::upper(page::below(padded(inside), inside.height - 1), 1), &lines, buf);
    }
    area.height
}

/// The files that the goal names, and what they come to; returns the rows used.
fn files(scene: &Scene<'_>, welcome: &WelcomeUi, area: Rect, buf: &mut Buffer) -> u16 {
    let (theme, files) = (scene.theme, &welcome.files);
    let cells = area.width.saturating_sub(2);
    let mut lines = Vec::new();
    if let Some(words) = &files.trouble {
        lines.extend(page::wrapped(theme, Slot::Warning, words, cells, 1));
    }
    let (names, more) = &files.names;
    if !names.is_empty() {
        let mut words = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("  ");
        if *more > 0 {
            words.push_str(&format!("  and {more} more"));
        }
        lines.extend(page::wrapped(theme, Slot::Dim, &words, cells, 1));
    }
    let mut sum = (0, 0_u64);
    for (path, seen) in &files.seen {
        match seen {
            FileSeen::Text(bytes) => {
                sum = (sum.0 + 1, sum.1 + bytes);
                let tail = format!("  {}", size(*bytes));
                let room = usize::from(cells).saturating_sub(1 + tail.len());
                lines.push(Line::from(vec![
                    word(theme, Slot::Text, format!(" {}", theme.cut(path, room))),
                    word(theme, Slot::Dim, tail),
                ]));
            }
            // It is being typed yet.
            FileSeen::Words if welcome.typed_path().as_deref() == Some(path.as_str()) => {}
            FileSeen::Words => {
                let words = format!("{path}: no file of that name; it is taken as a word");
                lines.extend(page::wrapped(theme, Slot::Dim, &words, cells, 1));
            }
            // What kept the goal from being sent says it already.
            FileSeen::Wrong(_) if files.trouble.is_some() => {}
            FileSeen::Wrong(words) => lines.extend(page::wrapped(theme, Slot::Warning, words, cells, 1)),
        }
    }
    if sum.0 > 1 {
        let words = format!("together {}", size(sum.1));
        lines.push(Line::from(word(theme, Slot::Dim, format!(" {words}"))));
    }
    let room = usize::from(area.height);
    if lines.len() > room && room > 0 {
        // The last line is worth most where there are several files; else the beginning says what it is about.
        let hidden = lines.len() - room;
        lines.drain(room - 1..lines.len() - 1);
        if sum.0 <= 1
            && let Some(last) = lines.last_mut()
        {
            *last = Line::from(word(theme, Slot::Dim, format!(" {} {} more", theme.glyph(Glyph::Below), hidden + 1)));
        }
    }
    paint(area, &lines, buf)
}

/// How much a text is, and what it will come to in a prompt.
fn size(bytes: u64) -> String {
    let tokens = page::thousands(Density::USUAL.tokens(bytes));
    format!("{}, about {tokens} tokens", page::bytes(bytes))
}

/// The session that was left unfinished last; returns the rows used.
fn left_off(scene: &Scene<'_>, welcome: &WelcomeUi, area: Rect, buf: &mut Buffer) -> u16 {
    let theme = scene.theme;
    let Some(glance) = scene.ui.sessions.to_resume(scene.state) else { return 0 };
    let Some(s) = &glance.summary else { return 0 };
    let written = glance.modified.duration_since(std::time::UNIX_EPOCH);
    let written = written.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
    let when = crate::interface::report::ago(scene.ui.sessions.now_ms, written);
    let tail = format!(" stopped {when} at {}/{}: ", s.tasks.done, s.tasks.total);
    let (key, does) = match welcome.focus() {
        WelcomeFocus::Fleet => ("r", " resumes it"),
        WelcomeFocus::Goal => ("tab r", " resumes it"),
    };
    let room = usize::from(area.width).saturating_sub(1 + tail.len() + key.len() + does.len());
    let goal = s.goal.to_one_line();
    let goal = crate::domain::text::width::cut_end(&goal, room.min(48)).into_owned();
    let line = Line::from(vec![
        word(theme, Slot::Strong, format!(" {goal}")),
        word(theme, Slot::Text, tail),
        word(theme, Slot::Key, key),
        word(theme, Slot::KeyHint, does),
    ]);
    paint(page::upper(area, 1), &[line], buf) + u16::from(area.height >= 20)
}

/// Goals to start from; returns the rows used.
fn examples(scene: &Scene<'_>, welcome: &WelcomeUi, area: Rect, buf: &mut Buffer) -> u16 {
    let theme = scene.theme;
    if area.height < 2 {
        return 0;
    }
    let heading = word(theme, Slot::Dim, " Or start from one of these:");
    let mut lines = vec![Line::from(heading)];
    for (i, example) in EXAMPLES.iter().enumerate() {
        let chosen = welcome.example() == Some(i);
        let (mark, slot) =
            if chosen { (theme.glyph(Glyph::Cursor), Slot::Selected) } else { (theme.glyph(Glyph::Dot), Slot::Text) };
        let room = usize::from(area.width).saturating_sub(4);
        let text = crate::domain::text::width::cut_end(example, room).into_owned();
        lines.push(Line::from(vec![word(theme, Slot::Dim, format!(" {mark} ")), word(theme, slot, text)]));
    }
    for (i, y) in (area.y + 1..area.bottom()).enumerate().take(EXAMPLES.len()) {
        scene.ui.spots.add(Rect { y, height: 1, ..area }, Spot::Row(i));
    }
    paint(area, &lines, buf)
}

/// What answers.
fn fleet(scene: &Scene<'_>, welcome: &WelcomeUi, area: Rect, buf: &mut Buffer) {
    let (theme, state) = (scene.theme, scene.state);
    scene.ui.spots.add(area, Spot::Fleet);
    if area.height < 3 {
        let line = searching(theme, &scene.ui.discovery, state).unwrap_or_else(|| summary(theme, state));
        paint(area, &[Line::from(line)], buf);
        return;
    }
    let fleet = &state.config.fleet;
    let title = match fleet.name.as_str() {
        "" => "Fleet".to_owned(),
        name => format!("Fleet {}", CleanText::new(name)),
    };
    let focus = if welcome.focus() == WelcomeFocus::Fleet { Focus::Here } else { Focus::Away };
    let offered = scene.ui.discovery.offer == Offer::Open;
    let other = match (welcome.focus(), fleet.is_simulated()) {
        (WelcomeFocus::Goal, _) if offered => "tab: keep it, or another fleet",
        (WelcomeFocus::Goal, _) => "tab: another fleet",
        (WelcomeFocus::Fleet, true) => "f real fleet",
        (WelcomeFocus::Fleet, false) if offered => "w keep it · f simulated fleet",
        (WelcomeFocus::Fleet, false) => "f simulated fleet",
    };
    let cells = padded(area).width.saturating_sub(2);
    let discovery = &scene.ui.discovery;
    let mut head =
        facts(theme, vec![searching(theme, discovery, state).unwrap_or_else(|| summary(theme, state))], cells);
    if fleet.is_simulated() {
        let says = "This fleet is simulated: no real model answers. ctrl-r looks for servers.";
        head.extend(page::wrapped(theme, Slot::Warning, says, cells, 0));
    }
    let wide = padded(area).width;
    let mut tail = lacking(theme, state, cells);
    tail.extend(one_slot(theme, state, cells));
    // What was asked gives way to what serves.
    let room = usize::from(area.height).saturating_sub(head.len() + state.endpoints().len() + tail.len() + 3);
    head.extend(told(theme, discovery, welcome.focus(), wide).into_iter().take(room));
    let endpoints = state.endpoints();
    let holds = head.len() + usize::from(!endpoints.is_empty()) + endpoints.len() + tail.len() + 2;
    let inside = padded(frame(theme, page::upper(area, holds as u16), &title, other, focus, buf));
    let columns = Columns::of(endpoints, inside.width);
    let heading = u16::from(
        !endpoints.is_empty() && inside.height > head.len() as u16 + endpoints.len() as u16 + tail.len() as u16,
    );
    let used = paint(inside, &head, buf);
    let rest = page::below(inside, used);
    let used = if heading == 1 { paint(rest, &[columns.heading(theme)], buf) } else { 0 };
    let rest = page::below(rest, used);
    let tail_rows = (tail.len() as u16).min(rest.height.saturating_sub(3));
    let list = page::upper(rest, rest.height - tail_rows);
    let rows: Vec<Line<'_>> = endpoints.iter().map(|e| columns.row(theme, e)).collect();
    if rows.len() > usize::from(list.height) && list.height > 0 {
        let shown = usize::from(list.height) - 1;
        paint(list, &rows[..shown], buf);
        let more = format!("{} {} more", theme.glyph(Glyph::Below), rows.len() - shown);
        paint(page::below(list, list.height - 1), &[Line::from(word(theme, Slot::Dim, more))], buf);
    } else {
        paint(list, &rows, buf);
    }
    let after = (rows.len() as u16).min(list.height);
    paint(page::below(rest, after), &tail[..usize::from(tail_rows)], buf);
}

/// How far the search is, while there is no fleet yet.
fn searching(theme: &Theme, discovery: &Discovery, state: &State) -> Option<Vec<Span<'static>>> {
    if discovery.search != Search::Asking || !state.endpoints().is_empty() {
        return None;
    }
    let (asked, of) = discovery.progress();
    let waits = theme.glyph(Glyph::Waiting);
    if of == 0 {
        return Some(vec![word(theme, Slot::Waiting, format!("{waits} asking the configured endpoints"))]);
    }
    let mut line = vec![word(theme, Slot::Waiting, format!("{waits} looking for model servers "))];
    line.extend(page::bar(theme, asked as f32 / of as f32, of.min(8)));
    line.push(word(theme, Slot::Dim, format!(" {asked} of {of} addresses")));
    Some(line)
}

/// The offer to keep what was found, and the machines that were asked, a line each.
fn told(theme: &Theme, discovery: &Discovery, focus: WelcomeFocus, cells: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    match &discovery.offer {
        Offer::None => {}
        Offer::Open => lines.push(Line::from(vec![
            word(theme, Slot::Text, "Found, not configured: "),
            word(theme, Slot::Key, if focus == WelcomeFocus::Fleet { "w" } else { "tab w" }),
            word(theme, Slot::KeyHint, " keeps it as a fleet file"),
        ])),
        Offer::Kept(path) => {
            let says = format!("Kept in {path}");
            let says = crate::domain::text::width::cut_end(&says, usize::from(cells).saturating_sub(2)).into_owned();
            lines.push(Line::from(word(theme, Slot::Dim, says)));
        }
    }
    let hosts = if discovery.is_worth_telling() { discovery.hosts.as_slice() } else { &[] };
    let names = hosts.iter().map(|host| width(&host.name)).max().unwrap_or(0).min(24);
    for host in hosts {
        let (slot, glyph) = match (host.asked < host.of, host.found.is_empty()) {
            (true, true) => (Slot::Waiting, Glyph::Waiting),
            (_, false) => (Slot::Done, Glyph::Done),
            (false, true) => (Slot::Dim, Glyph::SlotDown),
        };
        let says = match (host.asked < host.of, host.found.is_empty()) {
            (true, true) => format!("{} of {} asked", host.asked, host.of),
            (_, false) => host.found.iter().map(CleanText::as_str).collect::<Vec<_>>().join(", "),
            (false, true) => "no model server answers".to_owned(),
        };
        let room = usize::from(cells).saturating_sub(names + 5);
        lines.push(Line::from(vec![
            word(theme, slot, format!("{} ", theme.glyph(glyph))),
            word(theme, Slot::Text, cell(&host.name, names)),
            Span::raw(" "),
            word(theme, Slot::Dim, crate::domain::text::width::cut_end(&says, room).into_owned()),
        ]));
    }
    lines
}

/// How far probing is, and what it found.
fn summary(theme: &Theme, state: &State) -> Vec<Span<'static>> {
    let endpoints = state.endpoints();
    let (mut up, mut loading, mut down) = (0, 0, 0);
    for e in endpoints {
        match e.health {
            Health::Up => up += 1,
            Health::Loading => loading += 1,
            Health::Down { .. } => down += 1,
            Health::Unknown => {}
        }
    }
    let (known, all) = (up + loading + down, endpoints.len());
    if all == 0 {
        return vec![word(theme, Slot::Warning, "No fleet is configured yet; f starts a simulated one.")];
    }
    if known < all {
        let mut line = vec![word(theme, Slot::Waiting, format!("{} probing ", theme.glyph(Glyph::Waiting)))];
        line.extend(page::bar(theme, known as f32 / all as f32, all.min(12)));
        line.push(word(theme, Slot::Dim, format!(" {known} of {all} have answered or are given up")));
        return line;
    }
    let mut line = vec![word(theme, if up > 0 { Slot::Done } else { Slot::Warning }, format!("{up} of {all} answer"))];
    if loading > 0 {
        line.extend([dot(theme), word(theme, Slot::Waiting, format!("{loading} loading"))]);
    }
    if down > 0 {
        line.extend([dot(theme), word(theme, Slot::Dim, format!("{down} down"))]);
    }
    line.extend([dot(theme), word(theme, Slot::Text, page::plural(state.slots().1 as usize, "slot"))]);
    line
}

/// The tiers that agents go to and nothing serves or answers for.
fn lacking(theme: &Theme, state: &State, cells: u16) -> Vec<Line<'static>> {
    let probing = state.endpoints().iter().any(|e| e.health == Health::Unknown);
    let mut tiers: Vec<(&TierName, Vec<&AgentName>)> = Vec::new();
    for agent in &state.config.fleet.agents {
        let fallback = agent.fallback.as_ref().is_some_and(|t| !state.tier_is_down(t));
        if state.tier_is_down(&agent.tier) && !fallback && !probing {
            match tiers.iter_mut().find(|(t, _)| *t == &agent.tier) {
                Some((_, agents)) => agents.push(&agent.name),
                None => tiers.push((&agent.tier, vec![&agent.name])),
            }
        }
    }
    let mut lines = Vec::new();
    for (tier, agents) in tiers {
        let agents: Vec<&str> = agents.iter().map(|a| a.as_str()).collect();
        let text = format!("Nothing answers for the tier {tier}: tasks of {} will wait.", agents.join(", "));
        lines.extend(page::wrapped(theme, Slot::Warning, &text, cells, 0));
    }
    lines
}

/// How the first endpoint that answers one at a time could answer more, where no other answers more: the first use of a
/// console for many at once is one after another otherwise.
fn one_slot(theme: &Theme, state: &State, cells: u16) -> Vec<Line<'static>> {
    let up = || state.endpoints().iter().filter(|e| e.health == Health::Up);
    let serves =
        |e: &EndpointState| e.reported_slots.filter(|n| *n > 0).map_or(e.config.slots, |n| n.min(e.config.slots));
    if up().any(|e| serves(e) > 1) {
        return Vec::new();
    }
    let words = up().find_map(|e| wider(&e.config, serves(e), e.context(), e.shape, System::this()));
    words.map_or_else(Vec::new, |words| page::wrapped(theme, Slot::Dim, &words, cells, 0))
}

/// Which columns there is room for, and how wide they are.
struct Columns {
    cells: usize,
    title: usize,
    protocol: usize,
    model: usize,
    slots: usize,
    context: usize,
    tiers: usize,
}

/// Glyph, space and the longest health word.
const HEALTH: usize = 10;

impl Columns {
    fn of(endpoints: &[EndpointState], cells: u16) -> Self {
        let widest =
            |of: &dyn Fn(&EndpointState) -> usize, head: usize| endpoints.iter().map(of).max().unwrap_or(0).max(head);
        let mut room = usize::from(cells).saturating_sub(HEALTH);
        let mut take = |wanted: usize, least: usize| {
            let given = if room > least { wanted.min(room - 1) } else { 0 };
            room -= if given > 0 { given + 1 } else { 0 };
            given
        };
        let title = take(widest(&|e| width(e.config.title()), 8).min(22), 6);
        let slots = take(7, 7);
        let context = take(7, 7);
        let tiers = take(widest(&|e| width(&tiers(e)), 5).min(30), 8);
        let model = take(widest(&|e| width(&e.config.model), 5).min(30), 10);
        let protocol = take(9, 9);
        Self { cells: usize::from(cells), title, protocol, model, slots, context, tiers }
    }

    fn line(&self, theme: &Theme, health: (Slot, &str, &str), texts: [(&str, Slot); 6]) -> Line<'static> {
        let (slot, glyph, says) = health;
        let mut spans = vec![word(theme, slot, format!("{glyph} {}", cell(says, HEALTH - 2)))];
        let cells = [self.title, self.protocol, self.model, self.slots, self.context, self.tiers];
        for (i, ((text, slot), cells)) in texts.into_iter().zip(cells).enumerate() {
            if cells > 0 {
                let text = if matches!(i, 3 | 4) { cell_right(text, cells) } else { cell(text, cells) };
                spans.extend([word(theme, slot, text), Span::raw(" ")]);
            }
        }
        Line::from(spans)
    }

    fn heading(&self, theme: &Theme) -> Line<'static> {
        let d = Slot::Dim;
        let names = [("endpoint", d), ("protocol", d), ("model", d), ("slots", d), ("context", d), ("tiers", d)];
        self.line(theme, (d, " ", "state"), names)
    }

    fn row(&self, theme: &Theme, e: &EndpointState) -> Line<'static> {
        let health = match &e.health {
            Health::Unknown => (Slot::Waiting, theme.glyph(Glyph::Waiting), "probing"),
            Health::Up => (Slot::Done, theme.glyph(Glyph::Done), "up"),
            Health::Loading => (Slot::Warning, theme.glyph(Glyph::Waiting), "loading"),
            Health::Down { .. } => (Slot::Dropped, theme.glyph(Glyph::SlotDown), "down"),
        };
        let title = CleanText::new(e.config.title());
        if let Health::Down { reason } = &e.health {
            let all = self.cells.saturating_sub(HEALTH + self.title + 1);
            let reason = crate::domain::text::width::cut_end(reason, all).into_owned();
            return Line::from(vec![
                word(theme, health.0, format!("{} {}", health.1, cell(health.2, HEALTH - 2))),
                word(theme, Slot::Dim, cell(&title, self.title)),
                Span::raw(" "),
                word(theme, Slot::Dim, reason),
            ]);
        }
        let slots = match e.reported_slots {
            Some(n) if n != e.config.slots => format!("{n} of {}", e.config.slots),
            _ => e.config.slots.to_string(),
        };
        let protocol = match e.config.protocol {
            Protocol::LlamaCpp => "llama.cpp",
            Protocol::Ollama => "ollama",
            Protocol::OpenAi => "openai",
            Protocol::Command => "command",
        };
        let fewer = e.reported_slots.is_some_and(|n| n < e.config.slots);
        self.line(
            theme,
            health,
            [
                (&title, Slot::Strong),
                (protocol, Slot::Dim),
                (&CleanText::new(&e.config.model), Slot::Text),
                (&slots, if fewer { Slot::Warning } else { Slot::Text }),
                (&context(e.context()), Slot::Text),
                (&tiers(e), Slot::Dim),
            ],
        )
    }
}

fn tiers(e: &EndpointState) -> String {
    e.config.tiers.iter().map(TierName::as_str).collect::<Vec<_>>().join(", ")
}

fn context(tokens: u32) -> String {
    if tokens >= 1024 { format!("{}k", tokens / 1024) } else { tokens.to_string() }
}
