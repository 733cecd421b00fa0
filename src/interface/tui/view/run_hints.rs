//! The key line of the Run screen: only keys that do something for the selected row, in words that fit it.
//!
//! Not here: what a key does, how the line is drawn.

use crate::domain::state::{Status, TaskIx};
use crate::interface::tui::action::{Action, Context, Hint, Keymap};
use crate::interface::tui::model::Screen;
use crate::interface::tui::model::run::rows::{Fold, Pick};
use crate::interface::tui::model::run::{Focus, RunUi};
use crate::interface::tui::scene::Scene;

/// `3 marked`, with how many of them no row shows.
pub(super) fn marked(scene: &Scene<'_>) -> Option<String> {
    let run = &scene.ui.run;
    if scene.ui.screen != Screen::Run || !scene.ui.layers.is_empty() || run.marks.is_empty() {
        return None;
    }
    let (n, hidden) = (run.marks.len(), run.marks_hidden());
    let range = if run.marks.from().is_some() { " so far" } else { "" };
    Some(if hidden > 0 { format!("{n} marked{range}, {hidden} not shown") } else { format!("{n} marked{range}") })
}

/// The hints for what is selected.
pub(super) fn hints(scene: &Scene<'_>, keymap: &Keymap, contexts: &[Context]) -> Vec<Hint> {
    let mut hints = keymap.hints(contexts);
    let run = &scene.ui.run;
    if scene.ui.screen != Screen::Run || contexts.first() == Some(&Context::Text) {
        return hints;
    }
    let (tasks, one) = meant(scene, run);
    let status = |t: &TaskIx| scene.state.status(*t, scene.now);
    let ended = |t: &TaskIx| scene.state.task(*t).has_ended();
    let begun = |t: &TaskIx| !scene.state.task(*t).attempts.is_empty();
    let waits_for_time = |t: &TaskIx| scene.state.task(*t).not_before > scene.now;
    hints.retain_mut(|hint| {
        let Some(action) = hint.action else { return true };
        match action {
            Action::Retry => tasks.iter().any(|t| ended(t) || waits_for_time(t)),
            Action::Level | Action::Stop => tasks.iter().any(|t| !ended(t)),
            Action::Hold => {
                if !tasks.is_empty() && tasks.iter().all(|t| ended(t) || scene.state.task(*t).held) {
                    hint.words = "release";
                }
                tasks.iter().any(|t| !ended(t))
            }
            Action::Message => one && tasks.iter().any(begun),
            Action::EditTask => one,
            Action::Pin => tasks.iter().any(begun),
            Action::Zoom | Action::Grid => run.focus != Focus::Tree || tasks.iter().any(begun),
            Action::Copy => run.focus == Focus::Pane || one && tasks.iter().any(begun),
            Action::Enter => {
                if run.focus == Focus::Tree
                    && let Some(fold) = run.rows().get(run.cursor()).and_then(|r| r.fold)
                {
                    hint.words = if fold == Fold::Open { "fold" } else { "unfold" };
                }
                true
            }
            _ => true,
        }
    });
    let mut first = Vec::new();
    if one && tasks.iter().any(|t| status(t) == Status::Asking) {
        first.push((Action::Answer, "answer"));
    }
    if run.focus == Focus::Tree && !run.marks.is_empty() {
        first.push((Action::Back, "unmark"));
    }
    let first = first.into_iter().filter_map(|(action, words)| {
        Some(Hint { key: keymap.key(contexts, action)?.to_string(), words, action: Some(action) })
    });
    first.chain(hints).collect()
}

/// The tasks that a verb acts on now, and whether that is one task by itself.
fn meant(scene: &Scene<'_>, run: &RunUi) -> (Vec<TaskIx>, bool) {
    if run.focus == Focus::Tree && run.zoom.is_none() {
        let one = run.marks.is_empty() && matches!(run.pick, Some(Pick::Task(_)));
        return (run.targets(scene.state), one);
    }
    let task = run.selected().filter(|_| run.focus == Focus::Pane);
    (task.into_iter().collect(), task.is_some())
}
