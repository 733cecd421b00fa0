//! Fleets whose servers are not what they say, plans for them, and the best that anybody could do with them. The tests
//! and the bench share these.

use baton::domain::fleet::{Agent, Endpoint, Fleet, Protocol, SessionConfig, Settings};
use baton::domain::plan::TaskSpec;
use baton::domain::protocol::Name;
use baton::engine::simulator::{Faults, SimEndpoint};

/// How long one request takes at full speed, in seconds.
pub(crate) const WORK: f64 = 1.0;
/// Milliseconds of that until its prompt is read.
const READ: u32 = 100;
/// Tokens of its answer.
const TOKENS: u32 = 40;

/// A simulated server: true slots, and what is wrong with it. Times count from the simulator's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) slots: u32,
    pub(crate) faults: &'static str,
}

/// Servers of one tier, and a plan: a chain, each of which needs the one before, in a crowd without needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) servers: &'static [Server],
    pub(crate) chain: usize,
    pub(crate) crowd: usize,
}

const fn llama(name: &'static str, slots: u32, faults: &'static str) -> Server {
    Server { name, protocol: Protocol::LlamaCpp, slots, faults }
}

/// All of them; each takes about 15 s at best. What nobody can know before it shows costs time, so that chains leave
/// some: one that could wait for nothing would measure luck.
pub(crate) const SCENARIOS: [Scenario; 8] = [
    Scenario { name: "a liar alone", servers: &[llama("liar", 1, "claims=4")], chain: 0, crowd: 15 },
    Scenario {
        name: "a liar that tells nothing of its slots",
        servers: &[Server { name: "liar", protocol: Protocol::Ollama, slots: 1, faults: "claims=4" }],
        chain: 0,
        crowd: 15,
    },
    Scenario {
        name: "a liar beside an honest one",
        servers: &[llama("liar", 1, "claims=4"), llama("honest", 4, "")],
        chain: 12,
        crowd: 63,
    },
    Scenario {
        name: "one that reads prompts one after another",
        servers: &[llama("orderly", 4, "reads=1")],
        chain: 0,
        crowd: 60,
    },
    Scenario {
        name: "one that slows down for a while",
        servers: &[llama("tired", 4, "slowdown=2s:4:10s"), llama("fresh", 4, "")],
        chain: 10,
        crowd: 82,
    },
    Scenario {
        name: "one that slows down for good",
        servers: &[llama("tired", 4, "slowdown=2s:4"), llama("fresh", 4, "")],
        chain: 0,
        crowd: 76,
    },
    Scenario {
        name: "one that dies and returns",
        servers: &[llama("mortal", 4, "die=4s,back=2s"), llama("steady", 4, "")],
        chain: 0,
        crowd: 106,
    },
    Scenario {
        name: "one shared with another client",
        servers: &[llama("shared", 4, "others=2@2s-7s"), llama("own", 4, "")],
        chain: 12,
        crowd: 98,
    },
];

impl Server {
    fn faults(&self) -> Faults {
        self.faults.parse().unwrap()
    }

    /// It, to be started.
    pub(crate) fn simulated(&self) -> SimEndpoint {
        SimEndpoint {
            tokens_per_second: f64::from(TOKENS) / WORK,
            faults: self.faults(),
            ..SimEndpoint::new(self.name, self.protocol, self.name, self.slots, 8_192)
        }
    }

    /// When a request ends that slot `index` could begin at `free`.
    fn end(&self, index: u32, free: f64) -> f64 {
        let faults = self.faults();
        let mut begin = free;
        // What began before the other client came runs to its end.
        if let Some(others) = faults.others
            && index < others.slots
            && (others.from.as_secs_f64()..others.until.as_secs_f64()).contains(&begin)
        {
            begin = others.until.as_secs_f64();
        }
        if let Some(dies) = faults.dies_at() {
            let back = faults.returns_at().map_or(f64::INFINITY, |back| back.as_secs_f64());
            if begin + WORK > dies.as_secs_f64() && begin < back {
                begin = back;
            }
        }
        let Some(slow) = faults.slowdown else { return begin + WORK };
        let (from, until) = (slow.from.as_secs_f64(), slow.until.map_or(f64::INFINITY, |u| u.as_secs_f64()));
        let before = (from - begin).clamp(0.0, WORK);
        let (at, left) = (begin + before, WORK - before);
        let room = (until - at).max(0.0);
        let stretched = left * slow.factor;
        if stretched <= room { at + stretched } else { at + room + left - room / slow.factor }
    }
}

impl Scenario {
    /// The tasks of the plan, the chain last, so that only its length can say that it comes first.
    pub(crate) fn tasks(&self) -> Vec<TaskSpec> {
        let task = |id: String, needs: Option<String>| {
            let prompt = format!("Work on {id}. [sim ms={} read={READ} tokens={TOKENS}]", WORK * 1e3);
            let mut spec = TaskSpec::new(Name::slug(&id), Name::slug("worker"), prompt);
            spec.needs = needs.iter().map(|n| Name::slug(n)).collect();
            spec.budget.tokens = Some(TOKENS);
            spec
        };
        let crowd = (0..self.crowd).map(|i| task(format!("crowd{i}"), None));
        let chain = (0..self.chain).map(|i| task(format!("chain{i}"), (i > 0).then(|| format!("chain{}", i - 1))));
        crowd.chain(chain).collect()
    }

    /// A session with these endpoints, all of one tier.
    pub(crate) fn config(&self, mut endpoints: Vec<Endpoint>) -> SessionConfig {
        for endpoint in &mut endpoints {
            endpoint.tiers = vec![Name::slug("work")];
        }
        let agent = Agent {
            name: Name::slug("worker"),
            description: "works".into(),
            tier: Name::slug("work"),
            fallback: None,
            max_tokens: 256,
            temperature: 0.3,
            level: None,
            tools: Vec::new(),
            prompt: "You work.".into(),
        };
        let settings =
            Settings { synthesis: false, backoff_ms: 10, planner: Name::slug("worker"), ..Settings::default() };
        let fleet = Fleet { name: "sim".into(), endpoints, agents: vec![agent] };
        SessionConfig { fleet, settings, seed: 1, ..SessionConfig::default() }
    }

    /// The shortest time in seconds that somebody who knew all could need who began `start` seconds after the simulator:
    /// each request on the slot where it ends first, which is optimal for equal ones in any order, and no less than the
    /// chain takes.
    pub(crate) fn best(&self, start: f64) -> f64 {
        let slots = self.servers.iter().flat_map(|server| (0..server.slots).map(move |index| (server, index)));
        let mut next: Vec<(&Server, u32, f64)> = slots.map(|(s, index)| (s, index, s.end(index, start))).collect();
        let mut last = start;
        for _ in 0..self.chain + self.crowd {
            let Some((server, index, end)) = next.iter_mut().min_by(|a, b| a.2.total_cmp(&b.2)) else { break };
            last = *end;
            *end = server.end(*index, last);
        }
        (last - start).max(self.chain as f64 * WORK)
    }
}
