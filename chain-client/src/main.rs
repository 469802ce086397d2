//! The program: reads the command line, runs it, and answers with an exit code.

use chain_client::args::Cli;
use clap::Parser as _;
use std::{process::ExitCode, time::Duration};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return chain_client::cannot_start(&error),
    };
    let exit = runtime.block_on(chain_client::main(cli));
    // A read of standard input may never end; nothing waits for it.
    runtime.shutdown_timeout(Duration::from_millis(100));
    exit.into()
}
