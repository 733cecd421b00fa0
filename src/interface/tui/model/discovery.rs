//! What the search for model servers asked and heard, for the welcome screen, and the offer to keep what it found.
//!
//! Not here: who searches (the command line tells the console of it), what is drawn (`view/welcome`). Invariant: an offer
//! is made for a fleet that was found, by a console that can keep it, and no longer than until it is kept.

use super::UiEffect;
use crate::domain::text::CleanText;

/// How far the search is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Search {
    /// There is none: another process's session, a past, a fleet that was asked for.
    #[default]
    None,
    /// It is asking.
    Asking,
    /// It has ended.
    Over,
}

/// A machine that is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedHost {
    /// Its name as the operator wrote it.
    pub name: CleanText,
    /// Addresses that answered or were given up.
    pub asked: usize,
    /// Its addresses.
    pub of: usize,
    /// What answers there: kinds and models, in words.
    pub found: Vec<CleanText>,
}

/// Whether what was found can be kept as a fleet file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Offer {
    /// No: it was not found but configured or simulated, or this console can't.
    #[default]
    None,
    /// It can.
    Open,
    /// It is kept, in this file.
    Kept(CleanText),
}

/// What the search for model servers asked and heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// How far it is.
    pub search: Search,
    /// The machines, this one first. Empty while only configured endpoints are asked.
    pub hosts: Vec<AskedHost>,
    /// Whether what was found can be kept.
    pub offer: Offer,
}

impl Discovery {
    /// Addresses that answered or were given up, and all.
    pub fn progress(&self) -> (usize, usize) {
        self.hosts.iter().fold((0, 0), |(asked, of), host| (asked + host.asked, of + host.of))
    }

    /// Whether machines are worth a line each: while they are asked, and after that where there are others than this one.
    pub fn is_worth_telling(&self) -> bool {
        self.search == Search::Asking && !self.hosts.is_empty() || self.hosts.len() > 1
    }

    /// Keeps what was found, or says why not.
    pub(super) fn keep(&self) -> Vec<UiEffect> {
        match &self.offer {
            Offer::Open => vec![UiEffect::KeepFleet],
            Offer::Kept(path) => vec![UiEffect::Notice(CleanText::one_line(&format!("this fleet is kept in {path}")))],
            Offer::None => {
                let words = "this fleet was not found but given; `baton fleet init` looks and writes a fleet file";
                vec![UiEffect::Notice(CleanText::from_static(words))]
            }
        }
    }
}
