//! A frame as an SVG picture: what README shows and what a PNG can be made of.
//!
//! Not here: what is drawn. Invariants: the same frame and theme give the same bytes; every letter stands in its own
//! cell whatever font there is (`textLength`); text is escaped.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr;

use crate::interface::tui::theme::looks;

/// A cell in SVG units: the proportions of a usual monospace font at 14 units.
const CELL: (f32, f32) = (8.4, 18.0);
/// Where letters stand above a row's lower edge.
const BASELINE: f32 = 4.8;
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
    let mut letters = String::new();
    while x < area.right() {
        let look = look(&buffer[(x, y)], ground);
        let (start, mut run) = (x, String::new());
        let mut wide = false;
        // One run for cells that look the same; a wide letter is a run of its own, so that it keeps its two cells.
        while x < area.right() {
            let cell = &buffer[(x, y)];
            let cells = (cell.symbol().width().max(1) as u16).min(area.right() - x);
            let fits = self::look(cell, ground) == look && (x == start || (cells == 1 && !wide));
            if !fits {
                break;
            }
            wide = cells > 1;
            run.push_str(cell.symbol());
            x += cells;
        }
        let left = MARGIN + f32::from(start - area.left()) * CELL.0;
        let width = f32::from(x - start) * CELL.0;
        if look.back != ground.back {
            let _ = writeln!(
                svg,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                CELL.1,
                hex(look.back)
            );
        }
        if !run.trim().is_empty() && !look.modifier.contains(Modifier::HIDDEN) {
            let base = top + CELL.1 - BASELINE;
            let _ = write!(
                letters,
                "<text x=\"{left:.1}\" y=\"{base:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
                 xml:space=\"preserve\" fill=\"{}\"",
                hex(look.text)
            );
            for (modifier, attribute) in [
                (Modifier::BOLD, " font-weight=\"700\""),
                (Modifier::ITALIC, " font-style=\"italic\""),
                (Modifier::UNDERLINED, " text-decoration=\"underline\""),
                (Modifier::CROSSED_OUT, " text-decoration=\"line-through\""),
                (Modifier::DIM, " opacity=\"0.65\""),
            ] {
                if look.modifier.contains(modifier) {
                    letters.push_str(attribute);
                }
            }
            letters.push('>');
            escape(&run, &mut letters);
            letters.push_str("</text>\n");
        }
    }
    // Over all backgrounds of the row, so that no neighbour cuts a letter that hangs over.
    svg.push_str(&letters);
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

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // XML has no place for them, escaped or not.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
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
        // Two cells for the wide letter, in a text of its own.
        assert!(svg.contains(&format!("textLength=\"{:.1}\"", 2.0 * CELL.0)) && svg.contains(">全</text>"), "{svg}");
        assert!(svg.contains("fill=\"#ff0000\""), "{svg}");
        assert!(svg.contains(&format!("fill=\"{}\">r</text>", hex(Ground::DARK.back))), "{svg}");
        assert_eq!(svg, picture(&buffer, Ground::DARK));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
