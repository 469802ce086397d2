//! The Redis store: any number of replicas, one truth.
//!
//! Each decision is one Lua script, which is atomic and idempotent by hold id; the scripts are
//! checked against the core's `Account`. Around them, here: one try within 50 ms, a breaker, the
//! repetition of endings until they land, and what is repeated to another Redis after a failover.

mod accounts;
mod args;
mod board;
mod both;
mod checks;
mod decide;
pub mod drain;
mod endings;
mod fault;
mod gate;
mod keys;
mod link;
mod monitor;
mod pack;
mod port;
mod reply;
mod roll;
mod script;
pub mod seed;
mod settings;
mod top_up;
mod wire;

use super::{
    Reply, Settlement, Store, Swept, UsageRow,
    event::{StoreEvent, StoreObserver},
};
use crate::clock::{Clock, utc};
use accounts::Accounts;
pub use checks::ConnectError;
use endings::{Endings, Waiting};
use fault::Fault;
use futures_util::future::{FutureExt as _, join_all};
use gate::Gate;
use keys::Keys;
use link::Link;
use roll::{Granted, Roll};
use script::Scripts;
pub use settings::{Settings, Topology, check_url};
use std::{sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{Held, HoldReply, Refusal, SettleReply},
    budget::Balance,
    hold::{Ending, HoldRequest, State},
    limit::{Limits, Scope, Unit},
    tally::KEPT_DAYS,
};
use wire::Wire;

/// How long a repair of one hold may take while nobody is admitted.
const REPAIR_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause between looks whether a team's balances were rebuilt.
const REBUILD_POLL: Duration = Duration::from_millis(20);

/// Balances in Redis, shared by all replicas.
pub struct RedisStore {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

/// What the store and its background tasks share.
struct Shared {
    accounts: Accounts,
    /// The same past the gate, for repairs.
    repairs: Accounts,
    gate: Arc<Gate>,
    roll: Roll,
    endings: Arc<Endings>,
    observer: Arc<dyn StoreObserver>,
    rebuild_wait: Duration,
    /// Whether one script may touch a team and a deployment.
    one_slot: bool,
    first_identity: String,
}

impl RedisStore {
    /// Connects, checks that this Redis can keep balances, and starts the background tasks.
    ///
    /// # Errors
    /// If it can't be reached or can't keep balances; the text says what to do.
    pub async fn connect(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn StoreObserver>,
        tasks: &TaskTracker,
    ) -> Result<Arc<Self>, ConnectError> {
        Self::with_scripts(settings, clock, (observer, tasks), Scripts::default()).await
    }

    async fn with_scripts(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        (observer, tasks): (Arc<dyn StoreObserver>, &TaskTracker),
        scripts: Scripts,
    ) -> Result<Arc<Self>, ConnectError> {
        let gate = Arc::new(Gate::new(Arc::clone(&observer)));
        let link = Link::new(settings, Some(Arc::clone(&gate))).await?;
        let first_identity = checks::check(&link, &settings.topology).await?;
        let wire = Wire {
            link: Arc::new(link),
            gate: Some(Arc::clone(&gate)),
            observer: Arc::clone(&observer),
            timeout: settings.command_timeout,
        };
        let scripts = Arc::new(scripts);
        let accounts = |wire| {
            let (scripts, clock) = (Arc::clone(&scripts), Arc::clone(&clock));
            Accounts::new(wire, scripts, clock, settings.memory)
        };
        let shared = Arc::new(Shared {
            repairs: accounts(wire.ungated(REPAIR_TIMEOUT)),
            accounts: accounts(wire),
            gate,
            roll: Roll::default(),
            endings: Arc::default(),
            observer,
            rebuild_wait: settings.rebuild_wait,
            one_slot: !matches!(settings.topology, Topology::Cluster),
            first_identity,
        });
        let stop = CancellationToken::new();
        let weak = Arc::downgrade(&shared);
        tasks.spawn(monitor::watch(weak.clone(), stop.clone()));
        tasks.spawn(endings::repeat(weak, stop.clone()));
        Ok(Arc::new(Self { shared, stop }))
    }

    /// Whether Redis is asked now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !self.shared.gate.is_shut()
    }

    /// How many endings wait for Redis.
    #[must_use]
    pub fn endings_waiting(&self) -> usize {
        self.shared.endings.len()
    }

    /// Tries to land the endings that wait, until `deadline`. Returns how many still wait; their
    /// holds are charged in full when their leases end.
    pub async fn flush(&self, deadline: Instant) -> usize {
        let empty = async {
            loop {
                let before = self.shared.endings.len();
                if before == 0 {
                    return;
                }
                self.shared.repeat_some().await;
                // Failed, or others are being repeated: looking again at once would keep the thread
                // that they need.
                if self.shared.endings.len() >= before {
                    tokio::time::sleep(REBUILD_POLL).await;
                }
            }
        };
        let _ = tokio::time::timeout_at(deadline, empty).await;
        self.shared.endings.len()
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
