//! Accounts in Redis: each decision is one script, tried once.
//!
//! What the core's `Account` does in memory, call by call. Repeating, queueing and repairing is
//! done around this, in `store/redis.rs`.

use super::{
    args::{self, Mode, Windows},
    fault::Fault,
    keys::Keys,
    reply::{self, Opened},
    script::{Script, Scripts},
    wire::Wire,
};
use crate::{clock::Clock, ledger::CallRecord, store::failover::is_replay};
use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{HoldReply, Memory, Refusal, SettleReply},
    hold::{Ending, HoldRequest},
    limit::{Limits, Scope, Unit},
};

/// How often windows are computed for one call: by the gateway's clock, then by Redis'.
pub(super) const TRIES: usize = 2;

/// Accounts in Redis.
pub(super) struct Accounts {
    pub(super) wire: Wire,
    pub(super) scripts: Arc<Scripts>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) memory: Memory,
    /// How far Redis' clock is ahead of ours, once it mattered.
    ahead_ms: AtomicI64,
    windows: RwLock<HashMap<Scope, Known>>,
}

/// Limits that were checked, with their windows.
#[derive(Clone)]
struct Known {
    limits: Arc<Limits>,
    windows: Arc<Windows>,
}

impl Accounts {
    pub(super) fn new(
        wire: Wire,
        scripts: Arc<Scripts>,
        clock: Arc<dyn Clock>,
        memory: Memory,
    ) -> Self {
        Self {
            wire,
            scripts,
            clock,
            memory,
            ahead_ms: AtomicI64::new(0),
            windows: RwLock::default(),
        }
    }

    /// Redis' time, as far as it is known.
    fn now(&self) -> Timestamp {
        let ours = self.clock.now().millis();
        Timestamp::from_millis(ours.saturating_add(self.ahead_ms.load(Relaxed)))
    }

    /// Redis says that it is `now`.
    pub(super) fn learn(&self, now: Timestamp) {
        let ahead = now.millis().saturating_sub(self.clock.now().millis());
        self.ahead_ms.store(ahead, Relaxed);
    }

    pub(super) fn windows(&self, limits: &Arc<Limits>) -> Result<Arc<Windows>, Fault> {
        let now = self.now();
        let known = self.windows.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&limits.scope)
            && Arc::ptr_eq(&known.limits, limits)
            && known.windows.cover(now)
        {
            return Ok(Arc::clone(&known.windows));
        }
        drop(known);
        args::check(limits)?;
        let windows = Arc::new(Windows::around(limits, now));
        let known = Known {
            limits: Arc::clone(limits),
            windows: Arc::clone(&windows),
        };
        let mut all = self.windows.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(limits.scope.clone(), known);
        Ok(windows)
    }

    pub(super) async fn run(
        &self,
        what: &'static str,
        script: &Script,
        keys: &[String],
        args: &[&[u8]],
    ) -> Result<Vec<u8>, Fault> {
        self.wire.run(what, script, keys, args).await
    }

    /// Takes all that the request asks for, or nothing.
    pub(super) async fn hold(
        &self,
        limits: &Arc<Limits>,
        request: &HoldRequest,
    ) -> Result<HoldReply, Fault> {
        let mode = if request.force {
            Mode::Force
        } else {
            Mode::Take
        };
        self.ask(limits, request, mode).await
    }

    /// What would refuse it now. Writes nothing.
    pub(super) async fn probe(
        &self,
        limits: &Arc<Limits>,
        request: &HoldRequest,
    ) -> Result<Vec<Refusal>, Fault> {
        match self.ask(limits, request, Mode::Probe).await? {
            HoldReply::Refused(refused) => Ok(refused.refusals),
            other => Err(Fault::Wrong(format!("a probe was answered {other:?}"))),
        }
    }

    async fn ask(
        &self,
        limits: &Arc<Limits>,
        request: &HoldRequest,
        mode: Mode,
    ) -> Result<HoldReply, Fault> {
        for _ in 0..TRIES {
            let windows = self.windows(limits)?;
            let packed = args::hold(limits, request, &windows, mode)?;
            match self.hold_once(limits, request, &windows, &packed).await? {
                Ok(reply) => return Ok(reply),
                Err(now) => self.learn(now),
            }
        }
        Err(Fault::Wrong("the clocks differ by days".to_owned()))
    }

    /// Puts back a hold that was granted at `granted`, into the windows of that time.
    pub(super) async fn reassert(
        &self,
        limits: &Arc<Limits>,
        request: &HoldRequest,
        granted: Timestamp,
    ) -> Result<HoldReply, Fault> {
        let windows = Windows::pinned(limits, granted);
        let packed = args::hold(limits, request, &windows, Mode::Pinned)?;
        let reply = self.hold_once(limits, request, &windows, &packed).await?;
        reply.map_err(|_| Fault::Wrong("a pinned window has no clock".to_owned()))
    }

    /// The keys of a hold.
    pub(super) fn names(limits: &Limits, request: &HoldRequest) -> Vec<String> {
        let keys = Keys::of(&limits.scope);
        let mut names = vec![
            keys.account(),
            keys.record(request.id),
            keys.leases(),
            keys.outbox(),
        ];
        names.extend(request.run.as_ref().map(|run| keys.run(&run.run)));
        names
    }

    /// The reply, or Redis' time if the windows are not those of it.
    async fn hold_once(
        &self,
        limits: &Limits,
        request: &HoldRequest,
        windows: &Windows,
        packed: &[u8],
    ) -> Result<Result<HoldReply, Timestamp>, Fault> {
        let names = Self::names(limits, request);
        let answer = self
            .run("hold", &self.scripts.hold, &names, &[packed])
            .await?;
        let opened = reply::open(&answer)?;
        let now = opened.now;
        Ok(reply::hold(opened, limits, request, windows)?.ok_or(now))
    }

    /// Adds money to an open hold, in all its budgets or in none.
    pub(super) async fn extend(
        &self,
        limits: &Arc<Limits>,
        id: HoldId,
        extra: Money,
    ) -> Result<bool, Fault> {
        self.windows(limits)?;
        let packed = args::extend(limits, extra)?;
        let keys = Keys::of(&limits.scope);
        let names = [keys.account(), keys.record(id)];
        let answer = self
            .run("extend", &self.scripts.extend, &names, &[&packed])
            .await?;
        let Opened { mut rest, .. } = reply::open(&answer)?;
        Ok(rest.int()? == 1)
    }

    /// Ends a hold.
    pub(super) async fn end(
        &self,
        limits: &Arc<Limits>,
        id: HoldId,
        ending: &Ending,
        record: Option<&Arc<CallRecord>>,
    ) -> Result<SettleReply, Fault> {
        self.windows(limits)?;
        let mut memory = self.memory;
        if is_replay(id) {
            memory.ended_ms = memory.expired_ms;
        }
        let packed = args::settle(limits, id, ending, record, memory)?;
        let call = record.map(serde_json::to_vec).transpose();
        let call = call.map_err(|error| Fault::Wrong(error.to_string()))?;
        let keys = Keys::of(&limits.scope);
        let names = [
            keys.account(),
            keys.record(id),
            keys.leases(),
            keys.outbox(),
            keys.usage(),
        ];
        let args: [&[u8]; 2] = [&packed, call.as_deref().unwrap_or_default()];
        let answer = self.run("settle", &self.scripts.settle, &names, &args);
        let answer = answer.await?;
        reply::settle(reply::open(&answer)?, limits, ending)
    }

    /// Prolongs leases. Returns the holds that are not open.
    pub(super) async fn renew(
        &self,
        scope: &Scope,
        ids: &[HoldId],
        lease_ms: u64,
    ) -> Result<Vec<HoldId>, Fault> {
        /// Lua can't pass on many more at once.
        const MOST: usize = 1_000;
        let mut gone = Vec::new();
        for ids in ids.chunks(MOST) {
            let packed = args::renew(ids, lease_ms);
            let names = [Keys::of(scope).leases()];
            let answer = self
                .run("renew", &self.scripts.renew, &names, &[&packed])
                .await?;
            gone.extend(reply::renew(reply::open(&answer)?, ids)?);
        }
        Ok(gone)
    }

    /// Holds whose leases ran out.
    pub(super) async fn due(&self, scope: &Scope, most: usize) -> Result<Vec<HoldId>, Fault> {
        let mut packed = super::pack::Packer::new();
        packed.length(most);
        let names = [Keys::of(scope).leases()];
        let packed = packed.finish();
        let answer = self
            .run("sweep", &self.scripts.due, &names, &[&packed])
            .await?;
        reply::due(reply::open(&answer)?)
    }

    /// Leaves a deployment alone for a while.
    pub(super) async fn cool_down(&self, scope: &Scope, wait_ms: u64) -> Result<(), Fault> {
        let packed = args::cool_down(wait_ms);
        self.provider("cool_down", scope, &packed).await
    }

    /// Lowers buckets to what a provider says is left.
    pub(super) async fn observe(
        &self,
        limits: &Arc<Limits>,
        unit: Unit,
        remaining: u64,
    ) -> Result<(), Fault> {
        self.windows(limits)?;
        let packed = args::observe(limits, unit, remaining);
        self.provider("observe", &limits.scope, &packed).await
    }

    async fn provider(
        &self,
        what: &'static str,
        scope: &Scope,
        packed: &[u8],
    ) -> Result<(), Fault> {
        let names = [Keys::of(scope).account()];
        let answer = self
            .run(what, &self.scripts.provider, &names, &[packed])
            .await?;
        reply::open(&answer)?;
        Ok(())
    }

    /// The balances of all budgets, and of a run if it has one.
    pub(super) async fn balances(
        &self,
        limits: &Arc<Limits>,
        run: Option<&Arc<str>>,
    ) -> Result<reply::Balances, Fault> {
        let keys = Keys::of(&limits.scope);
        let mut names = vec![keys.account()];
        names.extend(run.map(|run| keys.run(run)));
        for _ in 0..TRIES {
            let windows = match limits.budgets.is_empty() {
                // Nothing to look up, and nothing worth remembering.
                true => Arc::new(Windows::around(limits, self.now())),
                false => self.windows(limits)?,
            };
            let packed = args::balances(limits, &windows);
            let answer = self
                .run("balances", &self.scripts.balances, &names, &[&packed])
                .await?;
            let opened = reply::open(&answer)?;
            let now = opened.now;
            match reply::balances(opened, limits, &windows, run)? {
                Some(balances) => return Ok(balances),
                None => self.learn(now),
            }
        }
        Err(Fault::Wrong("the clocks differ by days".to_owned()))
    }
}
