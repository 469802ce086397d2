//! Why an operator does not get what was asked for.

use crate::error::{StoreError, Violation};
use std::fmt;
use tollgate_core::Money;

/// Why an operator does not get what was asked for. `grpc/admin/status.rs` has the codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request is wrong, in all these ways.
    Invalid(Vec<Violation>),
    /// No operator's key.
    Nobody,
    /// No such team.
    UnknownTeam(String),
    /// No such key.
    UnknownKey(String),
    /// No such deployment.
    UnknownTarget(String),
    /// The id of a key is taken.
    KeyExists(String),
    /// The configuration has the key, so only it can end it.
    KeyConfigured(String),
    /// There are too many keys and drained deployments.
    TooMany(usize),
    /// The budget has no bound that could be raised.
    Unbounded {
        /// The team.
        team: String,
        /// The budget.
        budget: String,
    },
    /// The request id raised a bound by another amount already, or another bound.
    RequestReused {
        /// The request id.
        request: String,
        /// By how much it raised a bound.
        amount: Money,
    },
    /// A configuration that can't be used.
    Unusable(String),
    /// The system gave no randomness.
    Randomness,
    /// The store gave no answer.
    Unavailable(StoreError),
}

impl Refusal {
    /// One field is wrong.
    pub fn invalid(field: &str, description: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(field, description)])
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(violations) => {
                let told = violations.iter();
                let told = told.map(|v| format!("{}: {}", v.field, v.description));
                f.write_str(&told.collect::<Vec<_>>().join("; "))
            }
            Self::Nobody => f.write_str(
                "no operator's key; send one of [admin] as `authorization: Bearer <key>`",
            ),
            Self::UnknownTeam(team) => {
                write!(f, "no team {team:?} is configured; add [teams.{team}] first")
            }
            Self::UnknownKey(id) => write!(f, "no key has the id {id:?}; `keys list` shows all"),
            Self::UnknownTarget(name) => write!(
                f,
                "no deployment {name:?} is configured; `targets list` shows all"
            ),
            Self::KeyExists(id) => write!(f, "the id {id:?} is taken; choose another, or none"),
            Self::KeyConfigured(id) => write!(
                f,
                "the configuration has the key {id:?}: remove it there on every gateway, and send \
                 SIGHUP or reload"
            ),
            Self::TooMany(most) => write!(
                f,
                "there are {most} keys already, revoked ones included, which is the most"
            ),
            Self::Unbounded { team, budget } => write!(
                f,
                "the {budget} of {team:?} has no bound to raise; add one to budgets in [teams.{team}]"
            ),
            Self::RequestReused { request, amount } => write!(
                f,
                "the request id {request:?} added {amount} dollars already; use another id"
            ),
            Self::Unusable(problems) => write!(f, "the old configuration stays: {problems}"),
            Self::Randomness => f.write_str("the system gave no random bytes; try again"),
            // The cause is for the log.
            Self::Unavailable(_) => f.write_str(
                "the store does not answer, and it is not known whether anything changed; try again",
            ),
        }
    }
}

impl std::error::Error for Refusal {}
