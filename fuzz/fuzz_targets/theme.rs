//! A theme file: what can't be read is a warning, and there is always a theme.

#![no_main]

use baton::interface::tui::theme::{Depth, GlyphSet, Themes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("mine.toml"), text).expect("a file in it");
    let themes = Themes::default().with_folder(folder.path());
    let _theme = themes.load("mine", Depth::True, GlyphSet::Unicode);
});
