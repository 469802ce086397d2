//! The gateway as a whole: the only place that names every concrete type.

mod background;
mod build;
mod keeping;
mod rebuild;
mod reload;
mod signals;
#[cfg(test)]
mod tests;

pub use build::StartError;
pub use rebuild::{Rebuilt, rebuild};
pub use signals::shutdown_signal;

use crate::{
    catalog::Catalog,
    clock::Clock,
    complete::Gates,
    config::Config,
    cores::Cores,
    grpc::{self, Bounds, Edge, Front},
    health::Health,
    interactions::Interactions,
    keys::Keyring,
    operators::{Operators, Reload},
    telemetry::{
        Observer,
        log::Dropped,
        server::{self, Readiness},
    },
    tls::Identity,
};
use arc_swap::ArcSwap;
use keeping::Keeping;
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic_health::server::HealthReporter;

/// How long settling and logs may take after the last call ended.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What a running gateway is made of.
struct Parts {
    catalog: Arc<ArcSwap<Catalog>>,
    /// Whom callers are checked against.
    keyring: Arc<ArcSwap<Keyring>>,
    /// What operators decided.
    operators: Arc<Operators>,
    /// The keys of operators.
    office_keyring: Arc<ArcSwap<Keyring>>,
    /// Where the configuration came from, if it was a file.
    source: OnceLock<PathBuf>,
    /// The hash of the configuration in force.
    hash: Mutex<String>,
    keeping: Keeping,
    clock: Arc<dyn Clock>,
    settler: crate::complete::Settler,
    gates: Arc<Gates>,
    health: Arc<Health>,
    observer: Arc<Observer>,
    /// The certificate that callers are shown, if they are shown one.
    identity: Option<Arc<Identity>>,
    interactions: Arc<Interactions>,
    /// Work of calls that may outlive them.
    calls: TaskTracker,
    /// Counts log lines that were lost, if this process logs.
    log_lines: Option<Dropped>,
    config: Config,
}

/// A gateway that serves.
pub struct App {
    /// Where it serves gRPC.
    pub grpc: SocketAddr,
    /// Where it serves metrics and probes.
    pub metrics: SocketAddr,
    /// Where it serves operators, if it does.
    pub admin: Option<SocketAddr>,
    parts: Arc<Parts>,
    edge: Edge,
    reporter: HealthReporter,
    readiness: Readiness,
    /// Stops the listener.
    stop: CancellationToken,
    /// Stops the background, after the last call.
    stop_background: CancellationToken,
    background: TaskTracker,
    /// Where calls run, and what they leave behind.
    cores: Cores,
    serving: JoinHandle<io::Result<()>>,
}

impl App {
    /// Builds everything, with the balances that are known, binds, and serves.
    ///
    /// # Errors
    /// If something that the configuration names can't be used. Nothing is bound then.
    pub async fn start(config: Config, log_lines: Option<Dropped>) -> Result<Self, StartError> {
        let (parts, settling, alerts) = build::parts(config, log_lines).await?;
        let parts = Arc::new(parts);
        let grpc = bind(parts.config.server.listen).await?;
        let metrics = bind(parts.config.server.metrics_listen).await?;
        let admin = match parts.config.admin.listen {
            Some(listen) => Some(bind(listen).await?),
            None => None,
        };
        let (grpc_at, metrics_at) = (local(&grpc)?, local(&metrics)?);
        let admin_at = admin.as_ref().map(local).transpose()?;
        let (edge, reporter) = build::edge(&parts).await?;
        let office = build::office(&parts)?;
        let stop = CancellationToken::new();
        let stop_background = CancellationToken::new();
        let background = TaskTracker::new();
        let stopped = stop_background.clone();
        let cores = Cores::start()?;
        let settling = settling
            .into_iter()
            .map(|task| task.run(stopped.clone().cancelled_owned()));
        cores.spawn_each(&background, settling.collect());
        if let Some(alerts) = alerts {
            background.spawn(alerts.run(stopped.clone().cancelled_owned()));
        }
        background::start(&parts, &background, &stopped);
        let readiness = Readiness::default();
        let endpoint = background::metrics(&parts, readiness.clone());
        background.spawn(server::serve(metrics, endpoint, stopped.cancelled_owned()));
        let bounds = Bounds {
            grace: parts.config.server.shutdown_grace,
            ..Bounds::default()
        };
        let front = Front {
            edge: edge.clone(),
            identity: parts.identity.clone(),
            bounds,
            cores: cores.clone(),
        };
        if let Some(admin) = admin {
            let front = Front {
                edge: office,
                ..front.clone()
            };
            let stopping = stop.clone().cancelled_owned();
            background.spawn(grpc::serve(admin, front, stopping));
        }
        let stopping = stop.clone().cancelled_owned();
        let serving = background.spawn(grpc::serve(grpc, front, stopping));
        readiness.is_reached();
        Ok(Self {
            grpc: grpc_at,
            metrics: metrics_at,
            admin: admin_at,
            parts,
            edge,
            reporter,
            readiness,
            stop,
            stop_background,
            background,
            cores,
            serving,
        })
    }

    /// The file that the configuration came from, which reloads read.
    pub fn configured_by(&self, file: &Path) {
        // The first one stays: there is one file for a gateway's life.
        let _ = self.parts.source.set(file.to_owned());
    }

    /// Takes a new configuration into force for all later calls, or leaves the old one and says why.
    ///
    /// Listeners, store, ledger and logs stay as they are: these need a restart.
    pub fn reload(&self, config: &Config) {
        // What is wrong is in the log.
        let _ = self.parts.take(config);
    }

    /// Reads the file again and does the same.
    pub fn reload_file(&self) {
        let _ = Reload::reload(&*self.parts);
    }

    /// Stops accepting, lets running calls end, settles everything, and flushes.
    pub async fn shutdown(self) {
        let parts = self.parts;
        parts.observer.draining();
        self.readiness.is_lost();
        build::not_serving(&self.reporter).await;
        self.edge.drain();
        self.stop.cancel();
        if let Ok(Err(error)) = self.serving.await {
            tracing::error!(%error, "the listener broke");
        }
        // What callers left behind: attempts that are read on, keys whose callers hung up.
        parts.calls.close();
        let left = parts.config.server.hangup_grace + LAST_WORDS;
        if tokio::time::timeout(left, parts.calls.wait())
            .await
            .is_err()
        {
            tracing::warn!("some calls did not end; their holds expire with their leases");
        }
        self.stop_background.cancel();
        self.background.close();
        if tokio::time::timeout(LAST_WORDS, self.background.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                backlog = parts.settler.backlog(),
                "some endings did not land"
            );
        }
        parts.interactions.close();
        parts.keeping.close(Instant::now() + LAST_WORDS).await;
        // Not before all of it has ended.
        drop(self.cores);
        tracing::info!(event = "stopped", "stopped");
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| StartError::Bind { address, error })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(StartError::Io)
}
