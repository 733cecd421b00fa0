//! An answer that turns out to be thinking: the same text by whichever way it is read, at whichever instant.

use std::ops::ControlFlow;

use super::*;
use crate::engine::journal::{Halt, Searched, search};

/// What is said, and in which channel; none: the turnover.
const SAID: [Option<(Channel, &str)>; 8] = [
    Some((Channel::Thinking, "Let me see. ")),
    Some((Channel::Answer, "The user wants a wo")),
    Some((Channel::Answer, "rd; ")),
    Some((Channel::ToolCall, "{}")),
    None,
    Some((Channel::Answer, "The word ")),
    Some((Channel::Thinking, "(is it?) ")),
    Some((Channel::Answer, "is yes.")),
];

/// The recorded session up to its first request, which then says these.
fn told() -> (Vec<Record>, TurnId) {
    let text = include_str!("../../../../tests/journals/v1/journal.jsonl");
    let mut records: Vec<Record> = text.lines().skip(1).map(|line| Record::from_json(line).unwrap()).collect();
    let sent = records.iter().position(|r| matches!(r.event, Event::TurnStarted(_))).unwrap();
    let Event::TurnStarted(started) = &records[sent].event else { unreachable!() };
    let turn = started.turn;
    records.truncate(sent + 1);
    let (mut seq, at) = (records[sent].seq, records[sent].at);
    for said in SAID {
        seq += 1;
        let event = match said {
            Some((channel, text)) => {
                Event::AttemptOutput(AttemptOutput { turn, channel, text: text.into(), tokens: 1 })
            }
            None => Event::TurnRethought { turn },
        };
        records.push(Record { seq, at: Micros(at.0 + seq), event });
    }
    (records, turn)
}

/// What a channel holds once so many of [`SAID`] were said.
fn expected(said: usize, channel: Channel) -> String {
    let turned = SAID[..said].iter().rposition(Option::is_none).unwrap_or(0);
    let texts = SAID[..said].iter().enumerate().filter_map(|(i, piece)| {
        let (c, text) = (*piece)?;
        let now = if c == Channel::Answer && i < turned { Channel::Thinking } else { c };
        (now == channel).then_some(text)
    });
    texts.collect()
}

#[test]
fn each_way_to_a_text_says_the_same_at_each_instant() {
    let (records, turn) = told();
    let before = records.len() - SAID.len();
    for said in 0..=SAID.len() {
        let root = tempfile::tempdir().unwrap();
        let folder = Sessions::new(root.path()).create(&"s".parse().unwrap()).unwrap();
        let mut writer = Writer::create(folder, "0").unwrap();
        let mut hot = TextStore::new(writer.path(), usize::MAX);
        let mut cold = TextStore::new(writer.path(), 0);
        let mut state = State::default();
        for record in &records[..before + said] {
            state.apply(record);
            let record = Arc::new(record.clone());
            let offset = writer.append(&record).unwrap();
            writer.commit().unwrap();
            hot.feed(&record, offset);
            cold.feed(&record, offset);
        }
        for channel in [Channel::Thinking, Channel::Answer, Channel::ToolCall] {
            let text = expected(said, channel);
            assert_eq!(hot.text(turn.attempt, channel).unwrap(), text, "{said} hot");
            assert_eq!(cold.turn_text(turn, channel).unwrap(), text, "{said} cold");
            assert_eq!(text_of(writer.path(), &[turn], channel).unwrap(), text, "{said} {channel:?}");
            let counted = state.attempt(turn.attempt).unwrap().turns().next().unwrap().channel(channel);
            assert_eq!(counted.bytes, text.len() as u64, "{said} {channel:?}");
            let by_state: String = records[..before + said]
                .iter()
                .filter(|r| (counted.first_seq..=counted.last_seq).contains(&r.seq))
                .filter_map(|r| state.text_in(r))
                .filter(|(_, c, _)| *c == channel)
                .map(|(.., text)| text)
                .collect();
            assert_eq!(by_state, text, "{said} {channel:?}");
        }
    }
}

#[test]
fn an_instant_before_the_turnover_is_as_it_was_then() {
    let root = tempfile::tempdir().unwrap();
    let (records, turn) = told();
    let path = write(root.path(), &records);
    let mut past = Past::open(&path).unwrap();
    let before = records.len() - SAID.len();
    for said in (0..=SAID.len()).rev() {
        let seq = records[before + said - 1].seq;
        let state = past.state_at(seq).unwrap();
        let texts = past.said(&state, &[turn.attempt], usize::MAX).unwrap();
        for channel in [Channel::Thinking, Channel::Answer, Channel::ToolCall] {
            let text: String =
                texts.iter().filter_map(|r| state.text_in(r)).filter(|t| t.1 == channel).map(|t| t.2).collect();
            assert_eq!(text, expected(said, channel), "{said} {channel:?}");
        }
    }
}

#[test]
fn a_turn_whose_answer_was_all_thinking_has_none_and_the_turn_before_it_keeps_its_own() {
    let root = tempfile::tempdir().unwrap();
    let (mut records, first) = told();
    let second = TurnId { turn: first.turn + 1, ..first };
    let seq = records[records.len() - 1].seq;
    let thought = AttemptOutput { turn: second, channel: Channel::Answer, text: "hm".into(), tokens: 1 };
    records.push(Record { seq: seq + 1, at: Micros::NEVER, event: Event::AttemptOutput(thought) });
    records.push(Record { seq: seq + 2, at: Micros::NEVER, event: Event::TurnRethought { turn: second } });
    let path = write(root.path(), &records);
    assert_eq!(text_of(&path, &[first], Channel::Answer).unwrap(), "The word is yes.");
    assert_eq!(text_of(&path, &[second], Channel::Thinking).unwrap(), "hm");
}

#[test]
fn a_search_finds_it_as_thinking_over_the_pieces() {
    let root = tempfile::tempdir().unwrap();
    let (records, _) = told();
    let path = write(root.path(), &records);
    let mut found = Vec::new();
    let ended = search(&path, "word", &Halt::default(), &mut |f| {
        found.push((f.place.word(), f.before));
        ControlFlow::Continue(())
    });
    assert_eq!(ended.unwrap(), Searched::Whole);
    let of =
        |kind: &str| found.iter().filter(|(k, _)| *k == kind).map(|(_, before)| before.as_str()).collect::<Vec<_>>();
    assert_eq!(of("thinking"), ["Let me see. The user wants a "]);
    assert_eq!(of("answer"), ["The "]);
}

#[test]
fn a_line_of_it_is_read_back() {
    let (records, _) = told();
    for record in &records {
        assert_eq!(&Record::from_json(&serde_json::to_string(record).unwrap()).unwrap(), record);
    }
}
