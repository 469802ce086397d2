//! The sums of a run, added up row by row; no row is kept.

use crate::{
    failure::Class,
    money::Money,
    receipt::UNKNOWN_MODEL,
    row::{ArticleRow, ArticleStatus, CallRow, Role, StepRow, StepStatus, Tokens},
    step::Step,
};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Examples that are kept of a kind of failure.
const MAX_EXAMPLES: usize = 20;
/// As much of a message as is kept with an example.
const MAX_MESSAGE_CHARS: usize = 1_000;
/// Models that are kept by name; there are never so many.
const MAX_MODELS: usize = 200;

/// Times in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        // Two digits, up to a day; larger values are kept as a day.
        Self(Histogram::new_with_bounds(1, 86_400_000, 2).expect("the bounds are sound"))
    }
}

impl Times {
    pub(crate) fn add(&mut self, ms: u64) {
        self.0.saturating_record(ms.max(1));
    }

    pub(crate) fn at(&self, quantile: f64) -> u64 {
        if self.0.is_empty() {
            0
        } else {
            self.0.value_at_quantile(quantile)
        }
    }

    pub(crate) fn max(&self) -> u64 {
        self.0.max()
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }
}

/// Calls by why they were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) primary: u64,
    pub(crate) retry: u64,
    pub(crate) repair: u64,
}

impl Roles {
    fn add(&mut self, role: Role) {
        match role {
            Role::Primary => self.primary += 1,
            Role::Retry => self.retry += 1,
            Role::Repair => self.repair += 1,
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        self.primary + self.retry + self.repair
    }
}

/// The sums of one step.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepTally {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) cancelled: u64,
    pub(crate) not_started: u64,
    /// Valid at the first call, mended or not.
    pub(crate) first_try: u64,
    pub(crate) repaired_locally: u64,
    pub(crate) repaired: u64,
    pub(crate) ungrounded_dropped: u64,
    pub(crate) attempts: Roles,
    pub(crate) times: Times,
    pub(crate) busy_ms: u64,
    pub(crate) backoff_ms: u64,
    pub(crate) admission_wait_ms: u64,
    pub(crate) tokens: Tokens,
    pub(crate) cost: Money,
    /// What calls cost beyond the first that was needed: failures, retries, repairs.
    pub(crate) wasted: Money,
    pub(crate) avoided: Money,
    pub(crate) models: BTreeMap<String, u64>,
}

/// The sums of one model.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelTally {
    /// Calls that it answered.
    pub(crate) calls: u64,
    /// Answered calls by why they were made.
    pub(crate) via: Roles,
    /// Answered calls in which it was not the first that was tried.
    pub(crate) via_fallback: u64,
    pub(crate) tokens: Tokens,
    pub(crate) cost: Money,
}

/// What the gateway did within the calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GatewayTally {
    pub(crate) attempts: u64,
    pub(crate) retries: u64,
    pub(crate) fallbacks: u64,
}

/// A failure as an example of its class.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) article: String,
    pub(crate) step: Option<Step>,
    pub(crate) message: String,
}

/// Failures of one class.
#[derive(Clone, Debug, Default)]
pub(crate) struct FailureTally {
    pub(crate) count: u64,
    pub(crate) examples: Vec<Example>,
}

/// All sums of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) articles: BTreeMap<ArticleStatus, u64>,
    pub(crate) article_times: Times,
    pub(crate) steps: [StepTally; 4],
    pub(crate) models: BTreeMap<String, ModelTally>,
    pub(crate) gateway: GatewayTally,
    pub(crate) replays: u64,
    pub(crate) unknown_cost_calls: u64,
    /// By class, or by `rejected` and `skipped`.
    pub(crate) failures: BTreeMap<String, FailureTally>,
    /// From 1 to 10, for relevance and quality.
    pub(crate) scores: [[u64; 10]; 2],
    pub(crate) topics: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds an article.
    pub(crate) fn add(&mut self, row: &ArticleRow) {
        *self.articles.entry(row.status).or_default() += 1;
        if matches!(row.status, ArticleStatus::Ok | ArticleStatus::Failed) {
            self.article_times.add(row.ms);
        }
        if let Some(reason) = &row.reason {
            self.add_failure(row.status.name(), row, None, reason);
        }
        // What was never planned to be sent has no steps.
        if !matches!(row.status, ArticleStatus::Rejected | ArticleStatus::Skipped) {
            for step in Step::ALL {
                self.add_step(step, row.step(step));
            }
        }
        if let Some((step, fault)) = row.fault()
            && fault.class != Class::Cancelled
        {
            self.add_failure(fault.class.name(), row, Some(step), &fault.message);
        }
        self.add_findings(row);
    }

    fn add_failure(&mut self, class: &str, row: &ArticleRow, step: Option<Step>, message: &str) {
        let failures = self.failures.entry(class.to_owned()).or_default();
        failures.count += 1;
        if failures.examples.len() < MAX_EXAMPLES {
            let message = message.chars().take(MAX_MESSAGE_CHARS).collect();
            failures.examples.push(Example {
                article: row.id.clone(),
                step,
                message,
            });
        }
    }

    fn add_step(&mut self, step: Step, row: &StepRow) {
        let tally = &mut self.steps[step.index()];
        match row.status {
            StepStatus::Ok => tally.ok += 1,
            StepStatus::Failed => tally.failed += 1,
            StepStatus::SkippedUpstream => tally.skipped += 1,
            StepStatus::Cancelled => tally.cancelled += 1,
            StepStatus::NotStarted => tally.not_started += 1,
        }
        if matches!(row.status, StepStatus::Ok | StepStatus::Failed) {
            tally.times.add(row.ms);
        }
        tally.first_try += u64::from(row.status == StepStatus::Ok && row.calls.len() == 1);
        tally.repaired_locally += u64::from(row.repaired_locally && row.status == StepStatus::Ok);
        tally.repaired += u64::from(row.repaired);
        tally.ungrounded_dropped += u64::from(row.ungrounded_dropped);
        tally.busy_ms += row.ms;
        tally.backoff_ms += row.backoff_ms;
        for (index, call) in row.calls.iter().enumerate() {
            let last = index + 1 == row.calls.len();
            self.add_call(step, call, last && row.status == StepStatus::Ok);
        }
    }

    fn add_call(&mut self, step: Step, call: &CallRow, useful: bool) {
        let tally = &mut self.steps[step.index()];
        let cost = Money::from_nano_usd(call.cost_nano_usd);
        tally.attempts.add(call.role);
        tally.admission_wait_ms += call.waited_ms;
        tally.tokens.add(&call.tokens);
        tally.cost += cost;
        if !useful || call.role == Role::Repair {
            tally.wasted += cost;
        }
        tally.avoided += Money::from_nano_usd(call.avoided_nano_usd);
        self.gateway.attempts += u64::from(call.gateway_attempts);
        self.gateway.retries += u64::from(call.gateway_retries);
        self.gateway.fallbacks += u64::from(call.fallback);
        self.replays += u64::from(call.replayed);
        self.unknown_cost_calls += u64::from(call.cost_unknown);
        if !call.model.is_empty() {
            *tally.models.entry(call.model.clone()).or_default() += 1;
            let model = self.model(&call.model);
            model.calls += 1;
            model.via.add(call.role);
            model.via_fallback += u64::from(call.fallback);
        }
        for share in &call.shares {
            let model = self.model(&share.model);
            model.tokens.add(&share.tokens);
            model.cost += Money::from_nano_usd(share.cost_nano_usd);
        }
    }

    fn model(&mut self, name: &str) -> &mut ModelTally {
        let known = self.models.contains_key(name) || self.models.len() < MAX_MODELS;
        self.models
            .entry(if known { name } else { UNKNOWN_MODEL }.to_owned())
            .or_default()
    }

    fn add_findings(&mut self, row: &ArticleRow) {
        if let Some(output) = &row.step(Step::ScoreQuality).output {
            for (name, scores) in ["relevance", "quality"].into_iter().zip(&mut self.scores) {
                let score = output
                    .get(name)
                    .and_then(serde_json::Value::as_u64)
                    .unwrap_or(0);
                let slot = usize::try_from(score).unwrap_or(0).checked_sub(1);
                if let Some(count) = slot.and_then(|slot| scores.get_mut(slot)) {
                    *count += 1;
                }
            }
        }
        if let Some(output) = &row.step(Step::ClassifyContent).output
            && let Some(topic) = output.get("primary").and_then(|value| value.as_str())
        {
            *self.topics.entry(topic.to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn articles_with(&self, status: ArticleStatus) -> u64 {
        self.articles.get(&status).copied().unwrap_or(0)
    }

    /// All articles that were planned to be sent, and those that were rejected.
    pub(crate) fn planned(&self) -> u64 {
        self.articles.values().sum::<u64>() - self.articles_with(ArticleStatus::Skipped)
    }

    pub(crate) fn cost(&self) -> Money {
        self.steps.iter().map(|step| step.cost).sum()
    }

    pub(crate) fn avoided(&self) -> Money {
        self.steps.iter().map(|step| step.avoided).sum()
    }

    pub(crate) fn wasted(&self) -> Money {
        self.steps.iter().map(|step| step.wasted).sum()
    }

    pub(crate) fn tokens(&self) -> Tokens {
        let mut sum = Tokens::default();
        for step in &self.steps {
            sum.add(&step.tokens);
        }
        sum
    }

    pub(crate) fn attempts(&self) -> Roles {
        let mut sum = Roles::default();
        for step in &self.steps {
            sum.primary += step.attempts.primary;
            sum.retry += step.attempts.retry;
            sum.repair += step.attempts.repair;
        }
        sum
    }
}
