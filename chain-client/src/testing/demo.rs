//! A run to look at: `cargo test -p chain-client demo -- --ignored`, with the articles in
//! `CHAIN_DEMO_IN` and the reports in `CHAIN_DEMO_OUT`.

use super::{Answer, Desk, FakeGateway, good, prompt_of, refusal, step_of};
use serde_json::json;
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tonic::Code;

#[tokio::test]
#[ignore = "makes a report to look at"]
#[expect(
    clippy::disallowed_methods,
    reason = "the demo is told by its caller where things are"
)]
async fn demo() {
    let (Ok(input), Ok(out)) = (
        std::env::var("CHAIN_DEMO_IN"),
        std::env::var("CHAIN_DEMO_OUT"),
    ) else {
        return;
    };
    let calls = AtomicU64::new(0);
    let gateway = FakeGateway::start(move |spec, asked| {
        let call = calls.fetch_add(1, Relaxed);
        let step = step_of(spec);
        let ms = 30 + call * 37 % 160 + u64::from(step == "score_quality") * 180;
        if call % 17 == 5 {
            return refusal(Code::Unavailable, "TARGETS_EXHAUSTED", Some(120));
        }
        if asked == 3 && step == "classify_content" || prompt_of(spec).contains("Scientology") {
            return Answer::text("I am sorry, I cannot do that").after_ms(ms);
        }
        let answer = match step.as_str() {
            "score_quality" if call.is_multiple_of(5) => good(spec)
                .answered_by("gpt-3.5-turbo")
                .after_failures_of(&["gpt-4", "gpt-4"]),
            "score_quality" => Answer::json(&json!({
                "relevance": 3 + call % 7, "quality": 4 + call % 5,
                "reason": "Names its sources and keeps to the order of events.",
            }))
            .answered_by("gpt-4"),
            "classify_content" => {
                let topic =
                    ["tech", "business", "science", "sports"][usize::try_from(call % 4).unwrap()];
                Answer::json(
                    &json!({"labels": [{"label": topic, "confidence": 0.86}], "primary": topic}),
                )
                .answered_by("gpt-3.5-turbo")
            }
            "extract_entities" => {
                Answer::json(&json!({"people": [], "places": [], "organizations": [],
                "dates": [{"text": "March 8", "iso": "2011-03-08"}]}))
                .answered_by("gpt-3.5-turbo")
            }
            _ => good(spec).answered_by("gpt-3.5-turbo"),
        };
        answer.after_ms(ms)
    })
    .await;
    let mut desk = Desk::new(&gateway.url);
    desk.args.input.input = vec![input];
    desk.args.time_budget = Some(Duration::from_secs(20));
    desk.args.max_cost = Some("0.001".parse().unwrap());
    desk.article("empty.txt", "");
    desk.args
        .input
        .input
        .push(desk.path().join("in").display().to_string());
    desk.article("arabic.txt", "عنوان\n\nنص قصير عن العلوم.");
    desk.args.out = Some(out.into());
    let went = desk.run().await;
    assert!(!went.out.is_empty());
    std::io::Write::write_all(&mut std::io::stderr(), went.out.as_bytes()).unwrap();
}
