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
        for _ in 0..2 {
            // By records: there at once, from before step by step, and back from after.
            let seq = 1 + dice.roll(last - 1);
            let there = one.at(Aim::Record(seq));
            other.at(Aim::Record(seq.saturating_sub(1 + dice.roll(25))));
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
            for _ in 0..=dice.roll(12) {
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

/// A console of a session that goes on, and its journal, as far as it has come.
struct Live {
    console: harness::Harness,
    journal: PathBuf,
    _folder: tempfile::TempDir,
}

impl Live {
    /// With so many records of the demo.
    async fn new(records: usize) -> (Self, Vec<std::sync::Arc<crate::domain::protocol::Record>>) {
        let text = std::fs::read_to_string(journal()).unwrap();
        let all: Vec<_> = text
            .lines()
            .skip(1)
            .map(|l| std::sync::Arc::new(crate::domain::protocol::Record::from_json(l).unwrap()))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let part: Vec<&str> = text.lines().take(records + 1).collect();
        std::fs::write(&path, part.join("\n") + "\n").unwrap();
        let mut console = harness::Harness::new(120, 40);
        console.keep_journal(&path);
        console.tell_records(&all[..records]).await;
        (Self { console, journal: path, _folder: folder }, all)
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_session_is_looked_back_at_and_comes_back_as_it_is_by_then() {
    let (mut live, all) = Live::new(2_000).await;
    let before = live.console.screen();
    live.console.keys("<<>").await;
    let shown = live.console.screen();
    assert!(shown.contains("‹ 00:0") && shown.contains("0 returns to now"), "{shown}");
    live.console.keys("X").await;
    assert!(live.console.screen().contains("0 returns to now, F forks here"), "{}", live.console.screen());
    assert_eq!(live.console.sent(), Vec::<String>::new());
    // What happens meanwhile is taken in and does not move what is shown.
    live.console.pass(7_000).await;
    let past = live.console.screen();
    live.console.tell_records(&all[2_000..2_400]).await;
    assert_eq!(live.console.screen().lines().nth(10), past.lines().nth(10));
    live.console.keys("0").await;
    assert!(!live.console.screen().contains("‹"), "{}", live.console.screen());
    assert_ne!(live.console.screen(), before);
    // Leaving is about now.
    live.console.keys("<").await;
    live.console.keys("q").await;
    assert!(live.console.screen().contains("detach: give the shell back"), "{}", live.console.screen());
    assert!(live.journal.is_file());
}

#[tokio::test(start_paused = true)]
async fn older_text_is_read_back_when_its_beginning_is_scrolled_to() {
    let (mut live, _) = Live::new(3_900).await;
    live.console.forget_text();
    live.console.pass(1_000).await;
    live.console.keys("z<home>").await;
    live.console.pass(100).await;
    let shown = live.console.screen();
    assert!(!shown.contains("of earlier text are in the journal"), "{shown}");
    assert!(shown.contains("The request is about a weather station kit"), "its first line is there again\n{shown}");
}

#[tokio::test(start_paused = true)]
async fn while_the_past_stands_still_no_timer_runs() {
    let (mut live, _) = Live::new(2_000).await;
    live.console.hang_up().await;
    live.console.keys("<").await;
    live.console.pass(20_000).await;
    let frames = live.console.frames();
    live.console.keys(";").await;
    live.console.pass(500).await;
    assert!(live.console.frames() > frames, "it plays");
}
