//! Which kind a server's error is, and how to mend it: a table of sentences, then the status.
//!
//! Sources: the servers' error tables as recorded in `tests/wire`; for LM Studio, vLLM, LiteLLM, llama-swap and nginx their
//! public reports and sources. Invariant: what a server says of itself (it loads, is full, broke, is not there) never becomes
//! a kind that says something of the request, whatever status it came with.

use super::told::context_in;
use super::words::{Form, MOST_WORDS, Words, one_line};
use super::{FailureKind as K, Fault, NO_SERVER, Remedy as R};
use crate::domain::fleet::Protocol;
use crate::domain::protocol::{FailureKind, Remedy};

/// Where an error came: as the answer, or inside a stream that had begun.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Where {
    Answer,
    Stream,
}

const BUSY: &str = "fewer slots in fleet.toml avoid it";
const LOADING: &str = "wait until the model is loaded";
const BEHIND: &str =
    "start the model server behind this address, or mend where the gateway there passes requests on to";
const SLOW: &str = "see the model server's log, and the time limit of the gateway before it";
const REFUSED: &str = "the server takes no such request: see the endpoint in fleet.toml";

/// What servers say of themselves: any of the words, from which status on, and what it is. The first that fits counts.
const OF_ITSELF: [(&[&str], u16, FailureKind, Remedy, &str); 7] = [
    // LM Studio, with 400: a request waited while its model was taken out.
    (
        &["was unloaded", "is unloaded", "been unloaded", "model unloaded", "load was cancel", "loading was cancel"],
        400,
        K::Loading,
        R::RetryHere,
        "the model was taken out of memory; load it there (or `s` on the Fleet screen)",
    ),
    (
        &["operation canceled", "operation cancelled", "load canceled", "load cancelled"],
        400,
        K::Loading,
        R::RetryHere,
        "another load took its place; see that the models of the fleet fit in memory together",
    ),
    (
        &[
            "failed to load model",
            "model failed to load",
            "error loading model",
            "could not load model",
            "unable to load model",
        ],
        400,
        K::Server,
        R::Elsewhere,
        "see the server's log for why it did not load",
    ),
    (
        &[
            "has crashed",
            "model crashed",
            "process crashed",
            "(exit code",
            "channel error",
            "engine died",
            "enginedead",
            "engine is dead",
        ],
        400,
        K::Server,
        R::Elsewhere,
        "see the server's log: its model has crashed",
    ),
    (
        &[
            "loading model",
            "model is loading",
            "still loading",
            "currently loading",
            "being loaded",
            "model is not ready",
            "model not ready",
            "warming up",
        ],
        400,
        K::Loading,
        R::RetryHere,
        LOADING,
    ),
    // Gateways, of the server behind them.
    (
        &[
            "connection error",
            "connection refused",
            "econnrefused",
            "cannot connect to host",
            "can't connect to",
            "could not connect",
            "connect call failed",
            "failed to connect",
            "unable to connect",
            "all connection attempts failed",
            "dial tcp",
            "no healthy upstream",
            "upstream connect error",
            "no server is available",
            "server disconnected",
            "connection reset",
            "apiconnectionerror",
        ],
        500,
        K::Unreachable,
        R::Elsewhere,
        BEHIND,
    ),
    (
        &[
            "too many requests",
            "rate limit",
            "rate_limit",
            "overloaded",
            "at capacity",
            "queue full",
            "queue is full",
            "server busy",
            "server is busy",
            "maximum pending requests",
            "no slot",
            "no available slot",
            "no deployments available",
            "concurrency limit",
        ],
        429,
        K::Busy,
        R::RetryHere,
        BUSY,
    ),
];

/// What an error means.
pub(super) fn classify(protocol: Protocol, status: u16, words: &Words, place: Where) -> Fault {
    let said = one_line(&words.message, MOST_WORDS);
    let came = match (place, said.is_empty()) {
        (Where::Stream, true) => "the stream broke off with an error without words".to_owned(),
        (Where::Stream, false) => format!("the stream broke off with the error “{said}”"),
        (Where::Answer, true) => format!("it answered {status} without a word"),
        (Where::Answer, false) if words.form == Form::Page => format!("it answered {status} with the page “{said}”"),
        (Where::Answer, false) => format!("it answered {status} “{said}”"),
    };
    let (kind, remedy, mend) = match words.form {
        Form::Page => of_page(status).unwrap_or_else(|| of_status(protocol, status)),
        Form::Words => of_words(protocol, status, words, place).unwrap_or_else(|| of_status(protocol, status)),
    };
    let came = match (words.form, kind) {
        (Form::Page, K::Refused | K::Garbage) if status >= 400 => format!("{NO_SERVER}: {came}"),
        _ => came,
    };
    let mut fault = Fault::new(kind, remedy, came, mend);
    if kind == K::Context {
        fault.told = context_in(&words.message.to_lowercase());
        fault.told.prompt_tokens = words.prompt_tokens.or(fault.told.prompt_tokens);
        fault.told.context = words.context.or(fault.told.context);
    }
    fault
}

type Meaning = (FailureKind, Remedy, &'static str);

/// Of the words of a server for programs.
fn of_words(protocol: Protocol, status: u16, words: &Words, place: Where) -> Option<Meaning> {
    let low = words.message.to_lowercase();
    let has = |signs: &[&str]| signs.iter().any(|sign| low.contains(sign));
    if words.kind == "exceed_context_size_error" || words.context.is_some() || is_about_context(&low) {
        // Slots that share one pool of context all die together when it is full; alone the request may well fit.
        return Some(if place == Where::Stream && low.starts_with("context size has been exceeded") {
            (K::Context, R::RetryHere, "start llama-server with -np N, so that slots do not share one context")
        } else {
            (K::Context, R::Elsewhere, "give the task a smaller prompt, or the server a larger context")
        });
    }
    if low.starts_with("[json.exception")
        || low.starts_with("invalid format")
        || low.starts_with("option \"")
        || low.contains("image input is not supported")
    {
        return Some((
            K::Refused,
            R::Operator,
            "the request does not suit this server; see the endpoint in fleet.toml",
        ));
    }
    // LiteLLM without a database can't look a wrong key up, and says only that.
    if words.kind == "no_db_connection" || has(&["no connected db", "no_db_connection"]) {
        let mend = "the key is not the gateway's own, and it keeps no others: set the endpoint's key in fleet.toml";
        return Some((K::Unauthorized, R::Operator, mend));
    }
    if status != 403 && has(&["api key", "api_key"]) && has(&["invalid", "incorrect", "malformed", "no api", "missing"])
    {
        return Some((K::Unauthorized, R::Operator, "set the endpoint's key in fleet.toml to the server's key"));
    }
    if words.kind == "insufficient_quota" || low.contains("exceeded your current quota") {
        return Some((K::Refused, R::Operator, "the account has nothing left there"));
    }
    if has(&["no models loaded", "no model loaded", "no model is loaded", "no models are loaded"]) {
        return Some((K::NoModel, R::Operator, "load it there (or `s` on the Fleet screen)"));
    }
    if is_missing_model(protocol, status, &words.kind, &low) {
        let mend = match protocol {
            Protocol::Ollama => "pull it (ollama pull MODEL), or mend the endpoint's model in fleet.toml",
            _ => "load it on the server, or mend the endpoint's model in fleet.toml",
        };
        return Some((K::NoModel, R::Operator, mend));
    }
    let of_itself = OF_ITSELF.iter().find(|(signs, from, ..)| (*from..600).contains(&status) && has(signs));
    of_itself.map(|&(_, _, kind, remedy, mend)| (kind, remedy, mend))
}

/// Of a page for people: gateways have them for what is behind them.
fn of_page(status: u16) -> Option<Meaning> {
    match status {
        404 | 405 | 501 => {
            Some((K::Refused, R::Operator, "check that url and protocol in fleet.toml name a model server"))
        }
        _ => None,
    }
}

fn of_status(protocol: Protocol, status: u16) -> Meaning {
    match status {
        300..400 => (K::Refused, R::Operator, "the url leads elsewhere: put the final one in fleet.toml"),
        401 => (K::Unauthorized, R::Operator, "set the endpoint's key in fleet.toml to the server's key"),
        403 if protocol == Protocol::Ollama => {
            (K::Unauthorized, R::Operator, "Ollama refuses foreign host names: use 127.0.0.1, or set OLLAMA_HOST")
        }
        403 => {
            (K::Unauthorized, R::Operator, "the server forbids this: check the endpoint's key and the server's flags")
        }
        404 | 405 => (K::Refused, R::Operator, "the server has no such path: check url and protocol in fleet.toml"),
        501 => (K::Refused, R::Operator, "the server was started without this: see its flags"),
        // Taken up later, and nothing of room: in conflict with what is under way, locked, too early.
        409 | 423 | 425 => (K::Server, R::RetryHere, "see the server's log for what it was at"),
        // Too many, without room.
        429 | 503 | 529 => (K::Busy, R::RetryHere, BUSY),
        // The time was over, of the server or of a gateway before it.
        408 | 504 | 524 => (K::Server, R::Elsewhere, SLOW),
        // A gateway without the server behind it; from 520 on as Cloudflare says it.
        502 | 520..=523 | 525..=527 | 530 => (K::Unreachable, R::Elsewhere, BEHIND),
        400..500 => (K::Refused, R::Operator, REFUSED),
        500..600 => (K::Server, R::Elsewhere, "see the server's log"),
        _ => (K::Garbage, R::Elsewhere, "check that url and protocol in fleet.toml name this server"),
    }
}

fn is_about_context(low: &str) -> bool {
    [
        "available context size",
        "maximum context length",
        "max context length",
        "maximum model length",
        "context size has been exceeded",
        "context_length_exceeded",
        "context length exceeded",
        "contextwindowexceeded",
        "exceeds the context",
        "exceeds context",
        "longer than the model's context",
        "greater than the context length",
        "context length of only",
        "context the overflows",
        "prompt is too long",
        "prompt too long",
        "input length exceeds",
        "`max_new_tokens` must be <=",
    ]
    .iter()
    .any(|sign| low.contains(sign))
}

/// llama.cpp words every 404 "File Not Found" and a router's missing model as a 400; mlx answers 404 to any model that
/// will not load and a bare "Not Found" to a wrong path; LiteLLM's 400 says "Invalid model name".
fn is_missing_model(protocol: Protocol, status: u16, kind: &str, low: &str) -> bool {
    let named = low.contains("model") && (low.contains("not found") || low.contains("does not exist"))
        || low.contains("invalid model name")
        || low.contains("unknown model");
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
