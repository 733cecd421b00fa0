//! What macOS says of memory and graphics, as numbers and as its tools print them, turned into figures.
//!
//! Not here: asking macOS (`macos.rs`); so all of this is tested anywhere. Invariants: nothing here panics, whatever it
//! is given; a figure whose parts are missing or make no sense is `None`, never 0; page sizes are told, never assumed.

use std::time::Duration;

use super::plist::Value;
use crate::domain::protocol::{Gpu, GpuLimit, LimitSource, Pressure, Thermal};
use crate::domain::text::CleanText;

/// The kernel's units of absolute time, of which `numer / denom` make a nanosecond each, as a time.
pub fn absolute(units: u64, numer: u32, denom: u32) -> Option<Duration> {
    let nanos = (u128::from(units) * u128::from(numer)).checked_div(u128::from(denom))?;
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

/// Counts of memory pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// Bytes in a page.
    pub size: u64,
    /// Wired down.
    pub wired: Option<u64>,
    /// Anonymous: not of a file.
    pub internal: Option<u64>,
    /// Of files.
    pub external: Option<u64>,
    /// Given up without asking when memory is short.
    pub purgeable: Option<u64>,
    /// Taken up by the compressor.
    pub compressor: Option<u64>,
}

impl Pages {
    /// As `vm_stat` prints them. None where not even the page size is there; lines it does not know are passed over.
    pub fn of_vm_stat(text: &str) -> Option<Self> {
        let size = text.split_once("page size of ")?.1.split_whitespace().next()?.parse().ok().filter(|n| *n > 0)?;
        let count = |key: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))?;
            line.trim().strip_suffix('.')?.parse().ok()
        };
        Some(Self {
            size,
            wired: count("Pages wired down"),
            internal: count("Anonymous pages"),
            external: count("File-backed pages"),
            purgeable: count("Pages purgeable"),
            compressor: count("Pages occupied by compressor"),
        })
    }

    /// Memory of applications.
    pub fn app(&self) -> Option<u64> {
        self.bytes(self.internal?.checked_sub(self.purgeable?))
    }

    /// Wired memory.
    pub fn wired(&self) -> Option<u64> {
        self.bytes(self.wired)
    }

    /// What the compressed memory takes up.
    pub fn compressed(&self) -> Option<u64> {
        self.bytes(self.compressor)
    }

    /// Files in memory, and what is purgeable.
    pub fn cached(&self) -> Option<u64> {
        self.bytes(self.external?.checked_add(self.purgeable?))
    }

    /// Applications, wired and compressed together.
    pub fn used(&self) -> Option<u64> {
        self.app()?.checked_add(self.wired()?)?.checked_add(self.compressed()?)
    }

    fn bytes(&self, pages: Option<u64>) -> Option<u64> {
        pages?.checked_mul(self.size)
    }
}

/// Swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swap {
    /// All of it.
    pub total: u64,
    /// In use.
    pub used: u64,
}

impl Swap {
    /// As `sysctl -n vm.swapusage` prints it, with a point or a comma.
    pub fn of_sysctl(text: &str) -> Option<Self> {
        let figure = |key: &str| {
            let (_, rest) = text.split_once(key)?;
            amount(rest.trim_start().strip_prefix('=')?.split_whitespace().next()?)
        };
        Some(Self { total: figure("total")?, used: figure("used")? })
    }
}

/// `11947.44M` in bytes, exactly.
fn amount(text: &str) -> Option<u64> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let unit: u64 = match &text[at..] {
        "B" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    let (whole, part) = text[..at].split_once(['.', ',']).unwrap_or((&text[..at], ""));
    let scale = 10u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let part: u64 = if part.is_empty() { 0 } else { part.parse().ok()? };
    let hundredths = whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part)?;
    u64::try_from(u128::from(hundredths) * u128::from(unit) / u128::from(scale)).ok()
}

/// The one number that `sysctl -n KEY` prints; none where it prints nothing or words.
pub fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// `kern.memorystatus_vm_pressure_level`.
pub const fn pressure(level: i64) -> Option<Pressure> {
    match level {
        1 => Some(Pressure::Normal),
        2 => Some(Pressure::Warning),
        4 => Some(Pressure::Critical),
        _ => None,
    }
}

/// The state of `com.apple.system.thermalpressurelevel`.
pub const fn thermal(level: u64) -> Option<Thermal> {
    match level {
        0 => Some(Thermal::Nominal),
        1 => Some(Thermal::Moderate),
        2 => Some(Thermal::Heavy),
        // Trapping and sleeping.
        3 | 4 => Some(Thermal::Critical),
        _ => None,
    }
}

/// A share as macOS tells it; more than 100 is seen where samples overlap.
pub fn percent(value: i64) -> Option<u8> {
    u8::try_from(value.min(100)).ok()
}

/// A graphics processor from its `PerformanceStatistics`.
pub fn gpu(name: &str, cores: Option<i64>, statistic: impl Fn(&str) -> Option<i64>) -> Gpu {
    let bytes = |key: &str| u64::try_from(statistic(key)?).ok();
    Gpu {
        name: CleanText::one_line(name),
        cores: cores.and_then(|n| u32::try_from(n).ok()),
        unified: true,
        limit: None,
        active: bytes("In use system memory"),
        reserved: bytes("Alloc system memory"),
        percent: statistic("Device Utilization %").and_then(percent),
    }
}

/// The graphics processors in what `ioreg -a -r -d 1 -w 0 -c IOAccelerator` prints. What was cut off is missing, the rest
/// is read.
pub fn gpus(xml: &str) -> Vec<Gpu> {
    let Some(Value::List(entries)) = Value::read(xml) else { return Vec::new() };
    let read = |entry: &Value| {
        let statistics = entry.get("PerformanceStatistics");
        let name = entry.get("model").and_then(Value::text);
        if statistics.is_none() && name.is_none() {
            return None;
        }
        let cores = entry.get("gpu-core-count").and_then(Value::integer);
        Some(gpu(name.unwrap_or("GPU"), cores, |key| statistics?.get(key)?.integer()))
    };
    entries.iter().filter_map(read).collect()
}

/// The devices in what `llama-server --list-devices` prints, with their memory in bytes; those without memory are left
/// out.
pub fn listed_devices(text: &str) -> Vec<(String, u64)> {
    let read = |line: &str| {
        let (name, rest) = line.strip_prefix("  ")?.split_once(": ")?;
        let mib: u64 = rest.rsplit_once('(')?.1.split_once(" MiB")?.0.parse().ok()?;
        Some((name.to_owned(), mib.checked_mul(1 << 20).filter(|bytes| *bytes > 0)?))
    };
    text.lines().filter_map(read).collect()
}

/// Who may tell how much memory the GPU can use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitClaims {
    /// `iogpu.wired_limit_mb`; 0 leaves it to the system.
    pub sysctl_mb: Option<i64>,
    /// Metal's recommended largest working set, in bytes.
    pub metal: Option<u64>,
    /// What a model server listed, in bytes.
    pub server: Option<u64>,
}

impl LimitClaims {
    /// The claim to go by, on a machine with that much memory: what the operator set, else Metal, else a server, else an
    /// estimate.
    pub fn limit(&self, total: u64) -> Option<GpuLimit> {
        let set = self.sysctl_mb.and_then(|mb| u64::try_from(mb).ok()).and_then(|mb| mb.checked_mul(1 << 20));
        let told = |bytes: Option<u64>| bytes.filter(|b| *b > 0);
        let limit = |bytes, source| GpuLimit { bytes, source };
        (told(set).map(|b| limit(b, LimitSource::Sysctl)))
            .or_else(|| told(self.metal).map(|b| limit(b, LimitSource::Metal)))
            .or_else(|| told(self.server).map(|b| limit(b, LimitSource::Server)))
            .or_else(|| estimate(total).map(|b| limit(b, LimitSource::Estimate)))
    }
}

/// The share of memory that macOS gives to the GPU when nobody set it, as measured on machines of 8 to 256 GB with
/// macOS 26 and 27, rounded up to a page.
fn estimate(total: u64) -> Option<u64> {
    const GIB: u64 = 1 << 30;
    const PAGE: u128 = 16_384;
    let (share, of) = match total / GIB {
        0 => return None,
        1..16 => (2, 3),
        16..32 => (74, 100),
        32..64 => (78, 100),
        64..128 => (81, 100),
        128..256 => (84, 100),
        _ => (87, 100),
    };
    u64::try_from((u128::from(total) * share).div_ceil(of * PAGE) * PAGE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VM_STAT: &str = include_str!("../../../tests/machine/vm_stat_m3ultra.txt");
    const IOREG: &str = include_str!("../../../tests/machine/ioreg_m3ultra.plist");

    #[test]
    fn the_parts_of_memory_are_the_sums_of_the_pages_to_the_byte() {
        let pages = Pages::of_vm_stat(VM_STAT).unwrap();
        assert_eq!(pages.wired(), Some(106_496_000_000));
        assert_eq!(pages.compressed(), Some(1_310_720_000));
        assert_eq!(pages.app(), Some(61_751_296_000));
        assert_eq!(pages.used(), Some(169_558_016_000));
        assert_eq!(pages.cached(), Some(36_388_864_000));
    }

    #[test]
    fn a_part_that_is_missing_negative_or_nonsense_is_not_told() {
        assert_eq!(Pages::of_vm_stat(""), None);
        assert_eq!(Pages::of_vm_stat("Mach Virtual Memory Statistics: (page size of 0 bytes)"), None);
        let negative = VM_STAT.replace("Pages wired down:                       6500000.", "Pages wired down: -7.");
        let pages = Pages::of_vm_stat(&negative).unwrap();
        assert_eq!((pages.wired(), pages.used(), pages.compressed()), (None, None, Some(1_310_720_000)));
        let more = VM_STAT.replace("Pages purgeable:                          21000.", "Pages purgeable: 3790001.");
        assert_eq!(Pages::of_vm_stat(&more).unwrap().app(), None, "more is purgeable than there is");
        let huge = VM_STAT.replace("6500000.", "18446744073709551615.");
        assert_eq!(Pages::of_vm_stat(&huge).unwrap().wired(), None);
        let whole = Pages::of_vm_stat(VM_STAT).unwrap();
        for cut in 0..VM_STAT.len() {
            if let Some(part) = Pages::of_vm_stat(&VM_STAT[..cut]) {
                let same = |a: Option<u64>, b: Option<u64>| a.is_none() || a == b;
                assert!(same(part.app(), whole.app()) && same(part.wired(), whole.wired()), "cut at {cut}");
                assert!(same(part.used(), whole.used()) && same(part.cached(), whole.cached()), "cut at {cut}");
            }
        }
    }

    #[test]
    fn another_page_size_is_taken_as_told() {
        let text = "Mach Virtual Memory Statistics: (page size of 4096 bytes)\nPages wired down:   3.\n";
        assert_eq!(Pages::of_vm_stat(text).unwrap().wired(), Some(12_288));
    }

    #[test]
    fn swap_is_read_with_a_point_or_a_comma() {
        let none = "total = 0.00M  used = 0.00M  free = 0.00M  (encrypted)\n";
        assert_eq!(Swap::of_sysctl(none), Some(Swap { total: 0, used: 0 }));
        let some = Some(Swap { total: 3_221_225_472, used: 2_148_007_936 });
        assert_eq!(Swap::of_sysctl("total = 3072.00M  used = 2048.50M  free = 1023.50M  (encrypted)\n"), some);
        assert_eq!(Swap::of_sysctl("vm.swapusage: total = 3,00G  used = 2048,50M  free = 1023,50M"), some);
        for broken in ["", "total = ", "total = -1.00M  used = 1.00M", "total = 1.00X used = 1.00M", "total = 1.00M"] {
            assert_eq!(Swap::of_sysctl(broken), None, "{broken}");
        }
        assert_eq!(amount("1.99999999999999999999999M"), None);
    }

    #[test]
    fn a_graphics_processor_is_read_to_the_byte() {
        let want = Gpu {
            name: CleanText::from("Apple M3 Ultra"),
            cores: Some(80),
            unified: true,
            limit: None,
            active: Some(104_000_000_000),
            reserved: Some(118_000_000_000),
            percent: Some(97),
        };
        assert_eq!(gpus(IOREG), [want]);
    }

    #[test]
    fn graphics_that_say_less_or_more_are_read_as_far_as_they_go() {
        let two = gpus(include_str!("../../../tests/machine/ioreg_two.plist"));
        assert_eq!(two.len(), 2);
        assert_eq!((two[0].percent, two[0].active), (Some(100), Some(1_046_872_064)), "137 % is said as 100");
        assert_eq!((&*two[1].name, two[1].active, two[1].reserved), ("GPU", None, Some(6_614_056_960)));
        let bare = gpus(include_str!("../../../tests/machine/ioreg_no_statistics.plist"));
        assert_eq!(bare.len(), 1);
        assert_eq!((bare[0].active, bare[0].reserved, bare[0].percent), (None, None, None));
        assert!(gpus("").is_empty());
        let whole = gpus(IOREG);
        for cut in (0..IOREG.len()).filter(|cut| IOREG.is_char_boundary(*cut)) {
            for gpu in gpus(&IOREG[..cut]) {
                assert!(gpu.active.is_none() || gpu.active == whole[0].active, "cut at {cut}");
                assert!(gpu.reserved.is_none() || gpu.reserved == whole[0].reserved, "cut at {cut}");
            }
        }
    }

    #[test]
    fn levels_the_kernel_does_not_have_are_not_told() {
        assert_eq!([1, 2, 4].map(pressure), [Pressure::Normal, Pressure::Warning, Pressure::Critical].map(Some));
        assert_eq!([0, 3, -1, 9].map(pressure), [None; 4]);
        assert_eq!((thermal(0), thermal(4), thermal(5)), (Some(Thermal::Nominal), Some(Thermal::Critical), None));
        assert_eq!((percent(-1), percent(0), percent(137)), (None, Some(0), Some(100)));
        assert_eq!((number("245760\n"), number(""), number("unknown oid")), (Some(245_760), None, None));
    }

    #[test]
    fn the_operators_limit_goes_before_metal_a_server_and_an_estimate() {
        const TOTAL: u64 = 274_877_906_944;
        let limit = |sysctl_mb, metal, server| {
            let limit = LimitClaims { sysctl_mb, metal, server }.limit(TOTAL).unwrap();
            (limit.bytes, limit.source)
        };
        let (metal, server) = (Some(239_143_780_352), Some(228_065 << 20));
        assert_eq!(limit(Some(245_760), metal, server), (257_698_037_760, LimitSource::Sysctl));
        assert_eq!(limit(Some(0), metal, server), (239_143_780_352, LimitSource::Metal));
        assert_eq!(limit(Some(-5), None, server), (239_143_485_440, LimitSource::Server));
        assert_eq!(limit(None, None, None), (239_143_780_352, LimitSource::Estimate));
        assert_eq!(LimitClaims::default().limit(0), None);
    }

    #[test]
    fn the_estimate_meets_what_was_measured() {
        let measured: [(u64, u64); 6] = [
            (8, 5_726_633_984),
            (16, 12_713_115_648),
            (32, 26_800_603_136),
            (48, 40_200_896_512),
            (64, 55_662_788_608),
            (256, 239_143_780_352),
        ];
        for (gib, bytes) in measured {
            assert_eq!(estimate(gib << 30), Some(bytes), "{gib} GB");
        }
    }

    #[test]
    fn units_of_absolute_time_are_a_fraction_of_nanoseconds() {
        assert_eq!(absolute(24_000_000, 125, 3), Some(Duration::from_secs(1)));
        assert_eq!((absolute(u64::MAX, 1, 1), absolute(5, 1, 0)), (Some(Duration::from_nanos(u64::MAX)), None));
        assert_eq!(absolute(u64::MAX, 125, 3), None);
    }

    #[test]
    fn a_servers_list_of_devices_tells_their_memory() {
        let text = "Available devices:\n  MTL0: Apple M3 Ultra (228065 MiB, 228064 MiB free)\n  BLAS: Accelerate (0 MiB, 0 MiB free)\n";
        assert_eq!(listed_devices(text), [("MTL0".to_owned(), 228_065 << 20)]);
        assert!(listed_devices("").is_empty() && listed_devices("  MTL0: Apple (-3 MiB, 2 MiB free)").is_empty());
    }
}
