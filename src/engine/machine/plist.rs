//! A reader of XML property lists, as far as macOS's tools print them.
//!
//! Not a checker of XML: it takes what it knows and passes over the rest. Invariants: it never panics; what is cut off is
//! missing, what was whole before the cut is kept; numbers may be negative.

/// How deep lists may lie in each other; what lies deeper is passed over.
const DEPTH: usize = 64;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Keys with their values, in order.
    Dict(Vec<(String, Value)>),
    /// Values in order.
    List(Vec<Value>),
    /// A whole number that fits.
    Integer(i64),
    /// Words.
    Text(String),
    /// Anything else: data, dates, truth, numbers that don't fit.
    Other,
}

/// A container that is still open, with the key it will have in the one around it.
struct Open {
    value: Value,
    key: Option<String>,
    /// The key that was read last and has no value yet.
    next: Option<String>,
}

impl Value {
    /// The first value in the text; none where there is none.
    pub fn read(xml: &str) -> Option<Self> {
        let mut stack: Vec<Open> = Vec::new();
        let mut deeper = 0usize;
        let mut rest = xml;
        while let Some((_, after)) = rest.split_once('<') {
            let Some((tag, text)) = after.split_once('>') else { break };
            rest = text;
            let name = tag.trim_end_matches('/').split_whitespace().next().unwrap_or_default();
            let empty = tag.ends_with('/');
            match name {
                "dict" | "array" => {
                    let value = if name == "dict" { Self::Dict(Vec::new()) } else { Self::List(Vec::new()) };
                    if empty {
                        give(&mut stack, deeper, value);
                        continue;
                    }
                    let key = stack.last_mut().and_then(|open| open.next.take());
                    if stack.len() < DEPTH && deeper == 0 {
                        stack.push(Open { value, key, next: None });
                    } else {
                        deeper += 1;
                    }
                }
                "/dict" | "/array" if deeper > 0 => deeper -= 1,
                "/dict" | "/array" => {
                    let Some(done) = stack.pop() else { continue };
                    match stack.last_mut() {
                        None => return Some(done.value),
                        Some(around) => close(around, done.value, done.key),
                    }
                }
                "key" | "integer" | "string" | "real" | "data" | "date" if !empty => {
                    let Some((inner, after)) = text.split_once("</") else { break };
                    // The end of the tag must be there, or the text may be cut.
                    let Some((_, after)) = after.split_once('>') else { break };
                    rest = after;
                    match name {
                        "key" => {
                            if let Some(open) = stack.last_mut().filter(|_| deeper == 0) {
                                open.next = Some(plain(inner));
                            }
                        }
                        "integer" => {
                            let value = inner.trim().parse().map_or(Self::Other, Self::Integer);
                            give(&mut stack, deeper, value);
                        }
                        "string" => give(&mut stack, deeper, Self::Text(plain(inner))),
                        _ => give(&mut stack, deeper, Self::Other),
                    }
                }
                "string" => give(&mut stack, deeper, Self::Text(String::new())),
                "true" | "false" | "data" => give(&mut stack, deeper, Self::Other),
                _ => {}
            }
        }
        // Cut off: what is open is closed here.
        while let Some(done) = stack.pop() {
            match stack.last_mut() {
                None => return Some(done.value),
                Some(around) => close(around, done.value, done.key),
            }
        }
        None
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Dict(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub const fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(n) => Some(*n),
            _ => None,
        }
    }

    /// The words, if it is words.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Puts a value into the innermost open container, under the key that waits; one that lies too deep nowhere.
fn give(stack: &mut [Open], deeper: usize, value: Value) {
    if let Some(open) = stack.last_mut().filter(|_| deeper == 0) {
        let key = open.next.take();
        close(open, value, key);
    }
}

fn close(around: &mut Open, value: Value, key: Option<String>) {
    match (&mut around.value, key) {
        (Value::Dict(entries), Some(key)) => entries.push((key, value)),
        (Value::List(values), _) => values.push(value),
        // A value without a key belongs nowhere.
        _ => {}
    }
}

/// The text without the five names XML has for its own signs.
fn plain(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let names = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    names.iter().fold(text.to_owned(), |text, (name, sign)| text.replace(name, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_numbers_and_words_are_read_and_the_rest_is_passed_over() {
        let xml = "<?xml version=\"1.0\"?><plist version=\"1.0\"><array><dict>
            <key>a &amp; b</key><integer>-1717043200</integer><key>big</key><integer>99999999999999999999</integer>
            <key>in</key><dict><key>n</key><integer>7</integer><key>none</key><dict/></dict>
            <key>id</key><data>axAAAA==</data><key>on</key><true/><key>name</key><string>x &lt;y&gt;</string>
            </dict><integer>1</integer></array></plist>";
        let Some(Value::List(list)) = Value::read(xml) else { panic!("no list") };
        let first = &list[0];
        assert_eq!(first.get("a & b"), Some(&Value::Integer(-1_717_043_200)));
        assert_eq!(first.get("big"), Some(&Value::Other));
        assert_eq!(first.get("in").unwrap().get("n").unwrap().integer(), Some(7));
        assert_eq!(first.get("in").unwrap().get("none"), Some(&Value::Dict(Vec::new())));
        assert_eq!((first.get("id"), first.get("on")), (Some(&Value::Other), Some(&Value::Other)));
        assert_eq!(first.get("name").unwrap().text(), Some("x <y>"));
        assert_eq!((list.len(), list[1].integer()), (2, Some(1)));
    }

    #[test]
    fn a_number_that_is_cut_off_is_not_read_as_a_smaller_one() {
        let cut = "<array><dict><key>whole</key><integer>12</integer><key>cut</key><integer>34";
        let Some(Value::List(list)) = Value::read(cut) else { panic!("no list") };
        assert_eq!((list[0].get("whole"), list[0].get("cut")), (Some(&Value::Integer(12)), None));
        assert_eq!(Value::read(""), None);
        assert_eq!(Value::read("</array></dict><<<>>><key>"), None);
    }

    #[test]
    fn what_lies_very_deep_neither_breaks_it_nor_is_read() {
        let deep =
            format!("{}<integer>1</integer>{}<integer>2</integer>", "<array>".repeat(500), "</array>".repeat(499));
        let mut value = Value::read(&deep).unwrap();
        let mut depth = 0;
        while let Value::List(mut list) = value {
            value = list.pop().unwrap_or(Value::Other);
            depth += 1;
        }
        assert!(depth <= DEPTH, "{depth}");
    }
}
