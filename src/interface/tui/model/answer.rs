//! The answer card: a question of an agent with its choices and room for words of one's own; and what `a` does to a task
//! that waits for the operator for another reason.
//!
//! Invariants: an answer is sent for the question that was read and no other; a card that has just opened takes no key.

use std::cell::Cell;

use crossterm::event::KeyCode;

use super::editing::open_plan;
use super::field::TextField;
use super::layer::LayerDoes;
use super::{Card, Choice, Layer, MessageUi, Msg, RetryUi, Screen, UiEffect, notice};
use crate::domain::protocol::{Command, GoalId, Micros, Subject, TaskId, TurnId};
use crate::domain::state::{End, GoalPhase, Life, Question, State, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::action::{Action, Context};

/// Whether an answer is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// A choice is made.
    Choosing,
    /// Words are typed.
    Writing,
}

/// Rows of the question that a page key scrolls: less than the lowest card shows of a long one would be lost on others.
const PAGE: usize = 5;

/// An answer that may be higher than the card: it is read to its end before the next one is focused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TallChoice {
    /// Rows scrolled.
    rows: usize,
    /// Rows that there are to scroll, as the last frame measured.
    most: Cell<usize>,
}

impl TallChoice {
    /// Goes on in it; false: there is no further row that way.
    fn step(&mut self, by: isize) -> bool {
        let to = self.rows.saturating_add_signed(by).min(self.most.get());
        let moved = to != self.rows;
        self.rows = to;
        moved
    }

    /// The view's measure: how many rows it has and how many there is room for; how many are scrolled.
    pub(crate) fn shown(&self, rows: usize, room: u16) -> usize {
        self.most.set(rows.saturating_sub(usize::from(room)));
        self.rows.min(self.most.get())
    }
}

/// A question and the answer to be.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerUi {
    /// Who asks.
    pub task: TaskId,
    /// The turn whose question was read.
    turn: TurnId,
    /// The words typed.
    pub(crate) field: TextField,
    /// The focused answer: the choices, then "write an answer", then "later".
    pub focused: usize,
    /// How far the focused one is scrolled, where it is higher than the card.
    pub(crate) into: TallChoice,
    /// Choosing or typing.
    pub hand: Hand,
    /// The first row of the question shown.
    pub(crate) scroll: usize,
    pub(super) opened: Micros,
}

impl AnswerUi {
    /// The card of a question; to write at once where it offers no choice.
    fn new(task: TaskId, question: &Question, now: Micros) -> Self {
        let hand = if question.choices.is_empty() { Hand::Writing } else { Hand::Choosing };
        let (field, into) = Default::default();
        Self { task, turn: question.turn, field, focused: 0, into, hand, scroll: 0, opened: now }
    }

    /// The question, while it is still the one that was read.
    pub fn question<'a>(&self, state: &'a State) -> Option<&'a Question> {
        state.task_by_id(&self.task)?.asking.as_ref().filter(|q| q.turn == self.turn)
    }

    /// The contexts of the focus.
    pub(super) fn contexts(&self) -> Vec<Context> {
        match self.hand {
            Hand::Choosing => vec![Context::Card],
            Hand::Writing => vec![Context::Text],
        }
    }

    fn send(&self, state: &State, text: String) -> LayerDoes {
        if self.question(state).is_none() {
            return LayerDoes::Closes(notice("that question is answered or gone; nothing was sent"));
        }
        LayerDoes::Closes(vec![UiEffect::Send(Command::Answer { task: self.task.clone(), text })])
    }

    fn focus(&mut self, answer: usize) {
        self.focused = answer;
        self.into = TallChoice::default();
    }

    fn choose(&mut self, row: usize, state: &State) -> LayerDoes {
        let Some(question) = self.question(state) else {
            return LayerDoes::Closes(notice("that question is answered or gone; nothing was sent"));
        };
        match question.choices.get(row) {
            Some(choice) => self.send(state, choice.to_string()),
            None if row == question.choices.len() => {
                self.focused = row;
                self.hand = Hand::Writing;
                LayerDoes::Stays(Vec::new())
            }
            None => LayerDoes::Closes(Vec::new()),
        }
    }

    /// One level back: from typing to the choices; false: there is none.
    pub(super) fn back(&mut self, state: &State) -> bool {
        let choices = self.question(state).is_some_and(|q| !q.choices.is_empty());
        let writing = self.hand == Hand::Writing && choices;
        if writing {
            self.hand = Hand::Choosing;
        }
        writing
    }

    /// Does what an action means here.
    pub(super) fn update(&mut self, action: Action, state: &State) -> LayerDoes {
        if self.hand == Hand::Writing {
            return match action {
                _ if self.field.act(action) => LayerDoes::Stays(Vec::new()),
                Action::Enter if self.field.is_empty() => {
                    LayerDoes::Stays(notice("there is nothing to send yet; esc goes back"))
                }
                Action::Enter => self.send(state, self.field.text().trim().to_owned()),
                _ => LayerDoes::Stays(Vec::new()),
            };
        }
        let rows = self.question(state).map_or(0, |q| q.choices.len()) + 2;
        match action {
            Action::Up if self.into.step(-1) => {}
            Action::Down if self.into.step(1) => {}
            Action::Up | Action::Left | Action::PreviousPane => self.focus((self.focused + rows - 1) % rows),
            Action::Down | Action::Right | Action::NextPane => self.focus((self.focused + 1) % rows),
            Action::Enter => return self.choose(self.focused, state),
            _ => {}
        }
        LayerDoes::Stays(Vec::new())
    }

    /// Takes a key of the card or of its field, a paste, or the wheel.
    pub(super) fn input(&mut self, msg: &Msg, state: &State) -> LayerDoes {
        match (self.hand, msg) {
            (_, Msg::Wheel(_, _, by)) => self.scroll = self.scroll.saturating_add_signed(isize::from(*by)),
            (Hand::Writing, msg) => self.field.input(msg),
            (Hand::Choosing, Msg::Key(key)) => {
                let Some(choices) = self.question(state).map(|q| q.choices.len()) else {
                    return LayerDoes::Closes(notice("that question is answered or gone; nothing was sent"));
                };
                match key.code {
                    KeyCode::PageDown => self.scroll = self.scroll.saturating_add(PAGE),
                    KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(PAGE),
                    _ => {}
                }
                let row = match key.code {
                    KeyCode::Char('w') => Some(choices),
                    KeyCode::Char(c) => {
                        c.to_digit(10).map(|d| d as usize).filter(|d| *d >= 1 && *d <= choices).map(|d| d - 1)
                    }
                    _ => None,
                };
                if let Some(row) = row {
                    return self.choose(row, state);
                }
            }
            _ => {}
        }
        LayerDoes::Stays(Vec::new())
    }
}

/// What `a` opens for a task: what it waits for the operator with.
pub(super) fn answer(task: TaskIx, state: &State, now: Micros) -> Vec<UiEffect> {
    let of = state.task(task);
    if let Some(question) = &of.asking {
        return open(Layer::Answer(AnswerUi::new(of.id.clone(), question, now)));
    }
    if state.goal(of.id.goal).is_some_and(|g| g.phase == GoalPhase::Draft) {
        return review(of.id.goal, state, now);
    }
    if of.life == Life::NotStarted && state.goal(of.id.goal).is_some_and(|g| g.short_of().is_some()) {
        return memory(of.id.goal, state, now);
    }
    let raised = |subject: fn(TaskId) -> Subject| state.attention.get(&subject(of.id.clone()));
    let again = [Subject::Task, Subject::Cut].into_iter().any(|subject| raised(subject).is_some());
    if of.life == Life::Ended(End::Failed) || again {
        return RetryUi::open(task, state, now);
    }
    for subject in [Subject::Stall, Subject::Loop, Subject::Context, Subject::Thinking, Subject::Fit] {
        if let Some(attention) = raised(subject) {
            return open(Layer::Card(odd(task, subject(of.id.clone()), &attention.text, state, now)));
        }
    }
    notice("it asks nothing; ! lists what needs you")
}

/// A draft waits: looking is the harmless choice.
pub(super) fn review(goal: GoalId, state: &State, now: Micros) -> Vec<UiEffect> {
    let Some(of) = state.goal(goal) else { return notice("there is no such goal") };
    let body = vec![of.text.to_one_line(), CleanText::from(format!("{} tasks wait for your word.", of.open))];
    let edit = std::iter::once(UiEffect::Show(Screen::Review(goal))).chain(open_plan(goal, state)).collect();
    let choices = vec![
        Choice::new('l', "look at the plan", vec![UiEffect::Show(Screen::Review(goal))]),
        Choice::new('r', "run it as it is", vec![UiEffect::Send(Command::Approve(goal))]),
        Choice::new('e', "edit it first", edit),
        Choice::nothing("later"),
    ];
    open(Layer::Card(Card::confirm("A plan waits for your review", body, choices, now)))
}

/// A goal is held because its models do not fit into memory: waiting is the harmless choice.
pub(super) fn memory(goal: GoalId, state: &State, now: Micros) -> Vec<UiEffect> {
    let Some((of, held)) = state.goal(goal).and_then(|g| Some((g, g.short_of()?))) else {
        return notice("it is not held for memory any more");
    };
    let body = vec![
        of.text.to_one_line(),
        CleanText::one_line(&format!("It {}.", held.reason)),
        CleanText::from_static("It goes on by itself when that fits. Forced, models may be swapped or refused."),
    ];
    let choices = vec![
        Choice::nothing("let it wait"),
        Choice::new('f', "start it all the same", vec![UiEffect::Send(Command::Force(goal))]),
        Choice::new('e', "change its plan", open_plan(goal, state)),
        Choice::new('d', "take it off the list", vec![UiEffect::Send(Command::Dismiss(Subject::Memory(goal)))]),
    ];
    open(Layer::Card(Card::confirm("Memory is short", body, choices, now)))
}

/// A task that is silent, repeats itself or fills its context.
fn odd(task: TaskIx, subject: Subject, evidence: &CleanText, state: &State, now: Micros) -> Card {
    let body = vec![state.task(task).title.clone(), evidence.to_one_line()];
    let mut choices = vec![
        Choice::nothing("let it go on"),
        Choice::new('i', "say something to it", vec![layer(Layer::Message(MessageUi::new(task, state)))]),
        Choice::new('r', "stop it and start over", RetryUi::open(task, state, now)),
    ];
    if let Some(card) = Card::stop(state, &state.task(task).id, now) {
        choices.push(Choice::new('x', "stop it", vec![layer(Layer::Card(card))]));
    }
    choices.push(Choice::new('d', "take it off the list", vec![UiEffect::Send(Command::Dismiss(subject))]));
    Card::confirm("It may need a hand", body, choices, now)
}

fn layer(layer: Layer) -> UiEffect {
    UiEffect::Open(Box::new(layer))
}

fn open(opened: Layer) -> Vec<UiEffect> {
    vec![layer(opened)]
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyEvent, KeyModifiers};

    use super::super::Ui;
    use super::*;
    use crate::interface::tui::view::story;

    const NOW: Micros = Micros::from_secs(100);
    const LATER: Micros = Micros::from_secs(101);

    fn key(c: char) -> Msg {
        Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
    }

    fn asked(choices: &[&str]) -> (story::Story, Ui) {
        let story = story::asking(choices);
        let mut ui = Ui { screen: Screen::Run, ..Ui::default() };
        let task = state_task(&story);
        let effects = answer(task, &story.state, NOW);
        ui.settle(effects, NOW);
        (story, ui)
    }

    fn state_task(story: &story::Story) -> TaskIx {
        story.state.find(&"g1/samples".parse().unwrap()).unwrap()
    }

    fn sent(text: &str) -> Vec<UiEffect> {
        vec![UiEffect::Send(Command::Answer { task: "g1/samples".parse().unwrap(), text: text.into() })]
    }

    #[test]
    fn a_choice_is_sent_by_its_number_once_the_card_listens() {
        let (story, mut ui) = asked(&["keep them", "drop them"]);
        assert_eq!(ui.update(key('2'), &story.state, NOW), vec![], "deaf at first");
        assert_eq!(ui.update(key('9'), &story.state, LATER), vec![]);
        assert_eq!(ui.update(key('2'), &story.state, LATER), sent("drop them"));
        assert!(ui.layers.is_empty());
    }

    #[test]
    fn the_first_choice_is_focused_and_a_tall_one_is_read_to_its_end() {
        let (story, mut ui) = asked(&["keep them", "drop them"]);
        assert_eq!(ui.update(Msg::Action(Action::Enter), &story.state, NOW), vec![], "deaf at first");
        assert_eq!(ui.update(Msg::Action(Action::Enter), &story.state, LATER), sent("keep them"));
        let mut tall = TallChoice::default();
        assert!(!tall.step(1), "nothing is known of it yet");
        assert_eq!(tall.shown(5, 3), 0);
        assert!(tall.step(1) && tall.step(1) && !tall.step(1));
        assert_eq!((tall.shown(5, 3), tall.shown(5, 9)), (2, 0));
    }

    #[test]
    fn words_of_ones_own_are_sent_and_esc_goes_back_to_the_choices() {
        let (story, mut ui) = asked(&["keep them"]);
        ui.update(key('w'), &story.state, LATER);
        for c in "no".chars() {
            ui.update(key(c), &story.state, LATER);
        }
        ui.update(Msg::Action(Action::Back), &story.state, LATER);
        assert!(matches!(ui.layers.as_slice(), [Layer::Answer(a)] if a.hand == Hand::Choosing));
        ui.update(key('w'), &story.state, LATER);
        assert_eq!(ui.update(Msg::Action(Action::Enter), &story.state, LATER), sent("no"));
    }

    #[test]
    fn a_goal_that_waits_for_memory_is_forced_by_a_choice_of_its_own() {
        let story = story::short_of_memory();
        let mut ui = Ui { screen: Screen::Run, ..Ui::default() };
        let task = story.state.goals()[0].tasks[0];
        ui.settle(answer(task, &story.state, NOW), NOW);
        let force = UiEffect::Send(Command::Force(GoalId(1)));
        assert!(matches!(ui.layers.as_slice(), [Layer::Card(c)] if c.choices[0].effects.is_empty()));
        assert_eq!(
            ui.update(Msg::Action(Action::Enter), &story.state, LATER),
            vec![],
            "the focused one forces nothing"
        );
        ui.settle(memory(GoalId(1), &story.state, NOW), NOW);
        assert_eq!(ui.update(key('f'), &story.state, LATER), vec![force]);
    }

    #[test]
    fn a_question_that_is_gone_gets_no_answer() {
        let (mut story, mut ui) = asked(&["keep them"]);
        story.answered("samples", "drop");
        assert_eq!(ui.update(key('1'), &story.state, LATER), vec![]);
        assert!(ui.layers.is_empty() && ui.notice.is_some_and(|n| n.text.contains("gone")));
    }
}
