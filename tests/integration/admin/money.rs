//! Budgets and usage, as operators see and change them.

use super::*;
use crate::money::ledger_spend;
use tollgate_proto::v1;
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
    let caller = site.caller(&gateway, "news").await;
    let mut call = spec("strong", "hello");
    call.attribution = Some(v1::Attribution {
        pipeline: "content-analysis".to_owned(),
        run: "run-1".to_owned(),
        step: "score".to_owned(),
        ..v1::Attribution::default()
    });
    caller.complete(call).await.expect("ok");
    caller.settled_spend().await;
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
    assert_eq!(usage["total"]["calls"], 11);
    assert_eq!(usage["total"]["cost_nano_usd"], sum(None));
    let of_one_call = site.json(
        &gateway,
        "usage --by day,team,pipeline,run,step,model --since 7d",
    );
    let rows_of_calls = of_one_call["rows"].as_array().expect("rows");
    let row = rows_of_calls.iter().find(|row| row["step"] == "score");
    let row = row.expect("the call that said so");
    for (dimension, value) in [
        ("team", "news"),
        ("pipeline", "content-analysis"),
        ("run", "run-1"),
        ("model", "gpt-4"),
    ] {
        assert_eq!(row[dimension], value, "{row}");
    }
    assert_eq!(row["calls"], 1, "{row}");
    assert!(row["day"].as_str().is_some_and(|day| day.len() == 10));
    let total = "cost_nano_usd";
    assert_eq!(of_one_call["total"][total], usage["total"][total]);
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

/// A budget of a team as `budgets show` has it.
fn budget(site: &Site, gateway: &GatewayProcess, team: &str, name: &str) -> Value {
    let shown = site.json(gateway, &format!("budgets show --team {team}"));
    let all = shown.as_array().expect("a list").iter();
    let mut of = all.filter(|budget| budget["budget"] == name);
    of.next().expect("every team has it").clone()
}

/// What top-ups added to the bounds of a team, by the ledger alone.
fn ledger_top_ups(dir: &std::path::Path, team: &str) -> i64 {
    let report = tollgate::ledger::verify(&dir.join("ledger")).expect("it verifies");
    assert!(report.is_sound(), "{:?}", report.problems);
    let of = report.totals.iter().filter(|total| *total.team == *team);
    of.map(|total| total.topped_up_nano_usd).sum()
}

const TINY: &str = "budgets = [{ per = \"day\", amount = \"0.000001\" }]";
const TOP_UP: &str = "budgets top-up --team news --budget day --amount 0.50 --request-id r1";

async fn is_admitted(caller: &Caller) -> bool {
    match caller.complete(spec("cheap", "hello")).await {
        Ok(answer) => {
            let receipt = answer.receipt.expect("every answer has one");
            receipt.model == "gpt-3.5-turbo"
        }
        Err(refused) => {
            assert_eq!(refused.reason, "BUDGET_EXHAUSTED", "{refused:?}");
            false
        }
    }
}

#[tokio::test]
async fn a_top_up_lets_a_refused_call_through_is_in_the_ledger_and_survives() {
    let mut site = Site::in_memory(&[("news", TINY), ("free", "")]).await;
    site.routes = Some(
        "[routes.cheap]\ntargets = [\"gpt-3.5-turbo\"]\n\
                        [routes.strong]\ntargets = [\"gpt-4\"]\n",
    );
    let gateway = site.start("one");
    let caller = site.caller(&gateway, "news").await;
    assert!(!is_admitted(&caller).await);
    let raised = site.json(&gateway, TOP_UP);
    assert_eq!(raised["limit_nano_usd"], 500_001_000);
    assert!(is_admitted(&caller).await);
    // Said again it adds nothing; with another amount it is refused.
    let again = site.json(&gateway, TOP_UP);
    assert_eq!(again["limit_nano_usd"], 500_001_000);
    let other = TOP_UP.replace("0.50", "0.75");
    let (code, said) = site.refused(&gateway, &other);
    assert_eq!(code, Some(1));
    assert!(said.contains("another id"), "{said}");
    for (command, told) in [
        (
            "budgets top-up --team news --budget month --amount 1",
            "no bound",
        ),
        (
            "budgets top-up --team free --budget day --amount 1",
            "no bound",
        ),
        (
            "budgets top-up --team nobody --budget day --amount 1",
            "nobody",
        ),
        (
            "budgets top-up --team news --budget day --amount 0",
            "above 0",
        ),
        (
            "budgets top-up --team news --budget day --amount 9000000000",
            "nine million",
        ),
    ] {
        let (_, said) = site.refused(&gateway, command);
        assert!(said.contains(told), "{command}: {said}");
    }
    gateway.kill();
    let gateway = site.start("one");
    let after = budget(&site, &gateway, "news", "day");
    assert_eq!(after["limit_nano_usd"], 500_001_000);
    let again = site.json(&gateway, TOP_UP);
    assert_eq!(
        again["limit_nano_usd"], 500_001_000,
        "it is known after a restart"
    );
    assert!(is_admitted(&site.caller(&gateway, "news").await).await);
    assert!(gateway.terminate().success());
    assert_eq!(ledger_top_ups(site.dir.path(), "news"), 500_000_000);
}

#[tokio::test]
async fn a_top_up_counts_on_all_replicas_and_outlives_the_data_of_redis() {
    let mut site = Site::shared(&[("news", TINY)]).await;
    site.routes = Some(
        "[routes.cheap]\ntargets = [\"gpt-3.5-turbo\"]\n\
                        [routes.strong]\ntargets = [\"gpt-4\"]\n",
    );
    let (one, two) = (site.start("one"), site.start("two"));
    let (here, there) = (
        site.caller(&one, "news").await,
        site.caller(&two, "news").await,
    );
    assert!(!is_admitted(&here).await && !is_admitted(&there).await);
    site.json(&one, TOP_UP);
    site.json(&two, TOP_UP);
    assert!(is_admitted(&here).await && is_admitted(&there).await);
    let limit = |gateway| budget(&site, gateway, "news", "day")["limit_nano_usd"].clone();
    assert_eq!(limit(&two), 500_001_000);
    let redis = site.redis.as_ref().expect("there is one");
    let outbox = "tollgate:1:{t:news}:o";
    let drained = async || redis.command::<u64>(&["XLEN", outbox]) == 0;
    within_five_seconds("all is in the ledger", drained).await;
    redis.command::<String>(&["FLUSHALL"]);
    within_five_seconds("the bound is put back", async || {
        let output = site.run(&two, "budgets show --team news --json");
        String::from_utf8_lossy(&output.stdout).contains("500001000")
    })
    .await;
    let again = site.json(&one, TOP_UP);
    assert_eq!(
        again["limit_nano_usd"], 500_001_000,
        "the request is known still"
    );
    assert!(one.terminate().success() && two.terminate().success());
    assert_eq!(ledger_top_ups(site.dir.path(), "news"), 500_000_000);
}
