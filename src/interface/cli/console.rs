//! The console's start: the first frame at once, the fleet and the engine meanwhile on another thread.
//!
//! Not here: the console itself (`tui`). Invariant: a session lives exactly as long as the console that shows it, or,
//! detached, as its work.

mod attached;
mod deferred;
mod discovered;
mod forks;
mod replayed;
mod resumed;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::thread::JoinHandle;

use tokio::runtime::Runtime;

use super::args::{FleetWish, Form, Global};
use super::choose::{Unanswered, choose_fleet_heard};
use super::error::{CliError, Exit, system};
use super::headless::Again;
use super::leave::{HangUp, set_down};
use super::print::Printer;
use super::serve::listen_if_possible;
use super::servers::room;
use super::session::{Ends, engine, how_to_go_on, origin, runtime, user};
use crate::config::{ColorChoice, Config, Glyphs, Layer, Surroundings, Switch};
use crate::domain::protocol::{Command, Role, SessionId};
use crate::domain::source::text_of;
use crate::domain::text::CleanText;
use crate::engine::client::Client;
use crate::engine::host::{Engine, LocalClient};
use crate::engine::journal::Sessions;
use crate::engine::servers::Room;
use crate::engine::simulator::Simulator;
use crate::interface::remote::Server;
use crate::interface::tui::action::Keymap;
use crate::interface::tui::model::{FleetChoice, Leave, Mouse, Next};
use crate::interface::tui::runtime::{ConsoleExit, ConsoleOptions, Notify, Opens, Preset, run};
use crate::interface::tui::terminal::Bell;
use crate::interface::tui::theme::{ColorChoice as Colours, Depth, Themes};
use crate::interface::tui::time::Reads;
use crate::interface::tui::time::player::Speed;
use crate::interface::tui::{GlyphChoice, terminal};
use deferred::DeferredClient;
use discovered::Searched;

/// Whether a console can be shown.
///
/// # Errors
/// [`CliError::Usage`] with what works without a terminal.
pub(crate) fn check_terminal(global: &Global) -> Result<(), CliError> {
    if global.headless || global.form() != Form::Words {
        let what = "--headless, --json and --jsonl go with a command, as in `baton run PLAN --headless`";
        return Err(CliError::Usage(what.to_owned()));
    }
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return Ok(());
    }
    let what = "the console needs a terminal on stdin and stdout, and there is none; \
                `baton run PLAN --headless` works without one";
    Err(CliError::Usage(what.to_owned()))
}

/// Whether a run is shown in a console: on a terminal, when nothing else was asked for.
pub(crate) fn is_wanted(global: &Global) -> bool {
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    on_terminal && !global.headless && global.form() == Form::Words
}

/// What a console shows.
#[derive(Clone, Debug)]
pub(crate) enum Opening {
    /// A new session; the command is given to it as soon as there is one.
    New(FleetWish, Option<Box<Command>>),
    /// A session taken up again, and how.
    Resume(SessionId, Again),
    /// A past, played so fast.
    Replay(Past, Speed),
    /// A running session of another process.
    Attach(SessionId),
}

/// Whose past is shown.
#[derive(Clone, Debug)]
pub(crate) enum Past {
    /// A session's.
    Session(SessionId),
    /// What this journal tells, wherever it lies.
    Journal(PathBuf),
}

/// How a console was left.
struct Left {
    exit: ConsoleExit,
    /// The journal of the session that ended with it.
    journal: Option<PathBuf>,
    /// The session, when it can be taken up again.
    unfinished: Option<SessionId>,
}

/// A session that is being started.
type Starting = JoinHandle<Result<Running, CliError>>;

/// What keeps a console's session going.
struct Running {
    engine: Engine,
    /// None when it can't be reached from outside.
    _server: Option<Server>,
    _simulator: Option<Simulator>,
}

/// Shows the console until it is left, and then whatever was chosen to come next.
///
/// # Errors
/// The terminal can't be had, or the session did not start.
pub(crate) fn open(config: Config, opening: Opening, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    terminal::install_panic_hook();
    let mut opening = opening;
    // Of this console, not of a session: what one session started stays for the next.
    let servers = room(&config);
    loop {
        let left = match opening {
            Opening::New(wish, first) => hosted(&config, wish, first, global, servers.clone(), printer)?,
            Opening::Resume(session, again) => resumed::resumed(&config, &session, again, servers.clone(), printer)?,
            Opening::Attach(session) => attached::attached(&config, &session, global)?,
            Opening::Replay(past, speed) => replayed::replayed(&config, &past, speed)?,
        };
        opening = match left.exit {
            ConsoleExit::Next(next) => match next {
                Next::Fleet(FleetChoice::Simulated) => Opening::New(FleetWish::Simulated, None),
                Next::Fleet(FleetChoice::Configured) => Opening::New(configured(global), None),
                Next::New => Opening::New(global.fleet.clone(), None),
                Next::Resume(session) => Opening::Resume(session, Again::AS_IT_WAS),
                Next::Replay(session) => Opening::Replay(Past::Session(session), Speed::default()),
                Next::Attach(session) => Opening::Attach(session),
            },
            ConsoleExit::Left(_) | ConsoleExit::Terminated | ConsoleExit::Detached => {
                if let (Some(journal), false) = (left.journal, left.exit == ConsoleExit::Detached) {
                    printer.words(&format!("journal: {}", journal.display()));
                    if let Some(session) = left.unfinished {
                        printer.words(&how_to_go_on(&session));
                    }
                }
                return Ok(Exit::Code(left.exit.code()));
            }
        };
    }
}

fn configured(global: &Global) -> FleetWish {
    match &global.fleet {
        FleetWish::File(path) => FleetWish::File(path.clone()),
        _ => FleetWish::Configured,
    }
}

/// A console over a session of this process.
fn hosted(
    config: &Config,
    wish: FleetWish,
    first: Option<Box<Command>>,
    global: &Global,
    servers: Option<Room>,
    printer: &mut Printer,
) -> Result<Left, CliError> {
    let (listener, heard) = Searched::new(&wish);
    let (client, starting) = start(config.clone(), wish, first, global.seed, servers, listener)?;
    let options = ConsoleOptions { discovery: Some(heard.told()), keeps: Some(heard.keeps(config)), ..options(config) };
    over_with(client, starting, config, options, printer)
}

/// A console over a session of this process that is being started.
fn over(
    client: DeferredClient<LocalClient>,
    starting: Starting,
    config: &Config,
    printer: &mut Printer,
) -> Result<Left, CliError> {
    over_with(client, starting, config, options(config), printer)
}

/// The same, as these options say.
fn over_with(
    client: DeferredClient<LocalClient>,
    starting: Starting,
    config: &Config,
    options: ConsoleOptions,
    printer: &mut Printer,
) -> Result<Left, CliError> {
    let shown = runtime().and_then(|runtime| show_with(runtime, client, options));
    let started = starting.join().unwrap_or_else(|_| Err(CliError::BrokeOff(config.paths.log.clone())));
    let exit = shown?;
    let running = started?;
    let journal = running.engine.journal().to_owned();
    let session = running.engine.connector().session().clone();
    let ended = match exit {
        // A signal waits for nothing.
        ConsoleExit::Terminated | ConsoleExit::Left(Leave::Interrupted) => running.engine.end()?,
        _ => runtime()?.block_on(async {
            let mut ends = Ends::listen()?;
            set_down(running.engine, &mut ends, HangUp::Stays, printer).await
        })?,
    };
    if ended.goals == 0 {
        // A console that was only looked at leaves no session behind. One that can't be taken away does no harm.
        if let Err(error) = Sessions::new(&config.paths.sessions).delete(&session) {
            tracing::warn!(%error, "a session without a goal stays in the list");
        }
        return Ok(Left { exit, journal: None, unfinished: None });
    }
    Ok(Left { exit, journal: Some(journal), unfinished: (ended.unfinished > 0).then_some(session) })
}

/// A console over any client, until it is left.
fn show<C: Client>(client: C, config: &Config) -> Result<ConsoleExit, CliError> {
    show_with(runtime()?, client, options(config))
}

/// The same, on a runtime, as these options say.
fn show_with<C: Client>(runtime: Runtime, client: C, options: ConsoleOptions) -> Result<ConsoleExit, CliError> {
    let shown = runtime.block_on(run(client, options));
    // The thread that reads the keyboard ends with its next key, and nobody waits for that.
    runtime.shutdown_background();
    shown.map_err(CliError::Console)
}

/// Chooses the fleet and starts the engine on a thread of their own.
fn start(
    config: Config,
    wish: FleetWish,
    first: Option<Box<Command>>,
    seed: u64,
    servers: Option<Room>,
    mut listener: Searched,
) -> Result<(DeferredClient<LocalClient>, Starting), CliError> {
    let (client, ready) = DeferredClient::new();
    let thread = std::thread::Builder::new().name("start".into()).spawn(move || {
        let chosen = runtime()?.block_on(choose_fleet_heard(&config, &wish, seed, Unanswered::Shows, &mut listener))?;
        listener.ends(&chosen);
        for words in &chosen.words {
            tracing::info!("{words}");
        }
        let engine = engine(&config, chosen.fleet, seed, servers.as_ref())?;
        let client = engine.connector().viewer(user(), origin(), Role::Control)?;
        if let Some(command) = first {
            client.send(*command)?;
        }
        // A console that is gone already needs no client.
        let _ = ready.send(client);
        let server = listen_if_possible(&engine, &config, crate::interface::remote::Again::Serves);
        Ok(Running { engine, _server: server, _simulator: chosen.simulator })
    });
    Ok((client, thread.map_err(system("start a thread"))?))
}

fn options(config: &Config) -> ConsoleOptions {
    let mut warnings = config.cautions();
    warnings.extend(config.open_folders());
    warnings.extend(config.warnings.iter().map(|w| CleanText::one_line(&w.to_string())));
    let keys = config.paths.config.join("keys.toml");
    let keymap = match std::fs::read(&keys).map(|bytes| text_of(bytes, &keys.display().to_string())) {
        Ok(Ok(text)) => {
            let (keymap, wrong) =
                Keymap::with_user_on(&Surroundings::of_process().host(), &keys.display().to_string(), &text);
            warnings.extend(wrong.iter().map(|w| CleanText::one_line(&w.to_string())));
            keymap
        }
        Ok(Err(error)) => {
            warnings.push(CleanText::one_line(&error.to_string()));
            Keymap::default()
        }
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                warnings.push(CleanText::one_line(&format!("{}: can't be read: {error}", keys.display())));
            }
            Keymap::default()
        }
    };
    let themes = Themes::default().with_folder(&config.paths.themes());
    warnings.extend(themes.warnings.iter().map(|w| CleanText::one_line(&w.to_string())));
    ConsoleOptions {
        theme: preset(config, "console.theme", config.console.theme.clone()),
        mouse: preset(config, "console.mouse", if config.console.mouse { Mouse::Baton } else { Mouse::Terminal }),
        themes,
        depth: depth(config.console.color),
        glyphs: glyphs(config.console.glyphs),
        keymap,
        motion: config.console.motion,
        state_folder: config.paths.state.clone(),
        working_folder: std::env::current_dir().unwrap_or_else(|_| ".".into()),
        bell: match config.console.bell {
            Switch::On => Bell::Rings,
            Switch::Off => Bell::Silent,
        },
        notify: match config.console.notify {
            Switch::On => Notify::WhenAway,
            Switch::Off => Notify::Never,
        },
        opens: Opens::Live,
        reads: Reads::Aside,
        discovery: None,
        keeps: None,
        forks: Some(forks::forks(config)),
        warnings,
    }
}

/// A setting with whether the operator gave it, in a file, the environment or a flag.
fn preset<T>(config: &Config, path: &str, value: T) -> Preset<T> {
    match config.origin(path).map(|o| o.layer) {
        None | Some(Layer::BuiltIn) => Preset::BuiltIn(value),
        Some(_) => Preset::Given(value),
    }
}

/// How many colours are drawn, by the setting and the environment.
pub(crate) fn depth(choice: ColorChoice) -> Depth {
    let choice = match choice {
        ColorChoice::Auto => Colours::Auto,
        ColorChoice::Always => Colours::Always,
        ColorChoice::Never => Colours::Never,
    };
    Depth::detect(choice, |name| std::env::var(name).ok())
}

fn glyphs(choice: Glyphs) -> GlyphChoice {
    match choice {
        Glyphs::Auto => GlyphChoice::Auto,
        Glyphs::Unicode => GlyphChoice::Unicode,
        Glyphs::Ascii => GlyphChoice::Ascii,
    }
}
