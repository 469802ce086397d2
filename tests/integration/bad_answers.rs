//! A provider that misbehaves: a typed outcome, the next target, and the charge that is due.

use std::time::Duration;
use tollgate_proto::v1::{self, AttemptOutcome};
use tollgate_tests::{
    harness::{Gateway, simulator, spec},
    simulator::{Action, Fault, Refused, RetryAfter},
};

/// What a model does, how its attempt ends, and whether that is charged.
fn cases() -> Vec<(Action, AttemptOutcome, bool)> {
    let refuse = |refused| Action::Refuse(refused, RetryAfter::Absent);
    let elsewhere = "http://127.0.0.1:1/stolen".to_owned();
    vec![
        (Action::InvalidJson, AttemptOutcome::Garbled, true),
        (Action::Empty, AttemptOutcome::Garbled, true),
        (Action::ErrorInside, AttemptOutcome::Garbled, true),
        (Action::UsageMissing, AttemptOutcome::Garbled, true),
        (Action::UsageNegative, AttemptOutcome::Garbled, true),
        (Action::CutBody, AttemptOutcome::Unknown, true),
        (Action::Close, AttemptOutcome::Unknown, true),
        (Action::Stall, AttemptOutcome::Unknown, true),
        (Action::Hang, AttemptOutcome::Unknown, true),
        (Action::Oversize(17), AttemptOutcome::Unknown, true),
        (
            Action::Redirect(elsewhere),
            AttemptOutcome::Misconfigured,
            false,
        ),
        (
            refuse(Refused::Unauthorized),
            AttemptOutcome::Misconfigured,
            false,
        ),
        (
            refuse(Refused::Forbidden),
            AttemptOutcome::Misconfigured,
            false,
        ),
        (
            refuse(Refused::QuotaExhausted),
            AttemptOutcome::Misconfigured,
            false,
        ),
        (
            refuse(Refused::ServerError),
            AttemptOutcome::Unavailable,
            false,
        ),
        (
            refuse(Refused::BadGateway),
            AttemptOutcome::Unavailable,
            false,
        ),
        (
            refuse(Refused::Overloaded),
            AttemptOutcome::Unavailable,
            false,
        ),
    ]
}

const CLAUDE: &str = r#"
[models.claude]
context_tokens = 200_000
max_output_tokens = 8192
price = { input = "3", output = "15" }
deployments = [{ provider = "anthropic", name = "claude-sonnet-4-5" }]
"#;

#[tokio::test]
async fn every_bad_answer_of_openai_is_typed_passed_over_and_charged_as_promised() {
    each_is_passed_over_and_charged("gpt-4", "gpt-4", 100 * 60_000).await;
}

#[tokio::test]
async fn every_bad_answer_of_anthropic_is_typed_passed_over_and_charged_as_promised() {
    each_is_passed_over_and_charged("claude", "claude-sonnet-4-5", 100 * 15_000).await;
}

/// Goes through the cases with this model, whose cap costs so much.
async fn each_is_passed_over_and_charged(first: &str, deployment: &str, cap_nano_usd: i64) {
    let simulator = simulator(0).await;
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", "")], |settings| {
        settings
            .routes(&format!(
                r#"
[routes.cheap]
targets = ["gpt-3.5-turbo"]
[routes.strong]
targets = ["{first}", "gpt-3.5-turbo"]
attempt_timeout = "700ms"
retries = 0
"#
            ))
            .section("[breaker]\nfailures = 1_000")
            .section(CLAUDE)
    })
    .await;
    let caller = gateway.caller("news");
    let mut total = 0;
    for (action, outcome, charged) in cases() {
        simulator.clear_faults();
        let name = format!("{action:?}");
        simulator.push_fault(Fault::always(action).for_model(deployment));
        let answered = caller.complete(spec("strong", "Hello")).await;
        let answer = answered.unwrap_or_else(|refused| panic!("{name}: {:?}", refused.status));
        let receipt = answer.receipt.expect("a receipt");
        let [bad, good] = &receipt.attempts[..] else {
            panic!("{name}: two attempts, not {:?}", receipt.attempts);
        };
        assert_eq!(
            (bad.model.as_str(), bad.outcome()),
            (first, outcome),
            "{name}"
        );
        assert_eq!(bad.cost_nano_usd > 0, charged, "{name}");
        assert_eq!(bad.estimated, charged, "{name}");
        assert_eq!(
            (good.model.as_str(), good.outcome()),
            ("gpt-3.5-turbo", AttemptOutcome::Ok)
        );
        assert_eq!(
            receipt.cost_nano_usd,
            bad.cost_nano_usd + good.cost_nano_usd
        );
        // An unknown outcome costs its worst case: all of the cap.
        if charged {
            assert!(
                bad.cost_nano_usd >= cap_nano_usd,
                "{name}: {}",
                bad.cost_nano_usd
            );
        }
        total += receipt.cost_nano_usd;
        assert_eq!(caller.settled_spend().await, total, "{name}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_compatible_server_without_usage_is_counted_by_us() {
    let simulator = simulator(0).await;
    simulator.push_fault(Fault::always(Action::UsageMissing));
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "models = [\"local\"]")]).await;
    let only = v1::CompletionSpec {
        target: Some(v1::completion_spec::Target::Model("local".to_owned())),
        ..spec("unused", "Hello")
    };
    let answer = gateway
        .caller("news")
        .complete(only)
        .await
        .expect("an answer");
    let receipt = answer.receipt.expect("a receipt");
    assert!(receipt.attempts[0].estimated);
    let usage = receipt.usage.expect("counted");
    assert!(
        usage.input_tokens > 5 && usage.output_tokens > 0,
        "{usage:?}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_refusal_by_the_model_is_an_answer() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    for action in [Action::Refusal, Action::ContentFilter] {
        simulator.clear_faults();
        simulator.push_fault(Fault::always(action));
        let answer = gateway
            .caller("news")
            .complete(spec("cheap", "Hello"))
            .await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.finish_reason(), v1::FinishReason::ContentFilter);
        assert_eq!(answer.receipt.expect("a receipt").attempts.len(), 1);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_costs_nothing() {
    let gateway = Gateway::start("http://127.0.0.1:9", &[("news", "")]).await;
    let caller = gateway.caller("news").within(Duration::from_secs(10));
    let refused = caller
        .complete(spec("cheap", "Hello"))
        .await
        .expect_err("nobody answers");
    assert_eq!(refused.reason, "TARGETS_EXHAUSTED");
    assert_eq!(caller.settled_spend().await, 0);
    gateway.stop().await;
}
