//! `baton fleet status`: every endpoint asked how it is.

use futures_util::future::join_all;
use serde::Serialize;

use super::answering::says_simulated;
use super::args::{Form, Global};
use super::choose::{FleetSource, fleet_to_look_at};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::servers::control;
use super::session::{SIMULATED, caution, configuration, runtime};
use crate::config::Config;
use crate::domain::fleet::{Endpoint, Nature};
use crate::domain::memory::{System, wider};
use crate::domain::protocol::{Health, ModelShape};
use crate::domain::text::CleanText;
use crate::domain::text::width::{Align, cut_end, pad};
use crate::engine::providers::{Client, Depth, Report, Traffic, probe};
use crate::engine::servers::{Server, ServerState};

/// An endpoint as it answers.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    name: String,
    health: &'static str,
    url: String,
    model: String,
    tiers: Vec<String>,
    slots: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reported_slots: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    busy: Option<u32>,
    context: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    /// What is wrong and how to mend it; empty when nothing is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) trouble: String,
    /// How its server stands that Baton started, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<Server>,
    #[serde(skip)]
    pub(crate) answers: bool,
    /// It answers, or will when it is loaded, and with the model that the fleet file names.
    #[serde(skip)]
    pub(crate) sound: bool,
    /// How it could serve more than one at a time, where it serves one.
    #[serde(skip)]
    pub(crate) wider: Option<CleanText>,
}

/// Prints how the fleet is.
///
/// # Errors
/// [`CliError`].
pub(crate) fn status(global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let lines = runtime()?.block_on(look(&config, global, printer))?;
    if global.form() == Form::Words {
        table(&lines, printer);
    } else {
        printer.json(&lines);
    }
    // A server that tells of fewer slots or less context than the file is used with those: only said.
    Ok(if lines.iter().all(|line| line.sound) { Exit::Done } else { Exit::TaskFailed })
}

async fn look(config: &Config, global: &Global, printer: &mut Printer) -> Result<Vec<Line>, CliError> {
    let chosen = fleet_to_look_at(config, &global.fleet, global.seed).await?;
    caution(config, printer);
    // Of configured endpoints the table says all.
    for sentence in chosen.words.iter().filter(|_| chosen.source != FleetSource::Configured) {
        printer.words(sentence);
    }
    let lines = ask(&chosen.fleet.endpoints).await;
    drop(chosen.simulator);
    let mut lines = lines?;
    let simulated = lines.iter().any(|line| line.server.as_deref().is_some_and(says_simulated));
    if simulated && chosen.source == FleetSource::Configured {
        printer.words(SIMULATED);
    }
    controlled(config, &chosen.fleet.endpoints, &mut lines)?;
    Ok(lines)
}

/// Adds how the servers stand that Baton started, and that it could start those that are down.
fn controlled(config: &Config, endpoints: &[Endpoint], lines: &mut [Line]) -> Result<(), CliError> {
    let servers = control(config)?;
    for (endpoint, line) in endpoints.iter().zip(lines).filter(|(endpoint, _)| endpoint.nature == Nature::Real) {
        let server = servers.look(endpoint).filter(|server| server.state != ServerState::Stopped);
        let said = match &server {
            Some(server) => server.to_string(),
            None if !line.answers => endpoint.how_to_start().unwrap_or_default(),
            None => String::new(),
        };
        let between = match line.trouble.chars().last() {
            Some(last) if !said.is_empty() => {
                if last == '.' {
                    " "
                } else {
                    "; "
                }
            }
            _ => "",
        };
        line.trouble = format!("{}{between}{said}", line.trouble);
        line.control = server;
    }
    Ok(())
}

/// Asks endpoints, all at once.
///
/// # Errors
/// [`CliError::Client`].
pub(crate) async fn ask(endpoints: &[Endpoint]) -> Result<Vec<Line>, CliError> {
    let client = Client::new()?;
    let asked = endpoints.iter().map(|endpoint| {
        let client = &client;
        async move { line(endpoint, probe(client, endpoint, Depth::Slots, Traffic::Quiet).await) }
    });
    Ok(join_all(asked).await)
}

fn line(endpoint: &Endpoint, report: Report) -> Line {
    let (health, trouble) = match &report.health {
        Health::Up => ("up", mismatch(endpoint, &report)),
        Health::Loading => ("loading", "the model is loading; ask again in a while".to_owned()),
        Health::Unknown => ("unknown", "no answer in time; ask again".to_owned()),
        Health::Down { reason } => ("down", reason.to_one_line().to_string()),
    };
    Line {
        name: endpoint.name.to_string(),
        health,
        url: endpoint.url.clone(),
        model: endpoint.model.clone(),
        tiers: endpoint.tiers.iter().map(ToString::to_string).collect(),
        slots: endpoint.slots,
        reported_slots: report.slots,
        busy: report.busy,
        context: report.context.map_or(endpoint.context, |told| told.min(endpoint.context)),
        server: report.server.map(|s| s.to_one_line().to_string()),
        trouble,
        control: None,
        answers: matches!(report.health, Health::Up | Health::Loading),
        sound: matches!(report.health, Health::Up | Health::Loading) && report.mismatch.is_none(),
        wider: narrow(endpoint, report.slots, report.context, report.shape),
    }
}

/// How an endpoint that serves one at a time could serve more.
fn narrow(
    endpoint: &Endpoint,
    slots: Option<u32>,
    context: Option<u32>,
    shape: Option<ModelShape>,
) -> Option<CleanText> {
    let serves = slots.filter(|told| *told > 0).unwrap_or(endpoint.slots);
    let context = context.map_or(endpoint.context, |told| told.min(endpoint.context));
    wider(endpoint, serves, context, shape, System::this())
}

/// Where the server says something else than the fleet file.
fn mismatch(endpoint: &Endpoint, report: &Report) -> String {
    let mut said: Vec<String> = report.mismatch.iter().map(ToString::to_string).collect();
    if let Some(slots) = report.slots.filter(|told| *told < endpoint.slots) {
        said.push(format!(
            "the server has {slots} slots, the fleet file says {}: start it with more (-np), or lower `slots`",
            endpoint.slots
        ));
    }
    if let Some(context) = report.context.filter(|told| *told < endpoint.context) {
        said.push(format!(
            "one request has {context} tokens of context, the fleet file says {}: start it with more (-c is context × slots), or lower `context`",
            endpoint.context
        ));
    }
    said.join("; ")
}

fn table(lines: &[Line], printer: &mut Printer) {
    let widest = |of: fn(&Line) -> &str, most: usize| {
        lines.iter().map(|l| crate::domain::text::width::width(of(l))).max().unwrap_or(0).min(most)
    };
    let (names, models) = (widest(|l| &l.name, 24).max(8), widest(|l| &l.model, 32).max(5));
    let cell = |text: &str, cells: usize| pad(&cut_end(text, cells), cells, Align::Left);
    printer.data_line(&format!(
        "{}  {}  {}  {:>5}  {:>7}  what is wrong, and the mend",
        cell("endpoint", names),
        cell("health", 7),
        cell("model", models),
        "slots",
        "context"
    ));
    for line in lines {
        let slots = match line.busy {
            Some(busy) if line.answers => format!("{busy}/{}", line.slots),
            _ => line.slots.to_string(),
        };
        let row = format!(
            "{}  {}  {}  {slots:>5}  {:>7}  {}",
            cell(&line.name, names),
            cell(line.health, 7),
            cell(&line.model, models),
            line.context,
            line.trouble
        );
        printer.data_line(row.trim_end());
    }
}
