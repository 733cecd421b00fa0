//! Figures over the last minutes as little pictures: plain blocks that every terminal draws without gaps, or their ASCII
//! twins.
//!
//! Not here: where the figures come from ([`crate::domain::state::Track`]), their colours. Invariants: a picture has
//! exactly the cells it is asked for; what was not told is empty, which nothing that was told looks like.

use super::super::theme::{GlyphSet, Theme};

/// Steps of one row; without the full block, so that pictures above each other do not run together.
const STEPS: [&str; 7] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇"];
const ASCII_STEPS: [&str; 7] = ["_", ".", "-", "=", "+", "*", "#"];

/// Values folded into so many cells, the highest of each: a peak is what one looks for. Fewer values than cells stand at
/// the right end, where now is.
pub fn folded(values: &[Option<f32>], cells: usize) -> Vec<Option<f32>> {
    let n = values.len().min(cells);
    let mut out = vec![None; cells - n];
    out.extend((0..n).map(|i| {
        let (from, to) = (i * values.len() / n, (i + 1) * values.len() / n);
        let told = values.get(from..to).into_iter().flatten().flatten().copied().filter(|v| v.is_finite());
        told.reduce(f32::max)
    }));
    out
}

/// The highest of what was told; 0 where nothing was.
pub fn peak(values: &[Option<f32>]) -> f32 {
    values.iter().flatten().copied().filter(|v| v.is_finite()).fold(0.0, f32::max)
}

/// The sign of a value in one row of a picture whose upper end is `top`.
pub fn step(value: Option<f32>, top: f32, theme: &Theme) -> &'static str {
    let Some(value) = value else { return " " };
    let share = if top > 0.0 { (value / top).clamp(0.0, 1.0) } else { 0.0 };
    let steps = if theme.glyphs == GlyphSet::Ascii { &ASCII_STEPS } else { &STEPS };
    steps[((share * 6.0).ceil() as usize).min(6)]
}

/// A picture of one row, up to `top`.
pub fn track(values: &[Option<f32>], cells: usize, top: f32, theme: &Theme) -> String {
    folded(values, cells).into_iter().map(|v| step(v, top, theme)).collect()
}

/// A picture of several rows, the uppermost first.
pub fn chart(values: &[Option<f32>], cells: usize, rows: usize, top: f32, theme: &Theme) -> Vec<String> {
    if rows <= 1 {
        return vec![track(values, cells, top, theme)];
    }
    let (steps, full) = match theme.glyphs {
        GlyphSet::Unicode => (&STEPS, "█"),
        GlyphSet::Ascii => (&ASCII_STEPS, "#"),
    };
    // The uppermost step of all stays empty: what is above must not be touched.
    let most = rows * 8 - 1;
    let heights: Vec<Option<usize>> = folded(values, cells)
        .into_iter()
        .map(|v| {
            let share = if top > 0.0 { (v? / top).clamp(0.0, 1.0) } else { 0.0 };
            Some(((share * most as f32).round() as usize).clamp(1, most))
        })
        .collect();
    let row = |below: usize| {
        let sign = |height: &Option<usize>| match height.map_or(0, |h| h.saturating_sub(below)) {
            0 => " ",
            h if h >= 8 => full,
            h => steps[h - 1],
        };
        heights.iter().map(sign).collect()
    };
    (0..rows).rev().map(|r| row(r * 8)).collect()
}

/// So many cells for parts of a whole: they add up to `cells`, and a part that is something has one, while there is room.
pub fn shares(parts: &[u64], cells: usize) -> Vec<usize> {
    let whole: u128 = parts.iter().map(|p| u128::from(*p)).sum();
    if whole == 0 {
        return vec![0; parts.len()];
    }
    let (mut sum, mut before) = (0_u128, 0_usize);
    let mut out: Vec<usize> = parts
        .iter()
        .map(|part| {
            sum += u128::from(*part);
            let end = ((sum * cells as u128 * 2 + whole) / (whole * 2)) as usize;
            let own = end.saturating_sub(before);
            before = end;
            own
        })
        .collect();
    for i in 0..parts.len() {
        let most = (0..out.len()).max_by_key(|j| out[*j]).filter(|j| out[*j] > 1);
        if let (0, 1.., Some(most)) = (out[i], parts[i], most) {
            out[most] -= 1;
            out[i] = 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_not_told_is_empty_and_nothing_is_low() {
        let values = [None, Some(0.0), Some(0.5), Some(1.0)];
        assert_eq!(track(&values, 4, 1.0, &Theme::plain()), " ▁▄▇");
        assert_eq!(track(&values, 6, 1.0, &Theme::plain()), "   ▁▄▇", "what is new stands at the right");
        assert_eq!(track(&values, 2, 1.0, &Theme::plain()), "▁▇");
        let mut ascii = Theme::plain();
        ascii.glyphs = GlyphSet::Ascii;
        assert_eq!(track(&values, 4, 1.0, &ascii), " _=#");
        assert_eq!(chart(&values, 4, 2, 1.0, &Theme::plain()), ["   ▇", " ▁██"]);
        assert_eq!(track(&[Some(f32::NAN)], 1, 0.0, &ascii), " ");
    }

    proptest! {
        #[test]
        fn parts_fill_the_bar(parts in prop::collection::vec(0_u64..u64::MAX / 8, 1..7), cells in 0_usize..200) {
            let shares = shares(&parts, cells);
            let whole: u128 = parts.iter().map(|p| u128::from(*p)).sum();
            prop_assert_eq!(shares.iter().sum::<usize>(), if whole == 0 { 0 } else { cells });
            if cells >= parts.len() * 2 && whole > 0 {
                for (part, cells) in parts.iter().zip(&shares) {
                    prop_assert_eq!(*part > 0, *cells > 0);
                }
            }
        }

        #[test]
        fn a_picture_has_its_cells(values in prop::collection::vec(prop::option::of(-1.0_f32..9.0), 0..130), cells in 0_usize..140, rows in 1_usize..5, top in 0.0_f32..4.0) {
            for row in chart(&values, cells, rows, top, &Theme::plain()) {
                prop_assert_eq!(row.chars().count(), cells);
            }
        }
    }
}
