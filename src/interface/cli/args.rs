//! What can be typed after `baton`.
//!
//! Not here: what any of it does. Invariant: only what works is listed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::about::VERSION;
use super::choose::Unanswered;
use super::fork::At;
use super::leaving::Leaving;
use crate::config::{Flag, Flags};
use crate::interface::bundle::LeftOut;

/// A terminal control console for a fleet of language models on your own machine.
///
/// Without a command it opens the console. stdout is data, stderr is words.
#[derive(Debug, Parser)]
#[command(name = "baton", version = VERSION, disable_help_subcommand = true, after_help = EXITS)]
pub(crate) struct Cli {
    /// What to do; the console when absent.
    #[command(subcommand)]
    pub(crate) command: Option<Sub>,
    /// Flags that go with every command.
    #[command(flatten)]
    pub(crate) global: Global,
}

const EXITS: &str = "\
Exit codes: 0 all done · 1 a task failed · 2 usage · 3 needs the operator · 4 could not start · 130, 143 on signals.
`fleet status` and `doctor`: 0 all well · 1 an endpoint is down, lacks its model or its key, or nothing can run.";

/// Flags that go with every command.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Global {
    /// The fleet: a fleet file, `sim` for the simulated one, or `auto`: your fleet file, without one what answers here.
    ///
    /// Only the console, and only where there is no fleet file and nothing answers, takes the simulated one unasked.
    #[arg(long, global = true, value_name = "FILE|sim|auto", env = "BATON_FLEET", default_value = "auto")]
    pub(crate) fleet: FleetWish,
    /// Work without the console; progress goes to stderr.
    #[arg(long, global = true, visible_alias = "no-tui", env = "BATON_HEADLESS", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) headless: bool,
    /// Whether colours are used.
    #[arg(long, global = true, value_name = "WHEN")]
    pub(crate) color: Option<Color>,
    /// Print JSON instead of words.
    #[arg(long, global = true, conflicts_with = "jsonl")]
    pub(crate) json: bool,
    /// Print every record of the session as a line of JSON as it happens (`run --headless`).
    #[arg(long, global = true)]
    pub(crate) jsonl: bool,
    /// Don't end a goal with a synthesis.
    #[arg(long, global = true)]
    pub(crate) no_synthesis: bool,
    /// Only look: nothing is commanded (`attach`).
    #[arg(long, global = true)]
    pub(crate) read_only: bool,
    /// What chance is counted over, in decisions and in the simulated fleet: the same seed gives the same run.
    #[arg(long, global = true, value_name = "N", env = "BATON_SIM_SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The most tasks of one goal at once; as many as there are slots when absent.
    #[arg(long, global = true, value_name = "N")]
    pub(crate) max_parallel: Option<u32>,
    /// How long a run without the console waits while no server answers it (60 when absent, and then it does not begin
    /// where none answers at the start). One that loads its model is waited for as long as its `ready_seconds` say.
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) patience: Option<u32>,
    /// How hard models are asked to think.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) level: Option<LevelWord>,
}

/// Which fleet is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum FleetWish {
    /// The operator's, without one what answers; in the console at last the simulated one.
    #[default]
    Auto,
    /// The simulated one.
    Simulated,
    /// Real servers, even if none answers. Not typed: the console's choice.
    Configured,
    /// The endpoints of this file.
    File(PathBuf),
}

impl std::str::FromStr for FleetWish {
    type Err = std::convert::Infallible;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(match word {
            "auto" => Self::Auto,
            "sim" => Self::Simulated,
            path => Self::File(PathBuf::from(path)),
        })
    }
}

/// Whether colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A reasoning level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LevelWord {
    /// Think little.
    Low,
    /// Think as usual.
    Medium,
    /// Think hard.
    High,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Sub {
    /// Run a plan file, or a goal, in the console or with --headless.
    Run {
        /// A plan file; a goal in words; a text file or - (stdin) whose text is the goal.
        ///
        /// A file that is there is never taken as words. One word with a slash or a dot that is no file is a mistake.
        #[arg(value_name = "PLAN|GOAL|FILE|-")]
        what: String,
        /// What is given is a goal in words, though it looks like a path.
        #[arg(long)]
        goal: bool,
        /// Without the console: stay, to be attached to, when only the operator can release what is left.
        #[arg(long)]
        wait: bool,
        /// Start it though its models do not fit into memory.
        #[arg(long)]
        force_memory: bool,
        /// A word that the session's name ends with, to be named by.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        leaving: Leaving,
    },
    /// Show a running session, in the console or, with --jsonl, as lines of JSON. Leaving it ends nothing.
    Attach {
        /// The session, by any unique part of its name or words of its goal; the latest that runs when absent.
        #[arg(allow_negative_numbers = true)]
        session: Option<String>,
    },
    /// Give a running session a command.
    Ctl(super::ctl::CtlArgs),
    /// Everything that waits for you, in all sessions, the oldest first; in a terminal answered line by line.
    ///
    /// Questions, plans to look at, failures, holds, pauses, what needs a server or memory, and sessions that were set down.
    /// A line as `2 y` or `3 use the other one` answers that entry; each also names the command that does.
    Inbox {
        /// Only this session, by any unique part of its name or words of its goal.
        #[arg(allow_negative_numbers = true)]
        session: Option<String>,
    },
    /// List the questions that wait for you in the running sessions, or answer one.
    Answer(super::answer::AnswerArgs),
    /// Serve: an engine without a console that waits for goals, over its socket and over loopback when asked.
    Serve {
        /// Listen on this address of this machine besides; a key is needed there.
        #[arg(long, value_name = "127.0.0.1:PORT")]
        tcp: Option<std::net::SocketAddr>,
        /// Take up this session again in place of a new one.
        #[arg(long, value_name = "SESSION")]
        session: Option<String>,
        /// Without a terminal. Not typed.
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// Take up a session again: what is done stays done, what was under way runs again.
    ///
    /// It runs under the configuration it was begun with: its fleet, its limits, whether its agents may ask (those of
    /// `run --headless` may not). A simulated fleet is started anew.
    Resume {
        /// The session: its name, a unique part of that, words of its goal, its number in the last `baton sessions`, or -1
        /// for the one before the latest; the one written last when absent.
        #[arg(allow_negative_numbers = true)]
        session: Option<String>,
        /// Let a paused session go on.
        #[arg(long)]
        go: bool,
        /// Try anew what failed, and what was skipped because of it.
        #[arg(long)]
        failed: bool,
        /// Without the console: stay, to be attached to, when only the operator can release what is left.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        leaving: Leaving,
    },
    /// Make a new session with another one's past, up to a record, and print its name.
    ///
    /// The other session is only read, and may be running. The fork is held until it is resumed.
    Fork {
        /// The session whose past it has: its name, or a part of that as `resume` takes it, or the path of a journal or bundle.
        #[arg(allow_negative_numbers = true)]
        session: String,
        /// Where: a record (120), a share of its time (50%), or a time (02:10).
        #[arg(long, value_name = "SEQ|50%|02:10", default_value = "100%")]
        at: At,
        /// Let the fork go on at once, in the console or with --headless.
        #[arg(long)]
        run: bool,
    },
    /// Let a model plan a goal and print the plan, without running it.
    Plan {
        /// The goal in words, or a text file or - (stdin) whose text is the goal.
        ///
        /// As in `gh issue view 12 --comments | baton plan - > plan.yaml`.
        #[arg(value_name = "GOAL|FILE|-")]
        what: String,
        /// What is given is a goal in words, though it looks like a path.
        #[arg(long)]
        goal: bool,
    },
    /// Check plan files: every error with its place and how to mend it.
    Check {
        /// The plan files.
        #[arg(required = true, value_name = "PLAN")]
        plans: Vec<PathBuf>,
    },
    /// Look at a session's past in the console: every screen at any moment of it.
    Replay(ReplayArgs),
    /// Serve the simulated fleet on this machine until ctrl-c; the fleet file to use it goes to stdout.
    Sim(SimArgs),
    /// Look at the fleet; start and stop its servers.
    Fleet {
        /// What to do.
        #[command(subcommand)]
        command: FleetSub,
    },
    /// List the sessions there were and are, or search what was said in them.
    Sessions(SessionsArgs),
    /// What a session came to: figures, tables, answers, failures, what remains; Markdown, or JSON with --json.
    Report(ReportArgs),
    /// A session as one text: every record with --json, to be read from top to bottom with --markdown; or as one file to be
    /// given away, with --bundle.
    Export(ExportArgs),
    /// Look at the configuration.
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigSub,
    },
    /// See what this folder's files want (a server for your prompts), and approve it or take that back.
    Trust(super::trust::TrustArgs),
    /// Look at everything Baton needs, and say how to mend what is wrong.
    Doctor,
    /// Say what is left after kill -9, a power cut, a full disk, a vanished folder.
    Survives,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff; as in `baton man | man -l -`).
    Man,
    /// Stand around one server: started by Baton itself, with its order on stdin.
    #[command(hide = true)]
    Supervise,
}

/// What `baton sessions` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct SessionsArgs {
    /// Only those with this in their name, goal or state.
    pub(crate) filter: Option<String>,
    /// Look for this in everything that was said: goals, titles of tasks, answers, thinking.
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Only those with a task that failed.
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only those written since then: a time of day as 22:00, or `yesterday`.
    #[arg(long, value_name = "HH:MM|yesterday")]
    pub(crate) since: Option<String>,
    /// Only those that were started in this folder, or in one below it.
    #[arg(long)]
    pub(crate) here: bool,
}

/// What `baton report` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReportArgs {
    /// The session: its name, a unique part of that, words of its goal, its number in the last `baton sessions`, or -1 for
    /// the one before the latest, or the path of a journal or bundle; the latest when absent.
    #[arg(allow_negative_numbers = true)]
    pub(crate) session: Option<String>,
    /// Write to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Only what happened since then: `attach` (since anybody watched), a time of day as 22:00, or `yesterday`.
    #[arg(long, value_name = "attach|HH:MM|yesterday", conflicts_with = "failure")]
    pub(crate) since: Option<String>,
    /// One task on one page, for somebody who was not there: what was asked, each try, its last words, how to go on.
    #[arg(long, value_name = "TASK", conflicts_with_all = ["json", "jsonl"])]
    pub(crate) failure: Option<String>,
}

/// What `baton export` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExportArgs {
    /// The session: its name, a unique part of that, words of its goal, its number in the last `baton sessions`, or -1 for
    /// the one before the latest, or the path of a journal or bundle; the latest when absent.
    #[arg(allow_negative_numbers = true)]
    pub(crate) session: Option<String>,
    /// Goals, plans, prompts, answers and conversations, as Markdown.
    #[arg(long, conflicts_with_all = ["json", "jsonl"])]
    pub(crate) markdown: bool,
    /// A film of the console, as asciinema plays it (asciicast v3).
    #[arg(long, conflicts_with_all = ["json", "jsonl", "markdown"])]
    pub(crate) cast: bool,
    /// One file to be given away, which `replay`, `report`, `fork` and `export` open as it is: records, results, settings,
    /// a page for each failure. What looks like a secret is replaced, and said.
    #[arg(long, conflicts_with_all = ["markdown", "cast", "jsonl"])]
    pub(crate) bundle: bool,
    /// The bundle is about this task: what others said is left out, unless it was made of it.
    #[arg(long, value_name = "TASK", requires = "bundle")]
    pub(crate) task: Option<String>,
    /// What the bundle leaves out: what was asked and answered, absolute paths, names of machines, people and sessions.
    #[arg(
        long,
        value_name = "text|paths|names",
        requires = "bundle",
        value_enum,
        value_delimiter = ',',
        hide_possible_values = true
    )]
    pub(crate) without: Vec<LeftOut>,
    /// The bundle's file; named after the session, in this folder, when absent.
    #[arg(short, long, value_name = "FILE", requires = "bundle")]
    pub(crate) out: Option<PathBuf>,
    /// The film's columns and rows.
    #[arg(long, value_name = "COLSxROWS", requires = "cast", value_parser = size)]
    pub(crate) size: Option<(u16, u16)>,
    /// How much faster the film is.
    #[arg(long, value_name = "TIMES", requires = "cast", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// The longest pause of the film in seconds.
    #[arg(long, value_name = "SECONDS", requires = "cast", default_value_t = 2.0)]
    pub(crate) idle: f64,
    /// The film's theme.
    #[arg(long, value_name = "NAME", requires = "cast")]
    pub(crate) theme: Option<String>,
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let read = text.split_once('x').and_then(|(c, r)| Some((c.parse().ok()?, r.parse().ok()?)));
    match read {
        Some((columns @ 20..=500, rows @ 5..=300)) => Ok((columns, rows)),
        _ => Err("write columns x rows, as in 120x40".to_owned()),
    }
}

/// What `baton replay` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The session, as `report` takes it, or the path of a journal or bundle; the latest session when absent.
    #[arg(value_name = "SESSION", allow_negative_numbers = true)]
    pub(crate) session: Option<String>,
    /// Do what this script says, without a terminal: the same frames every time (see README, Scripts).
    #[arg(long, value_name = "FILE", conflicts_with = "speed")]
    pub(crate) script: Option<PathBuf>,
    /// Where the script's snapshots are; beside the script when absent.
    #[arg(long, value_name = "FOLDER", requires = "script")]
    pub(crate) snapshots: Option<PathBuf>,
    /// Write snapshots anew instead of comparing with them.
    #[arg(long, requires = "script")]
    pub(crate) update: bool,
    /// How much faster than it was, 0.25 to 64.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0)]
    pub(crate) speed: f64,
}

/// What `baton sim` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct SimArgs {
    /// How much faster than the real models.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// What goes wrong at an endpoint, as in 'athene:error=0.1,die=20s,back=10s'; may be given several times.
    ///
    /// Of its requests, shares from 0 to 1: error=, stall=, cut=, garbage=; tools=, only a call of a tool that nobody
    /// offered; abort=, ended half way by the engine; think=, thinking in the answer with a closing tag only. Before a
    /// first byte, milliseconds: slow=. More waiting requests than that are refused: overload=; more in work:
    /// takes=2 or 2:503, with a time to wait. Times count from the start, divided by --speed: die=20s, or term=20s as by
    /// SIGTERM, and back=10s after it; load=5s, "Loading model" at the start and when back; slowdown=5s:4 or 5s:4:30s, four
    /// times slower from 5 s on, until 30 s; others=2@10s-40s, another client in two of its slots. What it says it has, whatever it serves: claims=8 slots. Prompts
    /// read at once: reads=1. How it plans: plan=prose, half-json, unknown-agent, cycle, forty-tasks.
    #[arg(long, value_name = "ENDPOINT:FAULTS")]
    pub(crate) faults: Vec<String>,
    /// The first port; the endpoints take it and those after it. Any free ones when absent.
    #[arg(long, value_name = "PORT")]
    pub(crate) port_base: Option<u16>,
}

/// What `baton fleet` can do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FleetSub {
    /// Ask every endpoint how it is.
    Status,
    /// Start servers by their `launch` and wait until they answer.
    ///
    /// One with `lifetime = "session"` ends with this command, which stays as long as it has one; one with "kept" lives on
    /// and is found again by the next Baton.
    Up {
        /// The endpoints; all with a `launch` when absent.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Let them live on, whatever their lifetime.
        #[arg(long)]
        keep: bool,
        /// Start them though their models do not fit into memory.
        #[arg(long)]
        force: bool,
    },
    /// Stop servers, each with its whole process group.
    Down {
        /// The endpoints; all that Baton started when absent.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Stop also what Baton did not start.
        #[arg(long, requires = "names")]
        force: bool,
    },
    /// Stop servers and start them anew, with what the fleet file says now.
    Restart {
        /// The endpoints; all with a `launch` when absent.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Let them live on, whatever their lifetime.
        #[arg(long)]
        keep: bool,
        /// Start them though their models do not fit into memory.
        #[arg(long)]
        force: bool,
    },
    /// Print what servers that Baton started said.
    Logs(LogArgs),
    /// Find out whether servers give each of many requests at once its own answer, and up to how many.
    ///
    /// Sends real requests: a few short ones at once to each endpoint, twice, each to repeat a word of its own, and fewer at
    /// once where an answer holds another one's word. Loads models. Nothing is changed: it says which `slots` to write. Ends
    /// with 1 where answers were mixed up.
    Canary {
        /// The endpoints; all that have more than one slot when absent.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Requests at once (2 to 16) instead of the endpoint's slots.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=16))]
        at: Option<u32>,
    },
    /// Look for model servers, and write what answers into a fleet file to keep.
    ///
    /// Asked are this machine, the hosts of `[discovery]` in baton.toml, those given here, and where configured endpoints are:
    /// one short question at a time, which loads no model. A server that the configured fleet names keeps its name, its key
    /// and its launch; tiers are given by what the models tell of themselves and by their names.
    Init(InitArgs),
}

/// What `baton fleet init` takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct InitArgs {
    /// Another machine to ask: a host, host:port, or a base URL; may be given several times.
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Vec<String>,
    /// A port to ask instead of the known ones; may be given several times.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Vec<u16>,
    /// Write to this file instead of fleet.toml in your config folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print the file instead of writing it.
    #[arg(long, conflicts_with_all = ["output", "force"])]
    pub(crate) print: bool,
    /// Replace a file that is there; the old one stays beside it as .bak.
    #[arg(long)]
    pub(crate) force: bool,
}

/// What `baton fleet logs` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogArgs {
    /// The endpoints; all that have a log when absent.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Go on with what comes, until ctrl-c.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only lines that contain this, in any case.
    #[arg(long, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// How many lines from the end.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) lines: usize,
}

/// What `baton config` can do.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ConfigSub {
    /// Every value with where it came from.
    Show,
    /// Read all of it, tables for other machines and keys too, and say what is wrong and where.
    Check,
    /// Where configuration, state and log are.
    Path,
    /// The JSON Schemas of the files, for editors.
    Schema {
        /// Only this one.
        file: Option<SchemaFile>,
    },
}

/// A kind of file with a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFile {
    /// `fleet.toml`.
    Fleet,
    /// `agents.toml`.
    Agents,
    /// `baton.toml`.
    Baton,
    /// A plan.
    Plan,
}

impl Global {
    /// The flags as the configuration takes them.
    pub(crate) fn flags(&self) -> Flags {
        let mut set = Vec::new();
        let mut flag = |flag: &str, setting: &str, value: String| {
            set.push(Flag { flag: flag.to_owned(), setting: setting.to_owned(), value });
        };
        if self.no_synthesis {
            flag("--no-synthesis", "synthesis", "false".to_owned());
        }
        if let Some(most) = self.max_parallel {
            flag("--max-parallel", "max_parallel", most.to_string());
        }
        if let Some(level) = self.level {
            flag("--level", "level", word(level));
        }
        if let Some(color) = self.color {
            flag("--color", "color", word(color));
        }
        let fleet = match &self.fleet {
            FleetWish::File(path) => Some(path.clone()),
            FleetWish::Auto | FleetWish::Simulated | FleetWish::Configured => None,
        };
        Flags { fleet, set }
    }

    /// What a command without a console does where no server answers.
    pub(crate) fn unanswered(&self) -> Unanswered {
        if self.patience.is_some() { Unanswered::Waits } else { Unanswered::Ends }
    }

    /// What goes to stdout.
    pub(crate) fn form(&self) -> Form {
        match (self.json, self.jsonl) {
            (true, _) => Form::Json,
            (false, true) => Form::JsonLines,
            (false, false) => Form::Words,
        }
    }
}

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text for people.
    Words,
    /// One JSON value.
    Json,
    /// A JSON value a line, as it happens.
    JsonLines,
}

fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// A command's own argument of a global one's name would be read as that, of another kind.
    #[test]
    fn no_command_has_an_argument_of_a_global_one_s_name() {
        fn look(command: &clap::Command, globals: &[&str], path: &str) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                for argument in sub.get_arguments() {
                    assert!(!globals.contains(&argument.get_id().as_str()), "{path}: {}", argument.get_id());
                }
                look(sub, globals, &path);
            }
        }
        let root = Cli::command();
        let globals: Vec<&str> = root.get_arguments().map(|a| a.get_id().as_str()).collect();
        assert!(globals.contains(&"level") && globals.contains(&"json"));
        look(&root, &globals, "baton");
    }

    #[test]
    fn flags_become_settings_with_the_flag_as_their_origin() {
        let cli = Cli::try_parse_from([
            "baton",
            "run",
            "x",
            "--no-synthesis",
            "--level",
            "high",
            "--max-parallel",
            "3",
            "--fleet",
            "my.toml",
            "--color",
            "never",
        ])
        .unwrap();
        let flags = cli.global.flags();
        assert_eq!(flags.fleet, Some(PathBuf::from("my.toml")));
        let set: Vec<(&str, &str)> = flags.set.iter().map(|f| (f.setting.as_str(), f.value.as_str())).collect();
        assert_eq!(set, [("synthesis", "false"), ("max_parallel", "3"), ("level", "high"), ("color", "never")]);
    }
}
