//! Admission: the hold is taken here, at once, after a bounded wait, or not at all.

use super::{LEASE_MS, Shared, gate::Gate, hold::Hold, line::Who, plan::Plan, quota::First};
use crate::{
    call::{Call, Priority},
    catalog::Team,
    error::{Denial, Error, Result, Violation},
    telemetry::CallObservation,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tollgate_core::{
    HoldId,
    account::{Cure, Held, HoldReply, Refusal, Refused},
    hold::{HoldRequest, Need, RunTake},
    limit::Limits,
};

/// The least time that a call needs after admission; a wait that leaves less is not started.
const LEAST_SERVICE: Duration = Duration::from_millis(20);
/// How often the head looks again when it waits for another call to end, which may end on
/// another replica.
const RELEASE_POLL: Duration = Duration::from_millis(250);
/// What a caller is told when waiting helps but nobody knows how long.
const UNKNOWN_WAIT_MS: u64 = 1_000;

/// What batch calls leave of each rate limit for others, in thousandths. Interactive calls leave
/// nothing: a team that knows no priorities has all of its limits.
const BATCH_LEAVES: u16 = 300;
/// How much longer than others batch calls wait.
const BATCH_PATIENCE: u32 = 12;

/// What the store said to a request for a hold.
enum Said {
    Held(Box<Held>),
    Refused(Refused),
}

impl Shared {
    /// Takes the hold of a call, waiting if that helps and fits.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        id: HoldId,
        team: &Arc<Team>,
        call: &Arc<Call>,
        mut plan: Plan,
        deadline: Instant,
        seen: &mut CallObservation,
    ) -> Result<(Plan, Hold, First)> {
        let started = Instant::now();
        let mut first = self.first();
        let until = deadline
            .checked_sub(LEAST_SERVICE)
            .map_or(started, |latest| latest.min(started + self.patience(call)));
        loop {
            let hold = Hold::arm(self, id, team, call, &plan);
            let mut request = hold_request(id, call, &plan, until.duration_since(started));
            request.floor_permille = left_for_others(call.priority, &team.limits, &request.need);
            let who = Who {
                team: Arc::clone(&team.name),
                share: team.share,
                priority: call.priority,
                since: started,
            };
            match self
                .hold_in_line(team, who, (request, &plan, &mut first), until, seen)
                .await
            {
                Ok(held) => {
                    let waited = started.elapsed();
                    seen.admitted(&held, waited);
                    return Ok((plan, hold.granted(*held, waited), first));
                }
                Err(error) => {
                    hold.never_taken(&error);
                    // A budget that has no room for the dear targets may have for the cheap ones.
                    let budget = matches!(&error, Error::BudgetExhausted(_));
                    if budget && plan.take_cheaper() {
                        continue;
                    }
                    seen.denied(&error);
                    return Err(error);
                }
            }
        }
    }

    /// How long a call may wait.
    pub(super) fn patience(&self, call: &Call) -> Duration {
        match call.priority {
            Priority::Critical | Priority::Interactive => self.policy.max_wait,
            Priority::Batch => self.policy.max_wait * BATCH_PATIENCE,
        }
    }

    /// Asks at once if nobody waits who is as important, else in the order of the line.
    async fn hold_in_line(
        &self,
        team: &Arc<Team>,
        who: Who,
        (request, plan, first): (HoldRequest, &Plan, &mut First),
        until: Instant,
        seen: &mut CallObservation,
    ) -> Result<Box<Held>> {
        let gate = self.gates.of(&team.limits.scope);
        if !gate.line.is_busy(who.priority) {
            let at_once = self.ask_both(team, (&request, who.priority), plan, first);
            match self.said(team, &gate, at_once.await?)? {
                Said::Held(held) => return Ok(held),
                Said::Refused(refused) => worth_waiting(&refused.refusals, until)?,
            }
        }
        let _waiting = seen.waiting();
        let given_up = |_| denied(gate.last_told());
        let mut turn = gate.line.turn(who, until).await.map_err(given_up)?;
        loop {
            let refused = match self.ask(team, &gate, &request).await? {
                Said::Held(held) => return Ok(held),
                Said::Refused(refused) => refused,
            };
            worth_waiting(&refused.refusals, until)?;
            let pause = match longest_wait(&refused.refusals) {
                Some(ms) => Duration::from_millis(ms),
                None => RELEASE_POLL,
            };
            let wake = (Instant::now() + pause).min(until);
            turn = turn.pause(wake, until).await.map_err(given_up)?;
            if Instant::now() >= until {
                return Err(denied(refused.refusals));
            }
        }
    }

    /// Asks for the hold, and in the same question for that of the first deployment, if that may be
    /// asked now.
    async fn ask_both(
        &self,
        team: &Arc<Team>,
        (request, priority): (&HoldRequest, Priority),
        plan: &Plan,
        first: &mut First,
    ) -> Result<HoldReply> {
        let step = (&*first, &plan.steps[0]);
        let request = request.clone();
        let Some((deployment, own)) = self.ask_first(step, request.id, priority) else {
            return Ok(self.store.hold(&team.limits, request).await?);
        };
        let both = ((&team.limits, request), (&deployment.limits, own));
        let (reply, told) = self.store.hold_both(both.0, both.1).await?;
        first.told = told;
        Ok(reply)
    }

    async fn ask(&self, team: &Arc<Team>, gate: &Gate, request: &HoldRequest) -> Result<Said> {
        let reply = self.store.hold(&team.limits, request.clone()).await?;
        self.said(team, gate, reply)
    }

    fn said(&self, team: &Arc<Team>, gate: &Gate, reply: HoldReply) -> Result<Said> {
        match reply {
            HoldReply::Held(held) => {
                gate.note_balances(&held.budgets);
                Ok(Said::Held(Box::new(held)))
            }
            HoldReply::Refused(refused) => {
                gate.told(&refused.refusals);
                self.observer.crossed(&team.name, &refused.crossings);
                Ok(Said::Refused(refused))
            }
            HoldReply::RunBudgetConflict { limit } => {
                let text = format!(
                    "the run's budget was set to {limit} dollars by its first call and can't change"
                );
                let violation = Violation::new("spec.run_budget.limit_nano_usd", text);
                Err(Error::InvalidRequest(vec![violation]))
            }
            // Ids are minted here, once: only a bug or a store gone wrong can get here.
            HoldReply::Duplicate(_) => Err(Error::Internal {
                cost: tollgate_core::Money::ZERO,
            }),
        }
    }
}

pub(super) fn hold_request(
    id: HoldId,
    call: &Call,
    plan: &Plan,
    max_wait: Duration,
) -> HoldRequest {
    let quote = plan.quote();
    HoldRequest {
        id,
        need: quote.need(),
        amount: quote.worst_case,
        lease_ms: LEASE_MS,
        max_wait_ms: u64::try_from(max_wait.as_millis()).ok(),
        floor_permille: 0,
        run: call.run_budget.map(|limit| RunTake {
            run: Arc::clone(&call.attribution.run),
            limit,
        }),
        force: false,
    }
}

/// What a call leaves of each rate limit. One that is too large to leave that much leaves what it
/// can: it waits until the limit is full, but is not refused for ever.
fn left_for_others(priority: Priority, limits: &Limits, need: &Need) -> u16 {
    if priority != Priority::Batch {
        return 0;
    }
    let left = limits.buckets.iter().map(|bucket| {
        let beside = bucket.capacity.saturating_sub(bucket.unit.of(need));
        u16::try_from(beside.saturating_mul(1_000) / bucket.capacity.max(1)).unwrap_or(u16::MAX)
    });
    left.min().unwrap_or(0).min(BATCH_LEAVES)
}

/// Whether waiting until then can cure all of it.
fn worth_waiting(refusals: &[Refusal], until: Instant) -> Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    let curable = refusals.iter().all(|refusal| match refusal.cure() {
        Cure::After(ms) => Duration::from_millis(ms) <= left,
        Cure::Release => !left.is_zero(),
        Cure::None => false,
    });
    if curable {
        Ok(())
    } else {
        Err(denied(refusals.to_vec()))
    }
}

/// The longest wait that is known; `None` if only other calls' endings help.
fn longest_wait(refusals: &[Refusal]) -> Option<u64> {
    let known = refusals.iter().filter_map(|refusal| match refusal.cure() {
        Cure::After(ms) => Some(ms),
        Cure::Release | Cure::None => None,
    });
    known.max()
}

/// The error that says what refused and whether waiting helps.
fn denied(refusals: Vec<Refusal>) -> Error {
    let never = |refusal: &Refusal| matches!(refusal, Refusal::Unsatisfiable { .. });
    if refusals.iter().any(never) {
        return Error::LimitUnsatisfiable(refusals.into_iter().filter(never).collect());
    }
    let curable = refusals.iter().all(|refusal| refusal.cure() != Cure::None);
    let unknown = refusals
        .iter()
        .any(|refusal| refusal.cure() == Cure::Release);
    let known = longest_wait(&refusals);
    let least = if unknown || known.is_none() {
        UNKNOWN_WAIT_MS
    } else {
        1
    };
    let retry_after_ms = curable.then(|| known.unwrap_or(0).max(least));
    let budget = |refusal: &Refusal| matches!(refusal, Refusal::Budget { .. });
    let by_budget = refusals.iter().any(budget);
    let denial = Denial {
        refusals,
        retry_after_ms,
    };
    if by_budget {
        Error::BudgetExhausted(denial)
    } else {
        Error::Limited(denial)
    }
}
