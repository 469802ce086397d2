//! What operators can ask for.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Which gateway is asked, and how the answer is shown.
#[derive(Clone, Debug, Args)]
pub struct Office {
    /// Where its operators' API is: `admin.listen` of its configuration. The key is taken from
    /// TOLLGATE_ADMIN_KEY.
    #[arg(
        long = "admin",
        value_name = "URL",
        env = "TOLLGATE_ADMIN_URL",
        default_value = "http://127.0.0.1:50052"
    )]
    pub url: String,
    /// Certificates to trust for an https URL, as PEM.
    #[arg(long, value_name = "FILE", env = "TOLLGATE_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What can be done with API keys.
#[derive(Clone, Debug, Subcommand)]
pub enum Keys {
    /// Make a key of a team on a running gateway, and show it once.
    ///
    /// All gateways that share its store take it within five seconds.
    #[command(after_help = "Example:\n  tollgate keys create --team news --json | jq -r .key")]
    Create {
        /// Its team.
        #[arg(long, value_name = "NAME")]
        team: String,
        /// Its id; without one the gateway picks it.
        #[arg(long, value_name = "ID", value_parser = super::super::keys::id)]
        id: Option<String>,
        /// Which gateway.
        #[command(flatten)]
        office: Office,
    },
    /// List keys, without their secrets.
    List {
        /// Only this team's.
        #[arg(long, value_name = "NAME")]
        team: Option<String>,
        /// Which gateway.
        #[command(flatten)]
        office: Office,
    },
    /// End a key. It stops working on every gateway within five seconds.
    #[command(after_help = "Example:\n  tollgate keys revoke news-5f0c21aa")]
    Revoke {
        /// Its id.
        #[arg(value_name = "ID")]
        id: String,
        /// Which gateway.
        #[command(flatten)]
        office: Office,
    },
}

/// What can be done with budgets.
#[derive(Clone, Debug, Subcommand)]
pub enum Budgets {
    /// Show what is left of budgets.
    Show {
        /// Only this team's.
        #[arg(long, value_name = "NAME")]
        team: Option<String>,
        /// Which gateway.
        #[command(flatten)]
        office: Office,
    },
    /// Raise a budget until its window ends.
    #[command(
        after_help = "Example:\n  tollgate budgets top-up --team news --budget day --amount 25.00"
    )]
    TopUp {
        /// The team.
        #[arg(long, value_name = "NAME")]
        team: String,
        /// Which of its budgets.
        #[arg(long, value_enum)]
        budget: Budget,
        /// How many dollars to add.
        #[arg(long, value_name = "USD")]
        amount: String,
        /// Makes a repetition safe: the same id adds once. Without one it is made up and told.
        #[arg(long, value_name = "ID")]
        request_id: Option<String>,
        /// Which gateway.
        #[command(flatten)]
        office: Office,
    },
}

/// A budget that every team has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Budget {
    /// Of a day.
    Day,
    /// Of a month.
    Month,
}

/// What can be done with deployments.
#[derive(Clone, Debug, Subcommand)]
pub enum Targets {
    /// List deployments with what keeps attempts from them.
    List {
        /// Which gateway.
        #[command(flatten)]
        office: Office,
    },
    /// Send no further attempts to a deployment, on every gateway within five seconds.
    #[command(after_help = "Example:\n  tollgate targets drain openai/gpt-4")]
    Drain {
        /// The deployment, as `<provider>/<name>`.
        #[arg(value_name = "DEPLOYMENT")]
        deployment: String,
        /// Which gateway.
        #[command(flatten)]
        office: Office,
    },
    /// Send attempts to it again.
    Restore {
        /// The deployment, as `<provider>/<name>`.
        #[arg(value_name = "DEPLOYMENT")]
        deployment: String,
        /// Which gateway.
        #[command(flatten)]
        office: Office,
    },
}

/// Which usage to sum.
#[derive(Clone, Debug, Args)]
pub struct Usage {
    /// What to group by.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "team")]
    pub by: Vec<Dimension>,
    /// From when: so many UTC days before today, such as 7d, or a day such as 2026-11-24.
    #[arg(long, value_name = "TIME", default_value = "0d", value_parser = super::usage::since)]
    pub since: super::usage::Since,
    /// Only this team's.
    #[arg(long, value_name = "NAME")]
    pub team: Option<String>,
    /// Which gateway.
    #[command(flatten)]
    pub office: Office,
}

/// A way to group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dimension {
    /// By team.
    Team,
    /// By pipeline.
    Pipeline,
    /// By run.
    Run,
    /// By step.
    Step,
    /// By model.
    Model,
    /// By UTC day.
    Day,
}
