//! What tasks of a plan have for themselves, checked before it runs: paths that are paths, locks named once, and no two
//! tasks that could run at once and may write the same path. Fields of a later version are refused, so that nobody relies
//! on them.
//!
//! Not here: what is so at run time (`state/claims`): what grows and what other goals own is a claim there.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::paths::{beginnings, check_pattern, near, shared_path};
use super::{Problem, TaskSpec};
use crate::domain::hash::{IdMap, id_map};
use crate::domain::protocol::Name;

/// So many clashes are told: more than anybody reads, and each costs a walk through the plan.
const MOST_CLASHES: usize = 16;

/// What is wrong with the claims of a task's form by itself; what `before` had already is not told.
pub(super) fn check_form(index: usize, task: &TaskSpec, before: Option<&TaskSpec>, problems: &mut Vec<Problem>) {
    let id = || task.id.clone();
    let later = [
        ("checks", !task.checks.is_empty() && before.is_none_or(|b| b.checks != task.checks)),
        ("produces", !task.produces.is_empty() && before.is_none_or(|b| b.produces != task.produces)),
        ("consumes", !task.consumes.is_empty() && before.is_none_or(|b| b.consumes != task.consumes)),
    ];
    for (field, _) in later.into_iter().filter(|(_, is)| *is) {
        problems.push(Problem::Later { task: id(), index, field });
    }
    if before.is_none_or(|b| b.owns != task.owns) {
        let wrong = task.owns.iter().filter_map(|pattern| check_pattern(pattern).err());
        problems.extend(wrong.map(|error| Problem::Pattern { task: id(), index, error }));
    }
    if before.is_none_or(|b| b.locks != task.locks) {
        let twice = task.locks.iter().enumerate().find(|(i, l)| task.locks[..*i].iter().any(|o| o.name == l.name));
        problems.extend(twice.map(|(_, lock)| Problem::LockTwice { task: id(), index, lock: lock.name.clone() }));
    }
}

/// Everything that is wrong with what the tasks of a plan have for themselves.
pub(crate) fn check_claims<T: Borrow<TaskSpec>>(tasks: &[T], problems: &mut Vec<Problem>) {
    let before = problems.len();
    for (index, task) in tasks.iter().map(Borrow::borrow).enumerate() {
        check_form(index, task, None, problems);
    }
    // What is no pattern owns nothing that could be compared.
    if problems.len() == before {
        clashes(tasks, problems);
    }
}

/// Tasks that could run at once and may write the same path. Distinct lists are compared once, and of many tasks that own
/// the same only neighbours in the plan's order: where each waits for the one before, no two of them run at once.
fn clashes<T: Borrow<TaskSpec>>(tasks: &[T], problems: &mut Vec<Problem>) {
    let form = |i: usize| -> &TaskSpec { tasks[i].borrow() };
    let mut sets: BTreeMap<&[String], Vec<usize>> = BTreeMap::new();
    let order = Order::of(tasks);
    for &i in order.sorted.iter().filter(|i| !form(**i).owns.is_empty()) {
        sets.entry(&form(i).owns).or_default().push(i);
    }
    let sets: Vec<(&[String], Vec<usize>, Vec<&str>)> =
        sets.into_iter().map(|(owns, tasks)| (owns, tasks, beginnings(owns))).collect();
    let mut found = 0;
    let mut tell = |a: usize, b: usize, path: &str| {
        let (a, b) = (a.min(b), a.max(b));
        problems.push(Problem::Clash {
            first: form(a).id.clone(),
            second: form(b).id.clone(),
            index: b,
            path: path.to_owned(),
        });
        found += 1;
        found < MOST_CLASHES
    };
    for (i, (owns, of, begins)) in sets.iter().enumerate() {
        for pair in of.windows(2) {
            let path = || shared_path(owns, owns).unwrap_or_else(|| "any path".into());
            if let [a, b] = pair
                && !order.reaches(*a, *b)
                && !tell(*a, *b, &path())
            {
                return;
            }
        }
        for (other, others, also) in &sets[i + 1..] {
            let Some(path) = near(begins, also).then(|| shared_path(owns, other)).flatten() else { continue };
            let mut all: Vec<(usize, bool)> =
                of.iter().map(|t| (*t, true)).chain(others.iter().map(|t| (*t, false))).collect();
            all.sort_by_key(|(t, _)| order.rank[*t]);
            for pair in all.windows(2) {
                if let [(a, mine), (b, theirs)] = pair
                    && mine != theirs
                    && !order.reaches(*a, *b)
                    && !tell(*a, *b, &path)
                {
                    return;
                }
            }
        }
    }
}

/// The tasks of a plan in an order in which each stands behind what it needs.
struct Order {
    needs: Vec<Vec<usize>>,
    sorted: Vec<usize>,
    rank: Vec<usize>,
}

impl Order {
    fn of<T: Borrow<TaskSpec>>(tasks: &[T]) -> Self {
        let mut index_of: IdMap<&Name, usize> = id_map(tasks.len());
        for (i, task) in tasks.iter().enumerate() {
            index_of.entry(&task.borrow().id).or_insert(i);
        }
        let known = |task: &T| task.borrow().needs.iter().filter_map(|n| index_of.get(n).copied()).collect();
        let needs: Vec<Vec<usize>> = tasks.iter().map(known).collect();
        let mut feeds: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
        let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
        for (i, needs) in needs.iter().enumerate() {
            needs.iter().for_each(|n| feeds[*n].push(i));
        }
        let mut sorted: Vec<usize> = (0..tasks.len()).filter(|i| open[*i] == 0).collect();
        let mut next = 0;
        while let Some(&task) = sorted.get(next) {
            next += 1;
            for &feed in &feeds[task] {
                open[feed] -= 1;
                if open[feed] == 0 {
                    sorted.push(feed);
                }
            }
        }
        let mut rank = vec![usize::MAX; tasks.len()];
        sorted.iter().enumerate().for_each(|(at, task)| rank[*task] = at);
        Self { needs, sorted, rank }
    }

    /// Whether `later` waits for `first`, directly or through others. Only what stands between them is looked at.
    fn reaches(&self, first: usize, later: usize) -> bool {
        let mut seen = std::collections::BTreeSet::from([later]);
        let mut stack = vec![later];
        while let Some(task) = stack.pop() {
            for &need in &self.needs[task] {
                if need == first {
                    return true;
                }
                if self.rank[need] > self.rank[first] && seen.insert(need) {
                    stack.push(need);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::LockUse;

    fn task(id: &str, needs: &[&str], owns: &[&str]) -> TaskSpec {
        let mut task = TaskSpec::new(Name::slug(id), Name::slug("researcher"), "Do it.");
        task.needs = needs.iter().map(|n| Name::slug(n)).collect();
        task.owns = owns.iter().map(|o| (*o).to_owned()).collect();
        task
    }

    fn told(tasks: &[TaskSpec]) -> Vec<String> {
        let mut problems = Vec::new();
        check_claims(tasks, &mut problems);
        problems.iter().map(|p| format!("{p} | {}", p.mend())).collect()
    }

    #[test]
    fn two_that_could_run_at_once_own_nothing_together() {
        let clash = [task("api", &[], &["src/api/**"]), task("server", &[], &["src/api/server.rs"])];
        assert_eq!(
            told(&clash),
            ["api and server could run at once, and both own src/api/server.rs | let one need the other, or write \
              `!src/api/server.rs` into the `owns` of the wider one"]
        );
        assert!(
            told(&[task("api", &[], &["src/api/**"]), task("server", &["api"], &["src/api/server.rs"])]).is_empty()
        );
        let far = [task("a", &[], &["src/"]), task("b", &["a"], &[]), task("c", &["b"], &["src/x"])];
        assert!(told(&far).is_empty(), "one waits for the other through a third");
        assert!(told(&[task("a", &[], &["src/**", "!src/x/**"]), task("b", &[], &["src/x/**"])]).is_empty());
        let same = [task("a", &[], &["x"]), task("b", &["a"], &["x"]), task("c", &["a"], &["x"])];
        assert_eq!(told(&same).len(), 1, "b and c: {:?}", told(&same));
        let merged = [
            task("a", &[], &["src/**"]),
            task("b", &["a"], &["src/b"]),
            task("c", &["b"], &["src/**"]),
            task("d", &["a"], &["src/b"]),
        ];
        assert!(!told(&merged).is_empty());
    }

    #[test]
    fn what_a_later_version_does_and_what_is_no_path_or_lock_is_refused() {
        let mut odd = task("a", &[], &["Unused files"]);
        odd.checks = vec!["true".into()];
        odd.locks = vec![LockUse::exclusive(Name::slug("db")), LockUse::exclusive(Name::slug("db"))];
        let told = told(&[odd]);
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told[0].contains("`checks` of a are from a later version"), "{told:#?}");
        assert!(told[1].contains("“Unused files” is no path"));
        assert!(told[2].contains("names the lock db twice"));
    }

    #[test]
    fn a_plan_of_ten_thousand_tasks_with_two_thousand_lists_is_looked_through() {
        let tasks: Vec<TaskSpec> = (0..10_000)
            .map(|i| {
                let before = if i >= 2_000 { vec![format!("t{}", i - 2_000)] } else { Vec::new() };
                let before: Vec<&str> = before.iter().map(String::as_str).collect();
                task(
                    &format!("t{i}"),
                    &before,
                    &[&format!("src/m{}/**", i % 2_000), &format!("tests/m{}.rs", i % 2_000)],
                )
            })
            .collect();
        assert!(told(&tasks).is_empty());
    }
}
