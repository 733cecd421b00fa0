//! Watching the machine: when the room is asked, and what of its readings becomes a record.
//!
//! Not here: reading (`engine/machine`). Invariants: the loop never waits for a reading; there is at most one ask under way,
//! and the next is a pace after the answer, so records are never closer than the pace.

use std::sync::Arc;

use crate::domain::protocol::{MachineSampled, Micros, Vigil};
use crate::engine::machine::{Pace, Reading, Room, Sampler};

/// The machine, watched.
pub(super) struct Watch {
    /// None once it could not be opened or has closed.
    room: Option<Room>,
    sampler: Sampler,
    /// When the last answer came.
    last: Option<Micros>,
    /// An ask is under way.
    asked: bool,
}

impl Watch {
    pub(super) fn new() -> Self {
        let room = Room::open().inspect_err(|error| tracing::warn!(%error, "the machine can't be watched")).ok();
        Self::of(room)
    }

    fn of(room: Option<Room>) -> Self {
        Self { room, sampler: Sampler::default(), last: None, asked: false }
    }

    /// When the room is to be asked; none while it has an ask, or will not answer any more.
    pub(super) fn due(&self, pace: Pace) -> Option<Micros> {
        let waits = self.asked || self.room.is_none();
        (!waits).then(|| self.last.map_or(Micros(0), |last| last.plus(pace.gap())))
    }

    /// Asks for a look, with the servers on the ports that `ports` tells, if one is due.
    pub(super) fn ask(&mut self, now: Micros, pace: Pace, ports: impl FnOnce() -> Vec<u16>) {
        if self.due(pace).is_some_and(|due| due <= now)
            && let Some(room) = &self.room
        {
            // One that does not take it has closed, and says so when it is read next.
            self.asked = room.ask(ports());
        }
    }

    /// The next answer; never comes when there will be none. May be dropped while it waits.
    pub(super) async fn answer(&mut self) -> Arc<Reading> {
        if let Some(room) = &mut self.room {
            if let Some(reading) = room.next().await {
                return reading;
            }
            self.room = None;
        }
        std::future::pending().await
    }

    /// The figures of an answer, with whether the machine is kept awake, if they are worth a record.
    pub(super) fn take(
        &mut self,
        now: Micros,
        reading: &Reading,
        vigil: Vigil,
        pace: Pace,
    ) -> Option<Box<MachineSampled>> {
        self.asked = false;
        self.last = Some(now);
        let told = MachineSampled { vigil, ..reading.told()?.clone() };
        self.sampler.offer(now, &told, pace).then(|| Box::new(told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::machine::Recorded;

    const ROWS: &str = "{\"total\":800,\"used\":100,\"swap\":0}\n{\"total\":800,\"used\":101,\"swap\":0}\n{\"total\":800,\"used\":200,\"swap\":0}\n";

    #[tokio::test]
    async fn it_is_asked_at_its_pace_and_tells_what_changed() {
        let room = Room::with(|| Some(Box::new(Recorded::read(ROWS)))).unwrap();
        let mut watch = Watch::of(Some(room));
        let second = Micros::from_secs;
        let mut told = Vec::new();
        for at in 0..4 {
            let now = second(at);
            assert!(watch.due(Pace::Working).is_some_and(|due| due <= now), "{at}");
            watch.ask(now, Pace::Working, Vec::new);
            assert_eq!(watch.due(Pace::Working), None, "one ask at a time");
            let reading = watch.answer().await;
            told.extend(watch.take(now, &reading, Vigil::None, Pace::Working).map(|m| (at, m.used)));
        }
        assert_eq!(told, [(0, 100), (2, 200)]);
        assert_eq!((watch.due(Pace::Working), watch.due(Pace::Idle)), (Some(second(4)), Some(second(33))));
    }

    #[test]
    fn without_a_room_nothing_is_due() {
        let mut watch = Watch::of(None);
        assert_eq!(watch.due(Pace::Working), None);
        watch.ask(Micros(0), Pace::Working, || unreachable!("nobody is asked"));
    }
}
