//! What the operator can set for the console.

use serde::{Deserialize, Serialize};

/// Which symbols are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Glyphs {
    /// The terminal is asked how wide it draws them.
    #[default]
    Auto,
    /// Symbols and lines of Unicode.
    Unicode,
    /// Their ASCII twins.
    Ascii,
}

/// Whether anything on the screen moves by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Motion {
    /// Spinners, and lights on what has just changed.
    #[default]
    Full,
    /// Nothing.
    None,
}

/// Whether colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// It is not.
    #[default]
    Off,
    /// It is.
    On,
}

/// How the console looks and behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleSettings {
    /// A theme by the name of its file in `themes/`.
    pub theme: String,
    /// Which symbols are drawn.
    pub glyphs: Glyphs,
    /// Whether the mouse is used.
    pub mouse: bool,
    /// Whether anything moves by itself.
    pub motion: Motion,
    /// Whether colours are used.
    pub color: ColorChoice,
    /// Whether the terminal's bell rings when something new needs the operator while the window is not in front.
    pub bell: Switch,
    /// Whether the terminal is asked for a notification then.
    pub notify: Switch,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            theme: "midnight".into(),
            glyphs: Glyphs::default(),
            mouse: true,
            motion: Motion::default(),
            color: ColorChoice::default(),
            bell: Switch::default(),
            notify: Switch::default(),
        }
    }
}
