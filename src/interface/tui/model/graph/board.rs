//! Where the columns and rows of a layered drawing stand on the screen. Pure; the model and the view use the same answer.
//!
//! Not here: what is in them. Cells are counted from the drawing's own corner and shifted by what is scrolled. Invariant:
//! it depends on the layout, the size and the titles only.

use ratatui::layout::Rect;

use crate::domain::graph::{Layout, NodeIx, What};

/// The narrowest column that is drawn.
const NARROW: u16 = 16;
/// The narrowest column that is easy to read.
const READABLE: u16 = 18;
/// Cells that cursor, sign and gaps take besides a title.
const BESIDE: u16 = 4;
/// Cells of a figure.
const FIGURE: u16 = 11;
/// Columns that can be so wide have figures.
const ROOMY: u16 = 34;
/// The widest column.
const WIDE: u16 = 60;

/// How a node is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// One row.
    #[default]
    Row,
    /// So many rows in a frame.
    Box(u16),
}

/// The places of a drawing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    area: Rect,
    /// By layer: where its column begins, and its width.
    columns: Vec<(u16, u16)>,
    /// Cells between two tracks.
    track: u16,
    pitch: u16,
    rows: u16,
    look: Look,
    figures: bool,
    left: u16,
    top: u16,
}

impl Board {
    /// Whether a drawing has room without scrolling, and its titles stay readable.
    pub(super) fn fits(layout: &Layout, area: Rect, width: impl Fn(NodeIx) -> usize) -> bool {
        let board = Self::of(layout, area, &width);
        let readable = board.columns.iter().zip(wished(layout, &width)).all(|((_, w), wish)| *w >= wish.min(READABLE));
        readable && board.size().0 <= area.width && layout.rows() <= u32::from(area.height)
    }

    /// Lays out columns and rows; `width` is what a node's words take.
    pub(super) fn of(layout: &Layout, area: Rect, width: impl Fn(NodeIx) -> usize) -> Self {
        let rows = layout.rows().min(u32::from(u16::MAX)) as u16;
        let tall = area.height.checked_div(rows.max(1)).unwrap_or(1);
        let framed = if tall >= 4 { 2 } else { 0 };
        let titles: Vec<u16> = wished(layout, &width).map(|w| (w + framed).min(WIDE)).collect();
        let channels = |track: u16| -> u16 {
            (0..titles.len().saturating_sub(1)).map(|l| channel(layout.tracks(l), track)).fold(0, u16::saturating_add)
        };
        let sum = |of: &[u16], most: u16| -> u32 { of.iter().map(|w| u32::from((*w).min(most))).sum() };
        // Two cells a track read better; where columns would be cut for it, one is enough.
        let track = if sum(&titles, WIDE) + u32::from(channels(2)) <= u32::from(area.width) { 2 } else { 1 };
        let room = u32::from(area.width.saturating_sub(channels(track)));
        let most = |of: &[u16]| (NARROW..=WIDE).rev().find(|most| sum(of, *most) <= room);
        // In a frame figures have a row with the end of the title; beside a title they need columns of their own.
        let with_figures: Vec<u16> = titles.iter().map(|w| (w + FIGURE).min(WIDE)).collect();
        let figures = framed > 0 || most(&with_figures).is_some_and(|m| m >= ROOMY);
        let wished = if figures && framed == 0 { with_figures } else { titles };
        let most = most(&wished).unwrap_or(NARROW);
        // Where titles are cut and there is room, they have a row more; and a row stays free between frames.
        let cut = wished.iter().any(|w| *w > most);
        let look = match tall {
            5.. if cut => Look::Box(3),
            4.. => Look::Box(2),
            _ => Look::Row,
        };
        let pitch = match look {
            Look::Box(inner) => (inner + 3).min(tall),
            Look::Row => tall.clamp(1, 2),
        };
        let mut x: u16 = 0;
        let mut columns = Vec::with_capacity(wished.len());
        for (l, w) in wished.iter().enumerate() {
            let width = (*w).min(most);
            columns.push((x, width));
            x = x.saturating_add(width).saturating_add(channel(layout.tracks(l), track));
        }
        Self { area, columns, track, pitch, rows, look, figures, left: 0, top: 0 }
    }

    /// Columns and rows of the whole drawing.
    pub fn size(&self) -> (u16, u16) {
        let width = self.columns.last().map_or(0, |(x, w)| x.saturating_add(*w));
        (width, self.rows.saturating_mul(self.pitch))
    }

    /// The area it is shown in.
    pub fn area(&self) -> Rect {
        self.area
    }

    /// What is scrolled, columns and rows.
    pub fn scrolled(&self) -> (u16, u16) {
        (self.left, self.top)
    }

    pub(super) fn scroll_to(&mut self, (left, top): (u16, u16)) {
        let (width, height) = self.size();
        self.left = left.min(width.saturating_sub(self.area.width));
        self.top = top.min(height.saturating_sub(self.area.height));
    }

    /// How nodes are drawn.
    pub fn look(&self) -> Look {
        self.look
    }

    /// Whether there is room for figures.
    pub fn has_figures(&self) -> bool {
        self.figures
    }

    /// A layer's column in the drawing: its first cell and its width.
    pub fn column(&self, layer: usize) -> (u16, u16) {
        self.columns.get(layer).copied().unwrap_or_default()
    }

    /// The column of a track of the channel after a layer.
    pub fn track(&self, layer: usize, track: u32) -> u16 {
        let (x, width) = self.column(layer);
        let at = track.min(u32::from(u16::MAX)) as u16;
        x.saturating_add(width).saturating_add(1).saturating_add(at.saturating_mul(self.track))
    }

    /// The cell row of a row of the layout: that of the node's words.
    pub fn line(&self, row: u32) -> u16 {
        let row = row.min(u32::from(u16::MAX)) as u16;
        row.saturating_mul(self.pitch).saturating_add(u16::from(self.look != Look::Row))
    }

    /// Where a cell of the drawing is on the screen, if it is to be seen.
    pub fn cell(&self, x: u16, y: u16) -> Option<(u16, u16)> {
        let (x, y) = (x.checked_sub(self.left)?, y.checked_sub(self.top)?);
        (x < self.area.width && y < self.area.height).then(|| (self.area.x + x, self.area.y + y))
    }

    /// The layers that are to be seen, first and last.
    pub fn seen_layers(&self) -> Option<(usize, usize)> {
        let right = self.left.saturating_add(self.area.width);
        let seen = |(x, w): &(u16, u16)| *x < right && x.saturating_add(*w) > self.left;
        let first = self.columns.iter().position(seen)?;
        Some((first, self.columns.iter().rposition(seen)?))
    }

    /// Scrolls as little as can be so that a place is in sight, and what stands beside it.
    pub(super) fn bring(&mut self, layer: u32, row: u32) {
        let (x, width) = self.column(layer as usize);
        self.left = within(self.left, self.area.width, x, width, self.size().0);
        let (y, height) = match self.look {
            Look::Row => (self.line(row), 1),
            Look::Box(inner) => (self.line(row).saturating_sub(1), inner + 2),
        };
        self.top = within(self.top, self.area.height, y, height, self.size().1);
    }

    /// The node at a place of the screen.
    pub(super) fn node_at(&self, layout: &Layout, x: u16, y: u16) -> Option<NodeIx> {
        if !self.area.contains((x, y).into()) {
            return None;
        }
        let (x, y) = (x - self.area.x + self.left, y - self.area.y + self.top);
        let layer = self.columns.iter().position(|(from, w)| x >= *from && x < from.saturating_add(*w))?;
        let item = layout.layers().get(layer)?.iter().find(|i| {
            let line = self.line(i.row);
            match self.look {
                Look::Row => y == line,
                Look::Box(inner) => y + 1 >= line && y <= line + inner,
            }
        })?;
        match item.what {
            What::Node(node) => Some(node),
            What::Pass => None,
        }
    }
}

/// By layer: the cells that its nodes would take without figures.
fn wished<'a>(layout: &'a Layout, width: &'a impl Fn(NodeIx) -> usize) -> impl Iterator<Item = u16> + 'a {
    layout.layers().iter().map(|items| {
        let widths = items.iter().filter_map(|i| match i.what {
            What::Node(node) => Some(width(node)),
            What::Pass => None,
        });
        widths.max().unwrap_or(0).min(usize::from(WIDE - BESIDE)) as u16 + BESIDE
    })
}

/// Cells of a channel with so many tracks.
fn channel(tracks: u32, track: u16) -> u16 {
    let tracks = tracks.min(1000) as u16;
    if tracks == 0 { 2 } else { (tracks - 1) * track + 3 }
}

/// The scroll that shows `size` cells from `at` on, as near to `now` as can be, and a few cells around where there are.
fn within(now: u16, view: u16, at: u16, size: u16, all: u16) -> u16 {
    let around = (view.saturating_sub(size) / 4).min(8);
    let first = at.saturating_sub(around);
    let last = at.saturating_add(size).saturating_add(around).min(all);
    let now = now.max(last.saturating_sub(view)).min(first);
    now.min(all.saturating_sub(view))
}
