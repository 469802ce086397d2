//! Finds dates in running text: in numbers (ISO, Japanese and Chinese), and with the month's name in English,
//! French, Spanish and German.

use chrono::NaiveDate;

/// A date as it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    /// Verbatim.
    pub(crate) text: String,
    /// `YYYY-MM-DD` if year, month and day are all given.
    pub(crate) iso: Option<String>,
}

const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "janvier", "enero", "januar"],
    &["february", "feb", "février", "febrero", "februar"],
    &["march", "mar", "mars", "marzo", "märz"],
    &["april", "apr", "avril", "abril"],
    &["may", "mai", "mayo"],
    &["june", "jun", "juin", "junio", "juni"],
    &["july", "jul", "juillet", "julio", "juli"],
    &["august", "aug", "août", "agosto"],
    &["september", "sep", "sept", "septembre", "septiembre"],
    &["october", "oct", "octobre", "octubre", "oktober"],
    &["november", "nov", "novembre", "noviembre"],
    &["december", "dec", "décembre", "diciembre", "dezember"],
];

/// Whether a lower-case word is a month or a day of the week.
pub(crate) fn is_calendar_word(lower: &str) -> bool {
    const DAYS: &str = "monday tuesday wednesday thursday friday saturday sunday lundi mardi mercredi jeudi vendredi \
        samedi dimanche lunes martes miércoles jueves viernes sábado domingo montag dienstag mittwoch donnerstag \
        freitag samstag sonntag";
    month(lower).is_some() || DAYS.split_whitespace().any(|day| day == lower)
}

fn month(lower: &str) -> Option<u32> {
    let at = MONTHS.iter().position(|names| names.contains(&lower))?;
    u32::try_from(at + 1).ok()
}

/// A word of a line and where it stands.
#[derive(Clone, Copy)]
struct Word<'a> {
    start: usize,
    end: usize,
    text: &'a str,
}

/// The dates of `text`, each once, in order.
pub(crate) fn find(text: &str) -> Vec<Date> {
    let mut dates: Vec<Date> = Vec::new();
    for line in text.lines() {
        let mut found = in_words(line);
        found.extend(in_ideographs(line));
        found.sort_by_key(|(start, _)| *start);
        for (_, date) in found {
            if !dates.iter().any(|known| known.text == date.text) {
                dates.push(date);
            }
        }
    }
    dates
}

fn in_words(line: &str) -> Vec<(usize, Date)> {
    let words = words(line);
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match match_at(line, &words[at..])
            .or_else(|| lone_year(line, &words, at).map(|date| (1, date)))
        {
            Some((used, date)) => {
                found.push((words[at].start, date));
                at += used;
            }
            None => at += 1,
        }
    }
    found
}

fn words(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, letter) in line.char_indices().chain([(line.len(), ' ')]) {
        let inside = letter.is_alphanumeric() && !super::article::is_wide(letter);
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(begin)) => {
                words.push(Word {
                    start: begin,
                    end: at,
                    text: &line[begin..at],
                });
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// A date that begins with the first of `words`, and how many words it takes.
fn match_at(line: &str, words: &[Word<'_>]) -> Option<(usize, Date)> {
    let run = Run { line, words };
    numeric(&run)
        .or_else(|| month_first(&run))
        .or_else(|| day_first(&run))
}

/// Words of a line and what stands between them.
struct Run<'a> {
    line: &'a str,
    words: &'a [Word<'a>],
}

impl<'a> Run<'a> {
    fn word(&self, at: usize) -> &'a str {
        self.words.get(at).map_or("", |word| word.text)
    }

    /// What stands between the word `at` and the next.
    fn gap(&self, at: usize) -> &'a str {
        match (self.words.get(at), self.words.get(at + 1)) {
            (Some(word), Some(next)) => &self.line[word.end..next.start],
            _ => "",
        }
    }

    /// The date that is written in the first `count` words.
    fn date(&self, count: usize, iso: Option<String>) -> Option<(usize, Date)> {
        let text = self.line[self.words[0].start..self.words[count - 1].end].to_owned();
        Some((count, Date { text, iso }))
    }
}

/// `2021-03-12`
fn numeric(run: &Run<'_>) -> Option<(usize, Date)> {
    if run.gap(0) != "-" || run.gap(1) != "-" {
        return None;
    }
    let iso = iso(
        year(run.word(0))?,
        number(run.word(1))?,
        number(run.word(2))?,
    )?;
    run.date(3, Some(iso))
}

/// `March 12, 2021`, `March 2021`, `March 12`
fn month_first(run: &Run<'_>) -> Option<(usize, Date)> {
    let month = named_month(run.word(0))?;
    if ![" ", ". "].contains(&run.gap(0)) {
        return None;
    }
    if year(run.word(1)).is_some() {
        return run.date(2, None);
    }
    let day = day(run.word(1))?;
    match year(run.word(2)).filter(|_| [", ", " "].contains(&run.gap(1))) {
        Some(year) => run.date(3, iso(year, month, day)),
        None => run.date(2, None),
    }
}

/// `12 March 2021`, `12 de marzo de 2021`, `1er mars 2021`, `12. März 2021`
fn day_first(run: &Run<'_>) -> Option<(usize, Date)> {
    let day = day(run.word(0))?;
    let at = if ["de", "of"].contains(&run.word(1)) {
        2
    } else {
        1
    };
    let month = named_month(run.word(at))?;
    if !(0..at).all(|step| [" ", ". "].contains(&run.gap(step))) {
        return None;
    }
    let last = if ["de", "del", "of"].contains(&run.word(at + 1)) {
        at + 2
    } else {
        at + 1
    };
    let spaced = (at..last).all(|step| [" ", ", ", ". "].contains(&run.gap(step)));
    match year(run.word(last)).filter(|_| spaced) {
        Some(year) => run.date(last + 1, iso(year, month, day)),
        None => run.date(at + 1, None),
    }
}

/// A year by itself counts after a word that announces a time, or in parentheses.
fn lone_year(line: &str, words: &[Word<'_>], at: usize) -> Option<Date> {
    const CUES: &str = "in since during by until till from of before after around circa early late mid year summer \
        winter spring autumn fall en depuis dès avant après desde hasta año im seit jahr bis";
    let word = words[at];
    year(word.text)?;
    let before = &line[..word.start];
    let parenthesis = before.ends_with('(') && line[word.end..].starts_with(')');
    let cue = at > 0 && before.ends_with(' ') && {
        let previous = words[at - 1].text.to_lowercase();
        CUES.split_whitespace().any(|cue| cue == previous)
    };
    (parenthesis || cue).then(|| Date {
        text: word.text.to_owned(),
        iso: None,
    })
}

fn named_month(text: &str) -> Option<u32> {
    let lower = text.to_lowercase();
    let found = month(&lower)?;
    // "may" and "mars" are also other words; in English a month has a capital letter.
    let capital = text.starts_with(char::is_uppercase);
    let other = [
        "may", "mar", "march", "mai", "jun", "jul", "sep", "dec", "jan", "feb", "apr", "aug",
        "oct", "nov",
    ];
    (capital || !other.contains(&lower.as_str())).then_some(found)
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

fn year(text: &str) -> Option<u32> {
    number(text).filter(|year| text.len() == 4 && (1400..=2100).contains(year))
}

fn day(text: &str) -> Option<u32> {
    let digits = text.trim_end_matches(|letter: char| letter.is_alphabetic());
    if !["", "st", "nd", "rd", "th", "er"].contains(&&text[digits.len()..]) {
        return None;
    }
    number(digits).filter(|day| digits.len() <= 2 && (1..=31).contains(day))
}

fn iso(year: u32, month: u32, day: u32) -> Option<String> {
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some(date.format("%Y-%m-%d").to_string())
}

/// `2008年2月16日`, `2月16日`, `2008年`.
fn in_ideographs(line: &str) -> Vec<(usize, Date)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = line[from..].find(|letter: char| letter.is_ascii_digit()) {
        let start = from + offset;
        let mut parts = [None; 3];
        let mut end = start;
        for (slot, mark) in ['年', '月', '日'].into_iter().enumerate() {
            let rest = &line[end..];
            let digits = rest.len()
                - rest
                    .trim_start_matches(|letter: char| letter.is_ascii_digit())
                    .len();
            if digits > 0 && rest[digits..].starts_with(mark) {
                parts[slot] = number(&rest[..digits]);
                end += digits + mark.len_utf8();
            }
        }
        let text = line[start..end].to_owned();
        match parts {
            [Some(year), Some(month), Some(day)] => found.push((
                start,
                Date {
                    text,
                    iso: iso(year, month, day),
                },
            )),
            [None, Some(_), Some(_)] | [Some(1400..=2100), _, None] => {
                found.push((start, Date { text, iso: None }));
            }
            _ => {}
        }
        let rest = &line[start..];
        let skip = rest.len()
            - rest
                .trim_start_matches(|letter: char| letter.is_ascii_digit())
                .len();
        from = end.max(start + skip);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(String, Option<String>)> {
        find(text)
            .into_iter()
            .map(|date| (date.text, date.iso))
            .collect()
    }

    fn one(text: &str) -> (String, Option<String>) {
        let found = texts(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found.into_iter().next().expect("one")
    }

    #[test]
    fn whole_dates_have_an_iso_form() {
        let cases = [
            ("On 12 March 2021 it rained.", "12 March 2021", "2021-03-12"),
            ("Tuesday, March 8, 2011", "March 8, 2011", "2011-03-08"),
            ("Released 2021-03-12 at noon", "2021-03-12", "2021-03-12"),
            (
                "el 3 de mayo de 2019 llovió",
                "3 de mayo de 2019",
                "2019-05-03",
            ),
            ("le 1er août 2019", "1er août 2019", "2019-08-01"),
            ("am 5. Oktober 1990", "5. Oktober 1990", "1990-10-05"),
            ("東芝は2008年2月16日までに", "2008年2月16日", "2008-02-16"),
        ];
        for (text, verbatim, iso) in cases {
            assert_eq!(
                one(text),
                (verbatim.to_owned(), Some(iso.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn parts_of_dates_have_none() {
        for (text, verbatim) in [
            ("in April 2009 they", "April 2009"),
            ("on June 3 they", "June 3"),
            ("since 1958 they", "1958"),
            ("Smith (1999) found", "1999"),
            ("アメリカでは2月11日に", "2月11日"),
        ] {
            assert_eq!(one(text), (verbatim.to_owned(), None), "{text}");
        }
    }

    #[test]
    fn numbers_and_words_are_no_dates() {
        assert!(texts("It may 2 be 5000 people, or 12 of 31 marching 1066 times.").is_empty());
        assert!(
            texts("February 31, 2021")
                .iter()
                .all(|(_, iso)| iso.is_none())
        );
    }
}
