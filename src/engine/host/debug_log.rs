//! What the program's log is told of decisions, for who asks for more of it: which record, and what it is about.
//!
//! Invariant: nothing that anybody said is in it: no prompt, no answer, no goal.

use crate::domain::orchestrator::ProbeReport;
use crate::domain::protocol::{EndpointName, Event, Health, Record};

/// A line for a record that was decided. What comes many times a second is left out.
pub(super) fn decided(record: &Record) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    if matches!(record.event, Event::AttemptOutput(_) | Event::TurnProgressed { .. } | Event::MachineSampled(_)) {
        return;
    }
    let about = record.event.about();
    let words = [
        about.task.map(|task| format!(" task={task}")),
        about.attempt.map(|attempt| format!(" attempt={attempt}")),
        about.endpoint.map(|endpoint| format!(" endpoint={endpoint}")),
    ];
    let words: String = words.into_iter().flatten().collect();
    tracing::debug!("decided {} seq={}{words}", record.event.name(), record.seq);
}

/// A line for a probe that came back.
pub(super) fn probed(endpoint: &EndpointName, report: &ProbeReport) {
    let health = match report.health {
        Health::Unknown => "no answer in time",
        Health::Up => "up",
        Health::Loading => "loading",
        Health::Down { .. } => "down",
    };
    tracing::debug!(%endpoint, health, slots = report.slots, others = report.others, "probe");
}
