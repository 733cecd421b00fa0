//! What Linux writes below `/proc`, turned into figures.
//!
//! Not here: reading the files (`linux.rs`); so all of this is tested anywhere. Invariants: nothing here panics, whatever
//! it is given; a line that is missing, cut or makes no sense is `None`, never 0.

use super::processes::Held;
use crate::domain::protocol::Pressure;

/// `/proc/meminfo`, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meminfo {
    /// All memory.
    pub total: Option<u64>,
    /// What programs can get without swapping.
    pub available: Option<u64>,
    /// Anonymous memory and shared memory.
    pub app: Option<u64>,
    /// The kernel's own that can't be given up: slabs, stacks, page tables, per-processor.
    pub kernel: Option<u64>,
    /// What swap that is kept compressed in memory takes up.
    pub zswap: Option<u64>,
    /// Files and what the kernel can give up; without shared memory.
    pub cached: Option<u64>,
    /// All swap.
    pub swap_total: Option<u64>,
    /// Swap in use.
    pub swap_used: Option<u64>,
}

impl Meminfo {
    /// Reads it.
    pub fn read(text: &str) -> Self {
        let get = |key: &str| kilobytes(text, key);
        let minus = |a: Option<u64>, b: Option<u64>| a?.checked_sub(b?);
        // Older kernels have no such line; what they don't count is not missed.
        let percpu = get("Percpu").unwrap_or(0);
        let files = get("Cached").zip(get("Buffers")).zip(get("SReclaimable")).map(|((c, b), s)| c + b + s);
        Self {
            total: get("MemTotal"),
            available: get("MemAvailable"),
            app: get("AnonPages").zip(get("Shmem")).map(|(a, s)| a + s),
            kernel: (get("SUnreclaim").zip(get("KernelStack")).zip(get("PageTables")))
                .map(|((slab, stack), tables)| slab + stack + tables + percpu),
            zswap: get("Zswap"),
            cached: minus(files, get("Shmem")),
            swap_total: get("SwapTotal"),
            swap_used: minus(get("SwapTotal"), get("SwapFree")),
        }
    }

    /// What is in use: all that is not available.
    pub fn used(&self) -> Option<u64> {
        self.total?.checked_sub(self.available?)
    }

    /// The share that is available.
    pub fn free_percent(&self) -> Option<u8> {
        let total = self.total.filter(|t| *t > 0)?;
        u8::try_from((u128::from(self.available?) * 100 / u128::from(total)).min(100)).ok()
    }
}

/// The value of `Key:   123 kB` in bytes; a value that no machine has is none. A last line that may be cut is not read.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))?;
    let value: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    // Sums of a few of these must not overflow.
    value.checked_mul(1024).filter(|bytes| *bytes < 1 << 60)
}

/// How much of the last ten seconds programs waited for memory, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stalls {
    /// At least one.
    pub some: f32,
    /// All of them at once.
    pub full: f32,
}

impl Stalls {
    /// From `/proc/pressure/memory`.
    pub fn read(text: &str) -> Option<Self> {
        let figure = |kind: &str| {
            let line = text.lines().find(|l| l.split_whitespace().next() == Some(kind))?;
            let value: f32 = line.split_whitespace().find_map(|w| w.strip_prefix("avg10="))?.parse().ok()?;
            (0.0..=100.0).contains(&value).then_some(value)
        };
        Some(Self { some: figure("some")?, full: figure("full")? })
    }

    /// Linux has no words for it: a tenth of the time waited by somebody is a warning, by everybody critical.
    pub fn pressure(&self) -> Pressure {
        match self {
            Self { full, .. } if *full >= 10.0 => Pressure::Critical,
            Self { some, .. } if *some >= 10.0 => Pressure::Warning,
            _ => Pressure::Normal,
        }
    }
}

/// Time of all processors since the machine started, in any unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    /// Spent working.
    pub busy: u64,
    /// All.
    pub all: u64,
}

impl Ticks {
    /// From `/proc/stat`: its first line.
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.lines().next()?.split_whitespace();
        if words.next() != Some("cpu") {
            return None;
        }
        // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted within user.
        let times: Vec<u64> = words.take(8).map(|w| w.parse().ok()).collect::<Option<_>>()?;
        let idle = times.get(3)?.checked_add(times.get(4).copied().unwrap_or(0))?;
        let all = times.iter().try_fold(0u64, |sum, t| sum.checked_add(*t))?;
        Some(Self { busy: all.checked_sub(idle)?, all })
    }

    /// The time that all processors together had since `earlier`, in these ticks.
    pub fn all_since(&self, earlier: &Self) -> Option<u64> {
        self.all.checked_sub(earlier.all).filter(|all| *all > 0)
    }

    /// How busy they were since `earlier`; none when no time passed, or the counters went back.
    pub fn percent_since(&self, earlier: &Self) -> Option<u8> {
        let all = self.all_since(earlier)?;
        let busy = self.busy.checked_sub(earlier.busy)?.min(all);
        u8::try_from((u128::from(busy) * 100 + u128::from(all) / 2) / u128::from(all)).ok()
    }
}

/// The parent's id in `/proc/<pid>/stat`. The name before it may have anything in it, parentheses too.
pub fn parent(text: &str) -> Option<u32> {
    text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// What a process holds, from `/proc/<pid>/status`: the kernel keeps these counts, while `smaps_rollup` walks all its pages,
/// which takes long where there are 80 GB of them. Pages shared by several processes count in each. None for one of the
/// kernel's own.
pub fn held(text: &str) -> Option<Held> {
    let get = |key: &str| kilobytes(text, key);
    Some(Held {
        resident: get("VmRSS")?,
        footprint: get("RssAnon")?.checked_add(get("RssShmem")?)?.checked_add(get("VmSwap").unwrap_or(0))?,
        worked: None,
    })
}

/// Processor time in `/proc/<pid>/stat`, in ticks: of the process and all its threads, in itself and in the kernel.
pub fn worked(text: &str) -> Option<u64> {
    // Behind the name: state, parent, … up to utime and stime.
    let mut words = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || words.next()?.parse::<u64>().ok();
    next()?.checked_add(next()?)
}

/// The sockets that listen, as port and inode, in `/proc/net/tcp` or `/proc/net/tcp6`.
pub fn listening(text: &str) -> Vec<(u16, u64)> {
    let read = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (_, port) = words.next()?.rsplit_once(':')?;
        // 0A: it listens.
        let listens = words.nth(1)? == "0A";
        let inode: u64 = words.nth(5)?.parse().ok()?;
        (listens && inode > 0).then_some((u16::from_str_radix(port, 16).ok()?, inode))
    };
    // A last line without its end may be cut within a number.
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).skip(1).filter_map(read).collect()
}

/// The inode in what a link below `/proc/<pid>/fd` points to, if it is a socket.
pub fn socket(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = include_str!("../../../tests/machine/meminfo.txt");
    const TCP: &str = include_str!("../../../tests/machine/net_tcp.txt");

    #[test]
    fn memory_is_the_sums_of_the_lines_to_the_byte() {
        let m = Meminfo::read(MEMINFO);
        assert_eq!(m.total, Some(25_276_502_016));
        assert_eq!(m.used(), Some((24_684_084 - 18_265_652) * 1024));
        assert_eq!(m.app, Some((5_907_124 + 8_872) * 1024));
        assert_eq!(m.kernel, Some((60_376 + 2_080 + 6_668 + 688) * 1024));
        assert_eq!(m.zswap, Some(1_024 * 1024));
        assert_eq!(m.cached, Some((11_632_424 + 37_160 + 452_836 - 8_872) * 1024));
        assert_eq!((m.swap_total, m.swap_used), (Some(8_388_604 * 1024), Some((8_388_604 - 6_291_452) * 1024)));
        assert_eq!(m.free_percent(), Some(73));
    }

    #[test]
    fn lines_that_are_missing_negative_cut_or_impossible_are_not_told() {
        assert_eq!(Meminfo::read(""), Meminfo::default());
        assert_eq!(Meminfo::default().used(), None);
        let odd = MEMINFO.replace("MemAvailable:   18265652 kB", "MemAvailable: -3 kB").replace("8872 kB", "nonsense");
        let m = Meminfo::read(&odd);
        assert_eq!((m.used(), m.free_percent(), m.app, m.cached), (None, None, None, None));
        assert_eq!(m.total, Some(25_276_502_016));
        let huge = MEMINFO.replace("MemTotal:       24684084 kB", "MemTotal: 18446744073709551615 kB");
        assert_eq!(Meminfo::read(&huge).total, None);
        let whole = Meminfo::read(MEMINFO);
        for cut in 0..MEMINFO.len() {
            let part = Meminfo::read(&MEMINFO[..cut]);
            for (a, b) in [(part.total, whole.total), (part.app, whole.app), (part.swap_used, whole.swap_used)] {
                assert!(a.is_none() || a == b, "cut at {cut}");
            }
        }
    }

    #[test]
    fn waiting_for_memory_is_pressure() {
        let stalls = |some: &str, full: &str| {
            Stalls::read(&format!(
                "some avg10={some} avg60=0.00 avg300=0.00 total=0\nfull avg10={full} avg60=0.00 avg300=0.00 total=0\n"
            ))
        };
        assert_eq!(stalls("0.00", "0.00").unwrap().pressure(), Pressure::Normal);
        assert_eq!(stalls("12.50", "3.00").unwrap().pressure(), Pressure::Warning);
        assert_eq!(stalls("60.00", "10.00").unwrap().pressure(), Pressure::Critical);
        for (some, full) in [("-1.00", "0.00"), ("NaN", "0.00"), ("1.00", ""), ("101.0", "0.00")] {
            assert_eq!(stalls(some, full), None, "{some} {full}");
        }
        assert_eq!(Stalls::read(""), None);
    }

    #[test]
    fn processors_are_busy_between_two_looks() {
        let ticks = |text| Ticks::read(text).unwrap();
        let a = ticks("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3 4\n");
        assert_eq!(a, Ticks { busy: 200, all: 1_000 });
        let b = ticks("cpu  160 0 120 710 105 0 0 5 60 0\n");
        assert_eq!(b.percent_since(&a), Some(85));
        assert_eq!((a.percent_since(&a), a.percent_since(&b)), (None, None));
        assert_eq!(ticks("cpu 1 2 3 4").busy, 6);
        for broken in ["", "cpu0 1 2 3 4", "cpu", "cpu 1 2 3", "cpu 1 -2 3 4", "cpu 18446744073709551615 1 1 1"] {
            assert_eq!(Ticks::read(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        assert_eq!(parent("1326 (a) b (c)) R 1320 1320 23134 0 -1"), Some(1_320));
        for broken in ["", "1326 (a", "1326 (a)", "1326 (a) R", "1326 (a) R -1"] {
            assert_eq!(parent(broken), None, "{broken}");
        }
        let status = "Name:\tllama\nVmRSS:\t    2160 kB\nRssAnon:\t 140 kB\nRssFile:\t2020 kB\nRssShmem:\t 8 kB\nVmSwap:\t 12 kB\n";
        assert_eq!(held(status), Some(Held { resident: 2_160 * 1024, footprint: 160 * 1024, worked: None }));
        assert_eq!(worked("1326 (a) b (c)) R 1320 1320 23134 0 -1 4194304 500 0 0 0 171 29 0 0 20 0 3"), Some(200));
        for broken in ["", "1 (a) R 1 1 1 0 -1 4194304 500 0 0 0 171", "1 (a) R 1 1 1 0 -1 4194304 500 0 0 0 -1 2 3"] {
            assert_eq!(worked(broken), None, "{broken}");
        }
        assert_eq!(held("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn sockets_that_listen_are_found_with_their_ports() {
        assert_eq!(listening(TCP), [(8_083, 32_689), (11_434, 32_700)]);
        assert!(listening("").is_empty());
        for cut in 0..TCP.len() {
            let part = listening(&TCP[..cut]);
            assert!(part.iter().all(|p| [(8_083, 32_689), (11_434, 32_700)].contains(p)), "cut at {cut}");
        }
        assert_eq!(["socket:[7]", "pipe:[7]", "socket:[-7]", "socket:[7"].map(socket), [Some(7), None, None, None]);
    }
}
