//! What operators are refused with: a code, a reason, and what to do.

use super::super::{DOMAIN, status as known};
use crate::{
    error::{Error, StoreError},
    operators::Refusal,
};
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The status of a refusal.
pub(super) fn status(refusal: &Refusal) -> Status {
    let (code, reason) = match refusal {
        Refusal::Invalid(violations) => {
            return known(&Error::InvalidRequest(violations.clone()));
        }
        Refusal::Unavailable(error) => {
            let StoreError { detail } = error;
            tracing::warn!(event = "operator_unanswered", detail);
            (Code::Unavailable, "STORE_UNAVAILABLE")
        }
        Refusal::Nobody => (Code::Unauthenticated, "INVALID_CREDENTIAL"),
        Refusal::UnknownTeam(_) => (Code::NotFound, "UNKNOWN_TEAM"),
        Refusal::UnknownKey(_) => (Code::NotFound, "UNKNOWN_KEY"),
        Refusal::UnknownTarget(_) => (Code::NotFound, "UNKNOWN_TARGET"),
        Refusal::KeyExists(_) => (Code::AlreadyExists, "KEY_EXISTS"),
        Refusal::KeyConfigured(_) => (Code::FailedPrecondition, "KEY_CONFIGURED"),
        Refusal::TooMany(_) => (Code::FailedPrecondition, "TOO_MANY"),
        Refusal::Unbounded { .. } => (Code::FailedPrecondition, "BUDGET_UNBOUNDED"),
        Refusal::RequestReused { .. } => (Code::AlreadyExists, "IDEMPOTENCY_CONFLICT"),
        Refusal::Unusable(_) => (Code::FailedPrecondition, "CONFIG_REJECTED"),
        Refusal::Randomness => (Code::Internal, "INTERNAL"),
    };
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, refusal.to_string(), details)
}
