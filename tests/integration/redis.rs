//! Several gateways and one Redis, as processes of their own: one truth, whatever is killed.

mod cooldown;
mod grace;
mod one_call;
mod outage;
mod rebuild;
mod shared;
mod shutdown;
mod start;
mod stress;
mod takeover;
mod topology;

use crate::money::ledger_spend;
use std::{fs, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tollgate_tests::{
    harness::{Caller, Credentials, GatewayProcess, Redis, Settings, scrape::Scrape, simulator},
    simulator::Simulator,
};

/// Gateways that share a Redis and a ledger, and the provider that they call.
struct Site {
    simulator: Simulator,
    redis: Redis,
    credentials: Credentials,
    dir: TempDir,
    teams: Vec<(String, String)>,
    store: String,
    /// Models and routes, if not the usual ones.
    catalogue: Option<(&'static str, &'static str)>,
}

impl Site {
    /// A site with these teams and their bounds, whose provider takes so long.
    async fn new(latency_ms: u64, teams: &[(&str, &str)]) -> Self {
        let names: Vec<&str> = teams.iter().map(|(name, _)| *name).collect();
        let owned = |(name, bounds): &(&str, &str)| ((*name).to_owned(), (*bounds).to_owned());
        Self {
            simulator: simulator(latency_ms).await,
            redis: Redis::start(),
            credentials: Credentials::new(&names),
            dir: TempDir::new().expect("a directory"),
            teams: teams.iter().map(owned).collect(),
            // Machines of tests are slow and shared.
            store: "command_timeout = \"500ms\"\nexpected_replicas = 2".to_owned(),
            catalogue: None,
        }
    }

    /// The configuration of one of the gateways.
    fn config(&self, replica: &str) -> PathBuf {
        let dir = self.dir.path().join(replica);
        fs::create_dir_all(&dir).expect("it is made");
        let store = format!(
            "[store]\nkind = \"redis\"\nurl_env = \"TEST_REDIS_URL\"\n{}",
            self.store
        );
        let mut settings = Settings::new(&self.simulator.base_url(), &dir)
            .ledger(&self.dir.path().join("ledger"))
            .server("max_wait = \"0s\"")
            .section(&store);
        if let Some((models, routes)) = self.catalogue {
            settings = settings.models(models).routes(routes);
        }
        for (name, bounds) in &self.teams {
            settings = settings.team(name, bounds);
        }
        let path = dir.join("tollgate.toml");
        fs::write(&path, settings.text()).expect("it is written");
        path
    }

    /// What a gateway needs in its environment.
    fn variables(&self) -> Vec<(String, String)> {
        let mut variables: Vec<_> = self.credentials.variables().clone().into_iter().collect();
        variables.push(("TEST_REDIS_URL".to_owned(), self.redis.url()));
        variables
    }

    fn start(&self, replica: &str) -> GatewayProcess {
        GatewayProcess::start_with(&self.config(replica), &self.variables())
            .expect("it says where it listens")
    }

    async fn caller(&self, gateway: &GatewayProcess, team: &str) -> Caller {
        gateway.caller(&self.credentials, team).await
    }

    /// Where the gateways keep their one ledger.
    fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    /// The day's spend by the ledger alone.
    fn ledger_spend(&self, team: &str) -> i64 {
        ledger_spend(self.dir.path(), team)
    }

    /// Waits until the ledger has all that Redis has of a team.
    async fn drained(&self, team: &str) {
        let outbox = format!("tollgate:1:{{t:{team}}}:o");
        until("the outbox is empty", async || {
            self.redis.command::<u64>(&["XLEN", &outbox]) == 0
        })
        .await;
    }
}

/// Waits until this gateway writes the ledger.
async fn drains(gateway: &GatewayProcess) {
    until("it drains", async || {
        metric(gateway, "tollgate_ledger_writer").await == 1
    })
    .await;
}

/// A whole number that a gateway tells of itself.
async fn metric(gateway: &GatewayProcess, name: &str) -> i64 {
    let url = format!("http://{}/metrics", gateway.metrics);
    let sum = Scrape::of(&url).await.sum(name, &[]);
    sum.to_string().parse().expect("a whole number")
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    // Far longer than any of it takes; a test fails that waits so long.
    for _ in 0..800 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it never came about that {what}");
}
