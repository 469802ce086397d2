//! Runs the four-step content analysis over a set of articles, through Tollgate.
//!
//! `run` is the whole: `input` reads articles lazily, `chain` takes each through its four steps,
//! `answer` asks, checks and mends, `call` follows the gateway's advice on failures, and `report`
//! accounts for every article and every nano-dollar.

mod answer;
pub mod args;
mod call;
mod chain;
mod clock;
mod commands;
mod config;
mod exit;
mod failure;
mod gateway;
mod hash;
mod input;
mod log;
mod metrics;
mod money;
mod observer;
mod output;
mod parse;
mod policy;
mod preflight;
mod progress;
mod prompt;
mod receipt;
mod report;
mod row;
mod run;
mod signals;
mod span;
mod step;
mod stop;
mod tally;
#[cfg(test)]
mod testing;
mod validate;

pub use commands::{cannot_start, main};
pub use exit::Exit;
