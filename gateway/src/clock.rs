//! The clock: the only place that asks for the time.

use chrono::{DateTime, TimeZone as _, Utc};
use std::{sync::Arc, time::SystemTime};
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

/// Names UTC days, `2026-11-24`. Keeps the last one, because it is nearly always the same.
#[derive(Clone, Debug, Default)]
pub struct Days(Option<(i64, Arc<str>)>);

impl Days {
    /// The day of a timestamp.
    pub fn of(&mut self, at: Timestamp) -> Arc<str> {
        const DAY_MS: i64 = 24 * 3_600_000;
        let number = at.millis().div_euclid(DAY_MS);
        match &self.0 {
            Some((known, day)) if *known == number => Arc::clone(day),
            _ => {
                let day: Arc<str> = utc(at).date_naive().to_string().into();
                self.0 = Some((number, Arc::clone(&day)));
                day
            }
        }
    }
}

/// RFC 3339 with milliseconds, UTC.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    utc(at).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
