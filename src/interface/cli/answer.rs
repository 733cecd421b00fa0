//! `baton answer`: the questions that wait for the operator in a running session, and the answer to one.

use clap::Args;
use serde::Deserialize;

use super::args::{Form, Global};
use super::attach::{given, the_one};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::{configuration, runtime};
use crate::domain::protocol::{Command, TaskId};
use crate::domain::text::CleanText;
use crate::interface::remote::Given;

/// What `baton answer` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The session; the one that runs when absent.
    session: Option<String>,
    /// Whose question; not needed while there is one.
    #[arg(long, requires = "text")]
    task: Option<String>,
    /// The answer: words, or the number of a choice. Without it the questions are listed.
    #[arg(long)]
    text: Option<String>,
}

/// As much of a session's state as questions need.
#[derive(Debug, Deserialize)]
struct Asking {
    goals: Vec<Goal>,
}

#[derive(Debug, Deserialize)]
struct Goal {
    tasks: Vec<Task>,
}

#[derive(Clone, Debug, Deserialize)]
struct Task {
    id: TaskId,
    title: CleanText,
    #[serde(default)]
    question: Option<CleanText>,
    #[serde(default)]
    choices: Vec<CleanText>,
}

/// Lists questions, or answers one.
///
/// # Errors
/// [`CliError`].
pub(crate) fn answer(args: &AnswerArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    runtime()?.block_on(async {
        let given = if args.text.is_some() { given(global) } else { Given::Nothing };
        let (call, info) = the_one(&config, args.session.as_deref(), given, printer).await?;
        let asking: Asking = call.get("/v1/state").await?;
        let open: Vec<Task> = asking.goals.into_iter().flat_map(|g| g.tasks).filter(|t| t.question.is_some()).collect();
        let Some(text) = &args.text else {
            list(&open, global.form(), printer);
            return Ok(Exit::Done);
        };
        let task = match &args.task {
            Some(word) => super::ctl::task(word, &info)?,
            None => the_only(&open)?.id.clone(),
        };
        let choices = open.iter().find(|t| t.id == task).map(|t| t.choices.clone()).unwrap_or_default();
        let command = Command::Answer { task, text: chosen(text, &choices) };
        let (verdict, id) = call.command(None, &command, None).await?;
        Ok(super::ctl::answer(&command, &verdict, id.as_str(), global, printer))
    })
}

fn the_only(open: &[Task]) -> Result<&Task, CliError> {
    match open {
        [one] => Ok(one),
        [] => Err(CliError::Usage("no question waits for an answer".to_owned())),
        several => {
            let names: Vec<String> = several.iter().map(|t| t.id.to_string()).collect();
            Err(CliError::Usage(format!("several questions wait; name one with --task: {}", names.join(", "))))
        }
    }
}

/// The words of an answer: a number is one of the choices, where there are any.
fn chosen(text: &str, choices: &[CleanText]) -> String {
    let number = text.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    number.and_then(|n| choices.get(n)).map_or_else(|| text.to_owned(), ToString::to_string)
}

fn list(open: &[Task], form: Form, printer: &mut Printer) {
    if open.is_empty() && form == Form::Words {
        printer.words("no question waits for an answer");
    }
    for task in open {
        let question = task.question.clone().unwrap_or_default();
        if form == Form::Words {
            printer.data_line(&format!("{}  {}", task.id, task.title));
            printer.data_line(&format!("  {question}"));
            for (n, choice) in (1..).zip(&task.choices) {
                printer.data_line(&format!("  {n}  {choice}"));
            }
        } else {
            let value = serde_json::json!({"task": task.id, "question": question, "choices": task.choices});
            printer.data_line(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_choice_where_there_is_one() {
        let choices = ["keep them".into(), "drop them".into()];
        assert_eq!(chosen("2", &choices), "drop them");
        assert_eq!(chosen("3", &choices), "3");
        assert_eq!(chosen("0", &choices), "0");
        assert_eq!(chosen("2", &[]), "2");
        assert_eq!(chosen("keep half", &choices), "keep half");
    }
}
