//! Thinking that comes inside the answer's text is told apart, with marks split over pieces anywhere: pairs of marks at its
//! start ([`PAIRS`]), harmony channels (`<|channel|>analysis<|message|>…`), and a closing mark alone, whose opening one the
//! model's template wrote into the prompt.
//!
//! Not here: thinking that has a field of its own. Invariants: what is held back is at most a mark's length, white
//! space ([`MOST_WHITE`]) or a harmony header ([`LONGEST_HEADER`]); the time taken grows with the text and no faster.
//!
//! A lone closing mark turns all of the answer so far into thinking, which is a loss where the answer only speaks of the mark.
//! So it counts once, and not where thinking was seen before, where the answer has an opening mark in it, inside of code, or
//! behind a quotation mark: there it stays the model's own words, and thinking that ends so stays in the answer, which does
//! less harm than an answer without its beginning.

/// A header longer than this is no header but text.
const LONGEST_HEADER: usize = 1024;

/// Bytes of white space that may part thinking from what is before and after it, and are no part of the answer then. Templates
/// write a few line ends; more than this is what the model says, if only to go on for ever.
const MOST_WHITE: usize = 64;

/// What opens and closes thinking. Sources: the chat templates of Qwen and DeepSeek (`think`), Gemma and Hermes (`thought`),
/// Seed-OSS, Granite and others (`reasoning`), Mistral, Cohere, Kimi, OpenThinker, Gemma 4. Letters count in any case.
const PAIRS: [(&str, &str); 11] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("◁think▷", "◁/think▷"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel>analysis", "<channel|>"),
];

/// What is put around the answer by models that mark it, too.
const ANSWERS: [(&str, &str); 2] =
    [("<|START_RESPONSE|>", "<|END_RESPONSE|>"), ("<|begin_of_solution|>", "<|end_of_solution|>")];

const START: &str = "<|start|>";
const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";
/// What ends a harmony message's body; the last two begin the next message.
const BODY_ENDS: [&str; 5] = ["<|end|>", "<|call|>", "<|return|>", START, CHANNEL];

/// What is left of harmony where a server drops its special tokens: the channels' names, `analysis…assistantfinal…`. The
/// first alone is a word like any other, so nothing is thinking before the second has come.
const BARE: [&str; 2] = ["analysis", "assistantanalysis"];
const BARE_FINAL: &str = "assistantfinal";

/// A piece of text, told apart.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    /// Thinking.
    Thinking(String),
    /// Answer.
    Answer(String),
    /// All of the answer so far was thinking.
    Rethought,
    /// A tool call begins that is written in harmony: the function's name.
    Call(String),
    /// More of its arguments' text.
    Arguments(String),
}

/// Where in the text we are.
#[derive(Clone, Debug, Default, PartialEq)]
enum Place {
    /// Before the first character of the answer that is not white space; after thinking, too.
    #[default]
    Start,
    /// Between two marks, up to the closing one.
    Inside(What, &'static str),
    /// In the answer, where a lone closing mark may still come.
    Watched(Watch),
    /// In the answer; everything is passed on.
    Plain,
    /// In a harmony header.
    Header,
    /// In the body of a harmony message.
    Body(What),
    /// Between two harmony messages.
    Between,
}

/// What a part of the text is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Thinking,
    Answer,
    Arguments,
}

impl What {
    fn piece(self) -> fn(String) -> Piece {
        match self {
            Self::Thinking => Piece::Thinking,
            Self::Answer => Piece::Answer,
            Self::Arguments => Piece::Arguments,
        }
    }
}

/// What is known of an answer in which a lone closing mark may come.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Watch {
    /// Whether it began as harmony does without its marks.
    bare: Bare,
    /// How many backticks opened the code that the text is in; 0 outside of code.
    code: usize,
    /// How many backticks stand at its end.
    ticks: usize,
    /// Its last character.
    last: char,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bare {
    Yes,
    No,
}

impl Watch {
    fn new(bare: Bare) -> Self {
        Self { bare, code: 0, ticks: 0, last: ' ' }
    }

    /// Takes in what is passed on.
    fn pass(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte == b'`' {
                self.ticks += 1;
                continue;
            }
            self.settle();
            // Code within a line ends with it: an opening backtick without its end is an apostrophe.
            if byte == b'\n' && self.code < 3 {
                self.code = 0;
            }
        }
        self.last = text.chars().next_back().unwrap_or(self.last);
    }

    /// A run of backticks is over: it opens code, or closes what as many opened.
    fn settle(&mut self) {
        if self.ticks > 0 {
            self.code = if self.code == 0 {
                self.ticks
            } else if self.code == self.ticks {
                0
            } else {
                self.code
            };
            self.ticks = 0;
        }
    }

    /// Whether a closing mark that comes now closes thinking.
    fn believes(mut self) -> bool {
        self.settle();
        self.code == 0 && !"\"'“‘«„".contains(self.last)
    }
}

/// Tells thinking and answer apart, piece by piece.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Splitter {
    place: Place,
    held: String,
    /// Thinking was seen, here or in a field of its own: a lone closing mark is then the model's own words, and white space
    /// before the answer is no part of it.
    thought: bool,
    /// Bytes of white space before the answer that were passed on, for they were more than [`MOST_WHITE`].
    white: usize,
}

impl Splitter {
    /// Thinking came in a field of its own.
    pub(super) fn saw_thinking(&mut self) {
        self.thought = true;
        if let Place::Watched(_) = self.place
            && self.held.is_empty()
        {
            self.place = Place::Plain;
        }
    }

    /// Takes a piece of text in and emits what is certain.
    pub(super) fn push(&mut self, piece: String, emit: &mut impl FnMut(Piece)) {
        if piece.is_empty() {
            return;
        }
        if self.held.is_empty() {
            match &mut self.place {
                Place::Plain => return emit(Piece::Answer(piece)),
                Place::Watched(watch) if watch.bare == Bare::No && !may_mark(&piece) => {
                    watch.pass(&piece);
                    return emit(Piece::Answer(piece));
                }
                Place::Inside(what, _) if !may_mark(&piece) => return emit(what.piece()(piece)),
                _ => {}
            }
        }
        let mut text = std::mem::take(&mut self.held);
        text.push_str(&piece);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            match self.step(rest, emit) {
                Some(next) => rest = next,
                None => break,
            }
        }
    }

    /// The end: what was held back is what it looks like.
    pub(super) fn finish(&mut self, emit: &mut impl FnMut(Piece)) {
        let held = std::mem::take(&mut self.held);
        let what = match std::mem::replace(&mut self.place, Place::Plain) {
            Place::Header | Place::Between => return,
            Place::Start if self.thought => return send(held.trim_start(), emit, What::Answer),
            Place::Inside(what, _) | Place::Body(what) => what,
            Place::Start | Place::Watched(_) | Place::Plain => What::Answer,
        };
        send(&held, emit, what);
    }

    /// One step through `text`: what is left to look at, or nothing (the rest is held).
    fn step<'a>(&mut self, text: &'a str, emit: &mut impl FnMut(Piece)) -> Option<&'a str> {
        match &mut self.place {
            Place::Start => self.start(text, emit),
            Place::Inside(what, close) => {
                let (what, close) = (*what, *close);
                let Some(at) = find(text, close) else { return self.send_certain(text, &[close], emit, what) };
                send(&text[..at], emit, what);
                self.place = if what == What::Thinking { Place::Start } else { Place::Plain };
                Some(&text[at + close.len()..])
            }
            Place::Watched(_) => self.watched(text, emit),
            Place::Plain => {
                emit(Piece::Answer(text.to_owned()));
                None
            }
            Place::Header => match text.split_once(MESSAGE) {
                // The same wherever the text was cut into pieces.
                Some((header, body)) if header.len() + MESSAGE.len() <= LONGEST_HEADER + 1 => {
                    self.place = Place::Body(body_of(header, emit));
                    Some(body)
                }
                _ if text.len() > LONGEST_HEADER => {
                    self.place = Place::Plain;
                    Some(text)
                }
                _ => self.hold(text),
            },
            Place::Body(what) => {
                let what = *what;
                let end = first(text, BODY_ENDS.into_iter(), |text, tag| text.starts_with(tag));
                let Some((at, tag)) = end else { return self.send_certain(text, &BODY_ENDS, emit, what) };
                send(&text[..at], emit, what);
                if tag == START || tag == CHANNEL {
                    self.place = Place::Header;
                    Some(&text[at..])
                } else {
                    self.place = Place::Between;
                    Some(&text[at + tag.len()..])
                }
            }
            Place::Between => {
                let bare = text.trim_start();
                if bare.starts_with(START) || bare.starts_with(CHANNEL) {
                    self.place = Place::Header;
                    return Some(bare);
                }
                if [START, CHANNEL].iter().any(|tag| tag.starts_with(bare)) {
                    return self.hold(bare);
                }
                self.place = Place::Body(What::Answer);
                Some(bare)
            }
        }
    }

    fn start<'a>(&mut self, mut text: &'a str, emit: &mut impl FnMut(Piece)) -> Option<&'a str> {
        let bare = text.trim_start();
        let white = text.len() - bare.len();
        if white > 0 && self.white + white > MOST_WHITE {
            send(&text[..white], emit, What::Answer);
            (self.white, text) = (self.white.saturating_add(white), bare);
        }
        for (pairs, what) in [(&PAIRS[..], What::Thinking), (&ANSWERS[..], What::Answer)] {
            if let Some((open, close)) = pairs.iter().find(|(open, _)| begins(bare, open)) {
                (self.thought, self.white) = (true, 0);
                self.place = Place::Inside(what, close);
                return Some(&bare[open.len()..]);
            }
        }
        // Nothing came before it that could be thinking.
        if let Some((_, close)) = PAIRS.iter().find(|(_, close)| begins(bare, close)) {
            self.thought = true;
            return Some(&bare[close.len()..]);
        }
        if bare.starts_with(CHANNEL) || bare.starts_with(START) {
            self.place = Place::Header;
            return Some(bare);
        }
        let marks = PAIRS.iter().chain(&ANSWERS).flat_map(|(open, close)| [*open, *close]);
        let mut marks = marks.chain([CHANNEL, START]).chain(BARE);
        if marks.any(|mark| bare.len() < mark.len() && begins(mark, bare)) {
            return self.hold(text);
        }
        // White space after thinking parts it from the answer, and is no part of either.
        let left = if self.thought { bare } else { text };
        let is_bare = BARE.iter().any(|name| bare.starts_with(name));
        self.place = match self.thought {
            true => Place::Plain,
            false => Place::Watched(Watch::new(if is_bare { Bare::Yes } else { Bare::No })),
        };
        Some(left)
    }

    fn watched<'a>(&mut self, text: &'a str, emit: &mut impl FnMut(Piece)) -> Option<&'a str> {
        let Place::Watched(watch) = &mut self.place else { return Some(text) };
        let marks = || {
            let of_pairs = PAIRS.iter().flat_map(|(open, close)| [*open, *close]);
            of_pairs.chain((watch.bare == Bare::Yes).then_some(BARE_FINAL))
        };
        let Some((at, mark)) = first(text, marks(), begins) else {
            let certain = text.len() - marks().map(|mark| overlap(text, mark)).max().unwrap_or(0);
            watch.pass(&text[..certain]);
            send(&text[..certain], emit, What::Answer);
            return self.hold(&text[certain..]);
        };
        let (before, after) = (&text[..at], &text[at + mark.len()..]);
        watch.pass(before);
        send(before, emit, What::Answer);
        if PAIRS.iter().any(|(open, _)| *open == mark) && watch.believes() {
            // It speaks of marks: none is lone any more.
            self.place = Place::Plain;
            return Some(&text[at..]);
        }
        if !watch.believes() {
            watch.pass(mark);
            send(&text[at..at + mark.len()], emit, What::Answer);
            return Some(after);
        }
        emit(Piece::Rethought);
        self.thought = true;
        self.place = Place::Start;
        Some(after)
    }

    fn send_certain<'a>(
        &mut self,
        text: &'a str,
        marks: &[&str],
        emit: &mut impl FnMut(Piece),
        what: What,
    ) -> Option<&'a str> {
        let certain = text.len() - marks.iter().map(|mark| overlap(text, mark)).max().unwrap_or(0);
        send(&text[..certain], emit, what);
        self.hold(&text[certain..])
    }

    fn hold<'a>(&mut self, text: &str) -> Option<&'a str> {
        text.clone_into(&mut self.held);
        None
    }
}

fn send(text: &str, emit: &mut impl FnMut(Piece), what: What) {
    if !text.is_empty() {
        emit(what.piece()(text.to_owned()));
    }
}

/// Whether a mark of thinking may be in `text`, or begin in it.
fn may_mark(text: &str) -> bool {
    text.contains(['<', '[', '◁'])
}

/// Whether `text` begins with `mark`, letters in any case.
fn begins(text: &str, mark: &str) -> bool {
    text.as_bytes().get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark.as_bytes()))
}

/// Where `mark` is in `text`, letters in any case.
fn find(text: &str, mark: &str) -> Option<usize> {
    let first = *mark.as_bytes().first()?;
    // Only the bare names begin with a letter, and they count as they are.
    memchr::memchr_iter(first, text.as_bytes()).find(|at| begins(&text[*at..], mark))
}

/// The first of `marks` in `text`, and where: in one pass, for to search each to the end again behind every mark would take
/// time that grows by the square.
fn first<'m>(
    text: &str,
    marks: impl Iterator<Item = &'m str> + Clone,
    is: impl Fn(&str, &str) -> bool,
) -> Option<(usize, &'m str)> {
    // What marks begin with; the last is the first byte of `◁`.
    let places = text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'<' | b'[' | b'a' | 0xe2));
    let mut found = places.filter_map(|(at, _)| Some((at, marks.clone().find(|mark| is(&text[at..], mark))?)));
    found.next()
}

/// Analysis is thinking; commentary to a function is its call, other commentary (a preamble) is thinking; the rest is
/// answer. Source: harmony's format document.
fn body_of(header: &str, emit: &mut impl FnMut(Piece)) -> What {
    let channel = header.rsplit(CHANNEL).next().unwrap_or_default().trim_start();
    let to = header.split_once("to=").map(|(_, to)| to.split([' ', '<', '\n']).next().unwrap_or_default());
    match to {
        Some(to) => {
            emit(Piece::Call(to.strip_prefix("functions.").unwrap_or(to).to_owned()));
            What::Arguments
        }
        None if channel.starts_with("analysis") || channel.starts_with("commentary") => What::Thinking,
        None => What::Answer,
    }
}

/// How many bytes at the end of `text` could be the beginning of `mark`.
fn overlap(text: &str, mark: &str) -> usize {
    let most = mark.len().saturating_sub(1).min(text.len());
    let ends = |n: &usize| {
        mark.is_char_boundary(*n) && text.as_bytes()[text.len() - n..].eq_ignore_ascii_case(&mark.as_bytes()[..*n])
    };
    (1..=most).rev().find(ends).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Piece, Splitter};

    /// Thinking, answer and calls, each joined.
    fn split(pieces: &[&str]) -> (String, String, Vec<(String, String)>) {
        let (mut splitter, mut got) = (Splitter::default(), (String::new(), String::new(), Vec::new()));
        let mut emit = |piece| match piece {
            Piece::Thinking(text) => got.0.push_str(&text),
            Piece::Answer(text) => got.1.push_str(&text),
            Piece::Rethought => got.0.push_str(&std::mem::take(&mut got.1)),
            Piece::Call(name) => got.2.push((name, String::new())),
            Piece::Arguments(text) => got.2.last_mut().unwrap().1.push_str(&text),
        };
        for piece in pieces {
            splitter.push((*piece).to_owned(), &mut emit);
        }
        splitter.finish(&mut emit);
        got
    }

    /// The same result whole, in two pieces at every place, and character by character.
    fn everywhere(text: &str, thinking: &str, answer: &str, calls: &[(&str, &str)]) {
        let calls: Vec<_> = calls.iter().map(|(n, a)| ((*n).to_owned(), (*a).to_owned())).collect();
        let expected = (thinking.to_owned(), answer.to_owned(), calls);
        for (cut, _) in text.char_indices() {
            assert_eq!(split(&[&text[..cut], &text[cut..]]), expected, "cut at {cut}");
        }
        let single: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(split(&single.iter().map(String::as_str).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn think_tags_at_the_start() {
        everywhere("<think>Let me see</think>\n\nHello <b>world</b>", "Let me see", "Hello <b>world</b>", &[]);
        everywhere("\n<think>a < b</think>c", "a < b", "c", &[]);
        everywhere("<think>never closed </thin", "never closed </thin", "", &[]);
    }

    #[test]
    fn tags_later_are_words() {
        everywhere("Write <think> around it", "", "Write <think> around it", &[]);
        everywhere("<think>x</think>say </think> again", "x", "say </think> again", &[]);
    }

    #[test]
    fn every_pair_of_marks_is_thinking() {
        for (open, close) in super::PAIRS {
            everywhere(&format!("{open}\nThe user\n{close}\n\nHello."), "\nThe user\n", "Hello.", &[]);
            everywhere(&format!("Okay.\n{close}\n\nHello."), "Okay.\n", "Hello.", &[]);
            everywhere(&format!("{close}\n\nHello."), "", "Hello.", &[]);
            everywhere(&format!("So {open} opens"), "", &format!("So {open} opens"), &[]);
        }
        everywhere("<THINK>a</Think>b", "a", "b", &[]);
        everywhere("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>", "a", "b", &[]);
        everywhere("<think>\n</think>\n\n<think>b</think>c", "\nb", "c", &[]);
    }

    #[test]
    fn a_lone_closing_mark_makes_thinking_of_all_before_it_once() {
        everywhere("The user asks\n</think>\n\nYes </think>.", "The user asks\n", "Yes </think>.", &[]);
        everywhere(
            "It's `one` tick. ```\ncode\n``` Done.</think>Yes",
            "It's `one` tick. ```\ncode\n``` Done.",
            "Yes",
            &[],
        );
    }

    #[test]
    fn a_closing_mark_that_is_spoken_of_is_words() {
        for text in [
            "Write `</think>` at the end.",
            "Write `` </think> ` `` at the end.",
            "```\n<think>\nx\n</think>\n```\nis how.",
            "```\n</think>\n```\nis how.",
            "Models write <think> and </think> around it.",
            "The mark \"</think>\" closes it.",
            "The mark “</think>” closes it.",
        ] {
            everywhere(text, "", text, &[]);
        }
    }

    #[test]
    fn harmony_without_its_marks() {
        everywhere("analysisThe user wants. assistantfinalHello.", "analysisThe user wants. ", "Hello.", &[]);
        everywhere("analysis We need.assistantfinal Hello.", "analysis We need.", "Hello.", &[]);
        everywhere("analysis of the data: assist", "", "analysis of the data: assist", &[]);
        everywhere("The assistantfinal word", "", "The assistantfinal word", &[]);
    }

    #[test]
    fn nothing_is_held_back_beyond_a_marks_length() {
        let (mut splitter, mut sent) = (Splitter::default(), 0);
        let text = "analysis <|START_THINKIN <thin [THIN `x` ◁thin ".repeat(50);
        for c in text.chars() {
            splitter.push(c.to_string(), &mut |piece| match piece {
                Piece::Answer(text) => sent += text.len(),
                other => panic!("{other:?}"),
            });
            assert!(splitter.held.len() <= "<|begin_of_thought|>".len(), "{}", splitter.held);
        }
        splitter.finish(&mut |piece| match piece {
            Piece::Answer(text) => sent += text.len(),
            other => panic!("{other:?}"),
        });
        assert_eq!(sent, text.len());
    }

    #[test]
    fn white_space_before_the_answer_is_not_held_without_end() {
        let white = " \n".repeat(100);
        everywhere(&white, "", &white, &[]);
        everywhere(&format!("{white}Hello."), "", &format!("{white}Hello."), &[]);
        everywhere(&format!("{white}<think>a</think>\n\nb"), "a", &format!("{white}b"), &[]);
        everywhere(&format!("<think>a</think>{white}b"), "a", &format!("{white}b"), &[]);
        for before in ["", "<think>a</think>"] {
            let (mut splitter, mut sent) = (Splitter::default(), 0);
            for piece in std::iter::once(before).chain(std::iter::repeat_n("\n", 10_000)) {
                splitter.push(piece.to_owned(), &mut |piece| match piece {
                    Piece::Answer(text) => sent += text.len(),
                    other => assert_eq!(other, Piece::Thinking("a".to_owned())),
                });
                assert!(splitter.held.len() <= super::MOST_WHITE);
            }
            assert_eq!(sent, 10_000);
        }
    }

    /// To look for every mark in all of the text behind each one would take hours.
    #[test]
    fn marks_by_the_thousand_take_time_by_their_number() {
        let quoted = "Say \"</think>\". ".repeat(50_000);
        assert_eq!(split(&[&quoted]), (String::new(), quoted, Vec::new()));
        let spoken = "<|channel|>final<|message|>Yes.".repeat(50_000);
        assert_eq!(split(&[&spoken]).1, "Yes.".repeat(50_000));
    }

    #[test]
    fn a_header_is_too_long_wherever_it_is_cut() {
        let text = format!("<|channel|>final{}<|message|>x", "y".repeat(super::LONGEST_HEADER));
        everywhere(&text, "", &text, &[]);
    }

    #[test]
    fn a_closing_tag_after_thinking_in_its_own_field_is_kept() {
        let (mut splitter, mut got) = (Splitter::default(), String::new());
        let mut emit = |piece| match piece {
            Piece::Answer(text) => got.push_str(&text),
            other => panic!("{other:?}"),
        };
        splitter.saw_thinking();
        splitter.push("the tag </think>".to_owned(), &mut emit);
        splitter.finish(&mut emit);
        assert_eq!(got, "the tag </think>");
    }

    #[test]
    fn harmony_channels() {
        everywhere(
            "<|channel|>analysis<|message|>Think a<b.<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>",
            "Think a<b.",
            "Yes.",
            &[],
        );
        everywhere(
            "<|start|>assistant<|channel|>analysis<|message|>T<|end|><|start|>assistant<|channel|>commentary \
             to=functions.get_w <|constrain|>json<|message|>{\"a\":1}<|call|>",
            "T",
            "",
            &[("get_w", "{\"a\":1}")],
        );
        everywhere("<|channel|>commentary to=functions.f<|message|>{\"a\"", "", "", &[("f", "{\"a\"")]);
        everywhere("<|channel|>final<|message|>Plain", "", "Plain", &[]);
    }

    #[test]
    fn plain_text_is_untouched() {
        everywhere("  1 < 2 <|x|> ü", "", "  1 < 2 <|x|> ü", &[]);
        everywhere("<", "", "<", &[]);
        everywhere("  ", "", "  ", &[]);
    }
}
