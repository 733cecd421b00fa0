//! A report as Markdown (GitHub's kind), for people.
//!
//! Invariants: text from outside can't leave its cell or open markup of its own; an answer, which is Markdown itself,
//! stands in a quote and ends where the quote ends; a table has as many cells in each row as in its head.

use std::fmt::Write as _;

use super::{EndpointLine, GoalLine, Overall, Report, pace_words};
use crate::domain::state::dollars;

/// Writes a report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut out = Page(String::new());
    out.head(report);
    for goal in &report.goals {
        out.goal(goal, report.goals.len());
    }
    out.figures(report);
    out.tables(report);
    out.people(report);
    out.0
}

struct Page(String);

/// `12.3 s`, `4 min 12 s`, `1 h 04 min`.
pub(super) fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

fn clock(seconds: f64) -> String {
    let whole = seconds as u64;
    let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m:02}:{s:02}") }
}

/// What was saved against one at a time, and how many times faster that is.
fn saved(m: &Overall) -> String {
    match pace_words(m.work.speed_up) {
        Some((times, how)) => format!("{}, ×{times} {how}", percent(m.saved)),
        None => percent(m.saved),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn rate(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |s| format!("{:.1} %", s * 100.0))
}

/// Text from outside on one line: nothing in it means anything to Markdown.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    // What makes a list, a heading or a rule does so at the beginning only.
    let mut beginning = true;
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_whitespace() || c.is_control() {
            space = true;
            beginning = false;
            continue;
        }
        if std::mem::take(&mut space) {
            out.push(' ');
        }
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '>' | '$' => out.extend(['\\', c]),
            '#' | '+' | '-' | '=' if out.is_empty() => out.extend(['\\', c]),
            '.' | ')' if beginning && chars.peek().is_none_or(|next| next.is_whitespace()) => out.extend(['\\', c]),
            c => out.push(c),
        }
        beginning &= c.is_ascii_digit();
    }
    out
}

/// Markdown from outside, whole, in a quote: what it opens ends with the quote.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::new();
    for line in text.trim().split('\n') {
        let line = line.trim_end_matches('\r');
        let _ = writeln!(out, "> {line}");
    }
    out
}

impl Page {
    fn line(&mut self, text: impl AsRef<str>) {
        self.0.push_str(text.as_ref());
        self.0.push('\n');
    }

    fn heading(&mut self, text: &str) {
        let _ = write!(self.0, "\n## {text}\n\n");
    }

    /// A table of cells that are Markdown already; none when there are no rows.
    fn table<const N: usize>(&mut self, head: [&str; N], right: &[usize], rows: Vec<[String; N]>) {
        self.line(format!("| {} |", head.join(" | ")));
        let rule: Vec<&str> = (0..N).map(|i| if right.contains(&i) { "---:" } else { "---" }).collect();
        self.line(format!("| {} |", rule.join(" | ")));
        for row in rows {
            self.line(format!("| {} |", row.join(" | ")));
        }
    }

    fn head(&mut self, report: &Report) {
        self.line(format!("# Session {}", plain(&report.session)));
        self.line("");
        let standing = match report.standing {
            "empty" => "It was never given a goal.".to_owned(),
            "unfinished" => "**Unfinished**: what remains stands at the end.".to_owned(),
            other => format!("**{}**.", capital(other)),
        };
        self.line(standing);
        if report.simulated {
            self.line("\n**SIMULATED**: no real model answered; Baton's own simulated fleet did.");
        }
        if let Some(parent) = &report.parent {
            self.line(format!(
                "\nA fork of {} after its record {}: what stands before that is the parent's.",
                plain(parent.parent.as_str()),
                parent.seq
            ));
        }
        if let Some(damage) = &report.damage {
            self.line(format!("\n**Damaged**: {}. This report is of what stands before that.", plain(damage)));
        }
        let [first, again @ ..] = report.lives.as_slice() else { return };
        let on = if first.host.is_empty() { String::new() } else { format!(" on {}", plain(&first.host)) };
        self.line(format!("\nBegan {}{on}, Baton {}.", first.began, plain(&first.version)));
        for life in again {
            self.line(format!(
                "\nInterrupted at {} and taken up again {} by Baton {}.",
                clock(life.seconds),
                life.began,
                plain(&life.version)
            ));
        }
    }

    fn goal(&mut self, goal: &GoalLine, goals: usize) {
        if goals == 1 {
            self.heading("Goal");
        } else {
            self.heading(&format!("Goal {}", goal.id));
        }
        self.0.push_str(&quote(&plain_lines(&goal.text)));
        self.line(format!(
            "\nOutcome: {}.",
            if goal.outcome == "draft" { "a draft that waits for review" } else { goal.outcome }
        ));
        if !goal.repairs.is_empty() {
            self.line("\nMended in the model's plan:\n");
            for repair in &goal.repairs {
                self.line(format!("- {}", plain(repair)));
            }
        }
        if let Some(answer) = &goal.answer {
            self.line("\n### Answer\n");
            self.0.push_str(&quote(answer));
        }
        if let Some(cut) = goal.cut {
            self.line(format!("\nThe answer was {cut}: its end is missing."));
        }
        if let Some(voice) = &goal.voice {
            self.line("\n### To be spoken\n");
            self.0.push_str(&quote(voice));
        }
    }

    fn figures(&mut self, report: &Report) {
        let m = &report.metrics;
        self.heading("Figures");
        if m.attempts == 0 {
            self.line("Nothing has run.");
            return;
        }
        let bound = &m.bound;
        let mut rows = vec![
            ["Time from the first attempt's start to the last one's end".to_owned(), span(m.work.seconds)],
            ["Time the session was open".to_owned(), span(m.open_seconds)],
            ["One at a time (estimate: the sum of the attempts' times)".to_owned(), span(m.work.sequential_seconds)],
            ["Saved against that estimate".to_owned(), saved(m)],
            [
                "Best possible with these times (lower bound)".to_owned(),
                format!(
                    "{} (longest chain {}, fullest pool {})",
                    span(bound.seconds),
                    span(bound.critical_path_seconds),
                    span(bound.slot_seconds)
                ),
            ],
            ["Time ÷ lower bound".to_owned(), m.times_bound.map_or_else(|| "–".to_owned(), |t| format!("{t:.2}"))],
            ["Tasks".to_owned(), format!("{} done of {}, {} failed, {} dropped", m.done, m.tasks, m.failed, m.dropped)],
            ["Attempts".to_owned(), format!("{}, {} of those judged ended well", m.attempts, rate(m.success_rate))],
            ["Widest".to_owned(), format!("{} at once", m.work.widest)],
            ["Slot time used".to_owned(), percent(m.work.utilisation)],
            [
                "Tokens".to_owned(),
                format!(
                    "{} generated, {} prompt, {:.1} a second",
                    m.work.output_tokens, m.prompt_tokens, m.tokens_per_second
                ),
            ],
            ["Tasks an hour".to_owned(), format!("{:.0}", m.tasks_per_hour)],
        ];
        rows.extend(m.work.cost_usd.map(|usd| ["Cost".to_owned(), dollars(usd)]));
        self.table(["Figure", "Value"], &[], rows);
    }

    fn tables(&mut self, report: &Report) {
        if report.phases.iter().any(|p| p.seconds > 0.0) {
            self.heading("Phases");
            let many = report.goals.len() > 1;
            let row = |p: &super::PhaseLine| {
                let name = if p.name.is_empty() { "(no phase)".to_owned() } else { plain(&p.name) };
                [
                    if many { format!("{}/{name}", p.goal) } else { name },
                    p.tasks.to_string(),
                    p.done.to_string(),
                    p.failed.to_string(),
                    span(p.seconds),
                    span(p.sequential_seconds),
                    p.widest.to_string(),
                    percent(p.efficiency),
                ]
            };
            let head = ["Phase", "Tasks", "Done", "Failed", "Time", "One at a time", "Widest", "Efficiency"];
            self.table(head, &[1, 2, 3, 4, 5, 6, 7], report.phases.iter().map(row).collect());
        }
        if !report.agents.is_empty() {
            self.heading("Agents");
            let row = |a: &super::AgentLine| {
                [
                    plain(&a.name),
                    a.tasks.to_string(),
                    a.attempts.to_string(),
                    rate(a.success_rate),
                    a.tokens.to_string(),
                    span(a.seconds),
                ]
            };
            let head = ["Agent", "Tasks", "Attempts", "Ended well", "Tokens", "Time"];
            self.table(head, &[1, 2, 3, 4, 5], report.agents.iter().map(row).collect());
        }
        let used: Vec<&EndpointLine> = report.endpoints.iter().filter(|e| e.attempts > 0).collect();
        if !used.is_empty() {
            self.heading("Endpoints");
            let figure = |f: Option<f64>, unit: &str| f.map_or_else(|| "–".to_owned(), |f| format!("{f:.1}{unit}"));
            let row = |e: &&EndpointLine| {
                [
                    plain(&e.name),
                    plain(&e.model),
                    e.slots.to_string(),
                    e.attempts.to_string(),
                    e.failures.to_string(),
                    percent(e.busy),
                    figure(e.tokens_per_second, ""),
                    figure(e.first_token_seconds, " s"),
                    e.tokens.to_string(),
                ]
            };
            let head =
                ["Endpoint", "Model", "Slots", "Attempts", "Failed", "Busy", "Tokens/s", "First token", "Tokens"];
            self.table(head, &[2, 3, 4, 5, 6, 7, 8], used.iter().map(row).collect());
            let idle = report.endpoints.len() - used.len();
            if idle > 0 {
                self.line(format!("\n{idle} more {} no attempt.", if idle == 1 { "had" } else { "have had" }));
            }
        }
        if !report.deliverables.is_empty() {
            self.heading("Deliverables");
            let row = |d: &super::Deliverable| {
                let mark = match (d.edited, d.out_of_date) {
                    (true, true) => " (put in by hand, out of date)",
                    (true, false) => " (put in by hand)",
                    (false, true) => " (out of date)",
                    (false, false) => "",
                };
                let cut = d.cut.map(|cut| format!(" ({cut})")).unwrap_or_default();
                [format!("{}{mark}{cut}", plain(&d.title)), plain(&d.agent), d.bytes.to_string(), plain(&d.first_line)]
            };
            self.table(["Task", "Agent", "Bytes", "Begins"], &[2], report.deliverables.iter().map(row).collect());
        }
        if !report.attempts.is_empty() {
            self.heading("Attempts");
            let row = |a: &super::AttemptLine| {
                [
                    clock(a.started),
                    plain(&a.title),
                    a.number.to_string(),
                    plain(&a.endpoint),
                    a.level.to_owned(),
                    span(a.seconds),
                    a.tokens.to_string(),
                    a.cut.map_or_else(|| a.end.to_owned(), |cut| format!("{}, {cut}", a.end)),
                ]
            };
            let head = ["At", "Task", "Try", "Endpoint", "Level", "Time", "Tokens", "Ended"];
            self.table(head, &[0, 2, 5, 6], report.attempts.iter().map(row).collect());
        }
        if !report.failures.is_empty() {
            self.heading("Failures");
            let row = |f: &super::FailureLine| {
                [plain(&f.title), f.number.to_string(), plain(&f.endpoint), plain(&f.reason), plain(&f.then)]
            };
            self.table(["Task", "Try", "Endpoint", "Why", "Then"], &[1], report.failures.iter().map(row).collect());
        }
        if !report.fits.is_empty() {
            self.heading("What did not fit");
            let row = |f: &super::FitLine| [plain(&f.title), f.number.to_string(), plain(&f.endpoint), plain(&f.what)];
            self.table(["Task", "Try", "Endpoint", "What"], &[1], report.fits.iter().map(row).collect());
        }
    }

    fn people(&mut self, report: &Report) {
        if !report.commands.is_empty() {
            self.heading("What was asked for");
            let row = |c: &super::CommandLine| {
                let came = c.refused.as_ref().map_or_else(|| "done".to_owned(), |r| format!("refused: {}", plain(r)));
                [clock(c.seconds), plain(&c.author), plain(&c.what), came]
            };
            self.table(["At", "By", "What", "Came to"], &[0], report.commands.iter().map(row).collect());
        }
        if !report.edits.is_empty() {
            self.heading("Changes of the plan");
            let row = |e: &super::EditLine| {
                let lists = [("added", &e.added), ("changed", &e.changed), ("taken out", &e.removed)];
                let mut what: Vec<String> =
                    lists.iter().filter(|(_, list)| !list.is_empty()).map(|(word, list)| names(word, list)).collect();
                if !e.kind.is_empty() {
                    what.insert(0, plain(&e.kind));
                }
                [clock(e.seconds), e.goal.clone(), e.revision.to_string(), plain(&e.author), what.join("; ")]
            };
            let head = ["At", "Goal", "Revision", "By", "What"];
            self.table(head, &[0, 2], report.edits.iter().map(row).collect());
        }
        if !report.remains.is_empty() {
            self.heading("What remains");
            let row = |r: &super::RemainLine| [plain(&r.title), r.status.to_owned(), plain(&r.why)];
            self.table(["Task", "Status", "Why"], &[], report.remains.iter().map(row).collect());
        }
    }
}

/// Names in a cell: the first few, and how many more.
fn names(word: &str, list: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = list.iter().take(SHOWN).map(|n| plain(n)).collect();
    let more = list.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{word} {}{more}", shown.join(", "))
}

/// Each line plain, the lines kept.
pub(super) fn plain_lines(text: &str) -> String {
    text.trim().lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
