//! A fleet file as text: TOML with comments that say what each value is and where it came from.
//!
//! Written by hand, since the `toml` crate writes no comments, and text so that no name of a model can end a string. Invariants: what is read back is what was meant; a comment is one line, whatever a server said.

use std::fmt::Write as _;

use serde::Serialize;
use toml::Value;

use super::draft::{Draft, Key, Line, Source};
use crate::domain::fleet::{Api, Endpoint, Work};
use crate::domain::protocol::EndpointName;
use crate::domain::text::CleanText;

/// The most names of models that are left out and listed.
const LISTED: usize = 20;

/// The column where comments begin, as in the built-in file.
const COLUMN: usize = 38;

/// The text of the file.
pub(super) fn text(draft: &Draft, date: &str) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "# The fleet that answered when `baton fleet init` looked on {date}.
#
# It is yours to change; `baton config schema fleet` tells every field, `baton fleet status` how each endpoint is, and
# `baton fleet init --force` looks anew and keeps this file beside the new one. An endpoint is one model on one server.
# Tiers were given by what the models tell of themselves and by their names: a first guess.
# A key is never written here, only where it is to be had: `key = {{ env = \"NAME\" }}` or `key = {{ command = \"…\" }}`."
    );
    for lacking in &draft.lacking {
        let agents: Vec<&str> = lacking.agents.iter().map(|agent| agent.as_str()).collect();
        let stands_in = draft.lines.get(lacking.stands_in).map_or("", |line| line.endpoint.name.as_str());
        let words = format!(
            "# LACKING: nothing found is for the tier {}, which {} needs. {stands_in} stands in; give the tier to another when you have one.",
            lacking.tier,
            agents.join(", "),
        );
        let _ = writeln!(out, "#\n{}", comment(&words));
    }
    let _ = writeln!(out, "\nname = {}", written(&draft.name));
    line_of(&mut out, "replace", "true", "none of the built-in endpoints is used");
    for line in &draft.lines {
        endpoint(&mut out, line);
    }
    if !draft.left.is_empty() {
        let _ = writeln!(
            out,
            "\n# Also there and not used: to use one, copy the endpoint of its server and change `name` and `model`. A server may have\n# to unload one model for another."
        );
        for (server, models) in &draft.left {
            let more = models.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            let names: Vec<&str> = models.iter().take(LISTED).map(String::as_str).collect();
            let _ = writeln!(out, "{}", comment(&format!("#   {server}: {}{more}", names.join(", "))));
        }
    }
    for locked in &draft.locked {
        lock(&mut out, locked);
    }
    for (what, mend) in &draft.useless {
        let _ = writeln!(out, "\n{}", comment(&format!("# {what}: {mend}")));
    }
    out
}

fn endpoint(out: &mut String, line: &Line) {
    let e = &line.endpoint;
    out.push('\n');
    let (server, assumed, context_told, key) = match &line.source {
        Source::Found { server, assumed, context_told, key } => (server.as_str(), *assumed, *context_told, *key),
        Source::Silent => {
            let _ = writeln!(out, "# It did not answer; it is kept as it was configured.");
            ("", None, true, Key::Settled)
        }
    };
    let _ = writeln!(out, "[[endpoint]]");
    line_of(out, "name", &written(e.name.as_str()), "in commands and files");
    if let Some(title) = &e.title {
        line_of(out, "title", &written(title), "on the screen; the first word is the short form");
    }
    let why: Vec<String> = line.served.iter().map(|s| format!("{}: {}", s.tier, s.why)).collect();
    for words in &why {
        let _ = writeln!(out, "{}", comment(&format!("# {words}")));
    }
    let work: Vec<&str> = e.tiers.iter().filter_map(Work::of).map(Work::words).collect();
    line_of(out, "tiers", &value(&e.tiers), &work.join(" · "));
    line_of(out, "protocol", &value(&e.protocol), server);
    line_of(out, "url", &written(&e.url), "");
    line_of(out, "model", &written(&e.model), "as the server knows it");
    if !line.adapters.is_empty() {
        let more = line.adapters.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let names: Vec<&str> = line.adapters.iter().take(LISTED).map(String::as_str).collect();
        let words = format!(
            "# also serves {}{more}: for one of them, copy this endpoint and change its model",
            names.join(", ")
        );
        let _ = writeln!(out, "{}", comment(&words));
    }
    line_of(out, "slots", &e.slots.to_string(), assumed.unwrap_or("requests at once"));
    let context = if context_told {
        "tokens of ONE request"
    } else {
        "tokens of ONE request; not told, so small: raise it to what you start it with"
    };
    line_of(out, "context", &e.context.to_string(), context);
    if key == Key::Wanted {
        let variable = variable(&e.name);
        let says = format!("it wants a key: name the variable that holds it, and export {variable}");
        line_of(out, "# key", &format!("{{ env = {} }}", written(&variable)), &says);
    }
    rest(out, e);
}

/// The environment variable that a key might be in, by the endpoint's name.
fn variable(name: &EndpointName) -> String {
    let upper = name.as_str().to_ascii_uppercase();
    let word: String = upper.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let word = if word.starts_with(|c: char| c.is_ascii_digit()) { format!("_{word}") } else { word };
    format!("{word}_KEY")
}

/// An endpoint for a server that lists nothing without a key, in comments.
fn lock(out: &mut String, e: &Endpoint) {
    let mut lines = vec![
        format!(
            "# It wants a key, and says no more without one: name the variable that holds it, and a model that it has."
        ),
        "# [[endpoint]]".to_owned(),
        format!("# name = {}", written(e.name.as_str())),
        format!("# tiers = [{}]", written("q4_tools")),
        format!("# protocol = {}", value(&e.protocol)),
        format!("# url = {}", written(&e.url)),
        "# model = \"\"".to_owned(),
        format!("# slots = {}", e.slots),
        format!("# context = {}", e.context),
    ];
    lines.push(format!("# key = {{ env = {} }}", written(&variable(&e.name))));
    out.push('\n');
    for line in lines {
        let _ = writeln!(out, "{}", comment(&line));
    }
}

/// The fields that are given only where there is something to say.
fn rest(out: &mut String, e: &Endpoint) {
    if e.api != Api::Chat {
        line_of(out, "api", &value(&e.api), "");
    }
    if let Some(key) = &e.key {
        line_of(out, "key", &value(key), "where its key is to be had");
    }
    if let Some(level) = &e.level {
        line_of(out, "level", &value(level), "what it does with a reasoning level");
    }
    if e.vision {
        line_of(out, "vision", "true", "it reads images");
    }
    if e.tools {
        line_of(out, "tools", "true", "it calls tools");
    }
    if let Some(memory) = e.memory_gb {
        line_of(out, "memory_gb", &format!("{memory:?}"), "planned, without KV cache");
    }
    if let Some(speed) = e.tokens_per_second {
        line_of(out, "tokens_per_second", &format!("{speed:?}"), "of one slot, until it is measured");
    }
    if let Some(price) = &e.price {
        let cached = price.cached.map_or_else(String::new, |cached| format!(", cached = {cached:?}"));
        let price = format!("{{ input = {:?}, output = {:?}{cached} }}", price.input, price.output);
        line_of(out, "price", &price, "US dollars for a million tokens");
    }
    if let Some(launch) = &e.launch
        && let Ok(Value::Table(launch)) = Value::try_from(launch)
    {
        out.push_str("\n[endpoint.launch]\n");
        for (key, value) in &launch {
            let _ = writeln!(out, "{key} = {value}");
        }
    }
}

/// `key = value`, with a comment behind it.
fn line_of(out: &mut String, key: &str, value: &str, says: &str) {
    let line = format!("{key} = {value}");
    if says.is_empty() {
        let _ = writeln!(out, "{line}");
    } else {
        // A value that is longer than the column keeps its distance all the same.
        let _ = writeln!(out, "{line:<width$} {}", comment(&format!("# {says}")), width = COLUMN - 1);
    }
}

/// Text as a TOML string on one line. What an editor would not show as it is (controls, overrides of direction, spaces
/// without width) is written by its number.
fn written(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let shown = c.is_ascii_graphic() || c == ' ' || CleanText::one_line(c.encode_utf8(&mut [0; 4])).contains(c);
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if shown && !c.is_control() => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// A value as TOML; nothing that can fail is ever given.
fn value(value: &impl Serialize) -> String {
    Value::try_from(value).map(|value| value.to_string()).unwrap_or_default()
}

/// A comment of one line: what servers say has no line ends and no controls here.
fn comment(text: &str) -> CleanText {
    CleanText::one_line(text)
}
