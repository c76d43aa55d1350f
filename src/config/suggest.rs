//! Finds the word that somebody meant to write.

/// How many pairs of words are compared at most where that only helps a warning, which must not hold up a start.
const COMPARISONS: usize = 200_000;

/// Whether so many words are compared with so many others in little time.
pub(super) fn are_few(words: usize, others: usize) -> bool {
    words.saturating_mul(others) <= COMPARISONS
}

/// The candidate that is nearest to a mistyped word, if one is near enough to be meant.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    const LONGEST: usize = 64;
    let word: Vec<char> = word.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    let tolerated = match word.len() {
        0 | 1 => return None,
        2..=4 => 1,
        _ => 2,
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
        if letters.len().abs_diff(word.len()) > tolerated && !letters.starts_with(&word) {
            continue;
        }
        // `alg` is meant for `algorithms`, far as they are apart.
        let far = if word.len() >= 3 && letters.starts_with(&word) { tolerated } else { tolerated + 1 };
        let distance = distance(&word, &letters).min(far);
        if distance <= tolerated && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    let mut last: Option<char> = None;
    for (row, letter) in from.iter().enumerate() {
        let mut line = Vec::with_capacity(above.len());
        line.push(row + 1);
        let mut left = row + 1;
        for (column, other) in to.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut cost =
                (at(&above, column) + usize::from(letter != other)).min(at(&above, column + 1) + 1).min(left + 1);
            let previous = column.checked_sub(1);
            if let Some(previous) = previous
                && last == Some(*other)
                && to.get(previous) == Some(letter)
            {
                cost = cost.min(at(&before, previous) + 1);
            }
            line.push(cost);
            left = cost;
        }
        before = above;
        above = line;
        last = Some(*letter);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(a: &str, b: &str) -> usize {
        distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
    }

    #[test]
    fn counts_steps() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("crop", "corp", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
            ("abc", "", 3),
        ] {
            assert_eq!(steps(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn suggests_what_is_near() {
        let fields = ["issuer", "audience", "algorithms", "leeway"];
        for (word, expected) in [
            ("Audience", Some("audience")),
            ("audiense", Some("audience")),
            ("alg", Some("algorithms")),
            ("x", None),
            ("banana", None),
            ("issuers", Some("issuer")),
        ] {
            assert_eq!(nearest(word, fields), expected, "{word}");
        }
    }
}
