//! Keywords, strings, comments and numbers in code blocks, by family of languages.
//!
//! Not a parser: it goes by words and quotes, line by line, and remembers only an open block comment or long string.
//! An unknown language is shown plain: a wrong colour misleads more than none.

use super::{Span, SpanKind, append};

/// Languages that write comments and strings alike.
struct Family {
    comment: &'static str,
    block: Option<(&'static str, &'static str)>,
    quotes: &'static [char],
    /// Strings over several lines begin and end so.
    long: &'static [&'static str],
    keywords: &'static [&'static str],
}

const C_LIKE: Family = Family {
    comment: "//",
    block: Some(("/*", "*/")),
    quotes: &['"', '\'', '`'],
    long: &[],
    keywords: &[
        "abstract",
        "as",
        "async",
        "await",
        "bool",
        "boolean",
        "break",
        "byte",
        "case",
        "catch",
        "chan",
        "char",
        "class",
        "const",
        "continue",
        "crate",
        "default",
        "defer",
        "delete",
        "do",
        "double",
        "dyn",
        "else",
        "enum",
        "export",
        "extends",
        "extern",
        "false",
        "final",
        "finally",
        "float",
        "fn",
        "for",
        "from",
        "fun",
        "func",
        "function",
        "go",
        "goto",
        "if",
        "impl",
        "implements",
        "import",
        "in",
        "int",
        "interface",
        "internal",
        "is",
        "let",
        "long",
        "loop",
        "map",
        "match",
        "mod",
        "module",
        "move",
        "mut",
        "namespace",
        "new",
        "nil",
        "null",
        "nullptr",
        "of",
        "operator",
        "override",
        "package",
        "private",
        "protected",
        "protocol",
        "pub",
        "public",
        "range",
        "ref",
        "return",
        "select",
        "self",
        "Self",
        "short",
        "static",
        "struct",
        "super",
        "switch",
        "template",
        "this",
        "throw",
        "throws",
        "trait",
        "true",
        "try",
        "type",
        "typedef",
        "typeof",
        "undefined",
        "union",
        "unsafe",
        "unsigned",
        "use",
        "using",
        "val",
        "var",
        "virtual",
        "void",
        "volatile",
        "when",
        "where",
        "while",
        "yield",
    ],
};

const HASH: Family = Family {
    comment: "#",
    block: None,
    quotes: &['"', '\''],
    long: &["\"\"\"", "'''"],
    keywords: &[
        "and", "as", "assert", "async", "await", "begin", "break", "case", "class", "continue", "def", "del", "do",
        "done", "elif", "else", "elsif", "end", "ensure", "esac", "except", "export", "false", "False", "fi",
        "finally", "for", "from", "function", "global", "if", "import", "in", "is", "lambda", "local", "module", "my",
        "next", "nil", "no", "None", "nonlocal", "not", "null", "off", "on", "or", "pass", "raise", "require",
        "rescue", "return", "self", "set", "sub", "then", "true", "True", "try", "unless", "until", "use", "when",
        "while", "with", "yes", "yield",
    ],
};

const DASH: Family = Family {
    comment: "--",
    block: Some(("/*", "*/")),
    quotes: &['"', '\''],
    long: &[],
    keywords: &[
        "alter",
        "and",
        "as",
        "asc",
        "begin",
        "between",
        "by",
        "case",
        "commit",
        "create",
        "data",
        "default",
        "delete",
        "desc",
        "distinct",
        "do",
        "drop",
        "else",
        "elseif",
        "end",
        "exists",
        "false",
        "for",
        "foreign",
        "from",
        "full",
        "function",
        "group",
        "having",
        "if",
        "import",
        "in",
        "index",
        "inner",
        "insert",
        "instance",
        "into",
        "is",
        "join",
        "key",
        "left",
        "let",
        "like",
        "limit",
        "local",
        "module",
        "nil",
        "not",
        "null",
        "of",
        "offset",
        "on",
        "or",
        "order",
        "outer",
        "primary",
        "references",
        "repeat",
        "return",
        "right",
        "select",
        "set",
        "table",
        "then",
        "true",
        "union",
        "unique",
        "until",
        "update",
        "using",
        "values",
        "view",
        "where",
        "while",
        "with",
    ],
};

fn family(language: &str) -> Option<&'static Family> {
    Some(match &*language.to_ascii_lowercase() {
        "rust" | "rs" | "c" | "h" | "cpp" | "c++" | "cc" | "hpp" | "cs" | "csharp" | "java" | "js" | "javascript"
        | "jsx" | "mjs" | "ts" | "typescript" | "tsx" | "go" | "golang" | "swift" | "kotlin" | "kt" | "scala"
        | "dart" | "php" | "zig" | "scad" | "openscad" | "json" | "jsonc" | "json5" | "css" | "scss" | "glsl"
        | "wgsl" | "cuda" | "proto" => &C_LIKE,
        "python" | "py" | "python3" | "ruby" | "rb" | "sh" | "bash" | "zsh" | "fish" | "shell" | "console" | "yaml"
        | "yml" | "toml" | "perl" | "pl" | "r" | "elixir" | "ex" | "make" | "makefile" | "dockerfile" | "docker"
        | "cmake" | "nix" | "julia" | "jl" | "awk" => &HASH,
        "sql" | "mysql" | "postgresql" | "sqlite" | "lua" | "haskell" | "hs" | "elm" => &DASH,
        _ => return None,
    })
}

/// What began on an earlier line and waits for its end.
#[derive(Clone, Copy)]
struct Pending {
    kind: SpanKind,
    end: &'static str,
}

/// Highlights one code block, line after line.
pub(super) struct Highlighter {
    family: Option<&'static Family>,
    pending: Option<Pending>,
}

impl Highlighter {
    /// For a block of `language`, as named after the fence.
    pub(super) fn new(language: &str) -> Self {
        Self { family: family(language), pending: None }
    }

    /// The spans of the next line. Together they are the line.
    pub(super) fn line(&mut self, line: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        let Some(family) = self.family else {
            append(&mut spans, SpanKind::CodeBlock, line);
            return spans;
        };
        let mut rest = line;
        // Whether the last character was part of a word: `x1` has no number.
        let mut in_word = false;
        while let Some(c) = rest.chars().next() {
            let (kind, len) = self.token(family, rest, c, in_word);
            let (token, after) = rest.split_at(len.clamp(c.len_utf8(), rest.len()));
            append(&mut spans, kind, token);
            in_word = token.chars().next_back().is_some_and(is_word);
            rest = after;
        }
        spans
    }

    /// The kind and the length in bytes of what `rest`, which begins with `c`, begins with.
    fn token(&mut self, family: &'static Family, rest: &str, c: char, in_word: bool) -> (SpanKind, usize) {
        if let Some(pending) = self.pending {
            return self.until(rest, 0, pending);
        }
        if rest.starts_with(family.comment) && !(family.comment == "#" && in_word) {
            return (SpanKind::CodeComment, rest.len());
        }
        if let Some((start, end)) = family.block
            && rest.starts_with(start)
        {
            return self.until(rest, start.len(), Pending { kind: SpanKind::CodeComment, end });
        }
        if let Some(quotes) = family.long.iter().copied().find(|quotes| rest.starts_with(quotes)) {
            return self.until(rest, quotes.len(), Pending { kind: SpanKind::CodeString, end: quotes });
        }
        if family.quotes.contains(&c) {
            // An apostrophe without a partner is a lifetime, or just an apostrophe.
            let plain = (SpanKind::CodeBlock, c.len_utf8());
            return closed_string(rest, c).map_or(plain, |len| (SpanKind::CodeString, len));
        }
        if is_word(c) {
            let word = rest.split(|c| !is_word(c)).next().unwrap_or(rest);
            if c.is_ascii_digit() && !in_word {
                let len = rest.find(|c: char| !is_word(c) && c != '.').unwrap_or(rest.len());
                // `1..9` is two numbers and a range.
                let len = rest.find("..").map_or(len, |dots| dots.min(len));
                return (SpanKind::CodeNumber, len);
            }
            let known = family.keywords.contains(&word)
                || (family.comment == "--" && family.keywords.contains(&&*word.to_ascii_lowercase()));
            return (if known { SpanKind::CodeKeyword } else { SpanKind::CodeBlock }, word.len());
        }
        (SpanKind::CodeBlock, c.len_utf8())
    }

    /// From the start of `rest` to the end of `pending`, sought after `skip` bytes; else the whole line, and on.
    fn until(&mut self, rest: &str, skip: usize, pending: Pending) -> (SpanKind, usize) {
        let found = rest.get(skip..).and_then(|inside| inside.find(pending.end));
        self.pending = if found.is_some() { None } else { Some(pending) };
        (pending.kind, found.map_or(rest.len(), |at| skip + at + pending.end.len()))
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The length in bytes of the string at the start of `rest`, quotes included, if it ends on this line.
fn closed_string(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return Some(at + c.len_utf8());
        } else if quote == '\'' && matches!(c, '>' | ',' | ':') && at > 1 && !rest.starts_with("' ") {
            // `&'a str, 'b'`: a lifetime. A string with a comma in single quotes is rarer than that in what has both.
            return lifetime_or_string(rest);
        }
    }
    None
}

/// A single quote before a word and `,`, `>` or `:`: a lifetime if that word is one, short, lower-case word.
fn lifetime_or_string(rest: &str) -> Option<usize> {
    let inside = rest.get(1..)?;
    let word = inside.split(|c| !is_word(c)).next().unwrap_or_default();
    if word.len() <= 2 || word == "static" {
        return None;
    }
    inside.find('\'').map(|at| at + 2)
}
