//! Screen 4: which part of the session the timeline shows, which lane is selected, and what stands in each column.
//!
//! [`Timeline::tick`] works out the columns of the lanes in sight before each frame, in one pass over the attempts. Not
//! here: drawing (`view/time`). Invariants: of what shares a column the worst is shown; the selected lane is in sight.

use std::collections::BTreeMap;

use ratatui::layout::{Position, Rect};

use super::lanes::{Lane, Lanes, Piece, pieces};
use super::{Mark, Travel};
use crate::domain::protocol::{AttemptId, Micros};
use crate::domain::state::State;
use crate::domain::text::CleanText;
use crate::interface::tui::action::{Action, Context};
use crate::interface::tui::model::task_verbs::{inspect, not_here, task_action};
use crate::interface::tui::model::{Msg, UiEffect, notice};

/// Cells of a lane's name at most.
const NAME: u16 = 14;
/// Cells of a lane's share of use, with the space before it.
const USE: u16 = 5;
/// The shortest part that is shown.
const SHORTEST: u64 = 2_000_000;
/// Columns from which on a bar has a title.
pub const TITLED: usize = 8;
/// Rows below the lanes: about what is selected.
const WHY: u16 = 3;

/// Where the parts of the screen stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// The names of the lanes.
    pub names: Rect,
    /// The times above the columns.
    pub axis: Rect,
    /// The columns.
    pub chart: Rect,
    /// How much each lane was used.
    pub shares: Rect,
    /// What is selected.
    pub why: Rect,
}

/// Divides the screen's body.
pub fn divide(area: Rect) -> Areas {
    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    };
    let why = if inner.height > WHY + 4 { WHY } else { 1.min(inner.height) };
    let rows = inner.height.saturating_sub(why + 2);
    let names = NAME.min(inner.width / 4);
    let shares = if inner.width >= 50 { USE } else { 0 };
    let chart = Rect {
        x: inner.x + names + 1,
        y: inner.y + 1,
        width: inner.width.saturating_sub(names + 1 + shares),
        height: rows,
    };
    Areas {
        names: Rect { width: names, ..Rect { x: inner.x, ..chart } },
        axis: Rect { y: inner.y, height: 1.min(inner.height), ..chart },
        chart,
        shares: Rect { x: chart.right(), width: shares, ..chart },
        why: Rect { y: chart.bottom() + 1, height: why, ..inner },
    }
}

/// What stands in a column of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The worst of what shares it.
    pub piece: Piece,
    /// Whether it begins here.
    pub begins: bool,
}

/// A lane in sight.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which.
    pub lane: Lane,
    /// Its endpoint's name.
    pub name: String,
    /// Its columns.
    pub cells: Vec<Option<Cell>>,
    /// How much of the part that is shown it was used, up to the cursor.
    pub used: f32,
}

/// What a frame shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// The lanes in sight.
    pub rows: Vec<Row>,
    /// The titles of those with room for one.
    pub titles: BTreeMap<AttemptId, CleanText>,
    /// Lanes above them, and below.
    pub hidden: (usize, usize),
    /// The session times at the left and the right end.
    pub range: (Micros, Micros),
    /// The column of the moment that is shown.
    pub cursor: Option<u16>,
    /// The columns of vertical lines.
    pub marks: Vec<(u16, Mark)>,
    /// What is selected.
    pub picked: Option<Piece>,
    /// All lanes, and attempts.
    pub counts: (usize, usize),
    /// The selected lane's row.
    pub selected: Option<usize>,
}

/// The user's side of screen 4.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    zoom: u8,
    lane: usize,
    top: usize,
    /// What the next frame shows.
    pub sheet: Sheet,
    areas: Areas,
    cursor: Micros,
    end: Micros,
    /// Starts of what ran in the selected lane before and after the cursor.
    near: (Option<Micros>, Option<Micros>),
}

impl Timeline {
    /// Follows the session: call before each frame of the screen. `cursor` is the moment that is shown, `end` now.
    pub fn tick(&mut self, whole: &State, marks: &[(Micros, Mark)], cursor: Micros, end: Micros, area: Rect) {
        self.areas = divide(area);
        (self.cursor, self.end) = (cursor, end.max(cursor));
        let lanes = Lanes::of(whole);
        let (height, columns) = (usize::from(self.areas.chart.height), usize::from(self.areas.chart.width));
        self.lane = self.lane.min(lanes.all.len().saturating_sub(1));
        self.top = self.top.min(self.lane).max((self.lane + 1).saturating_sub(height));
        self.top = self.top.min(lanes.all.len().saturating_sub(height));
        let shown = self.top..(self.top + height).min(lanes.all.len());
        let range = self.range(whole);
        let (from, to) = range;
        let span = to.since(from).0.max(1);
        let column = |at: Micros| (at.since(from).0 as u128 * columns as u128 / u128::from(span)) as usize;
        let mut rows: Vec<Row> = lanes
            .all
            .get(shown.clone())
            .unwrap_or_default()
            .iter()
            .map(|lane| {
                let name = whole.endpoints().get(lane.endpoint.0 as usize).map_or("", |e| e.config.short());
                Row { lane: *lane, name: name.to_owned(), cells: vec![None; columns], used: 0.0 }
            })
            .collect();
        let mut used = vec![0_u64; rows.len()];
        let until = to.min(cursor);
        let mut picked: Option<Piece> = None;
        self.near = (None, None);
        for (lane, piece) in pieces(whole, &lanes, self.end) {
            if lane == self.lane {
                self.pass(piece, &mut picked);
            }
            if !shown.contains(&lane) || piece.to < from || piece.from > to || columns == 0 {
                continue;
            }
            let at = lane - shown.start;
            if let Some(used) = used.get_mut(at) {
                *used += piece.to.min(until).since(piece.from.max(from)).0;
            }
            let Some(row) = rows.get_mut(at) else { continue };
            let (first, last) = (column(piece.from), column(piece.to).min(columns - 1));
            let begins_here = piece.from >= from;
            for i in first.min(columns - 1)..=last.max(first.min(columns - 1)) {
                let Some(cell) = row.cells.get_mut(i) else { break };
                let begins = begins_here && i == first;
                let worse = cell.is_none_or(|c| piece.bar > c.piece.bar || (piece.bar == c.piece.bar && !c.begins));
                if worse {
                    *cell = Some(Cell { piece, begins });
                }
            }
        }
        let seen = until.since(from).0;
        for (row, used) in rows.iter_mut().zip(used) {
            row.used = if seen == 0 { 0.0 } else { (used as f64 / seen as f64).min(1.0) as f32 };
        }
        let mut titles = BTreeMap::new();
        for run in rows.iter().flat_map(|r| r.cells.chunk_by(|a, b| a.map(|c| c.piece) == b.map(|c| c.piece))) {
            if let [Some(cell), ..] = run
                && run.len() >= TITLED
                && let Some(attempt) = whole.attempt(cell.piece.attempt)
            {
                titles.insert(attempt.id, whole.task(attempt.task).title.clone());
            }
        }
        let inside = |at: Micros| at >= from && at <= to && columns > 0;
        let place = |at: Micros| column(at).min(columns.saturating_sub(1)) as u16;
        self.sheet = Sheet {
            hidden: (shown.start, lanes.all.len() - shown.end),
            selected: self.lane.checked_sub(shown.start).filter(|i| *i < rows.len()),
            rows,
            titles,
            range,
            cursor: inside(cursor).then(|| place(cursor)),
            marks: marks.iter().filter(|(at, _)| inside(*at)).map(|(at, mark)| (place(*at), *mark)).collect(),
            picked,
            counts: (lanes.all.len(), whole.attempts().len()),
        };
    }

    /// Takes a piece of the selected lane in: it may be the selected one, or next to it.
    fn pass(&mut self, piece: Piece, picked: &mut Option<Piece>) {
        if piece.from <= self.cursor {
            if let Some(before) = picked.replace(piece).filter(|b| b.from < piece.from) {
                self.near.0 = self.near.0.max(Some(before.from));
            }
        } else if self.near.1.is_none_or(|at| piece.from < at) {
            self.near.1 = Some(piece.from);
        }
    }

    /// The part that is shown: all that worked, or a part around the cursor.
    fn range(&self, whole: &State) -> (Micros, Micros) {
        let begin = whole.totals.first_start.unwrap_or_default().min(self.cursor);
        let all = self.end.since(begin).0.max(SHORTEST);
        let span = (all >> self.zoom).max(SHORTEST);
        let last = begin.0 + all - span;
        let from = self.cursor.0.saturating_sub(span / 2).clamp(begin.0, last.max(begin.0));
        (Micros(from), Micros(from + span))
    }

    fn column_time(&self) -> u64 {
        let (from, to) = self.sheet.range;
        (to.since(from).0 / u64::from(self.areas.chart.width.max(1))).max(1)
    }

    /// The contexts of the focus, innermost first.
    pub fn contexts(&self) -> Vec<Context> {
        match self.sheet.picked {
            Some(_) => vec![Context::Timeline, Context::Task, Context::List],
            None => vec![Context::Timeline, Context::List],
        }
    }

    /// Does what an action means here.
    pub(in crate::interface::tui::model) fn update(
        &mut self,
        action: Action,
        state: &State,
        now: Micros,
    ) -> Vec<UiEffect> {
        let page = usize::from(self.areas.chart.height).saturating_sub(1).max(1) as isize;
        let go = |at: u64| vec![UiEffect::Travel(Travel::Time(Micros(at)))];
        match action {
            Action::Down => self.step(1),
            Action::Up => self.step(-1),
            Action::PageDown => self.step(page),
            Action::PageUp => self.step(-page),
            Action::Left => return go(self.cursor.0.saturating_sub(self.column_time())),
            Action::Right if self.cursor >= self.end => return notice("this is the end; h goes back"),
            Action::Right => return go(self.cursor.0 + self.column_time()),
            Action::First => return go(self.sheet.range.0.0),
            Action::Last | Action::Follow => return vec![UiEffect::Travel(Travel::Now)],
            Action::NextMatch => match self.near.1 {
                Some(at) => return go(at.0),
                None => return notice("nothing runs in this lane after this"),
            },
            Action::PreviousMatch => match self.near.0 {
                Some(at) => return go(at.0),
                None => return notice("nothing ran in this lane before this"),
            },
            Action::Zoom if (self.end.0 >> self.zoom) <= SHORTEST => return notice("this is the shortest part"),
            Action::Zoom => self.zoom += 1,
            Action::ZoomOut | Action::Grid if self.zoom == 0 => return notice("all of the session is shown"),
            Action::ZoomOut | Action::Grid => self.zoom -= 1,
            Action::Back if self.zoom > 0 => self.zoom = 0,
            Action::Back => return Vec::new(),
            Action::Search => return notice("@ goes to a task by its name; n and N go through this lane"),
            Action::Mark | Action::Range | Action::Order => {
                return notice("tasks are marked and put in order on screen 1");
            }
            Action::Copy => match self.sheet.picked {
                Some(piece) => return vec![UiEffect::CopyAnswer(piece.attempt)],
                None => return notice("nothing has run in this lane yet"),
            },
            action => {
                let task = self.sheet.picked.and_then(|p| state.attempt(p.attempt)).map(|a| a.task);
                return match (action, task) {
                    (Action::Enter, Some(ix)) => vec![inspect(ix, state)],
                    (Action::Enter, None) => notice("nothing has run in this lane yet; j and k go to another"),
                    (verb, Some(ix)) => task_action(verb, ix, state, now).unwrap_or_else(|| not_here(verb)),
                    (verb, None) => not_here(verb),
                };
            }
        }
        Vec::new()
    }

    fn step(&mut self, by: isize) {
        self.lane = self.lane.saturating_add_signed(by).min(self.sheet.counts.0.saturating_sub(1));
    }

    /// Takes a click or the wheel.
    pub(in crate::interface::tui::model) fn input(&mut self, msg: &Msg) -> Vec<UiEffect> {
        match msg {
            Msg::Wheel(_, _, by) => self.step(isize::from(*by)),
            Msg::Click(x, y) | Msg::Drag(x, y) => {
                let at = Position::new(*x, *y);
                let (chart, names) = (self.areas.chart, self.areas.names);
                if chart.contains(at) || names.contains(at) {
                    self.lane = self.sheet.hidden.0 + usize::from(y - chart.y);
                }
                if chart.contains(at) || self.areas.axis.contains(at) {
                    let time = self.sheet.range.0.0 + u64::from(x - chart.x) * self.column_time();
                    return vec![UiEffect::Travel(Travel::Time(Micros(time.min(self.end.0))))];
                }
            }
            _ => {}
        }
        Vec::new()
    }

    /// What is selected, in words; none: nothing ran here.
    pub fn picked(&self) -> Option<Piece> {
        self.sheet.picked
    }

    /// An empty timeline, in words.
    pub fn empty(&self) -> Option<CleanText> {
        (self.sheet.counts.1 == 0)
            .then(|| "Nothing has run yet. What works when shows here, a lane for each slot.".into())
    }
}
