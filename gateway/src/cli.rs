//! The command line: what can be asked for, and the commands that serve nothing.

mod check;
mod healthcheck;
mod keys;
mod ledger;
pub mod operator;

use crate::config::{self, Environment};
use clap::{Args, Parser, Subcommand};
use operator::Asked;
use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

/// The LLM gateway that many teams share without overspending.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "tollgate",
    version,
    after_help = "Start here:\n  tollgate keys new --id k1 --team news   make an API key\n  \
                  tollgate check tollgate.toml            list everything that is wrong\n  \
                  tollgate serve --config tollgate.toml   serve"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked for.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve calls until a signal to stop.
    #[command(after_help = "Example:\n  tollgate serve --config /etc/tollgate/tollgate.toml")]
    Serve(Serve),
    /// A command that serves nothing.
    #[command(flatten)]
    Offline(Offline),
}

/// How to serve.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// The configuration file.
    #[arg(
        long,
        value_name = "FILE",
        env = "TOLLGATE_CONFIG",
        default_value = "tollgate.toml"
    )]
    pub config: PathBuf,
}

/// The commands that serve nothing.
#[derive(Clone, Debug, Subcommand)]
pub enum Offline {
    /// Check a configuration file and list everything that is wrong with it.
    ///
    /// Reads the secrets that the file names, as `serve` does. Exits with 0 if nothing is wrong,
    /// else with 2.
    #[command(after_help = "Example:\n  tollgate check tollgate.toml && systemctl reload tollgate")]
    Check(File),
    /// Print what is in force: the file with all defaults, without secrets.
    ///
    /// The output is a configuration file itself.
    #[command(
        after_help = "Example:\n  tollgate print-config tollgate.toml | diff deployed.toml -"
    )]
    PrintConfig(File),
    /// Ask a running gateway whether it serves, by gRPC health.
    ///
    /// Exits with 0 if it does, with 1 if not, and with 2 if its address is not known.
    #[command(after_help = "Example:\n  tollgate healthcheck --address 127.0.0.1:50051")]
    Healthcheck(HealthcheckArgs),
    /// Make, list and end API keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Show and raise budgets, on a running gateway.
    #[command(subcommand)]
    Budgets(operator::args::Budgets),
    /// Show, drain and restore deployments, on a running gateway.
    #[command(subcommand)]
    Targets(operator::args::Targets),
    /// Sum calls, tokens and cost, on a running gateway.
    #[command(after_help = "Example:\n  tollgate usage --by team,model --since 7d")]
    Usage(operator::args::Usage),
    /// Have a running gateway read its configuration file again, as SIGHUP does.
    Reload(operator::args::Office),
    /// Check and read a ledger.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print docs/metrics.md.
    MetricsDoc,
}

/// What can be done with a ledger.
#[derive(Clone, Debug, Subcommand)]
pub enum LedgerCommand {
    /// Add up every line and compare the sums with the checkpoints.
    ///
    /// Exits with 0 if all agrees, else with 2.
    #[command(after_help = "Example:\n  tollgate ledger verify data/ledger")]
    Verify {
        /// The directory of the ledger.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Give an empty Redis the balances that the ledger remembers.
    ///
    /// A gateway that drains does this by itself; this is for when none runs. Run it where the
    /// ledger is, with the configuration of the gateways. It first moves to the ledger what is in
    /// Redis still, and changes no balance that is there. Exits with 0 if every team has balances
    /// then, else with 2.
    #[command(after_help = "Example:\n  tollgate ledger rebuild /etc/tollgate/tollgate.toml")]
    Rebuild(File),
    /// List its lines, oldest first.
    #[command(after_help = "Example:\n  tollgate ledger list data/ledger --team news --json")]
    List(Listing),
}

/// Which lines of which ledger.
#[derive(Clone, Debug, Args)]
pub struct Listing {
    /// The directory of the ledger.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Only this team's.
    #[arg(long, value_name = "NAME")]
    pub team: Option<String>,
    /// Only this run's.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Print the lines as they are.
    #[arg(long)]
    pub json: bool,
}

/// Which configuration file.
#[derive(Clone, Debug, Args)]
pub struct File {
    /// The configuration file.
    #[arg(
        value_name = "FILE",
        env = "TOLLGATE_CONFIG",
        default_value = "tollgate.toml"
    )]
    pub file: PathBuf,
}

/// Which gateway is asked.
#[derive(Clone, Debug, Args)]
pub struct HealthcheckArgs {
    /// The configuration file that says where it listens.
    #[arg(
        long,
        value_name = "FILE",
        env = "TOLLGATE_CONFIG",
        default_value = "tollgate.toml"
    )]
    pub config: PathBuf,
    /// Where it listens; no file is read then.
    #[arg(long, value_name = "IP:PORT")]
    pub address: Option<SocketAddr>,
    /// The service that is asked for; empty means the gateway as a whole.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub service: String,
}

/// What can be done with API keys.
#[derive(Clone, Debug, Subcommand)]
pub enum Keys {
    /// Make an API key and show it once.
    ///
    /// The gateway keeps an HMAC of it only, made with the pepper in TOLLGATE_KEY_PEPPER. Without
    /// a pepper this makes one too. Nothing is stored: give the key to the team, and the variables
    /// to the gateway.
    #[command(after_help = "Examples:\n  tollgate keys new --id k1 --team news\n  \
                      tollgate keys new --id ci --json | jq -r .key")]
    New(NewKey),
    /// On a running gateway.
    #[command(flatten)]
    Running(operator::args::Keys),
}

/// Which key to make.
#[derive(Clone, Debug, Args)]
pub struct NewKey {
    /// The id, unique over all teams: lower-case letters, digits and "-". It is part of the key.
    #[arg(long, value_name = "ID", value_parser = keys::id)]
    pub id: String,
    /// The team, to print its lines of the configuration.
    #[arg(long, value_name = "NAME", value_parser = keys::team)]
    pub team: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well: exit code 0.
    Good,
    /// The gateway that was asked does not serve: exit code 1, which supervisors take for that.
    Unhealthy,
    /// There are problems, and they were printed: exit code 2.
    Bad,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Self::SUCCESS,
            Verdict::Unhealthy => Self::FAILURE,
            Verdict::Bad => Self::from(2),
        }
    }
}

/// Where a command writes.
pub struct Output<'a> {
    /// What was asked for.
    pub out: &'a mut dyn Write,
    /// What is wrong.
    pub err: &'a mut dyn Write,
}

impl Offline {
    /// Runs the command.
    ///
    /// # Errors
    /// If its output can't be written.
    pub fn run(&self, environment: &dyn Environment, output: Output<'_>) -> io::Result<Verdict> {
        match self {
            Self::Check(File { file }) => check::run(file, environment, output),
            Self::PrintConfig(File { file }) => match config::load(file, environment) {
                Ok(config) => {
                    write!(output.out, "{}", config.redacted())?;
                    Ok(Verdict::Good)
                }
                Err(problems) => {
                    writeln!(output.err, "{problems}")?;
                    Ok(Verdict::Bad)
                }
            },
            Self::Healthcheck(args) => healthcheck::run(args, output),
            Self::Keys(Keys::New(new)) => keys::new(new, environment, output),
            Self::Keys(Keys::Running(asked)) => {
                operator::run(&Asked::Keys(asked), environment, output)
            }
            Self::Budgets(asked) => operator::run(&Asked::Budgets(asked), environment, output),
            Self::Targets(asked) => operator::run(&Asked::Targets(asked), environment, output),
            Self::Usage(asked) => operator::run(&Asked::Usage(asked), environment, output),
            Self::Reload(office) => operator::run(&Asked::Reload(office), environment, output),
            Self::Ledger(command) => ledger::run(command, environment, output),
            Self::MetricsDoc => {
                write!(
                    output.out,
                    "{}",
                    crate::telemetry::catalogue::render_markdown()
                )?;
                Ok(Verdict::Good)
            }
        }
    }
}

#[cfg(test)]
mod tests;
