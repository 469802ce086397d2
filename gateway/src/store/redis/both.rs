//! A team's hold and that of the deployment which its call would go to, in one round trip.
//!
//! Only where one script may touch both, which a cluster forbids. Nothing depends on it that they
//! are taken together: a refused deployment leaves the team's hold as it is.

use super::{
    Shared,
    accounts::{Accounts, TRIES},
    args::{self, Mode},
    fault::Fault,
    pack::Unpacker,
    reply,
};
use std::sync::Arc;
use tollgate_core::{account::HoldReply, hold::HoldRequest, limit::Limits};

/// Limits, and what is asked of them.
pub(super) type Wanted<'a> = (&'a Arc<Limits>, &'a HoldRequest);

/// What a team's limits said, and the deployment's if it was asked.
pub(super) type Replies = (HoldReply, Option<HoldReply>);

impl Shared {
    pub(super) async fn hold_both(
        &self,
        team: Wanted<'_>,
        deployment: Wanted<'_>,
    ) -> Result<Replies, Fault> {
        if !self.one_slot {
            return Ok((self.hold(team.0, team.1).await?, None));
        }
        let asked = self
            .once_seeded(&team.0.scope, || self.accounts.hold_both(team, deployment))
            .await;
        let (first, second) = match asked {
            Ok((first, second)) => (Ok(first), second.map(Ok)),
            Err(fault) => {
                let second = fault.is_unknown().then(|| Err(fault.clone()));
                (Err(fault), second)
            }
        };
        let second = match second {
            Some(second) => self.heard(deployment.0, deployment.1, second).await.ok(),
            None => None,
        };
        Ok((self.heard(team.0, team.1, first).await?, second))
    }
}

impl Accounts {
    /// Takes from the team or nothing, and then from the deployment or nothing.
    pub(super) async fn hold_both(
        &self,
        team: Wanted<'_>,
        deployment: Wanted<'_>,
    ) -> Result<Replies, Fault> {
        for _ in 0..TRIES {
            let windows = [self.windows(team.0)?, self.windows(deployment.0)?];
            let packed = [
                args::hold(team.0, team.1, &windows[0], Mode::Take)?,
                args::hold(deployment.0, deployment.1, &windows[1], Mode::Take)?,
            ];
            let mut names = Self::names(team.0, team.1);
            names.extend(Self::names(deployment.0, deployment.1));
            let answer = self
                .run(
                    "hold",
                    &self.scripts.hold,
                    &names,
                    &[&packed[0], &packed[1]],
                )
                .await?;
            let mut both = Unpacker::new(&answer)?;
            let (first, second) = (both.bytes()?, both.bytes()?);
            let opened = reply::open(first)?;
            let now = opened.now;
            let Some(first) = reply::hold(opened, team.0, team.1, &windows[0])? else {
                self.learn(now);
                continue;
            };
            let second = match second {
                [] => None,
                // One that is not understood was not asked.
                second => reply::open(second)
                    .and_then(|opened| reply::hold(opened, deployment.0, deployment.1, &windows[1]))
                    .unwrap_or(None),
            };
            return Ok((first, second));
        }
        Err(Fault::Wrong("the clocks differ by days".to_owned()))
    }
}
