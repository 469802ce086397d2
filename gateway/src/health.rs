//! Which deployments work: breakers, cooldowns, drains, and how long they usually take.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tollgate_core::{
    Timestamp,
    breaker::{Breaker, Policy},
    retry_budget::{self, RetryBudget},
};

/// The health of all deployments, as this replica sees it.
#[derive(Debug)]
pub struct Health {
    policy: Policy,
    deployments: RwLock<HashMap<Arc<str>, Arc<Mutex<State>>>>,
    retries: RwLock<HashMap<Arc<str>, Arc<Mutex<RetryBudget>>>>,
    turn: AtomicUsize,
}

/// What is known of one deployment.
#[derive(Debug, Default)]
struct State {
    breaker: Breaker,
    cooldown_until: Option<Timestamp>,
    drained: bool,
    /// The moving average of its answers' times in microseconds; 0: none yet.
    typical_us: u64,
}

/// What an operator sees of one deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its breaker.
    pub breaker: Breaker,
    /// How much longer its provider wants to be left alone, in milliseconds.
    pub cooldown_ms: Option<u64>,
    /// Whether it is drained.
    pub drained: bool,
}

/// The weight of the newest answer in the moving average: one eighth.
const NEWEST: u64 = 8;

impl Health {
    /// All deployments are well until they fail.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            deployments: RwLock::default(),
            retries: RwLock::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Whose turn it is among equal deployments.
    pub(crate) fn turn(&self) -> usize {
        self.turn.fetch_add(1, Relaxed)
    }

    /// Whether an attempt may go to this deployment now. An open breaker whose time is over lets
    /// one probe through.
    pub(crate) fn admit(&self, deployment: &Arc<str>, now: Timestamp) -> bool {
        let state = self.state(deployment);
        let mut state = lock(&state);
        let cooling = state.cooldown_until.is_some_and(|until| until > now);
        !state.drained && !cooling && state.breaker.admit(self.policy, now)
    }

    /// An attempt that was let through was not made after all.
    pub(crate) fn not_used(&self, deployment: &Arc<str>) {
        let state = self.state(deployment);
        let mut state = lock(&state);
        if let Breaker::HalfOpen { .. } = state.breaker {
            // The probe was not made: let the next one through at once.
            let until = Timestamp::default();
            state.breaker = Breaker::Open { until };
        }
    }

    /// An attempt was answered.
    pub(crate) fn succeeded(&self, deployment: &Arc<str>, took: Duration) {
        let state = self.state(deployment);
        let mut state = lock(&state);
        state.breaker.succeeded();
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        state.typical_us = if state.typical_us == 0 {
            took
        } else {
            (state.typical_us / NEWEST) * (NEWEST - 1) + took / NEWEST
        };
    }

    /// An attempt failed by the deployment's fault. Tells whether that opened its breaker.
    pub(crate) fn failed(&self, deployment: &Arc<str>, now: Timestamp) -> bool {
        let state = self.state(deployment);
        lock(&state).breaker.failed(self.policy, now)
    }

    /// Its provider wants to be left alone.
    pub(crate) fn cool_down(&self, deployment: &Arc<str>, ms: u64, now: Timestamp) {
        let state = self.state(deployment);
        let mut state = lock(&state);
        let until = now + ms;
        state.cooldown_until = Some(state.cooldown_until.map_or(until, |old| old.max(until)));
    }

    /// For how much longer its provider wants to be left alone.
    pub(crate) fn cooldown_ms(&self, deployment: &Arc<str>, now: Timestamp) -> Option<u64> {
        let state = self.state(deployment);
        let until = lock(&state).cooldown_until?;
        (until > now).then(|| until.since(now))
    }

    /// How long an answer usually takes; zero if none came yet.
    pub(crate) fn typical(&self, deployment: &Arc<str>) -> Duration {
        Duration::from_micros(lock(&self.state(deployment)).typical_us)
    }

    /// Sends no further attempts to a deployment, or sends them again.
    pub fn set_drained(&self, deployment: &Arc<str>, drained: bool) {
        lock(&self.state(deployment)).drained = drained;
    }

    /// What an operator sees.
    #[must_use]
    pub fn condition(&self, deployment: &Arc<str>, now: Timestamp) -> Condition {
        let cooldown_ms = self.cooldown_ms(deployment, now);
        let state = self.state(deployment);
        let state = lock(&state);
        Condition {
            breaker: state.breaker,
            cooldown_ms,
            drained: state.drained,
        }
    }

    /// Counts an attempt for the provider's retry budget.
    pub(crate) fn first_or_retry(&self, provider: &Arc<str>, first: bool) {
        if first {
            lock(&self.retry_budget(provider)).earn();
        }
    }

    /// Takes one retry from the provider's budget, if there is one.
    pub(crate) fn may_retry(&self, provider: &Arc<str>, now: Timestamp) -> bool {
        lock(&self.retry_budget(provider)).spend(now)
    }

    fn retry_budget(&self, provider: &Arc<str>) -> Arc<Mutex<RetryBudget>> {
        let full = || {
            let policy = retry_budget::Policy::default();
            Arc::new(Mutex::new(RetryBudget::new(policy, Timestamp::default())))
        };
        find(&self.retries, provider, full)
    }

    fn state(&self, deployment: &Arc<str>) -> Arc<Mutex<State>> {
        find(&self.deployments, deployment, Arc::default)
    }
}

fn find<T>(
    map: &RwLock<HashMap<Arc<str>, Arc<T>>>,
    name: &Arc<str>,
    make: impl FnOnce() -> Arc<T>,
) -> Arc<T> {
    let known = map.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(name) {
        return Arc::clone(found);
    }
    drop(known);
    let mut known = map.write().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(known.entry(Arc::clone(name)).or_insert_with(make))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn a_cooldown_ends_by_itself() {
        let health = Health::new(Policy::default());
        let name = "openai/gpt-4".into();
        health.cool_down(&name, 500, NOW);
        assert!(!health.admit(&name, NOW + 499));
        assert_eq!(health.cooldown_ms(&name, NOW + 100), Some(400));
        assert!(health.admit(&name, NOW + 500));
    }

    #[test]
    fn a_drained_deployment_gets_nothing_until_restored() {
        let health = Health::new(Policy::default());
        let name = "openai/gpt-4".into();
        health.set_drained(&name, true);
        assert!(!health.admit(&name, NOW));
        health.set_drained(&name, false);
        assert!(health.admit(&name, NOW));
    }

    #[test]
    fn a_probe_that_was_not_made_is_not_lost() {
        let policy = Policy {
            failures: 1,
            open_ms: 100,
            probe_ms: 60_000,
        };
        let health = Health::new(policy);
        let name = "openai/gpt-4".into();
        assert!(health.failed(&name, NOW));
        assert!(health.admit(&name, NOW + 100));
        health.not_used(&name);
        assert!(health.admit(&name, NOW + 101));
    }
}
