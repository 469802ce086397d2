//! The port, by what `Shared` does.

use super::*;
use crate::store::{TopUp, ToppedUp};

impl Store for RedisStore {
    fn hold<'a>(&'a self, limits: &'a Arc<Limits>, request: HoldRequest) -> Reply<'a, HoldReply> {
        async move { Ok(self.shared.hold(limits, &request).await?) }.boxed()
    }

    fn hold_both<'a>(
        &'a self,
        team: (&'a Arc<Limits>, HoldRequest),
        deployment: (&'a Arc<Limits>, HoldRequest),
    ) -> Reply<'a, (HoldReply, Option<HoldReply>)> {
        async move {
            let (team, deployment) = ((team.0, &team.1), (deployment.0, &deployment.1));
            Ok(self.shared.hold_both(team, deployment).await?)
        }
        .boxed()
    }

    fn probe<'a>(
        &'a self,
        limits: &'a Arc<Limits>,
        request: HoldRequest,
    ) -> Reply<'a, Vec<Refusal>> {
        async move {
            let shared = &self.shared;
            let ask = || shared.accounts.probe(limits, &request);
            Ok(shared.once_seeded(&limits.scope, ask).await?)
        }
        .boxed()
    }

    fn extend<'a>(&'a self, limits: &'a Arc<Limits>, id: HoldId, extra: Money) -> Reply<'a, bool> {
        async move {
            let extended = self.shared.accounts.extend(limits, id, extra).await?;
            if extended {
                self.shared.roll.extended(id, extra);
            }
            Ok(extended)
        }
        .boxed()
    }

    /// An ending that fails is repeated here until it lands, also if the caller does not wait.
    fn settle(&self, settlement: Settlement) -> Reply<'_, SettleReply> {
        async move { Ok(self.shared.settle(settlement).await?) }.boxed()
    }

    fn renew<'a>(
        &'a self,
        scope: &'a Scope,
        ids: &'a [HoldId],
        lease_ms: u64,
    ) -> Reply<'a, Vec<HoldId>> {
        async move { Ok(self.shared.renew(scope, ids, lease_ms).await?) }.boxed()
    }

    fn sweep<'a>(&'a self, limits: &'a Arc<Limits>) -> Reply<'a, Vec<Swept>> {
        async move { Ok(self.shared.sweep(limits).await?) }.boxed()
    }

    fn cool_down<'a>(&'a self, scope: &'a Scope, wait_ms: u64) -> Reply<'a, ()> {
        async move { Ok(self.shared.accounts.cool_down(scope, wait_ms).await?) }.boxed()
    }

    fn observe<'a>(&'a self, limits: &'a Arc<Limits>, unit: Unit, remaining: u64) -> Reply<'a, ()> {
        let accounts = &self.shared.accounts;
        async move { Ok(accounts.observe(limits, unit, remaining).await?) }.boxed()
    }

    fn balances<'a>(&'a self, limits: &'a Arc<Limits>) -> Reply<'a, Vec<Balance>> {
        async move { Ok(self.shared.balances(limits, None).await?.0) }.boxed()
    }

    fn top_up<'a>(&'a self, limits: &'a Arc<Limits>, top_up: TopUp) -> Reply<'a, ToppedUp> {
        async move { Ok(self.shared.top_up(limits, &top_up).await?) }.boxed()
    }

    fn run_balance<'a>(&'a self, team: &'a Scope, run: &'a Arc<str>) -> Reply<'a, Option<Balance>> {
        async move {
            let nothing = Arc::new(Limits::none(team.clone()));
            let balances = self.shared.balances(&nothing, Some(run)).await?;
            Ok(balances.1)
        }
        .boxed()
    }

    fn usage<'a>(
        &'a self,
        team: &'a Scope,
        first: &'a str,
        last: &'a str,
    ) -> Reply<'a, Vec<UsageRow>> {
        async move { Ok(self.shared.usage(team, first, last).await?) }.boxed()
    }
}
