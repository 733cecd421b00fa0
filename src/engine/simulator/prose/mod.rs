//! Plausible markdown that follows the request: headings, lists, a table, code, a comparison, as the request has it.
//!
//! Not knowledge, and it says so: the first line of every answer says SIMULATED. Invariant: the same topic and dice
//! give the same text.

mod phrases;
mod topic;

pub(super) use topic::{Kind, Topic, capital};

use super::pieces;
use super::random::Dice;
use phrases::{BODY, CLOSINGS, FINDINGS, HEADINGS, MERGE, OPENINGS, POINTS, SPOKEN, THOUGHTS};

/// The first line of every answer.
pub(super) const MARK: &str = "> SIMULATED — written by Baton's simulator, not by a model.";
/// The word answers are known by.
pub(super) const MARK_WORD: &str = "SIMULATED";

/// A writer over one topic: hands out sentences without repeating one before all were used.
struct Pen<'a> {
    topic: &'a Topic,
    dice: &'a mut Dice,
    used: Vec<(usize, usize)>,
    turn: usize,
}

impl<'a> Pen<'a> {
    fn new(topic: &'a Topic, dice: &'a mut Dice) -> Self {
        let turn = dice.below(3);
        Self { topic, dice, used: Vec::new(), turn }
    }

    /// An index into a list of `len` that was not taken from it yet, as long as there is one.
    fn fresh(&mut self, list: usize, len: usize) -> usize {
        if self.used.iter().filter(|(l, _)| *l == list).count() >= len {
            self.used.retain(|(l, _)| *l != list);
        }
        let mut at = self.dice.below(len);
        while self.used.contains(&(list, at)) {
            at = (at + 1) % len.max(1);
        }
        self.used.push((list, at));
        at
    }

    fn say(&mut self, list: &[&str]) -> String {
        // The address of a constant list tells it from the others within one answer only.
        let at = self.fresh(list.len(), list.len());
        self.fill(list.get(at).copied().unwrap_or(""))
    }

    fn pair(&mut self, list: &[(&str, &str)]) -> (String, String) {
        let at = self.fresh(1_000 + list.len(), list.len());
        let (lead, text) = list.get(at).copied().unwrap_or(("", ""));
        (self.fill(lead), self.weave(text))
    }

    /// A template as a sentence of its own.
    fn fill(&mut self, template: &str) -> String {
        capital(&self.weave(template))
    }

    /// Puts subject and words into a template; the words move on by one each time.
    fn weave(&mut self, template: &str) -> String {
        self.turn += 1;
        let (topic, turn) = (self.topic, self.turn);
        // The first word is always one of the request's own, when it has any.
        let spread = topic.own_words.clamp(1, 5);
        let base = turn % spread;
        let text = template.replace("{s}", &topic.subject);
        let text = text.replace("{a}", topic.word(base)).replace("{b}", topic.word(base + 1));
        text.replace("{c}", topic.word(base + 2))
    }

    fn paragraph(&mut self, sentences: usize) -> String {
        (0..sentences).map(|_| self.say(BODY)).collect::<Vec<_>>().join(" ")
    }

    fn list(&mut self, points: usize, numbered: Numbering) -> String {
        let line = |i: usize, (lead, text): (String, String)| match numbered {
            Numbering::Dots => format!("- **{lead}**: {text}"),
            Numbering::Numbers => format!("{}. **{lead}**: {text}", i + 1),
        };
        (0..points).map(|i| line(i, self.pair(POINTS))).collect::<Vec<_>>().join("\n")
    }
}

#[derive(Clone, Copy)]
enum Numbering {
    Dots,
    Numbers,
}

/// An answer of about `target` tokens, never cut in a sentence.
pub(super) fn answer(topic: &Topic, dice: &mut Dice, target: u32) -> String {
    let mut pen = Pen::new(topic, dice);
    let mut blocks = vec![MARK.to_owned()];
    match topic.kind {
        Kind::Spoken => blocks.push(pen.say(SPOKEN)),
        Kind::Compare => comparison(&mut pen, &mut blocks),
        Kind::Code => code(&mut pen, &mut blocks),
        Kind::Research | Kind::Analyse => findings(&mut pen, &mut blocks),
        Kind::Design => design(&mut pen, &mut blocks),
        Kind::Synthesis => synthesis(&mut pen, &mut blocks),
        Kind::Explain => {
            blocks.push(format!("## {}", topic.title()));
            blocks.push(format!("{} {}", pen.say(OPENINGS), pen.paragraph(2)));
        }
    }
    if topic.kind == Kind::Spoken {
        return blocks.join("\n\n");
    }
    let closing = pen.say(CLOSINGS);
    grow(&mut pen, &mut blocks, target.saturating_sub(pieces::count(&closing)));
    blocks.push(closing);
    blocks.join("\n\n")
}

/// Adds sections until the answer is long enough, or takes the last ones off when it is too long.
fn grow(pen: &mut Pen<'_>, blocks: &mut Vec<String>, target: u32) {
    let mut length: u32 = blocks.iter().map(|block| pieces::count(block) + 1).sum();
    while blocks.len() > 3 && length > target + target / 4 {
        length -= blocks.pop().map_or(0, |block| pieces::count(&block) + 1);
    }
    if blocks.last().is_some_and(|block| block.starts_with("##") && !block.contains('\n')) {
        blocks.pop();
    }
    let mut section = 0;
    while length < target {
        let left = target - length;
        let block = match (section % 4, left) {
            (_, 0..=45) => pen.paragraph(1),
            (0, _) => format!("### {}\n\n{}", pen.say(HEADINGS), pen.paragraph(3)),
            (1, _) => pen.list(if left > 110 { 4 } else { 2 }, Numbering::Dots),
            (2, _) => format!("### {}\n\n{}", pen.say(HEADINGS), pen.paragraph(2)),
            (_, _) => pen.paragraph(3),
        };
        length += pieces::count(&block) + 1;
        blocks.push(block);
        section += 1;
    }
}

fn comparison(pen: &mut Pen<'_>, blocks: &mut Vec<String>) {
    let (left, right) = sides(pen.topic);
    blocks.push(format!("## {}", pen.topic.title()));
    blocks.push(pen.say(OPENINGS));
    let marks = ["strong", "fair", "good", "weak at first", "depends on load", "steady"];
    let rows: Vec<String> = (2..6)
        .map(|i| {
            let word = capital(pen.topic.word(i));
            format!("| {word} | {} | {} |", pen.dice.pick(&marks), pen.dice.pick(&marks))
        })
        .collect();
    blocks.push(format!("| | {} | {} |\n|---|---|---|\n{}", capital(&left), capital(&right), rows.join("\n")));
    let (one, two) = (pen.paragraph(2), pen.paragraph(2));
    blocks.push(format!("### The case for {left}\n\n{one}"));
    blocks.push(format!("### The case for {right}\n\n{two}"));
}

/// The two things compared: what stands around `and`, `or`, `with` or `vs`; else the first two words.
pub(super) fn sides(topic: &Topic) -> (String, String) {
    for link in [" versus ", " vs. ", " vs ", " or ", " and ", " with "] {
        if let Some((left, right)) = topic.subject.split_once(link) {
            let tail = |text: &str| {
                let words: Vec<&str> = text.split_whitespace().collect();
                words[words.len().saturating_sub(3)..].join(" ")
            };
            let small = ["for", "in", "on", "at", "to", "of", "with", "as", "when", "by", "over", "from"];
            let right = right.split_whitespace().take_while(|word| !small.contains(word));
            let head = right.take(3).collect::<Vec<_>>().join(" ");
            let head = head.trim_end_matches([',', '.', ':']).to_owned();
            if !left.trim().is_empty() && !head.is_empty() {
                return (tail(left), head);
            }
        }
    }
    (topic.word(0).to_owned(), topic.word(1).to_owned())
}

fn code(pen: &mut Pen<'_>, blocks: &mut Vec<String>) {
    let name: String = pen.topic.word(0).chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = name.to_lowercase();
    let name = if name.starts_with(|c: char| c.is_ascii_digit()) { format!("part_{name}") } else { name };
    let type_name: String = name.split('_').map(capital).collect();
    let (b, c) = (pen.topic.word(1).to_owned(), pen.topic.word(2).to_owned());
    let python = pen.topic.words.iter().any(|word| word.eq_ignore_ascii_case("python"));
    blocks.push(format!("## {}", pen.topic.title()));
    blocks.push(format!("{} {}", pen.say(OPENINGS), pen.paragraph(1)));
    blocks.push(if python {
        format!(
            "```python\nclass {type_name}:\n    \"\"\"Keeps {b} in one place.\"\"\"\n\n    def __init__(self, limit):\n        self.limit = limit\n        self.items = []\n\n    def add(self, item):\n        # The oldest goes first, so {c} stays bounded.\n        if len(self.items) == self.limit:\n            self.items.pop(0)\n        self.items.append(item)\n        return len(self.items)\n```"
        )
    } else {
        format!(
            "```rust\n/// Keeps {b} in one place.\npub struct {type_name} {{\n    items: Vec<String>,\n    limit: usize,\n}}\n\nimpl {type_name} {{\n    /// An empty one that holds at most `limit` items.\n    pub fn new(limit: usize) -> Self {{\n        Self {{ items: Vec::new(), limit }}\n    }}\n\n    /// Adds an item; the oldest goes first, so {c} stays bounded.\n    pub fn add(&mut self, item: String) -> usize {{\n        if self.items.len() == self.limit {{\n            self.items.remove(0);\n        }}\n        self.items.push(item);\n        self.items.len()\n    }}\n}}\n```"
        )
    });
    blocks.push(format!("### How it works\n\n{}", pen.list(3, Numbering::Dots)));
    blocks.push(format!("### What to test\n\n{}", pen.list(2, Numbering::Numbers)));
}

fn findings(pen: &mut Pen<'_>, blocks: &mut Vec<String>) {
    let heading = if pen.topic.kind == Kind::Research { "What is known" } else { "Findings" };
    blocks.push(format!("## {heading}: {}", pen.topic.subject));
    blocks.push(pen.say(OPENINGS));
    let lines: Vec<String> = (0..3)
        .map(|i| {
            let (lead, text) = pen.pair(FINDINGS);
            format!("{}. **{lead}.** {text} {}", i + 1, pen.say(BODY))
        })
        .collect();
    blocks.push(lines.join("\n"));
    if pen.topic.kind == Kind::Analyse {
        let risk = ["low", "medium", "high"];
        let rows: Vec<String> = (0..3)
            .map(|i| {
                let word = capital(pen.topic.word(i));
                format!("| {word} | {} | {} |", pen.dice.pick(&risk), pen.dice.pick(&risk))
            })
            .collect();
        blocks.push(format!("| Part | Likelihood | Effect |\n|---|---|---|\n{}", rows.join("\n")));
    }
}

fn design(pen: &mut Pen<'_>, blocks: &mut Vec<String>) {
    blocks.push(format!("## A plan for {}", pen.topic.subject));
    blocks.push(format!("{} {}", pen.say(OPENINGS), pen.paragraph(1)));
    blocks.push(format!("### Steps\n\n{}", pen.list(4, Numbering::Numbers)));
    blocks.push(format!("### Open questions\n\n{}", pen.paragraph(2)));
}

fn synthesis(pen: &mut Pen<'_>, blocks: &mut Vec<String>) {
    blocks.push(format!("# {}", pen.topic.title()));
    let n = pen.topic.titles.len();
    let joined =
        if n > 1 { format!(" {} lines of work were brought together here.", number(n)) } else { String::new() };
    blocks.push(format!("{}{joined}", pen.say(OPENINGS)));
    let titles: Vec<String> = pen.topic.titles.iter().take(8).cloned().collect();
    for title in &titles {
        let (first, second) = (pen.say(MERGE), pen.say(BODY));
        blocks.push(format!("## {}\n\n{first} {second}", capital(title)));
    }
    blocks.push(format!("## What follows\n\n{}", pen.list(3, Numbering::Numbers)));
}

fn number(n: usize) -> String {
    let words = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"];
    words.get(n).map_or_else(|| n.to_string(), |word| (*word).to_owned())
}

/// Thinking of at least `target` tokens.
pub(super) fn thinking(topic: &Topic, dice: &mut Dice, target: u32) -> String {
    let mut pen = Pen::new(topic, dice);
    let mut text = pen.fill(THOUGHTS.first().copied().unwrap_or(""));
    while pieces::count(&text) < target {
        let blank = if pen.dice.below(4) == 0 { "\n\n" } else { " " };
        text.push_str(blank);
        text.push_str(&pen.say(&THOUGHTS[1..]));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ask::Ask;
    use super::*;

    fn written(text: &str, target: u32) -> String {
        let topic = Topic::read(&Ask::chat(&json!({"messages":[{"role":"user","content":text}]})).expect("reads"));
        answer(&topic, &mut Dice::new(3), target)
    }

    #[test]
    fn answers_take_the_form_that_was_asked_for() {
        let compare = written("Compare SQLite and Postgres for a small shop", 300);
        assert!(compare.starts_with(MARK) && compare.contains("|---|"), "{compare}");
        assert!(compare.contains("SQLite") && compare.contains("The case for Postgres"), "{compare}");
        assert!(written("Implement a ring buffer in Rust", 300).contains("```rust"));
        assert!(written("Write a Python script that parses logs", 300).contains("```python"));
        let spoken = written("Summarise the answer in 2-3 sentences to be spoken: tea", 300);
        assert!(pieces::count(&spoken) < 110, "{spoken}");
    }

    #[test]
    fn lengths_come_near_the_target_and_no_braces_are_left() {
        for (i, target) in [90_u32, 200, 400, 880].into_iter().enumerate() {
            for ask in ["Explain queues", "Review our release process", "Design a garden", "Survey e-readers"] {
                let text = written(ask, target);
                let n = pieces::count(&text);
                assert!(n + 60 >= target && n <= target + target / 2 + 120, "{i} {ask}: {n} for {target}\n{text}");
                assert!(!["{a}", "{b}", "{c}", "{s}"].iter().any(|mark| text.contains(mark)), "{text}");
            }
        }
    }
}
