//! Deployments that are drained and restored.

use super::*;
use tollgate_tests::harness::spec;

/// The model that answers a call of the strong route, whose first target is gpt-4.
async fn answers(caller: &Caller) -> String {
    let answer = caller.complete(spec("strong", "hello")).await;
    let receipt = answer.expect("an answer").receipt;
    receipt.expect("every answer has one").model
}

#[tokio::test]
async fn a_drained_deployment_gets_nothing_on_both_replicas_until_it_is_restored() {
    let site = Site::shared(&[("news", "")]).await;
    let (one, two) = (site.start("one"), site.start("two"));
    let here = site.caller(&one, "news").await;
    let there = site.caller(&two, "news").await;
    assert_eq!(answers(&here).await, "gpt-4");
    assert_eq!(answers(&there).await, "gpt-4");
    let drained = site.json(&one, "targets drain openai/gpt-4");
    assert_eq!(drained["drained"], true);
    assert_eq!(answers(&here).await, "gpt-3.5-turbo");
    within_five_seconds("the other one drains too", async || {
        answers(&there).await == "gpt-3.5-turbo"
    })
    .await;
    let listed = site.json(&two, "targets list");
    let of = |name: &str| {
        let all = listed.as_array().expect("a list").iter();
        let mut of = all.filter(|target| target["deployment"] == name);
        of.next().expect("it is listed").clone()
    };
    assert_eq!(of("openai/gpt-4")["drained"], true);
    assert_eq!(of("openai/gpt-3.5-turbo")["drained"], false);
    assert_eq!(of("openai/gpt-4")["breaker"], "closed");
    // A gateway that starts later knows it before its first call.
    let three = site.start("three");
    assert_eq!(
        answers(&site.caller(&three, "news").await).await,
        "gpt-3.5-turbo"
    );
    site.json(&two, "targets restore openai/gpt-4");
    assert_eq!(answers(&there).await, "gpt-4");
    within_five_seconds("the other one restores it too", async || {
        answers(&here).await == "gpt-4"
    })
    .await;
    for gateway in [one, two, three] {
        assert!(gateway.terminate().success());
    }
}

#[tokio::test]
async fn a_drain_outlives_a_restart_and_only_what_is_configured_can_be_drained() {
    let site = Site::in_memory(&[("news", "")]).await;
    let gateway = site.start("one");
    let (_, said) = site.refused(&gateway, "targets drain openai/gpt-5");
    assert!(said.contains("targets list"), "{said}");
    site.json(&gateway, "targets drain openai/gpt-4");
    gateway.kill();
    let gateway = site.start("one");
    let caller = site.caller(&gateway, "news").await;
    assert_eq!(answers(&caller).await, "gpt-3.5-turbo");
    let output = site.run(&gateway, "targets list");
    let shown = String::from_utf8(output.stdout).expect("text");
    let line = shown.lines().find(|line| line.contains("openai/gpt-4 "));
    assert!(line.expect("a row").contains("yes"), "{shown}");
    assert!(gateway.terminate().success());
}
