//! The attempts of a call, in the order of its plan.

use super::{
    Shared,
    hold::Hold,
    plan::{Plan, Step},
};
use crate::{
    catalog::Deployment,
    error::{Error, Result},
    provider::{Answer, Failure, FailureKind, Quota},
    telemetry::CallObservation,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tollgate_core::{
    HoldId, Money,
    account::{Cure, HoldReply},
    hold::HoldRequest,
    limit::Unit,
};

/// What is kept of the deadline for answering.
const ANSWER_MARGIN: Duration = Duration::from_millis(10);
/// A shorter attempt is not worth a provider's time.
const LEAST_ATTEMPT: Duration = Duration::from_millis(5);
/// A provider that asks for a longer pause is left for the next target.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The most attempts of one call; the id of an attempt has a byte for its number.
const MOST_ATTEMPTS: usize = 32;
/// When to come back after every target failed, if no provider said.
const COME_BACK_MS: u64 = 1_000;
/// Quota that is above this share of the bucket, one fifth, is not worth a message to the store.
const QUOTA_IS_LOW: u64 = 5;

/// What became of one target.
enum Target {
    Answered(Answer),
    /// Not this one: try the next.
    Next,
    /// The call is over.
    Ends(Error),
}

/// What the attempts so far have shown.
struct Trail<'a> {
    plan: &'a Plan,
    deadline: Instant,
    /// Until when providers' own quota may be waited for.
    wait_until: Instant,
    made: usize,
    /// The soonest that a refused deployment may have room, in milliseconds.
    soonest_ms: Option<u64>,
    /// The largest context window that was too small.
    overflowed: Option<u64>,
    /// Whether every failure so far was the prompt's length.
    only_overflow: bool,
    /// The model that failed last and why: where a fallback comes from.
    failed: Option<(Arc<str>, FailureKind)>,
}

impl Shared {
    /// Tries the targets of the plan until one answers.
    pub(crate) async fn attempt_in_order(
        self: &Arc<Self>,
        plan: &Plan,
        deadline: Instant,
        hold: &mut Hold,
        seen: &mut CallObservation,
    ) -> Result<Answer> {
        let mut trail = Trail {
            plan,
            deadline: deadline.checked_sub(ANSWER_MARGIN).unwrap_or(deadline),
            wait_until: deadline.min(Instant::now() + self.policy.max_wait),
            made: 0,
            soonest_ms: None,
            overflowed: None,
            only_overflow: true,
            failed: None,
        };
        let outcome = self.rounds(hold, seen, &mut trail).await;
        if let Err(error) = &outcome {
            hold.fail(error);
        }
        outcome
    }

    /// Goes through the plan; again if all that was missing was some provider's quota.
    async fn rounds(
        self: &Arc<Self>,
        hold: &mut Hold,
        seen: &mut CallObservation,
        trail: &mut Trail<'_>,
    ) -> Result<Answer> {
        loop {
            trail.soonest_ms = None;
            let plan = trail.plan;
            for step in &plan.steps {
                if trail
                    .overflowed
                    .is_some_and(|window| step.model.context_tokens <= window)
                {
                    continue;
                }
                match self.attempt_target(step, hold, seen, trail).await {
                    Target::Answered(answer) => return Ok(answer),
                    Target::Next => {}
                    Target::Ends(error) => return Err(error),
                }
            }
            let waiting = seen.waiting();
            let again = trail.made == 0 && self.wait_for_quota(trail).await;
            drop(waiting);
            if !again {
                return Err(exhausted(hold, trail));
            }
        }
    }

    /// Waits for the soonest provider quota, if that is in time.
    async fn wait_for_quota(&self, trail: &Trail<'_>) -> bool {
        let Some(ms) = trail.soonest_ms else {
            return false;
        };
        let wake = Instant::now() + Duration::from_millis(ms.max(1));
        if wake >= trail.wait_until {
            return false;
        }
        tokio::time::sleep_until(wake).await;
        true
    }

    async fn attempt_target(
        self: &Arc<Self>,
        step: &Step,
        hold: &mut Hold,
        seen: &mut CallObservation,
        trail: &mut Trail<'_>,
    ) -> Target {
        let mut retries = 0;
        loop {
            if trail.made >= MOST_ATTEMPTS {
                return Target::Next;
            }
            let left = trail.deadline.saturating_duration_since(Instant::now());
            if left < LEAST_ATTEMPT {
                let cost = hold.charged();
                return Target::Ends(Error::DeadlineExceeded { cost });
            }
            let Some((deployment, own_hold)) = self.pick(step, hold, trail, left).await else {
                return Target::Next;
            };
            match hold.open().afford(step.quote.worst_case).await {
                Ok(true) => {}
                Ok(false) | Err(_) => {
                    self.give_back(&deployment, own_hold);
                    let cost = hold.charged();
                    return Target::Ends(Error::OutcomeUnknown { cost });
                }
            }
            let timeout = trail.plan.attempt_timeout.min(left);
            if let Some((from, kind)) = trail.failed.take() {
                seen.attempting_after(&from, kind, &step.model.name);
            }
            trail.made += 1;
            self.health
                .first_or_retry(&deployment.provider, retries == 0);
            seen.attempting(&deployment.id, &step.model.name);
            let result = hold.attempt(step, &deployment, own_hold, timeout).await;
            seen.attempt_ended(result.as_ref().err());
            let failure = match result {
                Ok(answer) => return Target::Answered(answer),
                Err(failure) => failure,
            };
            if let Some(target) = self.after(&failure, step, &deployment, hold, trail) {
                return target;
            }
            retries += 1;
            let waiting = seen.waiting();
            let again = retries <= trail.plan.retries
                && self.pause(&failure, retries, &deployment, trail).await;
            drop(waiting);
            if !again {
                return Target::Next;
            }
        }
    }

    /// What a failure means; `None`: the same target may be asked again.
    fn after(
        &self,
        failure: &Failure,
        step: &Step,
        deployment: &Deployment,
        hold: &Hold,
        trail: &mut Trail<'_>,
    ) -> Option<Target> {
        trail.failed = Some((Arc::clone(&step.model.name), failure.kind));
        if failure.kind == FailureKind::ContextOverflow {
            let window = step.model.context_tokens;
            trail.overflowed = Some(trail.overflowed.map_or(window, |w| w.max(window)));
        } else {
            trail.only_overflow = false;
        }
        if !failure.kind.is_recoverable() {
            let provider = Arc::clone(&deployment.provider);
            let cost = hold.charged();
            return Some(Target::Ends(if cost > Money::ZERO {
                Error::OutcomeUnknown { cost }
            } else {
                Error::PromptRejected { provider }
            }));
        }
        (!failure.kind.is_retryable()).then_some(Target::Next)
    }

    /// Pauses before a retry. `false`: it would come too late, or there were too many.
    async fn pause(
        &self,
        failure: &Failure,
        number: u32,
        deployment: &Deployment,
        trail: &Trail<'_>,
    ) -> bool {
        let told = failure.retry_after_ms;
        let ms = self
            .policy
            .backoff
            .pause_ms(number, told, fastrand::u64(..));
        let pause = Duration::from_millis(ms);
        let service = self.health.typical(&deployment.id);
        let ends = Instant::now() + pause + service;
        if pause > LONGEST_PAUSE || ends > trail.deadline {
            return false;
        }
        if !self
            .health
            .may_retry(&deployment.provider, self.clock.now())
        {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }

    /// A deployment of the target that works and has quota, with its hold if it has limits.
    async fn pick(
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
                return Some((Arc::clone(deployment), None));
            }
            let number = u8::try_from(trail.made + 1).expect("at most MOST_ATTEMPTS");
            let id = hold.open().id.attempt(number);
            match self
                .store
                .hold(&deployment.limits, own_hold(id, step))
                .await
            {
                Ok(HoldReply::Held(_)) => {
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
                    }
                    self.observer
                        .quota_refused(&deployment.id, &refused.refusals);
                }
                // The store forgot or is gone: the provider's own 429 is the backstop.
                Ok(HoldReply::Duplicate(_) | HoldReply::RunBudgetConflict { .. }) | Err(_) => {
                    return Some((Arc::clone(deployment), None));
                }
            }
        }
        None
    }

    fn give_back(&self, deployment: &Arc<Deployment>, own_hold: Option<HoldId>) {
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
        if deployment.limits.is_empty() {
            return;
        }
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

impl Trail<'_> {
    fn note_wait(&mut self, ms: u64) {
        self.soonest_ms = Some(self.soonest_ms.map_or(ms, |soonest| soonest.min(ms)));
    }
}

/// The error of a call whose targets all failed.
fn exhausted(hold: &Hold, trail: &Trail<'_>) -> Error {
    let cost = hold.charged();
    if cost > Money::ZERO {
        return Error::OutcomeUnknown { cost };
    }
    if let (true, Some(_)) = (trail.only_overflow, trail.overflowed) {
        let provider = trail.plan.steps[0].model.deployments[0].provider.clone();
        return Error::PromptRejected { provider };
    }
    let soonest = trail.soonest_ms.unwrap_or(COME_BACK_MS);
    Error::TargetsExhausted {
        retry_after_ms: soonest.max(1),
    }
}

/// What an attempt takes from its deployment.
fn own_hold(id: HoldId, step: &Step) -> HoldRequest {
    HoldRequest {
        id,
        need: step.quote.need(),
        amount: Money::ZERO,
        lease_ms: super::LEASE_MS,
        max_wait_ms: None,
        floor_permille: 0,
        run: None,
        force: false,
    }
}
