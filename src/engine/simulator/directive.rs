//! Directives: words in a request that tell the simulator exactly what to do, for tests and benches.
//!
//! `[sim tokens=200]`, `[sim ms=7.5]`, `[sim ms=900 read=100]`, `[sim thinking=50]`, `[sim fail=cut]`, `[sim fail-first=2]`, `[sim text=…]`,
//! several in one bracket (`[sim ms=7 tokens=12]`; `text=` takes the rest of the bracket). They may stand in any
//! message; where two name the same thing the later one counts, so that a task's own word goes before its goal's.
//! `[sim die=12s back=20s at=qwen]`: that long after the request came into work the endpoint `qwen` dies, and returns
//! that long after; once, and only if it is `qwen` that works on it. `term=12s` in its place: it is asked to end, refuses
//! at once and says nothing more on what was under way. `load=5s` beside them: back, it first loads its model so long.
//! Times of this kind shrink with the fleet's speed.
//! `fail=` knows `error` and `error-late` (the server's error before the first byte, and in the stream), `cut`, `garbage`,
//! `stall`, `empty`; `tools` (a call of a tool that nobody offered, and no word); `think` (the thinking in the answer, with
//! a closing tag only); and, half way, the ends `length`, `abort`, `error-end`, `content-filter`.
//! `[sim ask=Which?|this|that]`: a first turn asks that, if the system prompt tells how (`ask=` takes the rest of the
//! bracket); later turns answer.
//! What cannot be read is ignored: a model does not refuse odd words either.

use std::time::Duration;

use super::faults::duration;
use super::script::Failure;

/// What the directives of a request ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Directives {
    /// Exactly this many tokens of answer.
    pub(super) tokens: Option<u32>,
    /// The slot is taken for exactly this many milliseconds, whatever the speed; longer while the endpoint is slow.
    pub(super) ms: Option<f64>,
    /// Of those milliseconds so many go by before the first token's turn comes: the prompt is read.
    pub(super) read: Option<f64>,
    /// Exactly this many tokens of thinking.
    pub(super) thinking: Option<u32>,
    /// The request fails this way.
    pub(super) fail: Option<Failure>,
    /// Only the first so many times that this request is seen fail.
    pub(super) fail_first: Option<u32>,
    /// The answer, word for word.
    pub(super) text: Option<String>,
    /// The question it asks on its first turn, and the choices behind it, parted by `|`.
    pub(super) ask: Option<String>,
    /// The endpoint dies so long after the request came into work.
    pub(super) die: Option<Duration>,
    /// It is asked to end so long after the request came into work.
    pub(super) term: Option<Duration>,
    /// It returns so long after it ended; none: never by itself.
    pub(super) back: Option<Duration>,
    /// Back, it loads its model so long; none: as long as its faults say.
    pub(super) load: Option<Duration>,
    /// Which endpoint ends; without a name none does, or the one tried next would end too.
    pub(super) at: Option<String>,
}

impl Directives {
    /// The directives in `text`, later ones over earlier ones.
    pub(super) fn read(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find("[sim ") {
            let inner = &rest[at + 5..];
            let Some(end) = inner.find(']') else { return };
            self.bracket(&inner[..end]);
            rest = &inner[end + 1..];
        }
    }

    fn bracket(&mut self, mut words: &str) {
        loop {
            words = words.trim_start();
            if let Some(text) = words.strip_prefix("text=") {
                self.text = Some(text.to_owned());
                return;
            }
            if let Some(question) = words.strip_prefix("ask=") {
                self.ask = Some(question.to_owned());
                return;
            }
            let end = words.find(' ').unwrap_or(words.len());
            let Some((name, value)) = words[..end].split_once('=') else { return };
            match name {
                "tokens" => self.tokens = value.parse().ok().or(self.tokens),
                "ms" => self.ms = milliseconds(value).or(self.ms),
                "read" => self.read = milliseconds(value).or(self.read),
                "thinking" => self.thinking = value.parse().ok().or(self.thinking),
                "fail" => self.fail = Failure::from_word(value).or(self.fail),
                "die" => self.die = duration("die", value).ok().or(self.die),
                "term" => self.term = duration("term", value).ok().or(self.term),
                "back" => self.back = duration("back", value).ok().or(self.back),
                "load" => self.load = duration("load", value).ok().or(self.load),
                "at" => self.at = Some(value.to_owned()),
                "fail-first" => self.fail_first = value.parse().ok().or(self.fail_first),
                _ => {}
            }
            words = &words[end..];
        }
    }

    /// `text` without its directives: what the prose may take up.
    pub(super) fn strip(text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("[sim ") {
            let Some(end) = rest[at..].find(']') else { break };
            clean.push_str(&rest[..at]);
            rest = &rest[at + end + 1..];
        }
        clean.push_str(rest);
        clean
    }
}

fn milliseconds(value: &str) -> Option<f64> {
    value.parse().ok().filter(|ms: &f64| ms.is_finite() && *ms >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_and_later_ones_count() {
        let mut d = Directives::default();
        d.read("Do this [sim tokens=200 ms=7.5] and [sim fail-first=2][sim fail=cut] [sim ms=9]");
        assert_eq!((d.tokens, d.ms, d.fail_first), (Some(200), Some(9.0), Some(2)));
        assert_eq!(d.fail, Some(Failure::Cut));
        d.read("[sim thinking=5 text=yes, and = more]");
        assert_eq!(d.thinking, Some(5));
        assert_eq!(d.text.as_deref(), Some("yes, and = more"));
        d.read("[sim ms=900 read=100]");
        assert_eq!((d.ms, d.read), (Some(900.0), Some(100.0)));
        d.read("[sim die=12s back=500ms at=qwen]");
        assert_eq!((d.die, d.back), (Some(Duration::from_secs(12)), Some(Duration::from_millis(500))));
        assert_eq!(d.at.as_deref(), Some("qwen"));
        d.read("[sim term=3s load=2s fail=content-filter]");
        assert_eq!((d.term, d.load), (Some(Duration::from_secs(3)), Some(Duration::from_secs(2))));
        assert_eq!(d.fail, Some(Failure::Ends("content_filter")));
        d.read("[sim ms=3 ask=Keep them?|keep them|drop]");
        assert_eq!((d.ms, d.ask.as_deref()), (Some(3.0), Some("Keep them?|keep them|drop")));
    }

    #[test]
    fn odd_words_are_ignored_and_stripping_leaves_the_rest() {
        let mut d = Directives::default();
        d.read("[sim] [sim tokens=many ms=-1 what] [sim fail=loudly] [sim tokens=3");
        assert_eq!(d, Directives::default());
        assert_eq!(Directives::strip("a [sim ms=3] b"), "a  b");
        assert_eq!(Directives::strip("a [sim ms=3 b"), "a [sim ms=3 b");
    }
}
