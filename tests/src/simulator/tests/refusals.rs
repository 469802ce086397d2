//! Wrong requests are refused as the real APIs refuse them.

use serde_json::json;

use super::*;

#[tokio::test]
async fn chat_completions_name_what_is_wrong() {
    let simulator = started().await;
    let schema =
        json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}});
    let cases = [
        (
            json!({"messages": []}),
            "you must provide a model parameter",
        ),
        (
            json!({"model": "gpt-4o"}),
            "Missing required parameter: 'messages'.",
        ),
        (
            json!({"model": "gpt-4o", "messages": []}),
            "Invalid 'messages': empty array.",
        ),
        (
            chat(json!({"max_tokens": 0})),
            "Invalid 'max_tokens': integer below minimum value.",
        ),
        (
            chat(json!({"max_tokens": 1_000_000})),
            "max_tokens is too large: 1000000.",
        ),
        (
            chat(json!({"max_token": 5})),
            "Unrecognized request argument supplied: max_token",
        ),
        (
            chat(json!({"model": "o3-mini", "max_tokens": 5})),
            "Unsupported parameter: 'max_tokens'",
        ),
        (
            chat(json!({"model": "gpt-4", "response_format": schema})),
            "Invalid parameter: 'response_format'",
        ),
        (
            chat(json!({"model": "gpt-4", "max_tokens": 8190})),
            "This model's maximum context length is 8192",
        ),
        (
            chat(json!({"stop": ["a", "b", "c", "d", "e"]})),
            "Invalid 'stop': array too long.",
        ),
    ];
    for (request, expected) in cases {
        let response = openai(&simulator, &request).await;
        assert_eq!(response.status(), 400, "{expected}");
        let body = read(response).await;
        let said = body["error"]["message"].as_str().expect("text");
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(body["error"]["type"], "invalid_request_error");
    }
    assert_eq!(simulator.stats().billed().output, 0);
}

#[tokio::test]
async fn messages_name_what_is_wrong() {
    let simulator = started().await;
    let bounded = json!({"type": "object", "additionalProperties": false,
        "properties": {"a": {"type": "integer", "minimum": 1}}});
    let format = json!({"format": {"type": "json_schema", "schema": bounded}});
    let cases = [
        (json!({"messages": []}), "model: Field required"),
        (
            message(json!({"max_tokens": null})),
            "max_tokens: Field required",
        ),
        (
            json!({"model": "claude-sonnet-4-5", "max_tokens": 5}),
            "messages: Field required",
        ),
        (
            message(json!({"messages": [{"role": "system", "content": "x"}]})),
            "messages: Unexpected role \"system\".",
        ),
        (
            message(json!({"model": "claude-3-haiku-20240307", "max_tokens": 9000})),
            "max_tokens: 9000 > 4096, which",
        ),
        (
            message(json!({"stop": ["x"]})),
            "stop: Extra inputs are not permitted",
        ),
        (
            message(json!({"output_config": format})),
            "output_config.format.schema: For 'integer' type, property 'minimum' is not supported",
        ),
    ];
    for (request, expected) in cases {
        let response = anthropic(&simulator, &request).await;
        assert_eq!(response.status(), 400, "{expected}");
        let body = read(response).await;
        assert_eq!(
            (&body["type"], &body["error"]["type"]),
            (&json!("error"), &json!("invalid_request_error"))
        );
        let said = body["error"]["message"].as_str().expect("text");
        assert!(said.starts_with(expected), "{said}");
    }
}

#[tokio::test]
async fn a_missing_key_is_unauthorized_in_each_form() {
    let simulator = started().await;
    let post = |path: &str| client().post(format!("{}{path}", simulator.base_url()));
    let response = post("/v1/chat/completions")
        .body(chat(json!({})).to_string())
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 401);
    assert_eq!(
        read(response).await["error"]["type"],
        "invalid_request_error"
    );
    let response = post("/v1/chat/completions")
        .header("authorization", "Bearer ")
        .body("{}")
        .send()
        .await;
    assert_eq!(response.expect("an answer").status(), 401);
    let response = post("/v1/messages")
        .header("x-api-key", "")
        .body("{}")
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 401);
    assert_eq!(
        read(response).await["error"]["type"],
        "authentication_error"
    );
}

#[tokio::test]
async fn unknown_paths_methods_and_large_bodies_are_refused() {
    let simulator = started().await;
    let at = |path: &str| format!("{}{path}", simulator.base_url());
    assert_eq!(
        client()
            .post(at("/v1/nothing"))
            .send()
            .await
            .expect("an answer")
            .status(),
        404
    );
    assert_eq!(
        client()
            .get(at("/v1/messages"))
            .send()
            .await
            .expect("an answer")
            .status(),
        405
    );
    let large = vec![b' '; 8 * 1024 * 1024 + 1];
    // The server answers before it has read all; a client may see that as a broken connection.
    if let Ok(response) = client().post(at("/v1/messages")).body(large).send().await {
        assert_eq!(response.status(), 413);
    }
    let invalid = client()
        .post(at("/v1/chat/completions"))
        .header("authorization", "Bearer k")
        .body("{oops");
    assert_eq!(invalid.send().await.expect("an answer").status(), 400);
}

#[tokio::test]
async fn a_lenient_simulator_refuses_less() {
    let lenient = Simulator::start(Options {
        lenient: true,
        ..Options::default()
    })
    .await
    .expect("a free port");
    let request = chat(json!({"model": "gpt-4", "max_tokens": 9000, "keep_alive": "5m"}));
    assert_eq!(openai(&lenient, &request).await.status(), 200);
}

#[tokio::test]
async fn only_loopback_addresses_are_served() {
    let listen = "0.0.0.0:0".parse().expect("an address");
    let refused = Simulator::start(Options {
        listen,
        ..Options::default()
    })
    .await;
    assert!(
        refused
            .err()
            .expect("it is refused")
            .to_string()
            .contains("loopback")
    );
}
