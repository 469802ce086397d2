//! What goes wrong with one article, and what is done about it.

use super::{TEXT, assert_adds_up};
use crate::{
    exit::Exit,
    testing::{Answer, Desk, FakeGateway, charged_refusal, good, prompt_of, refusal, step_of},
};
use serde_json::{Value, json};
use tollgate_proto::v1::FinishReason;
use tonic::Code;

#[tokio::test]
async fn bad_articles_are_rejected_before_any_call_and_the_others_go_on() {
    let gateway = FakeGateway::start(|spec, _| good(spec)).await;
    let mut desk = Desk::new(&gateway.url);
    desk.args.input.max_bytes = Some(500);
    desk.article("empty.txt", "");
    desk.article("binary.txt", b"\x00\x01\x02\x03");
    desk.article("latin.txt", b"caf\xe9");
    desk.article("large.txt", "word ".repeat(200));
    desk.article("image.png", "x");
    desk.article("good.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Partial);
    assert_eq!(gateway.specs().len(), 4);
    let counts = &went.report["totals"]["articles"];
    assert_eq!((&counts["ok"], &counts["rejected"]), (&json!(1), &json!(4)));
    assert_eq!(counts["skipped"], 1);
    for name in [
        "empty.txt",
        "binary.txt",
        "latin.txt",
        "large.txt",
        "image.png",
    ] {
        let row = article(&went.report, name);
        assert!(row["reason"].is_string(), "{row}");
        assert!(went.html.contains(name));
    }
    assert_adds_up(&went, &gateway);
}

fn article<'a>(report: &'a Value, id: &str) -> &'a Value {
    let mut rows = report["articles"].as_array().unwrap().iter();
    rows.find(|row| row["id"] == id).unwrap()
}

#[tokio::test]
async fn a_sloppy_answer_is_mended_without_a_call() {
    let gateway = FakeGateway::start(|spec, _| match step_of(spec).as_str() {
        "classify_content" => Answer::text(
            "```json\n{\"labels\": [{\"label\": \"Tech\", \"confidence\": 1,}], \"primary\": \"TECH\"}\n```",
        ),
        _ => good(spec),
    })
    .await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Ok, "{}", went.out);
    assert_eq!(gateway.specs().len(), 4);
    assert_eq!(went.report["steps"][2]["repaired_locally"], 1);
    assert_eq!(went.results[0]["classify_content"]["primary"], "tech");
}

#[tokio::test]
async fn a_bad_answer_is_repaired_once() {
    let gateway = FakeGateway::start(|spec, asked| match (step_of(spec).as_str(), asked) {
        ("score_quality", 0) => {
            Answer::json(&json!({"relevance": 99, "quality": 6, "reason": "x"}))
        }
        _ => good(spec),
    })
    .await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Ok, "{}", went.out);
    assert_adds_up(&went, &gateway);
    let repair = &gateway.specs()[4];
    assert_eq!(repair.attribution.as_ref().unwrap().prompt_name, "repair");
    let prompt = prompt_of(repair);
    assert!(
        prompt.contains("99") && prompt.contains("maximum"),
        "{prompt}"
    );
    assert!(
        !prompt.contains("Ada Lovelace"),
        "a repair carries no history"
    );
    assert_ne!(repair.idempotency_key, gateway.specs()[3].idempotency_key);
    assert_eq!(
        went.report["totals"]["attempts"],
        json!({"primary": 4, "retry": 0, "repair": 1})
    );
    assert_eq!(went.report["steps"][3]["repaired"], 1);
    assert_eq!(went.report["totals"]["wasted_nano_usd"], 2 * 1_234);
}

#[tokio::test]
async fn an_article_that_cannot_be_repaired_fails_alone() {
    let gateway = FakeGateway::start(|spec, _| {
        let bad = step_of(spec) == "generate_summary" && prompt_of(spec).contains("POISON");
        let repair = spec.attribution.as_ref().unwrap().prompt_name == "repair";
        if bad || repair {
            Answer::text("I would rather not POISON")
        } else {
            good(spec)
        }
    })
    .await;
    let desk = Desk::new(&gateway.url);
    desk.article("bad.txt", format!("POISON {TEXT}"));
    desk.article("good.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Partial);
    let steps = &article(&went.report, "bad.txt")["steps"];
    assert_eq!(steps["extract_entities"]["status"], "ok");
    assert_eq!(steps["generate_summary"]["status"], "failed");
    assert_eq!(
        steps["generate_summary"]["error"]["class"],
        "invalid_output"
    );
    assert_eq!(steps["classify_content"]["status"], "skipped_upstream");
    assert_eq!(article(&went.report, "good.txt")["status"], "ok");
    assert!(
        went.out
            .contains("FAILED    bad.txt  generate_summary  invalid_output"),
        "{}",
        went.out
    );
    assert_adds_up(&went, &gateway);
}

#[tokio::test]
async fn a_refusal_of_the_model_is_not_repaired() {
    let gateway =
        FakeGateway::start(|spec, _| good(spec).finish(FinishReason::ContentFilter)).await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Partial);
    assert_eq!(gateway.specs().len(), 1);
    assert_eq!(went.report["failures"][0]["class"], "refused");
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_again_with_twice_the_room_once() {
    let gateway = FakeGateway::start(|spec, _| good(spec).finish(FinishReason::Length)).await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    let specs = gateway.specs();
    assert_eq!(specs.len(), 2);
    assert_eq!(specs[0].max_output_tokens, Some(1500));
    assert_eq!(specs[1].max_output_tokens, Some(3000));
    assert_ne!(specs[0].idempotency_key, specs[1].idempotency_key);
    assert_eq!(went.report["failures"][0]["class"], "truncated");
    assert_adds_up(&went, &gateway);
}

#[tokio::test]
async fn unavailable_and_limits_are_waited_for_with_the_same_key() {
    let gateway = FakeGateway::start(|spec, asked| match (step_of(spec).as_str(), asked) {
        ("extract_entities", 0) => refusal(Code::Unavailable, "TARGETS_EXHAUSTED", Some(60)),
        ("extract_entities", 1..6) => refusal(Code::ResourceExhausted, "RATE_LIMITED", Some(20)),
        ("extract_entities", 6) => refusal(Code::ResourceExhausted, "BUDGET_EXHAUSTED", Some(20)),
        _ => good(spec),
    })
    .await;
    let mut desk = Desk::new(&gateway.url);
    desk.config("[steps.extract_entities]\nretries = 1\n");
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Ok, "{}", went.out);
    let specs = gateway.specs();
    assert_eq!(specs.len(), 11);
    assert!(
        specs[..8]
            .iter()
            .all(|spec| spec.idempotency_key == specs[0].idempotency_key)
    );
    assert_eq!(
        went.report["totals"]["attempts"],
        json!({"primary": 4, "retry": 7, "repair": 0})
    );
    let waited = went.report["steps"][0]["backoff_ms"].as_u64().unwrap();
    assert!(waited >= 180, "{waited}");
}

#[tokio::test]
async fn an_article_that_stays_unavailable_fails_after_its_retries() {
    let gateway =
        FakeGateway::start(|_, _| refusal(Code::Unavailable, "TARGETS_EXHAUSTED", Some(1))).await;
    let mut desk = Desk::new(&gateway.url);
    desk.config("[steps.extract_entities]\nretries = 1\n");
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Partial);
    assert_eq!(gateway.specs().len(), 2);
    assert_eq!(went.report["failures"][0]["class"], "unavailable");
}

#[tokio::test]
async fn an_unknown_outcome_is_counted_and_tried_once_more() {
    let gateway = FakeGateway::start(|spec, asked| match (step_of(spec).as_str(), asked) {
        ("extract_entities", 0) => {
            charged_refusal(Code::Aborted, "OUTCOME_UNKNOWN", None, Some(500))
        }
        ("generate_summary", _) => {
            charged_refusal(Code::Aborted, "OUTCOME_UNKNOWN", None, Some(70))
        }
        _ => good(spec),
    })
    .await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Partial);
    assert_eq!(
        went.report["totals"]["cost_nano_usd"],
        500 + 1_234 + 70 + 70
    );
    assert_eq!(went.report["failures"][0]["class"], "outcome_unknown");
    assert_adds_up(&went, &gateway);
}

#[tokio::test]
async fn what_is_permanent_is_not_retried() {
    for (code, reason, class) in [
        (Code::InvalidArgument, "INVALID_REQUEST", "invalid_request"),
        (
            Code::FailedPrecondition,
            "PROMPT_REJECTED",
            "prompt_rejected",
        ),
        (Code::InvalidArgument, "LIMIT_UNSATISFIABLE", "too_long"),
    ] {
        let gateway = FakeGateway::start(move |_, _| refusal(code, reason, None)).await;
        let desk = Desk::new(&gateway.url);
        desk.article("a.txt", TEXT);
        desk.article("b.txt", TEXT);
        let went = desk.run().await;
        assert_eq!(went.exit, Exit::Partial);
        assert_eq!(gateway.specs().len(), 2);
        assert_eq!(went.report["failures"][0]["class"], class);
        assert_eq!(went.report["failures"][0]["count"], 2);
    }
}

#[tokio::test]
async fn a_key_that_served_another_request_is_made_fresh_once() {
    let gateway = FakeGateway::start(|spec, asked| match (step_of(spec).as_str(), asked) {
        ("extract_entities", 0) => refusal(Code::AlreadyExists, "IDEMPOTENCY_CONFLICT", None),
        _ => good(spec),
    })
    .await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Ok, "{}", went.out);
    let specs = gateway.specs();
    assert_ne!(specs[0].idempotency_key, specs[1].idempotency_key);
}

#[tokio::test]
async fn tolerated_failures_are_no_failure_of_the_run() {
    let gateway = FakeGateway::start(|spec, _| good(spec)).await;
    let mut desk = Desk::new(&gateway.url);
    desk.args.max_failures = Some("50%".into());
    desk.article("a.txt", TEXT);
    desk.article("b.txt", "");
    assert_eq!(desk.run().await.exit, Exit::Ok);
}
