//! Servers and models under control: what is refused and why, what becomes of the work there, who is told of a failure.

use super::world::{World, config, name, plan, probed, task};
use crate::domain::fleet::{Lifetime, Nature, Protocol, SessionConfig};
use crate::domain::orchestrator::{Input, ProbeReport};
use crate::domain::protocol::{
    AttemptEnd, Command, Event, Health, MemoryCheck, ModelVerb, Outcome, Residence, ServerChanged, ServerStanding,
    ServerVerb, Subject,
};
use crate::domain::state::{EndpointIx, GoalPhase, State, Why};
use crate::domain::text::CleanText;

use ServerStanding as S;
use ServerVerb as V;

/// The fleet of all tests here: `a` and `b` are on this machine and have a launch, `c` has none.
fn launched() -> SessionConfig {
    let mut config = config();
    for (i, endpoint) in config.fleet.endpoints.iter_mut().enumerate().filter(|(_, e)| e.name.as_str() != "c") {
        endpoint.url = format!("http://127.0.0.1:{}", i + 1);
        endpoint.launch = Some(serde_json::from_str(r#"{"command":"llama-server"}"#).unwrap());
    }
    config
}

fn world() -> World {
    World::new(launched())
}

fn server(endpoint: &str, verb: ServerVerb) -> Command {
    Command::Server { endpoint: name(endpoint), verb, memory: MemoryCheck::Heed }
}

fn model(endpoint: &str, verb: ModelVerb) -> Command {
    Command::Model { endpoint: name(endpoint), verb, memory: MemoryCheck::Heed }
}

/// The engine tells how a server stands.
fn tell(world: &mut World, endpoint: &str, standing: ServerStanding, lifetime: Option<Lifetime>) {
    let words = CleanText::one_line(&format!("{} as the test says", standing.word()));
    world.input(Input::ServerIs(Box::new(ServerChanged {
        endpoint: name(endpoint),
        standing,
        words,
        port: 1,
        pid: None,
        lifetime,
        restarts: 0,
        last: Vec::new(),
        log: None,
    })));
}

fn stands(state: &State, endpoint: &str) -> Option<ServerStanding> {
    state.servers.get(&name(endpoint)).map(|s| s.standing)
}

fn raised(world: &World) -> bool {
    world.state().attention.contains_key(&Subject::Server(name("a")))
}

#[test]
fn what_can_t_be_is_refused_with_the_reason() {
    let mut world = world();
    let refused = |world: &mut World, command: Command, words: &str| {
        let reason = world.command(command).unwrap_err();
        assert!(reason.contains(words), "{reason}");
    };
    refused(&mut world, server("z", V::Start), "no endpoint z");
    refused(&mut world, server("c", V::Start), "give it a `launch`");
    refused(&mut world, server("c", V::Restart), "give it a `launch`");
    let mut elsewhere = launched();
    elsewhere.fleet.endpoints[0].url = "http://10.0.0.7:8083".into();
    refused(&mut World::new(elsewhere), server("a", V::Start), "on this machine only");
    refused(&mut world, server("a", V::Stop), "Baton did not start the server of a");
    tell(&mut world, "a", S::Ready, Some(Lifetime::Session));
    refused(&mut world, server("a", V::Start), "it runs: ready as the test says");
    tell(&mut world, "a", S::Stopped, Some(Lifetime::Session));
    refused(&mut world, server("a", V::Stop), "does not run");
    tell(&mut world, "a", S::Stopping, Some(Lifetime::Session));
    for verb in [V::Start, V::Stop, V::Restart] {
        refused(&mut world, server("a", verb), "it is ending");
    }
    // Somebody else's, and one of Baton's own that lost its supervisor.
    tell(&mut world, "a", S::Adopted, None);
    refused(&mut world, server("a", V::Stop), "leaves it alone");
    refused(&mut world, server("a", V::Restart), "leaves it alone");
    tell(&mut world, "a", S::Adopted, Some(Lifetime::Kept));
    world.command(server("a", V::Stop)).unwrap();
    let mut simulated = launched();
    simulated.fleet.endpoints[0].nature = Nature::Simulated;
    refused(&mut World::new(simulated), server("a", V::Start), "simulated");
    world.assert_fold();
}

#[test]
fn one_that_was_asked_for_stands_as_starting_and_its_failure_is_told() {
    let mut world = world();
    tell(&mut world, "a", S::Failed, Some(Lifetime::Session));
    assert!(!raised(&world), "a failure of days ago needs nobody");
    world.command(server("a", V::Start)).unwrap();
    assert_eq!(stands(world.state(), "a"), Some(S::Starting));
    let port = world.state().servers[&name("a")].port;
    assert_eq!(port, 1, "from its URL");
    tell(&mut world, "a", S::Failed, Some(Lifetime::Session));
    let text = world.state().attention[&Subject::Server(name("a"))].text.to_string();
    assert!(text.contains("the server of a failed as the test says"), "{text}");
    // Whoever starts it again has seen it.
    world.command(server("a", V::Start)).unwrap();
    assert!(!raised(&world));
    tell(&mut world, "a", S::Restarting, Some(Lifetime::Session));
    tell(&mut world, "a", S::Failed, Some(Lifetime::Session));
    assert!(raised(&world));
    // From another console, without a command here.
    tell(&mut world, "a", S::Starting, Some(Lifetime::Kept));
    tell(&mut world, "a", S::Ready, Some(Lifetime::Kept));
    assert!(!raised(&world));
    world.assert_fold();
}

#[test]
fn what_was_left_unsaid_is_said_when_it_is_taken_up() {
    let mut world = world();
    world.command(server("a", V::Start)).unwrap();
    tell(&mut world, "a", S::Failed, None);
    assert!(raised(&world));
    tell(&mut world, "a", S::Ready, None);
    let cleared = world
        .records
        .iter()
        .position(|r| matches!(&r.event, Event::AttentionCleared { subject: Subject::Server(e) } if *e == name("a")));
    // The process died before it was written that nobody is needed.
    let again = World::resume(&world.records[..cleared.unwrap()]);
    assert!(!raised(&again));
    again.assert_fold();
}

#[test]
fn what_runs_at_a_server_that_is_stopped_moves_and_is_no_failure() {
    let mut world = world();
    tell(&mut world, "a", S::Ready, Some(Lifetime::Session));
    world.add(plan((0..12).map(|i| task(&format!("t{i}"), &[], 400)).collect())).unwrap();
    let there = |world: &World| world.live.values().filter(|t| t.endpoint.as_str() == "a").count();
    assert_eq!(there(&world), 6);
    world.command(server("a", V::Stop)).unwrap();
    assert_eq!(there(&world), 0);
    assert_eq!(stands(world.state(), "a"), Some(S::Stopping));
    let moved =
        world.state().attempts().iter().filter(|a| a.ended.as_ref().is_some_and(|(_, e)| *e == AttemptEnd::Moved));
    assert_eq!(moved.count(), 6);
    assert!(world.state().tasks().iter().all(|t| t.failures == 0));
    // It answers until it is gone, and is given nothing all the same.
    world.input(probed(name("a"), ProbeReport::of(Health::Up)));
    assert_eq!(there(&world), 0);
    world.down = vec!["a".into()];
    tell(&mut world, "a", S::Stopped, Some(Lifetime::Session));
    world.run(2_000);
    assert_eq!(world.state().goals()[0].phase, GoalPhase::Ended(Outcome::Done));
    assert!(world.state().attempts().iter().skip(10).all(|a| a.endpoint() == Some(EndpointIx(1))), "all on b");
    world.assert_fold();
}

#[test]
fn one_that_is_restarted_is_used_again_when_it_is_ready() {
    let mut config = launched();
    config.fleet.endpoints.retain(|e| e.name.as_str() == "a");
    let mut world = World::new(config);
    tell(&mut world, "a", S::Ready, Some(Lifetime::Session));
    world.add(plan(vec![task("t", &[], 400)])).unwrap();
    world.command(server("a", V::Restart)).unwrap();
    let why = world.state().admit(crate::domain::state::TaskIx(0), world.now).unwrap_err();
    assert!(matches!(why, Why::Down { starts: Some(_), .. }), "{why}");
    for standing in [S::Stopped, S::Starting] {
        world.down = vec!["a".into()];
        tell(&mut world, "a", standing, Some(Lifetime::Session));
        assert!(world.live.is_empty());
    }
    world.down.clear();
    tell(&mut world, "a", S::Ready, Some(Lifetime::Session));
    assert_eq!(world.live.len(), 1, "ready is probed at once");
    world.run(100);
    let task = world.state().task_by_id(&"g1/t".parse().unwrap()).unwrap();
    assert!(task.is_done() && task.failures == 0);
    world.assert_fold();
}

#[test]
fn endpoints_of_one_server_go_with_it() {
    let mut config = launched();
    let mut other = config.fleet.endpoints[0].clone();
    (other.name, other.model, other.launch) = (name("other"), "m2".into(), None);
    config.fleet.endpoints.push(other);
    let mut world = World::new(config);
    tell(&mut world, "a", S::Ready, Some(Lifetime::Session));
    world.add(plan((0..16).map(|i| task(&format!("t{i}"), &[], 400)).collect())).unwrap();
    world.command(server("a", V::Stop)).unwrap();
    assert!(world.live.values().all(|t| t.endpoint.as_str() == "b"), "the other name of the server is left alone");
    world.input(probed(name("other"), ProbeReport::of(Health::Up)));
    assert!(world.live.values().all(|t| t.endpoint.as_str() == "b"));
}

#[test]
fn models_are_moved_where_that_can_be_and_nothing_runs() {
    let mut config = launched();
    config.fleet.endpoints[0].protocol = Protocol::Ollama;
    let mut world = World::new(config);
    let refused = |world: &mut World, command: Command, words: &str| {
        let reason = world.command(command).unwrap_err();
        assert!(reason.contains(words), "{reason}");
    };
    refused(&mut world, model("b", ModelVerb::Unload), "stop the server instead");
    refused(&mut world, model("b", ModelVerb::Load), "start the server instead");
    let report = |residence| ProbeReport { residence: Some(residence), ..ProbeReport::of(Health::Up) };
    world.input(probed(name("a"), report(Residence::Loaded)));
    refused(&mut world, model("a", ModelVerb::Load), "in memory already");
    world.add(plan(vec![task("t", &[], 400), task("u", &[], 400)])).unwrap();
    refused(&mut world, model("a", ModelVerb::Unload), "2 turns run there; p lets it run empty first");
    world.run(100);
    world.command(model("a", ModelVerb::Unload)).unwrap();
    world.input(probed(name("a"), report(Residence::Unloaded)));
    refused(&mut world, model("a", ModelVerb::Unload), "not in memory");
    world.command(model("a", ModelVerb::Load)).unwrap();
}

#[test]
fn what_does_not_fit_into_memory_is_not_started_unless_it_is_forced() {
    let mut config = launched();
    for endpoint in &mut config.fleet.endpoints[..2] {
        endpoint.memory_gb = Some(60.0);
    }
    config.machine.budget_gb = Some(100.0);
    let mut world = World::new(config);
    // The first is not up yet, and will take what it needs all the same.
    world.down = vec!["a".into(), "b".into()];
    world.command(Command::Probe(None)).unwrap();
    world.command(server("a", V::Start)).unwrap();
    let reason = world.command(server("b", V::Start)).unwrap_err();
    assert!(reason.contains("lacks 20 GB: needs 60 for b 60") && reason.contains("40 GB are left of 100"), "{reason}");
    let forced = Command::Server { endpoint: name("b"), verb: V::Start, memory: MemoryCheck::Force };
    world.command(forced).unwrap();
    assert_eq!(stands(world.state(), "b"), Some(S::Starting));
    world.assert_fold();
}

#[test]
fn a_server_that_is_not_what_the_file_says_needs_the_operator_until_it_is() {
    let mut world = World::new(launched());
    let says =
        |mismatch: Option<&str>| ProbeReport { mismatch: mismatch.map(Into::into), ..ProbeReport::of(Health::Up) };
    let probed = |world: &mut World, mismatch| world.input(probed(name("a"), says(mismatch)));
    probed(&mut world, Some("the server has no model m; it has x"));
    let about = Subject::Endpoint(name("a"));
    let text = &world.state().attention[&about].text;
    assert_eq!(text.as_str(), "a: the server has no model m; it has x");
    world.add(plan(vec![task("t", &[], 400)])).unwrap();
    assert_eq!(world.live.len(), 1, "it is used all the same");
    probed(&mut world, None);
    assert!(!world.state().attention.contains_key(&about) && world.state().endpoints()[0].mismatch.is_none());
    world.assert_fold();
}
