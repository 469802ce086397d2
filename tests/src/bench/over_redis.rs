//! The run over Redis: the gateway beside a pass-through that runs the same two scripts.

use super::{
    cost::{Costs, Meter},
    frames::{FLOOR_TAG, GATEWAY_TAG, Watch},
    gateway,
    load::Load,
    report::{Conditions, OverRedis},
    run::{Plan, Subject, in_turn, pass_through, simulator},
};
use crate::harness::Redis;
use anyhow::{Context as _, Result, ensure};
use std::{fs, time::Duration};
use tokio::time::Instant;

/// How long the ledger may take to have all.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures both sides, and what the scripts cost Redis.
///
/// # Errors
/// If something can't be started or read, a call failed, or the ledger does not add up.
pub async fn run_over_redis(plan: Plan, say: impl Fn(&str) -> Result<()>) -> Result<OverRedis> {
    let conditions = Conditions::of(plan)?;
    let dir = tempfile::tempdir()?;
    let simulator = simulator(&dir.path().join("simulator.port"))?;
    let redis = Redis::start();
    let home = dir.path().join("gateway");
    fs::create_dir(&home)?;
    say("starting Redis, simulator, gateway and pass-through on loopback")?;
    let started = gateway::start(&simulator.url(), &home, Some(&redis)).await?;
    let mut ours = Subject::new("gateway", started.process.id(), &started.load);
    // The first call also teaches Redis the scripts; the second one is watched.
    let address = redis.url();
    let watch = Watch::start(address.trim_start_matches("redis://"))?;
    started.load.once().await?;
    ours.answered += 2;
    let frames = watch.frames()?;
    // The pass-through has a team of its own that looks the same.
    let account = |tag: &str| format!("tollgate:1:{tag}:a");
    let copied: i64 = redis.command(&["COPY", &account(GATEWAY_TAG), &account(FLOOR_TAG)]);
    ensure!(copied == 1, "the gateway's team has no account in Redis");
    let file = dir.path().join("frames.json");
    fs::write(&file, serde_json::to_vec(&frames)?)?;
    let port_file = dir.path().join("pass-through.port");
    let floor = pass_through(&simulator.url(), &port_file, Some((&redis, &file)))?;
    let theirs = Load::connect(&[floor.url()], "none").await?;
    let mut theirs = Subject::new("pass-through", floor.id(), &theirs);
    let mut meter = Meter::full(&redis.url(), &frames).await?;
    let mut costs = Vec::new();
    for number in 1..=plan.rounds {
        say(&format!("round {number} of {}", plan.rounds))?;
        let both = [&mut theirs, &mut ours];
        in_turn(number, both, plan, &simulator).await?;
        // Nobody drains the pass-through's outbox.
        redis.command::<i64>(&["DEL", &outbox(FLOOR_TAG)]);
        costs.push(meter.round().await?);
    }
    let report = OverRedis {
        conditions,
        pass_through: theirs.side()?,
        gateway: ours.side()?,
        costs: Costs::median(&costs),
        redis_version: version(&redis)?,
    };
    drained(&redis).await?;
    started.stop(&home, ours.answered)?;
    Ok(report)
}

fn outbox(tag: &str) -> String {
    format!("tollgate:1:{tag}:o")
}

async fn drained(redis: &Redis) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while redis.command::<u64>(&["XLEN", &outbox(GATEWAY_TAG)]) > 0 {
        ensure!(Instant::now() < until, "the outbox is never drained");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn version(redis: &Redis) -> Result<String> {
    let info: String = redis.command(&["INFO", "server"]);
    let found = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"));
    Ok(found.context("no version")?.trim().to_owned())
}
