//! Counting tokens before a call, for money and limits.

use crate::{call::Call, catalog::Tokenizer};
use std::{collections::BTreeSet, sync::Arc, thread};

/// Longer texts are counted on a thread of their own, so that they do not hold up other calls.
const INLINE_BYTES: usize = 64 << 10;
/// What a chat format adds to each message, and to the conversation (the OpenAI cookbook's
/// "How to count tokens with tiktoken": 3 per message and 3 for the answer's start; one more for
/// the role).
const PER_MESSAGE: u64 = 4;
const PER_CALL: u64 = 3;

/// The tokenizers that are built in.
#[derive(Clone, Copy, Debug)]
pub struct Tokenizers(());

impl Tokenizers {
    /// Loads these vocabularies, so that no call waits for that. Any other is loaded by the first
    /// call that needs it.
    #[must_use]
    pub fn warm(used: &BTreeSet<Tokenizer>) -> Self {
        // On threads of their own: each takes several times its size while it is loaded, which the
        // allocator gives back when a thread ends.
        thread::scope(|scope| {
            for tokenizer in used {
                scope.spawn(|| count(*tokenizer, "warm"));
            }
        });
        Self(())
    }

    /// The input tokens of a call: messages, their frames, and the schema.
    pub(crate) async fn count(&self, tokenizer: Tokenizer, call: &Arc<Call>) -> u64 {
        let parts = || call.messages.iter().flat_map(|message| &message.parts);
        let bytes: usize = parts().map(String::len).sum();
        if bytes <= INLINE_BYTES {
            return count_call(tokenizer, call);
        }
        let call = Arc::clone(call);
        let counted = tokio::task::spawn_blocking(move || count_call(tokenizer, &call)).await;
        // Only a panic in the tokenizer gets here; a byte is at least as much as a token.
        counted.unwrap_or_else(|_| u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// The tokens of a text.
    pub(crate) async fn count_text(&self, tokenizer: Tokenizer, text: &str) -> u64 {
        if text.len() <= INLINE_BYTES {
            return count(tokenizer, text);
        }
        let (owned, bytes) = (text.to_owned(), text.len());
        let counted = tokio::task::spawn_blocking(move || count(tokenizer, &owned)).await;
        counted.unwrap_or_else(|_| u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

fn count_call(tokenizer: Tokenizer, call: &Call) -> u64 {
    let mut tokens = PER_CALL;
    for message in &call.messages {
        tokens += PER_MESSAGE;
        for part in &message.parts {
            tokens += count(tokenizer, part);
        }
    }
    if let Some(schema) = &call.schema {
        // Providers put the schema into the prompt in one form or another.
        tokens +=
            PER_MESSAGE + count(tokenizer, &schema.name) + count(tokenizer, schema.json.get());
    }
    tokens
}

fn count(tokenizer: Tokenizer, text: &str) -> u64 {
    let name = match tokenizer {
        Tokenizer::Cl100k => "cl100k_base",
        Tokenizer::O200k => "o200k_base",
    };
    let encoding = tiktoken::get_encoding(name).expect("built in by this crate's features");
    u64::try_from(encoding.count(text)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published by OpenAI's tiktoken for these encodings; a new version of the crate must agree.
    #[test]
    fn known_texts_have_their_known_counts() {
        assert_eq!(count(Tokenizer::Cl100k, "tiktoken is great!"), 6);
        assert_eq!(count(Tokenizer::O200k, "tiktoken is great!"), 6);
        assert_eq!(count(Tokenizer::Cl100k, ""), 0);
    }
}
