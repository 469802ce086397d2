//! The quota of deployments: their limits, their cooldowns, and the line of those who wait.

use super::{LEASE_MS, Shared, dispatch::Trail, hold::Hold, line::Turn, plan::Step};
use crate::{catalog::Deployment, provider::Quota};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tollgate_core::{
    HoldId, Money,
    account::{Cure, HoldReply},
    hold::HoldRequest,
    limit::Unit,
};

/// Quota that is above this share of the bucket, one fifth, is not worth a message to the store.
const QUOTA_IS_LOW: u64 = 5;

impl Shared {
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
        let first = self.health.turn() % deployments.len().max(1);
        let (before, from) = deployments.split_at(first);
        for deployment in from.iter().chain(before) {
            let late = trail.made > 0 && self.health.typical(&deployment.id) > left;
            let now = self.clock.now();
            if late || !self.health.admit(&deployment.id, now) {
                if let Some(ms) = self.health.cooldown_ms(&deployment.id, now) {
                    trail.note_wait(ms);
                }
                continue;
            }
            if deployment.limits.is_empty() {
                trail.turn = None;
                return Some((Arc::clone(deployment), None));
            }
            let gate = self.gates.of(&deployment.limits.scope);
            let ours = |turn: &Turn| turn.is_of(&gate.line);
            if !trail.turn.as_ref().is_some_and(ours) && gate.line.is_busy(trail.who.priority) {
                self.health.not_used(&deployment.id);
                trail.line.get_or_insert(gate);
                continue;
            }
            let number = u8::try_from(trail.made + 1).expect("at most MOST_ATTEMPTS");
            let id = hold.open().id.attempt(number);
            match self
                .store
                .hold(&deployment.limits, own_hold(id, step))
                .await
            {
                Ok(HoldReply::Held(_)) => {
                    trail.turn = None;
                    self.settler.opened(&deployment.limits.scope, id);
                    return Some((Arc::clone(deployment), Some(id)));
                }
                Ok(HoldReply::Refused(refused)) => {
                    self.health.not_used(&deployment.id);
                    let waits = refused.refusals.iter().map(|refusal| match refusal.cure() {
                        Cure::After(ms) => Some(ms),
                        Cure::Release => Some(50),
                        Cure::None => None,
                    });
                    let all: Option<Vec<u64>> = waits.collect();
                    if let Some(ms) = all.and_then(|waits| waits.into_iter().max()) {
                        trail.note_wait(ms);
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
