//! One fixed answer for benchmarks: the request is read to its end and not looked at.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::json;

use super::Api;
use super::answer::{CANNED, Usage, signed};
use super::body::{self, Body};
use super::openai;
use super::provider::Provider;
use super::tokens::Tokens;

/// The model that canned answers are counted under.
const MODEL: &str = "simulated-canned";

struct Canned {
    bytes: Bytes,
    usage: Usage,
}

static ANSWER: LazyLock<Canned> = LazyLock::new(|| {
    let tokens = Tokens::of(Api::OpenAi, MODEL);
    // The prompt is not read, so its count is the fixed frame of a chat with one empty message.
    let usage = Usage {
        input: 7,
        output: signed(tokens.count(CANNED)),
        ..Usage::default()
    };
    let body = json!({
        "id": "chatcmpl-sim-canned",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": CANNED, "refusal": null },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": openai::usage(usage),
        "service_tier": "default",
        "system_fingerprint": "simulated",
    });
    Canned {
        bytes: Bytes::from(body.to_string()),
        usage,
    }
});

/// The fixed answer, counted.
pub(crate) fn serve(provider: &Provider) -> Response<Body> {
    let canned = &*ANSWER;
    provider
        .book
        .open()
        .answered(MODEL, 200, Some(canned.usage));
    let mut response = Response::new(body::whole(canned.bytes.clone()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert("x-simulated", HeaderValue::from_static("true"));
    headers.insert("x-request-id", HeaderValue::from_static("req_sim_canned"));
    response
}
