//! The provider's prompt cache: which part of a prompt it has seen before.
//!
//! OpenAI caches prefixes of at least 1,024 tokens in steps of 128 by itself; Anthropic caches up to the last
//! block that is marked with `cache_control`. Entries are never aged, only bounded in number.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

use super::Api;
use super::answer::Cached;
use super::call::Call;
use super::tokens::{Tokens, wide};

/// The shortest prefix that is cached, in tokens.
const SHORTEST: usize = 1024;
/// OpenAI's step, in tokens.
const STEP: usize = 128;
/// Prefixes remembered before the cache starts afresh.
const ENTRIES: usize = 100_000;

/// Prefixes seen so far.
#[derive(Debug, Default)]
pub(crate) struct PromptCache(Mutex<HashSet<u64>>);

impl PromptCache {
    /// What of this call's prompt is read from the cache, and what is written to it.
    ///
    /// OpenAI's automatic caching is simulated only if `automatic`, because it makes the bill of one call
    /// depend on the calls before it.
    pub(crate) fn visit(&self, call: &Call, tokens: &Tokens, automatic: Automatic) -> Cached {
        match call.api {
            Api::Anthropic if !call.cacheable.is_empty() => self.marked(call, tokens),
            Api::OpenAi if automatic == Automatic::On => self.automatic(call, tokens),
            Api::Anthropic | Api::OpenAi => Cached::default(),
        }
    }

    fn marked(&self, call: &Call, tokens: &Tokens) -> Cached {
        let length = tokens.encode(&call.cacheable).len();
        if length < SHORTEST {
            return Cached::default();
        }
        let fresh = self.insert(key(&call.model, &call.cacheable));
        if fresh {
            Cached {
                read: 0,
                write: wide(length),
            }
        } else {
            Cached {
                read: wide(length),
                write: 0,
            }
        }
    }

    fn automatic(&self, call: &Call, tokens: &Tokens) -> Cached {
        let ids = tokens.encode(&call.prompt());
        let mut read = 0;
        let mut end = SHORTEST;
        while end <= ids.len() {
            if !self.insert(key(&call.model, &ids[..end])) {
                read = end;
            }
            end += STEP;
        }
        Cached {
            read: wide(read),
            write: 0,
        }
    }

    /// Whether the prefix is new.
    fn insert(&self, key: u64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= ENTRIES {
            seen.clear();
        }
        seen.insert(key)
    }
}

/// Whether OpenAI's automatic prompt caching is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Automatic {
    On,
    Off,
}

fn key(model: &str, prefix: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    model.hash(&mut hasher);
    prefix.hash(&mut hasher);
    hasher.finish()
}
