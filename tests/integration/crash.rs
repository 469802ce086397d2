//! Crashes: a gateway process is killed at random points, and no spend is ever lost.

use crate::money::ledger_spend;
use futures_util::future::join_all;
use std::{fs, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tollgate_proto::v1;
use tollgate_tests::{
    harness::{Caller, Credentials, GatewayProcess, Settings, program, spec},
    simulator::{Options, Simulator},
};

struct Site {
    simulator: Simulator,
    credentials: Credentials,
    dir: TempDir,
    config: PathBuf,
}

impl Site {
    async fn new(latency_ms: u64, bounds: &str) -> Self {
        let options = Options {
            latency: Duration::from_millis(latency_ms),
            jitter: Duration::from_millis(latency_ms),
            ..Options::default()
        };
        let simulator = Simulator::start(options).await.expect("it starts");
        let dir = TempDir::new().expect("a directory");
        let credentials = Credentials::new(&["news"]);
        let settings = Settings::new(&simulator.base_url(), dir.path()).team("news", bounds);
        let config = dir.path().join("tollgate.toml");
        fs::write(&config, settings.text()).expect("it is written");
        Self {
            simulator,
            credentials,
            dir,
            config,
        }
    }

    fn start(&self) -> GatewayProcess {
        GatewayProcess::start(&self.config, &self.credentials)
    }

    /// What the provider billed so far, in nano-dollars.
    fn billed(&self) -> i64 {
        let stats = self.simulator.stats();
        let price = |model: &str, input: i64, output: i64| {
            let tokens = stats.model(model).tokens;
            tokens.input * input + tokens.output * output
        };
        price("gpt-4", 30_000, 60_000) + price("gpt-3.5-turbo", 500, 1_500)
    }
}

const PROMPT: &str = "What is new in town?";

/// Calls until the gateway is gone. Returns the cost of the answers that arrived.
async fn call_until_gone(caller: Caller) -> i64 {
    let mut cost = 0;
    loop {
        match caller.complete(spec("strong", PROMPT)).await {
            Ok(answer) => cost += answer.receipt.expect("a receipt").cost_nano_usd,
            Err(refused) if refused.reason.is_empty() => return cost,
            Err(refused) => panic!("{:?}", refused.status),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_points_it_never_loses_spend() {
    let site = Site::new(10, "").await;
    let mut answered = 0;
    let (lives, callers) = (6, 8);
    for _ in 0..lives {
        let gateway = site.start();
        let caller = gateway.caller(&site.credentials, "news").await;
        let calls = (0..callers).map(|_| tokio::spawn(call_until_gone(caller.clone())));
        let calls = join_all(calls);
        let life = Duration::from_millis(fastrand::u64(20..400));
        let killer = async {
            tokio::time::sleep(life).await;
            gateway.kill();
        };
        let (costs, ()) = tokio::join!(calls, killer);
        answered += costs
            .into_iter()
            .map(|cost| cost.expect("no panic"))
            .sum::<i64>();
    }
    let gateway = site.start();
    let caller = gateway.caller(&site.credentials, "news").await;
    let spent = caller.settled_spend().await;
    assert!(answered > 0, "some calls were answered");
    assert!(
        spent >= answered,
        "what receipts said was charged is charged: {spent} < {answered}"
    );
    assert!(
        spent >= site.billed(),
        "and what the provider billed: {spent} < {}",
        site.billed()
    );
    // Each caller had one call in flight when a gateway was killed: only these may be charged their
    // holds, whether their answers were lost or never came.
    let request = caller.request(v1::EstimateCostRequest {
        spec: Some(spec("strong", PROMPT)),
    });
    let estimated = caller.completions().estimate_cost(request).await;
    let hold = estimated.expect("an answer").into_inner().hold_nano_usd;
    let most = answered + lives * callers * hold;
    assert!(
        spent <= most,
        "what was answered is not charged twice, nor as expired: {spent} > {most}"
    );
    assert!(gateway.terminate().success());
    assert_eq!(
        ledger_spend(site.dir.path(), "news"),
        spent,
        "the ledger is the truth"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_budget_holds_over_crashes() {
    let site = Site::new(10, "budgets = [{ per = \"day\", amount = \"0.05\" }]").await;
    for _ in 0..5 {
        let gateway = site.start();
        let caller = gateway.caller(&site.credentials, "news").await;
        let calls = join_all((0..20).map(|_| {
            let caller = caller.within(Duration::from_secs(3));
            async move { caller.complete(spec("strong", "Hello")).await.is_ok() }
        }));
        let killer = async {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(10..120))).await;
            gateway.kill();
        };
        let _ = tokio::join!(calls, killer);
    }
    let gateway = site.start();
    let caller = gateway.caller(&site.credentials, "news").await;
    let spent = caller.settled_spend().await;
    assert!(spent <= 50_000_000, "{spent} nano-dollars of 50,000,000");
    assert!(site.billed() <= spent);
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_last_line_is_mended() {
    let site = Site::new(0, "").await;
    let gateway = site.start();
    let caller = gateway.caller(&site.credentials, "news").await;
    caller
        .complete(spec("strong", "Hello"))
        .await
        .expect("an answer");
    let spent = caller.settled_spend().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    gateway.kill();
    let ledger = site.dir.path().join("ledger");
    let segments = fs::read_dir(&ledger)
        .expect("there")
        .map(|entry| entry.expect("there").path());
    let mut segments: Vec<_> = segments
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    segments.sort();
    let last = segments.pop().expect("there is one");
    let mut text = fs::read_to_string(&last).expect("text");
    text.push_str("{\"at_ms\":17640000000,\"kind\":\"sett");
    fs::write(&last, text).expect("it is written");
    let gateway = site.start();
    let caller = gateway.caller(&site.credentials, "news").await;
    assert_eq!(caller.settled_spend().await, spent);
    assert!(gateway.terminate().success());
    assert_eq!(ledger_spend(site.dir.path(), "news"), spent);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_calls_end_settles_all_and_exits_with_zero() {
    let site = Site::new(150, "").await;
    let gateway = site.start();
    let caller = gateway.caller(&site.credentials, "news").await;
    let calls = (0..16).map(|_| {
        let caller = caller.clone();
        tokio::spawn(async move { caller.complete(spec("strong", "Hello")).await })
    });
    let calls: Vec<_> = calls.collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ended = tokio::task::spawn_blocking(move || gateway.terminate());
    let mut cost = 0;
    for call in calls {
        let answer = call
            .await
            .expect("no panic")
            .expect("a call that runs is let to its end");
        cost += answer.receipt.expect("a receipt").cost_nano_usd;
    }
    assert!(ended.await.expect("no panic").success());
    assert_eq!(ledger_spend(site.dir.path(), "news"), cost);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_cannot_share_one_ledger() {
    let site = Site::new(0, "").await;
    let first = site.start();
    let second = std::process::Command::new(program("tollgate"))
        .args(["serve", "--config"])
        .arg(&site.config)
        .envs(site.credentials.variables())
        .output()
        .expect("it runs");
    assert_eq!(second.status.code(), Some(2));
    assert!(!second.stderr.is_empty(), "it says why");
    drop(first);
}

#[test]
fn a_bad_configuration_is_told_as_a_whole_and_nothing_is_bound() {
    let dir = TempDir::new().expect("a directory");
    let config = dir.path().join("tollgate.toml");
    let text = r#"
[server]
listen = "127.0.0.1:0"
colour = "blue"
[models.mystery]
context_tokens = 8192
max_output_tokens = 4096
deployments = [{ provider = "nobody", name = "m" }]
[routes.cheap]
targets = ["unheard-of"]
attempt_timeout = "5 parsecs"
[teams.news]
routes = ["cheap"]
[teams.news]
routes = ["cheap"]
"#;
    fs::write(&config, text).expect("it is written");
    for arguments in [vec!["check"], vec!["serve", "--config"]] {
        let ran = std::process::Command::new(program("tollgate"))
            .args(arguments)
            .arg(&config)
            .output()
            .expect("it runs");
        assert_eq!(ran.status.code(), Some(2));
        let told = String::from_utf8(ran.stderr).expect("text");
        for part in [
            "colour",
            "mystery",
            "price",
            "unheard-of",
            "5 parsecs",
            "teams.news",
            "nobody",
        ] {
            assert!(told.contains(part), "{part} is not in:\n{told}");
        }
    }
}
