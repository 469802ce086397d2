//! What is told about the gateway: metrics, logs and readiness.
//!
//! One [`Observer`] takes what happened and writes the metrics and the log line together, so that
//! they cannot disagree. No label and no line has a prompt, a key, or a name that a caller made up
//! where a configured one belongs.

pub mod catalogue;
mod handles;
mod labels;
pub mod log;
mod observer;
mod process;
mod registry;
pub mod server;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use labels::{Component, Delivery, StoreCommand};
pub(crate) use labels::{FallbackReason, Skip};
pub(crate) use observer::CallObservation;
pub use observer::{AlertSink, Build, Lengths, Observer, RpcObservation};

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static LEFT_OUT: AtomicBool = AtomicBool::new(false);

/// Gateways that this process starts from now on keep no metrics and no interaction log.
///
/// For `make bench`, which measures what these cost. Neither the configuration nor the command line
/// leads here: a gateway that nobody can see into is not for production.
pub fn leave_out() {
    LEFT_OUT.store(true, Relaxed);
}

/// Whether [`leave_out`] was called.
pub(crate) fn is_left_out() -> bool {
    LEFT_OUT.load(Relaxed)
}
