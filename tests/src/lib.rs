//! What the tests of Tollgate share: the provider simulator and a harness named after the actors.

pub mod accuracy;
pub mod bench;
pub mod harness;
pub mod simulator;
pub mod soak;
