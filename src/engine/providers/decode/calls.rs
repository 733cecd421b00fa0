//! Tool calls, put together from fragments.
//!
//! Invariant: what is gathered is bounded ([`MOST_TEXT`], [`MOST_CALLS`]); once it is too much, nothing more is taken in, and
//! [`Calls::are_too_many`] says so.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The most bytes of all calls of an answer: a file that is written by a call is a tenth of it.
const MOST_TEXT: usize = 1024 * 1024;

/// The most calls of an answer. Models make a handful at once.
const MOST_CALLS: usize = 128;

/// A fragment of a tool call as chat streams send it; every field may be missing.
#[derive(Debug, Deserialize)]
pub(super) struct Fragment<'a> {
    index: Option<u32>,
    id: Option<String>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

impl<'a> Fragment<'a> {
    /// The older form, a call without index and id.
    pub(super) fn of(function: Function<'a>) -> Self {
        Self { index: None, id: None, function: Some(function) }
    }
}

/// What is called.
#[derive(Debug, Deserialize)]
pub(super) struct Function<'a> {
    name: Option<String>,
    /// A string in OpenAI's form, an object in Ollama's.
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// The calls of one answer, in the order in which they began.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Calls {
    calls: Vec<Call>,
    /// The bytes of their names and arguments.
    bytes: usize,
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
        if self.are_too_many() {
            return;
        }
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
            self.bytes += id.len();
            call.id = id;
        }
        self.bytes += call.take_in(fragment.function);
    }

    /// Takes a call in that comes in one piece, as Ollama sends them.
    pub(super) fn push_whole(&mut self, fragment: Fragment<'_>) {
        if self.are_too_many() {
            return;
        }
        let mut call = Call { id: fragment.id.unwrap_or_default(), ..Call::default() };
        self.bytes += call.id.len() + call.take_in(fragment.function);
        if call.is_one() {
            self.calls.push(call);
        }
    }

    /// A call begins that is written into the text (harmony).
    pub(super) fn begin(&mut self, name: String) {
        if !self.are_too_many() {
            self.bytes += name.len();
            self.calls.push(Call { name, ..Call::default() });
        }
    }

    /// More of the arguments of the call that began last.
    pub(super) fn go_on(&mut self, arguments: &str) {
        if !self.are_too_many()
            && let Some(call) = self.calls.last_mut()
        {
            self.bytes += arguments.len();
            call.arguments.push_str(arguments);
        }
    }

    /// Whether they are more than any answer has.
    pub(super) fn are_too_many(&self) -> bool {
        self.bytes > MOST_TEXT || self.calls.len() > MOST_CALLS
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        !self.calls.iter().any(Call::is_one)
    }

    /// The calls as JSON `{id, name, arguments}`, and none are left.
    pub(super) fn take(&mut self) -> impl Iterator<Item = String> {
        std::mem::take(&mut self.calls).into_iter().filter(Call::is_one).map(|call| call.json())
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
    /// Whether anything is called: servers send the fields of a call with nothing in them beside an answer.
    fn is_one(&self) -> bool {
        !(self.name.is_empty() && self.arguments.is_empty())
    }

    /// Takes in what a fragment has of it; how many bytes that were.
    fn take_in(&mut self, function: Option<Function<'_>>) -> usize {
        let Some(function) = function else { return 0 };
        let before = self.name.len() + self.arguments.len();
        if self.name.is_empty() {
            self.name = function.name.unwrap_or_default();
        }
        if let Some(arguments) = function.arguments {
            push_arguments(&mut self.arguments, arguments);
        }
        self.name.len() + self.arguments.len() - before
    }

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
    fn what_is_gathered_is_bounded() {
        let mut calls = Calls::default();
        for index in 0..200_000 {
            calls.push(serde_json::from_str(&format!(r#"{{"index":{index},"function":{{"name":"f"}}}}"#)).unwrap());
        }
        assert!(calls.are_too_many());
        assert_eq!(calls.take().count(), super::MOST_CALLS + 1);
        let mut calls = Calls::default();
        calls.begin("f".to_owned());
        for _ in 0..100 {
            calls.go_on(&"a".repeat(100_000));
        }
        assert!(calls.are_too_many() && calls.calls[0].arguments.len() < super::MOST_TEXT + 100_000);
    }

    #[test]
    fn what_calls_nothing_is_no_call() {
        for nothing in [r#"{}"#, r#"{"index":0,"id":"a"}"#, r#"{"function":{"name":"","arguments":""}}"#] {
            assert_eq!(assembled(&[nothing]), [""; 0], "{nothing}");
            let mut calls = Calls::default();
            for _ in 0..1000 {
                calls.push_whole(serde_json::from_str(nothing).unwrap());
            }
            assert!(calls.is_empty() && !calls.are_too_many());
        }
        let begun = [r#"{"index":0,"id":"a"}"#, r#"{"index":0,"function":{"name":"f"}}"#];
        assert_eq!(assembled(&begun), [r#"{"id":"a","name":"f","arguments":{}}"#]);
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
