//! Probes Redis once a second, and repeats what another Redis may not know.

use super::{
    Shared, checks,
    endings::Waiting,
    fault::Fault,
    keys::Keys,
    roll::{Finished, Granted},
};
use crate::store::event::StoreEvent;
use futures_util::{StreamExt as _, stream};
use redis::FromRedisValue as _;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tollgate_core::{Timestamp, account::HoldReply, limit::Scope};

/// How often Redis is probed.
const EVERY: Duration = Duration::from_secs(1);

/// How long a probe may take.
const PROBE: Duration = Duration::from_millis(500);

/// After so many failed probes the connection is dialed anew: its host may be gone.
const REDIAL_AFTER: u32 = 3;

/// How many repetitions are under way at once.
const AT_ONCE: usize = 64;

/// How long repeating may keep the gate shut.
const REPEATING: Duration = Duration::from_secs(10);

/// What was seen last.
#[derive(Default)]
struct Seen {
    /// Who answered, and with which data.
    identity: Option<String>,
    /// Since when the accounts are there of teams that this replica told of something lately. One
    /// shard of a cluster may lose its data while the mark lives on another.
    epochs: Epochs,
}

/// When the balances of teams were put into their accounts; `None` if they are gone.
type Epochs = HashMap<Scope, Option<Timestamp>>;

/// Probes until the store is dropped or told to stop.
pub(super) async fn watch(shared: Weak<Shared>, stop: CancellationToken) {
    let mut seen = Seen::default();
    let mut failures = 0;
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        match strong.probe(&mut seen).await {
            Ok(()) => failures = 0,
            Err(fault) => {
                failures += 1;
                strong.gate.note(Some(&fault));
                if failures % REDIAL_AFTER == 0 {
                    strong.accounts.wire.link.reset();
                }
            }
        }
        let gate = Arc::clone(&strong.gate);
        drop(strong);
        let pause = async {
            let _ = tokio::time::timeout(EVERY, gate.probe.notified()).await;
        };
        tokio::select! {
            () = pause => {}
            () = stop.cancelled() => return,
        }
    }
}

impl Shared {
    async fn probe(&self, seen: &mut Seen) -> Result<(), Fault> {
        let started = Instant::now();
        let link = &self.accounts.wire.link;
        let asked = async {
            let facts = link.facts().await?;
            Ok((facts, checks::life(link).await?))
        };
        let asked = tokio::time::timeout(PROBE, asked).await;
        let asked = asked.unwrap_or(Err(Fault::Timeout));
        let outcome = if asked.is_ok() { "ok" } else { "other" };
        self.observer.asked("ping", started.elapsed(), outcome);
        let (facts, life) = asked?;
        if let Some(why) = facts.iter().find_map(|facts| facts.unfit()) {
            // Sentinels may know a better one by now.
            self.accounts.wire.link.reset();
            return Err(Fault::Unfit(why.to_owned()));
        }
        let identity = checks::identity(&facts, &life);
        let known = &mut seen.identity;
        let known = known.get_or_insert_with(|| self.first_identity.clone());
        if *known != identity {
            self.gate
                .shut("another Redis answers, or the same after a restart or without its data");
            self.repeat(|_| true).await?;
            *known = identity;
        }
        self.gate.open();
        let (epochs, lost) = self.epochs(&seen.epochs).await?;
        if !lost.is_empty() {
            // Balances are rebuilt from the ledger, which may not have the last moments.
            self.repeat(|scope| lost.contains(scope)).await?;
        }
        // Not before that worked: what failed is repeated by the next probe.
        seen.epochs = epochs;
        Ok(())
    }

    /// The epochs of the teams that this replica told of something lately, and those teams whose
    /// accounts are gone or are newer than what it told: the epoch of an account is when its
    /// balances were put there.
    async fn epochs(&self, known: &Epochs) -> Result<(Epochs, HashSet<Scope>), Fault> {
        let asked = stream::iter(self.roll.teams())
            .map(|(scope, since)| async move { (self.epoch(&scope).await, scope, since) });
        let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        let (mut epochs, mut lost) = (Epochs::new(), HashSet::new());
        for (epoch, scope, since) in answers {
            let epoch = match epoch {
                Ok(epoch) => epoch,
                Err(fault) if fault.is_outage() => return Err(fault),
                // This team's keys are broken, and its calls say so.
                Err(_) => continue,
            };
            let is_lost = match known.get(&scope) {
                Some(known) => *known != epoch,
                None => epoch.is_none_or(|epoch| epoch >= since),
            };
            if is_lost && epoch.is_none() {
                self.ask_for_balances(&scope).await;
            }
            if is_lost {
                lost.insert(scope.clone());
            }
            epochs.insert(scope, epoch);
        }
        Ok((epochs, lost))
    }

    /// When the balances of a team were put into its account; `None` if it has none.
    async fn epoch(&self, scope: &Scope) -> Result<Option<Timestamp>, Fault> {
        let mut ask = redis::cmd("HGET");
        ask.arg(Keys::of(scope).account()).arg("ep");
        let answer = self.repairs.wire.send("ping", &ask).await?;
        let millis = Option::<i64>::from_redis_value(answer)
            .map_err(|error| Fault::Wrong(error.to_string()))?;
        Ok(millis.map(Timestamp::from_millis))
    }

    /// Tells Redis of open holds and recent endings of this replica.
    async fn repeat(&self, concerns: impl Fn(&Scope) -> bool) -> Result<(), Fault> {
        let (mut open, mut ended) = self.roll.all();
        open.retain(|granted| concerns(&granted.limits.scope));
        ended.retain(|finished| concerns(&finished.settlement.limits.scope));
        let (holds, endings) = (open.len(), ended.len());
        if holds + endings == 0 {
            return Ok(());
        }
        let all = async {
            // Holds first, for an ending puts back a hold that it misses.
            let open = stream::iter(open).map(|granted| self.repeat_hold(granted));
            let holds: Vec<bool> = open.buffer_unordered(AT_ONCE).collect().await;
            let ended = stream::iter(ended).map(|finished| self.repeat_ending(finished));
            let endings: Vec<bool> = ended.buffer_unordered(AT_ONCE).collect().await;
            holds.iter().chain(&endings).filter(|done| !**done).count()
        };
        let failed = tokio::time::timeout(REPEATING, all).await;
        let failed = failed.map_err(|_| Fault::Timeout)?;
        self.observer.happened(&StoreEvent::Reasserted {
            holds,
            endings,
            failed,
        });
        Ok(())
    }

    async fn repeat_hold(&self, granted: Granted) -> bool {
        let Granted {
            limits,
            request,
            at,
        } = &granted;
        match self.repairs.reassert(limits, request, *at).await {
            // Or it has ended meanwhile, by its lease: nothing to put back.
            Ok(HoldReply::Held(_) | HoldReply::Duplicate(_)) => true,
            // Without balances it is repeated when they were rebuilt.
            Ok(_) | Err(_) => false,
        }
    }

    async fn repeat_ending(&self, finished: Finished) -> bool {
        let Finished {
            settlement,
            granted,
            ..
        } = finished;
        let reply = self
            .end_with(&self.repairs, &settlement, granted.as_ref())
            .await;
        match reply {
            Ok(_) => true,
            Err(fault) if fault.is_passing() => {
                self.end_later(Waiting {
                    settlement,
                    first: Instant::now(),
                    granted,
                    told: None,
                });
                false
            }
            Err(_) => false,
        }
    }
}
