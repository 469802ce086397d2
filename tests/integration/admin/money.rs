//! Budgets and usage, as operators see and change them.

use super::*;
use crate::money::ledger_spend;
use tollgate_tests::harness::spec;

#[tokio::test]
async fn usage_sums_are_those_of_the_ledger() {
    let site = Site::in_memory(&[("news", ""), ("sports", "")]).await;
    let gateway = site.start("one");
    for (team, calls) in [("news", 3), ("sports", 2)] {
        let caller = site.caller(&gateway, team).await;
        for _ in 0..calls {
            caller.complete(spec("strong", "hello")).await.expect("ok");
            caller.complete(spec("cheap", "hello")).await.expect("ok");
        }
        caller.settled_spend().await;
    }
    let usage = site.json(&gateway, "usage --by team,model --since 7d");
    let rows = usage["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 4, "{usage}");
    let sum = |team: Option<&str>| -> i64 {
        let of = rows
            .iter()
            .filter(|row| team.is_none_or(|t| row["team"] == t));
        of.map(|row| row["cost_nano_usd"].as_i64().expect("a number"))
            .sum()
    };
    assert_eq!(usage["total"]["calls"], 10);
    assert_eq!(usage["total"]["cost_nano_usd"], sum(None));
    let shown = site.run(&gateway, "usage --by team,model --since 7d");
    let shown = String::from_utf8(shown.stdout).expect("text");
    assert!(shown.starts_with("TEAM"), "{shown}");
    assert!(shown.contains("total"), "{shown}");
    assert!(gateway.terminate().success());
    for team in ["news", "sports"] {
        assert_eq!(
            sum(Some(team)),
            ledger_spend(site.dir.path(), team),
            "{team}"
        );
    }
}
