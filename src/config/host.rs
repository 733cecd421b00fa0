//! `[host."mac-studio"]` tables: what a configuration file says for one machine, so that several can share their files.
//!
//! Invariants: what stands in the table of this machine is laid over what the file says itself, as a layer above it would be,
//! and its origin names the table; the table of another machine changes nothing here, and is read by `baton config check`.

use super::ConfigError;
use crate::domain::source::{Node, SourceError, Value};

/// The table's name in every file.
pub(super) const HOST: &str = "host";

/// Whether a table is for a machine of that name: in any case, with the domain or without it.
pub fn is_host(table: &str, machine: &str) -> bool {
    let (table, machine) = (table.trim().to_ascii_lowercase(), machine.trim().to_ascii_lowercase());
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    // Two domains are two machines.
    let loose = !(table.contains('.') && machine.contains('.'));
    !table.is_empty() && (table == machine || (loose && short(&table) == short(&machine)))
}

/// Takes the tables for machines out of a file; those for this one come back, each with a name for its origin.
pub(super) fn take(root: &mut Node, machine: &str, errors: &mut Vec<ConfigError>) -> Vec<(String, Node)> {
    let Value::Map(entries) = &mut root.value else { return Vec::new() };
    let Some(at) = entries.iter().position(|entry| entry.key == HOST) else { return Vec::new() };
    let tables = entries.remove(at);
    let Value::Map(tables) = tables.node.value else {
        let what = format!("`host` is {}, and a table for each machine is expected", tables.node.kind());
        errors.push(SourceError::new(&tables.node.source, tables.place, what, "write [host.\"NAME\".…] above it"));
        return Vec::new();
    };
    let mut ours = Vec::new();
    for mut table in tables {
        if !matches!(table.node.value, Value::Map(_)) {
            let what = format!("`host.{}` is {}, and a table is expected", table.key, table.node.kind());
            let mend = format!("write [host.\"{}\".…] with what the file itself may hold", table.key);
            errors.push(SourceError::new(&table.node.source, table.place, what, mend));
        } else if is_host(&table.key, machine) {
            let name = format!("{} (host {})", table.node.source, table.key);
            rename(&mut table.node, &name.as_str().into());
            ours.push((name, table.node));
        }
    }
    ours
}

fn rename(node: &mut Node, source: &crate::domain::source::SourceName) {
    node.source = source.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| rename(item, source)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| rename(&mut entry.node, source)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_in_any_case_with_its_domain_or_without() {
        for (table, machine) in
            [("mac-studio", "Mac-Studio.local"), ("MAC-STUDIO.local", "mac-studio"), ("a.b.c", "A.B.C"), ("box", "box")]
        {
            assert!(is_host(table, machine), "{table} {machine}");
        }
        for (table, machine) in [("mac", "mac-studio"), ("a.home", "a.work"), ("", ""), ("box", ""), ("", "box")] {
            assert!(!is_host(table, machine), "{table} {machine}");
        }
    }
}
