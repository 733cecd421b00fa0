//! The log of a server as its page shows it: the lines that are kept, where the page stands, what is looked for.
//!
//! Not here: reading (`runtime/logs`), drawing. Invariants: while it follows, the last line is in sight; lines that go at
//! the front take nothing from under the eye of one who scrolled up.

use crossterm::event::{KeyCode, KeyEventKind, KeyModifiers};

use crate::domain::text::CleanText;
use crate::interface::tui::action::Action;
use crate::interface::tui::model::Msg;
use crate::interface::tui::model::logs::LogNews;
use crate::interface::tui::model::scroll::Scroll;

/// Whether the page goes along with what comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// The last line stays in sight.
    #[default]
    End,
    /// It stays where it is.
    Here,
}

/// A log on its page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogUi {
    /// The lines kept, oldest first.
    pub lines: Vec<CleanText>,
    /// Why there is nothing to read.
    pub error: Option<CleanText>,
    /// Whether anything was heard of it yet.
    pub heard: bool,
    /// Whether it goes along.
    pub follow: Follow,
    /// Where it stands; the view measures it.
    pub(crate) scroll: Scroll,
    /// Lines that came since it was scrolled up.
    pub fresh: usize,
    query: String,
    /// While the query is typed: what it was before.
    typing: Option<String>,
    /// The line of the match one stands on.
    at: Option<usize>,
}

impl LogUi {
    /// Takes in what was read.
    pub fn hear(&mut self, news: LogNews) {
        self.heard = true;
        self.error.clone_from(&news.error);
        if news.error.is_some() && news.lines.is_empty() {
            return;
        }
        let (before, new) = (self.lines.len(), news.lines.len());
        let anew = news.before == crate::interface::tui::model::logs::Before::Go;
        news.into_kept(&mut self.lines);
        let gone = if anew { before } else { (before + new).saturating_sub(self.lines.len()) };
        if self.follow == Follow::Here {
            self.fresh = if anew { 0 } else { self.fresh + new };
            self.scroll.shift(gone, self.lines.len());
        }
        self.at = self.at.and_then(|at| at.checked_sub(gone)).filter(|at| self.matches(*at));
    }

    /// What is looked for.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Whether it is being typed.
    pub fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    /// The line of the match one stands on.
    pub fn found(&self) -> Option<usize> {
        self.at
    }

    /// How many lines match.
    pub fn count(&self) -> usize {
        if self.query.is_empty() { 0 } else { (0..self.lines.len()).filter(|i| self.matches(*i)).count() }
    }

    /// Where in a line the query stands, as bytes; letters of ASCII match in both sizes.
    pub fn hit(&self, line: &str) -> Option<std::ops::Range<usize>> {
        if self.query.is_empty() {
            return None;
        }
        let at = line.to_ascii_lowercase().find(&self.query.to_ascii_lowercase())?;
        Some(at..at + self.query.len())
    }

    fn matches(&self, line: usize) -> bool {
        self.lines.get(line).is_some_and(|l| self.hit(l).is_some())
    }

    /// One level back; says whether there was one.
    pub fn back(&mut self) -> bool {
        if let Some(before) = self.typing.take() {
            self.query = before;
        } else if !self.query.is_empty() {
            self.query.clear();
        } else {
            return false;
        }
        self.at = None;
        true
    }

    /// Does an action of a text that is read; false: it is none of these.
    pub fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Search => self.typing = Some(std::mem::take(&mut self.query)),
            Action::Enter if self.typing.is_some() => {
                self.typing = None;
                self.at = None;
                // From the end backwards: what was said last is looked for first.
                self.go(-1);
            }
            Action::NextMatch => self.go(1),
            Action::PreviousMatch => self.go(-1),
            Action::Follow | Action::Last => {
                (self.follow, self.fresh) = (Follow::End, 0);
            }
            action => {
                self.hold();
                if !self.scroll.act(action) {
                    return false;
                }
                self.at_end();
            }
        }
        true
    }

    /// Takes a key of its search, or the wheel.
    pub fn input(&mut self, msg: &Msg) {
        match msg {
            Msg::Key(key) if self.typing.is_some() && key.kind != KeyEventKind::Release => match key.code {
                KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => self.query.clear(),
                KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                    self.query.push(c);
                }
                KeyCode::Backspace => {
                    self.query.pop();
                }
                _ => {}
            },
            Msg::Paste(text) if self.typing.is_some() => self.query.push_str(&text.replace('\n', " ")),
            Msg::Wheel(_, _, by) => {
                self.hold();
                self.scroll.wheel(*by);
                self.at_end();
            }
            _ => {}
        }
    }

    /// Where it goes along it stands at the end: scrolling begins there.
    fn hold(&mut self) {
        if self.follow == Follow::End {
            self.scroll.act(Action::Last);
            self.follow = Follow::Here;
            self.fresh = 0;
        }
    }

    fn at_end(&mut self) {
        if self.scroll.top() + self.scroll.page() >= self.lines.len() {
            (self.follow, self.fresh) = (Follow::End, 0);
        }
    }

    /// To the next match in a direction, round and round.
    fn go(&mut self, by: isize) {
        let n = self.lines.len();
        if self.query.is_empty() || n == 0 {
            return;
        }
        let from = self.at.unwrap_or(if by < 0 { 0 } else { n - 1 });
        let step = |i: usize| if by < 0 { (from + n - i % n) % n } else { (from + i) % n };
        self.at = (1..=n).map(step).find(|i| self.matches(*i));
        if let Some(at) = self.at {
            self.hold();
            self.scroll.reveal(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Name;
    use crate::interface::tui::model::logs::Before;

    fn news(lines: &[&str]) -> LogNews {
        let lines = lines.iter().map(|l| CleanText::new(l)).collect();
        LogNews { endpoint: Name::slug("a"), lines, before: Before::Stay, error: None }
    }

    #[test]
    fn scrolled_up_it_stays_and_counts_what_comes() {
        let mut log = LogUi::default();
        log.hear(news(&["a", "b", "c", "d", "e"]));
        log.scroll.measured(5, 2);
        assert!(log.act(Action::Up));
        assert_eq!((log.follow, log.scroll.top()), (Follow::Here, 2));
        log.hear(news(&["f", "g"]));
        assert_eq!((log.fresh, log.scroll.top()), (2, 2));
        log.scroll.measured(7, 2);
        assert!(log.act(Action::Follow));
        assert_eq!((log.follow, log.fresh), (Follow::End, 0));
    }

    #[test]
    fn a_search_goes_from_the_end_backwards_and_round() {
        let mut log = LogUi::default();
        log.hear(news(&["error: one", "fine", "Error: two", "fine"]));
        log.scroll.measured(4, 2);
        log.act(Action::Search);
        for c in "ERR".chars() {
            log.input(&Msg::Key(crossterm::event::KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
        log.act(Action::Enter);
        assert_eq!((log.found(), log.count()), (Some(2), 2));
        log.act(Action::PreviousMatch);
        assert_eq!(log.found(), Some(0));
        log.act(Action::PreviousMatch);
        assert_eq!(log.found(), Some(2));
        assert!(log.back() && !log.back());
    }
}
