//! Taking a hold: all that it asks for, or nothing.

use super::{Account, Held, HoldReply, OpenHold, RUN, Refusal, Refused, RunBudget, key};
use crate::{
    Money, Timestamp,
    bucket::{Ask, Bucket, Verdict},
    budget::{Balance, BudgetSpec, Window},
    hold::{HoldRequest, State},
    limit::{BucketSpec, Limits},
};
use std::sync::Arc;

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
pub(super) fn over(balance: Balance, need: Money) -> Option<Refusal> {
    let limit = balance.limit.filter(|_| balance.hard)?;
    (balance.spent.plus(balance.held).plus(need) > limit)
        .then_some(Refusal::Budget { balance, need })
}
