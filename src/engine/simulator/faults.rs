//! Faults on demand: how often and how a simulated endpoint misbehaves.
//!
//! Not here: what a fault looks like on the wire (`wire`), when it strikes in a stream (`script`), what a slowdown does to
//! an answer (`pace`). Times count from the simulator's start and shrink with the fleet's speed ([`Faults::at_speed`]).
//! Invariants: a rate lies in 0..=1, and the rates together do not pass 1; what ends, ends after it began.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What goes wrong at an endpoint, and how often. The default: nothing.
///
/// Written as `error=0.1,stall=0.05,cut=0.1,garbage=0.02,tools=0.1,abort=0.1,think=0.1,slow=500,overload=3,takes=2:503,
/// die=20s,back=10s,load=5s,claims=4,reads=1,slowdown=5s:4:30s,others=2@10s-40s,plan=prose`; `term=20s` in place of `die=`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Share of requests that end with the server's own error: half before the first byte, half in the stream.
    pub error_rate: f64,
    /// Share of requests whose stream goes silent and never ends; the slot stays taken until the client leaves.
    pub stall_rate: f64,
    /// Share of requests whose connection is cut in the stream.
    pub cut_rate: f64,
    /// Share of requests whose stream turns into bytes that are no JSON and no UTF-8, then ends.
    pub garbage_rate: f64,
    /// Share of requests that are answered by a call of a tool that nobody offered, and without a word.
    pub tools_rate: f64,
    /// Share of requests that the engine itself ends half way: the stream ends in order, with the reason `abort` or, of
    /// every other one, `error`.
    pub abort_rate: f64,
    /// Share of requests whose thinking comes in the answer, with a closing tag only, as where the template opened it.
    pub think_rate: f64,
    /// Milliseconds a granted request waits before its first byte.
    pub slow_first_byte_ms: u64,
    /// With more than this many requests waiting, the next one is refused with 503. None: waits without limit.
    pub overload: Option<u32>,
    /// How many requests it takes at once, whatever its slots; the next one is refused with a time to wait.
    pub takes: Option<Takes>,
    /// The endpoint dies this long after the simulator started.
    pub die_after: Option<Duration>,
    /// It is asked to end (SIGTERM) this long after the simulator started, as llama-server takes it: its port refuses at
    /// once, and what was under way stays open without a byte for half a minute.
    pub term_after: Option<Duration>,
    /// It returns this long after it died or was asked to end; none: never by itself.
    pub back_after: Option<Duration>,
    /// How long it answers everything with "Loading model", at its start and after each return.
    pub load: Option<Duration>,
    /// Slots it says it has, whatever it serves; none: it tells the truth.
    pub claims: Option<u32>,
    /// How many prompts it reads at once; the next slot granted waits for its turn without a byte. None: one a slot.
    pub reads: Option<u32>,
    /// When its tokens come slower.
    pub slowdown: Option<Slowdown>,
    /// Slots that another client takes.
    pub others: Option<Others>,
    /// How requests for a plan are answered.
    pub plan: PlanAnswer,
}

/// A time in which everything an endpoint does takes longer. Written `FROM:FACTOR` or `FROM:FACTOR:UNTIL`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowdown {
    /// When it begins.
    pub from: Duration,
    /// How many times longer, from 1 to 1000.
    pub factor: f64,
    /// When it is over; none: never.
    pub until: Option<Duration>,
}

/// Requests of another client, each in work from the moment it is granted a slot until all of them end. Written
/// `SLOTS@FROM-UNTIL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Others {
    /// How many requests, and so slots.
    pub slots: u32,
    /// When they come. They wait in the queue like all others.
    pub from: Duration,
    /// When they end.
    pub until: Duration,
}

/// A limit of requests at once. Written `MOST` or `MOST:STATUS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// So many are in work at most.
    pub most: u32,
    /// What the next one is answered: 429 or 503.
    pub status: u16,
}

/// How a simulated planner answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanAnswer {
    /// With a good plan.
    #[default]
    Good,
    /// With prose that names steps and holds no JSON.
    Prose,
    /// With JSON that breaks off in the middle.
    HalfJson,
    /// With agents nobody knows.
    UnknownAgent,
    /// With two tasks that need each other.
    Cycle,
    /// With forty tasks, whatever limit was named.
    FortyTasks,
}

impl PlanAnswer {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Good, "ok"),
        (Self::Prose, "prose"),
        (Self::HalfJson, "half-json"),
        (Self::UnknownAgent, "unknown-agent"),
        (Self::Cycle, "cycle"),
        (Self::FortyTasks, "forty-tasks"),
    ];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(answer, _)| *answer == self).map_or("ok", |(_, word)| word)
    }
}

/// The faults there are.
const KNOWN: [&str; 19] = [
    "error", "stall", "cut", "garbage", "tools", "abort", "think", "slow", "overload", "takes", "die", "term", "back",
    "load", "claims", "reads", "slowdown", "others", "plan",
];

/// What is wrong with a line of faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// A part without `=`.
    #[error("fault `{part}` has no value; write NAME=VALUE, as in error=0.1")]
    Form {
        /// The part as written.
        part: String,
    },
    /// A name that is no fault.
    #[error("unknown fault `{name}`; known: {}", KNOWN.join(", "))]
    Name {
        /// The name as written.
        name: String,
    },
    /// A name given twice.
    #[error("fault `{name}` is given twice; keep one")]
    Twice {
        /// The name.
        name: String,
    },
    /// A value that does not fit.
    #[error("fault {name}={value}: expected {expected}")]
    Value {
        /// The fault.
        name: &'static str,
        /// The value as written.
        value: String,
        /// What would fit.
        expected: &'static str,
    },
    /// Rates that pass 1 together.
    #[error(
        "the rates of error, stall, cut, garbage, tools, abort and think come to {percent} %; together they must not pass 100 %"
    )]
    Sum {
        /// The sum in percent.
        percent: u32,
    },
    /// A return without an end.
    #[error("back= needs die= or term=: an endpoint that never ends can't return")]
    BackWithoutDie,
    /// Two ends.
    #[error("die= and term= are two ends of one endpoint; keep one")]
    TwoEnds,
}

impl Faults {
    /// When the endpoint dies, counted from the simulator's start.
    pub fn dies_at(&self) -> Option<Duration> {
        self.die_after
    }

    /// The shares of requests that fail, by the names of their faults.
    fn rates(&self) -> [(&'static str, f64); 7] {
        [
            ("error", self.error_rate),
            ("stall", self.stall_rate),
            ("cut", self.cut_rate),
            ("garbage", self.garbage_rate),
            ("tools", self.tools_rate),
            ("abort", self.abort_rate),
            ("think", self.think_rate),
        ]
    }

    /// When it is back, counted from the simulator's start.
    pub fn returns_at(&self) -> Option<Duration> {
        Some(self.die_after.or(self.term_after)? + self.back_after?)
    }

    /// The same faults with their times shrunk to a fleet's speed. `slow` stays: it is what a machine does, not a model.
    #[must_use]
    pub(super) fn at_speed(mut self, speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        let shrunk = |time: Duration| super::script::seconds(time.as_secs_f64() / speed);
        self.die_after = self.die_after.map(shrunk);
        self.term_after = self.term_after.map(shrunk);
        self.back_after = self.back_after.map(shrunk);
        self.load = self.load.map(shrunk);
        self.slowdown = self.slowdown.map(|s| Slowdown { from: shrunk(s.from), until: s.until.map(shrunk), ..s });
        self.others = self.others.map(|o| Others { from: shrunk(o.from), until: shrunk(o.until), ..o });
        self
    }
}

impl FromStr for Faults {
    type Err = FaultError;

    fn from_str(line: &str) -> Result<Self, FaultError> {
        let mut faults = Self::default();
        let mut given: Vec<&str> = Vec::new();
        for part in line.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return Err(FaultError::Form { part: part.into() });
            };
            let (name, value) = (name.trim(), value.trim());
            if given.contains(&name) {
                return Err(FaultError::Twice { name: name.into() });
            }
            match name {
                "error" => faults.error_rate = rate("error", value)?,
                "stall" => faults.stall_rate = rate("stall", value)?,
                "cut" => faults.cut_rate = rate("cut", value)?,
                "garbage" => faults.garbage_rate = rate("garbage", value)?,
                "tools" => faults.tools_rate = rate("tools", value)?,
                "abort" => faults.abort_rate = rate("abort", value)?,
                "think" => faults.think_rate = rate("think", value)?,
                "slow" => faults.slow_first_byte_ms = number("slow", value, "whole milliseconds, as in slow=500")?,
                "overload" => {
                    faults.overload = Some(number("overload", value, "a whole number of waiting requests")?);
                }
                "takes" => faults.takes = Some(takes(value)?),
                "die" => faults.die_after = Some(duration("die", value)?),
                "term" => faults.term_after = Some(duration("term", value)?),
                "back" => faults.back_after = Some(duration("back", value)?),
                "load" => faults.load = Some(duration("load", value)?),
                "claims" => {
                    faults.claims = Some(some("claims", value, "a whole number of slots above 0, as in claims=4")?)
                }
                "reads" => {
                    faults.reads = Some(some("reads", value, "a whole number of prompts above 0, as in reads=1")?)
                }
                "slowdown" => faults.slowdown = Some(slowdown(value)?),
                "others" => faults.others = Some(others(value)?),
                "plan" => faults.plan = plan(value)?,
                _ => return Err(FaultError::Name { name: name.into() }),
            }
            given.push(name);
        }
        let sum: f64 = faults.rates().iter().map(|(_, rate)| rate).sum();
        if sum > 1.0 + 1e-9 {
            return Err(FaultError::Sum { percent: (sum * 100.0).round() as u32 });
        }
        match (faults.die_after, faults.term_after, faults.back_after) {
            (Some(_), Some(_), _) => return Err(FaultError::TwoEnds),
            (None, None, Some(_)) => return Err(FaultError::BackWithoutDie),
            _ => {}
        }
        Ok(faults)
    }
}

impl fmt::Display for Faults {
    /// The line that parses to this value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.rates().iter().filter(|(_, rate)| *rate > 0.0).map(|(name, rate)| format!("{name}={rate}")));
        if self.slow_first_byte_ms > 0 {
            parts.push(format!("slow={}", self.slow_first_byte_ms));
        }
        parts.extend(self.overload.map(|n| format!("overload={n}")));
        parts.extend(self.takes.map(|t| format!("takes={}:{}", t.most, t.status)));
        parts.extend(self.die_after.map(|d| format!("die={}ms", d.as_millis())));
        parts.extend(self.term_after.map(|d| format!("term={}ms", d.as_millis())));
        parts.extend(self.back_after.map(|d| format!("back={}ms", d.as_millis())));
        parts.extend(self.load.map(|d| format!("load={}ms", d.as_millis())));
        parts.extend(self.claims.map(|n| format!("claims={n}")));
        parts.extend(self.reads.map(|n| format!("reads={n}")));
        parts.extend(self.slowdown.map(|s| {
            let until = s.until.map(|d| format!(":{}ms", d.as_millis())).unwrap_or_default();
            format!("slowdown={}ms:{}{until}", s.from.as_millis(), s.factor)
        }));
        parts.extend(
            self.others.map(|o| format!("others={}@{}ms-{}ms", o.slots, o.from.as_millis(), o.until.as_millis())),
        );
        if self.plan != PlanAnswer::Good {
            parts.push(format!("plan={}", self.plan.word()));
        }
        f.write_str(&parts.join(","))
    }
}

fn rate(name: &'static str, value: &str) -> Result<f64, FaultError> {
    let expected = "a share from 0 to 1, as in 0.1";
    match value.parse::<f64>() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err(FaultError::Value { name, value: value.into(), expected }),
    }
}

fn number<T: FromStr>(name: &'static str, value: &str, expected: &'static str) -> Result<T, FaultError> {
    value.parse().map_err(|_| FaultError::Value { name, value: value.into(), expected })
}

pub(super) fn duration(name: &'static str, value: &str) -> Result<Duration, FaultError> {
    let bad = || FaultError::Value { name, value: value.into(), expected: "a time, as in 20s, 500ms or 2m" };
    let split = value.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(value.len());
    let (digits, unit) = value.split_at(split);
    let scale = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        _ => return Err(bad()),
    };
    let amount: f64 = digits.parse().map_err(|_| bad())?;
    // A day is longer than any demo and keeps the conversion from overflowing.
    if (0.0..=86_400.0).contains(&(amount * scale)) { Ok(Duration::from_secs_f64(amount * scale)) } else { Err(bad()) }
}

fn some(name: &'static str, value: &str, expected: &'static str) -> Result<u32, FaultError> {
    match number(name, value, expected)? {
        0 => Err(FaultError::Value { name, value: value.into(), expected }),
        n => Ok(n),
    }
}

fn takes(value: &str) -> Result<Takes, FaultError> {
    let expected = "requests at once, above 0, and perhaps the status of a refusal, 429 or 503, as in 1 or 1:503";
    let bad = || FaultError::Value { name: "takes", value: value.into(), expected };
    let (most, status) = value.split_once(':').unwrap_or((value, "429"));
    let most = most.parse().ok().filter(|n| *n > 0).ok_or_else(bad)?;
    let status = status.parse().ok().filter(|status| matches!(status, 429 | 503)).ok_or_else(bad)?;
    Ok(Takes { most, status })
}

fn slowdown(value: &str) -> Result<Slowdown, FaultError> {
    let expected = "a time, a factor from 1 to 1000 and perhaps the time it is over, as in 5s:4 or 5s:4:30s";
    let bad = || FaultError::Value { name: "slowdown", value: value.into(), expected };
    let mut parts = value.split(':');
    let (Some(from), Some(factor)) = (parts.next(), parts.next()) else { return Err(bad()) };
    let time = |part: &str| duration("slowdown", part).map_err(|_| bad());
    let (from, until) = (time(from)?, parts.next().map(time).transpose()?);
    let factor = factor.parse().ok().filter(|f: &f64| (1.0..=1_000.0).contains(f)).ok_or_else(bad)?;
    if parts.next().is_some() || until.is_some_and(|until| until < from) {
        return Err(bad());
    }
    Ok(Slowdown { from, factor, until })
}

fn others(value: &str) -> Result<Others, FaultError> {
    let expected = "slots and the times from and until another client has them, as in 2@10s-40s";
    let bad = || FaultError::Value { name: "others", value: value.into(), expected };
    let (slots, times) = value.split_once('@').ok_or_else(bad)?;
    let (from, until) = times.split_once('-').ok_or_else(bad)?;
    let time = |part: &str| duration("others", part).map_err(|_| bad());
    let slots = slots.parse().ok().filter(|n| *n > 0).ok_or_else(bad)?;
    let others = Others { slots, from: time(from)?, until: time(until)? };
    if others.until < others.from { Err(bad()) } else { Ok(others) }
}

fn plan(value: &str) -> Result<PlanAnswer, FaultError> {
    PlanAnswer::ALL.iter().find(|(_, word)| *word == value).map(|(answer, _)| *answer).ok_or(FaultError::Value {
        name: "plan",
        value: value.into(),
        expected: "ok, prose, half-json, unknown-agent, cycle or forty-tasks",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_line_parses_and_prints_back() {
        let line = "error=0.1,stall=0.05,cut=0.1,garbage=0.02,tools=0.2,abort=0.03,think=0.04,slow=500,overload=3,\
                    takes=2:503,die=20s,back=10s,load=5s,claims=4,reads=1,slowdown=5s:2.5:1m,others=2@500ms-40s,plan=half-json";
        let faults: Faults = line.parse().expect("parses");
        assert_eq!(faults.error_rate, 0.1);
        assert_eq!(faults.slow_first_byte_ms, 500);
        assert_eq!(faults.overload, Some(3));
        assert_eq!(faults.dies_at(), Some(Duration::from_secs(20)));
        assert_eq!(faults.returns_at(), Some(Duration::from_secs(30)));
        assert_eq!(faults.plan, PlanAnswer::HalfJson);
        let seconds = Duration::from_secs;
        assert_eq!((faults.claims, faults.reads), (Some(4), Some(1)));
        let slowdown = Slowdown { from: seconds(5), factor: 2.5, until: Some(seconds(60)) };
        assert_eq!(faults.slowdown, Some(slowdown));
        assert_eq!(faults.others, Some(Others { slots: 2, from: Duration::from_millis(500), until: seconds(40) }));
        assert_eq!((faults.tools_rate, faults.abort_rate, faults.think_rate), (0.2, 0.03, 0.04));
        assert_eq!((faults.takes, faults.load), (Some(Takes { most: 2, status: 503 }), Some(seconds(5))));
        assert_eq!(faults.to_string().parse::<Faults>().expect("parses again"), faults);
        let asked: Faults = "takes=1,term=20s,back=2s".parse().expect("parses");
        assert_eq!((asked.takes, asked.dies_at()), (Some(Takes { most: 1, status: 429 }), None));
        assert_eq!((asked.term_after, asked.returns_at()), (Some(seconds(20)), Some(seconds(22))));
        assert_eq!(asked.to_string().parse::<Faults>().expect("parses again"), asked);
        assert_eq!("".parse::<Faults>(), Ok(Faults::default()));
        let open: Faults = "slowdown=5s:4".parse().expect("parses");
        assert_eq!(open.slowdown, Some(Slowdown { from: seconds(5), factor: 4.0, until: None }));
        assert_eq!(open.to_string().parse::<Faults>().expect("parses again"), open);
    }

    #[test]
    fn times_shrink_with_the_fleets_speed_and_the_first_bytes_delay_does_not() {
        let line = "slow=500,die=20s,back=10s,load=5s,slowdown=5s:4:30s,others=2@10s-40s";
        let faults: Faults = line.parse().expect("parses");
        let fast = faults.clone().at_speed(10.0);
        let shrunk = "slow=500,die=2000ms,back=1000ms,load=500ms,slowdown=500ms:4:3000ms,others=2@1000ms-4000ms";
        assert_eq!(fast.to_string(), shrunk);
        assert_eq!("term=20s".parse::<Faults>().expect("parses").at_speed(10.0).to_string(), "term=2000ms");
        for odd in [0.0, -1.0, f64::NAN, 1.0] {
            assert_eq!(faults.clone().at_speed(odd), faults);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("error", "fault `error` has no value; write NAME=VALUE, as in error=0.1"),
            (
                "eror=1",
                "unknown fault `eror`; known: error, stall, cut, garbage, tools, abort, think, slow, overload, takes, \
                 die, term, back, load, claims, reads, slowdown, others, plan",
            ),
            ("claims=0", "fault claims=0: expected a whole number of slots above 0, as in claims=4"),
            ("reads=no", "fault reads=no: expected a whole number of prompts above 0, as in reads=1"),
            ("error=10%", "fault error=10%: expected a share from 0 to 1, as in 0.1"),
            ("error=1.5", "fault error=1.5: expected a share from 0 to 1, as in 0.1"),
            ("cut=0.1,cut=0.2", "fault `cut` is given twice; keep one"),
            ("die=soon", "fault die=soon: expected a time, as in 20s, 500ms or 2m"),
            ("back=3s", "back= needs die= or term=: an endpoint that never ends can't return"),
            ("die=3s,term=4s", "die= and term= are two ends of one endpoint; keep one"),
            (
                "takes=1:500",
                "fault takes=1:500: expected requests at once, above 0, and perhaps the status of a refusal, 429 or 503, \
                 as in 1 or 1:503",
            ),
            ("plan=nice", "fault plan=nice: expected ok, prose, half-json, unknown-agent, cycle or forty-tasks"),
            (
                "error=0.6,cut=0.6",
                "the rates of error, stall, cut, garbage, tools, abort and think come to 120 %; together they must not \
                 pass 100 %",
            ),
        ];
        let same = ["slowdown=5s", "slowdown=5s:0.5", "slowdown=5s:4:3s", "slowdown=5s:4:9s:1", "slowdown=x:4"];
        for line in same.iter().chain(&["others=2", "others=0@1s-2s", "others=2@3s-2s", "others=2@1s", "others=2@-1s"])
        {
            let error = line.parse::<Faults>().expect_err(line).to_string();
            let mend = if line.starts_with("slow") { "as in 5s:4 or 5s:4:30s" } else { "as in 2@10s-40s" };
            assert!(error.contains(line) && error.ends_with(mend), "{error}");
        }
        for (line, message) in cases {
            let error = line.parse::<Faults>().expect_err(line);
            assert_eq!(error.to_string(), message);
        }
    }
}
