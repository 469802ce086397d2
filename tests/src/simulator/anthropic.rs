//! Anthropic's messages: what the request must be, and how the answer looks.

use http::HeaderMap;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Answer, Finish, Usage};
use super::call::{self, Call};
use super::models;
use super::openai::{Strictness, written_schema};
use super::rejection::Rejection;
use super::strict;

const KNOWN: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "system",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "stream",
    "metadata",
    "tools",
    "tool_choice",
    "thinking",
    "service_tier",
    "output_config",
    "output_format",
    "container",
    "context_management",
    "mcp_servers",
    "cache_control",
    "inference_geo",
    "speed",
];

/// Validates a request as the real API does.
pub(crate) fn call(
    body: &Value,
    headers: &HeaderMap,
    strictness: Strictness,
) -> Result<Call, Rejection> {
    if !headers.contains_key("anthropic-version") {
        return Err(Rejection::invalid("anthropic-version: header is required"));
    }
    let Some(model) = body["model"].as_str().filter(|model| !model.is_empty()) else {
        return Err(Rejection::invalid("model: Field required"));
    };
    if strictness == Strictness::AsReal {
        known_only(body)?;
    }
    let bounds = match strictness {
        Strictness::AsReal => models::bounds_of(Api::Anthropic, model),
        Strictness::Lenient => None,
    };
    let cap = cap(body, model, bounds)?;
    let messages = messages(body)?;
    if body["temperature"]
        .as_f64()
        .is_some_and(|heat| !(0.0..=1.0).contains(&heat))
    {
        return Err(Rejection::invalid("temperature: range: 0..1"));
    }
    let system = call::content_text(&body["system"]);
    let user = messages
        .iter()
        .rfind(|(role, _)| role == "user")
        .map(|(_, text)| text.clone())
        .unwrap_or_default();
    let native = output_schema(body, bounds.is_none_or(|bounds| bounds.schema), strictness)?;
    let schema = native.or_else(|| written_schema(&system, &user));
    Ok(Call {
        api: Api::Anthropic,
        model: model.to_owned(),
        cacheable: cacheable(body),
        system,
        user,
        messages,
        cap: Some(cap),
        stops: stops(body)?,
        schema,
        wants_json: false,
        stream: body["stream"].as_bool().unwrap_or(false),
        include_usage: true,
    })
}

fn known_only(body: &Value) -> Result<(), Rejection> {
    let keys = body
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys());
    match keys.into_iter().find(|key| !KNOWN.contains(&key.as_str())) {
        Some(key) => Err(Rejection::invalid(format!(
            "{key}: Extra inputs are not permitted"
        ))),
        None => Ok(()),
    }
}

fn cap(body: &Value, model: &str, bounds: Option<models::Bounds>) -> Result<u64, Rejection> {
    let value = &body["max_tokens"];
    if value.is_null() {
        return Err(Rejection::invalid("max_tokens: Field required"));
    }
    let Some(cap) = value.as_i64() else {
        return Err(Rejection::invalid(
            "max_tokens: Input should be a valid integer",
        ));
    };
    let cap = u64::try_from(cap)
        .ok()
        .filter(|cap| *cap > 0)
        .ok_or_else(|| {
            Rejection::invalid("max_tokens: Input should be greater than or equal to 1")
        })?;
    match bounds {
        Some(bounds) if cap > bounds.output => Err(Rejection::invalid(format!(
            "max_tokens: {cap} > {}, which is the maximum allowed number of output tokens for \
             {model}",
            bounds.output
        ))),
        _ => Ok(cap),
    }
}

fn messages(body: &Value) -> Result<Vec<(String, String)>, Rejection> {
    let Some(messages) = body["messages"].as_array() else {
        return Err(Rejection::invalid("messages: Field required"));
    };
    if messages.is_empty() {
        return Err(Rejection::invalid(
            "messages: at least one message is required",
        ));
    }
    messages
        .iter()
        .enumerate()
        .map(|(at, message)| one_message(at, message))
        .collect()
}

fn one_message(at: usize, message: &Value) -> Result<(String, String), Rejection> {
    let role = match message["role"].as_str() {
        Some(role @ ("user" | "assistant")) => role,
        Some("system") => {
            return Err(Rejection::invalid(
                "messages: Unexpected role \"system\". The Messages API accepts a top-level \
                 `system` parameter, not \"system\" as an input message role.",
            ));
        }
        _ => {
            let text = format!("messages.{at}.role: Input should be 'user' or 'assistant'");
            return Err(Rejection::invalid(text));
        }
    };
    let text = call::content_text(&message["content"]);
    if message["content"].is_null() {
        return Err(Rejection::invalid(format!(
            "messages.{at}.content: Field required"
        )));
    }
    if text.is_empty() && role == "user" {
        let problem = format!("messages.{at}: user messages must have non-empty content");
        return Err(Rejection::invalid(problem));
    }
    Ok((role.to_owned(), text))
}

fn stops(body: &Value) -> Result<Vec<String>, Rejection> {
    let stops = call::strings(&body["stop_sequences"]);
    if stops.iter().any(|stop| stop.trim().is_empty()) {
        let text = "stop_sequences: each stop sequence must contain non-whitespace";
        return Err(Rejection::invalid(text));
    }
    Ok(stops)
}

/// The schema of `output_config.format`, or of the older `output_format`.
fn output_schema(
    body: &Value,
    supported: bool,
    strictness: Strictness,
) -> Result<Option<Value>, Rejection> {
    let (name, format) = match (&body["output_config"]["format"], &body["output_format"]) {
        (Value::Null, Value::Null) => return Ok(None),
        (Value::Null, old) => ("output_format", old),
        (new, _) => ("output_config.format", new),
    };
    if format["type"] != "json_schema" || !format["schema"].is_object() {
        let text = format!("{name}: Input should have type 'json_schema' and a schema");
        return Err(Rejection::invalid(text));
    }
    if !supported {
        return Err(Rejection::invalid(
            "This model does not support structured outputs.",
        ));
    }
    if strictness == Strictness::AsReal
        && let Some(problem) = strict::anthropic_problem(&format["schema"])
    {
        return Err(Rejection::invalid(format!("{name}.schema: {problem}")));
    }
    Ok(Some(format["schema"].clone()))
}

/// The text up to the last block with `cache_control`, in the order system, messages.
fn cacheable(body: &Value) -> String {
    let system = body["system"].as_array().into_iter().flatten();
    let messages = body["messages"].as_array().into_iter().flatten();
    let parts = messages.flat_map(|message| message["content"].as_array().into_iter().flatten());
    let mut all = String::new();
    let mut cached = 0;
    for block in system.chain(parts) {
        all.push_str(block["text"].as_str().unwrap_or_default());
        if block["cache_control"].is_object() {
            cached = all.len();
        }
    }
    all.truncate(cached);
    all
}

/// The `stop_reason` and the `stop_sequence`.
pub(crate) fn stop_reason(finish: &Finish) -> (&'static str, Option<&str>) {
    match finish {
        Finish::Stop => ("end_turn", None),
        Finish::StopSequence(stop) => ("stop_sequence", Some(stop)),
        Finish::Length => ("max_tokens", None),
        Finish::Refusal | Finish::ContentFilter => ("refusal", None),
    }
}

/// The `usage` object.
pub(crate) fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": usage.output,
        "service_tier": "standard",
    })
}

/// The whole answer.
pub(crate) fn message(call: &Call, answer: &Answer, id: &str) -> Value {
    let (reason, sequence) = stop_reason(&answer.finish);
    let mut body = json!({
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": [{ "type": "text", "text": answer.text }],
        "stop_reason": reason,
        "stop_sequence": sequence,
    });
    if let Some(reported) = answer.reported {
        body["usage"] = usage(reported);
    }
    body
}
