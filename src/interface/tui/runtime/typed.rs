//! What comes from the terminal: keys by context, pastes, the mouse, a size; and what they come to in the screen shown.
//!
//! Not here: what a key means ([`crate::interface::tui::action`]), what it does ([`crate::interface::tui::model`]).

use std::task::Poll;

use crossterm::event::{Event, KeyEventKind, MouseButton, MouseEventKind};
use futures_util::StreamExt;

use super::look::Glance;
use super::{Console, Course, NOTCH};
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::interface::tui::action::{Action, Context, Key};
use crate::interface::tui::frame::{Gaze, Wish};
use crate::interface::tui::model::time::Kind;
use crate::interface::tui::model::{Leave, Mouse, Msg, Tone, UiEffect};
use crate::interface::tui::terminal::Stage;

impl<C: Client, S: Stage> Console<C, S> {
    pub(super) fn act(&mut self, msg: Msg) -> Vec<UiEffect> {
        let (now, standing) = (self.client.now(), self.client.standing());
        match self.away.moved.as_deref_mut() {
            Some(moved) => {
                let screen = moved.ui.screen;
                if msg != Msg::Tick {
                    moved.touch();
                }
                let effects = moved.ui.update(msg, &moved.state, now);
                moved.touched_from(screen);
                effects
            }
            None => {
                self.ui.stands(standing);
                self.ui.update(msg, &self.state, now)
            }
        }
    }

    /// What leaves, or stops the process, is about now: a replay has none, a session is shown as it is.
    fn about_now(&mut self, action: Action) -> Option<Vec<UiEffect>> {
        if !matches!(action, Action::Quit | Action::Suspend) {
            return None;
        }
        match (self.ui.time.kind, action) {
            (Kind::Replay, Action::Quit) => return Some(vec![UiEffect::Quit(Leave::Idle)]),
            (Kind::Replay, _) => return Some(vec![UiEffect::Suspend]),
            (Kind::Live, _) => self.back_to_now(),
        }
        None
    }

    /// One event and those that came with it: a paste without brackets, a window being dragged.
    pub(super) async fn input(&mut self, event: Event) {
        let mut next = Some(event);
        // The limit gives records their turn while a key is held down over a slow line.
        for _ in 0..64 {
            let Some(event) = next else { break };
            let effects = self.event(&event);
            self.perform_all(effects).await;
            if self.course != Course::On && self.course != Course::WhenIdle {
                return;
            }
            next = self.ready().await;
        }
    }

    /// An event that has come already.
    ///
    /// Polled with this task's own waker: crossterm's stream keeps the first waker it is given, so one that wakes
    /// nobody (`now_or_never`) would leave the console deaf.
    async fn ready(&mut self) -> Option<Event> {
        let events = self.events.as_mut()?;
        std::future::poll_fn(|context| match events.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(event))) => Poll::Ready(Some(event)),
            // An end or an error comes again to whoever waits.
            Poll::Ready(_) | Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    pub(super) fn event(&mut self, event: &Event) -> Vec<UiEffect> {
        match event {
            // Terminals that tell when a key is let go say everything twice otherwise.
            Event::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
            Event::Key(key) => {
                self.policy.want(Wish::Key);
                // Ctrl-c is meant for what runs, whatever is shown.
                if Key::of(*key).to_string() != "ctrl-c" && self.came_back() {
                    return Vec::new();
                }
                let contexts = self.contexts();
                let action = self.options.keymap.lookup(&contexts, *key);
                self.look_at_themes(if action == Some(Action::Refresh) { Glance::Now } else { Glance::InPassing });
                if let Some(effects) = action.and_then(|a| self.about_now(a)) {
                    return effects;
                }
                match action {
                    Some(Action::Quit) if Key::of(*key).to_string() == "ctrl-c" => {
                        self.ui.interrupt(&self.state, self.client.now())
                    }
                    Some(action) => self.act(Msg::Action(action)),
                    None if matches!(contexts.first(), Some(Context::Text | Context::Card)) => self.act(Msg::Key(*key)),
                    None => {
                        let now = self.client.now();
                        if let Some(words) = self.options.keymap.refusal(&contexts, *key) {
                            self.seen().say(words, Tone::Plain, now);
                        }
                        Vec::new()
                    }
                }
            }
            Event::Paste(text) => {
                self.policy.want(Wish::Key);
                if self.contexts().first() == Some(&Context::Text) {
                    return self.act(Msg::Paste(CleanText::new(text)));
                }
                let words = "a paste here would press keys, so nothing was done; open a text field first";
                let now = self.client.now();
                self.seen().say(words, Tone::Warning, now);
                Vec::new()
            }
            Event::Mouse(mouse) if self.eyes().2.mouse == Mouse::Baton => {
                let msg = match mouse.kind {
                    MouseEventKind::Down(MouseButton::Left) => Msg::Click(mouse.column, mouse.row),
                    MouseEventKind::Drag(MouseButton::Left) => Msg::Drag(mouse.column, mouse.row),
                    MouseEventKind::Up(MouseButton::Left) => Msg::Release(mouse.column, mouse.row),
                    MouseEventKind::ScrollUp => Msg::Wheel(mouse.column, mouse.row, -NOTCH),
                    MouseEventKind::ScrollDown => Msg::Wheel(mouse.column, mouse.row, NOTCH),
                    _ => return Vec::new(),
                };
                self.policy.want(Wish::Key);
                self.act(msg)
            }
            Event::Mouse(_) => Vec::new(),
            Event::Resize(columns, rows) => {
                self.size = (*columns, *rows);
                self.resized = true;
                // At the rate of changes: a window being dragged sends a flood.
                self.policy.want(Wish::Change);
                Vec::new()
            }
            Event::FocusGained => {
                self.policy.gaze(Gaze::Here);
                self.came_back();
                self.look_at_themes(Glance::Now);
                self.policy.want(Wish::Change);
                Vec::new()
            }
            Event::FocusLost => {
                self.policy.gaze(Gaze::Away);
                Vec::new()
            }
        }
    }
}
