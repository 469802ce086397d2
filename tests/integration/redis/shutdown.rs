//! SIGTERM while calls run: they end, and all that they cost is in the ledger.

use super::{Site, drains, until};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};
use tollgate_tests::harness::{Caller, spec};

/// Calls until its gateway goes away. What a call that the end cut off cost is not known here.
async fn call_until_gone(caller: Caller, spent: Arc<AtomicI64>) {
    loop {
        match caller.complete(spec("strong", "Hello")).await {
            Ok(answer) => {
                let cost = answer.receipt.expect("a receipt").cost_nano_usd;
                spent.fetch_add(cost, SeqCst);
            }
            // Nothing was charged.
            Err(refused) if refused.reason == "OVERLOADED" || refused.reason.is_empty() => return,
            Err(refused) => panic!("{:?}", refused.status),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_loses_nothing() {
    let site = Site::new(50, &[("news", "")]).await;
    let first = site.start("a");
    drains(&first).await;
    let second = site.start("b");
    let spent = Arc::new(AtomicI64::new(0));
    let mut load = Vec::new();
    for gateway in [&first, &second] {
        let caller = site.caller(gateway, "news").await;
        for _ in 0..8 {
            load.push(tokio::spawn(call_until_gone(
                caller.clone(),
                Arc::clone(&spent),
            )));
        }
    }
    until("there is load", async || {
        site.simulator.requests().len() > 100
    })
    .await;
    // The one that drains goes first; the other one takes over, and goes too.
    let ended = tokio::task::spawn_blocking(move || first.terminate());
    assert!(ended.await.expect("no panic").success());
    drains(&second).await;
    let ended = tokio::task::spawn_blocking(move || second.terminate());
    assert!(ended.await.expect("no panic").success());
    for one in load {
        one.await.expect("no panic");
    }
    let open: Vec<String> = site
        .redis
        .command(&["ZRANGE", "tollgate:1:{t:news}:l", "0", "-1"]);
    assert!(open.is_empty(), "no hold is left: {open:?}");
    assert_eq!(site.ledger_spend("news"), spent.load(SeqCst));
}
