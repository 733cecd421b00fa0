//! `baton ctl`: one command for a running session, answered in words.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::args::{Form, Global};
use super::attach::{reach, the_one};
use super::error::{CliError, Exit};
use super::given::Taken;
use super::narrow::{NARROW, hang_in};
use super::print::Printer;
use super::restart::{Which, restart};
use super::run::goal_of;
use super::session::{configuration, runtime};
use crate::config::Config;
use crate::domain::protocol::{
    Command, EndpointEdit, EndpointName, GoalId, Level, LevelScope, MemoryCheck, ModelVerb, Name, Partial, RetryScope,
    Review, ServerVerb, StopScope, TaskId,
};
use crate::interface::remote::{Given, SessionInfo, Verdict};

/// What `baton ctl` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct CtlArgs {
    /// The session, by any unique part of its name or words of its goal; the one that runs when absent.
    #[arg(long, global = true, value_name = "SESSION", allow_negative_numbers = true)]
    session: Option<String>,
    #[command(subcommand)]
    what: What,
}

/// The commands. A task is written g1/NAME, or NAME while there is one goal.
#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Start nothing new.
    Pause,
    /// Go on.
    Resume,
    /// Run a task again, or everything that failed.
    Retry {
        /// The task.
        #[arg(required_unless_present = "failed")]
        task: Option<String>,
        /// Everything that failed.
        #[arg(long, conflicts_with = "task")]
        failed: bool,
        /// What needs the task, too.
        #[arg(long, requires = "task")]
        dependants: bool,
    },
    /// Stop a task, a goal, or all.
    Stop {
        /// The task, or a goal as in g1.
        #[arg(required_unless_present = "all")]
        task: Option<String>,
        /// Everything.
        #[arg(long, conflicts_with = "task")]
        all: bool,
        /// Don't keep partial answers.
        #[arg(long)]
        discard: bool,
    },
    /// Hold a task after its turn.
    Hold {
        /// The task.
        task: String,
    },
    /// Let a held task start again.
    Release {
        /// The task.
        task: String,
    },
    /// Don't run a task.
    Skip {
        /// The task.
        task: String,
    },
    /// Set how hard models are asked to think, from the next request on.
    Level {
        /// How hard.
        #[arg(value_name = "LEVEL")]
        choice: LevelChoice,
        /// For this task only.
        #[arg(long)]
        task: Option<String>,
        /// For this agent only.
        #[arg(long, conflicts_with = "task")]
        agent: Option<String>,
    },
    /// Answer the question of a task.
    Answer {
        /// The task.
        task: String,
        /// The words.
        text: String,
    },
    /// Say something to the agent of a task.
    Message {
        /// The task.
        task: String,
        /// The words.
        text: String,
    },
    /// Let a drafted plan run.
    Approve {
        /// The goal.
        #[arg(default_value = "g1")]
        goal: String,
    },
    /// Give a new goal: words, a plan file, or a text that says it. It runs at once.
    Goal {
        /// The words, or the file; - reads stdin.
        #[arg(value_name = "PLAN|GOAL|FILE|-")]
        text: String,
        /// What is given is a goal in words, though it looks like a path.
        #[arg(long)]
        goal: bool,
        /// Let its plan wait for approval.
        #[arg(long)]
        review: bool,
    },
    /// Ask an endpoint how it is, or all of them.
    Probe {
        /// The endpoint.
        endpoint: Option<String>,
    },
    /// Start a goal that is held because its models do not fit into memory.
    Force {
        /// The goal.
        #[arg(default_value = "g1")]
        goal: String,
    },
    /// Let an endpoint run empty: what runs there ends, nothing new is sent.
    Drain {
        /// The endpoint.
        endpoint: String,
    },
    /// Send requests to an endpoint again.
    Undrain {
        /// The endpoint.
        endpoint: String,
    },
    /// Change an endpoint for this session.
    EditEndpoint {
        /// The endpoint.
        endpoint: String,
        /// How many requests it serves at once.
        #[arg(long)]
        slots: Option<u32>,
        /// The context of one request, in tokens.
        #[arg(long)]
        context: Option<u32>,
        /// The tiers it serves, with commas between them.
        #[arg(long, value_delimiter = ',', value_name = "TIER,…")]
        tiers: Option<Vec<String>>,
        /// Planned gigabytes (10⁹ bytes) of its model without the cache.
        #[arg(long, value_name = "GB")]
        memory_gb: Option<f32>,
    },
    /// Start, stop or restart the server of an endpoint that has a `launch`.
    Server {
        /// Which of the three.
        #[arg(value_name = "VERB")]
        verb: ServerChoice,
        /// The endpoint.
        endpoint: String,
        /// Start it though its model does not fit into memory.
        #[arg(long)]
        force: bool,
    },
    /// Load or unload the model of an endpoint, where its server can.
    Model {
        /// Which of the two.
        #[arg(value_name = "VERB")]
        verb: ModelChoice,
        /// The endpoint.
        endpoint: String,
        /// Load it though it does not fit into memory.
        #[arg(long)]
        force: bool,
    },
    /// Go on with the session in a new process, of the program that asks: after an update.
    ///
    /// What agents have said so far is kept, attached consoles follow, kept servers are adopted, and those of the session
    /// start again. Refused where a console on its own terminal holds the process, or a command waits for its result.
    Restart {
        /// All sessions that run.
        #[arg(long, conflicts_with = "session")]
        all: bool,
    },
    /// End the session; `baton resume` takes it up again.
    End,
    /// Say what is true now.
    State,
    /// Give a command as JSON, as the service takes it.
    Raw {
        /// As in {"command":"hold","with":"g1/sources"}.
        #[arg(value_name = "JSON")]
        text: String,
    },
}

/// What is done with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ServerChoice {
    /// See that it runs.
    Start,
    /// End it; what runs there goes on elsewhere, or waits.
    Stop,
    /// End it and start it anew.
    Restart,
}

/// What is done with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModelChoice {
    /// Into memory.
    Load,
    /// Out of memory.
    Unload,
}

/// A reasoning level, or none of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LevelChoice {
    /// Think little.
    Low,
    /// Think as usual.
    Medium,
    /// Think hard.
    High,
    /// As the agent or the session has it.
    Inherited,
}

/// Gives one command.
///
/// # Errors
/// [`CliError`]; a refusal is exit code 1 with its words.
pub(crate) fn ctl(args: &CtlArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    runtime()?.block_on(async {
        if let What::State = args.what {
            return states(&config, args.session.as_deref(), global, printer).await;
        }
        if let What::Restart { all } = args.what {
            let which = if all { Which::All } else { Which::One };
            return restart(&config, args.session.as_deref(), which, global, printer).await;
        }
        let given = super::attach::given(global);
        let (call, info) = the_one(&config, args.session.as_deref(), given, printer).await?;
        let command = command(&args.what, &info, &config)?;
        let (verdict, id) = call.command(None, &command, None).await?;
        Ok(answer(&command, &verdict, id.as_str(), global, printer))
    })
}

/// Says what is true of the session that is meant, else of all that run; as JSON an object for one, an array for several.
async fn states(config: &Config, wish: Option<&str>, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let reached = reach(config, wish, Given::Nothing, printer).await?;
    if reached.is_empty() {
        return Err(CliError::NoneRuns);
    }
    let mut states: Vec<Value> = Vec::new();
    for (call, info) in &reached {
        match call.get("/v1/state").await {
            Ok(state) => states.push(state),
            // One of several that ends just now hides no other.
            Err(error) if wish.is_none() && reached.len() > 1 => {
                printer.words(&format!("{}: {error}", info.session));
            }
            Err(error) => return Err(error.into()),
        }
    }
    match (global.form(), states.as_slice()) {
        (Form::Words, states) => {
            for (n, state) in states.iter().enumerate() {
                if n > 0 {
                    printer.data_line("");
                }
                tell(state, printer);
            }
        }
        (Form::Json, [one]) => printer.json(one),
        (Form::Json, several) => printer.json(&several),
        (Form::JsonLines, states) => states.iter().for_each(|state| printer.data_line(&state.to_string())),
    }
    Ok(Exit::Done)
}

/// Tells what became of a command.
pub(super) fn answer(command: &Command, verdict: &Verdict, id: &str, global: &Global, printer: &mut Printer) -> Exit {
    let (word, reason, exit) = match verdict {
        Verdict::Accepted => ("accepted", None, Exit::Done),
        Verdict::Refused(reason) => ("refused", Some(reason.as_str()), Exit::TaskFailed),
    };
    if global.form() == Form::Words {
        printer.words(&match reason {
            Some(reason) => {
                format!("refused: {command}: {reason}{}", how_to_force(command, reason).unwrap_or_default())
            }
            None => format!("accepted: {command}"),
        });
    } else {
        let mut value = serde_json::json!({"answer": word, "id": id});
        if let Some(reason) = reason {
            value["reason"] = reason.into();
        }
        printer.data_line(&value.to_string());
    }
    exit
}

/// How what was refused for memory is done all the same.
fn how_to_force(command: &Command, reason: &str) -> Option<String> {
    let words = match command {
        Command::Server { endpoint, verb: ServerVerb::Start, memory: MemoryCheck::Heed } => {
            format!("`baton ctl server start {endpoint} --force` starts it")
        }
        Command::Server { endpoint, verb: ServerVerb::Restart, memory: MemoryCheck::Heed } => {
            format!("`baton ctl server restart {endpoint} --force` restarts it")
        }
        Command::Model { endpoint, verb: ModelVerb::Load, memory: MemoryCheck::Heed } => {
            format!("`baton ctl model load {endpoint} --force` loads it")
        }
        _ => return None,
    };
    reason.contains(" GB are left of ").then(|| format!("; {words} all the same"))
}

fn command(what: &What, info: &SessionInfo, config: &Config) -> Result<Command, CliError> {
    let task = |word: &str| task(word, info);
    Ok(match what {
        What::Pause => Command::Pause,
        What::Resume => Command::Resume,
        What::Retry { task: Some(word), dependants: true, .. } => {
            Command::Retry(RetryScope::WithDependants(task(word)?))
        }
        What::Retry { task: Some(word), .. } => Command::Retry(RetryScope::Task(task(word)?)),
        What::Retry { task: None, .. } => Command::Retry(RetryScope::Failed),
        What::Stop { task: word, discard, .. } => {
            let scope = match word.as_deref() {
                None => StopScope::All,
                Some(word) => match word.parse::<GoalId>() {
                    Ok(goal) => StopScope::Goal(goal),
                    Err(_) => StopScope::Task(task(word)?),
                },
            };
            Command::Stop { scope, partial: if *discard { Partial::Discarded } else { Partial::Kept } }
        }
        What::Hold { task: word } => Command::Hold(task(word)?),
        What::Release { task: word } => Command::Release(task(word)?),
        What::Skip { task: word } => Command::Skip(task(word)?),
        What::Level { choice, task: of_task, agent } => {
            let scope = match (of_task, agent) {
                (Some(word), _) => LevelScope::Task(task(word)?),
                (None, Some(agent)) => LevelScope::Agent(name("agent", agent)?),
                (None, None) => LevelScope::Session,
            };
            let level = match choice {
                LevelChoice::Low => Some(Level::Low),
                LevelChoice::Medium => Some(Level::Medium),
                LevelChoice::High => Some(Level::High),
                LevelChoice::Inherited => None,
            };
            Command::SetLevel { scope, level }
        }
        What::Answer { task: word, text } => Command::Answer { task: task(word)?, text: text.clone() },
        What::Message { task: word, text } => Command::Message { task: task(word)?, text: text.clone() },
        What::Approve { goal } => Command::Approve(goal_id(goal)?),
        What::Force { goal } => Command::Force(goal_id(goal)?),
        What::Drain { endpoint } => Command::Drain(name("endpoint", endpoint)?),
        What::Undrain { endpoint } => Command::Undrain(name("endpoint", endpoint)?),
        What::EditEndpoint { endpoint, slots, context, tiers, memory_gb } => {
            let tiers =
                tiers.as_ref().map(|tiers| tiers.iter().map(|tier| name("tier", tier)).collect()).transpose()?;
            let edit = EndpointEdit { slots: *slots, context: *context, tiers, memory_gb: *memory_gb };
            Command::EditEndpoint { endpoint: name("endpoint", endpoint)?, edit }
        }
        What::Goal { text, goal, review } => {
            let asked = if *review { Review::Ask } else { Review::Auto };
            let mut command = goal_of(text, Taken::by(*goal), config, asked)?;
            // A plan that is given runs at once, unless it is to be looked at.
            if let Command::AddGoal { options, .. } = &mut command {
                options.review = asked;
            }
            command
        }
        What::Probe { endpoint } => {
            let endpoint: Option<EndpointName> = endpoint.as_deref().map(|e| name("endpoint", e)).transpose()?;
            Command::Probe(endpoint)
        }
        What::Server { verb, endpoint, force } => Command::Server {
            endpoint: name("endpoint", endpoint)?,
            verb: match verb {
                ServerChoice::Start => ServerVerb::Start,
                ServerChoice::Stop => ServerVerb::Stop,
                ServerChoice::Restart => ServerVerb::Restart,
            },
            memory: memory(*force),
        },
        What::Model { verb, endpoint, force } => Command::Model {
            endpoint: name("endpoint", endpoint)?,
            verb: match verb {
                ModelChoice::Load => ModelVerb::Load,
                ModelChoice::Unload => ModelVerb::Unload,
            },
            memory: memory(*force),
        },
        What::End => Command::EndSession,
        What::Raw { text: json } => {
            serde_json::from_str(json).map_err(|error| CliError::Usage(format!("this is no command: {error}")))?
        }
        // Asked, not given.
        What::State | What::Restart { .. } => {
            return Err(CliError::Usage("that is asked for without a command".to_owned()));
        }
    })
}

fn goal_id(word: &str) -> Result<GoalId, CliError> {
    word.parse().map_err(|error| CliError::Usage(format!("{word:?} is no goal: {error}")))
}

/// What a flag says of memory.
pub(super) fn memory(force: bool) -> MemoryCheck {
    if force { MemoryCheck::Force } else { MemoryCheck::Heed }
}

fn name(what: &str, word: &str) -> Result<Name, CliError> {
    word.parse().map_err(|error| CliError::Usage(format!("{word:?} is no {what}'s name: {error}")))
}

/// A task as it is written: with its goal, or without while there is one.
pub(super) fn task(word: &str, info: &SessionInfo) -> Result<TaskId, CliError> {
    if word.contains('/') {
        return word.parse().map_err(|error| CliError::Usage(format!("{word:?} is no task: {error}")));
    }
    if info.goals.len() > 1 {
        let what = format!("there are {} goals: write the task as g1/{word}", info.goals.len());
        return Err(CliError::Usage(what));
    }
    Ok(TaskId::new(GoalId(1), name("task", word)?))
}

/// The state in a few lines, a task a line; as many as it takes where it is narrow.
pub(super) fn tell(state: &Value, printer: &mut Printer) {
    let columns = printer.columns();
    lines_of(state, columns).iter().for_each(|line| printer.data_line(line));
}

fn lines_of(state: &Value, columns: Option<usize>) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let narrow = columns.is_some_and(|columns| columns < NARROW);
    let seconds = state["at"].as_u64().unwrap_or_default() / 1_000_000;
    let gear = text(&state["gear"]);
    let simulated = if state["simulated"] == true { "  SIMULATED" } else { "" };
    let mut out = hang_in("", &format!("{}  {gear}  {seconds} s{simulated}", text(&state["session"])), columns);
    for goal in list(&state["goals"]) {
        out.extend(hang_in(&format!("{}  ", text(&goal["id"])), &text(&goal["text"]), columns));
        for task in list(&goal["tasks"]) {
            let why = text(&task["why"]);
            let why = if why.is_empty() { text(&task["question"]) } else { why };
            let (status, id, title) = (text(&task["status"]), text(&task["id"]), text(&task["title"]));
            if narrow {
                out.extend(hang_in("  ", &format!("{status}  {id}"), columns));
                out.extend(hang_in("    ", &title, columns));
                if !why.is_empty() {
                    out.extend(hang_in("    ", &why, columns));
                }
            } else {
                let lead = format!("  {status:<9} {id:<24} ");
                out.extend(hang_in(&lead, format!("{title} · {why}").trim_end_matches(" · "), columns));
            }
            for (n, choice) in (1..).zip(list(&task["choices"])) {
                out.extend(hang_in(&format!("      {n}  "), &text(&choice), columns));
            }
        }
    }
    for endpoint in list(&state["endpoints"]) {
        let (busy, slots) = (&endpoint["busy"], &endpoint["slots"]);
        let lead = format!("{}  ", text(&endpoint["name"]));
        out.extend(hang_in(
            &lead,
            format!("{busy}/{slots} slots · {}", trouble(&endpoint)).trim_end_matches(" · "),
            columns,
        ));
    }
    for viewer in list(&state["viewers"]) {
        let has = if viewer["viewer"] == state["control"] { ", has control" } else { "" };
        out.extend(hang_in("", &format!("{} from {}{has}", text(&viewer["name"]), text(&viewer["origin"])), columns));
    }
    out
}

/// What is wrong with an endpoint, and what would start it.
fn trouble(endpoint: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let health = &endpoint["health"];
    let mut parts = match health.as_str() {
        Some("loading") => vec!["loading".to_owned()],
        Some(_) => vec![text(&endpoint["mismatch"])],
        None => vec![format!("down: {}", text(&health["down"]["reason"])), text(&endpoint["mend"])],
    };
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::Micros;
    use crate::domain::state::Gear;
    use crate::interface::remote::Held;

    fn info(goals: usize) -> SessionInfo {
        SessionInfo {
            session: Name::slug("s"),
            journal: String::new(),
            program: String::new(),
            pid: 1,
            seq: 1,
            at: Micros(0),
            gear: Gear::Running,
            simulated: true,
            goals: vec!["a goal".into(); goals],
            open: 0,
            viewers: Vec::new(),
            control: None,
            held: Held::Nobody,
            again: Vec::new(),
            folder: String::new(),
        }
    }

    /// The commands as they are typed.
    #[derive(clap::Parser)]
    struct Typed {
        #[command(subcommand)]
        what: What,
    }

    fn typed(line: &str) -> Result<Command, CliError> {
        let typed = <Typed as clap::Parser>::try_parse_from(std::iter::once("ctl").chain(line.split(' ')));
        let what = typed.map_err(|error| CliError::Usage(error.to_string()))?.what;
        let paths = tempfile::tempdir().unwrap();
        let folder = || paths.path().to_owned();
        let surroundings =
            crate::config::Surroundings { variables: Default::default(), working: folder(), home: folder() };
        let config = crate::config::load_in(&surroundings, &crate::config::Flags::default()).unwrap();
        command(&what, &info(1), &config)
    }

    #[test]
    fn what_concerns_memory_endpoints_and_servers_can_be_typed() {
        let endpoint = || Name::slug("qwen");
        let edit = EndpointEdit {
            slots: Some(2),
            tiers: Some(vec![Name::slug("a"), Name::slug("b")]),
            ..EndpointEdit::default()
        };
        let (memory, force) = (MemoryCheck::Heed, MemoryCheck::Force);
        let cases = [
            ("force", Command::Force(GoalId(1))),
            ("force g2", Command::Force(GoalId(2))),
            ("drain qwen", Command::Drain(endpoint())),
            ("undrain qwen", Command::Undrain(endpoint())),
            ("edit-endpoint qwen --slots 2 --tiers a,b", Command::EditEndpoint { endpoint: endpoint(), edit }),
            ("server start qwen", Command::Server { endpoint: endpoint(), verb: ServerVerb::Start, memory }),
            (
                "server restart qwen --force",
                Command::Server { endpoint: endpoint(), verb: ServerVerb::Restart, memory: force },
            ),
            ("model unload qwen", Command::Model { endpoint: endpoint(), verb: ModelVerb::Unload, memory }),
            ("model load qwen --force", Command::Model { endpoint: endpoint(), verb: ModelVerb::Load, memory: force }),
        ];
        for (line, want) in cases {
            assert_eq!(typed(line).unwrap(), want, "{line}");
        }
        for wrong in ["force x", "drain", "drain a/b", "server melt qwen", "edit-endpoint qwen --slots many"] {
            assert!(typed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_task_needs_its_goal_only_where_there_are_several() {
        assert_eq!(task("x", &info(1)).unwrap().to_string(), "g1/x");
        assert_eq!(task("g2/x", &info(2)).unwrap().to_string(), "g2/x");
        assert!(task("x", &info(2)).unwrap_err().to_string().contains("g1/x"));
        assert!(task("../x", &info(1)).is_err() && task("a b", &info(1)).is_err());
    }
}
