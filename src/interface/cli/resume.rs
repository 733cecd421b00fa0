//! `baton resume`: a session of before, taken up in the console or without it.
//!
//! It runs under the configuration its journal has: its fleet, its limits, whether its agents may ask. Not here: what is
//! done about what was under way (the orchestrator's recovery).

use super::answering::{any_serves, hear, troubles};
use super::args::Global;
use super::choose::Unanswered;
use super::console::Opening;
use super::error::{CliError, Exit};
use super::headless::{Again, Finished, Go, Headless, Tries, left_to_do, outcome};
use super::leaving::Leaving;
use super::print::Printer;
use super::progress::tasks_of;
use super::run::Stuck;
use super::serve::listen_if_possible;
use super::servers::room;
use super::session::{Ends, configuration, latest, lock, runtime, take_up};
use crate::config::Config;
use crate::domain::protocol::{AttemptEnd, SessionId};
use crate::domain::state::{End, Gear, Life, State, Task};
use crate::engine::host::TakenUp;
use crate::engine::journal::Sessions;
use crate::engine::providers::Client;

/// Takes up a session; the one written last when none is named.
///
/// # Errors
/// [`CliError`].
pub(crate) fn resume(
    session: Option<&str>,
    again: Again,
    (stuck, leaving): (Stuck, &Leaving),
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let session = match session {
        Some(word) => super::names::stored(&config, word, printer)?,
        None => latest(&config)?,
    };
    go_on(config, session, again, (leaving.stuck(stuck), leaving), global, printer)
}

/// Takes up the session of that name.
///
/// # Errors
/// [`CliError`].
pub(crate) fn go_on(
    config: Config,
    session: SessionId,
    again: Again,
    (stuck, leaving): (Stuck, &Leaving),
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    if super::console::is_wanted(global) && !leaving.detached {
        return super::console::open(config, Opening::Resume(session, again), global, printer);
    }
    headless(&config, &session, (again, stuck, leaving), global, printer)
}

fn headless(
    config: &Config,
    session: &SessionId,
    (again, stuck, leaving): (Again, Stuck, &Leaving),
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let form = leaving.form(global);
    let curfew = leaving.curfew()?;
    runtime()?.block_on(async {
        let mut ends = Ends::listen()?;
        let taken = TakenUp::read(lock(config, session)?)?;
        let journal = Sessions::new(&config.paths.sessions).journal(session)?;
        let goals = left_to_do(taken.state(), again.tries);
        // Where an engine starts, its record of the cut is told.
        let torn = taken.torn_words().filter(|_| goals.is_empty());
        for sentence in torn.into_iter().chain(taken.unknown_words()).chain([standing(session, taken.state(), again)]) {
            printer.words(&sentence);
        }
        if goals.is_empty() {
            let state = taken.state().clone();
            let Some(last) = state.goals().last().map(|g| g.id) else { return Ok(Exit::Operator) };
            // As a run of all of them would have ended.
            let all: Vec<_> = state.goals().iter().map(|g| g.id).collect();
            let exit = outcome(&state, &all);
            // Its lock is not needed to read it.
            drop(taken);
            Finished { state: &state, goals: &[last], unwritten: &[] }.tell(&journal, form, printer)?;
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
        let taken_up = tokio::select! {
            again = take_up(taken, config, servers.as_ref()) => again?,
            number = ends.next() => return Ok(Exit::Signal(number)),
        };
        for sentence in &taken_up.words {
            printer.words(sentence);
        }
        // Dropped after the engine's end, so that whoever watches sees that too.
        let _server = listen_if_possible(&taken_up.engine, config, leaving.again(global));
        let watching = Headless::again(&taken_up.engine, before, again, form, printer)?
            .when_stuck(stuck)
            .with_patience(global.patience)
            .left(leaving.detached, curfew);
        let tell =
            |done: Finished<'_>, exit, printer: &mut Printer| leaving.tell(&done, exit, (&journal, form), printer);
        watching.finish(taken_up.engine, &mut ends, &config.paths.log, tell).await
    })
}

/// How a session stands that is taken up, in a sentence or two.
fn standing(session: &SessionId, state: &State, again: Again) -> String {
    if state.goals().is_empty() {
        return format!("{session} ended before it was given a goal; `baton run` gives one to a new session");
    }
    let goals = left_to_do(state, again.tries);
    if goals.is_empty() {
        return over(session, state, again.tries);
    }
    let (anew, behind) = match again.tries {
        Tries::Nothing => (0, 0),
        Tries::Failed => (count(state, End::Failed), count(state, End::Skipped)),
    };
    let progress = state.progress_of(&tasks_of(state, &goals));
    let stay = progress.ended().saturating_sub(anew + behind);
    let mut words = format!("taking up {session}: {stay} of {} tasks have ended and stay so", progress.total);
    if anew > 0 {
        words.push_str(&format!("; {anew} that failed and {behind} skipped behind run anew"));
    }
    let broken = |t: &&Task| {
        let last = state.last_attempt(t).map(|a| a.ended.as_ref().map(|(_, end)| end));
        !t.has_ended() && !t.removed && matches!(last, Some(None | Some(AttemptEnd::Interrupted)))
    };
    match state.tasks().iter().filter(broken).count() {
        0 => {}
        1 => words.push_str("; 1 was under way and runs again"),
        n => words.push_str(&format!("; {n} were under way and run again")),
    }
    if state.gear == Gear::Paused && again.go == Go::AsItWas {
        words.push_str("; it was paused and stays so: P in the console lets it go on, or --go without one");
    }
    words
}

/// How a session stands of which nothing is left to run: what did not come to a result is named.
fn over(session: &SessionId, state: &State, tries: Tries) -> String {
    let cancelled = |t: &&Task| !t.removed && matches!(t.life, Life::Ended(End::Cancelled(_)));
    let cancelled = state.tasks().iter().filter(cancelled).count() as u32;
    let ends =
        [(count(state, End::Failed), "failed"), (count(state, End::Skipped), "skipped"), (cancelled, "cancelled")];
    let counts: Vec<String> =
        ends.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{word}: {n}")).collect();
    if counts.is_empty() {
        return format!("{session} is done: nothing is left to run");
    }
    let mut words = format!("{session} has ended; {}", counts.join(", "));
    if tries == Tries::Failed {
        words.push_str("; nothing failed that could be tried anew");
    }
    words
}

/// How many tasks ended so.
fn count(state: &State, end: End) -> u32 {
    state.tasks().iter().filter(|t| !t.removed && t.life == Life::Ended(end)).count() as u32
}
