//! `baton run`: a plan file or a goal, in the console or without it.

use super::args::Global;
use super::choose::choose_fleet;
use super::console::Opening;
use super::error::{CliError, Exit};
use super::given::{Input, Taken, Typed, Wanted, typed};
use super::headless::{Finished, Headless, Until};
use super::leaving::Leaving;
use super::print::Printer;
use super::serve::listen_if_possible;
use super::servers::room;
use super::session::{Ends, caution, configuration, engine_named, runtime, without_project};
use crate::config::Config;
use crate::domain::fleet::Settings;
use crate::domain::protocol::{Command, GoalOptions, MemoryCheck, PlanSource, Review};

/// What a run without a console does when only the operator can release what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// It ends.
    Ends,
    /// It stays, to be attached to.
    Waits,
}

/// How a run is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    /// What it does when only the operator can release what is left.
    pub(crate) stuck: Stuck,
    /// Whether what does not fit into memory starts.
    pub(crate) memory: MemoryCheck,
    /// What its session is named by.
    pub(crate) name: Option<&'a str>,
    /// Whether it is left.
    pub(crate) leaving: &'a Leaving,
}

/// Runs what was typed.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(
    what: &str,
    taken: Taken,
    given: Given,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let console = super::console::is_wanted(global) && !given.leaving.detached;
    let Given { memory, leaving, .. } = given;
    let stuck = leaving.stuck(given.stuck);
    let mut config = configuration(global)?;
    let review = if console { Review::Ask } else { Review::Auto };
    let Typed { input, words, warnings } = typed(what, taken, Wanted::Either, &config)?;
    let mut command = command_of(input, review);
    if let Command::AddGoal { options, .. } = &mut command {
        options.memory = memory;
    }
    if console {
        config.warnings.extend(warnings);
        let opening = Opening::New(global.fleet.clone(), Some(Box::new(command)));
        return super::console::open(config, opening, global, printer);
    }
    words.iter().for_each(|words| printer.words(words));
    warnings.iter().for_each(|warning| printer.words(&format!("warning: {warning}")));
    // Nobody is there to answer, unless it waits for somebody.
    let questions = config.settings.questions && stuck == Stuck::Waits;
    let settings = Settings { questions, ..config.settings.clone() };
    headless(&Config { settings, ..config }, command, Given { stuck, ..given }, global, printer)
}

/// What was typed as a command: a given plan runs at once, a model's is looked at first where somebody can.
pub(crate) fn goal_of(what: &str, taken: Taken, config: &Config, review: Review) -> Result<Command, CliError> {
    typed(what, taken, Wanted::Either, config).map(|typed| command_of(typed.input, review))
}

fn command_of(input: Input, review: Review) -> Command {
    let (text, plan, review) = match input {
        Input::Plan(plan) => (plan.goal.clone(), PlanSource::Given(plan), Review::Auto),
        Input::Goal(text) => (text, PlanSource::Model, review),
    };
    Command::AddGoal { text, plan, options: GoalOptions { review, ..GoalOptions::default() } }
}

fn headless(
    config: &Config,
    command: Command,
    given: Given,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let leaving = given.leaving;
    let form = leaving.form(global);
    let curfew = leaving.curfew()?;
    runtime()?.block_on(async {
        let mut ends = Ends::listen()?;
        caution(config, printer);
        let chosen = tokio::select! {
            chosen = choose_fleet(config, &global.fleet, global.seed, global.unanswered()) =>
                chosen.map_err(without_project(config))?,
            number = ends.next() => return Ok(Exit::Signal(number)),
        };
        for sentence in &chosen.words {
            printer.words(sentence);
        }
        let engine = engine_named(config, chosen.fleet.clone(), global.seed, room(config).as_ref(), given.name)?;
        let journal = engine.journal().to_owned();
        // Dropped after the engine's end, so that whoever watches sees that too.
        let _server = listen_if_possible(&engine, config, leaving.again(global));
        let watching = Headless::begin(&engine, command, (form, Until::Ended), printer)
            .await?
            .when_stuck(given.stuck)
            .with_patience(global.patience)
            .left(leaving.detached, curfew);
        let tell =
            |done: Finished<'_>, exit, printer: &mut Printer| leaving.tell(&done, exit, (&journal, form), printer);
        watching.finish(engine, &mut ends, &config.paths.log, tell).await
    })
}
