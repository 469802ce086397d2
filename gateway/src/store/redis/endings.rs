//! Endings that found no Redis, repeated until they land: at least once, idempotent by hold id.

use super::{Shared, fault::Fault, roll::Granted};
use crate::store::{Settlement, event::StoreEvent};
use futures_util::future::join_all;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tollgate_core::{HoldId, account::SettleReply};

/// The most endings that wait. Beyond, the oldest is given up: its hold is charged in full when
/// its lease ends, which is the safe side.
const MOST_WAITING: usize = 100_000;

/// How many are repeated at once.
const BATCH: usize = 64;

/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(100);

/// One ending that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) settlement: Settlement,
    /// When it was tried first. After the memory of ended holds has passed, a missing hold may
    /// have been forgotten, and is not put back.
    pub(super) first: Instant,
    /// What was granted, to put it back if Redis has lost it.
    pub(super) granted: Option<Granted>,
    /// Who is told how it ended: the reply to an ending says what it crossed.
    pub(super) told: Option<oneshot::Sender<SettleReply>>,
}

/// The endings that wait.
#[derive(Debug, Default)]
pub(super) struct Endings {
    waiting: Mutex<VecDeque<Waiting>>,
    /// Those that are being repeated now.
    under_way: AtomicUsize,
    more: Notify,
}

impl Endings {
    /// Lets an ending wait. Returns one that had to be given up.
    pub(super) fn push(&self, waiting: Waiting) -> Option<HoldId> {
        let mut all = self.all();
        all.push_back(waiting);
        let lost = if all.len() > MOST_WAITING {
            all.pop_front().map(|lost| lost.settlement.id)
        } else {
            None
        };
        drop(all);
        self.more.notify_one();
        lost
    }

    /// How many wait, those included that are being repeated.
    pub(super) fn len(&self) -> usize {
        self.all().len() + self.under_way.load(Relaxed)
    }

    /// Whether none waits to be taken.
    fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    pub(super) fn take(&self) -> Vec<Waiting> {
        let mut all = self.all();
        let most = all.len().min(BATCH);
        self.under_way.fetch_add(most, Relaxed);
        all.drain(..most).collect()
    }

    /// So many were repeated, of which these failed.
    pub(super) fn put_back(&self, repeated: usize, mut failed: Vec<Waiting>) {
        let mut all = self.all();
        self.under_way.fetch_sub(repeated, Relaxed);
        if !failed.is_empty() {
            self.more.notify_one();
        }
        while let Some(one) = failed.pop() {
            all.push_front(one);
        }
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Repeats endings until the store is dropped or told to stop.
pub(super) async fn repeat(shared: Weak<Shared>, stop: CancellationToken) {
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        let failed = strong.repeat_some().await;
        let pause = failed || strong.gate.is_shut();
        // Those that a flush repeats now are not for this one.
        let idle = strong.endings.is_empty();
        let endings = Arc::clone(&strong.endings);
        drop(strong);
        let rest = async {
            if pause {
                tokio::time::sleep(PAUSE).await;
            } else if idle {
                // Woken at least now and then, to notice that the store is gone.
                let _ = tokio::time::timeout(Duration::from_secs(1), endings.more.notified()).await;
            }
        };
        tokio::select! {
            () = rest => {}
            () = stop.cancelled() => return,
        }
    }
}

impl Shared {
    /// Repeats a batch. Returns whether some failed.
    pub(super) async fn repeat_some(&self) -> bool {
        if self.gate.is_shut() {
            return false;
        }
        let batch = self.endings.take();
        let tries = batch.iter().map(|one| self.end(one));
        let results = join_all(tries).await;
        let repeated = batch.len();
        let mut failed = Vec::new();
        for (one, result) in batch.into_iter().zip(results) {
            match result {
                Ok(reply) => {
                    // Nobody may want to know any more.
                    let _ = one.told.map(|told| told.send(reply));
                }
                Err(fault) if fault.is_passing() => failed.push(one),
                Err(fault) => self.lose(one.settlement.id, &fault),
            }
        }
        let any = !failed.is_empty();
        self.endings.put_back(repeated, failed);
        any
    }

    /// Lets an ending wait for Redis.
    pub(super) fn end_later(&self, waiting: Waiting) {
        let lost = self.endings.push(waiting);
        if let Some(id) = lost {
            let why = "too many endings wait".to_owned();
            self.observer.happened(&StoreEvent::EndingLost { id, why });
        }
        let waiting = self.endings.len();
        self.observer
            .happened(&StoreEvent::EndingsWaiting { waiting });
    }

    fn lose(&self, id: HoldId, fault: &Fault) {
        let why = fault.to_string();
        self.observer.happened(&StoreEvent::EndingLost { id, why });
    }
}
