//! The second reading of an event that is not written as its dialect has it: figures that are none, fields that are doubled,
//! null or of another type, numbers and strings that JSON does not have.
//!
//! Not here: the first reading, which is the fast one. What makes no sense is taken as not told. Invariant: what comes out
//! is an event of the dialect with the same text in it, or nothing.

use serde_json::{Map, Value, json};

use super::Form;
use crate::engine::providers::fault::tells;

/// What an event is at the second look.
pub(super) enum Mended {
    /// An event, written as the dialect has it.
    Event(String),
    /// An error.
    Error,
    /// Neither: a sign of life, or nothing known.
    Odd,
}

/// Looks at an event again that could not be read.
pub(super) fn mend(form: Form, text: &str) -> Mended {
    let Some(map) = object(&tidied(text), 0) else { return Mended::Odd };
    if is_error_object(&map) {
        return Mended::Error;
    }
    Mended::Event(
        Value::Object(match form {
            Form::Chat => chat(map),
            Form::Completion => completion(map),
            Form::Ollama => ollama(map),
        })
        .to_string(),
    )
}

/// Whether an event is an error, in any of the forms these have.
pub(super) fn is_error(text: &str) -> bool {
    object(text, 0).is_some_and(|map| is_error_object(&map))
}

/// Whether the value of an `error` says that there is one.
pub(super) fn tells_json(text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|value: Value| tells(&value))
}

/// The object that `text` is: bare, alone in a list, or as text in a string.
fn object(text: &str, depth: u8) -> Option<Map<String, Value>> {
    match serde_json::from_str(text).ok()? {
        Value::Object(map) => Some(map),
        Value::Array(list) => match <[Value; 1]>::try_from(list) {
            Ok([Value::Object(map)]) => Some(map),
            _ => None,
        },
        Value::String(text) if depth < 3 => object(&text, depth + 1),
        _ => None,
    }
}

fn is_error_object(map: &Map<String, Value>) -> bool {
    let told = |key: &&str| map.get(*key).is_some_and(tells);
    if ["error", "errors"].iter().any(told) {
        return true;
    }
    let is_event = ["choices", "content", "response", "delta"].iter().any(told)
        || map.get("message").is_some_and(Value::is_object);
    let word = |key: &&str| map.get(*key).and_then(Value::as_str).map(str::to_ascii_lowercase);
    let kinds: Vec<String> = ["object", "type", "status", "code"].iter().filter_map(word).collect();
    let named = kinds.iter().any(|kind| ["error", "exception", "fail"].iter().any(|sign| kind.contains(sign)));
    // From 400 on HTTP's statuses are errors; other tables of codes begin higher.
    let is_bad = |value: &Value| match value {
        Value::Number(code) => code.as_u64().is_some_and(|code| code >= 400),
        Value::String(code) => code.trim().parse::<u64>().is_ok_and(|code| code >= 400),
        _ => false,
    };
    let coded = ["code", "status", "status_code"].iter().any(|key| map.get(*key).is_some_and(is_bad));
    let worded = ["message", "detail", "msg"].iter().any(|key| map.get(*key).is_some_and(Value::is_string));
    // How a server stands (`"status":"processing"`) is said with a message, too.
    !is_event && (named || coded && worded || told(&"detail") && kinds.is_empty())
}

fn chat(mut map: Map<String, Value>) -> Map<String, Value> {
    let choices: Vec<Value> = match map.remove("choices") {
        Some(Value::Array(list)) => list,
        Some(Value::Object(one))
            if ["delta", "message", "text", "finish_reason"].iter().any(|key| one.contains_key(*key)) =>
        {
            vec![Value::Object(one)]
        }
        Some(Value::Object(numbered)) => numbered.into_iter().map(|(_, choice)| choice).collect(),
        _ => Vec::new(),
    };
    let choices = choices.into_iter().filter_map(|choice| match choice {
        Value::Object(choice) => Some(Value::Object(self::choice(choice))),
        _ => None,
    });
    let mut event = Map::new();
    event.insert("choices".to_owned(), Value::Array(choices.collect()));
    if let Some(Value::Object(mut usage)) = map.remove("usage") {
        let details = usage.remove("prompt_tokens_details");
        let mut known = figures(&usage, &["prompt_tokens", "completion_tokens"]);
        if let Some(Value::Object(details)) = details {
            known.insert("prompt_tokens_details".to_owned(), figures(&details, &["cached_tokens"]).into());
        }
        event.insert("usage".to_owned(), known.into());
    }
    of_llama(&map, &mut event);
    event
}

fn choice(mut map: Map<String, Value>) -> Map<String, Value> {
    let mut choice = Map::new();
    if let Some(index) = map.get("index").and_then(Value::as_u64).filter(|index| u32::try_from(*index).is_ok()) {
        choice.insert("index".to_owned(), index.into());
    }
    for key in ["delta", "message"] {
        match map.remove(key) {
            Some(Value::Object(fields)) => choice.insert(key.to_owned(), said(fields).into()),
            Some(Value::String(text)) => choice.insert(key.to_owned(), json!({ "content": text })),
            _ => None,
        };
    }
    insert(&mut choice, "text", map.get("text").and_then(text_of));
    insert(&mut choice, "finish_reason", map.get("finish_reason").and_then(reason_of));
    choice
}

/// A delta or a message.
fn said(mut map: Map<String, Value>) -> Map<String, Value> {
    let mut fields = Map::new();
    for key in ["reasoning_content", "reasoning", "thinking"] {
        insert(&mut fields, key, map.get(key).and_then(text_of));
    }
    if let Some(content) = map.get("content") {
        if fields.is_empty() {
            insert(&mut fields, "thinking", parts(content, Part::Thinking));
        }
        insert(&mut fields, "content", text_of(content));
    }
    let calls = match map.remove("tool_calls") {
        Some(Value::Array(list)) => list,
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    };
    let older = map.remove("function_call").filter(Value::is_object).map(|function| json!({ "function": function }));
    let calls: Vec<Value> = calls.into_iter().chain(older).filter_map(call).collect();
    if !calls.is_empty() {
        fields.insert("tool_calls".to_owned(), calls.into());
    }
    fields
}

fn call(call: Value) -> Option<Value> {
    let Value::Object(mut map) = call else { return None };
    let mut fields = Map::new();
    if let Some(index) = map.get("index").and_then(Value::as_u64).filter(|index| u32::try_from(*index).is_ok()) {
        fields.insert("index".to_owned(), index.into());
    }
    insert(&mut fields, "id", map.get("id").and_then(text_of));
    // Some have name and arguments without a function around them.
    let function = match map.remove("function") {
        Some(Value::Object(function)) => function,
        _ => map,
    };
    let mut known = Map::new();
    insert(&mut known, "name", function.get("name").and_then(text_of));
    if let Some(arguments) = function.get("arguments") {
        known.insert("arguments".to_owned(), arguments.clone());
    }
    fields.insert("function".to_owned(), known.into());
    Some(fields.into())
}

fn completion(map: Map<String, Value>) -> Map<String, Value> {
    let mut event = figures(&map, &["tokens_predicted", "tokens_evaluated"]);
    insert(&mut event, "content", map.get("content").and_then(text_of));
    insert(&mut event, "stop_type", map.get("stop_type").and_then(reason_of));
    for key in ["stop", "stopped_limit"] {
        event.insert(key.to_owned(), map.get(key).is_some_and(is_yes).into());
    }
    of_llama(&map, &mut event);
    event
}

fn ollama(mut map: Map<String, Value>) -> Map<String, Value> {
    let mut line = figures(
        &map,
        &[
            "total_duration",
            "load_duration",
            "prompt_eval_count",
            "prompt_eval_cached_count",
            "prompt_eval_duration",
            "eval_count",
            "eval_duration",
        ],
    );
    for key in ["response", "thinking"] {
        insert(&mut line, key, map.get(key).and_then(text_of));
    }
    insert(&mut line, "done_reason", map.get("done_reason").and_then(reason_of));
    line.insert("done".to_owned(), map.get("done").is_some_and(is_yes).into());
    // A string alone may be of anything, as of how the server stands.
    let is_answer = ["done", "model"].iter().any(|key| map.contains_key(*key));
    match map.remove("message") {
        Some(Value::Object(fields)) => line.insert("message".to_owned(), said(fields).into()),
        Some(Value::String(text)) if is_answer => line.insert("message".to_owned(), json!({ "content": text })),
        _ => None,
    };
    line
}

/// What only llama.cpp tells.
fn of_llama(map: &Map<String, Value>, event: &mut Map<String, Value>) {
    if let Some(Value::Object(timings)) = map.get("timings") {
        let mut known = figures(timings, &["cache_n", "prompt_n", "predicted_n"]);
        if let Some(ms) = timings.get("predicted_ms").filter(|ms| ms.is_number()) {
            known.insert("predicted_ms".to_owned(), ms.clone());
        }
        event.insert("timings".to_owned(), known.into());
    }
    if let Some(Value::Object(progress)) = map.get("prompt_progress") {
        let known = figures(progress, &["total", "processed"]);
        if known.len() == 2 {
            event.insert("prompt_progress".to_owned(), known.into());
        }
    }
}

fn insert(map: &mut Map<String, Value>, key: &str, text: Option<String>) {
    if let Some(text) = text {
        map.insert(key.to_owned(), text.into());
    }
}

fn figures(map: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let known = names.iter().filter_map(|name| Some(((*name).to_owned(), map.get(*name)?.as_u64()?.into())));
    known.collect()
}

/// A reason: a word; any other value is one that is not known.
fn reason_of(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(reason) => Some(reason.clone()),
        other => Some(other.to_string()),
    }
}

fn is_yes(value: &Value) -> bool {
    match value {
        Value::Bool(is) => *is,
        Value::String(word) => word.eq_ignore_ascii_case("true"),
        other => other.as_u64() == Some(1),
    }
}

/// Which parts of a text in parts.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Thinking,
    Answer,
}

/// Text: a string, a number that was meant as one, or parts of an answer.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        parts => self::parts(parts, Part::Answer),
    }
}

/// The text of the parts of one kind: `[{"type":"text","text":"…"},{"type":"thinking","thinking":[…]}]`.
fn parts(value: &Value, which: Part) -> Option<String> {
    let parts = match value {
        Value::Array(parts) => parts.as_slice(),
        part @ Value::Object(_) => std::slice::from_ref(part),
        _ => return None,
    };
    let text: String = parts
        .iter()
        .filter_map(|part| {
            let Value::Object(part) = part else {
                return text_of(part).filter(|_| which == Part::Answer);
            };
            let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
            let is = if kind.contains("think") || kind.contains("reason") { Part::Thinking } else { Part::Answer };
            let text = ["text", "content", "thinking", "reasoning"].iter().find_map(|key| part.get(*key))?;
            text_of(text).filter(|_| is == which)
        })
        .collect();
    (!text.is_empty()).then_some(text)
}

/// JSON as some servers write it made JSON: control characters in strings, halves of surrogate pairs (a server that cuts a
/// character in two), and numbers that there are none of (`NaN`, `Infinity`, 10^400).
pub(in crate::engine::providers) fn tidied(text: &str) -> String {
    let (mut tidy, mut rest, mut place) = (String::with_capacity(text.len()), text, Place::Outside);
    while let Some(c) = rest.chars().next() {
        let taken = match (place, c) {
            (Place::Outside, '"') => {
                place = Place::Inside;
                &rest[..1]
            }
            (Place::Inside, '"') => {
                place = Place::Outside;
                &rest[..1]
            }
            (Place::Outside, c) if c.is_ascii_alphanumeric() || "+-.".contains(c) => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(rest.len());
                tidy.push_str(literal(&rest[..end]));
                rest = &rest[end..];
                continue;
            }
            (Place::Inside, '\\') => match surrogate(rest) {
                Some(_) if surrogate(&rest[6..]).is_some_and(|low| low >= 0xdc00) && surrogate(rest) < Some(0xdc00) => {
                    &rest[..12]
                }
                Some(_) => {
                    tidy.push('\u{fffd}');
                    rest = &rest[6..];
                    continue;
                }
                None => &rest[..1 + rest[1..].chars().next().map_or(0, char::len_utf8)],
            },
            (Place::Inside, c) if c < ' ' => {
                tidy.push_str(&format!("\\u{:04x}", u32::from(c)));
                rest = &rest[1..];
                continue;
            }
            _ => &rest[..c.len_utf8()],
        };
        tidy.push_str(taken);
        rest = &rest[taken.len()..];
    }
    tidy
}

#[derive(Clone, Copy)]
enum Place {
    Outside,
    Inside,
}

/// The half of a surrogate pair that `text` begins with, as `\ud83d`.
fn surrogate(text: &str) -> Option<u32> {
    let code = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(code, 16).ok().filter(|code| (0xd800..0xe000).contains(code))
}

fn literal(word: &str) -> &str {
    match word {
        "true" | "True" => "true",
        "false" | "False" => "false",
        _ if word.parse().is_ok_and(f64::is_finite) => word,
        _ => "null",
    }
}

#[cfg(test)]
mod tests {
    use super::tidied;

    #[test]
    fn json_stays_as_it_is_and_what_is_nearly_json_becomes_it() {
        for whole in [r#"{"a":[1,-2.5e3,true,null],"b":"\"\\ü\ud83d\ude00\u00e4 NaN"}"#, "", "[]", r#""x"#] {
            assert_eq!(tidied(whole), whole);
        }
        assert_eq!(tidied(r#"{"a":NaN,"b":-Infinity,"c":1e999,"d":True}"#), r#"{"a":null,"b":null,"c":null,"d":true}"#);
        assert_eq!(tidied(r#""a\ud83d""#), "\"a\u{fffd}\"");
        assert_eq!(tidied(r#""\ude00b\ud83d\u0041""#), "\"\u{fffd}b\u{fffd}\\u0041\"");
        assert_eq!(tidied("\"a\tb\""), "\"a\\u0009b\"");
    }
}
