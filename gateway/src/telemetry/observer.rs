//! The observer: what happened, in the past tense. Each method writes the metrics and, where
//! somebody would want to read it, one log line, so that the two cannot disagree.

mod call;
mod gateway;
mod money;
mod store;

pub(crate) use call::CallObservation;
pub use gateway::{Lengths, RpcObservation};
pub use money::AlertSink;

use super::{
    catalogue as all,
    handles::{Handles, limiter_of},
    labels::{Auth, BreakerState, Closed as _, Outcome, Rpc, Shed},
    process,
    registry::Registry,
};
use crate::{
    call::Call,
    catalog::{Catalog, Deployment, Team},
    clock::{Clock, SystemClock},
    complete::Attempt,
    error::Error,
    health::Condition,
    provider::{Failure, FailureKind},
};
use arc_swap::ArcSwap;
use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tollgate_core::{HoldId, account::Refusal, breaker::Breaker};

/// What was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// The version of the crate.
    pub version: &'static str,
    /// The commit, or `unknown`.
    pub revision: &'static str,
}

/// Counts and logs what happens.
pub struct Observer {
    registry: Registry,
    handles: ArcSwap<Handles>,
    clock: Arc<dyn Clock>,
    alerts: OnceLock<AlertSink>,
    /// The info gauges that read 1 now.
    infos: Mutex<Vec<metrics::Gauge>>,
    /// What is down, so that a change is logged once.
    down: gateway::Down,
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

impl Default for Observer {
    fn default() -> Self {
        let build = Build {
            version: env!("CARGO_PKG_VERSION"),
            revision: "unknown",
        };
        Self::new(&Catalog::default(), build, Arc::new(SystemClock))
    }
}

impl Observer {
    /// An observer with metrics of its own; all their series are there at 0.
    #[must_use]
    pub fn new(catalog: &Catalog, build: Build, clock: Arc<dyn Clock>) -> Self {
        let registry = Registry::new();
        let handles = Handles::new(&registry, catalog, None);
        registry
            .gauge(&all::BUILD_INFO, &[build.version, build.revision])
            .set(1.0);
        handles.fixed.ledger_up.set(1.0);
        handles.fixed.store_up.set(1.0);
        Self {
            registry,
            handles: ArcSwap::from_pointee(handles),
            clock,
            alerts: OnceLock::new(),
            infos: Mutex::default(),
            down: gateway::Down::default(),
        }
    }

    /// Where crossings go besides the log and the metrics. The first one counts.
    pub fn alert_through(&self, sink: AlertSink) {
        let set = self.alerts.set(sink);
        debug_assert!(set.is_ok(), "alerts have one sink");
    }

    /// A configuration is in force: at the start, and after each reload.
    pub fn configured(&self, catalog: &Catalog, config_hash: &str) {
        let mut infos = self.infos.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.handles.load();
        let handles = Handles::new(&self.registry, catalog, Some(&old));
        for info in infos.drain(..) {
            info.set(0.0);
        }
        infos.push(self.registry.gauge(&all::CONFIG_INFO, &[config_hash]));
        infos.push(
            self.registry
                .gauge(&all::PRICING_INFO, &[&catalog.price_version]),
        );
        for info in &*infos {
            info.set(1.0);
        }
        handles.fixed.reload_ok.set(1.0);
        let now = gateway::seconds(self.clock.now());
        handles.fixed.reload_time.set(now);
        self.handles.store(Arc::new(handles));
        tracing::info!(
            event = "configured",
            config_hash,
            price_version = &*catalog.price_version,
            teams = catalog.teams.len(),
            models = catalog.models.len(),
            routes = catalog.routes.len(),
        );
    }

    /// A configuration was not taken; the one before stays in force.
    pub fn config_rejected(&self, problems: &dyn fmt::Display) {
        self.handles.load().fixed.reload_ok.set(0.0);
        tracing::warn!(event = "config_rejected", %problems);
    }

    /// All metrics in the text format. Touches neither network nor store.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = self.registry.render();
        process::render(&mut text);
        text
    }

    /// An RPC arrived. What is returned says how it ends.
    #[must_use]
    pub fn rpc_started(&self, path: &str) -> RpcObservation {
        RpcObservation::new(self.handles.load_full(), Rpc::of_path(path))
    }

    /// A call of Complete was refused before it got into the pipeline.
    pub(crate) fn refused_early(&self, error: &Error) {
        let outcome = Outcome::of(error);
        self.handles.load().fixed.requests.at(outcome).increment(1);
        tracing::info!(event = "call", outcome = outcome.name());
    }

    /// A caller showed a key.
    pub(crate) fn authenticated(&self, known: bool) {
        let result = if known { Auth::Ok } else { Auth::Refused };
        self.handles
            .load()
            .fixed
            .authenticated
            .at(result)
            .increment(1);
    }

    /// An RPC was refused before any work, for a reason of [`Shed`].
    pub(crate) fn shed(&self, reason: &str) {
        let reason = Shed::named(reason).unwrap_or(Shed::Other);
        self.handles.load().fixed.shed.at(reason).increment(1);
    }

    /// A call was parsed and begins.
    pub(crate) fn call_started(
        self: &Arc<Self>,
        team: &Arc<Team>,
        call: &Arc<Call>,
    ) -> CallObservation {
        CallObservation::new(self, team, call)
    }

    /// An attempt ended.
    pub(crate) fn attempted(
        &self,
        call: HoldId,
        deployment: &Deployment,
        attempt: &Attempt,
        failure: Option<&Failure>,
    ) {
        let handles = self.handles.load();
        let known = handles.deployment(&deployment.id);
        known.attempts.at(attempt.outcome).increment(1);
        known.seconds.record(attempt.duration.as_secs_f64());
        let Some(failure) = failure else {
            if known.succeeded() {
                tracing::info!(event = "breaker_closed", deployment = &*deployment.id);
            }
            return;
        };
        // It answered, and the request was the problem: that closes a breaker too.
        let answered = !failure.kind.is_deployments_fault();
        if answered && failure.kind != FailureKind::Throttled && known.succeeded() {
            tracing::info!(event = "breaker_closed", deployment = &*deployment.id);
        }
        // The call says so in its own line if that is how it ends.
        tracing::debug!(
            event = "attempt_failed",
            call_id = %call,
            deployment = &*deployment.id,
            kind = failure.kind.name(),
            http_status = failure.http_status,
            detail = failure.detail,
        );
    }

    /// A deployment's breaker opened.
    pub(crate) fn breaker_opened(&self, deployment: &Arc<str>) {
        self.handles.load().deployment(deployment).opened();
        tracing::warn!(event = "breaker_opened", deployment = &**deployment);
    }

    /// A deployment was looked at, as is done before each scrape.
    pub fn condition_seen(&self, deployment: &str, condition: &Condition) {
        let handles = self.handles.load();
        let known = handles.deployment(deployment);
        known.show(match condition.breaker {
            Breaker::Closed | Breaker::Failing { .. } => BreakerState::Closed,
            Breaker::HalfOpen { .. } => BreakerState::HalfOpen,
            Breaker::Open { .. } => BreakerState::Open,
        });
        let cooldown = condition.cooldown_ms.unwrap_or(0);
        known.cooldown.set(cooldown as f64 / 1_000.0);
        known.drained.set(f64::from(u8::from(condition.drained)));
    }

    /// A deployment's own limits refused an attempt.
    pub(crate) fn quota_refused(&self, deployment: &Arc<str>, refusals: &[Refusal]) {
        let handles = self.handles.load();
        let known = handles.deployment(deployment);
        for refusal in refusals {
            known.quota_refused.at(limiter_of(refusal)).increment(1);
        }
    }
}
