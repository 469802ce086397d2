//! What can go wrong, as callers see it. One variant for each thing that a caller acts on.

use std::{fmt, sync::Arc};
use tollgate_core::{Money, account::Refusal};

/// The result of what a caller asked for.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call has no answer. `grpc/status.rs` maps each to one row of docs/errors.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The request is wrong, in all these ways.
    InvalidRequest(Vec<Violation>),
    /// The call can never fit these limits.
    LimitUnsatisfiable(Vec<Refusal>),
    /// The key is missing, malformed, unknown or revoked.
    InvalidCredential,
    /// The team may not use this.
    ModelForbidden(String),
    /// No such model.
    UnknownModel(String),
    /// No such route, or no route for this complexity.
    UnknownRoute(String),
    /// The provider rejected the request itself.
    PromptRejected {
        /// The provider.
        provider: Arc<str>,
    },
    /// Limits refuse: rates, concurrency, or both with budgets that are only held.
    Limited(Denial),
    /// A budget refuses.
    BudgetExhausted(Denial),
    /// The gateway has too much to do, or is shutting down. Nothing was charged.
    Overloaded {
        /// When to come back, in milliseconds.
        retry_after_ms: u64,
    },
    /// Every target failed, and nothing was charged.
    TargetsExhausted {
        /// When to come back, in milliseconds.
        retry_after_ms: u64,
    },
    /// It failed, and an attempt may be billed.
    OutcomeUnknown {
        /// What was charged.
        cost: Money,
    },
    /// The caller's deadline passed.
    DeadlineExceeded {
        /// What was charged.
        cost: Money,
    },
    /// Our fault. The cause is logged, never sent.
    Internal {
        /// What was charged.
        cost: Money,
    },
    /// Limits and budgets can't be looked at.
    StoreUnavailable,
    /// This idempotency key was used for another request.
    IdempotencyConflict,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field, such as `spec.messages[0].role`.
    pub field: String,
    /// What is wrong and what would be right.
    pub description: String,
}

impl Violation {
    /// A violation of one field.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
        }
    }
}

/// A refusal by limits or budgets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Everything that refused.
    pub refusals: Vec<Refusal>,
    /// When to come back, in milliseconds; `None` if waiting does not help.
    pub retry_after_ms: Option<u64>,
}

/// Why a store gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// What happened, for the log.
    pub detail: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store gave no answer: {}", self.detail)
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Error {
    fn from(_: StoreError) -> Self {
        Self::StoreUnavailable
    }
}

impl Error {
    /// The reason in lower case: the outcome in metrics, logs and the ledger.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::LimitUnsatisfiable(_) => "limit_unsatisfiable",
            Self::InvalidCredential => "invalid_credential",
            Self::ModelForbidden(_) => "model_forbidden",
            Self::UnknownModel(_) => "unknown_model",
            Self::UnknownRoute(_) => "unknown_route",
            Self::PromptRejected { .. } => "prompt_rejected",
            Self::Limited(denial) => denial.reason(),
            Self::BudgetExhausted(_) => "budget_exhausted",
            Self::Overloaded { .. } => "overloaded",
            Self::TargetsExhausted { .. } => "targets_exhausted",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::DeadlineExceeded { .. } => "deadline_exceeded",
            Self::Internal { .. } => "internal",
            Self::StoreUnavailable => "store_unavailable",
            Self::IdempotencyConflict => "idempotency_conflict",
        }
    }
}

impl Denial {
    /// Whether rates refuse, or only the number of calls in flight.
    fn reason(&self) -> &'static str {
        let concurrency = |refusal: &Refusal| matches!(refusal, Refusal::Concurrency { .. });
        if !self.refusals.is_empty() && self.refusals.iter().all(concurrency) {
            "concurrency_limited"
        } else {
            "rate_limited"
        }
    }
}
