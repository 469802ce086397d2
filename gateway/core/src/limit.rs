//! Limits: what bounds a team or a deployment.

use crate::{budget::BudgetSpec, hold::Need};
use std::{fmt, sync::Arc};

/// The largest integer that a double keeps exactly. Redis scripts compute in doubles.
pub const LARGEST_EXACT: u64 = (1 << 53) - 1;

/// Who is bounded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// A team, by name.
    Team(Arc<str>),
    /// A deployment, as `<provider>/<name>`.
    Deployment(Arc<str>),
}

impl Scope {
    /// The name of the team or deployment.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Team(name) | Self::Deployment(name) => name,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Team(name) => write!(f, "team {name}"),
            Self::Deployment(name) => write!(f, "deployment {name}"),
        }
    }
}

/// What a bucket counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Calls or attempts.
    Requests,
    /// Input and output tokens together.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
}

impl Unit {
    /// The part of `need` that this unit counts.
    #[must_use]
    pub const fn of(self, need: &Need) -> u64 {
        match self {
            Self::Requests => need.requests,
            Self::Tokens => need.input_tokens.saturating_add(need.output_tokens),
            Self::InputTokens => need.input_tokens,
            Self::OutputTokens => need.output_tokens,
        }
    }

    /// The name of a per-minute limit of this unit, as in the configuration.
    #[must_use]
    pub const fn per_minute(self) -> &'static str {
        match self {
            Self::Requests => "requests_per_minute",
            Self::Tokens => "tokens_per_minute",
            Self::InputTokens => "input_tokens_per_minute",
            Self::OutputTokens => "output_tokens_per_minute",
        }
    }
}

/// A token bucket: `limit` units per `period_ms`, with room for `capacity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSpec {
    /// Its name, such as `tokens_per_minute`.
    pub name: Arc<str>,
    /// What it counts.
    pub unit: Unit,
    /// How many units flow in per period.
    pub limit: u64,
    /// The period in milliseconds.
    pub period_ms: u64,
    /// How many units it holds when full: the burst.
    pub capacity: u64,
}

impl BucketSpec {
    /// A bucket of `limit` units per minute that holds one minute's worth.
    #[must_use]
    pub fn per_minute(unit: Unit, limit: u64) -> Self {
        Self {
            name: unit.per_minute().into(),
            unit,
            limit,
            period_ms: 60_000,
            capacity: limit,
        }
    }

    /// The largest limit per minute that is computed exactly.
    pub const LARGEST_PER_MINUTE: u64 = LARGEST_EXACT / 60_000;
}

/// A bound on what runs at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GaugeSpec {
    /// Its name, such as `concurrency`.
    pub name: Arc<str>,
    /// How many holds may be open.
    pub limit: u64,
}

/// All limits and budgets of one scope. Decided together, all or nothing.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Whose they are.
    pub scope: Scope,
    /// Rate limits.
    pub buckets: Vec<BucketSpec>,
    /// Concurrency limits.
    pub gauges: Vec<GaugeSpec>,
    /// Money budgets. Only teams have them.
    pub budgets: Vec<BudgetSpec>,
}

impl Limits {
    /// A scope without any bound.
    #[must_use]
    pub const fn none(scope: Scope) -> Self {
        Self {
            scope,
            buckets: Vec::new(),
            gauges: Vec::new(),
            budgets: Vec::new(),
        }
    }

    /// Whether nothing is bounded or counted, so that no hold is needed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.gauges.is_empty() && self.budgets.is_empty()
    }
}
