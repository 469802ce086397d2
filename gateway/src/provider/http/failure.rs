//! What a complete response that is not a 200 means.

use super::{Reply, headers::retry_after_ms};
use crate::provider::{Failure, FailureKind, Quota};
use http::StatusCode;
use serde_json::Value;
use tollgate_core::Timestamp;

/// The largest error body that is looked into; parsed JSON takes many times its own size.
const LARGEST_COMPLAINT: usize = 64 * 1024;

/// Codes and types that say that the prompt is too long: OpenAI's and llama.cpp's.
const OVERFLOW_CODES: [&str; 2] = ["context_length_exceeded", "exceed_context_size_error"];

/// How messages say it where no code does, in lower case.
const OVERFLOW_PHRASES: [&str; 6] = [
    // OpenAI, vLLM: "This model's maximum context length is 4096 tokens. However, ...".
    // Ollama: "the input length exceeds maximum context length".
    "maximum context length",
    // vLLM: "The decoder prompt (length 5000) is longer than the maximum model length of 4096."
    "longer than the maximum model length",
    // llama.cpp: "the request exceeds the available context size, try increasing it".
    "exceeds the available context size",
    // Anthropic: "prompt is too long: 210000 tokens > 200000 maximum".
    "prompt is too long",
    // Anthropic: "input length and `max_tokens` exceed context limit: 199000 + 8000 > 200000".
    "exceed context limit",
    // OpenAI: "Your input exceeds the context window of this model."
    "exceeds the context window",
];

/// Codes of a 429 that waiting does not cure: OpenAI sends them when the account is out of money.
const SPENT_CODES: [&str; 2] = ["insufficient_quota", "billing_hard_limit_reached"];

/// How Anthropic says that in a 400, in lower case
/// (<https://platform.claude.com/docs/en/api/errors>: "The API also returns a 400 when usage
/// reaches an organization or workspace spend limit").
const SPENT_PHRASES: [&str; 3] = [
    "your credit balance is too low",
    "you have reached your specified api usage limits",
    "you have reached your specified workspace api usage limits",
];

/// The failure that a response which is not a 200 reports.
pub(in crate::provider) fn failure(reply: &Reply, quota: Quota, now: Timestamp) -> Failure {
    let complaint = Complaint::read(&reply.body);
    Failure {
        kind: kind(reply.status, &complaint),
        detail: complaint.word(reply.status),
        retry_after_ms: retry_after_ms(&reply.headers, now),
        http_status: Some(reply.status.as_u16()),
        quota,
    }
}

fn kind(status: StatusCode, complaint: &Complaint) -> FailureKind {
    match status.as_u16() {
        429 if complaint.says(&SPENT_CODES, &[]) => FailureKind::Misconfigured,
        429 => FailureKind::Throttled,
        400 | 422 if complaint.says(&OVERFLOW_CODES, &OVERFLOW_PHRASES) => {
            FailureKind::ContextOverflow
        }
        400 if complaint.says(&SPENT_CODES, &SPENT_PHRASES) => FailureKind::Misconfigured,
        413 => FailureKind::ContextOverflow,
        408 | 409 | 425 | 500..=599 => FailureKind::Unavailable,
        // 402 is the account's billing; 405 and 407 come from something else than the provider's
        // API at this URL.
        300..=399 | 401..=405 | 407 => FailureKind::Misconfigured,
        400..=499 => FailureKind::Rejected,
        // Neither an answer nor an error that HTTP knows.
        _ => FailureKind::Garbled,
    }
}

/// What an error body says.
///
/// OpenAI, vLLM, llama.cpp and Ollama send `{"error": {"message", "type", "code"}}`, Anthropic
/// `{"type": "error", "error": {"type", "message"}}`, older servers the inner object alone or
/// `{"error": "message"}`.
#[derive(Debug, Default)]
struct Complaint {
    /// The code, or else the type.
    words: Vec<String>,
    /// The message in lower case. Only compared, never shown: prompts can be echoed in it.
    message: String,
}

impl Complaint {
    fn read(body: &[u8]) -> Self {
        if body.len() > LARGEST_COMPLAINT {
            return Self::default();
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        let error = match &body["error"] {
            Value::Null => &body,
            error => error,
        };
        let words = ["code", "type"]
            .iter()
            .filter_map(|field| error[*field].as_str())
            .map(str::to_owned)
            .collect();
        let message = error.as_str().or_else(|| error["message"].as_str());
        Self {
            words,
            message: message.unwrap_or_default().to_lowercase(),
        }
    }

    fn says(&self, codes: &[&str], phrases: &[&str]) -> bool {
        self.words.iter().any(|word| codes.contains(&word.as_str()))
            || phrases.iter().any(|phrase| self.message.contains(phrase))
    }

    /// The provider's word for it if it is one, else ours.
    fn word(&self, status: StatusCode) -> String {
        let word = self.words.iter().find(|word| is_word(word));
        word.cloned().unwrap_or_else(|| {
            let ours = if status.is_redirection() {
                "a redirect, which is never followed"
            } else if status.is_success() {
                "a success that is not a 200"
            } else {
                "an error without a code"
            };
            ours.to_owned()
        })
    }
}

/// Whether it is a machine's word, too short and plain to carry a prompt.
fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests;
