//! Finds people, places and organizations: runs of capitalised words, told apart by the words in and around them.
//!
//! It prefers to miss a name over making one up: a phrase without evidence of a kind is dropped. Every name is a
//! piece of the text.

mod evidence;
mod gazetteer;
mod phrases;
mod uncased;

use std::collections::{BTreeMap, HashMap, HashSet};

use evidence::Evidence;
use phrases::Phrase;

/// At most so many names of each kind are kept.
const MOST: usize = 12;

/// A name as the article writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// How often the article mentions it; a person's surname alone counts too.
    pub(crate) mentions: usize,
}

/// The names of an article by kind, the most mentioned first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entities {
    pub(crate) people: Vec<Named>,
    pub(crate) places: Vec<Named>,
    pub(crate) organizations: Vec<Named>,
}

/// What a name may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Person,
    Place,
    Organization,
}

/// The names in `text`.
pub(crate) fn find(text: &str) -> Entities {
    let vocabulary = lower_case_words(text);
    let mentions: Vec<Vec<Phrase<'_>>> = text
        .lines()
        .filter(|line| !is_markup(line))
        .map(|line| phrases::in_line(line, &vocabulary))
        .collect();
    let mut weighed: BTreeMap<&str, Evidence> = BTreeMap::new();
    for phrase in mentions.iter().flatten() {
        weighed.entry(phrase.text).or_default().weigh(phrase);
    }
    support_by_surname(&mut weighed);
    support_by_neighbours(&mentions, &mut weighed);
    let mut kinds: BTreeMap<&str, Kind> = weighed
        .iter()
        .filter_map(|(name, evidence)| evidence.verdict().map(|kind| (*name, kind)))
        .collect();
    let surnames = fold_surnames(&mut kinds);
    collect(text, &kinds, &weighed, &surnames)
}

/// Words that also occur in lower case are words, not names, at the head of a sentence.
fn lower_case_words(text: &str) -> HashSet<&str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '\'' && letter != '’')
        .filter(|word| word.starts_with(char::is_lowercase))
        .collect()
}

fn is_markup(line: &str) -> bool {
    let line = line.trim();
    line.starts_with(['#', '<', '|', '!'])
        || line.starts_with("http")
        || line.starts_with("```")
        || is_headline(line)
}

/// A line of four words or more that nearly all have a capital, and no comma or full stop.
fn is_headline(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let long = words.iter().filter(|word| word.chars().count() > 3);
    let capital = long
        .clone()
        .filter(|word| word.starts_with(char::is_uppercase))
        .count();
    words.len() >= 4
        && capital * 10 >= long.count() * 8
        && !line.contains([',', '.', ';', ':', '、'])
}

/// A surname that also stands alone makes a phrase of two or three words more likely a person.
fn support_by_surname(weighed: &mut BTreeMap<&str, Evidence>) {
    let single: HashSet<&str> = weighed
        .keys()
        .copied()
        .filter(|name| !name.contains(' '))
        .collect();
    for (name, evidence) in weighed.iter_mut() {
        let words = name.split(' ').count();
        if let Some((_, last)) = name.rsplit_once(' ')
            && words <= 3
            && single.contains(last)
        {
            evidence.support(Kind::Person, 1.0);
        }
    }
}

/// In a list, an unknown phrase is of the kind of its neighbours.
fn support_by_neighbours<'a>(
    mentions: &[Vec<Phrase<'a>>],
    weighed: &mut BTreeMap<&'a str, Evidence>,
) {
    let mut support: HashMap<&'a str, (Kind, f64)> = HashMap::new();
    for pair in mentions.iter().flat_map(|line| line.windows(2)) {
        let [left, right] = pair else { continue };
        if ![", ", " and ", ", and ", " y ", " et ", " und ", " or "].contains(&right.gap) {
            continue;
        }
        for (known, unknown) in [(left, right), (right, left)] {
            let verdict = weighed.get(known.text).and_then(Evidence::verdict);
            let open = weighed
                .get(unknown.text)
                .is_some_and(|evidence| evidence.verdict().is_none());
            let words = unknown.text.split(' ').count();
            match verdict {
                Some(Kind::Person) if open && (2..=3).contains(&words) => {
                    support.insert(unknown.text, (Kind::Person, 1.5));
                }
                Some(Kind::Place) if open && words <= 2 => {
                    support.insert(unknown.text, (Kind::Place, 1.2));
                }
                _ => {}
            }
        }
    }
    for (name, (kind, weight)) in support {
        weighed.entry(name).or_default().support(kind, weight);
    }
}

/// Takes single words out that are the surname (or first name) of a person, and says whose they are.
fn fold_surnames<'a>(kinds: &mut BTreeMap<&'a str, Kind>) -> HashMap<&'a str, &'a str> {
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for (name, _) in kinds.iter().filter(|(_, kind)| **kind == Kind::Person) {
        if let Some((first, last)) = name.split_once(' ') {
            let last = last.rsplit(' ').next().unwrap_or(last);
            owners.entry(last).or_insert(name);
            owners.entry(first).or_insert(name);
        }
    }
    kinds.retain(|name, kind| !(owners.contains_key(name) && *kind == Kind::Person));
    owners.retain(|part, _| !kinds.contains_key(part));
    owners
}

fn collect(
    text: &str,
    kinds: &BTreeMap<&str, Kind>,
    weighed: &BTreeMap<&str, Evidence>,
    surnames: &HashMap<&str, &str>,
) -> Entities {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (name, evidence) in weighed {
        let owner = surnames.get(name).copied().unwrap_or(name);
        if kinds.contains_key(owner) {
            *counts.entry(owner).or_default() += evidence.mentions();
        }
    }
    let mut entities = Entities::default();
    for (name, kind) in kinds {
        let named = Named {
            name: (*name).to_owned(),
            mentions: counts.get(name).copied().unwrap_or(1),
        };
        entities.list(*kind).push(named);
    }
    for (name, kind, mentions) in uncased::find(text) {
        let list = entities.list(kind);
        if !list.iter().any(|known| known.name == name) {
            list.push(Named { name, mentions });
        }
    }
    for list in [
        &mut entities.people,
        &mut entities.places,
        &mut entities.organizations,
    ] {
        list.sort_by(|left, right| {
            let first = |named: &Named| text.find(&named.name);
            right
                .mentions
                .cmp(&left.mentions)
                .then_with(|| first(left).cmp(&first(right)))
        });
        list.truncate(MOST);
    }
    entities
}

impl Entities {
    fn list(&mut self, kind: Kind) -> &mut Vec<Named> {
        match kind {
            Kind::Person => &mut self.people,
            Kind::Place => &mut self.places,
            Kind::Organization => &mut self.organizations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWS: &str = "The Ministry of Culture said on Monday that visitors may return. However, Maria Lopez, \
        director of the National Museum, disagreed. In Athens, captain Andreas Granqvist met Lopez and Harry Kane. \
        Microsoft's plan was refused by the University of Athens. Visitors from Sweden waited. This was in March. \
        Acme Inc. and NASA paid. Yesterday Kim Min-Woo arrived in Seoul with Hwang Hee-Chan.";

    fn names(list: &[Named]) -> Vec<&str> {
        list.iter().map(|named| named.name.as_str()).collect()
    }

    #[test]
    fn names_are_told_apart() {
        let found = find(NEWS);
        let people = names(&found.people);
        for person in [
            "Maria Lopez",
            "Andreas Granqvist",
            "Harry Kane",
            "Kim Min-Woo",
            "Hwang Hee-Chan",
        ] {
            assert!(people.contains(&person), "{person} in {people:?}");
        }
        let places = names(&found.places);
        assert!(
            places.contains(&"Athens") && places.contains(&"Sweden") && places.contains(&"Seoul"),
            "{places:?}"
        );
        let organizations = names(&found.organizations);
        for organization in [
            "Ministry of Culture",
            "National Museum",
            "Microsoft",
            "University of Athens",
            "NASA",
        ] {
            assert!(
                organizations.contains(&organization),
                "{organization} in {organizations:?}"
            );
        }
    }

    #[test]
    fn common_words_and_months_are_no_names() {
        let found = find(NEWS);
        let all = [found.people, found.places, found.organizations].concat();
        for word in [
            "The",
            "However",
            "In",
            "Monday",
            "March",
            "Visitors",
            "This",
            "Yesterday",
        ] {
            assert!(
                all.iter()
                    .all(|named| !named.name.split(' ').any(|part| part == word)),
                "{word} in {all:?}"
            );
        }
    }

    #[test]
    fn a_surname_counts_for_the_person() {
        let found = find(NEWS);
        let lopez = found
            .people
            .iter()
            .find(|named| named.name == "Maria Lopez")
            .expect("she is found");
        assert_eq!(lopez.mentions, 2);
        assert!(names(&found.people).iter().all(|name| *name != "Lopez"));
    }

    #[test]
    fn every_name_stands_in_the_text() {
        let found = find(NEWS);
        for named in [found.people, found.places, found.organizations].concat() {
            assert!(NEWS.contains(&named.name), "{}", named.name);
        }
    }

    #[test]
    fn names_without_capitals_are_found() {
        let found = find("産経新聞によると東芝は撤退する。安倍首相は東京で話した。");
        assert_eq!(names(&found.organizations), ["産経新聞", "東芝"]);
        assert_eq!(names(&found.places), ["東京"]);
        assert_eq!(names(&found.people), ["安倍"]);
    }
}
