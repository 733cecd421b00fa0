//! Colours and glyphs by meaning. Themes are `themes/*.toml`; this is the only room that names colours.
//!
//! Not here: who asks for a style ([`super::view`]). Invariant: every status differs by its glyph alone, so a theme
//! without colours loses nothing.

mod builtin;
mod depth;
mod file;
mod glyph;
mod load;
mod slot;

use std::collections::BTreeMap;

use ratatui::style::Style;

pub use depth::{ColorChoice, Depth, grounds, looks};
pub use file::{Origin, ThemeWarning};
pub use load::{Listed, Look, Themes};

/// What a style is for. Views ask by meaning, never by colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Ordinary text.
    Text,
    /// Text of less weight: labels, units, what is old.
    Dim,
    /// Text of more weight.
    Strong,
    /// Titles in borders.
    Title,
    /// Borders.
    Border,
    /// The border of the focused pane.
    BorderFocus,
    /// The selected row.
    Selected,
    /// The selected row of a pane that has no focus.
    SelectedBlur,
    /// The program's name and the chosen screen.
    Brand,
    /// A key in hints and cards.
    Key,
    /// The word beside a key.
    KeyHint,
    /// A notice that something went well or just happened.
    Notice,
    /// A warning.
    Warning,
    /// An error.
    Error,
    /// `SIMULATED`, `VIEWER`, `REPLAY`.
    Badge,
    /// What needs the operator.
    Attention,
    /// Status: running.
    Running,
    /// Status: waiting, ready, pending.
    Waiting,
    /// Status: asks.
    Asking,
    /// Status: done.
    Done,
    /// Status: failed.
    Failed,
    /// Status: cancelled, skipped.
    Dropped,
    /// Status: held.
    Held,
    /// On the critical path.
    Critical,
    /// Bars: the filled part.
    BarFull,
    /// Bars: the empty part.
    BarEmpty,
    /// Bars: a part that is growing or uncertain.
    BarSoft,
    /// Little histories.
    Spark,
    /// Slot cells: busy.
    SlotBusy,
    /// Slot cells: reading a prompt.
    SlotPrompt,
    /// Slot cells: draining.
    SlotDraining,
    /// Slot cells: free.
    SlotFree,
    /// Slot cells: down.
    SlotDown,
    /// Thinking text.
    Thinking,
    /// Answer text: headings.
    Heading,
    /// Answer text: strong.
    Bold,
    /// Answer text: emphasis.
    Emphasis,
    /// Answer text: code.
    Code,
    /// Code: keywords.
    CodeKeyword,
    /// Code: strings.
    CodeString,
    /// Code: comments.
    CodeComment,
    /// Code: numbers.
    CodeNumber,
    /// Answer text: links.
    Link,
    /// Answer text: quotes.
    Quote,
    /// Answer text: list markers and table lines.
    Marker,
    /// A match of a search.
    Match,
    /// The match the cursor is on.
    MatchCurrent,
    /// Text the user types.
    Input,
    /// The hint in an empty text field.
    Placeholder,
    /// The background of cards.
    Card,
    /// The first of the colours that tell models apart in the memory bar.
    Series1,
    /// The second.
    Series2,
    /// The third.
    Series3,
    /// The fourth.
    Series4,
    /// The fifth.
    Series5,
    /// The rest.
    SeriesOther,
}

/// A sign with an ASCII twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Glyph {
    /// `●`
    Running,
    /// `◌`
    Waiting,
    /// `?`
    Asking,
    /// `✔`
    Done,
    /// `✖`
    Failed,
    /// `⊘`
    Cancelled,
    /// `»`
    Skipped,
    /// `‖`
    Held,
    /// `❯`
    Cursor,
    /// `▸`
    Folded,
    /// `▾`
    Unfolded,
    /// `■` a busy slot.
    SlotBusy,
    /// `□` a free slot.
    SlotFree,
    /// `×` a slot that is down.
    SlotDown,
    /// `▰`
    BarFull,
    /// `▱`
    BarEmpty,
    /// `▓`
    Block,
    /// `█` a part of memory that stands beside other parts; so do the next two.
    Solid,
    /// `▒`
    Medium,
    /// `░`
    Light,
    /// `…`
    Ellipsis,
    /// `↓`
    Below,
    /// `↑`
    Above,
    /// `·`
    Dot,
    /// `▌` where text grows.
    Caret,
    /// `⋮` beside thinking.
    Thinking,
    /// `–` unknown.
    Unknown,
    /// `→`
    Arrow,
    /// `×` as in ×5.8.
    Times,
    /// `≈` or `~`.
    About,
    /// `▸` where a line comes to a task.
    Comes,
    /// `◂` where a task joins a line.
    Joins,
    /// `◆` a stop on a line: one comes to it, the next begins.
    Stop,
}

/// A loaded theme at one colour depth and glyph set.
///
/// [`Slot::Text`] carries the theme's background; the root fills the screen with it, and every other style is laid
/// over what is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    /// Its name.
    pub name: String,
    /// On what ground it draws.
    pub appearance: Appearance,
    styles: Vec<Style>,
    /// Whether glyphs are Unicode or their ASCII twins.
    pub glyphs: GlyphSet,
    /// Signs of its own, with their twins.
    signs: BTreeMap<Glyph, (Option<String>, Option<String>)>,
}

/// On what ground a theme draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Appearance {
    /// A dark one.
    Dark,
    /// A light one.
    Light,
    /// The terminal's own, whatever it is.
    #[default]
    Any,
}

impl Appearance {
    /// The word in theme files and in the picker.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Any => "any",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Dark, Self::Light, Self::Any].into_iter().find(|a| a.word() == word)
    }
}

/// Which glyphs are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GlyphSet {
    /// The real ones.
    #[default]
    Unicode,
    /// Their twins.
    Ascii,
}

impl Theme {
    /// The style of a meaning. Laid over what is there: what it does not name (a background, say) stays.
    pub fn style(&self, slot: Slot) -> Style {
        self.styles.get(slot as usize).copied().unwrap_or_default()
    }

    /// A sign, or its ASCII twin. One cell wide, all of them.
    pub fn glyph(&self, glyph: Glyph) -> &str {
        let (unicode, ascii) = glyph.twins();
        let own = self.signs.get(&glyph);
        match self.glyphs {
            GlyphSet::Unicode => own.and_then(|(unicode, _)| unicode.as_deref()).unwrap_or(unicode),
            GlyphSet::Ascii => own.and_then(|(_, ascii)| ascii.as_deref()).unwrap_or(ascii),
        }
    }
}
