//! What the simulated provider served and would have billed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::answer::Usage;

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Always true: no real model was asked.
    pub simulated: bool,
    /// Requests to either API, answered or not.
    pub requests: u64,
    /// Requests that got no whole response head: the client left first, or a fault closed the connection.
    pub unanswered: u64,
    /// By model; `unknown` stands for requests that named none.
    pub models: BTreeMap<String, ModelStats>,
}

impl Stats {
    /// The counts of one model; zero if it was never asked for.
    pub fn model(&self, name: &str) -> ModelStats {
        self.models.get(name).cloned().unwrap_or_default()
    }

    /// The tokens billed over all models.
    pub fn billed(&self) -> Billed {
        self.models
            .values()
            .fold(Billed::default(), |sum, model| sum.plus(model.tokens))
    }
}

/// Counts of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModelStats {
    /// Answered requests by HTTP status.
    pub statuses: BTreeMap<u16, u64>,
    /// What a bill would list.
    pub tokens: Billed,
}

/// Tokens that a real provider would have billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Billed {
    /// At the price of fresh input.
    pub input: i64,
    /// Read from the prompt cache.
    pub cache_read: i64,
    /// Written to the prompt cache.
    pub cache_write: i64,
    /// Output, including reasoning.
    pub output: i64,
}

impl Billed {
    fn plus(self, other: Self) -> Self {
        Self {
            input: self.input + other.input,
            cache_read: self.cache_read + other.cache_read,
            cache_write: self.cache_write + other.cache_write,
            output: self.output + other.output,
        }
    }
}

impl From<Usage> for Billed {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            output: usage.output,
        }
    }
}

/// The running counts.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Stats>);

/// At most so many model names are told apart; the rest is counted as `other`.
const MODELS: usize = 1000;

impl Book {
    /// Notes that a request came; drop the visit without `answered` and it counts as unanswered.
    pub(crate) fn open(&self) -> Visit<'_> {
        self.lock().requests += 1;
        Visit {
            book: self,
            answered: false,
        }
    }

    /// The counts as they are now.
    pub(crate) fn snapshot(&self) -> Stats {
        Stats {
            simulated: true,
            ..self.lock().clone()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stats> {
        // Every change is one addition, so a panic elsewhere leaves the counts whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request on its way.
pub(crate) struct Visit<'a> {
    book: &'a Book,
    answered: bool,
}

impl Visit<'_> {
    /// Counts the answer and its bill.
    pub(crate) fn answered(mut self, model: &str, status: u16, billed: Option<Usage>) {
        self.answered = true;
        let mut stats = self.book.lock();
        let model = if model.is_empty() { "unknown" } else { model };
        let full = stats.models.len() >= MODELS && !stats.models.contains_key(model);
        let model = if full { "other" } else { model };
        if !stats.models.contains_key(model) {
            stats.models.insert(model.to_owned(), ModelStats::default());
        }
        let entry = stats.models.get_mut(model).expect("it was just put in");
        *entry.statuses.entry(status).or_default() += 1;
        if let Some(usage) = billed {
            entry.tokens = entry.tokens.plus(usage.into());
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.book.lock().unanswered += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_without_an_answer_is_counted_apart() {
        let book = Book::default();
        drop(book.open());
        let usage = Usage {
            input: 3,
            output: 2,
            ..Usage::default()
        };
        book.open().answered("gpt-4", 200, Some(usage));
        book.open().answered("gpt-4", 429, None);
        let stats = book.snapshot();
        assert_eq!((stats.requests, stats.unanswered), (3, 1));
        assert_eq!(
            stats.model("gpt-4").statuses,
            BTreeMap::from([(200, 1), (429, 1)])
        );
        assert_eq!(
            stats.billed(),
            Billed {
                input: 3,
                output: 2,
                ..Billed::default()
            }
        );
    }
}
