//! Placeholder until this view is merged.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::interface::tui::scene::Scene;

/// Draws it.
pub fn render(_scene: &Scene<'_>, _area: Rect, _buf: &mut Buffer) {}
