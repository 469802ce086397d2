//! The log: structured lines on standard error.

use crate::{args::LogArgs, args::LogFormat, output::Output};
use std::io;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// Starts the log; answers what is wrong with the filter.
pub(crate) fn start(args: &LogArgs, output: &Output) -> Result<(), String> {
    let default = match args.log_format {
        LogFormat::Text => "off,chain_client=warn",
        LogFormat::Json => "off,chain_client=info",
    };
    let wanted = args.log.as_deref().unwrap_or(default);
    let filter =
        EnvFilter::try_new(wanted).map_err(|error| format!("--log {wanted:?}: {error}"))?;
    let about = output.about();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(Lines(output.clone()));
    let started = match args.log_format {
        LogFormat::Text => builder
            .with_ansi(about.colors && about.err_is_terminal)
            .try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_ansi(false)
            .try_init(),
    };
    // A test that has started it already is fine.
    drop(started);
    Ok(())
}

/// Writes whole lines through the output, so that the log and the progress do not mix.
struct Lines(Output);

struct Line<'a> {
    output: &'a Output,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;
    fn make_writer(&'a self) -> Line<'a> {
        Line {
            output: &self.0,
            bytes: Vec::new(),
        }
    }
}

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.output
            .note(String::from_utf8_lossy(&self.bytes).trim_end());
    }
}
