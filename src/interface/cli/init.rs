//! `baton fleet init`: looks for model servers and writes what answers into a fleet file to keep.
//!
//! The console's offer to keep what was found goes the same way ([`keep`]). Not here: how servers are asked (`choose`),
//! what is said of each address (`heard`), what becomes of servers (`draft`), how it is written (`file`). Invariants: nothing is overwritten unless asked,
//! and then the old file stays beside the new; a file is there whole or not at all.

mod draft;
mod file;
mod heard;
#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{FleetWish, Form, Global, InitArgs};
use super::choose::search;
use super::error::{CliError, Exit};
use super::offer::look_closer_at_offered;
use super::print::Printer;
use super::session::{caution, configuration, runtime};
use crate::config::{Address, Config, Layer, addresses_of, place_of};
use crate::domain::fleet::Endpoint;
use crate::domain::text::CleanText;
use crate::domain::text::width::{Align, cut_end, pad, width};
use crate::engine::providers::{Client, Found};
use draft::{Draft, Source, draft};
use heard::{Heard, Named, said};

/// Looks, prints what it found, and writes the file.
///
/// # Errors
/// [`CliError`]: an address that is none, a file that is there already, one that can't be written.
pub(crate) fn init(args: &InitArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    caution(&config, printer);
    let path = path(args, global, &config);
    if !args.print && !args.force && fs::symlink_metadata(&path).is_ok() {
        return Err(CliError::FleetFileExists(path));
    }
    let addresses = addresses(args, &config)?;
    printer.words(&format!("asking {} addresses: {}", addresses.len(), hosts(&addresses)));
    let found = runtime()?.block_on(async {
        let client = Client::new()?;
        let mut heard = Heard::default();
        let mut found = search(&client, &config, addresses.clone(), &mut heard).await;
        look_closer_at_offered(&client, &config, &mut found).await;
        Ok::<_, CliError>((found, heard))
    })?;
    let (found, heard) = found;
    for line in said(&addresses, &named(args, &config), &found, &heard) {
        printer.words(&line);
    }
    let draft = draft(&config, &found, &name(&config));
    if !draft.is_useful() {
        for (what, mend) in &draft.useless {
            printer.words(&format!("{what}: {mend}"));
        }
        return Err(CliError::NothingFound { asked: hosts(&addresses) });
    }
    let text = file::text(&draft, &today());
    if args.print {
        printer.data(&text);
        words(&draft, printer);
        return Ok(Exit::Done);
    }
    let kept = write(&path, &text, if args.force { Existing::KeptBeside } else { Existing::Refused })?;
    match global.form() {
        Form::Words => table(&draft, printer),
        Form::Json | Form::JsonLines => printer.json(&Report::of(&draft, &kept)),
    }
    words(&draft, printer);
    if let Some(old) = &kept.old {
        printer.words(&format!("the fleet file that was there is now {}", old.display()));
    }
    printer.words(&format!("written: {}", kept.path.display()));
    let next = if path == config.paths.config.join("fleet.toml") {
        "next: look it over, then `baton fleet status`, then `baton`".to_owned()
    } else {
        format!("next: look it over, then `baton --fleet {}`", kept.path.display())
    };
    printer.words(&next);
    Ok(Exit::Done)
}

/// Keeps what a console's session found as the operator's fleet file, where there is none.
///
/// # Errors
/// As [`init`].
pub(crate) fn keep(config: &Config, found: &[Found]) -> Result<PathBuf, CliError> {
    let draft = draft(config, found, &name(config));
    let text = file::text(&draft, &today());
    Ok(write(&config.paths.config.join("fleet.toml"), &text, Existing::Refused)?.path)
}

/// The file that is written.
fn path(args: &InitArgs, global: &Global, config: &Config) -> PathBuf {
    match (&args.output, &global.fleet) {
        (Some(path), _) | (None, FleetWish::File(path)) => path.clone(),
        _ => config.paths.config.join("fleet.toml"),
    }
}

/// What is asked: this machine, the hosts of the configuration and those of the command line, and where the operator's own
/// endpoints are; ports of the command line take the place of the known ones, among which those of the built-in ones are.
fn addresses(args: &InitArgs, config: &Config) -> Result<Vec<Address>, CliError> {
    let mut settings = config.discovery.clone();
    if !args.port.is_empty() {
        settings.ports.clone_from(&args.port);
    }
    for host in &args.host {
        addresses_of(host, &settings.ports).map_err(|error| CliError::Usage(format!("--host {host}: {error}")))?;
    }
    settings.hosts.extend(args.host.iter().cloned());
    let mut addresses = settings.addresses();
    for endpoint in &config.fleet.endpoints {
        let url = endpoint.pool().url;
        let origin = config.origin(&format!("endpoint.{}.url", endpoint.name)).map(|origin| origin.layer);
        if matches!(origin, Some(Layer::User | Layer::FleetFile)) && !addresses.iter().any(|address| address.url == url)
        {
            let host = addresses_of(&url, &[]).ok().and_then(|all| all.into_iter().next()).map(|address| address.host);
            addresses.push(Address { host: host.unwrap_or_else(|| url.clone()), place: place_of(&url), url });
        }
    }
    Ok(addresses)
}

/// The addresses that the operator named one by one, and those that come of a host without a port.
fn named(args: &InitArgs, config: &Config) -> Named {
    let own = |path: &str| {
        let layer = config.origin(path).map(|origin| origin.layer);
        matches!(layer, Some(Layer::User | Layer::FleetFile))
    };
    let ports = if args.port.is_empty() { &config.discovery.ports } else { &args.port };
    let mut named = Named::default();
    if !args.port.is_empty() || own("discovery.ports") {
        named.each.extend(addresses_of("127.0.0.1", ports).into_iter().flatten().map(|address| address.url));
    }
    for host in config.discovery.hosts.iter().chain(&args.host) {
        let addresses = addresses_of(host, ports).unwrap_or_default();
        let urls = addresses.into_iter().map(|address| address.url);
        let together = addresses_of(host, &[]).is_ok_and(|alone| alone.is_empty()) && args.port.is_empty();
        if together {
            named.hosts.push((host.clone(), urls.collect()));
        } else {
            named.each.extend(urls);
        }
    }
    named
}

/// The machines among addresses, each once, with their number of addresses.
fn hosts(addresses: &[Address]) -> String {
    let mut hosts: Vec<(&str, usize)> = Vec::new();
    for address in addresses {
        match hosts.iter_mut().find(|(host, _)| *host == address.host) {
            Some((_, count)) => *count += 1,
            None => hosts.push((&address.host, 1)),
        }
    }
    let words = hosts.iter().map(|(host, count)| {
        let ports = if *count == 1 { "1 port".to_owned() } else { format!("{count} ports") };
        format!("{host} ({ports})")
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The fleet's name: the one it has, unless that is built in, else this machine's.
fn name(config: &Config) -> String {
    let own = config.origin("name").is_some_and(|origin| matches!(origin.layer, Layer::User | Layer::FleetFile));
    if own && !config.fleet.name.is_empty() {
        return config.fleet.name.clone();
    }
    let host = CleanText::one_line(&sysinfo::System::host_name().unwrap_or_default());
    let short = host.split('.').next().unwrap_or_default().to_lowercase();
    if short.is_empty() { "mine".to_owned() } else { short }
}

fn today() -> String {
    let now = time::OffsetDateTime::from(std::time::SystemTime::now());
    now.date().to_string()
}

/// What happens to a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    /// It stays, and nothing is written.
    Refused,
    /// It stays under another name.
    KeptBeside,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    path: PathBuf,
    /// Where the one is that was there.
    old: Option<PathBuf>,
}

/// Writes the file whole, first under another name.
fn write(path: &Path, text: &str, existing: Existing) -> Result<Kept, CliError> {
    // A link stays one: what it leads to is written.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |source: io::Error| CliError::Write { path: path.clone(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let fresh = beside(&path, &format!("new-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&fresh).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let placed = written.map_err(failed).and_then(|()| match existing {
        // A hard link takes no name that is taken, which a rename would.
        Existing::Refused => match fs::hard_link(&fresh, &path) {
            Ok(()) => Ok(None),
            Err(_) if fs::symlink_metadata(&path).is_ok() => Err(CliError::FleetFileExists(path.clone())),
            // A file system without links.
            Err(_) => fs::rename(&fresh, &path).map(|()| None).map_err(failed),
        },
        Existing::KeptBeside => {
            let old = keep_beside(&path).map_err(failed)?;
            fs::rename(&fresh, &path).map(|()| old).map_err(failed)
        }
    });
    // After a rename it is gone already; a copy that stays does no harm.
    let _ = fs::remove_file(&fresh);
    Ok(Kept { old: placed?, path })
}

/// Gives the file that is there a second name, the first that is free; none where there is no file.
fn keep_beside(path: &Path) -> io::Result<Option<PathBuf>> {
    for n in 1..1_000 {
        let old = beside(path, &if n == 1 { "bak".to_owned() } else { format!("bak{n}") });
        match fs::hard_link(path, &old) {
            Ok(()) => return Ok(Some(old)),
            Err(_) if fs::symlink_metadata(&old).is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A file system without links.
            Err(_) => return fs::rename(path, &old).map(|()| Some(old)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "there are 999 old ones beside it already: remove some"))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

/// An endpoint in the answer for programs.
#[derive(Debug, Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    endpoint: &'a Endpoint,
    answers: bool,
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Report<'a> {
    file: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<&'a Path>,
    endpoints: Vec<Told<'a>>,
    lacking: Vec<&'a str>,
}

impl<'a> Report<'a> {
    fn of(draft: &'a Draft, kept: &'a Kept) -> Self {
        let told = draft.lines.iter().map(|l| Told { endpoint: &l.endpoint, answers: l.source != Source::Silent });
        Self {
            file: &kept.path,
            old: kept.old.as_deref(),
            endpoints: told.collect(),
            lacking: draft.lacking.iter().map(|lacking| lacking.tier.as_str()).collect(),
        }
    }
}

/// What was found, a row each.
fn table(draft: &Draft, printer: &mut Printer) {
    let rows: Vec<[String; 6]> = draft
        .lines
        .iter()
        .map(|line| {
            let e = &line.endpoint;
            let server = match &line.source {
                Source::Found { server, .. } => server.clone(),
                Source::Silent => "does not answer".to_owned(),
            };
            let tiers: Vec<&str> = e.tiers.iter().map(|tier| tier.as_str()).collect();
            let model = CleanText::one_line(&e.model).to_string();
            [
                e.name.to_string(),
                format!("{server}, {}", e.url),
                model,
                e.slots.to_string(),
                e.context.to_string(),
                tiers.join(", "),
            ]
        })
        .collect();
    let heads = ["endpoint", "server", "model", "slots", "context", "tiers"];
    let widest = |i: usize| {
        let cells = rows.iter().filter_map(|row| row.get(i)).map(|cell| width(cell));
        cells.max().unwrap_or(0).max(heads.get(i).map_or(0, |head| head.len())).min(48)
    };
    let widths: Vec<usize> = (0..heads.len()).map(widest).collect();
    let mut print = |cells: &[&str]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(i, (cell, cells))| {
            let align = if matches!(i, 3 | 4) { Align::Right } else { Align::Left };
            pad(&cut_end(cell, *cells), *cells, align).clone()
        });
        printer.data_line(padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    print(&heads);
    for row in &rows {
        print(&row.each_ref().map(String::as_str));
    }
}

/// What is to be said beside the table.
fn words(draft: &Draft, printer: &mut Printer) {
    for lacking in &draft.lacking {
        let agents: Vec<&str> = lacking.agents.iter().map(|agent| agent.as_str()).collect();
        let stands_in = draft.endpoints().nth(lacking.stands_in).map_or("", |endpoint| endpoint.name.as_str());
        printer.words(&format!(
            "lacking: nothing found is for the tier {} of {}; {stands_in} stands in",
            lacking.tier,
            agents.join(", ")
        ));
    }
    for (what, mend) in &draft.useless {
        printer.words(&format!("{what}: {mend}"));
    }
}
