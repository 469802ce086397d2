//! How attempts ended.

use super::Closed;
use crate::{complete::AttemptOutcome, provider::FailureKind};

pub(super) const KINDS: usize = FailureKind::ALL.len();

/// `ok`, and the kinds of failures.
const RESULTS: [AttemptOutcome; KINDS + 1] = {
    let mut results = [AttemptOutcome::Ok; KINDS + 1];
    let mut place = 0;
    while place < KINDS {
        results[place + 1] = AttemptOutcome::Failed(FailureKind::ALL[place]);
        place += 1;
    }
    results
};

const RESULT_NAMES: [&str; KINDS + 1] = {
    let mut names = [""; KINDS + 1];
    let mut place = 0;
    while place <= KINDS {
        names[place] = RESULTS[place].name();
        place += 1;
    }
    names
};

impl Closed for AttemptOutcome {
    const ALL: &'static [Self] = &RESULTS;
    const NAMES: &'static [&'static str] = &RESULT_NAMES;

    fn ordinal(self) -> usize {
        match self {
            Self::Ok => 0,
            Self::Failed(kind) => 1 + kind.ordinal(),
        }
    }
}

impl Closed for FailureKind {
    const ALL: &'static [Self] = &Self::ALL;
    const NAMES: &'static [&'static str] = RESULT_NAMES.split_at(1).1;

    fn ordinal(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_places() {
        for kind in FailureKind::ALL {
            assert_eq!(Closed::name(kind), kind.name());
            assert_eq!(Closed::name(AttemptOutcome::Failed(kind)), kind.name());
        }
    }
}
