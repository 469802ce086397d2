//! A message as an answer.

use crate::provider::{
    Answer, Failure, Finish, Quota,
    http::{Word, garbled, parse, remaining},
};
use http::HeaderMap;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use std::fmt;
use tollgate_core::Usage;

/// What is left, by the headers of
/// <https://platform.claude.com/docs/en/api/rate-limits#response-headers>.
pub(super) fn quota(headers: &HeaderMap) -> Quota {
    Quota {
        requests: remaining(headers, "anthropic-ratelimit-requests-remaining"),
        tokens: remaining(headers, "anthropic-ratelimit-tokens-remaining"),
        input_tokens: remaining(headers, "anthropic-ratelimit-input-tokens-remaining"),
        output_tokens: remaining(headers, "anthropic-ratelimit-output-tokens-remaining"),
    }
}

/// The answer in the body of a 200.
pub(super) fn answer(body: &[u8], quota: Quota) -> Result<Answer, Failure> {
    let message: Message<'_> = parse(body, quota)?;
    if message.error.is_some() {
        return Err(garbled("a 200 with an error inside", quota));
    }
    let Some(Text(text)) = message.content else {
        return Err(garbled("no content", quota));
    };
    let Some(counts) = message.usage else {
        return Err(garbled("no usage", quota));
    };
    let Some(usage) = counts.usage() else {
        return Err(garbled("usage that contradicts itself", quota));
    };
    let reason = message.stop_reason;
    Ok(Answer {
        text,
        finish: reason.map_or(Finish::Other, |reason| finish(reason.as_str())),
        usage: Some(usage),
        quota,
    })
}

/// Reasons: <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>.
fn finish(reason: &str) -> Finish {
    match reason {
        "end_turn" | "stop_sequence" => Finish::Stop,
        // "The response filled the model's context window. Treat the response as truncated."
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "refusal" => Finish::ContentFilter,
        _ => Finish::Other,
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    content: Option<Text>,
    #[serde(borrow)]
    stop_reason: Option<Word<'a>>,
    usage: Option<Counts>,
    error: Option<IgnoredAny>,
}

/// Tokens as they are reported. Their types refuse what is negative, fractional or absurd.
#[derive(Deserialize)]
struct Counts {
    /// Neither read from a cache nor written to one.
    input_tokens: u32,
    cache_read_input_tokens: Option<u32>,
    cache_creation_input_tokens: Option<u32>,
    /// All that is billed as output, thinking included.
    output_tokens: u32,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Default, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u32>,
}

impl Counts {
    /// The same in our classes; `None` if a part is larger than its whole.
    fn usage(self) -> Option<Usage> {
        let details = self.output_tokens_details.unwrap_or_default();
        let reasoning = details.thinking_tokens.unwrap_or(0);
        Some(Usage {
            input: self.input_tokens.into(),
            cache_read: self.cache_read_input_tokens.unwrap_or(0).into(),
            cache_write: self.cache_creation_input_tokens.unwrap_or(0).into(),
            output: self.output_tokens.checked_sub(reasoning)?.into(),
            reasoning: reasoning.into(),
        })
    }
}

/// The text of all blocks of text, one after the other; blocks of other types are skipped.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Blocks;

        impl<'de> Visitor<'de> for Blocks {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of blocks")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut blocks: A) -> Result<Text, A::Error> {
                let mut all = String::new();
                while let Some(block) = blocks.next_element::<Block<'de>>()? {
                    if block.r#type.as_str() != "text" {
                        continue;
                    }
                    match block.text {
                        Some(text) if all.is_empty() => all = text,
                        Some(text) => all.push_str(&text),
                        None => return Err(serde::de::Error::missing_field("text")),
                    }
                }
                Ok(Text(all))
            }
        }

        deserializer.deserialize_seq(Blocks)
    }
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    r#type: Word<'a>,
    text: Option<String>,
}
