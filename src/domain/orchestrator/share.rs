//! How the context of one request is shared between its fixed words, the results it needs, the conversation so far and its
//! answer; and what is cut when it does not all go in.
//!
//! Pure arithmetic. Not here: what the pieces are (`prompts`), how dense text is (`state/fit`). Invariants: results get
//! their share first, the answer what is left and no more than is wanted; the answer keeps its floor, and what was cut for
//! that is cut from the results and the conversation.

use crate::domain::protocol::Cut;
use crate::domain::state::Density;

/// Bytes of the mark that stands where something was left out, some digits included.
const MARK: u64 = 40;

/// What a request would hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Tokens of one request, prompt and answer together.
    pub context: u64,
    /// How many bytes a token stands for.
    pub density: Density,
    /// The part of the context that results may fill, in percent.
    pub percent: u32,
    /// Bytes that are never cut: the system prompt, the goal, the task's own prompt, headings, what was said to it.
    pub fixed: u64,
    /// Bytes of the results.
    pub results: u64,
    /// Bytes of the results as the turn before had them, in a conversation: what was sent is not cut anew if it need not.
    pub held: Option<u64>,
    /// Bytes of earlier answers that the conversation carries.
    pub spoken: u64,
    /// The most bytes of results and conversation together, whatever there would be room for.
    pub most: u64,
    /// The most tokens wanted for the answer.
    pub wanted: u64,
}

/// What each gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Bytes for results.
    pub results: u64,
    /// Bytes for the conversation.
    pub spoken: u64,
    /// Tokens for the answer.
    pub answer: u64,
    /// Whether the fixed words leave the answer its floor.
    pub holds: bool,
}

impl Load {
    /// Tokens kept free for the chat template and errors of counting.
    fn margin(&self) -> u64 {
        (self.context / 16).clamp(32, 256)
    }

    /// The least tokens of an answer that are worth asking for: a quarter of the context, or all that is wanted.
    fn floor(&self) -> u64 {
        self.wanted.min(self.context / 4).max(1)
    }

    /// Shares the context.
    pub(super) fn share(&self) -> Share {
        let open = self.context.saturating_sub(self.margin() + self.density.tokens(self.fixed));
        let floor = self.floor();
        let room = self.density.bytes(open.saturating_sub(floor)).min(self.most);
        let by_share = self.density.bytes(self.context * u64::from(self.percent.min(95)) / 100);
        let mut results = self.results.min(by_share).min(room);
        match self.held {
            Some(held) if held + self.spoken <= room => results = held,
            // Once, to half: whatever the conversation grows to, what it began with stands from then on.
            _ if results + self.spoken > room => results = results.min(room / 2),
            _ => {}
        }
        let spoken = self.spoken.min(room - results.min(room));
        let left = open.saturating_sub(self.density.tokens(results + spoken));
        Share { results, spoken, answer: left.max(floor).min(self.wanted).max(1), holds: open >= floor }
    }
}

/// Divides a budget of bytes among texts: short ones whole, the rest an equal share each, cut in the middle.
pub(super) fn cut_to(budget: u64, sizes: &[u64]) -> Vec<Cut> {
    let mut by_size: Vec<usize> = (0..sizes.len()).collect();
    by_size.sort_by_key(|i| sizes[*i]);
    let mut cuts = vec![Cut::Whole; sizes.len()];
    let mut left = budget;
    for (done, i) in by_size.iter().enumerate() {
        let share = left / (sizes.len() - done) as u64;
        let size = sizes[*i];
        if size <= share {
            left -= size;
        } else {
            let kept = share.saturating_sub(MARK);
            cuts[*i] = Cut::Middle { head: kept * 7 / 10, tail: kept - kept * 7 / 10 };
            left -= share;
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(context: u64) -> Load {
        Load {
            context,
            density: Density::USUAL,
            percent: 60,
            fixed: 600,
            results: 33_400,
            held: None,
            spoken: 0,
            most: u64::MAX,
            wanted: 4096,
        }
    }

    #[test]
    fn results_get_their_share_before_the_answer_does() {
        // Context, bytes of results, tokens of the answer; two results of 16.7 kB, 200 tokens of fixed words.
        let table = [
            (256, 0, 64),
            (512, 456, 128),
            (2048, 3624, 512),
            (4096, 7371, 1183),
            (8192, 14_745, 2821),
            (16_384, 29_490, 4096),
            (32_768, 33_400, 4096),
        ];
        for (context, results, answer) in table {
            let got = load(context).share();
            assert_eq!((got.results, got.answer), (results, answer), "at {context}");
            let tokens = Density::USUAL.tokens(600 + got.results) + got.answer;
            assert!(!got.holds || tokens <= context, "at {context} {tokens} tokens");
        }
    }

    #[test]
    fn what_results_do_not_need_is_the_answers_up_to_what_is_wanted() {
        let small = Load { results: 300, ..load(4096) };
        assert_eq!(small.share(), Share { results: 300, spoken: 0, answer: 4096 - 256 - 200 - 100, holds: true });
        assert_eq!(Load { wanted: 500, ..small }.share().answer, 500);
        // What is wanted is little: the results get their share and no more.
        assert_eq!(
            Load { wanted: 100, ..load(4096) }.share(),
            Share { results: 7371, spoken: 0, answer: 100, holds: true }
        );
    }

    #[test]
    fn long_fixed_words_take_from_the_results_then_nothing_holds() {
        let long = Load { fixed: 6000, ..load(4096) };
        assert_eq!(
            long.share(),
            Share { results: (4096 - 256 - 2000 - 1024) * 3, spoken: 0, answer: 1024, holds: true }
        );
        let too_long = Load { fixed: 12_000, ..load(4096) };
        assert_eq!(too_long.share(), Share { results: 0, spoken: 0, answer: 1024, holds: false });
    }

    #[test]
    fn a_conversation_leaves_what_was_sent_as_it_was_and_cuts_it_once_to_half() {
        let first = load(4096).share();
        let next = Load { held: Some(first.results), spoken: 400, ..load(4096) };
        assert_eq!((next.share().results, next.share().spoken), (first.results, 400));
        // Another density since then changes nothing of what was sent.
        let other = Load { density: Density::of(310, 100).unwrap(), ..next };
        assert_eq!(other.share().results, first.results);
        let full = Load { held: Some(first.results), spoken: 5_000, ..load(4096) }.share();
        assert_eq!((full.results, full.spoken, full.answer), (3924, 3924, 1024));
        let fuller = Load { held: Some(full.results), spoken: 9_000, ..load(4096) }.share();
        assert_eq!((fuller.results, fuller.spoken), (3924, 3924));
    }

    #[test]
    fn a_bound_holds_whatever_there_is_room_for() {
        let bound = Load { most: 1000, ..load(16_384) }.share();
        assert_eq!((bound.results, bound.answer), (1000, 4096));
    }

    #[test]
    fn short_results_stay_whole_and_long_ones_share_what_is_left() {
        let sizes = [100, 10_000, 20_000];
        let cuts = cut_to(2_180, &sizes);
        assert_eq!(cuts[0], Cut::Whole);
        assert_eq!(cuts[1..], [Cut::Middle { head: 700, tail: 300 }; 2]);
        assert!(cut_to(1 << 40, &sizes).iter().all(|c| *c == Cut::Whole));
        assert_eq!(cut_to(0, &sizes)[1], Cut::Middle { head: 0, tail: 0 });
    }
}
