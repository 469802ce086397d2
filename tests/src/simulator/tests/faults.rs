//! Each fault can be observed.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::simulator::{Action, Fault, Refused, RetryAfter};

async fn status(simulate: &str) -> (u16, Value, reqwest::header::HeaderMap) {
    let simulator = started().await;
    let response = try_openai(&simulator, &chat(json!({})), simulate)
        .await
        .expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a whole body");
    (
        status,
        serde_json::from_str(&text).unwrap_or_else(|_| json!(text)),
        headers,
    )
}

#[tokio::test]
async fn refusals_have_the_status_and_the_form_of_the_api() {
    for (simulate, expected, code) in [
        ("429", 429, "rate_limit_exceeded"),
        ("quota", 429, "insufficient_quota"),
        ("401", 401, "invalid_api_key"),
        ("403", 403, "model_not_found"),
        ("404", 404, "model_not_found"),
        ("context-length", 400, "context_length_exceeded"),
    ] {
        let (status, body, headers) = status(simulate).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (expected, &json!(code)),
            "{simulate}"
        );
        assert_eq!(headers["x-simulated"], "true");
    }
    for (simulate, expected) in [
        ("500", 500),
        ("503", 503),
        ("400", 400),
        ("422", 422),
        ("502", 502),
    ] {
        assert_eq!(status(simulate).await.0, expected);
    }
    let simulator = started().await;
    let overloaded = try_anthropic(&simulator, &message(json!({})), "529")
        .await
        .expect("an answer");
    assert_eq!(overloaded.status(), 529);
    assert_eq!(read(overloaded).await["error"]["type"], "overloaded_error");
    let long = try_anthropic(&simulator, &message(json!({})), "context-length")
        .await
        .expect("an answer");
    let said = read(long).await["error"]["message"]
        .as_str()
        .expect("text")
        .to_owned();
    assert!(said.starts_with("prompt is too long:"), "{said}");
}

#[tokio::test]
async fn retry_after_comes_in_both_forms_or_not_at_all() {
    assert_eq!(status("429,retry-after=7").await.2["retry-after"], "7");
    let dated = status("action=503,retry-after=date:30").await.2;
    assert!(
        dated["retry-after"]
            .to_str()
            .expect("text")
            .ends_with(" GMT")
    );
    let bare = status("429").await.2;
    assert!(!bare.contains_key("retry-after"));
    assert_eq!(bare["x-ratelimit-remaining-requests"], "0");
}

#[tokio::test]
async fn answers_can_be_broken_in_form() {
    assert!(status("invalid-json").await.1.is_string());
    assert_eq!(status("empty").await.1, json!(""));
    let (code, body, _) = status("error-inside").await;
    assert_eq!(
        (code, &body["error"]["type"]),
        (200, &json!("server_error"))
    );
    let (_, body, _) = status("oversize,mib=3").await;
    assert!(body["padding"].as_str().expect("text").len() == 3 * 1024 * 1024);
    let simulator = started().await;
    let direct = with_crypto(Client::builder().redirect(reqwest::redirect::Policy::none()));
    let url = format!("{}/v1/chat/completions", simulator.base_url());
    let request = direct
        .post(url)
        .header("x-simulate", "redirect,to=http://127.0.0.1:9/evil")
        .body("{}");
    let response = request.send().await.expect("an answer");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (302, &"http://127.0.0.1:9/evil".parse().expect("a value"))
    );
}

#[tokio::test]
async fn connections_can_be_cut_closed_and_held() {
    let simulator = started().await;
    let request = chat(json!({}));
    let cut = try_openai(&simulator, &request, "cut")
        .await
        .expect("a head");
    assert!(cut.content_length().is_some() && cut.text().await.is_err());
    assert!(try_openai(&simulator, &request, "close").await.is_err());
    for action in ["hang", "stall"] {
        let held = async {
            try_openai(&simulator, &request, action)
                .await
                .expect("a head")
                .text()
                .await
        };
        assert!(
            tokio::time::timeout(Duration::from_millis(150), held)
                .await
                .is_err(),
            "{action}"
        );
    }
    // The closed one, and the hanging one once its client has left.
    for _ in 0..100 {
        if simulator.stats().unanswered == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", simulator.stats());
}

#[tokio::test]
async fn usage_can_be_missing_or_wrong() {
    assert!(status("usage-missing").await.1.get("usage").is_none());
    let usage = |body: Value| body["usage"].clone();
    assert!(usage(status("usage-negative").await.1)["completion_tokens"].as_i64() < Some(0));
    let simulator = started().await;
    let capped = chat(json!({"max_tokens": 5}));
    let over = usage(
        read(
            try_openai(&simulator, &capped, "usage-output,tokens=900")
                .await
                .expect("it"),
        )
        .await,
    );
    assert_eq!(
        (
            &over["completion_tokens"],
            simulator.stats().billed().output
        ),
        (&json!(900), 900)
    );
    let cached = usage(status("usage-cached,tokens=50").await.1);
    assert_eq!(cached["prompt_tokens_details"]["cached_tokens"], 50);
    let reasoned = usage(status("usage-reasoning,tokens=64").await.1);
    assert_eq!(
        reasoned["completion_tokens_details"]["reasoning_tokens"],
        64
    );
    assert!(reasoned["completion_tokens"].as_i64() > Some(64));
}

#[tokio::test]
async fn content_can_be_other_than_asked_for() {
    let simulator = started().await;
    let topics = json!({"type": "string", "enum": ["arts", "other"]});
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["primary", "summary"],
        "properties": {"primary": topics, "summary": {"type": "string"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "c", "schema": schema}});
    let request = chat(json!({"response_format": format}));
    let answer = async |simulate: &str| {
        let body = read(
            try_openai(&simulator, &request, simulate)
                .await
                .expect("an answer"),
        )
        .await;
        body["choices"][0].clone()
    };
    let content = |choice: &Value| {
        choice["message"]["content"]
            .as_str()
            .expect("text")
            .to_owned()
    };
    assert!(serde_json::from_str::<Value>(&content(&answer("prose").await)).is_err());
    assert!(content(&answer("fenced").await).contains("```json\n{"));
    let missing: Value =
        serde_json::from_str(&content(&answer("missing-property").await)).expect("JSON");
    assert!(missing.get("primary").is_none() && missing["summary"].is_string());
    let wrong: Value = serde_json::from_str(&content(&answer("wrong-enum").await)).expect("JSON");
    assert_eq!(wrong["primary"], "not-in-the-enum");
    let truncated = answer("truncate").await;
    assert_eq!(truncated["finish_reason"], "length");
    assert!(serde_json::from_str::<Value>(&content(&truncated)).is_err());
    let refused = answer("refusal").await;
    assert!(refused["message"]["content"].is_null() && refused["message"]["refusal"].is_string());
    assert_eq!(
        answer("content-filter").await["finish_reason"],
        "content_filter"
    );
    let refused = try_anthropic(&simulator, &message(json!({})), "refusal")
        .await
        .expect("an answer");
    assert_eq!(read(refused).await["stop_reason"], "refusal");
}

#[tokio::test]
async fn rules_come_and_go_in_process_and_over_http() {
    let simulator = started().await;
    let throttled = Action::Refuse(Refused::TooManyRequests, RetryAfter::Absent);
    simulator.push_fault(Fault::first(1, throttled).for_model("gpt-4o-mini"));
    assert_eq!(openai(&simulator, &chat(json!({}))).await.status(), 429);
    assert_eq!(openai(&simulator, &chat(json!({}))).await.status(), 200);
    let url = format!("{}/simulator/faults", simulator.base_url());
    let rule = json!({"action": "503", "contains": "museums", "api": "openai"}).to_string();
    assert_eq!(
        client()
            .post(&url)
            .body(rule)
            .send()
            .await
            .expect("an answer")
            .status(),
        200
    );
    assert_eq!(openai(&simulator, &chat(json!({}))).await.status(), 503);
    assert_eq!(
        anthropic(&simulator, &message(json!({}))).await.status(),
        200
    );
    let bad = client()
        .post(&url)
        .body("[{\"action\": \"boom\"}]")
        .send()
        .await
        .expect("an answer");
    assert_eq!(bad.status(), 400);
    client().delete(&url).send().await.expect("an answer");
    assert_eq!(openai(&simulator, &chat(json!({}))).await.status(), 200);
    let stats = client()
        .get(format!("{}/simulator/stats", simulator.base_url()))
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        read(stats).await["models"]["gpt-4o-mini"]["statuses"],
        json!({"200": 2, "429": 1, "503": 1})
    );
}

#[tokio::test]
async fn a_delay_goes_with_any_action_and_a_wrong_spec_is_refused() {
    let begin = std::time::Instant::now();
    assert_eq!(status("slow,delay-ms=80").await.0, 200);
    assert!(begin.elapsed() >= Duration::from_millis(80));
    assert_eq!(status("nonsense").await.0, 400);
}
