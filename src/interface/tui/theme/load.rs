//! The themes there are, built in and from the user's folder, and how one is loaded with what it inherits.
//!
//! Not here: what a file may say (`file`). Invariant: loading always gives a whole theme, whatever is wrong with its file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ratatui::style::{Modifier, Style};

use super::builtin::THEMES;
use super::file::{self, Drafts, Origin, Reader, Source, ThemeWarning, Tint};
use super::slot::SLOTS;
use super::{Appearance, Depth, GlyphSet, Slot, Theme};
use crate::domain::source::text_of;

/// The themes there are: those that come with Baton, and the user's.
#[derive(Clone, Debug)]
pub struct Themes {
    /// Built-in ones first. A user's theme of a built-in name stands before it.
    sources: Vec<Source>,
    folder: Option<PathBuf>,
    seen: Vec<Seen>,
    /// Files that could not be read.
    pub warnings: Vec<ThemeWarning>,
}

/// A file of the folder as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    changed: Option<SystemTime>,
    bytes: u64,
}

/// A theme as the picker lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub about: String,
    /// On what ground it draws.
    pub appearance: Appearance,
    /// Where it is from.
    pub origin: Origin,
    /// The file as warnings name it.
    pub file: String,
}

/// What a second look at the folder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// All is as it was.
    Same,
    /// These themes are new, other, or gone.
    Changed(Vec<String>),
}

impl Default for Themes {
    fn default() -> Self {
        let sources = THEMES.iter().map(|(name, text)| Source {
            name: (*name).to_owned(),
            file: format!("themes/{name}.toml").into(),
            text: (*text).to_owned(),
            origin: Origin::BuiltIn,
        });
        Self { sources: sources.collect(), folder: None, seen: Vec::new(), warnings: Vec::new() }
    }
}

impl Themes {
    /// Adds the `*.toml` of a folder, and remembers it for [`Themes::look_again`]. A folder that is not there is no
    /// mistake.
    #[must_use]
    pub fn with_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self.read_folder();
        self
    }

    fn read_folder(&mut self) {
        self.sources.retain(|s| s.origin == Origin::BuiltIn);
        self.warnings.clear();
        self.seen = self.folder.as_deref().map(files).unwrap_or_default();
        for path in self.seen.iter().map(|s| s.path.clone()).collect::<Vec<_>>() {
            let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let file = path.display().to_string();
            match std::fs::read(&path).map(|bytes| text_of(bytes, &file)) {
                Ok(Ok(text)) => self.add(name, &file, text),
                Ok(Err(error)) => {
                    let text = format!("{}; {}", error.what, error.mend);
                    self.warnings.push(ThemeWarning { file, line: error.line, text });
                }
                Err(error) => {
                    self.warnings.push(ThemeWarning { file, line: 0, text: format!("not readable: {error}") })
                }
            }
        }
    }

    pub(super) fn add(&mut self, name: String, file: &str, text: String) {
        let source = Source { name, file: file.into(), text, origin: Origin::File };
        let place = self.sources.iter().position(|s| s.name == source.name).unwrap_or(self.sources.len());
        self.sources.insert(place, source);
    }

    /// Looks at the folder again and reads it when a file is new, changed or gone.
    pub fn look_again(&mut self) -> Look {
        let Some(now) = self.folder.as_deref().map(files).filter(|now| *now != self.seen) else { return Look::Same };
        let stem = |s: &&Seen| s.path.file_stem().map(|n| n.to_string_lossy().into_owned());
        let gone = self.seen.iter().filter(|s| !now.iter().any(|n| n.path == s.path)).filter_map(|s| stem(&s));
        let other = now.iter().filter(|n| !self.seen.contains(n)).filter_map(|n| stem(&n));
        let changed = other.chain(gone).collect();
        self.read_folder();
        Look::Changed(changed)
    }

    fn find(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|s| s.name == name)
    }

    /// The parent a theme names. Built-in ones inherit from built-in ones, and a user's theme that inherits from its own
    /// name means the built-in one it stands before.
    fn parent(&self, child: &Source, name: &str) -> Option<&Source> {
        let built_in = child.origin == Origin::BuiltIn || child.name == name;
        self.sources.iter().find(|s| s.name == name && (!built_in || s.origin == Origin::BuiltIn))
    }

    /// The names, in the order the theme key goes through.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let shown = |(i, s): (usize, &Source)| i == 0 || self.sources.get(i - 1).is_none_or(|b| b.name != s.name);
        self.sources.iter().enumerate().filter(move |(i, s)| shown((*i, s))).map(|(_, s)| s.name.as_str())
    }

    /// The theme after `name`.
    pub fn after(&self, name: &str) -> &str {
        let names: Vec<&str> = self.names().collect();
        let at = names.iter().position(|n| *n == name).map_or(0, |i| i + 1);
        names.get(at % names.len().max(1)).copied().unwrap_or("midnight")
    }

    /// All of them, as the picker lists them.
    pub fn list(&self) -> Vec<Listed> {
        let listed = |source: &Source| {
            let drafts = self.drafts(source, &mut Vec::new(), &mut Vec::new());
            Listed {
                name: source.name.clone(),
                about: drafts.about,
                appearance: drafts.appearance,
                origin: source.origin,
                file: source.file.to_string(),
            }
        };
        self.names().filter_map(|name| self.find(name)).map(listed).collect()
    }

    /// Loads a theme. An unknown name gives `midnight` and a warning.
    pub fn load(&self, name: &str, depth: Depth, glyphs: GlyphSet) -> (Theme, Vec<ThemeWarning>) {
        let mut warnings = Vec::new();
        let source = self.find(name).or_else(|| {
            let known = self.names().collect::<Vec<_>>().join(", ");
            let text = format!("there is no such theme; there are {known}");
            warnings.push(ThemeWarning { file: name.to_owned(), line: 0, text });
            self.find("midnight")
        });
        let mut drafts = source.map(|s| self.drafts(s, &mut Vec::new(), &mut warnings)).unwrap_or_default();
        drafts.part_statuses(&mut warnings);
        let tints = tints(&drafts, depth, &mut warnings);
        let mut styles: Vec<Style> = tints.iter().map(|t| t.style(depth)).collect();
        if depth == Depth::None {
            without_colour(&mut styles);
        }
        warnings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        let name = source.map_or(name, |s| s.name.as_str()).to_owned();
        let signs = drafts.signs.into_iter().map(|(glyph, sign)| (glyph, (sign.unicode, sign.ascii))).collect();
        (Theme { name, appearance: drafts.appearance, styles, glyphs, signs }, warnings)
    }

    /// Reads a theme over what it inherits from.
    fn drafts(&self, source: &Source, above: &mut Vec<Arc<str>>, warnings: &mut Vec<ThemeWarning>) -> Drafts {
        above.push(Arc::clone(&source.file));
        let Some(table) = file::parse(source, warnings) else { return Drafts::default() };
        let mut drafts = Drafts::default();
        if let Some((key, value)) = table.iter().find(|(k, _)| k.get_ref().as_ref() == "inherits") {
            let at = key.span().start;
            let name = value.get_ref().as_str();
            let wrong = match (name, name.and_then(|n| self.parent(source, n))) {
                (Some(name), Some(parent)) if above.contains(&parent.file) => {
                    Some(format!("themes inherit in a circle: {} inherits from {name} again", source.name))
                }
                (_, Some(parent)) => {
                    drafts = self.drafts(parent, above, warnings);
                    None
                }
                (Some(name), None) => {
                    let known = self.names().collect::<Vec<_>>().join(", ");
                    Some(format!("inherits from {name:?}, which is no theme; there are {known}"))
                }
                (None, None) => Some("inherits is the name of a theme".to_owned()),
            };
            if let Some(words) = wrong {
                Reader { source, warnings }.warn(at, words);
            }
        }
        Reader { source, warnings }.read(&table, &mut drafts);
        drafts
    }
}

/// The files of a theme folder with their times, in order.
fn files(folder: &Path) -> Vec<Seen> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml"));
    let mut seen: Vec<Seen> = paths
        .map(|path| {
            let about = std::fs::metadata(&path).ok();
            let changed = about.as_ref().and_then(|m| m.modified().ok());
            Seen { path, changed, bytes: about.map_or(0, |m| m.len()) }
        })
        .collect();
    seen.sort_by(|a, b| a.path.cmp(&b.path));
    seen
}

/// The styles of a theme at a depth, in the order of the slots.
fn tints(drafts: &Drafts, depth: Depth, warnings: &mut Vec<ThemeWarning>) -> Vec<Tint> {
    let mut tint = |i: usize| {
        // Both are looked up, so that a mistake is told at every depth.
        let full = drafts.styles.get(&i).map(|d| drafts.tint(d, depth, warnings));
        let at16 = drafts.styles16.get(&i).map(|d| drafts.tint(d, depth, warnings));
        at16.filter(|_| depth == Depth::Ansi16).or(full).unwrap_or_default()
    };
    (0..SLOTS.len()).map(&mut tint).collect()
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
#[path = "contrast_tests.rs"]
mod contrast_tests;
#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
