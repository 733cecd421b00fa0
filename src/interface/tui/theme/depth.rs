//! How many colours the terminal shows, and the nearest of them to what a theme wants.
//!
//! Reduced once at load, never per cell, by distance in OKLab: what looks nearest to a person.

use ratatui::style::Color;

/// How many colours are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// 24 bit.
    #[default]
    True,
    /// The 256 of xterm.
    Ansi256,
    /// The 16 of the terminal's own palette.
    Ansi16,
    /// No colour: bold, reverse, underline only.
    None,
}

/// What the operator wants of colour: `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// As the terminal says.
    #[default]
    Auto,
    /// Colour even where the terminal does not say that it has it.
    Always,
    /// None.
    Never,
}

impl Depth {
    /// Finds out from the environment. `NO_COLOR` (set and not empty) wins over what the terminal says; the flag wins
    /// over both.
    pub fn detect(choice: ColorChoice, variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| variable(name).unwrap_or_default().to_ascii_lowercase();
        if choice == ColorChoice::Never {
            return Self::None;
        }
        if choice == ColorChoice::Auto && !read("NO_COLOR").is_empty() {
            return Self::None;
        }
        let (term, program) = (read("TERM"), read("TERM_PROGRAM"));
        if matches!(read("COLORTERM").as_str(), "truecolor" | "24bit")
            || matches!(program.as_str(), "iterm.app" | "ghostty" | "wezterm" | "vscode")
            || ["kitty", "ghostty", "alacritty", "wezterm", "foot", "-direct"].iter().any(|t| term.contains(t))
        {
            return Self::True;
        }
        if term.contains("256") {
            return Self::Ansi256;
        }
        match (term.as_str(), choice) {
            ("" | "dumb", ColorChoice::Always) => Self::Ansi16,
            ("" | "dumb", _) => Self::None,
            _ => Self::Ansi16,
        }
    }
}

/// A colour as a theme writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Paint {
    /// Red, green, blue.
    Rgb(u8, u8, u8),
    /// One of the terminal's 16.
    Ansi(u8),
    /// The terminal's own.
    Default,
}

/// The names of the 16, by their number.
const NAMES: [&str; 16] = [
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "white",
    "bright-black",
    "bright-red",
    "bright-green",
    "bright-yellow",
    "bright-blue",
    "bright-magenta",
    "bright-cyan",
    "bright-white",
];

/// What the 16 look like on the terminals that do not say otherwise (xterm's table).
const LOOKS: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

impl Paint {
    /// `#rrggbb`, one of the 16 names, or `default`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "default" {
            return Some(Self::Default);
        }
        if let Some(i) = NAMES.iter().position(|n| *n == text) {
            return u8::try_from(i).ok().map(Self::Ansi);
        }
        let hex = text.strip_prefix('#').filter(|h| h.len() == 6 && h.is_ascii())?;
        let n = u32::from_str_radix(hex, 16).ok()?;
        let [_, r, g, b] = n.to_be_bytes();
        Some(Self::Rgb(r, g, b))
    }

    /// The nearest colour of a depth; none where there is no colour.
    pub(super) fn at(self, depth: Depth) -> Option<Color> {
        match (self, depth) {
            (_, Depth::None) => None,
            (Self::Default, _) => Some(Color::Reset),
            (Self::Ansi(i), _) => Some(ansi(i)),
            (Self::Rgb(r, g, b), Depth::True) => Some(Color::Rgb(r, g, b)),
            (Self::Rgb(r, g, b), Depth::Ansi256) => {
                let near = nearest((r, g, b), (16..=255).map(|i| (i, indexed(i))));
                Some(Color::Indexed(near))
            }
            (Self::Rgb(r, g, b), Depth::Ansi16) => Some(ansi(nearest((r, g, b), (0..=15).zip(LOOKS)))),
        }
    }
}

/// What a drawn colour looks like, as far as is known: the terminal's own is anybody's.
pub(super) fn look(color: Color) -> Option<(u8, u8, u8)> {
    match color {
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Indexed(i) => Some(indexed(i)),
        Color::Reset => None,
        named => (0..=15).find(|i| ansi(*i) == named).and_then(|i| LOOKS.get(usize::from(i)).copied()),
    }
}

/// What the text and the ground of a drawn cell look like; none: the terminal's own.
pub fn looks(cell: &ratatui::buffer::Cell) -> [Option<(u8, u8, u8)>; 2] {
    [look(cell.fg), look(cell.bg)]
}

/// What the text and the ground of a style look like; none: the terminal's own.
pub fn grounds(style: ratatui::style::Style) -> [Option<(u8, u8, u8)>; 2] {
    [style.fg.and_then(look), style.bg.and_then(look)]
}

fn ansi(i: u8) -> Color {
    match i {
        0 => Color::Black,
        1 => Color::Red,
        2 => Color::Green,
        3 => Color::Yellow,
        4 => Color::Blue,
        5 => Color::Magenta,
        6 => Color::Cyan,
        7 => Color::Gray,
        8 => Color::DarkGray,
        9 => Color::LightRed,
        10 => Color::LightGreen,
        11 => Color::LightYellow,
        12 => Color::LightBlue,
        13 => Color::LightMagenta,
        14 => Color::LightCyan,
        _ => Color::White,
    }
}

/// The look of a colour of xterm's cube and grey ramp.
fn indexed(i: u8) -> (u8, u8, u8) {
    if i >= 232 {
        let v = 8 + 10 * (i - 232);
        return (v, v, v);
    }
    let n = i.saturating_sub(16);
    let step = |v: u8| if v == 0 { 0 } else { 55 + 40 * v };
    (step(n / 36), step(n / 6 % 6), step(n % 6))
}

fn nearest(want: (u8, u8, u8), among: impl Iterator<Item = (u8, (u8, u8, u8))>) -> u8 {
    let want = oklab(want);
    let mut best = (0, f32::MAX);
    for (i, look) in among {
        let have = oklab(look);
        let distance: f32 = want.iter().zip(have).map(|(a, b)| (a - b) * (a - b)).sum();
        if distance < best.1 {
            best = (i, distance);
        }
    }
    best.0
}

/// A channel of sRGB without its gamma, 0 to 1.
pub(super) fn linear(v: u8) -> f32 {
    let v = f32::from(v) / 255.0;
    if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// Björn Ottosson's OKLab, in which equal distances look equal.
pub(super) fn oklab((r, g, b): (u8, u8, u8)) -> [f32; 3] {
    let (r, g, b) = (linear(r), linear(g), linear(b));
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(choice: ColorChoice, set: &[(&str, &str)]) -> Depth {
        Depth::detect(choice, |name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn the_environment_says_how_many_colours() {
        use ColorChoice::{Always, Auto, Never};
        assert_eq!(detect(Auto, &[("TERM", "xterm-256color")]), Depth::Ansi256);
        assert_eq!(detect(Auto, &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Depth::True);
        assert_eq!(detect(Auto, &[("TERM", "xterm")]), Depth::Ansi16);
        assert_eq!(detect(Auto, &[("TERM", "dumb")]), Depth::None);
        assert_eq!(detect(Auto, &[("TERM", "xterm-kitty"), ("NO_COLOR", "1")]), Depth::None);
        assert_eq!(detect(Auto, &[("TERM", "xterm-kitty"), ("NO_COLOR", "")]), Depth::True);
        assert_eq!(detect(Always, &[("TERM", "xterm-kitty"), ("NO_COLOR", "1")]), Depth::True);
        assert_eq!(detect(Never, &[("COLORTERM", "truecolor")]), Depth::None);
    }

    #[test]
    fn a_colour_becomes_the_one_that_looks_nearest() {
        assert_eq!(Paint::Rgb(255, 0, 0).at(Depth::Ansi16), Some(Color::LightRed));
        assert_eq!(Paint::Rgb(10, 12, 20).at(Depth::Ansi16), Some(Color::Black));
        assert_eq!(Paint::Rgb(95, 135, 175).at(Depth::Ansi256), Some(Color::Indexed(67)));
        assert_eq!(Paint::Rgb(1, 2, 3).at(Depth::None), None);
        assert_eq!(Paint::Default.at(Depth::True), Some(Color::Reset));
    }

    #[test]
    fn colours_are_written_in_three_ways() {
        assert_eq!(Paint::parse("#0a0B0c"), Some(Paint::Rgb(10, 11, 12)));
        assert_eq!(Paint::parse("bright-black"), Some(Paint::Ansi(8)));
        assert_eq!(Paint::parse("default"), Some(Paint::Default));
        for wrong in ["#0a0b", "pink", "#é0b0c", ""] {
            assert_eq!(Paint::parse(wrong), None, "{wrong}");
        }
    }
}
