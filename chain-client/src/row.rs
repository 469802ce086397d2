//! What the report keeps of an article: its steps, and the calls of each step.
//!
//! Every figure of the report is a sum over these rows, so that the sums agree by construction.

use crate::{failure::Class, money::Money, step::Step};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Tokens in disjoint classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) input: i64,
    pub(crate) cache_read: i64,
    pub(crate) cache_write: i64,
    pub(crate) output: i64,
    pub(crate) reasoning: i64,
}

impl Tokens {
    /// All tokens that went in.
    pub(crate) fn all_input(&self) -> i64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
    }

    /// All tokens that came out.
    pub(crate) fn all_output(&self) -> i64 {
        self.output.saturating_add(self.reasoning)
    }

    /// Adds another count.
    pub(crate) fn add(&mut self, other: &Self) {
        self.input = self.input.saturating_add(other.input);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
        self.output = self.output.saturating_add(other.output);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
    }
}

/// Why a call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// The first try.
    Primary,
    /// The same again after a failure, or with a larger output cap.
    Retry,
    /// A request to mend an answer that does not obey its schema.
    Repair,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Retry => "retry",
            Self::Repair => "repair",
        }
    }
}

/// What one model did within a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModelShare {
    pub(crate) model: String,
    pub(crate) tokens: Tokens,
    pub(crate) cost_nano_usd: i64,
}

/// One call of the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CallRow {
    pub(crate) role: Role,
    /// `ok`, or the class of the failure.
    pub(crate) outcome: String,
    /// The gateway's id of the call; empty if it failed.
    pub(crate) call_id: String,
    /// The model that answered; empty if none did.
    pub(crate) model: String,
    pub(crate) route: String,
    pub(crate) tokens: Tokens,
    /// What this run paid for the call.
    pub(crate) cost_nano_usd: i64,
    /// What a replayed answer would have cost.
    pub(crate) avoided_nano_usd: i64,
    pub(crate) replayed: bool,
    /// True if the call may have cost something that nobody told us.
    pub(crate) cost_unknown: bool,
    pub(crate) gateway_attempts: u32,
    pub(crate) gateway_retries: u32,
    /// True if the model that answered was not the first that was tried.
    pub(crate) fallback: bool,
    /// How long the gateway made the call wait for admission.
    pub(crate) waited_ms: u64,
    /// When the call started, from the start of the run.
    pub(crate) at_ms: u64,
    pub(crate) ms: u64,
    /// Who did what; the costs add up to `cost_nano_usd`.
    pub(crate) shares: Vec<ModelShare>,
}

/// How a step of an article ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepStatus {
    Ok,
    Failed,
    /// An earlier step of the article failed.
    SkippedUpstream,
    /// The run stopped while the step ran.
    Cancelled,
    /// The run stopped before the step.
    #[default]
    NotStarted,
}

/// What went wrong, in a closed class and in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) class: Class,
    pub(crate) message: String,
}

/// One step of one article.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepRow {
    pub(crate) status: StepStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Fault>,
    /// When the step started, from the start of the run.
    pub(crate) at_ms: u64,
    pub(crate) ms: u64,
    /// How much of `ms` was spent waiting to try again.
    pub(crate) backoff_ms: u64,
    /// The answer was mended without another call.
    pub(crate) repaired_locally: bool,
    /// The answer was mended by another call.
    pub(crate) repaired: bool,
    /// Names that do not occur in the article and were dropped.
    pub(crate) ungrounded_dropped: u32,
    pub(crate) calls: Vec<CallRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Value>,
}

impl StepRow {
    pub(crate) fn cost(&self) -> Money {
        self.calls
            .iter()
            .map(|call| Money::from_nano_usd(call.cost_nano_usd))
            .sum()
    }

    pub(crate) fn avoided(&self) -> Money {
        self.calls
            .iter()
            .map(|call| Money::from_nano_usd(call.avoided_nano_usd))
            .sum()
    }

    pub(crate) fn tokens(&self) -> Tokens {
        let mut sum = Tokens::default();
        for call in &self.calls {
            sum.add(&call.tokens);
        }
        sum
    }

    /// The model of the last call that answered.
    pub(crate) fn model(&self) -> Option<&str> {
        self.calls
            .iter()
            .rev()
            .map(|call| call.model.as_str())
            .find(|model| !model.is_empty())
    }
}

/// How an article ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArticleStatus {
    /// All steps gave a valid answer.
    Ok,
    /// A step failed.
    Failed,
    /// Not fit to be sent: empty, binary, too large, not UTF-8, or a bad line.
    Rejected,
    /// Not an article: a file of a kind that is not read.
    Skipped,
    /// The run stopped while the article was worked on.
    Cancelled,
    /// The run stopped before the article.
    NotStarted,
}

impl ArticleStatus {
    pub(crate) const ALL: [Self; 6] = [
        Self::Ok,
        Self::Failed,
        Self::Rejected,
        Self::Skipped,
        Self::Cancelled,
        Self::NotStarted,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::NotStarted => "not_started",
        }
    }
}

/// One article of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ArticleRow {
    /// The place in the input, from 1.
    pub(crate) n: u64,
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) title: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) status: ArticleStatus,
    /// Why it was rejected or skipped, as `reason: detail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) at_ms: u64,
    pub(crate) ms: u64,
    /// In the order of [`Step::ALL`].
    pub(crate) steps: [StepRow; 4],
}

impl ArticleRow {
    pub(crate) fn step(&self, step: Step) -> &StepRow {
        &self.steps[step.index()]
    }

    pub(crate) fn cost(&self) -> Money {
        self.steps.iter().map(StepRow::cost).sum()
    }

    /// The step that failed or was cut off, and why.
    pub(crate) fn fault(&self) -> Option<(Step, &Fault)> {
        Step::ALL
            .into_iter()
            .find_map(|step| self.step(step).error.as_ref().map(|fault| (step, fault)))
    }
}
