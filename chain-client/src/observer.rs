//! What happened, told once: each event moves the counts for the display, the metrics and the log,
//! so that the three cannot disagree.

use crate::{
    metrics::Metrics,
    row::{ArticleRow, ArticleStatus, CallRow, Role, StepRow, StepStatus},
    step::Step,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The counts of one step so far.
#[derive(Debug, Default)]
pub(crate) struct StepCounts {
    pub(crate) running: AtomicU32,
    pub(crate) ok: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) repairs: AtomicU64,
}

/// Takes events as they happen.
pub(crate) struct Observer {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) steps: [StepCounts; 4],
    pub(crate) in_flight: AtomicU32,
    pub(crate) ok: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) unfit: AtomicU64,
    pub(crate) cost_nano_usd: AtomicI64,
    /// How many things the input holds; 0 while that is not known.
    pub(crate) expected: AtomicU64,
}

impl Observer {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            steps: Default::default(),
            in_flight: AtomicU32::new(0),
            ok: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            unfit: AtomicU64::new(0),
            cost_nano_usd: AtomicI64::new(0),
            expected: AtomicU64::new(0),
        }
    }

    pub(crate) fn article_started(&self) {
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.metrics.articles_in_flight(now);
    }

    /// An article that was worked on has ended.
    pub(crate) fn article_ended(&self, row: &ArticleRow) {
        let now = self.in_flight.fetch_sub(1, Relaxed).saturating_sub(1);
        self.metrics.articles_in_flight(now);
        self.metrics
            .article_ended(row.status, Some(Duration::from_millis(row.ms)));
        for step in Step::ALL {
            let step_row = row.step(step);
            if matches!(
                step_row.status,
                StepStatus::SkippedUpstream | StepStatus::NotStarted
            ) {
                self.metrics.step_passed_over(step, step_row);
            }
        }
        match (row.status, row.fault()) {
            (ArticleStatus::Ok, _) => {
                self.ok.fetch_add(1, Relaxed);
                tracing::info!(article = %row.id, ms = row.ms, cost = %row.cost(), "article_finished");
            }
            (_, Some((step, fault))) => {
                self.failed.fetch_add(1, Relaxed);
                tracing::warn!(article = %row.id, step = step.name(), class = fault.class.name(),
                    error = %fault.message, "article_failed");
            }
            (_, None) => {}
        }
    }

    /// Something of the input was not sent.
    pub(crate) fn passed_over(&self, row: &ArticleRow) {
        self.metrics.article_ended(row.status, None);
        if row.status != ArticleStatus::NotStarted {
            self.unfit.fetch_add(1, Relaxed);
            let reason = row.reason.as_deref().unwrap_or_default();
            tracing::warn!(article = %row.id, status = row.status.name(), %reason, "article_not_sent");
        }
    }

    pub(crate) fn step_started(&self, step: Step) {
        self.steps[step.index()].running.fetch_add(1, Relaxed);
    }

    pub(crate) fn step_ended(&self, step: Step, article: &str, row: &StepRow) {
        let counts = &self.steps[step.index()];
        counts.running.fetch_sub(1, Relaxed);
        match row.status {
            StepStatus::Ok => counts.ok.fetch_add(1, Relaxed),
            _ => counts.failed.fetch_add(1, Relaxed),
        };
        self.metrics.step_ended(step, row);
        tracing::info!(article, step = step.name(), status = ?row.status, ms = row.ms,
            calls = row.calls.len(), model = row.model().unwrap_or_default(), cost = %row.cost(),
            "step_finished");
    }

    pub(crate) fn repair_asked(&self, step: Step, article: &str, errors: &[String]) {
        tracing::info!(
            article,
            step = step.name(),
            problems = errors.len(),
            "repair_asked"
        );
    }

    pub(crate) fn call_ended(&self, step: Step, call: &CallRow) {
        let counts = &self.steps[step.index()];
        match call.role {
            Role::Primary => {}
            Role::Retry => {
                counts.retries.fetch_add(1, Relaxed);
            }
            Role::Repair => {
                counts.repairs.fetch_add(1, Relaxed);
            }
        }
        self.cost_nano_usd.fetch_add(call.cost_nano_usd, Relaxed);
        self.metrics.call_ended(step, call);
        tracing::debug!(step = step.name(), role = call.role.name(), outcome = %call.outcome,
            call_id = %call.call_id, model = %call.model, ms = call.ms, fallback = call.fallback,
            "call_finished");
    }

    pub(crate) fn rpc_handled(&self, code: tonic::Code) {
        self.metrics.rpc_handled(code);
    }

    pub(crate) fn backed_off(&self, pause: Duration) {
        self.metrics.backed_off(pause);
    }
}
