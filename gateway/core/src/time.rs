//! Points in time, as the caller of the core saw them.

use std::ops::{Add, Sub};

/// Milliseconds since the Unix epoch.
///
/// The core never asks for the time; whoever calls it says what time it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to here; 0 if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl Add<u64> for Timestamp {
    type Output = Self;

    /// The point `millis` milliseconds later, at most the end of time.
    fn add(self, millis: u64) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(millis).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<u64> for Timestamp {
    type Output = Self;

    /// The point `millis` milliseconds earlier, at least the start of time.
    fn sub(self, millis: u64) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(millis).unwrap_or(i64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_since_a_later_point_is_zero() {
        let early = Timestamp::from_millis(1_000);
        assert_eq!((early + 500).since(early), 500);
        assert_eq!(early.since(early + 500), 0);
        assert_eq!(early - 1_500, Timestamp::from_millis(-500));
    }
}
