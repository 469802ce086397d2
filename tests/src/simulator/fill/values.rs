//! Single values, found from the property's name.

use serde_json::{Map, Value, json};
use unicode_segmentation::UnicodeSegmentation as _;

use super::super::article::Article;
use super::super::entities::Kind;
use super::super::{labels, quality};
use super::Place;
use super::seeds::Seed;

/// Whether there is nothing to say here, so that null is the honest value.
pub(super) fn is_unknown(place: &Place<'_>) -> bool {
    match place.seed {
        Some(Seed::Date(date)) => is_iso(place.name) && date.iso.is_none(),
        Some(Seed::Name(..) | Seed::Label(_) | Seed::Text(_)) => {
            has(place.name, &["url", "link", "id", "email", "role", "iso"])
        }
        None => has(place.name, &["url", "link", "email"]),
    }
}

/// A string.
pub(super) fn text(place: &Place<'_>, article: &Article) -> String {
    let name = place.name;
    match place.seed {
        Some(Seed::Name(_, kind)) if has(name, &["type", "kind", "category"]) => {
            kind_name(*kind).to_owned()
        }
        Some(Seed::Name(named, _)) => named.name.clone(),
        Some(Seed::Date(date)) if is_iso(name) => date.iso.clone().unwrap_or_default(),
        Some(Seed::Date(date)) => date.text.clone(),
        Some(Seed::Label(label)) if has(name, &["reason", "rationale", "why"]) => {
            format!("Words of the article that belong to {}.", label.name)
        }
        Some(Seed::Label(label)) => label.name.clone(),
        Some(Seed::Text(text)) => text.clone(),
        None if has(
            name,
            &["reason", "rationale", "explan", "justif", "comment"],
        ) =>
        {
            quality::score(article).reason
        }
        None if has(name, &["title", "headline"]) => title(article),
        None if has(name, &["language", "lang"]) => "und".to_owned(),
        None if has(
            name,
            &[
                "summary", "abstract", "synopsis", "answer", "text", "content",
            ],
        ) =>
        {
            article.summary(article.summary_length())
        }
        None => article.central(1).concat(),
    }
}

/// A value of an enum.
pub(super) fn choose(allowed: &[Value], place: &Place<'_>, article: &Article) -> Value {
    let strings: Vec<String> = allowed
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let chosen = match place.seed {
        Some(Seed::Label(label)) => strings
            .iter()
            .find(|allowed| **allowed == label.name)
            .cloned(),
        Some(Seed::Name(_, kind)) => {
            let stems: &[&str] = match kind {
                Kind::Person => &["per", "peop"],
                Kind::Place => &["pla", "loc", "gpe", "geo"],
                Kind::Organization => &["org", "com"],
            };
            let fits = |allowed: &&String| {
                stems
                    .iter()
                    .any(|stem| allowed.to_lowercase().starts_with(stem))
            };
            strings.iter().find(fits).cloned()
        }
        Some(Seed::Date(_) | Seed::Text(_)) | None => None,
    };
    let by_words = || {
        labels::rank(article, &strings)
            .into_iter()
            .next()
            .map(|label| label.name)
    };
    match chosen.or_else(by_words) {
        Some(chosen) => Value::String(chosen),
        None => allowed.first().cloned().unwrap_or(Value::Null),
    }
}

/// A whole number within the schema's bounds.
pub(super) fn integer(schema: &Value, place: &Place<'_>, article: &Article) -> Value {
    let bound = |name: &str, inner: &str, step: i64| {
        schema[name]
            .as_i64()
            .or_else(|| schema[inner].as_i64().map(|bound| bound + step))
    };
    let least = bound("minimum", "exclusiveMinimum", 1);
    let most = bound("maximum", "exclusiveMaximum", -1);
    let wanted = wanted_integer(place, article);
    let value = wanted
        .max(least.unwrap_or(i64::MIN))
        .min(most.unwrap_or(i64::MAX));
    json!(value)
}

fn wanted_integer(place: &Place<'_>, article: &Article) -> i64 {
    let whole = |count: usize| i64::try_from(count).expect("a count of words in a prompt");
    let name = place.name;
    if let Some(Seed::Name(named, _)) = place.seed
        && !has(name, &["score", "confidence"])
    {
        return whole(named.mentions);
    }
    if has(name, &["relevan", "importan", "salien"]) {
        return quality::score(article).relevance;
    }
    if has(name, &["quality", "score", "rating", "grade"]) {
        return quality::score(article).quality;
    }
    if has(name, &["word"]) {
        return whole(article.raw.unicode_words().count());
    }
    if has(name, &["sentence"]) {
        return whole(sentence_count(&article.summary(article.summary_length())));
    }
    if has(name, &["confidence", "percent"]) {
        80
    } else {
        1
    }
}

/// A number within the schema's bounds.
pub(super) fn number(schema: &Value, place: &Place<'_>, article: &Article) -> Value {
    let least = schema["minimum"].as_f64();
    let most = schema["maximum"].as_f64();
    let wanted = match place.seed {
        Some(Seed::Label(label)) => label.confidence,
        Some(Seed::Name(..) | Seed::Date(_)) => 0.9,
        Some(Seed::Text(_)) => 0.5,
        None if has(place.name, &["relevan", "quality", "rating", "grade"])
            || most.is_some_and(|most| most > 1.0) =>
        {
            f64::from(i32::try_from(wanted_integer(place, article)).unwrap_or(i32::MAX))
        }
        None => 0.8,
    };
    json!(
        wanted
            .max(least.unwrap_or(f64::MIN))
            .min(most.unwrap_or(f64::MAX))
    )
}

/// Makes values that speak about each other agree.
pub(super) fn agree(object: &mut Map<String, Value>) {
    let summary = object
        .get("summary")
        .and_then(Value::as_str)
        .map(sentence_count);
    if let (Some(count), Some(Value::Number(_))) = (summary, object.get("sentences")) {
        object.insert("sentences".to_owned(), json!(count));
    }
}

/// Sentences by the Unicode rules (UAX 29), as a client would count them.
fn sentence_count(text: &str) -> usize {
    text.split_sentence_bounds()
        .filter(|part| !part.trim().is_empty())
        .count()
}

fn title(article: &Article) -> String {
    if !article.title.is_empty() {
        return article.title.clone();
    }
    let first = article
        .raw
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty());
    first
        .unwrap_or_default()
        .trim_start_matches('#')
        .trim()
        .to_owned()
}

fn is_iso(name: &str) -> bool {
    has(name, &["iso", "normal", "date_value", "parsed"])
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Person => "person",
        Kind::Place => "place",
        Kind::Organization => "organization",
    }
}

fn has(name: &str, cues: &[&str]) -> bool {
    let name = name.to_lowercase();
    cues.iter().any(|cue| {
        if cue.len() <= 2 {
            name == *cue
        } else {
            name.contains(cue)
        }
    })
}
