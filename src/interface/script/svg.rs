//! A frame as an SVG picture: what README shows and what a PNG can be made of.
//!
//! Not here: what is drawn. Invariants: the same frame and theme give the same bytes; every letter stands in its own
//! cell whatever font there is, and lines join; text is escaped.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr;

use crate::interface::tui::theme::looks;

/// A cell in SVG units: the proportions of a usual monospace font at 14 units.
const CELL: (f32, f32) = (8.4, 18.0);
/// Where letters stand above a row's lower edge.
const BASELINE: f32 = 4.8;
/// Where the line under letters stands above a row's lower edge.
const UNDERLINE: f32 = 2.4;
/// Around the frame.
const MARGIN: f32 = 12.0;

/// The ground and the text colour where a frame leaves them to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    /// Behind.
    pub back: (u8, u8, u8),
    /// Text.
    pub text: (u8, u8, u8),
}

impl Ground {
    /// A dark terminal.
    pub const DARK: Self = Self { back: (0x14, 0x16, 0x1b), text: (0xd5, 0xd8, 0xde) };
    /// A light one.
    pub const LIGHT: Self = Self { back: (0xfb, 0xfa, 0xf7), text: (0x22, 0x24, 0x2a) };
}

/// What a run of cells has in common.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    back: (u8, u8, u8),
    text: (u8, u8, u8),
    modifier: Modifier,
}

/// Draws a frame.
pub fn picture(buffer: &Buffer, ground: Ground) -> String {
    let area = buffer.area;
    let (width, height) = (f32::from(area.width) * CELL.0, f32::from(area.height) * CELL.1);
    let mut svg = String::with_capacity(64 * 1024);
    let (outer_w, outer_h) = (width + 2.0 * MARGIN, height + 2.0 * MARGIN);
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {outer_w:.1} {outer_h:.1}\" width=\"{outer_w:.0}\" \
         height=\"{outer_h:.0}\" font-family=\"ui-monospace, SFMono-Regular, Menlo, 'DejaVu Sans Mono', Consolas, \
         monospace\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        hex(ground.back)
    );
    for y in area.top()..area.bottom() {
        row(buffer, y, ground, &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

fn row(buffer: &Buffer, y: u16, ground: Ground, svg: &mut String) {
    let area = buffer.area;
    let top = MARGIN + f32::from(y - area.top()) * CELL.1;
    let mut x = area.left();
    let (mut letters, mut lines) = (String::new(), String::new());
    while x < area.right() {
        let look = look(&buffer[(x, y)], ground);
        let start = x;
        let mut run = Run::default();
        while x < area.right() && self::look(&buffer[(x, y)], ground) == look {
            let symbol = buffer[(x, y)].symbol();
            let left = MARGIN + f32::from(x - area.left()) * CELL.0;
            if !look.modifier.contains(Modifier::HIDDEN) && !drawn(symbol, left, top, look.text, &mut lines) {
                run.push(symbol, left);
            }
            x += (symbol.width().max(1) as u16).min(area.right() - x);
        }
        if look.back != ground.back {
            let left = MARGIN + f32::from(start - area.left()) * CELL.0;
            let width = f32::from(x - start) * CELL.0;
            let _ = writeln!(
                svg,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                CELL.1,
                hex(look.back)
            );
        }
        if look.modifier.contains(Modifier::UNDERLINED) {
            let left = MARGIN + f32::from(start - area.left()) * CELL.0;
            let width = f32::from(x - start) * CELL.0;
            let y = top + CELL.1 - UNDERLINE;
            let fill = hex(look.text);
            let _ = writeln!(
                lines,
                "<rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"1\" fill=\"{fill}\"/>"
            );
        }
        run.write(top + CELL.1 - BASELINE, look, &mut letters);
    }
    // Over all backgrounds of the row, so that no neighbour cuts a letter that hangs over.
    svg.push_str(&lines);
    svg.push_str(&letters);
}

/// Letters that look the same, each with where it stands.
#[derive(Default)]
struct Run {
    text: String,
    places: String,
}

impl Run {
    fn push(&mut self, symbol: &str, left: f32) {
        // A letter and its marks have one place.
        for c in symbol.chars() {
            if c == ' ' && self.text.is_empty() {
                continue;
            }
            let _ = write!(self.places, "{}{left:.1}", if self.places.is_empty() { "" } else { " " });
            escape(c, &mut self.text);
        }
    }

    fn write(&self, base: f32, look: Look, out: &mut String) {
        if self.text.trim().is_empty() {
            return;
        }
        let _ = write!(
            out,
            "<text x=\"{}\" y=\"{base:.1}\" xml:space=\"preserve\" fill=\"{}\"",
            self.places,
            hex(look.text)
        );
        for (modifier, attribute) in [
            (Modifier::BOLD, " font-weight=\"700\""),
            (Modifier::ITALIC, " font-style=\"italic\""),
            (Modifier::CROSSED_OUT, " text-decoration=\"line-through\""),
            (Modifier::DIM, " opacity=\"0.65\""),
        ] {
            if look.modifier.contains(modifier) {
                out.push_str(attribute);
            }
        }
        let _ = writeln!(out, ">{}</text>", self.text.trim_end());
    }
}

/// Lines and blocks are drawn, so that they join in any font. False: it is a letter.
fn drawn(symbol: &str, left: f32, top: f32, color: (u8, u8, u8), out: &mut String) -> bool {
    let mut chars = symbol.chars();
    let (Some(c), None) = (chars.next(), chars.next()) else { return false };
    if let Some(eighths) = "▁▂▃▄▅▆▇█".chars().position(|b| b == c) {
        let height = CELL.1 * (eighths + 1) as f32 / 8.0;
        let y = top + CELL.1 - height;
        let fill = hex(color);
        let _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>",
            CELL.0
        );
        return true;
    }
    let Some(arms) = arms(c) else { return false };
    let (cx, cy) = (left + CELL.0 / 2.0, top + CELL.1 / 2.0);
    let ends = [(left, cy), (left + CELL.0, cy), (cx, top), (cx, top + CELL.1)];
    for weight in [1, 2] {
        let path: String = (arms.iter().zip(ends))
            .filter(|(arm, _)| **arm == weight)
            .map(|(_, (x, y))| format!("M{cx:.1} {cy:.1}L{x:.1} {y:.1}"))
            .collect();
        if !path.is_empty() {
            let width = if weight == 1 { "1.1" } else { "2.4" };
            let _ = writeln!(
                out,
                "<path d=\"{path}\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linecap=\"square\"/>",
                hex(color)
            );
        }
    }
    true
}

/// The arms of a box line, to the left, right, top and bottom: none, light or heavy.
fn arms(c: char) -> Option<[u8; 4]> {
    Some(match c {
        '─' => [1, 1, 0, 0],
        '│' => [0, 0, 1, 1],
        '┌' | '╭' => [0, 1, 0, 1],
        '┐' | '╮' => [1, 0, 0, 1],
        '└' | '╰' => [0, 1, 1, 0],
        '┘' | '╯' => [1, 0, 1, 0],
        '├' => [0, 1, 1, 1],
        '┤' => [1, 0, 1, 1],
        '┬' => [1, 1, 0, 1],
        '┴' => [1, 1, 1, 0],
        '┼' => [1, 1, 1, 1],
        '╷' => [0, 0, 0, 1],
        '╵' => [0, 0, 1, 0],
        '╴' => [1, 0, 0, 0],
        '╶' => [0, 1, 0, 0],
        '━' => [2, 2, 0, 0],
        '┃' => [0, 0, 2, 2],
        '┏' => [0, 2, 0, 2],
        '┓' => [2, 0, 0, 2],
        '┗' => [0, 2, 2, 0],
        '┛' => [2, 0, 2, 0],
        '┣' => [0, 2, 2, 2],
        '┫' => [2, 0, 2, 2],
        '┳' => [2, 2, 0, 2],
        '┻' => [2, 2, 2, 0],
        '╋' => [2, 2, 2, 2],
        _ => return None,
    })
}

fn look(cell: &Cell, ground: Ground) -> Look {
    let [text, back] = looks(cell);
    let (mut back, mut text) = (back.unwrap_or(ground.back), text.unwrap_or(ground.text));
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut back, &mut text);
    }
    Look { back, text, modifier: cell.modifier - Modifier::REVERSED }
}

fn hex((r, g, b): (u8, u8, u8)) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escape(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        // XML has no place for them, escaped or not.
        c if c.is_control() => out.push(' '),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Style};

    use super::*;

    #[test]
    fn a_frame_is_runs_of_text_over_runs_of_ground() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        buffer.set_string(0, 0, "a<b", Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD));
        buffer.set_string(4, 0, "全x", Style::new().bg(Color::Indexed(196)));
        buffer.set_string(0, 1, "r", Style::new().add_modifier(Modifier::REVERSED));
        let svg = picture(&buffer, Ground::DARK);
        assert!(svg.contains("fill=\"#010203\" font-weight=\"700\">a&lt;b</text>"), "{svg}");
        // The letter after a wide one stands two cells on.
        let places = |cells: [f32; 2]| cells.map(|c| format!("{:.1}", MARGIN + c * CELL.0)).join(" ");
        assert!(svg.contains(&format!("<text x=\"{}\"", places([4.0, 6.0]))) && svg.contains(">全x</text>"), "{svg}");
        assert!(svg.contains("fill=\"#ff0000\""), "{svg}");
        assert!(svg.contains(&format!("fill=\"{}\">r</text>", hex(Ground::DARK.back))), "{svg}");
        assert_eq!(svg, picture(&buffer, Ground::DARK));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
