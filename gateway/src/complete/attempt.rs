//! One attempt: an upstream call in flight, and what its end means.

use super::{
    hold::{Hold, Open},
    plan::Step,
    receipt::{Attempt, AttemptOutcome},
    usage::{Priced, price},
};
use crate::{
    catalog::Deployment,
    provider::{Answer, Ask, Failure, FailureKind},
    store::Settlement,
};
use futures_util::{FutureExt as _, future::BoxFuture};
use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use tollgate_core::{
    HoldId, Usage,
    hold::{Ending, Need},
};

/// An upstream call in flight, until its price is known: a caller that hangs up while a long answer
/// is counted must not take the answer's cost with it.
pub(super) struct Flight {
    answer: BoxFuture<'static, Result<(Answer, Priced), Failure>>,
    leg: Leg,
}

/// Where a flight goes.
struct Leg {
    step: Step,
    deployment: Arc<Deployment>,
    /// The deployment's own hold, if it has limits.
    hold: Option<HoldId>,
    started: Instant,
}

impl Hold {
    /// Makes one attempt within `timeout`, and notes what it cost.
    pub(super) async fn attempt(
        &mut self,
        step: &Step,
        deployment: &Arc<Deployment>,
        hold: Option<HoldId>,
        timeout: Duration,
    ) -> Result<Answer, Failure> {
        let open = self.open();
        let ask = Ask {
            call: Arc::clone(&open.call),
            model: Arc::clone(&deployment.upstream_model),
            max_output_tokens: step.quote.max_output_tokens,
        };
        let answer = deployment.adapter.complete(ask);
        let (shared, priced) = (Arc::clone(&open.shared), step.clone());
        let answer = async move {
            let answer = answer.await?;
            let price = price(&shared.tokenizers, &priced, &answer).await;
            Ok((answer, price))
        };
        open.flight = Some(Flight {
            answer: answer.boxed(),
            leg: Leg {
                step: step.clone(),
                deployment: Arc::clone(deployment),
                hold,
                started: Instant::now(),
            },
        });
        open.land(timeout).await
    }
}

impl Open {
    /// Waits for the attempt in flight and notes its end. Dropped before, it leaves the attempt in
    /// flight for whoever ends the hold. A panic of the adapter goes on once its charge is noted.
    pub(super) async fn land(&mut self, timeout: Duration) -> Result<Answer, Failure> {
        let Some(flight) = self.flight.as_mut() else {
            return Err(Failure::new(FailureKind::Unreachable, "nothing in flight"));
        };
        let answer = AssertUnwindSafe(flight.answer.as_mut()).catch_unwind();
        let answered = tokio::time::timeout(timeout, answer).await;
        let Flight { leg, .. } = self.flight.take().expect("it was in flight above");
        let unknown = |detail: &str| Err(Failure::new(FailureKind::Unknown, detail));
        match answered {
            Ok(Ok(result)) => self.note_end(&leg, result),
            Ok(Err(bug)) => {
                // It may have been sent, so it is charged before the bug ends the call.
                let _ = self.note_end(&leg, unknown("a bug of the adapter"));
                resume_unwind(bug)
            }
            Err(_) => {
                let detail = format!("no answer within {} ms", timeout.as_millis());
                self.note_end(&leg, unknown(&detail))
            }
        }
    }

    fn note_end(
        &mut self,
        leg: &Leg,
        result: Result<(Answer, Priced), Failure>,
    ) -> Result<Answer, Failure> {
        let model = &leg.step.model;
        let mut attempt = Attempt {
            model: Arc::clone(&model.name),
            deployment: Arc::clone(&leg.deployment.id),
            outcome: AttemptOutcome::Ok,
            usage: Usage::default(),
            cost: tollgate_core::Money::ZERO,
            duration: leg.started.elapsed(),
            http_status: None,
            estimated: false,
        };
        match &result {
            Ok((_, priced)) => {
                attempt.usage = priced.usage;
                attempt.cost = priced.cost;
                attempt.estimated = priced.estimated;
                attempt.http_status = Some(200);
            }
            Err(failure) => {
                attempt.outcome = AttemptOutcome::Failed(failure.kind);
                attempt.http_status = failure.http_status;
                if failure.kind.may_be_billed() {
                    attempt.usage = Usage {
                        input: leg.step.quote.input_tokens,
                        output: leg.step.quote.max_output_tokens,
                        ..Usage::default()
                    };
                    attempt.cost = leg.step.quote.worst_case;
                    attempt.estimated = true;
                }
            }
        }
        self.release_deployment(leg, &attempt);
        self.tell(leg, &attempt, result.as_ref().err());
        let quota = result
            .as_ref()
            .map_or_else(|failure| failure.quota, |(answer, _)| answer.quota);
        self.shared.heed_quota(&leg.deployment, quota);
        self.attempts.push(attempt);
        result.map(|(answer, _)| answer)
    }

    /// Settles the deployment's own hold.
    fn release_deployment(&self, leg: &Leg, attempt: &Attempt) {
        let Some(id) = leg.hold else { return };
        let ending = match attempt.outcome {
            // Nothing was sent: the provider did not count it.
            AttemptOutcome::Failed(FailureKind::Unreachable) => Ending::Cancelled,
            AttemptOutcome::Ok | AttemptOutcome::Failed(_) => Ending::Settled {
                used: Need {
                    requests: 1,
                    input_tokens: attempt.usage.total_input(),
                    output_tokens: attempt.usage.total_output(),
                },
                cost: tollgate_core::Money::ZERO,
            },
        };
        self.shared.settler.settle(Settlement {
            limits: Arc::clone(&leg.deployment.limits),
            id,
            ending,
            record: None,
        });
    }

    /// Tells the breaker, the log and the metrics.
    fn tell(&self, leg: &Leg, attempt: &Attempt, failure: Option<&Failure>) {
        let (shared, id) = (&self.shared, &leg.deployment.id);
        let now = shared.clock.now();
        match failure {
            None => shared.health.succeeded(id, attempt.duration),
            Some(failure) if failure.kind.is_deployments_fault() => {
                if shared.health.failed(id, now) {
                    shared.observer.breaker_opened(id);
                }
            }
            Some(failure) => {
                if failure.kind != FailureKind::Throttled {
                    // It answered, so it works; the request was the problem.
                    shared.health.succeeded(id, attempt.duration);
                }
                if let Some(ms) = failure.retry_after_ms {
                    shared.cool_down(&leg.deployment, ms);
                }
            }
        }
        shared
            .observer
            .attempted(self.id, &leg.deployment, attempt, failure);
    }
}
