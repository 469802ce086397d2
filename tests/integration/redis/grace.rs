//! Hard budgets with a grace: bounded without Redis, and charged once, whatever is killed.

use super::{Site, drains, metric, until};
use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};
use tollgate_tests::harness::{Caller, GatewayProcess, Redis, spec};

const BUDGET: &str = "budgets = [{ per = \"day\", amount = \"1.00\" }]";

/// A site whose gateway has a grace.
async fn site(latency_ms: u64, amount: &str) -> Site {
    let mut site = Site::new(latency_ms, &[("news", BUDGET)]).await;
    let journal = site.dir.path().join("failover");
    site.store = format!(
        "command_timeout = \"200ms\"\non_failure = {{ budgets = \"grace\", \
         grace = {{ amount = \"{amount}\", lasts = \"1h\" }}, journal = {journal:?} }}"
    );
    site
}

fn journal(site: &Site) -> PathBuf {
    site.dir.path().join("failover/failover.jsonl")
}

/// What an answered call cost.
async fn cost(caller: &Caller) -> i64 {
    let answer = caller.complete(spec("strong", "Hello")).await;
    let answer = answer.unwrap_or_else(|refused| panic!("{:?}", refused.status));
    answer.receipt.expect("a receipt").cost_nano_usd
}

/// What the journal has of holds that did not end, by hold.
fn unclosed(site: &Site) -> BTreeMap<String, i64> {
    let mut open = BTreeMap::new();
    for line in fs::read_to_string(journal(site)).expect("text").lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let hold = || line["hold"].as_str().expect("text").to_owned();
        match line["kind"].as_str() {
            Some("held") => {
                let amount = line["amount_nano_usd"].as_i64().expect("a number");
                open.insert(hold(), amount);
            }
            Some("ended" | "landed") => {
                open.remove(&hold());
            }
            _ => {}
        }
    }
    open
}

async fn is_told(gateway: &GatewayProcess) {
    until("it is charged", async || {
        metric(gateway, "tollgate_settlement_backlog").await == 0
            && metric(gateway, "tollgate_store_up").await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grace_admits_up_to_its_amount_and_is_charged_afterwards() {
    let site = site(0, "0.02").await;
    let gateway = site.start("a");
    let news = site.caller(&gateway, "news").await;
    let mut spent = cost(&news).await;
    site.redis.freeze();
    let mut without = 0;
    loop {
        match news.complete(spec("strong", "Hello")).await {
            Ok(answer) => without += answer.receipt.expect("a receipt").cost_nano_usd,
            Err(refused) => {
                assert_eq!(refused.reason, "STORE_UNAVAILABLE", "{refused:?}");
                break;
            }
        }
    }
    assert!(without > 0, "it admits some");
    assert!(
        without <= 20_000_000,
        "{without} nano-dollars of 20,000,000"
    );
    spent += without;
    site.redis.thaw();
    is_told(&gateway).await;
    assert_eq!(news.settled_spend().await, spent);
    assert!(gateway.terminate().success());
    assert_eq!(site.ledger_spend("news"), spent);
}

/// Calls are admitted without Redis, the gateway is killed, Redis comes back, and gateways are
/// killed again while they tell it.
async fn killed_without_redis(lose: fn(&Redis), come_back: fn(&mut Redis)) {
    let mut site = site(300, "0.50").await;
    let gateway = site.start("a");
    drains(&gateway).await;
    let news = site.caller(&gateway, "news").await;
    let mut spent = cost(&news).await;
    assert_eq!(news.settled_spend().await, spent);
    site.drained("news").await;
    lose(&site.redis);
    for _ in 0..3 {
        spent += cost(&news).await;
    }
    let caught: Vec<_> = (0..3)
        .map(|_| {
            let news = news.clone();
            tokio::spawn(async move { news.complete(spec("strong", "Hello")).await.is_err() })
        })
        .collect();
    until("three calls more are under way", async || {
        site.simulator.requests().len() == 7
    })
    .await;
    gateway.kill();
    for one in caught {
        assert!(one.await.expect("no panic"), "nobody is left to answer");
    }
    let unclosed = unclosed(&site);
    assert_eq!(unclosed.len(), 3, "they were noted before they were sent");
    spent += unclosed.values().sum::<i64>();
    come_back(&mut site.redis);
    for _ in 0..4 {
        let gateway = site.start("a");
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..120))).await;
        gateway.kill();
    }
    let gateway = site.start("a");
    let news = site.caller(&gateway, "news").await;
    is_told(&gateway).await;
    until("the journal begins anew", async || {
        let text = fs::read_to_string(journal(&site)).expect("text");
        text.lines().count() == 1
    })
    .await;
    assert_eq!(news.settled_spend().await, spent);
    drains(&gateway).await;
    site.drained("news").await;
    assert_eq!(metric(&gateway, "tollgate_ledger_drift_nano_usd").await, 0);
    assert!(gateway.terminate().success());
    assert_eq!(site.ledger_spend("news"), spent, "once in the ledger too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_redis_is_frozen_loses_no_charge() {
    killed_without_redis(Redis::freeze, |redis| redis.thaw()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_redis_is_dead_loses_no_charge() {
    killed_without_redis(
        |redis| redis.freeze(),
        |redis| {
            redis.kill();
            redis.restart();
        },
    )
    .await;
}
