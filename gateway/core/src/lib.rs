//! The decisions of Tollgate as values: pure, synchronous, without IO, clock or float.
//!
//! Everything here takes the time as an argument and returns what was decided, so that a test
//! can run a year of traffic in a second and the Redis scripts can be checked against it.

pub mod account;
pub mod backoff;
pub mod breaker;
pub mod bucket;
pub mod budget;
pub mod hold;
pub mod limit;
pub mod money;
pub mod price;
pub mod quote;
pub mod retry_budget;
pub mod tally;
pub mod time;
pub mod usage;

pub use hold::HoldId;
pub use money::Money;
pub use time::Timestamp;
pub use usage::Usage;
