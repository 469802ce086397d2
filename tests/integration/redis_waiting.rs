//! Ten thousand callers wait for one limit, and Redis hears of hardly any of them.

use std::{fs, path::PathBuf};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tollgate_tests::{
    harness::{Credentials, GatewayProcess, Redis, Settings, scrape::Scrape, simulator, spec},
    simulator::Simulator,
};

const TEAM: &str = "crowd";
const CALLERS: usize = 10_000;
const GATEWAYS: usize = 2;
/// Connections to each gateway, which takes 256 calls on one.
const CONNECTIONS: usize = 25;
/// What all those who wait may cost, background work of the gateways included.
const MOST_A_SECOND: u64 = 100;

/// The configuration of one of the gateways: one call a minute, and patient callers.
fn config(simulator: &Simulator, dir: &TempDir, number: usize) -> PathBuf {
    let home = dir.path().join(number.to_string());
    fs::create_dir(&home).expect("it is made");
    let settings = Settings::new(&simulator.base_url(), &home)
        .ledger(&dir.path().join("ledger"))
        .server("max_wait = \"5m\"")
        .server("max_in_flight = 20_000")
        .section(
            "[store]\nkind = \"redis\"\nurl_env = \"TEST_REDIS_URL\"\ncommand_timeout = \"2s\"",
        )
        .team(TEAM, "limits = { requests_per_minute = 1 }");
    let path = home.join("tollgate.toml");
    fs::write(&path, settings.text()).expect("it is written");
    path
}

/// How many calls wait at all gateways.
async fn waiting(gateways: &[GatewayProcess]) -> f64 {
    let mut sum = 0.0;
    for gateway in gateways {
        let url = format!("http://{}/metrics", gateway.metrics);
        sum += Scrape::of(&url)
            .await
            .sum("tollgate_inflight_requests", &[]);
    }
    sum
}

/// Commands that Redis has run, those within scripts included, and its time in milliseconds.
fn commands(redis: &Redis) -> (u64, u64) {
    let stats: String = redis.command(&["INFO", "stats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix("total_commands_processed:"));
    let count = line.expect("a count").trim().parse().expect("a number");
    let (seconds, micros): (u64, u64) = redis.command(&["TIME"]);
    (count, seconds * 1_000 + micros / 1_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_who_wait_cost_redis_less_than_a_hundred_calls_a_second() {
    let simulator = simulator(0).await;
    let redis = Redis::start();
    let dir = TempDir::new().expect("a directory");
    let credentials = Credentials::new(&[TEAM]);
    let mut variables: Vec<_> = credentials.variables().clone().into_iter().collect();
    variables.push(("TEST_REDIS_URL".to_owned(), redis.url()));
    let gateways: Vec<_> = (0..GATEWAYS)
        .map(|number| config(&simulator, &dir, number))
        .map(|path| GatewayProcess::start_with(&path, &variables).expect("it starts"))
        .collect();
    let mut callers = Vec::new();
    for gateway in &gateways {
        for _ in 0..CONNECTIONS {
            let caller = gateway.caller(&credentials, TEAM).await;
            callers.push(caller.within(std::time::Duration::from_secs(290)));
        }
    }
    // The one call of this minute.
    let first = callers[0].complete(spec("cheap", "Hello")).await;
    first.expect("an answer");
    let mut calls = JoinSet::new();
    for caller in callers.iter().cycle().take(CALLERS) {
        let caller = caller.clone();
        calls.spawn(async move { caller.complete(spec("cheap", "Hello")).await });
    }
    let all = CALLERS.to_string();
    while waiting(&gateways).await.to_string() != all {
        assert!(calls.try_join_next().is_none(), "nobody is answered yet");
        tokio::task::yield_now().await;
    }
    let (before, from) = commands(&redis);
    let (after, to) = loop {
        let (count, now) = commands(&redis);
        if now - from >= 5_000 {
            break (count, now);
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    };
    assert_eq!(waiting(&gateways).await.to_string(), all, "they still wait");
    let (count, millis) = (after - before, to - from);
    assert!(
        count * 1_000 < MOST_A_SECOND * millis,
        "{count} commands in {millis} ms"
    );
}
