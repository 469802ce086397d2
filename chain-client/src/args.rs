//! The command line.

use crate::{input::Shard, input::StdinFormat, money::Money, span};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Analyses articles through a Tollgate gateway: entities, summary, topics, quality.
#[derive(Debug, Parser)]
#[command(name = "chain-client", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the four steps over the articles and report.
    Run(Box<RunArgs>),
    /// Tell what a run would take and cost, without asking a model.
    Plan(Box<PlanArgs>),
    /// Check the connection, the key, and what the key may use.
    Doctor(Box<DoctorArgs>),
    /// Check the prompts and the configuration file.
    Validate(ValidateArgs),
    /// Print docs/metrics-chain-client.md.
    MetricsDoc,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The form of the log on standard error.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "CHAIN_LOG_FORMAT"
    )]
    pub(crate) log_format: LogFormat,
    /// What to log: error, warn, info, debug, or a filter such as chain_client=debug.
    /// Default: warn as text, info as JSON.
    #[arg(long, global = true, value_name = "FILTER", env = "CHAIN_LOG")]
    pub(crate) log: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// How to reach the gateway.
#[derive(Debug, Default, Args)]
pub(crate) struct GatewayArgs {
    /// The gateway's address. Default: http://127.0.0.1:50051.
    #[arg(long, value_name = "URL", env = "TOLLGATE_URL")]
    pub(crate) gateway: Option<String>,
    /// A file with the API key. Without it, the key is taken from TOLLGATE_API_KEY.
    #[arg(long, value_name = "FILE", env = "TOLLGATE_API_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Certificates to trust for an https address, as PEM.
    #[arg(long, value_name = "FILE", env = "TOLLGATE_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// A configuration file (chain.toml). Flags go before it.
    #[arg(short, long, value_name = "FILE", env = "CHAIN_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// A directory with prompts, instead of those of the program.
    #[arg(long, value_name = "DIR", env = "CHAIN_PROMPTS")]
    pub(crate) prompts: Option<PathBuf>,
}

/// What to read.
#[derive(Debug, Default, Args)]
pub(crate) struct InputArgs {
    /// Files (txt, md, html, json, jsonl), directories, or - for standard input.
    #[arg(required = true)]
    pub(crate) input: Vec<String>,
    /// The field with the text in JSON; a name, or a pointer such as /body/text. Default: text.
    #[arg(long, value_name = "FIELD")]
    pub(crate) text_field: Option<String>,
    /// The field with the id in JSON. Default: id.
    #[arg(long, value_name = "FIELD")]
    pub(crate) id_field: Option<String>,
    /// The field with the title in JSON. Default: title.
    #[arg(long, value_name = "FIELD")]
    pub(crate) title_field: Option<String>,
    /// The largest article, in bytes; larger ones are rejected. Default: 1048576.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes: Option<u64>,
    /// The form of standard input.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) stdin_format: StdinFormat,
    /// Only this part of the articles, such as 0/4.
    #[arg(long, value_name = "I/N", env = "CHAIN_SHARD")]
    pub(crate) shard: Option<Shard>,
}

#[derive(Debug, Default, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Where report.json, report.html and results.jsonl go. Default: runs/<run id>.
    #[arg(short, long, value_name = "DIR", env = "CHAIN_OUT")]
    pub(crate) out: Option<PathBuf>,
    /// How many articles to work on at a time. Default: 8.
    #[arg(short = 'j', long, value_name = "N", env = "CHAIN_CONCURRENCY")]
    pub(crate) concurrency: Option<usize>,
    /// Stop after this time, such as 10m; what is done is reported.
    #[arg(long, value_name = "TIME", value_parser = span::parse, env = "CHAIN_TIME_BUDGET")]
    pub(crate) time_budget: Option<Duration>,
    /// Spend at most this many dollars on the run; the gateway enforces it.
    #[arg(long, value_name = "USD", env = "CHAIN_MAX_COST")]
    pub(crate) max_cost: Option<Money>,
    /// How many failed or rejected articles still count as success: a number, or a share as 2%.
    #[arg(long, value_name = "N|P%", env = "CHAIN_MAX_FAILURES")]
    pub(crate) max_failures: Option<String>,
    /// How long to let articles finish after Ctrl-C or SIGTERM. Default: 20s.
    #[arg(long, value_name = "TIME", value_parser = span::parse, env = "CHAIN_DRAIN")]
    pub(crate) drain: Option<Duration>,
    /// How to show progress on standard error.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) progress: ProgressMode,
    /// Print one line of JSON about the run on standard output; the table goes to standard error.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
}

/// How metrics are given away.
#[derive(Debug, Default, Args)]
pub(crate) struct MetricsArgs {
    /// Where to serve /metrics, or none. Default: 127.0.0.1:9465, if it is free.
    #[arg(long, value_name = "ADDRESS", value_parser = metrics_at, env = "CHAIN_METRICS_ADDR")]
    pub(crate) metrics_addr: Option<MetricsAt>,
    /// How long at most to serve /metrics after the run; two scrapes end it. Default: 30s if
    /// --metrics-addr is given or somebody scraped during the run, else not at all.
    #[arg(long, value_name = "TIME", value_parser = span::parse, env = "CHAIN_METRICS_LINGER")]
    pub(crate) metrics_linger: Option<Duration>,
    /// Also write the metrics to this file at the end, for node_exporter's textfile collector.
    #[arg(long, value_name = "FILE", env = "CHAIN_METRICS_TEXTFILE")]
    pub(crate) metrics_textfile: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// Live on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    Tty,
    Plain,
    Json,
    None,
}

/// Where metrics are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricsAt {
    Address(SocketAddr),
    Nowhere,
}

/// Reads an address, or `none`.
pub(crate) fn metrics_at(text: &str) -> Result<MetricsAt, String> {
    if text == "none" {
        return Ok(MetricsAt::Nowhere);
    }
    let refuse = |_| format!("{text:?} is not an address: write it as 127.0.0.1:9465, or none");
    text.parse().map(MetricsAt::Address).map_err(refuse)
}

#[derive(Debug, Default, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The run budget to compare with.
    #[arg(long, value_name = "USD", env = "CHAIN_MAX_COST")]
    pub(crate) max_cost: Option<Money>,
    /// Print one line of JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Default, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,
}

#[derive(Debug, Default, Args)]
pub(crate) struct ValidateArgs {
    /// A configuration file (chain.toml).
    #[arg(short, long, value_name = "FILE", env = "CHAIN_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// A directory with prompts, instead of those of the program.
    #[arg(long, value_name = "DIR", env = "CHAIN_PROMPTS")]
    pub(crate) prompts: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_usual_command_is_read() {
        let line = "chain-client run a.txt - -j 4 --time-budget 5m --max-cost 0.50 --shard 1/4 \
            --metrics-addr none --log-format json";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Run(run) = cli.command else {
            panic!("run")
        };
        assert_eq!(run.input.input, ["a.txt", "-"]);
        assert_eq!(run.max_cost, Some(Money::from_nano_usd(500_000_000)));
        assert_eq!(run.metrics.metrics_addr, Some(MetricsAt::Nowhere));
    }
}
