//! Token buckets in integers.
//!
//! A bucket counts credit in *units times milliseconds of its period*: one token is `period_ms`
//! credits, and `limit` credits flow in each millisecond. So nothing is divided when admitting,
//! nothing drifts, and the time until a need fits is exact.

use crate::{HoldId, Timestamp, limit::BucketSpec};

/// What a bucket has now. A bucket that was never used is full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Credit; below zero is debt, which refill pays first.
    level: i64,
    /// When `level` was right.
    at: Timestamp,
    /// What the first waiter is owed.
    earmark: Option<Earmark>,
}

/// A promise to a waiter: others may not dip into it until it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Earmark {
    until: Timestamp,
    need: u64,
    holder: HoldId,
}

/// How long an earmark outlives the wait that it was made for.
pub const EARMARK_GRACE_MS: u64 = 500;

/// What a bucket says to a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It fits.
    Fits,
    /// It fits after so many milliseconds, if nobody else takes.
    Wait {
        /// How long.
        wait_ms: u64,
        /// Whether nobody else was promised this bucket, so that the asker may be.
        may_earmark: bool,
    },
    /// It can never fit: it is larger than the bucket.
    Never,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn full(spec: &BucketSpec, now: Timestamp) -> Self {
        Self {
            level: capacity(spec),
            at: now,
            earmark: None,
        }
    }

    /// Lets in what has flowed since the last look. Time that runs backwards lets in nothing.
    pub fn refill(&mut self, spec: &BucketSpec, now: Timestamp) {
        let capacity = capacity(spec);
        if now > self.at {
            let room = i128::from(capacity) - i128::from(self.level);
            let flow = i128::from(now.since(self.at)) * i128::from(spec.limit);
            if flow >= room {
                self.level = capacity;
            } else {
                let flow = i64::try_from(flow).expect("less than the room");
                self.level = self.level.saturating_add(flow);
            }
            self.at = now;
        }
        self.level = self.level.min(capacity);
    }

    /// Whether `need` fits now, beside `floor` units kept for more important callers and what
    /// another waiter is owed. Call [`Bucket::refill`] first.
    #[must_use]
    pub fn verdict(&self, spec: &BucketSpec, now: Timestamp, ask: Ask) -> Verdict {
        let Ask { need, floor, asker } = ask;
        if need.saturating_add(floor) > spec.capacity {
            return Verdict::Never;
        }
        if need == 0 {
            return Verdict::Fits;
        }
        // What is owed can't make a need that fits the empty bucket impossible.
        let owed = self
            .owed_to_others(now, asker)
            .min(spec.capacity - need - floor);
        let wanted = i128::from(need + floor + owed) * i128::from(spec.period_ms);
        let missing = wanted - i128::from(self.level);
        if missing <= 0 {
            return Verdict::Fits;
        }
        let refill_ms = crate::money::ceil_div(missing, i128::from(spec.limit.max(1)));
        let refill_ms = u64::try_from(refill_ms).unwrap_or(u64::MAX);
        Verdict::Wait {
            // After a step back of the clock, refill resumes only at `at`.
            wait_ms: refill_ms.saturating_add(self.at.since(now)),
            may_earmark: self.owed_to_others(now, asker) == 0,
        }
    }

    /// Takes `need` units, which may leave debt, and drops the taker's own or an expired earmark.
    pub fn take(&mut self, spec: &BucketSpec, now: Timestamp, need: u64, taker: HoldId) {
        self.add(spec, -i128::from(need));
        if self.owed_to_others(now, taker) == 0 {
            self.earmark = None;
        }
    }

    /// Corrects the level when the real use is known: `held` was taken, `used` was used.
    /// An overshoot becomes debt and is never forgiven.
    pub fn correct(&mut self, spec: &BucketSpec, held: u64, used: u64) {
        self.add(spec, i128::from(held) - i128::from(used));
    }

    /// Lowers the level to `remaining` units, if it was higher: the provider knows better.
    pub fn observe(&mut self, spec: &BucketSpec, remaining: u64) {
        let remaining = i128::from(remaining) * i128::from(spec.period_ms);
        let capped = remaining.min(i128::from(self.level));
        self.level = i64::try_from(capped).expect("at most the level");
    }

    /// Promises `need` units to `holder` until a moment after `now + wait_ms`.
    pub fn earmark(&mut self, now: Timestamp, wait_ms: u64, need: u64, holder: HoldId) {
        self.earmark = Some(Earmark {
            until: now + wait_ms.saturating_add(EARMARK_GRACE_MS),
            need,
            holder,
        });
    }

    /// Whole units left; debt is zero left.
    #[must_use]
    pub fn remaining(&self, spec: &BucketSpec) -> u64 {
        u64::try_from(self.level).unwrap_or(0) / spec.period_ms.max(1)
    }

    /// Credit in units times milliseconds, for checks; below zero is debt.
    #[must_use]
    pub const fn level(&self) -> i64 {
        self.level
    }

    fn owed_to_others(&self, now: Timestamp, asker: HoldId) -> u64 {
        match self.earmark {
            Some(mark) if mark.until > now && mark.holder != asker => mark.need,
            _ => 0,
        }
    }

    fn add(&mut self, spec: &BucketSpec, units: i128) {
        let level = i128::from(self.level) + units * i128::from(spec.period_ms);
        let lowest = -i128::from(crate::limit::LARGEST_EXACT);
        let level = level.clamp(lowest, i128::from(capacity(spec)));
        self.level = i64::try_from(level).expect("clamped");
    }
}

/// What is asked of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Units to take.
    pub need: u64,
    /// Units that must stay for more important callers.
    pub floor: u64,
    /// Who asks.
    pub asker: HoldId,
}

fn capacity(spec: &BucketSpec) -> i64 {
    i64::try_from(spec.capacity.saturating_mul(spec.period_ms)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Unit;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn id(number: u128) -> HoldId {
        HoldId::new(START, number << 8)
    }

    fn ask(need: u64) -> Ask {
        Ask {
            need,
            floor: 0,
            asker: id(1),
        }
    }

    fn spec(limit: u64) -> BucketSpec {
        BucketSpec::per_minute(Unit::Tokens, limit)
    }

    #[test]
    fn waiting_exactly_the_hint_admits() {
        let spec = spec(7);
        let mut bucket = Bucket::full(&spec, START);
        bucket.take(&spec, START, 7, id(1));
        let Verdict::Wait { wait_ms, .. } = bucket.verdict(&spec, START, ask(3)) else {
            panic!("an empty bucket makes callers wait");
        };
        assert_eq!(wait_ms, 25_715, "3 / 7 of a minute, rounded up");
        bucket.refill(&spec, START + wait_ms - 1);
        assert!(matches!(
            bucket.verdict(&spec, START + wait_ms - 1, ask(3)),
            Verdict::Wait { wait_ms: 1, .. }
        ));
        bucket.refill(&spec, START + wait_ms);
        assert_eq!(
            bucket.verdict(&spec, START + wait_ms, ask(3)),
            Verdict::Fits
        );
    }

    #[test]
    fn overshoot_becomes_debt_that_refill_pays_first() {
        let spec = spec(100);
        let mut bucket = Bucket::full(&spec, START);
        bucket.take(&spec, START, 10, id(1));
        bucket.correct(&spec, 10, 250);
        assert_eq!(bucket.level(), -150 * 60_000);
        assert_eq!(bucket.remaining(&spec), 0);
        bucket.refill(&spec, START + 90_000);
        assert_eq!(bucket.level(), 0, "a minute and a half pays 150 tokens");
    }

    #[test]
    fn an_earmark_protects_a_large_waiter_from_small_callers() {
        let spec = spec(100);
        let mut bucket = Bucket::full(&spec, START);
        bucket.take(&spec, START, 50, id(1));
        bucket.earmark(START, 30_000, 100, id(2));
        let small = Ask {
            need: 1,
            floor: 0,
            asker: id(3),
        };
        assert!(matches!(
            bucket.verdict(&spec, START, small),
            Verdict::Wait {
                may_earmark: false,
                ..
            }
        ));
        bucket.refill(&spec, START + 30_000);
        let large = Ask {
            need: 100,
            floor: 0,
            asker: id(2),
        };
        assert_eq!(bucket.verdict(&spec, START + 30_000, large), Verdict::Fits);
        // The earmark expires by itself.
        assert_eq!(bucket.verdict(&spec, START + 30_501, small), Verdict::Fits);
    }

    #[test]
    fn a_clock_that_steps_back_lets_nothing_in_and_the_hint_says_so() {
        let spec = spec(60);
        let mut bucket = Bucket::full(&spec, START + 5_000);
        bucket.take(&spec, START + 5_000, 60, id(1));
        bucket.refill(&spec, START);
        assert_eq!(bucket.level(), 0);
        assert!(matches!(
            bucket.verdict(&spec, START, ask(1)),
            Verdict::Wait { wait_ms: 6_000, .. }
        ));
    }

    #[test]
    fn what_is_larger_than_the_bucket_never_fits() {
        let spec = spec(10);
        let bucket = Bucket::full(&spec, START);
        assert_eq!(bucket.verdict(&spec, START, ask(11)), Verdict::Never);
        let beside_floor = Ask {
            need: 8,
            floor: 3,
            asker: id(1),
        };
        assert_eq!(bucket.verdict(&spec, START, beside_floor), Verdict::Never);
    }

    proptest! {
        /// I1: what is granted in any window is at most the burst plus the flow, plus the flow of
        /// the one millisecond that the resolution hides.
        #[test]
        fn never_over_grants(
            limit in 1..5_000u64,
            steps in prop::collection::vec((0..2_000u64, 1..500u64), 1..200),
        ) {
            let spec = spec(limit);
            let mut bucket = Bucket::full(&spec, START);
            let mut now = START;
            let mut grants: Vec<(Timestamp, u64)> = Vec::new();
            for (pause, need) in steps {
                now = now + pause;
                bucket.refill(&spec, now);
                if bucket.verdict(&spec, now, ask(need)) == Verdict::Fits {
                    bucket.take(&spec, now, need, id(1));
                    grants.push((now, need));
                }
            }
            for (from, (start, _)) in grants.iter().enumerate() {
                let mut sum = 0;
                for (end, need) in &grants[from..] {
                    sum += need * 60_000;
                    let bound = limit * 60_000 + limit * (end.since(*start) + 1);
                    prop_assert!(sum <= bound, "{sum} granted, {bound} allowed");
                }
            }
        }

        #[test]
        fn any_wait_hint_is_exact(limit in 1..5_000u64, taken in 1..5_000u64, need in 1..5_000u64) {
            let spec = spec(limit);
            prop_assume!(need <= limit);
            let mut bucket = Bucket::full(&spec, START);
            bucket.take(&spec, START, taken, id(1));
            if let Verdict::Wait { wait_ms, .. } = bucket.verdict(&spec, START, ask(need)) {
                let mut early = bucket.clone();
                early.refill(&spec, START + (wait_ms - 1));
                prop_assert_ne!(early.verdict(&spec, START + (wait_ms - 1), ask(need)), Verdict::Fits);
                bucket.refill(&spec, START + wait_ms);
                prop_assert_eq!(bucket.verdict(&spec, START + wait_ms, ask(need)), Verdict::Fits);
            }
        }
    }
}
