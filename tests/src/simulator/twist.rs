//! How a fault bends an answer that was correct so far.

use serde_json::{Value, json};

use super::answer::{Finish, Usage, signed};
use super::call::Call;
use super::faults::Action;
use super::fill;

const REFUSAL: &str = "I'm sorry, but I can't help with that request.";
const PROSE: &str = "Sure! Here is what I found. The text covers several subjects, and I would say \
    that it is mostly informative. Let me know if you need anything else.";

/// The text as the fault wants it.
pub(crate) fn text(text: String, call: &Call, fault: Option<&Action>) -> String {
    match fault {
        Some(Action::Prose) => PROSE.to_owned(),
        Some(Action::Fenced) => format!("Here is the JSON:\n```json\n{text}\n```\n"),
        Some(Action::MissingProperty) => edit(&text, |value| remove_one(value, call)),
        Some(Action::WrongEnum) => edit(&text, |value| break_one(value, call)),
        Some(Action::Refusal) => REFUSAL.to_owned(),
        Some(Action::ContentFilter) => text.chars().take(text.chars().count() / 2).collect(),
        _ => text,
    }
}

/// Why the model ends by itself.
pub(crate) fn finish(fault: Option<&Action>) -> Finish {
    match fault {
        Some(Action::Refusal) => Finish::Refusal,
        Some(Action::ContentFilter) => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}

/// The cap that is really applied.
pub(crate) fn cap(asked: Option<u64>, output: u64, fault: Option<&Action>) -> Option<u64> {
    match fault {
        Some(Action::Truncate) => {
            let half = (output / 2).max(1);
            Some(asked.map_or(half, |cap| cap.min(half)))
        }
        _ => asked,
    }
}

/// What is reported and what is billed.
pub(crate) fn usage(
    honest: Usage,
    cap: Option<u64>,
    fault: Option<&Action>,
) -> (Option<Usage>, Usage) {
    match fault {
        Some(Action::UsageMissing) => (None, honest),
        Some(Action::UsageNegative) => {
            let nonsense = Usage {
                input: -honest.input,
                output: -honest.output,
                ..honest
            };
            (Some(nonsense), honest)
        }
        Some(Action::UsageOutput(count)) => both(Usage {
            output: signed(*count),
            ..honest
        }),
        Some(Action::UsageCached(count)) => {
            let read = signed(*count).min(honest.input);
            both(Usage {
                input: honest.input - read,
                cache_read: honest.cache_read + read,
                ..honest
            })
        }
        Some(Action::UsageReasoning(count)) => {
            let room = cap.map_or(i64::MAX, |cap| signed(cap) - honest.output);
            let reasoning = signed(*count).min(room.max(0));
            both(Usage {
                output: honest.output + reasoning,
                reasoning,
                ..honest
            })
        }
        _ => both(honest),
    }
}

fn both(usage: Usage) -> (Option<Usage>, Usage) {
    (Some(usage), usage)
}

fn edit(text: &str, change: impl FnOnce(&mut Value)) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            change(&mut value);
            value.to_string()
        }
        Err(_) => text.to_owned(),
    }
}

fn remove_one(value: &mut Value, call: &Call) {
    let required = call
        .schema
        .as_ref()
        .and_then(|schema| schema["required"][0].as_str());
    let Some(object) = value.as_object_mut() else {
        return;
    };
    let name = required
        .map(str::to_owned)
        .or_else(|| object.keys().next().cloned());
    if let Some(name) = name {
        object.remove(&name);
    }
}

/// Puts a value outside of the first enum found; without an enum, a value of a wrong type.
fn break_one(value: &mut Value, call: &Call) {
    let Some(schema) = &call.schema else { return };
    if break_enum(value, schema, schema, 0) {
        return;
    }
    if let Some(first) = value
        .as_object_mut()
        .and_then(|object| object.values_mut().next())
    {
        *first = json!({ "wrong": "type" });
    }
}

fn break_enum(value: &mut Value, schema: &Value, root: &Value, depth: usize) -> bool {
    let schema = fill::resolve(schema, root);
    if schema["enum"].is_array() {
        *value = Value::String("not-in-the-enum".to_owned());
        return true;
    }
    if depth > 16 {
        return false;
    }
    match value {
        Value::Object(object) => object.iter_mut().any(|(name, inner)| {
            break_enum(inner, &schema["properties"][name.as_str()], root, depth + 1)
        }),
        Value::Array(items) => items
            .iter_mut()
            .any(|item| break_enum(item, &schema["items"], root, depth + 1)),
        _ => false,
    }
}
