//! What can go wrong with a request, told apart: [`Fault`] is what came, [`ProviderError`] is that with the endpoint's
//! name in it, ready for the journal.
//!
//! One place decides kind and remedy (`kind`), from three facts: the HTTP status (or the code inside an error object), the
//! server's words (`words`), and the protocol. Sources: the servers' own error tables as recorded in `tests/wire`.
//! Invariants: every message says what was asked of what, what came, and how to mend it, on one line; none says what is done
//! next, because that is decided elsewhere.

mod broken;
mod kind;
mod told;
mod words;

use std::borrow::Cow;
use std::time::Duration;

use self::broken::During;
pub(super) use self::broken::{Broken, chain};
use self::kind::{Where, classify};
use self::told::spoken;
pub(super) use self::told::wait_of;
pub(super) use self::words::tells;
use self::words::{Words, one_line, page};
use super::secret::Redactor;
use crate::domain::fleet::{Endpoint, Protocol};
use crate::domain::protocol::{Blame, Failure, FailureKind, Remedy, Told, Unmade};
use crate::domain::text::CleanText;

/// A request's failure, ready for the journal.
pub type ProviderError = Failure;

/// The longest wait that is kept, whatever a server asks for: what is over later than that, a probe finds out sooner.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How a message about a page begins.
const NO_SERVER: &str = "this is no model server";

/// What had not come yet when nothing came any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsaid {
    /// The head: the request may still have been queued.
    Head,
    /// The first word: the prompt was being read.
    Answer,
    /// The rest of the answer.
    Rest,
}

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

    /// No connection was made.
    fn unmade(remedy: Remedy, why: Unmade, came: String, mend: &'static str) -> Self {
        let told = Told { unmade: Some(why), ..Told::default() };
        Self { told, ..Self::new(FailureKind::Unreachable, remedy, came, mend) }
    }

    /// The connection ended before the answer did.
    pub(super) fn cut(came: impl Into<String>) -> Self {
        Self::new(FailureKind::Cut, Remedy::RetryHere, came, "look at the server's log if it stays so")
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

    /// The server ended the answer, and not with a reason that is a good end.
    pub(super) fn aborted(came: impl Into<String>) -> Self {
        Self::new(FailureKind::Aborted, Remedy::Elsewhere, came, "see the server's log")
    }

    /// What came is a page for people. `text` is of its beginning.
    pub(super) fn of_page(text: &str) -> Self {
        Self::garbage(format!("{NO_SERVER}: it answered with the page “{}”", page(text)))
    }

    /// The answer's bytes are packed.
    pub(super) fn compressed(coding: &str) -> Self {
        Self::new(
            FailureKind::Garbage,
            Remedy::Elsewhere,
            format!("the answer is compressed ({}), which was not asked for", one_line(coding, 40)),
            "switch compression off in the server, or in the proxy before it",
        )
    }

    /// No byte for `limit`.
    pub(super) fn silent(limit: Duration, unsaid: Unsaid) -> Self {
        let seconds = limit.as_secs();
        let (came, mend) = match unsaid {
            Unsaid::Head => (
                format!("nothing at all came for {seconds} s, not even the head of an answer"),
                "see whether the server runs and has a free slot; where requests wait longer in it, raise silence_seconds",
            ),
            Unsaid::Answer => (
                format!("nothing came for {seconds} s while the prompt was read, before the first word of the answer"),
                "if the server needs longer for a prompt, raise silence_seconds; else see its log",
            ),
            Unsaid::Rest => (
                format!("nothing came for {seconds} s in the middle of the answer"),
                "the server may be stopping or overloaded, see its log; silence_seconds is how long is waited",
            ),
        };
        Self::new(FailureKind::Silent, Remedy::Elsewhere, came, mend)
    }

    /// What an error answer means: its HTTP status and its body, which may be JSON or not.
    pub fn of_answer(protocol: Protocol, status: u16, body: &[u8]) -> Self {
        Self::of_reply(protocol, status, body, None)
    }

    /// The same where the head asked for a wait.
    pub(super) fn of_reply(protocol: Protocol, status: u16, body: &[u8], wait: Option<Duration>) -> Self {
        let words = Words::of_body(&String::from_utf8_lossy(body));
        classify(protocol, status, &words, Where::Answer).with_wait(wait.or_else(|| words.wait()))
    }

    /// The same fault, with the wait its server asked for. What says nothing of the server is not over after a wait.
    fn with_wait(mut self, wait: Option<Duration>) -> Self {
        if let Some(wait) = wait
            && self.kind.blame() == Blame::Server
        {
            self.told.wait_ms = u64::try_from(wait.min(LONGEST_WAIT).as_millis()).ok();
            self.came.push_str(&format!(" and asks for a wait of {}", spoken(wait)));
        }
        self
    }

    /// The same fault, with the server's name for itself where that tells what it is.
    pub(super) fn by_server(mut self, name: Option<&str>) -> Self {
        if let (Some(name), Some(rest)) = (name, self.came.strip_prefix(NO_SERVER)) {
            self.came = format!("{NO_SERVER} (it says {}){rest}", one_line(name, 40));
        }
        self
    }

    /// The same fault, with the path that was asked.
    pub(super) fn of_path(mut self, path: &str) -> Self {
        self.came = format!("{} at {}", self.came, one_line(path, 200));
        self
    }

    /// What an error inside an accepted stream means: a whole event, the value of its `error` key, or bare words.
    pub(super) fn of_stream(protocol: Protocol, error: &str) -> Self {
        let words = Words::of_body(error);
        classify(protocol, words.code.unwrap_or(500), &words, Where::Stream).with_wait(words.wait())
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
    pub(super) fn of_transport(Broken { during, words }: &Broken) -> Self {
        if *during == During::Making {
            return Self::of_url(words);
        }
        if let Some(fault) = Self::of_tls(words) {
            return fault;
        }
        if words.contains("lookup address") || words.contains("dns error") {
            return Self::unmade(
                Remedy::Elsewhere,
                Unmade::Failed,
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
        if matches!(during, During::Connecting | During::Refusal) {
            return Self::unmade(
                Remedy::Elsewhere,
                if *during == During::Refusal { Unmade::Refused } else { Unmade::Failed },
                format!("no connection: {words}"),
                "start the server, or mend the endpoint's url in fleet.toml",
            );
        }
        Self::cut(format!("the connection broke: {words}"))
    }

    /// What went wrong with TLS, in rustls's words.
    fn of_tls(words: &str) -> Option<Self> {
        let is = |came: String, mend| Some(Self::unmade(Remedy::Operator, Unmade::Failed, came, mend));
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
    pub(super) fn of_broken_body(broken: &Broken) -> Self {
        Self::cut(format!("the connection broke in the middle of the answer: {}", broken.words))
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

#[cfg(test)]
mod tests {
    use super::{Broken, Fault, Unmade};
    use crate::domain::fleet::Protocol::{LlamaCpp, Ollama, OpenAi};
    use crate::domain::protocol::FailureKind as K;
    use crate::domain::protocol::Remedy as R;

    #[tokio::test]
    async fn that_nobody_listens_is_told_from_a_gateways_word_for_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        // The first one in a process chooses the TLS implementation; a second choice is refused, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let refused = Fault::of_transport(&Broken::from(client.get(url).send().await.unwrap_err()));
        assert_eq!((refused.kind, refused.told.unmade), (K::Unreachable, Some(Unmade::Refused)), "{refused:?}");
        let gateway = Fault::of_answer(OpenAi, 502, br#"{"error":{"message":"connection refused"}}"#);
        assert_eq!((gateway.kind, gateway.told.unmade), (K::Unreachable, None));
    }

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
            (OpenAi, 502, "<html>Bad Gateway</html>", K::Unreachable, R::Elsewhere),
            (OpenAi, 302, "", K::Refused, R::Operator),
        ];
        for (protocol, status, body, kind, remedy) in cases {
            let fault = Fault::of_answer(protocol, status, body.as_bytes());
            assert_eq!((fault.kind, fault.remedy), (kind, remedy), "{status} {body}: {fault:?}");
            assert!(!fault.mend.is_empty() && fault.came.contains(&status.to_string()), "{fault:?}");
        }
    }

    /// What servers and gateways say of themselves costs no task a try, and what only the operator can mend says how.
    #[test]
    fn what_says_something_of_the_server_is_told_from_what_does_not() {
        let page = "<html><head><title>504 Gateway Time-out</title></head><body>nginx</body></html>";
        let cases = [
            (400, r#"{"error":"Model was unloaded while the request was still in queue.."}"#, K::Loading),
            (400, r#"{"error":"Failed to load model 'm'. Error: Operation canceled."}"#, K::Loading),
            (400, r#"{"error":"Failed to load model 'm'. Error: not enough memory."}"#, K::Server),
            (400, r#"{"error":"The model has crashed without additional information. (Exit code: null)"}"#, K::Server),
            (400, r#"{"error":{"message":"No models loaded. Please load a model in the developer page"}}"#, K::NoModel),
            (
                400,
                r#"{"error":{"message":"/chat/completions: Invalid model name passed in model=nope. Call `/v1/models` to view available models for your key.","type":"None","param":"None","code":"400"}}"#,
                K::NoModel,
            ),
            (
                400,
                r#"{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}"#,
                K::Unauthorized,
            ),
            (500, r#"{"error":{"message":"No api key passed in.","type":"auth_error","code":"500"}}"#, K::Unauthorized),
            (
                500,
                r#"{"error":{"message":"litellm.InternalServerError: InternalServerError: OpenAIException - Connection error.","type":null,"code":"500"}}"#,
                K::Unreachable,
            ),
            (
                503,
                r#"{"error":{"message":"litellm.ServiceUnavailableError: OpenAIException - {\"error\":{\"message\":\"Loading model\"}}","code":"503"}}"#,
                K::Loading,
            ),
            (500, r#"{"error":{"message":"OpenAIException - Loading model","code":"500"}}"#, K::Loading),
            (502, "dial tcp 127.0.0.1:9101: connect: connection refused", K::Unreachable),
            (502, "", K::Unreachable),
            (504, page, K::Server),
            (503, "<html><h1>503 Service Temporarily Unavailable</h1></html>", K::Busy),
            (503, "<html>No server is available to handle this request.</html>", K::Busy),
            (408, "", K::Server),
            (409, "{}", K::Server),
            (423, "", K::Server),
            (425, "", K::Server),
            (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, K::Busy),
            (429, r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota"}}"#, K::Refused),
            (404, "<html><title>Error response</title></html>", K::Refused),
            (501, "<html><title>Error response</title></html>", K::Refused),
        ];
        for (status, body, kind) in cases {
            let fault = Fault::of_answer(OpenAi, status, body.as_bytes());
            assert_eq!(fault.kind, kind, "{status} {body}: {fault:?}");
            let words = format!("{} {}", fault.came, fault.mend);
            assert!(!words.contains("tried again") && !words.contains(['\n', '<']), "{words}");
        }
        let fault = Fault::of_answer(OpenAi, 400, br#"{"error":"No models loaded."}"#);
        assert_eq!(fault.mend, "load it there (or `s` on the Fleet screen)");
    }

    #[test]
    fn a_foreign_page_is_one_line_and_says_what_it_is() {
        let page = "<!DOCTYPE HTML>\n<html>\n<head><style>h1 { x: y }</style><title>Error response</title></head>\n<body>\n<h1>Error response</h1>\n<p>Error code: 501</p>\n<p>Message: Unsupported method ('POST').</p></body></html>";
        let fault = Fault::of_answer(OpenAi, 501, page.as_bytes()).by_server(Some("SimpleHTTP/0.6 Python/3.12"));
        assert_eq!(
            fault.came,
            "this is no model server (it says SimpleHTTP/0.6 Python/3.12): it answered 501 with the page “Error response Error response Error code: 501 Message: Unsupported method ('POST').”"
        );
        let fault = Fault::of_answer(OpenAi, 500, "a\n\tb ".repeat(1000).as_bytes());
        assert!(fault.came.starts_with("it answered 500 “a b a b") && fault.came.chars().count() < 450, "{fault:?}");
    }

    #[test]
    fn the_wait_that_is_asked_for_is_kept_up_to_an_hour() {
        let words = br#"{"error": {"message": "No deployments available, try again in 6 seconds", "code": "429"}}"#;
        let fault = Fault::of_answer(OpenAi, 429, words);
        assert_eq!((fault.kind, fault.told.wait_ms), (K::Busy, Some(6_000)));
        assert!(fault.came.ends_with(" and asks for a wait of 6 s"), "{fault:?}");
        let wait = |seconds| Some(std::time::Duration::from_secs(seconds));
        let fault = Fault::of_reply(OpenAi, 503, b"", wait(7_200));
        assert_eq!(fault.told.wait_ms, Some(3_600_000));
        assert!(fault.came.ends_with(" and asks for a wait of 2 h"), "{fault:?}");
        let fault = Fault::of_reply(OpenAi, 429, words, wait(2));
        assert_eq!(fault.told.wait_ms, Some(2_000), "the head is more exact");
        assert_eq!(Fault::of_reply(OpenAi, 401, b"", wait(2)).told.wait_ms, None);
        assert_eq!(
            Fault::of_answer(OpenAi, 429, br#"{"error":{"message":"x","retry_after":3}}"#).told.wait_ms,
            Some(3_000)
        );
    }

    #[test]
    fn a_prompt_that_is_too_long_is_told_with_its_figures() {
        for (protocol, status, body, prompt, context) in [
            (
                LlamaCpp,
                400,
                r#"{"error":{"code":400,"message":"request (1528 tokens) exceeds the available context size (1024 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":1528,"n_ctx":1024}}"#,
                Some(1528),
                Some(1024),
            ),
            (
                Ollama,
                400,
                r#"{"error":"{\"error\":{\"code\":400,\"message\":\"x\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":13901,\"n_ctx\":4096}}"}"#,
                Some(13_901),
                Some(4096),
            ),
            (
                OpenAi,
                400,
                r#"{"error":{"message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4900 in the messages, 100 in the completion).","type":"BadRequestError","code":400}}"#,
                Some(4900),
                Some(4096),
            ),
            (
                OpenAi,
                400,
                r#"{"error":"Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."}"#,
                Some(5000),
                Some(4096),
            ),
        ] {
            let fault = Fault::of_answer(protocol, status, body.as_bytes());
            assert_eq!(
                (fault.kind, fault.told.prompt_tokens, fault.told.context),
                (K::Context, prompt, context),
                "{fault:?}"
            );
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
