//! Tollgate: the LLM gateway that many teams share without overspending.
//!
//! Read `complete` first: it is the pipeline of a call, top to bottom.

pub mod call;
pub mod catalog;
pub mod clock;
pub mod error;
pub mod ledger;
pub mod provider;
pub mod store;

#[cfg(test)]
mod testing;
