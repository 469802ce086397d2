//! Where balances are kept, with what has to be closed in order: the store, the ledger, and what
//! moves entries from one to the other.

use super::build::StartError;
use crate::{
    catalog::Catalog,
    clock::Clock,
    config::{self, Config, store::Kind},
    ledger::{Fold, Health, Journal as _, Ledger, Options, TopUpMade},
    operators::{Board, file::FileBoard},
    store::{
        Store,
        failover::{
            BudgetsWithout, Failover, LimitsWithout, Policy,
            journal::{Journal, Unlanded},
        },
        memory::MemoryStore,
        redis::{
            RedisStore, Settings, Topology,
            drain::{Archive, Drain, LedgerArchive, Teams},
        },
        top_up::Made,
    },
    telemetry::Observer,
};
use arc_swap::ArcSwap;
use std::{io, sync::Arc};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Where balances are kept.
pub(super) struct Keeping {
    /// What calls ask.
    pub(super) store: Arc<dyn Store>,
    /// Where operators' decisions are kept, beside the balances.
    pub(super) board: Arc<dyn Board>,
    kept: Kept,
}

enum Kept {
    /// In this process, with its ledger.
    Here(Arc<Ledger>),
    /// In Redis.
    There(Box<There>),
}

/// What belongs to a store in Redis.
struct There {
    redis: Arc<RedisStore>,
    failover: Arc<Failover>,
    /// The ledger, if this replica may drain into it. It is open while this replica does.
    ledger: Option<Arc<LedgerArchive>>,
    /// Tasks of the store.
    tasks: TaskTracker,
    /// The drain, which ends after the last ending is in the store.
    drain: TaskTracker,
    stop_drain: CancellationToken,
}

/// What both kinds are built from.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<Observer>,
    pub(super) catalog: Arc<ArcSwap<Catalog>>,
}

impl Keeping {
    /// Builds the store that the configuration names.
    pub(super) async fn start(config: &Config, ground: Ground) -> Result<Self, StartError> {
        match &config.store.kind {
            Kind::Memory => here(config, &ground),
            Kind::Redis(redis) => there(config, redis, ground).await,
        }
    }

    /// How the ledger fares, if this process has it open.
    pub(super) fn ledger_health(&self) -> Option<Health> {
        match &self.kept {
            Kept::Here(ledger) => Some(ledger.health()),
            Kept::There(there) => there.ledger.as_ref().and_then(|ledger| ledger.health()),
        }
    }

    /// The balances by the ledger, if this process keeps both. Waits for the disk. With Redis
    /// whoever drains compares them.
    pub(super) fn books(&self) -> io::Result<Option<Fold>> {
        match &self.kept {
            Kept::Here(ledger) => {
                ledger.flush()?;
                Ok(Some(ledger.books()))
            }
            Kept::There(_) => Ok(None),
        }
    }

    /// How many endings wait for the store, of which the settler knows these.
    pub(super) fn backlog(&self, settling: u64) -> u64 {
        match &self.kept {
            Kept::Here(_) => settling,
            Kept::There(there) => {
                // An ending that is repeated is among those of the settler, unless it only makes
                // sure that nothing was taken.
                let endings = count(there.redis.endings_waiting());
                settling.max(endings) + count(there.failover.replays_waiting())
            }
        }
    }

    /// After the last call has ended: lands what waits, drains it, and makes it durable.
    pub(super) async fn close(&self, until: Instant) {
        match &self.kept {
            Kept::Here(ledger) => {
                if let Err(error) = ledger.close() {
                    tracing::error!(%error, "the ledger could not be flushed");
                }
            }
            Kept::There(there) => there.close(until).await,
        }
    }
}

impl There {
    async fn close(&self, until: Instant) {
        self.failover.flush(until).await;
        self.redis.flush(until).await;
        let (endings, charges) = (
            self.redis.endings_waiting(),
            self.failover.replays_waiting(),
        );
        if endings + charges > 0 {
            tracing::error!(
                endings,
                charges,
                journal = self.failover.has_journal(),
                "Redis did not answer: holds of these endings are charged in full when their \
                 leases end, and these charges that were made without it are told at the next \
                 start with this journal, or lost if there is none"
            );
        }
        self.stop_drain.cancel();
        self.drain.close();
        if tokio::time::timeout_at(until, self.drain.wait())
            .await
            .is_err()
        {
            tracing::warn!("what is in Redis still is drained by another replica, or later");
        }
        self.tasks.close();
    }
}

fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}

/// The options of the ledger. A drain repeats what it sent before a crash; the store in this process
/// repeats nothing.
pub(super) fn ledger_options(config: &Config) -> Options {
    Options {
        may_repeat: !matches!(config.store.kind, Kind::Memory),
        dir: config.ledger.dir.clone(),
        fsync_interval: config.ledger.fsync_interval,
        segment_bytes: config.ledger.segment_bytes,
    }
}

/// The ledger, and a store that has what the ledger remembers.
fn here(config: &Config, ground: &Ground) -> Result<Keeping, StartError> {
    let now = ground.clock.now();
    let (ledger, mut restored) = Ledger::open(ledger_options(config), now)?;
    let found = restored.found;
    let expired = restored.expire_unclosed(now);
    let unclosed = expired.len();
    for entry in expired {
        ledger.queue(entry);
    }
    let store = MemoryStore::new(Arc::clone(&ground.clock), Arc::clone(&ledger) as _);
    for (team, book) in restored.fold.into_teams() {
        for (key, counter) in book.counters {
            store.restore_counter(&team, key, counter);
        }
        for (run, bound) in book.runs {
            store.restore_run(&team, run, bound.limit, bound.last_used);
        }
        store.restore_tally(&team, book.tally);
        for (request, TopUpMade { counter, amount }) in book.top_ups {
            let budget = counter.budget;
            store.restore_top_up(&team, request, Made { budget, amount });
        }
    }
    ground.observer.ledger_writer(true);
    tracing::info!(
        event = "ledger_opened",
        segment = found.segment,
        entries_read = found.entries_read,
        torn_bytes = found.torn_bytes,
        unclosed_holds_charged = unclosed,
        "the ledger is open and the balances are restored"
    );
    Ok(Keeping {
        store: Arc::new(store),
        board: Arc::new(FileBoard::open(&config.ledger.dir)?),
        kept: Kept::Here(ledger),
    })
}

/// A store in Redis, what happens without it, and the drain if this replica may.
async fn there(
    config: &Config,
    redis: &config::store::Redis,
    ground: Ground,
) -> Result<Keeping, StartError> {
    let settings = settings(redis);
    let Ground {
        clock,
        observer,
        catalog,
    } = ground;
    let (tasks, drain) = (TaskTracker::new(), TaskTracker::new());
    let watcher = || Arc::clone(&observer) as _;
    let store = RedisStore::connect(&settings, Arc::clone(&clock), watcher(), &tasks).await?;
    let (journal, left) = match &config.store.on_failure.journal {
        Some(dir) => {
            let opened = Journal::open(dir);
            let (journal, left) = opened.map_err(|error| StartError::Store(error.to_string()))?;
            (Some(journal), left)
        }
        None => (None, Vec::new()),
    };
    let failover = Failover::new(
        Arc::clone(&store) as _,
        policy(&config.store),
        (Arc::clone(&clock), watcher()),
        journal,
        &tasks,
    );
    restore(&failover, left, &catalog.load());
    let stop_drain = CancellationToken::new();
    let mut ledger = None;
    if redis.drain {
        let archive = Arc::new(LedgerArchive::new(
            ledger_options(config),
            Arc::clone(&clock),
        ));
        usable(&archive)?;
        let teams: Teams = Arc::new(move || catalog.load().teams.keys().map(Arc::clone).collect());
        let made = Drain::connect(
            &settings,
            Arc::clone(&archive) as _,
            teams,
            (clock, watcher()),
        );
        drain.spawn(made.await?.run(stop_drain.clone()));
        ledger = Some(archive);
    }
    tracing::info!(
        event = "store_opened",
        kind = "redis",
        drain = redis.drain,
        "balances are in Redis"
    );
    Ok(Keeping {
        store: Arc::clone(&failover) as _,
        board: Arc::clone(&store) as _,
        kept: Kept::There(Box::new(There {
            redis: store,
            failover,
            ledger,
            tasks,
            drain,
            stop_drain,
        })),
    })
}

/// Tells Redis of what an earlier process granted without it.
fn restore(failover: &Failover, left: Vec<Unlanded>, catalog: &Catalog) {
    let all = left.len();
    let mut strangers = 0;
    for one in left {
        if let Some(team) = catalog.teams.get(&one.team) {
            failover.restore(one, Arc::clone(&team.limits));
        } else {
            strangers += 1;
        }
    }
    if strangers > 0 {
        tracing::error!(
            charges = strangers,
            "the journal of the failover has charges of teams that are not configured; they stay \
             in it until a start with these teams"
        );
    }
    if all > 0 {
        tracing::info!(
            event = "failover_restored",
            charges = all,
            "Redis is told of what was granted without it before the last stop"
        );
    }
}

/// Says at the start what would be found out when the role is taken.
fn usable(archive: &LedgerArchive) -> io::Result<()> {
    archive.identity().map(drop)
}

/// How Redis is reached.
pub(super) fn settings(redis: &config::store::Redis) -> Settings {
    use config::store::Topology as Configured;
    let urls = redis.urls();
    let first = urls.first().cloned().unwrap_or_default();
    Settings {
        topology: match &redis.topology {
            Configured::Single => Topology::Single,
            Configured::Cluster => Topology::Cluster,
            Configured::Sentinel { master, master_url } => Topology::Sentinel {
                master: master.clone(),
                node: master_url.as_ref().map(|url| url.value().clone()),
            },
        },
        urls,
        command_timeout: redis.command_timeout,
        ..Settings::new(first)
    }
}

fn policy(store: &config::store::Store) -> Policy {
    use config::store::{BudgetsOnFailure, LimitsOnFailure};
    Policy {
        limits: match store.on_failure.limits {
            LimitsOnFailure::LocalFraction => LimitsWithout::LocalFraction,
            LimitsOnFailure::Open => LimitsWithout::Open,
            LimitsOnFailure::Deny => LimitsWithout::Deny,
        },
        budgets: match store.on_failure.budgets {
            BudgetsOnFailure::Deny => BudgetsWithout::Deny,
            BudgetsOnFailure::Grace(grace) => BudgetsWithout::Grace {
                most: grace.amount,
                longest: grace.lasts,
            },
            BudgetsOnFailure::Open => BudgetsWithout::Open,
        },
        replicas: store.expected_replicas,
    }
}
