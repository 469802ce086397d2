//! Gateways that share one Redis, one ledger and one provider.

use crate::harness::{Caller, Credentials, GatewayProcess, Redis, Settings};
use anyhow::{Context as _, Result, bail, ensure};
use std::{fs, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::time::Instant;
use tollgate_core::Money;
use tollgate_proto::v1;

/// The one team that calls.
pub(crate) const TEAM: &str = "news";

/// How long what was asked for may take to be so.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is configured.
pub(crate) struct Setup {
    /// Where the provider is.
    pub(crate) upstream: String,
    /// The price of the model's tokens, in dollars per million.
    pub(crate) input_price: &'static str,
    /// The day's budget in nano-dollars.
    pub(crate) limit: i64,
    /// More lines of the team.
    pub(crate) team: String,
    /// More lines of `[store]`.
    pub(crate) store: String,
    /// Lines of `[server]`.
    pub(crate) server: Vec<String>,
}

/// The gateways, and what they share.
pub(crate) struct Site {
    credentials: Credentials,
    dir: TempDir,
    /// Those that run.
    pub(crate) gateways: Vec<Option<GatewayProcess>>,
    callers: Vec<Caller>,
}

impl Site {
    /// Starts so many gateways on this Redis, or on the one that its sentinel knows.
    pub(crate) async fn start(setup: &Setup, redis: &Redis, replicas: usize) -> Result<Self> {
        let mut site = Self {
            credentials: Credentials::new(&[TEAM]),
            dir: TempDir::new()?,
            gateways: Vec::new(),
            callers: Vec::new(),
        };
        let mut variables: Vec<_> = site.credentials.variables().clone().into_iter().collect();
        variables.push(("SHARED_REDIS_URL".to_owned(), redis.url()));
        for replica in 0..replicas {
            let config = site.config(setup, replica, replicas)?;
            let gateway = GatewayProcess::start_with(&config, &variables)?;
            site.callers
                .push(gateway.caller(&site.credentials, TEAM).await);
            site.gateways.push(Some(gateway));
        }
        Ok(site)
    }

    fn config(&self, setup: &Setup, replica: usize, replicas: usize) -> Result<PathBuf> {
        let dir = self.dir.path().join(format!("replica-{replica}"));
        fs::create_dir_all(&dir)?;
        let store = format!(
            "[store]\nkind = \"redis\"\nurl_env = \"SHARED_REDIS_URL\"\n\
             expected_replicas = {replicas}\n{}",
            setup.store
        );
        let models = format!(
            "[models.gpt-4]\ncontext_tokens = 8192\nmax_output_tokens = 4096\n\
             default_output_tokens = 1024\nprice = {{ input = \"{}\", output = \"60\" }}\n\
             deployments = [{{ provider = \"openai\", name = \"gpt-4\" }}]\n",
            setup.input_price
        );
        let routes = ["cheap", "strong"].map(|name| {
            format!("[routes.{name}]\ntargets = [\"gpt-4\"]\nattempt_timeout = \"15s\"\n")
        });
        let budget = Money::from_nanos(setup.limit);
        let team = format!(
            "budgets = [{{ per = \"day\", amount = \"{budget}\" }}]\n{}",
            setup.team
        );
        let mut settings = Settings::new(&setup.upstream, &dir)
            .ledger(&self.ledger())
            .section(&store)
            .models(&models)
            .routes(&routes.concat())
            .team(TEAM, &team);
        for line in &setup.server {
            settings = settings.server(line);
        }
        let path = dir.join("tollgate.toml");
        fs::write(&path, settings.text())?;
        Ok(path)
    }

    /// The key of the team.
    pub(crate) fn key(&self) -> &str {
        self.credentials.key(TEAM)
    }

    /// A caller of each gateway, those included that were killed.
    pub(crate) fn callers(&self) -> &[Caller] {
        &self.callers
    }

    /// The callers of gateways that run.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Caller> {
        let callers = self.callers.iter().zip(&self.gateways);
        callers.filter_map(|(caller, gateway)| gateway.as_ref().map(|_| caller))
    }

    /// kill -9 of one of them.
    pub(crate) fn kill(&mut self, replica: usize) {
        if let Some(gateway) = self.gateways[replica].take() {
            gateway.kill();
        }
    }

    fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    /// Waits until nothing is held, and returns what is spent; all gateways must say the same.
    pub(crate) async fn at_rest(&self, within: Duration) -> Result<i64> {
        let until = Instant::now() + within;
        loop {
            // On a busy machine Redis may be late for once; that is asked again.
            let told = self.told().await;
            if let Ok(told) = &told {
                let first = told.first().context("no gateway is left")?;
                if first.held_nano_usd == 0 && told.iter().all(|one| one == first) {
                    return Ok(first.spent_nano_usd);
                }
            }
            ensure!(
                Instant::now() < until,
                "the balances don't come to rest: {told:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The day's balance, as each of them says.
    async fn told(&self) -> Result<Vec<v1::BudgetBalance>> {
        let mut told = Vec::new();
        for caller in self.live() {
            told.push(day(caller).await?);
        }
        Ok(told)
    }

    /// Waits until the ledger has all that `redis` has, stops all gateways, and returns what the
    /// ledger says was spent.
    pub(crate) async fn close(mut self, redis: &Redis) -> Result<i64> {
        let outbox = outbox();
        let until = Instant::now() + PATIENCE;
        while redis.command::<u64>(&["XLEN", &outbox]) > 0 {
            ensure!(Instant::now() < until, "the outbox is never drained");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        for gateway in self.gateways.iter_mut().filter_map(Option::take) {
            let ended = gateway.terminate();
            ensure!(ended.success(), "a gateway ended with {ended}");
        }
        let report = tollgate::ledger::verify(&self.ledger())?;
        ensure!(report.is_sound(), "the ledger says: {:?}", report.problems);
        if let Some(open) = report.unclosed.first() {
            bail!("the ledger has holds without an ending, such as {open:?}");
        }
        let day = report.totals.iter().filter(|total| &*total.budget == "day");
        Ok(day.map(|total| total.spent_nano_usd).sum())
    }
}

/// Where Redis keeps what the ledger has yet to write.
pub(crate) fn outbox() -> String {
    format!("tollgate:1:{{t:{TEAM}}}:o")
}

/// Where Redis keeps when the leases of open holds end.
pub(crate) fn leases() -> String {
    format!("tollgate:1:{{t:{TEAM}}}:l")
}

/// The day's balance, as one gateway says.
pub(crate) async fn day(caller: &Caller) -> Result<v1::BudgetBalance> {
    let request = caller.request(v1::GetBudgetRequest {
        name: "day".to_owned(),
        ..v1::GetBudgetRequest::default()
    });
    let answer = caller.usage().get_budget(request).await?;
    answer.into_inner().budget.context("no balance")
}
