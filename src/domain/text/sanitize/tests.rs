//! The sanitiser, tested.

use proptest::prelude::*;

use super::*;

fn clean(raw: &str) -> String {
    sanitize(raw).into_owned()
}

fn streamed<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    let mut sanitizer = Sanitizer::new();
    for piece in pieces {
        sanitizer.push(piece, &mut out);
    }
    sanitizer.finish(&mut out);
    out
}

/// Hostile or odd input, and what may be shown of it.
const TABLE: &[(&str, &str)] = &[
    ("plain\ntext", "plain\ntext"),
    // Escape sequences go with their bodies; link text stays.
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b[38;2;1;2;3mx\x1b[?25l\x1b[2J\x1b[1;1H", "x"),
    ("\x1b]0;evil title\x07after", "after"),
    ("\x1b]2;t\x1b\\after", "after"),
    ("\x1b]8;;http://evil.example\x1b\\link text\x1b]8;;\x1b\\", "link text"),
    ("\x1b]52;c;ZXZpbA==\x07ok", "ok"),
    ("\x1bPq#0;2;0;0;0#0~~@@\x1b\\ok", "ok"),
    ("\x1bXsos\x1b\\\x1b^pm\x1b\\\x1b_apc\x1b\\ok", "ok"),
    ("\u{9b}31mred\u{9d}0;title\u{9c}\u{90}dcs\u{9c}ok", "redok"),
    ("\x1bcreset\x1b7\x1b8\x1b(Bok\x1b#8", "resetok"),
    ("\x1b[31\nstill", "\nstill"),
    ("\x1b]0;t\x1b[31mred", "red"),
    ("\x1b\x1b\x1b[1mx", "x"),
    ("\x1bé", "é"),
    ("ends\x1b", "ends"),
    ("ends\x1b[12", "ends"),
    ("\x1b]0;a\x18b", "b"),
    // Line ends.
    ("a\r\nb\r\n", "a\nb\n"),
    ("10%\r20%\r100%\n", "10%\n20%\n100%\n"),
    ("a\r\x1b[K\nb", "a\nb"),
    ("a\r\r\nb", "a\n\nb"),
    ("a\u{2028}b\u{2029}c\u{85}d", "a\nb\nc\nd"),
    // Backspace, tabs, other controls.
    ("abc\x08\x08X", "aX"),
    ("a\n\x08\x08b", "a\nb"),
    ("e\u{301}\x08x", "x"),
    ("👩\u{200d}🚀\x08!", "👩!"),
    ("\tx", "    x"),
    ("ab\tx\ty", "ab  x   y"),
    ("日\tx", "日  x"),
    ("a\nbc\td", "a\nbc  d"),
    ("\0\x01\x7f\u{80}", "^@^A^?^@"),
    // Bidi, zero-width, tags.
    ("a\u{202e}cb\u{202c}", "a·cb·"),
    ("\u{2066}x\u{2069}\u{200e}\u{200f}\u{61c}", "·x····"),
    ("pass\u{200b}word\u{feff}", "pass·word·"),
    ("a\u{2060}\u{2064}\u{e0041}\u{e007f}\u{fff9}b", "a·····b"),
    // Joiners stay where they join.
    ("👩\u{200d}🚀", "👩\u{200d}🚀"),
    ("👩🏽\u{200d}🚀", "👩🏽\u{200d}🚀"),
    ("🏳\u{fe0f}\u{200d}🌈", "🏳\u{fe0f}\u{200d}🌈"),
    ("می\u{200c}خواهم", "می\u{200c}خواهم"),
    ("क्\u{200d}ष", "क्\u{200d}ष"),
    ("pay\u{200d}pal pay\u{200c}pal", "pay·pal pay·pal"),
    ("👩\u{200d}", "👩·"),
    ("👩\u{200d}x", "👩·x"),
    ("\u{200d}\u{200d}", "··"),
    ("👩\u{200d}\x1b[1m🚀", "👩\u{200d}🚀"),
    // Marks.
    ("❤\u{fe0f}", "❤\u{fe0f}"),
    ("e\u{301}", "e\u{301}"),
];

#[test]
fn hostile_input_is_tamed() {
    for (raw, wanted) in TABLE {
        assert_eq!(&clean(raw), wanted, "{raw:?}");
    }
}

#[test]
fn the_table_survives_any_split() {
    for (raw, wanted) in TABLE {
        for (at, _) in raw.char_indices() {
            let (a, b) = raw.split_at(at);
            assert_eq!(&streamed([a, b]), wanted, "{a:?} + {b:?}");
        }
        let chars: Vec<String> = raw.chars().map(String::from).collect();
        assert_eq!(&streamed(chars.iter().map(String::as_str)), wanted, "{raw:?} by characters");
    }
}

#[test]
fn marks_are_bounded() {
    let zalgo = format!("a{}b", "\u{301}".repeat(50));
    assert_eq!(clean(&zalgo), format!("a{}b", "\u{301}".repeat(8)));
}

#[test]
fn an_unclosed_string_does_not_eat_the_answer() {
    let raw = format!("\x1b]0;{}", "x".repeat(10_000));
    let kept = clean(&raw);
    assert!(kept.len() > 5_000 && kept.len() < 10_000, "{}", kept.len());
}

#[test]
fn clean_text_is_not_copied() {
    for text in ["", "plain ASCII text, long enough for more than one step of the scan\n", "空白 ünï 👩 ok"] {
        assert!(matches!(sanitize(text), Cow::Borrowed(_)), "{text:?}");
    }
}

#[test]
fn no_character_above_ascii_slips_through_the_short_way() {
    for c in '\u{80}'..='\u{e0fff}' {
        let out = clean(&format!("a{c}b"));
        assert!(!out.chars().any(|c| c != '\n' && c.is_control()), "U+{:04X}", u32::from(c));
        assert_eq!(clean(&out), out, "U+{:04X}", u32::from(c));
    }
}

/// Text made mostly of what the sanitiser has rules for.
fn hostile() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "\x1b",
        "[",
        "]",
        "P",
        "0;",
        "m",
        "\\",
        "\x07",
        "\u{9b}",
        "\u{9c}",
        "\u{9d}",
        "\r",
        "\n",
        "\t",
        "\x08",
        "\x18",
        "\u{200d}",
        "\u{200c}",
        "\u{200b}",
        "\u{202e}",
        "\u{301}",
        "\u{fe0f}",
        "👩",
        "🚀",
        "🏽",
        "🇩",
        "م",
        "ख",
        "्",
        "ष",
        "日",
        "a",
        "b ",
        "é",
        "ﾞ",
        "\u{e0041}",
        "\u{2028}",
    ]);
    prop::collection::vec(
        prop_oneof![4 => odd.prop_map(String::from), 1 => any::<char>().prop_map(String::from)],
        0..60,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn nothing_but_newline_controls(raw in hostile()) {
        let out = clean(&raw);
        prop_assert!(out.chars().all(|c| c == '\n' || !c.is_control()));
        let hiders = ['\u{200b}', '\u{202e}', '\u{2028}', '\u{e0041}', '\u{feff}'];
        prop_assert!(!out.contains(hiders));
    }

    #[test]
    fn cleaning_twice_is_cleaning_once(raw in hostile()) {
        let once = clean(&raw);
        prop_assert_eq!(clean(&once), once);
    }

    #[test]
    fn a_split_changes_nothing(raw in hostile(), cuts in prop::collection::vec(0usize..200, 0..6)) {
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|at| raw.is_char_boundary(*at)).collect();
        cuts.extend([0, raw.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &raw[pair[0]..pair[1]]);
        prop_assert_eq!(streamed(pieces), clean(&raw));
    }
}
