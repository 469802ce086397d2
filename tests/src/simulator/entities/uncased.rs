//! Names in scripts without capital letters: known ones, and those that an ending gives away.

use super::Kind;
use super::gazetteer::{UNCASED, UNCASED_ORG_ENDINGS, UNCASED_PERSON_ENDINGS};

/// The names found, with their kind and their number of mentions.
pub(super) fn find(text: &str) -> Vec<(String, Kind, usize)> {
    if text.is_ascii() {
        return Vec::new();
    }
    let mut found: Vec<(String, Kind, usize)> = Vec::new();
    for (name, is_place) in UNCASED {
        let mentions = text.matches(name).count();
        if mentions > 0 {
            let kind = if *is_place {
                Kind::Place
            } else {
                Kind::Organization
            };
            found.push(((*name).to_owned(), kind, mentions));
        }
    }
    for ending in UNCASED_ORG_ENDINGS {
        for (at, _) in text.match_indices(ending) {
            let stem = run_before(text, at);
            if (2..=6).contains(&stem.chars().count()) {
                push(
                    &mut found,
                    text,
                    &format!("{stem}{ending}"),
                    Kind::Organization,
                );
            }
        }
    }
    for ending in UNCASED_PERSON_ENDINGS {
        for (at, _) in text.match_indices(ending) {
            let stem = run_before(text, at);
            if (2..=4).contains(&stem.chars().count()) {
                push(&mut found, text, stem, Kind::Person);
            }
        }
    }
    found
}

fn push(found: &mut Vec<(String, Kind, usize)>, text: &str, name: &str, kind: Kind) {
    if !found.iter().any(|(known, _, _)| known == name) {
        found.push((name.to_owned(), kind, text.matches(name).count()));
    }
}

/// The run of Chinese characters that ends at `at`.
fn run_before(text: &str, at: usize) -> &str {
    let head = &text[..at];
    let rest = head.trim_end_matches(|letter: char| matches!(letter, '\u{4E00}'..='\u{9FFF}'));
    &head[rest.len()..]
}
