//! Documents, tested: rows however the text came, and the source of rows at any width.

use proptest::prelude::*;

use super::*;
use crate::domain::text::markdown::tests::{SAMPLE, markdown};

fn whole(form: Form, text: &str, cells: usize) -> Document {
    let mut document = Document::new(form);
    document.push(text);
    document.update(cells);
    document
}

fn rows(document: &mut Document) -> Vec<StyledLine> {
    (0..document.rows()).filter_map(|row| document.row(row).cloned()).collect()
}

fn texts(document: &mut Document) -> Vec<String> {
    rows(document).iter().map(|line| line.text().trim_end().to_owned()).collect()
}

#[test]
fn a_text_that_grows_ends_as_one_that_came_at_once() {
    for cells in [20, 40, 100] {
        let mut document = Document::new(Form::Markdown);
        for c in SAMPLE.chars() {
            document.push(c.encode_utf8(&mut [0; 4]));
            document.update(cells);
        }
        assert_eq!(rows(&mut document), render(SAMPLE, cells));
    }
}

#[test]
fn a_long_block_is_cut_without_a_trace() {
    let code: String = (0..400).map(|n| format!("let line_{n} = \"{n}\"; // 全角\n")).collect();
    let table: String = (0..400).map(|n| format!("| {n} | text of row {n} |\n")).collect();
    let list: String = (1..400).map(|n| format!("- item {n} of **many**\n")).collect();
    for source in [
        format!("Before\n\n```rust\n{code}```\n\nAfter\n"),
        format!("Before\n\n| number | text |\n|---|---|\n{table}\nAfter\n"),
        format!("{list}\nAfter\n"),
    ] {
        let mut document = whole(Form::Markdown, &source, 60);
        assert!(document.parts.len() > 4, "{}", document.parts.len());
        let all = document.rows();
        document.settle(0..all);
        let shown = texts(&mut document);
        let wanted: Vec<String> = render(&source, 60).iter().map(|line| line.text().trim_end().to_owned()).collect();
        if !source.contains('|') {
            assert_eq!(shown, wanted);
        } else {
            // Each part has columns of its own width.
            let words = |rows: &[String]| rows.join(" ").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let letters = |rows: &[String]| words(rows).into_iter().filter(|w| !w.contains('─')).collect::<Vec<_>>();
            assert_eq!(letters(&shown), letters(&wanted));
        }
    }
}

#[test]
fn only_what_is_looked_at_is_rendered() {
    let text: String = (0..20_000).map(|n| format!("Paragraph {n} with **bold** words in it.\n\n")).collect();
    let mut document = whole(Form::Markdown, &text, 60);
    assert!(document.rendered.len() <= EXACT + 1);
    document.update(30);
    assert!(document.rendered.len() <= EXACT + 1);
    let row = document.rows() / 2;
    document.settle(row..row + 50);
    assert!(document.row(row).is_some());
    assert!(document.rendered.len() <= EXACT + 60);
}

#[test]
fn a_spot_stays_with_its_words() {
    let text: String = (0..3_000).map(|n| format!("Paragraph {n} with some more **words** in it.\n\n")).collect();
    let mut document = whole(Form::Markdown, &text, 80);
    let at = text.find("Paragraph 1234 ").unwrap();
    let row = document.row_at(at);
    let spot = document.spot(row);
    for cells in [20, 33, 200] {
        document.update(cells);
        let row = document.row_of(spot);
        document.settle(row..row + 3);
        let row = document.row_of(spot);
        assert!(document.row(row).unwrap().text().starts_with("Paragraph 1234"), "{cells}");
        assert_eq!(document.spot(row), spot);
    }
}

#[test]
fn rows_give_back_their_source_with_its_marks() {
    let mut document = whole(Form::Markdown, SAMPLE, 24);
    let spot = |document: &mut Document, words: &str| {
        let row = (0..document.rows()).find(|row| document.row(*row).unwrap().text().contains(words)).unwrap();
        document.spot(row)
    };
    let item = spot(&mut document, "• one");
    let range = document.source_of_rows(item, item);
    assert_eq!(&SAMPLE[range], "- one");
    let (from, to) = (spot(&mut document, "A heading"), spot(&mut document, "to wrap"));
    let range = document.source_of_rows(from, to);
    assert_eq!(&SAMPLE[range], "# A heading that is long enough to wrap");
    let code = spot(&mut document, "fn main");
    let range = document.source_of_rows(code, code);
    assert_eq!(&SAMPLE[range], "fn main() { let x = \"text\"; } // a comment that is too long for the width");
    let cell = spot(&mut document, "short");
    let range = document.source_of_rows(cell, cell);
    assert_eq!(&SAMPLE[range], "| a | 12 | short |");
    let wide = spot(&mut document, "空白");
    let range = document.source_of_rows(wide, wide);
    assert!(SAMPLE[range.clone()].starts_with("Last 空白の"), "{:?}", &SAMPLE[range]);
}

/// Paragraphs, items, wide words: what has no row of its own for the eye alone.
fn prose() -> impl Strategy<Value = String> {
    let word =
        prop::sample::select(vec!["word", "**bold**", "`code`", "全角の名前", "a", "longer-than-most", "*it*", "x/y"]);
    let line = (prop::sample::select(vec!["", "- ", "1. ", "> ", "## "]), prop::collection::vec(word, 1..20))
        .prop_map(|(mark, words)| format!("{mark}{}", words.join(" ")));
    prop::collection::vec(line, 1..8).prop_map(|lines| lines.join("\n\n"))
}

proptest! {
    #[test]
    fn however_it_came_it_looks_the_same(source in markdown(), cuts in prop::collection::vec(0usize..400, 0..12)) {
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|at| source.is_char_boundary(*at)).collect();
        cuts.sort_unstable();
        let mut document = Document::new(Form::Markdown);
        let mut last = 0;
        for cut in cuts {
            document.push(&source[last..cut]);
            document.update(30);
            last = cut;
        }
        document.push(&source[last..]);
        document.update(30);
        let clean = document.clean().to_owned();
        prop_assert_eq!(rows(&mut document), rows(&mut whole(Form::Markdown, &clean, 30)));
    }

    #[test]
    fn what_is_copied_knows_nothing_of_the_width(source in prose(), a in 5usize..40, b in 40usize..120) {
        let all = |cells: usize| {
            let mut document = whole(Form::Markdown, &source, cells);
            let last = document.rows().saturating_sub(1);
            let (from, to) = (document.spot(0), document.spot(last));
            let range = document.source_of_rows(from, to);
            source[range].to_owned()
        };
        prop_assert_eq!(all(a), source.trim_end());
        prop_assert_eq!(all(b), source.trim_end());
    }

    #[test]
    fn row_by_row_every_letter_is_copied_once(source in prose(), cells in 8usize..60) {
        let mut document = whole(Form::Markdown, &source, cells);
        let mut copied = String::new();
        for row in 0..document.rows() {
            if document.row(row).unwrap().source.is_none() {
                continue;
            }
            let spot = document.spot(row);
            let range = document.source_of_rows(spot, spot);
            copied.push_str(&source[range]);
        }
        let letters = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(letters(&copied), letters(&source));
    }
}

/// A long text with everything in it that is cut inside.
fn long_sample() -> String {
    let code: String = (0..300).map(|n| format!("let line_{n} = \"{n}\"; // 全角\n")).collect();
    let table: String = (0..300).map(|n| format!("| {n} | text of row {n} |\n")).collect();
    let list: String = (1..300).map(|n| format!("- item {n} of **many**\n")).collect();
    let words = "word ".repeat(6_000);
    format!(
        "{SAMPLE}\n\n```rust\n{code}```\n\n| number | text |\n|---|---|\n{table}\nAfter\n\n{list}\n{words}\n\nEnd\n"
    )
}

#[test]
fn what_is_left_of_a_text_has_the_rows_and_places_it_had() {
    let text = long_sample();
    for form in [Form::Markdown, Form::Plain] {
        for bytes in [1, 700, 3_000, 9_000, 14_000, 21_000, 40_000, usize::MAX] {
            let mut all = whole(form, &text, 60);
            let mut left = whole(form, &text, 60);
            let gone = left.shed(bytes);
            assert!(gone > 0 && gone < text.len(), "{form:?} {bytes}: {gone}");
            assert!(left.clean().len() <= text.len() - gone + 100, "the head of a block stays");
            assert_eq!((left.end(), left.words()), (all.end(), all.words()));
            // What comes then is read as before.
            for document in [&mut all, &mut left] {
                document.push("\n\nand *more*\n\n- of\n- it\n");
                document.update(60);
                let rows = document.rows();
                document.settle(0..rows);
            }
            let (whole, part) = (rows(&mut all), rows(&mut left));
            let same = part.len().min(whole.len());
            let skip = whole.len() - same;
            assert_eq!(whole[skip..], part[part.len() - same..], "{form:?} {bytes}");
            let row = part.len() / 2;
            let spot = left.spot(row);
            assert_eq!((all.row_of(spot), left.row_of(spot)), (skip + row, row));
            let (from, to) = (left.spot(row), left.spot(part.len()));
            let range = left.source_of_rows(from, to);
            assert_eq!(range, all.source_of_rows(from, to));
            assert_eq!(left.slice(range.clone()), all.slice(range));
            // A place that is gone is the beginning of what is left.
            assert_eq!(left.row_of(Spot::default()), 0);
            assert!(left.slice(0..gone).len() < 100, "but for the head of a block");
        }
    }
}

#[test]
fn a_text_that_nobody_looked_at_is_shed_too() {
    let text = "a line of it\n".repeat(10_000);
    let mut document = Document::new(Form::Plain);
    document.push(&text);
    assert_eq!(document.words(), 40_000);
    let gone = document.shed(100_000);
    assert!(gone > 98_000 && gone <= 100_000 && gone.is_multiple_of(13), "{gone}");
    assert_eq!((document.words(), document.end()), (40_000, text.len()));
    document.update(40);
    assert_eq!(document.rows(), (text.len() - gone) / 13);
    // One line without an end goes all the same.
    let mut document = Document::new(Form::Plain);
    document.push(&"x".repeat(100_000));
    assert_eq!(document.shed(90_000), 90_000);
}

#[test]
fn a_text_in_other_words_is_shed_by_its_own() {
    let mut document = Document::new(Form::Json);
    document.push(&"{\"a\":1}\n".repeat(1_000));
    document.retell(Some("told".to_owned()));
    document.update(40);
    assert_eq!((document.end(), document.slice(0..4)), (4, "told"));
    let gone = document.shed(4_000);
    assert_eq!(document.clean().len(), 8_000 - gone);
    document.update(40);
    assert_eq!(document.end(), 8_000);
    document.retell(Some("told again".to_owned()));
    document.update(40);
    assert_eq!(document.slice(0..4), "told");
}
