//! "Did you mean": the nearest of the names that would have been right.

/// The nearest name, if one is near enough to be meant.
pub(super) fn nearest<'a>(
    wrong: &str,
    right: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A third of the letters may differ, so that short names do not match just anything.
    let most = (wrong.chars().count() / 3).clamp(1, 4);
    right
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, name)| name)
}

/// The half-sentence that names the nearest, or lists all.
pub(super) fn hint(wrong: &str, what: &str, right: &[&str]) -> String {
    match nearest(wrong, right.iter().copied()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None if right.is_empty() => format!("there are no {what}"),
        None => format!("the {what} are {}", listed(right)),
    }
}

/// At most twelve names, so that the line stays readable.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>();
    let more = names.len().saturating_sub(SHOWN);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// How many letters must be changed, added, removed or swapped with their neighbour
/// (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    // Nothing this long is a typing error, and the work grows with the square.
    const LONGEST: usize = 80;
    let left: Vec<char> = left.to_lowercase().chars().take(LONGEST).collect();
    let right: Vec<char> = right.to_lowercase().chars().take(LONGEST).collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for (i, l) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let changed = rows[i][j] + usize::from(l != r);
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *l == right[j - 1] && left[i - 1] == *r {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_name() {
        let names = ["listen", "metrics_listen", "max_in_flight"];
        assert_eq!(nearest("lisen", names), Some("listen"));
        assert_eq!(nearest("litsen", names), Some("listen"));
        assert_eq!(nearest("max_inflight", names), Some("max_in_flight"));
        assert_eq!(nearest("MAX_IN_FLIGHT", names), Some("max_in_flight"));
    }

    #[test]
    fn something_else_finds_nothing() {
        assert_eq!(nearest("colour", ["listen", "plaintext"]), None);
        assert_eq!(nearest("x", ["listen"]), None);
        assert_eq!(nearest("", ["listen"]), None);
    }
}
