//! Finding what is not to be given away in texts, and what stands in its place.
//!
//! Invariants: the same path, name or person has the same mark throughout; a piece of a stream is searched with the pieces
//! beside it, so that nothing hides in a cut; of a secret nothing is kept but its kind and where it stood.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{LeftOut, Replaced};
use crate::domain::text::secrets::{names_a_secret, suspects};

/// What stands in place of a secret: what Baton puts there when it knows one.
pub(super) const SECRET: &str = "«secret»";

/// Places that are named of one kind: more help nobody to find them.
const MOST_PLACES: usize = 8;

/// First folders of what is a path of a machine. Addresses of servers (`/v1/…`, `/api/…`) have others.
const ROOTS: [&str; 24] = [
    "Applications",
    "Library",
    "System",
    "Users",
    "Volumes",
    "bin",
    "data",
    "etc",
    "home",
    "mnt",
    "media",
    "nix",
    "opt",
    "private",
    "proc",
    "root",
    "run",
    "sbin",
    "srv",
    "tmp",
    "usr",
    "var",
    "work",
    "workspace",
];

/// A piece of a text that is to be replaced.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    range: Range<usize>,
    with: String,
    kind: String,
}

/// The search, and what it found so far.
pub(super) struct Scrub {
    /// Secrets that are known by their value, and what they are.
    known: Vec<(String, String)>,
    without: Vec<LeftOut>,
    /// Names in lower case, the longest first, with their marks and kinds.
    names: Vec<(String, String, &'static str)>,
    /// Folders of this machine that are paths whatever their roots.
    folders: Vec<String>,
    paths: BTreeMap<String, usize>,
    found: BTreeMap<String, Replaced>,
    searched: Searched,
}

/// Where names are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Searched {
    /// Everywhere.
    All,
    /// Where more than a word stands.
    Sentences,
}

impl Scrub {
    pub(super) fn new(
        known: Vec<(String, String)>,
        without: Vec<LeftOut>,
        mut names: Vec<(String, String, &'static str)>,
        folders: Vec<String>,
    ) -> Self {
        names.sort_by_key(|(name, ..)| std::cmp::Reverse(name.len()));
        Self { known, without, names, folders, paths: BTreeMap::new(), found: BTreeMap::new(), searched: Searched::All }
    }

    pub(super) fn is_without(&self, what: LeftOut) -> bool {
        self.without.contains(&what)
    }

    /// Does something with names looked for only where more than a word stands.
    pub(super) fn in_sentences(&mut self, act: impl FnOnce(&mut Self)) {
        self.searched = Searched::Sentences;
        act(self);
        self.searched = Searched::All;
    }

    /// What was replaced, by kind.
    pub(super) fn found(&self) -> Vec<Replaced> {
        self.found.values().cloned().collect()
    }

    /// Everything in a text that is to be replaced, in order.
    pub(super) fn hits(&mut self, text: &str) -> Vec<Hit> {
        let mut hits: BTreeMap<usize, Hit> = BTreeMap::new();
        let mut add = |range: Range<usize>, with: &str, kind: &str| {
            // What was found first goes before: a key is no name, and a path no word.
            let before = hits.range(..range.end).next_back();
            if before.is_none_or(|(_, hit)| hit.range.end <= range.start) {
                let kind = kind.to_owned();
                hits.insert(range.start, Hit { range, with: with.to_owned(), kind });
            }
        };
        for (value, kind) in &self.known {
            text.match_indices(value.as_str()).for_each(|(at, _)| add(at..at + value.len(), SECRET, kind));
        }
        suspects(text).into_iter().for_each(|found| add(found.range, SECRET, found.kind));
        if self.without.contains(&LeftOut::Paths) {
            for range in paths(text, &self.folders) {
                let path = text.get(range.clone()).unwrap_or_default();
                let next = self.paths.len() + 1;
                let number = *self.paths.entry(path.trim_end_matches('/').to_owned()).or_insert(next);
                add(range, &format!("/path-{number}"), "a path");
            }
        }
        if !self.names.is_empty() && (self.searched == Searched::All || text.contains([' ', '/'])) {
            // As long as the text itself, byte by byte.
            let lower = text.to_ascii_lowercase();
            for (name, mark, kind) in &self.names {
                let whole = |at: usize| {
                    let part = |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80;
                    let (before, after) = (lower.as_bytes().get(..at), lower.as_bytes().get(at + name.len()..));
                    !before.and_then(<[u8]>::last).is_some_and(part) && !after.and_then(<[u8]>::first).is_some_and(part)
                };
                for (at, _) in lower.match_indices(name.as_str()).filter(|(at, _)| whole(*at)) {
                    add(at..at + name.len(), mark, kind);
                }
            }
        }
        hits.into_values().collect()
    }

    /// A text with everything replaced.
    pub(super) fn text(&mut self, text: &str, place: &str) -> String {
        let mut pieces = Pieces::new(self.hits(text));
        self.count(pieces.hits(), place);
        pieces.next(text)
    }

    /// The value of what is named a secret.
    pub(super) fn named(&mut self, name: &str, place: &str) -> String {
        self.note(&format!("the value of {name}"), place);
        SECRET.to_owned()
    }

    /// Counts what is replaced there.
    pub(super) fn count(&mut self, hits: &[Hit], place: &str) {
        for hit in hits {
            self.note(&hit.kind, place);
        }
    }

    fn note(&mut self, kind: &str, place: &str) {
        let new = || Replaced { kind: kind.to_owned(), count: 0, places: Vec::new() };
        let found = self.found.entry(kind.to_owned()).or_insert_with(new);
        found.count += 1;
        if found.places.len() < MOST_PLACES && !found.places.iter().any(|known| known == place) {
            found.places.push(place.to_owned());
        }
    }

    /// Every text within a value; keys stay, since what has them must be found again.
    pub(super) fn value(&mut self, value: &mut serde_json::Value, place: &str) {
        use serde_json::Value;
        match value {
            Value::String(text) => {
                let clean = self.text(text, place);
                *text = clean;
            }
            Value::Array(items) => {
                let mut flag: Option<String> = None;
                for item in items {
                    let next = item.as_str().filter(|text| text.starts_with('-') && names_a_secret(text));
                    let next = next.map(str::to_owned);
                    match (&flag, &mut *item) {
                        (Some(flag), Value::String(text)) if !text.starts_with('-') => *text = self.named(flag, place),
                        (_, item) => self.value(item, place),
                    }
                    flag = next;
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    match field {
                        // A plain value of a variable; the name of one stands in a field of its own.
                        Value::String(text) if names_a_secret(key) && !text.is_empty() => {
                            *text = self.named(key, place);
                        }
                        field => self.value(field, place),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Where paths of a machine stand in a text.
fn paths(text: &str, folders: &[String]) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let begins = matches!(bytes[at], b'/' | b'~');
        let before = at.checked_sub(1).and_then(|n| bytes.get(n));
        // What follows a letter is the rest of an address, a fraction, or a closing mark.
        let apart = before.is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'/' | b'.' | b'<' | b'_' | b'-'));
        if !begins || !apart {
            at += 1;
            continue;
        }
        let rest = &bytes[at..];
        let long = rest
            .iter()
            .position(|b| b.is_ascii_whitespace() || b.is_ascii_control() || b"\"'`<>|;:,()[]{}*?".contains(b));
        let mut end = at + long.unwrap_or(rest.len());
        let path = text.get(at..end).unwrap_or_default().trim_end_matches(['.', '!']);
        end = at + path.len();
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let own = folders.iter().any(|folder| path.starts_with(folder.as_str()));
        let of_machine = path.starts_with('/') && ROOTS.contains(&first) && path.len() > first.len() + 2;
        if own || of_machine || path.starts_with("~/") {
            found.push(at..end);
        }
        at = end.max(at + 1);
    }
    found
}

/// A text that comes in pieces, and what is to be replaced in the whole of it.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    hits: Vec<Hit>,
    next: usize,
    at: usize,
}

impl Pieces {
    pub(super) fn new(hits: Vec<Hit>) -> Self {
        Self { hits, next: 0, at: 0 }
    }

    pub(super) fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// The next piece, replaced: a mark stands in the piece in which what it is for begins.
    pub(super) fn next(&mut self, text: &str) -> String {
        let (from, to) = (self.at, self.at + text.len());
        self.at = to;
        let mut out = String::with_capacity(text.len());
        let mut done = from;
        while let Some(hit) = self.hits.get(self.next).filter(|hit| hit.range.start < to) {
            if hit.range.start >= from {
                out.push_str(text.get(done - from..hit.range.start - from).unwrap_or_default());
                out.push_str(&hit.with);
            }
            done = hit.range.end.min(to);
            if hit.range.end > to {
                break;
            }
            self.next += 1;
        }
        out.push_str(text.get(done - from..).unwrap_or_default());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_came_in_pieces_is_replaced_once() {
        let whole = "the key is sk-abcd1234efgh5678ijkl, twice sk-abcd1234efgh5678ijkl.";
        let mut scrub = Scrub::new(Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let told = scrub.text(whole, "here");
        assert_eq!(told, "the key is «secret», twice «secret».");
        for size in 1..whole.len() {
            let mut pieces = Pieces::new(scrub.hits(whole));
            let joined: String =
                whole.as_bytes().chunks(size).map(|piece| pieces.next(std::str::from_utf8(piece).unwrap())).collect();
            assert_eq!(joined, told, "in pieces of {size}");
        }
        let found = scrub.found();
        assert_eq!((found.len(), found[0].count, &found[0].places[..]), (1, 2, &["here".to_owned()][..]));
    }

    #[test]
    fn paths_and_names_have_the_same_mark_throughout_and_addresses_stay() {
        let names = vec![("maria".to_owned(), "person-1".to_owned(), "a person's name")];
        let mut scrub = Scrub::new(Vec::new(), vec![LeftOut::Paths, LeftOut::Names], names, vec!["/x/own".into()]);
        // Put together: no file of ours names a path of somebody's machine.
        let path = ["", "Users", "maria", "a.rs"].join("/");
        let said = format!("in {path}: see ~/b, /x/own/c and </think>, /v1/chat, 1/2. Maria ({path})");
        let told = scrub.text(&said, "h");
        assert_eq!(told, "in /path-1: see /path-2, /path-3 and </think>, /v1/chat, 1/2. person-1 (/path-1)");
        assert_eq!(scrub.text("marian", "h"), "marian");
    }

    #[test]
    fn fields_variables_and_flags_that_name_a_secret_lose_their_value() {
        let mut scrub =
            Scrub::new(vec![("s3cr3t-value".into(), "the value of $X".into())], Vec::new(), Vec::new(), Vec::new());
        let mut value = serde_json::json!({
            "launch": {"args": ["--api-key", "plainword", "--port", "80"], "env": {"HF_TOKEN": "word", "HOME": "/h"}},
            "key": {"env": "OPENAI_API_KEY"}, "text": "it is s3cr3t-value",
        });
        scrub.value(&mut value, "the settings");
        assert_eq!(value["launch"]["args"], serde_json::json!(["--api-key", SECRET, "--port", "80"]));
        assert_eq!(value["launch"]["env"]["HF_TOKEN"], SECRET);
        assert_eq!(
            (&value["key"]["env"], &value["text"]),
            (&"OPENAI_API_KEY".into(), &format!("it is {SECRET}").into())
        );
        assert_eq!(scrub.found().iter().map(|r| r.count).sum::<u64>(), 3);
    }
}
