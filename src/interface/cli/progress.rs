//! Progress for people: a line for what happened, and the one line that is redrawn on a terminal.
//!
//! Pure: text from state and records. Not here: printing.

use crate::domain::memory::{Fit, MemoryPlan};
use crate::domain::protocol::{
    AttemptEnd, Event, FailureCount, GoalId, Health, Micros, Record, Release, Subject, Work,
};
use crate::domain::state::{State, TaskIx, Why};
use crate::domain::text::CleanText;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Everything: there is no progress line.
    All,
    /// What went wrong; the progress line shows the rest.
    Trouble,
    /// Nothing.
    Nothing,
}

/// What is to be said of a record that `state` has taken in; `before` is the endpoint's health before it.
pub(crate) fn line(state: &State, record: &Record, before: Option<&Health>, telling: Telling) -> Option<String> {
    let title = |task| state.task_by_id(task).map(|t| t.title.to_string()).unwrap_or_default();
    if telling == Telling::Nothing {
        return None;
    }
    let all = telling == Telling::All;
    match &record.event {
        Event::PlanEdited(edited) if all && edited.work == Work::Ordinary => {
            let n = edited.edits.len();
            let mut text = format!("plan: {n} task{}", if n == 1 { "" } else { "s" });
            for repair in &edited.repairs {
                text.push_str(&format!("\n  mended: {repair}"));
            }
            Some(text)
        }
        Event::AttemptStarted(started) if all => {
            Some(format!("started    {} · {} on {}", title(&started.task), started.agent, started.endpoint))
        }
        // What is more than that needs the operator, and is told as that.
        Event::TurnStarted(started) if started.turn.turn == 1 => {
            let attempt = state.attempt(started.turn.attempt)?;
            let task = state.task(attempt.task);
            let first = task.attempts.first() == Some(&attempt.id);
            let fit = state.fit_of(attempt).filter(|f| first && f.is_limited() && !f.is_much_limited())?;
            let e = state.place_of(attempt)?;
            Some(format!(
                "limited    {} · may answer with {} of the {} tokens of its budget: {} has {} in all",
                task.title,
                fit.limit,
                fit.wanted,
                e.config.name,
                e.context()
            ))
        }
        Event::TaskCompleted { task, attempt } => {
            let attempt = state.attempt(*attempt)?;
            let cut = state.task_by_id(task).and_then(|t| state.cut_of(t));
            if !all && cut.is_none() {
                return None;
            }
            let how = cut.map_or_else(|| "completed ".to_owned(), |cut| format!("completed, {cut}"));
            let endpoint = &state.place_of(attempt)?.config.name;
            let seconds = attempt.elapsed(record.at).secs_f64();
            Some(format!("{how} {} · {endpoint} · {seconds:.1} s · {} tokens", title(task), attempt.output_tokens()))
        }
        Event::TaskFailed { task, reason } => Some(format!("failed     {} · {reason}", title(task))),
        Event::TaskRetried(retried) => {
            // What cost the task no try is no retry.
            let what = if retried.count == FailureCount::Unchanged { "put back " } else { "retried  " };
            Some(format!("{what}  {} · {}", title(&retried.task), retried.reason))
        }
        Event::TaskSkipped { task, reason } => Some(format!("skipped    {} · {reason}", title(task))),
        Event::TaskCancelled { task, .. } if all => Some(format!("cancelled  {}", title(task))),
        Event::AttemptEnded { attempt, end: AttemptEnd::Moved } => {
            let attempt = state.attempt(*attempt)?;
            Some(format!(
                "moved      {} · away from {}",
                state.task(attempt.task).title,
                state.place_of(attempt)?.config.name
            ))
        }
        Event::EndpointChanged(changed) => match (before, &changed.health) {
            (Some(Health::Down { .. }), Health::Down { .. }) => None,
            (_, Health::Down { reason }) => Some(format!("down       {} · {reason}", changed.endpoint)),
            (Some(Health::Down { .. }), Health::Up) => Some(format!("up         {} answers again", changed.endpoint)),
            _ => None,
        },
        Event::GoalReleased { goal, by: Release::Forced } => {
            Some(format!("forced     {goal} starts though memory is short"))
        }
        Event::GoalReleased { goal, by: Release::Fits } if all => {
            Some(format!("released   {goal} · what it needs fits into memory now"))
        }
        Event::GoalApproved { goal } => {
            let wanted = state.endpoints_of(*goal);
            let verdict = MemoryPlan::of(state).judge(&wanted, &[]);
            let tight = verdict.fit == Fit::Tight && verdict.needed > 0;
            tight.then(|| format!("memory     {}; {verdict}", verdict.headline()))
        }
        Event::MachineThrottled { throttle: Some(throttle) } => {
            Some(format!("throttled  {}", Why::Throttled { throttle: *throttle }))
        }
        Event::MachineThrottled { throttle: None } => {
            Some("at ease    all slots of this machine are given out again".to_owned())
        }
        Event::AttentionRaised { text, .. } => Some(format!("needs you  {text}")),
        Event::AttentionCleared { subject: Subject::Journal } => {
            Some("written    the journal is written again".to_owned())
        }
        _ => None,
    }
}

/// The tasks of some goals.
pub(crate) fn tasks_of(state: &State, goals: &[GoalId]) -> Vec<TaskIx> {
    goals.iter().filter_map(|g| state.goal(*g)).flat_map(|g| g.tasks.iter().copied()).collect()
}

/// The progress line.
pub(crate) fn bar(state: &State, goals: &[GoalId], now: Micros) -> CleanText {
    const CELLS: u32 = 10;
    let progress = state.progress_of(&tasks_of(state, goals));
    let full = (progress.ended() * CELLS).checked_div(progress.total).unwrap_or(0);
    let bar: String = (0..CELLS).map(|i| if i < full { '▰' } else { '▱' }).collect();
    let (busy, slots) = state.slots();
    let mut text = format!("{} {}/{} {bar}", clock(now), progress.ended(), progress.total);
    if progress.failed > 0 {
        text.push_str(&format!("  {} failed", progress.failed));
    }
    text.push_str(&format!("  slots {busy}/{slots}"));
    if let Some(times) = state.speed_up(now) {
        text.push_str(&format!("  ×{times:.1}"));
    }
    text.push_str(&format!("  {:.0} tok/s", state.token_rate(now)));
    let left = state.expected_remaining(&state.estimates(now));
    if left > 0.0 {
        text.push_str(&format!("  ~{} left", clock(Micros::from_secs(left as u64))));
    }
    if state.config.fleet.is_simulated() {
        text.push_str("  SIMULATED");
    }
    CleanText::one_line(&text)
}

fn clock(time: Micros) -> String {
    let seconds = time.0 / 1_000_000;
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}
