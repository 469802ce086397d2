//! `make soak`: a million calls over two gateways and one Redis, and whether anything is left over.

use anyhow::{Result, ensure};
use clap::Parser;
use std::{process::ExitCode, time::Duration};
use tollgate_tests::{
    outputs::{Outputs, ended, progress},
    soak::{self, Plan},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The document that `--write-docs` writes.
const DOCUMENT: &str = "docs/soak.md";

/// Makes very many calls, and exits with 1 if anything is left over.
#[derive(Parser)]
#[command(name = "soak", version)]
struct Arguments {
    /// How many calls.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    calls: u64,
    /// How many minutes they may take.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u8).range(1..=120))]
    minutes: u8,
    #[command(flatten)]
    outputs: Outputs,
}

#[tokio::main]
async fn main() -> ExitCode {
    ended("soak", soak(&Arguments::parse()).await)
}

async fn soak(asked: &Arguments) -> Result<()> {
    let plan = Plan {
        calls: asked.calls,
        most: Duration::from_secs(60 * u64::from(asked.minutes)),
    };
    let report = soak::run(plan, |line| progress("soak", line)).await?;
    asked.outputs.show(&report)?;
    let problems = report.problems();
    ensure!(problems.is_empty(), "{}", problems.join("\nsoak: "));
    let new = |_: &str, date: &str| soak::markdown(&report, date);
    asked.outputs.document(DOCUMENT, new)
}
