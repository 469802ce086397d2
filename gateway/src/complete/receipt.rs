//! Receipts: what a call did and cost.

use crate::{
    ledger::AttemptRecord,
    provider::{FailureKind, Finish},
};
use std::{borrow::Cow, sync::Arc, time::Duration};
use tollgate_core::{HoldId, Money, Usage, budget::Balance};

/// An answer with its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The model's text.
    pub text: String,
    /// Why it stopped.
    pub finish: Finish,
    /// What it did and cost.
    pub receipt: Receipt,
}

/// What a call did and cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The call.
    pub id: HoldId,
    /// The route; empty if the call named a model.
    pub route: Arc<str>,
    /// All attempts, in order; the last one answered.
    pub attempts: Arc<[Attempt]>,
    /// What was held.
    pub held: Money,
    /// The price list that was used.
    pub price_version: Arc<str>,
    /// How long it waited for admission.
    pub waited: Duration,
    /// The budgets as of admission.
    pub budgets: Vec<Balance>,
    /// Whether a stored answer was replayed.
    pub replayed: bool,
    /// Whether budget pressure chose the targets.
    pub under_pressure: bool,
}

impl Receipt {
    /// The cost of all attempts.
    #[must_use]
    pub fn cost(&self) -> Money {
        self.attempts.iter().map(|attempt| attempt.cost).sum()
    }

    /// The tokens of all attempts.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let zero = Usage::default();
        self.attempts
            .iter()
            .fold(zero, |sum, attempt| sum + attempt.usage)
    }
}

/// One upstream call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The model.
    pub model: Arc<str>,
    /// The deployment, as `<provider>/<name>`.
    pub deployment: Arc<str>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Its tokens; for an unknown outcome, what it may have used at most.
    pub usage: Usage,
    /// Its cost.
    pub cost: Money,
    /// How long it took.
    pub duration: Duration,
    /// The HTTP status, if there was one.
    pub http_status: Option<u16>,
    /// Whether the tokens are our own count or worst case.
    pub estimated: bool,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// It answered.
    Ok,
    /// It failed.
    Failed(FailureKind),
}

impl AttemptOutcome {
    /// Its name in ledger, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(kind) => kind.name(),
        }
    }
}

impl From<&Attempt> for AttemptRecord {
    fn from(attempt: &Attempt) -> Self {
        Self {
            model: Arc::clone(&attempt.model),
            deployment: Arc::clone(&attempt.deployment),
            outcome: Cow::Borrowed(attempt.outcome.name()),
            input_tokens: attempt.usage.input,
            cache_read_tokens: attempt.usage.cache_read,
            cache_write_tokens: attempt.usage.cache_write,
            output_tokens: attempt.usage.output,
            reasoning_tokens: attempt.usage.reasoning,
            cost_nano_usd: attempt.cost.nanos(),
            estimated: attempt.estimated,
        }
    }
}
