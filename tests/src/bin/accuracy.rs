//! `make accuracy`: how exactly several gateways hold one budget, in less than five minutes.

use anyhow::{Result, ensure};
use clap::Parser;
use std::process::ExitCode;
use tollgate_tests::{
    accuracy,
    outputs::{Outputs, ended, progress},
};

/// The document that `--write-docs` writes.
const DOCUMENT: &str = "docs/accuracy.md";

/// Measures how exactly several gateways hold one budget. Exits with 1 if a row is beyond its bound.
#[derive(Parser)]
#[command(name = "accuracy", version)]
struct Arguments {
    /// Run only the rows whose names contain this.
    #[arg(long, conflicts_with = "write_docs")]
    only: Option<String>,
    #[command(flatten)]
    outputs: Outputs,
}

#[tokio::main]
async fn main() -> ExitCode {
    ended("accuracy", measure(&Arguments::parse()).await)
}

async fn measure(asked: &Arguments) -> Result<()> {
    let mut scenarios = accuracy::all();
    if let Some(only) = &asked.only {
        scenarios.retain(|scenario| scenario.name.contains(only));
        ensure!(!scenarios.is_empty(), "no row has {only} in its name");
    }
    let report = accuracy::run(scenarios, |line| progress("accuracy", line)).await?;
    asked.outputs.show(&report)?;
    let new = |_: &str, date: &str| accuracy::markdown(&report, date);
    asked.outputs.document(DOCUMENT, new)?;
    let problems = report.problems();
    ensure!(problems.is_empty(), "{}", problems.join("\naccuracy: "));
    Ok(())
}
