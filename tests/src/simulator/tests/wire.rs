//! Right requests get right answers, in both formats.

use serde_json::json;

use super::*;
use crate::simulator::Api;
use crate::simulator::tokens::Tokens;

fn entities() -> Value {
    let names = json!({"type": "array", "items": {"type": "string"}});
    json!({"type": "object", "additionalProperties": false, "required": ["people", "places"],
        "properties": {"people": names, "places": names}})
}

#[tokio::test]
async fn a_chat_completion_obeys_its_schema_and_counts_its_tokens() {
    let simulator = started().await;
    let format = json!({"type": "json_schema", "json_schema": {"name": "e", "strict": true, "schema": entities()}});
    let response = openai(&simulator, &chat(json!({"response_format": format}))).await;
    assert_eq!(response.headers()["x-simulated"], "true");
    assert_eq!(response.headers()["x-ratelimit-reset-requests"], "6ms");
    assert!(
        response.headers()["x-request-id"]
            .to_str()
            .expect("text")
            .starts_with("req_sim_")
    );
    let body = read(response).await;
    assert!(
        body["id"]
            .as_str()
            .expect("id")
            .starts_with("chatcmpl-sim-")
    );
    assert_eq!(
        (&body["system_fingerprint"], &body["object"]),
        (&json!("simulated"), &json!("chat.completion"))
    );
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    let text = choice["message"]["content"].as_str().expect("text");
    let answer: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(
        answer,
        json!({"people": ["Maria Lopez"], "places": ["Greece", "Sweden"]})
    );
    let counted = Tokens::of(Api::OpenAi, "gpt-4o-mini").count(text);
    assert_eq!(body["usage"]["completion_tokens"], counted);
    let billed = simulator.stats().model("gpt-4o-mini");
    assert_eq!(
        json!(billed.tokens.output),
        body["usage"]["completion_tokens"]
    );
    assert_eq!(json!(billed.tokens.input), body["usage"]["prompt_tokens"]);
    assert_eq!(billed.statuses[&200], 1);
}

#[tokio::test]
async fn a_message_obeys_both_kinds_of_schema_and_one_in_the_system_prompt() {
    let simulator = started().await;
    let format = json!({"type": "json_schema", "schema": entities()});
    for extra in [
        json!({"output_config": {"format": format}}),
        json!({"output_format": format}),
        json!({"system": format!("Answer by this schema: {}", entities())}),
    ] {
        let response = anthropic(&simulator, &message(extra)).await;
        assert!(response.headers().contains_key("request-id"));
        let reset = response.headers()["anthropic-ratelimit-requests-reset"]
            .to_str()
            .expect("text");
        assert!(
            chrono::DateTime::parse_from_rfc3339(reset).is_ok(),
            "{reset}"
        );
        let body = read(response).await;
        assert!(body["id"].as_str().expect("id").starts_with("msg_sim_"));
        assert_eq!(
            (&body["stop_reason"], &body["type"]),
            (&json!("end_turn"), &json!("message"))
        );
        let text = body["content"][0]["text"].as_str().expect("text");
        let answer: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(answer["people"], json!(["Maria Lopez"]));
    }
}

#[tokio::test]
async fn a_base_url_works_with_and_without_its_version() {
    let simulator = started().await;
    for prefix in ["", "/v1", "/proxy/openai/v1"] {
        let url = format!("{}{prefix}/chat/completions", simulator.base_url());
        let request = client()
            .post(url)
            .header("authorization", "Bearer k")
            .body(chat(json!({})).to_string());
        assert_eq!(
            request.send().await.expect("an answer").status(),
            200,
            "{prefix}"
        );
    }
    let paths: Vec<String> = simulator
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(
        paths,
        [
            "/chat/completions",
            "/v1/chat/completions",
            "/proxy/openai/v1/chat/completions"
        ]
    );
    assert_eq!(simulator.requests()[0].body["model"], "gpt-4o-mini");
}

#[tokio::test]
async fn caps_are_honoured_to_the_token() {
    let simulator = started().await;
    for name in ["max_tokens", "max_completion_tokens"] {
        let body = read(openai(&simulator, &chat(json!({ name: 7 }))).await).await;
        assert_eq!(body["choices"][0]["finish_reason"], "length");
        assert_eq!(body["usage"]["completion_tokens"], 7);
        let text = body["choices"][0]["message"]["content"]
            .as_str()
            .expect("text");
        assert_eq!(Tokens::of(Api::OpenAi, "gpt-4o-mini").count(text), 7);
    }
    let body = read(anthropic(&simulator, &message(json!({"max_tokens": 9}))).await).await;
    assert_eq!(
        (&body["stop_reason"], &body["usage"]["output_tokens"]),
        (&json!("max_tokens"), &json!(9))
    );
}

#[tokio::test]
async fn stop_sequences_end_the_answer_before_them() {
    let simulator = started().await;
    let body = read(openai(&simulator, &chat(json!({"stop": [" museums"]}))).await).await;
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let text = body["choices"][0]["message"]["content"]
        .as_str()
        .expect("text");
    assert!(text.ends_with("opened 40"), "{text}");
    let body = read(
        anthropic(
            &simulator,
            &message(json!({"stop_sequences": [" museums"]})),
        )
        .await,
    )
    .await;
    assert_eq!(
        (&body["stop_reason"], &body["stop_sequence"]),
        (&json!("stop_sequence"), &json!(" museums"))
    );
}

#[tokio::test]
async fn marked_prompts_are_written_to_the_cache_once_and_then_read() {
    let simulator = started().await;
    let long = "The harbour was closed for eleven days. ".repeat(300);
    let block = json!([{"type": "text", "text": long, "cache_control": {"type": "ephemeral"}}]);
    let first = read(anthropic(&simulator, &message(json!({"system": block}))).await).await;
    let second = read(anthropic(&simulator, &message(json!({"system": block}))).await).await;
    let written = first["usage"]["cache_creation_input_tokens"]
        .as_i64()
        .expect("a count");
    assert!(written > 1024);
    assert_eq!(second["usage"]["cache_read_input_tokens"], written);
    assert_eq!(
        first["usage"]["input_tokens"],
        second["usage"]["input_tokens"]
    );
}

#[tokio::test]
async fn canned_answers_are_fixed_and_counted() {
    let canned = Simulator::start(Options {
        canned: true,
        ..Options::default()
    })
    .await
    .expect("a free port");
    let first = read(openai(&canned, &json!("not even a request")).await).await;
    assert_eq!(first, read(openai(&canned, &chat(json!({}))).await).await);
    let text = first["choices"][0]["message"]["content"]
        .as_str()
        .expect("text");
    assert_eq!(
        first["usage"]["completion_tokens"],
        Tokens::of(Api::OpenAi, "x").count(text)
    );
    assert_eq!(canned.stats().requests, 2);
}

#[tokio::test]
async fn latency_is_waited_for() {
    let latency = std::time::Duration::from_millis(60);
    let slow = Simulator::start(Options {
        latency,
        ..Options::default()
    })
    .await
    .expect("a free port");
    let begin = std::time::Instant::now();
    openai(&slow, &chat(json!({}))).await;
    assert!(begin.elapsed() >= latency);
}

#[tokio::test]
async fn stopping_closes_the_port() {
    let simulator = started().await;
    let address = simulator.address();
    simulator.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
