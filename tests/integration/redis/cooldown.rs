//! What a provider tells one gateway, the others heed.

use super::{Site, until};
use tollgate_tests::{
    harness::spec,
    simulator::{Action, Fault, Refused, RetryAfter},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_cooldown_is_heeded_by_the_other_gateway_too() {
    let site = Site::new(0, &[("news", "")]).await;
    let gateways = [site.start("a"), site.start("b")];
    let told = site.caller(&gateways[0], "news").await;
    let other = site.caller(&gateways[1], "news").await;
    let model = async |caller: &tollgate_tests::harness::Caller| {
        let answer = caller.complete(spec("strong", "Hello")).await;
        answer.expect("an answer").receipt.expect("a receipt").model
    };
    assert_eq!(model(&other).await, "gpt-4");
    let throttle = Action::Refuse(Refused::TooManyRequests, RetryAfter::Seconds(60));
    site.simulator
        .push_fault(Fault::first(1, throttle).for_model("gpt-4"));
    assert_eq!(model(&told).await, "gpt-3.5-turbo", "it falls back");
    // The provider would answer: the other one leaves it alone because it was told to.
    until("the other one knows", async || {
        model(&other).await == "gpt-3.5-turbo"
    })
    .await;
}
