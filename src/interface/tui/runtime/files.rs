//! The disk that the goal box asks: files that a goal names are completed, looked at and read on a thread of their own.
//!
//! Not here: what they come to in the box (`model/files`). Invariants: nothing the console does waits for a disk; of looks
//! that wait only the last is done.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::mpsc;

use super::{Console, Wish};
use crate::domain::fleet::Agent;
use crate::domain::protocol::Review;
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::interface::given::command_of;
use crate::interface::given::mentioned::{Base, Seen, complete, goal, look};
use crate::interface::tui::model::files::{FileSeen, FilesNews, FilesWish};
use crate::interface::tui::model::{Msg, Tone};
use crate::interface::tui::terminal::Stage;

/// Wishes that wait for a disk: as many keys as one presses before one sees that it does not answer.
const WAITING: usize = 64;

/// What reads files beside the console. Its thread begins with the first wish.
#[derive(Default)]
pub(super) struct Files {
    wishes: Option<SyncSender<(FilesWish, Vec<Agent>)>>,
    news: Option<mpsc::UnboundedReceiver<FilesNews>>,
}

impl Files {
    /// The next news; for ever none before the first wish. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Option<FilesNews> {
        match &mut self.news {
            Some(news) => news.recv().await,
            None => std::future::pending().await,
        }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// The thread could not be started, or too much waits for it.
    fn wish(&mut self, wish: FilesWish, agents: Vec<Agent>, folder: PathBuf) -> Result<(), CleanText> {
        if self.wishes.is_none() {
            let (wishes, wanted) = sync_channel(WAITING);
            // No more than the wishes, which are bounded.
            let (to, news) = mpsc::unbounded_channel();
            let base = Base { folder, home: std::env::var_os("HOME").map(PathBuf::from) };
            let thread = std::thread::Builder::new().name("files".to_owned());
            thread
                .spawn(move || serve(&wanted, &base, &to))
                .map_err(|error| CleanText::one_line(&format!("a thread could not be started: {error}")))?;
            (self.wishes, self.news) = (Some(wishes), Some(news));
        }
        let sent = self.wishes.as_ref().map(|wishes| wishes.try_send((wish, agents)));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(CleanText::from_static("the disk does not answer; nothing more is read from it until it does")),
        }
    }
}

fn serve(wanted: &Receiver<(FilesWish, Vec<Agent>)>, base: &Base, to: &mpsc::UnboundedSender<FilesNews>) {
    // The loop that is gone wants no news.
    while let Ok(first) = wanted.recv() {
        let waiting: Vec<_> = std::iter::once(first).chain(wanted.try_iter()).collect();
        let last_look = waiting.iter().rposition(|(wish, _)| matches!(wish, FilesWish::Look(_)));
        for (i, (wish, agents)) in waiting.into_iter().enumerate() {
            let is_old = matches!(wish, FilesWish::Look(_)) && Some(i) != last_look;
            if !is_old && to.send(answer(wish, &agents, base)).is_err() {
                return;
            }
        }
    }
}

fn answer(wish: FilesWish, agents: &[Agent], base: &Base) -> FilesNews {
    match wish {
        FilesWish::Complete(typed) => match complete(&typed, base) {
            Ok(found) => {
                let names = found.names.iter().map(|name| CleanText::one_line(name)).collect();
                FilesNews::Completed { typed, path: found.path, names, more: found.more }
            }
            Err(words) => FilesNews::NotCompleted(CleanText::one_line(&words)),
        },
        FilesWish::Look(text) => {
            let seen = look(&text, base).into_iter().map(|(path, seen)| {
                let seen = match seen {
                    Seen::Text(bytes) => FileSeen::Text(bytes),
                    Seen::Words => FileSeen::Words,
                    Seen::Wrong(words) => FileSeen::Wrong(CleanText::new(&words)),
                };
                (CleanText::one_line(&path), seen)
            });
            let seen = seen.collect();
            FilesNews::Looked(text, seen)
        }
        FilesWish::Read(text) => {
            let (command, said) = match goal(&text, base, agents) {
                Ok(typed) => {
                    let said = typed.said().iter().map(|words| CleanText::one_line(words)).collect();
                    (Ok(Box::new(command_of(typed.input, Review::Ask))), said)
                }
                Err(error) => (Err(CleanText::new(&error.to_string())), Vec::new()),
            };
            FilesNews::Read { text, command, said }
        }
    }
}

impl<C: Client, S: Stage> Console<C, S> {
    /// Asks the disk for what the goal box wants.
    pub(super) fn ask_files(&mut self, wish: FilesWish) {
        let agents = self.state.config.fleet.agents.clone();
        if let Err(words) = self.files.wish(wish, agents, self.options.working_folder.clone()) {
            let now = self.client.now();
            self.ui.say(words, Tone::Warning, now);
        }
    }

    /// Gives news on to the goal box.
    pub(super) async fn hear_files(&mut self, news: FilesNews) {
        let effects = self.act(Msg::Files(Box::new(news)));
        self.policy.want(Wish::Change);
        self.perform_all(effects).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_answered_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.md"), "first").unwrap();
        let mut files = Files::default();
        let mut wish = |wish: FilesWish| {
            files.wish(wish, Vec::new(), folder.path().to_owned()).unwrap();
            files.news.as_mut().unwrap().blocking_recv().unwrap()
        };
        assert!(matches!(wish(FilesWish::Complete("a".into())), FilesNews::Completed { path, .. } if path == "a.md"));
        let seen = vec![("a.md".into(), FileSeen::Text(5))];
        assert_eq!(wish(FilesWish::Look("@a.md".into())), FilesNews::Looked("@a.md".into(), seen));
        assert!(matches!(wish(FilesWish::Read("@a.md".into())), FilesNews::Read { command: Ok(_), .. }));
        assert!(matches!(wish(FilesWish::Read("@b.md".into())), FilesNews::Read { command: Err(_), .. }));
    }
}
