//! Top-ups in Redis.

use super::{
    Shared,
    accounts::Accounts,
    args::{self, Windows},
    fault::Fault,
    keys::Keys,
    pack::{Garbled, Packer},
    reply::{self, Opened},
};
use crate::{
    ledger::fold::WINDOW_KEPT_MS,
    store::top_up::{Made, TopUp, ToppedUp},
};
use std::sync::Arc;
use tollgate_core::{Money, limit::Limits};

/// Windows are computed once more if Redis' clock says so.
const TRIES: usize = 2;

impl Shared {
    /// Raises a bound. Its outcome may be unknown, and then the request is repeated.
    pub(super) async fn top_up(
        &self,
        limits: &Arc<Limits>,
        top_up: &TopUp,
    ) -> Result<ToppedUp, Fault> {
        self.once_seeded(&limits.scope, || self.accounts.top_up(limits, top_up))
            .await
    }
}

impl Accounts {
    /// Raises the bound of a budget's current window.
    pub(super) async fn top_up(
        &self,
        limits: &Arc<Limits>,
        top_up: &TopUp,
    ) -> Result<ToppedUp, Fault> {
        let Some((_, bound)) = top_up.spec(limits) else {
            return Ok(ToppedUp::Unbounded);
        };
        args::exact(top_up.amount, "a top-up")?;
        let keys = Keys::of(&limits.scope);
        let names = [keys.account(), keys.top_up(&top_up.request), keys.outbox()];
        for _ in 0..TRIES {
            let windows = self.windows(limits)?;
            let packed = arguments(limits, top_up, bound, &windows);
            let answer = self
                .run("top_up", &self.scripts.top_up, &names, &[&packed])
                .await?;
            let Opened {
                kind,
                now,
                mut rest,
            } = reply::open(&answer)?;
            if kind == b'C' {
                self.learn(now);
                continue;
            }
            let outcome = rest.int()?;
            let before = Money::from_nanos(rest.number()?);
            return Ok(match outcome {
                0 => ToppedUp::TooLarge,
                1 => ToppedUp::Done,
                2 => ToppedUp::Reused(before),
                _ => return Err(Garbled.into()),
            });
        }
        Err(Fault::Wrong("the clocks differ by days".to_owned()))
    }
}

/// `top_up.lua`.
fn arguments(limits: &Limits, top_up: &TopUp, bound: Money, windows: &Windows) -> Vec<u8> {
    let mut args = Packer::new();
    args.text(top_up.request.as_bytes());
    args.text(top_up.amount.nanos().to_string());
    args.text(top_up.budget.as_bytes());
    args.int(bound.nanos());
    args.count(WINDOW_KEPT_MS);
    args.int(windows.from.millis());
    let mut budgets = limits.budgets.iter();
    let place = budgets.position(|spec| spec.name == top_up.budget);
    windows.pack(place.expect("its bound was just found"), &mut args);
    args.finish()
}

/// What is kept of a request that was granted.
pub(super) fn record(made: &Made) -> Vec<u8> {
    let mut value = Packer::new();
    value.text(made.amount.nanos().to_string());
    value.text(made.budget.as_bytes());
    value.finish()
}
