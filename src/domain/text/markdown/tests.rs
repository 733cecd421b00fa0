//! Markdown rows, tested.

use proptest::prelude::*;

use super::*;

pub(crate) const SAMPLE: &str = "\
# A heading that is long enough to wrap

Some *emphasised* and **strong** text with `code`, [a link](https://example.org/page) and ~~struck~~ words.

- one
- two, which is a longer item that must wrap under itself
  1. nested
  2. again
- [x] done
- [ ] open

> A quote that is long enough to be wrapped at this width.
>
> - with a list

```rust
fn main() { let x = \"text\"; } // a comment that is too long for the width
```

| Name | Size | Note |
|:-----|-----:|:----:|
| a | 12 | short |
| longer name | 3 | a note that is quite long |

---

Last 空白の扱いが二通りに読める箇所.
";

fn text(lines: &[StyledLine]) -> String {
    lines.iter().map(|line| line.text().trim_end().to_owned() + "\n").collect()
}

fn kinds(source: &str) -> Vec<(SpanKind, String)> {
    render(source, 200).into_iter().flat_map(|line| line.spans).map(|span| (span.kind, span.text)).collect()
}

#[test]
fn the_sample_at_forty() {
    insta::assert_snapshot!(text(&render(SAMPLE, 40)), @r#"
    A heading that is long enough to wrap

    Some emphasised and strong text with
    code, a link (https://example.org/page)
    and struck words.

    • one
    • two, which is a longer item that must
      wrap under itself
      1. nested
      2. again
    ☑ done
    ☐ open

    │ A quote that is long enough to be
    │ wrapped at this width.
    │
    │ • with a list

      rust
      fn main() { let x = "text"; } // a co…

    Name        │ Size │        Note
    ────────────┼──────┼────────────────────
    a           │   12 │        short
    longer name │    3 │   a note that is
                │      │     quite long

    ────────────────────────────────────────

    Last 空白の扱いが二通りに読める箇所.
    "#);
}

#[test]
fn spans_have_their_kinds() {
    use SpanKind::{Code, Dim, Emphasis, Heading, Link, Strong, Text};
    let pairs =
        |list: &[(SpanKind, &str)]| list.iter().map(|(kind, text)| (*kind, (*text).to_owned())).collect::<Vec<_>>();
    assert_eq!(kinds("## One *two*"), pairs(&[(Heading(2), "One two")]));
    assert_eq!(
        kinds("a **b** *c* `d` [e](http://f)"),
        pairs(&[
            (Text, "a "),
            (Strong, "b"),
            (Text, " "),
            (Emphasis, "c"),
            (Text, " "),
            (Code, "d"),
            (Text, " "),
            (Link, "e"),
            (Dim, " (http://f)")
        ])
    );
    assert_eq!(kinds("<http://f.example>"), pairs(&[(Link, "http://f.example")]));
}

#[test]
fn code_is_highlighted() {
    use SpanKind::{CodeBlock, CodeComment, CodeKeyword, CodeNumber, CodeString, Dim};
    let pairs =
        |list: &[(SpanKind, &str)]| list.iter().map(|(kind, text)| (*kind, (*text).to_owned())).collect::<Vec<_>>();
    assert_eq!(
        kinds("```rust\nlet x1 = \"a\\\"b\" + 'c' + 12.5; // end\n/* on\nand */ fn f<'a>(s: &'a str)\n```"),
        pairs(&[
            (Dim, "rust"),
            (CodeKeyword, "let"),
            (CodeBlock, " x1 = "),
            (CodeString, "\"a\\\"b\""),
            (CodeBlock, " + "),
            (CodeString, "'c'"),
            (CodeBlock, " + "),
            (CodeNumber, "12.5"),
            (CodeBlock, "; "),
            (CodeComment, "// end"),
            (CodeComment, "/* on"),
            (CodeComment, "and */"),
            (CodeBlock, " "),
            (CodeKeyword, "fn"),
            (CodeBlock, " f<'a>(s: &'a str)"),
        ])
    );
    assert_eq!(kinds("```\nlet x = 1\n```"), pairs(&[(CodeBlock, "let x = 1")]));
    assert_eq!(
        kinds("```sql\nSELECT 1 -- all\n```"),
        pairs(&[
            (Dim, "sql"),
            (CodeKeyword, "SELECT"),
            (CodeBlock, " "),
            (CodeNumber, "1"),
            (CodeBlock, " "),
            (CodeComment, "-- all")
        ])
    );
}

#[test]
fn character_references_make_no_controls() {
    let source = "a&#27;[31mb &#8238;c &#x200b;d `&#27;` [x](http://e/&#27;]0;t&#7;)\n\n```&#27;[1m\n&#27;\n```";
    for line in render(source, 80) {
        let line = line.text();
        assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{202e}' | '\u{200b}')), "{line:?}");
    }
}

#[test]
fn a_link_cannot_hide_its_target() {
    assert_eq!(
        text(&render("[https://bank.example](https://evil.example)", 80)),
        "https://bank.example (https://evil.example)\n"
    );
}

#[test]
fn hostile_nesting_is_flat_and_quick() {
    let source = format!("{}text", "> ".repeat(5_000));
    let lines = render(&source, 80);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].text().ends_with("text"));
    let many = format!("{}a\n\n{}", "> ".repeat(20_000), "> b\n\n".repeat(5_000));
    assert_eq!(render(&many, 80).iter().filter(|line| line.text().ends_with('b')).count(), 5_000);
    let lists: String = (0..200).map(|depth| format!("{}- x\n", "  ".repeat(depth))).collect();
    assert!(render(&lists, 80).iter().all(|line| line.width() <= 80));
}

#[test]
fn a_table_without_room_for_its_columns_stands_as_lists() {
    let source = "| 名前 | Size in bytes | What is done with it | Who asked |\n|---|---:|---|---|\n\
                  | 全角の名前 | 4096 | it is widened to sixteen bits | the reviewer |\n| b | 1 | | nobody |\n";
    let rows = text(&render(source, 24));
    assert_eq!(
        rows,
        "名前: 全角の名前\nSize in bytes: 4096\nWhat is done with it: it\nis widened to sixteen\nbits\n\
         Who asked: the reviewer\n\n名前: b\nSize in bytes: 1\nWho asked: nobody\n"
    );
    assert!(text(&render(source, 80)).contains("│"), "with room it is a table");
}

pub(crate) fn markdown() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "",
        "",
        "text",
        "more *text* here",
        "# head",
        "#",
        "- item",
        "  - sub",
        "* other",
        "1. one",
        "   cont",
        "    code",
        "> quote",
        ">",
        "```",
        "```rust",
        "~~~",
        "| a | b |",
        "|---|--:|",
        "| 空白 | cell |",
        "===",
        "---",
        "***",
        "<div>",
        "a\\",
        "**open",
        "`tick",
        "![img](u)",
        "[l](http://x)",
        "&#27;[1m",
        "👩‍🚀 wide 空白の扱い",
        "+ - + nested",
    ]);
    prop::collection::vec(line, 0..25).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_row_is_too_wide(source in markdown(), cells in 2usize..60) {
        for line in render(&source, cells) {
            prop_assert!(line.width() <= cells, "{:?} at {cells}", line.text());
            prop_assert!(!line.text().chars().any(char::is_control));
        }
    }
}
