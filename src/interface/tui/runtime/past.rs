//! The console at another moment: going there, playing on, coming back; and drawing whichever moment is shown.
//!
//! Not here: what is shown of a moment ([`Moved`]), the clock of playing ([`Player`]), reading ([`Seeker`]). Invariants:
//! live records are folded meanwhile; what is live is as it was when one comes back; while nothing plays no timer runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Console;
use crate::domain::protocol::{AttemptId, Micros, Record, SessionId};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::interface::tui::action::Context;
use crate::interface::tui::frame::Wish;
use crate::interface::tui::model::time::{Kind, Travel};
use crate::interface::tui::model::{Card, Choice, GoToUi, Layer, Next, Tone, Ui, UiEffect};
use crate::interface::tui::scene::Transcripts;
use crate::interface::tui::terminal::Stage;
use crate::interface::tui::time::moved::{Moved, shown};
use crate::interface::tui::time::place;
use crate::interface::tui::time::player::{Player, Speed};
use crate::interface::tui::time::seek::{Aim, Ask, Found, Instant as There, Reads, Seeker};

/// Frames of what is played follow each other no sooner.
pub(super) const FRAME: Duration = Duration::from_millis(33);
/// Records are applied for at most so long before a frame.
const BATCH: Duration = Duration::from_millis(8);
/// Fewer records ahead than this, and more are read.
const LOW: usize = 512;

/// What a console shows at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Opens {
    /// The session as it goes on.
    #[default]
    Live,
    /// A session's past, played from its beginning; there is no now.
    Replay(Speed),
}

/// Makes a new session with a session's past up to a record: its id, or why not, in words.
pub type Forks = Arc<dyn Fn(&SessionId, u64) -> Result<SessionId, CleanText> + Send + Sync>;

/// Where the console is, when not now.
pub(super) struct Away {
    /// The moment that is shown; none: now.
    pub(super) moved: Option<Box<Moved>>,
    pub(super) seeker: Seeker,
    pub(super) player: Player,
    /// The moment that is to be read next.
    pub(super) heading: Option<Aim>,
    /// The moment that is being read.
    pub(super) bound: Option<Aim>,
    /// Texts that are to be read.
    pub(super) texts: Vec<AttemptId>,
    /// Live texts whose beginning was asked for, and how much of it was gone then.
    pub(super) older: BTreeMap<AttemptId, usize>,
    /// When playing goes on.
    pub(super) due: Option<Instant>,
    /// The time a script gives in place of the clock.
    told: Option<Duration>,
    /// Whether a text came after the last frame.
    pub(super) unread: Unread,
    /// Starts and ends of attempts, and of how many attempts and ends they are.
    markers: ((usize, usize), Arc<Vec<Micros>>),
}

/// Whether a text came after the last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    No,
    Yes,
}

impl Away {
    pub(super) fn new(reads: Reads) -> Self {
        Self {
            moved: None,
            seeker: Seeker::new(reads),
            player: Player::default(),
            heading: None,
            bound: None,
            texts: Vec::new(),
            older: BTreeMap::new(),
            due: None,
            told: None,
            unread: Unread::No,
            markers: Default::default(),
        }
    }

    /// The time is this, from now on until another is told.
    pub(super) fn tell_time(&mut self, wall: Duration) {
        self.told = Some(wall);
    }
}

impl<C: Client, S: Stage> Console<C, S> {
    /// What is looked at: now, or another moment.
    pub(super) fn eyes(&self) -> (&State, &Transcripts, &Ui) {
        match &self.away.moved {
            Some(moved) => (&moved.state, &moved.transcripts, &moved.ui),
            None => (&self.state, &self.transcripts, &self.ui),
        }
    }

    /// The screen that is seen, to say something on.
    pub(super) fn seen(&mut self) -> &mut Ui {
        match &mut self.away.moved {
            Some(moved) => &mut moved.ui,
            None => &mut self.ui,
        }
    }

    /// The contexts of the focus.
    pub(super) fn contexts(&self) -> Vec<Context> {
        let (state, _, ui) = self.eyes();
        ui.contexts(state)
    }

    /// A replay starts in the past, and plays.
    pub(super) fn open_the_past(&mut self) {
        let Opens::Replay(speed) = self.options.opens else { return };
        if self.away.moved.is_some() {
            return;
        }
        let there = There { state: State::default(), at: Micros(0), said: Vec::new(), log: Vec::new() };
        self.away.moved = Some(Box::new(Moved::new(&self.ui, there)));
        self.away.player.speed = speed;
        let wall = self.wall();
        self.away.player.play(wall);
        self.away.due = Some(Instant::now());
    }

    /// Goes to an instant, and reads what there is.
    pub(super) fn head_for(&mut self, aim: Aim) {
        self.pause();
        self.head(aim);
        self.read_on();
    }

    /// Plays all that is due at the time that was told.
    pub(super) fn play_all(&mut self) {
        self.play_on();
        self.read_on();
    }

    /// Whether something of what is shown is still to be read.
    pub(super) fn is_unread(&self) -> bool {
        let reads = self.away.heading.is_some() || self.away.bound.is_some() || !self.away.texts.is_empty();
        reads || self.eyes().2.wants_frame() || self.away.unread == Unread::Yes
    }

    /// The time that playing goes by.
    fn wall(&self) -> Duration {
        self.away.told.unwrap_or_else(|| self.began.elapsed())
    }

    /// The end of the session as far as it is known: now while it goes on.
    pub(super) fn end_of_time(&self) -> Micros {
        match self.ui.time.kind {
            Kind::Live => self.client.now().max(self.state.at),
            Kind::Replay => self.state.at,
        }
    }

    /// Where one is, or is going to be: a time and a record.
    fn position(&self) -> (Micros, u64) {
        let (at, seq) = match &self.away.moved {
            Some(moved) => (moved.at, moved.state.seq),
            None => (self.end_of_time(), self.state.seq),
        };
        match self.away.heading.or(self.away.bound) {
            Some(Aim::Time(at)) => (at, seq),
            Some(Aim::Record(seq)) => (at, seq),
            None => (at, seq),
        }
    }

    /// Goes a way through time.
    pub(super) fn travel(&mut self, travel: Travel) {
        self.policy.want(Wish::Key);
        let (at, seq) = self.position();
        let end = self.end_of_time();
        match travel {
            Travel::Play => self.play_or_pause(),
            Travel::Records(by) => {
                let to = seq.saturating_add_signed(by);
                self.pause();
                let near = by == 1 && self.away.heading.is_none() && self.away.bound.is_none();
                if near
                    && let Some(moved) = &mut self.away.moved
                    && let Some(record) = moved.step()
                {
                    moved.at = record.at;
                    moved.renew();
                } else if to > self.state.seq || self.is_now() && by > 0 {
                    self.reach_end();
                } else {
                    self.head(Aim::Record(to));
                }
            }
            Travel::Seconds(by) => self.shift(at, by * 1_000_000),
            Travel::Percent(by) => self.shift(at, (end.0 / 100) as i64 * by),
            Travel::Markers(by) => {
                let markers = self.markers();
                let found = if by > 0 {
                    markers.get(markers.partition_point(|m| *m <= at))
                } else {
                    markers.partition_point(|m| *m < at).checked_sub(1).and_then(|i| markers.get(i))
                };
                match found.copied() {
                    Some(to) => self.head(Aim::Time(to)),
                    None if by > 0 => self.remark("no task starts or ends after this"),
                    None => self.remark("no task starts or ends before this"),
                }
            }
            Travel::Speed(by) => {
                let player = &mut self.away.player;
                player.speed = if by > 0 { player.speed.faster() } else { player.speed.slower() };
                let words = format!("it plays {} times as fast", player.speed.words());
                self.hasten();
                self.remark(&words);
            }
            Travel::IdleLimit => {
                self.away.player.idle = self.away.player.idle.next();
                let words = self.away.player.idle.words();
                self.hasten();
                self.remark(&words);
            }
            Travel::To(text) => match place::read(&text, &self.state, end) {
                Ok(aim) => self.head(aim),
                Err(trouble) => {
                    let layer = Layer::GoTo(GoToUi::refused(&text, trouble));
                    self.seen().layers.push(layer);
                }
            },
            Travel::Time(at) if at >= end => self.reach_end(),
            Travel::Time(at) => self.head(Aim::Time(at)),
            Travel::Now => {
                self.pause();
                match self.ui.time.kind {
                    Kind::Live if self.is_now() => self.remark("this is now"),
                    Kind::Live => self.back_to_now(),
                    Kind::Replay => self.head(Aim::Time(end)),
                }
            }
        }
        self.read_on();
    }

    fn is_now(&self) -> bool {
        self.away.moved.is_none() && self.away.heading.is_none() && self.away.bound.is_none()
    }

    fn remark(&mut self, words: &str) {
        let now = self.client.now();
        self.seen().say(CleanText::one_line(words), Tone::Plain, now);
    }

    /// By so much session time.
    fn shift(&mut self, at: Micros, by: i64) {
        let to = Micros(at.0.saturating_add_signed(by));
        if to >= self.end_of_time() { self.reach_end() } else { self.head(Aim::Time(to)) }
    }

    /// To where nothing comes after: now, or the end of a replay.
    fn reach_end(&mut self) {
        self.pause();
        match self.ui.time.kind {
            Kind::Live if self.is_now() => self.remark("this is now; , < and @ go back"),
            Kind::Live => self.back_to_now(),
            Kind::Replay => self.head(Aim::Time(self.end_of_time())),
        }
    }

    fn head(&mut self, aim: Aim) {
        if self.client.journal().is_none() {
            self.remark("there is no journal yet, so there is nothing to go back to");
            return;
        }
        self.away.heading = Some(aim);
        let wall = self.wall();
        self.away.player.skip(wall);
    }

    fn pause(&mut self) {
        self.away.player.pause();
        self.away.due = None;
    }

    fn play_or_pause(&mut self) {
        if self.is_now() {
            self.remark("this is now; , < and @ go back, ; plays from there");
        } else if self.away.player.plays() {
            self.pause();
        } else {
            let over = self.ui.time.kind == Kind::Replay && self.position().1 >= self.state.seq;
            if over {
                self.head(Aim::Time(Micros(0)));
            }
            let wall = self.wall();
            self.away.player.play(wall);
            self.hasten();
        }
    }

    /// Playing goes on at once: the speed or the limit is another.
    fn hasten(&mut self) {
        if self.away.player.plays() {
            self.away.due = Some(Instant::now());
        }
    }

    /// Shows what is true now again. The screen that is looked at stays the one that is looked at.
    pub(super) fn back_to_now(&mut self) {
        self.pause();
        (self.away.heading, self.away.bound) = (None, None);
        self.away.texts.clear();
        if let Some(moved) = self.away.moved.take() {
            self.ui.come_back(moved.ui);
        }
        self.policy.want(Wish::Key);
    }

    /// Begins to read what is wanted most, if nothing is read.
    pub(super) fn read_on(&mut self) {
        while !self.away.seeker.is_busy() {
            let Some(journal) = self.client.journal() else { return };
            let Some(ask) = self.ask() else { return };
            match self.away.seeker.ask(&journal, ask) {
                Some(found) => self.found_here(found),
                None => return,
            }
        }
    }

    fn ask(&mut self) -> Option<Ask> {
        if let Some(aim) = self.away.heading.take() {
            self.away.bound = Some(aim);
            let (state, _, ui) = self.eyes();
            return Some(Ask::Instant(aim, shown(ui, state)));
        }
        if !self.away.texts.is_empty() {
            let seq = self.eyes().0.seq;
            return Some(Ask::Texts(seq, std::mem::take(&mut self.away.texts)));
        }
        let moved = self.away.moved.as_deref()?;
        let runs_low = moved.ahead.len() < LOW && !moved.all_ahead;
        (self.away.player.plays() && runs_low).then(|| Ask::Ahead(moved.last_ahead()))
    }

    /// Something was read.
    pub(super) fn found(&mut self, found: Found) {
        self.found_here(found);
        self.read_on();
    }

    fn found_here(&mut self, found: Found) {
        let wall = self.wall();
        match found {
            Found::Instant(there) => {
                // One who went back to now meanwhile stays there.
                if self.away.bound.take().is_some() {
                    match self.away.moved.as_deref_mut() {
                        Some(moved) => moved.go(*there),
                        None => self.away.moved = Some(Box::new(Moved::new(&self.ui, *there))),
                    }
                    self.away.player.skip(wall);
                    self.hasten();
                    self.policy.want(Wish::Key);
                }
            }
            Found::Ahead(after, records) => {
                if let Some(moved) = self.away.moved.as_deref_mut() {
                    moved.extend(after, records);
                }
                self.away.player.skip(wall);
                self.hasten();
            }
            Found::Texts(seq, said) => {
                match self.away.moved.as_deref_mut() {
                    Some(moved) => {
                        moved.texts(seq, said);
                        self.away.unread = Unread::Yes;
                    }
                    None => self.read_back(said),
                }
                self.policy.want(Wish::Change);
            }
            Found::Failed(words) => {
                (self.away.heading, self.away.bound) = (None, None);
                self.pause();
                let now = self.client.now();
                self.seen().say(CleanText::one_line(&words), Tone::Warning, now);
                self.policy.want(Wish::Key);
            }
        }
    }

    /// Older text of what is live was read: it is shown from its beginning.
    fn read_back(&mut self, said: Vec<Arc<Record>>) {
        let mut attempts: Vec<AttemptId> = said.iter().filter_map(|r| Some(r.said()?.0.attempt)).collect();
        attempts.dedup();
        self.transcripts.read_back(&self.state, said);
        for attempt in attempts {
            self.caches.run.forget(attempt);
            self.away.older.insert(attempt, self.transcripts.gone(attempt));
        }
    }

    /// Plays what is due.
    pub(super) fn play_on(&mut self) {
        self.away.due = None;
        let wall = self.wall();
        let began = Instant::now();
        let (last, kind) = (self.state.seq, self.ui.time.kind);
        let hurries = self.away.told.is_none();
        let Away { moved, player, heading, bound, .. } = &mut self.away;
        let Some(moved) = moved.as_deref_mut().filter(|_| player.plays()) else { return };
        if heading.is_some() || bound.is_some() {
            player.skip(wall);
            return;
        }
        let mut left = player.gained(wall);
        let before = (moved.at, moved.state.seq);
        let mut over = false;
        loop {
            let Some(next) = moved.ahead.front().map(|r| r.at) else {
                over = moved.all_ahead && (kind == Kind::Replay || moved.state.seq >= last);
                // More may have come since it was read.
                moved.all_ahead = false;
                break;
            };
            let step = player.toward(moved.at, next, left);
            (moved.at, left) = (step.at, step.left);
            // Time that is used up in the middle of a gap leaves the record for later.
            if step.at < next {
                break;
            }
            moved.step();
            // A script waits for all of it.
            if hurries && began.elapsed() > BATCH {
                break;
            }
        }
        if before != (moved.at, moved.state.seq) {
            moved.renew();
            self.policy.want(Wish::Change);
        }
        if over {
            self.played_out();
            return;
        }
        self.read_on();
        self.plan_play();
    }

    fn played_out(&mut self) {
        match self.ui.time.kind {
            Kind::Live => {
                self.back_to_now();
                self.remark("this is now");
            }
            Kind::Replay => {
                self.pause();
                self.policy.want(Wish::Change);
            }
        }
    }

    /// When playing goes on.
    fn plan_play(&mut self) {
        let Some(moved) = self.away.moved.as_deref().filter(|_| self.away.player.plays()) else { return };
        self.away.due = match moved.ahead.front() {
            Some(next) => Some(Instant::now() + self.away.player.wait(moved.at, next.at).max(FRAME)),
            // It goes on when they are read.
            None if self.away.seeker.is_busy() => None,
            None => Some(Instant::now() + FRAME),
        };
    }

    pub(super) fn markers(&mut self) -> Arc<Vec<Micros>> {
        let key = (self.state.attempts().len(), self.state.running().len());
        if self.away.markers.0 != key {
            self.away.markers = (key, Arc::new(place::markers(&self.state)));
        }
        Arc::clone(&self.away.markers.1)
    }

    /// Makes a new session with the past up to a record.
    pub(super) async fn fork(&mut self, seq: u64) {
        let now = self.client.now();
        let Some(forks) = self.options.forks.clone() else {
            self.remark("sessions can't be forked from here");
            return;
        };
        let Some(session) = self.state.session.clone() else {
            self.remark("there is no session yet");
            return;
        };
        let made = tokio::task::spawn_blocking(move || forks(&session, seq)).await;
        match made.unwrap_or_else(|error| Err(format!("not forked: {error}").into())) {
            Err(why) => self.seen().say(why, Tone::Warning, now),
            Ok(new) => {
                let runs = self.ui.time.kind == Kind::Live && self.state.running().len() > 0;
                let words = format!("forked: {new}; it is held");
                self.seen().say(words, Tone::Plain, now);
                let go = vec![UiEffect::Go(Next::Resume(new.clone()))];
                let body = vec![
                    CleanText::from(format!("{new} is there, held.")),
                    CleanText::from_static(if runs {
                        "Going there ends this session; it can be resumed."
                    } else {
                        "Nothing runs here; going there leaves this session as it is."
                    }),
                ];
                let choices = vec![Choice::nothing("stay"), Choice::new('g', "go there", go)];
                let card = Card::confirm("Forked", body, choices, now);
                self.seen().layers.push(Layer::Card(card));
                self.policy.want(Wish::Key);
            }
        }
    }
}
