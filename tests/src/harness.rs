//! The actors of a test: a gateway in this process or in its own, callers, and their keys.

mod caller;
mod certificate;
mod credentials;
mod gateway;
mod process;
pub mod prometheus;
mod provider;
mod raw;
mod redis;
pub mod scrape;
mod settings;

pub use self::redis::Redis;
pub use caller::{Caller, Refused, spec};
pub use certificate::Certificate;
pub use credentials::Credentials;
pub use gateway::Gateway;
pub use process::{GatewayProcess, program, signal};
pub use provider::simulator;
pub use raw::RawCall;
pub use rustix::process::Signal;
pub use settings::Settings;
