//! The simulator over real HTTP.

mod connections;
mod faults;
mod refusals;
mod streams;
mod wire;

use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::{Options, Simulator};

const ARTICLE: &str = "Write JSON.\n<article>\nOn 12 March 2021 the Ministry of Culture opened 40 museums in \
    Greece. Maria Lopez, director of the National Museum, said that visitors came from Sweden. The museum shows \
    paintings and sculptures by artists of the last century. Tickets for the exhibition cost 5 euros.\n</article>";

async fn started() -> Simulator {
    Simulator::start(Options::default())
        .await
        .expect("a free port")
}

fn client() -> Client {
    with_crypto(Client::builder())
}

/// reqwest wants a TLS provider to be installed even for plain HTTP.
fn with_crypto(builder: reqwest::ClientBuilder) -> Client {
    // An error means that another test has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    builder.no_proxy().build().expect("a client")
}

/// A chat completion with `extra` fields.
fn chat(extra: Value) -> Value {
    let mut body = json!({ "model": "gpt-4o-mini", "messages": [
        {"role": "system", "content": "You extract."}, {"role": "user", "content": ARTICLE}] });
    extend(&mut body, extra);
    body
}

/// A message with `extra` fields.
fn message(extra: Value) -> Value {
    let mut body = json!({ "model": "claude-sonnet-4-5", "max_tokens": 1000, "system": "You extract.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": ARTICLE}]}] });
    extend(&mut body, extra);
    body
}

fn extend(body: &mut Value, extra: Value) {
    let Value::Object(extra) = extra else {
        panic!("extra fields are an object")
    };
    body.as_object_mut().expect("an object").extend(extra);
}

async fn openai(simulator: &Simulator, body: &Value) -> Response {
    try_openai(simulator, body, "").await.expect("an answer")
}

async fn try_openai(
    simulator: &Simulator,
    body: &Value,
    simulate: &str,
) -> reqwest::Result<Response> {
    let url = format!("{}/v1/chat/completions", simulator.base_url());
    let request = client()
        .post(url)
        .header("authorization", "Bearer sk-test")
        .body(body.to_string());
    let request = if simulate.is_empty() {
        request
    } else {
        request.header("x-simulate", simulate)
    };
    request.send().await
}

async fn anthropic(simulator: &Simulator, body: &Value) -> Response {
    try_anthropic(simulator, body, "").await.expect("an answer")
}

async fn try_anthropic(
    simulator: &Simulator,
    body: &Value,
    simulate: &str,
) -> reqwest::Result<Response> {
    let url = format!("{}/v1/messages", simulator.base_url());
    let request = client()
        .post(url)
        .header("x-api-key", "sk-test")
        .header("anthropic-version", "2023-06-01")
        .body(body.to_string());
    let request = if simulate.is_empty() {
        request
    } else {
        request.header("x-simulate", simulate)
    };
    request.send().await
}

async fn read(response: Response) -> Value {
    serde_json::from_str(&response.text().await.expect("a whole body")).expect("JSON")
}
