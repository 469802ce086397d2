//! The breaker in front of Redis: slow is worse than down.
//!
//! Five failures in a row shut it; then nobody waits for Redis, and only the monitor probes it,
//! once a second. It opens again when a probe succeeded and what may have been lost was repeated.

use super::fault::Fault;
use crate::store::event::{StoreEvent, StoreObserver};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering::Relaxed},
};
use tokio::{sync::Notify, time::Instant};

/// Failures in a row that shut the gate.
const MOST_FAILURES: u32 = 5;

/// The breaker.
pub(super) struct Gate {
    failures: AtomicU32,
    shut_since: Mutex<Option<Instant>>,
    /// 1 while shut, so that the common case takes no lock.
    shut: AtomicU32,
    observer: Arc<dyn StoreObserver>,
    /// Wakes the monitor.
    pub(super) probe: Notify,
}

impl Gate {
    pub(super) fn new(observer: Arc<dyn StoreObserver>) -> Self {
        Self {
            failures: AtomicU32::new(0),
            shut_since: Mutex::new(None),
            shut: AtomicU32::new(0),
            observer,
            probe: Notify::new(),
        }
    }

    /// Whether Redis may be asked.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.is_shut() {
            return Err(Fault::Open);
        }
        Ok(())
    }

    pub(super) fn is_shut(&self) -> bool {
        self.shut.load(Relaxed) == 1
    }

    /// Notes how a call went.
    pub(super) fn note(&self, fault: Option<&Fault>) {
        match fault {
            Some(fault) if fault.is_outage() => {
                if self.failures.fetch_add(1, Relaxed) + 1 >= MOST_FAILURES {
                    self.shut(&fault.to_string());
                }
            }
            Some(_) => {}
            None => {
                if self.failures.load(Relaxed) != 0 {
                    self.failures.store(0, Relaxed);
                }
            }
        }
    }

    /// Shuts it, if it is open.
    pub(super) fn shut(&self, why: &str) {
        let mut since = self.since();
        if since.is_none() {
            *since = Some(Instant::now());
            self.shut.store(1, Relaxed);
            drop(since);
            let why = why.to_owned();
            self.observer.happened(&StoreEvent::Down { why });
            self.probe.notify_one();
        }
    }

    /// Opens it, if it is shut.
    pub(super) fn open(&self) {
        let mut shut_since = self.since();
        self.failures.store(0, Relaxed);
        if let Some(since) = shut_since.take() {
            self.shut.store(0, Relaxed);
            drop(shut_since);
            let after = since.elapsed();
            self.observer.happened(&StoreEvent::Up { after });
        }
    }

    fn since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.shut_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
