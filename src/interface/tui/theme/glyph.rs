//! The signs and their ASCII twins.

use super::Glyph;

impl Glyph {
    /// Every sign.
    #[cfg(test)]
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
        let statuses = [
            Glyph::Running,
            Glyph::Waiting,
            Glyph::Asking,
            Glyph::Done,
            Glyph::Failed,
            Glyph::Cancelled,
            Glyph::Skipped,
            Glyph::Held,
        ];
        assert_eq!(statuses.iter().map(|g| g.twins().1).collect::<HashSet<_>>().len(), statuses.len());
    }
}
