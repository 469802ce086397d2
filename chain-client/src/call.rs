//! One completion through the gateway: sends it, waits and tries again as the gateway says, and
//! writes down every call.

use crate::{
    failure::{Class, Refusal},
    gateway::Gateway,
    hash,
    observer::Observer,
    policy::{Next, Tries},
    receipt::{self, Earlier, Times},
    row::{CallRow, Fault, Role, StepRow},
    span,
    step::Step,
    stop::{Reason, Stop},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;
use tollgate_proto::v1::{CompleteResponse, CompletionSpec};
use tonic::Status;

/// The longest that the gateway may be out of reach before the run is given up.
const MAX_OUTAGE: Duration = Duration::from_secs(30);

/// What a call needs of its run.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) gateway: Gateway,
    pub(crate) stop: Stop,
    pub(crate) observer: Arc<Observer>,
    pub(crate) started: Instant,
    /// When the time budget ends.
    pub(crate) deadline: Option<Instant>,
    pub(crate) run_id: String,
    /// Set once the gateway has refused a key of another run: it tells runs apart, so that keys are
    /// made for this run from then on.
    pub(crate) own_keys: Arc<AtomicBool>,
}

/// A call to make.
pub(crate) struct Call<'a> {
    pub(crate) step: Step,
    pub(crate) role: Role,
    pub(crate) spec: &'a CompletionSpec,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
}

enum Ended {
    Answered(Box<CompleteResponse>),
    Refused(Refusal),
    Stopped,
}

impl Caller {
    /// Makes a call and writes its tries to the step's row.
    pub(crate) async fn complete(
        &self,
        call: &Call<'_>,
        row: &mut StepRow,
    ) -> Result<CompleteResponse, Fault> {
        let mut spec = call.spec.clone();
        let mut own_key = self.own_keys.load(Relaxed);
        if own_key {
            self.make_own(&mut spec);
        }
        let mut tries = Tries::new(call.retries);
        let mut earlier = Earlier::default();
        let mut role = call.role;
        loop {
            let at = self.started.elapsed();
            let sent = Instant::now();
            let ended = self.send(&spec, call.timeout).await;
            let times = Times {
                at,
                took: sent.elapsed(),
            };
            let refusal = match ended {
                Ended::Answered(response) => {
                    let receipt = response.receipt.clone().unwrap_or_default();
                    self.keep(
                        row,
                        call.step,
                        receipt::answered(&receipt, role, times, earlier),
                    );
                    return Ok(*response);
                }
                Ended::Refused(refusal) => {
                    let mut lost =
                        receipt::refused(refusal.class.name(), role, times, refusal.cost);
                    lost.cost_unknown = refusal.cost_unknown;
                    self.keep(row, call.step, lost);
                    refusal
                }
                Ended::Stopped => {
                    let mut cut = receipt::refused(Class::Cancelled.name(), role, times, None);
                    cut.cost_unknown = true;
                    self.keep(row, call.step, cut);
                    return Err(self.stopped());
                }
            };
            earlier.charged += refusal.cost.unwrap_or_default();
            earlier.lost |= refusal.cost_unknown || refusal.cost.is_some();
            self.watch_outage(&refusal);
            let next = tries.after(&refusal, self.time_left(), fastrand::f64());
            if next == Next::FreshKey && !own_key {
                self.own_keys.store(true, Relaxed);
                own_key = true;
                self.make_own(&mut spec);
                earlier = Earlier::default();
            }
            self.follow(next, refusal, row).await?;
            if role == Role::Primary {
                role = Role::Retry;
            }
        }
    }

    /// A key that no other run has.
    fn make_own(&self, spec: &mut CompletionSpec) {
        let parts = [spec.idempotency_key.as_bytes(), self.run_id.as_bytes()];
        spec.idempotency_key = hash::of_parts(&parts);
    }

    async fn send(&self, spec: &CompletionSpec, timeout: Duration) -> Ended {
        if self.stop.is_cancelled() {
            return Ended::Stopped;
        }
        let timeout = self.time_left().map_or(timeout, |left| left.min(timeout));
        if timeout.is_zero() {
            self.stop.everything(Reason::TimeBudget);
            return Ended::Stopped;
        }
        tokio::select! {
            biased;
            answer = self.gateway.complete(spec.clone(), timeout) => self.sort(answer),
            () = self.stop.cancelled() => Ended::Stopped,
        }
    }

    fn sort(&self, answer: Result<CompleteResponse, Status>) -> Ended {
        self.observer
            .rpc_handled(answer.as_ref().err().map_or(tonic::Code::Ok, Status::code));
        match answer {
            Ok(response) => {
                self.gateway.reached();
                Ended::Answered(Box::new(response))
            }
            Err(status) => Ended::Refused(Refusal::read(&status)),
        }
    }

    fn keep(&self, row: &mut StepRow, step: Step, call: CallRow) {
        self.observer.call_ended(step, &call);
        row.calls.push(call);
    }

    /// Waits, or ends the call.
    async fn follow(&self, next: Next, refusal: Refusal, row: &mut StepRow) -> Result<(), Fault> {
        let fault = Fault {
            class: refusal.class,
            message: refusal.message,
        };
        match next {
            Next::Again(pause) => {
                row.backoff_ms = row.backoff_ms.saturating_add(span::ms(pause));
                self.observer.backed_off(pause);
                tokio::select! {
                    () = tokio::time::sleep(pause) => Ok(()),
                    () = self.stop.cancelled() => Err(self.stopped()),
                }
            }
            Next::FreshKey => Ok(()),
            Next::Fail => Err(fault),
            Next::OutOfTime => {
                self.stop.admission(Reason::TimeBudget);
                let message = format!("no time left to wait ({})", fault.message);
                Err(Fault {
                    class: Class::Cancelled,
                    message,
                })
            }
            Next::OutOfMoney => {
                self.stop.admission(Reason::CostBudget);
                Err(fault)
            }
            Next::Systemic => {
                self.stop
                    .everything(Reason::Systemic(fault.message.clone()));
                Err(fault)
            }
        }
    }

    /// A gateway that nobody reaches for long is not an article's fault.
    fn watch_outage(&self, refusal: &Refusal) {
        if refusal.from_gateway || refusal.class != Class::Unavailable {
            self.gateway.reached();
        } else if self.gateway.unreached_for() > MAX_OUTAGE {
            let cause = format!("the gateway is out of reach: {}", refusal.message);
            self.stop.everything(Reason::Systemic(cause));
        }
    }

    fn time_left(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    fn stopped(&self) -> Fault {
        let why = match self.stop.reason() {
            Some(Reason::TimeBudget) | None => "the time budget is used up",
            Some(Reason::CostBudget) => "no money is left",
            Some(Reason::Systemic(_)) => "the run was given up",
            Some(Reason::Interrupted | Reason::Terminated) => "the run was interrupted",
        };
        Fault {
            class: Class::Cancelled,
            message: why.to_owned(),
        }
    }
}
