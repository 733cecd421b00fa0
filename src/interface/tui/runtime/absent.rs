//! What happened while nobody was at this console: folded from the last key on, or, of a session that is attached to, from
//! when the last one who watched it left; shown to who comes back.
//!
//! Not here: the words (`report/since`). Invariants: a replay has none of it; it is shown once; what was shown or seen being
//! done begins anew.

use super::{Console, Wish};
use crate::domain::absence::AbsenceFold;
use crate::domain::protocol::{Event as Fact, Micros, Record};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::engine::client::{Client, Leaving};
use crate::interface::report::since_lines;
use crate::interface::tui::action::Context;
use crate::interface::tui::model::absent::AbsentUi;
use crate::interface::tui::model::time::Kind;
use crate::interface::tui::model::{Layer, Tone};
use crate::interface::tui::terminal::Stage;
use crate::interface::zone::Zone;

/// Without a key for so long nobody is taken to have been here, in milliseconds of the wall clock.
const AWAY_MS: u64 = 10 * 60_000;

/// Who attaches again within this, in milliseconds, has seen it.
const BACK_MS: u64 = 60_000;

/// The fold begins anew at a key, but no more often than this: a key that is held down costs nothing.
const ANEW: Micros = Micros::from_secs(1);

/// What happened meanwhile.
#[derive(Default)]
pub(super) struct Meanwhile {
    fold: Option<AbsenceFold>,
    /// Whether this console is among those that watch, and keys count.
    here: bool,
}

impl Meanwhile {
    /// Takes a record that `state` has taken in.
    pub(super) fn take(&mut self, state: &State, record: &Record) {
        if let Some(fold) = &mut self.fold {
            fold.take(state, record);
        }
        // The last one who watched left before this console came.
        let left = !self.here && matches!(record.event, Fact::ViewerLeft { .. }) && state.viewers.is_empty();
        if left || self.fold.is_none() && !state.lives.is_empty() {
            self.fold = Some(AbsenceFold::begin(state));
        }
    }
}

impl<C: Client, S: Stage> Console<C, S> {
    /// All that waited was taken in: who has just been let in to another process's session is shown what was before.
    pub(super) fn caught_up(&mut self) {
        if self.meanwhile.here {
            return;
        }
        let me = self.client.standing().viewer;
        let attached = self.client.leaving() == Leaving::OnlyCloses;
        if !attached {
            self.meanwhile.here = true;
        } else if me.is_some_and(|me| self.state.viewers.contains_key(&me)) {
            self.meanwhile.here = true;
            self.tell_meanwhile(BACK_MS);
        }
    }

    /// Somebody is here: true where they were away, and are shown what happened instead.
    pub(super) fn came_back(&mut self) -> bool {
        self.meanwhile.here && self.tell_meanwhile(AWAY_MS)
    }

    /// Shows what happened, where that was begun so long ago; else what happens from now on is folded.
    fn tell_meanwhile(&mut self, after_ms: u64) -> bool {
        let now = self.client.now();
        let (Some(fold), Some(wall)) = (&self.meanwhile.fold, self.state.wall_ms(now)) else { return false };
        let live = self.ui.time.kind == Kind::Live && self.away.moved.is_none();
        if !live || wall.saturating_sub(fold.began_ms()) < after_ms {
            if now.since(fold.began()) >= ANEW {
                self.meanwhile.fold = Some(AbsenceFold::begin_at(&self.state, now));
            }
            return false;
        }
        let told = fold.clone().finish(&self.state, now);
        self.meanwhile.fold = Some(AbsenceFold::begin_at(&self.state, now));
        if !told.is_worth_telling() {
            return false;
        }
        let zone = Zone::here();
        let lines = since_lines(&self.state, &told, &|ms| zone.time(ms));
        let lines: Vec<_> = lines.into_iter().map(|(words, about)| (CleanText::one_line(&words), about)).collect();
        self.policy.want(Wish::Key);
        // What is being typed or decided goes on; the notices keep the words.
        if matches!(self.contexts().first(), Some(Context::Text | Context::Card)) {
            if let Some((words, _)) = lines.into_iter().next() {
                self.ui.say(words, Tone::Plain, now);
            }
            return false;
        }
        self.ui.layers.push(Layer::Absent(AbsentUi::new(lines, now)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use super::super::tests::{goal, started};
    use super::*;
    use crate::domain::protocol::{Event, GoalId, Name, Role, SessionOpened, Subject, TaskId, Viewer, ViewerId};

    const MINUTE: u64 = 60_000;

    fn opened() -> Event {
        // 22:41 of a day in 2026, UTC.
        let wall_ms = 1_795_214_460_000;
        Event::SessionOpened(SessionOpened { wall_ms, pid: 1, version: "0".to_owned(), host: "here".into() })
    }

    fn asked() -> Event {
        let task = TaskId::new(GoalId(1), Name::slug("one"));
        Event::AttentionRaised { subject: Subject::Question(task), text: "Write it: which way?".into() }
    }

    fn viewer(n: u64) -> Viewer {
        Viewer { viewer: ViewerId(n), name: "v".into(), origin: "o".into(), role: Role::Control }
    }

    async fn begun() -> Harness {
        let mut harness = Harness::new(80, 24);
        let mut facts = goal();
        facts.insert(1, opened());
        harness.tell(facts).await;
        harness
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_is_shown_what_happened_and_a_key_closes_it() {
        let mut harness = begun().await;
        harness.keys("j").await;
        harness.pass(5 * MINUTE).await.tell([asked()]).await;
        harness.keys("j").await;
        assert!(!harness.screen().contains("While nobody"), "not long enough\n{}", harness.screen());
        harness.pass(11 * MINUTE).await;
        harness.keys("P").await;
        assert!(harness.sent().is_empty(), "the key that wakes does nothing else");
        let shown = harness.screen();
        assert!(shown.contains("While nobody was here") && shown.contains("1 waits for you since"), "{shown}");
        assert!(shown.contains("waits since") && shown.contains("which way?"), "{shown}");
        harness.pass(400).await.keys("x").await;
        assert!(!harness.screen().contains("While nobody"), "{}", harness.screen());
        harness.keys("j").await;
        assert!(!harness.screen().contains("While nobody"), "shown once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_opens_what_it_is_about_and_nothing_is_told_where_nothing_happened() {
        let mut harness = begun().await;
        harness.keys("j").await;
        harness.pass(30).await;
        let task = TaskId::new(GoalId(1), Name::slug("one"));
        harness.tell([Event::TaskFailed { task, reason: "no disk".into() }]).await;
        harness.pass(11 * MINUTE).await.keys("j").await;
        assert!(harness.screen().contains("failed: Write it.: no disk"), "{}", harness.screen());
        harness.pass(400).await.keys("<enter>").await;
        assert!(matches!(harness.ui().layers.as_slice(), [Layer::Inspector(_)]), "{}", harness.screen());
        let mut idle = Harness::new(80, 24);
        idle.tell([started(), opened()]).await;
        idle.pass(11 * MINUTE).await.keys("<esc>").await;
        assert!(idle.ui().layers.is_empty(), "{}", idle.screen());
    }

    #[tokio::test(start_paused = true)]
    async fn who_attaches_is_told_since_the_last_one_left() {
        let mut harness = Harness::new(80, 24);
        harness.attach(ViewerId(2));
        let mut facts = goal();
        facts.insert(1, opened());
        facts.push(Event::ViewerJoined(viewer(1)));
        facts.push(Event::ViewerLeft { viewer: ViewerId(1) });
        harness.tell(facts).await;
        harness.pass(2 * MINUTE).await.tell([asked(), Event::ViewerJoined(viewer(2))]).await;
        let shown = harness.screen();
        assert!(shown.contains("since ") && shown.contains("1 waits for you"), "{shown}");
    }
}
