//! Memory as one bar: what it is divided into, to the byte.
//!
//! Not here: drawing. Invariant: the parts of a look at the machine add up to all its memory, those in use to what is in
//! use, whatever the machine told.

use crate::domain::protocol::MachineSampled;

/// What a part of memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of applications, not compressed.
    App,
    /// Can't be paged out; models that run on the GPU are here.
    Wired,
    /// What compressed memory takes up.
    Compressed,
    /// In use, and not told what for.
    Used,
    /// Files kept, given up on demand.
    Cached,
    /// Nothing.
    Free,
}

impl Kind {
    /// For the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Wired => "wired",
            Self::Compressed => "compressed",
            Self::Used => "other",
            Self::Cached => "cached",
            Self::Free => "free",
        }
    }

    /// Whether it is in use.
    pub const fn is_used(self) -> bool {
        !matches!(self, Self::Cached | Self::Free)
    }
}

/// What all memory is divided into; empty before the first look.
pub fn parts(m: &MachineSampled) -> Vec<(Kind, u64)> {
    if m.total == 0 {
        return Vec::new();
    }
    let used = m.used.min(m.total);
    let told = [(Kind::App, m.app), (Kind::Wired, m.wired), (Kind::Compressed, m.compressed)];
    let mut out: Vec<(Kind, u64)> = told.into_iter().filter_map(|(kind, bytes)| Some((kind, bytes?))).collect();
    let sum = out.iter().try_fold(0_u64, |sum, (_, bytes)| sum.checked_add(*bytes));
    match sum.and_then(|sum| used.checked_sub(sum)) {
        Some(0) => {}
        Some(rest) => out.push((Kind::Used, rest)),
        // Figures that contradict each other are not divided.
        None => out = vec![(Kind::Used, used)],
    }
    let rest = m.total - used;
    let cached = m.cached.unwrap_or(0).min(rest);
    if m.cached.is_some() {
        out.push((Kind::Cached, cached));
    }
    out.push((Kind::Free, rest - cached));
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_parts_add_up_to_the_byte(
            (total, used) in (0_u64..u64::MAX, 0_u64..u64::MAX),
            app in prop::option::of(0_u64..u64::MAX),
            wired in prop::option::of(0_u64..1 << 40),
            compressed in prop::option::of(0_u64..1 << 40),
            cached in prop::option::of(0_u64..u64::MAX),
        ) {
            let m = MachineSampled { total, used, app, wired, compressed, cached, ..MachineSampled::default() };
            let parts = parts(&m);
            prop_assert_eq!(parts.iter().map(|(_, b)| b).sum::<u64>(), total);
            let in_use: u64 = parts.iter().filter(|(k, _)| k.is_used()).map(|(_, b)| b).sum();
            prop_assert_eq!(in_use, used.min(total));
        }
    }
}
