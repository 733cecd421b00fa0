//! What a request is about: its kind, its subject and the words to weave in.
//!
//! A rough reading by plain rules, enough for answers that visibly follow the request. Not a parser of any prompt
//! format: labels such as `Goal:` and `Task:` are used when they are there.

use super::super::ask::Ask;
use super::super::directive::Directives;
use super::super::random::digest;
use super::MARK_WORD;

/// What sort of answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// An explanation: whatever is nothing else.
    Explain,
    /// Two or more things side by side.
    Compare,
    /// Code.
    Code,
    /// What is known, with sources.
    Research,
    /// A judgement with findings.
    Analyse,
    /// A design or a procedure.
    Design,
    /// One answer from several results.
    Synthesis,
    /// Two or three sentences to be spoken.
    Spoken,
}

/// What a request is about.
#[derive(Clone, Debug)]
pub(in super::super) struct Topic {
    /// The sort of answer.
    pub(in super::super) kind: Kind,
    /// The subject in a few words, as it stands in a sentence.
    pub(in super::super) subject: String,
    /// Words of the request, the weightiest first, never empty.
    pub(in super::super) words: Vec<String>,
    /// How many of the words are the request's own; the rest are stand-ins.
    pub(in super::super) own_words: usize,
    /// Titles of the results that were put in.
    pub(in super::super) titles: Vec<String>,
}

const VERBS: &[&str] = &[
    "analyse",
    "bring",
    "choose",
    "decide",
    "analyze",
    "answer",
    "assess",
    "build",
    "check",
    "collect",
    "compare",
    "compile",
    "consider",
    "create",
    "critique",
    "define",
    "describe",
    "design",
    "determine",
    "develop",
    "discuss",
    "draft",
    "evaluate",
    "examine",
    "explain",
    "explore",
    "find",
    "gather",
    "generate",
    "give",
    "help",
    "identify",
    "implement",
    "investigate",
    "list",
    "look",
    "make",
    "map",
    "name",
    "outline",
    "plan",
    "please",
    "prepare",
    "produce",
    "propose",
    "read",
    "recommend",
    "refine",
    "report",
    "research",
    "review",
    "search",
    "show",
    "sketch",
    "study",
    "suggest",
    "summarise",
    "summarize",
    "survey",
    "synthesise",
    "synthesize",
    "tell",
    "test",
    "think",
    "verify",
    "weigh",
    "work",
    "write",
];

const LINKS: &[&str] = &[
    "out", "me", "us", "how", "to", "into", "about", "for", "on", "up", "at", "and", "then", "what", "why", "is",
    "are", "does", "do",
];

const COMMON: &[&str] = &[
    "able",
    "about",
    "above",
    "after",
    "again",
    "against",
    "agent",
    "also",
    "answer",
    "any",
    "because",
    "been",
    "before",
    "being",
    "best",
    "between",
    "both",
    "came",
    "can",
    "could",
    "does",
    "doing",
    "done",
    "down",
    "each",
    "else",
    "ever",
    "every",
    "first",
    "four",
    "from",
    "give",
    "given",
    "goal",
    "good",
    "have",
    "here",
    "into",
    "itself",
    "just",
    "keep",
    "know",
    "least",
    "less",
    "like",
    "long",
    "make",
    "many",
    "more",
    "most",
    "much",
    "must",
    "need",
    "needs",
    "next",
    "only",
    "onto",
    "other",
    "over",
    "part",
    "please",
    "question",
    "result",
    "results",
    "same",
    "should",
    "show",
    "small",
    "some",
    "state",
    "such",
    "take",
    "task",
    "tell",
    "than",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "thing",
    "things",
    "this",
    "those",
    "three",
    "through",
    "turn",
    "under",
    "until",
    "upon",
    "used",
    "user",
    "using",
    "very",
    "want",
    "well",
    "were",
    "what",
    "when",
    "where",
    "whether",
    "which",
    "while",
    "whole",
    "will",
    "with",
    "within",
    "without",
    "words",
    "work",
    "would",
    "write",
    "your",
    "yours",
    "them",
    "clear",
    "short",
    "sentence",
    "sentences",
    "background",
    "simulated",
    "bring",
    "choose",
    "together",
    "decide",
    "grow",
    "regard",
    "against",
    "above",
    "matter",
    "means",
    "mean",
    "side",
    "kind",
    "name",
    "three",
    "close",
    "come",
    "fails",
    "known",
];

/// Words that stand in when a request gives too few.
const SPARE: &[&str] = &[
    "cost",
    "upkeep",
    "risk",
    "pace",
    "scope",
    "effort",
    "timing",
    "quality",
    "reliability",
    "clarity",
    "support",
    "experience",
];

impl Topic {
    /// Reads a request.
    pub(in super::super) fn read(ask: &Ask) -> Self {
        let text = Directives::strip(if ask.last.trim().is_empty() { &ask.conversation } else { &ask.last });
        let titles = titles(&Directives::strip(&ask.conversation));
        let own = without_results(&text);
        let goals = ["the goal all of this serves", "the goal, between the lines", "goal", "the goal", "question"];
        let goal = labelled(&own, &goals);
        let task = labelled(&own, &["your task", "task", "do this", "request"]);
        let core = task.or(goal.clone()).unwrap_or_else(|| own.trim().to_owned());
        let kind = kind(&core, &titles);
        // A synthesis and a summary speak of the goal, not of the words that ask for them.
        let about = match (kind, &goal) {
            (Kind::Synthesis | Kind::Spoken, Some(goal)) => goal.clone(),
            _ => core,
        };
        let subject = subject(&about);
        let mut words = keywords(&about);
        for word in goal.iter().flat_map(|goal| keywords(goal)) {
            if !words.iter().any(|known| known.eq_ignore_ascii_case(&word)) {
                words.push(word);
            }
        }
        words.truncate(10);
        let own_words = words.len();
        let shift = (digest([subject.as_str()]) % SPARE.len() as u64) as usize;
        words.extend((0..5).map(|i| SPARE[(shift + i * 5) % SPARE.len()].to_owned()));
        Self { kind, subject, words, own_words, titles }
    }

    /// Keyword number `i`, round and round.
    pub(in super::super) fn word(&self, i: usize) -> &str {
        self.words.get(i % self.words.len().max(1)).map_or("scope", String::as_str)
    }

    /// The subject with a capital first letter.
    pub(in super::super) fn title(&self) -> String {
        capital(&self.subject)
    }
}

/// The text with its first letter made a capital.
pub(in super::super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn kind(core: &str, titles: &[String]) -> Kind {
    let core = core.to_lowercase();
    let has = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    let spoken = ["spoken", "read aloud", "voice summary", "to be heard", "listener", "2-3 sentence", "2–3 sentence"];
    if has(&core, &spoken) {
        return Kind::Spoken;
    }
    let merging = ["final answer", "combine", "one answer", "from the results", "results above"];
    if has(&core, &["synthes"]) || (!titles.is_empty() && has(&core, &merging)) {
        return Kind::Synthesis;
    }
    let rules: &[(&[&str], Kind)] = &[
        (&["implement", "code", "function", "script", "refactor", "program", "unit test"], Kind::Code),
        (
            &["compare", " versus", " vs", "difference between", "trade-off", "which one", "pros and cons"],
            Kind::Compare,
        ),
        (&["research", "sources", "find what", "survey", "collect", "gather", "background", "search"], Kind::Research),
        (&["analy", "assess", "evaluate", "review", "critique", "risk", "judge"], Kind::Analyse),
        (&["design", "architect", "plan", "procedure", "steps", "draft", "build", "how to"], Kind::Design),
    ];
    let first = |text: &str| rules.iter().find(|(words, _)| has(text, words)).map(|(_, kind)| *kind);
    first(&core).unwrap_or(Kind::Explain)
}

/// What follows a label such as `Task:`, up to the next blank line or label.
fn labelled(text: &str, labels: &[&str]) -> Option<String> {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let bare = line.trim_start_matches(['#', '*', ' ', '-']);
        let lower = bare.to_lowercase();
        let Some(label) = labels.iter().find(|label| {
            lower.strip_prefix(**label).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '*']))
        }) else {
            continue;
        };
        let rest = bare.get(label.len()..).unwrap_or("").trim_matches([':', '*', ' ']).to_owned();
        let found = if rest.is_empty() {
            let text = |line: &&str| !line.trim_matches('-').is_empty();
            lines.by_ref().map(str::trim).find(text).unwrap_or("").to_owned()
        } else {
            rest
        };
        if !found.is_empty() {
            return Some(found);
        }
    }
    None
}

/// Titles of inserted results: the line before each simulated answer.
fn titles(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut before = "";
    for line in text.lines().map(str::trim) {
        if line.contains(MARK_WORD) && line.starts_with('>') {
            let title = clean_title(before);
            if !title.is_empty() && !found.contains(&title) {
                found.push(title);
            }
        } else if !line.is_empty() && !line.starts_with("```") {
            before = line;
        }
    }
    found
}

fn clean_title(line: &str) -> String {
    let marks = ['#', '*', ' ', '-', '–', '=', '<', '>', '[', ']', ':', '"', '`', '\''];
    let line = line.trim_matches(marks);
    let lower = line.to_lowercase();
    let lead = ["results of", "result of", "results from", "result from", "result:", "task", "from", "output of"];
    let line =
        lead.iter().find(|lead| lower.starts_with(**lead)).and_then(|lead| line.get(lead.len()..)).unwrap_or(line);
    let line = line.trim_matches(marks).trim_matches(['“', '”']);
    let end = line.char_indices().nth(70).map_or(line.len(), |(at, _)| at);
    line[..end].trim().to_owned()
}

/// The text before the first inserted result, or all of it when nothing stands before.
fn without_results(text: &str) -> String {
    let Some(mark) = text.find(&format!("> {MARK_WORD}")) else { return text.to_owned() };
    // The heading of the result is the last line before it that is not empty.
    let before = text[..mark].trim_end();
    let heading = before.rfind('\n').map_or("", |at| &before[..at]);
    let task = ["\n## Your task", "\nYour task", "\nTask"].iter().filter_map(|label| text.rfind(label)).max();
    let after = task.filter(|at| *at > mark).map_or("", |at| &text[at..]);
    let own = format!("{heading}\n{after}");
    if own.trim().is_empty() { before.to_owned() } else { own }
}

/// The subject: the first sentence without the verb that asks, at most twelve words.
fn subject(text: &str) -> String {
    let line = text.trim().lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    let end = line.find(['?', ';', '!', '(']).into_iter().chain(line.find(". ")).chain(line.find(", then")).min();
    let sentence = line[..end.unwrap_or(line.len())].trim_end_matches(['.', ':', ',', ' ']);
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let mut start = 0;
    let asks = |word: &str| VERBS.contains(&word) || matches!(word, "what" | "why" | "how" | "which" | "can" | "could");
    while start < words.len() {
        let word = bare(words[start]);
        if asks(&word) || (start > 0 && LINKS.contains(&word.as_str())) {
            start += 1;
        } else {
            break;
        }
    }
    let rest = if start < words.len() { &words[start..] } else { &words[..] };
    if let Some(question) = question(&words, rest, line.contains('?')) {
        return question;
    }
    let mut kept: Vec<&str> = rest.iter().take(12).copied().collect();
    if rest.len() > kept.len() {
        // Not in the middle of a phrase that begins with a small word.
        while kept.len() > 3 && kept.last().is_some_and(|word| bare(word).len() < 4) {
            kept.pop();
        }
    }
    let mut text = kept.join(" ").trim_matches(['.', ',', ':', '"', '*', '`', ' ']).to_owned();
    // A sentence's capital is not kept inside a sentence, a name's or an acronym's is.
    if start == 0 && words.len() > 1 {
        let first = kept.first().copied().unwrap_or("");
        let lower = first.to_lowercase();
        if matches!(lower.as_str(), "the" | "a" | "an" | "our" | "my" | "this" | "these" | "some" | "two" | "three") {
            text = text.replacen(first, &lower, 1);
        }
    }
    if text.is_empty() { "the request".to_owned() } else { text }
}

/// `Why do queues grow?` is about why queues grow.
fn question(words: &[&str], rest: &[&str], asked: bool) -> Option<String> {
    let first = words.first()?.to_lowercase();
    let helper = matches!(words.get(1)?.to_lowercase().as_str(), "do" | "does" | "is" | "are");
    let asks = asked && helper && matches!(first.as_str(), "why" | "how");
    asks.then(|| format!("the question of {first} {}", rest.iter().take(10).copied().collect::<Vec<_>>().join(" ")))
}

fn keywords(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut opens = true;
    for raw in text.split_whitespace() {
        let first = std::mem::replace(&mut opens, raw.ends_with(['.', '?', '!', ':']));
        for part in raw.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.' | '+' | '#' | '_'))) {
            let word = part.trim_matches(['-', '.', '_']);
            let lower = word.to_lowercase();
            let acronym = word.len() >= 2 && word.chars().all(|c| c.is_uppercase() || c.is_numeric());
            let common = COMMON.contains(&lower.as_str()) || VERBS.contains(&lower.as_str());
            let weighty = word.chars().count() >= 4 && !common;
            if !(acronym || weighty) || !word.chars().any(char::is_alphabetic) || word.len() > 32 {
                continue;
            }
            // A capital is a name's, unless it only opens the sentence.
            let named = acronym || !first || word.chars().skip(1).any(char::is_uppercase);
            let kept = if named { word.to_owned() } else { lower };
            if !found.iter().any(|known| known.eq_ignore_ascii_case(&kept)) {
                found.push(kept);
            }
        }
        if found.len() >= 10 {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn topic(text: &str) -> Topic {
        Topic::read(&Ask::chat(&json!({"messages":[{"role":"user","content":text}]})).expect("reads"))
    }

    #[test]
    fn requests_are_read() {
        let t = topic("Compare two parsers for TOML: toml-edit and a hand-written one. [sim tokens=9]");
        assert_eq!(
            (t.kind, t.subject.as_str()),
            (Kind::Compare, "two parsers for TOML: toml-edit and a hand-written one")
        );
        assert_eq!(t.words[..3], ["parsers", "TOML", "toml-edit"]);
        let t = topic("How does a bounded channel work?");
        assert_eq!((t.kind, t.subject.as_str()), (Kind::Explain, "the question of how a bounded channel work"));
        assert_eq!(topic("").subject, "the request");
        assert_eq!(topic("Implement an LRU cache in Rust").kind, Kind::Code);
    }

    #[test]
    fn labels_and_results_are_found() {
        let text = "The goal all of this serves:\nChoose a database for Acme\n\n## Result of “What is known”\n\n\
            > SIMULATED — x\n\nBla.\n\n## Result of “Our limits”\n\n> SIMULATED — x\n\n## Your task\n\n";
        let t = topic(&format!("{text}Write the answer to the goal from the results above. Say the conclusion first."));
        assert_eq!((t.kind, t.subject.as_str()), (Kind::Synthesis, "a database for Acme"));
        assert_eq!(t.titles, ["What is known", "Our limits"]);
        assert_eq!(t.words[..2], ["database", "Acme"]);
        let t = topic(&format!("{text}Assess the upkeep of both."));
        assert_eq!((t.kind, t.subject.as_str()), (Kind::Analyse, "the upkeep of both"));
        let t = topic(&format!("{text}Say the answer above in two or three spoken sentences: plain words."));
        assert_eq!((t.kind, t.subject.as_str()), (Kind::Spoken, "a database for Acme"));
    }
}
