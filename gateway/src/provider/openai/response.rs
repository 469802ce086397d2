//! A chat completion as an answer.

use super::Flavour;
use crate::provider::{
    Answer, Failure, Finish, Quota,
    http::{First, Word, garbled, parse, remaining},
};
use http::HeaderMap;
use serde::{Deserialize, de::IgnoredAny};
use tollgate_core::Usage;

/// What is left, by the headers of
/// <https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers>.
pub(super) fn quota(headers: &HeaderMap) -> Quota {
    Quota {
        requests: remaining(headers, "x-ratelimit-remaining-requests"),
        tokens: remaining(headers, "x-ratelimit-remaining-tokens"),
        input_tokens: None,
        output_tokens: None,
    }
}

/// The answer in the body of a 200.
pub(super) fn answer(body: &[u8], flavour: Flavour, quota: Quota) -> Result<Answer, Failure> {
    let completion: Completion<'_> = parse(body, quota)?;
    if completion.error.is_some() {
        return Err(garbled("a 200 with an error inside", quota));
    }
    let Some(First(Some(choice))) = completion.choices else {
        return Err(garbled("no choices", quota));
    };
    let usage = match (completion.usage, flavour) {
        (Some(counts), _) => {
            let usage = counts.usage();
            Some(usage.ok_or_else(|| garbled("usage that contradicts itself", quota))?)
        }
        (None, Flavour::Compatible) => None,
        (None, Flavour::OpenAi) => return Err(garbled("no usage", quota)),
    };
    let message = choice.message;
    let refusal = message.refusal.filter(|refusal| !refusal.is_empty());
    let finish = if refusal.is_some() {
        Finish::ContentFilter
    } else {
        choice
            .finish_reason
            .map_or(Finish::Other, |reason| finish(reason.as_str()))
    };
    let text = match (message.content, refusal) {
        (Some(text), Some(refusal)) if text.is_empty() => refusal,
        (Some(text), _) | (None, Some(text)) => text,
        // A model that was cut off while it reasoned, or by a filter, may have said nothing.
        (None, None) if matches!(finish, Finish::Length | Finish::ContentFilter) => String::new(),
        (None, None) => return Err(garbled("no content", quota)),
    };
    Ok(Answer {
        text,
        finish,
        usage,
        quota,
    })
}

fn finish(reason: &str) -> Finish {
    match reason {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        "content_filter" => Finish::ContentFilter,
        _ => Finish::Other,
    }
}

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow)]
    choices: Option<First<Choice<'a>>>,
    usage: Option<Counts>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    message: Message,
    #[serde(borrow)]
    finish_reason: Option<Word<'a>>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

/// Tokens as they are reported. Their types refuse what is negative, fractional or absurd.
#[derive(Deserialize)]
struct Counts {
    prompt_tokens: u32,
    completion_tokens: u32,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u32>,
    /// Reported since GPT-5.6, whose cache writes have a price of their own.
    cache_write_tokens: Option<u32>,
}

#[derive(Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u32>,
}

impl Counts {
    /// The same in disjoint classes; `None` if a part is larger than its whole.
    fn usage(self) -> Option<Usage> {
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let cache_read = prompt.cached_tokens.unwrap_or(0);
        let cache_write = prompt.cache_write_tokens.unwrap_or(0);
        let completion = self.completion_tokens_details.unwrap_or_default();
        let reasoning = completion.reasoning_tokens.unwrap_or(0);
        let input = self.prompt_tokens.checked_sub(cache_read)?;
        Some(Usage {
            input: input.checked_sub(cache_write)?.into(),
            cache_read: cache_read.into(),
            cache_write: cache_write.into(),
            output: self.completion_tokens.checked_sub(reasoning)?.into(),
            reasoning: reasoning.into(),
        })
    }
}

#[cfg(test)]
mod tests;
