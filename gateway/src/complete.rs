//! The pipeline of a call: **plan -> quote -> hold -> attempt in order -> price -> settle**.
//!
//! Money and tokens are held before any provider is called and settled exactly once afterwards,
//! even if the caller hangs up, a deadline passes, or this process dies.

mod admit;
mod attempt;
mod dispatch;
mod estimate;
mod gate;
mod hold;
mod line;
mod plan;
mod quota;
mod receipt;
mod seat;
mod settle;
mod usage;

pub use estimate::{Estimate, TargetEstimate, TokenCount};
pub use gate::Gates;
pub use receipt::{Attempt, AttemptOutcome, Completion, Receipt};
pub use seat::{Seat, Seats};
pub use settle::{Settler, SettlerTask};

use crate::{
    call::Call,
    catalog::{Catalog, Team},
    clock::Clock,
    error::{Error, Result},
    health::Health,
    idempotency::{Idempotency, Slot},
    interactions::Interactions,
    store::Store,
    telemetry::{CallObservation, Observer},
    tokens::Tokenizers,
};
use arc_swap::ArcSwap;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tollgate_core::{HoldId, backoff::Backoff};

/// Runs calls. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Completer {
    shared: Arc<Shared>,
}

/// What all calls share.
pub(crate) struct Shared {
    pub(crate) catalog: Arc<ArcSwap<Catalog>>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settler: Settler,
    pub(crate) health: Arc<Health>,
    pub(crate) gates: Arc<Gates>,
    pub(crate) observer: Arc<Observer>,
    pub(crate) interactions: Arc<Interactions>,
    pub(crate) idempotency: Idempotency,
    pub(crate) tokenizers: Tokenizers,
    pub(crate) tasks: TaskTracker,
    pub(crate) policy: Policy,
}

/// The bounds of the pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long a call may wait for limits.
    pub max_wait: Duration,
    /// How long an upstream call is read on after its caller hung up.
    pub hangup_grace: Duration,
    /// How long pauses between retries are.
    pub backoff: Backoff,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_wait: Duration::from_secs(5),
            hangup_grace: Duration::from_secs(10),
            backoff: Backoff {
                base_ms: 200,
                max_ms: 5_000,
            },
        }
    }
}

/// For how long a hold stands without being renewed; it is renewed at a third of this.
pub const LEASE_MS: u64 = 30_000;

/// What the pipeline is made of.
pub struct Parts {
    /// What is configured; swapped by a reload.
    pub catalog: Arc<ArcSwap<Catalog>>,
    /// Where limits and budgets are kept.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Settles holds off the callers' path.
    pub settler: Settler,
    /// Which deployments work.
    pub health: Arc<Health>,
    /// Where callers wait.
    pub gates: Arc<Gates>,
    /// Counts and logs.
    pub observer: Arc<Observer>,
    /// Keeps prompts and answers, if asked to.
    pub interactions: Arc<Interactions>,
    /// Answers of keys that were used.
    pub idempotency: Idempotency,
    /// Outlives requests; shutdown waits for it.
    pub tasks: TaskTracker,
    /// Bounds.
    pub policy: Policy,
}

impl Completer {
    /// A pipeline of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let catalog = parts.catalog.load();
        let tokenizers = catalog.models.values().map(|model| model.tokenizer);
        let tokenizers = Tokenizers::warm(&tokenizers.collect());
        Self {
            shared: Arc::new(Shared {
                catalog: parts.catalog,
                store: parts.store,
                clock: parts.clock,
                settler: parts.settler,
                health: parts.health,
                gates: parts.gates,
                observer: parts.observer,
                interactions: parts.interactions,
                idempotency: parts.idempotency,
                tokenizers,
                tasks: parts.tasks,
                policy: parts.policy,
            }),
        }
    }

    /// Runs a call, once per idempotency key. The seat is kept for as long as the call costs
    /// something, also when its caller hangs up before.
    ///
    /// # Errors
    /// As docs/errors.md lists them.
    pub async fn complete(
        &self,
        team: Arc<Team>,
        call: Arc<Call>,
        deadline: Instant,
        seat: Option<Arc<Seat>>,
    ) -> Result<Arc<Completion>> {
        let Some(key) = call.idempotency_key.clone() else {
            return self.shared.observe(&team, &call, deadline, seat).await;
        };
        match self
            .shared
            .idempotency
            .enter(&team.name, &key, &call, self.shared.clock.now())
        {
            Slot::Conflict => Err(self
                .shared
                .refused(&team, &call, Error::IdempotencyConflict)),
            Slot::Stored(stored) => Ok(self.shared.replay(&team, &call, &stored)),
            Slot::Running(running) => {
                let answer = tokio::time::timeout_at(deadline, running.outcome()).await;
                match answer {
                    Ok(Ok(stored)) => Ok(self.shared.replay(&team, &call, &stored)),
                    Ok(Err(error)) => Err(self.shared.refused(&team, &call, error)),
                    Err(_) => {
                        let cost = tollgate_core::Money::ZERO;
                        let error = Error::DeadlineExceeded { cost };
                        Err(self.shared.refused(&team, &call, error))
                    }
                }
            }
            // A task of its own: the retry of a caller that hung up finds its answer.
            Slot::First(first) => {
                let shared = Arc::clone(&self.shared);
                let task = self.shared.tasks.spawn(async move {
                    let outcome = shared.observe(&team, &call, deadline, seat).await;
                    first.finish(&outcome, shared.clock.now());
                    outcome
                });
                match task.await {
                    Ok(outcome) => outcome,
                    // Before its first attempt, which would have told what it cost.
                    Err(_) => {
                        self.shared.observer.panicked();
                        let cost = tollgate_core::Money::ZERO;
                        Err(Error::Internal { cost })
                    }
                }
            }
        }
    }
}

impl Shared {
    /// Runs a call and counts how it ended, also when its caller hangs up.
    async fn observe(
        self: &Arc<Self>,
        team: &Arc<Team>,
        call: &Arc<Call>,
        deadline: Instant,
        seat: Option<Arc<Seat>>,
    ) -> Result<Arc<Completion>> {
        let mut seen = self.observer.call_started(team, call);
        seen.due(deadline);
        let outcome = self.run((team, call), deadline, seat, &mut seen).await;
        match &outcome {
            Ok(completion) => seen.answered(completion),
            Err(error) => seen.failed(error),
        }
        outcome
    }

    async fn run(
        self: &Arc<Self>,
        (team, call): (&Arc<Team>, &Arc<Call>),
        deadline: Instant,
        seat: Option<Arc<Seat>>,
        seen: &mut CallObservation,
    ) -> Result<Arc<Completion>> {
        let id = HoldId::new(self.clock.now(), random_bits()).call();
        seen.named(id);
        let plan = self.plan(team, call).await?;
        seen.planned(&plan.route, &plan.steps[0].model.name, &plan.price_version);
        let (plan, mut hold, first) = self.admit(id, team, call, plan, deadline, seen).await?;
        hold.keep(seat);
        let answer = self
            .attempt_in_order(&plan, deadline, (&mut hold, first), seen)
            .await?;
        Ok(hold.settle(answer))
    }

    /// Answers from what another call was told.
    fn replay(&self, team: &Arc<Team>, call: &Arc<Call>, stored: &Completion) -> Arc<Completion> {
        let mut completion = stored.clone();
        completion.receipt.replayed = true;
        let mut seen = self.observer.call_started(team, call);
        seen.answered(&completion);
        Arc::new(completion)
    }

    /// Counts a call that never ran.
    fn refused(&self, team: &Arc<Team>, call: &Arc<Call>, error: Error) -> Error {
        self.observer.call_started(team, call).failed(&error);
        error
    }
}

/// 128 random bits. Ids need no secrecy, only to be different.
fn random_bits() -> u128 {
    fastrand::u128(..)
}
