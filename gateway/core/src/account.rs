//! The account of one scope: its buckets, gauges and budgets, and every hold on them.
//!
//! This is the rule book of admission. The in-process store keeps accounts in memory; the Redis
//! scripts do the same in Lua and are checked against this, call by call.
//!
//! Upheld after every call: `spent` is the sum of all endings, `held` is the sum of all open
//! holds, a gauge counts the open holds, and a refusal changes no balance.

mod ending;
mod reply;
mod taking;
mod view;

use crate::{
    HoldId, Money, Timestamp,
    bucket::Bucket,
    budget::{Balance, BudgetSpec},
    hold::{HoldRequest, Need, State},
    limit::{BucketSpec, Limits, Unit},
};
pub use ending::{Applied, SettleReply};
pub use reply::{Cure, Held, HoldReply, Refusal, Refused};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};
use taking::over;

/// The name of a run's own budget in balances and refusals.
pub const RUN: &str = "run";

/// How long a run's budget is kept after its last hold: 7 days.
pub const RUN_KEPT_MS: u64 = 7 * 24 * 3_600_000;

/// How long ended holds are remembered, so that a repeated or late message finds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Settled and cancelled holds.
    pub ended_ms: u64,
    /// Expired holds, which may still be corrected.
    pub expired_ms: u64,
}

/// Everything that is known of one scope.
#[derive(Debug, Default)]
pub struct Account {
    buckets: BTreeMap<Arc<str>, Bucket>,
    gauges: BTreeMap<Arc<str>, u64>,
    counters: BTreeMap<CounterKey, Counter>,
    runs: BTreeMap<Arc<str>, RunBudget>,
    open: HashMap<HoldId, OpenHold>,
    ended: HashMap<HoldId, Ended>,
    /// Settled and cancelled holds in the order in which they are forgotten.
    forget: VecDeque<(Timestamp, HoldId)>,
    /// Expired holds likewise; they are kept longer.
    forget_expired: VecDeque<(Timestamp, HoldId)>,
    cooldown_until: Option<Timestamp>,
}

/// A budget and one of its windows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey {
    /// `day`, `month`, or `run`.
    pub budget: Arc<str>,
    /// The id of the window; for a run, the run.
    pub window: Arc<str>,
}

/// The money of one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// What endings charged.
    pub spent: Money,
    /// What open holds took.
    pub held: Money,
    /// What was added to the bound for this window.
    pub topped_up: Money,
    /// The highest mark that was reported, in thousandths.
    pub crossed_permille: u16,
    /// When the window ends; `None` for a run.
    pub ends_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct RunBudget {
    limit: Money,
    last_used: Timestamp,
}

#[derive(Clone, Debug)]
struct OpenHold {
    need: Need,
    amount: Money,
    counters: Vec<CounterKey>,
    gauges: Vec<Arc<str>>,
    lease_until: Timestamp,
}

#[derive(Clone, Debug)]
struct Ended {
    state: State,
    need: Need,
    amount: Money,
    counters: Vec<CounterKey>,
}

impl Account {
    /// Adds `extra` to an open hold in all its budgets, or in none.
    ///
    /// Returns whether it was added. An unknown or ended hold is not extended.
    pub fn extend(&mut self, limits: &Limits, id: HoldId, extra: Money, now: Timestamp) -> bool {
        let Some(hold) = self.open.get(&id) else {
            return false;
        };
        let fits = hold.counters.iter().all(|key| {
            let balance = self.balance_by_key(limits, key, now);
            balance.is_none_or(|balance| over(balance, extra).is_none())
        });
        if !fits {
            return false;
        }
        let counters = hold.counters.clone();
        for key in &counters {
            if let Some(counter) = self.counters.get_mut(key) {
                counter.held = counter.held.plus(extra);
            }
        }
        if let Some(hold) = self.open.get_mut(&id) {
            hold.amount = hold.amount.plus(extra);
        }
        true
    }

    /// Gives back what an extension took, because it could not be written down.
    pub fn take_back(&mut self, id: HoldId, extra: Money) {
        let Some(hold) = self.open.get_mut(&id) else {
            return;
        };
        hold.amount = hold.amount.minus(extra);
        for key in &hold.counters {
            if let Some(counter) = self.counters.get_mut(key) {
                counter.held = counter.held.minus(extra);
            }
        }
    }

    /// Prolongs the leases of holds whose calls still run. Returns those that are not open.
    pub fn renew(&mut self, ids: &[HoldId], lease_ms: u64, now: Timestamp) -> Vec<HoldId> {
        let mut gone = Vec::new();
        for id in ids {
            match self.open.get_mut(id) {
                Some(hold) => hold.lease_until = hold.lease_until.max(now + lease_ms),
                None => gone.push(*id),
            }
        }
        gone
    }

    /// Leaves the scope alone until `now + wait_ms`, because its provider said so.
    pub fn cool_down(&mut self, wait_ms: u64, now: Timestamp) {
        let until = now + wait_ms;
        self.cooldown_until = Some(self.cooldown_until.map_or(until, |old| old.max(until)));
    }

    /// Lowers the buckets of `unit` to what the provider says is left.
    pub fn observe(&mut self, limits: &Limits, unit: Unit, remaining: u64, now: Timestamp) {
        for spec in limits.buckets.iter().filter(|spec| spec.unit == unit) {
            let bucket = self.bucket(spec, now);
            bucket.refill(spec, now);
            bucket.observe(spec, remaining);
        }
    }

    /// Raises the bound of a budget's window that is current at `now`.
    pub fn top_up(&mut self, spec: &BudgetSpec, amount: Money, now: Timestamp) -> Balance {
        let window = spec.calendar.window_at(now);
        let counter = self.counter(&key(&spec.name, &window.id), window.ends_at, now);
        counter.topped_up = counter.topped_up.plus(amount);
        // A higher bound can be approached again, and is worth a new warning.
        counter.crossed_permille = 0;
        self.balance_of(spec, &window)
    }

    /// Puts back what a ledger or another store remembers.
    pub fn restore(&mut self, key: CounterKey, counter: Counter) {
        self.counters.insert(key, counter);
    }

    /// Puts back the bound of a run.
    pub fn restore_run(&mut self, run: Arc<str>, limit: Money, last_used: Timestamp) {
        self.runs.insert(run, RunBudget { limit, last_used });
    }

    /// The buckets as they are now, to look at.
    fn refilled_all(&self, limits: &Limits, now: Timestamp) -> Vec<Bucket> {
        let refilled = |spec| self.refilled(spec, now);
        limits.buckets.iter().map(refilled).collect()
    }

    /// The bucket as it is now, to look at.
    fn refilled(&self, spec: &BucketSpec, now: Timestamp) -> Bucket {
        let known = self.buckets.get(&spec.name).cloned();
        let mut bucket = known.unwrap_or_else(|| Bucket::full(spec, now));
        bucket.refill(spec, now);
        bucket
    }

    fn put(&mut self, spec: &BucketSpec, bucket: Bucket) {
        // Not `insert` alone, so that a bucket that is there costs no name.
        match self.buckets.get_mut(&spec.name) {
            Some(known) => *known = bucket,
            None => drop(self.buckets.insert(Arc::clone(&spec.name), bucket)),
        }
    }

    fn bucket(&mut self, spec: &BucketSpec, now: Timestamp) -> &mut Bucket {
        // Looked up twice so that a bucket that is there costs no allocation.
        if !self.buckets.contains_key(&spec.name) {
            self.buckets
                .insert(Arc::clone(&spec.name), Bucket::full(spec, now));
        }
        self.buckets.get_mut(&spec.name).expect("just inserted")
    }

    /// The counter, made if new. A new window is the moment to drop windows that are long over.
    fn counter(
        &mut self,
        key: &CounterKey,
        ends_at: Option<Timestamp>,
        now: Timestamp,
    ) -> &mut Counter {
        if !self.counters.contains_key(key) {
            self.drop_old_windows(now);
            let counter = Counter {
                ends_at,
                ..Counter::default()
            };
            self.counters.insert(key.clone(), counter);
        }
        self.counters.get_mut(key).expect("just inserted")
    }

    fn run_conflict(&self, request: &HoldRequest) -> Option<Money> {
        let run = request.run.as_ref()?;
        let known = self.runs.get(&run.run)?;
        (known.limit != run.limit).then_some(known.limit)
    }
}

fn key(budget: &Arc<str>, window: &Arc<str>) -> CounterKey {
    CounterKey {
        budget: Arc::clone(budget),
        window: Arc::clone(window),
    }
}

#[cfg(test)]
mod tests;
