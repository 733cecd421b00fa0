//! What the keys of the fleet do to one endpoint, on the Fleet screen and in Run's fleet pane: its server is started,
//! stopped, restarted, its model loaded and unloaded, its intake closed and opened, its form opened.
//!
//! Not here: whether the session takes it (the orchestrator). Invariant: what ends work or takes a model out of memory
//! asks first, and says what runs there and what is freed.

use super::form::EndpointForm;
use super::questions::memory;
use crate::domain::fleet::{Nature, Protocol, local_port};
use crate::domain::memory::{Fit, MemoryPlan};
use crate::domain::protocol::{
    Command, EndpointName, Health, Intake, MemoryCheck, Micros, ModelVerb, Residence, ServerStanding, ServerVerb,
};
use crate::domain::state::{EndpointIx, State};
use crate::domain::text::CleanText;
use crate::domain::text::wrap::wrap;
use crate::interface::tui::action::Action;
use crate::interface::tui::model::{Card, Choice, Layer, UiEffect, notice};
use crate::interface::tui::widget::figure::gigabytes_tenths;

/// Cells of a card's lines.
const CELLS: usize = 70;

/// What `action` does to an endpoint; none when it is no verb of one.
pub fn act(action: Action, ix: EndpointIx, state: &State, now: Micros) -> Option<Vec<UiEffect>> {
    let e = state.endpoint(ix);
    let name = e.config.name.clone();
    let serves = matches!(action, Action::StartServer | Action::StopServer | Action::RestartServer);
    if serves && e.config.nature == Nature::Simulated {
        return Some(notice("a simulated server begins and ends with Baton; p lets it run empty"));
    }
    Some(match action {
        Action::StartServer => start(ix, state, now),
        Action::StopServer => stop(ix, state, now),
        Action::RestartServer => restart(ix, state, now),
        Action::Drain => {
            let (command, words) = match e.intake {
                Intake::Open => {
                    (Command::Drain(name), "it takes no new requests; what runs there ends; p opens it again")
                }
                Intake::Draining => (Command::Undrain(name), "it takes requests again"),
            };
            let mut effects = notice(&format!("{}: {words}", e.config.short()));
            effects.push(UiEffect::Send(command));
            effects
        }
        Action::EditEndpoint => vec![open(Layer::Endpoint(Box::new(EndpointForm::of(e))))],
        _ => return None,
    })
}

fn start(ix: EndpointIx, state: &State, now: Micros) -> Vec<UiEffect> {
    let e = state.endpoint(ix);
    let name = &e.config.name;
    let runs = state.servers.get(name).is_some_and(|s| !s.standing.is_over()) || e.health == Health::Up;
    if e.config.launch.is_some() && !runs {
        return unless_short(ix, state, |memory| serve(name, ServerVerb::Start, memory), now);
    }
    let loads = || unless_short(ix, state, |memory| load(name, ModelVerb::Load, memory), now);
    match e.residence {
        Some(Residence::Loaded) => notice("its model is in memory; x takes it out"),
        Some(Residence::Loading) => notice("its model is being loaded"),
        Some(Residence::Unloaded) => loads(),
        None if e.health == Health::Up && e.config.protocol == Protocol::Ollama => loads(),
        None if runs => notice("its server runs; r restarts it, x stops it"),
        None => {
            notice("the fleet file does not say how it is started: give it a `launch`, or start it and press ctrl-r")
        }
    }
}

/// Begins something that loads a model; where memory is short it is asked first, with the sum.
fn unless_short(ix: EndpointIx, state: &State, begin: impl Fn(MemoryCheck) -> UiEffect, now: Micros) -> Vec<UiEffect> {
    let e = state.endpoint(ix);
    let verdict = MemoryPlan::of(state).judge(std::slice::from_ref(&e.config.name), &[]);
    if verdict.fit != Fit::No || !state.config.machine.hold_for_memory {
        return vec![begin(MemoryCheck::Heed)];
    }
    let mut body = lines(&format!("It {verdict}."));
    body.push("Begun all the same, the machine may swap and everything on it slow down.".into());
    let choices =
        vec![Choice::nothing("leave it"), Choice::new('f', "begin all the same", vec![begin(MemoryCheck::Force)])];
    card(format!("Memory is short for {}", e.config.short()), body, choices, now)
}

fn stop(ix: EndpointIx, state: &State, now: Micros) -> Vec<UiEffect> {
    let e = state.endpoint(ix);
    let name = &e.config.name;
    let server = state.servers.get(name).filter(|s| !s.standing.is_over());
    // A llama-server with one model has it as long as it runs; its router says that it is one.
    let swaps = e.config.protocol != Protocol::LlamaCpp || e.server.as_ref().is_some_and(|s| s.contains("router"));
    let unloads = swaps && e.residence == Some(Residence::Loaded)
        || e.residence.is_none() && e.health == Health::Up && e.config.protocol == Protocol::Ollama;
    let busy = state.pool(e.pool).busy();
    let mut choices = vec![Choice::nothing("leave it")];
    if unloads && busy == 0 {
        let effects = vec![load(name, ModelVerb::Unload, MemoryCheck::Heed)];
        choices.push(Choice::new('u', "unload its model; the next request loads it again", effects));
    }
    // One that Baton did not start is left alone.
    if server.is_some_and(|s| s.standing != ServerStanding::Stopping && s.lifetime.is_some()) {
        choices.push(Choice::new(
            'x',
            "stop its server and all its processes",
            vec![serve(name, ServerVerb::Stop, MemoryCheck::Heed)],
        ));
    }
    if choices.len() == 1 && unloads {
        return notice("requests run there; p lets it run empty, then x unloads its model");
    }
    if choices.len() == 1 {
        return notice("Baton did not start its server and can't unload its model; p lets it run empty");
    }
    let mut body = runs_there(ix, state);
    body.extend(frees(ix, state));
    card(format!("Stop {}", e.config.short()), body, choices, now)
}

fn restart(ix: EndpointIx, state: &State, now: Micros) -> Vec<UiEffect> {
    let e = state.endpoint(ix);
    let name = &e.config.name;
    if e.config.launch.is_none() {
        return notice("the fleet file does not say how it is started: give it a `launch`");
    }
    match state.servers.get(name).filter(|s| !s.standing.is_over()) {
        Some(server) if server.lifetime.is_none() => {
            return notice("Baton did not start its server and leaves it alone; end it where it was started");
        }
        Some(_) => {}
        None if e.health == Health::Up => {
            return notice("its server was started by others; end it where it was started");
        }
        None => return notice("it does not run; s starts it"),
    }
    let mut body = runs_there(ix, state);
    body.push("It starts with what the fleet file says now; its model is read again.".into());
    let choices = vec![
        Choice::nothing("leave it"),
        Choice::new('r', "restart its server", vec![serve(name, ServerVerb::Restart, MemoryCheck::Heed)]),
    ];
    card(format!("Restart {}", e.config.short()), body, choices, now)
}

/// What runs on an endpoint's server, and what becomes of it.
fn runs_there(ix: EndpointIx, state: &State) -> Vec<CleanText> {
    let pool = state.endpoint(ix).pool;
    let titles: Vec<&str> = state
        .running()
        .filter(|a| state.place_of(a).is_some_and(|e| e.pool == pool))
        .map(|a| state.task(a.task).title.as_str())
        .collect();
    let others = state.endpoint(ix).others;
    let mut text = match titles.as_slice() {
        [] => "Nothing of this session runs there.".to_owned(),
        [one] => format!("“{one}” runs there; its attempt ends and is tried again."),
        [first, rest @ ..] => {
            format!("“{first}” and {} more run there; their attempts end and are tried again.", rest.len())
        }
    };
    match others {
        0 => {}
        1 => text.push_str(" Another client uses 1 of its slots."),
        n => text.push_str(&format!(" Other clients use {n} of its slots.")),
    }
    lines(&text)
}

/// What a stop frees.
fn frees(ix: EndpointIx, state: &State) -> Vec<CleanText> {
    let held = memory(&MemoryPlan::of(state), state.endpoint(ix));
    let words = match (held.claimed.or(held.measured), held.planned) {
        (Some(bytes), _) => format!("It frees {} GB.", gigabytes_tenths(bytes)),
        (None, Some(bytes)) => format!("It frees about {} GB, by the fleet file.", gigabytes_tenths(bytes)),
        (None, None) => return Vec::new(),
    };
    let here = if local_port(&state.endpoint(ix).config.url).is_some() { "" } else { " Not on this machine." };
    lines(&format!("{words}{here}"))
}

fn lines(text: &str) -> Vec<CleanText> {
    wrap(text, CELLS).map(|row| CleanText::one_line(text.get(row).unwrap_or_default())).collect()
}

fn card(title: String, body: Vec<CleanText>, choices: Vec<Choice>, now: Micros) -> Vec<UiEffect> {
    vec![open(Layer::Card(Card::confirm(title, body, choices, now)))]
}

fn serve(endpoint: &EndpointName, verb: ServerVerb, memory: MemoryCheck) -> UiEffect {
    UiEffect::Send(Command::Server { endpoint: endpoint.clone(), verb, memory })
}

fn load(endpoint: &EndpointName, verb: ModelVerb, memory: MemoryCheck) -> UiEffect {
    UiEffect::Send(Command::Model { endpoint: endpoint.clone(), verb, memory })
}

fn open(layer: Layer) -> UiEffect {
    UiEffect::Open(Box::new(layer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::{EndpointChanged, Event, Name};
    use crate::interface::tui::view::run::fixture;

    #[test]
    fn a_model_is_unloaded_only_where_the_server_can() {
        for (server, can) in [("llama.cpp b6527", false), ("llama.cpp router b6527", true)] {
            let mut story = fixture::drawing();
            let ix = story.state.find_endpoint(&Name::slug("gemma")).unwrap();
            let name: Name = story.state.endpoint(ix).config.name.clone();
            let changed = EndpointChanged {
                server: Some(server.into()),
                residence: Some(Residence::Loaded),
                ..EndpointChanged::of(name, Health::Up)
            };
            story.push(story.state.at, Event::EndpointChanged(Box::new(changed)));
            assert_eq!(story.state.pool(story.state.endpoint(ix).pool).busy(), 0, "nothing of ours runs there");
            let said = stop(ix, &story.state, story.state.at);
            let offers = matches!(&said[..], [UiEffect::Open(layer)] if matches!(&**layer, Layer::Card(card)
                if card.choices.iter().any(|c| c.key == Some('u'))));
            assert_eq!(offers, can, "{server}: {said:?}");
        }
    }
}
