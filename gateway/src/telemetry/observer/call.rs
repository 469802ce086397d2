//! One call as it goes, and its one log line.

use super::Observer;
use crate::{
    call::{Call, Target},
    catalog::Team,
    complete::{Completion, Receipt},
    error::Error,
    provider::{Failure, FailureKind},
    telemetry::{
        handles::{Handles, ModelHandles, TeamHandles, limiter_of},
        labels::{Class, Closed, Decision, FallbackReason, Limiter, Outcome, Period},
    },
    trace::TraceParent,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tollgate_core::{
    HoldId,
    account::{Held, Refusal},
};

/// One call as it goes. Dropped without an end, it counts as cancelled by its caller, late if its
/// deadline passed, or a bug if that is what drops it.
pub(crate) struct CallObservation {
    handles: Arc<Handles>,
    team: Arc<TeamHandles>,
    call: Arc<Call>,
    id: Option<HoldId>,
    started: Instant,
    deadline: Option<Instant>,
    /// What it waits for now, and since when.
    away: Option<(Away, Instant)>,
    upstream: Duration,
    waited: Duration,
    attempts: u32,
    route: Option<Arc<str>>,
    price_version: Option<Arc<str>>,
    model: Option<Arc<str>>,
    deployment: Option<Arc<str>>,
    /// The failure that it went on from, or ended with.
    failure: Option<(FailureKind, String)>,
    fell_back: Option<FallbackReason>,
    limiter: Option<Limiter>,
    ended: bool,
}

/// What a call waits for that is not the gateway's own work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    Upstream,
    Waiting,
}

/// Counts as waiting until dropped.
pub(crate) struct Waiting<'a>(&'a mut CallObservation);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.back();
    }
}

impl CallObservation {
    pub(super) fn new(observer: &Arc<Observer>, team: &Arc<Team>, call: &Arc<Call>) -> Self {
        let handles = observer.handles.load_full();
        handles.fixed.in_flight.increment(1.0);
        Self {
            team: Arc::clone(handles.team(&team.name)),
            handles,
            call: Arc::clone(call),
            id: None,
            started: Instant::now(),
            deadline: None,
            away: None,
            upstream: Duration::ZERO,
            waited: Duration::ZERO,
            attempts: 0,
            route: None,
            price_version: None,
            model: None,
            deployment: None,
            failure: None,
            fell_back: None,
            limiter: None,
            ended: false,
        }
    }

    /// Its id is minted.
    pub(crate) fn named(&mut self, id: HoldId) {
        self.id = Some(id);
    }

    /// It must be answered by then; dropped later than that, it was late and not cancelled.
    pub(crate) fn due(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// It has a plan: this route, and this model first.
    pub(crate) fn planned(&mut self, route: &Arc<str>, first: &Arc<str>, prices: &Arc<str>) {
        self.route = Some(Arc::clone(route));
        self.model = Some(Arc::clone(first));
        self.price_version = Some(Arc::clone(prices));
    }

    /// It waits for limits, a provider's quota or the end of a pause, until that is dropped.
    #[must_use]
    pub(crate) fn waiting(&mut self) -> Waiting<'_> {
        self.away = Some((Away::Waiting, Instant::now()));
        Waiting(self)
    }

    /// An attempt begins.
    pub(crate) fn attempting(&mut self, deployment: &Arc<str>, model: &Arc<str>) {
        let again = self.attempts > 0 && self.model.as_ref() == Some(model);
        if again {
            self.handles.deployment(deployment).retries.increment(1);
        }
        self.attempts = self.attempts.saturating_add(1);
        self.model = Some(Arc::clone(model));
        self.deployment = Some(Arc::clone(deployment));
        self.away = Some((Away::Upstream, Instant::now()));
    }

    /// It ended, so.
    pub(crate) fn attempt_ended(&mut self, failure: Option<&Failure>) {
        self.back();
        self.failure = failure.map(|failure| (failure.kind, failure.detail.clone()));
    }

    /// It was admitted after this wait.
    pub(crate) fn admitted(&mut self, held: &Held, _waited: Duration) {
        for limiter in &self.team.limiters {
            self.decided(*limiter, Decision::Allow);
        }
        self.team.show_remaining(&held.remaining);
        self.team.show_balances(&held.budgets);
    }

    /// It was refused by limits or budgets.
    pub(crate) fn denied(&mut self, error: &Error) {
        match error {
            Error::Limited(denial) | Error::BudgetExhausted(denial) => {
                self.refused_by(&denial.refusals);
            }
            Error::LimitUnsatisfiable(refusals) => self.refused_by(refusals),
            Error::StoreUnavailable => {
                for limiter in &self.team.limiters {
                    self.decided(*limiter, Decision::Error);
                }
            }
            _ => {}
        }
    }

    fn refused_by(&mut self, refusals: &[Refusal]) {
        for refusal in refusals {
            let limiter = limiter_of(refusal);
            self.limiter = Some(limiter);
            self.decided(limiter, Decision::Deny);
            self.team.denied.at(limiter).increment(1);
            if let Refusal::Budget { balance, .. } = refusal
                && let Some(period) = Period::named(&balance.name)
            {
                self.team.budget_denied.at(period).increment(1);
            }
        }
    }

    fn decided(&self, limiter: Limiter, decision: Decision) {
        self.handles
            .fixed
            .decisions
            .at(limiter)
            .at(decision)
            .increment(1);
    }

    /// It goes to `model` because of what became of `from`. The same model again is a retry.
    pub(crate) fn attempting_after(
        &mut self,
        from: &Arc<str>,
        reason: impl Into<FallbackReason>,
        model: &Arc<str>,
    ) {
        if from != model {
            let reason = reason.into();
            self.fell_back = Some(reason);
            let fallbacks = self.handles.model(from).fallbacks(model);
            fallbacks.at(reason).increment(1);
        }
    }

    /// It was answered.
    pub(crate) fn answered(&mut self, completion: &Completion) {
        let receipt = &completion.receipt;
        if receipt.replayed {
            // Its attempts were another call's.
            self.planned_as(receipt);
            self.end(Outcome::Replay, None, Some(receipt));
        } else {
            self.end(Outcome::Ok, None, Some(receipt));
        }
    }

    fn planned_as(&mut self, receipt: &Receipt) {
        self.route = Some(Arc::clone(&receipt.route));
        self.model = receipt.attempts.last().map(|last| Arc::clone(&last.model));
        self.price_version = Some(Arc::clone(&receipt.price_version));
    }

    /// It failed.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.end(Outcome::of(error), Some(error), None);
    }

    /// It is the gateway's turn again.
    fn back(&mut self) {
        match self.away.take() {
            Some((Away::Upstream, since)) => self.upstream += since.elapsed(),
            Some((Away::Waiting, since)) => self.waited += since.elapsed(),
            None => {}
        }
    }

    fn end(&mut self, outcome: Outcome, error: Option<&Error>, receipt: Option<&Receipt>) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.back();
        let took = self.started.elapsed();
        let overhead = took.saturating_sub(self.upstream + self.waited);
        let (fixed, class) = (&self.handles.fixed, outcome.class());
        let (model, known) = self.model_of(error);
        fixed.in_flight.decrement(1.0);
        fixed.requests.at(outcome).increment(1);
        fixed.overhead.record(overhead.as_secs_f64());
        fixed.waited.record(self.waited.as_secs_f64());
        fixed.attempts.record(f64::from(self.attempts));
        self.team.requests.at(outcome).increment(1);
        let pipeline = &self.call.attribution.pipeline;
        self.team.pipeline(pipeline, fixed).requests.increment(1);
        known.requests.at(outcome).increment(1);
        known.seconds.at(class).record(took.as_secs_f64());
        let line = Line {
            seen: self,
            outcome,
            model,
            took,
            overhead,
            error,
            receipt,
        };
        line.write();
    }

    /// The model that it counts for: the last one tried, else the first of the plan.
    fn model_of(&self, error: Option<&Error>) -> (&str, &ModelHandles) {
        if let Some(model) = &self.model {
            return (model, self.handles.model(model));
        }
        match (error, &self.call.target) {
            (Some(Error::UnknownModel(name)), _) => ("other", self.handles.model(name)),
            (_, Target::Model(name)) if self.handles.knows_model(name) => {
                (name, self.handles.model(name))
            }
            _ => ("unknown", &self.handles.unknown_model),
        }
    }
}

impl Drop for CallObservation {
    fn drop(&mut self) {
        let late = self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline);
        self.end(
            if std::thread::panicking() {
                Outcome::Internal
            } else if late {
                Outcome::DeadlineExceeded
            } else {
                Outcome::Cancelled
            },
            None,
            None,
        );
    }
}

/// The log line of a call. No prompt, no key, no text of a provider; the model is a configured one.
struct Line<'a> {
    seen: &'a CallObservation,
    outcome: Outcome,
    model: &'a str,
    took: Duration,
    overhead: Duration,
    error: Option<&'a Error>,
    receipt: Option<&'a Receipt>,
}

macro_rules! call_line {
    ($level:expr, $line:expr) => {{
        let line: &Line<'_> = $line;
        let seen = line.seen;
        let usage = line.receipt.map(Receipt::usage);
        let fault = line.outcome.class() == Class::ServerError;
        let failure = seen.failure.as_ref().filter(|_| line.receipt.is_none());
        let attribution = &seen.call.attribution;
        tracing::event!(
            target: "tollgate::call",
            $level,
            event = "call",
            call_id = seen.id.map(tracing::field::display),
            trace_id = seen.call.trace.as_ref().map(TraceParent::trace_id),
            team = &*seen.team.name,
            pipeline = said(&attribution.pipeline),
            run = said(&attribution.run),
            step = said(&attribution.step),
            route = seen.route.as_deref().and_then(said),
            model = line.model,
            deployment = seen.deployment.as_deref(),
            outcome = line.outcome.name(),
            attempts = seen.attempts,
            fallback_reason = seen.fell_back.map(Closed::name),
            limiter = seen.limiter.map(Limiter::name),
            failure = failure.map(|(kind, _)| kind.name()),
            failure_detail = failure.filter(|_| fault).map(|(_, detail)| &**detail),
            duration_ms = ms(line.took),
            upstream_ms = ms(seen.upstream),
            waited_ms = ms(seen.waited),
            overhead_ms = ms(line.overhead),
            input_tokens = usage.map(|usage| usage.input),
            cache_read_tokens = usage.map(|usage| usage.cache_read),
            cache_write_tokens = usage.map(|usage| usage.cache_write),
            output_tokens = usage.map(|usage| usage.output),
            reasoning_tokens = usage.map(|usage| usage.reasoning),
            cost_nano_usd = line.cost(),
            price_version = seen.price_version.as_deref(),
            under_pressure = line.receipt.map(|receipt| receipt.under_pressure),
        );
    }};
}

impl Line<'_> {
    fn write(&self) {
        match self.outcome.class() {
            Class::ServerError => call_line!(tracing::Level::WARN, self),
            Class::Ok | Class::Rejected | Class::ClientError => {
                call_line!(tracing::Level::INFO, self);
            }
        }
    }

    /// What it was charged; a replay nothing.
    fn cost(&self) -> Option<i64> {
        match (self.receipt, self.error) {
            (Some(receipt), _) if receipt.replayed => Some(0),
            (Some(receipt), _) => Some(receipt.cost().nanos()),
            (
                None,
                Some(
                    Error::OutcomeUnknown { cost }
                    | Error::DeadlineExceeded { cost }
                    | Error::Internal { cost },
                ),
            ) => Some(cost.nanos()),
            (None, Some(_)) => Some(0),
            // A caller that hung up: the ledger will know.
            (None, None) => None,
        }
    }
}

/// A text that the caller may have left out.
fn said(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Milliseconds, to the microsecond.
fn ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}
