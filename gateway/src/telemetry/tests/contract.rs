//! What is scraped is the catalogue, neither more nor less.

use super::{
    fixture::{call, catalog, observer},
    load::everything,
    scrape::{Scrape, Series},
};
use crate::{
    call::Target,
    error::Error,
    telemetry::{
        catalogue::{self, Kind, Metric, Values},
        labels::{Class, Closed as _, GrpcCode, Outcome, Rpc},
    },
};
use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
};

/// These say what is configured and built, which the load does not change.
const STEADY: [&str; 4] = [
    "tollgate_build_info",
    "tollgate_config_info",
    "tollgate_pricing_info",
    "tollgate_config_last_reload_success_timestamp_seconds",
];

fn family(series: &Series) -> Option<&'static Metric> {
    catalogue::all().find(|metric| {
        let parts = ["_bucket", "_sum", "_count"];
        let of_histogram = |part: &str| series.name.strip_suffix(part) == Some(metric.name);
        match metric.kind {
            Kind::Histogram(_) => parts.into_iter().any(of_histogram),
            Kind::Counter | Kind::Gauge => series.name == metric.name,
        }
    })
}

#[tokio::test]
async fn names_types_labels_and_values_are_those_of_the_catalogue() {
    let catalog = catalog(2, 4, 2);
    let observer = observer(&catalog);
    everything(&observer, &catalog);
    let scrape = Scrape::of(&observer.render());
    let names: BTreeSet<&str> = catalogue::all().map(|metric| metric.name).collect();
    let scraped: BTreeSet<&str> = scrape.types.keys().map(String::as_str).collect();
    assert_eq!(scraped, names);
    for metric in catalogue::all() {
        assert_eq!(
            scrape.types[metric.name],
            metric.kind.name(),
            "{}",
            metric.name
        );
        assert!(scrape.helps.contains(metric.name), "{}", metric.name);
    }
    for series in scrape.samples.keys() {
        let metric = family(series).unwrap_or_else(|| panic!("{series:?} is in no catalogue"));
        let mut labels: BTreeSet<&str> = series.labels.keys().map(String::as_str).collect();
        if series.name.ends_with("_bucket") {
            assert!(labels.remove("le"));
        }
        let expected: BTreeSet<&str> = metric.labels.iter().map(|label| label.name).collect();
        assert_eq!(labels, expected, "{series:?}");
        for label in metric.labels {
            let value = series.labels[label.name].as_str();
            if let Values::Closed(names) = label.values {
                assert!(names.contains(&value), "{series:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_metric_is_fed_and_nothing_adds_a_series() {
    let catalog = catalog(2, 4, 2);
    let observer = observer(&catalog);
    let before = Scrape::of(&observer.render());
    everything(&observer, &catalog);
    let after = Scrape::of(&observer.render());
    assert!(
        before.samples.keys().eq(after.samples.keys()),
        "born later: {:?}",
        after
            .samples
            .keys()
            .find(|series| !before.samples.contains_key(series))
    );
    let moved: BTreeSet<&str> = after
        .changed_since(&before)
        .into_iter()
        .filter_map(|series| family(series).map(|metric| metric.name))
        .collect();
    for metric in catalogue::all() {
        let name = metric.name;
        let expected = !STEADY.contains(&name) && !name.starts_with("process_");
        assert!(!expected || moved.contains(name), "nothing feeds {name}");
    }
}

#[test]
fn every_bounded_combination_is_there_at_zero() {
    let catalog = catalog(3, 4, 2);
    let scrape = Scrape::of(&observer(&catalog).render());
    let zero = |name: &str, labels: &[(&str, &str)]| {
        assert_eq!(scrape.sum(name, labels), 0.0, "{name} {labels:?}");
    };
    for outcome in Outcome::NAMES {
        zero("tollgate_requests_total", &[("outcome", outcome)]);
        for team in ["team-0", "team-2", "other"] {
            let labels = [("team", team), ("outcome", *outcome)];
            zero("tollgate_team_requests_total", &labels);
        }
        for model in ["model-0", "model-3", "other", "unknown"] {
            let labels = [("model", model), ("outcome", *outcome)];
            zero("tollgate_model_requests_total", &labels);
        }
    }
    for class in Class::NAMES {
        let labels = [("model", "model-3"), ("class", *class)];
        zero("tollgate_request_duration_seconds_count", &labels);
    }
    for rpc in Rpc::ALL {
        let (service, method) = rpc.parts();
        for code in GrpcCode::NAMES {
            let labels = [
                ("grpc_service", service),
                ("grpc_method", method),
                ("grpc_code", *code),
            ];
            zero("grpc_server_handled_total", &labels);
        }
    }
    for (from, to) in [
        ("model-0", "model-1"),
        ("model-0", "model-2"),
        ("model-1", "model-2"),
    ] {
        let labels = [
            ("from_model", from),
            ("to_model", to),
            ("reason", "throttled"),
        ];
        zero("tollgate_fallbacks_total", &labels);
    }
    let backwards = |series: &Series| {
        series.labels.get("from_model").map(String::as_str) == Some("model-1")
            && series.labels.get("to_model").map(String::as_str) == Some("model-0")
    };
    assert!(!scrape.samples.keys().any(backwards), "no route goes back");
    for model in ["model-0", "model-3", "other", "unknown"] {
        let labels = [("team", "team-1"), ("model", model)];
        zero("tollgate_cost_nano_usd_total", &labels);
    }
    for metric in catalogue::all().filter(|metric| metric.normally_zero) {
        zero(metric.name, &[]);
    }
}

#[test]
fn callers_can_add_no_series() {
    let catalog = catalog(2, 4, 2);
    let observer = observer(&catalog);
    let before = Scrape::of(&observer.render());
    let team = &catalog.teams["team-0"];
    for number in 0..10_000 {
        let name = format!("gpt-{number}\"}} 1\nforged{{x=\"");
        let call = call(Target::Model(name.clone()), &format!("pipeline-{number}"));
        observer
            .call_started(team, &call)
            .failed(&Error::UnknownModel(name));
    }
    for _ in 0..1_000 {
        observer.authenticated(false);
        observer.refused_early(&Error::InvalidCredential);
    }
    for number in 0..500 {
        observer
            .rpc_started(&format!("/tollgate.v1.CompletionService/M{number}"))
            .handled(12);
    }
    let after = Scrape::of(&observer.render());
    assert!(before.samples.keys().eq(after.samples.keys()));
    let folded = |label| after.sum("tollgate_metrics_label_overflow_total", &[("label", label)]);
    assert_eq!(folded("model"), 10_000.0);
    assert_eq!(folded("pipeline"), 10_000.0);
    let other = [("model", "other"), ("outcome", "unknown_model")];
    assert_eq!(after.sum("tollgate_model_requests_total", &other), 10_000.0);
    let unknown = [("outcome", "invalid_credential")];
    assert_eq!(after.sum("tollgate_requests_total", &unknown), 1_000.0);
    let other = [("grpc_method", "_OTHER"), ("grpc_code", "UNIMPLEMENTED")];
    assert_eq!(after.sum("grpc_server_handled_total", &other), 500.0);
}

#[test]
fn a_reload_brings_new_series_and_keeps_the_old_counts() {
    let small = catalog(2, 4, 2);
    let observer = observer(&small);
    everything(&observer, &small);
    let before = Scrape::of(&observer.render());
    let mut large = catalog(3, 6, 2);
    large.teams.remove("team-1");
    observer.configured(&large, "hash-2");
    let after = Scrape::of(&observer.render());
    let requests = |scrape: &Scrape| scrape.sum("tollgate_requests_total", &[]);
    assert_eq!(requests(&before), requests(&after));
    assert_eq!(
        after.sum("tollgate_team_requests_total", &[("team", "team-2")]),
        0.0
    );
    let edge = [("from_model", "model-4"), ("to_model", "model-5")];
    assert_eq!(after.sum("tollgate_fallbacks_total", &edge), 0.0);
    assert_eq!(
        after.sum("tollgate_config_info", &[("hash", "hash-1")]),
        0.0
    );
    assert_eq!(
        after.sum("tollgate_config_info", &[("hash", "hash-2")]),
        1.0
    );
    assert_eq!(
        after.sum("tollgate_config_last_reload_successful", &[]),
        1.0
    );
    let limit = after.sum("tollgate_budget_limit_nano_usd", &[("team", "team-1")]);
    assert!(
        limit.is_nan(),
        "the budget of a team that is gone alarms nobody: {limit}"
    );
    let state = [("deployment", "provider/deployment-0")];
    assert_eq!(
        after.sum("tollgate_circuit_breaker_state", &state),
        2.0,
        "still open"
    );
}

#[tokio::test]
async fn promtool_finds_nothing_to_say() {
    let catalog = catalog(2, 4, 2);
    let observer = observer(&catalog);
    everything(&observer, &catalog);
    let text = observer.render();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = promtool.expect("promtool, of the package prometheus: `make prerequisites`");
    let mut stdin = promtool.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
