//! How much of a context what is asked takes: bytes and tokens of a turn's prompt, how much of the results it needs went
//! into it, and whether its answer has the room that was wanted.
//!
//! Not here: who decides how a context is shared (the orchestrator's `share`). All of it follows from recipes and counts;
//! no text is looked at.

use serde::{Deserialize, Serialize};

use super::{Attempt, State, Turn};
use crate::domain::plan::TaskSpec;
use crate::domain::protocol::{AgentName, Channel, Cut, Part, Recipe, TurnEnd, TurnEnded, Work};

/// How many bytes of text a token stands for, in bytes of a hundred tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Density(u32);

impl Density {
    /// What is taken while nothing was learned: three bytes. English is about four; code, tables and other scripts are
    /// less.
    pub const USUAL: Self = Self(300);
    /// The least and the most that is believed. A byte a token is what a tokenizer does that knows nothing of a script.
    /// English has more than the most, but the next prompt may be code, and a server that cuts in silence tells nobody.
    const BOUNDS: (u32, u32) = (100, 350);
    /// The least bytes of a prompt to learn from: in a shorter one the words of the chat template count for too much.
    const ENOUGH: u64 = 1024;

    /// What `bytes` that came to `tokens` tell; none where they tell nothing.
    pub fn of(bytes: u64, tokens: u64) -> Option<Self> {
        let of = bytes.saturating_mul(100).checked_div(tokens).filter(|of| *of > 0)?;
        Some(Self(u32::try_from(of).unwrap_or(u32::MAX).clamp(Self::BOUNDS.0, Self::BOUNDS.1)))
    }

    /// The same less a twentieth: for a next prompt of another mixture.
    #[must_use]
    pub const fn careful(self) -> Self {
        Self(self.0 - self.0 / 20)
    }

    /// The bytes that so many tokens stand for.
    pub const fn bytes(self, tokens: u64) -> u64 {
        tokens.saturating_mul(self.0 as u64) / 100
    }

    /// The tokens that so many bytes come to.
    pub const fn tokens(self, bytes: u64) -> u64 {
        let hundred = if self.0 == 0 { 1 } else { self.0 as u64 };
        bytes.saturating_mul(100).div_ceil(hundred)
    }

    /// Learned from one prompt more. Down fast and up slowly: one that is too long is refused, one that is too short only
    /// lacks a little.
    fn learn(known: Option<Self>, seen: Self) -> Self {
        match known {
            None => seen,
            Some(Self(old)) if seen.0 < old => Self((old + 3 * seen.0) / 4),
            Some(Self(old)) => Self(old + (seen.0 - old).div_ceil(16)),
        }
    }
}

/// How a turn's request fits into the context of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Bytes of the results that it needs.
    pub there: u64,
    /// Bytes of them that are in its prompt.
    pub given: u64,
    /// The most tokens that its answer was to have.
    pub wanted: u32,
    /// The most tokens that its answer may have.
    pub limit: u32,
    /// Whether the task itself says what was wanted, and not only its agent.
    pub own_limit: bool,
}

impl Fit {
    /// From this part on, in percent, results are taken to be there: what a cut of the middle leaves out then is little.
    const ENOUGH: u64 = 90;

    /// How much of the results is in the prompt, in percent; 100 where there are none, 0 only where nothing is.
    pub fn percent(&self) -> u64 {
        match (self.there, self.given) {
            (0, _) => 100,
            (_, 0) => 0,
            (there, given) => (u128::from(given) * 100 / u128::from(there)).max(1) as u64,
        }
    }

    /// Whether so little of the results is in the prompt that somebody should know.
    pub fn is_short(&self) -> bool {
        self.percent() < Self::ENOUGH
    }

    /// Whether the answer has less room than the task says it wants.
    pub fn is_limited(&self) -> bool {
        self.own_limit && self.limit < self.wanted
    }

    /// Whether it has less than half of that.
    pub fn is_much_limited(&self) -> bool {
        self.is_limited() && u64::from(self.limit) * 2 < u64::from(self.wanted)
    }

    /// How much of the results is there, in words: "31 % of the results it needs (10.3 of 33.4 kB)".
    pub fn words(&self) -> String {
        let kb = |bytes: u64| bytes as f64 / 1000.0;
        let of = match self.there {
            0..1000 => format!("{} of {} bytes", self.given, self.there),
            _ => format!("{:.1} of {:.1} kB", kb(self.given), kb(self.there)),
        };
        format!("{} % of the results it needs ({of})", self.percent())
    }
}

/// `given` parts in `whole` of so many bytes.
fn part_of(bytes: u64, given: u64, whole: u64) -> u64 {
    if given >= whole { bytes } else { (u128::from(bytes) * u128::from(given) / u128::from(whole.max(1))) as u64 }
}

/// Bytes of how an agent may ask the operator; the orchestrator's tests hold it to the words.
pub(crate) const MAY_ASK: u64 = 218;

impl State {
    /// The most tokens that the answer of a task is to have: its own budget, else its agent's limit.
    pub fn wanted_tokens(&self, form: &TaskSpec) -> u32 {
        form.budget.tokens.unwrap_or_else(|| self.agent_limit(&form.agent))
    }

    fn agent_limit(&self, agent: &AgentName) -> u32 {
        self.config.fleet.agent(agent).map_or(2048, |a| a.max_tokens)
    }

    /// Bytes of one piece of a prompt, whole or as it is cut.
    pub(crate) fn part_bytes(&self, part: &Part, form: &TaskSpec) -> u64 {
        let len = |text: Option<&str>| text.map_or(0, str::len) as u64;
        let cut_to = |cut: &Cut, whole: u64| match cut {
            Cut::Whole => whole,
            Cut::Middle { head, tail } => (head + tail).min(whole),
        };
        match part {
            Part::AgentPrompt(agent) => len(self.config.fleet.agent(agent).map(|a| a.prompt.as_str())),
            Part::MayAsk => MAY_ASK,
            Part::Literal(text) => text.len() as u64,
            Part::Goal(goal) => len(self.goal(*goal).map(|g| g.text.as_str())),
            Part::TaskPrompt(_) => form.prompt.len() as u64,
            Part::ResultOf { attempt, cut } => cut_to(cut, self.attempt(*attempt).map_or(0, |a| self.answer_bytes(a))),
            Part::AnswerOf { turn, cut } => {
                cut_to(cut, self.step(*turn).map_or(0, |step| step.channel(Channel::Answer).bytes))
            }
        }
    }

    /// Bytes of a prompt.
    pub(crate) fn recipe_bytes(&self, recipe: &Recipe, form: &TaskSpec) -> u64 {
        recipe.messages.iter().flat_map(|m| &m.parts).map(|part| self.part_bytes(part, form)).sum()
    }

    /// How a turn of an attempt fits.
    pub fn fit(&self, attempt: &Attempt, turn: &Turn) -> Fit {
        let form = &attempt.spec;
        let mut fit = Fit {
            there: 0,
            given: 0,
            wanted: self.wanted_tokens(form),
            limit: turn.max_tokens,
            own_limit: form.budget.tokens.is_some(),
        };
        for part in turn.recipe.messages.iter().flat_map(|m| &m.parts) {
            if let Part::ResultOf { attempt: result, .. } = part {
                let whole = self.attempt(*result).map_or(0, |a| self.answer_bytes(a));
                let given = self.part_bytes(part, form);
                // What a round did not read is lost to the answer too.
                let through = self.task(attempt.task).work == Work::Synthesis;
                let read = self.attempt(*result).filter(|_| through).and_then(|round| self.read_by_round(round));
                let (there, read) = read.unwrap_or((whole, whole));
                fit.there += there;
                fit.given += part_of(read, given, whole);
            }
        }
        fit
    }

    /// Of a round's answer: the bytes of the results that it stands for, through other rounds, and of them those that were
    /// read for it. None where an attempt is no round's, or asked nothing.
    pub(crate) fn read_by_round(&self, attempt: &Attempt) -> Option<(u64, u64)> {
        if self.task(attempt.task).work != Work::Round {
            return None;
        }
        let turn = attempt.turns().last()?;
        let (mut there, mut read) = (0, 0);
        for part in turn.recipe.messages.iter().flat_map(|m| &m.parts) {
            if let Part::ResultOf { attempt: result, .. } = part
                // A round is made of earlier attempts; a record from elsewhere that says otherwise ends here.
                && let Some(of) = self.attempt(*result).filter(|of| of.id < attempt.id)
            {
                let whole = self.answer_bytes(of);
                let (all, seen) = self.read_by_round(of).unwrap_or((whole, whole));
                there += all;
                read += part_of(seen, self.part_bytes(part, &attempt.spec), whole);
            }
        }
        Some((there, read))
    }

    /// How the last turn of an attempt fits; none where nothing was asked.
    pub fn fit_of(&self, attempt: &Attempt) -> Option<Fit> {
        let turn = attempt.turn()?;
        Some(self.fit(attempt, turn))
    }

    /// What the end of a turn says of how dense text is at its endpoint.
    pub(super) fn density_told(&self, ended: &TurnEnded) -> Option<Density> {
        let attempt = self.attempt(ended.turn.attempt)?;
        let turn = self.turn(ended.turn)?;
        let bytes = || self.recipe_bytes(&turn.recipe, &attempt.spec);
        match &ended.end {
            TurnEnd::Failed(failure) => Density::of(bytes(), failure.told.prompt_tokens?),
            _ => {
                let tokens = Some(ended.usage.prompt_tokens).filter(|t| *t > 0)?;
                // Far more text than any tokenizer makes a token of: a server that counts only what its cache had not.
                let believable = Density::ENOUGH..=tokens.saturating_mul(10);
                Density::of(Some(bytes()).filter(|b| believable.contains(b))?, tokens)
            }
        }
    }
}

/// How large what a task is asked is, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    fixed: u64,
    results: u64,
}

/// How much of the results a task needs an endpoint has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// All of them.
    Whole,
    /// Some.
    Part,
    /// None, and another endpoint has more room.
    Nothing,
}

impl Size {
    /// The room an endpoint has for it where the largest context is `most`; a quarter is kept for the answer.
    pub(super) fn room(self, e: &super::EndpointState, percent: u32, most: u32) -> Room {
        let context = u64::from(e.context());
        let open = (context * 3 / 4).saturating_sub((context / 16).clamp(32, 256) + e.density().tokens(self.fixed));
        let needed = e.density().tokens(self.results);
        match open.min(context * u64::from(percent.min(95)) / 100) {
            room if room >= needed => Room::Whole,
            // What is left of a result under so few tokens is the mark of what is missing.
            0..32 if e.context() < most => Room::Nothing,
            _ => Room::Part,
        }
    }
}

impl State {
    /// How large what a task is asked is.
    pub(super) fn size_of(&self, task: &super::Task) -> Size {
        /// Bytes of a heading less the title, and of the words between goal, results and prompt.
        const HEADING: u64 = 30;
        const FRAME: u64 = 128;
        let own = [Part::AgentPrompt(task.spec.agent.clone()), Part::Goal(task.id.goal)];
        let own: u64 = own.iter().map(|part| self.part_bytes(part, &task.spec)).sum();
        let mut size = Size { fixed: own + task.spec.prompt.len() as u64 + FRAME, results: 0 };
        for need in self.told_of(task).into_iter().map(|n| self.task(n)) {
            size.fixed += HEADING + need.title.len() as u64;
            let result = need.result.filter(|_| need.has_result()).and_then(|id| self.attempt(id));
            size.results += result.map_or(0, |a| self.answer_bytes(a));
        }
        size
    }
}

impl super::EndpointState {
    /// How many bytes of text a token of its model stands for: what was seen, on the careful side, else the usual.
    pub fn density(&self) -> Density {
        self.density.map_or(Density::USUAL, Density::careful)
    }

    /// A prompt was read there.
    pub(super) fn read_prompt(&mut self, seen: Option<Density>) {
        if let Some(seen) = seen {
            self.density = Some(Density::learn(self.density, seen));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn density_goes_down_fast_and_up_slowly_and_stays_believable() {
        let of = |bytes, tokens| Density::of(bytes, tokens).unwrap();
        assert_eq!(of(3000, 1000), Density::USUAL);
        assert_eq!((of(9000, 1000), of(10, 1000)), (Density(350), Density(100)));
        assert_eq!((Density::of(0, 10), Density::of(10, 0)), (None, None));
        let (english, code) = (Density(340), Density(240));
        assert_eq!(Density::learn(Some(english), code), Density(265));
        assert_eq!(Density::learn(Some(code), english), Density(247));
        let mut known = code;
        for _ in 0..200 {
            known = Density::learn(Some(known), english);
        }
        assert_eq!(known, english, "in the end it gets there");
        assert_eq!((english.bytes(100), english.tokens(340), english.tokens(341)), (340, 100, 101));
    }

    #[test]
    fn how_much_is_there_is_said_in_percent_that_are_never_more_than_true() {
        let fit = |given, there| Fit { there, given, wanted: 10, limit: 10, own_limit: true };
        assert_eq!(fit(10_349, 33_400).words(), "30 % of the results it needs (10.3 of 33.4 kB)");
        assert_eq!((fit(0, 5).percent(), fit(1, 50_000).percent(), fit(0, 0).percent()), (0, 1, 100));
        assert!(fit(89, 100).is_short() && !fit(90, 100).is_short());
        let limited = Fit { limit: 4, ..fit(1, 1) };
        assert!(limited.is_limited() && limited.is_much_limited() && !Fit { limit: 5, ..limited }.is_much_limited());
        assert!(!Fit { own_limit: false, ..limited }.is_limited());
    }
}
