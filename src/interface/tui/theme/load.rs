//! Reads theme files: `name`, `inherits`, `[palette]`, `[style]`, and `[style16]` where 16 colours want other choices.
//!
//! Invariant: a mistake in a file is a warning that names file and line; the rest of the file loads.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use ratatui::style::{Modifier, Style};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::builtin::THEMES;
use super::depth::Paint;
use super::slot::SLOTS;
use super::{Depth, GlyphSet, Slot, Theme};

/// A mistake in a theme file; what it is about is left out, the rest is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemeWarning {
    /// The file, or the name of a theme that comes with Baton.
    pub file: String,
    /// The line, from 1; 0: the file as a whole.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub text: String,
}

impl fmt::Display for ThemeWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.text),
            line => write!(f, "{}:{line}: {}", self.file, self.text),
        }
    }
}

/// The themes there are: those that come with Baton, and the user's.
#[derive(Clone, Debug)]
pub struct Themes {
    /// Name, file, text; a user's theme of a built-in name stands in its place.
    sources: Vec<Source>,
    /// Files that could not be read.
    pub warnings: Vec<ThemeWarning>,
}

#[derive(Clone, Debug)]
struct Source {
    name: String,
    file: String,
    text: String,
}

/// A style before the depth is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Draft {
    pub(super) fg: Option<Paint>,
    pub(super) bg: Option<Paint>,
    modifiers: Modifier,
}

impl Draft {
    fn style(self, depth: Depth) -> Style {
        let mut style = Style::new().add_modifier(self.modifiers);
        if let Some(fg) = self.fg.and_then(|p| p.at(depth)) {
            style = style.fg(fg);
        }
        if let Some(bg) = self.bg.and_then(|p| p.at(depth)) {
            style = style.bg(bg);
        }
        style
    }
}

/// The drafts of a theme by slot, and those that stand in at 16 colours.
#[derive(Clone, Debug, Default)]
pub(super) struct Drafts {
    palette: BTreeMap<String, Paint>,
    pub(super) styles: BTreeMap<usize, Draft>,
    styles16: BTreeMap<usize, Draft>,
}

impl Default for Themes {
    fn default() -> Self {
        let sources = THEMES.iter().map(|(name, text)| Source {
            name: (*name).to_owned(),
            file: format!("themes/{name}.toml"),
            text: (*text).to_owned(),
        });
        Self { sources: sources.collect(), warnings: Vec::new() }
    }
}

impl Themes {
    /// Adds the `*.toml` of a folder. A folder that is not there is no mistake.
    #[must_use]
    pub fn with_folder(mut self, folder: &Path) -> Self {
        let Ok(entries) = std::fs::read_dir(folder) else { return self };
        let mut paths: Vec<_> =
            entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
        paths.sort();
        for path in paths {
            let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let file = path.display().to_string();
            match std::fs::read_to_string(&path) {
                Ok(text) => self.add(name, file, text),
                Err(error) => {
                    self.warnings.push(ThemeWarning { file, line: 0, text: format!("not readable: {error}") })
                }
            }
        }
        self
    }

    fn add(&mut self, name: String, file: String, text: String) {
        let source = Source { name, file, text };
        match self.sources.iter_mut().find(|s| s.name == source.name) {
            Some(place) => *place = source,
            None => self.sources.push(source),
        }
    }

    /// The names, in the order the theme key goes through.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|s| s.name.as_str())
    }

    /// The theme after `name`.
    pub fn after(&self, name: &str) -> &str {
        let at = self.sources.iter().position(|s| s.name == name).map_or(0, |i| i + 1);
        self.sources.get(at % self.sources.len().max(1)).map_or("midnight", |s| s.name.as_str())
    }

    /// Loads a theme. An unknown name gives `midnight` and a warning.
    pub fn load(&self, name: &str, depth: Depth, glyphs: GlyphSet) -> (Theme, Vec<ThemeWarning>) {
        let mut warnings = Vec::new();
        let mut drafts = self.drafts(name, &mut Vec::new(), &mut warnings);
        let mut loaded = name;
        if !self.sources.iter().any(|s| s.name == name) {
            let known = self.names().collect::<Vec<_>>().join(", ");
            let text = format!("there is no such theme; there are {known}");
            warnings.push(ThemeWarning { file: name.to_owned(), line: 0, text });
            loaded = "midnight";
            drafts = self.drafts(loaded, &mut Vec::new(), &mut warnings);
        }
        let style = |i: usize| {
            let at16 = (depth == Depth::Ansi16).then(|| drafts.styles16.get(&i)).flatten();
            at16.or_else(|| drafts.styles.get(&i)).copied().unwrap_or_default().style(depth)
        };
        let mut styles: Vec<Style> = (0..SLOTS.len()).map(style).collect();
        if depth == Depth::None {
            without_colour(&mut styles);
        }
        (Theme { name: loaded.to_owned(), styles, glyphs }, warnings)
    }

    /// Reads a theme over what it inherits from.
    pub(super) fn drafts(&self, name: &str, above: &mut Vec<String>, warnings: &mut Vec<ThemeWarning>) -> Drafts {
        let Some(source) = self.sources.iter().find(|s| s.name == name) else { return Drafts::default() };
        above.push(name.to_owned());
        let mut reader = Reader { source, warnings, drafts: Drafts::default() };
        let table = match DeTable::parse(&source.text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let at = error.span().map_or(0, |s| s.start);
                reader.warn(at, error.message().to_owned());
                return Drafts::default();
            }
        };
        if let Some((key, value)) = table.iter().find(|(k, _)| k.get_ref().as_ref() == "inherits") {
            let at = key.span().start;
            match value.get_ref().as_str() {
                Some(parent) if above.iter().any(|a| a == parent) => {
                    reader.warn(at, format!("themes inherit in a circle: {} -> {parent}", above.join(" -> ")));
                }
                Some(parent) if !self.sources.iter().any(|s| s.name == parent) => {
                    reader.warn(at, format!("inherits from {parent:?}, which is no theme"));
                }
                Some(parent) => reader.drafts = self.drafts(parent, above, reader.warnings),
                None => reader.warn(at, "inherits is the name of a theme".to_owned()),
            }
        }
        // The palette first, wherever it stands in the file: styles name its colours.
        for (key, value) in table.iter().filter(|(k, _)| k.get_ref().as_ref() == "palette") {
            reader.palette(key.span().start, value);
        }
        for (key, value) in &table {
            let at = key.span().start;
            match key.get_ref().as_ref() {
                "name" | "inherits" | "appearance" | "palette" => {}
                which @ ("style" | "style16") => reader.styles(at, which, value),
                other => reader.warn(
                    at,
                    format!(
                        "unknown key {other:?}; there are name, inherits, appearance, [palette], [style], [style16]"
                    ),
                ),
            }
        }
        reader.drafts
    }
}

struct Reader<'a> {
    source: &'a Source,
    warnings: &'a mut Vec<ThemeWarning>,
    drafts: Drafts,
}

impl Reader<'_> {
    fn warn(&mut self, offset: usize, text: String) {
        let line = 1 + self.source.text.bytes().take(offset).filter(|b| *b == b'\n').count();
        self.warnings.push(ThemeWarning { file: self.source.file.clone(), line, text });
    }

    fn palette(&mut self, at: usize, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.warn(at, "[palette] is a table of colours".to_owned());
        };
        for (key, value) in table {
            let (at, name) = (key.span().start, key.get_ref().as_ref());
            match value.get_ref().as_str().and_then(Paint::parse) {
                Some(paint) => {
                    self.drafts.palette.insert(name.to_owned(), paint);
                }
                None => self.warn(
                    at,
                    format!("{name} is no colour; write \"#rrggbb\", a name as \"bright-blue\", or \"default\""),
                ),
            }
        }
    }

    fn styles(&mut self, at: usize, which: &str, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.warn(at, format!("[{which}] is a table of styles"));
        };
        for (key, value) in table {
            let (at, name) = (key.span().start, key.get_ref().as_ref());
            let Some(slot) = SLOTS.iter().position(|(_, n)| *n == name) else {
                self.warn(
                    at,
                    format!(
                        "there is no style named {name:?}; `text`, `dim`, `border` … are listed in themes/midnight.toml"
                    ),
                );
                continue;
            };
            let draft = self.draft(at, value.get_ref());
            if which == "style16" {
                self.drafts.styles16.insert(slot, draft);
            } else {
                self.drafts.styles.insert(slot, draft);
                // A style changed over its parent is meant at every depth.
                self.drafts.styles16.remove(&slot);
            }
        }
    }

    fn draft(&mut self, at: usize, value: &DeValue<'_>) -> Draft {
        let mut draft = Draft::default();
        if let Some(colour) = value.as_str() {
            draft.fg = self.colour(at, colour);
            return draft;
        }
        let Some(table) = value.as_table() else {
            self.warn(at, "a style is a colour or a table as { fg = \"red\", bold = true }".to_owned());
            return draft;
        };
        for (key, value) in table {
            let (at, name) = (key.span().start, key.get_ref().as_ref());
            let modifier = match name {
                "bold" => Modifier::BOLD,
                "dim" => Modifier::DIM,
                "italic" => Modifier::ITALIC,
                "underline" => Modifier::UNDERLINED,
                "reverse" => Modifier::REVERSED,
                "strike" => Modifier::CROSSED_OUT,
                "fg" | "bg" => {
                    let paint = value.get_ref().as_str().map(str::to_owned).and_then(|c| self.colour(at, &c));
                    if name == "fg" {
                        draft.fg = paint
                    } else {
                        draft.bg = paint
                    }
                    continue;
                }
                _ => {
                    self.warn(
                        at,
                        format!(
                            "unknown key {name:?}; there are fg, bg, bold, dim, italic, underline, reverse, strike"
                        ),
                    );
                    continue;
                }
            };
            match value.get_ref().as_bool() {
                Some(on) => draft.modifiers.set(modifier, on),
                None => self.warn(at, format!("{name} is true or false")),
            }
        }
        draft
    }

    fn colour(&mut self, at: usize, name: &str) -> Option<Paint> {
        let paint = self.drafts.palette.get(name).copied().or_else(|| Paint::parse(name));
        if paint.is_none() {
            self.warn(at, format!("{name:?} is in no [palette] and is no colour"));
        }
        paint
    }
}

/// What has to be seen without colour gets a modifier, whatever the theme says.
fn without_colour(styles: &mut [Style]) {
    for (slot, modifier) in [
        (Slot::Selected, Modifier::REVERSED),
        (Slot::SelectedBlur, Modifier::BOLD),
        (Slot::BorderFocus, Modifier::BOLD),
        (Slot::Title, Modifier::BOLD),
        (Slot::Strong, Modifier::BOLD),
        (Slot::Brand, Modifier::BOLD),
        (Slot::Key, Modifier::BOLD),
        (Slot::Badge, Modifier::REVERSED),
        (Slot::Attention, Modifier::BOLD),
        (Slot::Error, Modifier::BOLD),
        (Slot::Failed, Modifier::BOLD),
        (Slot::Match, Modifier::UNDERLINED),
        (Slot::MatchCurrent, Modifier::REVERSED),
        (Slot::Heading, Modifier::BOLD),
        (Slot::Critical, Modifier::BOLD),
    ] {
        if let Some(style) = styles.get_mut(slot as usize) {
            *style = style.add_modifier(modifier);
        }
    }
}

impl Theme {
    /// A theme that comes with Baton, in full colour with real glyphs.
    pub fn load_named(name: &str) -> Self {
        Themes::default().load(name, Depth::True, GlyphSet::Unicode).0
    }

    /// Without colour, with real glyphs: what `NO_COLOR` shows, and what tests compare text with.
    pub fn plain() -> Self {
        Themes::default().load("mono", Depth::None, GlyphSet::Unicode).0
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
