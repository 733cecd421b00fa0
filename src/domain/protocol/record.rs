//! A record: a fact with its place and time. The journal is a header line and then one record a line.

mod exact;
mod rethought;

use std::fmt;

use serde::de::{self, MapAccess, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

pub use rethought::Rethought;

use super::{Channel, Event, Micros, SessionId, TurnId};

/// The journal format's version. A reader refuses a newer one in words. Format 1 had one part; 2 may have closed parts.
pub const FORMAT: u32 = 2;

/// The journal's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub baton_journal: u32,
    /// The program's version.
    pub program: String,
    /// The session.
    pub session: SessionId,
}

/// A fact with its place (`seq`, from 1, without gaps) and session time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Its place in the session, from 1.
    pub seq: u64,
    /// Session time, in microseconds.
    pub at: Micros,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A record as a state needs it: of what a model said only how much it is, which is read several times faster.
#[derive(Clone, Debug, PartialEq)]
pub enum Counted {
    /// A piece of output.
    Output(OutputCount),
    /// Any other record, or one that was not written by Baton as it stands there.
    Whole(Record),
}

/// A piece of output without its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputCount {
    /// The record's place.
    pub seq: u64,
    /// Its session time.
    pub at: Micros,
    /// The turn.
    pub turn: TurnId,
    /// Which text.
    pub channel: Channel,
    /// Bytes of the raw text.
    pub bytes: u64,
    /// Tokens (stream events) in it.
    pub tokens: u32,
}

impl OutputCount {
    /// Of a record; none when it is no output.
    pub fn of(record: &Record) -> Option<Self> {
        let Event::AttemptOutput(output) = &record.event else { return None };
        let (turn, channel, tokens) = (output.turn, output.channel, output.tokens);
        Some(Self { seq: record.seq, at: record.at, turn, channel, bytes: output.text.len() as u64, tokens })
    }
}

impl Counted {
    /// Reads one journal line.
    ///
    /// # Errors
    /// As [`Record::from_json`].
    pub fn from_json(line: &str) -> Result<Self, RecordError> {
        exact::counted(line).map_or_else(|| Record::from_json(line).map(Self::Whole), |count| Ok(Self::Output(count)))
    }

    /// Its place in the session.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Output(count) => count.seq,
            Self::Whole(record) => record.seq,
        }
    }
}

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// An event this version does not know: skip and count it.
    #[error("the event {tag:?} is not known to this version of Baton; it is skipped")]
    Unknown {
        /// The record's place.
        seq: u64,
        /// The event's name.
        tag: String,
    },
    /// Not a record at all.
    #[error("not a journal record: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Record {
    /// The text that this record adds to an attempt, raw: what its model said, or what was put in its place by hand. The
    /// channel is the one it came with; what it is after a turnover, [`Rethought::said`] tells.
    pub fn said(&self) -> Option<(TurnId, Channel, &str)> {
        match &self.event {
            Event::AttemptOutput(output) => Some((output.turn, output.channel, &output.text)),
            Event::ResultEdited(edited) => {
                Some((TurnId { attempt: edited.attempt, turn: 1 }, Channel::Answer, &edited.text))
            }
            _ => None,
        }
    }

    /// Reads one journal line.
    ///
    /// # Errors
    /// [`RecordError::Unknown`] for an event of a later version, else [`RecordError::Malformed`].
    pub fn from_json(line: &str) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Tag {
            seq: u64,
            event: String,
        }
        if let Some(record) = exact::record(line) {
            return Ok(record);
        }
        serde_json::from_str(line).map_err(|error| match serde_json::from_str::<Tag>(line) {
            Ok(Tag { seq, event }) if error.to_string().starts_with("unknown variant") => {
                RecordError::Unknown { seq, tag: event }
            }
            _ => RecordError::Malformed(error),
        })
    }
}

impl<'de> Deserialize<'de> for Record {
    /// `seq` and `at` come first, so that the event's tag and data are decoded without a detour through a buffer.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> de::Visitor<'de> for Fields {
            type Value = Record;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record {seq, at, event, data} in that order")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut number = |name: &'static str| match map.next_key_seed(Key(name))? {
                    Some(()) => map.next_value::<u64>(),
                    None => Err(de::Error::missing_field(name)),
                };
                let seq = number("seq")?;
                let at = Micros(number("at")?);
                let event = Event::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Record { seq, at, event })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A key that must be this one; looked at in place, without a copy.
struct Key(&'static str);

impl<'de> de::DeserializeSeed<'de> for Key {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl de::Visitor<'_> for Key {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key {:?}", self.0)
    }
    fn visit_str<E: de::Error>(self, found: &str) -> Result<(), E> {
        if found == self.0 { Ok(()) } else { Err(E::invalid_value(de::Unexpected::Str(found), &self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_what_it_wrote_and_its_fields_stand_in_order() {
        let record = Record {
            seq: 42,
            at: Micros(1_834_000),
            event: Event::TaskStarted { task: "g1/sources".parse().unwrap() },
        };
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(line, r#"{"seq":42,"at":1834000,"event":"task.started","data":{"task":"g1/sources"}}"#);
        assert_eq!(Record::from_json(&line).unwrap(), record);
        let empty = Record { seq: 1, at: Micros(0), event: Event::SessionPaused {} };
        assert_eq!(Record::from_json(&serde_json::to_string(&empty).unwrap()).unwrap(), empty);
    }

    #[test]
    fn an_unknown_event_is_told_from_a_broken_line() {
        let unknown = r#"{"seq":7,"at":1,"event":"viewer.waved","data":{"x":1}}"#;
        assert!(matches!(Record::from_json(unknown), Err(RecordError::Unknown { seq: 7, .. })));
        assert!(matches!(Record::from_json(r#"{"seq":7,"at":1,"ev"#), Err(RecordError::Malformed(_))));
    }
}
