//! Money: receipts, ledger, balances, metrics and the provider's bill agree to the nano-dollar.

use futures_util::future::join_all;
use std::time::Duration;
use tollgate_proto::v1;
use tollgate_tests::{
    harness::{Gateway, scrape::Scrape, simulator, spec},
    simulator::{Action, Fault},
};

/// The day's spend of a team, by the ledger alone.
pub(crate) fn ledger_spend(dir: &std::path::Path, team: &str) -> i64 {
    let report = tollgate::ledger::verify(&dir.join("ledger")).expect("it verifies");
    assert!(report.is_sound(), "{:?}", report.problems);
    let day = report
        .totals
        .iter()
        .filter(|t| (&*t.team, &*t.budget) == (team, "day"));
    day.map(|total| total.spent_nano_usd).sum()
}

#[tokio::test]
async fn receipts_balances_ledger_metrics_and_the_providers_bill_agree() {
    let simulator = simulator(0).await;
    simulator.push_fault(Fault::first(2, Action::Close).for_model("gpt-4"));
    simulator.push_fault(Fault::first(3, Action::UsageReasoning(7)).for_model("gpt-3.5-turbo"));
    let gateway = Gateway::start(&simulator.base_url(), &[("news", ""), ("poor", "")]).await;
    let caller = gateway.caller("news");
    let calls = (0..40).map(|number| {
        let route = if number % 3 == 0 { "strong" } else { "cheap" };
        caller.complete(spec(
            route,
            &format!("Question {number}: what is new in town?"),
        ))
    });
    let answers = join_all(calls).await;
    let receipts: Vec<v1::Receipt> = answers
        .into_iter()
        .map(|answer| answer.expect("an answer").receipt.expect("a receipt"))
        .collect();
    let cost: i64 = receipts.iter().map(|receipt| receipt.cost_nano_usd).sum();
    assert!(cost > 0);
    assert_eq!(caller.settled_spend().await, cost, "the balance");
    assert_eq!(
        gateway.caller("poor").settled_spend().await,
        0,
        "another team's"
    );
    let scrape = Scrape::of(&gateway.metrics_url()).await;
    let counted = scrape.sum("tollgate_cost_nano_usd_total", &["team=\"news\""]);
    assert_eq!(counted.to_string(), cost.to_string(), "the metrics");
    // What the provider billed is what answered attempts used.
    for model in ["gpt-4", "gpt-3.5-turbo"] {
        let attempts = receipts.iter().flat_map(|receipt| &receipt.attempts);
        let answered = attempts.filter(|a| a.model == model && !a.estimated);
        let output: i64 = answered
            .map(|attempt| attempt.usage.expect("counted"))
            .map(|usage| usage.output_tokens + usage.reasoning_tokens)
            .sum();
        assert_eq!(
            output,
            simulator.stats().model(model).tokens.output,
            "{model}"
        );
    }
    let dir = gateway.stop().await;
    assert_eq!(ledger_spend(dir.path(), "news"), cost, "the ledger");
}

#[tokio::test]
async fn a_receipt_prices_each_attempt_exactly() {
    let simulator = simulator(0).await;
    simulator.push_fault(Fault::always(Action::UsageCached(5)).for_model("gpt-4"));
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", "")], |settings| {
        settings.models(
            r#"
[models.gpt-4]
context_tokens = 8192
max_output_tokens = 4096
price = { input = "30", output = "60", cached_input = "7.5" }
deployments = [{ provider = "openai", name = "gpt-4" }]
[models."gpt-3.5-turbo"]
context_tokens = 16385
max_output_tokens = 4096
price = { input = "0.0375", output = "1.5" }
deployments = [{ provider = "openai", name = "gpt-3.5-turbo" }]
[models.local]
context_tokens = 32768
max_output_tokens = 4096
price = { input = "0", output = "0" }
deployments = [{ provider = "local", name = "llama-3.1-8b" }]
"#,
        )
    })
    .await;
    let caller = gateway.caller("news");
    let answer = caller
        .complete(spec("strong", "How far is the moon?"))
        .await
        .expect("an answer");
    let receipt = answer.receipt.expect("a receipt");
    let usage = receipt.usage.expect("counted");
    assert_eq!(usage.cache_read_tokens, 5);
    let exact = usage.input_tokens * 30_000 + 5 * 7_500 + usage.output_tokens * 60_000;
    assert_eq!(receipt.cost_nano_usd, exact);
    assert!(receipt.held_nano_usd >= receipt.cost_nano_usd);
    let day = receipt
        .budgets
        .iter()
        .find(|b| b.name == "day")
        .expect("every team has a day");
    assert_eq!(day.held_nano_usd, receipt.held_nano_usd);
    // 37.5 nano-dollars a token: rounded up once.
    let answer = caller
        .complete(spec("cheap", "How far is the moon?"))
        .await
        .expect("an answer");
    let receipt = answer.receipt.expect("a receipt");
    let usage = receipt.usage.expect("counted");
    let tenths = usage.input_tokens * 375 + usage.output_tokens * 15_000;
    assert_eq!(receipt.cost_nano_usd, (tenths + 9) / 10);
    gateway.stop().await;
}

/// LiteLLM let through 1.2 to 24 times a budget here; ours never lets through more than fits.
#[tokio::test]
async fn a_crowd_on_one_budget_gets_exactly_what_fits() {
    let simulator = simulator(150).await;
    // A hold of gpt-4 here is 100 x 60,000 nano-dollars and some input: three fit.
    let bounds = "budgets = [{ per = \"day\", amount = \"0.0195\" }]";
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", bounds)], |settings| {
        settings
            .server("max_wait = \"1ms\"")
            .routes("[routes.cheap]\ntargets = [\"local\"]\n[routes.strong]\ntargets = [\"gpt-4\"]")
    })
    .await;
    let caller = gateway.caller("news");
    let crowd = (0..64).map(|_| caller.complete(spec("strong", "Hello")));
    let answers = join_all(crowd).await;
    let admitted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(admitted, 3);
    assert!(
        answers
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .all(|refused| refused.reason == "BUDGET_EXHAUSTED")
    );
    assert!(caller.settled_spend().await <= 19_500_000);
    gateway.stop().await;
}

/// TensorZero forgives this overrun (18 times a limit); here it is debt, and blocks.
#[tokio::test]
async fn a_provider_that_ignores_its_cap_leaves_debt_that_blocks() {
    let simulator = simulator(0).await;
    simulator.push_fault(Fault::always(Action::UsageOutput(2_000)));
    let bounds =
        "budgets = [{ per = \"day\", amount = \"0.01\" }]\nlimits = { tokens_per_minute = 1_000 }";
    let gateway = Gateway::start(&simulator.base_url(), &[("news", bounds)]).await;
    let caller = gateway.caller("news").within(Duration::from_secs(2));
    let first = caller
        .complete(spec("strong", "Hello"))
        .await
        .expect("an answer");
    let receipt = first.receipt.expect("a receipt");
    assert!(receipt.cost_nano_usd > receipt.held_nano_usd);
    assert_eq!(caller.settled_spend().await, receipt.cost_nano_usd);
    let refused = caller
        .complete(spec("strong", "Hello"))
        .await
        .expect_err("it is spent");
    assert_eq!(refused.reason, "BUDGET_EXHAUSTED");
    let scrape = Scrape::of(&gateway.metrics_url()).await;
    let overrun = receipt.cost_nano_usd - receipt.held_nano_usd;
    let counted = scrape.sum("tollgate_budget_overrun_nano_usd_total", &[]);
    assert_eq!(counted.to_string(), overrun.to_string());
    gateway.stop().await;
}

/// LiteLLM bills a caller who hangs up nothing; the provider does not.
#[tokio::test]
async fn a_caller_that_hangs_up_pays_what_the_call_really_cost() {
    let simulator = simulator(300).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let other = caller.clone();
    let call = tokio::spawn(async move { other.complete(spec("strong", "Hello")).await });
    tokio::time::sleep(Duration::from_millis(120)).await;
    call.abort();
    let spent = caller.settled_spend().await;
    let billed = simulator.stats().model("gpt-4").tokens;
    let exact = billed.input * 30_000 + billed.output * 60_000;
    assert!(exact > 0, "the provider answered although nobody waited");
    assert_eq!(spent, exact);
    gateway.stop().await;
}

#[tokio::test]
async fn a_gateway_that_stops_still_learns_what_a_call_without_its_caller_cost() {
    let simulator = simulator(600).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let call = tokio::spawn(async move { caller.complete(spec("strong", "Hello")).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    call.abort();
    let dir = gateway.stop().await;
    let billed = simulator.stats().model("gpt-4").tokens;
    let exact = billed.input * 30_000 + billed.output * 60_000;
    assert!(exact > 0, "the provider answered although nobody waited");
    assert_eq!(ledger_spend(dir.path(), "news"), exact);
}

#[tokio::test]
async fn callers_that_hang_up_keep_their_seats_until_their_calls_end() {
    let simulator = simulator(700).await;
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", "")], |settings| {
        settings.server("max_in_flight = 2")
    })
    .await;
    let caller = gateway.caller("news");
    for key in ["", "k"] {
        let mut call = spec("cheap", "Hello");
        call.idempotency_key = key.to_owned();
        let other = caller.clone();
        let call = tokio::spawn(async move { other.complete(call).await });
        tokio::time::sleep(Duration::from_millis(150)).await;
        call.abort();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let refused = caller
        .complete(spec("cheap", "Hello"))
        .await
        .expect_err("both still cost");
    assert_eq!(refused.reason, "OVERLOADED");
    tokio::time::sleep(Duration::from_millis(900)).await;
    caller
        .complete(spec("cheap", "Hello"))
        .await
        .expect("both have ended");
    gateway.stop().await;
}

#[tokio::test]
async fn a_fallback_that_the_budget_has_no_room_for_is_not_tried() {
    let simulator = simulator(0).await;
    simulator.push_fault(Fault::always(Action::Close).for_model("gpt-4"));
    let call = || {
        let mut call = spec("strong", "Hello");
        call.max_output_tokens = Some(100);
        call
    };
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let request = caller.request(v1::EstimateCostRequest { spec: Some(call()) });
    let estimate = caller.completions().estimate_cost(request).await;
    let hold = estimate.expect("an answer").into_inner().hold_nano_usd;
    gateway.stop().await;
    // Room for the first target, and for nothing beside it.
    let amount = hold + 1_000;
    let budget = format!("budgets = [{{ per = \"day\", amount = \"0.{amount:09}\" }}]");
    let gateway = Gateway::start(&simulator.base_url(), &[("news", &budget)]).await;
    let caller = gateway.caller("news");
    let refused = caller.complete(call()).await.expect_err("no room");
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (tonic::Code::Aborted, "OUTCOME_UNKNOWN")
    );
    let spent = caller.settled_spend().await;
    assert_eq!(spent, hold, "the first target may have used all of it");
    assert_eq!(
        refused.metadata("costNanoUsd"),
        Some(spent.to_string().as_str())
    );
    assert_eq!(simulator.stats().requests, 1, "nobody else was asked");
    gateway.stop().await;
}

#[tokio::test]
async fn a_months_budget_refuses_until_the_next_month() {
    let simulator = simulator(0).await;
    simulator.push_fault(Fault::always(Action::UsageOutput(100)));
    let bounds = "budgets = [{ per = \"month\", amount = \"0.0065\" }]";
    let gateway = Gateway::start(&simulator.base_url(), &[("news", bounds)]).await;
    let caller = gateway.caller("news");
    let call = || caller.complete(spec("strong", "Hello"));
    let receipt = call().await.expect("it fits").receipt.expect("a receipt");
    assert_eq!(caller.settled_spend().await, receipt.cost_nano_usd);
    // Targets of no cost are still let through, so only the dear one may be asked for.
    let only = v1::CompletionSpec {
        target: Some(v1::completion_spec::Target::Model("gpt-4".to_owned())),
        ..spec("unused", "Hello")
    };
    let refused = caller.complete(only).await.expect_err("it is spent");
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (tonic::Code::ResourceExhausted, "BUDGET_EXHAUSTED")
    );
    assert_eq!(refused.metadata("budget"), Some("month"));
    assert!(refused.retry_after().is_none(), "waiting does not help");
    let resets = refused.metadata("resetTime").expect("it resets");
    assert!(resets.ends_with("-01T00:00:00.000Z"), "{resets}");
    let month = caller.budget("month").await;
    assert_eq!(month.spent_nano_usd, receipt.cost_nano_usd);
    gateway.stop().await;
}

#[tokio::test]
async fn a_runs_budget_bounds_the_run_and_is_fixed_by_its_first_call() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let in_run = |run: &str, limit| v1::CompletionSpec {
        attribution: Some(v1::Attribution {
            run: run.to_owned(),
            ..v1::Attribution::default()
        }),
        run_budget: Some(v1::RunBudget {
            limit_nano_usd: limit,
        }),
        ..spec("strong", "Hello")
    };
    caller
        .complete(in_run("one", 8_000_000))
        .await
        .expect("it fits");
    let refused = caller
        .complete(in_run("one", 9_000_000))
        .await
        .expect_err("another amount");
    assert_eq!(refused.reason, "INVALID_REQUEST");
    let mut refused = None;
    for _ in 0..10 {
        refused = caller.complete(in_run("one", 8_000_000)).await.err();
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("the run's budget ends");
    assert_eq!(refused.reason, "BUDGET_EXHAUSTED");
    assert_eq!(refused.metadata("budget"), Some("run"));
    caller
        .complete(in_run("two", 8_000_000))
        .await
        .expect("another run has its own");
    gateway.stop().await;
}

#[tokio::test]
async fn usage_is_summed_by_pipeline_and_model_and_estimates_take_nothing() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let request = caller.request(v1::EstimateCostRequest {
        spec: Some(spec("strong", "Hello")),
    });
    let estimate = caller
        .completions()
        .estimate_cost(request)
        .await
        .expect("an answer")
        .into_inner();
    assert!(estimate.admitted && estimate.targets.len() == 3);
    assert_eq!(
        estimate.hold_nano_usd,
        estimate.targets[0].max_cost_nano_usd
    );
    assert_eq!(caller.settled_spend().await, 0);
    let mut call = spec("strong", "Hello");
    call.attribution = Some(v1::Attribution {
        pipeline: "content-analysis".to_owned(),
        ..v1::Attribution::default()
    });
    let receipt = caller
        .complete(call)
        .await
        .expect("an answer")
        .receipt
        .expect("a receipt");
    assert_eq!(receipt.held_nano_usd, estimate.hold_nano_usd);
    caller.settled_spend().await;
    let request = caller.request(v1::QueryUsageRequest {
        group_by: vec![
            v1::UsageDimension::Pipeline.into(),
            v1::UsageDimension::Model.into(),
        ],
        ..v1::QueryUsageRequest::default()
    });
    let usage = caller
        .usage()
        .query_usage(request)
        .await
        .expect("an answer")
        .into_inner();
    assert_eq!(usage.rows.len(), 1);
    assert_eq!(
        (
            usage.rows[0].pipeline.as_str(),
            usage.rows[0].model.as_str()
        ),
        ("content-analysis", "gpt-4")
    );
    assert_eq!(
        usage.total.expect("a total").cost_nano_usd,
        receipt.cost_nano_usd
    );
    gateway.stop().await;
}
