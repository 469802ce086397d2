//! The catalogue: every metric of the gateway, once. docs/metrics.md is rendered from it, handles
//! are made from it, and a test compares what is scraped with it.

use super::labels::{
    Alone, Auth, BreakerState, Class, Closed, Component, Decision, Delivery, FallbackReason,
    Folded, GrpcCode, HoldEnding, Limiter, Outcome, Period, Shed, Signal, StoreCommand, TokenClass,
};
use crate::complete::AttemptOutcome;
use std::fmt::Write as _;

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels, in order.
    pub labels: &'static [Label],
    /// What it counts or measures.
    pub unit: &'static str,
    /// One sentence or two.
    pub help: &'static str,
    /// Whether it stays at 0 while all is well.
    pub normally_zero: bool,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by these upper edges.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Its name in the text format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// A label and where its values come from.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// Where the values of a label come from.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// These and no others.
    Closed(&'static [&'static str]),
    /// The configuration or the build, in these words.
    Configured(&'static str),
}

impl Metric {
    const fn zero(mut self) -> Self {
        self.normally_zero = true;
        self
    }

    const fn of(mut self, labels: &'static [Label]) -> Self {
        self.labels = labels;
        self
    }
}

const fn metric(kind: Kind, name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        kind,
        labels: &[],
        unit,
        help,
        normally_zero: false,
    }
}

const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    metric(Kind::Counter, name, unit, help)
}

const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    metric(Kind::Gauge, name, unit, help)
}

const fn histogram(name: &'static str, edges: &'static [f64], help: &'static str) -> Metric {
    metric(Kind::Histogram(edges), name, "seconds", help)
}

const fn closed<E: Closed>(name: &'static str) -> Label {
    Label {
        name,
        values: Values::Closed(E::NAMES),
    }
}

const fn configured(name: &'static str, words: &'static str) -> Label {
    Label {
        name,
        values: Values::Configured(words),
    }
}

const TEAM: Label = configured("team", "configured teams, `other`");
const MODEL: Label = configured("model", "configured models, `other`, `unknown`");
const DEPLOYMENT: Label = configured("deployment", "configured deployments, `other`");
const PIPELINE: Label = configured("pipeline", "the team's configured pipelines, `other`");
const FROM_MODEL: Label = configured("from_model", "a model of a route, `other`");
const TO_MODEL: Label = configured("to_model", "a later model of the same route, `other`");
const THRESHOLD: Label = configured("threshold", "configured shares in per mille, `other`");
const GRPC_TYPE: Label = Label {
    name: "grpc_type",
    values: Values::Closed(&["unary", "server_stream", "bidi_stream"]),
};
const GRPC_SERVICE: Label = configured("grpc_service", "the services that are served, `_OTHER`");
const GRPC_METHOD: Label = configured("grpc_method", "their methods, `_OTHER`");
const GRPC_CODE: Label = closed::<GrpcCode>("grpc_code");
const OUTCOME: Label = closed::<Outcome>("outcome");
const CLASS: Label = closed::<Class>("class");
const SHED: Label = closed::<Shed>("reason");
const LIMITER: Label = closed::<Limiter>("limiter");
const DECISION: Label = closed::<Decision>("decision");
const PERIOD: Label = closed::<Period>("period");
const CALENDAR: Label = Label {
    name: "period",
    values: Values::Closed(&["day", "month"]),
};
const RESULT: Label = closed::<AttemptOutcome>("result");
const FALLBACK: Label = closed::<FallbackReason>("reason");
const BREAKER: Label = closed::<BreakerState>("to");
const TOKEN_CLASS: Label = closed::<TokenClass>("class");
const ENDING: Label = closed::<HoldEnding>("ending");
const COMMAND: Label = closed::<StoreCommand>("command");
const ALONE: Label = closed::<Alone>("decision");
const COMPONENT: Label = closed::<Component>("component");
const AUTH: Label = closed::<Auth>("result");
const DELIVERY: Label = closed::<Delivery>("result");
const SIGNAL: Label = closed::<Signal>("signal");
const FOLDED: Label = closed::<Folded>("label");
const VERSION: Label = configured("version", "of the build");
const REVISION: Label = configured("revision", "of the build");
const PRICES: Label = configured("version", "of the price list");
const HASH: Label = configured("hash", "of the configuration");

/// For whole calls and attempts. No edge of any histogram is an integer: `le="1"` in the text
/// format is `le="1.0"` in OpenMetrics, and a rule that names it would match only one of them.
const CALL_SECONDS: &[f64] = &[
    0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68,
];
/// For what the gateway itself needs. The objective is about 0.025.
const OVERHEAD_SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 2.5,
];
const RPC_SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48,
    40.96, 81.92, 163.84, 327.68,
];
const WAIT_SECONDS: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.28, 2.56, 5.12, 10.24];
const STORE_SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5,
];
/// Between whole numbers of attempts.
const ATTEMPTS: &[f64] = &[0.5, 1.5, 2.5, 3.5, 4.5, 6.5, 8.5, 16.5];

macro_rules! catalogue {
    ($($section:literal { $($id:ident = $metric:expr;)+ })+) => {
        $($(pub(super) static $id: Metric = $metric;)+)+

        /// All metrics, by section.
        pub static SECTIONS: &[(&str, &[&Metric])] = &[$(($section, &[$(&$id),+])),+];
    };
}

catalogue! {
    "RPCs" {
        RPC_STARTED = counter("grpc_server_started_total", "RPCs", "RPCs that began.")
            .of(&[GRPC_TYPE, GRPC_SERVICE, GRPC_METHOD]);
        RPC_HANDLED = counter(
            "grpc_server_handled_total", "RPCs",
            "RPCs that ended, by code. CANCELLED: the caller hung up.",
        ).of(&[GRPC_TYPE, GRPC_SERVICE, GRPC_METHOD, GRPC_CODE]);
        RPC_SECONDS_TAKEN = histogram(
            "grpc_server_handling_seconds", RPC_SECONDS,
            "How long RPCs took. No code label on purpose.",
        ).of(&[GRPC_SERVICE, GRPC_METHOD]);
    }
    "Calls" {
        REQUESTS = counter(
            "tollgate_requests_total", "calls",
            "Calls of Complete by how they ended: ok, replay, cancelled, or the reason of the error.",
        ).of(&[OUTCOME]);
        TEAM_REQUESTS = counter(
            "tollgate_team_requests_total", "calls",
            "The same by team. Calls without a valid key have no team.",
        ).of(&[TEAM, OUTCOME]);
        MODEL_REQUESTS = counter(
            "tollgate_model_requests_total", "calls",
            "The same by the model that was tried last, or else the first of the plan. unknown: the \
             call ended before it had a plan. other: it named a model that is not configured.",
        ).of(&[MODEL, OUTCOME]);
        PIPELINE_REQUESTS = counter(
            "tollgate_pipeline_requests_total", "calls",
            "Calls that reached the pipeline, by the caller's pipeline.",
        ).of(&[TEAM, PIPELINE]);
        REQUEST_SECONDS = histogram(
            "tollgate_request_duration_seconds", CALL_SECONDS, "End to end.",
        ).of(&[MODEL, CLASS]);
        OVERHEAD = histogram(
            "tollgate_overhead_duration_seconds", OVERHEAD_SECONDS,
            "What the gateway itself needed: the whole less waiting on providers, on limits and on \
             back-off. The time of the store is in it.",
        );
        WAITED = histogram(
            "tollgate_wait_duration_seconds", WAIT_SECONDS,
            "How long calls waited for limits and back-off.",
        );
        ATTEMPTS_MADE = metric(
            Kind::Histogram(ATTEMPTS), "tollgate_request_attempts", "attempts",
            "Attempts per call; 0 for calls that were refused or replayed.",
        );
        IN_FLIGHT = gauge(
            "tollgate_inflight_requests", "calls", "Calls of Complete that are in the pipeline.",
        );
        IN_FLIGHT_LIMIT = gauge(
            "tollgate_inflight_limit", "calls", "How many calls are taken on at once.",
        );
        LOAD_SHED = counter(
            "tollgate_load_shed_total", "RPCs", "RPCs that were refused before any work.",
        ).of(&[SHED]).zero();
    }
    "Limits" {
        LIMIT_DECISIONS = counter(
            "tollgate_limit_decisions_total", "decisions",
            "Decisions on the holds of calls, by each limiter that the team has.",
        ).of(&[LIMITER, DECISION]);
        LIMIT_DENIED = counter(
            "tollgate_limit_denied_total", "calls",
            "Calls that were refused, by each limiter that refused.",
        ).of(&[TEAM, LIMITER]);
        LIMIT_REMAINING = gauge(
            "tollgate_limit_remaining_ratio", "ratio",
            "What was left of a bucket at the last hold that this replica took. Aggregate with min.",
        ).of(&[TEAM, LIMITER]);
    }
    "Routing" {
        ATTEMPTS_ENDED = counter(
            "tollgate_upstream_attempts_total", "attempts",
            "Attempts by how they ended: ok or the kind of the failure.",
        ).of(&[DEPLOYMENT, RESULT]);
        ATTEMPT_SECONDS = histogram(
            "tollgate_upstream_duration_seconds", CALL_SECONDS, "How long attempts took.",
        ).of(&[DEPLOYMENT]);
        RETRIES = counter(
            "tollgate_retries_total", "attempts", "Attempts at a model that had just failed.",
        ).of(&[DEPLOYMENT]);
        FALLBACKS = counter(
            "tollgate_fallbacks_total", "fallbacks",
            "Calls that went on to another model, and why: the one before failed, or was passed over.",
        ).of(&[FROM_MODEL, TO_MODEL, FALLBACK]);
        BREAKER_STATE = gauge(
            "tollgate_circuit_breaker_state", "state", "0 closed, 1 half open, 2 open.",
        ).of(&[DEPLOYMENT]).zero();
        BREAKER_TRANSITIONS = counter(
            "tollgate_circuit_breaker_transitions_total", "transitions",
            "Changes of breakers. A probe is counted when it ends.",
        ).of(&[DEPLOYMENT, BREAKER]).zero();
        COOLDOWN = gauge(
            "tollgate_cooldown_seconds", "seconds",
            "How much longer the provider wants the deployment left alone.",
        ).of(&[DEPLOYMENT]).zero();
        DRAINED = gauge(
            "tollgate_deployment_drained", "0 or 1", "1 while an operator keeps calls away from it.",
        ).of(&[DEPLOYMENT]).zero();
        QUOTA_REFUSED = counter(
            "tollgate_quota_refused_total", "attempts",
            "Attempts that were not made because of the deployment's own limits.",
        ).of(&[DEPLOYMENT, LIMITER]);
    }
    "Tokens and money" {
        TOKENS = counter(
            "tollgate_tokens_total", "tokens",
            "Tokens of settled calls. The classes are disjoint; attempts of unknown outcome count \
             with their worst case, as they are charged.",
        ).of(&[TEAM, MODEL, TOKEN_CLASS]);
        COST = counter(
            "tollgate_cost_nano_usd_total", "nano-dollars",
            "What was charged, by the models of the attempts. unknown: holds that expired and were \
             charged in full. Less tollgate_cost_corrected_nano_usd_total it is the ledger's sum.",
        ).of(&[TEAM, MODEL]);
        COST_CORRECTED = counter(
            "tollgate_cost_corrected_nano_usd_total", "nano-dollars",
            "Charges of expired holds that were taken back in full when the real cost came in, which \
             counts as cost then. A counter can't go down, so this one goes up.",
        ).of(&[TEAM]).zero();
        PIPELINE_COST = counter(
            "tollgate_pipeline_cost_nano_usd_total", "nano-dollars",
            "What was charged, by the caller's pipeline.",
        ).of(&[TEAM, PIPELINE]);
        PRICING_INFO = gauge(
            "tollgate_pricing_info", "0 or 1", "1 for the price list in force, 0 for those before.",
        ).of(&[PRICES]);
    }
    "Budgets" {
        BUDGET_LIMIT = gauge(
            "tollgate_budget_limit_nano_usd", "nano-dollars",
            "The bound, top-ups included; absent or NaN without one. Aggregate with max.",
        ).of(&[TEAM, CALENDAR]);
        BUDGET_SPENT = gauge(
            "tollgate_budget_spent_nano_usd", "nano-dollars",
            "What settled calls cost in this window. Aggregate with max.",
        ).of(&[TEAM, CALENDAR]);
        BUDGET_HELD = gauge(
            "tollgate_budget_held_nano_usd", "nano-dollars",
            "What open holds took in this window. Aggregate with max.",
        ).of(&[TEAM, CALENDAR]);
        BUDGET_RESET = gauge(
            "tollgate_budget_reset_timestamp_seconds", "seconds since the epoch",
            "When the window ends; 0 until the budget was first looked at.",
        ).of(&[TEAM, CALENDAR]);
        BUDGET_SNAPSHOT = gauge(
            "tollgate_budget_snapshot_timestamp_seconds", "seconds since the epoch",
            "When all budgets were last read from the store; 0 before.",
        );
        BUDGET_DENIED = counter(
            "tollgate_budget_denied_total", "calls", "Calls that a budget refused.",
        ).of(&[TEAM, PERIOD]);
        BUDGET_CROSSINGS = counter(
            "tollgate_budget_threshold_crossings_total", "crossings",
            "Thresholds that were passed; once per window over all replicas.",
        ).of(&[TEAM, CALENDAR, THRESHOLD]);
        HOLDS_ENDED = counter(
            "tollgate_holds_ended_total", "holds",
            "Holds of calls by how they ended. Expired ones should be 0 outside of crashes.",
        ).of(&[TEAM, ENDING]);
        HOLDS_OPEN = gauge(
            "tollgate_holds_open", "holds", "Holds of this replica that are in flight.",
        );
        OVERRUN = counter(
            "tollgate_budget_overrun_nano_usd_total", "nano-dollars",
            "What calls cost above their holds.",
        ).of(&[TEAM]).zero();
        SETTLEMENT_BACKLOG = gauge(
            "tollgate_settlement_backlog", "endings", "Endings that wait for the store.",
        ).zero();
    }
    "Ledger" {
        LEDGER_UP = gauge(
            "tollgate_ledger_up", "0 or 1",
            "0 while the ledger can't be written. With the store in memory nothing is admitted then.",
        );
        LEDGER_ERRORS = counter(
            "tollgate_ledger_write_errors_total", "errors", "Times that writing began to fail.",
        ).zero();
        LEDGER_DROPPED = counter(
            "tollgate_ledger_dropped_total", "entries", "Entries that were lost.",
        ).zero();
        LEDGER_BUFFERED = gauge(
            "tollgate_ledger_buffered_bytes", "bytes", "What waits to be written.",
        );
        LEDGER_WRITER = gauge(
            "tollgate_ledger_writer", "0 or 1",
            "1 while this replica writes the ledger. The sum over all replicas should be 1.",
        );
        LEDGER_DRIFT = gauge(
            "tollgate_ledger_drift_nano_usd", "nano-dollars",
            "The largest difference between a budget's spend in the store and in the ledger.",
        ).zero();
    }
    "Store" {
        STORE_UP = gauge("tollgate_store_up", "0 or 1", "1 while the store answers.");
        STORE_SECONDS_TAKEN = histogram(
            "tollgate_store_call_duration_seconds", STORE_SECONDS, "How long the store took.",
        ).of(&[COMMAND]);
        STORE_ERRORS = counter(
            "tollgate_store_errors_total", "errors", "Times that the store gave no answer.",
        ).of(&[COMMAND]).zero();
        DEGRADED = gauge(
            "tollgate_degraded_mode", "0 or 1", "1 while this runs without the store.",
        ).of(&[COMPONENT]).zero();
        DEGRADED_DECISIONS = counter(
            "tollgate_degraded_decisions_total", "decisions",
            "Holds, of calls and of attempts, that were decided without the store.",
        ).of(&[ALONE]).zero();
    }
    "Access and alerts" {
        AUTHENTICATED = counter(
            "tollgate_auth_total", "RPCs", "Keys that were presented, and whether they were known.",
        ).of(&[AUTH]);
        ALERT_DELIVERIES = counter(
            "tollgate_alert_deliveries_total", "deliveries",
            "Budget alerts by what the webhook did.",
        ).of(&[DELIVERY]);
    }
    "Itself" {
        BUILD_INFO = gauge("tollgate_build_info", "1", "Always 1.").of(&[VERSION, REVISION]);
        CONFIG_INFO = gauge(
            "tollgate_config_info", "0 or 1", "1 for the configuration in force, 0 for those before.",
        ).of(&[HASH]);
        RELOAD_OK = gauge(
            "tollgate_config_last_reload_successful", "0 or 1",
            "Whether the last (re)load was taken.",
        );
        RELOAD_TIME = gauge(
            "tollgate_config_last_reload_success_timestamp_seconds", "seconds since the epoch",
            "When a configuration was last taken.",
        );
        CERTIFICATE_END = gauge(
            "tollgate_tls_certificate_not_after_timestamp_seconds", "seconds since the epoch",
            "When the certificate that callers are shown ends, or one that signed it, if that is \
             earlier; 0 without TLS.",
        );
        DRAINING = gauge(
            "tollgate_draining", "0 or 1", "1 from the signal to stop on.",
        ).zero();
        TELEMETRY_DROPPED = counter(
            "tollgate_telemetry_dropped_total", "entries", "Log entries that were lost.",
        ).of(&[SIGNAL]).zero();
        LABEL_OVERFLOW = counter(
            "tollgate_metrics_label_overflow_total", "values",
            "Label values that are not configured and were counted as other.",
        ).of(&[FOLDED]);
        PANICS = counter("tollgate_panics_total", "panics", "Bugs.").zero();
    }
    "Process" {
        PROCESS_CPU = counter("process_cpu_seconds_total", "seconds", "User and system time.");
        PROCESS_RSS = gauge("process_resident_memory_bytes", "bytes", "Resident memory.");
        PROCESS_VIRTUAL = gauge("process_virtual_memory_bytes", "bytes", "Virtual memory.");
        PROCESS_FDS = gauge("process_open_fds", "files", "Open file descriptors.");
        PROCESS_MAX_FDS = gauge("process_max_fds", "files", "The bound on open file descriptors.");
        PROCESS_THREADS = gauge("process_threads", "threads", "Threads.");
        PROCESS_START = gauge(
            "process_start_time_seconds", "seconds since the epoch", "When the process began.",
        );
    }
}

/// All metrics.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    SECTIONS
        .iter()
        .flat_map(|(_, metrics)| metrics.iter().copied())
}

/// docs/metrics.md.
#[must_use]
pub fn render_markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    for (section, metrics) in SECTIONS {
        let _ = write!(
            text,
            "\n## {section}\n\n| metric | type | labels | unit | what it says |\n|---|---|---|---|---|\n"
        );
        for metric in *metrics {
            let labels = match metric.labels {
                [] => "-".to_owned(),
                labels => quoted(labels.iter().map(|label| label.name)),
            };
            let zero = if metric.normally_zero {
                " **Normally 0.**"
            } else {
                ""
            };
            let (name, kind) = (metric.name, metric.kind.name());
            let (unit, help) = (metric.unit, metric.help);
            let _ = writeln!(
                text,
                "| `{name}` | {kind} | {labels} | {unit} | {help}{zero} |"
            );
        }
    }
    text.push_str("\n## Label values\n\n| label | of | values |\n|---|---|---|\n");
    for (label, metrics) in label_sets() {
        let values = match label.values {
            Values::Configured(words) => words.to_owned(),
            Values::Closed(names) => quoted(names.iter().copied()),
        };
        let (name, of) = (label.name, quoted(metrics.into_iter()));
        let _ = writeln!(text, "| `{name}` | {of} | {values} |");
    }
    text.push_str("\n## Histogram edges\n\n| metric | upper edges |\n|---|---|\n");
    for metric in all() {
        if let Kind::Histogram(edges) = metric.kind {
            let edges: Vec<String> = edges.iter().map(f64::to_string).collect();
            let _ = writeln!(text, "| `{}` | {} |", metric.name, edges.join(", "));
        }
    }
    text
}

fn quoted(names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The labels that differ in name or values, each with the metrics that have it.
fn label_sets() -> Vec<(Label, Vec<&'static str>)> {
    let key = |label: &Label| match label.values {
        Values::Closed(names) => (label.name, names.join(", ")),
        Values::Configured(words) => (label.name, words.to_owned()),
    };
    let mut sets: Vec<(Label, Vec<&str>)> = Vec::new();
    for metric in all() {
        for label in metric.labels {
            let name = metric.name;
            match sets.iter_mut().find(|(known, _)| key(known) == key(label)) {
                Some((_, metrics)) => metrics.push(name),
                None => sets.push((*label, vec![name])),
            }
        }
    }
    sets
}

const INTRODUCTION: &str = "\
# Metrics of the gateway

Rendered from `gateway/src/telemetry/catalogue.rs` by `tollgate metrics-doc`; a test keeps both equal. Served in the
Prometheus text format at `/metrics` of the metrics listener (port 9464), which touches neither network nor store.
Those of chain-client are in [metrics-chain-client.md](metrics-chain-client.md).

- Every bounded combination of label values is there at 0 from the start, so that the first event is a rate.
- No label has a value that a caller can choose. Teams, models, deployments and pipelines are those of the configuration;
  anything else counts as `other`, and `tollgate_metrics_label_overflow_total` says how often.
- Money is in integer nano-dollars (a dollar is 1e9): divide in rules and panels.
- Gauges of budgets describe state that all replicas share: aggregate with `max`. Counters are per replica: `sum`.
- What a reload removes stays at its last value until a restart, except that budgets of removed teams read 0 without a bound.
- `tollgate_config_info == 1` is the configuration in force.
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn the_document_is_rendered_from_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
        let rendered = render_markdown();
        if super::super::testing::docs_are_to_be_updated() {
            fs::write(&path, &rendered).expect("docs/ can be written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == rendered,
            "docs/metrics.md is out of date: run `make docs`"
        );
    }

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        let mut names = BTreeSet::new();
        for metric in all() {
            let name = metric.name;
            assert!(names.insert(name), "{name} is there twice");
            let total = name.ends_with("_total");
            assert_eq!(total, metric.kind == Kind::Counter, "{name}");
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(plain), "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
            assert!(!metric.help.contains(['\n', '\\', '|']), "{name}");
            if matches!(metric.kind, Kind::Histogram(_)) && metric.unit == "seconds" {
                assert!(name.ends_with("_seconds"), "{name}");
            }
        }
    }

    #[test]
    fn no_edge_is_an_integer_and_the_objective_is_one() {
        for metric in all() {
            if let Kind::Histogram(edges) = metric.kind {
                assert!(edges.is_sorted(), "{}", metric.name);
                assert!(
                    edges.iter().all(|edge| edge.fract() != 0.0),
                    "{}",
                    metric.name
                );
            }
        }
        assert!(OVERHEAD_SECONDS.contains(&0.025));
    }
}
