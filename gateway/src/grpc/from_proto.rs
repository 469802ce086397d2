//! Requests from protobuf: everything that is wrong with one is found here, all at once.

use crate::{
    call::{Attribution, Call, Complexity, Message, Priority, Role, Sampling, Schema, Target},
    error::{Error, Result, Violation},
};
use serde_json::value::RawValue;
use std::sync::Arc;
use tollgate_core::Money;
use tollgate_proto::v1;

/// The most messages of a call, and parts of a message.
const MOST_MESSAGES: usize = 512;
const MOST_PARTS: usize = 64;
/// The most bytes of names and keys.
const ATTRIBUTION_BYTES: usize = 128;
const KEY_BYTES: usize = 256;
const TARGET_BYTES: usize = 128;
/// The most stop sequences, and bytes of each.
const MOST_STOPS: usize = 4;
const STOP_BYTES: usize = 256;
/// The most bytes of a schema.
const SCHEMA_BYTES: usize = 64 << 10;
const SCHEMA_NAME_BYTES: usize = 64;
/// The largest output cap that is not a mistake.
const MOST_OUTPUT_TOKENS: i32 = 1_000_000;

/// Collects what is wrong.
#[derive(Default)]
struct Problems(Vec<Violation>);

impl Problems {
    fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(Violation::new(field, description));
    }

    fn unserved(&mut self, field: &str) {
        self.add(field, "is not served yet");
    }
}

/// Parses the spec of a call.
///
/// # Errors
/// With all violations at once.
pub(super) fn call(spec: Option<v1::CompletionSpec>) -> Result<Call> {
    let mut problems = Problems::default();
    let Some(spec) = spec else {
        problems.add("spec", "is required");
        return Err(Error::InvalidRequest(problems.0));
    };
    unserved(&spec, &mut problems);
    let attribution = attribution(spec.attribution, &mut problems);
    let run_budget = run_budget(spec.run_budget, &attribution, &mut problems);
    let call = Call {
        target: target(spec.target, &mut problems),
        messages: messages(spec.messages, &mut problems),
        max_output_tokens: output_cap(spec.max_output_tokens, &mut problems),
        sampling: sampling(spec.sampling, &mut problems),
        schema: schema(spec.response_format, &mut problems),
        idempotency_key: idempotency_key(spec.idempotency_key, &mut problems),
        attribution,
        run_budget,
        priority: priority(spec.priority, &mut problems),
        // Metadata, which is not part of the message.
        trace: None,
    };
    if problems.0.is_empty() {
        Ok(call)
    } else {
        Err(Error::InvalidRequest(problems.0))
    }
}

fn unserved(spec: &v1::CompletionSpec, problems: &mut Problems) {
    if !spec.tools.is_empty() {
        problems.unserved("spec.tools");
    }
    if spec.tool_choice.is_some() {
        problems.unserved("spec.tool_choice");
    }
    match v1::CachePolicy::try_from(spec.cache_policy) {
        Ok(v1::CachePolicy::Unspecified | v1::CachePolicy::Bypass) => {}
        Ok(v1::CachePolicy::Use) => problems.unserved("spec.cache_policy"),
        Err(_) => problems.add("spec.cache_policy", "is no known policy"),
    }
}

fn priority(priority: i32, problems: &mut Problems) -> Priority {
    match v1::Priority::try_from(priority) {
        Ok(v1::Priority::Critical) => Priority::Critical,
        Ok(v1::Priority::Unspecified | v1::Priority::Interactive) => Priority::Interactive,
        Ok(v1::Priority::Batch) => Priority::Batch,
        Err(_) => {
            problems.add("spec.priority", "is no known priority");
            Priority::default()
        }
    }
}

fn target(target: Option<v1::completion_spec::Target>, problems: &mut Problems) -> Target {
    use v1::completion_spec::Target as Asked;
    let named = |name: String, field: &str, problems: &mut Problems| {
        if name.is_empty() || name.len() > TARGET_BYTES {
            problems.add(field, format!("must have 1 to {TARGET_BYTES} bytes"));
        }
        name
    };
    match target {
        Some(Asked::Model(name)) => Target::Model(named(name, "spec.model", problems)),
        Some(Asked::Route(name)) => Target::Route(named(name, "spec.route", problems)),
        Some(Asked::Complexity(value)) => {
            let complexity = match v1::Complexity::try_from(value) {
                Ok(v1::Complexity::Simple) => Some(Complexity::Simple),
                Ok(v1::Complexity::Moderate) => Some(Complexity::Moderate),
                Ok(v1::Complexity::Complex) => Some(Complexity::Complex),
                Ok(v1::Complexity::Critical) => Some(Complexity::Critical),
                Ok(v1::Complexity::Unspecified) | Err(_) => None,
            };
            Target::Complexity(complexity.unwrap_or_else(|| {
                problems.add(
                    "spec.complexity",
                    "must be SIMPLE, MODERATE, COMPLEX or CRITICAL",
                );
                Complexity::Simple
            }))
        }
        None => {
            problems.add(
                "spec.target",
                "one of model, route and complexity is required",
            );
            Target::Complexity(Complexity::Simple)
        }
    }
}

fn messages(messages: Vec<v1::Message>, problems: &mut Problems) -> Vec<Message> {
    if messages.is_empty() {
        problems.add("spec.messages", "at least one message is required");
    }
    if messages.len() > MOST_MESSAGES {
        problems.add("spec.messages", format!("at most {MOST_MESSAGES} messages"));
        return Vec::new();
    }
    let parsed: Vec<Message> = messages
        .into_iter()
        .enumerate()
        .map(|(place, asked)| message(asked, &format!("spec.messages[{place}]"), problems))
        .collect();
    let only_system = parsed.iter().all(|message| message.role == Role::System);
    if !parsed.is_empty() && only_system {
        problems.add(
            "spec.messages",
            "at least one message must not be of the system",
        );
    }
    parsed
}

fn message(message: v1::Message, path: &str, problems: &mut Problems) -> Message {
    let role = match v1::Role::try_from(message.role) {
        Ok(v1::Role::System) => Role::System,
        Ok(v1::Role::User) => Role::User,
        Ok(v1::Role::Assistant) => Role::Assistant,
        Ok(v1::Role::Tool) => {
            problems.unserved(&format!("{path}.role"));
            Role::User
        }
        Ok(v1::Role::Unspecified) | Err(_) => {
            problems.add(format!("{path}.role"), "must be SYSTEM, USER or ASSISTANT");
            Role::User
        }
    };
    if message.parts.is_empty() {
        problems.add(format!("{path}.parts"), "at least one part is required");
    }
    if message.parts.len() > MOST_PARTS {
        problems.add(
            format!("{path}.parts"),
            format!("at most {MOST_PARTS} parts"),
        );
        return Message {
            role,
            parts: Vec::new(),
        };
    }
    let parts = message.parts.into_iter().enumerate();
    let parts = parts
        .map(|(place, part)| text(part, &format!("{path}.parts[{place}]"), problems))
        .collect();
    Message { role, parts }
}

fn text(part: v1::Part, path: &str, problems: &mut Problems) -> String {
    use v1::part::Content;
    match part.content {
        Some(Content::Text(text)) => {
            if text.is_empty() {
                problems.add(format!("{path}.text"), "must not be empty");
            }
            return text;
        }
        Some(Content::Image(_)) => problems.unserved(&format!("{path}.image")),
        Some(Content::ToolCall(_)) => problems.unserved(&format!("{path}.tool_call")),
        Some(Content::ToolResult(_)) => problems.unserved(&format!("{path}.tool_result")),
        None => problems.add(path, "content is required"),
    }
    String::new()
}

fn output_cap(asked: Option<i32>, problems: &mut Problems) -> Option<u64> {
    let asked = asked?;
    if !(1..=MOST_OUTPUT_TOKENS).contains(&asked) {
        let text = format!("must be 1 to {MOST_OUTPUT_TOKENS}");
        problems.add("spec.max_output_tokens", text);
    }
    u64::try_from(asked).ok()
}

fn sampling(asked: Option<v1::SamplingOptions>, problems: &mut Problems) -> Sampling {
    let Some(asked) = asked else {
        return Sampling::default();
    };
    let mut within = |value: Option<f64>, field: &str, least: f64, most: f64| {
        // NaN is within nothing.
        if value.is_some_and(|value| !(least..=most).contains(&value)) {
            let field = format!("spec.sampling.{field}");
            problems.add(field, format!("must be {least} to {most}"));
        }
        value
    };
    let temperature = within(asked.temperature, "temperature", 0.0, 2.0);
    let top_p = within(asked.top_p, "top_p", f64::MIN_POSITIVE, 1.0);
    let frequency_penalty = within(asked.frequency_penalty, "frequency_penalty", -2.0, 2.0);
    let presence_penalty = within(asked.presence_penalty, "presence_penalty", -2.0, 2.0);
    if asked.stop_sequences.len() > MOST_STOPS {
        let text = format!("at most {MOST_STOPS} sequences");
        problems.add("spec.sampling.stop_sequences", text);
    }
    for (place, stop) in asked.stop_sequences.iter().enumerate() {
        if stop.is_empty() || stop.len() > STOP_BYTES {
            let field = format!("spec.sampling.stop_sequences[{place}]");
            problems.add(field, format!("must have 1 to {STOP_BYTES} bytes"));
        }
    }
    Sampling {
        temperature,
        top_p,
        stop: asked.stop_sequences,
        seed: asked.seed,
        frequency_penalty,
        presence_penalty,
    }
}

fn schema(asked: Option<v1::ResponseFormat>, problems: &mut Problems) -> Option<Schema> {
    use v1::response_format::Format;
    let asked = match asked?.format {
        Some(Format::JsonSchema(asked)) => asked,
        Some(Format::Text(_)) => return None,
        None => {
            problems.add(
                "spec.response_format",
                "one of text and json_schema is required",
            );
            return None;
        }
    };
    const PATH: &str = "spec.response_format.json_schema";
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let sized = (1..=SCHEMA_NAME_BYTES).contains(&asked.name.len());
    if !sized || !asked.name.bytes().all(allowed) {
        let text = format!("must have 1 to {SCHEMA_NAME_BYTES} letters, digits, _ or -");
        problems.add(format!("{PATH}.name"), text);
    }
    if asked.schema_json.len() > SCHEMA_BYTES {
        let text = format!("must have at most {SCHEMA_BYTES} bytes");
        problems.add(format!("{PATH}.schema_json"), text);
        return None;
    }
    let json = RawValue::from_string(asked.schema_json);
    match json {
        Ok(json) if json.get().trim_start().starts_with('{') => Some(Schema {
            name: asked.name,
            json,
            strict: asked.strict,
        }),
        Ok(_) | Err(_) => {
            problems.add(format!("{PATH}.schema_json"), "must be a JSON object");
            None
        }
    }
}

fn attribution(asked: Option<v1::Attribution>, problems: &mut Problems) -> Attribution {
    let asked = asked.unwrap_or_default();
    let mut checked = |text: String, field: &str| -> Arc<str> {
        let printable = !text.chars().any(char::is_control);
        if text.len() > ATTRIBUTION_BYTES || !printable {
            let field = format!("spec.attribution.{field}");
            let text = format!("must have at most {ATTRIBUTION_BYTES} bytes, all printable");
            problems.add(field, text);
        }
        text.into()
    };
    Attribution {
        pipeline: checked(asked.pipeline, "pipeline"),
        run: checked(asked.run, "run"),
        step: checked(asked.step, "step"),
        prompt_name: checked(asked.prompt_name, "prompt_name"),
        prompt_version: checked(asked.prompt_version, "prompt_version"),
    }
}

fn idempotency_key(asked: String, problems: &mut Problems) -> Option<Arc<str>> {
    if asked.len() > KEY_BYTES {
        let text = format!("must have at most {KEY_BYTES} bytes");
        problems.add("spec.idempotency_key", text);
    }
    (!asked.is_empty()).then(|| asked.into())
}

fn run_budget(
    asked: Option<v1::RunBudget>,
    attribution: &Attribution,
    problems: &mut Problems,
) -> Option<Money> {
    let limit = Money::from_nanos(asked?.limit_nano_usd);
    if limit <= Money::ZERO || limit > Money::LARGEST_BUDGET {
        let most = Money::LARGEST_BUDGET.nanos();
        problems.add(
            "spec.run_budget.limit_nano_usd",
            format!("must be 1 to {most}"),
        );
    }
    if attribution.run.is_empty() {
        problems.add("spec.attribution.run", "is required with a run budget");
    }
    Some(limit)
}

#[cfg(test)]
mod tests;
