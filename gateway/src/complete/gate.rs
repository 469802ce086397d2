//! Where calls wait for the limits of a scope, a team or a deployment.

use super::line::Line;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tollgate_core::{account::Refusal, budget::Balance, limit::Scope};

/// The gates of all scopes.
#[derive(Debug, Default)]
pub struct Gates {
    gates: RwLock<HashMap<Scope, Arc<Gate>>>,
}

impl Gates {
    /// The gate of a scope.
    pub(crate) fn of(&self, scope: &Scope) -> Arc<Gate> {
        let gates = self.gates.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(scope) {
            return Arc::clone(gate);
        }
        drop(gates);
        let mut gates = self.gates.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(scope.clone()).or_default())
    }

    /// A hold of the scope ended: what it took is free.
    pub(crate) fn released(&self, scope: &Scope) {
        let gates = self.gates.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(scope) {
            gate.line.released();
        }
    }
}

/// The gate of one scope.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Who waits.
    pub(crate) line: Arc<Line>,
    /// What the head was told last, for those whose patience ends behind it.
    last: Mutex<Vec<Refusal>>,
    /// The used share of the tightest budget as of the last hold, in thousandths.
    pressure: AtomicU64,
}

impl Gate {
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
