//! `make bench`: what governing a call costs, beside a proxy that does nothing but translate.

mod child;
mod docs;
mod gateway;
mod load;
mod machine;
pub mod pass_through;
mod report;
mod run;

pub use docs::markdown;
pub use report::Report;
pub use run::{Plan, run};
