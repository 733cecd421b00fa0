//! Secrets: resolved at the request, never kept in configuration, and replaced in every text that goes out.
//!
//! Invariants: a [`Secret`] has no `Serialize` and no `Display`, and its `Debug` shows a mark; a value that was resolved
//! once is redacted for the rest of the process's life, also after it was replaced by a newer one.

use std::collections::HashMap;
use std::fmt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::chunk::Chunk;
use super::fault::Fault;
use crate::domain::fleet::SecretRef;
use crate::domain::protocol::{FailureKind, Remedy};

/// What stands in place of a secret.
const MARK: &str = "«secret»";

/// Shorter values are not redacted: replacing every "a" would destroy text and protect nothing.
const SHORTEST: usize = 4;

/// A keychain may ask its owner, so a secret's command gets time; but not for ever.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// A resolved secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// The value, for the one header it is sent in, or the environment of the one process it is given to.
    pub(in crate::engine) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MARK)
    }
}

/// Replaces every secret that was ever resolved by a mark. Cheap to clone; clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret within another leaves no rest.
    known: Arc<RwLock<Arc<[Secret]>>>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} values)", self.known().len())
    }
}

impl Redactor {
    /// `text` with every known secret replaced.
    pub fn text(&self, text: &str) -> String {
        replace(&self.known(), text)
    }

    /// The same for a body, which stays as it is where there is none in it.
    pub(super) fn bytes(&self, body: Vec<u8>) -> Vec<u8> {
        let known = self.known();
        let has = |secret: &Secret| memchr::memmem::find(&body, secret.expose().as_bytes()).is_some();
        if known.iter().any(has) { replace(&known, &String::from_utf8_lossy(&body)).into_bytes() } else { body }
    }

    /// Learns a value, and how it looks inside JSON.
    fn learn(&self, value: &Secret) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let escaped = serde_json::to_string(value.expose()).unwrap_or_default();
        let escaped = escaped.trim_matches('"');
        let mut all = known.to_vec();
        for form in [value.expose(), escaped] {
            if form.len() >= SHORTEST && all.iter().all(|known| known.expose() != form) {
                all.push(Secret(form.into()));
            }
        }
        all.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        *known = all.into();
    }

    fn known(&self) -> Arc<[Secret]> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A redactor for one stream, with what is known now.
    pub(super) fn stream(&self) -> StreamRedactor {
        StreamRedactor { known: self.known(), thinking: String::new(), answer: String::new() }
    }
}

/// Redacts a stream whose pieces may cut a secret: what could be a secret's beginning is held back until more comes.
#[derive(Debug)]
pub(super) struct StreamRedactor {
    known: Arc<[Secret]>,
    thinking: String,
    answer: String,
}

impl StreamRedactor {
    /// Passes one chunk through; nothing where all of it is held back, more than one where the end frees what was held.
    pub(super) fn pass(&mut self, chunk: Chunk, mut emit: impl FnMut(Chunk)) {
        if self.known.is_empty() {
            return emit(chunk);
        }
        match chunk {
            Chunk::Thinking(piece) => {
                if let Some(text) = hold_back(&self.known, &mut self.thinking, &piece) {
                    emit(Chunk::Thinking(text));
                }
            }
            Chunk::Answer(piece) => {
                if let Some(text) = hold_back(&self.known, &mut self.answer, &piece) {
                    emit(Chunk::Answer(text));
                }
            }
            Chunk::ToolCall(json) => emit(Chunk::ToolCall(replace(&self.known, &json))),
            // What is held belongs before it.
            Chunk::End { .. } | Chunk::Rethought => {
                self.rest(&mut emit);
                emit(chunk);
            }
            Chunk::Accepted | Chunk::Progress { .. } | Chunk::Alive => emit(chunk),
        }
    }

    /// The stream broke: what was held is text after all.
    pub(super) fn rest(&mut self, mut emit: impl FnMut(Chunk)) {
        for (held, chunk) in
            [(&mut self.thinking, Chunk::Thinking as fn(String) -> Chunk), (&mut self.answer, Chunk::Answer)]
        {
            if !held.is_empty() {
                emit(chunk(replace(&self.known, &std::mem::take(held))));
            }
        }
    }
}

/// Joins `piece` to what is held and frees what is certain, with secrets replaced. An end that could be a secret's
/// beginning stays, and with it any whole secret that reaches into that end: it may be a longer one's beginning.
fn hold_back(known: &[Secret], held: &mut String, piece: &str) -> Option<String> {
    held.push_str(piece);
    let mut cut = held.len() - known.iter().map(|secret| begun(secret.expose(), held)).max().unwrap_or(0);
    let across = |cut: usize| {
        let found = known.iter().flat_map(|secret| held.match_indices(secret.expose()));
        found.map(|(at, value)| (at, at + value.len())).find(|&(from, to)| from < cut && cut < to)
    };
    while let Some((from, _)) = across(cut) {
        cut = from;
    }
    let rest = held.split_off(cut);
    let text = replace(known, held);
    *held = rest;
    (!text.is_empty()).then_some(text)
}

/// How many bytes at the end of `text` are a beginning of `secret`.
fn begun(secret: &str, text: &str) -> usize {
    let most = text.len().min(secret.len() - 1);
    (1..=most).rev().find(|&n| secret.is_char_boundary(n) && text.ends_with(&secret[..n])).unwrap_or(0)
}

fn replace(known: &[Secret], text: &str) -> String {
    let mut text = text.to_owned();
    for secret in known {
        if text.contains(secret.expose()) {
            text = text.replace(secret.expose(), MARK);
        }
    }
    text
}

/// Resolves references. The output of a command is kept until [`Vault::forget`]: a keychain asked before every request
/// would cost more than the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Vault {
    pub(super) redactor: Redactor,
    printed: Arc<Mutex<HashMap<String, Secret>>>,
}

impl Vault {
    /// The secret behind `reference`.
    pub(super) async fn resolve(&self, reference: &SecretRef) -> Result<Secret, Fault> {
        match reference {
            SecretRef::Env(name) => match std::env::var(name) {
                Ok(value) if !value.trim().is_empty() => Ok(self.learn(value.trim())),
                Ok(_) => Err(no_secret(format!("the environment variable {name} is empty"))),
                Err(_) => Err(no_secret(format!("the environment variable {name} is not set"))),
            },
            SecretRef::Command(command) => {
                if let Some(secret) = self.printed().get(command) {
                    return Ok(secret.clone());
                }
                let secret = self.learn(&first_line(command).await?);
                self.printed().insert(command.clone(), secret.clone());
                Ok(secret)
            }
        }
    }

    /// The server refused it: the next request asks the command again.
    pub(super) fn forget(&self, reference: &SecretRef) {
        if let SecretRef::Command(command) = reference {
            self.printed().remove(command);
        }
    }

    fn learn(&self, value: &str) -> Secret {
        let secret = Secret(value.into());
        self.redactor.learn(&secret);
        secret
    }

    fn printed(&self) -> std::sync::MutexGuard<'_, HashMap<String, Secret>> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_secret(came: String) -> Fault {
    Fault::new(FailureKind::Secret, Remedy::Operator, came, "set what the endpoint's key in fleet.toml refers to")
}

async fn first_line(command: &str) -> Result<String, Fault> {
    let run = tokio::process::Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::null()) // it may print what it should not; its status says enough
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(COMMAND_LIMIT, run).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(no_secret(format!("the key's command “{command}” could not be run: {error}"))),
        Err(_) => return Err(no_secret(format!("the key's command “{command}” took longer than 30 s"))),
    };
    if !output.status.success() {
        return Err(no_secret(format!("the key's command “{command}” failed ({})", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(no_secret(format!("the key's command “{command}” printed nothing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{TurnEnd, Usage};

    fn knowing(values: &[&str]) -> Redactor {
        let redactor = Redactor::default();
        for value in values {
            redactor.learn(&Secret((*value).into()));
        }
        redactor
    }

    fn streamed(redactor: &Redactor, pieces: &[&str]) -> String {
        let (mut stream, mut got) = (redactor.stream(), String::new());
        let mut take = |chunk| {
            if let Chunk::Answer(text) = chunk {
                got.push_str(&text);
            }
        };
        for piece in pieces {
            stream.pass(Chunk::Answer((*piece).to_owned()), &mut take);
        }
        stream.pass(Chunk::End { end: TurnEnd::Stop, usage: Usage::default() }, &mut take);
        got
    }

    #[test]
    fn a_secret_split_anywhere_is_replaced() {
        let redactor = knowing(&["sk-aaab", "grün-schlüssel"]);
        let text = "key sk-aaaab and sk-aaab, grün-schlüssel, grün-";
        let expected = "key sk-aaaab and «secret», «secret», grün-";
        for (cut, _) in text.char_indices() {
            assert_eq!(streamed(&redactor, &[&text[..cut], &text[cut..]]), expected, "cut at {cut}");
        }
        let single: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(streamed(&redactor, &single.iter().map(String::as_str).collect::<Vec<_>>()), expected);
        assert_eq!(redactor.text(text), expected);
    }

    #[test]
    fn longer_secrets_go_first_and_json_forms_are_known() {
        let redactor = knowing(&["abcd", "abcdefgh", "pass\"word"]);
        assert_eq!(redactor.text("abcdefgh abcd"), "«secret» «secret»");
        assert_eq!(streamed(&redactor, &["x abcd", "ef", "gh y abcd", " abc"]), "x «secret» y «secret» abc");
        assert_eq!(streamed(&redactor, &["abcdefgh"]), "«secret»");
        assert_eq!(redactor.text(r#"{"a":"pass\"word"}"#), r#"{"a":"«secret»"}"#);
    }

    #[test]
    fn debug_shows_no_secret() {
        let secret = Secret("sk-visible".into());
        assert!(!format!("{secret:?} {:?}", knowing(&["sk-visible"])).contains("visible"));
    }

    #[tokio::test]
    async fn references_are_resolved_or_name_what_is_missing() {
        let vault = Vault::default();
        let command = SecretRef::Command("printf 'sk-from-command\\nmore\\n'".to_owned());
        assert_eq!(vault.resolve(&command).await.unwrap().expose(), "sk-from-command");
        assert_eq!(vault.redactor.text("got sk-from-command"), "got «secret»");
        for (reference, words) in [
            (SecretRef::Env("BATON_TEST_NO_SUCH_KEY".to_owned()), "BATON_TEST_NO_SUCH_KEY is not set"),
            (SecretRef::Command("exit 3".to_owned()), "failed"),
            (SecretRef::Command("true".to_owned()), "printed nothing"),
        ] {
            let fault = vault.resolve(&reference).await.unwrap_err();
            assert_eq!((fault.kind, fault.remedy), (FailureKind::Secret, Remedy::Operator));
            assert!(fault.came.contains(words), "{fault:?}");
        }
    }
}
