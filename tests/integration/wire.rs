//! What gateways answer to requests that no gRPC library would send: its timer does not get in the
//! way of the gateway's, and it sends no unknown method and no message that it may not.

use std::time::Duration;
use tollgate_proto::v1;
use tollgate_tests::{
    harness::{Gateway, Refused, scrape::Scrape, simulator, spec},
    simulator::{Action, Fault},
};
use tonic::Code;

const COMPLETE: &str = "/tollgate.v1.CompletionService/Complete";

fn request() -> v1::CompleteRequest {
    v1::CompleteRequest {
        spec: Some(spec("strong", "Hello")),
    }
}

fn cost(refused: &Refused) -> i64 {
    let cost = refused.metadata("costNanoUsd").expect("it says its cost");
    cost.parse().expect("digits")
}

/// The calls with an outcome, and those with any.
async fn calls(gateway: &Gateway, outcome: &str) -> (String, String) {
    let scrape = Scrape::of(&gateway.metrics_url()).await;
    let sum = |labels: &[&str]| scrape.sum("tollgate_requests_total", labels).to_string();
    (sum(&[&format!("outcome=\"{outcome}\"")]), sum(&[]))
}

#[tokio::test]
async fn a_late_call_says_so_and_what_it_was_charged() {
    let simulator = simulator(0).await;
    simulator.push_fault(Fault::always(Action::Hang));
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let call = gateway.raw(COMPLETE, "news").header("grpc-timeout", "400m");
    let late = call.refused(&request()).await;
    assert_eq!(late.code, Code::DeadlineExceeded, "{:?}", late.status);
    assert_eq!(
        (late.reason.as_str(), late.infos()),
        ("DEADLINE_EXCEEDED", 1)
    );
    assert_eq!(simulator.requests().len(), 1, "no fallback without time");
    assert!(cost(&late) > 100 * 60_000, "all of the cap, and the prompt");
    assert_eq!(
        gateway.caller("news").settled_spend().await,
        cost(&late),
        "it says what is charged"
    );
    assert_eq!(
        calls(&gateway, "deadline_exceeded").await,
        ("1".to_owned(), "1".to_owned()),
        "one late call, and none that was cancelled"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_refused_by_the_gateway_and_costs_nothing() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let call = gateway.raw(COMPLETE, "news").header("grpc-timeout", "1n");
    let late = call.refused(&request()).await;
    assert_eq!(late.code, Code::DeadlineExceeded, "{:?}", late.status);
    assert_eq!(
        (late.reason.as_str(), late.infos(), cost(&late)),
        ("DEADLINE_EXCEEDED", 1, 0)
    );
    assert_eq!(simulator.requests().len(), 0, "no provider was asked");
    let caller = gateway.caller("news").within(Duration::from_secs(60));
    assert_eq!(caller.settled_spend().await, 0);
    assert_eq!(
        calls(&gateway, "deadline_exceeded").await,
        ("1".to_owned(), "1".to_owned())
    );
    gateway.stop().await;
}

#[tokio::test]
async fn an_unknown_method_and_a_compressed_message_are_not_served() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    for path in [
        "/tollgate.v1.CompletionService/Complicate",
        "/tollgate.v2.CompletionService/Complete",
        "/elsewhere.Service/Method",
    ] {
        let unknown = gateway.raw(path, "news").refused(&request()).await;
        assert_eq!(unknown.code, Code::Unimplemented, "{path}");
        assert_eq!(unknown.infos(), 0, "the transport's answer, not ours");
    }
    let gzip = gateway
        .raw(COMPLETE, "news")
        .header("grpc-encoding", "gzip");
    let packed = gzip.compressed().refused(&request()).await;
    assert_eq!(packed.code, Code::Unimplemented, "{:?}", packed.status);
    // The gRPC specification: whoever can't read an encoding says which it can.
    let accepted = packed.status.metadata().get("grpc-accept-encoding");
    assert_eq!(
        accepted.map(|value| value.as_bytes()),
        Some(&b"identity"[..])
    );
    let odd = gateway.raw(COMPLETE, "news").compressed();
    let odd = odd.refused(&request()).await;
    assert_eq!(odd.code, Code::Internal, "{:?}", odd.status);
    assert_eq!(simulator.requests().len(), 0, "no provider was asked");
    assert_eq!(gateway.caller("news").settled_spend().await, 0);
    gateway.stop().await;
}
