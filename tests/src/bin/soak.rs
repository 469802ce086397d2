//! `make soak`: a million calls over two gateways and one Redis, and whether anything is left over.

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};
use tollgate::clock::{Clock as _, SystemClock, rfc3339};
use tollgate_tests::soak::{self, Plan};

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
    /// Write all figures to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write docs/soak.md. Run it in the repository.
    #[arg(long)]
    write_docs: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match soak(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn soak(asked: &Arguments) -> Result<()> {
    let plan = Plan {
        calls: asked.calls,
        most: Duration::from_secs(60 * u64::from(asked.minutes)),
    };
    let progress = |line: &str| writeln!(io::stderr(), "soak: {line}").context("stderr is closed");
    let report = soak::run(plan, progress).await?;
    writeln!(io::stdout(), "{report}").context("standard output is closed")?;
    if let Some(path) = &asked.json {
        fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    let problems = report.problems();
    ensure!(problems.is_empty(), "{}", problems.join("\nsoak: "));
    if asked.write_docs {
        let now = rfc3339(SystemClock.now());
        let date = now.split('T').next().unwrap_or(&now);
        fs::write(DOCUMENT, soak::markdown(&report, date))
            .with_context(|| format!("{DOCUMENT} can't be written: run this in the repository"))?;
    }
    Ok(())
}
