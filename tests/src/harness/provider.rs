//! The provider that gateways under test call.

use crate::simulator::{Options, Simulator};
use std::time::Duration;

/// A provider that answers after so many milliseconds.
///
/// # Panics
/// If it does not start.
pub async fn simulator(latency_ms: u64) -> Simulator {
    let options = Options {
        latency: Duration::from_millis(latency_ms),
        ..Options::default()
    };
    Simulator::start(options).await.expect("it starts")
}
