//! The one list of all metrics: name, kind, labels, unit, help. docs/metrics-chain-client.md is
//! rendered from it (`document`).

use super::roles;
use crate::{
    failure::Class,
    row::ArticleStatus,
    step::{CHAIN, Step},
};
use tonic::Code;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    /// Of seconds, by [`SECONDS`].
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    pub(crate) unit: &'static str,
    pub(crate) help: &'static str,
}

/// The upper edges of all histograms: from 50 ms to 11 min, as calls of language models take. No
/// edge is an integer: `le="1"` in the text format is `le="1.0"` in OpenMetrics.
pub(crate) const SECONDS: [f64; 14] = [
    0.05, 0.1, 0.25, 0.5, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36,
];

pub(super) const BUILD_INFO: &str = "chain_client_build_info";
pub(super) const RUNS: &str = "chain_client_runs_total";
pub(super) const RUN_SECONDS: &str = "chain_client_run_duration_seconds";
pub(super) const LAST_SUCCESS: &str = "chain_client_last_success_timestamp_seconds";
pub(super) const ARTICLES: &str = "chain_client_articles_total";
pub(super) const IN_FLIGHT: &str = "chain_client_articles_inflight";
pub(super) const ARTICLE_SECONDS: &str = "chain_client_article_duration_seconds";
pub(super) const TIME_LEFT: &str = "chain_client_time_budget_remaining_seconds";
pub(super) const STEPS: &str = "chain_client_steps_total";
pub(super) const STEP_SECONDS: &str = "chain_client_step_duration_seconds";
pub(super) const ATTEMPTS: &str = "chain_client_attempts_total";
pub(super) const ATTEMPT_ERRORS: &str = "chain_client_attempt_errors_total";
pub(super) const BACKOFF_SECONDS: &str = "chain_client_backoff_seconds";
pub(super) const CONCURRENCY: &str = "chain_client_concurrency";
pub(super) const TOKENS: &str = "chain_client_tokens_total";
pub(super) const COST: &str = "chain_client_cost_nano_usd_total";
pub(super) const AVOIDED: &str = "chain_client_cost_avoided_nano_usd_total";
pub(super) const CALLS_HANDLED: &str = "grpc_client_handled_total";
pub(super) const CALL_SECONDS: &str = "grpc_client_handling_seconds";

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    unit: &'static str,
    help: &'static str,
) -> Family {
    Family {
        name,
        kind: Kind::Counter,
        labels,
        unit,
        help,
    }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    unit: &'static str,
    help: &'static str,
) -> Family {
    Family {
        kind: Kind::Gauge,
        ..counter(name, labels, unit, help)
    }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family {
        kind: Kind::Histogram,
        ..counter(name, labels, "seconds", help)
    }
}

/// All metrics, by section.
pub(crate) static SECTIONS: [(&str, &[Family]); 6] = [
    (
        "Runs",
        &[
            counter(
                RUNS,
                &["chain", "outcome"],
                "runs",
                "Runs by how they ended.",
            ),
            histogram(RUN_SECONDS, &["chain"], "How long runs took."),
            gauge(
                LAST_SUCCESS,
                &["chain"],
                "seconds since the epoch",
                "When a run last ended with exit code 0. Absent before.",
            ),
            gauge(
                TIME_LEFT,
                &["chain"],
                "seconds",
                "What is left of the time budget. Absent without one.",
            ),
        ],
    ),
    (
        "Articles",
        &[
            counter(
                ARTICLES,
                &["chain", "outcome"],
                "articles",
                "Articles by how they ended.",
            ),
            gauge(
                IN_FLIGHT,
                &["chain"],
                "articles",
                "Articles that are worked on now.",
            ),
            gauge(
                CONCURRENCY,
                &["chain", "kind"],
                "articles",
                "Articles at a time: how many may be, and how many are.",
            ),
            histogram(
                ARTICLE_SECONDS,
                &["chain"],
                "How long articles took that were sent, all steps together.",
            ),
        ],
    ),
    (
        "Steps",
        &[
            counter(
                STEPS,
                &["chain", "step", "outcome"],
                "steps",
                "Steps by how they ended.",
            ),
            histogram(
                STEP_SECONDS,
                &["chain", "step"],
                "How long steps took, retries and waits included.",
            ),
        ],
    ),
    (
        "Calls of the gateway",
        &[
            counter(
                ATTEMPTS,
                &["chain", "step", "role"],
                "calls",
                "Calls of the gateway by why they were made.",
            ),
            counter(
                ATTEMPT_ERRORS,
                &["chain", "class"],
                "calls",
                "Calls of the gateway that gave no answer, by class.",
            ),
            histogram(
                BACKOFF_SECONDS,
                &["chain"],
                "How long calls waited before they were tried again.",
            ),
            counter(
                CALLS_HANDLED,
                &["grpc_method", "grpc_code"],
                "RPCs",
                "Calls that ended, by code. The gateway spells codes in the same way.",
            ),
            histogram(CALL_SECONDS, &["grpc_method"], "How long calls took."),
        ],
    ),
    (
        "Tokens and money",
        &[
            counter(
                TOKENS,
                &["chain", "step", "type"],
                "tokens",
                "Tokens in disjoint classes, as the gateway's receipts say.",
            ),
            counter(
                COST,
                &["chain", "step", "role"],
                "nano-dollars",
                "What calls cost, as the gateway's receipts say.",
            ),
            counter(
                AVOIDED,
                &["chain"],
                "nano-dollars",
                "What replayed answers would have cost.",
            ),
        ],
    ),
    (
        "Itself",
        &[gauge(BUILD_INFO, &["version"], "1", "Always 1.")],
    ),
];

/// All metrics.
pub(crate) fn families() -> impl Iterator<Item = &'static Family> {
    SECTIONS.iter().flat_map(|(_, families)| families.iter())
}

const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of a status code, as the gateway's metrics spell it.
pub(super) fn code_name(code: Code) -> &'static str {
    let index = usize::try_from(i32::from(code)).unwrap_or(2);
    CODES.get(index).copied().unwrap_or("UNKNOWN")
}

/// The values that a label may have.
pub(super) fn values(family: &Family, label: &str) -> Vec<&'static str> {
    match label {
        "version" => vec![env!("CARGO_PKG_VERSION")],
        "chain" => vec![CHAIN],
        "step" => Step::ALL.map(Step::name).to_vec(),
        "role" => roles().to_vec(),
        "class" => Class::ALL.map(Class::name).to_vec(),
        "kind" => vec!["target", "in_use"],
        "type" => vec!["input", "cache_read", "cache_write", "output", "reasoning"],
        "grpc_method" => vec!["Complete"],
        "grpc_code" => CODES.to_vec(),
        "outcome" if family.name == RUNS => vec![
            "ok",
            "partial",
            "time_budget",
            "cost_budget",
            "systemic",
            "interrupted",
        ],
        "outcome" if family.name == ARTICLES => {
            ArticleStatus::ALL.map(ArticleStatus::name).to_vec()
        }
        "outcome" => vec![
            "ok",
            "repaired_locally",
            "repaired_by_call",
            "failed",
            "skipped_upstream",
            "cancelled",
            "not_started",
        ],
        _ => Vec::new(),
    }
}

/// Every combination of a metric's labels.
pub(super) fn combinations(family: &Family) -> Vec<Vec<(&'static str, &'static str)>> {
    let mut all = vec![Vec::new()];
    for label in family.labels {
        let values = values(family, label);
        all = all
            .into_iter()
            .flat_map(|head: Vec<_>| {
                values
                    .iter()
                    .map(move |&value| [head.as_slice(), &[(*label, value)]].concat())
            })
            .collect();
    }
    all
}
