//! An answer that turns out to be thinking.

use super::world::{World, config, of_turn, plan, task};
use crate::domain::orchestrator::{Input, JobEnd, News};
use crate::domain::protocol::{Channel, Event, SlotAfter, TurnEnd, TurnId, Usage};
use crate::domain::state::{ChannelCount, State};

fn output(turn: TurnId, channel: Channel, text: &str) -> Input {
    of_turn(turn, News::Said { channel, text: text.into(), tokens: 2 })
}

/// A task under way that says nothing by itself.
fn begun() -> (World, TurnId) {
    let mut world = World::new(config());
    world.duration = Box::new(|_| 1_000_000_000);
    world.add(plan(vec![task("a", &[], 500)])).unwrap();
    let turn = *world.live.keys().next().unwrap();
    (world, turn)
}

fn counts(state: &State, turn: TurnId) -> (ChannelCount, ChannelCount, Option<u64>) {
    let turn = state.turn(turn).unwrap();
    (turn.thinking, turn.answer, turn.rethought)
}

fn turnovers(world: &World) -> Vec<u64> {
    world.records.iter().filter(|r| matches!(r.event, Event::TurnRethought { .. })).map(|r| r.seq).collect()
}

fn end(world: &mut World, turn: TurnId) {
    // The queue of the world would end it too, in a thousand seconds.
    world.live.remove(&turn);
    world.input(of_turn(
        turn,
        News::from(JobEnd::Turn {
            end: TurnEnd::Stop,
            usage: Usage::default(),
            slot: SlotAfter::Free,
            prompt_digest: String::new(),
            answer: Some(String::new()),
        }),
    ));
}

#[test]
fn what_was_answered_so_far_is_thinking_and_what_follows_is_the_result() {
    let (mut world, turn) = begun();
    world.input(of_turn(turn, News::Rethought));
    assert!(turnovers(&world).is_empty(), "nothing was answered yet");
    world.input(output(turn, Channel::Thinking, "hm "));
    world.input(output(turn, Channel::Answer, "the user asks"));
    let first = counts(world.state(), turn).0.first_seq;
    let said = counts(world.state(), turn).1;
    world.input(of_turn(turn, News::Rethought));
    let at = turnovers(&world);
    assert_eq!(at, [said.last_seq + 1]);
    let thinking = ChannelCount { bytes: 16, tokens: 4, first_seq: first, last_seq: said.last_seq };
    assert_eq!(counts(world.state(), turn), (thinking, ChannelCount::default(), Some(at[0])));
    assert!(world.state().result_turns(world.state().attempt(turn.attempt).unwrap()).is_empty());
    world.input(output(turn, Channel::Answer, "Yes."));
    let (_, answer, _) = counts(world.state(), turn);
    assert_eq!((answer.bytes, answer.first_seq), (4, at[0] + 1));
    // A second closing tag: that was thinking too.
    world.input(of_turn(turn, News::Rethought));
    world.input(output(turn, Channel::Answer, "No, wait."));
    let (thinking, answer, until) = counts(world.state(), turn);
    assert_eq!((thinking.bytes, answer.bytes, until), (20, 9, turnovers(&world).last().copied()));
    let channels: Vec<_> = world.records.iter().filter_map(|r| world.state().text_in(r)).map(|(_, c, _)| c).collect();
    assert_eq!(channels, [Channel::Thinking, Channel::Thinking, Channel::Thinking, Channel::Answer]);
    end(&mut world, turn);
    assert!(world.state().tasks()[0].is_done());
    assert_eq!(world.state().answer_bytes(world.state().attempt(turn.attempt).unwrap()), 9);
    world.input(of_turn(turn, News::Rethought));
    assert_eq!(turnovers(&world).len(), 2, "it is over");
    world.assert_fold();
}

#[test]
fn where_all_of_it_was_thinking_there_is_no_answer() {
    let (mut world, turn) = begun();
    world.input(output(turn, Channel::Answer, "the user asks"));
    world.input(of_turn(turn, News::Rethought));
    end(&mut world, turn);
    assert!(!world.state().tasks()[0].is_done(), "an answer without a word is a failure");
    world.assert_fold();
}

#[test]
fn every_prefix_can_be_taken_up() {
    let (mut world, turn) = begun();
    world.input(output(turn, Channel::Answer, "the user asks"));
    world.input(of_turn(turn, News::Rethought));
    world.input(output(turn, Channel::Answer, "Yes."));
    end(&mut world, turn);
    for cut in 2..=world.records.len() {
        let mut again = World::resume(&world.records[..cut]);
        again.run(10_000);
        assert!(again.state().tasks().iter().all(|t| t.is_done()), "cut at {cut}");
        again.assert_fold();
    }
}

#[test]
fn a_state_without_a_turnover_is_written_as_before() {
    let (mut world, turn) = begun();
    world.input(output(turn, Channel::Answer, "Yes."));
    let written = serde_json::to_string(&world.state().attempt(turn.attempt)).unwrap();
    assert!(!written.contains("rethought"), "{written}");
}
