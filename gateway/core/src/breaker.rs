//! The circuit breaker of a deployment.
//!
//! Closed: attempts go through. After [`Policy::failures`] failures in a row it opens: no attempts
//! for [`Policy::open_ms`]. Then one attempt probes; its success closes the breaker, its failure
//! opens it again.

use crate::Timestamp;

/// When a breaker opens and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open before it probes.
    pub open_ms: u64,
    /// How long a probe may take before another is let through.
    pub probe_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            failures: 5,
            open_ms: 5_000,
            probe_ms: 30_000,
        }
    }
}

/// The state of a breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Breaker {
    /// Attempts go through.
    #[default]
    Closed,
    /// Attempts go through, but some have failed in a row.
    Failing {
        /// How many.
        failures: u32,
    },
    /// No attempts until then.
    Open {
        /// When it probes.
        until: Timestamp,
    },
    /// One attempt probes.
    HalfOpen {
        /// When the probe counts as lost.
        until: Timestamp,
    },
}

impl Breaker {
    /// Whether an attempt may go through now. An open breaker whose time is over lets one probe.
    #[must_use]
    pub fn admit(&mut self, policy: Policy, now: Timestamp) -> bool {
        match *self {
            Self::Closed | Self::Failing { .. } => true,
            Self::Open { until } | Self::HalfOpen { until } if until > now => false,
            Self::Open { .. } | Self::HalfOpen { .. } => {
                let until = now + policy.probe_ms;
                *self = Self::HalfOpen { until };
                true
            }
        }
    }

    /// Whether an attempt would be let through now; changes nothing.
    #[must_use]
    pub fn would_admit(self, now: Timestamp) -> bool {
        match self {
            Self::Closed | Self::Failing { .. } => true,
            Self::Open { until } | Self::HalfOpen { until } => until <= now,
        }
    }

    /// An attempt succeeded.
    pub fn succeeded(&mut self) {
        *self = Self::Closed;
    }

    /// An attempt failed in a way that is the deployment's fault. Returns whether this opened it.
    pub fn failed(&mut self, policy: Policy, now: Timestamp) -> bool {
        let failures = match *self {
            Self::Closed => 1,
            Self::Failing { failures } => failures.saturating_add(1),
            // Attempts that were let through before it opened change nothing.
            Self::Open { .. } => return false,
            Self::HalfOpen { .. } => policy.failures,
        };
        if failures < policy.failures {
            *self = Self::Failing { failures };
            return false;
        }
        let until = now + policy.open_ms;
        *self = Self::Open { until };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: Policy = Policy {
        failures: 3,
        open_ms: 1_000,
        probe_ms: 500,
    };
    const START: Timestamp = Timestamp::from_millis(0);

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        assert!(!breaker.failed(POLICY, START));
        assert!(!breaker.failed(POLICY, START));
        assert!(breaker.failed(POLICY, START));
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let mut breaker = opened();
        assert!(!breaker.admit(POLICY, START + 999));
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let mut breaker = Breaker::default();
        breaker.failed(POLICY, START);
        breaker.failed(POLICY, START);
        breaker.succeeded();
        breaker.failed(POLICY, START);
        assert!(breaker.admit(POLICY, START));
    }

    #[test]
    fn one_probe_goes_through_and_decides() {
        let mut breaker = opened();
        assert!(breaker.admit(POLICY, START + 1_000), "the probe");
        assert!(!breaker.admit(POLICY, START + 1_001), "only one");
        let mut failed = breaker;
        assert!(failed.failed(POLICY, START + 1_100));
        assert!(!failed.admit(POLICY, START + 1_200));
        breaker.succeeded();
        assert!(breaker.admit(POLICY, START + 1_200));
    }

    #[test]
    fn a_lost_probe_does_not_keep_it_shut_for_ever() {
        let mut breaker = opened();
        assert!(breaker.admit(POLICY, START + 1_000));
        assert!(breaker.admit(POLICY, START + 1_500), "the next probe");
    }

    proptest! {
        /// Whatever happens, it lets an attempt through again within `open_ms + probe_ms`.
        #[test]
        fn it_never_shuts_for_ever(events in prop::collection::vec((0..400u64, 0..3u8), 1..200)) {
            let mut breaker = Breaker::default();
            let mut now = START;
            for (pause, event) in events {
                now = now + pause;
                match event {
                    0 => { let _ = breaker.admit(POLICY, now); }
                    1 => breaker.succeeded(),
                    _ => { breaker.failed(POLICY, now); }
                }
                prop_assert!(breaker.would_admit(now + (POLICY.open_ms + POLICY.probe_ms)));
            }
        }
    }
}
