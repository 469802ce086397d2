//! Redis freezes, loses all, or dies: hard budgets are refused, and nothing is forgotten.

use super::{Site, drains, metric, until};
use tollgate_tests::harness::{Caller, GatewayProcess, scrape::Scrape, spec};
use tonic::Code;

const BUDGET: &str = "budgets = [{ per = \"day\", amount = \"1.00\" }]";

/// What an answered call cost.
async fn cost(caller: &Caller) -> i64 {
    let answer = caller.complete(spec("strong", "Hello")).await;
    let answer = answer.unwrap_or_else(|refused| panic!("{:?}", refused.status));
    answer.receipt.expect("a receipt").cost_nano_usd
}

/// What an answered call cost, when the store answers again.
async fn cost_again(caller: &Caller) -> i64 {
    for _ in 0..400 {
        match caller.complete(spec("strong", "Hello")).await {
            Ok(answer) => return answer.receipt.expect("a receipt").cost_nano_usd,
            Err(refused) => assert_eq!(refused.reason, "STORE_UNAVAILABLE", "{refused:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the store never answers again");
}

async fn probe(gateway: &GatewayProcess, path: &str) -> u16 {
    let url = format!("http://{}{path}", gateway.metrics);
    let answer = reqwest::get(url).await.expect("it answers");
    answer.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_refuses_hard_budgets_and_forgets_nothing() {
    let mut site = Site::new(300, &[("news", BUDGET), ("free", "")]).await;
    site.store = "command_timeout = \"200ms\"".to_owned();
    let gateway = site.start("a");
    let news = site.caller(&gateway, "news").await;
    let free = site.caller(&gateway, "free").await;
    let mut spent = cost(&news).await;
    // A call is under way when Redis freezes.
    let caught = tokio::spawn({
        let news = news.clone();
        async move { cost(&news).await }
    });
    until("the second call is under way", async || {
        site.simulator.requests().len() == 2
    })
    .await;
    let url = format!("http://{}/metrics", gateway.metrics);
    let series = Scrape::of(&url).await.len();
    site.redis.freeze();
    spent += caught.await.expect("it is answered all the same");
    for _ in 0..8 {
        let refused = news.complete(spec("strong", "Hello")).await;
        let refused = refused.expect_err("nobody knows the balance");
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (Code::Unavailable, "STORE_UNAVAILABLE")
        );
        assert!(refused.retry_after().is_some());
    }
    let spent_without = cost(&free).await;
    let told = Scrape::of(&url).await.len();
    assert!(told >= series, "a scrape asks no Redis: {told} of {series}");
    assert_eq!(metric(&gateway, "tollgate_store_up").await, 0);
    assert_eq!(metric(&gateway, "tollgate_degraded_mode").await, 2);
    assert!(metric(&gateway, "tollgate_degraded_decisions_total").await >= 9);
    assert_eq!(
        probe(&gateway, "/readyz").await,
        200,
        "all would leave at once"
    );
    site.redis.thaw();
    spent += cost_again(&news).await;
    until("it is well again", async || {
        metric(&gateway, "tollgate_store_up").await == 1
            && metric(&gateway, "tollgate_degraded_mode").await == 0
            && metric(&gateway, "tollgate_settlement_backlog").await == 0
    })
    .await;
    assert_eq!(news.settled_spend().await, spent);
    assert_eq!(free.settled_spend().await, spent_without, "told afterwards");
    assert!(gateway.terminate().success());
    assert_eq!(site.ledger_spend("news"), spent);
    assert_eq!(site.ledger_spend("free"), spent_without);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_redis_is_rebuilt_from_the_ledger() {
    let site = Site::new(0, &[("news", BUDGET)]).await;
    let gateways = [site.start("a"), site.start("b")];
    let (here, there) = (
        site.caller(&gateways[0], "news").await,
        site.caller(&gateways[1], "news").await,
    );
    let mut spent = cost(&here).await + cost(&there).await;
    assert_eq!(here.settled_spend().await, spent);
    site.drained("news").await;
    site.redis.command::<String>(&["FLUSHALL"]);
    spent += cost_again(&there).await;
    assert_eq!(here.settled_spend().await, spent, "nothing is forgotten");
    assert_eq!(there.settled_spend().await, spent);
    for gateway in gateways {
        assert!(gateway.terminate().success());
    }
    assert_eq!(site.ledger_spend("news"), spent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_empty_is_told_what_was_under_way() {
    let mut site = Site::new(500, &[("news", BUDGET)]).await;
    let gateway = site.start("a");
    drains(&gateway).await;
    let news = site.caller(&gateway, "news").await;
    let mut spent = cost(&news).await;
    let caught = tokio::spawn({
        let news = news.clone();
        async move { cost(&news).await }
    });
    until("the second call is under way", async || {
        site.simulator.requests().len() == 2
    })
    .await;
    site.redis.kill();
    site.redis.restart();
    spent += caught.await.expect("it is answered all the same");
    spent += cost_again(&news).await;
    assert_eq!(news.settled_spend().await, spent);
    assert!(gateway.terminate().success());
    assert_eq!(site.ledger_spend("news"), spent);
}
