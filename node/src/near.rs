//! Near matches: what somebody may have meant.

/// How many slips make one text the other: a letter changed, added, left out, or two neighbours swapped.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // `rows[i][j]`: from the first `i` letters of `a` to the first `j` of `b`.
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// The known word that was meant, where one is near enough.
pub fn nearest<'w>(given: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let (far, word) = known.map(|word| (distance(given, word), word)).min()?;
    (far <= 1 + given.len() / 4).then_some(word)
}

/// `; did you mean …?` for the nearest known word, else the words that there are.
pub fn hint<'w>(given: &str, known: impl Iterator<Item = &'w str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(given, known.iter().copied()) {
        Some(word) => format!("; did you mean `{word}`?"),
        None if (1..=24).contains(&known.len()) => format!("; there are: {}", known.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        let cases =
            [("", "", 0), ("", "ab", 2), ("bbo", "bob", 1), ("ada", "adda", 1), ("kitten", "sitting", 3)];
        for (a, b, slips) in cases {
            assert_eq!((distance(a, b), distance(b, a)), (slips, slips), "{a} {b}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        assert_eq!(hint("amout", ["amount", "payer"].into_iter()), "; did you mean `amount`?");
        assert_eq!(hint("xyz", ["amount", "payer"].into_iter()), "; there are: amount, payer");
        assert_eq!(hint("xyz", [].into_iter()), "");
    }
}
