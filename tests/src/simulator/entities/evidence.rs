//! What speaks for a phrase being a person, a place or an organization.

use super::Kind;
use super::gazetteer::{
    DEMONYMS, FIRST_NAMES, NOT_NAMES, ORG_HEADS, ORG_SUFFIXES, ORGS, PLACE_HEADS, PLACES, TITLES,
};
use super::phrases::Phrase;

/// So much evidence names the kind.
const ENOUGH: f64 = 2.0;

/// Evidence from all mentions of one phrase.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    person: f64,
    place: f64,
    organization: f64,
    mentions: usize,
    certain: usize,
    refused: bool,
}

impl Evidence {
    /// Adds what one mention shows.
    pub(super) fn weigh(&mut self, phrase: &Phrase<'_>) {
        if self.mentions == 0 {
            self.form(phrase.text);
        }
        self.mentions += 1;
        if !phrase.doubtful {
            self.certain += 1;
        }
        self.surroundings(phrase);
    }

    /// Adds evidence from elsewhere.
    pub(super) fn support(&mut self, kind: Kind, weight: f64) {
        match kind {
            Kind::Person => self.person += weight,
            Kind::Place => self.place += weight,
            Kind::Organization => self.organization += weight,
        }
    }

    /// How often the phrase was seen.
    pub(super) fn mentions(&self) -> usize {
        self.mentions
    }

    /// The kind, if there is enough evidence for one.
    pub(super) fn verdict(&self) -> Option<Kind> {
        if self.refused
            || (self.certain == 0 && self.person.max(self.place).max(self.organization) < 3.0)
        {
            return None;
        }
        let ranked = [
            (self.organization, Kind::Organization),
            (self.place, Kind::Place),
            (self.person, Kind::Person),
        ];
        let (weight, kind) = ranked.into_iter().fold((0.0, Kind::Person), |best, next| {
            if next.0 > best.0 { next } else { best }
        });
        (weight >= ENOUGH).then_some(kind)
    }

    /// What the phrase itself shows.
    fn form(&mut self, text: &str) {
        if NOT_NAMES.contains(text) || DEMONYMS.contains(text) {
            self.refused = true;
            return;
        }
        if ORGS.contains(text) {
            self.organization += 4.0;
        }
        if PLACES.contains(text) {
            self.place += 4.0;
        }
        let words: Vec<&str> = text.split(' ').collect();
        let (first, last) = (words[0], words[words.len() - 1]);
        let many = words.len() > 1;
        let headed = text.contains(" of ") || text.contains(" de ") || text.contains(" for ");
        if many && (ORG_HEADS.contains(last) || ORG_SUFFIXES.contains(last)) {
            self.organization += 3.5;
        }
        if headed && words.iter().any(|word| ORG_HEADS.contains(word)) {
            self.organization += 3.6;
        }
        if many
            && (PLACE_HEADS.contains(last)
                || (words.len() == 2 && ["Mount", "Lake", "Cape", "Port", "Gulf"].contains(&first)))
        {
            self.place += 3.2;
        }
        if many && words.len() <= 4 && FIRST_NAMES.contains(first) && !PLACES.contains(text) {
            self.person += 3.0;
        }
        let initial = |word: &&str| word.len() == 2 && word.ends_with('.');
        if words.len() >= 3 && words[1..words.len() - 1].iter().any(initial)
            || (many && initial(&first))
        {
            self.person += 2.5;
        }
        let hyphened = last.split_once('-').is_some_and(|(left, right)| {
            many && words.len() == 2
                && left.len() <= 5
                && right.starts_with(char::is_uppercase)
                && first.len() <= 6
        });
        if hyphened {
            self.person += 2.5;
        }
        if ["van", "von", "bin", "ibn"]
            .iter()
            .any(|particle| words.contains(particle))
        {
            self.person += 2.0;
        }
        let mixed = !many
            && text.chars().skip(1).any(char::is_uppercase)
            && text.chars().any(char::is_lowercase)
            && !text.contains('-')
            && text.chars().all(char::is_alphabetic);
        if mixed {
            self.organization += 1.2;
        }
    }

    /// What the words around this mention show.
    fn surroundings(&mut self, phrase: &Phrase<'_>) {
        let before = phrase.before.to_lowercase();
        let many = phrase.text.contains(' ');
        let upper = phrase.text.chars().all(|letter| !letter.is_lowercase());
        if TITLES.contains(before.as_str()) && !upper {
            self.person += 2.0;
        }
        if ["in", "near", "en", "à", "nach", "across", "throughout"].contains(&before.as_str())
            && !upper
        {
            self.place += if many { 0.7 } else { 1.2 };
        }
        let after = phrase.after;
        let next = after
            .trim_start()
            .split(|letter: char| !letter.is_alphabetic())
            .next()
            .unwrap_or_default();
        let speaks = after.starts_with(' ')
            && [
                "said",
                "says",
                "explained",
                "explains",
                "told",
                "added",
                "argued",
                "recalled",
                "scored",
                "wrote",
                "dijo",
                "sagte",
            ]
            .contains(&next);
        if speaks && !upper {
            self.person += if many { 1.2 } else { 0.6 };
        }
        if after.starts_with(", who ") || age_follows(after) {
            self.person += 2.0;
        }
        if after.starts_with(" Inc") || after.starts_with(" Corp") || after.starts_with(" Ltd") {
            self.organization += 2.0;
        }
        if after.starts_with(" spokes")
            || after.starts_with("'s website")
            || after.starts_with("’s website")
            || after.starts_with(" employees")
            || after.starts_with(" shares")
            || after.starts_with(" officials")
        {
            self.organization += 1.5;
        }
    }
}

/// `Maria Lopez, 45, ...`
fn age_follows(after: &str) -> bool {
    let Some(rest) = after.strip_prefix(", ") else {
        return false;
    };
    let digits = rest.len()
        - rest
            .trim_start_matches(|letter: char| letter.is_ascii_digit())
            .len();
    digits == 2 && rest[digits..].starts_with(',')
}
