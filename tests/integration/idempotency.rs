//! A retried request does not bill twice.

use std::time::Duration;
use tollgate_proto::v1;
use tollgate_tests::{
    harness::{Gateway, simulator, spec},
    simulator::{Action, Fault, Refused, RetryAfter},
};

fn keyed(key: &str, text: &str) -> v1::CompletionSpec {
    v1::CompletionSpec {
        idempotency_key: key.to_owned(),
        ..spec("strong", text)
    }
}

#[tokio::test]
async fn the_same_key_replays_the_answer_and_pays_nothing() {
    let simulator = simulator(200).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", ""), ("sport", "")]).await;
    let caller = gateway.caller("news");
    let first = caller
        .complete(keyed("k", "Hello"))
        .await
        .expect("an answer");
    let again = caller
        .complete(keyed("k", "Hello"))
        .await
        .expect("an answer");
    assert_eq!(first.message, again.message);
    let (first, again) = (first.receipt.expect("one"), again.receipt.expect("one"));
    assert!(!first.replayed && again.replayed);
    assert_eq!(first.call_id, again.call_id);
    assert_eq!(simulator.requests().len(), 1);
    assert_eq!(caller.settled_spend().await, first.cost_nano_usd);
    // Another team's key is another key.
    let theirs = gateway
        .caller("sport")
        .complete(keyed("k", "Hello"))
        .await
        .expect("an answer");
    assert!(!theirs.receipt.expect("one").replayed);
    gateway.stop().await;
}

#[tokio::test]
async fn a_duplicate_waits_for_the_first_and_another_request_conflicts() {
    let simulator = simulator(200).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let (first, second) = tokio::join!(
        caller.complete(keyed("k", "Hello")),
        caller.complete(keyed("k", "Hello"))
    );
    let replayed = [first, second].map(|answer| {
        let receipt = answer.expect("an answer").receipt;
        receipt.expect("a receipt").replayed
    });
    assert_eq!(replayed.iter().filter(|replayed| **replayed).count(), 1);
    assert_eq!(simulator.requests().len(), 1);
    let refused = caller
        .complete(keyed("k", "Goodbye"))
        .await
        .expect_err("another request");
    assert_eq!(refused.reason, "IDEMPOTENCY_CONFLICT");
    gateway.stop().await;
}

#[tokio::test]
async fn the_retry_of_a_caller_that_hung_up_finds_its_answer() {
    let simulator = simulator(200).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let other = caller.clone();
    let call = tokio::spawn(async move { other.complete(keyed("k", "Hello")).await });
    tokio::time::sleep(Duration::from_millis(80)).await;
    call.abort();
    let answer = caller
        .complete(keyed("k", "Hello"))
        .await
        .expect("an answer");
    assert!(answer.receipt.expect("a receipt").replayed);
    assert_eq!(simulator.requests().len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    let simulator = simulator(200).await;
    let down = Action::Refuse(Refused::NotFound, RetryAfter::Absent);
    simulator.push_fault(Fault::always(down));
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let refused = caller
        .complete(keyed("k", "Hello"))
        .await
        .expect_err("all are down");
    assert_eq!(refused.reason, "TARGETS_EXHAUSTED");
    simulator.clear_faults();
    let answer = caller
        .complete(keyed("k", "Hello"))
        .await
        .expect("an answer");
    assert!(!answer.receipt.expect("a receipt").replayed);
    gateway.stop().await;
}

#[tokio::test]
async fn a_later_run_may_use_what_an_earlier_one_paid_for() {
    let simulator = simulator(200).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    for run in ["one", "two"] {
        let mut call = keyed("k", "Hello");
        call.attribution = Some(v1::Attribution {
            run: run.to_owned(),
            ..v1::Attribution::default()
        });
        let answer = caller.complete(call).await.expect("an answer");
        assert_eq!(answer.receipt.expect("a receipt").replayed, run == "two");
    }
    assert_eq!(simulator.requests().len(), 1);
    gateway.stop().await;
}
