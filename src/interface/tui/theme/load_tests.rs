//! Tests of the theme files and of what a broken one does.

use ratatui::style::Color;

use super::super::depth::linear;
use super::*;

fn luminance((r, g, b): (u8, u8, u8)) -> f32 {
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

/// The contrast of WCAG 2: 1 to 21.
fn contrast(a: (u8, u8, u8), b: (u8, u8, u8)) -> f32 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Slots that are no text: lines, bars, cells. WCAG asks 3 of what has meaning, nothing of ornament.
const NO_TEXT: &[Slot] = &[
    Slot::Border,
    Slot::BarEmpty,
    Slot::SlotFree,
    Slot::BarFull,
    Slot::BarSoft,
    Slot::Spark,
    Slot::SlotBusy,
    Slot::SlotPrompt,
    Slot::SlotDraining,
    Slot::BorderFocus,
    Slot::Card,
];

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
fn text_is_legible_on_its_background() {
    let themes = Themes::default();
    for name in ["midnight", "daylight", "high-contrast"] {
        let drafts = themes.drafts(name, &mut Vec::new(), &mut Vec::new());
        let draft = |slot: Slot| drafts.styles.get(&(slot as usize)).copied().unwrap_or_default();
        let ground = draft(Slot::Text).bg.and_then(Paint::look).unwrap();
        let card = draft(Slot::Card).bg.and_then(Paint::look).unwrap();
        for (slot, word) in SLOTS.iter().filter(|(s, _)| !NO_TEXT.contains(s)) {
            let style = draft(*slot);
            let fg = style.fg.or(draft(Slot::Text).fg).and_then(Paint::look).unwrap();
            let own = style.bg.and_then(Paint::look);
            for bg in own.map_or(vec![ground, card], |bg| vec![bg]) {
                let has = contrast(fg, bg);
                let wants = if name == "high-contrast" { 7.0 } else { 4.5 };
                assert!(has >= wants, "{name}: {word} has {has:.2}");
            }
        }
        // The selected row's colours lie under the styles of what stands in it.
        let selected = draft(Slot::Selected).bg.and_then(Paint::look).unwrap();
        for slot in [Slot::Text, Slot::Dim, Slot::Strong, Slot::Running, Slot::Done, Slot::Failed, Slot::Waiting] {
            let fg = draft(slot).fg.and_then(Paint::look).unwrap();
            assert!(contrast(fg, selected) >= 4.5, "{name}: {slot:?} on a selected row {:.2}", contrast(fg, selected));
        }
        for slot in [Slot::BarFull, Slot::SlotBusy, Slot::SlotPrompt, Slot::SlotDraining, Slot::Spark] {
            let fg = draft(slot).fg.and_then(Paint::look).unwrap();
            assert!(contrast(fg, ground) >= 3.0, "{name}: {slot:?}");
        }
    }
}

#[test]
fn the_full_themes_name_every_style() {
    let themes = Themes::default();
    for name in ["midnight", "daylight", "ansi16", "high-contrast"] {
        let drafts = themes.drafts(name, &mut Vec::new(), &mut Vec::new());
        for (slot, word) in SLOTS {
            assert!(drafts.styles.contains_key(&(*slot as usize)), "{name} has no {word}");
        }
    }
}

#[test]
fn a_mistake_is_a_warning_with_its_line_and_the_rest_loads() {
    let mut themes = Themes::default();
    let text = "inherits = \"mono\"\n[palette]\nink = \"#12345\"\nsea = \"#0000ff\"\n[style]\ntext = \"sea\"\n\
                dim = \"pinkish\"\nnose = \"red\"\ntitle = { fg = \"sea\", blod = true }\n";
    themes.add("mine".into(), "mine.toml".into(), text.into());
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
    themes.add("a".into(), "a.toml".into(), "inherits = \"b\"\n[style]\ntext = \"red\"\n".into());
    themes.add("b".into(), "b.toml".into(), "inherits = \"a\"\n".into());
    let (theme, warnings) = themes.load("a", Depth::Ansi16, GlyphSet::Ascii);
    assert_eq!(theme.style(Slot::Text).fg, Some(Color::Red));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].text.contains("a -> b -> a"), "{}", warnings[0].text);
}

#[test]
fn an_unknown_theme_gives_the_first_and_says_so() {
    let (theme, warnings) = Themes::default().load("nightfall", Depth::True, GlyphSet::Unicode);
    assert_eq!(theme.name, "midnight");
    assert!(warnings[0].text.contains("midnight, daylight"));
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
