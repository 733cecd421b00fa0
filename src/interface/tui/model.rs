//! What the user does: focus, selection, scroll, cards. `Ui::update` is pure; it returns effects.

/// What the user does.
#[derive(Clone, Debug, Default)]
pub struct Ui {}
