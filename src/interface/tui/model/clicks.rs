//! A click: on a key of the key line, a screen's name, an answer of a card, a row; else it belongs to the screen.
//!
//! Not here: the inside of the Run screen (`run/pointer`). Invariant: a click does what a key does, and a card that does
//! not listen yet takes no click either.

use super::spots::Spot;
use super::{Layer, Msg, Screen, Ui, UiEffect};
use crate::domain::protocol::Micros;
use crate::domain::state::State;
use crate::interface::tui::action::Action;

impl Ui {
    /// The button went down somewhere.
    pub(super) fn click(&mut self, x: u16, y: u16, state: &State, now: Micros) -> Vec<UiEffect> {
        match self.spots.at(x, y) {
            Some(Spot::Press(action)) => self.act(action, state, now),
            Some(Spot::Row(row)) => self.click_row(row, state, now),
            Some(Spot::Cover) => Vec::new(),
            Some(spot) if self.layers.is_empty() => {
                match (self.screen, spot) {
                    (Screen::Welcome, Spot::Goal) => self.welcome.point_at_goal(),
                    (Screen::Welcome, Spot::Fleet) => self.welcome.point_at_fleet(),
                    (Screen::Done(_), Spot::Thinking) => self.done.toggle(),
                    _ => {}
                }
                Vec::new()
            }
            Some(_) | None => self.input(&Msg::Click(x, y), state, now),
        }
    }

    fn click_row(&mut self, row: usize, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.layers.last().and_then(Layer::listens_at).is_some_and(|at| now < at) {
            return Vec::new();
        }
        match self.layers.last_mut() {
            Some(Layer::Card(card)) => {
                card.focused = row.min(card.choices.len().saturating_sub(1));
                self.act(Action::Enter, state, now)
            }
            Some(Layer::Palette(palette)) => {
                palette.selected = row;
                self.act(Action::Enter, state, now)
            }
            Some(Layer::Attention(list)) => {
                let again = list.row(state) == row;
                list.go(row, state);
                if again { self.act(Action::Enter, state, now) } else { Vec::new() }
            }
            Some(Layer::Themes(themes)) => {
                let effects = themes.go(row);
                if effects.is_empty() { self.act(Action::Enter, state, now) } else { effects }
            }
            Some(Layer::Absent(absent)) => {
                absent.focused = row;
                self.act(Action::Enter, state, now)
            }
            Some(Layer::Answer(answer)) => {
                answer.focused = row;
                self.act(Action::Enter, state, now)
            }
            Some(_) => Vec::new(),
            None => {
                match self.screen {
                    Screen::Review(goal) => self.review.select_row(goal, row, state),
                    Screen::Welcome => self.welcome.point_at_example(row),
                    Screen::Events => return self.events.click(row, state),
                    Screen::Sessions => return self.sessions.click(row, state, now),
                    Screen::Fleet => return self.fleet.click(row, state),
                    Screen::Run | Screen::Graph | Screen::Time | Screen::Done(_) => {}
                }
                Vec::new()
            }
        }
    }
}
