//! The one list of all metrics: name, kind, labels, help. The documentation is made from it.

use super::roles;
use crate::{
    failure::Class,
    row::ArticleStatus,
    step::{CHAIN, Step},
};
use std::fmt::Write as _;
use tonic::Code;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

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

const fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family {
        name,
        kind,
        labels,
        help,
    }
}

/// All metrics.
pub(crate) const FAMILIES: [Family; 19] = [
    family(
        BUILD_INFO,
        Kind::Gauge,
        &["version"],
        "Always 1; the version is a label.",
    ),
    family(
        RUNS,
        Kind::Counter,
        &["chain", "outcome"],
        "Runs by how they ended.",
    ),
    family(
        RUN_SECONDS,
        Kind::Histogram,
        &["chain"],
        "How long runs took.",
    ),
    family(
        LAST_SUCCESS,
        Kind::Gauge,
        &["chain"],
        "When a run last ended with exit code 0, in Unix seconds. Absent before.",
    ),
    family(
        ARTICLES,
        Kind::Counter,
        &["chain", "outcome"],
        "Articles by how they ended.",
    ),
    family(
        IN_FLIGHT,
        Kind::Gauge,
        &["chain"],
        "Articles that are worked on now.",
    ),
    family(
        ARTICLE_SECONDS,
        Kind::Histogram,
        &["chain"],
        "How long articles took that were sent, all steps together.",
    ),
    family(
        TIME_LEFT,
        Kind::Gauge,
        &["chain"],
        "What is left of the time budget. Absent without one.",
    ),
    family(
        STEPS,
        Kind::Counter,
        &["chain", "step", "outcome"],
        "Steps by how they ended.",
    ),
    family(
        STEP_SECONDS,
        Kind::Histogram,
        &["chain", "step"],
        "How long steps took, retries and waits included.",
    ),
    family(
        ATTEMPTS,
        Kind::Counter,
        &["chain", "step", "role"],
        "Calls of the gateway by why they were made.",
    ),
    family(
        ATTEMPT_ERRORS,
        Kind::Counter,
        &["chain", "class"],
        "Calls of the gateway that gave no answer, by class.",
    ),
    family(
        BACKOFF_SECONDS,
        Kind::Histogram,
        &["chain"],
        "Time spent waiting before a call was tried again.",
    ),
    family(
        CONCURRENCY,
        Kind::Gauge,
        &["chain", "kind"],
        "Articles at a time: how many may be, and how many are.",
    ),
    family(
        TOKENS,
        Kind::Counter,
        &["chain", "step", "type"],
        "Tokens in disjoint classes, as the gateway's receipts say.",
    ),
    family(
        COST,
        Kind::Counter,
        &["chain", "step", "role"],
        "Cost in billionths of a US dollar, as the gateway's receipts say.",
    ),
    family(
        AVOIDED,
        Kind::Counter,
        &["chain"],
        "What replayed answers would have cost, in billionths of a US dollar.",
    ),
    family(
        CALLS_HANDLED,
        Kind::Counter,
        &["grpc_method", "grpc_code"],
        "Calls that ended, by status code.",
    ),
    family(
        CALL_SECONDS,
        Kind::Histogram,
        &["grpc_method"],
        "How long calls took.",
    ),
];

const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// The name of a status code, as other gRPC metrics spell it.
pub(super) fn code_name(code: Code) -> &'static str {
    let index = usize::try_from(i32::from(code)).unwrap_or(2);
    CODES.get(index).copied().unwrap_or("Unknown")
}

/// The values that a label may have.
fn values(family: &Family, label: &str) -> Vec<&'static str> {
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

/// The table as Markdown.
pub(crate) fn markdown() -> String {
    let mut text =
        String::from("| Metric | Kind | Labels | Series | Meaning |\n|---|---|---|---|---|\n");
    for family in &FAMILIES {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels = family.labels.iter().map(|label| {
            let values = values(family, label);
            if values.len() > 1 {
                format!("`{label}`: {}", values.join(", "))
            } else {
                format!("`{label}`")
            }
        });
        let _ = writeln!(
            text,
            "| `{}` | {kind} | {} | {} | {} |",
            family.name,
            labels.collect::<Vec<_>>().join("; "),
            combinations(family).len(),
            family.help
        );
    }
    text
}
