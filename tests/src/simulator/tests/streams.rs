//! Streams are the unary answers in pieces.

use serde_json::json;

use super::*;

/// The data of each event, parsed; `[DONE]` as a string.
fn events(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data)))
        .collect()
}

#[tokio::test]
async fn an_openai_stream_reassembles_to_the_unary_answer() {
    let simulator = started().await;
    let unary = read(openai(&simulator, &chat(json!({}))).await).await;
    let request = chat(json!({"stream": true, "stream_options": {"include_usage": true}}));
    let response = openai(&simulator, &request).await;
    assert!(
        response.headers()["content-type"]
            .to_str()
            .expect("text")
            .starts_with("text/event-stream")
    );
    let events = events(&response.text().await.expect("a whole stream"));
    let text: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(json!(text), unary["choices"][0]["message"]["content"]);
    assert_eq!(events.last(), Some(&json!("[DONE]")));
    let usage = &events[events.len() - 2];
    assert_eq!(
        (&usage["usage"], &usage["choices"]),
        (&unary["usage"], &json!([]))
    );
    assert_eq!(
        events[events.len() - 3]["choices"][0]["finish_reason"],
        "stop"
    );
    assert!(events[0]["usage"].is_null() && events[0].get("usage").is_some());
}

#[tokio::test]
async fn a_stream_without_the_option_has_no_usage() {
    let simulator = started().await;
    let response = openai(&simulator, &chat(json!({"stream": true}))).await;
    assert!(
        !response
            .text()
            .await
            .expect("a whole stream")
            .contains("\"usage\"")
    );
}

#[tokio::test]
async fn an_anthropic_stream_reassembles_to_the_unary_answer() {
    let simulator = started().await;
    let unary = read(anthropic(&simulator, &message(json!({}))).await).await;
    let response = anthropic(&simulator, &message(json!({"stream": true}))).await;
    let events = events(&response.text().await.expect("a whole stream"));
    let text: String = events
        .iter()
        .filter_map(|event| event["delta"]["text"].as_str())
        .collect();
    assert_eq!(json!(text), unary["content"][0]["text"]);
    let kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert_eq!(kinds[..3], ["message_start", "content_block_start", "ping"]);
    assert_eq!(
        kinds[kinds.len() - 3..],
        ["content_block_stop", "message_delta", "message_stop"]
    );
    assert_eq!(
        events[0]["message"]["usage"]["input_tokens"],
        unary["usage"]["input_tokens"]
    );
    let end = &events[events.len() - 2];
    assert_eq!(
        end["usage"]["output_tokens"],
        unary["usage"]["output_tokens"]
    );
    assert_eq!(end["delta"]["stop_reason"], "end_turn");
}

#[tokio::test]
async fn an_error_can_come_in_the_middle_of_a_stream() {
    let simulator = started().await;
    let request = message(json!({"stream": true}));
    let response = try_anthropic(&simulator, &request, "error-inside")
        .await
        .expect("it begins well");
    let events = events(&response.text().await.expect("a whole stream"));
    assert_eq!(events[0]["type"], "message_start");
    assert_eq!(
        events.last().expect("events")["error"]["type"],
        "overloaded_error"
    );
}

#[tokio::test]
async fn a_stream_can_break_off_or_fall_silent() {
    let simulator = started().await;
    let request = chat(json!({"stream": true}));
    let cut = try_openai(&simulator, &request, "cut")
        .await
        .expect("it begins well");
    assert!(cut.text().await.is_err());
    let stalled = try_openai(&simulator, &request, "stall")
        .await
        .expect("it begins well");
    let waited = tokio::time::timeout(std::time::Duration::from_millis(150), stalled.text()).await;
    assert!(waited.is_err());
}

#[tokio::test]
async fn a_stream_is_paced_by_its_tokens() {
    let paced = Options {
        tokens_per_second: Some(400),
        ..Options::default()
    };
    let simulator = Simulator::start(paced).await.expect("a free port");
    let begin = std::time::Instant::now();
    let response = openai(&simulator, &chat(json!({"stream": true}))).await;
    response.text().await.expect("a whole stream");
    let tokens = simulator.stats().billed().output;
    let least = u64::try_from(tokens).expect("a count") * 1000 / 400;
    assert!(begin.elapsed().as_millis() >= u128::from(least) * 9 / 10);
}
