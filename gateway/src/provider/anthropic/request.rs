//! A call as a messages request.

use super::support::enforces;
use crate::{
    call::{Call, Message, Role, Sampling},
    provider::{Ask, Failure, FailureKind, http::schema_instruction},
};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Room for everything in a body but prompts and schema.
const FRAME: usize = 512;

/// The body of the request, or why the API can't do what was asked.
pub(super) fn body(ask: &Ask) -> Result<Vec<u8>, Failure> {
    let call = &*ask.call;
    if let Some(reason) = impossible(call) {
        return Err(Failure::new(FailureKind::Rejected, reason));
    }
    let sampling = &call.sampling;
    let mut output_config = None;
    let mut instruction = None;
    if let Some(schema) = &call.schema {
        // The API always enforces exactly; that is also good enough for a schema that need not be.
        if enforces(&ask.model, schema.json.get()) {
            let format = Format::JsonSchema {
                schema: &schema.json,
            };
            output_config = Some(OutputConfig { format });
        } else {
            instruction = Some(schema_instruction(schema));
        }
    }
    let request = Request {
        model: &ask.model,
        max_tokens: ask.max_output_tokens,
        system: System(texts(&call.messages, instruction.as_deref())),
        messages: Turns(&call.messages),
        stop_sequences: &sampling.stop,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        output_config,
    };
    let prompt: usize = call
        .messages
        .iter()
        .flat_map(|m| &m.parts)
        .map(String::len)
        .sum();
    let schema = call.schema.as_ref().map_or(0, |s| s.json.get().len());
    let mut body = Vec::with_capacity(FRAME + prompt + prompt / 16 + schema);
    serde_json::to_writer(&mut body, &request)
        .expect("texts and numbers can be written as JSON, and a vector takes all of it");
    Ok(body)
}

/// What the API has no way to do.
fn impossible(call: &Call) -> Option<&'static str> {
    let Sampling {
        temperature,
        top_p: _,
        stop: _,
        seed,
        frequency_penalty,
        presence_penalty,
    } = &call.sampling;
    if temperature.is_some_and(|temperature| temperature > 1.0) {
        return Some("temperature: anthropic takes 0 to 1; nothing was sent");
    }
    if seed.is_some() {
        return Some("seed: anthropic has no such option; nothing was sent");
    }
    if frequency_penalty.is_some() {
        return Some("frequency_penalty: anthropic has no such option; nothing was sent");
    }
    if presence_penalty.is_some() {
        return Some("presence_penalty: anthropic has no such option; nothing was sent");
    }
    let first = call
        .messages
        .iter()
        .find(|message| message.role != Role::System);
    match first.map(|message| message.role) {
        Some(Role::User) => None,
        Some(Role::Assistant | Role::System) => {
            Some("messages: anthropic wants the user to speak first; nothing was sent")
        }
        None => Some("messages: anthropic wants one from the user; nothing was sent"),
    }
}

/// All that the system says. The API has one place for it, before the conversation.
fn texts<'a>(messages: &'a [Message], instruction: Option<&'a str>) -> Vec<&'a str> {
    messages
        .iter()
        .filter(|message| message.role == Role::System)
        .flat_map(|message| &message.parts)
        .map(String::as_str)
        .chain(instruction)
        .collect()
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "System::is_empty")]
    system: System<'a>,
    messages: Turns<'a>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    format: Format<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format<'a> {
    JsonSchema { schema: &'a RawValue },
}

struct System<'a>(Vec<&'a str>);

impl System<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for System<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        content(&self.0, serializer)
    }
}

/// The conversation without what the system says. Turns of the same role in a row are allowed;
/// the API joins them.
struct Turns<'a>(&'a [Message]);

impl Serialize for Turns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().filter_map(|message| {
            let role = match message.role {
                Role::System => return None,
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            let content = Content(&message.parts);
            Some(Turn { role, content })
        }))
    }
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Content<'a>,
}

struct Content<'a>(&'a [String]);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        content(self.0, serializer)
    }
}

/// One text as it is, several as blocks.
fn content<S: Serializer>(texts: &[impl AsRef<str>], serializer: S) -> Result<S::Ok, S::Error> {
    match texts {
        [text] => serializer.serialize_str(text.as_ref()),
        texts => serializer.collect_seq(texts.iter().map(|text| Block::Text {
            text: text.as_ref(),
        })),
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'a str },
}
