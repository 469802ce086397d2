//! Eight gateways and many callers, and one budget that is far too small for all of them.

use super::{Site, drains};
use futures_util::future::join_all;
use std::time::Duration;
use tollgate_proto::v1;
use tollgate_tests::harness::{Caller, Refused, spec};
use tonic::Code;

const GATEWAYS: usize = 8;
/// Callers of each gateway, each of which calls until the budget is used up.
const CALLERS: usize = 8;
/// A quarter of what all callers hold at once.
const LIMIT: i64 = 100_000_000;

/// No cheaper model to go to, and no limit of its own.
const MODELS: &str = r#"
[models.gpt-4]
deployments = [{ provider = "openai", name = "gpt-4" }]
"#;
const ROUTES: &str = r#"
[routes.cheap]
targets = ["gpt-4"]
[routes.strong]
targets = ["gpt-4"]
"#;

/// The calls of a caller: some hold six times as much as others.
fn call(number: usize) -> v1::CompletionSpec {
    let caps = [30, 60, 120, 200];
    v1::CompletionSpec {
        max_output_tokens: Some(caps[number % caps.len()]),
        ..spec("strong", "What is new in town?")
    }
}

/// What the budget has to have free for a call of a caller.
async fn hold(caller: &Caller, number: usize) -> i64 {
    let request = caller.request(v1::EstimateCostRequest {
        spec: Some(call(number)),
    });
    let estimate = caller.completions().estimate_cost(request).await;
    estimate.expect("an answer").into_inner().hold_nano_usd
}

/// What came of a caller's calls.
#[derive(Default)]
struct Outcome {
    costs: Vec<i64>,
    /// Refusals because of what others held just then.
    held_back: usize,
}

/// Calls until there will not be enough before the day ends.
async fn call_until_used_up(caller: Caller, number: usize, hold: i64) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        match caller.complete(call(number)).await {
            Ok(answer) => {
                let receipt = answer.receipt.expect("a receipt");
                assert_eq!(receipt.held_nano_usd, hold);
                assert!(receipt.cost_nano_usd <= hold, "{receipt:?}");
                outcome.costs.push(receipt.cost_nano_usd);
            }
            Err(refused) => {
                check(&refused);
                let Some(wait) = refused.retry_after() else {
                    return outcome;
                };
                outcome.held_back += 1;
                // As a client does that is told to wait, only less patient.
                tokio::time::sleep(wait.min(Duration::from_millis(20))).await;
            }
        }
    }
}

/// A refusal says which budget, and until when.
fn check(refused: &Refused) {
    let status = &refused.status;
    assert_eq!(refused.code, Code::ResourceExhausted, "{status:?}");
    assert_eq!(refused.reason, "BUDGET_EXHAUSTED", "{status:?}");
    assert!(refused.metadata("resetTime").is_some(), "{status:?}");
    let quota = refused.details.quota_failure().expect("a quota");
    assert!(quota.violations[0].subject.contains("day"), "{quota:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_gateways_use_up_a_tight_budget_and_not_a_nano_dollar_more() {
    let budget = "budgets = [{ per = \"day\", amount = \"0.10\" }]";
    let mut site = Site::new(5, &[("news", budget)]).await;
    site.store = format!("command_timeout = \"5s\"\nexpected_replicas = {GATEWAYS}");
    site.catalogue = Some((MODELS, ROUTES));
    let gateways: Vec<_> = (0..GATEWAYS)
        .map(|number| site.start(&number.to_string()))
        .collect();
    drains(&gateways[0]).await;
    let mut observers = Vec::new();
    for gateway in &gateways {
        observers.push(site.caller(gateway, "news").await);
    }
    let mut holds = Vec::new();
    let mut calls = Vec::new();
    for number in 0..CALLERS {
        let hold = hold(&observers[0], number).await;
        holds.push(hold);
        for gateway in &gateways {
            let caller = site.caller(gateway, "news").await;
            calls.push(tokio::spawn(call_until_used_up(caller, number, hold)));
        }
    }
    let at_once = holds.iter().sum::<i64>() * i64::try_from(GATEWAYS).expect("few");
    assert!(at_once > 4 * LIMIT, "held at once: {at_once}");
    let (mut costs, mut held_back) = (Vec::new(), 0);
    for ended in join_all(calls).await {
        let outcome = ended.expect("no panic");
        costs.extend(outcome.costs);
        held_back += outcome.held_back;
    }
    assert!(held_back > 0, "the budget was tight");
    let spent = observers[0].settled_spend().await;
    assert_eq!(costs.iter().sum::<i64>(), spent, "what receipts say");
    assert!(spent <= LIMIT, "{spent} of {LIMIT}");
    // Nobody was refused who fits.
    let (least, most) = (holds.iter().min(), holds.iter().max());
    let (least, most) = least.zip(most).expect("some");
    assert!(LIMIT - spent < *least, "{spent}: {least} is left");
    let admitted = i64::try_from(costs.len()).expect("few");
    assert!(admitted >= LIMIT / most, "{admitted} holds of {most}");
    let balance = observers[0].budget("day").await;
    for observer in &observers {
        assert_eq!(observer.budget("day").await, balance, "one truth");
    }
    site.drained("news").await;
    for gateway in gateways {
        assert!(gateway.terminate().success());
    }
    assert_eq!(site.ledger_spend("news"), spent, "the ledger is the truth");
}
