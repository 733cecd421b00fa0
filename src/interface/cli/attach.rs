//! `baton attach`: a running session, in the console or as lines of JSON; and how any command finds one.

use std::time::Duration;

use super::args::{Form, Global};
use super::console::{self, Opening};
use super::error::{CliError, Exit};
use super::names::{self, Candidate, Meant};
use super::narrow::hang_in;
use super::print::Printer;
use super::session::{Ends, configuration, runtime};
use crate::config::Config;
use crate::domain::protocol::SessionId;
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::interface::remote::{AttachClient, Attachment, Call, CallError, Given, Place, PlaceError, SessionInfo};
use crate::interface::report::{Going, SinceWhen, now_ms, since, since_words};
use crate::interface::zone::Zone;

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
    let running = runtime()?.block_on(running(&config, wish, printer))?;
    let Some((info, others)) = running.split_first() else { return Err(CliError::NoneRuns) };
    if !others.is_empty() {
        printer.words(&format!("{} sessions run; this is the latest, {}. The others:", running.len(), info.session));
        others.iter().for_each(|other| printer.words(&line(other)));
    }
    if global.form() == Form::Words {
        if !console::is_wanted(global) {
            return runtime()?.block_on(without_a_screen(&config, info, global, printer));
        }
        return console::open(config, Opening::Attach(info.session.clone()), global, printer);
    }
    runtime()?.block_on(stream(&config, &info.session, printer))
}

/// What can be shown of a session where there is no screen: how it stands, and how to get one.
async fn without_a_screen(
    config: &Config,
    info: &SessionInfo,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let call = Call::new(Place::of(&info.session, &config.paths.run)?, given(global))?;
    // What came of it since anybody watched stands above how it stands.
    let zone = Zone::here();
    let journal = std::path::Path::new(&info.journal);
    if let Ok((state, told)) = since(journal, SinceWhen::LastWatched, Going::Until(now_ms())) {
        for line in since_words(&state, &told, &|ms| zone.time(ms)) {
            hang_in("", &line, printer.columns()).iter().for_each(|row| printer.data_line(row));
        }
    }
    if info.program != env!("CARGO_PKG_VERSION") {
        let program = CleanText::one_line(&info.program);
        printer.words(&format!("its program is Baton {program}, this is {}", env!("CARGO_PKG_VERSION")));
    }
    super::ctl::tell(&call.get("/v1/state").await?, printer);
    printer.words(
        "there is no terminal here, so no screen: `ssh -t HOST baton attach` has one; `baton inbox` lists what waits for \
         you, `baton attach --jsonl` writes records",
    );
    Ok(Exit::Done)
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
pub(crate) async fn running(
    config: &Config,
    wish: Option<&str>,
    printer: &mut Printer,
) -> Result<Vec<SessionInfo>, CliError> {
    // What could be no file's name is not looked for anywhere.
    if let Some(wrong) = wish.filter(|w| w.trim().is_empty() || w.starts_with('.') || w.contains('/')) {
        return Err(PlaceError::Name(wrong.to_owned()).into());
    }
    // A name in full asks nobody else.
    if let Some(session) = wish.and_then(|wish| wish.parse::<SessionId>().ok()) {
        let place = Place::of(&session, &config.paths.run)?;
        if place.socket().exists() {
            return Ok(vec![ask(place).await?]);
        }
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
    let Some(wish) = wish else {
        return match mute {
            Some(mute) if found.is_empty() => Err(mute.into()),
            _ => Ok(found),
        };
    };
    let candidate = |info: &SessionInfo| {
        let goals: Vec<&str> = info.goals.iter().map(CleanText::as_str).collect();
        Candidate { id: info.session.clone(), goal: goals.join("\n") }
    };
    let all: Vec<Candidate> = found.iter().map(candidate).collect();
    let listed = names::last_list(&config.paths.state);
    let session = match names::meant(wish, &all, &listed) {
        // One of before, perhaps, whose name says what can be done about it.
        Meant::Nothing => names::stored(config, wish, printer)?,
        answer => names::one(wish, answer, &all, printer)?,
    };
    match found.into_iter().find(|info| info.session == session) {
        Some(info) => Ok(vec![info]),
        None => Ok(vec![ask(Place::of(&session, &config.paths.run)?).await?]),
    }
}

/// A way to each session that is meant: the one wished for, else all that run, the latest first.
///
/// # Errors
/// As [`running`].
pub(crate) async fn reach(
    config: &Config,
    wish: Option<&str>,
    given: Given,
    printer: &mut Printer,
) -> Result<Vec<(Call, SessionInfo)>, CliError> {
    let mut reached = Vec::new();
    for info in running(config, wish, printer).await? {
        let place = Place::of(&info.session, &config.paths.run)?;
        reached.push((Call::new(place, given)?, info));
    }
    Ok(reached)
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
    printer: &mut Printer,
) -> Result<(Call, SessionInfo), CliError> {
    let mut reached = reach(config, wish, given, printer).await?;
    if reached.len() > 1 {
        let lines: Vec<String> = reached.iter().map(|(_, info)| line(info)).collect();
        let words = "several sessions run; name one by a part of its name that no other has, or by words of its goal";
        return Err(CliError::Usage(format!("{words}:\n{}", lines.join("\n"))));
    }
    reached.pop().ok_or(CliError::NoneRuns)
}

/// A running session in a line.
fn line(info: &SessionInfo) -> String {
    let goal = info.goals.last().map_or("no goal yet", |g| g.as_str());
    let goal: String = goal.chars().take(60).collect();
    format!("  {}  {} open, {} watching  {goal}", info.session, info.open, info.viewers.len())
}
