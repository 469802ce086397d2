//! The one place of the simulator that reads the wall clock: wire formats carry the date.

use chrono::{DateTime, Utc};

/// The time of day for `created`, rate-limit resets and `retry-after` dates.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulated provider stamps its answers"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
