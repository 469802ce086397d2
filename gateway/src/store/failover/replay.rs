//! Telling the shared store what was charged without it.

use super::{Granted, Shared};
use crate::{error::StoreError, store::Settlement};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use tollgate_core::{
    Money,
    account::{HoldReply, SettleReply},
    hold::{Ending, HoldRequest, State},
    limit::Scope,
};

/// The most charges that wait. Beyond, the oldest is given up; a minute of 3,000 a second.
const MOST_WAITING: usize = 200_000;

/// The pause between tries.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// The attempt whose id a replay has first. The shared store may have a tombstone under the call's
/// own id, because the try that failed was cancelled. So may a replay that was not answered in
/// time: then it has the next lower number.
const REPLAYED: u8 = 255;

/// A hold and its ending, to be repeated in the shared store.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    number: u8,
    request: HoldRequest,
    settlement: Settlement,
}

impl Replay {
    /// What was granted and ended here.
    pub(super) fn new(granted: Granted, settlement: &Settlement) -> Self {
        let id = granted.request.id.attempt(REPLAYED);
        Self {
            number: REPLAYED,
            request: HoldRequest {
                id,
                force: true,
                max_wait_ms: None,
                ..granted.request
            },
            settlement: Settlement {
                limits: granted.limits,
                id,
                ..settlement.clone()
            },
        }
    }

    /// What was granted here and ran out of its lease: charged in full.
    pub(super) fn expired(granted: Granted) -> Self {
        let settlement = Settlement {
            limits: granted.limits.clone(),
            id: granted.request.id,
            ending: Ending::Settled {
                used: granted.request.need,
                cost: granted.request.amount,
            },
            record: None,
        };
        Self::new(granted, &settlement)
    }

    /// The same under another id.
    fn renumber(&mut self) {
        self.number = self.number.wrapping_sub(1);
        let id = self.request.id.attempt(self.number);
        self.request.id = id;
        self.settlement.id = id;
    }

    /// Whether the shared store has anything to learn from it.
    fn counts(&self) -> bool {
        let charged = match self.settlement.ending {
            Ending::Settled { cost, .. } => cost != Money::ZERO,
            Ending::Expired => true,
            Ending::Cancelled => false,
        };
        // Rates have flowed back by then; only money is worth telling.
        charged && matches!(self.settlement.limits.scope, Scope::Team(_))
    }
}

/// Charges that wait.
#[derive(Debug, Default)]
pub(super) struct Replays {
    waiting: Mutex<VecDeque<Replay>>,
    /// Held while they are told, so that nobody finds one gone that is still under way.
    telling: tokio::sync::Mutex<()>,
}

impl Replays {
    pub(super) fn push(&self, replay: Replay) {
        if !replay.counts() {
            return;
        }
        let mut all = self.all();
        all.push_back(replay);
        if all.len() > MOST_WAITING {
            let lost = all.pop_front();
            drop(all);
            if let Some(lost) = lost {
                tracing::error!(hold = %lost.request.id, "a charge without the store is lost");
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all().len()
    }

    fn first(&self) -> Option<Replay> {
        self.all().front().cloned()
    }

    /// Changes the first one or takes it out, unless it was given up meanwhile.
    fn with_first(&self, told: &Replay, change: impl FnOnce(&mut VecDeque<Replay>)) {
        let mut all = self.all();
        let is_first = |first: &Replay| first.request.id == told.request.id;
        if all.front().is_some_and(is_first) {
            change(&mut all);
        }
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<Replay>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Repeats charges until the store is dropped or told to stop.
pub(super) async fn repeat(shared: Weak<Shared>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
        let Some(shared) = shared.upgrade() else {
            return;
        };
        // What failed waits for the next time.
        let _ = shared.repeat_all().await;
    }
}

impl Shared {
    /// Tells the shared store of the charges that wait, one by one, up to the first that fails.
    pub(super) async fn repeat_all(&self) -> Result<(), StoreError> {
        let _only = self.replays.telling.lock().await;
        loop {
            let Some(next) = self.replays.first() else {
                return Ok(());
            };
            let landed = self.repeat_one(&next).await?;
            self.replays.with_first(&next, |all| {
                if landed {
                    all.pop_front();
                } else if let Some(first) = all.front_mut() {
                    first.renumber();
                }
            });
        }
    }

    /// Whether it has landed. It has not if its hold was cancelled, as is one that was not answered
    /// in time.
    async fn repeat_one(&self, replay: &Replay) -> Result<bool, StoreError> {
        let Replay {
            request,
            settlement,
            ..
        } = replay;
        let limits = &settlement.limits;
        let held = self.primary.hold(limits, request.clone()).await?;
        if matches!(held, HoldReply::Duplicate(State::Cancelled)) {
            return Ok(false);
        }
        let reply = self.primary.settle(settlement.clone()).await?;
        Ok(reply != SettleReply::Duplicate(State::Cancelled))
    }
}
