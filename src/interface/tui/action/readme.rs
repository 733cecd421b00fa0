//! The README's table of keys, made from the table of actions; a test fails when the README has another.
//!
//! In tests only: the program itself never reads the README.

use super::Context;
use super::table::{CONTEXTS, ENTRIES};

const BEGIN: &str = "<!-- keys: written from the table of actions -->\n";
const END: &str = "<!-- end of keys -->";

/// A row for each action, or more where its keys differ by context. What cards and text fields share with the rest is
/// not said again.
fn table() -> String {
    let mut out = String::from("| key | what it does | where |\n| --- | --- | --- |\n");
    for entry in ENTRIES {
        let mut rows: Vec<(&[&str], Vec<&str>)> = Vec::new();
        for binding in entry.bindings {
            let name = CONTEXTS.iter().find(|(c, ..)| *c == binding.context).map_or("", |(_, name, _)| name);
            let known = |(keys, _): &&mut (&[&str], Vec<&str>)| binding.keys.iter().all(|k| keys.contains(k));
            match rows.iter_mut().find(known) {
                Some(_) if matches!(binding.context, Context::Card | Context::Text) => {}
                Some((_, names)) => names.push(name),
                None => rows.push((binding.keys, vec![name])),
            }
        }
        for (keys, names) in rows {
            let keys: Vec<String> = keys.iter().map(|k| format!("`{k}`")).collect();
            out.push_str(&format!("| {} | {} | {} |\n", keys.join(" "), entry.words, names.join(", ")));
        }
    }
    out
}

#[test]
fn the_readmes_keys_are_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the README has no mark where keys begin");
    let (now, after) = rest.split_once(END).expect("the README has no mark where keys end");
    if std::env::var_os("BATON_WRITE_KEYS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert!(now == table(), "the keys in README.md are old: run this test with BATON_WRITE_KEYS=1");
}
