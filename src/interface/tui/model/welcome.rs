//! The welcome screen: the goal box, the examples, the choice of the fleet.
//!
//! Not here: what is drawn (`view/welcome`). Invariant: what was typed is lost only when it was sent.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_textarea::{CursorMove, TextArea, WrapMode};

use super::{FleetChoice, Msg, Next, Screen, UiEffect};
use crate::domain::plan::demo_plan;
use crate::domain::protocol::{Command, GoalOptions, Micros, PlanSource, Record, Review};
use crate::domain::state::State;
use crate::interface::tui::action::{Action, Context};

/// What `enter` on an empty box runs: enough independent work to fill slots, and a question with an answer.
pub const DEMO_GOAL: &str = "Compare three ways to parse a configuration language: a hand-written recursive descent \
parser, a PEG grammar and a parser generator. Look at error messages, speed, upkeep and editor support, each on its own, \
and end with one recommendation for a small team and what would change it.";

/// The most tasks of the demo's plan: wide enough that the slots of the simulated fleet fill.
const DEMO_TASKS: u32 = 12;

/// Goals to start from: each splits into work that runs side by side.
pub const EXAMPLES: [&str; 3] = [
    "Find the weak points of a login design: sessions, reset, second factor",
    "Plan a move from a single server to two regions: data, traffic, rollback",
    "Explain five sorting algorithms to a newcomer, each in a picture, ranked",
];

/// Where the keys go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WelcomeFocus {
    /// Into the goal box.
    #[default]
    Goal,
    /// To the fleet below it.
    Fleet,
}

/// The welcome screen.
#[derive(Clone, Debug)]
pub struct WelcomeUi {
    /// The text area; drawn by the view in the theme's styles.
    pub(crate) area: TextArea<'static>,
    focus: WelcomeFocus,
    /// The example in the box, as long as it stands there unchanged.
    example: Option<usize>,
}

impl Default for WelcomeUi {
    fn default() -> Self {
        Self { area: empty(), focus: WelcomeFocus::Goal, example: None }
    }
}

fn empty() -> TextArea<'static> {
    with_text("")
}

fn with_text(text: &str) -> TextArea<'static> {
    let mut area = TextArea::new(text.lines().map(str::to_owned).collect());
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.move_cursor(CursorMove::Bottom);
    area.move_cursor(CursorMove::End);
    area
}

impl WelcomeUi {
    /// Where the keys go.
    pub fn focus(&self) -> WelcomeFocus {
        self.focus
    }

    /// The example that is chosen.
    pub fn example(&self) -> Option<usize> {
        self.example
    }

    /// What stands in the box.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether the box holds nothing but space.
    pub fn is_empty(&self) -> bool {
        self.area.lines().iter().all(|l| l.trim().is_empty())
    }

    /// Takes a key of the goal box or a paste.
    pub fn input(&mut self, msg: &Msg, _state: &State, _now: Micros) -> Vec<UiEffect> {
        match msg {
            Msg::Key(key) if key.kind != KeyEventKind::Release => self.key(*key),
            Msg::Paste(text) if self.focus == WelcomeFocus::Goal => {
                self.area.insert_str(text.as_str());
                self.example = None;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The contexts of the focus, innermost first.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        match self.focus {
            WelcomeFocus::Goal => vec![Context::Text],
            WelcomeFocus::Fleet => vec![Context::Welcome],
        }
    }

    /// Follows what happened: nothing here depends on it.
    pub fn observe(&mut self, _state: &State, _record: &Record) {}

    /// Does what an action means here.
    pub fn update(&mut self, action: Action, state: &State, _now: Micros) -> Vec<UiEffect> {
        match action {
            Action::Enter if self.focus == WelcomeFocus::Goal => return self.accept(state),
            Action::Enter => self.focus = WelcomeFocus::Goal,
            Action::ChooseFleet => return vec![UiEffect::Go(Next::Fleet(other_fleet(state)))],
            Action::Refresh => return vec![probe(state)],
            Action::NextPane | Action::PreviousPane => {
                self.focus = match self.focus {
                    WelcomeFocus::Goal => WelcomeFocus::Fleet,
                    WelcomeFocus::Fleet => WelcomeFocus::Goal,
                };
            }
            Action::NewGoal => self.focus = WelcomeFocus::Goal,
            Action::TextUndo => self.type_in(|a| {
                a.undo();
            }),
            Action::TextRedo => self.type_in(|a| {
                a.redo();
            }),
            Action::Down => self.next_example(),
            Action::Up => self.previous_example(),
            Action::Back => {
                let empty = self.is_empty();
                if !state.goals().is_empty() && (empty || self.focus == WelcomeFocus::Fleet) {
                    self.focus = WelcomeFocus::Goal;
                    return vec![UiEffect::Show(Screen::Run)];
                }
                self.focus = WelcomeFocus::Fleet;
            }
            _ => {}
        }
        Vec::new()
    }

    /// A click into the goal box.
    pub(super) fn point_at_goal(&mut self) {
        self.focus = WelcomeFocus::Goal;
    }

    /// A click on the fleet.
    pub(super) fn point_at_fleet(&mut self) {
        self.focus = WelcomeFocus::Fleet;
    }

    /// A click on an example: it goes into the box unless something was typed there.
    pub(super) fn point_at_example(&mut self, example: usize) {
        if example < EXAMPLES.len() && (self.is_empty() || self.example.is_some()) {
            self.show_example(Some(example));
        }
    }

    /// A key of the box that is no action; the text area's own shortcuts are off.
    fn key(&mut self, key: KeyEvent) -> Vec<UiEffect> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('j') if control => self.type_in(|a| a.insert_newline()),
            KeyCode::Enter => self.type_in(|a| a.insert_newline()),
            KeyCode::Tab | KeyCode::BackTab => {}
            KeyCode::Char('u') if control => self.type_in(|a| {
                a.delete_line_by_head();
            }),
            KeyCode::Char('w') if control => self.type_in(|a| {
                a.delete_word();
            }),
            KeyCode::Left if control => self.area.move_cursor(CursorMove::WordBack),
            KeyCode::Right if control => self.area.move_cursor(CursorMove::WordForward),
            KeyCode::Left => self.area.move_cursor(CursorMove::Back),
            KeyCode::Right => self.area.move_cursor(CursorMove::Forward),
            KeyCode::Home => self.area.move_cursor(CursorMove::Head),
            KeyCode::End => self.area.move_cursor(CursorMove::End),
            KeyCode::Down if self.is_empty() || self.example.is_some() => self.next_example(),
            KeyCode::Up if self.example.is_some() => self.previous_example(),
            KeyCode::Down => self.area.move_cursor(CursorMove::Down),
            KeyCode::Up => self.area.move_cursor(CursorMove::Up),
            _ => {
                if self.area.input_without_shortcuts(key) {
                    self.example = None;
                }
            }
        }
        Vec::new()
    }

    fn type_in(&mut self, change: impl FnOnce(&mut TextArea<'static>)) {
        change(&mut self.area);
        self.example = None;
    }

    fn next_example(&mut self) {
        if self.is_empty() || self.example.is_some() {
            self.show_example(Some(self.example.map_or(0, |i| (i + 1).min(EXAMPLES.len() - 1))));
        }
    }

    fn previous_example(&mut self) {
        if let Some(i) = self.example {
            self.show_example(i.checked_sub(1));
        }
    }

    fn show_example(&mut self, example: Option<usize>) {
        self.example = example;
        self.focus = WelcomeFocus::Goal;
        self.area = with_text(example.and_then(|i| EXAMPLES.get(i)).copied().unwrap_or_default());
    }

    /// Sends the goal; an empty box sends the demo, which runs at once: on the simulated fleet the plan that shows
    /// everything, on real servers a goal of ordinary size.
    fn accept(&mut self, state: &State) -> Vec<UiEffect> {
        let (text, plan, options) = if !self.is_empty() {
            let options = GoalOptions { review: Review::Ask, ..GoalOptions::default() };
            (self.text().trim().to_owned(), PlanSource::Model, options)
        } else if state.config.fleet.is_simulated() {
            let plan = demo_plan();
            (plan.goal.clone(), PlanSource::Given(Box::new(plan)), GoalOptions::default())
        } else {
            let options = GoalOptions { review: Review::Auto, max_tasks: Some(DEMO_TASKS), ..GoalOptions::default() };
            (DEMO_GOAL.to_owned(), PlanSource::Model, options)
        };
        *self = Self::default();
        vec![UiEffect::Send(Command::AddGoal { text, plan, options }), UiEffect::Show(Screen::Run)]
    }
}

/// The fleet that `f` goes to.
fn other_fleet(state: &State) -> FleetChoice {
    if state.config.fleet.is_simulated() { FleetChoice::Configured } else { FleetChoice::Simulated }
}

/// What the probe key does: a simulated fleet always answers, so there it looks for the real one again.
fn probe(state: &State) -> UiEffect {
    if state.config.fleet.is_simulated() {
        UiEffect::Go(Next::Fleet(FleetChoice::Configured))
    } else {
        UiEffect::Send(Command::Probe(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(welcome: &mut WelcomeUi, code: KeyCode, modifiers: KeyModifiers) -> Vec<UiEffect> {
        welcome.input(&Msg::Key(KeyEvent::new(code, modifiers)), &State::default(), Micros(0))
    }

    fn write(welcome: &mut WelcomeUi, text: &str) {
        for c in text.chars() {
            press(welcome, KeyCode::Char(c), KeyModifiers::NONE);
        }
    }

    fn goal(effects: &[UiEffect]) -> (&str, Review) {
        match effects {
            [
                UiEffect::Send(Command::AddGoal { text, plan: PlanSource::Model, options }),
                UiEffect::Show(Screen::Run),
            ] => (text, options.review),
            other => panic!("{other:?}"),
        }
    }

    fn accept(welcome: &mut WelcomeUi) -> Vec<UiEffect> {
        welcome.update(Action::Enter, &State::default(), Micros(0))
    }

    #[test]
    fn a_typed_goal_is_planned_and_reviewed_and_the_box_is_empty_again() {
        let mut welcome = WelcomeUi::default();
        write(&mut welcome, "Rank q and f ");
        assert_eq!(goal(&accept(&mut welcome)), ("Rank q and f", Review::Ask));
        assert!(welcome.is_empty());
    }

    #[test]
    fn an_empty_box_runs_the_demo_at_once() {
        assert_eq!(goal(&accept(&mut WelcomeUi::default())), (DEMO_GOAL, Review::Auto));
    }

    #[test]
    fn a_goal_may_have_several_lines() {
        let mut welcome = WelcomeUi::default();
        write(&mut welcome, "a");
        press(&mut welcome, KeyCode::Char('j'), KeyModifiers::CONTROL);
        write(&mut welcome, "b");
        press(&mut welcome, KeyCode::Enter, KeyModifiers::SHIFT);
        write(&mut welcome, "c");
        assert_eq!(goal(&accept(&mut welcome)).0, "a\nb\nc");
    }

    #[test]
    fn examples_are_walked_only_while_nothing_was_typed() {
        let mut welcome = WelcomeUi::default();
        for _ in 0..9 {
            press(&mut welcome, KeyCode::Down, KeyModifiers::NONE);
        }
        assert_eq!((welcome.example(), welcome.text().as_str()), (Some(2), EXAMPLES[2]));
        press(&mut welcome, KeyCode::Up, KeyModifiers::NONE);
        write(&mut welcome, "!");
        assert_eq!(welcome.example(), None);
        press(&mut welcome, KeyCode::Down, KeyModifiers::NONE);
        assert_eq!(welcome.text(), format!("{}!", EXAMPLES[1]));
    }

    #[test]
    fn a_paste_goes_in_and_undo_takes_it_back() {
        let mut welcome = WelcomeUi::default();
        welcome.input(&Msg::Paste("one\ntwo".into()), &State::default(), Micros(0));
        assert_eq!(welcome.text(), "one\ntwo");
        welcome.update(Action::TextUndo, &State::default(), Micros(0));
        assert_eq!(welcome.text(), "");
    }

    #[test]
    fn escape_and_tab_leave_the_box_and_destroy_nothing() {
        let mut welcome = WelcomeUi::default();
        write(&mut welcome, "keep me");
        welcome.update(Action::Back, &State::default(), Micros(0));
        assert_eq!((welcome.focus(), welcome.text().as_str()), (WelcomeFocus::Fleet, "keep me"));
        let chosen = welcome.update(Action::ChooseFleet, &State::default(), Micros(0));
        assert_eq!(chosen, vec![UiEffect::Go(Next::Fleet(FleetChoice::Simulated))]);
        welcome.update(Action::NextPane, &State::default(), Micros(0));
        assert_eq!(welcome.focus(), WelcomeFocus::Goal);
    }
}
