//! Reads one theme file over what it inherits: `inherits`, `about`, `appearance`, `[palette]`, `[style]`, `[palette16]` and
//! `[style16]` where 16 colours want other choices, `[glyphs]`.
//!
//! Colours stay names until the whole line of parents is read, so a theme that changes only the palette of another
//! recolours all of it. Invariant: a mistake is a warning that names file and line; the rest of the file counts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ratatui::style::{Modifier, Style};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use unicode_width::UnicodeWidthStr;

use super::depth::Paint;
use super::slot::SLOTS;
use super::{Appearance, Depth, Glyph};

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

/// A theme's text and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) name: String,
    /// The file as warnings name it.
    pub(super) file: Arc<str>,
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// Where a theme is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It comes with Baton.
    BuiltIn,
    /// It is a file of the user.
    File,
}

/// A colour as a file writes it.
#[derive(Clone, Debug)]
struct Hue {
    name: String,
    file: Arc<str>,
    line: usize,
}

/// A style before its colours are looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    fg: Option<Hue>,
    bg: Option<Hue>,
    modifiers: Modifier,
}

/// A style before the depth is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tint {
    pub(super) fg: Option<Paint>,
    pub(super) bg: Option<Paint>,
    pub(super) modifiers: Modifier,
}

impl Tint {
    pub(super) fn style(self, depth: Depth) -> Style {
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

/// All that a theme and its parents say.
#[derive(Clone, Debug, Default)]
pub(super) struct Drafts {
    pub(super) about: String,
    pub(super) appearance: Appearance,
    pub(super) palette: BTreeMap<String, Paint>,
    pub(super) palette16: BTreeMap<String, Paint>,
    pub(super) styles: BTreeMap<usize, Draft>,
    pub(super) styles16: BTreeMap<usize, Draft>,
    pub(super) signs: BTreeMap<Glyph, Sign>,
}

/// A glyph of a theme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) unicode: Option<String>,
    pub(super) ascii: Option<String>,
    file: Arc<str>,
    line: usize,
}

impl Drafts {
    /// Looks up the colours of a style; one that is nowhere is told.
    pub(super) fn tint(&self, draft: &Draft, depth: Depth, warnings: &mut Vec<ThemeWarning>) -> Tint {
        let mut look = |hue: &Option<Hue>| {
            let hue = hue.as_ref()?;
            let at16 = self.palette16.get(&hue.name).filter(|_| depth == Depth::Ansi16);
            let paint = at16.or_else(|| self.palette.get(&hue.name)).copied().or_else(|| Paint::parse(&hue.name));
            if paint.is_none() {
                let text = format!("{:?} is in no [palette] and is no colour", hue.name);
                let warning = ThemeWarning { file: hue.file.to_string(), line: hue.line, text };
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            paint
        };
        Tint { fg: look(&draft.fg), bg: look(&draft.bg), modifiers: draft.modifiers }
    }

    /// Takes back signs that make two statuses look the same: colour alone must never tell them apart.
    pub(super) fn part_statuses(&mut self, warnings: &mut Vec<ThemeWarning>) {
        for own in Glyph::STATUSES {
            let Some(mut sign) = self.signs.get(own).cloned() else { continue };
            let shown = |glyph: Glyph, signs: &BTreeMap<Glyph, Sign>| {
                let (unicode, ascii) = glyph.twins();
                let sign = signs.get(&glyph);
                let of = |own: Option<&String>, twin: &str| own.cloned().unwrap_or_else(|| twin.to_owned());
                (of(sign.and_then(|s| s.unicode.as_ref()), unicode), of(sign.and_then(|s| s.ascii.as_ref()), ascii))
            };
            let (unicode, ascii) = shown(*own, &self.signs);
            for other in Glyph::STATUSES.iter().filter(|g| *g != own) {
                let theirs = shown(*other, &self.signs);
                let both = [(&unicode, &theirs.0, &mut sign.unicode), (&ascii, &theirs.1, &mut sign.ascii)];
                for (mine, theirs, kept) in both {
                    if mine == theirs && kept.is_some() {
                        *kept = None;
                        let text = format!(
                            "{} and {} would both be {mine:?}; the sign of Baton's own is used",
                            own.name(),
                            other.name()
                        );
                        warnings.push(ThemeWarning { file: sign.file.to_string(), line: sign.line, text });
                    }
                }
            }
            self.signs.insert(*own, sign);
        }
    }
}

/// The table of a theme file; none when it is no TOML.
pub(super) fn parse<'a>(source: &'a Source, warnings: &mut Vec<ThemeWarning>) -> Option<DeTable<'a>> {
    match DeTable::parse(&source.text) {
        Ok(table) => Some(table.into_inner()),
        Err(error) => {
            let at = error.span().map_or(0, |s| s.start);
            Reader { source, warnings }.warn(at, error.message().to_owned());
            None
        }
    }
}

/// Reads a theme file over what it inherits.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) warnings: &'a mut Vec<ThemeWarning>,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.source.text.bytes().take(offset).filter(|b| *b == b'\n').count()
    }

    pub(super) fn warn(&mut self, offset: usize, text: String) {
        let line = self.line(offset);
        self.warnings.push(ThemeWarning { file: self.source.file.to_string(), line, text });
    }

    /// Lays the file over `drafts`.
    pub(super) fn read(&mut self, table: &DeTable<'_>, drafts: &mut Drafts) {
        // What a theme says of itself is not its parent's.
        drafts.about.clear();
        for (key, value) in table {
            let at = key.span().start;
            match key.get_ref().as_ref() {
                "name" | "inherits" => {}
                "about" => match value.get_ref().as_str() {
                    Some(about) => about.clone_into(&mut drafts.about),
                    None => self.warn(at, "about is a few words in quotes".to_owned()),
                },
                "appearance" => match value.get_ref().as_str().and_then(Appearance::parse) {
                    Some(appearance) => drafts.appearance = appearance,
                    None => self.warn(at, "appearance is \"dark\", \"light\" or \"any\"".to_owned()),
                },
                which @ "palette" => self.palette(at, which, value, &mut drafts.palette),
                which @ "palette16" => self.palette(at, which, value, &mut drafts.palette16),
                "style" => self.styles(at, "style", value, drafts),
                "style16" => self.styles(at, "style16", value, drafts),
                "glyphs" => self.glyphs(at, value, drafts),
                other => self.warn(
                    at,
                    format!(
                        "unknown key {other:?}; there are name, about, appearance, inherits, [palette], [style], \
                         [palette16], [style16], [glyphs]"
                    ),
                ),
            }
        }
    }

    fn palette(&mut self, at: usize, which: &str, value: &Spanned<DeValue<'_>>, colours: &mut BTreeMap<String, Paint>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.warn(at, format!("[{which}] is a table of colours"));
        };
        for (key, value) in table {
            let (at, name) = (key.span().start, key.get_ref().as_ref());
            match value.get_ref().as_str().and_then(Paint::parse) {
                Some(paint) => {
                    colours.insert(name.to_owned(), paint);
                }
                None => self.warn(
                    at,
                    format!("{name} is no colour; write \"#rrggbb\", a name as \"bright-blue\", or \"default\""),
                ),
            }
        }
    }

    fn styles(&mut self, at: usize, which: &str, value: &Spanned<DeValue<'_>>, drafts: &mut Drafts) {
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
                drafts.styles16.insert(slot, draft);
            } else {
                drafts.styles.insert(slot, draft);
                // A style changed over its parent is meant at every depth. (`style` is read before `style16`.)
                drafts.styles16.remove(&slot);
            }
        }
    }

    fn draft(&mut self, at: usize, value: &DeValue<'_>) -> Draft {
        let mut draft = Draft::default();
        if let Some(colour) = value.as_str() {
            draft.fg = Some(self.hue(at, colour));
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
                    match value.get_ref().as_str() {
                        Some(colour) if name == "fg" => draft.fg = Some(self.hue(at, colour)),
                        Some(colour) => draft.bg = Some(self.hue(at, colour)),
                        None => self.warn(at, format!("{name} is a colour in quotes")),
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

    fn hue(&self, at: usize, name: &str) -> Hue {
        Hue { name: name.to_owned(), file: Arc::clone(&self.source.file), line: self.line(at) }
    }

    fn glyphs(&mut self, at: usize, value: &Spanned<DeValue<'_>>, drafts: &mut Drafts) {
        let Some(table) = value.get_ref().as_table() else {
            return self.warn(at, "[glyphs] is a table of signs".to_owned());
        };
        for (key, value) in table {
            let (at, name) = (key.span().start, key.get_ref().as_ref());
            let Some(glyph) = Glyph::ALL.iter().copied().find(|g| g.name() == name) else {
                let known = Glyph::ALL.iter().map(|g| g.name()).collect::<Vec<_>>().join(", ");
                self.warn(at, format!("there is no glyph named {name:?}; there are {known}"));
                continue;
            };
            let file = Arc::clone(&self.source.file);
            let mut sign = Sign { unicode: None, ascii: None, file, line: self.line(at) };
            if let Some(text) = value.get_ref().as_str() {
                sign.unicode = self.sign(at, name, text);
            } else if let Some(table) = value.get_ref().as_table() {
                for (key, value) in table {
                    let at = key.span().start;
                    match (key.get_ref().as_ref(), value.get_ref().as_str()) {
                        ("sign", Some(text)) => sign.unicode = self.sign(at, name, text),
                        ("ascii", Some(text)) if is_ascii_sign(text) => sign.ascii = Some(text.to_owned()),
                        ("ascii", Some(text)) => {
                            self.warn(at, format!("{text:?} is not one visible ASCII sign; {name} keeps Baton's own"));
                        }
                        ("sign" | "ascii", None) => self.warn(at, "a sign stands in quotes".to_owned()),
                        (other, _) => self.warn(at, format!("unknown key {other:?}; there are sign and ascii")),
                    }
                }
            } else {
                self.warn(at, "a glyph is a sign, or a table as { sign = \"✔\", ascii = \"+\" }".to_owned());
            }
            if sign.unicode.is_some() || sign.ascii.is_some() {
                drafts.signs.insert(glyph, sign);
            }
        }
    }

    /// A sign of exactly one cell, on terminals that draw ambiguous ones narrow.
    fn sign(&mut self, at: usize, name: &str, text: &str) -> Option<String> {
        let clean = crate::domain::text::CleanText::one_line(text);
        if *clean == *text && text.width() == 1 && text.trim() == text {
            return Some(text.to_owned());
        }
        let has = format!("{:?} takes {} cells", &*clean, clean.width());
        self.warn(at, format!("{has}; a glyph is one sign of one cell, so {name} keeps Baton's own"));
        None
    }
}

fn is_ascii_sign(text: &str) -> bool {
    text.len() == 1 && text.bytes().all(|b| b.is_ascii_graphic())
}
