//! A cluster, and sentinels that know the master.

use super::{Site, until};
use tollgate_tests::harness::{Redis, spec};

/// Makes a call, stops the gateway, and compares its cost with the ledger.
async fn works(site: &Site) {
    let gateway = site.start("a");
    let caller = site.caller(&gateway, "news").await;
    let answer = caller.complete(spec("strong", "Hello")).await;
    let answer = answer.unwrap_or_else(|refused| panic!("{:?}", refused.status));
    let cost = answer.receipt.expect("a receipt").cost_nano_usd;
    assert_eq!(caller.settled_spend().await, cost);
    assert!(gateway.terminate().success());
    assert_eq!(site.ledger_spend("news"), cost);
}

impl Site {
    /// A site whose Redis is a cluster of one.
    pub(super) async fn of_cluster(latency_ms: u64, teams: &[(&str, &str)]) -> Self {
        let mut site = Self::new(latency_ms, teams).await;
        site.redis = Redis::start_with(&["--cluster-enabled", "yes"]);
        site.redis
            .command::<String>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        until("the cluster is up", async || {
            let info: String = site.redis.command(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok")
        })
        .await;
        site.store = "command_timeout = \"500ms\"\ntopology = \"cluster\"".to_owned();
        site
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_holds_budgets() {
    let budget = "budgets = [{ per = \"day\", amount = \"1.00\" }]";
    works(&Site::of_cluster(0, &[("news", budget)]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_lead_to_the_master() {
    let mut site = Site::new(
        0,
        &[("news", "budgets = [{ per = \"day\", amount = \"1.00\" }]")],
    )
    .await;
    let master = std::mem::replace(&mut site.redis, Redis::start());
    site.redis = Redis::sentinel_of(&master, "mymaster");
    site.store =
        "command_timeout = \"500ms\"\ntopology = \"sentinel\"\nmaster = \"mymaster\"".to_owned();
    works(&site).await;
    let spent: u64 = master.command(&["EXISTS", "tollgate:1:{t:news}:a"]);
    assert_eq!(spent, 1, "it is the master that knows");
}
