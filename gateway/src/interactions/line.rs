//! The line of one call.

use super::Interaction;
use crate::{
    call::{Message, Role, Target},
    catalog::Bodies,
    clock::rfc3339,
    complete::Attempt,
};
use ring::digest::{SHA256, digest};
use serde::Serialize;
use tollgate_core::Usage;

/// Everything of a call, in the order in which a person reads it.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    at: String,
    call_id: String,
    team: &'a str,
    pipeline: &'a str,
    run: &'a str,
    step: &'a str,
    prompt_name: &'a str,
    prompt_version: &'a str,
    target: String,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<String>,
    waited_ms: u128,
    cost_nano_usd: i64,
    attempts: Vec<AttemptLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Vec<Spoken<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Body<'a>>,
}

#[derive(Serialize)]
struct AttemptLine<'a> {
    model: &'a str,
    deployment: &'a str,
    outcome: &'a str,
    duration_ms: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    input_tokens: u64,
    cache_read_tokens: u64,
    cache_write_tokens: u64,
    output_tokens: u64,
    reasoning_tokens: u64,
    cost_nano_usd: i64,
    estimated: bool,
}

#[derive(Serialize)]
struct Spoken<'a> {
    role: &'static str,
    parts: Vec<Body<'a>>,
}

/// A text, as far as the policy allows.
#[derive(Serialize)]
struct Body<'a> {
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl<'a> Line<'a> {
    /// The line of a call, with texts of at most `most` bytes.
    pub(super) fn new(of: &'a Interaction, most: usize) -> Self {
        let attribution = &of.call.attribution;
        let keeps = of.bodies != Bodies::Off;
        let body = |text: &'a str| Body::new(text, of.bodies, most);
        let spoken = |message: &'a Message| Spoken {
            role: role(message.role),
            parts: message.parts.iter().map(|part| body(part)).collect(),
        };
        let answer = of.completion.as_deref();
        Self {
            at: rfc3339(of.at),
            call_id: of.id.to_string(),
            team: &of.team,
            pipeline: &attribution.pipeline,
            run: &attribution.run,
            step: &attribution.step,
            prompt_name: &attribution.prompt_name,
            prompt_version: &attribution.prompt_version,
            target: target(&of.call.target),
            outcome: of.outcome,
            model: answer
                .and(of.attempts.last())
                .map(|attempt| &*attempt.model),
            finish_reason: answer.map(|answer| format!("{:?}", answer.finish).to_lowercase()),
            waited_ms: of.waited.as_millis(),
            cost_nano_usd: of.attempts.iter().map(|attempt| attempt.cost.nanos()).sum(),
            attempts: of.attempts.iter().map(attempt_line).collect(),
            request: keeps.then(|| of.call.messages.iter().map(spoken).collect()),
            response: answer.filter(|_| keeps).map(|answer| body(&answer.text)),
        }
    }
}

impl<'a> Body<'a> {
    fn new(text: &'a str, bodies: Bodies, most: usize) -> Self {
        let full = bodies == Bodies::Full;
        let end = text.floor_char_boundary(most);
        Self {
            bytes: text.len(),
            text: full.then(|| &text[..end]),
            truncated: full && end < text.len(),
            sha256: (!full).then(|| sha256(text)),
        }
    }
}

fn attempt_line(attempt: &Attempt) -> AttemptLine<'_> {
    let Usage {
        input,
        cache_read,
        cache_write,
        output,
        reasoning,
    } = attempt.usage;
    AttemptLine {
        model: &attempt.model,
        deployment: &attempt.deployment,
        outcome: attempt.outcome.name(),
        duration_ms: attempt.duration.as_millis(),
        http_status: attempt.http_status,
        input_tokens: input,
        cache_read_tokens: cache_read,
        cache_write_tokens: cache_write,
        output_tokens: output,
        reasoning_tokens: reasoning,
        cost_nano_usd: attempt.cost.nanos(),
        estimated: attempt.estimated,
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn target(target: &Target) -> String {
    match target {
        Target::Model(name) => format!("model:{name}"),
        Target::Route(name) => format!("route:{name}"),
        Target::Complexity(complexity) => format!("complexity:{}", complexity.name()),
    }
}

fn sha256(text: &str) -> String {
    // By hand: this runs for every text of every call.
    let mut digits = String::with_capacity(64);
    for byte in digest(&SHA256, text.as_bytes()).as_ref() {
        for nibble in [byte >> 4, byte & 0xf] {
            digits.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    digits
}
