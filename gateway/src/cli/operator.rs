//! The commands of operators: they ask a running gateway's `tollgate.admin.v1`.

pub mod args;
mod budgets;
mod connection;
mod keys;
mod table;
mod targets;
mod usage;

use super::{Output, Verdict};
use crate::config::Environment;
use args::{Budgets, Keys, Office, Targets};
use connection::{Connection, Failure};
use serde_json::Value;
use std::io;

/// What an operator asks for.
pub(super) enum Asked<'a> {
    Keys(&'a Keys),
    Budgets(&'a Budgets),
    Targets(&'a Targets),
    Usage(&'a args::Usage),
    Reload(&'a Office),
}

/// What is shown of an answer.
struct Shown {
    /// For people.
    text: String,
    /// For programs.
    json: Value,
}

pub(super) fn run(
    asked: &Asked<'_>,
    environment: &dyn Environment,
    output: Output<'_>,
) -> io::Result<Verdict> {
    let office = asked.office();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async {
        let connection = Connection::open(office, environment)?;
        asked.ask(connection).await
    });
    match answer {
        Ok(Shown { json, .. }) if office.json => writeln!(output.out, "{json:#}")?,
        Ok(Shown { text, .. }) => write!(output.out, "{text}")?,
        Err(Failure { message, verdict }) => {
            writeln!(output.err, "{message}")?;
            return Ok(verdict);
        }
    }
    Ok(Verdict::Good)
}

impl Asked<'_> {
    fn office(&self) -> &Office {
        match self {
            Self::Keys(Keys::Create { office, .. })
            | Self::Keys(Keys::List { office, .. })
            | Self::Keys(Keys::Revoke { office, .. })
            | Self::Budgets(Budgets::Show { office, .. })
            | Self::Budgets(Budgets::TopUp { office, .. })
            | Self::Targets(Targets::List { office })
            | Self::Targets(Targets::Drain { office, .. })
            | Self::Targets(Targets::Restore { office, .. })
            | Self::Usage(args::Usage { office, .. }) => office,
            Self::Reload(office) => office,
        }
    }

    async fn ask(&self, connection: Connection) -> Result<Shown, Failure> {
        match self {
            Self::Keys(keys) => keys::ask(keys, connection).await,
            Self::Budgets(budgets) => budgets::ask(budgets, connection).await,
            Self::Targets(targets) => targets::ask(targets, connection).await,
            Self::Usage(usage) => usage::ask(usage, connection).await,
            Self::Reload(_) => reload(connection).await,
        }
    }
}

async fn reload(mut connection: Connection) -> Result<Shown, Failure> {
    use tollgate_proto::admin::v1::ReloadConfigRequest;
    let request = connection.request(ReloadConfigRequest {});
    let answer = connection.office.reload_config(request).await?.into_inner();
    let what = if answer.changed {
        "in force now"
    } else {
        "in force, as before"
    };
    Ok(Shown {
        text: format!("configuration {} is {what}\n", answer.config_hash),
        json: serde_json::json!({
            "config_hash": answer.config_hash,
            "changed": answer.changed,
        }),
    })
}

/// A time as people and programs read it.
fn time(at: Option<&prost_types::Timestamp>) -> Option<String> {
    let at = at?;
    let millis = at.seconds.saturating_mul(1_000) + i64::from(at.nanos / 1_000_000);
    Some(crate::clock::rfc3339(
        tollgate_core::Timestamp::from_millis(millis),
    ))
}

#[cfg(test)]
mod tests;
