//! The attempts of a call, in the order of its plan.

use super::{
    Shared,
    gate::Gate,
    hold::Hold,
    line::{Turn, Who},
    plan::{Plan, Step},
    quota::First,
};
use crate::{
    catalog::Deployment,
    error::{Error, Result},
    provider::{Answer, Failure, FailureKind},
    telemetry::{CallObservation, FallbackReason, Skip},
};
use futures_util::FutureExt as _;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::Instant;
use tollgate_core::Money;

/// What is kept of the deadline for answering.
const ANSWER_MARGIN: Duration = Duration::from_millis(10);
/// A shorter attempt is not worth a provider's time.
const LEAST_ATTEMPT: Duration = Duration::from_millis(5);
/// A provider that asks for a longer pause is left for the next target.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The most attempts of one call; the id of an attempt has a byte for its number.
const MOST_ATTEMPTS: usize = 32;
/// When to come back to a target that failed, if its provider did not say.
const COME_BACK_MS: u64 = 1_000;

/// What became of one target.
enum Target {
    Answered(Answer),
    /// Not this one: try the next.
    Next,
    /// The call is over.
    Ends(Error),
}

/// What the attempts so far have shown.
pub(super) struct Trail<'a> {
    plan: &'a Plan,
    pub(super) deadline: Instant,
    /// Until when providers' own quota may be waited for.
    pub(super) wait_until: Instant,
    /// Who waits then.
    pub(super) who: Who,
    /// Where to wait: the line of a deployment whose quota was missing.
    pub(super) line: Option<Arc<Gate>>,
    /// The turn at the head of such a line.
    pub(super) turn: Option<Turn>,
    /// What the first deployment said, until it is looked at.
    pub(super) first: Option<First>,
    pub(super) made: usize,
    /// The soonest that a refused deployment may have room, in milliseconds.
    pub(super) soonest_ms: Option<u64>,
    /// The largest context window that was too small.
    overflowed: Option<u64>,
    /// Whether every failure so far was the prompt's length.
    only_overflow: bool,
    /// The model that was passed over last and why.
    pub(super) skipped: Option<(Arc<str>, Skip)>,
    /// The model that failed last and why: where a fallback comes from.
    failed: Option<(Arc<str>, FailureKind)>,
}

impl Shared {
    /// Tries the targets of the plan until one answers.
    pub(crate) async fn attempt_in_order(
        self: &Arc<Self>,
        plan: &Plan,
        deadline: Instant,
        (hold, first): (&mut Hold, First),
        seen: &mut CallObservation,
    ) -> Result<Answer> {
        let open = hold.open();
        let id = open.id;
        let started = Instant::now();
        let mut trail = Trail {
            plan,
            deadline: deadline.checked_sub(ANSWER_MARGIN).unwrap_or(deadline),
            wait_until: deadline.min(started + self.patience(&open.call)),
            who: Who {
                team: Arc::clone(&open.team.name),
                share: open.team.share,
                priority: open.call.priority,
                since: started,
            },
            line: None,
            turn: None,
            first: Some(first),
            made: 0,
            soonest_ms: None,
            overflowed: None,
            only_overflow: true,
            skipped: None,
            failed: None,
        };
        let rounds = AssertUnwindSafe(self.rounds(hold, seen, &mut trail)).catch_unwind();
        let outcome = rounds.await.unwrap_or_else(|_| {
            // A bug ends the call, as it would meet the next target too. What it cost is known here.
            self.observer.panicked();
            let cost = hold.charged();
            Err(Error::Internal { cost })
        });
        if let Some(first) = &trail.first {
            self.forget_first(&plan.steps[0], id, first);
        }
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
            trail.line = None;
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
            let skipped = trail.skipped.take();
            if let Some((from, kind)) = trail.failed.take() {
                seen.attempting_after(&from, kind, &step.model.name);
            } else if let Some((from, skip)) = skipped {
                seen.attempting_after(&from, FallbackReason::Skipped(skip), &step.model.name);
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
        trail.note_wait(failure.retry_after_ms.unwrap_or(COME_BACK_MS));
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
}

impl Trail<'_> {
    /// A target is passed over.
    pub(super) fn note_skip(&mut self, step: &Step, skip: Skip) {
        self.skipped = Some((Arc::clone(&step.model.name), skip));
    }

    pub(super) fn note_wait(&mut self, ms: u64) {
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
