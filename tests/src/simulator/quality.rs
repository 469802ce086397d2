//! Scores an article by what can be measured, and says what was measured.

use unicode_segmentation::UnicodeSegmentation as _;

use super::article::{Article, count, is_wide};

/// Measured scores, from 1 to 10.
#[derive(Clone, Debug)]
pub(crate) struct Scores {
    pub(crate) relevance: i64,
    pub(crate) quality: i64,
    /// One sentence that names the measurements.
    pub(crate) reason: String,
}

/// Measures length, figures, dates, names, and how much sentence lengths vary.
pub(crate) fn score(article: &Article) -> Scores {
    let wide = article
        .raw
        .chars()
        .filter(|letter| is_wide(*letter))
        .count();
    let words = article.raw.unicode_words().count().saturating_sub(wide) + wide / 2;
    let figures = article
        .raw
        .unicode_words()
        .filter(|word| {
            word.chars()
                .next()
                .is_some_and(|letter| letter.is_ascii_digit())
        })
        .count();
    let entities = article.entities();
    let names = entities.people.len() + entities.places.len() + entities.organizations.len();
    let dates = article.dates().len();
    let lengths: Vec<f64> = article
        .sentences
        .iter()
        .map(|sentence| count(sentence.unicode_words().count()))
        .collect();
    let sentences = lengths.len();
    let mean = lengths.iter().sum::<f64>() / count(sentences).max(1.0);
    let spread = (lengths
        .iter()
        .map(|length| (length - mean).powi(2))
        .sum::<f64>()
        / count(sentences).max(1.0))
    .sqrt();

    let per_thousand = |items: usize| count(items) * 1000.0 / count(words).max(50.0);
    let readable = i64::from((12.0..=26.0).contains(&mean) || wide > 0);
    let varied = i64::from((0.35..0.7).contains(&(spread / mean.max(1.0))));
    let sourced = i64::from(per_thousand(figures) >= 12.0) + i64::from(per_thousand(names) >= 12.0);
    let quality =
        (1 + step(words, &[60, 150, 350, 900]) + readable + varied + sourced).clamp(1, 10);
    let dense = i64::from(per_thousand(names) >= 8.0) + i64::from(per_thousand(names) >= 25.0);
    let relevance =
        (1 + step(names, &[2, 6, 12, 20]) + dense + step(dates, &[1, 4]) + step(words, &[200]))
            .clamp(1, 10);
    let reason = format!(
        "The article has {words} words in {sentences} sentences (about {mean:.0} words each, deviation \
         {spread:.0}), with {figures} figures, {dates} dates and {names} names of people, places or \
         organizations."
    );
    Scores {
        relevance,
        quality,
        reason,
    }
}

/// How many of the steps a value reaches.
fn step(value: usize, steps: &[usize]) -> i64 {
    i64::try_from(steps.iter().filter(|bound| value >= **bound).count()).expect("a handful")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrap_scores_less_than_a_report() {
        let scrap = score(&Article::read("Something happened.", ""));
        let report = "On 12 March 2021 the Ministry of Culture said that 40 of 120 museums in Greece had \
            opened. It was late. Visitors paid 5 euros, and the University of Athens counted 3,000 of them. ";
        let report = score(&Article::read(&report.repeat(10), ""));
        assert!(scrap.quality < report.quality && scrap.relevance < report.relevance);
        assert!(report.reason.contains("figures"));
        assert!((1..=10).contains(&scrap.quality) && (1..=10).contains(&report.relevance));
    }
}
