//! OpenAI's chat completions: what the request must be, and how the answer looks.

use serde_json::{Value, json};

use super::Api;
use super::answer::{Answer, Finish, Usage};
use super::call::{self, Call};
use super::models;
use super::rejection::Rejection;
use super::strict;

const KNOWN: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "n",
    "stream",
    "stream_options",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "user",
    "seed",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "service_tier",
    "store",
    "metadata",
    "modalities",
    "audio",
    "prediction",
    "reasoning_effort",
    "verbosity",
    "web_search_options",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
];

/// Validates a request body as the real API does.
///
/// `strict` is off for clients of "compatible" servers, which refuse less.
pub(crate) fn call(body: &Value, strictness: Strictness) -> Result<Call, Rejection> {
    let Some(model) = body["model"].as_str().filter(|model| !model.is_empty()) else {
        return Err(Rejection::invalid("you must provide a model parameter"));
    };
    if strictness == Strictness::AsReal {
        known_only(body)?;
    }
    let messages = messages(body)?;
    let bounds = match strictness {
        Strictness::AsReal => models::bounds_of(Api::OpenAi, model),
        Strictness::Lenient => None,
    };
    let cap = cap(body, bounds)?;
    ranges(body, bounds)?;
    let text_of = |wanted: &[&str]| -> Vec<&str> {
        let chosen = messages
            .iter()
            .filter(|(role, _)| wanted.contains(&role.as_str()));
        chosen.map(|(_, text)| text.as_str()).collect()
    };
    let system = text_of(&["system", "developer"]).join("\n");
    let user = text_of(&["user"])
        .last()
        .copied()
        .unwrap_or_default()
        .to_owned();
    let format = response_format(body, bounds.is_none_or(|bounds| bounds.schema), strictness)?;
    let (schema, wants_json) = match format {
        Format::Schema(schema) => (Some(schema), true),
        Format::Object if !format!("{system}{user}").to_lowercase().contains("json") => {
            return Err(Rejection::invalid(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of \
                 type 'json_object'.",
            )
            .param("messages"));
        }
        Format::Object => (written_schema(&system, &user), true),
        Format::Text => (written_schema(&system, &user), false),
    };
    Ok(Call {
        api: Api::OpenAi,
        model: model.to_owned(),
        system,
        user,
        messages,
        cap,
        stops: stops(body)?,
        schema,
        wants_json,
        cacheable: String::new(),
        stream: body["stream"].as_bool().unwrap_or(false),
        include_usage: body["stream_options"]["include_usage"]
            .as_bool()
            .unwrap_or(false),
    })
}

/// How much of the real API's strictness to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    AsReal,
    Lenient,
}

enum Format {
    Text,
    Object,
    Schema(Value),
}

/// A schema in the instructions, where neither the article nor an answer to repair can plant one.
pub(crate) fn written_schema(system: &str, user: &str) -> Option<Value> {
    let around = match user.split_once("<article>") {
        Some((before, rest)) => format!(
            "{before}\n{}",
            rest.rsplit_once("</article>")
                .map_or("", |(_, after)| after)
        ),
        None => user
            .split_once("<answer>")
            .map_or(user, |(before, _)| before)
            .to_owned(),
    };
    call::schema_in(system).or_else(|| call::schema_in(&around))
}

fn known_only(body: &Value) -> Result<(), Rejection> {
    let keys = body
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys());
    match keys.into_iter().find(|key| !KNOWN.contains(&key.as_str())) {
        Some(key) => Err(Rejection::invalid(format!(
            "Unrecognized request argument supplied: {key}"
        ))),
        None => Ok(()),
    }
}

fn messages(body: &Value) -> Result<Vec<(String, String)>, Rejection> {
    let Some(messages) = body["messages"].as_array() else {
        let message = "Missing required parameter: 'messages'.";
        return Err(Rejection::invalid(message)
            .param("messages")
            .code("missing_required_parameter"));
    };
    if messages.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, \
                       but got an empty array instead.";
        return Err(Rejection::invalid(message)
            .param("messages")
            .code("empty_array"));
    }
    messages
        .iter()
        .enumerate()
        .map(|(at, message)| one_message(at, message))
        .collect()
}

fn one_message(at: usize, message: &Value) -> Result<(String, String), Rejection> {
    let role = message["role"].as_str().unwrap_or_default();
    if ![
        "system",
        "assistant",
        "user",
        "function",
        "tool",
        "developer",
    ]
    .contains(&role)
    {
        let text = format!(
            "Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', \
             'function', 'tool', and 'developer'."
        );
        let param = format!("messages[{at}].role");
        return Err(Rejection::invalid(text).param(&param).code("invalid_value"));
    }
    let content = &message["content"];
    if !content.is_string() && !content.is_array() && role != "assistant" {
        let text = "Invalid value for 'content': expected a string, got null.";
        return Err(Rejection::invalid(text).param(&format!("messages.[{at}].content")));
    }
    Ok((role.to_owned(), call::content_text(content)))
}

fn cap(body: &Value, bounds: Option<models::Bounds>) -> Result<Option<u64>, Rejection> {
    let old = &body["max_tokens"];
    let new = &body["max_completion_tokens"];
    if !old.is_null() && !new.is_null() {
        let text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not \
                    supported.";
        return Err(Rejection::invalid(text).code("invalid_parameter_combination"));
    }
    if !old.is_null() && bounds.is_some_and(|bounds| bounds.reasons) {
        let text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                    'max_completion_tokens' instead.";
        return Err(Rejection::invalid(text)
            .param("max_tokens")
            .code("unsupported_parameter"));
    }
    let (name, value) = if new.is_null() {
        ("max_tokens", old)
    } else {
        ("max_completion_tokens", new)
    };
    if value.is_null() {
        return Ok(None);
    }
    let Some(cap) = value.as_i64() else {
        let text =
            format!("Invalid type for '{name}': expected an integer, but got {value} instead.");
        return Err(Rejection::invalid(text).param(name).code("invalid_type"));
    };
    let Ok(cap) = u64::try_from(cap) else {
        return Err(below_minimum(name, cap));
    };
    if cap == 0 {
        return Err(below_minimum(name, 0));
    }
    match bounds {
        Some(bounds) if cap > bounds.output => Err(Rejection::invalid(format!(
            "max_tokens is too large: {cap}. This model supports at most {} completion tokens, \
             whereas you provided {cap}.",
            bounds.output
        ))
        .param(name)
        .code("invalid_value")),
        _ => Ok(Some(cap)),
    }
}

fn below_minimum(name: &str, cap: i64) -> Rejection {
    Rejection::invalid(format!(
        "Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {cap} \
         instead."
    ))
    .param(name)
    .code("integer_below_min_value")
}

fn ranges(body: &Value, bounds: Option<models::Bounds>) -> Result<(), Rejection> {
    let temperature = &body["temperature"];
    if bounds.is_some_and(|bounds| bounds.reasons)
        && temperature
            .as_f64()
            .is_some_and(|heat| (heat - 1.0).abs() > f64::EPSILON)
    {
        let text = format!(
            "Unsupported value: 'temperature' does not support {temperature} with this model. Only \
             the default (1) value is supported."
        );
        return Err(Rejection::invalid(text)
            .param("temperature")
            .code("unsupported_value"));
    }
    if temperature
        .as_f64()
        .is_some_and(|heat| !(0.0..=2.0).contains(&heat))
    {
        let text = format!(
            "Invalid 'temperature': decimal out of range. Expected a value between 0 and 2, but \
             got {temperature} instead."
        );
        return Err(Rejection::invalid(text)
            .param("temperature")
            .code("decimal_above_max_value"));
    }
    if body["n"].as_u64().is_some_and(|n| n != 1) {
        let text = "The provider simulator supports n = 1 only.";
        return Err(Rejection::invalid(text)
            .param("n")
            .code("unsupported_value"));
    }
    Ok(())
}

fn stops(body: &Value) -> Result<Vec<String>, Rejection> {
    let stops = call::strings(&body["stop"]);
    if stops.len() > 4 {
        let text = format!(
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an \
             array with length {} instead.",
            stops.len()
        );
        return Err(Rejection::invalid(text)
            .param("stop")
            .code("array_above_max_length"));
    }
    Ok(stops)
}

fn response_format(
    body: &Value,
    supported: bool,
    strictness: Strictness,
) -> Result<Format, Rejection> {
    let format = &body["response_format"];
    let about = |text: String| Rejection::invalid(text).param("response_format");
    match format["type"].as_str() {
        None if format.is_null() => Ok(Format::Text),
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Object),
        Some("json_schema") if !supported => Err(about(
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this \
             model. Learn more about supported models at the Structured Outputs guide: \
             https://platform.openai.com/docs/guides/structured-outputs"
                .to_owned(),
        )),
        Some("json_schema") => {
            let named = &format["json_schema"];
            let Some(name) = named["name"].as_str() else {
                let text = "Missing required parameter: 'response_format.json_schema.name'.";
                return Err(Rejection::invalid(text)
                    .param("response_format.json_schema.name")
                    .code("missing_required_parameter"));
            };
            if named["strict"].as_bool() == Some(true)
                && strictness == Strictness::AsReal
                && let Some(problem) = strict::openai_problem(&named["schema"])
            {
                return Err(about(format!("Invalid schema for response_format '{name}': {problem}")));
            }
            Ok(Format::Schema(named["schema"].clone()))
        }
        other => Err(about(format!(
            "Invalid value: '{}'. Supported values are: 'json_object', 'json_schema', and 'text'.",
            other.unwrap_or_default()
        ))),
    }
}

/// The `finish_reason`.
pub(crate) fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::Refusal => "stop",
        Finish::Length => "length",
        Finish::ContentFilter => "content_filter",
    }
}

/// The `usage` object.
pub(crate) fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt(),
        "completion_tokens": usage.output,
        "total_tokens": usage.prompt() + usage.output,
        "prompt_tokens_details": { "cached_tokens": usage.cache_read, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

/// The whole answer.
pub(crate) fn completion(call: &Call, answer: &Answer, id: &str, created: i64) -> Value {
    let (content, refusal) = match answer.finish {
        Finish::Refusal => (Value::Null, json!(answer.text)),
        _ => (json!(answer.text), Value::Null),
    };
    let mut body = json!({
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": call.model,
        "choices": [{
            "index": 0,
            "message": {
                "role": "assistant", "content": content, "refusal": refusal, "annotations": [],
            },
            "logprobs": null,
            "finish_reason": finish_reason(&answer.finish),
        }],
        "service_tier": "default",
        "system_fingerprint": "simulated",
    });
    if let Some(reported) = answer.reported {
        body["usage"] = usage(reported);
    }
    body
}
