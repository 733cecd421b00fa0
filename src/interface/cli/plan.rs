//! `baton plan`: a model plans a goal, and the plan is printed instead of run.

use super::args::{Form, Global};
use super::choose::choose_fleet;
use super::error::{CliError, Exit};
use super::given::{Input, Taken, Typed, Wanted, typed};
use super::headless::{Finished, Headless, Until};
use super::print::Printer;
use super::session::{Ends, caution, configuration, engine, runtime, without_project};
use crate::config::Config;
use crate::domain::plan::{PLAN_VERSION, Plan, write};
use crate::domain::protocol::{Command, GoalId, GoalOptions, PlanSource, Review, Work};
use crate::domain::state::State;
use crate::domain::text::CleanText;

/// Plans a goal.
///
/// # Errors
/// [`CliError`].
pub(crate) fn plan(goal: &str, taken: Taken, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let Typed { input, words, .. } = typed(goal, taken, Wanted::Goal, &config)?;
    words.iter().for_each(|words| printer.words(words));
    let text = match input {
        Input::Goal(text) => text,
        Input::Plan(plan) => plan.goal,
    };
    let options = GoalOptions { review: Review::Ask, ..GoalOptions::default() };
    let command = Command::AddGoal { text, plan: PlanSource::Model, options };
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
                printer.data(&format!("{mark}{}{}", schema_line(&config), write(&plan)));
            } else {
                printer.json(&plan);
            }
            Ok(exit)
        };
        watching.finish(engine, &mut ends, &config.paths.log, tell).await
    })
}

/// The schema a project keeps for its plans.
const SCHEMA: &str = "plan.schema.json";

/// The line by which editors complete and check a plan, where the project keeps a schema that `baton config schema plan`
/// wrote. By the way from here, so that the plan says nothing of this machine.
fn schema_line(config: &Config) -> String {
    let schema = config.paths.project.path().join(SCHEMA);
    let here = std::env::current_dir().unwrap_or_default();
    match schema.strip_prefix(&here) {
        Ok(path) if schema.is_file() => format!("# yaml-language-server: $schema={}\n", path.display()),
        _ => String::new(),
    }
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
        capacity: goal.options.capacity.clone(),
        synthesis: goal.options.synthesis,
        tasks,
    })
}
