//! Runs from end to end, against a scripted gateway.

mod endings;
mod failures;
mod shown;

use crate::{
    exit::Exit,
    testing::{Desk, FakeGateway, Went, good, prompt_of, step_of},
};
use serde_json::Value;
use tollgate_proto::v1::{Complexity, completion_spec::Target, response_format::Format};

pub(super) const TEXT: &str = "Notes\n\nAda Lovelace wrote the notes in 1843. They mattered.";

/// The money adds up, in every direction, and so do the articles.
pub(super) fn assert_adds_up(went: &Went, gateway: &FakeGateway) {
    let report = &went.report;
    let total = report["totals"]["cost_nano_usd"].as_i64().unwrap();
    let sum = |rows: &Value| -> i64 {
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["cost_nano_usd"].as_i64().unwrap())
            .sum()
    };
    assert_eq!(sum(&report["steps"]), total);
    assert_eq!(sum(&report["models"]), total);
    assert_eq!(sum(&report["articles"]), total);
    assert_eq!(gateway.charged(), total);
    let mut calls = 0;
    for article in report["articles"].as_array().unwrap() {
        for step in article["steps"].as_object().unwrap().values() {
            calls += sum(&step["calls"]);
        }
    }
    assert_eq!(calls, total);
    let counts = report["totals"]["articles"].as_object().unwrap();
    let all: u64 = counts
        .iter()
        .filter(|(name, _)| *name != "planned")
        .map(|(_, count)| count.as_u64().unwrap())
        .sum();
    assert_eq!(
        all,
        u64::try_from(report["articles"].as_array().unwrap().len()).unwrap()
    );
}

#[tokio::test]
async fn an_article_goes_through_the_four_steps() {
    let gateway = FakeGateway::start(|spec, _| good(spec)).await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Ok, "{}{}", went.out, went.err);
    assert_adds_up(&went, &gateway);
    let specs = gateway.specs();
    let steps: Vec<String> = specs.iter().map(step_of).collect();
    assert_eq!(
        steps,
        [
            "extract_entities",
            "generate_summary",
            "classify_content",
            "score_quality"
        ]
    );
    let targets: Vec<&Target> = specs
        .iter()
        .map(|spec| spec.target.as_ref().unwrap())
        .collect();
    let complexity = |one: Complexity| Target::Complexity(one.into());
    let simple = complexity(Complexity::Simple);
    let expected = [
        &simple,
        &complexity(Complexity::Moderate),
        &simple,
        &complexity(Complexity::Complex),
    ];
    assert_eq!(targets, expected);
    for spec in &specs {
        let format = spec
            .response_format
            .as_ref()
            .unwrap()
            .format
            .as_ref()
            .unwrap();
        assert!(matches!(format, Format::JsonSchema(schema) if schema.strict));
        let about = spec.attribution.as_ref().unwrap();
        assert_eq!(
            (about.pipeline.as_str(), about.prompt_version.as_str()),
            ("content-analysis", "v1")
        );
        assert_eq!(Value::from(about.run.as_str()), went.report["run"]["id"]);
        assert_eq!(spec.idempotency_key.len(), 64);
    }
    // Each output reaches the next step.
    assert!(
        prompt_of(&specs[1]).contains("Ada Lovelace\\\\\\\"")
            || prompt_of(&specs[1]).contains("mentions")
    );
    assert!(prompt_of(&specs[2]).contains("Ada wrote notes. They mattered."));
    assert!(prompt_of(&specs[3]).contains("tech") && prompt_of(&specs[3]).contains("<article>"));
    let result = &went.results[0];
    assert_eq!(result["id"], "a.txt");
    assert_eq!(result["score_quality"]["quality"], 6);
    assert_eq!(result["classify_content"]["primary"], "tech");
    let models: Vec<&Value> = went.report["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["model"])
        .collect();
    assert_eq!(models, ["cheap", "strong"]);
}

#[tokio::test]
async fn articles_do_not_wait_for_each_other_between_steps() {
    let gateway = FakeGateway::start(|spec, _| {
        let slow = prompt_of(spec).contains("SLOW");
        good(spec).after_ms(if slow { 400 } else { 0 })
    })
    .await;
    let mut desk = Desk::new(&gateway.url);
    desk.args.concurrency = Some(2);
    desk.article("a.txt", format!("SLOW {TEXT}"));
    for name in ["b.txt", "c.txt", "d.txt"] {
        desk.article(name, TEXT);
    }
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Ok);
    let order: Vec<&Value> = went.results.iter().map(|row| &row["id"]).collect();
    assert_eq!(order, ["b.txt", "c.txt", "d.txt", "a.txt"]);
    assert_eq!(gateway.seen.lock().unwrap().most_in_flight, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_lines_stream_with_bounded_calls_in_flight() {
    let gateway = FakeGateway::start(|spec, _| good(spec)).await;
    let mut desk = Desk::new(&gateway.url);
    let mut lines = String::new();
    for number in 0..10_000 {
        if number % 1000 == 999 {
            lines.push_str("{broken\n");
        } else {
            lines.push_str(&format!(
                "{{\"id\": {number}, \"text\": \"{number} Ada Lovelace, 1843.\"}}\n"
            ));
        }
    }
    desk.article("batch.jsonl", lines);
    desk.args.concurrency = Some(6);
    let went = desk.run().await;
    assert_eq!(went.exit, Exit::Partial);
    let counts = &went.report["totals"]["articles"];
    assert_eq!(
        (&counts["ok"], &counts["rejected"]),
        (&Value::from(9_990), &Value::from(10))
    );
    assert_eq!(went.results.len(), 9_990);
    assert!(gateway.seen.lock().unwrap().most_in_flight <= 6);
    assert_adds_up(&went, &gateway);
}

#[tokio::test]
async fn retries_and_fallbacks_of_the_gateway_are_counted() {
    let gateway = FakeGateway::start(|spec, _| match step_of(spec).as_str() {
        "score_quality" => good(spec)
            .answered_by("cheap")
            .after_failures_of(&["strong", "strong"]),
        _ => good(spec),
    })
    .await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    let inside = &went.report["totals"]["gateway"];
    assert_eq!(
        (&inside["attempts"], &inside["retries"]),
        (&Value::from(6), &Value::from(1))
    );
    assert_eq!(inside["fallbacks"], 1);
    assert_eq!(went.report["models"][0]["via"]["fallback"], 1);
}

#[tokio::test]
async fn a_replayed_answer_costs_this_run_nothing() {
    let gateway = FakeGateway::start(|spec, _| good(spec).replayed()).await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_adds_up(&went, &gateway);
    assert_eq!(went.report["totals"]["cost_nano_usd"], 0);
    assert_eq!(went.report["totals"]["avoided_nano_usd"], 4 * 1_234);
    assert_eq!(went.report["totals"]["replays"], 4);
}
