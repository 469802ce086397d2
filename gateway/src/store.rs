//! The port to balances: whole decisions, never get and set.

use crate::error::StoreError;
use futures_util::future::{BoxFuture, FutureExt as _};
use std::sync::Arc;
use tollgate_core::{
    HoldId, Money,
    account::{Applied, HoldReply, Refusal, SettleReply},
    budget::Balance,
    hold::{Ending, HoldRequest},
    limit::{Limits, Scope, Unit},
    tally::{UsageKey, UsageSum},
};

#[cfg(test)]
mod contract;
pub mod event;
pub mod failover;
pub mod memory;
pub mod redis;
pub mod top_up;

pub use top_up::{TopUp, ToppedUp};

/// Where limits and budgets are kept. All replicas that share a store keep one truth.
///
/// Every method is idempotent by hold id, so that it can be repeated when its outcome is unknown.
pub trait Store: Send + Sync {
    /// Takes all that the request asks for from one scope, or nothing.
    fn hold<'a>(&'a self, limits: &'a Arc<Limits>, request: HoldRequest) -> Reply<'a, HoldReply>;

    /// The same of a team and, if that is granted, of the deployment that its call would go to,
    /// where one question can ask for both. `None`: the deployment was not asked.
    fn hold_both<'a>(
        &'a self,
        team: (&'a Arc<Limits>, HoldRequest),
        deployment: (&'a Arc<Limits>, HoldRequest),
    ) -> Reply<'a, (HoldReply, Option<HoldReply>)> {
        let _ = deployment;
        async move { Ok((self.hold(team.0, team.1).await?, None)) }.boxed()
    }

    /// What would refuse this request now. Takes nothing, leaves no earmark, passes no mark.
    fn probe<'a>(
        &'a self,
        limits: &'a Arc<Limits>,
        request: HoldRequest,
    ) -> Reply<'a, Vec<Refusal>>;

    /// Adds money to an open hold, in all its budgets or in none. Tells whether it did.
    fn extend<'a>(&'a self, limits: &'a Arc<Limits>, id: HoldId, extra: Money) -> Reply<'a, bool>;

    /// Ends a hold and writes the ending to the ledger, in one step.
    fn settle(&self, settlement: Settlement) -> Reply<'_, SettleReply>;

    /// The same at once, if that needs no waiting, as in the memory of this process. `None`: it
    /// was not done.
    fn settle_at_once(&self, settlement: &Settlement) -> Option<SettleReply> {
        let _ = settlement;
        None
    }

    /// Prolongs the leases of holds whose calls still run. Returns those that are not open.
    fn renew<'a>(
        &'a self,
        scope: &'a Scope,
        ids: &'a [HoldId],
        lease_ms: u64,
    ) -> Reply<'a, Vec<HoldId>>;

    /// Ends holds of a scope whose leases ran out, charged in full. Returns what it ended.
    fn sweep<'a>(&'a self, limits: &'a Arc<Limits>) -> Reply<'a, Vec<Swept>>;

    /// Leaves a deployment alone for a while, on all replicas.
    fn cool_down<'a>(&'a self, scope: &'a Scope, wait_ms: u64) -> Reply<'a, ()>;

    /// Lowers a deployment's bucket to what its provider says is left.
    fn observe<'a>(&'a self, limits: &'a Arc<Limits>, unit: Unit, remaining: u64) -> Reply<'a, ()>;

    /// The balances of a team's budgets.
    fn balances<'a>(&'a self, limits: &'a Arc<Limits>) -> Reply<'a, Vec<Balance>>;

    /// Raises the bound of a budget until its window ends, once for a request.
    fn top_up<'a>(&'a self, limits: &'a Arc<Limits>, top_up: TopUp) -> Reply<'a, ToppedUp>;

    /// The balance of a run's own budget, if it has one.
    fn run_balance<'a>(&'a self, team: &'a Scope, run: &'a Arc<str>) -> Reply<'a, Option<Balance>>;

    /// The usage of a team on the UTC days from `first` to `last`, both included.
    fn usage<'a>(
        &'a self,
        team: &'a Scope,
        first: &'a str,
        last: &'a str,
    ) -> Reply<'a, Vec<UsageRow>>;
}

/// What a store answers.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// One row of usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// The UTC day.
    pub day: Arc<str>,
    /// What it is summed by.
    pub key: UsageKey,
    /// The sum.
    pub sum: UsageSum,
}

/// A hold that ran out of its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// The hold.
    pub id: HoldId,
    /// What its end did.
    pub applied: Applied,
}

/// How one hold ends, with what the ledger keeps of the call.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The limits of the scope.
    pub limits: Arc<Limits>,
    /// The hold.
    pub id: HoldId,
    /// How it ends.
    pub ending: Ending,
    /// What the ledger keeps; `None` for a deployment's hold, which is about rates only.
    pub record: Option<Arc<crate::ledger::CallRecord>>,
}
