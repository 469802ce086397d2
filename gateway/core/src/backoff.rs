//! How long to pause before a retry: exponential, with full jitter.
//!
//! Full jitter: a random time between nothing and the exponential bound, so that callers that
//! failed together do not come back together (AWS Architecture Blog, "Exponential Backoff And
//! Jitter", 2015).

/// The bounds of the pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The bound of the first pause, in milliseconds.
    pub base_ms: u64,
    /// The bound of any pause, in milliseconds.
    pub max_ms: u64,
}

impl Backoff {
    /// The pause before retry `number` (from 1), for a random number.
    ///
    /// The provider's own `retry_after_ms` is a lower bound, whatever [`Backoff::max_ms`] says.
    #[must_use]
    pub fn pause_ms(self, number: u32, retry_after_ms: Option<u64>, random: u64) -> u64 {
        let doublings = number.saturating_sub(1).min(32);
        let bound = self.base_ms.saturating_mul(1 << doublings).min(self.max_ms);
        let jittered = random % bound.saturating_add(1);
        match retry_after_ms {
            // All are told the same second: spread them a little beyond it.
            Some(told) => told.saturating_add(jittered / 4),
            None => jittered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff = Backoff {
        base_ms: 200,
        max_ms: 5_000,
    };

    #[test]
    fn the_bound_doubles_up_to_its_maximum() {
        let longest = |number| BACKOFF.pause_ms(number, None, bound(number));
        assert_eq!(longest(1), 200);
        assert_eq!(longest(2), 400);
        assert_eq!(longest(10), 5_000);
    }

    fn bound(number: u32) -> u64 {
        (200 << (number - 1)).min(5_000)
    }

    proptest! {
        #[test]
        fn never_earlier_than_the_provider_asked(number in 1..100u32, told in 0..100_000u64, random: u64) {
            prop_assert!(BACKOFF.pause_ms(number, Some(told), random) >= told);
            prop_assert!(BACKOFF.pause_ms(number, None, random) <= 5_000);
        }
    }
}
