//! Calls and bodies that the adapters' tests share.

use crate::{
    call::{Attribution, Call, Message, Role, Sampling, Schema, Target},
    provider::Ask,
};
use serde_json::{Value, value::RawValue};
use std::sync::Arc;

/// A schema in the caller's own spelling, which no adapter may change.
const SCHEMA: &str = r#"{ "type": "object", "required": ["zeta", "alpha"],
  "properties": { "zeta": { "type": "string" }, "alpha": { "type": "integer" } },
  "additionalProperties": false }"#;

pub(in crate::provider) fn message(role: Role, parts: &[&str]) -> Message {
    Message {
        role,
        parts: parts.iter().map(|&part| part.to_owned()).collect(),
    }
}

pub(in crate::provider) fn schema(json: &str) -> Schema {
    Schema {
        name: "generate_summary".to_owned(),
        json: RawValue::from_string(json.to_owned()).expect("test schemas are JSON"),
        strict: true,
    }
}

/// The least that can be asked.
pub(in crate::provider) fn small_call() -> Call {
    Call {
        target: Target::Model("m".to_owned()),
        messages: vec![message(Role::User, &["Hi"])],
        max_output_tokens: None,
        sampling: Sampling::default(),
        schema: None,
        attribution: Attribution::default(),
        idempotency_key: None,
        run_budget: None,
        priority: crate::call::Priority::default(),
        trace: None,
    }
}

/// A call with everything that all providers have.
pub(in crate::provider) fn full_call() -> Call {
    Call {
        messages: vec![
            message(Role::System, &["You are terse."]),
            message(
                Role::User,
                &["Summarise \"this\":\n", "Größe \u{1f692}\u{0}\\"],
            ),
            message(Role::Assistant, &["Of course."]),
            message(Role::System, &["Use JSON."]),
            message(Role::User, &["Go on."]),
        ],
        sampling: Sampling {
            temperature: Some(0.2),
            top_p: Some(1.0),
            stop: vec!["END".to_owned(), "\n\n".to_owned()],
            ..Sampling::default()
        },
        schema: Some(schema(SCHEMA)),
        ..small_call()
    }
}

pub(in crate::provider) fn ask(call: Call, model: &str) -> Ask {
    Ask {
        call: Arc::new(call),
        model: model.into(),
        max_output_tokens: 512,
    }
}

/// A body for a reader.
pub(in crate::provider) fn pretty(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).expect("bodies are JSON");
    serde_json::to_string_pretty(&value).expect("values can be written")
}
