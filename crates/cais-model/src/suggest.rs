//! "Did you mean": the known word nearest to an unknown one.

/// Past so many words a suggestion is not worth its time.
const MOST_CANDIDATES: usize = 1000;

/// The nearest of the known words, if any is near enough to be a slip of the keyboard.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bound = match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let flat = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let wanted = flat(word);
    known
        .into_iter()
        .take(MOST_CANDIDATES)
        .map(|candidate| (distance(&wanted, &flat(candidate)), candidate))
        .filter(|&(distance, _)| distance <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The help line for an unknown word, where a known one is near.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// Edits between two words: insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slips_are_suggested() {
        let known = ["image", "environment", "env_file", "ports", "healthcheck"];
        for (word, want) in [
            ("imgae", Some("image")),
            ("enviroment", Some("environment")),
            ("health-check", Some("healthcheck")),
            ("port", Some("ports")),
            ("env-file", Some("env_file")),
            ("healthchek", Some("healthcheck")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, known), want, "{word}");
        }
    }
}
