//! Telling the shared store what was charged without it.

use super::{Granted, Shared, journal::Unlanded};
use crate::{error::StoreError, store::Settlement};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use tollgate_core::{
    HoldId, Money,
    account::{HoldReply, SettleReply},
    hold::{Ending, HoldRequest, State},
    limit::{Limits, Scope},
};

/// The most charges that wait. Beyond, the oldest is given up, or waits in the journal for the next
/// start; a minute of 3,000 a second.
const MOST_WAITING: usize = 200_000;

/// The pause between tries.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// The attempt whose id a replay has first. The shared store may have a tombstone under the call's
/// own id, because the try that failed was cancelled. So may a replay that was not answered in
/// time: then it has the next lower number.
const REPLAYED: u8 = 255;

/// Whether an id is that of a replay: those of attempts have small numbers. The shared store
/// remembers the end of one for longer, because it may be told again after a restart.
pub(in crate::store) fn is_replay(id: HoldId) -> bool {
    id.to_bytes()[15] > REPLAYED / 2
}

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

    /// What the journal of an earlier process had left. Nobody knows what a hold without an ending
    /// cost: it is charged in full.
    pub(super) fn left(left: Unlanded, limits: Arc<Limits>) -> Self {
        let Unlanded {
            request,
            ending,
            number,
            ..
        } = left;
        let granted = Granted {
            part: Arc::clone(&limits),
            limits,
            request,
        };
        let mut settlement = granted.in_full();
        if let Some((ending, record)) = ending {
            settlement.ending = ending;
            settlement.record = record;
        }
        let mut replay = Self::new(granted, &settlement);
        if let Some(number) = number {
            replay.number(number);
        }
        replay
    }

    /// The same under another id.
    fn number(&mut self, number: u8) {
        self.number = number;
        let id = self.request.id.attempt(number);
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

impl Granted {
    /// An ending that charges all that was held.
    pub(super) fn in_full(&self) -> Settlement {
        Settlement {
            limits: Arc::clone(&self.limits),
            id: self.request.id,
            ending: Ending::Settled {
                used: self.request.need,
                cost: self.request.amount,
            },
            record: None,
        }
    }
}

impl Replays {
    pub(super) fn push(&self, replay: Replay) {
        let mut all = self.all();
        all.push_back(replay);
        if all.len() > MOST_WAITING {
            let lost = all.pop_front();
            drop(all);
            if let Some(lost) = lost {
                let hold = lost.request.id;
                tracing::error!(%hold, "a charge without the store is not told before the next start");
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
        shared.sync_journal().await;
        // What failed waits for the next time.
        let _ = shared.repeat_all().await;
    }
}

impl Shared {
    /// Whether what is granted is noted, if it has to be. A deployment has no money.
    pub(super) fn journalled(&self, granted: &Granted) -> bool {
        let (Some(journal), Scope::Team(team)) = (&self.journal, &granted.limits.scope) else {
            return true;
        };
        let noted = journal.held(team, &granted.request);
        if let Err(error) = &noted {
            tracing::error!(%error, "nothing is granted without the store, nor without its journal");
        }
        noted.is_ok()
    }

    /// Lets a charge wait for the shared store, if there is one.
    pub(super) fn replay(&self, granted: Granted, settlement: &Settlement) {
        let replay = Replay::new(granted, settlement);
        let counts = replay.counts();
        let of_team = matches!(settlement.limits.scope, Scope::Team(_));
        if let Some(journal) = self.journal.as_ref().filter(|_| of_team) {
            match counts {
                true => journal.ended(settlement),
                false => journal.landed(settlement.id),
            }
        }
        if counts {
            self.replays.push(replay);
        }
    }

    /// Makes the journal durable, beside the runtime.
    async fn sync_journal(&self) {
        let unsynced = self
            .journal
            .as_ref()
            .filter(|journal| journal.is_unsynced());
        if let Some(journal) = unsynced.map(Arc::clone) {
            // Whatever became of it was logged.
            let _ = tokio::task::spawn_blocking(move || journal.sync()).await;
        }
    }

    /// Tells the shared store of the charges that wait, one by one, up to the first that fails.
    pub(super) async fn repeat_all(&self) -> Result<(), StoreError> {
        let _only = self.replays.telling.lock().await;
        loop {
            let Some(next) = self.replays.first() else {
                return Ok(());
            };
            let landed = self.repeat_one(&next).await?;
            let number = next.number.wrapping_sub(1);
            if let Some(journal) = &self.journal {
                let id = next.request.id.call();
                match landed {
                    true => journal.landed(id),
                    false => journal.renumbered(id, number),
                }
            }
            self.replays.with_first(&next, |all| {
                if landed {
                    all.pop_front();
                } else if let Some(first) = all.front_mut() {
                    first.number(number);
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
        if self.arrived_after_all(settlement).await? {
            return Ok(true);
        }
        let held = self.primary.hold(limits, request.clone()).await?;
        if matches!(held, HoldReply::Duplicate(State::Cancelled)) {
            return Ok(false);
        }
        let reply = self.primary.settle(settlement.clone()).await?;
        Ok(reply != SettleReply::Duplicate(State::Cancelled))
    }

    /// Ends what the try that was not answered may have taken, under the call's own id. Whoever
    /// would have cancelled it may have been killed, and then its lease may have ended and all of
    /// it be charged: that charge is corrected, and nothing else is to be told.
    async fn arrived_after_all(&self, settlement: &Settlement) -> Result<bool, StoreError> {
        let own = Settlement {
            id: settlement.id.call(),
            ..settlement.clone()
        };
        let cancel = Settlement {
            ending: Ending::Cancelled,
            record: None,
            ..own.clone()
        };
        match self.primary.settle(cancel).await? {
            SettleReply::Duplicate(State::Expired) => {
                self.primary.settle(own).await?;
                Ok(true)
            }
            // Corrected by an earlier process.
            SettleReply::Duplicate(State::Settled) => Ok(true),
            _ => Ok(false),
        }
    }
}
