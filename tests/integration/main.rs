//! Tollgate as its users meet it: over real gRPC, with real processes where they matter.

#![expect(
    clippy::disallowed_methods,
    reason = "what a test spawns ends with its runtime"
)]

mod alerts;
mod bad_answers;
mod chain;
mod contract;
mod crash;
mod errors;
mod idempotency;
mod money;
mod routing;
mod secrets;
mod tidy;
mod waiting;
