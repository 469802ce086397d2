//! What operators are told of the store: each change once.

use std::{sync::Arc, time::Duration};
use tollgate_core::{HoldId, Money, limit::Scope};

/// Something that happened to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// Redis is not asked any more until a probe succeeds.
    Down {
        /// What failed.
        why: String,
    },
    /// Redis is asked again.
    Up {
        /// How long it was not.
        after: Duration,
    },
    /// Another Redis answers, or the same after a restart: what this replica knows was repeated.
    Reasserted {
        /// Open holds that were put back or found.
        holds: usize,
        /// Endings that were repeated.
        endings: usize,
        /// What could not be repeated.
        failed: usize,
    },
    /// The balances of a team are gone. Nothing of it is admitted until they are rebuilt.
    Unseeded {
        /// The team.
        team: Arc<str>,
    },
    /// The balances of a team were rebuilt from the ledger.
    Seeded {
        /// The team.
        team: Arc<str>,
    },
    /// Endings wait for Redis.
    EndingsWaiting {
        /// How many.
        waiting: usize,
    },
    /// An ending was given up. Its hold is charged in full when its lease ends, or is charged.
    EndingLost {
        /// The hold.
        id: HoldId,
        /// Why.
        why: String,
    },
    /// Calls of a scope are decided without the shared store from now on.
    Degraded {
        /// The team or deployment.
        scope: Scope,
    },
    /// Calls of a scope are decided by the shared store again.
    Restored {
        /// The team or deployment.
        scope: Scope,
        /// How long they were not.
        after: Duration,
    },
    /// This replica drains the outboxes into the ledger, or does no longer.
    Draining {
        /// Whether it does.
        now: bool,
    },
    /// Draining failed and is tried again.
    DrainFailed {
        /// Why.
        why: String,
    },
    /// Draining works again, here or on another replica.
    DrainRecovered,
    /// The store and the ledger were compared.
    Compared {
        /// The largest difference of one counter's spend.
        drift: Money,
    },
    /// The ledger of the drain could not be used. Told at every try.
    LedgerFailed {
        /// Why.
        why: String,
    },
}

/// Is told what happens to the store.
pub trait StoreObserver: Send + Sync {
    /// Something changed.
    fn happened(&self, event: &StoreEvent);

    /// Redis was asked something: what, for how long, and the outcome in one word.
    fn asked(&self, _what: &'static str, _took: Duration, _outcome: &'static str) {}

    /// A call was decided without the shared store: `held`, `refused` or `unavailable`.
    fn decided_locally(&self, _scope: &Scope, _decision: &'static str) {}
}
