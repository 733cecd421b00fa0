//! The answer in rounds: where the results a goal's synthesis is made of do not fit whole into its context, groups of them
//! that do are condensed first, by tasks of Baton's own, and the synthesis takes in what those say.
//!
//! Decided when the synthesis would start, for the endpoint it would start on; so every prefix of a journal comes to the
//! same. Not here: which results those are (`state/answer`), how much fits (`fitting`). Invariants: the rounds and the
//! synthesis that needs them stand in one record; there are no more of them than [`MOST`], and no more levels than
//! [`LEVELS`]; a round whose inputs changed runs again before the synthesis does.

use super::Orchestrator;
use super::again::Reach;
use crate::domain::plan::{Budget, OnFailure, PlanEdit, TaskSpec, same_work};
use crate::domain::protocol::{Author, Event, GoalId, Message, Name, Part, Partial, Subject, TaskId, Work};
use crate::domain::state::{EndpointIx, Life, Task, TaskIx};

/// The most rounds of a goal: each is a request, and what is in hundreds of digests was never in one answer.
const MOST: usize = 64;
/// The most of them at the first level, so that there are some left to bring their digests together.
const MOST_FIRST: usize = 52;
/// The most levels: each makes the text some four times shorter, so that this is a book.
const LEVELS: u32 = 4;
/// The least and the most words asked of a round. Powers of two, so that one result more leaves most rounds as they were.
const WORDS: (u64, u64) = (128, 1024);
/// Tokens that a word takes, at most, with what models add to what they were asked.
const TOKENS_OF_WORD: u64 = 2;
/// The least tokens of a round's answer: some models think before they write.
const LEAST_TOKENS: u64 = 1024;
/// Bytes around a result: its heading, less the title.
const HEADING: u64 = 30;

/// What a round is asked.
fn prompt(words: u64) -> String {
    format!(
        "Condense the results above for whoever writes the answer to the goal and sees only what you write. Keep every \
         figure with its unit, every name, date and source, and say of each statement which result it comes from. Where \
         results disagree, keep both sides. Where a result says that something is unknown, was cut or failed, keep that. \
         Leave out repetition, courtesy and what does not serve the goal. Add nothing. Write at most {words} words."
    )
}

/// A result, or a digest, on its way into a round.
struct Item {
    name: Name,
    bytes: u64,
    /// The numbers of the first and the last result in it, from 1.
    from: usize,
    to: usize,
}

impl Orchestrator {
    /// Before a synthesis starts on an endpoint: what has to run before it. True: there is something.
    pub(super) fn rounds_first(&mut self, ix: TaskIx, endpoint: EndpointIx) -> bool {
        let task = self.state.task(ix);
        // What a conversation began with stands.
        if task.work != Work::Synthesis || task.life != Life::NotStarted || !task.thread.is_empty() {
            return false;
        }
        let goal = task.id.goal;
        let stale: Vec<TaskIx> =
            self.state.rounds_of(task).into_iter().filter(|round| self.state.is_made_of_others(*round)).collect();
        if !stale.is_empty() {
            self.run_again(&Author::Baton, stale, Reach::Skipped);
            return true;
        }
        let Some(edits) = self.rounds(ix, endpoint) else { return false };
        self.edit(goal, Author::Baton, edits, Work::Round, Vec::new());
        true
    }

    /// The next level of rounds; none where all fits, or another level would not help.
    fn rounds(&self, ix: TaskIx, endpoint: EndpointIx) -> Option<Vec<PlanEdit>> {
        let task = self.state.task(ix);
        let mut messages = self.messages(task, endpoint);
        let there = bytes_of(self, &messages, task);
        self.fit_into(&mut messages, task, endpoint);
        let fits = bytes_of(self, &messages, task) >= there;
        // Where one came to nothing, another would too; what it was made of is in the synthesis itself.
        let broken = |n: &TaskIx| self.state.task(*n).work == Work::Round && !self.state.task(*n).has_result();
        if fits || self.state.levels_below(task) >= LEVELS || task.needs.iter().any(broken) {
            return None;
        }
        let sources = self.state.sources_of(task);
        let place = |name: &Name| sources.iter().position(|s| s == name).map_or(0, |i| i + 1);
        let (mut items, mut stay) = (Vec::new(), Vec::new());
        for need in task.needs.iter().map(|n| self.state.task(*n)) {
            let name = need.id.name.clone();
            let Some(result) = need.result.filter(|_| need.has_result()) else {
                stay.push(name);
                continue;
            };
            let of = self.state.sources_of(need);
            let places = || if need.work == Work::Round { of.iter().map(place).collect() } else { vec![place(&name)] };
            items.push(Item {
                bytes: self.state.attempt(result).map_or(0, |a| self.state.answer_bytes(a))
                    + HEADING
                    + need.title.len() as u64,
                from: places().into_iter().min().unwrap_or(0),
                to: places().into_iter().max().unwrap_or(0),
                name,
            });
        }
        let live = self.state.rounds_of(task).len();
        let most = if live == 0 { MOST_FIRST } else { MOST.saturating_sub(live) };
        // Both the synthesis and a round: whichever has more words of its own.
        let words = prompt(WORDS.1).len().max(task.spec.prompt.len());
        let room = self.room_for_results(task, words, endpoint);
        let groups = grouped(&items, room, most)?;
        let density = self.state.endpoint(endpoint).density();
        let words = density.tokens(room) * 3 / 4 / groups.len() as u64 / TOKENS_OF_WORD;
        let words = (1 << words.max(1).ilog2()).clamp(WORDS.0, WORDS.1);
        let all: u64 = items.iter().map(|i| i.bytes).sum();
        // Digests as long as what they are made of bring nobody nearer.
        if groups.len() as u64 * density.bytes(words * TOKENS_OF_WORD) > all - all / 4 {
            return None;
        }
        Some(self.as_edits(task, &items, &groups, words, stay))
    }

    /// The edits that put rounds between results and a synthesis. Rounds that were taken out come back: those of the same
    /// form with what they said.
    fn as_edits(&self, task: &Task, items: &[Item], groups: &[usize], words: u64, stay: Vec<Name>) -> Vec<PlanEdit> {
        let goal = task.id.goal;
        let mut out = self.rounds_taken_out(goal);
        let mut taken: usize = 0;
        let (mut edits, mut needs) = (Vec::new(), Vec::new());
        let mut rest = items;
        for n in groups {
            let (group, after) = rest.split_at((*n).min(rest.len()));
            rest = after;
            let mut spec = TaskSpec::new(Name::slug("round"), task.spec.agent.clone(), prompt(words));
            spec.title = Some(match (group.first().map_or(0, |i| i.from), group.last().map_or(0, |i| i.to)) {
                (from, to) if from == to => format!("Condense result {from}"),
                (from, to) => format!("Condense results {from} to {to}"),
            });
            spec.needs = group.iter().map(|i| i.name.clone()).collect();
            spec.on_dependency_failure = OnFailure::Tell;
            let wanted = self.wanted(task).min((words * TOKENS_OF_WORD).max(LEAST_TOKENS));
            spec.budget = Budget { tokens: u32::try_from(wanted).ok(), ..Budget::default() };
            let same = out.iter().position(|round| {
                let form = &self.state.task(*round).spec;
                form.needs == spec.needs && same_work(form, &spec)
            });
            let back = same.or_else(|| (!out.is_empty()).then_some(0)).map(|at| out.remove(at));
            if let Some(round) = back {
                spec.id = self.state.task(round).id.name.clone();
                needs.push(spec.id.clone());
                edits.push(PlanEdit::Restore(Box::new(spec)));
                continue;
            }
            loop {
                taken += 1;
                spec.id = Name::slug(&format!(".digest-{taken}"));
                if self.state.find(&TaskId::new(goal, spec.id.clone())).is_none() {
                    break;
                }
            }
            needs.push(spec.id.clone());
            edits.push(PlanEdit::Add(Box::new(spec)));
        }
        let mut synthesis = (*task.spec).clone();
        needs.extend(stay);
        synthesis.needs = needs;
        edits.push(PlanEdit::Replace(Box::new(synthesis)));
        edits
    }

    /// Rounds of a goal that were taken out and can come back: not those that came to nothing.
    fn rounds_taken_out(&self, goal: GoalId) -> Vec<TaskIx> {
        let all = self.state.goal(goal).map(|g| g.tasks.clone()).unwrap_or_default();
        let of = |ix: &TaskIx| {
            let task = self.state.task(*ix);
            task.work == Work::Round && task.removed && (task.life == Life::NotStarted || task.has_result())
        };
        all.into_iter().filter(of).collect()
    }

    /// The steps that take out the rounds of a synthesis: the results it is made of are others now.
    pub(super) fn without_rounds(&self, synthesis: &Task) -> Vec<PlanEdit> {
        let rounds = self.state.rounds_of(synthesis);
        rounds.into_iter().map(|round| PlanEdit::Remove(self.state.task(round).id.name.clone())).collect()
    }

    /// Stops the rounds that were taken out while they ran.
    pub(super) fn stop_rounds(&mut self, edits: &[PlanEdit], goal: GoalId) {
        for name in edits.iter().filter(|e| matches!(e, PlanEdit::Remove(_))).map(PlanEdit::name) {
            let id = TaskId::new(goal, name.clone());
            if let Some(ix) = self.state.find(&id).filter(|ix| self.state.task(*ix).life == Life::Running) {
                self.stop_attempt(ix);
                self.emit(Event::TaskCancelled { task: id.clone(), keep: Partial::Kept });
            }
            for subject in [Subject::Task, Subject::Fit] {
                self.emit_cleared(subject(id.clone()));
            }
        }
    }
}

/// Bytes of the results in a prompt, as they are cut.
fn bytes_of(this: &Orchestrator, messages: &[Message], task: &Task) -> u64 {
    let results = messages.iter().flat_map(|m| &m.parts).filter(|p| matches!(p, Part::ResultOf { .. }));
    results.map(|p| this.state.part_bytes(p, &task.spec)).sum()
}

/// How many items each group takes, in their order: as many as fit into `room` bytes, one at least; in no more than `most`
/// groups. None where there is nothing to group, or no room for it.
fn grouped(items: &[Item], room: u64, most: usize) -> Option<Vec<usize>> {
    if items.is_empty() || most == 0 || room == 0 {
        return None;
    }
    let pack = |room: u64| {
        let mut groups: Vec<usize> = Vec::new();
        let mut left = 0;
        for item in items {
            match groups.last_mut() {
                Some(n) if item.bytes <= left => *n += 1,
                _ => {
                    groups.push(1);
                    left = room;
                }
            }
            left = left.saturating_sub(item.bytes);
        }
        groups
    };
    let mut groups = pack(room);
    // Too many: what does not fit then is cut, each a little.
    let mut wider = room;
    while groups.len() > most {
        wider += wider.div_ceil(16);
        groups = pack(wider);
    }
    Some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(sizes: &[u64]) -> Vec<Item> {
        let item = |(i, bytes): (usize, &u64)| Item {
            name: Name::slug(&format!("t{i}")),
            bytes: *bytes,
            from: i + 1,
            to: i + 1,
        };
        sizes.iter().enumerate().map(item).collect()
    }

    #[test]
    fn groups_take_what_fits_in_order_and_what_fits_nowhere_stands_alone() {
        assert_eq!(grouped(&items(&[10, 10, 10, 10]), 25, 9), Some(vec![2, 2]));
        assert_eq!(grouped(&items(&[10, 90, 10, 10]), 25, 9), Some(vec![1, 1, 2]));
        assert_eq!(grouped(&items(&[25; 3]), 25, 9), Some(vec![1, 1, 1]));
        assert_eq!(grouped(&items(&[10; 100]), 25, 10).unwrap().len(), 10);
        assert_eq!(
            (grouped(&[], 25, 9), grouped(&items(&[1]), 25, 0), grouped(&items(&[1]), 0, 9)),
            (None, None, None)
        );
    }
}
