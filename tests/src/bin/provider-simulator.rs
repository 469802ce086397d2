//! The provider simulator as a process, for the demo and for benchmarks.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tollgate_tests::simulator::{Fault, Options, Simulator, faults::spec};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A stand-in for paid LLM APIs, for demo, tests and benchmarks only: no model is asked.
///
/// It speaks OpenAI's chat completions and Anthropic's messages on loopback. Answers are extracted from the
/// prompt and every response is labelled as simulated (header `x-simulated: true`).
#[derive(Parser)]
#[command(name = "provider-simulator", version)]
struct Arguments {
    /// Where to listen; only loopback addresses are accepted. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write the port to this file once it listens.
    #[arg(long)]
    port_file: Option<PathBuf>,
    /// Time before each answer.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// At most this much more, at random.
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,
    /// The speed of the answer itself (default: at once).
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    tokens_per_second: Option<u32>,
    /// Answer every chat completion with one fixed body, without looking at the request.
    #[arg(long)]
    canned: bool,
    /// Refuse only what every compatible server refuses.
    #[arg(long)]
    lenient: bool,
    /// Simulate OpenAI's automatic prompt caching.
    #[arg(long)]
    prompt_cache: bool,
    /// A fault rule, for example `model=gpt-4,first=2,action=429,retry-after=1`; repeatable.
    ///
    /// Scope: model= api=openai|anthropic path= contains=. Schedule: first=N, after=N, every=N, or
    /// probability=P,seed=N. Actions: 400 401 403 404 422 429 500 502 503 529 quota context-length (with
    /// retry-after=S or date:S), hang, stall, slow, cut, close, invalid-json, empty, error-inside,
    /// usage-missing, usage-negative, usage-output|usage-cached|usage-reasoning with tokens=N, redirect with
    /// to=URL, truncate, prose, fenced, missing-property, wrong-enum, refusal, content-filter, oversize with
    /// mib=N. Every action may have delay-ms=N. A request header `x-simulate` holds the same.
    #[arg(long = "fault", value_parser = rule)]
    faults: Vec<Fault>,
    /// A TOML file of `[[fault]]` tables with the same keys.
    #[arg(long = "faults")]
    faults_file: Option<PathBuf>,
}

fn rule(text: &str) -> Result<Fault, String> {
    spec::parse(text).map_err(|problem| format!("{problem:#}"))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // Nobody is left to tell if stderr is closed.
            let _ = writeln!(std::io::stderr(), "provider-simulator: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let mut faults = arguments.faults;
    if let Some(file) = &arguments.faults_file {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        faults.extend(spec::parse_toml(&text).with_context(|| format!("in {}", file.display()))?);
    }
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    Simulator::warm_up();
    let simulator = Simulator::start(Options {
        listen: arguments.listen,
        latency: Duration::from_millis(arguments.latency_ms),
        jitter: Duration::from_millis(arguments.jitter_ms),
        tokens_per_second: arguments.tokens_per_second,
        canned: arguments.canned,
        lenient: arguments.lenient,
        prompt_cache: arguments.prompt_cache,
        faults,
    })
    .await?;
    if let Some(file) = &arguments.port_file {
        write_port(file, simulator.address().port())?;
    }
    let url = simulator.base_url();
    writeln!(
        std::io::stdout(),
        "provider-simulator (simulated, no real model) listening on {url}"
    )
    .context("cannot write to stdout")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    simulator.stop().await;
    Ok(())
}

/// Writes the port whole or not at all: a reader polls for the file.
fn write_port(file: &std::path::Path, port: u16) -> Result<()> {
    let partial = file.with_extension("partial");
    std::fs::write(&partial, format!("{port}\n"))
        .and_then(|()| std::fs::rename(&partial, file))
        .with_context(|| format!("cannot write {}", file.display()))
}
