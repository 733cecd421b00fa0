//! What can go wrong with a request, told apart: [`Fault`] is what came, [`ProviderError`] is that with the endpoint's
//! name in it, ready for the journal.
//!
//! One place decides kind and remedy, from three facts: the HTTP status (or the code inside an error object), the
//! server's words, and the protocol. Sources: the servers' own error tables as recorded in `tests/wire`.
//! Invariant: every message says what was asked of what, what came, and how to mend it.

use std::borrow::Cow;
use std::error::Error as _;

use serde_json::Value;

use super::secret::Redactor;
use crate::domain::fleet::{Endpoint, Protocol};
use crate::domain::protocol::{Failure, FailureKind, Remedy, Told};
use crate::domain::text::CleanText;

/// A request's failure, ready for the journal.
pub type ProviderError = Failure;

/// The most characters of a server's own words in a message: enough for any known one.
const MOST_WORDS: usize = 400;

/// What went wrong, without saying where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What went wrong.
    pub kind: FailureKind,
    /// What is to be done.
    pub remedy: Remedy,
    /// What came, in words.
    pub came: String,
    /// How to mend it, in words.
    pub mend: Cow<'static, str>,
    /// Figures told along with it.
    pub told: Told,
}

impl Fault {
    pub(super) fn new(kind: FailureKind, remedy: Remedy, came: impl Into<String>, mend: &'static str) -> Self {
        Self { kind, remedy, came: came.into(), mend: Cow::Borrowed(mend), told: Told::default() }
    }

    /// The connection ended before the answer did.
    pub(super) fn cut(came: impl Into<String>) -> Self {
        Self::new(
            FailureKind::Cut,
            Remedy::RetryHere,
            came,
            "it is tried again; look at the server's log if it stays so",
        )
    }

    /// What came is no answer of the protocol.
    pub(super) fn garbage(came: impl Into<String>) -> Self {
        Self::new(
            FailureKind::Garbage,
            Remedy::Elsewhere,
            came,
            "check that url and protocol in fleet.toml name this server",
        )
    }

    /// No byte for too long.
    pub(super) fn silent(seconds: u64) -> Self {
        Self::new(
            FailureKind::Silent,
            Remedy::Elsewhere,
            format!("the stream sent nothing for {seconds} s"),
            "the server may be stopping or overloaded; see its log",
        )
    }

    /// What an error answer means: its HTTP status and its body, which may be JSON or not.
    pub fn of_answer(protocol: Protocol, status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let words = match serde_json::from_str::<Value>(text.trim()) {
            Ok(value) => Words::of(&value),
            Err(_) => Words { message: text.trim().to_owned(), ..Words::default() },
        };
        classify(protocol, status, &words, Where::Answer)
    }

    /// The same fault, with the wait its server asked for (`Retry-After`) in its words.
    pub(super) fn with_wait(mut self, seconds: u64) -> Self {
        if matches!(self.kind, FailureKind::Busy | FailureKind::Loading) {
            self.came.push_str(&format!(" and asks for a wait of {seconds} s"));
        }
        self
    }

    /// What an error object inside an accepted stream means: the value of its `error` key.
    pub(super) fn of_stream(protocol: Protocol, error: &str) -> Self {
        let value = serde_json::from_str(error).unwrap_or_else(|_| Value::String(error.to_owned()));
        let words = Words::of(&value);
        classify(protocol, words.code.unwrap_or(500), &words, Where::Stream)
    }

    /// The endpoint's url is none.
    pub(super) fn of_url(words: &dyn std::fmt::Display) -> Self {
        Self::new(
            FailureKind::Refused,
            Remedy::Operator,
            format!("the request could not be made: {words}"),
            "mend the endpoint's url in fleet.toml",
        )
    }

    /// What a transport error means.
    pub(super) fn of_transport(error: &reqwest::Error) -> Self {
        let words = chain(error);
        if error.is_builder() || error.is_request() && words.contains("invalid URL") {
            return Self::of_url(&words);
        }
        if let Some(fault) = Self::of_tls(&words) {
            return fault;
        }
        if words.contains("lookup address") || words.contains("dns error") {
            return Self::new(
                FailureKind::Unreachable,
                Remedy::Elsewhere,
                format!("there is no host of that name: {words}"),
                "mend the host in the endpoint's url; a Mac in the same network is NAME.local",
            );
        }
        // What hyper says of bytes that begin no HTTP answer: an alert of TLS, most often.
        if words.contains("invalid HTTP") {
            return Self::new(
                FailureKind::Garbage,
                Remedy::Operator,
                format!("what came is no HTTP: {words}"),
                "if the server has a certificate, its url begins with https://; else check the port",
            );
        }
        if error.is_connect() || error.is_timeout() {
            return Self::new(
                FailureKind::Unreachable,
                Remedy::Elsewhere,
                format!("no connection: {words}"),
                "start the server, or mend the endpoint's url in fleet.toml",
            );
        }
        Self::cut(format!("the connection broke: {words}"))
    }

    /// What went wrong with TLS, in rustls's words.
    fn of_tls(words: &str) -> Option<Self> {
        let is = |came: String, mend| Some(Self::new(FailureKind::Unreachable, Remedy::Operator, came, mend));
        let low = words.to_ascii_lowercase();
        if words.contains("InvalidContentType") || low.contains("corrupt message") {
            return is(
                format!("what came is no TLS: {words}"),
                "the server speaks plain http: write http:// in its url, or check the port",
            );
        }
        if !low.contains("certificate") {
            return None;
        }
        if low.contains("not valid for name") || words.contains("NotValidForName") {
            return is(
                format!("the server's certificate is for another host: {words}"),
                "write the name that is in the certificate into the url",
            );
        }
        if low.contains("expired") {
            return is(
                format!("the server's certificate has expired: {words}"),
                "renew it there, or set the clock of this machine",
            );
        }
        is(
            format!("the server's certificate is not trusted: {words}"),
            "trust its authority on this machine (its keychain; on Linux its store, or SSL_CERT_FILE), or use http in a network of your own",
        )
    }

    /// The connection broke while the answer came.
    pub(super) fn of_broken_body(error: &reqwest::Error) -> Self {
        Self::cut(format!("the connection broke in the middle of the answer: {}", chain(error)))
    }

    /// The failure at `endpoint`, with known secrets replaced.
    pub(super) fn at(self, endpoint: &Endpoint, redactor: &Redactor) -> ProviderError {
        let message = format!(
            "Request to {} at {} failed: {}. Mend: {}.",
            endpoint.title(),
            without_password(&endpoint.url),
            self.came.trim().trim_end_matches('.'),
            self.mend
        );
        Failure { told: self.told, ..Failure::new(self.kind, self.remedy, CleanText::new(&redactor.text(&message))) }
    }
}

/// An URL as it may be shown: without user and password.
fn without_password(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else { return Cow::Borrowed(url) };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => Cow::Owned(format!("{scheme}://{}", &rest[at + 1..])),
        None => Cow::Borrowed(url),
    }
}

/// The last cause of an error says most ("Connection refused"); the first says on what.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut last = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        last = cause.to_string();
        source = cause.source();
    }
    last
}

/// Where an error came: as the answer, or inside a stream that had begun.
#[derive(Clone, Copy, PartialEq)]
enum Where {
    Answer,
    Stream,
}

/// What a server said, as far as it can be told apart.
#[derive(Debug, Default)]
struct Words {
    message: String,
    kind: String,
    code: Option<u16>,
    context: Option<u64>,
}

impl Words {
    /// The words of an error: an object, a string, or JSON inside a string, with or without the `error` key around.
    fn of(value: &Value) -> Self {
        Self::within(value, 0)
    }

    /// Three levels are the most ever seen: `{"error": "{\"error\": {…}}"}`; five is where it stops.
    fn within(value: &Value, depth: u8) -> Self {
        match value {
            Value::String(text) if depth < 5 && text.trim_start().starts_with('{') => {
                match serde_json::from_str::<Value>(text) {
                    Ok(inner) => Self::within(&inner, depth + 1),
                    Err(_) => Self { message: text.clone(), ..Self::default() },
                }
            }
            Value::String(text) => Self { message: text.clone(), ..Self::default() },
            Value::Object(map) => {
                if let Some(inner) = map.get("error").filter(|e| !e.is_null())
                    && depth < 5
                {
                    return Self::within(inner, depth + 1);
                }
                let message = ["message", "detail", "msg"].iter().find_map(|key| map.get(*key));
                let code = map.get("code").and_then(|code| match code {
                    Value::Number(n) => n.as_u64().and_then(|n| u16::try_from(n).ok()),
                    Value::String(s) => s.parse().ok(),
                    _ => None,
                });
                Self {
                    message: match message {
                        Some(Value::String(text)) => text.clone(),
                        Some(other) => other.to_string(),
                        None => value.to_string(),
                    },
                    kind: map.get("type").and_then(Value::as_str).unwrap_or_default().to_owned(),
                    code: code.filter(|code| (300..600).contains(code)),
                    context: map.get("n_ctx").and_then(Value::as_u64),
                }
            }
            other => Self { message: other.to_string(), ..Self::default() },
        }
    }
}

fn classify(protocol: Protocol, status: u16, words: &Words, place: Where) -> Fault {
    use {FailureKind as K, Remedy as R};
    let said: String = words.message.chars().take(MOST_WORDS).collect();
    let low = said.to_lowercase();
    let came = match (place, said.is_empty()) {
        (Where::Stream, _) => format!("the stream broke off with the error “{said}”"),
        (Where::Answer, true) => format!("it answered {status} without a word"),
        (Where::Answer, false) => format!("it answered {status} “{said}”"),
    };
    let is = |kind, remedy, mend| Fault::new(kind, remedy, came.clone(), mend);

    if words.kind == "exceed_context_size_error" || words.context.is_some() || is_about_context(&low) {
        // Slots that share one pool of context all die together when it is full; alone the request may well fit.
        return if place == Where::Stream && low.starts_with("context size has been exceeded") {
            is(K::Context, R::RetryHere, "start llama-server with -np N, so that slots do not share one context")
        } else {
            is(K::Context, R::Elsewhere, "give the task a smaller prompt, or the server a larger context")
        };
    }
    if low.starts_with("[json.exception")
        || low.contains("image input is not supported")
        || low.starts_with("invalid format")
        || low.starts_with("option \"")
    {
        return is(K::Refused, R::Operator, "the request does not suit this server; see the endpoint in fleet.toml");
    }
    if is_missing_model(protocol, status, &words.kind, &low) {
        return is(
            K::NoModel,
            R::Operator,
            match protocol {
                Protocol::Ollama => "pull it (ollama pull MODEL), or mend the endpoint's model in fleet.toml",
                _ => "load it on the server, or mend the endpoint's model in fleet.toml",
            },
        );
    }
    match status {
        300..400 => is(K::Refused, R::Operator, "the url leads elsewhere: put the final one in fleet.toml"),
        401 => is(K::Unauthorized, R::Operator, "set the endpoint's key in fleet.toml to the server's key"),
        403 if protocol == Protocol::Ollama => {
            is(K::Unauthorized, R::Operator, "Ollama refuses foreign host names: use 127.0.0.1, or set OLLAMA_HOST")
        }
        403 => {
            is(K::Unauthorized, R::Operator, "the server forbids this: check the endpoint's key and the server's flags")
        }
        404 | 405 => is(K::Refused, R::Operator, "the server has no such path: check url and protocol in fleet.toml"),
        429 => is(K::Busy, R::RetryHere, "it is tried again; fewer slots in fleet.toml avoid it"),
        501 => is(K::Refused, R::Operator, "the server was started without this: see its flags"),
        503 if low.contains("loading") => is(K::Loading, R::RetryHere, "wait until the model is loaded"),
        503 => is(K::Busy, R::RetryHere, "it is tried again; fewer slots in fleet.toml avoid it"),
        400..500 => is(K::Refused, R::Operator, "the server takes no such request: see the endpoint in fleet.toml"),
        500..600 => is(K::Server, R::Elsewhere, "see the server's log"),
        _ => is(K::Garbage, R::Elsewhere, "check that url and protocol in fleet.toml name this server"),
    }
}

fn is_about_context(low: &str) -> bool {
    [
        "available context size",
        "maximum context length",
        "context size has been exceeded",
        "context_length_exceeded",
        "context length exceeded",
        "exceeds the context",
        "prompt is too long",
        "input length exceeds",
    ]
    .iter()
    .any(|sign| low.contains(sign))
}

/// llama.cpp words every 404 "File Not Found" and a router's missing model as a 400; mlx answers 404 to any model that
/// will not load and a bare "Not Found" to a wrong path.
fn is_missing_model(protocol: Protocol, status: u16, kind: &str, low: &str) -> bool {
    let named = low.contains("model") && (low.contains("not found") || low.contains("does not exist"));
    match protocol {
        Protocol::LlamaCpp => status == 400 && named,
        Protocol::Ollama => status == 404 && named,
        Protocol::OpenAi | Protocol::Command => {
            named && matches!(status, 400 | 404)
                || status == 404
                    && (kind == "not_found_error" && low != "file not found"
                        || low.contains("snapshot folder")
                        || low.contains("repo")
                        || low.contains("hub"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;
    use crate::domain::fleet::Protocol::{LlamaCpp, Ollama, OpenAi};
    use crate::domain::protocol::FailureKind as K;
    use crate::domain::protocol::Remedy as R;

    #[test]
    fn answers_are_told_apart() {
        let cases = [
            (
                LlamaCpp,
                503,
                r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
                K::Loading,
                R::RetryHere,
            ),
            (
                LlamaCpp,
                401,
                r#"{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}"#,
                K::Unauthorized,
                R::Operator,
            ),
            (
                LlamaCpp,
                404,
                r#"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#,
                K::Refused,
                R::Operator,
            ),
            (
                LlamaCpp,
                400,
                r#"{"error":{"code":400,"message":"model 'nope' not found","type":"invalid_request_error"}}"#,
                K::NoModel,
                R::Operator,
            ),
            (
                LlamaCpp,
                500,
                r#"{"error":{"code":500,"message":"model name=x failed to load","type":"server_error"}}"#,
                K::Server,
                R::Elsewhere,
            ),
            (Ollama, 400, r#"{"error":"\"long\" does not support thinking"}"#, K::Refused, R::Operator),
            (
                Ollama,
                503,
                r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
                K::Busy,
                R::RetryHere,
            ),
            (
                OpenAi,
                429,
                r#"{"src":"llama-swap","error":{"message":"Too many requests","type":"rate_limit_error","param":null,"code":"concurrency_limit"}}"#,
                K::Busy,
                R::RetryHere,
            ),
            (
                OpenAi,
                400,
                r#"{"error":{"message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400}}"#,
                K::Context,
                R::Elsewhere,
            ),
            (
                OpenAi,
                404,
                r#"{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}}"#,
                K::NoModel,
                R::Operator,
            ),
            (OpenAi, 404, "Not Found", K::Refused, R::Operator),
            (OpenAi, 422, r#"{"detail":[{"msg":"field required"}]}"#, K::Refused, R::Operator),
            (OpenAi, 502, "<html>Bad Gateway</html>", K::Server, R::Elsewhere),
            (OpenAi, 302, "", K::Refused, R::Operator),
        ];
        for (protocol, status, body, kind, remedy) in cases {
            let fault = Fault::of_answer(protocol, status, body.as_bytes());
            assert_eq!((fault.kind, fault.remedy), (kind, remedy), "{status} {body}: {fault:?}");
            assert!(!fault.mend.is_empty() && fault.came.contains(&status.to_string()), "{fault:?}");
        }
    }

    #[test]
    fn a_shared_context_that_is_full_is_worth_another_try() {
        let fault = Fault::of_stream(
            LlamaCpp,
            r#"{"code":500,"message":"Context size has been exceeded.","type":"server_error"}"#,
        );
        assert_eq!((fault.kind, fault.remedy), (K::Context, R::RetryHere));
    }

    #[test]
    fn a_password_in_an_url_is_not_shown() {
        assert_eq!(super::without_password("http://me:pw@host:1/v1"), "http://host:1/v1");
        assert_eq!(super::without_password("http://host:1/a@b"), "http://host:1/a@b");
    }
}
