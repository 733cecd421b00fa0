//! The budgets of the design, measured: `cargo bench`. Each line gives the figure, the budget, and their ratio.
//!
//! The simulated servers run in a process of their own (this binary started again with `--serve`), so that the CPU time
//! read here is Baton's own. Times depend on the machine, which is named first; ratios to a bound depend on it less.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench, like a test"
)]

mod capacity;
mod decisions;
mod fleet;
mod frames;
mod journals;
mod runs;
mod viewers;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "--serve") {
        fleet::serve(&args[at + 1]);
        return;
    }
    if let Some(at) = args.iter().position(|a| a == capacity::SERVE) {
        capacity::serve(&args[at + 1]);
        return;
    }
    if let Some(at) = args.iter().position(|a| a == "--watch") {
        viewers::watch(&args[at + 1], &args[at + 2]);
        return;
    }
    if let Some(at) = args.iter().position(|a| a == journals::MEMORY) {
        journals::tokens_here(args[at + 1].parse().unwrap());
        return;
    }
    // `cargo bench -- NAME` runs what has NAME in its title; `cargo test` passes `--test` and runs nothing.
    if args.iter().any(|a| a == "--test") {
        return;
    }
    let filter = args.iter().skip(1).find(|a| !a.starts_with("--")).cloned().unwrap_or_default();
    println!("machine: {}", machine());
    let mut report = Report { filter, missed: 0 };
    runs::makespan_mixed(&mut report);
    runs::makespan_chains(&mut report);
    runs::many_small_tasks(&mut report);
    capacity::capacity(&mut report);
    viewers::viewers(&mut report);
    decisions::inputs_at_ten_thousand_tasks(&mut report);
    decisions::inputs_behind_claims(&mut report);
    decisions::replay(&mut report);
    journals::seek(&mut report);
    journals::memory(&mut report);
    frames::frames(&mut report);
    println!("{}", if report.missed == 0 { "all within budget" } else { "over budget: see the lines marked OVER" });
}

/// Prints lines and counts misses.
pub(crate) struct Report {
    filter: String,
    missed: u32,
}

impl Report {
    /// Whether a measurement of that title is wanted.
    pub(crate) fn wants(&self, title: &str) -> bool {
        title.contains(&self.filter)
    }

    /// One figure that must not be above its budget.
    pub(crate) fn at_most(&mut self, title: &str, figure: f64, budget: f64, unit: &str) {
        self.line(title, figure, budget, unit, figure <= budget, "≤");
    }

    /// One figure that must not be below its budget.
    pub(crate) fn at_least(&mut self, title: &str, figure: f64, budget: f64, unit: &str) {
        self.line(title, figure, budget, unit, figure >= budget, "≥");
    }

    fn line(&mut self, title: &str, figure: f64, budget: f64, unit: &str, kept: bool, sign: &str) {
        self.missed += u32::from(!kept);
        let mark = if kept { "ok  " } else { "OVER" };
        println!("{mark} {title:<58} {figure:>12.4} {unit:<8} {sign} {budget} (×{:.2})", figure / budget);
    }
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|l| l.strip_prefix("model name")).map_or("", |l| l.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} {} · {model} · {cores} cores", std::env::consts::OS, std::env::consts::ARCH)
}
