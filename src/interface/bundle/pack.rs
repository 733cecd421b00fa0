//! Making a bundle of a journal.
//!
//! The journal is read twice: once for what is true, whose names there are, and what stands in streams as wholes; once to
//! write each record as it is given away. Memory: what models said, as `export --markdown` takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::left_out::LeavesOut;
use super::names::{Bearer, Names};
use super::scratch::Scratch;
use super::scrub::{Pieces, Scrub};
use super::{BundleError, ENDING, FORMAT, LeftOut, Manifest, tar};
use crate::domain::protocol::{Channel, Event, Header, TaskId, TurnId};
use crate::domain::state::{End, Life, State, TaskIx};
use crate::engine::journal::{JournalError, Reader};
use crate::interface::report::{Story, Wanted, failure, task_of};

/// What is known of the place where a bundle is made, and is not to be given away.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Values of secrets, each with what it is in words.
    pub secrets: Vec<(String, String)>,
    /// Names of this machine.
    pub hosts: Vec<String>,
    /// Names of the person who sits here.
    pub people: Vec<String>,
    /// Folders of theirs.
    pub folders: Vec<String>,
}

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The session's journal.
    pub journal: &'a Path,
    /// The state folder, in which it is prepared.
    pub state: &'a Path,
    /// The file; named after the session in the working folder when absent.
    pub out: Option<&'a Path>,
    /// One task: only what it said, and what it was given, is in it.
    pub task: Option<&'a str>,
    /// What is left out.
    pub without: Vec<LeftOut>,
    /// What is not to be given away.
    pub known: Known,
}

/// Makes a bundle, and says which file it is and what is in it.
///
/// # Errors
/// [`BundleError`]; nothing is left behind then.
pub fn pack(order: &Order<'_>) -> Result<(PathBuf, Manifest), BundleError> {
    let first = First::read(order)?;
    let scratch = Scratch::new(order.state)?;
    let journal = scratch.path().join("journal.jsonl");
    let names = if order.without.contains(&LeftOut::Names) { first.names.list() } else { Vec::new() };
    let known = &order.known;
    let mut scrub = Scrub::new(known.secrets.clone(), order.without.clone(), names, known.folders.clone());
    let header = Header {
        session: match first.names.mark(first.header.session.as_str()).map(str::parse) {
            Some(Ok(mark)) if scrub.is_without(LeftOut::Names) => mark,
            _ => first.header.session.clone(),
        },
        ..first.header.clone()
    };
    write_journal(order, &first, &header, &mut scrub, &journal)?;
    let story = Story::read(&journal, Wanted::All)?;
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let settings = serde_json::to_vec_pretty(&story.state.config).unwrap_or_default();
    files.push(("settings.json".to_owned(), settings));
    for task in story.state.tasks().iter().filter(|task| first.keeps(&task.id)) {
        let name = |folder: &str| format!("{folder}/{}.md", task.id.to_string().replace('/', "-"));
        let said = task.result.as_ref().and_then(|id| story.state.attempt(*id)).map(|a| story.result(a));
        if let Some(text) = said.filter(|_| !scrub.is_without(LeftOut::Text)) {
            files.push((name("results"), text.into_bytes()));
        }
        let asked_for = order.task.is_some() && first.task.as_ref() == Some(&task.id);
        if (asked_for || task.life == Life::Ended(End::Failed))
            && let Some(page) = failure(&story, &task.id.to_string())
        {
            files.push((name("failures"), page.into_bytes()));
        }
    }
    files.retain(|(name, _)| name.len() <= tar::LONGEST);
    let manifest = Manifest {
        baton_bundle: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        session: header.session.to_string(),
        versions: story
            .state
            .lives
            .iter()
            .map(|(_, life)| life.version.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        records: story.state.seq,
        task: first.task.as_ref().map(ToString::to_string),
        without: order.without.clone(),
        replaced: scrub.found(),
        notes: notes(order, &first),
    };
    let out = order.out.map_or_else(|| PathBuf::from(format!("{}{ENDING}", header.session)), Path::to_path_buf);
    write(&out, &manifest, &journal, &files)?;
    Ok((out, manifest))
}

fn notes(order: &Order<'_>, first: &First) -> Vec<String> {
    let mut notes = vec![
        "the search for secrets finds what looks like one or is known on the machine it ran on; look through it before it is given away".to_owned(),
        "digests of prompts are those of the prompts as they were sent, not of what stands here".to_owned(),
    ];
    if order.without.contains(&LeftOut::Text) {
        notes.push("texts that are left out keep their length and lines, tasks their names; what servers said of failures stays".to_owned());
    }
    if let Some(task) = &first.task {
        notes.push(format!("what other tasks than {task}, and those it needs, said is left out"));
    }
    notes.extend(first.damage.iter().map(|damage| format!("the journal could be read so far only: {damage}")));
    notes
}

/// What the first reading gives.
struct First {
    header: Header,
    names: Names,
    streams: BTreeMap<(TurnId, Channel), String>,
    /// Of which task each attempt is.
    tasks: Vec<TaskId>,
    state: State,
    task: Option<TaskId>,
    /// The task and all it is made of; none: every task is kept.
    kept: Option<BTreeSet<TaskId>>,
    damage: Option<String>,
}

impl First {
    fn read(order: &Order<'_>) -> Result<Self, BundleError> {
        let mut reader = Reader::open(order.journal)?;
        let (mut state, mut names, mut streams) = (State::default(), Names::default(), BTreeMap::new());
        names.add(Bearer::Session, reader.header().session.as_str());
        let mut damage = None;
        loop {
            match reader.read() {
                Ok(Some((_, record))) => {
                    state.apply(&record);
                    names.take(&record);
                    if let Event::AttemptOutput(output) = &record.event
                        && !order.without.contains(&LeftOut::Text)
                    {
                        let text: &mut String = streams.entry((output.turn, output.channel)).or_default();
                        text.push_str(&output.text);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    damage = Some(error.to_string());
                    break;
                }
            }
        }
        if reader.unknown() > 0 {
            return Err(JournalError::Later { path: order.journal.to_path_buf() }.into());
        }
        order.known.hosts.iter().for_each(|host| names.add(Bearer::Host, host));
        order.known.people.iter().for_each(|person| names.add(Bearer::Person, person));
        let header = reader.header().clone();
        let (task, kept) = match order.task {
            None => (None, None),
            Some(word) => {
                let task = task_of(&state, word).ok_or_else(|| BundleError::NoTask {
                    session: header.session.to_string(),
                    task: word.to_owned(),
                })?;
                (Some(task.id.clone()), Some(made_of(&state, &task.id)))
            }
        };
        let tasks = state.attempts().iter().map(|a| state.task(a.task).id.clone()).collect();
        Ok(Self { header, names, streams, tasks, state, task, kept, damage })
    }

    fn keeps(&self, task: &TaskId) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept.contains(task))
    }

    /// Whose turn it is.
    fn task_of(&self, turn: TurnId) -> Option<&TaskId> {
        let at = self.state.attempts().iter().position(|a| a.id == turn.attempt)?;
        self.tasks.get(at)
    }
}

/// A task and all it needs, however far.
fn made_of(state: &State, task: &TaskId) -> BTreeSet<TaskId> {
    let mut kept = BTreeSet::new();
    let mut open: Vec<TaskIx> = state.find(task).into_iter().collect();
    while let Some(ix) = open.pop() {
        let task = state.task(ix);
        if kept.insert(task.id.clone()) {
            open.extend(task.needs.iter().copied());
        }
    }
    kept
}

/// Writes the records as they are given away.
fn write_journal(
    order: &Order<'_>,
    first: &First,
    header: &Header,
    scrub: &mut Scrub,
    to: &Path,
) -> Result<(), BundleError> {
    let io = |error| BundleError::io("write", to)(error);
    let mut out = BufWriter::new(File::create_new(to).map_err(io)?);
    line(&mut out, header).map_err(io)?;
    let mut leaves = LeavesOut::default();
    let mut streams: BTreeMap<(TurnId, Channel), Pieces> = BTreeMap::new();
    let mut owners: BTreeMap<TurnId, Option<TaskId>> = BTreeMap::new();
    let mut reader = Reader::open(order.journal)?;
    // What is written meanwhile, or was damaged, belongs to another bundle.
    while let Ok(Some((_, mut record))) = reader.read() {
        if record.seq > first.state.seq {
            break;
        }
        let mut owner = |turn: TurnId| owners.entry(turn).or_insert_with(|| first.task_of(turn).cloned()).clone();
        let foreign = match &record.event {
            Event::AttemptOutput(output) => owner(output.turn).is_some_and(|task| !first.keeps(&task)),
            Event::ResultEdited(edited) => !first.keeps(&edited.task),
            _ => false,
        };
        if foreign || scrub.is_without(LeftOut::Text) {
            leaves.text(&mut record.event);
        }
        match &mut record.event {
            Event::AttemptOutput(_) if foreign || scrub.is_without(LeftOut::Text) => {}
            Event::AttemptOutput(output) => {
                let key = (output.turn, output.channel);
                let pieces = streams.entry(key).or_insert_with(|| {
                    let pieces = Pieces::new(first.streams.get(&key).map_or_else(Vec::new, |text| scrub.hits(text)));
                    let whose = owner(output.turn).map_or_else(|| output.turn.to_string(), |task| task.to_string());
                    scrub.count(pieces.hits(), &format!("what {whose} said"));
                    pieces
                });
                output.text = pieces.next(&output.text);
            }
            event => *event = scrubbed(event, record.seq, scrub, order.journal)?,
        }
        line(&mut out, &record).map_err(io)?;
    }
    out.flush().map_err(io)
}

/// A record without what is not given away. It is read back as what it was, so that nothing is written which can't be.
fn scrubbed(event: &Event, seq: u64, scrub: &mut Scrub, journal: &Path) -> Result<Event, BundleError> {
    let wrong = |why: String| BundleError::Wrong { path: journal.to_owned(), why };
    let before = serde_json::to_value(event).map_err(|error| wrong(error.to_string()))?;
    let mut after = before.clone();
    let about = before.pointer("/data/task").or_else(|| before.pointer("/data/goal")).and_then(|id| id.as_str());
    let tag = before.get("event").and_then(|tag| tag.as_str()).unwrap_or_default();
    let place = about.map_or_else(|| format!("{tag}, record {seq}"), |about| format!("{tag} of {about}, record {seq}"));
    if let Some(data) = after.get_mut("data") {
        scrub.value(data, &place);
    }
    if after == before {
        return Ok(event.clone());
    }
    if let Ok(event) = serde_json::from_value(after) {
        return Ok(event);
    }
    // Somebody is called as a word of the journal's: then only what people wrote is searched for names.
    let mut after = before.clone();
    if let Some(data) = after.get_mut("data") {
        scrub.in_sentences(|scrub| scrub.value(data, &place));
    }
    serde_json::from_value(after).map_err(|error| {
        wrong(format!("its record {seq} ({tag}) can't be written without what is to be replaced in it ({error})"))
    })
}

fn line(out: &mut impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Writes the file: whole, or not at all.
fn write(out: &Path, manifest: &Manifest, journal: &Path, files: &[(String, Vec<u8>)]) -> Result<(), BundleError> {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let made = out.with_file_name(format!(".{name}.{}", std::process::id()));
    let io = BundleError::io("write", out);
    let done = written(&made, manifest, journal, files).and_then(|()| std::fs::rename(&made, out));
    if done.is_err() {
        let _ = std::fs::remove_file(&made);
    }
    done.map_err(io)
}

fn written(to: &Path, manifest: &Manifest, journal: &Path, files: &[(String, Vec<u8>)]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut gz = GzEncoder::new(BufWriter::new(file), Compression::default());
    let told = serde_json::to_vec_pretty(manifest)?;
    tar::write(&mut gz, "manifest.json", told.len() as u64, &mut told.as_slice())?;
    let mut records = File::open(journal)?;
    let size = records.metadata()?.len();
    tar::write(&mut gz, "journal.jsonl", size, &mut records)?;
    for (name, bytes) in files {
        tar::write(&mut gz, name, bytes.len() as u64, &mut bytes.as_slice())?;
    }
    tar::finish(&mut gz)?;
    gz.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}
