//! Tollgate as its users meet it: over real gRPC, with real processes where they matter.

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
