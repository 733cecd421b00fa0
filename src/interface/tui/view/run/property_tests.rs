//! The screen over random states and sizes: boxes are closed, nothing is wider than its place, no number is cut, and
//! the selected row stays where it is while only statuses change.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::fixture::{NOW, Story, crowd, drawing};
use crate::domain::protocol::{Command, Event, Micros};
use crate::domain::state::TaskIx;
use crate::domain::text::width::width;
use crate::interface::tui::action::{Action, Keymap};
use crate::interface::tui::model::{Msg, Screen, Ui};
use crate::interface::tui::scene::Scene;
use crate::interface::tui::theme::Theme;
use crate::interface::tui::view::{self, Caches};

/// Ends the `n`th task that runs, or starts none.
fn end_one(story: &mut Story, at: Micros, n: usize, well: bool) {
    let running: Vec<TaskIx> = story.state.running().map(|a| a.task).collect();
    let Some(ix) = running.get(n % running.len().max(1)).copied() else { return };
    let task = story.state.task(ix);
    let (id, turn) = (task.id.clone(), story.state.last_attempt(task).unwrap().turn_id());
    if well {
        story.finish(at, turn, id.name.as_str());
    } else {
        story.push(at, Event::TaskFailed { task: id, reason: "it ended in the middle of a sentence".into() });
    }
}

fn draw(story: &Story, ui: &mut Ui, now: Micros, (columns, rows): (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, columns, rows);
    let mut buf = Buffer::empty(area);
    let theme = Theme::plain();
    let mut caches = Caches::default();
    for _ in 0..2 {
        buf = Buffer::empty(area);
        ui.size = (columns, rows);
        ui.run.tick(&story.state, now, view::body(area));
        let shown = {
            let scene = Scene { state: &story.state, transcripts: &story.transcripts, ui, theme: &theme, now };
            view::render(&scene, &Keymap::default(), &mut caches, area, &mut buf)
        };
        ui.run.drawn(shown);
    }
    buf
}

fn on_run() -> Ui {
    let mut ui = Ui::default();
    ui.screen = Screen::Run;
    ui
}

fn line(buf: &Buffer, y: u16) -> String {
    (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect()
}

const SIDES: [&str; 8] = ["│", "├", "┤", "┼", "┌", "┐", "└", "┘"];
const TOPS: [&str; 9] = ["─", "┬", "┴", "┼", "├", "┤", "┌", "┐", "└"];

fn check(buf: &Buffer, ui: &Ui) -> Result<(), TestCaseError> {
    let areas = ui.run.areas();
    let parts = [areas.tree, areas.why, areas.fleet, areas.memory, areas.rest, areas.details];
    for part in parts.into_iter().chain(areas.panes.iter().copied()).filter(|p| !p.is_empty()) {
        for y in part.y..part.bottom() {
            for x in [part.x - 1, part.right()] {
                prop_assert!(SIDES.contains(&buf[(x, y)].symbol()), "{x} {y} beside {part:?}: {}", line(buf, y));
            }
            let last = buf[(part.right() - 1, y)].symbol();
            prop_assert!(width(last) <= 1, "a wide sign on the border: {}", line(buf, y));
        }
        for x in [part.x - 1, part.right()] {
            for y in [part.y - 1, part.bottom()] {
                // The words on the last box's border may stand where two panes above them meet.
                let rest = areas.rest;
                if !rest.is_empty() && y + 1 == rest.y && (rest.x..rest.right()).contains(&x) {
                    continue;
                }
                let sign = buf[(x, y)].symbol();
                prop_assert!(TOPS.contains(&sign) || SIDES.contains(&sign), "a corner at {x} {y}: {}", line(buf, y));
            }
        }
    }
    Ok(())
}

/// Every figure of the header stands whole or not at all.
fn whole(buf: &Buffer, story: &Story, ui: &Ui) -> Result<(), TestCaseError> {
    let y = view::body(buf.area).y - 1;
    let said = line(buf, y);
    let p = ui.run.figures().progress;
    let (busy, all) = story.state.slots();
    let digits = all.to_string().len();
    for must in [format!("{}/{}", p.done, p.total), format!("slots {busy:>digits$}/{all}")] {
        if buf.area.width >= 60 {
            prop_assert!(said.contains(&must), "{must} is gone: {said}");
        }
    }
    for (start, then) in [("slots ", 1), ("mem ", 1), ("×", 1), ("! ", 1)] {
        if let Some(at) = said.find(start) {
            let rest = &said[at + start.len()..];
            let word: String = rest.trim_start().chars().take_while(|c| !c.is_whitespace()).collect();
            // What is not told is a dash.
            let told = word.chars().filter(char::is_ascii_digit).count() >= then || word == "–";
            prop_assert!(told, "{start} is cut: {said}");
        }
    }
    let needs = story.state.attention.len();
    if needs > 0 && buf.area.width >= 60 {
        prop_assert!(said.contains(&format!("! {needs} need")), "{said}");
    }
    Ok(())
}

/// The row of the screen with the cursor in the tree.
fn cursor(ui: &Ui) -> Option<u16> {
    let tree = ui.run.areas().tree;
    let at = ui.run.cursor().checked_sub(ui.run.tree_top)? as u16;
    (at < tree.height).then_some(tree.y + at)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn every_box_is_closed_and_every_number_whole(
        size in (30u16..220, 8u16..70),
        many in 0usize..3,
        ends in proptest::collection::vec((0usize..20, any::<bool>()), 0..12),
        keys in proptest::collection::vec(0usize..14, 0..10),
        drags in proptest::collection::vec((0u16..220, 0u16..70, 0u16..220, 0u16..70), 0..3),
    ) {
        const KEYS: [Action; 14] = [
            Action::Down, Action::Up, Action::Right, Action::Left, Action::PageDown, Action::Last, Action::NextPane,
            Action::Mark, Action::Range, Action::Order, Action::WiderList, Action::TallerList, Action::Grid, Action::Zoom,
        ];
        let mut story = match many { 0 => drawing(), 1 => crowd(20, 60), _ => crowd(3, 400) };
        let mut ui = on_run();
        draw(&story, &mut ui, NOW, size);
        for (x, y, to_x, to_y) in drags {
            for msg in [Msg::Click(x, y), Msg::Drag(to_x, to_y), Msg::Release(to_x, to_y)] {
                let _ = ui.update(msg, &story.state, NOW);
            }
            // A click may press a key of the key line.
            ui.screen = Screen::Run;
            ui.layers.clear();
            draw(&story, &mut ui, NOW, size);
        }
        for (i, (n, well)) in ends.into_iter().enumerate() {
            end_one(&mut story, NOW.plus(Micros::from_secs(i as u64)), n, well);
        }
        for key in keys {
            let _ = ui.run.update(KEYS[key], &story.state, NOW);
        }
        let buf = draw(&story, &mut ui, NOW.plus(Micros::from_secs(20)), size);
        check(&buf, &ui)?;
        whole(&buf, &story, &ui)?;
    }

    #[test]
    fn the_selected_row_stays_where_it_is_while_statuses_change(
        size in (30u16..220, 10u16..70),
        start in 0usize..30,
        ends in proptest::collection::vec((0usize..20, any::<bool>()), 1..14),
    ) {
        let mut story = drawing();
        let mut ui = on_run();
        draw(&story, &mut ui, NOW, size);
        let _ = ui.run.update(Action::First, &story.state, NOW);
        for _ in 0..start {
            let _ = ui.run.update(Action::Down, &story.state, NOW);
        }
        draw(&story, &mut ui, NOW, size);
        let (before, pick) = (cursor(&ui), ui.run.pick.clone());
        for (i, (n, well)) in ends.into_iter().enumerate() {
            let at = NOW.plus(Micros::from_millis(400 * i as u64));
            end_one(&mut story, at, n, well);
            let buf = draw(&story, &mut ui, at, size);
            prop_assert_eq!(&ui.run.pick, &pick);
            prop_assert_eq!(cursor(&ui), before);
            let tree = ui.run.areas().tree;
            if let Some(y) = before.filter(|_| !tree.is_empty()) {
                prop_assert_eq!(buf[(tree.x, y)].symbol(), "❯");
            }
        }
    }
}

#[test]
fn a_click_on_the_key_line_and_the_header_is_the_key() {
    use crate::interface::tui::model::spots::Spot;
    use crate::interface::tui::model::{Layer, UiEffect};
    let story = drawing();
    let mut ui = on_run();
    draw(&story, &mut ui, NOW, (120, 40));
    let place = |ui: &Ui, action| ui.spots.find(|s| *s == Spot::Press(action)).unwrap();
    let click = |ui: &mut Ui, at: Rect| ui.update(Msg::Click(at.x, at.y), &story.state, NOW);
    let at = place(&ui, Action::Hold);
    assert_eq!(line(&draw(&story, &mut ui, NOW, (120, 40)), at.y).chars().nth(usize::from(at.x)), Some('p'));
    let sent = click(&mut ui, at);
    assert!(matches!(&sent[..], [UiEffect::Send(Command::Hold(_))]), "{sent:?}");
    let at = place(&ui, Action::Attention);
    click(&mut ui, at);
    assert!(matches!(ui.layers.last(), Some(Layer::Attention(_))));
    let buf = draw(&story, &mut ui, NOW, (120, 40));
    let row = ui.spots.find(|s| *s == Spot::Row(1)).unwrap();
    click(&mut ui, row);
    assert!(
        matches!(ui.layers.last(), Some(Layer::Attention(list)) if list.row(&story.state) == 1),
        "{}",
        line(&buf, row.y)
    );
    let _ = ui.update(Msg::Action(Action::Back), &story.state, NOW);
    draw(&story, &mut ui, NOW, (120, 40));
    let at = place(&ui, Action::Screen(2));
    click(&mut ui, at);
    assert_eq!(ui.screen, Screen::Graph);
    let buf = draw(&story, &mut ui, NOW, (120, 40));
    assert!(line(&buf, 0).contains("[2 Graph]"), "{}", line(&buf, 0));
}

fn whole_screen(actions: &[Action], filter: &str, size: (u16, u16)) -> String {
    let story = drawing();
    let mut ui = on_run();
    draw(&story, &mut ui, NOW, size);
    for action in actions {
        let _ = ui.update(Msg::Action(*action), &story.state, NOW);
        draw(&story, &mut ui, NOW, size);
    }
    ui.notice = None;
    if !filter.is_empty() {
        ui.run.set_find(filter);
    }
    let buf = draw(&story, &mut ui, NOW, size);
    let rows = (0..size.1).map(|y| {
        let (mut x, mut out) = (0, String::new());
        while x < size.0 {
            out.push_str(buf[(x, y)].symbol());
            x += width(buf[(x, y)].symbol()).max(1) as u16;
        }
        out.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn whole_screens() {
    use Action::{Down, Mark, Order, PreviousPane, Range, Right};
    let open = [Down, Down, Down, Down, Down, Down, Down, Down, Down, Down, Down, Down, Right, Down];
    let scenes: [(&str, &[Action], &str); 6] = [
        ("plain", &[], ""),
        ("marked", &[Down, Mark, Range, Down, Down], ""),
        ("filtered", &[Down, Mark, Down, Mark], "status:running agent:coder"),
        ("mistyped", &[], "stat:running"),
        ("by_status", &[Order], ""),
        ("twins", &open, ""),
    ];
    for (name, actions, filter) in scenes {
        for size in [(60, 20), (80, 24), (120, 40), (200, 60)] {
            insta::assert_snapshot!(format!("whole_{name}_{}x{}", size.0, size.1), whole_screen(actions, filter, size));
        }
    }
    insta::assert_snapshot!("whole_fleet_80x24", whole_screen(&[PreviousPane, Down], "", (80, 24)));
    insta::assert_snapshot!("whole_fleet_120x40", whole_screen(&[PreviousPane], "", (120, 40)));
    insta::assert_snapshot!("whole_plain_30x8", whole_screen(&[], "", (30, 8)));
}
