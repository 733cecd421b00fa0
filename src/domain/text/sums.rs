//! [`Sums`]: how many rows each of many parts takes, and which part stands at a row.
//!
//! It holds one number a part and sums over blocks of 256 parts and over blocks of 256 such blocks, so that finding a
//! row costs the same among a million as among a thousand. Not here: what the parts are ([`super::document`]).
//! Invariant: the sums always agree with the numbers.

/// Parts in a block, and blocks in a group.
const FAN: usize = 256;

/// Rows of every part, with sums. See the module's head.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    rows: Vec<u32>,
    blocks: Vec<u64>,
    groups: Vec<u64>,
    total: u64,
}

impl Sums {
    /// How many parts there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows all take.
    pub fn total(&self) -> usize {
        usize::try_from(self.total).unwrap_or(usize::MAX)
    }

    /// Rows of a part; 0 past the end.
    pub fn rows(&self, part: usize) -> usize {
        self.rows.get(part).map_or(0, |rows| *rows as usize)
    }

    /// Adds a part at the end.
    pub fn push(&mut self, rows: usize) {
        let at = self.rows.len();
        self.rows.push(0);
        if at / FAN == self.blocks.len() {
            self.blocks.push(0);
        }
        if at / (FAN * FAN) == self.groups.len() {
            self.groups.push(0);
        }
        self.set(at, rows);
    }

    /// A part takes so many rows now. Past the end nothing happens.
    pub fn set(&mut self, part: usize, rows: usize) {
        let Some(slot) = self.rows.get_mut(part) else { return };
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let before = std::mem::replace(slot, rows);
        let sums = [self.blocks.get_mut(part / FAN), self.groups.get_mut(part / (FAN * FAN)), Some(&mut self.total)];
        for sum in sums.into_iter().flatten() {
            *sum = *sum + u64::from(rows) - u64::from(before);
        }
    }

    /// The part at `row` (0 is the first) and the row within it; none past the end. Parts without rows are passed over.
    pub fn locate(&self, row: usize) -> Option<(usize, usize)> {
        if row >= self.total() {
            return None;
        }
        let mut left = row as u64;
        let group = skip(&self.groups, 0, &mut left);
        let block = skip(&self.blocks, group * FAN, &mut left);
        let mut part = block * FAN;
        while let Some(rows) = self.rows.get(part) {
            if left < u64::from(*rows) {
                return Some((part, left as usize));
            }
            left -= u64::from(*rows);
            part += 1;
        }
        None
    }

    /// The first row of a part; the total for one past the end.
    pub fn first_row(&self, part: usize) -> usize {
        if part >= self.rows.len() {
            return self.total();
        }
        let (block, group) = (part / FAN, part / (FAN * FAN));
        let groups: u64 = self.groups.iter().take(group).sum();
        let blocks: u64 = self.blocks.get(group * FAN..block).unwrap_or_default().iter().sum();
        let parts = self.rows.get(block * FAN..part).unwrap_or_default();
        (groups + blocks + parts.iter().map(|rows| u64::from(*rows)).sum::<u64>()) as usize
    }
}

/// The index, from `from` on, of the sum that `left` falls into; takes what lies before it off `left`.
fn skip(sums: &[u64], from: usize, left: &mut u64) -> usize {
    let mut at = from;
    while let Some(sum) = sums.get(at) {
        if *left < *sum {
            break;
        }
        *left -= *sum;
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_found_as_by_counting(
            parts in prop::collection::vec(0usize..4, 0..900),
            changes in prop::collection::vec((0usize..900, 0usize..9), 0..20),
        ) {
            let mut sums = Sums::default();
            let mut plain = Vec::new();
            for rows in parts {
                sums.push(rows);
                plain.push(rows);
            }
            for (at, rows) in changes {
                sums.set(at, rows);
                if let Some(slot) = plain.get_mut(at) {
                    *slot = rows;
                }
            }
            prop_assert_eq!(sums.total(), plain.iter().sum::<usize>());
            let all: Vec<(usize, usize)> =
                plain.iter().enumerate().flat_map(|(part, rows)| (0..*rows).map(move |row| (part, row))).collect();
            for (row, place) in all.iter().enumerate().step_by(7) {
                prop_assert_eq!(sums.locate(row), Some(*place));
                prop_assert_eq!(sums.first_row(place.0) + place.1, row);
            }
            prop_assert_eq!(sums.locate(all.len()), None);
        }
    }
}
