//! A frame as rows of text.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

/// The rows of a frame, top down, without spaces at their ends; a wide letter stands once.
pub fn rows(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    (area.top()..area.bottom())
        .map(|y| {
            let mut row = String::new();
            let mut covered = 0;
            for x in area.left()..area.right() {
                if covered == 0 {
                    let symbol = buffer[(x, y)].symbol();
                    row.push_str(symbol);
                    covered = symbol.width().max(1);
                }
                covered -= 1;
            }
            row.trim_end().to_owned()
        })
        .collect()
}

/// The same as one text, a line end after each row.
pub fn text(buffer: &Buffer) -> String {
    rows(buffer).into_iter().fold(String::new(), |text, row| text + &row + "\n")
}
