//! Where everything stands on the Graph screen, at every size. Pure; the model and the view use the same answer.
//!
//! All rectangles are insides; the borders are the cells around them, shared where two touch.

use ratatui::layout::Rect;

/// The insides of everything; empty rectangles are not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// The graph.
    pub graph: Rect,
    /// The Why box; the border above it has the layers.
    pub why: Rect,
    /// The third column: the selected task.
    pub details: Rect,
}

/// Divides `area`.
pub fn divide(area: Rect) -> Areas {
    let mut out = Areas::default();
    if area.width < 3 || area.height < 3 {
        return out;
    }
    let inside = Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2);
    let mut left = inside;
    if area.width >= 160 {
        let details = (area.width / 5).clamp(36, 60);
        left.width -= details;
        out.details = Rect { x: left.right() + 1, width: details - 1, ..inside };
    }
    let why = match inside.height {
        30.. => 3,
        12..30 => 2,
        7..12 => 1,
        _ => 0,
    };
    out.graph = left;
    if why > 0 {
        out.graph.height -= why + 1;
        out.why = Rect { y: out.graph.bottom() + 1, height: why, ..left };
    }
    out
}
