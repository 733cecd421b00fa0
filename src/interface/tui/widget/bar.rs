//! Bars and little histories.

use super::super::theme::{GlyphSet, Theme};

/// Without the full block: histories above each other must not run together.
const STEPS: [&str; 7] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇"];
const ASCII_STEPS: [&str; 7] = ["_", ".", "-", "=", "+", "*", "#"];

/// How many of `cells` stand for `share` (0..=1): at least one when there is any, all only when it is whole.
pub fn filled(share: f32, cells: usize) -> usize {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let n = (share * cells as f32).round() as usize;
    match share {
        0.0 => 0,
        1.0 => cells,
        _ => n.clamp(1.min(cells), cells.saturating_sub(1).max(1).min(cells)),
    }
}

/// A history in `cells` signs, the highest at the top of the range; nothing at all is the lowest sign.
pub fn history(seconds: &[u32], cells: usize, theme: &Theme) -> String {
    let cells = cells.clamp(1, seconds.len().max(1));
    let per = (seconds.len() / cells).max(1);
    let sums: Vec<u64> = seconds.chunks(per).take(cells).map(|c| c.iter().map(|n| u64::from(*n)).sum()).collect();
    let top = sums.iter().copied().max().unwrap_or(0);
    let steps = if theme.glyphs == GlyphSet::Ascii { &ASCII_STEPS } else { &STEPS };
    sums.iter().map(|n| steps[if top == 0 { 0 } else { (n * 6).div_ceil(top).min(6) as usize }]).collect()
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        assert_eq!(
            [filled(0.0, 10), filled(0.001, 10), filled(0.425, 10), filled(0.999, 10), filled(1.0, 10)],
            [0, 1, 4, 9, 10]
        );
        assert_eq!(filled(f32::NAN, 10), 0);
    }
}
