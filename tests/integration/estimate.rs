//! What an estimate says of a call that would be refused, over either store.

use tollgate_proto::v1;
use tollgate_tests::harness::{Caller, Gateway, simulator, spec};

/// The bounds of teams with too little money, and with one call a minute.
pub(crate) const POOR: &str = "budgets = [{ per = \"day\", amount = \"0.000001\" }]";
pub(crate) const PACED: &str = "limits = { requests_per_minute = 1 }\n\
                                budgets = [{ per = \"day\", amount = \"1.00\" }]";

async fn estimate(caller: &Caller) -> v1::EstimateCostResponse {
    let request = caller.request(v1::EstimateCostRequest {
        spec: Some(spec("strong", "Hello")),
    });
    let answer = caller.completions().estimate_cost(request).await;
    answer.expect("an answer").into_inner()
}

/// An estimate names what would refuse, says whether waiting helps, and takes nothing.
pub(crate) async fn names_what_binds(poor: Caller, paced: Caller) {
    let told = estimate(&poor).await;
    assert!(!told.admitted && told.hold_nano_usd > 1_000, "{told:?}");
    let [refusal] = &told.refusals[..] else {
        panic!("one budget binds: {told:?}");
    };
    assert_eq!(
        (&*refusal.limit, refusal.retry_after),
        ("budget:day", None),
        "today no waiting helps"
    );
    let refused = poor.complete(spec("strong", "Hello")).await;
    let refused = refused.expect_err("as it was told");
    assert_eq!(refused.reason, "BUDGET_EXHAUSTED");

    let told = estimate(&paced).await;
    assert!(told.admitted && told.refusals.is_empty(), "{told:?}");
    let first = paced.complete(spec("strong", "Hello")).await;
    first.expect("as it was told");
    let told = estimate(&paced).await;
    let [refusal] = &told.refusals[..] else {
        panic!("one limit binds: {told:?}");
    };
    assert_eq!(refusal.limit, "requests_per_minute");
    let wait = refusal.retry_after.expect("waiting helps").seconds;
    assert!((1..=60).contains(&wait), "{wait} s");
    assert!(!told.admitted);
    let spent = paced.settled_spend().await;
    estimate(&paced).await;
    assert_eq!(paced.settled_spend().await, spent, "it takes nothing");
}

#[tokio::test]
async fn an_estimate_names_the_limit_that_would_bind() {
    let simulator = simulator(0).await;
    let teams = [("poor", POOR), ("paced", PACED)];
    let gateway = Gateway::start_with(&simulator.base_url(), &teams, |settings| {
        settings.server("max_wait = \"0s\"")
    })
    .await;
    names_what_binds(gateway.caller("poor"), gateway.caller("paced")).await;
    gateway.stop().await;
}
