//! Where calls go: by complexity, around failures, within windows and budgets.

use std::time::{Duration, Instant};
use tollgate_proto::v1::{self, AttemptOutcome};
use tollgate_tests::{
    harness::{Gateway, scrape::Scrape, simulator, spec},
    simulator::{Action, Fault, Refused, RetryAfter},
};

fn outcomes(receipt: &v1::Receipt) -> Vec<(String, AttemptOutcome)> {
    let attempts = receipt.attempts.iter();
    attempts
        .map(|attempt| (attempt.model.clone(), attempt.outcome()))
        .collect()
}

fn by(complexity: v1::Complexity) -> v1::CompletionSpec {
    v1::CompletionSpec {
        target: Some(v1::completion_spec::Target::Complexity(complexity.into())),
        ..spec("unused", "Hello")
    }
}

#[tokio::test]
async fn simple_work_goes_to_cheap_models_and_hard_work_to_strong_ones() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    for (complexity, model) in [
        (v1::Complexity::Simple, "gpt-3.5-turbo"),
        (v1::Complexity::Moderate, "gpt-3.5-turbo"),
        (v1::Complexity::Complex, "gpt-4"),
        (v1::Complexity::Critical, "gpt-4"),
    ] {
        let answer = caller.complete(by(complexity)).await.expect("an answer");
        assert_eq!(answer.receipt.expect("a receipt").model, model);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_target_whose_breaker_is_open_counts_as_fallen_back_from() {
    let simulator = simulator(0).await;
    let down = Action::Refuse(Refused::Unavailable, RetryAfter::Absent);
    simulator.push_fault(Fault::always(down).for_model("gpt-4"));
    let once = |settings: tollgate_tests::harness::Settings| {
        settings.section("[breaker]\nfailures = 1\nopen = \"60s\"")
    };
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", "")], once).await;
    let caller = gateway.caller("news");
    for _ in 0..3 {
        let answer = caller.complete(spec("strong", "Hello")).await;
        let receipt = answer.expect("an answer").receipt.expect("a receipt");
        assert_eq!(receipt.model, "gpt-3.5-turbo");
    }
    let scrape = Scrape::of(&gateway.metrics_url()).await;
    let reason = |reason| {
        let labels = [r#"from_model="gpt-4""#, reason];
        scrape.sum("tollgate_fallbacks_total", &labels)
    };
    let passed_over = reason(r#"reason="breaker_open""#);
    assert!(passed_over >= 1.0, "the breaker was open");
    assert_eq!(reason("").to_string(), "3");
    gateway.stop().await;
}

#[tokio::test]
async fn a_failing_target_falls_back_along_the_route_to_the_local_server() {
    let simulator = simulator(0).await;
    for model in ["gpt-4", "gpt-3.5-turbo"] {
        simulator.push_fault(
            Fault::always(Action::Refuse(Refused::NotFound, RetryAfter::Absent)).for_model(model),
        );
    }
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let answer = gateway
        .caller("news")
        .complete(spec("strong", "Hello"))
        .await
        .expect("an answer");
    let receipt = answer.receipt.expect("a receipt");
    assert_eq!(receipt.model, "local");
    assert_eq!(receipt.cost_nano_usd, 0, "a local server is free");
    assert_eq!(
        outcomes(&receipt),
        [
            ("gpt-4".to_owned(), AttemptOutcome::Misconfigured),
            ("gpt-3.5-turbo".to_owned(), AttemptOutcome::Misconfigured),
            ("local".to_owned(), AttemptOutcome::Ok),
        ]
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_throttled_target_is_asked_again_when_its_provider_said() {
    let simulator = simulator(0).await;
    let throttle = Action::Refuse(Refused::TooManyRequests, RetryAfter::Seconds(1));
    simulator.push_fault(Fault::first(1, throttle).for_model("gpt-4"));
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let only = v1::CompletionSpec {
        target: Some(v1::completion_spec::Target::Model("gpt-4".to_owned())),
        ..spec("unused", "Hello")
    };
    let started = Instant::now();
    let answer = gateway
        .caller("news")
        .complete(only)
        .await
        .expect("an answer");
    assert!(started.elapsed() >= Duration::from_secs(1));
    let receipt = answer.receipt.expect("a receipt");
    assert_eq!(
        outcomes(&receipt),
        [
            ("gpt-4".to_owned(), AttemptOutcome::Throttled),
            ("gpt-4".to_owned(), AttemptOutcome::Ok),
        ]
    );
    gateway.stop().await;
}

#[tokio::test]
async fn no_retry_begins_that_cannot_end_before_the_deadline() {
    let simulator = simulator(0).await;
    let throttle = Action::Refuse(Refused::TooManyRequests, RetryAfter::Seconds(5));
    simulator.push_fault(Fault::always(throttle).for_model("gpt-4"));
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news").within(Duration::from_secs(2));
    let only = v1::CompletionSpec {
        target: Some(v1::completion_spec::Target::Model("gpt-4".to_owned())),
        ..spec("unused", "Hello")
    };
    let refused = caller.complete(only).await.expect_err("not in 2 seconds");
    assert_eq!(refused.reason, "TARGETS_EXHAUSTED", "{refused:?}");
    let wait = refused.retry_after().expect("later it may work");
    assert!(wait > Duration::from_secs(2), "{wait:?}");
    assert_eq!(simulator.requests().len(), 1, "it was not asked again");
    // With another target the call goes there at once: the first one is left alone.
    let answer = caller.complete(spec("strong", "Hello")).await;
    let receipt = answer.expect("an answer").receipt.expect("a receipt");
    assert_eq!(receipt.model, "gpt-3.5-turbo");
    assert_eq!(simulator.requests().len(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_provider_says_is_left_bounds_its_deployment() {
    let simulator = simulator(0).await;
    // Its headers say that nothing is left, and that it may be asked again in a second.
    let throttle = Action::Refuse(Refused::TooManyRequests, RetryAfter::Seconds(1));
    simulator.push_fault(Fault::first(1, throttle).for_model("gpt-4"));
    let bounded = |settings: tollgate_tests::harness::Settings| {
        settings.quota("gpt-4", "tokens_per_minute = 6_000")
    };
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", "")], bounded).await;
    let mut call = spec("strong", "Hello");
    call.max_output_tokens = Some(1_000);
    let answer = gateway.caller("news").complete(call).await;
    let answer = answer.unwrap_or_else(|refused| panic!("{:?}", refused.status));
    // After that second there are 100 tokens again, by our own limit there would be thousands.
    assert_eq!(
        outcomes(&answer.receipt.expect("a receipt")),
        [
            ("gpt-4".to_owned(), AttemptOutcome::Throttled),
            ("gpt-3.5-turbo".to_owned(), AttemptOutcome::Ok),
        ]
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_target_that_cannot_hold_the_prompt_is_skipped() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    // About 10,000 tokens: more than gpt-4 holds, less than gpt-3.5-turbo.
    let long = "seven words that make one short line\n".repeat(1_250);
    let answer = caller
        .complete(spec("strong", &long))
        .await
        .expect("an answer");
    let receipt = answer.receipt.expect("a receipt");
    assert_eq!(
        outcomes(&receipt),
        [("gpt-3.5-turbo".to_owned(), AttemptOutcome::Ok)]
    );
    // And what fits none is refused before any call.
    let before = simulator.requests().len();
    let refused = caller
        .complete(spec("strong", &long.repeat(5)))
        .await
        .expect_err("too long");
    assert_eq!(refused.reason, "INVALID_REQUEST");
    assert_eq!(simulator.requests().len(), before);
    gateway.stop().await;
}

#[tokio::test]
async fn an_overflow_that_only_the_provider_sees_goes_to_a_larger_target() {
    let simulator = simulator(0).await;
    let fault = Fault::always(Action::Refuse(Refused::ContextLength, RetryAfter::Absent));
    simulator.push_fault(fault.for_model("gpt-4"));
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let answer = gateway
        .caller("news")
        .complete(spec("strong", "Hello"))
        .await
        .expect("an answer");
    assert_eq!(
        outcomes(&answer.receipt.expect("a receipt")),
        [
            ("gpt-4".to_owned(), AttemptOutcome::ContextOverflow),
            ("gpt-3.5-turbo".to_owned(), AttemptOutcome::Ok),
        ]
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_deployment_that_keeps_failing_is_left_alone() {
    let simulator = simulator(0).await;
    simulator.push_fault(
        Fault::always(Action::Refuse(Refused::NotFound, RetryAfter::Absent)).for_model("gpt-4"),
    );
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", "")], |settings| {
        settings.section("[breaker]\nfailures = 3\nopen = \"60s\"")
    })
    .await;
    let caller = gateway.caller("news");
    for _ in 0..8 {
        caller
            .complete(spec("strong", "Hello"))
            .await
            .expect("an answer");
    }
    let asked = simulator.requests();
    let strong = asked
        .iter()
        .filter(|request| request.body["model"] == "gpt-4");
    assert_eq!(strong.count(), 3, "then its breaker opened");
    gateway.stop().await;
}

#[tokio::test]
async fn budget_pressure_prefers_cheaper_targets() {
    let simulator = simulator(0).await;
    let bounds = "budgets = [{ per = \"day\", amount = \"0.05\" }]";
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", bounds)], |settings| {
        settings.routes(
            r#"
[routes.cheap]
targets = ["gpt-3.5-turbo"]
[routes.strong]
targets = ["gpt-4", "gpt-3.5-turbo"]
under_pressure = { from = 0.5, targets = ["gpt-3.5-turbo", "local"] }
"#,
        )
    })
    .await;
    let caller = gateway.caller("news");
    let long = "Tell me about the sea, the wind and the ships. ".repeat(20);
    let mut models = Vec::new();
    for _ in 0..14 {
        let answer = caller
            .complete(spec("strong", &long))
            .await
            .expect("an answer");
        let receipt = answer.receipt.expect("a receipt");
        assert_eq!(receipt.under_pressure, receipt.model != "gpt-4");
        models.push(receipt.model);
        caller.settled_spend().await;
    }
    // Around the mark the choice may swing, as dear calls hold more than they cost.
    assert!(
        models[..2].iter().all(|model| model == "gpt-4"),
        "{models:?}"
    );
    assert!(
        models[8..].iter().all(|model| model == "gpt-3.5-turbo"),
        "{models:?}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn anthropic_is_spoken_too() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", "")], |settings| {
        settings
            .section(
                r#"
[models.claude]
context_tokens = 200_000
max_output_tokens = 8192
price = { input = "3", output = "15" }
deployments = [{ provider = "anthropic", name = "claude-sonnet-4-5" }]
"#,
            )
            .routes(
                "[routes.cheap]\ntargets = [\"claude\"]\n[routes.strong]\ntargets = [\"claude\"]",
            )
    })
    .await;
    let answer = gateway
        .caller("news")
        .complete(spec("cheap", "Hello"))
        .await
        .expect("an answer");
    let receipt = answer.receipt.expect("a receipt");
    assert_eq!(receipt.deployment, "anthropic/claude-sonnet-4-5");
    let usage = receipt.usage.expect("counted");
    assert_eq!(
        receipt.cost_nano_usd,
        usage.input_tokens * 3_000 + usage.output_tokens * 15_000
    );
    gateway.stop().await;
}
