//! The lines of the ledger.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};

/// One line. Self-contained: whoever adds up `charge_nano_usd` by counter has the spend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When it was decided, in milliseconds since the Unix epoch, by the store's clock.
    pub at_ms: i64,
    /// What happened. `(hold, kind)` counts once: a line that repeats it changes nothing. Only
    /// `extended` and `crossed` may come again, and say then how far it got in all.
    pub kind: Kind,
    /// The team.
    pub team: Arc<str>,
    /// The hold; for a top-up, the request id; for a crossing, budget, window and mark.
    pub hold: Arc<str>,
    /// The counters that it concerns.
    pub counters: Vec<CounterRef>,
    /// What the hold took from each of them, extensions included.
    pub held_nano_usd: i64,
    /// What this line adds to the spend of each of them: the cost of a settlement, all that was
    /// held for an expiry, the difference to that for a correction, else 0.
    pub charge_nano_usd: i64,
    /// For a top-up: what it adds to the bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_up_nano_usd: Option<i64>,
    /// For a crossing: the mark in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permille: Option<u16>,
    /// For an ending: the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Arc<CallRecord>>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A hold was granted. Only the in-process store writes it; Redis keeps open holds itself.
    Held,
    /// An open hold took more.
    Extended,
    /// A hold ended with what its call really cost.
    Settled,
    /// A hold ended without a charge.
    Cancelled,
    /// A hold ended by its lease and was charged in full.
    Expired,
    /// An expiry was replaced by what really happened.
    Corrected,
    /// A budget's bound was raised for one window.
    ToppedUp,
    /// A budget passed a mark.
    Crossed,
}

/// A budget's counter in one window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterRef {
    /// `day`, `month`, or `run`.
    pub budget: Arc<str>,
    /// The id of the window; for `run`, the run.
    pub window: Arc<str>,
    /// When the window ends, in milliseconds since the Unix epoch; none for a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<i64>,
    /// For `run`: its bound, set by its first call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_nano_usd: Option<i64>,
}

/// What the ledger keeps of a call when its hold ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRecord {
    /// The pipeline, as the caller said; may be empty.
    pub pipeline: Arc<str>,
    /// The run.
    pub run: Arc<str>,
    /// The step.
    pub step: Arc<str>,
    /// The name of the prompt.
    pub prompt_name: Arc<str>,
    /// The version of the prompt.
    pub prompt_version: Arc<str>,
    /// The route that was taken; empty if a model was named.
    pub route: Arc<str>,
    /// How the call ended: `ok` or the reason of its error in lower case.
    pub outcome: Cow<'static, str>,
    /// The version of the price list.
    pub price_version: Arc<str>,
    /// All attempts, in order.
    pub attempts: Vec<AttemptRecord>,
}

/// What the ledger keeps of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptRecord {
    /// The model.
    pub model: Arc<str>,
    /// The deployment, as `<provider>/<name>`.
    pub deployment: Arc<str>,
    /// `ok` or the kind of its failure.
    pub outcome: Cow<'static, str>,
    /// Input tokens that were not cached.
    pub input_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Reasoning tokens.
    pub reasoning_tokens: u64,
    /// The cost.
    pub cost_nano_usd: i64,
    /// Whether the tokens are our own count or worst case.
    pub estimated: bool,
}
