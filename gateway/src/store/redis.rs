//! The Redis store: any number of replicas, one truth.
//!
//! Each decision is one Lua script, which is atomic and idempotent by hold id; the scripts are
//! checked against the core's `Account`. Around them, here: one try within 50 ms, a breaker, the
//! repetition of endings until they land, and what is repeated to another Redis after a failover.

mod accounts;
mod args;
mod checks;
pub mod drain;
mod endings;
mod event;
mod fault;
mod gate;
mod keys;
mod link;
mod monitor;
mod pack;
mod reply;
mod roll;
mod script;
pub mod seed;
mod settings;
mod wire;

use super::{Reply, Settlement, Store, Swept, UsageRow};
use crate::clock::{Clock, utc};
use accounts::Accounts;
pub use checks::ConnectError;
use endings::Endings;
pub use event::{LogEvents, StoreEvent, StoreObserver};
use fault::Fault;
use futures_util::future::{FutureExt as _, join_all};
use gate::Gate;
use keys::Keys;
use link::Link;
use roll::{Granted, Roll};
use script::Scripts;
pub use settings::{Settings, Topology};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{Held, HoldReply, Refusal, SettleReply},
    budget::Balance,
    hold::{Ending, HoldRequest, State},
    limit::{Limits, Scope, Unit},
    tally::KEPT_DAYS,
};
use wire::Wire;

/// The most holds that one sweep ends.
const SWEEP_MOST: usize = 100;

/// How long a repair of one hold may take while nobody is admitted.
const REPAIR_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause between looks whether a team's balances were rebuilt.
const REBUILD_POLL: Duration = Duration::from_millis(20);

/// Balances in Redis, shared by all replicas.
pub struct RedisStore {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

/// What the store and its background tasks share.
struct Shared {
    accounts: Accounts,
    /// The same past the gate, for repairs.
    repairs: Accounts,
    gate: Arc<Gate>,
    roll: Roll,
    endings: Arc<Endings>,
    observer: Arc<dyn StoreObserver>,
    rebuild_wait: Duration,
    first_identity: String,
}

impl RedisStore {
    /// Connects, checks that this Redis can keep balances, and starts the background tasks.
    ///
    /// # Errors
    /// If it can't be reached or can't keep balances; the text says what to do.
    pub async fn connect(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn StoreObserver>,
        tasks: &TaskTracker,
    ) -> Result<Arc<Self>, ConnectError> {
        Self::with_scripts(settings, clock, (observer, tasks), Scripts::default()).await
    }

    async fn with_scripts(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        (observer, tasks): (Arc<dyn StoreObserver>, &TaskTracker),
        scripts: Scripts,
    ) -> Result<Arc<Self>, ConnectError> {
        let gate = Arc::new(Gate::new(Arc::clone(&observer)));
        let link = Link::new(settings, Some(Arc::clone(&gate))).await?;
        let first_identity = checks::check(&link, &settings.topology).await?;
        let wire = Wire {
            link: Arc::new(link),
            gate: Some(Arc::clone(&gate)),
            observer: Arc::clone(&observer),
            timeout: settings.command_timeout,
        };
        let scripts = Arc::new(scripts);
        let accounts = |wire| {
            let (scripts, clock) = (Arc::clone(&scripts), Arc::clone(&clock));
            Accounts::new(wire, scripts, clock, settings.memory)
        };
        let shared = Arc::new(Shared {
            repairs: accounts(wire.ungated(REPAIR_TIMEOUT)),
            accounts: accounts(wire),
            gate,
            roll: Roll::default(),
            endings: Arc::default(),
            observer,
            rebuild_wait: settings.rebuild_wait,
            first_identity,
        });
        let stop = CancellationToken::new();
        let weak = Arc::downgrade(&shared);
        tasks.spawn(monitor::watch(weak.clone(), stop.clone()));
        tasks.spawn(endings::repeat(weak, stop.clone()));
        Ok(Arc::new(Self { shared, stop }))
    }

    /// Whether Redis is asked now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !self.shared.gate.is_shut()
    }

    /// How many endings wait for Redis.
    #[must_use]
    pub fn endings_waiting(&self) -> usize {
        self.shared.endings.len()
    }

    /// Tries to land the endings that wait, until `deadline`. Returns how many still wait; their
    /// holds are charged in full when their leases end.
    pub async fn flush(&self, deadline: Instant) -> usize {
        let empty = async {
            while self.shared.endings.len() > 0 {
                if self.shared.repeat_some().await || self.shared.gate.is_shut() {
                    tokio::time::sleep(REBUILD_POLL).await;
                }
            }
        };
        let _ = tokio::time::timeout_at(deadline, empty).await;
        self.shared.endings.len()
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    async fn hold(&self, limits: &Arc<Limits>, request: &HoldRequest) -> Result<HoldReply, Fault> {
        let reply = self
            .once_seeded(&limits.scope, || self.accounts.hold(limits, request))
            .await;
        match reply {
            Ok(HoldReply::Held(held)) => {
                self.note_granted(limits, request, held.now);
                Ok(HoldReply::Held(held))
            }
            // Its id is ours and new here, so it was granted to an earlier try of this call.
            Ok(HoldReply::Duplicate(State::Open)) if !self.roll.is_open(request.id) => {
                self.granted_before(limits, request).await
            }
            Err(fault) => {
                if fault.is_unknown() {
                    // A tombstone keeps it out if it arrives late, and ends it if it arrived.
                    self.cancel_later(limits, request.id);
                }
                Err(fault)
            }
            other => other,
        }
    }

    /// Asks again while the balances of the team are rebuilt, for a bounded time.
    async fn once_seeded<T, F>(&self, scope: &Scope, ask: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let until = Instant::now() + self.rebuild_wait;
        loop {
            match ask().await {
                Err(Fault::Unseeded) if Instant::now() < until => {
                    self.ask_for_balances(scope).await;
                    tokio::time::sleep(REBUILD_POLL).await;
                }
                other => return other,
            }
        }
    }

    async fn balances(
        &self,
        limits: &Arc<Limits>,
        run: Option<&Arc<str>>,
    ) -> Result<(Vec<Balance>, Option<Balance>), Fault> {
        self.once_seeded(&limits.scope, || self.accounts.balances(limits, run))
            .await
    }

    async fn granted_before(
        &self,
        limits: &Arc<Limits>,
        request: &HoldRequest,
    ) -> Result<HoldReply, Fault> {
        let run = request.run.as_ref().map(|run| &run.run);
        let (mut budgets, its) = self.accounts.balances(limits, run).await?;
        budgets.extend(its);
        let now = self.accounts.clock.now();
        self.note_granted(limits, request, now);
        Ok(HoldReply::Held(Held {
            now,
            budgets,
            remaining: vec![0; limits.buckets.len()],
        }))
    }

    fn note_granted(&self, limits: &Arc<Limits>, request: &HoldRequest, at: Timestamp) {
        self.roll.granted(Granted {
            limits: Arc::clone(limits),
            request: request.clone(),
            at,
        });
    }

    fn cancel_later(&self, limits: &Arc<Limits>, id: HoldId) {
        let settlement = Settlement {
            limits: Arc::clone(limits),
            id,
            ending: Ending::Cancelled,
            record: None,
        };
        self.end_later(settlement, Instant::now());
    }

    /// Asks whoever drains the ledger to rebuild a team's balances.
    async fn ask_for_balances(&self, scope: &Scope) {
        let mut ask = redis::cmd("SADD");
        ask.arg(keys::UNSEEDED).arg(&**scope.name());
        let asked = self.accounts.wire.send("unseeded", &ask).await;
        if matches!(asked, Ok(redis::Value::Int(1))) {
            let team = Arc::clone(scope.name());
            self.observer.happened(&StoreEvent::Unseeded { team });
        }
    }

    /// Ends a hold. `first`: when this ending was tried first.
    async fn end(&self, settlement: &Settlement, first: Instant) -> Result<SettleReply, Fault> {
        let remembered = Duration::from_millis(self.accounts.memory.ended_ms);
        let granted = if first.elapsed() < remembered {
            self.roll.find(settlement.id)
        } else {
            None
        };
        let reply = self
            .end_with(&self.accounts, settlement, granted.as_ref())
            .await;
        match &reply {
            Ok(SettleReply::Alive) => {}
            Ok(_) => self.roll.ended(settlement),
            Err(Fault::Unseeded) => self.ask_for_balances(&settlement.limits.scope).await,
            Err(_) => {}
        }
        reply
    }

    /// Ends a hold, putting it back first if Redis has lost it.
    async fn end_with(
        &self,
        accounts: &Accounts,
        settlement: &Settlement,
        granted: Option<&Granted>,
    ) -> Result<SettleReply, Fault> {
        let Settlement {
            limits,
            id,
            ending,
            record,
        } = settlement;
        let end = || accounts.end(limits, *id, ending, record.as_ref());
        let reply = end().await?;
        let (SettleReply::Unknown, Ending::Settled { .. }, Some(granted)) =
            (&reply, ending, granted)
        else {
            return Ok(reply);
        };
        accounts
            .reassert(&granted.limits, &granted.request, granted.at)
            .await?;
        end().await
    }

    async fn settle(&self, settlement: Settlement) -> Result<SettleReply, Fault> {
        let first = Instant::now();
        let reply = self.end(&settlement, first).await;
        if let Err(fault) = &reply
            && fault.is_passing()
        {
            self.end_later(settlement, first);
        }
        reply
    }

    async fn renew(
        &self,
        scope: &Scope,
        ids: &[HoldId],
        lease_ms: u64,
    ) -> Result<Vec<HoldId>, Fault> {
        let gone = self.accounts.renew(scope, ids, lease_ms).await?;
        self.roll.renewed(ids);
        let mut ended = Vec::new();
        for id in gone {
            // Redis may have lost it, and its call still runs.
            let Some(granted) = self.roll.find(id).filter(|_| self.roll.is_open(id)) else {
                ended.push(id);
                continue;
            };
            let Granted {
                limits,
                request,
                at,
            } = granted;
            let reply = self.accounts.reassert(&limits, &request, at).await;
            if !matches!(reply, Ok(HoldReply::Held(_))) {
                ended.push(id);
            }
        }
        Ok(ended)
    }

    async fn sweep(&self, limits: &Arc<Limits>) -> Result<Vec<Swept>, Fault> {
        let due = self.accounts.due(&limits.scope, SWEEP_MOST).await?;
        let ends = due.iter().map(|id| {
            self.accounts.end(limits, *id, &Ending::Expired, None)
        });
        let replies = join_all(ends).await;
        let mut swept = Vec::new();
        for (id, reply) in due.iter().zip(replies) {
            // What failed is found again by the next sweep, here or on another replica.
            if let Ok(SettleReply::Applied(applied)) = reply {
                swept.push(Swept { id: *id, applied });
            }
        }
        Ok(swept)
    }

    async fn usage(&self, team: &Scope, first: &str, last: &str) -> Result<Vec<UsageRow>, Fault> {
        const DAY_MS: i64 = 24 * 3_600_000;
        let today = self.accounts.clock.now().millis() / DAY_MS;
        let kept = i64::try_from(KEPT_DAYS).expect("a month");
        // One day more on both ends, for clocks that differ.
        let days = today - kept..=today + 1;
        let named = days.map(|day| {
            let name = utc(Timestamp::from_millis(day * DAY_MS)).format("%Y-%m-%d");
            (day, Arc::<str>::from(name.to_string()))
        });
        let wanted: Vec<_> = named
            .filter(|(_, name)| first <= &**name && &**name <= last)
            .collect();
        let prefix = Keys::of(team).usage();
        let reads = wanted.iter().map(|(day, _)| {
            let key = format!("{prefix}{day}");
            let wire = &self.accounts.wire;
            async move { wire.send("usage", redis::cmd("HGETALL").arg(key)).await }
        });
        let mut rows = Vec::new();
        for ((_, day), value) in wanted.iter().zip(join_all(reads).await) {
            let pairs: Vec<(Vec<u8>, Vec<u8>)> =
                redis::FromRedisValue::from_redis_value(value?).map_err(|error| {
                    Fault::Wrong(error.to_string())
                })?;
            let mut of_day = Vec::new();
            for (field, value) in pairs {
                of_day.extend(reply::row(&field, &value)?);
            }
            of_day.sort_by(|(a, _), (b, _)| a.cmp(b));
            rows.extend(of_day.into_iter().map(|(key, sum)| UsageRow {
                day: Arc::clone(day),
                key,
                sum,
            }));
        }
        Ok(rows)
    }
}

mod port;

#[cfg(test)]
mod tests;
