//! The metrics of a run, in the form of Prometheus.
//!
//! All of them are in one table; every combination of their labels is known beforehand and starts
//! at 0, so that the first failure shows up as an increase. No label carries text from outside.

mod document;
mod server;
mod table;

pub(crate) use document::markdown;
pub(crate) use server::Server;
pub(crate) use table::{Family, Kind, families};

use crate::{
    failure::Class,
    row::{ArticleStatus, CallRow, Role, StepRow, StepStatus},
    step::{CHAIN, Step},
};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use std::time::Duration;
use tonic::Code;

const METADATA: Metadata<'static> = Metadata::new("chain_client", Level::INFO, None);

/// The recorder of one run; it is no global, so that tests do not share it.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &table::SECONDS)
            .expect("the buckets are not empty")
            .build_recorder();
        let metrics = Self {
            handle: recorder.handle(),
            recorder,
        };
        for family in families() {
            let name = KeyName::from_const_str(family.name);
            match family.kind {
                Kind::Counter => metrics
                    .recorder
                    .describe_counter(name, None, family.help.into()),
                Kind::Gauge => metrics
                    .recorder
                    .describe_gauge(name, None, family.help.into()),
                Kind::Histogram => {
                    metrics
                        .recorder
                        .describe_histogram(name, None, family.help.into());
                }
            }
            metrics.register(family);
        }
        metrics
            .gauge(table::BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))])
            .set(1.0);
        metrics
    }

    /// The text that Prometheus reads.
    pub(crate) fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }

    fn register(&self, family: &Family) {
        // Without a time budget there is none left to show.
        if family.name == table::TIME_LEFT || family.name == table::LAST_SUCCESS {
            return;
        }
        for labels in table::combinations(family) {
            match family.kind {
                Kind::Counter => self.counter(family.name, &labels).increment(0),
                Kind::Gauge => self.gauge(family.name, &labels).set(0.0),
                Kind::Histogram => drop(self.histogram(family.name, &labels)),
            }
        }
    }

    fn counter(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Counter {
        self.recorder
            .register_counter(&key(name, labels), &METADATA)
    }

    fn gauge(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Gauge {
        self.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    fn histogram(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Histogram {
        self.recorder
            .register_histogram(&key(name, labels), &METADATA)
    }

    pub(crate) fn call_ended(&self, step: Step, call: &CallRow) {
        let (step, role) = (("step", step.name()), ("role", call.role.name()));
        self.counter(table::ATTEMPTS, &[CHAIN_LABEL, step, role])
            .increment(1);
        self.counter(table::COST, &[CHAIN_LABEL, step, role])
            .increment(u64::try_from(call.cost_nano_usd).unwrap_or(0));
        self.counter(table::AVOIDED, &[CHAIN_LABEL])
            .increment(u64::try_from(call.avoided_nano_usd).unwrap_or(0));
        if let Some(class) = Class::ALL
            .into_iter()
            .find(|class| class.name() == call.outcome)
        {
            self.counter(
                table::ATTEMPT_ERRORS,
                &[CHAIN_LABEL, ("class", class.name())],
            )
            .increment(1);
        }
        let tokens = &call.tokens;
        for (kind, count) in [
            ("input", tokens.input),
            ("cache_read", tokens.cache_read),
            ("cache_write", tokens.cache_write),
            ("output", tokens.output),
            ("reasoning", tokens.reasoning),
        ] {
            self.counter(table::TOKENS, &[CHAIN_LABEL, step, ("type", kind)])
                .increment(u64::try_from(count).unwrap_or(0));
        }
        self.histogram(table::CALL_SECONDS, &[("grpc_method", "Complete")])
            .record(Duration::from_millis(call.ms));
    }

    pub(crate) fn rpc_handled(&self, code: Code) {
        let labels = [
            ("grpc_method", "Complete"),
            ("grpc_code", table::code_name(code)),
        ];
        self.counter(table::CALLS_HANDLED, &labels).increment(1);
    }

    pub(crate) fn step_ended(&self, step: Step, row: &StepRow) {
        let step = ("step", step.name());
        let outcome = ("outcome", step_outcome(row));
        self.counter(table::STEPS, &[CHAIN_LABEL, step, outcome])
            .increment(1);
        self.histogram(table::STEP_SECONDS, &[CHAIN_LABEL, step])
            .record(Duration::from_millis(row.ms));
    }

    pub(crate) fn step_passed_over(&self, step: Step, row: &StepRow) {
        let labels = [
            CHAIN_LABEL,
            ("step", step.name()),
            ("outcome", step_outcome(row)),
        ];
        self.counter(table::STEPS, &labels).increment(1);
    }

    pub(crate) fn article_ended(&self, status: ArticleStatus, took: Option<Duration>) {
        self.counter(table::ARTICLES, &[CHAIN_LABEL, ("outcome", status.name())])
            .increment(1);
        if let Some(took) = took {
            self.histogram(table::ARTICLE_SECONDS, &[CHAIN_LABEL])
                .record(took);
        }
    }

    pub(crate) fn articles_in_flight(&self, count: u32) {
        self.gauge(table::IN_FLIGHT, &[CHAIN_LABEL])
            .set(f64::from(count));
        self.gauge(table::CONCURRENCY, &[CHAIN_LABEL, ("kind", "in_use")])
            .set(f64::from(count));
    }

    pub(crate) fn concurrency(&self, target: u32) {
        self.gauge(table::CONCURRENCY, &[CHAIN_LABEL, ("kind", "target")])
            .set(f64::from(target));
    }

    pub(crate) fn backed_off(&self, pause: Duration) {
        self.histogram(table::BACKOFF_SECONDS, &[CHAIN_LABEL])
            .record(pause);
    }

    pub(crate) fn time_left(&self, left: Duration) {
        self.gauge(table::TIME_LEFT, &[CHAIN_LABEL])
            .set(left.as_secs_f64());
    }

    pub(crate) fn run_ended(&self, outcome: &'static str, took: Duration) {
        self.counter(table::RUNS, &[CHAIN_LABEL, ("outcome", outcome)])
            .increment(1);
        self.histogram(table::RUN_SECONDS, &[CHAIN_LABEL])
            .record(took);
    }

    pub(crate) fn succeeded_at(&self, unix_seconds: f64) {
        self.gauge(table::LAST_SUCCESS, &[CHAIN_LABEL])
            .set(unix_seconds);
    }
}

const CHAIN_LABEL: (&str, &str) = ("chain", CHAIN);

fn key(name: &'static str, labels: &[(&'static str, &'static str)]) -> Key {
    let labels: Vec<Label> = labels
        .iter()
        .map(|&(name, value)| Label::from_static_parts(name, value))
        .collect();
    Key::from_parts(name, labels)
}

fn step_outcome(row: &StepRow) -> &'static str {
    match row.status {
        StepStatus::Ok if row.repaired => "repaired_by_call",
        StepStatus::Ok if row.repaired_locally => "repaired_locally",
        StepStatus::Ok => "ok",
        StepStatus::Failed => "failed",
        StepStatus::SkippedUpstream => "skipped_upstream",
        StepStatus::Cancelled => "cancelled",
        StepStatus::NotStarted => "not_started",
    }
}

/// The roles of calls, for the table.
const fn roles() -> [&'static str; 3] {
    [
        Role::Primary.name(),
        Role::Retry.name(),
        Role::Repair.name(),
    ]
}

#[cfg(test)]
mod tests;
