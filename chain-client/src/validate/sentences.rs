//! Counts sentences, in any script.

use unicode_segmentation::UnicodeSegmentation as _;

/// Words that end in a full stop without ending a sentence.
const ABBREVIATIONS: [&str; 26] = [
    "mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "sr.", "jr.", "inc.", "ltd.", "co.", "corp.",
    "vs.", "no.", "gen.", "sen.", "rep.", "gov.", "rev.", "hon.", "e.g.", "i.e.", "approx.", "ca.",
    "mt.", "ft.",
];

/// The number of sentences. An initial or a known abbreviation does not end one, nor does a piece
/// without a letter or digit.
pub(crate) fn sentences(text: &str) -> usize {
    let mut count = 0;
    let mut open = false;
    for piece in text.unicode_sentences() {
        open = true;
        if !ends_in_abbreviation(piece) {
            count += 1;
            open = false;
        }
    }
    count + usize::from(open)
}

fn ends_in_abbreviation(piece: &str) -> bool {
    let Some(word) = piece.split_whitespace().next_back() else {
        return false;
    };
    let word = word
        .trim_start_matches(['(', '"', '\'', '\u{201C}'])
        .to_lowercase();
    let initial = word.strip_suffix('.').is_some_and(|rest| {
        // "J." and "U.S.", but not "I." of "so do I.": rare enough in a summary.
        !rest.is_empty()
            && rest.split('.').all(|part| part.chars().count() == 1)
            && rest.chars().all(|c| c == '.' || c.is_alphabetic())
    });
    initial || ABBREVIATIONS.contains(&word.as_str())
}
