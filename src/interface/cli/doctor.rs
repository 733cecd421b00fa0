//! `baton doctor`: everything Baton needs, looked at, each with how to mend it.

mod machine;

use std::io::IsTerminal;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;

use super::about::VERSION;
use super::args::{Form, Global};
use super::choose::{Unheard, search, why_useless};
use super::console::depth;
use super::error::{CliError, Exit};
use super::fleet::ask;
use super::offer::offered;
use super::print::Printer;
use super::session::{configuration, runtime};
use crate::config::{ColorChoice, Config, Paths, Surroundings};
use crate::engine::machine::local_ports;
use crate::engine::providers::{Client, Found};
use crate::interface::tui::theme::Depth;

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Finding {
    ok: bool,
    what: &'static str,
    found: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    mend: String,
    #[serde(skip)]
    weight: Weight,
}

/// What a finding says of the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// Nothing: it is well, or only good to know.
    Light,
    /// Something that is needed for work is missing.
    Heavy,
}

impl Finding {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { ok: true, what, found: found.into(), mend: String::new(), weight: Weight::Light }
    }

    fn warn(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { ok: false, what, found: found.into(), mend: mend.into(), weight: Weight::Light }
    }

    /// Without it work fails.
    fn wrong(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { weight: Weight::Heavy, ..Self::warn(what, found, mend) }
    }
}

/// Looks at everything. The exit code says whether work can be done: 1 where the configuration is wrong, no journal can be
/// kept, an endpoint of the operator's fleet is down or lacks its model, or nothing answers at all.
///
/// # Errors
/// When not even looking is possible.
pub(crate) fn doctor(global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let mut findings = vec![Finding::ok("version", format!("baton {VERSION}"))];
    let config = configuration(global);
    let color = config.as_ref().map_or(ColorChoice::Auto, |c| c.console.color);
    terminal(color, &mut findings);
    let paths = match &config {
        Ok(config) => config.paths.clone(),
        Err(_) => Paths::find(&Surroundings::of_process()),
    };
    folders(&paths, &mut findings);
    match &config {
        Ok(config) => {
            let agents = config.fleet.agents.len();
            let endpoints = config.fleet.endpoints.len();
            findings.push(Finding::ok("configuration", format!("{endpoints} endpoints, {agents} agents")));
            for caution in config.cautions() {
                findings.push(Finding::warn("project", caution.to_string(), "`baton trust` shows what it wants"));
            }
            for warning in &config.warnings {
                let place = format!("{}:{}: {}", warning.file, warning.line, warning.what);
                findings.push(Finding::warn("configuration", place, warning.mend.clone()));
            }
            runtime()?.block_on(fleet(config, &mut findings))?;
        }
        Err(CliError::Source(errors)) => {
            for error in errors {
                let place = format!("{}:{}:{}: {}", error.file, error.line, error.column, error.what);
                findings.push(Finding::wrong("configuration", place, error.mend.clone()));
            }
        }
        Err(other) => findings.push(Finding::wrong("configuration", other.to_string(), "mend the file")),
    }
    let ports = config.as_ref().map(|c| local_ports(&c.fleet)).unwrap_or_default();
    findings.extend(machine::look(&ports));
    let heavy = findings.iter().any(|finding| finding.weight == Weight::Heavy);
    let exit = if heavy { Exit::TaskFailed } else { Exit::Done };
    if global.form() != Form::Words {
        printer.json(&findings);
        return Ok(exit);
    }
    for finding in &findings {
        let mark = if finding.ok { "ok  " } else { "warn" };
        printer.data_line(&format!("{mark}  {:<14} {}", finding.what, finding.found));
        if !finding.mend.is_empty() {
            printer.data_line(&format!("{:<20} mend: {}", "", finding.mend));
        }
    }
    Ok(exit)
}

fn terminal(color: ColorChoice, findings: &mut Vec<Finding>) {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        let mend = "run `baton` in a terminal for the console; `baton run PLAN --headless` works without one";
        findings.push(Finding::warn("terminal", "stdin and stdout are not both a terminal", mend));
    } else if let Ok((columns, rows)) = crossterm::terminal::size() {
        let size = format!("{columns} columns, {rows} rows");
        findings.push(match columns < 60 || rows < 20 {
            true => Finding::warn("terminal", size, "make the window at least 60×20; 120×40 shows everything"),
            false => Finding::ok("terminal", size),
        });
    }
    let colours = match depth(color) {
        Depth::True => "24 bit",
        Depth::Ansi256 => "256",
        Depth::Ansi16 => "16",
        Depth::None => "none (bold and reverse only)",
    };
    let term = std::env::var("TERM").unwrap_or_default();
    findings.push(Finding::ok("colours", format!("{colours} (TERM is {term:?})")));
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_default();
    let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
    findings.push(if utf8 || locale.is_empty() {
        Finding::ok("symbols", "Unicode, unless the console finds that the terminal draws them double")
    } else {
        let mend = "set LANG to a UTF-8 locale, or `glyphs = \"unicode\"` in baton.toml if the terminal shows ● and ▸";
        Finding::warn("symbols", format!("ASCII, because the locale is {locale:?}"), mend)
    });
}

fn folders(paths: &Paths, findings: &mut Vec<Finding>) {
    let config = if paths.config.is_dir() { "" } else { " (not there: only what is built in is used)" };
    findings.push(Finding::ok("config folder", format!("{}{config}", paths.config.display())));
    findings.push(Finding::ok("log", paths.log.display().to_string()));
    findings.push(Finding::ok("sockets", paths.run.display().to_string()));
    findings.push(match writable(&paths.sessions) {
        Ok(()) => Finding::ok("journals", paths.sessions.display().to_string()),
        Err(error) => {
            let mend = "make the folder writable for you, or set XDG_STATE_HOME to one that is";
            Finding::wrong("journals", format!("{}: {error}", paths.sessions.display()), mend)
        }
    });
    let mode = std::fs::metadata(&paths.state).map(|meta| meta.permissions().mode() & 0o777);
    if let Ok(mode) = mode
        && mode & 0o077 != 0
    {
        let found = format!("others may look into {} (mode {mode:03o})", paths.state.display());
        findings.push(Finding::warn("permissions", found, format!("chmod 700 {}", paths.state.display())));
    }
}

/// Writes a file and takes it away again.
fn writable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file = folder.join(format!(".doctor-{}", std::process::id()));
    std::fs::write(&file, b"x")?;
    std::fs::remove_file(&file)
}

async fn fleet(config: &Config, findings: &mut Vec<Finding>) -> Result<(), CliError> {
    let lines = ask(&config.fleet.endpoints).await?;
    // What answers as configured is not asked again.
    let known: Vec<String> = lines
        .iter()
        .zip(&config.fleet.endpoints)
        .filter(|(line, _)| line.answers)
        .map(|(_, endpoint)| endpoint.pool().url)
        .collect();
    let mut addresses = config.discovery.addresses();
    addresses.retain(|address| !known.contains(&address.url));
    let asked = addresses.len();
    let found = search(&Client::new()?, config, addresses, &mut Unheard).await;
    for (line, endpoint) in lines.iter().zip(&config.fleet.endpoints) {
        let at = format!("{} at {}", endpoint.name, endpoint.url);
        findings.push(match line.trouble.is_empty() {
            true => Finding::ok("endpoint", format!("{at} answers")),
            // The sentence has its mend in it. Those that Baton knows by itself are nobody's who has others.
            false => Finding {
                weight: if config.has_own_fleet() && !line.sound { Weight::Heavy } else { Weight::Light },
                ..Finding::warn("endpoint", format!("{at}: {}", line.trouble), "")
            },
        });
        if let Some(words) = line.wider.as_ref().filter(|_| line.answers) {
            findings.push(Finding::warn("slots", words.as_str(), ""));
        }
    }
    for found in &found {
        findings.push(beside(found));
    }
    let up = lines.iter().any(|line| line.answers);
    let usable = found.iter().any(|found| !offered(found).is_empty());
    findings.push(match (up, usable) {
        (false, true) if config.has_own_fleet() => Finding::wrong(
            "fleet",
            "no endpoint of your fleet answers; what was found beside it is not used",
            "start its servers, or let `baton fleet init` write what answers into a fleet file",
        ),
        (true, false) => Finding::ok("fleet", "the configured fleet is used"),
        (true, true) => Finding::warn(
            "fleet",
            "the configured fleet is used; what was found beside it is not",
            "`baton fleet init` writes all that answers into a fleet file",
        ),
        (false, true) => Finding::warn(
            "fleet",
            "no configured endpoint answers; what was found is used, each model for what it is best at",
            "`baton fleet init` writes it into a fleet file, with tiers, slots and context of its own",
        ),
        (false, false) => Finding::wrong(
            "fleet",
            format!("no model server answers ({asked} more addresses asked)"),
            "start a model server, or name other machines with `baton fleet init --host NAME` or in [discovery] of \
             baton.toml; until then only the simulated fleet works (`--fleet sim`), marked SIMULATED",
        ),
    });
    Ok(())
}

/// A server that no endpoint names.
fn beside(found: &Found) -> Finding {
    let offered = offered(found);
    if offered.is_empty() {
        let (what, mend) = why_useless(found);
        return Finding::warn("found", what, mend);
    }
    let models: Vec<&str> = offered.iter().map(|model| model.name.as_str()).filter(|name| !name.is_empty()).collect();
    let version = found.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let models = if models.is_empty() { "loading its model".to_owned() } else { models.join(", ") };
    Finding::ok("found", format!("{}{version} at {}: {models}", found.kind.name(), found.url))
}
