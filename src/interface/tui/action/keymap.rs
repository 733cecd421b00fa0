//! Keys to actions: the table's defaults, changed by the user's `keys.toml`. Also which keys the key line shows.

use std::collections::HashMap;
use std::fmt;

use crossterm::event::KeyEvent;
use toml::de::{DeTable, DeValue};
use unicode_width::UnicodeWidthStr;

use super::table::{self, CONTEXTS, ENTRIES};
use super::{Action, Context, Key};
use crate::config::is_host;

/// The table of tables for single machines.
const HOST: &str = "host";

/// What a file says for single machines: where, for which, what.
fn hosts<'a, 'b>(table: &'a DeTable<'b>) -> impl Iterator<Item = (usize, &'a str, &'a DeValue<'b>)> {
    let all =
        table.iter().filter(|(name, _)| name.get_ref() == HOST).filter_map(|(_, value)| value.get_ref().as_table());
    all.flatten().map(|(name, value)| (name.span().start, name.get_ref().as_ref(), value.get_ref()))
}

/// The keys in force.
#[derive(Clone, Debug)]
pub struct Keymap {
    keys: HashMap<(Context, Key), Action>,
    /// The key shown for an action in a context: the first default that is left, else the user's.
    shown: HashMap<(Context, Action), Key>,
}

/// A mistake in `keys.toml`; what it is about is left out, the rest is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWarning {
    /// The file.
    pub file: String,
    /// The line, from 1; 0: the file as a whole.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub text: String,
}

impl fmt::Display for KeyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.text),
            line => write!(f, "{}:{line}: {}", self.file, self.text),
        }
    }
}

/// A key and the word beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The key.
    pub key: String,
    /// What it does, in a word.
    pub words: &'static str,
    /// What a click on it does; none: the key belongs to a text field.
    pub action: Option<Action>,
}

impl Hint {
    /// Its cells, with the two that part it from the next.
    pub(crate) fn width(&self) -> usize {
        self.key.width() + 1 + self.words.width() + 2
    }
}

impl Default for Keymap {
    fn default() -> Self {
        let mut map = Self { keys: HashMap::new(), shown: HashMap::new() };
        for entry in ENTRIES {
            for binding in entry.bindings {
                for key in binding.keys.iter().filter_map(|k| k.parse::<Key>().ok()) {
                    map.keys.insert((binding.context, key), entry.action);
                    map.shown.entry((binding.context, entry.action)).or_insert(key);
                }
            }
        }
        map
    }
}

impl Keymap {
    /// The defaults with the text of a `keys.toml` laid over them.
    pub fn with_user(file: &str, text: &str) -> (Self, Vec<KeyWarning>) {
        Self::with_user_on("", file, text)
    }

    /// The machines that a `keys.toml` has tables for.
    pub fn hosts_named(text: &str) -> Vec<String> {
        let table = DeTable::parse(text).map(toml::Spanned::into_inner).unwrap_or_default();
        hosts(&table).map(|(_, name, _)| name.to_owned()).collect()
    }

    /// The same on a machine of that name: what the file says for it is laid over the rest.
    pub fn with_user_on(machine: &str, file: &str, text: &str) -> (Self, Vec<KeyWarning>) {
        let (mut map, mut warnings) = (Self::default(), Vec::new());
        let mut warn = |offset: usize, words: String| {
            let line = 1 + text.bytes().take(offset).filter(|b| *b == b'\n').count();
            warnings.push(KeyWarning { file: file.to_owned(), line, text: words });
        };
        let table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                warn(error.span().map_or(0, |s| s.start), error.message().to_owned());
                return (map, warnings);
            }
        };
        let mut set: HashMap<(Context, Key), &str> = HashMap::new();
        let mut changed = Vec::new();
        let mut parts = vec![&table];
        for (at, name, value) in hosts(&table) {
            match value.as_table() {
                Some(part) if is_host(name, machine) => parts.push(part),
                Some(_) => {}
                None => warn(at, format!("[host.{name:?}] is a table with contexts, as [host.{name:?}.task]")),
            }
        }
        // A part over another is no mistake: what is set twice is looked for in each alone.
        let mut part_of = HashMap::new();
        for (part, name, keys) in
            parts.iter().enumerate().flat_map(|(n, part)| part.iter().map(move |(k, v)| (n, k, v)))
        {
            if part == 0 && name.get_ref() == HOST {
                if keys.get_ref().as_table().is_none() {
                    warn(name.span().start, "write [host.\"NAME\".task] and keys below it".to_owned());
                }
                continue;
            }
            let Some((context, ..)) = CONTEXTS.iter().find(|(_, n, _)| *n == name.get_ref().as_ref()) else {
                let known = CONTEXTS.iter().map(|(_, n, _)| *n).collect::<Vec<_>>().join(", ");
                warn(name.span().start, format!("there is no context {:?}; there are {known}", name.get_ref()));
                continue;
            };
            let Some(keys) = keys.get_ref().as_table() else {
                warn(name.span().start, "a context is a table of keys and what they do".to_owned());
                continue;
            };
            for (key_text, what) in keys {
                let at = key_text.span().start;
                let key = match key_text.get_ref().parse::<Key>() {
                    Ok(key) => key,
                    Err(error) => {
                        warn(at, error.to_string());
                        continue;
                    }
                };
                let what = what.get_ref().as_str().unwrap_or_default();
                let action = match (what, ENTRIES.iter().find(|e| e.name == what)) {
                    ("none", _) => None,
                    (_, Some(entry)) => Some(entry.action),
                    (_, None) => {
                        warn(at, format!("there is no action {what:?}; config/keys.toml lists them"));
                        continue;
                    }
                };
                let before = set.insert((*context, key), what).filter(|b| *b != what);
                let same = part_of.insert((*context, key), part) == Some(part);
                if let Some(before) = before.filter(|_| same) {
                    warn(at, format!("{key} is set twice here: {before} and {what}; the last one read counts"));
                }
                if *context == Context::Text && key.is_text() && action.is_some() {
                    warn(at, format!("a text field keeps {key} for itself; give {what} a chord, as ctrl-{key}"));
                    continue;
                }
                changed.push(((*context, key), action, at));
            }
        }
        let mut lost = Vec::new();
        for &(place, action, at) in &changed {
            let before = match action {
                Some(action) => map.keys.insert(place, action),
                None => map.keys.remove(&place),
            };
            if let Some(before) = before.filter(|b| Some(*b) != action) {
                lost.push((place.0, before, at));
            }
            if let Some(action) = action {
                map.shown.insert((place.0, action), place.1);
            }
        }
        for (context, action, at) in lost {
            let left = map.keys.iter().find(|((c, _), a)| *c == context && **a == action).map(|((_, key), _)| *key);
            match left {
                Some(key)
                    if map
                        .shown
                        .get(&(context, action))
                        .is_none_or(|k| map.keys.get(&(context, *k)) != Some(&action)) =>
                {
                    map.shown.insert((context, action), key);
                }
                Some(_) => {}
                None => {
                    map.shown.remove(&(context, action));
                    let entry = table::entry_of(action);
                    let left = if entry.is_some_and(table::Entry::in_palette) {
                        "the palette still has it"
                    } else {
                        "nothing else does it there"
                    };
                    let name = entry.map_or("it", |e| e.name);
                    warn(at, format!("{name} has no key left in this context; {left}"));
                }
            }
        }
        for ((context, key), action, at) in changed {
            let Some(action) = action else { continue };
            for words in map.clashes(context, key, action, |place| set.contains_key(&place)) {
                warn(at, words);
            }
        }
        (map, warnings)
    }

    /// What a key of the user's hides further out, and what hides it further in. What the user set himself is meant.
    fn clashes(
        &self,
        context: Context,
        key: Key,
        action: Action,
        is_meant: impl Fn((Context, Key)) -> bool,
    ) -> Vec<String> {
        let name = |action| table::entry_of(action).map_or("something else", |e| e.name);
        let others = CONTEXTS.iter().filter_map(|(other, other_name, _)| {
            let theirs = *self.keys.get(&(*other, key))?;
            (theirs != action && !is_meant((*other, key))).then_some(((*other), *other_name, theirs))
        });
        let (mut out, mut inner) = (Vec::new(), Vec::new());
        for (other, other_name, theirs) in others {
            if around(context).contains(&other) {
                out.push(format!("{key} here hides {} of [{other_name}]", name(theirs)));
            } else if around(other).contains(&context) {
                inner.push(format!("{} in [{other_name}]", name(theirs)));
            }
        }
        if !inner.is_empty() {
            out.push(format!("{key} is still {}; set it there too if {} is meant", inner.join(", "), name(action)));
        }
        out
    }

    /// What a key means in a chain of contexts, innermost first. None: it belongs to the text field, or to nobody.
    pub fn lookup(&self, contexts: &[Context], event: KeyEvent) -> Option<Action> {
        let key = Key::of(event);
        if contexts.first() == Some(&Context::Text) && key.is_text() {
            return None;
        }
        contexts.iter().find_map(|c| self.keys.get(&(*c, key)).copied())
    }

    /// What is said of a letter that nobody has.
    pub fn refusal(&self, contexts: &[Context], event: KeyEvent) -> Option<String> {
        let key = Some(Key::of(event)).filter(|k| k.is_text())?;
        let help = self.key(contexts, Action::Help).map_or_else(String::new, |k| format!("; {k} says what works"));
        Some(format!("{key} does nothing here{help}"))
    }

    /// The key shown for an action in a chain of contexts.
    pub fn key(&self, contexts: &[Context], action: Action) -> Option<Key> {
        contexts.iter().find_map(|c| {
            let key = self.shown.get(&(*c, action))?;
            (self.lookup(contexts, key.event()) == Some(action)).then_some(*key)
        })
    }

    /// The key of an action wherever it has one: for the palette.
    pub fn any_key(&self, action: Action) -> Option<Key> {
        CONTEXTS.iter().find_map(|(c, ..)| self.shown.get(&(*c, action)).copied())
    }

    /// The keys of an action in a context, as help shows them.
    pub fn keys(&self, context: Context, action: Action) -> Vec<String> {
        let mut keys: Vec<String> = self
            .keys
            .iter()
            .filter(|((c, _), a)| *c == context && **a == action)
            .map(|((_, k), _)| k.to_string())
            .collect();
        let first = self.shown.get(&(context, action)).map(Key::to_string);
        keys.sort_by_key(|k| (Some(k) != first.as_ref(), k.len(), k.clone()));
        keys
    }

    /// The keys that a key line could show, in the order of the table.
    pub fn hints(&self, contexts: &[Context]) -> Vec<Hint> {
        let hint = |entry: &table::Entry| {
            let key = self.key(contexts, entry.action)?;
            let shown = contexts.iter().find_map(|c| entry.bindings.iter().find(|b| b.context == *c));
            let words = shown.map(|b| b.hint).filter(|hint| !hint.is_empty())?;
            Some(Hint { key: key.to_string(), words, action: Some(entry.action) })
        };
        ENTRIES.iter().filter_map(hint).collect()
    }
}

impl Hint {
    /// Takes hints away until they fit `width` cells: leaving first, then from the right; the palette and help stay as
    /// long as anything does.
    pub(crate) fn fit(hints: &mut Vec<Self>, width: usize) {
        let used = |hints: &[Self]| hints.iter().map(Self::width).sum::<usize>();
        while used(hints) > width + 2 && hints.len() > 1 {
            let last = |is: &dyn Fn(&Self) -> bool| hints.iter().rposition(is);
            let stays = |h: &Self| matches!(h.action, Some(Action::Help | Action::Palette | Action::Back));
            let gone = last(&|h| h.action == Some(Action::Quit))
                .or_else(|| last(&|h| !stays(h)))
                .or_else(|| last(&|h| h.action != Some(Action::Help)))
                .unwrap_or(hints.len() - 1);
            hints.remove(gone);
        }
    }
}

/// The contexts that may stand around one when it has the focus. A card and a text field stand alone.
const fn around(context: Context) -> &'static [Context] {
    use Context::{
        Attention, Card, Done, Everywhere, List, Output, Review, Session, Task, Text, Time, Timeline, Welcome,
    };
    match context {
        Everywhere | Card | Text => &[],
        Time => &[Everywhere],
        Session => &[Time, Everywhere],
        Task => &[List, Session, Time, Everywhere],
        Output | Review | Timeline => &[Task, List, Session, Time, Everywhere],
        Done => &[Output, List, Session, Time, Everywhere],
        List => &[Session, Time, Everywhere],
        Welcome | Attention => &[List, Time, Everywhere],
        _ => &[List, Session, Time, Everywhere],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> KeyEvent {
        text.parse::<Key>().unwrap().event()
    }

    #[test]
    fn the_innermost_context_wins() {
        let map = Keymap::default();
        let output = [Context::Output, Context::Task, Context::List, Context::Session, Context::Everywhere];
        assert_eq!(map.lookup(&output, event("G")), Some(Action::Follow));
        assert_eq!(map.lookup(&output[2..], event("G")), Some(Action::Last));
        assert_eq!(map.lookup(&output, event("ctrl-c")), Some(Action::Quit));
        assert_eq!(map.lookup(&output, event("ctrl-x")), None);
    }

    #[test]
    fn a_text_field_keeps_its_letters_and_gives_away_its_chords() {
        let map = Keymap::default();
        let text = [Context::Text];
        for letter in ["q", "G", "space", ":", "1"] {
            assert_eq!(map.lookup(&text, event(letter)), None, "{letter}");
        }
        assert_eq!(map.lookup(&text, event("ctrl-c")), Some(Action::Quit));
        assert_eq!(map.lookup(&text, event("esc")), Some(Action::Back));
        assert_eq!(map.lookup(&text, event("backspace")), None);
    }

    #[test]
    fn the_user_changes_keys_and_hears_of_mistakes() {
        let text = "[everywhere]\n\"ctrl-q\" = \"quit\"\n\"M\" = \"none\"\n[task]\nr = \"hold\"\nzz = \"pin\"\ng = \"fly\"\n[moon]\n";
        let (map, warnings) = Keymap::with_user("keys.toml", text);
        let task = [Context::Task, Context::List, Context::Session, Context::Everywhere];
        assert_eq!(map.lookup(&task, event("ctrl-q")), Some(Action::Quit));
        assert_eq!(map.lookup(&task, event("M")), None);
        assert_eq!(map.lookup(&task, event("f10")), Some(Action::Mouse));
        assert_eq!(map.lookup(&task, event("r")), Some(Action::Hold));
        assert_eq!(map.key(&task, Action::Mouse).map(|k| k.to_string()).as_deref(), Some("f10"));
        assert_eq!(map.key(&task, Action::Retry), None);
        let mut said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        said.sort();
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[0].starts_with("keys.toml:5: retry has no key left"), "{said:?}");
        assert!(said[1].starts_with("keys.toml:6: \"zz\" is no key"), "{said:?}");
        assert!(said[2].starts_with("keys.toml:7: there is no action \"fly\""), "{said:?}");
        assert!(said[3].starts_with("keys.toml:8: there is no context"), "{said:?}");
    }

    fn said(text: &str) -> Vec<String> {
        let mut said: Vec<String> = Keymap::with_user("keys.toml", text).1.iter().map(ToString::to_string).collect();
        said.sort();
        said
    }

    #[test]
    fn a_key_that_hides_another_or_stays_hidden_is_told() {
        let outer = said("[list]\nT = \"search\"\n");
        assert_eq!(outer, ["keys.toml:2: T here hides session_level of [session]"]);
        let inner = said("[everywhere]\np = \"refresh\"\n");
        assert_eq!(
            inner,
            ["keys.toml:2: p is still hold in [task], drain in [fleet]; set it there too if refresh is meant"]
        );
        let both = said(
            "[everywhere]\nx = \"refresh\"\n[task]\nx = \"hold\"\nX = \"stop\"\n[attention]\nx = \"none\"\n[session]\nX = \"pause\"\n",
        );
        assert!(
            !both.iter().any(|w| w.contains("hides") || w.contains("in [task]")),
            "what is set in both is meant: {both:?}"
        );
        assert!(
            said("[everywhere]\n\"ctrl-q\" = \"quit\"\n[card]\nx = \"enter\"\n")
                .iter()
                .all(|w| w.contains("no action"))
        );
    }

    #[test]
    fn an_action_without_any_key_is_told_with_what_is_left() {
        assert_eq!(
            said("[task]\nr = \"none\"\n"),
            ["keys.toml:2: retry has no key left in this context; the palette still has it"]
        );
        let back = said("[card]\nesc = \"none\"\n");
        assert_eq!(back, ["keys.toml:2: back has no key left in this context; nothing else does it there"]);
        assert_eq!(
            said("[text]\nr = \"back\"\n"),
            ["keys.toml:2: a text field keeps r for itself; give back a chord, as ctrl-r"]
        );
    }

    #[test]
    fn a_broken_file_changes_nothing_and_says_where() {
        let (map, warnings) = Keymap::with_user("keys.toml", "[task]\nr = \n");
        assert_eq!(warnings[0].line, 2);
        assert_eq!(map.lookup(&[Context::Task], event("r")), Some(Action::Retry));
    }

    #[test]
    fn the_key_line_drops_from_the_end_and_keeps_help() {
        let map = Keymap::default();
        let task = [Context::Task, Context::List, Context::Session, Context::Everywhere];
        for width in [12, 30, 60, 120, 200] {
            let mut hints = map.hints(&task);
            Hint::fit(&mut hints, width);
            assert_eq!(hints.last().map(|h| h.key.as_str()), Some("?"), "{width}");
            let used: usize = hints.iter().map(Hint::width).sum::<usize>() - 2;
            assert!(used <= width, "{width}: {used}");
            assert_eq!(hints.iter().any(|h| h.action == Some(Action::Palette)), width >= 30, "{width}");
        }
        let all = map.hints(&task);
        let words: Vec<&str> = all.iter().map(|h| h.words).collect();
        assert!(
            words.starts_with(&["open", "message", "retry", "edit", "level", "hold", "stop", "pin", "zoom"]),
            "{words:?}"
        );
    }

    #[test]
    fn what_is_said_for_this_machine_is_laid_over_the_rest_and_nothing_of_another_is() {
        let text = "[task]\nz = \"retry\"\n[host.\"mac-studio\".task]\nz = \"hold\"\n[host.other.task]\nzz = \"fly\"\n";
        let of = |machine: &str| {
            let (map, wrong) = Keymap::with_user_on(machine, "keys.toml", text);
            let action = map.keys.get(&(Context::Task, "z".parse().unwrap())).copied();
            (action, wrong.iter().map(ToString::to_string).filter(|w| w.contains("is no key")).collect::<Vec<_>>())
        };
        assert_eq!(of("Mac-Studio.local"), (Some(Action::Hold), vec![]));
        assert_eq!(of("elsewhere"), (Some(Action::Retry), vec![]));
        let (_, wrong) = of("other");
        assert!(wrong.iter().any(|w| w.starts_with("keys.toml:6: \"zz\" is no key")), "{wrong:?}");
        assert_eq!(Keymap::hosts_named(text), ["mac-studio", "other"]);
    }
}
