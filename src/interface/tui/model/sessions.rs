//! What the user does on the Sessions screen: the list, its filter, the search through all that was said, and what a
//! session is chosen for.
//!
//! What is listed comes as [`SessionsNews`] from a thread of its own. Not here: drawing (`view/sessions`), finding
//! (`engine/journal`). Invariants: the cursor stays with its session whatever is added; what ends work here, or deletes,
//! asks first.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyModifiers};

use super::scroll::Scroll;
use super::task_verbs::not_here;
use super::{Card, Choice, Layer, Msg, Next, UiEffect, notice};
use crate::domain::protocol::{Micros, SessionId};
use crate::domain::state::State;
use crate::domain::text::{CleanText, Needle};
use crate::engine::journal::{Found, Glance};
use crate::interface::tui::action::{Action, Context};

/// Matches that are kept of one session: more are counted only.
pub(crate) const MOST_HITS: usize = 50;

/// What was found out about sessions.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionsNews {
    /// All there are, last written first; what is not fresh among them follows.
    Listed {
        /// The sessions.
        found: Vec<Glance>,
        /// The wall time, in milliseconds since 1970.
        now_ms: u64,
        /// Where they are.
        root: CleanText,
    },
    /// One of them was read.
    Known(Box<Glance>),
    /// All of them were.
    AllKnown,
    /// They could not be listed.
    Failed(CleanText),
    /// A match of the search of that number.
    Hit(u64, SessionId, Box<Found>),
    /// That search has looked through so many sessions of all.
    Looked(u64, usize, usize),
    /// Something to be said: a file was saved, a session deleted, or not.
    Said(CleanText),
}

/// As what a session is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionForm {
    /// A report, as Markdown.
    Report,
    /// All that was asked and answered, as Markdown.
    Transcript,
    /// Every record, a line of JSON each.
    Records,
}

/// How far the list is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Listing {
    /// Nobody has looked.
    #[default]
    NotYet,
    /// Some are still to be read.
    Reading,
    /// It is complete.
    Whole,
    /// It can't be had.
    Failed(CleanText),
}

/// A search through all that was said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    number: u64,
    pub(crate) text: String,
    /// Sessions looked through, and all.
    pub(crate) looked: (usize, usize),
    pub(crate) hits: BTreeMap<SessionId, Vec<Found>>,
    pub(crate) count: usize,
}

/// A row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A session, by its place.
    Session(usize),
    /// A match in it.
    Hit(usize, usize),
}

/// The user's side of the Sessions screen.
#[derive(Clone, Debug, Default)]
pub struct SessionsUi {
    pub(crate) listing: Listing,
    pub(crate) found: Vec<Glance>,
    pub(crate) root: CleanText,
    /// When it was listed.
    pub(crate) now_ms: u64,
    pub(crate) search: Option<Search>,
    /// Where the list stands.
    pub(crate) list: Scroll,
    filter: String,
    /// While the filter is typed: what it was before.
    typing: Option<String>,
    rows: Vec<Row>,
    /// The last search's number.
    searches: u64,
    cursor: Option<(SessionId, Option<usize>)>,
}

impl SessionsUi {
    /// The contexts of its focus, innermost first.
    pub fn contexts(&self) -> Vec<Context> {
        match self.typing {
            Some(_) => vec![Context::Text],
            None => vec![Context::Sessions, Context::List],
        }
    }

    /// Whether the filter is being typed.
    pub fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    /// Takes in what was found out.
    pub fn hear(&mut self, news: SessionsNews) -> Vec<UiEffect> {
        match news {
            SessionsNews::Listed { found, now_ms, root } => {
                self.listing = Listing::Reading;
                (self.found, self.now_ms, self.root) = (found, now_ms, root);
            }
            SessionsNews::Known(glance) => {
                if let Some(known) = self.found.iter_mut().find(|g| g.id == glance.id) {
                    *known = *glance;
                }
            }
            SessionsNews::AllKnown => self.listing = Listing::Whole,
            SessionsNews::Failed(words) => self.listing = Listing::Failed(words),
            // What an earlier search still has to say is nothing of this one.
            SessionsNews::Hit(number, session, hit) => {
                if let Some(search) = self.search.as_mut().filter(|s| s.number == number) {
                    search.count += 1;
                    let hits = search.hits.entry(session).or_default();
                    if hits.len() < MOST_HITS {
                        hits.push(*hit);
                    }
                }
            }
            SessionsNews::Looked(number, done, of) => {
                if let Some(search) = self.search.as_mut().filter(|s| s.number == number) {
                    search.looked = (done, of);
                }
            }
            SessionsNews::Said(words) => return vec![UiEffect::Notice(words)],
        }
        self.arrange();
        Vec::new()
    }

    /// Which rows there are.
    fn arrange(&mut self) {
        let needle = Needle::new(self.filter.trim());
        let all = self.filter.trim().is_empty();
        let passes = |g: &Glance| {
            let goal = g.summary.as_ref().map_or("", |s| s.goal.as_str());
            all || [goal, g.word(), g.id.as_str()].iter().any(|text| needle.find(text, 0).is_some())
        };
        self.rows.clear();
        for (i, glance) in self.found.iter().enumerate() {
            let hits = self.search.as_ref().and_then(|s| s.hits.get(&glance.id)).map_or(0, Vec::len);
            if hits > 0 || passes(glance) {
                self.rows.push(Row::Session(i));
                self.rows.extend((0..hits).map(|hit| Row::Hit(i, hit)));
            }
        }
    }

    /// The rows shown, in order.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The selected row.
    pub(crate) fn position(&self) -> usize {
        let Some((id, hit)) = &self.cursor else { return 0 };
        let is = |row: &Row| match (row, hit) {
            (Row::Session(i), None) => self.found[*i].id == *id,
            (Row::Hit(i, h), Some(hit)) => self.found[*i].id == *id && h == hit,
            _ => false,
        };
        self.rows.iter().position(is).unwrap_or(0)
    }

    /// The selected session.
    pub fn selected(&self) -> Option<&Glance> {
        let (Row::Session(i) | Row::Hit(i, _)) = self.rows.get(self.position())?;
        self.found.get(*i)
    }

    /// The selected match.
    pub(crate) fn selected_hit(&self) -> Option<&Found> {
        let Row::Hit(i, hit) = self.rows.get(self.position())? else { return None };
        self.search.as_ref()?.hits.get(&self.found.get(*i)?.id)?.get(*hit)
    }

    /// What the fixed line says: what is typed or set, and what comes of it.
    pub(crate) fn field(&self) -> Option<(&'static str, String, String)> {
        if self.is_typing() {
            let says = "enter filters by goal, state, name; ctrl-f searches all that was said".to_owned();
            return Some(("filter", self.filter.clone(), says));
        }
        if let Some(search) = &self.search {
            let found = plural(search.count, "match", "matches");
            let (done, of) = search.looked;
            let says = if done < of { format!("{found}, {done} of {of} sessions looked through") } else { found };
            return Some(("search", search.text.clone(), format!("{says}; n N go through them, esc takes it off")));
        }
        let shown = plural(self.rows.len(), "session", "sessions");
        (!self.filter.is_empty()).then(|| ("filter", self.filter.clone(), format!("{shown}; esc takes it off")))
    }

    /// Whether there is a level to go back.
    pub(super) fn is_inside(&self) -> bool {
        self.typing.is_some() || self.search.is_some() || !self.filter.is_empty()
    }

    /// One level back.
    pub(super) fn back(&mut self) -> Vec<UiEffect> {
        let mut effects = Vec::new();
        if let Some(before) = self.typing.take() {
            self.filter = before;
        } else if self.search.take().is_some() {
            self.filter.clear();
            effects.push(UiEffect::StopSearch);
        } else {
            self.filter.clear();
        }
        if let Some((_, hit)) = &mut self.cursor {
            *hit = None;
        }
        self.arrange();
        effects
    }

    fn go(&mut self, row: usize) {
        let row = row.min(self.rows.len().saturating_sub(1));
        self.cursor = self.rows.get(row).map(|row| match row {
            Row::Session(i) => (self.found[*i].id.clone(), None),
            Row::Hit(i, hit) => (self.found[*i].id.clone(), Some(*hit)),
        });
    }

    fn step(&mut self, by: isize) {
        self.go(self.position().saturating_add_signed(by));
    }

    /// A click on a row: selects it; the second one opens it.
    pub(super) fn click(&mut self, row: usize, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.position() == row && self.cursor.is_some() {
            return self.update(Action::Enter, state, now);
        }
        self.go(row);
        Vec::new()
    }

    /// Does what an action means here.
    pub fn update(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.typing.is_some() {
            return match action {
                Action::Enter => self.accept(),
                Action::TextFind => self.look(),
                _ => Vec::new(),
            };
        }
        let page = self.list.page().saturating_sub(1).max(1) as isize;
        match action {
            Action::Down => self.step(1),
            Action::Up => self.step(-1),
            Action::PageDown => self.step(page),
            Action::PageUp => self.step(-page),
            Action::First => self.go(0),
            Action::Last => self.go(usize::MAX),
            Action::NextMatch => return self.next_hit(1),
            Action::PreviousMatch => return self.next_hit(-1),
            Action::Search => self.typing = Some(self.filter.clone()),
            Action::Refresh => {
                let mut effects = notice("looking for sessions again");
                effects.push(UiEffect::ListSessions);
                return effects;
            }
            Action::Back | Action::Left | Action::Right | Action::NextPane | Action::PreviousPane => {}
            Action::Order => return notice("the last written stands first; / filters, ctrl-f there searches"),
            action => {
                let Some(glance) = self.selected() else { return notice("there is no session here yet") };
                return chosen(action, glance, state, now);
            }
        }
        Vec::new()
    }

    /// The filter counts. When nothing passes it, what was said is looked through for it.
    fn accept(&mut self) -> Vec<UiEffect> {
        if self.rows.is_empty() && !self.filter.trim().is_empty() {
            return self.look();
        }
        self.typing = None;
        Vec::new()
    }

    /// Looks for what was typed in all that was said.
    fn look(&mut self) -> Vec<UiEffect> {
        let text = self.filter.trim().to_owned();
        if text.is_empty() {
            return notice("type what to look for first");
        }
        self.typing = None;
        let ids: Vec<SessionId> = self.found.iter().map(|g| g.id.clone()).collect();
        self.searches += 1;
        let number = self.searches;
        self.search = Some(Search { number, text: text.clone(), looked: (0, ids.len()), ..Search::default() });
        self.arrange();
        vec![UiEffect::SearchSessions { number, text, sessions: ids }]
    }

    fn next_hit(&mut self, by: isize) -> Vec<UiEffect> {
        if self.search.is_none() {
            return notice("nothing is searched for; / and ctrl-f look through all that was said");
        }
        let n = self.rows.len() as isize;
        let at = self.position() as isize;
        let next = (1..=n).map(|i| (at + i * by).rem_euclid(n.max(1)) as usize);
        match next.into_iter().find(|row| matches!(self.rows[*row], Row::Hit(..))) {
            Some(row) => {
                self.go(row);
                Vec::new()
            }
            None => notice("no match so far"),
        }
    }

    /// Takes a key of the filter's field, a paste, or the wheel.
    pub fn input(&mut self, msg: &Msg) -> Vec<UiEffect> {
        match msg {
            Msg::Key(key) if self.typing.is_some() => match key.code {
                KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => self.filter.clear(),
                KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                    self.filter.push(c);
                }
                KeyCode::Backspace => {
                    self.filter.pop();
                }
                _ => return Vec::new(),
            },
            Msg::Paste(pasted) if self.typing.is_some() => self.filter.push_str(&pasted.replace('\n', " ")),
            Msg::Wheel(_, _, by) => self.step(isize::from(*by)),
            _ => return Vec::new(),
        }
        self.arrange();
        Vec::new()
    }

    /// The last session that can be taken up again: unfinished, whole, and nobody's.
    pub fn to_resume(&self, state: &State) -> Option<&Glance> {
        let open = |g: &&Glance| {
            g.runner.is_none() && g.summary.as_ref().is_some_and(|s| s.is_unfinished() && s.damage.is_none())
        };
        self.found.iter().filter(open).find(|g| !is_here(g, state))
    }

    /// Takes that one up again.
    pub(super) fn resume_last(&self, state: &State, now: Micros) -> Vec<UiEffect> {
        match self.to_resume(state) {
            Some(glance) => go(Next::Resume(glance.id.clone()), state, now),
            None => notice("no session is left unfinished; 6 lists all"),
        }
    }

    /// What enter does with the selected session, if it is something else than a replay.
    pub(crate) fn enters(&self, state: &State) -> Option<&'static str> {
        let glance = self.selected()?;
        match (is_here(glance, state), glance.runner) {
            (true, _) => Some("this one"),
            (false, Some(_)) => Some("attach"),
            (false, None) => None,
        }
    }
}

/// Whether a session is the one this console shows.
pub(crate) fn is_here(glance: &Glance, state: &State) -> bool {
    state.session.as_ref() == Some(&glance.id)
}

/// `1 match`, `3 matches`.
pub(crate) fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// Leaves this session for something else; asks first while something runs here.
fn go(next: Next, state: &State, now: Micros) -> Vec<UiEffect> {
    match Card::leave_for(state, &next, now) {
        Some(card) => vec![UiEffect::Open(Box::new(Layer::Card(card)))],
        None => vec![UiEffect::Go(next)],
    }
}

/// What an action does with a session.
fn chosen(action: Action, glance: &Glance, state: &State, now: Micros) -> Vec<UiEffect> {
    let id = || glance.id.clone();
    let pid = glance.runner.and_then(|r| r.pid).map_or_else(String::new, |pid| format!(" in process {pid}"));
    let (here, runs) = (is_here(glance, state), glance.runner.is_some());
    match action {
        Action::Enter if here => notice("this is the session you are in; 1 shows it"),
        Action::Enter if runs => go(Next::Attach(id()), state, now),
        Action::Enter => go(Next::Replay(id()), state, now),
        Action::ResumeSession if here => notice("this is the session you are in: it goes on by itself"),
        Action::ResumeSession if runs => notice(&format!("it runs{pid}; enter attaches to it")),
        Action::ResumeSession => match glance.summary.as_ref().and_then(|s| s.damage.as_ref()) {
            Some(damage) => notice(&format!("its journal can't be read to its end: {damage}")),
            None => go(Next::Resume(id()), state, now),
        },
        Action::Fork => fork(glance, state, now),
        Action::SaveAnswer => {
            let card = Card::save(None, Some(&glance.id), now);
            card.map(|card| UiEffect::Open(Box::new(Layer::Card(card)))).into_iter().collect()
        }
        Action::DeleteSession if here => notice("this is the session you are in; leave it first"),
        Action::DeleteSession if runs => notice(&format!("it runs{pid}; end it first")),
        Action::DeleteSession => vec![UiEffect::Open(Box::new(Layer::Card(delete(glance, now))))],
        Action::Copy => vec![UiEffect::Copy(glance.id.to_string())],
        action => not_here(action),
    }
}

/// A fork begins at an instant: the end, or one that is looked for in the past.
fn fork(glance: &Glance, state: &State, now: Micros) -> Vec<UiEffect> {
    let body = vec![
        goal(glance),
        CleanText::from_static("A new session with this one's past; nothing in it starts until you resume it."),
    ];
    let mut choices = vec![
        Choice::nothing("stay"),
        Choice::new('e', "fork it where it ends", vec![UiEffect::ForkSession(glance.id.clone())]),
    ];
    if !is_here(glance, state) {
        let look = go(Next::Replay(glance.id.clone()), state, now);
        choices.push(Choice::new('p', "look at its past, and fork with F from where you stand", look));
    }
    vec![UiEffect::Open(Box::new(Layer::Card(Card::confirm("Fork this session", body, choices, now))))]
}

fn delete(glance: &Glance, now: Micros) -> Card {
    let mut body = vec![goal(glance)];
    if let Some(summary) = &glance.summary {
        let tasks = plural(summary.tasks.total as usize, "task", "tasks");
        let records = plural(summary.records as usize, "record", "records");
        body.push(format!("{}: {tasks}, {} done, {records}.", glance.id, summary.tasks.done).into());
    }
    body.push(CleanText::from_static("Its folder goes with all that was said in it; there is no way back."));
    let choices = vec![
        Choice::nothing("keep it"),
        Choice::new('d', "delete it", vec![UiEffect::DeleteSession(glance.id.clone())]),
    ];
    Card::confirm("Delete this session", body, choices, now)
}

/// A session's goal on one line, or its name.
fn goal(glance: &Glance) -> CleanText {
    match &glance.summary {
        Some(summary) if !summary.goal.is_empty() => summary.goal.to_one_line(),
        _ => CleanText::one_line(glance.id.as_str()),
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
