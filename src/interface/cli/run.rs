//! `baton run`: a plan file or a goal, in the console or without it.

use std::path::Path;

use super::args::Global;
use super::choose::choose_fleet;
use super::console::Opening;
use super::error::{CliError, Exit};
use super::headless::{Finished, Headless, Until};
use super::print::Printer;
use super::serve::listen_if_possible;
use super::servers::room;
use super::session::{Ends, caution, configuration, engine, runtime, without_project};
use crate::config::Config;
use crate::domain::fleet::Settings;
use crate::domain::plan::{MAX_PLAN_BYTES, Plan, parse_for};
use crate::domain::protocol::{Command, GoalOptions, MemoryCheck, PlanSource, Review};

/// What a run without a console does when only the operator can release what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// It ends.
    Ends,
    /// It stays, to be attached to.
    Waits,
}

/// Runs what was typed.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(
    what: &str,
    stuck: Stuck,
    memory: MemoryCheck,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let console = super::console::is_wanted(global);
    let config = configuration(global)?;
    let review = if console { Review::Ask } else { Review::Auto };
    let mut command = goal_of(what, &config, review)?;
    if let Command::AddGoal { options, .. } = &mut command {
        options.memory = memory;
    }
    if console {
        let opening = Opening::New(global.fleet.clone(), Some(Box::new(command)));
        return super::console::open(config, opening, global, printer);
    }
    // Nobody is there to answer, unless it waits for somebody.
    let questions = config.settings.questions && stuck == Stuck::Waits;
    let settings = Settings { questions, ..config.settings.clone() };
    headless(&Config { settings, ..config }, command, stuck, global, printer)
}

/// What was typed as a command: a given plan runs at once, a model's is looked at first where somebody can.
pub(crate) fn goal_of(what: &str, config: &Config, review: Review) -> Result<Command, CliError> {
    if is_plan(what) {
        let plan = read_plan(Path::new(what), config)?;
        let options = GoalOptions { review: Review::Auto, ..GoalOptions::default() };
        return Ok(Command::AddGoal { text: plan.goal.clone(), plan: PlanSource::Given(Box::new(plan)), options });
    }
    if what.trim().is_empty() {
        return Err(CliError::Usage("the goal is empty; say in words what is wanted, or name a plan file".to_owned()));
    }
    let options = GoalOptions { review, ..GoalOptions::default() };
    Ok(Command::AddGoal { text: what.to_owned(), plan: PlanSource::Model, options })
}

fn is_plan(what: &str) -> bool {
    let ending = Path::new(what).extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let named = matches!(ending.as_deref(), Some("yaml" | "yml" | "json")) && !what.contains('\n');
    named || Path::new(what).is_file()
}

/// Reads a plan file for the configured agents.
///
/// # Errors
/// Everything wrong in it, or why it can't be read.
pub(crate) fn read_plan(path: &Path, config: &Config) -> Result<Plan, CliError> {
    let text = read_text(path)?;
    parse_for(&text, &path.display().to_string(), &config.fleet.agents).map_err(CliError::Source)
}

fn read_text(path: &Path) -> Result<String, CliError> {
    use std::io::Read as _;
    let mut text = String::new();
    let most = MAX_PLAN_BYTES as u64 + 1;
    // Bounded while reading: a length asked for before says nothing of a pipe. One byte more, so that it is refused.
    std::fs::File::open(path)
        .and_then(|file| file.take(most).read_to_string(&mut text))
        .map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    Ok(text)
}

fn headless(
    config: &Config,
    command: Command,
    stuck: Stuck,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let form = global.form();
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
        let engine = engine(config, chosen.fleet.clone(), global.seed, room(config).as_ref())?;
        let journal = engine.journal().to_owned();
        // Dropped after the engine's end, so that whoever watches sees that too.
        let _server = listen_if_possible(&engine, config);
        let watching = Headless::begin(&engine, command, (form, Until::Ended), printer)
            .await?
            .when_stuck(stuck)
            .with_patience(global.patience);
        let tell = |done: Finished<'_>, exit, printer: &mut Printer| done.tell(&journal, form, printer).map(|()| exit);
        watching.finish(engine, &mut ends, &config.paths.log, tell).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_told_from_a_goal() {
        for plan in ["plan.yaml", "a/b.YML", "x.json"] {
            assert!(is_plan(plan), "{plan}");
        }
        for goal in ["Compare two parsers", "what is node.js?", "", "read this\nand that.yaml"] {
            assert!(!is_plan(goal), "{goal}");
        }
    }
}
