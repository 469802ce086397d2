//! The article in a prompt: its prose as sentences, and which of them are central.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use unicode_segmentation::UnicodeSegmentation as _;

use super::dates::{self, Date};
use super::entities::{self, Entities};
use super::sentences;
use super::words::is_stopword;

/// An article, read as far as each answer needs.
pub(crate) struct Article {
    /// The text as it stands in the prompt, without a front matter.
    pub(crate) raw: String,
    pub(crate) title: String,
    /// The sentences of its paragraphs, without markup.
    pub(crate) sentences: Vec<String>,
    entities: OnceCell<Entities>,
    dates: OnceCell<Vec<Date>>,
}

impl Article {
    /// Reads a text, which may be plain, Markdown, or have some HTML in it.
    pub(crate) fn read(text: &str, title: &str) -> Self {
        let raw = without_front_matter(text).to_owned();
        let paragraphs = paragraphs(&raw);
        let mut found: Vec<String> = paragraphs
            .iter()
            .filter(|paragraph| sentences::is_terminated(paragraph))
            .flat_map(|paragraph| sentences::split(paragraph))
            .collect();
        if found.is_empty() {
            found = paragraphs
                .iter()
                .flat_map(|paragraph| sentences::split(paragraph))
                .collect();
        }
        Self {
            raw,
            title: title.to_owned(),
            sentences: found,
            entities: OnceCell::new(),
            dates: OnceCell::new(),
        }
    }

    /// People, places and organizations, the most mentioned first.
    pub(crate) fn entities(&self) -> &Entities {
        self.entities.get_or_init(|| entities::find(&self.raw))
    }

    /// The dates that the article names, in order.
    pub(crate) fn dates(&self) -> &[Date] {
        self.dates.get_or_init(|| dates::find(&self.raw))
    }

    /// The most central sentences, at most `count`, joined in the article's order.
    pub(crate) fn summary(&self, count: usize) -> String {
        let joint = if self.raw.chars().any(is_wide) {
            ""
        } else {
            " "
        };
        self.central(count).join(joint)
    }

    /// How many sentences a summary of this article has.
    pub(crate) fn summary_length(&self) -> usize {
        if self.sentences.len() >= 8 { 3 } else { 2 }
    }

    /// The most central sentences in the article's order.
    pub(crate) fn central(&self, count: usize) -> Vec<&str> {
        let bags: Vec<Vec<String>> = self
            .sentences
            .iter()
            .map(|sentence| content_words(sentence))
            .collect();
        let mut frequency: HashMap<&str, f64> = HashMap::new();
        for word in bags.iter().flatten() {
            *frequency.entry(word).or_default() += 1.0;
        }
        let title: HashSet<String> = content_words(&self.title).into_iter().collect();
        let mut ranked: Vec<(f64, usize)> = (0..bags.len())
            .map(|at| (self.score(at, &bags[at], &frequency, &title), at))
            .collect();
        ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        let mut chosen: Vec<usize> = Vec::new();
        for (_, at) in ranked {
            if chosen.len() == count {
                break;
            }
            if chosen
                .iter()
                .all(|other| overlap(&bags[at], &bags[*other]) < 0.5)
            {
                chosen.push(at);
            }
        }
        chosen.sort_unstable();
        chosen
            .into_iter()
            .map(|at| self.sentences[at].as_str())
            .collect()
    }

    /// Frequent words, an early place and words of the title make a sentence central; questions, anaphora and
    /// unusual lengths do not.
    fn score(
        &self,
        at: usize,
        bag: &[String],
        frequency: &HashMap<&str, f64>,
        title: &HashSet<String>,
    ) -> f64 {
        let sentence = &self.sentences[at];
        let most = frequency.values().copied().fold(1.0, f64::max);
        let weight: f64 = bag.iter().map(|word| frequency[word.as_str()] / most).sum();
        let size = count(bag.len()).max(1.0);
        let mut score = weight / size.powf(0.6);
        score += 0.8 / (1.0 + count(at));
        score += 0.6 * count(bag.iter().filter(|word| title.contains(*word)).count()) / size;
        let letters = sentence.chars().count();
        let usual =
            (40..=320).contains(&letters) || (letters >= 20 && sentence.chars().any(is_wide));
        if !usual {
            score *= 0.3;
        }
        if sentence.ends_with(['?', '？', '؟', ':'])
            || sentence.starts_with(['"', '“', '(', '[', '|'])
        {
            score *= 0.4;
        }
        if sentence.matches('"').count() % 2 == 1
            || sentence.matches('“').count() != sentence.matches('”').count()
        {
            score *= 0.4;
        }
        if ["Image:", "Photo:", "File:", "Credit:"]
            .iter()
            .any(|mark| sentence.contains(mark))
        {
            score *= 0.2;
        }
        // Whoever counts sentences by the Unicode rules (UAX 29) should find one here.
        if sentence
            .split_sentence_bounds()
            .filter(|part| !part.trim().is_empty())
            .count()
            != 1
        {
            score *= 0.3;
        }
        let first = sentence
            .unicode_words()
            .next()
            .unwrap_or_default()
            .to_lowercase();
        let leans = [
            "he", "she", "they", "it", "this", "these", "but", "however", "and", "also", "that",
        ];
        if leans.contains(&first.as_str()) {
            score *= 0.75;
        }
        score
    }
}

/// A small count as a number that can be divided.
pub(crate) fn count(items: usize) -> f64 {
    f64::from(u32::try_from(items).unwrap_or(u32::MAX))
}

/// Whether a letter belongs to a script that is written without spaces.
pub(crate) fn is_wide(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}')
}

/// Lower-case words that carry the subject.
pub(crate) fn content_words(text: &str) -> Vec<String> {
    text.unicode_words()
        .map(str::to_lowercase)
        .filter(|word| {
            let long = word.chars().count() > 2
                || word
                    .chars()
                    .any(|letter| is_wide(letter) && letter > '\u{30FF}');
            long && !is_stopword(word) && !word.chars().all(char::is_numeric)
        })
        .collect()
}

fn overlap(left: &[String], right: &[String]) -> f64 {
    let right: HashSet<&String> = right.iter().collect();
    let shared = left.iter().filter(|word| right.contains(word)).count();
    count(shared) / count(left.len()).max(1.0)
}

fn without_front_matter(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .map_or(text, |(_, body)| body.trim())
}

/// Paragraphs without headings, markup and list marks.
fn paragraphs(raw: &str) -> Vec<String> {
    let mut paragraphs = Vec::new();
    let mut open = String::new();
    for line in raw.lines() {
        let line = line.trim();
        let bullet = line.starts_with(['*', '-', '|', '•']) && !line.starts_with("**");
        if line.is_empty() || line.starts_with('#') || bullet {
            close(&mut paragraphs, &mut open);
        }
        if line.is_empty()
            || line.starts_with('#')
            || line.starts_with('|')
            || line.starts_with("![")
        {
            continue;
        }
        // Text that is wrapped by hand breaks late; a caption or a name breaks early.
        let caption = open.chars().count() < 60 && !sentences::is_terminated(&open);
        if caption && line.starts_with(char::is_uppercase) && line.chars().count() > 80 {
            close(&mut paragraphs, &mut open);
        }
        let plain = plain(line.trim_start_matches(['*', '-', '•', '>', ' ']));
        if !open.is_empty() && !open.ends_with(is_wide) {
            open.push(' ');
        }
        open.push_str(plain.trim());
    }
    close(&mut paragraphs, &mut open);
    paragraphs
}

fn close(paragraphs: &mut Vec<String>, open: &mut String) {
    if !open.trim().is_empty() {
        paragraphs.push(std::mem::take(open));
    }
    open.clear();
}

/// A line without tags, link targets, emphasis and `[12]` marks.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '<' if letters
                .peek()
                .is_some_and(|next| next.is_alphabetic() || *next == '/' || *next == '!') =>
            {
                for skipped in letters.by_ref() {
                    if skipped == '>' {
                        break;
                    }
                }
            }
            '[' if letters.peek().is_some_and(char::is_ascii_digit) => {
                for skipped in letters.by_ref() {
                    if skipped == ']' {
                        break;
                    }
                }
                // Several marks in a row are set apart by commas: `[5], [6]`.
                while letters
                    .clone()
                    .take(3)
                    .collect::<String>()
                    .starts_with(", [")
                {
                    letters.by_ref().find(|skipped| *skipped == ']');
                }
                if text.ends_with(' ') && !letters.peek().is_some_and(|next| next.is_alphanumeric())
                {
                    text.pop();
                }
            }
            '[' => {}
            ']' => {
                if letters.peek() == Some(&'(') {
                    letters.by_ref().find(|skipped| *skipped == ')');
                }
            }
            '*' | '`' => {}
            '_' if !(text.ends_with(char::is_alphanumeric)
                && letters.peek().is_some_and(|next| next.is_alphanumeric())) => {}
            _ => text.push(letter),
        }
    }
    let entities = [
        ("&amp;", "&"),
        ("&quot;", "\""),
        ("&nbsp;", " "),
        ("&aacute;", "á"),
        ("&eacute;", "é"),
        ("&iacute;", "í"),
        ("&oacute;", "ó"),
        ("&uacute;", "ú"),
        ("&ntilde;", "ñ"),
        ("&iquest;", "¿"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#39;", "'"),
    ];
    if text.contains('&') {
        for (entity, letter) in entities {
            text = text.replace(entity, letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_no_prose() {
        let article = Article::read(
            "---\nlang: en\n---\n# A heading\n\nThe **harbour** [12] was closed by [the council](http://x.y). \
             It <b>opened</b> again [5], [6].\n",
            "",
        );
        assert_eq!(
            article.sentences,
            ["The harbour was closed by the council.", "It opened again."]
        );
    }

    #[test]
    fn a_summary_keeps_the_articles_order_and_words() {
        let text = "The harbour of Trieste was closed for eleven days. Ships waited outside the harbour for pilots. \
            Some sailors played cards. The harbour authority said that the storm had damaged the harbour walls.";
        let summary = Article::read(text, "").summary(2);
        assert!(summary.starts_with("The harbour of Trieste"));
        assert!(
            summary
                .split_inclusive(". ")
                .all(|part| text.contains(part.trim()))
        );
    }

    #[test]
    fn hard_wrapped_lines_are_one_paragraph() {
        let article = Article::read("The harbour was\nclosed today. It opened\nagain.", "");
        assert_eq!(article.sentences.len(), 2);
    }
}
