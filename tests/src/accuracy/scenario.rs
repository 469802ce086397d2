//! The scenarios, and how one is run.

use super::{
    crowd::{Ask, Crowd, once},
    judge::{Book, judge},
    report::Row,
    site::{Setup, Site},
    trouble::{MASTER, Servers, Trouble},
};
use crate::{
    harness::spec,
    simulator::{Action, Fault, Options, Simulator},
};
use anyhow::{Context as _, Result, ensure};
use std::time::Duration;
use tokio::{task::JoinSet, time::Instant};

/// The output cap of each call, in tokens.
const CAP: i32 = 100;

/// The price of an output token.
const OUTPUT_NANOS: i64 = 60_000;

/// The price of an input token, where there is one.
const INPUT_NANOS: i64 = 30_000;

/// What one call holds, but for its few input tokens.
pub(super) const HOLD: i64 = CAP as i64 * OUTPUT_NANOS;

/// How long the lease of a hold is that nobody renews, and how soon it is noticed.
pub(super) const LEASE: Duration = Duration::from_secs(30 + 5);

/// How long one command of Redis may take: machines that run this are small and shared.
const COMMAND_TIMEOUT: &str = "250ms";

/// How long a scenario's load may take.
const PATIENCE: Duration = Duration::from_secs(45);

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What happens in it.
    pub what: &'static str,
    /// How many gateways share the Redis.
    pub replicas: usize,
    /// How many callers each of them has.
    pub callers: usize,
    /// The budget, in holds of a call.
    pub(super) budget: i64,
    /// The output tokens that the provider reports, if not its own count.
    pub(super) output: Option<u64>,
    /// Whether calls name an output cap.
    pub(super) is_capped: bool,
    /// Whether input costs something.
    pub(super) is_input_free: bool,
    /// Whether callers hang up.
    pub(super) hangs_up: bool,
    /// What happens when a third of the budget is spent.
    pub(super) trouble: Option<Trouble>,
}

impl Scenario {
    const fn new(name: &'static str, what: &'static str) -> Self {
        Self {
            name,
            what,
            replicas: 3,
            callers: 16,
            budget: 120,
            output: None,
            is_capped: true,
            is_input_free: false,
            hangs_up: false,
            trouble: None,
        }
    }

    /// What a call costs is nearly what it holds, so that little room hides what goes wrong.
    const fn troubled(name: &'static str, what: &'static str, trouble: Trouble) -> Self {
        Self {
            replicas: 2,
            callers: 8,
            budget: 600,
            output: Some(CAP as u64),
            trouble: Some(trouble),
            ..Self::new(name, what)
        }
    }

    /// The budget in nano-dollars.
    pub(super) fn limit(&self) -> i64 {
        self.budget * HOLD
    }

    /// Runs it, and judges it.
    pub async fn run(&self) -> Row {
        // The harness panics where a test would fail.
        let mut task = JoinSet::new();
        let scenario = self.clone();
        task.spawn(async move { scenario.play().await });
        let played = task.join_next().await.context("it did not run");
        match played.and_then(|joined| joined.context("it panicked")?) {
            Ok(book) => judge(self, &book),
            Err(error) => Row::failed(self, format!("{error:#}")),
        }
    }

    async fn play(&self) -> Result<Book> {
        let simulator = Simulator::start(Options {
            latency: Duration::from_millis(100),
            ..Options::default()
        })
        .await?;
        if let Some(tokens) = self.output {
            simulator.push_fault(Fault::always(Action::UsageOutput(tokens)));
        }
        let mut servers = Servers::start(self.trouble).await?;
        let setup = self.setup(simulator.base_url());
        let mut site = Site::start(&setup, servers.entrance(), self.replicas).await?;
        let mut ask = self.ask();
        let crowd = Crowd::start(site.callers(), self.callers, &ask);
        let mut well_again = None;
        if let Some(trouble) = self.trouble {
            let third = usize::try_from(self.budget / 3)?;
            wait("a third is spent", || crowd.admitted() >= third).await?;
            well_again = Some(servers.make(trouble, &mut site).await?);
        }
        wait("the budget is used up", || crowd.is_exhausted()).await?;
        let events = crowd.stop().await;
        let spent = site.at_rest(LEASE).await?;
        let charged_after = well_again.map(|at| at.elapsed());
        let before = simulator.stats().requests;
        // Nothing is in flight now: what fits must be admitted, and all else refused.
        ask.patience = None;
        let mut last = Vec::new();
        for (replica, caller) in site.live().enumerate() {
            last.push(once(replica, caller, &ask).await);
        }
        let again = site.at_rest(LEASE).await?;
        let ledger = site.close(servers.store(self.trouble)).await?;
        let stats = simulator.stats();
        let tokens = stats.model("gpt-4").tokens;
        let input = if self.is_input_free { 0 } else { INPUT_NANOS };
        Ok(Book {
            events,
            well_again,
            charged_after,
            spent,
            last,
            spent_last: again,
            ledger,
            bill: tokens.input * input + tokens.output * OUTPUT_NANOS,
            dispatched: before,
        })
    }

    fn setup(&self, upstream: String) -> Setup {
        let mut store = format!("command_timeout = \"{COMMAND_TIMEOUT}\"");
        if self.trouble == Some(Trouble::FailedOver) {
            store = format!("{store}\ntopology = \"sentinel\"\nmaster = \"{MASTER}\"");
        }
        Setup {
            upstream,
            input_price: if self.is_input_free { "0" } else { "30" },
            limit: self.limit(),
            team: String::new(),
            store,
            // A budget that is held by others may have room later; callers here ask again.
            server: vec!["max_wait = \"0s\"".to_owned()],
        }
    }

    fn ask(&self) -> Ask {
        let mut spec = spec("strong", "What is new in town, and who says so?");
        spec.max_output_tokens = self.is_capped.then_some(CAP);
        Ask {
            spec,
            patience: self.hangs_up.then_some(Duration::from_millis(200)),
        }
    }
}

/// All scenarios.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let cap = u64::from(CAP.unsigned_abs());
    vec![
        Scenario {
            callers: 40,
            budget: 60,
            output: Some(cap),
            is_input_free: true,
            ..Scenario::new("exact fit", "each call costs what it holds, and 60 fit")
        },
        Scenario::new(
            "hold above cost",
            "a call costs a fraction of what it holds",
        ),
        Scenario {
            budget: 300,
            output: Some(3 * cap),
            ..Scenario::new(
                "hold below cost",
                "the provider ignores the cap, three times over",
            )
        },
        Scenario {
            budget: 150,
            is_capped: false,
            ..Scenario::new(
                "no output cap",
                "calls name no cap, so the model's default is held",
            )
        },
        Scenario {
            hangs_up: true,
            output: Some(cap),
            ..Scenario::new(
                "callers hang up",
                "half of all callers leave before the answer",
            )
        },
        Scenario {
            replicas: 3,
            budget: 400,
            ..Scenario::troubled(
                "gateway killed",
                "kill -9 of one gateway with calls in flight",
                Trouble::Killed,
            )
        },
        Scenario::troubled(
            "Redis frozen",
            "SIGSTOP, SIGCONT after 2.5 s",
            Trouble::Frozen,
        ),
        Scenario::troubled(
            "Redis killed",
            "kill -9, restarted after 2.5 s with its append-only file",
            Trouble::Restarted,
        ),
        Scenario::troubled(
            "Redis flushed",
            "FLUSHALL: the balances are rebuilt from the ledger",
            Trouble::Flushed,
        ),
        Scenario::troubled(
            "Redis failed over",
            "kill -9 of the master; a sentinel promotes its replica",
            Trouble::FailedOver,
        ),
    ]
}

async fn wait(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        ensure!(Instant::now() < until, "it never came about that {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
