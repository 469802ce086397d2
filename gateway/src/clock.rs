//! The clock: the only place that asks for the time.

use chrono::{DateTime, TimeZone as _, Utc};
use std::time::SystemTime;
use tollgate_core::Timestamp;

/// Tells the wall-clock time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that all others ask"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The UTC date and time of a timestamp; the epoch if it is out of range.
#[must_use]
pub fn utc(at: Timestamp) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(at.millis())
        .single()
        .unwrap_or_default()
}

/// RFC 3339 with milliseconds, UTC.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    utc(at).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
