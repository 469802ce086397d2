//! `make bench`: what governing a call costs, beside a proxy that does nothing but translate; and
//! what telling about it costs.

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
pub(crate) mod run;
mod scrape;
pub mod silent;
mod telemetry;

pub use cost::{Cost, Costs};
pub use docs::{with_memory, with_redis, with_telemetry};
pub use machine::Machine;
pub use over_redis::run_over_redis;
pub use report::{Conditions, OverRedis, Report};
pub use run::{Plan, run};
pub use scrape::Scrapes;
pub use telemetry::{Telemetry, run_telemetry};
