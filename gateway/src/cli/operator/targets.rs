//! `tollgate targets list`, `drain` and `restore`.

use super::{
    Shown,
    args::Targets,
    connection::{Connection, Failure},
    table::{Side::Left, table},
};
use serde_json::{Value, json};
use tollgate_proto::admin::v1 as admin;

pub(super) async fn ask(targets: &Targets, mut connection: Connection) -> Result<Shown, Failure> {
    match targets {
        Targets::List { .. } => {
            let request = connection.request(admin::ListTargetsRequest {});
            let listed = connection.office.list_targets(request).await?.into_inner();
            let rows: Vec<Vec<String>> = listed.targets.iter().map(row).collect();
            let heads =
                ["MODEL", "DEPLOYMENT", "BREAKER", "DRAINED", "COOLDOWN"].map(|head| (head, Left));
            Ok(Shown {
                text: table(&heads, &rows),
                json: listed.targets.iter().map(json).collect(),
            })
        }
        Targets::Drain { deployment, .. } => {
            let request = connection.request(admin::DrainTargetRequest {
                deployment: deployment.clone(),
            });
            let drained = connection.office.drain_target(request).await?.into_inner();
            let target = drained.target.unwrap_or_default();
            Ok(Shown {
                text: format!(
                    "{deployment} gets no further attempts; `tollgate targets restore {deployment}` \
                     ends that\n"
                ),
                json: json(&target),
            })
        }
        Targets::Restore { deployment, .. } => {
            let request = connection.request(admin::RestoreTargetRequest {
                deployment: deployment.clone(),
            });
            let restored = connection.office.restore_target(request).await?;
            let target = restored.into_inner().target.unwrap_or_default();
            Ok(Shown {
                text: format!("{deployment} gets attempts again\n"),
                json: json(&target),
            })
        }
    }
}

fn breaker(target: &admin::Target) -> &'static str {
    match target.breaker() {
        admin::BreakerState::Closed => "closed",
        admin::BreakerState::HalfOpen => "half open",
        admin::BreakerState::Open => "open",
        admin::BreakerState::Unspecified => "unknown",
    }
}

/// In milliseconds.
fn cooldown_ms(target: &admin::Target) -> Option<i64> {
    let left = target.cooldown.as_ref()?;
    Some(left.seconds.saturating_mul(1_000) + i64::from(left.nanos / 1_000_000))
}

fn row(target: &admin::Target) -> Vec<String> {
    let cooldown = cooldown_ms(target).map(|ms| format!("{ms} ms"));
    vec![
        target.model.clone(),
        target.deployment.clone(),
        breaker(target).to_owned(),
        if target.drained { "yes" } else { "no" }.to_owned(),
        cooldown.unwrap_or_else(|| "-".to_owned()),
    ]
}

fn json(target: &admin::Target) -> Value {
    json!({
        "model": target.model,
        "deployment": target.deployment,
        "breaker": breaker(target),
        "drained": target.drained,
        "cooldown_ms": cooldown_ms(target),
    })
}
