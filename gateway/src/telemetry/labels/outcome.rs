//! How calls ended.

use super::Closed;
use crate::error::Error;

closed! {
    /// How a call ended: the reasons of errors in lower case, and what is no error.
    #[expect(clippy::enum_variant_names, reason = "OUTCOME_UNKNOWN is the reason's name")]
    pub(in crate::telemetry) Outcome {
        /// Answered.
        Ok = "ok",
        /// Answered with what another call was told.
        Replay = "replay",
        /// Its caller hung up.
        Cancelled = "cancelled",
        /// INVALID_REQUEST.
        InvalidRequest = "invalid_request",
        /// LIMIT_UNSATISFIABLE.
        LimitUnsatisfiable = "limit_unsatisfiable",
        /// INVALID_CREDENTIAL.
        InvalidCredential = "invalid_credential",
        /// MODEL_FORBIDDEN.
        ModelForbidden = "model_forbidden",
        /// UNKNOWN_MODEL.
        UnknownModel = "unknown_model",
        /// UNKNOWN_ROUTE.
        UnknownRoute = "unknown_route",
        /// PROMPT_REJECTED.
        PromptRejected = "prompt_rejected",
        /// RATE_LIMITED.
        RateLimited = "rate_limited",
        /// CONCURRENCY_LIMITED.
        ConcurrencyLimited = "concurrency_limited",
        /// BUDGET_EXHAUSTED.
        BudgetExhausted = "budget_exhausted",
        /// OVERLOADED.
        Overloaded = "overloaded",
        /// TARGETS_EXHAUSTED.
        TargetsExhausted = "targets_exhausted",
        /// OUTCOME_UNKNOWN.
        OutcomeUnknown = "outcome_unknown",
        /// DEADLINE_EXCEEDED.
        DeadlineExceeded = "deadline_exceeded",
        /// INTERNAL.
        Internal = "internal",
        /// STORE_UNAVAILABLE.
        StoreUnavailable = "store_unavailable",
        /// IDEMPOTENCY_CONFLICT.
        IdempotencyConflict = "idempotency_conflict",
    }
}

closed! {
    /// Whose doing an outcome is, for the durations.
    pub(in crate::telemetry) Class {
        /// Answered.
        Ok = "ok",
        /// Limits and budgets did their work.
        Rejected = "rejected",
        /// The caller's.
        ClientError = "client_error",
        /// Ours or a provider's: what the availability objective counts.
        ServerError = "server_error",
    }
}

impl Outcome {
    /// The outcome of a call that failed so.
    pub(in crate::telemetry) fn of(error: &Error) -> Self {
        match error {
            Error::InvalidRequest(_) => Self::InvalidRequest,
            Error::LimitUnsatisfiable(_) => Self::LimitUnsatisfiable,
            Error::InvalidCredential => Self::InvalidCredential,
            Error::ModelForbidden(_) => Self::ModelForbidden,
            Error::UnknownModel(_) => Self::UnknownModel,
            Error::UnknownRoute(_) => Self::UnknownRoute,
            Error::PromptRejected { .. } => Self::PromptRejected,
            // Which of the two it is was decided where callers are told.
            Error::Limited(_) => Self::named(error.reason()).unwrap_or(Self::RateLimited),
            Error::BudgetExhausted(_) => Self::BudgetExhausted,
            Error::Overloaded { .. } => Self::Overloaded,
            Error::TargetsExhausted { .. } => Self::TargetsExhausted,
            Error::OutcomeUnknown { .. } => Self::OutcomeUnknown,
            Error::DeadlineExceeded { .. } => Self::DeadlineExceeded,
            Error::Internal { .. } => Self::Internal,
            Error::StoreUnavailable => Self::StoreUnavailable,
            Error::IdempotencyConflict => Self::IdempotencyConflict,
        }
    }

    /// Whose doing it is.
    pub(in crate::telemetry) const fn class(self) -> Class {
        match self {
            Self::Ok | Self::Replay => Class::Ok,
            Self::RateLimited
            | Self::ConcurrencyLimited
            | Self::BudgetExhausted
            | Self::LimitUnsatisfiable => Class::Rejected,
            Self::Cancelled
            | Self::InvalidRequest
            | Self::InvalidCredential
            | Self::ModelForbidden
            | Self::UnknownModel
            | Self::UnknownRoute
            | Self::PromptRejected
            | Self::IdempotencyConflict => Class::ClientError,
            Self::Overloaded
            | Self::TargetsExhausted
            | Self::OutcomeUnknown
            | Self::DeadlineExceeded
            | Self::Internal
            | Self::StoreUnavailable => Class::ServerError,
        }
    }
}

#[cfg(test)]
pub(in crate::telemetry) use tests::all_errors;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Denial;
    use tollgate_core::{Money, account::Refusal};

    /// One error of each variant, and both reasons of `Limited`.
    pub(in crate::telemetry) fn all_errors() -> Vec<Error> {
        let denial = |refusals| Denial {
            refusals,
            retry_after_ms: None,
        };
        let cost = Money::ZERO;
        vec![
            Error::InvalidRequest(Vec::new()),
            Error::LimitUnsatisfiable(Vec::new()),
            Error::InvalidCredential,
            Error::ModelForbidden("model x".into()),
            Error::UnknownModel("x".into()),
            Error::UnknownRoute("x".into()),
            Error::PromptRejected {
                provider: "openai".into(),
            },
            Error::Limited(denial(vec![Refusal::Rate {
                limit: "tokens_per_minute".into(),
                wait_ms: 5,
            }])),
            Error::Limited(denial(vec![Refusal::Concurrency {
                limit: "concurrency".into(),
                bound: 5,
            }])),
            Error::BudgetExhausted(denial(Vec::new())),
            Error::Overloaded { retry_after_ms: 1 },
            Error::TargetsExhausted { retry_after_ms: 1 },
            Error::OutcomeUnknown { cost },
            Error::DeadlineExceeded { cost },
            Error::Internal { cost },
            Error::StoreUnavailable,
            Error::IdempotencyConflict,
        ]
    }

    #[test]
    fn outcomes_are_the_reasons_of_errors_and_three_more() {
        let reasons: Vec<&str> = all_errors()
            .iter()
            .map(|error| {
                assert_eq!(Outcome::of(error).name(), error.reason());
                error.reason()
            })
            .collect();
        let mut names = vec!["ok", "replay", "cancelled"];
        names.extend(reasons);
        assert_eq!(names, Outcome::NAMES);
    }
}
