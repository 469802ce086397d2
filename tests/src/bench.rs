//! `make bench`: what governing a call costs, beside a proxy that does nothing but translate.

pub(crate) mod child;
mod cost;
mod docs;
mod floor;
mod frames;
mod gateway;
pub(crate) mod load;
pub(crate) mod machine;
mod over_redis;
mod packed;
pub mod pass_through;
mod report;
mod run;

pub use cost::{Cost, Costs};
pub use docs::{with_memory, with_redis};
pub use over_redis::run_over_redis;
pub use report::{OverRedis, Report};
pub use run::{Plan, run};
