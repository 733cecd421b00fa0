//! Where everything stands on the Run screen, at every size. Pure; the model and the view use the same answer.
//!
//! All rectangles are insides; the borders are the cells around them, shared where two touch. Not here: what is in them.

use ratatui::layout::Rect;

use super::splits::Splits;

/// How the screen is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Under 60 columns, or zoomed: one pane at a time.
    #[default]
    Single,
    /// 60 to 99 columns: one above the other.
    Stacked,
    /// 100 columns and over: lists left, outputs right.
    Wide,
    /// 160 columns and over: and a third column for the selected task.
    Full,
}

/// What the single form shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Only {
    /// The task tree.
    #[default]
    Tree,
    /// Outputs.
    Panes,
    /// The fleet.
    Fleet,
}

/// How many panes at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grid {
    /// As many as are readable.
    #[default]
    Auto,
    /// One.
    One,
    /// Two.
    Two,
    /// Two by two.
    Four,
    /// Three by three.
    Nine,
}

impl Grid {
    /// The next one, round and round.
    pub const fn next(self) -> Self {
        match self {
            Self::Auto => Self::One,
            Self::One => Self::Two,
            Self::Two => Self::Four,
            Self::Four => Self::Nine,
            Self::Nine => Self::Auto,
        }
    }

    /// The word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::One => "1",
            Self::Two => "2",
            Self::Four => "2x2",
            Self::Nine => "3x3",
        }
    }
}

/// What the division depends on besides the size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The grid.
    pub grid: Grid,
    /// What the single form shows.
    pub only: Only,
    /// Lines the fleet pane has.
    pub fleet_lines: u16,
    /// How many panes there are tasks for.
    pub tasks: usize,
    /// Whether one pane fills everything.
    pub zoomed: bool,
    /// The sizes the user gave.
    pub splits: Splits,
}

/// The insides of everything; empty rectangles are not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// All of it, with the outer border.
    pub area: Rect,
    /// The division.
    pub form: Form,
    /// The task tree.
    pub tree: Rect,
    /// The Why box.
    pub why: Rect,
    /// The fleet pane.
    pub fleet: Rect,
    /// The memory bar.
    pub memory: Rect,
    /// Output panes.
    pub panes: Vec<Rect>,
    /// The line under the panes: what else runs.
    pub rest: Rect,
    /// The third column.
    pub details: Rect,
}

impl Areas {
    /// All of it without the outer border.
    pub fn inside(&self) -> Rect {
        let a = self.area;
        Rect::new(a.x + 1, a.y + 1, a.width.saturating_sub(2), a.height.saturating_sub(2))
    }
}

/// The least a column keeps when borders are dragged.
const NARROWEST: u16 = 26;

/// Divides `area`.
pub fn divide(area: Rect, wish: Wish) -> Areas {
    let mut out = Areas { area, ..Areas::default() };
    if area.width < 3 || area.height < 3 {
        return out;
    }
    let inside = Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2);
    if wish.zoomed {
        out.panes.push(inside);
        return out;
    }
    match area.width {
        0..60 => single(&mut out, inside, wish),
        60..100 => stacked(&mut out, inside, wish),
        100..160 => {
            let left = (area.width * 9 / 20).clamp(48, 64);
            let left = wish.splits.left.map_or(left, |s| s.cells(area.width));
            let left = left.clamp(NARROWEST, area.width - NARROWEST);
            wide(&mut out, inside, left, 0, wish);
        }
        _ => {
            let left = (area.width * 3 / 10).clamp(56, 72);
            let left = wish.splits.left.map_or(left, |s| s.cells(area.width));
            let left = left.clamp(NARROWEST, area.width - 2 * NARROWEST);
            let details = (area.width / 5).clamp(36, 60);
            let details = wish.splits.details.map_or(details, |s| s.cells(area.width));
            let details = details.clamp(NARROWEST, area.width - NARROWEST - left);
            wide(&mut out, inside, left, details, wish);
        }
    }
    out
}

/// Hands out rows from the top of a column; each part is followed by a border.
struct Column {
    at: Rect,
}

impl Column {
    fn take(&mut self, rows: u16) -> Rect {
        let rows = rows.min(self.at.height);
        let part = Rect { height: rows, ..self.at };
        let used = (rows + 1).min(self.at.height);
        self.at.y += used;
        self.at.height -= used;
        part
    }
}

fn single(out: &mut Areas, inside: Rect, wish: Wish) {
    match wish.only {
        Only::Tree => {
            let why = if inside.height >= 8 { 2 } else { 0 };
            let mut column = Column { at: inside };
            out.tree = column.take(inside.height - if why > 0 { why + 1 } else { 0 });
            out.why = column.take(why);
        }
        Only::Panes => out.panes.push(inside),
        Only::Fleet => {
            let mut column = Column { at: inside };
            let memory = if inside.height >= 8 { 2 } else { 0 };
            out.fleet = column.take(inside.height - if memory > 0 { memory + 1 } else { 0 });
            out.memory = column.take(memory);
        }
    }
}

fn stacked(out: &mut Areas, inside: Rect, wish: Wish) {
    out.form = Form::Stacked;
    let h = inside.height;
    let mut column = Column { at: inside };
    if h < 9 {
        out.tree = column.take(h);
        return;
    }
    // In narrow rows titles are cut: the box has the whole one.
    let why = if h >= 28 || inside.width < 78 && h >= 14 { 2 } else { 1 };
    let fleet = match wish.only {
        _ if h >= 30 => wish.fleet_lines.clamp(1, 5),
        // What has the focus can be read row by row.
        Only::Fleet if h >= 14 => wish.fleet_lines.clamp(1, 5).min(h / 4),
        _ => u16::from(h >= 14),
    };
    let taken = why + 1 + if fleet > 0 { fleet + 1 } else { 0 };
    let rest = h - taken;
    let pane = ((rest.saturating_sub(1)) * 4 / 11).max(if wish.only == Only::Panes { rest / 2 } else { 2 });
    let tree = rest.saturating_sub(pane + 1).max(1);
    let most = rest.saturating_sub(3).max(1);
    let tree = wish.splits.stack.map_or(tree, |s| s.cells(h).clamp(1, most));
    out.tree = column.take(tree);
    out.why = column.take(why);
    let mut left = Rect { height: column.at.height.saturating_sub(if fleet > 0 { fleet + 1 } else { 0 }), ..column.at };
    if left.height >= 13 && wish.tasks > 1 && wish.grid != Grid::One {
        let first = left.height / 2;
        out.panes.push(Rect { height: first, ..left });
        left.y += first + 1;
        left.height -= first + 1;
    }
    out.panes.push(left);
    column.at = Rect { y: inside.bottom() - fleet.min(h), height: fleet, ..inside };
    out.fleet = column.take(fleet);
}

fn wide(out: &mut Areas, inside: Rect, left: u16, details: u16, wish: Wish) {
    let h = inside.height;
    out.form = if details > 0 { Form::Full } else { Form::Wide };
    let why = match h {
        44.. => 4,
        32.. => 3,
        _ => 2.min(h / 6),
    };
    let fleet = wish.fleet_lines.clamp(1, 7).min(h / 4);
    let memory = if h >= 18 { 2 } else { 0 };
    let mut column = Column { at: Rect { width: left - 2, ..inside } };
    let sizes = [wish.splits.why, wish.splits.fleet, wish.splits.memory];
    let mut parts = [why, fleet, memory];
    for (part, size) in parts.iter_mut().zip(sizes).filter(|(part, _)| **part > 0) {
        *part = size.map_or(*part, |s| s.cells(h).max(1));
    }
    let taken = |parts: &[u16; 3]| parts.iter().filter(|n| **n > 0).map(|n| n.saturating_add(1)).sum::<u16>();
    // Three rows of the tree stay.
    while taken(&parts) + 3 > h
        && let Some(most) = parts.iter_mut().max().filter(|n| **n > 1)
    {
        *most -= 1;
    }
    let [why, fleet, memory] = parts;
    let below = taken(&parts);
    out.tree = column.take(h.saturating_sub(below));
    for (rows, part) in [(why, &mut out.why), (fleet, &mut out.fleet), (memory, &mut out.memory)] {
        if rows > 0 {
            *part = column.take(rows);
        }
    }
    let right_x = inside.x + left;
    let right_width = (inside.width + 2).saturating_sub(left + details + 2);
    let mut right = Rect { x: right_x, width: right_width, ..inside };
    if details > 0 {
        out.details = Rect { x: right.right() + 2, width: details - 2, ..inside };
    }
    if h >= 14 {
        out.rest = Rect { y: right.bottom() - 1, height: 1, ..right };
        right.height -= 2;
    }
    out.panes = panes(right, wish);
}

/// Divides the output area. The first pane is the greatest where there is room.
fn panes(area: Rect, wish: Wish) -> Vec<Rect> {
    let tasks = wish.tasks.max(1);
    let (columns, rows) = match wish.grid {
        Grid::One => (1, 1),
        Grid::Two => {
            if area.width >= 90 {
                (2, 1)
            } else {
                (1, 2)
            }
        }
        Grid::Four => (2, 2),
        Grid::Nine => (3, 3),
        Grid::Auto if area.width < 92 => {
            let most = match area.height {
                0..12 => 1,
                12..19 => 2,
                19..27 => 3,
                27..42 => 4,
                h => h / 9,
            };
            return one_column(area, most.min(tasks as u16).max(1));
        }
        Grid::Auto => {
            let columns = (area.width / 46).clamp(1, 4);
            let need = (tasks.min(99) as u16 + 1).div_ceil(columns);
            // Panes of seven rows read well; when that is not enough for all, four rows still show that each goes on.
            let roomy = (area.height / 8).max(1);
            let need = if need <= roomy { need } else { need.min((area.height / 5).max(1)) };
            (columns.min(tasks.min(99) as u16).max(1), if tasks <= usize::from(columns) { 1 } else { need })
        }
    };
    let columns = columns.min(area.width.saturating_add(1) / 12).max(1);
    let rows = rows.min(area.height.saturating_add(1) / 3).max(1);
    let xs = cuts(area.x, area.width, columns);
    let ys = cuts(area.y, area.height, rows);
    let tall = wish.grid == Grid::Auto && rows >= 3 && tasks < usize::from(columns * rows);
    let mut out = Vec::new();
    for (c, (x, width)) in xs.iter().enumerate() {
        let mut r = 0;
        while let Some((y, height)) = ys.get(r) {
            let mut rect = Rect::new(*x, *y, *width, *height);
            if tall
                && c == 0
                && r == 0
                && let Some((_, more)) = ys.get(1)
            {
                rect.height += more + 1;
                r += 1;
            }
            out.push(rect);
            r += 1;
        }
    }
    out
}

/// `n` panes one above the other; the first takes as much as all others together, up to half.
fn one_column(area: Rect, n: u16) -> Vec<Rect> {
    let usable = area.height.saturating_sub(n - 1);
    let first = if n == 1 { usable } else { usable * (n + 2).min(6) / (2 * n + 4).min(12) };
    let mut column = Column { at: area };
    let mut out = vec![column.take(first)];
    let others = cuts(column.at.y, column.at.height, n.saturating_sub(1));
    out.extend(others.into_iter().map(|(y, height)| Rect { y, height, ..area }));
    out
}

/// Divides a length into `n` parts with one cell between; earlier parts get what is left over.
fn cuts(from: u16, length: u16, n: u16) -> Vec<(u16, u16)> {
    if n == 0 {
        return Vec::new();
    }
    let usable = length.saturating_sub(n - 1);
    let mut at = from;
    (0..n)
        .map(|i| {
            let part = usable / n + u16::from(i < usable % n);
            let start = at;
            at += part + 1;
            (start, part)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::splits::{Border, borders};
    use super::*;

    proptest! {
        #[test]
        fn everything_is_inside_and_nothing_overlaps(
            w in 0u16..260, h in 0u16..90, tasks in 0usize..30, lines in 0u16..12, grid in 0usize..5, only in 0usize..3,
            drags in proptest::collection::vec((0usize..6, 0u16..260, 0u16..90), 0..6),
        ) {
            let area = Rect::new(0, 2, w, h);
            let wish = Wish {
                grid: [Grid::Auto, Grid::One, Grid::Two, Grid::Four, Grid::Nine][grid],
                only: [Only::Tree, Only::Panes, Only::Fleet][only],
                fleet_lines: lines,
                tasks,
                zoomed: false,
                splits: Splits::default(),
            };
            let (mut wish, mut areas) = (wish, divide(area, wish));
            for (border, x, y) in drags {
                let borders = [Border::Outputs, Border::Details, Border::Why, Border::Fleet, Border::Memory, Border::Stack];
                wish.splits.drag(borders[border], (x, y), &areas);
                areas = divide(area, wish);
            }
            let all: Vec<Rect> = [areas.tree, areas.why, areas.fleet, areas.memory, areas.rest, areas.details]
                .into_iter().chain(areas.panes.iter().copied()).filter(|r| !r.is_empty()).collect();
            for (i, r) in all.iter().enumerate() {
                prop_assert_eq!(r.intersection(area), *r, "{:?}", r);
                prop_assert!(r.x > area.x && r.right() < area.right() && r.y > area.y && r.bottom() < area.bottom(), "{:?} in {:?}", r, area);
                for other in &all[i + 1..] {
                    prop_assert!(!r.intersects(*other), "{:?} and {:?}", r, other);
                }
            }
        }
    }

    #[test]
    fn a_border_goes_where_it_is_dragged_and_back() {
        let area = Rect::new(0, 2, 120, 36);
        let mut wish = Wish { fleet_lines: 7, tasks: 13, ..Wish::default() };
        let first = divide(area, wish);
        let at = |areas: &Areas, border| borders(areas).into_iter().find(|(_, b)| *b == border).unwrap().0;
        for (border, dx, dy) in
            [(Border::Outputs, 7, 0), (Border::Why, 0, -4), (Border::Fleet, 0, 2), (Border::Memory, 0, -3)]
        {
            let before = divide(area, wish);
            let from = at(&before, border);
            let to = (from.x.saturating_add_signed(dx), from.y.saturating_add_signed(dy));
            wish.splits.drag(border, to, &before);
            let place = at(&divide(area, wish), border);
            assert_eq!((place.x, place.y), to, "{border:?}");
        }
        for border in [Border::Outputs, Border::Why, Border::Fleet, Border::Memory] {
            wish.splits.reset(border);
        }
        assert_eq!(divide(area, wish), first);
    }
}
