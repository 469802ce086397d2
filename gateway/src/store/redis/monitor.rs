//! Probes Redis once a second, and repeats what another Redis may not know.

use super::{
    Shared, checks,
    event::StoreEvent,
    fault::Fault,
};
use futures_util::{StreamExt as _, stream};
use std::{sync::Weak, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tollgate_core::account::HoldReply;

/// How often Redis is probed.
const EVERY: Duration = Duration::from_secs(1);

/// How long a probe may take.
const PROBE: Duration = Duration::from_millis(500);

/// After so many failed probes the connection is dialed anew: its host may be gone.
const REDIAL_AFTER: u32 = 3;

/// How many repetitions are under way at once.
const AT_ONCE: usize = 64;

/// How long repeating may keep the gate shut.
const REPEATING: Duration = Duration::from_secs(10);

/// Probes until the store is dropped or told to stop.
pub(super) async fn watch(shared: Weak<Shared>, stop: CancellationToken) {
    let mut known = None;
    let mut failures = 0;
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        match strong.probe(&mut known).await {
            Ok(()) => failures = 0,
            Err(fault) => {
                failures += 1;
                strong.gate.note(Some(&fault));
                if failures % REDIAL_AFTER == 0 {
                    strong.accounts.wire.link.reset();
                }
            }
        }
        let gate = std::sync::Arc::clone(&strong.gate);
        drop(strong);
        let pause = async {
            let _ = tokio::time::timeout(EVERY, gate.probe.notified()).await;
        };
        tokio::select! {
            () = pause => {}
            () = stop.cancelled() => return,
        }
    }
}

impl Shared {
    async fn probe(&self, known: &mut Option<String>) -> Result<(), Fault> {
        let facts = tokio::time::timeout(PROBE, self.accounts.wire.link.facts());
        let facts = facts.await.unwrap_or(Err(Fault::Timeout))?;
        let identity = checks::identity(&facts);
        let known = known.get_or_insert_with(|| self.first_identity.clone());
        if *known != identity {
            self.gate
                .shut("another Redis answers, or the same after a restart");
            self.repeat_all().await?;
            *known = identity;
        }
        self.gate.open();
        Ok(())
    }

    /// Tells Redis of all open holds and recent endings of this replica, before it admits more.
    async fn repeat_all(&self) -> Result<(), Fault> {
        let (open, ended) = self.roll.all();
        let (holds, endings) = (open.len(), ended.len());
        let until = Instant::now() + REPEATING;
        let holds_failed = stream::iter(open).map(|granted| async move {
            let reply = self
                .repairs
                .reassert(&granted.limits, &granted.request, granted.at)
                .await;
            // Ended meanwhile, by its lease: nothing to put back.
            matches!(reply, Ok(HoldReply::Held(_) | HoldReply::Duplicate(_)))
        });
        let endings_failed = stream::iter(ended).map(|finished| async move {
            let reply = self
                .end_with(
                    &self.repairs,
                    &finished.settlement,
                    finished.granted.as_ref(),
                )
                .await;
            reply.is_ok()
        });
        let all = async {
            // Holds first, for an ending puts back a hold that it misses.
            let holds: Vec<bool> = holds_failed.buffer_unordered(AT_ONCE).collect().await;
            let endings: Vec<bool> = endings_failed.buffer_unordered(AT_ONCE).collect().await;
            holds.iter().chain(&endings).filter(|done| !**done).count()
        };
        let failed = tokio::time::timeout_at(until, all).await;
        let failed = failed.map_err(|_| Fault::Timeout)?;
        self.observer.happened(&StoreEvent::Reasserted {
            holds,
            endings,
            failed,
        });
        Ok(())
    }
}
