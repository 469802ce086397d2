//! Faults: how the simulator misbehaves, for whom, and when.
//!
//! A rule is written in one way everywhere (command line, header, TOML, JSON): named values, for example
//! `model=gpt-4,first=2,action=429,retry-after=1`. `spec` holds the grammar.

mod matching;
pub mod spec;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::Api;

pub(crate) use matching::Seen;

/// One rule of misbehaviour.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Which requests it may hit.
    pub scope: Scope,
    /// Which of those it does hit.
    pub schedule: Schedule,
    /// Wait this long before acting.
    pub delay: Duration,
    /// What happens.
    pub action: Action,
}

impl Fault {
    /// A rule that hits every request.
    pub fn always(action: Action) -> Self {
        Self {
            scope: Scope::default(),
            schedule: Schedule::Always,
            delay: Duration::ZERO,
            action,
        }
    }

    /// A rule that hits the first `count` requests.
    pub fn first(count: u64, action: Action) -> Self {
        Self {
            schedule: Schedule::First(count),
            ..Self::always(action)
        }
    }

    /// The same rule for one model only.
    #[must_use]
    pub fn for_model(mut self, model: impl Into<String>) -> Self {
        self.scope.model = Some(model.into());
        self
    }
}

/// Which requests a rule is about; what is `None` matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The model, exactly.
    pub model: Option<String>,
    /// The API.
    pub api: Option<Api>,
    /// The beginning of the path.
    pub path: Option<String>,
    /// A text that stands somewhere in the prompt.
    pub contains: Option<String>,
}

/// When a matching rule acts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// On each matching request.
    Always,
    /// On the first so many.
    First(u64),
    /// After the first so many.
    After(u64),
    /// On each n-th: the n-th, the 2n-th, ...
    Every(u64),
    /// On a share of them, drawn from a seeded generator.
    Probability {
        /// From 0 to 1.
        share: f64,
        /// The generator's seed.
        seed: u64,
    },
}

/// A `retry-after` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// None is sent.
    Absent,
    /// In seconds.
    Seconds(u64),
    /// As an HTTP date, so many seconds from now.
    Date(u64),
}

/// What a client may be refused with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// 429.
    TooManyRequests,
    /// 429 for an account without money; waiting does not help.
    QuotaExhausted,
    /// 500.
    ServerError,
    /// 502, with the HTML page of a proxy.
    BadGateway,
    /// 503.
    Unavailable,
    /// 529, Anthropic's "overloaded".
    Overloaded,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404: no such model.
    NotFound,
    /// 400.
    BadRequest,
    /// 400: the prompt does not fit.
    ContextLength,
    /// 422.
    Unprocessable,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// An error response in the API's own form.
    Refuse(Refused, RetryAfter),
    /// Never answers; holds the connection until the client leaves.
    Hang,
    /// Half of the answer, then silence.
    Stall,
    /// Nothing but the rule's delay.
    Slow,
    /// A body shorter than its content-length, then a closed connection.
    CutBody,
    /// Closes the connection before the first byte.
    Close,
    /// 200 with a body that is not JSON.
    InvalidJson,
    /// 200 with no body.
    Empty,
    /// 200 with an error inside (in a stream: half of the answer, then the error).
    ErrorInside,
    /// A correct answer without `usage`.
    UsageMissing,
    /// Usage below zero.
    UsageNegative,
    /// So many output tokens are reported and billed, whatever the cap.
    UsageOutput(u64),
    /// So many input tokens are reported as read from the prompt cache.
    UsageCached(u64),
    /// So many reasoning tokens come on top of the answer.
    UsageReasoning(u64),
    /// 302 to this place.
    Redirect(String),
    /// The answer is cut in half, with the finish reason of a cap.
    Truncate,
    /// Prose in place of the JSON asked for.
    Prose,
    /// The JSON in a Markdown fence.
    Fenced,
    /// Valid JSON without one required property.
    MissingProperty,
    /// Valid JSON with a value outside of an enum.
    WrongEnum,
    /// The model declines.
    Refusal,
    /// The provider's content filter stops the answer.
    ContentFilter,
    /// A body of so many MiB.
    Oversize(u64),
}

/// The rules in force, each with its count of matching requests.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Armed>>);

#[derive(Debug)]
struct Armed {
    fault: Fault,
    matched: u64,
    dice: fastrand::Rng,
}

/// How often a rule matched, for the control endpoint.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RuleState {
    pub(crate) rule: String,
    pub(crate) matched: u64,
}

impl Faults {
    /// Adds a rule after those in force.
    pub(crate) fn push(&self, fault: Fault) {
        let seed = match fault.schedule {
            Schedule::Probability { seed, .. } => seed,
            Schedule::Always | Schedule::First(_) | Schedule::After(_) | Schedule::Every(_) => 0,
        };
        self.armed().push(Armed {
            fault,
            matched: 0,
            dice: fastrand::Rng::with_seed(seed),
        });
    }

    /// Drops all rules.
    pub(crate) fn clear(&self) {
        self.armed().clear();
    }

    /// Whether no rule is in force.
    pub(crate) fn is_empty(&self) -> bool {
        self.armed().is_empty()
    }

    /// The first rule that hits this request. Rules before it count the request as matched.
    pub(crate) fn strike(&self, seen: &Seen<'_>) -> Option<Fault> {
        self.armed().iter_mut().find_map(|armed| armed.strike(seen))
    }

    /// The rules and their counts.
    pub(crate) fn states(&self) -> Vec<RuleState> {
        self.armed()
            .iter()
            .map(|armed| RuleState {
                rule: format!("{:?}", armed.fault),
                matched: armed.matched,
            })
            .collect()
    }

    fn armed(&self) -> std::sync::MutexGuard<'_, Vec<Armed>> {
        // A panic elsewhere leaves the list whole: every change to it is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
