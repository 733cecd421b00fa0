//! Reports of a recorded session: a plan of six tasks on the simulated fleet, with a retry, a failure and words that mean
//! something to Markdown.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Report, Story, Wanted, markdown, transcript};

/// The recorded session.
fn recorded() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journals/two-parsers.jsonl");
    std::fs::read_to_string(path).unwrap()
}

/// A session of the first `records` records of it, and then these bytes.
fn read(records: usize, tail: &str, wanted: Wanted) -> Story {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let text: String = recorded().split_inclusive('\n').take(records + 1).collect();
    std::fs::write(&path, text + tail).unwrap();
    Story::read(&path, wanted).unwrap()
}

fn whole(wanted: Wanted) -> Story {
    read(usize::MAX - 1, "", wanted)
}

/// How many cells each row of each table has, and the headings, as a reader of GitHub's Markdown sees them.
fn seen(text: &str) -> (Vec<Vec<usize>>, Vec<String>) {
    let (mut tables, mut headings) = (Vec::new(), Vec::new());
    let (mut cells, mut heading) = (0, None::<String>);
    let mut quotes = 0;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::BlockQuote(_)) => quotes += 1,
            Event::End(TagEnd::BlockQuote(_)) => quotes -= 1,
            // What an answer holds is its own.
            _ if quotes > 0 => {}
            Event::Start(Tag::Table(_)) => tables.push(Vec::new()),
            Event::Start(Tag::TableCell) => cells += 1,
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => {
                tables.last_mut().unwrap().push(std::mem::take(&mut cells));
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => headings.extend(heading.take()),
            Event::Text(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::Html(html) | Event::InlineHtml(html) => panic!("outside text made HTML: {html}"),
            _ => {}
        }
    }
    (tables, headings)
}

#[test]
fn a_report_for_people() {
    let report = Report::of(&whole(Wanted::Results));
    insta::assert_snapshot!("report.md", markdown(&report));
}

#[test]
fn a_report_for_programs_keeps_its_form() {
    let report = Report::of(&whole(Wanted::Results));
    insta::assert_snapshot!("report.json", serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn the_transcript_has_every_prompt_and_answer() {
    let text = transcript(&whole(Wanted::All));
    insta::assert_snapshot!("transcript.md", text);
    seen(&text);
}

#[test]
fn the_figures_agree_with_each_other() {
    let report = Report::of(&whole(Wanted::Results));
    let m = &report.metrics;
    assert!(m.bound.seconds <= m.work.seconds && m.work.seconds <= m.work.sequential_seconds);
    // The screen of a goal's end says it of one goal, the report of all.
    let state = whole(Wanted::Results).state;
    let (wall, one_at_a_time) = state.spent_by(crate::domain::protocol::GoalId(1), state.at);
    let said = [wall, one_at_a_time].map(|t| super::figures::rounded(t.secs_f64()));
    assert_eq!(said, [m.work.seconds, m.work.sequential_seconds]);
    assert!(m.times_bound.is_some_and(|t| t >= 1.0));
    assert_eq!(m.attempts as usize, report.attempts.len());
    assert_eq!(report.agents.iter().map(|a| a.attempts).sum::<u32>(), m.attempts);
    assert_eq!(report.endpoints.iter().map(|e| e.attempts).sum::<u32>(), m.attempts);
    assert_eq!(report.endpoints.iter().map(|e| e.tokens).sum::<u64>(), m.work.output_tokens);
    assert_eq!(report.phases.iter().map(|p| p.tasks).sum::<u32>(), m.tasks);
    let retried: Vec<_> = report.failures.iter().map(|f| f.then.as_str()).collect();
    assert_eq!(retried, ["try 2 on Qwen 32B Q8", "the task failed"]);
    assert_eq!(report.remains.iter().map(|r| r.status).collect::<Vec<_>>(), ["failed", "skipped"]);
    assert!(report.goals[0].answer.as_ref().is_some_and(|a| a.contains("SIMULATED")));
}

#[test]
fn words_from_outside_leave_no_cell_and_open_no_heading() {
    let (tables, headings) = seen(&markdown(&Report::of(&whole(Wanted::Results))));
    assert!(tables.len() >= 8);
    for table in &tables {
        assert!(table.len() > 1 && table.iter().all(|cells| *cells == table[0]), "{table:?}");
    }
    let known = [
        "Session 20261120-192323",
        "Goal",
        "Answer",
        "Figures",
        "Phases",
        "Agents",
        "Endpoints",
        "Deliverables",
        "Attempts",
        "Failures",
        "What was asked for",
        "Changes of the plan",
        "What remains",
    ];
    assert_eq!(headings, known);
}

#[test]
fn any_beginning_of_a_session_has_a_report() {
    let records = recorded().lines().count() - 1;
    for n in (0..records).step_by(7) {
        let story = read(n, "", Wanted::All);
        let report = Report::of(&story);
        let (tables, _) = seen(&markdown(&report));
        assert!(tables.iter().all(|t| t.iter().all(|cells| *cells == t[0])), "after {n} records");
        seen(&transcript(&story));
        assert_eq!(report.metrics.done as usize + report.remains.len(), report.metrics.tasks as usize, "after {n}");
    }
    let begun = Report::of(&read(60, "", Wanted::Results));
    assert_eq!(begun.standing, "unfinished");
}

#[test]
fn a_torn_end_is_no_damage_and_damage_is_told() {
    let torn = Report::of(&read(60, "{\"seq\":61,\"at\":", Wanted::Results));
    assert_eq!(torn.damage, None);
    let damaged = Report::of(&read(60, "not a record\n", Wanted::Results));
    assert!(damaged.damage.as_ref().is_some_and(|d| d.contains("line 62")), "{:?}", damaged.damage);
    assert!(markdown(&damaged).contains("**Damaged**"));
}

#[test]
fn what_means_something_to_markdown_is_escaped() {
    assert_eq!(super::markdown::plain("a | b `c` <i> *x* [l](u) $y$"), r"a \| b \`c\` &lt;i\> \*x\* \[l\](u) \$y\$");
    assert_eq!(super::markdown::plain("# x"), r"\# x");
    assert_eq!(super::markdown::plain("12. x - y"), r"12\. x - y");
    assert_eq!(super::markdown::plain("two\nlines\u{7}"), "two lines");
    assert_eq!(super::markdown::quote("```\nopen"), "> ```\n> open\n");
}

#[test]
fn a_report_of_a_session_that_runs_leaves_open_what_it_can_t_know() {
    let story = read(60, "", Wanted::Results);
    let text = markdown(&Report::of(&story).running(&story.state));
    let row = |name: &str| text.lines().find(|line| line.starts_with(&format!("| {name}"))).unwrap_or_default();
    for figure in ["Saved", "Best possible", "Time ÷"] {
        assert!(row(figure).ends_with("| not known before its end |"), "{}", row(figure));
    }
    for figure in ["Time from", "One at a time", "Tasks |", "Attempts", "Slot time"] {
        assert!(row(figure).ends_with(" so far |"), "{figure}: {}", row(figure));
    }
    assert!(text.contains("It **runs**"), "{text}");
}

#[test]
fn a_failure_is_told_on_one_page_to_somebody_who_was_not_there() {
    let story = whole(Wanted::All);
    let report = Report::of(&story);
    let failed = report.failures.first().unwrap();
    let page = super::failure(&story, &failed.task).unwrap();
    seen(&page);
    let task = story.state.tasks().iter().find(|t| t.id.to_string() == failed.task).unwrap();
    for part in ["## What was asked", "### 1 · ", "baton resume", "SIMULATED", task.spec.agent.as_str()] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let tries = task.attempts.len();
    assert_eq!(page.matches("\n### ").count(), tries);
    assert!(page.contains(&format!("Then: {}.", failed.then)), "{page}");
    assert_eq!(super::failure(&story, "nothing like it"), None);
    let name = failed.task.split('/').nth(1).unwrap();
    assert_eq!(super::failure(&story, name).as_ref(), Some(&page));
}
