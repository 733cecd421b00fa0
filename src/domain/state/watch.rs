//! How many requests a server works at, seen from outside: by when its turns first give a sign of work.
//!
//! Not here: what is made of it (a finding, a recall: the orchestrator), and the ceiling ([`super::Pool`]).
//!
//! A server that claims more slots than it has lets the rest wait inside. Seen from here, such a turn gives no sign until
//! another one ends, and then gives one at once: a *handover*. A few of them in a row, always with the same number at work,
//! tell how many it serves. Each by itself may be chance, so a handover counts only if the server had nothing else to do
//! meanwhile: as many as ever were at work for most of the wait, and for a good part of it none of them was being read
//! (servers read prompts one after another, and a prompt that waits for another's is no lie). A turn that begins in its own
//! time, or beside more than the evidence says, ends the evidence.
//!
//! Invariants: what is kept follows from the records alone; a number counts as at work together only after
//! [`Watch::BESIDE`], since the end of one turn and the beginning of the next come over two connections in any order; there
//! are no more entries than permits.

use serde::{Deserialize, Serialize};

use crate::domain::protocol::{Micros, TurnId};

/// The first sign of work on a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Its prompt is read.
    Read,
    /// It is answered.
    Answered,
}

/// How a turn left the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It was answered.
    Served,
    /// It failed.
    Failed,
    /// The server had no room for it.
    Refused,
    /// It was taken back.
    Cancelled,
}

/// A turn that was sent and gave no sign yet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Unbegun {
    turn: TurnId,
    since: Micros,
    /// The most that were at work while it waited.
    most: u32,
    /// [`Watch::work`] when it was sent.
    work: u64,
    /// [`Watch::quiet`] when it was sent.
    quiet: u64,
}

/// A turn that is worked at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Begun {
    turn: TurnId,
    /// When its answer began and [`Watch::work`] then; none: it is still read.
    answered: Option<(Micros, u64)>,
}

/// Handovers in a row with the same number at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Evidence {
    serves: u32,
    handovers: u32,
}

/// Whether one more than is believed is let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum More {
    #[default]
    No,
    Tried,
}

/// What is seen of a server through the turns of one pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// Up to when `work` and `quiet` are counted.
    clock: Micros,
    /// Since when as many are at work as are.
    since: Micros,
    /// Turns at work, summed over time.
    work: u64,
    /// Time in which some were answered and none was read.
    quiet: u64,
    waiting: Vec<Unbegun>,
    working: Vec<Begun>,
    last_end: Option<Micros>,
    /// The shortest time from sending to a sign.
    quickest: Option<Micros>,
    /// The server tells how far it has read.
    tells_reading: bool,
    /// The most at work at once since it last came up.
    proven: u32,
    evidence: Evidence,
    /// Turns served since one more was tried last.
    served: u32,
    /// How many are served before one more is tried.
    rest: u32,
    more: More,
}

impl Watch {
    /// Turns that overlap for less were not at work together: the one ended as the other began.
    const BESIDE: Micros = Micros::from_millis(50);
    /// Turns served before one more than believed is tried for the first time; doubles with each time that it waits.
    const REST: u32 = 12;
    /// The most turns between two such trials.
    const REST_LONGEST: u32 = 192;
    /// The same after a trial that succeeded: there may be room for another.
    const REST_AFTER_SUCCESS: u32 = 3;
    /// Whatever was usual, a turn may wait so long for a sign before anybody wonders.
    const PATIENCE: Micros = Micros::from_secs(2);

    /// A server that turns a request away so shortly after the end of another may not have cleared that one away yet.
    const CLEARING: Micros = Micros::from_secs(1);

    fn advance(&mut self, at: Micros) {
        let passed = at.since(self.clock).0;
        self.work = self.work.saturating_add((self.working.len() as u64).saturating_mul(passed));
        if !self.working.is_empty() && self.working.iter().all(|b| b.answered.is_some()) {
            self.quiet = self.quiet.saturating_add(passed);
        }
        self.clock = self.clock.max(at);
    }

    /// How many are at work, if they are for longer than a handover takes.
    pub(super) fn together(&self, at: Micros) -> u32 {
        if at.since(self.since) >= Self::BESIDE { self.working.len() as u32 } else { 0 }
    }

    /// Before the number at work changes.
    fn turn_over(&mut self, at: Micros) {
        self.advance(at);
        let together = self.together(at);
        self.proven = self.proven.max(together);
        if together > self.evidence.serves {
            self.evidence = Evidence::default();
        }
        for waits in &mut self.waiting {
            waits.most = waits.most.max(together);
        }
    }

    /// A turn is sent.
    pub(super) fn sent(&mut self, at: Micros, turn: TurnId) {
        self.advance(at);
        // An attempt has one turn at a time, whatever a journal from elsewhere says.
        self.waiting.retain(|w| w.turn.attempt != turn.attempt);
        self.working.retain(|b| b.turn.attempt != turn.attempt);
        let (work, quiet) = (self.work, self.quiet);
        self.waiting.push(Unbegun { turn, since: at, most: 0, work, quiet });
    }

    /// A turn gave its first sign of work, or the first of its answer.
    pub(super) fn begins(&mut self, at: Micros, turn: TurnId, sign: Sign, believed: Option<u32>) {
        self.tells_reading |= sign == Sign::Read;
        let Some(i) = self.waiting.iter().position(|w| w.turn == turn) else {
            self.advance(at);
            let work = self.work;
            if let Some(begun) = self.working.iter_mut().find(|b| b.turn == turn && b.answered.is_none()) {
                begun.answered = (sign == Sign::Answered).then_some((at, work));
            }
            return;
        };
        self.turn_over(at);
        let waited = self.waiting.remove(i);
        self.judge(at, waited, believed);
        let wait = at.since(waited.since);
        self.quickest = Some(self.quickest.map_or(wait, |q| q.min(wait)));
        let answered = (sign == Sign::Answered).then_some((at, self.work));
        self.working.push(Begun { turn, answered });
        self.since = at;
    }

    /// What the beginning of a turn says of how many the server works at.
    fn judge(&mut self, at: Micros, waited: Unbegun, believed: Option<u32>) {
        let most = waited.most;
        if most == 0 || self.working.len() as u32 >= most {
            // It was alone, or works beside all of them.
            return;
        }
        let wait = at.since(waited.since).0;
        let quickest = self.quickest.map_or(wait, |q| q.0);
        let delay = self.last_end.map_or(u64::MAX, |end| at.since(end).0);
        // Where reading is told the sign follows at once; else only when all of the prompt is read.
        let at_once = match self.tells_reading {
            true => quickest.max(wait / 20),
            false => (quickest.saturating_mul(5) / 2).max(wait / 10),
        };
        if delay > at_once.min(wait / 4) {
            // It began in its own time.
            self.evidence = Evidence::default();
            return;
        }
        let at_work = (self.work - waited.work) as f64 / wait.max(1) as f64;
        let full = at_work >= f64::from(most) * 0.75;
        let quiet = (self.quiet - waited.quiet) as f64 >= wait as f64 * 0.3;
        // One that had to be read first can't have answered much sooner than any before; then it was read beside them. A
        // server's first request is slow to begin: 0.180 s was seen before 0.143 s for each one after it.
        let read_before = !self.tells_reading && (delay as f64) < quickest as f64 * 0.7;
        if !full || !quiet || read_before {
            return;
        }
        self.evidence = match self.evidence {
            Evidence { serves, handovers } if serves == most => Evidence { serves, handovers: handovers + 1 },
            _ => Evidence { serves: most, handovers: 1 },
        };
        if self.more == More::Tried && believed.is_some_and(|k| most >= k) {
            self.rest_longer();
        }
    }

    /// A turn is over, or its connection closed. Returns how many were at work on average while it was answered, itself
    /// included.
    pub(super) fn left(&mut self, at: Micros, turn: TurnId, how: Left, believed: Option<u32>) -> Option<f32> {
        if let Some(i) = self.waiting.iter().position(|w| w.turn == turn) {
            self.advance(at);
            self.waiting.remove(i);
            let full = believed.is_some_and(|k| self.working.len() as u32 >= k);
            if matches!(how, Left::Cancelled | Left::Refused) && self.more == More::Tried && full {
                self.rest_longer();
            }
            return None;
        }
        let i = self.working.iter().position(|b| b.turn == turn)?;
        self.turn_over(at);
        let begun = self.working.remove(i);
        self.since = at;
        self.last_end = Some(at);
        if how == Left::Served && believed.is_some() {
            self.served += 1;
            if self.served >= self.rest {
                self.more = More::Tried;
            }
        }
        let (from, work) = begun.answered?;
        let span = at.since(from).0;
        (span > 0).then(|| (self.work - work) as f32 / span as f32)
    }

    /// One more than believed waited: the next is tried later.
    fn rest_longer(&mut self) {
        self.rest = (self.rest * 2).clamp(Self::REST, Self::REST_LONGEST);
        self.served = 0;
        self.more = More::No;
    }

    /// It is believed from now on that `serves` are worked at; none: as many as it claims.
    pub(super) fn believed(&mut self, before: Option<u32>, serves: Option<u32>) {
        self.evidence = Evidence::default();
        self.proven = self.proven.min(serves.unwrap_or(u32::MAX));
        self.served = 0;
        self.more = More::No;
        self.rest = match (before, serves) {
            (Some(before), Some(now)) if now > before => Self::REST_AFTER_SUCCESS,
            _ => Self::REST,
        };
    }

    /// The server was away: what it serves may be another number now.
    pub(super) fn came_back(&mut self) {
        self.evidence = Evidence::default();
        self.proven = 0;
        self.quickest = None;
        self.served = self.rest;
    }

    /// Somebody else began or ended to use it: what was seen has another reason.
    pub(super) fn doubt(&mut self) {
        self.evidence = Evidence::default();
    }

    /// As many as were at work at once, by `now`.
    pub(super) fn seen(&self, now: Micros) -> u32 {
        self.proven.max(self.together(now))
    }

    /// As many as it serves by the handovers, where there are enough of them.
    pub(super) fn found(&self, now: Micros) -> Option<u32> {
        let Evidence { serves, handovers } = self.evidence;
        // Where reading is not told more may be chance; and one that was seen to serve more than that needs more to be
        // doubted.
        let enough = if self.tells_reading { 3 } else { 5 } * if self.proven > serves { 2 } else { 1 };
        (handovers >= enough && self.together(now) <= serves).then_some(serves)
    }

    /// Whether handovers were seen that are not enough to believe.
    pub(crate) fn is_suspect(&self) -> bool {
        self.evidence.handovers > 0
    }

    /// How many more than believed are let in.
    pub(crate) fn extra(&self) -> u32 {
        u32::from(self.more == More::Tried)
    }

    /// Whether a turn ended here so shortly before `now` that its server may not have had its slot free again.
    pub(crate) fn has_just_ended(&self, now: Micros) -> bool {
        self.last_end.is_some_and(|at| now.since(at) < Self::CLEARING)
    }

    /// Whether no turn was served since it was believed last how many are worked at.
    pub(crate) fn has_served_none(&self) -> bool {
        self.served == 0
    }

    /// How many turns give no sign of work yet.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.len() as u32
    }

    /// How many turns are worked at.
    pub(crate) fn working(&self) -> u32 {
        self.working.len() as u32
    }

    /// The turns that give no sign of work, with when they were sent, oldest first.
    pub(crate) fn unbegun(&self) -> impl DoubleEndedIterator<Item = (TurnId, Micros)> + '_ {
        self.waiting.iter().map(|w| (w.turn, w.since))
    }

    /// How long a turn may wait for a sign before anybody wonders: four times the shortest wait there was.
    pub(crate) fn patience(&self) -> Micros {
        self.quickest.map_or(Self::PATIENCE, |q| Micros(q.0.saturating_mul(4)).max(Self::PATIENCE))
    }
}
