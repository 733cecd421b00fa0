//! The names of styles in theme files, in the order of the enum.

use super::Slot;

/// Every slot with its name in a theme file. Invariant: in the order of the enum (a test proves it).
pub(super) const SLOTS: &[(Slot, &str)] = &[
    (Slot::Text, "text"),
    (Slot::Dim, "dim"),
    (Slot::Strong, "strong"),
    (Slot::Title, "title"),
    (Slot::Border, "border"),
    (Slot::BorderFocus, "border_focus"),
    (Slot::Selected, "selected"),
    (Slot::SelectedBlur, "selected_blur"),
    (Slot::Brand, "brand"),
    (Slot::Key, "key"),
    (Slot::KeyHint, "key_hint"),
    (Slot::Notice, "notice"),
    (Slot::Warning, "warning"),
    (Slot::Error, "error"),
    (Slot::Badge, "badge"),
    (Slot::Attention, "attention"),
    (Slot::Running, "running"),
    (Slot::Waiting, "waiting"),
    (Slot::Asking, "asking"),
    (Slot::Done, "done"),
    (Slot::Failed, "failed"),
    (Slot::Dropped, "dropped"),
    (Slot::Held, "held"),
    (Slot::Critical, "critical"),
    (Slot::BarFull, "bar_full"),
    (Slot::BarEmpty, "bar_empty"),
    (Slot::BarSoft, "bar_soft"),
    (Slot::Spark, "spark"),
    (Slot::SlotBusy, "slot_busy"),
    (Slot::SlotPrompt, "slot_prompt"),
    (Slot::SlotDraining, "slot_draining"),
    (Slot::SlotFree, "slot_free"),
    (Slot::SlotDown, "slot_down"),
    (Slot::Thinking, "thinking"),
    (Slot::Heading, "heading"),
    (Slot::Bold, "bold"),
    (Slot::Emphasis, "emphasis"),
    (Slot::Code, "code"),
    (Slot::CodeKeyword, "code_keyword"),
    (Slot::CodeString, "code_string"),
    (Slot::CodeComment, "code_comment"),
    (Slot::CodeNumber, "code_number"),
    (Slot::Link, "link"),
    (Slot::Quote, "quote"),
    (Slot::Marker, "marker"),
    (Slot::Match, "match"),
    (Slot::MatchCurrent, "match_current"),
    (Slot::Input, "input"),
    (Slot::Placeholder, "placeholder"),
    (Slot::Card, "card"),
    (Slot::Series1, "series_1"),
    (Slot::Series2, "series_2"),
    (Slot::Series3, "series_3"),
    (Slot::Series4, "series_4"),
    (Slot::Series5, "series_5"),
    (Slot::SeriesOther, "series_other"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_stands_at_its_own_place() {
        for (i, (slot, name)) in SLOTS.iter().enumerate() {
            assert_eq!(*slot as usize, i, "{name}");
        }
        assert_eq!(SLOTS.last().map(|(s, _)| *s), Some(Slot::SeriesOther));
    }
}
