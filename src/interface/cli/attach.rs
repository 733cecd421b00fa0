//! `baton attach`: a running session, in the console or as lines of JSON; and how any command finds one.

use std::time::Duration;

use super::args::{Form, Global};
use super::console::{self, Opening};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::{Ends, configuration, runtime};
use crate::config::Config;
use crate::domain::protocol::SessionId;
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::interface::remote::{AttachClient, Attachment, Call, CallError, Given, Place, SessionInfo};

/// How long a session may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Records printed at once.
const BATCH: usize = 256;

/// Shows a running session.
///
/// # Errors
/// [`CliError`].
pub(crate) fn attach(wish: Option<&str>, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let running = runtime()?.block_on(running(&config, wish))?;
    let Some((info, others)) = running.split_first() else { return Err(CliError::NoneRuns) };
    if !others.is_empty() {
        printer.words(&format!("{} sessions run; this is the latest, {}. The others:", running.len(), info.session));
        others.iter().for_each(|other| printer.words(&line(other)));
    }
    if global.form() == Form::Words {
        if !console::is_wanted(global) {
            let what = "the console needs a terminal on stdin and stdout; `baton attach --jsonl` writes records";
            return Err(CliError::Usage(what.to_owned()));
        }
        return console::open(config, Opening::Attach(info.session.clone()), global, printer);
    }
    runtime()?.block_on(stream(&config, &info.session, printer))
}

/// Prints every record of a session until its end.
async fn stream(config: &Config, session: &SessionId, printer: &mut Printer) -> Result<Exit, CliError> {
    let mut ends = Ends::listen()?;
    let place = Place::of(session, &config.paths.run)?;
    let (mut client, _) = AttachClient::open(place, Given::Nothing, Attachment::Reader).await?;
    let mut batch = Vec::new();
    loop {
        let more = tokio::select! {
            more = client.recv(&mut batch, BATCH) => more,
            number = ends.next() => return Ok(Exit::Signal(number)),
        };
        for record in batch.drain(..) {
            if let Ok(line) = serde_json::to_string(&*record) {
                printer.data_line(&line);
            }
        }
        while let Some(words) = client.notice() {
            printer.words(words.as_str());
        }
        if !more || printer.is_gone() {
            return Ok(Exit::Done);
        }
    }
}

/// What a command that may act is given.
pub(crate) fn given(global: &Global) -> Given {
    if global.read_only { Given::Nothing } else { Given::Key }
}

/// The sessions that answer, latest first; the one wished for alone, where one is. Each is asked with its key, so that
/// nobody without one takes the answer's place.
///
/// # Errors
/// The one wished for does not answer, or its name is none; or none answers, though one is there.
pub(crate) async fn running(config: &Config, wish: Option<&str>) -> Result<Vec<SessionInfo>, CliError> {
    if let Some(wish) = wish {
        let session: SessionId = wish.parse().map_err(|error| {
            CliError::Usage(format!("{wish:?} is no session's name: {error}; `baton attach` alone takes the latest"))
        })?;
        return Ok(vec![ask(Place::of(&session, &config.paths.run)?).await?]);
    }
    let asked = futures_util::future::join_all(Place::all(&config.paths.run).into_iter().map(ask)).await;
    let (mut found, mut mute) = (Vec::new(), None);
    for answer in asked {
        match answer {
            Ok(info) => found.push(info),
            // What died left its socket.
            Err(CallError::Gone(_)) => {}
            Err(error) => mute = mute.or(Some(error)),
        }
    }
    match mute {
        Some(mute) if found.is_empty() => Err(mute.into()),
        _ => Ok(found),
    }
}

/// Asks who is at a place.
async fn ask(place: Place) -> Result<SessionInfo, CallError> {
    // A key that can't be read is the session's affair: it is asked without.
    let call = Call::new(place.clone(), Given::Key).or_else(|_| Call::new(place.clone(), Given::Nothing))?;
    match tokio::time::timeout(PATIENCE, call.session()).await {
        Ok(answer) => answer,
        Err(_) => {
            let why = CleanText::one_line(&format!("nothing came in {} s", PATIENCE.as_secs()));
            Err(CallError::Mute { session: place.session().to_string(), why })
        }
    }
}

/// A way to the one session that a command is for.
///
/// # Errors
/// None runs, or several do and none was named.
pub(crate) async fn the_one(
    config: &Config,
    wish: Option<&str>,
    given: Given,
) -> Result<(Call, SessionInfo), CliError> {
    let mut running = running(config, wish).await?;
    if running.len() > 1 {
        let lines: Vec<String> = running.iter().map(line).collect();
        return Err(CliError::Usage(format!("several sessions run; name one:\n{}", lines.join("\n"))));
    }
    let info = running.pop().ok_or(CliError::NoneRuns)?;
    let place = Place::of(&info.session, &config.paths.run)?;
    Ok((Call::new(place, given).map_err(|error: CallError| CliError::Call(error))?, info))
}

/// A running session in a line.
fn line(info: &SessionInfo) -> String {
    let goal = info.goals.last().map_or("no goal yet", |g| g.as_str());
    let goal: String = goal.chars().take(60).collect();
    format!("  {}  {} open, {} watching  {goal}", info.session, info.open, info.viewers.len())
}
