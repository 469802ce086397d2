//! What happened to a store that replicas share.

use super::Observer;
use crate::{
    store::event::{StoreEvent, StoreObserver},
    telemetry::labels::{Alone, Closed as _, Component, StoreCommand},
};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};
use tollgate_core::limit::Scope;

/// What is decided otherwise while the store does not answer.
const WITHOUT: [Component; 2] = [Component::Limits, Component::Budgets];

impl Observer {
    /// The store answered again.
    pub fn store_up(&self, after: Duration) {
        self.handles.load().fixed.store_up.set(1.0);
        if self.down.store.swap(false, Relaxed) {
            let after_ms = after.as_millis();
            tracing::info!(event = "store_up", after_ms);
        }
    }

    /// The store stopped answering.
    pub fn store_down(&self, detail: &str) {
        self.handles.load().fixed.store_up.set(0.0);
        if !self.down.store.swap(true, Relaxed) {
            tracing::error!(event = "store_down", detail);
        }
    }

    /// This runs without the store.
    pub fn store_degraded(&self, component: Component) {
        self.handles.load().fixed.degraded.at(component).set(1.0);
        if !self.down.of(component).swap(true, Relaxed) {
            tracing::warn!(event = "degraded_on", component = component.name());
        }
    }

    /// This runs with the store again.
    pub fn store_restored(&self, component: Component) {
        self.handles.load().fixed.degraded.at(component).set(0.0);
        if self.down.of(component).swap(false, Relaxed) {
            tracing::info!(event = "degraded_off", component = component.name());
        }
    }

    /// The store was asked; an error is no answer at all, never a refusal.
    pub fn store_called<T, E>(&self, command: StoreCommand, took: Duration, reply: &Result<T, E>) {
        let handles = self.handles.load();
        handles
            .fixed
            .store_seconds
            .at(command)
            .record(took.as_secs_f64());
        if reply.is_err() {
            handles.fixed.store_errors.at(command).increment(1);
        }
    }
}

impl StoreObserver for Observer {
    fn happened(&self, event: &StoreEvent) {
        match event {
            StoreEvent::Down { why } => {
                self.store_down(why);
                for component in WITHOUT {
                    self.store_degraded(component);
                }
            }
            StoreEvent::Up { after } => {
                self.store_up(*after);
                for component in WITHOUT {
                    self.store_restored(component);
                }
            }
            StoreEvent::Reasserted {
                holds,
                endings,
                failed,
            } => tracing::warn!(
                event = "store_reasserted",
                holds,
                endings,
                failed,
                "another Redis answers, or the same after a restart or without its data"
            ),
            StoreEvent::Unseeded { team } => {
                tracing::warn!(event = "balances_missing", team = &**team);
            }
            StoreEvent::Seeded { team } => {
                tracing::info!(event = "balances_seeded", team = &**team);
            }
            StoreEvent::EndingsWaiting { waiting } => {
                tracing::debug!(event = "endings_waiting", waiting);
            }
            StoreEvent::EndingLost { id, why } => {
                tracing::error!(event = "ending_lost", call_id = %id, why);
            }
            // Of one scope; the whole is told by `Down` and `Up`.
            StoreEvent::Degraded { scope } => {
                tracing::debug!(event = "decided_here", %scope);
            }
            StoreEvent::Restored { scope, after } => {
                let after_ms = after.as_millis();
                tracing::debug!(event = "decided_there", %scope, after_ms);
            }
            StoreEvent::Draining { now: true } => {
                self.ledger_writer(true);
                tracing::info!(event = "drain_started");
            }
            StoreEvent::Draining { now: false } => {
                self.ledger_writer(false);
                tracing::info!(event = "drain_stopped");
            }
            StoreEvent::DrainFailed { why } => {
                tracing::error!(event = "drain_failed", why);
            }
            StoreEvent::DrainRecovered => {
                self.ledger_recovered();
                tracing::info!(event = "drain_recovered");
            }
            StoreEvent::Compared { drift } => self.ledger_compared(*drift),
            StoreEvent::LedgerFailed { why } => self.ledger_failed(why),
        }
    }

    fn asked(&self, what: &'static str, took: Duration, outcome: &'static str) {
        let Some(command) = StoreCommand::named(what) else {
            return;
        };
        let reply = if outcome == "ok" { Ok(()) } else { Err(()) };
        self.store_called(command, took, &reply);
    }

    fn decided_locally(&self, _: &Scope, decision: &'static str) {
        if let Some(decision) = Alone::named(decision) {
            self.handles
                .load()
                .fixed
                .decided_alone
                .at(decision)
                .increment(1);
        }
    }
}
