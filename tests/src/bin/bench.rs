//! `make bench`: the gateway beside a bare pass-through, on loopback, in less than three minutes.
//!
//! Fails if a call fails, never for being slow: that depends on the machine.

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use std::{fmt::Display, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};
use tollgate_tests::{
    bench::{self, Plan, pass_through, silent},
    outputs::{Outputs, ended, progress},
};

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
    /// Serve the gateway without anything that tells what it does.
    SilentGateway(SilentGateway),
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

#[derive(Args)]
struct SilentGateway {
    /// Its configuration file.
    #[arg(long)]
    config: PathBuf,
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
    /// Measure what telemetry costs, and scrapes, instead of the pass-through.
    #[arg(long, conflicts_with = "store")]
    telemetry: bool,
    /// The rounds of each side.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=8))]
    rounds: u8,
    /// The seconds of a round.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=5))]
    seconds: u8,
    /// Read the memory after so many calls (neither over Redis nor for telemetry).
    #[arg(long, default_value_t = 100_000)]
    memory_calls: u64,
    #[command(flatten)]
    outputs: Outputs,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let how = match arguments.command {
        Some(Command::PassThrough(floor)) => {
            let port_file = floor.port_file.as_deref();
            let scripts = floor.redis.as_deref().zip(floor.frames.as_deref());
            pass_through::serve(&floor.upstream, floor.listen, port_file, scripts).await
        }
        Some(Command::SilentGateway(gateway)) => silent::serve(&gateway.config).await,
        None => measure(&arguments.measure).await,
    };
    ended("bench", how)
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
    let say = |line: &str| progress("bench", line);
    if asked.telemetry {
        let report = bench::run_telemetry(plan, say).await?;
        return told(asked, &report, bench::with_telemetry);
    }
    match asked.store {
        Store::Memory => told(asked, &bench::run(plan, say).await?, bench::with_memory),
        Store::Redis => {
            let report = bench::run_over_redis(plan, say).await?;
            told(asked, &report, bench::with_redis)
        }
    }
}

/// Says what was measured, and writes its part of the document.
fn told<R: Display + Serialize>(
    asked: &Measure,
    report: &R,
    part: impl Fn(&str, &R, &str) -> String,
) -> Result<()> {
    asked.outputs.show(report)?;
    let new = |old: &str, date: &str| part(old, report, date);
    asked.outputs.document(DOCUMENT, new)
}
