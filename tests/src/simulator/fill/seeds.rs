//! What the items of an array are about, found from the array's name.

use serde_json::Value;

use super::super::article::{Article, content_words};
use super::super::dates::Date;
use super::super::entities::{Kind, Named};
use super::super::labels::{self, Label};
use super::resolve;

/// One item of an array.
#[derive(Clone, Debug)]
pub(super) enum Seed {
    Name(Named, Kind),
    Date(Date),
    Label(Label),
    /// A sentence or a key word.
    Text(String),
}

/// The items of the array `name` with the item schema `items`.
pub(super) fn of(name: &str, items: &Value, root: &Value, article: &Article) -> Vec<Seed> {
    let name = name.to_lowercase();
    let has = |cues: &[&str]| cues.iter().any(|cue| name.contains(cue));
    let entities = article.entities();
    let named = |list: &[Named], kind| {
        list.iter()
            .map(move |named| Seed::Name(named.clone(), kind))
            .collect::<Vec<_>>()
    };
    if let Some(allowed) = allowed_labels(items, root)
        && !has(&["entit", "date"])
    {
        return labels::rank(article, &allowed)
            .into_iter()
            .map(Seed::Label)
            .collect();
    }
    if has(&["people", "person", "names", "individual", "author"]) {
        return named(&entities.people, Kind::Person);
    }
    if has(&["place", "location", "countr", "cities", "region", "geo"]) {
        return named(&entities.places, Kind::Place);
    }
    if has(&["org", "compan", "institution", "brand", "agenc"]) {
        return named(&entities.organizations, Kind::Organization);
    }
    if has(&["date", "time", "when"]) {
        return article
            .dates()
            .iter()
            .take(12)
            .cloned()
            .map(Seed::Date)
            .collect();
    }
    if has(&["entit"]) {
        let mut all = named(&entities.people, Kind::Person);
        all.extend(named(&entities.places, Kind::Place));
        all.extend(named(&entities.organizations, Kind::Organization));
        return all;
    }
    if has(&["keyword", "tag", "topic", "term", "label", "categor"]) {
        return keywords(article, 5).into_iter().map(Seed::Text).collect();
    }
    article
        .central(3)
        .into_iter()
        .map(|sentence| Seed::Text(sentence.to_owned()))
        .collect()
}

/// The enum of the items, or of their property that is one.
fn allowed_labels(items: &Value, root: &Value) -> Option<Vec<String>> {
    let strings = |schema: &Value| -> Option<Vec<String>> {
        let allowed = resolve(schema, root)["enum"].as_array()?;
        Some(
            allowed
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        )
    };
    strings(items).or_else(|| items["properties"].as_object()?.values().find_map(strings))
}

/// The most frequent words that carry the subject.
fn keywords(article: &Article, most: usize) -> Vec<String> {
    let mut counted: Vec<(usize, String)> = Vec::new();
    let mut words = content_words(&article.raw);
    words.sort_unstable();
    for group in words.chunk_by(|left, right| left == right) {
        counted.push((group.len(), group[0].clone()));
    }
    counted.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
    counted
        .into_iter()
        .take(most)
        .map(|(_, word)| word)
        .collect()
}
