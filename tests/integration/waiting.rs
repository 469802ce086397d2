//! Bounded waits: limits make callers wait a little instead of failing, and never in vain.

use futures_util::future::join_all;
use std::time::{Duration, Instant};
use tollgate_tests::harness::{Gateway, simulator, spec};

#[tokio::test]
async fn callers_wait_for_a_place_and_all_get_one() {
    let simulator = simulator(50).await;
    let bounds = "limits = { concurrency = 4 }";
    let gateway = Gateway::start(&simulator.base_url(), &[("news", bounds)]).await;
    let caller = gateway.caller("news");
    let answers = join_all((0..32).map(|_| caller.complete(spec("cheap", "Hello")))).await;
    let waited = answers.into_iter().map(|answer| {
        let receipt = answer.expect("an answer").receipt.expect("a receipt");
        receipt.waited.expect("told")
    });
    let waited = waited
        .filter(|waited| waited.nanos > 10_000_000 || waited.seconds > 0)
        .count();
    assert!(waited >= 20, "most had to wait: {waited}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_caller_waits_for_a_rate_and_is_admitted_when_told() {
    let simulator = simulator(0).await;
    let bounds = "limits = { requests_per_minute = 60 }";
    let gateway = Gateway::start(&simulator.base_url(), &[("news", bounds)]).await;
    let caller = gateway.caller("news");
    let burst = join_all((0..60).map(|_| caller.complete(spec("cheap", "Hello")))).await;
    assert!(burst.iter().all(Result::is_ok), "a minute's worth at once");
    let started = Instant::now();
    caller
        .complete(spec("cheap", "Hello"))
        .await
        .expect("after a second");
    assert!(started.elapsed() >= Duration::from_millis(500));
    gateway.stop().await;
}

#[tokio::test]
async fn no_wait_is_started_that_cannot_end_in_time() {
    let simulator = simulator(0).await;
    let bounds = "limits = { requests_per_minute = 30 }";
    let gateway = Gateway::start(&simulator.base_url(), &[("news", bounds)]).await;
    let caller = gateway.caller("news");
    join_all((0..30).map(|_| caller.complete(spec("cheap", "Hello")))).await;
    let started = Instant::now();
    let hurried = caller.within(Duration::from_millis(900));
    let refused = hurried
        .complete(spec("cheap", "Hello"))
        .await
        .expect_err("two seconds are too long");
    assert_eq!(refused.reason, "RATE_LIMITED");
    assert!(
        started.elapsed() < Duration::from_millis(800),
        "told at once"
    );
    assert!(refused.retry_after().is_some());
    gateway.stop().await;
}
