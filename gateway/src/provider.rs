//! The port to providers: one upstream call, translated.
//!
//! An adapter only translates. It does not retry, account, time out or log: these exist once, in
//! `complete/`, which decides by [`FailureKind`] alone.

use crate::call::Call;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tollgate_core::Usage;

pub mod anthropic;
pub mod http;
pub mod openai;

/// A provider account that completes calls.
pub trait Provider: Send + Sync {
    /// Makes one upstream call.
    ///
    /// The future owns all it needs, so that it can be finished by somebody else when the caller
    /// hangs up.
    fn complete(&self, ask: Ask) -> BoxFuture<'static, Result<Answer, Failure>>;
}

/// One upstream call.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What the caller asked for.
    pub call: Arc<Call>,
    /// The model's name at the provider.
    pub model: Arc<str>,
    /// The output cap in tokens, reasoning included.
    pub max_output_tokens: u64,
}

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The model's text; may be empty when it refused.
    pub text: String,
    /// Why it stopped.
    pub finish: Finish,
    /// The tokens as the provider counted them; `None` if it did not say.
    pub usage: Option<Usage>,
    /// What the provider says is left of its quota.
    pub quota: Quota,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    /// The answer is complete.
    Stop,
    /// The output cap was reached.
    Length,
    /// A content filter or the model refused.
    ContentFilter,
    /// The provider gave a reason that we do not know.
    Other,
}

/// What is left of a provider's quota, from its rate-limit headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Requests left.
    pub requests: Option<u64>,
    /// Tokens left, input and output together.
    pub tokens: Option<u64>,
    /// Input tokens left.
    pub input_tokens: Option<u64>,
    /// Output tokens left.
    pub output_tokens: Option<u64>,
}

/// An upstream call that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to do about it.
    pub kind: FailureKind,
    /// For the log: our own words, or the provider's error code, never its text.
    pub detail: String,
    /// How long the provider asked to be left alone, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The HTTP status, if there was one.
    pub http_status: Option<u16>,
    /// What the provider says is left of its quota.
    pub quota: Quota,
}

impl Failure {
    /// A failure without anything but its kind and a word for the log.
    #[must_use]
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after_ms: None,
            http_status: None,
            quota: Quota::default(),
        }
    }
}

/// What a failure means for the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// 429: the provider's rate limit.
    Throttled,
    /// 5xx, with a complete response.
    Unavailable,
    /// No connection: nothing was sent.
    Unreachable,
    /// 401, 403, 404, or a redirect: our configuration, or the account.
    Misconfigured,
    /// The prompt does not fit the model's context window.
    ContextOverflow,
    /// 400, 422: the request itself.
    Rejected,
    /// It was sent, and no complete answer came: it may be billed.
    Unknown,
    /// A 200 that could not be understood: it may be billed.
    Garbled,
}

impl FailureKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Throttled,
        Self::Unavailable,
        Self::Unreachable,
        Self::Misconfigured,
        Self::ContextOverflow,
        Self::Rejected,
        Self::Unknown,
        Self::Garbled,
    ];

    /// Its name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
            Self::Misconfigured => "misconfigured",
            Self::ContextOverflow => "context_overflow",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Garbled => "garbled",
        }
    }

    /// Whether the same target may be asked again.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Throttled | Self::Unavailable | Self::Unreachable => true,
            Self::Misconfigured
            | Self::ContextOverflow
            | Self::Rejected
            | Self::Unknown
            | Self::Garbled => false,
        }
    }

    /// Whether another target can help.
    #[must_use]
    pub const fn is_recoverable(self) -> bool {
        match self {
            Self::Rejected => false,
            Self::Throttled
            | Self::Unavailable
            | Self::Unreachable
            | Self::Misconfigured
            | Self::ContextOverflow
            | Self::Unknown
            | Self::Garbled => true,
        }
    }

    /// Whether the provider may bill it, so that it is charged at its worst case.
    #[must_use]
    pub const fn may_be_billed(self) -> bool {
        match self {
            Self::Unknown | Self::Garbled => true,
            Self::Throttled
            | Self::Unavailable
            | Self::Unreachable
            | Self::Misconfigured
            | Self::ContextOverflow
            | Self::Rejected => false,
        }
    }

    /// Whether it counts against the deployment's breaker.
    #[must_use]
    pub const fn is_deployments_fault(self) -> bool {
        match self {
            Self::Unavailable
            | Self::Unreachable
            | Self::Misconfigured
            | Self::Unknown
            | Self::Garbled => true,
            // A rate limit has its own cure, and the caller's prompt is the caller's.
            Self::Throttled | Self::ContextOverflow | Self::Rejected => false,
        }
    }
}
