use super::*;
use crate::{
    call::{Call, Role, Sampling},
    clock::SystemClock,
    provider::{
        FailureKind, Finish, Quota,
        http::{
            install_tls,
            raw_server::{RawServer, response},
            sample::{ask, full_call, message, pretty, schema, small_call},
        },
    },
};
use http::HeaderMap;
use insta::{assert_debug_snapshot, assert_snapshot};
use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_core::Usage;

const MESSAGE: &str = include_str!("fixtures/message.json");

fn body_of(call: Call, model: &str) -> Result<String, Failure> {
    let body = request::body(&ask(call, model))?;
    Ok(String::from_utf8(body).expect("JSON is UTF-8"))
}

fn parsed(call: Call, model: &str) -> Value {
    let body = body_of(call, model).expect("the API can do it");
    serde_json::from_str(&body).expect("bodies are JSON")
}

fn answer(body: &str) -> Result<Answer, Failure> {
    response::answer(body.as_bytes(), Quota::default())
}

fn garbled(body: &str) -> String {
    let failure = answer(body).expect_err("a garbled answer");
    assert_eq!(failure.kind, FailureKind::Garbled, "{body}");
    assert_eq!(failure.http_status, Some(200));
    failure.detail
}

#[test]
fn a_call_becomes_a_request() {
    let body = request::body(&ask(full_call(), "claude-sonnet-4-5")).expect("possible");
    assert_snapshot!(pretty(&body));
}

#[test]
fn an_older_model_gets_the_schema_as_an_instruction() {
    let body = request::body(&ask(full_call(), "claude-3-haiku-20240307")).expect("possible");
    assert_snapshot!(pretty(&body));
}

#[test]
fn a_schema_that_the_api_refuses_becomes_an_instruction() {
    let bounded = r#"{"type":"integer","minimum":1}"#;
    let call = Call {
        schema: Some(schema(bounded)),
        ..small_call()
    };
    let body = parsed(call, "claude-sonnet-4-5");
    assert_eq!(body.get("output_config"), None);
    let system = body["system"].as_str().expect("one text");
    assert!(system.ends_with(bounded), "{system}");
}

#[test]
fn a_small_call_becomes_a_small_request() {
    assert_eq!(
        body_of(small_call(), "claude-haiku-4-5").expect("possible"),
        r#"{"model":"claude-haiku-4-5","max_tokens":512,"messages":[{"role":"user","content":"Hi"}]}"#
    );
}

#[test]
fn what_the_api_cannot_do_is_refused_and_not_sent() {
    let sampling = |sampling| Call {
        sampling,
        ..small_call()
    };
    let said = |messages| Call {
        messages,
        ..small_call()
    };
    for (call, word) in [
        (
            sampling(Sampling {
                temperature: Some(1.01),
                ..Sampling::default()
            }),
            "temperature",
        ),
        (
            sampling(Sampling {
                seed: Some(0),
                ..Sampling::default()
            }),
            "seed",
        ),
        (
            sampling(Sampling {
                frequency_penalty: Some(0.0),
                ..Sampling::default()
            }),
            "frequency_penalty",
        ),
        (
            sampling(Sampling {
                presence_penalty: Some(0.0),
                ..Sampling::default()
            }),
            "presence_penalty",
        ),
        (said(vec![message(Role::System, &["Be kind."])]), "messages"),
        (
            said(vec![
                message(Role::Assistant, &["I"]),
                message(Role::User, &["You"]),
            ]),
            "messages",
        ),
    ] {
        let failure = body_of(call, "claude-sonnet-4-5").expect_err("impossible");
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert_eq!(failure.detail.split(':').next(), Some(word));
        assert_eq!(failure.http_status, None);
    }
    let hottest = Sampling {
        temperature: Some(1.0),
        ..Sampling::default()
    };
    assert_eq!(
        parsed(sampling(hottest), "claude-sonnet-4-5")["temperature"],
        1.0
    );
}

#[tokio::test]
async fn what_is_refused_opens_no_connection() {
    let server = RawServer::answering(response("200 OK", "", MESSAGE));
    let call = Call {
        sampling: Sampling {
            seed: Some(1),
            ..Sampling::default()
        },
        ..small_call()
    };
    let failure = account(&server)
        .complete(ask(call, "claude-sonnet-4-5"))
        .await;
    assert_eq!(failure.expect_err("impossible").kind, FailureKind::Rejected);
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn a_message_becomes_an_answer() {
    assert_debug_snapshot!(answer(MESSAGE));
}

#[test]
fn quota_comes_from_the_headers() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("anthropic-ratelimit-requests-remaining", "999"),
        ("anthropic-ratelimit-tokens-remaining", "96000"),
        ("anthropic-ratelimit-input-tokens-remaining", "80000"),
        ("anthropic-ratelimit-output-tokens-remaining", "16000"),
        (
            "anthropic-ratelimit-output-tokens-reset",
            "2025-08-21T12:41:00Z",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    assert_eq!(
        response::quota(&headers),
        Quota {
            requests: Some(999),
            tokens: Some(96_000),
            input_tokens: Some(80_000),
            output_tokens: Some(16_000),
        }
    );
}

#[test]
fn stop_reasons_are_translated() {
    for (reason, expected) in [
        (json!("end_turn"), Finish::Stop),
        (json!("stop_sequence"), Finish::Stop),
        (json!("max_tokens"), Finish::Length),
        (json!("model_context_window_exceeded"), Finish::Length),
        (json!("refusal"), Finish::ContentFilter),
        (json!("tool_use"), Finish::Other),
        (json!("pause_turn"), Finish::Other),
        (json!(null), Finish::Other),
    ] {
        let body = json!({"content": [], "stop_reason": reason,
            "usage": {"input_tokens": 1, "output_tokens": 0}});
        let answer = answer(&body.to_string()).expect("an answer");
        assert_eq!((answer.finish, &*answer.text), (expected, ""), "{reason}");
    }
}

#[test]
fn usage_is_counted_in_disjoint_classes_or_not_believed() {
    for (usage, expected) in [
        (
            json!({"input_tokens": 10, "output_tokens": 4}),
            Some((10, 0, 0, 4, 0)),
        ),
        (
            json!({"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": null,
                "cache_creation_input_tokens": null, "output_tokens_details": null}),
            Some((0, 0, 0, 0, 0)),
        ),
        (
            // Cached input is not part of input_tokens, so that it may be larger.
            json!({"input_tokens": 1, "output_tokens": 4, "cache_read_input_tokens": 2_000,
                "cache_creation_input_tokens": 30,
                "output_tokens_details": {"thinking_tokens": 4}}),
            Some((1, 2_000, 30, 0, 4)),
        ),
        (
            json!({"input_tokens": 4_294_967_296_u64, "output_tokens": 4}),
            None,
        ),
        (json!({"input_tokens": -1, "output_tokens": 4}), None),
        (json!({"input_tokens": 1.5, "output_tokens": 4}), None),
        (json!({"input_tokens": 1}), None),
        (json!({"output_tokens": 1}), None),
        (
            json!({"input_tokens": 1, "output_tokens": 4, "cache_read_input_tokens": -1}),
            None,
        ),
        (
            json!({"input_tokens": 1, "output_tokens": 4,
                "output_tokens_details": {"thinking_tokens": 5}}),
            None,
        ),
        (json!(null), None),
    ] {
        let body = json!({"content": [], "stop_reason": "end_turn", "usage": usage}).to_string();
        let counted = answer(&body).ok().and_then(|answer| answer.usage);
        let expected = expected.map(
            |(input, cache_read, cache_write, output, reasoning)| Usage {
                input,
                cache_read,
                cache_write,
                output,
                reasoning,
            },
        );
        assert_eq!(counted, expected, "{usage}");
        if expected.is_none() {
            garbled(&body);
        }
    }
}

#[test]
fn a_200_that_is_not_an_answer_is_garbled() {
    for (body, expected) in [
        ("", "an empty body"),
        (&MESSAGE[..MESSAGE.len() / 2], "JSON that ends too early"),
        ("event: message_start", "not JSON"),
        ("[]", "JSON of another shape"),
        ("{}", "no content"),
        (r#"{"content":[]}"#, "no usage"),
        (r#"{"content":"text"}"#, "JSON of another shape"),
        (r#"{"content":[{"type":"text"}]}"#, "JSON of another shape"),
        (
            r#"{"content":[{"text":"my secret prompt"}]}"#,
            "JSON of another shape",
        ),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "a 200 with an error inside",
        ),
    ] {
        assert_eq!(garbled(body), expected, "{body}");
    }
    let deep = format!("{}{}", r#"{"content":"#, "[".repeat(1_000_000));
    garbled(&deep);
}

fn account(server: &RawServer) -> Anthropic {
    install_tls();
    let transport = Transport::new(Arc::new(SystemClock)).expect("TLS is there");
    Anthropic::new(&server.base_url(), &"sk-ant-hush".into(), transport).expect("a valid account")
}

#[tokio::test]
async fn a_call_goes_out_and_its_answer_comes_back() {
    let headers = "anthropic-ratelimit-requests-remaining: 59\r\n";
    let server = RawServer::answering(response("200 OK", headers, MESSAGE));
    let account = account(&server);
    let answer = account
        .complete(ask(small_call(), "claude-haiku-4-5"))
        .await;
    assert_eq!(answer.expect("an answer").quota.requests, Some(59));
    let [request] = &server.requests()[..] else {
        panic!("one request was sent");
    };
    assert!(
        request.starts_with("POST /v1/messages HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("x-api-key: sk-ant-hush\r\n"), "{request}");
    assert!(
        request.contains("anthropic-version: 2023-06-01\r\n"),
        "{request}"
    );
    let sent = body_of(small_call(), "claude-haiku-4-5").expect("possible");
    assert!(request.ends_with(&format!("\r\n\r\n{sent}")), "{request}");
    assert!(!format!("{account:?}").contains("hush"));
}

#[tokio::test]
async fn an_error_comes_back_with_all_that_it_says() {
    let headers = "retry-after: 3\r\nanthropic-ratelimit-input-tokens-remaining: 0\r\n";
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"my secret prompt"},"request_id":"req_1"}"#;
    let server = RawServer::answering(response("529 Overloaded", headers, body));
    let failure = account(&server)
        .complete(ask(small_call(), "claude-haiku-4-5"))
        .await;
    assert_debug_snapshot!(failure.expect_err("overloaded"));
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let failure = response::answer(&body, Quota::default());
        prop_assert_eq!(failure.expect_err("noise").kind, FailureKind::Garbled);
    }

    #[test]
    fn a_broken_message_is_an_answer_or_garbled(
        at in 0..MESSAGE.len(),
        cut in any::<bool>(),
        byte in any::<u8>(),
    ) {
        let mut body = MESSAGE.as_bytes().to_vec();
        if cut {
            body.truncate(at);
        } else {
            body[at] = byte;
        }
        match response::answer(&body, Quota::default()) {
            Ok(answer) => prop_assert!(answer.usage.is_some()),
            Err(failure) => {
                prop_assert_eq!(failure.kind, FailureKind::Garbled);
                prop_assert!(!failure.detail.contains("harbour"));
            }
        }
    }

    #[test]
    fn every_prompt_arrives_as_it_was(parts in proptest::collection::vec(any::<String>(), 1..4)) {
        let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let call = Call {
            messages: vec![message(Role::System, &texts), message(Role::User, &texts)],
            ..small_call()
        };
        let body = parsed(call, "claude-haiku-4-5");
        for content in [&body["system"], &body["messages"][0]["content"]] {
            let arrived: Vec<&str> = match content.as_array() {
                Some(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
                None => content.as_str().into_iter().collect(),
            };
            prop_assert_eq!(arrived, texts.clone());
        }
    }
}
