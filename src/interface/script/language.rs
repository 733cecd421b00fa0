//! The script's language: one step a line, words apart by spaces, `"…"` around what has spaces in it.
//!
//! ```text
//! # a comment
//! size 120x40                 columns and rows of the screen
//! theme paper                 a theme by name
//! color never                 never, 16, 256 or truecolor
//! glyphs ascii                unicode or ascii
//! wait event:task.completed   on to the next record that such a filter lets pass
//! go 02:10                    a time, 50%, #4211 (a record), start, end, +5s, -5s, or a task's start
//! step 3                      so many records on; -3: back
//! keys j j enter              keys as in the key table
//! type "two words"            letters into a text field
//! expect "text"               the frame has it; `expect not "text"`: it has not
//! expect done >= 7            a figure of the state
//! expect task sources done    a task's status
//! snapshot run.txt            the frame as text (.txt) or as a picture (.svg)
//! print                       the frame on stdout
//! ```
//!
//! Not here: doing any of it. Invariants: every mistake has its line, its column and its mend; reading never panics and
//! nothing is done of a script that has a mistake.

use crate::domain::protocol::{Micros, RecordFilter};
use crate::domain::source::{Place, SourceError, nearest};
use crate::interface::tui::action::Key;

/// The most bytes a script may have.
pub const MAX_SCRIPT_BYTES: usize = 1 << 20;

/// The smallest and the greatest screen.
const SIZES: (std::ops::RangeInclusive<u16>, std::ops::RangeInclusive<u16>) = (20..=500, 5..=300);

/// A step and the line it stands on.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// The line as it was written, without spaces around it.
    pub text: String,
    /// What it asks for.
    pub step: Step,
}

/// What a line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A screen of that many columns and rows.
    Size(u16, u16),
    /// A theme.
    Theme(String),
    /// How many colours.
    Colors(Colors),
    /// Which glyphs.
    Glyphs(Glyphs),
    /// On to the next record that the filter lets pass.
    Wait(RecordFilter),
    /// To a place.
    Go(Target),
    /// So many records on, or back.
    Step(i64),
    /// Keys, one after the other.
    Keys(Vec<Key>),
    /// Letters.
    Type(String),
    /// Something must hold.
    Expect(Expectation),
    /// The frame into a file, or compared with it.
    Snapshot {
        /// The file's name, relative to the folder of snapshots.
        name: String,
        /// In which form.
        form: Picture,
    },
    /// The frame on stdout.
    Print,
}

/// How many colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// None.
    Never,
    /// Sixteen.
    Sixteen,
    /// 256.
    Indexed,
    /// All.
    True,
}

/// Which glyphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// As they are.
    Unicode,
    /// Their twins.
    Ascii,
}

/// A place in a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Before the first record.
    Start,
    /// After the last one.
    End,
    /// A session time.
    At(Micros),
    /// So much later.
    Later(Micros),
    /// So much earlier.
    Earlier(Micros),
    /// A share of the session's time, in thousandths.
    Share(u32),
    /// After that record.
    Record(u64),
    /// The start of a task's first attempt.
    Task(String),
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// The frame has this text in a row.
    Shows(String),
    /// It has not.
    ShowsNot(String),
    /// A figure of the state compares so.
    Figure(Figure, Relation, u64),
    /// A task has this status.
    Task(String, String),
}

/// A figure of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Tasks done.
    Done,
    /// Tasks in all.
    Total,
    /// Tasks running.
    Running,
    /// Tasks failed.
    Failed,
    /// Tasks not started.
    Waiting,
    /// Tasks cancelled or skipped.
    Dropped,
    /// Attempts so far.
    Attempts,
    /// Tokens generated so far.
    Tokens,
    /// Things that need the operator.
    Attention,
    /// The last record.
    Record,
}

impl Figure {
    /// All of them, with their words.
    const ALL: [(&'static str, Self); 10] = [
        ("done", Self::Done),
        ("total", Self::Total),
        ("running", Self::Running),
        ("failed", Self::Failed),
        ("waiting", Self::Waiting),
        ("dropped", Self::Dropped),
        ("attempts", Self::Attempts),
        ("tokens", Self::Tokens),
        ("attention", Self::Attention),
        ("record", Self::Record),
    ];

    /// Its word in a script.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, f)| *f == self).map_or("", |(w, _)| w)
    }
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `=`
    Equal,
    /// `!=`
    Other,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Relation {
    const ALL: [(&'static str, Self); 6] = [
        ("=", Self::Equal),
        ("!=", Self::Other),
        ("<", Self::Less),
        ("<=", Self::AtMost),
        (">", Self::More),
        (">=", Self::AtLeast),
    ];

    /// Whether it holds.
    pub fn holds(self, found: u64, wanted: u64) -> bool {
        match self {
            Self::Equal => found == wanted,
            Self::Other => found != wanted,
            Self::Less => found < wanted,
            Self::AtMost => found <= wanted,
            Self::More => found > wanted,
            Self::AtLeast => found >= wanted,
        }
    }
}

/// The form of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Rows of text.
    Text,
    /// SVG: what a PNG can be made of.
    Svg,
}

/// The statuses a task can be expected to have, as screens call them.
const STATUSES: [&str; 11] =
    ["pending", "ready", "waiting", "held", "blocked", "running", "asking", "done", "failed", "cancelled", "skipped"];

/// The first words.
const VERBS: [&str; 13] =
    ["size", "theme", "color", "glyphs", "wait", "go", "step", "keys", "type", "expect", "snapshot", "print", "#"];

/// Reads a script.
///
/// # Errors
/// Every line that is wrong, in order.
pub fn parse(file: &str, text: &str) -> Result<Vec<Line>, Vec<SourceError>> {
    if text.len() > MAX_SCRIPT_BYTES {
        let what = format!("it has {} bytes; a script has {MAX_SCRIPT_BYTES} at most", text.len());
        return Err(vec![SourceError::new(file, Place::START, what, "split it")]);
    }
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    for (index, raw) in text.lines().enumerate() {
        let number = index + 1;
        let read = words(raw).and_then(|words| match words.split_first() {
            None => Ok(None),
            Some((verb, rest)) => step(verb, &Rest { words: rest, end: raw.chars().count() + 1 }).map(Some),
        });
        match read {
            Ok(None) => {}
            Ok(Some(step)) => lines.push(Line { number, text: raw.trim().to_owned(), step }),
            Err(Wrong { column, what, mend }) => {
                let place = Place { line: number, column };
                errors.push(SourceError::new(file, place, what, mend).with_snippet(text));
            }
        }
    }
    if errors.is_empty() { Ok(lines) } else { Err(errors) }
}

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq)]
struct Word {
    column: usize,
    text: String,
    quoted: Quoted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quoted {
    No,
    Yes,
}

/// What is wrong with a line.
struct Wrong {
    column: usize,
    what: String,
    mend: String,
}

fn wrong<T>(column: usize, what: impl Into<String>, mend: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { column, what: what.into(), mend: mend.into() })
}

/// The words of a line; none of a comment.
fn words(line: &str) -> Result<Vec<Word>, Wrong> {
    let mut words = Vec::new();
    let mut chars = line.chars().enumerate().peekable();
    while let Some(&(at, c)) = chars.peek() {
        if c.is_whitespace() {
            chars.next();
            continue;
        }
        let mut text = String::new();
        if c == '"' {
            chars.next();
            let mut closed = false;
            while let Some((place, c)) = chars.next() {
                match c {
                    '"' => {
                        closed = true;
                        break;
                    }
                    '\\' => match chars.next() {
                        Some((_, 'n')) => text.push('\n'),
                        Some((_, 't')) => text.push('\t'),
                        Some((_, c @ ('"' | '\\'))) => text.push(c),
                        _ => return wrong(place + 1, "a \\ that means nothing", "write \\n, \\t, \\\" or \\\\"),
                    },
                    c => text.push(c),
                }
            }
            if !closed {
                return wrong(at + 1, "a quote without an end", "close it with \"");
            }
            words.push(Word { column: at + 1, text, quoted: Quoted::Yes });
            continue;
        }
        while let Some(&(_, c)) = chars.peek() {
            if c.is_whitespace() {
                break;
            }
            text.push(c);
            chars.next();
        }
        // `#4211` is a record; a sign alone, or at the beginning of the line, begins a comment.
        if text == "#" || (words.is_empty() && text.starts_with('#')) {
            break;
        }
        words.push(Word { column: at + 1, text, quoted: Quoted::No });
    }
    Ok(words)
}

/// The words after the verb.
struct Rest<'a> {
    words: &'a [Word],
    /// The column after the line's end.
    end: usize,
}

impl Rest<'_> {
    /// The one word there is to be.
    fn one(&self, example: &str) -> Result<&Word, Wrong> {
        match self.words {
            [word] => Ok(word),
            [] => wrong(self.end, "something is missing here", format!("write it as in `{example}`")),
            [_, more, ..] => {
                wrong(more.column, "one word too many", format!("write it as in `{example}`; quote spaces"))
            }
        }
    }

    fn none(&self) -> Result<(), Wrong> {
        match self.words.first() {
            None => Ok(()),
            Some(more) => wrong(more.column, "this step takes nothing more", "take it away"),
        }
    }
}

fn step(verb: &Word, rest: &Rest<'_>) -> Result<Step, Wrong> {
    Ok(match verb.text.as_str() {
        "size" => {
            let word = rest.one("size 120x40")?;
            let read = word.text.split_once('x').and_then(|(c, r)| Some((c.parse().ok()?, r.parse().ok()?)));
            match read {
                Some((columns, rows)) if SIZES.0.contains(&columns) && SIZES.1.contains(&rows) => {
                    Step::Size(columns, rows)
                }
                _ => {
                    let what = format!("{:?} is no size of a screen", word.text);
                    return wrong(word.column, what, "write columns x rows, as in 120x40: 20x5 to 500x300");
                }
            }
        }
        "theme" => Step::Theme(rest.one("theme paper")?.text.clone()),
        "color" => Step::Colors(among(
            rest.one("color truecolor")?,
            "an amount of colours",
            &[("never", Colors::Never), ("16", Colors::Sixteen), ("256", Colors::Indexed), ("truecolor", Colors::True)],
        )?),
        "glyphs" => Step::Glyphs(among(
            rest.one("glyphs ascii")?,
            "a set of glyphs",
            &[("unicode", Glyphs::Unicode), ("ascii", Glyphs::Ascii)],
        )?),
        "wait" => {
            let Some(first) = rest.words.first() else {
                return wrong(
                    rest.end,
                    "what is waited for is missing",
                    "write a filter, as in `wait event:task.completed`",
                );
            };
            let quote = |w: &Word| match w.quoted {
                Quoted::Yes => format!("\"{}\"", w.text),
                Quoted::No => w.text.clone(),
            };
            let text = rest.words.iter().map(quote).collect::<Vec<_>>().join(" ");
            match RecordFilter::parse(&text) {
                Ok(filter) => Step::Wait(filter),
                Err(error) => return wrong(first.column, error.to_string(), "write it as on the Events screen"),
            }
        }
        "go" => Step::Go(target(rest.one("go 02:10")?)?),
        "step" => {
            let word = rest.one("step 3")?;
            match word.text.parse::<i64>() {
                Ok(n) if n != 0 => Step::Step(n),
                _ => return wrong(word.column, format!("{:?} is no number of records", word.text), "write 3, or -3"),
            }
        }
        "keys" => {
            if rest.words.is_empty() {
                return wrong(rest.end, "no key is named", "write them as in `keys j j enter`");
            }
            let mut keys = Vec::new();
            for word in rest.words {
                match word.text.parse::<Key>() {
                    Ok(key) => keys.push(key),
                    Err(error) => return wrong(word.column, error.to_string(), "one key a word; `type` takes text"),
                }
            }
            Step::Keys(keys)
        }
        "type" => Step::Type(rest.one("type \"two words\"")?.text.clone()),
        "expect" => Step::Expect(expectation(rest)?),
        "snapshot" => snapshot(rest.one("snapshot run.txt")?)?,
        "print" => {
            rest.none()?;
            Step::Print
        }
        other => {
            let mend = match nearest(other, VERBS) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("a line begins with one of {}", VERBS.join(", ")),
            };
            return wrong(verb.column, format!("{other:?} is no step"), mend);
        }
    })
}

fn among<T: Copy>(word: &Word, kind: &str, choices: &[(&str, T)]) -> Result<T, Wrong> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == word.text) {
        return Ok(*value);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    wrong(word.column, format!("{:?} is no {kind}", word.text), format!("choose from {}", names.join(", ")))
}

fn target(word: &Word) -> Result<Target, Wrong> {
    let text = word.text.as_str();
    let read = match text {
        "start" => Some(Target::Start),
        "end" => Some(Target::End),
        _ if text.starts_with('#') => text[1..].parse().ok().map(Target::Record),
        _ if text.ends_with('%') => share(&text[..text.len() - 1]).map(Target::Share),
        _ if text.starts_with('+') => time(&text[1..]).map(Target::Later),
        _ if text.starts_with('-') => time(&text[1..]).map(Target::Earlier),
        _ => match time(text) {
            Some(at) => Some(Target::At(at)),
            // A name can't be told from a task's before there is a session.
            None if text.starts_with(|c: char| c.is_ascii_alphabetic()) => Some(Target::Task(text.to_owned())),
            None => None,
        },
    };
    match read {
        Some(target) => Ok(target),
        None => wrong(
            word.column,
            format!("{text:?} is no place in a session"),
            "write 02:10, 5s, 50%, #4211, start, end, +5s, -5s, or a task",
        ),
    }
}

/// A share in thousandths: "50", "33.3".
fn share(text: &str) -> Option<u32> {
    let percent: f64 = text.parse().ok()?;
    (0.0..=100.0).contains(&percent).then(|| (percent * 10.0).round() as u32)
}

/// A time: `1:02:10`, `02:10`, `130s`, `1500ms`, `02:10.5`.
pub fn time(text: &str) -> Option<Micros> {
    const DAY: f64 = 86_400.0;
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if plain { text.parse::<f64>().ok() } else { None }
    };
    let seconds = if let Some(ms) = text.strip_suffix("ms") {
        number(ms)? / 1000.0
    } else if let Some(s) = text.strip_suffix('s') {
        number(s)?
    } else {
        let parts: Vec<&str> = text.split(':').collect();
        if !(2..=3).contains(&parts.len()) {
            return None;
        }
        parts.iter().try_fold(0.0, |sum, part| Some(sum * 60.0 + number(part)?))?
    };
    // A session of more than a thousand days is a slip of the hand.
    (seconds < 1000.0 * DAY).then(|| Micros((seconds * 1e6).round() as u64))
}

fn expectation(rest: &Rest<'_>) -> Result<Expectation, Wrong> {
    const EXAMPLE: &str =
        "write `expect \"text\"`, `expect not \"text\"`, `expect done >= 7` or `expect task sources done`";
    match rest.words {
        [] => wrong(rest.end, "what is expected is missing", EXAMPLE),
        [text] if text.quoted == Quoted::Yes => Ok(Expectation::Shows(text.text.clone())),
        [not, text] if not.text == "not" && text.quoted == Quoted::Yes => Ok(Expectation::ShowsNot(text.text.clone())),
        [task, name, status] if task.text == "task" => {
            if STATUSES.contains(&status.text.as_str()) {
                return Ok(Expectation::Task(name.text.clone(), status.text.clone()));
            }
            let what = format!("{:?} is no status of a task", status.text);
            wrong(status.column, what, format!("choose from {}", STATUSES.join(", ")))
        }
        [figure, relation, number] => {
            let figure = among(figure, "figure", &Figure::ALL)?;
            let relation = among(relation, "comparison", &Relation::ALL)?;
            match number.text.parse() {
                Ok(number) => Ok(Expectation::Figure(figure, relation, number)),
                Err(_) => wrong(number.column, format!("{:?} is no whole number", number.text), "write it as in 7"),
            }
        }
        [word, ..] => wrong(word.column, "this can't be expected", EXAMPLE),
    }
}

fn snapshot(word: &Word) -> Result<Step, Wrong> {
    let name = word.text.as_str();
    // Into the folder of snapshots and nowhere else.
    let inside = name.split('/').all(|part| !part.is_empty() && part != "." && part != "..") && !name.contains('\\');
    let form = match name.rsplit_once('.') {
        Some((stem, "txt")) if !stem.is_empty() => Some(Picture::Text),
        Some((stem, "svg")) if !stem.is_empty() => Some(Picture::Svg),
        _ => None,
    };
    match form {
        Some(form) if inside => Ok(Step::Snapshot { name: name.to_owned(), form }),
        Some(_) => {
            wrong(word.column, "a snapshot stays in its folder", "write a name without .. and without / before it")
        }
        None => wrong(word.column, format!("{name:?} is no name of a snapshot"), "end it with .txt or .svg"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Step {
        let mut lines = parse("s", line).unwrap();
        assert_eq!(lines.len(), 1, "{line}");
        lines.remove(0).step
    }

    #[test]
    fn every_step_is_read() {
        assert_eq!(one("size 120x40"), Step::Size(120, 40));
        assert_eq!(one("  theme paper  # light"), Step::Theme("paper".into()));
        assert_eq!(one("color 256"), Step::Colors(Colors::Indexed));
        assert_eq!(one("glyphs ascii"), Step::Glyphs(Glyphs::Ascii));
        assert_eq!(one("step -2"), Step::Step(-2));
        assert_eq!(one("keys j enter ctrl-p"), Step::Keys(["j", "enter", "ctrl-p"].map(|k| k.parse().unwrap()).into()));
        assert_eq!(one(r#"type "a \"b\"\n""#), Step::Type("a \"b\"\n".into()));
        assert_eq!(one("snapshot a/run.svg"), Step::Snapshot { name: "a/run.svg".into(), form: Picture::Svg });
        assert_eq!(one("print"), Step::Print);
        assert_eq!(one(r#"expect not "x y""#), Step::Expect(Expectation::ShowsNot("x y".into())));
        assert_eq!(one("expect done >= 7"), Step::Expect(Expectation::Figure(Figure::Done, Relation::AtLeast, 7)));
        assert_eq!(one("expect task a done"), Step::Expect(Expectation::Task("a".into(), "done".into())));
        assert!(matches!(one(r#"wait event:task.completed "two words""#), Step::Wait(f) if !f.is_empty()));
    }

    #[test]
    fn places_are_times_shares_records_and_tasks() {
        let go = |text: &str| match one(&format!("go {text}")) {
            Step::Go(target) => target,
            other => unreachable!("{other:?}"),
        };
        assert_eq!(go("02:10"), Target::At(Micros(130_000_000)));
        assert_eq!(go("1:00:00.5"), Target::At(Micros(3_600_500_000)));
        assert_eq!(go("1500ms"), Target::At(Micros(1_500_000)));
        assert_eq!(go("+5s"), Target::Later(Micros(5_000_000)));
        assert_eq!(go("-5s"), Target::Earlier(Micros(5_000_000)));
        assert_eq!(go("33.3%"), Target::Share(333));
        assert_eq!(go("#4211"), Target::Record(4211));
        assert_eq!(go("sources"), Target::Task("sources".into()));
        assert_eq!((go("start"), go("end")), (Target::Start, Target::End));
    }

    #[test]
    fn comments_and_empty_lines_are_nothing_and_lines_keep_their_numbers() {
        let lines = parse("s", "# one\n\n#two\nprint\n  print # three\n").unwrap();
        assert_eq!(lines.iter().map(|l| l.number).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn each_mistake_has_its_place_and_its_mend() {
        for (line, column, mend) in [
            ("sise 80x24", 1, "size"),
            ("size 80", 6, "columns x rows"),
            ("size", 5, "size 120x40"),
            ("size 80x24 90x30", 12, "one"),
            ("go ..", 4, "02:10"),
            ("go 120%", 4, "50%"),
            ("keys j nokey", 8, "one key a word"),
            ("expect", 7, "expect"),
            ("expect done == 3", 13, "="),
            ("expect task a finished", 15, "done"),
            ("snapshot ../x.txt", 10, ".."),
            ("snapshot /x.txt", 10, "without"),
            ("snapshot x.png", 10, ".svg"),
            ("type \"no end", 6, "close"),
            ("wait", 5, "filter"),
            ("wait colour:red", 6, "Events"),
            ("step 0", 6, "3"),
            ("print it", 7, "away"),
            ("color blue", 7, "truecolor"),
        ] {
            let errors = parse("s", &format!("print\n{line}\nprint")).unwrap_err();
            let [error] = errors.as_slice() else { panic!("{line}: {errors:?}") };
            assert_eq!((error.line, error.column), (2, column), "{line}: {error}");
            let all = error.to_string();
            assert!(all.contains(mend), "{line}: {all}");
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic() {
        for text in ["\"\\", "go #", "go %", "go -", "size x", "size 1x", "\u{0}", "keys \u{202e}", "go 9999999999999s"]
        {
            let _ = parse("s", text);
        }
    }
}
