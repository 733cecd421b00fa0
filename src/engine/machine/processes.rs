//! Which processes a model server is made of, and what they hold together.
//!
//! A server is the process that listens on its port and all below it: `ollama serve` with its runners, a shell with what
//! it started. Not here: asking the system (the probes do). A server whose listener is not its models' ancestor shows only
//! itself, and servers of other users show nothing. Invariants: no process is counted twice in one server; a process that
//! went, or may not be looked at, is left out of the sum, and a sum of nothing is `None`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::cost::{Clock, Kept};
use crate::domain::protocol::ServerMemory;

/// Who listens where, and who started whom, is looked up again after this: it means a look at every process.
const AGE: Duration = Duration::from_secs(10);

/// The system's processes.
pub trait Processes {
    /// The process that listens on each of these ports, where it can be told.
    fn listeners(&mut self, ports: &[u16]) -> BTreeMap<u16, u32>;

    /// All processes with their parents.
    fn parents(&mut self) -> Vec<(u32, u32)>;

    /// What a process holds; none when it is gone or not ours to look at.
    fn held(&mut self, pid: u32) -> Option<Held>;
}

/// What a process holds, in bytes, and has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// In memory now.
    pub resident: u64,
    /// Its own, swapped and compressed memory too; files are not in it.
    pub footprint: u64,
    /// Processor time it has used since it began, of all its threads together.
    pub worked: Option<Duration>,
}

/// The servers looked at.
#[derive(Debug, Default)]
pub struct Servers {
    ports: Vec<u16>,
    trees: Kept<Vec<(u16, Vec<u32>)>>,
    worked: BTreeMap<u32, Duration>,
    spent: Option<Duration>,
}

impl Servers {
    /// What the servers on these ports hold. Ports that nobody listens on are left out.
    pub fn sample(&mut self, now: Duration, ports: &[u16], processes: &mut impl Processes) -> Vec<ServerMemory> {
        if self.ports != ports {
            ports.clone_into(&mut self.ports);
            self.trees.forget();
        }
        let before = std::mem::take(&mut self.worked);
        self.spent = None;
        if ports.is_empty() {
            return Vec::new();
        }
        let trees = self.trees.get(now, AGE, Clock::Thread, || {
            let listeners = processes.listeners(ports);
            // Most of the time nothing is started yet, and then nobody's parents matter.
            let parents = if listeners.is_empty() { Vec::new() } else { processes.parents() };
            listeners.into_iter().map(|(port, pid)| (port, tree(pid, &parents))).collect()
        });
        let worked = &mut self.worked;
        let servers = trees.iter().filter_map(|(port, tree)| sum(*port, tree, processes, worked)).collect();
        // One that was not looked at before may have worked for days.
        let since = |(pid, now): (&u32, &Duration)| before.get(pid).map(|then| now.saturating_sub(*then));
        self.spent = self.worked.iter().filter_map(since).reduce(Duration::saturating_add);
        servers
    }

    /// The processor time that all of them used between the last two looks; none before the second.
    pub fn spent(&self) -> Option<Duration> {
        self.spent
    }

    /// The processes of each server, as last looked up.
    pub fn trees(&self) -> &[(u16, Vec<u32>)] {
        self.trees.said().map_or(&[], Vec::as_slice)
    }
}

fn sum(
    port: u16,
    tree: &[u32],
    processes: &mut impl Processes,
    worked: &mut BTreeMap<u32, Duration>,
) -> Option<ServerMemory> {
    let held: Vec<Held> = (tree.iter())
        .filter_map(|pid| {
            let held = processes.held(*pid)?;
            worked.extend(held.worked.map(|time| (*pid, time)));
            Some(held)
        })
        .collect();
    let total = |part: fn(&Held) -> u64| held.iter().map(part).fold(0u64, u64::saturating_add);
    (!held.is_empty()).then(|| ServerMemory {
        port,
        pid: tree.first().copied().unwrap_or_default(),
        processes: u32::try_from(held.len()).unwrap_or(u32::MAX),
        footprint: Some(total(|h| h.footprint)),
        resident: Some(total(|h| h.resident)),
        gpu: None,
    })
}

/// Processor time as a share of what all processors had in that time, in percent.
pub fn share(spent: Duration, all: Duration) -> Option<u8> {
    let all = all.as_micros();
    let percent = (spent.as_micros() * 100 + all / 2).checked_div(all)?;
    u8::try_from(percent.min(100)).ok()
}

/// A process and all below it, the process first.
pub fn tree(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut below: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (pid, parent) in parents {
        below.entry(*parent).or_default().push(*pid);
    }
    // Ids are used again while one looks, so a ring is possible.
    let mut seen = BTreeSet::from([root]);
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        at += 1;
        let children = below.get(pid).into_iter().flatten().copied();
        found.extend(children.filter(|child| seen.insert(*child)).collect::<Vec<_>>());
    }
    found
}

/// What `lsof -nP -iTCP:PORT -sTCP:LISTEN -t` prints: the first process.
pub fn first_of_lsof(text: &str) -> Option<u32> {
    text.lines().next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes as a table: id, parent, what it holds, the port it listens on.
    #[derive(Default)]
    struct Table {
        rows: Vec<(u32, u32, Option<u64>, u16)>,
        looks: u32,
        /// Seconds of processor time each process has used, where it is told.
        worked: BTreeMap<u32, u64>,
    }

    impl Processes for Table {
        fn listeners(&mut self, ports: &[u16]) -> BTreeMap<u16, u32> {
            self.looks += 1;
            self.rows.iter().filter(|r| ports.contains(&r.3)).map(|r| (r.3, r.0)).collect()
        }

        fn parents(&mut self) -> Vec<(u32, u32)> {
            self.rows.iter().map(|r| (r.0, r.1)).collect()
        }

        fn held(&mut self, pid: u32) -> Option<Held> {
            let bytes = self.rows.iter().find(|r| r.0 == pid)?.2?;
            let worked = self.worked.get(&pid).copied().map(Duration::from_secs);
            Some(Held { resident: bytes / 2, footprint: bytes, worked })
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_server_is_its_listener_and_all_below() {
        let gb = 1u64 << 30;
        let mut table = Table {
            rows: vec![
                (1, 0, Some(gb), 0),
                (10, 1, Some(gb), 11434),
                (11, 10, Some(20 * gb), 0),
                (12, 11, Some(3 * gb), 0),
                (20, 1, Some(80 * gb), 8081),
                // Another user's: it listens, and may not be looked at.
                (30, 1, None, 8083),
            ],
            ..Table::default()
        };
        let found = Servers::default().sample(at(0), &[8081, 8083, 11434, 9999], &mut table);
        let want = |port, pid, processes, bytes: u64| ServerMemory {
            port,
            pid,
            processes,
            footprint: Some(bytes),
            resident: Some(bytes / 2),
            gpu: None,
        };
        assert_eq!(found, [want(8081, 20, 1, 80 * gb), want(11434, 10, 3, 24 * gb)]);
    }

    #[test]
    fn processes_are_looked_up_seldom_and_measured_each_time() {
        let mut table = Table { rows: vec![(10, 1, Some(8), 8081)], ..Table::default() };
        let mut servers = Servers::default();
        servers.sample(at(0), &[8081], &mut table);
        table.rows[0].2 = Some(16);
        let again = servers.sample(at(1), &[8081], &mut table);
        assert_eq!((again[0].footprint, table.looks), (Some(16), 1));
        table.rows.push((11, 10, Some(4), 0));
        assert_eq!(servers.sample(at(2), &[8081], &mut table)[0].processes, 1);
        // An hour: however slow the machine, a look has rested long enough.
        assert_eq!(servers.sample(at(3_600), &[8081], &mut table)[0].footprint, Some(20));
        assert_eq!((table.looks, servers.trees()), (2, &[(8081, vec![10, 11])][..]));
        table.rows.clear();
        assert!(servers.sample(at(3_601), &[8081], &mut table).is_empty(), "it ended");
        assert!(servers.sample(at(3_602), &[], &mut table).is_empty());
        servers.sample(at(3_603), &[8083], &mut table);
        assert_eq!(table.looks, 3, "another fleet is looked up at once");
    }

    #[test]
    fn what_servers_work_is_counted_between_two_looks_once_for_each_process() {
        let rows = vec![(10, 1, Some(8), 8081), (10, 1, Some(8), 8082), (11, 10, Some(8), 0), (20, 1, Some(8), 0)];
        let worked = BTreeMap::from([(10, 100), (11, 5_000), (20, 7)]);
        let mut table = Table { rows, worked, ..Table::default() };
        let mut servers = Servers::default();
        let mut look = |table: &mut Table, second: u64| {
            servers.sample(at(second), &[8081, 8082], table);
            servers.spent().map(|time| time.as_secs())
        };
        assert_eq!(look(&mut table, 0), None, "since when is not known");
        table.worked = BTreeMap::from([(10, 101), (11, 5_003), (20, 999)]);
        assert_eq!(look(&mut table, 2), Some(4));
        // A number that is used again has worked less than nothing; one that tells nothing does not count.
        table.worked = BTreeMap::from([(10, 3)]);
        assert_eq!(look(&mut table, 3), Some(0));
        assert_eq!(servers.sample(at(4), &[], &mut table).len(), 0);
        assert_eq!(servers.spent(), None);
    }

    #[test]
    fn a_share_is_rounded_and_no_more_than_all() {
        let of = |spent, all| share(Duration::from_millis(spent), Duration::from_millis(all));
        assert_eq!([of(1_900, 2_000), of(994, 1_000), of(3, 2), of(0, 5)], [Some(95), Some(99), Some(100), Some(0)]);
        assert_eq!(of(1, 0), None);
    }

    #[test]
    fn a_ring_of_parents_has_an_end() {
        assert_eq!(tree(1, &[(2, 1), (3, 2), (1, 3), (2, 3), (4, 9)]), [1, 2, 3]);
        assert_eq!(tree(7, &[]), [7]);
        assert_eq!([first_of_lsof("4107\n4108\n"), first_of_lsof(""), first_of_lsof("-1")], [Some(4_107), None, None]);
    }
}
