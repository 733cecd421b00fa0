//! [`Ui::update`]: to the uppermost layer, else to what works everywhere, else to the screen.

use crossterm::event::{KeyCode, KeyModifiers};

use super::fleet::verbs;
use super::layer::LayerDoes;
use super::layers::layer_acts;
use super::task_verbs::not_here;
use super::time::Kind;
use super::{Card, HelpUi, Layer, Leave, Mouse, Msg, PaletteUi, Screen, Tone, Ui, UiEffect, notice};
use crate::domain::protocol::{AttemptId, Command, GoalId, LevelScope, Micros, Subject};
use crate::domain::state::{Gear, GoalPhase, State};
use crate::engine::client::Leaving;
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
                self.turn_notice(now);
                self.tick_editing(state, now);
                self.give_screen(&msg, state, now)
            }
            Msg::Action(action) => self.act(action, state, now),
            Msg::Sessions(news) => self.sessions.hear(*news),
            Msg::Files(news) => self.welcome.hear(*news),
            Msg::Log(news) => {
                self.fleet.hear(*news);
                Vec::new()
            }
            Msg::Click(x, y) => self.click(x, y, state, now),
            Msg::Key(_) | Msg::Paste(_) | Msg::Drag(..) | Msg::Release(..) | Msg::Wheel(..) => {
                self.input(&msg, state, now)
            }
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
    pub(super) fn settle(&mut self, effects: Vec<UiEffect>, now: Micros) -> Vec<UiEffect> {
        let mut out = Vec::new();
        for effect in effects {
            match effect {
                UiEffect::Open(layer) => self.open(*layer, now),
                UiEffect::CloseEditor(unsaved) => self.close_editor(unsaved, now),
                UiEffect::Show(screen) => {
                    self.layers.clear();
                    if screen != Screen::Fleet {
                        out.extend(self.fleet.close());
                    }
                    self.screen = screen;
                }
                UiEffect::Send(Command::Dismiss(subject)) => {
                    self.dismissing = Some(subject.clone());
                    out.push(UiEffect::Send(Command::Dismiss(subject)));
                }
                // A log is of now: no page follows one at another moment.
                UiEffect::FollowLog(_) if !self.is_at_now() => {}
                UiEffect::Travel(travel) => {
                    if self.is_at_now() {
                        out.extend(self.fleet.close());
                    }
                    out.push(UiEffect::Travel(travel));
                }
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

    fn layer_did(&mut self, does: LayerDoes, state: &State, now: Micros) -> Vec<UiEffect> {
        match does {
            LayerDoes::Stays(effects) => effects,
            LayerDoes::Closes(effects) => {
                self.close();
                effects
            }
            LayerDoes::Becomes(action) => {
                self.close();
                self.act(action, state, now)
            }
        }
    }

    /// Whether what is shown is the session as it is now.
    fn is_at_now(&self) -> bool {
        self.time.moment.is_none() && self.time.kind == Kind::Live
    }

    fn is_deaf(&self, now: Micros) -> bool {
        self.layers.last().and_then(Layer::listens_at).is_some_and(|at| now < at)
    }

    pub(super) fn act(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        // A card decides: until it listens, nothing goes past it but redrawing.
        if self.is_deaf(now) && action != Action::Redraw {
            return Vec::new();
        }
        if action.acts()
            && let Some(words) = self.barred(state)
        {
            return vec![UiEffect::Notice(words)];
        }
        if let Some(effects) = self.act_editing(action, state, now) {
            return effects;
        }
        // Where a text has one line, accepting it is what enter does.
        let action = if action == Action::Accept { Action::Enter } else { action };
        if action == Action::Back {
            let stays = match self.layers.last_mut() {
                Some(Layer::Inspector(inspector)) => inspector.back(),
                Some(Layer::Retry(retry)) => retry.back(),
                Some(Layer::Answer(answer)) => answer.back(state),
                _ => false,
            };
            if stays {
                return Vec::new();
            }
            if let Some(effects) = self.close() {
                return effects;
            }
        }
        if let Some(layer) = self.layers.last_mut()
            && let Some(does) = layer_acts(layer, action, state, now)
        {
            return self.layer_did(does, state, now);
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
            Action::Screen(4) => self.show(Screen::Time),
            Action::Screen(5) => self.show(Screen::Events),
            Action::Screen(6) => {
                let mut effects = self.show(Screen::Sessions);
                effects.push(UiEffect::ListSessions);
                effects
            }
            Action::GoTo => vec![open(Layer::GoTo(super::GoToUi::default()))],
            Action::Fork if self.screen == Screen::Sessions => self.screen_acts(action, state, now),
            Action::Fork => self.fork(state, now),
            Action::Control => self.act_on_control(state, now),
            Action::Screen(2) => {
                if let Some(task) = self.run.selected() {
                    self.graph.select(task);
                }
                self.show(Screen::Graph)
            }
            Action::Screen(3) => {
                if self.screen == Screen::Run
                    && let Some(endpoint) = self.run.selected_endpoint()
                {
                    self.fleet.select(endpoint, state);
                }
                self.show(Screen::Fleet)
            }
            Action::Screen(n) => {
                let words = format!("there is no screen {n}; 1 to 6 are");
                notice(&words)
            }
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
            // Nothing ends with a console that watches a session of another process.
            Action::Quit if self.leaving == Leaving::OnlyCloses => vec![UiEffect::Quit(Leave::Idle)],
            Action::Suspend if self.leaving == Leaving::OnlyCloses => vec![UiEffect::Suspend],
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
            Action::Refresh if matches!(self.screen, Screen::Welcome | Screen::Sessions) => {
                self.screen_acts(action, state, now)
            }
            Action::ResumeSession if self.screen == Screen::Welcome => self.sessions.resume_last(state, now),
            Action::Refresh => {
                let mut effects = notice("asking every endpoint");
                effects.push(UiEffect::Send(Command::Probe(None)));
                effects
            }
            Action::Mouse => vec![UiEffect::ToggleMouse],
            Action::NextTheme => vec![UiEffect::NextTheme],
            Action::ChooseTheme => vec![UiEffect::ChooseTheme],
            Action::SessionLevel => {
                let level = Some(state.level.next());
                vec![UiEffect::Send(Command::SetLevel { scope: LevelScope::Session, level })]
            }
            Action::Notices => vec![open(Layer::Notices(0))],
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
            Action::SaveAnswer if self.screen == Screen::Sessions => self.screen_acts(action, state, now),
            Action::SaveAnswer => {
                let answer = self.answer(state).map(|(goal, attempt)| {
                    let name = match self.screen {
                        Screen::Done(shown) if shown == goal => super::done::file_name(state, goal),
                        _ => format!("baton-answer-{goal}.md"),
                    };
                    UiEffect::SaveAnswer { attempt, name }
                });
                Card::save(answer, state.session.as_ref(), now)
                    .map_or_else(|| notice("there is no session yet to save"), |card| vec![open(Layer::Card(card))])
            }
            Action::Back if self.screen == Screen::Graph && self.graph.back() => Vec::new(),
            Action::Back if self.screen == Screen::Events && self.events.back() => Vec::new(),
            Action::Back if self.screen == Screen::Fleet => match self.fleet.back() {
                Some(effects) => effects,
                None => self.show(home(state)),
            },
            Action::Back if self.screen == Screen::Sessions && self.sessions.is_inside() => self.sessions.back(),
            Action::Back => {
                let effects = self.screen_acts(action, state, now);
                if effects.is_empty() && !matches!(self.screen, Screen::Run | Screen::Welcome) {
                    return self.show(home(state));
                }
                effects
            }
            action => match super::time::travel(action) {
                Some(travel) => vec![UiEffect::Travel(travel)],
                None => self.act_below(action, state, now),
            },
        }
    }

    /// What neither the uppermost layer took nor works everywhere: of the screen, unless something lies on it.
    fn act_below(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        match self.layers.last() {
            None => self.screen_acts(action, state, now),
            Some(Layer::Inspector(inspector)) if action == Action::Pin => match state.find(&inspector.task) {
                Some(task) => self.run.pin_task(task, state),
                None => Vec::new(),
            },
            Some(_) => not_here(action),
        }
    }

    fn screen_acts(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        match self.screen {
            Screen::Welcome if action == Action::KeepFleet => self.discovery.keep(),
            Screen::Welcome => self.welcome.update(action, state, now),
            Screen::Review(goal) => self.review.update(goal, action, state, now),
            Screen::Run => match self.run.selected_endpoint() {
                // What a key does to an endpoint it does wherever one is selected.
                Some(endpoint) if action.is_of_fleet() => verbs::act(action, endpoint, state, now).unwrap_or_default(),
                Some(endpoint) if action == Action::Enter => {
                    let mut effects = self.show(Screen::Fleet);
                    effects.extend(self.fleet.open(endpoint, state));
                    effects
                }
                _ => self.run.update(action, state, now),
            },
            Screen::Graph => match (action, self.graph.selected_task()) {
                // Pins are of Run's panes.
                (Action::Pin, Some(task)) => self.run.pin_task(task, state),
                _ => self.graph.update(action, state, now),
            },
            Screen::Done(goal) => self.done.update(goal, action, state, now),
            Screen::Time => self.time.timeline.update(action, state, now),
            Screen::Events => self.events.update(action, state, now),
            Screen::Sessions => self.sessions.update(action, state, now),
            Screen::Fleet => self.fleet.update(action, state, now),
        }
    }

    pub(super) fn input(&mut self, msg: &Msg, state: &State, now: Micros) -> Vec<UiEffect> {
        if self.is_deaf(now) || self.input_editing(msg, state, now) {
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
                        KeyCode::Up => palette.turn(-1, state),
                        KeyCode::Down => palette.turn(1, state),
                        KeyCode::PageUp => palette.turn(-10, state),
                        KeyCode::PageDown => palette.turn(10, state),
                        _ => {}
                    },
                    Msg::Paste(text) => text.chars().filter(|c| *c != '\n').for_each(|c| palette.push(c)),
                    Msg::Wheel(_, _, by) => palette.turn(isize::from(*by), state),
                    _ => {}
                }
                Vec::new()
            }
            Some(Layer::Card(card)) => {
                let Msg::Key(key) = msg else { return Vec::new() };
                let KeyCode::Char(c) = key.code else { return Vec::new() };
                let Some(effects) = card.letter(c).map(|choice| choice.effects.clone()) else { return Vec::new() };
                self.close();
                effects
            }
            Some(Layer::Absent(_)) => {
                if matches!(msg, Msg::Key(_)) {
                    self.close();
                }
                Vec::new()
            }
            Some(Layer::Retry(retry)) => {
                let does = retry.input(msg, state);
                self.layer_did(does, state, now)
            }
            Some(Layer::Answer(answer)) => {
                let does = answer.input(msg, state);
                self.layer_did(does, state, now)
            }
            Some(Layer::Message(message)) => {
                message.field.input(msg);
                Vec::new()
            }
            Some(Layer::Endpoint(form)) => {
                form.input(msg);
                Vec::new()
            }
            Some(Layer::GoTo(goto)) => {
                goto.input(msg);
                Vec::new()
            }
            Some(Layer::Notices(scroll)) => {
                if let Msg::Wheel(_, _, by) = msg {
                    *scroll = scroll.saturating_add_signed(isize::from(*by));
                }
                Vec::new()
            }
            Some(Layer::Help(help)) => {
                if let Msg::Wheel(_, _, by) = msg {
                    help.scroll = help.scroll.saturating_add_signed(isize::from(*by));
                }
                Vec::new()
            }
            Some(Layer::Themes(themes)) => match msg {
                Msg::Wheel(_, _, by) => themes.turn(isize::from(by.signum())),
                _ => Vec::new(),
            },
            Some(Layer::Attention(_) | Layer::Editor(_) | Layer::Form(_) | Layer::Preview(_)) => Vec::new(),
        }
    }

    fn give_screen(&mut self, msg: &Msg, state: &State, now: Micros) -> Vec<UiEffect> {
        match self.screen {
            Screen::Welcome => self.welcome.input(msg, state, now),
            Screen::Review(goal) => self.review.input(goal, msg, state, now),
            Screen::Run => self.run.input(msg, state, now),
            Screen::Graph => self.graph.input(msg, state, now),
            Screen::Done(goal) => self.done.input(goal, msg, state, now),
            Screen::Time => self.time.timeline.input(msg),
            Screen::Events => self.events.input(msg),
            Screen::Sessions => self.sessions.input(msg),
            Screen::Fleet => self.fleet.input(msg, state),
        }
    }

    fn show(&mut self, screen: Screen) -> Vec<UiEffect> {
        // What is selected here is selected there.
        if self.screen == Screen::Graph
            && screen == Screen::Run
            && let Some(task) = self.graph.task().filter(|t| self.run.selected() != Some(*t))
        {
            self.run.select(task);
        }
        let mut effects = if screen == Screen::Fleet { Vec::new() } else { self.fleet.close() };
        self.screen = screen;
        effects.extend(self.layers.drain(..).rev().flat_map(Layer::closed));
        effects
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

/// What needs the operator, oldest first.
pub(crate) fn needs_you(state: &State) -> Vec<(&Subject, &crate::domain::state::Attention)> {
    let mut all: Vec<_> = state.attention.iter().collect();
    all.sort_by_key(|(_, a)| a.since);
    all
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
