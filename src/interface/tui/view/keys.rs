//! The key line: what the keys of the focus do, in the words of the screen or the layer that has it.
//!
//! Not here: which key means what (`action/table`); a key that the user moved is shown where it went, one that was taken
//! away is left out. Invariant: the last hint stays longest, the others give way from the right.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{put, run_hints};
use crate::domain::protocol::Outcome;
use crate::domain::state::GoalPhase;
use crate::interface::tui::action::{Action, Context, Hint, Keymap};
use crate::interface::tui::model::answer::Hand;
use crate::interface::tui::model::discovery::Offer;
use crate::interface::tui::model::events::Side;
use crate::interface::tui::model::fleet::Half;
use crate::interface::tui::model::spots::Spot;
use crate::interface::tui::model::welcome::WelcomeFocus;
use crate::interface::tui::model::{Layer, Screen};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::{GlyphSet, Slot, Theme};

/// What a few actions together do, in a word or two.
type Words = (&'static [Action], &'static str);

const COMMAND: Words = (&[Action::Palette], "command");
const LEAVE: Words = (&[Action::Quit], "leave");
const HELP: Words = (&[Action::Help], "help");
const CARD: &[Words] =
    &[(&[Action::Left, Action::Right], "choose"), (&[Action::Enter], "do"), (&[Action::Back], "nothing")];
const SHEET: &[Words] = &[(&[Action::Down, Action::Up], "scroll"), LEAVE, (&[Action::Back], "close")];
const EDITOR: &[Words] = &[
    (&[Action::Accept], "look and save"),
    (&[Action::Back], "leave"),
    (&[Action::NextProblem], "next mistake"),
    (&[Action::TextFind], "find"),
    (&[Action::TextUndo, Action::TextRedo], "undo redo"),
    (&[Action::ExternalEditor], "$EDITOR"),
    (&[Action::NextPane, Action::PreviousPane], "indent"),
    HELP,
];
const FIND: &[Words] = &[(&[Action::Enter], "next"), (&[Action::TextFind], "before"), (&[Action::Back], "close"), HELP];
const FORM: &[Words] = &[
    (&[Action::Accept], "save"),
    (&[Action::NextPane, Action::PreviousPane], "field"),
    (&[Action::Back], "leave"),
    (&[Action::TextUndo, Action::TextRedo], "undo redo"),
    (&[Action::ExternalEditor], "prompt in $EDITOR"),
    HELP,
];
const PREVIEW: &[Words] =
    &[(&[Action::Enter], "apply"), (&[Action::Down, Action::Up], "choose"), (&[Action::Back], "back, nothing is sent")];
const THEMES: &[Words] =
    &[(&[Action::Down, Action::Up], "choose"), (&[Action::Enter], "keep"), LEAVE, (&[Action::Back], "as it was")];
const ATTENTION: &[Words] = &[
    (&[Action::Answer], "answer"),
    (&[Action::Back], "close"),
    (&[Action::Enter], "open"),
    (&[Action::Retry], "retry"),
    (&[Action::Stop], "stop"),
    (&[Action::Message], "message"),
    (&[Action::Dismiss], "dismiss"),
    (&[Action::Down, Action::Up], "choose"),
    LEAVE,
    HELP,
];
const ABSENT: &[Words] =
    &[(&[Action::Enter], "open"), (&[Action::Down, Action::Up], "choose"), (&[Action::Back], "close")];
const RETRY: &[Words] = &[
    (&[Action::Enter], "do"),
    (&[Action::Back], "nothing"),
    (&[Action::Down, Action::Up], "row"),
    (&[Action::Left, Action::Right], "change"),
];
const PROMPT: &[Words] =
    &[(&[Action::Enter], "take it"), (&[Action::Back], "as it was"), (&[Action::TextUndo], "undo")];
const WRITE: &[Words] =
    &[(&[Action::Enter], "send"), (&[Action::Back], "keep as a draft"), (&[Action::TextUndo], "undo")];
const SEEK: &[Words] = &[(&[Action::Enter], "find"), (&[Action::Back], "as it was")];
const INSPECTOR: &[Words] = &[
    (&[Action::NextPane], "section"),
    (&[Action::Back], "close"),
    (&[Action::Left, Action::Right], "attempt"),
    (&[Action::Message], "message"),
    (&[Action::Retry], "retry"),
    (&[Action::DiffAttempts], "compare"),
    (&[Action::Level], "level"),
    (&[Action::Hold], "hold"),
    (&[Action::Stop], "stop"),
    (&[Action::Search], "search"),
    (&[Action::Copy], "copy"),
    (&[Action::Follow], "end"),
    COMMAND,
    LEAVE,
    HELP,
];
const REVIEW: &[Words] = &[
    (&[Action::Enter], "run it"),
    (&[Action::Back], "keep as a draft"),
    (&[Action::EditTask], "edit task"),
    (&[Action::EditPlan], "edit plan"),
    (&[Action::NewTask], "new task"),
    (&[Action::Level], "level"),
    (&[Action::Remove], "remove"),
    (&[Action::Copy], "copy prompt"),
    COMMAND,
    LEAVE,
    HELP,
];
const DONE: &[Words] = &[
    (&[Action::NewGoal], "new goal"),
    (&[Action::CopyAnswer], "copy"),
    (&[Action::SaveAnswer], "save"),
    (&[Action::Again], "again"),
    (&[Action::Back], "tasks"),
    (&[Action::Left, Action::Right], "thinking"),
    COMMAND,
    LEAVE,
    HELP,
];
const FAILED: &[Words] = &[
    (&[Action::Again], "retry what failed"),
    (&[Action::NewGoal], "new goal"),
    (&[Action::Back], "tasks"),
    (&[Action::CopyAnswer], "copy"),
    (&[Action::SaveAnswer], "save"),
    COMMAND,
    LEAVE,
    HELP,
];
const EVENTS: &[Words] = &[
    (&[Action::Down, Action::Up], "record"),
    (&[Action::Search], "filter"),
    (&[Action::Enter], "its task"),
    (&[Action::Order], "spans"),
    (&[Action::NextPane], "pane"),
    (&[Action::Last], "follow"),
    (&[Action::Copy], "copy"),
    COMMAND,
    LEAVE,
    HELP,
];
const SESSIONS: &[Words] = &[
    (&[Action::Enter], "replay"),
    (&[Action::ResumeSession], "resume"),
    (&[Action::Search], "filter, search"),
    (&[Action::Fork], "fork"),
    (&[Action::SaveAnswer], "report, export"),
    (&[Action::DeleteSession], "delete"),
    (&[Action::Refresh], "look again"),
    COMMAND,
    LEAVE,
    HELP,
];
const SESSIONS_FIELD: &[Words] =
    &[(&[Action::Enter], "filter"), (&[Action::TextFind], "search all that was said"), (&[Action::Back], "as it was")];
const GRAPH: &[Words] = &[
    (&[Action::Enter], "open"),
    (&[Action::Left, Action::Down, Action::Up, Action::Right], "move"),
    (&[Action::Order], "form"),
    (&[Action::Zoom], "neighbours"),
    (&[Action::Search], "filter"),
    (&[Action::Message], "message"),
    (&[Action::Retry], "retry"),
    (&[Action::EditTask], "edit"),
    (&[Action::Level], "level"),
    (&[Action::Hold], "hold"),
    (&[Action::Stop], "stop"),
    COMMAND,
    LEAVE,
    HELP,
];
const TIME: &[Words] = &[
    (&[Action::Enter], "open"),
    (&[Action::Left, Action::Right], "time"),
    (&[Action::Down, Action::Up], "lane"),
    (&[Action::PreviousMatch, Action::NextMatch], "in lane"),
    (&[Action::Zoom, Action::ZoomOut], "zoom"),
    (&[Action::Play], "play"),
    (&[Action::GoTo], "go to"),
    COMMAND,
    LEAVE,
    HELP,
];
/// What works on every screen at another moment, before what the screen itself says.
const PAST: &[Words] = &[
    (&[Action::Play], "play"),
    (&[Action::PreviousRecord, Action::NextRecord], "record"),
    (&[Action::Rewind, Action::Forward], "5 s"),
    (&[Action::Now], "now"),
    (&[Action::Fork], "fork"),
];
const FLEET: &[Words] = &[
    (&[Action::Enter], "log, history"),
    (&[Action::StartServer], "start"),
    (&[Action::RestartServer], "restart"),
    (&[Action::StopServer], "stop"),
    (&[Action::Drain], "drain"),
    (&[Action::EditEndpoint], "edit"),
    (&[Action::NextPane], "pane"),
    (&[Action::Refresh], "probe"),
    COMMAND,
    LEAVE,
    HELP,
];
const LOG: &[Words] = &[
    (&[Action::Search], "search"),
    (&[Action::NextMatch, Action::PreviousMatch], "match"),
    (&[Action::Follow], "follow"),
    (&[Action::Copy], "copy"),
    (&[Action::NextPane], "history"),
    (&[Action::Back], "close"),
    COMMAND,
    LEAVE,
    HELP,
];
const HISTORY: &[Words] = &[
    (&[Action::NextPane], "log"),
    (&[Action::Back], "close"),
    (&[Action::StartServer], "start"),
    (&[Action::RestartServer], "restart"),
    (&[Action::StopServer], "stop"),
    (&[Action::Drain], "drain"),
    (&[Action::EditEndpoint], "edit"),
    COMMAND,
    LEAVE,
    HELP,
];
const ENDPOINT: &[Words] = &[
    (&[Action::Accept], "save"),
    (&[Action::NextPane, Action::PreviousPane], "field"),
    (&[Action::Back], "leave it as it is"),
    (&[Action::TextUndo, Action::TextRedo], "undo redo"),
    HELP,
];

/// The hints in the words of what has the focus; none: those of the table.
fn words(scene: &Scene<'_>) -> Option<Vec<Words>> {
    if let Some(layer) = scene.ui.layers.last() {
        return match layer {
            Layer::Card(_) => Some(CARD.to_vec()),
            Layer::Absent(_) => Some(ABSENT.to_vec()),
            Layer::Themes(_) => Some(THEMES.to_vec()),
            Layer::Help(_) | Layer::Notices(_) => Some(SHEET.to_vec()),
            Layer::Attention(_) => Some(ATTENTION.to_vec()),
            Layer::Retry(retry) => Some(if retry.field.is_some() { PROMPT } else { RETRY }.to_vec()),
            Layer::Answer(answer) if answer.hand == Hand::Choosing => Some(CARD.to_vec()),
            Layer::Answer(_) | Layer::Message(_) => Some(WRITE.to_vec()),
            Layer::Inspector(inspector) if inspector.field().is_some() => Some(SEEK.to_vec()),
            Layer::Inspector(_) => Some(INSPECTOR.to_vec()),
            Layer::GoTo(_) => Some(vec![(&[Action::Enter], "go"), (&[Action::Back], "stay")]),
            Layer::Palette(_) => None,
            Layer::Editor(editor) if editor.find.is_some() => Some(FIND.to_vec()),
            Layer::Editor(_) => Some(EDITOR.to_vec()),
            Layer::Form(_) => Some(FORM.to_vec()),
            Layer::Preview(_) => Some(PREVIEW.to_vec()),
            Layer::Endpoint(_) => Some(ENDPOINT.to_vec()),
        };
    }
    match scene.ui.screen {
        Screen::Welcome => Some(welcome(scene)),
        Screen::Review(_) => Some(REVIEW.to_vec()),
        Screen::Done(goal) => {
            let phase = scene.state.goal(goal).map(|g| &g.phase);
            Some(if phase == Some(&GoalPhase::Ended(Outcome::Failed)) { FAILED } else { DONE }.to_vec())
        }
        Screen::Events if scene.ui.events.is_typing() => None,
        Screen::Events => Some(
            EVENTS
                .iter()
                .map(|(actions, words)| match scene.ui.events.side {
                    Side::Spans if *words == "spans" => (*actions, "record"),
                    _ => (*actions, *words),
                })
                .collect(),
        ),
        Screen::Sessions if scene.ui.sessions.is_typing() => Some(SESSIONS_FIELD.to_vec()),
        Screen::Sessions => Some(
            SESSIONS
                .iter()
                .map(|(actions, words)| match scene.ui.sessions.enters(scene.state) {
                    Some(word) if *words == "replay" => (*actions, word),
                    _ => (*actions, *words),
                })
                .collect(),
        ),
        Screen::Time => Some(TIME.to_vec()),
        Screen::Fleet => match &scene.ui.fleet.page {
            Some(page) if page.log.is_typing() => Some(SEEK.to_vec()),
            Some(page) if page.half == Half::Log => Some(LOG.to_vec()),
            Some(_) => Some(HISTORY.to_vec()),
            None => Some(FLEET.to_vec()),
        },
        Screen::Graph if scene.ui.graph.field().is_none() => Some(GRAPH.to_vec()),
        Screen::Run | Screen::Graph => None,
    }
}

fn welcome(scene: &Scene<'_>) -> Vec<Words> {
    let welcome = &scene.ui.welcome;
    let fleet = if scene.state.config.fleet.is_simulated() { "real fleet" } else { "simulated fleet" };
    let back = (!scene.state.goals().is_empty()).then_some((&[Action::Back] as &[_], "back"));
    match welcome.focus() {
        WelcomeFocus::Fleet => {
            let first: [Words; 3] = [
                (&[Action::NextPane], "back to the goal"),
                (&[Action::ChooseFleet], fleet),
                (&[Action::Refresh], "probe again"),
            ];
            let keep =
                (scene.ui.discovery.offer == Offer::Open).then_some((&[Action::KeepFleet] as &[_], "keep this fleet"));
            let resume = scene.ui.sessions.to_resume(scene.state).map(|_| (&[Action::ResumeSession] as &[_], "resume"));
            first.into_iter().chain(keep).chain(resume).chain(back).chain([COMMAND, LEAVE, HELP]).collect()
        }
        WelcomeFocus::Goal => {
            let enter = if welcome.is_empty() { "run a demo" } else { "make a plan" };
            let first: [Words; 2] = [(&[Action::Enter], enter), (&[Action::NextPane], "fleet")];
            first.into_iter().chain(back).chain([COMMAND, LEAVE, HELP]).collect()
        }
    }
}

/// Keys that the layer takes itself, under no action of the table.
fn palette(theme: &Theme) -> Vec<Hint> {
    let arrows = format!("{} {}", arrow(theme, "up"), arrow(theme, "down"));
    let hint = |key: &str, words, action| Hint { key: key.to_owned(), words, action };
    vec![
        hint(&arrows, "choose", None),
        hint("enter", "do", Some(Action::Enter)),
        hint("ctrl-u", "clear", None),
        hint("esc", "close", Some(Action::Back)),
    ]
}

/// An arrow key as its sign, where there is one.
fn arrow(theme: &Theme, key: &str) -> String {
    let sign = match (theme.glyphs, key) {
        (GlyphSet::Unicode, "left") => "←",
        (GlyphSet::Unicode, "right") => "→",
        (GlyphSet::Unicode, "up") => "↑",
        (GlyphSet::Unicode, "down") => "↓",
        _ => key,
    };
    sign.to_owned()
}

fn hints(scene: &Scene<'_>, keymap: &Keymap, contexts: &[Context], cells: usize) -> Vec<Hint> {
    let key = |a: &Action| Some(arrow(scene.theme, &keymap.key(contexts, *a)?.to_string()));
    let hint = |(actions, words): Words| {
        let keys: Vec<String> = actions.iter().filter_map(key).collect();
        (!keys.is_empty()).then(|| Hint { key: keys.join(" "), words, action: actions.first().copied() })
    };
    let mut hints: Vec<Hint> = if matches!(scene.ui.layers.last(), Some(Layer::Palette(_))) {
        palette(scene.theme)
    } else if let Some(words) = words(scene) {
        words.into_iter().filter_map(hint).collect()
    } else {
        run_hints::hints(scene, keymap, contexts)
    };
    // What can't be done is not offered.
    if scene.ui.barred(scene.state).is_some() {
        hints.retain(|h| !h.action.is_some_and(Action::acts));
    }
    if scene.ui.time.moment.is_some() && contexts.contains(&Context::Time) {
        let told = |h: &Hint| PAST.iter().any(|(actions, _)| h.action == actions.first().copied());
        hints.retain(|h| !told(h));
        hints.splice(0..0, PAST.iter().copied().filter_map(hint));
    }
    Hint::fit(&mut hints, cells);
    hints
}

/// Draws the key line.
pub(super) fn render(scene: &Scene<'_>, keymap: &Keymap, row: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let contexts = scene.ui.contexts(scene.state);
    let mut left = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
    if let Some(text) = run_hints::marked(scene) {
        left = put(buf, left, &text, theme.style(Slot::Notice));
        left = put(buf, left, "  ", theme.style(Slot::KeyHint));
    }
    for hint in hints(scene, keymap, &contexts, usize::from(left.width)) {
        let x = left.x;
        left = put(buf, left, &hint.key, theme.style(Slot::Key));
        left = put(buf, left, " ", theme.style(Slot::KeyHint));
        left = put(buf, left, hint.words, theme.style(Slot::KeyHint));
        if let Some(action) = hint.action {
            scene.ui.spots.add(Rect { x, width: left.x - x, height: 1, ..row }, Spot::Press(action));
        }
        left = put(buf, left, "  ", theme.style(Slot::KeyHint));
    }
}
