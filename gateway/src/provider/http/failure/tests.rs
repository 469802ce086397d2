use super::*;
use crate::provider::FailureKind::{
    ContextOverflow, Garbled, Misconfigured, Rejected, Throttled, Unavailable,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
use proptest::prelude::*;

fn read(status: u16, body: impl Into<Bytes>) -> Failure {
    let reply = Reply {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: HeaderMap::new(),
        body: body.into(),
    };
    failure(&reply, Quota::default(), Timestamp::default())
}

#[test]
fn the_status_says_what_to_do() {
    for (status, expected) in [
        (201, Garbled),
        (204, Garbled),
        (301, Misconfigured),
        (302, Misconfigured),
        (304, Misconfigured),
        (307, Misconfigured),
        (308, Misconfigured),
        (400, Rejected),
        (401, Misconfigured),
        (402, Misconfigured),
        (403, Misconfigured),
        (404, Misconfigured),
        (405, Misconfigured),
        (406, Rejected),
        (407, Misconfigured),
        (408, Unavailable),
        (409, Unavailable),
        (410, Rejected),
        (413, ContextOverflow),
        (415, Rejected),
        (418, Rejected),
        (422, Rejected),
        (425, Unavailable),
        (429, Throttled),
        (451, Rejected),
        (499, Rejected),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (524, Unavailable),
        (529, Unavailable),
        (599, Unavailable),
        (600, Garbled),
        (999, Garbled),
    ] {
        for body in [
            "",
            "{}",
            "<html>Bad gateway</html>",
            r#"{"error":{"code":null}}"#,
        ] {
            let failure = read(status, body);
            assert_eq!(failure.kind, expected, "{status} {body}");
            assert_eq!(failure.http_status, Some(status));
            assert_eq!(failure.retry_after_ms, None);
        }
    }
}

#[test]
fn a_prompt_that_is_too_long_is_told_from_other_rejections() {
    for (status, expected, body) in [
        // OpenAI.
        (
            400,
            ContextOverflow,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        ),
        (
            400,
            Rejected,
            r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}"#,
        ),
        // Anthropic.
        (
            400,
            ContextOverflow,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"},"request_id":"req_1"}"#,
        ),
        (
            400,
            ContextOverflow,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 199000 + 8000 > 200000, decrease input length or `max_tokens` and try again"}}"#,
        ),
        (
            413,
            ContextOverflow,
            r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
        ),
        (
            400,
            Rejected,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"`temperature` is deprecated for this model."}}"#,
        ),
        // llama.cpp.
        (
            400,
            ContextOverflow,
            r#"{"error":{"code":400,"message":"request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9412,"n_ctx":8192}}"#,
        ),
        // vLLM, in its older and newer shapes.
        (
            400,
            ContextOverflow,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5024 tokens (4000 in the messages, 1024 in the completion).","type":"BadRequestError","param":null,"code":400}"#,
        ),
        (
            400,
            ContextOverflow,
            r#"{"error":{"message":"The decoder prompt (length 5000) is longer than the maximum model length of 4096.","type":"BadRequestError","param":null,"code":400}}"#,
        ),
        // Ollama.
        (
            400,
            ContextOverflow,
            r#"{"error":"the input length exceeds maximum context length"}"#,
        ),
    ] {
        assert_eq!(read(status, body).kind, expected, "{body}");
    }
}

#[test]
fn an_account_without_money_is_not_the_callers_fault() {
    for (status, body) in [
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}"#,
        ),
        (
            402,
            r#"{"type":"error","error":{"type":"billing_error","message":"billing"}}"#,
        ),
    ] {
        assert_eq!(read(status, body).kind, Misconfigured, "{body}");
    }
}

#[test]
fn the_detail_is_a_machines_word_or_ours() {
    let long = format!(r#"{{"error":{{"code":"{}"}}}}"#, "x".repeat(65));
    let huge = format!(
        r#"{{"error":{{"code":"rate_limit_exceeded","message":"{}"}}}}"#,
        "x".repeat(LARGEST_COMPLAINT)
    );
    for (body, expected) in [
        (
            r#"{"error":{"code":"rate_limit_exceeded","type":"tokens"}}"#,
            "rate_limit_exceeded",
        ),
        (
            r#"{"error":{"code":null,"type":"server_error"}}"#,
            "server_error",
        ),
        (
            r#"{"error":{"code":400,"type":"BadRequestError"}}"#,
            "BadRequestError",
        ),
        (
            r#"{"error":{"code":"my secret prompt","type":"tokens"}}"#,
            "tokens",
        ),
        (
            r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
            "overloaded_error",
        ),
        (
            r#"{"error":{"code":"","message":"my secret prompt"}}"#,
            "an error without a code",
        ),
        (r#"{"error":"my secret prompt"}"#, "an error without a code"),
        (
            r#"{"detail":"my secret prompt"}"#,
            "an error without a code",
        ),
        (r#"["my secret prompt"]"#, "an error without a code"),
        ("my secret prompt", "an error without a code"),
        (&long, "an error without a code"),
        (&huge, "an error without a code"),
    ] {
        assert_eq!(read(429, body.to_owned()).detail, expected, "{body}");
    }
    assert_eq!(read(307, "").detail, "a redirect, which is never followed");
    assert_eq!(read(204, "").detail, "a success that is not a 200");
}

#[test]
fn a_failure_says_how_long_to_wait_whatever_its_kind() {
    for status in [429, 503, 529, 400] {
        let reply = Reply {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("2"))]),
            body: Bytes::new(),
        };
        let quota = Quota {
            requests: Some(0),
            ..Quota::default()
        };
        let failure = failure(&reply, quota, Timestamp::default());
        assert_eq!(
            (failure.retry_after_ms, failure.quota),
            (Some(2_000), quota)
        );
    }
}

proptest! {
    #[test]
    fn no_body_makes_it_panic_or_talk(
        status in 100_u16..1000,
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "\\{\"error\":(\"[^\"\\\\]{0,80}\"|\\{\"(code|type|message)\":\"[^\"\\\\]{0,80}\"\\})\\}"
                .prop_map(String::into_bytes),
        ],
    ) {
        let failure = read(status, body);
        let ours = ["an error without a code", "a redirect, which is never followed",
            "a success that is not a 200"];
        prop_assert!(is_word(&failure.detail) || ours.contains(&failure.detail.as_str()));
    }
}
