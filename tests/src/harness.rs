//! The actors of a test: a gateway in this process or in its own, callers, and their keys.

mod caller;
mod credentials;
mod gateway;
mod process;
pub mod scrape;
mod settings;

pub use caller::{Caller, Refused, spec};
pub use credentials::Credentials;
pub use gateway::Gateway;
pub use process::{GatewayProcess, program, signal};
pub use settings::Settings;
