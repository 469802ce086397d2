//! Work that no call waits for: leases, expiry, and the gauges of balances.

mod cooldowns;

use super::Parts;
use crate::{
    complete::LEASE_MS,
    ledger::drift::{Spend, drift},
    telemetry::{
        Lengths, Observer,
        log::Dropped,
        server::{Endpoint, Readiness},
    },
    tls::{Problem, Renewal},
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tollgate_core::{
    account::CounterKey,
    limit::{Limits, Scope},
};

/// How often leases are prolonged: three tries before one runs out.
const RENEW: Duration = Duration::from_millis(LEASE_MS / 3);
/// How often holds are looked for whose leases ran out.
const SWEEP: Duration = Duration::from_secs(1);
/// How often the gauges of balances are read.
const REFRESH: Duration = Duration::from_secs(5);
/// How often the store is asked for what other gateways were told by providers.
const HEED: Duration = Duration::from_secs(1);
/// How often the files of the certificate are looked at.
const WATCH: Duration = Duration::from_secs(2);
/// How often what operators decided elsewhere is looked at: a revoked key has 5 seconds.
const LOOK: Duration = Duration::from_secs(2);
/// How often the store in this process is compared with its ledger.
const COMPARE: Duration = Duration::from_secs(60);

/// Starts it all.
pub(super) fn start(parts: &Arc<Parts>, tasks: &TaskTracker, stop: &CancellationToken) {
    every(RENEW, Arc::clone(parts), tasks, stop, renew);
    every(SWEEP, Arc::clone(parts), tasks, stop, sweep);
    every(HEED, Arc::clone(parts), tasks, stop, cooldowns::learn);
    every(REFRESH, Arc::clone(parts), tasks, stop, refresh);
    every(LOOK, Arc::clone(parts), tasks, stop, look);
    every(COMPARE, Arc::clone(parts), tasks, stop, compare);
    if parts.identity.is_some() {
        every(WATCH, Arc::clone(parts), tasks, stop, watch);
    }
}

fn every<F, W>(
    period: Duration,
    parts: Arc<Parts>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
    work: W,
) where
    W: Fn(Arc<Parts>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let stop = stop.clone();
    tasks.spawn(async move {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(_tick) = stop.run_until_cancelled(ticks.tick()).await {
            work(Arc::clone(&parts)).await;
        }
    });
}

/// Prolongs the leases of calls that run.
async fn renew(parts: Arc<Parts>) {
    for (scope, ids) in parts.settler.open_holds() {
        if let Err(error) = parts.keeping.store.renew(&scope, &ids, LEASE_MS).await {
            tracing::debug!(%error, %scope, "leases were not renewed");
        }
    }
}

/// Charges holds whose gateway is gone.
async fn sweep(parts: Arc<Parts>) {
    for limits in scopes(&parts) {
        match parts.keeping.store.sweep(&limits).await {
            Ok(swept) => {
                for swept in &swept {
                    parts.observer.expired(&limits.scope, swept);
                }
                if !swept.is_empty() {
                    parts.gates.released(&limits.scope);
                }
            }
            Err(error) => tracing::debug!(%error, scope = %limits.scope, "not swept"),
        }
    }
}

/// Takes what operators decided on other replicas into force.
async fn look(parts: Arc<Parts>) {
    // What is wrong is in the log.
    let _ = parts.operators.refresh().await;
}

/// Shows another certificate as soon as its files have one.
async fn watch(parts: Arc<Parts>) {
    // It waits for the disk.
    let _ = tokio::task::spawn_blocking(move || renew_identity(&parts)).await;
}

/// Reads the files of the certificate again, if there are any.
pub(super) fn renew_identity(parts: &Parts) {
    let Some(identity) = &parts.identity else {
        return;
    };
    match identity.renew() {
        Renewal::None => {}
        Renewal::New => {
            parts.observer.certificate_shown(identity.ends_at());
            tracing::info!(
                event = "certificate_renewed",
                "new connections are shown the new certificate"
            );
        }
        Renewal::Bad(problems) => {
            for Problem { key, message } in problems {
                tracing::warn!(
                    event = "certificate_rejected",
                    problem = %format!("server.tls.{key}: {message}"),
                    "the certificate that was shown before is shown still"
                );
            }
        }
    }
}

/// Reads the balances that metrics show, so that a scrape touches no store.
async fn refresh(parts: Arc<Parts>) {
    let catalog = parts.catalog.load_full();
    for team in catalog.teams.values() {
        if let Ok(balances) = parts.keeping.store.balances(&team.limits).await {
            parts.observer.budget_balances(&team.name, &balances);
        }
    }
    match parts.keeping.ledger_health() {
        Some(health) if health.failing => parts
            .observer
            .ledger_failed("holds are not granted while the ledger can't be written"),
        Some(_) => parts.observer.ledger_recovered(),
        // Another replica writes it, and tells of it.
        None => {}
    }
}

/// Compares what the store says was spent with what the ledger says.
async fn compare(parts: Arc<Parts>) {
    let before = spend(&parts).await;
    let kept = Arc::clone(&parts);
    let books = tokio::task::spawn_blocking(move || kept.keeping.books()).await;
    let Ok(Ok(Some(books))) = books else {
        return;
    };
    let after = spend(&parts).await;
    let drift = drift(&books, &before, &after);
    parts.observer.ledger_compared(drift);
}

/// What every team has spent in the windows that are open.
async fn spend(parts: &Parts) -> Spend {
    let catalog = parts.catalog.load_full();
    let mut all = Spend::new();
    for team in catalog.teams.values() {
        let balances = parts.keeping.store.balances(&team.limits).await;
        for balance in balances.unwrap_or_default() {
            let key = CounterKey {
                budget: balance.name,
                window: balance.window.id,
            };
            all.insert((Arc::clone(&team.name), key), balance.spent);
        }
    }
    all
}

/// What the metrics listener serves.
pub(super) fn metrics(parts: &Arc<Parts>, readiness: Readiness) -> Endpoint {
    let observer = Arc::clone(&parts.observer);
    let parts = Arc::clone(parts);
    let before_scrape = move |observer: &Observer| {
        let ledger = parts.keeping.ledger_health().unwrap_or_default();
        let open = parts.settler.open_holds();
        let of_teams = open
            .iter()
            .filter(|(scope, _)| matches!(scope, Scope::Team(_)));
        observer.lengths_seen(Lengths {
            settlement_backlog: parts.keeping.backlog(parts.settler.backlog()),
            holds_open: of_teams.map(|(_, ids)| count(ids.len())).sum(),
            ledger_buffered_bytes: count(ledger.buffered_bytes),
            ledger_dropped: ledger.dropped,
            log_lines_dropped: parts.log_lines.as_ref().map_or(0, Dropped::lines),
            interactions_dropped: parts.interactions.dropped(),
        });
        let now = parts.clock.now();
        for model in parts.catalog.load().models.values() {
            for deployment in &model.deployments {
                let condition = parts.health.condition(&deployment.id, now);
                observer.condition_seen(&deployment.id, &condition);
            }
        }
    };
    Endpoint {
        observer,
        readiness,
        before_scrape: Box::new(before_scrape),
    }
}

fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}

/// The limits of every team and of every deployment that has some.
fn scopes(parts: &Parts) -> Vec<Arc<Limits>> {
    let catalog = parts.catalog.load();
    let teams = catalog.teams.values().map(|team| Arc::clone(&team.limits));
    let deployments = catalog.models.values().flat_map(|model| &model.deployments);
    let deployments = deployments
        .filter(|deployment| !deployment.limits.is_empty())
        .map(|deployment| Arc::clone(&deployment.limits));
    teams.chain(deployments).collect()
}
