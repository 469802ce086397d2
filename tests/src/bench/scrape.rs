//! What a scrape takes of a gateway with many teams, models and deployments.

use super::{machine, report::median};
use crate::harness::{Credentials, GatewayProcess, scrape::Scrape};
use anyhow::{Result, ensure};
use reqwest::Client;
use serde::Serialize;
use std::{fmt::Write as _, fs, path::Path, time::Instant};

const TEAMS: usize = 50;
const MODELS: usize = 30;
const DEPLOYMENTS: usize = 20;
/// Each route has so many models, one after the other.
const MODELS_OF_A_ROUTE: usize = 3;

/// How often it is scraped, after a first time that is not counted.
const SCRAPES: usize = 50;

/// What scrapes took, over loopback and on a connection of their own, as Prometheus does it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Scrapes {
    /// The teams that are configured.
    pub teams: usize,
    /// The models.
    pub models: usize,
    /// The deployments.
    pub deployments: usize,
    /// How many there were.
    pub scrapes: usize,
    /// Half of them took at most this.
    pub median_ms: f64,
    /// None took longer.
    pub max_ms: f64,
    /// Processor time of the gateway for one, on average.
    pub cpu_ms: f64,
    /// The samples of one.
    pub series: usize,
    /// The length of one.
    pub bytes: usize,
}

/// Starts a gateway and scrapes it.
pub(super) async fn measure(simulator: &str, dir: &Path) -> Result<Scrapes> {
    let teams: Vec<String> = (1..=TEAMS).map(|number| format!("team-{number}")).collect();
    let names: Vec<&str> = teams.iter().map(String::as_str).collect();
    let credentials = Credentials::new(&names);
    let path = dir.join("gateway.toml");
    fs::write(&path, config(simulator, dir, &names)?)?;
    let gateway = GatewayProcess::start(&path, &credentials);
    let url = format!("http://{}/metrics", gateway.metrics);
    let client = client()?;
    let mut text = fetch(&client, &url).await?;
    let mut times = Vec::new();
    let before = machine::cpu_us(gateway.id())?;
    for _ in 0..SCRAPES {
        let begun = Instant::now();
        text = fetch(&client, &url).await?;
        times.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    let used = machine::cpu_us(gateway.id())?.saturating_sub(before);
    let ended = gateway.terminate();
    ensure!(ended.success(), "the gateway ended with {ended}");
    Ok(Scrapes {
        teams: TEAMS,
        models: MODELS,
        deployments: DEPLOYMENTS,
        scrapes: times.len(),
        max_ms: times.iter().copied().fold(0.0, f64::max),
        median_ms: median(times),
        cpu_ms: used as f64 / 1_000.0 / SCRAPES as f64,
        series: Scrape::parse(&text).len(),
        bytes: text.len(),
    })
}

pub(super) fn client() -> Result<Client> {
    tollgate::provider::http::install_tls();
    Ok(Client::builder().no_proxy().build()?)
}

pub(super) async fn fetch(client: &Client, url: &str) -> Result<String> {
    let response = client.get(url).send().await?.error_for_status()?;
    Ok(response.text().await?)
}

fn config(simulator: &str, dir: &Path, teams: &[&str]) -> Result<String> {
    let home = dir.display();
    let mut text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"

[telemetry]
log_format = "json"

[ledger]
dir = "{home}/ledger"

[interactions]
dir = "{home}/interactions"

[providers.openai]
kind = "openai"
base_url = "{simulator}/v1"
api_key_env = "SIMULATED_PROVIDER_KEY"
"#
    );
    for number in 0..MODELS {
        let deployment = number % DEPLOYMENTS;
        write!(
            text,
            r#"
[models.model-{number}]
context_tokens = 8192
max_output_tokens = 4096
price = {{ input = "1", output = "2" }}
deployments = [{{ provider = "openai", name = "deployment-{deployment}" }}]
"#
        )?;
    }
    let mut routes = Vec::new();
    for first in (0..MODELS).step_by(MODELS_OF_A_ROUTE) {
        let models = first..first + MODELS_OF_A_ROUTE;
        let models: Vec<String> = models.map(|number| format!("\"model-{number}\"")).collect();
        let models = models.join(", ");
        write!(text, "\n[routes.route-{first}]\ntargets = [{models}]\n")?;
        routes.push(format!("\"route-{first}\""));
    }
    let routes = routes.join(", ");
    for name in teams {
        let variable = Credentials::variable(name);
        write!(
            text,
            r#"
[teams.{name}]
keys = [{{ id = "{name}", hmac_env = "{variable}" }}]
routes = [{routes}]
pipelines = ["content-analysis", "nightly"]
limits = {{ requests_per_minute = 600, tokens_per_minute = 1_000_000, concurrency = 50 }}
budgets = [{{ per = "day", amount = "100" }}, {{ per = "month", amount = "2000" }}]
"#
        )?;
    }
    Ok(text)
}
