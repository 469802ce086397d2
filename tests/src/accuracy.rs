//! `make accuracy`: how exactly several gateways hold one budget, whatever happens to them and to
//! their Redis. Every row is made by real processes and judged by three books that don't know of
//! each other: the balances in Redis, the ledger on disk, and the provider's bill.

mod crowd;
mod docs;
mod judge;
mod report;
mod scenario;
pub(crate) mod site;
mod trouble;

pub use docs::markdown;
pub use report::{Report, Row};
pub use scenario::{Scenario, all};

use crate::bench::machine::{self, Machine};
use anyhow::Result;

/// Runs scenarios, one after the other.
///
/// # Errors
/// If the machine can't be read, or progress can't be told. What goes wrong in a scenario is a
/// problem of its row.
pub async fn run(scenarios: Vec<Scenario>, say: impl Fn(&str) -> Result<()>) -> Result<Report> {
    let machine = Machine::look()?;
    let mut rows = Vec::new();
    for scenario in scenarios {
        say(&format!("{} ...", scenario.name))?;
        let row = scenario.run().await;
        say(&row.line())?;
        rows.push(row);
    }
    Ok(Report {
        machine,
        load_after: machine::load_average()?,
        rows,
    })
}
