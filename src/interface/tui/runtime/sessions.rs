//! Looking for sessions, searching them, saving and deleting them: on threads of their own, so that nothing the console
//! does waits for a disk.
//!
//! Not here: what the list shows (`model/sessions`). Invariants: at most one listing and one search run at once, and a
//! new one stops the one before; dropping the desk stops them.

use std::ops::ControlFlow;
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::{Console, Wish};
use crate::domain::protocol::{Name, SessionId};
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::engine::journal::{Begins, Halt, JournalError, Past, Reader, Searched, Sessions, fork, search};
use crate::interface::report::{Report, Story, Wanted, markdown, moment, now_ms, transcript};
use crate::interface::tui::effect;
use crate::interface::tui::model::sessions::MOST_HITS;
use crate::interface::tui::model::{Msg, SessionForm, SessionsNews};
use crate::interface::tui::terminal::Stage;

/// News that wait for the loop: it takes them as they come, and a search must not run far ahead of it.
const WAITING: usize = 64;

/// What works on sessions beside the console.
pub(super) struct Desk {
    sessions: Sessions,
    root: PathBuf,
    news: mpsc::Receiver<SessionsNews>,
    to: mpsc::Sender<SessionsNews>,
    listing: Halt,
    searching: Halt,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.listing.stop();
        self.searching.stop();
    }
}

impl Desk {
    /// Over the sessions in a folder; nothing is looked at yet.
    pub(super) fn new(root: PathBuf) -> Self {
        let (to, news) = mpsc::channel(WAITING);
        let sessions = Sessions::new(&root);
        Self { sessions, root, news, to, listing: Halt::default(), searching: Halt::default() }
    }

    /// Whether there may be any.
    pub(super) fn has_sessions(&self) -> bool {
        self.root.is_dir()
    }

    /// The next news. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Option<SessionsNews> {
        self.news.recv().await
    }

    fn spawn(&self, name: &str, work: impl FnOnce(&dyn Fn(SessionsNews) -> bool) + Send + 'static) {
        let to = self.to.clone();
        // A console that is gone wants no news.
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&|news| to.blocking_send(news).is_ok()));
        if let Err(error) = thread {
            let words = CleanText::one_line(&format!("a thread could not be started: {error}"));
            // Full: something else is being said already.
            let _ = self.to.try_send(SessionsNews::Said(words));
        }
    }

    /// Lists the sessions, then reads those that nothing is known of, the last written first.
    pub(super) fn list(&mut self) {
        self.listing.stop();
        self.listing = Halt::default();
        let (sessions, halt) = (self.sessions.clone(), self.listing.clone());
        let root = CleanText::one_line(&self.root.display().to_string());
        self.spawn("sessions", move |tell| list(&sessions, &halt, root, tell));
    }

    /// Looks for a text in all that was said in these, in their order.
    pub(super) fn search(&mut self, number: u64, text: String, ids: Vec<SessionId>) {
        self.stop_search();
        self.searching = Halt::default();
        let (sessions, halt) = (self.sessions.clone(), self.searching.clone());
        self.spawn("search", move |tell| {
            for (i, id) in ids.iter().enumerate() {
                let Ok(journal) = sessions.journal(id) else { continue };
                let mut hits = 0;
                let ended = search(&journal, &text, &halt, &mut |hit| {
                    hits += 1;
                    let goes_on = !halt.is_stopped() && tell(SessionsNews::Hit(number, id.clone(), Box::new(hit)));
                    if goes_on && hits < MOST_HITS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                });
                let stopped = matches!(ended, Ok(Searched::Stopped)) && hits < MOST_HITS;
                if stopped || halt.is_stopped() || !tell(SessionsNews::Looked(number, i + 1, ids.len())) {
                    return;
                }
            }
        });
    }

    /// Stops looking for it.
    pub(super) fn stop_search(&self) {
        self.searching.stop();
    }

    /// Deletes a session and lists again.
    fn delete(&mut self, id: &SessionId) -> CleanText {
        let said = match self.sessions.delete(id) {
            Ok(()) => format!("{id} is deleted"),
            Err(error) => error.to_string(),
        };
        self.list();
        CleanText::one_line(&said)
    }

    /// Makes a session with all of another one's past, then lists again.
    pub(super) fn fork(&mut self, parent: SessionId) {
        self.listing.stop();
        self.listing = Halt::default();
        let (sessions, halt) = (self.sessions.clone(), self.listing.clone());
        let root = CleanText::one_line(&self.root.display().to_string());
        self.spawn("fork", move |tell| {
            let said = match fork_at_end(&sessions, &parent) {
                Ok(made) => format!("{made} has the past of {parent}; r takes it up, held"),
                Err(error) => error.to_string(),
            };
            if tell(SessionsNews::Said(CleanText::one_line(&said))) {
                list(&sessions, &halt, root, tell);
            }
        });
    }

    /// Saves a session into a folder.
    fn save(&self, journal: PathBuf, id: SessionId, form: SessionForm, folder: PathBuf) {
        self.spawn("save", move |tell| {
            let (text, name) = match form {
                SessionForm::Report => (
                    Story::read(&journal, Wanted::Results).map(|s| markdown(&Report::of(&s))),
                    format!("baton-report-{id}.md"),
                ),
                SessionForm::Transcript => {
                    (Story::read(&journal, Wanted::All).map(|s| transcript(&s)), format!("baton-transcript-{id}.md"))
                }
                SessionForm::Records => (records(&journal), format!("baton-session-{id}.jsonl")),
            };
            let said = match text {
                Ok(text) => effect::save(&folder, &name, &text).0,
                Err(error) => CleanText::one_line(&error.to_string()),
            };
            tell(SessionsNews::Said(said));
        });
    }
}

/// Lists the sessions, then reads those that are not known as they are.
fn list(sessions: &Sessions, halt: &Halt, root: CleanText, tell: &dyn Fn(SessionsNews) -> bool) {
    let found = match sessions.glance() {
        Ok(found) => found,
        Err(error) => {
            tell(SessionsNews::Failed(CleanText::one_line(&error.to_string())));
            return;
        }
    };
    if halt.is_stopped() || !tell(SessionsNews::Listed { found: found.clone(), now_ms: now_ms(), root }) {
        return;
    }
    for mut glance in found.into_iter().filter(|g| !g.is_fresh) {
        // One that can't be named has no folder either.
        let Ok(Some(summary)) = sessions.summarise(&glance, halt) else {
            if halt.is_stopped() {
                return;
            }
            continue;
        };
        (glance.summary, glance.is_fresh) = (Some(summary), true);
        if !tell(SessionsNews::Known(Box::new(glance))) {
            return;
        }
    }
    tell(SessionsNews::AllKnown);
}

/// Makes a session with all of another one's past. Its name is the time, as that of every session.
fn fork_at_end(sessions: &Sessions, parent: &SessionId) -> Result<SessionId, JournalError> {
    let (end, _) = Past::open(&sessions.journal(parent)?)?.end()?;
    let digits: String = moment(now_ms()).chars().filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at_checked(8).unwrap_or((&digits, ""));
    let named = |name: String| fork(sessions, parent, end, &Name::slug(&name), Begins::Held);
    let made = match named(format!("{day}-{time}")) {
        // Two sessions of one second.
        Err(JournalError::Exists { .. }) => named(format!("{day}-{time}-{}", std::process::id())),
        made => made,
    };
    made.map(|made| made.session)
}

/// Every record, a line each, below the header.
fn records(journal: &std::path::Path) -> Result<String, JournalError> {
    let mut reader = Reader::open(journal)?;
    // What was read from JSON can be written as it.
    let mut text = serde_json::to_string(reader.header()).unwrap_or_default() + "\n";
    while let Some((_, record)) = reader.read()? {
        text.push_str(&serde_json::to_string(&record).unwrap_or_default());
        text.push('\n');
    }
    Ok(text)
}

impl<C: Client, S: Stage> Console<C, S> {
    /// Gives news on to the screen.
    pub(super) async fn hear(&mut self, news: SessionsNews) {
        let effects = self.act(Msg::Sessions(Box::new(news)));
        self.policy.want(Wish::Change);
        self.perform_all(effects).await;
    }

    pub(super) fn delete_session(&mut self, id: &SessionId) {
        let said = self.desk.delete(id);
        self.ui.say(said, crate::interface::tui::model::Tone::Plain, self.client.now());
    }

    pub(super) fn save_session(&mut self, id: SessionId, form: SessionForm) {
        // What this console shows may be nowhere in the folder: it knows its own journal.
        let own = self.client.journal().filter(|_| self.state.session.as_ref() == Some(&id));
        match own.map_or_else(|| self.desk.sessions.journal(&id), Ok) {
            Ok(journal) => self.desk.save(journal, id, form, self.options.working_folder.clone()),
            Err(error) => {
                let words = CleanText::one_line(&error.to_string());
                self.ui.say(words, crate::interface::tui::model::Tone::Warning, self.client.now());
            }
        }
    }
}
