//! Retries as a share of traffic, so that a failing provider is not hit harder for failing.

use crate::Timestamp;

/// A budget of retries for one provider.
///
/// Each first attempt earns a fraction of a retry; a small allowance that refills with time lets
/// quiet traffic retry too.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    policy: Policy,
    /// Thousandths of a retry.
    credit: u64,
    refilled_at: Timestamp,
}

/// How many retries are affordable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Retries per thousand first attempts.
    pub permille: u16,
    /// Retries per second that need no traffic.
    pub per_second: u16,
    /// How many retries may be saved up.
    pub most: u16,
}

impl Default for Policy {
    /// A tenth of the traffic, one a second anyway, at most 20 at once.
    fn default() -> Self {
        Self {
            permille: 100,
            per_second: 1,
            most: 20,
        }
    }
}

impl RetryBudget {
    /// A budget that starts full.
    #[must_use]
    pub fn new(policy: Policy, now: Timestamp) -> Self {
        Self {
            policy,
            credit: u64::from(policy.most) * 1_000,
            refilled_at: now,
        }
    }

    /// A first attempt was made: it earns its share.
    pub fn earn(&mut self) {
        self.add(u64::from(self.policy.permille));
    }

    /// Takes one retry, if there is one.
    #[must_use]
    pub fn spend(&mut self, now: Timestamp) -> bool {
        let elapsed_ms = now.since(self.refilled_at).min(3_600_000);
        self.refilled_at = self.refilled_at.max(now);
        self.add(elapsed_ms * u64::from(self.policy.per_second));
        let affordable = self.credit >= 1_000;
        if affordable {
            self.credit -= 1_000;
        }
        affordable
    }

    fn add(&mut self, thousandths: u64) {
        let most = u64::from(self.policy.most) * 1_000;
        self.credit = self.credit.saturating_add(thousandths).min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_a_share_of_traffic_however_many_attempts_fail() {
        let now = Timestamp::from_millis(0);
        let policy = Policy {
            permille: 100,
            per_second: 0,
            most: 20,
        };
        let mut budget = RetryBudget::new(policy, now);
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.earn();
            retries += u32::from(budget.spend(now));
        }
        assert_eq!(retries, 1_000 + 20 - 1, "a tenth, and what was saved up");
    }

    #[test]
    fn quiet_traffic_may_retry_too() {
        let start = Timestamp::from_millis(0);
        let policy = Policy {
            permille: 0,
            per_second: 1,
            most: 2,
        };
        let mut budget = RetryBudget::new(policy, start);
        assert!(budget.spend(start) && budget.spend(start) && !budget.spend(start));
        assert!(budget.spend(start + 1_000));
        assert!(!budget.spend(start + 1_001));
    }
}
