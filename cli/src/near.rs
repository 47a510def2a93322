//! Near matches: what somebody may have meant.

/// How many single-letter changes make one text the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let change = corner + usize::from(letter != *other);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// `; did you mean …?` for the nearest known word, else the words that there are.
pub fn hint<'w>(given: &str, known: impl Iterator<Item = &'w str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|word| (distance(given, word), *word)).min();
    match nearest {
        Some((far, word)) if far <= 1 + given.len() / 4 => format!("; did you mean `{word}`?"),
        Some(_) if known.len() <= 24 => format!("; there are: {}", known.join(", ")),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        assert_eq!(hint("amout", ["amount", "payer"].into_iter()), "; did you mean `amount`?");
        assert_eq!(hint("xyz", ["amount", "payer"].into_iter()), "; there are: amount, payer");
        assert_eq!(hint("xyz", [].into_iter()), "");
    }
}
