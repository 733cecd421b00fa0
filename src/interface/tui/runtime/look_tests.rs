//! Themes and what is kept, with keys typed at the whole loop.

use std::path::Path;

use crossterm::event::{Event, MouseButton, MouseEventKind};
use ratatui::style::Color;

use super::harness::{Happened, Harness};
use super::tests::{goal, started};
use super::*;
use crate::interface::tui::model::Layer;
use crate::interface::tui::theme::Slot;

fn console(folder: &Path, theme: Preset<String>) -> Harness {
    Harness::with(120, 40, folder, theme, Preset::BuiltIn(Mouse::Terminal), Depth::True)
}

fn built_in() -> Preset<String> {
    Preset::BuiltIn("midnight".into())
}

/// Opens the picker by its name.
const PICKER: &str = "<ctrl-p>choose a theme<enter>";

fn write(folder: &Path, name: &str, text: &str) {
    let themes = folder.join("themes");
    std::fs::create_dir_all(&themes).unwrap();
    std::fs::write(themes.join(name), text).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_theme_is_worn_while_it_is_chosen_and_the_one_before_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut console = console(folder.path(), built_in());
    console.tell(goal()).await;
    console.keys(PICKER).await;
    assert!(matches!(console.ui().layers.last(), Some(Layer::Themes(_))));
    console.keys("j").await;
    assert_eq!(console.theme().name, "ember");
    assert!(console.screen().contains("the last light of a fire"), "{}", console.screen());
    console.keys("<esc>").await;
    assert_eq!(console.theme().name, "midnight");
    assert!(console.ui().layers.is_empty());
    console.keys(PICKER).await.keys("jj").await;
    assert_eq!(console.theme().name, "okabe");
    console.keys("5").await;
    assert_eq!(console.theme().name, "midnight", "leaving by another way keeps nothing either");
    assert!(!console.log.borrow().contains(&Happened::Cleared), "nothing flickers");
    console.leave();
    assert!(!folder.path().join("console.toml").exists(), "what was only tried on is not kept");
}

#[tokio::test(start_paused = true)]
async fn a_kept_theme_is_worn_at_the_next_start_unless_one_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = console(folder.path(), built_in());
    first.tell(goal()).await;
    first.keys(PICKER).await.keys("j<enter>").await;
    assert!(first.screen().contains("theme ember"), "{}", first.screen());
    first.leave();
    assert_eq!(console(folder.path(), built_in()).theme().name, "ember");
    let mut set = console(folder.path(), Preset::Given("paper".into()));
    assert_eq!(set.theme().name, "paper");
    set.tell(goal()).await;
    set.keys(PICKER).await.keys("g<enter>").await;
    assert!(set.screen().contains("theme midnight until you leave: your settings say paper"), "{}", set.screen());
}

#[tokio::test(start_paused = true)]
async fn the_look_is_kept_and_pins_with_their_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = console(folder.path(), built_in());
    first.tell(goal()).await;
    first.keys("1").await.keys("wZ").await.keys("M").await;
    assert_eq!(first.ui().run.panes.pins.len(), 1);
    let grid = first.ui().run.grid;
    first.leave();
    let mut again = console(folder.path(), built_in());
    assert_eq!((again.ui().run.grid, again.ui().mouse), (grid, Mouse::Baton));
    assert!(again.log.borrow().contains(&Happened::Mouse(Mouse::Baton)));
    again.tell([started()]).await;
    assert!(again.ui().run.panes.pins.is_empty(), "its task is not there yet");
    again.keys("Z").await;
    again.tell(goal().split_off(1)).await;
    assert_eq!(again.ui().run.panes.pins.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_mouse_that_was_set_is_not_overruled_by_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("console.toml"), "mouse = true\n").unwrap();
    let given = Preset::Given(Mouse::Terminal);
    let console = Harness::with(80, 24, folder.path(), built_in(), given, Depth::True);
    assert_eq!(console.ui().mouse, Mouse::Terminal);
}

#[tokio::test(start_paused = true)]
async fn what_is_broken_is_said_and_the_console_starts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("console.toml"), "theme = [\n").unwrap();
    let console = console(folder.path(), Preset::Given("nightfall".into()));
    let said = console.ui().notice.as_ref().unwrap().text.to_string();
    assert!(
        said.contains("there is no such theme; there are midnight, ember") && said.contains("and 1 more"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_theme_file_is_read_again_when_the_user_comes_back_to_it() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "mine.toml", "inherits = \"midnight\"\n");
    let mut console = console(folder.path(), Preset::Given("mine".into()));
    console.tell(goal()).await;
    write(folder.path(), "mine.toml", "inherits = \"midnight\"\n[style]\ntext = \"#010203\"\n");
    console.keys("j").await;
    assert_ne!(console.theme().style(Slot::Text).fg, Some(Color::Rgb(1, 2, 3)), "keys look every two seconds only");
    console.event(Event::FocusGained).await;
    assert_eq!(console.theme().style(Slot::Text).fg, Some(Color::Rgb(1, 2, 3)));
    assert!(console.screen().contains("themes read again: mine"), "{}", console.screen());
    write(folder.path(), "mine.toml", "inherits = \"midnight\"\n[style]\ntext = \"pinkish\"\nmoon = 1\n");
    console.pass(2_100).await.keys("j").await;
    assert!(console.screen().contains("mine.toml:3: \"pinkish\" is in no [palette]"), "{}", console.screen());
    assert!(console.screen().contains("and 1 more"), "{}", console.screen());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_while_nobody_is_there_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut console = console(folder.path(), built_in());
    console.tell([started()]).await;
    console.pass(10_000).await;
    let frames = console.frames();
    write(folder.path(), "mine.toml", "inherits = \"midnight\"\n");
    console.pass(60_000).await;
    assert_eq!(console.frames(), frames);
}

#[tokio::test(start_paused = true)]
async fn the_picker_follows_a_file_that_is_written_while_it_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut console = console(folder.path(), built_in());
    console.tell(goal()).await;
    console.keys(PICKER).await.keys("G").await;
    assert_eq!(console.theme().name, "mono");
    write(folder.path(), "mine.toml", "inherits = \"ember\"\nabout = \"mine\"\n");
    console.event(Event::FocusGained).await;
    assert_eq!(console.theme().name, "mono", "the cursor stays with its theme");
    console.keys("G").await;
    assert_eq!(console.theme().name, "mine");
    assert!(console.screen().contains("yours"), "{}", console.screen());
}

#[tokio::test(start_paused = true)]
async fn borders_are_where_they_were_and_a_click_keeps_a_theme() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = console(folder.path(), built_in());
    first.tell(goal()).await;
    first.keys("1<ctrl-right><ctrl-right><ctrl-up>").await;
    let splits = first.ui().run.splits;
    assert_ne!(splits, Default::default());
    let wide = first.ui().run.areas().tree.width;
    first.keys("<f10>").await.keys(PICKER).await;
    let row = |n| {
        move |spot: &crate::interface::tui::model::spots::Spot| {
            *spot == crate::interface::tui::model::spots::Spot::Row(n)
        }
    };
    let place = first.ui().spots.find(row(1)).unwrap();
    let click = Event::Mouse(crossterm::event::MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: place.x,
        row: place.y,
        modifiers: crossterm::event::KeyModifiers::NONE,
    });
    first.event(click.clone()).await;
    assert_eq!(first.theme().name, "ember", "one click tries it on");
    assert!(matches!(first.ui().layers.last(), Some(Layer::Themes(_))));
    first.event(click).await;
    assert!(first.ui().layers.is_empty(), "another keeps it");
    first.leave();
    let mut again = console(folder.path(), built_in());
    assert_eq!((again.ui().run.splits, again.theme().name.as_str()), (splits, "ember"));
    again.tell(goal()).await;
    again.keys("1").await;
    assert_eq!(again.ui().run.areas().tree.width, wide);
}
