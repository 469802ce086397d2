//! Calls as they go: times, outcomes, log lines.

use super::{
    fixture::{attempt, call, catalog, completion, deployment, failure, id, observer},
    scrape::Scrape,
};
use crate::{
    call::Target,
    complete::AttemptOutcome,
    config::telemetry::LogFormat,
    error::Error,
    provider::FailureKind,
    telemetry::{log::subscriber, testing::Captured},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, advance};
use tollgate_core::Money;
use tracing::Level;

fn lines_of(tell: impl FnOnce()) -> Vec<Value> {
    let captured = Captured::default();
    let subscriber = subscriber(LogFormat::Json, Level::INFO, captured.clone());
    tracing::subscriber::with_default(subscriber, tell);
    let text = captured.text();
    assert!(!text.contains("secret"), "{text}");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn overhead_is_what_is_left_after_providers_and_waits() {
    let catalog = catalog(1, 3, 1);
    let observer = observer(&catalog);
    let call = call(Target::Route("route-0".into()), "");
    let mut seen = observer.call_started(&catalog.teams["team-0"], &call);
    advance(Duration::from_millis(2)).await;
    let waiting = seen.waiting();
    advance(Duration::from_secs(1)).await;
    drop(waiting);
    seen.attempting(&"provider/deployment-0".into(), &"model-0".into());
    advance(Duration::from_secs(3)).await;
    seen.attempt_ended(None);
    advance(Duration::from_millis(3)).await;
    seen.answered(&completion(false));
    drop(seen);
    let scrape = Scrape::of(&observer.render());
    let sum = |name: &str| scrape.sum(name, &[]);
    assert!((sum("tollgate_overhead_duration_seconds_sum") - 0.005).abs() < 1e-9);
    assert!((sum("tollgate_wait_duration_seconds_sum") - 1.0).abs() < 1e-9);
    assert!((sum("tollgate_request_duration_seconds_sum") - 4.005).abs() < 1e-9);
    let within = scrape.sum(
        "tollgate_overhead_duration_seconds_bucket",
        &[("le", "0.025")],
    );
    assert_eq!(within, 1.0);
    assert_eq!(sum("tollgate_request_attempts_sum"), 1.0);
    assert_eq!(
        sum("tollgate_requests_total"),
        1.0,
        "dropped after its end, it is one call"
    );
    assert_eq!(sum("tollgate_inflight_requests"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_was_cancelled_or_late() {
    let catalog = catalog(1, 3, 1);
    let observer = observer(&catalog);
    let call = call(Target::Route("route-0".into()), "");
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut hung_up = observer.call_started(&catalog.teams["team-0"], &call);
    hung_up.due(deadline);
    let mut late = observer.call_started(&catalog.teams["team-0"], &call);
    late.due(deadline);
    late.attempting(&"provider/deployment-0".into(), &"model-1".into());
    advance(Duration::from_secs(1)).await;
    drop(hung_up);
    advance(Duration::from_secs(1)).await;
    drop(late);
    let scrape = Scrape::of(&observer.render());
    let calls = |outcome| scrape.sum("tollgate_requests_total", &[("outcome", outcome)]);
    assert_eq!((calls("cancelled"), calls("deadline_exceeded")), (1.0, 1.0));
    let labels = [("model", "model-1"), ("outcome", "deadline_exceeded")];
    assert_eq!(scrape.sum("tollgate_model_requests_total", &labels), 1.0);
    // One second of the first; nothing of the second, which waited for its provider.
    let overhead = scrape.sum("tollgate_overhead_duration_seconds_sum", &[]);
    assert!((overhead - 1.0).abs() < 1e-9, "{overhead}");
}

#[test]
fn a_call_that_panics_is_a_bug_and_not_cancelled() {
    let catalog = catalog(1, 3, 1);
    let observer = observer(&catalog);
    let call = call(Target::Route("route-0".into()), "");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _seen = observer.call_started(&catalog.teams["team-0"], &call);
        panic!("a bug, for this test");
    }));
    assert!(panicked.is_err());
    let scrape = Scrape::of(&observer.render());
    let calls = |outcome| scrape.sum("tollgate_requests_total", &[("outcome", outcome)]);
    assert_eq!((calls("cancelled"), calls("internal")), (0.0, 1.0));
    assert_eq!(scrape.sum("tollgate_inflight_requests", &[]), 0.0);
}

#[test]
fn a_call_leaves_one_line_without_its_text() {
    let catalog = catalog(1, 3, 1);
    let observer = observer(&catalog);
    let team = &catalog.teams["team-0"];
    let call = call(Target::Route("route-0".into()), "content-analysis");
    let lines = lines_of(|| {
        let mut seen = observer.call_started(team, &call);
        seen.named(id(1));
        seen.planned(&"route-0".into(), &"model-0".into(), &"2026-11-24".into());
        seen.attempting(&"provider/deployment-0".into(), &"model-0".into());
        seen.attempt_ended(None);
        seen.answered(&completion(false));
    });
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    let expected = serde_json::json!({
        "level": "INFO", "event": "call", "call_id": id(1).to_string(), "team": "team-0",
        "pipeline": "content-analysis", "run": "run-7\n{\"level\":\"ERROR\"}", "step": "summary",
        "route": "route-0", "model": "model-0", "deployment": "provider/deployment-0",
        "outcome": "ok", "attempts": 1, "input_tokens": 100, "cache_read_tokens": 20,
        "cache_write_tokens": 3, "output_tokens": 50, "reasoning_tokens": 7,
        "cost_nano_usd": 900, "price_version": "2026-11-24",
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&line[field], value, "{field}");
    }
    for field in ["duration_ms", "upstream_ms", "waited_ms", "overhead_ms"] {
        assert!(line[field].is_number(), "{field}: {line}");
    }
}

#[test]
fn our_faults_are_warnings_with_the_cause_and_callers_faults_are_not() {
    let catalog = catalog(1, 3, 1);
    let observer = observer(&catalog);
    let team = &catalog.teams["team-0"];
    let call = call(Target::Model("gpt-secret-name".into()), "");
    let lines = lines_of(|| {
        let mut seen = observer.call_started(team, &call);
        seen.attempting(&"provider/deployment-0".into(), &"model-0".into());
        seen.attempt_ended(Some(&failure(FailureKind::Unknown)));
        seen.attempting_after(&"model-0".into(), FailureKind::Unknown, &"model-1".into());
        let cost = Money::from_nanos(77);
        seen.failed(&Error::OutcomeUnknown { cost });
        let unknown = Error::UnknownModel("gpt-secret-name".into());
        observer.call_started(team, &call).failed(&unknown);
    });
    let [fault, unknown] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(fault["level"], "WARN");
    assert_eq!(fault["outcome"], "outcome_unknown");
    assert_eq!(fault["failure"], "unknown");
    assert_eq!(fault["failure_detail"], "what the provider's code was");
    assert_eq!(fault["fallback_reason"], "unknown");
    assert_eq!(fault["cost_nano_usd"], 77);
    assert_eq!(unknown["level"], "INFO");
    assert_eq!(unknown["model"], "other");
    assert_eq!(unknown["cost_nano_usd"], 0);
    assert!(unknown["call_id"].is_null() && unknown["failure"].is_null());
}

#[test]
fn the_last_model_again_is_a_retry_and_another_a_fallback() {
    let catalog = catalog(1, 3, 1);
    let observer = observer(&catalog);
    let call = call(Target::Route("route-0".into()), "");
    let mut seen = observer.call_started(&catalog.teams["team-0"], &call);
    let deployment = Arc::from("provider/deployment-0");
    let models: [Arc<str>; 2] = ["model-0".into(), "model-1".into()];
    seen.planned(&"route-0".into(), &models[0], &"".into());
    for (from, to) in [(None, 0), (Some(0), 0), (Some(0), 1), (Some(1), 1)] {
        if let Some(from) = from {
            seen.attempting_after(&models[from], FailureKind::Throttled, &models[to]);
        }
        seen.attempting(&deployment, &models[to]);
        seen.attempt_ended(Some(&failure(FailureKind::Throttled)));
    }
    seen.failed(&Error::TargetsExhausted { retry_after_ms: 1 });
    let scrape = Scrape::of(&observer.render());
    assert_eq!(scrape.sum("tollgate_retries_total", &[]), 2.0);
    assert_eq!(scrape.sum("tollgate_fallbacks_total", &[]), 1.0);
    assert_eq!(scrape.sum("tollgate_request_attempts_sum", &[]), 4.0);
}

#[test]
fn a_breakers_probe_is_counted_when_it_ends() {
    let catalog = catalog(1, 3, 1);
    let observer = observer(&catalog);
    let deployment = deployment("provider/deployment-0");
    let unavailable = failure(FailureKind::Unavailable);
    let failed = attempt(AttemptOutcome::Failed(FailureKind::Unavailable), 0);
    let ok = attempt(AttemptOutcome::Ok, 0);
    let lines = lines_of(|| {
        observer.attempted(id(1), &deployment, &ok, None);
        observer.breaker_opened(&deployment.id);
        observer.attempted(id(1), &deployment, &failed, Some(&unavailable));
        // Its probe failed.
        observer.breaker_opened(&deployment.id);
        observer.attempted(id(1), &deployment, &ok, None);
        observer.attempted(id(1), &deployment, &ok, None);
    });
    let scrape = Scrape::of(&observer.render());
    let to = |state| {
        scrape.sum(
            "tollgate_circuit_breaker_transitions_total",
            &[("to", state)],
        )
    };
    assert_eq!(["open", "half_open", "closed"].map(to), [2.0, 2.0, 1.0]);
    assert_eq!(scrape.sum("tollgate_circuit_breaker_state", &[]), 0.0);
    let events: Vec<&Value> = lines.iter().map(|line| &line["event"]).collect();
    assert_eq!(
        events,
        ["breaker_opened", "breaker_opened", "breaker_closed"]
    );
}

#[test]
fn a_change_of_state_is_one_line() {
    let catalog = catalog(1, 3, 1);
    let observer = observer(&catalog);
    let lines = lines_of(|| {
        for _ in 0..3 {
            observer.store_down("no answer within 50 ms");
            observer.ledger_failed("the disk is full");
        }
        for _ in 0..3 {
            observer.store_up(Duration::from_secs(2));
            observer.ledger_recovered();
        }
    });
    let events: Vec<&Value> = lines.iter().map(|line| &line["event"]).collect();
    assert_eq!(
        events,
        [
            "store_down",
            "ledger_failed",
            "store_up",
            "ledger_recovered"
        ]
    );
    let scrape = Scrape::of(&observer.render());
    assert_eq!(scrape.sum("tollgate_ledger_write_errors_total", &[]), 1.0);
    assert_eq!(scrape.sum("tollgate_ledger_up", &[]), 1.0);
}
