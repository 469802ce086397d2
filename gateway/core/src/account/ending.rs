//! How holds end.

use super::{Account, Counter, CounterKey, Ended, Memory, OpenHold};
use crate::{
    HoldId, Money, Timestamp,
    budget::Crossing,
    hold::{Ending, Need, State},
    limit::Limits,
};

/// What an account says to an ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettleReply {
    /// The hold has ended now.
    Applied(Applied),
    /// It had ended before: nothing changed.
    Duplicate(State),
    /// No such hold. A cancellation is remembered, so that a hold that arrives late is refused.
    Unknown,
    /// It can't expire yet: its lease still runs.
    Alive,
}

/// What an ending did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The time that was used.
    pub now: Timestamp,
    /// How the hold ended. A settlement after expiry is a correction.
    pub state: State,
    /// Whether this corrected an expiry.
    pub corrected: bool,
    /// What the hold had taken from budgets.
    pub held: Money,
    /// What was charged; for a correction, what the call really cost.
    pub charged: Money,
    /// The counters that were charged.
    pub counters: Vec<CounterKey>,
    /// Marks that this charge passed.
    pub crossings: Vec<Crossing>,
    /// What the call cost above its hold.
    pub overrun: Money,
}

impl Account {
    /// Ends a hold, once: whatever is repeated, late or killed.
    pub fn end(
        &mut self,
        limits: &Limits,
        id: HoldId,
        ending: Ending,
        now: Timestamp,
        memory: Memory,
    ) -> SettleReply {
        self.forget_old(now);
        let Some(hold) = self.open.get(&id) else {
            return self.end_closed(limits, id, ending, now, memory);
        };
        if ending == Ending::Expired && hold.lease_until > now {
            return SettleReply::Alive;
        }
        let hold = self.open.remove(&id).expect("just seen");
        let (state, charged, used) = match ending {
            Ending::Settled { used, cost } => (State::Settled, cost, Some(used)),
            Ending::Cancelled => (State::Cancelled, Money::ZERO, Some(Need::default())),
            // What was taken from rates stays taken: nobody knows what was used.
            Ending::Expired => (State::Expired, hold.amount, None),
        };
        if let Some(used) = used {
            self.correct_buckets(limits, hold.need, used, state, now);
        }
        for gauge in &hold.gauges {
            if let Some(count) = self.gauges.get_mut(gauge) {
                *count = count.saturating_sub(1);
            }
        }
        for key in &hold.counters {
            let counter = self.counters.entry(key.clone()).or_default();
            counter.held = counter.held.minus(hold.amount);
            counter.spent = counter.spent.plus(charged);
        }
        self.remember(id, state, &hold, now, memory);
        SettleReply::Applied(self.applied(limits, state, hold, charged, now))
    }

    fn applied(
        &mut self,
        limits: &Limits,
        state: State,
        hold: OpenHold,
        charged: Money,
        now: Timestamp,
    ) -> Applied {
        Applied {
            now,
            state,
            corrected: false,
            held: hold.amount,
            charged,
            crossings: self.crossings(limits, &hold.counters, now),
            counters: hold.counters,
            overrun: charged.minus(hold.amount).max(Money::ZERO),
        }
    }

    /// Ends every hold whose lease ran out, at most `most` of them. Returns what was charged.
    pub fn expire_due(
        &mut self,
        limits: &Limits,
        now: Timestamp,
        most: usize,
        memory: Memory,
    ) -> Vec<(HoldId, Applied)> {
        let mut due: Vec<HoldId> = self
            .open
            .iter()
            .filter(|(_, hold)| hold.lease_until <= now)
            .map(|(id, _)| *id)
            .collect();
        due.sort_unstable();
        due.truncate(most);
        due.into_iter()
            .filter_map(
                |id| match self.end(limits, id, Ending::Expired, now, memory) {
                    SettleReply::Applied(applied) => Some((id, applied)),
                    SettleReply::Duplicate(_) | SettleReply::Unknown | SettleReply::Alive => None,
                },
            )
            .collect()
    }

    /// An ending for a hold that is not open.
    fn end_closed(
        &mut self,
        limits: &Limits,
        id: HoldId,
        ending: Ending,
        now: Timestamp,
        memory: Memory,
    ) -> SettleReply {
        let Some(ended) = self.ended.get(&id) else {
            if ending == Ending::Cancelled {
                self.entomb(id, now, memory);
            }
            return SettleReply::Unknown;
        };
        match (ended.state, ending) {
            (State::Expired, Ending::Settled { used, cost }) => {
                SettleReply::Applied(self.correct(limits, id, used, cost, now))
            }
            (state, _) => SettleReply::Duplicate(state),
        }
    }

    /// Replaces an expiry's full charge by what really happened.
    fn correct(
        &mut self,
        limits: &Limits,
        id: HoldId,
        used: Need,
        cost: Money,
        now: Timestamp,
    ) -> Applied {
        let ended = self.ended.get_mut(&id).expect("the caller has seen it");
        ended.state = State::Settled;
        let ended = ended.clone();
        self.correct_buckets(limits, ended.need, used, State::Settled, now);
        for key in &ended.counters {
            let counter = self.counters.entry(key.clone()).or_default();
            counter.spent = counter.spent.plus(cost).minus(ended.amount);
        }
        Applied {
            now,
            state: State::Settled,
            corrected: true,
            held: ended.amount,
            charged: cost,
            crossings: self.crossings(limits, &ended.counters, now),
            counters: ended.counters,
            overrun: cost.minus(ended.amount).max(Money::ZERO),
        }
    }

    fn correct_buckets(
        &mut self,
        limits: &Limits,
        held: Need,
        used: Need,
        state: State,
        now: Timestamp,
    ) {
        for spec in &limits.buckets {
            let held = spec.unit.of(&held);
            let used = match (spec.unit, state) {
                // A call that was dispatched counts as one, whatever it used.
                (crate::limit::Unit::Requests, State::Settled) => held,
                (unit, _) => unit.of(&used),
            };
            let bucket = self.bucket(spec, now);
            bucket.refill(spec, now);
            bucket.correct(spec, held, used);
        }
    }

    fn remember(
        &mut self,
        id: HoldId,
        state: State,
        hold: &OpenHold,
        now: Timestamp,
        memory: Memory,
    ) {
        let ended = Ended {
            state,
            need: hold.need,
            amount: hold.amount,
            // Only an expiry is ever looked at again for its counters.
            counters: if state == State::Expired {
                hold.counters.clone()
            } else {
                Vec::new()
            },
        };
        self.ended.insert(id, ended);
        if state == State::Expired {
            self.forget_expired.push_back((now + memory.expired_ms, id));
        } else {
            self.forget.push_back((now + memory.ended_ms, id));
        }
    }

    fn entomb(&mut self, id: HoldId, now: Timestamp, memory: Memory) {
        let ended = Ended {
            state: State::Cancelled,
            need: Need::default(),
            amount: Money::ZERO,
            counters: Vec::new(),
        };
        self.ended.insert(id, ended);
        self.forget.push_back((now + memory.ended_ms, id));
    }

    /// Forgets ended holds whose time has come.
    pub(super) fn forget_old(&mut self, now: Timestamp) {
        for queue in [&mut self.forget, &mut self.forget_expired] {
            while let Some((at, id)) = queue.front().copied()
                && at <= now
            {
                queue.pop_front();
                self.ended.remove(&id);
            }
        }
    }

    /// Drops counters of windows that ended two days ago and that no hold refers to.
    pub(super) fn drop_old_windows(&mut self, now: Timestamp) {
        const KEPT_MS: u64 = 2 * 24 * 3_600_000;
        let old = |counter: &Counter| counter.ends_at.is_some_and(|end| end + KEPT_MS < now);
        self.counters
            .retain(|_, counter| counter.held != Money::ZERO || !old(counter));
        let stale: Vec<_> = self
            .runs
            .iter()
            .filter(|(_, run)| run.last_used + super::RUN_KEPT_MS < now)
            .map(|(name, _)| name.clone())
            .collect();
        for run in stale {
            let key = super::key(&super::RUN.into(), &run);
            let idle = |counter: &Counter| counter.held == Money::ZERO;
            if self.counters.get(&key).is_none_or(idle) {
                self.counters.remove(&key);
                self.runs.remove(&run);
            }
        }
    }
}
