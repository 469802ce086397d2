//! What a refusal of the gateway means for us: one class, and one action for each class.
//!
//! The reasons are those of the gateway's error table; nothing here reads an error's text.

use crate::money::Money;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The domain of the gateway's errors.
const DOMAIN: &str = "tollgate";

/// Why a step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    /// Nothing was charged; the same call may work later.
    Unavailable,
    /// A limit of the team: wait as told.
    RateLimited,
    /// A budget: wait if told how long, else stop the run.
    BudgetExhausted,
    /// The call ran out of time.
    Timeout,
    /// The call was sent upstream, and nobody knows how it ended.
    OutcomeUnknown,
    /// A fault inside the gateway.
    Internal,
    /// The call is malformed.
    InvalidRequest,
    /// The provider rejected the prompt.
    PromptRejected,
    /// The article does not fit the model or the team's limits.
    TooLong,
    /// The same idempotency key was used for another request.
    KeyConflict,
    /// The answer was cut by its output cap.
    Truncated,
    /// The answer does not obey its schema, also after a repair.
    InvalidOutput,
    /// The model or its filter refused.
    Refused,
    /// The key is wrong: no call of this run can work.
    Unauthenticated,
    /// The key may not use the model: no call of this step can work.
    PermissionDenied,
    /// The model or route does not exist, or the gateway does not serve completions.
    NotFound,
    /// The run stopped.
    Cancelled,
}

impl Class {
    pub(crate) const ALL: [Self; 17] = [
        Self::Unavailable,
        Self::RateLimited,
        Self::BudgetExhausted,
        Self::Timeout,
        Self::OutcomeUnknown,
        Self::Internal,
        Self::InvalidRequest,
        Self::PromptRejected,
        Self::TooLong,
        Self::KeyConflict,
        Self::Truncated,
        Self::InvalidOutput,
        Self::Refused,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::NotFound,
        Self::Cancelled,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate_limited",
            Self::BudgetExhausted => "budget_exhausted",
            Self::Timeout => "timeout",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Internal => "internal",
            Self::InvalidRequest => "invalid_request",
            Self::PromptRejected => "prompt_rejected",
            Self::TooLong => "too_long",
            Self::KeyConflict => "key_conflict",
            Self::Truncated => "truncated",
            Self::InvalidOutput => "invalid_output",
            Self::Refused => "refused",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A call that the gateway, or the way to it, did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) class: Class,
    /// For people. The gateway never puts prompts or keys in it.
    pub(crate) message: String,
    /// How long to wait before trying again, if the gateway says so.
    pub(crate) retry_after: Option<Duration>,
    /// What the call cost so far, if the gateway says so.
    pub(crate) cost: Option<Money>,
    /// Whether the call may have cost something that we were not told.
    pub(crate) cost_unknown: bool,
    /// Whether the gateway itself answered, and not just the transport.
    pub(crate) from_gateway: bool,
}

impl Refusal {
    /// Reads a status by its `ErrorInfo`; without one, by its code.
    pub(crate) fn read(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        let class = match info {
            Some(info) => by_reason(&info.reason, status.code()),
            None => by_code(status.code()),
        };
        let cost = info
            .and_then(|info| info.metadata.get("costNanoUsd"))
            .and_then(|text| text.parse().ok())
            .map(Money::from_nano_usd);
        let may_cost = match class {
            Class::Timeout | Class::OutcomeUnknown | Class::Internal => true,
            Class::Unavailable => info.is_none(),
            _ => false,
        };
        Self {
            class,
            message: explain(status, info.map(|info| info.reason.as_str()), &details),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            cost,
            cost_unknown: may_cost && cost.is_none(),
            from_gateway: info.is_some(),
        }
    }
}

fn by_reason(reason: &str, code: Code) -> Class {
    match reason {
        "INVALID_REQUEST" => Class::InvalidRequest,
        "LIMIT_UNSATISFIABLE" | "CONTEXT_OVERFLOW" => Class::TooLong,
        "INVALID_CREDENTIAL" => Class::Unauthenticated,
        "MODEL_FORBIDDEN" => Class::PermissionDenied,
        "UNKNOWN_MODEL" | "UNKNOWN_ROUTE" => Class::NotFound,
        "PROMPT_REJECTED" => Class::PromptRejected,
        "RATE_LIMITED" | "CONCURRENCY_LIMITED" => Class::RateLimited,
        "BUDGET_EXHAUSTED" => Class::BudgetExhausted,
        "OVERLOADED" | "TARGETS_EXHAUSTED" | "STORE_UNAVAILABLE" => Class::Unavailable,
        "OUTCOME_UNKNOWN" | "STREAM_INTERRUPTED" => Class::OutcomeUnknown,
        "DEADLINE_EXCEEDED" => Class::Timeout,
        "IDEMPOTENCY_CONFLICT" => Class::KeyConflict,
        "INTERNAL" => Class::Internal,
        // A newer gateway may have more reasons than this client knows.
        _ => by_code(code),
    }
}

fn by_code(code: Code) -> Class {
    match code {
        Code::Unauthenticated => Class::Unauthenticated,
        Code::PermissionDenied => Class::PermissionDenied,
        Code::NotFound | Code::Unimplemented => Class::NotFound,
        Code::InvalidArgument | Code::FailedPrecondition => Class::InvalidRequest,
        Code::OutOfRange => Class::TooLong,
        Code::ResourceExhausted => Class::RateLimited,
        Code::Unavailable => Class::Unavailable,
        // The transport answers its own timeout with CANCELLED.
        Code::DeadlineExceeded | Code::Cancelled => Class::Timeout,
        Code::Aborted => Class::OutcomeUnknown,
        Code::AlreadyExists => Class::KeyConflict,
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Class::Internal,
    }
}

fn explain(status: &Status, reason: Option<&str>, details: &tonic_types::ErrorDetails) -> String {
    let name = reason.map_or_else(|| format!("{:?}", status.code()), str::to_owned);
    let mut text = format!("{name}: {}", status.message());
    if let Some(bad) = details.bad_request() {
        for violation in bad.field_violations.iter().take(5) {
            text.push_str(&format!("; {}: {}", violation.field, violation.description));
        }
    }
    if let Some(quota) = details.quota_failure() {
        for violation in quota.violations.iter().take(5) {
            text.push_str(&format!(
                "; {}: {}",
                violation.subject, violation.description
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use tonic_types::ErrorDetails;

    #[test]
    fn a_status_of_the_gateway_is_read_by_its_reason() {
        let mut details = ErrorDetails::new();
        let cost = HashMap::from([("costNanoUsd".to_owned(), "1500".to_owned())]);
        details.set_error_info("OUTCOME_UNKNOWN", DOMAIN, cost);
        let status = Status::with_error_details(Code::Aborted, "sent", details);
        let refusal = Refusal::read(&status);
        assert_eq!(refusal.class, Class::OutcomeUnknown);
        assert_eq!(refusal.cost, Some(Money::from_nano_usd(1500)));
        assert!(!refusal.cost_unknown);
    }

    #[test]
    fn retry_info_is_read() {
        let mut details = ErrorDetails::new();
        details.set_error_info("RATE_LIMITED", DOMAIN, HashMap::new());
        details.set_retry_info(Some(Duration::from_millis(1500)));
        let status = Status::with_error_details(Code::ResourceExhausted, "slow", details);
        assert_eq!(
            Refusal::read(&status).retry_after,
            Some(Duration::from_millis(1500))
        );
    }

    #[test]
    fn a_bare_unavailable_may_have_cost_something() {
        let refusal = Refusal::read(&Status::unavailable("connection reset"));
        assert_eq!(refusal.class, Class::Unavailable);
        assert!(refusal.cost_unknown && !refusal.from_gateway);
    }

    #[test]
    fn an_unknown_reason_falls_back_on_the_code() {
        let mut details = ErrorDetails::new();
        details.set_error_info("BRAND_NEW", DOMAIN, HashMap::new());
        let status = Status::with_error_details(Code::Unavailable, "x", details);
        assert_eq!(Refusal::read(&status).class, Class::Unavailable);
    }
}
