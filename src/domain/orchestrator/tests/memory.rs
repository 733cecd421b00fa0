//! Goals that do not fit into memory wait and can be forced; a machine that is hard pressed gets fewer tasks, and as many
//! again when it is at ease.

use proptest::prelude::*;

use super::world::{World, agent, config, name, plan, probed, task};
use crate::domain::fleet::{Endpoint, Nature, SessionConfig};
use crate::domain::orchestrator::{Input, ProbeReport};
use crate::domain::plan::{PlanEdit, TaskSpec};
use crate::domain::protocol::{
    Command, EndpointEdit, Event, GoalId, GoalOptions, Grip, Health, MachineSampled, MemoryCheck, Micros, ModelVerb,
    Partial, PlanSource, Pressure, Release, Review, ServerVerb, StopScope, Subject, Throttle, ThrottleCause,
};
use crate::domain::state::{EndpointIx, GoalMemory, GoalPhase, IdleWhy, State, Why};

const GB: u64 = 1_000_000_000;
const G1: GoalId = GoalId(1);

fn here(id: &str, tier: &str, protocol: &str, port: u16, gb: Option<f32>) -> Endpoint {
    serde_json::from_value(serde_json::json!({
        "name": id, "tiers": [tier], "protocol": protocol, "url": format!("http://127.0.0.1:{port}"), "model": id,
        "slots": 4, "context": 16384, "tokens_per_second": 50.0, "memory_gb": gb,
    }))
    .unwrap()
}

/// Two Ollama servers here: 80 GB for the tier deep, 35 for main; and a remote one for the tier far.
fn studio() -> SessionConfig {
    let mut config = config();
    let mut far = here("far", "far", "llama.cpp", 1, Some(500.0));
    far.url = "http://far.example:1".to_owned();
    config.fleet.endpoints =
        vec![here("gpt", "deep", "ollama", 11434, Some(80.0)), here("qwen", "main", "ollama", 11435, Some(35.0)), far];
    config.fleet.agents = vec![
        agent("researcher", "main", None),
        agent("reasoner", "deep", None),
        agent("summarizer", "main", None),
        agent("stranger", "far", None),
    ];
    config
}

fn simulated() -> SessionConfig {
    let mut config = studio();
    for e in &mut config.fleet.endpoints {
        e.nature = Nature::Simulated;
    }
    config
}

fn machine(total_gb: u64) -> MachineSampled {
    MachineSampled { total: total_gb * GB, used: total_gb * GB / 8, ..MachineSampled::default() }
}

fn looked_at(world: &mut World, sample: MachineSampled) {
    world.input(Input::Sampled(Box::new(sample)));
}

fn by(agent: &str, id: &str) -> TaskSpec {
    let mut spec = task(id, &[], 100);
    spec.agent = name(agent);
    spec
}

/// A world whose machine was looked at, with a goal that needs both models.
fn both(config: SessionConfig, total_gb: u64) -> World {
    let mut world = World::new(config);
    looked_at(&mut world, machine(total_gb));
    world.add(plan(vec![by("reasoner", "deep"), by("researcher", "main")])).unwrap();
    world
}

fn memory(world: &World, goal: GoalId) -> GoalMemory {
    world.state().goal(goal).unwrap().memory.clone()
}

fn is_short(world: &World, goal: GoalId) -> bool {
    matches!(memory(world, goal), GoalMemory::Short(_))
}

fn count(world: &World, event: &str) -> usize {
    world.records.iter().filter(|r| r.event.name() == event).count()
}

fn why(world: &World, task: &str) -> Option<Why> {
    let state = world.state();
    state.admit(state.find(&task.parse().unwrap()).unwrap(), world.now).err()
}

#[test]
fn a_goal_that_does_not_fit_starts_no_request_and_says_the_sum() {
    let mut world = both(studio(), 120);
    assert!(world.live.is_empty());
    let GoalMemory::Short(held) = memory(&world, G1) else { panic!("{:?}", memory(&world, G1)) };
    assert_eq!((held.needed, held.room), (115 * GB, 102 * GB));
    assert_eq!(
        held.reason.as_str(),
        "lacks 13 GB: needs 115 for gpt 80 + qwen 35; 102 GB are left of 102 (120 less 18 kept free)"
    );
    let attention = &world.state().attention[&Subject::Memory(G1)];
    assert!(attention.text.ends_with("a starts it all the same"), "{}", attention.text);
    assert_eq!(why(&world, "g1/main"), Some(Why::Memory { reason: held.reason.clone() }));
    assert_eq!(world.state().idle_why(EndpointIx(1), world.now), Some(IdleWhy::Memory));
    world.run(200);
    assert_eq!(count(&world, "turn.started"), 0);
    assert_eq!(count(&world, "goal.held"), 1, "told once");
    world.assert_fold();
}

#[test]
fn forced_it_runs_and_says_so() {
    let mut world = both(studio(), 120);
    world.command(Command::Force(G1)).unwrap();
    assert_eq!((world.live.len(), memory(&world, G1)), (2, GoalMemory::Forced));
    let released = |e: &Event| matches!(e, Event::GoalReleased { by: Release::Forced, .. });
    assert!(world.records.iter().any(|r| released(&r.event)));
    assert!(world.state().attention.is_empty());
    assert_eq!(world.command(Command::Force(G1)), Err("it was forced already".to_owned()));
    // Whatever comes, it is not held again.
    looked_at(&mut world, MachineSampled { pressure: Some(Pressure::Warning), ..machine(60) });
    world.run(200);
    assert!(matches!(world.state().goal(G1).unwrap().phase, GoalPhase::Ended(_)));
    assert_eq!(count(&world, "goal.held"), 1);
    world.assert_fold();
}

#[test]
fn a_goal_that_was_to_be_forced_never_waits_and_says_so_all_the_same() {
    let mut world = World::new(studio());
    looked_at(&mut world, machine(120));
    let of = plan(vec![by("reasoner", "deep"), by("researcher", "main")]);
    let options = GoalOptions { memory: MemoryCheck::Force, ..GoalOptions::default() };
    world.command(Command::AddGoal { text: "g".into(), plan: PlanSource::Given(Box::new(of)), options }).unwrap();
    assert_eq!((world.live.len(), memory(&world, G1)), (2, GoalMemory::Forced));
    assert_eq!(
        (count(&world, "goal.held"), count(&world, "goal.released"), count(&world, "attention.raised")),
        (1, 1, 0)
    );
    // Cut between the two, it is forced when it is taken up.
    let cut = world.records.iter().position(|r| r.event.name() == "goal.held").unwrap() + 1;
    let mut again = World::resume(&world.records[..cut]);
    looked_at(&mut again, machine(120));
    assert_eq!(memory(&again, G1), GoalMemory::Forced);
}

#[test]
fn what_fits_and_what_is_not_known_is_not_held() {
    assert_eq!(both(studio(), 200).live.len(), 2);
    let mut config = studio();
    config.machine.hold_for_memory = false;
    assert_eq!(both(config, 60).live.len(), 2, "as the operator wants it");
    let mut config = studio();
    config.fleet.endpoints.iter_mut().for_each(|e| e.memory_gb = None);
    assert_eq!(both(config, 60).live.len(), 2, "no size is known");
    assert_eq!(both(simulated(), 60).live.len(), 2, "a simulated fleet takes nothing");
    let mut world = World::new(studio());
    looked_at(&mut world, machine(60));
    world.add(plan(vec![by("stranger", "far")])).unwrap();
    assert_eq!(world.live.len(), 1, "another machine's memory is not this one's");
}

#[test]
fn a_simulated_fleet_counts_against_a_budget() {
    let mut config = simulated();
    config.machine.budget_gb = Some(100.0);
    let mut world = World::new(config);
    // What this machine has is another matter.
    looked_at(&mut world, MachineSampled { pressure: Some(Pressure::Critical), ..machine(16) });
    world.add(plan(vec![by("reasoner", "deep"), by("researcher", "main")])).unwrap();
    assert!(world.live.is_empty() && is_short(&world, G1));
    world.command(Command::Force(G1)).unwrap();
    assert_eq!(world.live.len(), 2);
    world.run(100);
    // One of them alone fits.
    world.add(plan(vec![by("reasoner", "deep")])).unwrap();
    assert_eq!(memory(&world, GoalId(2)), GoalMemory::Fits);
    world.run(100);
    world.assert_fold();
}

#[test]
fn before_the_first_look_nothing_starts_for_a_second_at_most() {
    let mut world = World::new(studio());
    world.add(plan(vec![by("reasoner", "deep"), by("stranger", "far")])).unwrap();
    assert!(world.live.is_empty());
    assert_eq!(why(&world, "g1/deep"), Some(Why::FirstLook));
    world.now = Micros(300_000);
    looked_at(&mut world, machine(60));
    assert!(is_short(&world, G1) && world.live.is_empty());
    // A machine that can't be looked at holds nobody.
    let mut blind = World::new(studio());
    blind.add(plan(vec![by("reasoner", "deep")])).unwrap();
    assert!(blind.step() && blind.live.len() == 1);
    assert_eq!(blind.now, Micros::from_secs(1));
    // Where nothing can be loaded by a request nobody waits.
    let mut config = studio();
    config.fleet.endpoints = vec![here("a", "main", "llama.cpp", 8083, Some(16.0))];
    let mut server = World::new(config);
    server.add(plan(vec![by("researcher", "a")])).unwrap();
    assert_eq!(server.live.len(), 1);
}

#[test]
fn it_goes_on_when_what_it_needs_fits() {
    // More memory is free.
    let mut world = both(studio(), 120);
    looked_at(&mut world, machine(136));
    assert!(is_short(&world, G1), "115 of 115.6 is no room to spare");
    looked_at(&mut world, machine(140));
    assert_eq!((memory(&world, G1), world.live.len()), (GoalMemory::Fits, 2));
    assert!(world.state().attention.is_empty());

    // Somebody else has loaded one of the models.
    let mut world = both(studio(), 140);
    looked_at(&mut world, machine(120));
    assert_eq!(memory(&world, G1), GoalMemory::Fits, "what its requests load is its own");
    let mut world = both(studio(), 100);
    let loaded = ProbeReport { resident: Some(82 * GB), ..ProbeReport::of(Health::Up) };
    world.input(probed(name("gpt"), loaded));
    assert!(is_short(&world, G1));
    assert!(
        world
            .state()
            .goal(G1)
            .unwrap()
            .short_of()
            .unwrap()
            .reason
            .starts_with("lacks 32 GB: needs 35 for qwen 35; 3 GB")
    );

    // The operator says that it takes less.
    let edit = EndpointEdit { memory_gb: Some(2.5), ..EndpointEdit::default() };
    world.command(Command::EditEndpoint { endpoint: name("qwen"), edit }).unwrap();
    assert_eq!((memory(&world, G1), world.live.len()), (GoalMemory::Fits, 2));

    // The task that needed it is taken out of the plan, or stopped.
    let mut world = both(studio(), 120);
    let edit =
        Command::EditPlan { goal: G1, if_revision: 1, edits: vec![PlanEdit::Remove(name("deep"))], rerun: vec![] };
    world.command(edit).unwrap();
    assert_eq!((memory(&world, G1), world.live.len()), (GoalMemory::Fits, 1));
    let mut world = both(studio(), 120);
    world.command(Command::Stop { scope: StopScope::Goal(G1), partial: Partial::Kept }).unwrap();
    assert_eq!(memory(&world, G1), GoalMemory::Fits);
    assert!(world.state().attention.is_empty() && world.live.is_empty());
    world.assert_fold();
}

#[test]
fn a_plan_is_weighed_when_it_is_made_approved_and_edited() {
    let mut config = studio();
    config.settings.planner = name("researcher");
    let mut world = World::new(config);
    looked_at(&mut world, machine(120));
    world.plan_answer = r#"{"tasks":[{"id":"a","title":"A","prompt":"p","agent":"reasoner","needs":[]},
        {"id":"b","title":"B","prompt":"p","agent":"researcher","needs":[]}]}"#
        .into();
    let options = GoalOptions { review: Review::Ask, synthesis: Some(false), ..GoalOptions::default() };
    world.command(Command::AddGoal { text: "g".into(), plan: PlanSource::Model, options }).unwrap();
    assert_eq!(world.live.len(), 1, "its planner fits");
    while world.state().goal(G1).unwrap().phase == GoalPhase::Planning {
        assert!(world.step());
    }
    assert_eq!(world.state().goal(G1).unwrap().phase, GoalPhase::Draft);
    assert_eq!(memory(&world, G1), GoalMemory::Fits, "a draft starts nothing");
    world.command(Command::Approve(G1)).unwrap();
    assert!(is_short(&world, G1) && world.live.is_empty());

    // One that runs is held by an edit that needs more; what runs goes on, to its end.
    let mut world = World::new(studio());
    looked_at(&mut world, machine(120));
    world.add(plan(vec![by("researcher", "main")])).unwrap();
    let edits = vec![PlanEdit::Add(Box::new(by("reasoner", "deep")))];
    world.command(Command::EditPlan { goal: G1, if_revision: 1, edits, rerun: vec![] }).unwrap();
    assert!(is_short(&world, G1));
    assert_eq!(world.live.len(), 1);
    world.step();
    world.run(50);
    assert!(world.state().task_by_id(&"g1/main".parse().unwrap()).unwrap().is_done());
    world.assert_fold();
}

#[test]
fn two_goals_that_fit_alone_do_not_both_start() {
    let mut world = World::new(studio());
    looked_at(&mut world, machine(120));
    world.add(plan(vec![by("reasoner", "deep")])).unwrap();
    world.add(plan(vec![by("researcher", "main")])).unwrap();
    assert_eq!((is_short(&world, G1), is_short(&world, GoalId(2))), (false, true));
    // When the first is over its model may be unloaded; until the server says so it counts as gone.
    world.run(100);
    assert!(world.state().goals().iter().all(|g| matches!(g.phase, GoalPhase::Ended(_))));
    world.assert_fold();
}

#[test]
fn critical_pressure_holds_what_would_load_more() {
    let mut world = World::new(studio());
    looked_at(&mut world, MachineSampled { pressure: Some(Pressure::Critical), ..machine(400) });
    let loaded = ProbeReport { resident: Some(35 * GB), ..ProbeReport::of(Health::Up) };
    world.input(probed(name("qwen"), loaded));
    world.add(plan(vec![by("reasoner", "deep")])).unwrap();
    world.add(plan(vec![by("researcher", "main")])).unwrap();
    assert_eq!((is_short(&world, G1), is_short(&world, GoalId(2))), (true, false));
    assert!(matches!(why(&world, "g2/main"), Some(Why::Throttled { .. })));
    // At ease again, it goes on when the throttle does.
    world.now = Micros::from_secs(20);
    looked_at(&mut world, MachineSampled { pressure: Some(Pressure::Normal), ..machine(400) });
    assert!(is_short(&world, G1));
    while world.live.is_empty() {
        assert!(world.step());
    }
    assert_eq!(world.now, Micros::from_secs(30));
    assert_eq!(world.live.len(), 2);
}

#[test]
fn a_server_or_a_model_is_not_started_where_it_does_not_fit() {
    let mut config = studio();
    let mut qwen = here("coder", "main", "llama.cpp", 8085, Some(35.0));
    qwen.launch = serde_json::from_value(serde_json::json!({"command": "llama-server"})).unwrap();
    config.fleet.endpoints.push(qwen);
    let mut world = World::new(config);
    world.down = vec!["coder".into()];
    world.command(Command::Probe(None)).unwrap();
    looked_at(&mut world, machine(40));
    let start = |memory| Command::Server { endpoint: name("coder"), verb: ServerVerb::Start, memory };
    let load = |memory| Command::Model { endpoint: name("gpt"), verb: ModelVerb::Load, memory };
    let said = world.command(start(MemoryCheck::Heed)).unwrap_err();
    assert_eq!(said, "it lacks 1 GB: needs 35 for coder 35; 34 GB are left of 34 (40 less 6 kept free)");
    assert!(world.command(load(MemoryCheck::Heed)).is_err());
    world.command(start(MemoryCheck::Force)).unwrap();
    world.command(load(MemoryCheck::Force)).unwrap();
}

/// One llama.cpp server here, which has its model from its start on.
fn pressed() -> SessionConfig {
    let mut config = studio();
    config.fleet.endpoints = vec![here("a", "main", "llama.cpp", 8083, Some(16.0))];
    config
}

fn busy(percent: u8) -> MachineSampled {
    MachineSampled { cpu_percent: Some(percent), ..machine(256) }
}

fn many(n: usize) -> Vec<TaskSpec> {
    (0..n).map(|i| by("researcher", &format!("t{i}"))).collect()
}

/// Samples at times, and what the throttle is then; at times without a sample it is a wake.
fn follow(world: &mut World, moments: &[(u64, Option<MachineSampled>, Option<Grip>)]) {
    for (second, sample, grip) in moments {
        world.now = Micros::from_secs(*second);
        match sample {
            Some(sample) => looked_at(world, sample.clone()),
            None => world.input(Input::Wake),
        }
        assert_eq!(world.state().throttle.map(|t| t.grip), *grip, "at {second} s");
    }
}

#[test]
fn busy_processors_halve_what_starts_after_a_while_and_let_go_after_a_while() {
    let mut world = World::new(pressed());
    let half = Some(Grip::Half);
    follow(
        &mut world,
        &[
            (0, Some(busy(85)), None),
            (9, None, None),
            (10, None, half),
            // Another figure is no other throttle.
            (12, Some(busy(95)), half),
            (13, Some(busy(75)), half),
            (60, None, half),
            (61, Some(busy(70)), half),
            (70, None, half),
            (71, None, None),
            // A short peak is none.
            (80, Some(busy(90)), None),
            (89, Some(busy(79)), None),
            (90, Some(busy(90)), None),
            (99, None, None),
            (100, None, half),
        ],
    );
    let throttle = |cause| Some(Throttle { cause, grip: Grip::Half });
    let told: Vec<Option<Throttle>> = world
        .records
        .iter()
        .filter_map(|r| match &r.event {
            Event::MachineThrottled { throttle } => Some(*throttle),
            _ => None,
        })
        .collect();
    assert_eq!(told, [throttle(ThrottleCause::Cpu(85)), None, throttle(ThrottleCause::Cpu(90))]);
    world.assert_fold();
}

#[test]
fn servers_that_compute_on_the_processors_do_not_throttle_themselves() {
    let with = |all, servers| MachineSampled { servers_percent: Some(servers), ..busy(all) };
    let mut world = World::new(pressed());
    let half = Some(Grip::Half);
    follow(
        &mut world,
        &[
            (0, Some(with(99, 95)), None),
            (15, None, None),
            // Somebody compiles beside them.
            (20, Some(with(100, 15)), None),
            (30, None, half),
            (31, Some(with(100, 90)), half),
            (41, None, None),
            // Where it is not told what they take, all counts, as before.
            (50, Some(busy(99)), None),
            (60, None, half),
        ],
    );
    let causes = world.records.iter().filter_map(|r| match &r.event {
        Event::MachineThrottled { throttle: Some(throttle) } => Some(throttle.to_string()),
        _ => None,
    });
    let said = |percent| format!("other work keeps the processors {percent} % busy");
    assert_eq!(causes.collect::<Vec<_>>(), [said(85), said(99)]);
    world.assert_fold();
}

#[test]
fn the_time_is_looked_at_without_another_sample() {
    let mut world = World::new(pressed());
    looked_at(&mut world, busy(90));
    while world.state().throttle.is_none() {
        assert!(world.step());
    }
    assert_eq!(world.now, Micros::from_secs(10));
    looked_at(&mut world, busy(10));
    while world.state().throttle.is_some() {
        assert!(world.step());
    }
    assert_eq!(world.now, Micros::from_secs(20));
}

#[test]
fn pressure_halves_or_stops_at_once_and_lets_go_step_by_step() {
    let pressure = |p| MachineSampled { pressure: Some(p), ..machine(256) };
    use Pressure::{Critical, Normal, Warning};
    let (half, stop) = (Some(Grip::Half), Some(Grip::Stop));
    let mut world = World::new(pressed());
    follow(
        &mut world,
        &[
            (0, Some(pressure(Warning)), half),
            (5, Some(pressure(Critical)), stop),
            (6, Some(pressure(Warning)), stop),
            (10, Some(pressure(Normal)), stop),
            (16, None, half),
            (19, None, half),
            (20, None, None),
            (30, Some(pressure(Warning)), half),
            (31, Some(pressure(Normal)), half),
            (35, Some(pressure(Warning)), half),
            (36, Some(pressure(Normal)), half),
            (45, None, half),
            (46, None, None),
        ],
    );
    // The processors take over from it.
    let both = |p| MachineSampled { cpu_percent: Some(90), ..pressure(p) };
    follow(&mut world, &[(50, Some(both(Warning)), half), (61, Some(both(Normal)), half), (71, None, half)]);
    assert!(matches!(world.state().throttle.unwrap().cause, ThrottleCause::Cpu(90)));
    // Switched off, nothing grips.
    let mut config = pressed();
    (config.machine.throttle_pressure, config.machine.throttle_cpu_percent) = (false, 0);
    let mut world = World::new(config);
    follow(&mut world, &[(0, Some(both(Critical)), None), (60, Some(both(Critical)), None)]);
    // Nor where no server is here.
    let mut config = pressed();
    config.fleet.endpoints[0].nature = Nature::Simulated;
    let mut world = World::new(config);
    follow(&mut world, &[(0, Some(both(Critical)), None), (60, Some(both(Critical)), None)]);
}

#[test]
fn half_a_grip_gives_out_half_of_the_slots_here_and_stop_none() {
    let mut config = pressed();
    let mut far = here("far", "far", "llama.cpp", 1, None);
    far.url = "http://far.example:1".to_owned();
    config.fleet.endpoints[0].slots = 5;
    config.fleet.endpoints.push(far);
    let at = |world: &World, e: &str| world.live.values().filter(|t| t.endpoint.as_str() == e).count();
    let warning = || MachineSampled { pressure: Some(Pressure::Warning), ..machine(256) };
    let mut world = World::new(config.clone());
    looked_at(&mut world, warning());
    let tasks = many(8).into_iter().chain((0..6).map(|i| by("stranger", &format!("far{i}")))).collect();
    world.add(plan(tasks)).unwrap();
    assert_eq!((at(&world, "a"), at(&world, "far")), (3, 4), "half of 5, rounded up; elsewhere all");
    assert!(matches!(why(&world, "g1/t7"), Some(Why::Throttled { .. })));
    assert!(matches!(why(&world, "g1/far5"), Some(Why::Slot { .. })));
    assert_eq!(world.state().idle_why(EndpointIx(0), world.now), Some(IdleWhy::Throttled));
    // What runs is not stopped, and what ends is not followed by more than half.
    looked_at(&mut world, MachineSampled { pressure: Some(Pressure::Critical), ..machine(256) });
    assert_eq!(at(&world, "a"), 3);
    world.step();
    world.run(30);
    assert_eq!(at(&world, "a"), 0, "nothing new starts");
    let mut world = World::new(config);
    looked_at(&mut world, warning());
    world.add(plan(many(8))).unwrap();
    world.run(400);
    assert!(matches!(world.state().goal(G1).unwrap().phase, GoalPhase::Ended(_)));
    assert_eq!(world.state().totals.widest, 3);
    world.assert_fold();
}

#[test]
fn what_is_between_turns_goes_on_under_half_a_grip_and_not_under_stop() {
    let mut config = pressed();
    config.fleet.endpoints[0].slots = 2;
    let mut world = World::new(config);
    world.says = Box::new(|t| {
        let asked = t.recipe.messages.len() < 3 && t.task.name.as_str() != "t1";
        asked.then(|| "ASK: Which?\n- this\n- that".to_owned())
    });
    world.add(plan(many(2))).unwrap();
    looked_at(&mut world, MachineSampled { pressure: Some(Pressure::Warning), ..machine(256) });
    world.step();
    while world.state().tasks().iter().all(|t| t.asking.is_none()) {
        assert!(world.step());
    }
    // Both slots may be out for it, though half of them would be one.
    let answer = Command::Answer { task: "g1/t0".parse().unwrap(), text: "this".into() };
    let mut stopped = World::resume(&world.records);
    stopped.says = Box::new(|_| None);
    looked_at(&mut stopped, MachineSampled { pressure: Some(Pressure::Critical), ..machine(256) });
    stopped.command(answer.clone()).unwrap();
    assert!(matches!(why(&stopped, "g1/t0"), Some(Why::Throttled { .. })));
    let before = world.live.len();
    world.command(answer).unwrap();
    assert_eq!(world.live.len(), before + 1);
}

#[test]
fn a_new_life_does_not_know_how_the_machine_is_pressed() {
    let mut world = World::new(pressed());
    looked_at(&mut world, MachineSampled { pressure: Some(Pressure::Critical), ..machine(256) });
    world.add(plan(many(2))).unwrap();
    assert!(world.live.is_empty());
    let again = World::resume(&world.records);
    assert_eq!((again.state().throttle, again.live.len()), (None, 2));
    again.assert_fold();
}

/// Something happens to the machine, its servers, or the plan.
fn happen(world: &mut World, (kind, pick): (u8, u8)) {
    for _ in 0..pick % 3 {
        world.step();
    }
    let goals = world.state().goals().len() as u32;
    let goal = GoalId(u32::from(pick) % goals.max(1) + 1);
    let endpoint = name(["gpt", "qwen"][usize::from(pick % 2)]);
    match kind % 9 {
        0 | 1 => {
            let pressure = [None, Some(Pressure::Normal), Some(Pressure::Warning), Some(Pressure::Critical)];
            let sample = MachineSampled {
                pressure: pressure[usize::from(pick / 3 % 4)],
                cpu_percent: (kind % 2 == 0).then_some(pick % 101),
                ..machine(60 + u64::from(pick))
            };
            looked_at(world, sample);
        }
        2 => {
            let resident = (pick % 3 > 0).then_some(u64::from(pick) * GB / 2);
            let report = ProbeReport { resident, ..ProbeReport::of(Health::Up) };
            world.input(probed(endpoint, report));
        }
        3 => drop(world.command(Command::Force(goal))),
        4 => drop(world.add(plan(vec![by("reasoner", "a"), by("researcher", "b"), by("researcher", "c")]))),
        5 => {
            let revision = world.state().goal(goal).map_or(0, |g| g.revision);
            let agent = if pick.is_multiple_of(2) { "reasoner" } else { "researcher" };
            let edits = vec![PlanEdit::Add(Box::new(by(agent, &format!("n{}", world.records.len()))))];
            drop(world.command(Command::EditPlan { goal, if_revision: revision, edits, rerun: vec![] }));
        }
        6 => {
            let edit = EndpointEdit { memory_gb: Some(f32::from(pick)), ..EndpointEdit::default() };
            drop(world.command(Command::EditEndpoint { endpoint, edit }));
        }
        7 => drop(world.command(Command::Stop { scope: StopScope::Goal(goal), partial: Partial::Kept })),
        _ => world.now = world.now.plus(Micros::from_secs(u64::from(pick % 20))),
    }
}

/// Forces what is held, lets the machine be at ease, and runs to the end.
fn to_the_end(world: &mut World) {
    for _ in 0..6 {
        looked_at(world, MachineSampled { pressure: Some(Pressure::Normal), cpu_percent: Some(5), ..machine(1_000) });
        world.run(400);
        let held: Vec<GoalId> = world.state().goals().iter().filter(|g| g.short_of().is_some()).map(|g| g.id).collect();
        for goal in held {
            world.command(Command::Force(goal)).unwrap();
        }
    }
    for goal in world.state().goals() {
        let left: Vec<_> = goal.tasks.iter().map(|t| world.state().admit(*t, world.now)).collect();
        assert!(matches!(goal.phase, GoalPhase::Ended(_)), "{} is {:?}: {left:?}", goal.id, goal.phase);
    }
}

/// At each record: nothing of a goal that is held starts, and what starts is in the throttle's grip.
fn check(world: &World) {
    let mut state = State::default();
    for record in &world.records {
        state.apply(record);
        match &record.event {
            Event::TaskStarted { task } => {
                let goal = state.goal(task.goal).unwrap();
                assert!(goal.short_of().is_none(), "{task} started while {} was held", goal.id);
                if let Some(throttle) = state.throttle {
                    assert_eq!(throttle.grip, Grip::Half, "{task} started under a stop");
                    let grips = |e: &crate::domain::state::EndpointState| {
                        state.pool(e.pool).busy() < state.pool(e.pool).ceiling.div_ceil(2)
                    };
                    assert!(state.endpoints().iter().any(grips), "{task} started beyond half of the slots");
                }
            }
            Event::GoalHeld(held) => {
                let critical = Some(ThrottleCause::Memory(Pressure::Critical));
                let pressed =
                    state.machine.pressure == Some(Pressure::Critical) || state.throttle.map(|t| t.cause) == critical;
                assert!(held.needed > held.room || pressed, "{held:?}");
            }
            _ => {}
        }
    }
    // What is held is on the list, and nothing else is.
    let state = world.state();
    for goal in state.goals() {
        let listed = state.attention.contains_key(&Subject::Memory(goal.id));
        assert_eq!(goal.short_of().is_some(), listed, "{}", goal.id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nothing_starts_while_it_is_held_and_every_prefix_reaches_an_end(
        happenings in prop::collection::vec((any::<u8>(), any::<u8>()), 0..20),
        total in 60u64..300,
        offset in 0usize..7,
    ) {
        let mut world = both(studio(), total);
        for what in happenings {
            happen(&mut world, what);
        }
        check(&world);
        to_the_end(&mut world);
        check(&world);
        world.assert_fold();
        for cut in (1 + offset..world.records.len()).step_by(7) {
            let mut again = World::resume(&world.records[..cut]);
            to_the_end(&mut again);
            again.assert_fold();
        }
    }
}
