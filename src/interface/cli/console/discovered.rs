//! The search for model servers as the console sees it: who was asked, what answers, and the offer to keep it.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::config::{Address, Config};
use crate::domain::text::CleanText;
use crate::engine::providers::Found;
use crate::interface::cli::args::FleetWish;
use crate::interface::cli::choose::{Chosen, FleetSource, Listener};
use crate::interface::cli::init::keep;
use crate::interface::cli::offer::{offered, short};
use crate::interface::tui::model::discovery::{AskedHost, Discovery, Offer, Search};
use crate::interface::tui::runtime::Keeps;

/// What was found, once the search has ended.
type Finds = Arc<OnceLock<Vec<Found>>>;

/// Tells a console how far the search is.
pub(super) struct Searched {
    /// Only the latest counts, so nothing piles up.
    tell: watch::Sender<Discovery>,
    finds: Finds,
}

/// What a console has of it.
pub(super) struct Heard {
    told: watch::Receiver<Discovery>,
    finds: Finds,
}

impl Searched {
    /// A search that is about to begin, where the wish is for one.
    pub(super) fn new(wish: &FleetWish) -> (Self, Heard) {
        let search = match wish {
            FleetWish::Auto | FleetWish::Configured => Search::Asking,
            FleetWish::Simulated | FleetWish::File(_) => Search::None,
        };
        let (tell, told) = watch::channel(Discovery { search, ..Discovery::default() });
        let finds = Finds::default();
        (Self { tell, finds: Arc::clone(&finds) }, Heard { told, finds })
    }

    /// The fleet is chosen: what was found can be kept, where that is what is used.
    pub(super) fn ends(self, chosen: &Chosen) {
        let offer = if chosen.source == FleetSource::Found { Offer::Open } else { Offer::None };
        if offer == Offer::Open {
            // Set once, here.
            let _ = self.finds.set(chosen.found.clone());
        }
        self.tell.send_modify(|told| told.offer = offer);
    }
}

impl Drop for Searched {
    /// However it ended, it asks no more.
    fn drop(&mut self) {
        self.tell.send_modify(|told| told.search = Search::Over);
    }
}

impl Listener for Searched {
    fn begins(&mut self, addresses: &[Address]) {
        let mut hosts: Vec<AskedHost> = Vec::new();
        for address in addresses {
            let name = CleanText::one_line(&address.host);
            match hosts.iter_mut().find(|host| host.name == name) {
                Some(host) => host.of += 1,
                None => hosts.push(AskedHost { name, of: 1, ..AskedHost::default() }),
            }
        }
        self.tell.send_modify(|told| told.hosts = hosts);
    }

    fn asked(&mut self, address: &Address, found: Option<&Found>) {
        let name = CleanText::one_line(&address.host);
        self.tell.send_modify(|told| {
            if let Some(host) = told.hosts.iter_mut().find(|host| host.name == name) {
                host.asked += 1;
                host.found.extend(found.map(words));
            }
        });
    }
}

impl Heard {
    /// Where it is told.
    pub(super) fn told(&self) -> watch::Receiver<Discovery> {
        self.told.clone()
    }

    /// Keeps what was found, as `baton fleet init` does.
    pub(super) fn keeps(&self, config: &Config) -> Keeps {
        let (config, finds) = (config.clone(), Arc::clone(&self.finds));
        Arc::new(move || {
            let found = finds.get().map_or(&[][..], Vec::as_slice);
            let kept = keep(&config, found).map(|path| CleanText::one_line(&path.display().to_string()));
            kept.map_err(|error| CleanText::one_line(&error.to_string()))
        })
    }
}

/// A server in a few words.
fn words(found: &Found) -> CleanText {
    let models: Vec<String> = offered(found).iter().map(|model| short(&model.name).to_owned()).collect();
    CleanText::one_line(format!("{} {}", found.kind.name(), models.join(" + ")).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Place;
    use crate::engine::providers::{FoundModel, Readiness, ServerKind};

    #[test]
    fn the_console_hears_of_every_machine_as_it_answers() {
        let (mut searched, heard) = Searched::new(&FleetWish::Auto);
        let address = |host: &str, port: u16| Address {
            host: host.to_owned(),
            url: format!("http://{host}:{port}"),
            place: Place::Elsewhere,
        };
        let addresses = [address("mac", 1), address("mac", 2), address("mini\u{1b}[31m", 1)];
        assert_eq!(heard.told().borrow().search, Search::Asking);
        searched.begins(&addresses);
        assert_eq!(heard.told().borrow().progress(), (0, 3));
        let found = Found {
            url: "http://mac:2".to_owned(),
            kind: ServerKind::LlamaCpp,
            readiness: Readiness::Serves,
            models: vec![FoundModel::named("/m/tiny.gguf")],
            version: None,
        };
        searched.asked(&addresses[1], Some(&found));
        searched.asked(&addresses[2], None);
        let told = heard.told().borrow().clone();
        assert_eq!(told.progress(), (2, 3));
        assert_eq!((told.hosts[0].asked, told.hosts[0].found.as_slice()), (1, &["llama.cpp tiny".into()][..]));
        drop(searched);
        assert_eq!(heard.told().borrow().search, Search::Over);
        assert!(!told.hosts[1].name.contains('\u{1b}') && told.is_worth_telling());
    }
}
