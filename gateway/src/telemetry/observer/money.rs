//! What endings of holds did to money. Each charge is counted once, so that the counters add up to
//! the ledger.

use super::Observer;
use crate::{
    ledger::{AttemptRecord, CallRecord},
    store::{Settlement, Swept},
    telemetry::{
        handles::{TeamHandles, nanos},
        labels::HoldEnding,
    },
};
use std::sync::Arc;
use tollgate_core::{
    HoldId, Money, Usage,
    account::{Applied, SettleReply},
    budget::{Balance, Crossing},
    hold::{Ending, State},
    limit::Scope,
};

/// Takes what alerts are made of: the team and what it crossed. Must not block.
pub type AlertSink = Arc<dyn Fn(&Arc<str>, &Crossing) + Send + Sync>;

impl Observer {
    /// Budgets passed marks.
    pub(crate) fn crossed(&self, team: &Arc<str>, crossings: &[Crossing]) {
        if crossings.is_empty() {
            return;
        }
        let handles = self.handles.load();
        let known = handles.team(team);
        for crossing in crossings {
            let balance = &crossing.balance;
            known
                .crossing(&balance.name, crossing.permille)
                .increment(1);
            tracing::warn!(
                event = "budget_threshold",
                team = &**team,
                period = &*balance.name,
                window = &*balance.window.id,
                threshold_permille = crossing.permille,
                limit_nano_usd = balance.limit.map(Money::nanos),
                spent_nano_usd = balance.spent.nanos(),
                held_nano_usd = balance.held.nanos(),
                hard = balance.hard,
            );
            if let Some(sink) = self.alerts.get() {
                sink(team, crossing);
            }
        }
    }

    /// A hold ended.
    pub(crate) fn settled(&self, settlement: &Settlement, reply: &SettleReply) {
        // A deployment's hold is about rates only.
        let Scope::Team(team) = &settlement.limits.scope else {
            return;
        };
        let record = settlement.record.as_deref();
        match (reply, settlement.ending) {
            (SettleReply::Applied(applied), _) => self.ended(team, record, applied),
            // A hold is handed over once: an earlier try has landed, and its answer was lost.
            (SettleReply::Duplicate(State::Settled), Ending::Settled { cost, .. }) => {
                let handles = self.handles.load();
                let known = handles.team(team);
                known.endings.at(HoldEnding::Settled).increment(1);
                self.charged(known, record, cost);
            }
            (SettleReply::Unknown, Ending::Settled { cost, .. }) => {
                tracing::warn!(
                    event = "hold_unknown",
                    call_id = %settlement.id,
                    team = &**team,
                    cost_nano_usd = cost.nanos(),
                    "the store does not know a hold that ended with a charge",
                );
            }
            (SettleReply::Duplicate(_) | SettleReply::Unknown | SettleReply::Alive, _) => {}
        }
    }

    /// A hold ran out of its lease.
    pub(crate) fn expired(&self, scope: &Scope, swept: &Swept) {
        let Scope::Team(team) = scope else { return };
        log_expiry(team, swept.id, &swept.applied);
        self.ended(team, None, &swept.applied);
    }

    /// The balances of a team were read.
    pub fn budget_balances(&self, team: &str, balances: &[Balance]) {
        let handles = self.handles.load();
        handles.team(team).show_balances(balances);
        let now = super::gateway::seconds(self.clock.now());
        handles.fixed.budget_snapshot.set(now);
    }

    fn ended(&self, team: &Arc<str>, record: Option<&CallRecord>, applied: &Applied) {
        let handles = self.handles.load();
        let known = handles.team(team);
        let ending = match applied.state {
            State::Settled if applied.corrected => HoldEnding::Corrected,
            State::Settled => HoldEnding::Settled,
            State::Expired => HoldEnding::Expired,
            State::Cancelled | State::Open => HoldEnding::Cancelled,
        };
        known.endings.at(ending).increment(1);
        if ending == HoldEnding::Corrected {
            known.corrected.increment(nanos(applied.held));
        }
        known.overrun.increment(nanos(applied.overrun));
        self.charged(known, record, applied.charged);
        self.crossed(team, &applied.crossings);
    }

    /// Counts a charge by the models of the attempts. What no attempt explains is `unknown`.
    fn charged(&self, team: &TeamHandles, record: Option<&CallRecord>, charged: Money) {
        let handles = self.handles.load();
        let fixed = &handles.fixed;
        let mut left = charged;
        for attempt in record.iter().flat_map(|record| &record.attempts) {
            let model = team.cost(&attempt.model, fixed);
            model.count(&usage(attempt));
            let cost = Money::from_nanos(attempt.cost_nano_usd).min(left);
            model.charge(cost);
            left = left.minus(cost);
        }
        team.unknown_cost().charge(left);
        let pipeline = record.map_or("", |record| &*record.pipeline);
        team.pipeline(pipeline, fixed)
            .cost
            .increment(nanos(charged));
    }
}

fn usage(attempt: &AttemptRecord) -> Usage {
    Usage {
        input: attempt.input_tokens,
        cache_read: attempt.cache_read_tokens,
        cache_write: attempt.cache_write_tokens,
        output: attempt.output_tokens,
        reasoning: attempt.reasoning_tokens,
    }
}

fn log_expiry(team: &Arc<str>, id: HoldId, applied: &Applied) {
    tracing::warn!(
        event = "hold_expired",
        call_id = %id,
        team = &**team,
        charged_nano_usd = applied.charged.nanos(),
    );
}
