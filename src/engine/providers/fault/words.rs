//! What a server said of an error, as far as it can be told apart, and how foreign text is made fit for a message.
//!
//! Not here: what it means (`kind`), what its figures are (`told`). Invariant: what is shown is one line of bounded length.

use std::time::Duration;

use serde_json::{Map, Value};

use super::told::{duration, wait_in};

/// The most characters of a server's own words in a message: enough for any known one.
pub(super) const MOST_WORDS: usize = 400;

/// The most characters of a page in a message: its title and its first sentence.
const MOST_PAGE: usize = 120;

/// The most characters of words that are looked through: gateways put the whole answer of another server into theirs.
const MOST_READ: usize = 4096;

/// What a server said.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// On one line.
    pub(super) message: String,
    /// The `type` of the error.
    pub(super) kind: String,
    /// The status inside the error.
    pub(super) code: Option<u16>,
    /// llama.cpp's `n_prompt_tokens`.
    pub(super) prompt_tokens: Option<u64>,
    /// llama.cpp's `n_ctx`.
    pub(super) context: Option<u64>,
    pub(super) form: Form,
    /// The wait asked for in a field of the error.
    wait: Option<Duration>,
}

/// For whom it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// For programs.
    #[default]
    Words,
    /// A page for people.
    Page,
}

impl Words {
    /// Of a body, or of an event's data: JSON, events, a page or bare words.
    pub(super) fn of_body(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}').trim();
        if is_page(text) {
            return Self { message: page(text), form: Form::Page, ..Self::default() };
        }
        // Some answer an error as an event stream.
        let data = text.lines().find_map(|line| line.strip_prefix("data:")).unwrap_or(text);
        match serde_json::from_str(data) {
            Ok(value) => Self::of(&value, 0),
            Err(_) => Self::plain(text),
        }
    }

    /// The wait that is asked for, in a field or in words.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.wait.or_else(|| wait_in(&self.message.to_lowercase()))
    }

    fn plain(text: &str) -> Self {
        Self { message: one_line(text, MOST_READ), ..Self::default() }
    }

    /// The words of an error: an object, a string, or JSON inside a string, with or without the `error` key around. Three
    /// levels are the most ever seen: `{"error": "{\"error\": {…}}"}`; five is where it stops.
    fn of(value: &Value, depth: u8) -> Self {
        match value {
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                Ok(inner @ Value::Object(_)) if depth < 5 => Self::of(&inner, depth + 1),
                _ => Self::plain(text),
            },
            Value::Object(map) => match map.get("error").filter(|error| tells(error) && depth < 5) {
                // `"error": true`, or a number, beside the words.
                Some(Value::Bool(_) | Value::Number(_)) if message_of(map).is_some() => Self::within(map),
                Some(inner) => {
                    let mut words = Self::of(inner, depth + 1);
                    words.code = words.code.or_else(|| code_of(map));
                    words.wait = words.wait.or_else(|| wait_of_fields(map));
                    words
                }
                None => Self::within(map),
            },
            // A list of one is how some gateways put it.
            Value::Array(list) if list.len() == 1 && depth < 5 => Self::of(&list[0], depth + 1),
            Value::Number(number) => Self { code: status(number.as_u64()), ..Self::plain(&number.to_string()) },
            other => Self::plain(&other.to_string()),
        }
    }

    fn within(map: &Map<String, Value>) -> Self {
        let message = match message_of(map) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => Value::Object(map.clone()).to_string(),
        };
        Self {
            kind: map.get("type").and_then(Value::as_str).unwrap_or_default().to_owned(),
            code: code_of(map),
            prompt_tokens: map.get("n_prompt_tokens").and_then(Value::as_u64),
            context: map.get("n_ctx").and_then(Value::as_u64),
            wait: wait_of_fields(map),
            ..Self::plain(&message)
        }
    }
}

/// Whether the value of an `error` key says that there is one.
pub(in crate::engine::providers) fn tells(error: &Value) -> bool {
    match error {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn message_of(map: &Map<String, Value>) -> Option<&Value> {
    ["message", "detail", "msg", "error_message", "reason"]
        .iter()
        .find_map(|key| map.get(*key).filter(|value| tells(value)))
}

fn code_of(map: &Map<String, Value>) -> Option<u16> {
    ["code", "status", "status_code"].iter().find_map(|key| match map.get(*key)? {
        Value::Number(number) => status(number.as_u64()),
        Value::String(text) => status(text.trim().parse().ok()),
        _ => None,
    })
}

fn status(code: Option<u64>) -> Option<u16> {
    code.and_then(|code| u16::try_from(code).ok()).filter(|code| (300..600).contains(code))
}

fn wait_of_fields(map: &Map<String, Value>) -> Option<Duration> {
    let of = |value: &Value| match value {
        Value::Number(number) => Duration::try_from_secs_f64(number.as_f64()?).ok(),
        Value::String(text) => duration(text),
        _ => None,
    };
    let seconds = ["retry_after", "retry_after_seconds", "retryDelay"].iter().find_map(|key| of(map.get(*key)?));
    seconds.or_else(|| Some(Duration::from_millis(map.get("retry_after_ms")?.as_u64()?)))
}

fn is_page(text: &str) -> bool {
    text.starts_with('<')
}

/// `text` on one line, at most `most` characters of it.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (count, c) in text.split_whitespace().flat_map(|word| word.chars().chain([' '])).enumerate() {
        if count == most {
            line.truncate(line.trim_end().len());
            line.push('…');
            return line;
        }
        line.push(c);
    }
    line.truncate(line.trim_end().len());
    line
}

/// What a page says to people: without tags, comments, and what is between the tags of scripts and styles.
pub(super) fn page(text: &str) -> String {
    let (mut said, mut rest) = (String::new(), text);
    while let Some((before, tag)) = rest.split_once('<') {
        said.push_str(before);
        said.push(' ');
        let name: String =
            tag.chars().take_while(|c| c.is_ascii_alphanumeric()).collect::<String>().to_ascii_lowercase();
        let end = match name.as_str() {
            "script" | "style" => format!("</{name}"),
            _ if tag.starts_with("!--") => "-->".to_owned(),
            _ => String::new(),
        };
        // What never ends hides all that follows, as in a browser. ASCII's lower case has the same length.
        let tag = tag.to_ascii_lowercase().find(&end).map_or("", |at| &tag[at..]);
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    said.push_str(rest);
    let said = said.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    one_line(&said, MOST_PAGE)
}

#[cfg(test)]
mod tests {
    use super::{Words, one_line, page};

    #[test]
    fn pages_become_one_line() {
        let nginx = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.24.0</center>\r\n</body>\r\n</html>\r\n";
        assert_eq!(page(nginx), "502 Bad Gateway 502 Bad Gateway nginx/1.24.0");
        let script = "<!DOCTYPE html><head><STYLE>b { x: y }</STYLE><script>\nif (a < b) {\n  go()\n}\n</script><!-- a > b --></head><p>Hello&nbsp;there";
        assert_eq!(page(script), "Hello there");
        assert_eq!(page("<script>never"), "");
        assert_eq!(page(&"<p>word ".repeat(100)).chars().count(), 120);
        assert_eq!(one_line("a\n b\t\r\n c  ", 9), "a b c");
        assert_eq!(one_line("üüüü", 3), "üüü…");
    }

    #[test]
    fn words_are_found_in_every_wrapping() {
        for text in [
            r#"{"error":{"message":"boom"}}"#,
            r#"{"error":"boom"}"#,
            r#"{"error":"{\"error\":{\"message\":\"boom\"}}"}"#,
            r#""{\"error\":\"boom\"}""#,
            r#"{"detail":"boom"}"#,
            r#"{"object":"error","message":"boom","code":400}"#,
            r#"{"error":true,"message":"boom"}"#,
            r#"[{"error":{"message":"boom"}}]"#,
            "event: error\ndata: {\"message\":\"boom\"}\n\n",
            "boom",
            "\u{feff} boom\n",
        ] {
            assert_eq!(Words::of_body(text).message, "boom", "{text}");
        }
        assert_eq!(Words::of_body(r#"{"error":{"message":"x","code":"429"}}"#).code, Some(429));
        assert_eq!(Words::of_body(r#"{"error":503}"#).code, Some(503));
    }
}
