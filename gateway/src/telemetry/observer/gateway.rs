//! What happened to the gateway itself: RPCs, store, ledger, shutdown.

use super::Observer;
use crate::{
    error::Error,
    telemetry::{
        handles::Handles,
        labels::{Closed as _, Component, Delivery, GrpcCode, Outcome, Rpc, Signal},
    },
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use tokio::time::Instant;
use tollgate_core::{Money, Timestamp};

/// What is down.
#[derive(Debug, Default)]
pub(super) struct Down {
    pub(super) store: AtomicBool,
    ledger: AtomicBool,
    limits: AtomicBool,
    budgets: AtomicBool,
    idempotency: AtomicBool,
}

impl Down {
    pub(super) const fn of(&self, component: Component) -> &AtomicBool {
        match component {
            Component::Limits => &self.limits,
            Component::Budgets => &self.budgets,
            Component::Idempotency => &self.idempotency,
        }
    }
}

/// Lengths of what waits, read before each scrape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    /// Endings that wait for the store.
    pub settlement_backlog: u64,
    /// Open holds of this replica's calls.
    pub holds_open: u64,
    /// What waits to be written to the ledger.
    pub ledger_buffered_bytes: u64,
    /// Entries of the ledger that were lost, since the start.
    pub ledger_dropped: u64,
    /// Log lines that were lost, since the start.
    pub log_lines_dropped: u64,
    /// Entries of the interaction log that were lost, since the start.
    pub interactions_dropped: u64,
}

impl Observer {
    /// What waits and what was lost.
    pub fn lengths_seen(&self, lengths: Lengths) {
        let handles = self.handles.load();
        let fixed = &handles.fixed;
        fixed
            .settlement_backlog
            .set(lengths.settlement_backlog as f64);
        fixed.holds_open.set(lengths.holds_open as f64);
        fixed
            .ledger_buffered
            .set(lengths.ledger_buffered_bytes as f64);
        fixed.ledger_dropped.absolute(lengths.ledger_dropped);
        fixed
            .dropped
            .at(Signal::Log)
            .absolute(lengths.log_lines_dropped);
        let interactions = fixed.dropped.at(Signal::Interaction);
        interactions.absolute(lengths.interactions_dropped);
    }

    /// How many calls are taken on at once.
    pub fn bounded(&self, max_in_flight: u64) {
        self.handles
            .load()
            .fixed
            .in_flight_limit
            .set(max_in_flight as f64);
    }

    /// Callers are shown a certificate that ends then, in seconds since the epoch.
    pub fn certificate_shown(&self, ends_at: i64) {
        let handles = self.handles.load();
        handles.fixed.certificate_end.set(ends_at as f64);
    }

    /// The signal to stop came.
    pub fn draining(&self) {
        self.handles.load().fixed.draining.set(1.0);
        tracing::info!(event = "draining");
    }

    /// A bug.
    pub fn panicked(&self) {
        self.handles.load().fixed.panics.increment(1);
        tracing::error!(event = "panicked");
    }

    /// This replica writes the ledger from now on, or does no longer.
    pub fn ledger_writer(&self, writes: bool) {
        let handles = self.handles.load();
        handles.fixed.ledger_writer.set(f64::from(u8::from(writes)));
    }

    /// The ledger can't be written.
    pub fn ledger_failed(&self, detail: &str) {
        let handles = self.handles.load();
        handles.fixed.ledger_up.set(0.0);
        if !self.down.ledger.swap(true, Relaxed) {
            handles.fixed.ledger_errors.increment(1);
            tracing::error!(event = "ledger_failed", detail);
        }
    }

    /// The ledger can be written again.
    pub fn ledger_recovered(&self) {
        self.handles.load().fixed.ledger_up.set(1.0);
        if self.down.ledger.swap(false, Relaxed) {
            tracing::info!(event = "ledger_recovered");
        }
    }

    /// Store and ledger were compared: the largest difference of one budget.
    pub fn ledger_compared(&self, drift: Money) {
        let drift = drift.nanos().unsigned_abs();
        self.handles.load().fixed.ledger_drift.set(drift as f64);
        if drift > 0 {
            tracing::error!(event = "ledger_drift", drift_nano_usd = drift);
        }
    }

    /// An alert was delivered, or not.
    pub fn alert_handled(&self, delivery: Delivery) {
        self.handles
            .load()
            .fixed
            .deliveries
            .at(delivery)
            .increment(1);
        if delivery != Delivery::Delivered {
            tracing::warn!(event = "alert", result = delivery.name());
        }
    }
}

/// One RPC as it goes. Dropped without an end, it counts as CANCELLED.
pub struct RpcObservation {
    handles: Arc<Handles>,
    rpc: Rpc,
    started: Instant,
    code: GrpcCode,
}

impl RpcObservation {
    pub(super) fn new(handles: Arc<Handles>, rpc: Rpc) -> Self {
        handles.fixed.rpcs.at(rpc).started.increment(1);
        Self {
            handles,
            rpc,
            started: Instant::now(),
            code: GrpcCode::Cancelled,
        }
    }

    /// It was refused before it reached its service, which would have counted the call.
    pub fn refused(&self, error: &Error) {
        if self.rpc == Rpc::Complete {
            let outcome = Outcome::of(error);
            self.handles.fixed.requests.at(outcome).increment(1);
        }
    }

    /// It ended with this code.
    pub fn handled(mut self, code: impl Into<i32>) {
        self.code = GrpcCode::numbered(code.into());
    }
}

impl Drop for RpcObservation {
    fn drop(&mut self) {
        let known = self.handles.fixed.rpcs.at(self.rpc);
        known.handled.at(self.code).increment(1);
        known.seconds.record(self.started.elapsed().as_secs_f64());
    }
}

/// A time as Prometheus has it.
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.millis() as f64 / 1_000.0
}
