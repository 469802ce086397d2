//! Every row of docs/errors.md that a caller can reach, with its code, details and charge. Deadlines
//! are in `wire`, without a client whose timer may be the first to tell.

use std::time::Duration;
use tollgate_proto::v1;
use tollgate_tests::{
    harness::{Caller, Gateway, Refused, simulator, spec},
    simulator::{Action, Fault, Refused as Answers, RetryAfter},
};
use tonic::Code;

async fn refused(caller: &Caller, call: v1::CompletionSpec) -> Refused {
    *caller.complete(call).await.expect_err("it is refused")
}

fn is(refused: &Refused, code: Code, reason: &str) {
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (code, reason),
        "{:?}",
        refused.status
    );
}

#[tokio::test]
async fn a_request_that_is_not_valid_is_told_all_that_is_wrong() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let empty = v1::CompletionSpec {
        messages: Vec::new(),
        sampling: Some(v1::SamplingOptions {
            temperature: Some(f64::NAN),
            ..v1::SamplingOptions::default()
        }),
        tools: vec![v1::Tool::default()],
        ..spec("cheap", "unused")
    };
    let told = refused(&caller, empty).await;
    is(&told, Code::InvalidArgument, "INVALID_REQUEST");
    let request = told.details.bad_request().expect("BadRequest");
    let mut fields: Vec<&str> = request
        .field_violations
        .iter()
        .map(|v| v.field.as_str())
        .collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["spec.messages", "spec.sampling.temperature", "spec.tools"]
    );
    assert_eq!(caller.settled_spend().await, 0);
    assert_eq!(simulator.requests().len(), 0, "no provider was asked");
    gateway.stop().await;
}

#[tokio::test]
async fn unknown_and_forbidden_names_are_told_apart() {
    let simulator = simulator(0).await;
    let teams = [("news", ""), ("poor", "")];
    let gateway = Gateway::start_with(&simulator.base_url(), &teams, |settings| {
        settings.section("[routes.secret]\ntargets = [\"gpt-4\"]")
    })
    .await;
    let caller = gateway.caller("news");
    let model = |name: &str| v1::CompletionSpec {
        target: Some(v1::completion_spec::Target::Model(name.to_owned())),
        ..spec("unused", "Hello")
    };
    let told = refused(&caller, model("gpt-99")).await;
    is(&told, Code::NotFound, "UNKNOWN_MODEL");
    assert_eq!(
        told.details
            .resource_info()
            .expect("ResourceInfo")
            .resource_name,
        "gpt-99"
    );
    is(
        &refused(&caller, spec("nowhere", "Hello")).await,
        Code::NotFound,
        "UNKNOWN_ROUTE",
    );
    is(
        &refused(&caller, spec("secret", "Hello")).await,
        Code::PermissionDenied,
        "MODEL_FORBIDDEN",
    );
    let stranger = Caller::new(gateway.channel(), "tg_news_nonsense");
    is(
        &refused(&stranger, spec("cheap", "Hello")).await,
        Code::Unauthenticated,
        "INVALID_CREDENTIAL",
    );
    // A real key with one letter changed.
    let mut wrong = gateway.key("news").to_owned();
    let last = wrong.pop().expect("not empty");
    wrong.push(if last == 'a' { 'b' } else { 'a' });
    let stranger = Caller::new(gateway.channel(), &wrong);
    is(
        &refused(&stranger, spec("cheap", "Hello")).await,
        Code::Unauthenticated,
        "INVALID_CREDENTIAL",
    );
    assert_eq!(caller.settled_spend().await, 0);
    gateway.stop().await;
}

#[tokio::test]
async fn what_can_never_fit_a_limit_is_not_worth_a_retry() {
    let simulator = simulator(0).await;
    let bounds = "limits = { tokens_per_minute = 50 }";
    let gateway = Gateway::start(&simulator.base_url(), &[("news", bounds)]).await;
    let caller = gateway.caller("news");
    let told = refused(&caller, spec("cheap", "Hello")).await;
    is(&told, Code::InvalidArgument, "LIMIT_UNSATISFIABLE");
    let violations = &told
        .details
        .quota_failure()
        .expect("QuotaFailure")
        .violations;
    assert_eq!(violations[0].subject, "tokens_per_minute");
    assert!(told.retry_after().is_none());
    gateway.stop().await;
}

#[tokio::test]
async fn rates_and_concurrency_say_when_to_come_back() {
    let simulator = simulator(300).await;
    let teams = [
        ("fast", "limits = { requests_per_minute = 2 }"),
        ("wide", "limits = { concurrency = 1 }"),
    ];
    let gateway = Gateway::start_with(&simulator.base_url(), &teams, |settings| {
        settings.server("max_wait = \"50ms\"")
    })
    .await;
    let fast = gateway.caller("fast");
    for _ in 0..2 {
        fast.complete(spec("cheap", "Hello"))
            .await
            .expect("it fits");
    }
    let told = refused(&fast, spec("cheap", "Hello")).await;
    is(&told, Code::ResourceExhausted, "RATE_LIMITED");
    let wait = told.retry_after().expect("waiting helps");
    assert!(
        wait > Duration::from_secs(20) && wait <= Duration::from_secs(38),
        "{wait:?}"
    );
    assert_eq!(
        told.details
            .quota_failure()
            .expect("QuotaFailure")
            .violations[0]
            .subject,
        "requests_per_minute"
    );
    // grpc-java would take it as an order to retry, and hide all this from its caller.
    assert!(
        !told
            .status
            .metadata()
            .contains_key("grpc-retry-pushback-ms")
    );
    let wide = gateway.caller("wide");
    let other = wide.clone();
    let first = tokio::spawn(async move { other.complete(spec("cheap", "Hello")).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let told = refused(&wide, spec("cheap", "Hello")).await;
    is(&told, Code::ResourceExhausted, "CONCURRENCY_LIMITED");
    assert!(told.retry_after().is_some());
    first.await.expect("no panic").expect("it fits");
    gateway.stop().await;
}

#[tokio::test]
async fn a_spent_budget_says_when_it_resets_and_a_held_one_when_to_come_back() {
    let simulator = simulator(400).await;
    // One call of gpt-4 holds about 0.0065 dollars.
    let bounds = "budgets = [{ per = \"day\", amount = \"0.01\" }]";
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", bounds)], |settings| {
        settings.server("max_wait = \"20ms\"")
    })
    .await;
    let caller = gateway.caller("news");
    let other = caller.clone();
    let first = tokio::spawn(async move { other.complete(spec("strong", "Hello")).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let told = refused(&caller, spec("strong", "Hello")).await;
    is(&told, Code::ResourceExhausted, "BUDGET_EXHAUSTED");
    assert!(told.retry_after().is_some(), "it is only held");
    assert_ne!(told.metadata("heldNanoUsd"), Some("0"));
    first.await.expect("no panic").expect("it fits");
    let mut told = None;
    for _ in 0..20 {
        if let Err(refused) = caller
            .complete(spec("strong", "Tell me more, at length"))
            .await
            && refused.retry_after().is_none()
        {
            told = Some(refused);
            break;
        }
    }
    let told = told.expect("the budget ends");
    is(&told, Code::ResourceExhausted, "BUDGET_EXHAUSTED");
    assert!(
        told.metadata("resetTime")
            .expect("it resets")
            .ends_with("T00:00:00.000Z")
    );
    assert!(
        caller.settled_spend().await <= 10_000_000,
        "never above the budget"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_rejected_prompt_ends_the_call_and_costs_nothing() {
    let simulator = simulator(0).await;
    simulator.push_fault(Fault::always(Action::Refuse(
        Answers::BadRequest,
        RetryAfter::Absent,
    )));
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let told = refused(&caller, spec("strong", "Hello")).await;
    is(&told, Code::FailedPrecondition, "PROMPT_REJECTED");
    assert_eq!(told.metadata("provider"), Some("openai"));
    assert_eq!(
        simulator.requests().len(),
        1,
        "no fallback for what the caller did"
    );
    assert_eq!(caller.settled_spend().await, 0);
    gateway.stop().await;
}

#[tokio::test]
async fn unavailable_means_uncharged_and_unknown_means_charged() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    simulator.push_fault(Fault::always(Action::Refuse(
        Answers::Unavailable,
        RetryAfter::Absent,
    )));
    let told = refused(&caller, spec("strong", "Hello")).await;
    is(&told, Code::Unavailable, "TARGETS_EXHAUSTED");
    assert!(
        told.status
            .metadata()
            .contains_key("grpc-retry-pushback-ms")
    );
    assert!(told.retry_after().is_some());
    assert_eq!(caller.settled_spend().await, 0);
    gateway.stop().await;

    let simulator = self::simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    simulator.push_fault(Fault::always(Action::Close));
    let told = refused(&caller, spec("cheap", "Hello")).await;
    is(&told, Code::Aborted, "OUTCOME_UNKNOWN");
    let cost: i64 = told
        .metadata("costNanoUsd")
        .expect("told")
        .parse()
        .expect("digits");
    assert!(cost > 0);
    assert_eq!(caller.settled_spend().await, cost);
    gateway.stop().await;
}

#[tokio::test]
async fn too_much_at_once_is_shed_with_unavailable() {
    let simulator = simulator(500).await;
    let gateway = Gateway::start_with(&simulator.base_url(), &[("news", "")], |settings| {
        settings.server("max_in_flight = 1")
    })
    .await;
    let caller = gateway.caller("news");
    let other = caller.clone();
    let first = tokio::spawn(async move { other.complete(spec("cheap", "Hello")).await });
    tokio::time::sleep(Duration::from_millis(150)).await;
    let told = refused(&caller, spec("cheap", "Hello")).await;
    is(&told, Code::Unavailable, "OVERLOADED");
    assert!(told.retry_after().is_some());
    first.await.expect("no panic").expect("it was there first");
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_too_large_or_not_served_is_refused_by_the_transport() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let caller = gateway.caller("news");
    let told = refused(&caller, spec("cheap", &"a".repeat(20 << 20))).await;
    assert_eq!(told.code, Code::OutOfRange);
    let request = caller.request(v1::CompleteStreamRequest {
        spec: Some(spec("cheap", "Hello")),
    });
    let streamed = caller.completions().complete_stream(request).await;
    assert_eq!(streamed.expect_err("not yet").code(), Code::Unimplemented);
    assert_eq!(caller.settled_spend().await, 0);
    gateway.stop().await;
}
