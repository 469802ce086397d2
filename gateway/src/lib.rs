//! Tollgate: the LLM gateway that many teams share without overspending.
//!
//! Read `complete` first: it is the pipeline of a call, top to bottom.

pub mod alerts;
pub mod app;
pub mod calendar;
pub mod call;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod complete;
pub mod config;
pub mod cores;
pub mod error;
pub mod grpc;
pub mod health;
pub mod idempotency;
pub mod interactions;
pub mod keys;
pub mod ledger;
pub mod operators;
pub mod provider;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod tokens;
pub mod trace;

#[cfg(test)]
mod testing;
