//! A call as a chat completion request.

use super::{
    Flavour,
    support::{JsonSupport, json_support},
};
use crate::{
    call::{Message, Role, Schema},
    provider::{Ask, http::schema_instruction},
};
use serde::{Serialize, Serializer, ser::SerializeSeq as _};
use serde_json::value::RawValue;

/// Room for everything in a body but prompts and schema.
const FRAME: usize = 512;

/// The body of the request. Borrows from the call: a prompt is copied once, into the body.
pub(super) fn body(ask: &Ask, flavour: Flavour) -> Vec<u8> {
    let call = &*ask.call;
    let sampling = &call.sampling;
    let (response_format, instruction) = match &call.schema {
        None => (None, None),
        Some(schema) => shape(schema, &ask.model, flavour),
    };
    // OpenAI: `max_tokens` is deprecated, and o-series and later models refuse it.
    // Compatible servers all know `max_tokens`; not all know its successor.
    let (max_completion_tokens, max_tokens) = match flavour {
        Flavour::OpenAi => (Some(ask.max_output_tokens), None),
        Flavour::Compatible => (None, Some(ask.max_output_tokens)),
    };
    let request = Request {
        model: &ask.model,
        messages: Messages {
            instruction: instruction.as_deref(),
            said: &call.messages,
        },
        max_completion_tokens,
        max_tokens,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        stop: &sampling.stop,
        seed: sampling.seed,
        frequency_penalty: sampling.frequency_penalty,
        presence_penalty: sampling.presence_penalty,
        response_format,
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
    body
}

/// How the answer is made to obey the schema: by the provider, by an instruction, or by both.
fn shape<'a>(
    schema: &'a Schema,
    model: &str,
    flavour: Flavour,
) -> (Option<ResponseFormat<'a>>, Option<String>) {
    let support = match flavour {
        Flavour::OpenAi => json_support(model),
        // Ollama, llama.cpp and vLLM constrain the output of every model by a grammar.
        Flavour::Compatible => JsonSupport::Schema,
    };
    match support {
        JsonSupport::Schema => {
            let json_schema = JsonSchema {
                name: &schema.name,
                strict: schema.strict,
                schema: &schema.json,
            };
            (Some(ResponseFormat::JsonSchema { json_schema }), None)
        }
        JsonSupport::Object => {
            let format = ResponseFormat::JsonObject;
            (Some(format), Some(schema_instruction(schema)))
        }
        JsonSupport::None => (None, Some(schema_instruction(schema))),
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Messages<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat<'a> {
    JsonSchema { json_schema: JsonSchema<'a> },
    JsonObject,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    strict: bool,
    schema: &'a RawValue,
}

/// The conversation, after an instruction of our own if there is one.
struct Messages<'a> {
    instruction: Option<&'a str>,
    said: &'a [Message],
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        if let Some(text) = self.instruction {
            list.serialize_element(&Turn {
                role: "system",
                content: Content::Text(text),
            })?;
        }
        for message in self.said {
            list.serialize_element(&Turn {
                role: role(message.role),
                content: match &*message.parts {
                    [text] => Content::Text(text),
                    parts => Content::Parts(parts),
                },
            })?;
        }
        list.end()
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Content<'a>,
}

enum Content<'a> {
    Text(&'a str),
    Parts(&'a [String]),
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Parts(parts) => serializer.collect_seq(parts.iter().map(|text| Part {
                r#type: "text",
                text,
            })),
        }
    }
}

#[derive(Serialize)]
struct Part<'a> {
    r#type: &'static str,
    text: &'a str,
}
