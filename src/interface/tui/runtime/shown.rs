//! Draws the moment that is shown: now, or another one.
//!
//! Not here: which moment that is (`past`). Invariant: what a frame shows of another moment follows from that moment and
//! the user's choices.

use std::io;
use std::sync::Arc;

use ratatui::layout::Rect;
use tokio::time::Instant;

use super::Console;
use super::past::{FRAME, Unread};
use crate::domain::protocol::Micros;
use crate::domain::state::State;
use crate::engine::client::Client;
use crate::interface::tui::model::run::Drawn;
use crate::interface::tui::model::time::Moment;
use crate::interface::tui::model::{Msg, Screen, Ui};
use crate::interface::tui::scene::{Scene, Transcripts};
use crate::interface::tui::terminal::Stage;
use crate::interface::tui::time::moved::Moved;
use crate::interface::tui::view;

impl<C: Client, S: Stage> Console<C, S> {
    /// Tells the screen which moment it shows.
    fn tell_moment(&mut self) {
        let (end, last, markers) = (self.end_of_time(), self.state.seq, self.markers());
        self.ui.stands(self.client.standing());
        let marks = Arc::clone(&self.ui.time.marks);
        let away = &mut self.away;
        let Some(moved) = away.moved.as_deref_mut() else { return };
        moved.ui.time.marks = marks;
        moved.ui.time.moment = Some(Moment {
            at: moved.at,
            seq: moved.state.seq,
            end: end.max(moved.at),
            last,
            speed: away.player.speed,
            idle: away.player.idle,
            plays: away.player.plays(),
            reads: away.heading.is_some() || away.bound.is_some(),
            markers: (markers.partition_point(|m| *m <= moved.at), markers.len()),
        });
    }

    /// Draws the moment that is shown.
    pub(super) fn draw(&mut self) -> io::Result<()> {
        let began = self.began.elapsed();
        // A size that changed without a word is met too.
        if let Ok(size) = self.stage.size() {
            self.size = size;
        }
        // A terminal that was made small and large again between two frames has lost what it cut off meanwhile.
        if std::mem::take(&mut self.resized) && self.eyes().2.size == self.size {
            self.stage.clear()?;
        }
        if self.eyes().2.size != self.size {
            // What a resize asks for outside is nothing.
            let _ = self.act(Msg::Resize(self.size.0, self.size.1));
        }
        self.away.unread = Unread::No;
        self.tell_moment();
        let (now, end) = (self.client.now(), self.end_of_time());
        let body = view::body(Rect::new(0, 0, self.size.0, self.size.1));
        let (whole, keymap, theme) = (&self.state, &self.options.keymap, &self.theme);
        let mut shown = Drawn::default();
        let done = match self.away.moved.as_deref_mut() {
            Some(moved) => {
                let at = moved.at;
                ready(&mut moved.ui, &moved.state, &moved.transcripts, whole, (at, end), body);
                let Moved { state, transcripts, ui, caches, .. } = moved;
                let scene = Scene { state, transcripts, ui, theme, now: at };
                let done = self.stage.draw(&mut |buf| shown = view::render(&scene, keymap, caches, buf.area, buf));
                moved.drawn(shown);
                self.away.texts = moved.missing();
                if moved.ui.wants_frame() {
                    self.away.due.get_or_insert(Instant::now() + FRAME);
                }
                done
            }
            None => {
                ready(&mut self.ui, &self.state, &self.transcripts, &self.state, (now, end), body);
                let (state, transcripts, ui) = (&self.state, &self.transcripts, &self.ui);
                let scene = Scene { state, transcripts, ui, theme, now };
                let caches = &mut self.caches;
                let done = self.stage.draw(&mut |buf| shown = view::render(&scene, keymap, caches, buf.area, buf));
                self.ui.run.drawn(shown);
                self.want_older();
                done
            }
        };
        self.policy.drew(began, self.began.elapsed());
        self.read_on();
        done
    }

    /// Text that is no longer at hand is read back when its beginning is scrolled to.
    fn want_older(&mut self) {
        for task in self.ui.run.at_the_top() {
            let attempt = self.state.tasks().get(task.0 as usize).and_then(|t| t.attempts.last().copied());
            let Some(attempt) = attempt else { continue };
            let gone = self.transcripts.gone(attempt);
            // What could not be had the last time is not asked for again.
            if gone > 0 && self.away.older.insert(attempt, gone) != Some(gone) {
                self.away.texts.push(attempt);
            }
        }
    }
}

/// Follows the state with what the user does, before a frame.
fn ready(
    ui: &mut Ui,
    state: &State,
    transcripts: &Transcripts,
    whole: &State,
    (now, end): (Micros, Micros),
    body: Rect,
) {
    ui.run.tick(state, now, body);
    match ui.screen {
        Screen::Graph => ui.graph.tick(state, now, body),
        Screen::Events => {
            let height = view::events::height(body);
            ui.events.tick(transcripts.log(), state, now, height);
        }
        Screen::Time => {
            let marks = Arc::clone(&ui.time.marks);
            ui.time.timeline.tick(whole, &marks, now, end, body);
        }
        _ => {}
    }
}
