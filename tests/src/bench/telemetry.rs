//! What telling about calls costs: the gateway beside the same without metrics and logs.

use super::{
    gateway::{self, Started},
    report::{Conditions, Side, table},
    run::{Plan, Subject, in_turn, simulator},
    scrape::{self, Scrapes, client, fetch},
};
use crate::harness::scrape::Scrape;
use anyhow::{Result, ensure};
use serde::Serialize;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Telemetry {
    /// Under what.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// The gateway that tells nothing.
    pub off: Side,
    /// The gateway.
    pub on: Side,
    /// What a scrape takes.
    pub scrapes: Scrapes,
}

impl Telemetry {
    /// The calls per second that telemetry costs, as a share of those without.
    #[must_use]
    pub fn cost(&self) -> f64 {
        1.0 - self.on.rate_ratio(&self.off)
    }
}

/// Measures both sides, and scrapes.
///
/// # Errors
/// If something can't be started or read, a call failed, a ledger does not add up, or a side tells
/// what it should not, or not what it should.
pub async fn run_telemetry(plan: Plan, say: impl Fn(&str) -> Result<()>) -> Result<Telemetry> {
    let conditions = Conditions::of(plan)?;
    let dir = tempfile::tempdir()?;
    let simulator = simulator(&dir.path().join("simulator.port"))?;
    let home = |name: &str| -> Result<PathBuf> {
        let home = dir.path().join(name);
        fs::create_dir(&home)?;
        Ok(home)
    };
    let (silent_home, loud_home) = (home("silent")?, home("loud")?);
    say("starting simulator and two gateways on loopback")?;
    let silent = gateway::start_silent(&simulator.url(), &silent_home).await?;
    let loud = gateway::start(&simulator.url(), &loud_home, None).await?;
    let mut off = Subject::new("telemetry off", silent.process.id(), &silent.load);
    let mut on = Subject::new("telemetry on", loud.process.id(), &loud.load);
    off.answered += 1;
    on.answered += 1;
    for number in 1..=plan.rounds {
        say(&format!("round {number} of {}", plan.rounds))?;
        in_turn(number, [&mut off, &mut on], plan, &simulator).await?;
    }
    let (sides, answered) = ((off.side()?, on.side()?), off.answered);
    let told = told(&silent).await?;
    ensure!(told == 0.0, "the silent gateway counts calls: {told}");
    let told = self::told(&loud).await?;
    ensure!(told > 0.0, "the gateway does not count calls");
    silent.stop(&silent_home, answered)?;
    loud.stop(&loud_home, on.answered)?;
    let written = written(&silent_home)?;
    ensure!(
        written == 0,
        "the silent gateway logs interactions: {written} bytes"
    );
    ensure!(
        self::written(&loud_home)? > 0,
        "the gateway does not log interactions"
    );
    say("scraping a gateway with many teams")?;
    let scrapes = scrape::measure(&simulator.url(), &home("many")?).await?;
    Ok(Telemetry {
        conditions,
        off: sides.0,
        on: sides.1,
        scrapes,
    })
}

/// The calls that its metrics tell of.
async fn told(gateway: &Started) -> Result<f64> {
    let url = format!("http://{}/metrics", gateway.process.metrics);
    let text = fetch(&client()?, &url).await?;
    Ok(Scrape::parse(&text).sum("tollgate_requests_total", &[]))
}

/// The bytes of its interaction log.
fn written(home: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(home.join("interactions"))? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

impl fmt::Display for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(
            f,
            [("telemetry off", &self.off), ("telemetry on", &self.on)],
        )?;
        let Scrapes {
            teams,
            models,
            deployments,
            median_ms,
            max_ms,
            cpu_ms,
            series,
            bytes,
            ..
        } = self.scrapes;
        writeln!(
            f,
            "telemetry costs {:.1} % of the calls/s (target below 10 %), {:.2} times the CPU",
            self.cost() * 100.0,
            self.on.cpu_ratio(&self.off)
        )?;
        writeln!(
            f,
            "a scrape of {teams} teams, {models} models, {deployments} deployments: \
             {median_ms:.1} ms, {max_ms:.1} ms at most (target below 20 ms), {cpu_ms:.1} ms of CPU; \
             {series} samples, {bytes} bytes"
        )?;
        write!(
            f,
            "{}; other programs used {:.2} cores meanwhile",
            self.conditions.machine,
            self.on.cores_elsewhere(&self.off)
        )
    }
}
