//! What the tests of Tollgate share: the provider simulator, a harness named after the actors, and
//! what the programs behind `make` run.

pub mod accuracy;
pub mod bench;
pub mod harness;
pub mod outputs;
pub mod simulator;
pub mod soak;
pub mod stage;
