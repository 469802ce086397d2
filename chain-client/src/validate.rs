//! Whether an answer is what its step asked for: its schema first, then what a schema cannot say.

mod sentences;

use crate::{prompt::Schema, step::Step};
use serde_json::Value;
use std::collections::HashSet;
use unicode_normalization::UnicodeNormalization as _;

pub(crate) use sentences::sentences;

/// An answer that passed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Valid {
    pub(crate) value: Value,
    /// Something was put right without changing its sense: spelling of a label, a date.
    pub(crate) mended: bool,
    /// Names that do not occur in the article, and were dropped.
    pub(crate) ungrounded: u32,
}

/// Checks an answer of a step about a text; the errors are worded for the model that repairs them.
pub(crate) fn answer(
    step: Step,
    schema: &Schema,
    value: Value,
    text: &str,
) -> Result<Valid, Vec<String>> {
    let mut valid = Valid {
        value,
        mended: false,
        ungrounded: 0,
    };
    if step == Step::ClassifyContent {
        valid.mended |= fold_labels(&mut valid.value);
    }
    let errors: Vec<String> = schema
        .validator
        .iter_errors(&valid.value)
        .take(10)
        .map(|error| format!("at {:?}: {error}", error.instance_path().to_string()))
        .collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let errors = match step {
        Step::ExtractEntities => entities(&mut valid, text),
        Step::GenerateSummary => summary(&mut valid),
        Step::ClassifyContent => labels(&valid.value),
        Step::ScoreQuality => scores(&valid.value),
    };
    if errors.is_empty() {
        Ok(valid)
    } else {
        Err(errors)
    }
}

/// A text as names are compared: compatibility forms, lower case, single spaces.
pub(crate) fn fold(text: &str) -> String {
    let folded: String = text
        .nfkc()
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            '\u{2018}' | '\u{2019}' => '\'',
            '\u{201C}' | '\u{201D}' => '"',
            '\u{2010}'..='\u{2015}' => '-',
            c => c,
        })
        .collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn entities(valid: &mut Valid, text: &str) -> Vec<String> {
    let text = fold(text);
    let (mut named, mut dropped) = (0_usize, Vec::new());
    for list in ["people", "places", "organizations"] {
        let Some(Value::Array(entries)) = valid.value.get_mut(list) else {
            continue;
        };
        let mut seen = HashSet::new();
        named += entries.len();
        entries.retain(|entry| {
            let name = entry
                .get("name")
                .unwrap_or(entry)
                .as_str()
                .unwrap_or_default();
            let folded = fold(name);
            let grounded = !folded.is_empty() && text.contains(&folded);
            if !grounded {
                dropped.push(name.to_owned());
            }
            // The same name twice is one entity.
            grounded && seen.insert(folded)
        });
    }
    valid.ungrounded = u32::try_from(dropped.len()).unwrap_or(u32::MAX);
    valid.mended |= dates(&mut valid.value);
    if dropped.len() * 2 > named {
        let list = dropped
            .iter()
            .take(20)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        return vec![format!(
            "more than half of the names do not occur in the article; remove these: {list}"
        )];
    }
    Vec::new()
}

/// A date that is no calendar day becomes null; its words stay.
fn dates(value: &mut Value) -> bool {
    let mut mended = false;
    let Some(Value::Array(dates)) = value.get_mut("dates") else {
        return false;
    };
    for date in dates {
        let Some(iso) = date.get_mut("iso") else {
            continue;
        };
        let real = iso.as_str().is_none_or(|text| {
            text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
        });
        if !real {
            *iso = Value::Null;
            mended = true;
        }
    }
    mended
}

fn summary(valid: &mut Valid) -> Vec<String> {
    let text = valid
        .value
        .get("summary")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let count = sentences(text);
    if !(2..=3).contains(&count) {
        return vec![format!(
            "the summary has {count} sentences; it must have 2 or 3"
        )];
    }
    // The count is ours to know; a model that miscounts has still written a good summary.
    if let Some(told) = valid.value.get_mut("sentences")
        && told.is_number()
        && told.as_u64() != u64::try_from(count).ok()
    {
        *told = Value::from(count);
        valid.mended = true;
    }
    Vec::new()
}

fn fold_labels(value: &mut Value) -> bool {
    let mut mended = false;
    let mut fold_one = |label: Option<&mut Value>| {
        let Some(Value::String(text)) = label else {
            return;
        };
        let folded = text.trim().to_lowercase();
        mended |= folded != *text;
        *text = folded;
    };
    fold_one(value.get_mut("primary"));
    if let Some(Value::Array(labels)) = value.get_mut("labels") {
        for label in labels {
            fold_one(label.get_mut("label"));
        }
    }
    mended
}

fn labels(value: &Value) -> Vec<String> {
    let Some(labels) = value.get("labels").and_then(Value::as_array) else {
        return Vec::new();
    };
    let mut errors = Vec::new();
    let names: Vec<&str> = labels
        .iter()
        .filter_map(|label| label.get("label")?.as_str())
        .collect();
    if !(1..=3).contains(&names.len()) {
        errors.push(format!(
            "there are {} labels; there must be 1 to 3",
            names.len()
        ));
    }
    if names.iter().collect::<HashSet<_>>().len() < names.len() {
        errors.push("a label is there twice".to_owned());
    }
    let confidences = labels
        .iter()
        .filter_map(|label| label.get("confidence")?.as_f64());
    if confidences
        .into_iter()
        .any(|confidence| !(0.0..=1.0).contains(&confidence))
    {
        errors.push("a confidence is not between 0 and 1".to_owned());
    }
    let primary = value
        .get("primary")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !names.contains(&primary) {
        errors.push(format!("primary {primary:?} is not among the labels"));
    }
    errors
}

fn scores(value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    for name in ["relevance", "quality"] {
        let score = value.get(name).and_then(Value::as_i64);
        if !score.is_some_and(|score| (1..=10).contains(&score)) {
            errors.push(format!("{name} must be a whole number from 1 to 10"));
        }
    }
    let reason = value
        .get("reason")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if reason.trim().is_empty() {
        errors.push("reason is empty".to_owned());
    }
    errors
}

#[cfg(test)]
mod tests;
