//! Handles of metrics whose labels are closed sets.

use crate::telemetry::{
    catalogue as all,
    labels::{
        Alone, Auth, Closed as _, Component, Decision, Delivery, Each, Folded, GrpcCode, Limiter,
        Outcome, Rpc, Shed, Signal, StoreCommand,
    },
    registry::Registry,
};
use metrics::{Counter, Gauge, Histogram};
use std::sync::Arc;

/// Handles that no configuration changes.
pub(in crate::telemetry) struct Fixed {
    pub(in crate::telemetry) rpcs: Each<Rpc, Arc<RpcHandles>>,
    pub(in crate::telemetry) requests: Each<Outcome, Counter>,
    pub(in crate::telemetry) overhead: Histogram,
    pub(in crate::telemetry) waited: Histogram,
    pub(in crate::telemetry) attempts: Histogram,
    pub(in crate::telemetry) in_flight: Gauge,
    pub(in crate::telemetry) in_flight_limit: Gauge,
    pub(in crate::telemetry) shed: Each<Shed, Counter>,
    pub(in crate::telemetry) decisions: Each<Limiter, Each<Decision, Counter>>,
    pub(in crate::telemetry) budget_snapshot: Gauge,
    pub(in crate::telemetry) holds_open: Gauge,
    pub(in crate::telemetry) settlement_backlog: Gauge,
    pub(in crate::telemetry) ledger_up: Gauge,
    pub(in crate::telemetry) ledger_errors: Counter,
    pub(in crate::telemetry) ledger_dropped: Counter,
    pub(in crate::telemetry) ledger_buffered: Gauge,
    pub(in crate::telemetry) ledger_writer: Gauge,
    pub(in crate::telemetry) ledger_drift: Gauge,
    pub(in crate::telemetry) store_up: Gauge,
    pub(in crate::telemetry) store_seconds: Each<StoreCommand, Histogram>,
    pub(in crate::telemetry) store_errors: Each<StoreCommand, Counter>,
    pub(in crate::telemetry) degraded: Each<Component, Gauge>,
    pub(in crate::telemetry) decided_alone: Each<Alone, Counter>,
    pub(in crate::telemetry) authenticated: Each<Auth, Counter>,
    pub(in crate::telemetry) deliveries: Each<Delivery, Counter>,
    pub(in crate::telemetry) reload_ok: Gauge,
    pub(in crate::telemetry) reload_time: Gauge,
    pub(in crate::telemetry) certificate_end: Gauge,
    pub(in crate::telemetry) draining: Gauge,
    pub(in crate::telemetry) dropped: Each<Signal, Counter>,
    pub(in crate::telemetry) panics: Counter,
    overflow: Each<Folded, Counter>,
}

/// Handles of one RPC.
pub(in crate::telemetry) struct RpcHandles {
    pub(in crate::telemetry) started: Counter,
    pub(in crate::telemetry) handled: Each<GrpcCode, Counter>,
    pub(in crate::telemetry) seconds: Histogram,
}

impl Fixed {
    pub(in crate::telemetry) fn new(registry: &Registry) -> Self {
        let counter = |metric| registry.counter(metric, &[]);
        let gauge = |metric| registry.gauge(metric, &[]);
        let histogram = |metric| registry.histogram(metric, &[]);
        let mut rpcs = Rpc::ALL.iter();
        Self {
            rpcs: Each::new(|_| {
                let rpc = rpcs.next().expect("as many as names");
                Arc::new(RpcHandles::new(registry, *rpc))
            }),
            requests: Each::new(|outcome| registry.counter(&all::REQUESTS, &[outcome])),
            overhead: histogram(&all::OVERHEAD),
            waited: histogram(&all::WAITED),
            attempts: histogram(&all::ATTEMPTS_MADE),
            in_flight: gauge(&all::IN_FLIGHT),
            in_flight_limit: gauge(&all::IN_FLIGHT_LIMIT),
            shed: Each::new(|reason| registry.counter(&all::LOAD_SHED, &[reason])),
            decisions: Each::new(|limiter| {
                Each::new(|said| registry.counter(&all::LIMIT_DECISIONS, &[limiter, said]))
            }),
            budget_snapshot: gauge(&all::BUDGET_SNAPSHOT),
            holds_open: gauge(&all::HOLDS_OPEN),
            settlement_backlog: gauge(&all::SETTLEMENT_BACKLOG),
            ledger_up: gauge(&all::LEDGER_UP),
            ledger_errors: counter(&all::LEDGER_ERRORS),
            ledger_dropped: counter(&all::LEDGER_DROPPED),
            ledger_buffered: gauge(&all::LEDGER_BUFFERED),
            ledger_writer: gauge(&all::LEDGER_WRITER),
            ledger_drift: gauge(&all::LEDGER_DRIFT),
            store_up: gauge(&all::STORE_UP),
            store_seconds: Each::new(|command| {
                registry.histogram(&all::STORE_SECONDS_TAKEN, &[command])
            }),
            store_errors: Each::new(|command| registry.counter(&all::STORE_ERRORS, &[command])),
            degraded: Each::new(|component| registry.gauge(&all::DEGRADED, &[component])),
            decided_alone: Each::new(|said| registry.counter(&all::DEGRADED_DECISIONS, &[said])),
            authenticated: Each::new(|result| registry.counter(&all::AUTHENTICATED, &[result])),
            deliveries: Each::new(|result| registry.counter(&all::ALERT_DELIVERIES, &[result])),
            reload_ok: gauge(&all::RELOAD_OK),
            reload_time: gauge(&all::RELOAD_TIME),
            certificate_end: gauge(&all::CERTIFICATE_END),
            draining: gauge(&all::DRAINING),
            dropped: Each::new(|signal| registry.counter(&all::TELEMETRY_DROPPED, &[signal])),
            panics: counter(&all::PANICS),
            overflow: Each::new(|label| registry.counter(&all::LABEL_OVERFLOW, &[label])),
        }
    }

    /// A value of this label was counted as `other`.
    pub(in crate::telemetry) fn folded(&self, label: Folded) {
        self.overflow.at(label).increment(1);
    }
}

impl RpcHandles {
    fn new(registry: &Registry, rpc: Rpc) -> Self {
        let (service, method) = rpc.parts();
        let kind = rpc.kind();
        Self {
            started: registry.counter(&all::RPC_STARTED, &[kind, service, method]),
            handled: Each::new(|code| {
                registry.counter(&all::RPC_HANDLED, &[kind, service, method, code])
            }),
            seconds: registry.histogram(&all::RPC_SECONDS_TAKEN, &[service, method]),
        }
    }
}
