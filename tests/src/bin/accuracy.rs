//! `make accuracy`: how exactly several gateways hold one budget, in less than five minutes.

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};
use tollgate::clock::{Clock as _, SystemClock, rfc3339};
use tollgate_tests::accuracy;

/// The document that `--write-docs` writes.
const DOCUMENT: &str = "docs/accuracy.md";

/// Measures how exactly several gateways hold one budget. Exits with 1 if a row is beyond its bound.
#[derive(Parser)]
#[command(name = "accuracy", version)]
struct Arguments {
    /// Run only the rows whose names contain this.
    #[arg(long)]
    only: Option<String>,
    /// Write all figures to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write docs/accuracy.md. Run it in the repository.
    #[arg(long, conflicts_with = "only")]
    write_docs: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match measure(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "accuracy: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(asked: &Arguments) -> Result<()> {
    let mut scenarios = accuracy::all();
    if let Some(only) = &asked.only {
        scenarios.retain(|scenario| scenario.name.contains(only));
        ensure!(!scenarios.is_empty(), "no row has {only} in its name");
    }
    let progress =
        |line: &str| writeln!(io::stderr(), "accuracy: {line}").context("stderr is closed");
    let report = accuracy::run(scenarios, progress).await?;
    writeln!(io::stdout(), "{report}").context("standard output is closed")?;
    if let Some(path) = &asked.json {
        fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    if asked.write_docs {
        let now = rfc3339(SystemClock.now());
        let date = now.split('T').next().unwrap_or(&now);
        fs::write(DOCUMENT, accuracy::markdown(&report, date))
            .with_context(|| format!("{DOCUMENT} can't be written: run this in the repository"))?;
    }
    let problems = report.problems();
    ensure!(problems.is_empty(), "{}", problems.join("\naccuracy: "));
    Ok(())
}
