//! What a granted request will say and when: fixed the moment it starts, from the seed and the request alone.
//!
//! Not here: bytes (`wire`) and sleeping (`reply`). Invariant: the text and its length do not depend on the order of
//! requests; only failures by rate count how often a request was seen, so that a retry may pass.

use std::time::Duration;

use super::ask::{Ask, Think};
use super::config::SimEndpoint;
use super::directive::Directives;
use super::pieces::{self, Pieces};
use super::plan;
use super::prose::{self, Topic};
use super::random::{Dice, mix};
use super::server::{End, Fate};

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server's error before the first byte: HTTP 500.
    Error,
    /// The server's error in the stream, after HTTP 200.
    ErrorLate,
    /// The connection breaks in the stream.
    Cut,
    /// Bytes that are no protocol, then the end.
    Garbage,
    /// Silence without end.
    Stall,
    /// An answer without a word.
    Empty,
    /// A call of a tool that nobody offered, and no word.
    Tools,
    /// The thinking in the answer, with a closing tag only.
    LoneTag,
    /// Half an answer that ends in order, with this reason.
    Ends(&'static str),
}

impl Failure {
    /// The failure a directive names.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "error" => Self::Error,
            "error-late" => Self::ErrorLate,
            "cut" => Self::Cut,
            "garbage" => Self::Garbage,
            "stall" => Self::Stall,
            "empty" => Self::Empty,
            "tools" => Self::Tools,
            "think" => Self::LoneTag,
            "length" => Self::Ends(LENGTH),
            "abort" => Self::Ends("abort"),
            "error-end" => Self::Ends("error"),
            "content-filter" => Self::Ends("content_filter"),
            _ => return None,
        })
    }
}

/// The reason of an answer that its limit cut.
pub(super) const LENGTH: &str = "length";

/// Why the answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// It is all said.
    Stop,
    /// The limit of tokens, or of the context.
    Length,
    /// A stop word came.
    Word(String),
    /// The model calls a tool.
    Tools,
    /// The engine says so.
    Odd(&'static str),
}

/// One answer, fixed.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// The thinking, before the answer.
    pub(super) thinking: Pieces,
    /// The answer.
    pub(super) answer: Pieces,
    /// Why it ends.
    pub(super) finish: Finish,
    /// Tokens of the prompt.
    pub(super) prompt_tokens: u32,
    /// Seconds to read it.
    pub(super) prompt_seconds: f64,
    /// Seconds from then to the last token.
    pub(super) seconds: f64,
    /// How it fails, if it does, and before which token.
    pub(super) failure: Option<(Failure, u32)>,
    /// When the whole endpoint ends, from the grant on, and how.
    pub(super) doom: Option<(Duration, Fate)>,
}

/// A request that does not fit into the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong {
    /// Tokens of the prompt.
    pub(super) prompt_tokens: u32,
    /// Tokens of the context.
    pub(super) context: u32,
}

/// Tokens a chat template puts around a message.
const TEMPLATE_TOKENS: u32 = 4;
/// What a system prompt says that lets its model ask the operator.
const MAY_ASK: &str = "ASK: <question>";
/// Tokens of an answer whose time is given and whose length is not.
const TIMED_TOKENS: u32 = 24;

impl Script {
    /// Fixes the answer to a request that was seen `seen` times before.
    ///
    /// # Errors
    /// [`TooLong`], as servers refuse a prompt that fills the context.
    pub(super) fn new(ask: &Ask, endpoint: &SimEndpoint, seed: u64, speed: f64, seen: u32) -> Result<Self, TooLong> {
        let prompt_tokens = pieces::count(&ask.system) + pieces::count(&ask.conversation);
        let prompt_tokens = prompt_tokens + TEMPLATE_TOKENS * ask.messages + 3;
        let context = endpoint.context;
        if prompt_tokens >= context {
            return Err(TooLong { prompt_tokens, context });
        }
        let mut directives = Directives::default();
        directives.read(&ask.system);
        directives.read(&ask.conversation);
        let key = mix(ask.key() ^ mix(seed));
        let mut dice = Dice::new(key);
        let room = ask.max_tokens.unwrap_or(u32::MAX).min(context - prompt_tokens);
        let (mut thinking, mut answer) = words(ask, endpoint, &directives, &mut dice, key, room);
        let (kind, place) = failure(&directives, endpoint, key, seen).unzip();
        if kind == Some(Failure::LoneTag) {
            let text = format!("{}\n</think>\n\n{}", thought_or(&thinking), answer.text());
            (thinking, answer) = (Pieces::default(), Pieces::new(text));
        }
        let mut finish = stop_word(&mut answer, &ask.stop);
        thinking.truncate(room);
        if thinking.len() + answer.len() > room {
            answer.truncate(room - thinking.len());
            finish = Finish::Length;
        }
        let at = (f64::from(thinking.len() + answer.len()) * place.unwrap_or(0.0)) as u32;
        let failure = match kind {
            None | Some(Failure::LoneTag) => None,
            Some(Failure::Tools) => {
                (answer, finish) = (Pieces::default(), Finish::Tools);
                None
            }
            Some(Failure::Ends(reason)) => {
                // Half an answer is more than none.
                answer.truncate(at.saturating_sub(thinking.len()).max(1));
                finish = if reason == LENGTH { Finish::Length } else { Finish::Odd(reason) };
                None
            }
            Some(kind) => {
                if kind == Failure::Empty {
                    (thinking, answer, finish) = (Pieces::default(), Pieces::default(), Finish::Stop);
                }
                Some((kind, at))
            }
        };
        let tokens = thinking.len() + answer.len();
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        // Real servers are not equally fast twice; a timed request is.
        let pace = endpoint.tokens_per_second.max(0.01) * Dice::new(key ^ 1).between(0.95, 1.05) * speed;
        let (prompt_seconds, seconds) = match directives.ms {
            Some(ms) => {
                let read = directives.read.unwrap_or(0.0).min(ms);
                (read / 1e3, (ms - read) / 1e3)
            }
            None => (
                f64::from(prompt_tokens) / endpoint.prompt_tokens_per_second.max(0.01) / speed,
                f64::from(tokens) / pace,
            ),
        };
        let here = seen == 0 && directives.at.as_deref() == Some(endpoint.name.as_str());
        let shrunk = |time: Duration| self::seconds(time.as_secs_f64() / speed);
        let end = directives.die.map(|die| (die, End::Killed)).or(directives.term.map(|term| (term, End::Asked)));
        let doom = end.filter(|_| here).map(|(after, end)| {
            (shrunk(after), Fate { end, back: directives.back.map(shrunk), load: directives.load.map(shrunk) })
        });
        Ok(Self { thinking, answer, finish, prompt_tokens, prompt_seconds, seconds, failure, doom })
    }

    /// Tokens of thinking and answer.
    pub(super) fn tokens(&self) -> u32 {
        self.thinking.len() + self.answer.len()
    }

    /// When token `i` is due, counted from the grant. Absolute, so that lateness never adds up.
    pub(super) fn due(&self, i: u32) -> Duration {
        let share = f64::from(i + 1) / f64::from(self.tokens().max(1));
        seconds(self.prompt_seconds + self.seconds * share.min(1.0))
    }

    /// When the last byte is due, counted from the grant.
    pub(super) fn end(&self) -> Duration {
        seconds(self.prompt_seconds + self.seconds)
    }
}

/// A duration from seconds; nothing here lasts longer than a day.
pub(super) fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(s.clamp(0.0, 86_400.0))
}

/// The thinking and the answer, before limits.
fn words(
    ask: &Ask,
    endpoint: &SimEndpoint,
    directives: &Directives,
    dice: &mut Dice,
    key: u64,
    room: u32,
) -> (Pieces, Pieces) {
    let limit = room.min(1_024);
    let wanted = (f64::from(limit) * dice.between(0.35, 0.9)) as u32;
    let total = wanted.clamp(60, 900).min(limit);
    let level = match ask.think {
        Think::Off => 0.0,
        Think::Low => 0.4,
        Think::Usual => 1.0,
        Think::High => 1.6,
    };
    let share = (endpoint.thinking * level).clamp(0.0, 0.7);
    let first = ask.answers == 0 && ask.system.contains(MAY_ASK);
    let question = directives.ask.as_deref().filter(|_| first).map(question);
    let timed =
        directives.ms.is_some() || directives.tokens.is_some() || directives.text.is_some() || question.is_some();
    let thought = match directives.thinking {
        Some(n) => n,
        None if timed => 0,
        None => (f64::from(total) * share) as u32,
    };
    let topic = Topic::read(ask);
    let mut mind = Dice::new(key ^ 2);
    let thinking = if thought == 0 {
        Pieces::default()
    } else {
        Pieces::exactly(thought, || prose::thinking(&topic, &mut mind, thought))
    };
    let exact = directives.tokens.or(directives.ms.map(|_| TIMED_TOKENS));
    let answer = if let Some(question) = question {
        Pieces::new(question)
    } else if let Some(text) = &directives.text {
        Pieces::new(text.clone())
    } else if plan::is_wanted(ask) {
        Pieces::new(plan::answer(ask, &topic, endpoint.faults.plan, dice))
    } else if let Some(schema) = &ask.schema {
        Pieces::new(plan::fitting(schema, &topic, dice))
    } else if ask.json.is_yes() {
        Pieces::new(plan::any_json(&topic))
    } else if let Some(n) = exact {
        Pieces::exactly(n, || prose::answer(&topic, dice, n))
    } else {
        Pieces::new(prose::answer(&topic, dice, total.saturating_sub(thought).max(40).min(total)))
    };
    (thinking, answer)
}

/// A question with its choices, in the form that the prompt asks for.
fn question(directive: &str) -> String {
    let mut parts = directive.split('|').map(str::trim);
    let question = parts.next().unwrap_or_default();
    parts.fold(format!("ASK: {question}"), |text, choice| format!("{text}\n- {choice}"))
}

/// Cuts the answer before the first stop word in it.
fn stop_word(answer: &mut Pieces, stops: &[String]) -> Finish {
    let found = stops.iter().filter(|stop| !stop.is_empty());
    let first = found.filter_map(|stop| Some((answer.text().find(stop.as_str())?, stop))).min_by_key(|(at, _)| *at);
    let Some((at, word)) = first else { return Finish::Stop };
    let kept = answer.text()[..at].to_owned();
    *answer = Pieces::new(kept);
    Finish::Word(word.clone())
}

/// Thinking that comes with a closing tag only; a model that does not think thinks a little for it.
fn thought_or(thinking: &Pieces) -> &str {
    if thinking.len() > 0 { thinking.text() } else { "The user wants an answer. I keep it short." }
}

/// How a request fails, if it does, and at which share of its answer.
fn failure(directives: &Directives, endpoint: &SimEndpoint, key: u64, seen: u32) -> Option<(Failure, f64)> {
    let mut dice = Dice::new(mix(key ^ super::random::digest([endpoint.name.as_str()])) ^ u64::from(seen));
    let kind = match (directives.fail_first, directives.fail) {
        (Some(n), _) if seen >= n => None,
        (Some(_), kind) => Some(kind.unwrap_or(Failure::Error)),
        (None, Some(kind)) => Some(kind),
        (None, None) => by_rate(endpoint, &mut dice),
    }?;
    Some((kind, dice.between(0.2, 0.8)))
}

fn by_rate(endpoint: &SimEndpoint, dice: &mut Dice) -> Option<Failure> {
    let faults = &endpoint.faults;
    let mut luck = dice.unit();
    let (half, aborted) = (faults.error_rate / 2.0, faults.abort_rate / 2.0);
    let kinds = [
        (half, Failure::Error),
        (half, Failure::ErrorLate),
        (faults.stall_rate, Failure::Stall),
        (faults.cut_rate, Failure::Cut),
        (faults.garbage_rate, Failure::Garbage),
        (faults.tools_rate, Failure::Tools),
        (aborted, Failure::Ends("abort")),
        (aborted, Failure::Ends("error")),
        (faults.think_rate, Failure::LoneTag),
    ];
    for (rate, kind) in kinds {
        if luck < rate {
            return Some(kind);
        }
        luck -= rate;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::fleet::Protocol;

    fn script(text: &str, seed: u64, seen: u32) -> Script {
        let ask = Ask::chat(&json!({"messages":[{"role":"user","content":text}],"max_tokens":800})).expect("reads");
        let mut endpoint = SimEndpoint::new("x", Protocol::LlamaCpp, "m", 2, 16_384);
        endpoint.thinking = 0.3;
        endpoint.faults.error_rate = 0.5;
        Script::new(&ask, &endpoint, seed, 1.0, seen).expect("fits")
    }

    #[test]
    fn the_same_seed_and_request_give_the_same_answer() {
        let texts = ["Compare two parsers", "Implement a cache in Rust", "Why do queues grow?"];
        let first: Vec<Script> = texts.iter().map(|t| script(t, 7, 0)).collect();
        for (text, one) in texts.iter().zip(&first).rev() {
            let again = script(text, 7, 3);
            assert_eq!((&one.answer, &one.thinking, one.seconds), (&again.answer, &again.thinking, again.seconds));
            assert_ne!(one.answer, script(text, 8, 0).answer);
            assert!((60..=900).contains(&one.tokens()), "{} tokens", one.tokens());
            assert!(one.answer.text().starts_with(prose::MARK));
        }
    }

    #[test]
    fn directives_are_exact() {
        let s = script("Do it [sim tokens=200 thinking=50 ms=7.5]", 1, 0);
        assert_eq!((s.answer.len(), s.thinking.len()), (200, 50));
        assert_eq!(s.end(), Duration::from_micros(7_500));
        assert_eq!(s.due(249), s.end());
        let s = script("Do it [sim tokens=4 ms=900 read=100]", 1, 0);
        assert_eq!((s.due(0), s.end()), (Duration::from_millis(300), Duration::from_millis(900)));
        assert_eq!(script("[sim text=exactly this]", 1, 0).answer.text(), "exactly this");
    }

    #[test]
    fn failures_follow_directives_and_a_retry_may_pass() {
        for seen in 0..4 {
            let s = script("again [sim fail-first=2 fail=cut]", 1, seen);
            assert_eq!(s.failure.map(|(kind, _)| kind), (seen < 2).then_some(Failure::Cut));
        }
        let fates: Vec<bool> = (0..40).map(|seen| script("by rate", 1, seen).failure.is_some()).collect();
        assert!(fates.contains(&true) && fates.contains(&false));
    }

    #[test]
    fn odd_ends_keep_half_an_answer_and_a_tool_call_has_none() {
        for (word, reason) in [("abort", "abort"), ("error-end", "error"), ("content-filter", "content_filter")] {
            let s = script(&format!("go [sim tokens=100 fail={word}]"), 1, 0);
            assert_eq!((s.finish.clone(), s.failure), (Finish::Odd(reason), None));
            assert!((1..100).contains(&s.answer.len()), "{word}");
        }
        assert_eq!(script("go [sim tokens=100 fail=length]", 1, 0).finish, Finish::Length);
        let s = script("go [sim tokens=100 thinking=5 fail=tools]", 1, 0);
        assert_eq!((s.finish, s.thinking.len(), s.answer.len()), (Finish::Tools, 5, 0));
        for thinking in [0, 9] {
            let s = script(&format!("go [sim fail=think thinking={thinking} text=Hello.]"), 1, 0);
            assert_eq!((s.thinking.len(), s.failure, s.finish), (0, None, Finish::Stop));
            assert!(s.answer.text().ends_with("\n</think>\n\nHello.") && !s.answer.text().contains("<think>"));
        }
    }

    #[test]
    fn a_question_is_asked_once_and_only_where_the_prompt_tells_how() {
        let endpoint = SimEndpoint::new("x", Protocol::LlamaCpp, "m", 2, 16_384);
        let say = |system: &str, answered: bool| {
            let mut messages = vec![
                json!({"role":"system","content":system}),
                json!({"role":"user","content":"Do it [sim tokens=9 ask=Keep them?|keep|drop them]"}),
            ];
            if answered {
                messages.push(json!({"role":"assistant","content":"ASK: Keep them?"}));
                messages.push(json!({"role":"user","content":"keep"}));
            }
            let ask = Ask::chat(&json!({"messages": messages})).expect("reads");
            Script::new(&ask, &endpoint, 1, 1.0, 0).expect("fits").answer.text().to_owned()
        };
        let told = "You work. Ask with a line `ASK: <question>`.";
        assert_eq!(say(told, false), "ASK: Keep them?\n- keep\n- drop them");
        assert!(!say(told, true).starts_with("ASK:"));
        assert!(!say("You work.", false).starts_with("ASK:"));
    }

    #[test]
    fn a_death_strikes_the_named_endpoint_once() {
        let s = script("[sim die=12s back=20s at=x]", 1, 0);
        let seconds = Duration::from_secs;
        let fate = Fate { end: End::Killed, back: Some(seconds(20)), load: None };
        assert_eq!(s.doom, Some((seconds(12), fate)));
        let s = script("[sim term=12s load=3s at=x]", 1, 0);
        assert_eq!(s.doom, Some((seconds(12), Fate { end: End::Asked, back: None, load: Some(seconds(3)) })));
        for (text, seen) in [("[sim die=12s at=x]", 1), ("[sim die=12s at=y]", 0), ("[sim die=12s]", 0)] {
            assert_eq!(script(text, 1, seen).doom, None, "{text}");
        }
    }

    #[test]
    fn limits_cut_and_long_prompts_are_refused() {
        let ask = Ask::chat(&json!({"messages":[{"role":"user","content":"explain [sim tokens=90]"}],"max_tokens":20}));
        let endpoint = SimEndpoint::new("x", Protocol::LlamaCpp, "m", 2, 4_096);
        let s = Script::new(&ask.expect("reads"), &endpoint, 1, 1.0, 0).expect("fits");
        assert_eq!((s.tokens(), s.finish), (20, Finish::Length));
        let long = "word ".repeat(5_000);
        let ask = Ask::chat(&json!({"messages":[{"role":"user","content":long}]})).expect("reads");
        let error = Script::new(&ask, &endpoint, 1, 1.0, 0).expect_err("too long");
        assert_eq!(error.context, 4_096);
        assert!(error.prompt_tokens > 5_000);
    }

    #[test]
    fn a_stop_word_ends_the_answer() {
        let ask = Ask::native(&json!({"prompt":"[sim text=one. two. three]","stop":[". t"],"n_predict":50}));
        let endpoint = SimEndpoint::new("x", Protocol::LlamaCpp, "m", 2, 4_096);
        let s = Script::new(&ask.expect("reads"), &endpoint, 1, 1.0, 0).expect("fits");
        assert_eq!((s.answer.text(), s.finish), ("one", Finish::Word(". t".into())));
    }
}
