//! JSON as models write it: comments, trailing and missing commas, single and typographic quotes, bare keys and words,
//! quotes within quotes, line breaks in texts, an end in the middle. Whatever strict JSON means, this reads the same.
//!
//! Not here: what the values mean (`draft`). Invariants: always ends (every step moves on), at most [`MAX_DEPTH`] deep.

/// Deeper is no plan.
const MAX_DEPTH: usize = 32;

/// A value as a model wrote it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Loose {
    /// Nothing.
    Null,
    /// A word, number or text; what it is matters only to who asks.
    Text(String),
    /// Values in order.
    List(Vec<Loose>),
    /// Named values.
    Map {
        /// In the order of the text.
        entries: Vec<(String, Loose)>,
        /// Whether its end was reached, or the text ended before.
        ended: Ended,
    },
}

/// Whether a value is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its closing bracket is there.
    Whole,
    /// The text ended before.
    Cut,
}

/// What a reading found besides the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// The byte after the value.
    pub(super) end: usize,
    /// The text departed from strict JSON.
    pub(super) careless: bool,
    /// The text ended within the value.
    pub(super) cut: bool,
}

/// Reads the value that starts at byte `start` (a bracket, for callers who look for one).
/// None where it is nested too deep; the reading says how far it came.
pub(super) fn read(text: &str, start: usize) -> (Option<Loose>, Reading) {
    let mut reader = Reader { text, at: start, careless: false, cut: false };
    let value = reader.value(0);
    (value, Reading { end: reader.at, careless: reader.careless, cut: reader.cut })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    careless: bool,
    cut: bool,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// White space and comments.
    fn space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            let mut skip = rest.len() - trimmed.len();
            if trimmed.starts_with("//") || trimmed.starts_with('#') {
                skip += trimmed.find('\n').unwrap_or(trimmed.len());
                self.careless = true;
            } else if trimmed.starts_with("/*") {
                skip += trimmed.find("*/").map_or(trimmed.len(), |i| i + 2);
                self.careless = true;
            }
            if skip == 0 {
                return;
            }
            self.at += skip;
        }
    }

    fn value(&mut self, depth: usize) -> Option<Loose> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.space();
        match self.peek() {
            Some('{') => self.map(depth),
            Some('[') => self.list(depth),
            Some(c) if closing(c).is_some() => Some(Loose::Text(self.quoted())),
            Some(_) => Some(self.bare()),
            None => {
                self.cut = true;
                Some(Loose::Null)
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Loose> {
        self.bump();
        let mut items = Vec::new();
        loop {
            self.separators();
            match self.peek() {
                None => self.cut = true,
                Some(']') => {
                    self.bump();
                }
                // Somebody else's end: the list was not closed.
                Some('}') => self.careless = true,
                Some(_) => {
                    let before = self.at;
                    items.push(self.value(depth + 1)?);
                    if self.at == before {
                        self.bump();
                    }
                    continue;
                }
            }
            return Some(Loose::List(items));
        }
    }

    fn map(&mut self, depth: usize) -> Option<Loose> {
        self.bump();
        let mut entries = Vec::new();
        loop {
            self.separators();
            match self.peek() {
                None => {
                    self.cut = true;
                    return Some(Loose::Map { entries, ended: Ended::Cut });
                }
                Some('}') => {
                    self.bump();
                    return Some(Loose::Map { entries, ended: Ended::Whole });
                }
                Some(']') => {
                    self.careless = true;
                    return Some(Loose::Map { entries, ended: Ended::Whole });
                }
                Some(c) => {
                    let before = self.at;
                    let key = if closing(c).is_some() { self.quoted() } else { self.bare_key() };
                    self.space();
                    if matches!(self.peek(), Some(':' | '=')) {
                        self.bump();
                        let value = self.value(depth + 1)?;
                        entries.push((key, value));
                    } else {
                        self.careless = true;
                        if self.at == before {
                            self.bump();
                        }
                    }
                }
            }
        }
    }

    fn separators(&mut self) {
        let mut commas = 0;
        loop {
            self.space();
            if !matches!(self.peek(), Some(',' | ';')) {
                break;
            }
            self.bump();
            commas += 1;
        }
        // A comma before the end, or more than one.
        self.careless |= commas > 1 || (commas == 1 && matches!(self.peek(), Some('}' | ']')));
    }

    fn quoted(&mut self) -> String {
        let open = self.bump().unwrap_or('"');
        let close = closing(open).unwrap_or('"');
        self.careless |= open != '"';
        let mut out = String::new();
        while let Some(c) = self.bump() {
            if c == '\\' {
                self.escape(&mut out);
            } else if c == close && self.closes() {
                return out;
            } else {
                self.careless |= c == close || c == '\n';
                out.push(c);
            }
        }
        self.cut = true;
        out
    }

    /// Whether the quote just read ends its text: what follows is punctuation, an end, or the next line's text. A
    /// quote within a text (`say "hello" to`) is followed by something else.
    fn closes(&self) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start();
        match trimmed.chars().next() {
            None | Some(',' | ':' | '}' | ']' | ';' | '=') => true,
            Some('/') => trimmed.starts_with("//") || trimmed.starts_with("/*"),
            Some(_) => rest[..rest.len() - trimmed.len()].contains('\n'),
        }
    }

    fn escape(&mut self, out: &mut String) {
        match self.bump() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b' | 'f') => out.push(' '),
            Some('u') => {
                let high = self.hex4();
                let code = match high {
                    Some(high @ 0xD800..0xDC00) if self.rest().starts_with("\\u") => {
                        self.at += 2;
                        self.hex4().map(|low| 0x10000 + ((high - 0xD800) << 10) + (low.wrapping_sub(0xDC00) & 0x3FF))
                    }
                    other => other,
                };
                out.push(code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(c) => out.push(c),
            None => self.cut = true,
        }
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let code = u32::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(code)
    }

    fn bare_key(&mut self) -> String {
        self.careless = true;
        let rest = self.rest();
        let end = rest.find([':', '=', ',', '\n', '{', '}', '[', ']']).unwrap_or(rest.len());
        let key = rest[..end].trim().to_owned();
        self.at += end;
        key
    }

    fn bare(&mut self) -> Loose {
        let rest = self.rest();
        let end = rest.find([',', '\n', '{', '}', '[', ']']).unwrap_or(rest.len());
        let word = rest[..end].split("//").next().unwrap_or("").trim().to_owned();
        let cut = end == rest.len();
        self.cut |= cut;
        self.at += end;
        match word.as_str() {
            "null" | "none" | "None" | "nil" | "undefined" | "" => Loose::Null,
            "true" | "false" => Loose::Text(word),
            _ => {
                self.careless |= word.parse::<f64>().is_err();
                Loose::Text(word)
            }
        }
    }
}

fn closing(open: char) -> Option<char> {
    match open {
        '"' | '\'' | '`' => Some(open),
        '“' | '”' => Some('”'),
        '‘' => Some('’'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &Loose) -> String {
        match value {
            Loose::Null => "~".into(),
            Loose::Text(text) => format!("{text:?}"),
            Loose::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
            Loose::Map { entries, ended } => {
                let inner: Vec<String> = entries.iter().map(|(k, v)| format!("{k}={}", show(v))).collect();
                format!("{{{}{}", inner.join(" "), if *ended == Ended::Whole { "}" } else { "" })
            }
        }
    }

    #[test]
    fn careless_json_is_read() {
        for (text, expected, careless) in [
            (r#"{"a": [1, "x", null, true]}"#, r#"{a=["1" "x" ~ "true"]}"#, false),
            (r#"{"a": "say \"hi\" \u00e9 \ud83d\ude00"}"#, r#"{a="say \"hi\" é 😀"}"#, false),
            (r#"{a: 'don't', b: [x, y,],}"#, r#"{a="don't" b=["x" "y"]}"#, true),
            (r#"{"a": "say "hi" now", "b": 2}"#, r#"{a="say \"hi\" now" b="2"}"#, true),
            ("{\"a\": \"x\"\n\"b\": \"y\" // why\n}", r#"{a="x" b="y"}"#, true),
            ("{“a”: “x”}", r#"{a="x"}"#, true),
            (r#"{"a": [1, 2}"#, r#"{a=["1" "2"]}"#, true),
            (r#"[{"a": 1}, {"b": "hal"#, r#"[{a="1"} {b="hal"]"#, false),
        ] {
            let (value, reading) = read(text, 0);
            assert_eq!(show(&value.unwrap()), expected, "{text}");
            assert_eq!(reading.careless, careless, "{text}");
        }
    }
}
