//! How runs end before their input does.

use super::{TEXT, assert_adds_up};
use crate::{
    exit::Exit,
    stop::Reason,
    testing::{Desk, FakeGateway, good, refusal, step_of},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::Code;

fn statuses(report: &Value) -> Vec<String> {
    let rows = report["articles"].as_array().unwrap().iter();
    rows.map(|row| row["status"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_time_budget_cancels_and_still_reports_every_article() {
    let gateway = FakeGateway::start(|spec, _| match step_of(spec).as_str() {
        "generate_summary" => good(spec).after_ms(60_000),
        _ => good(spec),
    })
    .await;
    let mut desk = Desk::new(&gateway.url);
    desk.args.time_budget = Some(Duration::from_millis(600));
    desk.args.concurrency = Some(2);
    for name in ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt"] {
        desk.article(name, TEXT);
    }
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::TimeBudget);
    assert!(went.took < Duration::from_millis(1_600), "{:?}", went.took);
    let counts = &went.report["totals"]["articles"];
    assert_eq!(
        (&counts["cancelled"], &counts["not_started"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(went.report["run"]["input_complete"], true);
    let first = &went.report["articles"][0]["steps"];
    assert_eq!(first["extract_entities"]["status"], "ok");
    assert_eq!(first["generate_summary"]["status"], "cancelled");
    assert_eq!(first["score_quality"]["status"], "not_started");
    assert_eq!(went.report["totals"]["unknown_cost_calls"], 2);
    assert!(went.html.contains("out of time"), "the page has a verdict");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        gateway.seen.lock().unwrap().in_flight,
        0,
        "no call is left open"
    );
}

#[tokio::test]
async fn a_wait_that_passes_the_time_budget_is_not_begun() {
    let gateway =
        FakeGateway::start(|_, _| refusal(Code::ResourceExhausted, "RATE_LIMITED", Some(60_000)))
            .await;
    let mut desk = Desk::new(&gateway.url);
    desk.args.time_budget = Some(Duration::from_secs(30));
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::TimeBudget);
    assert!(went.took < Duration::from_secs(3));
}

#[tokio::test]
async fn no_article_is_admitted_that_would_not_end_in_time() {
    let gateway = FakeGateway::start(|spec, _| good(spec).after_ms(25)).await;
    let mut desk = Desk::new(&gateway.url);
    desk.args.time_budget = Some(Duration::from_millis(1_500));
    desk.args.concurrency = Some(1);
    for number in 0..40 {
        desk.article(&format!("{number}.txt"), TEXT);
    }
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::TimeBudget);
    let counts = &went.report["totals"]["articles"];
    assert_eq!(
        counts["cancelled"], 0,
        "nothing was begun in vain: {counts}"
    );
    assert!(counts["not_started"].as_u64().unwrap() > 0);
    assert_adds_up(&went, &gateway);
}

#[tokio::test]
async fn a_spent_budget_stops_admission_with_its_own_exit_code() {
    let gateway = FakeGateway::start(|spec, asked| {
        if step_of(spec) == "extract_entities" && asked >= 2 {
            refusal(Code::ResourceExhausted, "BUDGET_EXHAUSTED", None)
        } else {
            good(spec)
        }
    })
    .await;
    let mut desk = Desk::new(&gateway.url);
    desk.args.concurrency = Some(1);
    desk.args.max_cost = Some("0.50".parse().unwrap());
    for name in ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt"] {
        desk.article(name, TEXT);
    }
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::CostBudget);
    assert_eq!(
        statuses(&went.report),
        ["ok", "ok", "cancelled", "not_started", "not_started"]
    );
    assert_eq!(went.report["failures"][0]["class"], "budget_exhausted");
    let budget = gateway.specs()[0].run_budget.unwrap();
    assert_eq!(budget.limit_nano_usd, 500_000_000);
    assert_adds_up(&went, &gateway);
}

#[tokio::test]
async fn what_no_call_can_survive_gives_the_run_up() {
    for (code, reason) in [
        (Code::Unauthenticated, "INVALID_CREDENTIAL"),
        (Code::PermissionDenied, "MODEL_FORBIDDEN"),
        (Code::NotFound, "UNKNOWN_ROUTE"),
    ] {
        let gateway = FakeGateway::start(move |_, _| refusal(code, reason, None)).await;
        let mut desk = Desk::new(&gateway.url);
        desk.args.concurrency = Some(1);
        for name in ["a.txt", "b.txt", "c.txt"] {
            desk.article(name, TEXT);
        }
        let went = desk.run().await;
        assert_eq!(went.exit, Exit::Systemic);
        assert_eq!(gateway.specs().len(), 1);
        assert!(
            went.report["run"]["stopped"]
                .as_str()
                .unwrap()
                .contains(reason)
        );
        assert_eq!(
            statuses(&went.report),
            ["cancelled", "not_started", "not_started"]
        );
    }
}

#[tokio::test]
async fn an_interrupt_lets_articles_finish_and_a_second_cancels_them() {
    for hard in [false, true] {
        let gateway = FakeGateway::start(|spec, _| good(spec).after_ms(150)).await;
        let mut desk = Desk::new(&gateway.url);
        desk.args.concurrency = Some(2);
        for name in ["a.txt", "b.txt", "c.txt", "d.txt"] {
            desk.article(name, TEXT);
        }
        let stop = desk.stop.clone();
        let mut keyboard = JoinSet::new();
        keyboard.spawn(async move {
            tokio::time::sleep(Duration::from_millis(250)).await;
            stop.admission(Reason::Interrupted);
            if hard {
                stop.everything(Reason::Interrupted);
            }
        });
        let went = desk.run().await;
        assert_eq!(went.exit, Exit::Interrupted);
        let counts = &went.report["totals"]["articles"];
        let ended = if hard {
            &counts["cancelled"]
        } else {
            &counts["ok"]
        };
        assert_eq!(
            (ended, &counts["not_started"]),
            (&json!(2), &json!(2)),
            "{counts}"
        );
        assert!(!went.html.is_empty());
    }
}

#[tokio::test]
async fn a_stop_that_leaves_nothing_undone_is_no_stop() {
    let gateway = FakeGateway::start(|spec, _| good(spec).after_ms(50)).await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let stop = desk.stop.clone();
    let mut keyboard = JoinSet::new();
    keyboard.spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.admission(Reason::Interrupted);
    });
    assert_eq!(desk.run().await.exit, Exit::Ok);
}

#[test]
fn exit_codes_are_those_that_are_promised() {
    let exits = [
        (Exit::Ok, 0),
        (Exit::Partial, 1),
        (Exit::Usage, 2),
        (Exit::TimeBudget, 3),
        (Exit::CostBudget, 4),
        (Exit::Systemic, 5),
        (Exit::Interrupted, 130),
        (Exit::Terminated, 143),
    ];
    for (exit, code) in exits {
        assert_eq!(exit.code(), code);
    }
}
