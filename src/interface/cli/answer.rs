//! `baton answer`: the questions that wait for the operator in the running sessions, and the answer to one.

use clap::Args;

use super::args::{Form, Global};
use super::attach::{given, reach};
use super::error::{CliError, Exit};
use super::inbox::{Seen, SeenTask};
use super::narrow::hang_in;
use super::print::Printer;
use super::session::{configuration, runtime};
use crate::domain::protocol::Command;
use crate::domain::text::CleanText;
use crate::interface::remote::{Call, Given, SessionInfo};

/// What `baton answer` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The session, by any unique part of its name or words of its goal; all that run when absent.
    #[arg(allow_negative_numbers = true)]
    session: Option<String>,
    /// Whose question; not needed while there is one.
    #[arg(long, requires = "text")]
    task: Option<String>,
    /// The answer: words, or the number of a choice. Without it the questions are listed.
    #[arg(long)]
    text: Option<String>,
}

/// A question, and the session it is asked in.
struct Open<'a> {
    call: &'a Call,
    info: &'a SessionInfo,
    task: SeenTask,
}

/// Lists questions, or answers one.
///
/// # Errors
/// [`CliError`].
pub(crate) fn answer(args: &AnswerArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    runtime()?.block_on(async {
        let given = if args.text.is_some() { given(global) } else { Given::Nothing };
        let reached = reach(&config, args.session.as_deref(), given, printer).await?;
        if reached.is_empty() {
            return Err(CliError::NoneRuns);
        }
        let mut open = Vec::new();
        for (call, info) in &reached {
            let seen: Seen = match call.get("/v1/state").await {
                Ok(seen) => seen,
                // One of several that ends just now asks nothing any more.
                Err(error) if args.session.is_none() && reached.len() > 1 => {
                    printer.words(&format!("{}: {error}", info.session));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            open.extend(seen.asking().into_iter().map(|task| Open { call, info, task }));
        }
        let Some(text) = &args.text else {
            list(&open, reached.len(), global.form(), printer);
            return Ok(Exit::Done);
        };
        let (call, task, choices) = match &args.task {
            Some(word) => {
                // Whose name fits and who asks; in the only session one that asks nothing is refused there, in words.
                let fits = |o: &&Open| super::ctl::task(word, o.info).is_ok_and(|task| task == o.task.id);
                let asks: Vec<&Open> = open.iter().filter(fits).collect();
                match (asks.as_slice(), reached.as_slice()) {
                    ([one], _) => (one.call, one.task.id.clone(), one.task.choices.clone()),
                    ([], [(call, info)]) => (call, super::ctl::task(word, info)?, Vec::new()),
                    ([], _) => {
                        return Err(CliError::Usage(format!("no session asks as {word}; `baton inbox` lists all")));
                    }
                    (several, _) => return Err(ambiguous(several.iter().copied())),
                }
            }
            None => {
                let one = match open.as_slice() {
                    [one] => one,
                    [] => return Err(CliError::Usage("no question waits for an answer".to_owned())),
                    several => return Err(ambiguous(several.iter())),
                };
                (one.call, one.task.id.clone(), one.task.choices.clone())
            }
        };
        let command = Command::Answer { task, text: chosen(text, &choices) };
        let (verdict, id) = call.command(None, &command, None).await?;
        Ok(super::ctl::answer(&command, &verdict, id.as_str(), global, printer))
    })
}

/// What is said where several ask: the command line for each.
fn ambiguous<'a>(several: impl Iterator<Item = &'a Open<'a>>) -> CliError {
    let line = |o: &Open| format!("  baton answer {} --task {} --text …", o.info.session, o.task.id);
    let lines: Vec<String> = several.map(line).collect();
    CliError::Usage(format!("several questions wait; name one:\n{}", lines.join("\n")))
}

/// The words of an answer: a number is one of the choices, where there are any.
fn chosen(text: &str, choices: &[CleanText]) -> String {
    let number = text.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    number.and_then(|n| choices.get(n)).map_or_else(|| text.to_owned(), ToString::to_string)
}

fn list(open: &[Open], sessions: usize, form: Form, printer: &mut Printer) {
    if open.is_empty() && form == Form::Words {
        printer.words("no question waits for an answer");
    }
    let columns = printer.columns();
    for o in open {
        let question = o.task.question.clone().unwrap_or_default();
        if form == Form::Words {
            let session = if sessions > 1 { format!("{}  ", o.info.session) } else { String::new() };
            let mut lines = hang_in("", &format!("{session}{}  {}", o.task.id, o.task.title), columns);
            lines.extend(hang_in("  ", &question, columns));
            for (n, choice) in (1..).zip(&o.task.choices) {
                lines.extend(hang_in(&format!("  {n}  "), choice, columns));
            }
            lines.iter().for_each(|line| printer.data_line(line));
        } else {
            let value = serde_json::json!({
                "session": o.info.session, "task": o.task.id, "question": question, "choices": o.task.choices,
            });
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
