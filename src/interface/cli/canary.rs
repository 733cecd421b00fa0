//! `baton fleet canary`: whether servers give each of many requests at once its own answer.
//!
//! Not here: what is sent and how it is judged (`engine/providers/canary`). Invariant: it changes nothing; the fleet file
//! is the operator's.

use serde::Serialize;

use super::args::{FleetWish, Form, Global};
use super::choose::choose_fleet;
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::{caution, configuration, runtime};
use crate::domain::fleet::Endpoint;
use crate::domain::text::CleanText;
use crate::engine::providers::{Canary, Client, MOST_CANARIES};

/// What came of an endpoint.
#[derive(Debug, Serialize)]
struct Told {
    name: String,
    url: String,
    model: String,
    slots: u32,
    /// Requests at once that were tried first.
    tried: u32,
    /// The most at once at which no answer was another's.
    clean: Option<u32>,
    answers: u32,
    mixed: usize,
    unclear: u32,
    failed: usize,
    words: String,
}

/// Tries endpoints, one after the other.
///
/// # Errors
/// [`CliError`]: a name that is none, no fleet.
pub(crate) fn canary(
    names: &[String],
    at: Option<u32>,
    global: &Global,
    printer: &mut Printer,
) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    caution(&config, printer);
    let told = runtime()?.block_on(async {
        let wish = match &global.fleet {
            FleetWish::Auto => FleetWish::Configured,
            wish => wish.clone(),
        };
        let chosen = choose_fleet(&config, &wish, global.seed, global.unanswered()).await?;
        let all = &chosen.fleet.endpoints;
        if let Some(name) = names.iter().find(|name| !all.iter().any(|e| e.name.as_str() == name.as_str())) {
            let known: Vec<&str> = all.iter().map(|e| e.name.as_str()).collect();
            return Err(CliError::Usage(format!("there is no endpoint {name}; there are {}", known.join(", "))));
        }
        let wanted = |e: &&Endpoint| match names.is_empty() {
            true => e.slots > 1 || at.is_some(),
            false => names.iter().any(|name| name == e.name.as_str()),
        };
        let client = Client::new()?;
        let mut told = Vec::new();
        for endpoint in all.iter().filter(wanted) {
            let width = at.unwrap_or(endpoint.slots);
            printer.words(&format!(
                "{}: {} at once, each to repeat a word of its own",
                endpoint.name,
                width.min(MOST_CANARIES)
            ));
            let found = crate::engine::providers::canary(&client, endpoint, width).await;
            told.push(of(endpoint, &found));
        }
        Ok(told)
    })?;
    if told.is_empty() {
        printer.words(
            "no endpoint has more than one slot: nothing can be mixed up; `--at N` tries N at once all the same",
        );
    }
    match global.form() {
        Form::Words => told.iter().for_each(|told| printer.data_line(&format!("{}: {}", told.name, told.words))),
        Form::Json | Form::JsonLines => printer.json(&told),
    }
    Ok(if told.iter().any(|told| told.mixed > 0) {
        Exit::TaskFailed
    } else if told.iter().any(|told| told.clean.is_none()) {
        Exit::NotStarted
    } else {
        Exit::Done
    })
}

fn of(endpoint: &Endpoint, found: &Canary) -> Told {
    Told {
        name: endpoint.name.to_string(),
        url: endpoint.url.clone(),
        model: endpoint.model.clone(),
        slots: endpoint.slots,
        tried: found.width,
        clean: found.clean,
        answers: found.answers,
        mixed: found.mixed.len(),
        unclear: found.unclear,
        failed: found.failed.len(),
        words: CleanText::one_line(&words(endpoint, found)).to_string(),
    }
}

fn words(endpoint: &Endpoint, found: &Canary) -> String {
    let failed = match found.failed.first() {
        Some(first) => format!("; {} requests failed, the first with: {first}", found.failed.len()),
        None => String::new(),
    };
    let beyond = if endpoint.slots > found.width && found.width == MOST_CANARIES {
        format!("; it has {} slots, and {MOST_CANARIES} at once are the most that are tried", endpoint.slots)
    } else {
        String::new()
    };
    match (found.clean, found.mixed.first()) {
        _ if found.answers == 0 => format!("no answer came{failed}"),
        (None, _) if found.judged() > 0 => format!(
            "nothing is known: of {} answers {} say whose they are, and at no width all came with two that do{failed}",
            found.answers,
            found.judged()
        ),
        (None, _) => {
            format!("{} answers say nothing: none holds a word that was to be repeated{failed}", found.answers)
        }
        (Some(clean), Some((asked, came))) => format!(
            "{} of {} answers were another request's (asked to say {asked}, it said {came}); up to {clean} at once none was: \
             write `slots = {clean}` in its endpoint, and tell the server's makers{failed}",
            found.mixed.len(),
            found.answers
        ),
        (Some(clean), None) => {
            format!("{} answers at {clean} at once, each its own{beyond}{failed}", found.judged())
        }
    }
}
