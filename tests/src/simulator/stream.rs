//! The answer as server-sent events, in either API's form.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation as _;

use super::Api;
use super::answer::{Answer, Finish};
use super::call::Call;
use super::{anthropic, openai};

/// How many words one delta holds.
const WORDS: usize = 4;

/// The events of `answer`, in order. Joined deltas are the unary answer's text.
pub(crate) fn events(call: &Call, answer: &Answer, id: &str, created: i64) -> Vec<Bytes> {
    match call.api {
        Api::OpenAi => openai_events(call, answer, id, created),
        Api::Anthropic => anthropic_events(call, answer, id),
    }
}

/// The event that reports an error inside of a stream that began well.
pub(crate) fn error_event(api: Api, body: &Value) -> Bytes {
    match api {
        Api::OpenAi => data(body),
        Api::Anthropic => named("error", body),
    }
}

/// Spreads `total` over the events.
pub(crate) fn paced(events: Vec<Bytes>, total: Duration) -> Vec<(Duration, Bytes)> {
    let count = u32::try_from(events.len()).unwrap_or(u32::MAX).max(1);
    let each = total / count;
    events.into_iter().map(|event| (each, event)).collect()
}

/// The text in pieces of a few words.
fn pieces(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_word_bounds().collect();
    words.chunks(WORDS).map(<[&str]>::concat).collect()
}

fn data(body: &Value) -> Bytes {
    Bytes::from(format!("data: {body}\n\n"))
}

fn named(event: &str, body: &Value) -> Bytes {
    Bytes::from(format!("event: {event}\ndata: {body}\n\n"))
}

fn openai_events(call: &Call, answer: &Answer, id: &str, created: i64) -> Vec<Bytes> {
    let chunk = |choices: Value, usage: Option<Value>| {
        let mut body = json!({
            "id": id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": call.model,
            "service_tier": "default",
            "system_fingerprint": "simulated",
            "choices": choices,
        });
        if call.include_usage {
            body["usage"] = usage.unwrap_or(Value::Null);
        }
        data(&body)
    };
    let choice = |delta: Value, finish: Option<&str>| json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
    let field = if answer.finish == Finish::Refusal {
        "refusal"
    } else {
        "content"
    };
    let first = if answer.finish == Finish::Refusal {
        json!({ "role": "assistant", "refusal": "" })
    } else {
        json!({ "role": "assistant", "content": "", "refusal": null })
    };
    let mut events = vec![chunk(choice(first, None), None)];
    for piece in pieces(&answer.text) {
        events.push(chunk(choice(json!({ (field): piece }), None), None));
    }
    let finish = openai::finish_reason(&answer.finish);
    events.push(chunk(choice(json!({}), Some(finish)), None));
    if call.include_usage
        && let Some(reported) = answer.reported
    {
        events.push(chunk(json!([]), Some(openai::usage(reported))));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

fn anthropic_events(call: &Call, answer: &Answer, id: &str) -> Vec<Bytes> {
    let (reason, sequence) = anthropic::stop_reason(&answer.finish);
    let mut head = json!({
        "id": id, "type": "message", "role": "assistant", "model": call.model,
        "content": [], "stop_reason": null, "stop_sequence": null,
    });
    let mut tail = json!({
        "type": "message_delta",
        "delta": { "stop_reason": reason, "stop_sequence": sequence },
    });
    if let Some(reported) = answer.reported {
        head["usage"] = anthropic::usage(reported);
        head["usage"]["output_tokens"] = json!(1);
        tail["usage"] = json!({ "output_tokens": reported.output });
    }
    let block = json!({ "type": "text", "text": "" });
    let start = json!({ "type": "content_block_start", "index": 0, "content_block": block });
    let mut events = vec![
        named(
            "message_start",
            &json!({ "type": "message_start", "message": head }),
        ),
        named("content_block_start", &start),
        named("ping", &json!({ "type": "ping" })),
    ];
    for piece in pieces(&answer.text) {
        let delta = json!({ "type": "text_delta", "text": piece });
        let event = json!({ "type": "content_block_delta", "index": 0, "delta": delta });
        events.push(named("content_block_delta", &event));
    }
    let stop = json!({ "type": "content_block_stop", "index": 0 });
    events.push(named("content_block_stop", &stop));
    events.push(named("message_delta", &tail));
    events.push(named("message_stop", &json!({ "type": "message_stop" })));
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text() {
        let text = "One, two — three. 東芝がHD DVDから撤退へ\n\n{\"a\": 1}";
        assert_eq!(pieces(text).concat(), text);
        assert!(pieces("").is_empty());
    }

    #[test]
    fn the_pace_sums_to_the_total_or_a_little_less() {
        let events = vec![Bytes::new(), Bytes::new(), Bytes::new()];
        let total: Duration = paced(events, Duration::from_millis(100))
            .iter()
            .map(|(delay, _)| *delay)
            .sum();
        assert!(total <= Duration::from_millis(100) && total > Duration::from_millis(99));
    }
}
