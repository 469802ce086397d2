//! `make soak`: very many calls over two gateways and one Redis, and whether anything is left over.

mod docs;
mod report;
mod watch;

pub use docs::markdown;
pub use report::{Memory, Report, Sample};

use crate::{
    accuracy::site::{Setup, Site},
    bench::{
        load::Load,
        machine::{self, Machine},
        run::simulator,
    },
    harness::Redis,
};
use anyhow::{Context as _, Result, ensure};
use report::Ends;
use std::time::Duration;
use tokio::time::Instant;
use watch::Watch;

/// The gateways.
const REPLICAS: usize = 2;

/// The price of a token in nano-dollars, as the site has it.
const INPUT_NANOS: i64 = 30_000;
const OUTPUT_NANOS: i64 = 60_000;

/// How long holds may take to end after the last answer.
const SETTLES: Duration = Duration::from_secs(30);

/// How much is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The calls.
    pub calls: u64,
    /// How long they may take.
    pub most: Duration,
}

/// Makes the calls, and compares the books.
///
/// # Errors
/// If something can't be started or read, a call failed, or the time is over. What is left over is
/// a problem of the report.
pub async fn run(plan: Plan, say: impl Fn(&str) -> Result<()>) -> Result<Report> {
    let machine = Machine::look()?;
    let dir = tempfile::tempdir()?;
    let simulator = simulator(&dir.path().join("simulator.port"))?;
    let redis = Redis::start();
    let site = Site::start(&setup(simulator.url()), &redis, REPLICAS).await?;
    let gateways: Vec<_> = site.gateways.iter().flatten().collect();
    let processes: Vec<u32> = gateways.iter().map(|gateway| gateway.id()).collect();
    let urls: Vec<_> = gateways
        .iter()
        .map(|gateway| format!("http://{}", gateway.grpc))
        .collect();
    let load = Load::connect(&urls, site.key()).await?;
    let watch = Watch::start(redis.url());
    let started = Instant::now();
    let mut samples = vec![sample(0, started, &processes, &redis)?];
    // In hundredths, so that there are figures at each of them.
    for part in 1..=100 {
        let done = samples.last().map_or(0, |last| last.calls);
        let left = plan.most.saturating_sub(started.elapsed());
        let answers = load.calls(plan.calls * part / 100 - done, left).await?;
        let first = answers.first_error.unwrap_or_default();
        ensure!(
            answers.errors == 0,
            "{} calls failed: {first}",
            answers.errors
        );
        let done = done + answers.answered;
        samples.push(sample(done, started, &processes, &redis)?);
        ensure!(
            done == plan.calls * part / 100,
            "only {done} of {} calls in {:?}",
            plan.calls,
            plan.most
        );
        if part % 10 == 0 {
            let per_second = done as f64 / started.elapsed().as_secs_f64();
            say(&format!("{done} calls, {per_second:.0} a second"))?;
        }
    }
    let took = started.elapsed();
    let spent = site.at_rest(SETTLES).await?;
    let watched = watch.stop().await?;
    let bill = bill(&simulator.url()).await?;
    let lasting_keys = lasting_keys(&redis)?;
    say("stopping the gateways and adding up the ledger")?;
    let ledger = site.close(&redis).await?;
    Ok(Report {
        machine,
        calls: plan.calls,
        took_s: took.as_secs_f64(),
        ends: Ends {
            spent,
            ledger,
            bill,
            lasting_keys,
        },
        watched,
        samples,
    })
}

/// All limits on, and none that is reached.
fn setup(upstream: String) -> Setup {
    Setup {
        upstream,
        input_price: "30",
        limit: 1_000_000_000_000_000,
        team: "limits = { requests_per_minute = 10_000_000, tokens_per_minute = 10_000_000_000, \
               input_tokens_per_minute = 10_000_000_000, \
               output_tokens_per_minute = 10_000_000_000, concurrency = 10_000 }"
            .to_owned(),
        store: "command_timeout = \"2s\"".to_owned(),
        server: Vec::new(),
    }
}

fn sample(calls: u64, started: Instant, processes: &[u32], redis: &Redis) -> Result<Sample> {
    let gateways_mib: Result<Vec<f64>> = processes.iter().map(|id| machine::rss_mib(*id)).collect();
    Ok(Sample {
        calls,
        after_s: started.elapsed().as_secs_f64(),
        gateways_mib: gateways_mib?,
        redis_mib: figure(redis, "memory", "used_memory:")? as f64 / f64::from(1 << 20),
    })
}

/// What the provider would bill for all calls.
async fn bill(simulator: &str) -> Result<i64> {
    tollgate::provider::http::install_tls();
    let stats = reqwest::get(format!("{simulator}/simulator/stats")).await?;
    let stats: serde_json::Value = serde_json::from_slice(&stats.bytes().await?)?;
    let models = stats["models"]
        .as_object()
        .context("no models in the bill")?;
    let tokens = |class: &str| -> i64 {
        let of = models.values().map(|model| &model["tokens"][class]);
        of.filter_map(serde_json::Value::as_i64).sum()
    };
    Ok(tokens("input") * INPUT_NANOS + tokens("output") * OUTPUT_NANOS)
}

/// The keys that don't expire: they must not grow with the calls.
fn lasting_keys(redis: &Redis) -> Result<u64> {
    let info: String = redis.command(&["INFO", "keyspace"]);
    let line = info.lines().find(|line| line.starts_with("db0:"));
    let line = line.context("an empty Redis")?;
    let of = |name: &str| {
        let mut fields = line.trim_start_matches("db0:").split(',');
        let found = fields.find_map(|field| field.strip_prefix(name));
        found.and_then(|text| text.trim().parse::<u64>().ok())
    };
    let keys = of("keys=").context("no count of keys")?;
    Ok(keys.saturating_sub(of("expires=").unwrap_or(0)))
}

fn figure(redis: &Redis, section: &str, name: &str) -> Result<u64> {
    let info: String = redis.command(&["INFO", section]);
    let found = info.lines().find_map(|line| line.strip_prefix(name));
    let text = found.with_context(|| format!("INFO has no {name}"))?;
    Ok(text.trim().parse()?)
}
