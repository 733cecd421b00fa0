//! `baton config`: what is set and by whom, where files are, and their schemas.

use super::args::{ConfigSub, Form, Global, SchemaFile};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::{caution, configuration};
use crate::config::{Paths, Surroundings, hosts_named, mistakes, schemas, show_paths};
use crate::domain::source::text_of;
use crate::interface::tui::action::Keymap;

/// Prints what is asked for.
///
/// # Errors
/// The configuration is wrong (`show` only).
pub(crate) fn config(command: ConfigSub, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let words = global.form() == Form::Words;
    match command {
        ConfigSub::Show => {
            let config = configuration(global)?;
            caution(&config, printer);
            if words {
                printer.data_line(config.show_text().trim_end());
                for warning in &config.warnings {
                    printer.words(&warning.to_string());
                }
            } else {
                printer.json(&config.show_json());
            }
        }
        ConfigSub::Check => return check(global, printer),
        // Works where the configuration is broken too: one must find the file to mend it.
        ConfigSub::Path => {
            let lines = show_paths(&Paths::find(&Surroundings::of_process()));
            if words {
                lines.iter().for_each(|line| printer.data_line(&line.to_string()));
            } else {
                printer.json(&lines);
            }
        }
        ConfigSub::Schema { file } => {
            let all = schemas();
            match file {
                None => printer.json(&all),
                Some(SchemaFile::Fleet) => printer.json(&all.fleet),
                Some(SchemaFile::Agents) => printer.json(&all.agents),
                Some(SchemaFile::Baton) => printer.json(&all.baton),
                Some(SchemaFile::Plan) => printer.json(&all.plan),
            }
        }
    }
    Ok(Exit::Done)
}

/// Reads all of it, and says what is wrong with it.
fn check(global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let (surroundings, flags) = (Surroundings::of_process(), global.flags());
    let wrong = mistakes(&surroundings, &flags);
    let keys = wrong_keys(&surroundings);
    if global.form() == Form::Words {
        wrong.iter().for_each(|error| printer.data_line(&error.to_string()));
        keys.iter().for_each(|line| printer.data_line(line));
    } else {
        printer.json(&serde_json::json!({"errors": wrong, "keys": keys}));
    }
    if !wrong.is_empty() || !keys.is_empty() {
        return Ok(Exit::Usage);
    }
    let tables = hosts_named(&surroundings, &flags);
    let others = match tables.len() {
        0 => String::new(),
        _ => format!(", with what it says for {}", tables.join(", ")),
    };
    printer.words(&format!("the configuration is in order{others}; this machine is {:?}", surroundings.host()));
    Ok(Exit::Done)
}

/// What is wrong in `keys.toml`, here and in what it says for other machines.
fn wrong_keys(surroundings: &Surroundings) -> Vec<String> {
    let path = Paths::find(surroundings).config.join("keys.toml");
    let name = path.display().to_string();
    let text = match std::fs::read(&path).map(|bytes| text_of(bytes, &name)) {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return vec![error.to_string()],
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![format!("{name}: can't be read: {error}")],
    };
    let mut lines: Vec<String> = Vec::new();
    for host in std::iter::once(surroundings.host()).chain(Keymap::hosts_named(&text)) {
        let (_, wrong) = Keymap::with_user_on(&host, &name, &text);
        let said: Vec<String> = wrong.iter().map(ToString::to_string).filter(|line| !lines.contains(line)).collect();
        lines.extend(said);
    }
    lines
}
