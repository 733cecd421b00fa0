//! `baton plan`: a model plans a goal, and the plan is printed instead of run.

use super::args::{Form, Global};
use super::choose::choose_fleet;
use super::error::{CliError, Exit};
use super::headless::{Finished, Headless, Until};
use super::print::Printer;
use super::session::{Ends, caution, configuration, engine, runtime, without_project};
use crate::domain::plan::{PLAN_VERSION, Plan, write};
use crate::domain::protocol::{Command, GoalId, GoalOptions, PlanSource, Review, Work};
use crate::domain::state::State;
use crate::domain::text::CleanText;

/// Plans a goal.
///
/// # Errors
/// [`CliError`].
pub(crate) fn plan(goal: &str, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    if goal.trim().is_empty() {
        return Err(CliError::Usage("the goal is empty; say in words what is wanted".to_owned()));
    }
    let config = configuration(global)?;
    let options = GoalOptions { review: Review::Ask, ..GoalOptions::default() };
    let command = Command::AddGoal { text: goal.to_owned(), plan: PlanSource::Model, options };
    runtime()?.block_on(async {
        let mut ends = Ends::listen()?;
        caution(&config, printer);
        let chosen = choose_fleet(&config, &global.fleet, global.seed, global.unanswered()).await;
        let chosen = chosen.map_err(without_project(&config))?;
        for sentence in &chosen.words {
            printer.words(sentence);
        }
        let engine = engine(&config, chosen.fleet.clone(), global.seed, None)?;
        let watching = Headless::begin(&engine, command, (Form::Words, Until::Drafted), printer)
            .await?
            .with_patience(global.patience);
        let tell = |done: Finished<'_>, exit, printer: &mut Printer| {
            if exit != Exit::Done {
                return Ok(exit);
            }
            let Some(plan) = done.goals.first().and_then(|goal| planned(done.state, *goal)) else {
                return Err(CliError::BrokeOff(config.paths.log.clone()));
            };
            let goal = done.goals.first().and_then(|goal| done.state.goal(*goal));
            for repair in goal.map(|goal| goal.repairs.as_slice()).unwrap_or_default() {
                printer.words(&format!("mended: {repair}"));
            }
            if global.form() == Form::Words {
                let mark = match chosen.fleet.is_simulated() {
                    true => "# SIMULATED: no model made this plan, Baton's simulated fleet did.\n",
                    false => "",
                };
                printer.data(&format!("{mark}{}", write(&plan)));
            } else {
                printer.json(&plan);
            }
            Ok(exit)
        };
        watching.finish(engine, &mut ends, &config.paths.log, tell).await
    })
}

/// The goal's plan as it stands in the state, Baton's own tasks aside.
fn planned(state: &State, goal: GoalId) -> Option<Plan> {
    let goal = state.goal(goal)?;
    let tasks = goal.tasks.iter().map(|ix| state.task(*ix)).filter(|t| t.work == Work::Ordinary && !t.removed);
    let tasks: Vec<_> = tasks.map(|task| (*task.spec).clone()).collect();
    (!tasks.is_empty()).then(|| Plan {
        version: PLAN_VERSION,
        goal: CleanText::as_str(&goal.text).to_owned(),
        max_parallel: goal.options.max_parallel,
        synthesis: goal.options.synthesis,
        tasks,
    })
}
