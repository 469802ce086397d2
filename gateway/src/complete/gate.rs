//! Where callers of one team wait for limits: one line, and only its head asks the store.
//!
//! So ten thousand waiters cost the store no more than one, and who came first goes first.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::sync::{Notify, Semaphore};
use tollgate_core::{account::Refusal, budget::Balance};

/// The most callers of one team that wait at once; more are refused at once.
pub(crate) const MOST_WAITERS: usize = 10_000;

/// The gates of all teams.
#[derive(Debug, Default)]
pub struct Gates {
    gates: RwLock<HashMap<Arc<str>, Arc<Gate>>>,
}

impl Gates {
    /// The gate of a team.
    pub(crate) fn of(&self, team: &Arc<str>) -> Arc<Gate> {
        let gates = self.gates.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(team) {
            return Arc::clone(gate);
        }
        drop(gates);
        let mut gates = self.gates.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(Arc::clone(team)).or_default())
    }

    /// A call of the team ended: what it held is free.
    pub(crate) fn released(&self, team: &Arc<str>) {
        let gates = self.gates.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(team) {
            gate.released.notify_one();
        }
    }
}

/// The gate of one team.
#[derive(Debug)]
pub(crate) struct Gate {
    /// One permit: whoever has it is the head of the line. Served in order of arrival.
    pub(crate) head: Semaphore,
    /// A call of this team ended.
    pub(crate) released: Notify,
    waiting: AtomicUsize,
    /// What the head was told last, for those whose patience ends behind it.
    last: Mutex<Vec<Refusal>>,
    /// The used share of the tightest budget as of the last hold, in thousandths.
    pressure: AtomicU64,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            head: Semaphore::new(1),
            released: Notify::new(),
            waiting: AtomicUsize::new(0),
            last: Mutex::default(),
            pressure: AtomicU64::new(0),
        }
    }
}

impl Gate {
    /// Whether somebody waits, so that a newcomer must queue.
    pub(crate) fn is_busy(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }

    /// A place in the line, or `None` if it is too long.
    pub(crate) fn join(self: &Arc<Self>) -> Option<Place> {
        if self.waiting.fetch_add(1, Relaxed) >= MOST_WAITERS {
            self.waiting.fetch_sub(1, Relaxed);
            return None;
        }
        Some(Place(Arc::clone(self)))
    }

    /// Notes what the head was told.
    pub(crate) fn told(&self, refusals: &[Refusal]) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = refusals.to_vec();
    }

    /// What the head was told last.
    pub(crate) fn last_told(&self) -> Vec<Refusal> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// The used share of the tightest budget, in thousandths.
    pub(crate) fn pressure(&self) -> u64 {
        self.pressure.load(Relaxed)
    }

    /// Notes the balances of a hold reply.
    pub(crate) fn note_balances(&self, balances: &[Balance]) {
        let tightest = balances.iter().filter_map(Balance::used_permille).max();
        self.pressure.store(tightest.unwrap_or(0), Relaxed);
    }
}

/// A place in the line; left when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Gate>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}
