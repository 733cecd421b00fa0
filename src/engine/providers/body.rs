//! A [`Request`] as each server wants it written: path and JSON. Every request streams.
//!
//! Not here: what the answer looks like (`decode`). A body is sent whole, with its length: mlx refuses chunked ones.

use serde::Serialize;
use serde_json::Value;

use super::request::{AnswerFormat, Request};
use crate::domain::fleet::{Api, Protocol};
use crate::domain::protocol::{Level, LevelSupport, Speaker};

/// Path and body.
pub(super) type Written = (&'static str, Vec<u8>);

/// Path and body of `request`.
pub(super) fn written(request: &Request) -> Result<Written, serde_json::Error> {
    Ok(match (request.endpoint.protocol, request.endpoint.api) {
        (Protocol::LlamaCpp, Api::Native) => ("/completion", serde_json::to_vec(&completion(request))?),
        (Protocol::LlamaCpp, Api::Chat) => ("/v1/chat/completions", serde_json::to_vec(&llama_chat(request))?),
        (Protocol::Ollama, Api::Chat) => ("/api/chat", serde_json::to_vec(&ollama_chat(request))?),
        (Protocol::Ollama, Api::Native) => ("/api/generate", serde_json::to_vec(&ollama_generate(request))?),
        (Protocol::OpenAi | Protocol::Command, Api::Chat) => {
            ("/v1/chat/completions", serde_json::to_vec(&openai_chat(request))?)
        }
        (Protocol::OpenAi | Protocol::Command, Api::Native) => {
            ("/v1/completions", serde_json::to_vec(&openai_completion(request))?)
        }
    })
}

#[derive(Serialize)]
struct Said<'a> {
    role: Speaker,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

const WITH_USAGE: StreamOptions = StreamOptions { include_usage: true };

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: NamedSchema<'a>,
}

/// llama.cpp constrains only this nested form; the flat one of its README is silently ignored.
#[derive(Serialize)]
struct NamedSchema<'a> {
    name: &'static str,
    schema: &'a Value,
}

#[derive(Default, Serialize)]
struct TemplateArguments {
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    /// Must be a JSON boolean: llama.cpp answers 400 to a string.
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_thinking: Option<bool>,
}

#[derive(Serialize)]
struct Chat<'a> {
    model: &'a str,
    messages: Vec<Said<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    max_tokens: u32,
    temperature: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_template_kwargs: Option<TemplateArguments>,
    #[serde(flatten)]
    llama: Option<LlamaOnly>,
}

/// What only llama.cpp knows.
#[derive(Serialize)]
struct LlamaOnly {
    /// Shows how far the prompt is read; and a dropped stream is noticed within one batch instead of seconds (measured).
    return_progress: bool,
    cache_prompt: bool,
    /// Thinking is ended after so many tokens. Builds that don't know it pass it over, as they do every unknown field.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_budget_tokens: Option<u32>,
}

const LLAMA_ONLY: LlamaOnly = LlamaOnly { return_progress: true, cache_prompt: true, reasoning_budget_tokens: None };

fn messages(request: &Request) -> Vec<Said<'_>> {
    request.messages.iter().map(|(role, content)| Said { role: *role, content }).collect()
}

fn response_format(request: &Request) -> Option<ResponseFormat<'_>> {
    schema(request)
        .map(|schema| ResponseFormat { r#type: "json_schema", json_schema: NamedSchema { name: "answer", schema } })
}

fn schema(request: &Request) -> Option<&Value> {
    match &request.format {
        AnswerFormat::Text => None,
        AnswerFormat::Json(schema) => Some(schema),
    }
}

fn thinks(level: Level) -> bool {
    level != Level::Low
}

/// How much of an answer's tokens may go into thinking, which counts among them: a model that thinks through all of them
/// has answered nothing. Where a level only switches, this is what tells medium from high.
fn budget(request: &Request) -> Option<u32> {
    let thinks = match request.level_support {
        LevelSupport::None => false,
        LevelSupport::Switch | LevelSupport::Unknown => thinks(request.level),
        LevelSupport::Graded => true,
    };
    let (part, of) = match request.level {
        Level::Low => (1, 8),
        Level::Medium => (1, 2),
        Level::High => (3, 4),
    };
    thinks.then(|| (u64::from(request.max_tokens) * part / of).try_into().unwrap_or(u32::MAX))
}

/// A grade at the top level, which goes before the template's argument of that name and reaches templates that take it
/// under another one. Not where a level only switches: `none` is the only word that counts there.
fn effort(request: &Request) -> Option<&'static str> {
    matches!(request.level_support, LevelSupport::Graded | LevelSupport::Unknown).then(|| request.level.word())
}

/// llama.cpp passes unknown template arguments on to the template, which ignores them: both may be sent blindly.
fn template_arguments(request: &Request) -> Option<TemplateArguments> {
    let (effort, thinking) = (Some(request.level.word()), Some(thinks(request.level)));
    match request.level_support {
        LevelSupport::Graded => Some(TemplateArguments { reasoning_effort: effort, enable_thinking: None }),
        LevelSupport::Switch => Some(TemplateArguments { reasoning_effort: None, enable_thinking: thinking }),
        LevelSupport::Unknown => Some(TemplateArguments { reasoning_effort: effort, enable_thinking: thinking }),
        LevelSupport::None => None,
    }
}

fn llama_chat(request: &Request) -> Chat<'_> {
    Chat {
        model: &request.endpoint.model,
        messages: messages(request),
        stream: true,
        stream_options: WITH_USAGE,
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        response_format: response_format(request),
        reasoning_effort: effort(request),
        chat_template_kwargs: template_arguments(request),
        llama: Some(LlamaOnly { reasoning_budget_tokens: budget(request), ..LLAMA_ONLY }),
    }
}

/// An unknown OpenAI-compatible server may refuse a field it does not know, so a level is sent only where it is known to
/// count; graded in both places, since vLLM reads the one and mlx only the other.
fn openai_chat(request: &Request) -> Chat<'_> {
    let known = request.level_support != LevelSupport::Unknown;
    Chat {
        reasoning_effort: (request.level_support == LevelSupport::Graded).then(|| request.level.word()),
        chat_template_kwargs: if known { template_arguments(request) } else { None },
        llama: None,
        ..llama_chat(request)
    }
}

#[derive(Serialize)]
struct Completion<'a> {
    prompt: String,
    stream: bool,
    n_predict: u32,
    temperature: f32,
    stop: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<&'a Value>,
    #[serde(flatten)]
    llama: LlamaOnly,
}

fn completion(request: &Request) -> Completion<'_> {
    Completion {
        prompt: transcript(&request.messages),
        stream: true,
        n_predict: request.max_tokens,
        temperature: request.temperature,
        stop: STOP,
        json_schema: schema(request),
        llama: LLAMA_ONLY,
    }
}

#[derive(Serialize)]
struct OpenAiCompletion<'a> {
    model: &'a str,
    prompt: String,
    stream: bool,
    stream_options: StreamOptions,
    max_tokens: u32,
    temperature: f32,
    stop: [&'static str; 1],
}

fn openai_completion(request: &Request) -> OpenAiCompletion<'_> {
    OpenAiCompletion {
        model: &request.endpoint.model,
        prompt: transcript(&request.messages),
        stream: true,
        stream_options: WITH_USAGE,
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        stop: STOP,
    }
}

/// Where the model would begin to speak for the user.
const STOP: [&str; 1] = ["\nUser:"];

/// A conversation as plain text, for forms without a chat template: the system text, then who said what.
fn transcript<'a>(messages: impl IntoIterator<Item = &'a (Speaker, String)>) -> String {
    let mut text = String::new();
    for (speaker, words) in messages {
        match speaker {
            Speaker::System => {}
            Speaker::User => text.push_str("User: "),
            Speaker::Assistant => text.push_str("Assistant: "),
            Speaker::Tool => text.push_str("Tool: "),
        }
        text.push_str(words.trim_end());
        text.push_str("\n\n");
    }
    text.push_str("Assistant:");
    text
}

#[derive(Serialize)]
#[serde(untagged)]
enum Think {
    Grade(&'static str),
    Switch(bool),
}

#[derive(Serialize)]
struct Options {
    /// Without it Ollama takes its own default, and cuts a long conversation silently.
    #[serde(skip_serializing_if = "is_zero")]
    num_ctx: u32,
    num_predict: u32,
    temperature: f32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[derive(Serialize)]
struct Ollama<'a, T> {
    model: &'a str,
    #[serde(flatten)]
    text: T,
    stream: bool,
    /// At the top level; inside `options` it is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a Value>,
    options: Options,
}

#[derive(Serialize)]
struct Messages<'a> {
    messages: Vec<Said<'a>>,
}

#[derive(Serialize)]
struct Prompt {
    prompt: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
}

fn ollama<T>(request: &Request, text: T) -> Ollama<'_, T> {
    Ollama {
        model: &request.endpoint.model,
        text,
        stream: true,
        // A model without thinking answers 400 to any level, so an unknown one gets none.
        think: match request.level_support {
            LevelSupport::Graded => Some(Think::Grade(request.level.word())),
            LevelSupport::Switch => Some(Think::Switch(thinks(request.level))),
            LevelSupport::None | LevelSupport::Unknown => None,
        },
        format: schema(request),
        options: Options {
            num_ctx: request.endpoint.context,
            num_predict: request.max_tokens,
            temperature: request.temperature,
        },
    }
}

fn ollama_chat(request: &Request) -> Ollama<'_, Messages<'_>> {
    ollama(request, Messages { messages: messages(request) })
}

/// Ollama applies the model's template to `prompt`: a single question goes as it is, a conversation as a transcript.
fn ollama_generate(request: &Request) -> Ollama<'_, Prompt> {
    let (system, said): (Vec<_>, Vec<_>) = request.messages.iter().partition(|(who, _)| *who == Speaker::System);
    let system: Vec<&str> = system.iter().map(|(_, text)| text.as_str()).collect();
    let prompt = match said.as_slice() {
        [(Speaker::User, text)] => text.clone(),
        said => transcript(said.iter().copied()),
    };
    ollama(request, Prompt { prompt, system: system.join("\n\n") })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::request;
    use super::{AnswerFormat, Api, Level, LevelSupport, Protocol, Request, Speaker, written};

    fn body(request: &Request) -> (&'static str, Value) {
        let (path, bytes) = written(request).unwrap();
        (path, serde_json::from_slice(&bytes).unwrap())
    }

    #[test]
    fn llama_chat_asks_for_progress_and_usage() {
        let mut request = request(Protocol::LlamaCpp, "http://127.0.0.1:1");
        request.format = AnswerFormat::Json(json!({"type": "object"}));
        assert_eq!(
            body(&request),
            (
                "/v1/chat/completions",
                json!({
                    "model": "m", "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}],
                    "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 64, "temperature": 0.25,
                    "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
                    "reasoning_effort": "low",
                    "chat_template_kwargs": {"reasoning_effort": "low", "enable_thinking": false},
                    "return_progress": true, "cache_prompt": true
                })
            )
        );
    }

    #[test]
    fn levels_reach_each_server_in_its_own_place() {
        use {LevelSupport as S, Protocol as P};
        let cases = [
            (
                P::LlamaCpp,
                S::Graded,
                json!({"reasoning_effort": "low", "chat_template_kwargs": {"reasoning_effort": "low"}}),
            ),
            (P::LlamaCpp, S::Switch, json!({"chat_template_kwargs": {"enable_thinking": false}})),
            (P::LlamaCpp, S::None, json!({})),
            (P::Ollama, S::Graded, json!({"think": "low"})),
            (P::Ollama, S::Switch, json!({"think": false})),
            (P::Ollama, S::None, json!({})),
            (P::Ollama, S::Unknown, json!({})),
            (
                P::OpenAi,
                S::Graded,
                json!({"reasoning_effort": "low", "chat_template_kwargs": {"reasoning_effort": "low"}}),
            ),
            (P::OpenAi, S::Switch, json!({"chat_template_kwargs": {"enable_thinking": false}})),
            (P::OpenAi, S::None, json!({})),
            (P::OpenAi, S::Unknown, json!({})),
        ];
        for (protocol, support, expected) in cases {
            let mut request = request(protocol, "http://127.0.0.1:1");
            (request.level, request.level_support) = (Level::Low, support);
            let (_, mut got) = body(&request);
            let fields = got.as_object_mut().unwrap();
            fields.retain(|key, _| ["think", "reasoning_effort", "chat_template_kwargs"].contains(&key.as_str()));
            assert_eq!(got, expected, "{protocol:?} {support:?}");
        }
    }

    #[test]
    fn every_level_counts_at_llama_cpp_and_leaves_room_for_the_answer() {
        use {Level as L, LevelSupport as S};
        let sent = |support: S, level: L| {
            let mut request = request(Protocol::LlamaCpp, "http://127.0.0.1:1");
            (request.level, request.level_support, request.max_tokens) = (level, support, 1000);
            let (_, body) = body(&request);
            (body["reasoning_effort"].as_str().map(str::to_owned), body["reasoning_budget_tokens"].as_u64())
        };
        let levels = [L::Low, L::Medium, L::High];
        let word = |word: &str| Some(word.to_owned());
        assert_eq!(
            levels.map(|l| sent(S::Graded, l)),
            [(word("low"), Some(125)), (word("medium"), Some(500)), (word("high"), Some(750))]
        );
        assert_eq!(levels.map(|l| sent(S::Switch, l)), [(None, None), (None, Some(500)), (None, Some(750))]);
        assert_eq!(levels.map(|l| sent(S::None, l)), [(None, None), (None, None), (None, None)]);
        // Only llama.cpp is sent a budget.
        let mut request = request(Protocol::OpenAi, "http://127.0.0.1:1");
        (request.level, request.level_support) = (L::High, S::Graded);
        assert!(body(&request).1.get("reasoning_budget_tokens").is_none());
    }

    #[test]
    fn ollama_gets_its_context_and_schema() {
        let mut request = request(Protocol::Ollama, "http://127.0.0.1:1");
        request.format = AnswerFormat::Json(json!({"type": "object"}));
        let (path, got) = body(&request);
        assert_eq!(path, "/api/chat");
        assert_eq!(got["options"], json!({"num_ctx": 4096, "num_predict": 64, "temperature": 0.25}));
        assert_eq!((&got["format"], &got["stream"]), (&json!({"type": "object"}), &json!(true)));
        request.endpoint.api = Api::Native;
        let (path, got) = body(&request);
        assert_eq!((path, &got["prompt"], &got["system"]), ("/api/generate", &json!("Q"), &json!("S")));
    }

    #[test]
    fn native_forms_get_a_transcript() {
        let mut request = request(Protocol::LlamaCpp, "http://127.0.0.1:1");
        request.endpoint.api = Api::Native;
        request.messages.push((Speaker::Assistant, "A".to_owned()));
        request.messages.push((Speaker::User, "Q2".to_owned()));
        let (path, got) = body(&request);
        assert_eq!(path, "/completion");
        assert_eq!(got["prompt"], "S\n\nUser: Q\n\nAssistant: A\n\nUser: Q2\n\nAssistant:");
        assert_eq!((&got["n_predict"], &got["stop"]), (&json!(64), &json!(["\nUser:"])));
        request.endpoint.protocol = Protocol::OpenAi;
        assert_eq!(body(&request).0, "/v1/completions");
    }
}
