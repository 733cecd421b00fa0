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
use crate::domain::protocol::SessionId;
use crate::domain::state::State;
use crate::engine::journal::{Reader, Sessions};

/// What `baton trust` takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TrustArgs {
    /// A session of before instead of this folder: what its journal wants when it is resumed.
    #[arg(long, value_name = "SESSION", allow_negative_numbers = true)]
    session: Option<String>,
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
        let folder = match args.session {
            Some(_) => config.paths.sessions.clone(),
            None => config.paths.project.path().to_path_buf(),
        };
        let gone = config.trust.take_back(&folder).map_err(system("write what is approved"))?;
        printer.words(&format!("{gone} approvals of {} are taken back", folder.display()));
        return Ok(Exit::Done);
    }
    let wishes = match &args.session {
        Some(word) => {
            let session = super::names::stored(&config, word, printer)?;
            wishes_of_session(&config, &session)?
        }
        None => {
            if let ProjectFolder::Foreign(_) = config.paths.project {
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
    printer.words(&format!("{} wants what it may not simply have:", new[0].folder.display()));
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
            printer.data_line(&format!("{}  {}", wish.folder.display(), wish.words()));
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
    Ok(wishes_of(&state.config.fleet, &config.fleet, &config.paths.sessions))
}

/// What a session that is to be taken up wants and nobody approved.
pub(crate) fn unapproved(state: &State, config: &Config) -> Vec<Wish> {
    let mut wishes = wishes_of(&state.config.fleet, &config.fleet, &config.paths.sessions);
    wishes.retain(|wish| !config.trust.has(wish));
    wishes
}

/// A session begins with this fleet by the operator's hand: what it wants is what they gave it, so it may be taken up
/// again, also after their configuration has changed.
///
/// # Errors
/// The store could not be written: the session can be resumed once `baton trust --session` was asked.
pub(crate) fn own_session(config: &Config, fleet: &crate::domain::fleet::Fleet) -> std::io::Result<()> {
    let none = crate::domain::fleet::Fleet::default();
    let wishes = wishes_of(fleet, &none, &config.paths.sessions);
    if wishes.is_empty() {
        return Ok(());
    }
    Trust::read(&config.paths.state).give(&wishes)
}
