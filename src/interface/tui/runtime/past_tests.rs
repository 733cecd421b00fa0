//! Any moment on every screen: it does not matter how one came there.

use std::path::PathBuf;
use std::time::Duration;

use ratatui::buffer::Buffer;

use super::driven::Driven;
use super::harness;
use crate::domain::protocol::Micros;
use crate::interface::script::frame::text;
use crate::interface::tui::action::Key;
use crate::interface::tui::model::time::Travel;
use crate::interface::tui::time::seek::Aim;

fn journal() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journals/weather-station.jsonl").into()
}

struct Deck {
    driven: Driven,
    _folder: tempfile::TempDir,
}

impl Deck {
    fn new(size: (u16, u16)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let driven = Driven::open(&journal(), size, harness::options(folder.path())).unwrap();
        Self { driven, _folder: folder }
    }

    async fn keys(&mut self, keys: &str) -> &mut Self {
        for key in keys.split(' ').filter(|k| !k.is_empty()) {
            self.driven.key(key.parse::<Key>().unwrap().event()).await;
            self.driven.frame();
        }
        self
    }

    fn at(&mut self, aim: Aim) -> Buffer {
        self.driven.seek(aim);
        self.driven.frame().clone()
    }

    fn text(&mut self) -> String {
        text(self.driven.frame())
    }
}

/// Numbers that are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn same(a: &Buffer, b: &Buffer, how: &str) {
    assert!(a == b, "{how}\n--- one way\n{}\n--- the other\n{}", text(a), text(b));
}

/// Screens with what the user may have done on them.
const PLACES: [&str; 10] =
    ["1", "1 G tab", "1 j j z", "1 w j w tab k k", "1 / f i r m enter", "2", "3", "4 j j z", "5", "1 j enter"];

#[tokio::test]
async fn an_instant_looks_the_same_whichever_way_one_came_there() {
    let mut dice = Dice(7);
    for (i, place) in PLACES.into_iter().enumerate() {
        let size = [(120, 40), (80, 24), (60, 20), (200, 60)][i % 4];
        let (mut one, mut other) = (Deck::new(size), Deck::new(size));
        let (last, end) = (one.driven.whole().seq, one.driven.whole().at);
        // What the user chose he chose at the same instant.
        let chosen = Aim::Record(last / 2);
        for deck in [&mut one, &mut other] {
            deck.at(chosen);
            deck.keys(place).await;
        }
        for _ in 0..6 {
            // By records: there at once, from before step by step, and back from after.
            let seq = 1 + dice.roll(last - 1);
            let there = one.at(Aim::Record(seq));
            other.at(Aim::Record(seq.saturating_sub(1 + dice.roll(60))));
            while other.driven.state().seq < seq {
                other.driven.travel(Travel::Records(1));
            }
            same(&there, other.driven.frame(), &format!("{place}: stepped to {seq}"));
            one.at(Aim::Record((seq + dice.roll(400)).min(last)));
            same(&there, &one.at(Aim::Record(seq)), &format!("{place}: back to {seq}"));
            // By time: played there, with frames in between, at some speed.
            other.at(Aim::Time(Micros(dice.roll(end.0))));
            for _ in 0..dice.roll(3) {
                other.driven.travel(Travel::Speed(1));
                one.driven.travel(Travel::Speed(1));
            }
            one.driven.quiet();
            other.driven.travel(Travel::Play);
            for _ in 0..=dice.roll(30) {
                other.driven.pass(Duration::from_millis(dice.roll(200)));
                other.driven.frame();
            }
            if other.driven.plays() {
                other.driven.travel(Travel::Play);
            }
            other.driven.quiet();
            other.driven.frame();
            let at = other.driven.at();
            let played = other.driven.frame().clone();
            same(&played, &other.at(Aim::Time(at)), &format!("{place}: played to {at:?}"));
        }
    }
}

#[tokio::test]
async fn the_strip_says_where_one_is_and_acting_keys_are_refused() {
    let mut deck = Deck::new((120, 40));
    deck.keys("@ 5 0 % enter").await;
    let shown = deck.text();
    assert!(shown.contains("paused 00:31/01:02  50%") && shown.contains("REPLAY"), "{shown}");
    deck.keys("r").await;
    assert!(deck.text().contains("this is a replay"), "{}", deck.text());
    for (keys, says) in [
        (">", "00:36/"),
        ("<", "00:31/"),
        ("}", "00:37/"),
        ("{", "00:31/"),
        ("@ # 1 0 0 enter", "#100 "),
        (".", "#101 "),
        (",", "#100 "),
        ("0", "01:02/01:02"),
    ] {
        deck.keys(keys).await;
        deck.driven.quiet();
        let shown = deck.text();
        assert!(shown.contains(says), "{keys}: {says}\n{shown}");
    }
    deck.keys("@ n o t h i n g enter").await;
    assert!(deck.text().contains("no time, record or task of that name"), "{}", deck.text());
    deck.keys("esc F").await;
    assert!(deck.text().contains("Fork here: record 4073"), "{}", deck.text());
}

#[tokio::test]
async fn markers_are_gone_through_and_playing_stops_at_the_end() {
    let mut deck = Deck::new((80, 24));
    deck.at(Aim::Time(Micros(0)));
    let mut times = Vec::new();
    for _ in 0..5 {
        deck.driven.travel(Travel::Markers(1));
        times.push(deck.driven.at());
    }
    assert!(times.windows(2).all(|t| t[0] < t[1]), "{times:?}");
    deck.driven.travel(Travel::Markers(-1));
    assert_eq!(deck.driven.at(), times[3]);
    deck.at(Aim::Time(Micros::from_secs(60)));
    deck.driven.travel(Travel::Play);
    for _ in 0..200 {
        deck.driven.pass(Duration::from_millis(33));
    }
    assert!(!deck.driven.plays());
    assert_eq!(deck.driven.state(), deck.driven.whole());
}
