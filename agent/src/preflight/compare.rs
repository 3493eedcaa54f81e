//! Versions of extensions, which are free text: "1.6", "3.3.2dev", "2023-04".
use std::cmp::Ordering;

/// Compares the numbers in both, from left to right; a number that is missing counts as 0. What has no order is equal.
pub(super) fn versions(one: &str, other: &str) -> Ordering {
    let (one, other) = (numbers(one), numbers(other));
    let longest = one.len().max(other.len());
    let at = |numbers: &[u64], i| numbers.get(i).copied().unwrap_or_default();
    (0..longest)
        .map(|i| at(&one, i).cmp(&at(&other, i)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn numbers(version: &str) -> Vec<u64> {
    let is_other = |c: char| !c.is_ascii_digit();
    version.split(is_other).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_number_and_not_by_letter() {
        for (one, other, order) in [
            ("1.10", "1.9", Ordering::Greater),
            ("1.6", "1.6.0", Ordering::Equal),
            ("3.3.2dev", "3.3.3", Ordering::Less),
            ("", "1", Ordering::Less),
            ("x", "y", Ordering::Equal),
        ] {
            assert_eq!(versions(one, other), order, "{one} {other}");
        }
    }
}
