//! The quota of deployments: their limits, their cooldowns, and the line of those who wait.

use super::{LEASE_MS, Shared, dispatch::Trail, hold::Hold, line::Turn, plan::Step};
use crate::{
    call::Priority, catalog::Deployment, health::Condition, provider::Quota, telemetry::Skip,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tollgate_core::{
    HoldId, Money,
    account::{Cure, HoldReply},
    breaker::Breaker,
    hold::HoldRequest,
    limit::Unit,
};

/// Quota that is above this share of the bucket, one fifth, is not worth a message to the store.
const QUOTA_IS_LOW: u64 = 5;

/// The deployment that a call goes to first, if it may, chosen before its team's limits are asked:
/// so one question can ask for both.
pub(crate) struct First {
    turn: usize,
    /// What its limits said, if they were asked.
    pub(super) told: Option<HoldReply>,
}

impl First {
    /// Whose turn it is among the deployments of a target.
    pub(super) fn of<'a>(&self, step: &'a Step) -> Option<&'a Arc<Deployment>> {
        let deployments = &step.model.deployments;
        deployments.get(self.turn % deployments.len().max(1))
    }
}

impl Shared {
    pub(super) fn first(&self) -> First {
        let turn = self.health.turn();
        First { turn, told: None }
    }

    /// What to ask the first deployment with the team, if it has limits, works, and nobody waits
    /// for it who is as important.
    pub(super) fn ask_first<'a>(
        &self,
        (first, step): (&First, &'a Step),
        call: HoldId,
        priority: Priority,
    ) -> Option<(&'a Arc<Deployment>, HoldRequest)> {
        let deployment = first.of(step).filter(|one| !one.limits.is_empty())?;
        let condition = self.health.condition(&deployment.id, self.clock.now());
        let works = matches!(condition.breaker, Breaker::Closed | Breaker::Failing { .. })
            && !condition.drained
            && condition.cooldown_ms.is_none();
        let gate = self.gates.of(&deployment.limits.scope);
        let free = works && !gate.line.is_busy(priority);
        free.then(|| (deployment, own_hold(call.attempt(1), step)))
    }

    /// A call does not go to its first deployment after all.
    pub(super) fn forget_first(&self, step: &Step, call: HoldId, first: &First) {
        if let (Some(HoldReply::Held(_)), Some(deployment)) = (&first.told, first.of(step)) {
            self.give_back(deployment, Some(call.attempt(1)));
        }
    }

    /// Waits for the soonest provider quota, if that is in time: in line with everybody else who
    /// waits for it, so that only one of them asks the store.
    pub(super) async fn wait_for_quota(&self, trail: &mut Trail<'_>) -> bool {
        let until = trail.wait_until;
        let soonest = trail.soonest_ms.map(|ms| Duration::from_millis(ms.max(1)));
        let wake = soonest.map(|pause| Instant::now() + pause);
        if wake.is_some_and(|wake| wake >= until) {
            return false;
        }
        let Some(gate) = &trail.line else {
            let Some(wake) = wake else { return false };
            tokio::time::sleep_until(wake).await;
            return true;
        };
        let turn = match trail.turn.take().filter(|turn| turn.is_of(&gate.line)) {
            Some(turn) => Ok(turn),
            None => gate.line.turn(trail.who.clone(), until).await,
        };
        // Told how long, it waits so long; else others were before it, and it asks at its turn.
        trail.turn = match (turn, wake) {
            (Ok(turn), Some(wake)) => turn.pause(wake, until).await.ok(),
            (turn, _) => turn.ok(),
        };
        trail.turn.is_some()
    }

    /// A deployment of the target that works and has quota, with its hold if it has limits.
    pub(super) async fn pick(
        &self,
        step: &Step,
        hold: &mut Hold,
        trail: &mut Trail<'_>,
        left: Duration,
    ) -> Option<(Arc<Deployment>, Option<HoldId>)> {
        let deployments = &step.model.deployments;
        let first = trail.first.take().unwrap_or_else(|| self.first());
        let (before, from) = deployments.split_at(first.turn % deployments.len().max(1));
        let mut told = first.told;
        for deployment in from.iter().chain(before) {
            let number = u8::try_from(trail.made + 1).expect("at most MOST_ATTEMPTS");
            let id = hold.open().id.attempt(number);
            let reply = match told.take() {
                Some(told) => Ok(told),
                None if !self.may_be_asked(deployment, step, trail, left) => continue,
                None if deployment.limits.is_empty() => {
                    trail.turn = None;
                    return Some((Arc::clone(deployment), None));
                }
                None => {
                    let request = own_hold(id, step);
                    self.store.hold(&deployment.limits, request).await
                }
            };
            match reply {
                Ok(HoldReply::Held(_)) => {
                    trail.turn = None;
                    self.settler.opened(&deployment.limits.scope, id);
                    return Some((Arc::clone(deployment), Some(id)));
                }
                Ok(HoldReply::Refused(refused)) => {
                    self.health.not_used(&deployment.id);
                    trail.note_skip(step, Skip::Quota);
                    let waits = refused.refusals.iter().map(|refusal| match refusal.cure() {
                        Cure::After(ms) => Some(ms),
                        Cure::Release => Some(50),
                        Cure::None => None,
                    });
                    let all: Option<Vec<u64>> = waits.collect();
                    if let Some(ms) = all.and_then(|waits| waits.into_iter().max()) {
                        trail.note_wait(ms);
                        let gate = self.gates.of(&deployment.limits.scope);
                        trail.line.get_or_insert(gate);
                    }
                    self.observer
                        .quota_refused(&deployment.id, &refused.refusals);
                }
                // The store forgot or is gone: the provider's own 429 is the backstop.
                Ok(HoldReply::Duplicate(_) | HoldReply::RunBudgetConflict { .. }) | Err(_) => {
                    trail.turn = None;
                    return Some((Arc::clone(deployment), None));
                }
            }
        }
        None
    }

    /// Whether a deployment works, is in time, and nobody waits for it who is as important.
    fn may_be_asked(
        &self,
        deployment: &Deployment,
        step: &Step,
        trail: &mut Trail<'_>,
        left: Duration,
    ) -> bool {
        let late = trail.made > 0 && self.health.typical(&deployment.id) > left;
        let now = self.clock.now();
        if late || !self.health.admit(&deployment.id, now) {
            let condition = self.health.condition(&deployment.id, now);
            if let Some(ms) = condition.cooldown_ms {
                trail.note_wait(ms);
            }
            trail.note_skip(step, if late { Skip::Late } else { why(&condition) });
            return false;
        }
        if deployment.limits.is_empty() {
            return true;
        }
        let gate = self.gates.of(&deployment.limits.scope);
        let ours = |turn: &Turn| turn.is_of(&gate.line);
        if !trail.turn.as_ref().is_some_and(ours) && gate.line.is_busy(trail.who.priority) {
            self.health.not_used(&deployment.id);
            trail.line.get_or_insert(gate);
            trail.note_skip(step, Skip::Quota);
            return false;
        }
        true
    }

    pub(super) fn give_back(&self, deployment: &Arc<Deployment>, own_hold: Option<HoldId>) {
        self.health.not_used(&deployment.id);
        if let Some(id) = own_hold {
            self.settler.settle(crate::store::Settlement {
                limits: Arc::clone(&deployment.limits),
                id,
                ending: tollgate_core::hold::Ending::Cancelled,
                record: None,
            });
        }
    }

    /// Leaves a deployment alone, here at once and on the other replicas by the store.
    pub(super) fn cool_down(self: &Arc<Self>, deployment: &Arc<Deployment>, ms: u64) {
        self.health.cool_down(&deployment.id, ms, self.clock.now());
        let (shared, deployment) = (Arc::clone(self), Arc::clone(deployment));
        self.tasks.spawn(async move {
            let scope = &deployment.limits.scope;
            if let Err(error) = shared.store.cool_down(scope, ms).await {
                tracing::debug!(%error, "a cooldown was not shared");
            }
        });
    }

    /// Lowers a deployment's buckets to what its provider says is left, when that is little.
    pub(super) fn heed_quota(self: &Arc<Self>, deployment: &Arc<Deployment>, quota: Quota) {
        let told = [
            (Unit::Requests, quota.requests),
            (Unit::Tokens, quota.tokens),
            (Unit::InputTokens, quota.input_tokens),
            (Unit::OutputTokens, quota.output_tokens),
        ];
        for (unit, remaining) in told {
            let Some(remaining) = remaining else { continue };
            let low = |spec: &tollgate_core::limit::BucketSpec| {
                spec.unit == unit && remaining.saturating_mul(QUOTA_IS_LOW) < spec.capacity
            };
            if !deployment.limits.buckets.iter().any(low) {
                continue;
            }
            let (shared, deployment) = (Arc::clone(self), Arc::clone(deployment));
            self.tasks.spawn(async move {
                let limits = &deployment.limits;
                if let Err(error) = shared.store.observe(limits, unit, remaining).await {
                    tracing::debug!(%error, "a provider's quota was not shared");
                }
            });
        }
    }
}

/// Why a deployment that was not admitted is passed over.
fn why(condition: &Condition) -> Skip {
    if condition.drained {
        Skip::Drained
    } else if condition.cooldown_ms.is_some() {
        Skip::Cooldown
    } else {
        Skip::BreakerOpen
    }
}

/// What an attempt takes from its deployment.
fn own_hold(id: HoldId, step: &Step) -> HoldRequest {
    HoldRequest {
        id,
        need: step.quote.need(),
        amount: Money::ZERO,
        lease_ms: LEASE_MS,
        max_wait_ms: None,
        floor_permille: 0,
        run: None,
        force: false,
    }
}
