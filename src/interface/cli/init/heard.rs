//! What was heard at the addresses that the operator named: a line for each, whatever came.
//!
//! Not here: who is asked (`init`), what a stranger is (`engine/providers/identify`). Invariant: nothing that was named is
//! passed over; a host that was named without a port has one line for all its ports where nothing is.

use crate::config::Address;
use crate::domain::text::CleanText;
use crate::engine::providers::{Found, Readiness, Stranger};
use crate::interface::cli::choose::Listener;

/// Follows a search and keeps what came where no model server answers.
#[derive(Debug, Default)]
pub(super) struct Heard {
    strangers: Vec<(String, Stranger)>,
}

impl Listener for Heard {
    fn begins(&mut self, _: &[Address]) {}

    fn asked(&mut self, _: &Address, _: Option<&Found>) {}

    fn stranger(&mut self, address: &Address, stranger: &Stranger) {
        self.strangers.push((address.url.clone(), stranger.clone()));
    }
}

/// What the operator named.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Addresses, each by itself.
    pub(super) each: Vec<String>,
    /// Hosts without a port, with the addresses that come of them.
    pub(super) hosts: Vec<(String, Vec<String>)>,
}

/// A line for each address that was named, in the order in which they were asked.
pub(super) fn said(addresses: &[Address], named: &Named, found: &[Found], heard: &Heard) -> Vec<String> {
    let mut lines = Vec::new();
    let of_host = |url: &String| named.hosts.iter().any(|(_, urls)| urls.contains(url));
    for Address { url, .. } in addresses {
        let each = named.each.contains(url);
        if !each && !of_host(url) {
            continue;
        }
        if let Some(found) = found.iter().find(|found| found.url == *url) {
            lines.push(format!("{url}: {}", server(found)));
        } else if let Some((_, stranger)) = heard.strangers.iter().find(|(known, _)| known == url)
            && (each || matches!(stranger, Stranger::Other(_)))
        {
            lines.push(format!("{url} {}", stranger.words()));
        }
    }
    for (host, urls) in &named.hosts {
        let mut silent = urls.iter().filter(|url| !named.each.contains(url)).filter_map(|url| {
            heard.strangers.iter().find_map(|(known, stranger)| match stranger {
                Stranger::Silent(words) if known == url => Some((url, words)),
                Stranger::Silent(_) | Stranger::Other(_) => None,
            })
        });
        let Some((_, first)) = silent.next() else { continue };
        let rest: Vec<(&String, &CleanText)> = silent.collect();
        let (count, ports) = (rest.len() + 1, if rest.is_empty() { "port" } else { "ports" });
        // They have one reason, most often: the machine is off, or nothing listens.
        let why = if rest.iter().all(|(_, words)| *words == first) { first.as_str() } else { "nothing answers" };
        lines.push(format!(
            "{}: {why}, on {count} of {} {ports} that were asked",
            CleanText::one_line(host),
            urls.len()
        ));
    }
    lines
}

/// A model server in a few words.
fn server(found: &Found) -> String {
    let version = found.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let models = match found.chat().count() {
        0 => "no model that answers".to_owned(),
        1 => "1 model".to_owned(),
        n => format!("{n} models"),
    };
    let rest = match found.readiness {
        Readiness::Serves => models,
        Readiness::Loading => "it is loading its model".to_owned(),
        Readiness::WantsKey => "it wants a key: `key = { env = \"NAME\" }` in its endpoint".to_owned(),
    };
    format!("{}{version}, {rest}", found.kind.name())
}
