//! A gateway that is killed: its holds are charged, and another one keeps the ledger.

use super::{Site, drains, until};
use futures_util::future::join_all;
use std::time::Duration;
use tollgate::ledger::{Filter, Form, list};
use tollgate_tests::harness::{Caller, spec};

const LEASES: &str = "tollgate:1:{t:news}:l";

impl Site {
    /// Thirty seconds pass for the holds that are open, and ten for the drain. Returns the holds.
    fn leases_end(&self) -> Vec<String> {
        let open: Vec<String> = self.redis.command(&["ZRANGE", LEASES, "0", "-1"]);
        for hold in &open {
            // It may have ended meanwhile.
            self.redis
                .command::<u64>(&["ZADD", LEASES, "XX", "1", hold]);
        }
        self.redis
            .command::<u64>(&["PEXPIRE", "tollgate:1:drain:lease", "1"]);
        open
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateways_holds_are_charged_and_its_ledger_is_taken_over() {
    // Answers take far longer than the test.
    let site = Site::new(60_000, &[("news", "")]).await;
    let killed = site.start("a");
    drains(&killed).await;
    let other = site.start("b");
    let caller = site.caller(&killed, "news").await;
    let calls = (0..3).map(|_| {
        let caller = caller.clone();
        tokio::spawn(async move { caller.complete(spec("strong", "Hello")).await })
    });
    let calls: Vec<_> = calls.collect();
    let observer = site.caller(&other, "news").await;
    until("three calls are under way", async || {
        site.simulator.requests().len() == 3
    })
    .await;
    let held = observer.budget("day").await.held_nano_usd;
    assert!(held > 0, "the other gateway sees them");
    killed.kill();
    for call in calls {
        let answer = call.await.expect("no panic");
        assert!(answer.expect_err("its gateway is gone").reason.is_empty());
    }
    assert_eq!(site.leases_end().len(), 3);
    assert_eq!(observer.settled_spend().await, held, "charged in full");
    drains(&other).await;
    site.drained("news").await;
    assert!(other.terminate().success());
    assert_eq!(site.ledger_spend("news"), held);
    let mut lines = Vec::new();
    let all = Filter {
        team: None,
        run: None,
    };
    list(&site.ledger(), &all, Form::Json, &mut lines).expect("it is read");
    let lines = String::from_utf8(lines).expect("text");
    assert_eq!(lines.matches("\"kind\":\"expired\"").count(), 3, "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_call_keeps_its_hold() {
    // An answer takes far longer than the test.
    let site = Site::new(60_000, &[("news", "")]).await;
    let gateway = site.start("a");
    drains(&gateway).await;
    let caller = site.caller(&gateway, "news").await;
    let call = tokio::spawn(async move { caller.complete(spec("strong", "Hello")).await });
    let leases = || -> Vec<(String, f64)> {
        let all = ["ZRANGE", LEASES, "0", "-1", "WITHSCORES"];
        site.redis.command(&all)
    };
    until("it is under way", async || leases().len() == 1).await;
    let taken = leases().remove(0);
    // A third of the lease later. Without it a sweep would charge every call of 30 seconds.
    until("its lease is prolonged", async || {
        let now = leases().remove(0);
        assert_eq!(now.0, taken.0);
        now.1 > taken.1
    })
    .await;
    call.abort();
    gateway.kill();
}

/// Calls until the gateway is gone. Returns the cost of the answers that arrived.
async fn call_until_gone(caller: Caller) -> i64 {
    let mut cost = 0;
    loop {
        match caller.complete(spec("strong", "What is new?")).await {
            Ok(answer) => cost += answer.receipt.expect("a receipt").cost_nano_usd,
            Err(refused) if refused.reason.is_empty() => return cost,
            Err(refused) => {
                assert_eq!(refused.reason, "BUDGET_EXHAUSTED", "{refused:?}");
                // Until the holds of the dead are charged, they block.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_points_gateways_neither_overspend_nor_forget() {
    let limit = 60_000_000;
    let site = Site::new(
        5,
        &[("news", "budgets = [{ per = \"day\", amount = \"0.06\" }]")],
    )
    .await;
    let stays = site.start("b");
    let mut answered = 0;
    for _ in 0..4 {
        let killed = site.start("a");
        let mut calls = Vec::new();
        for _ in 0..6 {
            let caller = site.caller(&killed, "news").await;
            calls.push(tokio::spawn(call_until_gone(caller)));
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..300))).await;
        killed.kill();
        for cost in join_all(calls).await {
            answered += cost.expect("no panic");
        }
        let observer = site.caller(&stays, "news").await;
        let day = observer.budget("day").await;
        assert!(day.spent_nano_usd + day.held_nano_usd <= limit, "{day:?}");
        site.leases_end();
        let spent = observer.settled_spend().await;
        assert!(spent >= answered, "{spent} < {answered}");
        assert!(spent <= limit, "{spent} nano-dollars of {limit}");
    }
    assert!(answered > 0, "some calls were answered");
    let spent = site.caller(&stays, "news").await.settled_spend().await;
    drains(&stays).await;
    site.drained("news").await;
    assert!(stays.terminate().success());
    assert_eq!(site.ledger_spend("news"), spent);
}
