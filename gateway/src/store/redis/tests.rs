//! Tests on real Redis servers, started on free loopback ports and killed on drop.

mod both;
mod cluster;
mod contract;
mod drain_order;
mod model;
mod mutants;
mod outage;
mod rebuild;
mod server;
mod start;
mod stress;

use super::{
    drain::{Archive, Drain},
    seed::Seed,
    *,
};
use crate::{
    clock::SystemClock,
    ledger::{Entry, Fold},
    testing::{OneWindow, day},
};
use server::Server;
use std::{
    io,
    sync::{Mutex, PoisonError},
};
use tollgate_core::{
    budget::{BudgetSpec, Mark},
    hold::Need,
    limit::{BucketSpec, GaugeSpec},
};

/// A ledger in memory.
#[derive(Default)]
struct Lines {
    entries: Mutex<Vec<Entry>>,
}

impl Lines {
    fn all(&self) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.clone()
    }

    fn fold(&self) -> Fold {
        let mut fold = Fold::default();
        for entry in self.all() {
            fold.apply(&entry);
        }
        fold
    }
}

impl Archive for Lines {
    fn identity(&self) -> io::Result<Option<String>> {
        Ok(Some("lines".to_owned()))
    }

    fn open(&self) -> io::Result<String> {
        Ok("lines".to_owned())
    }

    fn close(&self) -> io::Result<()> {
        Ok(())
    }

    fn keep(&self, entries: Vec<Entry>) -> io::Result<()> {
        let mut all = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(entries);
        Ok(())
    }

    fn books(&self) -> io::Result<Fold> {
        Ok(self.fold())
    }

    fn seed(&self, team: &Arc<str>, since: Timestamp) -> io::Result<Seed> {
        let mut ended = self.all();
        ended.retain(|entry| entry.team == *team && entry.at_ms >= since.millis());
        Ok(Seed::new(self.fold().team(team), ended))
    }
}

/// Remembers events.
#[derive(Default)]
struct Events(Mutex<Vec<StoreEvent>>);

impl Events {
    fn all(&self) -> Vec<StoreEvent> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn count(&self, wanted: impl Fn(&StoreEvent) -> bool) -> usize {
        self.all().iter().filter(|event| wanted(event)).count()
    }
}

impl StoreObserver for Events {
    fn happened(&self, event: &StoreEvent) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(event.clone());
    }
}

/// A store, its events, and a drain into memory.
struct Bench {
    store: Arc<RedisStore>,
    events: Arc<Events>,
    lines: Arc<Lines>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Bench {
    async fn new(settings: &Settings) -> Self {
        Self::with_teams(settings, Vec::new()).await
    }

    /// With teams that are seeded without being asked for.
    async fn with_teams(settings: &Settings, teams: Vec<Arc<str>>) -> Self {
        let lines = Arc::new(Lines::default());
        let bench = Self::with_archive(settings, teams, Arc::clone(&lines) as _).await;
        Self { lines, ..bench }
    }

    /// With a ledger that is kept elsewhere.
    async fn with_archive(
        settings: &Settings,
        teams: Vec<Arc<str>>,
        archive: Arc<dyn Archive>,
    ) -> Self {
        let events = Arc::new(Events::default());
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let observer: Arc<dyn StoreObserver> = Arc::clone(&events) as _;
        let drain = Drain::connect(
            settings,
            archive,
            Arc::new(move || teams.clone()),
            (Arc::clone(&clock), Arc::clone(&observer)),
        );
        let drain = drain.await.expect("Redis runs");
        tasks.spawn(drain.run(stop.clone()));
        let store = RedisStore::connect(settings, clock, observer, &tasks).await;
        Self {
            store: store.expect("Redis runs"),
            events,
            lines: Arc::default(),
            tasks,
            stop,
        }
    }

    /// Another replica of the same.
    async fn replica(&self, settings: &Settings) -> Arc<RedisStore> {
        let observer = Arc::clone(&self.events) as _;
        RedisStore::connect(settings, Arc::new(SystemClock), observer, &self.tasks)
            .await
            .expect("Redis runs")
    }

    /// Waits until the outbox is empty and returns the ledger's sums.
    async fn drained(&self, team: &Arc<str>) -> Fold {
        let outbox = Keys::of(&Scope::Team(Arc::clone(team))).outbox();
        for _ in 0..200 {
            let left = self
                .store
                .shared
                .repairs
                .wire
                .send("test", redis::cmd("XLEN").arg(&outbox))
                .await;
            if matches!(left, Ok(redis::Value::Int(0))) {
                return self.lines.fold();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the outbox is not drained: {:?}", self.events.all());
    }

    async fn stop(self) {
        self.stop.cancel();
        drop(self.store);
        self.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(5), self.tasks.wait()).await;
    }
}

fn settings(url: &str) -> Settings {
    Settings {
        rebuild_wait: Duration::from_secs(5),
        // Test machines are slow and shared; tests of deadlines set their own.
        command_timeout: Duration::from_secs(2),
        ..Settings::new(url.into())
    }
}

fn team_limits(team: &str, budget: i64) -> Arc<Limits> {
    Arc::new(Limits {
        scope: Scope::Team(team.into()),
        buckets: vec![
            BucketSpec::per_minute(Unit::Requests, 1_000_000),
            BucketSpec::per_minute(Unit::Tokens, 1_000_000_000),
        ],
        gauges: vec![GaugeSpec {
            name: "concurrency".into(),
            limit: 100_000,
        }],
        budgets: vec![BudgetSpec {
            name: "day".into(),
            limit: Some(Money::from_nanos(budget)),
            hard: true,
            calendar: Arc::new(OneWindow),
            marks: [500, 1_000].map(|permille| Mark { permille }).into(),
        }],
    })
}

fn new_id() -> HoldId {
    HoldId::new(SystemClock.now(), u128::from(fastrand::u64(..)) << 8)
}

fn ask(id: HoldId, amount: i64) -> HoldRequest {
    HoldRequest {
        id,
        need: Need {
            requests: 1,
            input_tokens: 10,
            output_tokens: 0,
        },
        amount: Money::from_nanos(amount),
        lease_ms: 60_000,
        max_wait_ms: None,
        floor_permille: 0,
        run: None,
        force: false,
    }
}

fn settled(cost: i64) -> Ending {
    Ending::Settled {
        used: Need {
            requests: 1,
            input_tokens: 10,
            output_tokens: 0,
        },
        cost: Money::from_nanos(cost),
    }
}

fn ending(limits: &Arc<Limits>, id: HoldId, ending: Ending) -> Settlement {
    Settlement {
        limits: Arc::clone(limits),
        id,
        ending,
        record: None,
    }
}

async fn money(store: &dyn Store, limits: &Arc<Limits>) -> (i64, i64) {
    let balances = store.balances(limits).await.expect("an answer");
    (balances[0].spent.nanos(), balances[0].held.nanos())
}
