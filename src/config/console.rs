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
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            theme: "midnight".into(),
            glyphs: Glyphs::default(),
            mouse: true,
            motion: Motion::default(),
            color: ColorChoice::default(),
        }
    }
}
