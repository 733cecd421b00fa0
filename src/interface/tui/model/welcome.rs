//! The welcome screen: the goal box, the examples, the choice of the fleet.
//!
//! Not here: what is drawn (`view/welcome`). Invariant: what was typed is lost only when it was sent.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_textarea::{CursorMove, DataCursor, TextArea, WrapMode};

use super::files::{FilesNews, FilesWish, NamedFiles};
use super::{FleetChoice, Msg, Next, Screen, UiEffect, notice};
use crate::domain::plan::demo_plan;
use crate::domain::protocol::{Command, GoalOptions, Micros, PlanSource, Record, Review};
use crate::domain::state::State;
use crate::interface::given::mentioned::typed_path;
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
    /// The files that the text names.
    pub(crate) files: NamedFiles,
}

impl Default for WelcomeUi {
    fn default() -> Self {
        Self { area: empty(), focus: WelcomeFocus::Goal, example: None, files: NamedFiles::default() }
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
        let effects = match msg {
            Msg::Key(key) if key.kind != KeyEventKind::Release => self.key(*key),
            Msg::Paste(text) if self.focus == WelcomeFocus::Goal => {
                self.area.insert_str(text.as_str());
                self.example = None;
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.follow(effects)
    }

    /// Follows the text: what files it names is looked at.
    fn follow(&mut self, mut effects: Vec<UiEffect>) -> Vec<UiEffect> {
        effects.extend(self.files.follow(self.text()));
        effects
    }

    /// The path that is being typed, up to the cursor.
    pub(crate) fn typed_path(&self) -> Option<String> {
        let DataCursor(row, column) = self.area.cursor();
        let line = self.area.lines().get(row)?;
        let before: String = line.chars().take(column).collect();
        typed_path(&before).map(str::to_owned)
    }

    /// Takes in what came of files.
    pub(super) fn hear(&mut self, news: FilesNews) -> Vec<UiEffect> {
        match news {
            FilesNews::Completed { typed, path, names, more } => {
                if self.typed_path().as_deref() != Some(typed.as_str()) {
                    return Vec::new();
                }
                self.complete(&typed, &path, names.is_empty());
                let effects = self.follow(Vec::new());
                self.files.names = (names, more);
                effects
            }
            FilesNews::NotCompleted(words) => {
                self.files.trouble = Some(words);
                Vec::new()
            }
            FilesNews::Looked(text, seen) => {
                self.files.looked(&text, seen);
                Vec::new()
            }
            FilesNews::Read { text, command, said } => {
                self.files.was_read();
                if self.text() != text {
                    return notice("the goal was changed while its files were read; enter sends it as it is now");
                }
                match command {
                    Ok(command) => {
                        *self = Self::default();
                        let said = said.into_iter().map(UiEffect::Notice);
                        [UiEffect::Send(*command), UiEffect::Show(Screen::Run)].into_iter().chain(said).collect()
                    }
                    Err(words) => {
                        self.files.trouble = Some(words);
                        Vec::new()
                    }
                }
            }
        }
    }

    /// Writes a path in place of what was typed of it; a whole one is closed, so that one types on.
    fn complete(&mut self, typed: &str, path: &str, is_whole: bool) {
        for _ in typed.chars() {
            self.area.delete_char();
        }
        let DataCursor(row, column) = self.area.cursor();
        let line = self.area.lines().get(row).map(String::as_str).unwrap_or_default();
        let was_quoted = line.chars().take(column).last() == Some('"');
        // As long as a plain word it would end at the space, or before the bracket.
        let needs = path.contains(|c: char| c.is_whitespace() || ",;:!?)]}".contains(c)) || path.ends_with('.');
        let quote = if needs && !was_quoted { "\"" } else { "" };
        let ends = match (is_whole && !path.ends_with('/'), needs || was_quoted) {
            (true, true) => "\" ",
            (true, false) => " ",
            (false, _) => "",
        };
        self.area.insert_str(format!("{quote}{path}{ends}"));
        self.example = None;
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
    pub fn update(&mut self, action: Action, state: &State, now: Micros) -> Vec<UiEffect> {
        let effects = self.act(action, state, now);
        self.follow(effects)
    }

    fn act(&mut self, action: Action, state: &State, _now: Micros) -> Vec<UiEffect> {
        if action == Action::NextPane
            && self.focus == WelcomeFocus::Goal
            && let Some(path) = self.typed_path()
        {
            return vec![UiEffect::Files(FilesWish::Complete(path))];
        }
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
        if self.files.any() {
            let text = self.text();
            return match self.files.is_reading(&text) {
                true => notice("its files are being read; it is sent as soon as they are"),
                false => vec![self.files.read(text)],
            };
        }
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

    fn files(effects: &[UiEffect]) -> Vec<&FilesWish> {
        effects.iter().filter_map(|e| if let UiEffect::Files(wish) = e { Some(wish) } else { None }).collect()
    }

    #[test]
    fn tab_completes_a_path_and_behind_it_leaves_the_box() {
        let mut welcome = WelcomeUi::default();
        write(&mut welcome, "sum up @no");
        let asked = welcome.update(Action::NextPane, &State::default(), Micros(0));
        assert_eq!(files(&asked), [&FilesWish::Complete("no".into())]);
        let completed = |typed: &str, path: &str, names: &[&str]| FilesNews::Completed {
            typed: typed.into(),
            path: path.into(),
            names: names.iter().map(|n| (*n).into()).collect(),
            more: 0,
        };
        welcome.hear(completed("n", "never.md", &[]));
        assert_eq!(welcome.text(), "sum up @no", "late: more was typed since");
        welcome.hear(completed("no", "notes ", &["notes a.md", "notes b.md"]));
        assert_eq!((welcome.text().as_str(), welcome.files.names.0.len()), ("sum up @\"notes ", 2));
        write(&mut welcome, "b");
        assert!(welcome.files.names.0.is_empty());
        welcome.hear(completed("notes b", "notes b.md", &[]));
        assert_eq!(welcome.text(), "sum up @\"notes b.md\" ");
        welcome.update(Action::NextPane, &State::default(), Micros(0));
        assert_eq!(welcome.focus(), WelcomeFocus::Fleet);
        let mut plain = WelcomeUi::default();
        write(&mut plain, "@p");
        plain.hear(completed("p", "plan.yaml", &[]));
        assert_eq!(plain.text(), "@plan.yaml ");
    }

    #[test]
    fn a_goal_with_a_file_is_sent_once_that_is_read_and_kept_where_it_can_t_be() {
        let mut welcome = WelcomeUi::default();
        write(&mut welcome, "sum up ");
        assert_eq!(files(&welcome.input(&Msg::Paste("@a.md".into()), &State::default(), Micros(0))).len(), 1);
        let text = "sum up @a.md";
        assert_eq!(accept(&mut welcome), [UiEffect::Files(FilesWish::Read(text.into()))]);
        assert!(matches!(accept(&mut welcome)[..], [UiEffect::Notice(_)]), "sent twice by a second enter");
        let wrong = |words: &str| FilesNews::Read { text: text.into(), command: Err(words.into()), said: Vec::new() };
        assert_eq!(welcome.hear(wrong("there is no file")), []);
        assert_eq!((welcome.text().as_str(), welcome.files.trouble.as_deref()), (text, Some("there is no file")));
        accept(&mut welcome);
        let command = Box::new(Command::Pause);
        let read = FilesNews::Read { text: text.into(), command: Ok(command), said: Vec::new() };
        assert_eq!(welcome.hear(read), [UiEffect::Send(Command::Pause), UiEffect::Show(Screen::Run)]);
        assert!(welcome.is_empty() && welcome.files.trouble.is_none());
        write(&mut welcome, text);
        accept(&mut welcome);
        write(&mut welcome, "!");
        assert!(matches!(welcome.hear(wrong(""))[..], [UiEffect::Notice(_)]), "another text is not sent");
        assert_eq!(welcome.text(), format!("{text}!"));
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
