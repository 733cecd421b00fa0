//! `baton trust`: what this folder, or a session of before, wants that it may not simply have; shown, approved, taken back.
//!
//! Not here: what is asked for and kept ([`crate::config`]). Invariant: nothing is approved that was not shown, word for
//! word, before.

use std::io::{BufRead, IsTerminal};

use super::args::{Form, Global};
use super::error::{CliError, Exit, system};
use super::print::Printer;
use super::session::configuration;
use crate::config::{Config, ProjectFolder, Trust, Wish, wishes_of};
use crate::domain::fleet::Fleet;
use crate::domain::protocol::SessionId;
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::engine::host::TakenUp;
use crate::engine::journal::{Reader, Sessions};

/// What `baton trust` takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TrustArgs {
    /// A session of before instead of this folder: what its journal wants when it is resumed.
    #[arg(long, value_name = "SESSION")]
    session: Option<SessionId>,
    /// Approve without being asked: for scripts that have shown it elsewhere.
    #[arg(long, conflicts_with_all = ["list", "revoke"])]
    yes: bool,
    /// List what was approved, in all folders.
    #[arg(long, conflicts_with = "revoke")]
    list: bool,
    /// Take back what was approved for this folder.
    #[arg(long)]
    revoke: bool,
}

/// Does what was typed.
///
/// # Errors
/// [`CliError`].
pub(crate) fn trust(args: &TrustArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let mut config = configuration(global)?;
    if args.list {
        return Ok(list(config.trust.given(), global.form(), printer));
    }
    if args.revoke {
        let (gone, whose) = match &args.session {
            Some(session) => {
                let wishes = wishes_of_session(&config, session)?;
                (config.trust.take_back(|wish| wishes.contains(wish)), session.to_string())
            }
            None => {
                let folder = config.paths.project.path().to_path_buf();
                (config.trust.take_back(|wish| wish.folder == folder), folder.display().to_string())
            }
        };
        let gone = gone.map_err(system("write what is approved"))?;
        printer.words(&format!("{gone} approvals of {} are taken back", CleanText::one_line(&whose)));
        return Ok(Exit::Done);
    }
    let wishes = match &args.session {
        Some(session) => wishes_of_session(&config, session)?,
        None => {
            if let ProjectFolder::Foreign(..) = config.paths.project {
                config.cautions().iter().for_each(|caution| printer.words(caution));
                return Ok(Exit::Operator);
            }
            config.wishes.clone()
        }
    };
    if global.form() != Form::Words {
        list(&wishes, global.form(), printer);
    }
    let new: Vec<Wish> = wishes.iter().filter(|wish| !config.trust.has(wish)).cloned().collect();
    if new.is_empty() {
        let words =
            if wishes.is_empty() { "nothing here needs your approval" } else { "all of it is approved already" };
        printer.words(words);
        return Ok(Exit::Done);
    }
    let whose = match &args.session {
        Some(session) => session.to_string(),
        None => config.paths.project.path().display().to_string(),
    };
    printer.words(&format!("{} wants what it may not simply have:", CleanText::one_line(&whose)));
    for wish in &new {
        printer.words(&format!("  it {}", wish.words()));
    }
    if !args.yes && !agreed(printer) {
        printer.words("nothing was approved");
        return Ok(Exit::Operator);
    }
    config.trust.give(&new).map_err(system("write what is approved"))?;
    printer.words("approved, exactly as it stands there; `baton trust --revoke` takes it back");
    Ok(Exit::Done)
}

fn list(wishes: &[Wish], form: Form, printer: &mut Printer) -> Exit {
    if form == Form::Words {
        for wish in wishes {
            let folder = CleanText::one_line(&wish.folder.display().to_string());
            printer.data_line(&format!("{folder}  {}", wish.words()));
        }
    } else {
        printer.json(&wishes);
    }
    Exit::Done
}

/// Asks the person at the terminal; nobody there is a no.
fn agreed(printer: &mut Printer) -> bool {
    let input = std::io::stdin();
    if !input.is_terminal() {
        printer.words("--yes approves it without a question");
        return false;
    }
    printer.words("approve all of it? y or n");
    let mut line = String::new();
    input.lock().read_line(&mut line).is_ok() && matches!(line.trim(), "y" | "yes")
}

fn wishes_of_session(config: &Config, session: &SessionId) -> Result<Vec<Wish>, CliError> {
    let journal = Sessions::new(&config.paths.sessions).journal(session)?;
    let mut state = State::default();
    let mut reader = Reader::open(&journal)?;
    while let Some((_, record)) = reader.read()? {
        state.apply(&record);
    }
    Ok(wishes(&state.config.fleet, &config.fleet, config))
}

fn wishes(fleet: &Fleet, own: &Fleet, config: &Config) -> Vec<Wish> {
    wishes_of(fleet, own, &config.discovery.addresses(), &config.paths.sessions)
}

/// So many wishes of a session are said when it is not taken up.
const MOST_SAID: usize = 8;

/// Whether all that a session wants which is to be taken up was approved. Nothing of its fleet may be asked before.
///
/// # Errors
/// [`CliError::Unapproved`].
pub(crate) fn check(taken: &TakenUp, config: &Config) -> Result<(), CliError> {
    let mut wishes = wishes(&taken.state().config.fleet, &config.fleet, config);
    wishes.retain(|wish| !config.trust.has(wish));
    let mut words: Vec<String> = wishes.iter().take(MOST_SAID).map(|wish| format!("it {}", wish.words())).collect();
    match wishes.len() {
        0 => return Ok(()),
        all if all > MOST_SAID => words.push(format!("and {} more", all - MOST_SAID)),
        _ => {}
    }
    Err(CliError::Unapproved { session: taken.folder(), words })
}

/// A session begins with this fleet by the operator's hand: what it wants is what they gave it, so it may be taken up
/// again, also after their configuration has changed.
///
/// # Errors
/// The store could not be written: the session can be resumed once `baton trust --session` was asked.
pub(crate) fn own_session(config: &Config, fleet: &Fleet) -> std::io::Result<()> {
    let mut wishes = wishes(fleet, &Fleet::default(), config);
    wishes.retain(|wish| !config.trust.has(wish));
    if wishes.is_empty() {
        return Ok(());
    }
    Trust::read(&config.paths.state).give(&wishes)
}
