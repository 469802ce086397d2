//! What an account shows: balances, crossings, and the sums that checks compare.

use super::{Account, Counter, CounterKey, RUN, Refusal, key};
use crate::{
    HoldId, Money, Timestamp,
    budget::{Balance, BudgetSpec, Crossing, Window},
    hold::{RunTake, State},
    limit::Limits,
};
use std::sync::Arc;

impl Account {
    /// The balances of all budgets as of `now`.
    #[must_use]
    pub fn balances(&self, limits: &Limits, now: Timestamp) -> Vec<Balance> {
        limits
            .budgets
            .iter()
            .map(|spec| self.balance_of(spec, &spec.calendar.window_at(now)))
            .collect()
    }

    /// The balance of a run's own budget, if it has one.
    #[must_use]
    pub fn run(&self, run: &Arc<str>) -> Option<Balance> {
        let limit = self.runs.get(run)?.limit;
        let run = Arc::clone(run);
        Some(self.run_balance(&RunTake { run, limit }))
    }

    /// All counters, past windows included.
    pub fn counters(&self) -> impl Iterator<Item = (&CounterKey, &Counter)> {
        self.counters.iter()
    }

    /// One counter, if it was ever used.
    #[must_use]
    pub fn counter_of(&self, key: &CounterKey) -> Option<&Counter> {
        self.counters.get(key)
    }

    /// The bound of a run, if its first call set one.
    #[must_use]
    pub fn run_limit(&self, run: &Arc<str>) -> Option<Money> {
        self.runs.get(run).map(|run| run.limit)
    }

    /// The state of a hold, if it is remembered.
    #[must_use]
    pub fn state(&self, id: HoldId) -> Option<State> {
        if self.open.contains_key(&id) {
            return Some(State::Open);
        }
        self.ended.get(&id).map(|ended| ended.state)
    }

    /// How many holds are open.
    #[must_use]
    pub fn open_holds(&self) -> usize {
        self.open.len()
    }

    /// How many ended holds are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.ended.len()
    }

    /// The sum of what open holds took from one counter: must equal its `held`.
    #[must_use]
    pub fn held_by_open(&self, key: &CounterKey) -> Money {
        self.open
            .values()
            .filter(|hold| hold.counters.contains(key))
            .map(|hold| hold.amount)
            .sum()
    }

    /// The counters that an open hold took from; empty for any other.
    #[must_use]
    pub fn counters_held_by(&self, id: HoldId) -> Vec<CounterKey> {
        let hold = self.open.get(&id);
        hold.map(|hold| hold.counters.clone()).unwrap_or_default()
    }

    /// What an open hold took, extensions included; zero for any other.
    #[must_use]
    pub fn amount_of(&self, id: HoldId) -> Money {
        self.open.get(&id).map_or(Money::ZERO, |hold| hold.amount)
    }

    /// The count of a gauge: must equal the number of open holds under it.
    #[must_use]
    pub fn gauge(&self, name: &str) -> u64 {
        self.gauges.get(name).copied().unwrap_or(0)
    }

    /// The level of a bucket in units times milliseconds; `None` if it was never used.
    #[must_use]
    pub fn level(&self, name: &str) -> Option<i64> {
        self.buckets.get(name).map(crate::bucket::Bucket::level)
    }

    pub(super) fn balance_of(&self, spec: &BudgetSpec, window: &Window) -> Balance {
        let counter = self.counters.get(&key(&spec.name, &window.id));
        let topped_up = counter.map_or(Money::ZERO, |counter| counter.topped_up);
        Balance {
            name: Arc::clone(&spec.name),
            window: window.clone(),
            limit: spec.limit.map(|limit| limit.plus(topped_up)),
            hard: spec.hard,
            spent: counter.map_or(Money::ZERO, |counter| counter.spent),
            held: counter.map_or(Money::ZERO, |counter| counter.held),
        }
    }

    pub(super) fn run_balance(&self, run: &RunTake) -> Balance {
        let counter = self.counters.get(&key(&RUN.into(), &run.run));
        Balance {
            name: RUN.into(),
            window: Window {
                id: Arc::clone(&run.run),
                ends_at: None,
            },
            limit: Some(run.limit),
            hard: true,
            spent: counter.map_or(Money::ZERO, |counter| counter.spent),
            held: counter.map_or(Money::ZERO, |counter| counter.held),
        }
    }

    /// The balance of a counter that a hold refers to; `None` if its budget is no more configured.
    pub(super) fn balance_by_key(
        &self,
        limits: &Limits,
        key: &CounterKey,
        now: Timestamp,
    ) -> Option<Balance> {
        if &*key.budget == RUN {
            return self.run(&key.window);
        }
        let spec = limits.budgets.iter().find(|spec| spec.name == key.budget)?;
        let mut window = spec.calendar.window_at(now);
        if window.id != key.window {
            // The hold was made in an earlier window and stays there.
            window = Window {
                id: Arc::clone(&key.window),
                ends_at: self.counters.get(key).and_then(|counter| counter.ends_at),
            };
        }
        Some(self.balance_of(spec, &window))
    }

    /// Marks that the charged counters have passed and that were not reported yet.
    pub(super) fn crossings(
        &mut self,
        limits: &Limits,
        counters: &[CounterKey],
        now: Timestamp,
    ) -> Vec<Crossing> {
        let mut crossings = Vec::new();
        for key in counters {
            let Some(spec) = limits.budgets.iter().find(|spec| spec.name == key.budget) else {
                continue;
            };
            let Some(balance) = self.balance_by_key(limits, key, now) else {
                continue;
            };
            let Some(limit) = balance.limit else { continue };
            let crossed = self.counters.get(key).map_or(0, |c| c.crossed_permille);
            let passed = spec
                .marks
                .iter()
                .filter(|mark| mark.permille > crossed && balance.spent >= mark.reached_at(limit));
            let passed: Vec<u16> = passed.map(|mark| mark.permille).collect();
            if let (Some(highest), Some(counter)) =
                (passed.iter().max(), self.counters.get_mut(key))
            {
                counter.crossed_permille = *highest;
            }
            crossings.extend(passed.into_iter().map(|permille| Crossing {
                balance: balance.clone(),
                permille,
            }));
        }
        crossings
    }

    /// The first refusal of a budget is its 100 %, even while some of it is only held.
    pub(super) fn refusal_crossing(
        &mut self,
        limits: &Limits,
        refusal: &Refusal,
    ) -> Option<Crossing> {
        const FULL: u16 = 1_000;
        let Refusal::Budget { balance, .. } = refusal else {
            return None;
        };
        let spec = limits.budgets.iter().find(|s| s.name == balance.name)?;
        if !spec.marks.iter().any(|mark| mark.permille == FULL) {
            return None;
        }
        let key = key(&balance.name, &balance.window.id);
        let counter = self.counters.entry(key).or_default();
        counter.ends_at = balance.window.ends_at;
        if counter.crossed_permille >= FULL {
            return None;
        }
        counter.crossed_permille = FULL;
        Some(Crossing {
            balance: balance.clone(),
            permille: FULL,
        })
    }
}
