//! Why a task does not start: data that names what keeps it. The sentence stands here for the journal, HTTP and scripts.
//!
//! Not here: deciding it (the constraints beside).

use std::fmt;

use crate::domain::protocol::{EndpointName, GoalId, Grip, Micros, Name, TaskId, Throttle, TierName};
use crate::domain::text::CleanText;

/// Why a task does not start now. Its text is one true sentence with what would release it.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// It runs or has ended.
    NotWaiting,
    /// The operator holds it.
    Held,
    /// The session is paused.
    Paused,
    /// The session has ended, with this left to do.
    Ended,
    /// The goal's plan waits for review.
    Review(GoalId),
    /// It needs tasks that have not ended.
    Needs {
        /// How many.
        count: u32,
        /// The title of the first of them.
        first: CleanText,
    },
    /// A need ended badly and its policy is to stop.
    Blocked {
        /// The title of the need.
        by: CleanText,
        /// How that ended.
        end: &'static str,
    },
    /// It waits for a retry.
    Backoff {
        /// When it may start, session time.
        until: Micros,
        /// Seconds from now.
        seconds: u64,
        /// Why it failed.
        reason: CleanText,
    },
    /// What the goal's tasks would load does not fit into memory.
    Memory {
        /// The sum in words.
        reason: CleanText,
    },
    /// What is in this machine's memory is being looked at, at the beginning of a process's life.
    FirstLook,
    /// Fewer tasks start on this machine than could.
    Throttled {
        /// Why.
        throttle: Throttle,
    },
    /// The operator lets every endpoint of the tier run empty.
    Draining {
        /// The first one's name.
        endpoint: CleanText,
    },
    /// The goal runs as many tasks as the operator allows.
    Limit {
        /// The limit.
        max: u32,
    },
    /// Another task has a lock that it needs.
    Lock {
        /// The lock.
        lock: Name,
        /// Who has it.
        task: TaskId,
        /// The title of that.
        title: CleanText,
        /// Since when, session time.
        since: Micros,
    },
    /// Another task may write a path that it may write.
    Path {
        /// The path.
        path: String,
        /// Who has it.
        task: TaskId,
        /// The title of that.
        title: CleanText,
        /// Since when, session time.
        since: Micros,
    },
    /// What it claims is free, and kept for one that waited longer.
    Reserved {
        /// What, in words.
        what: String,
        /// For whom.
        task: TaskId,
        /// The title of that.
        title: CleanText,
    },
    /// No endpoint serves the tier.
    NoEndpoint {
        /// The tier.
        tier: TierName,
    },
    /// Every endpoint of the tier is down.
    Down {
        /// The tier.
        tier: TierName,
        /// The first one's name.
        endpoint: CleanText,
        /// Seconds until it is probed again.
        probe_in: Option<u64>,
        /// The first that Baton can start, where it can.
        starts: Option<EndpointName>,
    },
    /// No endpoint of the tier answers yet, but one loads its model.
    Loading {
        /// The tier.
        tier: TierName,
        /// Its name.
        endpoint: CleanText,
        /// Seconds since it began.
        seconds: u64,
    },
    /// Every endpoint of the tier is down, but one that answers and whose requests failed: it is tried again by itself.
    Resting {
        /// Its name.
        endpoint: CleanText,
        /// Seconds until it is tried.
        seconds: u64,
    },
    /// Nothing is sent yet to the one endpoint with room: its server asked for a wait, or had no room by itself.
    Asked {
        /// The endpoint's name.
        endpoint: CleanText,
        /// The wait that its server asked for in seconds; none: it named no time.
        asked: Option<u64>,
        /// When the next request may go, session time.
        until: Micros,
        /// Seconds from now.
        seconds: u64,
    },
    /// Every slot of the tier is in use.
    Slot {
        /// The endpoint's name, or how many there are.
        endpoint: CleanText,
        /// Slots in use.
        busy: u32,
        /// Of which drain after a cancel.
        draining: u32,
        /// Why there are not more.
        pinch: Pinch,
    },
    /// Nobody knows the agent.
    NoAgent,
}

/// Why a tier has fewer slots than its servers claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinch {
    /// It does not.
    None,
    /// Others use some.
    Others(u32),
    /// They serve fewer at once than they claim.
    Serves {
        /// As many as they claim.
        claims: u32,
    },
    /// A server that was away or failed is tried with one request.
    Trial,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWaiting => f.write_str("it does not wait"),
            Self::Held => f.write_str("held by you; p releases it"),
            Self::Paused => f.write_str("the session is paused; P resumes it"),
            Self::Ended => f.write_str("the session has ended; `baton resume` takes it up again"),
            Self::Review(_) => f.write_str("the plan waits for your review; enter runs it"),
            Self::Needs { count: 1, first } => write!(f, "needs “{first}” to end"),
            Self::Needs { count, first } => write!(f, "needs {count} tasks to end, “{first}” first"),
            Self::Blocked { by, end } => write!(f, "“{by}” {end}; retry that one, or skip it"),
            Self::Backoff { seconds, reason, .. } => write!(f, "waits {seconds} s more: {reason}"),
            Self::Limit { max } => {
                write!(f, "the goal's limit of {max} at once is reached; the next one to end frees a place")
            }
            Self::Lock { lock, title, .. } => write!(f, "“{title}” has the lock {lock}; when that ends this may start"),
            Self::Path { path, title, .. } => {
                write!(
                    f,
                    "“{title}” owns {} now, as this does; when that ends this may start",
                    CleanText::one_line(path)
                )
            }
            Self::Reserved { what, title, .. } => {
                write!(f, "{} is kept for “{title}”, which waited longer", CleanText::one_line(what))
            }
            Self::Memory { reason } => write!(f, "{reason}; a starts it all the same"),
            Self::FirstLook => f.write_str("what is in this machine's memory is being looked at, for a second at most"),
            Self::Throttled { throttle } => {
                let how = match throttle.grip {
                    Grip::Half => "only half of the slots here are given out",
                    Grip::Stop => "nothing new starts here",
                };
                write!(f, "{throttle}: {how} until that is over")
            }
            Self::Draining { endpoint } => write!(f, "{endpoint} runs empty as you asked; p on it takes tasks again"),
            Self::NoEndpoint { tier } => write!(f, "no endpoint serves the tier {tier}; add one to the fleet file"),
            Self::Down { tier, endpoint, probe_in, starts } => {
                write!(f, "no endpoint of {tier} answers; ")?;
                match probe_in {
                    Some(s) => write!(f, "{endpoint} is probed again in {s} s")?,
                    None => write!(f, "start {endpoint}, then ctrl-r probes it")?,
                }
                starts.as_ref().map_or(Ok(()), |name| write!(f, "; `baton fleet up {name}` starts it"))
            }
            Self::Loading { endpoint, seconds, .. } => write!(f, "{endpoint} is loading its model (for {seconds} s)"),
            Self::Resting { endpoint, seconds } => {
                write!(f, "{endpoint} answers, but request after request failed there; one tries it in {seconds} s")
            }
            Self::Asked { endpoint, asked: Some(asked), seconds, .. } => {
                write!(f, "{endpoint} asks for a wait of {asked} s; the next request goes there in {seconds} s")
            }
            Self::Asked { endpoint, asked: None, seconds, .. } => {
                write!(f, "{endpoint} had no room though nothing of ours is there; it is asked again in {seconds} s")
            }
            Self::Slot { endpoint, busy, draining, pinch } => {
                let (of, are) = match (pinch, busy) {
                    (Pinch::Serves { .. }, 1) => ("the 1 slot that", "serves is busy"),
                    (Pinch::Serves { .. }, _) => ("slots that", "serves are busy"),
                    _ => ("slots of", "are busy"),
                };
                match (pinch, busy) {
                    (Pinch::Serves { .. }, 1) => write!(f, "{of} {endpoint} {are}")?,
                    _ => write!(f, "all {busy} {of} {endpoint} {are}")?,
                }
                match pinch {
                    Pinch::Serves { claims } => write!(f, " (it claims {claims})")?,
                    Pinch::Others(1) => f.write_str(", 1 more is used by another client")?,
                    Pinch::Others(n) => write!(f, ", {n} more are used by another client")?,
                    Pinch::Trial => f.write_str(", for it was away and is tried with one request")?,
                    Pinch::None => {}
                }
                match draining {
                    0 => f.write_str("; the next one free takes it in order"),
                    _ => write!(f, ", {draining} of them draining after a stop"),
                }
            }
            Self::NoAgent => f.write_str("its agent is not configured; give it another one"),
        }
    }
}
