//! What people and programs see of a run.

use super::TEXT;
use crate::{
    args::{Command, DoctorArgs, GatewayArgs, MetricsAt, PlanArgs, ValidateArgs},
    exit::Exit,
    output::About,
    testing::{Answer, Desk, FakeGateway, command, good, step_of},
};
use serde_json::{Value, json};

#[tokio::test]
async fn hostile_text_is_inert_in_the_page() {
    let evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\u{1b}[31m";
    let gateway = FakeGateway::start(move |spec, _| match step_of(spec).as_str() {
        "score_quality" => Answer::json(&json!({"relevance": 1, "quality": 1, "reason": evil})),
        _ => good(spec),
    })
    .await;
    let desk = Desk::new(&gateway.url);
    let line = json!({"id": evil, "title": evil, "text": format!("{evil} Ada Lovelace")});
    desk.article("a.jsonl", line.to_string());
    desk.article("b.jsonl", json!({"id": evil}).to_string());
    let went = desk.run().await;
    assert!(
        !went.html.contains("<script") && !went.html.contains("<img"),
        "{}",
        went.html
    );
    assert!(went.html.contains("&lt;script&gt;"));
    assert!(
        went.html
            .contains("default-src 'none'; style-src 'unsafe-inline'")
    );
    assert!(
        !went.out.contains('\u{1b}'),
        "nothing from outside steers the terminal"
    );
    for loader in ["<link", "url(", "@import", "<iframe", " src=\"", " href=\""] {
        assert!(!went.html.contains(loader), "nothing is fetched: {loader}");
    }
}

#[tokio::test]
async fn a_pipe_gets_plain_text_and_a_terminal_gets_colours() {
    for colors in [false, true] {
        let gateway = FakeGateway::start(|spec, _| good(spec)).await;
        let mut desk = Desk::new(&gateway.url);
        desk.about = About {
            out_is_terminal: true,
            err_is_terminal: false,
            colors,
        };
        desk.article("a.txt", TEXT);
        let went = desk.run().await;
        assert_eq!(went.out.contains('\u{1b}'), colors, "{}", went.out);
        assert!(!went.err.contains('\u{1b}'));
        for part in [
            "extract_entities",
            "SHARE",
            "cheap",
            "strong",
            "ARTICLES  100% succeeded",
        ] {
            assert!(went.out.contains(part), "{part}: {}", went.out);
        }
    }
}

#[tokio::test]
async fn with_json_standard_output_is_one_line() {
    let gateway = FakeGateway::start(|spec, _| good(spec)).await;
    let mut desk = Desk::new(&gateway.url);
    desk.show.json = true;
    desk.article("a.txt", TEXT);
    let went = desk.run().await;
    assert_eq!(went.out.lines().count(), 1);
    let line: Value = serde_json::from_str(&went.out).unwrap();
    assert_eq!(line["run"]["status"], "ok");
    assert_eq!(line["totals"]["articles"]["ok"], 1);
    assert!(went.err.contains("STEP"));
}

#[tokio::test]
async fn the_metrics_are_written_to_a_file_at_the_end() {
    let gateway = FakeGateway::start(|spec, _| good(spec)).await;
    let mut desk = Desk::new(&gateway.url);
    let path = desk.path().join("chain.prom");
    desk.args.metrics.metrics_textfile = Some(path.clone());
    desk.args.metrics.metrics_addr = Some(MetricsAt::Nowhere);
    desk.article("a.txt", TEXT);
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("chain.prom");
    desk.args.metrics.metrics_textfile = Some(kept.clone());
    desk.run().await;
    let text = std::fs::read_to_string(kept).unwrap();
    for line in [
        "chain_client_runs_total{chain=\"content-analysis\",outcome=\"ok\"} 1",
        "chain_client_articles_total{chain=\"content-analysis\",outcome=\"ok\"} 1",
        "chain_client_cost_nano_usd_total{chain=\"content-analysis\",step=\"score_quality\",role=\"primary\"} 1234",
        "grpc_client_handled_total{grpc_method=\"Complete\",grpc_code=\"OK\"} 4",
        "chain_client_articles_inflight{chain=\"content-analysis\"} 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

fn plan_args(desk: &Desk, url: &str) -> PlanArgs {
    let gateway = GatewayArgs {
        gateway: Some(url.to_owned()),
        key_file: desk.args.gateway.key_file.clone(),
        ..GatewayArgs::default()
    };
    let mut args = PlanArgs {
        gateway,
        ..PlanArgs::default()
    };
    args.input.input = desk.args.input.input.clone();
    args
}

#[tokio::test]
async fn a_plan_asks_no_model() {
    let gateway = FakeGateway::start(|spec, _| good(spec)).await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    desk.article("b.txt", "");
    let mut args = plan_args(&desk, &gateway.url);
    let (exit, out, _) = command(Command::Plan(Box::new(plan_args(&desk, &gateway.url)))).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        out.contains("1 articles, 1 not sent") && out.contains("b.txt: empty"),
        "{out}"
    );
    args.json = true;
    let (_, out, _) = command(Command::Plan(Box::new(args))).await;
    let plan: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(plan["cost_low_nano_usd"], 4_000);
    assert_eq!(plan["cost_high_nano_usd"], 20_000);
    assert!(gateway.specs().is_empty());
}

#[tokio::test]
async fn a_plan_says_so_if_the_gateway_does_not_estimate() {
    let gateway = FakeGateway::without_estimates().await;
    let desk = Desk::new(&gateway.url);
    desk.article("a.txt", TEXT);
    let (exit, _, err) = command(Command::Plan(Box::new(plan_args(&desk, &gateway.url)))).await;
    assert_eq!(exit, Exit::Systemic);
    assert!(err.contains("does not serve EstimateCost"), "{err}");
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong() {
    let gateway = FakeGateway::start(|spec, _| good(spec)).await;
    let desk = Desk::new(&gateway.url);
    let ask = |url: &str| {
        let gateway = plan_args(&desk, url).gateway;
        command(Command::Doctor(Box::new(DoctorArgs { gateway })))
    };
    let (exit, out, _) = ask(&gateway.url).await;
    assert_eq!(exit, Exit::Ok, "{out}");
    let (exit, out, _) = ask("http://127.0.0.1:1").await;
    assert_eq!(exit, Exit::Systemic);
    assert!(out.contains("BAD   gateway"), "{out}");
}

#[tokio::test]
async fn validate_checks_prompts_and_configuration() {
    let (exit, out, _) = command(Command::Validate(ValidateArgs::default())).await;
    assert_eq!((exit, out.lines().count()), (Exit::Ok, 4));
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("chain.toml");
    std::fs::write(&config, "[run]\ntime_budget = \"soon\"\ndrain = \"x\"\n").unwrap();
    let args = ValidateArgs {
        config: Some(config),
        ..ValidateArgs::default()
    };
    let (exit, _, err) = command(Command::Validate(args)).await;
    assert_eq!((exit, err.lines().count()), (Exit::Usage, 2), "{err}");
}
