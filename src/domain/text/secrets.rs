//! What in a text looks like a secret: keys by their makers' beginnings, private keys, passwords in addresses, and whatever
//! is set to a name that says so.
//!
//! Pure. Not here: secrets that are known by their value (`engine/providers` replaces those as they come), and what becomes
//! of what is found. Invariant: what is found are ranges on character boundaries, in order, none over another. It is a
//! search: a secret that looks like a word is not found, and whoever gives a text away is told so.

use std::ops::Range;

/// Something that looks like a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Where: the secret alone, without the name it is set to.
    pub range: Range<usize>,
    /// What kind, as in "a GitHub token".
    pub kind: &'static str,
}

/// How keys begin, the fewest characters that follow, and what they are.
const BEGINNINGS: [(&str, usize, &str); 28] = [
    ("sk-", 16, "an API key"),
    ("sk_live_", 12, "an API key"),
    ("sk_test_", 12, "an API key"),
    ("rk_live_", 12, "an API key"),
    ("gsk_", 20, "an API key"),
    ("xai-", 20, "an API key"),
    ("pplx-", 20, "an API key"),
    ("r8_", 20, "an API key"),
    ("ghp_", 20, "a GitHub token"),
    ("gho_", 20, "a GitHub token"),
    ("ghu_", 20, "a GitHub token"),
    ("ghs_", 20, "a GitHub token"),
    ("ghr_", 20, "a GitHub token"),
    ("github_pat_", 20, "a GitHub token"),
    ("glpat-", 16, "a GitLab token"),
    ("xoxb-", 16, "a Slack token"),
    ("xoxp-", 16, "a Slack token"),
    ("xapp-", 16, "a Slack token"),
    ("AKIA", 16, "an AWS key"),
    ("ASIA", 16, "an AWS key"),
    ("AIza", 30, "a Google key"),
    ("ya29.", 20, "a Google token"),
    ("hf_", 20, "a Hugging Face token"),
    ("npm_", 30, "an npm token"),
    ("pypi-", 30, "a PyPI token"),
    ("tskey-", 16, "a Tailscale key"),
    ("AGE-SECRET-KEY-", 40, "a private key"),
    ("eyJ", 40, "a JSON web token"),
];

/// How names end whose value is a secret, in lower case with `_` between words.
const ENDINGS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "_key",
    "credential",
    "credentials",
    "authkey",
    "pat_token",
];

/// Shorter values are placeholders and words.
const SHORTEST: usize = 6;

/// Whether what has this name (a variable, a field, a flag) is a secret.
pub fn names_a_secret(name: &str) -> bool {
    let plain = name.trim_start_matches('-').to_ascii_lowercase().replace(['-', '.'], "_");
    ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

/// What in a text looks like a secret.
pub fn suspects(text: &str) -> Vec<Suspect> {
    let mut found = Vec::new();
    private_keys(text, &mut found);
    keys(text, &mut found);
    bearers(text, &mut found);
    in_addresses(text, &mut found);
    assigned(text, &mut found);
    found.sort_by_key(|s| (s.range.start, std::cmp::Reverse(s.range.end)));
    let mut end = 0;
    found.retain(|s| {
        let apart = s.range.start >= end;
        end = end.max(if apart { s.range.end } else { 0 });
        apart
    });
    found
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The end of the run of bytes from `from` on that pass.
fn run(bytes: &[u8], from: usize, passes: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|b| !passes(*b)).unwrap_or(rest.len())
}

/// Whether it is made of more than letters: names of things are not keys.
fn is_mixed(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().any(|b| b.is_ascii_alphabetic())
}

fn keys(text: &str, found: &mut Vec<Suspect>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = run(bytes, at, is_token);
        if end == at {
            at += 1;
            continue;
        }
        let word = text.get(at..).unwrap_or_default();
        if let Some((begins, least, kind)) = BEGINNINGS.iter().find(|(begins, ..)| word.starts_with(begins)) {
            // Two kinds have dots within.
            let dotted = matches!(*begins, "eyJ" | "ya29.");
            let end = run(bytes, at, |b| is_token(b) || (dotted && b == b'.'));
            let rest = text.get(at + begins.len()..end).unwrap_or_default();
            if rest.len() >= *least && (is_mixed(rest) || rest.len() > 40) {
                found.push(Suspect { range: at..end, kind });
                at = end;
                continue;
            }
        }
        at = end;
    }
}

fn private_keys(text: &str, found: &mut Vec<Suspect>) {
    for (at, _) in text.match_indices("-----BEGIN ") {
        let rest = text.get(at..).unwrap_or_default();
        let head = rest.lines().next().unwrap_or_default();
        if head.contains("PRIVATE KEY") {
            let end = rest.find("-----END ").and_then(|end| {
                let after = rest.get(end + 9..)?;
                Some(end + 9 + after.find("-----").map_or(after.len(), |n| n + 5))
            });
            // One whose end is missing goes on to the end of the text.
            found.push(Suspect { range: at..at + end.unwrap_or(rest.len()), kind: "a private key" });
        }
    }
}

fn bearers(text: &str, found: &mut Vec<Suspect>) {
    let lower = text.to_ascii_lowercase();
    for (word, least) in [("bearer ", 12), ("basic ", 8)] {
        for (at, _) in lower.match_indices(word) {
            let from = at + word.len();
            let end = run(text.as_bytes(), from, |b| is_token(b) || b"._~+/=".contains(&b));
            let value = text.get(from..end).unwrap_or_default();
            // "basic" is a word; with this before it, it is a header.
            let before = lower.get(..at).unwrap_or_default().trim_end_matches([' ', '"', '\'', ':', '=']);
            let header = before.ends_with("authorization");
            if value.len() >= least && (header || (word == "bearer " && is_mixed(value))) {
                found.push(Suspect { range: from..end, kind: "an authorization" });
            }
        }
    }
}

fn in_addresses(text: &str, found: &mut Vec<Suspect>) {
    for (at, _) in text.match_indices("://") {
        let from = at + 3;
        let end = run(text.as_bytes(), from, |b| !b.is_ascii_whitespace() && !b"/?#\"'<>`".contains(&b));
        let authority = text.get(from..end).unwrap_or_default();
        if let Some((user, _)) = authority.rsplit_once('@')
            && let Some((name, password)) = user.split_once(':')
            && !password.is_empty()
        {
            let start = from + name.len() + 1;
            found.push(Suspect { range: start..start + password.len(), kind: "a password in an address" });
        }
    }
}

/// `NAME=value`, `name: "value"`, `--name value`.
fn assigned(text: &str, found: &mut Vec<Suspect>) {
    let bytes = text.as_bytes();
    let is_name = |b: u8| is_token(b) || b == b'.';
    let mut at = 0;
    while at < bytes.len() {
        let end = run(bytes, at, is_name);
        if end == at {
            at += 1;
            continue;
        }
        let name = text.get(at..end).unwrap_or_default();
        at = end;
        if !names_a_secret(name) {
            continue;
        }
        let quoted = run(bytes, end, |b| matches!(b, b'"' | b'\''));
        let spaced = run(bytes, quoted, |b| b == b' ');
        let (from, strict) = match bytes.get(spaced) {
            Some(b'=') if bytes.get(spaced + 1) != Some(&b'=') => (spaced + 1, Strict::No),
            Some(b':') if bytes.get(spaced + 1) != Some(&b':') => (spaced + 1, Strict::Mixed),
            _ if name.starts_with("--") && spaced == end + 1 => (spaced, Strict::No),
            _ => continue,
        };
        let from = run(bytes, from, |b| b == b' ');
        if let Some(range) = value(text, from, strict) {
            found.push(Suspect { kind: "the value of what is named a secret", range });
        }
    }
}

/// How much a value must look like a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strict {
    /// It is set: whatever it is.
    No,
    /// Prose has colons too: letters and digits, unless it stands in quotes.
    Mixed,
}

fn value(text: &str, from: usize, strict: Strict) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let quote = bytes.get(from).copied().filter(|b| matches!(b, b'"' | b'\''));
    let start = from + usize::from(quote.is_some());
    let end = match quote {
        Some(quote) => run(bytes, start, |b| b != quote && b != b'\n'),
        None => run(bytes, start, |b| !b.is_ascii_whitespace() && !b",;\"'`)}]<>&|".contains(&b)),
    };
    let value = text.get(start..end)?;
    let refers = value.starts_with(['$', '{', '<', '(', '[', '*', '/', '~', '.', '%', '\u{ab}']);
    let reads = ["getenv", "environ", "process.env", "env."].iter().any(|word| value.contains(word));
    let number = value.bytes().all(|b| b.is_ascii_digit());
    let spaces = value.contains(char::is_whitespace);
    let fits = strict == Strict::No || quote.is_some() || is_mixed(value);
    (value.len() >= SHORTEST && fits && !refers && !reads && !number && !spaces).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut out = String::new();
        let mut at = 0;
        for Suspect { range, .. } in suspects(text) {
            out += &text[at..range.start];
            out += "***";
            at = range.end;
        }
        out + &text[at..]
    }

    #[test]
    fn keys_passwords_and_private_keys_are_found_and_their_names_stay() {
        for (text, told) in [
            ("use sk-abcd1234efgh5678ijkl now", "use *** now"),
            ("ghp_0123456789abcdefghij0123", "***"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc-DEF_123, and", "***, and"),
            ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=***"),
            (
                "{\"api_key\": \"some long word\", \"password\":\"hunter2hunter2\"}",
                "{\"api_key\": \"some long word\", \"password\":\"***\"}",
            ),
            ("curl --api-key s3cretvalue x", "curl --api-key *** x"),
            ("Authorization: Bearer abc123def456ghi", "Authorization: Bearer ***"),
            ("postgres://me:pa55@db/x", "postgres://me:***@db/x"),
            ("a\n-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb", "a\n***\nb"),
            ("-----BEGIN PRIVATE KEY-----\nMII", "***"),
            ("grün password=grün12 ü", "grün password=*** ü"),
        ] {
            assert_eq!(masked(text), told);
        }
    }

    #[test]
    fn what_only_speaks_of_secrets_stays() {
        for text in [
            "the token: authentication is needed",
            "max_tokens=2048, token=$TOKEN, password={{ vault }}",
            "password = os.environ['X']",
            "sk-learn-is-a-library and basic education",
            "http://box:8080/v1 and me@example.com",
            "if token == expected_token",
            "secret: /run/secrets/key1",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
