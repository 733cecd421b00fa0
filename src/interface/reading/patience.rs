//! How long a run waits for servers, and what it says meanwhile.
//!
//! Not here: whether it waits at all ([`super::outlook`]). Pure but for the instants it is given. Invariant: only silence is counted; a
//! server that says that it loads its model is waited for as long as it was given to be ready.

use std::time::{Duration, Instant};

use super::outlook::Waits;
use crate::domain::protocol::{Health, Micros};
use crate::domain::state::{EndpointState, State};

/// How long silence is borne when nothing else is asked for: a server that is started again by its keeper is back by then.
const SILENCE: Duration = Duration::from_secs(60);

/// How long a model may be loaded when nothing is said of it: as long as a `launch` gives by itself.
const READY: u64 = 600;

/// Between two words on a server that loads.
const AGAIN: Duration = Duration::from_secs(30);

/// What follows from waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Patient {
    /// It goes on, after saying this.
    Waits(Vec<String>),
    /// It has waited long enough.
    Over,
}

/// The waiting of one run.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    allowed: Duration,
    /// Silence in a row, as far as nothing got on in between.
    silent: Duration,
    /// When it was last asked, while it waits.
    last: Option<Instant>,
    /// Silence was said.
    said: bool,
    /// When loading was last said.
    loading_said: Option<Instant>,
}

impl Patience {
    /// With so many seconds of silence to bear; 60 when that is not said.
    pub(crate) fn new(seconds: Option<u32>) -> Self {
        let allowed = seconds.map_or(SILENCE, |seconds| Duration::from_secs(seconds.into()));
        Self { allowed, silent: Duration::ZERO, last: None, said: false, loading_said: None }
    }

    /// Work gets on.
    pub(crate) fn gets_on(&mut self) {
        *self = Self { allowed: self.allowed, ..Self::new(None) };
    }

    /// Nothing runs until a server answers; `at` is the session's time.
    pub(crate) fn waits(&mut self, now: Instant, state: &State, at: Micros, waits: &Waits) -> Patient {
        let since = self.last.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let loading = || waits.loading.iter().map(|ix| state.endpoint(*ix));
        let mut words = Vec::new();
        if loading().any(|e| is_in_time(e, at)) {
            if self.loading_said.is_none_or(|said| now.saturating_duration_since(said) >= AGAIN) {
                self.loading_said = Some(now);
                words.extend(loading().map(|e| {
                    let seconds = at.since(e.since).0 / 1_000_000;
                    format!("{} is loading (for {seconds} s)", e.config.name)
                }));
            }
            return Patient::Waits(words);
        }
        if !waits.loading.is_empty() {
            return Patient::Over;
        }
        self.silent += since;
        if self.silent >= self.allowed {
            return Patient::Over;
        }
        if !std::mem::replace(&mut self.said, true) {
            let seconds = self.allowed.as_secs();
            words.push(format!("waiting up to {seconds} s for a server to answer: {}", waits.sentences.join("; ")));
        }
        Patient::Waits(words)
    }
}

/// Whether a server may still be loading its model.
fn is_in_time(e: &EndpointState, at: Micros) -> bool {
    let limit = e.config.launch.as_ref().map_or(READY, |launch| launch.ready_seconds.into());
    e.health == Health::Loading && at.since(e.since) < Micros::from_secs(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fleet::{Endpoint, Fleet, SessionConfig};
    use crate::domain::protocol::{EndpointChanged, Event, Name, Record, SessionStarted};
    use crate::domain::state::EndpointIx;

    fn state(health: Health) -> State {
        let endpoint: Endpoint = toml::from_str(
            "name = \"athene\"\ntiers = [\"t\"]\nprotocol = \"llama.cpp\"\nurl = \"http://127.0.0.1:9\"\nmodel = \"m\"\n\
             slots = 1\ncontext = 4096\n",
        )
        .unwrap();
        let config = SessionConfig {
            fleet: Fleet { endpoints: vec![endpoint], ..Fleet::default() },
            ..SessionConfig::default()
        };
        let started = SessionStarted { session: Name::slug("s"), config };
        let changed = EndpointChanged::of(Name::slug("athene"), health);
        let mut state = State::default();
        for (seq, event) in [Event::SessionStarted(Box::new(started)), Event::EndpointChanged(Box::new(changed))]
            .into_iter()
            .enumerate()
        {
            state.apply(&Record { seq: seq as u64 + 1, at: Micros(0), event });
        }
        state
    }

    fn waits(loading: bool) -> Waits {
        let loading = if loading { vec![EndpointIx(0)] } else { Vec::new() };
        Waits { sentences: vec!["t: nobody answers".to_owned()], loading }
    }

    #[test]
    fn loading_is_waited_for_and_said_every_half_minute() {
        let (state, begin) = (state(Health::Loading), Instant::now());
        let mut patience = Patience::new(Some(60));
        let mut said = Vec::new();
        for seconds in 0..600 {
            let now = begin + Duration::from_secs(seconds);
            match patience.waits(now, &state, Micros::from_secs(seconds), &waits(true)) {
                Patient::Waits(words) => said.extend(words),
                Patient::Over => panic!("over after {seconds} s"),
            }
        }
        assert_eq!(said.len(), 20);
        assert_eq!(said[1], "athene is loading (for 30 s)");
        let now = begin + Duration::from_secs(600);
        assert_eq!(patience.waits(now, &state, Micros::from_secs(600), &waits(true)), Patient::Over);
    }

    #[test]
    fn only_silence_is_counted() {
        let (loads, silent, begin) = (state(Health::Loading), state(Health::Unknown), Instant::now());
        let mut patience = Patience::new(Some(10));
        let mut now = begin;
        for _ in 0..3 {
            for second in 0..3 {
                now += Duration::from_secs(1);
                let told = patience.waits(now, &silent, Micros(0), &waits(false));
                assert!(matches!(told, Patient::Waits(_)), "{second}: {told:?}");
            }
            now += Duration::from_secs(100);
            assert!(matches!(patience.waits(now, &loads, Micros(0), &waits(true)), Patient::Waits(_)));
        }
        now += Duration::from_secs(2);
        assert_eq!(patience.waits(now, &silent, Micros(0), &waits(false)), Patient::Over);
        patience.gets_on();
        let told = patience.waits(now, &silent, Micros(0), &waits(false));
        let words = vec!["waiting up to 10 s for a server to answer: t: nobody answers".to_owned()];
        assert_eq!(told, Patient::Waits(words));
    }
}
