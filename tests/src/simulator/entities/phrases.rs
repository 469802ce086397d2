//! Runs of capitalised words in a line: the candidates for names, and the words around them.

use std::collections::HashSet;

use super::super::dates::is_calendar_word;
use super::super::words::is_stopword;
use super::gazetteer::{DEMONYMS, ORG_HEADS, ORGS, PLACE_HEADS, PLACES, TITLES};

/// A candidate and its surroundings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phrase<'a> {
    pub(super) text: &'a str,
    /// The word before it, if nothing but a space stands between.
    pub(super) before: &'a str,
    /// What follows in the line.
    pub(super) after: &'a str,
    /// What stands between it and the phrase before it in the line.
    pub(super) gap: &'a str,
    /// A single word at the head of a sentence, where any word has a capital.
    pub(super) doubtful: bool,
}

#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    start: usize,
    end: usize,
    text: &'a str,
}

/// The candidates of one line. `vocabulary` holds the words that the article also writes in lower case.
pub(super) fn in_line<'a>(line: &'a str, vocabulary: &HashSet<&str>) -> Vec<Phrase<'a>> {
    let words = words(line);
    let mut phrases: Vec<Phrase<'a>> = Vec::new();
    let mut at = 0;
    let mut previous_end = 0;
    while at < words.len() {
        if !is_capital(words[at].text) {
            at += 1;
            continue;
        }
        let stop = run_end(line, &words, at);
        if let Some((first, last)) = trim(line, &words, at, stop, vocabulary) {
            let text = &line[words[first].start..words[last].end];
            let before = match first.checked_sub(1) {
                Some(before)
                    if line[words[before].end..words[first].start]
                        .trim()
                        .is_empty() =>
                {
                    words[before].text
                }
                _ => "",
            };
            phrases.push(Phrase {
                text,
                before,
                after: &line[words[last].end..],
                gap: line
                    .get(previous_end..words[first].start)
                    .unwrap_or_default(),
                doubtful: first == last && heads_sentence(line, words[first].start),
            });
            previous_end = words[last].end;
        }
        at = stop + 1;
    }
    phrases
}

/// Words with inner apostrophes, hyphens and ampersands; `U.S.` and initials keep their full stops.
fn words(line: &str) -> Vec<Word<'_>> {
    let letters: Vec<(usize, char)> = line.char_indices().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        if !letters[at].1.is_alphanumeric() {
            at += 1;
            continue;
        }
        let from = at;
        while at < letters.len() && (letters[at].1.is_alphanumeric() || joins(&letters, from, at)) {
            at += 1;
        }
        let start = letters[from].0;
        let end = letters.get(at).map_or(line.len(), |(byte, _)| *byte);
        let text = without_possessive(&line[start..end]);
        words.push(Word {
            start,
            end: start + text.len(),
            text,
        });
    }
    words
}

fn joins(letters: &[(usize, char)], from: usize, at: usize) -> bool {
    let before = letters[at - 1].1;
    let next = letters.get(at + 1).map(|(_, letter)| *letter);
    match letters[at].1 {
        '\'' | '’' | '-' | '&' => {
            before.is_alphanumeric() && next.is_some_and(char::is_alphanumeric)
        }
        // U.S. and J. are words with their stops; "it." is not.
        '.' => {
            let single = at - from == 1 || letters[at - 2].1 == '.';
            before.is_uppercase() && single
        }
        _ => false,
    }
}

fn without_possessive(word: &str) -> &str {
    let word = word
        .strip_suffix("'s")
        .or_else(|| word.strip_suffix("’s"))
        .unwrap_or(word);
    word.strip_suffix('\'')
        .or_else(|| word.strip_suffix('’'))
        .unwrap_or(word)
}

fn is_capital(word: &str) -> bool {
    let inner = word.chars().skip(1).any(char::is_uppercase) && word.chars().count() > 3;
    word.starts_with(char::is_uppercase)
        || (inner && word.starts_with(char::is_lowercase) && !word.contains('-'))
}

/// The last word of the run that begins at `at`.
fn run_end(line: &str, words: &[Word<'_>], at: usize) -> usize {
    let mut last = at;
    while let Some(next) = words.get(last + 1) {
        let gap = &line[words[last].end..next.start];
        // "St. Louis" and "Acme Inc." go on over a full stop.
        let joined = [" ", " & "].contains(&gap)
            || (gap == ". " && ["St", "Mt", "Dr", "Ft"].contains(&words[last].text));
        if !joined || next.text == "I" {
            break;
        }
        if is_capital(next.text) {
            last += 1;
            continue;
        }
        let beyond = words.get(last + 2).filter(|word| is_capital(word.text));
        let bridged = beyond.is_some_and(|word| &line[next.end..word.start] == " ")
            && bridges(next.text, &words[at..=last]);
        if !bridged {
            break;
        }
        last += 2;
    }
    last
}

/// Words that "and" joins to another inside of one name.
const SUBJECTS: &[&str] = &[
    "Air",
    "Agriculture",
    "Arts",
    "Aviation",
    "Culture",
    "Economy",
    "Education",
    "Energy",
    "Fire",
    "Food",
    "Foreign",
    "Health",
    "Justice",
    "Oceanic",
    "Research",
    "Science",
    "Security",
    "Trade",
];

/// Small words inside of names: `Ministry of Culture`, `Guido van Rossum`, `Ministerio de Economía`.
fn bridges(word: &str, run: &[Word<'_>]) -> bool {
    match word {
        "of" | "for" => run.iter().any(|part| {
            ORG_HEADS.contains(part.text)
                || PLACE_HEADS.contains(part.text)
                || ["House", "States", "Bishop", "Archbishop"].contains(&part.text)
        }),
        // "National Air and Space Museum", "Ministry of Science and Education"
        "and" => run.last().is_some_and(|part| SUBJECTS.contains(&part.text)),
        "van" | "von" | "der" | "den" | "bin" | "ibn" | "al" | "da" | "do" | "dos" | "del"
        | "di" | "de" | "du" => true,
        _ => false,
    }
}

/// Takes words that belong to no name off both ends: `The`, `In`, `Swedish`, `Monday`, titles.
fn trim(
    line: &str,
    words: &[Word<'_>],
    first: usize,
    last: usize,
    vocabulary: &HashSet<&str>,
) -> Option<(usize, usize)> {
    let whole = &line[words[first].start..words[last].end];
    if ORGS.contains(whole) || PLACES.contains(whole) {
        return Some((first, last));
    }
    let mut first = first;
    let mut last = last;
    let heads = heads_sentence(line, words[first].start);
    let drop = |word: &str, at_head: bool, alone: bool| {
        let lower = word.to_lowercase();
        (is_stopword(&lower) && (word != "New" || alone))
            || is_calendar_word(&lower)
            || lower.chars().count() < 2
            || (TITLES.contains(lower.as_str()) && !alone)
            || (DEMONYMS.contains(word) && alone)
            || (at_head && vocabulary.contains(lower.as_str()))
    };
    while first <= last
        && drop(
            words[first].text,
            heads && first_of(line, words, first),
            first == last,
        )
    {
        first += 1;
    }
    // A demonym before a person's office is gone with the office: `Swedish captain` has a small letter anyway.
    while last > first
        && drop(words[last].text, false, false)
        && !ORG_HEADS.contains(words[last].text)
    {
        last -= 1;
    }
    if first > last || last - first > 6 {
        return None;
    }
    // `May 2018` inside of a run of capitals, or a title in capitals.
    let text = &line[words[first].start..words[last].end];
    let shouted = last > first && text.chars().all(|letter| !letter.is_lowercase());
    let calendar = words[first..=last]
        .iter()
        .any(|word| is_calendar_word(&word.text.to_lowercase()));
    // A common word in capitals is an outcry: `FIRM Union`.
    let outcry = words[first..=last].iter().any(|word| {
        word.text.chars().count() > 3
            && word.text.chars().all(char::is_uppercase)
            && vocabulary.contains(word.text.to_lowercase().as_str())
    });
    (!shouted && !calendar && !outcry).then_some((first, last))
}

fn first_of(line: &str, words: &[Word<'_>], at: usize) -> bool {
    heads_sentence(line, words[at].start)
}

/// Whether a sentence, a quotation or a table cell begins here.
fn heads_sentence(line: &str, start: usize) -> bool {
    let before = line[..start].trim_end_matches(|letter: char| {
        letter.is_whitespace()
            || matches!(
                letter,
                '"' | '\'' | '“' | '‘' | '(' | '[' | '*' | '_' | '>' | '«' | '¿' | '¡'
            )
    });
    before.is_empty()
        || before.ends_with([
            '.', '!', '?', ':', ';', '•', '-', '–', '—', '|', '…', '”', '"',
        ])
}
