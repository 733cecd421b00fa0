//! Rendered rows of text onto the screen, with what is found or selected in them lit.
//!
//! Not here: which rows ([`crate::domain::text::Document`]). Invariant: nothing is painted right of the bound.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::super::theme::{Slot, Theme};
use super::pen::Pen;
use crate::domain::text::markdown::{Span, SpanKind, StyledLine};
use crate::domain::text::width::{graphemes, width};

/// A part of the source that is lit.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Bytes of the source.
    pub source: Range<usize>,
    /// How.
    pub style: Style,
}

/// Paints a row at `x`, `y`. Later marks go over earlier ones. `plain` is the style of running text. Returns the column
/// behind the text.
pub fn paint(
    line: &StyledLine,
    marks: &[Mark],
    plain: Slot,
    theme: &Theme,
    buf: &mut Buffer,
    at: (u16, u16),
    right: u16,
) -> u16 {
    let (x, y) = at;
    let mut pen = Pen::new(buf, x, y, right);
    let style = |kind| if kind == SpanKind::Text { theme.style(plain) } else { theme.style(slot(kind)) };
    for span in line.all() {
        pen.put(&span.text, style(span.kind));
    }
    let end = pen.x;
    for mark in marks {
        let mut column = x;
        for span in line.all() {
            for part in lit(span, &mark.source) {
                let before = width(span.text.get(..part.start).unwrap_or_default()) as u16;
                let text = span.text.get(part).unwrap_or_default();
                Pen::new(buf, column.saturating_add(before), y, right).put(text, mark.style);
            }
            column = column.saturating_add(width(&span.text) as u16);
        }
    }
    end
}

/// The bytes of a span that show a part of the source.
fn lit(span: &Span, source: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let (start, end) = (source.start, source.end);
    span.origin.parts(span.text.len()).filter_map(move |(part, from)| {
        let a = start.clamp(from, from + part.len()) - from + part.start;
        let b = end.clamp(from, from + part.len()) - from + part.start;
        let (a, b) = (span.text.floor_char_boundary(a), span.text.ceil_char_boundary(b));
        (a < b).then_some(a..b)
    })
}

/// The byte of the source under a column of a row, counted from the row's left, and behind it.
pub fn letter_at(line: &StyledLine, column: usize) -> Option<Range<usize>> {
    let mut left = 0;
    let mut last = None;
    for span in line.all() {
        for cluster in graphemes(&span.text) {
            let part = span.origin.parts(span.text.len()).find(|(part, _)| part.contains(&cluster.at));
            if let Some((part, from)) = part {
                let start = from + cluster.at - part.start;
                last = Some(start..start + cluster.text.len());
                if left + cluster.cells > column {
                    return last;
                }
            }
            left += cluster.cells;
        }
    }
    last.or_else(|| line.source.clone())
}

/// The style of a kind of text.
pub fn slot(kind: SpanKind) -> Slot {
    match kind {
        SpanKind::Text => Slot::Text,
        SpanKind::Strong => Slot::Bold,
        SpanKind::Emphasis => Slot::Emphasis,
        SpanKind::Code | SpanKind::CodeBlock => Slot::Code,
        SpanKind::Heading(_) => Slot::Heading,
        SpanKind::Link => Slot::Link,
        SpanKind::CodeKeyword => Slot::CodeKeyword,
        SpanKind::CodeString => Slot::CodeString,
        SpanKind::CodeComment => Slot::CodeComment,
        SpanKind::CodeNumber => Slot::CodeNumber,
        SpanKind::Quote => Slot::Quote,
        SpanKind::ListMarker | SpanKind::TableBorder => Slot::Marker,
        SpanKind::Dim => Slot::Dim,
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;
    use crate::domain::text::markdown::render;

    #[test]
    fn what_is_found_in_the_source_is_lit_where_it_is_shown() {
        let source = "- some **bold 全角** words";
        let lines = render(source, 40);
        let mut buf = Buffer::empty(Rect::new(0, 0, 40, 1));
        let theme = Theme::plain();
        let style = Style::new().add_modifier(ratatui::style::Modifier::REVERSED);
        let at = source.find("全角").unwrap();
        let mark = Mark { source: at..at + "全角** w".len(), style };
        paint(&lines[0], &[mark], Slot::Text, &theme, &mut buf, (0, 0), 40);
        let lit: String = (0..40)
            .filter(|x| buf[(*x, 0)].modifier.contains(ratatui::style::Modifier::REVERSED))
            .map(|x| buf[(x, 0)].symbol())
            .collect();
        assert_eq!(lit.replace("  ", " "), "全 角 w".replace("全 角", "全角"), "{lit:?}");
    }

    #[test]
    fn a_cell_leads_to_its_letter() {
        let source = "- some **bold 全角** words";
        let lines = render(source, 40);
        let shown = lines[0].text();
        let column = width(&shown[..shown.find('角').unwrap()]);
        for column in [column, column + 1] {
            assert_eq!(&source[letter_at(&lines[0], column).unwrap()], "角");
        }
        assert_eq!(&source[letter_at(&lines[0], 90).unwrap()], "s");
    }
}
