//! The hold of a call, as a guard: however the call ends, it is settled once.
//!
//! The guard is armed before the store is asked, so that a caller who hangs up in between leaves a
//! cancellation behind. Dropped with an attempt in flight, it reads on for a bounded time to learn
//! what the attempt cost.

use super::{
    Shared,
    attempt::Flight,
    plan::Plan,
    receipt::{Attempt, AttemptOutcome, Completion, Receipt},
    seat::Seat,
};
use crate::{
    call::Call,
    catalog::Team,
    error::{Error, Result},
    interactions::Interaction,
    ledger::CallRecord,
    provider::Answer,
    store::Settlement,
};
use futures_util::FutureExt as _;
use std::{borrow::Cow, mem, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tollgate_core::{
    HoldId, Money,
    account::Held,
    budget::Balance,
    hold::{Ending, Need},
};

/// The hold of one call. Dropping it ends it.
pub(crate) struct Hold(Option<Box<Open>>);

/// Everything that is needed to end a hold, also after its caller is gone.
pub(super) struct Open {
    pub(super) shared: Arc<Shared>,
    pub(super) team: Arc<Team>,
    pub(super) call: Arc<Call>,
    pub(super) id: HoldId,
    pub(super) attempts: Vec<Attempt>,
    pub(super) flight: Option<Flight>,
    pub(super) amount: Money,
    /// Kept until the call costs nothing more.
    seat: Option<Arc<Seat>>,
    granted: bool,
    route: Arc<str>,
    price_version: Arc<str>,
    under_pressure: bool,
    waited: Duration,
    budgets: Vec<Balance>,
}

impl Hold {
    /// A guard for a hold that the store is about to be asked for.
    pub(super) fn arm(
        shared: &Arc<Shared>,
        id: HoldId,
        team: &Arc<Team>,
        call: &Arc<Call>,
        plan: &Plan,
    ) -> Self {
        Self(Some(Box::new(Open {
            shared: Arc::clone(shared),
            team: Arc::clone(team),
            call: Arc::clone(call),
            id,
            attempts: Vec::new(),
            flight: None,
            amount: plan.quote().worst_case,
            seat: None,
            granted: false,
            route: Arc::clone(&plan.route),
            price_version: Arc::clone(&plan.price_version),
            under_pressure: plan.under_pressure,
            waited: Duration::ZERO,
            budgets: Vec::new(),
        })))
    }

    /// The store granted it.
    pub(super) fn granted(mut self, held: Held, waited: Duration) -> Self {
        let open = self.open();
        open.granted = true;
        open.waited = waited;
        open.budgets = held.budgets;
        open.shared.settler.opened(&open.team.limits.scope, open.id);
        self
    }

    /// Keeps the call's seat for as long as the hold is open.
    pub(super) fn keep(&mut self, seat: Option<Arc<Seat>>) {
        self.open().seat = seat;
    }

    /// The store did not grant it. If it did not answer at all, nobody knows: then it is cancelled.
    pub(super) fn never_taken(mut self, error: &Error) {
        if *error != Error::StoreUnavailable {
            self.0 = None;
        }
    }

    pub(super) fn open(&mut self) -> &mut Open {
        self.0
            .as_mut()
            .expect("open until settled, which consumes the guard")
    }

    /// What attempts were charged so far.
    pub(super) fn charged(&self) -> Money {
        self.0.as_ref().map_or(Money::ZERO, |open| open.charged())
    }

    /// Ends the hold with an answer.
    pub(super) fn settle(mut self, answer: Answer) -> Arc<Completion> {
        let open = self
            .0
            .take()
            .expect("open until settled, which consumes the guard");
        open.settle(answer)
    }

    /// Ends the hold of a call that failed, and keeps a record of the failure.
    pub(super) fn fail(&mut self, error: &Error) {
        if let Some(open) = self.0.take() {
            open.end(error.reason());
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(mut open) = self.0.take() else {
            return;
        };
        if open.flight.is_none() {
            open.end("cancelled");
            return;
        }
        // The caller hung up in the middle of an attempt: find out what it cost.
        let tasks = open.shared.tasks.clone();
        tasks.spawn(async move {
            let grace = open.shared.policy.hangup_grace;
            // Its end is noted with the attempt; nobody is left to read the answer.
            let landed = AssertUnwindSafe(open.land(grace)).catch_unwind().await;
            if landed.is_err() {
                open.shared.observer.panicked();
            }
            open.end("cancelled");
        });
    }
}

impl Open {
    pub(super) fn charged(&self) -> Money {
        self.attempts.iter().map(|attempt| attempt.cost).sum()
    }

    /// Makes sure that one more attempt of this worst case fits into what is held.
    pub(super) async fn afford(&mut self, worst_case: Money) -> Result<bool> {
        let missing = self.charged().plus(worst_case).minus(self.amount);
        if missing <= Money::ZERO {
            return Ok(true);
        }
        let store = Arc::clone(&self.shared.store);
        let extended = store.extend(&self.team.limits, self.id, missing).await?;
        if extended {
            self.amount = self.amount.plus(missing);
        }
        Ok(extended)
    }

    fn settle(mut self, answer: Answer) -> Arc<Completion> {
        let attempts = self.all_attempts();
        let completion = Arc::new(Completion {
            text: answer.text,
            finish: answer.finish,
            receipt: Receipt {
                id: self.id,
                route: Arc::clone(&self.route),
                attempts: Arc::clone(&attempts),
                held: self.amount,
                price_version: Arc::clone(&self.price_version),
                waited: self.waited,
                budgets: mem::take(&mut self.budgets),
                replayed: false,
                under_pressure: self.under_pressure,
            },
        });
        self.note("ok", &attempts, Some(&completion));
        self.hand_over("ok", &attempts);
        completion
    }

    /// The attempts, after the last one.
    fn all_attempts(&mut self) -> Arc<[Attempt]> {
        mem::take(&mut self.attempts).into()
    }

    /// Ends a hold without an answer for its caller.
    pub(super) fn end(mut self, outcome: &'static str) {
        let attempts = self.all_attempts();
        if !attempts.is_empty() {
            self.note(outcome, &attempts, None);
        }
        self.hand_over(outcome, &attempts);
    }

    /// Gives the ending to the settler, which outlives the request.
    fn hand_over(self, outcome: &'static str, attempts: &[Attempt]) {
        let billable = |attempt: &&Attempt| match attempt.outcome {
            AttemptOutcome::Ok => true,
            AttemptOutcome::Failed(kind) => kind.may_be_billed(),
        };
        let billed = || attempts.iter().filter(billable);
        let ending = if billed().next().is_none() {
            Ending::Cancelled
        } else {
            let used = Need {
                requests: 1,
                input_tokens: billed().map(|a| a.usage.total_input()).sum(),
                output_tokens: billed().map(|a| a.usage.total_output()).sum(),
            };
            let cost = attempts.iter().map(|attempt| attempt.cost).sum();
            Ending::Settled { used, cost }
        };
        let attribution = &self.call.attribution;
        let record = CallRecord {
            pipeline: Arc::clone(&attribution.pipeline),
            run: Arc::clone(&attribution.run),
            step: Arc::clone(&attribution.step),
            prompt_name: Arc::clone(&attribution.prompt_name),
            prompt_version: Arc::clone(&attribution.prompt_version),
            route: self.route,
            outcome: Cow::Borrowed(outcome),
            price_version: self.price_version,
            attempts: attempts.iter().map(Into::into).collect(),
        };
        self.shared.settler.settle(Settlement {
            limits: Arc::clone(&self.team.limits),
            id: self.id,
            ending,
            record: Some(Arc::new(record)),
        });
    }

    fn note(
        &self,
        outcome: &'static str,
        attempts: &Arc<[Attempt]>,
        completion: Option<&Arc<Completion>>,
    ) {
        self.shared.interactions.record(Interaction {
            at: self.shared.clock.now(),
            id: self.id,
            team: Arc::clone(&self.team.name),
            bodies: self.team.log_bodies,
            call: Arc::clone(&self.call),
            outcome,
            attempts: Arc::clone(attempts),
            completion: completion.map(Arc::clone),
            waited: self.waited,
        });
    }
}
