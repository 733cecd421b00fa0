//! Following a server's log while its page is open: on a thread of its own, so that no key waits for a disk.
//!
//! Not here: the page (`model/logs` and whoever shows it), how a log is written and put aside (`engine/servers`).
//! Invariants: at most one log is followed, and nobody looks at a file while none is; what an earlier page asked for
//! never reaches a later one; dropping the follower ends its thread within a beat.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Console, Wish};
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::engine::servers::LogReader;
use crate::interface::tui::model::logs::{Before, LogNews, LogSource, MOST_LINES, within};
use crate::interface::tui::model::{Msg, Tone};
use crate::interface::tui::terminal::Stage;

/// How often the file is looked at: what a server says is read by a person.
const BEAT: Duration = Duration::from_millis(250);

/// News that wait for the loop, which takes them as they come: a second's worth, then the reading waits.
const WAITING: usize = 4;

/// Follows the log that is shown, if one is.
#[derive(Default)]
pub(super) struct Follower(Option<Following>);

/// A thread that reads.
struct Following {
    news: mpsc::Receiver<LogNews>,
    /// Its end is the thread's end.
    _lives: SyncSender<()>,
}

impl Follower {
    /// Follows this log from now on, and no other.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn follow(&mut self, source: LogSource) -> std::io::Result<()> {
        // First the end of the one before.
        self.stop();
        let ((to, news), (lives, ends)) = (mpsc::channel(WAITING), sync_channel::<()>(0));
        std::thread::Builder::new().name("log".into()).spawn(move || {
            let mut reading = Reading::of(source);
            loop {
                if let Some(news) = reading.look()
                    && to.blocking_send(news).is_err()
                {
                    return;
                }
                if ends.recv_timeout(BEAT) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        })?;
        self.0 = Some(Following { news, _lives: lives });
        Ok(())
    }

    /// Follows nothing any more.
    pub(super) fn stop(&mut self) {
        self.0 = None;
    }

    /// The next news; for ever none while nothing is followed. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Option<LogNews> {
        match &mut self.0 {
            Some(following) => following.news.recv().await,
            None => std::future::pending().await,
        }
    }
}

/// How far a log was read.
struct Reading {
    source: LogSource,
    reader: LogReader,
    /// Whether lines were told, or that there are none.
    begun: bool,
    /// What could not be read, as it was told.
    wrong: Option<CleanText>,
}

impl Reading {
    fn of(source: LogSource) -> Self {
        let reader = LogReader::new(source.path.clone(), None);
        Self { source, reader, begun: false, wrong: None }
    }

    /// What is to be told now; none: nothing is new.
    fn look(&mut self) -> Option<LogNews> {
        let wrong = self.wrong();
        if wrong.is_some() {
            let news = (wrong != self.wrong).then(|| self.news(Vec::new(), Before::Stay, wrong.clone()));
            self.wrong = wrong;
            return news;
        }
        let mended = self.wrong.take().is_some();
        let first = !std::mem::replace(&mut self.begun, true);
        let raw = if first { self.reader.last(MOST_LINES) } else { self.reader.more() };
        let skipped = raw.len().saturating_sub(MOST_LINES);
        let mut lines: Vec<CleanText> = raw[skipped..].iter().flat_map(|line| clean(line)).collect();
        let gone = lines.len() - within(&lines);
        lines.drain(..gone);
        // Where some are left out in between, those before stand apart from these.
        let before = if first || skipped + gone > 0 { Before::Go } else { Before::Stay };
        (first || mended || !lines.is_empty()).then(|| self.news(lines, before, None))
    }

    /// What is in the way of reading.
    fn wrong(&self) -> Option<CleanText> {
        let path = &self.source.path;
        let words = match std::fs::metadata(path) {
            // Between two files, while one is put aside.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.begun => return None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                format!(
                    "there is no log at {} yet; its server has said nothing, or runs on another machine",
                    path.display()
                )
            }
            Err(error) => format!("{} can't be read: {error}", path.display()),
            // A pipe that a journal from elsewhere names would be waited for.
            Ok(meta) if !meta.is_file() => format!("{} is no file", path.display()),
            Ok(_) => {
                return std::fs::File::open(path)
                    .err()
                    .map(|error| CleanText::one_line(&format!("{} can't be read: {error}", path.display())));
            }
        };
        Some(CleanText::one_line(&words))
    }

    fn news(&self, lines: Vec<CleanText>, before: Before, error: Option<CleanText>) -> LogNews {
        LogNews { endpoint: self.source.endpoint.clone(), lines, before, error }
    }
}

/// A line of the file as lines of the screen: a progress bar writes over itself, and each of its states is one.
fn clean(line: &str) -> Vec<CleanText> {
    let text = CleanText::new(line);
    if !text.contains('\n') {
        return vec![text];
    }
    text.lines().filter(|part| !part.is_empty()).map(CleanText::from).collect()
}

impl<C: Client, S: Stage> Console<C, S> {
    /// Follows a log for the page that is open.
    pub(super) fn follow_log(&mut self, source: LogSource) {
        if let Err(error) = self.logs.follow(source) {
            let words = CleanText::one_line(&format!("the log can't be read: no thread could be started: {error}"));
            let now = self.client.now();
            self.seen().say(words, Tone::Warning, now);
        }
    }

    /// Gives what was read on to the page.
    pub(super) async fn hear_log(&mut self, news: LogNews) {
        let effects = self.act(Msg::Log(Box::new(news)));
        self.policy.want(Wish::Change);
        self.perform_all(effects).await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::domain::protocol::Name;

    fn source(path: &Path) -> LogSource {
        LogSource { endpoint: Name::slug("athene"), path: path.to_owned() }
    }

    fn add(path: &Path, text: &str) {
        std::fs::File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn told(news: Option<LogNews>) -> (Vec<String>, Before) {
        let news = news.unwrap();
        assert_eq!(news.error, None);
        (news.lines.iter().map(ToString::to_string).collect(), news.before)
    }

    #[test]
    fn the_last_lines_come_first_then_what_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        add(&path, "one\ntwo\nhal");
        let mut reading = Reading::of(source(&path));
        assert_eq!(told(reading.look()), (vec!["one".into(), "two".into()], Before::Go));
        assert_eq!(reading.look(), None, "nothing new is no news");
        add(&path, "f\n\u{1b}[31mred\u{1b}[0m\u{202e}\n  10 %\r  20 %\n");
        assert_eq!(told(reading.look()), (["half", "red·", "  10 %", "  20 %"].map(Into::into).into(), Before::Stay));
    }

    #[test]
    fn a_log_that_is_put_aside_is_followed_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        add(&path, "one\n");
        let mut reading = Reading::of(source(&path));
        reading.look();
        add(&path, "two\n");
        std::fs::rename(&path, folder.path().join("server.log.1")).unwrap();
        assert_eq!(told(reading.look()).0, ["two"]);
        add(&path, "three\n");
        assert_eq!(told(reading.look()), (vec!["three".into()], Before::Stay));
        let again = told(Reading::of(source(&path)).look()).0;
        assert_eq!(again, ["one", "two", "three"], "what was put aside is read at the beginning");
    }

    #[test]
    fn one_that_speaks_much_is_cut_and_the_cut_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        add(&path, "first\n");
        let mut reading = Reading::of(source(&path));
        reading.look();
        add(&path, &(0..MOST_LINES + 5).map(|n| format!("{n}\n")).collect::<String>());
        let (lines, before) = told(reading.look());
        assert_eq!((lines.len(), lines[0].as_str(), before), (MOST_LINES, "5", Before::Go));
    }

    #[test]
    fn what_is_not_there_is_said_once_and_read_when_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        let mut reading = Reading::of(source(&path));
        let wrong = reading.look().and_then(|news| news.error).unwrap();
        assert!(wrong.contains("there is no log at"), "{wrong}");
        assert_eq!(reading.look(), None, "it is said once");
        add(&path, "");
        assert_eq!(told(reading.look()), (Vec::new(), Before::Go), "an empty log is told too");
        add(&path, "here\n");
        assert_eq!(told(reading.look()).0, ["here"]);
        let folder = Reading::of(source(folder.path())).look().and_then(|news| news.error).unwrap();
        assert!(folder.contains("is no file"), "{folder}");
    }

    #[tokio::test]
    async fn a_follower_tells_only_of_the_log_it_follows_now() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one.log"), folder.path().join("two.log"));
        add(&one, "of one\n");
        add(&two, "of two\n");
        let mut follower = Follower::default();
        follower.follow(source(&one)).unwrap();
        follower.follow(source(&two)).unwrap();
        assert_eq!(told(follower.next().await).0, ["of two"]);
        add(&two, "more of two\n");
        assert_eq!(told(follower.next().await).0, ["more of two"]);
    }
}
