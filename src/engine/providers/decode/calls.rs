//! Tool calls, put together from fragments.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A fragment of a tool call as chat streams send it; every field may be missing.
#[derive(Debug, Deserialize)]
pub(super) struct Fragment<'a> {
    index: Option<u32>,
    id: Option<String>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    name: Option<String>,
    /// A string in OpenAI's form, an object in Ollama's.
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// The calls of one answer, in the order in which they began.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Calls {
    calls: Vec<Call>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Call {
    index: Option<u32>,
    id: String,
    name: String,
    arguments: String,
}

impl Calls {
    /// Takes a fragment in. It goes on with the call of its index, unless it carries another id: older servers put
    /// every parallel call at index 0, and then only a new id tells a new call.
    pub(super) fn push(&mut self, fragment: Fragment<'_>) {
        let id = fragment.id.unwrap_or_default();
        let known = self
            .calls
            .iter()
            .rposition(|call| fragment.index.is_none_or(|index| call.index == Some(index)))
            .filter(|&at| id.is_empty() || self.calls[at].id.is_empty() || self.calls[at].id == id);
        let at = known.unwrap_or_else(|| {
            self.calls.push(Call { index: fragment.index, ..Call::default() });
            self.calls.len() - 1
        });
        let call = &mut self.calls[at];
        if call.id.is_empty() {
            call.id = id;
        }
        let Some(function) = fragment.function else { return };
        if call.name.is_empty() {
            call.name = function.name.unwrap_or_default();
        }
        if let Some(arguments) = function.arguments {
            push_arguments(&mut call.arguments, arguments);
        }
    }

    /// Takes a call in that comes in one piece, as Ollama sends them.
    pub(super) fn push_whole(&mut self, fragment: Fragment<'_>) {
        let mut call = Call { id: fragment.id.unwrap_or_default(), ..Call::default() };
        if let Some(function) = fragment.function {
            call.name = function.name.unwrap_or_default();
            if let Some(arguments) = function.arguments {
                push_arguments(&mut call.arguments, arguments);
            }
        }
        self.calls.push(call);
    }

    /// Takes a call in that was written into the text (harmony).
    pub(super) fn push_text(&mut self, name: &str, arguments: String) {
        self.calls.push(Call { name: name.to_owned(), arguments, ..Call::default() });
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The calls as JSON `{id, name, arguments}`, and none are left.
    pub(super) fn take(&mut self) -> impl Iterator<Item = String> {
        std::mem::take(&mut self.calls).into_iter().map(|call| call.json())
    }
}

/// A JSON string is a piece of the argument text; anything else is the argument itself.
fn push_arguments(to: &mut String, arguments: &RawValue) {
    let raw = arguments.get();
    match serde_json::from_str::<String>(raw) {
        Ok(piece) => to.push_str(&piece),
        Err(_) if raw == "null" => {}
        Err(_) => to.push_str(raw),
    }
}

impl Call {
    fn json(&self) -> String {
        #[derive(Serialize)]
        struct Whole<'a, A> {
            id: &'a str,
            name: &'a str,
            arguments: A,
        }
        let (id, name) = (self.id.as_str(), self.name.as_str());
        let text = self.arguments.trim();
        let json = match serde_json::from_str::<&RawValue>(if text.is_empty() { "{}" } else { text }) {
            Ok(arguments) => serde_json::to_string(&Whole { id, name, arguments }),
            Err(_) => serde_json::to_string(&Whole { id, name, arguments: self.arguments.as_str() }),
        };
        json.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Calls;

    fn assembled(fragments: &[&str]) -> Vec<String> {
        let mut calls = Calls::default();
        for fragment in fragments {
            calls.push(serde_json::from_str(fragment).unwrap());
        }
        calls.take().collect()
    }

    #[test]
    fn fragments_are_joined_by_index() {
        assert_eq!(
            assembled(&[
                r#"{"index":0,"id":"a","type":"function","function":{"name":"get","arguments":"{"}}"#,
                r#"{"index":0,"function":{"arguments":"\"city\":\"Bristol\"}"}}"#,
                r#"{"index":1,"id":"b","function":{"name":"put","arguments":""}}"#,
            ]),
            [r#"{"id":"a","name":"get","arguments":{"city":"Bristol"}}"#, r#"{"id":"b","name":"put","arguments":{}}"#]
        );
    }

    #[test]
    fn a_new_id_at_the_same_index_is_a_new_call() {
        assert_eq!(
            assembled(&[
                r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
                r#"{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}"#,
            ])
            .len(),
            2
        );
    }

    #[test]
    fn cut_arguments_stay_text() {
        assert_eq!(
            assembled(&[r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"ci"}}"#]),
            [r#"{"id":"a","name":"f","arguments":"{\"ci"}"#]
        );
    }

    #[test]
    fn missing_fields_and_object_arguments_are_taken() {
        assert_eq!(
            assembled(&[r#"{"function":{"name":"f","arguments":{"a":1}}}"#, r#"{}"#]),
            [r#"{"id":"","name":"f","arguments":{"a":1}}"#]
        );
    }
}
