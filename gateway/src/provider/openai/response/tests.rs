use super::{answer as read, *};
use crate::provider::FailureKind;
use proptest::prelude::*;
use serde_json::{Value, json};

const COMPLETION: &str = include_str!("../fixtures/completion.json");

fn answer(body: &str, flavour: Flavour) -> Result<Answer, Failure> {
    read(body.as_bytes(), flavour, Quota::default())
}

fn garbled(body: &str, flavour: Flavour) -> String {
    let failure = answer(body, flavour).expect_err("a garbled answer");
    assert_eq!(failure.kind, FailureKind::Garbled, "{body}");
    assert_eq!(failure.http_status, Some(200));
    failure.detail
}

#[test]
fn quota_comes_from_the_headers() {
    let headers = HeaderMap::from_iter([
        (
            http::HeaderName::from_static("x-ratelimit-remaining-requests"),
            "59".parse().expect("ok"),
        ),
        (
            http::HeaderName::from_static("x-ratelimit-remaining-tokens"),
            "149984".parse().expect("ok"),
        ),
        (
            http::HeaderName::from_static("x-ratelimit-reset-tokens"),
            "6m0s".parse().expect("ok"),
        ),
    ]);
    let quota = quota(&headers);
    assert_eq!((quota.requests, quota.tokens), (Some(59), Some(149_984)));
    assert_eq!((quota.input_tokens, quota.output_tokens), (None, None));
}

#[test]
fn finish_reasons_are_translated() {
    for (reason, expected) in [
        (json!("stop"), Finish::Stop),
        (json!("length"), Finish::Length),
        (json!("content_filter"), Finish::ContentFilter),
        (json!("tool_calls"), Finish::Other),
        (json!("a \"new\" one"), Finish::Other),
        (json!(null), Finish::Other),
    ] {
        let body = json!({"choices": [{"message": {"content": ""}, "finish_reason": reason}]});
        let answer = answer(&body.to_string(), Flavour::Compatible).expect("an answer");
        assert_eq!(answer.finish, expected, "{reason}");
    }
}

#[test]
fn a_model_may_say_nothing_only_when_it_was_stopped() {
    for (message, reason, expected) in [
        (
            json!({"content": null, "refusal": "I can't."}),
            "stop",
            Some("I can't."),
        ),
        (
            json!({"content": "", "refusal": "I can't."}),
            "stop",
            Some("I can't."),
        ),
        (
            json!({"content": "But", "refusal": "I can't."}),
            "stop",
            Some("But"),
        ),
        (
            json!({"content": null, "refusal": null}),
            "content_filter",
            Some(""),
        ),
        (json!({"content": null}), "length", Some("")),
        (json!({}), "length", Some("")),
        (json!({"content": ""}), "stop", Some("")),
        (json!({"content": null}), "stop", None),
        (json!({}), "stop", None),
        (json!({"content": null, "refusal": ""}), "stop", None),
        (
            json!({"content": null, "tool_calls": []}),
            "tool_calls",
            None,
        ),
        (
            json!({"content": [{"type": "text", "text": "Hi"}]}),
            "stop",
            None,
        ),
    ] {
        let body = json!({"choices": [{"message": message, "finish_reason": reason}]}).to_string();
        let answer = answer(&body, Flavour::Compatible);
        assert_eq!(answer.as_ref().ok().map(|a| &*a.text), expected, "{body}");
        if let Ok(answer) = answer {
            let refused = body.contains("can't") || reason == "content_filter";
            assert_eq!(answer.finish == Finish::ContentFilter, refused, "{body}");
        }
    }
}

fn counted(usage: &Value, flavour: Flavour) -> Option<Usage> {
    let body = json!({"choices": [{"message": {"content": "x"}}], "usage": usage}).to_string();
    answer(&body, flavour).ok()?.usage
}

#[test]
fn usage_is_counted_in_disjoint_classes() {
    let max = u64::from(u32::MAX);
    for (usage, [input, cache_read, cache_write, output, reasoning]) in [
        (
            json!({"prompt_tokens": 10, "completion_tokens": 4}),
            [10, 0, 0, 4, 0],
        ),
        (
            json!({"prompt_tokens": max, "completion_tokens": 0}),
            [max, 0, 0, 0, 0],
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 99,
                "prompt_tokens_details": null, "completion_tokens_details": null}),
            [10, 0, 0, 4, 0],
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": null},
                "completion_tokens_details": {}}),
            [10, 0, 0, 4, 0],
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 10},
                "completion_tokens_details": {"reasoning_tokens": 4}}),
            [0, 10, 0, 0, 4],
        ),
        (
            json!({"prompt_tokens": 10, "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 5}}),
            [2, 3, 5, 4, 0],
        ),
    ] {
        let expected = Usage {
            input,
            cache_read,
            cache_write,
            output,
            reasoning,
        };
        for flavour in [Flavour::OpenAi, Flavour::Compatible] {
            assert_eq!(counted(&usage, flavour), Some(expected), "{usage}");
        }
    }
}

#[test]
fn usage_that_cannot_be_true_is_garbled() {
    for usage in [
        r#"{"prompt_tokens": 4294967296, "completion_tokens": 0}"#,
        r#"{"prompt_tokens": 99999999999999999999, "completion_tokens": 0}"#,
        r#"{"prompt_tokens": 1e400, "completion_tokens": 1}"#,
        r#"{"prompt_tokens": 1e1, "completion_tokens": 1}"#,
        r#"{"prompt_tokens": -1, "completion_tokens": 4}"#,
        r#"{"prompt_tokens": 10.5, "completion_tokens": 4}"#,
        r#"{"prompt_tokens": 10.0, "completion_tokens": 4}"#,
        r#"{"prompt_tokens": "10", "completion_tokens": 4}"#,
        r#"{"prompt_tokens": 10, "completion_tokens": null}"#,
        r#"{"prompt_tokens": 10}"#,
        r#"{}"#,
        r#""none""#,
        r#"{"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 11}}"#,
        r#"{"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 5}}"#,
        r#"{"prompt_tokens": 10, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 5}}"#,
    ] {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"x"}}}}],"usage":{usage}}}"#);
        garbled(&body, Flavour::OpenAi);
        garbled(&body, Flavour::Compatible);
    }
}

#[test]
fn only_compatible_servers_may_leave_out_usage() {
    for usage in [r#","usage":null"#, ""] {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"x"}}}}]{usage}}}"#);
        let answer = answer(&body, Flavour::Compatible).expect("an answer");
        assert_eq!(answer.usage, None);
        assert_eq!(garbled(&body, Flavour::OpenAi), "no usage");
    }
}

#[test]
fn a_200_that_is_not_an_answer_is_garbled() {
    for (body, expected) in [
        ("", "an empty body"),
        ("{", "JSON that ends too early"),
        (
            &COMPLETION[..COMPLETION.len() / 2],
            "JSON that ends too early",
        ),
        ("<html>", "not JSON"),
        ("{} {}", "not JSON"),
        ("null", "JSON of another shape"),
        ("[]", "JSON of another shape"),
        ("{}", "no choices"),
        (r#"{"choices":null}"#, "no choices"),
        (r#"{"choices":[]}"#, "no choices"),
        (r#"{"choices":{}}"#, "JSON of another shape"),
        (r#"{"choices":[{}]}"#, "JSON of another shape"),
        (
            r#"{"choices":["my secret prompt"]}"#,
            "JSON of another shape",
        ),
        (r#"{"choices":[],"choices":[]}"#, "JSON of another shape"),
        (
            r#"{"error":{"code":"x","message":"my secret prompt"}}"#,
            "a 200 with an error inside",
        ),
        (
            r#"{"error":{},"choices":[{"message":{"content":"x"}}]}"#,
            "a 200 with an error inside",
        ),
    ] {
        assert_eq!(garbled(body, Flavour::Compatible), expected, "{body}");
    }
    let not_utf8 = b"{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}";
    let failure = read(not_utf8, Flavour::Compatible, Quota::default());
    assert_eq!(failure.expect_err("not UTF-8").kind, FailureKind::Garbled);
    let deep = format!("{}{}", r#"{"choices":"#, "[".repeat(1_000_000));
    garbled(&deep, Flavour::Compatible);
}

#[test]
fn further_choices_are_skipped() {
    let body = r#"{"choices":[{"message":{"content":"1"}},{"x":1},2,{"message":{"content":"3"}}]}"#;
    let answer = answer(body, Flavour::Compatible).expect("an answer");
    assert_eq!(answer.text, "1");
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let failure = read(&body, Flavour::Compatible, Quota::default());
        prop_assert_eq!(failure.expect_err("noise").kind, FailureKind::Garbled);
    }

    #[test]
    fn a_broken_completion_is_an_answer_or_garbled(
        at in 0..COMPLETION.len(),
        cut in any::<bool>(),
        byte in any::<u8>(),
    ) {
        let mut body = COMPLETION.as_bytes().to_vec();
        if cut {
            body.truncate(at);
        } else {
            body[at] = byte;
        }
        match read(&body, Flavour::OpenAi, Quota::default()) {
            Ok(answer) => prop_assert!(answer.usage.is_some()),
            Err(failure) => {
                prop_assert_eq!(failure.kind, FailureKind::Garbled);
                prop_assert!(!failure.detail.contains("harbour"));
            }
        }
    }
}
