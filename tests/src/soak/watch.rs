//! What Redis says while calls run: leases that nobody ended, and what waits for the ledger.

use crate::accuracy::site::{leases, outbox};
use redis::aio::MultiplexedConnection;
use serde::Serialize;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often it is asked.
const EVERY: Duration = Duration::from_millis(250);

/// The worst that was seen.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Watched {
    /// How often Redis was asked.
    pub looks: u64,
    /// How long a lease had ended without its hold, in milliseconds.
    pub most_overdue_ms: i64,
    /// Entries that waited for the ledger.
    pub most_outbox: u64,
    /// Holds that were open at once.
    pub most_open: u64,
}

/// Looks until it is stopped.
pub(super) struct Watch {
    task: JoinSet<anyhow::Result<Watched>>,
    stop: CancellationToken,
}

impl Watch {
    pub(super) fn start(url: String) -> Self {
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(look(url, stop.clone()));
        Self { task, stop }
    }

    /// The worst that was seen.
    pub(super) async fn stop(mut self) -> anyhow::Result<Watched> {
        self.stop.cancel();
        let ended = self.task.join_next().await;
        ended.unwrap_or_else(|| Ok(Err(anyhow::anyhow!("nobody watched"))))?
    }
}

async fn look(url: String, stop: CancellationToken) -> anyhow::Result<Watched> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut worst = Watched::default();
    loop {
        once(&mut connection, &mut worst).await?;
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    once(&mut connection, &mut worst).await?;
    Ok(worst)
}

async fn once(connection: &mut MultiplexedConnection, worst: &mut Watched) -> anyhow::Result<()> {
    type Looked = ((i64, i64), Vec<(String, f64)>, u64, u64);
    let (leases, outbox) = (leases(), outbox());
    let mut ask = redis::pipe();
    ask.cmd("TIME");
    ask.cmd("ZRANGE")
        .arg(&leases)
        .arg(&[0, 0])
        .arg("WITHSCORES");
    ask.cmd("ZCARD").arg(&leases);
    ask.cmd("XLEN").arg(&outbox);
    let (time, first, open, waiting): Looked = ask.query_async(connection).await?;
    let now = time.0 * 1_000 + time.1 / 1_000;
    worst.looks += 1;
    worst.most_open = worst.most_open.max(open);
    worst.most_outbox = worst.most_outbox.max(waiting);
    if let Some((_, ends)) = first.first() {
        worst.most_overdue_ms = worst.most_overdue_ms.max(now - *ends as i64);
    }
    Ok(())
}
