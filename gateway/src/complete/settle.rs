//! Settling, off the callers' path: it outlives requests, repeats until it lands, keeps leases.
//!
//! A store in this process needs no waiting, so there it lands at once, without a queue.

use super::gate::Gates;
use crate::{
    cores,
    store::{Settlement, Store},
    telemetry::Observer,
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tollgate_core::{HoldId, account::SettleReply, limit::Scope};

/// How many settlements talk to the store at once.
const AT_ONCE: usize = 256;
/// The pauses between tries while the store does not answer: the first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// Takes endings of holds. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Settler {
    /// One for each core.
    queues: Arc<[UnboundedSender<Settlement>]>,
    desk: Arc<Desk>,
}

/// Where endings land.
struct Desk {
    open: OpenHolds,
    store: Arc<dyn Store>,
    gates: Arc<Gates>,
    observer: Arc<Observer>,
}

/// The holds of this process, by scope, so that their leases are renewed.
#[derive(Debug, Default)]
struct OpenHolds {
    by_scope: Mutex<HashMap<Scope, HashSet<HoldId>>>,
    waiting: AtomicU64,
}

/// What settles the calls of one core. Run it there until its settlers are gone.
pub struct SettlerTask {
    queue: UnboundedReceiver<Settlement>,
    desk: Arc<Desk>,
}

impl Settler {
    /// A settler and the tasks that do its work, one for each of the [`cores`].
    ///
    /// The queues have no bound of their own: they hold at most one entry per call and attempt, and
    /// these are bounded at admission. Their length is a metric.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        gates: Arc<Gates>,
        observer: Arc<Observer>,
    ) -> (Self, Vec<SettlerTask>) {
        let desk = Arc::new(Desk {
            open: OpenHolds::default(),
            store,
            gates,
            observer,
        });
        let lane = |_| {
            let (sender, queue) = unbounded_channel();
            let desk = Arc::clone(&desk);
            (sender, SettlerTask { queue, desk })
        };
        let (queues, tasks): (Vec<_>, Vec<_>) = (0..cores::count().get()).map(lane).unzip();
        let queues = queues.into();
        (Self { queues, desk }, tasks)
    }

    /// A hold of this process is open: keep its lease.
    pub(crate) fn opened(&self, scope: &Scope, id: HoldId) {
        let mut open = lock(&self.desk.open.by_scope);
        match open.get_mut(scope) {
            Some(ids) => {
                ids.insert(id);
            }
            None => {
                open.insert(scope.clone(), HashSet::from([id]));
            }
        }
    }

    /// Ends a hold, soon and surely.
    pub(crate) fn settle(&self, settlement: Settlement) {
        if let Some(reply) = self.desk.store.settle_at_once(&settlement) {
            self.desk.landed(&settlement, &reply);
            return;
        }
        self.desk.open.waiting.fetch_add(1, Relaxed);
        let queue = &self.queues[cores::here().unwrap_or(0)];
        if let Err(lost) = queue.send(settlement) {
            // Only after shutdown gave up waiting: the lease ends it, charged in full.
            tracing::warn!(hold = %lost.0.id, "an ending came after the end");
        }
    }

    /// How many endings wait.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.desk.open.waiting.load(Relaxed)
    }

    /// The open holds of this process, by scope.
    #[must_use]
    pub fn open_holds(&self) -> Vec<(Scope, Vec<HoldId>)> {
        let open = lock(&self.desk.open.by_scope);
        open.iter()
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(scope, ids)| (scope.clone(), ids.iter().copied().collect()))
            .collect()
    }
}

impl SettlerTask {
    /// Settles until `stop`, and then until every ending has landed.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut running = FuturesUnordered::new();
        let mut batch = Vec::with_capacity(AT_ONCE);
        let mut open = true;
        let mut stopping = false;
        tokio::pin!(stop);
        while open || !running.is_empty() {
            let room = AT_ONCE.saturating_sub(running.len());
            tokio::select! {
                () = &mut stop, if !stopping => {
                    stopping = true;
                    // What is queued is still received.
                    self.queue.close();
                }
                received = self.queue.recv_many(&mut batch, room.max(1)), if open && room > 0 => {
                    open = received > 0;
                    for settlement in batch.drain(..) {
                        running.push(land(&self.desk.store, settlement));
                    }
                }
                Some((settlement, reply)) = running.next(), if !running.is_empty() => {
                    self.desk.open.waiting.fetch_sub(1, Relaxed);
                    self.desk.landed(&settlement, &reply);
                }
            }
        }
    }
}

impl Desk {
    fn landed(&self, settlement: &Settlement, reply: &SettleReply) {
        let scope = &settlement.limits.scope;
        if let Some(ids) = lock(&self.open.by_scope).get_mut(scope) {
            ids.remove(&settlement.id);
        }
        self.observer.settled(settlement, reply);
        self.gates.released(scope);
    }
}

/// Repeats until the store answers. Endings are idempotent, so repeating is safe.
async fn land(store: &Arc<dyn Store>, settlement: Settlement) -> (Settlement, SettleReply) {
    let mut pause = FIRST_PAUSE;
    loop {
        match store.settle(settlement.clone()).await {
            Ok(reply) => return (settlement, reply),
            Err(error) => {
                tracing::debug!(%error, hold = %settlement.id, "an ending waits for the store");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
