//! chain-client through a real gateway: what it reports is what the ledger says.

use crate::money::ledger_spend;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;
use tollgate_tests::{
    harness::{Gateway, program, scrape::Scrape, simulator},
    simulator::{Action, Fault, Refused, RetryAfter},
};

/// Runs chain-client over `input`; the report goes to `out`.
fn run(gateway: &Gateway, input: &Path, out: &Path, more: &[&str]) -> Output {
    Command::new(program("chain-client"))
        .arg("run")
        .arg(input)
        .args([
            "--gateway",
            &gateway.url(),
            "--metrics-addr",
            "none",
            "--out",
        ])
        .arg(out)
        .args(more)
        .env("TOLLGATE_API_KEY", gateway.key("news"))
        .env("NO_COLOR", "1")
        .output()
        .expect("it runs")
}

async fn run_off_thread(
    gateway: Gateway,
    input: &Path,
    out: &Path,
    more: &'static [&str],
) -> (Gateway, Output) {
    let (input, out) = (input.to_owned(), out.to_owned());
    let running = move || {
        let output = run(&gateway, &input, &out, more);
        (gateway, output)
    };
    tokio::task::spawn_blocking(running)
        .await
        .expect("no panic")
}

pub(crate) fn report(out: &Path) -> Value {
    let text = fs::read_to_string(out.join("report.json")).expect("it is written");
    serde_json::from_str(&text).expect("JSON")
}

pub(crate) fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/articles")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_the_ledger_and_the_metrics_agree_to_the_nano_dollar() {
    let simulator = simulator(0).await;
    let throttle = Action::Refuse(Refused::TooManyRequests, RetryAfter::Seconds(1));
    simulator.push_fault(Fault::first(1, throttle).for_model("gpt-3.5-turbo"));
    simulator.push_fault(Fault::first(2, Action::Close).for_model("gpt-4"));
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let out = TempDir::new().expect("a directory");
    let (gateway, ran) = run_off_thread(gateway, &examples(), out.path(), &[]).await;
    let told =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{told}");
    let report = report(out.path());
    let cost = report
        .pointer("/totals/cost_nano_usd")
        .and_then(Value::as_i64)
        .expect("a cost");
    let steps = report["steps"].as_array().expect("steps");
    let by_step: i64 = steps
        .iter()
        .map(|step| step["cost_nano_usd"].as_i64().expect("a cost"))
        .sum();
    let articles = report["articles"].as_array().expect("articles");
    let by_article: i64 = articles
        .iter()
        .map(|a| a["cost_nano_usd"].as_i64().expect("a cost"))
        .sum();
    assert_eq!((by_step, by_article), (cost, cost));
    assert!(
        articles
            .iter()
            .all(|article| article["steps"].as_object().is_some_and(|s| s.len() == 4))
    );
    gateway.caller("news").settled_spend().await;
    let scrape = Scrape::of(&gateway.metrics_url()).await;
    assert_eq!(
        scrape.sum("tollgate_cost_nano_usd_total", &[]).to_string(),
        cost.to_string()
    );
    let dir = gateway.stop().await;
    assert_eq!(ledger_spend(dir.path(), "news"), cost);
    let page = fs::read_to_string(out.path().join("report.html")).expect("it is written");
    assert!(!page.contains("<script") && !page.contains("http-equiv=\"refresh\""));
    let results = fs::read_to_string(out.path().join("results.jsonl")).expect("it is written");
    assert_eq!(results.lines().count(), articles.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_articles_are_named_and_the_others_go_on() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let input = TempDir::new().expect("a directory");
    let good = "The Larks won the final in Leeds on 12 March 2024. Mara Vell scored twice. The crowd sang.";
    fs::write(input.path().join("good.txt"), good).expect("written");
    fs::write(input.path().join("empty.txt"), "").expect("written");
    fs::write(
        input.path().join("binary.txt"),
        [0u8, 159, 146, 150, 0, 1, 2],
    )
    .expect("written");
    fs::write(input.path().join("latin.txt"), b"caf\xe9 na\xefve").expect("written");
    fs::write(input.path().join("huge.txt"), "word ".repeat(400_000)).expect("written");
    let out = TempDir::new().expect("a directory");
    let (gateway, ran) = run_off_thread(gateway, input.path(), out.path(), &[]).await;
    assert_eq!(ran.status.code(), Some(1), "finished, and some failed");
    let report = report(out.path());
    let status = |name: &str| {
        let articles = report["articles"].as_array().expect("articles");
        let found = articles.iter().find(|article| article["id"] == name);
        found.unwrap_or_else(|| panic!("{name} is in the report"))["status"].clone()
    };
    assert_eq!(status("good.txt"), "ok");
    for bad in ["empty.txt", "binary.txt", "latin.txt", "huge.txt"] {
        assert_eq!(status(bad), "rejected", "{bad}");
    }
    let asked = simulator.requests().len();
    assert_eq!(
        asked, 4,
        "only the good article costs calls, one for each step"
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_budget_stops_and_still_reports() {
    let simulator = simulator(400).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let out = TempDir::new().expect("a directory");
    let more = &["--time-budget", "2s", "-j", "1"];
    let (gateway, ran) = run_off_thread(gateway, &examples(), out.path(), more).await;
    assert_eq!(ran.status.code(), Some(3));
    let report = report(out.path());
    let totals = &report["totals"]["articles"];
    assert_eq!(totals["planned"], 8);
    assert!(
        totals["not_started"]
            .as_u64()
            .is_some_and(|count| count >= 4),
        "{totals}"
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_stops_the_run_with_its_own_code() {
    let simulator = simulator(0).await;
    let bounds = "budgets = [{ per = \"day\", amount = \"0.06\" }]";
    let gateway = Gateway::start(&simulator.base_url(), &[("news", bounds)]).await;
    let out = TempDir::new().expect("a directory");
    let (gateway, ran) = run_off_thread(gateway, &examples(), out.path(), &["-j", "2"]).await;
    assert_eq!(
        ran.status.code(),
        Some(4),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(gateway.caller("news").settled_spend().await <= 60_000_000);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_lines_stream_through_in_bounded_memory() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let input = TempDir::new().expect("a directory");
    let path = input.path().join("many.jsonl");
    let text =
        "The Larks won the final in Leeds. Mara Vell scored twice. The crowd sang for an hour.";
    // Nineteen of twenty are rejected before any call, so that the test is about memory, not time.
    let lines: String = (0..10_000)
        .map(|number| {
            let text = if number % 20 == 0 { format!("{text} It was match {number}.") } else { String::new() };
            serde_json::json!({"id": format!("a{number}"), "title": "t", "text": text, "more": "x".repeat(2_000)}).to_string() + "\n"
        })
        .collect();
    fs::write(&path, lines).expect("written");
    let out = TempDir::new().expect("a directory");
    let child = Command::new(program("chain-client"))
        .arg("run")
        .arg(&path)
        .args([
            "--gateway",
            &gateway.url(),
            "--metrics-addr",
            "none",
            "--out",
        ])
        .arg(out.path())
        .env("TOLLGATE_API_KEY", gateway.key("news"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it runs");
    let peak = tokio::task::spawn_blocking(move || peak_kib(child))
        .await
        .expect("no panic");
    assert!(peak > 0, "it was looked at");
    let report = report(out.path());
    assert_eq!(report["totals"]["articles"]["planned"], 10_000);
    assert_eq!(report["totals"]["articles"]["ok"], 500);
    assert!(
        peak < 32 * 1_024,
        "the peak was {peak} KiB for a file of 20 MB, of which nothing stays"
    );
    gateway.stop().await;
}

/// The largest resident set of a process, looked at until it ends.
fn peak_kib(mut child: std::process::Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("a child").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    peak
}
