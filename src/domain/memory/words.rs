//! A judgement of memory in words.
//!
//! Not here: the sum itself. Invariant: what is not known is named, never shown as 0.

use std::fmt;

use super::{Bound, Fit, Limit, Verdict};
use crate::domain::protocol::Pressure;
use crate::domain::text::CleanText;

/// Gigabytes (10⁹ bytes) with one decimal where it is not 0: `98`, `70.9`.
pub fn amount(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000_000) / 100_000_000;
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        rest => format!("{}.{rest}", tenths / 10),
    }
}

impl fmt::Display for Limit {
    /// The limit and what it comes from: `239.1 (GPU limit, Metal)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", amount(self.bytes))?;
        match self.bound {
            Bound::Reserve { total } => {
                write!(f, " ({} less {} kept free)", amount(total), amount(total.saturating_sub(self.bytes)))
            }
            Bound::Others { total } => write!(
                f,
                " ({} less {} that other programs hold)",
                amount(total),
                amount(total.saturating_sub(self.bytes))
            ),
            Bound::Gpu(source) => write!(f, " (GPU limit, {})", source.word()),
            Bound::Cards => f.write_str(" (main memory and cards)"),
            Bound::Budget => f.write_str(" (your budget)"),
        }
    }
}

impl Verdict {
    /// In a few words: `fits: 98 of 239.1 GB`.
    pub fn headline(&self) -> String {
        let taken = || {
            let limit = self.limit.map_or_else(|| "–".to_owned(), |l| amount(l.bytes));
            format!("{} of {limit} GB", amount(self.held.saturating_add(self.needed)))
        };
        match self.fit {
            Fit::Fits => format!("fits: {}", taken()),
            Fit::Tight => format!("is tight: {}", taken()),
            Fit::No => format!("does not suffice: {self}"),
            Fit::Unknown => "fit is not known".to_owned(),
        }
    }

    /// What a person wants to know beside [`Self::headline`]; empty where it says all.
    pub fn details(&self) -> String {
        match self.fit {
            Fit::No => String::new(),
            Fit::Tight | Fit::Unknown => self.to_string(),
            Fit::Fits => {
                let more = (self.needed > 0).then(|| format!("{} of it are still to be loaded", amount(self.needed)));
                more.into_iter().chain(self.unknown_words()).collect::<Vec<_>>().join("; ")
            }
        }
    }

    fn unknown_words(&self) -> Option<String> {
        let names = self.unknown.iter().map(CleanText::as_str).collect::<Vec<_>>().join(", ");
        match self.unknown.len() {
            0 => None,
            1 => Some(format!("the size of {names} is not known and counts for nothing")),
            _ => Some(format!("the sizes of {names} are not known and count for nothing")),
        }
    }
}

impl fmt::Display for Verdict {
    /// The sum: `needs 98 GB more: GPT 80 + Qwen 18; 171 GB are left of 239.1 (GPU limit, Metal)`; where that does not fit
    /// `lacks 27 GB: needs 98 for GPT 80 + Qwen 18; 71 GB are left of 239.1 (GPU limit, Metal)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.needed > 0 {
            let more: Vec<String> = self.more.iter().map(|(name, n)| format!("{name} {}", amount(*n))).collect();
            let more = more.join(" + ");
            // What does not fit is said by what is lacking: that much has to be freed.
            parts.push(match (self.fit, self.needed.saturating_sub(self.room)) {
                (Fit::No, lack @ 1..) => format!("lacks {} GB: needs {} for {more}", amount(lack), amount(self.needed)),
                _ => format!("needs {} GB more: {more}", amount(self.needed)),
            });
        } else if self.unknown.is_empty() {
            parts.push("loads no model that is not loaded".to_owned());
        }
        parts.push(match self.limit {
            Some(limit) => format!("{} GB are left of {limit}", amount(self.room)),
            None => "how much memory there is, is not known yet".to_owned(),
        });
        parts.extend(self.unknown_words());
        if let Some(pressure) = self.pressure.filter(|p| *p > Pressure::Normal) {
            parts.push(format!("memory pressure is {}", pressure.word()));
        }
        f.write_str(&parts.join("; "))
    }
}
