//! `baton resume`: a session of before, taken up in the console or without it.
//!
//! It runs under the configuration its journal has: its fleet, its limits, whether its agents may ask. Not here: what is
//! done about what was under way (the orchestrator's recovery).

use super::answering::{any_serves, hear, troubles};
use super::args::Global;
use super::choose::Unanswered;
use super::console::Opening;
use super::error::{CliError, Exit};
use super::headless::{Finished, Go, Headless, left_to_do, outcome};
use super::print::Printer;
use super::progress::tasks_of;
use super::serve::listen_if_possible;
use super::servers::room;
use super::session::{Ends, configuration, latest, lock, runtime, take_up};
use crate::config::Config;
use crate::domain::protocol::{AttemptEnd, SessionId};
use crate::domain::state::{Gear, State};
use crate::engine::host::TakenUp;
use crate::engine::journal::Sessions;
use crate::engine::providers::Client;

/// Takes up a session; the one written last when none is named.
///
/// # Errors
/// [`CliError`].
pub(crate) fn resume(
    session: Option<&SessionId>,
    go: Go,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let session = match session {
        Some(session) => session.clone(),
        None => latest(&config)?,
    };
    go_on(config, session, go, global, printer)
}

/// Takes up the session of that name.
///
/// # Errors
/// [`CliError`].
pub(crate) fn go_on(
    config: Config,
    session: SessionId,
    go: Go,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    if super::console::is_wanted(global) {
        return super::console::open(config, Opening::Resume(session, go), global, printer);
    }
    headless(&config, &session, go, global, printer)
}

fn headless(
    config: &Config,
    session: &SessionId,
    go: Go,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let form = global.form();
    runtime()?.block_on(async {
        let mut ends = Ends::listen()?;
        let taken = TakenUp::read(lock(config, session)?)?;
        let journal = Sessions::new(&config.paths.sessions).journal(session)?;
        let goals = left_to_do(taken.state());
        // Where an engine starts, its record of the cut is told.
        let torn = taken.torn_words().filter(|_| goals.is_empty());
        for sentence in torn.into_iter().chain(taken.unknown_words()).chain([standing(session, taken.state(), go)]) {
            printer.words(&sentence);
        }
        if goals.is_empty() {
            let state = taken.state().clone();
            let Some(last) = state.goals().last().map(|g| g.id) else { return Ok(Exit::Operator) };
            let exit = outcome(&state, &[last]);
            // Its lock is not needed to read it.
            drop(taken);
            let finished = Finished { state, goals: vec![last], exit };
            finished.tell(&journal, form, printer)?;
            return Ok(exit);
        }
        // Before anything is asked: a key may be what a program prints.
        super::trust::check(&taken, config)?;
        let before = taken.state().clone();
        if global.unanswered() == Unanswered::Ends && !before.config.fleet.is_simulated() {
            let endpoints = &before.config.fleet.endpoints;
            let answers = hear(&Client::new()?, config.discovery.remote_ms, endpoints).await;
            if !any_serves(endpoints, &answers) {
                return Err(CliError::NobodyAnswers(troubles(endpoints, &answers)));
            }
        }
        let servers = room(config);
        let again = tokio::select! {
            again = take_up(taken, config, servers.as_ref()) => again?,
            number = ends.next() => return Ok(Exit::Signal(number)),
        };
        for sentence in &again.words {
            printer.words(sentence);
        }
        // Dropped after the engine's end, so that whoever watches sees that too.
        let _server = listen_if_possible(&again.engine, config);
        let watching = Headless::again(&again.engine, before, go, form, printer)?.with_patience(global.patience);
        let finished = watching.finish(again.engine, &mut ends, &config.paths.log).await?;
        finished.tell(&journal, form, printer)?;
        Ok(finished.exit)
    })
}

/// How a session stands that is taken up, in a sentence or two.
fn standing(session: &SessionId, state: &State, go: Go) -> String {
    if state.goals().is_empty() {
        return format!("{session} ended before it was given a goal; `baton run` gives one to a new session");
    }
    let goals = left_to_do(state);
    if goals.is_empty() {
        return format!("{session} is done: nothing is left to run");
    }
    let progress = state.progress_of(&tasks_of(state, &goals));
    let mut words =
        format!("taking up {session}: {} of {} tasks have ended and stay so", progress.ended(), progress.total);
    let broken = |t: &&crate::domain::state::Task| {
        let last = state.last_attempt(t).map(|a| a.ended.as_ref().map(|(_, end)| end));
        !t.has_ended() && !t.removed && matches!(last, Some(None | Some(AttemptEnd::Interrupted)))
    };
    match state.tasks().iter().filter(broken).count() {
        0 => {}
        1 => words.push_str("; 1 was under way and runs again"),
        n => words.push_str(&format!("; {n} were under way and run again")),
    }
    if state.gear == Gear::Paused && go == Go::AsItWas {
        words.push_str("; it was paused and stays so: P in the console lets it go on, or --go without one");
    }
    words
}
