//! The port, by what `Shared` does.

use super::*;
use crate::store::{TopUp, ToppedUp};

impl Store for Failover {
    fn hold<'a>(&'a self, limits: &'a Arc<Limits>, request: HoldRequest) -> Reply<'a, HoldReply> {
        self.shared.hold(limits, request).boxed()
    }

    fn hold_both<'a>(
        &'a self,
        team: (&'a Arc<Limits>, HoldRequest),
        deployment: (&'a Arc<Limits>, HoldRequest),
    ) -> Reply<'a, (HoldReply, Option<HoldReply>)> {
        self.shared.hold_both(team, deployment).boxed()
    }

    fn probe<'a>(
        &'a self,
        limits: &'a Arc<Limits>,
        request: HoldRequest,
    ) -> Reply<'a, Vec<Refusal>> {
        self.shared.primary.probe(limits, request)
    }

    fn extend<'a>(&'a self, limits: &'a Arc<Limits>, id: HoldId, extra: Money) -> Reply<'a, bool> {
        self.shared.extend(limits, id, extra).boxed()
    }

    fn settle(&self, settlement: Settlement) -> Reply<'_, SettleReply> {
        self.shared.settle(settlement).boxed()
    }

    fn renew<'a>(
        &'a self,
        scope: &'a Scope,
        ids: &'a [HoldId],
        lease_ms: u64,
    ) -> Reply<'a, Vec<HoldId>> {
        self.shared.renew(scope, ids, lease_ms).boxed()
    }

    fn sweep<'a>(&'a self, limits: &'a Arc<Limits>) -> Reply<'a, Vec<Swept>> {
        self.shared.sweep(limits).boxed()
    }

    fn cool_down<'a>(&'a self, scope: &'a Scope, wait_ms: u64) -> Reply<'a, ()> {
        async move {
            // Here too, for the time without the shared store.
            self.shared.local.cool_down(scope, wait_ms).await?;
            self.shared.primary.cool_down(scope, wait_ms).await
        }
        .boxed()
    }

    fn observe<'a>(&'a self, limits: &'a Arc<Limits>, unit: Unit, remaining: u64) -> Reply<'a, ()> {
        self.shared.primary.observe(limits, unit, remaining)
    }

    fn balances<'a>(&'a self, limits: &'a Arc<Limits>) -> Reply<'a, Vec<Balance>> {
        self.shared.primary.balances(limits)
    }

    fn top_up<'a>(&'a self, limits: &'a Arc<Limits>, top_up: TopUp) -> Reply<'a, ToppedUp> {
        self.shared.primary.top_up(limits, top_up)
    }

    fn run_balance<'a>(&'a self, team: &'a Scope, run: &'a Arc<str>) -> Reply<'a, Option<Balance>> {
        self.shared.primary.run_balance(team, run)
    }

    fn usage<'a>(
        &'a self,
        team: &'a Scope,
        first: &'a str,
        last: &'a str,
    ) -> Reply<'a, Vec<UsageRow>> {
        self.shared.primary.usage(team, first, last)
    }
}
