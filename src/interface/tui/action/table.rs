//! The table of actions: each declared once. Keymap, help, palette, key line and `config/keys.toml` come from it.

use super::{Action, Context};

/// An action with its name, words and keys.
#[derive(Debug, PartialEq)]
pub struct Entry {
    /// What it is.
    pub action: Action,
    /// Its name in `keys.toml`.
    pub name: &'static str,
    /// What it does, for help and palette.
    pub words: &'static str,
    /// Where it has keys.
    pub bindings: &'static [Binding],
    palette: InPalette,
}

/// The keys of an action in one context.
#[derive(Debug, PartialEq)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// The keys, the one shown first.
    pub keys: &'static [&'static str],
    /// The word beside the key on the key line; empty: not shown there.
    pub hint: &'static str,
}

/// Whether the palette lists an action: moving about it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InPalette {
    Listed,
    Unlisted,
}

impl Entry {
    /// Whether the palette lists it.
    pub fn in_palette(&self) -> bool {
        self.palette == InPalette::Listed
    }

    /// Where it works, in words: the first place it has a key in.
    pub fn place(&self) -> &'static str {
        self.bindings.first().map_or("every screen", |b| words_of(b.context))
    }
}

const fn on(context: Context, keys: &'static [&'static str], hint: &'static str) -> Binding {
    Binding { context, keys, hint }
}

const fn entry(action: Action, name: &'static str, words: &'static str, bindings: &'static [Binding]) -> Entry {
    Entry { action, name, words, bindings, palette: InPalette::Listed }
}

const fn unlisted(action: Action, name: &'static str, words: &'static str, bindings: &'static [Binding]) -> Entry {
    Entry { action, name, words, bindings, palette: InPalette::Unlisted }
}

/// Every action, in the order of the key line.
pub const ENTRIES: &[Entry] = &[
    unlisted(
        Action::Enter,
        "open",
        "open what is selected, or accept",
        &[
            on(Context::Review, &["enter"], "run it"),
            on(Context::Done, &["enter"], ""),
            on(Context::Welcome, &["enter"], "write a goal"),
            on(Context::List, &["enter"], "open"),
            on(Context::Card, &["enter"], "do"),
            on(Context::Text, &["enter"], "accept"),
        ],
    ),
    entry(
        Action::Message,
        "message",
        "say something to this agent",
        &[
            on(Context::Task, &["i"], "message"),
            on(Context::Output, &["i"], "message"),
            on(Context::Attention, &["i"], ""),
        ],
    ),
    entry(
        Action::Retry,
        "retry",
        "retry the selected task: as it is or changed",
        &[on(Context::Task, &["r"], "retry"), on(Context::Attention, &["r"], "")],
    ),
    entry(
        Action::EditTask,
        "edit_task",
        "edit this task: prompt, agent, needs, result",
        &[on(Context::Task, &["e"], "edit"), on(Context::Review, &["e"], "edit")],
    ),
    entry(
        Action::Level,
        "level",
        "next reasoning level for the selected task",
        &[on(Context::Task, &["t"], "level"), on(Context::Review, &["t"], "level")],
    ),
    entry(Action::Hold, "hold", "hold or release the selected task", &[on(Context::Task, &["p"], "hold")]),
    entry(
        Action::Stop,
        "stop",
        "stop the selected task",
        &[on(Context::Task, &["x"], "stop"), on(Context::Attention, &["x"], "")],
    ),
    entry(
        Action::Pin,
        "pin",
        "pin or unpin the selected output",
        &[on(Context::Task, &["w"], "pin"), on(Context::Output, &["w"], "pin")],
    ),
    entry(
        Action::Zoom,
        "zoom",
        "zoom the pane, or back",
        &[
            on(Context::Output, &["z"], "zoom"),
            on(Context::Task, &["z"], "zoom"),
            on(Context::Timeline, &["z"], "zoom"),
        ],
    ),
    entry(
        Action::Grid,
        "grid",
        "grid of outputs: 1, 2, 2×2, 3×3",
        &[on(Context::Output, &["Z"], "grid"), on(Context::Task, &["Z"], "")],
    ),
    entry(Action::Follow, "follow", "follow the end of the text", &[on(Context::Output, &["f", "G", "end"], "follow")]),
    entry(
        Action::Answer,
        "answer",
        "answer what this agent asks",
        &[on(Context::Task, &["a"], ""), on(Context::Attention, &["a"], "")],
    ),
    entry(Action::Dismiss, "dismiss", "take it off the list of what needs you", &[on(Context::Attention, &["d"], "")]),
    entry(
        Action::NewTask,
        "new_task",
        "a new task after this one",
        &[on(Context::Task, &["c"], ""), on(Context::Review, &["c"], "")],
    ),
    entry(
        Action::Remove,
        "remove",
        "take the selected task out of the plan",
        &[on(Context::Task, &["D"], ""), on(Context::Review, &["D"], "remove")],
    ),
    entry(
        Action::Raise,
        "raise",
        "this task matters more",
        &[on(Context::Task, &["K"], ""), on(Context::Review, &["K"], "")],
    ),
    entry(
        Action::Lower,
        "lower",
        "this task matters less",
        &[on(Context::Task, &["J"], ""), on(Context::Review, &["J"], "")],
    ),
    entry(
        Action::DiffAttempts,
        "diff_attempts",
        "the attempts of this task side by side",
        &[on(Context::Task, &["d"], "")],
    ),
    entry(
        Action::EditPlan,
        "edit_plan",
        "edit the whole plan as text",
        &[on(Context::Session, &["E"], ""), on(Context::Review, &["E"], "")],
    ),
    entry(Action::Undo, "undo", "undo the last edit of the plan", &[on(Context::Session, &["u"], "")]),
    entry(Action::Redo, "redo", "make the last undone edit again", &[on(Context::Session, &["U"], "")]),
    entry(Action::Mark, "mark", "mark this one, or take the mark off", &[on(Context::List, &["space"], "")]),
    entry(
        Action::Range,
        "range",
        "mark from here on; in a text, select",
        &[on(Context::List, &["v"], ""), on(Context::Output, &["v"], "select")],
    ),
    entry(Action::Order, "order", "the list's next order", &[on(Context::List, &["o"], "")]),
    unlisted(Action::Accept, "accept", "accept this text", &[on(Context::Text, &["ctrl-s"], "")]),
    entry(Action::WiderList, "wider_list", "a wider list of tasks", &[on(Context::List, &["ctrl-right"], "")]),
    entry(Action::NarrowerList, "narrower_list", "a narrower list of tasks", &[on(Context::List, &["ctrl-left"], "")]),
    entry(Action::TallerList, "taller_list", "a taller list of tasks", &[on(Context::List, &["ctrl-down"], "")]),
    entry(Action::LowerList, "lower_list", "a lower list of tasks", &[on(Context::List, &["ctrl-up"], "")]),
    entry(Action::ResetSizes, "reset_sizes", "all parts of the screen in the sizes they began with", &[]),
    unlisted(Action::ExternalEditor, "external_editor", "this text in $EDITOR", &[on(Context::Text, &["ctrl-o"], "")]),
    unlisted(Action::TextUndo, "text_undo", "undo in this text", &[on(Context::Text, &["ctrl-/"], "")]),
    unlisted(Action::TextRedo, "text_redo", "redo in this text", &[on(Context::Text, &["ctrl-y"], "")]),
    unlisted(Action::TextFind, "text_find", "find in this text", &[on(Context::Text, &["ctrl-f"], "")]),
    unlisted(
        Action::NextProblem,
        "next_problem",
        "the next mistake in this text",
        &[on(Context::Text, &["ctrl-g", "f8"], "")],
    ),
    entry(Action::Play, "play", "play what was recorded, or pause", &[on(Context::Time, &[";"], "")]),
    entry(Action::PreviousRecord, "previous_record", "to the record before", &[on(Context::Time, &[","], "rewind")]),
    entry(Action::NextRecord, "next_record", "to the next record", &[on(Context::Time, &["."], "")]),
    entry(Action::Rewind, "rewind", "5 seconds back", &[on(Context::Time, &["<"], "")]),
    entry(Action::Forward, "forward", "5 seconds on", &[on(Context::Time, &[">"], "")]),
    entry(Action::RewindTenth, "rewind_tenth", "a tenth of the session back", &[on(Context::Time, &["{"], "")]),
    entry(Action::ForwardTenth, "forward_tenth", "a tenth of the session on", &[on(Context::Time, &["}"], "")]),
    entry(
        Action::PreviousMarker,
        "previous_marker",
        "to where a task started or ended before",
        &[on(Context::Time, &["["], "")],
    ),
    entry(Action::NextMarker, "next_marker", "to where a task starts or ends next", &[on(Context::Time, &["]"], "")]),
    entry(Action::Faster, "faster", "play twice as fast", &[on(Context::Time, &["+"], "")]),
    entry(Action::Slower, "slower", "play half as fast", &[on(Context::Time, &["-"], "")]),
    entry(
        Action::IdleLimit,
        "idle_limit",
        "play gaps without records no longer than: 2 s, 5 s, as they were, 0.5 s",
        &[],
    ),
    entry(Action::GoTo, "go_to", "go to a time, a part, a record, a task", &[on(Context::Time, &["@"], "")]),
    entry(Action::Now, "now", "back to now; in a replay to its end", &[on(Context::Time, &["0"], "")]),
    entry(
        Action::Fork,
        "fork",
        "a new session with the past up to here",
        &[on(Context::Time, &["F"], ""), on(Context::Sessions, &["F"], "fork")],
    ),
    entry(
        Action::Control,
        "control",
        "take control of the session, ask for it, or give it",
        &[on(Context::Everywhere, &["C"], "")],
    ),
    entry(Action::ZoomOut, "zoom_out", "a longer part of the timeline", &[on(Context::Timeline, &["Z"], "")]),
    entry(
        Action::StartServer,
        "start_server",
        "start this endpoint's server, or load its model",
        &[on(Context::Fleet, &["s"], "start")],
    ),
    entry(
        Action::RestartServer,
        "restart_server",
        "restart this endpoint's server",
        &[on(Context::Fleet, &["r"], "restart")],
    ),
    entry(
        Action::StopServer,
        "stop_server",
        "stop this endpoint's server, or unload its model",
        &[on(Context::Fleet, &["x"], "stop")],
    ),
    entry(
        Action::Drain,
        "drain",
        "let this endpoint run empty, or send requests to it again",
        &[on(Context::Fleet, &["p"], "drain")],
    ),
    entry(
        Action::EditEndpoint,
        "edit_endpoint",
        "edit this endpoint: slots, context, tiers, memory",
        &[on(Context::Fleet, &["e"], "edit")],
    ),
    entry(Action::Again, "again", "run this goal again", &[on(Context::Done, &["r"], "again")]),
    entry(
        Action::ChooseFleet,
        "choose_fleet",
        "choose the fleet: yours or the simulated one",
        &[on(Context::Welcome, &["f"], "fleet")],
    ),
    entry(
        Action::KeepFleet,
        "keep_fleet",
        "keep the fleet that was found as a fleet file",
        &[on(Context::Welcome, &["w"], "keep")],
    ),
    entry(
        Action::ResumeSession,
        "resume_session",
        "take the session up again",
        &[on(Context::Sessions, &["r"], "resume"), on(Context::Welcome, &["r"], "resume")],
    ),
    entry(Action::DeleteSession, "delete_session", "delete the session", &[on(Context::Sessions, &["D"], "delete")]),
    entry(
        Action::CopyAnswer,
        "copy_answer",
        "copy the answer",
        &[on(Context::Done, &["Y"], "copy"), on(Context::Everywhere, &["Y"], "")],
    ),
    entry(
        Action::SaveAnswer,
        "save_answer",
        "save the answer, a report, an export",
        &[
            on(Context::Done, &["S"], "save"),
            on(Context::Everywhere, &["S"], ""),
            on(Context::Sessions, &["S"], "save"),
        ],
    ),
    entry(
        Action::Search,
        "search",
        "filter the list, search the text",
        &[on(Context::List, &["/"], "filter"), on(Context::Output, &["/"], "search")],
    ),
    entry(
        Action::NextMatch,
        "next_match",
        "next match",
        &[on(Context::Output, &["n"], ""), on(Context::List, &["n"], "")],
    ),
    entry(
        Action::PreviousMatch,
        "previous_match",
        "match before",
        &[on(Context::Output, &["N"], ""), on(Context::List, &["N"], "")],
    ),
    entry(
        Action::Copy,
        "copy",
        "copy what is selected",
        &[on(Context::List, &["y"], "copy"), on(Context::Output, &["y"], "copy")],
    ),
    unlisted(
        Action::Down,
        "down",
        "down one",
        &[
            on(Context::List, &["j", "down"], ""),
            on(Context::Output, &["j", "down"], ""),
            on(Context::Card, &["down"], ""),
        ],
    ),
    unlisted(
        Action::Up,
        "up",
        "up one",
        &[on(Context::List, &["k", "up"], ""), on(Context::Output, &["k", "up"], ""), on(Context::Card, &["up"], "")],
    ),
    unlisted(
        Action::Left,
        "left",
        "left, or fold",
        &[
            on(Context::List, &["h", "left"], ""),
            on(Context::Output, &["h", "left"], ""),
            on(Context::Card, &["left"], ""),
        ],
    ),
    unlisted(
        Action::Right,
        "right",
        "right, or unfold",
        &[
            on(Context::List, &["l", "right"], ""),
            on(Context::Output, &["l", "right"], ""),
            on(Context::Card, &["right"], "choose"),
        ],
    ),
    unlisted(
        Action::First,
        "first",
        "to the first",
        &[on(Context::List, &["g", "home"], ""), on(Context::Output, &["g", "home"], "")],
    ),
    unlisted(Action::Last, "last", "to the last", &[on(Context::List, &["G", "end"], "")]),
    unlisted(
        Action::PageDown,
        "page_down",
        "a page down",
        &[on(Context::List, &["ctrl-d", "pgdn"], ""), on(Context::Output, &["ctrl-d", "pgdn"], "")],
    ),
    unlisted(
        Action::PageUp,
        "page_up",
        "a page up",
        &[on(Context::List, &["ctrl-u", "pgup"], ""), on(Context::Output, &["ctrl-u", "pgup"], "")],
    ),
    unlisted(
        Action::NextPane,
        "next_pane",
        "next pane",
        &[on(Context::Everywhere, &["tab"], "pane"), on(Context::Card, &["tab"], ""), on(Context::Text, &["tab"], "")],
    ),
    unlisted(
        Action::PreviousPane,
        "previous_pane",
        "pane before",
        &[
            on(Context::Everywhere, &["shift-tab"], ""),
            on(Context::Card, &["shift-tab"], ""),
            on(Context::Text, &["shift-tab"], ""),
        ],
    ),
    entry(Action::Attention, "attention", "show what needs you", &[on(Context::Everywhere, &["!"], "")]),
    entry(
        Action::NewGoal,
        "new_goal",
        "a new goal",
        &[on(Context::Everywhere, &["ctrl-n"], ""), on(Context::Text, &["ctrl-n"], "")],
    ),
    entry(
        Action::SessionLevel,
        "session_level",
        "next reasoning level for the session",
        &[on(Context::Session, &["T"], "")],
    ),
    entry(Action::Pause, "pause", "start nothing new, or go on", &[on(Context::Session, &["P"], "")]),
    entry(Action::RetryFailed, "retry_failed", "retry everything that failed", &[on(Context::Session, &["R"], "")]),
    entry(Action::StopAll, "stop_all", "stop all tasks", &[on(Context::Session, &["X"], "")]),
    entry(Action::Screen(1), "screen_1", "screen 1: Run", &[on(Context::Everywhere, &["1"], "")]),
    entry(Action::Screen(2), "screen_2", "screen 2: Graph", &[on(Context::Everywhere, &["2"], "")]),
    entry(Action::Screen(3), "screen_3", "screen 3: Fleet", &[on(Context::Everywhere, &["3"], "")]),
    entry(Action::Screen(4), "screen_4", "screen 4: Time", &[on(Context::Everywhere, &["4"], "")]),
    entry(Action::Screen(5), "screen_5", "screen 5: Events", &[on(Context::Everywhere, &["5"], "")]),
    entry(Action::Screen(6), "screen_6", "screen 6: Sessions", &[on(Context::Everywhere, &["6"], "")]),
    unlisted(
        Action::Back,
        "back",
        "one level back",
        &[
            on(Context::Everywhere, &["esc"], ""),
            on(Context::Card, &["esc"], "nothing"),
            on(Context::Text, &["esc"], "back"),
        ],
    ),
    entry(
        Action::Refresh,
        "refresh",
        "probe every endpoint again",
        &[on(Context::Everywhere, &["ctrl-r"], ""), on(Context::Text, &["ctrl-r"], "")],
    ),
    entry(
        Action::Mouse,
        "mouse",
        "mouse on or off; with shift the terminal selects text",
        &[on(Context::Everywhere, &["M", "f10"], ""), on(Context::Text, &["f10"], "")],
    ),
    entry(Action::ChooseTheme, "choose_theme", "choose a theme", &[]),
    entry(Action::Notices, "notices", "what was said on the notice line", &[]),
    entry(Action::NextTheme, "next_theme", "next theme", &[]),
    entry(
        Action::Redraw,
        "redraw",
        "draw everything again",
        &[
            on(Context::Everywhere, &["ctrl-l"], ""),
            on(Context::Card, &["ctrl-l"], ""),
            on(Context::Text, &["ctrl-l"], ""),
        ],
    ),
    entry(
        Action::Suspend,
        "suspend",
        "suspend Baton; fg brings it back",
        &[
            on(Context::Everywhere, &["ctrl-z"], ""),
            on(Context::Card, &["ctrl-z"], ""),
            on(Context::Text, &["ctrl-z"], ""),
        ],
    ),
    unlisted(
        Action::Palette,
        "palette",
        "every command, by name",
        &[on(Context::Everywhere, &[":", "ctrl-p"], "command"), on(Context::Text, &["ctrl-p"], "command")],
    ),
    entry(
        Action::Quit,
        "quit",
        "leave",
        &[
            on(Context::Everywhere, &["q", "ctrl-c"], "leave"),
            on(Context::Card, &["ctrl-c"], ""),
            on(Context::Text, &["ctrl-c"], "leave"),
        ],
    ),
    entry(
        Action::Help,
        "help",
        "what works here",
        &[on(Context::Everywhere, &["?", "f1"], "help"), on(Context::Text, &["f1"], "help")],
    ),
];

/// The contexts and their names in `keys.toml`.
pub const CONTEXTS: &[(Context, &str, &str)] = &[
    (Context::Everywhere, "everywhere", "everywhere but text fields and cards"),
    (Context::Session, "session", "the whole session"),
    (Context::List, "list", "lists and trees"),
    (Context::Task, "task", "a task"),
    (Context::Output, "output", "an output"),
    (Context::Fleet, "fleet", "the fleet"),
    (Context::Welcome, "welcome", "the welcome screen, outside the goal box"),
    (Context::Review, "review", "the plan review"),
    (Context::Done, "done", "the answer"),
    (Context::Attention, "attention", "the list of what needs you"),
    (Context::Sessions, "sessions", "the list of sessions"),
    (Context::Timeline, "timeline", "the timeline"),
    (Context::Time, "time", "time, on every screen, live or past"),
    (Context::Card, "card", "cards that ask"),
    (Context::Text, "text", "text fields"),
];

/// The entry of an action.
pub fn entry_of(action: Action) -> Option<&'static Entry> {
    ENTRIES.iter().find(|e| e.action == action)
}

/// The words of a context.
pub fn words_of(context: Context) -> &'static str {
    CONTEXTS.iter().find(|(c, ..)| *c == context).map_or("", |(.., words)| words)
}

/// `keys.toml` with every default, as it stands in `config/`.
pub fn keys_toml() -> String {
    let mut out = String::from(
        "# The keys of the console, as they are without this file. Written from the table of actions; a test fails when\n\
         # they differ. In a file of your own write only what you change: under a context, a key and the name of what\n\
         # it does, or \"none\".\n",
    );
    for (context, name, words) in CONTEXTS {
        let keys = ENTRIES.iter().flat_map(|e| {
            e.bindings.iter().filter(|b| b.context == *context).flat_map(move |b| b.keys.iter().map(move |k| (k, e)))
        });
        let lines: Vec<String> = keys.map(|(key, e)| format!("\"{key}\" = \"{}\"  # {}\n", e.name, e.words)).collect();
        if !lines.is_empty() {
            out.push_str(&format!("\n# {words}\n[{name}]\n{}", lines.concat()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::super::Key;
    use super::*;

    #[test]
    fn a_key_has_one_action_in_a_context() {
        let mut seen: BTreeMap<(Context, String), &str> = BTreeMap::new();
        for entry in ENTRIES {
            for binding in entry.bindings {
                for key in binding.keys {
                    let key = key.parse::<Key>().unwrap().to_string();
                    let before = seen.insert((binding.context, key.clone()), entry.name);
                    assert_eq!(before, None, "{key} in {:?}: {before:?} and {}", binding.context, entry.name);
                }
            }
        }
    }

    /// The chains of contexts that the screens make. In them an inner key may hide an outer one only if it is listed.
    #[test]
    fn an_inner_context_hides_no_outer_key_but_those_meant() {
        use Context::{
            Attention, Done, Everywhere, Fleet, List, Output, Review, Session, Sessions, Task, Time, Timeline, Welcome,
        };
        let chains: &[&[Context]] = &[
            &[Welcome, Time, Everywhere],
            &[Welcome, List, Time, Everywhere],
            &[Review, List, Session, Time, Everywhere],
            &[Review, Task, List, Session, Time, Everywhere],
            &[Task, List, Session, Time, Everywhere],
            &[Output, Task, List, Session, Time, Everywhere],
            &[Task, Output, Session, Time, Everywhere],
            &[Fleet, List, Session, Time, Everywhere],
            &[Done, Output, Session, Time, Everywhere],
            &[Done, Output, List, Session, Time, Everywhere],
            &[Timeline, Task, List, Session, Time, Everywhere],
            &[List, Time, Everywhere],
            &[Attention, List, Time, Everywhere],
            &[Sessions, List, Session, Time, Everywhere],
            &[Session, Time, Everywhere],
        ];
        let meant: HashSet<(&str, &str)> =
            [("G", "follow"), ("end", "follow"), ("Z", "zoom_out"), ("F", "fork_session")].into();
        let at = |context: Context, key: &str| {
            ENTRIES.iter().find(|e| e.bindings.iter().any(|b| b.context == context && b.keys.contains(&key)))
        };
        for chain in chains {
            for (i, inner) in chain.iter().enumerate() {
                for entry in ENTRIES {
                    for key in entry.bindings.iter().filter(|b| b.context == *inner).flat_map(|b| b.keys) {
                        for outer in &chain[i + 1..] {
                            if let Some(other) = at(*outer, key).filter(|o| o.action != entry.action) {
                                let fine = meant.contains(&(*key, entry.name));
                                assert!(fine, "{key}: {} in {inner:?} hides {} of {outer:?}", entry.name, other.name);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_keys_the_screens_promise_are_there() {
        let promised = [
            (
                Context::Everywhere,
                "1 2 3 4 5 6 tab shift-tab : ctrl-p ? f1 ! ctrl-n esc q ctrl-c ctrl-z ctrl-l ctrl-r M f10 Y S C",
            ),
            (Context::Time, "; , . < > { } [ ] + - @ 0 F"),
            (Context::Timeline, "z Z"),
            (Context::Session, "E T P R X u U"),
            (Context::List, "j k h l up down left right g G home end ctrl-d ctrl-u pgdn pgup / enter y space v o"),
            (Context::Task, "i a r e t p x w d c D J K"),
            (Context::Output, "f G / n N h l y z Z w v i"),
            (Context::Review, "enter E e c t D J K"),
            (Context::Done, "Y S r"),
            (Context::Welcome, "f enter r"),
            (Context::Sessions, "r F S D"),
            (Context::Fleet, "s r x p e"),
            (Context::Card, "left right enter esc"),
            (Context::Text, "ctrl-s enter esc ctrl-o ctrl-/ ctrl-y ctrl-f"),
        ];
        for (context, keys) in promised {
            for key in keys.split(' ') {
                let found =
                    ENTRIES.iter().any(|e| e.bindings.iter().any(|b| b.context == context && b.keys.contains(&key)));
                assert!(found, "{key} in {context:?}");
            }
        }
    }

    #[test]
    fn names_are_unique_and_every_action_has_words_and_a_way() {
        let mut names = HashSet::new();
        for entry in ENTRIES {
            assert!(names.insert(entry.name), "{}", entry.name);
            assert!(!entry.words.is_empty());
            assert!(entry.in_palette() || !entry.bindings.is_empty(), "{} can't be reached", entry.name);
        }
    }

    #[test]
    fn the_file_of_keys_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/keys.toml");
        if std::env::var_os("BATON_WRITE_KEYS").is_some() {
            std::fs::write(path, keys_toml()).unwrap();
        }
        let file = std::fs::read_to_string(path).unwrap();
        assert!(file == keys_toml(), "config/keys.toml is old: run this test with BATON_WRITE_KEYS=1");
    }
}
