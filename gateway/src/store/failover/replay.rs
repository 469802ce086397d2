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
    hold::{Ending, HoldRequest},
    limit::Scope,
};

/// The most charges that wait. Beyond, the oldest is given up; a minute of 3,000 a second.
const MOST_WAITING: usize = 200_000;

/// The pause between tries.
const PAUSE: Duration = Duration::from_millis(200);

/// The attempt whose id a replay has. The shared store may have a tombstone under the call's own
/// id, because the try that failed was cancelled.
const REPLAYED: u8 = 255;

/// A hold and its ending, to be repeated in the shared store.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    request: HoldRequest,
    settlement: Settlement,
}

impl Replay {
    /// What was granted and ended here.
    pub(super) fn new(granted: Granted, settlement: &Settlement) -> Self {
        let id = granted.request.id.attempt(REPLAYED);
        Self {
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
pub(super) struct Replays(Mutex<VecDeque<Replay>>);

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

    fn all(&self) -> MutexGuard<'_, VecDeque<Replay>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        while let Some(next) = { shared.replays.all().pop_front() } {
            if shared.repeat_one(&next).await.is_err() {
                shared.replays.all().push_front(next);
                break;
            }
        }
    }
}

impl Shared {
    async fn repeat_one(&self, replay: &Replay) -> Result<(), StoreError> {
        let Replay {
            request,
            settlement,
        } = replay;
        self.primary
            .hold(&settlement.limits, request.clone())
            .await?;
        self.primary.settle(settlement.clone()).await?;
        Ok(())
    }
}
