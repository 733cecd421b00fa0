//! The signs and their ASCII twins.

use super::Glyph;

impl Glyph {
    /// Every sign.
    pub(super) const ALL: &'static [Self] = &[
        Self::Running,
        Self::Waiting,
        Self::Asking,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
        Self::Held,
        Self::Cursor,
        Self::Folded,
        Self::Unfolded,
        Self::SlotBusy,
        Self::SlotFree,
        Self::SlotDown,
        Self::BarFull,
        Self::BarEmpty,
        Self::Block,
        Self::Solid,
        Self::Medium,
        Self::Light,
        Self::Ellipsis,
        Self::Below,
        Self::Above,
        Self::Dot,
        Self::Caret,
        Self::Thinking,
        Self::Unknown,
        Self::Arrow,
        Self::Times,
        Self::About,
        Self::Comes,
        Self::Joins,
        Self::Stop,
    ];

    /// Those that tell statuses apart.
    pub(super) const STATUSES: &'static [Self] = &[
        Self::Running,
        Self::Waiting,
        Self::Asking,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
        Self::Held,
    ];

    /// Its name in the `[glyphs]` of a theme.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Asking => "asking",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Held => "held",
            Self::Cursor => "cursor",
            Self::Folded => "folded",
            Self::Unfolded => "unfolded",
            Self::SlotBusy => "slot_busy",
            Self::SlotFree => "slot_free",
            Self::SlotDown => "slot_down",
            Self::BarFull => "bar_full",
            Self::BarEmpty => "bar_empty",
            Self::Block => "block",
            Self::Solid => "solid",
            Self::Medium => "medium",
            Self::Light => "light",
            Self::Ellipsis => "ellipsis",
            Self::Below => "below",
            Self::Above => "above",
            Self::Dot => "dot",
            Self::Caret => "caret",
            Self::Thinking => "thinking",
            Self::Unknown => "unknown",
            Self::Arrow => "arrow",
            Self::Times => "times",
            Self::About => "about",
            Self::Comes => "comes",
            Self::Joins => "joins",
            Self::Stop => "stop",
        }
    }

    /// The sign and its twin; both one cell wide where ambiguous width is narrow.
    pub(super) const fn twins(self) -> (&'static str, &'static str) {
        match self {
            Self::Running => ("●", "*"),
            Self::Waiting => ("◌", "o"),
            Self::Asking => ("?", "?"),
            Self::Done => ("✔", "+"),
            Self::Failed => ("✖", "x"),
            Self::Cancelled => ("⊘", "/"),
            Self::Skipped => ("»", ">"),
            Self::Held => ("‖", "="),
            Self::Cursor => ("❯", ">"),
            Self::Folded => ("▸", ">"),
            Self::Unfolded => ("▾", "v"),
            Self::SlotBusy => ("■", "#"),
            Self::SlotFree => ("□", "."),
            Self::SlotDown => ("×", "x"),
            Self::BarFull => ("▰", "#"),
            Self::BarEmpty => ("▱", "-"),
            Self::Block => ("▓", "#"),
            Self::Solid => ("█", "@"),
            Self::Medium => ("▒", "="),
            Self::Light => ("░", "-"),
            Self::Ellipsis => ("…", "~"),
            Self::Below => ("↓", "v"),
            Self::Above => ("↑", "^"),
            Self::Dot => ("·", "."),
            Self::Caret => ("▌", "_"),
            Self::Thinking => ("⋮", ":"),
            Self::Unknown => ("–", "-"),
            Self::Arrow => ("→", ">"),
            Self::Times => ("×", "x"),
            Self::About => ("≈", "~"),
            Self::Comes => ("▸", ">"),
            Self::Joins => ("◂", "<"),
            Self::Stop => ("◆", "@"),
        }
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn every_sign_is_one_cell_and_every_twin_ascii() {
        for glyph in Glyph::ALL {
            let (unicode, ascii) = glyph.twins();
            assert_eq!(unicode.width(), 1, "{glyph:?}");
            assert!(ascii.is_ascii() && ascii.len() == 1, "{glyph:?}");
        }
    }

    #[test]
    fn statuses_differ_in_ascii_too() {
        use std::collections::HashSet;
        let statuses = Glyph::STATUSES;
        assert_eq!(statuses.iter().map(|g| g.twins().1).collect::<HashSet<_>>().len(), statuses.len());
        assert_eq!(statuses.iter().map(|g| g.twins().0).collect::<HashSet<_>>().len(), statuses.len());
    }

    #[test]
    fn every_sign_has_a_name_of_its_own() {
        use std::collections::HashSet;
        assert_eq!(Glyph::ALL.iter().map(|g| g.name()).collect::<HashSet<_>>().len(), Glyph::ALL.len());
    }
}
