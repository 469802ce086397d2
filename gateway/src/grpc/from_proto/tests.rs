//! What is refused, and that nothing is ignored.

use super::*;
use proptest::prelude::*;
use prost::Message as _;

fn text(role: v1::Role, text: &str) -> v1::Message {
    v1::Message {
        role: role.into(),
        parts: vec![v1::Part {
            content: Some(v1::part::Content::Text(text.to_owned())),
        }],
    }
}

fn spec() -> v1::CompletionSpec {
    v1::CompletionSpec {
        target: Some(v1::completion_spec::Target::Model("gpt-4".to_owned())),
        messages: vec![text(v1::Role::User, "Hello")],
        ..v1::CompletionSpec::default()
    }
}

fn fields(spec: v1::CompletionSpec) -> Vec<String> {
    match call(Some(spec)) {
        Err(Error::InvalidRequest(violations)) => violations.into_iter().map(|v| v.field).collect(),
        other => panic!("expected violations, not {other:?}"),
    }
}

#[test]
fn a_small_call_is_understood() {
    let call = call(Some(spec())).expect("valid");
    assert_eq!(call.target, Target::Model("gpt-4".to_owned()));
    assert_eq!(call.messages[0].parts, ["Hello"]);
    assert_eq!(call.max_output_tokens, None);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let wrong = v1::CompletionSpec {
        target: None,
        messages: vec![],
        max_output_tokens: Some(0),
        sampling: Some(v1::SamplingOptions {
            temperature: Some(f64::NAN),
            top_p: Some(0.0),
            stop_sequences: vec![String::new()],
            ..v1::SamplingOptions::default()
        }),
        tools: vec![v1::Tool::default()],
        run_budget: Some(v1::RunBudget { limit_nano_usd: -1 }),
        idempotency_key: "k".repeat(257),
        priority: 99,
        ..v1::CompletionSpec::default()
    };
    let mut found = fields(wrong);
    found.sort();
    assert_eq!(
        found,
        [
            "spec.attribution.run",
            "spec.idempotency_key",
            "spec.max_output_tokens",
            "spec.messages",
            "spec.priority",
            "spec.run_budget.limit_nano_usd",
            "spec.sampling.stop_sequences[0]",
            "spec.sampling.temperature",
            "spec.sampling.top_p",
            "spec.target",
            "spec.tools",
        ]
    );
}

#[test]
fn what_is_not_served_yet_is_named() {
    let mut unserved = spec();
    unserved.tool_choice = Some(v1::ToolChoice::default());
    unserved.cache_policy = v1::CachePolicy::Use.into();
    unserved.messages[0].parts.push(v1::Part {
        content: Some(v1::part::Content::Image(v1::Image::default())),
    });
    let mut found = fields(unserved);
    found.sort();
    assert_eq!(
        found,
        [
            "spec.cache_policy",
            "spec.messages[0].parts[1].image",
            "spec.tool_choice",
        ]
    );
}

#[test]
fn a_schema_must_be_a_json_object() {
    for bad in ["", "[]", "{", "null", "{} {}"] {
        let mut with_schema = spec();
        with_schema.response_format = Some(v1::ResponseFormat {
            format: Some(v1::response_format::Format::JsonSchema(
                v1::JsonSchemaFormat {
                    name: "entities".to_owned(),
                    schema_json: bad.to_owned(),
                    strict: true,
                },
            )),
        });
        let found = fields(with_schema);
        assert_eq!(
            found,
            ["spec.response_format.json_schema.schema_json"],
            "{bad}"
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(spec) = v1::CompletionSpec::decode(&bytes[..]) {
            let _ = call(Some(spec));
        }
    }
}
