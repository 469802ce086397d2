//! The dashboards before a real Prometheus that watches real programs.

use super::{
    grafana::Variable,
    look::{Look, any},
    panels,
};
use crate::promql;
use std::time::Duration;
use tollgate_tests::{
    harness::spec,
    simulator::{Action, Fault, Refused, RetryAfter, Scope},
    stage::{Pace, Stage},
};

/// The chain asks for a little more than it may.
const PACE: Pace = Pace {
    scrape: Duration::from_millis(250),
    latency: Duration::from_millis(20),
    chain_per_minute: 33,
};

#[tokio::test(flavor = "multi_thread")]
async fn faults_move_the_panels_that_are_named_for_them_and_no_panel_is_empty() {
    let stage = Stage::set(&PACE).await;
    let look = Look::at(&stage).await;
    let load = stage.load().await;
    thresholds_are_those_of_the_alerts(&stage).await;
    the_certificate_ends_in_2040(&look).await;
    look.until("overview", "Calls by outcome", |shown| {
        any(shown, &[("outcome", "ok")], 1.0)
    })
    .await;

    // A model that does not keep to the schema for a while, and a chain that mends its answers.
    let mut prose = Fault::first(2, Action::Prose);
    prose.scope = Scope {
        contains: Some("Ullapool".to_owned()),
        ..Scope::default()
    };
    stage.simulator.push_fault(prose);
    assert_eq!(stage.chain_run(1).await, Some(0), "the run succeeds");
    look.until("chain", "What became of articles", |shown| {
        any(shown, &[("outcome", "ok")], 5.0)
    })
    .await;
    stage.simulator.clear_faults();

    provider_throttles(&look).await;
    provider_down(&look).await;
    redis_frozen(&look).await;
    budget_empty(&look).await;
    load.stop().await;

    let mut problems = Vec::new();
    for (name, board) in &look.boards {
        for definition in board
            .templating
            .list
            .iter()
            .filter_map(Variable::definition)
        {
            if look.values(definition).await.is_empty() {
                problems.push(format!("{name}: nothing can be chosen from {definition}"));
            }
        }
        for panel in &board.panels {
            for target in &panel.targets {
                if let Some(problem) = look.nothing(board, target).await {
                    problems.push(format!("{name}: {}: {problem}", panel.title));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// That of the stage does, when the year begins.
async fn the_certificate_ends_in_2040(look: &Look<'_>) {
    let shown = look
        .shows("internals", "Days until the certificate ends")
        .await;
    let now = look.stage.prometheus.query("time()").await;
    let left = (2_208_988_800.0 - now.expect("it answers")[0].value) / 86_400.0;
    let [one] = &*shown else {
        panic!("one number for all replicas: {shown:?}");
    };
    assert!((one.value - left).abs() < 0.1, "{left} days: {one:?}");
}

/// gpt-3.5-turbo wants to be left alone for a while.
async fn provider_throttles(look: &Look<'_>) {
    let calm = look.shows("models", "Cool-downs").await;
    assert!(!any(&calm, &[], 0.0), "no cool-down before: {calm:?}");
    let throttle = Action::Refuse(Refused::TooManyRequests, RetryAfter::Seconds(2));
    let simulator = &look.stage.simulator;
    simulator.push_fault(Fault::first(1, throttle).for_model("gpt-3.5-turbo"));
    look.until("models", "Cool-downs", |shown| any(shown, &[], 0.0))
        .await;
    simulator.clear_faults();
    look.until("models", "Cool-downs", |shown| !any(shown, &[], 0.0))
        .await;
    look.until("models", "Fallback ratio", |shown| !any(shown, &[], 0.0))
        .await;
}

/// gpt-4 answers nothing but 503.
async fn provider_down(look: &Look<'_>) {
    let from = [("from_model", "gpt-4")];
    let calm = look.shows("models", "Fallback ratio").await;
    assert!(!any(&calm, &from, 0.0), "no fallback before: {calm:?}");
    let calm = look.shows("models", "Breakers now").await;
    assert!(!any(&calm, &[], 0.0), "no breaker is open before: {calm:?}");

    let down = Action::Refuse(Refused::Unavailable, RetryAfter::Absent);
    let simulator = &look.stage.simulator;
    simulator.push_fault(Fault::always(down).for_model("gpt-4"));
    let failed = [("deployment", "openai/gpt-4"), ("result", "unavailable")];
    look.until("models", "Attempts by result", |shown| {
        any(shown, &failed, 0.0)
    })
    .await;
    // Once its breaker is open calls pass it over, which counts too.
    look.until("models", "Fallback ratio", |shown| any(shown, &from, 0.0))
        .await;
    look.until("models", "Breakers now", |shown| any(shown, &[], 1.0))
        .await;
    look.until("overview", "Breakers open", |shown| any(shown, &[], 0.0))
        .await;

    // The provider is back.
    simulator.clear_faults();
    look.until("models", "Breakers now", |shown| !any(shown, &[], 0.0))
        .await;
    look.until("models", "Fallback ratio", |shown| !any(shown, &from, 0.0))
        .await;
}

/// Redis keeps its connections and answers nothing.
async fn redis_frozen(look: &Look<'_>) {
    let waits = "Endings that wait for the store";
    for title in ["Running without the store", "Errors of the store"] {
        let calm = look.shows("internals", title).await;
        assert!(!any(&calm, &[], 0.0), "{title} before: {calm:?}");
    }
    // Calls are under way when it freezes: their money stays held until it answers again.
    let mut slow = Fault::always(Action::Slow);
    slow.delay = Duration::from_secs(1);
    look.stage.simulator.push_fault(slow);
    look.until("overview", "Calls in flight", |shown| any(shown, &[], 2.0))
        .await;
    look.stage.redis.freeze();
    look.stage.simulator.clear_faults();
    let budgets = [("component", "budgets")];
    look.until("internals", "Running without the store", |shown| {
        any(shown, &budgets, 0.0)
    })
    .await;
    look.until("internals", "Errors of the store", |shown| {
        any(shown, &[], 0.0)
    })
    .await;
    look.until("internals", "Decisions without the store", |shown| {
        any(shown, &[], 0.0)
    })
    .await;
    look.until("internals", waits, |shown| any(shown, &[], 0.0))
        .await;
    // What those calls took is held until Redis learns that they ended.
    look.until("teams", "Money held", |shown| any(shown, &[], 0.0))
        .await;
    look.until("overview", "Store", |shown| {
        shown.iter().all(|sample| sample.value == 0.0)
    })
    .await;
    let failed = [("grpc_code", "UNAVAILABLE")];
    look.until(
        "overview",
        "Calls that failed by the service's fault",
        |shown| any(shown, &failed, 0.0),
    )
    .await;

    look.stage.redis.thaw();
    look.until("internals", "Running without the store", |shown| {
        !any(shown, &[], 0.0)
    })
    .await;
    look.until("internals", waits, |shown| !any(shown, &[], 0.0))
        .await;
    look.until("overview", "Store", |shown| any(shown, &[], 0.0))
        .await;
}

/// A team calls until its budget has no room.
async fn budget_empty(look: &Look<'_>) {
    let web = [("team", "web"), ("period", "day")];
    let calm = look.shows("teams", "Calls refused by budgets").await;
    assert!(!any(&calm, &web, 0.0), "no refusal before: {calm:?}");
    let calm = look.shows("teams", "Budget used").await;
    assert!(!any(&calm, &web, 0.9), "there is room before: {calm:?}");

    let caller = look.stage.caller("web").await;
    let mut refused = 0;
    for _ in 0..500 {
        let answer = caller
            .complete(spec("strong", "What is new in town?"))
            .await;
        refused += u32::from(answer.is_err_and(|error| error.reason == "BUDGET_EXHAUSTED"));
        if refused > 3 {
            break;
        }
    }
    assert!(refused > 3, "the budget ends");
    look.until("teams", "Budget used", |shown| any(shown, &web, 0.9))
        .await;
    look.until("teams", "Calls refused by budgets", |shown| {
        any(shown, &web, 0.0)
    })
    .await;
    let exhausted = [("outcome", "budget_exhausted")];
    look.until("overview", "Calls by outcome", |shown| {
        any(shown, &exhausted, 0.0)
    })
    .await;
}

/// Whoever changes an alert changes the colours that announce it.
async fn thresholds_are_those_of_the_alerts(stage: &Stage) {
    let rules = stage.prometheus.rules().await.expect("it answers");
    let of = |name: &str| {
        let found = rules.iter().filter(move |rule| rule.0 == name);
        found.map(|rule| rule.1.clone()).collect::<Vec<_>>()
    };
    let boards = panels::read();
    let rows = boards.values().flat_map(|board| &board.rows);
    let panels = rows.flat_map(|row| &row.panels);
    for (panel, threshold) in
        panels.flat_map(|panel| panel.thresholds.iter().map(move |one| (panel, one)))
    {
        let Some(alert) = &threshold.alert else {
            continue;
        };
        let alerts = of(alert);
        let texts: Vec<String> = if threshold.recorded {
            let selectors = alerts.iter().flat_map(|text| promql::selectors(text));
            selectors.flat_map(|selector| of(&selector.name)).collect()
        } else {
            alerts
        };
        let number = threshold.number.unwrap_or(threshold.at).to_string();
        let says = |text: &String| {
            let mut words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
            words.any(|word| word == number)
        };
        assert!(
            texts.iter().any(says),
            "{}: {alert} says nothing of {number}: {texts:?}",
            panel.title
        );
    }
}
