//! What the notice line says: one sentence at a time, each long enough to be read, and the last hundred kept.
//!
//! Not here: what is worth a notice (`observe`, and every refusal). Invariants: a notice that is shown stands for
//! [`Notice::LEAST`] before another takes its place; those that wait are few, the oldest give way; nothing that was said
//! is missing from the history until a hundred were said after it.

use std::collections::VecDeque;

use super::{Tone, Ui};
use crate::domain::protocol::Micros;
use crate::domain::text::CleanText;

/// What the notice line says, until it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The words.
    pub text: CleanText,
    /// Session time from which it is shown.
    pub since: Micros,
    /// Session time at which it goes.
    pub until: Micros,
    /// How it is drawn.
    pub tone: Tone,
    /// What it counts, when it stands for several of a kind.
    tally: Option<(Tally, u32)>,
}

/// Things of which many come at once: they share one notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tally {
    /// Tasks stopped.
    Stopped,
    /// Tasks that start over.
    Again,
    /// Tasks skipped.
    Skipped,
    /// Tasks held.
    Held,
    /// Tasks released.
    Released,
}

impl Tally {
    fn words(self, n: u32, title: &str) -> String {
        let (one, many) = match self {
            Self::Stopped => ("stopped", "tasks were stopped"),
            Self::Again => ("starts over", "tasks start over"),
            Self::Skipped => ("skipped", "tasks were skipped"),
            Self::Held => ("held; a turn under way ends first, p releases it", "tasks are held"),
            Self::Released => ("released", "tasks were released"),
        };
        if n == 1 { format!("{title}: {one}") } else { format!("{n} {many}") }
    }
}

impl Notice {
    /// How long a notice stands.
    const LASTS: Micros = Micros::from_secs(6);
    /// How long it is news: twice as long as the others that may wait before it stand.
    const NEWS: Micros = Micros::from_secs(12);
    /// How long it stands at least when another waits.
    pub(super) const LEAST: Micros = Micros::from_millis(1_500);

    /// A notice from `now` on.
    pub fn new(text: CleanText, tone: Tone, now: Micros) -> Self {
        Self { text, since: now, until: now.plus(Self::LASTS), tone, tally: None }
    }
}

/// What waits for the line, and what was said.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    waiting: VecDeque<Notice>,
    said: VecDeque<(Micros, CleanText, Tone)>,
}

impl Notices {
    /// How many wait at most.
    const WAITING: usize = 4;
    /// How many are kept.
    const KEPT: usize = 100;

    /// What was said, oldest first.
    pub fn said(&self) -> impl DoubleEndedIterator<Item = &(Micros, CleanText, Tone)> + ExactSizeIterator {
        self.said.iter()
    }

    fn keep(&mut self, notice: &Notice, now: Micros) {
        if self.said.len() == Self::KEPT {
            self.said.pop_front();
        }
        self.said.push_back((now, notice.text.clone(), notice.tone));
    }
}

impl Ui {
    /// Says something on the notice line: at once, or when what stands there has been read.
    pub(crate) fn say(&mut self, text: impl Into<CleanText>, tone: Tone, now: Micros) {
        let notice = Notice::new(text.into(), tone, now);
        // The same again is no news.
        if self.notice.as_ref().is_some_and(|n| n.text == notice.text && n.until > now)
            && self.notices.waiting.is_empty()
        {
            self.notice = Some(notice);
            return;
        }
        self.notices.keep(&notice, now);
        self.put(notice, now);
    }

    /// Says what happened to a task; several of a kind in a row share a notice.
    pub(super) fn tell(&mut self, kind: Tally, title: &str, now: Micros) {
        let last = self.notices.waiting.back_mut().or(self.notice.as_mut().filter(|n| n.until > now));
        if let Some(last) = last
            && let Some((was, n)) = last.tally
            && was == kind
        {
            last.text = kind.words(n + 1, title).into();
            last.tally = Some((kind, n + 1));
            last.until = last.until.max(now.plus(Notice::LASTS));
            let text = last.text.clone();
            if let Some(said) = self.notices.said.back_mut() {
                said.1 = text;
            }
            return;
        }
        let mut notice = Notice::new(kind.words(1, title).into(), Tone::Plain, now);
        notice.tally = Some((kind, 1));
        self.notices.keep(&notice, now);
        self.put(notice, now);
    }

    /// Shows a notice, or has it wait.
    pub(super) fn put(&mut self, notice: Notice, now: Micros) {
        match &mut self.notice {
            Some(shown) if shown.until > now && now < shown.since.plus(Notice::LEAST) => {
                if self.notices.waiting.len() == Notices::WAITING {
                    self.notices.waiting.pop_front();
                }
                self.notices.waiting.push_back(notice);
                shown.until = shown.since.plus(Notice::LEAST);
            }
            shown => *shown = Some(notice),
        }
    }

    /// The next notice takes the place of one that is over.
    pub(super) fn turn_notice(&mut self, now: Micros) {
        if self.notice.as_ref().is_none_or(|n| n.until > now) {
            return;
        }
        // What waited long was said before this console looked: it attached, or took a session up. It is in the list.
        self.notices.waiting.retain(|next| next.since.plus(Notice::NEWS) > now);
        self.notice = self.notices.waiting.pop_front().map(|next| {
            let until = if self.notices.waiting.is_empty() {
                next.until.max(now.plus(Notice::LASTS))
            } else {
                now.plus(Notice::LEAST)
            };
            Notice { since: now, until, ..next }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Micros {
        Micros::from_millis(millis)
    }

    fn shown(ui: &Ui) -> &str {
        ui.notice.as_ref().map_or("", |n| n.text.as_str())
    }

    #[test]
    fn a_second_does_not_eat_the_first() {
        let mut ui = Ui::default();
        ui.say("one", Tone::Plain, at(0));
        ui.say("two", Tone::Plain, at(100));
        ui.say("three", Tone::Plain, at(200));
        assert_eq!(shown(&ui), "one");
        ui.turn_notice(at(1_499));
        assert_eq!(shown(&ui), "one");
        ui.turn_notice(at(1_500));
        assert_eq!(shown(&ui), "two");
        ui.turn_notice(at(3_000));
        assert_eq!(shown(&ui), "three");
        ui.turn_notice(at(8_999));
        assert_eq!(shown(&ui), "three", "the last one stands its whole time");
        ui.turn_notice(at(9_000));
        assert_eq!(ui.notice, None);
        assert_eq!(ui.notices.said().len(), 3);
    }

    #[test]
    fn what_was_said_long_before_a_console_looked_is_no_news() {
        let mut ui = Ui::default();
        for (i, text) in (0..).zip(["one", "two", "three"]) {
            ui.say(text, Tone::Plain, at(i));
        }
        ui.turn_notice(at(60_000));
        assert_eq!(ui.notice, None);
        assert_eq!(ui.notices.said().len(), 3);
    }

    #[test]
    fn what_was_read_gives_way_at_once() {
        let mut ui = Ui::default();
        ui.say("one", Tone::Plain, at(0));
        ui.say("two", Tone::Plain, at(1_600));
        assert_eq!(shown(&ui), "two");
    }

    #[test]
    fn a_flood_is_counted_and_its_end_is_not_late() {
        let mut ui = Ui::default();
        for i in 0..40 {
            ui.tell(Tally::Stopped, &format!("task {i}"), at(i));
        }
        assert_eq!(shown(&ui), "40 tasks were stopped");
        for i in 0..200 {
            ui.say(format!("note {i}"), Tone::Plain, at(100 + i));
        }
        assert!(ui.notices.waiting.len() <= Notices::WAITING);
        assert_eq!(ui.notices.said().len(), Notices::KEPT);
        assert_eq!(ui.notices.said().next_back().unwrap().1, "note 199");
    }
}
