//! The gateway that is measured: a release process, with everything on that governs a call.

use super::load::Load;
use crate::harness::{Credentials, GatewayProcess, Redis, program};
use anyhow::{Context as _, Result, ensure};
use std::{
    env, fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const TEAM: &str = "bench";

/// A gateway, and how soon it answered its first call.
pub(super) struct Started {
    pub(super) process: GatewayProcess,
    pub(super) load: Load,
    pub(super) first_answer: Duration,
}

/// Starts a gateway whose files are in `dir`. Without a Redis its store is in the process.
pub(super) async fn start(simulator: &str, dir: &Path, redis: Option<&Redis>) -> Result<Started> {
    let mut command = Command::new(program("tollgate"));
    command.arg("serve");
    start_as(command, "hash", simulator, dir, redis).await
}

/// Starts the same gateway without anything that tells what it does.
pub(super) async fn start_silent(simulator: &str, dir: &Path) -> Result<Started> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("silent-gateway");
    start_as(command, "off", simulator, dir, None).await
}

async fn start_as(
    mut command: Command,
    bodies: &str,
    simulator: &str,
    dir: &Path,
    redis: Option<&Redis>,
) -> Result<Started> {
    let home = dir.to_str().context("a path that is text")?;
    let credentials = Credentials::new(&[TEAM]);
    let config = CONFIG
        .replace("SIMULATOR_URL", simulator)
        .replace("DATA_DIR", home)
        .replace("KEY_VARIABLE", &Credentials::variable(TEAM))
        .replace("LOG_BODIES", bodies)
        .replace("STORE", redis.map_or("", |_| STORE))
        .replace("MORE_LIMITS", redis.map_or("", |_| MORE_LIMITS));
    let path = dir.join("gateway.toml");
    fs::write(&path, config)?;
    let mut variables: Vec<_> = credentials.variables().clone().into_iter().collect();
    variables.extend(redis.map(|redis| ("BENCH_REDIS_URL".to_owned(), redis.url())));
    let begun = Instant::now();
    command.arg("--config").arg(path);
    let process = GatewayProcess::spawn(command, &variables)?;
    let url = format!("http://{}", process.grpc);
    let load = Load::connect(&[url], credentials.key(TEAM)).await?;
    load.once().await.context("the gateway's first answer")?;
    Ok(Started {
        process,
        load,
        first_answer: begun.elapsed(),
    })
}

impl Started {
    /// Stops it, and compares its ledger with the calls that were answered.
    pub(super) fn stop(self, dir: &Path, answered: u64) -> Result<()> {
        let ended = self.process.terminate();
        ensure!(ended.success(), "the gateway ended with {ended}");
        let report = tollgate::ledger::verify(&dir.join("ledger"))?;
        ensure!(report.is_sound(), "the ledger is not sound");
        let day = report.totals.iter().filter(|total| &*total.budget == "day");
        let spent: i64 = day.map(|total| total.spent_nano_usd).sum();
        let answered = i64::try_from(answered)?;
        ensure!(
            spent > 0 && spent % answered == 0,
            "the ledger has {spent} nano-dollars for {answered} equal calls"
        );
        Ok(())
    }
}

/// The store that several gateways could share. A command may take long: the machine is full.
const STORE: &str = r#"
[store]
kind = "redis"
url_env = "BENCH_REDIS_URL"
command_timeout = "2s"
"#;

/// All the limits that a team can have.
const MORE_LIMITS: &str = ", input_tokens_per_minute = 10_000_000_000, \
                           output_tokens_per_minute = 10_000_000_000";

/// Bounds that are kept and checked, and never reached.
const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"

[telemetry]
log_format = "json"

[ledger]
dir = "DATA_DIR/ledger"

[interactions]
dir = "DATA_DIR/interactions"

STORE
[providers.openai]
kind = "openai"
base_url = "SIMULATOR_URL/v1"
api_key_env = "SIMULATED_PROVIDER_KEY"

[models.gpt-4]
deployments = [{ provider = "openai", name = "gpt-4" }]

[models."gpt-3.5-turbo"]
deployments = [{ provider = "openai", name = "gpt-3.5-turbo" }]

[routes.cheap]
targets = ["gpt-3.5-turbo", "gpt-4"]
attempt_timeout = "20s"

[teams.bench]
keys = [{ id = "bench", hmac_env = "KEY_VARIABLE" }]
routes = ["cheap"]
pipelines = ["bench"]
limits = { requests_per_minute = 10_000_000, tokens_per_minute = 10_000_000_000, concurrency = 10_000MORE_LIMITS }
budgets = [{ per = "day", amount = "1000000" }, { per = "month", amount = "1000000" }]
log_bodies = "LOG_BODIES"
"#;
