//! What a plan would take: steps, places, times, the critical path, memory.
//!
//! Not here: how it is drawn (`view/review`). Computed whole for a frame, from state alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::memory::{Fit, MemoryPlan, Verdict, amount};
use crate::domain::protocol::{GoalId, Health, Micros};
use crate::domain::state::{EndpointIx, Estimates, State, TaskIx};
use crate::domain::text::CleanText;
use crate::interface::tui::model::review::steps;

/// Where a task would run, or why nowhere, in words.
pub(crate) type Place = Result<EndpointIx, String>;

/// What a plan would take.
pub(crate) struct Forecast {
    /// The tasks by the step they can start in.
    pub(crate) steps: Vec<Vec<TaskIx>>,
    /// How many.
    pub(crate) tasks: usize,
    /// The widest step: about how many run at once when there are slots.
    pub(crate) widest: usize,
    /// Tasks that have no place now.
    pub(crate) stuck: usize,
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Seconds one at a time.
    pub(crate) serial: f64,
    /// Seconds of the critical path.
    pub(crate) critical_seconds: f64,
    /// Whether its models fit into this machine's memory; none: none of them would be loaded here.
    pub(crate) memory: Option<Verdict>,
    /// What its models are planned to take, where the fleet is simulated and takes nothing.
    simulated: Option<u64>,
    estimates: Estimates,
    critical: BTreeSet<TaskIx>,
    numbers: BTreeMap<TaskIx, usize>,
    places: BTreeMap<TaskIx, Place>,
}

impl Forecast {
    /// The forecast of a goal's plan.
    pub(crate) fn of(state: &State, goal: GoalId, now: Micros) -> Self {
        let steps = steps(state, goal);
        let order: Vec<TaskIx> = steps.concat();
        let estimates = state.estimates(now);
        let own = |t: &TaskIx| f64::from(estimates.own.get(t.0 as usize).copied().unwrap_or(0.0));
        let places: BTreeMap<TaskIx, Place> = order.iter().map(|t| (*t, place(state, *t))).collect();
        let (critical, critical_seconds) = critical(state, &order, &estimates);
        let serial: f64 = order.iter().map(own).sum();
        let wall = wall(state, &order, &estimates).max(critical_seconds);
        let (memory, simulated) = memory(state, goal);
        Self {
            tasks: order.len(),
            widest: steps.iter().map(Vec::len).max().unwrap_or(0),
            stuck: places.values().filter(|p| p.is_err()).count(),
            wall,
            serial,
            critical_seconds,
            memory,
            simulated,
            numbers: order.iter().enumerate().map(|(i, t)| (*t, i + 1)).collect(),
            steps,
            estimates,
            critical,
            places,
        }
    }

    /// Its number in the list, from 1; 0 for a task that is not in it.
    pub(crate) fn number(&self, ix: TaskIx) -> usize {
        self.numbers.get(&ix).copied().unwrap_or(0)
    }

    /// The numbers of those it needs.
    pub(crate) fn after(&self, state: &State, ix: TaskIx) -> Vec<usize> {
        let mut numbers: Vec<usize> = state.task(ix).needs.iter().map(|n| self.number(*n)).filter(|n| *n > 0).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Seconds of the task alone.
    pub(crate) fn own(&self, ix: TaskIx) -> f32 {
        self.estimates.own.get(ix.0 as usize).copied().unwrap_or(0.0)
    }

    /// Whether it is on the plan's critical path.
    pub(crate) fn is_critical(&self, ix: TaskIx) -> bool {
        self.critical.contains(&ix)
    }

    /// Where it would run.
    pub(crate) fn place(&self, ix: TaskIx) -> Option<&Place> {
        self.places.get(&ix)
    }

    /// The memory line.
    pub(crate) fn memory_words(&self) -> String {
        match (&self.memory, self.simulated) {
            (None, Some(bytes)) => {
                format!("Simulated: no memory is taken; the real fleet plans {} GB.", amount(bytes))
            }
            (None, None) => "Memory: no model of this plan is on this machine.".to_owned(),
            (Some(verdict), _) => {
                let what = match verdict.fit {
                    Fit::No => "; it waits for memory until you force it",
                    Fit::Unknown if !verdict.unknown.is_empty() => "; give memory_gb in the fleet file",
                    _ => "",
                };
                let details = Some(verdict.details()).filter(|d| !d.is_empty()).map(|d| format!("; {d}"));
                format!("Memory {}{}{what}.", verdict.headline(), details.unwrap_or_default())
            }
        }
    }
}

/// Whether what a goal would load fits, as the orchestrator judges it; and for a simulated fleet what is planned.
fn memory(state: &State, goal: GoalId) -> (Option<Verdict>, Option<u64>) {
    let wanted = state.endpoints_of(goal);
    let plan = MemoryPlan::of(state);
    let here = wanted.iter().any(|name| plan.row(name).is_some());
    let simulated = (state.config.fleet.is_simulated() && !here).then(|| {
        let planned = state.endpoints().iter().filter(|e| wanted.contains(&e.config.name));
        planned.filter_map(|e| e.config.planned()).sum()
    });
    (here.then(|| plan.judge(&wanted, &[])), simulated)
}

/// The first usable endpoint of a task's tier, or of its agent's fallback tier.
fn place(state: &State, ix: TaskIx) -> Place {
    let task = state.task(ix);
    let Some(agent) = state.config.fleet.agent(&task.spec.agent) else {
        return Err(format!("no agent {}", task.spec.agent));
    };
    let usable = |tier| {
        (0..state.endpoints().len() as u32).map(EndpointIx).find(|e| {
            let e = state.endpoint(*e);
            e.serves(tier) && e.is_usable()
        })
    };
    if let Some(e) = usable(&agent.tier).or_else(|| agent.fallback.as_ref().and_then(usable)) {
        return Ok(e);
    }
    let serving: Vec<_> = state.endpoints().iter().filter(|e| e.serves(&agent.tier)).collect();
    Err(match serving.first() {
        None => format!("no endpoint for tier {}", agent.tier),
        Some(e) if serving.iter().any(|e| e.health == Health::Loading) => {
            format!("{} loading", CleanText::new(e.config.short()))
        }
        Some(e) => format!("{} down", CleanText::new(e.config.short())),
    })
}

/// The endpoint's short name, or why there is none.
pub(crate) fn short_place(state: &State, place: &Place) -> String {
    match place {
        Ok(e) => CleanText::new(state.endpoint(*e).config.short()).as_str().to_owned(),
        Err(why) => why.clone(),
    }
}

/// The longest chain of the plan's own tasks, and its seconds.
fn critical(state: &State, order: &[TaskIx], estimates: &Estimates) -> (BTreeSet<TaskIx>, f64) {
    let path = |t: TaskIx| estimates.path.get(t.0 as usize).copied().unwrap_or(0.0);
    let longest = |of: &mut dyn Iterator<Item = TaskIx>| of.max_by(|a, b| path(*a).total_cmp(&path(*b)).then(b.cmp(a)));
    let mine: BTreeSet<TaskIx> = order.iter().copied().collect();
    let open = |t: &TaskIx| mine.contains(t) && !state.task(*t).has_ended();
    let starts = order.iter().copied().filter(|t| open(t) && !state.task(*t).needs.iter().any(open));
    let mut critical = BTreeSet::new();
    let mut next = longest(&mut starts.into_iter());
    let seconds = next.map_or(0.0, |t| f64::from(path(t)));
    while let Some(ix) = next {
        if !critical.insert(ix) {
            break;
        }
        next = longest(&mut state.task(ix).feeds.iter().copied().filter(|t| open(t)));
    }
    (critical, seconds)
}

/// Seconds the slots of the busiest tier need for the plan's work.
fn wall(state: &State, order: &[TaskIx], estimates: &Estimates) -> f64 {
    let mut by_tier: BTreeMap<&str, f64> = BTreeMap::new();
    for ix in order {
        if let Some(tier) = state.tier_of(state.task(*ix)) {
            *by_tier.entry(tier.as_str()).or_default() +=
                f64::from(estimates.own.get(ix.0 as usize).copied().unwrap_or(0.0));
        }
    }
    let slots = |tier: &str| -> u32 {
        let mut pools: BTreeSet<_> = BTreeSet::new();
        let serving = state.endpoints().iter().filter(|e| e.config.tiers.iter().any(|t| t.as_str() == tier));
        serving.filter(|e| pools.insert(e.pool)).map(|e| state.pool(e.pool).ceiling).sum()
    };
    by_tier.into_iter().map(|(tier, work)| work / f64::from(slots(tier).max(1))).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tui::view::story;

    #[test]
    fn a_plan_is_never_faster_than_its_critical_path_nor_slower_than_one_at_a_time() {
        for story in [story::drafted(), story::forty()] {
            let f = Forecast::of(&story.state, GoalId(1), story.at);
            assert!(f.critical_seconds > 0.0);
            assert!(
                f.wall >= f.critical_seconds && f.wall <= f.serial,
                "{} {} {}",
                f.critical_seconds,
                f.wall,
                f.serial
            );
        }
    }

    #[test]
    fn memory_fits_is_tight_or_does_not_suffice() {
        let words = |story: story::Story| Forecast::of(&story.state, GoalId(1), story.at).memory_words();
        assert_eq!(words(story::forty()), "Memory fits: 146 of 217.6 GB; 4 of it are still to be loaded.");
        let tight =
            "Memory is tight: 146 of 153 GB; needs 4 GB more: Phi 4; 11 GB are left of 153 (180 less 27 kept free).";
        assert_eq!(words(story::forty_on(180)), tight);
        let short = "Memory does not suffice: lacks 1.5 GB: needs 4 for Phi 4; 2.5 GB are left of 144.5 (170 less 25.5 kept free); \
                     it waits for memory until you force it.";
        assert_eq!(words(story::forty_on(170)), short);
    }

    #[test]
    fn what_has_no_place_says_why() {
        let story = story::drafted();
        let f = Forecast::of(&story.state, GoalId(1), story.at);
        let says: Vec<&String> = f.places.values().filter_map(|p| p.as_ref().err()).collect();
        assert!(says.iter().any(|s| s.contains("loading")) && says.iter().any(|s| s.contains("vision")), "{says:?}");
        assert_eq!(f.stuck, says.len());
        assert_eq!(f.memory.map(|m| m.fit), Some(Fit::Fits));
    }
}
