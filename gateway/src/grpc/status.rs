//! Errors as gRPC statuses: the closed table of docs/errors.md, and nothing else.

use crate::{
    clock::rfc3339,
    error::{Denial, Error},
};
use std::{collections::HashMap, time::Duration};
use tollgate_core::{Money, account::Refusal};
use tonic::{Code, Status, metadata::MetadataValue};
use tonic_types::{ErrorDetails, FieldViolation, QuotaViolation, StatusExt as _};

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "tollgate";

/// One row of docs/errors.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The gRPC code.
    pub code: Code,
    /// The reason in `ErrorInfo`.
    pub reason: &'static str,
    /// What else the status carries.
    pub details: &'static str,
    /// What was charged.
    pub charged: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

const fn row(
    code: Code,
    reason: &'static str,
    details: &'static str,
    charged: &'static str,
    advice: &'static str,
) -> Row {
    Row {
        code,
        reason,
        details,
        charged,
        advice,
    }
}

/// Every error that this build can answer with.
pub const ROWS: [Row; 17] = [
    row(
        Code::InvalidArgument,
        "INVALID_REQUEST",
        "BadRequest with all violations at once",
        "nothing",
        "Fix the named fields. A field that is not served yet is named too.",
    ),
    row(
        Code::InvalidArgument,
        "LIMIT_UNSATISFIABLE",
        "QuotaFailure",
        "nothing",
        "The call is larger than the limit itself: lower the output cap, or split the prompt.",
    ),
    row(
        Code::Unauthenticated,
        "INVALID_CREDENTIAL",
        "",
        "nothing",
        "Send `authorization: Bearer <key>` with a key that is configured and not revoked.",
    ),
    row(
        Code::PermissionDenied,
        "MODEL_FORBIDDEN",
        "",
        "nothing",
        "Ask the platform team to allow the model or route for your team.",
    ),
    row(
        Code::NotFound,
        "UNKNOWN_MODEL",
        "ResourceInfo",
        "nothing",
        "`ListModels` tells the models that your team may use.",
    ),
    row(
        Code::NotFound,
        "UNKNOWN_ROUTE",
        "ResourceInfo",
        "nothing",
        "`ListModels` tells the routes that your team may use.",
    ),
    row(
        Code::FailedPrecondition,
        "PROMPT_REJECTED",
        "`provider` in metadata",
        "nothing",
        "The provider answered 400 or 422: change the request; a retry will fail again.",
    ),
    row(
        Code::ResourceExhausted,
        "RATE_LIMITED",
        "QuotaFailure per refused limit, RetryInfo",
        "nothing",
        "Wait as RetryInfo says, then try again.",
    ),
    row(
        Code::ResourceExhausted,
        "CONCURRENCY_LIMITED",
        "QuotaFailure per refused limit, RetryInfo",
        "nothing",
        "Wait as RetryInfo says, or send fewer calls at once.",
    ),
    row(
        Code::ResourceExhausted,
        "BUDGET_EXHAUSTED",
        "QuotaFailure, `resetTime` in metadata, RetryInfo only if waiting helps",
        "nothing",
        "With RetryInfo the budget is only held by calls in flight: wait. Without: stop until `resetTime`.",
    ),
    row(
        Code::Unavailable,
        "OVERLOADED",
        "RetryInfo",
        "nothing",
        "Try again as RetryInfo says; another replica may answer at once.",
    ),
    row(
        Code::Unavailable,
        "TARGETS_EXHAUSTED",
        "RetryInfo",
        "nothing",
        "Every target failed without being billed: try again as RetryInfo says.",
    ),
    row(
        Code::Aborted,
        "OUTCOME_UNKNOWN",
        "`costNanoUsd` in metadata",
        "the worst case of what was dispatched",
        "An attempt may be billed. Retry only if paying twice is acceptable.",
    ),
    row(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "`costNanoUsd` in metadata",
        "what was dispatched",
        "Give the call a longer deadline.",
    ),
    row(
        Code::Internal,
        "INTERNAL",
        "`costNanoUsd` in metadata",
        "what was dispatched",
        "Report it; the gateway's log has the cause.",
    ),
    row(
        Code::Unavailable,
        "STORE_UNAVAILABLE",
        "RetryInfo",
        "nothing",
        "Limits and budgets can't be looked at: try again as RetryInfo says.",
    ),
    row(
        Code::AlreadyExists,
        "IDEMPOTENCY_CONFLICT",
        "",
        "nothing",
        "The idempotency key was used for another request: use a new key.",
    ),
];

/// When to come back while the store does not answer.
const STORE_RETRY_MS: u64 = 1_000;
/// Random spread that is added to what callers are told, so that they do not come back together:
/// up to a quarter.
const SPREAD: u64 = 4;

/// The row of an error.
fn row_of(error: &Error) -> Row {
    let reason = error.reason().to_ascii_uppercase();
    let row = ROWS.into_iter().find(|row| row.reason == reason);
    row.expect("every reason has a row; a test goes through all errors")
}

/// The status of an error.
#[must_use]
pub fn status(error: &Error) -> Status {
    let Row { code, reason, .. } = row_of(error);
    let mut details = ErrorDetails::new();
    describe(error, &mut details);
    details.set_error_info(reason, DOMAIN, metadata(error));
    let retry_ms = retry_ms(error).map(spread);
    if let Some(ms) = retry_ms {
        details.set_retry_info(Some(Duration::from_millis(ms)));
    }
    let mut status = Status::with_error_details(code, message(error), details);
    push_back(&mut status, retry_ms);
    status
}

/// What a person reads. Programs read the details.
fn message(error: &Error) -> String {
    match error {
        Error::InvalidRequest(violations) => match violations.first() {
            Some(first) => format!("{}: {}", first.field, first.description),
            None => "the request is not valid".to_owned(),
        },
        Error::LimitUnsatisfiable(_) => "the call is larger than a limit itself".to_owned(),
        Error::InvalidCredential => "no valid API key".to_owned(),
        Error::ModelForbidden(what) => format!("the team may not use {}", shown(what)),
        Error::UnknownModel(name) => format!("unknown model {}", shown(name)),
        Error::UnknownRoute(name) => format!("unknown route {}", shown(name)),
        Error::PromptRejected { provider } => format!("{provider} rejected the request"),
        Error::Limited(denial) | Error::BudgetExhausted(denial) => denied(denial),
        Error::Overloaded { .. } => "the gateway has too much to do".to_owned(),
        Error::TargetsExhausted { .. } => "every target failed; nothing was charged".to_owned(),
        Error::OutcomeUnknown { .. } => "no answer, and an attempt may be billed".to_owned(),
        Error::DeadlineExceeded { .. } => "the deadline passed".to_owned(),
        Error::Internal { .. } => "internal error".to_owned(),
        Error::StoreUnavailable => "limits and budgets can't be looked at".to_owned(),
        Error::IdempotencyConflict => "the idempotency key was used for another request".to_owned(),
    }
}

/// The details beside `ErrorInfo` and `RetryInfo`.
fn describe(error: &Error, details: &mut ErrorDetails) {
    match error {
        Error::InvalidRequest(violations) => {
            let violations = violations.iter();
            let violations = violations.map(|v| FieldViolation::new(&v.field, &v.description));
            details.set_bad_request(violations.collect::<Vec<_>>());
        }
        Error::LimitUnsatisfiable(refusals) => {
            details.set_quota_failure(violations(refusals));
        }
        Error::Limited(denial) | Error::BudgetExhausted(denial) => {
            details.set_quota_failure(violations(&denial.refusals));
        }
        Error::UnknownModel(name) => {
            details.set_resource_info("model", shown(name), "", "no such model is configured");
        }
        Error::UnknownRoute(name) => {
            details.set_resource_info("route", shown(name), "", "no such route is configured");
        }
        Error::InvalidCredential
        | Error::ModelForbidden(_)
        | Error::PromptRejected { .. }
        | Error::Overloaded { .. }
        | Error::TargetsExhausted { .. }
        | Error::OutcomeUnknown { .. }
        | Error::DeadlineExceeded { .. }
        | Error::Internal { .. }
        | Error::StoreUnavailable
        | Error::IdempotencyConflict => {}
    }
}

/// The metadata of `ErrorInfo`: keys with their units, values as text.
fn metadata(error: &Error) -> HashMap<String, String> {
    let mut metadata = HashMap::new();
    match error {
        Error::PromptRejected { provider } => {
            metadata.insert("provider".to_owned(), provider.to_string());
        }
        Error::BudgetExhausted(denial) => describe_budget(denial, &mut metadata),
        Error::OutcomeUnknown { cost }
        | Error::DeadlineExceeded { cost }
        | Error::Internal { cost } => {
            metadata.insert("costNanoUsd".to_owned(), cost.nanos().to_string());
        }
        Error::InvalidRequest(_)
        | Error::LimitUnsatisfiable(_)
        | Error::InvalidCredential
        | Error::ModelForbidden(_)
        | Error::UnknownModel(_)
        | Error::UnknownRoute(_)
        | Error::Limited(_)
        | Error::Overloaded { .. }
        | Error::TargetsExhausted { .. }
        | Error::StoreUnavailable
        | Error::IdempotencyConflict => {}
    }
    metadata
}

/// When to come back, if that helps.
const fn retry_ms(error: &Error) -> Option<u64> {
    match error {
        Error::Limited(denial) | Error::BudgetExhausted(denial) => denial.retry_after_ms,
        Error::Overloaded { retry_after_ms } | Error::TargetsExhausted { retry_after_ms } => {
            Some(*retry_after_ms)
        }
        Error::StoreUnavailable => Some(STORE_RETRY_MS),
        Error::InvalidRequest(_)
        | Error::LimitUnsatisfiable(_)
        | Error::InvalidCredential
        | Error::ModelForbidden(_)
        | Error::UnknownModel(_)
        | Error::UnknownRoute(_)
        | Error::PromptRejected { .. }
        | Error::OutcomeUnknown { .. }
        | Error::DeadlineExceeded { .. }
        | Error::Internal { .. }
        | Error::IdempotencyConflict => None,
    }
}

/// Tells clients with a gRPC retry policy when to come back, or not to.
///
/// A time goes with UNAVAILABLE alone: grpc-java takes it as an order to retry, whatever codes its
/// policy names, and waits with it until the deadline, so that its caller never sees our details.
fn push_back(status: &mut Status, retry_ms: Option<u64>) {
    let told = match (status.code(), retry_ms) {
        (Code::Unavailable, Some(ms)) => i64::try_from(ms).unwrap_or(i64::MAX),
        (Code::ResourceExhausted | Code::InvalidArgument, None) => -1,
        _ => return,
    };
    let value = MetadataValue::try_from(told.to_string()).expect("digits");
    status
        .metadata_mut()
        .insert("grpc-retry-pushback-ms", value);
}

fn spread(ms: u64) -> u64 {
    ms.saturating_add(fastrand::u64(0..=(ms / SPREAD)))
}

/// What a caller sent, in a form that can't break a line.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}

fn denied(denial: &Denial) -> String {
    let names: Vec<&str> = denial.refusals.iter().map(name).collect();
    let names = if names.is_empty() {
        "the queue".to_owned()
    } else {
        names.join(", ")
    };
    match denial.retry_after_ms {
        Some(ms) => format!("refused by {names}; try again in {ms} ms"),
        None => format!("refused by {names}; waiting does not help"),
    }
}

fn name(refusal: &Refusal) -> &str {
    match refusal {
        Refusal::Rate { limit, .. }
        | Refusal::Unsatisfiable { limit, .. }
        | Refusal::Concurrency { limit, .. } => limit,
        Refusal::Cooldown { .. } => "cooldown",
        Refusal::Budget { balance, .. } => &balance.name,
    }
}

fn violations(refusals: &[Refusal]) -> Vec<QuotaViolation> {
    refusals.iter().map(violation).collect()
}

fn violation(refusal: &Refusal) -> QuotaViolation {
    let (subject, description, value) = match refusal {
        Refusal::Rate { limit, wait_ms } => (
            limit.to_string(),
            format!("too little left now; it fits in {wait_ms} ms"),
            0,
        ),
        Refusal::Unsatisfiable {
            limit,
            need,
            capacity,
        } => (
            limit.to_string(),
            format!("the call takes {need} and the limit is {capacity}"),
            i64::try_from(*capacity).unwrap_or(i64::MAX),
        ),
        Refusal::Concurrency { limit, bound } => (
            limit.to_string(),
            format!("{bound} calls are in flight"),
            i64::try_from(*bound).unwrap_or(i64::MAX),
        ),
        Refusal::Cooldown { wait_ms } => (
            "cooldown".to_owned(),
            format!("the provider asked for {wait_ms} ms"),
            0,
        ),
        Refusal::Budget { balance, need } => (
            format!("budget:{}", balance.name),
            format!(
                "the call holds {need} dollars; {} of {} are spent and {} held in {}",
                balance.spent,
                balance.limit.unwrap_or(Money::ZERO),
                balance.held,
                balance.window.id
            ),
            balance.limit.unwrap_or(Money::ZERO).nanos(),
        ),
    };
    QuotaViolation {
        subject: subject.clone(),
        description,
        api_service: DOMAIN.to_owned(),
        quota_metric: subject,
        quota_value: value,
        ..QuotaViolation::default()
    }
}

/// The balance of the budget that refuses hardest: the one that resets last.
fn describe_budget(denial: &Denial, metadata: &mut HashMap<String, String>) {
    let budgets = denial.refusals.iter().filter_map(|refusal| match refusal {
        Refusal::Budget { balance, need } => Some((balance, need)),
        _ => None,
    });
    let Some((balance, need)) = budgets.max_by_key(|(balance, _)| balance.window.ends_at) else {
        return;
    };
    let limit = balance.limit.unwrap_or(Money::ZERO);
    let mut note = |key: &str, value: String| metadata.insert(key.to_owned(), value);
    note("budget", balance.name.to_string());
    note("limitNanoUsd", limit.nanos().to_string());
    note("spentNanoUsd", balance.spent.nanos().to_string());
    note("heldNanoUsd", balance.held.nanos().to_string());
    note("neededNanoUsd", need.nanos().to_string());
    if let Some(end) = balance.window.ends_at {
        note("resetTime", rfc3339(end));
    }
}

#[cfg(test)]
mod tests;
