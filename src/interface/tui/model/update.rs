//! [`Ui::update`]: to the uppermost layer, else to what works everywhere, else to the screen.

use crossterm::event::{KeyCode, KeyModifiers};

use super::{Card, HelpUi, Layer, Leave, Mouse, Msg, PaletteUi, Screen, Tone, Ui, UiEffect};
use crate::domain::protocol::{AttemptId, Command, GoalId, LevelScope, Micros, Subject};
use crate::domain::state::{Gear, GoalPhase, State};
use crate::interface::tui::action::{Action, Context};

/// How long after a ctrl-c a second one means at once.
const INTERRUPT: Micros = Micros::from_secs(2);

impl Ui {
    /// Does what the user asked for. Pure: what is to be done outside comes back as effects.
    pub fn update(&mut self, msg: Msg, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.pending_interrupt.is_some_and(|until| until <= now) {
            self.pending_interrupt = None;
        }
        let effects = match msg {
            Msg::Resize(columns, rows) => {
                self.size = (columns, rows);
                self.give_screen(&msg, state, now)
            }
            Msg::Tick => {
                if self.notice.as_ref().is_some_and(|n| n.until <= now) {
                    self.notice = None;
                }
                self.tick_editing(state, now);
                self.give_screen(&msg, state, now)
            }
            Msg::Action(action) => self.act(action, state, now),
            Msg::Key(_) | Msg::Paste(_) | Msg::Click(..) | Msg::Wheel(..) => self.input(&msg, state, now),
        };
        self.settle(effects, now)
    }

    /// Ctrl-c, apart from its meaning as `Quit`: a second one within two seconds ends at once.
    pub fn interrupt(&mut self, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.pending_interrupt.is_some_and(|until| until > now) {
            return vec![UiEffect::Quit(Leave::Interrupted)];
        }
        self.pending_interrupt = Some(now.plus(INTERRUPT));
        self.update(Msg::Action(Action::Quit), state, now)
    }

    /// Takes care of the effects that concern the console itself.
    fn settle(&mut self, effects: Vec<UiEffect>, now: Micros) -> Vec<UiEffect> {
        let mut out = Vec::new();
        for effect in effects {
            match effect {
                UiEffect::Open(layer) => self.open(*layer, now),
                UiEffect::CloseEditor(unsaved) => self.close_editor(unsaved, now),
                UiEffect::Show(screen) => self.screen = screen,
                UiEffect::Notice(text) => self.say(text, Tone::Plain, now),
                UiEffect::ToggleMouse => {
                    self.mouse = match self.mouse {
                        Mouse::Terminal => Mouse::Baton,
                        Mouse::Baton => Mouse::Terminal,
                    };
                    let words = match self.mouse {
                        Mouse::Baton => "the mouse is Baton's; M gives it back to the terminal, to select text",
                        Mouse::Terminal => "the mouse is the terminal's",
                    };
                    self.say(words, Tone::Plain, now);
                    out.push(UiEffect::ToggleMouse);
                }
                effect => out.push(effect),
            }
        }
        out
    }

    fn act(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        // A card decides: until it listens, nothing goes past it but redrawing.
        if let Some(Layer::Card(card)) = self.layers.last()
            && now < card.listens_at()
            && action != Action::Redraw
        {
            return Vec::new();
        }
        if let Some(effects) = self.act_editing(action, state, now) {
            return effects;
        }
        // Where a text has one line, accepting it is what enter does.
        let action = if action == Action::Accept { Action::Enter } else { action };
        if action == Action::Back && self.layers.pop().is_some() {
            return Vec::new();
        }
        if let Some(layer) = self.layers.last_mut()
            && let Some(effects) = layer_acts(layer, action, state, now)
        {
            return match effects {
                LayerDoes::Stays(effects) => effects,
                LayerDoes::Closes(effects) => {
                    self.layers.pop();
                    effects
                }
                LayerDoes::Becomes(action) => {
                    self.layers.pop();
                    self.act(action, state, now)
                }
            };
        }
        self.act_everywhere(action, state, now)
    }

    fn act_everywhere(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        match action {
            // On Run itself it goes to and fro between the tasks and the answer.
            Action::Screen(1) => match state.goals().last() {
                Some(goal) if self.screen == Screen::Run && matches!(goal.phase, GoalPhase::Ended(_)) => {
                    self.show(Screen::Done(goal.id))
                }
                _ => self.show(home(state)),
            },
            Action::Screen(n) => self.show(Screen::Other(n)),
            Action::Palette => {
                let mut contexts = self.contexts(state);
                if self.screen == Screen::Welcome {
                    contexts.push(Context::Welcome);
                }
                vec![open(Layer::Palette(PaletteUi::new(contexts)))]
            }
            Action::Help => {
                let contexts = self.contexts(state);
                vec![open(Layer::Help(HelpUi { contexts, scroll: 0 }))]
            }
            Action::Attention if state.attention.is_empty() => notice("nothing needs you"),
            Action::Attention => vec![open(Layer::Attention(super::AttentionUi::default()))],
            Action::NewGoal => {
                let mut effects = self.show(Screen::Welcome);
                effects.extend(self.welcome.update(action, state, now));
                effects
            }
            Action::Quit => match Card::leave(state, now) {
                Some(_)
                    if self.layers.iter().any(|l| matches!(l, Layer::Card(c) if c.kind == super::CardKind::Leave)) =>
                {
                    Vec::new()
                }
                Some(card) => vec![open(Layer::Card(card))],
                None => vec![UiEffect::Quit(Leave::Idle)],
            },
            // A stopped process hears no server; a second ctrl-z means it.
            Action::Suspend => match Card::suspend(state, now) {
                Some(card) if !matches!(self.layers.last(), Some(Layer::Card(_))) => vec![open(Layer::Card(card))],
                _ => {
                    let asked = |l: &Layer| matches!(l, Layer::Card(c) if c.kind == super::CardKind::Suspend);
                    self.layers.retain(|l| !asked(l));
                    vec![UiEffect::Suspend]
                }
            },
            Action::Redraw => vec![UiEffect::Redraw],
            // There it also looks for the real fleet again.
            Action::Refresh if self.screen == Screen::Welcome => self.screen_acts(action, state, now),
            Action::Refresh => {
                let mut effects = notice("asking every endpoint");
                effects.push(UiEffect::Send(Command::Probe(None)));
                effects
            }
            Action::Mouse => vec![UiEffect::ToggleMouse],
            Action::NextTheme => vec![UiEffect::NextTheme],
            Action::SessionLevel => {
                let level = state.level.next();
                let mut effects = notice(&format!(
                    "reasoning level of the session: {}; it applies to the next requests",
                    level.word()
                ));
                effects.push(UiEffect::Send(Command::SetLevel { scope: LevelScope::Session, level: Some(level) }));
                effects
            }
            Action::Pause => match state.gear {
                Gear::Running => vec![UiEffect::Send(Command::Pause)],
                Gear::Paused => vec![UiEffect::Send(Command::Resume)],
            },
            Action::RetryFailed => Card::retry_failed(state, now)
                .map_or_else(|| notice("nothing has failed"), |c| vec![open(Layer::Card(c))]),
            Action::StopAll => Card::stop_all(state, now)
                .map_or_else(|| notice("nothing runs or waits"), |c| vec![open(Layer::Card(c))]),
            Action::EditPlan => self.edit_plan(state),
            Action::Undo | Action::Redo => match self.goal_here(state) {
                Some(goal) if action == Action::Undo => vec![UiEffect::Send(Command::Undo(goal))],
                Some(goal) => vec![UiEffect::Send(Command::Redo(goal))],
                None => notice("there is no plan yet"),
            },
            Action::CopyAnswer => match self.answer(state) {
                Some((_, attempt)) => vec![UiEffect::CopyAnswer(attempt)],
                None => notice("there is no answer yet"),
            },
            Action::SaveAnswer => match self.answer(state) {
                Some((goal, attempt)) => {
                    vec![UiEffect::SaveAnswer { attempt, name: format!("baton-answer-{goal}.md") }]
                }
                None => notice("there is no answer yet"),
            },
            Action::Back => {
                let effects = self.screen_acts(action, state, now);
                if effects.is_empty() && !matches!(self.screen, Screen::Run | Screen::Welcome) {
                    return self.show(home(state));
                }
                effects
            }
            action => self.screen_acts(action, state, now),
        }
    }

    fn screen_acts(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        match self.screen {
            Screen::Welcome => self.welcome.update(action, state, now),
            Screen::Review(goal) => self.review.update(goal, action, state, now),
            Screen::Run => self.run.update(action, state, now),
            Screen::Done(goal) => self.done.update(goal, action, state, now),
            Screen::Other(_) => Vec::new(),
        }
    }

    fn input(&mut self, msg: &Msg, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.input_editing(msg, state, now) {
            return Vec::new();
        }
        match self.layers.last_mut() {
            None => self.give_screen(msg, state, now),
            Some(Layer::Inspector(inspector)) => inspector.input(msg, state, now),
            Some(Layer::Palette(palette)) => {
                match msg {
                    Msg::Key(key) => match key.code {
                        KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                            *palette = PaletteUi::new(std::mem::take(&mut palette.contexts));
                        }
                        KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                            palette.push(c);
                        }
                        KeyCode::Backspace => palette.pop(),
                        KeyCode::Up => palette.turn(-1),
                        KeyCode::Down => palette.turn(1),
                        KeyCode::PageUp => palette.turn(-10),
                        KeyCode::PageDown => palette.turn(10),
                        _ => {}
                    },
                    Msg::Paste(text) => text.chars().filter(|c| *c != '\n').for_each(|c| palette.push(c)),
                    Msg::Wheel(_, _, by) => palette.turn(isize::from(*by)),
                    _ => {}
                }
                Vec::new()
            }
            Some(Layer::Card(card)) => {
                let Msg::Key(key) = msg else { return Vec::new() };
                let (KeyCode::Char(c), true) = (key.code, now >= card.listens_at()) else { return Vec::new() };
                let Some(effects) = card.letter(c).map(|choice| choice.effects.clone()) else { return Vec::new() };
                self.layers.pop();
                effects
            }
            Some(Layer::Help(help)) => {
                if let Msg::Wheel(_, _, by) = msg {
                    help.scroll = help.scroll.saturating_add_signed(isize::from(*by));
                }
                Vec::new()
            }
            Some(Layer::Attention(_) | Layer::Editor(_) | Layer::Form(_) | Layer::Preview(_)) => Vec::new(),
        }
    }

    fn give_screen(&mut self, msg: &Msg, state: &State, now: Micros) -> Vec<UiEffect> {
        match self.screen {
            Screen::Welcome => self.welcome.input(msg, state, now),
            Screen::Review(goal) => self.review.input(goal, msg, state, now),
            Screen::Run => self.run.input(msg, state, now),
            Screen::Done(goal) => self.done.input(goal, msg, state, now),
            Screen::Other(_) => Vec::new(),
        }
    }

    fn show(&mut self, screen: Screen) -> Vec<UiEffect> {
        self.layers.clear();
        self.screen = screen;
        Vec::new()
    }

    /// The answer of the goal shown, else of the last that has one.
    fn answer(&self, state: &State) -> Option<(GoalId, AttemptId)> {
        let of = |goal: &crate::domain::state::Goal| {
            let task = state.task_by_id(goal.answer.as_ref()?)?;
            Some((goal.id, task.result?))
        };
        match self.screen {
            Screen::Done(goal) | Screen::Review(goal) => state.goal(goal).and_then(of),
            _ => state.goals().iter().rev().find_map(of),
        }
    }
}

/// What a layer does with an action.
enum LayerDoes {
    /// It stays open.
    Stays(Vec<UiEffect>),
    /// It closes.
    Closes(Vec<UiEffect>),
    /// It closes and the action is done on what lies below.
    Becomes(Action),
}

/// What the uppermost layer does; none when the action is not its own.
fn layer_acts(layer: &mut Layer, action: Action, state: &State, now: Micros) -> Option<LayerDoes> {
    use LayerDoes::{Becomes, Closes, Stays};
    const PAGE: usize = 10;
    let nothing = Some(Stays(Vec::new()));
    match layer {
        Layer::Help(help) => {
            help.scroll = match action {
                Action::Down => help.scroll.saturating_add(1),
                Action::Up => help.scroll.saturating_sub(1),
                Action::PageDown => help.scroll.saturating_add(PAGE),
                Action::PageUp => help.scroll.saturating_sub(PAGE),
                Action::First => 0,
                Action::Last => usize::MAX,
                Action::Help | Action::Enter => return Some(Closes(Vec::new())),
                _ => return None,
            };
            nothing
        }
        Layer::Palette(palette) => match action {
            Action::Enter => Some(match palette.chosen() {
                None => Stays(Vec::new()),
                Some(entry) if palette.works(entry) => Becomes(entry.action),
                Some(entry) => Stays(notice(&format!("not here: {} works on {}", entry.words, entry.place()))),
            }),
            Action::Palette => Some(Closes(Vec::new())),
            Action::Quit | Action::Suspend | Action::Redraw => None,
            _ => nothing,
        },
        Layer::Card(card) => match action {
            Action::Left | Action::Up | Action::PreviousPane => {
                card.turn(-1);
                nothing
            }
            Action::Right | Action::Down | Action::NextPane => {
                card.turn(1);
                nothing
            }
            Action::Enter => {
                Some(Closes(card.choices.get(card.focused).map(|c| c.effects.clone()).unwrap_or_default()))
            }
            Action::Redraw | Action::Suspend => None,
            _ => nothing,
        },
        Layer::Attention(list) => {
            let last = state.attention.len().saturating_sub(1);
            list.selected = match action {
                Action::Down => (list.selected + 1).min(last),
                Action::Up => list.selected.saturating_sub(1),
                Action::First => 0,
                Action::Last => last,
                Action::Attention => return Some(Closes(Vec::new())),
                Action::Enter => {
                    return Some(Closes(
                        needs_you(state).get(list.selected).map(|(s, _)| attend(s, state)).unwrap_or_default(),
                    ));
                }
                _ => return None,
            };
            nothing
        }
        Layer::Inspector(inspector) => match action {
            Action::Enter
            | Action::Down
            | Action::Up
            | Action::Left
            | Action::Right
            | Action::First
            | Action::Last
            | Action::PageDown
            | Action::PageUp
            | Action::NextPane
            | Action::PreviousPane
            | Action::Follow
            | Action::Copy
            | Action::Search
            | Action::NextMatch
            | Action::PreviousMatch
            | Action::Retry
            | Action::Level
            | Action::Hold
            | Action::EditTask
            | Action::NewTask
            | Action::Remove
            | Action::Raise
            | Action::Lower
            | Action::Stop => Some(Stays(inspector.update(action, state, now))),
            _ => None,
        },
        Layer::Editor(_) | Layer::Form(_) | Layer::Preview(_) => None,
    }
}

/// What needs the operator, oldest first.
pub(crate) fn needs_you(state: &State) -> Vec<(&Subject, &crate::domain::state::Attention)> {
    let mut all: Vec<_> = state.attention.iter().collect();
    all.sort_by_key(|(_, a)| a.since);
    all
}

/// What enter does on something that needs the operator.
fn attend(subject: &Subject, state: &State) -> Vec<UiEffect> {
    match subject {
        Subject::Review(goal) => vec![UiEffect::Show(Screen::Review(*goal))],
        Subject::Task(task) if state.find(task).is_some() => {
            vec![open(Layer::Inspector(super::InspectorUi::new(task.clone())))]
        }
        Subject::Endpoint(endpoint) => vec![UiEffect::Send(Command::Probe(Some(endpoint.clone())))],
        _ => Vec::new(),
    }
}

/// What screen 1 is now: the first minute while there is no goal, a draft that waits, else Run.
fn home(state: &State) -> Screen {
    match state.goals() {
        [] => Screen::Welcome,
        goals => match goals.last() {
            Some(goal) if goals.len() == 1 && goal.phase == GoalPhase::Draft => Screen::Review(goal.id),
            _ => Screen::Run,
        },
    }
}

fn open(layer: Layer) -> UiEffect {
    UiEffect::Open(Box::new(layer))
}

fn notice(text: &str) -> Vec<UiEffect> {
    vec![UiEffect::Notice(text.into())]
}
