//! What the programs that measure have in common: where they say what they measured.

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;
use std::{
    fmt::Display,
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};
use tollgate::clock::{Clock as _, SystemClock, rfc3339};

/// The options.
#[derive(Args, Debug)]
pub struct Outputs {
    /// Write all figures to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the document in docs/. Run it in the repository.
    #[arg(long)]
    write_docs: bool,
}

impl Outputs {
    /// Prints a report, and writes its figures where they were asked for.
    ///
    /// # Errors
    /// If that can't be written.
    pub fn show(&self, report: &(impl Display + Serialize)) -> Result<()> {
        writeln!(io::stdout(), "{report}").context("standard output is closed")?;
        if let Some(path) = &self.json {
            fs::write(path, serde_json::to_vec_pretty(report)?)
                .with_context(|| format!("{} can't be written", path.display()))?;
        }
        Ok(())
    }

    /// Writes the document, if asked to. `new` makes it from what it was and from the date.
    ///
    /// # Errors
    /// If it can't be read or written.
    pub fn document(&self, path: &str, new: impl FnOnce(&str, &str) -> String) -> Result<()> {
        if !self.write_docs {
            return Ok(());
        }
        let now = rfc3339(SystemClock.now());
        let date = now.split('T').next().unwrap_or(&now);
        let old = fs::read_to_string(path)
            .with_context(|| format!("{path} can't be read: run this in the repository"))?;
        fs::write(path, new(&old, date)).with_context(|| format!("{path} can't be written"))
    }
}

/// Tells the progress of a program.
///
/// # Errors
/// If nobody listens.
pub fn progress(program: &str, line: &str) -> Result<()> {
    writeln!(io::stderr(), "{program}: {line}").context("stderr is closed")
}

/// How a program ends, and why if it failed.
#[must_use]
pub fn ended(program: &str, how: Result<()>) -> ExitCode {
    match how {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
