//! Thinking that comes inside the answer's text is told apart: `<think>…</think>` at its start, and harmony channels
//! (`<|channel|>analysis<|message|>…`), with tags split over pieces anywhere.
//!
//! Not here: thinking that has a field of its own. Invariant: what is held back is at most a tag's length, a harmony
//! header ([`LONGEST_HEADER`]) or a harmony tool call.

/// A header longer than this is no header but text.
const LONGEST_HEADER: usize = 1024;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";
const START: &str = "<|start|>";
const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";
/// What ends a harmony message's body; the last two begin the next message.
const BODY_ENDS: [&str; 5] = ["<|end|>", "<|call|>", "<|return|>", START, CHANNEL];

/// A piece of text, told apart.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    /// Thinking.
    Thinking(String),
    /// Answer.
    Answer(String),
    /// A tool call written in harmony: the function's name, the arguments' text.
    Call(String, String),
}

/// Where in the text we are.
#[derive(Clone, Debug, Default, PartialEq)]
enum Place {
    /// Before the first character that is not white space.
    #[default]
    Start,
    /// Inside `<think>`.
    Think,
    /// After a closing tag: white space is dropped.
    Gap,
    /// In the answer, where a lone `</think>` may still come: some templates open the tag themselves. What came
    /// before it was passed on as answer and can't be called back; the tag itself is dropped.
    Watched,
    /// In the answer; everything is passed on.
    Plain,
    /// In a harmony header.
    Header,
    /// In the body of a harmony message.
    Body(Body),
    /// Between two harmony messages.
    Between,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Thinking,
    Answer,
    Call { name: String, arguments: String },
}

/// Tells thinking and answer apart, piece by piece.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Splitter {
    place: Place,
    held: String,
    /// Thinking was seen, here or in a field of its own: a lone closing tag is then the model's own words.
    thought: bool,
}

impl Splitter {
    /// Thinking came in a field of its own.
    pub(super) fn saw_thinking(&mut self) {
        self.thought = true;
        if self.held.is_empty() {
            match self.place {
                // What parted the thinking from the answer is no part of either.
                Place::Start => self.place = Place::Gap,
                Place::Watched => self.place = Place::Plain,
                _ => {}
            }
        }
    }

    /// Takes a piece of text in and emits what is certain.
    pub(super) fn push(&mut self, piece: String, emit: &mut impl FnMut(Piece)) {
        if piece.is_empty() {
            return;
        }
        if self.held.is_empty() {
            match self.place {
                Place::Plain => return emit(Piece::Answer(piece)),
                Place::Watched if !piece.contains('<') => return emit(Piece::Answer(piece)),
                Place::Think if !piece.contains('<') => return emit(Piece::Thinking(piece)),
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
        match std::mem::replace(&mut self.place, Place::Plain) {
            Place::Think | Place::Body(Body::Thinking) if !held.is_empty() => emit(Piece::Thinking(held)),
            // A server that stops at <|call|> does not send it.
            Place::Body(Body::Call { name, mut arguments }) => {
                arguments.push_str(&held);
                emit(Piece::Call(name, arguments));
            }
            Place::Header | Place::Between | Place::Gap | Place::Think | Place::Body(Body::Thinking) => {}
            _ if held.is_empty() => {}
            _ => emit(Piece::Answer(held)),
        }
    }

    /// One step through `text`: what is left to look at, or nothing (the rest is held).
    fn step<'a>(&mut self, text: &'a str, emit: &mut impl FnMut(Piece)) -> Option<&'a str> {
        match &mut self.place {
            Place::Start => {
                let bare = text.trim_start();
                if let Some(rest) = bare.strip_prefix(OPEN) {
                    self.place = Place::Think;
                    self.thought = true;
                    return Some(rest);
                }
                if bare.starts_with(CHANNEL) || bare.starts_with(START) {
                    self.place = Place::Header;
                    return Some(bare);
                }
                if [OPEN, CHANNEL, START].iter().any(|tag| tag.starts_with(bare)) {
                    return self.hold(text);
                }
                self.place = if self.thought { Place::Plain } else { Place::Watched };
                Some(text)
            }
            Place::Think => match text.split_once(CLOSE) {
                Some((before, after)) => {
                    send(before, emit, Piece::Thinking);
                    self.place = Place::Gap;
                    Some(after)
                }
                None => self.send_certain(text, &[CLOSE], emit, Piece::Thinking),
            },
            Place::Gap => {
                let bare = text.trim_start();
                if !bare.is_empty() {
                    self.place = Place::Plain;
                }
                Some(bare)
            }
            Place::Watched => match text.split_once(CLOSE) {
                Some((before, after)) => {
                    send(before, emit, Piece::Answer);
                    self.place = Place::Gap;
                    Some(after)
                }
                None => self.send_certain(text, &[CLOSE], emit, Piece::Answer),
            },
            Place::Plain => {
                emit(Piece::Answer(text.to_owned()));
                None
            }
            Place::Header => match text.split_once(MESSAGE) {
                Some((header, body)) => {
                    self.place = Place::Body(body_of(header));
                    Some(body)
                }
                None if text.len() > LONGEST_HEADER => {
                    self.place = Place::Plain;
                    Some(text)
                }
                None => self.hold(text),
            },
            Place::Body(body) => {
                let end = BODY_ENDS.iter().filter_map(|tag| Some((text.find(tag)?, *tag))).min();
                let certain = match end {
                    Some((at, _)) => at,
                    None => text.len() - overlap(text, &BODY_ENDS),
                };
                match body {
                    Body::Thinking => send(&text[..certain], emit, Piece::Thinking),
                    Body::Answer => send(&text[..certain], emit, Piece::Answer),
                    Body::Call { arguments, .. } => arguments.push_str(&text[..certain]),
                }
                let Some((at, tag)) = end else { return self.hold(&text[certain..]) };
                if let Place::Body(Body::Call { name, arguments }) = &mut self.place {
                    emit(Piece::Call(std::mem::take(name), std::mem::take(arguments)));
                }
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
                self.place = Place::Body(Body::Answer);
                Some(bare)
            }
        }
    }

    fn send_certain<'a>(
        &mut self,
        text: &'a str,
        tags: &[&str],
        emit: &mut impl FnMut(Piece),
        piece: fn(String) -> Piece,
    ) -> Option<&'a str> {
        let certain = text.len() - overlap(text, tags);
        send(&text[..certain], emit, piece);
        self.hold(&text[certain..])
    }

    fn hold<'a>(&mut self, text: &str) -> Option<&'a str> {
        text.clone_into(&mut self.held);
        None
    }
}

fn send(text: &str, emit: &mut impl FnMut(Piece), piece: fn(String) -> Piece) {
    if !text.is_empty() {
        emit(piece(text.to_owned()));
    }
}

/// Analysis is thinking; commentary to a function is its call, other commentary (a preamble) is thinking; the rest is
/// answer. Source: harmony's format document.
fn body_of(header: &str) -> Body {
    let channel = header.rsplit(CHANNEL).next().unwrap_or_default().trim_start();
    let to = header.split_once("to=").map(|(_, to)| to.split([' ', '<', '\n']).next().unwrap_or_default());
    match to {
        Some(to) => {
            Body::Call { name: to.strip_prefix("functions.").unwrap_or(to).to_owned(), arguments: String::new() }
        }
        None if channel.starts_with("analysis") || channel.starts_with("commentary") => Body::Thinking,
        None => Body::Answer,
    }
}

/// How many bytes at the end of `text` could be the beginning of a tag.
fn overlap(text: &str, tags: &[&str]) -> usize {
    tags.iter()
        .filter_map(|tag| (1..tag.len()).rev().find(|&n| tag.is_char_boundary(n) && text.ends_with(&tag[..n])))
        .max()
        .unwrap_or(0)
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
            Piece::Call(name, arguments) => got.2.push((name, arguments)),
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
    fn a_lone_closing_tag_is_dropped_once() {
        everywhere("The user asks\n</think>\n\nYes </think>.", "", "The user asks\nYes </think>.", &[]);
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
