//! Whether what the themes draw can be read: contrasts as WCAG 2 counts them, and hues as other eyes see them.

use ratatui::style::{Color, Modifier};

use super::super::depth::{linear, look, oklab};
use super::*;

type Rgb = (u8, u8, u8);

const BLACK: Rgb = (0, 0, 0);
const WHITE: Rgb = (255, 255, 255);

fn luminance((r, g, b): Rgb) -> f32 {
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

/// 1 to 21.
fn contrast(a: Rgb, b: Rgb) -> f32 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Bars, cells and lines that mean something. WCAG asks 3 of them.
const SIGNS: &[Slot] = &[
    Slot::BorderFocus,
    Slot::BarFull,
    Slot::BarEmpty,
    Slot::BarSoft,
    Slot::Spark,
    Slot::SlotBusy,
    Slot::SlotPrompt,
    Slot::SlotDraining,
    Slot::SlotFree,
    Slot::SlotDown,
];

/// Grounds that rows and sheets lay under whatever stands on them.
const GROUNDS: [Slot; 4] = [Slot::Text, Slot::Card, Slot::Selected, Slot::SelectedBlur];

/// What is no text: grounds, and the plain border, which only parts.
fn is_text(slot: Slot) -> bool {
    slot == Slot::Text || !(GROUNDS.contains(&slot) || SIGNS.contains(&slot) || slot == Slot::Border)
}

/// What a theme draws with `slot` on the ground of `on`: ink and ground, for each ground the terminal itself may have.
fn drawn(theme: &Theme, slot: Slot, on: Slot) -> Vec<(Rgb, Rgb)> {
    let style = theme.style(Slot::Text).patch(theme.style(on)).patch(match slot {
        // The screen's own text is laid under what a row is on.
        Slot::Text => Style { bg: None, ..theme.style(slot) },
        _ => theme.style(slot),
    });
    [BLACK, WHITE]
        .into_iter()
        .map(|own| {
            let inverse = if own == BLACK { WHITE } else { BLACK };
            let ink = style.fg.and_then(look).unwrap_or(inverse);
            let ground = style.bg.and_then(look).unwrap_or(own);
            if style.add_modifier.contains(Modifier::REVERSED) { (ground, ink) } else { (ink, ground) }
        })
        .collect()
}

fn least(theme: &Theme, slot: Slot, on: Slot) -> f32 {
    drawn(theme, slot, on).into_iter().map(|(a, b)| contrast(a, b)).fold(f32::MAX, f32::min)
}

#[test]
fn text_is_legible_on_every_ground_it_is_drawn_on() {
    let themes = Themes::default();
    for name in themes.names() {
        for depth in [Depth::True, Depth::Ansi256, Depth::Ansi16] {
            let (theme, _) = themes.load(name, depth, GlyphSet::Unicode);
            let wants = match (name, depth) {
                // What the 16 look like is the terminal's choice; these are xterm's.
                ("ansi16", _) | (_, Depth::Ansi16) => 3.0,
                ("high-contrast", _) => 7.0,
                _ => 4.5,
            };
            for (slot, word) in SLOTS.iter().filter(|(s, _)| is_text(*s)) {
                for on in GROUNDS {
                    let has = least(&theme, *slot, on);
                    assert!(has >= wants, "{name} at {depth:?}: {word} on {on:?} has {has:.2}, wants {wants}");
                }
            }
        }
    }
}

#[test]
fn signs_and_lines_that_mean_something_are_seen() {
    let themes = Themes::default();
    for name in themes.names() {
        for depth in [Depth::True, Depth::Ansi256] {
            let (theme, _) = themes.load(name, depth, GlyphSet::Unicode);
            for slot in SIGNS {
                for on in [Slot::Text, Slot::Card, Slot::SelectedBlur] {
                    let has = least(&theme, *slot, on);
                    assert!(has >= 3.0, "{name} at {depth:?}: {slot:?} on {on:?} has {has:.2}");
                }
            }
            let has = least(&theme, Slot::Border, Slot::Text);
            assert!(has >= 1.4, "{name} at {depth:?}: the border has {has:.2}");
        }
    }
}

#[test]
fn a_selected_row_is_seen_to_be_one() {
    let themes = Themes::default();
    for name in themes.names() {
        for depth in [Depth::True, Depth::Ansi256, Depth::Ansi16, Depth::None] {
            let (theme, _) = themes.load(name, depth, GlyphSet::Unicode);
            let (text, row) = (theme.style(Slot::Text), theme.style(Slot::Selected));
            let marked = row.add_modifier.contains(Modifier::REVERSED) || row.bg.is_some_and(|bg| Some(bg) != text.bg);
            assert!(marked, "{name} at {depth:?}");
        }
    }
}

/// How a colour looks to somebody without one kind of cones (Machado, Oliveira and Fernandes 2009).
fn seen(matrix: [[f32; 3]; 3], (r, g, b): Rgb) -> Rgb {
    let rgb = [linear(r), linear(g), linear(b)];
    let gamma = |v: f32| {
        let v = if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (v.clamp(0.0, 1.0) * 255.0).round() as u8
    };
    let row = |m: [f32; 3]| gamma(m.iter().zip(rgb).map(|(a, b)| a * b).sum());
    (row(matrix[0]), row(matrix[1]), row(matrix[2]))
}

const EYES: [(&str, [[f32; 3]; 3]); 3] = [
    (
        "protan",
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    ),
    (
        "deutan",
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
    ),
    (
        "tritan",
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
    ),
];

fn ink(theme: &Theme, slot: Slot) -> Rgb {
    theme.style(slot).fg.and_then(look).unwrap()
}

#[test]
fn okabe_is_told_apart_by_every_eye() {
    let theme = Theme::load_named("okabe");
    let statuses = [Slot::Running, Slot::Asking, Slot::Done, Slot::Failed, Slot::Held];
    for (eye, matrix) in EYES {
        for (i, a) in statuses.iter().enumerate() {
            for b in &statuses[i + 1..] {
                let (x, y) = (oklab(seen(matrix, ink(&theme, *a))), oklab(seen(matrix, ink(&theme, *b))));
                let apart: f32 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f32>().sqrt();
                assert!(apart >= 0.07, "{eye}: {a:?} and {b:?} are {apart:.3} apart");
            }
        }
    }
    let [asking, done, failed] = [Slot::Asking, Slot::Done, Slot::Failed].map(|s| ink(&theme, s));
    for (a, b) in [(asking, done), (done, failed), (asking, failed)] {
        assert!(contrast(a, b) >= 1.25, "{a:?} and {b:?}: {:.2}", contrast(a, b));
    }
}

#[test]
fn no_ground_is_taken_for_granted_where_the_terminals_own_is_used() {
    let (theme, _) = Themes::default().load("ansi16", Depth::True, GlyphSet::Unicode);
    assert_eq!(theme.style(Slot::Text).bg, Some(Color::Reset));
    for (slot, word) in SLOTS {
        let fg = theme.style(*slot).fg;
        let unread = [Color::White, Color::Gray, Color::Black, Color::Yellow, Color::LightYellow];
        assert!(fg.is_none_or(|fg| !unread.contains(&fg)), "{word} is {fg:?}");
    }
}
