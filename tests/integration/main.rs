//! Tollgate as its users meet it: over real gRPC, with real processes where they matter.

#![expect(
    clippy::disallowed_methods,
    reason = "what a test spawns ends with its runtime"
)]

mod admin;
mod alerts;
mod bad_answers;
mod catalogue;
mod chain;
mod chain_shown;
mod chain_signals;
mod contract;
mod crash;
mod dashboards;
mod demo;
mod errors;
mod estimate;
mod idempotency;
mod money;
mod priority;
mod promql;
mod redis;
mod redis_waiting;
mod routing;
mod rules;
mod secrets;
mod tidy;
mod tls;
mod trace;
mod waiting;
mod wire;
