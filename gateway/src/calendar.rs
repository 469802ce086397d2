//! Days and months in a time zone, as windows of absolute time.
//!
//! Windows tile time: one ends in the millisecond in which the next begins, whatever the clocks
//! do. A day may have 23, 24 or 25 hours, or begin at 01:00 where midnight is skipped.

use arc_swap::ArcSwap;
use chrono::{DateTime, Datelike as _, Days, LocalResult, Months, NaiveDate, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use std::sync::Arc;
use tollgate_core::{
    Timestamp,
    budget::{Calendar, Window},
};

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
}

impl Span {
    /// Its name in the configuration, which is also the name of its budget.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The first day of the span that `day` is in.
    fn first_day(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => day,
            Self::Month => day.with_day(1).unwrap_or(day),
        }
    }

    /// The first day of the next span.
    fn next(self, first: NaiveDate) -> NaiveDate {
        let next = match self {
            Self::Day => first.checked_add_days(Days::new(1)),
            Self::Month => first.checked_add_months(Months::new(1)),
        };
        next.unwrap_or(NaiveDate::MAX)
    }

    /// The first day of the span before.
    fn previous(self, first: NaiveDate) -> NaiveDate {
        let previous = match self {
            Self::Day => first.checked_sub_days(Days::new(1)),
            Self::Month => first.checked_sub_months(Months::new(1)),
        };
        previous.unwrap_or(NaiveDate::MIN)
    }

    /// The id of the span that begins on `first`.
    fn id(self, first: NaiveDate) -> Arc<str> {
        match self {
            Self::Day => first.format("%Y-%m-%d").to_string().into(),
            Self::Month => first.format("%Y-%m").to_string().into(),
        }
    }
}

/// The days or months of a time zone.
///
/// Keeps the current window, so that asking again costs no more than a copied pointer.
#[derive(Debug)]
pub struct ZonedCalendar {
    span: Span,
    zone: Tz,
    current: ArcSwap<Current>,
}

/// A window and when it began.
#[derive(Clone, Debug)]
struct Current {
    begins_at: Timestamp,
    ends_at: Timestamp,
    window: Window,
}

impl ZonedCalendar {
    /// The days or months of a zone.
    #[must_use]
    pub fn new(span: Span, zone: Tz) -> Self {
        let current = compute(span, zone, Timestamp::default());
        Self {
            span,
            zone,
            current: ArcSwap::from_pointee(current),
        }
    }
}

impl Calendar for ZonedCalendar {
    fn window_at(&self, now: Timestamp) -> Window {
        let current = self.current.load();
        if current.begins_at <= now && now < current.ends_at {
            return current.window.clone();
        }
        let fresh = compute(self.span, self.zone, now);
        let window = fresh.window.clone();
        self.current.store(Arc::new(fresh));
        window
    }
}

fn compute(span: Span, zone: Tz, now: Timestamp) -> Current {
    // Calendars end somewhere. What lies outside counts as its nearest day.
    let now_utc = DateTime::from_timestamp_millis(now.millis().clamp(EARLIEST, LATEST))
        .expect("clamped to years that chrono knows");
    let now = Timestamp::from_millis(now_utc.timestamp_millis());
    let mut first = span.first_day(now_utc.with_timezone(&zone).date_naive());
    // Where clocks are set back over midnight, a date is in force twice. It counts from its first
    // second on, so the date that the clock shows may be one window off.
    while begin(zone, first) > now {
        first = span.previous(first);
    }
    while begin(zone, span.next(first)) <= now {
        first = span.next(first);
    }
    let ends_at = begin(zone, span.next(first));
    Current {
        begins_at: begin(zone, first),
        ends_at,
        window: Window {
            id: span.id(first),
            ends_at: Some(ends_at),
        },
    }
}

/// The year 0001 and the year 9999, with days to spare on both sides.
const EARLIEST: i64 = -62_135_000_000_000;
const LATEST: i64 = 253_402_000_000_000;

/// The first instant of a day: its midnight, or the end of the gap that midnight falls into.
fn begin(zone: Tz, day: NaiveDate) -> Timestamp {
    let midnight = day.and_time(NaiveTime::MIN);
    let first = match midnight.and_local_timezone(zone) {
        LocalResult::Single(first) | LocalResult::Ambiguous(first, _) => first.to_utc(),
        LocalResult::None => {
            // Offsets lie within 26 hours of each other, and the clock is set forward once in
            // between: local time passes midnight in one jump, which is searched for.
            let mut before = midnight.and_utc() - TimeDelta::hours(26);
            let mut after = midnight.and_utc() + TimeDelta::hours(26);
            while after - before > TimeDelta::seconds(1) {
                let between = before + TimeDelta::seconds((after - before).num_seconds() / 2);
                if between.with_timezone(&zone).naive_local() < midnight {
                    before = between;
                } else {
                    after = between;
                }
            }
            after
        }
    };
    Timestamp::from_millis(first.timestamp_millis())
}

#[cfg(test)]
mod tests;
