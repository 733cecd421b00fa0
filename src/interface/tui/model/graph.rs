//! What the user does on the Graph screen: form, selection, folds, filter, scroll.
//!
//! [`GraphUi::tick`] follows the state before each frame; [`GraphUi::update`] takes an action. Not here: drawing
//! (`view/graph`), where nodes and lines stand in a graph (`domain/graph`). Invariants: the selection stays with its
//! task; nodes move when the plan, a fold, the form or the size changes, never when a status does.

pub mod areas;
pub mod board;
mod moves;
pub mod standing;
mod update;

use std::collections::BTreeSet;

use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::layout::Rect;

use self::board::Board;
use self::standing::Standing;
use super::super::action::Context;
use super::run::filter::Filter;
use super::{Msg, UiEffect};
use crate::domain::graph::{Content, Dag, Folded, Layout, NodeIx, Plot, Rails, around};
use crate::domain::protocol::{Micros, Record};
use crate::domain::state::{State, TaskIx};

/// How the graph is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Layers from left to right.
    #[default]
    Drawing,
    /// A list with rails beside it.
    Rails,
    /// The neighbourhood of one task, in layers.
    Near,
}

impl Form {
    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Drawing => "drawing",
            Self::Rails => "rails",
            Self::Near => "neighbourhood",
        }
    }
}

/// Nodes that a drawing has at most while Baton chooses the form.
const EASY: usize = 40;
/// Nodes that a drawing has at most.
const MOST: usize = 400;
/// Steps of a neighbourhood, while it stays easy to read.
const STEPS: u32 = 3;

/// What the plan's graph depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PlanKey {
    revisions: Vec<u32>,
    tasks: usize,
}

/// The neighbourhood that is shown: its nodes, as nodes of the whole, and where they stand.
#[derive(Clone, Debug, Default)]
struct Near {
    centre: NodeIx,
    area: Rect,
    nodes: Vec<NodeIx>,
    layout: Layout,
}

/// The user's side of the Graph screen.
#[derive(Clone, Debug, Default)]
pub struct GraphUi {
    /// The form chosen; none: what fits.
    chosen: Option<Form>,
    /// The centre of the neighbourhood.
    centre: Option<TaskIx>,
    /// The selected task, or one of the selected twins.
    at: Option<TaskIx>,
    /// Groups of twins that are open, by name.
    open: BTreeSet<TaskIx>,
    /// The tasks of those groups.
    opened: BTreeSet<TaskIx>,
    /// The filter; empty: none.
    filter: String,
    /// While a filter is typed: what it was before.
    finding: Option<String>,
    plan: PlanKey,
    plot: Plot,
    folded: Folded,
    /// The folded graph without what longer ways imply; that is what is drawn.
    dag: Dag,
    layer_of: Vec<u32>,
    layout: Option<Layout>,
    rails: Option<Rails>,
    near: Option<Near>,
    board: Board,
    board_of: Option<(Form, Rect)>,
    /// Nodes that match the filter, by place; empty without one.
    found: Vec<bool>,
    found_for: (String, u64),
    /// Rows of the list: those that match.
    list: Vec<NodeIx>,
    top: usize,
    standing: Standing,
    area: Rect,
    form: Form,
}

impl GraphUi {
    /// Follows the state: call before each frame of the screen, with the area the screen has.
    pub fn tick(&mut self, state: &State, now: Micros, area: Rect) {
        self.area = areas::divide(area).graph;
        self.follow_plan(state);
        self.find(state, now);
        self.keep_selection(state);
        self.form = self.fitting(state);
        self.stand_ready();
        if self.form == Form::Near {
            self.need_near(state);
        }
        self.need_board(state);
        self.scroll();
        self.standing.follow(state, now, &self.plot, &self.folded, &self.layer_of);
        let shown: Vec<TaskIx> = self.visible().into_iter().filter_map(|n| self.task_of(n)).collect();
        self.standing.weigh(state, &shown);
    }

    /// What the user chose, without what frames worked out.
    pub(super) fn choices(&self) -> Self {
        Self {
            chosen: self.chosen,
            centre: self.centre,
            at: self.at,
            open: self.open.clone(),
            filter: self.filter.clone(),
            finding: self.finding.clone(),
            board: self.board.clone(),
            top: self.top,
            ..Self::default()
        }
    }

    /// Takes over what another frame worked out of the same plan and folds: it need not be worked out again.
    pub(super) fn adopt(&mut self, other: Self) {
        if self.open == other.open {
            (self.plan, self.plot, self.folded) = (other.plan, other.plot, other.folded);
            (self.dag, self.layer_of, self.opened) = (other.dag, other.layer_of, other.opened);
            (self.layout, self.rails) = (other.layout, other.rails);
        }
    }

    fn follow_plan(&mut self, state: &State) {
        let plan =
            PlanKey { revisions: state.goals().iter().map(|g| g.revision).collect(), tasks: state.tasks().len() };
        if self.plan != plan {
            self.plan = plan;
            self.plot = Plot::of(state);
            self.refold();
        }
    }

    /// After a fold or an edit: the graph that is shown is another.
    fn refold(&mut self) {
        self.folded = self.plot.fold(&self.open);
        let groups =
            (0..self.plot.twins().len()).filter(|g| self.plot.name(*g).is_some_and(|n| self.open.contains(&n)));
        self.opened = groups.flat_map(|g| self.plot.members(g)).collect();
        self.dag = self.folded.dag.reduced();
        self.layer_of = self.dag.layers();
        self.layout = None;
        self.rails = None;
        self.near = None;
        self.board_of = None;
        self.found_for = (String::new(), u64::MAX);
        self.standing.forget();
        self.stand_ready();
    }

    /// Keys may come faster than frames: where things stand is known at once.
    fn stand_ready(&mut self) {
        match self.form {
            Form::Drawing => self.need_layout(),
            Form::Rails => self.need_rails(),
            // What is near depends on the size too; the next frame knows it.
            Form::Near => {}
        }
    }

    /// What matches the filter; with words of statuses it follows them, once a second.
    fn find(&mut self, state: &State, now: Micros) {
        let filter = Filter::parse(&self.filter);
        let key = (self.filter.to_lowercase(), if self.filter.is_empty() { 0 } else { now.0 / 1_000_000 });
        if self.found_for == key {
            return;
        }
        self.found = match self.filter.is_empty() {
            true => Vec::new(),
            false => {
                let of = |n: NodeIx| self.tasks_of(n).any(|t| filter.passes(state, t, now));
                self.dag.nodes().map(of).collect()
            }
        };
        self.list.clear();
        if !self.filter.is_empty() {
            self.need_rails();
            let rows = self.rails.as_ref().map_or(&[][..], Rails::rows);
            self.list = rows.iter().map(|r| r.node).filter(|n| self.found.get(n.at()) == Some(&true)).collect();
        }
        self.found_for = key;
    }

    fn keep_selection(&mut self, state: &State) {
        if self.at.is_none_or(|t| self.folded.node_of(t).is_none()) {
            let running = state.running().map(|a| a.task).find(|t| self.folded.node_of(*t).is_some());
            self.at = running.or_else(|| self.dag.nodes().next().and_then(|n| self.tasks_of(n).next()));
        }
        // In a list that leaves the selected one out, the first that is there stands for it.
        if self.form == Form::Rails
            && let Some(first) = self.list.first()
            && self.selected().is_none_or(|n| !self.list.contains(&n))
        {
            let first = self.tasks_of(*first).next();
            self.at = first;
        }
    }

    /// The form that is shown: the one chosen, else the drawing while it is easy to read and has room.
    fn fitting(&mut self, state: &State) -> Form {
        match self.chosen {
            Some(Form::Near) if self.centre.is_some_and(|c| self.folded.node_of(c).is_some()) => return Form::Near,
            Some(Form::Drawing) if self.dag.len() <= MOST => return Form::Drawing,
            Some(Form::Rails) => return Form::Rails,
            _ => {}
        }
        if self.dag.len() > EASY {
            return Form::Rails;
        }
        self.need_layout();
        let Some(layout) = &self.layout else { return Form::Rails };
        if Board::fits(layout, self.area, |n| self.width_of(state, n)) { Form::Drawing } else { Form::Rails }
    }

    fn need_layout(&mut self) {
        if self.layout.is_none() {
            self.layout = Some(Layout::of(&self.dag));
        }
    }

    fn need_rails(&mut self) {
        if self.rails.is_none() {
            self.rails = Some(Rails::of(&self.dag));
        }
    }

    fn need_near(&mut self, state: &State) {
        let Some(centre) = self.centre.and_then(|c| self.folded.node_of(c)) else { return };
        if self.near.as_ref().is_some_and(|n| n.centre == centre && n.area == self.area) {
            return;
        }
        let near = |nodes: Vec<NodeIx>| {
            let layout = Layout::of(&self.folded.part(&nodes).reduced());
            Near { centre, area: self.area, nodes, layout }
        };
        // As many steps as can be read without scrolling.
        let steps = (1..=STEPS).rev().map(|steps| around(&self.dag, centre, steps)).filter(|n| n.len() <= EASY);
        let fitting = steps.map(near).find(|n| {
            Board::fits(&n.layout, self.area, |i| n.nodes.get(i.at()).map_or(0, |w| self.width_of(state, *w)))
        });
        self.near = Some(fitting.unwrap_or_else(|| {
            let nearest = around(&self.dag, centre, 1);
            near(if nearest.len() <= EASY { nearest } else { closest(&self.dag, centre) })
        }));
        self.board_of = None;
    }

    fn need_board(&mut self, state: &State) {
        let key = Some((self.form, self.area));
        if self.board_of == key {
            return;
        }
        self.board_of = key;
        let before = self.board.scrolled();
        self.board = match self.drawn_layout() {
            Some(layout) => Board::of(layout, self.area, |n| self.width_of(state, self.whole(n))),
            None => Board::default(),
        };
        self.board.scroll_to(before);
    }

    /// The layout of the drawing or of the neighbourhood, whichever is shown.
    pub fn drawn_layout(&self) -> Option<&Layout> {
        match self.form {
            Form::Drawing => self.layout.as_ref(),
            Form::Near => self.near.as_ref().map(|n| &n.layout),
            Form::Rails => None,
        }
    }

    /// The node of the whole graph that a node of the drawn layout is.
    pub fn whole(&self, node: NodeIx) -> NodeIx {
        match (&self.near, self.form) {
            (Some(near), Form::Near) => near.nodes.get(node.at()).copied().unwrap_or(node),
            _ => node,
        }
    }

    /// The node of the drawn layout that a node of the whole graph is, if it is drawn.
    pub fn drawn_node(&self, node: NodeIx) -> Option<NodeIx> {
        match (&self.near, self.form) {
            (Some(near), Form::Near) => near.nodes.binary_search(&node).ok().map(|i| NodeIx(i as u32)),
            (_, Form::Drawing) => Some(node),
            _ => None,
        }
    }

    /// How many of what a node needs and feeds are not drawn with it.
    pub fn hidden(&self, node: NodeIx) -> (usize, usize) {
        match (&self.near, self.form) {
            (Some(near), Form::Near) => {
                let away = |list: &[NodeIx]| list.iter().filter(|n| near.nodes.binary_search(n).is_err()).count();
                (away(self.dag.needs(node)), away(self.dag.feeds(node)))
            }
            _ => (0, 0),
        }
    }

    /// Keeps the selected node in sight, moving as little as can be.
    fn scroll(&mut self) {
        let Some(selected) = self.selected() else { return };
        if self.form == Form::Rails {
            let height = usize::from(self.area.height).max(1);
            let at = self.row_of(selected).unwrap_or(0);
            self.top = self.top.min(at).max((at + 1).saturating_sub(height));
            self.top = self.top.min(self.row_count().saturating_sub(height));
        } else if let Some((layer, row)) =
            self.drawn_node(selected).and_then(|n| self.drawn_layout().and_then(|l| l.place(n)))
        {
            self.board.bring(layer, row);
        }
    }

    /// The nodes that the next frame shows, as far as they may say what they block.
    fn visible(&self) -> Vec<NodeIx> {
        match self.drawn_layout() {
            Some(_) => (0..self.drawn_count() as u32).map(|n| self.whole(NodeIx(n))).collect(),
            None => (self.top..self.top + usize::from(self.area.height)).filter_map(|r| self.row(r)).collect(),
        }
    }

    fn drawn_count(&self) -> usize {
        match self.form {
            Form::Near => self.near.as_ref().map_or(0, |n| n.nodes.len()),
            _ => self.dag.len(),
        }
    }

    /// Cells that a node's words take.
    fn width_of(&self, state: &State, node: NodeIx) -> usize {
        use crate::domain::text::width::width;
        match self.content(node) {
            Some(Content::Task(ix)) => width(&state.task(ix).title),
            Some(Content::Twins(group)) => {
                let twins = &self.plot.twins()[group];
                // The name, how many, and room for four counts.
                width(&twins.stem) + 2 + digits(twins.members.len()) + 4 * (digits(twins.members.len()) + 2)
            }
            None => 0,
        }
    }

    /// The centre of the neighbourhood.
    pub fn centre(&self) -> Option<TaskIx> {
        self.centre
    }

    /// How many nodes the filter left.
    pub fn found_count(&self) -> usize {
        self.list.len()
    }

    /// Whether a task is one of twins that were opened.
    pub fn is_open_twin(&self, task: TaskIx) -> bool {
        self.opened.contains(&task)
    }

    /// The form the screen has now.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The plan's graph.
    pub fn plot(&self) -> &Plot {
        &self.plot
    }

    /// The graph that is drawn: twins folded, implied edges left out.
    pub fn dag(&self) -> &Dag {
        &self.dag
    }

    /// What a node stands for.
    pub fn content(&self, node: NodeIx) -> Option<Content> {
        self.folded.content(node)
    }

    /// The node a task is shown in.
    pub fn node_of(&self, task: TaskIx) -> Option<NodeIx> {
        self.folded.node_of(task)
    }

    /// The rails, when they are shown.
    pub fn rails(&self) -> Option<&Rails> {
        self.rails.as_ref().filter(|_| self.form == Form::Rails && self.filter.is_empty())
    }

    /// Where columns and rows of the drawing stand.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// How tasks stand, by layer and by group.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// A node's layer.
    pub fn layer_of(&self, node: NodeIx) -> u32 {
        self.layer_of.get(node.at()).copied().unwrap_or(0)
    }

    /// The first row of the list that is shown.
    pub fn top(&self) -> usize {
        self.top
    }

    /// How many rows the list has.
    pub fn row_count(&self) -> usize {
        if self.filter.is_empty() { self.dag.len() } else { self.list.len() }
    }

    /// The node in a row of the list.
    pub fn row(&self, row: usize) -> Option<NodeIx> {
        if !self.filter.is_empty() {
            return self.list.get(row).copied();
        }
        self.rails.as_ref()?.rows().get(row).map(|r| r.node)
    }

    fn row_of(&self, node: NodeIx) -> Option<usize> {
        if !self.filter.is_empty() {
            return self.list.iter().position(|n| *n == node);
        }
        self.rails.as_ref()?.row_of(node)
    }

    /// Whether a node is left by the filter.
    pub fn is_found(&self, node: NodeIx) -> bool {
        self.found.get(node.at()).copied().unwrap_or(true)
    }

    /// The filter.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// The selected node.
    pub fn selected(&self) -> Option<NodeIx> {
        self.at.and_then(|t| self.folded.node_of(t))
    }

    /// The task that keys mean; none while twins are selected.
    pub fn selected_task(&self) -> Option<TaskIx> {
        self.selected().and_then(|n| self.task_of(n))
    }

    /// The task the selection stands at, though it may be one of folded twins: for the other screens.
    pub fn task(&self) -> Option<TaskIx> {
        self.at
    }

    /// Selects a task: what was selected on the screen that led here.
    pub fn select(&mut self, task: TaskIx) {
        self.at = Some(task);
    }

    fn task_of(&self, node: NodeIx) -> Option<TaskIx> {
        match self.folded.content(node)? {
            Content::Task(ix) => Some(ix),
            Content::Twins(_) => None,
        }
    }

    /// The tasks of a node.
    fn tasks_of(&self, node: NodeIx) -> impl Iterator<Item = TaskIx> + '_ {
        let (one, group) = match self.folded.content(node) {
            Some(Content::Task(ix)) => (Some(ix), None),
            Some(Content::Twins(group)) => (None, Some(group)),
            None => (None, None),
        };
        one.into_iter().chain(group.into_iter().flat_map(|g| self.plot.members(g)))
    }

    /// The contexts of its focus, innermost first; a field that is typed into stands alone.
    pub fn contexts(&self, _state: &State) -> Vec<Context> {
        match self.finding {
            Some(_) => vec![Context::Text],
            None => vec![Context::Task, Context::List],
        }
    }

    /// What is typed for `/`, with the words before it, for the fixed line.
    pub fn field(&self) -> Option<(&'static str, &str)> {
        self.finding.as_ref().map(|_| ("filter tasks", self.filter.as_str()))
    }

    /// Takes a key of its text field, a paste, a click or the wheel.
    pub fn input(&mut self, msg: &Msg, _state: &State, _now: Micros) -> Vec<UiEffect> {
        match msg {
            Msg::Click(x, y) => {
                if let Some(node) = self.hit(*x, *y) {
                    let again = self.selected() == Some(node);
                    self.pick(node);
                    if again && let Some(Content::Twins(group)) = self.content(node) {
                        self.open_twins(group);
                    }
                }
            }
            Msg::Wheel(_, _, by) => self.step(isize::from(*by) * 3),
            Msg::Key(key) if self.finding.is_some() => match key.code {
                KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => self.filter.clear(),
                KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                    self.filter.push(c);
                }
                KeyCode::Backspace => {
                    self.filter.pop();
                }
                _ => {}
            },
            Msg::Paste(pasted) if self.finding.is_some() => self.filter.push_str(&pasted.replace('\n', " ")),
            _ => {}
        }
        Vec::new()
    }

    /// Follows what happened; all of it is read from the state in [`GraphUi::tick`].
    pub fn observe(&mut self, _state: &State, _record: &Record) {}

    fn hit(&self, x: u16, y: u16) -> Option<NodeIx> {
        match self.drawn_layout() {
            Some(layout) => self.board.node_at(layout, x, y).map(|n| self.whole(n)),
            None if self.area.contains((x, y).into()) => self.row(self.top + usize::from(y - self.area.y)),
            None => None,
        }
    }
}

/// The nodes nearest to a centre with too many neighbours: the first of those it needs and feeds.
fn closest(dag: &Dag, centre: NodeIx) -> Vec<NodeIx> {
    let (needs, feeds) = (dag.needs(centre), dag.feeds(centre));
    let half = EASY / 2;
    let needs_room = half.max(EASY.saturating_sub(feeds.len() + 1)).min(needs.len());
    let feeds_room = EASY.saturating_sub(needs_room + 1);
    let mut nodes: Vec<NodeIx> =
        needs.iter().take(needs_room).chain(feeds.iter().take(feeds_room)).copied().chain([centre]).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

fn digits(n: usize) -> usize {
    n.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests;
