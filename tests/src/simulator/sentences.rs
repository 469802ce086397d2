//! Cuts running text into sentences, in scripts with and without spaces.

/// Words that end with a full stop in the middle of a sentence.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "sen", "rep", "gov", "gen", "lt", "col", "sgt", "capt", "st",
    "jr", "sr", "vs", "etc", "e.g", "i.e", "cf", "al", "no", "vol", "fig", "figs", "eq", "ref",
    "refs", "approx", "inc", "ltd", "co", "corp", "dept", "est", "jan", "feb", "mar", "apr", "jun",
    "jul", "aug", "sep", "sept", "oct", "nov", "dec", "u.s", "u.k", "u.n", "d.c", "a.m", "p.m",
    "m", "mme", "sra", "z.b", "bzw", "ca", "nr", "ph.d",
];

/// The sentences of one paragraph, trimmed, in order.
pub(crate) fn split(paragraph: &str) -> Vec<String> {
    let letters: Vec<(usize, char)> = paragraph.char_indices().collect();
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < letters.len() {
        if !is_end(letters[at].1) {
            at += 1;
            continue;
        }
        let mut after = at + 1;
        while after < letters.len() && (is_end(letters[after].1) || is_closing(letters[after].1)) {
            after += 1;
        }
        let end = letters
            .get(after)
            .map_or(paragraph.len(), |(byte, _)| *byte);
        if ends_here(&letters, at, after, &paragraph[start..letters[at].0]) {
            push(&mut sentences, &paragraph[start..end]);
            start = end;
        }
        at = after;
    }
    push(&mut sentences, &paragraph[start..]);
    sentences
}

/// Whether a text ends as a sentence does.
pub(crate) fn is_terminated(text: &str) -> bool {
    text.trim_end()
        .trim_end_matches(is_closing)
        .ends_with(is_end)
}

fn push(sentences: &mut Vec<String>, text: &str) {
    let text = text.trim();
    if text.chars().any(char::is_alphanumeric) {
        sentences.push(text.to_owned());
    }
}

fn is_end(letter: char) -> bool {
    is_wide_end(letter) || matches!(letter, '.' | '!' | '?' | '…' | '؟' | '।')
}

fn is_wide_end(letter: char) -> bool {
    matches!(letter, '。' | '！' | '？')
}

fn is_closing(letter: char) -> bool {
    matches!(
        letter,
        '"' | '\'' | '”' | '’' | '»' | ')' | ']' | '」' | '』' | '）'
    )
}

/// `mark` is the index of the end mark, `after` that of the first letter behind it and its quotes.
fn ends_here(letters: &[(usize, char)], mark: usize, after: usize, before: &str) -> bool {
    if is_wide_end(letters[mark].1) {
        return true;
    }
    let Some((_, next)) = letters.get(after) else {
        return true;
    };
    if !next.is_whitespace() {
        return false;
    }
    let following: String = letters[after..]
        .iter()
        .map(|(_, letter)| *letter)
        .skip_while(|letter| letter.is_whitespace())
        .take(12)
        .collect();
    let word = following.split(' ').next().unwrap_or_default();
    // A name like `wikiHow` may begin a sentence; another small letter does not.
    if word.starts_with(char::is_lowercase) && !word.chars().any(char::is_uppercase) {
        return false;
    }
    if letters[mark].1 != '.' {
        return true;
    }
    let word = before
        .rsplit(|letter: char| letter.is_whitespace() || letter == '(')
        .next()
        .unwrap_or_default();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    !initial && !ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_and_initials_do_not_end_a_sentence() {
        let text = "Mr. Brown met J. Smith of the U.S. Senate at 10 a.m. on Monday. \"They agreed.\" It cost 3.5 million!";
        assert_eq!(split(text).len(), 3, "{:?}", split(text));
    }

    #[test]
    fn scripts_without_spaces_are_cut_too() {
        assert_eq!(split("東芝は撤退する。ソニーは続ける。").len(), 2);
        assert_eq!(split("¿Qué pasó? Nada.").len(), 2);
    }
}
