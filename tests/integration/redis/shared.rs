//! Two gateways hold one budget and one rate, and tell the same of them.

use super::Site;
use crate::estimate::{PACED, POOR, names_what_binds};
use futures_util::future::join_all;
use std::time::Instant;
use tollgate_proto::v1;
use tollgate_tests::harness::{Caller, spec};

/// All that a team's usage says, by day and model.
async fn usage(caller: &Caller) -> v1::QueryUsageResponse {
    let request = caller.request(v1::QueryUsageRequest {
        group_by: vec![
            v1::UsageDimension::Day.into(),
            v1::UsageDimension::Model.into(),
        ],
        ..v1::QueryUsageRequest::default()
    });
    let answer = caller.usage().query_usage(request).await;
    answer.expect("an answer").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_budget_is_held_by_two_gateways_to_the_nano_dollar() {
    let budget = "budgets = [{ per = \"day\", amount = \"0.05\" }]";
    let site = Site::new(10, &[("news", budget)]).await;
    let gateways = [site.start("a"), site.start("b")];
    let callers = [
        site.caller(&gateways[0], "news").await,
        site.caller(&gateways[1], "news").await,
    ];
    // Held together these would be seven times the budget.
    let calls = (0..60).map(|number| {
        let caller = &callers[number % 2];
        caller.complete(spec("strong", "What is new in town?"))
    });
    let mut cost = 0;
    let mut refused = 0;
    for answer in join_all(calls).await {
        match answer {
            Ok(answer) => cost += answer.receipt.expect("a receipt").cost_nano_usd,
            Err(error) => {
                assert_eq!(error.reason, "BUDGET_EXHAUSTED", "{:?}", error.status);
                refused += 1;
            }
        }
    }
    assert!(cost > 0 && refused > 0, "{cost} {refused}");
    let spent = callers[0].settled_spend().await;
    assert_eq!(spent, cost, "what receipts say");
    assert!(spent <= 50_000_000, "{spent} nano-dollars of 50,000,000");
    assert_eq!(
        callers[0].budget("day").await,
        callers[1].budget("day").await,
        "one truth"
    );
    let (here, there) = (usage(&callers[0]).await, usage(&callers[1]).await);
    assert_eq!(here, there);
    assert!(!here.rows.is_empty());
    for gateway in gateways {
        assert!(gateway.terminate().success());
    }
    assert_eq!(site.ledger_spend("news"), spent, "the ledger is the truth");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rate_is_held_by_two_gateways() {
    let site = Site::new(0, &[("paced", "limits = { requests_per_minute = 12 }")]).await;
    let gateways = [site.start("a"), site.start("b")];
    let callers = [
        site.caller(&gateways[0], "paced").await,
        site.caller(&gateways[1], "paced").await,
    ];
    let started = Instant::now();
    let calls = (0..40).map(|number| {
        let caller = &callers[number % 2];
        caller.complete(spec("cheap", "What is new in town?"))
    });
    let answers = join_all(calls).await;
    let refilled = started.elapsed().as_secs() / 5 + 1;
    let admitted = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
    assert!(admitted >= 12, "{admitted}");
    assert!(admitted <= 12 + refilled, "{admitted}");
    let limited = |answer: &Result<_, Box<tollgate_tests::harness::Refused>>| {
        answer
            .as_ref()
            .err()
            .is_none_or(|error| error.reason == "RATE_LIMITED")
    };
    assert!(answers.iter().all(limited));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_names_the_limit_that_would_bind_on_another_gateway() {
    let site = Site::new(0, &[("poor", POOR), ("paced", PACED)]).await;
    let gateways = [site.start("a"), site.start("b")];
    let poor = site.caller(&gateways[0], "poor").await;
    names_what_binds(poor, site.caller(&gateways[1], "paced").await).await;
    for gateway in gateways {
        assert!(gateway.terminate().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_gateway_knows_the_budget_of_a_run() {
    let site = Site::new(0, &[("news", "")]).await;
    let gateways = [site.start("a"), site.start("b")];
    let callers = [
        site.caller(&gateways[0], "news").await,
        site.caller(&gateways[1], "news").await,
    ];
    let mut cost = 0;
    for caller in &callers {
        let mut call = spec("strong", "Hello");
        call.attribution = Some(v1::Attribution {
            run: "run-7".to_owned(),
            ..v1::Attribution::default()
        });
        call.run_budget = Some(v1::RunBudget {
            limit_nano_usd: 500_000_000,
        });
        let answer = caller.complete(call).await;
        let answer = answer.unwrap_or_else(|refused| panic!("{:?}", refused.status));
        cost += answer.receipt.expect("a receipt").cost_nano_usd;
    }
    assert_eq!(callers[0].settled_spend().await, cost);
    for caller in &callers {
        for (name, limit) in [("run", Some(500_000_000)), ("day", None)] {
            let request = caller.request(v1::GetBudgetRequest {
                name: name.to_owned(),
                run: "run-7".to_owned(),
            });
            let told = caller.usage().get_budget(request).await;
            let told = told.expect("an answer").into_inner().budget;
            let told = told.expect("the team has it");
            assert_eq!((told.spent_nano_usd, told.held_nano_usd), (cost, 0));
            assert!(limit.is_none() || told.limit_nano_usd == limit, "{told:?}");
        }
    }
    for gateway in gateways {
        assert!(gateway.terminate().success());
    }
}
