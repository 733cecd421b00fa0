//! What servers really serve: plans on fleets whose servers are not what they say, against the best that anybody could do
//! who knew. The same scenarios as in the tests, with servers in a process of their own.

#[path = "../../tests/capacity/scenarios.rs"]
mod scenarios;

use scenarios::SCENARIOS;

use crate::Report;
use crate::fleet::{simulate, spawn};
use crate::runs::run_with;

/// What makes this program serve a scenario.
pub(crate) const SERVE: &str = "--capacity";

/// The child's main: serves the scenario of that name until its standard input ends.
pub(crate) fn serve(name: &str) {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap();
    simulate(scenario.servers.iter().map(|server| server.simulated()).collect());
}

/// Every scenario within 10 % of what its servers truly can.
pub(crate) fn capacity(report: &mut Report) {
    for scenario in &SCENARIOS {
        let title = format!("capacity: {} ÷ best", scenario.name);
        if !report.wants(&title) {
            continue;
        }
        let (process, endpoints) = spawn([SERVE, scenario.name]);
        let config = scenario.config(endpoints);
        let began = process.born.elapsed().as_secs_f64();
        let ran = run_with(&config, scenario.tasks(), |_| ()).0;
        let best = scenario.best(began + ran.first);
        report.at_most(&title, ran.makespan / best, 1.10, "");
        println!("     {:.2} s, best {best:.2} s, {} attempts", ran.makespan, ran.state.attempts().len());
    }
}
