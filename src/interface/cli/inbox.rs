//! `baton inbox`: all that waits for a person in every session, the oldest first; in a terminal answered line by line.
//!
//! Needs no control of a session. Not here: what needs the operator (`State::attention`), one question by its task
//! (`answer`). Invariants: what is printed can be read whole at 46 columns; what was typed is given to the very entry that
//! was listed, never to one that took its number since.

use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::args::{Form, Global};
use super::attach::{given, reach};
use super::error::{CliError, Exit};
use super::narrow::{PHONE, hang};
use super::print::Printer;
use super::session::{configuration, runtime};
use crate::config::Config;
use crate::domain::protocol::{
    Command, GoalId, MemoryCheck, Micros, Partial, RetryScope, ServerVerb, SessionId, StopScope, Subject, TaskId,
};
use crate::domain::state::Gear;
use crate::domain::text::CleanText;
use crate::engine::journal::{Sessions, Standing};
use crate::interface::remote::{Call, SessionInfo};

/// Sessions that were set down are listed for so long: what is older is history.
const RECENT: Duration = Duration::from_secs(14 * 86_400);

/// As many of them at most; the rest is counted.
const MOST_SET_DOWN: usize = 9;

/// As much of a session's state as what waits in it needs.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    #[serde(default)]
    at: Micros,
    gear: Option<Gear>,
    #[serde(default)]
    simulated: bool,
    goals: Vec<SeenGoal>,
    #[serde(default)]
    attention: Vec<SeenAttention>,
}

#[derive(Debug, Deserialize)]
struct SeenGoal {
    id: GoalId,
    text: CleanText,
    tasks: Vec<SeenTask>,
}

/// A task as `GET /v1/state` says it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SeenTask {
    /// The task.
    pub(crate) id: TaskId,
    /// Its title.
    pub(crate) title: CleanText,
    /// Its status in a word.
    #[serde(default)]
    pub(crate) status: String,
    /// What it asks.
    #[serde(default)]
    pub(crate) question: Option<CleanText>,
    /// What it offers.
    #[serde(default)]
    pub(crate) choices: Vec<CleanText>,
}

#[derive(Debug, Deserialize)]
struct SeenAttention {
    /// Absent in a session of an older Baton.
    #[serde(default)]
    subject: Option<Subject>,
    since: Micros,
    text: CleanText,
}

impl Seen {
    /// The tasks that ask.
    pub(crate) fn asking(&self) -> Vec<SeenTask> {
        let tasks = self.goals.iter().flat_map(|g| &g.tasks);
        tasks.filter(|t| t.question.is_some()).cloned().collect()
    }

    fn task(&self, id: &TaskId) -> Option<&SeenTask> {
        self.goals.iter().flat_map(|g| &g.tasks).find(|t| t.id == *id)
    }
}

/// Something that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Entry {
    session: SessionId,
    goal: String,
    /// `question`, `plan`, `memory`, `failure`, `held`, `paused`, `server`, `note`, `set down`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskId>,
    title: String,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<String>,
    /// For how long it waits, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_seconds: Option<u64>,
    simulated: bool,
    /// What can be typed for it here, in words.
    #[serde(skip)]
    says: String,
    /// The command line that answers it.
    answer_with: String,
    #[serde(skip)]
    about: About,
}

/// What an answer acts on.
#[derive(Clone, Debug, PartialEq)]
enum About {
    Subject(Subject),
    Held(TaskId),
    Paused,
    /// It does not run.
    Away,
}

/// Lists what waits, and takes answers where somebody types.
///
/// # Errors
/// [`CliError`].
pub(crate) fn inbox(wish: Option<&str>, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    runtime()?.block_on(async {
        let reached = reach(&config, wish, given(global), printer).await?;
        let mut entries = Vec::new();
        for (call, info) in &reached {
            match call.get::<Seen>("/v1/state").await {
                Ok(seen) => entries.extend(entries_of(info, &seen)),
                Err(error) => printer.words(&format!("{}: {error}", info.session)),
            }
        }
        let left_out = if wish.is_none() { set_down(&config, &reached, &mut entries)? } else { 0 };
        // The oldest first; what has no time last.
        entries.sort_by_key(|e| std::cmp::Reverse(e.waits_seconds));
        match global.form() {
            Form::Json => printer.json(&entries),
            Form::JsonLines => {
                for entry in &entries {
                    printer.data_line(&serde_json::to_string(entry).unwrap_or_default());
                }
            }
            Form::Words => {
                let columns = printer.columns().unwrap_or(PHONE);
                list(&entries, columns).iter().for_each(|line| printer.data_line(line));
                if left_out > 0 {
                    printer.words(&format!("{left_out} more that were set down: `baton sessions unfinished`"));
                }
                if entries.is_empty() {
                    printer.words("nothing waits for you");
                } else if std::io::stdin().is_terminal() && printer.data_on_terminal() && !global.read_only {
                    converse(&entries, &reached, global, printer).await?;
                }
            }
        }
        Ok(Exit::Done)
    })
}

fn entries_of(info: &SessionInfo, seen: &Seen) -> Vec<Entry> {
    let session = &info.session;
    let goal_text = |id: Option<GoalId>| {
        let of = id.and_then(|id| seen.goals.iter().find(|g| g.id == id)).or(seen.goals.last());
        of.map(|g| g.text.to_one_line().to_string()).unwrap_or_default()
    };
    let base = |about: About, kind, task: Option<&TaskId>, since: Option<Micros>| Entry {
        session: session.clone(),
        goal: goal_text(task.map(|t| t.goal)),
        kind,
        task: task.cloned(),
        title: task.and_then(|t| seen.task(t)).map(|t| t.title.to_string()).unwrap_or_default(),
        text: String::new(),
        choices: Vec::new(),
        waits_seconds: since.map(|since| seen.at.since(since).0 / 1_000_000),
        simulated: seen.simulated,
        says: String::new(),
        answer_with: String::new(),
        about,
    };
    let asking = seen.asking().len();
    let mut entries = Vec::new();
    for raised in &seen.attention {
        let Some(subject) = &raised.subject else { continue };
        let about = About::Subject(subject.clone());
        let of = |kind, says: &str, with: String| Entry {
            text: raised.text.to_string(),
            says: says.to_owned(),
            answer_with: with,
            ..base(about.clone(), kind, subject.task(), Some(raised.since))
        };
        let ctl = |command: String| format!("baton ctl --session {session} {command}");
        let dismiss = ctl(format!("raw '{}'", raw(&Command::Dismiss(subject.clone()))));
        entries.push(match subject {
            Subject::Question(task) => {
                let Some(asked) = seen.task(task) else { continue };
                let which = if asking > 1 { format!(" --task {task}") } else { String::new() };
                let says = if asked.choices.is_empty() { "your words" } else { "a choice's number, or your words" };
                Entry {
                    text: asked.question.clone().unwrap_or_default().to_string(),
                    choices: asked.choices.iter().map(ToString::to_string).collect(),
                    ..of("question", says, format!("baton answer {session}{which} --text …"))
                }
            }
            Subject::Review(goal) => of("plan", "y lets it run, n stops it", ctl(format!("approve {goal}"))),
            Subject::Memory(goal) => of("memory", "y starts it all the same", ctl(format!("force {goal}"))),
            Subject::Task(task) => {
                of("failure", "r tries it anew, d takes it off the list", ctl(format!("retry {task}")))
            }
            Subject::Server(endpoint) => {
                of("server", "r starts it, d takes it off the list", ctl(format!("server start {endpoint}")))
            }
            // It goes when the cause does.
            Subject::Journal => of("note", "", String::new()),
            _ => of("note", "d takes it off the list", dismiss),
        });
    }
    for task in seen.goals.iter().flat_map(|g| &g.tasks).filter(|t| t.status == "held") {
        entries.push(Entry {
            text: "is held".to_owned(),
            says: "y lets it go on".to_owned(),
            answer_with: format!("baton ctl --session {session} release {}", task.id),
            ..base(About::Held(task.id.clone()), "held", Some(&task.id), None)
        });
    }
    if seen.gear == Some(Gear::Paused) && info.open > 0 {
        entries.push(Entry {
            text: "the session is paused: nothing new starts".to_owned(),
            says: "y lets it go on".to_owned(),
            answer_with: format!("baton ctl --session {session} resume"),
            ..base(About::Paused, "paused", None, None)
        });
    }
    entries
}

fn raw(command: &Command) -> String {
    serde_json::to_string(command).unwrap_or_default()
}

/// Adds the sessions that no process has and that are not done. How many there are beyond those.
fn set_down(config: &Config, running: &[(Call, SessionInfo)], entries: &mut Vec<Entry>) -> Result<usize, CliError> {
    let sessions = Sessions::new(&config.paths.sessions);
    let halt = crate::engine::journal::Halt::default();
    let mut found = 0;
    for mut glance in sessions.glance()? {
        let age = glance.modified.elapsed().unwrap_or_default();
        let runs = glance.runner.is_some() || running.iter().any(|(_, info)| info.session == glance.id);
        if runs || age > RECENT {
            continue;
        }
        if !glance.is_fresh {
            glance.summary = sessions.summarise(&glance, &halt)?;
        }
        let Some(summary) = glance.summary.filter(|s| s.standing == Standing::Unfinished) else { continue };
        found += 1;
        if found > MOST_SET_DOWN {
            continue;
        }
        entries.push(Entry {
            goal: summary.goal.to_one_line().to_string(),
            kind: "set down",
            task: None,
            title: String::new(),
            text: format!("does not run; {} of {} tasks are done", summary.tasks.done, summary.tasks.total),
            choices: Vec::new(),
            waits_seconds: Some(age.as_secs()),
            simulated: summary.simulated,
            says: String::new(),
            answer_with: format!("baton resume {}", glance.id),
            about: About::Away,
            session: glance.id,
        });
    }
    Ok(found.saturating_sub(MOST_SET_DOWN))
}

/// The entries, each whole.
fn list(entries: &[Entry], columns: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut last: Option<&SessionId> = None;
    for (n, entry) in (1..).zip(entries) {
        if last.replace(&entry.session) != Some(&entry.session) {
            let mark = if entry.simulated { " SIMULATED" } else { "" };
            out.extend(hang("", &format!("{}{mark} {}", entry.session, entry.goal), columns));
        }
        let waits = entry.waits_seconds.map_or_else(String::new, |s| format!(" · {}", waited(s)));
        let title = if entry.title.is_empty() { String::new() } else { format!(" · {}", entry.title) };
        let lead = format!("{n:>2} ");
        out.extend(hang(&lead, &format!("{}{title}{waits}", entry.kind), columns));
        out.extend(hang("   ", &entry.text, columns));
        for (choice, text) in (1..).zip(&entry.choices) {
            out.extend(hang(&format!("   {choice}  "), text, columns));
        }
        if !entry.answer_with.is_empty() {
            out.extend(hang("   → ", &entry.answer_with, columns));
        }
    }
    out
}

fn waited(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Takes answers, a line each, until an empty one.
async fn converse(
    entries: &[Entry],
    reached: &[(Call, SessionInfo)],
    global: &Global,
    printer: &mut Printer,
) -> Result<(), CliError> {
    printer.words("answer with a number and what you say, as in: 1 2   2 y   3 use the other one (enter ends)");
    loop {
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            return Ok(());
        }
        let (number, said) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let number = number.trim_end_matches(':').parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let Some(entry) = number.and_then(|n| entries.get(n)) else {
            printer.words("begin with the number of an entry");
            continue;
        };
        match order(entry, said.trim()) {
            Ok(command) => {
                let Some((call, _)) = reached.iter().find(|(_, info)| info.session == entry.session) else { continue };
                match call.command(None, &command, None).await {
                    Ok((verdict, id)) => {
                        super::ctl::answer(&command, &verdict, id.as_str(), global, printer);
                    }
                    Err(error) => printer.words(&error.to_string()),
                }
            }
            Err(words) => printer.words(&words),
        }
    }
}

/// What a line typed for an entry asks for.
fn order(entry: &Entry, said: &str) -> Result<Command, String> {
    let wrong = || {
        let says = if entry.says.is_empty() { "nothing can be said to it here" } else { &entry.says };
        let with = if entry.answer_with.is_empty() { String::new() } else { format!("; or: {}", entry.answer_with) };
        format!("{}: {says}{with}", entry.kind)
    };
    let yes = matches!(said.to_lowercase().as_str(), "y" | "yes");
    let no = matches!(said.to_lowercase().as_str(), "n" | "no");
    match &entry.about {
        About::Subject(Subject::Question(task)) if !said.is_empty() => {
            let number = said.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            let text = number.and_then(|n| entry.choices.get(n)).cloned().unwrap_or_else(|| said.to_owned());
            Ok(Command::Answer { task: task.clone(), text })
        }
        About::Subject(Subject::Review(goal)) if yes => Ok(Command::Approve(*goal)),
        About::Subject(Subject::Review(goal)) if no => {
            Ok(Command::Stop { scope: StopScope::Goal(*goal), partial: Partial::Kept })
        }
        About::Subject(Subject::Memory(goal)) if yes => Ok(Command::Force(*goal)),
        About::Subject(Subject::Task(task)) if said == "r" || yes => Ok(Command::Retry(RetryScope::Task(task.clone()))),
        About::Subject(Subject::Server(endpoint)) if said == "r" || yes => {
            Ok(Command::Server { endpoint: endpoint.clone(), verb: ServerVerb::Start, memory: MemoryCheck::Heed })
        }
        About::Subject(Subject::Question(_) | Subject::Review(_) | Subject::Memory(_) | Subject::Journal) => {
            Err(wrong())
        }
        About::Subject(subject) if said == "d" => Ok(Command::Dismiss(subject.clone())),
        About::Held(task) if yes => Ok(Command::Release(task.clone())),
        About::Paused if yes => Ok(Command::Resume),
        About::Subject(_) | About::Held(_) | About::Paused | About::Away => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Name;
    use crate::domain::text::width::width;

    fn info(session: &str) -> SessionInfo {
        serde_json::from_value(serde_json::json!({
            "session": session, "journal": "", "program": "", "pid": 1, "seq": 1, "at": 0, "gear": "running",
            "simulated": true, "goals": [], "open": 3, "viewers": [], "control": null,
        }))
        .unwrap()
    }

    fn seen(at: u64) -> Seen {
        serde_json::from_value(serde_json::json!({
            "at": at * 1_000_000, "gear": "paused", "simulated": true,
            "goals": [{"id": "g1", "text": "Publish the crate with its new type", "tasks": [
                {"id": "g1/api", "title": "Change the type", "status": "asking",
                 "question": "The new type breaks callers outside of this repository. What shall I do about that?",
                 "choices": ["accept it and bump the major version of the published crate",
                             "keep the old type and wrap the new one in it until the next release"]},
                {"id": "g1/docs", "title": "Write it up", "status": "held"},
                {"id": "g1/old", "title": "Measure", "status": "failed"}]}],
            "attention": [
                {"subject": {"question": "g1/api"}, "about": "", "since": 60_000_000, "text": "it asks"},
                {"subject": {"task": "g1/old"}, "about": "", "since": 10_000_000, "text": "it failed: no such file"}],
        }))
        .unwrap()
    }

    #[test]
    fn at_46_columns_every_choice_is_there_whole_and_the_oldest_is_first() {
        let mut entries = entries_of(&info("20261130-200758"), &seen(7_500));
        entries.sort_by_key(|e| std::cmp::Reverse(e.waits_seconds));
        let kinds: Vec<&str> = entries.iter().map(|e| e.kind).collect();
        assert_eq!(kinds, ["failure", "question", "held", "paused"]);
        let lines = list(&entries, 46);
        assert!(lines.iter().all(|line| width(line) <= 46), "{lines:#?}");
        let text = lines.iter().flat_map(|line| line.split_whitespace()).collect::<Vec<_>>().join(" ");
        for whole in [
            "accept it and bump the major version of the published crate",
            "keep the old type and wrap the new one in it until the next release",
            "What shall I do about that?",
            "2 h 04 min",
            "baton answer 20261130-200758 --text …",
            "SIMULATED",
        ] {
            assert!(text.contains(whole), "{whole} is not in {text}");
        }
    }

    #[test]
    fn what_is_typed_becomes_the_command_that_it_means() {
        let entries = entries_of(&info("s"), &seen(100));
        let entry = |kind: &str| entries.iter().find(|e| e.kind == kind).unwrap();
        let said = |kind: &str, text: &str| order(entry(kind), text).map(|command| command.to_string());
        assert_eq!(said("failure", "r").unwrap(), "retry g1/old");
        assert_eq!(said("failure", "d").unwrap(), "dismiss the failure of g1/old");
        assert_eq!(said("held", "y").unwrap(), "release g1/docs");
        assert_eq!(said("paused", "yes").unwrap(), "go on");
        assert!(said("failure", "what").unwrap_err().contains("r tries it anew"));
        assert!(said("question", "").is_err());
        let task = TaskId::new(GoalId(1), Name::slug("api"));
        let text = "keep the old type and wrap the new one in it until the next release".to_owned();
        assert_eq!(order(entry("question"), "2"), Ok(Command::Answer { task: task.clone(), text }));
        let text = "ask the others first".to_owned();
        assert_eq!(order(entry("question"), &text), Ok(Command::Answer { task, text }));
    }
}
