//! The nearest known word to a mistyped one: behind every "did you mean".

/// The candidate that `word` most likely meant, or none when all are too far away.
///
/// Near is: equal but for case and separators, a prefix of 4 or more characters, or an edit distance (insert, delete,
/// replace, swap of neighbours) of at most a third of the word, 3 at the most. The first of equals wins.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    let limit = (folded.len() / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = fold(candidate);
        let distance = if other == folded {
            0
        } else if folded.len() >= 4 && other.len() >= 4 && (other.starts_with(&folded) || folded.starts_with(&other)) {
            1
        } else if folded.len().abs_diff(other.len()) > limit {
            continue;
        } else {
            edit_distance(&folded, &other)
        };
        if distance <= limit && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Lower-case letters and digits; at most 64, so that a hostile word costs nothing.
fn fold(word: &str) -> Vec<char> {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(64).collect()
}

/// Optimal string alignment: Levenshtein with swaps of neighbours.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, &y) in b.iter().enumerate() {
            let replaced = previous[j] + usize::from(x != y);
            row[j + 1] = replaced.min(previous[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn small_slips_are_found_and_strangers_are_not() {
        let words = ["researcher", "reasoner", "coder", "analyst"];
        for (typed, meant) in
            [("reseacher", "researcher"), ("Reasoner", "reasoner"), ("codre", "coder"), ("research", "researcher")]
        {
            assert_eq!(nearest(typed, words), Some(meant), "{typed}");
        }
        assert_eq!(nearest("wizard", words), None);
        assert_eq!(nearest("", words), None);
    }
}
