//! What the user does on the Fleet screen: the selected endpoint, which part has the focus, the page of its log and
//! history.
//!
//! Not here: drawing (`view/fleet`), what its keys do to an endpoint ([`verbs`]), its form ([`form`]). Invariant: the
//! selection stays with its endpoint; what a frame shows follows from the state and these choices alone, apart from the
//! log, which is of now.

pub mod form;
pub mod log;
pub mod parts;
pub mod questions;
pub mod verbs;

use self::log::LogUi;
use super::logs::{LogNews, LogSource};
use super::scroll::Scroll;
use super::task_verbs::not_here;
use super::{Msg, UiEffect, notice};
use crate::domain::protocol::{EndpointName, Micros};
use crate::domain::state::{EndpointIx, State};
use crate::interface::tui::action::{Action, Context};

/// Which part has the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FleetFocus {
    /// The strips.
    #[default]
    Strips,
    /// The machine's memory.
    Memory,
    /// What is known of the selected endpoint.
    Detail,
}

/// Which half of a page has the focus, and is shown where there is room for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Half {
    /// The log.
    #[default]
    Log,
    /// What is known of the endpoint, with its history.
    History,
}

/// The page of one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Whose.
    pub endpoint: EndpointName,
    /// Which half has the focus.
    pub half: Half,
    /// Its log.
    pub log: LogUi,
    /// Where the history stands.
    pub(crate) scroll: Scroll,
}

/// The user's side of the Fleet screen.
#[derive(Clone, Debug, Default)]
pub struct FleetUi {
    /// Which part has the focus.
    pub focus: FleetFocus,
    /// The page that is open.
    pub page: Option<Page>,
    selected: Option<EndpointName>,
    /// Its place, for when it is gone.
    at: usize,
    /// Where the memory stands.
    pub(crate) memory: Scroll,
    /// Where the detail stands.
    pub(crate) detail: Scroll,
    /// Endpoints that the list shows at once.
    pub(crate) shown: std::cell::Cell<usize>,
}

impl FleetUi {
    /// The selected endpoint; none: there is none at all.
    pub fn selected(&self, state: &State) -> Option<EndpointIx> {
        let last = state.endpoints().len().checked_sub(1)?;
        let found = self.selected.as_ref().and_then(|name| state.find_endpoint(name));
        Some(found.unwrap_or(EndpointIx(self.at.min(last) as u32)))
    }

    /// Selects an endpoint.
    pub fn select(&mut self, ix: EndpointIx, state: &State) {
        let Some(e) = state.endpoints().get(ix.0 as usize) else { return };
        if self.selected.as_ref() != Some(&e.config.name) {
            self.detail = Scroll::default();
        }
        (self.selected, self.at) = (Some(e.config.name.clone()), ix.0 as usize);
    }

    fn step(&mut self, by: isize, state: &State) {
        let Some(last) = state.endpoints().len().checked_sub(1) else { return };
        let at = self.selected(state).map_or(0, |ix| ix.0 as usize);
        self.select(EndpointIx(at.saturating_add_signed(by).min(last) as u32), state);
    }

    /// The contexts of its focus, innermost first.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        match &self.page {
            Some(page) if page.log.is_typing() => vec![Context::Text],
            Some(page) if page.half == Half::Log => vec![Context::Output],
            _ => vec![Context::Fleet, Context::List],
        }
    }

    /// One level back on this screen; none: there was none.
    pub fn back(&mut self) -> Option<Vec<UiEffect>> {
        if let Some(page) = &mut self.page {
            return Some(if page.log.back() { Vec::new() } else { self.close() });
        }
        (self.focus != FleetFocus::Strips).then(|| {
            self.focus = FleetFocus::Strips;
            Vec::new()
        })
    }

    /// Closes the page that is open; nobody reads a log that nobody sees.
    pub fn close(&mut self) -> Vec<UiEffect> {
        let followed = self.page.take().is_some();
        followed.then_some(UiEffect::StopLog).into_iter().collect()
    }

    /// Opens the page of an endpoint.
    pub fn open(&mut self, ix: EndpointIx, state: &State) -> Vec<UiEffect> {
        self.select(ix, state);
        let endpoint = state.endpoint(ix).config.name.clone();
        let source = state.servers.get(&endpoint).and_then(LogSource::of);
        let half = if source.is_some() { Half::Log } else { Half::History };
        self.page = Some(Page { endpoint, half, log: LogUi::default(), scroll: Scroll::default() });
        source.map(UiEffect::FollowLog).into_iter().collect()
    }

    /// Takes in what was read of the log that is followed.
    pub(super) fn hear(&mut self, news: LogNews) {
        if let Some(page) = self.page.as_mut().filter(|page| page.endpoint == news.endpoint) {
            page.log.hear(news);
        }
    }

    /// Does what an action means here.
    pub fn update(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        if let Some(page) = &mut self.page {
            match action {
                Action::NextPane | Action::PreviousPane | Action::Order => {
                    page.half = match page.half {
                        Half::Log => Half::History,
                        Half::History => Half::Log,
                    };
                    return Vec::new();
                }
                Action::Copy if page.log.lines.is_empty() => return notice("there is no log to copy"),
                Action::Copy => return vec![UiEffect::Copy(page.log.lines.join("\n"))],
                Action::Back => return Vec::new(),
                Action::Search | Action::NextMatch | Action::PreviousMatch if page.half == Half::History => {
                    return notice("tab goes to the log, where / searches");
                }
                Action::Search if page.log.lines.is_empty() => return notice("there is nothing to search"),
                Action::NextMatch | Action::PreviousMatch if page.log.query().is_empty() => {
                    return notice("/ looks for words first");
                }
                Action::Enter if !page.log.is_typing() => return notice("esc goes back to the fleet"),
                action if page.half == Half::Log || page.log.is_typing() => {
                    if page.log.act(action) {
                        return Vec::new();
                    }
                }
                action => {
                    if page.scroll.act(action) {
                        return Vec::new();
                    }
                }
            }
        } else if let Some(scroll) = match self.focus {
            FleetFocus::Strips => None,
            FleetFocus::Memory => Some(&mut self.memory),
            FleetFocus::Detail => Some(&mut self.detail),
        } && scroll.act(action)
        {
            return Vec::new();
        }
        let page = self.shown.get().saturating_sub(1).max(1) as isize;
        match action {
            Action::Down => self.step(1, state),
            Action::Up => self.step(-1, state),
            Action::PageDown => self.step(page, state),
            Action::PageUp => self.step(-page, state),
            Action::First => self.step(isize::MIN / 2, state),
            Action::Last | Action::Follow => self.step(isize::MAX / 2, state),
            Action::NextPane | Action::Right => self.turn(1),
            Action::PreviousPane | Action::Left => self.turn(2),
            Action::Back => {}
            _ => {
                let Some(ix) = self.selected(state) else {
                    return notice("the fleet has no endpoints; f on the welcome screen chooses one");
                };
                return match action {
                    Action::Enter => self.open(ix, state),
                    Action::Copy => vec![UiEffect::Copy(state.endpoint(ix).config.url.clone())],
                    Action::Search => notice("the list is short; j and k go through it, enter opens a log to search"),
                    verb => verbs::act(verb, ix, state, now).unwrap_or_else(|| not_here(verb)),
                };
            }
        }
        Vec::new()
    }

    fn turn(&mut self, by: usize) {
        const ALL: [FleetFocus; 3] = [FleetFocus::Strips, FleetFocus::Memory, FleetFocus::Detail];
        let at = ALL.iter().position(|f| *f == self.focus).unwrap_or(0);
        self.focus = ALL[(at + by) % ALL.len()];
    }

    /// A click on an endpoint: selects it; the second one opens its page.
    pub(super) fn click(&mut self, row: usize, state: &State) -> Vec<UiEffect> {
        if row >= state.endpoints().len() {
            return Vec::new();
        }
        let ix = EndpointIx(row as u32);
        if self.focus == FleetFocus::Strips && self.selected(state) == Some(ix) {
            return self.open(ix, state);
        }
        self.focus = FleetFocus::Strips;
        self.select(ix, state);
        Vec::new()
    }

    /// Takes a key of the search, a paste, or the wheel.
    pub fn input(&mut self, msg: &Msg, state: &State) -> Vec<UiEffect> {
        match (&mut self.page, msg) {
            (Some(page), Msg::Wheel(_, _, by)) if page.half == Half::History => page.scroll.wheel(*by),
            (Some(page), msg) => page.log.input(msg),
            (None, Msg::Wheel(_, _, by)) => match self.focus {
                FleetFocus::Strips => self.step(isize::from(by.signum()), state),
                FleetFocus::Memory => self.memory.wheel(*by),
                FleetFocus::Detail => self.detail.wheel(*by),
            },
            _ => {}
        }
        Vec::new()
    }

    /// At another moment a log is not what it was then: its page shows the history.
    pub(super) fn leave_now(&mut self) {
        if let Some(page) = &mut self.page {
            (page.log, page.half) = (LogUi::default(), Half::History);
        }
    }

    /// Fits the choices to a moment: an endpoint that is not there has no page.
    pub(super) fn settle_at(&mut self, state: &State) {
        if self.page.as_ref().is_some_and(|page| state.find_endpoint(&page.endpoint).is_none()) {
            self.page = None;
        }
    }
}

#[cfg(test)]
mod tests;
