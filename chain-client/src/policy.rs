//! When a failed call is tried again, and when the run must stop. Pure: time comes as an argument.

use crate::failure::{Class, Refusal};
use std::time::Duration;

const BACKOFF_BASE: Duration = Duration::from_millis(250);
const BACKOFF_CAP: Duration = Duration::from_secs(10);
/// A limit without a hint is asked again after this time.
const WAIT_UNTOLD: Duration = Duration::from_secs(1);
/// The longest that one call waits for limits and budgets in total, unless the run has less time.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(300);

/// What to do after a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send the same again, with the same key, after this time.
    Again(Duration),
    /// Send the same again at once, under a key of this run only.
    FreshKey,
    /// This step has failed; the others go on.
    Fail,
    /// Waiting would pass the end of the time budget.
    OutOfTime,
    /// No money is left: admit nothing more.
    OutOfMoney,
    /// No call can work: stop the run.
    Systemic,
}

/// The tries of one call.
#[derive(Clone, Debug)]
pub(crate) struct Tries {
    retries_left: u32,
    backoffs: u32,
    waited: Duration,
    unknown_outcome_seen: bool,
    fresh_key_used: bool,
}

impl Tries {
    /// A call that may be retried this often.
    pub(crate) fn new(retries: u32) -> Self {
        Self {
            retries_left: retries,
            backoffs: 0,
            waited: Duration::ZERO,
            unknown_outcome_seen: false,
            fresh_key_used: false,
        }
    }

    /// What to do after this refusal. `time_left` is the rest of the time budget, if there is one;
    /// `jitter` is a random number from 0 to 1.
    pub(crate) fn after(
        &mut self,
        refusal: &Refusal,
        time_left: Option<Duration>,
        jitter: f64,
    ) -> Next {
        match refusal.class {
            Class::Unavailable => self.back_off(refusal, time_left, jitter),
            Class::RateLimited => self.wait(
                refusal.retry_after.unwrap_or(WAIT_UNTOLD),
                time_left,
                jitter,
            ),
            Class::BudgetExhausted => match refusal.retry_after {
                Some(told) => self.wait(told, time_left, jitter),
                None => Next::OutOfMoney,
            },
            Class::Timeout | Class::OutcomeUnknown | Class::Internal => {
                if std::mem::replace(&mut self.unknown_outcome_seen, true) {
                    return Next::Fail;
                }
                self.back_off(refusal, time_left, jitter)
            }
            Class::KeyConflict => {
                if std::mem::replace(&mut self.fresh_key_used, true) {
                    return Next::Fail;
                }
                Next::FreshKey
            }
            Class::Unauthenticated | Class::PermissionDenied | Class::NotFound => Next::Systemic,
            Class::InvalidRequest
            | Class::PromptRejected
            | Class::TooLong
            | Class::Truncated
            | Class::InvalidOutput
            | Class::Refused
            | Class::Cancelled => Next::Fail,
        }
    }

    /// Full jitter, but at least what the gateway asks for. Uses up a retry.
    fn back_off(&mut self, refusal: &Refusal, left: Option<Duration>, jitter: f64) -> Next {
        let Some(retries_left) = self.retries_left.checked_sub(1) else {
            return Next::Fail;
        };
        self.retries_left = retries_left;
        let ceiling = BACKOFF_BASE
            .saturating_mul(1 << self.backoffs.min(8))
            .min(BACKOFF_CAP);
        self.backoffs += 1;
        let told = refusal.retry_after.unwrap_or(Duration::ZERO);
        fits(told.max(ceiling.mul_f64(jitter.clamp(0.0, 1.0))), left)
    }

    /// As told, and up to a tenth more so that callers do not come back in step. Uses up no retry.
    fn wait(&mut self, told: Duration, left: Option<Duration>, jitter: f64) -> Next {
        let pause = told + told.mul_f64(0.1 * jitter.clamp(0.0, 1.0));
        self.waited += pause;
        if self.waited > MAX_WAIT {
            return Next::Fail;
        }
        fits(pause, left)
    }
}

fn fits(pause: Duration, left: Option<Duration>) -> Next {
    if left.is_some_and(|left| pause >= left) {
        Next::OutOfTime
    } else {
        Next::Again(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(class: Class, retry_after_ms: Option<u64>) -> Refusal {
        Refusal {
            class,
            message: String::new(),
            retry_after: retry_after_ms.map(Duration::from_millis),
            cost: None,
            cost_unknown: false,
            from_gateway: true,
        }
    }

    #[test]
    fn unavailable_waits_at_least_as_told_and_uses_up_its_retries() {
        let mut tries = Tries::new(2);
        let busy = refusal(Class::Unavailable, Some(700));
        assert_eq!(
            tries.after(&busy, None, 0.0),
            Next::Again(Duration::from_millis(700))
        );
        assert_eq!(
            tries.after(&busy, None, 0.0),
            Next::Again(Duration::from_millis(700))
        );
        assert_eq!(tries.after(&busy, None, 0.0), Next::Fail);
    }

    #[test]
    fn jitter_grows_with_each_try() {
        let mut tries = Tries::new(3);
        let busy = refusal(Class::Unavailable, None);
        assert_eq!(
            tries.after(&busy, None, 1.0),
            Next::Again(Duration::from_millis(250))
        );
        assert_eq!(
            tries.after(&busy, None, 1.0),
            Next::Again(Duration::from_millis(500))
        );
        assert_eq!(
            tries.after(&busy, None, 1.0),
            Next::Again(Duration::from_millis(1000))
        );
    }

    #[test]
    fn a_rate_limit_uses_up_no_retry_but_has_a_bound() {
        let mut tries = Tries::new(0);
        let slow = refusal(Class::RateLimited, Some(60_000));
        for _ in 0..5 {
            assert_eq!(
                tries.after(&slow, None, 0.0),
                Next::Again(Duration::from_secs(60))
            );
        }
        assert_eq!(tries.after(&slow, None, 0.0), Next::Fail);
    }

    #[test]
    fn no_wait_passes_the_end_of_the_time_budget() {
        let mut tries = Tries::new(3);
        let slow = refusal(Class::RateLimited, Some(5_000));
        let left = Some(Duration::from_secs(2));
        assert_eq!(tries.after(&slow, left, 0.0), Next::OutOfTime);
    }

    #[test]
    fn a_spent_budget_stops_and_a_held_one_waits() {
        let mut tries = Tries::new(3);
        let held = refusal(Class::BudgetExhausted, Some(100));
        assert_eq!(
            tries.after(&held, None, 0.0),
            Next::Again(Duration::from_millis(100))
        );
        assert_eq!(
            tries.after(&refusal(Class::BudgetExhausted, None), None, 0.0),
            Next::OutOfMoney
        );
    }

    #[test]
    fn an_unknown_outcome_is_tried_once_more() {
        let mut tries = Tries::new(9);
        let lost = refusal(Class::OutcomeUnknown, None);
        assert!(matches!(tries.after(&lost, None, 0.0), Next::Again(_)));
        assert_eq!(tries.after(&lost, None, 0.0), Next::Fail);
    }

    #[test]
    fn what_no_call_can_survive_is_systemic() {
        for class in [
            Class::Unauthenticated,
            Class::PermissionDenied,
            Class::NotFound,
        ] {
            assert_eq!(
                Tries::new(3).after(&refusal(class, None), None, 0.0),
                Next::Systemic
            );
        }
    }
}
