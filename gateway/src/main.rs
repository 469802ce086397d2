//! The `tollgate` program: arguments, configuration, log, serve, exit code.

use clap::Parser as _;
use std::{io, process::ExitCode};
use tollgate::{
    app::{self, App},
    cli::{Cli, Command, Output, Serve},
    config::{self, Config, ProcessEnvironment},
    telemetry::log,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The arguments, the configuration, or an address can't be used; nothing was served.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(serve) => run(&serve),
        Command::Offline(command) => {
            let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
            let output = Output {
                out: &mut out,
                err: &mut err,
            };
            match command.run(&ProcessEnvironment, output) {
                Ok(verdict) => verdict.into(),
                // Whoever reads the output has left.
                Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn run(serve: &Serve) -> ExitCode {
    let config = match config::load(&serve.config, &ProcessEnvironment) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let telemetry = config.telemetry;
    let logs = match log::init(telemetry.log_format, telemetry.log_level) {
        Ok(logs) => logs,
        Err(error) => return complain(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error),
    };
    runtime.block_on(until_signal(serve, config, &logs))
}

async fn until_signal(serve: &Serve, config: Config, logs: &log::Logs) -> ExitCode {
    let app = match App::start(config, Some(logs.dropped())).await {
        Ok(app) => app,
        Err(error) => return complain(&error),
    };
    app.configured_by(&serve.config);
    let admin = app.admin.map(tracing::field::display);
    tracing::info!(event = "listening", grpc = %app.grpc, metrics = %app.metrics, admin);
    let reload = || app.reload_file();
    let waited = app::shutdown_signal(reload).await;
    app.shutdown().await;
    match waited {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

/// Says what is wrong where an operator looks, also before there is a log.
fn complain(problem: &dyn std::fmt::Display) -> ExitCode {
    use io::Write as _;
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr(), "{problem}");
    ExitCode::from(UNUSABLE)
}
