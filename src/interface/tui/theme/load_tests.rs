//! Tests of the theme files and of what a broken one does.

use ratatui::style::{Color, Modifier};

use super::*;
use crate::interface::tui::theme::Glyph;

#[test]
fn the_themes_that_come_with_baton_load_without_a_warning() {
    let themes = Themes::default();
    for name in themes.names() {
        for depth in [Depth::True, Depth::Ansi256, Depth::Ansi16, Depth::None] {
            let (theme, warnings) = themes.load(name, depth, GlyphSet::Unicode);
            assert_eq!(warnings, [], "{name}");
            assert_eq!(theme.name, name);
        }
    }
}

#[test]
fn the_full_themes_name_every_style() {
    let themes = Themes::default();
    for name in themes.names().filter(|n| *n != "mono") {
        let drafts = themes.drafts(themes.find(name).unwrap(), &mut Vec::new(), &mut Vec::new());
        for (slot, word) in SLOTS {
            assert!(drafts.styles.contains_key(&(*slot as usize)), "{name} has no {word}");
        }
        assert!(!drafts.about.is_empty(), "{name}");
    }
}

#[test]
fn a_mistake_is_a_warning_with_its_line_and_the_rest_loads() {
    let mut themes = Themes::default();
    let text = "inherits = \"mono\"\n[palette]\nink = \"#12345\"\nsea = \"#0000ff\"\n[style]\ntext = \"sea\"\n\
                dim = \"pinkish\"\nnose = \"red\"\ntitle = { fg = \"sea\", blod = true }\n";
    themes.add("mine".into(), "mine.toml", text.into());
    let (theme, warnings) = themes.load("mine", Depth::True, GlyphSet::Unicode);
    assert_eq!(theme.style(Slot::Text).fg, Some(Color::Rgb(0, 0, 255)));
    assert_eq!(theme.style(Slot::Title).fg, Some(Color::Rgb(0, 0, 255)));
    let mut lines: Vec<usize> = warnings.iter().map(|w| w.line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [3, 7, 8, 9], "{warnings:?}");
    assert!(warnings[0].to_string().starts_with("mine.toml:3: ink is no colour"));
}

#[test]
fn a_circle_of_themes_is_told_and_ends() {
    let mut themes = Themes::default();
    themes.add("a".into(), "a.toml", "inherits = \"b\"\n[style]\ntext = \"red\"\n".into());
    themes.add("b".into(), "b.toml", "inherits = \"a\"\n".into());
    let (theme, warnings) = themes.load("a", Depth::Ansi16, GlyphSet::Ascii);
    assert_eq!(theme.style(Slot::Text).fg, Some(Color::Red));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].text.contains("circle: b inherits from a"), "{}", warnings[0].text);
}

#[test]
fn an_unknown_theme_gives_the_first_and_says_so() {
    let (theme, warnings) = Themes::default().load("nightfall", Depth::True, GlyphSet::Unicode);
    assert_eq!(theme.name, "midnight");
    assert!(warnings[0].text.contains("midnight, ember"));
}

#[test]
fn without_colour_no_style_has_one_and_focus_still_shows() {
    let themes = Themes::default();
    for name in themes.names() {
        let (theme, _) = themes.load(name, Depth::None, GlyphSet::Unicode);
        for (slot, _) in SLOTS {
            let style = theme.style(*slot);
            assert_eq!((style.fg, style.bg), (None, None), "{name} {slot:?}");
        }
        assert!(theme.style(Slot::Selected).add_modifier.contains(Modifier::REVERSED));
    }
}

#[test]
fn a_theme_that_changes_a_palette_recolours_what_it_inherits() {
    let mut themes = Themes::default();
    let text = "inherits = \"midnight\"\n[palette]\naccent = \"#010203\"\n";
    themes.add("mine".into(), "mine.toml", text.into());
    let (theme, warnings) = themes.load("mine", Depth::True, GlyphSet::Unicode);
    assert_eq!(warnings, []);
    for slot in [Slot::Running, Slot::Brand, Slot::BorderFocus] {
        assert_eq!(theme.style(slot).fg, Some(Color::Rgb(1, 2, 3)), "{slot:?}");
    }
    assert_eq!(theme.appearance, Appearance::Dark);
}

#[test]
fn a_users_theme_of_a_built_in_name_stands_before_it_and_may_inherit_from_it() {
    let mut themes = Themes::default();
    let text = "inherits = \"midnight\"\n[style]\ntext = \"#010203\"\n";
    themes.add("midnight".into(), "midnight.toml", text.into());
    let (theme, warnings) = themes.load("midnight", Depth::True, GlyphSet::Unicode);
    assert_eq!(warnings, []);
    assert_eq!(theme.style(Slot::Text).fg, Some(Color::Rgb(1, 2, 3)));
    assert_eq!(theme.style(Slot::Done), Theme::load_named("midnight").style(Slot::Done));
    assert_eq!(
        themes.load("ember", Depth::True, GlyphSet::Unicode).0.style(Slot::Text).fg,
        Theme::load_named("ember").style(Slot::Text).fg
    );
    assert_eq!(themes.names().filter(|n| *n == "midnight").count(), 1);
    let listed = themes.list();
    assert_eq!(listed.iter().find(|l| l.name == "midnight").map(|l| l.origin), Some(Origin::File));
    assert_eq!(listed.len(), Themes::default().list().len());
}

#[test]
fn glyphs_are_replaced_one_by_one_and_only_by_signs_of_one_cell() {
    let mut themes = Themes::default();
    let text = "inherits = \"midnight\"\n[glyphs]\nrunning = \"◆\"\ndone = { sign = \"√\", ascii = \"Y\" }\n\
                cursor = \"=>\"\nheld = \"解\"\nwait = \"w\"\nabove = { ascii = \"↑\" }\nbelow = 4\ndot = \"\\u001b\"\n";
    themes.add("mine".into(), "mine.toml", text.into());
    let (mut theme, warnings) = themes.load("mine", Depth::True, GlyphSet::Unicode);
    assert_eq!(theme.glyph(Glyph::Running), "◆");
    assert_eq!(theme.glyph(Glyph::Done), "√");
    assert_eq!([theme.glyph(Glyph::Cursor), theme.glyph(Glyph::Held), theme.glyph(Glyph::Dot)], ["❯", "‖", "·"]);
    theme.glyphs = GlyphSet::Ascii;
    assert_eq!([theme.glyph(Glyph::Running), theme.glyph(Glyph::Done), theme.glyph(Glyph::Above)], ["*", "Y", "^"]);
    let mut lines: Vec<usize> = warnings.iter().map(|w| w.line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [5, 6, 7, 8, 9, 10], "{warnings:?}");
}

#[test]
fn the_page_to_look_at_names_every_style_and_every_glyph() {
    let text = THEMES[0].1;
    for (_, word) in SLOTS {
        assert!(text.contains(&format!("\n{word} = ")), "midnight.toml has no {word}");
    }
    for glyph in Glyph::ALL {
        let (unicode, ascii) = glyph.twins();
        let line = format!("# {} = {{ sign = \"{unicode}\", ascii = \"{ascii}\" }}", glyph.name());
        assert!(text.contains(&line), "midnight.toml wants the line: {line}");
    }
}

#[test]
fn every_key_of_a_file_is_checked() {
    let mut themes = Themes::default();
    let text = "inherits = \"moon\"\nabout = 4\nappearance = \"dusk\"\nmood = 1\n[palette16]\nink = \"pinkish\"\n\
                [style]\ntext = 4\ndim = { fg = 1, bold = \"yes\" }\n[glyphs]\ndone = { sing = \"x\" }\n";
    themes.add("mine".into(), "mine.toml", text.into());
    let warnings = themes.load("mine", Depth::True, GlyphSet::Unicode).1;
    let lines: Vec<usize> = warnings.iter().map(|w| w.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 6, 8, 9, 9, 11], "{warnings:#?}");
    assert!(warnings[0].text.contains("there are midnight, ember"), "{}", warnings[0]);
    let tables = "palette = 1\nstyle = 1\nglyphs = 1\n";
    themes.add("flat".into(), "flat.toml", tables.into());
    assert_eq!(themes.load("flat", Depth::True, GlyphSet::Unicode).1.len(), 3);
}

#[test]
fn sixteen_colours_have_a_palette_of_their_own() {
    let mut themes = Themes::default();
    let text = "[palette]\nink = \"#808080\"\n[palette16]\nink = \"cyan\"\n[style]\ntext = \"ink\"\n";
    themes.add("mine".into(), "mine.toml", text.into());
    let fg = |depth| themes.load("mine", depth, GlyphSet::Unicode).0.style(Slot::Text).fg;
    assert_eq!((fg(Depth::True), fg(Depth::Ansi16)), (Some(Color::Rgb(128, 128, 128)), Some(Color::Cyan)));
}

#[test]
fn no_theme_makes_two_statuses_look_the_same() {
    let mut themes = Themes::default();
    let text =
        "inherits = \"midnight\"\n[glyphs]\ndone = { sign = \"✖\", ascii = \"x\" }\nasking = \"◆\"\nheld = \"◆\"\n";
    themes.add("mine".into(), "mine.toml", text.into());
    let (mut theme, warnings) = themes.load("mine", Depth::True, GlyphSet::Unicode);
    for glyphs in [GlyphSet::Unicode, GlyphSet::Ascii] {
        theme.glyphs = glyphs;
        let shown: std::collections::HashSet<&str> = Glyph::STATUSES.iter().map(|g| theme.glyph(*g)).collect();
        assert_eq!(shown.len(), Glyph::STATUSES.len(), "{shown:?}");
    }
    assert!(warnings.iter().all(|w| w.line == 3 || w.line == 4), "{warnings:?}");
    assert_eq!(warnings.len(), 3, "{warnings:?}");
}

#[test]
fn a_folder_is_looked_at_again_and_only_what_changed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("mine.toml", "inherits = \"midnight\"\n");
    write("notes.txt", "no theme");
    let mut themes = Themes::default().with_folder(folder.path());
    assert!(themes.names().any(|n| n == "mine"));
    assert_eq!(themes.look_again(), Look::Same);
    write("mine.toml", "inherits = \"midnight\"\n[style]\ntext = \"#010203\"\n");
    assert_eq!(themes.look_again(), Look::Changed(vec!["mine".into()]));
    assert_eq!(themes.load("mine", Depth::True, GlyphSet::Unicode).0.style(Slot::Text).fg, Some(Color::Rgb(1, 2, 3)));
    assert_eq!(themes.look_again(), Look::Same);
    write("other.toml", "");
    std::fs::remove_file(folder.path().join("mine.toml")).unwrap();
    assert_eq!(themes.look_again(), Look::Changed(vec!["other".into(), "mine".into()]));
    assert!(!themes.names().any(|n| n == "mine"));
    assert_eq!(Themes::default().with_folder(&folder.path().join("none")).look_again(), Look::Same);
}
