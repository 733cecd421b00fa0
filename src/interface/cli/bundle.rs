//! Which journal a word means (a session's, a file's, a bundle's), and `baton export --bundle`.
//!
//! Not here: what a bundle is (`interface/bundle`). Invariant: a journal from elsewhere is only read; who goes on with it
//! makes a session of its own of it first (`baton fork`), which is asked about like any that came from elsewhere.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{ExportArgs, Form, Global};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::latest;
use crate::config::Config;
use crate::domain::fleet::SecretRef;
use crate::domain::protocol::SessionId;
use crate::domain::text::secrets::names_a_secret;
use crate::engine::journal::Sessions;
use crate::interface::bundle::{Known, LeftOut, Manifest, Order, Unpacked, is_bundle, pack, unpack};

/// Shorter values of variables are in every other text: replacing them would destroy it and protect nothing.
const SHORTEST: usize = 8;

/// A journal that was named.
pub(super) struct Named {
    /// Its open part.
    pub(super) journal: PathBuf,
    /// The session of this user's that it is of; none: it lies elsewhere.
    pub(super) session: Option<SessionId>,
    /// The bundle it is from. It is gone when this is dropped.
    bundle: Option<Unpacked>,
}

impl Named {
    /// Says of a bundle what it is and what it lacks.
    pub(super) fn introduce(&self, printer: &mut Printer) {
        let Some(Unpacked { manifest, .. }) = &self.bundle else { return };
        let Manifest { session, system, program, without, task, .. } = manifest;
        let mut words = format!("a bundle of {session}, made by Baton {program} on {system}");
        if let Some(task) = task {
            words += &format!(", of the task {task}");
        }
        if !without.is_empty() {
            words += &format!(", without {}", list(without));
        }
        printer.words(&words);
    }
}

fn list(without: &[LeftOut]) -> String {
    without.iter().map(|what| what.word()).collect::<Vec<_>>().join(", ")
}

/// The journal of what was named: a session, or a file that is one, or its folder, or a bundle; the latest session when
/// nothing was.
///
/// # Errors
/// [`CliError::Usage`] when it is neither, [`CliError::Read`] where a path leads to nothing, [`CliError::Bundle`].
pub(super) fn journal_of(config: &Config, name: Option<&str>, printer: &mut Printer) -> Result<Named, CliError> {
    let session = match name {
        Some(path) if path.contains('/') || [".jsonl", ".tgz"].iter().any(|end| path.ends_with(end)) => {
            let path = Path::new(path);
            let meta = std::fs::metadata(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
            if is_bundle(path) {
                let bundle = unpack(path, &config.paths.state)?;
                return Ok(Named { journal: bundle.journal.clone(), session: None, bundle: Some(bundle) });
            }
            let journal = if meta.is_dir() { path.join("journal.jsonl") } else { path.to_owned() };
            return Ok(Named { journal, session: None, bundle: None });
        }
        Some(word) => super::names::stored(config, word, printer)?,
        None => latest(config)?,
    };
    let journal = Sessions::new(&config.paths.sessions).journal(&session)?;
    Ok(Named { journal, session: Some(session), bundle: None })
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Made<'a> {
    file: &'a Path,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

/// Makes a bundle of a journal.
///
/// # Errors
/// [`CliError::Bundle`].
pub(super) fn export(
    journal: &Path,
    args: &ExportArgs,
    config: &Config,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let mut without = args.without.clone();
    without.sort_unstable();
    without.dedup();
    let order = Order {
        journal,
        state: &config.paths.state,
        out: args.out.as_deref(),
        task: args.task.as_deref(),
        without,
        known: known(config),
    };
    let (file, manifest) = pack(&order)?;
    if global.form() == Form::Words {
        printer.data_line(&file.display().to_string());
    } else {
        printer.json(&Made { file: &file, manifest: &manifest });
    }
    if manifest.replaced.is_empty() {
        printer.words("nothing in it looks like a secret");
    }
    for replaced in &manifest.replaced {
        let times = if replaced.count == 1 { "once".to_owned() } else { format!("{} times", replaced.count) };
        printer.words(&format!("replaced: {}, {times}: {}", replaced.kind, replaced.places.join("; ")));
    }
    manifest.notes.iter().for_each(|note| printer.words(&format!("note: {note}")));
    Ok(Exit::Done)
}

/// What is known here and not to be given away.
fn known(config: &Config) -> Known {
    let keys: Vec<&str> = config
        .fleet
        .endpoints
        .iter()
        .filter_map(|endpoint| match &endpoint.key {
            Some(SecretRef::Env(name)) => Some(name.as_str()),
            // A command may ask its owner: nothing is run for this.
            Some(SecretRef::Command(_)) | None => None,
        })
        .collect();
    let secrets = std::env::vars()
        .filter(|(name, value)| value.len() >= SHORTEST && (names_a_secret(name) || keys.contains(&name.as_str())))
        .map(|(name, value)| (value, format!("the value of ${name}")))
        .collect();
    let text = |path: Option<PathBuf>| path.map(|path| path.display().to_string()).filter(|path| path.len() > 1);
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
    let at_home = home.as_ref().and_then(|home| Some(home.file_name()?.to_string_lossy().into_owned()));
    Known {
        secrets,
        hosts: sysinfo::System::host_name().into_iter().collect(),
        people: [Some(super::session::user().to_string()), at_home].into_iter().flatten().collect(),
        folders: [text(home), text(std::env::current_dir().ok())].into_iter().flatten().collect(),
    }
}
