//! What happens while the shared store gives no answer: a policy, in one place.
//!
//! Hard budgets are refused, or have a small grace; rates and concurrency go to this replica's
//! part of the limits. What is granted here is settled here, and its charge is told to the shared
//! store when it answers again.

pub mod journal;
mod local;
mod port;
mod replay;

use super::{
    Reply, Settlement, Store, Swept, UsageRow,
    event::{StoreEvent, StoreObserver},
    memory::MemoryStore,
};
use crate::{
    clock::Clock,
    error::StoreError,
    ledger::{Entry, Journal, Place},
};
use futures_util::future::FutureExt as _;
use journal::{Journal as OwnJournal, Unlanded};
pub(super) use replay::is_replay;
use replay::{Replay, Replays};
use std::{
    collections::HashMap,
    io,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tollgate_core::{
    HoldId, Money,
    account::{HoldReply, Refusal, SettleReply},
    budget::Balance,
    hold::HoldRequest,
    limit::{Limits, Scope, Unit},
};

/// What happens without the shared store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// To rates and concurrency.
    pub limits: LimitsWithout,
    /// To hard budgets, those of runs included.
    pub budgets: BudgetsWithout,
    /// How many gateways share the limits.
    pub replicas: NonZeroU32,
}

/// What happens to rates and concurrency without the shared store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsWithout {
    /// Each replica keeps to 80 % of its part.
    LocalFraction,
    /// They are not enforced.
    Open,
    /// Calls are refused.
    Deny,
}

/// What happens to hard budgets without the shared store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetsWithout {
    /// Calls are refused: a budget that can't be looked at is not spent.
    Deny,
    /// Calls are admitted up to an amount, shared by the replicas, for a while.
    Grace {
        /// The most that all replicas may spend per budget and window without the store.
        most: Money,
        /// For how long after the store was lost.
        longest: Duration,
    },
    /// They are not enforced, only counted.
    Open,
}

/// A store that goes on without the shared one, as far as the policy allows.
pub struct Failover {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

struct Shared {
    primary: Arc<dyn Store>,
    local: MemoryStore,
    policy: Policy,
    observer: Arc<dyn StoreObserver>,
    /// Holds that were granted here.
    granted: Mutex<HashMap<HoldId, Granted>>,
    /// Since when scopes are decided here.
    since: Mutex<HashMap<Scope, Instant>>,
    /// How many those are, so that the common case takes no lock.
    degraded: AtomicUsize,
    replays: Replays,
    /// What of all this outlives the process.
    journal: Option<Arc<OwnJournal>>,
}

/// A hold that was granted here.
#[derive(Clone, Debug)]
struct Granted {
    /// The limits of the configuration, for the shared store.
    limits: Arc<Limits>,
    /// This replica's part of them.
    part: Arc<Limits>,
    request: HoldRequest,
}

/// Remembers nothing: what counts is told to the shared store, and noted in a journal of its own.
struct NoJournal;

impl Journal for NoJournal {
    fn write(&self, _: Entry) -> io::Result<()> {
        Ok(())
    }

    fn queue(&self, _: Entry) {}

    fn enter(&self, _: Entry) -> io::Result<Place> {
        Ok(Place(0))
    }

    fn write_out(&self, _: Place) -> io::Result<()> {
        Ok(())
    }
}

impl Failover {
    /// Goes on without `primary` as `policy` says. Without a journal a kill loses the charges that
    /// the shared store was not told of.
    #[must_use]
    pub fn new(
        primary: Arc<dyn Store>,
        policy: Policy,
        (clock, observer): (Arc<dyn Clock>, Arc<dyn StoreObserver>),
        journal: Option<Arc<OwnJournal>>,
        tasks: &TaskTracker,
    ) -> Arc<Self> {
        let shared = Arc::new(Shared {
            primary,
            local: MemoryStore::new(clock, Arc::new(NoJournal)),
            policy,
            observer,
            granted: Mutex::default(),
            since: Mutex::default(),
            degraded: AtomicUsize::new(0),
            replays: Replays::default(),
            journal,
        });
        let stop = CancellationToken::new();
        tasks.spawn(replay::repeat(Arc::downgrade(&shared), stop.clone()));
        Arc::new(Self { shared, stop })
    }

    /// Tells the shared store of what a journal had left, with the limits of its team.
    pub fn restore(&self, left: Unlanded, limits: Arc<Limits>) {
        self.shared.replays.push(Replay::left(left, limits));
    }

    /// Whether charges that wait outlive this process.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        self.shared.journal.is_some()
    }

    /// Tells the shared store of the charges that wait, until `deadline`. Returns how many still
    /// wait.
    pub async fn flush(&self, deadline: Instant) -> usize {
        let all = async {
            while self.shared.repeat_all().await.is_err() {
                tokio::time::sleep(replay::PAUSE).await;
            }
        };
        let _ = tokio::time::timeout_at(deadline, all).await;
        self.replays_waiting()
    }

    /// How many charges wait to be told to the shared store.
    #[must_use]
    pub fn replays_waiting(&self) -> usize {
        self.shared.replays.len()
    }
}

impl Drop for Failover {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    fn granted(&self) -> MutexGuard<'_, HashMap<HoldId, Granted>> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since(&self) -> MutexGuard<'_, HashMap<Scope, Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shared store answered for a scope.
    fn answered(&self, scope: &Scope) {
        if self.degraded.load(Relaxed) == 0 {
            return;
        }
        let mut all = self.since();
        let since = all.remove(scope);
        self.degraded.store(all.len(), Relaxed);
        drop(all);
        if let Some(since) = since {
            self.observer.happened(&StoreEvent::Restored {
                scope: scope.clone(),
                after: since.elapsed(),
            });
        }
    }

    /// The shared store gave no answer for a scope. Returns for how long it has not.
    fn missed(&self, scope: &Scope) -> Duration {
        let mut all = self.since();
        if let Some(since) = all.get(scope) {
            return since.elapsed();
        }
        all.insert(scope.clone(), Instant::now());
        self.degraded.store(all.len(), Relaxed);
        drop(all);
        let scope = scope.clone();
        self.observer.happened(&StoreEvent::Degraded { scope });
        Duration::ZERO
    }

    async fn hold(
        &self,
        limits: &Arc<Limits>,
        request: HoldRequest,
    ) -> Result<HoldReply, StoreError> {
        match self.primary.hold(limits, request.clone()).await {
            Ok(reply) => {
                self.answered(&limits.scope);
                Ok(reply)
            }
            Err(error) => self.without(limits, request, error).await,
        }
    }

    async fn hold_both(
        &self,
        team: (&Arc<Limits>, HoldRequest),
        deployment: (&Arc<Limits>, HoldRequest),
    ) -> Result<(HoldReply, Option<HoldReply>), StoreError> {
        let (limits, request) = (team.0, team.1.clone());
        let scope = &deployment.0.scope;
        match self.primary.hold_both(team, deployment).await {
            Ok(replies) => {
                self.answered(&limits.scope);
                if replies.1.is_some() {
                    self.answered(scope);
                }
                Ok(replies)
            }
            Err(error) => Ok((self.without(limits, request, error).await?, None)),
        }
    }

    async fn settle(&self, settlement: Settlement) -> Result<SettleReply, StoreError> {
        // Taken out first, so that an ending that is repeated at the same time counts once.
        let granted = self.granted().remove(&settlement.id);
        let Some(granted) = granted else {
            return self.primary.settle(settlement).await;
        };
        let here = Settlement {
            limits: Arc::clone(&granted.part),
            ..settlement.clone()
        };
        let reply = self.local.settle(here).await?;
        match &reply {
            SettleReply::Applied(_) => self.replay(granted, &settlement),
            SettleReply::Alive => {
                self.granted().insert(settlement.id, granted);
            }
            SettleReply::Duplicate(_) | SettleReply::Unknown => {}
        }
        Ok(reply)
    }

    async fn extend(
        &self,
        limits: &Arc<Limits>,
        id: HoldId,
        extra: Money,
    ) -> Result<bool, StoreError> {
        let part = self.granted().get(&id).map(|g| Arc::clone(&g.part));
        let Some(part) = part else {
            return self.primary.extend(limits, id, extra).await;
        };
        let extended = self.local.extend(&part, id, extra).await?;
        if extended && let Some(granted) = self.granted().get_mut(&id) {
            let amount = granted.request.amount.plus(extra);
            if let Some(journal) = &self.journal {
                journal.extended(id, amount).map_err(unwritten)?;
            }
            granted.request.amount = amount;
        }
        Ok(extended)
    }

    async fn renew(
        &self,
        scope: &Scope,
        ids: &[HoldId],
        lease_ms: u64,
    ) -> Result<Vec<HoldId>, StoreError> {
        let (here, there): (Vec<HoldId>, Vec<HoldId>) = {
            let granted = self.granted();
            ids.iter().partition(|id| granted.contains_key(id))
        };
        let mut gone = self.local.renew(scope, &here, lease_ms).await?;
        if !there.is_empty() {
            gone.extend(self.primary.renew(scope, &there, lease_ms).await?);
        }
        Ok(gone)
    }

    async fn sweep(&self, limits: &Arc<Limits>) -> Result<Vec<Swept>, StoreError> {
        let mut all = Vec::new();
        let part = {
            let granted = self.granted();
            let mut of_scope = granted.values().filter(|g| g.limits.scope == limits.scope);
            of_scope.next().map(|granted| Arc::clone(&granted.part))
        };
        if let Some(part) = part {
            for swept in self.local.sweep(&part).await? {
                let granted = self.granted().remove(&swept.id);
                if let Some(granted) = granted {
                    let in_full = granted.in_full();
                    self.replay(granted, &in_full);
                }
                all.push(swept);
            }
        }
        match self.primary.sweep(limits).await {
            Ok(swept) => all.extend(swept),
            Err(error) if all.is_empty() => return Err(error),
            Err(_) => {}
        }
        Ok(all)
    }
}

fn unwritten(error: io::Error) -> StoreError {
    let detail = format!("the journal of the failover can't be written: {error}");
    StoreError { detail }
}

#[cfg(test)]
mod tests;
