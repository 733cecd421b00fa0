//! The answer in rounds: where the results a goal's synthesis is made of do not fit whole into its context, groups of them
//! that do are condensed first, by tasks of Baton's own, and the synthesis takes in what those say.
//!
//! Decided when the synthesis would start, for the endpoint it would start on; so every prefix of a journal comes to the
//! same. Not here: which results those are (`state/answer`), how much fits (`fitting`). Invariants: the rounds and the
//! synthesis that needs them stand in one record; there are no more of them than [`MOST`], and no more levels than
//! [`LEVELS`]; a round whose inputs changed runs again before the synthesis does.

use super::Orchestrator;
use super::again::Reach;
use crate::domain::fleet::OnCut;
use crate::domain::hash::{IdMap, id_map};
use crate::domain::plan::{Budget, OnFailure, PlanEdit, TaskSpec, same_work};
use crate::domain::protocol::{Author, Event, GoalId, Message, Name, Part, Partial, Subject, TaskId, Work};
use crate::domain::state::{EndpointIx, Life, Task, TaskIx};

/// The most rounds of a goal: each is a request, and what is in hundreds of digests was never in one answer.
const MOST: usize = 64;
/// The most of them at the first level, so that there are some left to bring their digests together.
const MOST_FIRST: usize = 52;
/// The most levels: each makes the text some four times shorter, so that this is a book.
const LEVELS: u32 = 4;
/// The least and the most tokens of a round's answer: in less there is no sentence with a figure and its source.
const TOKENS: (u64, u64) = (64, 2048);
/// Tokens that a word takes, at most, with what models add to what they were asked.
const TOKENS_OF_WORD: u64 = 2;
/// Bytes around a result: its heading, less the title.
const HEADING: u64 = 30;
/// Bytes around a digest: its heading with a title of Baton's own.
const DIGEST_HEADING: u64 = 60;

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

/// Results, or digests, that stand together; and what becomes of them.
struct Group<'a> {
    items: &'a [Item],
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// A round condenses them.
    Condensed,
    /// They are no longer than what a round would say of them, and go on as they are.
    PassedOn,
}

impl Group<'_> {
    fn bytes(&self) -> u64 {
        self.items.iter().map(|i| i.bytes).sum()
    }
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
        let mut numbers: IdMap<&Name, usize> = id_map(sources.len());
        numbers.extend(sources.iter().enumerate().rev().map(|(i, name)| (name, i + 1)));
        let place = |name: &Name| numbers.get(name).copied().unwrap_or(0);
        let (mut items, mut stay) = (Vec::new(), Vec::new());
        for need in task.needs.iter().map(|n| self.state.task(*n)) {
            let name = need.id.name.clone();
            let Some(result) = need.result.filter(|_| need.has_result()) else {
                stay.push(name);
                continue;
            };
            let places: Vec<usize> = match need.work {
                Work::Round => self.state.sources_of(need).iter().map(place).collect(),
                _ => vec![place(&name)],
            };
            items.push(Item {
                bytes: self.state.attempt(result).map_or(0, |a| self.state.answer_bytes(a))
                    + HEADING
                    + need.title.len() as u64,
                from: places.iter().copied().min().unwrap_or(0),
                to: places.iter().copied().max().unwrap_or(0),
                name,
            });
        }
        let live = self.state.rounds_of(task).len();
        let most = if live == 0 { MOST_FIRST } else { MOST.saturating_sub(live) };
        // Both the synthesis and a round: whichever has more words of its own.
        let words = prompt(TOKENS.1).len().max(task.spec.prompt.len());
        let room = self.room_for_results(task, words, endpoint);
        let mut rest = items.as_slice();
        let mut groups = Vec::new();
        for n in grouped(&items, room, most)? {
            let (items, after) = rest.split_at(n.min(rest.len()));
            rest = after;
            groups.push(Group { items, fate: Fate::Condensed });
        }
        let density = self.state.endpoint(endpoint).density();
        // A quarter stays free: English has more bytes to a token than is counted with.
        let limit = divide(&mut groups, room * 3 / 4, |bytes| density.tokens(bytes), |t| density.bytes(t))?;
        let after = |g: &Group<'_>| match g.fate {
            Fate::Condensed => density.bytes(limit) + DIGEST_HEADING,
            Fate::PassedOn => g.bytes(),
        };
        let all: u64 = items.iter().map(|i| i.bytes).sum();
        // Digests about as long as what they are made of bring nobody nearer.
        if groups.iter().map(after).sum::<u64>() > all - all / 4 {
            return None;
        }
        Some(self.as_edits(task, &groups, limit, stay))
    }

    /// The edits that put rounds between results and a synthesis. Rounds that were taken out come back: those of the same
    /// form with what they said.
    fn as_edits(&self, task: &Task, groups: &[Group<'_>], limit: u64, stay: Vec<Name>) -> Vec<PlanEdit> {
        let goal = task.id.goal;
        let mut out = self.rounds_taken_out(goal);
        let mut taken: usize = 0;
        let (mut edits, mut needs) = (Vec::new(), Vec::new());
        for Group { items: group, fate } in groups {
            if *fate == Fate::PassedOn {
                needs.extend(group.iter().map(|i| i.name.clone()));
                continue;
            }
            let words = prompt(limit / TOKENS_OF_WORD);
            let mut spec = TaskSpec::new(Name::slug("round"), task.spec.agent.clone(), words);
            spec.title = Some(match (group.first().map_or(0, |i| i.from), group.last().map_or(0, |i| i.to)) {
                (from, to) if from == to => format!("Condense result {from}"),
                (from, to) => format!("Condense results {from} to {to}"),
            });
            spec.needs = group.iter().map(|i| i.name.clone()).collect();
            spec.on_dependency_failure = OnFailure::Tell;
            // More than its share would push out what other rounds say.
            spec.on_cut = Some(OnCut::Keep);
            let wanted = self.wanted(task).min(limit);
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

/// The tokens that each round may answer with: its share of `room` bytes; and which groups need none, for they are no
/// longer than that. None where no group needs a round.
fn divide(groups: &mut [Group<'_>], room: u64, tokens: impl Fn(u64) -> u64, bytes: impl Fn(u64) -> u64) -> Option<u64> {
    loop {
        let passed: u64 = groups.iter().filter(|g| g.fate == Fate::PassedOn).map(Group::bytes).sum();
        let rounds = groups.iter().filter(|g| g.fate == Fate::Condensed).count() as u64;
        let share = room.saturating_sub(passed).checked_div(rounds)?.saturating_sub(DIGEST_HEADING);
        // In steps of half a power of two, so that one result more leaves most rounds as they were.
        let share = tokens(share).max(2);
        let half = 1 << (share.ilog2() - 1);
        let limit = (share / half * half).clamp(TOKENS.0, TOKENS.1);
        let most = bytes(limit) + DIGEST_HEADING;
        let mut short = 0;
        for group in groups.iter_mut().filter(|g| g.fate == Fate::Condensed && g.bytes() <= most) {
            group.fate = Fate::PassedOn;
            short += 1;
        }
        if short == 0 {
            return Some(limit);
        }
    }
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

    #[test]
    fn what_is_no_longer_than_a_digest_is_passed_on_and_leaves_its_room_to_the_others() {
        let items = items(&[100, 6_000, 200, 6_000]);
        let mut groups: Vec<Group<'_>> = items.chunks(1).map(|items| Group { items, fate: Fate::Condensed }).collect();
        let limit = divide(&mut groups, 4_000, |bytes| bytes.div_ceil(3), |tokens| tokens * 3);
        let passed: Vec<bool> = groups.iter().map(|g| g.fate == Fate::PassedOn).collect();
        assert_eq!((limit, passed), (Some(512), vec![true, false, true, false]));
        let mut short = [Group { items: &items[..1], fate: Fate::Condensed }];
        assert_eq!(divide(&mut short, 4_000, |bytes| bytes, |tokens| tokens), None);
    }
}
