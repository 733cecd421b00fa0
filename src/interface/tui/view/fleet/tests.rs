//! The Fleet screen at the four sizes, in colour and without: a busy mixed fleet where everything is odd, a simulated
//! one, nothing known yet, a machine with cards of its own, a moment of the past.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::protocol::{
    EndpointChanged, EndpointFound, Event, Finding, Gpu, GpuLimit, Health, Intake, LimitSource, MachineSampled, Micros,
    ModelShape, Pressure, Residence, ServerChanged, ServerStanding,
};
use crate::interface::tui::action::{Action, Keymap};
use crate::interface::tui::model::fleet::parts::parts;
use crate::interface::tui::model::{Msg, Screen, Ui};
use crate::interface::tui::scene::{Scene, Transcripts};
use crate::interface::tui::theme::{GlyphSet, Theme};
use crate::interface::tui::view::run::fixture::{self, NOW, name};
use crate::interface::tui::view::{Caches, body, render, story};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

/// The samples of a machine under load, in order.
fn recorded() -> Vec<MachineSampled> {
    let text = include_str!("../../../../../tests/machine/m3ultra_load.jsonl");
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
    lines
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let sample = value.get("sample").cloned().unwrap_or(value);
            serde_json::from_value(sample).unwrap()
        })
        .collect()
}

fn says(story: &mut fixture::Story, at: Micros, change: EndpointChanged) {
    story.push(at, Event::EndpointChanged(Box::new(change)));
}

/// The fleet of the drawings on the recorded machine, with everything that can be odd about an endpoint.
fn busy() -> fixture::Story {
    let looks = recorded().into_iter().enumerate();
    let looks = looks.map(|(i, look)| (Micros::from_secs(20 + 38 * i as u64), look)).collect();
    let mut story = fixture::drawing_with(&[("athene", 8083), ("gpt", 8081), ("qwen", 11434)], looks);
    let at = Micros::from_secs(240);
    let shape = |weights: u64, kv: u64| {
        Some(ModelShape { weights: Some(weights), kv_token: Some(kv), kv_slot: 0, trained: Some(131_072) })
    };
    says(
        &mut story,
        at,
        EndpointChanged {
            slots: Some(6),
            resident: Some(16_106_127_360),
            shape: shape(14_200_000_000, 98_304),
            queued: Some(1),
            server: Some("llama.cpp b6527".into()),
            residence: Some(Residence::Loaded),
            others: 2,
            ..EndpointChanged::of(name("athene"), Health::Up)
        },
    );
    says(
        &mut story,
        at,
        EndpointChanged {
            slots: Some(2),
            shape: shape(63_000_000_000, 73_728),
            server: Some("llama.cpp b6527".into()),
            ..EndpointChanged::of(name("gpt"), Health::Up)
        },
    );
    says(
        &mut story,
        at,
        EndpointChanged {
            slots: Some(4),
            resident: Some(34_359_738_368),
            ..EndpointChanged::of(name("qwen"), Health::Up)
        },
    );
    let finding = Finding::Serves { slots: 3, claims: 4 };
    story.push(at, Event::EndpointFound(EndpointFound { endpoint: name("qwen"), finding }));
    story.push(at, Event::EndpointDrained { endpoint: name("lm"), intake: Intake::Draining });
    let finding = Finding::Failing { failures: 5 };
    story.push(at, Event::EndpointFound(EndpointFound { endpoint: name("mini"), finding }));
    says(&mut story, at, EndpointChanged::of(name("gemma"), Health::Loading));
    says(
        &mut story,
        at,
        EndpointChanged { residence: Some(Residence::Unloaded), ..EndpointChanged::of(name("mbp"), Health::Up) },
    );
    story.push(
        at,
        Event::ServerChanged(Box::new(ServerChanged {
            endpoint: name("gpt"),
            standing: ServerStanding::Ready,
            words: "answers since 03:12".into(),
            port: 8081,
            pid: Some(4101),
            lifetime: Some(crate::domain::fleet::Lifetime::Kept),
            restarts: 1,
            last: vec!["srv  load: loaded in 41 s".into()],
            log: Some("gpt.log".into()),
        })),
    );
    story
}

fn drawn(state: &crate::domain::state::State, ui: &mut Ui, theme: &Theme, now: Micros, size: (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buf = Buffer::empty(area);
    (ui.screen, ui.size) = (Screen::Fleet, size);
    ui.run.tick(state, now, body(area));
    let transcripts = Transcripts::default();
    let scene = Scene { state, transcripts: &transcripts, ui, theme, now };
    render(&scene, &Keymap::default(), &mut Caches::default(), area, &mut buf);
    buf
}

fn text(buf: &Buffer) -> String {
    let row = |y| (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..buf.area.height).map(row).collect::<Vec<_>>().join("\n")
}

fn on_fleet(size: (u16, u16)) -> Ui {
    let mut ui = Ui::default();
    (ui.screen, ui.size) = (Screen::Fleet, size);
    ui
}

fn shown(story: &fixture::Story, ui: &mut Ui, size: (u16, u16)) -> String {
    text(&drawn(&story.state, ui, &Theme::plain(), NOW, size))
}

#[test]
fn a_busy_fleet_at_every_size() {
    let story = busy();
    for size in SIZES {
        let name = format!("busy-{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, shown(&story, &mut Ui::default(), size));
    }
}

#[test]
fn the_same_in_colour() {
    let story = busy();
    for theme in ["midnight", "ansi16"] {
        let theme_ = Theme::load_named(theme);
        let buf = drawn(&story.state, &mut Ui::default(), &theme_, NOW, (200, 60));
        insta::assert_snapshot!(format!("colour-{theme}"), crate::interface::tui::view::tests::styled(&buf));
    }
}

#[test]
fn a_simulated_fleet_says_so() {
    let mut story = fixture::drawing();
    for e in &mut story.state.config.fleet.endpoints {
        e.nature = crate::domain::fleet::Nature::Simulated;
    }
    insta::assert_snapshot!("simulated-120x40", shown(&story, &mut Ui::default(), (120, 40)));
}

#[test]
fn nothing_known_yet() {
    let story = story::opened(crate::domain::fleet::Nature::Real);
    for size in SIZES {
        let buf = drawn(&story.state, &mut Ui::default(), &Theme::plain(), story.at, size);
        insta::assert_snapshot!(format!("unknown-{}x{}", size.0, size.1), text(&buf));
    }
    let state = crate::domain::state::State::default();
    let buf = drawn(&state, &mut Ui::default(), &Theme::plain(), Micros(0), (120, 40));
    assert!(text(&buf).contains("No endpoints."), "{}", text(&buf));
}

#[test]
fn cards_with_memory_of_their_own() {
    let mut story = fixture::drawing();
    let card = |name: &str, active: u64, percent: u8| Gpu {
        name: name.into(),
        limit: Some(GpuLimit { bytes: 48_305_799_168, source: LimitSource::Driver }),
        active: Some(active),
        percent: Some(percent),
        ..Gpu::default()
    };
    let look = MachineSampled {
        total: 270_000_000_000,
        used: 61_000_000_000,
        cached: Some(88_000_000_000),
        pressure: Some(Pressure::Normal),
        cpu_percent: Some(12),
        gpus: vec![card("NVIDIA RTX A6000", 41_000_000_000, 96), card("NVIDIA RTX A6000", 2_000_000_000, 0)],
        ..MachineSampled::default()
    };
    story.push(Micros::from_secs(251), Event::MachineSampled(Box::new(look)));
    insta::assert_snapshot!("cards-120x40", shown(&story, &mut Ui::default(), (120, 40)));
}

#[test]
fn the_bar_adds_up_to_the_byte() {
    for m in recorded() {
        let sum = |used: bool| parts(&m).iter().filter(|(k, _)| k.is_used() == used).map(|(_, b)| b).sum::<u64>();
        assert_eq!(sum(true), m.used);
        assert_eq!(m.app.unwrap() + m.wired.unwrap() + m.compressed.unwrap(), m.used);
        assert_eq!(sum(true) + sum(false), m.total);
    }
}

#[test]
fn without_lines_every_sign_has_a_twin() {
    let story = busy();
    let mut theme = Theme::plain();
    theme.glyphs = GlyphSet::Ascii;
    for size in SIZES {
        let drawn = text(&drawn(&story.state, &mut Ui::default(), &theme, NOW, size));
        // Titles come from outside and stay what they are.
        let odd: Vec<char> = drawn.chars().filter(|c| !c.is_ascii() && *c != '\n' && !is_wide(*c)).collect();
        assert!(odd.is_empty(), "{odd:?}\n{drawn}");
    }
}

fn is_wide(c: char) -> bool {
    crate::domain::text::width::width(&c.to_string()) == 2
}

#[test]
fn the_page_of_an_endpoint_shows_its_log_or_says_why_there_is_none() {
    let story = busy();
    let mut ui = on_fleet((120, 40));
    let gpt = story.state.find_endpoint(&name("gpt")).unwrap();
    ui.fleet.select(gpt, &story.state);
    let effects = ui.update(Msg::Action(Action::Enter), &story.state, NOW);
    assert!(
        matches!(&effects[..], [crate::interface::tui::model::UiEffect::FollowLog(s)] if s.endpoint == name("gpt"))
    );
    assert!(shown(&story, &mut ui, (80, 24)).contains("reading"));
    let lines = (1..=60).map(|n| format!("slot {n:>2} update_slots: n_past = {}, n_tokens = 512", n * 512).into());
    let news = crate::interface::tui::model::logs::LogNews {
        endpoint: name("gpt"),
        lines: lines.collect(),
        before: crate::interface::tui::model::logs::Before::Go,
        error: None,
    };
    ui.update(Msg::Log(Box::new(news)), &story.state, NOW);
    shown(&story, &mut ui, (120, 40));
    ui.update(Msg::Action(Action::Search), &story.state, NOW);
    for c in "slot 41".chars() {
        let key =
            crossterm::event::KeyEvent::new(crossterm::event::KeyCode::Char(c), crossterm::event::KeyModifiers::NONE);
        ui.update(Msg::Key(key), &story.state, NOW);
    }
    ui.update(Msg::Action(Action::Enter), &story.state, NOW);
    insta::assert_snapshot!("log-120x40", shown(&story, &mut ui, (120, 40)));
    insta::assert_snapshot!("log-80x24", shown(&story, &mut ui, (80, 24)));
    for _ in 0..2 {
        ui.update(Msg::Action(Action::Back), &story.state, NOW);
    }
    assert!(ui.fleet.page.is_none(), "one level a press: the search, then the page");
    let athene = story.state.find_endpoint(&name("athene")).unwrap();
    ui.fleet.select(athene, &story.state);
    assert_eq!(ui.update(Msg::Action(Action::Enter), &story.state, NOW), []);
    insta::assert_snapshot!("no-log-200x60", shown(&story, &mut ui, (200, 60)));
}

#[test]
fn the_cards_and_the_form() {
    let story = busy();
    let mut ui = on_fleet((80, 24));
    let gpt = story.state.find_endpoint(&name("gpt")).unwrap();
    ui.fleet.select(gpt, &story.state);
    ui.update(Msg::Action(Action::StopServer), &story.state, NOW);
    insta::assert_snapshot!("stop-80x24", shown(&story, &mut ui, (80, 24)));
    ui.layers.clear();
    ui.update(Msg::Action(Action::EditEndpoint), &story.state, NOW);
    insta::assert_snapshot!("form-80x24", shown(&story, &mut ui, (80, 24)));
}

#[test]
fn what_the_selection_shows_at_eighty_columns() {
    let story = busy();
    let mut ui = on_fleet((80, 24));
    for _ in 0..5 {
        ui.update(Msg::Action(Action::Down), &story.state, NOW);
    }
    let hermes = shown(&story, &mut ui, (80, 24));
    assert!(hermes.contains("nothing listens on 127.0.0.1"), "{hermes}");
}

mod sizes {
    use proptest::prelude::*;

    use super::*;
    use crate::interface::tui::model::fleet::FleetFocus;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn any_size_is_drawn(w in 0_u16..230, h in 0_u16..80, focus in 0_usize..3, at in 0_usize..9, page in any::<bool>()) {
            let story = busy();
            let mut ui = on_fleet((w, h));
            ui.fleet.focus = [FleetFocus::Strips, FleetFocus::Memory, FleetFocus::Detail][focus];
            let ix = crate::domain::state::EndpointIx(at as u32);
            ui.fleet.select(ix, &story.state);
            if page {
                ui.fleet.open(ix, &story.state);
            }
            let buf = drawn(&story.state, &mut ui, &Theme::plain(), NOW, (w, h));
            // The selected one is always in sight.
            if !page && w >= 30 && h >= 8 {
                let cursor = buf.content().iter().filter(|c| c.symbol() == "❯").count();
                prop_assert_eq!(cursor, 1);
            }
        }
    }
}
