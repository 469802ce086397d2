//! Handles of models and deployments.

use super::OTHER;
use crate::{
    complete::AttemptOutcome,
    telemetry::{
        catalogue as all,
        labels::{BreakerState, Class, Each, FallbackReason, Limiter, Outcome},
        registry::Registry,
    },
};
use metrics::{Counter, Gauge, Histogram};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Handles of one model.
pub(in crate::telemetry) struct ModelHandles {
    pub(in crate::telemetry) requests: Each<Outcome, Counter>,
    pub(in crate::telemetry) seconds: Each<Class, Histogram>,
    fallbacks: HashMap<Arc<str>, Each<FallbackReason, Counter>>,
    other_fallback: Each<FallbackReason, Counter>,
}

impl ModelHandles {
    pub(super) fn new(registry: &Registry, name: &str, later: Option<&BTreeSet<Arc<str>>>) -> Self {
        let fallback = |from: &str, to: &str| {
            Each::new(|reason| registry.counter(&all::FALLBACKS, &[from, to, reason]))
        };
        let later = later.into_iter().flatten();
        Self {
            requests: Each::new(|outcome| registry.counter(&all::MODEL_REQUESTS, &[name, outcome])),
            seconds: Each::new(|class| registry.histogram(&all::REQUEST_SECONDS, &[name, class])),
            fallbacks: later
                .map(|to| (Arc::clone(to), fallback(name, to)))
                .collect(),
            other_fallback: fallback(OTHER, OTHER),
        }
    }

    /// Calls that went on to `to` when this model failed.
    pub(in crate::telemetry) fn fallbacks(&self, to: &str) -> &Each<FallbackReason, Counter> {
        self.fallbacks.get(to).unwrap_or(&self.other_fallback)
    }
}

/// Handles of one deployment.
pub(in crate::telemetry) struct DeploymentHandles {
    pub(in crate::telemetry) attempts: Each<AttemptOutcome, Counter>,
    pub(in crate::telemetry) seconds: Histogram,
    pub(in crate::telemetry) retries: Counter,
    pub(in crate::telemetry) quota_refused: Each<Limiter, Counter>,
    pub(in crate::telemetry) cooldown: Gauge,
    pub(in crate::telemetry) drained: Gauge,
    state: Gauge,
    transitions: Each<BreakerState, Counter>,
    is_open: AtomicBool,
}

impl DeploymentHandles {
    pub(super) fn new(registry: &Registry, name: &str) -> Self {
        Self {
            attempts: Each::new(|result| registry.counter(&all::ATTEMPTS_ENDED, &[name, result])),
            seconds: registry.histogram(&all::ATTEMPT_SECONDS, &[name]),
            retries: registry.counter(&all::RETRIES, &[name]),
            quota_refused: Each::new(|limiter| {
                registry.counter(&all::QUOTA_REFUSED, &[name, limiter])
            }),
            cooldown: registry.gauge(&all::COOLDOWN, &[name]),
            drained: registry.gauge(&all::DRAINED, &[name]),
            state: registry.gauge(&all::BREAKER_STATE, &[name]),
            transitions: Each::new(|to| registry.counter(&all::BREAKER_TRANSITIONS, &[name, to])),
            is_open: AtomicBool::new(false),
        }
    }

    /// The breaker opened. If it was open before, its probe failed: it was half open in between.
    pub(in crate::telemetry) fn opened(&self) {
        if self.is_open.swap(true, Relaxed) {
            self.transitions.at(BreakerState::HalfOpen).increment(1);
        }
        self.transitions.at(BreakerState::Open).increment(1);
        self.show(BreakerState::Open);
    }

    /// An attempt succeeded. Tells whether that closed the breaker: then a probe did.
    pub(in crate::telemetry) fn succeeded(&self) -> bool {
        if !self.is_open.load(Relaxed) || !self.is_open.swap(false, Relaxed) {
            return false;
        }
        self.transitions.at(BreakerState::HalfOpen).increment(1);
        self.transitions.at(BreakerState::Closed).increment(1);
        self.show(BreakerState::Closed);
        true
    }

    /// The breaker is in this state now.
    pub(in crate::telemetry) fn show(&self, state: BreakerState) {
        self.state.set(match state {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        });
    }
}
