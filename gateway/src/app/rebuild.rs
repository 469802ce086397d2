//! Giving an empty Redis the balances that the ledger remembers, without serving.

use super::{
    build::StartError,
    keeping::{ledger_options, settings},
};
use crate::{
    clock::{Clock, SystemClock},
    config::{Config, store::Kind},
    ledger::identity::is_there,
    provider::http::install_tls,
    store::{
        event::{StoreEvent, StoreObserver},
        redis::{
            RedisStore,
            drain::{Drain, LedgerArchive},
        },
    },
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};
use tokio_util::task::TaskTracker;

/// What a rebuild did.
#[derive(Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// How many teams have balances now.
    pub teams: usize,
    /// Those that had none.
    pub rebuilt: BTreeSet<Arc<str>>,
}

/// Remembers the teams whose balances were put back.
#[derive(Default)]
struct Seeded(Mutex<BTreeSet<Arc<str>>>);

impl StoreObserver for Seeded {
    fn happened(&self, event: &StoreEvent) {
        if let StoreEvent::Seeded { team } = event {
            let mut teams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            teams.insert(Arc::clone(team));
        }
    }
}

/// Drains what is in Redis into the ledger, and gives every team balances that has none.
///
/// # Errors
/// If there is no Redis or no ledger to do it with, or if a gateway does it already.
pub async fn rebuild(config: &Config) -> Result<Rebuilt, StartError> {
    let refuse = |why: &str| Err(StartError::Store(why.to_owned()));
    let Kind::Redis(redis) = &config.store.kind else {
        return refuse("kind is \"memory\": a start of the gateway rebuilds it by itself");
    };
    if !redis.drain {
        return refuse("drain is false: run this where the ledger is, with drain = true");
    }
    let options = ledger_options(config);
    if !is_there(&options.dir)? {
        let dir = options.dir.display();
        return Err(StartError::Store(format!(
            "there is no ledger in {dir}: run this where it is, or correct ledger.dir"
        )));
    }
    install_tls();
    let settings = settings(redis);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let seeded = Arc::new(Seeded::default());
    let tasks = TaskTracker::new();
    // It finds out whether this Redis can keep balances.
    RedisStore::connect(
        &settings,
        Arc::clone(&clock),
        Arc::clone(&seeded) as _,
        &tasks,
    )
    .await?;
    let archive = LedgerArchive::new(options, Arc::clone(&clock));
    let teams: Vec<Arc<str>> = config.teams.keys().map(Arc::clone).collect();
    let drain = Drain::connect(
        &settings,
        Arc::new(archive),
        Arc::new(move || teams.clone()),
        (clock, Arc::clone(&seeded) as _),
    )
    .await?;
    match drain.once().await.map_err(StartError::Store)? {
        Some(teams) => {
            let rebuilt = seeded.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(Rebuilt {
                teams,
                rebuilt: rebuilt.clone(),
            })
        }
        None => refuse(
            "a gateway drains this Redis now. It rebuilds what is missing by itself, within a \
             second; if it was killed, try again in ten seconds",
        ),
    }
}
