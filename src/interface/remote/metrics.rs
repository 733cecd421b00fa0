//! The figures of a session in the text format of Prometheus.
//!
//! Invariant: names and labels stay as they are once published; a label's value is escaped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Query, State as Held};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;
use super::routes::{Counts, Shared, known};
use crate::domain::protocol::{Health, Micros};
use crate::domain::state::{Gear, State, Status, TaskIx};

/// Every status of a task, so that each has its line also at 0.
const STATUSES: [Status; 11] = [
    Status::Pending,
    Status::Ready,
    Status::Waiting,
    Status::Held,
    Status::Blocked,
    Status::Running,
    Status::Asking,
    Status::Done,
    Status::Failed,
    Status::Cancelled,
    Status::Skipped,
];

/// Answers `GET /metrics`.
pub(super) async fn metrics(
    Held(house): Held<Shared>,
    Query(given): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    known(&given, &[])?;
    let mut page = page(&house.watched.state(), house.connector.now());
    served(&mut page, &house.counts, house.began.elapsed().as_secs_f64());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.0).into_response())
}

/// A page as it is written.
struct Page(String);

impl Page {
    /// Says what the lines after it are.
    fn about(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One figure.
    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (i, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if i == 0 { '{' } else { ',' });
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// One figure without labels.
    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.about(name, kind, help);
        self.line(name, &[], value);
    }
}

/// What is in the records.
fn page(state: &State, now: Micros) -> Page {
    let mut page = Page(String::with_capacity(4 * 1024));
    let version = env!("CARGO_PKG_VERSION");
    page.about("baton_info", "gauge", "The session and the program; always 1.");
    let session = state.session.as_ref().map(ToString::to_string).unwrap_or_default();
    let simulated = if state.config.fleet.is_simulated() { "true" } else { "false" };
    let labels = [("session", session.as_str()), ("version", version), ("simulated", simulated)];
    page.line("baton_info", &labels, 1.0);
    page.one("baton_session_seconds", "gauge", "Session time.", now.secs_f64());
    page.one("baton_records_total", "counter", "Records of the session.", state.seq as f64);
    let paused = if state.gear == Gear::Paused { 1.0 } else { 0.0 };
    page.one("baton_paused", "gauge", "1 while nothing new starts.", paused);

    type Figure = fn(&State, &crate::domain::state::EndpointState) -> f64;
    let endpoints: [(&str, &str, &str, Figure); 7] = [
        ("baton_endpoint_up", "gauge", "1 while the endpoint answers.", |_, e| f64::from(e.health == Health::Up)),
        ("baton_slots", "gauge", "Slots of the endpoint's server and model.", |s, e| f64::from(s.pool(e.pool).ceiling)),
        ("baton_slots_busy", "gauge", "Those in use.", |s, e| f64::from(s.pool(e.pool).busy())),
        ("baton_slots_draining", "gauge", "Those whose request is over and whose server still works on it.", |s, e| {
            f64::from(s.pool(e.pool).draining())
        }),
        ("baton_attempts_completed_total", "counter", "Attempts that ended well.", |_, e| e.completed as f64),
        ("baton_attempts_failed_total", "counter", "Attempts that failed.", |_, e| e.errors as f64),
        ("baton_slot_tokens_per_second", "gauge", "Measured speed of one slot; 0 while unmeasured.", |_, e| {
            f64::from(e.slot_speed)
        }),
    ];
    for (name, kind, help, figure) in endpoints {
        page.about(name, kind, help);
        for endpoint in state.endpoints() {
            page.line(name, &[("endpoint", endpoint.config.name.as_str())], figure(state, endpoint));
        }
    }

    let mut counts = STATUSES.map(|status| (status, 0_u32));
    for (i, _) in state.tasks().iter().enumerate().filter(|(_, t)| !t.removed) {
        let status = state.status(TaskIx(u32::try_from(i).unwrap_or(u32::MAX)), now);
        if let Some((_, count)) = counts.iter_mut().find(|(s, _)| *s == status) {
            *count += 1;
        }
    }
    page.about("baton_tasks", "gauge", "Tasks by status.");
    for (status, count) in counts {
        page.line("baton_tasks", &[("status", status.word())], f64::from(count));
    }
    let ready = counts.iter().find(|(s, _)| *s == Status::Ready).map_or(0, |(_, n)| *n);
    page.one("scheduler_ready_tasks", "gauge", "Tasks that only wait for a slot.", f64::from(ready));
    page.one("baton_goals_total", "counter", "Goals given.", state.goals().len() as f64);
    page.one("baton_attempts_total", "counter", "Attempts begun.", state.attempts().len() as f64);
    page.one("baton_attempts_running", "gauge", "Attempts that run.", state.running().len() as f64);
    page.one("baton_output_tokens_total", "counter", "Tokens generated.", state.totals.output_tokens as f64);
    page.one("baton_prompt_tokens_total", "counter", "Prompt tokens read.", state.totals.prompt_tokens as f64);
    if let Some(usd) = state.cost(None) {
        page.one("baton_cost_usd_total", "counter", "What it cost, where a price is configured.", usd);
    }
    let seconds = Micros(state.totals.slot_us).secs_f64();
    page.one("baton_slot_seconds_total", "counter", "Time slots were in use, over all of them.", seconds);
    page.one(
        "baton_utilisation",
        "gauge",
        "The share of slot time used.",
        state.utilisation(now).unwrap_or(0.0).into(),
    );
    page.one("baton_speed_up", "gauge", "Times faster than one at a time.", state.speed_up(now).unwrap_or(0.0).into());
    page.one("baton_attention", "gauge", "What needs the operator.", state.attention.len() as f64);
    page.one("baton_viewers", "gauge", "Consoles that watch.", state.viewers.len() as f64);
    page.one("baton_memory_used_bytes", "gauge", "The machine's memory in use.", state.machine.used as f64);
    page.one("baton_memory_total_bytes", "gauge", "The machine's memory.", state.machine.total as f64);
    page.one("baton_memory_swap_bytes", "gauge", "Swap in use.", state.machine.swap as f64);
    page
}

/// What the server counted.
fn served(page: &mut Page, counts: &Counts, uptime: f64) {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
    page.one("baton_uptime_seconds", "gauge", "Since this service listens.", uptime);
    page.one("baton_http_requests_total", "counter", "Requests that came.", read(&counts.requests));
    let away = read(&counts.turned_away);
    page.one("baton_http_turned_away_total", "counter", "Connections and requests not let in.", away);
    page.about("baton_http_commands_total", "counter", "Commands that came over HTTP.");
    page.line("baton_http_commands_total", &[("answer", "accepted")], read(&counts.accepted));
    page.line("baton_http_commands_total", &[("answer", "refused")], read(&counts.refused));
    page.one("baton_http_queries_total", "counter", "Queries begun.", read(&counts.queries));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_figure_with_its_kind_said_before_and_labels_are_escaped() {
        let mut page = page(&State::default(), Micros::from_secs(3));
        served(&mut page, &Counts::default(), 1.5);
        page.line("baton_info", &[("a", "x\"y\\z\nw")], 2.0);
        let mut known = std::collections::BTreeSet::new();
        for line in page.0.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(matches!(kind, "gauge" | "counter"), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(known.insert(name.to_owned()), "{line}");
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                assert!(known.contains(name), "{line}");
                assert!(line.rsplit_once(' ').unwrap().1.parse::<f64>().is_ok(), "{line}");
            }
        }
        assert!(page.0.contains("scheduler_ready_tasks 0\n"));
        assert!(page.0.ends_with("baton_info{a=\"x\\\"y\\\\z\\nw\"} 2\n"), "{}", page.0);
    }
}
