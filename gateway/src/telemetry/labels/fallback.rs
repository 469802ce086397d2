//! Why calls go on to another model: the one before failed, or was passed over.

use super::{Closed, KINDS};
use crate::provider::FailureKind;

/// Why a model is passed over without an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// Its breakers are open.
    BreakerOpen,
    /// Its provider wants to be left alone.
    Cooldown,
    /// An operator keeps calls away from it.
    Drained,
    /// Its quota is used up.
    Quota,
    /// Its answer would come too late.
    Late,
}

/// Why a call went on to another model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FallbackReason {
    /// An attempt failed.
    Failed(FailureKind),
    /// No attempt was made.
    Skipped(Skip),
}

const SKIPS: [(Skip, &str); 5] = [
    (Skip::BreakerOpen, "breaker_open"),
    (Skip::Cooldown, "cooldown"),
    (Skip::Drained, "drained"),
    (Skip::Quota, "quota"),
    (Skip::Late, "late"),
];

const COUNT: usize = KINDS + SKIPS.len();

const REASONS: [FallbackReason; COUNT] = {
    let mut reasons = [FallbackReason::Skipped(Skip::Late); COUNT];
    let mut place = 0;
    while place < COUNT {
        reasons[place] = if place < KINDS {
            FallbackReason::Failed(FailureKind::ALL[place])
        } else {
            FallbackReason::Skipped(SKIPS[place - KINDS].0)
        };
        place += 1;
    }
    reasons
};

const NAMES: [&str; COUNT] = {
    let mut names = [""; COUNT];
    let mut place = 0;
    while place < COUNT {
        names[place] = if place < KINDS {
            FailureKind::ALL[place].name()
        } else {
            SKIPS[place - KINDS].1
        };
        place += 1;
    }
    names
};

impl Closed for FallbackReason {
    const ALL: &'static [Self] = &REASONS;
    const NAMES: &'static [&'static str] = &NAMES;

    fn ordinal(self) -> usize {
        match self {
            Self::Failed(kind) => kind.ordinal(),
            Self::Skipped(skip) => KINDS + skip as usize,
        }
    }
}

impl From<FailureKind> for FallbackReason {
    fn from(kind: FailureKind) -> Self {
        Self::Failed(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_places() {
        for (place, reason) in FallbackReason::ALL.iter().enumerate() {
            assert_eq!(reason.ordinal(), place);
        }
        let skipped = FallbackReason::Skipped(Skip::BreakerOpen);
        assert_eq!(skipped.name(), "breaker_open");
        let failed = FallbackReason::from(FailureKind::Throttled);
        assert_eq!(failed.name(), FailureKind::Throttled.name());
    }
}
