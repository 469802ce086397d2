//! `make bench`: the gateway beside a bare pass-through, on loopback, in less than three minutes.
//!
//! Fails if a call fails, never for being slow: that depends on the machine.

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use std::{
    fmt::Display,
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};
use tollgate::clock::{Clock as _, SystemClock, rfc3339};
use tollgate_tests::bench::{self, Plan, pass_through};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The document that `--write-docs` writes.
const DOCUMENT: &str = "docs/benchmarks.md";

/// Measures what governing a call costs.
#[derive(Parser)]
#[command(name = "bench", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the floor: gRPC in, the provider's JSON out, and nothing else.
    PassThrough(PassThrough),
}

#[derive(Args)]
struct PassThrough {
    /// Where the provider is, without `/v1`.
    #[arg(long)]
    upstream: String,
    /// Where to listen. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write the port to this file once it listens.
    #[arg(long)]
    port_file: Option<PathBuf>,
    /// Run scripts in this Redis.
    #[arg(long, requires = "frames")]
    redis: Option<String>,
    /// The file that says which.
    #[arg(long, requires = "redis")]
    frames: Option<PathBuf>,
}

/// Where the gateway keeps its balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Store {
    Memory,
    Redis,
}

#[derive(Args)]
struct Measure {
    /// Where the gateway keeps its balances.
    #[arg(long, value_enum, default_value_t = Store::Memory)]
    store: Store,
    /// The rounds of each side.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=8))]
    rounds: u8,
    /// The seconds of a round.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=5))]
    seconds: u8,
    /// Read the memory after so many calls (not over Redis).
    #[arg(long, default_value_t = 100_000)]
    memory_calls: u64,
    /// Write all figures to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write docs/benchmarks.md. Run it in the repository.
    #[arg(long)]
    write_docs: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.command {
        Some(Command::PassThrough(floor)) => {
            let port_file = floor.port_file.as_deref();
            let scripts = floor.redis.as_deref().zip(floor.frames.as_deref());
            pass_through::serve(&floor.upstream, floor.listen, port_file, scripts).await
        }
        None => measure(&arguments.measure).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(asked: &Measure) -> Result<()> {
    ensure!(
        !cfg!(debug_assertions),
        "this is a debug build, whose figures mean nothing: run `make bench`"
    );
    let plan = Plan {
        rounds: asked.rounds.into(),
        measured: Duration::from_secs(asked.seconds.into()),
        warm_up: Duration::from_millis(500),
        memory_calls: asked.memory_calls,
    };
    let progress = |line: &str| writeln!(io::stderr(), "bench: {line}").context("stderr is closed");
    match asked.store {
        Store::Memory => {
            let report = bench::run(plan, progress).await?;
            show(asked, &report)?;
            write_docs(asked, |old, date| bench::with_memory(old, &report, date))
        }
        Store::Redis => {
            let report = bench::run_over_redis(plan, progress).await?;
            show(asked, &report)?;
            write_docs(asked, |old, date| bench::with_redis(old, &report, date))
        }
    }
}

fn show(asked: &Measure, report: &(impl Display + Serialize)) -> Result<()> {
    writeln!(io::stdout(), "{report}").context("standard output is closed")?;
    if let Some(path) = &asked.json {
        fs::write(path, serde_json::to_vec_pretty(report)?)
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    Ok(())
}

fn write_docs(asked: &Measure, new: impl Fn(&str, &str) -> String) -> Result<()> {
    if !asked.write_docs {
        return Ok(());
    }
    let now = rfc3339(SystemClock.now());
    let date = now.split('T').next().unwrap_or(&now);
    let old = fs::read_to_string(DOCUMENT)
        .with_context(|| format!("{DOCUMENT} can't be read: run this in the repository"))?;
    fs::write(DOCUMENT, new(&old, date)).with_context(|| format!("{DOCUMENT} can't be written"))
}
