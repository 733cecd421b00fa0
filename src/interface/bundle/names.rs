//! Whose names stand in a session: machines, people, projects, sessions; and a mark for each.
//!
//! Invariant: marks are counted in the order in which the names are met, so that the same journal gives the same bundle.

use std::collections::BTreeMap;

use crate::domain::protocol::{Author, Event, Record};

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bearer {
    Host,
    Person,
    Project,
    Session,
}

impl Bearer {
    const fn mark(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Person => "person",
            Self::Project => "project",
            Self::Session => "session",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Host => "the name of a machine",
            Self::Person => "the name of a person",
            Self::Project => "the name of a project",
            Self::Session => "the name of a session",
        }
    }
}

/// Names that tell nothing, and would be found in every text.
const COMMON: [&str; 10] =
    ["you", "root", "user", "admin", "baton", "localhost", "local", "home", "0.0.0.0", "this machine"];

/// The names that were met.
#[derive(Debug, Default)]
pub(super) struct Names {
    marks: BTreeMap<String, (String, Bearer)>,
    counts: BTreeMap<Bearer, usize>,
}

impl Names {
    /// Meets a name. One shorter than three letters is in every other word.
    pub(super) fn add(&mut self, bearer: Bearer, name: &str) {
        let name = name.trim().to_ascii_lowercase();
        if name.len() < 3
            || COMMON.contains(&name.as_str())
            || name.starts_with("127.")
            || self.marks.contains_key(&name)
        {
            return;
        }
        // A machine is called with its domain and without.
        let is_number = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let short = name.split('.').next().filter(|short| bearer == Bearer::Host && !is_number && short.len() > 2);
        let known = short.and_then(|short| self.marks.get(short)).map(|(mark, _)| mark.clone());
        let mark = known.unwrap_or_else(|| {
            let count = self.counts.entry(bearer).or_default();
            *count += 1;
            format!("{}-{count}", bearer.mark())
        });
        if let Some(short) = short.filter(|short| !COMMON.contains(short)) {
            self.marks.entry(short.to_owned()).or_insert_with(|| (mark.clone(), bearer));
        }
        self.marks.insert(name, (mark, bearer));
    }

    /// Meets the names of a record.
    pub(super) fn take(&mut self, record: &Record) {
        let mut author = |author: &Author| {
            if let Author::Person(name) = author {
                self.add(Bearer::Person, name);
            }
        };
        match &record.event {
            Event::PlanEdited(edit) => author(&edit.author),
            Event::CommandAccepted { author: by, .. } | Event::CommandRefused { author: by, .. } => author(by),
            Event::TaskAnswered(sent) | Event::MessageSent(sent) => author(&sent.author),
            Event::ResultEdited(edited) => author(&edited.author),
            Event::SessionStarted(started) => {
                self.add(Bearer::Session, started.session.as_str());
                if let Some(project) = &started.config.project {
                    self.add(Bearer::Project, project);
                }
                started.config.fleet.endpoints.iter().for_each(|endpoint| self.address(&endpoint.url));
            }
            Event::EndpointMoved { url, .. } => self.address(url),
            Event::SessionOpened(opened) => self.add(Bearer::Host, &opened.host),
            Event::SessionForked(forked) => {
                self.add(Bearer::Session, forked.session.as_str());
                self.add(Bearer::Session, forked.parent.as_str());
            }
            Event::ViewerJoined(viewer) => {
                self.add(Bearer::Person, &viewer.name);
                if let Some(host) = viewer.origin.strip_prefix("ssh ") {
                    self.add(Bearer::Host, host);
                }
            }
            _ => {}
        }
    }

    /// The machine of an address.
    fn address(&mut self, url: &str) {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        self.add(Bearer::Host, host.split(':').next().unwrap_or_default());
    }

    /// The mark of a name, if it has one.
    pub(super) fn mark(&self, name: &str) -> Option<&str> {
        self.marks.get(&name.to_ascii_lowercase()).map(|(mark, _)| mark.as_str())
    }

    /// All names with their marks and what they are.
    pub(super) fn list(&self) -> Vec<(String, String, &'static str)> {
        self.marks.iter().map(|(name, (mark, bearer))| (name.clone(), mark.clone(), bearer.kind())).collect()
    }
}
