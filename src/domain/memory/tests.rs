//! Sums to the byte, and the words for them.

use serde_json::json;

use super::*;
use crate::domain::protocol::{EndpointChanged, Event, Micros, Record};

const LOAD: &str = include_str!("../../../tests/machine/m3ultra_load.jsonl");
const BUILT_IN: &str = include_str!("../../../config/fleet.toml");
const GB: u64 = 1_000_000_000;

/// A moment of the recorded M3 Ultra.
fn recorded(line: usize) -> MachineSampled {
    let lines: Vec<&str> = LOAD.lines().filter(|l| !l.starts_with('#')).collect();
    let value: serde_json::Value = serde_json::from_str(lines[line]).unwrap();
    let sample = value.get("sample").unwrap_or(&value).clone();
    serde_json::from_value(sample).unwrap()
}

/// That machine with little beside the fleet's own servers.
fn alone() -> MachineSampled {
    MachineSampled { used: 90 * GB, ..recorded(0) }
}

fn built_in() -> Fleet {
    toml::from_str(BUILT_IN).unwrap()
}

fn names(plan: &MemoryPlan) -> Vec<EndpointName> {
    plan.rows.iter().map(|r| r.endpoint.clone()).collect()
}

fn machine(total: u64) -> MachineSampled {
    MachineSampled { total, used: total / 32, ..MachineSampled::default() }
}

fn fleet(endpoints: &[(&str, &str, u16, Option<f32>)]) -> Fleet {
    let endpoint = |(name, protocol, port, gb): &(&str, &str, u16, Option<f32>)| {
        json!({"name": name, "tiers": ["main"], "protocol": protocol, "url": format!("http://127.0.0.1:{port}"),
            "model": name, "slots": 4, "context": 8192, "memory_gb": gb})
    };
    let endpoints: Vec<_> = endpoints.iter().map(endpoint).collect();
    serde_json::from_value(json!({"name": "f", "endpoint": endpoints, "agent": []})).unwrap()
}

/// A session with that fleet in which this was found out.
fn state(fleet: &Fleet, settings: MachineSettings, sample: MachineSampled, found: Vec<EndpointChanged>) -> State {
    let config = json!({"fleet": fleet, "settings": {}, "machine": settings, "seed": 1});
    let started = json!({"event": "session.started", "data": {"session": "s", "config": config}});
    let first: Event = serde_json::from_value(started).unwrap();
    let found = found.into_iter().map(|f| Event::EndpointChanged(Box::new(f)));
    let mut state = State::default();
    let events = std::iter::once(first).chain([Event::MachineSampled(Box::new(sample))]).chain(found);
    for (seq, event) in (1..).zip(events) {
        state.apply(&Record { seq, at: Micros(seq), event });
    }
    state
}

fn found(name: &str, health: Health) -> EndpointChanged {
    EndpointChanged::of(name.parse().unwrap(), health)
}

#[test]
fn the_built_in_fleet_comes_to_what_was_planned_for_it() {
    let settings = MachineSettings::default();
    let plan = MemoryPlan::of_fleet(&built_in(), &alone(), &settings);
    let planned: Vec<(String, u64)> = plan.rows.iter().map(|r| (r.name.to_string(), r.planned.unwrap())).collect();
    let want = [("Athene", 16), ("GPT", 80), ("Gemma", 18), ("Qwen", 35), ("Hermes", 5)];
    assert_eq!(planned, want.map(|(name, gb)| (name.to_owned(), gb * GB)));
    assert_eq!((plan.planned(), plan.reserve), (154 * GB, 40 * GB));
    // A Mac sold with 256 GB has 256 × 2³⁰ bytes; less 40 GB that is below what Metal allows.
    assert_eq!(plan.limit, Some(Limit { bytes: 234_877_906_944, bound: Bound::Reserve { total: 274_877_906_944 } }));
    assert_eq!(plan.headroom(), Some(80_877_906_944));
    // Of 256 × 10⁹ bytes as the plan was made on, 62 GB are left for caches.
    let round = MemoryPlan::of_fleet(&built_in(), &machine(256 * GB), &settings);
    let reserve = MachineSettings { reserve_gb: Some(40.0), ..settings };
    assert_eq!(round.reserve, 38_400_000_000, "15 % of it are less than 40 GB");
    let round = MemoryPlan::of_fleet(&built_in(), &machine(256 * GB), &reserve);
    assert_eq!((round.planned(), round.headroom()), (154 * GB, Some(62 * GB)));
}

#[test]
fn what_a_server_holds_counts_once_and_towards_what_its_one_model_needs() {
    let sample = alone();
    let plan = MemoryPlan::of_fleet(&built_in(), &sample, &MachineSettings::default());
    let measured = |port| sample.server(port).unwrap().footprint.unwrap();
    assert_eq!(plan.held(), measured(8083) + measured(11434));
    let verdict = plan.judge(&names(&plan), &[]);
    // Athene's process holds more than its 16 GB; Ollama's holds 37.6 of the 80.
    let more = [("GPT", 80 * GB - 37_580_963_840), ("Qwen", 35 * GB), ("Gemma", 18 * GB), ("Hermes", 5 * GB)];
    assert_eq!(verdict.more, more.map(|(name, bytes)| (CleanText::from(name), bytes)));
    assert_eq!(verdict.needed, 100_419_036_160);
    assert_eq!(verdict.room, 234_877_906_944 - 17_179_869_184 - 37_580_963_840);
    assert_eq!(verdict.fit, Fit::Fits);
    assert_eq!(verdict.headline(), "fits: 155.2 of 234.9 GB");
}

#[test]
fn what_other_programs_hold_counts() {
    let server = |footprint, resident| crate::domain::protocol::ServerMemory {
        port: 1,
        pid: 1,
        processes: 1,
        footprint: Some(footprint),
        resident: Some(resident),
        gpu: None,
    };
    let settings = MachineSettings::default();
    let of = |sample: &MachineSampled| {
        let plan = MemoryPlan::of_fleet(&fleet(&[("a", "ollama", 1, Some(19.0))]), sample, &settings);
        let verdict = plan.judge(&names(&plan), &[]);
        (plan.others, verdict.fit, verdict.to_string())
    };
    // 51 of 64 GB are in use, and nothing of it is ours: more than the 9.6 that are kept free for others.
    let busy = MachineSampled { used: 51 * GB, ..machine(64 * GB) };
    let says = "lacks 6 GB: needs 19 for a 19; 13 GB are left of 13 (64 less 51 that other programs hold)";
    assert_eq!(of(&busy), (51 * GB, Fit::No, says.to_owned()));
    // On Linux the weights that a server maps from a file are not in use; its own 2 are.
    let linux = MachineSampled { servers: vec![server(2 * GB, 21 * GB)], ..busy.clone() };
    assert_eq!(of(&linux).0, 49 * GB);
    // On macOS the GPU wires them.
    let gpu = crate::domain::protocol::Gpu { unified: true, ..Default::default() };
    let macos = MachineSampled { gpus: vec![gpu], ..linux };
    assert_eq!((of(&macos).0, of(&macos).1), (30 * GB, Fit::Fits));
    // Less than what is kept free for them changes nothing.
    let idle = MachineSampled { used: 5 * GB, ..machine(64 * GB) };
    assert_eq!(of(&idle).2, "needs 19 GB more: a 19; 54.4 GB are left of 54.4 (64 less 9.6 kept free)");
}

#[test]
fn the_least_limit_counts_and_says_what_it_is() {
    let settings = MachineSettings::default();
    let cards = |unified, bytes| {
        let gpu = crate::domain::protocol::Gpu {
            unified,
            limit: Some(crate::domain::protocol::GpuLimit { bytes, source: LimitSource::Metal }),
            ..Default::default()
        };
        MachineSampled { gpus: vec![gpu], ..machine(100 * GB) }
    };
    let budget = |gb| MachineSettings { budget_gb: Some(gb), ..MachineSettings::default() };
    let cases = [
        (machine(0), settings.clone(), None),
        (machine(100 * GB), settings.clone(), Some("85 (100 less 15 kept free)")),
        (machine(1_000 * GB), settings.clone(), Some("960 (1000 less 40 kept free)")),
        (cards(true, 74 * GB), settings.clone(), Some("74 (GPU limit, Metal)")),
        (cards(true, 95 * GB), settings.clone(), Some("85 (100 less 15 kept free)")),
        (cards(false, 48 * GB), settings, Some("133 (main memory and cards)")),
        (machine(0), budget(18.6), Some("18.6 (your budget)")),
        (machine(100 * GB), budget(90.0), Some("85 (100 less 15 kept free)")),
        (cards(true, 74 * GB), budget(70.0), Some("70 (your budget)")),
    ];
    for (sample, settings, want) in cases {
        let plan = MemoryPlan::of_fleet(&fleet(&[("a", "ollama", 1, Some(1.0))]), &sample, &settings);
        assert_eq!(plan.limit.map(|l| l.to_string()).as_deref(), want);
    }
    assert_eq!(bytes(18.6), 18_600_000_000);
    assert_eq!((bytes(0.0), bytes(-1.0)), (0, 0));
}

#[test]
fn caches_follow_from_the_shape_and_what_the_server_tells() {
    let fleet = fleet(&[("a", "llama.cpp", 8083, Some(16.0)), ("b", "ollama", 11434, Some(80.0))]);
    let shape = ModelShape { weights: Some(13_000_000_000), kv_token: Some(163_840), kv_slot: 1_000, trained: None };
    let mut a = found("a", Health::Up);
    (a.shape, a.slots, a.context) = (Some(shape), Some(6), Some(16_384));
    let mut b = found("b", Health::Up);
    b.shape = Some(ModelShape { weights: Some(65 * GB), kv_token: Some(73_728), ..shape });
    let state = state(&fleet, MachineSettings::default(), machine(200 * GB), vec![a, b]);
    let plan = MemoryPlan::of(&state);
    let a = plan.row(&"a".parse().unwrap()).unwrap();
    assert_eq!((a.planned, a.weights), (Some(16 * GB), Some(13 * GB)), "what the file says goes before the plan");
    assert_eq!(a.cache, Some((163_840 * 16_384 + 1_000) * 6), "as the server has it, not as it is configured");
    assert_eq!(a.needs(), Some(13 * GB + 16_106_133_360));
    let b = plan.row(&"b".parse().unwrap()).unwrap();
    assert_eq!(b.cache, Some((73_728 * 8_192 + 1_000) * 4));
    assert_eq!((a.presence, b.presence), (Presence::Here, Presence::OnRequest));
    // One that runs has all of its cache from its start on, though not all of it may be measured yet.
    assert_eq!(plan.held(), 13 * GB + 16_106_133_360);
    assert_eq!(plan.caches(), 16_106_133_360 + 2_415_923_104);
    let verdict = plan.judge(&names(&plan), &[]);
    assert_eq!(verdict.more, [(CleanText::from("b"), 65 * GB + 2_415_923_104)]);
}

#[test]
fn a_model_is_there_when_its_server_says_so_or_has_no_other_way() {
    let up = Health::Up;
    let down = || Health::Down { reason: CleanText::from("refused") };
    let with = |mut f: EndpointChanged, residence, resident| {
        (f.residence, f.resident) = (residence, resident);
        f
    };
    use Residence::{Loaded, Loading, Unloaded};
    let cases = [
        ("llama.cpp", None, Presence::Away),
        ("ollama", None, Presence::OnRequest),
        ("llama.cpp", Some(found("a", up.clone())), Presence::Here),
        ("openai", Some(found("a", Health::Loading)), Presence::Here),
        ("llama.cpp", Some(with(found("a", up.clone()), Some(Unloaded), None)), Presence::OnRequest),
        ("llama.cpp", Some(found("a", down())), Presence::Away),
        ("ollama", Some(found("a", up.clone())), Presence::OnRequest),
        ("ollama", Some(with(found("a", up.clone()), None, Some(80 * GB))), Presence::Here),
        ("ollama", Some(with(found("a", up.clone()), Some(Loading), None)), Presence::Here),
        ("ollama", Some(with(found("a", up), Some(Loaded), None)), Presence::Here),
        ("ollama", Some(with(found("a", down()), None, Some(80 * GB))), Presence::Away),
    ];
    for (protocol, found, want) in cases {
        let fleet = fleet(&[("a", protocol, 1, Some(80.0))]);
        let state = state(&fleet, MachineSettings::default(), machine(100 * GB), found.clone().into_iter().collect());
        assert_eq!(MemoryPlan::of(&state).rows[0].presence, want, "{protocol} {found:?}");
    }
}

#[test]
fn a_server_that_starts_takes_its_memory_before_it_answers() {
    let fleet = fleet(&[("a", "llama.cpp", 1, Some(60.0)), ("b", "llama.cpp", 2, Some(40.0))]);
    let down = |name| found(name, Health::Down { reason: CleanText::from("refused") });
    let mut state = state(&fleet, MachineSettings::default(), machine(100 * GB), vec![down("a"), down("b")]);
    let b = ["b".parse().unwrap()];
    assert_eq!(MemoryPlan::of(&state).judge(&b, &[]).fit, Fit::Fits);
    let mut tell = |standing: &str| {
        let data = json!({"endpoint": "a", "standing": standing, "words": "w", "port": 1});
        let event: Event = serde_json::from_value(json!({"event": "server.changed", "data": data})).unwrap();
        state.apply(&Record { seq: state.seq + 1, at: Micros(9), event });
        MemoryPlan::of(&state)
    };
    let starting = tell("starting");
    assert_eq!((starting.held(), starting.judge(&b, &[]).fit), (60 * GB, Fit::No));
    assert_eq!(tell("failed").judge(&b, &[]).fit, Fit::Fits);
}

#[test]
fn two_names_of_one_model_count_once_and_two_models_of_one_server_share_what_is_measured() {
    let mut fleet =
        fleet(&[("a", "ollama", 1, Some(30.0)), ("twin", "ollama", 1, Some(30.0)), ("b", "ollama", 1, Some(20.0))]);
    fleet.endpoints[1].model = "a".to_owned();
    let server = ServerMemory { port: 1, footprint: Some(33 * GB), resident: Some(34 * GB), ..ServerMemory::default() };
    let sample = MachineSampled { servers: vec![server], ..machine(100 * GB) };
    let mut a = found("a", Health::Up);
    a.resident = Some(32 * GB);
    let mut twin = found("twin", Health::Up);
    twin.resident = Some(32 * GB);
    let state = state(&fleet, MachineSettings::default(), sample, vec![a, twin, found("b", Health::Up)]);
    let plan = MemoryPlan::of(&state);
    assert_eq!(plan.planned(), 50 * GB);
    assert_eq!(plan.held(), 34 * GB, "the larger of 32 claimed and 34 measured");
    let verdict = plan.judge(&names(&plan), &[]);
    // What the server holds may be the other model's: b needs all of its own.
    assert_eq!((verdict.needed, verdict.room), (20 * GB, 51 * GB));
    assert_eq!(verdict.to_string(), "needs 20 GB more: b 20; 51 GB are left of 85 (100 less 15 kept free)");
}

#[test]
fn it_fits_is_tight_or_does_not_and_pressure_has_a_say() {
    let fleet =
        fleet(&[("gpt", "ollama", 1, Some(80.0)), ("qwen", "ollama", 2, Some(18.0)), ("phi", "ollama", 3, None)]);
    let name = |n: &str| n.parse::<EndpointName>().unwrap();
    let of = |gb, pressure| {
        let settings = MachineSettings { budget_gb: Some(gb), ..MachineSettings::default() };
        let sample = MachineSampled { pressure, ..machine(1_000 * GB) };
        MemoryPlan::of_fleet(&fleet, &sample, &settings).judge(&[name("gpt"), name("qwen")], &[])
    };
    use Pressure::{Critical, Normal, Warning};
    let cases = [
        (200.0, None, "fits: 98 of 200 GB"),
        (200.0, Some(Normal), "fits: 98 of 200 GB"),
        (200.0, Some(Warning), "is tight: 98 of 200 GB"),
        (109.0, None, "fits: 98 of 109 GB"),
        (108.0, None, "is tight: 98 of 108 GB"),
        (98.0, None, "is tight: 98 of 98 GB"),
        (
            97.9,
            None,
            "does not suffice: lacks 0.1 GB: needs 98 for gpt 80 + qwen 18; 97.9 GB are left of 97.9 (your budget)",
        ),
        (
            200.0,
            Some(Critical),
            "does not suffice: needs 98 GB more: gpt 80 + qwen 18; 200 GB are left of 200 (your budget); memory pressure is critical",
        ),
    ];
    for (gb, pressure, want) in cases {
        assert_eq!(of(gb, pressure).headline(), want);
    }
    let settings = MachineSettings { budget_gb: Some(90.0), ..MachineSettings::default() };
    let plan = MemoryPlan::of_fleet(&fleet, &machine(0), &settings);
    // What others were promised is gone for this one, but not twice.
    let (gpt, qwen, phi) = (&[name("gpt")][..], &[name("qwen")][..], &[name("phi")][..]);
    assert_eq!(plan.judge(qwen, &[]).fit, Fit::Fits);
    assert_eq!(plan.judge(qwen, gpt).fit, Fit::No);
    assert_eq!(plan.judge(gpt, gpt).fit, Fit::Fits);
    // What is not known holds nobody, and is said.
    let unknown = plan.judge(phi, &[]);
    assert_eq!(unknown.fit, Fit::Unknown);
    assert_eq!(
        unknown.to_string(),
        "90 GB are left of 90 (your budget); the size of phi is not known and counts for nothing"
    );
    assert_eq!(
        plan.judge(&[], &[]).to_string(),
        "loads no model that is not loaded; 90 GB are left of 90 (your budget)"
    );
    let nothing = MemoryPlan::of_fleet(&fleet, &machine(0), &MachineSettings::default());
    assert_eq!(nothing.judge(gpt, &[]).fit, Fit::Unknown);
    assert!(nothing.judge(gpt, &[]).to_string().contains("is not known yet"));
}

#[test]
fn only_what_this_machine_serves_has_a_row() {
    let mut fleet =
        fleet(&[("a", "ollama", 1, Some(30.0)), ("b", "openai", 2, Some(20.0)), ("c", "llama.cpp", 3, Some(9.0))]);
    fleet.endpoints[1].url = "https://models.example:443".to_owned();
    fleet.endpoints[2].nature = Nature::Simulated;
    let rows = |budget_gb| {
        let settings = MachineSettings { budget_gb, ..MachineSettings::default() };
        names(&MemoryPlan::of_fleet(&fleet, &machine(100 * GB), &settings))
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(None), ["a"]);
    assert_eq!(rows(Some(50.0)), ["a", "c"]);
}

#[test]
fn amounts_are_short() {
    let cases =
        [(98 * GB, "98"), (70_949_999_999, "70.9"), (70_950_000_000, "71"), (49_999_999, "0"), (50_000_000, "0.1")];
    for (bytes, want) in cases {
        assert_eq!(amount(bytes), want);
    }
    assert_eq!(amount(u64::MAX), "18446744073.7");
}
