//! The account of one scope: its buckets, gauges and budgets, and every hold on them.
//!
//! This is the rule book of admission. The in-process store keeps accounts in memory; the Redis
//! scripts do the same in Lua and are checked against this, call by call.
//!
//! Upheld after every call: `spent` is the sum of all endings, `held` is the sum of all open
//! holds, a gauge counts the open holds, and a refusal changes no balance.

mod ending;
mod view;

use crate::{
    HoldId, Money, Timestamp,
    bucket::{Ask, Bucket, Verdict},
    budget::{Balance, BudgetSpec, Crossing, Window},
    hold::{HoldRequest, Need, State},
    limit::{BucketSpec, Limits, Unit},
};
pub use ending::{Applied, SettleReply};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

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

/// What an account says to a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldReply {
    /// Taken, all of it.
    Held(Held),
    /// Nothing taken.
    Refused(Refused),
    /// This id asked before: nothing was taken again.
    Duplicate(State),
    /// The run has a budget of another amount.
    RunBudgetConflict {
        /// The amount that its first call set.
        limit: Money,
    },
}

/// What a granted hold took from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The time that was used.
    pub now: Timestamp,
    /// The budgets that apply, this hold included, in the order of the limits; a run's last.
    pub budgets: Vec<Balance>,
    /// Whole units left in each bucket, in the order of the limits.
    pub remaining: Vec<u64>,
}

/// Why a hold was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The time that was used.
    pub now: Timestamp,
    /// Everything that refuses, so that a caller does not learn it one by one.
    pub refusals: Vec<Refusal>,
    /// Marks that this refusal passed: the first refusal of a budget is its 100 %.
    pub crossings: Vec<Crossing>,
}

/// One limit or budget that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A bucket has too little now.
    Rate {
        /// The bucket.
        limit: Arc<str>,
        /// The time until the need fits, if nobody else takes.
        wait_ms: u64,
    },
    /// The need is larger than the bucket: it can never fit.
    Unsatisfiable {
        /// The bucket.
        limit: Arc<str>,
        /// What was asked for.
        need: u64,
        /// What the bucket holds when full.
        capacity: u64,
    },
    /// Too many holds are open.
    Concurrency {
        /// The gauge.
        limit: Arc<str>,
        /// Its bound.
        bound: u64,
    },
    /// The provider asked to be left alone.
    Cooldown {
        /// For how much longer.
        wait_ms: u64,
    },
    /// A budget has too little left.
    Budget {
        /// The budget as it is.
        balance: Balance,
        /// What was asked for.
        need: Money,
    },
}

/// Whether waiting can cure a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// After so many milliseconds.
    After(u64),
    /// As soon as another call ends, nobody knows when.
    Release,
    /// Not within this window, or never.
    None,
}

impl Refusal {
    /// What waiting does for it.
    #[must_use]
    pub fn cure(&self) -> Cure {
        match self {
            Self::Rate { wait_ms, .. } | Self::Cooldown { wait_ms } => Cure::After(*wait_ms),
            Self::Concurrency { .. } => Cure::Release,
            Self::Unsatisfiable { .. } => Cure::None,
            Self::Budget { balance, need } => match balance.limit {
                Some(limit) if balance.spent.plus(*need) > limit => Cure::None,
                _ => Cure::Release,
            },
        }
    }
}

impl Account {
    /// Takes everything that `request` asks for, or nothing.
    pub fn hold(&mut self, limits: &Limits, request: &HoldRequest, now: Timestamp) -> HoldReply {
        self.forget_old(now);
        if self.open.contains_key(&request.id) {
            return HoldReply::Duplicate(State::Open);
        }
        if let Some(ended) = self.ended.get(&request.id) {
            return HoldReply::Duplicate(ended.state);
        }
        if let Some(limit) = self.run_conflict(request) {
            return HoldReply::RunBudgetConflict { limit };
        }
        let windows = windows(limits, now);
        // Copies: a refusal leaves buckets as they were.
        let buckets = self.refilled_all(limits, now);
        let refusals = self.refusals(limits, request, (&buckets, &windows), now);
        if !refusals.is_empty() && !request.force {
            return HoldReply::Refused(self.refuse(limits, request, buckets, refusals, now));
        }
        HoldReply::Held(self.take(limits, request, buckets, &windows, now))
    }

    /// What would refuse `request` now. Takes nothing, leaves no earmark, passes no mark.
    #[must_use]
    pub fn probe(&self, limits: &Limits, request: &HoldRequest, now: Timestamp) -> Vec<Refusal> {
        let windows = windows(limits, now);
        self.refusals(
            limits,
            request,
            (&self.refilled_all(limits, now), &windows),
            now,
        )
    }

    /// Everything that refuses `request` now. Writes nothing.
    fn refusals(
        &self,
        limits: &Limits,
        request: &HoldRequest,
        (buckets, windows): (&[Bucket], &[Window]),
        now: Timestamp,
    ) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        if let Some(until) = self.cooldown_until.filter(|until| *until > now) {
            let wait_ms = until.since(now);
            refusals.push(Refusal::Cooldown { wait_ms });
        }
        for (spec, bucket) in limits.buckets.iter().zip(buckets) {
            let ask = ask(spec, request);
            match bucket.verdict(spec, now, ask) {
                Verdict::Fits => {}
                Verdict::Wait { wait_ms, .. } => refusals.push(Refusal::Rate {
                    limit: Arc::clone(&spec.name),
                    wait_ms,
                }),
                Verdict::Never => refusals.push(Refusal::Unsatisfiable {
                    limit: Arc::clone(&spec.name),
                    need: ask.need,
                    capacity: spec.capacity,
                }),
            }
        }
        for gauge in &limits.gauges {
            if self.gauges.get(&gauge.name).copied().unwrap_or(0) >= gauge.limit {
                refusals.push(Refusal::Concurrency {
                    limit: Arc::clone(&gauge.name),
                    bound: gauge.limit,
                });
            }
        }
        for (spec, window) in limits.budgets.iter().zip(windows) {
            refusals.extend(over(self.balance_of(spec, window), request.amount));
        }
        if let Some(run) = &request.run {
            refusals.extend(over(self.run_balance(run), request.amount));
        }
        refusals
    }

    /// Leaves an earmark for a caller that will wait, and marks budgets that refused.
    fn refuse(
        &mut self,
        limits: &Limits,
        request: &HoldRequest,
        buckets: Vec<Bucket>,
        refusals: Vec<Refusal>,
        now: Timestamp,
    ) -> Refused {
        let waits = refusals.iter().map(|refusal| match refusal {
            Refusal::Rate { wait_ms, .. } => Some(*wait_ms),
            _ => None,
        });
        let longest = waits
            .collect::<Option<Vec<u64>>>()
            .and_then(|w| w.into_iter().max());
        if let (Some(wait), Some(max)) = (longest, request.max_wait_ms)
            && wait <= max
        {
            for (spec, mut bucket) in limits.buckets.iter().zip(buckets) {
                let ask = ask(spec, request);
                if let Verdict::Wait {
                    may_earmark: true, ..
                } = bucket.verdict(spec, now, ask)
                {
                    bucket.earmark(now, wait, ask.need.saturating_add(ask.floor), request.id);
                    self.put(spec, bucket);
                }
            }
        }
        let crossings = refusals
            .iter()
            .filter_map(|refusal| self.refusal_crossing(limits, refusal))
            .collect();
        Refused {
            now,
            refusals,
            crossings,
        }
    }

    /// Writes a granted hold.
    fn take(
        &mut self,
        limits: &Limits,
        request: &HoldRequest,
        buckets: Vec<Bucket>,
        windows: &[Window],
        now: Timestamp,
    ) -> Held {
        let mut remaining = Vec::with_capacity(limits.buckets.len());
        for (spec, mut bucket) in limits.buckets.iter().zip(buckets) {
            bucket.take(spec, now, spec.unit.of(&request.need), request.id);
            remaining.push(bucket.remaining(spec));
            self.put(spec, bucket);
        }
        for gauge in &limits.gauges {
            *self.gauges.entry(Arc::clone(&gauge.name)).or_default() += 1;
        }
        let mut counters = Vec::with_capacity(windows.len() + 1);
        let mut budgets = Vec::with_capacity(windows.len() + 1);
        for (spec, window) in limits.budgets.iter().zip(windows) {
            let key = key(&spec.name, &window.id);
            let counter = self.counter(&key, window.ends_at, now);
            counter.held = counter.held.plus(request.amount);
            counters.push(key);
            budgets.push(self.balance_of(spec, window));
        }
        if let Some(run) = &request.run {
            let key = key(&RUN.into(), &run.run);
            let counter = self.counter(&key, None, now);
            counter.held = counter.held.plus(request.amount);
            counters.push(key);
            let (limit, last_used) = (run.limit, now);
            self.runs
                .insert(Arc::clone(&run.run), RunBudget { limit, last_used });
            budgets.push(self.run_balance(run));
        }
        let hold = OpenHold {
            need: request.need,
            amount: request.amount,
            counters,
            gauges: limits.gauges.iter().map(|g| Arc::clone(&g.name)).collect(),
            lease_until: now + request.lease_ms,
        };
        self.open.insert(request.id, hold);
        Held {
            now,
            budgets,
            remaining,
        }
    }

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

fn windows(limits: &Limits, now: Timestamp) -> Vec<Window> {
    let window = |budget: &BudgetSpec| budget.calendar.window_at(now);
    limits.budgets.iter().map(window).collect()
}

fn ask(spec: &BucketSpec, request: &HoldRequest) -> Ask {
    Ask {
        need: spec.unit.of(&request.need),
        floor: spec
            .capacity
            .saturating_mul(u64::from(request.floor_permille))
            / 1_000,
        asker: request.id,
    }
}

/// The refusal of a hard budget that has not `need` left.
fn over(balance: Balance, need: Money) -> Option<Refusal> {
    let limit = balance.limit.filter(|_| balance.hard)?;
    (balance.spent.plus(balance.held).plus(need) > limit)
        .then_some(Refusal::Budget { balance, need })
}

#[cfg(test)]
mod tests;
