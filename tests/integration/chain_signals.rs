//! chain-client as its users stop it, and as Prometheus sees it end: real processes, real signals.

use crate::catalogue::{documented, promtool_accepts};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tollgate_tests::{
    harness::{Gateway, Signal, program, scrape::Scrape, signal, simulator},
    simulator::Simulator,
};

/// What a run without trouble leaves at 0.
const QUIET: [&str; 4] = [
    "chain_client_articles_inflight",
    "chain_client_attempt_errors_total",
    "chain_client_backoff_seconds",
    "chain_client_cost_avoided_nano_usd_total",
];

/// Longer than anything here takes, for what never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run in a process of its own.
struct Run {
    child: Child,
    /// What it says on standard error, line by line.
    said: Receiver<String>,
    out: TempDir,
}

impl Run {
    fn start(gateway: &Gateway, more: &[&str]) -> Self {
        let out = TempDir::new().expect("a directory");
        let articles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/articles");
        let mut child = Command::new(program("chain-client"))
            .arg("run")
            .arg(articles)
            .args(["--gateway", &gateway.url(), "--out"])
            .arg(out.path())
            .args(more)
            .env("TOLLGATE_API_KEY", gateway.key("news"))
            .env("NO_COLOR", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (tell, said) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, said, out }
    }

    fn signal(&self, sent: Signal) {
        signal(self.child.id(), sent);
    }

    /// Waits for a line with this in it.
    fn says(&self, words: &str) -> String {
        let ends = Instant::now() + PATIENCE;
        let mut lines = Vec::new();
        while let Ok(line) = self.said.recv_timeout(ends - Instant::now()) {
            if line.contains(words) {
                return line;
            }
            lines.push(line);
        }
        panic!("it did not say {words:?}, but {lines:#?}");
    }

    /// Waits for its end: its exit code and its report.
    fn end(mut self) -> (Option<i32>, Value) {
        let ends = Instant::now() + PATIENCE;
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status.code();
            }
            assert!(Instant::now() < ends, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let text = fs::read_to_string(self.out.path().join("report.json")).expect("it is written");
        (code, serde_json::from_str(&text).expect("JSON"))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gateway whose provider takes its time, and a run in the middle of its first articles.
async fn slow_run(more: &[&str]) -> (Simulator, Gateway, Run) {
    let simulator = simulator(500).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let run = Run::start(&gateway, more);
    let began = async {
        while simulator.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, began)
        .await
        .expect("it asks");
    (simulator, gateway, run)
}

fn count(report: &Value, what: &str) -> u64 {
    let path = format!("/totals/articles/{what}");
    let counted = report.pointer(&path).and_then(Value::as_u64);
    counted.unwrap_or_else(|| panic!("{what} in {report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_lets_what_is_in_flight_finish_and_starts_nothing_else() {
    let (_simulator, gateway, run) = slow_run(&["-j", "2", "--metrics-addr", "none"]).await;
    run.signal(Signal::INT);
    run.says("letting articles finish");
    let (code, report) = run.end();
    assert_eq!(code, Some(130));
    assert_eq!(report["run"]["status"], "interrupted");
    assert_eq!((count(&report, "planned"), count(&report, "ok")), (8, 2));
    assert_eq!(count(&report, "not_started"), 6);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_cancels_what_is_in_flight_and_still_reports() {
    let (_simulator, gateway, run) = slow_run(&["-j", "2", "--metrics-addr", "none"]).await;
    run.signal(Signal::INT);
    run.says("letting articles finish");
    run.signal(Signal::INT);
    let (code, report) = run.end();
    assert_eq!(code, Some(130));
    assert_eq!(count(&report, "ok"), 0);
    assert_eq!(count(&report, "not_started"), 6);
    // What was cancelled is settled all the same: nothing is held for it any more.
    gateway.caller("news").settled_spend().await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains_within_its_time_and_has_its_own_code() {
    let more = &["-j", "2", "--drain", "0s", "--metrics-addr", "none"];
    let (_simulator, gateway, run) = slow_run(more).await;
    run.signal(Signal::TERM);
    let (code, report) = run.end();
    assert_eq!(code, Some(143));
    assert_eq!(count(&report, "ok"), 0, "there was no time to finish");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_finished_run_are_served_for_two_more_scrapes() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let more = &["--metrics-addr", "127.0.0.1:0", "--metrics-linger", "10m"];
    let mut run = Run::start(&gateway, more);
    let line = run.says("for two more scrapes");
    let address = line
        .split_whitespace()
        .find(|word| word.starts_with("127.0.0.1:"))
        .expect("an address");
    let url = format!("http://{address}/metrics");
    let scrape = Scrape::of(&url).await;
    let ended = scrape.sum("chain_client_runs_total", &["outcome=\"ok\""]);
    assert_eq!(ended.to_string(), "1");
    assert!(run.child.try_wait().expect("a child").is_none());
    Scrape::of(&url).await;
    let (code, _) = run.end();
    assert_eq!(code, Some(0));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_wait_for_scrapes() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let more = &["--metrics-addr", "127.0.0.1:0", "--metrics-linger", "10m"];
    let run = Run::start(&gateway, more);
    run.says("for two more scrapes");
    run.signal(Signal::INT);
    let (code, _) = run.end();
    assert_eq!(code, Some(0), "the run itself was over");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_feeds_every_metric_that_is_documented_and_no_other() {
    let simulator = simulator(0).await;
    let gateway = Gateway::start(&simulator.base_url(), &[("news", "")]).await;
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("chain.prom");
    let path = file.to_str().expect("a plain path");
    let run = Run::start(
        &gateway,
        &["--metrics-textfile", path, "--time-budget", "10m"],
    );
    let (code, _) = run.end();
    assert_eq!(code, Some(0));
    let text = fs::read_to_string(&file).expect("it is written");
    promtool_accepts(&text);
    let told: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    assert_eq!(told, documented("chain-client"));
    let scrape = Scrape::parse(&text);
    let quiet = told.iter().filter_map(|(name, kind)| {
        let count = format!("{name}_count");
        let sample = if kind == "histogram" { &count } else { name };
        (scrape.sum(sample, &[]) == 0.0).then_some(&**name)
    });
    assert_eq!(quiet.collect::<Vec<_>>(), QUIET);
    gateway.stop().await;
}
