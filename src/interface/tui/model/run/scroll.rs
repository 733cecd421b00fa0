//! Scrolling, folding and searching in panes. What is asked for here is met by the next frame, which knows the rows; it
//! hands back where things stand ([`RunUi::drawn`]).

use super::place::Anchor;
use super::rows::Fold;
use super::{Drawn, Focus, Found, RunUi, Search, Shown};
use crate::domain::protocol::Micros;
use crate::domain::state::TaskIx;

/// While something is read or searched, the next frame is wanted after this long.
const SOON: Micros = Micros::from_millis(30);

impl RunUi {
    /// Takes in what the last frame showed.
    pub fn drawn(&mut self, drawn: Drawn) {
        for (at, shown) in drawn.panes.iter().enumerate() {
            let Some(pane) = self.panes.get_mut(at) else { continue };
            let Some(anchor) = shown.anchor else { continue };
            if pane.anchor == Anchor::Tail && anchor != Anchor::Tail {
                pane.seen = shown.last;
            }
            (pane.anchor, pane.by) = (anchor, 0);
            if let Some(found) = &shown.found {
                self.search.at = found.at;
                if found.busy.is_none() || found.at.is_some() {
                    self.search.step = 0;
                }
            }
            if let Some((from, to)) = shown.selected
                && let Some(selection) = self.selection.as_mut().filter(|s| s.task == pane.task)
            {
                (selection.from, selection.to, selection.by) =
                    (super::select::Point::Place(from), super::select::Point::Place(to), 0);
            }
        }
        self.drawn = drawn;
    }

    /// Takes in what the last frame showed, but not where the panes stand: nothing was asked for, and at another moment
    /// they stand where the user left them.
    pub(crate) fn seen(&mut self, drawn: Drawn) {
        self.drawn = drawn;
    }

    /// Tasks whose panes show the first row there is: scrolled up to it, or with room for all.
    pub(crate) fn at_the_top(&self) -> Vec<TaskIx> {
        let top = |(i, pane): (usize, &Option<super::panes::Pane>)| {
            let shown = self.drawn.panes.get(i)?;
            let fits = shown.rows <= shown.height;
            Some(pane.as_ref().filter(|p| shown.top == 0 && (fits || !p.follows()))?.task)
        };
        self.panes.list.iter().enumerate().filter_map(top).collect()
    }

    /// When the panes want another frame though nothing came: to read or search on.
    pub(super) fn wants_frame(&self) -> Option<Micros> {
        let busy = |shown: &Shown| shown.reading.is_some() || shown.found.as_ref().is_some_and(|f| f.busy.is_some());
        self.drawn.panes.iter().any(busy).then(|| self.now.plus(SOON))
    }

    /// The pane that keys for text go to.
    pub(crate) fn keys_pane(&self) -> Option<usize> {
        match (self.zoom, self.focus) {
            (Some(task), _) => self.panes.of(task),
            (None, Focus::Pane) => Some(self.panes.focus),
            (None, _) => None,
        }
    }

    /// Scrolls a pane by rows; up leaves follow, reaching the end takes it up again. While rows are selected in it, it
    /// is the cursor that moves.
    pub(super) fn scroll_pane(&mut self, at: usize, by: isize) {
        let Some(pane) = self.panes.get_mut(at) else { return };
        match self.selection.as_mut().filter(|s| s.task == pane.task) {
            Some(selection) => selection.by = selection.by.saturating_add(by),
            None => pane.by = pane.by.saturating_add(by),
        }
    }

    /// Follows the end again.
    pub(super) fn follow(&mut self) {
        let Some(pane) = self.keys_pane().and_then(|at| self.panes.get_mut(at)) else { return };
        if let Some(selection) = self.selection.as_mut().filter(|s| s.task == pane.task) {
            selection.by = isize::MAX / 2;
            return;
        }
        (pane.anchor, pane.by) = (Anchor::Tail, 0);
    }

    /// Folds or unfolds what can be in a pane.
    pub(super) fn fold_pane(&mut self, at: usize, fold: Fold) {
        if let Some(pane) = self.panes.get_mut(at) {
            pane.fold = Some(fold);
        }
    }

    /// To the next match, or the one before.
    pub(super) fn step_match(&mut self, by: isize) {
        if !self.search.text.is_empty() {
            self.search.step = self.search.step.saturating_add(by);
        }
    }

    /// A new text to search for.
    pub(super) fn search_for(&mut self, text: &str) {
        self.search = Search { text: text.to_owned(), at: None, step: 0 };
    }

    /// What the last frame showed of a pane.
    pub(crate) fn shown(&self, pane: usize) -> Option<&Shown> {
        self.drawn.panes.get(pane)
    }

    /// What the search in outputs has found, when something is searched for.
    pub fn found(&self) -> Option<&Found> {
        if self.search.text.is_empty() {
            return None;
        }
        self.drawn.panes.get(self.keys_pane()?)?.found.as_ref()
    }
}
